/* The hot half of wire.h, for generated codecs and decode plans. A cursor is two pointers in
 * registers: `at` and `end`. Every reader returns the next `at`, or NULL where the bytes are not
 * what they should be. */
#ifndef GF_CODEC_WIRE_INLINE_H
#define GF_CODEC_WIRE_INLINE_H

#include <string.h>

#include "codec/wire.h"

/* In two registers, so that no caller's cursor needs an address. */
struct gf_wire_varint {
    const uint8_t *at; /* NULL: not a varint */
    uint64_t value;
};

struct gf_wire_varint gf_wire_varint_slow(const uint8_t *at, const uint8_t *end);
/* Size of the UTF-8 character at `data`, 0 when there is none. `left` > 0. */
size_t gf_wire_utf8_size(const uint8_t *data, size_t left);
/* Whether `size` bytes are UTF-8 (RFC 3629: shortest forms, no surrogates, up to U+10FFFF). */
bool gf_wire_utf8_slow(const uint8_t *data, size_t size);
/* Room for `room` items of `size` bytes, the first `count` of them copied from `items`; NULL when
 * the arena is full. */
void *gf_wire_grow(struct gf_arena *arena, const void *items, uint64_t count, uint64_t room,
                   size_t size);
void gf_wire_put_long_slow(struct gf_writer *writer, int64_t value);

static inline int64_t
gf_wire_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* Eight bytes, the first the lowest. */
static inline uint64_t
gf_wire_word(const uint8_t *at)
{
    uint64_t word = 0;
    memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline struct gf_wire_varint
gf_wire_varint(const uint8_t *at, const uint8_t *end)
{
    if (end - at >= 2) {
        const uint64_t first = at[0], second = at[1];
        if (first < 0x80) {
            return (struct gf_wire_varint){at + 1, first};
        }
        if (second < 0x80) {
            return (struct gf_wire_varint){at + 2, (first & 0x7f) | second << 7};
        }
    }
    return gf_wire_varint_slow(at, end);
}

/* For numbers that are seldom small: times, energies. One pass without a branch for each byte. */
static inline struct gf_wire_varint
gf_wire_varint_wide(const uint8_t *at, const uint8_t *end)
{
    if (end - at >= 8) {
        uint64_t word = gf_wire_word(at);
        const uint64_t stops = ~word & UINT64_C(0x8080808080808080);
        if (stops !=
            0) { /* ends within eight bytes; keep those, then close the gaps of one bit in each */
            word &= stops ^ (stops - 1);
            word &= UINT64_C(0x7f7f7f7f7f7f7f7f);
            word =
                (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
            word =
                (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
            word =
                (word & UINT64_C(0x000000000fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
            return (struct gf_wire_varint){at + (__builtin_ctzll(stops) >> 3) + 1, word};
        }
    }
    return gf_wire_varint_slow(at, end);
}

static inline const uint8_t *
gf_wire_long(const uint8_t *at, const uint8_t *end, int64_t *out)
{
    const struct gf_wire_varint varint = gf_wire_varint_wide(at, end);
    *out = gf_wire_unzigzag(varint.value);
    return varint.at;
}

static inline const uint8_t *
gf_wire_int(const uint8_t *at, const uint8_t *end, int32_t *out)
{
    const struct gf_wire_varint varint = gf_wire_varint(at, end);
    *out = (int32_t)gf_wire_unzigzag(varint.value);
    return varint.value <= UINT32_MAX ? varint.at : NULL;
}

static inline const uint8_t *
gf_wire_enum(const uint8_t *at, const uint8_t *end, uint32_t symbol_count, int32_t *out)
{
    const struct gf_wire_varint varint = gf_wire_varint(at, end);
    *out = (int32_t)(varint.value >> 1);
    return (varint.value & 1) == 0 && varint.value >> 1 < symbol_count ? varint.at : NULL;
}

/* The branch of a union ["null", X]. */
static inline const uint8_t *
gf_wire_has(const uint8_t *at, const uint8_t *end, bool *out)
{
    int32_t branch = 0;
    at = gf_wire_enum(at, end, 2, &branch);
    *out = branch == 1;
    return at;
}

static inline const uint8_t *
gf_wire_bool(const uint8_t *at, const uint8_t *end, bool *out)
{
    if (at == end || *at > 1) {
        return NULL;
    }
    *out = *at == 1;
    return at + 1;
}

static inline const uint8_t *
gf_wire_double(const uint8_t *at, const uint8_t *end, double *out)
{
    if (end - at < 8) {
        return NULL;
    }
    const uint64_t word = gf_wire_word(at);
    memcpy(out, &word, sizeof word);
    return at + 8;
}

static inline const uint8_t *
gf_wire_pass(const uint8_t *at, const uint8_t *end, uint32_t size)
{
    return (size_t)(end - at) < size ? NULL : at + size;
}

static inline const uint8_t *
gf_wire_fixed(const uint8_t *at, const uint8_t *end, uint32_t size, uint8_t *out)
{
    if ((size_t)(end - at) < size) {
        return NULL;
    }
    memcpy(out, at, size);
    return at + size;
}

static inline const uint8_t *
gf_wire_bytes(const uint8_t *at, const uint8_t *end, struct gf_span *out)
{
    const struct gf_wire_varint varint = gf_wire_varint(at, end);
    const uint64_t size = varint.value >> 1;
    if (varint.at == NULL || (varint.value & 1) != 0 || size > (size_t)(end - varint.at) ||
        size > UINT32_MAX) {
        return NULL;
    }
    *out = (struct gf_span){.data = varint.at, .size = (uint32_t)size};
    return varint.at + size;
}

/* Strings are nearly always ASCII and short: whole words, the last of them cut to size where the
 * input has the room. */
static inline const uint8_t *
gf_wire_string(const uint8_t *at, const uint8_t *end, struct gf_span *out)
{
    at = gf_wire_bytes(at, end, out);
    if (at == NULL) {
        return NULL;
    }
    const uint8_t *data = out->data;
    uint64_t high_bits = 0;
    for (; at - data >= 8; data += 8) {
        high_bits |= gf_wire_word(data);
    }
    if (at > data && end - data >= 8) {
        high_bits |= gf_wire_word(data) << (64 - 8 * (at - data));
    } else {
        for (; data < at; data++) {
            high_bits |= (uint64_t)*data;
        }
    }
    if ((high_bits & UINT64_C(0x8080808080808080)) != 0 &&
        !gf_wire_utf8_slow(out->data, out->size)) {
        return NULL;
    }
    return at;
}

static inline const uint8_t *
gf_wire_block(const uint8_t *at, const uint8_t *end, uint32_t item_size_min, uint64_t *count_out)
{
    struct gf_wire_varint varint = gf_wire_varint(at, end);
    int64_t count = gf_wire_unzigzag(varint.value);
    if (varint.at == NULL || count == INT64_MIN) {
        return NULL;
    }
    if (count < 0) { /* the block's size follows */
        count = -count;
        varint = gf_wire_varint(varint.at, end);
        if (varint.at == NULL || (varint.value & 1) != 0 ||
            varint.value >> 1 > (size_t)(end - varint.at)) {
            return NULL;
        }
    }
    const uint64_t left = (uint64_t)(end - varint.at) / (item_size_min == 0 ? 1 : item_size_min);
    if ((uint64_t)count > left || count > UINT32_MAX) {
        return NULL;
    }
    *count_out = (uint64_t)count;
    return varint.at;
}

static inline void
gf_wire_put_long(struct gf_writer *writer, int64_t value)
{
    const uint64_t varint = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    if (varint < 0x80 && writer->at < writer->end) {
        *writer->at++ = (uint8_t)varint;
    } else {
        gf_wire_put_long_slow(writer, value);
    }
}

/* Room for `size` bytes; NULL, from then on for good, when there is none. */
static inline uint8_t *
gf_wire_put(struct gf_writer *writer, size_t size)
{
    uint8_t *const at = writer->at;
    if ((size_t)(writer->end - at) < size) {
        writer->overflowed = true;
        writer->end = at;
        return NULL;
    }
    writer->at = at + size;
    return at;
}

static inline void
gf_wire_put_bytes(struct gf_writer *writer, struct gf_span bytes)
{
    gf_wire_put_long(writer, bytes.size);
    uint8_t *const at = gf_wire_put(writer, bytes.size);
    if (at != NULL && bytes.size > 0) {
        memcpy(at, bytes.data, bytes.size);
    }
}

#endif
