#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/civil.h"
#include "base/random.h"

#define SEED          UINT64_C(20261025)
#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define FILE_SIZE_MAX 65536

static const char *const zone_names[] = {
    "Europe/Berlin",       "Europe/London", "America/Los_Angeles", "Australia/Sydney",
    "Asia/Kolkata",        "Europe/Dublin", "America/Sao_Paulo",   "America/St_Johns",
    "Australia/Lord_Howe", "Pacific/Apia",  "Africa/Casablanca",
};

static size_t
zone_file_read(const char *name, uint8_t data[FILE_SIZE_MAX])
{
    char path[256];
    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("%s is missing: install tzdata", path);
    }
    const size_t size = fread(data, 1, FILE_SIZE_MAX, file);
    fclose(file);
    return size;
}

static void
zone_load(const char *name, struct gf_zone *out)
{
    static uint8_t data[FILE_SIZE_MAX];
    const size_t size = zone_file_read(name, data);
    struct gf_error error = {.text = ""};
    if (gf_zone_parse(name, data, size, out, &error) != GF_OK) {
        fail_msg("%s", error.text);
    }
}

/* A file of version 2 with one transition, or none for an `at_s` of 0, and a footer. */
static size_t
zone_file_make(int64_t at_s, int32_t offset_s, const char *footer, uint8_t *data)
{
    const uint8_t transition_count = at_s != 0 ? 1 : 0;
    size_t size = 44;
    memset(data, 0, 2 * 44);
    memcpy(data, "TZif2", 5);
    memcpy(data + 44, "TZif2", 5);
    data[44 + 35] = transition_count;
    data[44 + 39] = 1;
    data[44 + 43] = 4;
    size += 44;
    if (transition_count != 0) {
        for (int shift = 56; shift >= 0; shift -= 8) {
            data[size++] = (uint8_t)((uint64_t)at_s >> shift);
        }
        data[size++] = 0;
    }
    for (int shift = 24; shift >= 0; shift -= 8) {
        data[size++] = (uint8_t)((uint32_t)offset_s >> shift);
    }
    data[size++] = 0;
    data[size++] = 0;
    memcpy(data + size, "XXX", 4);
    size += 4;
    return size + (size_t)sprintf((char *)data + size, "\n%s\n", footer);
}

static struct gf_time
time_of(const char *text)
{
    struct gf_time time = {-1};
    if (gf_time_parse(text, strlen(text), &time) != GF_OK) {
        fail_msg("\"%s\" cannot be read", text);
    }
    return time;
}

static int32_t
library_offset(int64_t time_s)
{
    const time_t time = (time_t)time_s;
    struct tm local;
    assert_non_null(localtime_r(&time, &local));
    return (int32_t)local.tm_gmtoff;
}

static void
test_offsets_are_those_of_the_c_library(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)SEED);
    const int64_t end_s = gf_days_from_date(2191, 1, 1) * INT64_C(86400);
    for (size_t which = 0; which < COUNT(zone_names); which++) {
        struct gf_zone zone;
        zone_load(zone_names[which], &zone);
        setenv("TZ", zone_names[which], 1);
        tzset();
        for (uint64_t index = 0; index < 20000; index++) {
            const int64_t time_s = (int64_t)gf_random_below(SEED, which, index, (uint64_t)end_s);
            const struct gf_time time = {time_s * GF_US_PER_S + 999999};
            if (gf_zone_offset(&zone, time) != library_offset(time_s)) {
                fail_msg("%s at %lld: %d, not %d", zone_names[which], (long long)time_s,
                         gf_zone_offset(&zone, time), library_offset(time_s));
            }
        }
        /* Both sides of each change, walked by the ranges. */
        struct gf_time from = {0}, to = {0};
        for (int64_t us = 0; us < end_s * GF_US_PER_S; us = to.us) {
            const int32_t offset_s = gf_zone_offset_range(&zone, (struct gf_time){us}, &from, &to);
            assert_true(from.us <= us && us < to.us);
            assert_int_equal(offset_s, library_offset(us / GF_US_PER_S));
            if (to.us < end_s * GF_US_PER_S) {
                assert_int_equal(offset_s, library_offset(to.us / GF_US_PER_S - 1));
            }
        }
    }
    unsetenv("TZ");
    tzset();
}

static void
test_footers_are_those_of_the_c_library(void **state)
{
    (void)state;
    static const char *const footers[] = {
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "PST8PDT,M3.2.0,M11.1.0",
        "AEST-10AEDT,M10.1.0,M4.1.0/3",
        "IST-5:30",
        "IST-1GMT0,M10.5.0,M3.5.0/1",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "AAA3BBB,J60/2,J300/3:30",
        "AAA-3BBB,59/2,300/3:30:15",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        "EET-2EEST,M3.4.4/50,M10.4.4/50",
        "WWW-12DDD,M12.3.6/25,M1.2.0/-20",
    };
    /* Without a table, and behind a table that ends in 1990 and is written out until 2100. */
    static const int64_t tables[] = {0, INT64_C(631152000)};
    const int64_t begin_s = gf_days_from_date(1990, 1, 2) * INT64_C(86400);
    const int64_t span_s = gf_days_from_date(2191, 1, 1) * INT64_C(86400) - begin_s;
    for (size_t which = 0; which < COUNT(footers) * COUNT(tables); which++) {
        uint8_t data[256];
        const char *footer = footers[which / COUNT(tables)];
        const size_t size = zone_file_make(tables[which % COUNT(tables)], -7200, footer, data);
        struct gf_zone zone;
        struct gf_error error = {.text = ""};
        if (gf_zone_parse("made", data, size, &zone, &error) != GF_OK) {
            fail_msg("%s: %s", footer, error.text);
        }
        setenv("TZ", footer, 1);
        tzset();
        for (uint64_t index = 0; index < 10000; index++) {
            const int64_t time_s =
                begin_s + (int64_t)gf_random_below(SEED, which, index, (uint64_t)span_s);
            struct gf_time from, to;
            const int32_t offset_s =
                gf_zone_offset_range(&zone, (struct gf_time){time_s * GF_US_PER_S}, &from, &to);
            if (offset_s != library_offset(time_s)) {
                fail_msg("%s at %lld: %d", footer, (long long)time_s, offset_s);
            }
            assert_int_equal(gf_zone_offset(&zone, from), offset_s);
            assert_int_equal(gf_zone_offset(&zone, (struct gf_time){to.us - 1}), offset_s);
        }
    }
    unsetenv("TZ");
    tzset();
}

static void
test_daylight_time_may_last_all_year(void **state)
{
    (void)state;
    uint8_t data[256];
    const size_t size = zone_file_make(0, 0, "EST5EDT,0/0,J365/25", data);
    struct gf_zone zone;
    assert_int_equal(gf_zone_parse("made", data, size, &zone, NULL), GF_OK);
    for (int64_t us = 0; us < GF_TIME_US_MAX; us += 1000 * GF_US_PER_HOUR) {
        assert_int_equal(gf_zone_offset(&zone, (struct gf_time){us}), -4 * 3600);
    }
}

static void
test_days_have_23_24_or_25_hours(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        int32_t year;
        uint32_t month, day;
        const char *start;
        int64_t minutes;
    } cases[] = {
        {"Europe/Berlin", 2026, 3, 29, "2026-03-28T23:00:00Z", 23 * 60},
        {"Europe/Berlin", 2026, 10, 25, "2026-10-24T22:00:00Z", 25 * 60},
        {"Europe/Berlin", 2026, 7, 1, "2026-06-30T22:00:00Z", 24 * 60},
        {"Europe/Berlin", 2180, 3, 26, "2180-03-25T23:00:00Z", 23 * 60},
        {"Europe/London", 2013, 3, 31, "2013-03-31T00:00:00Z", 23 * 60},
        {"Europe/London", 2013, 10, 27, "2013-10-26T23:00:00Z", 25 * 60},
        {"America/Los_Angeles", 2026, 3, 8, "2026-03-08T08:00:00Z", 23 * 60},
        {"America/Los_Angeles", 2026, 11, 1, "2026-11-01T07:00:00Z", 25 * 60},
        {"Australia/Sydney", 2026, 4, 5, "2026-04-04T13:00:00Z", 25 * 60},
        {"Australia/Sydney", 2026, 10, 4, "2026-10-03T14:00:00Z", 23 * 60},
        {"Asia/Kolkata", 2026, 3, 29, "2026-03-28T18:30:00Z", 24 * 60},
        {"Australia/Lord_Howe", 2026, 4, 5, "2026-04-04T13:00:00Z", 24 * 60 + 30},
        /* Midnight is in the gap, and midnight would be reached but for the change. */
        {"America/Sao_Paulo", 2018, 11, 4, "2018-11-04T03:00:00Z", 23 * 60},
        {"America/Sao_Paulo", 2018, 2, 17, "2018-02-17T02:00:00Z", 25 * 60},
        /* Samoa went over the date line: 2011-12-30 never was. */
        {"Pacific/Apia", 2011, 12, 30, "2011-12-30T10:00:00Z", 0},
        {"Pacific/Apia", 2011, 12, 31, "2011-12-30T10:00:00Z", 24 * 60},
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        struct gf_zone zone;
        zone_load(cases[index].zone, &zone);
        const int32_t day =
            gf_days_from_date(cases[index].year, cases[index].month, cases[index].day);
        const struct gf_time start = gf_day_start(&zone, day);
        char text[GF_TIME_TEXT_SIZE];
        gf_time_print(start, text);
        assert_string_equal(text, cases[index].start);
        assert_int_equal(gf_day_start(&zone, day + 1).us - start.us,
                         cases[index].minutes * GF_US_PER_MINUTE);
        assert_true(gf_day_of(&zone, (struct gf_time){start.us - 1}) < day);
        if (cases[index].minutes > 0) {
            assert_int_equal(gf_day_of(&zone, start), day);
        }
    }
}

static void
test_days_start_where_they_begin(void **state)
{
    (void)state;
    for (size_t which = 0; which < COUNT(zone_names); which++) {
        struct gf_zone zone;
        zone_load(zone_names[which], &zone);
        for (uint64_t index = 0; index < 5000; index++) {
            const struct gf_time time = {
                (int64_t)gf_random_below(SEED, 50 + which, index, GF_TIME_US_MAX)};
            const int32_t day = gf_day_of(&zone, time);
            const struct gf_time start = gf_day_start(&zone, day);
            assert_true(start.us <= time.us);
            assert_true(gf_day_start(&zone, day + 1).us > start.us);
            assert_int_equal(gf_day_of(&zone, start), day);

            struct gf_civil civil;
            gf_civil_of(&zone, time, &civil);
            assert_int_equal(gf_days_from_date(civil.year, civil.month, civil.day), day);
            const int64_t us_of_day = civil.hour * GF_US_PER_HOUR +
                                      civil.minute * GF_US_PER_MINUTE + civil.second * GF_US_PER_S +
                                      civil.us;
            assert_int_equal(day * GF_US_PER_DAY + us_of_day,
                             time.us + civil.offset_s * GF_US_PER_S);
            struct gf_time early = {0}, late = {0};
            bool ambiguous = false;
            assert_int_equal(gf_time_from_local(&zone, day, us_of_day, false, &early, NULL), GF_OK);
            assert_int_equal(gf_time_from_local(&zone, day, us_of_day, true, &late, &ambiguous),
                             GF_OK);
            assert_true(early.us == time.us || late.us == time.us);
            assert_int_equal(ambiguous, early.us != late.us);
        }
    }
}

static void
test_wall_times_may_not_be_or_be_twice(void **state)
{
    (void)state;
    struct gf_zone zone;
    zone_load("Europe/Berlin", &zone);
    const int32_t spring = gf_days_from_date(2026, 3, 29), autumn = gf_days_from_date(2026, 10, 25);
    const int64_t half_past_two = 150 * GF_US_PER_MINUTE;
    struct gf_time time = {-77};
    bool ambiguous = true;
    assert_int_equal(gf_time_from_local(&zone, spring, half_past_two, false, &time, &ambiguous),
                     GF_E_BAD_FIELD);
    assert_int_equal(time.us, -77);
    assert_int_equal(
        gf_time_from_local(&zone, spring, 3 * GF_US_PER_HOUR, false, &time, &ambiguous), GF_OK);
    assert_int_equal(time.us, time_of("2026-03-29T01:00:00Z").us);
    assert_false(ambiguous);
    assert_int_equal(gf_time_from_local(&zone, autumn, half_past_two, false, &time, &ambiguous),
                     GF_OK);
    assert_int_equal(time.us, time_of("2026-10-25T00:30:00Z").us);
    assert_true(ambiguous);
    assert_int_equal(gf_time_from_local(&zone, autumn, half_past_two, true, &time, &ambiguous),
                     GF_OK);
    assert_int_equal(time.us, time_of("2026-10-25T01:30:00Z").us);
    assert_true(ambiguous);
    assert_int_equal(gf_time_from_local(&zone, autumn, -1, true, &time, &ambiguous),
                     GF_E_BAD_FIELD);
    assert_int_equal(gf_time_from_local(&zone, INT32_MAX, 0, true, &time, &ambiguous),
                     GF_E_BAD_FIELD);
    assert_int_equal(gf_time_from_local(&zone, INT32_MIN, 0, true, &time, &ambiguous),
                     GF_E_BAD_FIELD);
}

static void
use_everywhere(const struct gf_zone *zone)
{
    static const int64_t times[] = {INT64_MIN,      -1,       0, INT64_C(1451703845000000),
                                    GF_TIME_US_MAX, INT64_MAX};
    for (size_t index = 0; index < COUNT(times); index++) {
        struct gf_time from, to;
        const struct gf_time time = {times[index]};
        const int32_t offset_s = gf_zone_offset_range(zone, time, &from, &to);
        assert_true(offset_s > -25 * 3600 && offset_s < 26 * 3600);
        assert_true(from.us <= time.us && (time.us < to.us || to.us == INT64_MAX));
        const int32_t day = gf_day_of(zone, time);
        (void)gf_day_start(zone, day);
        struct gf_civil civil;
        gf_civil_of(zone, time, &civil);
        struct gf_time back;
        (void)!gf_time_from_local(zone, day, 0, true, &back, NULL);
    }
    (void)gf_day_start(zone, INT32_MIN);
    (void)gf_day_start(zone, INT32_MAX);
}

/* Each try has its bytes in a block of just their size: a sanitizer sees the first byte read
 * outside. */
static void
test_hostile_bytes_are_survived(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)SEED);
    static uint8_t original[FILE_SIZE_MAX];
    struct gf_random random = {.seed = SEED, .stream = 99};
    uint32_t refused_count = 0, read_count = 0;
    for (size_t which = 0; which < 6; which++) {
        const size_t size_full =
            which < 5 ? zone_file_read(zone_names[which], original)
                      : zone_file_make(1, 3600, "CET-1CEST,M3.5.0,M10.5.0/3", original);
        for (int count = 0; count < 3000; count++) {
            const bool cut = gf_random_next(&random) % 3 == 0;
            const size_t size = cut ? (size_t)(gf_random_next(&random) % size_full) : size_full;
            uint8_t *bytes = malloc(size != 0 ? size : 1);
            assert_non_null(bytes);
            memcpy(bytes, original, size);
            const uint64_t flip_count = size == 0 ? 0 : gf_random_next(&random) % 4;
            for (uint64_t flip = 0; flip < flip_count; flip++) {
                const uint64_t choice = gf_random_next(&random);
                /* Headers and footers are small: half the flips go there. */
                const uint64_t reach = choice % 4 == 0 ? 100 : choice % 4 == 1 ? 40 : size;
                const size_t at = (size_t)(gf_random_next(&random) % (reach < size ? reach : size));
                bytes[choice % 4 == 1 ? size - 1 - at : at] ^= (uint8_t)(1 << (choice >> 8) % 8);
            }
            struct gf_zone zone;
            struct gf_error error = {.text = ""};
            const enum gf_rc rc = gf_zone_parse("hostile", bytes, size, &zone, &error);
            assert_true(rc == GF_OK || rc == GF_E_BAD_DATA);
            if (rc == GF_OK) {
                use_everywhere(&zone);
                read_count++;
            } else {
                assert_non_null(strstr(error.text, "zone hostile: byte "));
                refused_count++;
            }
            free(bytes);
        }
    }
    assert_true(refused_count > 5000);
    assert_true(read_count > 1000);
}

static void
test_bad_zones_are_refused(void **state)
{
    (void)state;
    static const char *const footers[] = {
        "C-1",
        "CET",
        "CET-25",
        "CET-1CEST",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,J0,J365",
        "CET-1CEST,0,366",
        "CET-1CEST,M3.5.0,M10.5.0x",
        "CET-1CEST,M3.5.0/168,M10.5.0",
        "<CET-1",
        "CET-1:60",
        "CET-99999999999999999999",
    };
    uint8_t data[256];
    struct gf_zone zone;
    struct gf_error error;
    for (size_t index = 0; index < COUNT(footers); index++) {
        const size_t size = zone_file_make(1, 3600, footers[index], data);
        if (gf_zone_parse("made", data, size, &zone, &error) != GF_E_BAD_DATA) {
            fail_msg("\"%s\" was read", footers[index]);
        }
    }
    size_t size = zone_file_make(1, 100000, "", data);
    assert_int_equal(gf_zone_parse("made", data, size, &zone, &error), GF_E_BAD_DATA);
    size = zone_file_make(1, 3600, "", data);
    assert_int_equal(gf_zone_parse("made", data, size, &zone, &error), GF_OK);
    assert_int_equal(gf_zone_offset(&zone, (struct gf_time){0}), 3600);
    data[4] = '\0';
    assert_int_equal(gf_zone_parse("made", data, size, &zone, &error), GF_E_BAD_DATA);
    const char *long_name = "a/name/of/a/zone/that/is/longer/than/any/in/the/database";
    data[4] = '2';
    assert_int_equal(gf_zone_parse(long_name, data, size, &zone, NULL), GF_E_BAD_DATA);
}

static void
test_utc_is_always_there(void **state)
{
    (void)state;
    use_everywhere(gf_zone_utc());
    assert_int_equal(gf_zone_offset(gf_zone_utc(), (struct gf_time){GF_TIME_US_MAX}), 0);
    assert_int_equal(gf_day_start(gf_zone_utc(), 3).us, 3 * GF_US_PER_DAY);
    assert_int_equal(gf_day_of(gf_zone_utc(), (struct gf_time){-1}), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets_are_those_of_the_c_library),
        cmocka_unit_test(test_footers_are_those_of_the_c_library),
        cmocka_unit_test(test_daylight_time_may_last_all_year),
        cmocka_unit_test(test_days_have_23_24_or_25_hours),
        cmocka_unit_test(test_days_start_where_they_begin),
        cmocka_unit_test(test_wall_times_may_not_be_or_be_twice),
        cmocka_unit_test(test_hostile_bytes_are_survived),
        cmocka_unit_test(test_bad_zones_are_refused),
        cmocka_unit_test(test_utc_is_always_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
