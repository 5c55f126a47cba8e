/* A writer's schema and a record, both hostile: topic (1 byte), size of the schema (2 bytes, big
 * endian), the schema's text, the record. What decoding accepts, skipping accepts, and both end at
 * the same byte. */
#include <stdint.h>
#include <stdlib.h>

#include "codec/records.h"
#include "io/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARENA_SIZE (1 << 18)

static void
run_plan(const struct gf_plan *plan, const uint8_t *data, size_t size)
{
    static uint8_t block[ARENA_SIZE];
    struct gf_arena arena = gf_arena_of(block, sizeof(block));
    struct gf_reader reader = gf_reader_of(gf_span_of(data, size)), skipper = reader;
    void *record = malloc(plan->type->size);
    if (record == NULL) {
        return;
    }
    const enum gf_rc read = gf_plan_decode(plan, &reader, &arena, record);
    const enum gf_rc skipped = gf_plan_skip(plan, &skipper);
    free(record);
    if (read != GF_E_FULL && (read != skipped || (read == GF_OK && reader.at != skipper.at))) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    const struct gf_topic_info *topic = &gf_topics[data[0] % GF_TOPIC_COUNT];
    size_t schema_size = (size_t)data[1] << 8 | data[2];
    data += 3;
    size -= 3;
    schema_size = schema_size < size ? schema_size : size;
    struct gf_schema_entry entry = {.id = 1};
    struct gf_error error = {.text = ""};
    if (gf_schema_compile(topic, (const char *)data, schema_size, &entry, &error) != GF_OK) {
        return 0;
    }
    if (!entry.is_own) {
        run_plan(&entry.plan, data + schema_size, size - schema_size);
    }
    gf_schema_entry_fini(&entry);
    return 0;
}
