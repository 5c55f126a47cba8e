/* Merge: the one order of events. Among the heads of a shard's input partitions the next event is
 * the least by (event time, topic rank, partition, offset); order within a partition is never
 * changed.
 *
 * A head that cannot be decoded, or that is dated more than ten minutes after its own record, sorts
 * first: it becomes a dead letter and moves no time. With `arrival` order, `control` sorts before
 * all else, so that a kill switch does not queue. A partition at its end takes no part; who decides
 * what an end is decides the mode (canonical or arrival), and the order is then a function of the
 * records alone. */
#ifndef GF_ORDER_MERGE_H
#define GF_ORDER_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/unit.h"

#define GF_MERGE_INPUT_COUNT_MAX 256

/* An event may be dated at most this long after its record's timestamp. */
#define GF_FUTURE_TOLERANCE_US (10 * GF_US_PER_MINUTE)

struct gf_merge_head {
    int64_t time_us; /* INT64_MIN sorts first, see above */
    int64_t offset;
    uint32_t rank_partition; /* rank << 24 | partition */
    bool is_there;           /* false: the partition is at its end */
};

struct gf_merge {
    struct gf_merge_head heads[GF_MERGE_INPUT_COUNT_MAX];
    uint32_t count;
};

/* Sets the head of `input`. `is_first`: refused, or a control under arrival order. `partition` <
 * 2^24. */
void gf_merge_set(struct gf_merge *merge, uint32_t input, uint32_t rank, uint32_t partition,
                  int64_t offset, struct gf_time event_time, bool is_first);
/* The partition of `input` is at its end. */
void gf_merge_end(struct gf_merge *merge, uint32_t input);

/* The input whose head is next, or UINT32_MAX when all are at their ends. */
uint32_t gf_merge_next(const struct gf_merge *merge);

/* The input whose head follows when `input` is left out, as a bound: as long as the heads of
 * `input` stay before it, they may be taken without asking again. Returns false when there is no
 * other head. */
bool gf_merge_bound(const struct gf_merge *merge, uint32_t input, struct gf_merge_head *bound_out);
/* The order of two heads. */
bool gf_merge_is_before(const struct gf_merge_head *a, const struct gf_merge_head *b);

#endif
