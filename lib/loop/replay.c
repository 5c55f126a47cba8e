#include <inttypes.h>
#include <string.h>

#include "codec/records.h"
#include "loop/replay.h"
#include "loop/shard_parts.h"

/* Slices as the journal says they were swept, in order of batch. */
struct expected {
    struct gf_swept_slice *items;
    size_t size; /* bytes reserved */
    int64_t count, at;
};

struct replay {
    struct gf_shard *shard;
    const struct gf_replay_options *options;
    struct gf_replay_totals totals;
    struct expected expected;
    int64_t batch_count;
    int64_t journal_end; /* of all walks: an instance may be writing on; -1: not known yet */
    bool is_over;        /* the batch to stop at was reached */
};

static enum gf_rc
journal_walk(struct replay *replay,
             enum gf_rc (*visit)(struct replay *, const struct gf_journal *, struct gf_error *),
             struct gf_error *error)
{
    struct gf_shard *shard = replay->shard;
    struct gf_journal_reader reader;
    enum gf_rc rc = gf_journal_open(&reader, shard->source, &shard->lookup, shard->options.shard, 0,
                                    shard->journal_arena, JOURNAL_ARENA_SIZE, error);
    if (rc == GF_OK && reader.first > 0) {
        rc = gf_fail(error, GF_E_LOST,
                     "shard %u: the journal starts at offset %" PRId64
                     ", not at 0: what came before is gone (retention?), and to fold again from "
                     "batch 1 needs all of it; restore the journal (`gridfold explain` can go on "
                     "from a snapshot: snapshot.folder)",
                     shard->options.shard, reader.first);
    }
    if (rc == GF_OK) {
        replay->journal_end = replay->journal_end < 0 ? reader.end : replay->journal_end;
        reader.end = replay->journal_end;
    }
    while (rc == GF_OK && !replay->is_over) {
        struct gf_journal record;
        int64_t offset = 0;
        bool found = false;
        rc = gf_journal_next(&reader, &record, &offset, &found, error);
        if (rc != GF_OK || !found) {
            break;
        }
        rc = visit(replay, &record, error);
    }
    return rc;
}

static enum gf_rc
slices_count(struct replay *replay, const struct gf_journal *record, struct gf_error *error)
{
    (void)error;
    replay->expected.count += record->slices.count;
    replay->batch_count += record->kind == GF_JOURNAL_KIND_BATCH;
    return GF_OK;
}

static enum gf_rc
slices_keep(struct replay *replay, const struct gf_journal *record, struct gf_error *error)
{
    (void)error;
    for (uint32_t i = 0; i < record->slices.count; i++) {
        replay->expected.items[replay->expected.at++] = record->slices.items[i];
    }
    return GF_OK;
}

/* The slices that were swept after this batch: written to the scratch store as they were, and
 * compared. */
static enum gf_rc
slices_sweep(struct replay *replay, int64_t batch, struct gf_error *error)
{
    struct gf_shard *shard = replay->shard;
    struct expected *expected = &replay->expected;
    while (expected->at < expected->count && expected->items[expected->at].batch <= batch) {
        const struct gf_swept_slice *wanted = &expected->items[expected->at++];
        if (wanted->batch < batch) {
            continue; /* named twice, after a crash */
        }
        struct gf_sweep sweep;
        const enum gf_rc rc = shard_sweep_slice(shard, (uint32_t)wanted->slice, &sweep, error);
        if (rc != GF_OK) {
            return rc;
        }
        if (memcmp(sweep.meta.digest.bytes, wanted->digest, GF_DIGEST_SIZE) != 0) {
            return gf_fail(error, GF_E_DIFFERENT,
                           "shard %u: the state of slice %d after batch %" PRId64
                           " differs from the journal's digest",
                           shard->options.shard, wanted->slice, batch);
        }
        replay->totals.slices++;
    }
    return GF_OK;
}

static enum gf_rc
batch_compare(struct replay *replay, const struct gf_journal *record, const struct gf_batch *batch,
              const struct gf_effects *effects, struct gf_error *error)
{
    const struct gf_time time = record->shard_time, from = replay->options->from,
                         to = replay->options->to;
    const bool is_inside =
        (gf_time_is_none(from) || time.us >= from.us) && (gf_time_is_none(to) || time.us < to.us);
    struct gf_shard *shard = replay->shard;
    const struct gf_tally *tally = gf_engine_tally(shard->engine);
    if (replay->options->compare != NULL) {
        const enum gf_rc rc =
            gf_compare_batch(replay->options->compare, record, batch, effects,
                             memcmp(tally, &record->tally, sizeof(*tally)) == 0, is_inside, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    if (!is_inside) {
        return GF_OK;
    }
    const bool is_equal =
        memcmp(effects->digest.bytes, record->effects_digest, GF_DIGEST_SIZE) == 0 &&
        memcmp(tally, &record->tally, sizeof(*tally)) == 0;
    if (!is_equal) {
        char text[GF_TIME_TEXT_SIZE];
        gf_time_print(time, text);
        return gf_fail(error, GF_E_DIFFERENT,
                       "shard %u batch %" PRId64 " (shard time %s): %u effects; records %" PRId64
                       ", processed %" PRId64 ", effects %" PRId64
                       " so far; the journal says %" PRId64 ", %" PRId64 ", %" PRId64 "%s",
                       shard->options.shard, record->batch, text, effects->count, tally->records,
                       tally->processed, tally->effects, record->tally.records,
                       record->tally.processed, record->tally.effects,
                       memcmp(tally, &record->tally, sizeof(*tally)) == 0
                           ? "; the effects' bytes differ"
                           : "");
    }
    replay->totals.batches++;
    replay->totals.effects += effects->count;
    if (gf_time_is_none(replay->totals.from)) {
        replay->totals.from = time;
    }
    replay->totals.to = gf_engine_shard_time(shard->engine);
    return GF_OK;
}

static enum gf_rc
batch_replay(struct replay *replay, const struct gf_journal *record, struct gf_error *error)
{
    struct gf_shard *shard = replay->shard;
    struct gf_batch batch = {0};
    struct gf_effects effects = {0};
    enum gf_rc rc = shard_batch_of(shard, record, false, &batch, error);
    if (rc == GF_OK) {
        rc = shard_fetch_wanted(shard, &batch, error);
    }
    if (rc == GF_OK && !gf_time_is_none(gf_engine_shard_time(shard->engine)) &&
        gf_engine_shard_time(shard->engine).us != record->shard_time.us) {
        rc = gf_fail(error, GF_E_DIFFERENT,
                     "shard %u batch %" PRId64 ": another shard time than the journal's",
                     shard->options.shard, record->batch);
    }
    if (rc == GF_OK) {
        rc = gf_engine_fold(shard->engine, &batch, false, &effects, error);
    }
    if (rc == GF_OK) {
        rc = batch_compare(replay, record, &batch, &effects, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    gf_feed_release(&shard->feed);
    shard->batch = record->batch;
    replay->totals.records += batch.event_count;
    for (uint32_t i = 0; i < effects.count; i++) {
        shard->effect_counts[effects.items[i].topic]++;
    }
    return slices_sweep(replay, record->batch, error);
}

static enum gf_rc
config_replay(struct gf_shard *shard, const struct gf_journal *record, struct gf_error *error)
{
    const enum gf_rc rc =
        shard_take_config(shard, record->config.body, (uint64_t)record->config_hash, error);
    if (rc == GF_OK && record->config.fold_version != GF_FOLD_VERSION &&
        !shard->options.accept_refold) {
        return gf_fail(
            error, GF_E_VERSION,
            "the run was folded by fold_version %d; this program has %d: a replay across "
            "versions cannot be exact",
            record->config.fold_version, GF_FOLD_VERSION);
    }
    return rc;
}

static enum gf_rc
record_replay(struct replay *replay, const struct gf_journal *record, struct gf_error *error)
{
    struct gf_shard *shard = replay->shard;
    const struct gf_replay_options *options = replay->options;
    if (options->compare != NULL && !options->compare->is_open) {
        const enum gf_rc rc =
            gf_compare_open(options->compare, shard->source, &shard->lookup, shard->options.shard,
                            shard->options.shard_count, shard->options.stages, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    if (record->kind == GF_JOURNAL_KIND_CONFIG && record->has_config) {
        return config_replay(shard, record, error);
    }
    if (record->kind != GF_JOURNAL_KIND_BATCH) {
        return GF_OK;
    }
    if (record->batch != shard->batch + 1) {
        return gf_fail(error, GF_E_DAMAGED,
                       "shard %u: in the journal batch %" PRId64 " follows batch %" PRId64
                       ": %s; restore the journal",
                       shard->options.shard, record->batch, shard->batch,
                       record->batch > shard->batch
                           ? "it has a hole"
                           : "somebody else has written to it, or it was put together again");
    }
    if (record->batch == options->stop_at) {
        replay->is_over = true;
        return options->at_batch(options->context, shard, record, error);
    }
    const enum gf_rc rc = batch_replay(replay, record, error);
    if (rc == GF_OK && options->progress != NULL && options->progress->show != NULL) {
        options->progress->show(options->progress->context, "replaying", record->batch,
                                options->stop_at > 0 ? options->stop_at : replay->batch_count);
    }
    return rc;
}

static enum gf_rc
expected_make(struct replay *replay, struct gf_error *error)
{
    enum gf_rc rc = journal_walk(replay, slices_count, error);
    if (rc != GF_OK || replay->expected.count == 0) {
        return rc;
    }
    replay->expected.size = (size_t)replay->expected.count * sizeof(struct gf_swept_slice);
    replay->expected.items = replay->shard->options.reserve(replay->expected.size);
    if (replay->expected.items == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "the list of swept slices");
    }
    rc = journal_walk(replay, slices_keep, error);
    replay->expected.at = 0;
    return rc;
}

enum gf_rc
gf_shard_replay_as(struct gf_shard *shard, const struct gf_replay_options *options,
                   struct gf_replay_totals *totals_out, struct gf_error *error)
{
    struct replay replay = {.shard = shard, .options = options, .journal_end = -1};
    replay.totals.from = GF_TIME_NONE;
    replay.totals.to = GF_TIME_NONE;
    shard_memory_drop(shard);
    memset(shard->metas, 0,
           sizeof(shard->metas)); /* the store is empty, whatever was there before */
    enum gf_rc rc = shard_store_open(shard, error);
    if (rc == GF_OK) {
        rc = expected_make(&replay, error);
    }
    if (rc == GF_OK) {
        rc = journal_walk(&replay, record_replay, error);
    }
    if (rc == GF_OK && options->stop_at > 0 && !replay.is_over) {
        rc = gf_fail(error, GF_E_NOT_FOUND, "shard %u: the journal has no batch %" PRId64,
                     shard->options.shard, options->stop_at);
    }
    if (rc == GF_OK && options->compare != NULL) {
        rc = gf_compare_end(options->compare, shard->batch, error);
    }
    if (replay.expected.items != NULL) {
        shard->options.release(replay.expected.items, replay.expected.size);
    }
    *totals_out = replay.totals;
    return rc;
}

enum gf_rc
gf_shard_replay(struct gf_shard *shard, struct gf_time from, struct gf_time to,
                const struct gf_progress *progress, struct gf_replay_totals *totals_out,
                struct gf_error *error)
{
    const struct gf_replay_options options = {.from = from, .to = to, .progress = progress};
    return gf_shard_replay_as(shard, &options, totals_out, error);
}
