#include "store_rounds.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "engine/slice.h"
#include "io/scratch.h"
#include "state/entity.h"
#include "state/hot.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static struct gf_entity
customer_of(uint32_t number, int64_t batch)
{
    struct gf_entity entity = {.header = {.kind = GF_ENTITY_CUSTOMER, .version = 1}};
    entity.header.key_size =
        (uint8_t)snprintf((char *)entity.header.key, GF_ENTITY_KEY_SIZE_MAX, "home-%03u", number);
    struct gf_random random = {.seed = (uint64_t)batch, .stream = number};
    for (size_t i = 0; i < sizeof(entity.body); i += 8) { /* nothing that compresses well */
        const uint64_t word = gf_random_next(&random);
        memcpy(entity.body + i, &word, 8);
    }
    const struct gf_digest digest = gf_digest_of(&entity, sizeof(entity));
    memcpy(&entity.header.checksum, digest.bytes, sizeof(entity.header.checksum));
    return entity;
}

static void
digest_sum(struct gf_digest *sum, struct gf_entity entity)
{
    entity.header.checksum = 0;
    const struct gf_digest part = gf_digest_of(&entity, sizeof(entity));
    for (int lane = 0; lane < 2; lane++) {
        uint64_t a, b;
        memcpy(&a, sum->bytes + 8 * lane, 8);
        memcpy(&b, part.bytes + 8 * lane, 8);
        a += b;
        memcpy(sum->bytes + 8 * lane, &a, 8);
    }
}

void
round_write(struct gf_store *store, uint32_t shard, int64_t batch)
{
    static struct gf_entity customers[ROUND_CUSTOMERS];
    struct gf_error error = {{0}};
    for (uint32_t i = 0; i < ROUND_CUSTOMERS; i++) {
        customers[i] = customer_of(i, batch);
    }
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        struct gf_store_block blocks[ROUND_CUSTOMERS];
        struct gf_slice_meta meta = {.batch = batch};
        for (uint32_t i = 0; i < ROUND_CUSTOMERS; i++) {
            const struct gf_span key = gf_entity_key(&customers[i]);
            if (gf_slice_of(gf_entity_hash(GF_ENTITY_CUSTOMER, key)) != slice) {
                continue;
            }
            digest_sum(&meta.digest, customers[i]);
            blocks[meta.entity_count++] =
                (struct gf_store_block){.kind = GF_ENTITY_CUSTOMER,
                                        .key = key,
                                        .bytes = gf_span_of(&customers[i], sizeof(customers[i]))};
        }
        if (store->ops->put_slice(store, shard, slice, &meta, blocks, (uint32_t)meta.entity_count,
                                  &error) != GF_OK) {
            fail_msg("%s", error.text);
        }
    }
}

int64_t
round_check(struct gf_store *store, uint32_t shard, enum gf_rc *rc_out)
{
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    struct gf_error error = {{0}};
    int64_t newest = 0;
    enum gf_rc rc = store->ops->metas(store, shard, metas, &error);
    for (uint32_t slice = 0; rc == GF_OK && slice < GF_SLICE_COUNT; slice++) {
        rc = gf_slice_check(store, shard, slice, &metas[slice], &error);
        newest = metas[slice].batch > newest ? metas[slice].batch : newest;
    }
    if (rc_out != NULL) {
        *rc_out = rc;
    } else if (rc != GF_OK) {
        fail_msg("%s: %s", gf_rc_name(rc), error.text);
    }
    return newest;
}

/* ---- the folder ---- */

static struct rounds *
of_clock(struct gf_clock *clock)
{
    return (struct rounds *)((char *)clock - offsetof(struct rounds, clock));
}

static struct gf_time
clock_now(struct gf_clock *clock)
{
    return (struct gf_time){of_clock(clock)->now_us};
}

static int64_t
clock_monotonic(struct gf_clock *clock)
{
    return of_clock(clock)->now_us;
}

static void
note(void *context, enum gf_logger_level level, const char *event, uint32_t shard, const char *text)
{
    (void)level;
    struct rounds *rounds = context;
    pthread_mutex_lock(&mutex);
    const size_t at = strlen(rounds->notes);
    snprintf(rounds->notes + at, sizeof(rounds->notes) - at, "%s %u %s\n", event, shard, text);
    rounds->taken += strcmp(event, "snapshot_taken") == 0;
    rounds->failed += strcmp(event, "snapshot_failed") == 0;
    pthread_mutex_unlock(&mutex);
}

int
rounds_make(void **state)
{
    struct rounds *rounds = calloc(1, sizeof(*rounds));
    if (rounds == NULL) {
        return -1;
    }
    rounds->clock = (struct gf_clock){.now = clock_now, .monotonic_us = clock_monotonic};
    rounds->now_us = INT64_C(1767225600000000);
    strcpy(rounds->path, "/tmp/gridfold-stores-XXXXXX");
    if (mkdtemp(rounds->path) == NULL) {
        return -1;
    }
    snprintf(rounds->store, sizeof(rounds->store), "%s/store", rounds->path);
    snprintf(rounds->snapshots, sizeof(rounds->snapshots), "%s/snapshots", rounds->path);
    *state = rounds;
    return 0;
}

int
rounds_remove(void **state)
{
    struct rounds *rounds = *state;
    rounds_close(rounds);
    gf_scratch_remove(rounds->path);
    free(rounds);
    return 0;
}

void
rounds_open(struct rounds *rounds, int64_t interval_us, bool is_read_only)
{
    const struct gf_store_folder_options options = {.path = rounds->store,
                                                    .snapshots = rounds->snapshots,
                                                    .snapshot_interval = {interval_us},
                                                    .is_read_only = is_read_only,
                                                    .clock = &rounds->clock,
                                                    .context = rounds,
                                                    .note = note};
    struct gf_error error = {{0}};
    if (gf_store_folder_open(&options, &rounds->stores, &error) != GF_OK) {
        fail_msg("%s", error.text);
    }
}

void
rounds_close(struct rounds *rounds)
{
    gf_store_folder_close(rounds->stores);
    rounds->stores = NULL;
}

struct gf_store *
rounds_shard(struct rounds *rounds, uint32_t shard)
{
    struct gf_store *store = NULL;
    struct gf_error error = {{0}};
    if (rounds->stores->ops->open(rounds->stores, shard, &store, &error) != GF_OK) {
        fail_msg("%s", error.text);
    }
    return store;
}

void
rounds_snapshot(struct rounds *rounds, uint32_t shard, struct gf_store *store)
{
    struct gf_error error = {{0}};
    if (gf_store_folder_snapshot_now(rounds->stores, shard, store, NULL, &error) != GF_OK) {
        fail_msg("%s", error.text);
    }
}

int
rounds_taken(struct rounds *rounds)
{
    pthread_mutex_lock(&mutex);
    const int taken = rounds->taken, failed = rounds->failed;
    pthread_mutex_unlock(&mutex);
    if (failed > 0) {
        fail_msg("%s", rounds->notes);
    }
    return taken;
}

bool
rounds_said(struct rounds *rounds, const char *text)
{
    pthread_mutex_lock(&mutex);
    const bool said = strstr(rounds->notes, text) != NULL;
    pthread_mutex_unlock(&mutex);
    return said;
}

uint32_t
entries_count(const char *folder, const char *part)
{
    uint32_t count = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *entry = directory == NULL ? NULL : readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        count += entry->d_name[0] != '.' && strstr(entry->d_name, part) != NULL;
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return count;
}
