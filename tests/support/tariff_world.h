/* A small world around the tariff operator: a reference, one `tariff|area`, its state and a fake
 * output. Each record goes through gf_reference_apply and then, as the engine does it, to the
 * operator, whose failure puts its state back. */
#ifndef GF_TESTS_TARIFF_WORLD_H
#define GF_TESTS_TARIFF_WORLD_H

#include "fake_out.h"
#include "operator/tariff/tariff.h"

struct tariff_world {
    void *memory;
    struct gf_reference *reference;
    struct gf_tariff_params params;
    const struct gf_zone *zone; /* of the plan; UTC at first */
    struct gf_out *out;
    uint64_t state[256];        /* of the operator */
    struct gf_error error;      /* of the last record that was refused */
    struct gf_tariff_plan plan; /* what world_plan sends; change it first */
    struct gf_band bands[GF_BAND_COUNT_MAX];
    struct gf_span areas[2];
};

/* A dynamic plan T1 of 0.30 EUR/kWh in zone DE, area A1, and the default parameters. */
struct tariff_world *world_new(void);
void world_free(struct tariff_world *world);

/* The defaults as the rows write them. */
void world_default_params(struct gf_tariff_params *out);

/* All return what gf_reference_apply or the operator returned. */
enum gf_rc world_event(struct tariff_world *world, enum gf_topic topic, const void *body,
                       struct gf_time now);
enum gf_rc world_plan(struct tariff_world *world, int64_t now_s);
/* A price in e8 per kWh of `interval_s` seconds at `start_s`, published at `now_s`. */
enum gf_rc world_price(struct tariff_world *world, int64_t now_s, int64_t start_s,
                       int32_t interval_s, int64_t e8, int32_t version);
/* Negative: null. */
enum gf_rc world_supply(struct tariff_world *world, int64_t now_s, int64_t start_s,
                        int32_t interval_s, int64_t demand_kw, int64_t capacity_kw,
                        int64_t renewable_kw);
enum gf_rc world_control(struct tariff_world *world, int64_t now_s, int32_t kind);

uint32_t world_count(const struct tariff_world *world);
/* The `index`th adjustment; fails the test where there is none. */
const struct gf_tariff_adjustment *world_adjustment(const struct tariff_world *world,
                                                    uint32_t index);

#endif
