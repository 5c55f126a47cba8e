#include "operator/fraud/fraud.h"

#include <stdarg.h>
#include <stdio.h>

#include "operator/fraud/case.h"
#include "operator/fraud/drop.h"

#define DAYS_OF_EARLIER_USE 14

static bool
is_over_capacity(const struct gf_view *view)
{
    const struct gf_fraud_params *const params = view->params;
    const struct gf_change *const change = view->change;
    const int64_t capacity_w = view->features->contract.capacity_w;
    return capacity_w > 0 &&
           change->demand_kw * 1000.0 > (1 + params->capacity_margin) * (double)capacity_w &&
           !change->is_masked && change->has_contract &&
           (change->outcome == GF_READING_NEW || change->outcome == GF_READING_LATE_NEW);
}

/* Counts intervals above the contracted demand in a window that starts with the first of them. */
static enum gf_rc
capacity_check(const struct gf_view *view, struct gf_fraud_state *state, struct gf_span meter_id,
               struct gf_out *out)
{
    const struct gf_fraud_params *const params = view->params;
    const int32_t day = gf_day_of(view->zone, view->now);
    const int32_t days = (int16_t)(uint16_t)((uint32_t)day - state->capacity_day);
    if (state->capacity_count == 0 || days >= params->capacity_window_days) {
        state->capacity_count = 0;
        state->capacity_day = (uint16_t)day;
    }
    state->capacity_count = (uint8_t)(state->capacity_count + (state->capacity_count < UINT8_MAX));
    if (state->capacity_count < params->capacity_intervals) {
        return GF_OK;
    }
    const struct gf_fraud_evidence evidence = {.codes = GF_FRAUD_BIT(GF_FRAUD_CODE_OVER_CAPACITY),
                                               .day = day};
    return gf_fraud_case_add(view, state, meter_id, &evidence, out);
}

static enum gf_rc
register_check(const struct gf_view *view, struct gf_fraud_state *state, struct gf_span meter_id,
               struct gf_out *out)
{
    const double back_kwh = (double)view->change->register_delta.micro_kwh / 1e6;
    const struct gf_fraud_evidence evidence = {
        .codes = GF_FRAUD_BIT(GF_FRAUD_CODE_REGISTER_BACKWARDS),
        .day = gf_day_of(view->zone, view->now),
        .added_kwh = back_kwh < 0 ? -back_kwh : 0, /* at least what was turned back */
    };
    return gf_fraud_case_add(view, state, meter_id, &evidence, out);
}

/* ---- what a closed day shows ---- */

static void
zero_check(const struct gf_view *view, const struct gf_fraud_state *state,
           struct gf_fraud_evidence *evidence)
{
    const struct gf_fraud_params *const params = view->params;
    const struct gf_load *const load = &view->features->load;
    const struct gf_contract *const contract = &view->features->contract;
    /* Who may export can live on his own sun; who is disconnected has to show zero. */
    if (load->zero_days < gf_fraud_zero_days_limit(params, contract->customer_class) ||
        !view->change->day_is_clean || state->disconnected_day != 0 || contract->export_permit) {
        return;
    }
    /* Once the case is open, the zeros themselves wear the mean down. */
    const bool is_known = gf_fraud_codes_of_use(state) & GF_FRAUD_BIT(GF_FRAUD_CODE_ZERO_RUN);
    const bool had_use = load->days_seen >= DAYS_OF_EARLIER_USE &&
                         (double)load->window_mean[GF_WINDOW_90D] >= params->use_kwh_per_day;
    if (is_known || had_use) {
        evidence->codes |= GF_FRAUD_BIT(GF_FRAUD_CODE_ZERO_RUN);
    }
}

static void
contract_check(const struct gf_view *view, struct gf_fraud_state *state,
               struct gf_fraud_evidence *evidence)
{
    const struct gf_fraud_params *const params = view->params;
    const struct gf_change *const change = view->change;
    const struct gf_load *const load = &view->features->load;
    if (change->has_contract) {
        state->no_contract_day = 0;
    } else if (state->no_contract_day == 0) {
        state->no_contract_day = change->day + 1;
    }
    const bool is_use = change->day_is_clean && change->day_kwh > params->use_kwh_per_day;
    if (is_use && state->disconnected_day != 0 && change->day >= state->disconnected_day) {
        evidence->codes |= GF_FRAUD_BIT(GF_FRAUD_CODE_NO_CONTRACT);
        evidence->added_kwh += change->day_kwh;
        return;
    }
    if (!is_use || state->no_contract_day == 0) {
        return;
    }
    const int32_t first_day = state->no_contract_day - 1;
    if (change->day + 1 - first_day < params->contract_wait_days) {
        return;
    }
    int32_t count = 0;
    const double mean_kwh = gf_fraud_mean_kwh(load, first_day, change->day, &count);
    const bool is_known = gf_fraud_codes_of_use(state) & GF_FRAUD_BIT(GF_FRAUD_CODE_NO_CONTRACT);
    if (is_known) {
        evidence->added_kwh += change->day_kwh;
    } else if (count > 0 && mean_kwh > params->use_kwh_per_day) {
        evidence->added_kwh += mean_kwh * count;
    } else {
        return;
    }
    evidence->codes |= GF_FRAUD_BIT(GF_FRAUD_CODE_NO_CONTRACT);
}

/* Closes the cases that have been without evidence long enough. Days that tell nothing do not
 * count: they move the day of the last evidence on. */
static enum gf_rc
cases_age(const struct gf_view *view, struct gf_fraud_state *state, struct gf_span meter_id,
          bool is_clean, int32_t silent_days, int32_t day, struct gf_out *out)
{
    const struct gf_fraud_params *const params = view->params;
    for (uint32_t i = 0; i < GF_FRAUD_CASE_COUNT_MAX; i++) {
        struct gf_fraud_case *const open = &state->cases[i];
        if (open->meter_hash == 0) {
            continue;
        }
        open->evidence_day = (uint16_t)(open->evidence_day + silent_days + !is_clean);
        /* Negative when a register stand of today was read before yesterday was closed. */
        const int32_t passed = (int16_t)(uint16_t)((uint32_t)day - open->evidence_day);
        if (is_clean && passed >= params->close_days) {
            const enum gf_rc rc =
                gf_fraud_case_close(view, state, open, "EVIDENCE_GONE", meter_id, out);
            if (rc != GF_OK) {
                return rc;
            }
        }
    }
    return GF_OK;
}

static enum gf_rc
day_check(const struct gf_view *view, struct gf_fraud_state *state, struct gf_span meter_id,
          struct gf_out *out)
{
    const struct gf_change *const change = view->change;
    struct gf_fraud_evidence evidence = {.day = change->day};
    zero_check(view, state, &evidence);
    gf_fraud_drop_check(view, state, &evidence);
    contract_check(view, state, &evidence);
    if (evidence.codes != 0) {
        const enum gf_rc rc = gf_fraud_case_add(view, state, meter_id, &evidence, out);
        if (rc != GF_OK) {
            return rc;
        }
    }
    const int64_t gap_days = (int64_t)change->gap_slots * change->slot_s / 86400;
    return cases_age(view, state, meter_id, change->day_is_clean, (int32_t)gap_days, change->day,
                     out);
}

static bool
has_case(const struct gf_fraud_state *state)
{
    uint32_t hashes = 0;
    for (uint32_t i = 0; i < GF_FRAUD_CASE_COUNT_MAX; i++) {
        hashes |= state->cases[i].meter_hash;
    }
    return hashes != 0;
}

/* A customer read by stands alone has no closed days; there a stand that went forward is the clean
 * evidence.
 */
static enum gf_rc
stand_check(const struct gf_view *view, struct gf_fraud_state *state, struct gf_span meter_id,
            struct gf_out *out)
{
    if (view->features->load.day != INT32_MIN || !has_case(state)) {
        return GF_OK;
    }
    return cases_age(view, state, meter_id, true, 0, gf_day_of(view->zone, view->now), out);
}

/* The road of nearly all readings is the first `if`. */
static enum gf_rc
reading_check(const struct gf_view *view, struct gf_fraud_state *state,
              const struct gf_meter_reading *reading, struct gf_out *out)
{
    const struct gf_change *const change = view->change;
    const bool is_over = is_over_capacity(view);
    if (!change->day_closed && !is_over && change->register_step == GF_REGISTER_NONE) {
        return GF_OK;
    }
    enum gf_rc rc = GF_OK;
    if (change->day_closed) {
        rc = day_check(view, state, reading->meter_id, out);
    }
    if (rc == GF_OK && is_over) {
        rc = capacity_check(view, state, reading->meter_id, out);
    }
    if (rc == GF_OK && change->register_step == GF_REGISTER_BACKWARDS) {
        rc = register_check(view, state, reading->meter_id, out);
    } else if (rc == GF_OK && change->register_step == GF_REGISTER_FORWARD) {
        rc = stand_check(view, state, reading->meter_id, out);
    }
    return rc;
}

/* A contract that came late explains the use without it; other evidence in the case stays. */
static enum gf_rc
contract_arrived(const struct gf_view *view, struct gf_fraud_state *state, struct gf_out *out)
{
    const uint8_t bit = GF_FRAUD_BIT(GF_FRAUD_CODE_NO_CONTRACT);
    if (!gf_contract_is_valid(&view->features->contract, view->now) ||
        state->disconnected_day != 0) {
        return GF_OK;
    }
    for (uint32_t i = 0; i < GF_FRAUD_CASE_COUNT_MAX; i++) {
        struct gf_fraud_case *const open = &state->cases[i];
        if (gf_fraud_case_codes(open) == bit) {
            const enum gf_rc rc = gf_fraud_case_close(view, state, open, "CONTRACT_ARRIVED",
                                                      (struct gf_span){0}, out);
            if (rc != GF_OK) {
                return rc;
            }
        } else if (gf_fraud_case_codes(open) & bit) {
            open->codes &= (uint8_t)~bit;
        }
    }
    state->no_contract_day = 0;
    return GF_OK;
}

static enum gf_rc
fraud_on_event(const struct gf_view *view, const struct gf_event *event, void *memory,
               struct gf_out *out)
{
    struct gf_fraud_state *const state = memory;
    assert(view->change != NULL);
    if (event->topic == GF_TOPIC_METER_READINGS) {
        return reading_check(view, state, event->body, out);
    }
    if (event->topic == GF_TOPIC_CUSTOMER_CONTRACTS) {
        return contract_arrived(view, state, out);
    }
    assert(event->topic == GF_TOPIC_METER_EVENTS);
    const struct gf_meter_event *const meter_event = event->body;
    if (meter_event->code == GF_METER_EVENT_CODE_DISCONNECTED) {
        state->disconnected_day = gf_day_of(view->zone, view->now) + 1;
    } else if (meter_event->code == GF_METER_EVENT_CODE_RECONNECTED) {
        state->disconnected_day = 0;
    }
    return GF_OK;
}

struct text {
    char *out;
    size_t size, used;
};

static void GF_PRINTF(2, 3) text_add(struct text *text, const char *format, ...)
{
    const bool is_full = text->used >= text->size;
    va_list arguments;
    va_start(arguments, format);
    text->used += (size_t)vsnprintf(is_full ? NULL : text->out + text->used,
                                    is_full ? 0 : text->size - text->used, format, arguments);
    va_end(arguments);
}

static size_t
fraud_describe(const struct gf_view *view, const void *memory, char *text_out, size_t size)
{
    (void)view;
    const struct gf_fraud_state *const state = memory;
    struct text text = {.out = text_out, .size = size};
    text_add(&text, "\"cases\": [");
    for (uint32_t i = 0, count = 0; i < GF_FRAUD_CASE_COUNT_MAX; i++) {
        const struct gf_fraud_case *const open = &state->cases[i];
        if (open->meter_hash == 0) {
            continue;
        }
        char opened[GF_TIME_TEXT_SIZE];
        gf_time_print((struct gf_time){(int64_t)open->opened_minute * GF_US_PER_MINUTE}, opened);
        text_add(
            &text,
            "%s{\"opened\": \"%s\", \"severity\": \"%s\", \"estimated_kwh\": %.1f, \"codes\": [",
            count++ > 0 ? ", " : "", opened, gf_severity_name(gf_fraud_case_severity(open)),
            (double)open->estimated_kwh);
        const uint8_t codes = gf_fraud_case_codes(open);
        for (int32_t code = 1, named = 0; code < GF_FRAUD_CODE_COUNT; code++) {
            if (codes & GF_FRAUD_BIT(code)) {
                text_add(&text, "%s\"%s\"", named++ > 0 ? ", " : "", gf_fraud_code_name(code));
            }
        }
        text_add(&text, "]}");
    }
    text_add(&text,
             "], \"watches_a_drop\": %s, \"disconnected\": %s, \"intervals_over_capacity\": %u",
             state->drop_day != 0 ? "true" : "false",
             state->disconnected_day != 0 ? "true" : "false", state->capacity_count);
    return text.used;
}

const struct gf_operator gf_op_fraud = {
    .name = "fraud",
    .doc = "Flags meters whose figures suggest that energy is taken and not measured: one open "
           "case for each "
           "meter.",
    .reads = GF_READS(GF_TOPIC_METER_READINGS) | GF_READS(GF_TOPIC_METER_EVENTS) |
             GF_READS(GF_TOPIC_CUSTOMER_CONTRACTS),
    .entity = GF_ENTITY_CUSTOMER,
    .state = {.size = sizeof(struct gf_fraud_state), .version = 1},
    .params = gf_fraud_param_rows,
    .param_count = GF_FRAUD_PARAM_COUNT,
    .params_size = sizeof(struct gf_fraud_params),
    .on_event = fraud_on_event,
    .describe = fraud_describe,
};
