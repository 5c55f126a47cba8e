#include "operator/arrears/arrears.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "operator/arrears/fee.h"
#include "operator/arrears/scorecard.h"

enum { TIMER_LADDER, TIMER_PRE_DUE };

struct gf_time
gf_arrears_days_after(const struct gf_zone *zone, struct gf_time from, int64_t days)
{
    const struct gf_time time = {from.us + days * GF_US_PER_DAY};
    const int64_t shift_s = (int64_t)gf_zone_offset(zone, from) - gf_zone_offset(zone, time);
    return (struct gf_time){time.us + shift_s * GF_US_PER_S};
}

int64_t
gf_arrears_days_between(const struct gf_zone *zone, struct gf_time from, struct gf_time to)
{
    const int64_t shift_s = (int64_t)gf_zone_offset(zone, to) - gf_zone_offset(zone, from);
    const int64_t us = to.us - from.us + shift_s * GF_US_PER_S;
    return us > 0 ? us / GF_US_PER_DAY : 0;
}

int32_t
gf_arrears_hold(const struct gf_features *features, struct gf_time time)
{
    static const int32_t protections[] = {GF_PROTECTION_KIND_VULNERABLE, GF_PROTECTION_KIND_MEDICAL,
                                          GF_PROTECTION_KIND_WINTER,
                                          GF_PROTECTION_KIND_COLLECTION_HOLD};
    if (gf_account_is_disputed(&features->account)) {
        return GF_ARREARS_HOLD_DISPUTE;
    }
    for (size_t i = 0; i < sizeof protections / sizeof protections[0]; i++) {
        if (gf_contract_is_protected(&features->contract, protections[i], time)) {
            return GF_ARREARS_HOLD_PROTECTED;
        }
    }
    return gf_contract_is_protected(&features->contract, GF_PROTECTION_KIND_PAYMENT_PLAN, time)
               ? GF_ARREARS_HOLD_PLAN
               : GF_ARREARS_HOLD_NONE;
}

/* ---- alerts ---- */

static int32_t
stage_of(const struct gf_arrears_params *params, uint32_t position)
{
    assert(position <= params->ladder_count);
    return position == 0 ? GF_ARREARS_STAGE_OPEN
                         : GF_ARREARS_STAGE_DUE + params->ladder[position - 1].stage;
}

static struct gf_span
currency_of(const struct gf_view *view, const struct gf_arrears_state *state)
{
    const char *const known = view->features->contract.currency;
    const char *const text = known[0] != '\0' ? known : state->currency;
    return gf_span_of(text, strnlen(text, sizeof state->currency));
}

static enum gf_rc
alert_emit(const struct gf_view *view, struct gf_arrears_state *state, struct gf_time now,
           int32_t kind, uint32_t previous, const char *measure, struct gf_out *out)
{
    const struct gf_arrears_params *const params = view->params;
    const struct gf_account *const account = &view->features->account;
    const struct gf_time due = gf_account_oldest_due(account);
    struct gf_arrears_score score;
    gf_arrears_score(params, account, now, &score);
    state->alerts++;
    struct gf_arrears_alert alert = {
        .customer_id = view->entity,
        .kind = kind,
        .stage = stage_of(params, state->position),
        .previous_stage = stage_of(params, previous),
        .hold = gf_arrears_hold(view->features, now),
        .currency = currency_of(view, state),
        .has_oldest_due_at = account->invoice_count > 0,
        .oldest_due_at = account->invoice_count > 0 ? due : (struct gf_time){0},
        .days_overdue =
            account->invoice_count > 0 ? (int32_t)gf_arrears_days_between(view->zone, due, now) : 0,
        .open_invoices = account->invoice_count,
        .grade = score.grade,
        .score = score.points,
        .reasons = {score.reasons, score.reason_count},
        .measure = gf_span_text(measure),
        .decided_at = now,
    };
    assert(alert.hold == GF_ARREARS_HOLD_NONE || kind == GF_ARREARS_KIND_HELD ||
           kind == GF_ARREARS_KIND_RESOLVED);
    /* An amount is overdue from its due instant on; the ledger's "before" leaves that instant out.
     */
    gf_account_owed(account, (struct gf_time){now.us + 1}, &alert.owed_micro, &alert.overdue_micro);
    const enum gf_rc rc =
        gf_arrears_fee(params, view->features, view->zone, now, &alert.late_fee_micro);
    if (rc != GF_OK) {
        return gf_out_fail(out, rc, "the late fee of this account cannot be counted");
    }
    gf_record_id("arrears.alerts", view->entity, now, state->alerts, alert.record_id);
    return gf_out_emit(out, GF_TOPIC_ARREARS_ALERTS, &alert);
}

/* ---- the ladder ---- */

/* How far up the ladder a debt due at `due` may be at `now`. */
static uint32_t
ladder_target(const struct gf_arrears_params *params, const struct gf_zone *zone,
              struct gf_time due, struct gf_time now)
{
    uint32_t target = 0;
    while (target < params->ladder_count &&
           gf_time_compare(gf_arrears_days_after(zone, due, params->ladder[target].after_days),
                           now) <= 0) {
        target++;
    }
    return target;
}

/* When the next step up may be taken, by the ledger and by the notice since the last step. */
static struct gf_time
step_time(const struct gf_view *view, const struct gf_arrears_state *state, struct gf_time due)
{
    const struct gf_arrears_params *const params = view->params;
    const int64_t after_days = params->ladder[state->position].after_days;
    const struct gf_time by_ledger = gf_arrears_days_after(view->zone, due, after_days);
    if (state->step_us == 0) {
        return by_ledger;
    }
    const struct gf_time by_notice =
        gf_arrears_days_after(view->zone, (struct gf_time){state->step_us}, params->notice_days);
    return gf_time_max(by_ledger, by_notice);
}

static enum gf_rc
step_up(const struct gf_view *view, struct gf_arrears_state *state, struct gf_time now,
        struct gf_out *out)
{
    const struct gf_arrears_params *const params = view->params;
    const struct gf_arrears_step *const step = &params->ladder[state->position];
    const int32_t stage = stage_of(params, state->position + 1u);
    state->position++;
    state->step_us = now.us;
    state->is_in_episode = 1;
    const int32_t kind = stage == GF_ARREARS_STAGE_DUE         ? GF_ARREARS_KIND_DUE
                         : stage == GF_ARREARS_STAGE_WRITE_OFF ? GF_ARREARS_KIND_WRITE_OFF
                                                               : GF_ARREARS_KIND_ESCALATION;
    return alert_emit(view, state, now, kind, state->position - 1u, step->measure, out);
}

static enum gf_rc
ladder_climb(const struct gf_view *view, struct gf_arrears_state *state, struct gf_time now,
             struct gf_out *out)
{
    const struct gf_arrears_params *const params = view->params;
    const struct gf_time due = gf_account_oldest_due(&view->features->account);
    const uint32_t target = ladder_target(params, view->zone, due, now);
    state->position = (uint8_t)(state->position < target ? state->position : target);
    const bool is_held = gf_arrears_hold(view->features, now) != GF_ARREARS_HOLD_NONE;
    state->is_held_said = state->is_held_said && is_held;
    while (state->position < target && gf_time_compare(step_time(view, state, due), now) <= 0) {
        if (is_held && state->is_held_said) {
            return GF_OK;
        }
        if (is_held) {
            state->is_held_said = 1;
            state->is_in_episode = 1;
            return alert_emit(view, state, now, GF_ARREARS_KIND_HELD, state->position, "", out);
        }
        const enum gf_rc rc = step_up(view, state, now, out);
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

/* Nothing is overdue: the episode, if there was one, is over. */
static enum gf_rc
ladder_leave(const struct gf_view *view, struct gf_arrears_state *state, struct gf_time now,
             struct gf_out *out)
{
    const uint32_t previous = state->position;
    const bool was_in_episode = state->is_in_episode;
    state->position = 0;
    state->step_us = 0;
    state->is_in_episode = 0;
    state->is_held_said = 0;
    return was_in_episode
               ? alert_emit(view, state, now, GF_ARREARS_KIND_RESOLVED, previous, "", out)
               : GF_OK;
}

/* First end of a protection that is on; GF_TIME_US_MAX when none ends. */
static struct gf_time
protection_end(const struct gf_contract *contract, struct gf_time now)
{
    struct gf_time end = {GF_TIME_US_MAX};
    for (uint32_t i = 0; i < contract->protection_count; i++) {
        const struct gf_time to = {(int64_t)contract->protections[i].to_s * GF_US_PER_S};
        if (contract->protections[i].to_s != UINT32_MAX && gf_time_compare(to, now) > 0 &&
            gf_time_compare(to, end) < 0) {
            end = to;
        }
    }
    return end;
}

static enum gf_rc
ladder_wait(const struct gf_view *view, const struct gf_arrears_state *state, struct gf_time now,
            struct gf_out *out)
{
    const struct gf_arrears_params *const params = view->params;
    const struct gf_time due = gf_account_oldest_due(&view->features->account);
    if (gf_time_is_none(due) || state->position == params->ladder_count) {
        gf_out_clear_timer(out, TIMER_LADDER);
        return GF_OK;
    }
    struct gf_time next = step_time(view, state, due);
    if (gf_time_compare(next, now) <= 0) {
        /* Held. The end of a dispute is an event; the end of a protection is only a time. */
        next = protection_end(&view->features->contract, now);
    }
    assert(gf_time_compare(next, now) > 0);
    if (next.us >= GF_TIME_US_MAX) {
        gf_out_clear_timer(out, TIMER_LADDER);
        return GF_OK;
    }
    return gf_out_set_timer(out, TIMER_LADDER, next);
}

/* ---- the reminder before the due date ---- */

static enum gf_rc
pre_due_say(const struct gf_view *view, struct gf_arrears_state *state, struct gf_time now,
            struct gf_out *out)
{
    const struct gf_arrears_params *const params = view->params;
    if (state->position > 0 || state->is_in_episode ||
        gf_arrears_hold(view->features, now) != GF_ARREARS_HOLD_NONE) {
        return GF_OK;
    }
    struct gf_arrears_score score;
    gf_arrears_score(params, &view->features->account, now, &score);
    const bool is_risky = score.grade == GF_RISK_GRADE_D || score.grade == GF_RISK_GRADE_E;
    if (params->pre_due_grades == GF_ARREARS_REMIND_RISKY && !is_risky) {
        return GF_OK;
    }
    return alert_emit(view, state, now, GF_ARREARS_KIND_PRE_DUE, 0, params->pre_due_measure, out);
}

/* Every invoice is considered once, when its reminder would be due or as soon as it is known after
 * that. */
static enum gf_rc
pre_due_check(const struct gf_view *view, struct gf_arrears_state *state, struct gf_time now,
              struct gf_out *out)
{
    const struct gf_arrears_params *const params = view->params;
    const struct gf_account *const account = &view->features->account;
    bool is_time = false;
    gf_out_clear_timer(out, TIMER_PRE_DUE);
    if (params->pre_due_grades == GF_ARREARS_REMIND_NONE) {
        return GF_OK;
    }
    for (uint32_t i = 0; i < account->invoice_count; i++) {
        const uint32_t due_s = account->invoices[i].due_s;
        const struct gf_time due = {(int64_t)due_s * GF_US_PER_S};
        if (due_s <= state->reminded_due_s || gf_time_compare(due, now) <= 0) {
            continue;
        }
        const struct gf_time reminder =
            gf_arrears_days_after(view->zone, due, -params->pre_due_days);
        if (gf_time_compare(reminder, now) > 0) {
            const enum gf_rc rc = gf_out_set_timer(out, TIMER_PRE_DUE, reminder);
            if (rc != GF_OK) {
                return rc;
            }
            break;
        }
        state->reminded_due_s = due_s;
        is_time = true;
    }
    return is_time ? pre_due_say(view, state, now, out) : GF_OK;
}

/* ---- the operator ---- */

/* Judges the account at a time that never goes back: an invoice may come late, with its own date.
 */
static enum gf_rc
account_judge(const struct gf_view *view, struct gf_arrears_state *state, struct gf_out *out)
{
    const struct gf_arrears_params *const params = view->params;
    const struct gf_time now = gf_time_max(view->now, (struct gf_time){state->decided_us});
    state->decided_us = now.us;
    /* A configuration with a shorter ladder may have come. */
    state->position =
        (uint8_t)(state->position < params->ladder_count ? state->position : params->ladder_count);
    const struct gf_time due = gf_account_oldest_due(&view->features->account);
    const bool is_overdue = !gf_time_is_none(due) && gf_time_compare(due, now) <= 0;
    enum gf_rc rc =
        is_overdue ? ladder_climb(view, state, now, out) : ladder_leave(view, state, now, out);
    rc = rc == GF_OK ? pre_due_check(view, state, now, out) : rc;
    return rc == GF_OK ? ladder_wait(view, state, now, out) : rc;
}

static void
currency_keep(struct gf_arrears_state *state, struct gf_span currency)
{
    memset(state->currency, 0, sizeof state->currency);
    memcpy(state->currency, currency.data, currency.size < 3 ? currency.size : 3);
}

static enum gf_rc
arrears_on_event(const struct gf_view *view, const struct gf_event *event, void *memory,
                 struct gf_out *out)
{
    struct gf_arrears_state *const state = memory;
    assert(view->change != NULL);
    if (event->topic == GF_TOPIC_BILLING_INVOICES) {
        currency_keep(state, ((const struct gf_invoice *)event->body)->currency);
    } else if (event->topic == GF_TOPIC_BILLING_PAYMENTS) {
        currency_keep(state, ((const struct gf_payment *)event->body)->currency);
    }
    if (!view->change->account_changed && !view->change->contract_changed) {
        return GF_OK;
    }
    return account_judge(view, state, out);
}

static enum gf_rc
arrears_on_timer(const struct gf_view *view, uint32_t timer, void *memory, struct gf_out *out)
{
    assert(timer == TIMER_LADDER || timer == TIMER_PRE_DUE);
    return account_judge(view, memory, out);
}

static size_t
arrears_describe(const struct gf_view *view, const void *memory, char *text_out, size_t size)
{
    const struct gf_arrears_params *const params = view->params;
    const struct gf_arrears_state *const state = memory;
    struct gf_arrears_score score;
    gf_arrears_score(params, &view->features->account, view->now, &score);
    const uint32_t position =
        state->position < params->ladder_count ? state->position : params->ladder_count;
    char step[GF_TIME_TEXT_SIZE];
    gf_time_print(state->step_us == 0 ? GF_TIME_NONE : (struct gf_time){state->step_us}, step);
    return (size_t)snprintf(
        text_out, size,
        "\"stage\": \"%s\", \"hold\": \"%s\", \"last_step\": \"%s\", \"grade\": \"%s\", "
        "\"points\": %d, \"alerts\": %u",
        gf_arrears_stage_name(stage_of(params, position)),
        gf_arrears_hold_name(gf_arrears_hold(view->features, view->now)), step,
        gf_risk_grade_name(score.grade), score.points, state->alerts);
}

const struct gf_operator gf_op_arrears = {
    .name = "arrears",
    .doc = "Reminds, escalates and resolves unpaid invoices; protections and disputes stop it.",
    .reads = GF_READS(GF_TOPIC_BILLING_INVOICES) | GF_READS(GF_TOPIC_BILLING_PAYMENTS) |
             GF_READS(GF_TOPIC_CUSTOMER_CONTRACTS),
    .entity = GF_ENTITY_CUSTOMER,
    .state = {.size = sizeof(struct gf_arrears_state), .version = 1},
    .params = gf_arrears_param_rows,
    .param_count = GF_ARREARS_PARAM_COUNT,
    .params_size = sizeof(struct gf_arrears_params),
    .on_event = arrears_on_event,
    .on_timer = arrears_on_timer,
    .describe = arrears_describe,
};
