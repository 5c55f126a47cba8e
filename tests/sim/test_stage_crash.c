/* Crashes with all stages on: whatever dies when, what was balanced and what went on to customers
 * is what a run gives that nobody disturbed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "codec/records.h"
#include "lab_journal.h"
#include "stage_world.h"

#define COPY_COUNT_MAX 8
#define RUN_COUNT_MAX  40
#define CONFIG                                                                                     \
    "partitions: 2\nbatch_records: 64\ncommit: {batches: 4}\nsweep: {records: "                    \
    "1500}\n" STAGE_CONFIG

static const struct stage_world world = {
    .seed = 5, .customers = 10, .areas = 3, .days = 6, .interval_s = 3600};

static struct lab undisturbed;

static int
undisturbed_make(void **state)
{
    (void)state;
    lab_open(&undisturbed, CONFIG);
    stage_world_add(&undisturbed, &world);
    const enum gf_rc rc = lab_run(&undisturbed);
    if (rc != GF_OK) {
        fprintf(stderr, "%s: %s\n", gf_rc_name(rc), undisturbed.error.text);
        return -1;
    }
    return 0;
}

static int
undisturbed_close(void **state)
{
    (void)state;
    lab_close(&undisturbed);
    return 0;
}

/* What the outputs must have for the comparisons below to mean anything. */
static void
the_world_is_not_dull(void **state)
{
    (void)state;
    bool has_status[GF_BALANCE_STATUS_COUNT] = {false};
    uint32_t revised = 0, inexact = 0;
    const uint32_t count = lab_count(&undisturbed, GF_TOPIC_AREA_BALANCE);
    for (uint32_t i = 0; i < count; i++) {
        struct gf_area_balance balance;
        lab_get(&undisturbed, GF_TOPIC_AREA_BALANCE, i, &balance);
        has_status[balance.status] = true;
        revised += balance.version > 1;
        inexact += !balance.is_exact;
    }
    print_message("%u balances, %u revised, %u inexact; %u dead letters\n", count, revised, inexact,
                  lab_count(&undisturbed, GF_TOPIC_DEAD_LETTERS));
    assert_true(has_status[GF_BALANCE_STATUS_BALANCED]);
    assert_true(has_status[GF_BALANCE_STATUS_LOSS]);
    assert_true(has_status[GF_BALANCE_STATUS_INCOMPLETE]);
    assert_true(has_status[GF_BALANCE_STATUS_NO_TOTAL]);
    assert_true(revised > 20 && inexact > 5 && inexact < count);
    lab_assert_conserved(&undisturbed);
    assert_true(lab_journal_assert_conserved(&undisturbed) > 50);
    const struct gf_tally tally = lab_tally(&undisturbed);
    assert_true(tally.late > 0);
    assert_true(tally.filtered > 0);
    assert_int_equal(undisturbed.warnings, 0);
}

static void
fault_set(struct lab *lab, struct gf_random *random)
{
    const uint32_t nth = 1 + (uint32_t)(gf_random_next(random) % 30);
    switch (gf_random_next(random) % 4) {
    case 0:
        gf_memory_log_fail(lab->log, GF_MEMORY_COMMIT, nth, GF_E_TXN, false);
        break;
    case 1:
        gf_memory_log_fail(lab->log, GF_MEMORY_COMMIT, nth, GF_E_UNKNOWN_OUTCOME,
                           gf_random_next(random) % 2 == 0);
        break;
    case 2:
        gf_memory_log_fail(lab->log, GF_MEMORY_APPEND, nth * 20, GF_E_TXN, false);
        break;
    default:
        gf_memory_log_fail(lab->log, GF_MEMORY_READ, nth * 10, GF_E_UNAVAILABLE, false);
        break;
    }
}

static void
death_set(struct lab *lab, struct gf_random *random)
{
    const uint32_t nth = 1 + (uint32_t)(gf_random_next(random) % 16);
    switch (gf_random_next(random) % 4) {
    case 0:
        gf_memory_log_fail(lab->log, GF_MEMORY_COMMIT, nth, GF_E_IO,
                           gf_random_next(random) % 2 == 0);
        break;
    case 1:
        gf_memory_log_fail(lab->log, GF_MEMORY_APPEND, nth * 32, GF_E_IO, false);
        break;
    case 2:
        gf_memory_log_fail(lab->log, GF_MEMORY_READ, nth * 32, GF_E_IO, false);
        break;
    default:
        gf_memory_store_fail(lab->store, GF_STORE_PUT_SLICE, nth * 8, GF_E_IO,
                             gf_random_next(random) % 2 == 0);
        break;
    }
}

static void
same_as_undisturbed(const struct lab *lab)
{
    const struct gf_tally tally = lab_tally(lab), wanted = lab_tally(&undisturbed);
    assert_memory_equal(&tally, &wanted, sizeof(tally));
    lab_assert_conserved(lab);
    lab_journal_assert_conserved(lab);
    lab_assert_same_outputs(lab, &undisturbed, LAB_LINEAGE_SAME);
    lab_assert_same_state(lab, &undisturbed);
}

/* Runs until it gets to the end; returns how often it died. */
static uint32_t
run_through_deaths(struct lab *lab, struct gf_random *random, uint64_t seed)
{
    struct gf_store *copies[COPY_COUNT_MAX] = {NULL};
    uint32_t copy_count = 0, deaths = 0;
    enum gf_rc rc = GF_E_IO;
    for (uint32_t run = 0; rc != GF_OK; run++) {
        assert_true(run < RUN_COUNT_MAX);
        if (run < 6) { /* faults stay set where a run does not get to them */
            fault_set(lab, random);
            death_set(lab, random);
        }
        rc = lab_run(lab);
        /* A stop that fails in its last commit is as good as a death. */
        const bool is_death = rc == GF_E_IO || gf_rc_action(rc) == GF_ACTION_ABORT;
        if (rc != GF_OK && !is_death) {
            fail_msg("seed %u run %u: %s: %s", (unsigned)seed, run, gf_rc_name(rc),
                     lab->error.text);
        }
        if (rc == GF_OK) {
            break;
        }
        deaths++;
        /* The disk may show any moment that it has had. */
        if (copy_count < COPY_COUNT_MAX) {
            copies[copy_count++] = gf_memory_store_copy(lab->store);
        }
        lab_crash(lab, gf_memory_store_copy(copies[gf_random_next(random) % copy_count]));
    }
    for (uint32_t i = 0; i < copy_count; i++) {
        copies[i]->ops->close(copies[i]);
    }
    return deaths;
}

static void
crashes_anywhere_change_nothing(void **state)
{
    (void)state;
    uint32_t deaths = 0, cures = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        struct gf_random random = {.seed = seed, .stream = 2};
        struct lab lab;
        lab_open(&lab, CONFIG);
        lab_copy_inputs(&lab, &undisturbed);
        deaths += run_through_deaths(&lab, &random, seed);
        cures += lab.warnings;
        same_as_undisturbed(&lab);
        lab_close(&lab);
    }
    print_message("%u deaths, %u cures\n", deaths, cures);
    assert_true(deaths > 30);
    assert_true(cures > 20);
}

/* A store that is gone, with all of the journal: everything is folded again, and nothing comes out
 * twice. */
static void
a_lost_store_is_folded_again(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, CONFIG);
    lab_copy_inputs(&lab, &undisturbed);
    gf_memory_log_fail(lab.log, GF_MEMORY_COMMIT, 25, GF_E_IO, true);
    assert_int_equal(lab_run(&lab), GF_E_IO);
    lab_crash(&lab, gf_memory_store_new());
    assert_int_equal(lab_run(&lab), GF_OK);
    same_as_undisturbed(&lab);
    lab_close(&lab);
}

/* Live, a stage reads what another has committed so far: the cuts are then those of the run, and
 * its journal gives the same bytes again. */
static void
arrival_order_replays_from_its_journal(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        struct gf_random random = {.seed = seed, .stream = 4};
        struct lab lab;
        lab_open(&lab, CONFIG "order: arrival\n");
        lab_copy_inputs(&lab, &undisturbed);
        run_through_deaths(&lab, &random, seed);
        lab_assert_conserved(&lab);
        lab_journal_assert_conserved(&lab);
        assert_true(lab_count(&lab, GF_TOPIC_AREA_BALANCE) > 100);
        const struct gf_tally tally = lab_tally(&lab);
        enum gf_rc rc = GF_E_IO;
        for (int try = 0; rc != GF_OK && try < 4; try++) { /* a fault may still be set */
            rc = lab_replay(&lab);
        }
        if (rc != GF_OK) {
            fail_msg("seed %u: %s", (unsigned)seed, lab.error.text);
        }
        const struct gf_tally again = lab_tally(&lab);
        assert_memory_equal(&tally, &again, sizeof(tally));
        lab_close(&lab);
    }
}

static void
a_replay_gives_the_same(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, CONFIG);
    lab_copy_inputs(&lab, &undisturbed);
    assert_int_equal(lab_run(&lab), GF_OK);
    if (lab_replay(&lab) != GF_OK) {
        fail_msg("%s", lab.error.text);
    }
    lab_close(&lab);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_world_is_not_dull),
        cmocka_unit_test(crashes_anywhere_change_nothing),
        cmocka_unit_test(a_lost_store_is_folded_again),
        cmocka_unit_test(arrival_order_replays_from_its_journal),
        cmocka_unit_test(a_replay_gives_the_same),
    };
    return cmocka_run_group_tests(tests, undisturbed_make, undisturbed_close);
}
