/* Case: what is suspected of one meter, from its first evidence to its end. */
#ifndef GF_OPERATOR_FRAUD_CASE_H
#define GF_OPERATOR_FRAUD_CASE_H

#include "operator/fraud/fraud.h"

#define GF_FRAUD_BIT(code) ((uint8_t)(1u << ((code)-1)))
/* Kinds that are about the customer's whole use; they share a case whichever meter sent the last
 * reading. */
#define GF_FRAUD_BITS_OF_USE                                                                       \
    (GF_FRAUD_BIT(GF_FRAUD_CODE_NO_CONTRACT) | GF_FRAUD_BIT(GF_FRAUD_CODE_ZERO_RUN) |              \
     GF_FRAUD_BIT(GF_FRAUD_CODE_OVER_CAPACITY) | GF_FRAUD_BIT(GF_FRAUD_CODE_BASELINE_DROP))

/* What an event showed. */
struct gf_fraud_evidence {
    uint8_t codes;    /* GF_FRAUD_BIT | … that hold now */
    int32_t day;      /* local day */
    double added_kwh; /* adds to the estimate of the case */
};

/* Kinds of evidence in the case of the customer's use, 0 when none is open. */
uint8_t gf_fraud_codes_of_use(const struct gf_fraud_state *state);
uint8_t gf_fraud_case_codes(const struct gf_fraud_case *open);
/* enum gf_severity; it never falls while the case is open. */
int32_t gf_fraud_case_severity(const struct gf_fraud_case *open);

/* Gives evidence to the case of the meter (or of the customer's use), opens one where there is
 * none, and emits when something new joined. Errors: those of gf_out_emit. */
GF_MUST_USE enum gf_rc gf_fraud_case_add(const struct gf_view *view, struct gf_fraud_state *state,
                                         struct gf_span meter_id,
                                         const struct gf_fraud_evidence *evidence,
                                         struct gf_out *out);

/* Ends a case for a reason listed in docs/reasons.md and frees it. */
GF_MUST_USE enum gf_rc gf_fraud_case_close(const struct gf_view *view, struct gf_fraud_state *state,
                                           struct gf_fraud_case *open, const char *reason,
                                           struct gf_span meter_id, struct gf_out *out);

/* 1 - (1 - weight) * (1 - weight) …: more evidence never lowers it, and no evidence alone makes
 * it 1. */
double gf_fraud_score(const struct gf_fraud_params *params, uint8_t codes);

/* Days without use that are suspicious for this class (enum gf_customer_class). */
int64_t gf_fraud_zero_days_limit(const struct gf_fraud_params *params, int32_t customer_class);

/* kWh of a span of closed local days, both included: mean over the days that are there, NaN when
 * there are none. */
double gf_fraud_mean_kwh(const struct gf_load *load, int32_t from_day, int32_t to_day,
                         int32_t *count_out);

#endif
