/* One value of one parameter: from the text that a person writes to the field of a struct, and
 * back.
 *
 *     duration  90s 15m 48h 30d, also 1h30m, 250ms; `off` where 0 is allowed
 *     size      65536 64KiB 1.5GiB (also kB, MB, GB)
 *     money, price, energy   12.50 and, if wanted, the unit of the row after it: 0.25 EUR/kWh
 *
 * Amounts are read digit by digit into their scaled integers, never by way of a float. */
#ifndef GF_CONFIG_VALUE_H
#define GF_CONFIG_VALUE_H

#include <stdio.h>

#include "base/param.h"

/* Why a text is no value: what is wrong, and what may have been meant (empty: no idea). */
struct gf_value_fault {
    char text[200];
    char help[160];
};

/* Reads `text` into the field of `row` in the struct at `base`; on a fault the field is untouched.
 * TABLE is not for here. */
GF_MUST_USE bool gf_value_read(const struct gf_param *row, const char *text, void *base,
                               struct gf_value_fault *fault);

/* Writes the field so that gf_value_read gives the same again, quoted for YAML where it must be. */
void gf_value_print(const struct gf_param *row, const void *base, FILE *out);

/* A text as YAML, quoted where it must be. */
void gf_text_print(const char *text, FILE *out);

/* What may be written: "1s .. 1h", "one of: auto, canonical"; empty where anything goes. */
void gf_value_limits(const struct gf_param *row, char *out, size_t size);
/* "a duration", "a whole number" … */
const char *gf_value_type_name(enum gf_param_type type);

#endif
