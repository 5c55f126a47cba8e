/* Guard-rails: what the policy wants, made into what may be announced. Integers only, applied last,
 * in the order of `enum guard_rule`. A rule either moves the price (it is then named in
 * `guardrails_hit`) or holds: nothing is emitted.
 *
 * Let base be the price of the plan's band and the deviation be price - base. After the rules, of
 * every adjustment whose price is not base: NOTICE       it starts no earlier than the notice from
 * now BAND_EDGE the plan's price is the same all through its slot, and inside the limits of FLOOR
 * and CAP PROTECTED    a protected tariff is never above base FLOOR, CAP   the plan's limits, else
 * the configuration's BAND_RATIO of a local day's bands and adjustments, dearest / cheapest stays
 * within the limit; where the plan's own bands are wider, it gets no wider. A day with a price of 0
 * or less gets no wider at all RAMP         from one slot to the next the deviation moves by at
 * most the step, except to 0: the plan's price is known DWELL deviations change only at times that
 * are `dwell` apart DAY_CHANGES  the deviation changes at most so often on a local day ROOM only so
 * many slots are remembered An adjustment whose price is base (RETURN) keeps NOTICE, RAMP (towards
 * the slot after it), and DAY_CHANGES; one that withdraws keeps NOTICE alone. */
#ifndef GF_OPERATOR_TARIFF_GUARD_H
#define GF_OPERATOR_TARIFF_GUARD_H

#include "operator/tariff/slot.h"
#include "operator/tariff/tariff.h"

enum guard_rule {
    GUARD_NONE,
    GUARD_STOPPED, /* by a control; checked before the policy is asked */
    GUARD_NOTICE,
    GUARD_BAND_EDGE,
    GUARD_PROTECTED,
    GUARD_FLOOR,
    GUARD_CAP,
    GUARD_BAND_RATIO,
    GUARD_RAMP,
    GUARD_DWELL,
    GUARD_DAY_CHANGES,
    GUARD_ROOM,
    GUARD_RULE_COUNT,
};

/* "NOTICE", … */
const char *guard_rule_name(enum guard_rule rule);

struct guard_case {
    const struct gf_tariff_params *params;
    const struct gf_tariff_terms *plan; /* in force all through the slot */
    const struct gf_zone *zone;
    const struct slot_ring *ring;
    struct gf_time now;
    struct slot slot;
    struct gf_price base, wanted;
};

struct guard_verdict {
    enum guard_rule held; /* GUARD_NONE: announce `price` */
    struct gf_price price;
    enum guard_rule hits[GUARD_RULE_COUNT];
    uint32_t hit_count;
};

/* Errors: GF_E_RANGE. */
GF_MUST_USE enum gf_rc guard_apply(const struct guard_case *guard, struct guard_verdict *out);

#endif
