/* Change: what one event did to the features of its customer. Valid during the event. */
#ifndef GF_FEATURE_CHANGE_H
#define GF_FEATURE_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/unit.h"

enum gf_reading_outcome {
    GF_READING_NONE,      /* the event was no reading */
    GF_READING_NEW,       /* a slot's first value */
    GF_READING_DUPLICATE, /* the same value again: dropped */
    GF_READING_KEPT_OLD,  /* another value of no better quality: a conflict, the old one stays */
    GF_READING_REPLACED, /* another value of better or equal quality replaced it: features corrected
                          */
    GF_READING_LATE_NEW, /* first value of a slot before the newest one */
    GF_READING_REGISTER, /* a register stand */
    GF_READING_EXPORT,   /* another channel than import: counted, no consumption evidence */
};

enum gf_register_step {
    GF_REGISTER_NONE, /* no stand, or the first one */
    GF_REGISTER_FORWARD,
    GF_REGISTER_ROLLOVER,  /* passed 10^digits: plausible by capacity and time (domain rule V07) */
    GF_REGISTER_EXCHANGED, /* another meter, announced by an EXCHANGE event */
    GF_REGISTER_BACKWARDS, /* neither: a tamper sign */
    GF_REGISTER_UNKNOWN_METER, /* stand of a meter the contract does not name */
};

struct gf_change {
    enum gf_reading_outcome outcome;
    bool is_masked; /* estimated, power-fail or invalid: no evidence of anything */
    struct gf_time slot_start;
    int32_t slot_s;
    struct gf_energy value, old_value; /* old_value: REPLACED and KEPT_OLD; exact for intervals of
                                          30 minutes and more */
    bool old_value_is_exact, old_is_masked;
    int32_t meter_index; /* in contract.meters; -1 unknown or no contract */
    uint32_t gap_slots;  /* slots missing between the newest before and this one */
    double demand_kw;    /* mean power of the interval */
    bool has_contract;   /* in force at the event's time */

    bool day_closed; /* the event began a new local day: the figures below are of the day before */
    int32_t day;     /* local day, days since 1970-01-01 */
    double day_kwh, day_expected_kwh,
        day_residual; /* residual in scales; NaN when there is no baseline yet */
    uint32_t day_slots,
        day_slots_expected;    /* clean slots; expected by the day's length (23, 24, 25 h) */
    bool day_is_clean;         /* enough unmasked slots to be evidence */
    bool cusum_up, cusum_down; /* alarms that this day's close raised */
    int32_t cusum_change_day;  /* local day the alarmed drift began */

    enum gf_register_step register_step;
    struct gf_energy register_delta; /* with multiplier; negative for BACKWARDS */

    bool contract_changed;
    bool meter_exchanged;
    /* account */
    bool account_changed;  /* an invoice or payment changed the ledger */
    bool currency_differs; /* an invoice or payment in another currency than the contract's: refused
                            */
};

#endif
