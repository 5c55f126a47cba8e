/* What the meter says: the use of each slot, what faults make of it, what thieves make of it, and
 * the register. */
#include <assert.h>

#include "codec/records.h"
#include "io/simulate_private.h"

/* Status bits of a reading. */
#define STATUS_CLOCK_INVALID  0x02
#define STATUS_DATA_NOT_VALID 0x04
#define STATUS_POWER_DOWN     0x80

#define FACTOR_ONE   65536 /* of the noise */
#define SPIKE_PART   32    /* one slot of so many has an appliance that needs much */
#define FEEDER_SHARE 3000  /* of the feeders on a day, in millionths: power fails */
#define TAMPER_EVERY 45    /* days */

/* Faults of a customer's day, in millionths. A run of readings has half a day on average: 2 % of
 * the days are 1 % of the readings. */
static const struct {
    uint32_t share;
    uint8_t fact;
} fault_shares[] = {
    {20000, GF_FACT_MISSING},  {6000, GF_FACT_ESTIMATED}, {8000, GF_FACT_LATE},
    {4000, GF_FACT_DUPLICATE}, {200, GF_FACT_TOO_LATE},   {300, GF_FACT_STUCK},
    {200, GF_FACT_CLOCK},
};

static uint32_t
place_of(const struct sim *sim, const struct sim_customer *customer)
{
    return (uint32_t)(customer - sim->customers);
}

/* What the profile says of a slot. */
static int64_t
slot_expected(const struct sim_customer *customer, const struct sim_slot *slot)
{
    return (customer->day_micro / 1000 * slot->weight[customer->archetype] >> SIM_WEIGHT_BITS) *
           1000;
}

static int64_t
round_wh(int64_t micro)
{
    return (micro + MICRO_PER_WH / 2) / MICRO_PER_WH * MICRO_PER_WH;
}

/* What was used: profile, noise, and now and then a kettle. */
static int64_t
slot_used(const struct sim *sim, const struct sim_customer *customer, const struct sim_slot *slot)
{
    static const struct {
        uint32_t low, span;
        bool has_spikes;
    } noise[SIM_ARCHETYPE_COUNT] = {
        [SIM_EVENING_HOME] = {36000, 52000, true},     [SIM_DAY_HOME] = {36000, 52000, true},
        [SIM_ELECTRIC_HEATING] = {44000, 40000, true}, [SIM_NIGHT_WORKER] = {36000, 52000, true},
        [SIM_PROSUMER] = {36000, 52000, true},         [SIM_SHOP] = {56000, 19000, false},
        [SIM_FACTORY] = {59000, 13000, false},
    };
    const uint64_t bits = sim_draw(sim, SIM_STREAM_NOISE, customer->number,
                                   (uint64_t)(slot->start.us / (300 * GF_US_PER_S)));
    const uint8_t kind = customer->archetype;
    int64_t factor = noise[kind].low + ((bits & 0xffff) * noise[kind].span >> 16);
    if (noise[kind].has_spikes && (bits >> 16) % SPIKE_PART == 0) {
        factor += FACTOR_ONE * 3 / 2;
    }
    /* In Wh, so that no product leaves 64 bits: 8 bits of the weight and 16 of the factor are
     * fractions. */
    const int64_t used = (customer->day_micro / MICRO_PER_WH * slot->weight[kind] >> 16) * factor;
    const int64_t micro = (used + (1 << 23)) / (1 << 24) * MICRO_PER_WH;
    return micro < customer->slot_micro_max
               ? micro
               : customer->slot_micro_max / MICRO_PER_WH * MICRO_PER_WH;
}

/* ---- the day ---- */

static enum gf_rc
event_put(struct sim *sim, uint32_t partition, const struct sim_customer *customer,
          enum gf_meter_event_code code, struct gf_time time)
{
    const struct sim_item item = {.time = time,
                                  .place = place_of(sim, customer),
                                  .kind = SIM_ITEM_EVENT,
                                  .code = (uint8_t)code,
                                  .part = (uint8_t)code,
                                  .generation = customer->meter_generation};
    return sim_put_off(sim, partition, &item);
}

static void
fault_choose(const struct sim *sim, struct sim_customer *customer)
{
    const uint32_t slots = sim->today.slot_count;
    const uint64_t day = (uint64_t)sim->today.day;
    customer->fault = GF_FACT_COUNT;
    const uint32_t feeder = (customer->number - 1) / SIM_FEEDER_SIZE;
    if (sim_below(sim, SIM_STREAM_FEEDER, feeder, day * 2, PPM) < FEEDER_SHARE) {
        const uint64_t bits = sim_draw(sim, SIM_STREAM_FEEDER, feeder, day * 2 + 1);
        customer->fault = GF_FACT_POWER_FAIL;
        customer->fault_slot = (uint16_t)(bits % slots);
        const uint32_t length =
            1 + (uint32_t)((bits >> 32) % (4 * HOUR_S)) / sim->options->interval_s;
        customer->fault_slot_end =
            (uint16_t)(customer->fault_slot + length < slots ? customer->fault_slot + length
                                                             : slots);
        return;
    }
    const uint64_t bits = sim_draw(sim, SIM_STREAM_FAULT, customer->number, day * 2);
    uint32_t left = (uint32_t)((bits & UINT32_MAX) * (uint64_t)PPM >> 32);
    left *= slots == 1 ? 2 : 1; /* a run is then the whole day, not half of it */
    for (uint32_t i = 0; i < sizeof fault_shares / sizeof fault_shares[0]; i++) {
        if (left < fault_shares[i].share) {
            customer->fault = fault_shares[i].fact;
            break;
        }
        left -= fault_shares[i].share;
    }
    if (customer->fault == GF_FACT_COUNT) {
        return;
    }
    const uint64_t more = sim_draw(sim, SIM_STREAM_FAULT, customer->number, day * 2 + 1);
    const uint32_t length = customer->fault == GF_FACT_STUCK ? slots : 1 + (uint32_t)(more % slots);
    const uint32_t first = length == slots ? 0 : (uint32_t)((more >> 16) % (slots - length + 1));
    customer->fault_slot = (uint16_t)first;
    customer->fault_slot_end = (uint16_t)(first + length);
    customer->is_corrected = customer->fault == GF_FACT_ESTIMATED && (more >> 40) % 2 == 0;
    const uint32_t hours = (uint32_t)((more >> 32) % 20);
    customer->fault_delay_s =
        (customer->fault == GF_FACT_TOO_LATE ? 50 + hours : 1 + hours) * HOUR_S;
}

/* Truth of a run, and the events that go with it. */
static enum gf_rc
fault_tell(struct sim *sim, uint32_t partition, const struct sim_customer *customer)
{
    const struct sim_day *day = &sim->today;
    const struct sim_slot *first = &day->slots[customer->fault_slot],
                          *last = &day->slots[customer->fault_slot_end - 1];
    const uint32_t count = (uint32_t)(customer->fault_slot_end - customer->fault_slot);
    const enum gf_simulate_fact fact = (enum gf_simulate_fact)customer->fault;
    if (fact == GF_FACT_ESTIMATED) {
        sim_truth(sim, fact, customer, first->start, ",\"readings\":%u,\"corrected\":%s", count,
                  customer->is_corrected ? "true" : "false");
    } else if (fact == GF_FACT_LATE || fact == GF_FACT_TOO_LATE || fact == GF_FACT_DUPLICATE) {
        sim_truth(sim, fact, customer, first->start, ",\"readings\":%u,\"delay_s\":%u", count,
                  customer->fault_delay_s);
    } else {
        sim_truth(sim, fact, customer, first->start, ",\"readings\":%u", count);
    }
    if (fact == GF_FACT_CLOCK) {
        return event_put(sim, partition, customer, GF_METER_EVENT_CODE_CLOCK_ADJUSTED, last->end);
    }
    if (fact != GF_FACT_POWER_FAIL) {
        return GF_OK;
    }
    const enum gf_rc rc =
        event_put(sim, partition, customer, GF_METER_EVENT_CODE_POWER_DOWN, first->start);
    return rc != GF_OK
               ? rc
               : event_put(sim, partition, customer, GF_METER_EVENT_CODE_POWER_UP, last->end);
}

/* ---- the register ---- */

static int64_t
register_size(const struct sim_customer *customer)
{
    int64_t size = MICRO_PER_KWH;
    for (uint32_t i = 0; i < customer->digits; i++) {
        size *= 10;
    }
    return size;
}

static int64_t
register_stand(const struct sim_customer *customer, int64_t *wraps_out)
{
    const int64_t lsb = customer->multiplier > 1 ? MICRO_PER_WH : 10 * MICRO_PER_WH;
    const int64_t total = customer->register_start + customer->metered_micro / customer->multiplier;
    *wraps_out = total / register_size(customer);
    return total % register_size(customer) / lsb * lsb;
}

/* At the start of the day, when the old meter has said its last. */
static enum gf_rc
meter_exchange(struct sim *sim, uint32_t partition, struct sim_customer *customer)
{
    int64_t wraps = 0;
    const struct sim_item item = {
        .time = {sim->today.start.us + GF_US_PER_S},
        .place = place_of(sim, customer),
        .kind = SIM_ITEM_EVENT,
        .code = GF_METER_EVENT_CODE_EXCHANGE,
        .generation = customer->meter_generation,
        .a = register_stand(customer, &wraps),
        .b = 0,
    };
    customer->meter_generation++;
    customer->register_start = customer->metered_micro = customer->register_wraps = 0;
    sim_truth(sim, GF_FACT_EXCHANGE, customer, item.time,
              ",\"old_end_micro_kwh\":%lld,\"new_start_micro_kwh\":0", (long long)item.a);
    return sim_put_off(sim, partition, &item);
}

static void
register_set_back(struct sim *sim, struct sim_customer *customer)
{
    int64_t wraps = 0;
    const int64_t stand = register_stand(customer, &wraps);
    int64_t back = customer->daily_micro / customer->multiplier * (8 + customer->number % 30);
    back = back > stand / 2 ? stand / 2 : back;
    customer->register_start -= wraps * register_size(customer) + back;
    customer->register_wraps = 0;
    const int64_t kwh = back * customer->multiplier / MICRO_PER_KWH;
    sim_truth(sim, GF_FACT_THEFT_REGISTER, customer, sim->today.start, ",\"kwh\":%lld",
              (long long)kwh);
}

static enum gf_rc
theft_begin(struct sim *sim, uint32_t partition, struct sim_customer *customer)
{
    const struct gf_time from = sim->today.start;
    if (customer->theft == SIM_THEFT_SCALE) {
        sim_truth(sim, GF_FACT_THEFT_SCALE, customer, from, ",\"alpha_ppm\":%u",
                  customer->theft_ppm);
    } else if (customer->theft == SIM_THEFT_BYPASS) {
        sim_truth(sim, GF_FACT_THEFT_BYPASS, customer, from, ",\"from_hour\":%u,\"hours\":%u",
                  customer->bypass_from_hour, customer->bypass_hours);
    }
    if (customer->number % 2 == 0) { /* half of them break the seal where the meter notices */
        return GF_OK;
    }
    const struct gf_time opened = {from.us + 90 * GF_US_PER_MINUTE},
                         closed = {opened.us + 25 * GF_US_PER_MINUTE};
    const enum gf_rc rc =
        event_put(sim, partition, customer, GF_METER_EVENT_CODE_COVER_OPENED, opened);
    return rc != GF_OK
               ? rc
               : event_put(sim, partition, customer, GF_METER_EVENT_CODE_COVER_CLOSED, closed);
}

/* A day ahead: a head-end's readings of the new meter find their customer by the contract that
 * names it. */
static enum gf_rc
contract_put(struct sim *sim, uint32_t partition, const struct sim_customer *customer)
{
    const struct sim_item item = {
        .time = {sim->today.start.us + 10 * GF_US_PER_HOUR},
        .place = place_of(sim, customer),
        .kind = SIM_ITEM_CONTRACT,
        .about = sim->today.end,
    };
    return sim_put_off(sim, partition, &item);
}

enum gf_rc
sim_meter_day(struct sim *sim, uint32_t partition, struct sim_customer *customer)
{
    enum gf_rc rc = GF_OK;
    const int32_t day = sim->today.day;
    if (day == customer->exchange_day) {
        rc = meter_exchange(sim, partition, customer);
    }
    if (rc == GF_OK && customer->is_headend && day == customer->exchange_day - 1) {
        rc = contract_put(sim, partition, customer);
    }
    if (rc == GF_OK && day == customer->theft_day) {
        rc = theft_begin(sim, partition, customer);
    }
    if (customer->theft == SIM_THEFT_REGISTER && day >= customer->theft_day &&
        (day - customer->theft_day) % TAMPER_EVERY == 0) {
        register_set_back(sim, customer);
    }
    fault_choose(sim, customer);
    const bool is_faulty = customer->fault != GF_FACT_COUNT;
    customer->is_special = is_faulty || day >= customer->theft_day || customer->solar_w > 0;
    return rc == GF_OK && is_faulty ? fault_tell(sim, partition, customer) : rc;
}

/* ---- the slot ---- */

static enum gf_rc
reading_emit(struct sim *sim, uint32_t partition, const struct sim_customer *customer,
             const struct sim_slot *slot, int64_t micro, int32_t quality, int32_t status_bits,
             const char *obis)
{
    char id[SIM_ID_SIZE];
    const struct gf_meter_reading reading = {
        .meter_id = gf_span_of(id, sim_id('M', customer->number, customer->meter_generation, id)),
        .obis = gf_span_of(obis, 9),
        .kind = GF_READING_KIND_INTERVAL,
        .interval_start = slot->start,
        .interval_s = (int32_t)sim->options->interval_s,
        .energy_micro_kwh = {micro},
        .quality = quality,
        .status_bits = status_bits,
        .source = quality == GF_READING_QUALITY_ESTIMATED ? GF_READING_SOURCE_ESTIMATE
                                                          : GF_READING_SOURCE_HEADEND,
    };
    return sim_emit_reading(sim, partition, customer, slot->end, &reading);
}

static enum gf_rc
reading_put_off(struct sim *sim, uint32_t partition, const struct sim_customer *customer,
                const struct sim_slot *slot, int64_t micro)
{
    const struct sim_item item = {
        .time = {slot->end.us + customer->fault_delay_s * GF_US_PER_S},
        .place = place_of(sim, customer),
        .kind = SIM_ITEM_READING,
        .generation = customer->meter_generation,
        .about = slot->start,
        .a = micro,
    };
    return sim_put_off(sim, partition, &item);
}

/* What comes of a value when something is wrong in this slot. */
static enum gf_rc
faulty_emit(struct sim *sim, uint32_t partition, struct sim_customer *customer,
            const struct sim_slot *slot, int64_t micro)
{
    static const char import[] = "1-0:1.8.0";
    const int32_t actual = GF_READING_QUALITY_ACTUAL;
    enum gf_rc rc = GF_OK;
    switch (customer->fault) {
    case GF_FACT_MISSING:
        customer->estimated_micro += micro;
        return GF_OK;
    case GF_FACT_ESTIMATED:
        if (customer->is_corrected) {
            rc = reading_put_off(sim, partition, customer, slot, micro);
        } else {
            customer->estimated_micro += micro;
        }
        return rc != GF_OK
                   ? rc
                   : reading_emit(sim, partition, customer, slot,
                                  round_wh(slot_expected(customer, slot)),
                                  GF_READING_QUALITY_ESTIMATED, STATUS_DATA_NOT_VALID, import);
    case GF_FACT_DUPLICATE:
        rc = reading_emit(sim, partition, customer, slot, micro, actual, 0, import);
        return rc != GF_OK ? rc : reading_put_off(sim, partition, customer, slot, micro);
    case GF_FACT_LATE:
    case GF_FACT_TOO_LATE:
        return reading_put_off(sim, partition, customer, slot, micro);
    case GF_FACT_STUCK:
        if (slot->index == customer->fault_slot) {
            customer->fault_micro = micro > 0 ? micro : MICRO_PER_WH;
        }
        return reading_emit(sim, partition, customer, slot, customer->fault_micro, actual, 0,
                            import);
    case GF_FACT_CLOCK:
        return reading_emit(sim, partition, customer, slot, micro, actual, STATUS_CLOCK_INVALID,
                            import);
    default:
        assert(customer->fault == GF_FACT_POWER_FAIL);
    }
    return reading_emit(sim, partition, customer, slot, micro, actual, STATUS_POWER_DOWN, import);
}

/* What the meter counts of what is used, and what of that goes unseen. */
static int64_t
counted_of(const struct sim *sim, const struct sim_customer *customer, const struct sim_slot *slot,
           int64_t used)
{
    if (sim->today.day < customer->theft_day) {
        return used;
    }
    if (customer->theft == SIM_THEFT_SCALE) {
        return used / 1000 * customer->theft_ppm / PPM * 1000;
    }
    const uint32_t hour = (slot->hour + 24 - customer->bypass_from_hour) % 24;
    return customer->theft == SIM_THEFT_BYPASS && hour < customer->bypass_hours ? 0 : used;
}

/* What is taken from the grid, and what goes out. */
static int64_t
taken_of(const struct sim *sim, const struct sim_customer *customer, const struct sim_slot *slot,
         int64_t used, bool is_faulty, int64_t *export_out)
{
    if (is_faulty && customer->fault == GF_FACT_POWER_FAIL) {
        return 0;
    }
    if (customer->solar_w > 0) { /* W x s x ppm / 3.6e6 is micro-kWh */
        const int64_t made =
            (int64_t)customer->solar_w * sim->options->interval_s * slot->solar_ppm / 3600000;
        const int64_t net = used - round_wh(made);
        *export_out = net < 0 ? -net : 0;
        used = net < 0 ? 0 : net;
    }
    return used;
}

/* What the readings of a slot come to in the end, given what the meter counted. */
static int64_t
reported_of(const struct sim_customer *customer, const struct sim_slot *slot, bool is_faulty,
            const struct sim_use *use)
{
    switch (is_faulty ? customer->fault : GF_FACT_COUNT) {
    case GF_FACT_MISSING:
    case GF_FACT_TOO_LATE:
        return 0;
    case GF_FACT_ESTIMATED:
        return customer->is_corrected ? use->counted : round_wh(slot_expected(customer, slot));
    case GF_FACT_DUPLICATE:
    case GF_FACT_LATE:
        return use->counted; /* no export comes with these */
    case GF_FACT_STUCK:
        return customer->fault_micro;
    default:
        return use->counted - use->exported;
    }
}

static void
use_tell(struct sim *sim, const struct sim_customer *customer, const struct sim_slot *slot,
         bool is_faulty, struct sim_use *use)
{
    if (!sim->options->with_areas) {
        return;
    }
    use->reported = reported_of(customer, slot, is_faulty, use);
    use->is_unreported = use->reported != use->counted - use->exported;
    sim_area_add(sim, customer, use);
}

static enum gf_rc
slot_emit(struct sim *sim, uint32_t partition, struct sim_customer *customer,
          const struct sim_slot *slot, const struct sim_use *use, bool is_faulty)
{
    const int32_t actual = GF_READING_QUALITY_ACTUAL;
    if (!is_faulty || customer->fault == GF_FACT_POWER_FAIL || customer->fault == GF_FACT_CLOCK) {
        if (customer->solar_w > 0 && sim->options->interval_s != DAY_S) {
            const enum gf_rc rc =
                reading_emit(sim, partition, customer, slot, use->exported, actual, 0, "1-0:2.8.0");
            if (rc != GF_OK) {
                return rc;
            }
        }
        if (!is_faulty) {
            return reading_emit(sim, partition, customer, slot, use->counted, actual, 0,
                                "1-0:1.8.0");
        }
    }
    return faulty_emit(sim, partition, customer, slot, use->counted);
}

enum gf_rc
sim_meter_slot(struct sim *sim, uint32_t partition, struct sim_customer *customer,
               const struct sim_slot *slot)
{
    struct sim_use use = {.counted = slot_used(sim, customer, slot)};
    if (sim->options->is_plain) {
        use_tell(sim, customer, slot, false, &use);
        return reading_emit(sim, partition, customer, slot, use.counted, GF_READING_QUALITY_ACTUAL,
                            0, "1-0:1.8.0");
    }
    const bool is_faulty = customer->is_special && customer->fault != GF_FACT_COUNT &&
                           slot->index >= customer->fault_slot &&
                           slot->index < customer->fault_slot_end;
    if (customer->is_special) {
        const int64_t taken = taken_of(sim, customer, slot, use.counted, is_faulty, &use.exported);
        use.counted = counted_of(sim, customer, slot, taken);
        use.stolen = taken - use.counted;
    }
    customer->metered_micro += use.counted;
    customer->used_micro[slot->band[customer->plan]] += use.counted;
    const enum gf_rc rc = slot_emit(sim, partition, customer, slot, &use, is_faulty);
    use_tell(sim, customer, slot, is_faulty, &use); /* after it: a stuck value is chosen there */
    return rc;
}

enum gf_rc
sim_meter_stand(struct sim *sim, uint32_t partition, struct sim_customer *customer)
{
    char id[SIM_ID_SIZE];
    int64_t wraps = 0;
    const int64_t stand = register_stand(customer, &wraps);
    if (wraps != customer->register_wraps) {
        customer->register_wraps = wraps;
        sim_truth(sim, GF_FACT_ROLLOVER, customer, sim->today.end, ",\"digits\":%u",
                  customer->digits);
    }
    const struct gf_meter_reading reading = {
        .meter_id = gf_span_of(id, sim_id('M', customer->number, customer->meter_generation, id)),
        .obis = gf_span_text("1-0:1.8.0"),
        .kind = GF_READING_KIND_REGISTER,
        .interval_start = sim->today.end,
        .energy_micro_kwh = {stand},
        .quality = GF_READING_QUALITY_ACTUAL,
        .source = GF_READING_SOURCE_HEADEND,
    };
    return sim_emit_reading(sim, partition, customer,
                            gf_time_max(sim->today.end, sim->emitted_until), &reading);
}
