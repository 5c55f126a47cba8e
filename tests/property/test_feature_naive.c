/* Features against a naive oracle that keeps every value for ever: random streams with gaps,
 * duplicates, replacements and late values, over changes of daylight saving time, in all interval
 * lengths. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "feature_maker.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define SLOT_COUNT_MAX 40000
#define EMPTY          INT64_C(-1)

/* What the oracle knows: all values, by slot number since the beginning of the story. */
struct oracle {
    struct gf_time begin;
    int32_t interval_s;
    const struct gf_zone *zone;
    int32_t first_day;
    int64_t values[SLOT_COUNT_MAX];
    bool masked[SLOT_COUNT_MAX];
    int64_t newest; /* slot number; -1: none */
};

static struct oracle oracle;
static struct gf_features features;
static uint32_t missed_count, uncertain_count; /* conflicts that only a hash could show */

static struct gf_time
start_of(int64_t number)
{
    if (oracle.interval_s == 86400) {
        return gf_day_start(oracle.zone, oracle.first_day + (int32_t)number);
    }
    return (struct gf_time){oracle.begin.us + number * oracle.interval_s * GF_US_PER_S};
}

/* Sum and seconds of a local day, by looking at every slot near it. */
struct day_figures {
    int64_t micro;
    uint32_t slots, masked;
};

static struct day_figures
day_figures_of(int32_t day)
{
    struct day_figures figures = {0};
    int64_t from = 0, to = oracle.newest;
    if (oracle.interval_s < 86400) {
        const int64_t interval_us = oracle.interval_s * GF_US_PER_S;
        from = (gf_day_start(oracle.zone, day).us - oracle.begin.us) / interval_us - 2;
        to = (gf_day_start(oracle.zone, day + 1).us - oracle.begin.us) / interval_us + 2;
    }
    for (int64_t number = from < 0 ? 0 : from; number <= to && number <= oracle.newest; number++) {
        if (oracle.values[number] != EMPTY && gf_day_of(oracle.zone, start_of(number)) == day) {
            figures.micro += oracle.values[number];
            figures.slots++;
            figures.masked += oracle.masked[number];
        }
    }
    return figures;
}

/* What should happen to a value, by the rules as they are written. */
static enum gf_reading_outcome
oracle_take(int64_t number, int64_t micro, bool is_masked, bool *is_certain)
{
    const int64_t old = oracle.values[number];
    *is_certain = true;
    if (old == EMPTY) {
        const enum gf_reading_outcome outcome =
            number > oracle.newest ? GF_READING_NEW : GF_READING_LATE_NEW;
        oracle.values[number] = micro;
        oracle.masked[number] = is_masked;
        oracle.newest = number > oracle.newest ? number : oracle.newest;
        return outcome;
    }
    if (oracle.interval_s < 900) { /* only a hash is kept: never corrected */
        *is_certain = old == micro;
        return old == micro ? GF_READING_DUPLICATE : GF_READING_KEPT_OLD;
    }
    if (old == micro && !(oracle.masked[number] && !is_masked)) {
        return GF_READING_DUPLICATE;
    }
    if (is_masked && !oracle.masked[number]) {
        *is_certain = oracle.interval_s >= 1800;
        return GF_READING_KEPT_OLD;
    }
    *is_certain = oracle.interval_s >= 1800 || old == micro;
    oracle.values[number] = micro;
    oracle.masked[number] = is_masked;
    return GF_READING_REPLACED;
}

static void
day_check(const struct gf_change *change)
{
    const int64_t length_us =
        gf_day_start(oracle.zone, change->day + 1).us - gf_day_start(oracle.zone, change->day).us;
    const uint32_t day_length_s = (uint32_t)(length_us / GF_US_PER_S);
    const struct day_figures figures = day_figures_of(change->day);
    const uint32_t expected =
        oracle.interval_s == 86400 ? 1 : day_length_s / (uint32_t)oracle.interval_s;
    const double tolerance = oracle.interval_s >= 1800 || oracle.interval_s < 900 ? 1e-9 : 0.02;
    const double kwh = (double)figures.micro * 1e-6;
    assert_true(fabs(change->day_kwh - kwh) <= tolerance * kwh + 1e-9);
    assert_int_equal(change->day_slots, figures.slots - figures.masked);
    assert_int_equal(change->day_slots_expected, expected);
    assert_int_equal(change->day_is_clean, (figures.slots - figures.masked) * 10 >= expected * 9);
}

static void
windows_check(void)
{
    const struct gf_load *const load = &features.load;
    static const int32_t lengths[GF_WINDOW_COUNT] = {1, 7, 30, 90};
    if (load->ring_day == INT32_MIN) {
        return;
    }
    for (uint32_t window = 0; window < GF_WINDOW_COUNT; window++) {
        double sum = 0;
        uint32_t count = 0;
        for (int32_t day = load->ring_day - lengths[window] + 1; day <= load->ring_day; day++) {
            const struct day_figures figures = day_figures_of(day);
            sum += (double)figures.micro * 1e-6;
            count += figures.slots > 0;
            const float kept = gf_load_day_kwh(load, day);
            assert_int_equal(isnan(kept), figures.slots == 0);
            if (figures.slots > 0) { /* every late value rounds once more */
                assert_true(fabs((double)kept - (double)figures.micro * 1e-6) <=
                            0.015 * (double)figures.micro * 1e-6 + 1e-4);
            }
        }
        const double mean = count == 0 ? 0 : sum / count;
        assert_true(fabs((double)load->window_mean[window] - mean) <= 0.015 * mean + 1e-4);
    }
}

static void
oracle_begin(const struct gf_zone *zone, struct gf_time begin, int32_t interval_s)
{
    gf_features_init(&features);
    oracle.zone = zone;
    oracle.first_day = gf_day_of(zone, begin);
    oracle.begin = gf_day_start(zone, oracle.first_day);
    oracle.interval_s = interval_s;
    oracle.newest = -1;
    for (size_t i = 0; i < SLOT_COUNT_MAX; i++) {
        oracle.values[i] = EMPTY;
    }
}

/* A slot number to be told about next: mostly the one that follows, else after a gap, late, or
 * again. */
static int64_t
number_draw(struct gf_random *random)
{
    const int64_t slots_48h = oracle.interval_s == 86400 ? 1 : 48 * 3600 / oracle.interval_s - 1;
    const uint64_t dice = gf_random_next(random) % 100;
    if (dice < 2) {
        return oracle.newest + 1 +
               (int64_t)(gf_random_next(random) % (uint64_t)(3 * slots_48h + 1));
    }
    if (dice < 20 && oracle.newest > slots_48h) {
        return oracle.newest - (int64_t)(gf_random_next(random) % (uint64_t)slots_48h);
    }
    return oracle.newest + 1;
}

static void
today_check(void)
{
    const struct day_figures today = day_figures_of(features.load.day);
    if (oracle.interval_s >= 1800 || oracle.interval_s < 900) {
        assert_int_equal(features.load.day_micro_kwh, today.micro);
    }
    assert_int_equal(features.load.day_covered_s, today.slots * (uint32_t)oracle.interval_s);
    assert_int_equal(features.load.day_masked_s, today.masked * (uint32_t)oracle.interval_s);
}

static void
story_run(struct gf_random *random, const struct gf_zone *zone, struct gf_time begin,
          int32_t interval_s)
{
    struct gf_feature_context context = {
        .params = &maker_params, .zone = zone, .shard_time = GF_TIME_NONE};
    oracle_begin(zone, begin, interval_s);
    const int64_t steps = interval_s < 3600 ? 6000 : interval_s < 86400 ? 3000 : 150;
    for (int64_t step = 0; step < steps; step++) {
        const int64_t number = number_draw(random);
        if (number >= SLOT_COUNT_MAX) {
            break;
        }
        const bool is_again = oracle.values[number] != EMPTY && gf_random_next(random) % 2 == 0;
        const int64_t micro =
            is_again ? oracle.values[number] : 100000 + (int64_t)(gf_random_next(random) % 900000);
        const bool is_masked = gf_random_next(random) % 10 == 0;
        struct gf_meter_reading reading = maker_reading(start_of(number), interval_s, micro);
        reading.quality = is_masked ? GF_READING_QUALITY_ESTIMATED : GF_READING_QUALITY_ACTUAL;
        struct gf_change change;
        const int64_t old_micro = oracle.values[number];
        const bool old_masked = oracle.masked[number];
        const int32_t day_before = features.load.day;
        /* The closing is about the values before this one. */
        const int64_t newest_before = oracle.newest;
        assert_int_equal(
            maker_apply(&features, &context, GF_TOPIC_METER_READINGS, &reading, &change), GF_OK);
        if (change.day_closed) {
            assert_int_equal(change.day, day_before);
            day_check(&change);
        }
        bool is_certain = true;
        const enum gf_reading_outcome expected = oracle_take(number, micro, is_masked, &is_certain);
        uncertain_count += !is_certain;
        if (is_certain || change.outcome == expected) {
            assert_int_equal(change.outcome, expected);
        } else {
            /* A changed value that its hash did not show is taken for a duplicate: the oracle
             * forgets it. */
            assert_int_equal(change.outcome, GF_READING_DUPLICATE);
            missed_count++;
            oracle.values[number] = old_micro;
            oracle.masked[number] = old_masked;
            continue;
        }
        if (expected == GF_READING_NEW) {
            const int64_t gap = newest_before < 0 ? 0 : number - newest_before - 1;
            assert_int_equal(change.gap_slots, gap);
        }
        today_check();
        if (change.day_closed || expected == GF_READING_LATE_NEW || step % 97 == 0) {
            windows_check();
        }
    }
}

static void
test_sums_days_and_duplicates_are_those_of_the_oracle(void **state)
{
    (void)state;
    static struct gf_zone zones[3];
    static const char *const zone_names[] = {"Europe/London", "America/Los_Angeles",
                                             "Asia/Kolkata"};
    static const char *const begins[] = {"2016-03-10T12:00:00Z", "2016-10-20T12:00:00Z"};
    static const int32_t lengths[] = {300, 450, 900, 1200, 1800, 3600, 86400};
    const uint64_t seed = 20161030;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t zone = 0; zone < COUNT(zones); zone++) {
        maker_zone(zone_names[zone], &zones[zone]);
        for (size_t begin = 0; begin < COUNT(begins); begin++) {
            for (size_t length = 0; length < COUNT(lengths); length++) {
                struct gf_random random = {.seed = seed,
                                           .stream = zone * 100 + begin * 10 + length};
                story_run(&random, &zones[zone], maker_time(begins[begin]), lengths[length]);
            }
        }
    }
    print_message("%u of %u conflicts of short intervals missed\n", missed_count, uncertain_count);
    assert_true(uncertain_count > 1000);
    assert_true(missed_count * 10 < uncertain_count);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_days_and_duplicates_are_those_of_the_oracle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
