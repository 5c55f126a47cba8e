/* Any bytes as a container file of the folder log. A file without a readable header is taken as
 * blocks all the same: the first byte says the codec, the next 16 are the marker. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/records.h"
#include "io/folder_container.h"
#include "io/folder_envelope.h"

#define BLOCK_SIZE_MAX   (1 << 20)
#define HEADER_COUNT_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
span_check(struct gf_span inner, struct gf_span outer)
{
    assert(inner.size == 0 ||
           (inner.data >= outer.data && inner.data + inner.size <= outer.data + outer.size));
}

static void
records_check(struct gf_span records, uint32_t count)
{
    const struct gf_topic_info *info = &gf_topics[GF_TOPIC_METER_READINGS];
    const struct gf_folder_value value = {.schema_id = info->schema_id, .skip = info->skip};
    struct gf_reader reader = gf_reader_of(records);
    for (uint32_t i = 0; i < count; i++) {
        struct gf_record record;
        struct gf_span headers = {NULL, 0};
        const uint8_t *before = reader.at;
        if (gf_folder_envelope_read(&reader, &value, &record, &headers) != GF_OK) {
            return;
        }
        assert(reader.at > before && reader.at <= reader.end);
        span_check(record.key, records);
        span_check(record.value, records);
        span_check(headers, records);
        if (record.header_count > 0 && record.header_count <= HEADER_COUNT_MAX) {
            struct gf_header items[HEADER_COUNT_MAX];
            const enum gf_rc rc = gf_folder_headers_read(headers, items, record.header_count);
            assert(rc == GF_OK);
        }
    }
}

static void
block_check(enum gf_folder_codec codec, const struct gf_folder_block *block)
{
    if (codec == GF_FOLDER_CODEC_NULL) {
        records_check(block->data, block->count);
        return;
    }
    struct gf_error error;
    uint8_t *unpacked = NULL, start[32];
    size_t size = 0, start_size = 0;
    const enum gf_rc peek_rc =
        gf_folder_peek(codec, block->data, start, sizeof start, &start_size, &error);
    if (gf_folder_decompress(codec, block->data, BLOCK_SIZE_MAX, &unpacked, &size, &error) ==
        GF_OK) {
        assert(size <= BLOCK_SIZE_MAX);
        assert(peek_rc == GF_OK && start_size == (size < sizeof start ? size : sizeof start));
        assert(start_size == 0 || memcmp(start, unpacked, start_size) == 0);
        records_check(gf_span_of(unpacked, size), block->count);
        free(unpacked);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gf_folder_header header = {.size = 0};
    struct gf_error error;
    if (size > UINT32_MAX) {
        return 0;
    }
    if (gf_folder_header_read(gf_span_of(data, size), &header, &error) != GF_OK) {
        if (size < 1 + GF_FOLDER_SYNC_SIZE) {
            return 0;
        }
        header.codec = (enum gf_folder_codec)(data[0] % 3);
        memcpy(header.sync, data + 1, GF_FOLDER_SYNC_SIZE);
        header.size = 1 + GF_FOLDER_SYNC_SIZE;
    }
    assert(header.size <= size);
    struct gf_folder_block block;
    for (uint64_t position = header.size;
         gf_folder_block_read(data, size, position, header.sync, &block) == GF_FOLDER_BLOCK_WHOLE;
         position = block.next) {
        assert(block.next > position && block.next <= size);
        block_check(header.codec, &block);
    }
    return 0;
}
