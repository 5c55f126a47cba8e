/* Replay with more to it than digests: the log's own outputs compared on the way, or a stop before
 * one batch to look at what it does. The plain one is gf_shard_replay (shard.h). */
#ifndef GF_LOOP_REPLAY_H
#define GF_LOOP_REPLAY_H

#include "loop/compare.h"
#include "loop/journal.h"
#include "loop/shard.h"

struct gf_replay_options {
    struct gf_time from, to;            /* as in gf_shard_replay */
    const struct gf_progress *progress; /* may be NULL */
    struct gf_compare *compare;         /* NULL: digests alone */

    /* The batch before which to stop; 0: none. The shard is then as it was before this batch, and
     * `at_batch` may fold it: `record` is its journal record. */
    int64_t stop_at;
    enum gf_rc (*at_batch)(void *context, struct gf_shard *shard, const struct gf_journal *record,
                           struct gf_error *error);
    void *context;
};

/* As gf_shard_replay. Errors also: GF_E_NOT_FOUND (the journal has no batch `stop_at`), and those
 * of `compare` and `at_batch`. */
GF_MUST_USE enum gf_rc gf_shard_replay_as(struct gf_shard *shard,
                                          const struct gf_replay_options *options,
                                          struct gf_replay_totals *totals_out,
                                          struct gf_error *error);

#endif
