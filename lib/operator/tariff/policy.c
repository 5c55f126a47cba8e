#include "operator/tariff/policy.h"

#include <assert.h>
#include <math.h>

static double
unit_clamp(double value)
{
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

/* How far `value` is beyond `limit`, as a share of the way to `end`; 0 when it is not, or not
 * known. */
static double
strength_of(double value, double limit, double end)
{
    if (isnan(value) || limit == end) {
        return 0;
    }
    return unit_clamp((value - limit) / (end - limit));
}

/* Keeps the reasons by falling weight; equal ones in the order they came. */
static void
reason_add(struct policy_wish *wish, const char *code, double value, double limit, double weight)
{
    if (!(weight > 0)) {
        return;
    }
    assert(wish->reason_count < POLICY_REASON_COUNT_MAX);
    uint32_t index = wish->reason_count++;
    while (index > 0 && wish->reasons[index - 1].weight < weight) {
        wish->reasons[index] = wish->reasons[index - 1];
        index--;
    }
    wish->reasons[index] = (struct gf_reason){
        .code = gf_span_text(code), .value = value, .limit = limit, .weight = weight};
}

void
policy_reason(struct policy_wish *wish, const char *code)
{
    wish->reason_count = 1;
    wish->reasons[0] =
        (struct gf_reason){.code = gf_span_text(code), .value = NAN, .limit = NAN, .weight = 0};
}

/* The factors on one side of 1 part (0, 1] evenly; the one nearest 1 comes first. They may stand in
 * any order. */
static int64_t
factor_of(const struct gf_tariff_params *params, double level)
{
    const bool is_cut = level < 0;
    int64_t side[GF_TARIFF_FACTOR_COUNT_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < params->factor_count; i++) {
        const int64_t factor = params->factors[i].factor_ppm;
        if (factor == POLICY_FACTOR_ONE || (factor < POLICY_FACTOR_ONE) != is_cut) {
            continue;
        }
        uint32_t index = count++;
        while (index > 0 && (is_cut ? side[index - 1] < factor : side[index - 1] > factor)) {
            side[index] = side[index - 1];
            index--;
        }
        side[index] = factor;
    }
    const double strength = is_cut ? -level : level;
    if (count == 0 || strength == 0) {
        return POLICY_FACTOR_ONE;
    }
    uint32_t index = 0;
    while (index + 1 < count && strength > (double)(index + 1) / count) {
        index++;
    }
    return side[index];
}

void
policy_choose(const struct gf_tariff_params *params, const struct policy_signals *signals,
              struct policy_wish *out)
{
    *out = (struct policy_wish){.factor_ppm = POLICY_FACTOR_ONE};
    const double low = strength_of(signals->rank_low, params->cheap_rank, 0);
    const double high = strength_of(signals->rank_high, params->dear_rank, 1);
    const bool is_cheap_enough = signals->rank_low <= params->surge_rank; /* false for NaN */
    const double surge =
        is_cheap_enough ? strength_of(signals->renewable_share, params->surge_share, 1) : 0;
    const bool has_capacity = !isnan(signals->load_share);
    const double load = has_capacity ? signals->load_share : signals->high_share;
    const double load_limit = has_capacity ? params->load_peak : params->high_peak;
    const double peak = strength_of(load, load_limit, 1);

    reason_add(out, "RES_SURPLUS", signals->renewable_share, params->surge_share, surge);
    reason_add(out, "WHOLESALE_LOW", signals->rank_low, params->cheap_rank, low);
    reason_add(out, "WHOLESALE_HIGH", signals->rank_high, params->dear_rank, high);
    reason_add(out, "LOAD_PEAK", load, load_limit, peak);
    const double level = unit_clamp(high + peak) - unit_clamp(low + surge);
    out->factor_ppm = factor_of(params, level);
    if (out->factor_ppm == POLICY_FACTOR_ONE) {
        policy_reason(out, "RETURN_TO_BASE");
    }
}
