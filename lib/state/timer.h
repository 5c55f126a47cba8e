/* Timers of one shard, ordered by (due, entity, timer). A heap of nodes in the caller's memory,
 * with a table by (entity, timer), so that setting a timer again moves it. Timers outlive the
 * memory of their entity: a cold customer's timer fires. */
#ifndef GF_STATE_TIMER_H
#define GF_STATE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/unit.h"
#include "state/entity.h"

#define GF_TIMERS_PER_OPERATOR 8

struct gf_timer {
    struct gf_time due;
    uint64_t key_hash; /* of the entity, as gf_entity_hash */
    uint8_t kind;      /* of the entity */
    uint8_t key_size;
    uint8_t id; /* operator index * GF_TIMERS_PER_OPERATOR + the operator's timer number */
    uint8_t key[GF_ENTITY_KEY_SIZE_MAX];
    uint32_t chain_next; /* same bucket */
    uint32_t heap_at;    /* place in the heap */
};

struct gf_timers {
    struct gf_timer *nodes;
    uint32_t *heap;    /* node indexes */
    uint32_t *buckets; /* node index + 1 by the top bits of key_hash; 0 empty */
    uint32_t bucket_mask;
    uint32_t capacity, count, unused, free_head;
};

size_t gf_timers_size(uint32_t capacity);
void gf_timers_init(struct gf_timers *timers, void *memory,
                    uint32_t capacity); /* memory must be zero */
void gf_timers_reset(struct gf_timers *timers);

/* Sets or moves. Errors: GF_E_FULL. */
GF_MUST_USE enum gf_rc gf_timers_set(struct gf_timers *timers, enum gf_entity_kind kind,
                                     struct gf_span key, uint64_t key_hash, uint8_t id,
                                     struct gf_time due);
void gf_timers_clear(struct gf_timers *timers, enum gf_entity_kind kind, struct gf_span key,
                     uint64_t key_hash, uint8_t id);
/* Due time of a timer; false when it is not set. */
bool gf_timers_find(const struct gf_timers *timers, enum gf_entity_kind kind, struct gf_span key,
                    uint64_t key_hash, uint8_t id, struct gf_time *due_out);

/* The first timer in order, NULL when there is none. Lent until the next change. */
const struct gf_timer *gf_timers_first(const struct gf_timers *timers);

/* Calls `visit` for each timer due before `before`, in no order; used to fetch cold entities ahead.
 */
void gf_timers_due(const struct gf_timers *timers, struct gf_time before,
                   void (*visit)(void *context, const struct gf_timer *timer), void *context);

/* Order of two timers by (due, entity key, kind, id). */
int gf_timer_compare(const struct gf_timer *a, const struct gf_timer *b);

/* Writes all timers of `slice` in order into `out` (12 + key bytes each: due, id, kind, key),
 * returns the size they need; 0 when there are none. Nothing is written when it does not fit.
 * `scratch` sorts: capacity entries. */
size_t gf_timers_pack(const struct gf_timers *timers, uint32_t slice, uint32_t *scratch,
                      uint8_t *out, size_t size);
/* Adds what gf_timers_pack wrote. Errors: GF_E_DAMAGED, GF_E_FULL. */
GF_MUST_USE enum gf_rc gf_timers_unpack(struct gf_timers *timers, struct gf_span packed);

#endif
