/* Shard: one shard's engine, feed and place in its journal; and recovery, the only way to start.
 *
 *     new → recover → ( batch → fold → effects and journal record to the sink → commit → sweep )*
 *
 * The journal is the authority for positions: a shard starts where its last record says, after
 * every slice of its store has been folded forward to it. Nothing is written to the store before
 * its commit was acknowledged. */
#ifndef GF_LOOP_SHARD_H
#define GF_LOOP_SHARD_H

#include "config/config.h"
#include "config/zones.h"
#include "engine/engine.h"
#include "loop/clock.h"
#include "loop/feed.h"
#include "loop/sink.h"
#include "state/store.h"

struct gf_shard_options {
    uint32_t shard, shard_count;
    bool is_arrival;
    uint32_t customers_max, timers_max;
    uint32_t batch_records;
    int64_t sweep_records; /* a full round of the slices takes at most this many records */
    bool accept_refold;    /* go on although the fold's code changed under state that is behind */
    const struct gf_config *config; /* of this start */
    const struct gf_zones *zones;
    const char *instance, *transactional_id; /* for the claim; NULL: none is written */
    void *(*reserve)(size_t size); /* zeroed memory, aligned to 4096, given back by release; NULL
                                      when there is none */
    void (*release)(void *memory, size_t size);
};

/* How far a recovery has come, for whoever shows it. */
struct gf_progress {
    void (*show)(void *context, const char *what, int64_t done, int64_t total);
    void *context;
};

struct gf_shard;

/* Makes a shard with its memory; it has folded nothing. Errors: GF_E_NO_MEMORY, GF_E_CONFIG, those
 * of the source. */
GF_MUST_USE enum gf_rc gf_shard_new(const struct gf_shard_options *options,
                                    struct gf_source *source, const struct gf_lookup *lookup,
                                    struct gf_store *store, struct gf_shard **out,
                                    struct gf_error *error);
void gf_shard_free(struct gf_shard *shard); /* accepts NULL */

/* Brings the shard to the end of its journal from what the store has. To be called again after
 * every abort or unknown outcome: it drops all memory first. `start` gives the positions of a first
 * start (journal end offset 0). Errors: GF_E_LOST (journal, inputs or batch 1 are gone: says what
 * is missing), GF_E_DAMAGED (store ahead of the journal, a hole in the journal), GF_E_VERSION
 * (fold_version or time-zone rules changed while state is behind), GF_E_DIFFERENT (a refold from
 * batch 1 gave other effects than the journal says). */
GF_MUST_USE enum gf_rc gf_shard_recover(struct gf_shard *shard, struct gf_time start,
                                        bool start_is_latest, const struct gf_progress *progress,
                                        struct gf_error *error);

/* ---- live ---- */

/* Freezes the ends at what the source has now. */
GF_MUST_USE enum gf_rc gf_shard_freeze(struct gf_shard *shard, struct gf_error *error);
/* Records up to the frozen ends that are not yet folded. */
int64_t gf_shard_lag(const struct gf_shard *shard);

/* Folds one batch, if there is one, and appends its effects and journal record to the open commit.
 * `advance_to`: wall time to move to when there is no record left (GF_TIME_NONE: none).
 * `records_out`: records folded, 0 when there was nothing. */
GF_MUST_USE enum gf_rc gf_shard_step(struct gf_shard *shard, struct gf_sink *sink,
                                     struct gf_time advance_to, uint32_t *records_out,
                                     struct gf_error *error);
/* Whether the next step would append something although no record waits: a claim, a configuration.
 */
bool gf_shard_has_news(const struct gf_shard *shard);
/* Appends a heartbeat: says that the shard lives, and which slices were swept since the last
 * record. */
GF_MUST_USE enum gf_rc gf_shard_heartbeat(struct gf_shard *shard, struct gf_sink *sink,
                                          struct gf_error *error);

/* Input positions for the lag display; returns how many. */
uint32_t gf_shard_positions(const struct gf_shard *shard, struct gf_position *out,
                            uint32_t count_max);

/* The commit that holds everything stepped so far is acknowledged: slices may be written. */
GF_MUST_USE enum gf_rc gf_shard_acknowledged(struct gf_shard *shard, struct gf_error *error);
/* Sweeps the slices that are due (or all of them that are behind). */
GF_MUST_USE enum gf_rc gf_shard_sweep(struct gf_shard *shard, bool all, struct gf_error *error);
bool gf_shard_has_swept(const struct gf_shard *shard); /* slices that no journal record names yet */

/* ---- replay ---- */

struct gf_replay_totals {
    int64_t batches, records, effects, slices;
    struct gf_time from, to; /* shard time of the first and last batch */
};
/* Folds the shard's journal from batch 1 with the sink muted and compares digests of effects and of
 * swept slices; batches whose shard time is outside [from, to) are folded but not compared. The
 * store is scratch: slices are swept where the journal says they were. Errors: GF_E_DIFFERENT names
 * the first batch that differs; else as recover. */
GF_MUST_USE enum gf_rc gf_shard_replay(struct gf_shard *shard, struct gf_time from,
                                       struct gf_time to, const struct gf_progress *progress,
                                       struct gf_replay_totals *totals_out, struct gf_error *error);

/* ---- to look at ---- */

const struct gf_engine *gf_shard_engine(const struct gf_shard *shard);
const struct gf_tally *gf_shard_tally(const struct gf_shard *shard);
int64_t gf_shard_batch(const struct gf_shard *shard);
/* Records in by input partition: conservation is checked against these. */
const struct gf_feed *gf_shard_feed(const struct gf_shard *shard);
/* Effects by output topic since the start of the process. */
const int64_t *gf_shard_effect_counts(const struct gf_shard *shard);
/* Looks one entity up after a recovery, in memory or in the store; NULL when there is none. */
GF_MUST_USE enum gf_rc gf_shard_look(struct gf_shard *shard, enum gf_entity_kind kind,
                                     struct gf_span key, const struct gf_entity **out,
                                     struct gf_error *error);

#endif
