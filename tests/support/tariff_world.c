#include "tariff_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct gf_reference_options options = {.prices_per_zone_max = 20000,
                                                    .supplies_per_zone_max = 20000};

static int64_t
duration_of(const char *text)
{
    char unit = 's';
    long long count = 0;
    sscanf(text, "%lld%c", &count, &unit);
    const int64_t s = unit == 'd' ? 86400 : unit == 'h' ? 3600 : unit == 'm' ? 60 : 1;
    return count * s * GF_US_PER_S;
}

static void
factors_default(const char *text, struct gf_tariff_params *out)
{
    for (const char *at = text; (at = strstr(at, "factor_ppm: ")) != NULL;) {
        at += strlen("factor_ppm: ");
        out->factors[out->factor_count++].factor_ppm = atoll(at);
    }
}

void
world_default_params(struct gf_tariff_params *out)
{
    *out = (struct gf_tariff_params){.factor_count = 0};
    for (uint32_t i = 0; i < gf_op_tariff.param_count; i++) {
        const struct gf_param *const row = &gf_op_tariff.params[i];
        void *const at = (char *)out + row->offset;
        switch (row->type) {
        case GF_PARAM_BOOL:
            *(bool *)at = strcmp(row->initial, "true") == 0;
            break;
        case GF_PARAM_INT:
            *(int64_t *)at = atoll(row->initial);
            break;
        case GF_PARAM_REAL:
            *(double *)at = atof(row->initial);
            break;
        case GF_PARAM_DURATION:
            ((struct gf_duration *)at)->us = duration_of(row->initial);
            break;
        case GF_PARAM_PRICE:
            if (gf_decimal_parse(row->initial, strlen(row->initial), 8,
                                 &((struct gf_price *)at)->e8_per_kwh) != GF_OK) {
                abort();
            }
            break;
        case GF_PARAM_TABLE:
            factors_default(row->initial, out);
            break;
        default:
            fprintf(stderr, "tariff_world: parameter %s has a type it does not know\n", row->name);
            abort();
        }
    }
}

struct tariff_world *
world_new(void)
{
    struct tariff_world *const world = calloc(1, sizeof *world);
    const size_t size = gf_reference_size(&options);
    if (world == NULL || gf_op_tariff.state.size > sizeof world->state ||
        (world->memory = aligned_alloc(64, size)) == NULL) {
        abort();
    }
    world->reference = gf_reference_init(world->memory, &options);
    world_default_params(&world->params);
    world->zone = gf_zone_utc();
    world->out = fake_out_new();
    world->areas[0] = gf_span_text("A1");
    world->plan = (struct gf_tariff_plan){
        .tariff_id = gf_span_text("T1"),
        .version = 1,
        .zone = gf_span_text("DE"),
        .currency = gf_span_text("EUR"),
        .time_zone = gf_span_text("Etc/UTC"),
        .areas = {.items = world->areas, .count = 1},
        .base_price_e8_per_kwh = {30000000},
        .bands = {.items = world->bands, .count = 0},
        .dynamic = true,
    };
    return world;
}

void
world_free(struct tariff_world *world)
{
    fake_out_free(world->out);
    free(world->memory);
    free(world);
}

enum gf_rc
world_event(struct tariff_world *world, enum gf_topic topic, const void *body, struct gf_time now)
{
    const struct gf_event event = {.topic = (int32_t)topic, .event_time = now, .body = body};
    enum gf_reference_effect effect = GF_REFERENCE_IGNORED;
    const enum gf_rc rc = gf_reference_apply(world->reference, &event, &effect, &world->error);
    if (rc != GF_OK || effect == GF_REFERENCE_IGNORED) {
        return rc;
    }
    const struct gf_view view = {.now = now,
                                 .shard_time = now,
                                 .entity = gf_span_text("T1|A1"),
                                 .zone = world->zone,
                                 .reference = world->reference,
                                 .params = &world->params};
    uint64_t before[256];
    memcpy(before, world->state, sizeof before);
    const uint32_t count = world->out->count;
    const enum gf_rc operator_rc = gf_op_tariff.on_event(&view, &event, world->state, world->out);
    if (operator_rc != GF_OK) {
        memcpy(world->state, before, sizeof before);
        fake_out_truncate(world->out, count);
    }
    return operator_rc;
}

enum gf_rc
world_plan(struct tariff_world *world, int64_t now_s)
{
    world->plan.published_at.us = now_s * GF_US_PER_S;
    return world_event(world, GF_TOPIC_TARIFF_PLANS, &world->plan, world->plan.published_at);
}

enum gf_rc
world_price(struct tariff_world *world, int64_t now_s, int64_t start_s, int32_t interval_s,
            int64_t e8, int32_t version)
{
    const struct gf_market_price record = {.zone = world->plan.zone,
                                           .product = GF_MARKET_PRODUCT_DAY_AHEAD,
                                           .interval_start = {start_s * GF_US_PER_S},
                                           .interval_s = interval_s,
                                           .price_e8_per_kwh = {e8},
                                           .currency = world->plan.currency,
                                           .published_at = {now_s * GF_US_PER_S},
                                           .version = version};
    return world_event(world, GF_TOPIC_MARKET_PRICES, &record, record.published_at);
}

enum gf_rc
world_supply(struct tariff_world *world, int64_t now_s, int64_t start_s, int32_t interval_s,
             int64_t demand_kw, int64_t capacity_kw, int64_t renewable_kw)
{
    const struct gf_supply_state record = {.zone = world->plan.zone,
                                           .interval_start = {start_s * GF_US_PER_S},
                                           .interval_s = interval_s,
                                           .has_demand_kw = demand_kw >= 0,
                                           .demand_kw = demand_kw >= 0 ? demand_kw : 0,
                                           .has_capacity_kw = capacity_kw >= 0,
                                           .capacity_kw = capacity_kw >= 0 ? capacity_kw : 0,
                                           .has_renewable_forecast_kw = renewable_kw >= 0,
                                           .renewable_forecast_kw =
                                               renewable_kw >= 0 ? renewable_kw : 0,
                                           .published_at = {now_s * GF_US_PER_S}};
    return world_event(world, GF_TOPIC_SUPPLY_STATE, &record, record.published_at);
}

enum gf_rc
world_control(struct tariff_world *world, int64_t now_s, int32_t kind)
{
    const struct gf_control record = {.kind = kind,
                                      .issued_at = {now_s * GF_US_PER_S},
                                      .issuer = gf_span_text("test"),
                                      .ticket = gf_span_text("T-1")};
    return world_event(world, GF_TOPIC_CONTROL, &record, record.issued_at);
}

uint32_t
world_count(const struct tariff_world *world)
{
    return fake_out_count(world->out, GF_TOPIC_TARIFF_ADJUSTMENTS);
}

const struct gf_tariff_adjustment *
world_adjustment(const struct tariff_world *world, uint32_t index)
{
    const union gf_record_body *const body =
        fake_out_record(world->out, GF_TOPIC_TARIFF_ADJUSTMENTS, index);
    if (body == NULL) {
        fprintf(stderr, "tariff_world: there is no adjustment %u, only %u\n", index,
                world_count(world));
        abort();
    }
    return &body->tariff_adjustment;
}
