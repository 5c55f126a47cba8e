/* Arrears: what is done about unpaid invoices, and when.
 *
 * An account climbs a ladder of stages, OPEN, DUE, GRACE, OD30, OD60, OD90, WRITE_OFF, one step at
 * a time, each with an alert and at least the notice between two. How far it may climb is worked
 * out anew each time from the ledger and the time, so a timer that fires early or twice does
 * nothing and one that fires late does what is due. It comes down silently when the oldest debt is
 * paid, and with RESOLVED when all that is overdue is paid.
 *
 * Side states stop the ladder: DISPUTE (an invoice is disputed), PROTECTED (vulnerable, medical,
 * winter, collection hold) and PLAN (payment plan). While one holds there is no DUE, ESCALATION or
 * WRITE_OFF, and no late fee for that time: the step it stopped is said once, as HELD.
 *
 * Days are counted by the customer's wall clock: "30 days overdue" is the same hour, 30 local days
 * later. */
#ifndef GF_OPERATOR_ARREARS_ARREARS_H
#define GF_OPERATOR_ARREARS_ARREARS_H

#include <assert.h>
#include <stdint.h>

#include "base/param.h"
#include "operator/operator.h"

#define GF_ARREARS_LADDER_COUNT_MAX 8
#define GF_ARREARS_MEASURE_SIZE     32

struct gf_arrears_step {
    int32_t stage;      /* index into gf_arrears_stage_choices: enum gf_arrears_stage -
                           GF_ARREARS_STAGE_DUE */
    int64_t after_days; /* since the due date of the oldest open invoice */
    char measure[GF_ARREARS_MEASURE_SIZE];
};

enum gf_arrears_reminded { GF_ARREARS_REMIND_NONE, GF_ARREARS_REMIND_RISKY, GF_ARREARS_REMIND_ALL };

struct gf_arrears_params {
    struct gf_arrears_step ladder[GF_ARREARS_LADDER_COUNT_MAX]; /* mildest first */
    uint32_t ladder_count;
    int64_t notice_days; /* between two steps */
    int64_t pre_due_days;
    int32_t pre_due_grades; /* enum gf_arrears_reminded */
    char pre_due_measure[GF_ARREARS_MEASURE_SIZE];
    int64_t fee_permille_residential, fee_permille_other,
        fee_permille_other_next_year; /* of the overdue amount, a day */
    struct gf_money fee_min;
    int64_t fee_cap_permille;                   /* of the overdue amount */
    int64_t grade_a, grade_b, grade_c, grade_d; /* points from which a grade begins */
    int64_t history_min;                        /* payments; fewer say nothing */
};

struct gf_arrears_state {
    int64_t decided_us;      /* newest time decided at; an older event is judged at this time */
    int64_t step_us;         /* last step up the ladder; 0: none in this episode */
    uint32_t reminded_due_s; /* due time of the newest invoice a reminder was considered for */
    uint16_t alerts;         /* alerts so far, wraps; makes their ids differ */
    uint8_t position;        /* 0 OPEN, else rows of the ladder climbed */
    uint8_t is_in_episode;   /* an alert other than PRE_DUE stands unresolved */
    uint8_t is_held_said;    /* HELD was said of the hold that is on */
    char currency[4];        /* of the last invoice or payment, NUL-padded */
    uint8_t reserved[3];
};
static_assert(sizeof(struct gf_arrears_state) == 32, "arrears part of the state record");

#define GF_ARREARS_PARAM_COUNT 15
extern const struct gf_param gf_arrears_param_rows[GF_ARREARS_PARAM_COUNT];
extern const char *const gf_arrears_stage_choices[];
extern const struct gf_operator gf_op_arrears;

/* `days` local days after `from`, at the same time of day. */
struct gf_time gf_arrears_days_after(const struct gf_zone *zone, struct gf_time from, int64_t days);
/* Whole local days from `from` to `to`; 0 when `to` is earlier. */
int64_t gf_arrears_days_between(const struct gf_zone *zone, struct gf_time from, struct gf_time to);

/* The side state at `time`, enum gf_arrears_hold; a dispute goes before a protection, a protection
 * before a plan. */
int32_t gf_arrears_hold(const struct gf_features *features, struct gf_time time);

#endif
