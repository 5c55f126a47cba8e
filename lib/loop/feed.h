/* Feed: makes batches of one shard from its input partitions, in the order of order/merge.h.
 *
 * The shard's inputs are partition `shard` of every customer topic and all partitions of every
 * reference topic. Each has a position (what has been put into batches) and an end (how far batches
 * may go now). Who sets the ends decides the driver: live freezes what is there, replay sets a
 * journal record's ranges. Between these the batch is a function of the records alone. */
#ifndef GF_LOOP_FEED_H
#define GF_LOOP_FEED_H

#include "base/arena.h"
#include "loop/decode.h"
#include "loop/lookup.h"
#include "loop/source.h"
#include "order/batch.h"
#include "order/merge.h"

#define GF_FEED_RING_COUNT 512
/* A batch also ends once its values have this many bytes. */
#define GF_FEED_BATCH_BYTES_MAX (UINT32_C(8) << 20)
#define GF_FEED_VALUE_SIZE_MAX  GF_DECODE_VALUE_SIZE_MAX

struct gf_feed_input {
    struct gf_batch_input range; /* topic, partition; `to` is the position; `end` */
    int64_t read_at;             /* next offset to ask the source for */
    struct gf_record *ring;      /* records read and not yet in a batch */
    uint32_t ring_first, ring_count;
    bool has_head; /* `head` is decoded from the ring's first record, in this batch's arena */
    struct gf_batch_event head;
    /* Of a part of an internal topic, for arrival order: */
    struct gf_time newest; /* the latest event that was taken from it; GF_TIME_NONE: none yet */
    int64_t seen, came_us; /* the end as last frozen, and when that had last moved */
    bool is_awaited;       /* its writer is behind: see gf_feed_batch */
};

struct gf_feed {
    struct gf_source *source;
    struct gf_lookup lookup;
    bool is_arrival;
    uint32_t shard;
    struct gf_feed_input *inputs;
    uint32_t input_count;
    struct gf_batch_event *events;
    struct gf_record *records; /* of the batch's events: a ring moves on */
    struct gf_batch_input *ranges;
    struct gf_arena arena;
    struct gf_merge merge;
};

/* Bytes that the feed of a shard with `input_count` inputs needs. */
size_t gf_feed_size(uint32_t input_count);

/* The inputs of a shard: the topics that its stage reads while `stages` are on, in order of (topic,
 * partition). Returns how many; at most GF_MERGE_INPUT_COUNT_MAX. Errors: those of
 * source->partitions; GF_E_CONFIG (customer topics whose partition counts differ from
 * `shard_count`; the message names both). */
GF_MUST_USE enum gf_rc gf_feed_inputs(struct gf_source *source, uint32_t shard,
                                      uint32_t shard_count, uint32_t stages,
                                      struct gf_batch_input *inputs_out, uint32_t *count_out,
                                      struct gf_error *error);

/* `memory` is zero, aligned to 64. Positions are 0, ends 0. */
void gf_feed_init(struct gf_feed *feed, void *memory, struct gf_source *source,
                  const struct gf_lookup *lookup, uint32_t shard, bool is_arrival,
                  const struct gf_batch_input *inputs, uint32_t input_count);

struct gf_feed_input *gf_feed_find(struct gf_feed *feed, int32_t topic, uint32_t partition);

/* Moves an input, its end too: what was read ahead is forgotten, and it is not awaited. */
void gf_feed_seek(struct gf_feed *feed, struct gf_feed_input *input, int64_t offset, int64_t count);

/* Sets every end to what the source has now. */
GF_MUST_USE enum gf_rc gf_feed_freeze(struct gf_feed *feed, struct gf_error *error);
/* Records between positions and ends. */
int64_t gf_feed_lag(const struct gf_feed *feed);

/* No limit in time to a batch. */
#define GF_FEED_UNTIL_END ((struct gf_time){INT64_MAX})

/* The next batch up to the ends: `out` gets events and ranges (number, shard time and advance are
 * the caller's). It lives until the next call. It has at most `events_max` events, and ends before
 * the first that is dated after `until`, or after the newest event of an awaited input that is at
 * its end. Errors: those of the source and of the lookup. */
GF_MUST_USE enum gf_rc gf_feed_batch(struct gf_feed *feed, uint32_t events_max,
                                     struct gf_time until, struct gf_batch *out,
                                     struct gf_error *error);

/* The batch has been folded: its records may go. */
void gf_feed_release(struct gf_feed *feed);

#endif
