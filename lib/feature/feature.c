#include <math.h>
#include <stddef.h>
#include <string.h>

#include "feature/reading.h"

#define PARAM(field, kind, text_unit, text, low, high, sentence)                                   \
    {                                                                                              \
        .name = #field, .doc = sentence, .unit = text_unit, .type = kind,                          \
        .offset = offsetof(struct gf_feature_params, field),                                       \
        .size = sizeof(((struct gf_feature_params *)0)->field), .initial = text, .min = low,       \
        .max = high, .is_fold = true,                                                              \
    }

const struct gf_param gf_feature_param_rows[] = {
    PARAM(profile_alpha, GF_PARAM_REAL, NULL, "0.05", 0.0001, 1,
          "Weight of a new day in the daily profile and the shares; a plain mean until there are "
          "1/weight "
          "days."),
    PARAM(baseline_alpha, GF_PARAM_REAL, NULL, "0.03", 0.0001, 1,
          "Weight of a new day in the level of the seasonal baseline and in the scale of its "
          "residual."),
    PARAM(cusum_k, GF_PARAM_REAL, "scales", "0.5", 0, 10,
          "Allowance of the CUSUM: a drift below this much of the residual's scale is let pass."),
    PARAM(cusum_h, GF_PARAM_REAL, "scales", "12", 0.1, 1000,
          "Sum of residuals at which the CUSUM alarms; 12 gives 426 days between false drop alarms "
          "on London "
          "homes."),
    PARAM(zero_kwh_per_day, GF_PARAM_REAL, "kWh", "0.05", 0, 1000,
          "Below this, a day counts as a day of zero use."),
    PARAM(lateness, GF_PARAM_DURATION, NULL, "48h", 3600, 172800,
          "How long after a reading's interval it may still be corrected; later ones are dead "
          "letters."),
    PARAM(default_zone, GF_PARAM_TEXT, NULL, "UTC", 0, 0,
          "Time zone of a customer without a contract."),
    PARAM(night_from_minute, GF_PARAM_INT, "min", "1320", 0, 1440,
          "Minute of the local day at which the night begins."),
    PARAM(night_to_minute, GF_PARAM_INT, "min", "360", 0, 1440,
          "Minute of the local day at which the night ends."),
};
const uint32_t gf_feature_param_count =
    sizeof gf_feature_param_rows / sizeof gf_feature_param_rows[0];

void
gf_features_init(struct gf_features *features)
{
    memset(features, 0, sizeof *features);
    struct gf_load *const load = &features->load;
    load->last_slot_start_us = INT64_MIN;
    load->day = load->ring_day = INT32_MIN;
    load->exchange_new_start_micro_kwh = GF_EXCHANGE_NONE;
    memset(load->day_ring, 0xff, sizeof load->day_ring);
    memset(load->profile_scale, 0xff, sizeof load->profile_scale);
    features->recent.newest_us = INT64_MIN;
}

/* A new version may list the meters in another order: the last stand stays with its meter. */
static enum gf_rc
contract_take(struct gf_features *features, const struct gf_event *event, struct gf_change *change,
              struct gf_error *error)
{
    char register_id[GF_METER_ID_SIZE] = {0};
    struct gf_load *const load = &features->load;
    if (load->register_meter > 0) {
        memcpy(register_id, features->contract.meters[load->register_meter - 1].id,
               sizeof register_id);
    }
    const enum gf_rc rc = gf_contract_apply(&features->contract, event->body, change, error);
    change->has_contract = gf_contract_is_valid(&features->contract, event->event_time);
    if (rc != GF_OK || load->register_meter == 0) {
        return rc;
    }
    load->register_meter = 0;
    for (uint32_t i = 0; i < features->contract.meter_count; i++) {
        if (memcmp(features->contract.meters[i].id, register_id, sizeof register_id) == 0) {
            load->register_meter = (uint8_t)(i + 1);
        }
    }
    return GF_OK;
}

static enum gf_rc
meter_event_take(struct gf_features *features, const struct gf_meter_event *event,
                 struct gf_change *change, struct gf_error *error)
{
    /* The old meter's time may end with this very event. */
    const struct gf_time before = {event->occurred_at.us - 1};
    change->meter_index = gf_contract_meter(&features->contract, event->meter_id, before);
    return event->code == GF_METER_EVENT_CODE_EXCHANGE
               ? gf_register_exchange(features, event, change, error)
               : GF_OK;
}

static struct gf_span
currency_of(const struct gf_features *features)
{
    return gf_span_text(features->contract.currency);
}

enum gf_rc
gf_features_apply(struct gf_features *features, const struct gf_feature_context *context,
                  const struct gf_event *event, struct gf_change *change_out,
                  struct gf_error *error)
{
    assert(context->params != NULL);
    assert(context->zone != NULL);
    static const struct gf_change nothing = {
        .meter_index = -1,
        .day_expected_kwh = (double)NAN,
        .day_residual = (double)NAN,
    };
    *change_out = nothing;
    change_out->has_contract = gf_contract_is_valid(&features->contract, event->event_time);
    switch (event->topic) {
    case GF_TOPIC_METER_READINGS:
        return gf_reading_apply(features, context, event->body, change_out, error);
    case GF_TOPIC_METER_EVENTS:
        return meter_event_take(features, event->body, change_out, error);
    case GF_TOPIC_CUSTOMER_CONTRACTS:
        return contract_take(features, event, change_out, error);
    case GF_TOPIC_BILLING_INVOICES:
        return gf_account_invoice(&features->account, event->body, currency_of(features),
                                  change_out, error);
    case GF_TOPIC_BILLING_PAYMENTS:
        return gf_account_payment(&features->account, event->body, currency_of(features),
                                  change_out, error);
    default:
        return GF_OK;
    }
}
