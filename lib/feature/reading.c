#include <math.h>
#include <string.h>

#include "feature/reading.h"

#define DAY_S  86400
#define HOUR_S 3600
/* Slots begin at multiples of their length or, in time zones off the hour, of 5 minutes. */
#define START_STEP_US (5 * GF_US_PER_MINUTE)
/* More than 1e9 kWh in a slot is no customer; keeps every sum of a day inside int64. */
#define ENERGY_MICRO_MAX INT64_C(1000000000000000)
#define PHASE_COUNT_MAX  3
/* Critical error, clock invalid, data not valid, power down. */
#define STATUS_BITS_MASKING 0x87

/* "1-0:1.8.0" and so on: the quantity is between ':' and the first '.', 1 is import. */
static bool
obis_is_import(struct gf_span obis)
{
    static const char usual[] = "1-0:1.8.";
    if (obis.size >= sizeof usual - 1 && memcmp(obis.data, usual, sizeof usual - 1) == 0) {
        return true;
    }
    const uint8_t *const colon = obis.size == 0 ? NULL : memchr(obis.data, ':', obis.size);
    const uint32_t start = colon == NULL ? 0 : (uint32_t)(colon - obis.data) + 1;
    return obis.size >= start + 4 && memcmp(obis.data + start, "1.8.", 4) == 0;
}

static bool
reading_is_masked(const struct gf_meter_reading *reading)
{
    const bool is_measured = reading->quality == GF_READING_QUALITY_ACTUAL ||
                             reading->quality == GF_READING_QUALITY_EDITED;
    return !is_measured || reading->source == GF_READING_SOURCE_ESTIMATE ||
           (reading->status_bits & STATUS_BITS_MASKING) != 0;
}

static enum gf_rc
reading_check(const struct gf_meter_reading *reading, struct gf_error *error)
{
    const int64_t energy = reading->energy_micro_kwh.micro_kwh;
    if (reading->meter_id.size == 0 || reading->meter_id.size >= GF_METER_ID_SIZE) {
        return gf_fail(error, GF_E_BAD_FIELD, "meter_id: must have 1 to %d bytes",
                       GF_METER_ID_SIZE - 1);
    }
    if (energy < 0) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "energy_micro_kwh: %lld is negative; export belongs to 1-0:2.8.0",
                       (long long)energy);
    }
    if (reading->phases.count > PHASE_COUNT_MAX) {
        return gf_fail(error, GF_E_BAD_FIELD, "phases: %u of them; a meter has at most %d",
                       reading->phases.count, PHASE_COUNT_MAX);
    }
    for (uint32_t i = 0; i < reading->phases.count; i++) {
        const struct gf_phase *const phase = &reading->phases.items[i];
        if (!isfinite(phase->voltage_v) || !isfinite(phase->current_a) ||
            !isfinite(phase->power_factor)) {
            return gf_fail(error, GF_E_BAD_FIELD, "phases[%u]: a value is not a finite number", i);
        }
    }
    if (reading->kind == GF_READING_KIND_INTERVAL) {
        const int64_t interval_us = reading->interval_s * GF_US_PER_S;
        if (energy > ENERGY_MICRO_MAX) {
            return gf_fail(error, GF_E_RANGE, "energy_micro_kwh: %lld is more than 1e9 kWh",
                           (long long)energy);
        }
        if (reading->interval_start.us % START_STEP_US != 0 &&
            reading->interval_start.us % interval_us != 0) {
            return gf_fail(error, GF_E_BAD_FIELD,
                           "interval_start: not a multiple of interval_s nor of 5 minutes");
        }
    }
    return GF_OK;
}

/* What is known about the time of a slot: local day and minute, band, night, wholesale price. */
static struct gf_slot
slot_of(const struct gf_features *features, const struct gf_feature_context *context,
        const struct gf_meter_reading *reading, const struct gf_change *change)
{
    const struct gf_time start = reading->interval_start;
    const bool is_daily = reading->interval_s == DAY_S;
    /* A daily value belongs to the local day of its middle, wherever exactly it starts. */
    const struct gf_time place = {is_daily ? start.us + GF_US_PER_DAY / 2 : start.us};
    const int64_t local_s = place.us / GF_US_PER_S + gf_zone_offset(context->zone, place);
    const int64_t day = local_s >= 0 ? local_s / DAY_S : (local_s - DAY_S + 1) / DAY_S;
    struct gf_slot slot = {
        .start = start,
        .interval_s = reading->interval_s,
        .day = (int32_t)day,
        .second_of_day = (int32_t)(local_s - day * DAY_S),
        .energy = reading->energy_micro_kwh,
        .is_masked = change->is_masked,
        .band = GF_BAND_NAME_UNKNOWN,
    };
    if (slot.is_masked || slot.interval_s > HOUR_S) {
        return slot; /* longer slots lie in several bands and prices */
    }
    const uint32_t minute = (uint32_t)slot.second_of_day / 60;
    const int64_t from = context->params->night_from_minute, to = context->params->night_to_minute;
    slot.is_night = from <= to ? minute >= from && minute < to : minute >= from || minute < to;
    if (!change->has_contract || context->reference == NULL) {
        return slot;
    }
    const struct gf_contract *const contract = &features->contract;
    const struct gf_tariff_terms *const terms =
        gf_reference_plan(context->reference, gf_span_text(contract->tariff_id), start);
    if (terms != NULL) {
        struct gf_price price = {0};
        gf_tariff_band_at(terms, minute, gf_weekday_of(slot.day) >= 5, &slot.band, &price);
    }
    const struct gf_price_tick *const tick =
        gf_reference_price(context->reference, gf_span_text(contract->zone), start);
    if (tick != NULL) {
        slot.has_price = true;
        slot.price = (float)((double)tick->price.e8_per_kwh * 1e-8);
    }
    return slot;
}

/* Slots missing between the newest one and this one, which is after it. */
static uint32_t
gap_slots(const struct gf_load *load, const struct gf_slot *slot)
{
    if (load->last_slot_start_us == INT64_MIN ||
        slot->start.us == load->last_slot_start_us + load->interval_s * GF_US_PER_S) {
        return 0;
    }
    if (slot->interval_s == DAY_S && load->interval_s == DAY_S) {
        return (uint32_t)(slot->day - load->day - 1);
    }
    const int64_t missing_us =
        slot->start.us - load->last_slot_start_us - load->interval_s * GF_US_PER_S;
    const int64_t missing = missing_us / (slot->interval_s * GF_US_PER_S);
    return missing < 0 ? 0 : missing < UINT32_MAX ? (uint32_t)missing : UINT32_MAX;
}

static void
slot_take_new(struct gf_features *features, const struct gf_feature_context *context,
              const struct gf_slot *slot, struct gf_change *change)
{
    struct gf_load *const load = &features->load;
    const bool is_newest = slot->start.us > load->last_slot_start_us;
    change->outcome = is_newest ? GF_READING_NEW : GF_READING_LATE_NEW;
    if (is_newest) {
        change->gap_slots = gap_slots(load, slot);
        /* After a change of time zone a newer slot can lie on an older local day, which is closed
         * and stays so. */
        gf_load_day_begin(load, context, slot->day > load->day ? slot->day : load->day, change);
        load->interval_s = slot->interval_s;
        load->last_slot_start_us = slot->start.us;
    }
    gf_load_slot_add(load, context, slot, is_newest);
}

/* A slot that has another value, or the same one in another quality. True when the new one takes
 * its place.
 */
static bool
slot_take_other(struct gf_features *features, const struct gf_slot *slot,
                const struct gf_meter_reading *reading, const struct gf_recent_slot *old,
                struct gf_change *change)
{
    change->old_value = old->value;
    change->old_value_is_exact = old->is_exact;
    change->old_is_masked = old->is_masked;
    const bool is_better = slot->is_masked
                               ? old->is_masked
                               : old->is_masked || reading->quality == GF_READING_QUALITY_ACTUAL;
    if (!is_better || !old->is_known) {
        change->outcome = GF_READING_KEPT_OLD;
        return false;
    }
    change->outcome = GF_READING_REPLACED;
    gf_load_slot_replace(&features->load, slot, old->value, old->is_masked);
    return true;
}

static enum gf_rc
interval_apply(struct gf_features *features, const struct gf_feature_context *context,
               const struct gf_meter_reading *reading, struct gf_change *change,
               struct gf_error *error)
{
    struct gf_load *const load = &features->load;
    const struct gf_slot slot = slot_of(features, context, reading, change);
    const int32_t interval_s = slot.interval_s;
    if (load->interval_s != interval_s && load->last_slot_start_us != INT64_MIN &&
        slot.start.us < load->last_slot_start_us + load->interval_s * GF_US_PER_S) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "interval_start: overlaps a slot of %d s that came before",
                       load->interval_s);
    }
    /* Local days are 23 to 25 hours apart, so daily values are told apart by their day, not by
     * their start.
     */
    const struct gf_time key =
        interval_s == DAY_S ? (struct gf_time){slot.day * GF_US_PER_DAY} : slot.start;
    struct gf_recent_slot old = {0};
    bool is_kept = true;
    switch (gf_recent_find(&features->recent, key, interval_s, slot.energy, &old)) {
    case GF_RECENT_NEW:
        slot_take_new(features, context, &slot, change);
        break;
    case GF_RECENT_SAME:
        change->outcome = GF_READING_DUPLICATE;
        change->old_value = old.value;
        change->old_value_is_exact = true;
        is_kept = old.is_masked && !slot.is_masked &&
                  slot_take_other(features, &slot, reading, &old, change);
        break;
    case GF_RECENT_OTHER:
        is_kept = slot_take_other(features, &slot, reading, &old, change);
        break;
    case GF_RECENT_TOO_OLD:
        return gf_fail(error, GF_E_LATE,
                       "slot is older than the values that are kept to tell it from a duplicate");
    }
    if (is_kept) {
        gf_recent_put(&features->recent, key, interval_s, slot.energy, slot.is_masked);
    }
    return GF_OK;
}

enum gf_rc
gf_reading_apply(struct gf_features *features, const struct gf_feature_context *context,
                 const struct gf_meter_reading *reading, struct gf_change *change,
                 struct gf_error *error)
{
    const bool is_stand = reading->kind == GF_READING_KIND_REGISTER;
    const struct gf_time start = reading->interval_start;
    const struct gf_time end = {is_stand ? start.us : start.us + reading->interval_s * GF_US_PER_S};
    if (!gf_time_is_none(context->shard_time) &&
        end.us < gf_time_sub(context->shard_time, context->params->lateness).us) {
        return gf_fail(error, GF_E_LATE, "ended more than the lateness before shard time");
    }
    change->slot_start = start;
    change->slot_s = is_stand ? 0 : reading->interval_s;
    change->value = reading->energy_micro_kwh;
    change->is_masked = reading_is_masked(reading);
    change->has_contract = gf_contract_is_valid(&features->contract, start);
    change->meter_index = gf_contract_meter(&features->contract, reading->meter_id, start);
    if (!obis_is_import(reading->obis)) {
        change->outcome = GF_READING_EXPORT;
        features->load.exports_seen += features->load.exports_seen < UINT16_MAX ? 1 : 0;
        return GF_OK;
    }
    const enum gf_rc rc = reading_check(reading, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (!is_stand) {
        change->demand_kw =
            (double)reading->energy_micro_kwh.micro_kwh * 1e-6 * HOUR_S / reading->interval_s;
        return interval_apply(features, context, reading, change, error);
    }
    change->outcome = GF_READING_REGISTER;
    if (change->meter_index < 0) { /* the last stand of a meter is at the end of its time */
        change->meter_index = gf_contract_meter(&features->contract, reading->meter_id,
                                                (struct gf_time){start.us - GF_US_PER_S});
    }
    return change->is_masked ? GF_OK : gf_register_apply(features, reading, change, error);
}
