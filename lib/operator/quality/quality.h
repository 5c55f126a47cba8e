/* Quality: says on `data.quality` what was odd about a customer's data and what was done with it.
 *
 * The features have decided already: a conflict is kept out, a replaced value corrected, a gap
 * masked. This operator turns `struct gf_change` into records, once each, so that a person can see
 * why a figure is what it is. Rules are those of docs/vee.md. Rules that a broken meter would
 * repeat at every slot (V06, V16, V21, UNKNOWN_METER) make one record a local day; its `count`
 * includes those held back since the record before.
 */
#ifndef GF_OPERATOR_QUALITY_QUALITY_H
#define GF_OPERATOR_QUALITY_QUALITY_H

#include <assert.h>
#include <stdint.h>

#include "base/param.h"
#include "operator/operator.h"

struct gf_quality_params {
    double
        capacity_factor; /* V16: above so many times the contracted demand a value is impossible */
    struct gf_duration
        late_after;             /* V26: a first value that comes later than this is a correction */
    int64_t contract_wait_days; /* V12: readings without a contract for so many days */
    int64_t gap_slots_min;      /* V02: shorter gaps are not worth a record */
};

enum gf_quality_limited {
    GF_QUALITY_LIMITED_NEGATIVE,
    GF_QUALITY_LIMITED_CAPACITY,
    GF_QUALITY_LIMITED_STATUS,
    GF_QUALITY_LIMITED_UNKNOWN_METER,
    GF_QUALITY_LIMITED_COUNT,
};

struct gf_quality_state {
    struct {
        uint16_t day;       /* low half of (local day of the last record + 1); 0: none yet */
        uint16_t held_back; /* records held back since; saturates */
    } limited[GF_QUALITY_LIMITED_COUNT];
    int32_t without_contract_day; /* local day of the first reading without a contract, + 1; 0: has
                                     one */
    uint16_t replaced;            /* values replaced so far, wraps; tells A to B to A to B apart */
    uint8_t without_contract_said;
    uint8_t reserved;
};
static_assert(sizeof(struct gf_quality_state) == 24, "quality part of the state record");

extern const struct gf_operator gf_op_quality;

#endif
