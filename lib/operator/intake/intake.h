/* Intake: sends a head-end's reading on to the customer whose contract has the meter at the
 * reading's time. Kept of a meter: the last periods in which contracts had it.
 *
 * A newer version of a customer's contract replaces the customer's periods; one that joins without
 * a gap keeps the earlier beginning. Where two customers have the meter at once, the one who came
 * later has it. */
#ifndef GF_OPERATOR_INTAKE_INTAKE_H
#define GF_OPERATOR_INTAKE_INTAKE_H

#include <assert.h>
#include <stdint.h>

#include "operator/operator.h"

#define GF_INTAKE_PERIOD_COUNT_MAX 24

struct gf_intake_period {
    uint8_t customer[GF_ENTITY_KEY_SIZE_MAX];
    uint32_t customer_size;
    int32_t version;        /* of the contract */
    int64_t from_us, to_us; /* half open; to_us GF_TIME_US_MAX when open */
};

struct gf_intake_state {
    uint32_t count;
    uint32_t reserved;
    struct gf_intake_period periods[GF_INTAKE_PERIOD_COUNT_MAX]; /* by from_us, then customer */
};
static_assert(sizeof(struct gf_intake_period) == 64, "no padding: its bytes are checksummed");
static_assert(sizeof(struct gf_intake_state) <= 1992, "state of a meter");

extern const struct gf_operator gf_op_intake;

#endif
