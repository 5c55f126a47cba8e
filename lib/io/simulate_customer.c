/* Who there is: everything about a customer follows from the seed and the number. */
#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/real.h"
#include "io/simulate_private.h"

/* Draws of a person, by index. Numbers must not change. */
enum {
    DRAW_CLASS,
    DRAW_ARCHETYPE,
    DRAW_SIZE,
    DRAW_PLAN,
    DRAW_AREA,
    DRAW_PROTECTION,
    DRAW_REGISTER,
    DRAW_NEAR_END,
    DRAW_THEFT,
    DRAW_THEFT_KIND,
    DRAW_THEFT_DAY,
    DRAW_THEFT_SHARE,
    DRAW_EXCHANGE,
    DRAW_EXCHANGE_DAY,
    DRAW_PAY,
    DRAW_PAY_KIND,
    DRAW_PAY_DAY,
    DRAW_SOLAR,
    DRAW_VACANT,
    DRAW_VACANT_DAY,
    DRAW_MULTIPLIER,
    DRAW_HEADEND,
};

#define NEVER INT32_MAX
/* Thefts begin here, in days after the start: a thief has an honest past that a detector can have
 * learned. */
#define THEFT_DAY_FIRST 35
#define THEFT_DAY_SPAN  180
#define EXCHANGE_SHARE  50000 /* of the meters in a year, in millionths */
#define VACANT_SHARE    10000
#define VACATION_COUNT  2

static uint32_t
draw(const struct sim *sim, uint32_t number, uint32_t what, uint32_t limit)
{
    return sim_below(sim, SIM_STREAM_PERSON, number, what, limit);
}

static void
archetype_choose(const struct sim *sim, struct sim_customer *out)
{
    static const struct {
        uint32_t percent;
        enum sim_archetype archetype;
    } homes[] = {{45, SIM_EVENING_HOME},
                 {70, SIM_DAY_HOME},
                 {82, SIM_ELECTRIC_HEATING},
                 {88, SIM_NIGHT_WORKER},
                 {100, SIM_PROSUMER}};
    const uint32_t class_draw = draw(sim, out->number, DRAW_CLASS, 100);
    const uint32_t home_draw = draw(sim, out->number, DRAW_ARCHETYPE, 100);
    if (class_draw >= 88) {
        out->customer_class =
            class_draw >= 98 ? GF_CUSTOMER_CLASS_INDUSTRIAL : GF_CUSTOMER_CLASS_COMMERCIAL;
        out->archetype = class_draw >= 98 ? SIM_FACTORY : SIM_SHOP;
        return;
    }
    uint32_t i = 0;
    while (home_draw >= homes[i].percent) {
        i++;
    }
    out->customer_class = GF_CUSTOMER_CLASS_RESIDENTIAL;
    out->archetype = (uint8_t)homes[i].archetype;
}

/* Mean use of a day, log-normal, and a connection that carries it. */
static void
size_choose(const struct sim *sim, struct sim_customer *out)
{
    static const struct {
        double kwh, spread, peak; /* of a day; of its logarithm; demand over mean demand */
    } sizes[SIM_ARCHETYPE_COUNT] = {
        [SIM_EVENING_HOME] = {8.0, 0.42, 8},    [SIM_DAY_HOME] = {9.0, 0.42, 8},
        [SIM_ELECTRIC_HEATING] = {24, 0.30, 8}, [SIM_NIGHT_WORKER] = {7.0, 0.40, 8},
        [SIM_PROSUMER] = {12.0, 0.35, 8},       [SIM_SHOP] = {45.0, 0.70, 5},
        [SIM_FACTORY] = {1100.0, 0.80, 4},
    };
    static const uint32_t capacities_w[] = {8000,   11000,   14500,   22000,  35000,
                                            50000,  80000,   125000,  250000, 400000,
                                            630000, 1000000, 1600000, 2500000};
    const double size = sim_normal(sim, SIM_STREAM_PERSON, out->number, DRAW_SIZE);
    const double clipped = size < -2.5 ? -2.5 : size > 2.5 ? 2.5 : size;
    const double kwh = sizes[out->archetype].kwh * gf_exp(sizes[out->archetype].spread * clipped);
    out->daily_micro = (int64_t)(kwh * 1e6);
    const double peak_w = kwh * 1000 / 24 * sizes[out->archetype].peak;
    uint32_t i = 0;
    while (i + 1 < sizeof capacities_w / sizeof capacities_w[0] && capacities_w[i] < peak_w) {
        i++;
    }
    out->capacity_w = capacities_w[i];
    /* W x s / 3.6 is micro-kWh; an honest customer stays below what is contracted. */
    out->slot_micro_max = (int64_t)out->capacity_w * sim->options->interval_s * 95 / 360;
    out->multiplier =
        out->capacity_w > 125000 ? (draw(sim, out->number, DRAW_MULTIPLIER, 2) == 0 ? 40 : 100) : 1;
    out->solar_w =
        out->archetype == SIM_PROSUMER ? 3000 + 500 * draw(sim, out->number, DRAW_SOLAR, 15) : 0;
}

static void
terms_choose(const struct sim *sim, struct sim_customer *out)
{
    const uint32_t plan_draw = draw(sim, out->number, DRAW_PLAN, 100);
    const uint32_t protection_draw = draw(sim, out->number, DRAW_PROTECTION, 1000);
    out->area = (uint8_t)draw(sim, out->number, DRAW_AREA, SIM_AREA_COUNT);
    if (out->customer_class != GF_CUSTOMER_CLASS_RESIDENTIAL) {
        out->plan =
            out->customer_class == GF_CUSTOMER_CLASS_COMMERCIAL ? SIM_PLAN_SHOP : SIM_PLAN_INDUSTRY;
        return;
    }
    out->plan = plan_draw < 45 ? SIM_PLAN_FLAT : plan_draw < 75 ? SIM_PLAN_TIME : SIM_PLAN_DYNAMIC;
    if (protection_draw < 30) {
        out->protection =
            protection_draw < 25 ? GF_PROTECTION_KIND_VULNERABLE : GF_PROTECTION_KIND_MEDICAL;
        out->plan = SIM_PLAN_CARE;
    }
}

static void
register_choose(const struct sim *sim, struct sim_customer *out)
{
    out->digits = out->customer_class == GF_CUSTOMER_CLASS_RESIDENTIAL ? 5 : 6;
    int64_t size = MICRO_PER_KWH;
    for (uint32_t i = 0; i < out->digits; i++) {
        size *= 10;
    }
    const uint64_t stand =
        gf_random_below(sim->options->seed, sim_stream_of(SIM_STREAM_PERSON, out->number),
                        DRAW_REGISTER, (uint64_t)size * 4 / 5);
    out->register_start = (int64_t)stand;
    if (draw(sim, out->number, DRAW_NEAR_END, 100) == 0) { /* passes its end within the year */
        out->register_start =
            size - out->daily_micro / out->multiplier * (3 + (int64_t)(stand % 200));
        out->register_start = out->register_start < 0 ? 0 : out->register_start;
    }
}

static void
fate_choose(const struct sim *sim, struct sim_customer *out)
{
    const struct gf_simulate_options *options = sim->options;
    const int32_t start = options->start_day;
    const uint32_t number = out->number;
    out->theft_day = out->exchange_day = out->arrears_day = out->vacant_day = NEVER;
    if (draw(sim, number, DRAW_THEFT, PPM) < options->theft_ppm) {
        const uint32_t kind = draw(sim, number, DRAW_THEFT_KIND, 10);
        out->theft = kind < 4                               ? SIM_THEFT_SCALE
                     : kind < 8 || !options->with_registers ? SIM_THEFT_BYPASS
                                                            : SIM_THEFT_REGISTER;
        out->theft_day =
            start + THEFT_DAY_FIRST + (int32_t)draw(sim, number, DRAW_THEFT_DAY, THEFT_DAY_SPAN);
        const uint32_t share = draw(sim, number, DRAW_THEFT_SHARE, 1000);
        out->theft_ppm = 100000 + share * 700;
        out->bypass_from_hour = (uint8_t)(18 + share % 4); /* evening and night */
        out->bypass_hours = (uint8_t)(8 + share % 6);
    } else if (out->customer_class == GF_CUSTOMER_CLASS_RESIDENTIAL &&
               draw(sim, number, DRAW_VACANT, PPM) < VACANT_SHARE) {
        out->vacant_day = start + 30 + (int32_t)draw(sim, number, DRAW_VACANT_DAY, 300);
    }
    if (draw(sim, number, DRAW_EXCHANGE, PPM) < EXCHANGE_SHARE) {
        out->exchange_day = start + 20 + (int32_t)draw(sim, number, DRAW_EXCHANGE_DAY, 345);
    }
    out->pay = draw(sim, number, DRAW_PAY_KIND, 10) < 6 ? SIM_PAY_DEBIT : SIM_PAY_TRANSFER;
    if (draw(sim, number, DRAW_PAY, PPM) < options->arrears_ppm) {
        out->pay = (uint8_t)(SIM_PAY_LATE + draw(sim, number, DRAW_PAY_KIND, 4));
        out->arrears_day = start + (int32_t)draw(sim, number, DRAW_PAY_DAY, 150);
    }
}

static void
customer_make(const struct sim *sim, uint32_t number, struct sim_customer *out)
{
    *out = (struct sim_customer){.number = number, .meter_generation = 1, .fault = GF_FACT_COUNT};
    archetype_choose(sim, out);
    size_choose(sim, out);
    terms_choose(sim, out);
    out->is_headend = draw(sim, number, DRAW_HEADEND, PPM) < sim->options->headend_ppm;
    if (!sim->options->is_plain) {
        register_choose(sim, out);
        fate_choose(sim, out);
    }
}

static uint32_t
partition_of(const struct sim *sim, uint32_t number)
{
    char id[SIM_ID_SIZE];
    const uint32_t size = sim_id('C', number, 0, id);
    return gf_partition_of(gf_span_of(id, size), sim->options->partitions);
}

enum gf_rc
sim_customers_make(struct sim *sim)
{
    const uint32_t count = sim->options->customers, partitions = sim->options->partitions;
    sim->customers = calloc(count, sizeof *sim->customers);
    sim->partition_first = calloc((size_t)partitions + 2, sizeof *sim->partition_first);
    sim->queues = calloc(partitions, sizeof *sim->queues);
    if (sim->customers == NULL || sim->partition_first == NULL || sim->queues == NULL) {
        return gf_fail(sim->error, GF_E_NO_MEMORY, "no memory for %u customers", count);
    }
    /* Counts two places on: each entry then moves up while its partition is filled. */
    for (uint32_t number = 1; number <= count; number++) {
        sim->partition_first[partition_of(sim, number) + 2]++;
    }
    for (uint32_t i = 2; i < partitions + 2; i++) {
        sim->partition_first[i] += sim->partition_first[i - 1];
    }
    for (uint32_t number = 1; number <= count; number++) {
        const uint32_t place = sim->partition_first[partition_of(sim, number) + 1]++;
        customer_make(sim, number, &sim->customers[place]);
    }
    assert(sim->partition_first[partitions] == count);
    return GF_OK;
}

/* A holiday of 3 to 12 days a year, for one in twenty three weeks, and a short one; not all can.
 * The house is then at a sixth of its use. */
static bool
is_away(const struct sim *sim, const struct sim_customer *customer)
{
    const int32_t year = sim->today.day / 365, day = sim->today.day % 365;
    for (uint32_t i = 0; i < VACATION_COUNT; i++) {
        const uint64_t bits = sim_draw(sim, SIM_STREAM_VACATION, customer->number,
                                       (uint64_t)year * VACATION_COUNT + i);
        const uint32_t luck = (uint32_t)(bits >> 48) % 20;
        const int32_t from = (int32_t)(bits % 344), more = (int32_t)((bits >> 32) % 10);
        const int32_t length = luck >= 14 ? 0 : i == 1 ? 2 + more / 2 : luck == 0 ? 21 : 3 + more;
        if (day >= from && day < from + length) {
            return true;
        }
    }
    return false;
}

void
sim_customer_day(struct sim *sim, struct sim_customer *customer)
{
    const int64_t season = sim->today.season_ppm[customer->archetype];
    customer->day_micro = customer->daily_micro / 1000 * season / 1000;
    if (sim->options->is_plain) {
        return;
    }
    const uint64_t bits = sim_draw(sim, SIM_STREAM_DAY, customer->number, (uint64_t)sim->today.day);
    customer->day_micro = customer->day_micro / 1000 * (820 + (int64_t)(bits % 361)) / 1000 * 1000;
    if (customer->customer_class == GF_CUSTOMER_CLASS_RESIDENTIAL && is_away(sim, customer)) {
        customer->day_micro /= 6;
    }
    const int32_t vacant_days = sim->today.day - customer->vacant_day;
    if (vacant_days >= 0 && vacant_days < 10 + (int32_t)(customer->number % 30)) {
        if (vacant_days == 0) {
            sim_truth(sim, GF_FACT_VACANT, customer, sim->today.start, ",\"days\":%u",
                      10 + customer->number % 30);
        }
        customer->day_micro = 0;
    }
}
