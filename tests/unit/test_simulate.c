/* The simulator: the same bytes again, the truth about them, and sums that are right to the last
 * digit. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "folder_log.h"
#include "simulated.h"

/* ---- the same again ---- */

static enum gf_rc
folder_append(void *context, const struct gf_record *record, struct gf_error *error)
{
    return gf_folder_writer_append(context, record, error);
}

static void
folder_fill(const char *log, uint64_t seed)
{
    struct gf_error error = {{0}};
    struct gf_folder_writer *writer = NULL;
    struct gf_simulate_summary summary;
    struct gf_simulate_options options = options_of(50, 20);
    const struct gf_folder_options folder = {.path = log, .no_sync = true};
    assert_ok(gf_folder_writer_open(&folder, &writer, &error));
    char path[FOLDER_PATH_SIZE];
    file_path(path, log, "truth.ndjson");
    options.seed = seed;
    options.target = (struct gf_simulate_target){.context = writer, .append = folder_append};
    options.truth = fopen(path, "w");
    assert_non_null(options.truth);
    assert_ok(gf_simulate(&options, &summary, &error));
    fclose(options.truth);
    assert_ok(gf_folder_writer_close(writer, &error));
    assert_true(summary.records[GF_TOPIC_METER_READINGS] > 40000 &&
                summary.records[GF_TOPIC_BILLING_INVOICES] > 40);
}

static void
test_same_seed_same_bytes(void **state)
{
    (void)state;
    char left[FOLDER_PATH_SIZE], right[FOLDER_PATH_SIZE], other[FOLDER_PATH_SIZE];
    folder_make(left);
    folder_make(right);
    folder_make(other);
    folder_fill(left, 7);
    folder_fill(right, 7);
    folder_fill(other, 8);
    folder_assert_equal(left, right);
    char left_truth[FOLDER_PATH_SIZE], other_truth[FOLDER_PATH_SIZE];
    file_path(left_truth, left, "truth.ndjson");
    file_path(other_truth, other, "truth.ndjson");
    assert_int_not_equal(file_size(left_truth), file_size(other_truth));
    folder_remove(left);
    folder_remove(right);
    folder_remove(other);
}

static void
test_more_days_keep_what_was(void **state)
{
    (void)state;
    struct gf_simulate_options options = options_of(60, 25);
    options.theft_ppm = 500000;
    struct world *shorter = world_make(options, NULL);
    options.days = 50;
    struct world *longer = world_make(options, shorter);
    assert_true(longer->summary.record_count > shorter->summary.record_count * 3 / 2);
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
            const struct place *before = &shorter->places[topic][i],
                               *after = &longer->places[topic][i];
            assert_true(after->count >= before->count);
            if (before->count > 0) {
                assert_memory_equal(&before->digest, &after->digest_marked, sizeof before->digest);
            }
        }
    }
    for (uint32_t i = 0; i < shorter->fact_count; i++) {
        assert_memory_equal(&shorter->facts[i], &longer->facts[i], sizeof shorter->facts[i]);
    }
    world_free(shorter);
    world_free(longer);
}

static void
test_more_customers_keep_the_others(void **state)
{
    (void)state;
    struct world *fewer = world_make(options_of(40, 20), NULL),
                 *more = world_make(options_of(100, 20), NULL);
    for (uint32_t i = 1; i <= 40; i++) {
        assert_int_equal(fewer->people[i].records, more->people[i].records);
        assert_true(fewer->people[i].records > 900);
        assert_memory_equal(&fewer->people[i].digest, &more->people[i].digest,
                            sizeof(struct gf_digest));
    }
    world_free(fewer);
    world_free(more);
}

/* ---- sums ---- */

static uint32_t
customer_conserves(const struct world *world, uint32_t customer)
{
    const struct person *person = &world->people[customer];
    int64_t size = 1000000;
    for (uint32_t i = 0; i < person->digits; i++) {
        size *= 10;
    }
    uint32_t days = 0;
    for (uint32_t i = readings_find(world, customer, GF_READING_KIND_REGISTER);
         i + 1 < world->reading_count; i++) {
        const struct reading *before = &world->readings[i], *after = &world->readings[i + 1];
        if (after->customer != customer || after->kind != GF_READING_KIND_REGISTER) {
            break;
        }
        uint32_t count = 0;
        const int64_t sum = actual_sum(world, customer, before->start_us, after->start_us, &count);
        if (before->generation == after->generation &&
            (int64_t)count * 1800 * GF_US_PER_S == after->start_us - before->start_us) {
            const int64_t difference = after->energy - before->energy;
            const int64_t advance =
                (difference < 0 ? difference + size : difference) * person->multiplier;
            assert_true(llabs(advance - sum) <= person->lsb * person->multiplier);
            days++;
        }
    }
    return days;
}

static void
test_register_is_the_sum_of_intervals(void **state)
{
    (void)state;
    struct world *world = world_make(options_of(120, 40), NULL);
    readings_sort(world);
    uint32_t days = 0;
    for (uint32_t customer = 1; customer <= 120; customer++) {
        days += has_fact(world, customer, "stuck") ? 0 : customer_conserves(world, customer);
    }
    assert_true(days > 3500 && days < 120 * 39);
    world_free(world);
}

/* Price of a plan at a local time, by the rule of its schema: the first band that matches, else the
 * base price. */
static struct gf_price
price_at(const struct world *world, uint32_t plan, int64_t start_us)
{
    struct gf_civil civil;
    const struct gf_zone *zone = gf_zones_find(&simulated_zones, "Europe/Berlin");
    gf_civil_of(zone, (struct gf_time){start_us}, &civil);
    const int32_t minute = civil.hour * 60 + civil.minute;
    const bool is_weekend = gf_weekday_of(gf_day_of(zone, (struct gf_time){start_us})) >= 5;
    for (uint32_t i = 0; i < world->plans[plan].bands.count; i++) {
        const struct gf_band *band = &world->bands[plan][i];
        const int32_t excluded = is_weekend ? GF_BAND_DAYS_WEEKDAY : GF_BAND_DAYS_WEEKEND;
        if (band->days != excluded && minute >= band->from_minute && minute < band->to_minute) {
            return band->price_e8_per_kwh;
        }
    }
    return world->plans[plan].base_price_e8_per_kwh;
}

static void
test_invoices_are_exact(void **state)
{
    (void)state;
    struct world *world = world_make(options_of(200, 40), NULL);
    readings_sort(world);
    uint32_t complete = 0, checked = 0;
    for (uint32_t i = 0; i < world->invoice_count; i++) {
        const struct gf_invoice *invoice = &world->invoices[i];
        const uint32_t customer = world->invoice_customers[i];
        assert_true(invoice->due_at.us > invoice->issued_at.us &&
                    invoice->issued_at.us >= invoice->period_to.us);
        if (has_fact(world, customer, "stuck")) {
            continue; /* the register is right there, the readings are not */
        }
        uint32_t count = 0;
        const int64_t from_us = invoice->period_from.us, to_us = invoice->period_to.us;
        const int64_t sum = actual_sum(world, customer, from_us, to_us, &count);
        assert_int_equal(
            invoice->energy_micro_kwh.micro_kwh - invoice->estimated_micro_kwh.micro_kwh, sum);
        checked++;
        if ((int64_t)count * 1800 * GF_US_PER_S != to_us - from_us) {
            continue;
        }
        /* micro-kWh x 1e-8 a kWh, in 128 bits: whole Wh and whole cents leave nothing to round but
         * the end. */
        __int128 exact = 0;
        int64_t last_us = INT64_MIN;
        for (uint32_t at = readings_find(world, customer, GF_READING_KIND_INTERVAL);
             world->readings[at].customer == customer && world->readings[at].start_us < to_us &&
             world->readings[at].kind == GF_READING_KIND_INTERVAL;
             at++) {
            const struct reading *reading = &world->readings[at];
            if (reading->quality == GF_READING_QUALITY_ACTUAL && reading->start_us != last_us) {
                exact += (__int128)reading->energy *
                         price_at(world, world->people[customer].plan, last_us = reading->start_us)
                             .e8_per_kwh;
            }
        }
        assert_true(exact % 100000000 == 0);
        assert_int_equal(
            invoice->amount_micro.micro,
            gf_money_round_cent((struct gf_money){(int64_t)(exact / 100000000)}).micro);
        complete++;
    }
    assert_true(world->invoice_count >= 195 && checked > 150 && complete > 50);
    world_free(world);
}

/* ---- the truth ---- */

static void
test_readings_are_doubled_only_where_told(void **state)
{
    (void)state;
    struct world *world = world_make(options_of(150, 30), NULL);
    readings_sort(world);
    uint32_t doubled = 0, estimated = 0;
    for (uint32_t i = 0; i < world->reading_count; i++) {
        const struct reading *reading = &world->readings[i];
        if (i > 0 && reading_compare(reading - 1, reading) == 0) {
            assert_int_equal((reading - 1)->energy, reading->energy);
            assert_true(is_told(world, reading, "duplicate"));
            doubled++;
        }
        if (reading->quality == GF_READING_QUALITY_ESTIMATED) {
            assert_true(is_told(world, reading, "estimated"));
            estimated++;
        }
        if ((reading->status_bits & 0x80) != 0) {
            assert_int_equal(reading->energy, 0);
            assert_true(is_told(world, reading, "power_fail"));
        }
    }
    assert_true(doubled > 50 && estimated > 50);
    world_free(world);
}

static void
test_truth_counts_match_the_rates(void **state)
{
    (void)state;
    struct gf_simulate_options options = options_of(2000, 220);
    options.interval_s = 86400;
    options.theft_ppm = 100000;
    struct world *world = world_make(options, NULL);
    uint32_t counts[GF_FACT_COUNT], lines = 0, told = 0;
    for (int fact = 0; fact < GF_FACT_COUNT; fact++) {
        counts[fact] = tellings(world, gf_simulate_fact_name((enum gf_simulate_fact)fact), &lines);
        assert_int_equal(lines, world->summary.facts[fact]);
        told += lines;
    }
    assert_int_equal(told, world->fact_count);
    /* 200 thieves, all begun by day 215: within four standard deviations of 13.4. */
    assert_in_range(counts[GF_FACT_THEFT_SCALE] + counts[GF_FACT_THEFT_BYPASS] +
                        counts[GF_FACT_THEFT_REGISTER],
                    146, 254);
    assert_in_range(counts[GF_FACT_THEFT_SCALE], 45, 115);
    assert_in_range(counts[GF_FACT_THEFT_BYPASS], 45, 115);
    assert_in_range(counts[GF_FACT_THEFT_REGISTER], 18, 62);
    /* 1 % of 440,000 readings never come: within ten standard deviations. */
    assert_in_range(world->summary.facts[GF_FACT_MISSING], 3800, 5100);
    const uint64_t late_payers =
        counts[GF_FACT_PAID_PARTLY] + counts[GF_FACT_UNPAID] + counts[GF_FACT_REVERSED];
    assert_in_range(late_payers, 100, 200); /* three of the four ways of 200 customers */
    uint32_t intervals = 0;
    for (uint32_t i = 0; i < world->reading_count; i++) {
        intervals += world->readings[i].kind == GF_READING_KIND_INTERVAL ? 1 : 0;
    }
    const uint64_t expected = 2000 * 220 - world->summary.facts[GF_FACT_MISSING];
    assert_in_range(intervals, expected - 100,
                    expected + 6000); /* the last day's late ones; twice-sent ones */
    world_free(world);
}

static void
test_thieves_show_what_is_told(void **state)
{
    (void)state;
    struct gf_simulate_options options = options_of(120, 130);
    options.theft_ppm = 1000000;
    struct world *world = world_make(options, NULL);
    readings_sort(world);
    uint32_t backwards = 0, thefts = 0, told = 0, bypassed = 0;
    for (uint32_t i = 1; i < world->reading_count; i++) {
        const struct reading *before = &world->readings[i - 1], *after = &world->readings[i];
        backwards += after->kind == GF_READING_KIND_REGISTER && before->kind == after->kind &&
                     before->customer == after->customer &&
                     before->generation == after->generation && after->energy < before->energy &&
                     !has_fact(world, after->customer, "rollover");
    }
    for (uint32_t i = 0; i < world->fact_count; i++) {
        const struct fact *fact = &world->facts[i];
        const bool is_back = strcmp(fact->kind, "theft_register_back") == 0;
        told += is_back && !has_fact(world, fact->customer, "rollover") ? 1 : 0;
        thefts += is_back || strncmp(fact->kind, "theft_", 6) == 0 ? 1 : 0;
        if (strcmp(fact->kind, "theft_bypass") == 0 && !has_fact(world, fact->customer, "stuck")) {
            uint32_t count = 0;
            /* 00:00 to 02:00 local lies in every window. */
            assert_int_equal(actual_sum(world, fact->customer, fact->from_us,
                                        fact->from_us + 2 * GF_US_PER_HOUR, &count),
                             0);
            bypassed += count;
        }
    }
    assert_true(thefts > 50 && told > 5 && bypassed > 20);
    assert_int_equal(backwards, told);
    world_free(world);
}

/* ---- the market, and plain readings ---- */

static void
test_prices_cover_every_hour(void **state)
{
    (void)state;
    struct gf_simulate_options options = options_of(1, 365);
    options.interval_s = 86400;
    struct world *world = world_make(options, NULL);
    int64_t next_us = gf_day_start(options.zone, options.start_day).us, lowest = INT64_MAX,
            highest = INT64_MIN;
    uint32_t negative = 0;
    for (uint32_t i = 0; i < world->price_count; i++) {
        const struct gf_market_price *price = &world->prices[i];
        assert_int_equal(price->interval_start.us, next_us);
        assert_true(price->published_at.us < price->interval_start.us);
        next_us += price->interval_s * GF_US_PER_S;
        const int64_t value = price->price_e8_per_kwh.e8_per_kwh;
        lowest = value < lowest ? value : lowest;
        highest = value > highest ? value : highest;
        negative += value < 0 ? 1 : 0;
    }
    assert_true(next_us >= gf_day_start(options.zone, options.start_day + 365).us);
    /* In a year some hours are negative, most are not, and some are dear: 100,000 is 1 EUR/MWh. */
    assert_in_range(negative, 50, 1800);
    assert_true(lowest < -1000000 && highest > 20000000);
    world_free(world);
}

static void
test_plain_is_readings_alone(void **state)
{
    (void)state;
    struct gf_simulate_options options = options_of(100, 2);
    options.is_plain = true;
    struct world *world = world_make(options, NULL);
    assert_int_equal(world->summary.record_count, 100 * 2 * 48);
    assert_int_equal(world->reading_count, world->summary.record_count);
    assert_int_equal(world->fact_count, 0);
    int64_t sum = 0;
    for (uint32_t i = 0; i < world->reading_count; i++) {
        assert_int_equal(world->readings[i].quality, GF_READING_QUALITY_ACTUAL);
        sum += world->readings[i].energy;
    }
    assert_true(sum > 0);
    world_free(world);
    options.with_contracts = true;
    world = world_make(options, NULL);
    assert_int_equal(world->summary.records[GF_TOPIC_CUSTOMER_CONTRACTS], 100);
    assert_int_equal(world->summary.records[GF_TOPIC_METER_READINGS], 100 * 2 * 48);
    assert_true(world->summary.records[GF_TOPIC_MARKET_PRICES] >= 48);
    world_free(world);
}

static void
test_wrong_options_are_refused(void **state)
{
    (void)state;
    struct gf_error error = {{0}};
    struct gf_simulate_summary summary;
    struct gf_simulate_options options = options_of(0, 1);
    assert_rc(gf_simulate(&options, &summary, &error), GF_E_USAGE);
    options = options_of(1, 0);
    assert_rc(gf_simulate(&options, &summary, &error), GF_E_USAGE);
    options = options_of(1, 1);
    options.interval_s = 300;
    assert_rc(gf_simulate(&options, &summary, &error), GF_E_USAGE);
    options = options_of(1, 1);
    options.theft_ppm = 1000001;
    assert_rc(gf_simulate(&options, &summary, &error), GF_E_USAGE);
}

static int
zones_open(void **state)
{
    (void)state;
    struct gf_error error;
    return gf_zones_load(NULL, &simulated_zones, &error) == GF_OK ? 0 : -1;
}

static int
zones_close(void **state)
{
    (void)state;
    gf_zones_free(&simulated_zones);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_bytes),
        cmocka_unit_test(test_more_days_keep_what_was),
        cmocka_unit_test(test_more_customers_keep_the_others),
        cmocka_unit_test(test_register_is_the_sum_of_intervals),
        cmocka_unit_test(test_invoices_are_exact),
        cmocka_unit_test(test_readings_are_doubled_only_where_told),
        cmocka_unit_test(test_truth_counts_match_the_rates),
        cmocka_unit_test(test_thieves_show_what_is_told),
        cmocka_unit_test(test_prices_cover_every_hour),
        cmocka_unit_test(test_plain_is_readings_alone),
        cmocka_unit_test(test_wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, zones_open, zones_close);
}
