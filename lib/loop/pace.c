/* Pace: how far each shard may read in a turn.
 *
 * What a stage reads beside the internal topics (a total, a reading that came without the head-end)
 * can be days ahead of what an earlier stage has yet to say, and that would then be too late. So,
 * among the shards of one loop, stages wait for those before them:
 *
 *   canonical  A stage goes on when those before it are at their ends and committed: what it reads
 *              then does not hang on how far another one has come.
 *   arrival    A shard takes nothing that is dated after the least shard time of the shards of
 *              earlier stages that are behind. Behind is who has records left and either did not
 *              come to the ends that were frozen for it last, or lives in the past: a history that
 *              is imported comes faster than anybody reads it.
 *   both       A shard that has just become live begins when no shard of an earlier stage that is
 *              ours is still recovering.
 *
 * Who is at its end or has no data holds nobody, and the first stage that has somebody behind waits
 * for none: it goes on in this turn, so nothing stands still for good. Nor does arrival order keep
 * a shard that lives in the present waiting for a stage that was switched on later and has a long
 * past to read.
 *
 * Of a shard in another loop or instance nothing is known but what it writes. Each part of an
 * internal topic has one writer, in order of time but for late values. So long as a part has
 * brought something within the patience (or its reader has become live, or the group has dealt out
 * shards), or its writer is ours and recovers:
 *
 *   canonical  its reader takes nothing.
 *   arrival    its reader takes nothing that is dated after the newest of the part, unless the
 *              reader lives in the present: then it is too late to wait.
 *
 * The patience of the third stage is twice that of the second, for which it may have to wait.
 *
 * What is taken is journalled: a recovery and a replay need none of this.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/civil.h"
#include "loop/fault.h"
#include "loop/live_parts.h"

/* The most that features.lateness can be, and the slots of a balance at the longest interval: what
 * is older comes too late, whoever waits for it. */
#define PAST_US (2 * GF_US_PER_DAY)

/* The present begins so long ago: a half of the slots of a balance of quarter hours. */
#define PRESENT_US (6 * GF_US_PER_HOUR)

static struct gf_time
time_of(const struct member *member)
{
    return gf_engine_shard_time(gf_shard_engine(member->shard));
}

/* Whether a shard lives in the present, and the others in a past that it cannot use. */
static bool
is_past(const struct live *live, const struct member *member, struct gf_time until)
{
    const struct gf_time time = time_of(member);
    const struct gf_time now = live->options->clock->now(live->options->clock);
    return time.us > now.us - PAST_US && time.us - PAST_US > until.us;
}

static bool
is_present(const struct live *live, const struct member *member)
{
    const struct gf_time now = live->options->clock->now(live->options->clock);
    return time_of(member).us > now.us - PRESENT_US;
}

/* Only an operator can help it: arrival order does not wait for that. */
static bool
is_helpless(const struct member *member)
{
    return member->has_told && member->still_since_us != 0;
}

/* Whether the writer of a part may yet write what is older than that which its readers have. A live
 * one of this loop holds them by itself. */
static bool
is_awaited(const struct live *live, uint32_t writer, bool is_silent)
{
    for (uint32_t i = 0; i < live->member_count; i++) {
        const struct member *member = &live->members[i];
        if (member->id == writer && member->is_ours) {
            return !live_is_live(live, member) && !is_helpless(member);
        }
    }
    return !is_silent;
}

static int64_t
later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Makes a shard whose ends are frozen wait for the parts whose writers are elsewhere. */
static void
parts_await(struct live *live, const struct member *member, int place)
{
    const struct gf_live_options *options = live->options;
    const int64_t now = live_now_us(live);
    const int64_t begun = later(member->begun_us, live->assigned_us);
    if (options->is_arrival && is_present(live, member)) {
        return;
    }
    struct gf_shard_part parts[GF_SHARD_PARTS_MAX];
    const uint32_t count = gf_shard_parts(member->shard, parts);
    bool is_awaiting = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct gf_shard_part *part = &parts[i];
        const int64_t silent_us = now - later(part->came_us, begun);
        const bool is_silent = silent_us >= place * options->stage_patience.us;
        if (is_awaited(live, part->writer, is_silent)) {
            gf_shard_await(member->shard, part->input);
            is_awaiting = true;
        }
    }
    if (is_awaiting && !options->is_arrival) {
        gf_shard_thaw(member->shard);
    }
    live->is_awaiting = live->is_awaiting || is_awaiting;
}

/* Freezes the ends of one shard. `is_behind_out`: those after it must not pass it. */
static enum gf_rc
member_freeze(struct live *live, struct member *member, int place, struct gf_time until,
              bool *is_behind_out, struct gf_error *error)
{
    const bool was_at_end = member->begun_us != 0 && gf_shard_lag(member->shard) == 0;
    const struct gf_time limit = is_past(live, member, until) ? GF_FEED_UNTIL_END : until;
    const int64_t now = live_now_us(live);
    const enum gf_rc rc = gf_shard_freeze(member->shard, limit, now, error);
    member->begun_us = member->begun_us == 0 ? now : member->begun_us;
    if (rc == GF_OK) {
        parts_await(live, member, place);
    }
    *is_behind_out = gf_shard_lag(member->shard) > 0 && (!was_at_end || !is_present(live, member));
    return rc;
}

/* A stage was switched on before others that have a past: says what that means for its backlog. */
static void
stage_tell(struct live *live, int place, int64_t records)
{
    struct gf_time latest = GF_TIME_NONE; /* of the stages after it */
    for (int i = place + 1; i < GF_STAGE_COUNT; i++) {
        FOR_EACH_LIVE(live, member)
        {
            const struct gf_time time = time_of(member);
            const bool is_of = gf_shard_stage(member->shard) == gf_stage_flow[i];
            latest = is_of && time.us > latest.us ? time : latest;
        }
    }
    if (records == 0 || gf_time_is_none(latest) || live->options->note == NULL) {
        return;
    }
    char text[GF_ERROR_TEXT_SIZE], until[GF_TIME_TEXT_SIZE];
    gf_time_print(latest, until);
    snprintf(
        text, sizeof(text),
        "%s begins with %" PRId64 " records that are there already, and what reads from it is "
        "at %s: what ended more than the lateness before that becomes dead letters (LATE); see "
        "docs/operators/balance.md, Switching a stage on later",
        gf_stage_name(gf_stage_flow[place]), records, until);
    live->options->note(live->options->context, GF_LIVE_NEW_STAGE, gf_stage_flow[place], text);
}

static enum gf_rc
stage_freeze(struct live *live, int place, bool must_wait, struct gf_time *until,
             struct gf_error *error)
{
    struct gf_time least = *until;
    int64_t records = 0; /* of shards that have no batch yet */
    FOR_EACH_LIVE(live, member)
    {
        if (gf_shard_stage(member->shard) != gf_stage_flow[place] ||
            (must_wait && (member->begun_us == 0 || !live->options->is_arrival))) {
            continue;
        }
        const bool is_new = member->begun_us == 0 && gf_shard_batch(member->shard) == 0;
        bool is_behind = false;
        const enum gf_rc rc = member_freeze(live, member, place, *until, &is_behind, error);
        if (rc != GF_OK) {
            return rc;
        }
        records += is_new ? gf_shard_lag(member->shard) : 0;
        const struct gf_time time = time_of(member);
        least = is_behind && time.us < least.us ? time : least;
    }
    stage_tell(live, place, records);
    *until = live->options->is_arrival ? least : GF_FEED_UNTIL_END;
    return GF_OK;
}

/* Whether a shard of the stage that is ours is on its way. */
static bool
is_recovering(const struct live *live, enum gf_stage stage)
{
    bool found = false;
    for (uint32_t i = 0; i < live->member_count; i++) {
        const struct member *member = &live->members[i];
        found = found || (member->is_ours && !live_is_live(live, member) && member->shard != NULL &&
                          gf_shard_stage(member->shard) == stage &&
                          !(live->options->is_arrival && is_helpless(member)));
    }
    return found;
}

enum gf_rc
live_freeze(struct live *live, struct gf_error *error)
{
    live_beat(live, "ask for the ends of the inputs");
    enum gf_rc rc = GF_OK;
    struct gf_time until = GF_FEED_UNTIL_END;
    bool must_wait = false;
    live->is_awaiting = false;
    for (int i = 0; rc == GF_OK && i < GF_STAGE_COUNT; i++) {
        rc = stage_freeze(live, i, must_wait, &until, error);
        must_wait = must_wait || is_recovering(live, gf_stage_flow[i]);
        if (!live->options->is_arrival && live_lag(live) > 0) {
            break;
        }
    }
    gf_point(GF_POINT_AFTER_POLL);
    return rc;
}
