/* Makes reference data for tests of lib/feature. */
#ifndef GF_TESTS_REFERENCE_MAKER_H
#define GF_TESTS_REFERENCE_MAKER_H

#include <stdio.h>
#include <stdlib.h>

#include "state/reference.h"

static inline void
maker_reference_apply(struct gf_reference *reference, enum gf_topic topic, const void *body)
{
    enum gf_reference_effect effect;
    struct gf_error error = {{0}};
    struct gf_event event = {.topic = (int32_t)topic, .body = body};
    if (gf_event_time(topic, body, &event.event_time, &error) != GF_OK ||
        gf_reference_apply(reference, &event, &effect, &error) != GF_OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        abort();
    }
}

/* An empty reference on the heap; release with free. */
static inline struct gf_reference *
maker_reference(void)
{
    const struct gf_reference_options options = {.prices_per_zone_max = 20000,
                                                 .supplies_per_zone_max = 16};
    void *const memory = aligned_alloc(64, (gf_reference_size(&options) + 63) / 64 * 64);
    if (memory == NULL) {
        abort();
    }
    return gf_reference_init(memory, &options);
}

/* Tariff T1 of area A1 and zone DE: peak from 8 to 20 h on working days, valley from 0 to 6 h on
 * all. */
static inline void
maker_plan(struct gf_reference *reference)
{
    static const struct gf_span areas[] = {{(const uint8_t *)"A1", 2}};
    const struct gf_band bands[] = {
        {.name = GF_BAND_NAME_PEAK,
         .days = GF_BAND_DAYS_WEEKDAY,
         .from_minute = 480,
         .to_minute = 1200},
        {.name = GF_BAND_NAME_VALLEY, .days = GF_BAND_DAYS_ALL, .from_minute = 0, .to_minute = 360},
    };
    const struct gf_tariff_plan plan = {
        .tariff_id = gf_span_text("T1"),
        .version = 1,
        .zone = gf_span_text("DE"),
        .currency = gf_span_text("EUR"),
        .time_zone = gf_span_text("Europe/Berlin"),
        .areas = {areas, 1},
        .base_price_e8_per_kwh = {30000000},
        .bands = {bands, 2},
    };
    maker_reference_apply(reference, GF_TOPIC_TARIFF_PLANS, &plan);
}

/* The price of an hour in zone DE. */
static inline void
maker_price(struct gf_reference *reference, struct gf_time start, int64_t e8_per_kwh)
{
    const struct gf_market_price price = {
        .zone = gf_span_text("DE"),
        .product = GF_MARKET_PRODUCT_DAY_AHEAD,
        .interval_start = start,
        .interval_s = 3600,
        .price_e8_per_kwh = {e8_per_kwh},
        .currency = gf_span_text("EUR"),
        .published_at = start,
        .version = 1,
    };
    maker_reference_apply(reference, GF_TOPIC_MARKET_PRICES, &price);
}

#endif
