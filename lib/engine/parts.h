/* The engine's own struct, shared by its files: engine.c (set-up, loading), fold.c (the batch),
 * visit.c (one event at one entity), out.c (what operators may do), sweep.c (state to the store).
 */
#ifndef GF_ENGINE_PARTS_H
#define GF_ENGINE_PARTS_H

#include "base/arena.h"
#include "codec/stage.h"
#include "engine/engine.h"

#define AREA_COUNT_MAX         4096
#define TIMER_CHANGE_COUNT_MAX 64
#define EFFECT_COUNT_MAX       (1u << 20)

/* A `tariff|area` of this shard. */
struct area {
    uint8_t key[GF_ENTITY_KEY_SIZE_MAX];
    uint32_t key_size;
    char tariff_id[GF_TARIFF_ID_SIZE];
    char area_id[GF_AREA_ID_SIZE];
    char zone[GF_ZONE_ID_SIZE];
    uint64_t key_hash;
};

/* Where an event's customer is: found ahead of the fold, so that its memory is on the way. */
struct place {
    uint64_t key_hash;
    uint32_t slot;
};

/* A slot with the start of its key, big endian, so that sorting seldom touches the records. */
struct sort_entry {
    uint64_t prefix[2];
    uint32_t slot;
};

/* A timer set or cleared by a call that may still fail. */
struct timer_change {
    uint8_t id;
    bool is_set;
    struct gf_time due;
};

/* What operators write to; see operator.h. One for the engine, aimed at one entity at a time. */
struct gf_out {
    struct gf_effect *effects;
    uint32_t effect_count;
    struct gf_arena bytes;
    struct timer_change timer_changes[TIMER_CHANGE_COUNT_MAX];
    uint32_t timer_change_count;
    uint32_t operator_index;
    struct gf_span entity;
    struct gf_time now;
    struct gf_lineage lineage; /* inputs point at `range` */
    struct gf_input_range range;
    struct gf_error error;
    bool is_full; /* effects ran out: a STOP, whatever the operator made of it */
};

struct gf_engine {
    struct gf_engine_options options;
    const struct gf_fold_config *config;
    enum gf_stage stage;
    uint32_t partition;             /* shard number within the stage */
    enum gf_entity_kind kind;       /* of the stage's entities */
    bool is_placed[GF_TOPIC_COUNT]; /* its events are about the one entity that is their key */
    /* Bit i: operator i is enabled, reads the topic, and is about this kind. */
    uint32_t readers[GF_ENTITY_KIND_COUNT][GF_TOPIC_COUNT];
    struct gf_hot hot;
    struct gf_timers timers;
    struct gf_reference *reference;
    struct area *areas; /* sorted by key */
    uint32_t area_count;
    struct gf_slice_meta
        metas[GF_SLICE_COUNT]; /* as in the store; entity_count counts those in memory alone too */
    struct gf_digest sums[GF_SLICE_COUNT]; /* of entity digests as last swept or loaded */
    struct gf_digest timer_sums[GF_SLICE_COUNT];
    int64_t slice_batch[GF_SLICE_COUNT]; /* last batch folded into the slice, in memory */
    bool is_used;                        /* something was put in since the memory was zero */
    struct gf_time shard_time;
    struct gf_tally tally;
    struct gf_out out;
    /* Of the entity being folded. It is copied at every event, which is faster to a whole line. */
    _Alignas(64) struct gf_entity before;
    uint16_t state_offset[GF_OPERATOR_COUNT_MAX];
    uint8_t version_place[GF_OPERATOR_COUNT_MAX]; /* in a record's operator_versions */
    int32_t lineage_offset[GF_TOPIC_COUNT];
    struct place places[GF_BATCH_COUNT_MAX];
    uint32_t *scratch;             /* timer_count_max entries */
    struct sort_entry *sorted;     /* entity_count_max */
    struct gf_store_block *blocks; /* entity_count_max + 1 */
    uint8_t *packed_timers;
    size_t packed_timers_size;
};

/* The digest of a slice is the lane-wise sum of the digests of its parts, so that changed parts
 * alone are hashed. */
static inline void
digest_add(struct gf_digest *sum, const struct gf_digest *part, int sign)
{
    for (int lane = 0; lane < 2; lane++) {
        uint64_t a, b;
        __builtin_memcpy(&a, sum->bytes + 8 * lane, 8);
        __builtin_memcpy(&b, part->bytes + 8 * lane, 8);
        a = sign > 0 ? a + b : a - b;
        __builtin_memcpy(sum->bytes + 8 * lane, &a, 8);
    }
}

/* The digest of a record with its checksum taken as 0; the checksum is set to its first bytes, so
 * one pass over the record gives both. */
struct gf_digest entity_digest(struct gf_entity *entity);

static inline void *
operator_state(struct gf_engine *engine, struct gf_entity *entity, uint32_t index)
{
    return entity->body + engine->state_offset[index];
}

static inline struct gf_features *
features_of(struct gf_entity *entity)
{
    return (struct gf_features *)(void *)entity->body;
}

/* The slot of an entity that is in memory by now, or a new one; GF_SLOT_NONE when memory is full.
 */
uint32_t entity_find_or_add(struct gf_engine *engine, enum gf_entity_kind kind, struct gf_span key,
                            uint64_t key_hash);
/* Takes an entity away again that a failing event made. */
void entity_forget(struct gf_engine *engine, uint32_t slot);

/* Looking ahead of the fold: the index line of an event's customer, then its record. */
void place_index(struct gf_engine *engine, const struct gf_batch *batch, uint32_t index);
void place_entity(struct gf_engine *engine, const struct gf_batch *batch, uint32_t index);

/* The area with this key, or where it would stand. */
uint32_t area_find(const struct gf_engine *engine, struct gf_span key, bool *found_out);
/* Enters the `tariff|area`s of a plan that belong to this shard. Errors: GF_E_FULL. */
enum gf_rc areas_add(struct gf_engine *engine, const struct gf_tariff_plan *plan,
                     struct gf_error *error);
/* Whether a reference event concerns an area. */
bool area_concerns(const struct area *area, const struct gf_event *event);

/* Whether the index-th meter of a contract is one of this shard of the intake stage, and not the
 * same as an earlier one of the contract. */
bool meter_is_mine(const struct gf_engine *engine, const struct gf_customer_contract *contract,
                   uint32_t index);

/* One event at its customer, found or added. */
enum gf_rc visit_customer(struct gf_engine *engine, const struct gf_event *event,
                          struct place place, struct gf_error *error);
/* One event at the entity that is its key, of the area and the intake stage. */
enum gf_rc visit_keyed(struct gf_engine *engine, const struct gf_event *event, uint64_t key_hash,
                       struct gf_error *error);
/* One event at any entity without features; `outcome_out`: what the operators made of it. */
enum gf_rc visit_entity(struct gf_engine *engine, const struct gf_event *event,
                        enum gf_entity_kind kind, struct gf_span key, uint64_t key_hash,
                        enum gf_rc *outcome_out, struct gf_error *error);
enum gf_rc visit_timer(struct gf_engine *engine, const struct gf_timer *timer,
                       struct gf_error *error);
enum gf_rc visit_no_memory(const struct gf_engine *engine, struct gf_error *error);

/* Zone of an entity: of its contract (kept beside the entity) or plan, else the default. */
const struct gf_zone *entity_zone(struct gf_engine *engine, uint32_t slot);
const struct gf_zone *zone_by_hash(const struct gf_fold_config *config, uint32_t hash);

/* Aims `out` at an entity for one call to come, and undoes or confirms what the call did. */
void out_aim(struct gf_engine *engine, struct gf_span entity, struct gf_time now);
enum gf_rc out_confirm(struct gf_engine *engine, enum gf_entity_kind kind, uint64_t key_hash);

/* Writes a dead letter for a record, or for a timer (`record` NULL). */
enum gf_rc out_dead_letter(struct gf_engine *engine, const struct gf_record *record,
                           const char *code, const char *message, struct gf_time time);

#endif
