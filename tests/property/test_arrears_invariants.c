/* Properties of the arrears operator over random lives of an account: invoices, partial payments,
 * reversals, cancellations, disputes, protections and late events, in random order. Whatever
 * happens:
 *   - no DUE, ESCALATION or WRITE_OFF while a dispute, protection or plan holds, by the test's own
 * books;
 *   - the stage climbs one row at a time, never before the ledger and the notice allow it;
 *   - one RESOLVED for each episode, and only when nothing is overdue;
 *   - open + paid - credit is what was invoiced less what was paid, and late fees equal a naive
 * sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "operator/arrears/arrears.h"
#include "operator/arrears/fee.h"
#include "story.h"

#define LIFE_COUNT  300
#define EVENT_COUNT 60
#define SEED        UINT64_C(0x5eed0a44)

struct draw {
    uint64_t state;
};

static uint64_t
draw_below(struct draw *draw, uint64_t limit)
{
    draw->state++;
    return gf_hash64(&draw->state, sizeof draw->state, SEED) % limit;
}

/* The test's own books. */
struct book {
    struct draw draw;
    struct gf_time now;
    uint32_t invoice_count, payment_count;
    int64_t invoiced_micro, paid_micro;
    bool is_in_episode;
    int32_t stage;
    struct gf_time step;
    uint32_t alerts, held, resolved;
};

static bool
book_is_held(const struct story *story, struct gf_time time)
{
    const struct gf_account *const account = &story->features.account;
    for (uint32_t i = 0; i < account->invoice_count; i++) {
        if (account->invoices[i].is_disputed) {
            return true;
        }
    }
    for (uint32_t i = 0; i < story->features.contract.protection_count; i++) {
        const struct gf_contract_protection *const protection =
            &story->features.contract.protections[i];
        const int64_t second = time.us / GF_US_PER_S;
        if (second >= protection->from_s &&
            (protection->to_s == UINT32_MAX || second < protection->to_s)) {
            return true;
        }
    }
    return false;
}

/* Late fee by counting days and tenths of cents on fingers: whole days, one invoice at a time, 128
 * bits, no rate table. */
static int64_t
naive_fee(const struct story *story, struct gf_time now)
{
    unsigned __int128 thousandths = 0;
    int64_t overdue = 0;
    for (uint32_t i = 0; i < story->features.account.invoice_count; i++) {
        const struct gf_open_invoice *const invoice = &story->features.account.invoices[i];
        if (invoice->is_disputed || (int64_t)invoice->due_s * GF_US_PER_S > now.us) {
            continue;
        }
        overdue += invoice->open_micro;
        uint32_t charged = 0;
        for (int64_t us = (int64_t)invoice->due_s * GF_US_PER_S + GF_US_PER_DAY; us <= now.us;
             us += GF_US_PER_DAY) {
            bool is_free = false;
            for (uint32_t p = 0; p < story->features.contract.protection_count; p++) {
                const struct gf_contract_protection *const protection =
                    &story->features.contract.protections[p];
                is_free |= us / GF_US_PER_S >= protection->from_s &&
                           (protection->to_s == UINT32_MAX || us / GF_US_PER_S < protection->to_s);
            }
            charged += !is_free;
        }
        thousandths += (unsigned __int128)(uint64_t)invoice->open_micro * charged;
    }
    if (thousandths == 0) {
        return 0;
    }
    const int64_t cents = (int64_t)(thousandths / 10000000);
    const int64_t rest = (int64_t)(thousandths % 10000000);
    int64_t micro = (cents + (rest > 5000000 || (rest == 5000000 && cents % 2 == 1))) * 10000;
    micro = micro < 1000000 ? 1000000 : micro;
    const int64_t cap = overdue / 10000 * 10000;
    return micro > cap ? cap : micro;
}

static void
alert_check(struct story *story, struct book *book)
{
    const struct gf_arrears_params *const params = story->params;
    const struct gf_arrears_alert *const alert = expect_alert(story);
    const struct gf_time now = alert->decided_at;
    const bool is_step = alert->kind == GF_ARREARS_KIND_DUE ||
                         alert->kind == GF_ARREARS_KIND_ESCALATION ||
                         alert->kind == GF_ARREARS_KIND_WRITE_OFF;
    book->alerts++;
    assert_int_equal(alert->hold != GF_ARREARS_HOLD_NONE, book_is_held(story, now));
    assert_true(alert->overdue_micro.micro <= alert->owed_micro.micro);
    assert_int_equal(alert->late_fee_micro.micro, naive_fee(story, now));
    if (is_step) {
        assert_false(book_is_held(story, now));
        assert_true(alert->overdue_micro.micro > 0);
        assert_int_equal(alert->stage, alert->previous_stage + 1);
        const struct gf_arrears_step *const step =
            &params->ladder[alert->stage - GF_ARREARS_STAGE_DUE];
        assert_true(now.us >= alert->oldest_due_at.us + step->after_days * GF_US_PER_DAY);
        if (book->is_in_episode && book->step.us != 0) {
            assert_true(now.us - book->step.us >= params->notice_days * GF_US_PER_DAY);
        }
        book->step = now;
        book->is_in_episode = true;
    } else if (alert->kind == GF_ARREARS_KIND_HELD) {
        assert_true(book_is_held(story, now));
        book->held++;
        book->is_in_episode = true;
    } else if (alert->kind == GF_ARREARS_KIND_RESOLVED) {
        assert_true(book->is_in_episode);
        assert_int_equal(alert->overdue_micro.micro, 0);
        assert_int_equal(alert->late_fee_micro.micro, 0);
        book->resolved++;
        book->is_in_episode = false;
        book->step = (struct gf_time){0};
    } else {
        assert_int_equal(alert->kind, GF_ARREARS_KIND_PRE_DUE);
    }
    book->stage = alert->stage;
}

/* Fires timers one at a time, so that every alert is judged by the ledger it was made from. */
static void
life_advance(struct story *story, struct book *book, struct gf_time to)
{
    uint32_t fired = 0;
    for (;;) {
        struct gf_time first = {INT64_MAX};
        for (uint32_t i = 0; i < FAKE_TIMER_COUNT; i++) {
            if (story->out->timers[i].is_set && story->out->timers[i].due.us < first.us) {
                first = story->out->timers[i].due;
            }
        }
        if (first.us > to.us) {
            break;
        }
        assert_true(++fired < 200);
        story_advance_to(story, first);
        while (story->looked_at < story->out->count) {
            alert_check(story, book);
        }
    }
    story_advance_to(story, to);
}

static void
life_invoice(struct story *story, struct book *book, int32_t status, uint32_t number)
{
    char id[32];
    snprintf(id, sizeof id, "i%u", number);
    const int64_t amount = 10000 * (1 + (int64_t)draw_below(&book->draw, 50000));
    const struct gf_invoice invoice = {
        .invoice_id = gf_span_text(id),
        .status = status,
        .issued_at = book->now,
        .due_at = {book->now.us + (int64_t)draw_below(&book->draw, 40) * GF_US_PER_DAY},
        .amount_micro = {amount},
        .currency = gf_span_text("EUR"),
    };
    const enum gf_rc rc = story_event(story, GF_TOPIC_BILLING_INVOICES, book->now, &invoice);
    if (status == GF_INVOICE_STATUS_ISSUED && rc == GF_OK) {
        book->invoiced_micro += amount;
        book->invoice_count++;
    } else if (status == GF_INVOICE_STATUS_ISSUED) {
        assert_int_equal(rc, GF_E_FULL);
    }
}

static void
life_payment(struct story *story, struct book *book)
{
    char id[32];
    snprintf(id, sizeof id, "p%u", book->payment_count++);
    struct gf_money owed = {0}, overdue = {0};
    gf_account_owed(&story->features.account, book->now, &owed, &overdue);
    const uint64_t way = draw_below(&book->draw, 4);
    const int64_t amount = way == 0 && owed.micro > 0 ? owed.micro
                           : way == 1 && overdue.micro > 0
                               ? overdue.micro
                               : 10000 * (1 + (int64_t)draw_below(&book->draw, 30000));
    const bool is_reversal = draw_below(&book->draw, 5) == 0 && book->paid_micro > amount;
    const struct gf_payment payment = {
        .payment_id = gf_span_text(id),
        .received_at = book->now,
        .amount_micro = {amount},
        .currency = gf_span_text("EUR"),
        .has_reversal_of = is_reversal,
        .reversal_of = is_reversal ? gf_span_text("p0") : (struct gf_span){0},
    };
    const enum gf_rc rc = story_event(story, GF_TOPIC_BILLING_PAYMENTS, book->now, &payment);
    assert_true(rc == GF_OK || (is_reversal && rc == GF_E_FULL));
    if (rc == GF_OK) {
        book->paid_micro += is_reversal ? -amount : amount;
    }
}

static void
life_protect(struct story *story, struct book *book)
{
    char issued[GF_TIME_TEXT_SIZE], from[GF_TIME_TEXT_SIZE], to[GF_TIME_TEXT_SIZE];
    const struct gf_time start = {book->now.us +
                                  (int64_t)draw_below(&book->draw, 20) * GF_US_PER_DAY};
    const struct gf_time end = {start.us +
                                (int64_t)(1 + draw_below(&book->draw, 90)) * GF_US_PER_DAY};
    gf_time_print(book->now, issued);
    gf_time_print(start, from);
    gf_time_print(end, to);
    const int32_t kind = 1 + (int32_t)draw_below(&book->draw, GF_PROTECTION_KIND_COUNT - 1);
    given_protection(story, issued, kind, from, to);
}

static void
ledger_check(const struct story *story, const struct book *book)
{
    const struct gf_account *const account = &story->features.account;
    int64_t open = 0;
    for (uint32_t i = 0; i < account->invoice_count; i++) {
        open += account->invoices[i].open_micro;
    }
    assert_int_equal(open - account->credit_micro, book->invoiced_micro - book->paid_micro);
}

static void
any_life_keeps_the_promises(void **unused)
{
    (void)unused;
    uint32_t alerts = 0, held = 0, resolved = 0;
    print_message("seed %llx\n", (unsigned long long)SEED);
    for (uint64_t life = 0; life < LIFE_COUNT; life++) {
        struct story story;
        story_begin(&story, &gf_op_arrears);
        struct gf_arrears_params *const params = story.params;
        struct book book = {
            .draw = {life << 32}, .now = at("2020-01-01"), .stage = GF_ARREARS_STAGE_OPEN};
        params->pre_due_grades = (int32_t)draw_below(&book.draw, 3);
        params->notice_days = (int64_t)draw_below(&book.draw, 10);
        params->notice_days = params->notice_days == 0 ? 1 : params->notice_days;
        given_contract(&story, "2020-01-01", GF_CUSTOMER_CLASS_RESIDENTIAL, 5000);
        for (uint32_t i = 0; i < EVENT_COUNT; i++) {
            book.now.us += (int64_t)draw_below(&book.draw, 20 * 24) * GF_US_PER_HOUR;
            life_advance(&story, &book, (struct gf_time){book.now.us - 1});
            const uint64_t kind = draw_below(&book.draw, 20);
            const uint32_t known =
                book.invoice_count > 0 ? (uint32_t)draw_below(&book.draw, book.invoice_count) : 0;
            if (kind < 7) {
                life_invoice(&story, &book, GF_INVOICE_STATUS_ISSUED, book.invoice_count);
            } else if (kind < 14) {
                life_payment(&story, &book);
            } else if (kind < 16) {
                life_invoice(&story, &book, GF_INVOICE_STATUS_DISPUTED, known);
            } else if (kind < 18) {
                life_invoice(&story, &book, GF_INVOICE_STATUS_DISPUTE_CLOSED, known);
            } else {
                life_protect(&story, &book);
            }
            while (story.looked_at < story.out->count) {
                alert_check(&story, &book);
            }
            ledger_check(&story, &book);
        }
        alerts += book.alerts;
        held += book.held;
        resolved += book.resolved;
        story_end(&story);
    }
    /* The lives must have been worth living. */
    print_message("%u alerts, %u held, %u resolved\n", alerts, held, resolved);
    assert_true(alerts > 10 * LIFE_COUNT / 2);
    assert_true(held > LIFE_COUNT / 2);
    assert_true(resolved > LIFE_COUNT / 2);
}

/* A timer that fires early, twice or for nothing changes nothing. */
static void
idle_timers_say_nothing(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_arrears);
    given_invoice(&story, "i1", "2026-01-01", "2026-01-15", 120);
    struct gf_view view = story_view(&story);
    for (uint32_t day = 2; day < 15; day++) {
        view.now.us = at("2026-01-01").us + day * GF_US_PER_DAY - 1;
        assert_int_equal(gf_op_arrears.on_timer(&view, day % 2, story.state, story.out), GF_OK);
    }
    expect_nothing_else(&story);
    story_advance(&story, "2026-01-15");
    assert_int_equal(expect_alert(&story)->kind, GF_ARREARS_KIND_DUE);
    view.now = at("2026-01-15");
    assert_int_equal(gf_op_arrears.on_timer(&view, 0, story.state, story.out), GF_OK);
    story_end(&story);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_life_keeps_the_promises),
        cmocka_unit_test(idle_timers_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
