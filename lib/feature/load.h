/* Load: how a customer uses electricity, from interval readings and register stands. All figures
 * are features (double and float); none of them can reach a bill. Masked slots (estimated,
 * power-fail, invalid, missing) train nothing.
 *
 * The day in progress is kept exactly; when the first slot of a new local day arrives, the old day
 * is closed: its sum goes into the ring, the profile, baseline, CUSUM and window figures move. A
 * slot of a closed day that comes late (within the lateness) corrects the ring and the sums, not
 * the profile or the alarms. */
#ifndef GF_FEATURE_LOAD_H
#define GF_FEATURE_LOAD_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/unit.h"

#define GF_PROFILE_SLOT_COUNT                                                                      \
    48 /* half hours of the local day; finer readings add up, coarser ones are spread */
#define GF_PROFILE_DAY_TYPE_COUNT 2 /* 0 working day, 1 weekend */
#define GF_DAY_RING_COUNT         90
enum gf_window { GF_WINDOW_1D, GF_WINDOW_7D, GF_WINDOW_30D, GF_WINDOW_90D, GF_WINDOW_COUNT };

enum gf_exchange_start { GF_EXCHANGE_NONE = -1, GF_EXCHANGE_START_UNKNOWN = -2 };

struct gf_load {
    int64_t last_slot_start_us; /* newest interval with a value; INT64_MIN when there is none */
    int64_t day_micro_kwh;      /* of the day in progress, masked slots included; exact */
    /* register, of one meter at a time */
    int64_t register_micro_kwh; /* last stand, multiplier not applied */
    /* announced by an EXCHANGE event; negative: enum gf_exchange_start */
    int64_t exchange_new_start_micro_kwh;

    float profile_mean[GF_PROFILE_DAY_TYPE_COUNT][GF_PROFILE_SLOT_COUNT]; /* kWh per half hour */
    /* mean absolute deviation, half float; GF_HALF_MISSING: never seen */
    uint16_t profile_scale[GF_PROFILE_DAY_TYPE_COUNT][GF_PROFILE_SLOT_COUNT];
    /* kWh of closed days, half float, at (day mod 90); GF_HALF_MISSING */
    uint16_t day_ring[GF_DAY_RING_COUNT];
    int32_t ring_day; /* newest closed local day; INT32_MIN when there is none */

    /* the day in progress */
    int32_t day;                          /* local day; INT32_MIN before the first reading */
    int32_t interval_s;                   /* of the newest slot; 0 before the first reading */
    int32_t cusum_up_day, cusum_down_day; /* local day the sum last left 0 */
    uint32_t day_covered_s, day_masked_s; /* seconds with a value; of them masked */
    uint32_t register_s;                  /* time of the last stand, seconds since 1970 */
    float day_clean_kwh, day_band_kwh;    /* of the unmasked slots; of them with a known band */
    float day_peak_kwh, day_valley_kwh, day_night_kwh, day_max_kw; /* of the unmasked slots */
    float half_kwh; /* the half hour in progress, for slots that do not fill one */

    /* closed days */
    float window_mean[GF_WINDOW_COUNT];         /* kWh a day, over the days that are there */
    uint16_t window_deviation[GF_WINDOW_COUNT]; /* half float */
    float peak_share, flat_share, valley_share, night_share; /* exponentially weighted, 0..1 */
    float weekend_share; /* of the kWh of the last 28 days, 0..1 */
    float load_factor;   /* mean over maximum demand, exponentially weighted */
    float max_kw_30d;    /* maximum demand, decayed by 1/30 a day */
    float baseline_kwh,
        residual_scale;         /* seasonal baseline of a day's kWh and the scale of its residual */
    float cusum_up, cusum_down; /* in scales */
    float price_cost, price_kwh;  /* wholesale-weighted price = cost / kWh, decayed with 30 days */
    float season_cos, season_sin; /* annual harmonic of the day's kWh, learned slowly */
    uint16_t days_seen;           /* closed clean days, saturates */
    uint16_t zero_days, gap_days; /* run lengths of days up to the last closed day */
    uint16_t half_covered_s;      /* of the half hour in progress */
    uint8_t half_slot;            /* half hour of the local day */
    uint8_t register_meter;       /* index in the contract + 1; 0: no stand yet */
    uint16_t exports_seen;        /* readings of other channels; saturates */
};
static_assert(sizeof(struct gf_load) <= 944, "load part of the state record");

#define GF_HALF_MISSING           0xffff
#define GF_BASELINE_DAY_COUNT_MIN 14 /* clean days before there is a baseline */
#define GF_ALARM_DAY_COUNT_MIN    28 /* clean days before there are alarms */

/* Half-precision floats (IEEE 754 binary16), round to nearest even; above the range saturates at
 * 65,504. */
uint16_t gf_half_of(float value);
float gf_half_value(uint16_t half);

/* kWh of a closed day at most 90 days back; NaN when missing. */
float gf_load_day_kwh(const struct gf_load *load, int32_t day);
/* Expected kWh of a local day by the baseline, its season and day type; NaN before
 * GF_BASELINE_DAY_COUNT_MIN days. */
double gf_load_expected_kwh(const struct gf_load *load, int32_t day);

/* ---- called by feature.c ---- */

struct gf_feature_context;
struct gf_change;

/* An interval of the import channel, with what is known about its time. */
struct gf_slot {
    struct gf_time start;
    int32_t interval_s;
    int32_t day, second_of_day; /* local, of its start */
    struct gf_energy energy;    /* >= 0 */
    bool is_masked, is_night;
    int32_t band; /* enum gf_band_name; UNKNOWN where there is none */
    bool has_price;
    float price; /* wholesale, currency per kWh */
};

/* Closes the day in progress when `day` is after it. */
void gf_load_day_begin(struct gf_load *load, const struct gf_feature_context *context, int32_t day,
                       struct gf_change *change);
/* Adds a slot that had no value. `is_newest`: it comes after all others, so that it may train the
 * profile. */
void gf_load_slot_add(struct gf_load *load, const struct gf_feature_context *context,
                      const struct gf_slot *slot, bool is_newest);
/* Puts `slot` in the place of a value `old` that was added before. */
void gf_load_slot_replace(struct gf_load *load, const struct gf_slot *slot, struct gf_energy old,
                          bool old_is_masked);
/* A clean day of `kwh` (brought to 24 hours): residual, alarms, then baseline, season and scale
 * learn it. */
void gf_load_baseline_learn(struct gf_load *load, const struct gf_feature_context *context,
                            int32_t day, double kwh, struct gf_change *change);
/* Moves the ring's newest day on to `day`; days passed over are missing. */
void gf_load_ring_advance(struct gf_load *load, int32_t day);
/* Adds kWh to a day at most 90 days back (missing counts as 0). */
void gf_load_ring_add(struct gf_load *load, int32_t day, double kwh);
/* Window means, deviations and the weekend share from the ring. */
void gf_load_windows_update(struct gf_load *load);

#endif
