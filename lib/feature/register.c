#include <string.h>

#include "feature/reading.h"

#define MICRO_PER_KWH INT64_C(1000000)
/* Rule V07: an advance is plausible up to 1.2 times what the contracted capacity can draw. */
#define CAPACITY_MARGIN_NUMERATOR   6
#define CAPACITY_MARGIN_DENOMINATOR 5
/* Without a contracted capacity: a hundredth of the register. */
#define PLAUSIBLE_PART 100

static void
stand_keep(struct gf_load *load, int32_t meter_index, struct gf_energy stand, struct gf_time time)
{
    load->register_micro_kwh = stand.micro_kwh;
    load->register_s = (uint32_t)(time.us / GF_US_PER_S);
    load->register_meter = (uint8_t)(meter_index + 1);
}

/* 10^digits kWh. */
static int64_t
register_size(const struct gf_meter *meter)
{
    int64_t size = MICRO_PER_KWH;
    for (uint32_t digit = 0; digit < meter->digits; digit++) {
        size *= 10; /* at most 10^18: digits <= 12 */
    }
    return size;
}

/* Whether a stand below the last one can be the same register past its end. */
static bool
is_rollover(const struct gf_contract *contract, const struct gf_meter *meter, int64_t advance,
            int64_t elapsed_us)
{
    if (advance < 0) {
        return false;
    }
    if (contract->capacity_w == 0) {
        return advance <= register_size(meter) / PLAUSIBLE_PART;
    }
    /* micro-kWh x 3,600,000 = W x us */
    const __int128 used =
        (__int128)advance * meter->multiplier * 3600000 * CAPACITY_MARGIN_DENOMINATOR;
    const __int128 possible =
        (__int128)contract->capacity_w * elapsed_us * CAPACITY_MARGIN_NUMERATOR;
    return used <= possible;
}

static enum gf_rc
delta_set(struct gf_change *change, int64_t steps, const struct gf_meter *meter,
          struct gf_error *error)
{
    if (__builtin_mul_overflow(steps, (int64_t)meter->multiplier,
                               &change->register_delta.micro_kwh)) {
        return gf_fail(error, GF_E_RANGE,
                       "energy_micro_kwh: the advance of the register is out of range");
    }
    return GF_OK;
}

/* A stand of the meter that gave the last one. */
static enum gf_rc
stand_follow(struct gf_features *features, int64_t stand, int64_t elapsed_us,
             const struct gf_meter *meter, struct gf_change *change, struct gf_error *error)
{
    const int64_t steps = stand - features->load.register_micro_kwh;
    if (steps >= 0) {
        change->register_step = GF_REGISTER_FORWARD;
        return delta_set(change, steps, meter, error);
    }
    const int64_t advance = steps + register_size(meter);
    if (is_rollover(&features->contract, meter, advance, elapsed_us)) {
        change->register_step = GF_REGISTER_ROLLOVER;
        return delta_set(change, advance, meter, error);
    }
    change->register_step = GF_REGISTER_BACKWARDS;
    return delta_set(change, steps, meter, error);
}

enum gf_rc
gf_register_apply(struct gf_features *features, const struct gf_meter_reading *reading,
                  struct gf_change *change, struct gf_error *error)
{
    struct gf_load *const load = &features->load;
    const struct gf_time time = reading->interval_start;
    const int64_t stand = reading->energy_micro_kwh.micro_kwh;
    const int32_t index = change->meter_index;
    if (index < 0) {
        /* Without a contract nothing is known of the register. */
        change->register_step =
            features->contract.is_known ? GF_REGISTER_UNKNOWN_METER : GF_REGISTER_NONE;
        return GF_OK;
    }
    const struct gf_meter *const meter = &features->contract.meters[index];
    const bool is_same_meter = load->register_meter == index + 1;
    if (load->register_meter != 0 && time.us / GF_US_PER_S <= (int64_t)load->register_s) {
        /* The past is closed: an equal stand is a repetition, an older one says nothing new. */
        const bool is_same_time =
            is_same_meter && time.us / GF_US_PER_S == (int64_t)load->register_s;
        change->outcome = !is_same_time                       ? GF_READING_REGISTER
                          : stand == load->register_micro_kwh ? GF_READING_DUPLICATE
                                                              : GF_READING_KEPT_OLD;
        change->old_value.micro_kwh = is_same_time ? load->register_micro_kwh : 0;
        change->old_value_is_exact = is_same_time;
        return GF_OK;
    }
    enum gf_rc rc = GF_OK;
    const int64_t new_start = load->exchange_new_start_micro_kwh;
    const bool is_announced = new_start != GF_EXCHANGE_NONE;
    if (load->register_meter != 0 && is_announced &&
        (!is_same_meter || stand < load->register_micro_kwh)) {
        change->register_step = GF_REGISTER_EXCHANGED;
        const bool is_start_known = new_start >= 0 && stand >= new_start;
        rc = delta_set(change, is_start_known ? stand - new_start : 0, meter, error);
        load->exchange_new_start_micro_kwh = GF_EXCHANGE_NONE;
    } else if (is_same_meter) {
        rc = stand_follow(features, stand, time.us - (int64_t)load->register_s * GF_US_PER_S, meter,
                          change, error);
    }
    stand_keep(load, index, reading->energy_micro_kwh, time);
    return rc;
}

enum gf_rc
gf_register_exchange(struct gf_features *features, const struct gf_meter_event *event,
                     struct gf_change *change, struct gf_error *error)
{
    if (event->has_new_meter_id &&
        (event->new_meter_id.size == 0 || event->new_meter_id.size >= GF_METER_ID_SIZE)) {
        return gf_fail(error, GF_E_BAD_FIELD, "new_meter_id: must have 1 to %d bytes",
                       GF_METER_ID_SIZE - 1);
    }
    const int64_t start = event->has_new_start_micro_kwh ? event->new_start_micro_kwh.micro_kwh
                                                         : GF_EXCHANGE_START_UNKNOWN;
    if (event->has_new_start_micro_kwh && start < 0) {
        return gf_fail(error, GF_E_BAD_FIELD, "new_start_micro_kwh: %lld is below 0",
                       (long long)start);
    }
    if (event->has_new_meter_id) {
        /* The place of the register's meter may be given to the new one only when it was given up
         * before. */
        const uint8_t kept = features->load.register_meter;
        char id_before[GF_METER_ID_SIZE] = {0};
        if (kept > 0) {
            memcpy(id_before, features->contract.meters[kept - 1].id, sizeof id_before);
        }
        (void)gf_contract_exchange(&features->contract, event->meter_id, event->new_meter_id,
                                   event->occurred_at);
        if (kept > 0 &&
            memcmp(id_before, features->contract.meters[kept - 1].id, sizeof id_before) != 0) {
            features->load.register_meter = 0;
        }
    }
    features->load.exchange_new_start_micro_kwh = start;
    change->meter_exchanged = true;
    return GF_OK;
}
