/* Crashes with all stages on: whatever dies when, what was balanced and what went on to customers
 * is what a run gives that nobody disturbed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/records.h"
#include "lab_deaths.h"
#include "lab_journal.h"
#include "stage_world.h"

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
        deaths += lab_run_through_deaths(&lab, &random);
        cures += lab.warnings;
        lab_assert_undisturbed(&lab, &undisturbed);
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
    lab_assert_undisturbed(&lab, &undisturbed);
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
        lab_run_through_deaths(&lab, &random);
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

#define WITHOUT "partitions: 2\nbatch_records: 64\ncommit: {batches: 4}\nsweep: {records: 1500}\n"

static const char *const stages[] = {"area: true", "intake: true", "area: true, intake: true"};

/* Without a stage, in some order, to a stop by a signal or to a death after so many commits: then
 * slices of the store are behind. */
static void
stop_after(struct lab *lab, const char *order, int commits, bool is_crash)
{
    char config[256];
    snprintf(config, sizeof(config), WITHOUT "order: %s\n", order);
    lab_open(lab, CONFIG);
    lab_copy_inputs(lab, &undisturbed);
    lab_configure(lab, config);
    if (is_crash) {
        gf_memory_log_fail(lab->log, GF_MEMORY_COMMIT, (uint32_t)commits, GF_E_IO, true);
        assert_int_equal(lab_run(lab), GF_E_IO);
    } else {
        lab->stop_at_commits = (uint32_t)commits;
        assert_int_equal(lab_run(lab), GF_OK);
        assert_true(lab->status.lag > 0);
        lab->stop_at_commits = 0;
    }
    lab_crash(lab, NULL);
}

static void
go_on_with(struct lab *lab, const char *order, const char *on, int deaths)
{
    char config[256];
    snprintf(config, sizeof(config), WITHOUT "order: %s\nstages: {%s}\n", order, on);
    lab_configure(lab, config);
    for (; deaths > 0; deaths--) { /* of the first commits with it: some slices have none of it */
        const uint32_t seen = gf_memory_log_calls(lab->log, GF_MEMORY_COMMIT);
        gf_memory_log_fail(lab->log, GF_MEMORY_COMMIT, seen + 2, GF_E_IO, true);
        assert_int_equal(lab_run(lab), GF_E_IO);
        lab_crash(lab, NULL);
    }
    const enum gf_rc rc = lab_run(lab);
    if (rc != GF_OK) {
        fail_msg("%s: %s: %s", on, gf_rc_name(rc), lab->error.text);
    }
    lab_assert_conserved(lab);
    assert_true(lab_journal_assert_conserved(lab) > 10);
}

/* A stage that is switched on while shards have batches that are not in every slice of the store:
 * they are folded again as they were, without it, and all is as if the stop had been a clean one.
 * So it is with a store that is gone, and with more deaths. */
static void
a_stage_begins_after_what_was_folded_without_it(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        const char *on = stages[i % 3];
        const int commits = 2 + (int)(i / 3);
        struct lab calm;
        print_message("%s, after %d commits\n", on, commits);
        stop_after(&calm, "canonical", commits, false);
        go_on_with(&calm, "canonical", on, 0);
        for (int deaths = 0; deaths < 3; deaths++) {
            struct lab lab;
            stop_after(&lab, "canonical", commits, true);
            if (deaths % 2 == 1) {
                lab_crash(&lab, gf_memory_store_new());
            }
            go_on_with(&lab, "canonical", on, deaths);
            lab_assert_same_outputs(&lab, &calm,
                                    deaths == 0 ? LAB_LINEAGE_SAME : LAB_LINEAGE_ASIDE);
            lab_assert_same_state(&lab, &calm);
            assert_int_equal(lab_replay(&lab), GF_OK);
            lab_close(&lab);
        }
        assert_true(strncmp(on, "area", 4) != 0 || lab_count(&calm, GF_TOPIC_AREA_BALANCE) > 100);
        lab_close(&calm);
    }
}

static void
a_stage_begins_in_arrival_order_too(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        struct lab lab;
        stop_after(&lab, "arrival", 3 + 3 * (int)(i / 3), true);
        go_on_with(&lab, "arrival", stages[i % 3], 1);
        assert_int_equal(lab_replay(&lab), GF_OK);
        lab_close(&lab);
    }
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
        cmocka_unit_test(a_stage_begins_after_what_was_folded_without_it),
        cmocka_unit_test(a_stage_begins_in_arrival_order_too),
    };
    return cmocka_run_group_tests(tests, undisturbed_make, undisturbed_close);
}
