#include "loop/shard.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec/records.h"
#include "loop/fault.h"
#include "loop/shard_parts.h"

#define EFFECT_BYTES_MAX (UINT32_C(256) << 20)

static size_t
align64(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

static size_t
work_lay(struct gf_shard *shard, uint8_t *memory)
{
    const struct {
        void **member;
        size_t size;
    } parts[] = {
        {(void **)&shard->journal_buffer, GF_JOURNAL_SIZE_MAX},
        {&shard->journal_arena, JOURNAL_ARENA_SIZE},
        {(void **)&shard->config_text, CONFIG_TEXT_SIZE_MAX},
        {(void **)&shard->wanted, WANTED_COUNT_MAX * sizeof(struct gf_store_block)},
        {(void **)&shard->found, WANTED_COUNT_MAX * sizeof(struct gf_store_block)},
        {(void **)&shard->wanted_slices, WANTED_COUNT_MAX * sizeof(uint32_t)},
        {(void **)&shard->journal_inputs,
         GF_MERGE_INPUT_COUNT_MAX * sizeof(struct gf_journal_input)},
    };
    size_t size = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (memory != NULL) {
            *parts[i].member = memory + size;
        }
        size += align64(parts[i].size);
    }
    return size;
}

static enum gf_rc
memory_reserve(const struct gf_shard_options *options, size_t size, void **out,
               struct gf_error *error)
{
    *out = options->reserve(size);
    if (*out == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY,
                       "no room for %zu MiB of address space: lower state.customers_max",
                       size >> 20);
    }
    return GF_OK;
}

static enum gf_rc
engine_make(struct gf_shard *shard, struct gf_error *error)
{
    const struct gf_shard_options *options = &shard->options;
    const struct gf_engine_options engine_options = {
        .shard = options->shard,
        .shard_count = options->shard_count,
        .entity_count_max = options->customers_max,
        .timer_count_max = options->timers_max,
        .effect_bytes_max = EFFECT_BYTES_MAX,
        .reference = {.prices_per_zone_max = 40000, .supplies_per_zone_max = 40000},
    };
    shard->engine_size = gf_engine_size(&engine_options);
    const enum gf_rc rc = memory_reserve(options, shard->engine_size, &shard->engine_memory, error);
    if (rc == GF_OK) {
        shard->engine = gf_engine_init(shard->engine_memory, &engine_options);
    }
    return rc;
}

static enum gf_rc
feed_make(struct gf_shard *shard, struct gf_error *error)
{
    struct gf_batch_input inputs[GF_MERGE_INPUT_COUNT_MAX];
    uint32_t count = 0;
    enum gf_rc rc = gf_feed_inputs(shard->source, shard->options.shard, shard->options.shard_count,
                                   shard->options.stages, inputs, &count, error);
    if (rc != GF_OK) {
        return rc;
    }
    shard->feed_size = gf_feed_size(count);
    rc = memory_reserve(&shard->options, shard->feed_size, &shard->feed_memory, error);
    if (rc == GF_OK) {
        gf_feed_init(&shard->feed, shard->feed_memory, shard->source, &shard->lookup,
                     shard->options.shard, shard->options.is_arrival, inputs, count);
    }
    return rc;
}

enum gf_rc
gf_shard_new(const struct gf_shard_options *options, struct gf_source *source,
             const struct gf_lookup *lookup, struct gf_stores *stores, struct gf_shard **out,
             struct gf_error *error)
{
    void *memory = NULL;
    enum gf_rc rc = memory_reserve(options, sizeof(struct gf_shard), &memory, error);
    if (rc != GF_OK) {
        return rc;
    }
    struct gf_shard *shard = memory;
    *shard = (struct gf_shard){
        .options = *options, .source = source, .lookup = *lookup, .stores = stores};
    shard->work_size = work_lay(shard, NULL);
    rc = memory_reserve(options, shard->work_size, &shard->work_memory, error);
    if (rc == GF_OK) {
        work_lay(shard, shard->work_memory);
        rc = engine_make(shard, error);
    }
    if (rc == GF_OK) {
        rc = feed_make(shard, error);
    }
    if (rc == GF_OK) {
        rc = shard_configured_make(shard, error);
    }
    if (rc != GF_OK) {
        gf_shard_free(shard);
        return rc;
    }
    *out = shard;
    return GF_OK;
}

void
gf_shard_free(struct gf_shard *shard)
{
    if (shard == NULL) {
        return;
    }
    const struct gf_shard_options options = shard->options;
    shard_store_close(shard);
    if (shard->current.owned != NULL) {
        gf_config_free(shard->current.owned);
    }
    if (shard->engine_memory != NULL) {
        options.release(shard->engine_memory, shard->engine_size);
    }
    if (shard->feed_memory != NULL) {
        options.release(shard->feed_memory, shard->feed_size);
    }
    if (shard->work_memory != NULL) {
        options.release(shard->work_memory, shard->work_size);
    }
    options.release(shard, sizeof(*shard));
}

/* ---- one batch ---- */

enum gf_rc
shard_fetch_wanted(struct gf_shard *shard, const struct gf_batch *batch, struct gf_error *error)
{
    /* A batch that jumps far ahead in time can make more timers due than fit in one question. */
    uint32_t count = WANTED_COUNT_MAX, loaded = 1;
    while (count == WANTED_COUNT_MAX && loaded > 0) {
        loaded = 0;
        count = gf_engine_wanted(shard->engine, batch, shard->wanted, shard->wanted_slices,
                                 WANTED_COUNT_MAX);
        for (uint32_t i = 0; i < count; i++) {
            const enum gf_rc rc = shard_check_slice(shard, shard->wanted_slices[i], error);
            if (rc != GF_OK) {
                return rc;
            }
        }
        enum gf_rc rc = count == 0 ? GF_OK
                                   : shard->store->ops->get(shard->store, shard->options.shard,
                                                            shard->wanted_slices, shard->wanted,
                                                            count, shard->found, error);
        for (uint32_t i = 0; rc == GF_OK && i < count; i++) {
            if (shard->found[i].bytes.size > 0) {
                rc = gf_engine_load(shard->engine, &shard->found[i], error);
                loaded++;
            }
        }
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

static enum gf_rc
effects_append(struct gf_shard *shard, struct gf_sink *sink, const struct gf_effects *effects,
               struct gf_error *error)
{
    for (uint32_t i = 0; i < effects->count; i++) {
        const struct gf_effect *effect = &effects->items[i];
        const struct gf_output output = {.topic = (enum gf_topic)effect->topic,
                                         .partition = effect->partition,
                                         .timestamp = effect->time,
                                         .key = effect->key,
                                         .body = effect->body};
        const enum gf_rc rc = sink->ops->append(sink, &output, error);
        if (rc != GF_OK) {
            return rc;
        }
        shard->effect_counts[effect->topic]++;
    }
    return GF_OK;
}

static enum gf_rc
record_append(struct gf_shard *shard, struct gf_sink *sink, struct gf_journal *record,
              struct gf_error *error)
{
    record->shard = (int32_t)shard->options.shard;
    record->config_hash = (int64_t)shard->current.hash;
    record->slices.items = shard->swept + shard->swept_named;
    record->slices.count = shard->swept_count - shard->swept_named;
    const enum gf_rc rc = gf_journal_append(sink, record, shard->journal_buffer,
                                            gf_engine_shard_time(shard->engine), error);
    if (rc == GF_OK) {
        shard->swept_named = shard->swept_count;
        shard->journal_base++;
    }
    return rc;
}

static enum gf_rc
batch_append(struct gf_shard *shard, struct gf_sink *sink, const struct gf_batch *batch,
             const struct gf_effects *effects, struct gf_error *error)
{
    struct gf_journal record = {.kind = GF_JOURNAL_KIND_BATCH,
                                .batch = batch->number,
                                .shard_time = batch->shard_time,
                                .has_advance_to = batch->has_advance,
                                .advance_to = batch->advance_to,
                                .tally = *gf_engine_tally(shard->engine)};
    for (uint32_t i = 0; i < batch->input_count; i++) {
        const struct gf_batch_input *input = &batch->inputs[i];
        shard->journal_inputs[i] =
            (struct gf_journal_input){.topic = gf_span_text(gf_topics[input->topic].name),
                                      .partition = (int32_t)input->partition,
                                      .from = input->from,
                                      .to = input->to,
                                      .count = input->count,
                                      .end = input->end};
    }
    for (uint32_t i = 0; i < shard->carried_count; i++) {
        const struct gf_batch_input *input = &shard->carried[i];
        shard->journal_inputs[batch->input_count + i] =
            (struct gf_journal_input){.topic = gf_span_text(gf_topics[input->topic].name),
                                      .partition = (int32_t)input->partition,
                                      .from = input->to,
                                      .to = input->to,
                                      .count = input->count,
                                      .end = input->to};
    }
    record.inputs.items = shard->journal_inputs;
    record.inputs.count = batch->input_count + shard->carried_count;
    memcpy(record.effects_digest, effects->digest.bytes, sizeof(record.effects_digest));
    const enum gf_rc rc = effects_append(shard, sink, effects, error);
    shard->batch_base = shard->journal_base;
    if (rc != GF_OK) {
        return rc;
    }
    const enum gf_rc appended = record_append(shard, sink, &record, error);
    shard->batch_mark = shard_mark_of(&record);
    return appended;
}

bool
gf_shard_must_claim(const struct gf_shard *shard)
{
    return shard->must_claim;
}

enum gf_rc
gf_shard_claim(struct gf_shard *shard, struct gf_sink *sink, int32_t generation,
               struct gf_error *error)
{
    const struct gf_span transactional_id = gf_span_text(
        shard->options.transactional_id == NULL ? "" : shard->options.transactional_id);
    struct gf_journal claim = {.kind = GF_JOURNAL_KIND_CLAIM,
                               .batch = shard->batch,
                               .shard_time = gf_engine_shard_time(shard->engine),
                               .tally = *gf_engine_tally(shard->engine),
                               .has_claim = true,
                               .claim = {.instance = gf_span_text(shard->options.instance),
                                         .transactional_id = transactional_id,
                                         .generation = generation}};
    enum gf_rc rc = record_append(shard, sink, &claim, error);
    shard->must_claim = rc != GF_OK;
    return rc;
}

/* A configuration comes before the first batch that stands on it; it takes no batch number. */
static enum gf_rc
news_append(struct gf_shard *shard, struct gf_sink *sink, struct gf_error *error)
{
    if (!shard->must_configure) {
        return GF_OK;
    }
    enum gf_rc rc = shard_configure(shard, &shard->configured, error);
    struct gf_journal config = {
        .kind = GF_JOURNAL_KIND_CONFIG,
        .batch = shard->batch,
        .shard_time = gf_engine_shard_time(shard->engine),
        .tally = *gf_engine_tally(shard->engine),
        .has_config = true,
        .config = {.body = gf_span_of(shard->config_text, shard->config_size),
                   .time_zone_version = gf_span_text(shard->options.zones->version),
                   .fold_version = GF_FOLD_VERSION,
                   .program_version = gf_span_text(GF_PROGRAM_VERSION)}};
    if (rc == GF_OK) {
        rc = record_append(shard, sink, &config, error);
    }
    shard->must_configure = rc != GF_OK;
    shard->config_stored = false;
    return rc;
}

enum gf_stage
gf_shard_stage(const struct gf_shard *shard)
{
    return gf_stage_of(shard->options.shard, shard->options.shard_count);
}

bool
gf_shard_has_news(const struct gf_shard *shard)
{
    return shard->must_configure;
}

enum gf_rc
gf_shard_step(struct gf_shard *shard, struct gf_sink *sink, struct gf_time advance_to,
              uint32_t *records_out, struct gf_error *error)
{
    *records_out = 0;
    enum gf_rc rc = news_append(shard, sink, error);
    if (rc != GF_OK) {
        return rc;
    }
    struct gf_batch batch = {0};
    rc = gf_feed_batch(&shard->feed, shard->options.batch_records, shard->until, &batch, error);
    if (rc != GF_OK) {
        return rc;
    }
    batch.number = shard->batch + 1;
    batch.shard_time = gf_engine_shard_time(shard->engine);
    batch.has_advance = batch.event_count == 0 && !gf_time_is_none(advance_to) &&
                        advance_to.us > batch.shard_time.us && !gf_time_is_none(batch.shard_time);
    batch.advance_to = batch.has_advance ? advance_to : (struct gf_time){0};
    if (batch.event_count == 0 && !batch.has_advance) {
        return GF_OK;
    }
    struct gf_effects effects = {0};
    rc = shard_fetch_wanted(shard, &batch, error);
    if (rc == GF_OK) {
        rc = gf_engine_fold(shard->engine, &batch, false, &effects, error);
    }
    if (rc == GF_OK) {
        gf_point(GF_POINT_MID_BATCH);
        rc = batch_append(shard, sink, &batch, &effects, error);
    }
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "shard %u batch %" PRId64, shard->options.shard,
                              batch.number);
    }
    gf_feed_release(&shard->feed);
    shard->batch = batch.number;
    shard->records_since_sweep += batch.event_count;
    *records_out = batch.event_count;
    return GF_OK;
}

enum gf_rc
gf_shard_heartbeat(struct gf_shard *shard, struct gf_sink *sink, struct gf_error *error)
{
    struct gf_journal record = {.kind = GF_JOURNAL_KIND_HEARTBEAT,
                                .batch = shard->batch,
                                .shard_time = gf_engine_shard_time(shard->engine),
                                .tally = *gf_engine_tally(shard->engine)};
    return record_append(shard, sink, &record, error);
}

uint32_t
gf_shard_positions(const struct gf_shard *shard, struct gf_position *out, uint32_t count_max)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < shard->feed.input_count && count < count_max; i++) {
        const struct gf_batch_input *input = &shard->feed.inputs[i].range;
        if (!gf_topics[input->topic]
                 .is_reference) { /* several shards read these at several positions */
            out[count++] = (struct gf_position){.topic = (enum gf_topic)input->topic,
                                                .partition = input->partition,
                                                .offset = input->to};
        }
    }
    return count;
}

/* ---- sweep ---- */

enum gf_rc
gf_shard_acknowledged(struct gf_shard *shard, struct gf_error *error)
{
    if (shard->swept_named > 0) {
        shard->swept_count -= shard->swept_named;
        memmove(shard->swept, shard->swept + shard->swept_named,
                shard->swept_count * sizeof(shard->swept[0]));
        shard->swept_named = 0;
    }
    if (shard->options.transactional_id != NULL && !shard->must_claim) {
        const enum gf_rc rc =
            shard_owner_put(shard, gf_span_text(shard->options.transactional_id), error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    if (shard->config_stored || shard->current.hash != shard->configured.hash) {
        return GF_OK;
    }
    char name[32];
    shard_config_name(shard->configured.hash, name);
    const enum gf_rc rc = shard->store->ops->put_named(
        shard->store, name, gf_span_of(shard->config_text, shard->config_size), error);
    shard->config_stored = rc == GF_OK;
    return rc;
}

/* ---- to look at ---- */

enum gf_shard_place
gf_shard_place(const struct gf_shard *shard)
{
    return shard->place;
}

const struct gf_engine *
gf_shard_engine(const struct gf_shard *shard)
{
    return shard->engine;
}

const struct gf_tally *
gf_shard_tally(const struct gf_shard *shard)
{
    return gf_engine_tally(shard->engine);
}

int64_t
gf_shard_batch(const struct gf_shard *shard)
{
    return shard->batch;
}

const struct gf_feed *
gf_shard_feed(const struct gf_shard *shard)
{
    return &shard->feed;
}

const int64_t *
gf_shard_effect_counts(const struct gf_shard *shard)
{
    return shard->effect_counts;
}

enum gf_rc
gf_shard_look(struct gf_shard *shard, enum gf_entity_kind kind, struct gf_span key,
              const struct gf_entity **out, struct gf_error *error)
{
    *out = gf_engine_find(shard->engine, kind, key);
    if (*out != NULL) {
        return GF_OK;
    }
    const struct gf_store_block wanted = {.kind = (uint8_t)kind, .key = key};
    const uint32_t slice = gf_slice_of(gf_entity_hash(kind, key));
    struct gf_store_block found = {0};
    enum gf_rc rc = shard_store_open(shard, error);
    if (rc == GF_OK) {
        rc = shard->store->ops->get(shard->store, shard->options.shard, &slice, &wanted, 1, &found,
                                    error);
    }
    if (rc == GF_OK && found.bytes.size > 0) {
        rc = gf_engine_load(shard->engine, &found, error);
        *out = gf_engine_find(shard->engine, kind, key);
    }
    return rc;
}
