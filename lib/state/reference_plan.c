#include <assert.h>
#include <string.h>

#include "state/reference_private.h"

#define MINUTES_PER_DAY 1440

/* ---- tariff plans ---- */

static bool
limits_hold(const struct gf_tariff_terms *terms, struct gf_price price)
{
    return reference_price_is_sane(price) && price.e8_per_kwh >= 0 &&
           !(terms->has_floor && price.e8_per_kwh < terms->floor.e8_per_kwh) &&
           !(terms->has_cap && price.e8_per_kwh > terms->cap.e8_per_kwh);
}

static enum gf_rc
band_read(const struct gf_band *record, const struct gf_tariff_terms *terms,
          struct gf_tariff_band *out, struct gf_error *error)
{
    if (record->name <= GF_BAND_NAME_UNKNOWN || record->name >= GF_BAND_NAME_COUNT ||
        record->days <= GF_BAND_DAYS_UNKNOWN || record->days >= GF_BAND_DAYS_COUNT) {
        return gf_fail(error, GF_E_BAD_FIELD, "name, days: unknown");
    }
    if (record->from_minute < 0 || record->from_minute >= record->to_minute ||
        record->to_minute > MINUTES_PER_DAY) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "from_minute %d, to_minute %d: must be 0 <= from < to <= 1440",
                       record->from_minute, record->to_minute);
    }
    if (!limits_hold(terms, record->price_e8_per_kwh)) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "price_e8_per_kwh %lld: negative, or outside the plan's floor and cap",
                       (long long)record->price_e8_per_kwh.e8_per_kwh);
    }
    *out = (struct gf_tariff_band){.name = record->name,
                                   .days = record->days,
                                   .from_minute = (uint16_t)record->from_minute,
                                   .to_minute = (uint16_t)record->to_minute,
                                   .price = record->price_e8_per_kwh};
    return GF_OK;
}

static enum gf_rc
areas_check(const struct gf_tariff_plan *record, struct gf_error *error)
{
    char area_id[GF_AREA_ID_SIZE];
    if (record->areas.count > GF_PLAN_AREA_COUNT_MAX) {
        return gf_fail(error, GF_E_BAD_FIELD, "areas: %u, more than %d", record->areas.count,
                       GF_PLAN_AREA_COUNT_MAX);
    }
    for (uint32_t i = 0; i < record->areas.count; i++) {
        if (!reference_id_copy(area_id, sizeof area_id, record->areas.items[i])) {
            return gf_fail(error, GF_E_BAD_FIELD,
                           "areas[%u]: must have 1 to %d bytes without blanks and '|'", i,
                           GF_AREA_ID_SIZE - 1);
        }
    }
    return GF_OK;
}

static enum gf_rc
texts_read(const struct gf_tariff_plan *record, struct gf_tariff_terms *out, struct gf_error *error)
{
    if (!reference_id_copy(out->tariff_id, sizeof out->tariff_id, record->tariff_id)) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "tariff_id: must have 1 to %d bytes without blanks and '|'",
                       GF_TARIFF_ID_SIZE - 1);
    }
    if (!reference_id_copy(out->zone, sizeof out->zone, record->zone)) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "zone: must have 1 to %d bytes without blanks and '|'", GF_ZONE_ID_SIZE - 1);
    }
    if (!reference_id_copy(out->time_zone, sizeof out->time_zone, record->time_zone)) {
        return gf_fail(error, GF_E_BAD_FIELD, "time_zone: must be an IANA name");
    }
    if (!reference_currency_copy(out->currency, record->currency)) {
        return gf_fail(error, GF_E_BAD_FIELD, "currency: must be three capital letters (ISO 4217)");
    }
    return areas_check(record, error);
}

static enum gf_rc
terms_read(const struct gf_tariff_plan *record, struct gf_tariff_terms *out, struct gf_error *error)
{
    *out = (struct gf_tariff_terms){
        .version = record->version,
        .is_dynamic = record->dynamic,
        .is_protected = record->is_protected,
        .has_floor = record->has_floor_e8_per_kwh,
        .has_cap = record->has_cap_e8_per_kwh,
        .base = record->base_price_e8_per_kwh,
        .floor = record->floor_e8_per_kwh,
        .cap = record->cap_e8_per_kwh,
        .valid_from = record->valid_from,
        .valid_to = record->has_valid_to ? record->valid_to : (struct gf_time){GF_TIME_US_MAX},
    };
    const enum gf_rc rc = texts_read(record, out, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (out->version < 1) {
        return gf_fail(error, GF_E_BAD_FIELD, "version %d: counts from 1", out->version);
    }
    if (!gf_time_is_valid(out->valid_from) || out->valid_to.us <= out->valid_from.us ||
        out->valid_to.us > GF_TIME_US_MAX) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "valid_from, valid_to: must be in order and before 2200");
    }
    if (!reference_price_is_sane(out->floor) || !reference_price_is_sane(out->cap) ||
        (out->has_floor && out->has_cap && out->floor.e8_per_kwh > out->cap.e8_per_kwh)) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "floor_e8_per_kwh, cap_e8_per_kwh: out of range or not in order");
    }
    if (!limits_hold(out, out->base)) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "base_price_e8_per_kwh %lld: negative, or outside the plan's floor and cap",
                       (long long)out->base.e8_per_kwh);
    }
    if (record->bands.count > GF_BAND_COUNT_MAX) {
        return gf_fail(error, GF_E_BAD_FIELD, "bands: %u, more than %d", record->bands.count,
                       GF_BAND_COUNT_MAX);
    }
    for (uint32_t i = 0; i < record->bands.count; i++) {
        const enum gf_rc band_rc = band_read(&record->bands.items[i], out, &out->bands[i], error);
        if (band_rc != GF_OK) {
            return gf_fail_prefix(error, band_rc, "bands[%u]", i);
        }
    }
    out->band_count = record->bands.count;
    return GF_OK;
}

/* Index of the tariff's newest version, or where it would stand. */
static uint32_t
plan_index(const struct gf_reference *reference, struct gf_span tariff_id)
{
    uint32_t low = 0, end = reference->plan_count;
    while (low < end) {
        const uint32_t middle = low + (end - low) / 2;
        if (gf_span_compare(gf_span_text(reference->plans[middle].tariff_id), tariff_id) < 0) {
            low = middle + 1;
        } else {
            end = middle;
        }
    }
    return low;
}

static bool
plan_is_of(const struct gf_reference *reference, uint32_t index, struct gf_span tariff_id)
{
    return index < reference->plan_count &&
           reference_id_equal(reference->plans[index].tariff_id, GF_TARIFF_ID_SIZE, tariff_id);
}

/* A version whose whole validity a newer one covers can never be asked for again. */
static void
plans_forget_covered(struct gf_reference *reference, uint32_t index,
                     const struct gf_tariff_terms *newer)
{
    const struct gf_span tariff_id = gf_span_text(newer->tariff_id);
    while (plan_is_of(reference, index, tariff_id)) {
        const struct gf_tariff_terms *const old = &reference->plans[index];
        if (old->valid_from.us < newer->valid_from.us || old->valid_to.us > newer->valid_to.us) {
            index++;
            continue;
        }
        reference->plan_count--;
        memmove(&reference->plans[index], &reference->plans[index + 1],
                (reference->plan_count - index) * sizeof reference->plans[0]);
    }
}

enum gf_rc
reference_plan_apply(struct gf_reference *reference, const struct gf_tariff_plan *record,
                     enum gf_reference_effect *effect_out, struct gf_error *error)
{
    struct gf_tariff_terms terms;
    const enum gf_rc rc = terms_read(record, &terms, error);
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "tariff plan");
    }
    const uint32_t index = plan_index(reference, record->tariff_id);
    if (plan_is_of(reference, index, record->tariff_id)) {
        if (reference->plans[index].version >= terms.version) {
            return GF_OK;
        }
        plans_forget_covered(reference, index, &terms);
    }
    if (reference->plan_count == GF_PLAN_COUNT_MAX) { /* then nothing was forgotten above either */
        return gf_fail(error, GF_E_FULL, "tariff plan %s: %d plans are known already, no more fit",
                       terms.tariff_id, GF_PLAN_COUNT_MAX);
    }
    memmove(&reference->plans[index + 1], &reference->plans[index],
            (reference->plan_count - index) * sizeof reference->plans[0]);
    reference->plans[index] = terms;
    reference->plan_count++;
    *effect_out = GF_REFERENCE_CHANGED;
    return GF_OK;
}

const struct gf_tariff_terms *
gf_reference_plan(const struct gf_reference *reference, struct gf_span tariff_id,
                  struct gf_time time)
{
    for (uint32_t i = plan_index(reference, tariff_id); plan_is_of(reference, i, tariff_id); i++) {
        const struct gf_tariff_terms *const terms = &reference->plans[i];
        if (time.us >= terms->valid_from.us && time.us < terms->valid_to.us) {
            return terms;
        }
    }
    return NULL;
}

void
gf_tariff_band_at(const struct gf_tariff_terms *plan, uint32_t minute, bool is_weekend,
                  int32_t *name_out, struct gf_price *price_out)
{
    for (uint32_t i = 0; i < plan->band_count; i++) {
        const struct gf_tariff_band *const band = &plan->bands[i];
        const bool is_day =
            band->days == GF_BAND_DAYS_ALL || (band->days == GF_BAND_DAYS_WEEKEND) == is_weekend;
        if (is_day && minute >= band->from_minute && minute < band->to_minute) {
            *name_out = band->name;
            *price_out = band->price;
            return;
        }
    }
    *name_out = GF_BAND_NAME_FLAT;
    *price_out = plan->base;
}

/* ---- controls ---- */

/* Whether what stops `wide` stops `narrow` too. */
static bool
stop_covers(const struct reference_stop *wide, const struct reference_stop *narrow)
{
    return (wide->tariff_id[0] == '\0' ||
            memcmp(wide->tariff_id, narrow->tariff_id, GF_TARIFF_ID_SIZE) == 0) &&
           (wide->area_id[0] == '\0' ||
            memcmp(wide->area_id, narrow->area_id, GF_AREA_ID_SIZE) == 0);
}

/* A RESUME lifts the stops inside its scope, never a wider one: who stopped everything must resume
 * everything. */
static void
stops_lift(struct gf_reference *reference, const struct reference_stop *scope)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < reference->stop_count; i++) {
        if (!stop_covers(scope, &reference->stops[i])) {
            reference->stops[kept++] = reference->stops[i];
        }
    }
    reference->stop_count = kept;
}

enum gf_rc
reference_control_apply(struct gf_reference *reference, const struct gf_control *record,
                        enum gf_reference_effect *effect_out, struct gf_error *error)
{
    struct reference_stop scope = {.tariff_id = ""};
    if (record->has_tariff_id &&
        !reference_id_copy(scope.tariff_id, sizeof scope.tariff_id, record->tariff_id)) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "control: tariff_id must have 1 to %d bytes without blanks and '|'",
                       GF_TARIFF_ID_SIZE - 1);
    }
    if (record->has_area_id &&
        !reference_id_copy(scope.area_id, sizeof scope.area_id, record->area_id)) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "control: area_id must have 1 to %d bytes without blanks and '|'",
                       GF_AREA_ID_SIZE - 1);
    }
    if (record->kind == GF_CONTROL_KIND_RESUME) {
        stops_lift(reference, &scope);
    } else if (record->kind == GF_CONTROL_KIND_KILL_SWITCH ||
               record->kind == GF_CONTROL_KIND_FREEZE) {
        stops_lift(reference, &scope); /* what it covers needs no entry of its own */
        if (reference->stop_count == REFERENCE_STOP_COUNT_MAX) {
            scope = (struct reference_stop){
                .tariff_id = ""}; /* a stop is never lost: with no room, stop all */
            reference->stop_count = 0;
        }
        reference->stops[reference->stop_count++] = scope;
    } else {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "control: kind %d is unknown; nothing was stopped or resumed", record->kind);
    }
    *effect_out = GF_REFERENCE_CHANGED;
    return GF_OK;
}

bool
gf_reference_is_frozen(const struct gf_reference *reference, struct gf_span tariff_id,
                       struct gf_span area_id)
{
    for (uint32_t i = 0; i < reference->stop_count; i++) {
        const struct reference_stop *const stop = &reference->stops[i];
        if ((stop->tariff_id[0] == '\0' ||
             reference_id_equal(stop->tariff_id, GF_TARIFF_ID_SIZE, tariff_id)) &&
            (stop->area_id[0] == '\0' ||
             reference_id_equal(stop->area_id, GF_AREA_ID_SIZE, area_id))) {
            return true;
        }
    }
    return false;
}
