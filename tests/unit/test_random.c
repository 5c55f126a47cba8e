#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"

#define SEED       UINT64_C(20130101)
#define DRAW_COUNT 200000

/* From kat_vectors of Random123: the counter is (index, stream), the key the seed. */
static const struct {
    uint64_t seed, stream, index;
    uint32_t words[4];
} known[] = {
    {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {UINT64_C(0x299f31d0a4093822),
     UINT64_C(0x0370734413198a2e),
     UINT64_C(0x85a308d3243f6a88),
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void
test_draws_are_philox(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(known) / sizeof(known[0]); index++) {
        const uint64_t low = known[index].words[0] | (uint64_t)known[index].words[1] << 32;
        const uint64_t high = known[index].words[2] | (uint64_t)known[index].words[3] << 32;
        const uint64_t seed = known[index].seed, stream = known[index].stream,
                       at = known[index].index;
        assert_true(gf_random_u64(seed, stream, at) == low);
        assert_true(gf_random_unit(seed, stream, at) == ldexp((double)(low >> 11), -53));
        const double radius = sqrt(-2 * log(ldexp((double)((low >> 11) + 1), -53)));
        const double normal = radius * sin(8 * atan(1) * ldexp((double)(high >> 11), -53));
        assert_true(fabs(gf_random_normal(seed, stream, at) - normal) < 1e-14);
    }
}

static void
test_a_sequence_is_its_draws(void **state)
{
    (void)state;
    struct gf_random random = {.seed = SEED, .stream = 3};
    for (uint64_t index = 0; index < 100; index++) {
        assert_true(gf_random_next(&random) == gf_random_u64(SEED, 3, index));
        assert_int_equal(random.index, index + 1);
    }
}

static void
test_units_are_uniform(void **state)
{
    (void)state;
    uint32_t counts[100] = {0};
    for (uint64_t index = 0; index < DRAW_COUNT; index++) {
        const double unit = gf_random_unit(SEED, 1, index);
        assert_true(unit >= 0 && unit < 1);
        counts[(size_t)(unit * 100)]++;
    }
    /* Chi-square with 99 degrees of freedom: one seed in a thousand is above 148.2, one below 61.1.
     */
    double square = 0;
    for (size_t bin = 0; bin < 100; bin++) {
        const double difference = counts[bin] - DRAW_COUNT / 100.0;
        square += difference * difference / (DRAW_COUNT / 100.0);
    }
    print_message("seed %llu, chi-square %.1f\n", (unsigned long long)SEED, square);
    assert_true(square < 148.2);
    assert_true(square > 61.1);
}

static void
test_below_stays_below_and_reaches_all(void **state)
{
    (void)state;
    static const uint64_t limits[] = {1, 2, 7, 10};
    for (size_t which = 0; which < sizeof(limits) / sizeof(limits[0]); which++) {
        const uint64_t limit = limits[which];
        uint32_t counts[10] = {0};
        for (uint64_t index = 0; index < 20000; index++) {
            const uint64_t draw = gf_random_below(SEED, 2, index, limit);
            assert_true(draw < limit);
            counts[draw]++;
        }
        const double expected = 20000.0 / (double)limit;
        for (uint64_t value = 0; value < limit; value++) {
            assert_true(fabs(counts[value] - expected) < 5 * sqrt(expected));
        }
    }
    assert_true(gf_random_below(SEED, 2, 0, UINT64_MAX) < UINT64_MAX);
}

static void
test_normals_have_the_moments_of_the_bell(void **state)
{
    (void)state;
    double sum = 0, square = 0, fourth = 0, cube = 0;
    for (uint64_t index = 0; index < DRAW_COUNT; index++) {
        const double x = gf_random_normal(SEED, 4, index);
        assert_true(fabs(x) < 9);
        sum += x;
        square += x * x;
        cube += x * x * x;
        fourth += x * x * x * x;
    }
    /* Five standard errors each. */
    const double error = 5 / sqrt((double)DRAW_COUNT);
    assert_true(fabs(sum / DRAW_COUNT) < error);
    assert_true(fabs(square / DRAW_COUNT - 1) < error * sqrt(2));
    assert_true(fabs(cube / DRAW_COUNT) < error * sqrt(15));
    assert_true(fabs(fourth / DRAW_COUNT - 3) < error * sqrt(96));
}

static void
test_streams_and_seeds_do_not_meet(void **state)
{
    (void)state;
    double same_seed = 0, same_stream = 0;
    for (uint64_t index = 0; index < DRAW_COUNT; index++) {
        const double x = gf_random_unit(SEED, 5, index) - 0.5;
        same_seed += x * (gf_random_unit(SEED, 6, index) - 0.5);
        same_stream += x * (gf_random_unit(SEED + 1, 5, index) - 0.5);
    }
    /* Five standard errors of a mean of products of two independent units (variance 1/144). */
    assert_true(fabs(same_seed / DRAW_COUNT) < 5.0 / 12 / sqrt((double)DRAW_COUNT));
    assert_true(fabs(same_stream / DRAW_COUNT) < 5.0 / 12 / sqrt((double)DRAW_COUNT));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws_are_philox),
        cmocka_unit_test(test_a_sequence_is_its_draws),
        cmocka_unit_test(test_units_are_uniform),
        cmocka_unit_test(test_below_stays_below_and_reaches_all),
        cmocka_unit_test(test_normals_have_the_moments_of_the_bell),
        cmocka_unit_test(test_streams_and_seeds_do_not_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
