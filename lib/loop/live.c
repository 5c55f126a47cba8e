#include "loop/live.h"

#include "loop/commit.h"

#define POSITION_COUNT_MAX 1024 /* a display: more partitions go without */
#define IDLE_SLEEP_US      (50 * 1000)
#define RETRY_US_MIN       (500 * 1000)
#define RETRY_US_MAX       (30 * 1000 * 1000)
#define RETRIES_AT_END_MAX 8 /* with exit_at_end somebody waits: give up after some minutes */

struct live {
    const struct gf_live_options *options;
    struct gf_live_status status;
    struct gf_sink *sink;
    int64_t retries;        /* in a row */
    int64_t idle_since_us;  /* monotonic; 0: not idle */
    int64_t last_record_us; /* monotonic, of the last commit or heartbeat */
    struct gf_position positions[POSITION_COUNT_MAX];
};

static int64_t
now_us(const struct live *live)
{
    return live->options->clock->monotonic_us(live->options->clock);
}

static int64_t
lag_of(const struct live *live)
{
    int64_t lag = 0;
    for (uint32_t i = 0; i < live->options->shard_count; i++) {
        lag += gf_shard_lag(live->options->shards[i]);
    }
    return lag;
}

static bool
has_news(const struct live *live)
{
    bool news = false;
    for (uint32_t i = 0; i < live->options->shard_count; i++) {
        news = news || gf_shard_has_news(live->options->shards[i]);
    }
    return news;
}

/* Memory is nearly full: commit now, so that slices may be swept and leave. */
static bool
is_under_pressure(const struct live *live)
{
    bool pressure = false;
    for (uint32_t i = 0; i < live->options->shard_count; i++) {
        pressure =
            pressure || gf_engine_is_under_pressure(gf_shard_engine(live->options->shards[i]));
    }
    return pressure;
}

static void
show(struct live *live)
{
    live->status.lag = lag_of(live);
    live->status.shard_time = GF_TIME_NONE;
    live->status.customers = 0;
    for (uint32_t i = 0; i < live->options->shard_count; i++) {
        const struct gf_engine *engine = gf_shard_engine(live->options->shards[i]);
        const struct gf_time time = gf_engine_shard_time(engine);
        live->status.customers += gf_engine_entity_count(engine);
        if (!gf_time_is_none(time) &&
            (gf_time_is_none(live->status.shard_time) || time.us < live->status.shard_time.us)) {
            live->status.shard_time = time;
        }
    }
    live->status.at_end = live->status.lag == 0;
    if (live->options->show != NULL) {
        live->options->show(live->options->context, &live->status);
    }
}

static enum gf_rc
recover_all(struct live *live, struct gf_error *error)
{
    const struct gf_live_options *options = live->options;
    enum gf_rc rc = GF_OK;
    if (live->sink == NULL) {
        rc = options->sink_open(options->context, &live->sink, error);
    }
    for (uint32_t i = 0; rc == GF_OK && i < options->shard_count; i++) {
        rc = gf_shard_recover(options->shards[i], options->start, options->start_is_latest,
                              options->progress, error);
    }
    return rc;
}

static enum gf_rc
freeze_all(struct live *live, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < live->options->shard_count; i++) {
        rc = gf_shard_freeze(live->options->shards[i], error);
    }
    return rc;
}

/* Wall time to move to: only when everything has been read and nothing has come for a while. */
static struct gf_time
advance_time(const struct live *live)
{
    const struct gf_live_options *options = live->options;
    if (options->idle_advance.us == 0 || live->idle_since_us == 0 ||
        now_us(live) - live->idle_since_us < options->idle_advance.us) {
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
    const int64_t started = now_us(live);
    for (uint32_t round = 0; round < options->commit_batches; round++) {
        int64_t records = 0;
        for (uint32_t i = 0; i < options->shard_count; i++) {
            uint32_t stepped = 0;
            const enum gf_rc rc =
                gf_shard_step(options->shards[i], live->sink, advance_to, &stepped, error);
            if (rc != GF_OK) {
                return rc;
            }
            records += stepped;
        }
        live->status.records += records;
        const bool is_time =
            options->is_arrival && now_us(live) - started >= options->commit_interval.us;
        if (records == 0 || is_time || is_under_pressure(live)) {
            break;
        }
    }
    return GF_OK;
}

static enum gf_rc
commit_all(struct live *live, struct gf_error *error)
{
    const struct gf_live_options *options = live->options;
    uint32_t count = 0;
    for (uint32_t i = 0; i < options->shard_count; i++) {
        count += gf_shard_positions(options->shards[i], live->positions + count,
                                    POSITION_COUNT_MAX - count);
    }
    const int64_t started = now_us(live);
    enum gf_rc rc = gf_commit(live->sink, live->positions, count, NULL, error);
    live->status.commit_us = now_us(live) - started;
    live->status.commits += rc == GF_OK;
    live->last_record_us = now_us(live);
    for (uint32_t i = 0; rc == GF_OK && i < options->shard_count; i++) {
        rc = gf_shard_acknowledged(options->shards[i], error);
    }
    return rc;
}

static enum gf_rc
sweep_all(struct live *live, bool all, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < live->options->shard_count; i++) {
        rc = gf_shard_sweep(live->options->shards[i], all, error);
    }
    return rc;
}

static void
effects_count(struct live *live)
{
    live->status.effects = 0;
    for (uint32_t i = 0; i < live->options->shard_count; i++) {
        const int64_t *counts = gf_shard_effect_counts(live->options->shards[i]);
        for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
            live->status.effects += counts[topic];
        }
    }
}

static enum gf_rc
heartbeat_all(struct live *live, struct gf_error *error)
{
    enum gf_rc rc = live->sink->ops->begin(live->sink, error);
    for (uint32_t i = 0; rc == GF_OK && i < live->options->shard_count; i++) {
        rc = gf_shard_heartbeat(live->options->shards[i], live->sink, error);
    }
    return rc != GF_OK ? rc : commit_all(live, error);
}

static enum gf_rc
idle(struct live *live, struct gf_error *error)
{
    const struct gf_live_options *options = live->options;
    const int64_t now = now_us(live);
    live->idle_since_us = live->idle_since_us == 0 ? now : live->idle_since_us;
    show(live);
    if (options->heartbeat.us > 0 && now - live->last_record_us >= options->heartbeat.us) {
        return heartbeat_all(live, error);
    }
    options->clock->sleep(options->clock, (struct gf_duration){IDLE_SLEEP_US});
    return GF_OK;
}

/* One turn of the loop: a commit, or a moment of idleness. `done_out`: the end of the input, and
 * that was wanted. */
static enum gf_rc
turn(struct live *live, bool *done_out, struct gf_error *error)
{
    const struct gf_live_options *options = live->options;
    *done_out = false;
    enum gf_rc rc = GF_OK;
    if (options->is_arrival || lag_of(live) == 0) {
        rc = freeze_all(live, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    struct gf_time advance_to = GF_TIME_NONE;
    if (lag_of(live) == 0) {
        advance_to = advance_time(live);
        if (!has_news(live) && gf_time_is_none(advance_to)) {
            *done_out = options->exit_at_end;
            return *done_out ? GF_OK : idle(live, error);
        }
    }
    live->idle_since_us = 0;
    rc = live->sink->ops->begin(live->sink, error);
    if (rc == GF_OK) {
        rc = step_all(live, advance_to, error);
    }
    if (rc == GF_OK) {
        rc = commit_all(live, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    live->retries = 0;
    effects_count(live);
    rc = sweep_all(live, false, error);
    show(live);
    return rc;
}

/* Whether an error is of the kind that a new sink and a recovery may cure. */
static bool
is_curable(const struct live *live, enum gf_rc rc)
{
    const bool kind =
        gf_rc_action(rc) == GF_ACTION_ABORT || rc == GF_E_UNAVAILABLE || rc == GF_E_BUSY;
    return kind && !(live->options->exit_at_end && live->retries >= RETRIES_AT_END_MAX);
}

static void
sink_drop(struct live *live)
{
    if (live->sink != NULL) {
        live->sink->ops->close(live->sink); /* an open commit is aborted */
        live->sink = NULL;
    }
}

/* Waits a little longer each time, opens a new sink and recovers. */
static enum gf_rc
cure(struct live *live, enum gf_rc rc, struct gf_error *error)
{
    const struct gf_live_options *options = live->options;
    sink_drop(live);
    while (rc != GF_OK && is_curable(live, rc) && !options->must_stop(options->context)) {
        int64_t wait = RETRY_US_MIN << (live->retries < 8 ? live->retries : 8);
        wait = wait > RETRY_US_MAX ? RETRY_US_MAX : wait;
        live->retries++;
        options->warn(options->context, rc, error->text, wait);
        options->clock->sleep(options->clock, (struct gf_duration){wait});
        rc = recover_all(live, error);
        if (rc != GF_OK) {
            sink_drop(live);
        }
    }
    return rc;
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
        rc = sweep_all(live, true, error);
        for (uint32_t i = 0; i < live->options->shard_count; i++) {
            has_swept = has_swept || gf_shard_has_swept(live->options->shards[i]);
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
    live.last_record_us = now_us(&live);
    enum gf_rc rc = recover_all(&live, error);
    if (rc != GF_OK) {
        rc = cure(&live, rc, error);
    }
    bool done = false;
    while (rc == GF_OK && !done && !options->must_stop(options->context)) {
        rc = turn(&live, &done, error);
        if (rc != GF_OK) {
            rc = cure(&live, rc, error);
        }
    }
    if (rc == GF_OK && live.sink != NULL) {
        rc = stop_clean(&live, error);
    }
    effects_count(&live);
    show(&live);
    *status_out = live.status;
    sink_drop(&live);
    return rc;
}
