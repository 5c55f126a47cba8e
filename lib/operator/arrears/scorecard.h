/* Scorecard: how safe an account is, as a sum of points that a person can add up with
 * docs/operators/arrears.md beside him. More points are safer; no answer to a question gives more
 * points than a better answer. */
#ifndef GF_OPERATOR_ARREARS_SCORECARD_H
#define GF_OPERATOR_ARREARS_SCORECARD_H

#include "operator/arrears/arrears.h"

#define GF_ARREARS_REASON_COUNT_MAX 4
#define GF_ARREARS_POINTS_MAX       500

struct gf_arrears_score {
    int32_t points; /* 0 … GF_ARREARS_POINTS_MAX */
    int32_t grade;  /* enum gf_risk_grade */
    uint32_t reason_count;
    struct gf_reason reasons[GF_ARREARS_REASON_COUNT_MAX]; /* what cost most points first; weight:
                                                              points it cost */
};

void gf_arrears_score(const struct gf_arrears_params *params, const struct gf_account *account,
                      struct gf_time now, struct gf_arrears_score *out);

#endif
