#include <string.h>

#include "io/schema_tree.h"

static const char *const kind_names[] = {
    [GF_SCHEMA_NULL] = "null",   [GF_SCHEMA_BOOLEAN] = "boolean", [GF_SCHEMA_INT] = "int",
    [GF_SCHEMA_LONG] = "long",   [GF_SCHEMA_FLOAT] = "float",     [GF_SCHEMA_DOUBLE] = "double",
    [GF_SCHEMA_BYTES] = "bytes", [GF_SCHEMA_STRING] = "string",   [GF_SCHEMA_FIXED] = "fixed",
    [GF_SCHEMA_ENUM] = "enum",   [GF_SCHEMA_RECORD] = "record",   [GF_SCHEMA_ARRAY] = "array",
    [GF_SCHEMA_MAP] = "map",     [GF_SCHEMA_UNION] = "union",
};

const char *
gf_schema_kind_name(enum gf_schema_kind kind)
{
    return kind_names[kind];
}

const char *
gf_schema_short_name(const char *full_name)
{
    const char *dot = strrchr(full_name, '.');
    return dot == NULL ? full_name : dot + 1;
}

bool
gf_schema_name_is_valid(const char *text, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        const char c = text[index];
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && (index == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return size > 0;
}

bool
gf_schema_full_name_is_valid(const char *text)
{
    for (;;) {
        const char *dot = strchr(text, '.');
        if (dot == NULL) {
            return gf_schema_name_is_valid(text, strlen(text));
        }
        if (!gf_schema_name_is_valid(text, (size_t)(dot - text))) {
            return false;
        }
        text = dot + 1;
    }
}
