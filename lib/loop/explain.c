#include "loop/explain.h"

#include <inttypes.h>
#include <string.h>

#include "codec/records.h"
#include "loop/shard_parts.h"

#define RECORD_ID_SIZE 16

const struct gf_lineage *
gf_lineage_of(enum gf_topic topic, const void *body)
{
    const struct gf_type *type = gf_topics[topic].type;
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (strcmp(type->fields[i].name, "lineage") == 0) {
            return (const void *)((const uint8_t *)body + type->fields[i].offset);
        }
    }
    return NULL;
}

/* Place of the event in the batch; its length when wall time did it. */
static enum gf_rc
event_find(const struct gf_explain *explain, const struct gf_batch *batch, uint32_t *out,
           struct gf_error *error)
{
    const struct gf_lineage *lineage = explain->lineage;
    *out = batch->event_count;
    if (lineage->inputs.count == 0 && batch->has_advance) {
        return GF_OK;
    }
    for (uint32_t i = 0; lineage->inputs.count > 0 && i < batch->event_count; i++) {
        const struct gf_event *event = &batch->events[i].event;
        const struct gf_input_range *range = &lineage->inputs.items[0];
        if (event->offset == range->from && (int32_t)event->partition == range->partition &&
            gf_span_equal(range->topic, gf_span_text(gf_topics[event->topic].name))) {
            *out = i;
            return GF_OK;
        }
    }
    return gf_fail(error, GF_E_DAMAGED,
                   "its lineage names no record of shard %d batch %" PRId64
                   ": the output on the log was altered; `gridfold replay --compare` shows where",
                   lineage->shard, lineage->batch);
}

static const char *
entity_describe(struct gf_shard *shard, struct gf_span key, char *text,
                enum gf_entity_kind *kind_out)
{
    for (int kind = GF_ENTITY_NONE + 1; kind < GF_ENTITY_KIND_COUNT; kind++) {
        const struct gf_entity *entity =
            gf_engine_find(shard->engine, (enum gf_entity_kind)kind, key);
        if (entity != NULL) {
            *kind_out = (enum gf_entity_kind)kind;
            gf_engine_describe(shard->engine, entity, text, GF_EXPLAIN_TEXT_SIZE);
            return text;
        }
    }
    return NULL;
}

/* The effect that is the output: its bytes, else one with its id. */
static const struct gf_effect *
effect_find(const struct gf_explain *explain, const struct gf_effects *effects, bool *is_same_out)
{
    const struct gf_effect *found = NULL;
    const struct gf_span body = gf_compare_body(explain->record);
    *is_same_out = false;
    for (uint32_t i = 0; i < effects->count && !*is_same_out; i++) {
        const struct gf_effect *effect = &effects->items[i];
        if (effect->topic != explain->record->topic) {
            continue;
        }
        const bool is_id = effect->body.size >= RECORD_ID_SIZE && body.size >= RECORD_ID_SIZE &&
                           memcmp(effect->body.data, body.data, RECORD_ID_SIZE) == 0;
        *is_same_out = gf_compare_is_same(effect, explain->record);
        found = *is_same_out || (is_id && found == NULL) ? effect : found;
    }
    return found;
}

static enum gf_rc
prefix_fold(struct gf_shard *shard, const struct gf_batch *batch, uint32_t count,
            struct gf_error *error)
{
    if (count == 0) {
        return GF_OK;
    }
    struct gf_batch prefix = *batch;
    prefix.event_count = count;
    prefix.has_advance = false;
    struct gf_effects effects;
    const enum gf_rc rc = gf_engine_fold(shard->engine, &prefix, false, &effects, error);
    if (rc == GF_OK) {
        gf_engine_reopen(shard->engine, batch->number);
    }
    return rc;
}

static enum gf_rc
batch_explain(void *context, struct gf_shard *shard, const struct gf_journal *record,
              struct gf_error *error)
{
    const struct gf_explain *explain = context;
    const struct gf_span key = explain->record->key;
    struct gf_batch batch = {0};
    struct gf_explained explained = {.journal = record, .batch = &batch};
    uint32_t index = 0;
    enum gf_rc rc = shard_batch_of(shard, record, false, &batch, error);
    if (rc == GF_OK) {
        rc = shard_fetch_wanted(shard, &batch, error);
    }
    if (rc == GF_OK) {
        rc = event_find(explain, &batch, &index, error);
    }
    if (rc == GF_OK) {
        rc = prefix_fold(shard, &batch, index, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    struct gf_batch step = batch;
    const bool is_advance = index == batch.event_count;
    step.events = batch.events + index;
    step.event_count = is_advance ? 0 : 1;
    step.has_advance = is_advance;
    struct gf_effects effects;
    explained.event = is_advance ? NULL : &batch.events[index];
    explained.event_index = index;
    explained.shard_time_before = gf_engine_shard_time(shard->engine);
    explained.before = entity_describe(shard, key, explain->text, &explained.entity);
    rc = gf_engine_fold(shard->engine, &step, false, &effects, error);
    if (rc != GF_OK) {
        return rc;
    }
    explained.shard_time_after = gf_engine_shard_time(shard->engine);
    explained.after =
        entity_describe(shard, key, explain->text + GF_EXPLAIN_TEXT_SIZE, &explained.entity);
    explained.effect = effect_find(explain, &effects, &explained.is_same);
    if (explain->has_snapshot && !explained.is_same) { /* which of the two is wrong? */
        return gf_fail(error, GF_E_DIFFERENT,
                       "shard %d batch %" PRId64
                       ": folded on from it, other bytes come out than are "
                       "on the log",
                       explain->lineage->shard, explain->lineage->batch);
    }
    explained.is_timer =
        is_advance || (explained.effect != NULL &&
                       explained.effect->time.us != explained.event->event.event_time.us);
    explained.config = &shard->current.fold;
    explained.config_hash = shard->current.hash;
    explain->show(explain->context, &explained);
    return GF_OK;
}

/* From a snapshot: what follows it is folded again as a recovery does. */
static enum gf_rc
snapshot_explain(struct gf_shard *shard, const struct gf_explain *explain, struct gf_error *error)
{
    const int64_t wanted = explain->lineage->batch;
    int64_t first = 0;
    enum gf_rc rc = gf_shard_start(shard, error);
    if (rc == GF_OK && shard->following.newest >= wanted) {
        rc = gf_fail(error, GF_E_STATE,
                     "shard %u: the store is at batch %" PRId64 ", not before batch %" PRId64,
                     shard->options.shard, shard->following.newest, wanted);
    }
    while (rc == GF_OK) {
        struct gf_journal record;
        int64_t offset = 0;
        bool found = false;
        rc = gf_journal_next(&shard->following.reader, &record, &offset, &found, error);
        if (rc == GF_OK && !found) {
            rc = gf_fail(error, GF_E_NOT_FOUND, "shard %u: the journal has no batch %" PRId64,
                         shard->options.shard, wanted);
        }
        if (rc != GF_OK) {
            break;
        }
        const bool is_batch = record.kind == GF_JOURNAL_KIND_BATCH;
        if (is_batch && record.batch == wanted) {
            rc = shard_find_config(shard, (uint64_t)record.config_hash, error);
            return rc == GF_OK ? batch_explain((void *)(uintptr_t)explain, shard, &record, error)
                               : rc;
        }
        rc = shard_take_record(shard, &record, offset, error);
        first = is_batch && first == 0 ? record.batch : first;
        if (rc == GF_OK && is_batch && explain->progress != NULL) {
            explain->progress->show(explain->progress->context, "replaying", record.batch - first,
                                    wanted - first);
        }
    }
    return rc;
}

enum gf_rc
gf_shard_explain(struct gf_shard *shard, const struct gf_explain *explain, struct gf_error *error)
{
    struct gf_explain whole = *explain;
    const struct gf_replay_options options = {.from = GF_TIME_NONE,
                                              .to = GF_TIME_NONE,
                                              .progress = explain->progress,
                                              .stop_at = explain->lineage->batch,
                                              .at_batch = batch_explain,
                                              .context = &whole};
    struct gf_replay_totals totals;
    if (explain->has_snapshot) {
        enum gf_rc rc = snapshot_explain(shard, explain, error);
        if (rc == GF_OK || rc == GF_E_UNAVAILABLE) {
            return rc;
        }
        explain->passed_over(explain->context, error->text);
        whole.has_snapshot = false;
        rc = gf_shard_condemn(shard, error->text, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    return gf_shard_replay_as(shard, &options, &totals, error);
}
