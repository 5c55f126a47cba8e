/* Tariff: the price of one tariff in one area for the next slots, moved with the wholesale price,
 * the load and the renewables, inside guard-rails. Never the price of a person.
 * docs/operators/tariff.md tells it at length.
 *
 * A slot is a stretch of one market interval, or of several where they are shorter than `dwell`;
 * slots lie on the local day. An adjustment is the price of exactly one slot. A slot without one,
 * or whose newest version says RETURN, has the plan's own price, so when gridfold falls silent
 * every price falls back to the plan: nothing has to be taken back, and no timer is needed. Only
 * differences from what was announced are emitted.
 *
 * A slot is decided when its own prices are all known (day-ahead markets), and again by a newer
 * version of one; else, in markets whose prices are known only when they hold, by the last price
 * that still leaves the notice. A supply record decides a slot with known prices that has no
 * adjustment yet.
 *
 * The policy picks one of at most nine factors; it may use doubles. The price is the band's price
 * times that factor, in exact arithmetic, and then passes the guard-rails (guard.h). A FREEZE emits
 * nothing; a KILL_SWITCH withdraws (RETURN) what is announced and leaves the notice, then emits
 * nothing. A new version of the plan withdraws likewise. */
#ifndef GF_OPERATOR_TARIFF_TARIFF_H
#define GF_OPERATOR_TARIFF_TARIFF_H

#include "operator/operator.h"

#define GF_TARIFF_FACTOR_COUNT_MAX 9

struct gf_tariff_factor {
    int64_t factor_ppm; /* millionths of the band's price */
};

struct gf_tariff_params {
    /* policy */
    struct gf_duration history, history_min;
    double cheap_rank, dear_rank, surge_share, surge_rank, load_peak, high_peak;
    int64_t spread_ppm;
    struct gf_tariff_factor factors[GF_TARIFF_FACTOR_COUNT_MAX];
    uint32_t factor_count;
    /* guard-rails */
    struct gf_duration notice, dwell;
    struct gf_price floor, cap;
    int64_t band_ratio_max_ppm, step_ppm, changes_per_day_max;
    bool is_binding;
};

extern const struct gf_operator gf_op_tariff;

#endif
