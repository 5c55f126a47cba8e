/* Fraud: suspicions about a meter, from five kinds of evidence, gathered in one open case for each
 * meter.
 *
 *   REGISTER_BACKWARDS  a stand below the one before, and neither rollover nor exchange explains it
 *   NO_CONTRACT         use of electricity with no contract in force for a week, or while
 * disconnected ZERO_RUN            days without any use where there was use before, with nobody
 * disconnected OVER_CAPACITY       demand above the contracted one, in several intervals
 *   BASELINE_DROP       a lasting step down from the customer's own earlier level, with the day of
 * the step
 *
 * A case opens with its first evidence, is updated when another kind joins or its severity rises,
 * and closes when no evidence was seen for some clean days. Masked slots (estimated, power-fail,
 * missing) are evidence of nothing, neither of theft nor of its end. A flag is a hypothesis for an
 * inspector: protections and disputes are named in it. */
#ifndef GF_OPERATOR_FRAUD_FRAUD_H
#define GF_OPERATOR_FRAUD_FRAUD_H

#include <assert.h>
#include <stdint.h>

#include "base/param.h"
#include "operator/operator.h"

struct gf_fraud_params {
    double use_kwh_per_day; /* a day with more than this is use */
    int64_t contract_wait_days;
    int64_t zero_days_residential, zero_days_commercial, zero_days_industrial;
    double capacity_margin; /* 0.2: 20 % above the contracted demand */
    int64_t capacity_intervals, capacity_window_days;
    double drop_step, drop_level, drop_peak, drop_recovered_level; /* share of the earlier level */
    double drop_evenness; /* of the relative deviation before */
    int64_t drop_days;
    double weight_register, weight_contract, weight_zero, weight_capacity, weight_drop;
    double score_medium, score_high;
    struct gf_energy estimate_high;
    int64_t close_days;
};

#define GF_FRAUD_CASE_COUNT_MAX 3 /* as many as a contract has meters */

struct gf_fraud_case {
    uint32_t meter_hash;    /* low half of gf_hash64 of the meter id; 0: free */
    uint32_t opened_minute; /* since 1970 */
    float estimated_kwh;    /* not measured, or measured and not billed, so far */
    uint8_t version;        /* of the last record; saturates before the last one */
    uint8_t codes;          /* bits 0..4: enum gf_fraud_code - 1; bits 5, 6: enum gf_severity */
    uint16_t evidence_day;  /* low half of the local day of the last evidence, moved on by days that
                               tell nothing */
};

struct gf_fraud_state {
    struct gf_fraud_case cases[GF_FRAUD_CASE_COUNT_MAX];
    float drop_baseline_kwh; /* kWh a day before the drop that is watched, or found */
    uint32_t clean_days; /* bit i: the day i days before the newest one that is over was clean */
    int32_t drop_day;    /* local day the watched drop began, + 1; 0: none */
    int32_t no_contract_day;  /* first closed local day without a contract, + 1; 0: has one */
    int32_t disconnected_day; /* local day of disconnection, + 1; 0: connected */
    uint16_t capacity_day;    /* low half of the local day the count began */
    uint8_t capacity_count;   /* intervals above the contracted demand since; saturates */
    uint8_t reserved;
};
static_assert(sizeof(struct gf_fraud_state) == 72, "fraud part of the state record");

#define GF_FRAUD_PARAM_COUNT 23
extern const struct gf_param gf_fraud_param_rows[GF_FRAUD_PARAM_COUNT];
extern const struct gf_operator gf_op_fraud;

#endif
