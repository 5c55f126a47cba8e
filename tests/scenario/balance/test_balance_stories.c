/* Stories of the area stage, told from end to end: readings in, balances out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/records.h"
#include "stage_world.h"

#define HOUR GF_US_PER_HOUR
#define KWH  INT64_C(1000000)

static struct lab lab;

static int
open_with(const char *config)
{
    lab_open(&lab, config);
    return 0;
}

static int
begin(void **state)
{
    (void)state;
    return open_with("partitions: 2\n" STAGE_CONFIG);
}

static int
end(void **state)
{
    (void)state;
    lab_close(&lab);
    return 0;
}

static struct gf_time
hour(int64_t number)
{
    return (struct gf_time){LAB_WORLD_START.us + number * HOUR};
}

static void
contract(const char *customer, const char *area, int32_t version, struct gf_time from,
         struct gf_time to, struct gf_time issued)
{
    char meter[32];
    snprintf(meter, sizeof(meter), "M-%s", customer);
    const struct stage_contract made = {.customer = customer,
                                        .area = area,
                                        .meter = meter,
                                        .version = version,
                                        .from = from,
                                        .to = to,
                                        .issued = issued};
    stage_add_contract(&lab, &made);
}

static void
lives_in(const char *customer, const char *area)
{
    contract(customer, area, 1, hour(-24), GF_TIME_NONE, hour(-24));
}

static void
reads_by(const char *customer, int64_t number, int64_t micro_kwh, const char *obis,
         int32_t interval_s, int32_t quality)
{
    char meter[32];
    snprintf(meter, sizeof(meter), "M-%s", customer);
    struct gf_meter_reading reading = lab_reading(meter, hour(number), interval_s, micro_kwh);
    reading.obis = gf_span_text(obis);
    reading.quality = quality;
    lab_add_reading(&lab, customer, &reading);
}

static void
reads(const char *customer, int64_t number, int64_t micro_kwh)
{
    reads_by(customer, number, micro_kwh, "1-0:1.8.0", 3600, GF_READING_QUALITY_ACTUAL);
}

static void
total(const char *area, int64_t number, int64_t micro_kwh)
{
    stage_add_total(&lab, area, hour(number), 3600, micro_kwh);
}

static void
run(void)
{
    const enum gf_rc rc = lab_run(&lab);
    if (rc != GF_OK) {
        fail_msg("%s: %s", gf_rc_name(rc), lab.error.text);
    }
    lab_assert_conserved(&lab);
}

static void
expect_reason(const struct gf_area_balance *balance, const char *code)
{
    for (uint32_t i = 0; i < balance->reasons.count; i++) {
        if (gf_span_equal(balance->reasons.items[i].code, gf_span_text(code))) {
            return;
        }
    }
    fail_msg("no reason %s", code);
}

/* Time goes on, so that what is due comes. */
static void
later(const char *area, int64_t number)
{
    total(area, number, 0);
}

static void
a_balance_is_total_less_sum(void **state)
{
    (void)state;
    lives_in("anna", "A1");
    lives_in("ben", "A1");
    lives_in("cleo", "A2");
    for (int64_t i = 0; i < 4; i++) {
        reads("anna", i, 1 * KWH);
        reads("ben", i, 2 * KWH);
        reads("cleo", i, 5 * KWH);
        total("A1", i, 3 * KWH + KWH / 20);
        total("A2", i, 6 * KWH);
    }
    later("A1", 8);
    later("A2", 8);
    run();
    struct gf_area_balance balance;
    assert_int_equal(stage_balance(&lab, "A1", hour(2), &balance), 1);
    assert_int_equal(balance.sum_micro_kwh.micro_kwh, 3 * KWH);
    assert_true(balance.has_residual_micro_kwh);
    assert_int_equal(balance.residual_micro_kwh.micro_kwh, KWH / 20);
    assert_int_equal(balance.status, GF_BALANCE_STATUS_BALANCED);
    assert_int_equal(balance.customers, 2);
    assert_int_equal(balance.readings, 2);
    assert_true(balance.completeness == 1.0);
    assert_true(balance.is_exact);
    assert_int_equal(balance.reasons.count, 0);
    assert_int_equal(balance.decided_at.us, hour(3).us + HOUR / 2);
    assert_int_equal(stage_balance(&lab, "A2", hour(2), &balance), 1);
    assert_int_equal(balance.status, GF_BALANCE_STATUS_LOSS);
    expect_reason(&balance, "AREA_LOSS");
    assert_int_equal(lab_count(&lab, GF_TOPIC_DEAD_LETTERS), 0);
}

static void
a_gain_says_that_an_area_is_wrong(void **state)
{
    (void)state;
    lives_in("anna", "A1");
    reads("anna", 0, 2 * KWH);
    total("A1", 0, 1 * KWH);
    later("A1", 8);
    run();
    struct gf_area_balance balance;
    stage_balance(&lab, "A1", hour(0), &balance);
    assert_int_equal(balance.status, GF_BALANCE_STATUS_GAIN);
    assert_true(balance.residual_share == -1.0);
    expect_reason(&balance, "AREA_GAIN");
}

static void
what_is_missing_is_said(void **state)
{
    (void)state;
    lives_in("anna", "A1");
    lives_in("ben", "A1");
    reads("anna", 0, KWH);
    total("A1", 0, 2 * KWH);
    reads("anna", 1, KWH);
    reads("ben", 1, KWH);
    later("A1", 8);
    run();
    struct gf_area_balance balance;
    stage_balance(&lab, "A1", hour(0), &balance);
    assert_int_equal(balance.status, GF_BALANCE_STATUS_INCOMPLETE);
    assert_true(balance.completeness == 0.5);
    expect_reason(&balance, "AREA_INCOMPLETE");
    stage_balance(&lab, "A1", hour(1), &balance);
    assert_int_equal(balance.status, GF_BALANCE_STATUS_NO_TOTAL);
    assert_false(balance.has_residual_micro_kwh);
    assert_int_equal(balance.sum_micro_kwh.micro_kwh, 2 * KWH);
}

static void
corrections_make_another_version(void **state)
{
    (void)state;
    lives_in("anna", "A1");
    reads_by("anna", 0, 4 * KWH, "1-0:1.8.0", 3600, GF_READING_QUALITY_ESTIMATED);
    total("A1", 0, 3 * KWH);
    later("A1", 4);
    reads("anna", 4, KWH);
    reads("anna", 0, 3 * KWH); /* the actual value, four hours later */
    reads("anna", 0, 3 * KWH); /* and once more */
    total("A1", 5, KWH);
    total("A1", 0, 3 * KWH); /* the same total: nothing new */
    later("A1", 12);
    run();
    struct gf_area_balance balance;
    assert_int_equal(stage_balance(&lab, "A1", hour(0), &balance), 2);
    assert_int_equal(balance.sum_micro_kwh.micro_kwh, 3 * KWH);
    assert_int_equal(balance.readings, 1);
    assert_int_equal(balance.estimated, 0);
    assert_int_equal(balance.status, GF_BALANCE_STATUS_BALANCED);
    assert_true(balance.is_exact);
}

static void
exports_are_subtracted(void **state)
{
    (void)state;
    lives_in("anna", "A1");
    lives_in("ben", "A1");
    reads("anna", 0, 3 * KWH);
    reads("ben", 0, 0);
    reads_by("ben", 0, 2 * KWH, "1-0:2.8.0", 3600, GF_READING_QUALITY_ACTUAL);
    total("A1", 0, KWH);
    later("A1", 8);
    run();
    struct gf_area_balance balance;
    stage_balance(&lab, "A1", hour(0), &balance);
    assert_int_equal(balance.sum_micro_kwh.micro_kwh, KWH);
    assert_int_equal(balance.readings, 2);
    assert_false(balance.is_exact);
    expect_reason(&balance, "AREA_INEXACT");
}

static void
a_day_is_spread_over_its_hours(void **state)
{
    (void)state;
    lives_in("anna", "A1");
    reads_by("anna", 0, 24 * KWH + 7, "1-0:1.8.0", 86400, GF_READING_QUALITY_ACTUAL);
    for (int64_t i = 0; i < 24; i++) {
        total("A1", i, KWH);
    }
    later("A1", 40);
    run();
    struct gf_area_balance balance;
    int64_t sum = 0;
    for (int64_t i = 0; i < 24; i++) {
        stage_balance(&lab, "A1", hour(i), &balance);
        assert_in_range(balance.sum_micro_kwh.micro_kwh, KWH, KWH + 1);
        assert_false(balance.is_exact);
        assert_true(balance.completeness == 1.0);
        sum += balance.sum_micro_kwh.micro_kwh;
    }
    assert_int_equal(sum, 24 * KWH + 7);
}

static void
customers_come_and_go(void **state)
{
    (void)state;
    lives_in("anna", "A1");
    contract("ben", "A1", 1, hour(-24), hour(10), hour(-24));
    contract("cleo", "A1", 1, hour(20), GF_TIME_NONE, hour(-24));
    contract("dora", "A2", 1, hour(-24), GF_TIME_NONE, hour(-24));
    contract("dora", "A1", 2, hour(30), GF_TIME_NONE, hour(30));
    for (int64_t i = 0; i < 40; i++) {
        reads("anna", i, KWH);
        reads("ben", i, KWH);
        reads("cleo", i, KWH);
        reads("dora", i, KWH);
        total("A1", i, KWH);
        total("A2", i, KWH);
    }
    later("A1", 50);
    later("A2", 50);
    run();
    struct gf_area_balance balance;
    static const struct {
        int64_t hour;
        int32_t customers;
    } wanted[] = {{2, 2}, {15, 1}, {25, 2}, {37, 3}};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        stage_balance(&lab, "A1", hour(wanted[i].hour), &balance);
        assert_int_equal(balance.customers, wanted[i].customers);
        assert_int_equal(balance.readings, wanted[i].customers);
    }
    stage_balance(&lab, "A2", hour(25), &balance);
    assert_int_equal(balance.customers, 1);
    stage_balance(&lab, "A2", hour(37), &balance);
    assert_int_equal(balance.customers, 0);
    assert_int_equal(balance.readings, 0);
}

static void
what_cannot_be_used_is_a_dead_letter(void **state)
{
    (void)state;
    lives_in("anna", "A1");
    reads("anna", 0, KWH);
    stage_add_total(&lab, "A1", hour(0), 900, KWH);
    stage_add_total(&lab, "A1", (struct gf_time){hour(0).us + HOUR / 2}, 3600, KWH);
    total("A1", 100, KWH);
    total("A1", 10, KWH);
    run();
    struct gf_dead_letter letter;
    static const char *const codes[] = {"BAD_FIELD", "BAD_FIELD", "LATE"};
    assert_int_equal(lab_count(&lab, GF_TOPIC_DEAD_LETTERS), 3);
    for (uint32_t i = 0; i < 3; i++) {
        lab_get(&lab, GF_TOPIC_DEAD_LETTERS, i, &letter);
        assert_true(gf_span_equal(letter.topic, gf_span_text("area.totals")));
        assert_true(gf_span_equal(letter.code, gf_span_text(codes[i])));
    }
    const struct gf_tally tally = lab_tally(&lab);
    assert_int_equal(tally.late, 1);
    assert_int_equal(tally.dead, 2);
}

static void
stages_that_are_off_touch_nothing(void **state)
{
    (void)state;
    lab_close(&lab);
    open_with("partitions: 2\n");
    lives_in("anna", "A1");
    reads("anna", 0, KWH);
    run();
    assert_int_equal(lab.shard_total, 2);
    assert_int_equal(lab_count(&lab, GF_TOPIC_INTERNAL_AREA_READINGS), 0);
    assert_int_equal(lab_count(&lab, GF_TOPIC_AREA_BALANCE), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_balance_is_total_less_sum, begin, end),
        cmocka_unit_test_setup_teardown(a_gain_says_that_an_area_is_wrong, begin, end),
        cmocka_unit_test_setup_teardown(what_is_missing_is_said, begin, end),
        cmocka_unit_test_setup_teardown(corrections_make_another_version, begin, end),
        cmocka_unit_test_setup_teardown(exports_are_subtracted, begin, end),
        cmocka_unit_test_setup_teardown(a_day_is_spread_over_its_hours, begin, end),
        cmocka_unit_test_setup_teardown(customers_come_and_go, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_used_is_a_dead_letter, begin, end),
        cmocka_unit_test_setup_teardown(stages_that_are_off_touch_nothing, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
