/* The market: tariff plans, day-ahead prices and supply of one zone, after the shape of the German
 * ones: negative prices when wind and sun are strong, spikes on still winter evenings. */
#include <assert.h>

#include "codec/records.h"
#include "io/simulate_private.h"

#define PRICE_PER_MWH   INT64_C(100000) /* 1 EUR/MWh in 1e-8 EUR/kWh */
#define E8_PER_CENT     INT64_C(1000000)
#define CAPACITY_KW     INT64_C(74000000)
#define SOLAR_GW        70.0
#define HOUR_COUNT_MAX  25
#define PUBLISH_MINUTES (12 * 60 + 45)

#define BAND(band, on, from, to, cent)                                                             \
    {                                                                                              \
        .name = GF_BAND_NAME_##band, .days = GF_BAND_DAYS_##on, .from_minute = (from)*60,          \
        .to_minute = (to)*60, .price_e8_per_kwh = {                                                \
            (cent)*E8_PER_CENT                                                                     \
        }                                                                                          \
    }

static const struct gf_band bands_time[] = {BAND(VALLEY, ALL, 0, 6, 24),
                                            BAND(PEAK, WEEKDAY, 17, 21, 39)};
static const struct gf_band bands_dynamic[] = {
    BAND(VALLEY, ALL, 0, 6, 23), BAND(VALLEY, WEEKEND, 11, 16, 25), BAND(PEAK, ALL, 17, 21, 38)};
static const struct gf_band bands_shop[] = {
    BAND(VALLEY, ALL, 0, 6, 22), BAND(PEAK, WEEKDAY, 8, 12, 33), BAND(PEAK, WEEKDAY, 17, 20, 33)};
static const struct gf_band bands_industry[] = {
    BAND(VALLEY, ALL, 0, 6, 15), BAND(VALLEY, WEEKEND, 6, 24, 16), BAND(PEAK, WEEKDAY, 8, 20, 22)};

#define PLAN(id, cent, bands_of, band_count, is_dynamic, is_for_protected)                         \
    {                                                                                              \
        .tariff_id = {(const uint8_t *)(id), sizeof(id) - 1}, .version = 1,                        \
        .base_price_e8_per_kwh = {(cent)*E8_PER_CENT}, .bands = {bands_of, band_count},            \
        .dynamic = is_dynamic, .is_protected = is_for_protected                                    \
    }

static const struct gf_tariff_plan plans[SIM_PLAN_COUNT] = {
    [SIM_PLAN_FLAT] = PLAN("HOME-FLAT", 31, NULL, 0, false, false),
    [SIM_PLAN_TIME] = PLAN("HOME-TIME", 31, bands_time, 2, false, false),
    [SIM_PLAN_DYNAMIC] = PLAN("HOME-DYNAMIC", 30, bands_dynamic, 3, true, false),
    [SIM_PLAN_CARE] = PLAN("HOME-CARE", 28, NULL, 0, true, true),
    [SIM_PLAN_SHOP] = PLAN("SHOP-TIME", 27, bands_shop, 3, true, false),
    [SIM_PLAN_INDUSTRY] = PLAN("INDUSTRY", 18, bands_industry, 3, true, false),
};

const struct gf_tariff_plan *
sim_plan_get(enum sim_plan plan)
{
    return &plans[plan];
}

uint32_t
sim_plan_band(enum sim_plan plan, uint32_t minute, bool is_weekend)
{
    const struct gf_tariff_plan *of = &plans[plan];
    for (uint32_t i = 0; i < of->bands.count; i++) {
        const struct gf_band *band = &of->bands.items[i];
        const bool is_day =
            band->days == GF_BAND_DAYS_ALL || (band->days == GF_BAND_DAYS_WEEKEND) == is_weekend;
        if (is_day && minute >= (uint32_t)band->from_minute && minute < (uint32_t)band->to_minute) {
            return i;
        }
    }
    return of->bands.count;
}

struct gf_price
sim_plan_price(enum sim_plan plan, uint32_t band)
{
    const struct gf_tariff_plan *of = &plans[plan];
    return band < of->bands.count ? of->bands.items[band].price_e8_per_kwh
                                  : of->base_price_e8_per_kwh;
}

enum gf_rc
sim_plans_publish(struct sim *sim)
{
    char names[SIM_AREA_COUNT][16];
    struct gf_span areas[SIM_AREA_COUNT];
    for (uint32_t i = 0; i < SIM_AREA_COUNT; i++) {
        areas[i] =
            gf_span_of(names[i], (size_t)snprintf(names[i], sizeof names[i], "AREA-%02u", i + 1));
    }
    const struct gf_time published_at =
        gf_day_start(sim->options->zone, sim->options->start_day - 2);
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < SIM_PLAN_COUNT; i++) {
        struct gf_tariff_plan plan = plans[i];
        plan.zone = gf_span_text(SIM_MARKET_ZONE);
        plan.currency = gf_span_text(SIM_CURRENCY);
        plan.time_zone = gf_span_text(sim->options->zone->name);
        plan.areas.items = areas;
        plan.areas.count = SIM_AREA_COUNT;
        plan.has_floor_e8_per_kwh = plan.has_cap_e8_per_kwh = plan.dynamic;
        plan.floor_e8_per_kwh.e8_per_kwh = plan.dynamic ? 8 * E8_PER_CENT : 0;
        plan.cap_e8_per_kwh.e8_per_kwh = plan.dynamic ? 60 * E8_PER_CENT : 0;
        plan.valid_from = plan.published_at = published_at;
        rc = sim_emit(sim, GF_TOPIC_TARIFF_PLANS, 0, plan.tariff_id, published_at, &plan);
    }
    return rc;
}

/* ---- prices and supply of a day ---- */

struct market_hour {
    struct gf_time start;
    int64_t demand_kw, renewable_kw, forecast_kw;
    int64_t price_e8;
};

struct market {
    struct sim_day day; /* weather and sun; its slots are hours here */
    uint32_t hour_count;
    struct market_hour hours[HOUR_COUNT_MAX];
};

static int64_t
price_of(const struct sim *sim, double residual_gw, uint64_t hour)
{
    double eur = (residual_gw - 9) * 2.3;
    if (eur < 0) {
        eur *= 1.6; /* who cannot stop pays to run */
    }
    if (residual_gw > 52) {
        eur += (residual_gw - 52) * (residual_gw - 52) * 1.8;
    }
    eur += 6 * sim_normal(sim, SIM_STREAM_MARKET, 0, hour);
    if (sim_below(sim, SIM_STREAM_MARKET, 1, hour, 1000) == 0) {
        eur += 250 + sim_below(sim, SIM_STREAM_MARKET, 2, hour, 600);
    }
    const double limited = eur < -500 ? -500 : eur > 4000 ? 4000 : eur;
    return (int64_t)(limited * 100) * (PRICE_PER_MWH / 100); /* whole hundredths of EUR/MWh */
}

static void
hour_make(const struct sim *sim, const struct market *market, uint32_t index, int32_t solar_ppm,
          struct market_hour *out)
{
    static const double demand_gw[24] = {44, 42, 41, 41, 42, 45, 51, 56, 59, 60, 60, 61,
                                         60, 59, 58, 57, 57, 59, 62, 61, 58, 54, 51, 47};
    const struct sim_day *day = &market->day;
    *out = (struct market_hour){.start = {day->start.us + index * GF_US_PER_HOUR}};
    const uint64_t hour = (uint64_t)(out->start.us / GF_US_PER_HOUR);
    const int64_t local_s =
        out->start.us / GF_US_PER_S + gf_zone_offset(sim->options->zone, out->start);
    const uint32_t local_hour = (uint32_t)((local_s / HOUR_S) % 24);
    const double cold = day->temperature < 15 ? 15 - day->temperature : 0;
    const double demand = demand_gw[local_hour] * (day->is_weekend ? 0.86 : 1.0) + 0.35 * cold +
                          0.5 * sim_normal(sim, SIM_STREAM_MARKET, 3, hour);
    const double wind = day->wind * (1 + 0.08 * sim_normal(sim, SIM_STREAM_MARKET, 4, hour));
    const double renewable = wind + SOLAR_GW * solar_ppm * 1e-6;
    const double forecast = renewable * (1 + 0.06 * sim_normal(sim, SIM_STREAM_MARKET, 5, hour));
    out->demand_kw = (int64_t)(demand * 1000) * 1000;
    out->renewable_kw = (int64_t)(renewable * 1000) * 1000;
    out->forecast_kw = (int64_t)(forecast * 1000) * 1000;
    out->price_e8 = price_of(sim, demand - forecast, hour);
}

/* A day in hours, whatever the interval of the readings is. */
static void
market_make(const struct sim *sim, int32_t day, struct market *out)
{
    sim_day_make(sim, day, &out->day);
    out->hour_count = (uint32_t)((out->day.end.us - out->day.start.us) / GF_US_PER_HOUR);
    assert(out->hour_count <= HOUR_COUNT_MAX);
    for (uint32_t i = 0; i < out->hour_count; i++) {
        const struct gf_time start = {out->day.start.us + i * GF_US_PER_HOUR};
        const int64_t local_s = start.us / GF_US_PER_S + gf_zone_offset(sim->options->zone, start);
        const int32_t second = (int32_t)(local_s - (int64_t)day * DAY_S);
        hour_make(sim, out, i, sim_solar_ppm(&out->day, second + HOUR_S / 2), &out->hours[i]);
    }
}

static enum gf_rc
supply_emit(struct sim *sim, const struct market_hour *hour, struct gf_time published_at,
            bool is_actual)
{
    const struct gf_span zone = gf_span_text(SIM_MARKET_ZONE);
    const struct gf_supply_state state = {
        .zone = zone,
        .interval_start = hour->start,
        .interval_s = HOUR_S,
        .has_demand_kw = true,
        .demand_kw = hour->demand_kw,
        .has_capacity_kw = true,
        .capacity_kw = CAPACITY_KW,
        .has_renewable_forecast_kw = true,
        .renewable_forecast_kw = hour->forecast_kw,
        .has_renewable_actual_kw = is_actual,
        .renewable_actual_kw = is_actual ? hour->renewable_kw : 0,
        .published_at = published_at,
    };
    return sim_emit(sim, GF_TOPIC_SUPPLY_STATE, 0, zone, published_at, &state);
}

static enum gf_rc
ahead_emit(struct sim *sim, const struct market *market, struct gf_time published_at)
{
    const struct gf_span zone = gf_span_text(SIM_MARKET_ZONE);
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < market->hour_count; i++) {
        const struct gf_market_price price = {
            .zone = zone,
            .product = GF_MARKET_PRODUCT_DAY_AHEAD,
            .interval_start = market->hours[i].start,
            .interval_s = HOUR_S,
            .price_e8_per_kwh = {market->hours[i].price_e8},
            .currency = gf_span_text(SIM_CURRENCY),
            .published_at = published_at,
            .version = 1,
        };
        rc = sim_emit(sim, GF_TOPIC_MARKET_PRICES, 0, zone, published_at, &price);
        if (rc == GF_OK) {
            rc = supply_emit(sim, &market->hours[i], published_at, false);
        }
    }
    return rc;
}

enum gf_rc
sim_market_day(struct sim *sim, int32_t day, bool only_ahead)
{
    struct market today, tomorrow;
    market_make(sim, day, &today);
    market_make(sim, day + 1, &tomorrow);
    const struct gf_time publication = {today.day.start.us + PUBLISH_MINUTES * GF_US_PER_MINUTE};
    bool is_published = false;
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < today.hour_count; i++) {
        /* What was is known five minutes after the hour. */
        const struct gf_time known_at = {today.hours[i].start.us + GF_US_PER_HOUR +
                                         5 * GF_US_PER_MINUTE};
        if (!is_published && known_at.us > publication.us) {
            is_published = true;
            rc = ahead_emit(sim, &tomorrow, publication);
        }
        if (rc == GF_OK && !only_ahead) {
            rc = supply_emit(sim, &today.hours[i], known_at, true);
        }
    }
    return rc;
}
