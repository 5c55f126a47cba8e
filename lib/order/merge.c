#include "order/merge.h"

#include <assert.h>

bool
gf_merge_is_before(const struct gf_merge_head *a, const struct gf_merge_head *b)
{
    if (a->time_us != b->time_us) {
        return a->time_us < b->time_us;
    }
    if (a->rank_partition != b->rank_partition) {
        return a->rank_partition < b->rank_partition;
    }
    return a->offset < b->offset;
}

void
gf_merge_set(struct gf_merge *merge, uint32_t input, uint32_t rank, uint32_t partition,
             int64_t offset, struct gf_time event_time, bool is_first)
{
    assert(input < merge->count);
    assert(rank < 256);
    assert(partition < (1u << 24));
    merge->heads[input] = (struct gf_merge_head){.time_us = is_first ? INT64_MIN : event_time.us,
                                                 .offset = offset,
                                                 .rank_partition = rank << 24 | partition,
                                                 .is_there = true};
}

void
gf_merge_end(struct gf_merge *merge, uint32_t input)
{
    assert(input < merge->count);
    merge->heads[input].is_there = false;
}

static uint32_t
next_except(const struct gf_merge *merge, uint32_t except)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < merge->count; i++) {
        if (i != except && merge->heads[i].is_there &&
            (least == UINT32_MAX || gf_merge_is_before(&merge->heads[i], &merge->heads[least]))) {
            least = i;
        }
    }
    return least;
}

uint32_t
gf_merge_next(const struct gf_merge *merge)
{
    return next_except(merge, UINT32_MAX);
}

bool
gf_merge_bound(const struct gf_merge *merge, uint32_t input, struct gf_merge_head *bound_out)
{
    const uint32_t other = next_except(merge, input);
    if (other == UINT32_MAX) {
        return false;
    }
    *bound_out = merge->heads[other];
    return true;
}
