#include "operator/fraud/case.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/hash.h"

#define CODE_BITS        0x1f
#define SEVERITY_SHIFT   5
#define REASON_COUNT_MAX 8
#define METHOD_SIZE      96
#define MICRO_PER_KWH    1e6
#define ESTIMATE_KWH_MAX 1e9 /* keeps the conversion to millionths inside int64 */

/* One row for each kind of evidence, in the order of enum gf_fraud_code. */
static const struct {
    size_t weight;      /* of a double in struct gf_fraud_params */
    const char *method; /* how its energy is estimated; NULL: it adds none */
} kinds[] = {
    {offsetof(struct gf_fraud_params, weight_register), "register difference"},
    {offsetof(struct gf_fraud_params, weight_contract), "metered without contract"},
    {offsetof(struct gf_fraud_params, weight_zero), NULL},
    {offsetof(struct gf_fraud_params, weight_capacity), NULL},
    {offsetof(struct gf_fraud_params, weight_drop), "shortfall against the level before"},
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])
static_assert(KIND_COUNT == GF_FRAUD_CODE_COUNT - 1, "a row for each code");

static double
kind_weight(const struct gf_fraud_params *params, size_t kind)
{
    double weight = 0;
    memcpy(&weight, (const char *)params + kinds[kind].weight, sizeof weight);
    return weight;
}

double
gf_fraud_score(const struct gf_fraud_params *params, uint8_t codes)
{
    double doubt = 1;
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        if (codes & (1u << kind)) {
            doubt *= 1 - kind_weight(params, kind);
        }
    }
    return 1 - doubt;
}

/* The kind with the greatest weight; the first of equals. */
static int32_t
code_first(const struct gf_fraud_params *params, uint8_t codes)
{
    int32_t code = GF_FRAUD_CODE_UNKNOWN;
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        if ((codes & (1u << kind)) &&
            (code == GF_FRAUD_CODE_UNKNOWN ||
             kind_weight(params, kind) > kind_weight(params, (size_t)code - 1))) {
            code = (int32_t)kind + 1;
        }
    }
    return code;
}

double
gf_fraud_mean_kwh(const struct gf_load *load, int32_t from_day, int32_t to_day, int32_t *count_out)
{
    double sum = 0;
    int32_t count = 0;
    const int32_t oldest_day = to_day < GF_DAY_RING_COUNT ? 0 : to_day - GF_DAY_RING_COUNT + 1;
    for (int32_t day = to_day; day >= from_day && day >= oldest_day; day--) {
        const double kwh = (double)gf_load_day_kwh(load, day);
        if (!isnan(kwh)) {
            sum += kwh;
            count++;
        }
    }
    *count_out = count;
    return count > 0 ? sum / count : (double)NAN;
}

uint8_t
gf_fraud_case_codes(const struct gf_fraud_case *open)
{
    return open->meter_hash == 0 ? 0 : open->codes & CODE_BITS;
}

int32_t
gf_fraud_case_severity(const struct gf_fraud_case *open)
{
    return open->codes >> SEVERITY_SHIFT;
}

uint8_t
gf_fraud_codes_of_use(const struct gf_fraud_state *state)
{
    uint8_t codes = 0;
    for (uint32_t i = 0; i < GF_FRAUD_CASE_COUNT_MAX; i++) {
        codes |= gf_fraud_case_codes(&state->cases[i]);
    }
    return codes & GF_FRAUD_BITS_OF_USE;
}

/* How severe its evidence is now. */
static int32_t
severity_of(const struct gf_fraud_params *params, const struct gf_fraud_case *open)
{
    const double score = gf_fraud_score(params, gf_fraud_case_codes(open));
    if (score >= params->score_high ||
        (double)open->estimated_kwh * MICRO_PER_KWH >= (double)params->estimate_high.micro_kwh) {
        return GF_SEVERITY_HIGH;
    }
    return score >= params->score_medium ? GF_SEVERITY_MEDIUM : GF_SEVERITY_LOW;
}

/* ---- the record of a case ---- */

struct flag_parts {
    struct gf_reason reasons[REASON_COUNT_MAX];
    uint32_t reason_count;
    struct gf_evidence evidence[REASON_COUNT_MAX];
    uint32_t evidence_count;
    char method[METHOD_SIZE];
};

static void
reason_add(struct flag_parts *parts, const char *code, double value, double limit, double weight)
{
    assert(parts->reason_count < REASON_COUNT_MAX);
    parts->reasons[parts->reason_count++] = (struct gf_reason){
        .code = gf_span_text(code), .value = value, .limit = limit, .weight = weight};
}

static void
evidence_add(struct flag_parts *parts, const char *feature, double value, double baseline,
             const char *unit)
{
    assert(parts->evidence_count < REASON_COUNT_MAX);
    parts->evidence[parts->evidence_count++] =
        (struct gf_evidence){.feature = gf_span_text(feature),
                             .value = value,
                             .baseline = baseline,
                             .unit = gf_span_text(unit)};
}

int64_t
gf_fraud_zero_days_limit(const struct gf_fraud_params *params, int32_t customer_class)
{
    return customer_class == GF_CUSTOMER_CLASS_INDUSTRIAL   ? params->zero_days_industrial
           : customer_class == GF_CUSTOMER_CLASS_COMMERCIAL ? params->zero_days_commercial
                                                            : params->zero_days_residential;
}

/* Whether this very event is the evidence. */
static bool
is_backwards(const struct gf_view *view)
{
    return view->change != NULL && view->change->register_step == GF_REGISTER_BACKWARDS;
}

/* Reason and evidence of one kind, from what the features say now. */
static void
kind_add(const struct gf_view *view, const struct gf_fraud_state *state, int32_t code,
         struct flag_parts *parts)
{
    const struct gf_fraud_params *const params = view->params;
    const struct gf_load *const load = &view->features->load;
    const char *const name = gf_fraud_code_name(code);
    const double weight = kind_weight(params, (size_t)code - 1);
    const int32_t last_day = load->ring_day > 0 ? load->ring_day : 0;
    int32_t count = 0;
    double kwh = 0;
    switch ((enum gf_fraud_code)code) {
    case GF_FRAUD_CODE_REGISTER_BACKWARDS:
        kwh = is_backwards(view) ? (double)view->change->register_delta.micro_kwh / MICRO_PER_KWH
                                 : (double)NAN;
        reason_add(parts, name, kwh, 0, weight);
        evidence_add(parts, "register_delta", kwh, 0, "kWh");
        break;
    case GF_FRAUD_CODE_NO_CONTRACT:
        kwh = gf_fraud_mean_kwh(load, last_day - 6, last_day, &count);
        reason_add(parts, state->disconnected_day != 0 ? "USE_WHILE_DISCONNECTED" : name, kwh,
                   params->use_kwh_per_day, weight);
        evidence_add(parts, "mean_7d", kwh, params->use_kwh_per_day, "kWh/d");
        break;
    case GF_FRAUD_CODE_ZERO_RUN:
        reason_add(
            parts, name, load->zero_days,
            (double)gf_fraud_zero_days_limit(params, view->features->contract.customer_class),
            weight);
        evidence_add(parts, "zero_days", load->zero_days, 0, "d");
        evidence_add(parts, "mean_90d", 0, (double)load->window_mean[GF_WINDOW_90D], "kWh/d");
        break;
    case GF_FRAUD_CODE_OVER_CAPACITY:
        reason_add(parts, name, state->capacity_count, (double)params->capacity_intervals, weight);
        evidence_add(
            parts, "max_kw_30d",
            (double)(load->day_max_kw > load->max_kw_30d ? load->day_max_kw : load->max_kw_30d),
            (double)view->features->contract.capacity_w / 1000.0, "kW");
        break;
    case GF_FRAUD_CODE_BASELINE_DROP:
        kwh = gf_fraud_mean_kwh(load, state->drop_day - 1, last_day, &count);
        reason_add(parts, name, kwh / (double)state->drop_baseline_kwh, params->drop_level, weight);
        evidence_add(parts, "mean_since_change", kwh, (double)state->drop_baseline_kwh, "kWh/d");
        break;
    case GF_FRAUD_CODE_UNKNOWN:
    case GF_FRAUD_CODE_COUNT:
        break;
    }
}

/* Protection stops a disconnection, not the finding: whoever reads the flag must know of both. */
static void
protection_add(const struct gf_view *view, struct flag_parts *parts)
{
    static const int32_t kinds_of_person[] = {
        GF_PROTECTION_KIND_MEDICAL, GF_PROTECTION_KIND_VULNERABLE, GF_PROTECTION_KIND_WINTER,
        GF_PROTECTION_KIND_COLLECTION_HOLD};
    for (size_t i = 0; i < sizeof kinds_of_person / sizeof kinds_of_person[0]; i++) {
        if (gf_contract_is_protected(&view->features->contract, kinds_of_person[i], view->now)) {
            reason_add(parts, "PROTECTED", kinds_of_person[i], (double)NAN, 0);
            break;
        }
    }
    if (gf_account_is_disputed(&view->features->account)) {
        reason_add(parts, "DISPUTED", 1, (double)NAN, 0);
    }
}

static void
method_add(uint8_t codes, char method[METHOD_SIZE])
{
    size_t size = 0;
    for (size_t kind = KIND_COUNT; kind-- > 0;) {
        if ((codes & (1u << kind)) && kinds[kind].method != NULL) {
            size += (size_t)snprintf(method + size, METHOD_SIZE - size, "%s%s",
                                     size > 0 ? " + " : "", kinds[kind].method);
            assert(size < METHOD_SIZE);
        }
    }
    if (size == 0) {
        snprintf(method, METHOD_SIZE, "none");
    }
}

static bool
change_time(const struct gf_view *view, const struct gf_fraud_state *state, int32_t code,
            struct gf_time *out)
{
    const struct gf_load *const load = &view->features->load;
    int32_t day = 0;
    switch ((enum gf_fraud_code)code) {
    case GF_FRAUD_CODE_REGISTER_BACKWARDS:
        *out = view->now;
        return is_backwards(view);
    case GF_FRAUD_CODE_NO_CONTRACT:
        day = state->disconnected_day != 0 ? state->disconnected_day : state->no_contract_day;
        break;
    case GF_FRAUD_CODE_ZERO_RUN:
        day = load->zero_days > 0 ? load->ring_day - load->zero_days + 2 : 0;
        break;
    case GF_FRAUD_CODE_BASELINE_DROP:
        day = state->drop_day;
        break;
    case GF_FRAUD_CODE_OVER_CAPACITY:
    case GF_FRAUD_CODE_UNKNOWN:
    case GF_FRAUD_CODE_COUNT:
        break;
    }
    if (day <= 0) {
        return false;
    }
    *out = gf_day_start(view->zone, day - 1);
    return true;
}

static uint32_t
meter_hash_of(struct gf_span meter_id)
{
    const uint32_t hash = (uint32_t)gf_hash64(meter_id.data, meter_id.size, 0);
    return hash != 0 ? hash : 1;
}

/* The meter of a case: that of the event, else one of the contract's; empty when it has gone from
 * both. */
static struct gf_span
case_meter_id(const struct gf_view *view, const struct gf_fraud_case *open, struct gf_span meter_id)
{
    const struct gf_contract *const contract = &view->features->contract;
    if (meter_hash_of(meter_id) == open->meter_hash) {
        return meter_id;
    }
    for (uint32_t i = 0; i < contract->meter_count; i++) {
        const char *const id = contract->meters[i].id;
        const struct gf_span span = gf_span_of(id, strnlen(id, GF_METER_ID_SIZE));
        if (meter_hash_of(span) == open->meter_hash) {
            return span;
        }
    }
    return (struct gf_span){0};
}

/* `end` is the reason a case closes for, NULL while it is open. */
static enum gf_rc
flag_emit(const struct gf_view *view, const struct gf_fraud_state *state,
          struct gf_fraud_case *open, int32_t code, const char *end, struct gf_span meter_id,
          struct gf_out *out)
{
    const struct gf_fraud_params *const params = view->params;
    const uint8_t codes = gf_fraud_case_codes(open);
    struct flag_parts parts = {.reason_count = 0};
    if (end != NULL) {
        reason_add(&parts, end, (double)params->close_days, (double)NAN, 0);
    }
    kind_add(view, state, code, &parts);
    for (uint8_t rest = codes & (uint8_t)~GF_FRAUD_BIT(code); rest != 0;) {
        const int32_t next = code_first(params, rest);
        kind_add(view, state, next, &parts);
        rest &= (uint8_t)~GF_FRAUD_BIT(next);
    }
    protection_add(view, &parts);
    method_add(codes, parts.method);

    assert(open->version < UINT8_MAX);
    open->version++;
    const double kwh = (double)open->estimated_kwh;
    struct gf_fraud_flag flag = {
        .version = open->version,
        .customer_id = view->entity,
        .meter_id = case_meter_id(view, open, meter_id),
        .code = code,
        .state = end != NULL          ? GF_CASE_STATE_CLOSED
                 : open->version == 1 ? GF_CASE_STATE_OPENED
                                      : GF_CASE_STATE_UPDATED,
        .severity = gf_fraud_case_severity(open),
        .score = gf_fraud_score(params, codes),
        .estimated_micro_kwh = {(int64_t)((kwh < ESTIMATE_KWH_MAX ? kwh : ESTIMATE_KWH_MAX) *
                                          MICRO_PER_KWH)},
        .method = gf_span_text(parts.method),
        .reasons = {parts.reasons, parts.reason_count},
        .evidence = {parts.evidence, parts.evidence_count},
        .decided_at = view->now,
    };
    flag.has_change_at = change_time(view, state, code, &flag.change_at);
    if (!flag.has_change_at) {
        flag.change_at = (struct gf_time){0};
    }
    const struct gf_time opened = {(int64_t)open->opened_minute * GF_US_PER_MINUTE};
    gf_record_id("fraud.case", view->entity, opened, open->meter_hash, flag.case_id);
    gf_record_id("fraud.flags", gf_span_of(flag.case_id, sizeof flag.case_id), opened,
                 open->version, flag.record_id);
    return gf_out_emit(out, GF_TOPIC_FRAUD_FLAGS, &flag);
}

/* ---- the life of a case ---- */

enum gf_rc
gf_fraud_case_close(const struct gf_view *view, struct gf_fraud_state *state,
                    struct gf_fraud_case *open, const char *reason, struct gf_span meter_id,
                    struct gf_out *out)
{
    assert(open->meter_hash != 0);
    const uint8_t codes = gf_fraud_case_codes(open);
    const enum gf_rc rc =
        flag_emit(view, state, open, code_first(view->params, codes), reason, meter_id, out);
    if (codes & GF_FRAUD_BIT(GF_FRAUD_CODE_BASELINE_DROP)) {
        state->drop_day = 0;
    }
    *open = (struct gf_fraud_case){0};
    return rc;
}

/* The open case that evidence belongs to, NULL when there is none. */
static struct gf_fraud_case *
case_find(struct gf_fraud_state *state, uint32_t meter_hash, uint8_t codes)
{
    for (uint32_t i = 0; i < GF_FRAUD_CASE_COUNT_MAX; i++) {
        if ((codes & GF_FRAUD_BITS_OF_USE) &&
            (gf_fraud_case_codes(&state->cases[i]) & GF_FRAUD_BITS_OF_USE)) {
            return &state->cases[i];
        }
    }
    for (uint32_t i = 0; i < GF_FRAUD_CASE_COUNT_MAX; i++) {
        if (state->cases[i].meter_hash == meter_hash) {
            return &state->cases[i];
        }
    }
    return NULL;
}

/* A free place, or that of the oldest case, which is closed: a customer with more suspect meters
 * than a contract can name has exchanged them. */
static enum gf_rc
case_open(const struct gf_view *view, struct gf_fraud_state *state, struct gf_span meter_id,
          struct gf_out *out, struct gf_fraud_case **case_out)
{
    struct gf_fraud_case *place = &state->cases[0];
    for (uint32_t i = 0; i < GF_FRAUD_CASE_COUNT_MAX && place->meter_hash != 0; i++) {
        if (state->cases[i].meter_hash == 0 ||
            state->cases[i].opened_minute < place->opened_minute) {
            place = &state->cases[i];
        }
    }
    if (place->meter_hash != 0) {
        const enum gf_rc rc =
            gf_fraud_case_close(view, state, place, "CASE_DISPLACED", meter_id, out);
        if (rc != GF_OK) {
            return rc;
        }
    }
    *place = (struct gf_fraud_case){
        .meter_hash = meter_hash_of(meter_id),
        .opened_minute = (uint32_t)(view->now.us / GF_US_PER_MINUTE),
    };
    *case_out = place;
    return GF_OK;
}

enum gf_rc
gf_fraud_case_add(const struct gf_view *view, struct gf_fraud_state *state, struct gf_span meter_id,
                  const struct gf_fraud_evidence *evidence, struct gf_out *out)
{
    assert(evidence->codes != 0);
    assert((evidence->codes & ~CODE_BITS) == 0);
    const struct gf_fraud_params *const params = view->params;
    struct gf_fraud_case *open = case_find(state, meter_hash_of(meter_id), evidence->codes);
    if (open == NULL) {
        const enum gf_rc rc = case_open(view, state, meter_id, out, &open);
        if (rc != GF_OK) {
            return rc;
        }
    }
    const uint8_t joined = evidence->codes & (uint8_t)~gf_fraud_case_codes(open);
    open->codes |= joined;
    open->estimated_kwh += (float)evidence->added_kwh;
    open->evidence_day = (uint16_t)evidence->day;
    const int32_t severity = severity_of(params, open);
    const bool is_worse = severity > gf_fraud_case_severity(open);
    if (is_worse) {
        open->codes = (uint8_t)((open->codes & CODE_BITS) | (uint32_t)severity << SEVERITY_SHIFT);
    }
    /* Contracts that come and go can make one kind join again and again; the last version is for
     * the end. */
    if ((joined == 0 && !is_worse) || open->version >= UINT8_MAX - 1) {
        return GF_OK;
    }
    const int32_t code = code_first(params, joined != 0 ? joined : gf_fraud_case_codes(open));
    return flag_emit(view, state, open, code, NULL, meter_id, out);
}
