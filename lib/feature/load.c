#include <math.h>
#include <string.h>

#include "base/real.h"
#include "feature/change.h"
#include "feature/feature.h"

#define HALF_HOUR_S       1800
#define DAY_S             86400
#define WEEKEND_DAY_COUNT 28
#define KWH_PER_MICRO     1e-6

static uint32_t
ring_place(int32_t day)
{
    const int32_t place = day % GF_DAY_RING_COUNT;
    return (uint32_t)(place < 0 ? place + GF_DAY_RING_COUNT : place);
}

static uint32_t
day_type(int32_t day)
{
    return gf_weekday_of(day) >= 5 ? 1 : 0;
}

/* ---- Half floats ---- */

uint16_t
gf_half_of(float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) {
        return (uint16_t)(sign | 0x7e00);
    }
    if (bits >= 0x477fe000) { /* 65,504 */
        return (uint16_t)(sign | 0x7bff);
    }
    if (bits <
        0x38800000) { /* 2^-14: subnormal, in units of 2^-24; adding 2^23 rounds to a whole one */
        float magnitude = 0;
        memcpy(&magnitude, &bits, sizeof magnitude);
        magnitude = magnitude * 0x1p24f + 0x1p23f;
        memcpy(&bits, &magnitude, sizeof bits);
        return (uint16_t)(sign | (bits - 0x4b000000));
    }
    bits += 0xfff + (bits >> 13 & 1);
    bits = (bits - (112u << 23)) >> 13;
    return (uint16_t)(sign | (bits > 0x7bff ? 0x7bff : bits));
}

float
gf_half_value(uint16_t half)
{
    if ((half & 0x7c00) == 0x7c00) {
        return (half & 0x3ff) != 0 ? NAN : (half & 0x8000) != 0 ? -INFINITY : INFINITY;
    }
    const uint32_t bits = (uint32_t)(half & 0x7fff) << 13;
    float value = 0;
    memcpy(&value, &bits, sizeof value);
    value *= 0x1p112f;
    return (half & 0x8000) != 0 ? -value : value;
}

/* ---- The ring of closed days ---- */

float
gf_load_day_kwh(const struct gf_load *load, int32_t day)
{
    if (load->ring_day == INT32_MIN || day > load->ring_day ||
        day <= load->ring_day - GF_DAY_RING_COUNT) {
        return NAN;
    }
    return gf_half_value(load->day_ring[ring_place(day)]);
}

void
gf_load_ring_advance(struct gf_load *load, int32_t day)
{
    const int32_t oldest_kept = day - GF_DAY_RING_COUNT;
    int32_t passed =
        load->ring_day == INT32_MIN || load->ring_day < oldest_kept ? oldest_kept : load->ring_day;
    while (passed < day) {
        passed++;
        load->day_ring[ring_place(passed)] = GF_HALF_MISSING;
    }
    load->ring_day = day;
}

void
gf_load_ring_add(struct gf_load *load, int32_t day, double kwh)
{
    assert(load->ring_day != INT32_MIN);
    assert(day <= load->ring_day);
    if (day <= load->ring_day - GF_DAY_RING_COUNT) {
        return;
    }
    uint16_t *const place = &load->day_ring[ring_place(day)];
    const double before = *place == GF_HALF_MISSING ? 0 : (double)gf_half_value(*place);
    *place = gf_half_of((float)(before + kwh > 0 ? before + kwh : 0));
}

void
gf_load_windows_update(struct gf_load *load)
{
    static const uint32_t lengths[GF_WINDOW_COUNT] = {1, 7, 30, 90};
    double sum = 0, squares = 0, weekend = 0, weekend_total = 0;
    uint32_t count = 0, window = 0;
    uint32_t place = ring_place(load->ring_day);
    uint32_t weekday = gf_weekday_of(load->ring_day);
    for (uint32_t back = 0; back < GF_DAY_RING_COUNT; back++) {
        const uint16_t half = load->day_ring[place];
        if (half != GF_HALF_MISSING) {
            const double kwh = (double)gf_half_value(half);
            count++;
            sum += kwh;
            squares += kwh * kwh;
            if (back < WEEKEND_DAY_COUNT) {
                weekend_total += kwh;
                weekend += weekday >= 5 ? kwh : 0;
            }
        }
        place = place == 0 ? GF_DAY_RING_COUNT - 1 : place - 1;
        weekday = weekday == 0 ? 6 : weekday - 1;
        if (back + 1 == lengths[window]) {
            const double mean = count == 0 ? 0 : sum / count;
            const double variance = count == 0 ? 0 : squares / count - mean * mean;
            load->window_mean[window] = (float)mean;
            load->window_deviation[window] =
                gf_half_of(variance > 0 ? (float)gf_sqrt(variance) : 0);
            window++;
        }
    }
    load->weekend_share = weekend_total > 0 ? (float)(weekend / weekend_total) : 0;
}

/* ---- Profile ---- */

/* Weight of a day in its profile slot: the plain mean until enough days of this type were seen. */
static float
profile_weight(const struct gf_load *load, const struct gf_feature_params *params, uint32_t type)
{
    const double days = load->days_seen * (type == 1 ? 2.0 / 7 : 5.0 / 7);
    const double alpha = params->profile_alpha;
    return (float)(alpha * (days + 1) < 1 ? 1 / (days + 1) : alpha);
}

static void
profile_train(struct gf_load *load, uint32_t type, uint32_t half, float kwh, float weight)
{
    float *const mean = &load->profile_mean[type][half];
    uint16_t *const scale = &load->profile_scale[type][half];
    if (*scale == GF_HALF_MISSING) {
        *mean = kwh;
        *scale = 0;
        return;
    }
    const float deviation = kwh - *mean;
    const float scale_before = gf_half_value(*scale);
    *mean += weight * deviation;
    *scale = gf_half_of(scale_before +
                        weight * ((deviation < 0 ? -deviation : deviation) - scale_before));
}

/* Shares a slot out to the half hours it lies in. One that is complete trains its place. */
static void
profile_fill(struct gf_load *load, const struct gf_feature_params *params,
             const struct gf_slot *slot, float kwh)
{
    const uint32_t type = day_type(slot->day);
    const float weight = profile_weight(load, params, type);
    int32_t second = slot->interval_s == DAY_S ? 0 : slot->second_of_day;
    int32_t left_s = slot->interval_s;
    const float per_half = kwh * (float)HALF_HOUR_S / (float)slot->interval_s;
    while (left_s > 0) {
        const uint32_t half = (uint32_t)(second / HALF_HOUR_S) % GF_PROFILE_SLOT_COUNT;
        const int32_t room_s = HALF_HOUR_S - second % HALF_HOUR_S;
        const int32_t part_s = left_s < room_s ? left_s : room_s;
        second += part_s;
        left_s -= part_s;
        if (part_s == HALF_HOUR_S) {
            profile_train(load, type, half, per_half, weight);
            continue;
        }
        if (half != load->half_slot || load->half_covered_s == 0) {
            load->half_slot = (uint8_t)half;
            load->half_covered_s = 0;
            load->half_kwh = 0;
        }
        load->half_kwh += per_half * (float)part_s / (float)HALF_HOUR_S;
        load->half_covered_s = (uint16_t)(load->half_covered_s + part_s);
        if (load->half_covered_s >= HALF_HOUR_S) {
            profile_train(load, type, half, load->half_kwh, weight);
            load->half_covered_s = 0;
        }
    }
}

/* ---- The day in progress ---- */

/* Adds an unmasked slot's kWh to the shares of the day; with a negative kWh takes it out. */
static void
shares_add(struct gf_load *load, const struct gf_slot *slot, float kwh)
{
    load->day_clean_kwh += kwh;
    load->day_band_kwh += slot->band != GF_BAND_NAME_UNKNOWN ? kwh : 0;
    load->day_peak_kwh +=
        slot->band == GF_BAND_NAME_PEAK || slot->band == GF_BAND_NAME_CRITICAL ? kwh : 0;
    load->day_valley_kwh += slot->band == GF_BAND_NAME_VALLEY ? kwh : 0;
    load->day_night_kwh += slot->is_night ? kwh : 0;
    if (slot->has_price) {
        load->price_cost += kwh * slot->price;
        load->price_kwh += kwh;
    }
}

static float
slot_kw(const struct gf_slot *slot)
{
    return (float)((double)slot->energy.micro_kwh * KWH_PER_MICRO * 3600 / slot->interval_s);
}

void
gf_load_slot_add(struct gf_load *load, const struct gf_feature_context *context,
                 const struct gf_slot *slot, bool is_newest)
{
    assert(slot->energy.micro_kwh >= 0);
    assert(load->day != INT32_MIN);
    const double kwh = (double)slot->energy.micro_kwh * KWH_PER_MICRO;
    if (slot->day < load->day) {
        if (load->ring_day == INT32_MIN) {
            gf_load_ring_advance(load, load->day - 1);
        }
        gf_load_ring_add(load, slot->day, kwh);
        gf_load_windows_update(load);
        return;
    }
    load->day_micro_kwh += slot->energy.micro_kwh;
    load->day_covered_s += (uint32_t)slot->interval_s;
    if (slot->is_masked) {
        load->day_masked_s += (uint32_t)slot->interval_s;
        return;
    }
    const float kw = slot_kw(slot);
    load->day_max_kw = kw > load->day_max_kw ? kw : load->day_max_kw;
    shares_add(load, slot, (float)kwh);
    if (is_newest) {
        profile_fill(load, context->params, slot, (float)kwh);
    }
}

void
gf_load_slot_replace(struct gf_load *load, const struct gf_slot *slot, struct gf_energy old,
                     bool old_is_masked)
{
    const int64_t delta = slot->energy.micro_kwh - old.micro_kwh;
    if (slot->day < load->day) {
        if (load->ring_day != INT32_MIN && delta != 0) {
            gf_load_ring_add(load, slot->day, (double)delta * KWH_PER_MICRO);
            gf_load_windows_update(load);
        }
        return;
    }
    /* The old value of a quarter-hour is only known to 1 %. */
    load->day_micro_kwh += load->day_micro_kwh + delta < 0 ? -load->day_micro_kwh : delta;
    if (slot->is_masked) {
        return; /* only ever in the place of another masked one */
    }
    const float kw = slot_kw(slot);
    load->day_max_kw = kw > load->day_max_kw ? kw : load->day_max_kw;
    if (old_is_masked) {
        const uint32_t interval_s = (uint32_t)slot->interval_s;
        load->day_masked_s -= load->day_masked_s < interval_s ? load->day_masked_s : interval_s;
        shares_add(load, slot, (float)((double)slot->energy.micro_kwh * KWH_PER_MICRO));
    } else {
        shares_add(load, slot, (float)((double)delta * KWH_PER_MICRO));
    }
}
