#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "io/scratch.h"
#include "io/snapshot.h"
#include "loop/fault.h"
#include "store_files.h"
#include "store_rounds.h"

#define SHARD   5
#define SEED    UINT64_C(20260118)
#define DIED    42
#define ROUNDS  60
#define NTH_MAX 8

static void
path_of(const struct rounds *rounds, const char *format, char out[256])
{
    snprintf(out, 256, format, rounds->snapshots, SHARD);
}

static int64_t
newest_whole(const struct rounds *rounds)
{
    int64_t *batches = NULL, newest = 0;
    uint32_t count = 0;
    struct gf_error error = {{0}};
    assert_int_equal(gf_snapshot_batches(rounds->snapshots, SHARD, &batches, &count, &error),
                     GF_OK);
    for (uint32_t i = 0; newest == 0 && i < count; i++) {
        struct gf_snapshot snapshot = {0};
        uint64_t bytes = 0;
        if (gf_snapshot_read(rounds->snapshots, SHARD, batches[i], &snapshot, &error) == GF_OK &&
            gf_snapshot_verify(rounds->snapshots, &snapshot, &bytes, &error) == GF_OK) {
            newest = batches[i];
        }
        gf_snapshot_fini(&snapshot);
    }
    free(batches);
    return newest;
}

/* Takes away the local store and brings one back; returns its newest batch, 0: empty. */
static int64_t
restored(struct rounds *rounds)
{
    char local[256];
    snprintf(local, sizeof(local), "%s/shard-%04d", rounds->store, SHARD);
    gf_scratch_remove(local);
    rounds_open(rounds, 0, false);
    struct gf_store *store = rounds_shard(rounds, SHARD);
    const int64_t newest = round_check(store, SHARD, NULL);
    store->ops->close(store);
    rounds_close(rounds);
    return newest;
}

static void
snapshots_take(struct rounds *rounds, int64_t from, int64_t to)
{
    rounds_open(rounds, 0, false);
    struct gf_store *store = rounds_shard(rounds, SHARD);
    for (int64_t batch = from; batch <= to; batch++) {
        for (int64_t step = 0; step < 4; step++) { /* enough for tables, not for logs alone */
            round_write(store, SHARD, 4 * (batch - 1) + step + 1);
        }
        rounds_snapshot(rounds, SHARD, store);
    }
    store->ops->close(store);
    rounds_close(rounds);
}

static void
what_is_the_same_is_not_copied_again(void **state)
{
    struct rounds *rounds = *state;
    char files[256];
    path_of(rounds, "%s/shard-%04d/files", files);
    snapshots_take(rounds, 1, 10); /* 12 MB: tables */
    rounds_open(rounds, 0, false);
    struct gf_store *store = rounds_shard(rounds, SHARD);
    rounds_snapshot(rounds, SHARD, store); /* all its logs are tables by now */
    const uint32_t count = entries_count(files, "");
    rounds->notes[0] = '\0';
    rounds_snapshot(rounds, SHARD, store);
    assert_true(rounds_said(rounds, " 0 new"));
    assert_true(rounds_said(rounds, "0.0 MB copied"));
    assert_int_equal(entries_count(files, ""), count);
    store->ops->close(store);
    rounds_close(rounds);
    assert_int_equal(restored(rounds), 40);
}

static void
old_ones_go_with_what_only_they_name(void **state)
{
    struct rounds *rounds = *state;
    char folder[256], path[512];
    snapshots_take(rounds, 1, 6);
    path_of(rounds, "%s/shard-%04d", folder);
    assert_int_equal(entries_count(folder, ".snapshot"), 3);
    char(*named)[33] = calloc(1000, sizeof(*named));
    uint32_t named_count = 0;
    for (int64_t batch = 16; batch <= 24; batch += 4) {
        struct gf_snapshot snapshot = {0};
        struct gf_error error = {{0}};
        assert_int_equal(gf_snapshot_read(rounds->snapshots, SHARD, batch, &snapshot, &error),
                         GF_OK);
        for (uint32_t i = 0; i < snapshot.file_count; i++) {
            gf_digest_print(&snapshot.files[i].digest, named[named_count]);
            bool is_new = true;
            for (uint32_t before = 0; before < named_count; before++) {
                is_new = is_new && strcmp(named[before], named[named_count]) != 0;
            }
            snprintf(path, sizeof(path), "%s/files/%s", folder, named[named_count]);
            assert_int_equal(access(path, F_OK), 0);
            named_count += is_new;
        }
        gf_snapshot_fini(&snapshot);
    }
    free(named);
    strcat(folder, "/files");
    assert_int_equal(entries_count(folder, ""), named_count);
}

/* The store is bad, and nobody has noticed yet: no snapshot of it is made. */
static void
a_damaged_store_gives_no_snapshot(void **state)
{
    struct rounds *rounds = *state;
    struct gf_error error = {{0}};
    rounds_open(rounds, 0, false);
    struct gf_store *store = rounds_shard(rounds, SHARD);
    round_write(store, SHARD, 1);
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    assert_int_equal(store->ops->metas(store, SHARD, metas, &error), GF_OK);
    metas[9].digest.bytes[3] ^= 1;
    assert_int_equal(store->ops->put_slice(store, SHARD, 9, &metas[9], NULL, 0, &error), GF_OK);
    assert_int_equal(gf_store_folder_snapshot_now(rounds->stores, SHARD, store, NULL, &error),
                     GF_E_STATE);
    assert_non_null(strstr(error.text, "slice 9"));
    assert_int_equal(newest_whole(rounds), 0);
    assert_int_equal(rounds->stores->ops->snapshot(rounds->stores, SHARD, store, 1, &error),
                     GF_E_STATE);
    store->ops->close(store);
}

static void
damage_falls_back_and_says_so(void **state)
{
    struct rounds *rounds = *state;
    char files[256], manifests[256];
    uint32_t newest = 0, older = 0, none = 0;
    printf("seed %llu\n", (unsigned long long)SEED);
    struct gf_random random = {.seed = SEED};
    snapshots_take(rounds, 1, 3);
    path_of(rounds, "%s/shard-%04d/files", files);
    path_of(rounds, "%s/shard-%04d", manifests);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        char whole[256];
        const bool of_manifest = round % 3 == 0;
        const char *hurt = of_manifest ? manifests : files;
        snprintf(whole, sizeof(whole), "%s/whole", rounds->path);
        char command[1024];
        snprintf(command, sizeof(command), "cp -r %s %s", rounds->snapshots, whole);
        assert_int_equal(system(command), 0);
        any_file_damage(hurt, &random);
        rounds->notes[0] = '\0';
        const int64_t intact = newest_whole(rounds);
        const int64_t back = restored(rounds);
        assert_int_equal(back, intact);
        assert_true(back == 12 || rounds_said(rounds, "snapshot_damaged") ||
                    entries_count(manifests, ".snapshot") < 3);
        newest += back == 12;
        older += back > 0 && back < 12;
        none += back == 0;
        gf_scratch_remove(rounds->snapshots);
        assert_int_equal(rename(whole, rounds->snapshots), 0);
    }
    printf("newest %u, older %u, none %u\n", newest, older, none);
    assert_true(newest > 5);
    assert_true(older > 5);
}

/* ---- dying on the way ---- */

#ifdef GF_WITH_FAULTS
static enum gf_point point_wanted;
static int point_left;

static void
die_at(enum gf_point point)
{
    if (point == point_wanted && --point_left == 0) {
        _exit(DIED);
    }
}

/* arguments: PATH, POINT, NTH, ROUND: opens the shard, and takes a snapshot of a round. */
static int
dying_main(char **arguments)
{
    static struct rounds rounds;
    void *made = NULL;
    (void)rounds_make(&made);
    rounds.clock = ((struct rounds *)made)->clock;
    rmdir(((struct rounds *)made)->path);
    snprintf(rounds.store, sizeof(rounds.store), "%s/store", arguments[0]);
    snprintf(rounds.snapshots, sizeof(rounds.snapshots), "%s/snapshots", arguments[0]);
    point_wanted = (enum gf_point)atoi(arguments[1]);
    point_left = atoi(arguments[2]);
    gf_point_hook = die_at;
    rounds_open(&rounds, 0, false);
    struct gf_store *store = rounds_shard(&rounds, SHARD);
    round_write(store, SHARD, atoi(arguments[3]));
    rounds_snapshot(&rounds, SHARD, store);
    store->ops->close(store);
    rounds_close(&rounds);
    free(made);
    return 0;
}

static bool
die(const struct rounds *rounds, enum gf_point point, int nth, int64_t batch)
{
    char texts[3][24];
    snprintf(texts[0], sizeof(texts[0]), "%d", (int)point);
    snprintf(texts[1], sizeof(texts[1]), "%d", nth);
    snprintf(texts[2], sizeof(texts[2]), "%lld", (long long)batch);
    const pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "dying", rounds->path, texts[0], texts[1], texts[2], (char *)NULL);
        _exit(1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == DIED);
    return WEXITSTATUS(status) == DIED;
}

/* Whatever the moment: the snapshots that were there still are, and what is new is whole. */
static void
a_crash_leaves_nothing_or_all(void **state)
{
    struct rounds *rounds = *state;
    static const enum gf_point points[] = {GF_POINT_IN_SNAPSHOT, GF_POINT_BETWEEN_SNAPSHOT_FILES,
                                           GF_POINT_IN_RESTORE, GF_POINT_IN_WRITE_BATCH};
    char local[256];
    uint32_t deaths = 0;
    int64_t batch = 12;
    snapshots_take(rounds, 1, 3);
    snprintf(local, sizeof(local), "%s/shard-%04d", rounds->store, SHARD);
    for (uint32_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        for (int nth = 1; nth <= NTH_MAX; nth += 3) {
            const int64_t before = newest_whole(rounds);
            if (points[i] == GF_POINT_IN_RESTORE) {
                gf_scratch_remove(local);
            }
            const bool died = die(rounds, points[i], nth, ++batch);
            const int64_t after = newest_whole(rounds);
            deaths += died;
            assert_int_equal(after, died ? before : batch);
            rounds_open(rounds, 0, false);
            assert_int_equal(entries_count(rounds->store, ".links"), 0);
            assert_int_equal(entries_count(rounds->store, ".restoring"), 0);
            struct gf_store *store = rounds_shard(rounds, SHARD);
            assert_true(round_check(store, SHARD, NULL) >= after);
            store->ops->close(store);
            rounds_close(rounds);
            assert_int_equal(restored(rounds), after);
        }
    }
    assert_true(deaths >= 8);
}
#endif

#define SNAPSHOT_TEST(function)                                                                    \
    cmocka_unit_test_setup_teardown(function, rounds_make, rounds_remove)

int
main(int count, char **arguments)
{
    if (strcmp(arguments[0], "dying") == 0) {
#ifdef GF_WITH_FAULTS
        return count == 5 ? dying_main(arguments + 1) : 1;
#endif
    }
    (void)count;
    const struct CMUnitTest tests[] = {
        SNAPSHOT_TEST(what_is_the_same_is_not_copied_again),
        SNAPSHOT_TEST(old_ones_go_with_what_only_they_name),
        SNAPSHOT_TEST(a_damaged_store_gives_no_snapshot),
        SNAPSHOT_TEST(damage_falls_back_and_says_so),
#ifdef GF_WITH_FAULTS
        SNAPSHOT_TEST(a_crash_leaves_nothing_or_all),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
