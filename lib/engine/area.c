#include <stdio.h>
#include <string.h>

#include "engine/parts.h"

uint32_t
area_find(const struct gf_engine *engine, struct gf_span key, bool *found_out)
{
    uint32_t low = 0, high = engine->area_count;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        const struct area *area = &engine->areas[middle];
        if (gf_span_compare(gf_span_of(area->key, area->key_size), key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found_out =
        low < engine->area_count &&
        gf_span_equal(gf_span_of(engine->areas[low].key, engine->areas[low].key_size), key);
    return low;
}

static void
text_put(char *out, size_t size, struct gf_span text)
{
    assert(text.size < size); /* gf_reference_apply has refused longer ones */
    memset(out, 0, size);
    memcpy(out, text.data, text.size);
}

enum gf_rc
areas_add(struct gf_engine *engine, const struct gf_tariff_plan *plan, struct gf_error *error)
{
    for (uint32_t i = 0; i < plan->areas.count; i++) {
        char text[GF_ENTITY_KEY_SIZE_MAX + 1];
        const struct gf_span area_id = plan->areas.items[i];
        const int size = snprintf(text, sizeof(text), "%.*s|%.*s", GF_SPAN_PRINT(plan->tariff_id),
                                  GF_SPAN_PRINT(area_id));
        assert(size > 0 && (size_t)size < sizeof(text));
        const struct gf_span key = gf_span_of(text, (size_t)size);
        if (gf_partition_of(key, engine->options.shard_count) != engine->partition) {
            continue;
        }
        bool found = false;
        const uint32_t at = area_find(engine, key, &found);
        struct area *area = &engine->areas[at];
        if (!found) {
            if (engine->area_count == AREA_COUNT_MAX) {
                return gf_fail(error, GF_E_FULL, "more than %d areas in one shard", AREA_COUNT_MAX);
            }
            memmove(area + 1, area, (engine->area_count - at) * sizeof(*area));
            engine->area_count++;
            *area = (struct area){.key_size = key.size,
                                  .key_hash = gf_entity_hash(GF_ENTITY_TARIFF_AREA, key)};
            memcpy(area->key, key.data, key.size);
            text_put(area->tariff_id, sizeof(area->tariff_id), plan->tariff_id);
            text_put(area->area_id, sizeof(area->area_id), area_id);
        }
        text_put(area->zone, sizeof(area->zone), plan->zone);
    }
    return GF_OK;
}

static bool
is_or_all(bool has, struct gf_span wanted, const char *text)
{
    return !has || gf_span_equal(wanted, gf_span_text(text));
}

bool
area_concerns(const struct area *area, const struct gf_event *event)
{
    switch (event->topic) {
    case GF_TOPIC_MARKET_PRICES: {
        const struct gf_market_price *price = event->body;
        return gf_span_equal(price->zone, gf_span_text(area->zone));
    }
    case GF_TOPIC_SUPPLY_STATE: {
        const struct gf_supply_state *supply = event->body;
        return gf_span_equal(supply->zone, gf_span_text(area->zone));
    }
    case GF_TOPIC_TARIFF_PLANS: {
        const struct gf_tariff_plan *plan = event->body;
        return gf_span_equal(plan->tariff_id, gf_span_text(area->tariff_id));
    }
    case GF_TOPIC_CONTROL: {
        const struct gf_control *control = event->body;
        return is_or_all(control->has_tariff_id, control->tariff_id, area->tariff_id) &&
               is_or_all(control->has_area_id, control->area_id, area->area_id);
    }
    default:
        return false;
    }
}

const struct gf_zone *
zone_by_hash(const struct gf_fold_config *config, uint32_t hash)
{
    uint32_t low = 0, high = config->zone_count;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (config->zone_hashes[middle] < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < config->zone_count && config->zone_hashes[low] == hash ? &config->zones[low]
                                                                        : NULL;
}

static const struct gf_zone *
zone_or_default(const struct gf_engine *engine, const struct gf_zone *zone)
{
    return zone != NULL ? zone : engine->config->default_zone;
}

/* An area's zone is looked up each time: which plan is valid changes with time alone. */
static const struct gf_zone *
area_zone(const struct gf_engine *engine, const struct gf_entity *entity)
{
    bool found = false;
    const uint32_t at = area_find(engine, gf_entity_key(entity), &found);
    const struct gf_tariff_terms *plan =
        found ? gf_reference_plan(engine->reference, gf_span_text(engine->areas[at].tariff_id),
                                  engine->shard_time)
              : NULL;
    return plan == NULL
               ? NULL
               : zone_by_hash(engine->config,
                              (uint32_t)gf_hash64(plan->time_zone, strlen(plan->time_zone), 0));
}

const struct gf_zone *
entity_zone(struct gf_engine *engine, uint32_t slot)
{
    const struct gf_entity *entity = &engine->hot.entities[slot];
    if (entity->header.kind == GF_ENTITY_GRID_AREA || entity->header.kind == GF_ENTITY_METER) {
        return engine->config->default_zone;
    }
    if (entity->header.kind != GF_ENTITY_CUSTOMER) {
        return zone_or_default(engine, area_zone(engine, entity));
    }
    struct gf_hot_side *side = &engine->hot.sides[slot];
    if (side->zone == NULL) {
        const struct gf_features *features = (const struct gf_features *)(const void *)entity->body;
        const uint32_t hash = features->contract.time_zone_hash;
        side->zone = zone_or_default(engine, hash == 0 ? NULL : zone_by_hash(engine->config, hash));
    }
    return side->zone;
}
