#include <string.h>

#include "engine/parts.h"

static uint64_t
big_endian(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, 8);
    return __builtin_bswap64(value);
}

/* By (kind, key), as the store sorts: the kind is the first byte of the prefix, the key follows. */
static bool
is_before(const struct gf_engine *engine, const struct sort_entry *a, const struct sort_entry *b)
{
    if (a->prefix[0] != b->prefix[0]) {
        return a->prefix[0] < b->prefix[0];
    }
    if (a->prefix[1] != b->prefix[1]) {
        return a->prefix[1] < b->prefix[1];
    }
    return gf_span_compare(gf_entity_key(&engine->hot.entities[a->slot]),
                           gf_entity_key(&engine->hot.entities[b->slot])) < 0;
}

static void
entries_sort(const struct gf_engine *engine, struct sort_entry *entries, uint32_t count)
{
    for (uint32_t half = count / 2, end = count; end > 1;) { /* heap sort: in place, no recursion */
        struct sort_entry value;
        if (half > 0) {
            value = entries[--half];
        } else {
            value = entries[--end];
            entries[end] = entries[0];
        }
        uint32_t at = half;
        for (uint32_t child = 2 * at + 1; child < end; child = 2 * at + 1) {
            if (child + 1 < end && is_before(engine, &entries[child], &entries[child + 1])) {
                child++;
            }
            if (!is_before(engine, &value, &entries[child])) {
                break;
            }
            entries[at] = entries[child];
            at = child;
        }
        entries[at] = value;
    }
}

static uint32_t
dirty_collect(struct gf_engine *engine, uint32_t slice)
{
    uint32_t count = 0;
    for (uint32_t slot = engine->hot.slice_head[slice]; slot != GF_SLOT_NONE;
         slot = engine->hot.sides[slot].next) {
        if (!engine->hot.sides[slot].is_dirty) {
            continue;
        }
        const struct gf_entity *entity = &engine->hot.entities[slot];
        uint8_t start[16] = {entity->header.kind};
        memcpy(start + 1, entity->header.key,
               15); /* the key's buffer is longer, and padded with zeros */
        engine->sorted[count++] =
            (struct sort_entry){.prefix = {big_endian(start), big_endian(start + 8)}, .slot = slot};
    }
    entries_sort(engine, engine->sorted, count);
    return count;
}

struct gf_digest
entity_digest(struct gf_entity *entity)
{
    entity->header.checksum = 0;
    const struct gf_digest digest = gf_digest_of(entity, sizeof(*entity));
    memcpy(&entity->header.checksum, digest.bytes, sizeof(entity->header.checksum));
    return digest;
}

/* Brings the slice's sum up to date with one changed entity. */
static void
digest_renew(struct gf_engine *engine, uint32_t slice, uint32_t slot)
{
    struct gf_entity *entity = &engine->hot.entities[slot];
    struct gf_hot_side *side = &engine->hot.sides[slot];
    digest_add(&engine->sums[slice], &side->digest, -1);
    side->digest = entity_digest(entity);
    digest_add(&engine->sums[slice], &side->digest, +1);
}

static struct gf_span
timers_renew(struct gf_engine *engine, uint32_t slice)
{
    const size_t size = gf_timers_pack(&engine->timers, slice, engine->scratch,
                                       engine->packed_timers, engine->packed_timers_size);
    assert(size <= engine->packed_timers_size);
    engine->timer_sums[slice] =
        size == 0 ? (struct gf_digest){{0}} : gf_digest_of(engine->packed_timers, size);
    return gf_span_of(engine->packed_timers, size);
}

static struct gf_digest
slice_total(const struct gf_engine *engine, uint32_t slice)
{
    struct gf_digest total = engine->sums[slice];
    digest_add(&total, &engine->timer_sums[slice], +1);
    return total;
}

enum gf_rc
gf_engine_sweep(struct gf_engine *engine, uint32_t slice, int64_t batch, struct gf_sweep *sweep_out,
                struct gf_error *error)
{
    (void)error;
    assert(slice < GF_SLICE_COUNT);
    assert(engine->slice_batch[slice] == batch);
    const uint32_t count = dirty_collect(engine, slice);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t slot = engine->sorted[i].slot;
        const struct gf_entity *entity = &engine->hot.entities[slot];
        digest_renew(engine, slice, slot);
        engine->blocks[i] = (struct gf_store_block){.kind = entity->header.kind,
                                                    .key = gf_entity_key(entity),
                                                    .bytes = gf_span_of(entity, sizeof(*entity))};
    }
    /* The timers sort last; an empty block takes away those that were there. */
    engine->blocks[count] =
        (struct gf_store_block){.kind = GF_BLOCK_TIMERS, .bytes = timers_renew(engine, slice)};
    *sweep_out = (struct gf_sweep){.slice = slice,
                                   .meta = {.batch = batch,
                                            .digest = slice_total(engine, slice),
                                            .entity_count = engine->metas[slice].entity_count},
                                   .blocks = engine->blocks,
                                   .block_count = count + 1};
    return GF_OK;
}

void
gf_engine_swept(struct gf_engine *engine, const struct gf_sweep *sweep, bool evict)
{
    const uint32_t slice = sweep->slice;
    engine->metas[slice] = sweep->meta;
    uint32_t slot = engine->hot.slice_head[slice];
    while (slot != GF_SLOT_NONE) {
        const uint32_t next = engine->hot.sides[slot].next;
        engine->hot.sides[slot].is_dirty = 0;
        if (evict) {
            gf_hot_drop(&engine->hot, slot);
        }
        slot = next;
    }
    engine->hot.slice_dirty[slice] = 0;
}

struct gf_digest
gf_engine_slice_digest(struct gf_engine *engine, uint32_t slice)
{
    for (uint32_t slot = engine->hot.slice_head[slice]; slot != GF_SLOT_NONE;
         slot = engine->hot.sides[slot].next) {
        if (engine->hot.sides[slot].is_dirty) {
            digest_renew(engine, slice, slot);
        }
    }
    (void)timers_renew(engine, slice);
    return slice_total(engine, slice);
}
