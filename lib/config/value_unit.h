/* Units of durations and sizes, shared by reading and printing. */
#ifndef GF_CONFIG_VALUE_UNIT_H
#define GF_CONFIG_VALUE_UNIT_H

#include "base/param.h"

struct gf_unit {
    const char *name;
    int64_t factor;
};

/* From the largest down, as they are printed; end with a NULL name. */
extern const struct gf_unit gf_duration_units[];
extern const struct gf_unit gf_size_units[];

bool gf_value_is_limited(const struct gf_param *row);

#endif
