#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/records.h"
#include "codec/wire.h"
#include "journal_history.h"

#define ARENA_SIZE (8 << 20)

static void
batch_add(struct history *history, const struct gf_journal *record)
{
    static uint8_t bytes[1 << 20];
    struct gf_journal bare = *record;
    bare.slices.count = 0;
    struct gf_writer writer = gf_writer_of(bytes, sizeof(bytes));
    gf_topics[GF_TOPIC_JOURNAL].encode(&writer, &bare);
    const size_t size = gf_writer_size(&writer);
    assert_in_range(size, 1, sizeof(bytes) - 1);
    struct history_batch *batch = &history->batches[history->batch_count++];
    *batch = (struct history_batch){
        .shard = record->shard, .batch = record->batch, .size = size, .bytes = malloc(size)};
    assert_non_null(batch->bytes);
    memcpy(batch->bytes, bytes, size);
    if (record->batch != history->last[record->shard] + 1) {
        fail_msg("shard %d: batch %" PRId64 " follows batch %" PRId64, record->shard, record->batch,
                 history->last[record->shard]);
    }
    history->last[record->shard] = record->batch;
    history->tallies[record->shard] = record->tally;
}

void
history_make(const struct topic_records *journal, struct history *out)
{
    void *memory = malloc(ARENA_SIZE);
    struct gf_arena arena = gf_arena_of(memory, ARENA_SIZE);
    *out = (struct history){.batches = calloc(journal->count + 1, sizeof(*out->batches))};
    assert_non_null(out->batches);
    for (size_t i = 0; i < journal->count; i++) {
        struct gf_journal record;
        topic_record_journal(&journal->items[i], &arena, &record);
        assert_in_range(record.shard, 0, HISTORY_SHARD_COUNT_MAX - 1);
        assert_int_equal(record.shard, journal->items[i].partition);
        out->claims += record.kind == GF_JOURNAL_KIND_CLAIM;
        out->configs += record.kind == GF_JOURNAL_KIND_CONFIG;
        out->heartbeats += record.kind == GF_JOURNAL_KIND_HEARTBEAT;
        if (record.kind == GF_JOURNAL_KIND_BATCH) {
            batch_add(out, &record);
        }
        for (uint32_t slice = 0; slice < record.slices.count; slice++) {
            const struct gf_swept_slice *swept = &record.slices.items[slice];
            assert_in_range(swept->slice, 0, GF_SLICE_COUNT - 1);
            struct history_slice *named = &out->slices[record.shard][swept->slice];
            if (swept->batch == named->batch) {
                assert_memory_equal(named->digest, swept->digest, sizeof(named->digest));
            }
            if (swept->batch >= named->batch) { /* another store may still name an older one */
                named->batch = swept->batch;
                memcpy(named->digest, swept->digest, sizeof(named->digest));
            }
        }
    }
    free(memory);
}

void
history_free(struct history *history)
{
    for (size_t i = 0; i < history->batch_count; i++) {
        free(history->batches[i].bytes);
    }
    free(history->batches);
    *history = (struct history){0};
}

void
history_expect_equal(const struct history *left, const struct history *right)
{
    for (size_t i = 0; i < left->batch_count && i < right->batch_count; i++) {
        const struct history_batch *a = &left->batches[i], *b = &right->batches[i];
        if (a->shard != b->shard || a->batch != b->batch || a->size != b->size ||
            memcmp(a->bytes, b->bytes, a->size) != 0) {
            fail_msg("shard %d batch %" PRId64 " differs (the other is shard %d batch %" PRId64 ")",
                     a->shard, a->batch, b->shard, b->batch);
        }
    }
    assert_int_equal(left->batch_count, right->batch_count);
}

bool
history_is_swept(const struct history *history)
{
    for (int32_t shard = 0; shard < HISTORY_SHARD_COUNT_MAX; shard++) {
        for (int slice = 0; history->last[shard] > 0 && slice < GF_SLICE_COUNT; slice++) {
            if (history->slices[shard][slice].batch != history->last[shard]) {
                return false;
            }
        }
    }
    return true;
}

void
history_expect_swept(const struct history *history)
{
    for (int32_t shard = 0; shard < HISTORY_SHARD_COUNT_MAX; shard++) {
        for (int slice = 0; history->last[shard] > 0 && slice < GF_SLICE_COUNT; slice++) {
            if (history->slices[shard][slice].batch != history->last[shard]) {
                fail_msg("shard %d slice %d was last named at batch %" PRId64 ", not %" PRId64,
                         shard, slice, history->slices[shard][slice].batch, history->last[shard]);
            }
        }
    }
}

void
history_expect_same_state(const struct history *left, const struct history *right)
{
    assert_memory_equal(left->last, right->last, sizeof(left->last));
    for (int32_t shard = 0; shard < HISTORY_SHARD_COUNT_MAX; shard++) {
        for (int slice = 0; slice < GF_SLICE_COUNT; slice++) {
            const struct history_slice *a = &left->slices[shard][slice],
                                       *b = &right->slices[shard][slice];
            if (a->batch != b->batch || memcmp(a->digest, b->digest, sizeof(a->digest)) != 0) {
                fail_msg("shard %d slice %d differs (batches %" PRId64 " and %" PRId64 ")", shard,
                         slice, a->batch, b->batch);
            }
        }
    }
}
