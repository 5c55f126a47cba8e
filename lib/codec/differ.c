#include "codec/differ.h"

#include <stdio.h>
#include <string.h>

#include "base/span.h"

struct differ {
    struct gf_differing *out;
    uint32_t count, count_max;
    char path[GF_DIFFER_PATH_SIZE];
};

static void value_differ(struct differ *differ, const struct gf_type *type, const void *a,
                         const void *b);

static bool
is_leaf_equal(const struct gf_type *type, const void *a, const void *b)
{
    if (type->kind == GF_KIND_STRING || type->kind == GF_KIND_BYTES) {
        return gf_span_equal(*(const struct gf_span *)a, *(const struct gf_span *)b);
    }
    return memcmp(a, b, type->size) == 0;
}

static void
place_add(struct differ *differ, const struct gf_type *type, const void *a, const void *b)
{
    if (differ->count < differ->count_max) {
        struct gf_differing *place = &differ->out[differ->count];
        *place = (struct gf_differing){.type = type, .a = a, .b = b};
        memcpy(place->path, differ->path, sizeof(place->path));
    }
    differ->count++;
}

static const void *
field_value(const struct gf_field *field, const void *record)
{
    const uint8_t *const base = record;
    const bool is_there = field->has_offset < 0 || *(const bool *)(base + field->has_offset);
    return is_there ? base + field->offset : NULL;
}

static void
record_differ(struct differ *differ, const struct gf_type *type, const void *a, const void *b)
{
    const size_t length = strlen(differ->path);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct gf_field *field = &type->fields[i];
        snprintf(differ->path + length, sizeof(differ->path) - length, "%s%s",
                 length > 0 ? "." : "", field->name);
        value_differ(differ, field->type, field_value(field, a), field_value(field, b));
        differ->path[length] = '\0';
    }
}

static const void *
item_at(const struct gf_type *type, const struct gf_array *array, uint32_t index)
{
    return index < array->count ? (const uint8_t *)array->items + (size_t)index * type->item->size
                                : NULL;
}

static void
array_differ(struct differ *differ, const struct gf_type *type, const struct gf_array *a,
             const struct gf_array *b)
{
    const size_t length = strlen(differ->path);
    for (uint32_t i = 0; i < a->count || i < b->count; i++) {
        snprintf(differ->path + length, sizeof(differ->path) - length, "[%u]", i);
        value_differ(differ, type->item, item_at(type, a, i), item_at(type, b, i));
        differ->path[length] = '\0';
    }
}

static void
value_differ(struct differ *differ, const struct gf_type *type, const void *a, const void *b)
{
    if (a == NULL || b == NULL) {
        if (a != b) {
            place_add(differ, type, a, b);
        }
    } else if (type->kind == GF_KIND_RECORD) {
        record_differ(differ, type, a, b);
    } else if (type->kind == GF_KIND_ARRAY) {
        array_differ(differ, type, a, b);
    } else if (!is_leaf_equal(type, a, b)) {
        place_add(differ, type, a, b);
    }
}

uint32_t
gf_differ(const struct gf_type *type, const void *a, const void *b, struct gf_differing *out,
          uint32_t count_max)
{
    struct differ differ = {.out = out, .count_max = count_max};
    value_differ(&differ, type, a, b);
    return differ.count;
}
