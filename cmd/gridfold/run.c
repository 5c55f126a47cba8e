/* gridfold run: live, on the configured log. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/signals.h"
#include "io/status.h"
#include "io/watchdog.h"
#include "job.h"
#include "loop/live.h"

#define RUN_LOOPS_MAX 64

static const struct verb_option run_options[] = {
    {"config", 'c', "CONFIG", "configuration file"},
    {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},
    {"exit-at-end", 0, NULL, "stop when all input that is there has been folded"},
    {"json", 0, NULL, "summary as JSON"},
    {"accept-refold", 0, NULL,
     "fold again with changed code or time-zone rules although outputs may then differ"},
    {NULL, 0, NULL, NULL},
};

enum { OPTION_CONFIG, OPTION_SET, OPTION_EXIT_AT_END, OPTION_JSON, OPTION_ACCEPT_REFOLD };

struct run;

/* One loop: a thread, with its own producer, shards and place in the group. */
struct loop {
    struct run *run;
    uint32_t index;
    struct job job; /* of the first loop: all of the process; of the others: forks of it */
    uint32_t ids[GF_LIVE_SHARD_COUNT_MAX];
    uint32_t id_count;
    bool is_watched;
    struct gf_live_status status; /* as shown last; under the run's lock */
    pthread_t thread;
    enum gf_rc rc;
    struct gf_error error;
};

struct run {
    struct loop *loops;
    uint32_t count;
    bool exit_at_end;
    struct gf_watchdog *watchdog;
    pthread_mutex_t lock; /* of `status` and of every loop's status */
    struct gf_status status;
    atomic_bool has_failed; /* one loop has: the others stop too */
};

static bool
must_stop(void *context)
{
    const struct loop *loop = context;
    return gf_signals_stop_is_wanted() || atomic_load(&loop->run->has_failed);
}

static enum gf_rc
shard_open(void *context, uint32_t id, struct gf_shard **out, struct gf_error *error)
{
    struct loop *loop = context;
    const enum gf_rc rc = job_shard_open(&loop->job, id, error);
    *out = loop->job.shards[id];
    return rc;
}

static void
shard_close(void *context, struct gf_shard *shard)
{
    struct job *job = &((struct loop *)context)->job;
    for (uint32_t i = 0; i < job->shard_count; i++) {
        if (job->shards[i] == shard) {
            job->shards[i] = NULL;
        }
    }
    gf_shard_free(shard);
}

static enum gf_rc
sink_open(void *context, struct gf_sink **out, struct gf_error *error)
{
    return gf_log_sink_open(((struct loop *)context)->job.log, out, error);
}

static enum gf_rc
group_open(void *context, struct gf_group **out, struct gf_error *error)
{
    return gf_log_group_open(((struct loop *)context)->job.log, out, error);
}

static enum gf_rc
fence(void *context, const char *transactional_id, struct gf_error *error)
{
    return gf_log_fence(((struct loop *)context)->job.log, transactional_id, error);
}

static void
rest(struct loop *loop)
{
    if (loop->is_watched) {
        gf_watchdog_leave(loop->run->watchdog, loop->index);
        loop->is_watched = false;
    }
}

static void
beat(void *context, const char *what)
{
    struct loop *loop = context;
    rest(loop);
    gf_watchdog_enter(loop->run->watchdog, loop->index, what);
    loop->is_watched = true;
}

static void
warn(void *context, enum gf_rc rc, const char *text, int64_t retry_us)
{
    struct loop *loop = context;
    gf_logger_say(&loop->run->loops[0].job.logger, GF_LEVEL_WARN, "recovering",
                  gf_field_u64("loop", loop->index), gf_field_text("code", gf_rc_name(rc)),
                  gf_field_text("error", text), gf_field_i64("retry_ms", retry_us / 1000));
}

static void
note(void *context, enum gf_live_note what, uint32_t value, const char *text)
{
    static const struct {
        const char *event, *value;
        enum gf_logger_level level;
    } rows[] = {
        [GF_LIVE_ASSIGNED] = {"assigned", "shards", GF_LEVEL_INFO},
        [GF_LIVE_REVOKED] = {"revoked", "", GF_LEVEL_INFO},
        [GF_LIVE_TAKEN] = {"shard_live", "shard", GF_LEVEL_INFO},
        [GF_LIVE_FENCED_ID] = {"transaction_ended", "shard", GF_LEVEL_WARN},
        [GF_LIVE_CONDEMNED] = {"store_damaged", "shard", GF_LEVEL_ERROR},
        [GF_LIVE_HELD_UP] = {"journal_held_up", "shard", GF_LEVEL_WARN},
        [GF_LIVE_NEW_STAGE] = {"stage_begins", "", GF_LEVEL_WARN},
    };
    struct loop *loop = context;
    struct gf_log_field fields[3] = {gf_field_u64("loop", loop->index)};
    uint32_t count = 1;
    if (rows[what].value[0] != '\0') {
        fields[count++] = gf_field_u64(rows[what].value, value);
    }
    if (text[0] != '\0') {
        fields[count++] = gf_field_text("text", text);
    }
    if (!loop->run->loops[0].job.screen.is_terminal || rows[what].level > GF_LEVEL_INFO) {
        gf_logger_write(&loop->run->loops[0].job.logger, rows[what].level, rows[what].event, fields,
                        count);
    }
}

/* What all loops together have come to. */
static struct gf_live_status
status_sum(const struct run *run)
{
    struct gf_live_status sum = {.shard_time = GF_TIME_NONE};
    for (uint32_t i = 0; i < run->count; i++) {
        const struct gf_live_status *one = &run->loops[i].status;
        sum.records += one->records;
        sum.effects += one->effects;
        sum.lag += one->lag;
        sum.commits += one->commits;
        sum.live += one->live;
        sum.recovering += one->recovering;
        sum.standby += one->standby;
        sum.recover_done += one->recover_done;
        sum.recover_total += one->recover_total;
        sum.commit_us = one->commit_us > sum.commit_us ? one->commit_us : sum.commit_us;
        sum.standby_lag_us =
            one->standby_lag_us > sum.standby_lag_us ? one->standby_lag_us : sum.standby_lag_us;
        if (one->live > 0 && !gf_time_is_none(one->shard_time) &&
            (gf_time_is_none(sum.shard_time) || one->shard_time.us < sum.shard_time.us)) {
            sum.shard_time = one->shard_time;
        }
    }
    return sum;
}

static void
show(void *context, const struct gf_live_status *status)
{
    struct loop *loop = context;
    struct run *run = loop->run;
    struct job *job = &run->loops[0].job;
    rest(loop);
    pthread_mutex_lock(&run->lock);
    loop->status = *status;
    const struct gf_live_status sum = status_sum(run);
    if (sum.live == 0 && sum.recovering > 0 && sum.recover_done < sum.recover_total) {
        job_progress(job, "recovering", sum.recover_done, sum.recover_total);
    } else {
        const struct gf_time now = job->clock->now(job->clock);
        const struct gf_status_facts facts = {
            .record_count = (uint64_t)sum.records,
            .output_count = (uint64_t)sum.effects,
            .lag_records = sum.lag,
            .delay_us =
                gf_time_is_none(sum.shard_time) ? GF_STATUS_UNKNOWN : now.us - sum.shard_time.us,
            .commit_us = sum.commits == 0 ? GF_STATUS_UNKNOWN : sum.commit_us,
            .shards = sum.live,
            .standby = sum.standby,
            .standby_lag_us = sum.standby_lag_us,
        };
        gf_status_show(&run->status, &facts);
    }
    pthread_mutex_unlock(&run->lock);
}

/* Longer than what is silent for a while takes to come back: a restart, or a take-over. */
static struct gf_duration
stage_patience(const struct gf_config *config)
{
    const bool is_group = config->assignment == GF_CONFIG_ASSIGNMENT_GROUP;
    const int64_t take_over_us = is_group ? config->kafka.session_timeout.us : 0;
    return config->stages.patience.us > 0 ? config->stages.patience
                                          : (struct gf_duration){take_over_us + 10 * GF_US_PER_S};
}

static struct gf_live_options
live_options(struct loop *loop)
{
    const struct gf_config *config = loop->job.config;
    const bool is_group = config->assignment == GF_CONFIG_ASSIGNMENT_GROUP;
    return (struct gf_live_options){
        .shards = loop->ids,
        .shard_count = loop->id_count,
        .is_standby = config->is_standby,
        .is_arrival = config->order == GF_CONFIG_ORDER_ARRIVAL,
        .exit_at_end = loop->run->exit_at_end,
        .commit_interval = config->commit.interval,
        .commit_batches = (uint32_t)config->commit.batches,
        .idle_advance = config->time.idle_advance,
        .heartbeat = config->time.heartbeat,
        .stage_patience = stage_patience(config),
        .clock = loop->job.clock,
        .context = loop,
        .must_stop = must_stop,
        .group_open = is_group ? group_open : NULL,
        .sink_open = sink_open,
        .shard_open = shard_open,
        .shard_close = shard_close,
        .fence = config->log_kind == GF_CONFIG_LOG_KAFKA ? fence : NULL,
        .beat = beat,
        .show = show,
        .note = note,
        .warn = warn,
    };
}

/* Which shards this loop may have: all of them where a group decides. */
static void
ids_choose(struct loop *loop)
{
    const struct gf_config *config = loop->job.config;
    const uint32_t slots = (uint32_t)config->slots, threads = (uint32_t)config->threads;
    const uint32_t stages = gf_config_stages(config);
    const uint32_t count = gf_stages_shard_count(stages, loop->job.partitions);
    for (uint32_t i = 0; i < count && i < GF_LIVE_SHARD_COUNT_MAX; i++) {
        const bool is_ours =
            i % slots == (uint32_t)config->slot - 1 && i / slots % threads == loop->index;
        if (is_ours || config->assignment == GF_CONFIG_ASSIGNMENT_GROUP) {
            loop->ids[loop->id_count++] = gf_stages_shard(stages, loop->job.partitions, i);
        }
    }
}

static void *
loop_run(void *context)
{
    struct loop *loop = context;
    const struct gf_live_options options = live_options(loop);
    struct gf_live_status status;
    loop->rc = gf_live_run(&options, &status, &loop->error);
    rest(loop);
    if (loop->rc != GF_OK) {
        atomic_store(&loop->run->has_failed, true);
    }
    return NULL;
}

/* Lines for whoever reads the log of a service; a person at a terminal sees the summary. */
static void
started_log(const struct run *run)
{
    const struct job *job = &run->loops[0].job;
    const struct gf_config *config = job->config;
    if (!job->screen.is_terminal) {
        gf_logger_say(
            &job->logger, GF_LEVEL_INFO, "starting", gf_field_text("version", GF_PROGRAM_VERSION),
            gf_field_text("log", config->log), gf_field_text("store", config->store),
            gf_field_u64("shards", job->shard_count), gf_field_u64("loops", run->count),
            gf_field_text("assignment",
                          config->assignment == GF_CONFIG_ASSIGNMENT_GROUP ? "group" : "static"),
            gf_field_text("order",
                          config->order == GF_CONFIG_ORDER_ARRIVAL ? "arrival" : "canonical"));
    }
}

static void
stopped_log(const struct run *run, enum gf_rc rc)
{
    const struct job *job = &run->loops[0].job;
    const struct gf_live_status sum = status_sum(run);
    if (!job->screen.is_terminal) {
        gf_logger_say(&job->logger, rc == GF_OK ? GF_LEVEL_INFO : GF_LEVEL_ERROR, "stopped",
                      gf_field_text("why", rc != GF_OK                   ? gf_rc_name(rc)
                                           : gf_signals_stop_is_wanted() ? "signal"
                                                                         : "end of input"),
                      gf_field_i64("records", sum.records), gf_field_i64("commits", sum.commits));
    }
}

/* Runs every loop to its end: the first one on this thread. */
static const struct loop *
loops_run(struct run *run, struct gf_error *error)
{
    for (uint32_t i = 1; i < run->count; i++) {
        struct loop *loop = &run->loops[i];
        if (pthread_create(&loop->thread, NULL, loop_run, loop) != 0) {
            loop->rc = gf_fail(error, GF_E_NO_MEMORY, "no thread for loop %u", i);
            loop->error = *error;
            atomic_store(&run->has_failed, true);
            run->count = i + 1;
        }
    }
    loop_run(&run->loops[0]);
    const struct loop *failed = run->loops[0].rc != GF_OK ? &run->loops[0] : NULL;
    for (uint32_t i = 1; i < run->count; i++) {
        struct loop *loop = &run->loops[i];
        if (loop->thread != 0) {
            pthread_join(loop->thread, NULL);
        }
        failed = failed == NULL && loop->rc != GF_OK ? loop : failed;
    }
    return failed;
}

static enum gf_rc
loops_open(struct run *run, bool accept_refold, struct gf_error *error)
{
    struct job *first = &run->loops[0].job;
    enum gf_rc rc = job_open(first, true, JOB_STORE_OWN, NULL, accept_refold, error);
    for (uint32_t i = 0; rc == GF_OK && i < run->count; i++) {
        struct loop *loop = &run->loops[i];
        if (i > 0) {
            rc = job_fork(first, i, &loop->job, error);
        }
        if (rc == GF_OK) {
            loop->run = run;
            loop->index = i;
            ids_choose(loop);
        }
    }
    /* Kafka's client gives each call a time-out; this is for one that does not keep to it. The
     * longest lawful wait is a commit: a flush once the time-out, offsets, commit and abort twice
     * each. */
    const struct gf_duration limit = {first->config->kafka.request_timeout.us * 8};
    return rc == GF_OK ? gf_watchdog_start(limit, first->clock, &run->watchdog, error) : rc;
}

static int
run_start(const struct verb *verb, const struct job_flags *flags, bool exit_at_end, bool as_json,
          bool accept_refold)
{
    struct run run = {.exit_at_end = exit_at_end, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct gf_error error = {{0}};
    struct job job;
    enum gf_rc rc = job_configure(verb, flags, &job);
    if (rc != GF_OK) {
        return gf_rc_exit_code(rc);
    }
    run.count = (uint32_t)job.config->threads;
    run.loops = calloc(run.count, sizeof(*run.loops));
    if (run.loops == NULL) {
        job_close(&job);
        return verb_fail(verb, gf_fail(&error, GF_E_NO_MEMORY, "%u loops", run.count), &error);
    }
    job_move(&run.loops[0].job, &job);
    gf_status_init(&run.status, &run.loops[0].job.screen);
    gf_signals_install();
    const int64_t started = job.clock->monotonic_us(job.clock);
    /* A service may be started before its brokers. Later on, the loop decides when to ask again. */
    run.loops[0].job.waits_for_brokers = !exit_at_end;
    rc = loops_open(&run, accept_refold, &error);
    for (uint32_t i = 0; i < run.count; i++) {
        run.loops[i].job.waits_for_brokers = false;
    }
    if (rc == GF_E_UNAVAILABLE && gf_signals_stop_is_wanted()) {
        rc = GF_OK; /* it was told to stop before a broker came */
        stopped_log(&run, rc);
    } else if (rc == GF_OK) {
        started_log(&run);
        const struct loop *failed = loops_run(&run, &error);
        gf_screen_end(&run.loops[0].job.screen);
        if (failed != NULL) {
            rc = failed->rc;
            error = failed->error;
        }
        stopped_log(&run, rc);
        const struct job *jobs[RUN_LOOPS_MAX];
        for (uint32_t i = 0; i < run.count; i++) {
            jobs[i] = &run.loops[i].job;
        }
        job_summary_print(jobs, run.count, as_json,
                          (double)(job.clock->monotonic_us(job.clock) - started) / 1e6);
    }
    gf_watchdog_stop(run.watchdog);
    const int exit_code = rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
    for (uint32_t i = run.count; i-- > 0;) {
        if (run.loops[i].job.config != NULL) {
            job_close(&run.loops[i].job);
        }
    }
    free(run.loops);
    return exit_code;
}

static int
run_run(const struct verb *verb, int argc, char **argv)
{
    struct job_flags flags = {0};
    bool exit_at_end = false, as_json = false, accept_refold = false;
    int option, exit_code = 0;
    while ((option = job_next_option(verb, argc, argv, &flags, &exit_code)) >= 0) {
        switch (option) {
        case OPTION_EXIT_AT_END:
            exit_at_end = true;
            break;
        case OPTION_JSON:
            as_json = true;
            break;
        case OPTION_ACCEPT_REFOLD:
            accept_refold = true;
            break;
        }
    }
    if (option == -2) {
        return exit_code;
    }
    if (optind < argc) {
        return verb_usage(verb, "unexpected argument %s", argv[optind]);
    }
    return run_start(verb, &flags, exit_at_end, as_json, accept_refold);
}

const struct verb verb_run = {
    .name = "run",
    .arguments = "-c CONFIG [--exit-at-end] [--set KEY=VALUE]…",
    .doc =
        "Folds the configured log, live and exactly once, until a signal or the end of the input.",
    .examples = "  gridfold run -c config/gridfold.yaml --exit-at-end\n"
                "  gridfold run -c my.yaml --set commit.interval=50ms\n",
    .options = run_options,
    .run = run_run,
};
