#include "operator/balance/balance.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define TIMER_CLOSE  0
#define TIMER_REVISE 1

static const char *const interval_choices[] = {"5m", "15m", "30m", "1h", NULL};
static const uint32_t interval_seconds[] = {300, 900, 1800, 3600};

static bool
is_used(const struct gf_balance_slot *slot)
{
    return (slot->flags & GF_BALANCE_IS_USED) != 0;
}

static struct gf_time
end_of(const struct gf_balance_state *state, int64_t number)
{
    return (struct gf_time){(number + 1) * (int64_t)state->interval_s * GF_US_PER_S};
}

/* Closes all slots before `end`: what came for them is written out. */
static enum gf_rc
slots_close(const struct gf_view *view, struct gf_balance_state *state, int64_t end,
            struct gf_out *out)
{
    const int64_t last = end < state->newest + 1 ? end : state->newest + 1;
    for (int64_t number = state->closed_end; number < last; number++) {
        const enum gf_rc rc =
            is_used(balance_slot(state, number)) ? balance_emit(view, state, number, out) : GF_OK;
        if (rc != GF_OK) {
            return rc;
        }
    }
    state->closed_end = end > state->closed_end ? end : state->closed_end;
    return GF_OK;
}

/* Writes out what has changed in closed slots from `from` up to `end`. */
static enum gf_rc
slots_revise(const struct gf_view *view, struct gf_balance_state *state, int64_t from, int64_t end,
             struct gf_out *out)
{
    for (int64_t number = from < 0 ? 0 : from; number < end; number++) {
        if ((balance_slot(state, number)->flags & GF_BALANCE_IS_CHANGED) == 0) {
            continue;
        }
        const enum gf_rc rc = balance_emit(view, state, number, out);
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

/* Makes room for a slot; those that leave the ring are written out first. */
static enum gf_rc
ring_advance(const struct gf_view *view, struct gf_balance_state *state, int64_t number,
             struct gf_out *out)
{
    const int64_t oldest = state->newest - GF_BALANCE_SLOT_COUNT + 1;
    const int64_t kept = number - GF_BALANCE_SLOT_COUNT + 1; /* the oldest from now on */
    const int64_t leaving_end = kept < state->newest + 1 ? kept : state->newest + 1;
    enum gf_rc rc = slots_revise(view, state, oldest, leaving_end, out);
    if (rc == GF_OK && state->closed_end < kept) {
        rc = slots_close(view, state, kept, out);
    }
    for (int64_t slot = oldest < 0 ? 0 : oldest; rc == GF_OK && slot < leaving_end; slot++) {
        memset(balance_slot(state, slot), 0, sizeof(struct gf_balance_slot));
    }
    state->newest = rc == GF_OK ? number : state->newest;
    return rc;
}

/* The slot of a number, with the ring moved on to it. */
static enum gf_rc
slot_get(const struct gf_view *view, struct gf_balance_state *state, int64_t number,
         struct gf_balance_slot **slot_out, struct gf_out *out)
{
    if (number > state->newest) {
        const enum gf_rc rc = ring_advance(view, state, number, out);
        if (rc != GF_OK) {
            return rc;
        }
    }
    if (number <= state->newest - GF_BALANCE_SLOT_COUNT) {
        return gf_out_fail(out, GF_E_LATE,
                           "interval is older than the %d that are kept to be corrected",
                           GF_BALANCE_SLOT_COUNT);
    }
    *slot_out = balance_slot(state, number);
    (*slot_out)->flags |= GF_BALANCE_IS_USED;
    return GF_OK;
}

/* A slot that is closed will be written again; an open one when it closes. */
static enum gf_rc
slot_changed(const struct gf_view *view, struct gf_balance_state *state, int64_t number,
             struct gf_out *out)
{
    const struct gf_balance_params *const params = view->params;
    if (number < state->closed_end) {
        balance_slot(state, number)->flags |= GF_BALANCE_IS_CHANGED;
        if (state->has_revise_timer) {
            return GF_OK;
        }
        state->has_revise_timer = 1;
        return gf_out_set_timer(out, TIMER_REVISE,
                                gf_time_add(view->shard_time, params->revise_after));
    }
    if (state->has_close_timer) {
        return GF_OK;
    }
    state->has_close_timer = 1;
    return gf_out_set_timer(out, TIMER_CLOSE,
                            gf_time_add(end_of(state, state->closed_end), params->close_after));
}

/* Part of a value that falls into the slots before the one that begins at `at_us`: what is not
 * spread evenly by this is at most one millionth of a kWh, and nothing is lost. */
static int64_t
share_before(int64_t micro_kwh, int64_t part_us, int64_t whole_us)
{
    const __int128 product = (__int128)micro_kwh * part_us;
    return (int64_t)(product / whole_us);
}

static enum gf_rc
piece_add(const struct gf_area_reading *reading, int64_t micro_kwh, int64_t covered_us,
          bool is_whole, struct gf_balance_slot *slot, struct gf_out *out)
{
    struct gf_energy sum = {slot->sum_micro_kwh};
    if (gf_energy_add(sum, (struct gf_energy){micro_kwh}, &sum) != GF_OK) {
        return gf_out_fail(out, GF_E_RANGE, "the area's sum is out of range");
    }
    slot->sum_micro_kwh = sum.micro_kwh;
    slot->estimated += reading->estimated;
    if (!is_whole || !reading->is_exact) {
        slot->flags |= GF_BALANCE_IS_INEXACT;
    }
    if (reading->kind != GF_AREA_READING_KIND_READING) {
        return GF_OK;
    }
    const uint32_t covered_s = (uint32_t)(covered_us / GF_US_PER_S);
    if (__builtin_add_overflow(slot->covered_s, covered_s, &slot->covered_s) ||
        __builtin_add_overflow(slot->readings, 1, &slot->readings)) {
        return gf_out_fail(out, GF_E_RANGE, "too many values for one area");
    }
    return GF_OK;
}

/* A value of a longer interval, or of one that lies across two, is spread evenly. */
static enum gf_rc
reading_add(const struct gf_view *view, const struct gf_area_reading *reading,
            struct gf_balance_state *state, struct gf_out *out)
{
    const int64_t slot_us = (int64_t)state->interval_s * GF_US_PER_S;
    const int64_t start = reading->interval_start.us;
    const int64_t whole_us = reading->interval_s * GF_US_PER_S, end = start + whole_us;
    const int64_t first = start / slot_us, last = (end - 1) / slot_us;
    int64_t before = 0;
    if (last - first >= GF_BALANCE_SLOT_COUNT) {
        return gf_out_fail(out, GF_E_BAD_FIELD,
                           "interval_s: %d is more than %d times operators.balance.interval, %u s; "
                           "raise that",
                           reading->interval_s, GF_BALANCE_SLOT_COUNT, state->interval_s);
    }
    for (int64_t number = first; number <= last; number++) {
        const int64_t from = number * slot_us < start ? start : number * slot_us;
        const int64_t to = (number + 1) * slot_us < end ? (number + 1) * slot_us : end;
        const int64_t upto =
            share_before(reading->energy_micro_kwh.micro_kwh, to - start, whole_us);
        struct gf_balance_slot *slot = NULL;
        enum gf_rc rc = slot_get(view, state, number, &slot, out);
        if (rc == GF_OK) {
            rc = piece_add(reading, upto - before, to - from, first == last, slot, out);
        }
        if (rc == GF_OK) {
            rc = slot_changed(view, state, number, out);
        }
        if (rc != GF_OK) {
            return rc;
        }
        before = upto;
    }
    return GF_OK;
}

static enum gf_rc
total_take(const struct gf_view *view, const struct gf_area_total *total,
           struct gf_balance_state *state, struct gf_out *out)
{
    const int64_t slot_us = (int64_t)state->interval_s * GF_US_PER_S;
    if ((uint32_t)total->interval_s != state->interval_s) {
        return gf_out_fail(out, GF_E_BAD_FIELD,
                           "interval_s: %d, but operators.balance.interval is %u s; set it to the "
                           "transformers' own",
                           total->interval_s, state->interval_s);
    }
    if (total->interval_start.us % slot_us != 0) {
        return gf_out_fail(out, GF_E_BAD_FIELD,
                           "interval_start: is no multiple of its %u s since 1970",
                           state->interval_s);
    }
    const int64_t number = total->interval_start.us / slot_us;
    struct gf_balance_slot *slot = NULL;
    const enum gf_rc rc = slot_get(view, state, number, &slot, out);
    const int64_t value = total->energy_micro_kwh.micro_kwh;
    if (rc != GF_OK ||
        ((slot->flags & GF_BALANCE_HAS_TOTAL) != 0 && slot->total_micro_kwh == value)) {
        return rc;
    }
    slot->total_micro_kwh = value;
    slot->flags |= GF_BALANCE_HAS_TOTAL;
    return slot_changed(view, state, number, out);
}

/* Another interval in the configuration starts the ring afresh; what was open is written out. */
static enum gf_rc
interval_set(const struct gf_view *view, struct gf_balance_state *state, struct gf_time start,
             struct gf_out *out)
{
    const struct gf_balance_params *const params = view->params;
    const uint32_t interval_s = interval_seconds[params->interval];
    if (start.us < 0) {
        return gf_out_fail(out, GF_E_BAD_FIELD, "interval_start: is before 1970");
    }
    if (state->interval_s == interval_s) {
        return GF_OK;
    }
    if (state->interval_s != 0) {
        const int64_t oldest = state->newest - GF_BALANCE_SLOT_COUNT + 1;
        enum gf_rc rc = slots_revise(view, state, oldest, state->newest + 1, out);
        rc = rc == GF_OK ? slots_close(view, state, state->newest + 1, out) : rc;
        if (rc != GF_OK) {
            return rc;
        }
    }
    memset(state->slots, 0, sizeof state->slots);
    state->interval_s = interval_s;
    state->newest = start.us / ((int64_t)interval_s * GF_US_PER_S);
    state->closed_end = state->newest;
    state->has_close_timer = 0;
    return GF_OK;
}

static enum gf_rc
balance_on_event(const struct gf_view *view, const struct gf_event *event, void *memory,
                 struct gf_out *out)
{
    struct gf_balance_state *const state = memory;
    if (event->topic == GF_TOPIC_AREA_TOTALS) {
        const struct gf_area_total *const total = event->body;
        const enum gf_rc rc = interval_set(view, state, total->interval_start, out);
        return rc != GF_OK ? rc : total_take(view, total, state, out);
    }
    assert(event->topic == GF_TOPIC_INTERNAL_AREA_READINGS);
    const struct gf_area_reading *const reading = event->body;
    if (reading->kind == GF_AREA_READING_KIND_MEMBER) {
        state->customers += reading->customers;
        return GF_OK;
    }
    const enum gf_rc rc = interval_set(view, state, reading->interval_start, out);
    return rc != GF_OK ? rc : reading_add(view, reading, state, out);
}

static enum gf_rc
balance_on_timer(const struct gf_view *view, uint32_t timer, void *memory, struct gf_out *out)
{
    struct gf_balance_state *const state = memory;
    const struct gf_balance_params *const params = view->params;
    if (timer == TIMER_REVISE) {
        state->has_revise_timer = 0;
        return slots_revise(view, state, state->newest - GF_BALANCE_SLOT_COUNT + 1,
                            state->newest + 1, out);
    }
    const int64_t slot_us = (int64_t)state->interval_s * GF_US_PER_S;
    const int64_t end = gf_time_sub(view->now, params->close_after).us / slot_us;
    const enum gf_rc rc = slots_close(view, state, end, out);
    state->has_close_timer = 0;
    if (rc != GF_OK || state->closed_end > state->newest) {
        return rc;
    }
    state->has_close_timer = 1;
    return gf_out_set_timer(out, TIMER_CLOSE,
                            gf_time_add(end_of(state, state->closed_end), params->close_after));
}

static size_t
balance_describe(const struct gf_view *view, const void *memory, char *text_out, size_t size)
{
    const struct gf_balance_state *const state = memory;
    (void)view;
    const struct gf_balance_slot *const slot = &state->slots[state->newest % GF_BALANCE_SLOT_COUNT];
    const struct gf_time start = {state->newest * (int64_t)state->interval_s * GF_US_PER_S};
    char text[GF_TIME_TEXT_SIZE];
    gf_time_print(start, text);
    const int64_t open = state->newest + 1 - state->closed_end;
    return (size_t)snprintf(
        text_out, size,
        "\"customers\": %d, \"interval_s\": %u, \"newest\": \"%s\", \"open_intervals\": %lld, "
        "\"newest_sum_kwh\": %.6f, \"newest_total_kwh\": %.6f, \"newest_readings\": %u",
        state->customers, state->interval_s, text, (long long)(open > 0 ? open : 0),
        (double)slot->sum_micro_kwh * 1e-6, (double)slot->total_micro_kwh * 1e-6, slot->readings);
}

#define PARAM(field) .name = #field, .offset = offsetof(struct gf_balance_params, field)

static const struct gf_param balance_params[] = {
    {PARAM(interval), .doc = "Length of an interval; that of the transformers' own meters.",
     .type = GF_PARAM_CHOICE, .choices = interval_choices, .initial = "1h", .is_fold = true},
    {PARAM(close_after),
     .doc = "An interval is closed this long after its end, on top of time.lateness.",
     .type = GF_PARAM_DURATION, .initial = "30m", .min = 0, .max = 86400, .is_fold = true},
    {PARAM(revise_after),
     .doc = "What comes for closed intervals is gathered so long before they are written again.",
     .type = GF_PARAM_DURATION, .initial = "15m", .min = 0, .max = 86400, .is_fold = true},
    {PARAM(complete_min),
     .doc = "Below this share of the customers' time an interval is INCOMPLETE.",
     .type = GF_PARAM_REAL, .initial = "0.98", .min = 0, .max = 1, .is_fold = true},
    {PARAM(loss_share_max), .doc = "A residual above this share of the total is a LOSS.",
     .type = GF_PARAM_REAL, .initial = "0.08", .min = 0, .max = 1, .is_fold = true},
    {PARAM(gain_share_max),
     .doc =
         "A residual below this share of the total, downwards, is a GAIN: a wrong area or meter.",
     .type = GF_PARAM_REAL, .initial = "0.02", .min = 0, .max = 1, .is_fold = true},
};

const struct gf_operator gf_op_balance = {
    .name = "balance",
    .doc = "Compares what an area's transformer gave with what its customers took.",
    .reads = GF_READS(GF_TOPIC_AREA_TOTALS) | GF_READS(GF_TOPIC_INTERNAL_AREA_READINGS),
    .entity = GF_ENTITY_GRID_AREA,
    .stage = GF_STAGE_AREA,
    .state = {.size = sizeof(struct gf_balance_state), .version = 1},
    .params = balance_params,
    .param_count = sizeof balance_params / sizeof balance_params[0],
    .params_size = sizeof(struct gf_balance_params),
    .on_event = balance_on_event,
    .on_timer = balance_on_timer,
    .describe = balance_describe,
};
