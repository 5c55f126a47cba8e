/* Makes features, readings and reference data for tests of lib/feature. */
#ifndef GF_TESTS_FEATURE_MAKER_H
#define GF_TESTS_FEATURE_MAKER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feature/feature.h"

static const struct gf_feature_params maker_params = {
    .profile_alpha = 0.05,
    .baseline_alpha = 0.03,
    .cusum_k = 0.5,
    .cusum_h = 12,
    .zero_kwh_per_day = 0.05,
    .lateness = {48 * GF_US_PER_HOUR},
    .default_zone = "UTC",
    .night_from_minute = 1320,
    .night_to_minute = 360,
};

/* A zone of the machine's zoneinfo; UTC where there is none. */
static inline void
maker_zone(const char *name, struct gf_zone *out)
{
    char path[256];
    static uint8_t data[65536];
    struct gf_error error;
    (void)snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    FILE *const file = fopen(path, "rb");
    *out = *gf_zone_utc();
    if (file != NULL) {
        const size_t size = fread(data, 1, sizeof data, file);
        if (gf_zone_parse(name, data, size, out, &error) != GF_OK) {
            abort();
        }
        (void)fclose(file);
    }
}

static inline struct gf_time
maker_time(const char *text)
{
    struct gf_time time = {0};
    if (gf_time_parse(text, strlen(text), &time) != GF_OK) {
        abort();
    }
    return time;
}

static inline struct gf_meter_reading
maker_reading(struct gf_time start, int32_t interval_s, int64_t micro_kwh)
{
    return (struct gf_meter_reading){
        .meter_id = gf_span_text("meter-1"),
        .obis = gf_span_text("1-0:1.8.0"),
        .kind = GF_READING_KIND_INTERVAL,
        .interval_start = start,
        .interval_s = interval_s,
        .energy_micro_kwh = {micro_kwh},
        .quality = GF_READING_QUALITY_ACTUAL,
        .source = GF_READING_SOURCE_HEADEND,
    };
}

/* Folds one record; its event time is what gf_event_time says. */
static inline enum gf_rc
maker_apply(struct gf_features *features, const struct gf_feature_context *context,
            enum gf_topic topic, const void *body, struct gf_change *change)
{
    struct gf_error error = {{0}};
    struct gf_event event = {.topic = (int32_t)topic, .body = body};
    const enum gf_rc rc = gf_event_time(topic, body, &event.event_time, &error);
    return rc != GF_OK ? rc : gf_features_apply(features, context, &event, change, &error);
}

static const struct gf_contract_meter maker_meters[] = {{
    .meter_id = {(const uint8_t *)"meter-1", 7},
    .digits = 5,
    .lsb_micro_kwh = {1000},
    .multiplier = 1,
}};

/* Version 1 of a contract from 1970 on, with one meter "meter-1" of 5 digits, on tariff T1 in zone
 * DE. */
static inline struct gf_customer_contract
maker_contract(void)
{
    return (struct gf_customer_contract){
        .contract_id = gf_span_text("c1"),
        .version = 1,
        .customer_class = GF_CUSTOMER_CLASS_RESIDENTIAL,
        .has_capacity_w = true,
        .capacity_w = 10000,
        .tariff_id = gf_span_text("T1"),
        .area_id = gf_span_text("A1"),
        .zone = gf_span_text("DE"),
        .time_zone = gf_span_text("Europe/Berlin"),
        .currency = gf_span_text("EUR"),
        .meters = {.items = maker_meters, .count = 1},
    };
}

#endif
