/* Batch: a run of the merge, at most 4,096 records, with one journal record. It is the unit of
 * folding and committing; any cut into batches gives the same effects (lineage aside). */
#ifndef GF_ORDER_BATCH_H
#define GF_ORDER_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/event.h"
#include "order/merge.h"

#define GF_BATCH_COUNT_MAX 4096

struct gf_batch_event {
    struct gf_event event; /* body is NULL when refused */
    enum gf_rc refusal;    /* GF_OK, or why the record becomes a dead letter before any fold */
    const char *reason;    /* text of the refusal, in the batch's memory */
};

/* One input partition of the shard: where the batch starts and ends in it. */
struct gf_batch_input {
    int32_t topic; /* enum gf_topic */
    uint32_t partition;
    int64_t from, to; /* offsets, half open */
    int64_t count;    /* records taken since the beginning, this batch included */
    int64_t end;      /* end that was frozen for this batch */
};

struct gf_batch {
    int64_t number;            /* from 1 */
    struct gf_time shard_time; /* at its start */
    bool has_advance;
    struct gf_time advance_to; /* wall time, journalled; fires timers after the last event */
    struct gf_batch_event *events;
    uint32_t event_count;
    const struct gf_batch_input *inputs;
    uint32_t input_count;
};

#endif
