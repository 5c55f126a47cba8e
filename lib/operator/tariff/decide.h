/* Deciding: from market, load and renewables over policy and guard-rails to an announcement, or to
 * none. */
#ifndef GF_OPERATOR_TARIFF_DECIDE_H
#define GF_OPERATOR_TARIFF_DECIDE_H

#include "operator/tariff/announce.h"

/* Decides a slot that leaves the notice, from its own prices; does nothing while some of them are
 * not known. Errors: GF_E_RANGE, GF_E_FULL. */
GF_MUST_USE enum gf_rc decide_known_slot(struct tariff_call *call, struct gf_span market,
                                         struct slot slot);

/* In a market whose prices are known only when they hold, the mean of late stands for the next slot
 * that leaves the notice. `tick` is the newest price; the last one in time for a slot decides it.
 * Errors as above.
 */
GF_MUST_USE enum gf_rc decide_next_slot(struct tariff_call *call, struct gf_span market,
                                        const struct gf_price_tick *tick);

#endif
