#include "operator/quality/quality.h"

#include <stddef.h>
#include <stdio.h>

/* Bits of a reading's status that make its value worthless: critical error, clock invalid, data not
 * valid, power down. The others (daylight saving, billing reset, clock adjusted, recovered value)
 * are remarks. */
#define STATUS_BITS_BAD 0x87

#define SECONDS_PER_HOUR 3600

struct finding {
    int32_t rule, action;
    struct gf_time start;
    int32_t interval_s;
    bool has_old, has_new;
    struct gf_energy old_value, new_value;
    int64_t count, version;
};

static enum gf_rc
finding_emit(const struct gf_view *view, struct gf_span meter_id, const struct finding *finding,
             struct gf_out *out)
{
    char kind[64], entity[160];
    snprintf(kind, sizeof kind, "data.quality %s", gf_quality_rule_name(finding->rule));
    const int size = snprintf(entity, sizeof entity, "%.*s|%.*s", GF_SPAN_PRINT(view->entity),
                              GF_SPAN_PRINT(meter_id));
    assert(size > 0);
    const bool has_interval = !gf_time_is_none(finding->start);
    struct gf_data_quality record = {
        .entity = view->entity,
        .has_meter_id = meter_id.size > 0,
        .meter_id = meter_id,
        .rule = finding->rule,
        .action = finding->action,
        .has_interval_start = has_interval,
        .interval_start = has_interval ? finding->start : (struct gf_time){0},
        .interval_s = finding->interval_s,
        .has_old_micro_kwh = finding->has_old,
        .old_micro_kwh = finding->old_value,
        .has_new_micro_kwh = finding->has_new,
        .new_micro_kwh = finding->new_value,
        .count = finding->count,
        .decided_at = view->now,
    };
    const size_t entity_size = (size_t)size < sizeof entity ? (size_t)size : sizeof entity - 1;
    gf_record_id(kind, gf_span_of(entity, entity_size), has_interval ? finding->start : view->now,
                 finding->version, record.record_id);
    return gf_out_emit(out, GF_TOPIC_DATA_QUALITY, &record);
}

/* What every finding about this reading has in common. */
static struct finding
finding_of(const struct gf_change *change, const struct gf_meter_reading *reading, int32_t rule,
           int32_t action)
{
    return (struct finding){
        .rule = rule,
        .action = action,
        .start = reading->interval_start,
        .interval_s = change->outcome == GF_READING_REGISTER ? 0 : reading->interval_s,
        .has_new = true,
        .new_value = reading->energy_micro_kwh,
        .count = 1,
        .version = 1,
    };
}

/* Emits at most one record of a rule and local day. */
static enum gf_rc
limited_emit(const struct gf_view *view, struct gf_quality_state *state,
             enum gf_quality_limited limited, struct gf_span meter_id, struct finding *finding,
             struct gf_out *out)
{
    const uint16_t day = (uint16_t)(gf_day_of(view->zone, view->now) + 1);
    uint16_t *const held_back = &state->limited[limited].held_back;
    if (state->limited[limited].day == day) {
        *held_back = (uint16_t)(*held_back + (*held_back < UINT16_MAX));
        return GF_OK;
    }
    finding->count = 1 + *held_back;
    *held_back = 0;
    state->limited[limited].day = day;
    return finding_emit(view, meter_id, finding, out);
}

/* V01, V25 and V26: what became of a value for a slot that had one, or that had been passed. */
static enum gf_rc
outcome_check(const struct gf_view *view, const struct gf_meter_reading *reading,
              struct gf_quality_state *state, struct gf_out *out)
{
    const struct gf_change *const change = view->change;
    struct finding finding =
        finding_of(change, reading, GF_QUALITY_RULE_UNKNOWN, GF_QUALITY_ACTION_UNKNOWN);
    finding.has_old = change->old_value_is_exact;
    finding.old_value = change->old_value_is_exact ? change->old_value : (struct gf_energy){0};
    if (change->outcome == GF_READING_KEPT_OLD) {
        finding.rule = GF_QUALITY_RULE_V01_CONFLICT;
        finding.action = GF_QUALITY_ACTION_KEPT_OLD;
        finding.version = reading->energy_micro_kwh.micro_kwh;
        return finding_emit(view, reading->meter_id, &finding, out);
    }
    if (change->outcome == GF_READING_REPLACED) {
        state->replaced++;
        finding.rule = GF_QUALITY_RULE_V25_REPLACED;
        finding.action = GF_QUALITY_ACTION_REPLACED;
        finding.version = state->replaced;
        return finding_emit(view, reading->meter_id, &finding, out);
    }
    if (change->outcome != GF_READING_LATE_NEW) {
        return GF_OK;
    }
    const struct gf_quality_params *const params = view->params;
    const struct gf_load *const load = &view->features->load;
    const bool is_old = load->last_slot_start_us - change->slot_start.us > params->late_after.us;
    if (!is_old && gf_day_of(view->zone, change->slot_start) >= load->day) {
        return GF_OK; /* a little out of order, and its day is still open: nothing was corrected */
    }
    finding.rule = GF_QUALITY_RULE_V26_LATE_CORRECTION;
    finding.action = GF_QUALITY_ACTION_CORRECTED;
    finding.has_old = false;
    return finding_emit(view, reading->meter_id, &finding, out);
}

static enum gf_rc
gap_check(const struct gf_view *view, const struct gf_meter_reading *reading, struct gf_out *out)
{
    const struct gf_change *const change = view->change;
    const struct gf_quality_params *const params = view->params;
    if (change->gap_slots == 0 || change->gap_slots < params->gap_slots_min) {
        return GF_OK;
    }
    struct finding finding =
        finding_of(change, reading, GF_QUALITY_RULE_V02_GAP, GF_QUALITY_ACTION_MASKED);
    finding.start.us -= (int64_t)change->gap_slots * change->slot_s * GF_US_PER_S;
    finding.interval_s = change->slot_s;
    finding.has_new = false;
    finding.count = change->gap_slots;
    return finding_emit(view, reading->meter_id, &finding, out);
}

/* V16 compares energies, so a rounding of the demand cannot decide: value > factor * capacity *
 * time. */
static bool
is_above_capacity(const struct gf_view *view)
{
    const struct gf_change *const change = view->change;
    const struct gf_quality_params *const params = view->params;
    const int64_t capacity_w = view->features->contract.capacity_w;
    const double limit =
        params->capacity_factor * (double)capacity_w * 1000.0 * change->slot_s / SECONDS_PER_HOUR;
    return capacity_w > 0 && (double)change->value.micro_kwh > limit;
}

/* V06, V16 and V21: what the value itself says. Not of a value that was dropped or of another
 * channel. */
static enum gf_rc
value_check(const struct gf_view *view, const struct gf_meter_reading *reading,
            struct gf_quality_state *state, struct gf_out *out)
{
    const struct gf_change *const change = view->change;
    if (change->outcome != GF_READING_NEW && change->outcome != GF_READING_LATE_NEW &&
        change->outcome != GF_READING_REPLACED) {
        return GF_OK;
    }
    const int32_t action = change->is_masked ? GF_QUALITY_ACTION_MASKED : GF_QUALITY_ACTION_FLAGGED;
    struct finding finding = finding_of(change, reading, GF_QUALITY_RULE_V06_NEGATIVE, action);
    enum gf_rc rc = GF_OK;
    if (reading->energy_micro_kwh.micro_kwh < 0) {
        rc = limited_emit(view, state, GF_QUALITY_LIMITED_NEGATIVE, reading->meter_id, &finding,
                          out);
    }
    if (rc == GF_OK && is_above_capacity(view)) {
        finding.rule = GF_QUALITY_RULE_V16_PHYSICAL_CAP;
        rc = limited_emit(view, state, GF_QUALITY_LIMITED_CAPACITY, reading->meter_id, &finding,
                          out);
    }
    if (rc == GF_OK && (reading->status_bits & STATUS_BITS_BAD) != 0) {
        finding.rule = GF_QUALITY_RULE_V21_STATUS;
        rc = limited_emit(view, state, GF_QUALITY_LIMITED_STATUS, reading->meter_id, &finding, out);
    }
    return rc;
}

/* V07: the stand went back and no rollover or exchange explains it. The stand before is made from
 * the difference, which has the multiplier in it. */
static enum gf_rc
register_check(const struct gf_view *view, const struct gf_meter_reading *reading,
               struct gf_out *out)
{
    const struct gf_change *const change = view->change;
    if (change->register_step != GF_REGISTER_BACKWARDS) {
        return GF_OK;
    }
    struct finding finding = finding_of(change, reading, GF_QUALITY_RULE_V07_REGISTER_DECREASE,
                                        GF_QUALITY_ACTION_FLAGGED);
    if (change->meter_index >= 0) {
        assert(change->meter_index < GF_CONTRACT_METER_COUNT_MAX);
        const uint32_t multiplier = view->features->contract.meters[change->meter_index].multiplier;
        const struct gf_energy back = {change->register_delta.micro_kwh /
                                       (multiplier > 0 ? (int64_t)multiplier : 1)};
        finding.has_old = gf_energy_sub(finding.new_value, back, &finding.old_value) == GF_OK;
    }
    return finding_emit(view, reading->meter_id, &finding, out);
}

static enum gf_rc
meter_check(const struct gf_view *view, const struct gf_meter_reading *reading,
            struct gf_quality_state *state, struct gf_out *out)
{
    const struct gf_change *const change = view->change;
    const bool is_unknown = change->has_contract && change->meter_index < 0;
    if (!is_unknown && change->register_step != GF_REGISTER_UNKNOWN_METER) {
        return GF_OK;
    }
    struct finding finding =
        finding_of(change, reading, GF_QUALITY_RULE_UNKNOWN_METER, GF_QUALITY_ACTION_FLAGGED);
    return limited_emit(view, state, GF_QUALITY_LIMITED_UNKNOWN_METER, reading->meter_id, &finding,
                        out);
}

/* V12: contracts may come after the first readings; seven days later they should be there. */
static enum gf_rc
contract_check(const struct gf_view *view, const struct gf_meter_reading *reading,
               struct gf_quality_state *state, struct gf_out *out)
{
    const struct gf_quality_params *const params = view->params;
    if (view->change->has_contract) {
        state->without_contract_day = 0;
        state->without_contract_said = 0;
        return GF_OK;
    }
    const int32_t day = gf_day_of(view->zone, view->now);
    if (state->without_contract_day == 0) {
        state->without_contract_day = day + 1;
    }
    const int64_t days = (int64_t)day + 1 - state->without_contract_day;
    if (state->without_contract_said || days < params->contract_wait_days) {
        return GF_OK;
    }
    state->without_contract_said = 1;
    const struct finding finding = finding_of(
        view->change, reading, GF_QUALITY_RULE_V12_NO_CONTRACT, GF_QUALITY_ACTION_FLAGGED);
    return finding_emit(view, reading->meter_id, &finding, out);
}

/* The road of nearly all readings: nothing to say, found out without a call. */
static bool
reading_is_plain(const struct gf_view *view, const struct gf_meter_reading *reading,
                 const struct gf_quality_state *state)
{
    const struct gf_change *const change = view->change;
    const struct gf_quality_params *const params = view->params;
    const struct gf_contract *const contract = &view->features->contract;
    const bool is_quiet =
        change->outcome == GF_READING_NEW || change->outcome == GF_READING_REGISTER ||
        change->outcome == GF_READING_EXPORT || change->outcome == GF_READING_DUPLICATE;
    const bool is_register_quiet = change->register_step != GF_REGISTER_BACKWARDS &&
                                   change->register_step != GF_REGISTER_UNKNOWN_METER;
    const bool is_small =
        contract->capacity_w == 0 ||
        change->demand_kw * 1000.0 < params->capacity_factor * (double)contract->capacity_w;
    return is_quiet && is_register_quiet && is_small && change->has_contract &&
           change->meter_index >= 0 && change->gap_slots == 0 &&
           (reading->status_bits & STATUS_BITS_BAD) == 0 &&
           reading->energy_micro_kwh.micro_kwh >= 0 && state->without_contract_day == 0;
}

static enum gf_rc
reading_check(const struct gf_view *view, const struct gf_meter_reading *reading,
              struct gf_quality_state *state, struct gf_out *out)
{
    if (reading_is_plain(view, reading, state)) {
        return GF_OK;
    }
    enum gf_rc rc = outcome_check(view, reading, state, out);
    rc = rc == GF_OK ? gap_check(view, reading, out) : rc;
    rc = rc == GF_OK ? value_check(view, reading, state, out) : rc;
    rc = rc == GF_OK ? register_check(view, reading, out) : rc;
    rc = rc == GF_OK ? meter_check(view, reading, state, out) : rc;
    return rc == GF_OK ? contract_check(view, reading, state, out) : rc;
}

static enum gf_rc
quality_on_event(const struct gf_view *view, const struct gf_event *event, void *memory,
                 struct gf_out *out)
{
    struct gf_quality_state *const state = memory;
    assert(view->change != NULL);
    assert(event->topic == GF_TOPIC_METER_READINGS);
    return reading_check(view, event->body, state, out);
}

static size_t
quality_describe(const struct gf_view *view, const void *memory, char *text_out, size_t size)
{
    const struct gf_quality_state *const state = memory;
    (void)view;
    uint32_t held_back = 0;
    for (uint32_t i = 0; i < GF_QUALITY_LIMITED_COUNT; i++) {
        held_back += state->limited[i].held_back;
    }
    return (size_t)snprintf(
        text_out, size,
        "\"replaced_values\": %u, \"records_held_back\": %u, \"without_contract\": %s",
        state->replaced, held_back, state->without_contract_day != 0 ? "true" : "false");
}

#define PARAM(field) .name = #field, .offset = offsetof(struct gf_quality_params, field)

static const struct gf_param quality_params[] = {
    {PARAM(capacity_factor),
     .doc = "V16: a value above so many times the contracted demand is impossible.",
     .type = GF_PARAM_REAL, .initial = "3", .min = 1, .max = 100, .is_fold = true},
    {PARAM(late_after),
     .doc = "V26: a first value that comes later than this after newer ones is a correction.",
     .type = GF_PARAM_DURATION, .initial = "1h", .min = 0, .max = 172800, .is_fold = true},
    {PARAM(contract_wait_days),
     .doc = "V12: readings without a contract for so many days make a record.", .unit = "d",
     .type = GF_PARAM_INT, .initial = "7", .min = 0, .max = 365, .is_fold = true},
    {PARAM(gap_slots_min), .doc = "V02: gaps of fewer slots make no record.", .unit = "slots",
     .type = GF_PARAM_INT, .initial = "1", .min = 1, .max = 100000, .is_fold = true},
};

const struct gf_operator gf_op_quality = {
    .name = "quality",
    .doc = "Says what was odd about a customer's readings and what was done about it.",
    .reads = GF_READS(GF_TOPIC_METER_READINGS),
    .entity = GF_ENTITY_CUSTOMER,
    .state = {.size = sizeof(struct gf_quality_state), .version = 1},
    .params = quality_params,
    .param_count = sizeof quality_params / sizeof quality_params[0],
    .params_size = sizeof(struct gf_quality_params),
    .on_event = quality_on_event,
    .describe = quality_describe,
};
