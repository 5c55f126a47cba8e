/* gridfold state verify: every block of every store read, beside a running instance or not. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/slice.h"
#include "snapshot.h"

static const struct verb_option verify_options[] = {
    {"config", 'c', "CONFIG", "configuration file"},
    {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},
    {"shard", 0, "N", "only this shard"},
    {"snapshots", 0, NULL, "read the snapshots, too"},
    {NULL, 0, NULL, NULL},
};

enum { OPTION_CONFIG, OPTION_SET, OPTION_SHARD, OPTION_SNAPSHOTS };

struct verifying {
    struct job job;
    struct gf_stores *stores;
    uint32_t *shards, shard_count;
    uint32_t at, damaged; /* shards */
};

/* What a shard came to. */
struct shard_facts {
    uint32_t slices, damaged;
    uint64_t blocks, bytes;
    int64_t oldest, newest;
};

/* One slice of the store as it was when it was opened. */
static enum gf_rc
slice_verify(struct gf_store *store, uint32_t shard, uint32_t slice, struct shard_facts *facts,
             struct gf_error *error)
{
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    struct gf_slice_sum sum = {0};
    enum gf_rc rc = store->ops->metas(store, shard, metas, error);
    if (rc == GF_OK) {
        rc = gf_slice_scan(store, shard, slice, &sum, error);
    }
    if (rc == GF_OK) {
        rc = gf_slice_compare(shard, slice, &metas[slice], &sum, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    const int64_t batch = metas[slice].batch;
    facts->slices += batch > 0;
    facts->blocks += sum.block_count;
    facts->bytes += sum.bytes;
    facts->oldest = batch < facts->oldest ? batch : facts->oldest;
    facts->newest = batch > facts->newest ? batch : facts->newest;
    return GF_OK;
}

/* Files may vanish under a reader: what is damaged must be so twice. */
static enum gf_rc
slice_verify_again(struct verifying *verifying, struct gf_store **store, uint32_t shard,
                   uint32_t slice, struct shard_facts *facts, struct gf_error *error)
{
    enum gf_rc rc = slice_verify(*store, shard, slice, facts, error);
    if (rc == GF_OK) {
        return rc;
    }
    (*store)->ops->close(*store);
    *store = NULL;
    rc = verifying->stores->ops->open(verifying->stores, shard, store, error);
    return rc == GF_OK ? slice_verify(*store, shard, slice, facts, error) : rc;
}

static enum gf_rc
slices_verify(struct verifying *verifying, uint32_t shard, struct shard_facts *facts,
              struct gf_error *error)
{
    struct job *job = &verifying->job;
    struct gf_store *store = NULL;
    enum gf_rc rc = verifying->stores->ops->open(verifying->stores, shard, &store, error);
    for (uint32_t slice = 0; rc == GF_OK && slice < GF_SLICE_COUNT; slice++) {
        gf_bar_show(&job->bar, "verifying slices", (int64_t)verifying->at * GF_SLICE_COUNT + slice,
                    (int64_t)verifying->shard_count * GF_SLICE_COUNT);
        rc = slice_verify_again(verifying, &store, shard, slice, facts, error);
        if (rc == GF_E_STATE && store != NULL) {
            gf_screen_end(&job->screen);
            printf("shard %" PRIu32 "  slice %" PRIu32 "  DAMAGED: %s\n", shard, slice,
                   error->text);
            facts->damaged++;
            rc = GF_OK;
        }
    }
    if (store != NULL) {
        store->ops->close(store);
    }
    return rc;
}

/* Prints the shard's line. Errors but damage, which is counted. */
static enum gf_rc
shard_verify(struct verifying *verifying, uint32_t shard, struct gf_error *error)
{
    struct job *job = &verifying->job;
    struct shard_facts facts = {.oldest = INT64_MAX};
    const int64_t started = job->clock->monotonic_us(job->clock);
    const enum gf_rc rc = slices_verify(verifying, shard, &facts, error);
    const double seconds = (double)(job->clock->monotonic_us(job->clock) - started) / 1e6;
    gf_screen_end(&job->screen);
    if (rc == GF_E_STATE) {
        printf("shard %" PRIu32 "  DAMAGED: %s\n", shard, error->text);
    } else if (rc == GF_OK && facts.damaged > 0) {
        printf("shard %" PRIu32 "  %" PRIu32 " of %d slices are DAMAGED\n", shard, facts.damaged,
               GF_SLICE_COUNT);
    } else if (rc == GF_OK) {
        printf("shard %" PRIu32 "  batches %" PRId64 " to %" PRId64 "  %" PRIu32 " slices  %" PRIu64
               " blocks  %.1f MB  %.0f MB/s  good\n",
               shard, facts.oldest, facts.newest, facts.slices, facts.blocks,
               (double)facts.bytes / 1e6, seconds > 0 ? (double)facts.bytes / 1e6 / seconds : 0);
    }
    fflush(stdout);
    verifying->damaged += rc == GF_E_STATE || facts.damaged > 0;
    return rc == GF_E_STATE ? GF_OK : rc;
}

static enum gf_rc
stores_verify(struct verifying *verifying, int64_t only, struct gf_error *error)
{
    struct job *job = &verifying->job;
    const struct gf_store_folder_options options = job_store_options(job, true);
    uint32_t seen = 0;
    enum gf_rc rc = gf_store_folder_open(&options, &verifying->stores, error);
    if (rc == GF_OK) {
        rc = gf_store_folder_shards(job->config->store, &verifying->shards, &verifying->shard_count,
                                    error);
    }
    for (uint32_t i = 0; rc == GF_OK && i < verifying->shard_count; i++) {
        if (only < 0 || verifying->shards[i] == (uint32_t)only) {
            verifying->at = i;
            rc = shard_verify(verifying, verifying->shards[i], error);
            seen++;
        }
    }
    if (rc == GF_OK && seen == 0) {
        rc = gf_fail(error, GF_E_NOT_FOUND, "store %s: %s", job->config->store,
                     only < 0 ? "there is no shard in it" : "it does not have this shard");
    }
    if (rc == GF_OK && verifying->damaged > 0) {
        rc = gf_fail(error, GF_E_STATE,
                     "%" PRIu32 " of %" PRIu32
                     " shards are damaged; start their instance again: it puts a damaged store "
                     "away and makes it anew from a snapshot or the journal",
                     verifying->damaged, seen);
    }
    return rc;
}

static int
verify_start(const struct verb *verb, const struct job_flags *flags, int64_t only,
             bool with_snapshots)
{
    struct verifying verifying = {0};
    struct gf_error error = {{0}};
    enum gf_rc rc = job_configure(verb, flags, &verifying.job);
    if (rc != GF_OK) {
        return gf_rc_exit_code(rc);
    }
    rc = stores_verify(&verifying, only, &error);
    int exit_code = rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
    if (with_snapshots) { /* even where the stores are damaged: then they matter */
        const enum gf_rc second = snapshots_print(&verifying.job, only, true, &error);
        exit_code = second == GF_OK ? exit_code : verb_fail(verb, second, &error);
    }
    gf_store_folder_close(verifying.stores);
    free(verifying.shards);
    job_close(&verifying.job);
    return exit_code;
}

static int
verify_run(const struct verb *verb, int argc, char **argv)
{
    struct job_flags flags = {0};
    int64_t only = -1;
    bool with_snapshots = false;
    int option, exit_code = 0;
    while ((option = job_next_option(verb, argc, argv, &flags, &exit_code)) >= 0) {
        char *end = NULL;
        if (option == OPTION_SNAPSHOTS) {
            with_snapshots = true;
        } else if (option == OPTION_SHARD) {
            only = strtoll(optarg, &end, 10);
            if (end == optarg || *end != '\0' || only < 0 || only >= GF_STORE_FOLDER_SHARDS_MAX) {
                return verb_usage(verb, "--shard takes a number from 0 to %d",
                                  GF_STORE_FOLDER_SHARDS_MAX - 1);
            }
        }
    }
    if (option == -2) {
        return exit_code;
    }
    if (optind < argc) {
        return verb_usage(verb, "unexpected argument %s", argv[optind]);
    }
    return verify_start(verb, &flags, only, with_snapshots);
}

const struct verb verb_state_verify = {
    .name = "state verify",
    .arguments = "-c CONFIG [--shard N] [--snapshots]",
    .doc = "Reads all of the state and its checksums, digests and numbers, while it runs or not.",
    .examples = "  gridfold state verify -c my.yaml\n"
                "  gridfold state verify -c my.yaml --shard 3 --snapshots\n",
    .options = verify_options,
    .run = verify_run,
};
