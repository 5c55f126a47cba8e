/* Values: numbers, units, times and cells of an import, each alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/records.h"
#include "config/zones.h"
#include "io/import_cells.h"
#include "io/import_number.h"
#include "io/import_sort.h"
#include "io/import_time.h"

static const struct gf_type *
field_type(const struct gf_type *record, const char *name)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (strcmp(record->fields[i].name, name) == 0) {
            return record->fields[i].type;
        }
    }
    fail_msg("no field %s", name);
    return NULL;
}

static void
units_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *field, *unit, *text;
        enum gf_rc rc;
        int64_t value;
    } cases[] = {
        {"energy", "kWh", "7.098", GF_OK, 7098000},
        {"energy", "Wh", "7098", GF_OK, 7098000},
        {"energy", "Wh", "0.0005", GF_OK, 0}, /* half of the last digit: to even */
        {"energy", "Wh", "0.0015", GF_OK, 2},
        {"energy", "Wh", "0.00150000000000000000001", GF_OK, 2},
        {"energy", "Wh", "0.00050000000000000000001", GF_OK, 1},
        {"energy", "MWh", "0.007098", GF_OK, 7098000},
        {"energy", "kWh", "1.5e-05", GF_OK, 15},
        {"energy", "kWh", "1E3", GF_OK, 1000000000},
        {"energy", "kWh", "-0.25", GF_OK, -250000},
        {"energy", "kWh", "+.5", GF_OK, 500000},
        {"energy", "kWh", "9223372036854.775807", GF_OK, INT64_MAX},
        {"energy", "kWh", "-9223372036854.775807", GF_OK, -INT64_MAX},
        {"energy", "kWh", "9223372036854.775808", GF_E_RANGE, 0},
        {"energy", "kWh", "9223372036854.7758075", GF_E_RANGE, 0},
        {"energy", "GWh", "99999999", GF_E_RANGE, 0},
        {"energy", "kWh", "NaN", GF_E_BAD_FIELD, 0},
        {"energy", "kWh", "inf", GF_E_BAD_FIELD, 0},
        {"energy", "kWh", "", GF_E_BAD_FIELD, 0},
        {"energy", "kWh", "-", GF_E_BAD_FIELD, 0},
        {"energy", "kWh", "1,5", GF_E_BAD_FIELD, 0},
        {"energy", "kWh", "1.2.3", GF_E_BAD_FIELD, 0},
        {"energy", "kWh", "0x10", GF_E_BAD_FIELD, 0},
        {"energy", "kWh", "1e", GF_E_BAD_FIELD, 0},
        {"energy", "kWh", "1e9999", GF_E_BAD_FIELD, 0},
        {"energy", "kWh", "0e999", GF_OK, 0},
        {"price", "EUR/MWh", "13.78", GF_OK, 1378000},
        {"price", "EUR/MWh", "-130.09", GF_OK, -13009000},
        {"price", "AUD/MWh", "15500.0000", GF_OK, 1550000000},
        {"price", "EUR/kWh", "0.2875", GF_OK, 28750000},
        {"price", "cent/kWh", "28.75", GF_OK, 28750000},
        {"price", "currency/Wh", "0.0002875", GF_OK, 28750000},
        {"power", "MW", "6912.25", GF_OK, 6912250},
        {"power", "W", "1500", GF_OK, 2},
        {"length", "min", "5", GF_OK, 300},
        {"length", "h", "0.5", GF_OK, 1800},
    };
    const struct gf_type *const energy = field_type(&gf_meter_reading_type, "energy_micro_kwh");
    const struct gf_type *const price = field_type(&gf_market_price_type, "price_e8_per_kwh");
    const struct gf_type *const power = field_type(&gf_supply_state_type, "demand_kw");
    const struct gf_type *const length = field_type(&gf_market_price_type, "interval_s");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char which = cases[i].field[0];
        const struct gf_type *const type = which == 'e'                           ? energy
                                           : which == 'l'                         ? length
                                           : strcmp(cases[i].field, "price") == 0 ? price
                                                                                  : power;
        struct gf_import_number number = {.factor = 1, .shift = type->scale, .decimal_mark = '.'};
        char currency[GF_IMPORT_CURRENCY_SIZE];
        int64_t value = 0;
        print_message("%s %s\n", cases[i].text, cases[i].unit);
        assert_int_equal(gf_import_unit_apply(type, cases[i].unit, &number, currency), GF_OK);
        const enum gf_rc rc =
            gf_import_number_parse(&number, cases[i].text, strlen(cases[i].text), &value);
        assert_int_equal(rc, cases[i].rc);
        assert_int_equal(value, cases[i].value);
    }
}

static void
wrong_units_are_refused(void **state)
{
    (void)state;
    const struct gf_type *const energy = field_type(&gf_meter_reading_type, "energy_micro_kwh");
    const struct gf_type *const price = field_type(&gf_market_price_type, "price_e8_per_kwh");
    struct gf_import_number number = {.factor = 1, .decimal_mark = '.'};
    char currency[GF_IMPORT_CURRENCY_SIZE];
    assert_int_equal(gf_import_unit_apply(energy, "kW", &number, currency), GF_E_BAD_FIELD);
    assert_int_equal(gf_import_unit_apply(energy, "kwh", &number, currency), GF_E_BAD_FIELD);
    assert_int_equal(gf_import_unit_apply(price, "EUR", &number, currency), GF_E_BAD_FIELD);
    assert_int_equal(gf_import_unit_apply(price, "eur/MWh", &number, currency), GF_E_BAD_FIELD);
    assert_int_equal(gf_import_unit_apply(price, "GBP/MWh", &number, currency), GF_OK);
    assert_string_equal(currency, "GBP");
}

static void
scales_and_marks(void **state)
{
    (void)state;
    struct gf_import_number number = {.factor = 1, .shift = 6, .decimal_mark = ','};
    int64_t value = 0;
    assert_int_equal(gf_import_number_scale(&number, "0.25", 4), GF_OK);
    assert_int_equal(gf_import_number_parse(&number, "1,5", 3, &value), GF_OK);
    assert_int_equal(value, 375000);
    assert_int_equal(gf_import_number_scale(&number, "0", 1), GF_E_BAD_FIELD);
    assert_int_equal(gf_import_number_scale(&number, "-1", 2), GF_E_BAD_FIELD);
    number = (struct gf_import_number){.factor = 1, .decimal_mark = '.', .must_be_whole = true};
    assert_int_equal(gf_import_number_parse(&number, "3.0", 3, &value), GF_OK);
    assert_int_equal(value, 3);
    assert_int_equal(gf_import_number_parse(&number, "3.5", 3, &value), GF_E_BAD_FIELD);
}

/* ---- times ---- */

static struct gf_zones zones;

static int
zones_setup(void **state)
{
    (void)state;
    struct gf_error error;
    return gf_zones_load(NULL, &zones, &error) == GF_OK ? 0 : -1;
}

static int
zones_teardown(void **state)
{
    (void)state;
    gf_zones_free(&zones);
    return 0;
}

static void
time_expect(const struct gf_import_time *rule, struct gf_import_row *row, const char *text,
            enum gf_import_outcome outcome, const char *expected)
{
    struct gf_time time = GF_TIME_NONE;
    struct gf_error error = {.text = ""};
    char printed[GF_TIME_TEXT_SIZE];
    assert_int_equal(gf_import_time_apply(rule, row, gf_span_text(text), &time, &error), outcome);
    if (outcome == GF_IMPORT_RECORD) {
        gf_time_print(time, printed);
        assert_string_equal(printed, expected);
    } else if (outcome == GF_IMPORT_REJECTED) {
        assert_non_null(strstr(error.text, expected));
    }
}

static void
times_in_all_formats(void **state)
{
    (void)state;
    struct gf_import_row row = {.index = 3};
    struct gf_import_time rule = {.format = GF_IMPORT_TIME_RFC3339, .zone = gf_zone_utc()};
    time_expect(&rule, &row, "2016-01-02T03:04:05+01:00", GF_IMPORT_RECORD, "2016-01-02T02:04:05Z");
    time_expect(&rule, &row, "yesterday", GF_IMPORT_REJECTED, "is not a time");
    rule = (struct gf_import_time){
        .format = GF_IMPORT_TIME_EPOCH, .epoch_shift = 6, .zone = gf_zone_utc()};
    time_expect(&rule, &row, "1451606400.5", GF_IMPORT_RECORD, "2016-01-01T00:00:00.500000Z");
    time_expect(&rule, &row, "-1", GF_IMPORT_REJECTED, "is not a time");
    rule.epoch_shift = 3;
    time_expect(&rule, &row, "1451606400000", GF_IMPORT_RECORD, "2016-01-01T00:00:00Z");
    rule = (struct gf_import_time){.format = GF_IMPORT_TIME_PATTERN,
                                   .pattern = "DD.MM.YYYY HH:MM",
                                   .zone = gf_zones_find(&zones, "Europe/Berlin")};
    time_expect(&rule, &row, "01.07.2016 12:30", GF_IMPORT_RECORD, "2016-07-01T10:30:00Z");
    time_expect(&rule, &row, "01.07.2016 24:00", GF_IMPORT_RECORD, "2016-07-01T22:00:00Z");
    time_expect(&rule, &row, "31.06.2016 12:30", GF_IMPORT_REJECTED,
                "is not a time like DD.MM.YYYY HH:MM");
    time_expect(&rule, &row, "01.07.2016 24:01", GF_IMPORT_REJECTED, "is not a time");
    time_expect(&rule, &row, "01.07.2016 12:30 ", GF_IMPORT_REJECTED, "is not a time");
    time_expect(&rule, &row, "01.07.2250 12:30", GF_IMPORT_REJECTED, "outside [1970, 2200)");
    rule.pattern = "YYYY-MM-DD HH:MM:SS";
    time_expect(&rule, &row, "2012-10-12 00:30:00.0000000", GF_IMPORT_RECORD,
                "2012-10-11T22:30:00Z");
    rule = (struct gf_import_time){.format = GF_IMPORT_TIME_ROW,
                                   .row_start = {INT64_C(1451606400000000)},
                                   .row_step = {GF_US_PER_HOUR},
                                   .zone = gf_zone_utc()};
    time_expect(&rule, &row, "", GF_IMPORT_RECORD, "2016-01-01T03:00:00Z");
}

static void
shifts_are_on_the_local_calendar(void **state)
{
    (void)state;
    struct gf_import_row row = {.index = 0};
    struct gf_import_time rule = {.format = GF_IMPORT_TIME_PATTERN,
                                  .pattern = "YYYY-MM-DD HH:MM",
                                  .zone = gf_zones_find(&zones, "Europe/Berlin"),
                                  .shift_days = -1,
                                  .has_at = true,
                                  .at_us = 12 * GF_US_PER_HOUR + 45 * GF_US_PER_MINUTE};
    time_expect(&rule, &row, "2016-03-27 00:00", GF_IMPORT_RECORD, "2016-03-26T11:45:00Z");
    time_expect(&rule, &row, "2016-03-28 00:00", GF_IMPORT_RECORD, "2016-03-27T10:45:00Z");
    rule.format = GF_IMPORT_TIME_RFC3339; /* an instant has a local day too */
    time_expect(&rule, &row, "2016-03-27T22:30:00Z", GF_IMPORT_RECORD, "2016-03-27T10:45:00Z");
    rule = (struct gf_import_time){
        .format = GF_IMPORT_TIME_RFC3339, .zone = gf_zone_utc(), .shift = {-300 * GF_US_PER_S}};
    time_expect(&rule, &row, "2016-03-27T00:05:00Z", GF_IMPORT_RECORD, "2016-03-27T00:00:00Z");
}

static void
clock_changes_are_not_guessed_at(void **state)
{
    (void)state;
    struct gf_import_seen seen = {.count = 0};
    struct gf_import_row row = {.key = gf_span_text("A"), .seen = &seen};
    struct gf_import_time rule = {.format = GF_IMPORT_TIME_PATTERN,
                                  .pattern = "YYYY-MM-DD HH:MM",
                                  .zone = gf_zones_find(&zones, "Europe/London")};
    time_expect(&rule, &row, "2013-10-27 01:30", GF_IMPORT_REJECTED,
                "happens twice in Europe/London");
    time_expect(&rule, &row, "2013-03-31 01:30", GF_IMPORT_REJECTED,
                "does not exist in Europe/London");
    rule.nonexistent_is_filtered = true;
    time_expect(&rule, &row, "2013-03-31 01:30", GF_IMPORT_FILTERED, "");
    rule.ambiguous = GF_IMPORT_AMBIGUOUS_EARLIER;
    time_expect(&rule, &row, "2013-10-27 01:30", GF_IMPORT_RECORD, "2013-10-27T00:30:00Z");
    rule.ambiguous = GF_IMPORT_AMBIGUOUS_LATER;
    time_expect(&rule, &row, "2013-10-27 01:30", GF_IMPORT_RECORD, "2013-10-27T01:30:00Z");
    rule.ambiguous = GF_IMPORT_AMBIGUOUS_SEQUENCE;
    time_expect(&rule, &row, "2013-10-27 01:00", GF_IMPORT_RECORD, "2013-10-27T00:00:00Z");
    time_expect(&rule, &row, "2013-10-27 01:30", GF_IMPORT_RECORD, "2013-10-27T00:30:00Z");
    time_expect(&rule, &row, "2013-10-27 01:00", GF_IMPORT_RECORD, "2013-10-27T01:00:00Z");
    row.key = gf_span_text("B"); /* another meter has a sequence of its own */
    time_expect(&rule, &row, "2013-10-27 01:30", GF_IMPORT_RECORD, "2013-10-27T00:30:00Z");
    row.key = gf_span_text("A");
    time_expect(&rule, &row, "2013-10-27 01:30", GF_IMPORT_RECORD, "2013-10-27T01:30:00Z");
    time_expect(&rule, &row, "2013-10-27 01:30", GF_IMPORT_REJECTED, "a third time");
    gf_import_seen_fini(&seen);
}

/* ---- cells ---- */

static void
csv_rows_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t count;
        const char *cells[4];
    } cases[] = {
        {"a,b,c", 3, {"a", "b", "c"}},
        {"a,,", 3, {"a", "", ""}},
        {"", 1, {""}},
        {"\"a,b\",\"say \"\"yes\"\"\",\"\"", 3, {"a,b", "say \"yes\"", ""}},
        {"\"two\nlines\",x", 2, {"two\nlines", "x"}},
        {"5\" pipe,x", 2, {"5\" pipe", "x"}},
        {"\"a\"b,x", 2, {"ab", "x"}},
        {"\"open,x", 1, {"open,x"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gf_span cells[4];
        char *const text = strdup(cases[i].text);
        assert_int_equal(gf_import_csv_split(text, strlen(text), ',', cells, 4), cases[i].count);
        for (uint32_t j = 0; j < cases[i].count; j++) {
            assert_true(gf_span_equal(cells[j], gf_span_text(cases[i].cells[j])));
        }
        free(text);
    }
}

static void
json_objects_are_taken_apart(void **state)
{
    (void)state;
    static uint8_t memory[4096];
    static const char *const names[] = {"a", "b.c", "s", "none"};
    struct gf_arena arena = gf_arena_of(memory, sizeof memory);
    struct gf_span cells[4];
    struct gf_error error;
    const char *const good =
        " {\"x\":[1,{\"a\":2}],\"a\":12.340000000000000001 ,\"b\":{\"y\":[{\"c\":9}],\"c\":-1e-5},"
        "\"s\":\"\\u00e9\\ud83d\\ude00\\n\\\"\",\"none\":null} ";
    assert_int_equal(gf_import_json_split(gf_span_text(good), names, 4, cells, &arena, &error),
                     GF_OK);
    assert_true(gf_span_equal(cells[0], gf_span_text("12.340000000000000001")));
    assert_true(gf_span_equal(cells[1], gf_span_text("-1e-5")));
    assert_true(gf_span_equal(cells[2], gf_span_text("\xc3\xa9\xf0\x9f\x98\x80\n\"")));
    assert_int_equal(cells[3].size, 0);
    static const char *const bad[] = {"",
                                      "[1]",
                                      "{\"a\":1",
                                      "{\"a\":01x}",
                                      "{\"a\" 1}",
                                      "{\"a\":1} 2",
                                      "{\"a\":\"x}",
                                      "{a:1}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{\"a\":\"\\ud800\"}",
                                      "{\"a\":\"\\q\"}",
                                      "{\"a\":NaN}",
                                      "{\"a\":1.}",
                                      "{\"a\":\"\\",
                                      "{\"a\":\"\\u12\"}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        print_message("%s\n", bad[i]);
        assert_int_equal(
            gf_import_json_split(gf_span_text(bad[i]), names, 4, cells, &arena, &error),
            GF_E_BAD_FIELD);
    }
}

static void
text_is_utf8(void **state)
{
    (void)state;
    assert_true(gf_import_text_is_valid(gf_span_text("plain and long enough for words")));
    assert_true(
        gf_import_text_is_valid(gf_span_text("Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80")));
    assert_false(gf_import_text_is_valid(gf_span_text("Z\xfcrich, in another code")));
    assert_false(gf_import_text_is_valid(gf_span_text("\xc0\xaf")));
    assert_false(gf_import_text_is_valid(gf_span_text("\xed\xa0\x80")));
    assert_false(gf_import_text_is_valid(gf_span_text("cut \xe2\x82")));
    assert_false(gf_import_text_is_valid(gf_span_of("nul\0 inside", 11)));
}

/* ---- sort ---- */

struct sorted {
    uint32_t count;
    uint64_t last_place;
    int64_t last_us;
    uint32_t last_number;
};

static enum gf_rc
order_check(void *context, const struct gf_import_item *item, struct gf_error *error)
{
    (void)error;
    struct sorted *const sorted = context;
    uint32_t number = 0;
    const uint64_t place = (uint64_t)item->topic << 16 | item->partition;
    memcpy(&number, item->value.data, sizeof number);
    assert_int_equal(item->key.size, number % 50 + 1);
    if (sorted->count > 0) {
        assert_true(place >= sorted->last_place);
        if (place == sorted->last_place) {
            assert_true(item->time.us >= sorted->last_us);
            assert_true(item->time.us > sorted->last_us || number > sorted->last_number);
        }
    }
    *sorted = (struct sorted){sorted->count + 1, place, item->time.us, number};
    return GF_OK;
}

/* 64 KiB of memory: hundreds of runs, joined on the way. */
static void
sort_is_stable_in_little_memory(void **state)
{
    (void)state;
    struct gf_import_sort *sort = NULL;
    struct gf_error error = {.text = ""};
    const uint64_t memories[] = {0, 65536, 4096};
    for (size_t m = 0; m < 3; m++) {
        assert_int_equal(gf_import_sort_new("/tmp", memories[m], &sort, &error), GF_OK);
        const uint32_t count = 20000;
        static const uint8_t key[64] = "keykeykeykeykey";
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t mixed = i * UINT32_C(2654435761);
            const struct gf_import_item item = {.topic = (uint16_t)(mixed >> 30),
                                                .partition = (uint16_t)(mixed >> 27 & 3),
                                                .time = {mixed >> 20 & 63}, /* many are equal */
                                                .key = gf_span_of(key, i % 50 + 1),
                                                .value = gf_span_of(&i, sizeof i)};
            assert_int_equal(gf_import_sort_add(sort, &item, &error), GF_OK);
        }
        struct sorted sorted = {.count = 0};
        assert_int_equal(gf_import_sort_drain(sort, order_check, &sorted, &error), GF_OK);
        assert_int_equal(sorted.count, count);
        assert_true(m == 0 ? gf_import_sort_run_count(sort) == 0
                           : gf_import_sort_run_count(sort) >
                                 (m == 1 ? 10u : GF_IMPORT_SORT_RUN_COUNT_MAX));
        gf_import_sort_free(sort);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_exact),
        cmocka_unit_test(wrong_units_are_refused),
        cmocka_unit_test(scales_and_marks),
        cmocka_unit_test(times_in_all_formats),
        cmocka_unit_test(shifts_are_on_the_local_calendar),
        cmocka_unit_test(clock_changes_are_not_guessed_at),
        cmocka_unit_test(csv_rows_are_taken_apart),
        cmocka_unit_test(json_objects_are_taken_apart),
        cmocka_unit_test(text_is_utf8),
        cmocka_unit_test(sort_is_stable_in_little_memory),
    };
    return cmocka_run_group_tests(tests, zones_setup, zones_teardown);
}
