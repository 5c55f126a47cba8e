/* Stories of the arrears operator: what a customer who owes money is told, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "operator/arrears/arrears.h"
#include "operator/arrears/fee.h"
#include "operator/arrears/scorecard.h"
#include "story.h"

#define RESIDENTIAL GF_CUSTOMER_CLASS_RESIDENTIAL

static void
expect_step(struct story *story, int32_t kind, int32_t stage, const char *when, double owed,
            int32_t days)
{
    const struct gf_arrears_alert *const alert = expect_alert(story);
    assert_string_equal(gf_arrears_kind_name(alert->kind), gf_arrears_kind_name(kind));
    assert_string_equal(gf_arrears_stage_name(alert->stage), gf_arrears_stage_name(stage));
    assert_int_equal(alert->decided_at.us, at(when).us);
    assert_int_equal(alert->owed_micro.micro, micros(owed));
    assert_int_equal(alert->days_overdue, days);
    assert_true(gf_span_equal(alert->currency, gf_span_text("EUR")));
}

static void
an_unpaid_invoice_climbs_the_whole_ladder(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_arrears);
    given_contract(&story, "2025-01-01", RESIDENTIAL, 10000);
    given_invoice(&story, "i1", "2026-01-01", "2026-01-15", 120);
    story_advance(&story, "2027-01-01");
    expect_step(&story, GF_ARREARS_KIND_DUE, GF_ARREARS_STAGE_DUE, "2026-01-15", 120, 0);
    expect_step(&story, GF_ARREARS_KIND_ESCALATION, GF_ARREARS_STAGE_GRACE, "2026-01-22", 120, 7);
    const struct gf_arrears_alert *const alert = expect_alert(&story);
    assert_int_equal(alert->stage, GF_ARREARS_STAGE_OD30);
    assert_int_equal(alert->previous_stage, GF_ARREARS_STAGE_GRACE);
    assert_int_equal(alert->overdue_micro.micro, 120000000);
    assert_int_equal(alert->late_fee_micro.micro, 3600000); /* 120.00 x 30 d x 0.1 % */
    assert_true(gf_span_equal(alert->measure, gf_span_text("WRITTEN_NOTICE")));
    assert_int_equal(alert->hold, GF_ARREARS_HOLD_NONE);
    assert_int_equal(alert->oldest_due_at.us, at("2026-01-15").us);
    expect_step(&story, GF_ARREARS_KIND_ESCALATION, GF_ARREARS_STAGE_OD60, "2026-03-16", 120, 60);
    expect_step(&story, GF_ARREARS_KIND_ESCALATION, GF_ARREARS_STAGE_OD90, "2026-04-15", 120, 90);
    expect_step(&story, GF_ARREARS_KIND_WRITE_OFF, GF_ARREARS_STAGE_WRITE_OFF, "2026-07-14", 120,
                180);
    story_end(&story);
}

static void
paying_in_time_brings_no_alert(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_arrears);
    given_invoice(&story, "i1", "2026-01-01", "2026-01-15", 120);
    given_payment(&story, "p1", "2026-01-14", 120);
    story_advance(&story, "2027-01-01");
    story_end(&story);
}

static void
paying_all_resolves_once_and_a_reversal_starts_again(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_arrears);
    given_invoice(&story, "i1", "2026-01-01", "2026-01-15", 120);
    given_payment(&story, "p1", "2026-01-20", 50);
    expect_step(&story, GF_ARREARS_KIND_DUE, GF_ARREARS_STAGE_DUE, "2026-01-15", 120, 0);
    given_payment(&story, "p2", "2026-01-21", 70);
    expect_step(&story, GF_ARREARS_KIND_RESOLVED, GF_ARREARS_STAGE_OPEN, "2026-01-21", 0, 0);
    given_reversal(&story, "p2", "i1", "2026-02-20", 70);
    expect_step(&story, GF_ARREARS_KIND_DUE, GF_ARREARS_STAGE_DUE, "2026-02-20", 70, 36);
    /* 36 days overdue already, but never two steps without a week between. */
    story_advance(&story, "2026-03-10");
    expect_step(&story, GF_ARREARS_KIND_ESCALATION, GF_ARREARS_STAGE_GRACE, "2026-02-27", 70, 43);
    expect_step(&story, GF_ARREARS_KIND_ESCALATION, GF_ARREARS_STAGE_OD30, "2026-03-06", 70, 50);
    given_payment(&story, "p3", "2026-03-10", 100);
    expect_step(&story, GF_ARREARS_KIND_RESOLVED, GF_ARREARS_STAGE_OPEN, "2026-03-10", 0, 0);
    story_advance(&story, "2027-03-10");
    story_end(&story);
}

static void
a_dispute_stops_the_ladder_until_it_is_closed(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_arrears);
    given_invoice(&story, "i1", "2026-01-01", "2026-01-15", 120);
    story_advance(&story, "2026-01-16");
    expect_step(&story, GF_ARREARS_KIND_DUE, GF_ARREARS_STAGE_DUE, "2026-01-15", 120, 0);
    given_invoice_status(&story, "i1", "2026-01-18", GF_INVOICE_STATUS_DISPUTED);
    expect_nothing_else(&story);
    story_advance(&story, "2026-06-01");
    const struct gf_arrears_alert *const held = expect_alert(&story);
    assert_int_equal(held->kind, GF_ARREARS_KIND_HELD);
    assert_int_equal(held->hold, GF_ARREARS_HOLD_DISPUTE);
    assert_int_equal(held->stage, GF_ARREARS_STAGE_DUE);
    assert_int_equal(held->decided_at.us, at("2026-01-22").us);
    assert_int_equal(held->late_fee_micro.micro, 0);
    expect_nothing_else(&story);
    given_invoice_status(&story, "i1", "2026-06-02", GF_INVOICE_STATUS_DISPUTE_CLOSED);
    expect_step(&story, GF_ARREARS_KIND_ESCALATION, GF_ARREARS_STAGE_GRACE, "2026-06-02", 120, 138);
    story_advance(&story, "2026-06-10");
    expect_step(&story, GF_ARREARS_KIND_ESCALATION, GF_ARREARS_STAGE_OD30, "2026-06-09", 120, 145);
    story_end(&story);
}

static void
a_winter_protection_holds_and_its_end_lets_go(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_arrears);
    given_protection(&story, "2025-10-01", GF_PROTECTION_KIND_WINTER, "2025-10-01", "2026-04-01");
    given_invoice(&story, "i1", "2026-01-01", "2026-01-15", 1000);
    story_advance(&story, "2026-03-31");
    const struct gf_arrears_alert *held = expect_alert(&story);
    assert_int_equal(held->kind, GF_ARREARS_KIND_HELD);
    assert_int_equal(held->hold, GF_ARREARS_HOLD_PROTECTED);
    assert_int_equal(held->stage, GF_ARREARS_STAGE_OPEN);
    expect_nothing_else(&story);
    story_advance(&story, "2026-04-05");
    const struct gf_arrears_alert *const due = expect_alert(&story);
    assert_int_equal(due->kind, GF_ARREARS_KIND_DUE);
    assert_int_equal(due->decided_at.us, at("2026-04-01").us);
    assert_int_equal(due->late_fee_micro.micro, 1000000); /* the day that ends on 1 April */
    story_end(&story);
}

static void
a_payment_plan_holds_and_paying_it_resolves(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_arrears);
    given_invoice(&story, "i1", "2026-01-01", "2026-01-15", 90);
    story_advance(&story, "2026-01-23");
    expect_step(&story, GF_ARREARS_KIND_DUE, GF_ARREARS_STAGE_DUE, "2026-01-15", 90, 0);
    expect_step(&story, GF_ARREARS_KIND_ESCALATION, GF_ARREARS_STAGE_GRACE, "2026-01-22", 90, 7);
    given_protection(&story, "2026-01-25", GF_PROTECTION_KIND_PAYMENT_PLAN, "2026-01-25", NULL);
    given_payment(&story, "p1", "2026-02-01", 30);
    given_payment(&story, "p2", "2026-03-01", 30);
    const struct gf_arrears_alert *const held = expect_alert(&story);
    assert_int_equal(held->kind, GF_ARREARS_KIND_HELD);
    assert_int_equal(held->hold, GF_ARREARS_HOLD_PLAN);
    given_payment(&story, "p3", "2026-04-01", 30);
    expect_step(&story, GF_ARREARS_KIND_RESOLVED, GF_ARREARS_STAGE_OPEN, "2026-04-01", 0, 0);
    story_end(&story);
}

static void
a_risky_customer_is_reminded_once_before_the_due_date(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_arrears);
    struct gf_account *const account = &story.features.account;
    account->payments_seen = 10;
    account->payments_late = 9;
    account->payments_partial = 5;
    account->payments_reversed = 3;
    account->days_late_mean = 25;
    account->first_seen_s = (uint32_t)(at("2025-06-01").us / GF_US_PER_S);
    given_invoice(&story, "i1", "2026-01-01", "2026-01-15", 120);
    story_advance(&story, "2026-01-14");
    const struct gf_arrears_alert *const alert = expect_alert(&story);
    assert_int_equal(alert->kind, GF_ARREARS_KIND_PRE_DUE);
    assert_int_equal(alert->decided_at.us, at("2026-01-10").us);
    assert_true(alert->grade == GF_RISK_GRADE_D || alert->grade == GF_RISK_GRADE_E);
    assert_int_equal(alert->reasons.count, 4);
    assert_true(gf_span_equal(alert->reasons.items[0].code, gf_span_text("DAYS_LATE")));
    given_payment(&story, "p1", "2026-01-14", 120);
    story_advance(&story, "2026-03-01");
    story_end(&story);
}

static void
an_invoice_that_comes_late_is_judged_at_the_newest_time(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_arrears);
    given_invoice(&story, "i1", "2026-03-01", "2026-03-15", 10);
    given_payment(&story, "p1", "2026-03-10", 10);
    given_invoice(&story, "i0", "2026-01-01", "2026-01-15", 20); /* issued before, arrives now */
    expect_step(&story, GF_ARREARS_KIND_DUE, GF_ARREARS_STAGE_DUE, "2026-03-10", 20, 54);
    given_payment(&story, "p0", "2026-03-11", 20);
    expect_step(&story, GF_ARREARS_KIND_RESOLVED, GF_ARREARS_STAGE_OPEN, "2026-03-11", 0, 0);
    story_end(&story);
}

static void
the_ladder_is_the_one_configured(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_arrears);
    struct gf_arrears_params *const params = story.params;
    params->ladder_count = 2;
    params->ladder[0].after_days = 3;
    params->ladder[1] = (struct gf_arrears_step){.stage = 5, .after_days = 20, .measure = "SELL"};
    given_invoice(&story, "i1", "2026-01-01", "2026-01-15", 120);
    story_advance(&story, "2027-01-01");
    expect_step(&story, GF_ARREARS_KIND_DUE, GF_ARREARS_STAGE_DUE, "2026-01-18", 120, 3);
    const struct gf_arrears_alert *const alert = expect_alert(&story);
    assert_int_equal(alert->kind, GF_ARREARS_KIND_WRITE_OFF);
    assert_true(gf_span_equal(alert->measure, gf_span_text("SELL")));
    story_end(&story);
}

static void
late_fees_are_exact_to_the_cent(void **unused)
{
    (void)unused;
    static const struct {
        double amount;
        int32_t customer_class;
        const char *due, *now;
        int64_t fee_micro;
    } cases[] = {
        {1000, RESIDENTIAL, "2026-01-15", "2026-01-15", 0},
        {1000, RESIDENTIAL, "2026-01-15", "2026-01-15T23:59:59Z", 0},
        {1000, RESIDENTIAL, "2026-01-15", "2026-01-16", 1000000},
        {1234.56, RESIDENTIAL, "2026-01-15", "2026-01-25", 12350000}, /* 12.3456 */
        {1234.50, RESIDENTIAL, "2026-01-15", "2026-01-25", 12340000}, /* 12.345: half to even */
        {1235.50, RESIDENTIAL, "2026-01-15", "2026-01-25", 12360000}, /* 12.355: half to even */
        {10, RESIDENTIAL, "2026-01-15", "2026-01-25", 1000000},       /* 0.10, but 1.00 at least */
        {0.5, RESIDENTIAL, "2026-01-15", "2026-01-25", 500000},       /* never above the debt */
        {1000, GF_CUSTOMER_CLASS_INDUSTRIAL, "2026-01-15", "2026-01-25", 20000000},
        {1000, GF_CUSTOMER_CLASS_INDUSTRIAL, "2025-12-22", "2026-01-06",
         36000000}, /* 9 days at 2, then 6 at 3 per mille */
        {1000, RESIDENTIAL, "2020-01-15", "2026-01-25", 1000000000}, /* capped at the debt */
        {9000000000000, RESIDENTIAL, "2026-01-15", "2026-01-25", INT64_C(90000000000000000)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gf_arrears_params params = {.ladder_count = 0};
        story_params_fill(gf_arrears_param_rows, GF_ARREARS_PARAM_COUNT, &params);
        struct gf_features features;
        gf_features_init(&features);
        features.contract.customer_class = (uint8_t)cases[i].customer_class;
        features.account.invoice_count = 1;
        features.account.invoices[0].open_micro = micros(cases[i].amount);
        features.account.invoices[0].due_s = (uint32_t)(at(cases[i].due).us / GF_US_PER_S);
        struct gf_money fee = {-1};
        assert_int_equal(gf_arrears_fee(&params, &features, gf_zone_utc(), at(cases[i].now), &fee),
                         GF_OK);
        if (fee.micro != cases[i].fee_micro) {
            fail_msg("case %zu: fee %lld, expected %lld", i, (long long)fee.micro,
                     (long long)cases[i].fee_micro);
        }
    }
}

/* An account with nothing against it, then one answer of it `step` steps worse. */
static struct gf_account
account_with(uint32_t question, uint32_t step, struct gf_time now)
{
    struct gf_account account = {.payments_seen = 60, .invoice_mean = 100, .first_seen_s = 1};
    const uint32_t now_s = (uint32_t)(now.us / GF_US_PER_S);
    account.days_late_mean = question == 0 ? (float)step : 0;
    account.payments_late = question == 1 ? (uint16_t)step : 0;
    account.payments_partial = question == 2 ? (uint16_t)step : 0;
    account.payments_reversed = question == 3 ? (uint16_t)step : 0;
    account.first_seen_s += question == 5 ? now_s - 86400 * 25 * (60 - step) - 1 : 0;
    account.estimated_share = question == 6 ? (float)step / 60 : 0;
    if (question == 4 || question == 7 || question == 8) { /* amount, days, invoices overdue */
        const uint32_t count = question == 8 ? step * GF_OPEN_INVOICE_COUNT_MAX / 60 : 1;
        account.invoice_count = (uint8_t)count;
        for (uint32_t i = 0; i < count; i++) {
            account.invoices[i].due_s = now_s - (question == 7 ? 86400 * 2 * step : 86400);
            account.invoices[i].open_micro =
                question == 4 ? 1 + (int64_t)step * 5000000 : 40000000 / count;
        }
    }
    return account;
}

/* A step worse in any answer never gives more points. */
static void
the_scorecard_is_monotone(void **unused)
{
    (void)unused;
    struct gf_arrears_params params;
    story_params_fill(gf_arrears_param_rows, GF_ARREARS_PARAM_COUNT, &params);
    const struct gf_time now = at("2026-06-01");
    for (uint32_t question = 0; question < 9; question++) {
        int32_t before = INT32_MAX, first = 0;
        for (uint32_t step = 0; step <= 60; step++) {
            const struct gf_account account = account_with(question, step, now);
            struct gf_arrears_score score;
            gf_arrears_score(&params, &account, now, &score);
            assert_true(score.points <= before);
            assert_true(score.reason_count <= GF_ARREARS_REASON_COUNT_MAX);
            for (uint32_t i = 1; i < score.reason_count; i++) {
                assert_true(score.reasons[i].weight <= score.reasons[i - 1].weight);
            }
            first = step == 0 ? score.points : first;
            before = score.points;
        }
        assert_true(before < first);
    }
}

/* Present arrears weigh: a customer who always paid and then stops is risky before the ninetieth
 * day. */
static void
who_stops_paying_is_risky_whatever_was_before(void **unused)
{
    (void)unused;
    struct gf_arrears_params params;
    story_params_fill(gf_arrears_param_rows, GF_ARREARS_PARAM_COUNT, &params);
    static const struct {
        uint32_t invoices, days, payments;
        int32_t grade;
    } cases[] = {
        {0, 0, 60, GF_RISK_GRADE_A},  {1, 5, 60, GF_RISK_GRADE_B},  {1, 30, 60, GF_RISK_GRADE_B},
        {3, 60, 60, GF_RISK_GRADE_D}, {1, 91, 60, GF_RISK_GRADE_D}, {6, 91, 60, GF_RISK_GRADE_D},
        {6, 91, 0, GF_RISK_GRADE_E},
    };
    const struct gf_time now = at("2026-06-01");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gf_account account = {.payments_seen = (uint16_t)cases[i].payments,
                                     .invoice_mean = 100,
                                     .first_seen_s = 1,
                                     .invoice_count = (uint8_t)cases[i].invoices};
        for (uint32_t k = 0; k < cases[i].invoices; k++) {
            account.invoices[k].due_s =
                (uint32_t)(now.us / GF_US_PER_S) - 86400 * (cases[i].days - 15 * k);
            account.invoices[k].open_micro = 100000000;
        }
        struct gf_arrears_score score;
        gf_arrears_score(&params, &account, now, &score);
        if (score.grade != cases[i].grade) {
            fail_msg("case %zu: %d points, grade %s", i, score.points,
                     gf_risk_grade_name(score.grade));
        }
        if (cases[i].days > 60 && cases[i].payments > 0) {
            assert_true(gf_span_equal(score.reasons[0].code, gf_span_text("OVERDUE_DAYS")));
            assert_true(score.reasons[0].value == cases[i].days);
        }
    }
}

static void
a_new_customer_is_neither_safe_nor_risky(void **unused)
{
    (void)unused;
    struct gf_arrears_params params;
    story_params_fill(gf_arrears_param_rows, GF_ARREARS_PARAM_COUNT, &params);
    const struct gf_account account = {.payments_seen = 1};
    struct gf_arrears_score score;
    gf_arrears_score(&params, &account, at("2026-06-01"), &score);
    assert_int_equal(score.grade, GF_RISK_GRADE_C);
    assert_true(gf_span_equal(score.reasons[0].code, gf_span_text("SHORT_HISTORY")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unpaid_invoice_climbs_the_whole_ladder),
        cmocka_unit_test(paying_in_time_brings_no_alert),
        cmocka_unit_test(paying_all_resolves_once_and_a_reversal_starts_again),
        cmocka_unit_test(a_dispute_stops_the_ladder_until_it_is_closed),
        cmocka_unit_test(a_winter_protection_holds_and_its_end_lets_go),
        cmocka_unit_test(a_payment_plan_holds_and_paying_it_resolves),
        cmocka_unit_test(a_risky_customer_is_reminded_once_before_the_due_date),
        cmocka_unit_test(an_invoice_that_comes_late_is_judged_at_the_newest_time),
        cmocka_unit_test(the_ladder_is_the_one_configured),
        cmocka_unit_test(late_fees_are_exact_to_the_cent),
        cmocka_unit_test(the_scorecard_is_monotone),
        cmocka_unit_test(who_stops_paying_is_risky_whatever_was_before),
        cmocka_unit_test(a_new_customer_is_neither_safe_nor_risky),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
