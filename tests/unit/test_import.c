/* Imports from rows to a folder log and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "import_fixture.h"

static void
rows_become_records_in_time_order(void **state)
{
    struct import_fixture *const fixture = *state;
    struct gf_import_summary summary;
    char text[8192];
    const char *const prices =
        "delimiter: \";\"\ndecimal_mark: \",\"\ntime_zone: \"+10:00\"\ntargets:\n"
        "  - topic: market.prices\n    key: NSW\n    fields:\n"
        "      zone: NSW\n      product: BALANCING\n"
        "      interval_start: {column: end, format: \"YYYY-MM-DD HH:MM\", marks: interval_end, "
        "interval: 5m}\n"
        "      interval_s: 300\n      price_e8_per_kwh: {column: rrp, unit: AUD/MWh}\n"
        "      currency: AUD\n"
        "      published_at: {column: end, format: \"YYYY-MM-DD HH:MM\"}\n      version: 1\n";
    assert_int_equal(
        import_text(
            fixture, prices,
            "\xef\xbb\xbf"
            "rrp;\"end\"\r\n15500;2021-10-01 00:10\r\n\r\n\"-1000,00\"; 2021-10-01 00:05\r\n",
            &summary),
        GF_OK);
    assert_int_equal(summary.lines, 2);
    assert_int_equal(summary.all.records, 2);
    import_log_print(fixture, GF_TOPIC_MARKET_PRICES, 0, text, sizeof text);
    assert_string_equal(
        text,
        "NSW "
        "{\"zone\":\"NSW\",\"product\":\"BALANCING\",\"interval_start\":\"2021-09-30T14:00:00Z\","
        "\"interval_s\":\"300 s\",\"price_e8_per_kwh\":\"-1 per kWh\",\"currency\":\"AUD\","
        "\"published_at\":\"2021-09-30T14:05:00Z\",\"version\":1}\n"
        "NSW "
        "{\"zone\":\"NSW\",\"product\":\"BALANCING\",\"interval_start\":\"2021-09-30T14:05:00Z\","
        "\"interval_s\":\"300 s\",\"price_e8_per_kwh\":\"15.5 per kWh\",\"currency\":\"AUD\","
        "\"published_at\":\"2021-09-30T14:10:00Z\",\"version\":1}\n");
}

static void
bad_rows_go_to_the_reject_file(void **state)
{
    struct import_fixture *const fixture = *state;
    struct gf_import_summary summary;
    assert_int_equal(import_text(fixture, LONDON,
                                 "home,t,kwh\n"
                                 "1,2013-07-01 00:00,0.25\n"
                                 "2,2013-07-01 00:00,-0.25\n"     /* 3: negative on import */
                                 "3,2013-07-01 00:00,NaN\n"       /* 4 */
                                 "4,2013-07-01 00:00,\n"          /* 5: empty */
                                 "5,2013-10-27 01:30,1\n"         /* 6: twice */
                                 "6,2013-03-31 01:30,1\n"         /* 7: never */
                                 "7,2013-07-01 00:00\n"           /* 8: two columns */
                                 ",2013-07-01 00:00,1\n"          /* 9: no key */
                                 "total,2013-07-01 00:00,9\n"     /* 10: filtered */
                                 "Z\xfcrich,2013-07-01 00:00,1\n" /* 11: not UTF-8 */
                                 "8,2013-07-01 00:00,\"1\n"       /* 12: the quote does not end */
                                 "9,2013-07-01 00:00,1e300\n"     /* 13: too large */
                                 "10,2013-07-01 00:00,0.5",       /* 14: no newline at the end */
                                 &summary),
                     GF_OK);
    assert_int_equal(summary.lines, 13);
    assert_int_equal(summary.all.records, 2);
    assert_int_equal(summary.all.filtered, 1);
    assert_int_equal(summary.all.rejected, 10);
    assert_int_equal(fixture->reject_count, 10);
    assert_int_equal(import_log_count(fixture, GF_TOPIC_METER_READINGS), 2);

    static const char *const expected[] = {
        "\"line\":3,\"topic\":\"meter.readings\",\"reason\":\"energy_micro_kwh: \\\"-0.25\\\" is "
        "negative on import",
        "\"line\":4,\"topic\":\"meter.readings\",\"reason\":\"energy_micro_kwh: \\\"NaN\\\" is not "
        "a number\","
        "\"text\":\"3,2013-07-01 00:00,NaN\"}",
        "\"line\":5,\"topic\":\"meter.readings\",\"reason\":\"energy_micro_kwh: is empty\"",
        "\"line\":6,\"topic\":\"meter.readings\",\"reason\":\"interval_start: local time "
        "\\\"2013-10-27 01:30\\\" happens "
        "twice in Europe/London",
        "\"line\":7,\"topic\":\"meter.readings\",\"reason\":\"interval_start: local time "
        "\\\"2013-03-31 01:30\\\" does not "
        "exist",
        "\"line\":8,\"reason\":\"2 columns, and the header has 3\",\"text\":\"7,2013-07-01 "
        "00:00\"}",
        "\"line\":9,\"topic\":\"meter.readings\",\"reason\":\"key: a column in it is empty\"",
        "\"line\":11,\"reason\":\"line is not UTF-8\",\"text\":\"Z\xef\xbf\xbdrich,2013-07-01 "
        "00:00,1\"}",
        "\"line\":12,\"reason\":\"quotes are opened and not closed\",\"text\":\"8,2013-07-01 "
        "00:00,\\\"1\"}",
        "\"line\":13,\"topic\":\"meter.readings\",\"reason\":\"energy_micro_kwh: \\\"1e300\\\" is "
        "too large\"",
    };
    char path[128], line[4096];
    snprintf(path, sizeof path, "%s/rejects.log", fixture->log);
    FILE *const file = fopen(path, "r");
    assert_non_null(file);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_non_null(fgets(line, sizeof line, file));
        print_message("%s", line);
        assert_non_null(strstr(line, expected[i]));
    }
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
}

static void
negative_may_mean_export(void **state)
{
    struct import_fixture *const fixture = *state;
    struct gf_import_summary summary;
    char text[4096];
    assert_int_equal(import_text(fixture, READINGS("unit: kWh, negative: export", ""),
                                 "home,t,kwh\n1,2016-01-01 00:00,-1.5\n1,2016-01-01 00:30,1.5\n",
                                 &summary),
                     GF_OK);
    import_log_print(fixture, GF_TOPIC_METER_READINGS, gf_partition_of(gf_span_text("C001"), 2),
                     text, sizeof text);
    const char *const export = strstr(text, "1-0:2.8.0");
    assert_non_null(export);
    assert_non_null(strstr(export, "\"energy_micro_kwh\":\"1.5 kWh\""));
    assert_non_null(strstr(export, "1-0:1.8.0")); /* the next one is import again */
}

static void
strict_and_empty_imports_write_nothing(void **state)
{
    struct import_fixture *const fixture = *state;
    struct gf_import_summary summary;
    const char *const text = "home,t,kwh\n1,2016-01-01 00:00,1\n1,2016-01-01 00:30,x\n";
    import_file_write(fixture, text, strlen(text));
    assert_int_equal(
        import_with(fixture, LONDON, (struct gf_import_options){.is_strict = true}, &summary),
        GF_E_BAD_DATA);
    assert_int_equal(import_log_count(fixture, GF_TOPIC_METER_READINGS), 0);
    assert_int_equal(import_text(fixture, LONDON, "home,t,kwh\n1,2016-01-01 00:30,x\n", &summary),
                     GF_E_CONFIG);
}

static void
nothing_to_import_is_bad_data(void **state)
{
    struct import_fixture *const fixture = *state;
    struct gf_import_summary summary;
    assert_int_equal(import_text(fixture, LONDON, "home,t,kwh\n1,2016-01-01 00:30,x\n", &summary),
                     GF_E_BAD_DATA);
    assert_int_equal(import_text(fixture, LONDON, "home,t,kwh\n", &summary), GF_E_BAD_DATA);
    assert_int_equal(import_text(fixture, LONDON, "", &summary), GF_E_BAD_DATA);
    assert_int_equal(import_text(fixture, LONDON, "home,t,kwhh\n1,2016-01-01 00:30,x\n", &summary),
                     GF_E_BAD_DATA);
}

static void
wide_rows_are_many_records(void **state)
{
    struct import_fixture *const fixture = *state;
    struct gf_import_summary summary;
    char text[8192];
    const char *const mapping =
        "targets:\n"
        "  - topic: meter.readings\n"
        "    each: load_b{home}\n"
        "    key: \"HOME{home:02}\"\n"
        "    fields:\n"
        "      meter_id: \"M{home}\"\n"
        "      obis: \"1-0:1.8.0\"\n"
        "      kind: INTERVAL\n"
        "      interval_start: {row: {start: 2016-01-01T00:00:00Z, step: 1h}}\n"
        "      interval_s: 3600\n"
        "      energy_micro_kwh: {column: \"load_b{home}\", unit: Wh}\n"
        "      quality: {column: \"ok_b{home}\", map: {\"1\": ACTUAL, default: ESTIMATED}}\n"
        "      status_bits: 0\n"
        "      source: HEADEND\n"
        "  - topic: meter.events\n"
        "    key: \"{who}\"\n"
        "    distinct: true\n"
        "    fields:\n"
        "      meter_id: X\n"
        "      code: POWER_UP\n"
        "      occurred_at: 2016-01-01T00:00:00Z\n"
        "      detail: \"\"\n";
    assert_int_equal(
        import_text(fixture, mapping,
                    "who,load_b1,ok_b1,load_b12,ok_b12\na,100,1,200,0\nb,300,1,x,1\na,1,1,2,1\n",
                    &summary),
        GF_OK);
    const struct gf_import_count *const readings = &summary.topics[GF_TOPIC_METER_READINGS];
    assert_int_equal(summary.lines, 3);
    assert_int_equal(readings->rows, 6);
    assert_int_equal(readings->records, 5);
    assert_int_equal(readings->rejected, 1);
    assert_non_null(strstr(fixture->reason, "load_b12: energy_micro_kwh: \"x\" is not a number"));
    const struct gf_import_count *const events = &summary.topics[GF_TOPIC_METER_EVENTS];
    assert_int_equal(events->rows, 3);
    assert_int_equal(events->records, 2);
    assert_int_equal(events->repeated, 1);
    import_log_print(fixture, GF_TOPIC_METER_READINGS, gf_partition_of(gf_span_text("HOME12"), 2),
                     text, sizeof text);
    assert_non_null(
        strstr(text, "HOME12 {\"meter_id\":\"M12\",\"obis\":\"1-0:1.8.0\",\"kind\":\"INTERVAL\","
                     "\"interval_start\":\"2016-01-01T00:00:00Z\",\"interval_s\":\"3600 s\","
                     "\"energy_micro_kwh\":\"0.2 kWh\",\"quality\":\"ESTIMATED\""));
}

static void
json_lines_are_rows_too(void **state)
{
    struct import_fixture *const fixture = *state;
    struct gf_import_summary summary;
    assert_int_equal(import_text(fixture, READINGS("unit: kWh", "format: ndjson\ntime_zone: UTC\n"),
                                 "{\"home\":7,\"t\":\"2016-01-01 00:00\",\"kwh\":0.100}\n"
                                 "{\"home\":7,\"t\":\"2016-01-01 00:30\",\"kwh\":null}\n"
                                 "{\"home\":7,\"t\":\"2016-01-01 00:30\"\n",
                                 &summary),
                     GF_OK);
    assert_int_equal(summary.all.records, 1);
    assert_int_equal(summary.all.rejected, 2);
    assert_non_null(strstr(fixture->reason, "not JSON at column"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_become_records_in_time_order, import_setup,
                                        import_teardown),
        cmocka_unit_test_setup_teardown(bad_rows_go_to_the_reject_file, import_setup,
                                        import_teardown),
        cmocka_unit_test_setup_teardown(negative_may_mean_export, import_setup, import_teardown),
        cmocka_unit_test_setup_teardown(strict_and_empty_imports_write_nothing, import_setup,
                                        import_teardown),
        cmocka_unit_test_setup_teardown(nothing_to_import_is_bad_data, import_setup,
                                        import_teardown),
        cmocka_unit_test_setup_teardown(wide_rows_are_many_records, import_setup, import_teardown),
        cmocka_unit_test_setup_teardown(json_lines_are_rows_too, import_setup, import_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
