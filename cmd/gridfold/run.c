/* gridfold run: live, on the configured log. */
#include <stdio.h>
#include <unistd.h>

#include "io/signals.h"
#include "io/status.h"
#include "job.h"
#include "loop/live.h"

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

struct run {
    struct job job;
    struct gf_status status;
    uint32_t ids[GF_LIVE_SHARD_COUNT_MAX];
};

static enum gf_rc
shard_open(void *context, uint32_t id, struct gf_shard **out, struct gf_error *error)
{
    struct run *run = context;
    const enum gf_rc rc = job_shard_open(&run->job, id, error);
    *out = run->job.shards[id];
    return rc;
}

static void
shard_close(void *context, struct gf_shard *shard)
{
    struct run *run = context;
    for (uint32_t i = 0; i < run->job.shard_count; i++) {
        if (run->job.shards[i] == shard) {
            run->job.shards[i] = NULL;
        }
    }
    gf_shard_free(shard);
}

static bool
must_stop(void *context)
{
    (void)context;
    return gf_signals_stop_is_wanted();
}

static enum gf_rc
sink_open(void *context, struct gf_sink **out, struct gf_error *error)
{
    return gf_log_sink_open(((struct run *)context)->job.log, out, error);
}

static void
warn(void *context, enum gf_rc rc, const char *text, int64_t retry_us)
{
    gf_logger_say(&((struct run *)context)->job.logger, GF_LEVEL_WARN, "recovering",
                  gf_field_text("code", gf_rc_name(rc)), gf_field_text("error", text),
                  gf_field_i64("retry_ms", retry_us / 1000));
}

static void
show(void *context, const struct gf_live_status *status)
{
    struct run *run = context;
    if (status->recovering > 0) {
        job_progress(&run->job, "recovering", status->recover_done, status->recover_total);
        return;
    }
    const struct gf_time now = run->job.clock->now(run->job.clock);
    const struct gf_status_facts facts = {
        .record_count = (uint64_t)status->records,
        .output_count = (uint64_t)status->effects,
        .lag_records = status->lag,
        .delay_us = gf_time_is_none(status->shard_time) ? GF_STATUS_UNKNOWN
                                                        : now.us - status->shard_time.us,
        .commit_us = status->commits == 0 ? GF_STATUS_UNKNOWN : status->commit_us,
    };
    gf_status_show(&run->status, &facts);
}

static struct gf_live_options
live_options(struct run *run, bool exit_at_end)
{
    const struct gf_config *config = run->job.config;
    return (struct gf_live_options){
        .shards = run->ids,
        .shard_count = run->job.shard_count,
        .is_arrival = config->order == GF_CONFIG_ORDER_ARRIVAL,
        .exit_at_end = exit_at_end,
        .commit_interval = config->commit.interval,
        .commit_batches = (uint32_t)config->commit.batches,
        .idle_advance = config->time.idle_advance,
        .heartbeat = config->time.heartbeat,
        .clock = run->job.clock,
        .context = run,
        .must_stop = must_stop,
        .sink_open = sink_open,
        .shard_open = shard_open,
        .shard_close = shard_close,
        .show = show,
        .warn = warn,
    };
}

/* Lines for whoever reads the log of a service; a person at a terminal sees the summary. */
static void
started_log(const struct run *run)
{
    if (!run->job.screen.is_terminal) {
        gf_logger_say(&run->job.logger, GF_LEVEL_INFO, "starting",
                      gf_field_text("version", GF_PROGRAM_VERSION),
                      gf_field_text("log", run->job.config->log),
                      gf_field_text("store", run->job.config->store),
                      gf_field_u64("shards", run->job.shard_count),
                      gf_field_text("order", run->job.config->order == GF_CONFIG_ORDER_ARRIVAL
                                                 ? "arrival"
                                                 : "canonical"));
    }
}

static void
stopped_log(const struct run *run, enum gf_rc rc, const struct gf_live_status *status)
{
    if (!run->job.screen.is_terminal) {
        gf_logger_say(&run->job.logger, rc == GF_OK ? GF_LEVEL_INFO : GF_LEVEL_ERROR, "stopped",
                      gf_field_text("why", rc != GF_OK                   ? gf_rc_name(rc)
                                           : gf_signals_stop_is_wanted() ? "signal"
                                                                         : "end of input"),
                      gf_field_i64("records", status->records),
                      gf_field_i64("commits", status->commits));
    }
}

static int
run_start(const struct verb *verb, const struct job_flags *flags, bool exit_at_end, bool as_json,
          bool accept_refold)
{
    struct run run;
    struct gf_error error = {{0}};
    enum gf_rc rc = job_configure(verb, flags, &run.job);
    if (rc != GF_OK) {
        return gf_rc_exit_code(rc);
    }
    gf_status_init(&run.status, &run.job.screen);
    gf_signals_install();
    const int64_t started = run.job.clock->monotonic_us(run.job.clock);
    rc = job_open(&run.job, true, JOB_STORE_OWN, NULL, accept_refold, &error);
    if (rc == GF_OK) {
        struct gf_live_status status;
        started_log(&run);
        for (uint32_t i = 0; i < run.job.shard_count; i++) {
            run.ids[i] = i;
        }
        struct gf_live_options options = live_options(&run, exit_at_end);
        rc = gf_live_run(&options, &status, &error);
        gf_screen_end(&run.job.screen);
        stopped_log(&run, rc, &status);
        job_summary_print(&run.job, as_json,
                          (double)(run.job.clock->monotonic_us(run.job.clock) - started) / 1e6);
    }
    const int exit_code = rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
    job_close(&run.job);
    return exit_code;
}

static int
run_run(const struct verb *verb, int argc, char **argv)
{
    struct job_flags flags = {0};
    bool exit_at_end = false, as_json = false, accept_refold = false;
    int option, exit_code = 0;
    while ((option = verb_next_option(verb, argc, argv, &exit_code)) >= 0) {
        switch (option) {
        case OPTION_CONFIG:
            flags.config = optarg;
            break;
        case OPTION_SET:
            if (!job_override(verb, &flags, optarg)) {
                return gf_rc_exit_code(GF_E_USAGE);
            }
            break;
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
