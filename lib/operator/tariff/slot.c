#include "operator/tariff/slot.h"

#include <assert.h>
#include <string.h>

#define MINUTES_PER_DAY 1440
#define S_PER_DAY       86400

static int64_t
floor_mod(int64_t value, int64_t divisor)
{
    const int64_t rest = value % divisor;
    return rest < 0 ? rest + divisor : rest;
}

/* Seconds of a slot: whole intervals, parts a day evenly, no shorter than `dwell` (at most a day).
 */
static int64_t
slot_length_s(int32_t interval_s, struct gf_duration dwell)
{
    for (int64_t length_s = interval_s; length_s < S_PER_DAY; length_s += interval_s) {
        if (S_PER_DAY % length_s == 0 && length_s * GF_US_PER_S >= dwell.us) {
            return length_s;
        }
    }
    return S_PER_DAY;
}

struct slot
slot_at(const struct gf_zone *zone, struct gf_time time, int32_t interval_s,
        struct gf_duration dwell)
{
    assert(interval_s > 0);
    const int64_t length_us = slot_length_s(interval_s, dwell) * GF_US_PER_S;
    const int64_t local_us = time.us + gf_zone_offset(zone, time) * GF_US_PER_S;
    const int64_t start_us = time.us - floor_mod(local_us, length_us);
    return (struct slot){.start = {start_us}, .end = {start_us + length_us}};
}

struct slot
slot_of(const struct slot_announced *announced)
{
    const int64_t start_us = announced->start_minute * GF_US_PER_MINUTE;
    return (struct slot){.start = {start_us},
                         .end = {start_us + announced->minutes * GF_US_PER_MINUTE}};
}

int64_t
slot_deviation(const struct slot_announced *announced)
{
    return announced->price_e8 - announced->base_e8;
}

int32_t
slot_find(const struct slot_ring *ring, struct slot slot)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        const struct slot other = slot_of(&ring->items[i]);
        if (other.start.us == slot.start.us && other.end.us == slot.end.us) {
            return (int32_t)i;
        }
    }
    return -1;
}

int32_t
slot_find_end(const struct slot_ring *ring, struct gf_time time, int32_t except)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        if ((int32_t)i != except && slot_of(&ring->items[i]).end.us == time.us &&
            slot_deviation(&ring->items[i]) != 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

int32_t
slot_find_start(const struct slot_ring *ring, struct gf_time time, int32_t except)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        if ((int32_t)i != except && slot_of(&ring->items[i]).start.us == time.us &&
            slot_deviation(&ring->items[i]) != 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

void
slot_forget(struct slot_ring *ring, struct gf_time time)
{
    uint32_t past = 0;
    while (past < ring->count && slot_of(&ring->items[past]).end.us < time.us) {
        past++;
    }
    ring->count -= past;
    memmove(ring->items, ring->items + past, ring->count * sizeof ring->items[0]);
    memset(ring->items + ring->count, 0, past * sizeof ring->items[0]);
}

int32_t
slot_insert(struct slot_ring *ring, struct slot_announced announced)
{
    assert(ring->count < SLOT_COUNT_MAX);
    uint32_t index = ring->count;
    while (index > 0 && ring->items[index - 1].start_minute > announced.start_minute) {
        ring->items[index] = ring->items[index - 1];
        index--;
    }
    ring->items[index] = announced;
    ring->count++;
    return (int32_t)index;
}

void
slot_local(const struct gf_zone *zone, struct gf_time time, int32_t *day_out, uint32_t *minute_out)
{
    const int64_t local_us = time.us + gf_zone_offset(zone, time) * GF_US_PER_S;
    const int64_t of_day_us = floor_mod(local_us, GF_US_PER_DAY);
    *day_out = (int32_t)((local_us - of_day_us) / GF_US_PER_DAY);
    *minute_out = (uint32_t)(of_day_us / GF_US_PER_MINUTE);
}

bool
slot_day_is_weekend(int32_t local_day)
{
    return gf_weekday_of(local_day) >= 5;
}

void
slot_band(const struct gf_tariff_terms *plan, const struct gf_zone *zone, struct gf_time time,
          int32_t *name_out, struct gf_price *price_out)
{
    int32_t day = 0;
    uint32_t minute = 0;
    slot_local(zone, time, &day, &minute);
    gf_tariff_band_at(plan, minute, slot_day_is_weekend(day), name_out, price_out);
}

/* Whether the price is `price` at every edge of a band inside (from, to) of a local day. */
static bool
edges_agree(const struct gf_tariff_terms *plan, int32_t day, uint32_t from, uint32_t to,
            struct gf_price price)
{
    const bool is_weekend = slot_day_is_weekend(day);
    for (uint32_t i = 0; i < 2 * plan->band_count; i++) {
        const struct gf_tariff_band *const band = &plan->bands[i / 2];
        const uint32_t minute = i % 2 == 0 ? band->from_minute : band->to_minute;
        if (minute <= from || minute >= to) {
            continue;
        }
        int32_t name = 0;
        struct gf_price other = {0};
        gf_tariff_band_at(plan, minute, is_weekend, &name, &other);
        if (other.e8_per_kwh != price.e8_per_kwh) {
            return false;
        }
    }
    return true;
}

bool
slot_is_in_one_band(const struct gf_tariff_terms *plan, const struct gf_zone *zone,
                    struct slot slot)
{
    const struct gf_time last = {slot.end.us - 1};
    if (gf_zone_offset(zone, slot.start) != gf_zone_offset(zone, last)) {
        return false;
    }
    int32_t day = 0, last_day = 0, name = 0;
    uint32_t minute = 0, last_minute = 0;
    slot_local(zone, slot.start, &day, &minute);
    slot_local(zone, last, &last_day, &last_minute);
    struct gf_price price = {0}, last_price = {0};
    slot_band(plan, zone, slot.start, &name, &price);
    slot_band(plan, zone, last, &name, &last_price);
    if (price.e8_per_kwh != last_price.e8_per_kwh) {
        return false;
    }
    if (day == last_day) {
        return edges_agree(plan, day, minute, last_minute + 1, price);
    }
    struct gf_price midnight = {0};
    gf_tariff_band_at(plan, 0, slot_day_is_weekend(last_day), &name, &midnight);
    return midnight.e8_per_kwh == price.e8_per_kwh &&
           edges_agree(plan, day, minute, MINUTES_PER_DAY, price) &&
           edges_agree(plan, last_day, 0, last_minute + 1, price);
}
