/* Hot: the entities of one shard that are in memory, found by key. Open addressing over a pool of
 * state records; the index holds half the hash beside the slot, so a look-up touches one index line
 * and then the record itself. The pool is lent by the caller; pages that are never used are never
 * touched.
 *
 * Entities are also threaded into lists by slice (the top bits of the key's hash), because a sweep
 * writes slice by slice. A slot number stays valid until the entity is dropped. */
#ifndef GF_STATE_HOT_H
#define GF_STATE_HOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/span.h"
#include "state/entity.h"
#include "state/store.h"

#define GF_SLOT_NONE UINT32_MAX

static inline uint32_t
gf_slice_of(uint64_t key_hash)
{
    return (uint32_t)(key_hash >> 58);
}
static_assert(GF_SLICE_COUNT == 64, "gf_slice_of takes the top six bits");

/* Hash of an entity's key; the kind is mixed in, so a customer may be named like a `tariff|area`.
 */
uint64_t gf_entity_hash(enum gf_entity_kind kind, struct gf_span key);

/* What is known of an entity outside its record; never stored. */
struct gf_hot_side {
    uint64_t key_hash;
    struct gf_digest
        digest;       /* of the record as it was last written or loaded; zero when it never was */
    const void *zone; /* struct gf_zone of its contract or plan; NULL until it is looked up */
    uint32_t next, previous; /* of the same slice */
    uint8_t is_used, is_dirty;
    uint8_t reserved[6];
};

struct gf_hot_bucket {
    uint32_t tag; /* low half of the hash, 0 replaced by 1; 0: empty */
    uint32_t slot;
};

struct gf_hot {
    struct gf_entity *entities;
    struct gf_hot_side *sides;
    struct gf_hot_bucket *buckets;
    uint32_t bucket_mask;
    uint32_t capacity, count;
    uint32_t unused;    /* slots never used start here */
    uint32_t free_head; /* chain of dropped slots, by side.next */
    uint32_t slice_head[GF_SLICE_COUNT];
    uint32_t slice_count[GF_SLICE_COUNT], slice_dirty[GF_SLICE_COUNT];
};

/* Bytes that gf_hot_init needs for `capacity` entities. The memory must be zero (fresh from mmap).
 */
size_t gf_hot_size(uint32_t capacity);
void gf_hot_init(struct gf_hot *hot, void *memory, uint32_t capacity);
/* Empties a table that has been used. */
void gf_hot_reset(struct gf_hot *hot);

static inline void
gf_hot_prefetch_bucket(const struct gf_hot *hot, uint64_t key_hash)
{
    __builtin_prefetch(&hot->buckets[key_hash & hot->bucket_mask], 0, 1);
}

/* Slot of the entity, or GF_SLOT_NONE. */
uint32_t gf_hot_find(const struct gf_hot *hot, enum gf_entity_kind kind, struct gf_span key,
                     uint64_t key_hash);

/* A slot for an entity that is not there, its record zeroed but for the header; GF_SLOT_NONE when
 * the pool is full. */
uint32_t gf_hot_add(struct gf_hot *hot, enum gf_entity_kind kind, struct gf_span key,
                    uint64_t key_hash);

/* Forgets an entity. Only clean ones may go. */
void gf_hot_drop(struct gf_hot *hot, uint32_t slot);

static inline void
gf_hot_touch(struct gf_hot *hot, uint32_t slot)
{
    struct gf_hot_side *side = &hot->sides[slot];
    hot->slice_dirty[gf_slice_of(side->key_hash)] += !side->is_dirty;
    side->is_dirty = 1;
}

#endif
