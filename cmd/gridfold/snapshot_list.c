/* gridfold snapshot list: what there is to restore, and whether it is whole. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/civil.h"
#include "io/snapshot.h"
#include "snapshot.h"

static const struct verb_option list_options[] = {
    {"config", 'c', "CONFIG", "configuration file"},
    {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},
    {"verify", 0, NULL, "read every file and compare its digest"},
    {NULL, 0, NULL, NULL},
};

enum { OPTION_CONFIG, OPTION_SET, OPTION_VERIFY };

static enum gf_rc
snapshot_print(struct job *job, uint32_t shard, int64_t batch, bool verify, struct gf_error *error)
{
    const char *folder = job->config->snapshot.folder;
    struct gf_clock *clock = job->clock;
    struct gf_snapshot snapshot = {0};
    char taken[GF_TIME_TEXT_SIZE];
    enum gf_rc rc = gf_snapshot_read(folder, shard, batch, &snapshot, error);
    uint64_t bytes = 0;
    const int64_t started = clock->monotonic_us(clock);
    for (uint32_t i = 0; rc == GF_OK && i < snapshot.file_count; i++) {
        bytes += snapshot.files[i].size;
    }
    if (rc == GF_OK && verify) {
        rc = gf_snapshot_verify(folder, &snapshot, &bytes, error);
    }
    const double seconds = (double)(clock->monotonic_us(clock) - started) / 1e6;
    if (rc != GF_OK) {
        printf("shard %" PRIu32 "  batch %" PRId64 "  DAMAGED: %s\n", shard, batch, error->text);
    } else {
        gf_time_print(snapshot.taken, taken);
        printf("shard %" PRIu32 "  batch %" PRId64 "  slices from %" PRId64 "  taken %s  %" PRIu32
               " files  %.1f MB",
               shard, batch, snapshot.oldest, taken, snapshot.file_count, (double)bytes / 1e6);
        if (verify) {
            printf("  whole, %.0f MB/s", seconds > 0 ? (double)bytes / 1e6 / seconds : 0);
        }
        printf("\n");
    }
    gf_snapshot_fini(&snapshot);
    return rc;
}

enum gf_rc
snapshots_print(struct job *job, int64_t only, bool verify, struct gf_error *error)
{
    const char *folder = job->config->snapshot.folder;
    uint32_t *shards = NULL, shard_count = 0, found = 0, damaged = 0;
    if (folder[0] == '\0') {
        return gf_fail(error, GF_E_CONFIG, "there is no folder of snapshots: set snapshot.folder");
    }
    enum gf_rc rc = gf_store_folder_shards(folder, &shards, &shard_count, error);
    for (uint32_t i = 0; rc == GF_OK && i < shard_count; i++) {
        int64_t *batches = NULL;
        uint32_t count = 0;
        if (only >= 0 && shards[i] != (uint32_t)only) {
            continue;
        }
        rc = gf_snapshot_batches(folder, shards[i], &batches, &count, error);
        for (uint32_t at = 0; rc == GF_OK && at < count; at++) {
            const enum gf_rc one = snapshot_print(job, shards[i], batches[at], verify, error);
            damaged += one == GF_E_STATE;
            found += one != GF_E_NOT_FOUND; /* it may just have been cleared away */
            rc = one == GF_E_STATE || one == GF_E_NOT_FOUND ? GF_OK : one;
        }
        free(batches);
    }
    free(shards);
    if (rc == GF_OK && damaged > 0) {
        return gf_fail(error, GF_E_STATE,
                       "%" PRIu32 " of %" PRIu32
                       " snapshots are damaged; a restore passes them over. `gridfold snapshot` "
                       "takes new ones, once what is damaged has been removed",
                       damaged, found);
    }
    return rc == GF_OK && found == 0
               ? gf_fail(error, GF_E_NOT_FOUND, "%s: there is no snapshot", folder)
               : rc;
}

static int
list_run(const struct verb *verb, int argc, char **argv)
{
    struct job_flags flags = {0};
    bool verify = false;
    int option, exit_code = 0;
    while ((option = job_next_option(verb, argc, argv, &flags, &exit_code)) >= 0) {
        verify = verify || option == OPTION_VERIFY;
    }
    if (option == -2) {
        return exit_code;
    }
    if (optind < argc) {
        return verb_usage(verb, "unexpected argument %s", argv[optind]);
    }
    struct job job;
    struct gf_error error = {{0}};
    enum gf_rc rc = job_configure(verb, &flags, &job);
    if (rc != GF_OK) {
        return gf_rc_exit_code(rc);
    }
    rc = snapshots_print(&job, -1, verify, &error);
    exit_code = rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
    job_close(&job);
    return exit_code;
}

const struct verb verb_snapshot_list = {
    .name = "snapshot list",
    .arguments = "-c CONFIG [--verify]",
    .doc = "Lists the snapshots of every shard, the newest first.",
    .examples = "  gridfold snapshot list -c my.yaml\n"
                "  gridfold snapshot list -c my.yaml --verify\n",
    .options = list_options,
    .run = list_run,
};
