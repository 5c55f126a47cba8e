/* Load shapes, weather and the slots of a local day. Reals are used for what becomes a table of
 * integers; they come from basic operations and base/real.h alone, so they are the same everywhere.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/real.h"
#include "io/simulate_private.h"

#define PI         3.14159265358979323846
#define HOUR_COUNT 24

/* Use of an hour of a working day and of a weekend day, in parts of any size. After standard load
 * profiles: H0 for homes, G1 for shops, G3 for factories; night heating runs while the tariff is
 * low. */
static const uint8_t shapes[SIM_ARCHETYPE_COUNT][2][HOUR_COUNT] = {
    [SIM_EVENING_HOME] = {{18, 14, 12, 12, 12, 15, 28, 36, 30, 24, 22, 24,
                           30, 26, 22, 22, 28, 44, 62, 74, 72, 60, 44, 28},
                          {24, 18, 15, 13, 13, 14, 18, 28, 42, 50, 52, 54,
                           58, 50, 42, 38, 40, 50, 62, 68, 62, 52, 42, 32}},
    [SIM_DAY_HOME] = {{16, 14, 13, 13, 13, 16, 26, 38, 46, 48, 48, 54,
                       60, 50, 42, 40, 42, 48, 54, 54, 48, 40, 30, 20},
                      {18, 15, 13, 13, 13, 15, 20, 32, 46, 52, 54, 58,
                       62, 52, 44, 40, 42, 48, 54, 54, 48, 40, 32, 24}},
    [SIM_ELECTRIC_HEATING] = {{70, 72, 72, 72, 70, 66, 48, 34, 24, 20, 20, 26,
                               34, 34, 22, 18, 20, 30, 36, 38, 36, 34, 56, 66},
                              {70, 72, 72, 72, 70, 66, 52, 36, 30, 28, 28, 32,
                               40, 38, 28, 24, 26, 32, 38, 40, 38, 36, 56, 66}},
    [SIM_NIGHT_WORKER] = {{46, 42, 38, 36, 34, 30, 34, 30, 16, 13, 12, 12,
                           12, 13, 18, 34, 46, 50, 48, 44, 40, 38, 40, 44},
                          {46, 44, 40, 36, 32, 28, 28, 30, 28, 26, 26, 32,
                           40, 42, 38, 36, 40, 46, 52, 52, 48, 46, 46, 48}},
    [SIM_PROSUMER] = {{18, 15, 14, 14, 14, 16, 28, 38, 40, 40, 42, 48,
                       54, 46, 38, 36, 40, 50, 60, 64, 58, 46, 34, 24},
                      {20, 16, 15, 14, 14, 15, 20, 32, 46, 52, 56, 60,
                       62, 54, 46, 42, 44, 50, 58, 60, 54, 46, 36, 26}},
    [SIM_SHOP] = {{12, 12, 12, 12, 12, 14, 22, 38, 62, 76, 80, 80,
                   78, 76, 76, 74, 72, 70, 62, 44, 26, 18, 14, 12},
                  {12, 12, 12, 12, 12, 12, 14, 20, 34, 46, 50, 50,
                   46, 38, 28, 20, 16, 14, 14, 14, 14, 13, 12, 12}},
    [SIM_FACTORY] = {{34, 34, 34, 36, 42, 58, 78, 86, 88, 90, 88, 86,
                      84, 86, 88, 84, 76, 68, 62, 58, 54, 48, 42, 36},
                     {30, 30, 30, 30, 30, 32, 34, 36, 36, 36, 36, 36,
                      34, 32, 32, 30, 30, 30, 30, 30, 30, 30, 30, 30}},
};

/* Part of a shape at a second of the day, in 1/3,600 of its unit: straight from the middle of an
 * hour to the next. */
static int64_t
shape_at(const uint8_t shape[HOUR_COUNT], int32_t second)
{
    const int32_t shifted = (second + DAY_S - HOUR_S / 2) % DAY_S;
    const int32_t hour = shifted / HOUR_S, rest = shifted % HOUR_S;
    return (int64_t)shape[hour] * (HOUR_S - rest) + (int64_t)shape[(hour + 1) % HOUR_COUNT] * rest;
}

/* One archetype: a working day adds up to 1 << SIM_WEIGHT_BITS, a weekend has the same unit. */
static void
weights_fill(int32_t *out, uint32_t count, const uint8_t shape[2][HOUR_COUNT])
{
    const int32_t step = 900, length = DAY_S / (int32_t)count;
    int64_t total = 0;
    for (int32_t second = 0; second < DAY_S; second += step) {
        total += shape_at(shape[0], second + step / 2);
    }
    for (uint32_t i = 0; i < 2 * count; i++) {
        int64_t sum = 0;
        for (int32_t second = 0; second < length; second += step) {
            sum += shape_at(shape[i / count], (int32_t)(i % count) * length + second + step / 2);
        }
        out[i] = (int32_t)((sum << SIM_WEIGHT_BITS) / total);
    }
}

enum gf_rc
sim_weights_make(struct sim *sim)
{
    sim->weight_count = DAY_S / sim->options->interval_s;
    sim->weights =
        calloc((size_t)SIM_ARCHETYPE_COUNT * 2 * sim->weight_count, sizeof *sim->weights);
    if (sim->weights == NULL) {
        return gf_fail(sim->error, GF_E_NO_MEMORY, "no memory to simulate");
    }
    for (uint32_t i = 0; i < SIM_ARCHETYPE_COUNT; i++) {
        weights_fill(sim->weights + (size_t)i * 2 * sim->weight_count, sim->weight_count,
                     shapes[i]);
    }
    return GF_OK;
}

/* A smooth random walk with mean 0 and scale 1: straight between knots `step` days apart. */
static double
weather_at(const struct sim *sim, uint32_t what, int32_t day, int32_t step)
{
    const int32_t knot = day / step;
    const double part = (double)(day % step) / step;
    const double left = sim_normal(sim, SIM_STREAM_WEATHER, what, (uint64_t)knot);
    const double right = sim_normal(sim, SIM_STREAM_WEATHER, what, (uint64_t)knot + 1);
    return left + (right - left) * part;
}

static double
unit_clip(double x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

static void
weather_make(const struct sim *sim, struct sim_day *out)
{
    /* The coldest day is about January 20, which 1970-01-20 was too. */
    const double angle = 2 * PI * ((out->day - 20) % 1461) / 365.25;
    const double cosine = gf_sin(angle + PI / 2);
    out->temperature = 10.5 - 9.0 * cosine + 3.0 * weather_at(sim, 0, out->day, 5) +
                       1.2 * sim_normal(sim, SIM_STREAM_WEATHER, 1, (uint64_t)out->day);
    out->cloud = unit_clip(0.55 + 0.12 * cosine + 0.25 * weather_at(sim, 2, out->day, 2));
    const double wind = (14 + 5 * cosine) * gf_exp(0.75 * weather_at(sim, 3, out->day, 2));
    out->wind = wind > 52 ? 52 : wind;
}

static int32_t
ppm_of(double share)
{
    return (int32_t)(share * 1e6);
}

static void
seasons_make(struct sim_day *out)
{
    const double cold = out->temperature < 15 ? 15 - out->temperature : 0;
    const double hot = out->temperature > 22 ? out->temperature - 22 : 0;
    out->season_ppm[SIM_EVENING_HOME] = ppm_of(0.88 + 0.018 * cold + 0.01 * hot);
    out->season_ppm[SIM_DAY_HOME] = ppm_of(0.88 + 0.018 * cold + 0.01 * hot);
    out->season_ppm[SIM_ELECTRIC_HEATING] = ppm_of(0.32 + 0.105 * cold);
    out->season_ppm[SIM_NIGHT_WORKER] = ppm_of(0.90 + 0.015 * cold);
    out->season_ppm[SIM_PROSUMER] = ppm_of(0.88 + 0.018 * cold + 0.02 * hot);
    out->season_ppm[SIM_SHOP] = ppm_of(0.92 + 0.008 * cold + 0.035 * hot);
    out->season_ppm[SIM_FACTORY] = ppm_of(0.97 + 0.004 * cold + 0.01 * hot);
}

/* Output of a module, in millionths of its power, at a local second (sun time, roughly). */
int32_t
sim_solar_ppm(const struct sim_day *day, int32_t second)
{
    const double season =
        gf_sin(2 * PI * ((day->day - 80) % 1461) / 365.25); /* 0 at the equinox of March */
    const double half_day = (6 + 2.1 * season) * HOUR_S;
    const double from_noon = second - 12.5 * HOUR_S;
    const double place = (from_noon < 0 ? -from_noon : from_noon) / half_day;
    if (place >= 1) {
        return 0;
    }
    const double height = gf_sin((1 - place) * PI / 2);
    return ppm_of(height * (0.55 + 0.25 * season) * (1 - 0.75 * day->cloud));
}

static void
slot_make(const struct sim *sim, const struct sim_day *day, uint32_t index, struct sim_slot *out)
{
    const int64_t interval_us = (int64_t)sim->options->interval_s * GF_US_PER_S;
    *out =
        (struct sim_slot){.start = {day->start.us + (int64_t)index * interval_us}, .index = index};
    out->end.us = out->start.us + interval_us;
    const int64_t local_s =
        out->start.us / GF_US_PER_S + gf_zone_offset(sim->options->zone, out->start);
    const int32_t second = (int32_t)(local_s - (int64_t)day->day * DAY_S);
    assert(second >= 0 && second < DAY_S);
    out->hour = (uint32_t)second / HOUR_S;
    const uint32_t place = (uint32_t)second / sim->options->interval_s;
    for (uint32_t i = 0; i < SIM_ARCHETYPE_COUNT; i++) {
        out->weight[i] =
            sim->weights[((size_t)i * 2 + (day->is_weekend ? 1 : 0)) * sim->weight_count + place];
    }
    const bool is_daily = sim->options->interval_s == DAY_S;
    for (uint32_t i = 0; i < SIM_PLAN_COUNT; i++) {
        /* Nobody knows in which bands a day's use was. */
        const uint32_t minute = is_daily ? UINT32_MAX : (uint32_t)second / 60;
        out->band[i] = (uint8_t)sim_plan_band((enum sim_plan)i, minute, day->is_weekend);
    }
    out->solar_ppm =
        is_daily ? 0 : sim_solar_ppm(day, second + (int32_t)sim->options->interval_s / 2);
}

void
sim_day_make(const struct sim *sim, int32_t day, struct sim_day *out)
{
    const struct gf_zone *zone = sim->options->zone;
    *out = (struct sim_day){
        .day = day,
        .is_weekend = gf_weekday_of(day) >= 5,
        .start = gf_day_start(zone, day),
        .end = gf_day_start(zone, day + 1),
    };
    weather_make(sim, out);
    seasons_make(out);
    const int64_t interval_us = (int64_t)sim->options->interval_s * GF_US_PER_S;
    const int64_t length_us = out->end.us - out->start.us;
    /* A daily value is of 24 hours, also where the day has 23 or 25. */
    out->slot_count = sim->options->interval_s == DAY_S ? 1 : (uint32_t)(length_us / interval_us);
    assert(out->slot_count <= SIM_SLOT_COUNT_MAX);
    for (uint32_t i = 0; i < out->slot_count; i++) {
        slot_make(sim, out, i, &out->slots[i]);
    }
}
