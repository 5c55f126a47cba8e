#include "codec/wire.h"

#include <string.h>

#include "codec/wire_inline.h"

#define VARINT_SIZE_MAX 10

struct gf_wire_varint
gf_wire_varint_slow(const uint8_t *at, const uint8_t *end)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < VARINT_SIZE_MAX && at + i < end; i++) {
        const uint64_t byte = at[i];
        if (i == VARINT_SIZE_MAX - 1 && byte > 1) {
            break; /* more than 64 bits */
        }
        value |= (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            return (struct gf_wire_varint){at + i + 1, value};
        }
    }
    return (struct gf_wire_varint){NULL, 0};
}

/* Second bytes have their own bounds: they shut out long forms, surrogates and what lies above
 * U+10FFFF. */
size_t
gf_wire_utf8_size(const uint8_t *data, size_t left)
{
    const uint8_t first = data[0];
    if (first < 0x80) {
        return 1;
    }
    const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || left < size) {
        return 0;
    }
    const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (data[1] < low || data[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if ((data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return size;
}

bool
gf_wire_utf8_slow(const uint8_t *data, size_t size)
{
    while (size > 0) {
        const size_t step = gf_wire_utf8_size(data, size);
        if (step == 0) {
            return false;
        }
        data += step;
        size -= step;
    }
    return true;
}

void *
gf_wire_grow(struct gf_arena *arena, const void *items, uint64_t count, uint64_t room, size_t size)
{
    if (room > UINT32_MAX || room > SIZE_MAX / size) {
        arena->overflowed = true;
        return NULL;
    }
    void *const grown = gf_arena_take(arena, (size_t)room * size);
    if (grown != NULL && count > 0) {
        memcpy(grown, items, (size_t)count * size);
    }
    return grown;
}

/* Moves the reader on and gives the value away, or tells that it cannot. */
static enum gf_rc
reader_move(struct gf_reader *reader, const uint8_t *at, const void *value, void *out, size_t size)
{
    if (at == NULL) {
        return GF_E_BAD_DATA;
    }
    assert(at <= reader->end);
    reader->at = at;
    memcpy(out, value, size);
    return GF_OK;
}

enum gf_rc
gf_read_long(struct gf_reader *reader, int64_t *out)
{
    int64_t value = 0;
    const uint8_t *const at = gf_wire_long(reader->at, reader->end, &value);
    return reader_move(reader, at, &value, out, sizeof value);
}

enum gf_rc
gf_read_int(struct gf_reader *reader, int32_t *out)
{
    int32_t value = 0;
    const uint8_t *const at = gf_wire_int(reader->at, reader->end, &value);
    return reader_move(reader, at, &value, out, sizeof value);
}

enum gf_rc
gf_read_bool(struct gf_reader *reader, bool *out)
{
    bool value = false;
    const uint8_t *const at = gf_wire_bool(reader->at, reader->end, &value);
    return reader_move(reader, at, &value, out, sizeof value);
}

enum gf_rc
gf_read_float(struct gf_reader *reader, float *out)
{
    uint8_t bytes[4] = {0};
    const uint8_t *const at = gf_wire_fixed(reader->at, reader->end, sizeof bytes, bytes);
    const uint32_t word =
        bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    return reader_move(reader, at, &word, out, sizeof word);
}

enum gf_rc
gf_read_double(struct gf_reader *reader, double *out)
{
    double value = 0;
    const uint8_t *const at = gf_wire_double(reader->at, reader->end, &value);
    return reader_move(reader, at, &value, out, sizeof value);
}

enum gf_rc
gf_read_bytes(struct gf_reader *reader, struct gf_span *out)
{
    struct gf_span value = {0};
    const uint8_t *const at = gf_wire_bytes(reader->at, reader->end, &value);
    return reader_move(reader, at, &value, out, sizeof value);
}

enum gf_rc
gf_read_string(struct gf_reader *reader, struct gf_span *out)
{
    struct gf_span value = {0};
    const uint8_t *const at = gf_wire_string(reader->at, reader->end, &value);
    return reader_move(reader, at, &value, out, sizeof value);
}

enum gf_rc
gf_read_fixed(struct gf_reader *reader, void *out, uint32_t size)
{
    const uint8_t *const at = gf_wire_pass(reader->at, reader->end, size);
    return reader_move(reader, at, reader->at, out, size);
}

enum gf_rc
gf_read_block(struct gf_reader *reader, uint32_t item_size_min, uint64_t *count_out)
{
    uint64_t count = 0;
    const uint8_t *const at = gf_wire_block(reader->at, reader->end, item_size_min, &count);
    return reader_move(reader, at, &count, count_out, sizeof count);
}

void
gf_wire_put_long_slow(struct gf_writer *writer, int64_t value)
{
    uint8_t bytes[VARINT_SIZE_MAX];
    uint32_t size = 0;
    uint64_t rest = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    for (; rest >= 0x80; rest >>= 7) {
        bytes[size++] = (uint8_t)(rest | 0x80);
    }
    bytes[size++] = (uint8_t)rest;
    gf_write_fixed(writer, bytes, size);
}

void
gf_write_long(struct gf_writer *writer, int64_t value)
{
    gf_wire_put_long(writer, value);
}

void
gf_write_bool(struct gf_writer *writer, bool value)
{
    const uint8_t byte = value;
    gf_write_fixed(writer, &byte, 1);
}

void
gf_write_float(struct gf_writer *writer, float value)
{
    uint32_t word = 0;
    memcpy(&word, &value, sizeof word);
    const uint8_t bytes[] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16),
                             (uint8_t)(word >> 24)};
    gf_write_fixed(writer, bytes, sizeof bytes);
}

void
gf_write_double(struct gf_writer *writer, double value)
{
    uint64_t word = 0;
    memcpy(&word, &value, sizeof word);
    uint8_t bytes[8];
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(word >> (8 * i));
    }
    gf_write_fixed(writer, bytes, sizeof bytes);
}

void
gf_write_bytes(struct gf_writer *writer, struct gf_span bytes)
{
    gf_wire_put_bytes(writer, bytes);
}

void
gf_write_fixed(struct gf_writer *writer, const void *data, uint32_t size)
{
    uint8_t *const at = gf_wire_put(writer, size);
    if (at != NULL && size > 0) {
        memcpy(at, data, size);
    }
}

enum gf_rc
gf_frame_read(struct gf_span value, uint32_t *schema_id_out, struct gf_span *body_out,
              struct gf_error *error)
{
    if (value.size < GF_FRAME_SIZE) {
        return gf_fail(error, GF_E_BAD_DATA,
                       "a value of %u bytes is shorter than a schema frame (%d): was it written "
                       "without a schema registry?",
                       value.size, GF_FRAME_SIZE);
    }
    if (value.data[0] != 0) {
        return gf_fail(
            error, GF_E_BAD_DATA,
            "the value starts with byte 0x%02x, a schema frame with 0x00: was it written "
            "without a schema registry?",
            value.data[0]);
    }
    *schema_id_out = (uint32_t)value.data[1] << 24 | (uint32_t)value.data[2] << 16 |
                     (uint32_t)value.data[3] << 8 | value.data[4];
    *body_out = gf_span_of(value.data + GF_FRAME_SIZE, value.size - GF_FRAME_SIZE);
    return GF_OK;
}

void
gf_frame_write(uint32_t schema_id, uint8_t out[GF_FRAME_SIZE])
{
    out[0] = 0;
    for (uint32_t i = 0; i < 4; i++) {
        out[1 + i] = (uint8_t)(schema_id >> (24 - 8 * i));
    }
}
