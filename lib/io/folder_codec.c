/* Codecs of container blocks. `deflate` is the raw stream of RFC 1951, as Avro wants it. */
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "io/folder_container.h"

#define DEFLATE_RAW (-15)
#define ZSTD_LEVEL  3

struct output {
    uint8_t *data;
    size_t size, capacity;
};

/* Doubles, so that memory follows what is really there and not what a length claims. */
static enum gf_rc
output_grow(struct output *output, size_t size_max, struct gf_error *error)
{
    if (output->capacity > size_max) {
        return gf_fail(error, GF_E_DAMAGED, "a block decompresses to more than %zu bytes",
                       size_max);
    }
    /* One byte more than allowed: a block of exactly `size_max` is told from a larger one. */
    size_t capacity = output->capacity == 0 ? 2 * GF_FOLDER_BLOCK_SIZE : output->capacity * 2;
    capacity = capacity > size_max ? size_max + 1 : capacity;
    uint8_t *data = realloc(output->data, capacity);
    if (data == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory for a block of %zu bytes", capacity);
    }
    output->data = data;
    output->capacity = capacity;
    return GF_OK;
}

static enum gf_rc
deflate_block(struct gf_span data, uint8_t **out, size_t *size_out, struct gf_error *error)
{
    z_stream stream = {.next_in = (Bytef *)data.data, .avail_in = data.size};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, DEFLATE_RAW, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory to compress");
    }
    const size_t bound = deflateBound(&stream, data.size);
    uint8_t *packed = malloc(bound);
    stream.next_out = packed;
    stream.avail_out = (uInt)bound;
    const bool done = packed != NULL && deflate(&stream, Z_FINISH) == Z_STREAM_END;
    *size_out = bound - stream.avail_out;
    deflateEnd(&stream);
    if (!done) {
        free(packed);
        return gf_fail(error, GF_E_NO_MEMORY, "no memory to compress");
    }
    *out = packed;
    return GF_OK;
}

static enum gf_rc
zstd_block(struct gf_span data, uint8_t **out, size_t *size_out, struct gf_error *error)
{
    const size_t bound = ZSTD_compressBound(data.size);
    uint8_t *packed = malloc(bound);
    const size_t size =
        packed == NULL ? 0 : ZSTD_compress(packed, bound, data.data, data.size, ZSTD_LEVEL);
    if (packed == NULL || ZSTD_isError(size)) {
        free(packed);
        return gf_fail(error, GF_E_NO_MEMORY, "no memory to compress");
    }
    *out = packed;
    *size_out = size;
    return GF_OK;
}

enum gf_rc
gf_folder_compress(enum gf_folder_codec codec, struct gf_span data, uint8_t **out, size_t *size_out,
                   struct gf_error *error)
{
    return codec == GF_FOLDER_CODEC_DEFLATE ? deflate_block(data, out, size_out, error)
                                            : zstd_block(data, out, size_out, error);
}

/* Inflates until the end, or until `output` is full when it may not grow (`size_max` 0). */
static enum gf_rc
inflate_into(struct gf_span data, struct output *output, size_t size_max, struct gf_error *error)
{
    z_stream stream = {.next_in = (Bytef *)data.data, .avail_in = data.size};
    if (inflateInit2(&stream, DEFLATE_RAW) != Z_OK) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory to decompress");
    }
    enum gf_rc rc = GF_OK;
    for (int state = Z_OK; rc == GF_OK && state != Z_STREAM_END;) {
        if (output->size == output->capacity) {
            if (size_max == 0 || (rc = output_grow(output, size_max, error)) != GF_OK) {
                break;
            }
        }
        stream.next_out = output->data + output->size;
        stream.avail_out = (uInt)(output->capacity - output->size);
        state = inflate(&stream, Z_NO_FLUSH);
        output->size = output->capacity - stream.avail_out;
        if (state != Z_OK && state != Z_STREAM_END && stream.avail_out > 0) {
            rc = gf_fail(error, GF_E_DAMAGED, "a deflated block cannot be inflated");
        }
    }
    inflateEnd(&stream);
    return rc;
}

static enum gf_rc
zstd_into(struct gf_span data, struct output *output, size_t size_max, struct gf_error *error)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (stream == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory to decompress");
    }
    /* The window is what a hostile frame could make us allocate. */
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 26);
    ZSTD_inBuffer in = {.src = data.data, .size = data.size, .pos = 0};
    enum gf_rc rc = GF_OK;
    for (size_t hint = 1; rc == GF_OK && hint != 0;) {
        if (output->size == output->capacity) {
            if (size_max == 0 || (rc = output_grow(output, size_max, error)) != GF_OK) {
                break;
            }
        }
        ZSTD_outBuffer into = {.dst = output->data, .size = output->capacity, .pos = output->size};
        hint = ZSTD_decompressStream(stream, &into, &in);
        const bool stuck = into.pos == output->size && in.pos == in.size && hint != 0;
        output->size = into.pos;
        if (ZSTD_isError(hint) || stuck) {
            rc = gf_fail(error, GF_E_DAMAGED, "a zstandard block cannot be decompressed");
        }
    }
    ZSTD_freeDStream(stream);
    return rc;
}

static enum gf_rc
decompress_into(enum gf_folder_codec codec, struct gf_span data, struct output *output,
                size_t size_max, struct gf_error *error)
{
    return codec == GF_FOLDER_CODEC_DEFLATE ? inflate_into(data, output, size_max, error)
                                            : zstd_into(data, output, size_max, error);
}

enum gf_rc
gf_folder_decompress(enum gf_folder_codec codec, struct gf_span data, uint32_t size_max,
                     uint8_t **out, size_t *size_out, struct gf_error *error)
{
    struct output output = {.data = NULL};
    enum gf_rc rc = decompress_into(codec, data, &output, size_max, error);
    if (rc == GF_OK && output.size > size_max) {
        rc = gf_fail(error, GF_E_DAMAGED, "a block decompresses to more than %u bytes", size_max);
    }
    if (rc != GF_OK) {
        free(output.data);
        return rc;
    }
    *out = output.data;
    *size_out = output.size;
    return GF_OK;
}

enum gf_rc
gf_folder_peek(enum gf_folder_codec codec, struct gf_span data, uint8_t *out, size_t size,
               size_t *size_out, struct gf_error *error)
{
    struct output output = {.data = out, .capacity = size};
    const enum gf_rc rc = decompress_into(codec, data, &output, 0, error);
    *size_out = output.size;
    return rc;
}
