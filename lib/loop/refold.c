#include <inttypes.h>
#include <string.h>

#include "codec/records.h"
#include "loop/fault.h"
#include "loop/shard_parts.h"

#define REBUILD "move the store away; the next start rebuilds the state from the journal"

/* The feed's input that a journal record means by its index-th; NULL when there is none. Stages are
 * switched on and off, so it may be at another index. */
static struct gf_feed_input *
input_find(struct gf_feed *feed, const struct gf_journal_input *wanted, uint32_t index,
           int *topic_out)
{
    if (index < feed->input_count) {
        struct gf_feed_input *const input = &feed->inputs[index];
        if (input->range.partition == (uint32_t)wanted->partition &&
            gf_span_equal(wanted->topic, gf_span_text(gf_topics[input->range.topic].name))) {
            *topic_out = input->range.topic;
            return input;
        }
    }
    char name[64] = {0};
    memcpy(name, wanted->topic.data,
           wanted->topic.size < sizeof(name) ? wanted->topic.size : sizeof(name) - 1);
    *topic_out = gf_topic_find(name);
    return *topic_out < 0 ? NULL : gf_feed_find(feed, *topic_out, (uint32_t)wanted->partition);
}

enum gf_rc
shard_learn_reference(struct gf_shard *shard, const struct gf_journal *record,
                      struct gf_error *error)
{
    struct gf_feed *feed = &shard->feed;
    shard->counts_are_known = false;
    for (uint32_t i = 0; i < feed->input_count; i++) {
        gf_feed_seek(feed, &feed->inputs[i], 0, 0);
    }
    for (uint32_t i = 0; i < record->inputs.count; i++) {
        const struct gf_journal_input *wanted = &record->inputs.items[i];
        int topic = -1;
        struct gf_feed_input *input = input_find(feed, wanted, i, &topic);
        if (input != NULL && gf_topics[topic].is_reference) {
            input->range.end = wanted->from;
        }
    }
    struct gf_batch batch = {0};
    do {
        enum gf_rc rc = gf_feed_batch(feed, GF_BATCH_COUNT_MAX, GF_FEED_UNTIL_END, &batch, error);
        for (uint32_t i = 0; rc == GF_OK && i < batch.event_count; i++) {
            rc = gf_engine_learn(shard->engine, &batch.events[i], error);
        }
        if (rc != GF_OK) {
            return gf_fail_prefix(error, rc, "shard %u: reference topics", shard->options.shard);
        }
        gf_feed_release(feed);
    } while (batch.event_count > 0);
    return GF_OK;
}

/* A shard that is not what the record says: partitions were taken away, or a stage was switched off
 * whose records were in the batch. */
static enum gf_rc
input_missing(const struct gf_shard *shard, const struct gf_journal *record,
              const struct gf_journal_input *wanted, int topic, struct gf_error *error)
{
    if (topic >= 0 && gf_topics[topic].is_internal) {
        const char *stage = gf_stage_name(gf_topics[topic].from);
        return gf_fail(error, GF_E_CONFIG,
                       "shard %u batch %" PRId64
                       " has records of %s, and stages.%s is off: a stage can be switched off only "
                       "after a clean stop, and what it gave is replayed only with it; set "
                       "stages.%s to true (and, to switch it off, stop with SIGTERM first)",
                       shard->options.shard, record->batch, gf_topics[topic].name, stage, stage);
    }
    return gf_fail(
        error, GF_E_CONFIG,
        "shard %u batch %" PRId64 " has input %.*s/%d, which is no input any more: were partitions "
        "added or taken away?",
        shard->options.shard, record->batch, GF_SPAN_PRINT(wanted->topic), wanted->partition);
}

/* Takes the positions of a record's inputs of a stage that is off; `is_swept`: as shard_batch_of.
 */
static enum gf_rc
inputs_carry(struct gf_shard *shard, const struct gf_journal *record, bool is_swept,
             struct gf_error *error)
{
    shard->carried_count = 0;
    for (uint32_t i = 0; i < record->inputs.count; i++) {
        const struct gf_journal_input *wanted = &record->inputs.items[i];
        int topic = -1;
        if (input_find(&shard->feed, wanted, i, &topic) != NULL) {
            continue;
        }
        if (topic < 0 || !gf_topics[topic].is_internal ||
            (wanted->from != wanted->to && !is_swept) ||
            shard->carried_count == SHARD_CARRIED_MAX ||
            shard->feed.input_count + shard->carried_count >= GF_MERGE_INPUT_COUNT_MAX) {
            return input_missing(shard, record, wanted, topic, error);
        }
        shard->carried[shard->carried_count++] =
            (struct gf_batch_input){.topic = topic,
                                    .partition = (uint32_t)wanted->partition,
                                    .to = wanted->to,
                                    .count = wanted->count};
    }
    return GF_OK;
}

enum gf_rc
shard_batch_of(struct gf_shard *shard, const struct gf_journal *record, bool is_swept,
               struct gf_batch *out, struct gf_error *error)
{
    struct gf_feed *feed = &shard->feed;
    int64_t count_before = 0, count_after = 0;
    int topic = -1;
    enum gf_rc rc = inputs_carry(shard, record, is_swept, error);
    if (rc != GF_OK) {
        return rc;
    }
    for (uint32_t i = 0; i < feed->input_count; i++) {
        feed->inputs[i].range.end = feed->inputs[i].range.to;
    }
    for (uint32_t i = 0; i < record->inputs.count; i++) {
        const struct gf_journal_input *wanted = &record->inputs.items[i];
        struct gf_feed_input *input = input_find(feed, wanted, i, &topic);
        if (input == NULL) {
            continue; /* carried */
        }
        if (input->range.to != wanted->from) {
            gf_feed_seek(feed, input, wanted->from, input->range.count);
        }
        count_before += input->range.count;
        count_after += wanted->count;
        input->range.end = wanted->to;
    }
    rc = gf_feed_batch(feed, GF_BATCH_COUNT_MAX, GF_FEED_UNTIL_END, out, error);
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "shard %u batch %" PRId64, shard->options.shard,
                              record->batch);
    }
    const bool is_countable = shard->counts_are_known || record->batch == 1;
    if (is_countable && count_after - count_before != (int64_t)out->event_count) {
        return gf_fail(error, GF_E_LOST,
                       "shard %u batch %" PRId64 ": had %" PRId64
                       " records, %u are there: an input topic was cut or "
                       "made anew",
                       shard->options.shard, record->batch, count_after - count_before,
                       out->event_count);
    }
    for (uint32_t i = 0; i < record->inputs.count; i++) {
        struct gf_feed_input *input = input_find(feed, &record->inputs.items[i], i, &topic);
        if (input != NULL) {
            input->range.to = record->inputs.items[i].to;
            input->range.count = record->inputs.items[i].count;
        }
    }
    shard->counts_are_known = true;
    shard->batch_mark = shard_mark_of(record);
    out->number = record->batch;
    out->shard_time = record->shard_time;
    out->has_advance = record->has_advance_to;
    out->advance_to = record->advance_to;
    return GF_OK;
}

/* Code, zone rules or order changed since: refolding would give another state than the outputs were
 * made from. */
static enum gf_rc
version_check(struct gf_shard *shard, struct following *following, int64_t batch,
              struct gf_error *error)
{
    if (batch <= following->oldest) {
        return GF_OK;
    }
    const char *then = shard->current.first_line, *now = shard->configured.first_line;
    const char *then_order = strstr(then, " order "), *now_order = strstr(now, " order ");
    const size_t then_size = then_order == NULL ? strlen(then) : (size_t)(then_order - then);
    const size_t now_size = now_order == NULL ? strlen(now) : (size_t)(now_order - now);
    if (then_size == now_size && memcmp(then, now, now_size) == 0) {
        return GF_OK; /* the order in force then is used for the refold */
    }
    if (shard->options.accept_refold) {
        following->is_whole = false; /* other effects are what was accepted */
        return GF_OK;
    }
    return gf_fail(error, GF_E_VERSION,
                   "shard %u: batch %" PRId64
                   " must be folded again (the last stop was no clean one), but it was folded "
                   "under \"%.*s\" and this is \"%.*s\"; start the old version once and stop it "
                   "with SIGTERM, or go on "
                   "with --accept-refold",
                   shard->options.shard, batch, (int)then_size, then, (int)now_size, now);
}

static enum gf_rc
slices_compare(const struct gf_shard *shard, struct following *following,
               const struct gf_journal *record, struct gf_error *error)
{
    for (uint32_t i = 0; i < record->slices.count; i++) {
        const struct gf_swept_slice *swept = &record->slices.items[i];
        if (swept->slice < 0 || swept->slice >= GF_SLICE_COUNT) {
            return gf_fail(error, GF_E_DAMAGED,
                           "shard %u batch %" PRId64 ": journal names slice %d",
                           shard->options.shard, record->batch, swept->slice);
        }
        const struct gf_slice_meta *meta = &shard->metas[swept->slice];
        following->is_named[swept->slice] =
            following->is_named[swept->slice] || meta->batch == swept->batch;
        if (meta->batch == swept->batch &&
            memcmp(meta->digest.bytes, swept->digest, sizeof(swept->digest)) != 0) {
            return gf_fail(error, GF_E_DAMAGED,
                           "shard %u slice %d at batch %" PRId64
                           ": the store's digest is not the journal's: it is damaged, or it "
                           "belongs to another log; " REBUILD,
                           shard->options.shard, swept->slice, swept->batch);
        }
    }
    return GF_OK;
}

/* Memory is nearly full: what has been folded again is acknowledged, so slices may go to the store.
 */
static enum gf_rc
slices_relieve(struct gf_shard *shard, struct following *following, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    for (uint32_t slice = 0; rc == GF_OK && slice < GF_SLICE_COUNT; slice++) {
        if (!gf_engine_is_under_pressure(shard->engine)) {
            break;
        }
        struct gf_sweep sweep;
        if (gf_engine_slice_batch(shard->engine, slice) == shard->batch) {
            rc = shard_sweep_slice(shard, slice, &sweep, error);
            following->is_named[slice] = false;
        }
    }
    return rc;
}

static enum gf_rc
batch_refold(struct gf_shard *shard, struct following *following, const struct gf_journal *record,
             struct gf_error *error)
{
    enum gf_rc rc = shard_find_config(shard, (uint64_t)record->config_hash, error);
    if (rc == GF_OK) {
        rc = version_check(shard, following, record->batch, error);
    }
    if (rc == GF_OK && !following->is_learned) {
        rc = shard_learn_reference(shard, record, error);
        following->is_learned = true;
    }
    struct gf_batch batch = {0};
    if (rc == GF_OK) {
        rc = shard_batch_of(shard, record, record->batch <= following->oldest, &batch, error);
    }
    if (rc == GF_OK) {
        if (GF_RULE(TIME_OF_RECORD)) {
            gf_engine_set_shard_time(shard->engine, record->shard_time);
        }
        rc = shard_fetch_wanted(shard, &batch, error);
    }
    struct gf_effects effects = {0};
    if (rc == GF_OK) {
        rc = gf_engine_fold(shard->engine, &batch, true, &effects, error);
    }
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "recovery of shard %u", shard->options.shard);
    }
    if (following->is_whole &&
        memcmp(effects.digest.bytes, record->effects_digest, GF_DIGEST_SIZE) != 0) {
        return gf_fail(error, GF_E_DIFFERENT,
                       "shard %u batch %" PRId64
                       ": folded again from batch 1, it gives other effects than the journal "
                       "says: an input or the journal was altered, and `gridfold replay --compare` "
                       "shows which; restore that, or a store that is at this batch or later",
                       shard->options.shard, record->batch);
    }
    gf_engine_set_tally(shard->engine, &record->tally);
    gf_feed_release(&shard->feed);
    following->records += batch.event_count;
    shard->batch = record->batch;
    gf_point(GF_POINT_IN_RECOVERY);
    return slices_relieve(shard, following, error);
}

static enum gf_rc
batches_are_gone(const struct gf_shard *shard, const struct following *following, int64_t goes_on,
                 struct gf_error *error)
{
    const bool is_hole = following->last > 0;
    if (goes_on <= following->last) {
        return gf_fail(error, GF_E_DAMAGED,
                       "shard %u: in the journal batch %" PRId64 " follows batch %" PRId64
                       ": somebody else has written to it, or it was put together again; restore "
                       "the journal",
                       shard->options.shard, goes_on, following->last);
    }
    const int64_t oldest = following->oldest == 0 ? 1 : following->oldest;
    return gf_fail(error, is_hole ? GF_E_DAMAGED : GF_E_LOST,
                   "shard %u: the journal goes on with batch %" PRId64 "; batch %" PRId64
                   " is needed: %s; restore the journal, or a store of it that is at batch %" PRId64
                   " or later",
                   shard->options.shard, goes_on, is_hole ? following->last + 1 : oldest,
                   is_hole ? "it has a hole" : "its beginning is gone (retention?)", goes_on);
}

/* Of a batch that every slice has. */
static enum gf_rc
positions_take(struct gf_shard *shard, const struct gf_journal *record, struct gf_error *error)
{
    for (uint32_t i = 0; i < record->inputs.count; i++) {
        const struct gf_journal_input *from = &record->inputs.items[i];
        int topic = -1;
        struct gf_feed_input *input = input_find(&shard->feed, from, i, &topic);
        if (input != NULL) {
            gf_feed_seek(&shard->feed, input, from->to, from->count);
        }
    }
    return inputs_carry(shard, record, true, error);
}

enum gf_rc
shard_take_record(struct gf_shard *shard, const struct gf_journal *record, int64_t offset,
                  struct gf_error *error)
{
    struct following *following = &shard->following;
    following->has_record = true;
    enum gf_rc rc = slices_compare(shard, following, record, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (record->kind != GF_JOURNAL_KIND_BATCH && following->last == 0 &&
        record->batch > following->oldest) {
        return batches_are_gone(shard, following, record->batch + 1, error);
    }
    if (record->has_claim) {
        return shard_owner_put(shard, record->claim.transactional_id, error);
    }
    if (record->kind == GF_JOURNAL_KIND_CONFIG && record->has_config) {
        following->is_configured = true;
        return shard_take_config(shard, record->config.body, (uint64_t)record->config_hash, error);
    }
    if (record->kind != GF_JOURNAL_KIND_BATCH) {
        return GF_OK;
    }
    if (following->last > 0 ? record->batch != following->last + 1
                            : record->batch > following->oldest + (following->oldest == 0)) {
        return batches_are_gone(shard, following, record->batch, error);
    }
    if (record->batch == following->marked && shard_mark_of(record) != following->mark &&
        GF_RULE(MARK)) {
        return gf_fail(
            error, GF_E_DAMAGED,
            "shard %u: batch %" PRId64
            " of the journal is not the one that the store was made from: does the store "
            "belong to another log? " REBUILD,
            shard->options.shard, record->batch);
    }
    following->last = record->batch;
    following->is_configured = true; /* by hash */
    shard->batch_base = offset;
    if (record->batch < following->oldest) {
        return positions_take(shard, record, error);
    }
    return batch_refold(shard, following, record, error);
}
