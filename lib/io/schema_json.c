#include <stdbool.h>
#include <stdint.h>

#include "io/schema_json.h"

/* The deepest nesting of brackets outside texts. */
static uint32_t
json_depth(const char *text, size_t size)
{
    uint32_t depth = 0, deepest = 0;
    bool is_text = false;
    for (size_t index = 0; index < size; index++) {
        const char c = text[index];
        if (is_text) {
            index += c == '\\';
            is_text = c != '"';
        } else if (c == '"') {
            is_text = true;
        } else if (c == '{' || c == '[') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

enum gf_rc
gf_schema_json_load(const char *text, size_t size, json_t **out, struct gf_error *error)
{
    if (size > GF_SCHEMA_SIZE_MAX) {
        return gf_fail(error, GF_E_UNKNOWN_SCHEMA, "JSON of %zu bytes; at most %d are read", size,
                       GF_SCHEMA_SIZE_MAX);
    }
    if (json_depth(text, size) > GF_SCHEMA_JSON_DEPTH_MAX) {
        return gf_fail(error, GF_E_UNKNOWN_SCHEMA, "JSON is nested deeper than %d brackets",
                       GF_SCHEMA_JSON_DEPTH_MAX);
    }
    json_error_t problem;
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    if (*out == NULL) {
        return gf_fail(error, GF_E_UNKNOWN_SCHEMA, "not JSON: line %d: %s", problem.line,
                       problem.text);
    }
    return GF_OK;
}
