/* Stories of the quality operator: what is said about odd data, and what is not worth a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "operator/quality/quality.h"
#include "story.h"

#define HOUR_S 3600

static struct gf_time
hour(const char *day, int64_t index)
{
    return (struct gf_time){at(day).us + index * GF_US_PER_HOUR};
}

static void
given_hours(struct story *story, const char *day, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        assert_int_equal(given_reading(story, hour(day, i), HOUR_S, 0.5 + 0.01 * (double)(i % 24)),
                         GF_OK);
    }
}

static enum gf_rc
given_odd_reading(struct story *story, const char *meter, struct gf_time start, double kwh,
                  int32_t quality, int32_t status_bits)
{
    const struct gf_meter_reading reading = {
        .meter_id = gf_span_text(meter),
        .obis = gf_span_text("1-0:1.8.0"),
        .kind = GF_READING_KIND_INTERVAL,
        .interval_start = start,
        .interval_s = HOUR_S,
        .energy_micro_kwh = {(int64_t)(kwh * 1e6)},
        .quality = quality,
        .status_bits = status_bits,
        .source = GF_READING_SOURCE_HEADEND,
    };
    return story_event(story, GF_TOPIC_METER_READINGS,
                       (struct gf_time){start.us + HOUR_S * GF_US_PER_S}, &reading);
}

static const struct gf_data_quality *
expect_rule(struct story *story, int32_t rule, int32_t action)
{
    const struct gf_data_quality *const finding = expect_finding(story);
    assert_string_equal(gf_quality_rule_name(finding->rule), gf_quality_rule_name(rule));
    assert_string_equal(gf_quality_action_name(finding->action), gf_quality_action_name(action));
    return finding;
}

static void
begin_with_contract(struct story *story)
{
    story_begin(story, &gf_op_quality);
    given_contract(story, "2026-01-01", GF_CUSTOMER_CLASS_RESIDENTIAL, 5000);
}

static void
good_readings_and_repetitions_are_not_worth_a_word(void **unused)
{
    (void)unused;
    struct story story;
    begin_with_contract(&story);
    given_hours(&story, "2026-01-02", 0, 72);
    given_hours(&story, "2026-01-02", 60, 72);
    story_end(&story);
}

/* What a home gives back has its meter, too. */
static void
an_export_of_a_known_meter_is_not_worth_a_word(void **unused)
{
    (void)unused;
    struct story story;
    begin_with_contract(&story);
    for (int64_t i = 0; i < 72; i++) {
        const struct gf_meter_reading reading = {
            .meter_id = gf_span_text(i < 48 ? "M1" : "M9"),
            .obis = gf_span_text("1-0:2.8.0"),
            .kind = GF_READING_KIND_INTERVAL,
            .interval_start = hour("2026-01-02", i),
            .interval_s = HOUR_S,
            .energy_micro_kwh = {1000000},
            .quality = GF_READING_QUALITY_ACTUAL,
            .source = GF_READING_SOURCE_HEADEND,
        };
        if (i == 48) {
            expect_nothing_else(&story);
        }
        assert_int_equal(
            story_event(&story, GF_TOPIC_METER_READINGS, hour("2026-01-02", i + 1), &reading),
            GF_OK);
        assert_int_equal(story.change.outcome, GF_READING_EXPORT);
        assert_int_equal(story.change.meter_index, i < 48 ? 0 : -1);
    }
    /* A meter that is not his is still said. */
    (void)expect_rule(&story, GF_QUALITY_RULE_UNKNOWN_METER, GF_QUALITY_ACTION_FLAGGED);
    story.looked_at = story.out->count;
    story_end(&story);
}

static void
a_gap_is_said_once_with_its_slots(void **unused)
{
    (void)unused;
    struct story story;
    begin_with_contract(&story);
    given_hours(&story, "2026-01-02", 0, 10);
    given_hours(&story, "2026-01-02", 15, 20);
    const struct gf_data_quality *const finding =
        expect_rule(&story, GF_QUALITY_RULE_V02_GAP, GF_QUALITY_ACTION_MASKED);
    assert_int_equal(finding->count, 5);
    assert_int_equal(finding->interval_start.us, hour("2026-01-02", 10).us);
    assert_int_equal(finding->interval_s, HOUR_S);
    story_end(&story);
}

static void
a_conflict_keeps_the_old_value_and_a_better_one_replaces_it(void **unused)
{
    (void)unused;
    struct story story;
    begin_with_contract(&story);
    given_hours(&story, "2026-01-02", 0, 10);
    given_odd_reading(&story, "M1", hour("2026-01-02", 8), 3.25, GF_READING_QUALITY_ESTIMATED, 0);
    const struct gf_data_quality *finding =
        expect_rule(&story, GF_QUALITY_RULE_V01_CONFLICT, GF_QUALITY_ACTION_KEPT_OLD);
    assert_true(finding->has_old_micro_kwh);
    assert_int_equal(finding->old_micro_kwh.micro_kwh, 580000);
    assert_int_equal(finding->new_micro_kwh.micro_kwh, 3250000);
    given_odd_reading(&story, "M1", hour("2026-01-02", 8), 1.5, GF_READING_QUALITY_ACTUAL, 0);
    finding = expect_rule(&story, GF_QUALITY_RULE_V25_REPLACED, GF_QUALITY_ACTION_REPLACED);
    assert_int_equal(finding->old_micro_kwh.micro_kwh, 580000);
    assert_int_equal(finding->new_micro_kwh.micro_kwh, 1500000);
    story_end(&story);
}

static void
replacing_to_and_fro_makes_records_of_their_own(void **unused)
{
    (void)unused;
    struct story story;
    begin_with_contract(&story);
    given_hours(&story, "2026-01-02", 0, 10);
    uint8_t ids[4][16];
    for (uint32_t i = 0; i < 4; i++) {
        given_odd_reading(&story, "M1", hour("2026-01-02", 8), i % 2 == 0 ? 1.5 : 2.5,
                          GF_READING_QUALITY_ACTUAL, 0);
        memcpy(ids[i],
               expect_rule(&story, GF_QUALITY_RULE_V25_REPLACED, GF_QUALITY_ACTION_REPLACED)
                   ->record_id,
               16);
        for (uint32_t before = 0; before < i; before++) {
            assert_memory_not_equal(ids[i], ids[before], 16);
        }
    }
    story_end(&story);
}

static void
a_value_that_comes_hours_late_is_a_correction(void **unused)
{
    (void)unused;
    struct story story;
    begin_with_contract(&story);
    given_hours(&story, "2026-01-02", 0, 10);
    given_hours(&story, "2026-01-02", 11, 12);
    (void)expect_rule(&story, GF_QUALITY_RULE_V02_GAP, GF_QUALITY_ACTION_MASKED);
    given_hours(&story, "2026-01-02", 10, 11); /* an hour late: only out of order */
    expect_nothing_else(&story);
    given_hours(&story, "2026-01-02", 13, 20);
    (void)expect_rule(&story, GF_QUALITY_RULE_V02_GAP, GF_QUALITY_ACTION_MASKED);
    given_hours(&story, "2026-01-02", 12, 13);
    const struct gf_data_quality *const finding =
        expect_rule(&story, GF_QUALITY_RULE_V26_LATE_CORRECTION, GF_QUALITY_ACTION_CORRECTED);
    assert_int_equal(finding->interval_start.us, hour("2026-01-02", 12).us);
    assert_false(finding->has_old_micro_kwh);
    story_end(&story);
}

static void
a_value_beyond_the_connection_is_said_once_a_day(void **unused)
{
    (void)unused;
    struct story story;
    begin_with_contract(&story);
    for (int64_t i = 0; i < 26; i++) {
        given_odd_reading(&story, "M1", hour("2026-01-02", i), i == 3 ? 15.0 : 15.1,
                          GF_READING_QUALITY_ACTUAL, 0);
    }
    const struct gf_data_quality *finding =
        expect_rule(&story, GF_QUALITY_RULE_V16_PHYSICAL_CAP, GF_QUALITY_ACTION_FLAGGED);
    assert_int_equal(finding->count, 1);
    /* The interval that ends at midnight is decided in the new day, and stands for those held back.
     */
    finding = expect_rule(&story, GF_QUALITY_RULE_V16_PHYSICAL_CAP, GF_QUALITY_ACTION_FLAGGED);
    assert_int_equal(finding->count, 22); /* one of the 23 was just within the limit */
    assert_int_equal(finding->decided_at.us, at("2026-01-03").us);
    story_end(&story);
}

static void
bad_status_bits_mask_and_harmless_ones_do_not(void **unused)
{
    (void)unused;
    struct story story;
    begin_with_contract(&story);
    static const int32_t harmless[] = {8, 16, 32, 64};
    for (int64_t i = 0; i < 4; i++) {
        given_odd_reading(&story, "M1", hour("2026-01-02", i), 1, GF_READING_QUALITY_ACTUAL,
                          harmless[i]);
    }
    expect_nothing_else(&story);
    static const int32_t bad[] = {1, 2, 4, 128};
    for (int64_t i = 0; i < 4; i++) {
        given_odd_reading(&story, "M1", hour("2026-01-03", 24 * i), 1, GF_READING_QUALITY_ACTUAL,
                          bad[i]);
        (void)expect_rule(&story, GF_QUALITY_RULE_V02_GAP, GF_QUALITY_ACTION_MASKED);
        (void)expect_rule(&story, GF_QUALITY_RULE_V21_STATUS, GF_QUALITY_ACTION_MASKED);
    }
    story_end(&story);
}

static void
a_register_that_goes_back_is_said_with_both_stands(void **unused)
{
    (void)unused;
    struct story story;
    begin_with_contract(&story);
    given_stand(&story, "M2", "2026-01-02", 1000);
    given_stand(&story, "M2", "2026-01-03", 1010);
    given_stand(&story, "M2", "2026-01-04", 900);
    const struct gf_data_quality *const finding =
        expect_rule(&story, GF_QUALITY_RULE_V07_REGISTER_DECREASE, GF_QUALITY_ACTION_FLAGGED);
    assert_int_equal(finding->old_micro_kwh.micro_kwh,
                     1010000000); /* the multiplier of 40 taken out */
    assert_int_equal(finding->new_micro_kwh.micro_kwh, 900000000);
    assert_int_equal(finding->interval_s, 0);
    assert_true(gf_span_equal(finding->meter_id, gf_span_text("M2")));
    story_end(&story);
}

static void
an_unknown_meter_is_said_once_a_day(void **unused)
{
    (void)unused;
    struct story story;
    begin_with_contract(&story);
    for (int64_t i = 0; i < 48; i++) {
        given_odd_reading(&story, "X9", hour("2026-01-02", i), 1, GF_READING_QUALITY_ACTUAL, 0);
    }
    const struct gf_data_quality *finding =
        expect_rule(&story, GF_QUALITY_RULE_UNKNOWN_METER, GF_QUALITY_ACTION_FLAGGED);
    assert_true(gf_span_equal(finding->meter_id, gf_span_text("X9")));
    finding = expect_rule(&story, GF_QUALITY_RULE_UNKNOWN_METER, GF_QUALITY_ACTION_FLAGGED);
    assert_int_equal(finding->count, 23);
    (void)expect_rule(&story, GF_QUALITY_RULE_UNKNOWN_METER,
                      GF_QUALITY_ACTION_FLAGGED); /* ends at 4 January, 00:00 */
    story_end(&story);
}

static void
a_week_without_a_contract_is_said_once(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, &gf_op_quality);
    given_days(&story, "2026-01-01", 6, 5);
    expect_nothing_else(&story);
    given_days(&story, "2026-01-07", 24, 5);
    const struct gf_data_quality *const finding =
        expect_rule(&story, GF_QUALITY_RULE_V12_NO_CONTRACT, GF_QUALITY_ACTION_FLAGGED);
    assert_int_equal(finding->decided_at.us,
                     at("2026-01-09").us); /* first reading decided on 2 January */
    given_contract(&story, "2026-02-01", GF_CUSTOMER_CLASS_RESIDENTIAL, 5000);
    given_days(&story, "2026-02-01", 5, 5);
    (void)expect_rule(&story, GF_QUALITY_RULE_V02_GAP, GF_QUALITY_ACTION_MASKED);
    story_end(&story);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_readings_and_repetitions_are_not_worth_a_word),
        cmocka_unit_test(an_export_of_a_known_meter_is_not_worth_a_word),
        cmocka_unit_test(a_gap_is_said_once_with_its_slots),
        cmocka_unit_test(a_conflict_keeps_the_old_value_and_a_better_one_replaces_it),
        cmocka_unit_test(replacing_to_and_fro_makes_records_of_their_own),
        cmocka_unit_test(a_value_that_comes_hours_late_is_a_correction),
        cmocka_unit_test(a_value_beyond_the_connection_is_said_once_a_day),
        cmocka_unit_test(bad_status_bits_mask_and_harmless_ones_do_not),
        cmocka_unit_test(a_register_that_goes_back_is_said_with_both_stands),
        cmocka_unit_test(an_unknown_meter_is_said_once_a_day),
        cmocka_unit_test(a_week_without_a_contract_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
