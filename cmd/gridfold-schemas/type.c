#include <stdio.h>
#include <string.h>

#include "schema.h"
#include "text.h"

/* What reading one file needs at every depth. */
struct reading {
    struct model *model;
    uint32_t name_count; /* names this file has defined so far: Avro allows only those to be
                            referred to */
    const struct type *names[SCHEMA_TYPE_COUNT_MAX];
    uint32_t open_count; /* records around the place we are at */
    const char *open[16];
    struct gf_error *error;
};

static enum gf_rc type_read(struct reading *reading, const json_t *json, const struct place *place,
                            const struct type **out);

static const struct {
    const char *name;
    enum gf_kind kind;
} primitives[] = {
    {"boolean", GF_KIND_BOOL},  {"int", GF_KIND_INT},       {"long", GF_KIND_LONG},
    {"double", GF_KIND_DOUBLE}, {"string", GF_KIND_STRING}, {"bytes", GF_KIND_BYTES},
};

static bool
text_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Parts are interned already, so they are the same where their pointers are. */
static bool
type_same(const struct type *a, const struct type *b)
{
    bool same = a->kind == b->kind && text_same(a->name, b->name) && text_same(a->doc, b->doc) &&
                a->size == b->size && a->field_count == b->field_count &&
                a->symbol_count == b->symbol_count && a->item == b->item &&
                text_same(a->unit, b->unit) && a->scale == b->scale;
    for (uint32_t i = 0; same && i < a->symbol_count; i++) {
        same = text_same(a->symbols[i], b->symbols[i]);
    }
    for (uint32_t i = 0; same && i < a->field_count; i++) {
        const struct field *const x = &a->fields[i], *const y = &b->fields[i];
        same = text_same(x->name, y->name) && text_same(x->doc, y->doc) && x->type == y->type &&
               x->is_nullable == y->is_nullable && x->has_default == y->has_default &&
               x->alias_count == y->alias_count;
        for (uint32_t j = 0; same && j < x->alias_count; j++) {
            same = text_same(x->aliases[j], y->aliases[j]);
        }
    }
    return same;
}

static enum gf_rc
type_intern(struct reading *reading, struct type *type, const struct place *place,
            const struct type **out)
{
    struct model *const model = reading->model;
    for (uint32_t i = 0; i < model->type_count; i++) {
        if (strcmp(model->types[i]->id, type->id) != 0) {
            continue;
        }
        if (!type_same(model->types[i], type)) {
            return place_fail(place, reading->error,
                              "\"%s\" differs from the type of that name elsewhere", type->name);
        }
        *out = model->types[i];
        return GF_OK;
    }
    if (model->type_count == SCHEMA_TYPE_COUNT_MAX) {
        return place_fail(place, reading->error, "more than %d types", SCHEMA_TYPE_COUNT_MAX);
    }
    model->types[model->type_count++] = type;
    *out = type;
    return GF_OK;
}

/* An attribute that nobody reads is a mistake in writing, and would be lost silently. */
static enum gf_rc
attributes_check(struct reading *reading, const json_t *json, const struct place *place,
                 const char *const *known)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)json, name, value)
    {
        bool is_known = false;
        for (uint32_t i = 0; known[i] != NULL && !is_known; i++) {
            is_known = strcmp(known[i], name) == 0;
        }
        if (!is_known) {
            return place_fail(place, reading->error, "attribute \"%s\" is not supported here",
                              name);
        }
    }
    return GF_OK;
}

static bool
name_is_valid(const char *name)
{
    static const char *const taken[] = {
        "auto",     "bool",    "break",  "case",     "char",   "const",    "continue",
        "default",  "do",      "double", "else",     "enum",   "extern",   "float",
        "for",      "goto",    "if",     "inline",   "int",    "long",     "register",
        "restrict", "return",  "short",  "signed",   "sizeof", "static",   "struct",
        "switch",   "typedef", "union",  "unsigned", "void",   "volatile", "while"};
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    if (name == NULL || name[0] == '\0' || strchr(letters, name[0]) == NULL ||
        strspn(name, rest) != strlen(name)) {
        return false;
    }
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        if (strcmp(taken[i], name) == 0) {
            return false;
        }
    }
    return true;
}

static enum gf_rc
doc_read(struct reading *reading, const json_t *json, const struct place *place, const char **out)
{
    const char *const doc = json_string_value(json_object_get(json, "doc"));
    if (doc == NULL || doc[0] == '\0') {
        return place_fail(place, reading->error, "\"doc\" is missing");
    }
    if (strstr(doc, "*/") != NULL || strpbrk(doc, "\n\r") != NULL || strlen(doc) > 1000) {
        return place_fail(place, reading->error,
                          "\"doc\" must be one line without \"*/\", up to 1000 bytes");
    }
    *out = keep_text("%s", doc);
    return GF_OK;
}

static enum gf_rc
named_start(struct reading *reading, const json_t *json, const struct place *place,
            struct type *type)
{
    const char *const name = json_string_value(json_object_get(json, "name"));
    if (!name_is_valid(name)) {
        return place_fail(place, reading->error, "\"name\" is missing or not a name C can use");
    }
    for (uint32_t i = 0; i < reading->name_count; i++) {
        if (strcmp(reading->names[i]->name, name) == 0) {
            return place_fail(place, reading->error,
                              "\"%s\" is defined twice in this file: refer to it by name", name);
        }
    }
    type->name = keep_text("%s", name);
    type->id = text_snake(name);
    return GF_OK;
}

static enum gf_rc
named_finish(struct reading *reading, struct type *type, const struct place *place,
             const struct type **out)
{
    const enum gf_rc rc = type_intern(reading, type, place, out);
    if (rc != GF_OK) {
        return rc;
    }
    if (reading->name_count == SCHEMA_TYPE_COUNT_MAX) {
        return place_fail(place, reading->error, "more than %d names", SCHEMA_TYPE_COUNT_MAX);
    }
    reading->names[reading->name_count++] = *out;
    return GF_OK;
}

static enum gf_rc
reference_read(struct reading *reading, const char *name, const struct place *place,
               const struct type **out)
{
    const char *const prefix = SCHEMA_NAMESPACE ".";
    const char *const bare =
        strncmp(name, prefix, strlen(prefix)) == 0 ? name + strlen(prefix) : name;
    for (uint32_t i = 0; i < reading->name_count; i++) {
        if (strcmp(reading->names[i]->name, bare) == 0) {
            *out = reading->names[i];
            return GF_OK;
        }
    }
    for (uint32_t i = 0; i < reading->open_count; i++) {
        if (strcmp(reading->open[i], bare) == 0) {
            return place_fail(place, reading->error,
                              "\"%s\" contains itself: recursion is not supported", name);
        }
    }
    return place_fail(place, reading->error,
                      "\"%s\" is neither a type we support nor a name defined before in this file",
                      name);
}

/* A primitive, plain or with its attributes. */
static enum gf_rc
primitive_read(struct reading *reading, enum gf_kind kind, const char *name, const json_t *json,
               const struct place *place, const struct type **out)
{
    static const char *const known[] = {"type", "logicalType", "unit", "scale", NULL};
    struct type *const type = keep(sizeof *type);
    *type = (struct type){.kind = kind, .name = name, .id = name};
    if (json == NULL) {
        return type_intern(reading, type, place, out);
    }
    enum gf_rc rc = attributes_check(reading, json, place, known);
    if (rc != GF_OK) {
        return rc;
    }
    const json_t *const logical = json_object_get(json, "logicalType"), *const unit =
                                                                            json_object_get(json,
                                                                                            "unit");
    const json_t *const scale = json_object_get(json, "scale");
    if (logical != NULL) {
        if (kind != GF_KIND_LONG || !text_same(json_string_value(logical), "timestamp-micros") ||
            unit != NULL || scale != NULL) {
            return place_fail(place, reading->error,
                              "only a long of logicalType \"timestamp-micros\" is supported");
        }
        type->unit = "timestamp-micros";
        type->scale = 6;
        type->id = "time";
        return type_intern(reading, type, place, out);
    }
    if (unit != NULL && (json_string_length(unit) == 0 || kind == GF_KIND_STRING ||
                         kind == GF_KIND_BYTES || kind == GF_KIND_BOOL)) {
        return place_fail(place, reading->error, "\"unit\" must be a text, of a number");
    }
    if (scale != NULL && (unit == NULL || kind == GF_KIND_DOUBLE || !json_is_integer(scale) ||
                          json_integer_value(scale) < 0 || json_integer_value(scale) > 18)) {
        return place_fail(place, reading->error,
                          "\"scale\" must be a number from 0 to 18, of an integer with a \"unit\"");
    }
    if (unit != NULL) {
        type->unit = keep_text("%s", json_string_value(unit));
        type->scale = (int)json_integer_value(scale);
        type->id = keep_text("%s_%s%s", name, text_snake(type->unit),
                             scale == NULL ? "" : keep_text("_%d", type->scale));
    }
    int scale_of_unit = 0;
    if (kind == GF_KIND_LONG && unit != NULL && unit_scale(type->unit, &scale_of_unit) &&
        scale_of_unit != type->scale) {
        return place_fail(place, reading->error, "unit \"%s\" has scale %d", type->unit,
                          scale_of_unit);
    }
    return type_intern(reading, type, place, out);
}

static enum gf_rc
enum_read(struct reading *reading, const json_t *json, const struct place *place,
          const struct type **out)
{
    static const char *const known[] = {"type", "name", "doc", "symbols", "default", NULL};
    struct type *const type = keep(sizeof *type);
    type->kind = GF_KIND_ENUM;
    enum gf_rc rc = attributes_check(reading, json, place, known);
    rc = rc == GF_OK ? named_start(reading, json, place, type) : rc;
    rc = rc == GF_OK ? doc_read(reading, json, place, &type->doc) : rc;
    if (rc != GF_OK) {
        return rc;
    }
    const json_t *const symbols = json_object_get(json, "symbols");
    type->symbol_count = (uint32_t)json_array_size(symbols);
    type->symbols = keep((type->symbol_count + 1) * sizeof *type->symbols);
    for (uint32_t i = 0; i < type->symbol_count; i++) {
        const char *const symbol = json_string_value(json_array_get(symbols, i));
        if (!name_is_valid(symbol) || strcmp(text_upper_snake(symbol), symbol) != 0 ||
            strcmp(symbol, "COUNT") == 0) {
            return place_fail(place, reading->error,
                              "symbols[%u] must be a name in capitals, and not COUNT", i);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(type->symbols[j], symbol) == 0) {
                return place_fail(place, reading->error, "symbol \"%s\" is there twice", symbol);
            }
        }
        type->symbols[i] = keep_text("%s", symbol);
    }
    if (type->symbol_count == 0 || strcmp(type->symbols[0], "UNKNOWN") != 0 ||
        !text_same(json_string_value(json_object_get(json, "default")), "UNKNOWN")) {
        return place_fail(place, reading->error,
                          "an enum starts with the symbol UNKNOWN and has it as its default");
    }
    return named_finish(reading, type, place, out);
}

static enum gf_rc
fixed_read(struct reading *reading, const json_t *json, const struct place *place,
           const struct type **out)
{
    static const char *const known[] = {"type", "name", "doc", "size", NULL};
    struct type *const type = keep(sizeof *type);
    type->kind = GF_KIND_FIXED;
    enum gf_rc rc = attributes_check(reading, json, place, known);
    rc = rc == GF_OK ? named_start(reading, json, place, type) : rc;
    if (rc != GF_OK) {
        return rc;
    }
    const json_int_t size = json_integer_value(json_object_get(json, "size"));
    if (size < 1 || size > 4096) {
        return place_fail(place, reading->error, "\"size\" must be a number from 1 to 4096");
    }
    type->size = (uint32_t)size;
    return named_finish(reading, type, place, out);
}

static enum gf_rc
array_read(struct reading *reading, const json_t *json, const struct place *place,
           const struct type **out)
{
    static const char *const known[] = {"type", "items", NULL};
    struct type *const type = keep(sizeof *type);
    type->kind = GF_KIND_ARRAY;
    type->name = "array";
    enum gf_rc rc = attributes_check(reading, json, place, known);
    const struct place inner = place_in(place, "items");
    const json_t *const items = json_object_get(json, "items");
    rc = rc == GF_OK ? type_read(reading, items, &inner, &type->item) : rc;
    if (rc != GF_OK) {
        return rc;
    }
    if (type_c_name(type->item) == NULL) {
        return place_fail(&inner, reading->error,
                          "an array of arrays or of fixeds is not supported");
    }
    type->id = keep_text("array_of_%s", type->item->id);
    return type_intern(reading, type, place, out);
}

/* Only the zero of a type is allowed as its default: cleared memory then is the default. */
static bool
default_is_zero(const struct field *field, const json_t *value)
{
    if (field->is_nullable) {
        return json_is_null(value);
    }
    return (field->type->kind == GF_KIND_ARRAY && json_is_array(value) &&
            json_array_size(value) == 0) ||
           (field->type->kind == GF_KIND_BOOL && json_is_false(value)) ||
           (field->type->kind == GF_KIND_ENUM && text_same(json_string_value(value), "UNKNOWN"));
}

static enum gf_rc
aliases_read(struct reading *reading, const json_t *json, const struct place *place,
             struct field *field)
{
    const json_t *const aliases = json_object_get(json, "aliases");
    field->alias_count = (uint32_t)json_array_size(aliases);
    field->aliases = keep((field->alias_count + 1) * sizeof *field->aliases);
    if (aliases != NULL && field->alias_count == 0) {
        return place_fail(place, reading->error, "\"aliases\" must be a list of names");
    }
    for (uint32_t i = 0; i < field->alias_count; i++) {
        const char *const alias = json_string_value(json_array_get(aliases, i));
        if (alias == NULL) {
            return place_fail(place, reading->error, "aliases[%u] must be a name", i);
        }
        field->aliases[i] = keep_text("%s", alias);
    }
    return GF_OK;
}

static enum gf_rc
field_read(struct reading *reading, const json_t *json, const struct place *place,
           struct field *field)
{
    static const char *const known[] = {"name", "doc", "type", "default", "aliases", NULL};
    if (!json_is_object(json)) {
        return place_fail(place, reading->error, "a field must be an object");
    }
    enum gf_rc rc = attributes_check(reading, json, place, known);
    rc = rc == GF_OK ? doc_read(reading, json, place, &field->doc) : rc;
    if (rc != GF_OK) {
        return rc;
    }
    const char *const name = json_string_value(json_object_get(json, "name"));
    if (!name_is_valid(name) || strncmp(name, "has_", 4) == 0) {
        return place_fail(place, reading->error, "\"name\" is missing or not a name C can use");
    }
    field->name = keep_text("%s", name);
    const struct place inner = place_in(place, "type");
    const json_t *type = json_object_get(json, "type");
    if (json_is_array(type)) {
        if (json_array_size(type) != 2 ||
            !text_same(json_string_value(json_array_get(type, 0)), "null")) {
            return place_fail(&inner, reading->error, "of unions only [\"null\", X] is supported");
        }
        field->is_nullable = true;
        type = json_array_get(type, 1);
    }
    rc = type_read(reading, type, &inner, &field->type);
    rc = rc == GF_OK ? aliases_read(reading, json, place, field) : rc;
    const json_t *const value = json_object_get(json, "default");
    field->has_default = value != NULL;
    if (rc == GF_OK && field->has_default && !default_is_zero(field, value)) {
        return place_fail(place, reading->error,
                          "\"default\" may only be null, [], false or \"UNKNOWN\", by the type");
    }
    return rc;
}

static enum gf_rc
record_read(struct reading *reading, const json_t *json, const struct place *place,
            const struct type **out)
{
    static const char *const known[] = {"type", "name", "doc", "fields", NULL};
    static const char *const known_root[] = {"type",  "name", "doc",        "fields", "namespace",
                                             "topic", "key",  "event_time", "rank",   "stage",
                                             "from",  "id",   NULL};
    struct type *const type = keep(sizeof *type);
    type->kind = GF_KIND_RECORD;
    enum gf_rc rc =
        attributes_check(reading, json, place, reading->open_count == 0 ? known_root : known);
    rc = rc == GF_OK ? named_start(reading, json, place, type) : rc;
    rc = rc == GF_OK ? doc_read(reading, json, place, &type->doc) : rc;
    if (rc != GF_OK) {
        return rc;
    }
    if (reading->open_count == sizeof reading->open / sizeof reading->open[0]) {
        return place_fail(place, reading->error, "records are nested too deep");
    }
    reading->open[reading->open_count++] = type->name;
    const json_t *const fields = json_object_get(json, "fields");
    type->field_count = (uint32_t)json_array_size(fields);
    type->fields = keep((type->field_count + 1) * sizeof *type->fields);
    if (type->field_count == 0) {
        return place_fail(place, reading->error, "a record needs \"fields\"");
    }
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct place inner = place_in(place, "fields[%u]", i);
        rc = field_read(reading, json_array_get(fields, i), &inner, &type->fields[i]);
        if (rc != GF_OK) {
            return rc;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(type->fields[j].name, type->fields[i].name) == 0) {
                return place_fail(&inner, reading->error, "field \"%s\" is there twice",
                                  type->fields[i].name);
            }
        }
    }
    reading->open_count--;
    return named_finish(reading, type, place, out);
}

static enum gf_rc
type_read(struct reading *reading, const json_t *json, const struct place *place,
          const struct type **out)
{
    const json_t *const inner = json_is_object(json) ? json_object_get(json, "type") : json;
    const char *const name = json_string_value(inner);
    if (name == NULL) {
        return place_fail(place, reading->error,
                          json_is_array(json)
                              ? "a union is only supported as a field's type"
                              : "a type must be a name or an object with a \"type\"");
    }
    for (size_t i = 0; i < sizeof primitives / sizeof primitives[0]; i++) {
        if (strcmp(primitives[i].name, name) == 0) {
            return primitive_read(reading, primitives[i].kind, primitives[i].name,
                                  json == inner ? NULL : json, place, out);
        }
    }
    static const struct {
        const char *name;
        enum gf_rc (*read)(struct reading *, const json_t *, const struct place *,
                           const struct type **);
    } complex[] = {
        {"record", record_read}, {"enum", enum_read}, {"fixed", fixed_read}, {"array", array_read}};
    for (size_t i = 0; json != inner && i < sizeof complex / sizeof complex[0]; i++) {
        if (strcmp(complex[i].name, name) == 0) {
            return complex[i].read(reading, json, place, out);
        }
    }
    if (json != inner) {
        return place_fail(place, reading->error, "type \"%s\" is not supported", name);
    }
    return reference_read(reading, name, place, out);
}

enum gf_rc
type_read_root(struct model *model, const struct topic *topic, const struct type **out,
               struct gf_error *error)
{
    struct reading reading = {.model = model, .error = error};
    const struct place place = {.file = topic->path};
    const bool is_record =
        text_same(json_string_value(json_object_get(topic->root, "type")), "record");
    if (!is_record || !text_same(json_string_value(json_object_get(topic->root, "namespace")),
                                 SCHEMA_NAMESPACE)) {
        return place_fail(&place, error,
                          "must be a record in the namespace \"" SCHEMA_NAMESPACE "\"");
    }
    return type_read(&reading, topic->root, &place, out);
}
