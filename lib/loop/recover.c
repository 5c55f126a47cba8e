#include <inttypes.h>
#include <string.h>

#include "codec/records.h"
#include "loop/shard_parts.h"

#define REBUILD "move the store away; the next start rebuilds the state from the journal"

/* What a recovery keeps in mind while it reads the journal. */
struct recovery {
    int64_t oldest, newest;        /* batch numbers of the slices in the store */
    int64_t last;                  /* last batch read, 0 before the first */
    int64_t marked;                /* batch that the store remembers; no slice is newer */
    uint64_t mark;                 /* of its record */
    bool is_learned;               /* reference tables and positions are set */
    bool is_whole;                 /* from batch 1 into empty slices: effects can be compared */
    bool is_configured;            /* the journal names a configuration */
    bool is_named[GF_SLICE_COUNT]; /* the journal names the slice as it is in the store */
    int64_t refolded;              /* batches that touched a slice */
};

enum gf_rc
shard_learn_reference(struct gf_shard *shard, const struct gf_journal *record,
                      struct gf_error *error)
{
    struct gf_feed *feed = &shard->feed;
    shard->counts_are_known = false;
    for (uint32_t i = 0; i < feed->input_count; i++) {
        struct gf_feed_input *input = &feed->inputs[i];
        gf_feed_seek(feed, input, 0, 0);
        input->range.end = 0;
    }
    for (uint32_t i = 0; i < record->inputs.count; i++) {
        const struct gf_journal_input *wanted = &record->inputs.items[i];
        char name[64] = {0};
        memcpy(name, wanted->topic.data,
               wanted->topic.size < sizeof(name) ? wanted->topic.size : sizeof(name) - 1);
        const int topic = gf_topic_find(name);
        struct gf_feed_input *input =
            topic < 0 ? NULL : gf_feed_find(feed, topic, (uint32_t)wanted->partition);
        if (input != NULL && gf_topics[topic].is_reference) {
            input->range.end = wanted->from;
        }
    }
    struct gf_batch batch = {0};
    do {
        enum gf_rc rc = gf_feed_batch(feed, GF_BATCH_COUNT_MAX, &batch, error);
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

enum gf_rc
shard_batch_of(struct gf_shard *shard, const struct gf_journal *record, struct gf_batch *out,
               struct gf_error *error)
{
    struct gf_feed *feed = &shard->feed;
    int64_t count_before = 0, count_after = 0;
    for (uint32_t i = 0; i < feed->input_count; i++) {
        feed->inputs[i].range.end = feed->inputs[i].range.to;
    }
    for (uint32_t i = 0; i < record->inputs.count; i++) {
        const struct gf_journal_input *wanted = &record->inputs.items[i];
        struct gf_feed_input *input = &feed->inputs[i];
        const bool fits =
            i < feed->input_count && input->range.partition == (uint32_t)wanted->partition &&
            gf_span_equal(wanted->topic, gf_span_text(gf_topics[input->range.topic].name));
        if (!fits) {
            return gf_fail(error, GF_E_CONFIG,
                           "shard %u batch %" PRId64
                           " has input %.*s/%d, which is no input any more: were partitions "
                           "added or taken away?",
                           shard->options.shard, record->batch, GF_SPAN_PRINT(wanted->topic),
                           wanted->partition);
        }
        if (input->range.to != wanted->from) {
            gf_feed_seek(feed, input, wanted->from, input->range.count);
        }
        count_before += input->range.count;
        count_after += wanted->count;
        input->range.end = wanted->to;
    }
    const enum gf_rc rc = gf_feed_batch(feed, GF_BATCH_COUNT_MAX, out, error);
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
        feed->inputs[i].range.to = record->inputs.items[i].to;
        feed->inputs[i].range.count = record->inputs.items[i].count;
    }
    shard->counts_are_known = true;
    shard->batch_mark = shard_mark_of(record);
    out->number = record->batch;
    out->shard_time = record->shard_time;
    out->has_advance = record->has_advance_to;
    out->advance_to = record->advance_to;
    return GF_OK;
}

/* Loads what the store knows of every slice. */
static enum gf_rc
slices_open(struct gf_shard *shard, struct recovery *recovery, int64_t *journal_offset_out,
            struct gf_error *error)
{
    const uint32_t id = shard->options.shard;
    enum gf_rc rc = shard->store->ops->metas(shard->store, id, shard->metas, error);
    if (rc != GF_OK) {
        return rc;
    }
    recovery->oldest = INT64_MAX;
    recovery->newest = 0;
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        const struct gf_slice_meta *meta = &shard->metas[slice];
        struct gf_store_block found = {0};
        if (meta->batch > 0) {
            const struct gf_store_block timers = {.kind = GF_BLOCK_TIMERS};
            rc = shard->store->ops->get(shard->store, id, &slice, &timers, 1, &found, error);
        }
        if (rc == GF_OK) {
            rc = gf_engine_open_slice(shard->engine, slice, meta, found.bytes, error);
        }
        if (rc != GF_OK) {
            return rc;
        }
        if (meta->batch < recovery->oldest) {
            recovery->oldest = meta->batch;
            *journal_offset_out = meta->batch == 0 ? 0 : meta->journal_offset;
        }
        recovery->newest = meta->batch > recovery->newest ? meta->batch : recovery->newest;
    }
    recovery->is_whole = recovery->newest == 0;
    rc = shard_mark_get(shard, &recovery->marked, &recovery->mark, error);
    if (rc == GF_OK && recovery->newest > recovery->marked) {
        rc = gf_fail(error, GF_E_DAMAGED,
                     "shard %u: the store does not say which journal it was made from; " REBUILD,
                     id);
    }
    recovery->newest = recovery->marked;
    return rc;
}

/* A first start is one where the journal's end offset is 0, nothing else. */
static enum gf_rc
first_start(struct gf_shard *shard, const struct recovery *recovery, struct gf_time start,
            bool start_is_latest, struct gf_error *error)
{
    if (recovery->newest > 0) {
        return gf_fail(error, GF_E_LOST,
                       "shard %u: the journal is empty, but the store is at batch %" PRId64
                       ": the journal was emptied, or this store belongs to another log; restore "
                       "the journal, or move "
                       "the store away to start over",
                       shard->options.shard, recovery->newest);
    }
    for (uint32_t i = 0; i < shard->feed.input_count; i++) {
        struct gf_feed_input *input = &shard->feed.inputs[i];
        const enum gf_topic topic = (enum gf_topic)input->range.topic;
        int64_t offset = 0, end = 0;
        enum gf_rc rc = shard->source->ops->ends(shard->source, topic, input->range.partition,
                                                 &offset, &end, error);
        if (rc == GF_OK && gf_topics[topic].is_reference && offset > 0) {
            rc = gf_fail(error, GF_E_LOST,
                         "%s partition %u starts at offset %" PRId64
                         ", not at 0: reference topics must "
                         "keep everything",
                         gf_topics[topic].name, input->range.partition, offset);
        } else if (rc == GF_OK && !gf_topics[topic].is_reference && start_is_latest) {
            offset = end;
        } else if (rc == GF_OK && !gf_topics[topic].is_reference && !gf_time_is_none(start)) {
            rc = shard->source->ops->offset_at(shard->source, topic, input->range.partition, start,
                                               &offset, error);
        }
        if (rc != GF_OK) {
            return rc;
        }
        gf_feed_seek(&shard->feed, input, offset, 0);
    }
    return GF_OK;
}

/* Code, zone rules or order changed since: refolding would give another state than the outputs were
 * made from. */
static enum gf_rc
version_check(struct gf_shard *shard, struct recovery *recovery, int64_t batch,
              struct gf_error *error)
{
    if (batch <= recovery->oldest) {
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
        recovery->is_whole = false; /* other effects are what was accepted */
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
slices_compare(const struct gf_shard *shard, struct recovery *recovery,
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
        recovery->is_named[swept->slice] =
            recovery->is_named[swept->slice] || meta->batch == swept->batch;
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
slices_relieve(struct gf_shard *shard, struct recovery *recovery, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    for (uint32_t slice = 0; rc == GF_OK && slice < GF_SLICE_COUNT; slice++) {
        if (!gf_engine_is_under_pressure(shard->engine)) {
            break;
        }
        struct gf_sweep sweep;
        if (gf_engine_slice_batch(shard->engine, slice) == shard->batch) {
            rc = shard_sweep_slice(shard, slice, &sweep, error);
            recovery->is_named[slice] = false;
        }
    }
    return rc;
}

static enum gf_rc
batch_refold(struct gf_shard *shard, struct recovery *recovery, const struct gf_journal *record,
             struct gf_error *error)
{
    enum gf_rc rc = shard_find_config(shard, (uint64_t)record->config_hash, error);
    if (rc == GF_OK) {
        rc = version_check(shard, recovery, record->batch, error);
    }
    if (rc == GF_OK && !recovery->is_learned) {
        rc = shard_learn_reference(shard, record, error);
        recovery->is_learned = true;
    }
    struct gf_batch batch = {0};
    if (rc == GF_OK) {
        rc = shard_batch_of(shard, record, &batch, error);
    }
    if (rc == GF_OK) {
        gf_engine_set_shard_time(shard->engine, record->shard_time);
        rc = shard_fetch_wanted(shard, &batch, error);
    }
    struct gf_effects effects = {0};
    if (rc == GF_OK) {
        rc = gf_engine_fold(shard->engine, &batch, true, &effects, error);
    }
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "recovery of shard %u", shard->options.shard);
    }
    if (recovery->is_whole &&
        memcmp(effects.digest.bytes, record->effects_digest, GF_DIGEST_SIZE) != 0) {
        return gf_fail(error, GF_E_DIFFERENT,
                       "shard %u batch %" PRId64
                       ": folded again from batch 1, it gives other effects than the journal "
                       "says; `gridfold replay` shows more",
                       shard->options.shard, record->batch);
    }
    gf_engine_set_tally(shard->engine, &record->tally);
    gf_feed_release(&shard->feed);
    recovery->refolded += record->batch > recovery->oldest;
    shard->batch = record->batch;
    return slices_relieve(shard, recovery, error);
}

static enum gf_rc
batches_are_gone(const struct gf_shard *shard, const struct recovery *recovery, int64_t goes_on,
                 struct gf_error *error)
{
    const bool is_hole = recovery->last > 0;
    const int64_t oldest = recovery->oldest == 0 ? 1 : recovery->oldest;
    return gf_fail(error, is_hole ? GF_E_DAMAGED : GF_E_LOST,
                   "shard %u: the journal goes on with batch %" PRId64 "; batch %" PRId64
                   " is needed: %s; restore the journal, or a store of it that is at batch %" PRId64
                   " or later",
                   shard->options.shard, goes_on, is_hole ? recovery->last + 1 : oldest,
                   is_hole ? "it has a hole" : "its beginning is gone (retention?)", goes_on);
}

static enum gf_rc
record_take(struct gf_shard *shard, struct recovery *recovery, const struct gf_journal *record,
            int64_t offset, struct gf_error *error)
{
    enum gf_rc rc = slices_compare(shard, recovery, record, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (record->kind != GF_JOURNAL_KIND_BATCH && recovery->last == 0 &&
        record->batch > recovery->oldest) {
        return batches_are_gone(shard, recovery, record->batch + 1, error);
    }
    if (record->kind == GF_JOURNAL_KIND_CONFIG && record->has_config) {
        recovery->is_configured = true;
        return shard_take_config(shard, record->config.body, (uint64_t)record->config_hash, error);
    }
    if (record->kind != GF_JOURNAL_KIND_BATCH) {
        return GF_OK;
    }
    if (recovery->last > 0 ? record->batch != recovery->last + 1
                           : record->batch > recovery->oldest + (recovery->oldest == 0)) {
        return batches_are_gone(shard, recovery, record->batch, error);
    }
    if (record->batch == recovery->marked && shard_mark_of(record) != recovery->mark) {
        return gf_fail(
            error, GF_E_DAMAGED,
            "shard %u: batch %" PRId64
            " of the journal is not the one that the store was made from: does the store "
            "belong to another log? " REBUILD,
            shard->options.shard, record->batch);
    }
    recovery->last = record->batch;
    recovery->is_configured = true; /* by hash */
    shard->batch_base = offset;
    if (record->batch < recovery->oldest) {
        for (uint32_t i = 0; i < record->inputs.count && i < shard->feed.input_count; i++) {
            gf_feed_seek(&shard->feed, &shard->feed.inputs[i], record->inputs.items[i].to,
                         record->inputs.items[i].count);
        }
        return GF_OK;
    }
    return batch_refold(shard, recovery, record, error);
}

static enum gf_rc
journal_follow(struct gf_shard *shard, struct recovery *recovery, struct gf_journal_reader *reader,
               const struct gf_progress *progress, struct gf_error *error)
{
    for (;;) {
        struct gf_journal record;
        int64_t offset = 0;
        bool found = false;
        enum gf_rc rc = gf_journal_next(reader, &record, &offset, &found, error);
        if (rc != GF_OK || !found) {
            return rc;
        }
        rc = record_take(shard, recovery, &record, offset, error);
        if (rc != GF_OK) {
            return rc;
        }
        if (progress != NULL && progress->show != NULL) {
            progress->show(progress->context, "recovering", offset + 1 - reader->first,
                           reader->end - reader->first);
        }
    }
}

/* Slices that were swept, but whose journal record was never committed: the next record names them.
 * In order of batch, as a replay meets them. */
static void
unnamed_note(struct gf_shard *shard, const struct recovery *recovery)
{
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        const struct gf_slice_meta *meta = &shard->metas[slice];
        if (meta->batch == 0 || recovery->is_named[slice]) {
            continue;
        }
        uint32_t at = shard->swept_count++;
        for (; at > 0 && shard->swept[at - 1].batch > meta->batch; at--) {
            shard->swept[at] = shard->swept[at - 1];
        }
        shard->swept[at] = (struct gf_swept_slice){.slice = (int32_t)slice, .batch = meta->batch};
        memcpy(shard->swept[at].digest, meta->digest.bytes, sizeof(shard->swept[at].digest));
    }
}

enum gf_rc
gf_shard_recover(struct gf_shard *shard, struct gf_time start, bool start_is_latest,
                 const struct gf_progress *progress, struct gf_error *error)
{
    struct recovery recovery = {0};
    int64_t journal_offset = 0;
    gf_engine_reset(shard->engine);
    for (uint32_t i = 0; i < shard->feed.input_count; i++) {
        gf_feed_seek(&shard->feed, &shard->feed.inputs[i], -1, 0); /* nothing read ahead survives */
        gf_feed_seek(&shard->feed, &shard->feed.inputs[i], 0, 0);
    }
    shard->batch = 0;
    shard->mark_stored = 0;
    shard->counts_are_known = false;
    shard->swept_named = 0;
    shard->swept_count = 0;
    shard->batch_base = 0;
    shard->records_since_sweep = 0;
    enum gf_rc rc = slices_open(shard, &recovery, &journal_offset, error);
    struct gf_journal_reader reader;
    if (rc == GF_OK) {
        rc = gf_journal_open(&reader, shard->source, &shard->lookup, shard->options.shard,
                             journal_offset, shard->journal_arena, JOURNAL_ARENA_SIZE, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    shard->must_claim = shard->options.instance != NULL;
    shard->must_configure = true;
    shard->journal_base = reader.end;
    if (reader.end == 0) {
        rc = first_start(shard, &recovery, start, start_is_latest, error);
        return rc != GF_OK ? rc : shard_configure(shard, &shard->configured, error);
    }
    if (shard->current.fold.features == NULL) {
        rc =
            shard_configure(shard, &shard->configured, error); /* until the journal names another */
    }
    if (rc == GF_OK) {
        rc = journal_follow(shard, &recovery, &reader, progress, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    if (recovery.newest > recovery.last) {
        return gf_fail(error, GF_E_DAMAGED,
                       "shard %u: the store is at batch %" PRId64
                       ", which the journal does not reach: it was cut, or the store belongs to "
                       "another log; restore the journal, or " REBUILD,
                       shard->options.shard, recovery.newest);
    }
    if (recovery.last == 0) { /* only claims and configurations so far */
        rc = first_start(shard, &recovery, start, start_is_latest, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    shard->batch = recovery.last;
    shard->must_configure =
        !recovery.is_configured || shard->current.hash != shard->configured.hash;
    unnamed_note(shard, &recovery);
    shard->config_stored = false;
    shard->feed.is_arrival = shard->options.is_arrival;
    return GF_OK;
}
