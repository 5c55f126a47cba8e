/* gridfold snapshot: a snapshot of every shard now, of a stopped instance or of a running one. */
#include "snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/signals.h"
#include "io/snapshot.h"

static const struct verb_option snapshot_options[] = {
    {"config", 'c', "CONFIG", "configuration file"},
    {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},
    {"timeout", 0, "SECONDS", "how long to wait for a running instance; default 120"},
    {NULL, 0, NULL, NULL},
};

enum { OPTION_CONFIG, OPTION_SET, OPTION_TIMEOUT };

#define TIMEOUT_S_MAX 86400
#define LOOK_US       (GF_US_PER_S / 5)

struct taking {
    struct job job;
    struct gf_stores *stores, *looks; /* for writing; to look beside a running instance */
    uint32_t *shards, shard_count;
    bool *is_asked;      /* for each: another process has it open, and has not answered yet */
    int64_t *batch_last; /* for each: its newest snapshot before */
    char request[40];
};

static void
taken_note(void *context, enum gf_logger_level level, const char *event, uint32_t shard,
           const char *text)
{
    (void)context;
    (void)level;
    if (strcmp(event, "snapshot_taken") == 0) {
        printf("shard %" PRIu32 ": %s\n", shard, text);
    }
}

/* The newest snapshot of a shard; false when there is none that can be read. */
static bool
newest_read(const struct taking *taking, uint32_t shard, struct gf_snapshot *out)
{
    int64_t *batches = NULL;
    uint32_t count = 0;
    struct gf_error error;
    const char *folder = taking->job.config->snapshot.folder;
    const bool is_there = gf_snapshot_batches(folder, shard, &batches, &count, &error) == GF_OK &&
                          count > 0 &&
                          gf_snapshot_read(folder, shard, batches[0], out, &error) == GF_OK;
    free(batches);
    return is_there;
}

/* Of a stopped instance; GF_E_BUSY where it runs. */
static enum gf_rc
shard_take(struct taking *taking, uint32_t shard, struct gf_error *error)
{
    struct gf_store *store = NULL;
    enum gf_rc rc = taking->stores->ops->open(taking->stores, shard, &store, error);
    if (rc == GF_OK) {
        rc = gf_store_folder_snapshot_now(taking->stores, shard, store, NULL, error);
        store->ops->close(store);
    }
    return rc;
}

/* A running instance does not offer what has no state yet: nobody waits for that. */
static bool
shard_is_empty(struct taking *taking, uint32_t shard)
{
    struct gf_store *store = NULL;
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    struct gf_error error;
    bool is_empty = taking->looks->ops->open(taking->looks, shard, &store, &error) == GF_OK &&
                    store->ops->metas(store, shard, metas, &error) == GF_OK;
    for (uint32_t slice = 0; is_empty && slice < GF_SLICE_COUNT; slice++) {
        is_empty = metas[slice].batch == 0;
    }
    if (store != NULL) {
        store->ops->close(store);
    }
    return is_empty;
}

/* Takes what can be taken; how many shards another process must be asked for. */
static enum gf_rc
all_take(struct taking *taking, uint32_t *asked_out, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < taking->shard_count; i++) {
        struct gf_snapshot before = {0};
        gf_bar_show(&taking->job.bar, "snapshots", i, taking->shard_count);
        rc = shard_take(taking, taking->shards[i], error);
        if (rc == GF_E_BUSY && shard_is_empty(taking, taking->shards[i])) {
            gf_screen_end(&taking->job.screen);
            printf("shard %" PRIu32 ": no state yet\n", taking->shards[i]);
            rc = GF_OK;
        } else if (rc == GF_E_BUSY) {
            taking->is_asked[i] = true;
            taking->batch_last[i] =
                newest_read(taking, taking->shards[i], &before) ? before.batch : 0;
            gf_snapshot_fini(&before);
            (*asked_out)++;
            rc = GF_OK;
        }
    }
    return rc;
}

/* What a running instance has answered: the snapshot bears the request. */
static bool
answer_look(struct taking *taking, uint32_t index)
{
    const uint32_t shard = taking->shards[index];
    struct gf_snapshot snapshot = {0};
    const bool is_ours =
        newest_read(taking, shard, &snapshot) && strcmp(snapshot.request, taking->request) == 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; is_ours && i < snapshot.file_count; i++) {
        bytes += snapshot.files[i].size;
    }
    if (is_ours) {
        gf_screen_end(&taking->job.screen);
        printf("shard %" PRIu32 ": batch %" PRId64 " (before: %" PRId64 "): %" PRIu32
               " files, %.1f MB; the log of the running instance says what was new\n",
               shard, snapshot.batch, taking->batch_last[index], snapshot.file_count,
               (double)bytes / 1e6);
        fflush(stdout);
    }
    gf_snapshot_fini(&snapshot);
    return is_ours;
}

static enum gf_rc
answers_wait(struct taking *taking, uint32_t asked, int64_t timeout_us, struct gf_error *error)
{
    struct gf_clock *clock = taking->job.clock;
    const int64_t started = clock->monotonic_us(clock);
    uint32_t left = asked;
    while (left > 0) {
        for (uint32_t i = 0; i < taking->shard_count; i++) {
            if (taking->is_asked[i] && answer_look(taking, i)) {
                taking->is_asked[i] = false;
                left--;
            }
        }
        gf_bar_show(&taking->job.bar, "waiting for snapshots", asked - left, asked);
        if (left > 0 &&
            (gf_signals_stop_is_wanted() || clock->monotonic_us(clock) - started > timeout_us)) {
            return gf_fail(error, GF_E_UNAVAILABLE,
                           "%" PRIu32 " of %" PRIu32
                           " shards of the running instance have no new snapshot after %" PRId64
                           " s; its log says why (does it have snapshot.folder set?)",
                           left, asked, (clock->monotonic_us(clock) - started) / GF_US_PER_S);
        }
        if (left > 0) {
            clock->sleep(clock, (struct gf_duration){LOOK_US});
        }
    }
    return GF_OK;
}

static enum gf_rc
taking_open(struct taking *taking, struct gf_error *error)
{
    const struct gf_config *config = taking->job.config;
    if (config->snapshot.folder[0] == '\0') {
        return gf_fail(error, GF_E_CONFIG, "there is no folder for snapshots: set snapshot.folder");
    }
    enum gf_rc rc =
        gf_store_folder_shards(config->store, &taking->shards, &taking->shard_count, error);
    if (rc == GF_OK && taking->shard_count == 0) {
        rc = gf_fail(error, GF_E_NOT_FOUND, "store %s: there is no shard in it", config->store);
    }
    struct gf_store_folder_options options = job_store_options(&taking->job, false);
    options.leaves_damage = true;
    options.note = taken_note;
    if (rc == GF_OK) {
        rc = gf_store_folder_open(&options, &taking->stores, error);
    }
    struct gf_store_folder_options look = job_store_options(&taking->job, true);
    look.snapshots = NULL;
    if (rc == GF_OK) {
        rc = gf_store_folder_open(&look, &taking->looks, error);
    }
    taking->is_asked = calloc(taking->shard_count + 1, sizeof(*taking->is_asked));
    taking->batch_last = calloc(taking->shard_count + 1, sizeof(*taking->batch_last));
    if (rc == GF_OK && (taking->is_asked == NULL || taking->batch_last == NULL)) {
        rc = gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
    }
    return rc;
}

static enum gf_rc
taking_run(struct taking *taking, int64_t timeout_us, struct gf_error *error)
{
    const char *store = taking->job.config->store;
    struct gf_clock *clock = taking->job.clock;
    uint32_t asked = 0;
    snprintf(taking->request, sizeof(taking->request), "%lx-%llx", (long)getpid(),
             (unsigned long long)clock->now(clock).us);
    enum gf_rc rc = taking_open(taking, error);
    if (rc == GF_OK) {
        rc = all_take(taking, &asked, error);
    }
    if (rc != GF_OK || asked == 0) {
        return rc;
    }
    rc = gf_store_folder_ask(store, taking->request, error);
    if (rc == GF_OK) {
        rc = answers_wait(taking, asked, timeout_us, error);
        const enum gf_rc back = gf_store_folder_ask(store, NULL, NULL);
        rc = rc == GF_OK ? back : rc;
    }
    return rc;
}

static int
snapshot_run(const struct verb *verb, int argc, char **argv)
{
    struct job_flags flags = {0};
    int64_t timeout_s = 120;
    int option, exit_code = 0;
    while ((option = job_next_option(verb, argc, argv, &flags, &exit_code)) >= 0) {
        char *end = NULL;
        if (option == OPTION_TIMEOUT) {
            timeout_s = strtoll(optarg, &end, 10);
            if (end == optarg || *end != '\0' || timeout_s < 1 || timeout_s > TIMEOUT_S_MAX) {
                return verb_usage(verb, "--timeout takes seconds, 1 to %d", TIMEOUT_S_MAX);
            }
        }
    }
    if (option == -2) {
        return exit_code;
    }
    if (optind < argc) {
        return verb_usage(verb, "unexpected argument %s", argv[optind]);
    }
    struct taking taking = {0};
    struct gf_error error = {{0}};
    gf_signals_install();
    enum gf_rc rc = job_configure(verb, &flags, &taking.job);
    if (rc != GF_OK) {
        return gf_rc_exit_code(rc);
    }
    rc = taking_run(&taking, timeout_s * GF_US_PER_S, &error);
    gf_screen_end(&taking.job.screen);
    exit_code = rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
    gf_store_folder_close(taking.looks);
    gf_store_folder_close(taking.stores);
    free(taking.shards);
    free(taking.is_asked);
    free(taking.batch_last);
    job_close(&taking.job);
    return exit_code;
}

const struct verb verb_snapshot = {
    .name = "snapshot",
    .arguments = "-c CONFIG [--timeout SECONDS]",
    .doc = "Takes a snapshot of every shard now, whether its instance runs or not.",
    .examples = "  gridfold snapshot -c my.yaml\n"
                "  gridfold snapshot list -c my.yaml --verify\n",
    .options = snapshot_options,
    .run = snapshot_run,
};
