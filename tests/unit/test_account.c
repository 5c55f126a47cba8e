#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "feature_maker.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DAY(n)                                                                                     \
    ((struct gf_time){INT64_C(1451606400000000) + (n)*GF_US_PER_DAY}) /* 2016-01-01 + n */

struct ledger {
    struct gf_account account;
    struct gf_change change;
    struct gf_error error;
};

static enum gf_rc
invoice_on(struct ledger *ledger, const char *id, int32_t status, int64_t due_day, int64_t micro,
           const char *corrects)
{
    const struct gf_invoice invoice = {
        .invoice_id = gf_span_text(id),
        .status = status,
        .issued_at = DAY(due_day - 14),
        .due_at = DAY(due_day),
        .amount_micro = {micro},
        .currency = gf_span_text("EUR"),
        .energy_micro_kwh = {1000},
        .estimated_micro_kwh = {250},
        .has_corrects = corrects != NULL,
        .corrects = corrects == NULL ? (struct gf_span){0} : gf_span_text(corrects),
    };
    ledger->change = (struct gf_change){0};
    return gf_account_invoice(&ledger->account, &invoice, gf_span_text("EUR"), &ledger->change,
                              &ledger->error);
}

static enum gf_rc
issue(struct ledger *ledger, const char *id, int64_t due_day, int64_t micro)
{
    return invoice_on(ledger, id, GF_INVOICE_STATUS_ISSUED, due_day, micro, NULL);
}

static enum gf_rc
pay_on(struct ledger *ledger, int64_t day, int64_t micro, const char *invoice_id,
       const char *reversal_of)
{
    const struct gf_payment payment = {
        .payment_id = gf_span_text("p"),
        .received_at = DAY(day),
        .amount_micro = {micro},
        .currency = gf_span_text("EUR"),
        .has_invoice_id = invoice_id != NULL,
        .invoice_id = invoice_id == NULL ? (struct gf_span){0} : gf_span_text(invoice_id),
        .has_reversal_of = reversal_of != NULL,
        .reversal_of = reversal_of == NULL ? (struct gf_span){0} : gf_span_text(reversal_of),
    };
    ledger->change = (struct gf_change){0};
    return gf_account_payment(&ledger->account, &payment, gf_span_text("EUR"), &ledger->change,
                              &ledger->error);
}

/* Open amounts less credit. */
static int64_t
balance(const struct gf_account *account)
{
    int64_t sum = -account->credit_micro;
    for (uint32_t i = 0; i < account->invoice_count; i++) {
        sum += account->invoices[i].open_micro;
    }
    return sum;
}

static void
test_payment_goes_to_its_invoice_then_to_the_oldest_then_to_credit(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    assert_int_equal(issue(&ledger, "feb", 60, 200), GF_OK);
    assert_int_equal(issue(&ledger, "jan", 30, 100), GF_OK);
    assert_int_equal(issue(&ledger, "mar", 90, 300), GF_OK);
    assert_int_equal(gf_account_oldest_due(&ledger.account).us, DAY(30).us);
    assert_int_equal(pay_on(&ledger, 20, 250, "mar", NULL), GF_OK); /* partial, named */
    assert_int_equal(ledger.account.invoices[2].open_micro, 50);
    assert_int_equal(ledger.account.payments_partial, 1);
    assert_int_equal(pay_on(&ledger, 40, 150, NULL, NULL), GF_OK); /* all of jan, 50 of feb */
    assert_int_equal(ledger.account.invoice_count, 2);
    assert_int_equal(ledger.account.invoices[0].open_micro, 150);
    assert_int_equal(ledger.account.payments_late, 1);
    assert_true(ledger.account.days_late_mean > 0);
    assert_int_equal(pay_on(&ledger, 50, 260, NULL, NULL), GF_OK);
    assert_int_equal(ledger.account.invoice_count, 0);
    assert_int_equal(ledger.account.credit_micro, 60);
    assert_true(gf_time_is_none(gf_account_oldest_due(&ledger.account)));
    assert_int_equal(issue(&ledger, "apr", 120, 100), GF_OK); /* credit pays the next invoice */
    assert_int_equal(ledger.account.invoices[0].open_micro, 40);
    assert_int_equal(ledger.account.credit_micro, 0);
    assert_int_equal(ledger.account.invoices_seen, 4);
    assert_int_equal(ledger.account.payments_seen, 3);
    assert_float_equal(ledger.account.estimated_share, 0.25, 1e-6);
}

static void
test_reversal_reopens(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    assert_int_equal(issue(&ledger, "jan", 30, 100), GF_OK);
    assert_int_equal(pay_on(&ledger, 20, 100, "jan", NULL), GF_OK);
    assert_int_equal(pay_on(&ledger, 70, 100, "jan", "p"), GF_OK);
    assert_int_equal(ledger.account.invoice_count,
                     1); /* with its own due date, for it is remembered */
    assert_int_equal(ledger.account.invoices[0].open_micro, 100);
    assert_int_equal(gf_account_oldest_due(&ledger.account).us, DAY(30).us);
    assert_int_equal(ledger.account.payments_reversed, 1);

    ledger = (struct ledger){0}; /* credit goes back first */
    assert_int_equal(issue(&ledger, "jan", 30, 100), GF_OK);
    assert_int_equal(pay_on(&ledger, 20, 130, NULL, NULL), GF_OK);
    assert_int_equal(pay_on(&ledger, 21, 130, NULL, "p"), GF_OK);
    assert_int_equal(ledger.account.credit_micro, 0);
    assert_int_equal(ledger.account.invoices[0].open_micro, 100);

    ledger = (struct ledger){0}; /* an invoice that is not remembered: due at once */
    assert_int_equal(pay_on(&ledger, 21, 130, "old", "p"), GF_OK);
    assert_int_equal(ledger.account.invoices[0].open_micro, 130);
    assert_int_equal(ledger.account.invoices[0].due_s, DAY(21).us / GF_US_PER_S);
    assert_int_equal(ledger.account.invoices[0].id_hash, gf_account_hash(gf_span_text("old")));

    ledger = (struct ledger){0}; /* no name: what was paid last reopens first */
    assert_int_equal(issue(&ledger, "jan", 30, 100), GF_OK);
    assert_int_equal(issue(&ledger, "feb", 60, 100), GF_OK);
    assert_int_equal(pay_on(&ledger, 20, 150, NULL, NULL), GF_OK);
    assert_int_equal(pay_on(&ledger, 70, 150, NULL, "p"), GF_OK);
    assert_int_equal(ledger.account.invoice_count, 2);
    assert_int_equal(ledger.account.invoices[0].open_micro, 100);
    assert_int_equal(ledger.account.invoices[0].due_s, DAY(30).us / GF_US_PER_S);
    assert_int_equal(ledger.account.invoices[1].open_micro, 100);
}

static void
test_cancel_dispute_and_correction(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    assert_int_equal(issue(&ledger, "jan", 30, 100), GF_OK);
    assert_int_equal(pay_on(&ledger, 20, 40, "jan", NULL), GF_OK);
    assert_int_equal(invoice_on(&ledger, "jan", GF_INVOICE_STATUS_DISPUTED, 30, 100, NULL), GF_OK);
    assert_true(ledger.change.account_changed);
    assert_true(gf_account_is_disputed(&ledger.account));
    assert_int_equal(invoice_on(&ledger, "jan", GF_INVOICE_STATUS_DISPUTE_CLOSED, 30, 100, NULL),
                     GF_OK);
    assert_false(gf_account_is_disputed(&ledger.account));
    assert_int_equal(invoice_on(&ledger, "nov", GF_INVOICE_STATUS_DISPUTED, 30, 100, NULL), GF_OK);
    assert_false(ledger.change.account_changed);
    /* The corrected invoice is 90, of which 40 were paid on the one it replaces. */
    assert_int_equal(invoice_on(&ledger, "jan-2", GF_INVOICE_STATUS_ISSUED, 44, 90, "jan"), GF_OK);
    assert_int_equal(ledger.account.invoice_count, 1);
    assert_int_equal(ledger.account.invoices[0].open_micro, 50);
    assert_int_equal(invoice_on(&ledger, "jan-2", GF_INVOICE_STATUS_CANCELLED, 44, 90, NULL),
                     GF_OK);
    assert_int_equal(ledger.account.invoice_count, 0);
    assert_int_equal(ledger.account.credit_micro, 40);
    assert_int_equal(invoice_on(&ledger, "x", GF_INVOICE_STATUS_UNKNOWN, 44, 90, NULL),
                     GF_E_BAD_FIELD);
    /* A credit note. */
    assert_int_equal(issue(&ledger, "note", 50, -25), GF_OK);
    assert_int_equal(ledger.account.credit_micro, 65);
}

static void
test_repetition_changes_nothing(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    assert_int_equal(issue(&ledger, "jan", 30, 100), GF_OK);
    assert_int_equal(issue(&ledger, "jan", 30, 100), GF_OK);
    assert_false(ledger.change.account_changed);
    assert_int_equal(balance(&ledger.account), 100);
    assert_int_equal(pay_on(&ledger, 20, 100, NULL, NULL), GF_OK);
    assert_int_equal(issue(&ledger, "jan", 30, 100), GF_OK);
    assert_int_equal(balance(&ledger.account), 0);
}

static void
test_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    const char *const ids[] = {"1", "2", "3", "4", "5", "6", "7", "8"};
    for (size_t i = 0; i < COUNT(ids); i++) {
        assert_int_equal(issue(&ledger, ids[i], 30, 10), GF_OK);
    }
    const struct gf_account before = ledger.account;
    assert_int_equal(issue(&ledger, "9", 30, 10), GF_E_FULL);
    assert_memory_equal(&before, &ledger.account, sizeof before);
    const struct gf_payment dollars = {
        .received_at = DAY(1), .amount_micro = {5}, .currency = gf_span_text("USD")};
    assert_int_equal(gf_account_payment(&ledger.account, &dollars, gf_span_text("EUR"),
                                        &ledger.change, &ledger.error),
                     GF_E_BAD_FIELD);
    assert_true(ledger.change.currency_differs);
    assert_int_equal(pay_on(&ledger, 1, 0, NULL, NULL), GF_E_BAD_FIELD);
    assert_int_equal(pay_on(&ledger, 1, -5, NULL, NULL), GF_E_BAD_FIELD);
    assert_memory_equal(&before, &ledger.account, sizeof before);
    ledger = (struct ledger){0};
    assert_int_equal(pay_on(&ledger, 1, INT64_MAX, NULL, NULL), GF_OK);
    assert_int_equal(pay_on(&ledger, 1, 1, NULL, NULL), GF_E_RANGE);
}

static void
test_ageing_counts_whole_days(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    const int64_t dues[] = {101, 100, 70, 69, 40, 10, 9};
    const char *const ids[] = {"1", "2", "3", "4", "5", "6", "7"};
    for (size_t i = 0; i < COUNT(dues); i++) {
        assert_int_equal(issue(&ledger, ids[i], dues[i], INT64_C(1) << i), GF_OK);
    }
    struct gf_money buckets[5], owed, overdue;
    gf_account_ageing(&ledger.account, DAY(100), buckets);
    assert_int_equal(buckets[0].micro, 1 + 2); /* due this very moment is not overdue */
    assert_int_equal(buckets[1].micro, 4);
    assert_int_equal(buckets[2].micro, 8 + 16);
    assert_int_equal(buckets[3].micro, 32);
    assert_int_equal(buckets[4].micro, 64);
    gf_account_owed(&ledger.account, DAY(100), &owed, &overdue);
    assert_int_equal(owed.micro, 127);
    assert_int_equal(overdue.micro, 124);
}

/* Whatever comes, no money appears or disappears: balance = invoiced - paid + reversed. */
static void
test_money_is_conserved(void **state)
{
    (void)state;
    const uint64_t seed = 20160101;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct gf_random random = {.seed = seed, .stream = 1};
    for (int story = 0; story < 300; story++) {
        struct ledger ledger = {0};
        int64_t expected = 0;
        for (int64_t step = 0; step < 60; step++) {
            char id[16];
            const struct gf_account before = ledger.account;
            const int64_t micro = 1 + (int64_t)(gf_random_next(&random) % 1000);
            (void)snprintf(id, sizeof id, "i%d", (int)(step / 4));
            enum gf_rc rc = GF_OK;
            int64_t moved = 0;
            switch (gf_random_next(&random) % 4) {
            case 0:
                rc = issue(&ledger, id, step, micro);
                moved = ledger.change.account_changed ? micro : 0;
                break;
            case 1:
                rc = pay_on(&ledger, step, micro, step % 3 == 0 ? id : NULL, NULL);
                moved = -micro;
                break;
            case 2:
                rc = pay_on(&ledger, step, micro, step % 3 == 0 ? id : NULL, "p");
                moved = micro;
                break;
            default:
                rc = invoice_on(&ledger, id, GF_INVOICE_STATUS_DISPUTED, step, micro, NULL);
                break;
            }
            if (rc != GF_OK) {
                assert_int_equal(rc, GF_E_FULL);
                ledger.account = before; /* as the engine does */
                continue;
            }
            expected += moved;
            assert_int_equal(balance(&ledger.account), expected);
            for (uint32_t i = 0; i < ledger.account.invoice_count; i++) {
                assert_true(ledger.account.invoices[i].open_micro > 0);
                assert_true(ledger.account.invoices[i].paid_micro >= 0);
                assert_true(i == 0 || ledger.account.invoices[i - 1].due_s <=
                                          ledger.account.invoices[i].due_s);
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payment_goes_to_its_invoice_then_to_the_oldest_then_to_credit),
        cmocka_unit_test(test_reversal_reopens),
        cmocka_unit_test(test_cancel_dispute_and_correction),
        cmocka_unit_test(test_repetition_changes_nothing),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_ageing_counts_whole_days),
        cmocka_unit_test(test_money_is_conserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
