/* Avro binary, bounded: a reader never reads outside its bytes and never believes a length before
 * it has checked it against the bytes that are left. Nothing allocates; strings, bytes and keys are
 * views into the input; arrays are built in the caller's arena. See the Avro 1.11 specification,
 * "Binary encoding". */
#ifndef GF_CODEC_WIRE_H
#define GF_CODEC_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"

struct gf_reader {
    const uint8_t *at, *end;
};

static inline struct gf_reader
gf_reader_of(struct gf_span span)
{
    return (struct gf_reader){span.data, span.data + span.size};
}
static inline size_t
gf_reader_left(const struct gf_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* Errors of all: GF_E_BAD_DATA; the reader then stays anywhere inside its bytes and is not to be
 * used further. */
GF_MUST_USE enum gf_rc gf_read_long(struct gf_reader *reader,
                                    int64_t *out); /* zigzag varint, at most 10 bytes */
GF_MUST_USE enum gf_rc gf_read_int(struct gf_reader *reader,
                                   int32_t *out); /* refuses what int32 cannot hold */
GF_MUST_USE enum gf_rc gf_read_bool(struct gf_reader *reader,
                                    bool *out); /* refuses bytes other than 0 and 1 */
GF_MUST_USE enum gf_rc gf_read_float(struct gf_reader *reader, float *out);
GF_MUST_USE enum gf_rc gf_read_double(struct gf_reader *reader, double *out);
GF_MUST_USE enum gf_rc gf_read_bytes(struct gf_reader *reader, struct gf_span *out);
GF_MUST_USE enum gf_rc gf_read_string(struct gf_reader *reader,
                                      struct gf_span *out); /* refuses what is not UTF-8 */
GF_MUST_USE enum gf_rc gf_read_fixed(struct gf_reader *reader, void *out, uint32_t size);

/* Starts the next block of an array or map: its item count, 0 at the end. A negative count carries
 * a byte size, which is checked and dropped. `item_size_min` (bytes an item takes on the wire at
 * least; items of 0 bytes count as 1) bounds the count by the bytes that are left. */
GF_MUST_USE enum gf_rc gf_read_block(struct gf_reader *reader, uint32_t item_size_min,
                                     uint64_t *count_out);

/* A writer goes over its end silently and remembers: ask once, at the end. */
struct gf_writer {
    uint8_t *start, *at, *end;
    bool overflowed;
};

static inline struct gf_writer
gf_writer_of(void *data, size_t size)
{
    return (struct gf_writer){.start = data, .at = data, .end = (uint8_t *)data + size};
}
static inline size_t
gf_writer_size(const struct gf_writer *writer)
{
    return (size_t)(writer->at - writer->start);
}

void gf_write_long(struct gf_writer *writer, int64_t value);
void gf_write_bool(struct gf_writer *writer, bool value);
void gf_write_float(struct gf_writer *writer, float value);
void gf_write_double(struct gf_writer *writer, double value);
void gf_write_bytes(struct gf_writer *writer, struct gf_span bytes); /* also strings */
void gf_write_fixed(struct gf_writer *writer, const void *data, uint32_t size);

/* Confluent framing: magic 0, schema id (4 bytes, big endian), body. */
#define GF_FRAME_SIZE 5
/* Splits a framed value. Errors: GF_E_BAD_DATA (shorter than a frame, or another magic). */
GF_MUST_USE enum gf_rc gf_frame_read(struct gf_span value, uint32_t *schema_id_out,
                                     struct gf_span *body_out, struct gf_error *error);
void gf_frame_write(uint32_t schema_id, uint8_t out[GF_FRAME_SIZE]);

/* CRC-64-AVRO (Rabin) fingerprint of a schema in Parsing Canonical Form. */
uint64_t gf_rabin64(const void *data, size_t size);

#endif
