/* A refold has the time that the fold had. Readings here come in order of arrival, most of them
 * dated some hours before the newest, around the lateness limit; invoices likewise, due before they
 * come, so that their timers go off at once. What becomes of them hangs on the shard's time, which
 * no record that is folded again carries: it was moved by a record before them. */
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

#define CUSTOMERS       24
#define ROUNDS          30
#define RECORDS_A_ROUND 60
#define LATENESS_US     (3 * GF_US_PER_HOUR)

static const char config[] = "partitions: 1\n"
                             "batch_records: 16\n"
                             "commit: {batches: 1}\n"
                             "sweep: {records: 200}\n"
                             "time: {lateness: 3h}\n"
                             "features: {lateness: 3h}\n";

static struct lab calm;

static void
invoice_add(struct lab *lab, const char *customer, const char *id, struct gf_time issued)
{
    const struct gf_invoice invoice = {
        .invoice_id = gf_span_text(id),
        .status = GF_INVOICE_STATUS_ISSUED,
        .issued_at = issued,
        .due_at = {issued.us + GF_US_PER_HOUR / 2},
        .period_from = {issued.us - 10 * GF_US_PER_DAY},
        .period_to = issued,
        .amount_micro = {INT64_C(61500000)},
        .currency = gf_span_text("EUR"),
        .energy_micro_kwh = {INT64_C(220000000)},
    };
    lab_add(lab, GF_TOPIC_BILLING_INVOICES, customer, issued, &invoice);
}

/* One customer moves the time two days on; then the others follow with what is hours old. Invoices
 * are another input: those of a round are dated before all its readings but the first, and come
 * between them. */
static void
world_add(struct lab *lab)
{
    struct gf_random random = {.seed = 3, .stream = 1};
    char name[32], meter[40], id[48];
    for (uint32_t i = 0; i <= CUSTOMERS; i++) {
        snprintf(name, sizeof(name), "customer-%u", i);
        lab_add_contract(lab, name, (struct gf_time){LAB_WORLD_START.us - GF_US_PER_DAY});
    }
    for (int64_t round = 0; round < ROUNDS; round++) {
        const int64_t newest = LAB_WORLD_START.us + (round + 1) * 2 * GF_US_PER_DAY;
        struct gf_meter_reading reading =
            lab_reading("M-customer-0", (struct gf_time){newest}, 900, 300000);
        lab_add_reading(lab, "customer-0", &reading);
        for (uint32_t k = 0; k < RECORDS_A_ROUND; k++) {
            const uint32_t customer = 1 + (uint32_t)(gf_random_next(&random) % CUSTOMERS);
            const int64_t quarters = (int64_t)(gf_random_next(&random) % 20);
            snprintf(name, sizeof(name), "customer-%u", customer);
            snprintf(meter, sizeof(meter), "M-%s", name);
            const struct gf_time start = {newest - quarters * 15 * GF_US_PER_MINUTE};
            reading = lab_reading(meter, start, 900, 200000 + (int64_t)k);
            lab_add_reading(lab, name, &reading);
            if (k % 12 == 5) {
                snprintf(id, sizeof(id), "I-%u-%u", (unsigned)round, k);
                invoice_add(lab, name, id,
                            (struct gf_time){newest - LATENESS_US - GF_US_PER_HOUR + k});
            }
        }
    }
}

static int
calm_make(void **state)
{
    (void)state;
    lab_open(&calm, config);
    world_add(&calm);
    return lab_run(&calm) == GF_OK ? 0 : -1;
}

static int
calm_close(void **state)
{
    (void)state;
    lab_close(&calm);
    return 0;
}

static void
the_limit_decides_much(void **state)
{
    (void)state;
    const struct gf_tally tally = lab_tally(&calm);
    print_message("%u records, %u late, %u alerts\n", (unsigned)tally.records, (unsigned)tally.late,
                  lab_count(&calm, GF_TOPIC_ARREARS_ALERTS));
    assert_true(tally.late > 100);
    assert_true(tally.processed > 500);
    assert_true(lab_count(&calm, GF_TOPIC_ARREARS_ALERTS) > 50);
    lab_assert_conserved(&calm);
    assert_true(lab_journal_assert_conserved(&calm) > 100);
}

static void
a_crash_after_every_commit(void **state)
{
    (void)state;
    const uint32_t commits = gf_memory_log_calls(calm.log, GF_MEMORY_COMMIT);
    assert_true(commits > 100);
    for (uint32_t nth = 2; nth < commits; nth++) {
        struct lab lab;
        lab_open(&lab, config);
        lab_copy_inputs(&lab, &calm);
        gf_memory_log_fail(lab.log, GF_MEMORY_COMMIT, nth, GF_E_IO, true);
        assert_int_equal(lab_run(&lab), GF_E_IO);
        lab_crash(&lab, NULL);
        if (lab_run(&lab) != GF_OK) {
            fail_msg("commit %u: %s", nth, lab.error.text);
        }
        const struct gf_tally tally = lab_tally(&lab), wanted = lab_tally(&calm);
        assert_memory_equal(&tally, &wanted, sizeof(tally));
        lab_journal_assert_conserved(&lab);
        lab_assert_same_outputs(&lab, &calm, LAB_LINEAGE_SAME);
        lab_assert_same_state(&lab, &calm);
        lab_close(&lab);
    }
}

/* A clean stop, with nothing to fold again: the last batch's record has the time, its readings may
 * not. */
static void
a_signal_after_every_commit(void **state)
{
    (void)state;
    const uint32_t commits = gf_memory_log_calls(calm.log, GF_MEMORY_COMMIT);
    for (uint32_t nth = 1; nth + 1 < commits; nth += 3) {
        struct lab lab;
        lab_open(&lab, config);
        lab_copy_inputs(&lab, &calm);
        lab.stop_at_commits = nth;
        assert_int_equal(lab_run(&lab), GF_OK);
        lab.stop_at_commits = 0;
        lab_crash(&lab, NULL);
        assert_int_equal(lab_run(&lab), GF_OK);
        lab_journal_assert_conserved(&lab);
        lab_assert_same_outputs(&lab, &calm, LAB_LINEAGE_SAME);
        lab_assert_same_state(&lab, &calm);
        lab_close(&lab);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_decides_much),
        cmocka_unit_test(a_crash_after_every_commit),
        cmocka_unit_test(a_signal_after_every_commit),
    };
    return cmocka_run_group_tests(tests, calm_make, calm_close);
}
