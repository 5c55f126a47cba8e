#include <stddef.h>

#include "operator/fraud/fraud.h"

#define PARAM(field)                                                                               \
    .name = #field, .offset = offsetof(struct gf_fraud_params, field), .is_fold = true
#define DAYS  .unit = "d", .type = GF_PARAM_INT
#define SHARE .type = GF_PARAM_REAL, .min = 0, .max = 1

const struct gf_param gf_fraud_param_rows[GF_FRAUD_PARAM_COUNT] = {
    {PARAM(use_kwh_per_day), .doc = "A day with more than this is use of electricity.",
     .unit = "kWh/d", .type = GF_PARAM_REAL, .initial = "0.5", .min = 0, .max = 1000},
    {PARAM(contract_wait_days), .doc = "NO_CONTRACT: use without a contract for so many days.",
     DAYS, .initial = "7", .min = 1, .max = 365},
    {PARAM(zero_days_residential), .doc = "ZERO_RUN: days without use, residential customers.",
     DAYS, .initial = "7", .min = 1, .max = 365},
    {PARAM(zero_days_commercial), .doc = "ZERO_RUN: days without use, commercial customers.", DAYS,
     .initial = "7", .min = 1, .max = 365},
    {PARAM(zero_days_industrial), .doc = "ZERO_RUN: days without use, industrial customers.", DAYS,
     .initial = "2", .min = 1, .max = 365},
    {PARAM(capacity_margin),
     .doc = "OVER_CAPACITY: demand above the contracted one by more than this share.",
     .type = GF_PARAM_REAL, .initial = "0.2", .min = 0, .max = 10},
    {PARAM(capacity_intervals), .doc = "OVER_CAPACITY: in so many intervals.", .unit = "intervals",
     .type = GF_PARAM_INT, .initial = "3", .min = 1, .max = 255},
    {PARAM(capacity_window_days), .doc = "OVER_CAPACITY: within so many days of the first of them.",
     DAYS, .initial = "30", .min = 1, .max = 365},
    {PARAM(drop_step),
     .doc =
         "BASELINE_DROP: mean of the 7 days after the change below this share of the 7 before it.",
     SHARE, .initial = "0.45"},
    {PARAM(drop_level),
     .doc = "BASELINE_DROP: mean use since the change below this share of the level before it.",
     SHARE, .initial = "0.6"},
    {PARAM(drop_peak),
     .doc = "BASELINE_DROP: no day since the change above this share of the level before it.",
     .type = GF_PARAM_REAL, .initial = "0.7", .min = 0, .max = 10},
    {PARAM(drop_evenness),
     .doc = "BASELINE_DROP: days that differ less than this share of how they differed before are "
            "those of "
            "an empty home; 0 takes them for evidence.",
     SHARE, .initial = "0.45"},
    {PARAM(drop_recovered_level),
     .doc = "BASELINE_DROP: a day above this share of the level before is no evidence.", SHARE,
     .initial = "0.8"},
    {PARAM(drop_days),
     .doc = "BASELINE_DROP: the drop has lasted so long; shorter ones are holidays.", DAYS,
     .initial = "28", .min = 7, .max = 30},
    {PARAM(weight_register), .doc = "Weight of REGISTER_BACKWARDS in the score.", SHARE,
     .initial = "0.85"},
    {PARAM(weight_contract), .doc = "Weight of NO_CONTRACT in the score.", SHARE, .initial = "0.6"},
    {PARAM(weight_zero), .doc = "Weight of ZERO_RUN in the score.", SHARE, .initial = "0.3"},
    {PARAM(weight_capacity), .doc = "Weight of OVER_CAPACITY in the score.", SHARE,
     .initial = "0.35"},
    {PARAM(weight_drop), .doc = "Weight of BASELINE_DROP in the score.", SHARE, .initial = "0.5"},
    {PARAM(score_medium), .doc = "Severity is MEDIUM from this score on.", SHARE, .initial = "0.5"},
    {PARAM(score_high), .doc = "Severity is HIGH from this score on.", SHARE, .initial = "0.8"},
    {PARAM(estimate_high), .doc = "Severity is HIGH when more energy than this is missing.",
     .unit = "kWh", .type = GF_PARAM_ENERGY, .initial = "2000", .min = 0, .max = 1e9},
    {PARAM(close_days), .doc = "A case closes after so many clean days without evidence.", DAYS,
     .initial = "30", .min = 1, .max = 365},
};
