#include "operator/fraud/drop.h"

#include <math.h>

#define DAYS_BEFORE      28 /* the level before a step is the mean of so many days … */
#define DAYS_BEFORE_MIN  14 /* … with at least so many there */
#define DAYS_OF_SIDE     7  /* a whole week on either side of a step … */
#define DAYS_OF_SIDE_MIN 5  /* … with at least so many days there */
#define DAYS_OF_RECOVERY 7
#define WATCH_DAYS       60   /* a drop that is still no step after so long is none */
#define STEP_AGE_MAX     31   /* bits of `clean_days`: no day since a step may be an estimate */
#define DEVIATION_MIN    0.02 /* a load that is steadier than this cannot become more even */
#define DAY_COUNT        (STEP_AGE_MAX + 1 + DAYS_BEFORE)

/* The days up to the one that was closed, oldest first; NaN where there is none or it was not
 * clean. */
struct days {
    double kwh[DAY_COUNT];
};

struct level {
    double mean, deviation, highest; /* deviation: mean absolute, of the mean */
    uint32_t count;
};

static void
days_read(const struct gf_load *load, int32_t last_day, uint32_t clean_days, struct days *out)
{
    for (int32_t age = 0; age < DAY_COUNT; age++) {
        const bool is_clean = age > STEP_AGE_MAX || (clean_days >> age & 1u);
        out->kwh[DAY_COUNT - 1 - age] = is_clean && last_day >= age
                                            ? (double)gf_load_day_kwh(load, last_day - age)
                                            : (double)NAN;
    }
}

static struct level
level_of(const struct days *days, uint32_t from, uint32_t to)
{
    struct level level = {.mean = 0};
    double sum = 0, deviation = 0;
    for (uint32_t i = from; i < to; i++) {
        if (!isnan(days->kwh[i])) {
            sum += days->kwh[i];
            level.highest = days->kwh[i] > level.highest ? days->kwh[i] : level.highest;
            level.count++;
        }
    }
    if (level.count == 0) {
        return level;
    }
    level.mean = sum / level.count;
    for (uint32_t i = from; i < to; i++) {
        if (!isnan(days->kwh[i])) {
            const double error = days->kwh[i] - level.mean;
            deviation += error < 0 ? -error : error;
        }
    }
    level.deviation = level.mean > 0 ? deviation / level.count / level.mean : 0;
    return level;
}

/* First day after the deepest step between two weeks, as an index; 0 when there is none as deep as
 * asked for. Of equal ones the first. */
static uint32_t
step_find(const struct gf_fraud_params *params, const struct days *days)
{
    uint32_t step = 0;
    double least = params->drop_step;
    for (uint32_t i = DAYS_BEFORE; i + DAYS_OF_SIDE <= DAY_COUNT; i++) {
        const struct level before = level_of(days, i - DAYS_OF_SIDE, i);
        const struct level after = level_of(days, i, i + DAYS_OF_SIDE);
        if (before.count >= DAYS_OF_SIDE_MIN && after.count >= DAYS_OF_SIDE_MIN &&
            after.mean < least * before.mean) {
            least = after.mean / before.mean;
            step = i;
        }
    }
    return step;
}

/* Whether what came after the step is what a thief leaves: lasting, low on every day, as uneven as
 * before. */
static bool
is_theft_like(const struct gf_fraud_params *params, const struct level *before,
              const struct level *since, const struct level *recent, bool is_zero_run)
{
    const double limit_kwh = params->drop_level * before->mean;
    const bool is_even = before->deviation > DEVIATION_MIN &&
                         since->deviation < params->drop_evenness * before->deviation;
    return before->count >= DAYS_BEFORE_MIN && before->mean > params->use_kwh_per_day &&
           since->mean < limit_kwh && recent->mean < limit_kwh &&
           recent->count >= DAYS_OF_SIDE_MIN && since->highest < params->drop_peak * before->mean &&
           (is_zero_run || !is_even);
}

/* Takes up the watch of a drop that CUSUM has found. The level before it is kept: the running
 * baseline follows the drop down, and would call it normal. */
static void
watch_start(const struct gf_view *view, struct gf_fraud_state *state)
{
    const struct gf_fraud_params *const params = view->params;
    const int32_t change_day = view->change->cusum_change_day;
    int32_t count = 0;
    const double before_kwh =
        gf_fraud_mean_kwh(&view->features->load, change_day - DAYS_BEFORE, change_day - 1, &count);
    if (count >= DAYS_OF_SIDE && before_kwh > params->use_kwh_per_day) {
        state->drop_baseline_kwh = (float)before_kwh;
        state->drop_day = change_day + 1;
    }
}

static void
watch_check(const struct gf_view *view, struct gf_fraud_state *state,
            struct gf_fraud_evidence *evidence)
{
    const struct gf_fraud_params *const params = view->params;
    const struct gf_change *const change = view->change;
    struct days days;
    days_read(&view->features->load, change->day, state->clean_days, &days);
    const uint32_t step = step_find(params, &days);
    const struct level recent = level_of(&days, DAY_COUNT - DAYS_OF_RECOVERY, DAY_COUNT);
    const uint32_t age = DAY_COUNT - step;
    if (step > 0 && age >= params->drop_days) {
        const struct level before = level_of(&days, step - DAYS_BEFORE, step);
        const struct level since = level_of(&days, step, DAY_COUNT);
        const bool is_zero_run = evidence->codes & GF_FRAUD_BIT(GF_FRAUD_CODE_ZERO_RUN);
        if (since.count * 2 >= age &&
            is_theft_like(params, &before, &since, &recent, is_zero_run)) {
            state->drop_baseline_kwh = (float)before.mean;
            state->drop_day = change->day + 2 - (int32_t)age;
            evidence->codes |= GF_FRAUD_BIT(GF_FRAUD_CODE_BASELINE_DROP);
            evidence->added_kwh += (before.mean - since.mean) * since.count;
            return;
        }
    }
    const bool is_over =
        recent.count == DAYS_OF_RECOVERY &&
        recent.mean >= params->drop_recovered_level * (double)state->drop_baseline_kwh;
    if (is_over || change->day + 1 - state->drop_day > WATCH_DAYS) {
        state->drop_day = 0;
    }
}

/* A drop of somebody who is disconnected is what should be. */
static void
drop_look(const struct gf_view *view, struct gf_fraud_state *state,
          struct gf_fraud_evidence *evidence)
{
    const struct gf_fraud_params *const params = view->params;
    const struct gf_change *const change = view->change;
    const bool is_known = gf_fraud_codes_of_use(state) & GF_FRAUD_BIT(GF_FRAUD_CODE_BASELINE_DROP);
    if (state->disconnected_day != 0 && !is_known) {
        state->drop_day = 0;
        return;
    }
    if (change->cusum_down && state->drop_day == 0) {
        watch_start(view, state);
    }
    if (state->drop_day == 0 || !change->day_is_clean) {
        return;
    }
    const double baseline_kwh = (double)state->drop_baseline_kwh;
    if (!is_known) {
        watch_check(view, state, evidence);
    } else if (change->day_kwh < params->drop_recovered_level * baseline_kwh) {
        evidence->codes |= GF_FRAUD_BIT(GF_FRAUD_CODE_BASELINE_DROP);
        evidence->added_kwh += baseline_kwh - change->day_kwh;
    }
}

void
gf_fraud_drop_check(const struct gf_view *view, struct gf_fraud_state *state,
                    struct gf_fraud_evidence *evidence)
{
    const struct gf_change *const change = view->change;
    state->clean_days = state->clean_days << 1 | change->day_is_clean;
    drop_look(view, state, evidence);
    /* Days without a reading, between the closed day and the one that begins. */
    const int32_t missing = view->features->load.day - change->day - 1;
    state->clean_days = missing > STEP_AGE_MAX ? 0
                        : missing > 0          ? state->clean_days << missing
                                               : state->clean_days;
}
