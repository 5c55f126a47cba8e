/* Stories of the tariff operator: what is given, what comes, what is announced and nothing else. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "operator/tariff/state.h"
#include "tariff_world.h"

#define DAY_S   INT64_C(86400)
#define HOUR_S  INT64_C(3600)
#define START_S INT64_C(1451865600) /* 2016-01-04T00:00:00Z, a Monday */
#define NORMAL  3000000             /* 30 EUR/MWh */
#define CHEAP   (-1000000)          /* -10 EUR/MWh */
#define DEAR    20000000            /* 200 EUR/MWh */

/* given   a dynamic plan at 0.30 EUR/kWh and five days of prices around 30 EUR/MWh (one hour in
 * twelve rather higher) */
static int
given_quiet_days(void **state)
{
    struct tariff_world *const world = world_new();
    assert_int_equal(world_plan(world, START_S), GF_OK);
    for (int64_t hour = 0; hour < 5 * 24; hour++) {
        const int64_t price = hour % 12 == 0 ? NORMAL + NORMAL / 12 : NORMAL;
        assert_int_equal(world_price(world, START_S, START_S + hour * HOUR_S, 3600, price, 1),
                         GF_OK);
    }
    assert_int_equal(world_count(world), 0);
    *state = world;
    return 0;
}

static int
finish(void **state)
{
    world_free(*state);
    return 0;
}

/* The hour of the sixth day, as a time. */
static int64_t
at(int64_t hour)
{
    return START_S + 5 * DAY_S + hour * HOUR_S;
}

/* When the prices of the sixth day are published: noon of the day before. */
static int64_t
noon(void)
{
    return at(-12);
}

static const struct tariff_state *
state_of(const struct tariff_world *world)
{
    return (const struct tariff_state *)(const void *)world->state;
}

static void
expect_hit(const struct gf_tariff_adjustment *record, const char *rule)
{
    for (uint32_t i = 0; i < record->guardrails_hit.count; i++) {
        if (gf_span_equal(record->guardrails_hit.items[i], gf_span_text(rule))) {
            return;
        }
    }
    fail_msg("guard-rail %s was not hit", rule);
}

static void
expect_reason(const struct gf_tariff_adjustment *record, const char *code)
{
    assert_true(record->reasons.count > 0);
    assert_int_equal(record->reasons.items[0].code.size, strlen(code));
    assert_memory_equal(record->reasons.items[0].code.data, code, strlen(code));
}

/* One wholesale price, and what becomes of 0.30 EUR/kWh. */
static void
prices_move_the_tariff(void **state)
{
    static const struct {
        const char *story;
        int64_t wholesale;
        uint32_t count;
        int32_t direction;
        int64_t price;
        const char *reason;
    } cases[] = {
        {"far below all: cut as far as the ramp allows", CHEAP, 1, GF_ADJUSTMENT_DIRECTION_CUT,
         21000000, "WHOLESALE_LOW"},
        {"far above all: raise as far as the ramp allows", DEAR, 1, GF_ADJUSTMENT_DIRECTION_RAISE,
         39000000, "WHOLESALE_HIGH"},
        {"as always: nothing", NORMAL, 0, 0, 0, NULL},
        {"a little lower than all: nothing, it is inside the spread", NORMAL - NORMAL / 20, 0, 0, 0,
         NULL},
        {"the harshest price of a real market: the same raise", 1550000000, 1,
         GF_ADJUSTMENT_DIRECTION_RAISE, 39000000, "WHOLESALE_HIGH"},
        {"and the lowest: the same cut", -100000000, 1, GF_ADJUSTMENT_DIRECTION_CUT, 21000000,
         "WHOLESALE_LOW"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        finish(state);
        given_quiet_days(state);
        struct tariff_world *const world = *state;
        assert_int_equal(world_price(world, noon(), at(13), 3600, cases[i].wholesale, 1), GF_OK);
        print_message("  %s\n", cases[i].story);
        assert_int_equal(world_count(world), cases[i].count);
        if (cases[i].count == 0) {
            continue;
        }
        const struct gf_tariff_adjustment *const record = world_adjustment(world, 0);
        assert_int_equal(record->direction, cases[i].direction);
        assert_int_equal(record->price_e8_per_kwh.e8_per_kwh, cases[i].price);
        assert_int_equal(record->base_e8_per_kwh.e8_per_kwh, 30000000);
        assert_int_equal(record->previous_e8_per_kwh.e8_per_kwh, 30000000);
        assert_int_equal(record->wholesale_e8_per_kwh.e8_per_kwh, cases[i].wholesale);
        assert_int_equal(record->interval_start.us, at(13) * GF_US_PER_S);
        assert_int_equal(record->interval_end.us, at(14) * GF_US_PER_S);
        assert_int_equal(record->announced_at.us, noon() * GF_US_PER_S);
        assert_int_equal(record->notice_s, 25 * 3600);
        assert_int_equal(record->version, 1);
        assert_false(record->has_supersedes);
        assert_true(isnan(record->load_share));
        expect_hit(record, "RAMP");
        expect_reason(record, cases[i].reason);
    }
}

static void
renewables_surge_and_the_price_is_cut(void **state)
{
    struct tariff_world *const world = *state;
    assert_int_equal(world_supply(world, noon(), at(13), 3600, 50000000, 80000000, 45000000),
                     GF_OK);
    assert_int_equal(world_price(world, noon(), at(13), 3600, NORMAL * 8 / 10, 1), GF_OK);
    assert_int_equal(world_count(world), 1);
    const struct gf_tariff_adjustment *const record = world_adjustment(world, 0);
    assert_int_equal(record->direction, GF_ADJUSTMENT_DIRECTION_CUT);
    assert_true(fabs(record->renewable_share - 0.9) < 1e-9);
    assert_true(fabs(record->load_share - 0.625) < 1e-9);
    bool is_surplus = false;
    for (uint32_t i = 0; i < record->reasons.count; i++) {
        is_surplus =
            is_surplus || gf_span_equal(record->reasons.items[i].code, gf_span_text("RES_SURPLUS"));
    }
    assert_true(is_surplus);
}

static void
load_peaks_and_the_price_is_raised(void **state)
{
    struct tariff_world *const world = *state;
    assert_int_equal(world_price(world, noon(), at(18), 3600, NORMAL, 1), GF_OK);
    assert_int_equal(world_count(world), 0);
    assert_int_equal(world_supply(world, noon() + 60, at(18), 3600, 79000000, 80000000, -1), GF_OK);
    assert_int_equal(world_count(world), 1);
    assert_int_equal(world_adjustment(world, 0)->direction, GF_ADJUSTMENT_DIRECTION_RAISE);
    expect_reason(world_adjustment(world, 0), "LOAD_PEAK");
}

static void
newer_price_version_supersedes_while_the_notice_holds(void **state)
{
    struct tariff_world *const world = *state;
    assert_int_equal(world_price(world, noon(), at(13), 3600, CHEAP, 1), GF_OK);
    assert_int_equal(world_price(world, noon(), at(14), 3600, NORMAL, 1), GF_OK);
    assert_int_equal(world_price(world, noon() + 60, at(13), 3600, NORMAL, 2), GF_OK);
    assert_int_equal(world_count(world), 2);
    const struct gf_tariff_adjustment *const second = world_adjustment(world, 1);
    assert_int_equal(second->direction, GF_ADJUSTMENT_DIRECTION_RETURN);
    assert_int_equal(second->price_e8_per_kwh.e8_per_kwh, 30000000);
    assert_int_equal(second->version, 2);
    assert_true(second->has_supersedes);
    assert_int_equal(second->supersedes, 1);
    assert_memory_not_equal(second->record_id, world_adjustment(world, 0)->record_id, 16);
    expect_reason(second, "RETURN_TO_BASE");

    assert_int_equal(world_price(world, noon() + 120, at(13), 3600, CHEAP, 1),
                     GF_OK); /* an old version: nothing */
    assert_int_equal(world_price(world, at(13) - 29 * 60, at(13), 3600, CHEAP, 3),
                     GF_OK); /* too late: nothing */
    assert_int_equal(world_count(world), 2);
    assert_int_equal(world_price(world, at(13) - 28 * 60, at(14), 3600, CHEAP, 2),
                     GF_OK); /* the next hour: in time */
    assert_int_equal(world_count(world), 3);
}

/* One limit of the plan, and where the cut to 0.21 or the raise to 0.39 then ends. */
static void
limits_of_the_plan_win(void **state)
{
    static const struct {
        const char *story;
        bool is_protected;
        int64_t floor, cap, wholesale, price; /* 0: none, nothing announced */
        const char *hit;
    } cases[] = {
        {"floor", false, 28000000, 0, CHEAP, 28000000, "FLOOR"},
        {"cap", false, 0, 31000000, DEAR, 31000000, "CAP"},
        {"protected: cut it may be", true, 0, 0, CHEAP, 21000000, "RAMP"},
        {"protected: raised it is never", true, 0, 0, DEAR, 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        finish(state);
        given_quiet_days(state);
        struct tariff_world *const world = *state;
        print_message("  %s\n", cases[i].story);
        world->plan.version = 2;
        world->plan.is_protected = cases[i].is_protected;
        world->plan.has_floor_e8_per_kwh = cases[i].floor != 0;
        world->plan.floor_e8_per_kwh.e8_per_kwh = cases[i].floor;
        world->plan.has_cap_e8_per_kwh = cases[i].cap != 0;
        world->plan.cap_e8_per_kwh.e8_per_kwh = cases[i].cap;
        assert_int_equal(world_plan(world, noon()), GF_OK);
        assert_int_equal(world_price(world, noon(), at(13), 3600, cases[i].wholesale, 1), GF_OK);
        assert_int_equal(world_count(world), cases[i].price != 0);
        if (cases[i].price != 0) {
            assert_int_equal(world_adjustment(world, 0)->price_e8_per_kwh.e8_per_kwh,
                             cases[i].price);
            expect_hit(world_adjustment(world, 0), cases[i].hit);
        }
    }
}

static void
second_step_of_a_ramp_goes_further(void **state)
{
    struct tariff_world *const world = *state;
    assert_int_equal(world_price(world, noon(), at(13), 3600, DEAR, 1), GF_OK);
    assert_int_equal(world_price(world, noon(), at(14), 3600, DEAR, 1), GF_OK);
    assert_int_equal(world_price(world, noon(), at(15), 3600, CHEAP, 1), GF_OK);
    assert_int_equal(world_count(world),
                     2); /* from +0.15 to a cut in one step there is only the plan's price */
    assert_int_equal(world_adjustment(world, 0)->price_e8_per_kwh.e8_per_kwh, 39000000);
    assert_int_equal(world_adjustment(world, 1)->price_e8_per_kwh.e8_per_kwh, 45000000);
    assert_int_equal(world_adjustment(world, 1)->previous_e8_per_kwh.e8_per_kwh, 39000000);
    assert_int_equal(world_adjustment(world, 1)->guardrails_hit.count, 0);
}

static void
changes_of_a_day_run_out(void **state)
{
    struct tariff_world *const world = *state;
    for (int64_t hour = 1; hour < 24;
         hour += 2) { /* each hour alone: a change there and one back */
        assert_int_equal(world_price(world, noon(), at(hour), 3600, CHEAP, 1), GF_OK);
    }
    assert_int_equal(world_count(world), 4);
    assert_int_equal(state_of(world)->held[GUARD_DAY_CHANGES], 8);
}

static void
kill_switch_takes_back_and_freeze_lets_stand(void **state)
{
    struct tariff_world *const world = *state;
    assert_int_equal(world_price(world, noon(), at(13), 3600, CHEAP, 1), GF_OK);
    assert_int_equal(world_control(world, noon() + 60, GF_CONTROL_KIND_FREEZE), GF_OK);
    assert_int_equal(world_price(world, noon() + 120, at(14), 3600, CHEAP, 1), GF_OK);
    assert_int_equal(world_count(world), 1);
    assert_int_equal(world_control(world, noon() + 180, GF_CONTROL_KIND_KILL_SWITCH), GF_OK);
    assert_int_equal(world_count(world), 2);
    assert_int_equal(world_adjustment(world, 1)->direction, GF_ADJUSTMENT_DIRECTION_RETURN);
    assert_int_equal(world_adjustment(world, 1)->version, 2);
    expect_reason(world_adjustment(world, 1), "KILL_SWITCH");
    assert_int_equal(world_control(world, noon() + 240, GF_CONTROL_KIND_KILL_SWITCH),
                     GF_OK); /* once is enough */
    assert_int_equal(world_price(world, noon() + 300, at(15), 3600, DEAR, 1), GF_OK);
    assert_int_equal(world_count(world), 2);
    assert_int_equal(world_control(world, noon() + 360, GF_CONTROL_KIND_RESUME), GF_OK);
    assert_int_equal(world_price(world, noon() + 420, at(15), 3600, DEAR, 2), GF_OK);
    assert_int_equal(world_count(world), 3);
}

static void
new_plan_takes_back_what_the_old_one_announced(void **state)
{
    struct tariff_world *const world = *state;
    assert_int_equal(world_price(world, noon(), at(13), 3600, DEAR, 1), GF_OK);
    world->plan.version = 2;
    world->plan.base_price_e8_per_kwh.e8_per_kwh = 25000000;
    assert_int_equal(world_plan(world, noon() + 60), GF_OK);
    assert_int_equal(world_count(world), 2);
    assert_int_equal(world_adjustment(world, 1)->direction, GF_ADJUSTMENT_DIRECTION_RETURN);
    assert_int_equal(world_adjustment(world, 1)->price_e8_per_kwh.e8_per_kwh, 25000000);
    expect_reason(world_adjustment(world, 1), "PLAN_CHANGED");
    world->plan.version = 3;
    world->plan.dynamic = false;
    assert_int_equal(world_plan(world, noon() + 120), GF_OK);
    assert_int_equal(world_price(world, noon() + 180, at(14), 3600, DEAR, 1), GF_OK);
    assert_int_equal(world_count(world), 2);
}

static void
area_that_is_no_longer_offered_falls_silent(void **state)
{
    struct tariff_world *const world = *state;
    world->plan.version = 2;
    world->areas[0] = gf_span_text("A2");
    assert_int_equal(world_plan(world, noon()), GF_OK);
    assert_int_equal(world_price(world, noon(), at(13), 3600, DEAR, 1), GF_OK);
    assert_int_equal(world_count(world), 0);
}

static void
band_that_ends_inside_the_slot_is_left_alone(void **state)
{
    struct tariff_world *const world = *state;
    world->plan.version = 2;
    world->bands[0] = (struct gf_band){.name = GF_BAND_NAME_PEAK,
                                       .days = GF_BAND_DAYS_ALL,
                                       .from_minute = 17 * 60,
                                       .to_minute = 19 * 60 + 30,
                                       .price_e8_per_kwh = {40000000}};
    world->plan.bands.count = 1;
    assert_int_equal(world_plan(world, noon()), GF_OK);
    assert_int_equal(world_price(world, noon(), at(19), 3600, DEAR, 1), GF_OK);
    assert_int_equal(world_count(world), 0);
    assert_int_equal(state_of(world)->held[GUARD_BAND_EDGE], 1);
    assert_int_equal(world_price(world, noon(), at(17), 3600, DEAR, 1), GF_OK);
    assert_int_equal(world_count(world), 1);
    assert_int_equal(world_adjustment(world, 0)->band, GF_BAND_NAME_PEAK);
    assert_int_equal(world_adjustment(world, 0)->base_e8_per_kwh.e8_per_kwh, 40000000);
    assert_int_equal(world_adjustment(world, 0)->price_e8_per_kwh.e8_per_kwh, 49000000);
}

static void
gap_in_the_prices_is_said_once(void **state)
{
    struct tariff_world *const world = *state;
    assert_int_equal(world_price(world, noon(), at(3), 3600, NORMAL, 1), GF_OK);
    assert_int_equal(world_price(world, noon(), at(4), 3600, NORMAL, 1), GF_OK);
    assert_int_equal(world_price(world, noon(), at(1), 3600, NORMAL, 1),
                     GF_OK); /* fills a part of it later */
    assert_int_equal(fake_out_count(world->out, GF_TOPIC_DATA_QUALITY), 1);
    const struct gf_data_quality *const record =
        &fake_out_record(world->out, GF_TOPIC_DATA_QUALITY, 0)->data_quality;
    assert_int_equal(record->rule, GF_QUALITY_RULE_PRICE_GAP);
    assert_true(gf_span_equal(record->entity, gf_span_text("T1|A1")));
    assert_int_equal(record->interval_start.us, at(0) * GF_US_PER_S);
    assert_int_equal(record->interval_s, 3 * 3600);
    assert_int_equal(record->count, 3);
}

static void
prices_in_another_currency_decide_nothing(void **state)
{
    struct tariff_world *const world = *state;
    world->plan.currency = gf_span_text("SEK");
    assert_int_equal(world_price(world, noon(), at(0), 3600, DEAR, 1), GF_OK);
    assert_int_equal(world_price(world, noon(), at(1), 3600, DEAR, 1), GF_OK);
    assert_int_equal(world_count(world), 0);
    assert_int_equal(fake_out_count(world->out, GF_TOPIC_DATA_QUALITY), 1);
    world->plan.currency = gf_span_text("EUR");
    assert_int_equal(world_price(world, noon(), at(2), 3600, DEAR, 1), GF_OK);
    assert_int_equal(world_count(world), 1);
}

/* given a market of five-minute prices known at their end, then the slot of an hour is decided
 * once, in time
 */
static void
five_minute_prices_decide_the_next_hour_once(void **state)
{
    struct tariff_world *const world = *state;
    uint32_t emitted_at = 0;
    for (uint32_t i = 0; i < 12; i++) {
        const int64_t end_s = at(0) + (i + 1) * 300;
        assert_int_equal(world_price(world, end_s, end_s - 300, 300, DEAR, 1), GF_OK);
        if (world_count(world) == 1 && emitted_at == 0) {
            emitted_at = i + 1;
        }
    }
    assert_int_equal(emitted_at, 6); /* at 00:30, half an hour before 01:00 */
    assert_int_equal(world_count(world), 1);
    const struct gf_tariff_adjustment *const record = world_adjustment(world, 0);
    assert_int_equal(record->interval_start.us, at(1) * GF_US_PER_S);
    assert_int_equal(record->interval_end.us, at(2) * GF_US_PER_S);
    assert_int_equal(record->notice_s, 1800);
}

static void
full_output_changes_nothing(void **state)
{
    struct tariff_world *const world = *state;
    assert_int_equal(world_price(world, noon(), at(12), 3600, NORMAL, 1), GF_OK);
    const uint32_t count = world->out->count;
    world->out->count_max = count;
    assert_int_equal(world_price(world, noon(), at(13), 3600, DEAR, 1), GF_E_FULL);
    assert_int_equal(state_of(world)->ring.count, 0);
    world->out->count_max = 0;
    assert_int_equal(world_price(world, noon(), at(13), 3600, DEAR, 2), GF_OK);
    assert_int_equal(world_count(world), 1);
    assert_int_equal(world_adjustment(world, 0)->version, 1);
}

static void
state_is_told_in_words(void **state)
{
    struct tariff_world *const world = *state;
    assert_int_equal(world_price(world, noon(), at(13), 3600, DEAR, 1), GF_OK);
    const struct gf_view view = {.now = {noon() * GF_US_PER_S}};
    char text[1000], cut[10];
    const size_t size = gf_op_tariff.describe(&view, world->state, text, sizeof text);
    assert_int_equal(size, strlen(text));
    assert_non_null(strstr(text, "\"raises\": 1"));
    assert_non_null(strstr(text, "\"price_per_kwh\": 0.39"));
    assert_int_equal(gf_op_tariff.describe(&view, world->state, cut, sizeof cut), size);
    assert_int_equal(strlen(cut), sizeof cut - 1);
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, given_quiet_days, finish)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(prices_move_the_tariff),
        STORY(renewables_surge_and_the_price_is_cut),
        STORY(load_peaks_and_the_price_is_raised),
        STORY(newer_price_version_supersedes_while_the_notice_holds),
        STORY(limits_of_the_plan_win),
        STORY(second_step_of_a_ramp_goes_further),
        STORY(changes_of_a_day_run_out),
        STORY(kill_switch_takes_back_and_freeze_lets_stand),
        STORY(new_plan_takes_back_what_the_old_one_announced),
        STORY(area_that_is_no_longer_offered_falls_silent),
        STORY(band_that_ends_inside_the_slot_is_left_alone),
        STORY(gap_in_the_prices_is_said_once),
        STORY(prices_in_another_currency_decide_nothing),
        STORY(five_minute_prices_decide_the_next_hour_once),
        STORY(full_output_changes_nothing),
        STORY(state_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
