/* Balance: what the transformer of an area gave against what its customers took, interval by
 * interval, on `area.balance`.
 *
 * An interval is closed when shard time is past its end by close_after; what comes later is
 * gathered for revise_after and makes the next version. 48 intervals are kept; values of older ones
 * are LATE. docs/operators/balance.md is the whole rule. */
#ifndef GF_OPERATOR_BALANCE_BALANCE_H
#define GF_OPERATOR_BALANCE_BALANCE_H

#include <assert.h>
#include <stdint.h>

#include "operator/operator.h"

#define GF_BALANCE_SLOT_COUNT 48

struct gf_balance_params {
    int32_t interval; /* index into the choices of the parameter */
    struct gf_duration close_after, revise_after;
    double complete_min;
    double loss_share_max, gain_share_max;
};

enum gf_balance_flag {
    GF_BALANCE_HAS_TOTAL = 1,
    GF_BALANCE_IS_INEXACT = 2,
    GF_BALANCE_IS_CHANGED = 4, /* since its last record */
    GF_BALANCE_IS_USED = 8,    /* anything came for it */
};

struct gf_balance_slot {
    int64_t sum_micro_kwh, total_micro_kwh;
    uint32_t covered_s; /* seconds that values cover, of all customers together */
    uint32_t readings;
    int32_t estimated;
    uint16_t version; /* of the last record; 0: none yet */
    uint8_t flags;    /* enum gf_balance_flag */
    uint8_t reserved;
};
static_assert(sizeof(struct gf_balance_slot) == 32, "no padding: its bytes are checksummed");

struct gf_balance_state {
    int64_t newest;      /* number (start / interval) of the newest slot */
    int64_t closed_end;  /* slots before this one are closed */
    uint32_t interval_s; /* of the slots; 0: none yet */
    int32_t customers;
    uint8_t has_close_timer, has_revise_timer;
    uint8_t reserved[6];
    struct gf_balance_slot slots[GF_BALANCE_SLOT_COUNT]; /* ring by number */
};
static_assert(sizeof(struct gf_balance_state) <= 1992, "state of an area");

extern const struct gf_operator gf_op_balance;

/* ---- inside the operator ---- */

/* Writes the next version of a slot (record.c). */
GF_MUST_USE enum gf_rc balance_emit(const struct gf_view *view, struct gf_balance_state *state,
                                    int64_t number, struct gf_out *out);

static inline struct gf_balance_slot *
balance_slot(struct gf_balance_state *state, int64_t number)
{
    assert(number >= 0); /* event times are after 1970 */
    return &state->slots[number % GF_BALANCE_SLOT_COUNT];
}

#endif
