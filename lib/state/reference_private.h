/* The inside of the reference, shared by reference.c (zones, prices, supply) and reference_plan.c
 * (plans, controls). */
#ifndef GF_STATE_REFERENCE_PRIVATE_H
#define GF_STATE_REFERENCE_PRIVATE_H

#include "state/reference.h"
#include "state/series.h"

#define REFERENCE_STOP_COUNT_MAX 256
#define REFERENCE_MEMO_COUNT     8

/* No price is outside +-1,000,000 of the currency per kWh: a record that says so is damaged. So
 * every sum of two prices stays inside int64. */
#define REFERENCE_PRICE_E8_MAX INT64_C(100000000000000)

struct supply_item {
    struct gf_supply supply; /* begins as a series item does */
    bool renewable_is_actual;
};

struct reference_zone {
    char id[GF_ZONE_ID_SIZE]; /* NUL-padded, as all ids here */
    struct series prices;     /* of struct gf_price_tick */
    struct series supplies;   /* of struct supply_item */
};

/* A stop of adjustments; an empty id stands for all. */
struct reference_stop {
    char tariff_id[GF_TARIFF_ID_SIZE], area_id[GF_AREA_ID_SIZE];
};

/* The answer to a rank question: all areas of a zone ask the same one after a price. */
struct rank_memo {
    uint64_t revision;
    uint32_t zone_index;
    struct gf_time from, to;
    struct gf_price price;
    uint32_t count, cheaper;
};

struct memo_table {
    uint32_t next;
    struct rank_memo items[REFERENCE_MEMO_COUNT];
};

struct gf_reference {
    uint64_t revision; /* of the prices; 0: none came */
    uint32_t zone_count, plan_count, stop_count;
    struct memo_table *memos; /* a cache, so look-ups may write it */
    struct reference_zone zones[GF_REFERENCE_ZONE_COUNT_MAX];
    struct gf_tariff_terms plans[GF_PLAN_COUNT_MAX]; /* by tariff, then version, newest first */
    struct reference_stop stops[REFERENCE_STOP_COUNT_MAX];
    struct memo_table memo_table;
};

/* Copies an id into a NUL-padded array; false when it is empty, too long, or has blanks or '|',
 * which parts tariff and area in a key. */
bool reference_id_copy(char *out, size_t size, struct gf_span id);
bool reference_id_equal(const char *id, size_t size, struct gf_span other);
bool reference_currency_copy(char out[4], struct gf_span currency);
bool reference_price_is_sane(struct gf_price price);

/* Errors: GF_E_BAD_FIELD, GF_E_FULL; nothing is then changed. */
enum gf_rc reference_plan_apply(struct gf_reference *reference, const struct gf_tariff_plan *record,
                                enum gf_reference_effect *effect_out, struct gf_error *error);
enum gf_rc reference_control_apply(struct gf_reference *reference, const struct gf_control *record,
                                   enum gf_reference_effect *effect_out, struct gf_error *error);

#endif
