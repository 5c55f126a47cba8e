/* What the tariff operator remembers of one `tariff|area`. All zeros at first, and with the zone's
 * first price again when the plan moves to another zone. */
#ifndef GF_OPERATOR_TARIFF_STATE_H
#define GF_OPERATOR_TARIFF_STATE_H

#include "operator/tariff/guard.h"

struct tariff_state {
    int64_t now_us;             /* latest event time seen: what a notice counts from */
    char zone[GF_ZONE_ID_SIZE]; /* of the three below */
    int32_t newest_interval_s;  /* 0: no price came */
    int64_t newest_start_us;    /* of the newest price */
    double demand_high_kw;      /* highest demand of late: fades by a factor of e in 60 days */
    int64_t demand_first_us;    /* when demand was first known; 0: never */
    int64_t demand_at_us;       /* when the high was last brought up to date */
    uint8_t is_withdrawn;       /* the newest plan does not offer the tariff in this area */
    uint8_t currency_differs;   /* the newest price was in another currency than the plan */
    uint8_t reserved[6];
    uint32_t cuts, raises, returns;  /* announced */
    uint32_t held[GUARD_RULE_COUNT]; /* decisions that a guard-rail held back, by rule */
    uint32_t reserved_too;
    struct slot_ring ring;
};
static_assert(sizeof(struct tariff_state) <= 1900, "state of a tariff area");

#endif
