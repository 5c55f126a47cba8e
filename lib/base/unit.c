#include <assert.h>
#include <string.h>

#include "base/unit.h"

__extension__ typedef __int128 unit_i128;

#define UNIT_SCALE_MAX      18
#define UNIT_PRICE_SCALE    INT64_C(100000000)
#define UNIT_MICRO_PER_CENT INT64_C(10000)

static enum gf_rc
i64_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) {
        return GF_E_RANGE;
    }
    *out = sum;
    return GF_OK;
}

static enum gf_rc
i64_sub(int64_t a, int64_t b, int64_t *out)
{
    int64_t difference = 0;
    if (__builtin_sub_overflow(a, b, &difference)) {
        return GF_E_RANGE;
    }
    *out = difference;
    return GF_OK;
}

enum gf_rc
gf_money_add(struct gf_money a, struct gf_money b, struct gf_money *out)
{
    return i64_add(a.micro, b.micro, &out->micro);
}

enum gf_rc
gf_money_sub(struct gf_money a, struct gf_money b, struct gf_money *out)
{
    return i64_sub(a.micro, b.micro, &out->micro);
}

enum gf_rc
gf_energy_add(struct gf_energy a, struct gf_energy b, struct gf_energy *out)
{
    return i64_add(a.micro_kwh, b.micro_kwh, &out->micro_kwh);
}

enum gf_rc
gf_energy_sub(struct gf_energy a, struct gf_energy b, struct gf_energy *out)
{
    return i64_sub(a.micro_kwh, b.micro_kwh, &out->micro_kwh);
}

/* C divides toward zero; this moves the quotient one away from zero where half to even asks for it.
 */
static unit_i128
divide_half_even(unit_i128 value, int64_t denominator)
{
    assert(denominator > 0);
    const unit_i128 quotient = value / denominator;
    const unit_i128 remainder = value % denominator;
    const unit_i128 twice = 2 * (remainder < 0 ? -remainder : remainder);
    if (twice > denominator || (twice == denominator && quotient % 2 != 0)) {
        return value < 0 ? quotient - 1 : quotient + 1;
    }
    return quotient;
}

enum gf_rc
gf_muldiv(int64_t value, int64_t numerator, int64_t denominator, int64_t *out)
{
    const unit_i128 result = divide_half_even((unit_i128)value * numerator, denominator);
    if (result < INT64_MIN || result > INT64_MAX) {
        return GF_E_RANGE;
    }
    *out = (int64_t)result;
    return GF_OK;
}

enum gf_rc
gf_price_apply(struct gf_price price, struct gf_energy used, struct gf_money *out)
{
    return gf_muldiv(price.e8_per_kwh, used.micro_kwh, UNIT_PRICE_SCALE, &out->micro);
}

struct gf_money
gf_money_round_cent(struct gf_money money)
{
    const int64_t cents = (int64_t)divide_half_even(money.micro, UNIT_MICRO_PER_CENT);
    int64_t micro = 0;
    if (__builtin_mul_overflow(cents, UNIT_MICRO_PER_CENT, &micro)) {
        /* At the last cent of int64 the only whole cent that can be written is the one toward zero.
         */
        micro = money.micro - money.micro % UNIT_MICRO_PER_CENT;
    }
    return (struct gf_money){micro};
}

/* A decimal number while it is read. */
struct decimal {
    uint64_t magnitude;   /* all digits up to the scale */
    size_t digit_count;   /* before the point */
    size_t decimal_count; /* after the point */
    bool has_point;
    bool overflowed;
    bool rest_nonzero; /* any digit other than 0 behind the first one cut off */
    uint32_t cut;      /* the first digit cut off */
};

static void
decimal_push(struct decimal *decimal, uint32_t digit)
{
    decimal->overflowed |= __builtin_mul_overflow(decimal->magnitude, 10, &decimal->magnitude);
    decimal->overflowed |= __builtin_add_overflow(decimal->magnitude, digit, &decimal->magnitude);
}

static enum gf_rc
decimal_scan(const char *text, size_t size, size_t scale, struct decimal *decimal)
{
    for (size_t index = 0; index < size; index++) {
        if (text[index] == '.' && !decimal->has_point) {
            decimal->has_point = true;
            continue;
        }
        if (text[index] < '0' || text[index] > '9') {
            return GF_E_BAD_FIELD;
        }
        const uint32_t digit = (uint32_t)(text[index] - '0');
        if (!decimal->has_point) {
            decimal->digit_count++;
            decimal_push(decimal, digit);
            continue;
        }
        decimal->decimal_count++;
        if (decimal->decimal_count <= scale) {
            decimal_push(decimal, digit);
        } else if (decimal->decimal_count == scale + 1) {
            decimal->cut = digit;
        } else {
            decimal->rest_nonzero |= digit != 0;
        }
    }
    if (decimal->has_point ? decimal->decimal_count == 0 : decimal->digit_count == 0) {
        return GF_E_BAD_FIELD;
    }
    return GF_OK;
}

enum gf_rc
gf_decimal_parse(const char *text, size_t size, int scale, int64_t *out)
{
    assert(scale >= 0);
    assert(scale <= UNIT_SCALE_MAX);
    const bool negative = size > 0 && text[0] == '-';
    const size_t sign_size = negative ? 1 : 0;

    struct decimal decimal = {.magnitude = 0};
    const enum gf_rc rc = decimal_scan(text + sign_size, size - sign_size, (size_t)scale, &decimal);
    if (rc != GF_OK) {
        return rc;
    }
    for (size_t count = decimal.decimal_count; count < (size_t)scale; count++) {
        decimal_push(&decimal, 0);
    }
    const bool odd = decimal.magnitude % 2 != 0;
    if (decimal.cut > 5 || (decimal.cut == 5 && (decimal.rest_nonzero || odd))) {
        decimal.overflowed |= __builtin_add_overflow(decimal.magnitude, 1, &decimal.magnitude);
    }
    if (decimal.overflowed || decimal.magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return GF_E_RANGE;
    }
    *out = (int64_t)(negative ? 0 - decimal.magnitude : decimal.magnitude);
    return GF_OK;
}

size_t
gf_decimal_print(int64_t value, int scale, int decimals_min, char *out, size_t size)
{
    assert(scale >= 0);
    assert(scale <= UNIT_SCALE_MAX);
    assert(decimals_min >= 0);
    assert(decimals_min <= UNIT_SCALE_MAX);
    assert(size > 0);

    /* Written from the last character to the first. 1 sign, 19 digits, 1 point, 18 zeros of
     * padding. */
    char text[1 + 19 + 1 + UNIT_SCALE_MAX];
    size_t at = sizeof(text);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (int position = decimals_min; position > scale; position--) {
        text[--at] = '0';
    }
    bool shown = at < sizeof(text);
    for (int position = scale; position > 0; position--) {
        const uint32_t digit = (uint32_t)(rest % 10);
        rest /= 10;
        shown |= digit != 0 || position <= decimals_min;
        if (shown) {
            text[--at] = (char)('0' + digit);
        }
    }
    if (shown) {
        text[--at] = '.';
    }
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        text[--at] = '-';
    }
    const size_t length = sizeof(text) - at;
    if (length >= size) {
        out[0] = '\0';
        return 0;
    }
    memcpy(out, text + at, length);
    out[length] = '\0';
    return length;
}
