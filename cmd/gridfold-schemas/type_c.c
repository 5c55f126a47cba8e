/* What a type is in C and on the wire. */
#include <string.h>

#include "schema.h"
#include "text.h"

/* Units that have a C type of their own, which fixes their scale. */
static const struct {
    const char *unit;
    int scale;
    const char *c_name;
} units[] = {
    {"timestamp-micros", 6, "struct gf_time"},
    {"kWh", 6, "struct gf_energy"},
    {"currency/kWh", 8, "struct gf_price"},
    {"currency", 6, "struct gf_money"},
};

bool
unit_scale(const char *unit, int *out)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(units[i].unit, unit) == 0) {
            *out = units[i].scale;
            return true;
        }
    }
    return false;
}

const char *
type_c_name(const struct type *type)
{
    switch (type->kind) {
    case GF_KIND_BOOL:
        return "bool";
    case GF_KIND_INT:
    case GF_KIND_ENUM:
        return "int32_t";
    case GF_KIND_LONG:
        for (size_t i = 0; type->unit != NULL && i < sizeof units / sizeof units[0]; i++) {
            if (strcmp(units[i].unit, type->unit) == 0) {
                return units[i].c_name;
            }
        }
        return "int64_t";
    case GF_KIND_DOUBLE:
        return "double";
    case GF_KIND_STRING:
    case GF_KIND_BYTES:
        return "struct gf_span";
    case GF_KIND_RECORD:
        return keep_text("struct gf_%s", type->id);
    case GF_KIND_FIXED:
    case GF_KIND_ARRAY:
        break;
    }
    return NULL;
}

uint32_t
type_wire_size_min(const struct type *type)
{
    uint32_t size = 0;
    switch (type->kind) {
    case GF_KIND_DOUBLE:
        return 8;
    case GF_KIND_FIXED:
        return type->size;
    case GF_KIND_RECORD:
        for (uint32_t i = 0; i < type->field_count; i++) {
            size += type->fields[i].is_nullable ? 1 : type_wire_size_min(type->fields[i].type);
        }
        return size;
    case GF_KIND_BOOL:
    case GF_KIND_INT:
    case GF_KIND_LONG:
    case GF_KIND_STRING:
    case GF_KIND_BYTES:
    case GF_KIND_ENUM:
    case GF_KIND_ARRAY:
        break;
    }
    return 1;
}
