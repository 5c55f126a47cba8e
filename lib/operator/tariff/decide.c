#include "operator/tariff/decide.h"

#include <math.h>

/* The mean price of the slot; false where not all of it is known. */
static bool
slot_wholesale(const struct tariff_call *call, struct gf_span market, struct slot slot,
               struct gf_price *out)
{
    __int128 sum = 0;
    for (int64_t us = slot.start.us; us < slot.end.us;) {
        const struct gf_price_tick *const tick =
            gf_reference_price(call->view->reference, market, (struct gf_time){us});
        if (tick == NULL) {
            return false;
        }
        const int64_t tick_end_us = tick->start.us + tick->interval_s * GF_US_PER_S;
        const int64_t to_us = tick_end_us < slot.end.us ? tick_end_us : slot.end.us;
        sum += (__int128)tick->price.e8_per_kwh * (to_us - us);
        us = to_us;
    }
    out->e8_per_kwh = (int64_t)(sum / (slot.end.us - slot.start.us));
    return true;
}

/* Where the price stands among those of `history` before the slot. False when that is too short to
 * tell. */
static bool
ranks_of(const struct tariff_call *call, struct gf_span market, const struct tariff_case *item,
         struct policy_signals *signals)
{
    const struct gf_time known_at = gf_time_sub(item->slot.start, call->params->history_min);
    if (gf_reference_price(call->view->reference, market, known_at) == NULL) {
        return false;
    }
    const int64_t price = signals->wholesale.e8_per_kwh;
    int64_t spread = 0;
    if (gf_muldiv(price < 0 ? -price : price, call->params->spread_ppm, POLICY_FACTOR_ONE,
                  &spread) != GF_OK) {
        return false;
    }
    const struct gf_time to = item->slot.start, from = gf_time_sub(to, call->params->history);
    uint32_t count = 0, cheaper = 0;
    gf_reference_price_rank(call->view->reference, market, from, to,
                            (struct gf_price){price + spread + 1}, &count, &cheaper);
    if (count == 0) {
        return false;
    }
    signals->rank_low = (double)cheaper / count;
    gf_reference_price_rank(call->view->reference, market, from, to,
                            (struct gf_price){price - spread}, &count, &cheaper);
    signals->rank_high = (double)cheaper / count;
    return true;
}

static void
supply_signals(const struct tariff_call *call, const struct gf_supply *supply,
               struct policy_signals *signals)
{
    signals->load_share = NAN;
    signals->high_share = NAN;
    signals->renewable_share = NAN;
    if (supply == NULL || !supply->has_demand || supply->demand_kw <= 0) {
        return;
    }
    if (supply->has_capacity && supply->capacity_kw > 0) {
        signals->load_share = (double)supply->demand_kw / (double)supply->capacity_kw;
    }
    if (supply->has_renewable) {
        signals->renewable_share = (double)supply->renewable_kw / (double)supply->demand_kw;
    }
    const struct tariff_state *const state = call->state;
    if (state->demand_first_us != 0 &&
        call->now.us - state->demand_first_us >= call->params->history_min.us) {
        signals->high_share = (double)supply->demand_kw / state->demand_high_kw;
    }
}

/* Asks the policy, then the guard-rails, and announces what differs from what was. */
static enum gf_rc
slot_decide(struct tariff_call *call, struct tariff_case *item)
{
    enum gf_rc rc = gf_muldiv(item->base.e8_per_kwh, item->wish.factor_ppm, POLICY_FACTOR_ONE,
                              &item->wanted.e8_per_kwh);
    struct guard_verdict verdict = {.held = GUARD_NONE};
    if (rc == GF_OK) {
        const struct guard_case guard = {.params = call->params,
                                         .plan = item->plan,
                                         .zone = call->zone,
                                         .ring = &call->state->ring,
                                         .now = call->now,
                                         .slot = item->slot,
                                         .base = item->base,
                                         .wanted = item->wanted};
        rc = guard_apply(&guard, &verdict);
    }
    if (rc != GF_OK) {
        return gf_out_fail(call->out, rc,
                           "tariff: base price %lld times factor %lld is out of range",
                           (long long)item->base.e8_per_kwh, (long long)item->wish.factor_ppm);
    }
    const int32_t index = slot_find(&call->state->ring, item->slot);
    const bool is_moved = index >= 0 && slot_deviation(&call->state->ring.items[index]) != 0;
    const int64_t standing =
        is_moved ? call->state->ring.items[index].price_e8 : item->base.e8_per_kwh;
    if (verdict.held != GUARD_NONE) {
        call->state->held[verdict.held] += item->wanted.e8_per_kwh != standing;
        return GF_OK;
    }
    return verdict.price.e8_per_kwh == standing ? GF_OK : announce_adjustment(call, item, &verdict);
}

/* The plan that is in force all through the slot, may be moved and belongs to the market; else
 * NULL. */
static const struct gf_tariff_terms *
slot_plan(const struct tariff_call *call, struct gf_span market, struct slot slot)
{
    const struct gf_reference *const reference = call->view->reference;
    const struct gf_tariff_terms *const plan =
        gf_reference_plan(reference, call->tariff_id, slot.start);
    if (plan == NULL || !plan->is_dynamic || !gf_span_equal(gf_span_text(plan->zone), market) ||
        gf_reference_plan(reference, call->tariff_id, (struct gf_time){slot.end.us - 1}) != plan) {
        return NULL;
    }
    return plan;
}

/* Decides one slot at the given wholesale price. `supply_at`: when to ask for the supply if the
 * slot has none yet. */
static enum gf_rc
slot_consider(struct tariff_call *call, struct gf_span market, struct slot slot,
              struct gf_price wholesale, struct gf_time supply_at)
{
    struct tariff_case item = {
        .slot = slot,
        .plan = slot_plan(call, market, slot),
        .signals = {.wholesale = wholesale, .rank_low = NAN, .rank_high = NAN},
        .has_wholesale = true};
    if (item.plan == NULL || call->state->is_withdrawn) {
        return GF_OK;
    }
    slot_band(item.plan, call->zone, slot.start, &item.band, &item.base);
    if (!ranks_of(call, market, &item, &item.signals)) {
        return GF_OK;
    }
    const struct gf_supply *supply = gf_reference_supply(call->view->reference, market, slot.start);
    if (supply == NULL) {
        supply = gf_reference_supply(call->view->reference, market, supply_at);
    }
    supply_signals(call, supply, &item.signals);
    policy_choose(call->params, &item.signals, &item.wish);
    if (gf_reference_is_frozen(call->view->reference, call->tariff_id, call->area_id)) {
        call->state->held[GUARD_STOPPED] += item.wish.factor_ppm != POLICY_FACTOR_ONE;
        return GF_OK;
    }
    return slot_decide(call, &item);
}

enum gf_rc
decide_next_slot(struct tariff_call *call, struct gf_span market, const struct gf_price_tick *tick)
{
    const struct gf_time first = gf_time_add(call->now, call->params->notice);
    struct slot slot = slot_at(call->zone, first, tick->interval_s, call->params->dwell);
    if (slot.start.us < first.us) {
        slot = slot_at(call->zone, slot.end, tick->interval_s, call->params->dwell);
    }
    const int64_t interval_us = tick->interval_s * GF_US_PER_S;
    if (slot.start.us < first.us || slot.start.us - first.us >= interval_us ||
        gf_reference_price(call->view->reference, market, slot.start) != NULL ||
        slot_find(&call->state->ring, slot) >= 0) {
        return GF_OK;
    }
    const struct gf_time end = {tick->start.us + interval_us};
    const struct slot late = {.start = {end.us - (slot.end.us - slot.start.us)}, .end = end};
    struct gf_price wholesale = tick->price;
    if (!slot_wholesale(call, market, late,
                        &wholesale)) { /* a gap: the price that is there must do */
        wholesale = tick->price;
    }
    return slot_consider(call, market, slot, wholesale, tick->start);
}

enum gf_rc
decide_known_slot(struct tariff_call *call, struct gf_span market, struct slot slot)
{
    struct gf_price wholesale = {0};
    return slot_wholesale(call, market, slot, &wholesale)
               ? slot_consider(call, market, slot, wholesale, slot.start)
               : GF_OK;
}
