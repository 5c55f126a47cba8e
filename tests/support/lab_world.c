#include "lab_world.h"

#include <stdio.h>

#include "base/random.h"
#include "codec/records.h"

#define ZONE         "Z1"
#define TARIFF       "T1"
#define TERM_DAYS    4
#define INVOICE_DAYS 10

void
lab_add_plan(struct lab *lab, struct gf_time time)
{
    static const struct gf_band bands[] = {
        {.name = GF_BAND_NAME_VALLEY,
         .days = GF_BAND_DAYS_ALL,
         .from_minute = 0,
         .to_minute = 360,
         .price_e8_per_kwh = {18000000}},
        {.name = GF_BAND_NAME_PEAK,
         .days = GF_BAND_DAYS_WEEKDAY,
         .from_minute = 1020,
         .to_minute = 1260,
         .price_e8_per_kwh = {36000000}},
    };
    const struct gf_span areas[] = {gf_span_text("A1"), gf_span_text("A2"), gf_span_text("A3")};
    struct gf_tariff_plan plan = {
        .tariff_id = gf_span_text(TARIFF),
        .version = 1,
        .zone = gf_span_text(ZONE),
        .currency = gf_span_text("EUR"),
        .time_zone = gf_span_text("Europe/Berlin"),
        .base_price_e8_per_kwh = {28000000},
        .dynamic = true,
        .valid_from = time,
        .published_at = time,
    };
    plan.areas.items = areas;
    plan.areas.count = 3;
    plan.bands.items = bands;
    plan.bands.count = 2;
    lab_add(lab, GF_TOPIC_TARIFF_PLANS, TARIFF, time, &plan);
}

void
lab_add_price(struct lab *lab, struct gf_time published, struct gf_time start, int64_t e8_per_kwh)
{
    const struct gf_market_price price = {.zone = gf_span_text(ZONE),
                                          .product = GF_MARKET_PRODUCT_DAY_AHEAD,
                                          .interval_start = start,
                                          .interval_s = 3600,
                                          .price_e8_per_kwh = {e8_per_kwh},
                                          .currency = gf_span_text("EUR"),
                                          .published_at = published,
                                          .version = 1};
    lab_add(lab, GF_TOPIC_MARKET_PRICES, ZONE, published, &price);
}

void
lab_add_supply(struct lab *lab, struct gf_time published, struct gf_time start,
               int64_t renewable_kw)
{
    const struct gf_supply_state supply = {.zone = gf_span_text(ZONE),
                                           .interval_start = start,
                                           .interval_s = 3600,
                                           .has_demand_kw = true,
                                           .demand_kw = 50000,
                                           .has_capacity_kw = true,
                                           .capacity_kw = 70000,
                                           .has_renewable_forecast_kw = true,
                                           .renewable_forecast_kw = renewable_kw,
                                           .published_at = published};
    lab_add(lab, GF_TOPIC_SUPPLY_STATE, ZONE, published, &supply);
}

void
lab_add_contract(struct lab *lab, const char *customer, struct gf_time time)
{
    char meter[64];
    snprintf(meter, sizeof(meter), "M-%s", customer);
    const struct gf_contract_meter meters[] = {{.meter_id = gf_span_text(meter),
                                                .digits = 6,
                                                .lsb_micro_kwh = {1000},
                                                .multiplier = 1,
                                                .valid_from = time}};
    struct gf_customer_contract contract = {
        .contract_id = gf_span_text(customer),
        .version = 1,
        .customer_class = GF_CUSTOMER_CLASS_RESIDENTIAL,
        .has_capacity_w = true,
        .capacity_w = 10000,
        .tariff_id = gf_span_text(TARIFF),
        .area_id = gf_span_text("A1"),
        .zone = gf_span_text(ZONE),
        .time_zone = gf_span_text("Europe/Berlin"),
        .currency = gf_span_text("EUR"),
        .valid_from = time,
        .issued_at = time,
    };
    contract.meters.items = meters;
    contract.meters.count = 1;
    lab_add(lab, GF_TOPIC_CUSTOMER_CONTRACTS, customer, time, &contract);
}

struct gf_meter_reading
lab_reading(const char *meter, struct gf_time start, int32_t interval_s, int64_t micro_kwh)
{
    return (struct gf_meter_reading){.meter_id = gf_span_text(meter),
                                     .obis = gf_span_text("1-0:1.8.0"),
                                     .kind = GF_READING_KIND_INTERVAL,
                                     .interval_start = start,
                                     .interval_s = interval_s,
                                     .energy_micro_kwh = {micro_kwh},
                                     .quality = GF_READING_QUALITY_ACTUAL,
                                     .source = GF_READING_SOURCE_HEADEND};
}

void
lab_add_reading(struct lab *lab, const char *customer, const struct gf_meter_reading *reading)
{
    const struct gf_time end = {reading->interval_start.us + reading->interval_s * GF_US_PER_S};
    lab_add(lab, GF_TOPIC_METER_READINGS, customer, end, reading);
}

void
lab_add_invoice(struct lab *lab, const char *customer, const char *id, struct gf_time issued,
                const char *currency)
{
    const struct gf_invoice invoice = {
        .invoice_id = gf_span_text(id),
        .status = GF_INVOICE_STATUS_ISSUED,
        .issued_at = issued,
        .due_at = {issued.us + TERM_DAYS * GF_US_PER_DAY},
        .period_from = {issued.us - INVOICE_DAYS * GF_US_PER_DAY},
        .period_to = issued,
        .amount_micro = {INT64_C(61500000)},
        .currency = gf_span_text(currency),
        .energy_micro_kwh = {INT64_C(220000000)},
    };
    lab_add(lab, GF_TOPIC_BILLING_INVOICES, customer, issued, &invoice);
}

void
lab_add_payment(struct lab *lab, const char *customer, const char *id, struct gf_time received,
                int64_t micro)
{
    const struct gf_payment payment = {.payment_id = gf_span_text(id),
                                       .received_at = received,
                                       .amount_micro = {micro},
                                       .currency = gf_span_text("EUR"),
                                       .method = GF_PAYMENT_METHOD_TRANSFER};
    lab_add(lab, GF_TOPIC_BILLING_PAYMENTS, customer, received, &payment);
}

/* ---- the whole ---- */

struct maker {
    struct lab *lab;
    const struct lab_world *world;
    struct gf_random random;
};

static uint64_t
below(struct maker *maker, uint64_t limit)
{
    return gf_random_below(maker->random.seed, maker->random.stream, maker->random.index++, limit);
}

static void
market_day(struct maker *maker, uint32_t day)
{
    const int64_t start = LAB_WORLD_START.us + day * GF_US_PER_DAY;
    const int64_t published = start - 12 * GF_US_PER_HOUR;
    for (int64_t hour = 0; hour < 24; hour++) {
        const bool is_gap = maker->world->has_trouble && below(maker, 40) == 0;
        const int64_t price = (int64_t)below(maker, 12000000) - 1000000;
        if (!is_gap) {
            lab_add_price(maker->lab, (struct gf_time){published},
                          (struct gf_time){start + hour * GF_US_PER_HOUR}, price);
        }
        lab_add_supply(maker->lab, (struct gf_time){published},
                       (struct gf_time){start + hour * GF_US_PER_HOUR},
                       (int64_t)below(maker, 50000));
    }
    if (day % 9 == 5) {
        const struct gf_control control = {.kind = day % 2 == 0 ? GF_CONTROL_KIND_FREEZE
                                                                : GF_CONTROL_KIND_RESUME,
                                           .issued_at = {start + 7 * GF_US_PER_HOUR},
                                           .issuer = gf_span_text("test"),
                                           .ticket = gf_span_text("1")};
        lab_add(maker->lab, GF_TOPIC_CONTROL, "control", control.issued_at, &control);
    }
}

static void
trouble(struct maker *maker, const char *customer, const struct gf_meter_reading *reading)
{
    static const uint8_t garbage[] = {0, 0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
    struct gf_meter_reading other = *reading;
    switch (below(maker, 200)) {
    case 0: /* twice */
        lab_add_reading(maker->lab, customer, &other);
        break;
    case 1: /* twice, with another value */
        other.energy_micro_kwh.micro_kwh += 250000;
        lab_add_reading(maker->lab, customer, &other);
        break;
    case 2: /* again, much later than allowed */
        other.interval_start.us -= 5 * GF_US_PER_DAY;
        lab_add_reading(maker->lab, customer, &other);
        break;
    case 3:
        lab_add_bytes(maker->lab, GF_TOPIC_METER_READINGS, lab_partition(maker->lab, customer),
                      customer, reading->interval_start, gf_span_of(garbage, sizeof(garbage)));
        break;
    case 4:
        other.meter_id = gf_span_text("M-unknown");
        lab_add_reading(maker->lab, customer, &other);
        break;
    default:
        break;
    }
}

static void
customer_day(struct maker *maker, uint32_t customer, uint32_t day)
{
    char name[32], meter[40], id[48];
    snprintf(name, sizeof(name), "customer-%u", customer);
    snprintf(meter, sizeof(meter), "M-%s", name);
    const int64_t start = LAB_WORLD_START.us + day * GF_US_PER_DAY;
    const int64_t step = maker->world->interval_s * GF_US_PER_S;
    const bool is_thief = customer % 7 == 3 && day > maker->world->days / 2;
    for (int64_t at = start; at < start + GF_US_PER_DAY; at += step) {
        const int64_t whole = 300000 + (int64_t)below(maker, 900000);
        const struct gf_meter_reading reading = lab_reading(
            meter, (struct gf_time){at}, maker->world->interval_s, is_thief ? 0 : whole);
        if (maker->world->has_trouble && below(maker, 150) == 0) {
            continue; /* a gap */
        }
        lab_add_reading(maker->lab, name, &reading);
        if (maker->world->has_trouble) {
            trouble(maker, name, &reading);
        }
    }
    if (day % INVOICE_DAYS == customer % INVOICE_DAYS) {
        snprintf(id, sizeof(id), "I-%u-%u", customer, day);
        lab_add_invoice(maker->lab, name, id, (struct gf_time){start}, "EUR");
    }
    if (day % INVOICE_DAYS == (customer + 5) % INVOICE_DAYS && customer % 3 != 0) {
        snprintf(id, sizeof(id), "P-%u-%u", customer, day);
        lab_add_payment(maker->lab, name, id, (struct gf_time){start + GF_US_PER_HOUR},
                        customer % 3 == 1 ? INT64_C(61500000) : INT64_C(20000000));
    }
}

void
lab_world_add(struct lab *lab, const struct lab_world *world)
{
    struct maker maker = {.lab = lab, .world = world, .random = {.seed = world->seed, .stream = 1}};
    lab_add_plan(lab, (struct gf_time){LAB_WORLD_START.us - 2 * GF_US_PER_DAY});
    for (uint32_t customer = 0; customer < world->customers; customer++) {
        char name[32];
        snprintf(name, sizeof(name), "customer-%u", customer);
        if (!(world->has_trouble && customer % 11 == 10)) { /* one in eleven has no contract */
            lab_add_contract(lab, name, (struct gf_time){LAB_WORLD_START.us - GF_US_PER_DAY});
        }
    }
    for (uint32_t day = 0; day < world->days; day++) {
        market_day(&maker, day);
        for (uint32_t customer = 0; customer < world->customers; customer++) {
            customer_day(&maker, customer, day);
        }
    }
}
