#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/real.h"

#define SEED       UINT64_C(1985)
#define DRAW_COUNT 200000

/* Bits of x on a line without a gap at 0, so that the distance of two numbers is in ulp. */
static int64_t
place_of(double x)
{
    int64_t bits = 0;
    memcpy(&bits, &x, sizeof(bits));
    return bits < 0 ? INT64_MIN - bits : bits;
}

static void
check(const char *name, double x, double seen, double wanted)
{
    if (isnan(wanted) ? !isnan(seen) : llabs(place_of(seen) - place_of(wanted)) > 2) {
        fail_msg("seed %llu: %s(%a) = %a, not %a", (unsigned long long)SEED, name, x, seen, wanted);
    }
}

static double
between(struct gf_random *random, double low, double high)
{
    return low + (high - low) * gf_random_next_unit(random);
}

static void
test_exp_is_within_2_ulp(void **state)
{
    (void)state;
    struct gf_random random = {.seed = SEED, .stream = 1};
    static const double limits[] = {1e-9, 0.4, 1, 20, 746};
    for (size_t which = 0; which < sizeof(limits) / sizeof(limits[0]); which++) {
        for (int count = 0; count < DRAW_COUNT; count++) {
            const double x = between(&random, -limits[which], limits[which]);
            check("exp", x, gf_exp(x), exp(x));
        }
    }
    static const double specials[] = {0.0,
                                      -0.0,
                                      1,
                                      -1,
                                      INFINITY,
                                      -INFINITY,
                                      (double)NAN,
                                      709.782712893384,
                                      709.7827128933841,
                                      710,
                                      -708.4,
                                      -745.1332191019411,
                                      -745.1332191019412,
                                      -745.2,
                                      -746,
                                      1e308,
                                      -1e308,
                                      DBL_MIN,
                                      5e-324};
    for (size_t index = 0; index < sizeof(specials) / sizeof(specials[0]); index++) {
        check("exp", specials[index], gf_exp(specials[index]), exp(specials[index]));
    }
    assert_true(gf_exp(0) == 1);
}

static void
test_log_is_within_2_ulp(void **state)
{
    (void)state;
    struct gf_random random = {.seed = SEED, .stream = 2};
    static const double limits[][2] = {{0.999, 1.001}, {0.5, 2}, {1e-6, 1}, {1, 1e6}};
    for (size_t which = 0; which < sizeof(limits) / sizeof(limits[0]); which++) {
        for (int count = 0; count < DRAW_COUNT; count++) {
            const double x = between(&random, limits[which][0], limits[which][1]);
            check("log", x, gf_log(x), log(x));
        }
    }
    /* Any bits: all exponents, subnormal numbers, NaN and infinity. */
    for (int count = 0; count < DRAW_COUNT; count++) {
        const uint64_t bits = gf_random_next(&random) >> 1;
        double x = 0;
        memcpy(&x, &bits, sizeof(x));
        check("log", x, gf_log(x), log(x));
        const uint64_t small = bits >> (12 + gf_random_next(&random) % 52);
        memcpy(&x, &small, sizeof(x));
        check("log", x, gf_log(x), log(x));
    }
    assert_true(gf_log(1) == 0);
    assert_true(gf_log(0) == -INFINITY);
    assert_true(gf_log(-0.0) == -INFINITY);
    assert_true(isnan(gf_log(-1)));
    assert_true(isnan(gf_log(-INFINITY)));
    assert_true(isnan(gf_log((double)NAN)));
    assert_true(gf_log(INFINITY) == INFINITY);
}

static void
test_sin_is_within_2_ulp(void **state)
{
    (void)state;
    struct gf_random random = {.seed = SEED, .stream = 3};
    static const double limits[] = {1e-8, 0.8, 7, 1000, 999999};
    for (size_t which = 0; which < sizeof(limits) / sizeof(limits[0]); which++) {
        for (int count = 0; count < DRAW_COUNT; count++) {
            const double x = between(&random, -limits[which], limits[which]);
            check("sin", x, gf_sin(x), sin(x));
        }
    }
    /* Next to the multiples of pi/2, where almost all digits cancel. */
    for (int k = -636000; k <= 636000; k += 7) {
        const double x = k * 1.5707963267948966;
        check("sin", x, gf_sin(x), sin(x));
        check("sin", x, gf_sin(nextafter(x, 1e9)), sin(nextafter(x, 1e9)));
    }
    assert_true(gf_sin(0) == 0);
    assert_true(isnan(gf_sin(1e6)));
    assert_true(isnan(gf_sin(-INFINITY)));
    assert_true(isnan(gf_sin((double)NAN)));
}

static void
test_sqrt_is_exact(void **state)
{
    (void)state;
    struct gf_random random = {.seed = SEED, .stream = 4};
    for (int count = 0; count < DRAW_COUNT; count++) {
        const double x = between(&random, 0, 1e12);
        assert_true(gf_sqrt(x) == sqrt(x));
        const double whole = floor(between(&random, 0, 1e7));
        assert_true(gf_sqrt(whole * whole) == whole);
    }
    assert_true(isnan(gf_sqrt(-1)));
    assert_true(gf_sqrt(INFINITY) == INFINITY);
}

static void
test_sigmoid_does_not_overflow(void **state)
{
    (void)state;
    double before = 0;
    for (double x = -800; x <= 800; x += 0.125) {
        const double value = gf_sigmoid(x);
        assert_true(value >= before && value <= 1);
        const long double wanted = 1 / (1 + expl(-(long double)x));
        assert_true(fabsl(value - wanted) <= 4e-16L * wanted + 5e-324L);
        before = value;
    }
    assert_true(gf_sigmoid(0) == 0.5);
    assert_true(gf_sigmoid(INFINITY) == 1);
    assert_true(gf_sigmoid(-INFINITY) == 0);
    assert_true(isnan(gf_sigmoid((double)NAN)));
}

/* The promise of the header: the same bits from every compiler and on every processor. This fails
 * when a build fuses a multiplication with an addition. */
static void
test_bits_stay_the_same(void **state)
{
    (void)state;
    uint64_t sum = 0;
    struct gf_random random = {.seed = SEED, .stream = 5};
    for (int count = 0; count < 20000; count++) {
        const double values[] = {
            gf_exp(between(&random, -700, 700)), gf_log(between(&random, 0, 1e6)),
            gf_sin(between(&random, -1e5, 1e5)), gf_sigmoid(between(&random, -40, 40)),
            gf_random_normal(SEED, 6, (uint64_t)count)};
        for (size_t index = 0; index < sizeof(values) / sizeof(values[0]); index++) {
            uint64_t bits = 0;
            memcpy(&bits, &values[index], sizeof(bits));
            sum = (sum ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
            sum ^= sum >> 32;
        }
    }
    if (sum != UINT64_C(0xc7afae7684bf368e)) {
        fail_msg("sum of bits is 0x%016llx", (unsigned long long)sum);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp_is_within_2_ulp),
        cmocka_unit_test(test_log_is_within_2_ulp),
        cmocka_unit_test(test_sin_is_within_2_ulp),
        cmocka_unit_test(test_sqrt_is_exact),
        cmocka_unit_test(test_sigmoid_does_not_overflow),
        cmocka_unit_test(test_bits_stay_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
