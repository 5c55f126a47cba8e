#include "operator/tariff/guard.h"

#include <assert.h>

#define PPM 1000000

static const char *const rule_names[GUARD_RULE_COUNT] = {
    [GUARD_NONE] = "NONE",
    [GUARD_STOPPED] = "STOPPED",
    [GUARD_NOTICE] = "NOTICE",
    [GUARD_BAND_EDGE] = "BAND_EDGE",
    [GUARD_PROTECTED] = "PROTECTED",
    [GUARD_FLOOR] = "FLOOR",
    [GUARD_CAP] = "CAP",
    [GUARD_BAND_RATIO] = "BAND_RATIO",
    [GUARD_RAMP] = "RAMP",
    [GUARD_DWELL] = "DWELL",
    [GUARD_DAY_CHANGES] = "DAY_CHANGES",
    [GUARD_ROOM] = "ROOM",
};

const char *
guard_rule_name(enum guard_rule rule)
{
    assert(rule < GUARD_RULE_COUNT);
    return rule_names[rule];
}

/* Lowest and highest price that the rules so far allow; base is always between them. */
struct bounds {
    int64_t low, high;
};

static int64_t
clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static int64_t
absolute(int64_t value)
{
    return value < 0 ? -value : value;
}

/* Moves the price to `price` because of `rule`. */
static void
price_move(struct guard_verdict *verdict, enum guard_rule rule, int64_t price)
{
    if (price != verdict->price.e8_per_kwh) {
        verdict->price.e8_per_kwh = price;
        verdict->hits[verdict->hit_count++] = rule;
    }
}

static void
price_narrow(struct guard_verdict *verdict, enum guard_rule rule, struct bounds *bounds,
             struct bounds by)
{
    bounds->low = by.low > bounds->low ? by.low : bounds->low;
    bounds->high = by.high < bounds->high ? by.high : bounds->high;
    assert(bounds->low <= bounds->high);
    price_move(verdict, rule, clamp(verdict->price.e8_per_kwh, bounds->low, bounds->high));
}

static struct bounds
limits_of(const struct guard_case *guard)
{
    const struct gf_tariff_terms *const plan = guard->plan;
    return (struct bounds){
        .low = plan->has_floor ? plan->floor.e8_per_kwh : guard->params->floor.e8_per_kwh,
        .high = plan->has_cap ? plan->cap.e8_per_kwh : guard->params->cap.e8_per_kwh,
    };
}

/* ---- band ratio ---- */

static void
spread_take(struct bounds *spread, int64_t price)
{
    spread->low = price < spread->low ? price : spread->low;
    spread->high = price > spread->high ? price : spread->high;
}

/* Cheapest and dearest price of a local day: the plan's bands and what is announced besides `self`.
 */
static struct bounds
day_spread(const struct guard_case *guard, int32_t day, int32_t self)
{
    const struct gf_tariff_terms *const plan = guard->plan;
    const bool is_weekend = slot_day_is_weekend(day);
    int32_t name = 0;
    struct gf_price price = {0};
    gf_tariff_band_at(plan, 0, is_weekend, &name, &price);
    struct bounds spread = {.low = price.e8_per_kwh, .high = price.e8_per_kwh};
    for (uint32_t i = 0; i < 2 * plan->band_count; i++) { /* the price changes at edges only */
        const uint32_t minute =
            i % 2 == 0 ? plan->bands[i / 2].from_minute : plan->bands[i / 2].to_minute;
        if (minute < 1440) {
            gf_tariff_band_at(plan, minute, is_weekend, &name, &price);
            spread_take(&spread, price.e8_per_kwh);
        }
    }
    const struct gf_time day_from = gf_day_start(guard->zone, day),
                         day_to = gf_day_start(guard->zone, day + 1);
    for (uint32_t i = 0; i < guard->ring->count; i++) {
        const struct slot other = slot_of(&guard->ring->items[i]);
        if ((int32_t)i != self && slot_deviation(&guard->ring->items[i]) != 0 &&
            other.start.us < day_to.us && other.end.us > day_from.us) {
            spread_take(&spread, guard->ring->items[i].price_e8);
        }
    }
    return spread;
}

/* What a price may be without widening dearest / cheapest of `spread` beyond the limit. */
static struct bounds
ratio_bounds(struct bounds spread, int64_t ratio_ppm)
{
    if (spread.low <= 0) { /* no ratio: just no wider */
        return spread;
    }
    const __int128 high = (__int128)spread.low * ratio_ppm / PPM;
    const __int128 low = ((__int128)spread.high * PPM + ratio_ppm - 1) / ratio_ppm;
    return (struct bounds){
        .low = low < spread.low ? (int64_t)low : spread.low,
        .high = high > spread.high ? (high > INT64_MAX ? INT64_MAX : (int64_t)high) : spread.high,
    };
}

static void
ratio_apply(const struct guard_case *guard, int32_t self, struct guard_verdict *verdict,
            struct bounds *bounds)
{
    const int32_t first = gf_day_of(guard->zone, guard->slot.start);
    const int32_t last = gf_day_of(guard->zone, (struct gf_time){guard->slot.end.us - 1});
    struct bounds both = {.low = INT64_MIN, .high = INT64_MAX};
    for (int32_t day = first; day <= last; day++) {
        const struct bounds one =
            ratio_bounds(day_spread(guard, day, self), guard->params->band_ratio_max_ppm);
        both.low = one.low > both.low ? one.low : both.low;
        both.high = one.high < both.high ? one.high : both.high;
    }
    price_narrow(verdict, GUARD_BAND_RATIO, bounds, both);
}

/* ---- ramp ---- */

/* Goes to the nearest price that the slots before and after allow; false where there is none. */
static bool
ramp_apply(const struct guard_case *guard, int32_t self, struct guard_verdict *verdict,
           struct bounds bounds, int64_t step)
{
    const int32_t before = slot_find_end(guard->ring, guard->slot.start, self);
    const int32_t after = slot_find_start(guard->ring, guard->slot.end, self);
    const int64_t from = before < 0 ? 0 : slot_deviation(&guard->ring->items[before]);
    const int64_t to = after < 0 ? 0 : slot_deviation(&guard->ring->items[after]);
    const int64_t base = guard->base.e8_per_kwh, price = verdict->price.e8_per_kwh;
    int64_t low = base + from - step, high = base + from + step;
    if (to != 0) {
        low = base + to - step > low ? base + to - step : low;
        high = base + to + step < high ? base + to + step : high;
    }
    low = bounds.low > low ? bounds.low : low;
    high = bounds.high < high ? bounds.high : high;
    const bool base_is_allowed = absolute(to) <= step;
    if (low > high && !base_is_allowed) {
        return false;
    }
    int64_t nearest = base;
    if (low <= high) {
        const int64_t inside = clamp(price, low, high);
        if (!base_is_allowed || absolute(inside - price) < absolute(base - price)) {
            nearest = inside;
        }
    }
    price_move(verdict, GUARD_RAMP, nearest);
    return true;
}

/* ---- dwell, changes, room ---- */

static bool
dwell_holds(const struct guard_case *guard, int32_t self)
{
    const int64_t dwell_us = guard->params->dwell.us;
    if (guard->slot.end.us - guard->slot.start.us < dwell_us) {
        return false;
    }
    for (uint32_t i = 0; i < guard->ring->count; i++) {
        if ((int32_t)i == self) {
            continue;
        }
        const struct slot other = slot_of(&guard->ring->items[i]);
        const int64_t gap_us = other.start.us >= guard->slot.end.us
                                   ? other.start.us - guard->slot.end.us
                                   : guard->slot.start.us - other.end.us;
        if (gap_us < 0) { /* overlap: the slots were cut otherwise before */
            return false;
        }
        if (slot_deviation(&guard->ring->items[i]) != 0 && gap_us > 0 && gap_us < dwell_us) {
            return false;
        }
    }
    return true;
}

/* How often the deviation changes on a local day. */
static int64_t
day_changes(const struct slot_ring *ring, const struct gf_zone *zone, int32_t day)
{
    int64_t count = 0;
    const struct gf_time day_from = gf_day_start(zone, day), day_to = gf_day_start(zone, day + 1);
    for (uint32_t i = 0; i < ring->count; i++) {
        const int64_t deviation = slot_deviation(&ring->items[i]);
        const struct slot slot = slot_of(&ring->items[i]);
        if (deviation == 0) {
            continue;
        }
        if (slot.start.us >= day_from.us && slot.start.us < day_to.us) {
            const int32_t before = slot_find_end(ring, slot.start, (int32_t)i);
            count += before < 0 || slot_deviation(&ring->items[before]) != deviation;
        }
        if (slot.end.us >= day_from.us &&
            slot.end.us < day_to.us) { /* one that follows counts its own start */
            count += slot_find_start(ring, slot.end, (int32_t)i) < 0;
        }
    }
    return count;
}

static bool
changes_hold(const struct guard_case *guard, int32_t self, struct gf_price price)
{
    struct slot_ring after = *guard->ring;
    struct slot_announced changed = {
        .start_minute = (uint32_t)(guard->slot.start.us / GF_US_PER_MINUTE),
        .minutes = (uint16_t)((guard->slot.end.us - guard->slot.start.us) / GF_US_PER_MINUTE),
        .price_e8 = price.e8_per_kwh,
        .base_e8 = guard->base.e8_per_kwh,
    };
    if (self >= 0) {
        after.items[self] = changed;
    } else {
        slot_insert(&after, changed);
    }
    const int32_t first = gf_day_of(guard->zone, guard->slot.start),
                  last = gf_day_of(guard->zone, guard->slot.end);
    for (int32_t day = first; day <= last; day++) {
        if (day_changes(&after, guard->zone, day) > guard->params->changes_per_day_max) {
            return false;
        }
    }
    return true;
}

static enum guard_rule
hold_of(const struct guard_case *guard, int32_t self, struct gf_price price)
{
    const bool is_base = price.e8_per_kwh == guard->base.e8_per_kwh;
    if (!is_base && !dwell_holds(guard, self)) {
        return GUARD_DWELL;
    }
    if (self < 0 && is_base) {
        return GUARD_NONE; /* nothing was announced and nothing is */
    }
    if (self < 0 ? guard->ring->count == SLOT_COUNT_MAX
                 : guard->ring->items[self].version == UINT16_MAX) {
        return GUARD_ROOM;
    }
    return changes_hold(guard, self, price) ? GUARD_NONE : GUARD_DAY_CHANGES;
}

enum gf_rc
guard_apply(const struct guard_case *guard, struct guard_verdict *out)
{
    *out = (struct guard_verdict){.held = GUARD_NONE, .price = guard->wanted};
    const int32_t self = slot_find(guard->ring, guard->slot);
    const int64_t base = guard->base.e8_per_kwh;
    if (guard->slot.start.us < gf_time_add(guard->now, guard->params->notice).us) {
        out->held = GUARD_NOTICE;
        return GF_OK;
    }
    int64_t step = 0;
    const enum gf_rc rc =
        gf_muldiv(guard->plan->base.e8_per_kwh, guard->params->step_ppm, PPM, &step);
    if (rc != GF_OK) {
        return rc;
    }
    struct bounds bounds = limits_of(guard);
    if (base < bounds.low || base > bounds.high ||
        !slot_is_in_one_band(guard->plan, guard->zone, guard->slot)) {
        out->held = GUARD_BAND_EDGE;
        return GF_OK;
    }
    const struct bounds limits = bounds;
    bounds =
        (struct bounds){.low = INT64_MIN, .high = guard->plan->is_protected ? base : INT64_MAX};
    price_narrow(out, GUARD_PROTECTED, &bounds, bounds);
    price_narrow(out, GUARD_FLOOR, &bounds, (struct bounds){.low = limits.low, .high = INT64_MAX});
    price_narrow(out, GUARD_CAP, &bounds, (struct bounds){.low = INT64_MIN, .high = limits.high});
    ratio_apply(guard, self, out, &bounds);
    if (!ramp_apply(guard, self, out, bounds, step)) {
        out->held = GUARD_RAMP;
        return GF_OK;
    }
    out->held = hold_of(guard, self, out->price);
    return GF_OK;
}
