#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/records.h"
#include "lab.h"
#include "loop/feed.h"

#define OUTPUT_ARENA_SIZE ((size_t)1 << 20)
#define VALUE_SIZE_MAX    ((size_t)3 << 20)

static uint32_t
partition_count(const struct lab *lab, enum gf_topic topic)
{
    return gf_stages_partitions(lab->stages, topic, lab->shard_count);
}

/* The number of the index-th shard. */
static uint32_t
id_of(const struct lab *lab, uint32_t index)
{
    return gf_stages_shard(lab->stages, lab->shard_count, index);
}

/* ---- outputs ---- */

uint32_t
lab_count(const struct lab *lab, enum gf_topic topic)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < partition_count(lab, topic); i++) {
        count += gf_memory_log_count(lab->log, topic, i);
    }
    return count;
}

const struct gf_record *
lab_record(const struct lab *lab, enum gf_topic topic, uint32_t index)
{
    for (uint32_t i = 0; i < partition_count(lab, topic); i++) {
        const uint32_t count = gf_memory_log_count(lab->log, topic, i);
        if (index < count) {
            return gf_memory_log_get(lab->log, topic, i, index);
        }
        index -= count;
    }
    return NULL;
}

static void
record_decode(const struct gf_record *record, void *out)
{
    static uint64_t memory[OUTPUT_ARENA_SIZE / sizeof(uint64_t)];
    struct gf_arena arena = gf_arena_of(memory, sizeof(memory));
    struct gf_reader reader = gf_reader_of(record->value);
    assert_false(record->is_framed);
    assert_int_equal(gf_topics[record->topic].decode(&reader, &arena, out), GF_OK);
    assert_ptr_equal(reader.at, reader.end);
}

void
lab_get(const struct lab *lab, enum gf_topic topic, uint32_t index, void *out)
{
    const struct gf_record *record = lab_record(lab, topic, index);
    assert_non_null(record);
    record_decode(record, out);
}

struct gf_tally
lab_tally(const struct lab *lab)
{
    struct gf_tally total = {0};
    for (uint32_t i = 0; i < lab->shard_total; i++) {
        const struct gf_tally *tally = gf_shard_tally(lab->shards[id_of(lab, i)]);
        total.records += tally->records;
        total.processed += tally->processed;
        total.filtered += tally->filtered;
        total.late += tally->late;
        total.dead += tally->dead;
        total.effects += tally->effects;
    }
    return total;
}

/* The record's bytes with the batch's number taken out. */
static struct gf_span
batch_blot(const struct gf_record *record, enum lab_lineage lineage, uint8_t *out, size_t size)
{
    static _Alignas(8) uint8_t body[4096];
    const struct gf_topic_info *topic = &gf_topics[record->topic];
    assert_true(topic->type->size <= sizeof(body));
    record_decode(record, body);
    if (record->topic == GF_TOPIC_DEAD_LETTERS) {
        ((struct gf_dead_letter *)(void *)body)->batch = 0;
    }
    for (uint32_t i = 0; i < topic->type->field_count; i++) {
        const struct gf_field *field = &topic->type->fields[i];
        if (strcmp(field->name, "lineage") == 0) {
            struct gf_lineage *said = (struct gf_lineage *)(void *)(body + field->offset);
            said->batch = 0;
            said->inputs.count = lineage == LAB_GOOD_ALONE ? 0 : said->inputs.count;
        }
    }
    struct gf_writer writer = gf_writer_of(out, size);
    topic->encode(&writer, body);
    assert_false(writer.overflowed);
    return gf_span_of(out, gf_writer_size(&writer));
}

static bool
is_same_record(const struct gf_record *a, const struct gf_record *b, enum lab_lineage lineage)
{
    static uint8_t bytes_a[VALUE_SIZE_MAX], bytes_b[VALUE_SIZE_MAX];
    if (a == NULL || b == NULL || a->timestamp.us != b->timestamp.us || a->has_key != b->has_key ||
        !gf_span_equal(a->key, b->key)) {
        return false;
    }
    return lineage == LAB_LINEAGE_SAME
               ? gf_span_equal(a->value, b->value)
               : gf_span_equal(batch_blot(a, lineage, bytes_a, sizeof(bytes_a)),
                               batch_blot(b, lineage, bytes_b, sizeof(bytes_b)));
}

void
lab_assert_same_outputs(const struct lab *a, const struct lab *b, enum lab_lineage lineage)
{
    assert_int_equal(a->shard_count, b->shard_count);
    assert_int_equal(a->stages, b->stages);
    for (int topic = GF_TOPIC_INPUT_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        const bool is_aside = topic == GF_TOPIC_JOURNAL ||
                              (topic == GF_TOPIC_DEAD_LETTERS && lineage == LAB_GOOD_ALONE);
        for (uint32_t i = 0; !is_aside && i < partition_count(a, (enum gf_topic)topic); i++) {
            const uint32_t count_a = gf_memory_log_count(a->log, (enum gf_topic)topic, i);
            const uint32_t count_b = gf_memory_log_count(b->log, (enum gf_topic)topic, i);
            for (uint32_t k = 0; k < count_a || k < count_b; k++) {
                if (!is_same_record(gf_memory_log_get(a->log, (enum gf_topic)topic, i, k),
                                    gf_memory_log_get(b->log, (enum gf_topic)topic, i, k),
                                    lineage)) {
                    fail_msg("%s partition %u: record %u differs (%u and %u records)",
                             gf_topics[topic].name, i, k, count_a, count_b);
                }
            }
        }
    }
}

/* ---- the state ---- */

struct block_hash {
    struct gf_digest digest;
    uint64_t count;
};

static enum gf_rc
block_take(void *context, const struct gf_store_block *block, struct gf_error *error)
{
    (void)error;
    struct block_hash *hash = context;
    gf_digest_extend(&hash->digest, &block->kind, sizeof(block->kind));
    gf_digest_extend(&hash->digest, &block->key.size, sizeof(block->key.size));
    gf_digest_extend(&hash->digest, block->key.data, block->key.size);
    gf_digest_extend(&hash->digest, block->bytes.data, block->bytes.size);
    hash->count++;
    return GF_OK;
}

static struct block_hash
slice_hash(struct gf_store *store, uint32_t shard, uint32_t slice)
{
    struct gf_error error = {{0}};
    struct block_hash hash = {.digest = gf_digest_of("", 0)};
    assert_int_equal(store->ops->scan(store, shard, slice, block_take, &hash, &error), GF_OK);
    return hash;
}

void
lab_assert_same_state(const struct lab *a, const struct lab *b)
{
    struct gf_error error = {{0}};
    for (uint32_t shard = 0; shard < a->shard_end; shard++) {
        struct gf_slice_meta metas_a[GF_SLICE_COUNT], metas_b[GF_SLICE_COUNT];
        assert_int_equal(a->store->ops->metas(a->store, shard, metas_a, &error), GF_OK);
        assert_int_equal(b->store->ops->metas(b->store, shard, metas_b, &error), GF_OK);
        for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
            const struct block_hash hash_a = slice_hash(a->store, shard, slice);
            const struct block_hash hash_b = slice_hash(b->store, shard, slice);
            if (memcmp(metas_a[slice].digest.bytes, metas_b[slice].digest.bytes, GF_DIGEST_SIZE) !=
                    0 ||
                metas_a[slice].entity_count != metas_b[slice].entity_count ||
                hash_a.count != hash_b.count ||
                memcmp(hash_a.digest.bytes, hash_b.digest.bytes, GF_DIGEST_SIZE) != 0) {
                fail_msg(
                    "shard %u slice %u: %u and %u blocks, %u and %u entities, or their digests",
                    shard, slice, (unsigned)hash_a.count, (unsigned)hash_b.count,
                    (unsigned)metas_a[slice].entity_count, (unsigned)metas_b[slice].entity_count);
            }
        }
    }
}

void
lab_assert_conserved(const struct lab *lab)
{
    for (uint32_t i = 0; i < lab->shard_total; i++) {
        const struct gf_tally *tally = gf_shard_tally(lab->shards[id_of(lab, i)]);
        const struct gf_feed *feed = gf_shard_feed(lab->shards[id_of(lab, i)]);
        int64_t taken = 0;
        assert_int_equal(tally->records,
                         tally->processed + tally->filtered + tally->late + tally->dead);
        for (uint32_t k = 0; k < feed->input_count; k++) {
            const struct gf_batch_input *input = &feed->inputs[k].range;
            assert_int_equal(
                input->count,
                gf_memory_log_count(lab->log, (enum gf_topic)input->topic, input->partition));
            taken += input->count;
        }
        assert_int_equal(tally->records, taken);
    }
}
