/* Explain: folds a shard again to just before the event that made one output, looks, folds that
 * event alone, and looks again. */
#ifndef GF_LOOP_EXPLAIN_H
#define GF_LOOP_EXPLAIN_H

#include "loop/replay.h"

/* Text of an entity as gf_engine_describe gives it, and room for it. */
#define GF_EXPLAIN_TEXT_SIZE ((size_t)256 << 10)

struct gf_explained {
    const struct gf_journal *journal;
    const struct gf_batch *batch; /* whole, with its input ranges */
    const struct gf_batch_event
        *event; /* that made it; NULL: wall time moved on and a timer fired */
    uint32_t event_index;
    const struct gf_effect *effect; /* what the refold emitted; NULL: no such record */
    bool is_same;                   /* key, time and bytes as on the log */
    bool is_timer;                  /* a timer made it, which the event (or wall time) let go off */
    struct gf_time shard_time_before, shard_time_after;
    enum gf_entity_kind entity;          /* what the output is about; GF_ENTITY_NONE: not known */
    const char *before, *after;          /* JSON; NULL: the entity was not known */
    const struct gf_fold_config *config; /* in force then */
    uint64_t config_hash;
};

struct gf_explain {
    /* What is to be explained: an output with a lineage, decoded. */
    const struct gf_record *record;
    const struct gf_lineage *lineage;
    char *text; /* 2 * GF_EXPLAIN_TEXT_SIZE, the caller's */
    /* The shard's store is a snapshot from before the batch, to go on from. Where that does not
     * serve (damage, another log's, other zone rules since, other bytes come out), it is condemned,
     * `passed_over` is told why, and batch 1 is gone on from. */
    bool has_snapshot;
    void (*passed_over)(void *context, const char *why); /* not NULL with a snapshot */
    const struct gf_progress *progress;
    /* Called once; all of `explained` lives during the call. */
    void (*show)(void *context, const struct gf_explained *explained);
    void *context;
};

/* The lineage of a decoded output; NULL where its topic has none. */
const struct gf_lineage *gf_lineage_of(enum gf_topic topic, const void *body);

/* On the shard of the lineage, over an empty store or a snapshot. Errors: those of
 * gf_shard_replay_as (the refold must have agreed with the journal so far); GF_E_DAMAGED (the
 * lineage names no record of its batch: the output was altered). */
GF_MUST_USE enum gf_rc gf_shard_explain(struct gf_shard *shard, const struct gf_explain *explain,
                                        struct gf_error *error);

#endif
