#include <math.h>

#include "feature/change.h"
#include "feature/feature.h"

#define DAY_S         86400
#define KWH_PER_MICRO 1e-6
/* A day with a tenth or more of its slots masked or missing is no evidence. */
#define CLEAN_TENTHS_MIN 9
#define MONTH_DECAY      (29.0f / 30.0f)

/* Seconds of a local day: 23, 24 or 25 hours. */
static uint32_t
day_length_s(const struct gf_zone *zone, int32_t day)
{
    struct gf_time from = {0}, to = {0};
    const struct gf_time about = {day * GF_US_PER_DAY};
    (void)gf_zone_offset_range(zone, about, &from, &to);
    if (from.us < about.us - GF_US_PER_DAY && to.us > about.us + 2 * GF_US_PER_DAY) {
        return DAY_S; /* no change of the offset anywhere near */
    }
    const int64_t length_us = gf_day_start(zone, day + 1).us - gf_day_start(zone, day).us;
    return (uint32_t)(length_us / GF_US_PER_S);
}

static void
share_move(float *share, double part, double whole, double weight)
{
    const double bounded = part < 0 ? 0 : part > whole ? whole : part;
    *share += (float)(weight * (bounded / whole - (double)*share));
}

/* Shares of a clean day's kWh; those by band only where nearly all of it had a band. */
static void
shares_learn(struct gf_load *load, const struct gf_feature_params *params)
{
    const double kwh = (double)load->day_clean_kwh;
    if (kwh <= 0 || load->interval_s == DAY_S) {
        return;
    }
    const double days = load->days_seen + 1.0;
    const double weight = params->profile_alpha * days < 1 ? 1 / days : params->profile_alpha;
    share_move(&load->night_share, (double)load->day_night_kwh, kwh, weight);
    if ((double)load->day_band_kwh * 10 >= kwh * CLEAN_TENTHS_MIN) {
        /* Until the first banded day all three are 0; then they are its shares and add up to 1. */
        const bool is_first = load->peak_share + load->flat_share + load->valley_share <= 0;
        const double band_kwh = (double)load->day_band_kwh;
        const double band_weight = is_first ? 1 : weight;
        const double peak = (double)load->day_peak_kwh, valley = (double)load->day_valley_kwh;
        share_move(&load->peak_share, peak, band_kwh, band_weight);
        share_move(&load->valley_share, valley, band_kwh, band_weight);
        share_move(&load->flat_share, band_kwh - peak - valley, band_kwh, band_weight);
    }
    const uint32_t clean_s = load->day_covered_s - load->day_masked_s;
    if (load->day_max_kw > 0 && clean_s > 0) {
        share_move(&load->load_factor, kwh * 3600 / clean_s, (double)load->day_max_kw, weight);
    }
}

static void
zero_run_learn(struct gf_load *load, const struct gf_feature_params *params, double kwh,
               bool is_clean)
{
    if (is_clean && kwh < params->zero_kwh_per_day) {
        load->zero_days =
            load->zero_days < UINT16_MAX ? (uint16_t)(load->zero_days + 1) : load->zero_days;
    } else if ((double)load->day_clean_kwh >= params->zero_kwh_per_day) {
        load->zero_days = 0; /* energy that was measured ends a run also on a day with gaps */
    }
}

static void
day_close(struct gf_load *load, const struct gf_feature_context *context, struct gf_change *change)
{
    assert(load->interval_s > 0);
    assert(load->day_masked_s <= load->day_covered_s);
    const uint32_t interval_s = (uint32_t)load->interval_s;
    const uint32_t expected_s =
        load->interval_s == DAY_S ? DAY_S : day_length_s(context->zone, load->day);
    const uint32_t clean_s = load->day_covered_s - load->day_masked_s;
    const double kwh = (double)load->day_micro_kwh * KWH_PER_MICRO;
    change->day_closed = true;
    change->day = load->day;
    change->day_kwh = kwh;
    change->day_slots = clean_s / interval_s;
    change->day_slots_expected = expected_s / interval_s;
    change->day_is_clean = (uint64_t)clean_s * 10 >= (uint64_t)expected_s * CLEAN_TENTHS_MIN;
    change->day_expected_kwh = gf_load_expected_kwh(load, load->day);
    change->day_residual = (double)NAN;

    gf_load_ring_advance(load, load->day);
    gf_load_ring_add(load, load->day, kwh);
    gf_load_windows_update(load);
    load->gap_days = 0;
    load->max_kw_30d *= MONTH_DECAY;
    load->max_kw_30d = load->day_max_kw > load->max_kw_30d ? load->day_max_kw : load->max_kw_30d;
    load->price_cost *= MONTH_DECAY;
    load->price_kwh *= MONTH_DECAY;
    /* Brought to 24 hours, so that a short day and a missing slot are no drop. */
    const double kwh_24h = load->day_covered_s > 0 ? kwh * DAY_S / load->day_covered_s : 0;
    zero_run_learn(load, context->params, kwh_24h, change->day_is_clean);
    if (change->day_is_clean) {
        shares_learn(load, context->params);
        gf_load_baseline_learn(load, context, load->day, kwh_24h, change);
        load->days_seen =
            load->days_seen < UINT16_MAX ? (uint16_t)(load->days_seen + 1) : load->days_seen;
    }
}

void
gf_load_day_begin(struct gf_load *load, const struct gf_feature_context *context, int32_t day,
                  struct gf_change *change)
{
    assert(load->day == INT32_MIN || day >= load->day);
    if (day == load->day) {
        return;
    }
    if (load->day != INT32_MIN) {
        day_close(load, context, change);
        const int32_t missing = day - 1 - load->day;
        load->gap_days = (uint16_t)(missing < UINT16_MAX ? missing : UINT16_MAX);
        if (missing > 0) {
            gf_load_ring_advance(load, day - 1);
            gf_load_windows_update(load);
        }
    }
    load->day = day;
    load->day_micro_kwh = 0;
    load->day_covered_s = load->day_masked_s = 0;
    load->day_clean_kwh = load->day_band_kwh = 0;
    load->day_peak_kwh = load->day_valley_kwh = load->day_night_kwh = load->day_max_kw = 0;
    load->half_kwh = 0;
    load->half_covered_s = 0;
}
