/* Engine: the fold of one shard. A batch in; state changed, effects out. No clock, file, thread or
 * heap: memory is lent at init, state comes from and goes to the store by way of the caller.
 *
 *     gf_engine_configure                       once, and again at each CONFIG record
 *     loop: gf_engine_wanted  → caller asks the store → gf_engine_load     (entities that are not
 * in memory) gf_engine_fold    → effects                                    (the batch)
 *           gf_engine_sweep   → blocks of one slice → store → gf_engine_swept
 *
 * A refold (recovery) is the same call: events and timers touch only slices whose number is below
 * the batch's. */
#ifndef GF_ENGINE_ENGINE_H
#define GF_ENGINE_ENGINE_H

#include "base/civil.h"
#include "base/hash.h"
#include "feature/feature.h"
#include "operator/operator.h"
#include "order/batch.h"
#include "state/hot.h"
#include "state/store.h"
#include "state/timer.h"

/* Version of the fold's code: a change of it changes what the same input gives. */
#define GF_FOLD_VERSION 1

#define GF_OPERATOR_COUNT_MAX 16

/* Everything that decides what a batch does to the state, besides the batch and the state. Lent
 * until it is replaced. */
struct gf_fold_config {
    const struct gf_feature_params *features;
    const void *operator_params[GF_OPERATOR_COUNT_MAX];
    bool operator_enabled[GF_OPERATOR_COUNT_MAX];
    struct gf_duration lateness; /* timers due before shard time - lateness fire */
    bool check_partition;        /* a key on the wrong partition is a dead letter */
    const struct gf_zone *zones; /* sorted by low half of gf_hash64 of the name */
    const uint32_t *zone_hashes;
    uint32_t zone_count;
    const struct gf_zone *default_zone;
    uint64_t config_hash, model_hash;
};

struct gf_engine_options {
    uint32_t shard;            /* stage * shard_count + partition: see codec/stage.h */
    uint32_t shard_count;      /* of one stage: the partitions of its input topics */
    uint32_t entity_count_max; /* in memory */
    uint32_t timer_count_max;
    uint32_t effect_bytes_max; /* of one batch */
    struct gf_reference_options reference;
};

struct gf_engine;

size_t gf_engine_size(const struct gf_engine_options *options);
/* In the caller's memory, which is zero and aligned to 64. */
struct gf_engine *gf_engine_init(void *memory, const struct gf_engine_options *options);
/* Forgets everything but the options: the state before batch 1. */
void gf_engine_reset(struct gf_engine *engine);

/* Errors: GF_E_CONFIG. */
GF_MUST_USE enum gf_rc gf_engine_configure(struct gf_engine *engine,
                                           const struct gf_fold_config *config,
                                           struct gf_error *error);

/* ---- where the state comes from ---- */

/* Tells the engine what the store has of each slice, before anything else after init or reset;
 * loads the timers. The packed timers are copied. Errors: GF_E_NO_MEMORY, GF_E_STATE (timers that
 * cannot be read). */
GF_MUST_USE enum gf_rc gf_engine_open_slice(struct gf_engine *engine, uint32_t slice,
                                            const struct gf_slice_meta *meta, struct gf_span timers,
                                            struct gf_error *error);

/* Entities that the batch (or timers that it can make due) needs and that are in the store, not in
 * memory: their kind and key into `wanted_out`, their slices beside. At most `count_max`, which is
 * at least 2 * GF_BATCH_COUNT_MAX; returns how many. The spans live as long as the batch. */
uint32_t gf_engine_wanted(struct gf_engine *engine, const struct gf_batch *batch,
                          struct gf_store_block *wanted_out, uint32_t *slices_out,
                          uint32_t count_max);
/* Takes an entity's record into memory, checked (size, checksum, key, version).
 * Errors: GF_E_STATE (the store is damaged), GF_E_VERSION, GF_E_NO_MEMORY (too many entities for
 * entity_count_max). */
GF_MUST_USE enum gf_rc gf_engine_load(struct gf_engine *engine, const struct gf_store_block *block,
                                      struct gf_error *error);

/* ---- the fold ---- */

struct gf_effect {
    int32_t topic;            /* enum gf_topic */
    uint32_t partition;       /* where it is to be written */
    struct gf_time time;      /* event or due time */
    struct gf_span key, body; /* in the engine's memory until the next fold */
};

struct gf_effects {
    const struct gf_effect *items;
    uint32_t count;
    struct gf_digest digest; /* over topic, time, key, body of each, in order */
};

/* Folds a batch. `is_refold`: only slices behind the batch are touched, and effects are not asked
 * for (they are then incomplete). Errors are STOP errors: GF_E_NO_MEMORY (entities, timers,
 * effects), GF_E_DAMAGED (a slice ahead of a batch that is no refold), GF_E_STATE (a timer that its
 * slice has seen). The engine must then be thrown away. */
GF_MUST_USE enum gf_rc gf_engine_fold(struct gf_engine *engine, const struct gf_batch *batch,
                                      bool is_refold, struct gf_effects *effects_out,
                                      struct gf_error *error);

/* After a fold of the first events of `batch`: says that it is not over, so that the next fold may
 * bring the events behind them. Any cut into folds gives the same effects. */
void gf_engine_reopen(struct gf_engine *engine, int64_t batch);

/* Takes reference records alone, without visiting entities: rebuilds the tables before a refold. */
GF_MUST_USE enum gf_rc gf_engine_learn(struct gf_engine *engine, const struct gf_batch_event *event,
                                       struct gf_error *error);

struct gf_time gf_engine_shard_time(const struct gf_engine *engine);
void gf_engine_set_shard_time(struct gf_engine *engine, struct gf_time time);
const struct gf_tally *gf_engine_tally(const struct gf_engine *engine);
void gf_engine_set_tally(struct gf_engine *engine, const struct gf_tally *tally);
const struct gf_reference *gf_engine_reference(const struct gf_engine *engine);

/* ---- where the state goes ---- */

struct gf_sweep {
    uint32_t slice;
    struct gf_slice_meta meta;           /* journal_offset is the caller's to fill */
    const struct gf_store_block *blocks; /* sorted by (kind, key); only what changed */
    uint32_t block_count;
};

/* The changed blocks of a slice as of batch `batch` with its digest. The blocks stay valid until
 * the next fold, load or sweep. Writing them is the caller's; then gf_engine_swept. Errors:
 * GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_engine_sweep(struct gf_engine *engine, uint32_t slice, int64_t batch,
                                       struct gf_sweep *sweep_out, struct gf_error *error);
/* The sweep is in the store. `evict`: its entities leave memory. */
void gf_engine_swept(struct gf_engine *engine, const struct gf_sweep *sweep, bool evict);

/* Digest of a slice as a sweep at this moment would give it. Only where all of its entities were
 * folded or loaded here. */
struct gf_digest gf_engine_slice_digest(struct gf_engine *engine, uint32_t slice);

/* Entities in memory, and of how many memory may hold. */
uint32_t gf_engine_entity_count(const struct gf_engine *engine);
bool gf_engine_is_under_pressure(const struct gf_engine *engine);
/* The slice's number: last batch it contains in memory. */
int64_t gf_engine_slice_batch(const struct gf_engine *engine, uint32_t slice);

/* One entity for inspection; NULL when it is not in memory. */
const struct gf_entity *gf_engine_find(const struct gf_engine *engine, enum gf_entity_kind kind,
                                       struct gf_span key);
/* Writes one entity as a JSON object: features and every operator's state, in words and units;
 * length as snprintf. */
size_t gf_engine_describe(const struct gf_engine *engine, const struct gf_entity *entity, char *out,
                          size_t size);

#endif
