#include "codec_random.h"

#include <assert.h>
#include <string.h>

#include "base/span.h"

static uint64_t
below(struct gf_random *random, uint64_t limit)
{
    return gf_random_next(random) % limit;
}

/* As many small numbers as large ones. */
static int64_t
integer(struct gf_random *random, uint32_t bits_max)
{
    const uint32_t bits = (uint32_t)below(random, bits_max);
    const int64_t value = (int64_t)(bits == 0 ? 0 : gf_random_next(random) >> (64 - bits));
    return below(random, 2) == 0 ? value : -value - 1;
}

static struct gf_span
text(struct gf_random *random, struct gf_arena *arena, bool is_utf8)
{
    static const char *const characters[] = {"\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x94\x8c",
                                             "\xef\xbf\xbd"};
    const uint32_t size_max = below(random, 8) == 0 ? 200 : 24;
    const uint32_t size = (uint32_t)below(random, size_max);
    const bool is_ascii = below(random, 4) != 0;
    uint8_t *const data = gf_arena_take(arena, size + 8);
    assert(data != NULL);
    uint32_t used = 0;
    while (used < size) {
        if (!is_utf8) {
            data[used++] = (uint8_t)gf_random_next(random);
        } else if (is_ascii || below(random, 2) == 0) {
            data[used++] = (uint8_t)(1 + below(random, 127));
        } else {
            const char *const character = characters[below(random, 4)];
            memcpy(data + used, character, strlen(character));
            used += (uint32_t)strlen(character);
        }
    }
    return gf_span_of(data, used);
}

static void
record_fill(const struct gf_type *type, struct gf_random *random, struct gf_arena *arena,
            uint8_t *out)
{
    memset(out, 0, type->size);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct gf_field *const field = &type->fields[i];
        const bool has = field->has_offset < 0 || below(random, 2) == 0;
        if (field->has_offset >= 0) {
            memcpy(out + field->has_offset, &has, sizeof has);
        }
        if (has) {
            codec_random_fill(field->type, random, arena, out + field->offset);
        }
    }
}

static void
array_fill(const struct gf_type *type, struct gf_random *random, struct gf_arena *arena,
           struct gf_array *out)
{
    const uint32_t count = (uint32_t)below(random, 5);
    uint8_t *const items =
        count == 0 ? NULL : gf_arena_take(arena, (size_t)count * type->item->size);
    for (uint32_t i = 0; i < count; i++) {
        codec_random_fill(type->item, random, arena, items + (size_t)i * type->item->size);
    }
    *out = (struct gf_array){items, count};
}

void
codec_random_fill(const struct gf_type *type, struct gf_random *random, struct gf_arena *arena,
                  void *out)
{
    uint64_t bits = 0;
    switch (type->kind) {
    case GF_KIND_BOOL:
        *(bool *)out = below(random, 2) == 1;
        break;
    case GF_KIND_INT:
        *(int32_t *)out = (int32_t)integer(random, 32);
        break;
    case GF_KIND_ENUM:
        *(int32_t *)out = (int32_t)below(random, type->symbol_count);
        break;
    case GF_KIND_LONG:
        *(int64_t *)out = integer(random, 64);
        break;
    case GF_KIND_DOUBLE:
        bits = gf_random_next(random);
        memcpy(out, &bits, sizeof bits);
        break;
    case GF_KIND_STRING:
    case GF_KIND_BYTES:
        *(struct gf_span *)out = text(random, arena, type->kind == GF_KIND_STRING);
        break;
    case GF_KIND_FIXED:
        for (uint32_t i = 0; i < type->size; i++) {
            ((uint8_t *)out)[i] = (uint8_t)gf_random_next(random);
        }
        break;
    case GF_KIND_RECORD:
        record_fill(type, random, arena, out);
        break;
    case GF_KIND_ARRAY:
        array_fill(type, random, arena, out);
        break;
    }
}

static bool
record_equal(const struct gf_type *type, const uint8_t *a, const uint8_t *b)
{
    bool same = true;
    for (uint32_t i = 0; same && i < type->field_count; i++) {
        const struct gf_field *const field = &type->fields[i];
        if (field->has_offset >= 0 && a[field->has_offset] != b[field->has_offset]) {
            return false;
        }
        const bool has = field->has_offset < 0 || a[field->has_offset] != 0;
        same = !has || codec_random_equal(field->type, a + field->offset, b + field->offset);
    }
    return same;
}

static bool
array_equal(const struct gf_type *type, const struct gf_array *a, const struct gf_array *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        const size_t at = (size_t)i * type->item->size;
        same = codec_random_equal(type->item, (const uint8_t *)a->items + at,
                                  (const uint8_t *)b->items + at);
    }
    return same;
}

bool
codec_random_equal(const struct gf_type *type, const void *a, const void *b)
{
    switch (type->kind) {
    case GF_KIND_BOOL:
    case GF_KIND_INT:
    case GF_KIND_ENUM:
    case GF_KIND_LONG:
    case GF_KIND_DOUBLE:
    case GF_KIND_FIXED:
        return memcmp(a, b, type->size) == 0;
    case GF_KIND_STRING:
    case GF_KIND_BYTES:
        return gf_span_equal(*(const struct gf_span *)a, *(const struct gf_span *)b);
    case GF_KIND_RECORD:
        return record_equal(type, a, b);
    case GF_KIND_ARRAY:
        return array_equal(type, a, b);
    }
    return false;
}
