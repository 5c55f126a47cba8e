#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "config/params.h"
#include "config/value.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct step {
    int32_t stage;
    int64_t days;
    char measure[16];
};

struct sample {
    bool flag;
    int64_t number;
    double real;
    struct gf_duration duration;
    struct gf_money money;
    struct gf_price price;
    struct gf_energy energy;
    int64_t size;
    char text[24];
    char password[24];
    int32_t choice;
    struct step steps[3];
    uint32_t step_count;
};

static const char *const stages[] = {"DUE", "GRACE", "LATE", NULL};
#define STEP(field)   .name = #field, .doc = "A column.", .offset = offsetof(struct step, field)
#define SAMPLE(field) .name = #field, .doc = "A row.", .offset = offsetof(struct sample, field)

static const struct gf_param step_rows[] = {
    {STEP(stage), .type = GF_PARAM_CHOICE, .choices = stages},
    {STEP(days), .type = GF_PARAM_INT, .unit = "d", .min = 0, .max = 365},
    {STEP(measure), .type = GF_PARAM_TEXT, .size = 16, .initial = "REMINDER"},
};

static const struct gf_param rows[] = {
    {SAMPLE(flag), .type = GF_PARAM_BOOL, .initial = "true"},
    {SAMPLE(number), .type = GF_PARAM_INT, .unit = "records", .initial = "7", .min = -5,
     .max = 4096},
    {SAMPLE(real), .type = GF_PARAM_REAL, .initial = "0.25", .min = 0, .max = 1},
    {SAMPLE(duration), .type = GF_PARAM_DURATION, .initial = "15m", .min = 0, .max = 172800},
    {SAMPLE(money), .type = GF_PARAM_MONEY, .unit = "EUR", .initial = "12.50"},
    {SAMPLE(price), .type = GF_PARAM_PRICE, .unit = "EUR/kWh", .initial = "0.25", .min = -1,
     .max = 1},
    {SAMPLE(energy), .type = GF_PARAM_ENERGY, .unit = "kWh", .initial = "0.5"},
    {SAMPLE(size), .type = GF_PARAM_SIZE, .initial = "64MiB", .min = 1024, .max = 1e12},
    {SAMPLE(text), .type = GF_PARAM_TEXT, .size = 24, .initial = ""},
    {SAMPLE(password), .type = GF_PARAM_TEXT, .size = 24, .initial = ""},
    {SAMPLE(choice), .type = GF_PARAM_CHOICE, .choices = stages, .initial = "GRACE"},
    {.name = "steps",
     .doc = "A table.",
     .offset = offsetof(struct sample, steps),
     .type = GF_PARAM_TABLE,
     .size = sizeof(struct step),
     .rows = step_rows,
     .row_param_count = COUNT(step_rows),
     .rows_max = 3,
     .count_offset = offsetof(struct sample, step_count),
     .initial = "[{stage: DUE, days: 0}, {stage: LATE, days: 30, measure: LETTER}]"},
};

/* Reads a sample; the complaints, if any, stay in `complaints`. */
static void
sample_read(const char *text, bool is_literal, struct sample *out, struct gf_complaints *complaints)
{
    *complaints = (struct gf_complaints){.count = 0};
    memset(out, 0, sizeof(*out));
    struct gf_yaml *yaml = NULL;
    if (gf_yaml_parse("f.yaml", text, strlen(text), &yaml, complaints) != GF_OK) {
        return;
    }
    struct gf_param_reader reader = {
        .complaints = complaints, .yaml = yaml, .is_literal = is_literal, .origin = GF_ORIGIN_FILE};
    gf_params_read(&reader, rows, COUNT(rows), out, gf_yaml_root(yaml));
    gf_yaml_free(yaml);
}

static void
test_defaults(void **state)
{
    (void)state;
    struct sample sample;
    struct gf_complaints complaints;
    sample_read("", false, &sample, &complaints);
    assert_int_equal(complaints.count, 0);
    assert_true(sample.flag);
    assert_int_equal(sample.number, 7);
    assert_true(sample.real == 0.25);
    assert_int_equal(sample.duration.us, 15 * GF_US_PER_MINUTE);
    assert_int_equal(sample.money.micro, 12500000);
    assert_int_equal(sample.price.e8_per_kwh, 25000000);
    assert_int_equal(sample.energy.micro_kwh, 500000);
    assert_int_equal(sample.size, 64 << 20);
    assert_string_equal(sample.text, "");
    assert_int_equal(sample.choice, 1);
    assert_int_equal(sample.step_count, 2);
    assert_int_equal(sample.steps[1].stage, 2);
    assert_int_equal(sample.steps[1].days, 30);
    assert_string_equal(sample.steps[0].measure, "REMINDER");
    assert_string_equal(sample.steps[1].measure, "LETTER");
}

static void
test_values_in_their_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
        int64_t value;
    } cases[] = {
        {"duration: 90s", offsetof(struct sample, duration), 90 * GF_US_PER_S},
        {"duration: 250ms", offsetof(struct sample, duration), 250000},
        {"duration: 1h30m", offsetof(struct sample, duration), 90 * GF_US_PER_MINUTE},
        {"duration: 1.5h", offsetof(struct sample, duration), 90 * GF_US_PER_MINUTE},
        {"duration: 2d", offsetof(struct sample, duration), 2 * GF_US_PER_DAY},
        {"duration: 5 m", offsetof(struct sample, duration), 5 * GF_US_PER_MINUTE},
        {"duration: 0", offsetof(struct sample, duration), 0},
        {"duration: off", offsetof(struct sample, duration), 0},
        {"duration: 7us", offsetof(struct sample, duration), 7},
        {"size: 2GiB", offsetof(struct sample, size), INT64_C(2) << 30},
        {"size: 1.5KiB", offsetof(struct sample, size), 1536},
        {"size: 65536", offsetof(struct sample, size), 65536},
        {"size: 64kB", offsetof(struct sample, size), 64000},
        {"number: 14 records", offsetof(struct sample, number), 14},
        {"number: -5", offsetof(struct sample, number), -5},
        {"number: '+12'", offsetof(struct sample, number), 12},
        {"number: 12.00", offsetof(struct sample, number), 12},
        {"money: -0.000001", offsetof(struct sample, money), -1},
        {"money: 9223372036854.775807 EUR", offsetof(struct sample, money), INT64_MAX},
        {"price: 0.12345678 EUR/kWh", offsetof(struct sample, price), 12345678},
        {"price: -0.5", offsetof(struct sample, price), -50000000},
        {"energy: 1.100000kWh", offsetof(struct sample, energy), 1100000},
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        struct sample sample;
        struct gf_complaints complaints;
        sample_read(cases[index].text, false, &sample, &complaints);
        int64_t value = 0;
        memcpy(&value, (const char *)&sample + cases[index].offset, sizeof(value));
        if (complaints.count > 0 || value != cases[index].value) {
            fail_msg("%s: %" PRId64 " %s", cases[index].text, value, complaints.items[0].text);
        }
    }
}

static const struct {
    const char *text;
    uint32_t line, column;
    const char *part, *help;
} mistakes[] = {
    {"flag: yes", 1, 7, "must be true or false", "did you mean \"true\"?"},
    {"flag: ture", 1, 7, "must be true or false", "did you mean \"true\"?"},
    {"number: 4097", 1, 9, "out of range: -5 to 4096 records", ""},
    {"number: 1.5", 1, 9, "whole number", ""},
    {"number: abc", 1, 9, "must be a whole number", ""},
    {"number: 5 bytes", 1, 9, "counted in records", ""},
    {"number: 99999999999999999999", 1, 9, "too large", ""},
    {"number: [1]", 1, 9, "must be a value, not a list", ""},
    {"number: {a: 1}", 1, 9, "must be a value, not a mapping", ""},
    {"number:", 1, 8, "has no value", "leave the line out"},
    {"real: nan", 1, 7, "must be a number", ""},
    {"real: 0x1", 1, 7, "must be a number", ""},
    {"real: inf", 1, 7, "must be a number", ""},
    {"real: 1.01", 1, 7, "out of range: 0 to 1", ""},
    {"real: 1e999", 1, 7, "must be a number", ""},
    {"duration: 15", 1, 11, "needs a unit", "write 15s"},
    {"duration: 15min", 1, 11, "unknown unit \"min\"", ""},
    {"duration: 49h", 1, 11, "out of range: 0s to 2d", ""},
    {"duration: -1s", 1, 11, "out of range", ""},
    {"duration: 1h-5m", 1, 11, "", ""},
    {"duration: 99999999999999d", 1, 11, "too large", ""},
    {"duration: 1.0000001s", 1, 11, "more than 6 decimals", ""},
    {"size: 64Mib", 1, 7, "unknown unit \"Mib\"", "64MiB"},
    {"size: 1", 1, 7, "out of range: 1KiB to", ""},
    {"size: 1KiB2KiB", 1, 7, "not understood", ""},
    {"money: 1e3", 1, 8, "counted in EUR", ""},
    {"money: 0.0000001", 1, 8, "more than 6 decimals", ""},
    {"price: 0.123456789", 1, 8, "more than 8 decimals", ""},
    {"price: 0.25 USD/kWh", 1, 8, "counted in EUR/kWh", ""},
    {"energy: 5 MWh", 1, 9, "counted in kWh", ""},
    {"text: 1234567890123456789012345", 1, 7, "longer than 23 bytes", ""},
    {"text: |\n  two\n  lines\n", 1, 7, "line break", ""},
    {"text: ${GF_TEST_NOT_SET}", 1, 7, "GF_TEST_NOT_SET is not set", ""},
    {"text: ${GF_TEST_NOT_SET:?set it}", 1, 7, "set it", ""},
    {"text: ${GF TEST}", 1, 7, "not understood", ""},
    {"text: ${GF_TEST", 1, 7, "has no \"}\"", ""},
    {"text: ${GF_TEST_LINES}", 1, 7, "line break", ""},
    {"password: hunter2", 1, 11, "is a secret", "{file: PATH}"},
    {"password: {file: /nowhere/password}", 1, 11, "cannot be opened", ""},
    {"password: {env: X}", 1, 11, "must be a value", ""},
    {"choice: LAET", 1, 9, "must be one of DUE, GRACE, LATE", "did you mean \"LATE\"?"},
    {"steps: 5", 1, 8, "must be a list, not a value", ""},
    {"steps:\n  - {days: 1}", 2, 5, "steps[0].stage is missing", "A column."},
    {"steps:\n  - {stage: DUE, days: 366}", 2, 24, "steps[0].days is out of range: 0 to 365 d", ""},
    {"steps:\n  - {stage: DUE, days: 1}\n  - {stage: DUE, dayz: 1, days: 1}", 3, 18,
     "unknown key \"dayz\" in steps[1]", "did you mean \"days\"?"},
    {"steps: [{stage: DUE, days: 1}, {stage: DUE, days: 1}, {stage: DUE, days: 1}, {stage: "
     "DUE, days: "
     "1}]",
     1, 8, "at most 3", ""},
    {"steps: [5]", 1, 9, "steps[0] must be a mapping, not a value", ""},
    {"steps: [~]", 1, 9, "is missing", ""},
    {"numbr: 5", 1, 1, "unknown key \"numbr\"", "did you mean \"number\"?"},
    {"- 1", 1, 1, "the file must be a mapping, not a list", ""},
};

static void
test_each_mistake_is_named(void **state)
{
    (void)state;
    setenv("GF_TEST_LINES", "a\nb", 1);
    for (size_t index = 0; index < COUNT(mistakes); index++) {
        struct sample sample;
        struct gf_complaints complaints;
        sample_read(mistakes[index].text, false, &sample, &complaints);
        const struct gf_complaint *const complaint = &complaints.items[0];
        if (complaints.count == 0 || complaint->line != mistakes[index].line ||
            complaint->column != mistakes[index].column ||
            strstr(complaint->text, mistakes[index].part) == NULL ||
            strstr(complaint->help, mistakes[index].help) == NULL) {
            fail_msg("%s: %u:%u: %s (%s)", mistakes[index].text, complaint->line, complaint->column,
                     complaint->text, complaint->help);
        }
    }
}

static void
test_a_wrong_value_keeps_the_default(void **state)
{
    (void)state;
    struct sample sample;
    struct gf_complaints complaints;
    sample_read("number: 5000\nreal: x\nduration: 1h\n", false, &sample, &complaints);
    assert_int_equal(complaints.count, 2); /* both at once */
    assert_int_equal(sample.number, 7);
    assert_true(sample.real == 0.25);
    assert_int_equal(sample.duration.us, GF_US_PER_HOUR);
}

static void
test_the_environment_fills_values(void **state)
{
    (void)state;
    setenv("GF_TEST_NUMBER", "42", 1);
    setenv("GF_TEST_EMPTY", "", 1);
    unsetenv("GF_TEST_NOT_SET");
    static const struct {
        const char *text, *result;
    } cases[] = {
        {"text: a${GF_TEST_NUMBER}b", "a42b"},
        {"text: ${GF_TEST_NOT_SET:-x:y}", "x:y"},
        {"text: ${GF_TEST_EMPTY:-x}", "x"},
        {"text: ${GF_TEST_EMPTY}", ""},
        {"text: $${GF_TEST_NUMBER}", "${GF_TEST_NUMBER}"},
        {"text: a$b", "a$b"},
        {"text: '{a: 1}, # ${GF_TEST_NUMBER}'", "{a: 1}, # 42"},
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        struct sample sample;
        struct gf_complaints complaints;
        sample_read(cases[index].text, false, &sample, &complaints);
        assert_int_equal(complaints.count, 0);
        assert_string_equal(sample.text, cases[index].result);
    }
    struct sample sample;
    struct gf_complaints complaints;
    sample_read("number: ${GF_TEST_NUMBER}\npassword: ${GF_TEST_NUMBER}\n", false, &sample,
                &complaints);
    assert_int_equal(complaints.count, 0);
    assert_int_equal(sample.number, 42);
    assert_string_equal(sample.password, "42");
    sample_read("text: ${GF_TEST_NUMBER}\npassword: open\n", true, &sample, &complaints);
    assert_int_equal(complaints.count, 0);
    assert_string_equal(sample.text, "${GF_TEST_NUMBER}"); /* literal: as it was journalled */
}

static void
test_a_secret_comes_out_of_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/gf_test_secret_XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    FILE *const file = fdopen(descriptor, "w");
    assert_non_null(file);
    fputs("s3cret #1\n", file);
    fclose(file);
    char text[128];
    snprintf(text, sizeof(text), "password: {file: %s}\n", path);
    struct sample sample;
    struct gf_complaints complaints;
    sample_read(text, false, &sample, &complaints);
    remove(path);
    assert_int_equal(complaints.count, 0);
    assert_string_equal(sample.password, "s3cret #1");
}

static int64_t
drawn(struct gf_random *random)
{
    /* All magnitudes, not only the large ones. */
    const uint64_t bits = gf_random_next(random);
    return (int64_t)(bits >> (1 + gf_random_next(random) % 63));
}

static void
text_draw(struct gf_random *random, char *out, size_t size)
{
    static const char *const parts[] = {"a",    "null", "~", " ",    "\"",         "\\", ":", "#",
                                        "-",    "{",    "ü", "€",    "\U0001F50C", "5",  "'", "$",
                                        "${X}", ",",    "]", "true", "&x",         "!",  "|"};
    const size_t count = gf_random_next(random) % 8;
    out[0] = '\0';
    for (size_t index = 0; index < count; index++) {
        const char *const part = parts[gf_random_next(random) % COUNT(parts)];
        if (strlen(out) + strlen(part) < size) {
            strcat(out, part);
        }
    }
}

static void
sample_draw(struct gf_random *random, struct sample *out)
{
    memset(out, 0, sizeof(*out));
    out->flag = gf_random_next(random) % 2 == 0;
    out->number = drawn(random) % 4096;
    out->real = (double)(gf_random_next(random) >> 11) / 9007199254740992.0;
    out->duration.us = drawn(random) % (172800 * GF_US_PER_S);
    out->money.micro = gf_random_next(random) % 2 == 0 ? drawn(random) : -drawn(random);
    out->price.e8_per_kwh = drawn(random) % 100000001 * (gf_random_next(random) % 2 == 0 ? 1 : -1);
    out->energy.micro_kwh = drawn(random);
    out->size = 1024 + drawn(random) % INT64_C(999999998976);
    text_draw(random, out->text, sizeof(out->text));
    text_draw(random, out->password, sizeof(out->password));
    out->choice = (int32_t)(gf_random_next(random) % 3);
    out->step_count = (uint32_t)(gf_random_next(random) % 4);
    for (uint32_t index = 0; index < out->step_count; index++) {
        out->steps[index].stage = (int32_t)(gf_random_next(random) % 3);
        out->steps[index].days = drawn(random) % 366;
        text_draw(random, out->steps[index].measure, sizeof(out->steps[index].measure));
    }
}

static char *
sample_print(struct sample *sample)
{
    struct gf_origin origins[COUNT(rows)] = {{0}};
    const struct gf_section section = {.rows = rows,
                                       .row_count = COUNT(rows),
                                       .base = sample,
                                       .origins = origins,
                                       .is_fold = true};
    char *text = NULL;
    size_t size = 0;
    FILE *const file = open_memstream(&text, &size);
    assert_non_null(file);
    gf_section_print(&section, GF_PRINT_FOLD, "", file);
    fclose(file);
    return text;
}

/* Structs are compared byte by byte: padding is zero in both. */
static void
test_what_is_printed_reads_back(void **state)
{
    (void)state;
    const uint64_t seed = 20160101;
    print_message("seed %" PRIu64 "\n", seed);
    struct gf_random random = {.seed = seed};
    for (int round = 0; round < 3000; round++) {
        struct sample before, after;
        struct gf_complaints complaints;
        sample_draw(&random, &before);
        char *const text = sample_print(&before);
        sample_read(text, true, &after, &complaints);
        char *const again = sample_print(&after);
        if (complaints.count > 0 || memcmp(&before, &after, sizeof(before)) != 0 ||
            strcmp(text, again) != 0) {
            fail_msg("round %d: %s\n%s", round, complaints.items[0].text, text);
        }
        free(text);
        free(again);
    }
}

static void
test_canonical_form(void **state)
{
    (void)state;
    struct sample sample;
    struct gf_complaints complaints;
    sample_read("duration: 1440m\nsize: 2048KiB\nreal: 1e-3\nmoney: 3\ntext: 'a b'\n", true,
                &sample, &complaints);
    char *const text = sample_print(&sample);
    assert_string_equal(
        text, "flag: true\nnumber: 7\nreal: 0.001\nduration: 1d\nmoney: 3.00\nprice: 0.25\n"
              "energy: 0.5\nsize: 2MiB\ntext: \"a b\"\npassword: \"\"\nchoice: GRACE\nsteps:\n"
              "  - {stage: DUE, days: 0, measure: REMINDER}\n"
              "  - {stage: LATE, days: 30, measure: LETTER}\n");
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values_in_their_units),
        cmocka_unit_test(test_each_mistake_is_named),
        cmocka_unit_test(test_a_wrong_value_keeps_the_default),
        cmocka_unit_test(test_the_environment_fills_values),
        cmocka_unit_test(test_a_secret_comes_out_of_a_file),
        cmocka_unit_test(test_what_is_printed_reads_back),
        cmocka_unit_test(test_canonical_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
