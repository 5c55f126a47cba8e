#include "state/hot.h"

#include <string.h>

static uint32_t
bucket_count_of(uint32_t capacity)
{
    uint32_t count = 64;
    while (count < capacity * 2u && count < (1u << 31)) {
        count *= 2;
    }
    return count;
}

static uint32_t
tag_of(uint64_t key_hash)
{
    const uint32_t tag =
        (uint32_t)(key_hash >>
                   26); /* neither the bucket's low bits alone nor the slice's bits alone */
    return tag == 0 ? 1 : tag;
}

uint64_t
gf_entity_hash(enum gf_entity_kind kind, struct gf_span key)
{
    return gf_hash64(key.data, key.size, kind);
}

static size_t
align64(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

size_t
gf_hot_size(uint32_t capacity)
{
    return (size_t)capacity * sizeof(struct gf_entity) +
           align64((size_t)capacity * sizeof(struct gf_hot_side)) +
           align64((size_t)bucket_count_of(capacity) * sizeof(struct gf_hot_bucket));
}

void
gf_hot_init(struct gf_hot *hot, void *memory, uint32_t capacity)
{
    assert(capacity > 0);
    assert(capacity < (1u << 30));
    uint8_t *at = memory;
    *hot = (struct gf_hot){.capacity = capacity, .free_head = GF_SLOT_NONE};
    hot->entities = (struct gf_entity *)(void *)at;
    at += (size_t)capacity * sizeof(struct gf_entity);
    hot->sides = (struct gf_hot_side *)(void *)at;
    at += align64((size_t)capacity * sizeof(struct gf_hot_side));
    hot->buckets = (struct gf_hot_bucket *)(void *)at;
    hot->bucket_mask = bucket_count_of(capacity) - 1;
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        hot->slice_head[slice] = GF_SLOT_NONE;
    }
}

void
gf_hot_reset(struct gf_hot *hot)
{
    memset(hot->buckets, 0, ((size_t)hot->bucket_mask + 1) * sizeof(*hot->buckets));
    hot->count = 0;
    hot->unused = 0;
    hot->free_head = GF_SLOT_NONE;
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        hot->slice_head[slice] = GF_SLOT_NONE;
        hot->slice_count[slice] = 0;
        hot->slice_dirty[slice] = 0;
    }
}

uint32_t
gf_hot_find(const struct gf_hot *hot, enum gf_entity_kind kind, struct gf_span key,
            uint64_t key_hash)
{
    const uint32_t tag = tag_of(key_hash);
    for (uint32_t at = (uint32_t)key_hash & hot->bucket_mask;; at = (at + 1) & hot->bucket_mask) {
        const struct gf_hot_bucket *bucket = &hot->buckets[at];
        if (bucket->tag == 0) {
            return GF_SLOT_NONE;
        }
        if (bucket->tag != tag) {
            continue;
        }
        const struct gf_entity_header *header = &hot->entities[bucket->slot].header;
        if (header->kind == kind && header->key_size == key.size &&
            memcmp(header->key, key.data, key.size) == 0) {
            return bucket->slot;
        }
    }
}

static uint32_t
slot_take(struct gf_hot *hot)
{
    if (hot->free_head != GF_SLOT_NONE) {
        const uint32_t slot = hot->free_head;
        hot->free_head = hot->sides[slot].next;
        return slot;
    }
    return hot->unused < hot->capacity ? hot->unused++ : GF_SLOT_NONE;
}

uint32_t
gf_hot_add(struct gf_hot *hot, enum gf_entity_kind kind, struct gf_span key, uint64_t key_hash)
{
    assert(key.size > 0);
    assert(key.size <= GF_ENTITY_KEY_SIZE_MAX);
    const uint32_t slot = slot_take(hot);
    if (slot == GF_SLOT_NONE) {
        return GF_SLOT_NONE;
    }
    uint32_t at = (uint32_t)key_hash & hot->bucket_mask;
    while (hot->buckets[at].tag != 0) {
        at = (at + 1) & hot->bucket_mask;
    }
    hot->buckets[at] = (struct gf_hot_bucket){.tag = tag_of(key_hash), .slot = slot};

    struct gf_entity *entity = &hot->entities[slot];
    memset(entity, 0, sizeof(*entity));
    entity->header.version = GF_ENTITY_VERSION;
    entity->header.kind = (uint8_t)kind;
    entity->header.key_size = (uint8_t)key.size;
    memcpy(entity->header.key, key.data, key.size);

    const uint32_t slice = gf_slice_of(key_hash);
    const uint32_t next = hot->slice_head[slice];
    hot->sides[slot] = (struct gf_hot_side){
        .key_hash = key_hash, .next = next, .previous = GF_SLOT_NONE, .is_used = 1};
    if (next != GF_SLOT_NONE) {
        hot->sides[next].previous = slot;
    }
    hot->slice_head[slice] = slot;
    hot->slice_count[slice]++;
    hot->count++;
    return slot;
}

/* Removes a bucket and moves those after it back, so that no look-up meets a hole (Knuth 6.4,
 * algorithm R). */
static void
bucket_remove(struct gf_hot *hot, uint32_t at)
{
    uint32_t hole = at;
    for (uint32_t next = (hole + 1) & hot->bucket_mask; hot->buckets[next].tag != 0;
         next = (next + 1) & hot->bucket_mask) {
        const uint32_t home =
            (uint32_t)hot->sides[hot->buckets[next].slot].key_hash & hot->bucket_mask;
        if (((next - home) & hot->bucket_mask) >= ((next - hole) & hot->bucket_mask)) {
            hot->buckets[hole] = hot->buckets[next];
            hole = next;
        }
    }
    hot->buckets[hole] = (struct gf_hot_bucket){0};
}

void
gf_hot_drop(struct gf_hot *hot, uint32_t slot)
{
    struct gf_hot_side *side = &hot->sides[slot];
    assert(side->is_used);
    assert(!side->is_dirty);
    uint32_t at = (uint32_t)side->key_hash & hot->bucket_mask;
    while (hot->buckets[at].slot != slot || hot->buckets[at].tag == 0) {
        at = (at + 1) & hot->bucket_mask;
    }
    bucket_remove(hot, at);

    const uint32_t slice = gf_slice_of(side->key_hash);
    if (side->previous != GF_SLOT_NONE) {
        hot->sides[side->previous].next = side->next;
    } else {
        hot->slice_head[slice] = side->next;
    }
    if (side->next != GF_SLOT_NONE) {
        hot->sides[side->next].previous = side->previous;
    }
    hot->slice_count[slice]--;
    hot->count--;
    *side = (struct gf_hot_side){.next = hot->free_head};
    hot->free_head = slot;
}
