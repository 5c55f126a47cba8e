/* Rules: one field each, from its YAML to something that fills a struct. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "io/import_build.h"
#include "io/import_compile.h"

static void rule_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                         struct gf_import_rule *rule);

static bool
type_is_time(const struct gf_type *type)
{
    return type->unit != NULL && strcmp(type->unit, "timestamp-micros") == 0;
}

static bool
type_is_number(const struct gf_type *type)
{
    return (type->kind == GF_KIND_INT || type->kind == GF_KIND_LONG ||
            type->kind == GF_KIND_DOUBLE) &&
           !type_is_time(type);
}

/* Energy, prices and money come in so many units that leaving it out would be a guess. */
static bool
unit_is_needed(const struct gf_type *type)
{
    return type->unit != NULL && (type->kind == GF_KIND_LONG) &&
           (strcmp(type->unit, "kWh") == 0 || strncmp(type->unit, "currency", 8) == 0);
}

static void
unit_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node, const char *unit,
             struct gf_import_rule *rule)
{
    const char *const choice = gf_import_unit_choice(rule->type);
    char currency[GF_IMPORT_CURRENCY_SIZE] = "";
    if (unit == NULL) {
        if (unit_is_needed(rule->type)) {
            gf_import_complain(compiler, node, "%s needs a unit: %s", rule->name, choice);
        }
        return;
    }
    if (choice == NULL) {
        gf_import_complain(compiler, node, "%s has no unit", rule->name);
        return;
    }
    if (gf_import_unit_apply(rule->type, unit, &rule->number, currency) != GF_OK) {
        gf_import_complain(compiler, node, "%s: unit \"%s\" is none of %s", rule->name, unit,
                           choice);
        return;
    }
    if (currency[0] != '\0' && compiler->currency_count < GF_IMPORT_CURRENCY_COUNT_MAX) {
        memcpy(compiler->currencies[compiler->currency_count].code, currency, sizeof currency);
        compiler->currencies[compiler->currency_count++].node = node;
    }
}

static void
number_init(const struct gf_import_compiler *compiler, struct gf_import_rule *rule)
{
    const struct gf_type *const type = rule->type;
    rule->number = (struct gf_import_number){
        .factor = 1,
        .shift = type->kind == GF_KIND_DOUBLE ? 0 : type->scale,
        .decimal_mark = compiler->mapping->decimal_mark,
        .must_be_whole = type->unit == NULL && type->kind != GF_KIND_DOUBLE,
    };
    /* Energy below zero is not import; everything else may be negative where it likes. */
    rule->negative_is_allowed = type->unit == NULL || strcmp(type->unit, "kWh") != 0;
}

/* Evaluates what has nothing of a row in it, so that errors show now. */
static void
constant_check(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
               const struct gf_import_rule *rule)
{
    _Alignas(16) uint8_t scratch[64] = {0};
    struct gf_import_rule probe = *rule;
    struct gf_error error = {.text = ""};
    struct gf_import_row row = {.arena = &compiler->constants};
    probe.offset = 0;
    probe.has_offset = -1;
    assert(rule->type->size <= sizeof scratch);
    if (gf_import_rule_apply(&probe, &row, scratch, &error) == GF_IMPORT_REJECTED) {
        gf_import_complain(compiler, node, "%s: %s", rule->name, error.text);
        if (rule->type->kind == GF_KIND_ENUM && node->kind == GF_YAML_SCALAR) {
            struct gf_suggestion suggestion = {.wrong = node->text};
            for (uint32_t i = 0; i < rule->type->symbol_count; i++) {
                gf_suggestion_offer(&suggestion, rule->type->symbols[i]);
            }
            gf_complain_help(compiler->complaints, "did you mean \"%s\"?",
                             suggestion.best != NULL ? suggestion.best : rule->type->symbols[1]);
        }
    }
}

/* A scalar stands for a text with columns in it; a constant amount has its unit behind it: "0.001
 * kWh". */
static void
scalar_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
               struct gf_import_rule *rule)
{
    const char *const space = type_is_number(rule->type) ? strrchr(node->text, ' ') : NULL;
    rule->time = (struct gf_import_time){.zone = gf_zone_utc(), .format = GF_IMPORT_TIME_RFC3339};
    if (type_is_number(rule->type)) {
        unit_compile(compiler, node, space == NULL ? NULL : space + 1, rule);
        rule->number.decimal_mark = '.';
    }
    char *const text = gf_import_memory_text(
        compiler->memory, node->text, space == NULL ? node->size : (size_t)(space - node->text));
    if (text == NULL) {
        compiler->is_out_of_memory = true;
        return;
    }
    gf_import_text_compile(compiler, node, text, &rule->text);
    rule->is_constant = gf_import_text_is_constant(&rule->text);
    if (rule->is_constant && rule->name != NULL) {
        constant_check(compiler, node, rule);
    }
}

static struct gf_span
span_keep(struct gf_import_compiler *compiler, const char *text)
{
    const char *const copy = gf_import_memory_text(compiler->memory, text, strlen(text));
    compiler->is_out_of_memory |= copy == NULL;
    return gf_span_of(copy, copy == NULL ? 0 : strlen(text));
}

static void
map_symbol_check(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                 const struct gf_type *type)
{
    for (uint32_t i = 0; i < type->symbol_count; i++) {
        if (strcmp(type->symbols[i], node->text) == 0) {
            return;
        }
    }
    if (type->kind == GF_KIND_ENUM) {
        gf_import_complain(compiler, node, "\"%s\" is not a value of %s", node->text, type->name);
    }
}

/* map: {"48": ACTUAL, default: ESTIMATED} */
static void
map_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *map,
            struct gf_import_rule *rule)
{
    if (map->kind != GF_YAML_MAPPING || map->count == 0) {
        gf_import_complain(
            compiler, map,
            "map must be a mapping of texts, such as {\"1\": ACTUAL, default: ESTIMATED}");
        return;
    }
    struct gf_import_pair *const pairs =
        gf_import_compiler_take(compiler, map->count * sizeof *pairs);
    for (uint32_t i = 0; pairs != NULL && i < map->count; i++) {
        const struct gf_yaml_node *const value = map->items[i].value;
        if (value->kind != GF_YAML_SCALAR) {
            gf_import_complain(compiler, value, "map: must be a value");
            continue;
        }
        map_symbol_check(compiler, value, rule->type);
        if (strcmp(map->items[i].key, "default") == 0) {
            rule->has_map_default = true;
            rule->map_default = span_keep(compiler, value->text);
        } else {
            pairs[rule->map_count++] = (struct gf_import_pair){
                span_keep(compiler, map->items[i].key), span_keep(compiler, value->text)};
        }
    }
    rule->map = pairs;
}

static void
source_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
               struct gf_import_rule *rule)
{
    const char *const column = gf_import_member_text(compiler, node, "column");
    const struct gf_yaml_node *const value = gf_yaml_get(node, "value");
    const bool has_row = type_is_time(rule->type) && gf_yaml_get(node, "row") != NULL;
    if ((column != NULL) + (value != NULL) + has_row != 1) {
        gf_import_complain(compiler, node, "%s needs exactly one of: column, value%s", rule->name,
                           type_is_time(rule->type) ? ", row" : "");
        return;
    }
    if (column != NULL) {
        gf_import_column_compile(compiler, gf_yaml_get(node, "column"), column, &rule->text);
    } else if (value != NULL && value->kind == GF_YAML_SCALAR) {
        gf_import_text_compile(compiler, value, value->text, &rule->text);
        rule->is_constant = gf_import_text_is_constant(&rule->text);
    } else if (value != NULL) {
        gf_import_complain(compiler, value, "value must be a text");
    }
}

/* {column: kwh, unit: Wh, …} */
static void
detailed_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                 struct gf_import_rule *rule)
{
    static const char *const text_keys[] = {"column", "value", "empty", "map", NULL};
    static const char *const number_keys[] = {"column", "value", "empty",    "map",
                                              "unit",   "scale", "negative", NULL};
    static const char *const time_keys[] = {"column", "value", "empty", GF_IMPORT_TIME_KEYS, NULL};
    static const char *const empties[] = {"reject", "filter", "null", NULL};
    static const char *const negatives[] = {"reject", "export", "allow", NULL};
    const bool is_time = type_is_time(rule->type), is_number = type_is_number(rule->type);
    gf_import_keys_check(compiler, node,
                         is_time     ? time_keys
                         : is_number ? number_keys
                                     : text_keys,
                         rule->name);
    source_compile(compiler, node, rule);
    const bool is_nullable = rule->has_offset >= 0;
    rule->empty = (enum gf_import_empty)gf_import_member_choice(
        compiler, node, "empty", empties,
        is_nullable ? GF_IMPORT_EMPTY_NULL : GF_IMPORT_EMPTY_REJECT);
    if (rule->empty == GF_IMPORT_EMPTY_NULL && !is_nullable) {
        gf_import_complain(compiler, gf_yaml_get(node, "empty"), "%s cannot be null", rule->name);
    }
    if (!is_time && gf_yaml_get(node, "map") != NULL) {
        map_compile(compiler, gf_yaml_get(node, "map"), rule);
    }
    if (is_time) {
        gf_import_time_compile(compiler, node, &rule->time);
    }
    if (is_number) {
        const struct gf_yaml_node *const unit = gf_yaml_get(node, "unit");
        const char *const scale = gf_import_member_text(compiler, node, "scale");
        unit_compile(compiler, unit != NULL ? unit : node,
                     gf_import_member_text(compiler, node, "unit"), rule);
        if (scale != NULL && gf_import_number_scale(&rule->number, scale, strlen(scale)) != GF_OK) {
            gf_import_complain(compiler, gf_yaml_get(node, "scale"),
                               "\"%s\" is not a positive decimal", scale);
        }
        const int negative = gf_import_member_choice(compiler, node, "negative", negatives,
                                                     rule->negative_is_allowed ? 2 : 0);
        rule->negative_is_export = negative == 1;
        rule->negative_is_allowed = negative == 2;
    }
    if (rule->is_constant && rule->name != NULL) {
        constant_check(compiler, node, rule);
    }
}

static void
array_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
              struct gf_import_rule *rule)
{
    if (node->kind != GF_YAML_SEQUENCE) {
        gf_import_complain(compiler, node, "%s must be a list", rule->name);
        return;
    }
    struct gf_import_rule *const items =
        gf_import_compiler_take(compiler, (node->count + 1) * sizeof *items);
    rule->is_constant = true;
    for (uint32_t i = 0; items != NULL && i < node->count; i++) {
        items[i] =
            (struct gf_import_rule){.name = rule->name, .type = rule->type->item, .has_offset = -1};
        rule_compile(compiler, node->items[i].value, &items[i]);
        rule->is_constant &= items[i].is_constant;
    }
    rule->rules = items;
    rule->rule_count = items == NULL ? 0 : node->count;
}

static void
rule_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
             struct gf_import_rule *rule)
{
    number_init(compiler, rule);
    if (rule->type->kind == GF_KIND_ARRAY) {
        array_compile(compiler, node, rule);
    } else if (rule->type->kind == GF_KIND_RECORD) {
        gf_import_rules_compile(compiler, node, rule->type, &rule->rules, &rule->rule_count);
        rule->is_constant = true;
        for (uint32_t i = 0; i < rule->rule_count; i++) {
            rule->is_constant &= rule->rules[i].is_constant;
        }
    } else if (node->kind == GF_YAML_MAPPING) {
        detailed_compile(compiler, node, rule);
    } else if (node->kind == GF_YAML_SCALAR) {
        scalar_compile(compiler, node, rule);
    } else {
        gf_import_complain(compiler, node, "%s must be a value, or a mapping with `column`",
                           rule->name);
    }
}

static const struct gf_field *
field_find(struct gf_import_compiler *compiler, const struct gf_type *type,
           const struct gf_yaml_item *item)
{
    struct gf_suggestion suggestion = {.wrong = item->key};
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (strcmp(type->fields[i].name, item->key) == 0) {
            return &type->fields[i];
        }
        gf_suggestion_offer(&suggestion, type->fields[i].name);
    }
    gf_complain(compiler->complaints, gf_yaml_place_at(compiler->yaml, item->line, item->column),
                "%s has no field \"%s\"", type->name, item->key);
    if (suggestion.best != NULL) {
        gf_complain_help(compiler->complaints, "did you mean \"%s\"?", suggestion.best);
    }
    return NULL;
}

void
gf_import_rules_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                        const struct gf_type *type, const struct gf_import_rule **rules_out,
                        uint32_t *count_out)
{
    assert(type->kind == GF_KIND_RECORD);
    if (node->kind != GF_YAML_MAPPING) {
        gf_import_complain(compiler, node, "%s must be a mapping of its fields", type->name);
        return;
    }
    struct gf_import_rule *const rules =
        gf_import_compiler_take(compiler, (node->count + 1) * sizeof *rules);
    uint32_t count = 0;
    for (uint32_t i = 0; rules != NULL && i < node->count; i++) {
        const struct gf_yaml_item *const item = &node->items[i];
        const struct gf_field *const field = field_find(compiler, type, item);
        if (field == NULL || (field->has_offset >= 0 && gf_yaml_is_null(item->value))) {
            continue;
        }
        rules[count] = (struct gf_import_rule){.name = field->name,
                                               .type = field->type,
                                               .offset = field->offset,
                                               .has_offset = field->has_offset};
        rule_compile(compiler, item->value, &rules[count++]);
    }
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct gf_field *const field = &type->fields[i];
        if (!field->has_default && field->has_offset < 0 &&
            gf_yaml_get(node, field->name) == NULL) {
            gf_import_complain(compiler, node, "%s needs the field \"%s\"", type->name,
                               field->name);
            gf_complain_help(compiler->complaints, "%s", field->doc);
        }
    }
    *rules_out = rules;
    *count_out = count;
}
