#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/snapshot.h"
#include "store_files.h"
#include "store_rounds.h"

#define SHARD  3
#define MINUTE (60 * GF_US_PER_S)

static void
sst_damage(const struct rounds *rounds)
{
    char folder[256];
    snprintf(folder, sizeof(folder), "%s/shard-%04d/CURRENT", rounds->store, SHARD);
    FILE *file = fopen(folder, "w");
    assert_non_null(file);
    fputs("MANIFEST-999999\n", file);
    fclose(file);
}

static void
each_shard_has_a_store_of_its_own(void **state)
{
    struct rounds *rounds = *state;
    rounds_open(rounds, 0, false);
    struct gf_store *three = rounds_shard(rounds, 3), *four = rounds_shard(rounds, 4);
    round_write(three, 3, 10);
    round_write(four, 4, 20);
    assert_int_equal(round_check(three, 3, NULL), 10);
    assert_int_equal(round_check(four, 4, NULL), 20);
    uint32_t *shards = NULL, count = 0;
    struct gf_error error = {{0}};
    assert_int_equal(gf_store_folder_shards(rounds->store, &shards, &count, &error), GF_OK);
    assert_int_equal(count, 2);
    assert_int_equal(shards[0], 3);
    assert_int_equal(shards[1], 4);
    free(shards);

    struct gf_store *again = NULL;
    assert_int_equal(rounds->stores->ops->open(rounds->stores, 3, &again, &error), GF_E_BUSY);
    assert_non_null(strstr(error.text, "has it open"));
    assert_int_equal(rounds->stores->ops->condemn(rounds->stores, 3, "no", &error), GF_E_BUSY);
    three->ops->close(three);
    four->ops->close(four);
    again = rounds_shard(rounds, 3);
    assert_int_equal(round_check(again, 3, NULL), 10);
    again->ops->close(again);
}

static void
one_store_for_all_is_refused(void **state)
{
    struct rounds *rounds = *state;
    char path[256];
    mkdir(rounds->store, 0700);
    snprintf(path, sizeof(path), "%s/CURRENT", rounds->store);
    fclose(fopen(path, "w"));
    const struct gf_store_folder_options options = {.path = rounds->store, .clock = &rounds->clock};
    struct gf_stores *stores = NULL;
    struct gf_error error = {{0}};
    assert_int_equal(gf_store_folder_open(&options, &stores, &error), GF_E_VERSION);
    assert_non_null(strstr(error.text, "move it away"));
}

static void
a_damaged_store_is_put_away_and_made_good(void **state)
{
    struct rounds *rounds = *state;
    rounds_open(rounds, 0, false);
    for (int turn = 1; turn <= 2; turn++) { /* without a snapshot, then with one */
        struct gf_store *store = rounds_shard(rounds, SHARD);
        round_write(store, SHARD, 5 * turn);
        if (turn == 2) {
            rounds_snapshot(rounds, SHARD, store);
            round_write(store, SHARD, 11);
        }
        store->ops->close(store);
        sst_damage(rounds);
        store = rounds_shard(rounds, SHARD);
        assert_int_equal(round_check(store, SHARD, NULL), turn == 1 ? 0 : 10);
        store->ops->close(store);
        assert_int_equal(entries_count(rounds->store, ".damaged-"), turn);
    }
    assert_true(rounds_said(rounds, "store_put_away 3"));
    assert_true(rounds_said(rounds, "MANIFEST-999999"));
    assert_true(rounds_said(rounds, "store_restored 3 from the snapshot of batch 10"));
}

/* What a condemned store was restored from is not believed again. */
static void
a_bad_snapshot_is_not_restored_twice(void **state)
{
    struct rounds *rounds = *state;
    struct gf_error error = {{0}};
    rounds_open(rounds, 0, false);
    struct gf_store *store = rounds_shard(rounds, SHARD);
    for (int64_t batch = 1; batch <= 2; batch++) {
        round_write(store, SHARD, batch);
        rounds_snapshot(rounds, SHARD, store);
    }
    store->ops->close(store);
    for (int64_t expected = 2; expected >= 0; expected--) {
        assert_int_equal(
            rounds->stores->ops->condemn(rounds->stores, SHARD, "slice 7 is damaged", &error),
            GF_OK);
        store = rounds_shard(rounds, SHARD);
        assert_int_equal(round_check(store, SHARD, NULL), expected);
        store->ops->close(store);
    }
    assert_true(rounds_said(rounds, "slice 7 is damaged"));
}

static void
a_shard_that_was_never_here_starts_from_a_snapshot(void **state)
{
    struct rounds *rounds = *state;
    rounds_open(rounds, 0, false);
    struct gf_store *store = rounds_shard(rounds, SHARD);
    round_write(store, SHARD, 7);
    rounds_snapshot(rounds, SHARD, store);
    store->ops->close(store);
    rounds_close(rounds);
    strcat(rounds->store, "-other");
    rounds_open(rounds, 0, false);
    store = rounds_shard(rounds, SHARD);
    assert_int_equal(round_check(store, SHARD, NULL), 7);
    store->ops->close(store);
    rounds_close(rounds);

    strcat(rounds->store, "-third"); /* opened before there was one: still empty */
    char snapshots[sizeof(rounds->snapshots)];
    strcpy(snapshots, rounds->snapshots);
    strcat(rounds->snapshots, "-none");
    rounds_open(rounds, 0, false);
    store = rounds_shard(rounds, SHARD);
    store->ops->close(store);
    rounds_close(rounds);
    strcpy(rounds->snapshots, snapshots);
    rounds_open(rounds, 0, false);
    store = rounds_shard(rounds, SHARD);
    assert_int_equal(round_check(store, SHARD, NULL), 7);
    store->ops->close(store);
}

static void
a_reader_looks_beside_the_owner(void **state)
{
    struct rounds *rounds = *state;
    struct rounds reader = *rounds;
    rounds_open(rounds, 0, false);
    struct gf_store *store = rounds_shard(rounds, SHARD), *seen = NULL;
    struct gf_error error = {{0}};
    round_write(store, SHARD, 4);
    rounds_open(&reader, 0, true);
    seen = rounds_shard(&reader, SHARD);
    assert_int_equal(round_check(seen, SHARD, NULL), 4);
    seen->ops->close(seen);
    assert_int_equal(reader.stores->ops->open(reader.stores, 9, &seen, &error), GF_E_NOT_FOUND);
    rounds_close(&reader);
    store->ops->close(store);
}

/* Offers snapshots as the loop does, until so many have been taken. */
static void
offer(struct rounds *rounds, struct gf_store *store, int count)
{
    struct gf_error error = {{0}};
    while (rounds_taken(rounds) < count) {
        assert_int_equal(rounds->stores->ops->snapshot(rounds->stores, SHARD, store, 1, &error),
                         GF_OK);
        sched_yield();
    }
}

/* The clock decides, and whoever asks. */
static void
snapshots_come_when_they_are_due(void **state)
{
    struct rounds *rounds = *state;
    struct gf_error error = {{0}};
    rounds_open(rounds, 10 * MINUTE, false);
    struct gf_store *store = rounds_shard(rounds, SHARD);
    struct gf_stores *stores = rounds->stores;
    round_write(store, SHARD, 1);
    offer(rounds, store, 1);               /* there was none: at once */
    rounds_snapshot(rounds, SHARD, store); /* the second; from here on nothing is under way */
    rounds->now_us += 9 * MINUTE;
    assert_int_equal(stores->ops->snapshot(stores, SHARD, store, 1, &error), GF_OK);
    rounds_snapshot(rounds, SHARD, store); /* would wait for one that had begun */
    assert_int_equal(rounds_taken(rounds), 3);
    rounds->now_us += 11 * MINUTE;
    offer(rounds, store, 4);

    rounds_snapshot(rounds, SHARD, store);
    assert_int_equal(gf_store_folder_ask(rounds->store, "ask-77", &error), GF_OK);
    assert_int_equal(stores->ops->snapshot(stores, SHARD, store, 1, &error), GF_OK);
    assert_int_equal(rounds_taken(rounds), 5); /* it looked less than a second ago */
    rounds->now_us += GF_US_PER_S;
    offer(rounds, store, 6);
    struct gf_snapshot snapshot = {0};
    assert_int_equal(gf_snapshot_read(rounds->snapshots, SHARD, 1, &snapshot, &error), GF_OK);
    assert_string_equal(snapshot.request, "ask-77");
    gf_snapshot_fini(&snapshot);

    /* The next one takes its place before whoever asked has looked. */
    rounds_snapshot(rounds, SHARD, store);
    assert_int_equal(gf_snapshot_read(rounds->snapshots, SHARD, 1, &snapshot, &error), GF_OK);
    assert_string_equal(snapshot.request, "ask-77");
    gf_snapshot_fini(&snapshot);
    store->ops->close(store);
}

static void
what_a_dead_process_left_is_cleared(void **state)
{
    struct rounds *rounds = *state;
    static const char *const names[] = {"shard-0003.links", "shard-0003.links.tmp",
                                        "shard-0007.restoring"};
    char path[256];
    mkdir(rounds->store, 0700);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", rounds->store, names[i]);
        mkdir(path, 0700);
        strcat(path, "/000012.sst");
        fclose(fopen(path, "w"));
    }
    rounds_open(rounds, 0, false);
    assert_int_equal(entries_count(rounds->store, ".links"), 0);
    assert_int_equal(entries_count(rounds->store, ".restoring"), 0);
}

#define FOLDER_TEST(function) cmocka_unit_test_setup_teardown(function, rounds_make, rounds_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(each_shard_has_a_store_of_its_own),
        FOLDER_TEST(one_store_for_all_is_refused),
        FOLDER_TEST(a_damaged_store_is_put_away_and_made_good),
        FOLDER_TEST(a_bad_snapshot_is_not_restored_twice),
        FOLDER_TEST(a_shard_that_was_never_here_starts_from_a_snapshot),
        FOLDER_TEST(a_reader_looks_beside_the_owner),
        FOLDER_TEST(snapshots_come_when_they_are_due),
        FOLDER_TEST(what_a_dead_process_left_is_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
