#include "stage_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "codec/records.h"

#define NAME_SIZE 32

void
stage_add_contract(struct lab *lab, const struct stage_contract *contract)
{
    const bool has_to = !gf_time_is_none(contract->to);
    const struct gf_contract_meter meters[] = {{.meter_id = gf_span_text(contract->meter),
                                                .digits = 6,
                                                .lsb_micro_kwh = {1000},
                                                .multiplier = 1,
                                                .valid_from = contract->from}};
    struct gf_customer_contract record = {
        .contract_id = gf_span_text(contract->customer),
        .version = contract->version,
        .customer_class = GF_CUSTOMER_CLASS_RESIDENTIAL,
        .tariff_id = gf_span_text("T1"),
        .area_id = gf_span_text(contract->area),
        .zone = gf_span_text("Z1"),
        .time_zone = gf_span_text("Europe/Berlin"),
        .currency = gf_span_text("EUR"),
        .valid_from = contract->from,
        .has_valid_to = has_to,
        .valid_to = has_to ? contract->to : (struct gf_time){0},
        .issued_at = contract->issued,
    };
    record.meters.items = meters;
    record.meters.count = 1;
    lab_add(lab, GF_TOPIC_CUSTOMER_CONTRACTS, contract->customer, contract->issued, &record);
}

void
stage_add_headend(struct lab *lab, const char *meter, const struct gf_meter_reading *reading)
{
    const struct gf_headend_reading record = {
        .meter_id = gf_span_text(meter),
        .obis = reading->obis,
        .kind = reading->kind,
        .interval_start = reading->interval_start,
        .interval_s = reading->interval_s,
        .energy_micro_kwh = reading->energy_micro_kwh,
        .quality = reading->quality,
        .source = reading->source,
    };
    const struct gf_time end = {reading->interval_start.us + reading->interval_s * GF_US_PER_S};
    lab_add(lab, GF_TOPIC_HEADEND_READINGS, meter, end, &record);
}

void
stage_add_total(struct lab *lab, const char *area, struct gf_time start, int32_t interval_s,
                int64_t micro_kwh)
{
    const struct gf_area_total total = {.meter_id = gf_span_text("transformer"),
                                        .interval_start = start,
                                        .interval_s = interval_s,
                                        .energy_micro_kwh = {micro_kwh}};
    const struct gf_time end = {start.us + interval_s * GF_US_PER_S};
    lab_add(lab, GF_TOPIC_AREA_TOTALS, area, end, &total);
}

uint32_t
stage_balance(const struct lab *lab, const char *area, struct gf_time start,
              struct gf_area_balance *out)
{
    uint32_t versions = 0, newest = 0;
    for (uint32_t i = 0; i < lab_count(lab, GF_TOPIC_AREA_BALANCE); i++) {
        lab_get(lab, GF_TOPIC_AREA_BALANCE, i, out);
        if (gf_span_equal(out->area_id, gf_span_text(area)) && out->interval_start.us == start.us) {
            versions++;
            newest = i;
            assert_int_equal(out->version, versions);
        }
    }
    if (versions == 0) {
        fail_msg("no balance of %s", area);
    }
    lab_get(lab, GF_TOPIC_AREA_BALANCE, newest, out);
    return versions;
}

/* ---- the whole ---- */

struct maker {
    struct lab *lab;
    const struct stage_world *world;
    struct gf_random random;
};

static uint64_t
below(struct maker *maker, uint64_t limit)
{
    return gf_random_below(maker->random.seed, maker->random.stream, maker->random.index++, limit);
}

static void
reading_add(struct maker *maker, uint32_t customer, const struct gf_meter_reading *reading)
{
    char name[NAME_SIZE], meter[NAME_SIZE];
    snprintf(name, sizeof(name), "c%u", customer);
    snprintf(meter, sizeof(meter), "M-c%u", customer);
    if (customer % 2 == 0) {
        lab_add_reading(maker->lab, name, reading);
    } else {
        stage_add_headend(maker->lab, meter, reading);
    }
}

static void
trouble(struct maker *maker, uint32_t customer, const struct gf_meter_reading *reading)
{
    struct gf_meter_reading other = *reading;
    switch (below(maker, 40)) {
    case 0: /* twice */
        reading_add(maker, customer, &other);
        break;
    case 1: /* corrected, a while later */
        other.interval_start.us -= 3 * GF_US_PER_HOUR;
        other.energy_micro_kwh.micro_kwh += 120000;
        reading_add(maker, customer, &other);
        break;
    case 2: /* much too late */
        other.interval_start.us -= 5 * GF_US_PER_DAY;
        reading_add(maker, customer, &other);
        break;
    case 3: /* an estimate, which the actual value replaces */
        other.interval_start.us += reading->interval_s * GF_US_PER_S;
        other.quality = GF_READING_QUALITY_ESTIMATED;
        reading_add(maker, customer, &other);
        break;
    case 4:
        other.obis = gf_span_text("1-0:2.8.0");
        reading_add(maker, customer, &other);
        break;
    case 5:
        stage_add_headend(maker->lab, "M-nobody", &other);
        break;
    default:
        break;
    }
}

static void
interval_add(struct maker *maker, int64_t at)
{
    const struct stage_world *world = maker->world;
    int64_t totals[16] = {0};
    for (uint32_t customer = 0; customer < world->customers; customer++) {
        char meter[NAME_SIZE];
        snprintf(meter, sizeof(meter), "M-c%u", customer);
        const int64_t value = 200000 + (int64_t)below(maker, 600000);
        const struct gf_meter_reading reading =
            lab_reading(meter, (struct gf_time){at}, world->interval_s, value);
        totals[customer % world->areas] += value;
        if (below(maker, 60) != 0) {
            reading_add(maker, customer, &reading);
        }
        trouble(maker, customer, &reading);
    }
    for (uint32_t area = 0; area < world->areas; area++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof(name), "A%u", area);
        const int64_t total = totals[area] + totals[area] / 20;
        const uint64_t what = below(maker, 30);
        if (what != 0) {
            stage_add_total(maker->lab, name, (struct gf_time){at}, world->interval_s, total);
        }
        if (what == 1) { /* corrected, when it has long been closed */
            stage_add_total(maker->lab, name, (struct gf_time){at - 6 * GF_US_PER_HOUR},
                            world->interval_s, total + 1000);
        }
    }
}

void
stage_world_add(struct lab *lab, const struct stage_world *world)
{
    struct maker maker = {.lab = lab, .world = world, .random = {.seed = world->seed, .stream = 3}};
    assert_true(world->areas <= 16);
    const struct gf_time from = {LAB_WORLD_START.us - GF_US_PER_DAY};
    for (uint32_t customer = 0; customer < world->customers; customer++) {
        char name[NAME_SIZE], meter[NAME_SIZE], area[NAME_SIZE];
        snprintf(name, sizeof(name), "c%u", customer);
        snprintf(meter, sizeof(meter), "M-c%u", customer);
        snprintf(area, sizeof(area), "A%u", customer % world->areas);
        struct stage_contract contract = {.customer = name,
                                          .area = area,
                                          .meter = meter,
                                          .version = 1,
                                          .from = from,
                                          .to = GF_TIME_NONE,
                                          .issued = from};
        if (customer % 5 == 4) { /* moves out half-way */
            contract.to.us = LAB_WORLD_START.us + world->days * GF_US_PER_DAY / 2;
        }
        stage_add_contract(lab, &contract);
    }
    const int64_t end = LAB_WORLD_START.us + world->days * GF_US_PER_DAY;
    for (int64_t at = LAB_WORLD_START.us; at < end; at += world->interval_s * GF_US_PER_S) {
        interval_add(&maker, at);
    }
}
