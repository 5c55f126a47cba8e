/* Slice: what a store holds of one slice, and whether that is what its meta says. No engine is
 * needed for it: a recovery checks a slice before it uses any of it, `gridfold state verify` checks
 * all of them beside a running program, a snapshot is checked before it counts as one. */
#ifndef GF_ENGINE_SLICE_H
#define GF_ENGINE_SLICE_H

#include "state/store.h"

/* What a scan of a slice has come to. */
struct gf_slice_sum {
    struct gf_digest digest; /* as a sweep makes it: the sum over entities and timers */
    uint64_t entity_count;
    uint64_t block_count, bytes; /* with the timers */
};

/* Reads every block of a slice and the checksum and key of every entity. Errors: GF_E_STATE (names
 * the entity), those of the store. */
GF_MUST_USE enum gf_rc gf_slice_scan(struct gf_store *store, uint32_t shard, uint32_t slice,
                                     struct gf_slice_sum *out, struct gf_error *error);

/* Whether the sum is what `meta`, of the same state of the store, says. Errors: GF_E_STATE, with
 * both numbers. */
GF_MUST_USE enum gf_rc gf_slice_compare(uint32_t shard, uint32_t slice,
                                        const struct gf_slice_meta *meta,
                                        const struct gf_slice_sum *sum, struct gf_error *error);

/* Both. */
GF_MUST_USE enum gf_rc gf_slice_check(struct gf_store *store, uint32_t shard, uint32_t slice,
                                      const struct gf_slice_meta *meta, struct gf_error *error);

#endif
