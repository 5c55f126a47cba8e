/* Announcing: the records the tariff operator emits, and what it remembers of them. */
#ifndef GF_OPERATOR_TARIFF_ANNOUNCE_H
#define GF_OPERATOR_TARIFF_ANNOUNCE_H

#include "operator/tariff/guard.h"
#include "operator/tariff/policy.h"
#include "operator/tariff/state.h"

/* What one call works on. */
struct tariff_call {
    const struct gf_view *view;
    const struct gf_tariff_params *params;
    const struct gf_zone *zone;
    struct tariff_state *state;
    struct gf_out *out;
    struct gf_span tariff_id, area_id;
    struct gf_time now;
};

/* A slot to announce, and why. */
struct tariff_case {
    struct slot slot;
    const struct gf_tariff_terms
        *plan; /* in force all through the slot, or at its start for a withdrawal */
    struct gf_price base;
    int32_t band;
    struct policy_signals signals;
    struct policy_wish wish;
    struct gf_price wanted;
    bool has_wholesale;
};

/* Emits the verdict's price for the slot, as the next version of it, and remembers it. Errors:
 * GF_E_FULL. */
GF_MUST_USE enum gf_rc announce_adjustment(struct tariff_call *call, const struct tariff_case *item,
                                           const struct guard_verdict *verdict);

/* Takes back what was announced and leaves the notice, the latest first, so that no ramp rises in
 * between. With `plan`, only slots that this version is in force for (all, when it no longer offers
 * the tariff here). Errors: GF_E_FULL. */
GF_MUST_USE enum gf_rc announce_withdrawal(struct tariff_call *call,
                                           const struct gf_tariff_plan *plan, const char *reason);

/* Emits a finding about prices. Errors: GF_E_FULL. */
GF_MUST_USE enum gf_rc announce_quality(struct tariff_call *call, int32_t rule,
                                        struct gf_time start, int64_t length_s, int64_t count);

#endif
