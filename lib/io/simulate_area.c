/* Areas: what the transformer of each gave in an hour, and why that is not what its customers'
 * meters say: losses of the grid, thefts, and readings that never came or are wrong. */
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "codec/records.h"
#include "io/simulate_private.h"

#define LOSS_PPM_MIN  15000 /* of what goes to the customers */
#define LOSS_PPM_SPAN 35000

struct gf_span
sim_area_id(uint32_t area, char out[SIM_AREA_ID_SIZE])
{
    return gf_span_of(out, (size_t)snprintf(out, SIM_AREA_ID_SIZE, "AREA-%02u", area + 1));
}

void
sim_area_add(struct sim *sim, const struct sim_customer *customer, const struct sim_use *use)
{
    struct sim_area *const area = &sim->areas[customer->area];
    area->metered_micro += use->counted - use->exported;
    area->reported_micro += use->reported;
    area->stolen_micro += use->stolen;
    area->taken_micro += use->counted + use->stolen;
    area->unreported += use->is_unreported ? 1 : 0;
    area->values++;
}

static enum gf_rc
total_emit(struct sim *sim, uint32_t number, int64_t total, struct gf_time end)
{
    char id[SIM_AREA_ID_SIZE], meter_id[SIM_AREA_ID_SIZE];
    const struct gf_span key = sim_area_id(number, id);
    const int size = snprintf(meter_id, sizeof meter_id, "T%08u", number + 1);
    const struct gf_area_total body = {
        .meter_id = gf_span_of(meter_id, (size_t)size),
        .interval_start = {end.us - GF_US_PER_HOUR},
        .interval_s = HOUR_S,
        .energy_micro_kwh = {total},
    };
    return sim_emit(sim, GF_TOPIC_AREA_TOTALS, gf_partition_of(key, sim->options->partitions), key,
                    end, &body);
}

static void
truth_tell(struct sim *sim, uint32_t number, int64_t total, int64_t loss, struct gf_time end)
{
    const struct sim_area *const area = &sim->areas[number];
    char id[SIM_AREA_ID_SIZE], from[GF_TIME_TEXT_SIZE];
    const struct gf_span name = sim_area_id(number, id);
    sim->summary.facts[GF_FACT_AREA_LOSS]++;
    if (sim->options->truth == NULL) {
        return;
    }
    gf_time_print((struct gf_time){end.us - GF_US_PER_HOUR}, from);
    fprintf(sim->options->truth,
            "{\"area\":\"%.*s\",\"kind\":\"%s\",\"from\":\"%s\",\"total_micro_kwh\":%" PRId64
            ",\"loss_micro_kwh\":%" PRId64 ",\"theft_micro_kwh\":%" PRId64
            ",\"unreported_micro_kwh\":%" PRId64 ",\"unreported\":%u}\n",
            GF_SPAN_PRINT(name), gf_simulate_fact_name(GF_FACT_AREA_LOSS), from, total, loss,
            area->stolen_micro, area->metered_micro - area->reported_micro, area->unreported);
}

enum gf_rc
sim_areas_hour(struct sim *sim, struct gf_time end)
{
    enum gf_rc rc = GF_OK;
    if (!sim->options->with_areas || end.us % GF_US_PER_HOUR != 0) {
        return GF_OK;
    }
    for (uint32_t i = 0; rc == GF_OK && i < SIM_AREA_COUNT; i++) {
        struct sim_area *const area = &sim->areas[i];
        const int64_t loss_ppm =
            LOSS_PPM_MIN + sim_below(sim, SIM_STREAM_AREA, i, 0, LOSS_PPM_SPAN);
        const int64_t loss = area->taken_micro / MICRO_PER_WH * loss_ppm / (PPM / MICRO_PER_WH);
        const int64_t total = area->metered_micro + area->stolen_micro + loss;
        if (area->values > 0) { /* an area without customers has no transformer */
            truth_tell(sim, i, total, loss, end);
            rc = total_emit(sim, i, total, end);
        }
        *area = (struct sim_area){.values = 0};
    }
    return rc;
}
