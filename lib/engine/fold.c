#include <stdio.h>
#include <string.h>

#include "codec/records.h"
#include "engine/parts.h"

/* How far ahead of the fold the index and the records are fetched from memory. */
#define PREFETCH_INDEX  16
#define PREFETCH_ENTITY 8

struct fold {
    struct gf_engine *engine;
    const struct gf_batch *batch;
};

static bool
is_ahead(const struct gf_engine *engine, uint64_t key_hash, int64_t batch)
{
    return engine->slice_batch[gf_slice_of(key_hash)] >= batch;
}

static enum gf_rc
reference_learn(struct gf_engine *engine, const struct gf_event *event,
                enum gf_reference_effect *effect_out, struct gf_error *error)
{
    enum gf_rc rc = gf_reference_apply(engine->reference, event, effect_out, error);
    if (rc == GF_OK && event->topic == GF_TOPIC_TARIFF_PLANS) {
        rc = areas_add(engine, event->body, error);
    }
    return rc;
}

enum gf_rc
gf_engine_learn(struct gf_engine *engine, const struct gf_batch_event *item, struct gf_error *error)
{
    enum gf_reference_effect effect;
    engine->is_used = true;
    if (item->refusal == GF_OK) {
        (void)reference_learn(engine, &item->event, &effect,
                              error); /* what it refuses was a dead letter then */
    }
    return GF_OK;
}

/* Of a reference record that every shard refuses, one shard writes the dead letter. */
static bool
is_dead_letter_mine(const struct gf_engine *engine, const struct gf_event *event)
{
    return !gf_topics[event->topic].is_reference ||
           event->partition % engine->options.shard_count == engine->partition;
}

static enum gf_rc
event_refuse(struct gf_engine *engine, const struct gf_event *event, enum gf_rc refusal,
             const char *reason, struct gf_error *error)
{
    if (!engine->is_placed[event->topic] && !gf_topics[event->topic].is_reference) {
        engine->tally.filtered++; /* the customer stage reads it too, and says what is wrong */
        return GF_OK;
    }
    engine->tally.dead++;
    if (!is_dead_letter_mine(engine, event)) {
        return GF_OK;
    }
    const struct gf_time time =
        gf_time_is_none(engine->shard_time) ? event->record->timestamp : engine->shard_time;
    out_aim(engine, event->key, time);
    return out_dead_letter(engine, event->record, gf_rc_name(refusal), reason, time) == GF_OK
               ? GF_OK
               : visit_no_memory(engine, error);
}

static enum gf_rc
reference_fold(struct fold *fold, const struct gf_event *event, struct gf_error *error)
{
    struct gf_engine *engine = fold->engine;
    enum gf_reference_effect effect = GF_REFERENCE_IGNORED;
    struct gf_error refusal = {{0}};
    enum gf_rc rc = reference_learn(engine, event, &effect, &refusal);
    if (rc != GF_OK) {
        return event_refuse(engine, event, rc, refusal.text, error);
    }
    engine->tally.processed += effect == GF_REFERENCE_CHANGED;
    engine->tally.filtered += effect != GF_REFERENCE_CHANGED;
    for (uint32_t i = 0; effect == GF_REFERENCE_CHANGED && i < engine->area_count; i++) {
        if (!area_concerns(&engine->areas[i], event) ||
            is_ahead(engine, engine->areas[i].key_hash, fold->batch->number)) {
            continue;
        }
        const struct area *const area = &engine->areas[i];
        enum gf_rc outcome = GF_OK;
        rc = visit_entity(engine, event, GF_ENTITY_TARIFF_AREA,
                          gf_span_of(area->key, area->key_size), area->key_hash, &outcome, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

/* One contract at those of its meters that are this shard's. What is wrong with a contract the
 * customer stage says. */
static enum gf_rc
meters_fold(struct fold *fold, const struct gf_event *event, struct gf_error *error)
{
    struct gf_engine *engine = fold->engine;
    const struct gf_customer_contract *contract = event->body;
    uint32_t count = 0;
    for (uint32_t i = 0; i < contract->meters.count; i++) {
        const struct gf_span key = contract->meters.items[i].meter_id;
        if (!meter_is_mine(engine, contract, i)) {
            continue;
        }
        count++;
        const uint64_t key_hash = gf_entity_hash(GF_ENTITY_METER, key);
        enum gf_rc outcome = GF_OK;
        const enum gf_rc rc =
            is_ahead(engine, key_hash, fold->batch->number)
                ? GF_OK
                : visit_entity(engine, event, GF_ENTITY_METER, key, key_hash, &outcome, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    engine->tally.processed += count > 0;
    engine->tally.filtered += count == 0;
    return GF_OK;
}

/* What can be known to be wrong before the fold; NULL when nothing is. */
static enum gf_rc
event_check(const struct gf_engine *engine, const struct gf_event *event, char *text, size_t size)
{
    if (event->key.size == 0) {
        snprintf(text, size, "the record has no key");
        return GF_E_BAD_FIELD;
    }
    if (event->key.size > GF_ENTITY_KEY_SIZE_MAX) {
        snprintf(text, size, "the key has %u bytes; at most %d are allowed", event->key.size,
                 GF_ENTITY_KEY_SIZE_MAX);
        return GF_E_BAD_FIELD;
    }
    if (engine->config->check_partition) {
        const uint32_t partition = gf_partition_of(event->key, engine->options.shard_count);
        const uint32_t there = gf_topics[event->topic].is_internal
                                   ? event->partition / engine->options.shard_count
                                   : event->partition;
        if (partition != there) {
            snprintf(text, size, "key %.*s belongs on partition %u (murmur2), not %u",
                     GF_SPAN_PRINT(event->key), partition, there);
            return GF_E_MISPLACED;
        }
    }
    if (event->topic == GF_TOPIC_CUSTOMER_CONTRACTS) {
        const struct gf_customer_contract *contract = event->body;
        const uint32_t hash =
            (uint32_t)gf_hash64(contract->time_zone.data, contract->time_zone.size, 0);
        if (zone_by_hash(engine->config, hash) == NULL) {
            snprintf(text, size, "time_zone \"%.*s\" is not known",
                     GF_SPAN_PRINT(contract->time_zone));
            return GF_E_BAD_FIELD;
        }
    }
    return GF_OK;
}

/* Fires all that is due at the shard's time, in order, until none is: so between two records no
 * timer is ever due, and a refold, whose slices are at different batches, fires none twice. */
static enum gf_rc
timers_fire(struct fold *fold, struct gf_error *error)
{
    struct gf_engine *engine = fold->engine;
    if (gf_time_is_none(engine->shard_time)) {
        return GF_OK;
    }
    const struct gf_time before = gf_time_sub(engine->shard_time, engine->config->lateness);
    for (;;) {
        const struct gf_timer *first = gf_timers_first(&engine->timers);
        if (first == NULL || first->due.us >= before.us) {
            return GF_OK;
        }
        if (is_ahead(engine, first->key_hash, fold->batch->number)) {
            return gf_fail(
                error, GF_E_STATE, "timer of %.*s is due in batch %lld, which its slice has seen",
                first->key_size, (const char *)first->key, (long long)fold->batch->number);
        }
        const struct gf_timer timer = *first;
        const enum gf_rc rc = visit_timer(engine, &timer, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
}

static void
lineage_aim(struct gf_engine *engine, const struct gf_event *event)
{
    engine->out.range = (struct gf_input_range){.topic = gf_span_text(gf_topics[event->topic].name),
                                                .partition = (int32_t)event->partition,
                                                .from = event->offset,
                                                .to = event->offset + 1};
}

static enum gf_rc
event_fold(struct fold *fold, uint32_t index, struct gf_error *error)
{
    struct gf_engine *engine = fold->engine;
    const struct gf_batch_event *item = &fold->batch->events[index];
    const struct gf_event *event = &item->event;
    lineage_aim(engine, event);
    engine->tally.records++;
    if (item->refusal != GF_OK) {
        return event_refuse(engine, event, item->refusal, item->reason, error);
    }
    const bool is_reference = gf_topics[event->topic].is_reference;
    if (!is_reference) {
        char text[GF_ERROR_TEXT_SIZE];
        const enum gf_rc refusal = event_check(engine, event, text, sizeof(text));
        if (refusal != GF_OK) {
            return event_refuse(engine, event, refusal, text, error);
        }
    }
    if (event->event_time.us > engine->shard_time.us) {
        engine->shard_time = event->event_time;
        const enum gf_rc rc = timers_fire(fold, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    enum gf_rc rc = GF_OK;
    if (is_reference) {
        rc = reference_fold(fold, event, error);
    } else if (!engine->is_placed[event->topic]) {
        rc = meters_fold(fold, event, error);
    } else if (!is_ahead(engine, engine->places[index].key_hash, fold->batch->number)) {
        rc = engine->kind == GF_ENTITY_CUSTOMER
                 ? visit_customer(engine, event, engine->places[index], error)
                 : visit_keyed(engine, event, engine->places[index].key_hash, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    return timers_fire(fold, error); /* those it set in the past */
}

static void
digest_effects(const struct gf_out *out, struct gf_digest *digest)
{
    *digest = (struct gf_digest){{0}};
    for (uint32_t i = 0; i < out->effect_count; i++) {
        const struct gf_effect *effect = &out->effects[i];
        gf_digest_extend(digest, &effect->topic, sizeof(effect->topic));
        gf_digest_extend(digest, &effect->time.us, sizeof(effect->time.us));
        gf_digest_extend(digest, effect->key.data, effect->key.size);
        gf_digest_extend(digest, effect->body.data, effect->body.size);
    }
}

static void
out_begin(struct gf_engine *engine, const struct gf_batch *batch)
{
    struct gf_out *out = &engine->out;
    out->effect_count = 0;
    gf_arena_reset(&out->bytes, 0);
    out->is_full = false;
    out->lineage = (struct gf_lineage){.shard = (int32_t)engine->options.shard,
                                       .batch = batch->number,
                                       .config_hash = (int64_t)engine->config->config_hash,
                                       .model_hash = (int64_t)engine->config->model_hash};
    out->lineage.inputs.items = &out->range;
    out->lineage.inputs.count = 1;
}

enum gf_rc
gf_engine_fold(struct gf_engine *engine, const struct gf_batch *batch, bool is_refold,
               struct gf_effects *effects_out, struct gf_error *error)
{
    assert(engine->config != NULL);
    assert(batch->event_count <= GF_BATCH_COUNT_MAX);
    engine->is_used = true;
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        if (!is_refold && engine->slice_batch[slice] != batch->number - 1) {
            return gf_fail(error, GF_E_DAMAGED, "slice %u is at batch %lld, not at %lld", slice,
                           (long long)engine->slice_batch[slice], (long long)batch->number - 1);
        }
    }
    struct fold fold = {.engine = engine, .batch = batch};
    out_begin(engine, batch);

    for (uint32_t i = 0; i < batch->event_count && i < PREFETCH_INDEX; i++) {
        place_index(engine, batch, i);
    }
    for (uint32_t i = 0; i < batch->event_count && i < PREFETCH_ENTITY; i++) {
        place_entity(engine, batch, i);
    }
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < batch->event_count; i++) {
        if (i + PREFETCH_INDEX < batch->event_count) {
            place_index(engine, batch, i + PREFETCH_INDEX);
        }
        if (i + PREFETCH_ENTITY < batch->event_count) {
            place_entity(engine, batch, i + PREFETCH_ENTITY);
        }
        rc = event_fold(&fold, i, error);
    }
    if (rc == GF_OK && batch->has_advance && batch->advance_to.us > engine->shard_time.us) {
        engine->shard_time = batch->advance_to;
        engine->out.lineage.inputs.count = 0;
        rc = timers_fire(&fold, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        if (engine->slice_batch[slice] < batch->number) {
            engine->slice_batch[slice] = batch->number;
        }
    }
    engine->tally.effects += engine->out.effect_count;
    *effects_out =
        (struct gf_effects){.items = engine->out.effects, .count = engine->out.effect_count};
    digest_effects(&engine->out, &effects_out->digest);
    return GF_OK;
}
