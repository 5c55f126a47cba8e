#include <string.h>

#include "base/hash.h"
#include "feature/change.h"
#include "feature/contract.h"

#define METER_DIGITS_MAX     12
#define METER_MULTIPLIER_MAX 1000000
#define CAPACITY_W_MAX       INT64_C(1000000000000)

/* Times of meters and protections are kept in seconds: UINT32_MAX is open, and so is what lies
 * beyond. */
static uint32_t
second_of(struct gf_time time)
{
    const int64_t second = time.us < 0 ? 0 : time.us / GF_US_PER_S;
    return second < UINT32_MAX ? (uint32_t)second : UINT32_MAX;
}

static bool
second_holds(uint32_t from_s, uint32_t to_s, struct gf_time time)
{
    const int64_t second = time.us / GF_US_PER_S;
    return second >= from_s && (to_s == UINT32_MAX || second < to_s);
}

/* Copies a name into a NUL-padded field; a NUL inside would make two names equal. */
static bool
name_copy(char *out, size_t size, struct gf_span name)
{
    if (name.size == 0 || name.size >= size || memchr(name.data, 0, name.size) != NULL) {
        return false;
    }
    memset(out, 0, size);
    memcpy(out, name.data, name.size);
    return true;
}

/* Half-open [from, to) of a record; to is open when it is not there. */
static bool
period_is_good(struct gf_time from, bool has_to, struct gf_time to)
{
    return gf_time_is_valid(from) && (!has_to || (gf_time_is_valid(to) && to.us > from.us));
}

static enum gf_rc
protections_read(struct gf_contract *contract, const struct gf_customer_contract *record,
                 struct gf_error *error)
{
    if (record->protections.count > GF_CONTRACT_PROTECTION_COUNT_MAX) {
        return gf_fail(error, GF_E_FULL, "protections: %u, at most %d fit",
                       record->protections.count, GF_CONTRACT_PROTECTION_COUNT_MAX);
    }
    for (uint32_t i = 0; i < record->protections.count; i++) {
        const struct gf_protection *const from = &record->protections.items[i];
        if (!period_is_good(from->valid_from, from->has_valid_to, from->valid_to)) {
            return gf_fail(error, GF_E_BAD_FIELD,
                           "protections[%u]: valid_from and valid_to are no period", i);
        }
        contract->protections[i] = (struct gf_contract_protection){
            .kind = (uint32_t)from->kind,
            .from_s = second_of(from->valid_from),
            .to_s = from->has_valid_to ? second_of(from->valid_to) : UINT32_MAX,
        };
    }
    contract->protection_count = (uint8_t)record->protections.count;
    return GF_OK;
}

static enum gf_rc
meter_read(struct gf_meter *meter, const struct gf_contract_meter *from, uint32_t index,
           struct gf_error *error)
{
    *meter = (struct gf_meter){
        .multiplier = (uint32_t)from->multiplier,
        .lsb_micro_kwh = (uint32_t)from->lsb_micro_kwh.micro_kwh,
        .from_s = second_of(from->valid_from),
        .to_s = from->has_valid_to ? second_of(from->valid_to) : UINT32_MAX,
        .digits = (uint8_t)from->digits,
    };
    if (!name_copy(meter->id, sizeof meter->id, from->meter_id)) {
        return gf_fail(error, GF_E_BAD_FIELD, "meters[%u].meter_id: must have 1 to %d bytes", index,
                       GF_METER_ID_SIZE - 1);
    }
    if (from->digits < 1 || from->digits > METER_DIGITS_MAX) {
        return gf_fail(error, GF_E_BAD_FIELD, "meters[%u].digits: %d is not in 1..%d", index,
                       from->digits, METER_DIGITS_MAX);
    }
    if (from->multiplier < 1 || from->multiplier > METER_MULTIPLIER_MAX) {
        return gf_fail(error, GF_E_BAD_FIELD, "meters[%u].multiplier: %d is not in 1..%d", index,
                       from->multiplier, METER_MULTIPLIER_MAX);
    }
    if (from->lsb_micro_kwh.micro_kwh < 0 || from->lsb_micro_kwh.micro_kwh > UINT32_MAX) {
        return gf_fail(error, GF_E_BAD_FIELD, "meters[%u].lsb_micro_kwh: %lld is not in 0..%u",
                       index, (long long)from->lsb_micro_kwh.micro_kwh, UINT32_MAX);
    }
    if (!period_is_good(from->valid_from, from->has_valid_to, from->valid_to)) {
        return gf_fail(error, GF_E_BAD_FIELD, "meters[%u]: valid_from and valid_to are no period",
                       index);
    }
    return GF_OK;
}

static enum gf_rc
meters_read(struct gf_contract *contract, const struct gf_customer_contract *record,
            struct gf_error *error)
{
    if (record->meters.count > GF_CONTRACT_METER_COUNT_MAX) {
        return gf_fail(error, GF_E_FULL, "meters: %u, at most %d fit", record->meters.count,
                       GF_CONTRACT_METER_COUNT_MAX);
    }
    for (uint32_t i = 0; i < record->meters.count; i++) {
        const enum gf_rc rc = meter_read(&contract->meters[i], &record->meters.items[i], i, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    contract->meter_count = (uint8_t)record->meters.count;
    return GF_OK;
}

static enum gf_rc
names_read(struct gf_contract *contract, const struct gf_customer_contract *record,
           struct gf_error *error)
{
    const struct {
        const char *field;
        char *out;
        size_t size;
        struct gf_span name;
    } names[] = {
        {"tariff_id", contract->tariff_id, sizeof contract->tariff_id, record->tariff_id},
        {"area_id", contract->area_id, sizeof contract->area_id, record->area_id},
        {"zone", contract->zone, sizeof contract->zone, record->zone},
        {"currency", contract->currency, sizeof contract->currency, record->currency},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!name_copy(names[i].out, names[i].size, names[i].name)) {
            return gf_fail(error, GF_E_BAD_FIELD, "%s: must have 1 to %zu bytes", names[i].field,
                           names[i].size - 1);
        }
    }
    return GF_OK;
}

/* Everything of the record, checked. */
static enum gf_rc
contract_read(struct gf_contract *contract, const struct gf_customer_contract *record,
              struct gf_error *error)
{
    *contract = (struct gf_contract){
        .valid_from_us = record->valid_from.us,
        .valid_to_us = record->has_valid_to ? record->valid_to.us : GF_TIME_US_MAX,
        .capacity_w = record->has_capacity_w ? record->capacity_w : 0,
        .version = record->version,
        .is_known = 1,
        .customer_class = (uint8_t)record->customer_class,
        .export_permit = record->export_permit,
        .time_zone_hash =
            record->time_zone.size == 0
                ? 0
                : (uint32_t)gf_hash64(record->time_zone.data, record->time_zone.size, 0),
    };
    if (!period_is_good(record->valid_from, record->has_valid_to, record->valid_to)) {
        return gf_fail(error, GF_E_BAD_FIELD, "valid_from and valid_to are no period");
    }
    if (contract->capacity_w < 0 || contract->capacity_w > CAPACITY_W_MAX) {
        return gf_fail(error, GF_E_BAD_FIELD, "capacity_w: %lld is out of range",
                       (long long)contract->capacity_w);
    }
    enum gf_rc rc = names_read(contract, record, error);
    rc = rc == GF_OK ? protections_read(contract, record, error) : rc;
    return rc == GF_OK ? meters_read(contract, record, error) : rc;
}

enum gf_rc
gf_contract_apply(struct gf_contract *contract, const struct gf_customer_contract *record,
                  struct gf_change *change, struct gf_error *error)
{
    struct gf_contract fresh;
    const enum gf_rc rc = contract_read(&fresh, record, error);
    if (rc != GF_OK || (contract->is_known && record->version < contract->version)) {
        return rc;
    }
    const bool joins = contract->is_known && contract->valid_to_us >= fresh.valid_from_us;
    if (joins && contract->valid_from_us < fresh.valid_from_us) {
        fresh.valid_from_us = contract->valid_from_us;
    }
    fresh.in_area = contract->in_area;
    change->contract_changed = memcmp(contract, &fresh, sizeof fresh) != 0;
    *contract = fresh;
    return GF_OK;
}

bool
gf_contract_exchange(struct gf_contract *contract, struct gf_span old_id, struct gf_span new_id,
                     struct gf_time at)
{
    assert(new_id.size > 0 && new_id.size < GF_METER_ID_SIZE);
    const struct gf_time before = {at.us - 1};
    const int32_t old_index = gf_contract_meter(contract, old_id, before);
    if (gf_contract_meter(contract, new_id, at) >= 0) {
        return true;
    }
    if (old_index < 0) {
        return false;
    }
    struct gf_meter fresh = contract->meters[old_index];
    (void)name_copy(fresh.id, sizeof fresh.id, new_id);
    fresh.from_s = second_of(at);
    contract->meters[old_index].to_s = fresh.from_s;
    /* Where all places are taken, the meter that ended first makes room. */
    uint32_t place = contract->meter_count;
    if (place == GF_CONTRACT_METER_COUNT_MAX) {
        place = 0;
        for (uint32_t i = 1; i < GF_CONTRACT_METER_COUNT_MAX; i++) {
            place = contract->meters[i].to_s < contract->meters[place].to_s ? i : place;
        }
    } else {
        contract->meter_count++;
    }
    contract->meters[place] = fresh;
    return true;
}

bool
gf_contract_is_valid(const struct gf_contract *contract, struct gf_time time)
{
    return contract->is_known && time.us >= contract->valid_from_us &&
           time.us < contract->valid_to_us;
}

bool
gf_contract_is_protected(const struct gf_contract *contract, int32_t kind, struct gf_time time)
{
    assert(contract->protection_count <= GF_CONTRACT_PROTECTION_COUNT_MAX);
    for (uint32_t i = 0; i < contract->protection_count; i++) {
        const struct gf_contract_protection *const protection = &contract->protections[i];
        if (protection->kind == (uint32_t)kind &&
            second_holds(protection->from_s, protection->to_s, time)) {
            return true;
        }
    }
    return false;
}

int32_t
gf_contract_meter(const struct gf_contract *contract, struct gf_span meter_id, struct gf_time time)
{
    assert(contract->meter_count <= GF_CONTRACT_METER_COUNT_MAX);
    if (meter_id.size == 0 || meter_id.size >= GF_METER_ID_SIZE) {
        return -1;
    }
    for (uint32_t i = 0; i < contract->meter_count; i++) {
        const struct gf_meter *const meter = &contract->meters[i];
        if (memcmp(meter->id, meter_id.data, meter_id.size) == 0 && meter->id[meter_id.size] == 0 &&
            second_holds(meter->from_s, meter->to_s, time)) {
            return (int32_t)i;
        }
    }
    return -1;
}
