#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/yaml.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum gf_rc
parse(const char *text, struct gf_yaml **out, struct gf_complaints *complaints)
{
    *complaints = (struct gf_complaints){.count = 0};
    return gf_yaml_parse("f.yaml", text, strlen(text), out, complaints);
}

static void
test_nodes_know_their_place(void **state)
{
    (void)state;
    struct gf_yaml *yaml = NULL;
    struct gf_complaints complaints;
    assert_int_equal(
        parse("# first\na: 1\nlist:\n  - x\n  - {b: \"two\", ü: ~}\nempty:\n", &yaml, &complaints),
        GF_OK);
    const struct gf_yaml_node *const root = gf_yaml_root(yaml);
    assert_int_equal(root->kind, GF_YAML_MAPPING);
    assert_int_equal(root->count, 3);
    const struct gf_yaml_node *const list = gf_yaml_get(root, "list");
    assert_int_equal(list->kind, GF_YAML_SEQUENCE);
    assert_int_equal(list->count, 2);
    const struct gf_yaml_node *const inner = list->items[1].value;
    assert_string_equal(gf_yaml_get(inner, "b")->text, "two");
    assert_false(gf_yaml_get(inner, "b")->is_plain);
    assert_int_equal(gf_yaml_get(inner, "b")->line, 5);
    assert_int_equal(gf_yaml_get(inner, "b")->column, 9);
    assert_int_equal(gf_yaml_item(inner, "ü")->column, 16);
    assert_int_equal(gf_yaml_get(inner, "ü")->column, 19); /* characters, not bytes */
    assert_true(gf_yaml_is_null(gf_yaml_get(inner, "ü")));
    assert_true(gf_yaml_is_null(gf_yaml_get(root, "empty")));
    assert_false(gf_yaml_is_null(gf_yaml_get(inner, "b")));
    assert_null(gf_yaml_get(root, "c"));
    gf_yaml_free(yaml);
}

static void
test_words_stay_words(void **state)
{
    (void)state;
    struct gf_yaml *yaml = NULL;
    struct gf_complaints complaints;
    assert_int_equal(parse("[no, 1.10, 0x10, on, 2016-01-01, '']", &yaml, &complaints), GF_OK);
    static const char *const texts[] = {"no", "1.10", "0x10", "on", "2016-01-01", ""};
    for (size_t index = 0; index < COUNT(texts); index++) {
        assert_string_equal(gf_yaml_root(yaml)->items[index].value->text, texts[index]);
    }
    gf_yaml_free(yaml);
}

static void
test_an_empty_document_is_an_empty_mapping(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "# nothing\n", "---\n", "~"};
    for (size_t index = 0; index < COUNT(texts); index++) {
        struct gf_yaml *yaml = NULL;
        struct gf_complaints complaints;
        assert_int_equal(parse(texts[index], &yaml, &complaints), GF_OK);
        assert_int_equal(gf_yaml_root(yaml)->kind, GF_YAML_MAPPING);
        assert_int_equal(gf_yaml_root(yaml)->count, 0);
        gf_yaml_free(yaml);
    }
}

static void
test_aliases_repeat_what_they_name(void **state)
{
    (void)state;
    struct gf_yaml *yaml = NULL;
    struct gf_complaints complaints;
    assert_int_equal(parse("a: &x {k: 1}\nb: *x\nc: &x 2\nd: *x\n", &yaml, &complaints), GF_OK);
    const struct gf_yaml_node *const root = gf_yaml_root(yaml);
    assert_ptr_equal(gf_yaml_get(root, "a"), gf_yaml_get(root, "b"));
    assert_string_equal(gf_yaml_get(root, "d")->text, "2");
    gf_yaml_free(yaml);
}

static void
test_mistakes_have_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line, column;
        const char *part; /* of the message */
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", 3, 1, "comes twice; the first is in line 1"},
        {"a:\n\tb: 1\n", 2, 1, "cannot start any token"},
        {"a: [1, 2\nb: 3\n", 2, 2, ""},
        {"a: 'x\n", 2, 1, "unexpected end"},
        {"a: 1\n---\nb: 2\n", 2, 1, "only one document"},
        {"a: !!int 5\n", 1, 4, "tags"},
        {"a: !x {b: 1}\n", 1, 4, "tags"},
        {"a: *nowhere\n", 1, 4, "anchor"},
        {"? [1, 2]\n: x\n", 1, 3, "a key must be a text"},
        {"a: \"x\\0y\"\n", 1, 4, "NUL"},
        {"a: b: c\n", 1, 5, "mapping values are not allowed"},
        {"a: &a [*a]\n", 1, 8, "anchor"},
        {"a: 1\n\001: 2\n", 2, 1, "control characters"},
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        struct gf_yaml *yaml = NULL;
        struct gf_complaints complaints;
        assert_int_equal(parse(cases[index].text, &yaml, &complaints), GF_E_CONFIG);
        assert_null(yaml);
        assert_int_equal(complaints.count, 1);
        const struct gf_complaint *const complaint = &complaints.items[0];
        if (complaint->line != cases[index].line || complaint->column != cases[index].column ||
            strstr(complaint->text, cases[index].part) == NULL) {
            fail_msg("case %zu: %u:%u %s", index, complaint->line, complaint->column,
                     complaint->text);
        }
    }
}

static char *
repeated(const char *part, size_t count)
{
    const size_t size = strlen(part);
    char *const text = malloc(size * count + 1);
    assert_non_null(text);
    for (size_t index = 0; index < count; index++) {
        memcpy(text + index * size, part, size);
    }
    text[size * count] = '\0';
    return text;
}

static void
test_hostile_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *part;
        size_t count;
    } cases[] = {
        {"[", 33},         /* one level too deep */
        {"[", 1000000},    /* the parser is stopped at the limit, not at the end */
        {"{a: ", 200000},  /**/
        {"- ", 500000},    /**/
        {"? ", 300000},    /**/
        {"[],", 300000},   /* not inside a list */
        {"- a\n", 200000}, /* too many values */
        {"'", 1},          /**/
        {"x", 1048577},    /* too large */
        {"&a ", 1000},     /**/
        {"\xff", 3},       /* not UTF-8 */
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        char *const text = repeated(cases[index].part, cases[index].count);
        struct gf_yaml *yaml = NULL;
        struct gf_complaints complaints;
        assert_int_equal(parse(text, &yaml, &complaints), GF_E_CONFIG);
        assert_int_equal(complaints.count, 1);
        free(text);
    }
    char deep[32 * 2 + 1] = "";
    memset(deep, '[', 32);
    memset(deep + 32, ']', 32);
    struct gf_yaml *yaml = NULL;
    struct gf_complaints complaints;
    assert_int_equal(parse(deep, &yaml, &complaints), GF_OK); /* 32 levels are allowed */
    gf_yaml_free(yaml);
}

/* Nine aliases a level: written out it would be 9^8 nodes. */
static void
test_a_bomb_of_aliases_stays_small(void **state)
{
    (void)state;
    char text[2048];
    size_t used = (size_t)snprintf(text, sizeof(text), "a0: &a0 x\n");
    for (int level = 1; level <= 8; level++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "a%d: &a%d [", level, level);
        for (int item = 0; item < 9; item++) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s*a%d",
                                     item > 0 ? "," : "", level - 1);
        }
        used += (size_t)snprintf(text + used, sizeof(text) - used, "]\n");
    }
    struct gf_yaml *yaml = NULL;
    struct gf_complaints complaints;
    assert_int_equal(parse(text, &yaml, &complaints), GF_E_CONFIG);
    assert_non_null(strstr(complaints.items[0].text, "too many values"));
}

static void
test_many_keys_are_refused(void **state)
{
    (void)state;
    char *const text = malloc(1100 * 16);
    assert_non_null(text);
    size_t used = 0;
    for (int index = 0; index < 1025; index++) {
        used += (size_t)snprintf(text + used, 16, "k%d: 1\n", index);
    }
    struct gf_yaml *yaml = NULL;
    struct gf_complaints complaints;
    assert_int_equal(parse(text, &yaml, &complaints), GF_E_CONFIG);
    assert_int_equal(complaints.items[0].line, 1025);
    free(text);
}

static char *
printed(const struct gf_complaints *complaints)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const file = open_memstream(&text, &size);
    assert_non_null(file);
    gf_complaints_print(complaints, file);
    fclose(file);
    return text;
}

static void
test_complaints_are_shown_like_a_compiler(void **state)
{
    (void)state;
    struct gf_complaints complaints = {.count = 0};
    static const char text[] = "a: 1\r\n\tüb: windw\n";
    struct gf_place place = {
        .file = "f.yaml", .text = text, .size = strlen(text), .line = 2, .column = 6};
    assert_int_equal(gf_complain(&complaints, place, "unknown \"%s\"", "windw"), GF_E_CONFIG);
    gf_complain_help(&complaints, "did you mean \"%s\"?", "window");
    place.line = 1;
    place.column = 1;
    gf_complain(&complaints, place, "earlier in the file");
    gf_complain(&complaints, (struct gf_place){.file = "--set a=1"}, "no place");
    char *const out = printed(&complaints);
    assert_string_equal(out, "--set a=1: error: no place\n"
                             "f.yaml:1:1: error: earlier in the file\n"
                             "    a: 1\n"
                             "    ^\n"
                             "f.yaml:2:6: error: unknown \"windw\"\n"
                             "    \tüb: windw\n"
                             "    \t    ^\n"
                             "    help: did you mean \"window\"?\n");
    free(out);
    struct gf_error error;
    assert_int_equal(gf_complaints_error(&complaints, &error), GF_E_CONFIG);
    assert_string_equal(error.text, "f.yaml:2:6: unknown \"windw\" (and 2 more)");
}

static void
test_complaints_stop_at_twenty(void **state)
{
    (void)state;
    struct gf_complaints complaints = {.count = 0};
    for (int index = 0; index < 25; index++) {
        gf_complain(&complaints, (struct gf_place){.file = "f", .line = 1, .column = 1}, "%d",
                    index);
        gf_complain_help(&complaints, "help %d", index);
    }
    assert_int_equal(complaints.count, 20);
    assert_int_equal(complaints.dropped, 5);
    assert_string_equal(complaints.items[19].help, "help 19");
    char *const out = printed(&complaints);
    assert_non_null(strstr(out, "and 5 more\n"));
    free(out);
}

static void
test_a_long_line_is_cut_around_the_caret(void **state)
{
    (void)state;
    char *const text = repeated("ü", 2000);
    struct gf_complaints complaints = {.count = 0};
    gf_complain(&complaints,
                (struct gf_place){
                    .file = "f", .text = text, .size = strlen(text), .line = 1, .column = 1500},
                "x");
    assert_int_equal(complaints.items[0].caret, 40);
    assert_true(strlen(complaints.items[0].source) <= 159);
    assert_int_equal(strlen(complaints.items[0].source) % 2, 0); /* no half character */
    free(text);
}

static void
test_edit_distance(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        uint32_t distance;
    } cases[] = {
        {"window", "window", 0}, {"windw", "window", 1},   {"wnidow", "window", 1},
        {"", "ab", 2},           {"abc", "", 3},           {"xindox", "window", 2},
        {"ba", "ab", 1},         {"kitten", "sitting", 3},
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        assert_int_equal(gf_edit_distance(cases[index].a, cases[index].b, 2),
                         cases[index].distance);
        assert_int_equal(gf_edit_distance(cases[index].b, cases[index].a, 2),
                         cases[index].distance);
    }
    struct gf_suggestion suggestion = {.wrong = "xy"};
    gf_suggestion_offer(&suggestion, "ab"); /* two edits of two letters are another word */
    assert_null(suggestion.best);
    gf_suggestion_offer(&suggestion, "xyz");
    assert_string_equal(suggestion.best, "xyz");
    gf_suggestion_offer(&suggestion, "xy");
    gf_suggestion_offer(&suggestion, "xz");
    assert_string_equal(suggestion.best, "xy");
}

static void
test_a_missing_file_is_a_complaint(void **state)
{
    (void)state;
    struct gf_yaml *yaml = NULL;
    struct gf_complaints complaints = {.count = 0};
    assert_int_equal(gf_yaml_load("/nowhere/f.yaml", &yaml, &complaints), GF_E_CONFIG);
    assert_string_equal(complaints.items[0].file, "/nowhere/f.yaml");
    assert_int_equal(complaints.items[0].line, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_know_their_place),
        cmocka_unit_test(test_words_stay_words),
        cmocka_unit_test(test_an_empty_document_is_an_empty_mapping),
        cmocka_unit_test(test_aliases_repeat_what_they_name),
        cmocka_unit_test(test_mistakes_have_a_place),
        cmocka_unit_test(test_hostile_files_are_refused),
        cmocka_unit_test(test_a_bomb_of_aliases_stays_small),
        cmocka_unit_test(test_many_keys_are_refused),
        cmocka_unit_test(test_complaints_are_shown_like_a_compiler),
        cmocka_unit_test(test_complaints_stop_at_twenty),
        cmocka_unit_test(test_a_long_line_is_cut_around_the_caret),
        cmocka_unit_test(test_edit_distance),
        cmocka_unit_test(test_a_missing_file_is_a_complaint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
