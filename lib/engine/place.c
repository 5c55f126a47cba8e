#include "codec/records.h"
#include "engine/parts.h"

/* Lines of a customer's record that an ordinary reading touches are spread over it; these are
 * fetched ahead. */
#define PREFETCH_LINES 32

/* The slot of an entity that is in memory by now, or a new one. */
uint32_t
entity_find_or_add(struct gf_engine *engine, enum gf_entity_kind kind, struct gf_span key,
                   uint64_t key_hash)
{
    uint32_t slot = gf_hot_find(&engine->hot, kind, key, key_hash);
    if (slot != GF_SLOT_NONE) {
        return slot;
    }
    slot = gf_hot_add(&engine->hot, kind, key, key_hash);
    if (slot == GF_SLOT_NONE) {
        return GF_SLOT_NONE;
    }
    struct gf_entity *entity = &engine->hot.entities[slot];
    for (uint32_t i = 0; i < gf_operator_count; i++) {
        if (gf_operators[i]->entity == kind) {
            entity->header.operator_versions[engine->version_place[i]] =
                (uint8_t)gf_operators[i]->state.version;
        }
    }
    if (kind == GF_ENTITY_CUSTOMER) {
        gf_features_init(features_of(entity));
    }
    engine->metas[gf_slice_of(key_hash)].entity_count++;
    return slot;
}

/* An entity that this very event made leaves again when the event fails. */
void
entity_forget(struct gf_engine *engine, uint32_t slot)
{
    engine->metas[gf_slice_of(engine->hot.sides[slot].key_hash)].entity_count--;
    gf_hot_drop(&engine->hot, slot);
}

/* Looks ahead: the index line of one event, the record of a nearer one. The fold then finds both in
 * the cache. */
void
place_index(struct gf_engine *engine, const struct gf_batch *batch, uint32_t index)
{
    const struct gf_batch_event *item = &batch->events[index];
    struct place *place = &engine->places[index];
    place->slot = GF_SLOT_NONE;
    if (item->refusal == GF_OK && engine->is_placed[item->event.topic]) {
        place->key_hash = gf_entity_hash(engine->kind, item->event.key);
        gf_hot_prefetch_bucket(&engine->hot, place->key_hash);
    }
}

void
place_entity(struct gf_engine *engine, const struct gf_batch *batch, uint32_t index)
{
    const struct gf_batch_event *item = &batch->events[index];
    struct place *place = &engine->places[index];
    if (item->refusal != GF_OK || !engine->is_placed[item->event.topic] ||
        item->event.key.size > GF_ENTITY_KEY_SIZE_MAX) {
        return;
    }
    struct gf_hot *hot = &engine->hot;
    place->slot = gf_hot_find(hot, engine->kind, item->event.key, place->key_hash);
    if (place->slot != GF_SLOT_NONE) {
        const uint8_t *at = (const uint8_t *)&hot->entities[place->slot];
        for (uint32_t line = 0; line < PREFETCH_LINES; line++) {
            __builtin_prefetch(at + 64 * line, 1, 3);
        }
        __builtin_prefetch(&hot->sides[place->slot], 1, 3);
    }
}

bool
meter_is_mine(const struct gf_engine *engine, const struct gf_customer_contract *contract,
              uint32_t index)
{
    const struct gf_span key = contract->meters.items[index].meter_id;
    for (uint32_t i = 0; i < index; i++) {
        if (gf_span_equal(contract->meters.items[i].meter_id, key)) {
            return false; /* the first visit has seen all of its periods */
        }
    }
    return key.size > 0 && key.size < GF_METER_ID_SIZE &&
           gf_partition_of(key, engine->options.shard_count) == engine->partition;
}
