#include "operator/balance/balance.h"

#include <math.h>

#define REASON_COUNT_MAX 4

struct figures {
    bool has_total, has_share;
    struct gf_energy residual;
    double share, completeness;
};

static enum gf_rc
figures_make(const struct gf_balance_state *state, const struct gf_balance_slot *slot,
             struct figures *out)
{
    *out = (struct figures){.has_total = (slot->flags & GF_BALANCE_HAS_TOTAL) != 0};
    const double wanted_s = (double)state->customers * (double)state->interval_s;
    out->completeness = wanted_s > 0 ? (double)slot->covered_s / wanted_s : 0.0;
    if (!out->has_total) {
        return GF_OK;
    }
    const enum gf_rc rc = gf_energy_sub((struct gf_energy){slot->total_micro_kwh},
                                        (struct gf_energy){slot->sum_micro_kwh}, &out->residual);
    out->has_share = slot->total_micro_kwh != 0;
    if (out->has_share) { /* of an area that gives more than it takes, too */
        out->share = (double)out->residual.micro_kwh / fabs((double)slot->total_micro_kwh);
    }
    return rc;
}

static void
reason_add(struct gf_reason *reasons, uint32_t *count, const char *code, double value, double limit)
{
    assert(*count < REASON_COUNT_MAX);
    reasons[(*count)++] =
        (struct gf_reason){.code = gf_span_text(code), .value = value, .limit = limit};
}

/* Status and reasons: one decides, the others are what to keep in mind. */
static int32_t
status_find(const struct gf_balance_params *params, const struct gf_balance_slot *slot,
            const struct figures *figures, struct gf_reason *reasons, uint32_t *count)
{
    int32_t status = GF_BALANCE_STATUS_BALANCED;
    if (figures->has_share && figures->share > params->loss_share_max) {
        status = GF_BALANCE_STATUS_LOSS;
        reason_add(reasons, count, "AREA_LOSS", figures->share, params->loss_share_max);
    } else if (figures->has_share && figures->share < -params->gain_share_max) {
        status = GF_BALANCE_STATUS_GAIN;
        reason_add(reasons, count, "AREA_GAIN", -figures->share, params->gain_share_max);
    }
    if (figures->completeness < params->complete_min) {
        status = GF_BALANCE_STATUS_INCOMPLETE;
        reason_add(reasons, count, "AREA_INCOMPLETE", figures->completeness, params->complete_min);
    }
    if (!figures->has_total) {
        status = GF_BALANCE_STATUS_NO_TOTAL;
        reason_add(reasons, count, "AREA_NO_TOTAL", (double)slot->readings, (double)NAN);
    }
    if ((slot->flags & GF_BALANCE_IS_INEXACT) != 0) {
        reason_add(reasons, count, "AREA_INEXACT", (double)slot->readings, (double)NAN);
    }
    return status;
}

enum gf_rc
balance_emit(const struct gf_view *view, struct gf_balance_state *state, int64_t number,
             struct gf_out *out)
{
    struct gf_balance_slot *const slot = balance_slot(state, number);
    struct figures figures;
    const enum gf_rc rc = figures_make(state, slot, &figures);
    if (rc != GF_OK) {
        return gf_out_fail(out, rc, "total less sum is out of range");
    }
    struct gf_reason reasons[REASON_COUNT_MAX] = {{.value = 0}};
    uint32_t reason_count = 0;
    slot->version = (uint16_t)(slot->version + (slot->version < UINT16_MAX));
    slot->flags = (uint8_t)(slot->flags & ~GF_BALANCE_IS_CHANGED);
    const struct gf_time start = {number * (int64_t)state->interval_s * GF_US_PER_S};
    struct gf_area_balance record = {
        .area_id = view->entity,
        .interval_start = start,
        .interval_s = (int32_t)state->interval_s,
        .version = slot->version,
        .status = status_find(view->params, slot, &figures, reasons, &reason_count),
        .has_total_micro_kwh = figures.has_total,
        .total_micro_kwh = {slot->total_micro_kwh},
        .sum_micro_kwh = {slot->sum_micro_kwh},
        .has_residual_micro_kwh = figures.has_total,
        .residual_micro_kwh = figures.residual,
        .has_residual_share = figures.has_share,
        .residual_share = figures.share,
        .customers = state->customers,
        .readings = (int32_t)slot->readings,
        .estimated = slot->estimated,
        .completeness = figures.completeness,
        .is_exact = (slot->flags & GF_BALANCE_IS_INEXACT) == 0,
        .decided_at = view->now,
    };
    record.reasons.items = reasons;
    record.reasons.count = reason_count;
    gf_record_id("area.balance", view->entity, start, slot->version, record.record_id);
    return gf_out_emit(out, GF_TOPIC_AREA_BALANCE, &record);
}
