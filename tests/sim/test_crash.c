/* Crashes: whatever dies when, the outputs and the state are those of a run that nobody disturbed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/records.h"
#include "lab_deaths.h"
#include "lab_journal.h"
#include "lab_world.h"

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

static void
crashes_anywhere_change_nothing(void **state)
{
    (void)state;
    uint32_t deaths = 0, cures = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        struct gf_random random = {.seed = seed, .stream = 2};
        struct lab lab;
        lab_open(&lab, config);
        lab_copy_inputs(&lab, &undisturbed);
        lab.customers_max *=
            seed % 2 == 0 ? 4 : 1; /* every second run never lets a customer leave memory */
        deaths += lab_run_through_deaths(&lab, &random);
        cures += lab.warnings;
        lab_assert_undisturbed(&lab, &undisturbed);
        lab_close(&lab);
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
    lab_assert_undisturbed(&lab, &undisturbed);
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
    lab_assert_undisturbed(&lab, &undisturbed);
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
