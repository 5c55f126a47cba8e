#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/civil.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct gf_time
time_of(const char *text)
{
    struct gf_time time = {-1};
    if (gf_time_parse(text, strlen(text), &time) != GF_OK) {
        fail_msg("\"%s\" cannot be read", text);
    }
    return time;
}

static void
test_dates_count_days(void **state)
{
    (void)state;
    assert_int_equal(gf_days_from_date(1970, 1, 1), 0);
    assert_int_equal(gf_days_from_date(2000, 2, 29), 11016);
    assert_int_equal(gf_days_from_date(1969, 12, 31), -1);
    assert_int_equal(gf_days_from_date(2200, 1, 1) * GF_US_PER_DAY, GF_TIME_US_MAX);
    assert_int_equal(gf_weekday_of(0), 3);
    assert_int_equal(gf_weekday_of(-4), 6);
    assert_int_equal(gf_weekday_of(gf_days_from_date(2026, 11, 22)), 6);
    int32_t year_before = -401;
    uint32_t month_before = 12, day_before = 31;
    for (int32_t days = gf_days_from_date(-400, 1, 1); days < gf_days_from_date(2500, 1, 1);
         days++) {
        int32_t year = 0;
        uint32_t month = 0, day = 0;
        gf_date_from_days(days, &year, &month, &day);
        assert_int_equal(gf_days_from_date(year, month, day), days);
        const bool next_day = year == year_before && month == month_before && day == day_before + 1;
        const bool next_month = year == year_before && month == month_before + 1 && day == 1;
        const bool next_year =
            year == year_before + 1 && month == 1 && day == 1 && month_before == 12;
        assert_true((next_day && day <= 31) || (next_month && day_before >= 28) || next_year);
        year_before = year;
        month_before = month;
        day_before = day;
    }
}

static void
test_times_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
        const char *printed;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"},
        {"2016-01-02T03:04:05.678Z", INT64_C(1451703845678000), "2016-01-02T03:04:05.678000Z"},
        {"2016-01-02T04:04:05+01:00", INT64_C(1451703845000000), "2016-01-02T03:04:05Z"},
        {"2016-01-01 21:34:05-05:30", INT64_C(1451703845000000), "2016-01-02T03:04:05Z"},
        {"2016-01-02t03:04:05z", INT64_C(1451703845000000), "2016-01-02T03:04:05Z"},
        {"2016-01-02", INT64_C(1451692800000000), "2016-01-02T00:00:00Z"},
        {"2016-02-29T23:59:59.9999999Z", INT64_C(1456790399999999), "2016-02-29T23:59:59.999999Z"},
        {"1969-12-31T23:59:59.5Z", -500000, "1969-12-31T23:59:59.500000Z"},
        {"0000-01-01T00:00:00Z", INT64_C(-62167219200000000), "0000-01-01T00:00:00Z"},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799000000), "9999-12-31T23:59:59Z"},
    };
    char printed[GF_TIME_TEXT_SIZE];
    for (size_t index = 0; index < COUNT(cases); index++) {
        assert_int_equal(time_of(cases[index].text).us, cases[index].us);
        gf_time_print((struct gf_time){cases[index].us}, printed);
        assert_string_equal(printed, cases[index].printed);
    }
    gf_time_print(GF_TIME_NONE, printed);
    assert_string_equal(printed, "never");
    gf_time_print((struct gf_time){INT64_MAX}, printed);
    assert_string_equal(printed, "294247-01-10T04:00:54.775807Z");
    gf_time_print((struct gf_time){INT64_MIN + 1}, printed);
    assert_string_equal(printed, "-290308-12-21T19:59:05.224193Z");
}

static void
test_bad_times_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "2016",
        "2016-1-2",
        "2016-13-01",
        "2016-00-01",
        "2015-02-29",
        "2016-04-31",
        "2016-01-00",
        "1900-02-29",
        "2016-01-02T",
        "2016-01-02T03:04Z",
        "2016-01-02T03:04:05",
        "2016-01-02T24:00:00Z",
        "2016-01-02T03:60:00Z",
        "2016-01-02T03:04:60Z",
        "2016-01-02T03:04:05.Z",
        "2016-01-02T03:04:05ZZ",
        "2016-01-02T03:04:05+0100",
        "2016-01-02T03:04:05+24:00",
        "2016-01-02T03:04:05+01:60",
        "2016-01-02x03:04:05Z",
        "2016/01/02",
        " 2016-01-02",
        "2016-01-02 ",
        "-016-01-02",
        "2016-01-02T03:04:05.5",
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        struct gf_time time = {-77};
        if (gf_time_parse(cases[index], strlen(cases[index]), &time) != GF_E_BAD_FIELD) {
            fail_msg("\"%s\" was read", cases[index]);
        }
        assert_int_equal(time.us, -77);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates_count_days),
        cmocka_unit_test(test_times_are_read_and_written),
        cmocka_unit_test(test_bad_times_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
