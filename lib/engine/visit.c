/* One event, or one due timer, at one entity: features first, then every operator. All of it or
 * nothing: what fails leaves a dead letter and the entity as it was. */
#include <string.h>

#include "codec/records.h"
#include "engine/parts.h"

enum gf_rc
visit_no_memory(const struct gf_engine *engine, struct gf_error *error)
{
    return gf_fail(error, GF_E_NO_MEMORY,
                   "shard %u: no room for another customer (%u in memory), timer or effect: raise "
                   "state.customers_max",
                   engine->options.shard, engine->hot.count);
}

static const char *
reason_of(const struct gf_engine *engine, enum gf_rc rc)
{
    return engine->out.error.text[0] != '\0' ? engine->out.error.text : gf_rc_text(rc);
}

/* What one call into the domain may undo: effects, timers (they wait in `out`), and the record. */
struct undo {
    uint32_t effect_count;
    size_t bytes_mark;
};

static struct undo
undo_mark(struct gf_engine *engine, uint32_t slot)
{
    memcpy(&engine->before, &engine->hot.entities[slot], sizeof(engine->before));
    return (struct undo){.effect_count = engine->out.effect_count,
                         .bytes_mark = gf_arena_mark(&engine->out.bytes)};
}

static void
undo_back(struct gf_engine *engine, uint32_t slot, const struct undo *undo)
{
    memcpy(&engine->hot.entities[slot], &engine->before, sizeof(engine->before));
    engine->out.effect_count = undo->effect_count;
    gf_arena_reset(&engine->out.bytes, undo->bytes_mark);
}

/* Every enabled operator that reads the topic, in the order of the registry. */
static enum gf_rc
operators_run(struct gf_engine *engine, enum gf_entity_kind kind, struct gf_view *view,
              const struct gf_event *event, struct gf_entity *entity)
{
    uint32_t left = engine->readers[kind][event->topic];
    while (left != 0) {
        const uint32_t i = (uint32_t)__builtin_ctz(left);
        left &= left - 1;
        view->params = engine->config->operator_params[i];
        engine->out.operator_index = i;
        const enum gf_rc rc =
            gf_operators[i]->on_event(view, event, operator_state(engine, entity, i), &engine->out);
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

/* Puts everything back and writes the dead letter. */
static enum gf_rc
event_fail(struct gf_engine *engine, const struct gf_event *event, uint32_t slot, bool was_there,
           const struct undo *undo, enum gf_rc rc, struct gf_error *error)
{
    undo_back(engine, slot, undo);
    engine->hot.sides[slot].zone = NULL;
    if (!was_there) {
        entity_forget(engine, slot);
    }
    rc = out_dead_letter(engine, event->record, gf_rc_name(rc), reason_of(engine, rc),
                         event->event_time);
    return rc == GF_OK ? GF_OK : visit_no_memory(engine, error);
}

static void
tally_dead(struct gf_engine *engine, enum gf_rc rc)
{
    engine->tally.late += rc == GF_E_LATE;
    engine->tally.dead += rc != GF_E_LATE;
}

/* What the view holds of a customer besides the event. */
static void
view_customer(struct gf_engine *engine, uint32_t slot, struct gf_view *view)
{
    struct gf_features *features = features_of(&engine->hot.entities[slot]);
    view->features = features;
    view->contract_before = &features_of(&engine->before)->contract;
    view->in_area = &features->contract.in_area;
}

static enum gf_rc
customer_apply(struct gf_engine *engine, const struct gf_event *event, uint32_t slot,
               struct gf_change *change)
{
    struct gf_entity *entity = &engine->hot.entities[slot];
    const struct gf_feature_context context = {.params = engine->config->features,
                                               .reference = engine->reference,
                                               .zone = entity_zone(engine, slot),
                                               .shard_time = engine->shard_time};
    const enum gf_rc rc =
        gf_features_apply(features_of(entity), &context, event, change, &engine->out.error);
    if (rc != GF_OK) {
        return rc;
    }
    if (change->contract_changed) {
        engine->hot.sides[slot].zone = NULL;
    }
    struct gf_view view = {.now = event->event_time,
                           .shard_time = engine->shard_time,
                           .entity = engine->out.entity,
                           .change = change,
                           .zone = entity_zone(engine, slot),
                           .reference = engine->reference};
    view_customer(engine, slot, &view);
    return operators_run(engine, GF_ENTITY_CUSTOMER, &view, event, entity);
}

/* A reading that came by way of the intake stage is a meter reading to all that sees it. */
static struct gf_event
event_plain(const struct gf_event *event, struct gf_meter_reading *reading)
{
    const struct gf_internal_reading *const from = event->body;
    *reading = (struct gf_meter_reading){
        .meter_id = from->meter_id,
        .obis = from->obis,
        .kind = from->kind,
        .interval_start = from->interval_start,
        .interval_s = from->interval_s,
        .energy_micro_kwh = from->energy_micro_kwh,
        .quality = from->quality,
        .status_bits = from->status_bits,
        .source = from->source,
    };
    reading->phases.items = from->phases.items;
    reading->phases.count = from->phases.count;
    struct gf_event plain = *event;
    plain.topic = GF_TOPIC_METER_READINGS;
    plain.body = reading;
    return plain;
}

static enum gf_rc
customer_visit(struct gf_engine *engine, const struct gf_event *event, struct place place,
               struct gf_error *error)
{
    uint32_t slot = place.slot;
    const bool is_new = slot == GF_SLOT_NONE;
    if (is_new) {
        slot = entity_find_or_add(engine, GF_ENTITY_CUSTOMER, event->key, place.key_hash);
        if (slot == GF_SLOT_NONE) {
            return visit_no_memory(engine, error);
        }
    }
    const bool was_there = !is_new || engine->hot.sides[slot].is_dirty;
    const struct undo undo = undo_mark(engine, slot);
    out_aim(engine, gf_entity_key(&engine->hot.entities[slot]), event->event_time);
    struct gf_change change;
    const enum gf_rc rc = customer_apply(engine, event, slot, &change);
    if (engine->out.is_full) {
        return visit_no_memory(engine, error);
    }
    if (rc != GF_OK) {
        tally_dead(engine, rc);
        return event_fail(engine, event, slot, was_there, &undo, rc, error);
    }
    if (engine->out.timer_change_count > 0 &&
        out_confirm(engine, GF_ENTITY_CUSTOMER, place.key_hash) != GF_OK) {
        return visit_no_memory(engine, error);
    }
    gf_hot_touch(&engine->hot, slot);
    if (change.outcome == GF_READING_DUPLICATE) {
        engine->tally.filtered++;
    } else {
        engine->tally.processed++;
    }
    return GF_OK;
}

enum gf_rc
visit_customer(struct gf_engine *engine, const struct gf_event *event, struct place place,
               struct gf_error *error)
{
    if (event->topic != GF_TOPIC_INTERNAL_READINGS) {
        return customer_visit(engine, event, place, error);
    }
    struct gf_meter_reading reading;
    const struct gf_event plain = event_plain(event, &reading);
    return customer_visit(engine, &plain, place, error);
}

enum gf_rc
visit_entity(struct gf_engine *engine, const struct gf_event *event, enum gf_entity_kind kind,
             struct gf_span key, uint64_t key_hash, enum gf_rc *outcome_out, struct gf_error *error)
{
    uint32_t slot = gf_hot_find(&engine->hot, kind, key, key_hash);
    const bool was_there = slot != GF_SLOT_NONE || kind == GF_ENTITY_TARIFF_AREA;
    if (slot == GF_SLOT_NONE) {
        slot = entity_find_or_add(engine, kind, key, key_hash);
        if (slot == GF_SLOT_NONE) {
            return visit_no_memory(engine, error);
        }
    }
    struct gf_entity *entity = &engine->hot.entities[slot];
    const struct undo undo = undo_mark(engine, slot);
    out_aim(engine, gf_entity_key(entity), event->event_time);
    struct gf_view view = {.now = event->event_time,
                           .shard_time = engine->shard_time,
                           .entity = engine->out.entity,
                           .source = event->key,
                           .zone = entity_zone(engine, slot),
                           .reference = engine->reference};
    const enum gf_rc rc = operators_run(engine, kind, &view, event, entity);
    *outcome_out = rc;
    if (engine->out.is_full) {
        return visit_no_memory(engine, error);
    }
    if (rc == GF_OK || was_there) {
        gf_hot_touch(&engine->hot, slot);
    }
    if (rc != GF_OK) {
        return event_fail(engine, event, slot, was_there, &undo, rc, error);
    }
    return out_confirm(engine, kind, key_hash) == GF_OK ? GF_OK : visit_no_memory(engine, error);
}

enum gf_rc
visit_keyed(struct gf_engine *engine, const struct gf_event *event, uint64_t key_hash,
            struct gf_error *error)
{
    enum gf_rc outcome = GF_OK;
    const enum gf_rc rc =
        visit_entity(engine, event, engine->kind, event->key, key_hash, &outcome, error);
    if (outcome != GF_OK) {
        tally_dead(engine, outcome);
    } else {
        engine->tally.processed++;
    }
    return rc;
}

enum gf_rc
visit_timer(struct gf_engine *engine, const struct gf_timer *timer, struct gf_error *error)
{
    const struct gf_span key = gf_span_of(timer->key, timer->key_size);
    const uint32_t index = timer->id / GF_TIMERS_PER_OPERATOR;
    gf_timers_clear(&engine->timers, timer->kind, key, timer->key_hash, timer->id);
    if (index >= gf_operator_count || !engine->config->operator_enabled[index]) {
        return GF_OK; /* its operator was switched off since */
    }
    const uint32_t slot = gf_hot_find(&engine->hot, timer->kind, key, timer->key_hash);
    if (slot == GF_SLOT_NONE) {
        return gf_fail(error, GF_E_STATE, "timer of %.*s, which has no state", GF_SPAN_PRINT(key));
    }
    struct gf_entity *entity = &engine->hot.entities[slot];
    const struct undo undo = undo_mark(engine, slot);
    out_aim(engine, gf_entity_key(entity), timer->due);
    engine->out.operator_index = index;
    struct gf_view view = {
        .now = timer->due,
        .shard_time = engine->shard_time,
        .entity = engine->out.entity,
        .zone = entity_zone(engine, slot),
        .reference = engine->reference,
        .params = engine->config->operator_params[index],
    };
    if (timer->kind == GF_ENTITY_CUSTOMER) {
        view_customer(engine, slot, &view);
    }
    enum gf_rc rc =
        gf_operators[index]->on_timer(&view, timer->id % GF_TIMERS_PER_OPERATOR,
                                      operator_state(engine, entity, index), &engine->out);
    gf_hot_touch(&engine->hot, slot);
    if (engine->out.is_full) {
        return visit_no_memory(engine, error);
    }
    if (rc != GF_OK) {
        undo_back(engine, slot, &undo);
        rc = out_dead_letter(engine, NULL, gf_rc_name(rc), reason_of(engine, rc), timer->due);
        return rc == GF_OK ? GF_OK : visit_no_memory(engine, error);
    }
    return out_confirm(engine, timer->kind, timer->key_hash) == GF_OK
               ? GF_OK
               : visit_no_memory(engine, error);
}
