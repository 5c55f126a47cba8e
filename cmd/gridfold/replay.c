/* gridfold replay: folds a recorded run again through its journal and compares digests; with
 * --compare also the outputs on the log, record by record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/civil.h"
#include "compare.h"
#include "io/memory_map.h"
#include "io/scratch.h"
#include "job.h"
#include "loop/replay.h"

static const struct verb_option replay_options[] = {
    {"config", 'c', "CONFIG", "configuration file"},
    {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},
    {"compare", 0, NULL,
     "compare the outputs on the log record by record and name the first that differs"},
    {"from", 0, "TIME", "compare from this shard time on (RFC 3339)"},
    {"to", 0, "TIME", "compare up to this shard time"},
    {"scratch", 0, "FOLDER",
     "where the replay keeps its own state (default: a temporary folder beside the store)"},
    {"json", 0, NULL, "summary as JSON"},
    {NULL, 0, NULL, NULL},
};

enum {
    OPTION_CONFIG,
    OPTION_SET,
    OPTION_COMPARE,
    OPTION_FROM,
    OPTION_TO,
    OPTION_SCRATCH,
    OPTION_JSON
};

struct replay_flags {
    struct job_flags job;
    struct gf_time from, to;
    const char *scratch;
    bool as_json, must_compare;
};

struct comparison {
    struct gf_compare compare;
    struct compare_report report;
};

static enum gf_rc
comparison_open(const struct job *job, const struct replay_flags *flags, struct comparison **out,
                struct gf_error *error)
{
    *out = NULL;
    if (!flags->must_compare) {
        return GF_OK;
    }
    struct comparison *comparison = calloc(1, sizeof(*comparison));
    void *arena = comparison == NULL ? NULL : gf_memory_reserve(GF_COMPARE_ARENA_SIZE);
    *out = comparison;
    if (arena == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
    }
    comparison->compare.arena = gf_arena_of(arena, GF_COMPARE_ARENA_SIZE);
    comparison->compare.show = compare_show;
    comparison->compare.context = &comparison->report;
    comparison->report.compare = &comparison->compare;
    comparison->report.as_json = flags->as_json;
    return line_open(&comparison->report.line, gf_log_lookup(job->log), error);
}

static void
comparison_close(struct comparison *comparison)
{
    if (comparison != NULL) {
        line_close(&comparison->report.line);
        gf_memory_release(comparison->compare.arena.data, comparison->compare.arena.size);
        free(comparison);
    }
}

struct shard_progress {
    struct job *job;
    uint32_t shard;
};

static void
shard_progress_show(void *context, const char *what, int64_t done, int64_t total)
{
    const struct shard_progress *const self = context;
    char text[GF_BAR_TEXT_SIZE];
    snprintf(text, sizeof(text), "%s shard %u", what, self->shard);
    job_progress(self->job, text, done, total);
}

static enum gf_rc
replay_all(struct job *job, const struct replay_flags *flags, struct comparison *comparison,
           struct gf_replay_totals *total, struct gf_error *error)
{
    struct shard_progress where = {.job = job};
    const struct gf_progress progress = {.show = shard_progress_show, .context = &where};
    const struct gf_replay_options options = {
        .from = flags->from,
        .to = flags->to,
        .progress = &progress,
        .compare = comparison == NULL ? NULL : &comparison->compare,
    };
    *total = (struct gf_replay_totals){.from = GF_TIME_NONE, .to = GF_TIME_NONE};
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < job->shard_count; i++) {
        struct gf_replay_totals one;
        if (job->shards[i] == NULL) {
            continue; /* of a stage that is off */
        }
        if (comparison != NULL) {
            comparison->compare.is_open = false;
        }
        where.shard = i;
        rc = gf_shard_replay_as(job->shards[i], &options, &one, error);
        if (comparison != NULL && comparison->compare.is_open) {
            compare_cuts_print(&comparison->compare);
        }
        total->batches += one.batches;
        total->records += one.records;
        total->effects += one.effects;
        total->slices += one.slices;
        if (!gf_time_is_none(one.from) &&
            (gf_time_is_none(total->from) || one.from.us < total->from.us)) {
            total->from = one.from;
        }
        total->to = gf_time_max(total->to, one.to);
    }
    return rc;
}

static void
replay_print(const struct gf_replay_totals *total, const struct job *job,
             const struct comparison *comparison, bool as_json, double seconds)
{
    char from[GF_TIME_TEXT_SIZE], to[GF_TIME_TEXT_SIZE];
    gf_time_print(total->from, from);
    gf_time_print(total->to, to);
    const double rate = seconds > 0 ? (double)total->records / seconds : 0;
    if (as_json) {
        printf("{\"equal\": true, \"shards\": %u, \"batches\": %lld, \"records\": %lld, "
               "\"effects\": %lld, "
               "\"slices\": %lld, \"from\": \"%s\", \"to\": \"%s\", \"seconds\": %.3f, "
               "\"records_per_s\": %.0f",
               job_shards_open(job), (long long)total->batches, (long long)total->records,
               (long long)total->effects, (long long)total->slices, from, to, seconds, rate);
        if (comparison != NULL) {
            printf(", \"compared\": %lld", (long long)comparison->compare.records);
        }
        puts("}");
        return;
    }
    printf("equal: %lld batches of %u shards, %lld effects and %lld swept slices have the "
           "journal's digests\n"
           "       %lld records from %s to %s in %.2f s, %.0f records/s\n",
           (long long)total->batches, job_shards_open(job), (long long)total->effects,
           (long long)total->slices, (long long)total->records, from, to, seconds, rate);
    if (comparison != NULL) {
        printf("       %lld records on the output topics are what the fold gives, byte for byte\n",
               (long long)comparison->compare.records);
    }
}

static int
replay_start(const struct verb *verb, const struct replay_flags *flags)
{
    struct job job;
    struct gf_error error = {{0}};
    enum gf_rc rc = job_configure(verb, &flags->job, &job);
    if (rc != GF_OK) {
        return gf_rc_exit_code(rc);
    }
    char scratch[GF_CONFIG_PATH_SIZE + 32];
    rc = gf_scratch_make(flags->scratch, job.config->store, scratch, sizeof(scratch), &error);
    if (rc == GF_OK) {
        rc = job_open(&job, false, JOB_STORE_SCRATCH, scratch, false, &error);
    }
    struct gf_replay_totals total = {0};
    struct comparison *comparison = NULL;
    if (rc == GF_OK) {
        rc = comparison_open(&job, flags, &comparison, &error);
    }
    const int64_t started = job.clock->monotonic_us(job.clock);
    if (rc == GF_OK) {
        rc = replay_all(&job, flags, comparison, &total, &error);
        gf_screen_end(&job.screen);
    }
    if (rc == GF_OK) {
        replay_print(&total, &job, comparison, flags->as_json,
                     (double)(job.clock->monotonic_us(job.clock) - started) / 1e6);
    }
    const int exit_code = rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
    if (rc == GF_E_DIFFERENT && comparison == NULL) {
        fprintf(stderr, "`gridfold replay --compare` names the record and its inputs.\n");
    }
    comparison_close(comparison);
    job_close(&job);
    gf_scratch_remove(scratch);
    return exit_code;
}

static int
replay_run(const struct verb *verb, int argc, char **argv)
{
    struct replay_flags flags = {.from = GF_TIME_NONE, .to = GF_TIME_NONE};
    int option, exit_code = 0;
    while ((option = job_next_option(verb, argc, argv, &flags.job, &exit_code)) >= 0) {
        struct gf_time *time = option == OPTION_FROM ? &flags.from : &flags.to;
        switch (option) {
        case OPTION_FROM:
        case OPTION_TO:
            if (gf_time_parse(optarg, strlen(optarg), time) != GF_OK) {
                return verb_usage(verb, "%s is no time; write 2016-03-01 or 2016-03-01T12:00:00Z",
                                  optarg);
            }
            break;
        case OPTION_COMPARE:
            flags.must_compare = true;
            break;
        case OPTION_SCRATCH:
            flags.scratch = optarg;
            break;
        case OPTION_JSON:
            flags.as_json = true;
            break;
        }
    }
    if (option == -2) {
        return exit_code;
    }
    if (optind < argc) {
        return verb_usage(verb, "unexpected argument %s", argv[optind]);
    }
    return replay_start(verb, &flags);
}

const struct verb verb_replay = {
    .name = "replay",
    .arguments = "-c CONFIG [--compare] [--from TIME] [--to TIME]",
    .doc = "Folds a recorded range again through its journal and compares digests; exit 0 equal, 1 "
           "different.",
    .examples = "  gridfold replay -c config/gridfold.yaml\n"
                "  gridfold replay -c my.yaml --compare\n"
                "  gridfold replay -c my.yaml --from 2016-03-01 --to 2016-04-01\n",
    .options = replay_options,
    .run = replay_run,
};
