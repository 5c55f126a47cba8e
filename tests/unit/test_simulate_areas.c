/* The simulator's areas and head-end: totals that are the readings and what is told to the last
 * digit, and the same readings by another way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "folder_log.h"
#include "simulated.h"

static struct gf_simulate_options
areas_of(uint32_t customers, uint32_t days)
{
    struct gf_simulate_options options = options_of(customers, days);
    options.theft_ppm = 500000;
    options.with_areas = true;
    return options;
}

/* What the readings of an area's hour come to, each slot's best value once, less exports, and
 * without those that come too late. */
static int64_t
reported_sum(const struct world *world, const struct area_hour *hour)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < world->reading_count; i++) {
        const struct reading *reading = &world->readings[i], *next = reading + 1;
        if (reading->kind != GF_READING_KIND_INTERVAL || reading->start_us < hour->start_us ||
            reading->start_us >= hour->start_us + GF_US_PER_HOUR ||
            world->people[reading->customer].area != hour->area ||
            is_told(world, reading, "too_late")) {
            continue;
        }
        const bool is_last = i + 1 == world->reading_count || next->customer != reading->customer ||
                             next->is_export != reading->is_export ||
                             next->start_us != reading->start_us;
        sum += !is_last ? 0 : reading->is_export ? -reading->energy : reading->energy;
    }
    return sum;
}

static void
test_totals_are_readings_and_losses(void **state)
{
    (void)state;
    struct world *world = world_make(areas_of(60, 50), NULL);
    readings_sort(world);
    const struct area_hour *last = &world->hours[world->hour_count - 1];
    uint32_t doubtful = 0, stolen = 0, checked = 0;
    assert_int_equal(world->told_count, world->hour_count);
    assert_int_equal(world->summary.facts[GF_FACT_AREA_LOSS], world->hour_count);
    assert_int_equal(world->summary.records[GF_TOPIC_AREA_TOTALS], world->hour_count);
    for (uint32_t i = 0; i < world->hour_count; i++) {
        const struct area_hour *hour = &world->hours[i];
        assert_int_equal(hour->sent, hour->total);
        assert_true(hour->loss >= 0 && hour->theft >= 0);
        assert_true(hour->unreported == 0 || hour->unreported_count > 0);
        /* Of the last day some come late, and then not at all; one hour in seven is enough. */
        if (last->start_us - hour->start_us < GF_US_PER_DAY || i % 7 != 0) {
            continue;
        }
        assert_int_equal(hour->total,
                         reported_sum(world, hour) + hour->loss + hour->theft + hour->unreported);
        checked++;
        doubtful += hour->unreported_count > 0 ? 1 : 0;
        stolen += hour->theft > 0 ? 1 : 0;
    }
    assert_true(checked > 1500 && doubtful > 20 && stolen > 50 && doubtful < checked / 4);
    world_free(world);
}

static void
test_areas_change_nothing_else(void **state)
{
    (void)state;
    struct gf_simulate_options options = areas_of(40, 20);
    struct world *with = world_make(options, NULL);
    options.with_areas = false;
    struct world *without = world_make(options, NULL);
    assert_int_equal(with->summary.record_count, without->summary.record_count + with->hour_count);
    assert_memory_equal(with->facts, without->facts, with->fact_count * sizeof *with->facts);
    for (uint32_t i = 1; i <= 40; i++) {
        assert_memory_equal(&with->people[i].digest, &without->people[i].digest,
                            sizeof(struct gf_digest));
    }
    world_free(with);
    world_free(without);
}

/* The same readings, by meter; who gets another meter has a contract that names it. */
static void
test_headend_sends_the_same_readings(void **state)
{
    (void)state;
    struct gf_simulate_options options = options_of(600, 150);
    options.interval_s = 86400;
    struct world *own = world_make(options, NULL);
    options.headend_ppm = 500000;
    struct world *split = world_make(options, NULL);
    readings_sort(own);
    readings_sort(split);
    assert_int_equal(own->reading_count, split->reading_count);
    for (uint32_t i = 0; i < own->reading_count; i++) {
        const struct reading *left = &own->readings[i], *right = &split->readings[i];
        assert_true(reading_compare(left, right) == 0 && left->energy == right->energy &&
                    left->generation == right->generation);
    }
    assert_in_range(split->summary.records[GF_TOPIC_HEADEND_READINGS], own->reading_count * 2 / 5,
                    own->reading_count * 3 / 5);
    assert_int_equal(split->summary.records[GF_TOPIC_HEADEND_READINGS] +
                         split->summary.records[GF_TOPIC_METER_READINGS],
                     own->reading_count);
    uint32_t exchanges = 0, contracts = 0;
    for (uint32_t i = 1; i <= 600; i++) {
        assert_int_equal(own->people[i].contracts, 1);
        exchanges += has_fact(split, i, "exchange");
        contracts += split->people[i].contracts;
        assert_true(split->people[i].contracts == 1 || has_fact(split, i, "exchange"));
    }
    assert_true(contracts > 600 && contracts < 600 + exchanges);
    world_free(own);
    world_free(split);
}

static void
test_wrong_options_are_refused(void **state)
{
    (void)state;
    struct gf_error error = {{0}};
    struct gf_simulate_summary summary;
    struct gf_simulate_options options = areas_of(1, 1);
    options.interval_s = 86400;
    assert_rc(gf_simulate(&options, &summary, &error), GF_E_USAGE);
    options = areas_of(1, 1);
    options.is_plain = true;
    assert_rc(gf_simulate(&options, &summary, &error), GF_E_USAGE);
    options = areas_of(1, 1);
    options.zone = gf_zones_find(&simulated_zones, "Asia/Kolkata");
    assert_rc(gf_simulate(&options, &summary, &error), GF_E_USAGE);
    options = options_of(1, 1);
    options.headend_ppm = 1000001;
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
        cmocka_unit_test(test_totals_are_readings_and_losses),
        cmocka_unit_test(test_areas_change_nothing_else),
        cmocka_unit_test(test_headend_sends_the_same_readings),
        cmocka_unit_test(test_wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, zones_open, zones_close);
}
