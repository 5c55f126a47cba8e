#include "operator/area/area.h"

#include <assert.h>
#include <string.h>

#define TIMER_TERM 0 /* the contract begins or ends */
/* More than 1e9 kWh in a slot is no customer: the limit that readings of consumption have too. */
#define ENERGY_MICRO_MAX INT64_C(1000000000000000)

static enum gf_rc
member_send(const struct gf_view *view, const char *area_id, int32_t customers, struct gf_out *out)
{
    const struct gf_area_reading record = {.interval_start = view->now,
                                           .kind = GF_AREA_READING_KIND_MEMBER,
                                           .customers = customers,
                                           .is_exact = true};
    *view->in_area = customers > 0;
    return gf_out_send(out, GF_TOPIC_INTERNAL_AREA_READINGS, gf_span_text(area_id), &record);
}

/* Counts the customer in or out as its contract stands at `time`, and sets the timer for when that
 * changes by itself. */
static enum gf_rc
member_update(const struct gf_view *view, struct gf_time time, bool is_news, struct gf_out *out)
{
    const struct gf_contract *const contract = &view->features->contract;
    const struct gf_contract *const before = view->contract_before;
    const bool is_wanted = gf_contract_is_valid(contract, time);
    const bool is_moved = memcmp(contract->area_id, before->area_id, sizeof contract->area_id) != 0;
    if (!is_news && is_wanted == (*view->in_area != 0)) {
        return GF_OK;
    }
    enum gf_rc rc = GF_OK;
    if (*view->in_area && (!is_wanted || is_moved)) {
        rc = member_send(view, before->area_id, -1, out);
    }
    if (rc == GF_OK && is_wanted && !*view->in_area) {
        rc = member_send(view, contract->area_id, 1, out);
    }
    if (rc != GF_OK) {
        return rc;
    }
    const bool is_ahead = contract->is_known && time.us < contract->valid_from_us;
    const int64_t next_us = is_ahead ? contract->valid_from_us : contract->valid_to_us;
    if (contract->is_known && time.us < next_us && next_us < GF_TIME_US_MAX) {
        return gf_out_set_timer(out, TIMER_TERM, (struct gf_time){next_us});
    }
    gf_out_clear_timer(out, TIMER_TERM);
    return GF_OK;
}

static enum gf_rc
reading_send(const struct gf_view *view, struct gf_out *out)
{
    const struct gf_change *const change = view->change;
    struct gf_area_reading record = {.interval_start = change->slot_start,
                                     .interval_s = change->slot_s,
                                     .kind = GF_AREA_READING_KIND_READING,
                                     .energy_micro_kwh = change->value,
                                     .estimated = change->is_masked,
                                     .is_exact = true};
    switch (change->outcome) {
    case GF_READING_NEW:
    case GF_READING_LATE_NEW:
        break;
    case GF_READING_REPLACED:
        record.kind = GF_AREA_READING_KIND_CORRECTION;
        record.energy_micro_kwh.micro_kwh = change->value.micro_kwh - change->old_value.micro_kwh;
        record.estimated = (int32_t)change->is_masked - (int32_t)change->old_is_masked;
        record.is_exact = change->old_value_is_exact;
        break;
    case GF_READING_EXPORT:
        /* Exports are kept nowhere, so a repetition cannot be told: the sum is no longer exact. */
        if (change->slot_s == 0 || change->value.micro_kwh < 0 ||
            change->value.micro_kwh > ENERGY_MICRO_MAX) {
            return GF_OK;
        }
        record.kind = GF_AREA_READING_KIND_EXPORT;
        record.energy_micro_kwh.micro_kwh = -change->value.micro_kwh;
        record.is_exact = false;
        break;
    case GF_READING_NONE:
    case GF_READING_DUPLICATE:
    case GF_READING_KEPT_OLD:
    case GF_READING_REGISTER:
        return GF_OK;
    }
    return gf_out_send(out, GF_TOPIC_INTERNAL_AREA_READINGS,
                       gf_span_text(view->features->contract.area_id), &record);
}

static enum gf_rc
area_on_event(const struct gf_view *view, const struct gf_event *event, void *state,
              struct gf_out *out)
{
    (void)state;
    assert(view->in_area != NULL);
    const bool is_contract = event->topic == GF_TOPIC_CUSTOMER_CONTRACTS;
    const enum gf_rc rc = member_update(view, view->shard_time, is_contract, out);
    return rc != GF_OK || is_contract || !view->change->has_contract ? rc : reading_send(view, out);
}

static enum gf_rc
area_on_timer(const struct gf_view *view, uint32_t timer, void *state, struct gf_out *out)
{
    (void)state;
    assert(timer == TIMER_TERM);
    return member_update(view, view->now, true, out);
}

const struct gf_operator gf_op_area = {
    .name = "area",
    .doc = "Sends what a customer adds to its area's balance to the area stage.",
    .reads = GF_READS(GF_TOPIC_METER_READINGS) | GF_READS(GF_TOPIC_CUSTOMER_CONTRACTS),
    .entity = GF_ENTITY_CUSTOMER,
    .is_carrier = true,
    .stage = GF_STAGE_AREA,
    .state = {.size = 0, .version = 1},
    .on_event = area_on_event,
    .on_timer = area_on_timer,
};
