/* Stories of the fraud operator: what makes a case, what does not, and how it ends. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "operator/fraud/case.h"
#include "story.h"

#define RESIDENTIAL GF_CUSTOMER_CLASS_RESIDENTIAL

static bool
has_reason(const struct gf_fraud_flag *flag, const char *code)
{
    for (uint32_t i = 0; i < flag->reasons.count; i++) {
        if (gf_span_equal(flag->reasons.items[i].code, gf_span_text(code))) {
            return true;
        }
    }
    return false;
}

static const struct gf_fraud_flag *
expect_case(struct story *story, int32_t state, int32_t code, int32_t severity, int32_t version)
{
    const struct gf_fraud_flag *const flag = expect_flag(story);
    assert_string_equal(gf_case_state_name(flag->state), gf_case_state_name(state));
    assert_string_equal(gf_fraud_code_name(flag->code), gf_fraud_code_name(code));
    assert_string_equal(gf_severity_name(flag->severity), gf_severity_name(severity));
    assert_int_equal(flag->version, version);
    assert_true(flag->score > 0 && flag->score < 1);
    assert_true(flag->evidence.count > 0);
    return flag;
}

static void
a_register_that_goes_back_opens_a_case(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_contract(&story, "2026-01-01", RESIDENTIAL, 10000);
    given_stand(&story, "M1", "2026-01-02", 1000);
    given_stand(&story, "M1", "2026-01-03", 1012);
    expect_nothing_else(&story);
    given_stand(&story, "M1", "2026-01-04", 900.5);
    const struct gf_fraud_flag *const flag = expect_case(
        &story, GF_CASE_STATE_OPENED, GF_FRAUD_CODE_REGISTER_BACKWARDS, GF_SEVERITY_HIGH, 1);
    assert_int_equal(flag->estimated_micro_kwh.micro_kwh, 111500000);
    assert_true(gf_span_equal(flag->method, gf_span_text("register difference")));
    assert_true(gf_span_equal(flag->meter_id, gf_span_text("M1")));
    assert_int_equal(flag->change_at.us, at("2026-01-04").us);
    assert_true(flag->reasons.items[0].value == -111.5);
    /* Stands forward for a month end it: there is nothing else to read this customer by. */
    given_stand(&story, "M1", "2026-01-20", 950);
    given_stand(&story, "M1", "2026-02-02", 980);
    expect_nothing_else(&story);
    given_stand(&story, "M1", "2026-02-04", 985);
    assert_true(has_reason(expect_case(&story, GF_CASE_STATE_CLOSED,
                                       GF_FRAUD_CODE_REGISTER_BACKWARDS, GF_SEVERITY_HIGH, 2),
                           "EVIDENCE_GONE"));
    story_end(&story);
}

static void
a_rollover_is_no_case(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_contract(&story, "2026-01-01", RESIDENTIAL, 10000);
    given_stand(&story, "M1", "2026-01-02", 999995);
    given_stand(&story, "M1", "2026-01-03", 7);
    assert_int_equal(story.change.register_step, GF_REGISTER_ROLLOVER);
    story_end(&story);
}

static void
use_without_a_contract_is_flagged_after_a_week_and_a_contract_ends_it(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_days(&story, "2026-01-01", 7, 8);
    expect_nothing_else(&story);
    given_days(&story, "2026-01-08", 2, 8);
    const struct gf_fraud_flag *const flag =
        expect_case(&story, GF_CASE_STATE_OPENED, GF_FRAUD_CODE_NO_CONTRACT, GF_SEVERITY_MEDIUM, 1);
    assert_int_equal(flag->change_at.us, at("2026-01-01").us);
    assert_true(fabs((double)flag->estimated_micro_kwh.micro_kwh / 1e6 - 56) < 1);
    assert_true(gf_span_equal(flag->method, gf_span_text("metered without contract")));
    given_contract(&story, "2026-01-11", RESIDENTIAL, 10000);
    assert_true(has_reason(
        expect_case(&story, GF_CASE_STATE_CLOSED, GF_FRAUD_CODE_NO_CONTRACT, GF_SEVERITY_MEDIUM, 2),
        "CONTRACT_ARRIVED"));
    given_days(&story, "2026-01-11", 10, 8);
    story_end(&story);
}

static void
a_trickle_without_a_contract_is_no_case(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_days(&story, "2026-01-01", 30, 0.2);
    story_end(&story);
}

static void
use_while_disconnected_is_flagged(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_contract(&story, "2026-01-01", RESIDENTIAL, 10000);
    given_days(&story, "2026-01-01", 10, 8);
    given_meter_event(&story, "2026-01-11", GF_METER_EVENT_CODE_DISCONNECTED);
    given_days(&story, "2026-01-11", 3, 8);
    assert_true(has_reason(
        expect_case(&story, GF_CASE_STATE_OPENED, GF_FRAUD_CODE_NO_CONTRACT, GF_SEVERITY_MEDIUM, 1),
        "USE_WHILE_DISCONNECTED"));
    story_end(&story);
}

/* A week of zeros; what the CUSUM sees in it joins later. */
static void
zeros_after_use_are_flagged_unless_disconnected_or_exporting(void **unused)
{
    (void)unused;
    static const struct {
        bool is_disconnected, is_exporting;
        int32_t customer_class, days, flags;
    } cases[] = {
        {false, false, RESIDENTIAL, 7, 0},
        {false, false, RESIDENTIAL, 8, 1},
        {false, false, GF_CUSTOMER_CLASS_INDUSTRIAL, 2, 0},
        {false, false, GF_CUSTOMER_CLASS_INDUSTRIAL, 3, 1},
        {true, false, RESIDENTIAL, 30, 0},
        {false, true, RESIDENTIAL, 9, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct story story;
        story_begin(&story, &gf_op_fraud);
        given_contract(&story, "2026-01-01", cases[i].customer_class, 10000);
        story.features.contract.export_permit = cases[i].is_exporting;
        given_days(&story, "2026-01-01", 20, 8);
        if (cases[i].is_disconnected) {
            given_meter_event(&story, "2026-01-21", GF_METER_EVENT_CODE_DISCONNECTED);
        }
        given_days(&story, "2026-01-21", cases[i].days, 0);
        if (cases[i].flags > 0) {
            const struct gf_fraud_flag *const flag = expect_case(
                &story, GF_CASE_STATE_OPENED, GF_FRAUD_CODE_ZERO_RUN, GF_SEVERITY_LOW, 1);
            assert_int_equal(flag->change_at.us, at("2026-01-21").us);
        }
        story_end(&story);
    }
}

static void
a_home_that_never_used_anything_is_no_zero_run(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_contract(&story, "2026-01-01", RESIDENTIAL, 10000);
    given_days(&story, "2026-01-01", 60, 0);
    story_end(&story);
}

static void
demand_above_the_contract_is_flagged_at_the_third_interval(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_contract(&story, "2026-01-01", RESIDENTIAL, 5000);
    const int64_t start = at("2026-01-02").us;
    static const double kwh[] = {5.9, 6.1, 1, 6.2, 6.0, 1, 7.5, 7.5, 7.5};
    for (uint32_t hour = 0; hour < sizeof kwh / sizeof kwh[0]; hour++) {
        if (hour == 6) {
            expect_nothing_else(&story);
        }
        given_reading(&story, (struct gf_time){start + hour * GF_US_PER_HOUR}, 3600, kwh[hour]);
    }
    const struct gf_fraud_flag *const flag =
        expect_case(&story, GF_CASE_STATE_OPENED, GF_FRAUD_CODE_OVER_CAPACITY, GF_SEVERITY_LOW, 1);
    assert_int_equal(flag->decided_at.us, start + 7 * GF_US_PER_HOUR);
    assert_int_equal(flag->estimated_micro_kwh.micro_kwh, 0);
    assert_true(gf_span_equal(flag->method, gf_span_text("none")));
    assert_true(flag->evidence.items[0].baseline == 5.0);
    story_end(&story);
}

static void
peaks_a_month_apart_are_no_case(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_contract(&story, "2026-01-01", RESIDENTIAL, 5000);
    for (uint32_t month = 0; month < 6; month++) {
        given_reading(&story, (struct gf_time){at("2026-01-02").us + month * 31 * GF_US_PER_DAY},
                      3600, 9);
    }
    story_end(&story);
}

static void
a_lasting_drop_is_flagged_with_the_day_it_began(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_contract(&story, "2025-01-01", RESIDENTIAL, 10000);
    given_days(&story, "2025-01-01", 60, 10);
    given_days(&story, "2025-03-02", 28, 4);
    expect_nothing_else(&story);
    given_days(&story, "2025-03-30", 1, 4);
    const struct gf_fraud_flag *flag = expect_case(
        &story, GF_CASE_STATE_OPENED, GF_FRAUD_CODE_BASELINE_DROP, GF_SEVERITY_MEDIUM, 1);
    assert_int_equal(flag->change_at.us, at("2025-03-02").us);
    const double estimated_kwh = (double)flag->estimated_micro_kwh.micro_kwh / 1e6;
    assert_true(fabs(estimated_kwh - 28 * 6) < 2);
    assert_true(fabs(flag->reasons.items[0].value - 0.4) < 0.03);
    assert_true(gf_span_equal(flag->method, gf_span_text("shortfall against the level before")));
    uint8_t case_id[16];
    memcpy(case_id, flag->case_id, sizeof case_id);
    /* It goes on, silently: the case is open and the estimate grows. */
    given_days(&story, "2025-03-31", 26, 4);
    expect_nothing_else(&story);
    /* Then the use comes back, and a month later the case is closed. */
    given_days(&story, "2025-04-26", 32, 10);
    flag = expect_case(&story, GF_CASE_STATE_CLOSED, GF_FRAUD_CODE_BASELINE_DROP,
                       GF_SEVERITY_MEDIUM, 2);
    assert_true(has_reason(flag, "EVIDENCE_GONE"));
    assert_memory_equal(flag->case_id, case_id, sizeof case_id);
    assert_true(fabs((double)flag->estimated_micro_kwh.micro_kwh / 1e6 - 55 * 6) < 12);
    story_end(&story);
}

static void
a_holiday_and_a_mild_drop_are_no_case(void **unused)
{
    (void)unused;
    static const struct {
        double kwh;
        int32_t days;
    } cases[] = {{2, 9}, {2, 12}, {2, 26}, {8, 60}, {7, 80}, {5, 80}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct story story;
        story_begin(&story, &gf_op_fraud);
        given_contract(&story, "2025-01-01", RESIDENTIAL, 10000);
        given_days(&story, "2025-01-01", 60, 10);
        given_days(&story, "2025-03-02", cases[i].days, cases[i].kwh);
        char back[GF_TIME_TEXT_SIZE];
        gf_time_print((struct gf_time){at("2025-03-02").us + cases[i].days * GF_US_PER_DAY}, back);
        given_days(&story, back, 30, 10);
        story_end(&story);
    }
}

/* Daily values from a day on, each `shape` of the last one's size, up and down by `swing` within a
 * week. */
static void
given_days_of_swing(struct story *story, const char *from, int32_t count, double kwh, double shape,
                    double swing)
{
    for (int32_t day = 0; day < count; day++) {
        const double value = kwh * (1 + swing * ((day * 5) % 7 - 3) / 3);
        assert_int_equal(
            given_reading(story, (struct gf_time){at(from).us + day * GF_US_PER_DAY}, 86400, value),
            GF_OK);
        kwh *= shape;
    }
}

/* A heated home uses a fourth in summer of what it used in winter, and gets there day by day. */
static void
a_season_is_no_case(void **unused)
{
    (void)unused;
    static const double shapes[] = {0.994, 0.988, 0.98, 0.97};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct story story;
        story_begin(&story, &gf_op_fraud);
        given_contract(&story, "2025-01-01", RESIDENTIAL, 10000);
        given_days_of_swing(&story, "2025-01-01", 60, 30, 1, 0.2);
        const int32_t days = (int32_t)(log(0.25) / log(shapes[i]));
        given_days_of_swing(&story, "2025-03-02", days, 30, shapes[i], 0.2);
        char low[GF_TIME_TEXT_SIZE];
        gf_time_print((struct gf_time){at("2025-03-02").us + days * GF_US_PER_DAY}, low);
        given_days_of_swing(&story, low, 60, 7.5, 1, 0.2);
        story_end(&story);
    }
}

/* Whoever moves out leaves a refrigerator: as deep a step, but one day like the other. Whoever
 * stays and takes a part past the meter has good and bad days as before. */
static void
an_empty_home_is_no_case_and_one_lived_in_is(void **unused)
{
    (void)unused;
    static const struct {
        double swing;
        uint32_t flags;
    } cases[] = {{0.02, 0}, {0.05, 0}, {0.2, 1}, {0.3, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct story story;
        story_begin(&story, &gf_op_fraud);
        given_contract(&story, "2025-01-01", RESIDENTIAL, 10000);
        given_days_of_swing(&story, "2025-01-01", 60, 10, 1, 0.2);
        given_days_of_swing(&story, "2025-03-02", 50, 3, 1, cases[i].swing);
        for (uint32_t flag = 0; flag < cases[i].flags; flag++) {
            assert_int_equal(expect_flag(&story)->change_at.us, at("2025-03-02").us);
        }
        story_end(&story);
    }
}

/* CUSUM dates a drift to where it began; the step is in the middle of it, and counts from there. */
static void
a_step_is_dated_and_counted_from_its_own_day(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_contract(&story, "2025-01-01", RESIDENTIAL, 10000);
    given_days_of_swing(&story, "2025-01-01", 60, 10, 1, 0.2);
    given_days_of_swing(&story, "2025-03-02", 6, 8, 1, 0.2);
    given_days_of_swing(&story, "2025-03-08", 30, 3, 1, 0.2);
    const struct gf_fraud_flag *const flag = expect_case(
        &story, GF_CASE_STATE_OPENED, GF_FRAUD_CODE_BASELINE_DROP, GF_SEVERITY_MEDIUM, 1);
    assert_int_equal(flag->change_at.us, at("2025-03-08").us);
    const double before_kwh = (22 * 10 + 6 * 8) / 28.0;
    const double estimated_kwh = (double)flag->estimated_micro_kwh.micro_kwh / 1e6;
    assert_true(fabs(estimated_kwh - 28 * (before_kwh - 3)) < 2); /* from the 2nd: 30 more */
    story_end(&story);
}

static void
missing_days_neither_open_nor_close(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_contract(&story, "2025-01-01", RESIDENTIAL, 10000);
    given_days(&story, "2025-01-01", 60, 10);
    given_days(&story, "2025-03-02", 29, 4);
    (void)expect_case(&story, GF_CASE_STATE_OPENED, GF_FRAUD_CODE_BASELINE_DROP, GF_SEVERITY_MEDIUM,
                      1);
    /* 45 days without a reading, then 20 normal ones: not a month of clean days yet. */
    given_days(&story, "2025-05-01", 20, 10);
    expect_nothing_else(&story);
    given_days(&story, "2025-05-21", 15, 10);
    (void)expect_case(&story, GF_CASE_STATE_CLOSED, GF_FRAUD_CODE_BASELINE_DROP, GF_SEVERITY_MEDIUM,
                      2);
    story_end(&story);
}

static void
estimated_days_are_no_evidence(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_contract(&story, "2025-01-01", RESIDENTIAL, 10000);
    given_days(&story, "2025-01-01", 60, 10);
    given_days(&story, "2025-03-02", 9, 3); /* enough for an alarm, not for a case */
    for (int32_t day = 0; day < 40; day++) {
        const struct gf_time start = {at("2025-03-11").us + day * GF_US_PER_DAY};
        const struct gf_meter_reading reading = {
            .meter_id = gf_span_text("M1"),
            .obis = gf_span_text("1-0:1.8.0"),
            .kind = GF_READING_KIND_INTERVAL,
            .interval_start = start,
            .interval_s = 86400,
            .quality = GF_READING_QUALITY_ESTIMATED,
            .source = GF_READING_SOURCE_ESTIMATE,
        };
        const struct gf_time end = {start.us + GF_US_PER_DAY};
        assert_int_equal(story_event(&story, GF_TOPIC_METER_READINGS, end, &reading), GF_OK);
    }
    story_end(&story);
}

/* Estimates that are low, then a few true days: not a month of evidence. */
static void
low_estimates_before_a_few_low_days_are_no_step(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_contract(&story, "2025-01-01", RESIDENTIAL, 10000);
    given_days(&story, "2025-01-01", 60, 10);
    given_days(&story, "2025-03-02", 8, 3);
    for (int32_t day = 8; day < 26; day++) {
        const struct gf_time start = {at("2025-03-02").us + day * GF_US_PER_DAY};
        const struct gf_meter_reading reading = {
            .meter_id = gf_span_text("M1"),
            .obis = gf_span_text("1-0:1.8.0"),
            .kind = GF_READING_KIND_INTERVAL,
            .interval_start = start,
            .interval_s = 86400,
            .energy_micro_kwh = {3000000},
            .quality = GF_READING_QUALITY_ESTIMATED,
            .source = GF_READING_SOURCE_ESTIMATE,
        };
        const struct gf_time end = {start.us + GF_US_PER_DAY};
        assert_int_equal(story_event(&story, GF_TOPIC_METER_READINGS, end, &reading), GF_OK);
    }
    given_days(&story, "2025-03-28", 4, 3);
    story_end(&story);
}

static void
more_evidence_joins_the_open_case_of_the_meter(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_fraud);
    given_protection(&story, "2025-01-01", GF_PROTECTION_KIND_MEDICAL, "2025-01-01", NULL);
    given_invoice(&story, "i1", "2025-01-02", "2025-02-01", 50);
    given_invoice_status(&story, "i1", "2025-01-03", GF_INVOICE_STATUS_DISPUTED);
    given_stand(&story, "M1", "2025-01-03", 5000);
    given_days(&story, "2025-01-04", 60, 10);
    given_days(&story, "2025-03-05", 8, 0);
    const struct gf_fraud_flag *flag =
        expect_case(&story, GF_CASE_STATE_OPENED, GF_FRAUD_CODE_ZERO_RUN, GF_SEVERITY_LOW, 1);
    /* Protection does not hide the finding; it is named with it. */
    assert_true(has_reason(flag, "PROTECTED"));
    assert_true(has_reason(flag, "DISPUTED"));
    given_days(&story, "2025-03-13", 21, 0);
    flag = expect_case(&story, GF_CASE_STATE_UPDATED, GF_FRAUD_CODE_BASELINE_DROP,
                       GF_SEVERITY_MEDIUM, 2);
    assert_true(has_reason(flag, "ZERO_RUN"));
    given_stand(&story, "M1", "2025-04-03T12:00:00Z", 4900);
    flag = expect_case(&story, GF_CASE_STATE_UPDATED, GF_FRAUD_CODE_REGISTER_BACKWARDS,
                       GF_SEVERITY_HIGH, 3);
    assert_true(flag->score > 0.9);
    assert_true(gf_span_equal(
        flag->method, gf_span_text("shortfall against the level before + register difference")));
    given_days(&story, "2025-04-03", 10, 0);
    story_end(&story);
}

static void
the_score_never_falls_with_more_evidence(void **unused)
{
    (void)unused;
    struct gf_fraud_params params;
    story_params_fill(gf_fraud_param_rows, GF_FRAUD_PARAM_COUNT, &params);
    for (uint8_t codes = 0; codes < 32; codes++) {
        for (uint8_t bit = 1; bit < 32; bit = (uint8_t)(bit << 1)) {
            const double less = gf_fraud_score(&params, codes & (uint8_t)~bit);
            const double more = gf_fraud_score(&params, codes | bit);
            assert_true(more > less);
            assert_true(more < 1);
        }
    }
    assert_true(gf_fraud_score(&params, 0) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_register_that_goes_back_opens_a_case),
        cmocka_unit_test(a_rollover_is_no_case),
        cmocka_unit_test(use_without_a_contract_is_flagged_after_a_week_and_a_contract_ends_it),
        cmocka_unit_test(a_trickle_without_a_contract_is_no_case),
        cmocka_unit_test(use_while_disconnected_is_flagged),
        cmocka_unit_test(zeros_after_use_are_flagged_unless_disconnected_or_exporting),
        cmocka_unit_test(a_home_that_never_used_anything_is_no_zero_run),
        cmocka_unit_test(demand_above_the_contract_is_flagged_at_the_third_interval),
        cmocka_unit_test(peaks_a_month_apart_are_no_case),
        cmocka_unit_test(a_lasting_drop_is_flagged_with_the_day_it_began),
        cmocka_unit_test(a_holiday_and_a_mild_drop_are_no_case),
        cmocka_unit_test(a_season_is_no_case),
        cmocka_unit_test(an_empty_home_is_no_case_and_one_lived_in_is),
        cmocka_unit_test(a_step_is_dated_and_counted_from_its_own_day),
        cmocka_unit_test(low_estimates_before_a_few_low_days_are_no_step),
        cmocka_unit_test(missing_days_neither_open_nor_close),
        cmocka_unit_test(estimated_days_are_no_evidence),
        cmocka_unit_test(more_evidence_joins_the_open_case_of_the_meter),
        cmocka_unit_test(the_score_never_falls_with_more_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
