#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/real.h"

static_assert(FLT_EVAL_METHOD == 0, "every operation must be rounded to double at once");
static_assert(DBL_MANT_DIG == 53, "double is IEEE 754 binary64");

/* Constants in parts: the first ones are short enough that a product with the multiple of the range
 * reduction is exact, the last one carries the rest. */
#define REAL_LN2_HIGH        0x1.62e42fee00000p-1
#define REAL_LN2_LOW         0x1.a39ef35793c76p-33
#define REAL_LN2_INVERSE     0x1.71547652b82fep+0
#define REAL_HALF_PI_1       0x1.921fb54400000p+0
#define REAL_HALF_PI_2       0x1.0b4611a600000p-34
#define REAL_HALF_PI_3       0x1.3198a2e000000p-69
#define REAL_HALF_PI_4       0x1.b839a252049c1p-104
#define REAL_HALF_PI_INVERSE 0x1.45f306dc9c883p-1

/* Above the first, exp is infinite; below the second, 0. */
#define REAL_EXP_MAX 0x1.62e42fefa39efp+9
#define REAL_EXP_MIN -0x1.74910d52d3052p+9
#define REAL_SIN_MAX 1e6

/* A sum that keeps what rounding cut off: high + low is the exact result. */
struct real_pair {
    double high, low;
};

static struct real_pair
pair_subtract(double a, double b)
{
    const double high = a - b;
    const double b_seen = a - high;
    const double a_seen = high + b_seen;
    return (struct real_pair){.high = high, .low = (a - a_seen) + (b_seen - b)};
}

static double
polynomial(const double *coefficients, int count, double x)
{
    double sum = coefficients[count - 1];
    for (int index = count - 2; index >= 0; index--) {
        sum = sum * x + coefficients[index];
    }
    return sum;
}

#define COEFFICIENT_COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

/* 2^exponent for -1022 <= exponent <= 1023. */
static double
power_of_two(int exponent)
{
    assert(exponent >= -1022);
    assert(exponent <= 1023);
    const uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double power = 0;
    memcpy(&power, &bits, sizeof(power));
    return power;
}

static int
round_to_int(double x)
{
    return (int)(x < 0 ? x - 0.5 : x + 0.5);
}

/* x = k ln 2 + r with |r| <= ln(2)/2; exp(r) is the Taylor series, whose next term is below 1e-18.
 */
double
gf_exp(double x)
{
    static const double series[] = {
        1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
        1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
        1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0,
    };
    if (x != x) {
        return x;
    }
    if (x > REAL_EXP_MAX) {
        return HUGE_VAL;
    }
    if (x < REAL_EXP_MIN) {
        return 0;
    }
    const int k = round_to_int(x * REAL_LN2_INVERSE);
    const struct real_pair r = pair_subtract(x - k * REAL_LN2_HIGH, k * REAL_LN2_LOW);
    const double square = r.high * r.high;
    const double tail = square * polynomial(series, COEFFICIENT_COUNT(series), r.high);
    const double result = 1.0 + (r.high + (r.low + tail));
    /* In two steps, because 2^k alone may be outside the normal numbers where the result is not. */
    return result * power_of_two(k / 2) * power_of_two(k - k / 2);
}

/* x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); with s = f / (2 + f),
 * log(1 + f) = 2 atanh(s) = 2s + s R(s^2), and 2s = f - s f, which is kept apart because f is
 * exact. */
double
gf_log(double x)
{
    static const double series[] = {
        2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11, 2.0 / 13,
        2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23,
    };
    if (x != x || x == HUGE_VAL) {
        return x;
    }
    if (x < 0) {
        return (double)NAN;
    }
    if (x == 0) {
        return -HUGE_VAL;
    }
    int k = 0;
    if (x < DBL_MIN) {
        x *= 0x1p54;
        k = -54;
    }
    uint64_t bits = 0;
    memcpy(&bits, &x, sizeof(bits));
    k += (int)(bits >> 52) - 1023;
    bits = (bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000);
    double mantissa = 0;
    memcpy(&mantissa, &bits, sizeof(mantissa));
    if (mantissa >= 0x1.6a09e667f3bcdp+0) {
        mantissa *= 0.5;
        k++;
    }
    const double f = mantissa - 1.0;
    const double s = f / (2.0 + f);
    const double square = s * s;
    const double rest = square * polynomial(series, COEFFICIENT_COUNT(series), square);
    const double half = 0.5 * f * f;
    return k * REAL_LN2_HIGH - ((half - (s * (half + rest) + k * REAL_LN2_LOW)) - f);
}

/* sin and cos of r.high + r.low, |r| <= pi/4 and a little, by Taylor series. */
static double
sine_near_zero(struct real_pair r)
{
    static const double series[] = {
        -1.0 / 6,
        1.0 / 120,
        -1.0 / 5040,
        1.0 / 362880,
        -1.0 / 39916800,
        1.0 / 6227020800.0,
        -1.0 / 1307674368000.0,
        1.0 / 355687428096000.0,
    };
    const double square = r.high * r.high;
    const double cube = square * r.high;
    const double tail = cube * polynomial(series, COEFFICIENT_COUNT(series), square);
    return r.high + (tail + r.low * (1.0 - 0.5 * square));
}

static double
cosine_near_zero(struct real_pair r)
{
    static const double series[] = {
        1.0 / 24,
        -1.0 / 720,
        1.0 / 40320,
        -1.0 / 3628800,
        1.0 / 479001600,
        -1.0 / 87178291200.0,
        1.0 / 20922789888000.0,
    };
    const double square = r.high * r.high;
    const double half = 0.5 * square;
    const double high = 1.0 - half;
    const double tail = square * square * polynomial(series, COEFFICIENT_COUNT(series), square);
    return high + (((1.0 - high) - half) + (tail - r.high * r.low));
}

double
gf_sin(double x)
{
    if (!(x < REAL_SIN_MAX && x > -REAL_SIN_MAX)) {
        return (double)NAN;
    }
    const int k = round_to_int(x * REAL_HALF_PI_INVERSE);
    if (k == 0) {
        return sine_near_zero((struct real_pair){.high = x});
    }
    /* |k| < 2^20 and the first three parts have 33 bits or fewer: their products are exact, and so
     * is the first difference, of two numbers within a factor of two. */
    const struct real_pair first = pair_subtract(x - k * REAL_HALF_PI_1, k * REAL_HALF_PI_2);
    const struct real_pair second = pair_subtract(first.high, k * REAL_HALF_PI_3);
    const double low = (first.low + second.low) - k * REAL_HALF_PI_4;
    const double high = second.high + low;
    const struct real_pair r = {.high = high, .low = (second.high - high) + low};

    const double value = k % 2 == 0 ? sine_near_zero(r) : cosine_near_zero(r);
    return ((unsigned)k & 2) != 0 ? -value : value;
}

double
gf_sqrt(double x)
{
    return sqrt(x);
}

double
gf_sigmoid(double x)
{
    if (x >= 0) {
        return 1.0 / (1.0 + gf_exp(-x));
    }
    const double power = gf_exp(x);
    return power / (1.0 + power);
}
