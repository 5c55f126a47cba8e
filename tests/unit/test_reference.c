/* The reference: prices, supply, plans and stops, as look-ups see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "state/reference.h"

#define S GF_US_PER_S

static struct gf_error error;

static int
reference_new(void **state, uint32_t prices_max)
{
    const struct gf_reference_options options = {.prices_per_zone_max = prices_max,
                                                 .supplies_per_zone_max = 8};
    void *const memory = aligned_alloc(64, gf_reference_size(&options));
    assert_non_null(memory);
    *state = gf_reference_init(memory, &options);
    return 0;
}

static int
setup(void **state)
{
    return reference_new(state, 64);
}

static int
teardown(void **state)
{
    free(*state);
    return 0;
}

static enum gf_rc
apply(void *reference, enum gf_topic topic, const void *body, bool *changed_out)
{
    const struct gf_event event = {.topic = (int32_t)topic, .body = body};
    enum gf_reference_effect effect = GF_REFERENCE_IGNORED;
    const enum gf_rc rc = gf_reference_apply(reference, &event, &effect, &error);
    *changed_out = effect == GF_REFERENCE_CHANGED;
    return rc;
}

static struct gf_market_price
price_of(int64_t start_s, int32_t interval_s, int64_t e8, int32_t version)
{
    return (struct gf_market_price){.zone = gf_span_text("DE"),
                                    .product = GF_MARKET_PRODUCT_DAY_AHEAD,
                                    .interval_start = {start_s * S},
                                    .interval_s = interval_s,
                                    .price_e8_per_kwh = {e8},
                                    .currency = gf_span_text("EUR"),
                                    .version = version};
}

static bool
price_put(void *reference, int64_t start_s, int32_t interval_s, int64_t e8, int32_t version)
{
    const struct gf_market_price record = price_of(start_s, interval_s, e8, version);
    bool is_changed = false;
    assert_int_equal(apply(reference, GF_TOPIC_MARKET_PRICES, &record, &is_changed), GF_OK);
    return is_changed;
}

/* -1: not known. */
static int64_t
price_get(const void *reference, int64_t s)
{
    const struct gf_price_tick *const tick =
        gf_reference_price(reference, gf_span_text("DE"), (struct gf_time){s * S});
    return tick == NULL ? -1 : tick->price.e8_per_kwh;
}

static void
newest_version_of_a_price_wins(void **state)
{
    assert_true(price_put(*state, 3600, 3600, 100, 1));
    assert_false(price_put(*state, 3600, 3600, 100, 1));
    assert_true(price_put(*state, 3600, 3600, 300, 3));
    assert_false(price_put(*state, 3600, 3600, 200, 2));
    assert_int_equal(price_get(*state, 3600), 300);
    assert_int_equal(price_get(*state, 7199), 300);
    assert_int_equal(price_get(*state, 7200), -1);
    assert_int_equal(price_get(*state, 3599), -1);
    assert_null(gf_reference_price(*state, gf_span_text("FR"), (struct gf_time){3600 * S}));
}

static void
market_may_go_from_half_hours_to_five_minutes(void **state)
{
    price_put(*state, 0, 1800, 1, 1);
    price_put(*state, 1800, 1800, 2, 1);
    price_put(*state, 3600, 300, 3, 1);
    price_put(*state, 3900, 300, 4, 1);
    price_put(*state, 1800 + 300, 300, 5,
              1); /* inside a half-hour: the shorter, later one holds for its time */
    assert_int_equal(price_get(*state, 1800), 2);
    assert_int_equal(price_get(*state, 2100), 5);
    assert_int_equal(price_get(*state, 2400), 2);
    assert_int_equal(price_get(*state, 3600), 3);
    assert_int_equal(price_get(*state, 4199), 4);
    assert_int_equal(price_get(*state, 4200), -1);
}

static void
oldest_prices_go_when_the_ring_is_full(void **state)
{
    teardown(state);
    reference_new(state, 4);
    for (int64_t i = 1; i <= 6; i++) {
        assert_true(price_put(*state, i * 3600, 3600, i, 1));
    }
    assert_int_equal(price_get(*state, 2 * 3600), -1);
    assert_int_equal(price_get(*state, 3 * 3600), 3);
    assert_int_equal(price_get(*state, 6 * 3600), 6);
    assert_false(price_put(*state, 1 * 3600, 3600, 1, 9)); /* older than all that fit */
    assert_int_equal(price_get(*state, 3 * 3600), 3);
}

/* Against a plain table: random order, versions, evictions; every hour asked, and ranks counted. */
static void
prices_in_any_order_are_as_a_plain_table_has_them(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct gf_random random = {.seed = seed};
        teardown(state);
        reference_new(state, 300);
        int64_t price[200] = {0};
        int32_t version[200] = {0};
        for (int i = 0; i < 600; i++) {
            const int64_t hour = (int64_t)(gf_random_next(&random) % 200);
            const int32_t new_version = 1 + (int32_t)(gf_random_next(&random) % 4);
            const int64_t e8 = (int64_t)(gf_random_next(&random) % 50);
            const bool is_newer = new_version > version[hour];
            if (price_put(*state, hour * 3600, 3600, e8, new_version) != is_newer) {
                fail_msg("seed %d: step %d", (int)seed, i);
            }
            if (is_newer) {
                version[hour] = new_version;
                price[hour] = e8;
            }
        }
        uint32_t known = 0, cheaper = 0;
        for (int64_t hour = 0; hour < 200; hour++) {
            assert_int_equal(price_get(*state, hour * 3600 + 1800),
                             version[hour] == 0 ? -1 : price[hour]);
            if (hour >= 30 && hour < 150 && version[hour] != 0) {
                known++;
                cheaper += price[hour] < 25;
            }
        }
        for (int again = 0; again < 2; again++) { /* the second time from memory */
            uint32_t count = 0, below = 0;
            gf_reference_price_rank(*state, gf_span_text("DE"), (struct gf_time){30 * 3600 * S},
                                    (struct gf_time){150 * 3600 * S}, (struct gf_price){25}, &count,
                                    &below);
            assert_int_equal(count, known);
            assert_int_equal(below, cheaper);
        }
    }
}

static void
rank_is_counted_anew_after_a_price(void **state)
{
    uint32_t count = 0, cheaper = 0;
    const struct gf_time from = {0}, to = {86400 * S};
    price_put(*state, 0, 3600, 10, 1);
    gf_reference_price_rank(*state, gf_span_text("DE"), from, to, (struct gf_price){20}, &count,
                            &cheaper);
    assert_int_equal(count, 1);
    assert_int_equal(cheaper, 1);
    price_put(*state, 0, 3600, 30, 2);
    gf_reference_price_rank(*state, gf_span_text("DE"), from, to, (struct gf_price){20}, &count,
                            &cheaper);
    assert_int_equal(count, 1);
    assert_int_equal(cheaper, 0);
    gf_reference_price_rank(*state, gf_span_text("XX"), from, to, (struct gf_price){20}, &count,
                            &cheaper);
    assert_int_equal(count, 0);
}

static void
bad_prices_are_refused_and_change_nothing(void **state)
{
    const struct gf_market_price good = price_of(3600, 3600, 100, 1);
    struct gf_market_price cases[11];
    for (size_t i = 0; i < 11; i++) {
        cases[i] = good;
    }
    cases[0].currency = gf_span_text("EU");
    cases[1].currency = gf_span_text("eur");
    cases[2].currency = gf_span_of(NULL, 0);
    cases[3].price_e8_per_kwh.e8_per_kwh = INT64_MAX;
    cases[4].price_e8_per_kwh.e8_per_kwh = INT64_MIN;
    cases[5].interval_s = 299;
    cases[6].interval_s = 7 * 60 * 60;
    cases[7].interval_start.us = -1;
    cases[8].interval_start.us = 1;
    cases[9].version = 0;
    cases[10].zone = gf_span_text("twelve-bytes");
    for (size_t i = 0; i < 11; i++) {
        bool is_changed = true;
        error.text[0] = '\0';
        assert_int_equal(apply(*state, GF_TOPIC_MARKET_PRICES, &cases[i], &is_changed),
                         GF_E_BAD_FIELD);
        assert_false(is_changed);
        assert_true(strlen(error.text) > 10);
        assert_int_equal(price_get(*state, 3600), -1);
    }
}

static void
zones_beyond_the_table_are_refused(void **state)
{
    char name[16];
    bool is_changed = false;
    struct gf_market_price record = price_of(0, 3600, 1, 1);
    for (int i = 0; i < GF_REFERENCE_ZONE_COUNT_MAX; i++) {
        snprintf(name, sizeof name, "Z%d", i);
        record.zone = gf_span_text(name);
        assert_int_equal(apply(*state, GF_TOPIC_MARKET_PRICES, &record, &is_changed), GF_OK);
    }
    record.zone = gf_span_text("ONE-MORE");
    assert_int_equal(apply(*state, GF_TOPIC_MARKET_PRICES, &record, &is_changed), GF_E_FULL);
    assert_false(is_changed);
}

static void
supply_keeps_actuals_and_what_is_not_unsaid(void **state)
{
    struct gf_supply_state record = {.zone = gf_span_text("DE"),
                                     .interval_start = {3600 * S},
                                     .interval_s = 3600,
                                     .has_demand_kw = true,
                                     .demand_kw = 100,
                                     .has_renewable_forecast_kw = true,
                                     .renewable_forecast_kw = 40,
                                     .published_at = {1000 * S}};
    bool is_changed = false;
    assert_int_equal(apply(*state, GF_TOPIC_SUPPLY_STATE, &record, &is_changed), GF_OK);
    assert_true(is_changed);
    record = (struct gf_supply_state){.zone = gf_span_text("DE"),
                                      .interval_start = {3600 * S},
                                      .interval_s = 3600,
                                      .has_renewable_actual_kw = true,
                                      .renewable_actual_kw = 55,
                                      .published_at = {2000 * S}};
    assert_int_equal(apply(*state, GF_TOPIC_SUPPLY_STATE, &record, &is_changed), GF_OK);
    record.has_renewable_actual_kw = false;
    record.has_renewable_forecast_kw = true;
    record.renewable_forecast_kw = 10;
    record.published_at.us = 3000 * S;
    assert_int_equal(apply(*state, GF_TOPIC_SUPPLY_STATE, &record, &is_changed), GF_OK);
    const struct gf_supply *const supply =
        gf_reference_supply(*state, gf_span_text("DE"), (struct gf_time){5000 * S});
    assert_non_null(supply);
    assert_true(supply->has_demand);
    assert_int_equal(supply->demand_kw, 100);
    assert_false(supply->has_capacity);
    assert_int_equal(supply->renewable_kw, 55);
    record.published_at.us = 500 * S; /* older than what is known */
    assert_int_equal(apply(*state, GF_TOPIC_SUPPLY_STATE, &record, &is_changed), GF_OK);
    assert_false(is_changed);
    record.has_demand_kw = true;
    record.demand_kw = -1;
    assert_int_equal(apply(*state, GF_TOPIC_SUPPLY_STATE, &record, &is_changed), GF_E_BAD_FIELD);
}

static struct gf_tariff_plan
plan_of(const char *tariff_id, int32_t version, int64_t from_s, int64_t to_s)
{
    return (struct gf_tariff_plan){.tariff_id = gf_span_text(tariff_id),
                                   .version = version,
                                   .zone = gf_span_text("DE"),
                                   .currency = gf_span_text("EUR"),
                                   .time_zone = gf_span_text("Europe/Berlin"),
                                   .base_price_e8_per_kwh = {30000000},
                                   .dynamic = true,
                                   .valid_from = {from_s * S},
                                   .has_valid_to = to_s != 0,
                                   .valid_to = {to_s * S}};
}

static int32_t
plan_version(const void *reference, const char *tariff_id, int64_t s)
{
    const struct gf_tariff_terms *const plan =
        gf_reference_plan(reference, gf_span_text(tariff_id), (struct gf_time){s * S});
    return plan == NULL ? 0 : plan->version;
}

static void
newest_plan_that_is_valid_is_found(void **state)
{
    const struct gf_tariff_plan plans[] = {plan_of("T1", 1, 1000, 0), plan_of("T2", 1, 0, 0),
                                           plan_of("T1", 2, 5000, 9000), plan_of("T0", 1, 0, 0)};
    bool is_changed = false;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(apply(*state, GF_TOPIC_TARIFF_PLANS, &plans[i], &is_changed), GF_OK);
        assert_true(is_changed);
    }
    assert_int_equal(apply(*state, GF_TOPIC_TARIFF_PLANS, &plans[0], &is_changed), GF_OK);
    assert_false(is_changed);
    assert_int_equal(plan_version(*state, "T1", 999), 0);
    assert_int_equal(plan_version(*state, "T1", 4999), 1);
    assert_int_equal(plan_version(*state, "T1", 5000), 2);
    assert_int_equal(plan_version(*state, "T1", 9000), 1);
    assert_int_equal(plan_version(*state, "T", 5000), 0);
    for (int32_t version = 3; version < 1000;
         version++) { /* a version that covers the older ones takes their place */
        const struct gf_tariff_plan plan = plan_of("T1", version, 0, 0);
        assert_int_equal(apply(*state, GF_TOPIC_TARIFF_PLANS, &plan, &is_changed), GF_OK);
    }
    assert_int_equal(plan_version(*state, "T1", 5000), 999);
    assert_int_equal(plan_version(*state, "T2", 5000), 1);
}

static void
plans_beyond_the_table_are_refused(void **state)
{
    bool is_changed = false;
    for (int32_t version = 1; version <= GF_PLAN_COUNT_MAX; version++) { /* none covers another */
        const struct gf_tariff_plan plan = plan_of("T1", version, version * 10, version * 10 + 10);
        assert_int_equal(apply(*state, GF_TOPIC_TARIFF_PLANS, &plan, &is_changed), GF_OK);
    }
    const struct gf_tariff_plan plan = plan_of("T2", 1, 0, 0);
    assert_int_equal(apply(*state, GF_TOPIC_TARIFF_PLANS, &plan, &is_changed), GF_E_FULL);
    assert_int_equal(plan_version(*state, "T1", 15), 1);
    assert_int_equal(plan_version(*state, "T1", GF_PLAN_COUNT_MAX * 10), GF_PLAN_COUNT_MAX);
}

static void
bad_plans_are_refused(void **state)
{
    struct gf_band bands[GF_BAND_COUNT_MAX + 1] = {{.name = GF_BAND_NAME_PEAK,
                                                    .days = GF_BAND_DAYS_ALL,
                                                    .from_minute = 60,
                                                    .to_minute = 60,
                                                    .price_e8_per_kwh = {1}}};
    struct gf_span areas[GF_PLAN_AREA_COUNT_MAX + 1] = {gf_span_text("A|B")};
    struct gf_tariff_plan cases[9];
    for (size_t i = 0; i < 9; i++) {
        cases[i] = plan_of("T1", 1, 0, 0);
        cases[i].bands.items = bands;
        cases[i].areas.items = areas;
    }
    cases[0].bands.count = 1;
    cases[1].bands.count = GF_BAND_COUNT_MAX + 1;
    cases[2].areas.count = 1;
    cases[3].areas.count = GF_PLAN_AREA_COUNT_MAX + 1;
    cases[4].tariff_id = gf_span_text("T|1");
    cases[5].base_price_e8_per_kwh.e8_per_kwh = INT64_MAX;
    cases[6].has_cap_e8_per_kwh = true; /* a cap of 0 below the base price */
    cases[7].valid_from.us = -5;
    cases[8].currency = gf_span_text("EURO");
    for (size_t i = 0; i < 9; i++) {
        bool is_changed = true;
        assert_int_equal(apply(*state, GF_TOPIC_TARIFF_PLANS, &cases[i], &is_changed),
                         GF_E_BAD_FIELD);
        assert_int_equal(plan_version(*state, "T1", 100), 0);
    }
}

static void
first_band_that_matches_gives_the_price(void **state)
{
    (void)state;
    const struct gf_tariff_terms plan = {
        .base = {1},
        .band_count = 3,
        .bands = {{GF_BAND_NAME_CRITICAL, GF_BAND_DAYS_WEEKEND, 600, 660, {9}},
                  {GF_BAND_NAME_PEAK, GF_BAND_DAYS_ALL, 540, 720, {5}},
                  {GF_BAND_NAME_VALLEY, GF_BAND_DAYS_WEEKDAY, 0, 360, {2}}}};
    static const struct {
        uint32_t minute;
        bool is_weekend;
        int32_t name;
        int64_t price;
    } cases[] = {{600, true, GF_BAND_NAME_CRITICAL, 9}, {600, false, GF_BAND_NAME_PEAK, 5},
                 {719, true, GF_BAND_NAME_PEAK, 5},     {720, true, GF_BAND_NAME_FLAT, 1},
                 {0, false, GF_BAND_NAME_VALLEY, 2},    {0, true, GF_BAND_NAME_FLAT, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int32_t name = 0;
        struct gf_price price = {0};
        gf_tariff_band_at(&plan, cases[i].minute, cases[i].is_weekend, &name, &price);
        assert_int_equal(name, cases[i].name);
        assert_int_equal(price.e8_per_kwh, cases[i].price);
    }
}

static void
control(void *reference, int32_t kind, const char *tariff_id, const char *area_id)
{
    const struct gf_control record = {.kind = kind,
                                      .has_tariff_id = tariff_id != NULL,
                                      .tariff_id = gf_span_text(tariff_id != NULL ? tariff_id : ""),
                                      .has_area_id = area_id != NULL,
                                      .area_id = gf_span_text(area_id != NULL ? area_id : "")};
    bool is_changed = false;
    assert_int_equal(apply(reference, GF_TOPIC_CONTROL, &record, &is_changed), GF_OK);
    assert_true(is_changed);
}

static bool
is_frozen(const void *reference, const char *tariff_id, const char *area_id)
{
    return gf_reference_is_frozen(reference, gf_span_text(tariff_id), gf_span_text(area_id));
}

static void
stops_have_scopes_and_are_never_lost(void **state)
{
    control(*state, GF_CONTROL_KIND_FREEZE, "T1", NULL);
    assert_true(is_frozen(*state, "T1", "A1"));
    assert_false(is_frozen(*state, "T2", "A1"));
    control(*state, GF_CONTROL_KIND_RESUME, "T1", "A1"); /* narrower: lifts nothing */
    assert_true(is_frozen(*state, "T1", "A1"));
    control(*state, GF_CONTROL_KIND_KILL_SWITCH, NULL, NULL);
    assert_true(is_frozen(*state, "T2", "A1"));
    control(*state, GF_CONTROL_KIND_RESUME, "T2", NULL); /* who stopped all must resume all */
    assert_true(is_frozen(*state, "T2", "A1"));
    control(*state, GF_CONTROL_KIND_RESUME, NULL, NULL);
    assert_false(is_frozen(*state, "T1", "A1"));
    char area[16];
    for (int i = 0; i < 256; i++) {
        snprintf(area, sizeof area, "A%d", i);
        control(*state, GF_CONTROL_KIND_FREEZE, "T1", area);
    }
    assert_false(is_frozen(*state, "T1", "B"));
    control(*state, GF_CONTROL_KIND_FREEZE, "T1", "B"); /* no room: all stop rather than none */
    assert_true(is_frozen(*state, "T1", "B"));
    assert_true(is_frozen(*state, "T9", "C"));
    const struct gf_control unknown = {.kind = GF_CONTROL_KIND_UNKNOWN};
    bool is_changed = true;
    assert_int_equal(apply(*state, GF_TOPIC_CONTROL, &unknown, &is_changed), GF_E_BAD_FIELD);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(newest_version_of_a_price_wins),
        TEST(market_may_go_from_half_hours_to_five_minutes),
        TEST(oldest_prices_go_when_the_ring_is_full),
        TEST(prices_in_any_order_are_as_a_plain_table_has_them),
        TEST(rank_is_counted_anew_after_a_price),
        TEST(bad_prices_are_refused_and_change_nothing),
        TEST(zones_beyond_the_table_are_refused),
        TEST(supply_keeps_actuals_and_what_is_not_unsaid),
        TEST(newest_plan_that_is_valid_is_found),
        TEST(plans_beyond_the_table_are_refused),
        TEST(bad_plans_are_refused),
        TEST(first_band_that_matches_gives_the_price),
        TEST(stops_have_scopes_and_are_never_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
