/* What decides the fold is not what it was: another configuration, other time-zone rules, other
 * code. A batch that must be folded again is folded by what was in force then, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab_journal.h"
#include "lab_world.h"

#define STOP_COMMITS 9

#define BASE                                                                                       \
    "partitions: 2\n"                                                                              \
    "batch_records: 64\n"                                                                          \
    "commit: {batches: 4}\n"                                                                       \
    "sweep: {records: 1500}\n"

static const char config[] = BASE;
static const char changed[] =
    BASE "operators: {tariff: {enabled: false}, arrears: {pre_due_days: 1}}\n";

static const struct lab_world world = {
    .seed = 11, .customers = 12, .days = 16, .interval_s = 3600, .has_trouble = true};

static void
lab_make(struct lab *lab)
{
    lab_open(lab, config);
    lab_world_add(lab, &world);
}

static void
run_ok(struct lab *lab)
{
    const enum gf_rc rc = lab_run(lab);
    if (rc != GF_OK) {
        fail_msg("%s: %s", gf_rc_name(rc), lab->error.text);
    }
}

/* Dies after a commit that the log has: slices are behind it. */
static void
run_to_crash(struct lab *lab)
{
    gf_memory_log_fail(lab->log, GF_MEMORY_COMMIT, STOP_COMMITS, GF_E_IO, true);
    assert_int_equal(lab_run(lab), GF_E_IO);
    lab_crash(lab, NULL);
}

/* Stops by a signal after the same commit: nothing is left to fold again. */
static void
run_to_signal(struct lab *lab)
{
    lab->stop_at_commits = STOP_COMMITS;
    run_ok(lab);
    assert_true(lab->status.lag > 0);
    lab->stop_at_commits = 0;
    lab_crash(lab, NULL);
}

/* After a crash the outputs are those of a run that changed its configuration at that batch by a
 * clean stop: the refold takes the old one. */
static void
a_crash_and_a_new_configuration(void **state)
{
    (void)state;
    struct lab calm, crashed, lost;
    lab_make(&calm);
    run_to_signal(&calm);
    lab_configure(&calm, changed);
    run_ok(&calm);
    struct lab *const labs[] = {&crashed, &lost};
    for (int i = 0; i < 2; i++) {
        lab_make(labs[i]);
        run_to_crash(labs[i]);
        if (i == 1) {
            lab_crash(labs[i], gf_memory_store_new());
        }
        lab_configure(labs[i], changed);
        run_ok(labs[i]);
        lab_assert_conserved(labs[i]);
        lab_journal_assert_conserved(labs[i]);
        lab_assert_same_outputs(labs[i], &calm, LAB_LINEAGE_SAME);
        lab_assert_same_state(labs[i], &calm);
        lab_close(labs[i]);
    }
    assert_true(lab_count(&calm, GF_TOPIC_TARIFF_ADJUSTMENTS) > 0);
    struct lab without; /* the change is one that shows */
    lab_make(&without);
    run_ok(&without);
    assert_int_not_equal(lab_count(&calm, GF_TOPIC_TARIFF_ADJUSTMENTS),
                         lab_count(&without, GF_TOPIC_TARIFF_ADJUSTMENTS));
    lab_close(&without);
    lab_close(&calm);
}

static void
zones_change(struct lab *lab)
{
    snprintf(lab->zones.version, sizeof(lab->zones.version), "2099z");
}

static void
new_zones_after_a_crash(void **state)
{
    (void)state;
    struct lab lab, calm;
    char then[64];
    lab_make(&calm);
    run_ok(&calm);
    lab_make(&lab);
    run_to_crash(&lab);
    snprintf(then, sizeof(then), "time_zones %s", lab.zones.version);
    zones_change(&lab);
    const uint32_t before = lab_count(&lab, GF_TOPIC_JOURNAL);
    assert_int_equal(lab_run(&lab), GF_E_VERSION);
    assert_non_null(strstr(lab.error.text, then));
    assert_non_null(strstr(lab.error.text, "time_zones 2099z"));
    assert_non_null(strstr(lab.error.text, "--accept-refold"));
    assert_int_equal(lab_count(&lab, GF_TOPIC_JOURNAL), before);
    lab_crash(&lab, NULL);
    lab.accept_refold = true; /* the rules are the same but for their name */
    run_ok(&lab);
    lab_assert_conserved(&lab);
    lab_journal_assert_conserved(&lab);
    assert_int_equal(lab_count(&lab, GF_TOPIC_ARREARS_ALERTS),
                     lab_count(&calm, GF_TOPIC_ARREARS_ALERTS));
    assert_int_equal(lab_count(&lab, GF_TOPIC_TARIFF_ADJUSTMENTS),
                     lab_count(&calm, GF_TOPIC_TARIFF_ADJUSTMENTS));
    lab_assert_same_state(&lab, &calm);
    lab_close(&lab);
    lab_close(&calm);
}

static void
new_zones_after_a_clean_stop(void **state)
{
    (void)state;
    struct lab lab, calm;
    lab_make(&calm);
    run_ok(&calm);
    lab_make(&lab);
    run_to_signal(&lab);
    zones_change(&lab);
    run_ok(&lab);
    lab_assert_conserved(&lab);
    lab_journal_assert_conserved(&lab);
    lab_assert_same_state(&lab, &calm);
    lab_close(&lab);
    lab_close(&calm);
}

/* The journal of a program whose fold had another version: the whole of it, with no store. */
static void
another_fold_version(void **state)
{
    (void)state;
    struct lab then, now;
    lab_make(&then);
    run_to_signal(&then);
    lab_open(&now, config);
    lab_journal_copy_as_version(&now, &then, GF_FOLD_VERSION + 7);
    assert_int_equal(lab_run(&now), GF_E_VERSION);
    char text[64];
    snprintf(text, sizeof(text), "fold_version %d", GF_FOLD_VERSION + 7);
    assert_non_null(strstr(now.error.text, text));
    snprintf(text, sizeof(text), "fold_version %d", GF_FOLD_VERSION);
    assert_non_null(strstr(now.error.text, text));
    assert_non_null(strstr(now.error.text, "--accept-refold"));
    lab_crash(&now, NULL);
    now.accept_refold = true;
    run_ok(&now); /* what it folds again has other effects (their lineage): that was accepted */
    lab_assert_conserved(&now);
    lab_journal_assert_conserved(&now);
    lab_crash(&now, NULL);
    now.accept_refold = false;
    run_ok(&now); /* a clean stop: nothing has to be folded by the old version any more */
    assert_int_equal(now.status.records, 0);
    run_ok(&then);
    lab_assert_same_state(&now, &then);
    lab_close(&now);
    lab_close(&then);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_and_a_new_configuration),
        cmocka_unit_test(new_zones_after_a_crash),
        cmocka_unit_test(new_zones_after_a_clean_stop),
        cmocka_unit_test(another_fold_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
