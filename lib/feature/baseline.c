/* Seasonal baseline of a day's kWh, and the two CUSUMs on its residual. docs/features.md has the
 * formulas. */
#include <math.h>

#include "base/real.h"
#include "feature/change.h"
#include "feature/feature.h"

#define RADIANS_PER_DAY (6.283185307179586 / 365.2425)
/* A normal distribution's standard deviation over its mean absolute deviation. */
#define SCALE_OF_DEVIATION 1.2533141373155
/* Homes have heavy tails (guests, holidays): a single day counts for no more than this many scales.
 */
#define RESIDUAL_LIMIT 2.5
/* The year is learned at a fifth of the level's speed, or it would swallow a drop. */
#define SEASON_SPEED 0.2
/* A load that never varies still varies this much: by share of the level, and in kWh. */
#define SCALE_FLOOR   0.05
#define SCALE_KWH_MIN 0.05

/* What a day of this type uses against the mean day of the week, by the profile. */
static double
type_factor(const struct gf_load *load, int32_t day)
{
    double sums[GF_PROFILE_DAY_TYPE_COUNT] = {0};
    for (uint32_t half = 0; half < GF_PROFILE_SLOT_COUNT; half++) {
        sums[0] += (double)load->profile_mean[0][half];
        sums[1] += (double)load->profile_mean[1][half];
    }
    const double week_mean = (5 * sums[0] + 2 * sums[1]) / 7;
    if (sums[0] <= 0 || sums[1] <= 0) {
        return 1;
    }
    const double factor = sums[gf_weekday_of(day) >= 5 ? 1 : 0] / week_mean;
    return factor < 0.25 ? 0.25 : factor > 4 ? 4 : factor;
}

struct season {
    double cosine, sine;
};

static struct season
season_of(int32_t day)
{
    const double angle = RADIANS_PER_DAY * day;
    return (struct season){.cosine = gf_sin(angle + 1.5707963267948966), .sine = gf_sin(angle)};
}

static double
expected_of(const struct gf_load *load, struct season season, double factor)
{
    const double level = (double)load->baseline_kwh + (double)load->season_cos * season.cosine +
                         (double)load->season_sin * season.sine;
    return level > 0 ? level * factor : 0;
}

double
gf_load_expected_kwh(const struct gf_load *load, int32_t day)
{
    if (load->days_seen < GF_BASELINE_DAY_COUNT_MIN) {
        return (double)NAN;
    }
    return expected_of(load, season_of(day), type_factor(load, day));
}

static double
clipped(double value, double limit)
{
    return value > limit ? limit : value < -limit ? -limit : value;
}

static double
scale_of(const struct gf_load *load)
{
    const double floor_kwh = SCALE_KWH_MIN + SCALE_FLOOR * (double)load->baseline_kwh;
    const double scale = (double)load->residual_scale;
    return scale > floor_kwh ? scale : floor_kwh;
}

/* One side: the sum, and the day it last left 0. */
static bool
cusum_step(float *sum, int32_t *since, double step, double limit, int32_t day)
{
    const double next = (double)*sum + step;
    if (next <= 0) {
        *sum = 0;
        return false;
    }
    *since = *sum <= 0 ? day : *since;
    *sum = (float)next;
    return next > limit;
}

static void
alarms_update(struct gf_load *load, const struct gf_feature_params *params, int32_t day,
              double residual, struct gf_change *change)
{
    const double step = clipped(residual, RESIDUAL_LIMIT);
    const double k = params->cusum_k, h = params->cusum_h;
    change->cusum_up = cusum_step(&load->cusum_up, &load->cusum_up_day, step - k, h, day);
    change->cusum_down = cusum_step(&load->cusum_down, &load->cusum_down_day, -step - k, h, day);
    if (change->cusum_up || change->cusum_down) {
        change->cusum_change_day = change->cusum_down ? load->cusum_down_day : load->cusum_up_day;
        load->cusum_up = load->cusum_down = 0;
    }
}

void
gf_load_baseline_learn(struct gf_load *load, const struct gf_feature_context *context, int32_t day,
                       double kwh, struct gf_change *change)
{
    const struct gf_feature_params *const params = context->params;
    const struct season season = season_of(day);
    const double factor = type_factor(load, day);
    const double error = kwh - expected_of(load, season, factor);
    const double scale = scale_of(load);
    const bool has_baseline = load->days_seen >= GF_BASELINE_DAY_COUNT_MIN;
    if (has_baseline) {
        change->day_residual = error / scale;
    }
    if (load->days_seen >= GF_ALARM_DAY_COUNT_MIN) {
        alarms_update(load, params, day, error / scale, change);
    }
    const double days = load->days_seen + 1.0;
    const double alpha = params->baseline_alpha * days < 1 ? 1 / days : params->baseline_alpha;
    const double limited = has_baseline ? clipped(error, RESIDUAL_LIMIT * scale) : error;
    const double level_error = limited / factor;
    load->baseline_kwh += (float)(alpha * level_error);
    if (has_baseline) {
        load->season_cos +=
            (float)(params->baseline_alpha * SEASON_SPEED * level_error * season.cosine);
        load->season_sin +=
            (float)(params->baseline_alpha * SEASON_SPEED * level_error * season.sine);
    }
    if (load->days_seen > 0) {
        const double deviation = SCALE_OF_DEVIATION * (limited < 0 ? -limited : limited);
        load->residual_scale += (float)(alpha * (deviation - (double)load->residual_scale));
    }
}
