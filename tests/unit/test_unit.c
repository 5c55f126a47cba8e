#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNTOUCHED    INT64_C(-77)

static void
test_sums_are_checked(void **state)
{
    (void)state;
    struct gf_money money = {UNTOUCHED};
    assert_int_equal(gf_money_add((struct gf_money){INT64_MAX}, (struct gf_money){1}, &money),
                     GF_E_RANGE);
    assert_int_equal(gf_money_sub((struct gf_money){INT64_MIN}, (struct gf_money){1}, &money),
                     GF_E_RANGE);
    assert_int_equal(money.micro, UNTOUCHED);
    assert_int_equal(gf_money_add((struct gf_money){INT64_MAX}, (struct gf_money){-1}, &money),
                     GF_OK);
    assert_int_equal(money.micro, INT64_MAX - 1);
    assert_int_equal(gf_money_sub((struct gf_money){5}, (struct gf_money){7}, &money), GF_OK);
    assert_int_equal(money.micro, -2);

    struct gf_energy energy = {UNTOUCHED};
    assert_int_equal(gf_energy_add((struct gf_energy){INT64_MIN}, (struct gf_energy){-1}, &energy),
                     GF_E_RANGE);
    assert_int_equal(gf_energy_sub((struct gf_energy){0}, (struct gf_energy){INT64_MIN}, &energy),
                     GF_E_RANGE);
    assert_int_equal(energy.micro_kwh, UNTOUCHED);
    assert_int_equal(gf_energy_add((struct gf_energy){2}, (struct gf_energy){3}, &energy), GF_OK);
    assert_int_equal(energy.micro_kwh, 5);
    assert_int_equal(gf_energy_sub((struct gf_energy){2}, (struct gf_energy){3}, &energy), GF_OK);
    assert_int_equal(energy.micro_kwh, -1);
}

static void
test_times_saturate(void **state)
{
    (void)state;
    const struct gf_time last = {INT64_MAX - 1}, first = {INT64_MIN + 1};
    assert_int_equal(gf_time_add(last, (struct gf_duration){5}).us, INT64_MAX);
    assert_int_equal(gf_time_add(first, (struct gf_duration){-5}).us, INT64_MIN);
    assert_int_equal(gf_time_sub(first, (struct gf_duration){5}).us, INT64_MIN);
    assert_int_equal(gf_time_sub(last, (struct gf_duration){-5}).us, INT64_MAX);
    assert_int_equal(gf_time_sub((struct gf_time){10}, (struct gf_duration){3}).us, 7);
}

static void
test_muldiv_rounds_half_to_even(void **state)
{
    (void)state;
    static const struct {
        int64_t value, numerator, denominator;
        enum gf_rc rc;
        int64_t result;
    } cases[] = {
        {1, 1, 2, GF_OK, 0},
        {3, 1, 2, GF_OK, 2},
        {5, 1, 2, GF_OK, 2},
        {-1, 1, 2, GF_OK, 0},
        {-3, 1, 2, GF_OK, -2},
        {-5, 1, 2, GF_OK, -2},
        {7, 1, 2, GF_OK, 4},
        {2, 1, 3, GF_OK, 1},
        {-2, 1, 3, GF_OK, -1},
        {1, 1, 3, GF_OK, 0},
        {0, INT64_MIN, 7, GF_OK, 0},
        {INT64_MAX, INT64_MAX, INT64_MAX, GF_OK, INT64_MAX},
        {INT64_MIN, INT64_MAX, INT64_MAX, GF_OK, INT64_MIN},
        {INT64_MIN, 1, 1, GF_OK, INT64_MIN},
        {INT64_MIN, -1, 1, GF_E_RANGE, UNTOUCHED},
        {INT64_MIN, INT64_MIN, INT64_MAX, GF_E_RANGE, UNTOUCHED},
        {INT64_MAX, 2, 1, GF_E_RANGE, UNTOUCHED},
        {INT64_MAX, 3, 2, GF_E_RANGE, UNTOUCHED},
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        int64_t result = UNTOUCHED;
        assert_int_equal(gf_muldiv(cases[index].value, cases[index].numerator,
                                   cases[index].denominator, &result),
                         cases[index].rc);
        assert_int_equal(result, cases[index].result);
    }
}

static void
test_a_price_is_applied_once_rounded(void **state)
{
    (void)state;
    static const struct {
        int64_t e8_per_kwh, micro_kwh, micro;
    } cases[] = {
        {30000000, 1000000, 300000},   /* 0.30 per kWh, 1 kWh: 0.30 */
        {12345678, 2500000, 308642},   /* 308,641.95 */
        {50000000, 1, 0},              /* half a micro, to even */
        {50000000, 3, 2},              /* one and a half, to even */
        {-50000000, 3, -2},            /* a negative price */
        {30000000, -1000000, -300000}, /* export */
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        struct gf_money money = {UNTOUCHED};
        assert_int_equal(gf_price_apply((struct gf_price){cases[index].e8_per_kwh},
                                        (struct gf_energy){cases[index].micro_kwh}, &money),
                         GF_OK);
        assert_int_equal(money.micro, cases[index].micro);
    }
    struct gf_money money = {UNTOUCHED};
    assert_int_equal(
        gf_price_apply((struct gf_price){INT64_MAX}, (struct gf_energy){INT64_MAX}, &money),
        GF_E_RANGE);
    assert_int_equal(money.micro, UNTOUCHED);
}

static void
test_money_rounds_to_cents(void **state)
{
    (void)state;
    static const int64_t cases[][2] = {
        {0, 0},
        {4999, 0},
        {5000, 0},
        {5001, 10000},
        {15000, 20000},
        {25000, 20000},
        {-5000, 0},
        {-15000, -20000},
        {-25001, -30000},
        {1234567, 1230000},
        {INT64_MAX, INT64_C(9223372036854770000)},
        {INT64_MIN, INT64_C(-9223372036854770000)},
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        assert_int_equal(gf_money_round_cent((struct gf_money){cases[index][0]}).micro,
                         cases[index][1]);
    }
}

static void
test_decimals_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int scale;
        enum gf_rc rc;
        int64_t value;
    } cases[] = {
        {"-12.3450", 6, GF_OK, -12345000},
        {"0", 6, GF_OK, 0},
        {"-0", 6, GF_OK, 0},
        {"007", 0, GF_OK, 7},
        {".5", 1, GF_OK, 5},
        {"0.25", 1, GF_OK, 2},
        {"0.35", 1, GF_OK, 4},
        {"0.250001", 1, GF_OK, 3},
        {"0.26", 1, GF_OK, 3},
        {"-0.25", 1, GF_OK, -2},
        {"0.0000005", 6, GF_OK, 0},
        {"0.0000015", 6, GF_OK, 2},
        {"9.5", 0, GF_OK, 10},
        {"9223372036854.775807", 6, GF_OK, INT64_MAX},
        {"-9223372036854.775808", 6, GF_OK, INT64_MIN},
        {"9223372036854.775808", 6, GF_E_RANGE, UNTOUCHED},
        {"9223372036854.7758075", 6, GF_E_RANGE, UNTOUCHED},
        {"-9223372036854.7758085", 6, GF_OK, INT64_MIN},
        {"-9223372036854.7758086", 6, GF_E_RANGE, UNTOUCHED},
        {"18446744073709551616", 0, GF_E_RANGE, UNTOUCHED},
        {"99999999999999999999999999999999999999999", 0, GF_E_RANGE, UNTOUCHED},
        {"", 6, GF_E_BAD_FIELD, UNTOUCHED},
        {"-", 6, GF_E_BAD_FIELD, UNTOUCHED},
        {".", 6, GF_E_BAD_FIELD, UNTOUCHED},
        {"5.", 6, GF_E_BAD_FIELD, UNTOUCHED},
        {"1e3", 6, GF_E_BAD_FIELD, UNTOUCHED},
        {"+1", 6, GF_E_BAD_FIELD, UNTOUCHED},
        {"1.2.3", 6, GF_E_BAD_FIELD, UNTOUCHED},
        {"--1", 6, GF_E_BAD_FIELD, UNTOUCHED},
        {" 1", 6, GF_E_BAD_FIELD, UNTOUCHED},
        {"1 ", 6, GF_E_BAD_FIELD, UNTOUCHED},
        {"nan", 6, GF_E_BAD_FIELD, UNTOUCHED},
        {"99999999999999999999x", 6, GF_E_BAD_FIELD, UNTOUCHED},
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        int64_t value = UNTOUCHED;
        const enum gf_rc rc = gf_decimal_parse(cases[index].text, strlen(cases[index].text),
                                               cases[index].scale, &value);
        if (rc != cases[index].rc || value != cases[index].value) {
            fail_msg("\"%s\" gave %s, %lld", cases[index].text, gf_rc_name(rc), (long long)value);
        }
    }
}

static void
test_decimals_are_written(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        int scale, decimals_min;
        const char *text;
    } cases[] = {
        {120000000, 6, 2, "120.00"},
        {120, 0, 2, "120.00"},
        {-12345000, 6, 0, "-12.345"},
        {0, 6, 0, "0"},
        {0, 6, 2, "0.00"},
        {-1, 6, 0, "-0.000001"},
        {5, 1, 0, "0.5"},
        {1000001, 6, 2, "1.000001"},
        {INT64_MAX, 0, 0, "9223372036854775807"},
        {INT64_MIN, 18, 0, "-9.223372036854775808"},
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        char text[GF_DECIMAL_SIZE];
        const size_t length = gf_decimal_print(cases[index].value, cases[index].scale,
                                               cases[index].decimals_min, text, sizeof(text));
        assert_string_equal(text, cases[index].text);
        assert_int_equal(length, strlen(cases[index].text));
    }
    char small[6] = "xxxxx";
    assert_int_equal(gf_decimal_print(120000000, 6, 2, small, sizeof(small)), 0);
    assert_string_equal(small, "");
    assert_int_equal(gf_decimal_print(12000000, 6, 2, small, sizeof(small)), 5);
    assert_string_equal(small, "12.00");
}

static void
test_what_is_written_is_read_back(void **state)
{
    (void)state;
    struct gf_random random = {.seed = 20160102};
    print_message("seed %llu\n", (unsigned long long)random.seed);
    for (int count = 0; count < 20000; count++) {
        const int64_t value = (int64_t)gf_random_next(&random) >> (gf_random_next(&random) % 64);
        const int scale = (int)(gf_random_next(&random) % 19);
        char text[GF_DECIMAL_SIZE];
        const size_t length = gf_decimal_print(value, scale, 0, text, sizeof(text));
        assert_true(length > 0);
        int64_t back = UNTOUCHED;
        assert_int_equal(gf_decimal_parse(text, length, scale, &back), GF_OK);
        assert_int_equal(back, value);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_are_checked),
        cmocka_unit_test(test_times_saturate),
        cmocka_unit_test(test_muldiv_rounds_half_to_even),
        cmocka_unit_test(test_a_price_is_applied_once_rounded),
        cmocka_unit_test(test_money_rounds_to_cents),
        cmocka_unit_test(test_decimals_are_read),
        cmocka_unit_test(test_decimals_are_written),
        cmocka_unit_test(test_what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
