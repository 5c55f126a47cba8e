#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/wire.h"
#include "io/import_build.h"
#include "model/event.h"

#define OBIS_EXPORT "1-0:2.8.0"
/* No record of ours comes near this; the struct on the stack must hold the largest. */
#define BODY_SIZE_MAX 1024

static struct gf_span
trimmed(struct gf_span text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

static struct gf_span
part_text(const struct gf_import_part *part, const struct gf_import_row *row)
{
    switch (part->kind) {
    case GF_IMPORT_PART_LITERAL:
        return part->literal;
    case GF_IMPORT_PART_EACH:
        return row->each;
    case GF_IMPORT_PART_COLUMN:
        break;
    }
    const int32_t column = row->columns[part->reference];
    return column >= 0 && (uint32_t)column < row->cell_count ? trimmed(row->cells[column])
                                                             : (struct gf_span){.size = 0};
}

enum gf_import_outcome
gf_import_text_render(const struct gf_import_text *text, const struct gf_import_row *row,
                      struct gf_span *out, struct gf_error *error)
{
    if (text->count == 1 && text->parts[0].width == 0) {
        *out = part_text(&text->parts[0], row);
        return GF_IMPORT_RECORD;
    }
    size_t size = 0;
    for (uint32_t i = 0; i < text->count; i++) {
        const struct gf_span piece = part_text(&text->parts[i], row);
        if (piece.size == 0 && text->parts[i].kind == GF_IMPORT_PART_COLUMN) {
            *out = piece;
            return GF_IMPORT_RECORD;
        }
        size += piece.size < text->parts[i].width ? text->parts[i].width : piece.size;
    }
    uint8_t *const bytes = gf_arena_take(row->arena, size);
    if (bytes == NULL) {
        return GF_IMPORT_REJECT(error, "row is too large");
    }
    uint8_t *at = bytes;
    for (uint32_t i = 0; i < text->count; i++) {
        const struct gf_span piece = part_text(&text->parts[i], row);
        const size_t padding =
            piece.size < text->parts[i].width ? text->parts[i].width - piece.size : 0;
        memset(at, '0', padding);
        if (piece.size > 0) {
            memcpy(at + padding, piece.data, piece.size);
        }
        at += padding + piece.size;
    }
    *out = gf_span_of(bytes, size);
    return GF_IMPORT_RECORD;
}

/* ---- one value ---- */

static bool
span_is(struct gf_span text, const char *word)
{
    return gf_span_equal(text, gf_span_text(word));
}

static enum gf_import_outcome
map_apply(const struct gf_import_rule *rule, struct gf_span *text, struct gf_error *error)
{
    for (uint32_t i = 0; i < rule->map_count; i++) {
        if (gf_span_equal(rule->map[i].from, *text)) {
            *text = rule->map[i].to;
            return GF_IMPORT_RECORD;
        }
    }
    if (rule->has_map_default) {
        *text = rule->map_default;
        return GF_IMPORT_RECORD;
    }
    return GF_IMPORT_REJECT(error, "\"%.*s\" is not in the map", GF_SPAN_PRINT(*text));
}

static enum gf_import_outcome
number_apply(const struct gf_import_rule *rule, struct gf_import_row *row, struct gf_span text,
             int64_t *out, struct gf_error *error)
{
    const enum gf_rc rc =
        gf_import_number_parse(&rule->number, (const char *)text.data, text.size, out);
    if (rc == GF_E_RANGE) {
        return GF_IMPORT_REJECT(error, "\"%.*s\" is too large", GF_SPAN_PRINT(text));
    }
    if (rc != GF_OK) {
        return GF_IMPORT_REJECT(error, "\"%.*s\" is not a %snumber", GF_SPAN_PRINT(text),
                                rule->number.must_be_whole ? "whole " : "");
    }
    if (*out >= 0 || rule->negative_is_allowed) {
        return GF_IMPORT_RECORD;
    }
    if (!rule->negative_is_export) {
        return GF_IMPORT_REJECT(
            error, "\"%.*s\" is negative on import: set `negative: export` where it means export",
            GF_SPAN_PRINT(text));
    }
    *out = -*out;
    row->is_export = true;
    return GF_IMPORT_RECORD;
}

static enum gf_import_outcome
double_apply(const struct gf_import_rule *rule, struct gf_span text, double *out,
             struct gf_error *error)
{
    char copy[64], *end = NULL;
    if (text.size == 0 || text.size >= sizeof copy) {
        return GF_IMPORT_REJECT(error, "\"%.*s\" is not a number", GF_SPAN_PRINT(text));
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    double value = strtod(copy, &end) * (double)rule->number.factor;
    for (int shift = rule->number.shift; shift != 0; shift += shift > 0 ? -1 : 1) {
        value = shift > 0 ? value * 10 : value / 10;
    }
    if (*end != '\0' || value - value != 0) {
        return GF_IMPORT_REJECT(error, "\"%.*s\" is not a number", GF_SPAN_PRINT(text));
    }
    *out = value;
    return GF_IMPORT_RECORD;
}

static enum gf_import_outcome
bool_apply(struct gf_span text, bool *out, struct gf_error *error)
{
    static const char *const words[][2] = {
        {"false", "true"}, {"0", "1"}, {"no", "yes"}, {"N", "Y"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        for (int value = 0; value < 2; value++) {
            if (span_is(text, words[i][value])) {
                *out = value == 1;
                return GF_IMPORT_RECORD;
            }
        }
    }
    return GF_IMPORT_REJECT(error, "\"%.*s\" is neither true nor false", GF_SPAN_PRINT(text));
}

static enum gf_import_outcome
enum_apply(const struct gf_type *type, struct gf_span text, int32_t *out, struct gf_error *error)
{
    for (uint32_t i = 0; i < type->symbol_count; i++) {
        if (span_is(text, type->symbols[i])) {
            *out = (int32_t)i;
            return GF_IMPORT_RECORD;
        }
    }
    return GF_IMPORT_REJECT(error, "\"%.*s\" is not a value of %s", GF_SPAN_PRINT(text),
                            type->name);
}

static enum gf_import_outcome
scalar_apply(const struct gf_import_rule *rule, struct gf_import_row *row, struct gf_span text,
             uint8_t *place, struct gf_error *error)
{
    const struct gf_type *const type = rule->type;
    int64_t number = 0;
    enum gf_import_outcome outcome = GF_IMPORT_RECORD;
    switch (type->kind) {
    case GF_KIND_BOOL:
        return bool_apply(text, (bool *)place, error);
    case GF_KIND_INT:
        outcome = number_apply(rule, row, text, &number, error);
        if (outcome == GF_IMPORT_RECORD && (number > INT32_MAX || number < INT32_MIN)) {
            return GF_IMPORT_REJECT(error, "\"%.*s\" is too large", GF_SPAN_PRINT(text));
        }
        *(int32_t *)place = (int32_t)number;
        return outcome;
    case GF_KIND_LONG:
        if (type->unit != NULL && strcmp(type->unit, "timestamp-micros") == 0) {
            return gf_import_time_apply(&rule->time, row, text, (struct gf_time *)place, error);
        }
        outcome = number_apply(rule, row, text, &number, error);
        *(int64_t *)place = number;
        return outcome;
    case GF_KIND_DOUBLE:
        return double_apply(rule, text, (double *)place, error);
    case GF_KIND_ENUM:
        return enum_apply(type, text, (int32_t *)place, error);
    case GF_KIND_STRING:
    case GF_KIND_BYTES:
        *(struct gf_span *)place = text;
        return GF_IMPORT_RECORD;
    case GF_KIND_FIXED:
    case GF_KIND_RECORD:
    case GF_KIND_ARRAY:
        break;
    }
    return GF_IMPORT_REJECT(error, "fields of kind %s cannot be imported", type->name);
}

/* ---- records and arrays ---- */

static enum gf_import_outcome
rules_apply(const struct gf_import_rule *rules, uint32_t count, struct gf_import_row *row,
            void *base, struct gf_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        const enum gf_import_outcome outcome = gf_import_rule_apply(&rules[i], row, base, error);
        if (outcome == GF_IMPORT_REJECTED && rules[i].name != NULL) {
            gf_fail_prefix(error, GF_E_BAD_FIELD, "%s", rules[i].name);
        }
        if (outcome != GF_IMPORT_RECORD) {
            return outcome;
        }
    }
    return GF_IMPORT_RECORD;
}

static enum gf_import_outcome
array_apply(const struct gf_import_rule *rule, struct gf_import_row *row, uint8_t *place,
            struct gf_error *error)
{
    const size_t item_size = rule->type->item->size;
    uint8_t *const items = gf_arena_take(row->arena, rule->rule_count * item_size);
    if (items == NULL) {
        return GF_IMPORT_REJECT(error, "row is too large");
    }
    memset(items, 0, rule->rule_count * item_size);
    for (uint32_t i = 0; i < rule->rule_count; i++) {
        const enum gf_import_outcome outcome =
            gf_import_rule_apply(&rule->rules[i], row, items + i * item_size, error);
        if (outcome != GF_IMPORT_RECORD) {
            return outcome;
        }
    }
    *(struct gf_array *)place = (struct gf_array){.items = items, .count = rule->rule_count};
    return GF_IMPORT_RECORD;
}

enum gf_import_outcome
gf_import_rule_apply(const struct gf_import_rule *rule, struct gf_import_row *row, void *base,
                     struct gf_error *error)
{
    uint8_t *const place = (uint8_t *)base + rule->offset;
    enum gf_import_outcome outcome = GF_IMPORT_RECORD;
    if (rule->type->kind == GF_KIND_RECORD) {
        outcome = rules_apply(rule->rules, rule->rule_count, row, place, error);
    } else if (rule->type->kind == GF_KIND_ARRAY) {
        outcome = array_apply(rule, row, place, error);
    } else {
        struct gf_span text = {.size = 0};
        outcome = gf_import_text_render(&rule->text, row, &text, error);
        if (outcome == GF_IMPORT_RECORD && text.size == 0 && rule->text.count > 0 &&
            !rule->is_constant) {
            if (rule->empty == GF_IMPORT_EMPTY_NULL) {
                return GF_IMPORT_RECORD;
            }
            return rule->empty == GF_IMPORT_EMPTY_FILTER ? GF_IMPORT_FILTERED
                                                         : GF_IMPORT_REJECT(error, "is empty");
        }
        if (outcome == GF_IMPORT_RECORD && (rule->map_count > 0 || rule->has_map_default)) {
            outcome = map_apply(rule, &text, error);
        }
        if (outcome == GF_IMPORT_RECORD) {
            outcome = scalar_apply(rule, row, text, place, error);
        }
    }
    if (outcome == GF_IMPORT_RECORD && rule->has_offset >= 0) {
        *(bool *)((uint8_t *)base + rule->has_offset) = true;
    }
    return outcome;
}

/* ---- a target ---- */

static bool
is_filtered(const struct gf_import_target *target, const struct gf_import_row *row)
{
    for (uint32_t i = 0; i < target->filter_count; i++) {
        const struct gf_import_filter *const filter = &target->filters[i];
        struct gf_span text = {.size = 0};
        if (gf_import_text_render(&filter->text, row, &text, NULL) != GF_IMPORT_RECORD) {
            continue;
        }
        bool is_met = filter->is_empty && text.size == 0;
        for (uint32_t j = 0; !is_met && j < filter->value_count; j++) {
            is_met = gf_span_equal(filter->values[j], text);
        }
        if (is_met != filter->is_negated) {
            return true;
        }
    }
    return false;
}

/* The bytes that `distinct` remembers of a key. */
static struct gf_span
distinct_mark(const struct gf_import_target *target, const struct gf_import_row *row)
{
    const uint32_t index = target->index;
    uint8_t *const bytes = gf_arena_take(row->arena, row->key.size + sizeof index);
    if (bytes == NULL) {
        return (struct gf_span){.size = 0};
    }
    memcpy(bytes, &index, sizeof index);
    memcpy(bytes + sizeof index, row->key.data, row->key.size);
    return gf_span_of(bytes, row->key.size + sizeof index);
}

enum gf_import_outcome
gf_import_target_apply(const struct gf_import_target *target, struct gf_import_row *row,
                       struct gf_span buffer, struct gf_import_built *out, struct gf_error *error)
{
    const struct gf_topic_info *const info = &gf_topics[target->topic];
    assert(info->type->size <= BODY_SIZE_MAX);
    _Alignas(16) uint8_t body[BODY_SIZE_MAX];
    struct gf_span mark = {.size = 0};
    if (target->filter_count > 0 && is_filtered(target, row)) {
        return GF_IMPORT_FILTERED;
    }
    enum gf_import_outcome outcome = gf_import_text_render(&target->key, row, &row->key, error);
    if (outcome == GF_IMPORT_RECORD && row->key.size == 0) {
        outcome = GF_IMPORT_REJECT(error, "key: a column in it is empty");
    }
    if (outcome != GF_IMPORT_RECORD) {
        return outcome;
    }
    if (target->is_distinct) {
        mark = distinct_mark(target, row);
        if (mark.size > 0 && gf_import_seen_has(row->seen, mark.data, mark.size)) {
            return GF_IMPORT_REPEATED;
        }
    }
    memcpy(body, target->prototype, info->type->size);
    row->is_export = false;
    if ((outcome = rules_apply(target->rules, target->rule_count, row, body, error)) !=
        GF_IMPORT_RECORD) {
        return outcome;
    }
    if (row->is_export && target->topic == GF_TOPIC_METER_READINGS) {
        ((struct gf_meter_reading *)body)->obis = gf_span_text(OBIS_EXPORT);
    }
    if (gf_event_time(target->topic, body, &out->time, error) != GF_OK) {
        return GF_IMPORT_REJECTED;
    }
    struct gf_writer writer = gf_writer_of((void *)(uintptr_t)buffer.data, buffer.size);
    info->encode(&writer, body);
    bool is_new = true;
    if (writer.overflowed || (target->is_distinct && mark.size == 0)) {
        return GF_IMPORT_REJECT(error, "row is too large");
    }
    if (target->is_distinct &&
        gf_import_seen_add(row->seen, mark.data, mark.size, &is_new) != GF_OK) {
        return GF_IMPORT_REJECT(error, "no memory to remember keys");
    }
    out->key = row->key;
    out->value = gf_span_of(buffer.data, gf_writer_size(&writer));
    return GF_IMPORT_RECORD;
}
