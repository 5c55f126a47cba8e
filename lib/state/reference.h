/* Reference: what every shard knows besides its customers: market prices, supply, tariff plans,
 * controls. Filled by the merge, record by record, so a look-up sees exactly the records merged
 * before the event, and nothing of it is stored: a recovery reads the reference topics again from
 * offset 0.
 *
 * Memory is lent at init and never grows; when a table is full its oldest entries go (prices,
 * supply) or the record is refused with GF_E_FULL (plans, zones). */
#ifndef GF_STATE_REFERENCE_H
#define GF_STATE_REFERENCE_H

#include "base/span.h"
#include "base/unit.h"
#include "model/event.h"
#include "model/records.h"

#define GF_ZONE_ID_SIZE             12 /* with NUL */
#define GF_TARIFF_ID_SIZE           16
#define GF_AREA_ID_SIZE             16
#define GF_BAND_COUNT_MAX           16
#define GF_PLAN_AREA_COUNT_MAX      256
#define GF_PLAN_COUNT_MAX           256
#define GF_REFERENCE_ZONE_COUNT_MAX 32

struct gf_reference;

struct gf_reference_options {
    uint32_t prices_per_zone_max; /* e.g. 40,000: a year of quarter-hours */
    uint32_t supplies_per_zone_max;
};

/* Bytes gf_reference_init needs; and the init, in the caller's memory (aligned to 64). */
size_t gf_reference_size(const struct gf_reference_options *options);
struct gf_reference *gf_reference_init(void *memory, const struct gf_reference_options *options);

/* What a record did, for whoever visits the entities it concerns. */
enum gf_reference_effect {
    GF_REFERENCE_IGNORED /* older version, or not for us */,
    GF_REFERENCE_CHANGED
};

/* Takes a record of a reference topic. Errors (SKIP: nothing changed): GF_E_BAD_FIELD, GF_E_FULL.
 */
GF_MUST_USE enum gf_rc gf_reference_apply(struct gf_reference *reference,
                                          const struct gf_event *event,
                                          enum gf_reference_effect *effect_out,
                                          struct gf_error *error);

/* A price. All products of a zone share one series: a market of its own is a zone of its own. */
struct gf_price_tick {
    struct gf_time start;
    int32_t interval_s;
    int32_t version;
    struct gf_price price;
    struct gf_time published_at;
    char currency[4];
};
/* The price of the interval that `time` falls in; NULL when it is not known. Lent until the next
 * apply. */
const struct gf_price_tick *gf_reference_price(const struct gf_reference *reference,
                                               struct gf_span zone, struct gf_time time);

struct gf_supply {
    struct gf_time start;
    int32_t interval_s;
    bool has_demand, has_capacity, has_renewable;
    int64_t demand_kw, capacity_kw, renewable_kw; /* renewable: actual where known, else forecast */
    struct gf_time published_at;
};
const struct gf_supply *gf_reference_supply(const struct gf_reference *reference,
                                            struct gf_span zone, struct gf_time time);

/* Number of known prices of `zone` whose interval starts in [from, to), and how many of them are
 * cheaper than `price`: a rank among recent prices. */
void gf_reference_price_rank(const struct gf_reference *reference, struct gf_span zone,
                             struct gf_time from, struct gf_time to, struct gf_price price,
                             uint32_t *count_out, uint32_t *cheaper_out);

struct gf_tariff_band {
    int32_t name; /* enum gf_band_name */
    int32_t days; /* enum gf_band_days */
    uint16_t from_minute, to_minute;
    struct gf_price price;
};
/* A version of a tariff plan: what a look-up needs of it (its areas are entities of their own). */
struct gf_tariff_terms {
    char tariff_id[GF_TARIFF_ID_SIZE];
    char zone[GF_ZONE_ID_SIZE];
    char currency[4];
    char time_zone[48];
    int32_t version;
    bool is_dynamic, is_protected, has_floor, has_cap;
    struct gf_price base, floor, cap;
    struct gf_time valid_from, valid_to; /* valid_to: GF_TIME_US_MAX when open */
    uint32_t band_count;
    struct gf_tariff_band bands[GF_BAND_COUNT_MAX];
};
/* The plan's newest version that is valid at `time`, or NULL. */
const struct gf_tariff_terms *gf_reference_plan(const struct gf_reference *reference,
                                                struct gf_span tariff_id, struct gf_time time);

/* Whether adjustments of this tariff and area are stopped by the controls merged so far. A stop
 * (KILL_SWITCH, FREEZE) lasts until a RESUME of the same or a wider scope; with 256 stops in force
 * the next one stops everything. */
bool gf_reference_is_frozen(const struct gf_reference *reference, struct gf_span tariff_id,
                            struct gf_span area_id);

/* The band in force at a local minute of a day (weekend: Saturday, Sunday): its name and price; the
 * plan's base price and GF_BAND_NAME_FLAT where no band matches. */
void gf_tariff_band_at(const struct gf_tariff_terms *plan, uint32_t minute, bool is_weekend,
                       int32_t *name_out, struct gf_price *price_out);

#endif
