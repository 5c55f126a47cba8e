/* Simulate: a power retailer that does not exist, with its customers, meters, bills and markets,
 * and the truth about each of them. The same seed gives the same bytes on every machine: a value is
 * a function of (seed, customer, time), so more days or more customers leave what was there as it
 * was.
 *
 * A day is local: it has 23, 24 or 25 hours. Records of a partition come in the order of their
 * event time, late ones when they arrive; what would arrive after the last day does not. Memory is
 * bounded by the number of customers. */
#ifndef GF_IO_SIMULATE_H
#define GF_IO_SIMULATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/civil.h"
#include "base/error.h"
#include "model/record.h"
#include "model/records.h"

#define GF_SIMULATE_CUSTOMER_COUNT_MAX 99999999 /* ids have eight digits */
#define GF_SIMULATE_DAY_COUNT_MAX      7320     /* 20 years */

/* What is injected, and told in the truth: one line for each. Readings: a run of one customer's
 * day. */
#define GF_SIMULATE_FACTS(X)                                                                       \
    X(THEFT_SCALE, "theft_scale")   /* the meter counts only a share `alpha` of the use */         \
    X(THEFT_BYPASS, "theft_bypass") /* the meter counts nothing between two hours of every day */  \
    X(THEFT_REGISTER, "theft_register_back") /* the register was set back by `kwh` */              \
    X(VACANT, "vacant")                      /* honest: main switch off, no use */                 \
    X(MISSING, "missing")                    /* readings that never come */                        \
    X(ESTIMATED, "estimated")   /* estimates; `corrected`: the actual values come later */         \
    X(POWER_FAIL, "power_fail") /* zeros that are no zero use, with meter events */                \
    X(STUCK, "stuck")           /* the same value again and again */                               \
    X(CLOCK, "clock")           /* the clock of the meter is not valid */                          \
    X(DUPLICATE, "duplicate")   /* readings sent twice */                                          \
    X(LATE, "late")             /* readings that come late, within 48 hours */                     \
    X(TOO_LATE, "too_late")     /* later than that */                                              \
    X(ROLLOVER, "rollover")     /* the register passed its end */                                  \
    X(EXCHANGE, "exchange")     /* a new meter */                                                  \
    X(PAID_LATE, "paid_late")                                                                      \
    X(PAID_PARTLY, "paid_partly")                                                                  \
    X(UNPAID, "unpaid")                                                                            \
    X(REVERSED, "payment_reversed")                                                                \
    X(AREA_LOSS, "area_loss") /* one line for each area and hour: loss, theft, and what the        \
                                 readings do not say, which add up to the residual */

enum gf_simulate_fact {
#define GF_SIMULATE_FACT_CODE(code, name) GF_FACT_##code,
    GF_SIMULATE_FACTS(GF_SIMULATE_FACT_CODE)
#undef GF_SIMULATE_FACT_CODE
        GF_FACT_COUNT
};
const char *gf_simulate_fact_name(enum gf_simulate_fact fact);

/* Takes a record of an input topic; its offset is -1, its value the Avro body in our own schema. */
struct gf_simulate_target {
    void *context;
    enum gf_rc (*append)(void *context, const struct gf_record *record, struct gf_error *error);
};

struct gf_simulate_summary {
    uint64_t records[GF_TOPIC_COUNT];
    uint64_t record_count;
    uint64_t facts[GF_FACT_COUNT];
    uint32_t day_count; /* finished so far */
};

struct gf_simulate_options {
    uint64_t seed;
    uint32_t customers, days, partitions; /* partitions: of the customer topics */
    int32_t start_day;                    /* first local day, since 1970-01-01 */
    uint32_t interval_s; /* 900, 1,800, 3,600 or 86,400; daily use is billed at the base price */
    const struct gf_zone *zone;      /* of every customer and tariff */
    uint32_t theft_ppm, arrears_ppm; /* share of the customers */
    bool is_plain;                   /* readings alone, without any fault */
    bool with_contracts;             /* plain: contracts, tariffs, prices and supply too */
    bool with_registers;             /* a stand each midnight; never when plain */
    bool with_areas;      /* the transformers' hourly totals; with contracts, and intervals of an
                             hour or less */
    uint32_t headend_ppm; /* share of the customers whose readings come by a head-end, with
                             contracts; a meter exchange is then a second contract too */
    struct gf_simulate_target target;
    FILE *truth; /* NDJSON; borrowed, NULL: none */
    /* Called after every interval; may be NULL. */
    void (*progress)(void *context, const struct gf_simulate_summary *so_far);
    void *progress_context;
};

/* Errors: GF_E_USAGE (an option out of range), GF_E_NO_MEMORY, GF_E_IO (truth), those of the
 * target. */
GF_MUST_USE enum gf_rc gf_simulate(const struct gf_simulate_options *options,
                                   struct gf_simulate_summary *out, struct gf_error *error);

#endif
