#include "state/reference.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "state/reference_private.h"

#define INTERVAL_S_MIN 300
#define INTERVAL_S_MAX 86400

static_assert(offsetof(struct gf_price_tick, start) == offsetof(struct series_item, start),
              "is a series item");
static_assert(offsetof(struct gf_price_tick, interval_s) ==
                  offsetof(struct series_item, interval_s),
              "likewise");
static_assert(offsetof(struct supply_item, supply.start) == offsetof(struct series_item, start),
              "likewise");
static_assert(offsetof(struct supply_item, supply.interval_s) ==
                  offsetof(struct series_item, interval_s),
              "likewise");

static size_t
size_aligned(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

static size_t
prices_size(const struct gf_reference_options *options)
{
    return size_aligned((size_t)options->prices_per_zone_max * sizeof(struct gf_price_tick));
}

static size_t
supplies_size(const struct gf_reference_options *options)
{
    return size_aligned((size_t)options->supplies_per_zone_max * sizeof(struct supply_item));
}

size_t
gf_reference_size(const struct gf_reference_options *options)
{
    return size_aligned(sizeof(struct gf_reference)) +
           GF_REFERENCE_ZONE_COUNT_MAX * (prices_size(options) + supplies_size(options));
}

struct gf_reference *
gf_reference_init(void *memory, const struct gf_reference_options *options)
{
    assert(((uintptr_t)memory & 63) == 0);
    assert(options->prices_per_zone_max > 0);
    assert(options->supplies_per_zone_max > 0);
    struct gf_reference *const reference = memory;
    memset(
        reference, 0,
        sizeof *reference); /* the rings stay untouched, so their pages cost nothing until used */
    reference->memos = &reference->memo_table;
    uint8_t *next = (uint8_t *)memory + size_aligned(sizeof *reference);
    for (uint32_t i = 0; i < GF_REFERENCE_ZONE_COUNT_MAX; i++) {
        reference->zones[i].prices = (struct series){.items = next,
                                                     .item_size = sizeof(struct gf_price_tick),
                                                     .capacity = options->prices_per_zone_max};
        next += prices_size(options);
        reference->zones[i].supplies = (struct series){.items = next,
                                                       .item_size = sizeof(struct supply_item),
                                                       .capacity = options->supplies_per_zone_max};
        next += supplies_size(options);
    }
    assert((size_t)(next - (uint8_t *)memory) == gf_reference_size(options));
    return reference;
}

/* ---- fields ---- */

bool
reference_id_copy(char *out, size_t size, struct gf_span id)
{
    if (id.size == 0 || id.size >= size) {
        return false;
    }
    for (uint32_t i = 0; i < id.size; i++) {
        if (id.data[i] <= ' ' || id.data[i] == '|' || id.data[i] == 0x7f) {
            return false;
        }
    }
    memset(out, 0, size);
    memcpy(out, id.data, id.size);
    return true;
}

bool
reference_id_equal(const char *id, size_t size, struct gf_span other)
{
    return other.size > 0 && other.size < size && id[other.size] == '\0' &&
           memcmp(id, other.data, other.size) == 0;
}

bool
reference_currency_copy(char out[4], struct gf_span currency)
{
    if (currency.size != 3) {
        return false;
    }
    for (uint32_t i = 0; i < 3; i++) {
        if (currency.data[i] < 'A' || currency.data[i] > 'Z') {
            return false;
        }
    }
    memcpy(out, currency.data, 3);
    out[3] = '\0';
    return true;
}

bool
reference_price_is_sane(struct gf_price price)
{
    return price.e8_per_kwh >= -REFERENCE_PRICE_E8_MAX &&
           price.e8_per_kwh <= REFERENCE_PRICE_E8_MAX;
}

/* Whole minutes, so that local minutes of the day are exact, and a length that parts a day evenly.
 */
static enum gf_rc
interval_check(struct gf_time start, int32_t interval_s, struct gf_error *error)
{
    if (!gf_time_is_valid(start) || start.us % GF_US_PER_MINUTE != 0) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "interval_start: must be a whole minute from 1970 to 2199");
    }
    if (interval_s < INTERVAL_S_MIN || interval_s > INTERVAL_S_MAX || interval_s % 60 != 0 ||
        INTERVAL_S_MAX % interval_s != 0) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "interval_s %d: must be 300 to 86400 and part a day evenly", interval_s);
    }
    return GF_OK;
}

/* ---- zones ---- */

static struct reference_zone *
zone_find(const struct gf_reference *reference, struct gf_span id)
{
    for (uint32_t i = 0; i < reference->zone_count; i++) {
        if (reference_id_equal(reference->zones[i].id, GF_ZONE_ID_SIZE, id)) {
            return (struct reference_zone *)&reference->zones[i];
        }
    }
    return NULL;
}

/* The zone's table, made when it is new. Errors: GF_E_BAD_FIELD, GF_E_FULL. */
static enum gf_rc
zone_need(struct gf_reference *reference, struct gf_span id, struct reference_zone **out,
          struct gf_error *error)
{
    *out = zone_find(reference, id);
    if (*out != NULL) {
        return GF_OK;
    }
    char copy[GF_ZONE_ID_SIZE];
    if (!reference_id_copy(copy, sizeof copy, id)) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "zone: must have 1 to %d bytes without blanks and '|'", GF_ZONE_ID_SIZE - 1);
    }
    if (reference->zone_count == GF_REFERENCE_ZONE_COUNT_MAX) {
        return gf_fail(error, GF_E_FULL, "zone %s: %d zones are known already, no more fit", copy,
                       GF_REFERENCE_ZONE_COUNT_MAX);
    }
    *out = &reference->zones[reference->zone_count++];
    memcpy((*out)->id, copy, sizeof copy);
    return GF_OK;
}

/* ---- prices ---- */

static enum gf_rc
price_apply(struct gf_reference *reference, const struct gf_market_price *record,
            enum gf_reference_effect *effect_out, struct gf_error *error)
{
    struct gf_price_tick tick = {.start = record->interval_start,
                                 .interval_s = record->interval_s,
                                 .version = record->version,
                                 .price = record->price_e8_per_kwh,
                                 .published_at = record->published_at};
    enum gf_rc rc = interval_check(tick.start, tick.interval_s, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (!reference_price_is_sane(tick.price)) {
        return gf_fail(error, GF_E_BAD_FIELD, "price_e8_per_kwh %lld: beyond 1,000,000 per kWh",
                       (long long)tick.price.e8_per_kwh);
    }
    if (!reference_currency_copy(tick.currency, record->currency)) {
        return gf_fail(error, GF_E_BAD_FIELD, "currency: must be three capital letters (ISO 4217)");
    }
    if (tick.version < 1) {
        return gf_fail(error, GF_E_BAD_FIELD, "version %d: counts from 1", tick.version);
    }
    struct reference_zone *zone = NULL;
    rc = zone_need(reference, record->zone, &zone, error);
    if (rc != GF_OK) {
        return rc;
    }
    bool is_new = false;
    struct gf_price_tick *const place = (struct gf_price_tick *)(void *)series_need(
        &zone->prices, tick.start, tick.interval_s, &is_new);
    if (place == NULL || (!is_new && place->version >= tick.version)) {
        return GF_OK; /* older than all the ring can hold, or an older version */
    }
    *place = tick;
    series_note_interval(&zone->prices, tick.interval_s);
    reference->revision++;
    *effect_out = GF_REFERENCE_CHANGED;
    return GF_OK;
}

const struct gf_price_tick *
gf_reference_price(const struct gf_reference *reference, struct gf_span zone_id,
                   struct gf_time time)
{
    const struct reference_zone *const zone = zone_find(reference, zone_id);
    if (zone == NULL || !gf_time_is_valid(time)) {
        return NULL;
    }
    return (const struct gf_price_tick *)(const void *)series_holding(&zone->prices, time);
}

static bool
memo_answers(const struct rank_memo *memo, const struct rank_memo *question)
{
    return memo->revision == question->revision && memo->zone_index == question->zone_index &&
           memo->from.us == question->from.us && memo->to.us == question->to.us &&
           memo->price.e8_per_kwh == question->price.e8_per_kwh;
}

void
gf_reference_price_rank(const struct gf_reference *reference, struct gf_span zone_id,
                        struct gf_time from, struct gf_time to, struct gf_price price,
                        uint32_t *count_out, uint32_t *cheaper_out)
{
    *count_out = 0;
    *cheaper_out = 0;
    const struct reference_zone *const zone = zone_find(reference, zone_id);
    if (zone == NULL || zone->prices.count == 0 || to.us <= from.us) {
        return;
    }
    struct rank_memo question = {.revision = reference->revision,
                                 .zone_index = (uint32_t)(zone - reference->zones),
                                 .from = from,
                                 .to = to,
                                 .price = price};
    struct memo_table *const memos = reference->memos;
    for (uint32_t i = 0; i < REFERENCE_MEMO_COUNT; i++) {
        if (memo_answers(&memos->items[i], &question)) {
            *count_out = memos->items[i].count;
            *cheaper_out = memos->items[i].cheaper;
            return;
        }
    }
    const uint32_t begin = series_count_before(&zone->prices, from);
    const uint32_t end = series_count_before(&zone->prices, to);
    for (uint32_t i = begin; i < end; i++) {
        const struct gf_price_tick *const tick = (const void *)series_at(&zone->prices, i);
        question.cheaper += tick->price.e8_per_kwh < price.e8_per_kwh;
    }
    question.count = end - begin;
    *count_out = question.count;
    *cheaper_out = question.cheaper;
    memos->items[memos->next] = question;
    memos->next = (memos->next + 1) % REFERENCE_MEMO_COUNT;
}

/* ---- supply ---- */

static bool
power_is_sane(bool has, int64_t kw)
{
    return !has || (kw >= 0 && kw <= INT64_C(1000000000000));
}

/* A record with nulls does not unsay what an earlier one said; a forecast does not replace an
 * actual. */
static void
supply_merge(struct supply_item *item, const struct gf_supply_state *record)
{
    struct gf_supply *const supply = &item->supply;
    if (record->has_demand_kw) {
        supply->has_demand = true;
        supply->demand_kw = record->demand_kw;
    }
    if (record->has_capacity_kw) {
        supply->has_capacity = true;
        supply->capacity_kw = record->capacity_kw;
    }
    if (record->has_renewable_actual_kw) {
        supply->has_renewable = true;
        supply->renewable_kw = record->renewable_actual_kw;
        item->renewable_is_actual = true;
    } else if (record->has_renewable_forecast_kw && !item->renewable_is_actual) {
        supply->has_renewable = true;
        supply->renewable_kw = record->renewable_forecast_kw;
    }
    supply->interval_s = record->interval_s;
    supply->published_at = record->published_at;
}

static enum gf_rc
supply_apply(struct gf_reference *reference, const struct gf_supply_state *record,
             enum gf_reference_effect *effect_out, struct gf_error *error)
{
    enum gf_rc rc = interval_check(record->interval_start, record->interval_s, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (!power_is_sane(record->has_demand_kw, record->demand_kw) ||
        !power_is_sane(record->has_capacity_kw, record->capacity_kw) ||
        !power_is_sane(record->has_renewable_forecast_kw, record->renewable_forecast_kw) ||
        !power_is_sane(record->has_renewable_actual_kw, record->renewable_actual_kw)) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "demand, capacity and renewables: must be 0 to 1e12 kW");
    }
    struct reference_zone *zone = NULL;
    rc = zone_need(reference, record->zone, &zone, error);
    if (rc != GF_OK) {
        return rc;
    }
    bool is_new = false;
    struct supply_item *const item = (struct supply_item *)(void *)series_need(
        &zone->supplies, record->interval_start, record->interval_s, &is_new);
    if (item == NULL || (!is_new && record->published_at.us < item->supply.published_at.us)) {
        return GF_OK;
    }
    supply_merge(item, record);
    series_note_interval(&zone->supplies, record->interval_s);
    *effect_out = GF_REFERENCE_CHANGED;
    return GF_OK;
}

const struct gf_supply *
gf_reference_supply(const struct gf_reference *reference, struct gf_span zone_id,
                    struct gf_time time)
{
    const struct reference_zone *const zone = zone_find(reference, zone_id);
    if (zone == NULL || !gf_time_is_valid(time)) {
        return NULL;
    }
    const struct supply_item *const item = (const void *)series_holding(&zone->supplies, time);
    return item == NULL ? NULL : &item->supply;
}

enum gf_rc
gf_reference_apply(struct gf_reference *reference, const struct gf_event *event,
                   enum gf_reference_effect *effect_out, struct gf_error *error)
{
    *effect_out = GF_REFERENCE_IGNORED;
    switch (event->topic) {
    case GF_TOPIC_MARKET_PRICES:
        return price_apply(reference, event->body, effect_out, error);
    case GF_TOPIC_SUPPLY_STATE:
        return supply_apply(reference, event->body, effect_out, error);
    case GF_TOPIC_TARIFF_PLANS:
        return reference_plan_apply(reference, event->body, effect_out, error);
    case GF_TOPIC_CONTROL:
        return reference_control_apply(reference, event->body, effect_out, error);
    default: /* a topic of customers */
        return GF_OK;
    }
}
