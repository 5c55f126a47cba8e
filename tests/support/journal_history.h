/* History: what the journals of a log say, in a form that two runs can be compared by. Each
 * function fails the running test when it does not work. */
#ifndef GF_TEST_JOURNAL_HISTORY_H
#define GF_TEST_JOURNAL_HISTORY_H

#include "state/store.h"
#include "topic_reader.h"

#define HISTORY_SHARD_COUNT_MAX 16

/* A BATCH record without the slices that it names: when a slice is swept is no part of the fold. */
struct history_batch {
    int32_t shard;
    int64_t batch;
    size_t size;
    uint8_t *bytes;
};

struct history_slice {
    int64_t batch; /* 0: never named */
    uint8_t digest[16];
};

struct history {
    struct history_batch *batches; /* by shard, then number */
    size_t batch_count;
    int64_t last[HISTORY_SHARD_COUNT_MAX]; /* batch of each shard */
    struct gf_tally tallies[HISTORY_SHARD_COUNT_MAX];
    struct history_slice slices[HISTORY_SHARD_COUNT_MAX][GF_SLICE_COUNT]; /* newest named */
    uint32_t claims, configs, heartbeats;
};

/* Checks on the way that the batches of each shard are 1, 2, 3, … */
void history_make(const struct topic_records *journal, struct history *out);
void history_free(struct history *history);

/* The same batches: inputs, times, configuration, tallies and digests of effects. */
void history_expect_equal(const struct history *left, const struct history *right);
bool history_is_swept(const struct history *history); /* as below, without a failure */
/* Every slice was named as of its shard's last batch: a start from here folds nothing again. */
void history_expect_swept(const struct history *history);
/* The state is the same, by the digests of all slices. */
void history_expect_same_state(const struct history *left, const struct history *right);

#endif
