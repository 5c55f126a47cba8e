/* Units: one struct each, so that the compiler refuses to add money to energy, or a time to a
 * duration.
 *
 * Scales are those of the wire: energy in 1e-6 kWh, prices in 1e-8 of the currency per kWh, money
 * in 1e-6 of the currency, all int64, so 4-decimal kWh and 4-decimal prices per MWh are exact.
 * Arithmetic is checked: overflow is GF_E_RANGE, never a wrap. A product is made in 128 bits and
 * rounded once, half to even. */
#ifndef GF_BASE_UNIT_H
#define GF_BASE_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct gf_time {
    int64_t us;
}; /* event time: microseconds since 1970-01-01T00:00:00Z */
struct gf_duration {
    int64_t us;
};
struct gf_money {
    int64_t micro;
}; /* millionths of the account's currency */
struct gf_energy {
    int64_t micro_kwh;
}; /* millionths of a kWh; negative is export */
struct gf_price {
    int64_t e8_per_kwh;
}; /* 1e-8 of the currency per kWh */

#define GF_US_PER_S      INT64_C(1000000)
#define GF_US_PER_MINUTE (60 * GF_US_PER_S)
#define GF_US_PER_HOUR   (3600 * GF_US_PER_S)
#define GF_US_PER_DAY    (86400 * GF_US_PER_S)

/* No event is dated outside [1970, 2200): keeps every sum of two times inside int64. */
#define GF_TIME_US_MAX INT64_C(7258118400000000)
/* The time before all times: a shard's time before its first event. */
#define GF_TIME_NONE ((struct gf_time){INT64_MIN})

static inline bool
gf_time_is_none(struct gf_time time)
{
    return time.us == INT64_MIN;
}
static inline bool
gf_time_is_valid(struct gf_time time)
{
    return time.us >= 0 && time.us < GF_TIME_US_MAX;
}

static inline int
gf_time_compare(struct gf_time a, struct gf_time b)
{
    return (a.us > b.us) - (a.us < b.us);
}

static inline struct gf_time
gf_time_max(struct gf_time a, struct gf_time b)
{
    return a.us > b.us ? a : b;
}

/* Saturates at the ends of int64 instead of wrapping; both ends are far outside GF_TIME_US_MAX. */
static inline struct gf_time
gf_time_add(struct gf_time time, struct gf_duration duration)
{
    int64_t sum = 0;
    if (__builtin_add_overflow(time.us, duration.us, &sum)) {
        sum = duration.us < 0 ? INT64_MIN : INT64_MAX;
    }
    return (struct gf_time){sum};
}

static inline struct gf_time
gf_time_sub(struct gf_time time, struct gf_duration duration)
{
    int64_t difference = 0;
    if (__builtin_sub_overflow(time.us, duration.us, &difference)) {
        difference = duration.us > 0 ? INT64_MIN : INT64_MAX;
    }
    return (struct gf_time){difference};
}

/* Errors of all four: GF_E_RANGE when the result leaves int64; `out` is then untouched. */
GF_MUST_USE enum gf_rc gf_money_add(struct gf_money a, struct gf_money b, struct gf_money *out);
GF_MUST_USE enum gf_rc gf_money_sub(struct gf_money a, struct gf_money b, struct gf_money *out);
GF_MUST_USE enum gf_rc gf_energy_add(struct gf_energy a, struct gf_energy b, struct gf_energy *out);
GF_MUST_USE enum gf_rc gf_energy_sub(struct gf_energy a, struct gf_energy b, struct gf_energy *out);

/* `value` * `numerator` / `denominator` in 128 bits, rounded half to even. `denominator` > 0.
 * Errors: GF_E_RANGE when the result leaves int64; `out` is then untouched. */
GF_MUST_USE enum gf_rc gf_muldiv(int64_t value, int64_t numerator, int64_t denominator,
                                 int64_t *out);

/* Prices `used` at `price`, rounded half to even to a whole micro.
 * Errors: GF_E_RANGE when the amount leaves int64; `out` is then untouched. */
GF_MUST_USE enum gf_rc gf_price_apply(struct gf_price price, struct gf_energy used,
                                      struct gf_money *out);

/* `micro` rounded half to even to whole hundredths of the currency (10,000 micro). */
struct gf_money gf_money_round_cent(struct gf_money money);

/* Reads a decimal number ("-12.3450", "1e3" is refused) as an integer scaled by 10^scale; digits
 * beyond the scale are rounded half to even. Errors: GF_E_BAD_FIELD (not a number), GF_E_RANGE.
 * `out` is untouched on error. */
GF_MUST_USE enum gf_rc gf_decimal_parse(const char *text, size_t size, int scale, int64_t *out);

/* Writes `value` / 10^scale with the decimals it needs, at least `decimals_min` ("120.00"); returns
 * the length, 0 when it does not fit. Ends with NUL. */
#define GF_DECIMAL_SIZE 32
size_t gf_decimal_print(int64_t value, int scale, int decimals_min, char *out, size_t size);

#endif
