#include "engine/engine.h"

#include <stdio.h>
#include <string.h>

#include "codec/records.h"
#include "engine/parts.h"

/* Of the tariff operator, whose records are older than the counting by kind. */
#define TARIFF_VERSION_PLACE 3

static size_t
align64(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

/* Sizes of the engine's parts, in the order they lie in its memory. */
enum part {
    PART_ENGINE,
    PART_HOT,
    PART_TIMERS,
    PART_REFERENCE,
    PART_AREAS,
    PART_EFFECTS,
    PART_BYTES,
    PART_SCRATCH,
    PART_SORTED,
    PART_BLOCKS,
    PART_PACKED,
    PART_COUNT
};

static size_t
part_size(const struct gf_engine_options *options, enum part part)
{
    switch (part) {
    case PART_ENGINE:
        return align64(sizeof(struct gf_engine));
    case PART_HOT:
        return align64(gf_hot_size(options->entity_count_max));
    case PART_TIMERS:
        return align64(gf_timers_size(options->timer_count_max));
    case PART_REFERENCE:
        return align64(gf_reference_size(&options->reference));
    case PART_AREAS:
        return align64(AREA_COUNT_MAX * sizeof(struct area));
    case PART_EFFECTS:
        return align64((size_t)EFFECT_COUNT_MAX * sizeof(struct gf_effect));
    case PART_BYTES:
        return align64(options->effect_bytes_max);
    case PART_SCRATCH:
        return align64((size_t)options->timer_count_max * sizeof(uint32_t));
    case PART_SORTED:
        return align64((size_t)options->entity_count_max * sizeof(struct sort_entry));
    case PART_BLOCKS:
        return align64(((size_t)options->entity_count_max + 1) * sizeof(struct gf_store_block));
    case PART_PACKED:
        return align64((size_t)options->timer_count_max * (12 + GF_ENTITY_KEY_SIZE_MAX));
    case PART_COUNT:
        break;
    }
    assert(false);
    return 0;
}

size_t
gf_engine_size(const struct gf_engine_options *options)
{
    size_t size = 0;
    for (int part = 0; part < PART_COUNT; part++) {
        size += part_size(options, (enum part)part);
    }
    return size;
}

/* Where the lineage stands in each output's struct; -1 where it has none. */
static void
lineage_offsets_find(struct gf_engine *engine)
{
    for (uint32_t topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        const struct gf_type *type = gf_topics[topic].type;
        engine->lineage_offset[topic] = -1;
        for (uint32_t i = 0; i < type->field_count; i++) {
            if (strcmp(type->fields[i].name, "lineage") == 0) {
                engine->lineage_offset[topic] = (int32_t)type->fields[i].offset;
            }
        }
    }
}

/* Gives every operator its place in the state record: customers' operators behind the features,
 * the others from the start of the body. */
static void
state_offsets_lay(struct gf_engine *engine)
{
    size_t at[GF_ENTITY_KIND_COUNT] = {[GF_ENTITY_CUSTOMER] = sizeof(struct gf_features)};
    uint8_t place[GF_ENTITY_KIND_COUNT] = {[GF_ENTITY_TARIFF_AREA] = TARIFF_VERSION_PLACE};
    for (uint32_t i = 0; i < gf_operator_count; i++) {
        const struct gf_operator *logic = gf_operators[i];
        engine->state_offset[i] = (uint16_t)at[logic->entity];
        engine->version_place[i] = place[logic->entity]++;
        at[logic->entity] += ((size_t)logic->state.size + 7) & ~(size_t)7;
    }
    for (int kind = 0; kind < GF_ENTITY_KIND_COUNT; kind++) {
        assert(at[kind] <= sizeof(engine->before.body));
        assert(place[kind] <= sizeof(engine->before.header.operator_versions));
    }
}

static void
stage_set(struct gf_engine *engine)
{
    static const enum gf_entity_kind kinds[GF_STAGE_COUNT] = {GF_ENTITY_CUSTOMER,
                                                              GF_ENTITY_GRID_AREA, GF_ENTITY_METER};
    engine->stage = gf_stage_of(engine->options.shard, engine->options.shard_count);
    engine->partition = engine->options.shard % engine->options.shard_count;
    engine->kind = kinds[engine->stage];
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        const bool is_of_stage = gf_topics[topic].stage == engine->stage;
        engine->is_placed[topic] = is_of_stage && !gf_topics[topic].is_reference;
    }
}

/* Who reads what, found once instead of at every event. */
static void
readers_set(struct gf_engine *engine)
{
    memset(engine->readers, 0, sizeof(engine->readers));
    for (uint32_t i = 0; i < gf_operator_count; i++) {
        for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
            if ((gf_operators[i]->reads & GF_READS(topic)) != 0 &&
                engine->config->operator_enabled[i]) {
                engine->readers[gf_operators[i]->entity][topic] |= UINT32_C(1) << i;
            }
        }
    }
}

struct gf_engine *
gf_engine_init(void *memory, const struct gf_engine_options *options)
{
    assert(((uintptr_t)memory & 63) == 0);
    assert(options->shard < options->shard_count * GF_STAGE_COUNT);
    assert(gf_operator_count <= GF_OPERATOR_COUNT_MAX);
    uint8_t *parts[PART_COUNT];
    uint8_t *at = memory;
    for (int part = 0; part < PART_COUNT; part++) {
        parts[part] = at;
        at += part_size(options, (enum part)part);
    }
    struct gf_engine *engine = (struct gf_engine *)(void *)parts[PART_ENGINE];
    engine->options = *options;
    stage_set(engine);
    gf_hot_init(&engine->hot, parts[PART_HOT], options->entity_count_max);
    gf_timers_init(&engine->timers, parts[PART_TIMERS], options->timer_count_max);
    engine->reference = gf_reference_init(parts[PART_REFERENCE], &options->reference);
    engine->areas = (struct area *)(void *)parts[PART_AREAS];
    engine->out.effects = (struct gf_effect *)(void *)parts[PART_EFFECTS];
    engine->out.bytes = gf_arena_of(parts[PART_BYTES], options->effect_bytes_max);
    engine->scratch = (uint32_t *)(void *)parts[PART_SCRATCH];
    engine->sorted = (struct sort_entry *)(void *)parts[PART_SORTED];
    engine->blocks = (struct gf_store_block *)(void *)parts[PART_BLOCKS];
    engine->packed_timers = parts[PART_PACKED];
    engine->packed_timers_size = part_size(options, PART_PACKED);
    lineage_offsets_find(engine);
    state_offsets_lay(engine);
    engine->shard_time = GF_TIME_NONE;
    return engine;
}

void
gf_engine_reset(struct gf_engine *engine)
{
    if (!engine->is_used) {
        return; /* pages that were never touched stay so */
    }
    engine->is_used = false;
    gf_hot_reset(&engine->hot);
    gf_timers_reset(&engine->timers);
    engine->reference = gf_reference_init(engine->reference, &engine->options.reference);
    engine->area_count = 0;
    memset(engine->metas, 0, sizeof(engine->metas));
    memset(engine->sums, 0, sizeof(engine->sums));
    memset(engine->timer_sums, 0, sizeof(engine->timer_sums));
    memset(engine->slice_batch, 0, sizeof(engine->slice_batch));
    engine->shard_time = GF_TIME_NONE;
    engine->tally = (struct gf_tally){0};
}

enum gf_rc
gf_engine_configure(struct gf_engine *engine, const struct gf_fold_config *config,
                    struct gf_error *error)
{
    if (config->default_zone == NULL) {
        return gf_fail(error, GF_E_CONFIG, "no default time zone");
    }
    for (uint32_t i = 0; i < gf_operator_count; i++) {
        if (config->operator_enabled[i] && config->operator_params[i] == NULL) {
            return gf_fail(error, GF_E_CONFIG, "operator %s is enabled without parameters",
                           gf_operators[i]->name);
        }
    }
    engine->config = config;
    readers_set(engine);
    for (uint32_t slot = 0; slot < engine->hot.unused; slot++) {
        engine->hot.sides[slot].zone = NULL; /* the zones may be others now */
    }
    return GF_OK;
}

enum gf_rc
gf_engine_open_slice(struct gf_engine *engine, uint32_t slice, const struct gf_slice_meta *meta,
                     struct gf_span timers, struct gf_error *error)
{
    assert(slice < GF_SLICE_COUNT);
    engine->is_used = engine->is_used || meta->batch > 0;
    engine->metas[slice] = *meta;
    engine->slice_batch[slice] = meta->batch;
    engine->sums[slice] = meta->digest;
    if (timers.size > 0) {
        engine->timer_sums[slice] = gf_digest_of(timers.data, timers.size);
        digest_add(&engine->sums[slice], &engine->timer_sums[slice], -1);
    }
    const enum gf_rc rc = gf_timers_unpack(&engine->timers, timers);
    if (rc == GF_E_FULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "slice %u: more timers than state.timers_max", slice);
    }
    if (rc != GF_OK) {
        return gf_fail(error, GF_E_STATE, "slice %u: timers cannot be read", slice);
    }
    return GF_OK;
}

/* Everything of the slice is in memory: nothing to ask the store for. */
static bool
slice_is_complete(const struct gf_engine *engine, uint32_t slice)
{
    return engine->metas[slice].entity_count == engine->hot.slice_count[slice];
}

struct wanted {
    struct gf_engine *engine;
    int64_t batch;
    struct gf_store_block *blocks;
    uint32_t *slices;
    uint32_t count, count_max;
};

static void
want(struct wanted *wanted, enum gf_entity_kind kind, struct gf_span key, uint64_t key_hash)
{
    struct gf_engine *engine = wanted->engine;
    const uint32_t slice = gf_slice_of(key_hash);
    if (wanted->count == wanted->count_max || engine->slice_batch[slice] >= wanted->batch ||
        slice_is_complete(engine, slice) ||
        gf_hot_find(&engine->hot, kind, key, key_hash) != GF_SLOT_NONE) {
        return;
    }
    wanted->blocks[wanted->count] = (struct gf_store_block){.kind = (uint8_t)kind, .key = key};
    wanted->slices[wanted->count] = slice;
    wanted->count++;
}

static void
want_timer(void *context, const struct gf_timer *timer)
{
    want(context, timer->kind, gf_span_of(timer->key, timer->key_size), timer->key_hash);
}

static void
want_meters(struct wanted *wanted, const struct gf_customer_contract *contract)
{
    for (uint32_t i = 0; i < contract->meters.count; i++) {
        if (meter_is_mine(wanted->engine, contract, i)) {
            const struct gf_span key = contract->meters.items[i].meter_id;
            want(wanted, GF_ENTITY_METER, key, gf_entity_hash(GF_ENTITY_METER, key));
        }
    }
}

uint32_t
gf_engine_wanted(struct gf_engine *engine, const struct gf_batch *batch,
                 struct gf_store_block *wanted_out, uint32_t *slices_out, uint32_t count_max)
{
    struct wanted wanted = {.engine = engine,
                            .batch = batch->number,
                            .blocks = wanted_out,
                            .slices = slices_out,
                            .count_max = count_max};
    uint32_t incomplete = 0;
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        incomplete += !slice_is_complete(engine, slice);
    }
    if (incomplete == 0) {
        return 0;
    }
    struct gf_time latest = batch->has_advance ? batch->advance_to : engine->shard_time;
    bool has_reference = false;
    for (uint32_t i = 0; i < batch->event_count; i++) {
        const struct gf_batch_event *item = &batch->events[i];
        if (item->refusal != GF_OK) {
            continue;
        }
        latest = gf_time_max(latest, item->event.event_time);
        if (gf_topics[item->event.topic].is_reference) {
            has_reference = true;
        } else if (!engine->is_placed[item->event.topic]) {
            want_meters(&wanted, item->event.body);
        } else if (item->event.key.size <= GF_ENTITY_KEY_SIZE_MAX) {
            want(&wanted, engine->kind, item->event.key,
                 gf_entity_hash(engine->kind, item->event.key));
        }
    }
    for (uint32_t i = 0; has_reference && i < engine->area_count; i++) {
        const struct area *area = &engine->areas[i];
        want(&wanted, GF_ENTITY_TARIFF_AREA, gf_span_of(area->key, area->key_size), area->key_hash);
    }
    if (!gf_time_is_none(latest)) {
        gf_timers_due(&engine->timers, gf_time_sub(latest, engine->config->lateness), want_timer,
                      &wanted);
    }
    return wanted.count;
}

enum gf_rc
gf_engine_load(struct gf_engine *engine, const struct gf_store_block *block, struct gf_error *error)
{
    struct gf_entity loaded;
    engine->is_used = true;
    const uint64_t key_hash = gf_entity_hash(block->kind, block->key);
    if (gf_hot_find(&engine->hot, block->kind, block->key, key_hash) != GF_SLOT_NONE) {
        return GF_OK;
    }
    if (block->bytes.size != sizeof(loaded)) {
        return gf_fail(error, GF_E_STATE, "state of %.*s has %u bytes, not %zu",
                       GF_SPAN_PRINT(block->key), block->bytes.size, sizeof(loaded));
    }
    memcpy(&loaded, block->bytes.data, sizeof(loaded));
    const uint32_t checksum = loaded.header.checksum;
    const struct gf_digest digest = entity_digest(&loaded);
    if (loaded.header.checksum != checksum || loaded.header.kind != block->kind ||
        !gf_span_equal(gf_entity_key(&loaded), block->key)) {
        return gf_fail(error, GF_E_STATE,
                       "state of %.*s is damaged: its checksum or key does not fit",
                       GF_SPAN_PRINT(block->key));
    }
    if (loaded.header.version > GF_ENTITY_VERSION) {
        return gf_fail(error, GF_E_VERSION,
                       "state of %.*s has layout %u; this program knows up to %u",
                       GF_SPAN_PRINT(block->key), loaded.header.version, GF_ENTITY_VERSION);
    }
    for (uint32_t i = 0; i < gf_operator_count; i++) {
        const struct gf_operator *logic = gf_operators[i];
        uint8_t *const place = &loaded.header.operator_versions[engine->version_place[i]];
        const uint8_t version = *place;
        if (logic->entity != (enum gf_entity_kind)block->kind || version == logic->state.version) {
            continue;
        }
        if (version == 0) { /* the operator is younger than the record: zeros are its start */
            *place = (uint8_t)logic->state.version;
            continue;
        }
        if (version > logic->state.version || logic->state.migrate == NULL ||
            logic->state.migrate(version, loaded.body + engine->state_offset[i]) != GF_OK) {
            return gf_fail(error, GF_E_VERSION,
                           "state of %.*s: %s has version %u; this program knows %u",
                           GF_SPAN_PRINT(block->key), logic->name, version, logic->state.version);
        }
        *place = (uint8_t)logic->state.version;
    }
    const uint32_t slot = gf_hot_add(&engine->hot, block->kind, block->key, key_hash);
    if (slot == GF_SLOT_NONE) {
        return gf_fail(error, GF_E_NO_MEMORY,
                       "more than %u customers in memory: raise state.customers_max",
                       engine->options.entity_count_max);
    }
    engine->hot.entities[slot] = loaded;
    engine->hot.sides[slot].digest = digest;
    return GF_OK;
}

struct gf_time
gf_engine_shard_time(const struct gf_engine *engine)
{
    return engine->shard_time;
}

void
gf_engine_set_shard_time(struct gf_engine *engine, struct gf_time time)
{
    engine->shard_time = time;
}

const struct gf_tally *
gf_engine_tally(const struct gf_engine *engine)
{
    return &engine->tally;
}

void
gf_engine_set_tally(struct gf_engine *engine, const struct gf_tally *tally)
{
    engine->tally = *tally;
}

const struct gf_reference *
gf_engine_reference(const struct gf_engine *engine)
{
    return engine->reference;
}

uint32_t
gf_engine_entity_count(const struct gf_engine *engine)
{
    return engine->hot.count;
}

bool
gf_engine_is_under_pressure(const struct gf_engine *engine)
{
    /* One batch may bring as many new customers as it has records, and as many again by timers. */
    const uint32_t reserve = 2 * GF_BATCH_COUNT_MAX;
    return engine->hot.capacity - engine->hot.count < reserve;
}

int64_t
gf_engine_slice_batch(const struct gf_engine *engine, uint32_t slice)
{
    return engine->slice_batch[slice];
}

const struct gf_entity *
gf_engine_find(const struct gf_engine *engine, enum gf_entity_kind kind, struct gf_span key)
{
    const uint32_t slot = gf_hot_find(&engine->hot, kind, key, gf_entity_hash(kind, key));
    return slot == GF_SLOT_NONE ? NULL : &engine->hot.entities[slot];
}
