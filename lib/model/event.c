#include <assert.h>

#include "model/event.h"

#define INTERVAL_S_MIN 300
#define INTERVAL_S_MAX 86400

/* A reading's time is when it could be known: the end of its interval. */
static enum gf_rc
interval_time(struct gf_time start, int32_t interval_s, struct gf_time *out, struct gf_error *error)
{
    if (interval_s < INTERVAL_S_MIN || interval_s > INTERVAL_S_MAX ||
        INTERVAL_S_MAX % interval_s != 0) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "interval_s: %d is not a part of a day from 300 to 86400", interval_s);
    }
    *out = gf_time_add(start, (struct gf_duration){interval_s * GF_US_PER_S});
    return GF_OK;
}

static enum gf_rc
reading_time(int32_t kind, struct gf_time start, int32_t interval_s, struct gf_time *out,
             struct gf_error *error)
{
    if (kind == GF_READING_KIND_REGISTER) {
        *out = start;
        return GF_OK;
    }
    if (kind != GF_READING_KIND_INTERVAL) {
        return gf_fail(error, GF_E_BAD_FIELD, "kind: neither INTERVAL nor REGISTER");
    }
    return interval_time(start, interval_s, out, error);
}

/* The topics between the stages, and those that the later ones read. */
static enum gf_rc
stage_time(enum gf_topic topic, const void *body, struct gf_time *out, struct gf_error *error)
{
    if (topic == GF_TOPIC_HEADEND_READINGS) {
        const struct gf_headend_reading *const reading = body;
        return reading_time(reading->kind, reading->interval_start, reading->interval_s, out,
                            error);
    }
    if (topic == GF_TOPIC_INTERNAL_READINGS) {
        const struct gf_internal_reading *const reading = body;
        return reading_time(reading->kind, reading->interval_start, reading->interval_s, out,
                            error);
    }
    if (topic == GF_TOPIC_AREA_TOTALS) {
        const struct gf_area_total *const total = body;
        return interval_time(total->interval_start, total->interval_s, out, error);
    }
    assert(topic == GF_TOPIC_INTERNAL_AREA_READINGS);
    const struct gf_area_reading *const reading = body;
    if (reading->kind == GF_AREA_READING_KIND_MEMBER) {
        *out = reading->interval_start;
        return GF_OK;
    }
    return interval_time(reading->interval_start, reading->interval_s, out, error);
}

enum gf_rc
gf_event_time(enum gf_topic topic, const void *body, struct gf_time *out, struct gf_error *error)
{
    assert(body != NULL);
    assert(topic < GF_TOPIC_READ_COUNT);
    struct gf_time time = GF_TIME_NONE;
    enum gf_rc rc = GF_OK;
    const struct gf_meter_reading *reading = NULL;
    switch ((int)topic) {
    case GF_TOPIC_METER_READINGS:
        reading = body;
        rc =
            reading_time(reading->kind, reading->interval_start, reading->interval_s, &time, error);
        break;
    case GF_TOPIC_METER_EVENTS:
        time = ((const struct gf_meter_event *)body)->occurred_at;
        break;
    case GF_TOPIC_CUSTOMER_CONTRACTS:
        time = ((const struct gf_customer_contract *)body)->issued_at;
        break;
    case GF_TOPIC_BILLING_INVOICES:
        time = ((const struct gf_invoice *)body)->issued_at;
        break;
    case GF_TOPIC_BILLING_PAYMENTS:
        time = ((const struct gf_payment *)body)->received_at;
        break;
    case GF_TOPIC_MARKET_PRICES:
        time = ((const struct gf_market_price *)body)->published_at;
        break;
    case GF_TOPIC_SUPPLY_STATE:
        time = ((const struct gf_supply_state *)body)->published_at;
        break;
    case GF_TOPIC_TARIFF_PLANS:
        time = ((const struct gf_tariff_plan *)body)->published_at;
        break;
    case GF_TOPIC_CONTROL:
        time = ((const struct gf_control *)body)->issued_at;
        break;
    default:
        rc = stage_time(topic, body, &time, error);
        break;
    }
    if (rc != GF_OK) {
        return rc;
    }
    if (!gf_time_is_valid(time)) {
        return gf_fail(error, GF_E_BAD_FIELD, "event time %lld us is outside [1970, 2200)",
                       (long long)time.us);
    }
    *out = time;
    return GF_OK;
}
