#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "plan_random.h"

struct gf_random plan_draws = {.seed = PLAN_SEED};
static uint32_t extra_count;
bool plan_is_simple;

uint32_t
plan_below(uint32_t limit)
{
    return (uint32_t)(gf_random_next(&plan_draws) % limit);
}

static void
shuffle(json_t *array)
{
    for (size_t left = json_array_size(array); left > 1; left--) {
        json_t *moved = json_incref(json_array_get(array, plan_below((uint32_t)left)));
        for (size_t at = 0; at < json_array_size(array); at++) {
            if (json_array_get(array, at) == moved) {
                json_array_remove(array, at);
                break;
            }
        }
        json_array_append_new(array, moved);
    }
}

static json_t *
extra_type(void)
{
    static const char *const types[] = {
        "\"null\"",
        "\"boolean\"",
        "\"int\"",
        "\"long\"",
        "\"float\"",
        "\"double\"",
        "\"string\"",
        "\"bytes\"",
        "{\"type\":\"map\",\"values\":[\"null\",\"string\"]}",
        "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":\"int\"}}",
        ("{\"type\":\"record\",\"name\":\"Extra%u\",\"fields\":[{\"name\":\"a\",\"type\":\"float\"}"
         ","
         "{\"name\":\"b\",\"type\":[\"long\",\"null\",{\"type\":\"map\",\"values\":\"boolean\"}]}]"
         "}"),
        "{\"type\":\"enum\",\"name\":\"Extra%u\",\"symbols\":[\"A\",\"B\"]}",
        "{\"type\":\"fixed\",\"name\":\"Extra%u\",\"size\":5}",
    };
    char text[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
    snprintf(text, sizeof(text), types[plan_below(sizeof(types) / sizeof(types[0]))],
             extra_count++);
#pragma GCC diagnostic pop
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

static json_t *changed(const json_t *type, bool may_move, bool is_branch);

json_t *
plan_changed_record(const json_t *type, bool may_move)
{
    json_t *fields = json_array();
    const json_t *field = NULL;
    size_t index = 0;
    json_array_foreach(json_object_get(type, "fields"), index, field)
    {
        if (may_move && !plan_is_simple && json_object_get(field, "default") != NULL &&
            plan_below(5) == 0) {
            continue;
        }
        json_array_append_new(
            fields, json_pack("{s:O, s:o}", "name", json_object_get(field, "name"), "type",
                              changed(json_object_get(field, "type"), may_move, false)));
        if (plan_below(6) == 0) {
            char name[32];
            snprintf(name, sizeof(name), "extra_%u", extra_count++);
            json_array_append_new(fields,
                                  json_pack("{s:s, s:o}", "name", name, "type", extra_type()));
        }
    }
    if (may_move && plan_below(2) == 0) {
        shuffle(fields);
    }
    json_t *out = json_copy((json_t *)type);
    json_object_set_new(out, "fields", fields);
    return out;
}

static json_t *
changed_enum(const json_t *type)
{
    if (plan_is_simple) {
        return json_copy((json_t *)type);
    }
    json_t *symbols = json_copy(json_object_get(type, "symbols"));
    shuffle(symbols);
    if (json_array_size(symbols) > 1 && plan_below(2) == 0) {
        json_array_remove(symbols, 0);
    }
    json_array_insert_new(symbols, plan_below((uint32_t)json_array_size(symbols)),
                          json_string("NEWER"));
    json_t *out = json_copy((json_t *)type);
    json_object_del(out, "default");
    json_object_set_new(out, "symbols", symbols);
    return out;
}

static json_t *
changed_union(const json_t *type, bool may_move)
{
    json_t *value = changed(json_array_get(type, 1), may_move, true);
    switch (plan_below(4)) {
    case 0:
        return value;
    case 1:
        return json_pack("[o, s]", value, "null");
    case 2:
        return json_pack("[s, s, o]", "boolean", "null", value);
    default:
        return json_pack("[s, o]", "null", value);
    }
}

static const char *
narrower(const char *name)
{
    static const char *const of_double[] = {"int", "long", "float", "double"};
    if (strcmp(name, "double") == 0) {
        return of_double[plan_below(4)];
    }
    if (strcmp(name, "long") == 0) {
        return plan_below(2) == 0 ? "int" : "long";
    }
    if (!plan_is_simple && (strcmp(name, "string") == 0 || strcmp(name, "bytes") == 0)) {
        return plan_below(2) == 0 ? "bytes" : "string";
    }
    return name;
}

/* A type that ours can be read from. */
static json_t *
changed(const json_t *type, bool may_move, bool is_branch)
{
    json_t *out = NULL;
    if (json_is_array(type)) {
        return changed_union(type, may_move);
    }
    if (json_is_string(type)) {
        out = json_string(narrower(json_string_value(type)));
    } else {
        const char *name = json_string_value(json_object_get(type, "type"));
        if (strcmp(name, "record") == 0) {
            out = plan_changed_record(type, may_move);
        } else if (strcmp(name, "enum") == 0) {
            out = changed_enum(type);
        } else {
            out = json_copy((json_t *)type);
            if (strcmp(name, "array") == 0) {
                json_object_set_new(out, "items",
                                    changed(json_object_get(type, "items"), may_move, false));
            } else {
                json_object_set_new(out, "type", json_string(narrower(name)));
            }
        }
    }
    return !is_branch && plan_below(10) == 0 ? json_pack("[o, s]", out, "null") : out;
}

static void
fill_text(avro_value_t *value, bool is_bytes)
{
    char text[24];
    const uint32_t size = plan_below(20);
    for (uint32_t index = 0; index < size; index++) {
        text[index] = (char)('a' + plan_below(26));
    }
    text[size] = '\0';
    assert_int_equal(is_bytes ? avro_value_set_bytes(value, text, size)
                              : avro_value_set_string_len(value, text, size + 1),
                     0);
}

void
plan_fill(avro_value_t *value)
{
    avro_value_t child;
    size_t count = 0;
    char key[16];
    uint8_t fixed[64] = {0};
    const uint64_t draw = gf_random_next(&plan_draws) >> plan_below(64);
    switch (avro_value_get_type(value)) {
    case AVRO_BOOLEAN:
        avro_value_set_boolean(value, plan_below(2) == 1);
        break;
    case AVRO_INT32:
        avro_value_set_int(value, (int32_t)draw);
        break;
    case AVRO_INT64:
        avro_value_set_long(value, (int64_t)draw);
        break;
    case AVRO_FLOAT:
        avro_value_set_float(value, (float)gf_random_next_unit(&plan_draws));
        break;
    case AVRO_DOUBLE:
        avro_value_set_double(value, gf_random_next_unit(&plan_draws));
        break;
    case AVRO_STRING:
        fill_text(value, false);
        break;
    case AVRO_BYTES:
        fill_text(value, true);
        break;
    case AVRO_FIXED:
        fixed[0] = (uint8_t)draw;
        avro_value_set_fixed(value, fixed,
                             (size_t)avro_schema_fixed_size(avro_value_get_schema(value)));
        break;
    case AVRO_ENUM:
        count = (size_t)avro_schema_enum_number_of_symbols(avro_value_get_schema(value));
        avro_value_set_enum(value, (int)plan_below((uint32_t)count));
        break;
    case AVRO_RECORD:
        avro_value_get_size(value, &count);
        for (size_t index = 0; index < count; index++) {
            avro_value_get_by_index(value, index, &child, NULL);
            plan_fill(&child);
        }
        break;
    case AVRO_ARRAY:
    case AVRO_MAP:
        for (uint32_t index = plan_below(4); index > 0; index--) {
            snprintf(key, sizeof(key), "key%u", index);
            if (avro_value_get_type(value) == AVRO_ARRAY) {
                avro_value_append(value, &child, NULL);
            } else {
                avro_value_add(value, key, &child, NULL, NULL);
            }
            plan_fill(&child);
        }
        break;
    case AVRO_UNION:
        count = avro_schema_union_size(avro_value_get_schema(value));
        avro_value_set_branch(value, (int)plan_below((uint32_t)count), &child);
        plan_fill(&child);
        break;
    default:
        avro_value_set_null(value);
    }
}
