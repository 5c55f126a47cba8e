#include "operator/tariff/announce.h"

#include <math.h>

static int32_t
direction_of(struct gf_price price, struct gf_price base)
{
    return price.e8_per_kwh < base.e8_per_kwh   ? GF_ADJUSTMENT_DIRECTION_CUT
           : price.e8_per_kwh > base.e8_per_kwh ? GF_ADJUSTMENT_DIRECTION_RAISE
                                                : GF_ADJUSTMENT_DIRECTION_RETURN;
}

/* The price in force just before the slot. */
static struct gf_price
price_before(const struct tariff_call *call, const struct tariff_case *item)
{
    const int32_t before = slot_find_end(&call->state->ring, item->slot.start, -1);
    if (before >= 0) {
        return (struct gf_price){call->state->ring.items[before].price_e8};
    }
    const struct gf_time time = {item->slot.start.us - 1};
    const struct gf_tariff_terms *const plan =
        gf_reference_plan(call->view->reference, call->tariff_id, time);
    struct gf_price price = item->base;
    int32_t band = 0;
    if (plan != NULL) {
        slot_band(plan, call->zone, time, &band, &price);
    }
    return price;
}

static void
count_direction(struct tariff_state *state, int32_t direction)
{
    state->cuts += direction == GF_ADJUSTMENT_DIRECTION_CUT;
    state->raises += direction == GF_ADJUSTMENT_DIRECTION_RAISE;
    state->returns += direction == GF_ADJUSTMENT_DIRECTION_RETURN;
}

/* Remembers the slot's new price and returns its version. */
static int32_t
announced_put(struct tariff_call *call, const struct tariff_case *item, struct gf_price price)
{
    struct slot_ring *const ring = &call->state->ring;
    int32_t index = slot_find(ring, item->slot);
    if (index < 0) {
        index = slot_insert(
            ring,
            (struct slot_announced){
                .start_minute = (uint32_t)(item->slot.start.us / GF_US_PER_MINUTE),
                .minutes = (uint16_t)((item->slot.end.us - item->slot.start.us) / GF_US_PER_MINUTE),
            });
    }
    struct slot_announced *const announced = &ring->items[index];
    announced->price_e8 = price.e8_per_kwh;
    announced->base_e8 = item->base.e8_per_kwh;
    return ++announced->version;
}

enum gf_rc
announce_adjustment(struct tariff_call *call, const struct tariff_case *item,
                    const struct guard_verdict *verdict)
{
    struct gf_span hits[GUARD_RULE_COUNT];
    for (uint32_t i = 0; i < verdict->hit_count; i++) {
        hits[i] = gf_span_text(guard_rule_name(verdict->hits[i]));
    }
    const struct gf_price previous = price_before(call, item);
    const int32_t version = announced_put(call, item, verdict->price);
    const int64_t notice_s = (item->slot.start.us - call->now.us) / GF_US_PER_S;
    struct gf_tariff_adjustment record = {
        .tariff_id = call->tariff_id,
        .area_id = call->area_id,
        .version = version,
        .has_supersedes = version > 1,
        .supersedes = version > 1 ? version - 1 : 0,
        .interval_start = item->slot.start,
        .interval_end = item->slot.end,
        .currency = gf_span_text(item->plan->currency),
        .band = item->band,
        .base_e8_per_kwh = item->base,
        .wanted_e8_per_kwh = item->wanted,
        .previous_e8_per_kwh = previous,
        .price_e8_per_kwh = verdict->price,
        .direction = direction_of(verdict->price, item->base),
        .has_wholesale_e8_per_kwh = item->has_wholesale,
        .wholesale_e8_per_kwh = item->signals.wholesale,
        .load_share = item->signals.load_share,
        .renewable_share = item->signals.renewable_share,
        .guardrails_hit = {.items = hits, .count = verdict->hit_count},
        .reasons = {.items = item->wish.reasons, .count = item->wish.reason_count},
        .announced_at = call->now,
        .notice_s = notice_s > INT32_MAX ? INT32_MAX : (int32_t)notice_s,
        .binding = call->params->is_binding,
    };
    gf_record_id("tariff.adjustments", call->view->entity, item->slot.start, version,
                 record.record_id);
    count_direction(call->state, record.direction);
    return gf_out_emit(call->out, GF_TOPIC_TARIFF_ADJUSTMENTS, &record);
}

enum gf_rc
announce_quality(struct tariff_call *call, int32_t rule, struct gf_time start, int64_t length_s,
                 int64_t count)
{
    struct gf_data_quality record = {
        .entity = call->view->entity,
        .rule = rule,
        .action = GF_QUALITY_ACTION_FLAGGED,
        .has_interval_start = true,
        .interval_start = start,
        .interval_s = length_s > INT32_MAX ? INT32_MAX : (int32_t)length_s,
        .count = count,
        .decided_at = call->now,
    };
    gf_record_id(rule == GF_QUALITY_RULE_PRICE_GAP ? "data.quality/price_gap"
                                                   : "data.quality/currency",
                 call->view->entity, start, 1, record.record_id);
    return gf_out_emit(call->out, GF_TOPIC_DATA_QUALITY, &record);
}

enum gf_rc
announce_withdrawal(struct tariff_call *call, const struct gf_tariff_plan *plan, const char *reason)
{
    const int64_t first_us = gf_time_add(call->now, call->params->notice).us;
    for (uint32_t i = call->state->ring.count; i-- > 0;) {
        const struct slot_announced *const announced = &call->state->ring.items[i];
        struct tariff_case item = {.slot = slot_of(announced),
                                   .signals = {.load_share = NAN, .renewable_share = NAN}};
        if (item.slot.start.us < first_us || slot_deviation(announced) == 0 ||
            announced->version == UINT16_MAX) {
            continue;
        }
        item.plan = gf_reference_plan(call->view->reference, call->tariff_id, item.slot.start);
        if (item.plan == NULL ||
            (plan != NULL && item.plan->version != plan->version && !call->state->is_withdrawn)) {
            continue; /* no tariff is left to price, or not this version's slot */
        }
        slot_band(item.plan, call->zone, item.slot.start, &item.band, &item.base);
        item.wanted = item.base;
        policy_reason(&item.wish, reason);
        const struct guard_verdict verdict = {.held = GUARD_NONE, .price = item.base};
        const enum gf_rc rc = announce_adjustment(call, &item, &verdict);
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}
