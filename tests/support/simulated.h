/* Simulated worlds for tests: what a run of gf_simulate gave, every record decoded and checked on
 * the way. */
#ifndef GF_TEST_SIMULATED_H
#define GF_TEST_SIMULATED_H

#include "base/hash.h"
#include "codec/records.h"
#include "config/zones.h"
#include "io/simulate.h"

#define PARTITION_COUNT 4
#define CUSTOMER_MAX    4096
#define PLAN_MAX        16

extern struct gf_zones simulated_zones; /* loaded by the test */

struct reading {
    uint32_t customer;
    int64_t start_us, energy;
    int32_t interval_s, kind, quality, status_bits;
    uint8_t generation;
    bool is_export;
};

/* An hour of an area: the total that was sent, and the line of truth about it. */
struct area_hour {
    uint32_t area;
    int64_t start_us, sent, total, loss, theft, unreported;
    uint32_t unreported_count;
};

struct fact {
    uint32_t customer, readings;
    char kind[32];
    int64_t from_us;
};

struct person {
    struct gf_digest digest; /* of all records, in order */
    uint32_t records, digits, multiplier, plan, area, contracts;
    int64_t lsb;
};

struct place {
    struct gf_digest digest, digest_marked;
    uint64_t count, mark;
    int64_t last_us;
};

struct world {
    struct place places[GF_TOPIC_COUNT][PARTITION_COUNT];
    struct person people[CUSTOMER_MAX];
    struct reading *readings;
    struct gf_market_price *prices;
    struct gf_invoice *invoices; /* currency and id are not kept */
    uint32_t *invoice_customers;
    uint32_t reading_count, reading_room, price_count, invoice_count;
    struct gf_tariff_plan plans[PLAN_MAX];
    struct gf_band bands[PLAN_MAX][8];
    char plan_ids[PLAN_MAX][16];
    uint32_t plan_count;
    struct fact *facts;
    uint32_t fact_count;
    struct area_hour *hours;
    uint32_t hour_count, told_count; /* sent; with truth */
    struct gf_simulate_summary summary;
};

/* A run from 2024-03-15 on, with the change of the clocks on day 16: half hours, no thefts, a tenth
 * pays badly. */
struct gf_simulate_options options_of(uint32_t customers, uint32_t days);
/* Fails the test at a record that does not decode, lies on the wrong partition or comes before its
 * time. The digests of each partition are also kept as they were after as many records as `earlier`
 * has (NULL: not). */
struct world *world_make(struct gf_simulate_options options, const struct world *earlier);
void world_free(struct world *world);

bool has_fact(const struct world *world, uint32_t customer, const char *kind);
/* Whether a run of that kind covers the reading. */
bool is_told(const struct world *world, const struct reading *reading, const char *kind);
/* Customers of whom a kind of fact is told, and its lines. */
uint32_t tellings(const struct world *world, const char *kind, uint32_t *lines_out);

/* By customer, channel, kind, start, quality; then the functions below work. */
void readings_sort(struct world *world);
/* Index of the first reading of a customer's import intervals or stands. */
uint32_t readings_find(const struct world *world, uint32_t customer, int32_t kind);
int reading_compare(const void *left_item, const void *right_item);
/* Sum and count of the actual intervals of [from, to), each once. */
int64_t actual_sum(const struct world *world, uint32_t customer, int64_t from_us, int64_t to_us,
                   uint32_t *count_out);

#endif
