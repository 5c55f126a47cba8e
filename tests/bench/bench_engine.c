/* What a reading costs in the engine alone: many customers, all hot, in scattered order, no log and
 * no store. bench_engine [CUSTOMERS [SLOTS]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/config.h"
#include "engine/engine.h"
#include "io/memory_map.h"

#define START_US (INT64_C(1704067200) * GF_US_PER_S) /* 2024-01-01 */

struct bench {
    struct gf_engine *engine;
    struct gf_batch_event *events;
    struct gf_meter_reading *readings;
    struct gf_record *records;
    char (*keys)[16];
    uint32_t customers;
    int64_t batch;
};

static double
now_s(void)
{
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void
event_set(struct bench *bench, uint32_t at, uint32_t customer, int64_t slot, int32_t interval_s)
{
    struct gf_meter_reading *reading = &bench->readings[at];
    const struct gf_time start = {START_US + slot * interval_s * GF_US_PER_S};
    *reading = (struct gf_meter_reading){
        .meter_id = gf_span_text(bench->keys[customer]),
        .obis = gf_span_text("1-0:1.8.0"),
        .kind = GF_READING_KIND_INTERVAL,
        .interval_start = start,
        .interval_s = interval_s,
        .energy_micro_kwh = {200000 + (int64_t)(customer * 2654435761u % 100000) +
                             slot % 48 * 1000},
        .quality = GF_READING_QUALITY_ACTUAL,
        .source = GF_READING_SOURCE_HEADEND,
    };
    const struct gf_time end = {start.us + interval_s * GF_US_PER_S};
    bench->records[at] = (struct gf_record){.topic = GF_TOPIC_METER_READINGS, .timestamp = end};
    bench->events[at] =
        (struct gf_batch_event){.event = {.topic = GF_TOPIC_METER_READINGS,
                                          .offset = bench->batch * GF_BATCH_COUNT_MAX + at,
                                          .event_time = end,
                                          .key = gf_span_text(bench->keys[customer]),
                                          .body = reading,
                                          .record = &bench->records[at]}};
}

static void
fold(struct bench *bench, uint32_t count)
{
    struct gf_error error;
    struct gf_effects effects;
    const struct gf_batch batch = {.number = ++bench->batch,
                                   .shard_time = gf_engine_shard_time(bench->engine),
                                   .events = bench->events,
                                   .event_count = count};
    if (gf_engine_fold(bench->engine, &batch, false, &effects, &error) != GF_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
}

/* One slot of every customer, in an order that jumps through memory. */
static void
slot_fold(struct bench *bench, int64_t slot, int32_t interval_s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < bench->customers; i++) {
        const uint32_t customer = (uint32_t)(((uint64_t)i * 7919) % bench->customers);
        event_set(bench, count++, customer, slot, interval_s);
        if (count == GF_BATCH_COUNT_MAX || i + 1 == bench->customers) {
            fold(bench, count);
            count = 0;
        }
    }
}

int
main(int argc, char **argv)
{
    const uint32_t customers = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000;
    const int64_t slots = argc > 2 ? atoi(argv[2]) : 12;
    struct bench bench = {.customers = customers};
    struct gf_complaints complaints = {0};
    struct gf_config *config = NULL;
    struct gf_zones zones;
    struct gf_error error;
    const char text[] = "version: 1\nlog: folder:bench\ntime: {default_zone: "
                        "Europe/Berlin}\ncheck_partition: false\n";
    if (gf_config_parse("bench", text, sizeof(text) - 1, NULL, 0, &config, &complaints) != GF_OK ||
        gf_zones_load(NULL, &zones, &error) != GF_OK) {
        gf_complaints_print(&complaints, stderr);
        return 1;
    }
    struct gf_fold_config fold_config;
    gf_config_fold(config, &zones, &fold_config);
    const struct gf_engine_options options = {.shard_count = 1,
                                              .entity_count_max = customers + 16384,
                                              .timer_count_max = customers,
                                              .effect_bytes_max = 64 << 20,
                                              .reference = {1000, 1000}};
    bench.engine = gf_engine_init(gf_memory_reserve(gf_engine_size(&options)), &options);
    if (gf_engine_configure(bench.engine, &fold_config, &error) != GF_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    bench.events = calloc(GF_BATCH_COUNT_MAX, sizeof(*bench.events));
    bench.readings = calloc(GF_BATCH_COUNT_MAX, sizeof(*bench.readings));
    bench.records = calloc(GF_BATCH_COUNT_MAX, sizeof(*bench.records));
    bench.keys = calloc(customers, sizeof(*bench.keys));
    for (uint32_t i = 0; i < customers; i++) {
        snprintf(bench.keys[i], sizeof(bench.keys[i]), "C%08u", i);
    }
    double start = now_s();
    slot_fold(&bench, 0, 1800);
    printf("first reading of each of %u customers: %.0f ns\n", customers,
           (now_s() - start) * 1e9 / customers);
    start = now_s();
    for (int64_t slot = 1; slot < slots; slot++) {
        slot_fold(&bench, slot, 1800);
    }
    printf("readings after it:                     %.0f ns each\n",
           (now_s() - start) * 1e9 / ((double)customers * (double)(slots - 1)));
    return 0;
}
