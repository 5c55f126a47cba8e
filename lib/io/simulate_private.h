/* The parts of the simulator: day (weather, calendar, tables), customer (who there is), load (how
 * much each uses), meter (what the meter says of it), bill (invoices and payments), market (prices
 * and supply), area (what transformers gave), emit (records and truth). */
#ifndef GF_IO_SIMULATE_PRIVATE_H
#define GF_IO_SIMULATE_PRIVATE_H

#include "base/random.h"
#include "io/simulate.h"
#include "io/simulate_queue.h"

#define MICRO_PER_WH  INT64_C(1000)
#define MICRO_PER_KWH INT64_C(1000000)
#define PPM           INT64_C(1000000)
#define HOUR_S        3600
#define DAY_S         86400

#define SIM_SLOT_COUNT_MAX 100 /* quarter-hours of a day of 25 hours */
#define SIM_WEIGHT_BITS    24  /* profile weights of a working day add up to 1 << 24 */
#define SIM_AREA_COUNT     12
#define SIM_FEEDER_SIZE    64 /* customers that lose power together */
#define SIM_BAND_COUNT_MAX 4
#define SIM_MARKET_ZONE    "DE-LU"
#define SIM_CURRENCY       "EUR"

/* A stream for each kind of draw. Numbers must not change: they are part of what a seed gives. */
enum sim_stream {
    SIM_STREAM_PERSON = 1,
    SIM_STREAM_NOISE,
    SIM_STREAM_DAY,
    SIM_STREAM_FAULT,
    SIM_STREAM_FEEDER,
    SIM_STREAM_VACATION,
    SIM_STREAM_PAY,
    SIM_STREAM_WEATHER,
    SIM_STREAM_MARKET,
    SIM_STREAM_FUTURE,
    SIM_STREAM_AREA,
};

enum sim_archetype {
    SIM_EVENING_HOME,
    SIM_DAY_HOME,
    SIM_ELECTRIC_HEATING,
    SIM_NIGHT_WORKER,
    SIM_PROSUMER,
    SIM_SHOP,
    SIM_FACTORY,
    SIM_ARCHETYPE_COUNT
};

enum sim_plan {
    SIM_PLAN_FLAT,
    SIM_PLAN_TIME,
    SIM_PLAN_DYNAMIC,
    SIM_PLAN_CARE,
    SIM_PLAN_SHOP,
    SIM_PLAN_INDUSTRY,
    SIM_PLAN_COUNT
};

enum sim_pay {
    SIM_PAY_DEBIT,
    SIM_PAY_TRANSFER,
    SIM_PAY_LATE,
    SIM_PAY_PARTLY,
    SIM_PAY_NEVER,
    SIM_PAY_REVERSED
};

enum sim_theft { SIM_HONEST, SIM_THEFT_SCALE, SIM_THEFT_BYPASS, SIM_THEFT_REGISTER };

struct sim_customer {
    uint32_t number; /* from 1 */
    uint32_t capacity_w;
    uint32_t multiplier;
    uint8_t archetype, customer_class, plan, area;
    uint8_t digits, pay, theft, meter_generation;
    uint8_t protection; /* enum gf_protection_kind; UNKNOWN: none */
    uint8_t bypass_from_hour, bypass_hours;
    bool is_headend;    /* a head-end sends its readings, by meter */
    bool is_special;    /* today: a fault, a theft or an export; else the meter says what is */
    uint32_t theft_ppm; /* share that the meter still counts */
    int32_t theft_day, exchange_day, arrears_day,
        vacant_day; /* days after 1970; INT32_MAX: never */
    uint32_t solar_w;

    int64_t daily_micro;    /* mean use of a day */
    int64_t day_micro;      /* today's */
    int64_t slot_micro_max; /* what the connection can carry */
    int64_t register_start,
        metered_micro; /* stand when the meter came; counted since, multiplier applied */
    int64_t register_wraps;
    int64_t used_micro[SIM_BAND_COUNT_MAX]; /* since the last invoice */
    int64_t estimated_micro;
    /* today's fault */
    uint8_t fault; /* enum gf_simulate_fact; GF_FACT_COUNT: none */
    uint8_t is_corrected;
    uint16_t fault_slot, fault_slot_end;
    uint32_t fault_delay_s;
    int64_t fault_micro;
};

struct sim_slot {
    struct gf_time start, end;
    uint32_t hour;  /* local */
    uint32_t index; /* in the day */
    int32_t weight[SIM_ARCHETYPE_COUNT];
    uint8_t band[SIM_PLAN_COUNT];
    int32_t solar_ppm; /* sim_solar_ppm in its middle */
};

struct sim_day {
    int32_t day;
    bool is_weekend;
    struct gf_time start, end;
    double temperature, cloud, wind; /* Celsius; 0..1; GW */
    int32_t season_ppm[SIM_ARCHETYPE_COUNT];
    uint32_t slot_count;
    struct sim_slot slots[SIM_SLOT_COUNT_MAX];
};

/* What became of a customer's energy in a slot, in micro-kWh. */
struct sim_use {
    int64_t counted, exported; /* by the meter */
    int64_t stolen;            /* used, and not counted */
    int64_t reported;          /* what the readings say in the end: import less export */
    bool is_unreported;        /* that is not what the meter counted */
};

/* Of an hour so far. */
struct sim_area {
    int64_t metered_micro; /* import less export */
    int64_t taken_micro;   /* what the grid brought to the customers, stolen or not */
    int64_t stolen_micro, reported_micro;
    uint32_t unreported, values;
};

struct sim {
    const struct gf_simulate_options *options;
    struct gf_simulate_summary summary;
    struct gf_error *error;
    struct sim_customer *customers; /* by partition, then by number */
    uint32_t *partition_first;      /* [partitions + 1] */
    struct sim_queue *queues;       /* [partitions] */
    struct sim_day today;
    struct gf_time emitted_until; /* record timestamps never go back; a daily value of a day of 23
                                     hours ends after it */
    struct gf_time bill_from;     /* start of the period that runs */
    int32_t *weights;             /* [archetype][day type][slot of 24 h] */
    uint32_t weight_count;
    struct sim_area areas[SIM_AREA_COUNT];
};

static inline uint64_t
sim_stream_of(enum sim_stream stream, uint32_t who)
{
    return (uint64_t)stream << 32 | who;
}

static inline uint64_t
sim_draw(const struct sim *sim, enum sim_stream stream, uint32_t who, uint64_t index)
{
    return gf_random_u64(sim->options->seed, sim_stream_of(stream, who), index);
}

static inline uint32_t
sim_below(const struct sim *sim, enum sim_stream stream, uint32_t who, uint64_t index,
          uint32_t limit)
{
    return (uint32_t)gf_random_below(sim->options->seed, sim_stream_of(stream, who), index, limit);
}

static inline double
sim_normal(const struct sim *sim, enum sim_stream stream, uint32_t who, uint64_t index)
{
    return gf_random_normal(sim->options->seed, sim_stream_of(stream, who), index);
}

/* simulate_day.c: weights, weather and the slots of a local day. */
GF_MUST_USE enum gf_rc sim_weights_make(struct sim *sim);
void sim_day_make(const struct sim *sim, int32_t day, struct sim_day *out);
/* Output of a solar module in millionths of its power, at a second of the local day. */
int32_t sim_solar_ppm(const struct sim_day *day, int32_t second);

/* simulate_customer.c */
GF_MUST_USE enum gf_rc sim_customers_make(struct sim *sim);
/* Who uses how much today, and who is away. */
void sim_customer_day(struct sim *sim, struct sim_customer *customer);

/* simulate_meter.c: today's faults, thefts and exchanges; a slot; the stand at the end of the day.
 */
GF_MUST_USE enum gf_rc sim_meter_day(struct sim *sim, uint32_t partition,
                                     struct sim_customer *customer);
GF_MUST_USE enum gf_rc sim_meter_slot(struct sim *sim, uint32_t partition,
                                      struct sim_customer *customer, const struct sim_slot *slot);
GF_MUST_USE enum gf_rc sim_meter_stand(struct sim *sim, uint32_t partition,
                                       struct sim_customer *customer);

/* simulate_bill.c: the invoice of the period that ended with yesterday, and what the customer does
 * about it. */
GF_MUST_USE enum gf_rc sim_bill_month(struct sim *sim, uint32_t partition,
                                      struct sim_customer *customer);

/* simulate_market.c */
const struct gf_tariff_plan *sim_plan_get(enum sim_plan plan);
/* Index among the plan's prices: its bands, and then the base price. */
uint32_t sim_plan_band(enum sim_plan plan, uint32_t minute, bool is_weekend);
struct gf_price sim_plan_price(enum sim_plan plan, uint32_t band);
GF_MUST_USE enum gf_rc sim_plans_publish(struct sim *sim);
/* Prices and forecasts of tomorrow, and supply as it was, of a day. The day before the first:
 * `only_ahead`. */
GF_MUST_USE enum gf_rc sim_market_day(struct sim *sim, int32_t day, bool only_ahead);

/* simulate_area.c */
#define SIM_AREA_ID_SIZE 16
struct gf_span sim_area_id(uint32_t area, char out[SIM_AREA_ID_SIZE]);
void sim_area_add(struct sim *sim, const struct sim_customer *customer, const struct sim_use *use);
/* The totals of the hour that ends there; nothing when none does. */
GF_MUST_USE enum gf_rc sim_areas_hour(struct sim *sim, struct gf_time end);

/* simulate_emit.c */
GF_MUST_USE enum gf_rc sim_emit(struct sim *sim, enum gf_topic topic, uint32_t partition,
                                struct gf_span key, struct gf_time timestamp, const void *body);
#define SIM_ID_SIZE 24
/* 'C' "C00000001", 'M' "M00000001-1" of the generation given. Returns the length; no NUL. */
uint32_t sim_id(char kind, uint32_t number, uint32_t generation, char out[SIM_ID_SIZE]);
GF_MUST_USE enum gf_rc sim_emit_reading(struct sim *sim, uint32_t partition,
                                        const struct sim_customer *customer, struct gf_time arrival,
                                        const struct gf_meter_reading *reading);
GF_MUST_USE enum gf_rc sim_emit_contract(struct sim *sim, uint32_t partition,
                                         const struct sim_customer *customer,
                                         struct gf_time issued_at);
/* What was put off until `time`, in order. */
GF_MUST_USE enum gf_rc sim_emit_due(struct sim *sim, uint32_t partition, struct gf_time time);
/* Keeps `item` for the partition until its time. */
GF_MUST_USE enum gf_rc sim_put_off(struct sim *sim, uint32_t partition,
                                   const struct sim_item *item);
/* Adds a line of truth; `format` gives the parameters, each `,"name":value`. */
void sim_truth(struct sim *sim, enum gf_simulate_fact fact, const struct sim_customer *customer,
               struct gf_time from, const char *format, ...) GF_PRINTF(5, 6);

#endif
