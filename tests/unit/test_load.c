#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/real.h"
#include "feature_maker.h"
#include "reference_maker.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KWH          INT64_C(1000000)

static struct gf_zone london;

struct story {
    struct gf_features features;
    struct gf_feature_context context;
    struct gf_change change;
};

static void
story_begin(struct story *story, const struct gf_zone *zone)
{
    *story = (struct story){
        .context = {.params = &maker_params, .zone = zone, .shard_time = GF_TIME_NONE}};
    gf_features_init(&story->features);
}

static enum gf_rc
read_slot(struct story *story, struct gf_time start, int32_t interval_s, int64_t micro,
          int32_t quality)
{
    struct gf_meter_reading reading = maker_reading(start, interval_s, micro);
    reading.quality = quality;
    return maker_apply(&story->features, &story->context, GF_TOPIC_METER_READINGS, &reading,
                       &story->change);
}

static void
read_days(struct story *story, const char *from, uint32_t days, int32_t interval_s,
          int64_t day_micro)
{
    struct gf_time start = maker_time(from);
    const int64_t end_us = start.us + days * GF_US_PER_DAY;
    for (; start.us < end_us; start.us += interval_s * GF_US_PER_S) {
        assert_int_equal(read_slot(story, start, interval_s, day_micro * interval_s / 86400,
                                   GF_READING_QUALITY_ACTUAL),
                         GF_OK);
        assert_int_equal(story->change.outcome, GF_READING_NEW);
    }
}

static void
test_half_floats_round_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 0x7c00; half++) { /* there and back, both signs */
        assert_int_equal(gf_half_of(gf_half_value((uint16_t)half)), half);
        assert_int_equal(gf_half_of(gf_half_value((uint16_t)(half | 0x8000))), half | 0x8000);
        const double middle =
            ((double)gf_half_value((uint16_t)half) + (double)gf_half_value((uint16_t)(half + 1))) /
            2;
        if (half + 1 < 0x7c00) {
            assert_int_equal(gf_half_of((float)middle), (half + 1) & ~1u);
        }
    }
    assert_int_equal(gf_half_of(1e9f), 0x7bff);
    assert_true((double)gf_half_value(0x7bff) == 65504.0);
    assert_int_equal(gf_half_of(NAN), 0x7e00);
    assert_true(isnan(gf_half_value(GF_HALF_MISSING)));
}

static void
test_local_days_have_23_24_or_25_hours(void **state)
{
    (void)state;
    const struct {
        const char *from; /* 40 local hours before the change */
        uint32_t hours;
        const char *day;
    } cases[] = {{"2016-03-26T00:00:00Z", 23, "2016-03-27"},
                 {"2016-10-28T23:00:00Z", 25, "2016-10-30"}};
    const int32_t lengths[] = {300, 900, 1800, 3600, 86400};
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t j = 0; j < COUNT(lengths); j++) {
            struct story story;
            story_begin(&story, &london);
            struct gf_time start = maker_time(cases[i].from);
            const int32_t day = gf_day_of(&london, maker_time(cases[i].day));
            bool was_closed = false;
            const int64_t end_us = gf_day_start(&london, day + 2).us;
            while (start.us < end_us) {
                assert_int_equal(read_slot(&story, start, lengths[j], 1000 * lengths[j],
                                           GF_READING_QUALITY_ACTUAL),
                                 GF_OK);
                assert_int_equal(story.change.outcome, GF_READING_NEW);
                assert_int_equal(story.change.gap_slots, 0);
                if (story.change.day_closed && story.change.day == day) {
                    was_closed = true;
                    const uint32_t slots =
                        lengths[j] == 86400 ? 1 : cases[i].hours * 3600 / (uint32_t)lengths[j];
                    assert_int_equal(story.change.day_slots, slots);
                    assert_int_equal(story.change.day_slots_expected, slots);
                    assert_true(story.change.day_is_clean);
                    assert_float_equal((float)story.change.day_kwh,
                                       (float)(slots * (uint32_t)lengths[j]) / 1000, 0.001);
                }
                start = lengths[j] == 86400 ? gf_day_start(&london, gf_day_of(&london, start) + 1)
                                            : (struct gf_time){start.us + lengths[j] * GF_US_PER_S};
            }
            assert_true(was_closed);
        }
    }
}

static void
test_daily_value_belongs_to_the_day_of_its_middle(void **state)
{
    (void)state;
    static struct gf_zone california;
    struct story story;
    maker_zone("America/Los_Angeles", &california);
    story_begin(&story, &california);
    /* Midnight in UTC is the afternoon before in California. */
    assert_int_equal(
        read_slot(&story, maker_time("2016-05-02"), 86400, KWH, GF_READING_QUALITY_ACTUAL), GF_OK);
    assert_int_equal(story.features.load.day, gf_days_from_date(2016, 5, 2));
}

static void
test_profile_is_the_same_for_every_length(void **state)
{
    (void)state;
    const int32_t lengths[] = {300, 900, 1200, 1800, 2700, 3600, 86400};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct story story;
        story_begin(&story, gf_zone_utc());
        read_days(&story, "2016-01-04", 21, lengths[i], 48 * 900 * 1000);
        read_days(&story, "2016-01-25", 1, lengths[i], 48 * 900 * 1000);
        for (uint32_t half = 0; half < GF_PROFILE_SLOT_COUNT; half++) {
            assert_float_equal(story.features.load.profile_mean[0][half], 0.9, 0.0001);
            assert_float_equal(story.features.load.profile_mean[1][half], 0.9, 0.0001);
            assert_true((double)gf_half_value(story.features.load.profile_scale[0][half]) < 0.001);
        }
        assert_int_equal(story.features.load.days_seen, 21);
        assert_float_equal(story.features.load.window_mean[GF_WINDOW_7D], 43.2, 0.02);
        assert_float_equal(gf_half_value(story.features.load.window_deviation[GF_WINDOW_90D]), 0,
                           0.2);
        assert_float_equal(story.features.load.weekend_share, 2.0 / 7, 0.001);
        if (lengths[i] < 86400) {
            assert_float_equal(story.features.load.load_factor, 1, 0.001);
            assert_float_equal(story.features.load.night_share, 8.0 / 24, 0.025);
            assert_float_equal(story.features.load.max_kw_30d, 1.8, 0.001);
        }
    }
}

static void
test_masked_slots_count_as_energy_and_train_nothing(void **state)
{
    (void)state;
    const struct {
        int32_t quality, status_bits, source;
        bool is_masked;
    } cases[] = {
        {GF_READING_QUALITY_ACTUAL, 0, GF_READING_SOURCE_HEADEND, false},
        {GF_READING_QUALITY_EDITED, 0x78, GF_READING_SOURCE_MANUAL, false},
        {GF_READING_QUALITY_ESTIMATED, 0, GF_READING_SOURCE_HEADEND, true},
        {GF_READING_QUALITY_PROJECTED, 0, GF_READING_SOURCE_HEADEND, true},
        {GF_READING_QUALITY_UNKNOWN, 0, GF_READING_SOURCE_HEADEND, true},
        {GF_READING_QUALITY_ACTUAL, 1 << 0, GF_READING_SOURCE_HEADEND, true},
        {GF_READING_QUALITY_ACTUAL, 1 << 1, GF_READING_SOURCE_HEADEND, true},
        {GF_READING_QUALITY_ACTUAL, 1 << 2, GF_READING_SOURCE_HEADEND, true},
        {GF_READING_QUALITY_ACTUAL, 1 << 7, GF_READING_SOURCE_HEADEND, true},
        {GF_READING_QUALITY_ACTUAL, 0, GF_READING_SOURCE_ESTIMATE, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct story story;
        story_begin(&story, gf_zone_utc());
        struct gf_meter_reading reading =
            maker_reading(maker_time("2016-01-04T12:00:00Z"), 1800, KWH);
        reading.quality = cases[i].quality;
        reading.status_bits = cases[i].status_bits;
        reading.source = cases[i].source;
        assert_int_equal(maker_apply(&story.features, &story.context, GF_TOPIC_METER_READINGS,
                                     &reading, &story.change),
                         GF_OK);
        assert_int_equal(story.change.is_masked, cases[i].is_masked);
        assert_int_equal(story.features.load.day_micro_kwh, KWH);
        assert_int_equal(story.features.load.day_masked_s, cases[i].is_masked ? 1800 : 0);
        assert_true((story.features.load.profile_mean[0][24] > 0) != cases[i].is_masked);
        assert_true((story.features.load.day_max_kw > 0) != cases[i].is_masked);
    }
}

static void
test_power_failure_is_no_day_of_zero_use(void **state)
{
    (void)state;
    struct story story;
    story_begin(&story, gf_zone_utc());
    read_days(&story, "2016-01-01", 3, 3600, 24 * KWH);
    read_days(&story, "2016-01-04", 2, 3600, 0);
    const struct gf_time start = maker_time("2016-01-06");
    assert_int_equal(read_slot(&story, start, 3600, 0, GF_READING_QUALITY_ACTUAL), GF_OK);
    assert_int_equal(story.features.load.zero_days, 2);
    for (int64_t hour = 1; hour < 24; hour++) {
        struct gf_meter_reading reading =
            maker_reading((struct gf_time){start.us + hour * GF_US_PER_HOUR}, 3600, 0);
        reading.status_bits = 1 << 7;
        assert_int_equal(maker_apply(&story.features, &story.context, GF_TOPIC_METER_READINGS,
                                     &reading, &story.change),
                         GF_OK);
    }
    assert_int_equal(
        read_slot(&story, maker_time("2016-01-07"), 3600, KWH, GF_READING_QUALITY_ACTUAL), GF_OK);
    assert_true(story.change.day_closed);
    assert_false(story.change.day_is_clean);
    assert_int_equal(story.features.load.zero_days, 2); /* neither longer nor ended */
    assert_int_equal(story.features.load.days_seen, 5);
    assert_int_equal(
        read_slot(&story, maker_time("2016-01-11"), 3600, KWH, GF_READING_QUALITY_ACTUAL), GF_OK);
    assert_int_equal(story.features.load.zero_days, 0); /* 1 kWh was measured on the 7th */
    assert_int_equal(story.features.load.gap_days, 3);
    assert_int_equal(story.change.gap_slots, 4 * 24 - 1);
    assert_true(isnan(gf_load_day_kwh(&story.features.load, 16811 - 2))); /* 2016-01-09 */
}

static void
test_quality_decides_what_replaces_what(void **state)
{
    (void)state;
    const int32_t A = GF_READING_QUALITY_ACTUAL, E = GF_READING_QUALITY_ESTIMATED,
                  P = GF_READING_QUALITY_PROJECTED, D = GF_READING_QUALITY_EDITED;
    const struct {
        int32_t first, second;
        int64_t second_micro;
        enum gf_reading_outcome outcome;
        int64_t day_micro;
    } cases[] = {
        {A, A, KWH, GF_READING_DUPLICATE, KWH},
        {A, A, 2 * KWH, GF_READING_REPLACED, 2 * KWH},
        {A, E, 2 * KWH, GF_READING_KEPT_OLD, KWH},
        {A, D, 2 * KWH, GF_READING_KEPT_OLD, KWH},
        {E, A, 2 * KWH, GF_READING_REPLACED, 2 * KWH},
        {E, A, KWH, GF_READING_REPLACED, KWH},
        {E, D, 2 * KWH, GF_READING_REPLACED, 2 * KWH},
        {E, P, 2 * KWH, GF_READING_REPLACED, 2 * KWH},
        {A, P, KWH, GF_READING_DUPLICATE, KWH},
    };
    const int32_t lengths[] = {1800, 3600, 86400};
    for (size_t i = 0; i < COUNT(cases) * COUNT(lengths); i++) {
        struct story story;
        const size_t c = i / COUNT(lengths);
        const int32_t length = lengths[i % COUNT(lengths)];
        const struct gf_time start = maker_time("2016-01-04");
        story_begin(&story, gf_zone_utc());
        assert_int_equal(read_slot(&story, start, length, KWH, cases[c].first), GF_OK);
        assert_int_equal(read_slot(&story, start, length, cases[c].second_micro, cases[c].second),
                         GF_OK);
        assert_int_equal(story.change.outcome, cases[c].outcome);
        assert_int_equal(story.change.old_value.micro_kwh, KWH);
        assert_true(story.change.old_value_is_exact);
        assert_int_equal(story.features.load.day_micro_kwh, cases[c].day_micro);
        const bool is_masked = cases[c].first != A && cases[c].second == P;
        assert_int_equal(story.features.load.day_masked_s, is_masked ? length : 0);
        if (!is_masked) {
            assert_float_equal(story.features.load.day_clean_kwh, (float)cases[c].day_micro / 1e6f,
                               1e-5);
        }
    }
}

static void
test_late_exports_and_bad_fields(void **state)
{
    (void)state;
    struct story story;
    story_begin(&story, gf_zone_utc());
    const struct gf_time noon = maker_time("2016-01-10T12:00:00Z");
    story.context.shard_time = noon;
    const int64_t edge_us = noon.us - 48 * GF_US_PER_HOUR;
    assert_int_equal(read_slot(&story, (struct gf_time){edge_us - 2 * GF_US_PER_HOUR}, 3600, KWH,
                               GF_READING_QUALITY_ACTUAL),
                     GF_E_LATE);
    assert_int_equal(read_slot(&story, (struct gf_time){edge_us - GF_US_PER_HOUR}, 3600, KWH,
                               GF_READING_QUALITY_ACTUAL),
                     GF_OK);
    struct gf_meter_reading reading = maker_reading(noon, 3600, -5 * KWH);
    assert_int_equal(maker_apply(&story.features, &story.context, GF_TOPIC_METER_READINGS, &reading,
                                 &story.change),
                     GF_E_BAD_FIELD);
    const char *const exports[] = {"1-0:2.8.0", "1-0:3.8.0",  "1-0:1.7.0",
                                   "",          "1-0:21.8.0", "2.8.0"};
    for (size_t i = 0; i < COUNT(exports); i++) {
        reading.obis = gf_span_text(exports[i]);
        assert_int_equal(maker_apply(&story.features, &story.context, GF_TOPIC_METER_READINGS,
                                     &reading, &story.change),
                         GF_OK);
        assert_int_equal(story.change.outcome, GF_READING_EXPORT);
    }
    assert_int_equal(story.features.load.exports_seen, COUNT(exports));
    assert_int_equal(story.features.load.day_micro_kwh, KWH);
    const char *const imports[] = {"1-0:1.8.0", "1-0:1.8.0*255", "1-1:1.8.1", "1.8.0"};
    for (size_t i = 0; i < COUNT(imports); i++) {
        reading = maker_reading((struct gf_time){noon.us + (int64_t)i * GF_US_PER_HOUR}, 3600, KWH);
        reading.obis = gf_span_text(imports[i]);
        assert_int_equal(maker_apply(&story.features, &story.context, GF_TOPIC_METER_READINGS,
                                     &reading, &story.change),
                         GF_OK);
        assert_int_equal(story.change.outcome, GF_READING_NEW);
    }
    reading = maker_reading((struct gf_time){noon.us + 7 * GF_US_PER_S}, 3600, KWH);
    assert_int_equal(maker_apply(&story.features, &story.context, GF_TOPIC_METER_READINGS, &reading,
                                 &story.change),
                     GF_E_BAD_FIELD);
    reading = maker_reading((struct gf_time){noon.us + 2 * GF_US_PER_HOUR}, 900,
                            KWH); /* within an hour that has a value */
    assert_int_equal(maker_apply(&story.features, &story.context, GF_TOPIC_METER_READINGS, &reading,
                                 &story.change),
                     GF_E_BAD_FIELD);
    reading = maker_reading((struct gf_time){noon.us + 9 * GF_US_PER_HOUR}, 3600,
                            INT64_C(2000000000000000));
    assert_int_equal(maker_apply(&story.features, &story.context, GF_TOPIC_METER_READINGS, &reading,
                                 &story.change),
                     GF_E_RANGE);
}

static void
test_bands_and_prices_of_the_contract(void **state)
{
    (void)state;
    struct story story;
    story_begin(&story, gf_zone_utc());
    struct gf_reference *const reference = maker_reference();
    story.context.reference = reference;
    maker_plan(reference); /* peak 8-20 h on working days, valley 0-6 h */
    const struct gf_time monday = maker_time("2016-01-04");
    for (int64_t hour = 0; hour < 24; hour++) {
        maker_price(reference, (struct gf_time){monday.us + hour * GF_US_PER_HOUR},
                    hour == 12 ? 40000000 : 10000000);
    }
    read_days(&story, "2016-01-03", 1, 3600, 24 * KWH); /* no contract yet: no bands, no prices */
    assert_float_equal(story.features.load.day_band_kwh, 0, 0);
    assert_float_equal(story.features.load.price_kwh, 0, 0);
    const struct gf_customer_contract contract = maker_contract();
    assert_int_equal(maker_apply(&story.features, &story.context, GF_TOPIC_CUSTOMER_CONTRACTS,
                                 &contract, &story.change),
                     GF_OK);
    read_days(&story, "2016-01-04", 1, 3600, 24 * KWH);
    assert_float_equal(story.features.load.peak_share, 0, 0);
    assert_float_equal(story.features.load.price_cost / story.features.load.price_kwh,
                       (23 * 0.1 + 0.4) / 24, 1e-5);
    read_days(&story, "2016-01-05", 1, 3600, 24 * KWH);
    assert_float_equal(story.features.load.peak_share, 0.5, 1e-5);
    assert_float_equal(story.features.load.valley_share, 0.25, 1e-5);
    assert_float_equal(story.features.load.flat_share, 0.25, 1e-5);
    free(reference);
}

/* A year of a home with noise, week and season: no alarm before 28 days; then a drop by 60 % is
 * found with its day. */
static void
test_drop_is_found_and_dated(void **state)
{
    (void)state;
    uint32_t found = 0, dated = 0, false_alarms = 0;
    print_message("seed 7\n");
    for (uint64_t home = 0; home < 40; home++) {
        struct story story;
        story_begin(&story, gf_zone_utc());
        const int32_t first = gf_days_from_date(2016, 1, 1), drop = first + 200;
        bool was_found = false;
        for (int32_t day = first; day < drop + 45; day++) {
            double kwh = 10 * (1 + 0.1 * gf_sin(6.2831853 * day / 365.25)) *
                         (gf_weekday_of(day) >= 5 ? 1.3 : 1);
            kwh *= gf_exp(0.2 * gf_random_normal(7, home, (uint64_t)(day - first) * 2)) *
                   (day >= drop ? 0.4 : 1);
            const struct gf_time start = {day * GF_US_PER_DAY};
            assert_int_equal(
                read_slot(&story, start, 86400, (int64_t)(kwh * 1e6), GF_READING_QUALITY_ACTUAL),
                GF_OK);
            assert_true(day > first + 28 || !(story.change.cusum_up || story.change.cusum_down));
            assert_int_equal(isnan(story.change.day_residual),
                             !story.change.day_closed || day - first <= 14);
            if (story.change.cusum_down && story.change.day < drop) {
                false_alarms++;
            } else if (story.change.cusum_down && !was_found) {
                was_found = true;
                assert_true(story.change.cusum_change_day <= drop + 7);
                found++;
                dated += story.change.cusum_change_day >= drop - 7;
            }
        }
        assert_true(was_found);
    }
    print_message("found %u of 40, %u dated to the week, %u false alarms in 20 years\n", found,
                  dated, false_alarms);
    assert_true(dated >= 30);
    assert_true(false_alarms <= 10);
}

static void
test_description_is_whole_and_never_overruns(void **state)
{
    (void)state;
    static char text[20000], cut[20000];
    struct story story;
    story_begin(&story, &london);
    struct gf_customer_contract contract = maker_contract();
    contract.tariff_id = gf_span_text("T\"1");
    assert_int_equal(maker_apply(&story.features, &story.context, GF_TOPIC_CUSTOMER_CONTRACTS,
                                 &contract, &story.change),
                     GF_OK);
    read_days(&story, "2016-01-04", 30, 3600, 24 * KWH);
    const struct gf_time now = maker_time("2016-02-03");
    const size_t length = gf_features_describe(&story.features, &london, now, text, sizeof text);
    assert_true(length < sizeof text);
    assert_int_equal(strlen(text), length);
    int depth = 0;
    for (size_t i = 0; i < length; i++) {
        depth += text[i] == '{' || text[i] == '[';
        depth -= text[i] == '}' || text[i] == ']';
        assert_true(depth > 0 || i + 1 == length);
    }
    assert_int_equal(depth, 0);
    assert_non_null(strstr(text, "\"tariff\": \"T\\u00221\""));
    assert_non_null(strstr(text, "\"baseline_kwh_per_day\": 24"));
    assert_non_null(strstr(text, "\"newest_closed_day\": \"2016-02-01\""));
    for (size_t size = 0; size < length; size += 97) {
        memset(cut, '#', sizeof cut);
        assert_int_equal(gf_features_describe(&story.features, &london, now, cut, size), length);
        assert_int_equal(cut[size], '#');
    }
}

int
main(void)
{
    maker_zone("Europe/London", &london);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_floats_round_to_nearest_even),
        cmocka_unit_test(test_local_days_have_23_24_or_25_hours),
        cmocka_unit_test(test_daily_value_belongs_to_the_day_of_its_middle),
        cmocka_unit_test(test_profile_is_the_same_for_every_length),
        cmocka_unit_test(test_masked_slots_count_as_energy_and_train_nothing),
        cmocka_unit_test(test_power_failure_is_no_day_of_zero_use),
        cmocka_unit_test(test_quality_decides_what_replaces_what),
        cmocka_unit_test(test_late_exports_and_bad_fields),
        cmocka_unit_test(test_bands_and_prices_of_the_contract),
        cmocka_unit_test(test_drop_is_found_and_dated),
        cmocka_unit_test(test_description_is_whole_and_never_overruns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
