#include "operator/intake/intake.h"

#include <stdio.h>
#include <string.h>

static struct gf_span
customer_of(const struct gf_intake_period *period)
{
    return gf_span_of(period->customer, period->customer_size);
}

static bool
is_before(const struct gf_intake_period *a, const struct gf_intake_period *b)
{
    return a->from_us != b->from_us ? a->from_us < b->from_us
                                    : gf_span_compare(customer_of(a), customer_of(b)) < 0;
}

static void
period_remove(struct gf_intake_state *state, uint32_t index)
{
    assert(index < state->count);
    state->count--;
    memmove(&state->periods[index], &state->periods[index + 1],
            (state->count - index) * sizeof state->periods[0]);
    memset(&state->periods[state->count], 0, sizeof state->periods[0]);
}

/* Where there is no room, the period that ended first makes it. */
static void
period_add(struct gf_intake_state *state, const struct gf_intake_period *period)
{
    if (state->count == GF_INTAKE_PERIOD_COUNT_MAX) {
        uint32_t oldest = 0;
        for (uint32_t i = 1; i < state->count; i++) {
            oldest = state->periods[i].to_us < state->periods[oldest].to_us ? i : oldest;
        }
        period_remove(state, oldest);
    }
    uint32_t at = state->count;
    while (at > 0 && is_before(period, &state->periods[at - 1])) {
        at--;
    }
    memmove(&state->periods[at + 1], &state->periods[at],
            (state->count - at) * sizeof state->periods[0]);
    state->periods[at] = *period;
    state->count++;
}

/* Takes the customer's own periods away. False: the contract is older than what is known. */
static bool
periods_take(struct gf_intake_state *state, struct gf_span customer, int32_t version,
             int64_t *first_us_out, int64_t *last_us_out)
{
    *first_us_out = INT64_MAX;
    *last_us_out = INT64_MIN;
    for (uint32_t i = 0; i < state->count; i++) {
        if (gf_span_equal(customer_of(&state->periods[i]), customer) &&
            state->periods[i].version > version) {
            return false;
        }
    }
    for (uint32_t i = 0; i < state->count;) {
        const struct gf_intake_period *const period = &state->periods[i];
        if (!gf_span_equal(customer_of(period), customer)) {
            i++;
            continue;
        }
        *first_us_out = period->from_us < *first_us_out ? period->from_us : *first_us_out;
        *last_us_out = period->to_us > *last_us_out ? period->to_us : *last_us_out;
        period_remove(state, i);
    }
    return true;
}

static int64_t
end_of(bool has, struct gf_time to)
{
    return has ? to.us : GF_TIME_US_MAX;
}

static void
contract_take(const struct gf_view *view, const struct gf_customer_contract *contract,
              struct gf_intake_state *state)
{
    int64_t first_us = 0, last_us = 0;
    if (view->source.size == 0 || view->source.size > GF_ENTITY_KEY_SIZE_MAX ||
        !periods_take(state, view->source, contract->version, &first_us, &last_us)) {
        return;
    }
    const int64_t contract_to = end_of(contract->has_valid_to, contract->valid_to);
    for (uint32_t i = 0; i < contract->meters.count; i++) {
        const struct gf_contract_meter *const meter = &contract->meters.items[i];
        if (!gf_span_equal(meter->meter_id, view->entity)) {
            continue;
        }
        const int64_t meter_to = end_of(meter->has_valid_to, meter->valid_to);
        struct gf_intake_period period = {
            .customer_size = view->source.size,
            .version = contract->version,
            .from_us = meter->valid_from.us > contract->valid_from.us ? meter->valid_from.us
                                                                      : contract->valid_from.us,
            .to_us = meter_to < contract_to ? meter_to : contract_to,
        };
        memcpy(period.customer, view->source.data, view->source.size);
        if (first_us < period.from_us && last_us >= period.from_us) {
            period.from_us = first_us; /* supply went on: only the terms are new */
        }
        if (period.from_us < period.to_us) {
            period_add(state, &period);
        }
    }
}

static const struct gf_intake_period *
period_at(const struct gf_intake_state *state, struct gf_time time)
{
    for (uint32_t i = state->count; i > 0; i--) {
        const struct gf_intake_period *const period = &state->periods[i - 1];
        if (time.us >= period->from_us && time.us < period->to_us) {
            return period;
        }
    }
    return NULL;
}

static enum gf_rc
reading_send(const struct gf_view *view, const struct gf_headend_reading *reading,
             const struct gf_intake_state *state, struct gf_out *out)
{
    if (!gf_span_equal(reading->meter_id, view->entity)) {
        return gf_out_fail(out, GF_E_BAD_FIELD, "meter_id: %.*s is not the record's key",
                           GF_SPAN_PRINT(reading->meter_id));
    }
    const struct gf_intake_period *period = period_at(state, reading->interval_start);
    if (period == NULL && reading->kind == GF_READING_KIND_REGISTER) {
        /* The last stand of a meter is at the end of its time. */
        period = period_at(state, (struct gf_time){reading->interval_start.us - GF_US_PER_S});
    }
    if (period == NULL) {
        char start[GF_TIME_TEXT_SIZE];
        gf_time_print(reading->interval_start, start);
        return gf_out_fail(out, GF_E_UNASSIGNED,
                           "no contract that has come so far has meter %.*s at %s; send the "
                           "contract, then the reading again",
                           GF_SPAN_PRINT(view->entity), start);
    }
    struct gf_internal_reading record = {
        .meter_id = reading->meter_id,
        .obis = reading->obis,
        .kind = reading->kind,
        .interval_start = reading->interval_start,
        .interval_s = reading->interval_s,
        .energy_micro_kwh = reading->energy_micro_kwh,
        .quality = reading->quality,
        .status_bits = reading->status_bits,
        .source = reading->source,
    };
    record.phases.items = reading->phases.items;
    record.phases.count = reading->phases.count;
    return gf_out_send(out, GF_TOPIC_INTERNAL_READINGS, customer_of(period), &record);
}

static enum gf_rc
intake_on_event(const struct gf_view *view, const struct gf_event *event, void *memory,
                struct gf_out *out)
{
    struct gf_intake_state *const state = memory;
    assert(state->count <= GF_INTAKE_PERIOD_COUNT_MAX);
    if (event->topic == GF_TOPIC_CUSTOMER_CONTRACTS) {
        contract_take(view, event->body, state);
        return GF_OK;
    }
    assert(event->topic == GF_TOPIC_HEADEND_READINGS);
    return reading_send(view, event->body, state, out);
}

static size_t
intake_describe(const struct gf_view *view, const void *memory, char *text_out, size_t size)
{
    const struct gf_intake_state *const state = memory;
    const struct gf_intake_period *const now = period_at(state, view->now);
    const struct gf_span customer = now == NULL ? (struct gf_span){0} : customer_of(now);
    return (size_t)snprintf(text_out, size, "\"customer\": %s%.*s%s, \"periods\": %u",
                            now == NULL ? "null" : "\"", GF_SPAN_PRINT(customer),
                            now == NULL ? "" : "\"", state->count);
}

const struct gf_operator gf_op_intake = {
    .name = "intake",
    .doc = "Sends a head-end's readings on to the customer who has the meter.",
    .reads = GF_READS(GF_TOPIC_CUSTOMER_CONTRACTS) | GF_READS(GF_TOPIC_HEADEND_READINGS),
    .entity = GF_ENTITY_METER,
    .is_carrier = true,
    .stage = GF_STAGE_INTAKE,
    .state = {.size = sizeof(struct gf_intake_state), .version = 1},
    .on_event = intake_on_event,
    .describe = intake_describe,
};
