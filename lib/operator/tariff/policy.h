/* Policy: what the market, the load and the renewables ask for, as one of the configured factors.
 * Doubles are allowed here, because all they do is choose. */
#ifndef GF_OPERATOR_TARIFF_POLICY_H
#define GF_OPERATOR_TARIFF_POLICY_H

#include "model/records.h"
#include "operator/tariff/tariff.h"

#define POLICY_REASON_COUNT_MAX 5
#define POLICY_FACTOR_ONE       1000000

/* NaN where unknown. */
struct policy_signals {
    struct gf_price wholesale;
    double
        rank_low; /* share of recent prices that were not dearer than it by more than the spread */
    double rank_high;       /* share that were cheaper than it by more than the spread */
    double load_share;      /* demand over capacity */
    double high_share;      /* demand over the highest demand of late */
    double renewable_share; /* renewables over demand */
};

struct policy_wish {
    int64_t factor_ppm;
    struct gf_reason reasons[POLICY_REASON_COUNT_MAX]; /* strongest first; their codes are static */
    uint32_t reason_count;
};

void policy_choose(const struct gf_tariff_params *params, const struct policy_signals *signals,
                   struct policy_wish *out);

/* Sets the only reason. */
void policy_reason(struct policy_wish *wish, const char *code);

#endif
