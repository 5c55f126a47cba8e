#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "io/import_build.h"
#include "io/import_compile.h"

#define CONSTANTS_SIZE   65536
#define TARGET_COUNT_MAX 16

static bool
flag_get(struct gf_import_compiler *compiler, const struct gf_yaml_node *node, const char *key)
{
    static const char *const words[] = {"false", "true", NULL};
    return gf_import_member_choice(compiler, node, key, words, 0) == 1;
}

/* A list of texts, or one text. */
static const struct gf_span *
spans_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
              uint32_t *count_out)
{
    const uint32_t count = node->kind == GF_YAML_SEQUENCE ? node->count : 1;
    struct gf_span *const spans = gf_import_compiler_take(compiler, (count + 1) * sizeof *spans);
    for (uint32_t i = 0; spans != NULL && i < count; i++) {
        const struct gf_yaml_node *const item =
            node->kind == GF_YAML_SEQUENCE ? node->items[i].value : node;
        if (item->kind != GF_YAML_SCALAR) {
            gf_import_complain(compiler, item, "must be a text, or a list of texts");
            continue;
        }
        const char *const copy = gf_import_memory_text(compiler->memory, item->text, item->size);
        compiler->is_out_of_memory |= copy == NULL;
        spans[i] = gf_span_of(copy, copy == NULL ? 0 : item->size);
    }
    *count_out = spans == NULL ? 0 : count;
    return spans;
}

/* filter: [{column: kwh, empty: true}, {column: type, is_not: [A, B]}] */
static void
filters_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                struct gf_import_target *target)
{
    static const char *const keys[] = {"column", "empty", "is", "is_not", NULL};
    if (node == NULL) {
        return;
    }
    if (node->kind != GF_YAML_SEQUENCE) {
        gf_import_complain(compiler, node,
                           "filter must be a list, such as [{column: kwh, empty: true}]");
        return;
    }
    struct gf_import_filter *const filters =
        gf_import_compiler_take(compiler, (node->count + 1) * sizeof *filters);
    for (uint32_t i = 0; filters != NULL && i < node->count; i++) {
        const struct gf_yaml_node *const item = node->items[i].value;
        if (!gf_import_keys_check(compiler, item, keys, "filter")) {
            continue;
        }
        const char *const column = gf_import_member_text(compiler, item, "column");
        const struct gf_yaml_node *const is = gf_yaml_get(item, "is"), *const is_not = gf_yaml_get(
                                                                           item, "is_not");
        struct gf_import_filter *const filter = &filters[i];
        filter->is_empty = flag_get(compiler, item, "empty");
        if (column == NULL || filter->is_empty + (is != NULL) + (is_not != NULL) != 1) {
            gf_import_complain(compiler, item,
                               "a filter needs a column, and one of: empty: true, is, is_not");
            continue;
        }
        gf_import_column_compile(compiler, gf_yaml_get(item, "column"), column, &filter->text);
        filter->is_negated = is_not != NULL;
        if (!filter->is_empty) {
            filter->values =
                spans_compile(compiler, is != NULL ? is : is_not, &filter->value_count);
        }
    }
    target->filters = filters;
    target->filter_count = filters == NULL ? 0 : node->count;
}

/* each: load_b{home} */
static void
each_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
             struct gf_import_target *target)
{
    compiler->each_name = NULL;
    const char *const text = gf_import_member_text(compiler, node, "each");
    if (text == NULL) {
        return;
    }
    const struct gf_yaml_node *const place = gf_yaml_get(node, "each");
    const char *const open = strchr(text, '{');
    const char *const close = open == NULL ? NULL : strchr(open, '}');
    if (close == NULL || close == open + 1 || strchr(close, '{') != NULL) {
        gf_import_complain(
            compiler, place,
            "each must be a column name with one {name} in it, such as load_b{home}");
        return;
    }
    if (compiler->mapping->format == GF_IMPORT_NDJSON) {
        gf_import_complain(compiler, place, "each is for columns of CSV files");
    }
    compiler->each_name =
        gf_import_memory_text(compiler->memory, open + 1, (size_t)(close - open) - 1);
    target->each_prefix = gf_import_memory_text(compiler->memory, text, (size_t)(open - text));
    target->each_suffix = gf_import_memory_text(compiler->memory, close + 1, strlen(close + 1));
    compiler->is_out_of_memory |=
        compiler->each_name == NULL || target->each_prefix == NULL || target->each_suffix == NULL;
    target->has_each = !compiler->is_out_of_memory;
}

static int
topic_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node)
{
    const char *const name = gf_import_member_text(compiler, node, "topic");
    const int topic = name == NULL ? -1 : gf_topic_find(name);
    if (topic >= 0 && gf_topics[topic].is_input) {
        return topic;
    }
    struct gf_suggestion suggestion = {.wrong = name == NULL ? "" : name};
    for (int i = 0; i < GF_TOPIC_INPUT_COUNT; i++) {
        gf_suggestion_offer(&suggestion, gf_topics[i].name);
    }
    if (name == NULL) {
        gf_import_complain(compiler, node, "a target needs a topic, such as meter.readings");
    } else {
        gf_import_complain(compiler, gf_yaml_get(node, "topic"), "\"%s\" is not an input topic",
                           name);
    }
    if (suggestion.best != NULL) {
        gf_complain_help(compiler->complaints, "did you mean \"%s\"?", suggestion.best);
    }
    return -1;
}

/* A price in EUR in a record that says GBP is a mistake that nothing later could see. */
static void
currencies_check(struct gf_import_compiler *compiler, const struct gf_import_target *target)
{
    for (uint32_t i = 0; i < target->rule_count; i++) {
        const struct gf_import_rule *const rule = &target->rules[i];
        if (strcmp(rule->name, "currency") != 0 || !rule->is_constant || rule->text.count != 1) {
            continue;
        }
        for (uint32_t j = 0; j < compiler->currency_count; j++) {
            const struct gf_span code = gf_span_text(compiler->currencies[j].code);
            if (!gf_span_equal(code, rule->text.parts[0].literal)) {
                gf_import_complain(
                    compiler, compiler->currencies[j].node, "unit is in %s, and currency is %.*s",
                    compiler->currencies[j].code, GF_SPAN_PRINT(rule->text.parts[0].literal));
            }
        }
    }
}

/* Constants go into the prototype; what is left of the rules is done for every row. */
static void
constants_fold(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
               struct gf_import_target *target)
{
    const size_t size = gf_topics[target->topic].type->size;
    target->prototype = gf_import_compiler_take(compiler, size);
    struct gf_import_rule *const rules =
        gf_import_compiler_take(compiler, (target->rule_count + 1) * sizeof *rules);
    if (target->prototype == NULL || rules == NULL || compiler->complaints->count > 0) {
        return;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < target->rule_count; i++) {
        struct gf_import_row row = {.arena = &compiler->constants};
        struct gf_error error = {.text = ""};
        if (!target->rules[i].is_constant) {
            rules[count++] = target->rules[i];
        } else if (gf_import_rule_apply(&target->rules[i], &row, target->prototype, &error) !=
                   GF_IMPORT_RECORD) {
            gf_import_complain(compiler, node, "%s: %s", target->rules[i].name, error.text);
        }
    }
    target->rules = rules;
    target->rule_count = count;
}

static void
target_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
               struct gf_import_target *target)
{
    static const char *const keys[] = {"topic",  "key",    "each", "distinct",
                                       "filter", "fields", NULL};
    if (!gf_import_keys_check(compiler, node, keys, "a target")) {
        return;
    }
    const int topic = topic_compile(compiler, node);
    compiler->reference_count = 0;
    compiler->currency_count = 0;
    compiler->references = gf_import_compiler_take(compiler, GF_IMPORT_REFERENCE_COUNT_MAX *
                                                                 sizeof *compiler->references);
    if (topic < 0 || compiler->references == NULL) {
        return;
    }
    target->topic = (enum gf_topic)topic;
    target->is_distinct = flag_get(compiler, node, "distinct");
    each_compile(compiler, node, target);
    filters_compile(compiler, gf_yaml_get(node, "filter"), target);
    const char *const key = gf_import_member_text(compiler, node, "key");
    if (key == NULL) {
        gf_import_complain(compiler, node, "a target needs a key, such as \"{customer}\"");
    } else {
        gf_import_text_compile(compiler, gf_yaml_get(node, "key"), key, &target->key);
    }
    const struct gf_yaml_node *const fields = gf_yaml_get(node, "fields");
    if (fields == NULL) {
        gf_import_complain(compiler, node, "a target needs fields");
        return;
    }
    gf_import_rules_compile(compiler, fields, gf_topics[topic].type, &target->rules,
                            &target->rule_count);
    currencies_check(compiler, target);
    constants_fold(compiler, fields, target);
    target->references = compiler->references;
    target->reference_count = compiler->reference_count;
}

static char
letter_get(struct gf_import_compiler *compiler, const struct gf_yaml_node *root, const char *key,
           char otherwise)
{
    const char *const text = gf_import_member_text(compiler, root, key);
    if (text == NULL) {
        return otherwise;
    }
    if (strcmp(text, "tab") == 0) {
        return '\t';
    }
    if (strlen(text) != 1 || text[0] == '"') {
        gf_import_complain(compiler, gf_yaml_get(root, key), "%s must be one character, or tab",
                           key);
    }
    return text[0];
}

static void
columns_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node)
{
    if (node == NULL) {
        return;
    }
    uint32_t count = 0;
    const struct gf_span *const names = spans_compile(compiler, node, &count);
    const char **const columns = gf_import_compiler_take(compiler, (count + 1) * sizeof *columns);
    for (uint32_t i = 0; columns != NULL && i < count; i++) {
        columns[i] = (const char *)names[i].data;
    }
    compiler->mapping->columns = columns;
    compiler->mapping->column_count = count;
}

static void
root_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *root)
{
    static const char *const keys[] = {"format",      "delimiter", "decimal_mark",
                                       "columns",     "time_zone", "ambiguous",
                                       "nonexistent", "targets",   NULL};
    static const char *const formats[] = {"csv", "ndjson", NULL};
    struct gf_import_mapping *const mapping = compiler->mapping;
    if (!gf_import_keys_check(compiler, root, keys, "the mapping")) {
        return;
    }
    mapping->format = (enum gf_import_format)gf_import_member_choice(compiler, root, "format",
                                                                     formats, GF_IMPORT_CSV);
    mapping->delimiter = letter_get(compiler, root, "delimiter", ',');
    mapping->decimal_mark = letter_get(compiler, root, "decimal_mark", '.');
    columns_compile(compiler, gf_yaml_get(root, "columns"));
    gf_import_defaults_compile(compiler, root, &compiler->defaults);
    const struct gf_yaml_node *const targets = gf_yaml_get(root, "targets");
    if (targets == NULL || targets->kind != GF_YAML_SEQUENCE || targets->count == 0 ||
        targets->count > TARGET_COUNT_MAX) {
        gf_import_complain(compiler, targets == NULL ? root : targets,
                           "targets must be a list of 1 to %d targets", TARGET_COUNT_MAX);
        return;
    }
    struct gf_import_target *const list =
        gf_import_compiler_take(compiler, targets->count * sizeof *list);
    for (uint32_t i = 0; list != NULL && i < targets->count; i++) {
        list[i].index = i;
        target_compile(compiler, targets->items[i].value, &list[i]);
    }
    mapping->targets = list;
    mapping->target_count = list == NULL ? 0 : targets->count;
}

static enum gf_rc
mapping_compile(const struct gf_yaml *yaml, const char *path, struct gf_import_mapping *out,
                struct gf_complaints *complaints, struct gf_error *error)
{
    struct gf_import_mapping mapping = {.memory = gf_import_memory_new()};
    struct gf_import_compiler compiler = {
        .yaml = yaml, .complaints = complaints, .mapping = &mapping, .memory = mapping.memory};
    if (mapping.memory == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory for the mapping", path);
    }
    void *const constants = gf_import_compiler_take(&compiler, CONSTANTS_SIZE);
    mapping.path = gf_import_memory_text(mapping.memory, path, strlen(path));
    compiler.constants = gf_arena_of(constants, constants == NULL ? 0 : CONSTANTS_SIZE);
    compiler.defaults.zone = gf_zone_utc();
    if (constants != NULL && mapping.path != NULL) {
        root_compile(&compiler, gf_yaml_root(yaml));
    }
    enum gf_rc rc = gf_complaints_error(complaints, error);
    if (compiler.is_out_of_memory || mapping.path == NULL) {
        rc = gf_fail(error, GF_E_NO_MEMORY, "%s: no memory for the mapping", path);
    }
    if (rc != GF_OK) {
        gf_import_memory_free(mapping.memory);
        return rc;
    }
    *out = mapping;
    return GF_OK;
}

enum gf_rc
gf_import_mapping_load(const char *path, struct gf_import_mapping *out,
                       struct gf_complaints *complaints, struct gf_error *error)
{
    struct gf_yaml *yaml = NULL;
    enum gf_rc rc = gf_yaml_load(path, &yaml, complaints);
    if (rc == GF_OK) {
        rc = mapping_compile(yaml, path, out, complaints, error);
    } else if (gf_complaints_error(complaints, error) == GF_OK) {
        gf_fail(error, rc, "%s: cannot be read", path);
    }
    gf_yaml_free(yaml);
    return rc;
}

enum gf_rc
gf_import_mapping_parse(const char *name, const char *text, size_t size,
                        struct gf_import_mapping *out, struct gf_complaints *complaints,
                        struct gf_error *error)
{
    struct gf_yaml *yaml = NULL;
    enum gf_rc rc = gf_yaml_parse(name, text, size, &yaml, complaints);
    if (rc == GF_OK) {
        rc = mapping_compile(yaml, name, out, complaints, error);
    } else if (gf_complaints_error(complaints, error) == GF_OK) {
        gf_fail(error, rc, "%s: cannot be read", name);
    }
    gf_yaml_free(yaml);
    return rc;
}

void
gf_import_mapping_free(struct gf_import_mapping *mapping)
{
    gf_import_memory_free(mapping->memory);
    *mapping = (struct gf_import_mapping){.memory = NULL};
}
