#include "io/folder_container.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/wire.h"

/* The envelope without a namespace: the embedded schema then keeps the names it has by itself. */
static const char envelope_head[] =
    "{\"type\":\"record\",\"name\":\"GridfoldEnvelope\",\"fields\":["
    "{\"name\":\"offset\",\"type\":\"long\"},"
    "{\"name\":\"timestamp\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}},"
    "{\"name\":\"key\",\"type\":[\"null\",\"bytes\"]},"
    "{\"name\":\"headers\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":"
    "\"GridfoldHeader\","
    "\"fields\":[{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"value\",\"type\":[\"null\","
    "\"bytes\"]}]}"
    "}},"
    "{\"name\":\"schema_id\",\"type\":\"int\"},"
    "{\"name\":\"value\",\"type\":[\"null\",";
static const char envelope_tail[] = ",\"bytes\"]}]}";

static const char magic[4] = {'O', 'b', 'j', 1};
static const char *const codec_names[] = {
    [GF_FOLDER_CODEC_NULL] = "null",
    [GF_FOLDER_CODEC_DEFLATE] = "deflate",
    [GF_FOLDER_CODEC_ZSTANDARD] = "zstandard",
};
#define CODEC_COUNT (sizeof codec_names / sizeof codec_names[0])

void
gf_folder_sync_marker(const char *topic, uint32_t partition, int64_t first,
                      uint8_t out[GF_FOLDER_SYNC_SIZE])
{
    uint8_t place[12];
    for (int i = 0; i < 4; i++) {
        place[i] = (uint8_t)(partition >> (8 * i));
    }
    for (int i = 0; i < 8; i++) {
        place[4 + i] = (uint8_t)((uint64_t)first >> (8 * i));
    }
    static_assert(GF_FOLDER_SYNC_SIZE == GF_DIGEST_SIZE, "a digest is a marker");
    struct gf_digest digest = gf_digest_of(topic, strlen(topic));
    gf_digest_extend(&digest, place, sizeof place);
    memcpy(out, digest.bytes, GF_FOLDER_SYNC_SIZE);
}

uint8_t *
gf_folder_header_new(const char *schema, enum gf_folder_codec codec,
                     const uint8_t sync[GF_FOLDER_SYNC_SIZE], size_t *size_out)
{
    const size_t schema_size = strlen(schema);
    const size_t envelope_size = sizeof envelope_head - 1 + schema_size + sizeof envelope_tail - 1;
    uint8_t *data = malloc(envelope_size + 128);
    if (data == NULL) {
        return NULL;
    }
    struct gf_writer writer = gf_writer_of(data, envelope_size + 128);
    gf_write_fixed(&writer, magic, sizeof magic);
    gf_write_long(&writer, 2);
    gf_write_bytes(&writer, gf_span_text("avro.schema"));
    gf_write_long(&writer, (int64_t)envelope_size);
    gf_write_fixed(&writer, envelope_head, sizeof envelope_head - 1);
    gf_write_fixed(&writer, schema, (uint32_t)schema_size);
    gf_write_fixed(&writer, envelope_tail, sizeof envelope_tail - 1);
    gf_write_bytes(&writer, gf_span_text("avro.codec"));
    gf_write_bytes(&writer, gf_span_text(codec_names[codec]));
    gf_write_long(&writer, 0);
    gf_write_fixed(&writer, sync, GF_FOLDER_SYNC_SIZE);
    assert(!writer.overflowed);
    *size_out = gf_writer_size(&writer);
    return data;
}

static enum gf_rc
envelope_strip(struct gf_span text, struct gf_span *schema_out, struct gf_error *error)
{
    const uint32_t head = sizeof envelope_head - 1, tail = sizeof envelope_tail - 1;
    if (text.size < head + tail || memcmp(text.data, envelope_head, head) != 0 ||
        memcmp(text.data + text.size - tail, envelope_tail, tail) != 0) {
        return gf_fail(error, GF_E_VERSION, "its records are not the envelope of a gridfold log");
    }
    *schema_out = gf_span_of(text.data + head, text.size - head - tail);
    return GF_OK;
}

static enum gf_rc
codec_parse(struct gf_span name, enum gf_folder_codec *out, struct gf_error *error)
{
    for (size_t i = 0; i < CODEC_COUNT; i++) {
        if (gf_span_equal(name, gf_span_text(codec_names[i]))) {
            *out = (enum gf_folder_codec)i;
            return GF_OK;
        }
    }
    return gf_fail(error, GF_E_VERSION,
                   "its codec is %.*s; null, deflate and zstandard can be read",
                   name.size < 32 ? (int)name.size : 32, (const char *)name.data);
}

/* The map of metadata: finds the two entries we need, passes over others. */
static enum gf_rc
metadata_read(struct gf_reader *reader, struct gf_span *schema_out, struct gf_span *codec_out)
{
    uint64_t count = 0;
    enum gf_rc rc = GF_OK;
    while ((rc = gf_read_block(reader, 2, &count)) == GF_OK && count > 0) {
        for (uint64_t i = 0; i < count; i++) {
            struct gf_span key, value;
            if ((rc = gf_read_bytes(reader, &key)) != GF_OK ||
                (rc = gf_read_bytes(reader, &value)) != GF_OK) {
                return rc;
            }
            if (gf_span_equal(key, gf_span_text("avro.schema"))) {
                *schema_out = value;
            } else if (gf_span_equal(key, gf_span_text("avro.codec"))) {
                *codec_out = value;
            }
        }
    }
    return rc;
}

enum gf_rc
gf_folder_header_read(struct gf_span file, struct gf_folder_header *out, struct gf_error *error)
{
    struct gf_reader reader = gf_reader_of(file);
    struct gf_span schema = {NULL, 0}, codec = gf_span_text(codec_names[GF_FOLDER_CODEC_NULL]);
    struct gf_folder_header header = {.size = 0};
    char start[sizeof magic];
    if (gf_read_fixed(&reader, start, sizeof start) != GF_OK ||
        memcmp(start, magic, sizeof magic) != 0 ||
        metadata_read(&reader, &schema, &codec) != GF_OK ||
        gf_read_fixed(&reader, header.sync, GF_FOLDER_SYNC_SIZE) != GF_OK) {
        return gf_fail(error, GF_E_BAD_DATA, "it has no whole Avro container header");
    }
    enum gf_rc rc = envelope_strip(schema, &header.schema, error);
    if (rc != GF_OK || (rc = codec_parse(codec, &header.codec, error)) != GF_OK) {
        return rc;
    }
    header.size = (uint32_t)(reader.at - file.data);
    *out = header;
    return GF_OK;
}

/* A varint of at most 10 bytes that is not negative; false when it is not whole or not that. */
static bool
length_read(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && *at < end; shift += 7) {
        const uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out = value >> 1;
            return (value & 1) == 0;
        }
    }
    return false;
}

enum gf_folder_block_state
gf_folder_block_read(const uint8_t *file, uint64_t size, uint64_t position,
                     const uint8_t sync[GF_FOLDER_SYNC_SIZE], struct gf_folder_block *out)
{
    assert(position <= size);
    if (position == size) {
        return GF_FOLDER_BLOCK_NONE;
    }
    const uint8_t *at = file + position, *end = file + size;
    uint64_t count = 0, data_size = 0;
    if (length_read(&at, end, &count) && length_read(&at, end, &data_size) &&
        data_size <= UINT32_MAX && count <= UINT32_MAX &&
        (uint64_t)(end - at) >= GF_FOLDER_SYNC_SIZE &&
        data_size <= (uint64_t)(end - at) - GF_FOLDER_SYNC_SIZE &&
        memcmp(at + data_size, sync, GF_FOLDER_SYNC_SIZE) == 0) {
        *out = (struct gf_folder_block){
            .count = (uint32_t)count,
            .data = gf_span_of(at, data_size),
            .position = position,
            .next = position + (uint64_t)(at - (file + position)) + data_size + GF_FOLDER_SYNC_SIZE,
        };
        return GF_FOLDER_BLOCK_WHOLE;
    }
    /* Files only grow, so a crash leaves the front of a block and nothing behind it. */
    const uint8_t *start = file + position;
    const bool is_followed = memmem(start, size - position, sync, GF_FOLDER_SYNC_SIZE) != NULL;
    return is_followed ? GF_FOLDER_BLOCK_BAD : GF_FOLDER_BLOCK_TORN;
}
