#include "loop/live.h"

#include <string.h>

#include "loop/commit.h"
#include "loop/fault.h"
#include "loop/live_parts.h"

#define IDLE_SLEEP_US      (50 * 1000)
#define SLOT_LOOK_US       (5 * 1000 * 1000)
#define RETRY_US_MIN       (500 * 1000)
#define RETRY_US_MAX       (30 * 1000 * 1000)
#define RETRIES_AT_END_MAX 8 /* with exit_at_end somebody waits: give up after some minutes */

static bool
has_news(struct live *live)
{
    bool news = false;
    FOR_EACH_LIVE(live, member)
    {
        news = news || gf_shard_has_news(member->shard);
    }
    return news;
}

/* Memory is nearly full: commit now, so that slices may be swept and leave. */
static bool
is_under_pressure(struct live *live)
{
    bool pressure = false;
    FOR_EACH_LIVE(live, member)
    {
        pressure = pressure || gf_engine_is_under_pressure(gf_shard_engine(member->shard));
    }
    return pressure;
}

/* Wall time to move to: only when everything has been read and nothing has come for a while. */
static struct gf_time
advance_time(const struct live *live)
{
    const struct gf_live_options *options = live->options;
    if (options->idle_advance.us == 0 || live->idle_since_us == 0 ||
        live_now_us(live) - live->idle_since_us < options->idle_advance.us) {
        return GF_TIME_NONE;
    }
    return gf_time_sub(options->clock->now(options->clock), options->idle_advance);
}

/* Rounds of batches into the open commit. Canonical commits are cut by the number of rounds alone,
 * so that equal input makes equal logs; live ones also by time. */
static enum gf_rc
step_all(struct live *live, struct gf_time advance_to, struct gf_error *error)
{
    const struct gf_live_options *options = live->options;
    const int64_t started = live_now_us(live);
    for (uint32_t round = 0; round < options->commit_batches; round++) {
        int64_t records = 0;
        FOR_EACH_LIVE(live, member)
        {
            uint32_t stepped = 0;
            const enum gf_rc rc =
                gf_shard_step(member->shard, live->sink, advance_to, &stepped, error);
            if (rc != GF_OK) {
                live->damaged = rc == GF_E_STATE ? member : NULL;
                return rc;
            }
            records += stepped;
        }
        live->status.records += records;
        const bool is_time =
            options->is_arrival && live_now_us(live) - started >= options->commit_interval.us;
        if (records == 0 || is_time || is_under_pressure(live)) {
            break;
        }
    }
    return GF_OK;
}

/* Every live shard sends at least one offset: the fence covers them all. */
static enum gf_rc
positions_commit(struct live *live, struct gf_error *error)
{
    uint32_t count = 0;
    FOR_EACH_LIVE(live, member)
    {
        count +=
            gf_shard_positions(member->shard, live->positions + count, POSITION_COUNT_MAX - count);
    }
    live_beat(live, "commit");
    const int64_t started = live_now_us(live);
    const enum gf_rc rc =
        gf_commit(live->sink, live->positions, count, GF_RULE(FENCE) ? live->fence : NULL, error);
    live->last_commit_us = live_now_us(live);
    live->status.commit_us = live->last_commit_us - started;
    return rc;
}

static enum gf_rc
commit_all(struct live *live, struct gf_error *error)
{
    enum gf_rc rc = positions_commit(live, error);
    live->status.commits += rc == GF_OK;
    live->last_record_us = live->last_commit_us;
    FOR_EACH_LIVE(live, member)
    {
        if (rc == GF_OK) {
            rc = gf_shard_acknowledged(member->shard, error);
            live->damaged = rc == GF_E_STATE ? member : NULL;
        }
    }
    return rc;
}

/* Offers every store for a snapshot: what is in it is committed. */
static enum gf_rc
snapshot_all(struct live *live, struct gf_error *error)
{
    FOR_EACH_LIVE(live, member)
    {
        const enum gf_rc rc = gf_shard_snapshot(member->shard, error);
        if (rc != GF_OK) {
            live->damaged = rc == GF_E_STATE ? member : NULL;
            return rc;
        }
    }
    return GF_OK;
}

static enum gf_rc
sweep_all(struct live *live, bool all, struct gf_error *error)
{
    live_beat(live, "write to the store");
    FOR_EACH_LIVE(live, member)
    {
        const enum gf_rc rc = gf_shard_sweep(member->shard, all, error);
        if (rc != GF_OK) {
            live->damaged = rc == GF_E_STATE ? member : NULL;
            return rc;
        }
    }
    return all ? GF_OK : snapshot_all(live, error);
}

static enum gf_rc
heartbeat_all(struct live *live, struct gf_error *error)
{
    enum gf_rc rc = live->sink->ops->begin(live->sink, error);
    FOR_EACH_LIVE(live, member)
    {
        if (rc == GF_OK) {
            rc = gf_shard_heartbeat(member->shard, live->sink, error);
        }
    }
    return rc != GF_OK ? rc : commit_all(live, error);
}

/* A new owner's first commit: claims, and nothing else. */
static enum gf_rc
claim_all(struct live *live, bool *claimed_out, struct gf_error *error)
{
    *claimed_out = false;
    enum gf_rc rc = GF_OK;
    FOR_EACH_LIVE(live, member)
    {
        if (rc == GF_OK && gf_shard_must_claim(member->shard)) {
            if (!*claimed_out) {
                live_beat(live, "begin");
                rc = live->sink->ops->begin(live->sink, error);
                *claimed_out = true;
            }
            if (rc == GF_OK) {
                rc = gf_shard_claim(member->shard, live->sink, live->generation, error);
            }
        }
    }
    return rc == GF_OK && *claimed_out ? commit_all(live, error) : rc;
}

static void
rest(struct live *live, int64_t us)
{
    const struct gf_live_options *options = live->options;
    live_show(live);
    options->clock->sleep(options->clock, (struct gf_duration){us});
}

/* With fixed slots only a commit tells that another instance has the slot by now: one that holds
 * nothing but positions, and writes nothing to any of our topics. */
static bool
must_look(const struct live *live, int64_t now)
{
    return live->group == NULL && live->sink->ops->send_offsets != NULL &&
           now - live->last_commit_us >= SLOT_LOOK_US;
}

static enum gf_rc
slot_look(struct live *live, struct gf_error *error)
{
    const enum gf_rc rc = live->sink->ops->begin(live->sink, error);
    return rc != GF_OK ? rc : positions_commit(live, error);
}

static enum gf_rc
idle(struct live *live, struct gf_error *error)
{
    const struct gf_live_options *options = live->options;
    const int64_t now = live_now_us(live);
    live->idle_since_us = live->idle_since_us == 0 ? now : live->idle_since_us;
    if (options->heartbeat.us > 0 && now - live->last_record_us >= options->heartbeat.us) {
        return heartbeat_all(live, error);
    }
    if (must_look(live, now)) {
        return slot_look(live, error);
    }
    rest(live, IDLE_SLEEP_US);
    return snapshot_all(live, error);
}

/* One commit of what has come, or a moment of idleness. `done_out`: the end of the input, and that
 * was wanted. */
static enum gf_rc
turn_live(struct live *live, bool *done_out, struct gf_error *error)
{
    const struct gf_live_options *options = live->options;
    bool claimed = false;
    enum gf_rc rc = claim_all(live, &claimed, error);
    if (rc == GF_OK && (options->is_arrival || live_lag(live) == 0)) {
        rc = live_freeze(live, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    struct gf_time advance_to = GF_TIME_NONE;
    if (live_lag(live) == 0) {
        advance_to = advance_time(live);
        if (!has_news(live) && gf_time_is_none(advance_to)) {
            *done_out = options->exit_at_end && live->status.recovering == 0 && !live->is_awaiting;
            return *done_out ? GF_OK : idle(live, error);
        }
    }
    live->idle_since_us = 0;
    const int64_t records = live->status.records;
    live_beat(live, "fold and produce");
    rc = live->sink->ops->begin(live->sink, error);
    gf_point(GF_POINT_BEFORE_PRODUCE);
    if (rc == GF_OK) {
        rc = step_all(live, advance_to, error);
    }
    if (rc == GF_OK && !GF_RULE(ACK_BEFORE_SWEEP)) {
        rc = sweep_all(live, false, error);
    }
    if (rc == GF_OK) {
        rc = commit_all(live, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    live->retries = 0;
    live->trouble = GF_OK;
    live_effects_count(live);
    rc = sweep_all(live, false, error);
    if (live->is_awaiting && live->status.records == records) {
        rest(live, IDLE_SLEEP_US);
    }
    live_show(live);
    return rc;
}

static enum gf_rc
turn(struct live *live, bool *done_out, struct gf_error *error)
{
    *done_out = false;
    live_members_count(live);
    const bool is_busy = live->status.live > 0;
    const struct gf_duration wait = {is_busy ? 0 : IDLE_SLEEP_US};
    /* Without an assignment only the group can bring work: a loop that did not wait would spin. */
    const bool has_nothing = !live->is_assigned || live->status.live + live->status.recovering == 0;
    enum gf_rc rc = live_hear(live, has_nothing ? wait : (struct gf_duration){0}, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (live->retry_at_us > live_now_us(live)) { /* the group is heard all the while */
        rest(live, IDLE_SLEEP_US);
        return GF_OK;
    }
    rc = live_open(live, error);
    if (rc == GF_OK) {
        rc = live_take_over(live, wait, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    live_members_count(live);
    if (live->status.live == 0) {
        live_show(live);
        return GF_OK;
    }
    return turn_live(live, done_out, error);
}

/* Whether an error is of the kind that a new beginning may cure. With fixed slots a fenced producer
 * means that another instance has the slot; in a group it may be a successor that ended our
 * transaction: the group says who owns what, and whether another process has our id. */
static bool
is_curable(const struct live *live, enum gf_rc rc)
{
    const bool kind = gf_rc_action(rc) == GF_ACTION_ABORT || rc == GF_E_UNAVAILABLE ||
                      rc == GF_E_BUSY || rc == GF_E_STATE ||
                      (rc == GF_E_FENCED && live->group != NULL && !live->is_ousted);
    return kind && !(live->options->exit_at_end && live->retries >= RETRIES_AT_END_MAX);
}

/* The store that is damaged is put away; the shard begins again without it. */
static enum gf_rc
condemn(struct live *live, struct gf_error *error)
{
    char why[GF_ERROR_TEXT_SIZE];
    memcpy(why, error->text, sizeof(why));
    struct member *member = live->damaged;
    live->damaged = NULL;
    if (live->options->note != NULL) {
        live->options->note(live->options->context, GF_LIVE_CONDEMNED, member->id, why);
    }
    member->must_start = true;
    return gf_shard_condemn(member->shard, why, error);
}

/* After a failure: nothing in memory is trusted; then another try, a little later each time. Told
 * to stop, it leaves it to the next start to settle what became of a commit, and to fold again. */
static enum gf_rc
cure(struct live *live, enum gf_rc rc, struct gf_error *error)
{
    const struct gf_live_options *options = live->options;
    const bool is_told = options->must_stop(options->context);
    if (!is_curable(live, rc) || (is_told && gf_rc_action(rc) != GF_ACTION_ABORT)) {
        return rc;
    }
    if (rc == GF_E_TXN && live_is_fenced(live, error)) {
        return GF_E_FENCED;
    }
    int64_t wait = RETRY_US_MIN << (live->retries < 8 ? live->retries : 8);
    wait = wait > RETRY_US_MAX ? RETRY_US_MAX : wait;
    wait = live->retries == 0 && rc != GF_E_UNAVAILABLE ? 0 : wait;
    live->retries++;
    options->warn(options->context, rc, error->text, wait);
    live->retry_at_us = live_now_us(live) + wait;
    live_set_back(live, rc);
    if (rc == GF_E_STATE && live->damaged != NULL) {
        return condemn(live, error);
    }
    live->trouble = is_told ? GF_OK : rc;
    live->trouble_error = *error;
    return GF_OK;
}

/* A clean stop: every slice at the journal's end, and a record that names them, so that the next
 * start folds nothing. */
static enum gf_rc
stop_clean(struct live *live, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    /* The list of swept slices may still hold some that a crash left unnamed: the second round has
     * all of it. */
    for (int round = 0; rc == GF_OK && round < 2; round++) {
        bool has_swept = false;
        gf_point(GF_POINT_IN_SHUTDOWN);
        rc = sweep_all(live, true, error);
        FOR_EACH_LIVE(live, member)
        {
            has_swept = has_swept || gf_shard_has_swept(member->shard);
        }
        if (rc == GF_OK && has_swept) {
            rc = heartbeat_all(live, error);
        }
    }
    return rc;
}

enum gf_rc
gf_live_run(const struct gf_live_options *options, struct gf_live_status *status_out,
            struct gf_error *error)
{
    struct live live = {.options = options};
    live_begin(&live);
    live.last_record_us = live_now_us(&live);
    enum gf_rc rc = GF_OK;
    for (bool is_over = false; !is_over;) {
        bool done = false;
        while (rc == GF_OK && !done && !options->must_stop(options->context)) {
            rc = turn(&live, &done, error);
            if (rc != GF_OK) {
                rc = cure(&live, rc, error);
            }
        }
        is_over = true;
        if (rc == GF_OK && live.sink != NULL) {
            rc = stop_clean(&live, error);
            if (rc != GF_OK) { /* the last commit is no other than those before */
                rc = cure(&live, rc, error);
                is_over = rc != GF_OK || options->must_stop(options->context);
            }
        } else if (rc == GF_OK &&
                   live.trouble != GF_OK) { /* told to stop while it could not work */
            rc = live.trouble;
            *error = live.trouble_error;
        }
    }
    live_effects_count(&live);
    live_show(&live);
    *status_out = live.status;
    live_sink_drop(&live);
    if (live.group != NULL) {
        live_beat(&live, "close the group");
        live.group->ops->close(live.group);
    }
    return rc;
}
