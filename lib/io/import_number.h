/* Numbers and units of an import, exactly: text in, scaled integer out, no float between.
 *
 * A number is read as digits, times the factor of its unit (or of `scale`), times a power of ten,
 * and rounded once, half to even. "13.78" EUR/MWh is 1378000 (1e-8 EUR/kWh). Exponents are read
 * ("1.5e-05"), since table programs write them. */
#ifndef GF_IO_IMPORT_NUMBER_H
#define GF_IO_IMPORT_NUMBER_H

#include "base/error.h"
#include "codec/type.h"

/* How a text becomes a scaled integer: value = number * factor * 10^shift. */
struct gf_import_number {
    int64_t factor;
    int shift;
    char decimal_mark;
    bool must_be_whole; /* counts and bits: a fraction is an error, not something to round */
};

/* Errors: GF_E_BAD_FIELD (not a number, not finite, not whole), GF_E_RANGE. `out` is then
 * untouched. */
GF_MUST_USE enum gf_rc gf_import_number_parse(const struct gf_import_number *number,
                                              const char *text, size_t size, int64_t *out);

/* Multiplies by a positive decimal ("0.25"). Errors: GF_E_BAD_FIELD, GF_E_RANGE. */
GF_MUST_USE enum gf_rc gf_import_number_scale(struct gf_import_number *number, const char *text,
                                              size_t size);

/* What `unit` does to a field of this type ("Wh" to kWh, "EUR/MWh" to currency/kWh). `currency_out`
 * is the currency that the unit names, or "". Errors: GF_E_BAD_FIELD. */
#define GF_IMPORT_CURRENCY_SIZE 4
GF_MUST_USE enum gf_rc gf_import_unit_apply(const struct gf_type *type, const char *unit,
                                            struct gf_import_number *number,
                                            char currency_out[GF_IMPORT_CURRENCY_SIZE]);

/* "kWh, Wh, MWh or GWh": the units there are for a field; NULL when it has none. */
const char *gf_import_unit_choice(const struct gf_type *type);

#endif
