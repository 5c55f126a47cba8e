/* A store and a journal that do not belong together, or of which too little is left: refused, and
 * nothing is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/records.h"
#include "lab_journal.h"
#include "lab_world.h"

static const char config[] = "partitions: 1\n"
                             "batch_records: 64\n"
                             "commit: {batches: 4}\n"
                             "sweep: {records: 1500}\n";

static void
lab_make(struct lab *lab, uint64_t seed)
{
    const struct lab_world world = {
        .seed = seed, .customers = 8, .days = 10, .interval_s = 3600, .has_trouble = true};
    lab_open(lab, config);
    lab->customers_max *= 4; /* room, so that commits hold four batches */
    lab_world_add(lab, &world);
}

static void
expect_refusal(struct lab *lab, enum gf_rc wanted, const char *const *texts)
{
    const uint32_t commits = gf_memory_log_calls(lab->log, GF_MEMORY_COMMIT);
    const enum gf_rc rc = lab_run(lab);
    if (rc != wanted) {
        fail_msg("%s, not %s: %s", gf_rc_name(rc), gf_rc_name(wanted), lab->error.text);
    }
    for (; *texts != NULL; texts++) {
        if (strstr(lab->error.text, *texts) == NULL) {
            fail_msg("no \"%s\" in: %s", *texts, lab->error.text);
        }
    }
    assert_int_equal(gf_memory_log_calls(lab->log, GF_MEMORY_COMMIT), commits);
}

/* The other store is as whole as a store can be, and behind this journal or ahead of it. */
static void
a_store_of_another_log(void **state)
{
    (void)state;
    for (uint32_t commits = 2; commits <= 7; commits++) {
        struct lab ours, other;
        lab_make(&ours, 1);
        lab_make(&other, 2);
        ours.stop_at_commits = 5;
        other.stop_at_commits = commits;
        assert_int_equal(lab_run(&ours), GF_OK);
        assert_int_equal(lab_run(&other), GF_OK);
        ours.stop_at_commits = 0;
        lab_crash(&ours, gf_memory_store_copy(other.store));
        static const char *const texts[] = {"another log", "move the store away", NULL};
        expect_refusal(&ours, GF_E_DAMAGED, texts);
        lab_crash(&ours, gf_memory_store_new()); /* as told */
        assert_int_equal(lab_run(&ours), GF_OK);
        struct lab calm;
        lab_make(&calm, 1);
        assert_int_equal(lab_run(&calm), GF_OK);
        lab_assert_same_outputs(&ours, &calm, LAB_LINEAGE_SAME);
        lab_assert_same_state(&ours, &calm);
        lab_close(&calm);
        lab_close(&other);
        lab_close(&ours);
    }
}

static int64_t
journal_end(const struct lab *lab)
{
    const uint32_t count = gf_memory_log_count(lab->log, GF_TOPIC_JOURNAL, 0);
    return gf_memory_log_get(lab->log, GF_TOPIC_JOURNAL, 0, count - 1)->offset + 1;
}

static void
a_journal_whose_beginning_is_gone(void **state)
{
    (void)state;
    /* Of the journal all but the last `left` records went; then the store went too. */
    for (int64_t left = 1; left <= 12; left += left < 3 ? 1 : 3) {
        struct lab lab;
        lab_make(&lab, 3);
        lab.stop_at_commits = 5;
        assert_int_equal(lab_run(&lab), GF_OK);
        lab.stop_at_commits = 0;
        gf_memory_log_trim(lab.log, GF_TOPIC_JOURNAL, 0, journal_end(&lab) - left);
        lab_crash(&lab, gf_memory_store_new());
        static const char *const texts[] = {"batch 1 is needed", "beginning is gone",
                                            "restore the journal", NULL};
        expect_refusal(&lab, GF_E_LOST, texts);
        lab_close(&lab);
    }
}

/* The store is whole, but the record that has its positions is gone: only a heartbeat is left. */
static void
a_journal_that_does_not_reach_the_store(void **state)
{
    (void)state;
    struct lab lab;
    lab_make(&lab, 4);
    lab.stop_at_commits = 5;
    assert_int_equal(lab_run(&lab), GF_OK);
    lab.stop_at_commits = 0;
    gf_memory_log_trim(lab.log, GF_TOPIC_JOURNAL, 0, journal_end(&lab) - 1);
    lab_crash(&lab, NULL);
    static const char *const texts[] = {"does not reach", "restore the journal", NULL};
    expect_refusal(&lab, GF_E_DAMAGED, texts);
    lab_close(&lab);
}

/* Nothing is left of it: whether there is a store or none, this is no first start. */
static void
a_journal_that_was_emptied(void **state)
{
    (void)state;
    for (int has_store = 0; has_store < 2; has_store++) {
        struct lab lab;
        char end[64], store[64];
        lab_make(&lab, 7);
        lab.stop_at_commits = 5;
        assert_int_equal(lab_run(&lab), GF_OK);
        lab.stop_at_commits = 0;
        snprintf(end, sizeof(end), "records up to offset %lld ", (long long)journal_end(&lab));
        snprintf(store, sizeof(store), "the store is at batch %s", has_store == 0 ? "0;" : "");
        gf_memory_log_trim(lab.log, GF_TOPIC_JOURNAL, 0, journal_end(&lab));
        lab_crash(&lab, has_store == 0 ? gf_memory_store_new() : NULL);
        const char *const texts[] = {end, store, "restore the journal", "start over", NULL};
        expect_refusal(&lab, GF_E_LOST, texts);
        lab_close(&lab);
    }
}

/* The mark of the journal is written before the slices: a store that has these without it has lost
 * a write and kept one after it. It is put away and made anew. */
static void
a_store_that_lost_its_mark(void **state)
{
    (void)state;
    struct lab lab, calm;
    lab_make(&calm, 6);
    assert_int_equal(lab_run(&calm), GF_OK);
    lab_make(&lab, 6);
    lab.stop_at_commits = 5;
    assert_int_equal(lab_run(&lab), GF_OK);
    lab.stop_at_commits = 0;
    char name[32];
    snprintf(name, sizeof(name), GF_STORE_MARK_NAME, 0u);
    assert_int_equal(lab.store->ops->put_named(lab.store, name, (struct gf_span){0}, &lab.error),
                     GF_OK);
    lab_crash(&lab, NULL);
    assert_int_equal(lab_run(&lab), GF_OK);
    assert_int_equal(lab.stores.condemned, 1);
    lab_assert_same_outputs(&lab, &calm, LAB_LINEAGE_SAME);
    lab_assert_same_state(&lab, &calm);
    lab_close(&lab);
    lab_close(&calm);
}

/* What no recovery reads may go. */
static void
a_journal_as_short_as_the_store_allows(void **state)
{
    (void)state;
    struct lab lab, calm;
    lab_make(&calm, 5);
    assert_int_equal(lab_run(&calm), GF_OK);
    lab_make(&lab, 5);
    lab.stop_at_commits = 5;
    assert_int_equal(lab_run(&lab), GF_OK);
    lab.stop_at_commits = 0;
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    assert_int_equal(lab.store->ops->metas(lab.store, 0, metas, &lab.error), GF_OK);
    assert_true(metas[0].journal_offset > 10);
    gf_memory_log_trim(lab.log, GF_TOPIC_JOURNAL, 0, metas[0].journal_offset);
    lab_crash(&lab, NULL);
    if (lab_run(&lab) != GF_OK) {
        fail_msg("%s", lab.error.text);
    }
    lab_assert_same_outputs(&lab, &calm, LAB_LINEAGE_SAME);
    lab_assert_same_state(&lab, &calm);
    lab_close(&lab);
    lab_close(&calm);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_of_another_log),
        cmocka_unit_test(a_journal_whose_beginning_is_gone),
        cmocka_unit_test(a_journal_that_does_not_reach_the_store),
        cmocka_unit_test(a_journal_that_was_emptied),
        cmocka_unit_test(a_store_that_lost_its_mark),
        cmocka_unit_test(a_journal_as_short_as_the_store_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
