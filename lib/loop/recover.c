/* The only way in (architecture, section 4, steps 3 and 4): open the store, follow the journal from
 * its oldest slice, and, once the shard is ours, up to the end that the journal has then. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec/records.h"
#include "loop/fault.h"
#include "loop/shard_parts.h"

#define REBUILD         "move the store away; the next start rebuilds the state from the journal"
#define RECORDS_AT_ONCE (64 * 1024)

enum gf_rc
shard_store_open(struct gf_shard *shard, struct gf_error *error)
{
    return shard->store != NULL ? GF_OK
                                : shard->stores->ops->open(shard->stores, shard->options.shard,
                                                           &shard->store, error);
}

void
shard_store_close(struct gf_shard *shard)
{
    if (shard->store != NULL) {
        shard->stores->ops->close(shard->stores, shard->options.shard, shard->store);
        shard->store = NULL;
    }
}

/* The owner that the newest claim names: whose open transaction a take-over may have to end. It is
 * kept in the store, since the claim may be older than the first record that is read again. */
static void
owner_name(const struct gf_shard *shard, char out[32])
{
    snprintf(out, 32, "owner-%u", shard->options.shard);
}

static enum gf_rc
owner_get(struct gf_shard *shard, struct gf_error *error)
{
    char name[32];
    struct gf_span found = {0};
    owner_name(shard, name);
    const enum gf_rc rc = shard->store->ops->get_named(shard->store, name, &found, error);
    const size_t size = rc == GF_OK && found.size < sizeof(shard->owner) ? found.size : 0;
    memcpy(shard->owner, found.data == NULL ? "" : (const char *)found.data, size);
    shard->owner[size] = '\0';
    return rc;
}

enum gf_rc
shard_owner_put(struct gf_shard *shard, struct gf_span transactional_id, struct gf_error *error)
{
    if (transactional_id.size == 0 || transactional_id.size >= sizeof(shard->owner) ||
        gf_span_equal(transactional_id, gf_span_text(shard->owner))) {
        return GF_OK;
    }
    char name[32];
    owner_name(shard, name);
    memcpy(shard->owner, transactional_id.data, transactional_id.size);
    shard->owner[transactional_id.size] = '\0';
    return shard->store->ops->put_named(shard->store, name, transactional_id, error);
}

#ifdef GF_WITH_FAULTS
/* What one number for the whole store would say. */
static void
numbers_mix(struct gf_shard *shard)
{
    struct gf_slice_meta newest = shard->metas[0];
    for (uint32_t slice = 1; slice < GF_SLICE_COUNT; slice++) {
        newest = shard->metas[slice].batch > newest.batch ? shard->metas[slice] : newest;
    }
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        shard->metas[slice].batch = newest.batch;
        shard->metas[slice].journal_offset = newest.journal_offset;
    }
}
#else
#define numbers_mix(shard) ((void)(shard))
#endif

/* Loads what the store knows of every slice. */
static enum gf_rc
slices_open(struct gf_shard *shard, struct following *following, int64_t *journal_offset_out,
            struct gf_error *error)
{
    const uint32_t id = shard->options.shard;
    enum gf_rc rc = shard->store->ops->metas(shard->store, id, shard->metas, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (!GF_RULE(SLICE_NUMBERS)) {
        numbers_mix(shard);
    }
    following->oldest = INT64_MAX;
    following->newest = 0;
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
        if (meta->batch < following->oldest) {
            following->oldest = meta->batch;
            *journal_offset_out = meta->batch == 0 ? 0 : meta->journal_offset;
        }
        following->newest = meta->batch > following->newest ? meta->batch : following->newest;
    }
    following->is_whole = following->newest == 0;
    rc = shard_mark_get(shard, &following->marked, &following->mark, error);
    if (rc == GF_OK && following->newest > following->marked && GF_RULE(MARK)) {
        /* The mark is written first: the store has lost a write and kept one after it. */
        rc = gf_fail(error, GF_E_STATE,
                     "shard %u: a slice of the store is at batch %" PRId64
                     ", but what it says of its journal ends at batch %" PRId64
                     ": writes are missing; " REBUILD,
                     id, following->newest, following->marked);
    }
    following->newest = following->marked;
    return rc;
}

/* A first start is one where the journal's end offset is 0, or where it names no batch and nothing
 * of it is gone. */
static enum gf_rc
first_start(struct gf_shard *shard, const struct following *following, struct gf_error *error)
{
    const struct gf_time start = shard->options.start;
    const bool start_is_latest = shard->options.start_is_latest;
    if (following->newest > 0) {
        return gf_fail(error, GF_E_LOST,
                       "shard %u: the journal is empty, but the store is at batch %" PRId64
                       ": the journal was emptied, or this store belongs to another log; restore "
                       "the journal, or move "
                       "the store away to start over",
                       shard->options.shard, following->newest);
    }
    for (uint32_t i = 0; i < shard->feed.input_count; i++) {
        struct gf_feed_input *input = &shard->feed.inputs[i];
        const enum gf_topic topic = (enum gf_topic)input->range.topic;
        const bool is_whole =
            gf_topics[topic].is_reference || gf_stage_reads_whole(gf_shard_stage(shard), topic);
        int64_t offset = 0, end = 0;
        enum gf_rc rc = shard->source->ops->ends(shard->source, topic, input->range.partition,
                                                 &offset, &end, error);
        if (rc == GF_OK && gf_topics[topic].is_reference && offset > 0) {
            rc = gf_fail(error, GF_E_LOST,
                         "%s partition %u starts at offset %" PRId64
                         ", not at 0: reference topics must "
                         "keep everything",
                         gf_topics[topic].name, input->range.partition, offset);
        } else if (rc == GF_OK && !is_whole && start_is_latest) {
            offset = end;
        } else if (rc == GF_OK && !is_whole && !gf_time_is_none(start)) {
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

/* Slices that were swept, but whose journal record was never committed: the next record names them.
 * In order of batch, as a replay meets them. */
static void
unnamed_note(struct gf_shard *shard, const struct following *following)
{
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        const struct gf_slice_meta *meta = &shard->metas[slice];
        if (meta->batch == 0 || following->is_named[slice]) {
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

void
shard_memory_drop(struct gf_shard *shard)
{
    gf_engine_reset(shard->engine);
    for (uint32_t i = 0; i < shard->feed.input_count; i++) {
        gf_feed_seek(&shard->feed, &shard->feed.inputs[i], -1, 0); /* nothing read ahead survives */
        gf_feed_seek(&shard->feed, &shard->feed.inputs[i], 0, 0);
    }
    shard->following = (struct following){0};
    memset(shard->is_checked, 0, sizeof(shard->is_checked));
    shard->batch = 0;
    shard->mark_stored = 0;
    shard->counts_are_known = false;
    shard->carried_count = 0;
    shard->swept_named = 0;
    shard->swept_count = 0;
    shard->batch_base = 0;
    shard->records_since_sweep = 0;
}

enum gf_rc
gf_shard_start(struct gf_shard *shard, struct gf_error *error)
{
    struct following *following = &shard->following;
    shard->place = GF_SHARD_AWAY;
    shard_memory_drop(shard);
    int64_t journal_offset = 0;
    enum gf_rc rc = shard_store_open(shard, error);
    if (rc == GF_OK) {
        rc = slices_open(shard, following, &journal_offset, error);
    }
    if (rc == GF_OK) {
        rc =
            gf_journal_open(&following->reader, shard->source, &shard->lookup, shard->options.shard,
                            journal_offset, shard->journal_arena, JOURNAL_ARENA_SIZE, error);
    }
    if (rc == GF_OK) {
        following->from = following->reader.at;
        rc = owner_get(shard, error);
    }
    if (rc == GF_OK && shard->current.fold.features == NULL) {
        rc =
            shard_configure(shard, &shard->configured, error); /* until the journal names another */
    }
    if (rc == GF_OK) {
        shard->place = GF_SHARD_FOLLOWING;
    }
    return rc;
}

enum gf_rc
gf_shard_take_over(struct gf_shard *shard, struct gf_error *error)
{
    assert(shard->place == GF_SHARD_FOLLOWING);
    shard->following.is_taking_over = true;
    return GF_RULE(END_AFTER_STORE) ? gf_journal_extend(&shard->following.reader, error) : GF_OK;
}

/* There were records, and none is left to say what was folded. */
static enum gf_rc
journal_is_gone(const struct gf_shard *shard, struct gf_error *error)
{
    const struct following *following = &shard->following;
    return gf_fail(error, GF_E_LOST,
                   "shard %u: the journal is empty, though it has had records up to offset %" PRId64
                   " (retention?), and the store is at batch %" PRId64
                   "; restore the journal; or start over, which writes every output again: move "
                   "the store away, delete the journal's topic, and make it with `gridfold topics "
                   "create`",
                   shard->options.shard, following->reader.first, following->newest);
}

/* At the end of the journal, and the shard is ours: it can go on from here. */
static enum gf_rc
take_over_end(struct gf_shard *shard, struct gf_error *error)
{
    struct following *following = &shard->following;
    enum gf_rc rc = GF_OK;
    if (!following->has_record && following->reader.first > 0) {
        rc = journal_is_gone(shard, error);
    } else if (following->newest > following->last && following->reader.end > 0 && GF_RULE(MARK)) {
        rc = gf_fail(error, GF_E_DAMAGED,
                     "shard %u: the store is at batch %" PRId64
                     ", which the journal does not reach: it was cut, or the store belongs to "
                     "another log; restore the journal, or " REBUILD,
                     shard->options.shard, following->newest);
    } else if (following->last == 0) { /* nothing, or only claims and configurations so far */
        rc = first_start(shard, following, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    shard->batch = following->last;
    shard->journal_base = following->reader.end;
    shard->must_claim = shard->options.instance != NULL;
    shard->must_configure =
        !following->is_configured || shard->current.hash != shard->configured.hash;
    shard->swept_count = 0;
    unnamed_note(shard, following);
    shard->config_stored = false;
    shard->feed.is_arrival = shard->options.is_arrival;
    shard->place = GF_SHARD_LIVE;
    return GF_OK;
}

enum gf_rc
gf_shard_follow(struct gf_shard *shard, int64_t records_max, struct gf_duration wait,
                bool *moved_out, struct gf_error *error)
{
    struct following *following = &shard->following;
    assert(shard->place == GF_SHARD_FOLLOWING);
    *moved_out = false;
    const int64_t stop = following->records + records_max;
    bool found = true;
    while (found && following->records < stop) {
        struct gf_journal record;
        int64_t offset = 0;
        const int64_t before = following->reader.at;
        enum gf_rc rc = gf_journal_poll(&following->reader, wait, &record, &offset, &found, error);
        *moved_out = *moved_out || found || following->reader.at > before;
        if (rc == GF_OK && found) {
            rc = shard_take_record(shard, &record, offset, error);
        }
        if (rc != GF_OK) {
            return rc;
        }
    }
    const bool is_level =
        gf_journal_is_level(&following->reader) || (!GF_RULE(READ_TO_END) && !found && !*moved_out);
    if (!is_level) {
        return GF_OK;
    }
    return following->is_taking_over ? take_over_end(shard, error) : GF_OK;
}

enum gf_rc
gf_shard_standby_look(struct gf_shard *shard, struct gf_error *error)
{
    return gf_journal_extend(&shard->following.reader, error);
}

bool
gf_shard_is_level(const struct gf_shard *shard)
{
    return shard->place == GF_SHARD_LIVE || gf_journal_is_level(&shard->following.reader);
}

void
gf_shard_progress(const struct gf_shard *shard, int64_t *done_out, int64_t *total_out)
{
    const struct gf_journal_reader *reader = &shard->following.reader;
    const int64_t from = shard->following.from;
    *total_out = reader->end - from;
    *done_out = shard->place == GF_SHARD_LIVE ? *total_out : reader->at - from;
}

int64_t
gf_shard_refolded(const struct gf_shard *shard)
{
    return shard->following.records;
}

enum gf_rc
gf_shard_holders(struct gf_shard *shard, int32_t generation,
                 char (*names_out)[GF_JOURNAL_NAME_SIZE], uint32_t *count_out,
                 struct gf_error *error)
{
    const char *own =
        shard->options.transactional_id == NULL ? "" : shard->options.transactional_id;
    assert(shard->place == GF_SHARD_FOLLOWING);
    const enum gf_rc rc = gf_journal_open_claims(&shard->following.reader, generation, own,
                                                 names_out, GF_SHARD_HOLDERS_MAX, count_out, error);
    if (rc == GF_OK && *count_out == 0 && shard->owner[0] != '\0' &&
        strcmp(shard->owner, own) != 0) {
        strcpy(names_out[(*count_out)++], shard->owner);
    }
    return rc;
}

enum gf_rc
gf_shard_stuck(const struct gf_shard *shard, struct gf_error *error)
{
    return gf_journal_stuck(&shard->following.reader, error);
}

enum gf_rc
gf_shard_condemn(struct gf_shard *shard, const char *why, struct gf_error *error)
{
    shard->place = GF_SHARD_AWAY;
    shard_store_close(shard);
    return shard->stores->ops->condemn(shard->stores, shard->options.shard, why, error);
}

enum gf_rc
gf_shard_recover(struct gf_shard *shard, const struct gf_progress *progress, struct gf_error *error)
{
    enum gf_rc rc = gf_shard_start(shard, error);
    if (rc == GF_OK) {
        rc = gf_shard_take_over(shard, error);
    }
    uint32_t still = 0;
    while (rc == GF_OK && shard->place != GF_SHARD_LIVE) {
        bool moved = false;
        rc = gf_shard_follow(shard, RECORDS_AT_ONCE, GF_JOURNAL_WAIT, &moved, error);
        still = moved ? 0 : still + 1;
        if (rc == GF_OK && still > GF_JOURNAL_WAITS_MAX) {
            rc = gf_journal_stuck(&shard->following.reader, error);
        }
        if (progress != NULL && progress->show != NULL) {
            int64_t done = 0, total = 0;
            gf_shard_progress(shard, &done, &total);
            progress->show(progress->context, "recovering", done, total);
        }
    }
    return rc;
}
