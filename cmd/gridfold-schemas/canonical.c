/* Parsing Canonical Form (Avro 1.11, "Transforming into Parsing Canonical Form"): full names, only
 * the attributes that matter to a reader, in a fixed order, no spaces. */
#include <string.h>

#include "schema.h"
#include "text.h"

static void
name_add(struct text *out, const char *name)
{
    static const char *const primitives[] = {"null",  "boolean", "int",   "long",
                                             "float", "double",  "bytes", "string"};
    for (size_t i = 0; i < sizeof primitives / sizeof primitives[0]; i++) {
        if (strcmp(primitives[i], name) == 0) {
            text_add(out, "\"%s\"", name);
            return;
        }
    }
    text_add(out, strchr(name, '.') == NULL ? "\"" SCHEMA_NAMESPACE ".%s\"" : "\"%s\"", name);
}

static void type_add(struct text *out, const json_t *json);

static void
fields_add(struct text *out, const json_t *fields)
{
    text_add(out, ",\"fields\":[");
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const json_t *const field = json_array_get(fields, i);
        text_add(out, "%s{\"name\":\"%s\",\"type\":", i == 0 ? "" : ",",
                 json_string_value(json_object_get(field, "name")));
        type_add(out, json_object_get(field, "type"));
        text_add(out, "}");
    }
    text_add(out, "]");
}

static void
union_add(struct text *out, const json_t *branches)
{
    text_add(out, "[");
    for (size_t i = 0; i < json_array_size(branches); i++) {
        text_add(out, "%s", i == 0 ? "" : ",");
        type_add(out, json_array_get(branches, i));
    }
    text_add(out, "]");
}

static void
type_add(struct text *out, const json_t *json)
{
    if (json_is_array(json)) {
        union_add(out, json);
        return;
    }
    if (json_is_string(json)) {
        name_add(out, json_string_value(json));
        return;
    }
    const char *const type = json_string_value(json_object_get(json, "type"));
    const json_t *const name = json_object_get(json, "name"), *const items =
                                                                  json_object_get(json, "items");
    if (name == NULL && items == NULL) { /* a primitive with attributes */
        name_add(out, type);
        return;
    }
    text_add(out, "{");
    if (name != NULL) {
        text_add(out, "\"name\":");
        name_add(out, json_string_value(name));
        text_add(out, ",");
    }
    text_add(out, "\"type\":\"%s\"", type);
    if (json_object_get(json, "fields") != NULL) {
        fields_add(out, json_object_get(json, "fields"));
    }
    const json_t *const symbols = json_object_get(json, "symbols");
    for (size_t i = 0; i < json_array_size(symbols); i++) {
        text_add(out, "%s\"%s\"", i == 0 ? ",\"symbols\":[" : ",",
                 json_string_value(json_array_get(symbols, i)));
    }
    text_add(out, "%s", symbols == NULL ? "" : "]");
    if (items != NULL) {
        text_add(out, ",\"items\":");
        type_add(out, items);
    }
    if (json_object_get(json, "size") != NULL) {
        text_add(out, ",\"size\":%lld",
                 (long long)json_integer_value(json_object_get(json, "size")));
    }
    text_add(out, "}");
}

const char *
schema_canonical(const json_t *root)
{
    struct text out = {0};
    type_add(&out, root);
    return out.data;
}
