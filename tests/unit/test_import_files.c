/* Imports of whole files: packed ones, large ones, ones that do not fit into memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "import_fixture.h"

static void
packed_files_are_told_by_their_content(void **state)
{
    struct import_fixture *const fixture = *state;
    struct gf_import_summary summary;
    static char text[200000];
    static uint8_t packed[200000];
    size_t size = (size_t)sprintf(text, "home,t,kwh\n");
    const uint32_t count = 3000;
    for (uint32_t i = 0; i < count; i++) {
        size += (size_t)sprintf(text + size, "%u,2016-01-%02u %02u:%02u,%u.5\n", i % 5,
                                1 + i / 48 % 28, i / 2 % 24, i % 2 * 30, i);
    }
    uLongf gzip_size = sizeof packed;
    z_stream stream = {.next_in = (Bytef *)text,
                       .avail_in = (uInt)size,
                       .next_out = packed,
                       .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    gzip_size = stream.total_out;
    deflateEnd(&stream);
    import_file_write(fixture, packed, gzip_size);
    assert_int_equal(
        import_with(fixture, LONDON, (struct gf_import_options){.log.partitions = 2}, &summary),
        GF_OK);
    assert_int_equal(summary.all.records, count);
    assert_int_equal(summary.bytes, gzip_size);

    import_file_write(fixture, packed, gzip_size - 9); /* cut off */
    assert_int_equal(
        import_with(fixture, LONDON, (struct gf_import_options){.log.partitions = 2}, &summary),
        GF_E_BAD_DATA);
    packed[gzip_size / 2] ^= 0x55;
    import_file_write(fixture, packed, gzip_size);
    assert_int_equal(
        import_with(fixture, LONDON, (struct gf_import_options){.log.partitions = 2}, &summary),
        GF_E_BAD_DATA);
    assert_int_equal(import_log_count(fixture, GF_TOPIC_METER_READINGS),
                     count); /* nothing of them is in the log */

    /* Two frames, one behind the other. */
    const size_t half = ZSTD_compress(packed, sizeof packed, text, size / 2, 3);
    const size_t rest =
        ZSTD_compress(packed + half, sizeof packed - half, text + size / 2, size - size / 2, 3);
    import_file_write(fixture, packed, half + rest);
    assert_int_equal(
        import_with(fixture, LONDON, (struct gf_import_options){.log.partitions = 2}, &summary),
        GF_OK);
    assert_int_equal(summary.all.records, count);
    import_file_write(fixture, packed, half + rest - 1);
    assert_int_equal(
        import_with(fixture, LONDON, (struct gf_import_options){.log.partitions = 2}, &summary),
        GF_E_BAD_DATA);
}

/* The same bytes in memory and by runs on disk, and an import behind another says when it goes back
 * in time. */
static void
runs_on_disk_change_nothing(void **state)
{
    struct import_fixture *const fixture = *state;
    struct gf_import_summary summary;
    static char text[400000], in_memory[2000000], by_runs[2000000];
    size_t size = (size_t)sprintf(text, "home,t,kwh\n");
    for (uint32_t i = 0; i < 4000; i++) {
        size += (size_t)sprintf(text + size, "1,2016-%02u-%02u 00:00,%u\n", 12 - i / 28 % 12,
                                1 + i % 28, i);
    }
    import_file_write(fixture, text, size);
    assert_int_equal(
        import_with(fixture, LONDON, (struct gf_import_options){.log.partitions = 1}, &summary),
        GF_OK);
    assert_int_equal(summary.runs, 0);
    assert_string_equal(fixture->warning, "");
    import_log_print(fixture, GF_TOPIC_METER_READINGS, 0, in_memory, sizeof in_memory);
    char first_log[sizeof fixture->log];
    memcpy(first_log, fixture->log, sizeof first_log);
    strcat(fixture->log, "2");
    assert_int_equal(
        import_with(fixture, LONDON,
                    (struct gf_import_options){.log.partitions = 1, .sort_memory = 20000},
                    &summary),
        GF_OK);
    assert_true(summary.runs > 10);
    import_log_print(fixture, GF_TOPIC_METER_READINGS, 0, by_runs, sizeof by_runs);
    assert_string_equal(in_memory, by_runs);
    assert_int_equal(
        import_with(fixture, LONDON, (struct gf_import_options){.log.partitions = 1}, &summary),
        GF_OK);
    assert_non_null(
        strstr(fixture->warning, "meter.readings/0 goes back in time, from 2016-12-28T00:30:00Z"));
    assert_int_equal(import_log_count(fixture, GF_TOPIC_METER_READINGS), 8000);
}

static void
long_lines_cost_no_more_than_themselves(void **state)
{
    struct import_fixture *const fixture = *state;
    struct gf_import_summary summary;
    const size_t size = 3000000;
    char *const text = malloc(size + 200);
    const size_t head = (size_t)sprintf(text, "home,t,kwh\n1,2016-01-01 00:00,1\n");
    memset(text + head, 'x', size);
    const size_t tail = (size_t)sprintf(text + head + size, "\n2,2016-01-01 00:00,1\n");
    import_file_write(fixture, text, head + size + tail);
    free(text);
    assert_int_equal(
        import_with(fixture, LONDON, (struct gf_import_options){.log.partitions = 1}, &summary),
        GF_OK);
    assert_int_equal(summary.all.records, 2);
    assert_int_equal(summary.all.rejected, 1);
    assert_int_equal(fixture->reject_line, 3);
    assert_non_null(strstr(fixture->reason, "line is longer than 1048576 bytes"));
}

static void
quoted_rows_go_over_lines(void **state)
{
    struct import_fixture *const fixture = *state;
    struct gf_import_summary summary;
    assert_int_equal(
        import_text(fixture, LONDON,
                    "home,\"t\",kwh,note\n1,2016-01-01 00:00,1,\"two\n\"\"lines\"\"\"\n"
                    "2,2016-01-01 00:00,y,\"a,b\"\n",
                    &summary),
        GF_OK);
    assert_int_equal(summary.lines, 2);
    assert_int_equal(summary.all.records, 1);
    assert_int_equal(fixture->reject_line, 4); /* lines of the file, not rows */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(packed_files_are_told_by_their_content, import_setup,
                                        import_teardown),
        cmocka_unit_test_setup_teardown(runs_on_disk_change_nothing, import_setup, import_teardown),
        cmocka_unit_test_setup_teardown(long_lines_cost_no_more_than_themselves, import_setup,
                                        import_teardown),
        cmocka_unit_test_setup_teardown(quoted_rows_go_over_lines, import_setup, import_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
