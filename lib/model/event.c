#include <assert.h>

#include "model/event.h"

#define INTERVAL_S_MIN 300
#define INTERVAL_S_MAX 86400

/* A reading's time is when it could be known: the end of its interval. */
static enum gf_rc
reading_time(const struct gf_meter_reading *reading, struct gf_time *out, struct gf_error *error)
{
    const int32_t interval_s = reading->interval_s;
    if (reading->kind == GF_READING_KIND_REGISTER) {
        *out = reading->interval_start;
        return GF_OK;
    }
    if (reading->kind != GF_READING_KIND_INTERVAL) {
        return gf_fail(error, GF_E_BAD_FIELD, "kind: neither INTERVAL nor REGISTER");
    }
    if (interval_s < INTERVAL_S_MIN || interval_s > INTERVAL_S_MAX ||
        INTERVAL_S_MAX % interval_s != 0) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "interval_s: %d is not a part of a day from 300 to 86400", interval_s);
    }
    *out = gf_time_add(reading->interval_start, (struct gf_duration){interval_s * GF_US_PER_S});
    return GF_OK;
}

enum gf_rc
gf_event_time(enum gf_topic topic, const void *body, struct gf_time *out, struct gf_error *error)
{
    assert(body != NULL);
    assert(topic < GF_TOPIC_INPUT_COUNT);
    struct gf_time time = GF_TIME_NONE;
    enum gf_rc rc = GF_OK;
    switch ((int)topic) {
    case GF_TOPIC_METER_READINGS:
        rc = reading_time(body, &time, error);
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
