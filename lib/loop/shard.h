/* Shard: one shard's engine, feed and place in its journal; and recovery, the only way to start.
 *
 *     new → start → follow … → take over → follow … → live:
 *           ( batch → fold → effects and journal record to the sink → commit → sweep )*
 *
 * The journal is the authority for positions: a shard starts where its last record says, after
 * every slice of its store has been folded forward to it. Nothing is written to the store before
 * its commit was acknowledged. A standby follows and is never told to take over. */
#ifndef GF_LOOP_SHARD_H
#define GF_LOOP_SHARD_H

#include "codec/stage.h"
#include "config/config.h"
#include "config/zones.h"
#include "engine/engine.h"
#include "loop/clock.h"
#include "loop/feed.h"
#include "loop/journal.h"
#include "loop/sink.h"
#include "loop/stores.h"

struct gf_shard_options {
    uint32_t shard;       /* stage * shard_count + partition; its journal partition too */
    uint32_t shard_count; /* of one stage */
    uint32_t stages;      /* that are on: see codec/stage.h */
    bool is_arrival;
    uint32_t customers_max, timers_max;
    uint32_t batch_records;
    int64_t sweep_records; /* a full round of the slices takes at most this many records */
    struct gf_time start;  /* of a first start; GF_TIME_NONE: earliest */
    bool start_is_latest;
    bool accept_refold; /* go on although the fold's code changed under state that is behind */
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

enum gf_shard_place {
    GF_SHARD_AWAY,      /* nothing in memory that can be used */
    GF_SHARD_FOLLOWING, /* folds what the journal says, sink muted */
    GF_SHARD_LIVE,      /* at the journal's end, and ours */
};

/* Makes a shard with its memory; it has folded nothing. Errors: GF_E_NO_MEMORY, GF_E_CONFIG, those
 * of the source. */
GF_MUST_USE enum gf_rc gf_shard_new(const struct gf_shard_options *options,
                                    struct gf_source *source, const struct gf_lookup *lookup,
                                    struct gf_stores *stores, struct gf_shard **out,
                                    struct gf_error *error);
void gf_shard_free(struct gf_shard *shard); /* closes its store; accepts NULL */

/* ---- the way in ----
 *
 * Errors of all: GF_E_LOST (journal, inputs or batch 1 are gone: says what is missing), GF_E_STATE
 * (the store is damaged: condemn it and start again), GF_E_DAMAGED (store ahead of the journal, a
 * hole in the journal), GF_E_VERSION (fold_version or time-zone rules changed while state is
 * behind), GF_E_DIFFERENT (a refold from batch 1 gave other effects than the journal says), those
 * of source and stores. */

/* Drops all memory, opens the store or a snapshot, and begins to follow the journal. Also after
 * every abort and unknown outcome. */
GF_MUST_USE enum gf_rc gf_shard_start(struct gf_shard *shard, struct gf_error *error);

/* The shard is ours: asks for the journal's end. Following goes live there. To be called after the
 * assignment, never before (rule R4). */
GF_MUST_USE enum gf_rc gf_shard_take_over(struct gf_shard *shard, struct gf_error *error);

/* Follows the journal for about `records_max` input records, or until it is level, or nothing comes
 * within `wait`. Its place is LIVE when it has come to the end of a take-over. `*moved_out` false:
 * nothing came; while it is not level an open transaction may be in the way. */
GF_MUST_USE enum gf_rc gf_shard_follow(struct gf_shard *shard, int64_t records_max,
                                       struct gf_duration wait, bool *moved_out,
                                       struct gf_error *error);

/* A standby asks for the journal's end now and then; it means nothing but how far there is to go.
 */
GF_MUST_USE enum gf_rc gf_shard_standby_look(struct gf_shard *shard, struct gf_error *error);

/* All of it at once: start, take over, follow to the end. */
GF_MUST_USE enum gf_rc gf_shard_recover(struct gf_shard *shard, const struct gf_progress *progress,
                                        struct gf_error *error);

/* Closes the store, which has been found to be damaged, and puts it away. */
GF_MUST_USE enum gf_rc gf_shard_condemn(struct gf_shard *shard, const char *why,
                                        struct gf_error *error);

enum gf_shard_place gf_shard_place(const struct gf_shard *shard);
bool gf_shard_is_level(const struct gf_shard *shard);
/* How far it has followed, in journal offsets. */
void gf_shard_progress(const struct gf_shard *shard, int64_t *done_out, int64_t *total_out);
/* Records that it has folded again since gf_shard_start. */
int64_t gf_shard_refolded(const struct gf_shard *shard);
/* Says where its journal cannot be read on: GF_E_UNAVAILABLE. */
GF_MUST_USE enum gf_rc gf_shard_stuck(const struct gf_shard *shard, struct gf_error *error);

/* ---- live ---- */

/* The stage it is of. */
enum gf_stage gf_shard_stage(const struct gf_shard *shard);

/* It has gone to somebody else: nothing has to be fetched for it. */
void gf_shard_leave(struct gf_shard *shard);

/* Freezes the ends at what the source has now, at a monotonic time. Up to the next freeze no record
 * is taken that is dated after `until`; see pace.c. */
GF_MUST_USE enum gf_rc gf_shard_freeze(struct gf_shard *shard, struct gf_time until, int64_t now_us,
                                       struct gf_error *error);
/* Nothing is taken up to the next freeze. */
void gf_shard_thaw(struct gf_shard *shard);
/* The inputs that are parts of internal topics; returns how many. */
#define GF_SHARD_PARTS_MAX 64 /* partitions that a log with a second stage may have */
struct gf_shard_part {
    uint32_t input;  /* for gf_shard_await */
    uint32_t writer; /* its shard */
    int64_t came_us; /* when a freeze had last found something new; 0: never */
};
uint32_t gf_shard_parts(const struct gf_shard *shard,
                        struct gf_shard_part parts_out[static GF_SHARD_PARTS_MAX]);
/* Up to the next freeze no record is taken that is dated after the newest of this input. */
void gf_shard_await(struct gf_shard *shard, uint32_t input);
/* Records up to the frozen ends that are not yet folded. */
int64_t gf_shard_lag(const struct gf_shard *shard);

/* Folds one batch, if there is one, and appends its effects and journal record to the open commit.
 * `advance_to`: wall time to move to when there is no record left (GF_TIME_NONE: none).
 * `records_out`: records folded, 0 when there was nothing. */
GF_MUST_USE enum gf_rc gf_shard_step(struct gf_shard *shard, struct gf_sink *sink,
                                     struct gf_time advance_to, uint32_t *records_out,
                                     struct gf_error *error);
/* Whether the next step would append something although no record waits: a configuration. */
bool gf_shard_has_news(const struct gf_shard *shard);

/* Whose open transaction may keep the shard, which follows its journal, from the journal's end: of
 * owners before `generation`, the ids whose claims are not decided; else the one that the newest
 * committed claim names. Never our own. Errors: GF_E_UNAVAILABLE. */
#define GF_SHARD_HOLDERS_MAX 4
GF_MUST_USE enum gf_rc gf_shard_holders(struct gf_shard *shard, int32_t generation,
                                        char (*names_out)[GF_JOURNAL_NAME_SIZE],
                                        uint32_t *count_out, struct gf_error *error);

/* A new owner's first commit holds claims and nothing else, so that the journal always names its
 * owner. */
bool gf_shard_must_claim(const struct gf_shard *shard);
GF_MUST_USE enum gf_rc gf_shard_claim(struct gf_shard *shard, struct gf_sink *sink,
                                      int32_t generation, struct gf_error *error);
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
/* Offers the store for a snapshot, which is taken when one is due. */
GF_MUST_USE enum gf_rc gf_shard_snapshot(struct gf_shard *shard, struct gf_error *error);
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
