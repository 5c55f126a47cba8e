/* A small seeded world for the lab: contracts, a month of readings, invoices, payments, prices,
 * supply, a tariff and its controls; some of it late, twice, in conflict, or no record at all. The
 * same seed gives the same log. */
#ifndef GF_TEST_LAB_WORLD_H
#define GF_TEST_LAB_WORLD_H

#include "lab.h"

struct lab_world {
    uint64_t seed;
    uint32_t customers, days;
    int32_t interval_s; /* of the readings */
    bool has_trouble;   /* late, duplicate, conflicting and undecodable records among them */
};

/* Fills the inputs of a lab. */
void lab_world_add(struct lab *lab, const struct lab_world *world);

/* 2026-01-05T00:00:00Z, a Monday. */
#define LAB_WORLD_START ((struct gf_time){INT64_C(1767571200000000)})

/* The pieces, for tests that tell stories of their own. */
void lab_add_plan(struct lab *lab, struct gf_time time);
void lab_add_price(struct lab *lab, struct gf_time published, struct gf_time start,
                   int64_t e8_per_kwh);
void lab_add_supply(struct lab *lab, struct gf_time published, struct gf_time start,
                    int64_t renewable_kw);
void lab_add_contract(struct lab *lab, const char *customer, struct gf_time time);
/* The meter of customer "C" is "M-C". */
struct gf_meter_reading lab_reading(const char *meter, struct gf_time start, int32_t interval_s,
                                    int64_t micro_kwh);
/* Adds it with the time at which its interval ends. */
void lab_add_reading(struct lab *lab, const char *customer, const struct gf_meter_reading *reading);
void lab_add_invoice(struct lab *lab, const char *customer, const char *id, struct gf_time issued,
                     const char *currency);
void lab_add_payment(struct lab *lab, const char *customer, const char *id, struct gf_time received,
                     int64_t micro);

#endif
