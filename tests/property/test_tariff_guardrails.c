/* Whatever comes in, every adjustment that goes out keeps every guard-rail. The checker below
 * shares no code with the guard-rails: it lays what was announced on a line of five-minute steps
 * and looks at each step. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "tariff_world.h"

#define START_S                                                                                    \
    INT64_C(1458950400) /* 2016-03-26T00:00:00Z: the fake zone's clocks move a day later */
#define STEP_S    300
#define PRICE_MAX 2000000000

/* The newest version of each slot that was announced. */
struct seen {
    int64_t start_s, end_s, price, base;
    int32_t version;
};

struct checker {
    struct tariff_world *world;
    struct gf_random random;
    struct seen seen[4096];
    uint32_t count, checked;
    bool is_stopped;
    const char *rule; /* what the last check found broken */
};

static struct gf_zone zone;

static int64_t
below(struct checker *checker, int64_t limit)
{
    return (int64_t)(gf_random_next(&checker->random) % (uint64_t)limit);
}

/* ---- an independent look ---- */

static const struct seen *
seen_at(const struct checker *checker, int64_t s)
{
    for (uint32_t i = checker->count; i-- > 0;) {
        if (s >= checker->seen[i].start_s && s < checker->seen[i].end_s) {
            return &checker->seen[i];
        }
    }
    return NULL;
}

static int64_t
deviation_at(const struct checker *checker, int64_t s)
{
    const struct seen *const seen = seen_at(checker, s);
    return seen == NULL ? 0 : seen->price - seen->base;
}

static int64_t
local_of(int64_t s)
{
    return s + gf_zone_offset(&zone, (struct gf_time){s * GF_US_PER_S});
}

/* The plan's price by the record that was sent, minute by minute. */
static int64_t
plan_price(const struct gf_tariff_plan *plan, int64_t s)
{
    const int64_t local = local_of(s), day = local / 86400, minute = local % 86400 / 60;
    const bool is_weekend = (day + 3) % 7 >= 5; /* 1970-01-01 was a Thursday */
    for (uint32_t i = 0; i < plan->bands.count; i++) {
        const struct gf_band *const band = &plan->bands.items[i];
        if (minute >= band->from_minute && minute < band->to_minute &&
            (band->days == GF_BAND_DAYS_ALL ||
             (band->days == GF_BAND_DAYS_WEEKEND) == is_weekend)) {
            return band->price_e8_per_kwh.e8_per_kwh;
        }
    }
    return plan->base_price_e8_per_kwh.e8_per_kwh;
}

static bool
ratio_holds(const struct checker *checker, const struct seen *before,
            const struct gf_tariff_adjustment *record)
{
    const int64_t start = record->interval_start.us / GF_US_PER_S,
                  end = record->interval_end.us / GF_US_PER_S;
    const int64_t price = record->price_e8_per_kwh.e8_per_kwh;
    for (int64_t day = local_of(start) / 86400; day <= local_of(end - 1) / 86400; day++) {
        int64_t low = INT64_MAX, high = INT64_MIN;
        for (int64_t s = day * 86400 - 2 * 86400; s < (day + 2) * 86400; s += STEP_S) {
            if (local_of(s) / 86400 != day) {
                continue;
            }
            const struct seen *seen = seen_at(checker, s);
            if (s >= start && s < end) {
                seen = before;
            }
            const int64_t plan = plan_price(&checker->world->plan, s);
            const int64_t there = seen != NULL && s >= seen->start_s && s < seen->end_s &&
                                          seen->price != seen->base && !(s >= start && s < end)
                                      ? seen->price
                                      : plan;
            low = there < low ? there : low;
            low = plan < low ? plan : low;
            high = there > high ? there : high;
            high = plan > high ? plan : high;
        }
        const int64_t low_now = price < low ? price : low, high_now = price > high ? price : high;
        const bool is_wider = low_now < low || high_now > high;
        const bool is_inside =
            low > 0 && (__int128)high_now * 1000000 <=
                           (__int128)low_now * checker->world->params.band_ratio_max_ppm;
        if (is_wider && !is_inside) {
            return false;
        }
    }
    return true;
}

static bool
line_holds(struct checker *checker, int64_t start, int64_t end)
{
    const struct gf_tariff_params *const params = &checker->world->params;
    int64_t last_change = INT64_MIN / 2;
    for (int64_t s = start - 2 * 86400; s < end + 2 * 86400; s += STEP_S) {
        if (deviation_at(checker, s) != deviation_at(checker, s - STEP_S)) {
            if (s - last_change < params->dwell.us / GF_US_PER_S && s >= start - 86400) {
                checker->rule = "DWELL";
                return false;
            }
            last_change = s;
        }
    }
    for (int64_t day = local_of(start) / 86400; day <= local_of(end) / 86400; day++) {
        int64_t changes = 0;
        for (int64_t s = (day - 1) * 86400; s < (day + 2) * 86400; s += STEP_S) {
            changes += local_of(s) / 86400 == day &&
                       deviation_at(checker, s) != deviation_at(checker, s - STEP_S);
        }
        if (changes > params->changes_per_day_max) {
            checker->rule = "DAY_CHANGES";
            return false;
        }
    }
    return true;
}

static bool
limits_hold(struct checker *checker, const struct gf_tariff_adjustment *record)
{
    const struct gf_tariff_plan *const plan = &checker->world->plan;
    const struct gf_tariff_params *const params = &checker->world->params;
    const int64_t price = record->price_e8_per_kwh.e8_per_kwh,
                  base = record->base_e8_per_kwh.e8_per_kwh;
    const int64_t floor =
        plan->has_floor_e8_per_kwh ? plan->floor_e8_per_kwh.e8_per_kwh : params->floor.e8_per_kwh;
    const int64_t cap =
        plan->has_cap_e8_per_kwh ? plan->cap_e8_per_kwh.e8_per_kwh : params->cap.e8_per_kwh;
    checker->rule = price < floor                        ? "FLOOR"
                    : price > cap                        ? "CAP"
                    : plan->is_protected && price > base ? "PROTECTED"
                                                         : NULL;
    return checker->rule == NULL;
}

static bool
wanted_is_exact(const struct checker *checker, const struct gf_tariff_adjustment *record)
{
    const int64_t base = record->base_e8_per_kwh.e8_per_kwh,
                  wanted = record->wanted_e8_per_kwh.e8_per_kwh;
    for (uint32_t i = 0; i < checker->world->params.factor_count; i++) {
        const __int128 error = (__int128)wanted * 1000000 -
                               (__int128)base * checker->world->params.factors[i].factor_ppm;
        if (error >= -500000 && error <= 500000) {
            return true;
        }
    }
    return wanted == base;
}

static bool
moved_holds(struct checker *checker, const struct gf_tariff_adjustment *record,
            const struct seen *before)
{
    const int64_t start = record->interval_start.us / GF_US_PER_S,
                  end = record->interval_end.us / GF_US_PER_S;
    const int64_t price = record->price_e8_per_kwh.e8_per_kwh,
                  base = record->base_e8_per_kwh.e8_per_kwh;
    const int64_t step =
        (int64_t)llround((double)checker->world->plan.base_price_e8_per_kwh.e8_per_kwh / 1e6 *
                         (double)checker->world->params.step_ppm) +
        1;
    const int64_t deviation = price - base;
    const int64_t from = deviation_at(checker, start - STEP_S), to = deviation_at(checker, end);
    if ((deviation != 0 && llabs(deviation - from) > step) ||
        (to != 0 && llabs(to - deviation) > step)) {
        checker->rule = "RAMP";
        return false;
    }
    if (deviation != 0 &&
        (!limits_hold(checker, record) || !ratio_holds(checker, before, record))) {
        checker->rule = checker->rule != NULL ? checker->rule : "BAND_RATIO";
        return false;
    }
    for (int64_t s = start; s < end; s += STEP_S) {
        if (plan_price(&checker->world->plan, s) != base) {
            checker->rule = "BAND_EDGE";
            return false;
        }
    }
    return true;
}

static bool
adjustment_holds(struct checker *checker, const struct gf_tariff_adjustment *record)
{
    const int64_t start = record->interval_start.us / GF_US_PER_S,
                  end = record->interval_end.us / GF_US_PER_S;
    const int64_t price = record->price_e8_per_kwh.e8_per_kwh,
                  base = record->base_e8_per_kwh.e8_per_kwh;
    struct seen *before = (struct seen *)seen_at(checker, start);
    checker->rule = NULL;
    if (before != NULL && (before->start_s != start || before->end_s != end)) {
        checker->rule = "overlap";
    } else if (record->version != (before == NULL ? 1 : before->version + 1) ||
               record->has_supersedes != (before != NULL)) {
        checker->rule = "version";
    } else if (record->interval_start.us - record->announced_at.us <
               checker->world->params.notice.us) {
        checker->rule = "NOTICE";
    } else if (before != NULL && before->price - before->base == price - base &&
               before->price == price) {
        checker->rule = "nothing changed";
    } else if (!wanted_is_exact(checker, record)) {
        checker->rule = "wanted";
    }
    const bool is_withdrawal =
        gf_span_equal(record->reasons.items[0].code, gf_span_text("KILL_SWITCH")) ||
        gf_span_equal(record->reasons.items[0].code, gf_span_text("PLAN_CHANGED"));
    if (checker->rule != NULL || (is_withdrawal && price != base) ||
        (checker->is_stopped && !is_withdrawal) ||
        (!is_withdrawal && !moved_holds(checker, record, before))) {
        return false;
    }
    if (before == NULL) {
        before = &checker->seen[checker->count % 4096];
        assert_true(checker->count < 4096);
        checker->count++;
    }
    *before = (struct seen){start, end, price, base, record->version};
    return is_withdrawal || line_holds(checker, start, end);
}

/* ---- streams ---- */

static void
params_draw(struct checker *checker)
{
    struct gf_tariff_params *const params = &checker->world->params;
    const int64_t dwells[] = {300, 900, 1800, 3600, 7200, 5400, 86400, 300, 900, 3600};
    params->history_min.us = 3600 * GF_US_PER_S;
    params->notice.us = below(checker, 5) * 900 * GF_US_PER_S;
    params->dwell.us = dwells[below(checker, 10)] * GF_US_PER_S;
    params->cheap_rank = 0.1 + (double)below(checker, 40) / 100;
    params->dear_rank = 0.9 - (double)below(checker, 40) / 100;
    params->step_ppm = below(checker, 600000);
    params->changes_per_day_max = below(checker, 30);
    params->band_ratio_max_ppm = 1000000 + below(checker, 5000000);
    params->floor.e8_per_kwh = below(checker, 2) * below(checker, 30000000);
    params->cap.e8_per_kwh = 30000000 + below(checker, 40000000);
    params->factor_count = (uint32_t)below(checker, 9) + 1;
    for (uint32_t i = 0; i < params->factor_count; i++) {
        params->factors[i].factor_ppm = below(checker, 10000001);
    }
}

static void
plan_draw(struct checker *checker)
{
    struct gf_tariff_plan *const plan = &checker->world->plan;
    plan->base_price_e8_per_kwh.e8_per_kwh =
        below(checker, 8) == 0 ? 0 : 10000000 + below(checker, 40000000);
    plan->is_protected = below(checker, 4) == 0;
    plan->has_floor_e8_per_kwh = below(checker, 3) == 0;
    plan->has_cap_e8_per_kwh = below(checker, 3) == 0;
    plan->floor_e8_per_kwh.e8_per_kwh = plan->has_floor_e8_per_kwh ? -below(checker, 10000000) : 0;
    plan->cap_e8_per_kwh.e8_per_kwh =
        plan->has_cap_e8_per_kwh ? 60000000 + below(checker, 100000000) : 0;
    plan->dynamic = below(checker, 10) != 0;
    plan->bands.count = (uint32_t)below(checker, 4);
    for (uint32_t i = 0; i < plan->bands.count; i++) {
        const int32_t from = (int32_t)below(checker, 288) * 5,
                      step = below(checker, 2) == 0 ? 60 : 5;
        const int32_t from_minute = from / step * step;
        checker->world->bands[i] = (struct gf_band){
            .name = GF_BAND_NAME_VALLEY + (int32_t)below(checker, 4),
            .days = GF_BAND_DAYS_ALL + (int32_t)below(checker, 3),
            .from_minute = from_minute,
            .to_minute =
                from_minute + step * (1 + (int32_t)below(checker, (1440 - from_minute) / step)),
            .price_e8_per_kwh = {below(checker, 60000000)},
        };
    }
}

static int64_t
price_draw(struct checker *checker)
{
    switch (below(checker, 60)) {
    case 0:
        return -100000000; /* -1,000 per MWh */
    case 1:
        return 1550000000; /* 15,500 per MWh */
    case 2:
        return 0;
    case 3:
        return below(checker, 2) == 0 ? INT64_MAX : INT64_MIN;
    case 4:
        return below(checker, 2) == 0 ? 100000000000000 : -100000000000000;
    default:
        return below(checker, PRICE_MAX / 100) - PRICE_MAX / 1000;
    }
}

static void
emissions_check(struct checker *checker, uint64_t seed)
{
    for (; checker->checked < world_count(checker->world); checker->checked++) {
        const struct gf_tariff_adjustment *const record =
            world_adjustment(checker->world, checker->checked);
        if (!adjustment_holds(checker, record)) {
            fail_msg("seed %llu: adjustment %u breaks %s", (unsigned long long)seed,
                     checker->checked,
                     checker->rule != NULL ? checker->rule : "a stop or a withdrawal");
        }
    }
}

static void
price_send(struct checker *checker, int64_t now_s, int64_t start_s, int32_t interval_s,
           int32_t version)
{
    const int64_t price = price_draw(checker);
    const enum gf_rc rc = world_price(checker->world, now_s, start_s, interval_s, price, version);
    const bool is_absurd = price == INT64_MAX || price == INT64_MIN;
    assert_int_equal(rc, is_absurd ? GF_E_BAD_FIELD : GF_OK);
}

static void
stream_step(struct checker *checker, int64_t now_s, int32_t interval_s)
{
    struct tariff_world *const world = checker->world;
    const int64_t now_start_s = now_s / interval_s * interval_s;
    const int64_t what = below(checker, 400);
    if (what == 0) {
        plan_draw(checker);
        world->plan.version++;
        assert_int_equal(world_plan(world, now_s), GF_OK);
    } else if (what < 3) {
        assert_int_equal(
            world_control(world, now_s,
                          what == 1 ? GF_CONTROL_KIND_KILL_SWITCH : GF_CONTROL_KIND_FREEZE),
            GF_OK);
        emissions_check(checker, checker->random.seed);
        checker->is_stopped = true;
    } else if (what < 10) {
        assert_int_equal(world_control(world, now_s, GF_CONTROL_KIND_RESUME), GF_OK);
        checker->is_stopped = false;
    } else if (what < 80) {
        const int64_t start_s = now_start_s + below(checker, 48) * interval_s;
        assert_int_equal(world_supply(world, now_s, start_s, interval_s, below(checker, 60000000),
                                      below(checker, 3) == 0 ? -1 : 50000000,
                                      below(checker, 60000000)),
                         GF_OK);
    } else if (what < 100) { /* a day ahead at once */
        const int32_t version = 1 + (int32_t)below(checker, 5);
        for (int64_t ahead = 0; ahead < 86400 / interval_s; ahead++) {
            price_send(checker, now_s, (now_s / 86400 + 1) * 86400 + ahead * interval_s, interval_s,
                       version);
            emissions_check(checker, checker->random.seed);
        }
    } else if (what < 200) { /* ahead, in any order, in versions */
        price_send(checker, now_s, now_start_s + below(checker, 120) * interval_s, interval_s,
                   1 + (int32_t)below(checker, 5));
    } else { /* as it holds */
        price_send(checker, now_s, now_start_s - interval_s, interval_s, 1);
    }
}

static void
stream_run(uint64_t seed, uint32_t *emitted)
{
    static const int32_t intervals[] = {300, 900, 1800, 3600};
    struct checker *const checker = calloc(1, sizeof *checker);
    assert_non_null(checker);
    checker->random = (struct gf_random){.seed = seed};
    checker->world = world_new();
    checker->world->zone = &zone;
    params_draw(checker);
    plan_draw(checker);
    assert_int_equal(world_plan(checker->world, START_S), GF_OK);
    int32_t interval_s = intervals[below(checker, 4)];
    int64_t now_s = START_S;
    for (uint32_t i = 0; i < 400; i++) {
        now_s += below(checker, 3) * interval_s / 2 / 60 * 60;
        if (below(checker, 150) == 0) {
            interval_s = intervals[below(checker, 4)];
        }
        stream_step(checker, below(checker, 20) == 0 ? now_s - 600 : now_s, interval_s);
        emissions_check(checker, seed);
    }
    *emitted += checker->checked;
    world_free(checker->world);
    free(checker);
}

static void
every_adjustment_keeps_every_rule(void **state)
{
    (void)state;
    uint32_t emitted = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        stream_run(seed, &emitted);
    }
    print_message("seeds 1..100: %u adjustments checked\n", emitted);
    assert_true(emitted > 1000); /* else the streams stopped saying anything */
}

/* The checker is worth something: it finds a rule broken when the rule is tightened behind the
 * operator's back. */
static void
checker_finds_a_broken_rule(void **state)
{
    (void)state;
    struct checker *const checker = calloc(1, sizeof *checker);
    assert_non_null(checker);
    checker->world = world_new();
    assert_int_equal(world_plan(checker->world, START_S), GF_OK);
    for (int64_t hour = 0; hour < 120; hour++) {
        assert_int_equal(world_price(checker->world, START_S, START_S + hour * 3600, 3600,
                                     hour == 119 ? 90 : 50, 1),
                         GF_OK);
    }
    assert_int_equal(world_count(checker->world), 1);
    struct gf_tariff_params *const params = &checker->world->params;
    const struct gf_tariff_params right = *params;
    const struct gf_tariff_adjustment *const record = world_adjustment(checker->world, 0);
    params->cap.e8_per_kwh = 30000001;
    assert_false(adjustment_holds(checker, record));
    assert_string_equal(checker->rule, "CAP");
    *params = right;
    params->step_ppm = 1000;
    assert_false(adjustment_holds(checker, record));
    assert_string_equal(checker->rule, "RAMP");
    *params = right;
    params->notice.us = 30 * GF_US_PER_DAY;
    assert_false(adjustment_holds(checker, record));
    assert_string_equal(checker->rule, "NOTICE");
    *params = right;
    params->band_ratio_max_ppm = 1000001;
    assert_false(adjustment_holds(checker, record));
    assert_string_equal(checker->rule, "BAND_RATIO");
    *params = right;
    params->changes_per_day_max = 0;
    assert_false(adjustment_holds(checker, record));
    assert_string_equal(checker->rule, "DAY_CHANGES");
    *params = right;
    checker->count = 0;
    assert_true(adjustment_holds(checker, record));
    world_free(checker->world);
    free(checker);
}

int
main(void)
{
    zone = (struct gf_zone){.name = "Fake/Berlin",
                            .transition_count = 1,
                            .at_s = {1459040400}, /* 2016-03-27T01:00:00Z */
                            .offset_s = {7200},
                            .offset_first_s = 3600};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checker_finds_a_broken_rule),
        cmocka_unit_test(every_adjustment_keeps_every_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
