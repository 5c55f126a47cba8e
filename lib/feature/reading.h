/* Reading: what one meter reading does to the features. Called by feature.c alone. */
#ifndef GF_FEATURE_READING_H
#define GF_FEATURE_READING_H

#include "feature/change.h"
#include "feature/feature.h"

/* An interval's energy or, by the next one, a register's stand. Errors: as gf_features_apply. */
GF_MUST_USE enum gf_rc gf_reading_apply(struct gf_features *features,
                                        const struct gf_feature_context *context,
                                        const struct gf_meter_reading *reading,
                                        struct gf_change *change, struct gf_error *error);
/* A stand, not masked: forward, rollover, exchange or backwards (rule V07). `change` has its time
 * and meter.
 */
GF_MUST_USE enum gf_rc gf_register_apply(struct gf_features *features,
                                         const struct gf_meter_reading *reading,
                                         struct gf_change *change, struct gf_error *error);
/* Remembers an announced exchange. Errors: GF_E_BAD_FIELD. */
GF_MUST_USE enum gf_rc gf_register_exchange(struct gf_features *features,
                                            const struct gf_meter_event *event,
                                            struct gf_change *change, struct gf_error *error);

#endif
