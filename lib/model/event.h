/* An event: a decoded input, ready to be folded. Everything it points to lives until the end of its
 * batch. */
#ifndef GF_MODEL_EVENT_H
#define GF_MODEL_EVENT_H

#include "model/record.h"
#include "model/records.h"

struct gf_event {
    int32_t topic; /* enum gf_topic; says what `body` is */
    uint32_t partition;
    int64_t offset;
    struct gf_time event_time;
    struct gf_span key; /* customer, or the zone or tariff of a reference record */
    uint64_t key_hash;
    const void *body; /* const struct gf_meter_reading *, … */
    const struct gf_record *record;
};

/* The time an input is about: when a price was published, an invoice issued, an interval ended.
 * `body` is the struct of `topic`. Errors: GF_E_BAD_FIELD when it is outside [1970, 2200) or an
 * interval is not one of 300..86,400 s. */
GF_MUST_USE enum gf_rc gf_event_time(enum gf_topic topic, const void *body, struct gf_time *out,
                                     struct gf_error *error);

#endif
