#include "operator/tariff/tariff.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/real.h"
#include "operator/tariff/decide.h"
#include "operator/tariff/params.h"

#define DEMAND_FADE_DAYS 60

/* Notices a gap behind the newest price and remembers the newest; `is_newest_out` says whether this
 * is it. */
static enum gf_rc
newest_follow(struct tariff_call *call, const struct gf_price_tick *tick, bool *is_newest_out)
{
    struct tariff_state *const state = call->state;
    const int64_t end_us = state->newest_start_us + state->newest_interval_s * GF_US_PER_S;
    const bool is_first = state->newest_interval_s == 0;
    *is_newest_out = is_first || tick->start.us >= state->newest_start_us;
    if (!*is_newest_out) {
        return GF_OK;
    }
    const int64_t gap_us = is_first ? 0 : tick->start.us - end_us;
    const int64_t old_interval_us = state->newest_interval_s * GF_US_PER_S;
    state->newest_start_us = tick->start.us;
    state->newest_interval_s = tick->interval_s;
    if (gap_us <= 0) {
        return GF_OK;
    }
    const int64_t count = (gap_us + old_interval_us - 1) / old_interval_us;
    return announce_quality(call, GF_QUALITY_RULE_PRICE_GAP, (struct gf_time){end_us},
                            gap_us / GF_US_PER_S, count);
}

/* Says once that prices come in another currency than the plan's; nothing is decided while they do.
 */
static enum gf_rc
currency_check(struct tariff_call *call, const struct gf_price_tick *tick, bool *differs_out)
{
    const struct gf_tariff_terms *plan =
        gf_reference_plan(call->view->reference, call->tariff_id, tick->start);
    if (plan == NULL) {
        plan = gf_reference_plan(call->view->reference, call->tariff_id, call->now);
    }
    const bool differed = call->state->currency_differs != 0;
    *differs_out =
        plan != NULL && memcmp(plan->currency, tick->currency, sizeof tick->currency) != 0;
    call->state->currency_differs = *differs_out;
    return *differs_out && !differed
               ? announce_quality(call, GF_QUALITY_RULE_CURRENCY, tick->start, tick->interval_s, 1)
               : GF_OK;
}

/* What was learned of another zone says nothing about this one. */
static void
zone_follow(struct tariff_state *state, struct gf_span market)
{
    if (market.size < sizeof state->zone && state->zone[market.size] == '\0' &&
        memcmp(state->zone, market.data, market.size) == 0) {
        return;
    }
    memset(state->zone, 0, sizeof state->zone);
    memcpy(state->zone, market.data,
           market.size < sizeof state->zone ? market.size : sizeof state->zone - 1);
    state->newest_interval_s = 0;
    state->newest_start_us = 0;
    state->demand_high_kw = 0;
    state->demand_first_us = 0;
    state->demand_at_us = 0;
}

static enum gf_rc
price_on(struct tariff_call *call, const struct gf_market_price *record)
{
    const struct gf_price_tick *const tick =
        gf_reference_price(call->view->reference, record->zone, record->interval_start);
    if (tick == NULL || tick->start.us != record->interval_start.us ||
        tick->version != record->version) {
        return GF_OK; /* a newer version is known */
    }
    zone_follow(call->state, record->zone);
    bool is_newest = false, currency_differs = false;
    enum gf_rc rc = newest_follow(call, tick, &is_newest);
    if (rc == GF_OK) {
        rc = currency_check(call, tick, &currency_differs);
    }
    if (rc != GF_OK || currency_differs) {
        return rc;
    }
    const struct slot slot =
        slot_at(call->zone, tick->start, tick->interval_s, call->params->dwell);
    if (slot.start.us < gf_time_add(call->now, call->params->notice).us) {
        return is_newest ? decide_next_slot(call, record->zone, tick) : GF_OK;
    }
    return decide_known_slot(call, record->zone, slot);
}

static void
demand_follow(struct tariff_call *call, double demand_kw)
{
    struct tariff_state *const state = call->state;
    if (state->demand_first_us == 0) {
        state->demand_first_us = call->now.us;
        state->demand_at_us = call->now.us;
    }
    const double days = (double)(call->now.us - state->demand_at_us) / (double)GF_US_PER_DAY;
    state->demand_high_kw *= gf_exp(-days / DEMAND_FADE_DAYS);
    state->demand_at_us = call->now.us;
    if (demand_kw > state->demand_high_kw) {
        state->demand_high_kw = demand_kw;
    }
}

static enum gf_rc
supply_on(struct tariff_call *call, const struct gf_supply_state *record)
{
    zone_follow(call->state, record->zone);
    if (record->has_demand_kw && record->demand_kw > 0) {
        demand_follow(call, (double)record->demand_kw);
    }
    const struct gf_price_tick *const tick =
        gf_reference_price(call->view->reference, record->zone, record->interval_start);
    if (tick == NULL || call->state->currency_differs) {
        return GF_OK;
    }
    const struct slot slot =
        slot_at(call->zone, record->interval_start, tick->interval_s, call->params->dwell);
    if (slot.start.us < gf_time_add(call->now, call->params->notice).us ||
        slot_find(&call->state->ring, slot) >= 0) {
        return GF_OK;
    }
    return decide_known_slot(call, record->zone, slot);
}

static enum gf_rc
plan_on(struct tariff_call *call, const struct gf_tariff_plan *record)
{
    bool is_offered = false;
    for (uint32_t i = 0; i < record->areas.count; i++) {
        is_offered = is_offered || gf_span_equal(record->areas.items[i], call->area_id);
    }
    call->state->is_withdrawn = !is_offered;
    if (gf_reference_is_frozen(call->view->reference, call->tariff_id, call->area_id)) {
        return GF_OK;
    }
    return announce_withdrawal(call, record, "PLAN_CHANGED");
}

/* The reference keeps the stops; what is left to do here is to take back. */
static enum gf_rc
control_on(struct tariff_call *call, const struct gf_control *record)
{
    const bool is_stopped =
        gf_reference_is_frozen(call->view->reference, call->tariff_id, call->area_id);
    return is_stopped && record->kind == GF_CONTROL_KIND_KILL_SWITCH
               ? announce_withdrawal(call, NULL, "KILL_SWITCH")
               : GF_OK;
}

static enum gf_rc
tariff_on_event(const struct gf_view *view, const struct gf_event *event, void *state_bytes,
                struct gf_out *out)
{
    struct tariff_call call = {.view = view,
                               .params = view->params,
                               .zone = view->zone != NULL ? view->zone : gf_zone_utc(),
                               .state = state_bytes,
                               .out = out};
    const uint8_t *const bar = memchr(view->entity.data, '|', view->entity.size);
    if (bar == NULL) {
        return gf_out_fail(out, GF_E_BAD_FIELD, "tariff: the entity's key is not `tariff|area`");
    }
    call.tariff_id = gf_span_of(view->entity.data, (size_t)(bar - view->entity.data));
    call.area_id = gf_span_of(bar + 1, view->entity.size - call.tariff_id.size - 1);
    call.now = gf_time_max((struct gf_time){call.state->now_us}, view->now);
    call.state->now_us = call.now.us;
    const struct gf_time today = gf_day_start(call.zone, gf_day_of(call.zone, call.now));
    slot_forget(&call.state->ring, gf_time_sub(today, call.params->dwell));
    switch (event->topic) {
    case GF_TOPIC_MARKET_PRICES:
        return price_on(&call, event->body);
    case GF_TOPIC_SUPPLY_STATE:
        return supply_on(&call, event->body);
    case GF_TOPIC_TARIFF_PLANS:
        return plan_on(&call, event->body);
    case GF_TOPIC_CONTROL:
        return control_on(&call, event->body);
    default:
        return GF_OK;
    }
}

/* No timers are set; one that is left from another version does nothing. */
static enum gf_rc
tariff_on_timer(const struct gf_view *view, uint32_t timer, void *state_bytes, struct gf_out *out)
{
    (void)view;
    (void)timer;
    (void)state_bytes;
    (void)out;
    return GF_OK;
}

/* snprintf at the end of what is there; `used` counts as snprintf does. */
static void GF_PRINTF(4, 5) text_add(char *text, size_t size, size_t *used, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(*used < size ? text + *used : NULL,
                                 *used < size ? size - *used : 0, format, arguments);
    va_end(arguments);
    *used += length > 0 ? (size_t)length : 0;
}

static size_t
tariff_describe(const struct gf_view *view, const void *state_bytes, char *text_out, size_t size)
{
    const struct tariff_state *const state = state_bytes;
    size_t used = 0;
    text_add(text_out, size, &used,
             "\"offered\": %s, \"cuts\": %u, \"raises\": %u, \"returns\": %u, \"held\": {",
             state->is_withdrawn ? "false" : "true", state->cuts, state->raises, state->returns);
    const char *separator = "";
    for (uint32_t i = 1; i < GUARD_RULE_COUNT; i++) {
        if (state->held[i] != 0) {
            text_add(text_out, size, &used, "%s\"%s\": %u", separator, guard_rule_name(i),
                     state->held[i]);
            separator = ", ";
        }
    }
    text_add(text_out, size, &used, "}, \"announced\": [");
    separator = "";
    for (uint32_t i = 0; i < state->ring.count; i++) {
        const struct slot slot = slot_of(&state->ring.items[i]);
        if (slot.end.us <= view->now.us) {
            continue;
        }
        char from[GF_TIME_TEXT_SIZE], to[GF_TIME_TEXT_SIZE], price[GF_DECIMAL_SIZE],
            base[GF_DECIMAL_SIZE];
        gf_time_print(slot.start, from);
        gf_time_print(slot.end, to);
        gf_decimal_print(state->ring.items[i].price_e8, 8, 2, price, sizeof price);
        gf_decimal_print(state->ring.items[i].base_e8, 8, 2, base, sizeof base);
        text_add(text_out, size, &used,
                 "%s{\"from\": \"%s\", \"to\": \"%s\", \"price_per_kwh\": %s, "
                 "\"plan_price_per_kwh\": %s, "
                 "\"version\": %u}",
                 separator, from, to, price, base, state->ring.items[i].version);
        separator = ", ";
    }
    text_add(text_out, size, &used, "]");
    return used;
}

const struct gf_operator gf_op_tariff = {
    .name = "tariff",
    .doc =
        "Moves the price of a tariff in an area with wholesale price, load and renewables, inside "
        "guard-rails.",
    .reads = GF_READS(GF_TOPIC_TARIFF_PLANS) | GF_READS(GF_TOPIC_MARKET_PRICES) |
             GF_READS(GF_TOPIC_SUPPLY_STATE) | GF_READS(GF_TOPIC_CONTROL),
    .entity = GF_ENTITY_TARIFF_AREA,
    .state = {.size = sizeof(struct tariff_state), .version = 1},
    .params = tariff_params,
    .param_count = TARIFF_PARAM_COUNT,
    .params_size = sizeof(struct gf_tariff_params),
    .on_event = tariff_on_event,
    .on_timer = tariff_on_timer,
    .describe = tariff_describe,
};
