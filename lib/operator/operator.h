/* Operators: named pieces of domain logic. An operator is a value: what it reads, remembers and
 * does. The engine owns its memory, loads and saves it, counts its calls, and puts everything back
 * when it fails; the operator owns only its arithmetic. It sees the event, the features, its own
 * state and an output; it cannot reach store, clock or Kafka.
 *
 * To add one: a folder here, a schema in schemas/out, a line in registry.c, stories in
 * tests/scenario/<name>/. */
#ifndef GF_OPERATOR_OPERATOR_H
#define GF_OPERATOR_OPERATOR_H

#include "base/civil.h"
#include "base/param.h"
#include "codec/stage.h"
#include "feature/feature.h"
#include "model/event.h"
#include "state/entity.h"
#include "state/reference.h"

struct gf_out;

/* What an operator may look at. Lent for the call. */
struct gf_view {
    struct gf_time now; /* event time of the event, or due time of the timer */
    struct gf_time shard_time;
    struct gf_span entity;                     /* customer id, `tariff|area`, area or meter */
    struct gf_span source;                     /* key of the event, where that is not the entity */
    const struct gf_features *features;        /* of a customer, else NULL */
    const struct gf_contract *contract_before; /* before the event, of a customer */
    uint8_t *in_area;                          /* operator `area`'s mark of a customer */
    const struct gf_change
        *change;                /* what the event did to them; NULL for timers and tariff areas */
    const struct gf_zone *zone; /* of the customer's contract or the default; of the plan */
    const struct gf_reference *reference;
    const void *params; /* the operator's own */
};

#define GF_READS(topic) (1u << (topic))

struct gf_operator {
    const char *name, *doc;
    uint32_t reads;             /* GF_READS(topic) | … */
    enum gf_entity_kind entity; /* whose events it sees */
    struct {
        uint16_t size; /* starts as zeros */
        uint16_t version;
        /* Rewrites the state of an older version in place (`size` bytes, the rest is zero). NULL
         * while version is 1. */
        enum gf_rc (*migrate)(uint16_t version_from, void *state);
    } state;
    /* Carries records from stage to stage: not configured by itself, runs when the stage does. */
    bool is_carrier;
    enum gf_stage stage; /* runs when this one does */
    const struct gf_param *params;
    uint32_t param_count;
    uint32_t params_size;
    /* Errors of both are SKIP errors: the engine puts state, timers and effects back and writes a
     * dead letter. */
    enum gf_rc (*on_event)(const struct gf_view *view, const struct gf_event *event, void *state,
                           struct gf_out *out);
    enum gf_rc (*on_timer)(const struct gf_view *view, uint32_t timer, void *state,
                           struct gf_out *out);
    /* A sentence or two of its state in words and units, for `gridfold state get`: JSON members
     * ("\"case\": …"), no braces; returns the length as snprintf does. */
    size_t (*describe)(const struct gf_view *view, const void *state, char *text_out, size_t size);
};

extern const struct gf_operator *const gf_operators[];
extern const uint32_t gf_operator_count;

/* ---- what an operator may do; engine/out.c ---- */

/* Emits a record of an output topic. `record` is that topic's struct with everything but its
 * lineage, which is filled in here; it is encoded at once. Errors (pass on): GF_E_FULL. */
GF_MUST_USE enum gf_rc gf_out_emit(struct gf_out *out, enum gf_topic topic, void *record);

/* Sends a record of an internal topic to the stage that reads it. Errors (pass on): GF_E_FULL. */
GF_MUST_USE enum gf_rc gf_out_send(struct gf_out *out, enum gf_topic topic, struct gf_span key,
                                   const void *record);

/* Sets or moves the entity's timer `timer` (0..7) of this operator; a due time that is already past
 * fires right after the event. One due time for each timer number. */
GF_MUST_USE enum gf_rc gf_out_set_timer(struct gf_out *out, uint32_t timer, struct gf_time due);
void gf_out_clear_timer(struct gf_out *out, uint32_t timer);

/* Says why the call fails; returns `rc`. */
enum gf_rc gf_out_fail(struct gf_out *out, enum gf_rc rc, const char *format, ...) GF_PRINTF(3, 4);

/* A deterministic id from business keys: kind, entity, a time and a version. */
void gf_record_id(const char *kind, struct gf_span entity, struct gf_time time, int64_t version,
                  uint8_t out[16]);

#endif
