/* Crashes: whatever dies when, the outputs and the state are those of a run that nobody disturbed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "codec/records.h"
#include "lab_journal.h"
#include "lab_world.h"

#define COPY_COUNT_MAX 8
#define RUN_COUNT_MAX  40

static const char config[] = "partitions: 2\n"
                             "batch_records: 64\n"
                             "commit: {batches: 4}\n"
                             "sweep: {records: 1500}\n";

static const struct lab_world world = {
    .seed = 7, .customers = 12, .days = 16, .interval_s = 3600, .has_trouble = true};

static struct lab undisturbed;

static int
undisturbed_make(void **state)
{
    (void)state;
    lab_open(&undisturbed, config);
    lab_world_add(&undisturbed, &world);
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
    for (int topic = GF_TOPIC_INPUT_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        print_message("%s: %u\n", gf_topics[topic].name,
                      lab_count(&undisturbed, (enum gf_topic)topic));
    }
    lab_assert_conserved(&undisturbed);
    assert_true(lab_journal_assert_conserved(&undisturbed) > 50);
    assert_int_equal(undisturbed.warnings, 0);
    assert_true(lab_count(&undisturbed, GF_TOPIC_FRAUD_FLAGS) > 0);
    assert_true(lab_count(&undisturbed, GF_TOPIC_ARREARS_ALERTS) > 10);
    assert_true(lab_count(&undisturbed, GF_TOPIC_TARIFF_ADJUSTMENTS) > 10);
    assert_true(lab_count(&undisturbed, GF_TOPIC_DATA_QUALITY) > 10);
    assert_true(lab_count(&undisturbed, GF_TOPIC_DEAD_LETTERS) > 10);
    const struct gf_tally tally = lab_tally(&undisturbed);
    assert_true(tally.late > 0);
    assert_true(tally.filtered > 0);
}

/* The loop's own cure: a sink that aborts or does not know recovers in the same process. */
static void
fault_set(struct lab *lab, struct gf_random *random)
{
    static const struct {
        enum gf_memory_call call;
        enum gf_rc rc;
        bool is_applied;
        uint32_t within;
    } faults[] = {
        {GF_MEMORY_COMMIT, GF_E_TXN, false, 20},
        {GF_MEMORY_COMMIT, GF_E_UNKNOWN_OUTCOME, false, 20},
        {GF_MEMORY_COMMIT, GF_E_UNKNOWN_OUTCOME, true, 20},
        {GF_MEMORY_APPEND, GF_E_TXN, false, 200},
        {GF_MEMORY_BEGIN, GF_E_TXN, false, 20},
        {GF_MEMORY_READ, GF_E_UNAVAILABLE, false, 200},
    };
    const uint64_t which = gf_random_next(random) % (sizeof(faults) / sizeof(faults[0]));
    const uint32_t nth = 1 + (uint32_t)(gf_random_next(random) % faults[which].within);
    gf_memory_log_fail(lab->log, faults[which].call, nth, faults[which].rc,
                       faults[which].is_applied);
}

/* What a process that dies looks like from inside: an error that stops, here, with or without the
 * work done. */
static void
death_set(struct lab *lab, struct gf_random *random)
{
    const uint32_t nth = 1 + (uint32_t)(gf_random_next(random) % 12);
    switch (gf_random_next(random) % 6) {
    case 0:
        gf_memory_log_fail(lab->log, GF_MEMORY_COMMIT, nth, GF_E_IO, false);
        break;
    case 1:
        gf_memory_log_fail(lab->log, GF_MEMORY_COMMIT, nth, GF_E_IO, true);
        break;
    case 2:
        gf_memory_log_fail(lab->log, GF_MEMORY_APPEND, nth * 16, GF_E_IO, false);
        break;
    case 3:
        gf_memory_log_fail(lab->log, GF_MEMORY_READ, nth * 16, GF_E_IO, false);
        break;
    case 4:
        gf_memory_store_fail(lab->store, GF_STORE_PUT_SLICE, nth * 8, GF_E_IO, false);
        break;
    default:
        gf_memory_store_fail(lab->store, GF_STORE_PUT_SLICE, nth * 8, GF_E_IO, true);
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

static void
crashes_anywhere_change_nothing(void **state)
{
    (void)state;
    uint32_t deaths = 0, cures = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        struct gf_random random = {.seed = seed, .stream = 2};
        struct gf_store *copies[COPY_COUNT_MAX] = {NULL};
        uint32_t copy_count = 0;
        struct lab lab;
        lab_open(&lab, config);
        lab_copy_inputs(&lab, &undisturbed);
        lab.customers_max *=
            seed % 2 == 0 ? 4 : 1; /* every second run never lets a customer leave memory */
        enum gf_rc rc = GF_E_IO;
        for (uint32_t run = 0; rc != GF_OK; run++) {
            assert_true(run < RUN_COUNT_MAX);
            if (run < 6) { /* faults stay set where a run does not get to them */
                fault_set(&lab, &random);
                death_set(&lab, &random);
            }
            rc = lab_run(&lab);
            if (rc != GF_OK && rc != GF_E_IO) {
                fail_msg("seed %u run %u: %s: %s", (unsigned)seed, run, gf_rc_name(rc),
                         lab.error.text);
            }
            if (rc == GF_OK) {
                break;
            }
            deaths++;
            /* The disk may show any moment that it has had. */
            if (copy_count < COPY_COUNT_MAX) {
                copies[copy_count++] = gf_memory_store_copy(lab.store);
            }
            lab_crash(&lab, gf_memory_store_copy(copies[gf_random_next(&random) % copy_count]));
        }
        cures += lab.warnings;
        same_as_undisturbed(&lab);
        lab_close(&lab);
        for (uint32_t i = 0; i < copy_count; i++) {
            copies[i]->ops->close(copies[i]);
        }
    }
    print_message("%u deaths, %u cures\n", deaths, cures);
    assert_true(deaths > 40);
    assert_true(cures > 40);
}

/* A store that is gone, with all of the journal: everything is folded again, and nothing comes out
 * twice. */
static void
a_lost_store_is_folded_again(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, config);
    lab_copy_inputs(&lab, &undisturbed);
    gf_memory_log_fail(lab.log, GF_MEMORY_COMMIT, 9, GF_E_IO, true);
    assert_int_equal(lab_run(&lab), GF_E_IO);
    lab_crash(&lab, gf_memory_store_new());
    assert_int_equal(lab_run(&lab), GF_OK);
    same_as_undisturbed(&lab);
    lab_close(&lab);
}

/* After a clean stop the next start folds nothing. */
static void
a_second_start_folds_nothing(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, config);
    lab_copy_inputs(&lab, &undisturbed);
    assert_int_equal(lab_run(&lab), GF_OK);
    const uint32_t writes = gf_memory_store_calls(lab.store, GF_STORE_PUT_SLICE);
    lab_crash(&lab, NULL);
    assert_int_equal(lab_run(&lab), GF_OK);
    assert_int_equal(lab.status.records, 0);
    assert_int_equal(lab.status.effects, 0);
    assert_int_equal(gf_memory_store_calls(lab.store, GF_STORE_PUT_SLICE), writes);
    same_as_undisturbed(&lab);
    lab_close(&lab);
}

/* A journal that was emptied under a store that is not empty is refused, not taken for a first
 * start. */
static void
an_emptied_journal_is_refused(void **state)
{
    (void)state;
    struct lab lab, emptied;
    lab_open(&lab, config);
    lab_copy_inputs(&lab, &undisturbed);
    assert_int_equal(lab_run(&lab), GF_OK);
    lab_open(&emptied, config);
    lab_copy_inputs(&emptied, &undisturbed);
    lab_crash(&emptied, gf_memory_store_copy(lab.store));
    assert_int_equal(lab_run(&emptied), GF_E_LOST);
    assert_non_null(strstr(emptied.error.text, "journal is empty"));
    lab_close(&emptied);
    lab_close(&lab);
}

/* The refold uses the configuration that was in force, and the new one begins after it: however
 * much of the state was lost, the outputs are the same. */
static void
a_new_configuration_begins_where_the_old_one_ended(void **state)
{
    (void)state;
    static const char changed[] =
        "partitions: 2\n"
        "batch_records: 64\n"
        "commit: {batches: 4}\n"
        "sweep: {records: 1500}\n"
        "operators: {tariff: {enabled: false}, arrears: {pre_due_days: 1}}\n";
    struct lab kept, lost;
    struct lab *const labs[] = {&kept, &lost};
    for (int i = 0; i < 2; i++) {
        lab_open(labs[i], config);
        lab_copy_inputs(labs[i], &undisturbed);
        gf_memory_log_fail(labs[i]->log, GF_MEMORY_COMMIT, 9, GF_E_IO, true);
        assert_int_equal(lab_run(labs[i]), GF_E_IO);
        lab_crash(labs[i], i == 0 ? NULL : gf_memory_store_new());
        lab_configure(labs[i], changed);
        assert_int_equal(lab_run(labs[i]), GF_OK);
        lab_assert_conserved(labs[i]);
    }
    lab_assert_same_outputs(&kept, &lost, LAB_LINEAGE_SAME);
    lab_assert_same_state(&kept, &lost);
    const uint32_t adjustments = lab_count(&kept, GF_TOPIC_TARIFF_ADJUSTMENTS);
    assert_true(adjustments > 0);
    assert_true(adjustments < lab_count(&undisturbed, GF_TOPIC_TARIFF_ADJUSTMENTS));
    lab_close(&lost);
    lab_close(&kept);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_world_is_not_dull),
        cmocka_unit_test(a_second_start_folds_nothing),
        cmocka_unit_test(a_lost_store_is_folded_again),
        cmocka_unit_test(an_emptied_journal_is_refused),
        cmocka_unit_test(a_new_configuration_begins_where_the_old_one_ended),
        cmocka_unit_test(crashes_anywhere_change_nothing),
    };
    return cmocka_run_group_tests(tests, undisturbed_make, undisturbed_close);
}
