/* A seeded world for the stages beside the customers': areas with their transformers' totals, and
 * meters that a head-end reads. The pieces are for tests that tell stories of their own. */
#ifndef GF_TEST_STAGE_WORLD_H
#define GF_TEST_STAGE_WORLD_H

#include "lab_world.h"

/* Both stages on. */
#define STAGE_CONFIG "stages: {area: true, intake: true}\n"

struct stage_world {
    uint64_t seed;
    uint32_t customers, areas, days;
    int32_t interval_s;
};

/* Half of the customers' readings come by the head-end. Some values are late, twice, in conflict,
 * corrected or unassigned; customers move, exports and estimates are among them; totals are
 * missing, late and corrected. */
void stage_world_add(struct lab *lab, const struct stage_world *world);

struct stage_contract {
    const char *customer, *area, *meter;
    int32_t version;
    struct gf_time from, to; /* of supply; to GF_TIME_NONE: open */
    struct gf_time issued;
};
void stage_add_contract(struct lab *lab, const struct stage_contract *contract);
/* With the time at which its interval ends. */
void stage_add_headend(struct lab *lab, const char *meter, const struct gf_meter_reading *reading);
void stage_add_total(struct lab *lab, const char *area, struct gf_time start, int32_t interval_s,
                     int64_t micro_kwh);

/* The newest balance of an area and interval; fails the test when there is none. Returns how many
 * versions there are. */
uint32_t stage_balance(const struct lab *lab, const char *area, struct gf_time start,
                       struct gf_area_balance *out);

#endif
