/* Any bytes as any topic's record. The first byte chooses the topic, the rest is the record. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "codec/json.h"
#include "codec/records.h"

#define INPUT_SIZE_MAX 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What we write of a record we have read must read back, to the same bytes; lengths may differ from
 * the input's, since a varint and an array have more than one form on the wire. */
static void
encode_check(const struct gf_topic_info *topic, const union gf_record_body *body)
{
    static uint8_t first[2 * INPUT_SIZE_MAX], second[2 * INPUT_SIZE_MAX],
        memory[GF_DECODE_ARENA_MULTIPLE * sizeof first];
    struct gf_writer writer = gf_writer_of(first, sizeof first);
    topic->encode(&writer, body);
    assert(!writer.overflowed);
    const size_t size = gf_writer_size(&writer);
    struct gf_arena arena = gf_arena_of(memory, sizeof memory);
    struct gf_reader reader = gf_reader_of(gf_span_of(first, size));
    union gf_record_body again;
    const int rc = topic->decode(&reader, &arena, &again);
    assert(rc == GF_OK);
    assert(gf_reader_left(&reader) == 0);
    writer = gf_writer_of(second, sizeof second);
    topic->encode(&writer, &again);
    assert(gf_writer_size(&writer) == size);
    assert(memcmp(first, second, size) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[GF_DECODE_ARENA_MULTIPLE * INPUT_SIZE_MAX];
    static char text[256];
    if (size == 0 || size > INPUT_SIZE_MAX) {
        return 0;
    }
    const struct gf_topic_info *const topic = &gf_topics[data[0] % GF_TOPIC_COUNT];
    struct gf_reader reader = gf_reader_of(gf_span_of(data + 1, size - 1)), skipping = reader;
    struct gf_arena arena = gf_arena_of(memory, GF_DECODE_ARENA_MULTIPLE * (size - 1));
    union gf_record_body body;
    const int rc = topic->decode(&reader, &arena, &body);
    const int skip_rc = topic->skip(&skipping);
    assert(rc != GF_E_FULL);
    assert(rc == skip_rc);
    if (rc == GF_OK) {
        assert(reader.at == skipping.at);
        encode_check(topic, &body);
        (void)gf_json_print(topic->type, &body, text, sizeof text);
    }
    return 0;
}
