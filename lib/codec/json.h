/* JSON of any record, for people and for tests: walks the type tables, so every topic prints
 * without code of its own.
 *
 * Keys are the schema's field names, in its order. Times are RFC 3339 in UTC (a plain number where
 * the time is outside [1970, 2200), null for GF_TIME_NONE), enums their symbols, bytes and fixeds
 * hex, NaN and infinities null. What is not UTF-8 in a string comes out as U+FFFD, byte by byte. */
#ifndef GF_CODEC_JSON_H
#define GF_CODEC_JSON_H

#include <stddef.h>

#include "codec/type.h"

/* Like snprintf: returns the length that the whole text has, ends `out` with NUL (when `size` > 0),
 * and cuts it, between characters, where it does not fit. Scaled integers stay what they are on the
 * wire: "energy_micro_kwh":1250000. */
size_t gf_json_print(const struct gf_type *type, const void *value, char *out, size_t size);

/* The same, but numbers with a unit become texts for reading: "energy_micro_kwh":"1.25 kWh". An
 * amount of money has its decimals only, since its currency is another field of the record; a price
 * is "0.125 per kWh".
 */
size_t gf_json_print_human(const struct gf_type *type, const void *value, char *out, size_t size);

#endif
