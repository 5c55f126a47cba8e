/* The folder log: what is written is read, whatever its files, and a crash leaves a front of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "codec/records.h"
#include "folder_log.h"

#define READINGS GF_TOPIC_METER_READINGS
static const struct gf_duration no_wait = {0};

static int
setup(void **state)
{
    static char path[FOLDER_PATH_SIZE];
    folder_make(path);
    *state = path;
    return 0;
}

static int
teardown(void **state)
{
    folder_remove(*state);
    return 0;
}

/* Readings from..to - 1 of partition 0, a flush after every `flush_every`. */
static void
fill(const struct gf_folder_options *options, int64_t from, int64_t to, int64_t flush_every)
{
    struct gf_error error = {{0}};
    struct gf_folder_writer *writer = NULL;
    assert_ok(gf_folder_writer_open(options, &writer, &error));
    for (int64_t i = from; i < to; i++) {
        const struct gf_record record = reading_of(0, i);
        assert_ok(gf_folder_writer_append(writer, &record, &error));
        if ((i + 1) % flush_every == 0) {
            assert_ok(gf_folder_writer_flush(writer, &error));
        }
    }
    assert_ok(gf_folder_writer_close(writer, &error));
}

static void
new_log_has_the_input_topics(void **state)
{
    struct gf_error error = {{0}};
    struct gf_folder_writer *writer = NULL;
    struct gf_source *source = NULL;
    const struct gf_folder_options options = {.path = *state};
    assert_ok(gf_folder_writer_open(&options, &writer, &error));
    assert_ok(gf_folder_writer_close(writer, &error));
    assert_ok(gf_folder_source_open(*state, NULL, &source, &error));
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        uint32_t count = 0;
        assert_rc(source->ops->partitions(source, (enum gf_topic)topic, &count, &error),
                  gf_topics[topic].is_input ? GF_OK : GF_E_NOT_FOUND);
        assert_int_equal(count, !gf_topics[topic].is_input      ? 0
                                : gf_topics[topic].is_reference ? 1
                                                                : 4);
        for (uint32_t i = 0; i < count; i++) {
            ends_assert(source, (enum gf_topic)topic, i, 0, 0);
        }
    }
    struct gf_record record;
    uint32_t got = 1;
    int64_t next = -1;
    assert_ok(source->ops->read(source, 0, READINGS, 3, 0, 100, no_wait, &record, 1, &got, &next,
                                &error));
    assert_int_equal(got, 0);
    assert_int_equal(next, 0);
    source->ops->close(source);
    const struct gf_folder_options other = {.path = *state, .partitions = 8};
    assert_rc(gf_folder_writer_open(&other, &writer, &error), GF_E_CONFIG);
}

static void
gap_of_partitions_is_damage(void **state)
{
    struct gf_error error = {{0}};
    struct gf_source *source = NULL;
    const struct gf_folder_options options = {.path = *state, .no_sync = true};
    char path[FOLDER_PATH_SIZE];
    fill(&options, 0, 1, 1);
    file_path(path, *state, "meter.readings/1");
    assert_int_equal(rmdir(path), 0);
    assert_ok(gf_folder_source_open(*state, NULL, &source, &error));
    uint32_t count = 0;
    assert_rc(source->ops->partitions(source, READINGS, &count, &error), GF_E_DAMAGED);
    source->ops->close(source);
    assert_rc(gf_folder_source_open("/nonexistent/log", NULL, &source, &error), GF_E_NOT_FOUND);
}

/* Everything a record can have or lack. Returns the size of the framed value. */
static uint32_t
every_kind_write(const char *log, uint8_t framed[300])
{
    struct gf_error error = {{0}};
    struct gf_folder_writer *writer = NULL;
    const struct gf_folder_options options = {.path = log, .no_sync = true};
    const struct gf_header headers[2] = {
        {gf_span_text("trace"), gf_span_text("abc")},
        {gf_span_text("none"), {NULL, 0}},
    };
    assert_ok(gf_folder_writer_open(&options, &writer, &error));
    struct gf_record record = reading_of(2, 1);
    gf_frame_write(record.schema_id, framed);
    memcpy(framed + GF_FRAME_SIZE, record.value.data, record.value.size);
    const uint32_t framed_size = GF_FRAME_SIZE + record.value.size;
    record.headers = headers;
    record.header_count = 2;
    record.offset = 10;
    assert_ok(gf_folder_writer_append(writer, &record, &error)); /* 10: headers, after a gap */
    record.offset = -1;
    record.header_count = 0;
    record.has_key = false;
    record.key = (struct gf_span){NULL, 0};
    record.is_framed = true;
    record.schema_id = 0;
    record.value = gf_span_of(framed, framed_size);
    assert_ok(gf_folder_writer_append(writer, &record, &error)); /* 11: framed, no key */
    record.value = gf_span_of(framed, framed_size - 1);
    assert_ok(
        gf_folder_writer_append(writer, &record, &error)); /* 12: cut short, so kept as bytes */
    record.value = gf_span_of("\x01?", 2);
    assert_ok(gf_folder_writer_append(writer, &record, &error)); /* 13: no frame */
    record.has_value = false;
    record.value = (struct gf_span){NULL, 0};
    assert_ok(gf_folder_writer_append(writer, &record, &error)); /* 14: tombstone */
    record = reading_of(2, 2);
    record.schema_id = 99;
    assert_rc(gf_folder_writer_append(writer, &record, &error), GF_E_UNKNOWN_SCHEMA);
    record = reading_of(2, 2);
    record.offset = 14;
    assert_rc(gf_folder_writer_append(writer, &record, &error), GF_E_RANGE);
    record.offset = 20;
    assert_ok(gf_folder_writer_append(writer, &record, &error)); /* 20: after a gap */
    assert_ok(gf_folder_writer_close(writer, &error));
    return framed_size;
}

static void
every_kind_of_record_comes_back(void **state)
{
    struct gf_error error = {{0}};
    uint8_t framed[300];
    const uint32_t framed_size = every_kind_write(*state, framed);
    struct gf_source *source = NULL;
    struct gf_record got[8];
    uint32_t count = 0;
    int64_t next = 0;
    assert_ok(gf_folder_source_open(*state, NULL, &source, &error));
    ends_assert(source, READINGS, 2, 10, 21);
    assert_rc(
        source->ops->read(source, 0, READINGS, 2, 9, 21, no_wait, got, 8, &count, &next, &error),
        GF_E_LOST);
    assert_ok(
        source->ops->read(source, 0, READINGS, 2, 10, 18, no_wait, got, 8, &count, &next, &error));
    assert_int_equal(count, 5);
    assert_int_equal(next, 18);
    reading_assert(&got[0], 1);
    assert_int_equal(got[0].offset, 10);
    assert_int_equal(got[0].header_count, 2);
    assert_true(gf_span_equal(got[0].headers[0].name, gf_span_text("trace")));
    assert_true(gf_span_equal(got[0].headers[0].value, gf_span_text("abc")));
    assert_null(got[0].headers[1].value.data);
    assert_false(got[1].has_key);
    assert_true(gf_span_equal(got[1].value,
                              gf_span_of(framed + GF_FRAME_SIZE, framed_size - GF_FRAME_SIZE)));
    assert_int_equal(got[2].schema_id, 0);
    assert_true(gf_span_equal(got[2].value, gf_span_of(framed, framed_size - 1)));
    assert_true(gf_span_equal(got[3].value, gf_span_of("\x01?", 2)));
    assert_false(got[4].has_value);
    assert_ok(
        source->ops->read(source, 0, READINGS, 2, 18, 99, no_wait, got, 8, &count, &next, &error));
    assert_int_equal(count, 1);
    assert_int_equal(next, 21);
    assert_int_equal(got[0].offset, 20);
    reading_assert(&got[0], 2);
    source->ops->close(source);
}

static void
many_files_are_one_log(void **state)
{
    const struct gf_folder_options options = {
        .path = *state, .file_size_max = 8000, .no_sync = true};
    const int64_t count = 3000;
    uint32_t open_count = 0;
    fill(&options, 0, count, 50);
    assert_true(file_count(*state, "meter.readings", 0, &open_count) > 10);
    assert_int_equal(open_count, 0);
    log_assert(*state, READINGS, 0, count, 64, reading_assert);
    log_assert(*state, READINGS, 0, count, 7, reading_assert);

    struct gf_error error = {{0}};
    struct gf_source *source = NULL;
    const uint64_t seed = 20260101;
    print_message("seed %llu\n", (unsigned long long)seed);
    assert_ok(gf_folder_source_open(*state, NULL, &source, &error));
    for (uint64_t i = 0; i < 300; i++) {
        const int64_t offset = (int64_t)(gf_hash64(&i, sizeof i, seed) % (uint64_t)count);
        struct gf_record records[3];
        uint32_t got = 0;
        int64_t next = 0, found = 0;
        assert_ok(source->ops->read(source, 0, READINGS, 0, offset, offset + 2, no_wait, records, 3,
                                    &got, &next, &error));
        assert_int_equal(got, offset + 1 < count ? 2 : 1);
        assert_int_equal(records[0].offset, offset);
        reading_assert(&records[0], offset);
        /* Record n has the time 1000 n. */
        assert_ok(source->ops->offset_at(source, READINGS, 0, (struct gf_time){offset * 1000 - 1},
                                         &found, &error));
        assert_int_equal(found, offset);
        source->ops->release(source, 0, READINGS, 0, next);
    }
    int64_t found = 0;
    assert_ok(source->ops->offset_at(source, READINGS, 0, (struct gf_time){count * 1000}, &found,
                                     &error));
    assert_int_equal(found, count);
    source->ops->close(source);
}

/* Spans stay until they are released, whatever is read in between. */
static void
spans_live_until_released(void **state)
{
    const enum gf_folder_codec codecs[] = {GF_FOLDER_CODEC_NULL, GF_FOLDER_CODEC_ZSTANDARD};
    struct gf_error error = {{0}};
    for (int i = 0; i < 2; i++) {
        char path[FOLDER_PATH_SIZE + 8];
        snprintf(path, sizeof path, "%s/%d", (const char *)*state, i);
        const struct gf_folder_options options = {
            .path = path, .codec = codecs[i], .file_size_max = 3000, .no_sync = true};
        fill(&options, 0, 400, 10);
        struct gf_source *source = NULL;
        struct gf_record records[400];
        uint32_t got = 0;
        int64_t next = 0;
        assert_ok(gf_folder_source_open(path, NULL, &source, &error));
        for (int64_t offset = 0; offset < 400; offset = next) {
            assert_ok(source->ops->read(source, 0, READINGS, 0, offset, 400, no_wait,
                                        records + offset, 7, &got, &next, &error));
        }
        source->ops->release(source, 0, READINGS, 0, 100);
        for (int64_t offset = 100; offset < 400; offset++) {
            reading_assert(&records[offset], offset);
        }
        /* Another reader's, too. */
        struct gf_record other[25];
        assert_ok(source->ops->read(source, 1, READINGS, 0, 150, 400, no_wait, other, 25, &got,
                                    &next, &error));
        assert_int_equal(got, 25);
        source->ops->release(source, 0, READINGS, 0, INT64_MAX);
        for (uint32_t at = 0; at < got; at++) {
            reading_assert(&other[at], 150 + at);
        }
        source->ops->close(source);
    }
}

static void
every_codec_is_read(void **state)
{
    const enum gf_folder_codec codecs[] = {GF_FOLDER_CODEC_NULL, GF_FOLDER_CODEC_DEFLATE,
                                           GF_FOLDER_CODEC_ZSTANDARD};
    for (int i = 0; i < 3; i++) {
        char path[FOLDER_PATH_SIZE + 8];
        snprintf(path, sizeof path, "%s/%d", (const char *)*state, i);
        const struct gf_folder_options options = {
            .path = path, .codec = codecs[i], .file_size_max = 30000, .no_sync = true};
        fill(&options, 0, 5000, 1700);
        log_assert(path, READINGS, 0, 5000, 64, reading_assert);
        fill(&options, 5000, 5100, 1700);
        log_assert(path, READINGS, 0, 5100, 64, reading_assert);
    }
}

/* Blocks end at flushes and at a fixed size, and nothing of chance is in a file. */
static void
equal_logs_are_equal_files(void **state)
{
    char left[FOLDER_PATH_SIZE + 8], right[FOLDER_PATH_SIZE + 8];
    snprintf(left, sizeof left, "%s/left", (const char *)*state);
    snprintf(right, sizeof right, "%s/right", (const char *)*state);
    struct gf_folder_options options = {.path = left, .file_size_max = 200000, .no_sync = true};
    fill(&options, 0, 12000, 4000);
    /* The same with a close and a start at each flush. */
    options.path = right;
    for (int64_t from = 0; from < 12000; from += 4000) {
        fill(&options, from, from + 4000, 4000);
    }
    folder_assert_equal(left, right);
    /* A block has its fixed size and one record more: 4,000 readings make several. */
    char path[FOLDER_PATH_SIZE];
    file_path(path, left, "meter.readings/0/00000000000000000000.avro");
    assert_true(file_size(path) > 3 * GF_FOLDER_BLOCK_SIZE);
}

/* Cut at every byte of the last block: the reader sees what is whole, the next writer goes on from
 * there. */
static void
torn_tail_is_cut_off(void **state)
{
    struct gf_error error = {{0}};
    char log[FOLDER_PATH_SIZE + 8], torn[FOLDER_PATH_SIZE + 8], path[FOLDER_PATH_SIZE];
    snprintf(log, sizeof log, "%s/log", (const char *)*state);
    snprintf(torn, sizeof torn, "%s/torn", (const char *)*state);
    const struct gf_folder_options options = {.path = log, .no_sync = true};
    const struct gf_folder_options torn_options = {.path = torn, .no_sync = true};
    fill(&options, 0, 5, 5);
    file_path(path, log, "meter.readings/0/00000000000000000000.avro");
    const int64_t whole = file_size(path);
    fill(&options, 5, 7, 7);
    const int64_t size = file_size(path);
    assert_true(size > whole);
    folder_copy(log, torn);
    file_path(path, torn, "meter.readings/0/00000000000000000000.avro");
    for (int64_t cut = size - 1; cut >= whole; cut--) {
        file_cut(path, cut);
        log_assert(torn, READINGS, 0, 5, 64, reading_assert);
    }
    for (int64_t cut = size - 1; cut >= whole; cut -= 5) {
        folder_copy(log, torn);
        file_cut(path, cut);
        fill(&torn_options, 5, 7, 7);
        folder_assert_equal(log, torn);
    }
    /* Cut inside the header, or just behind it: there is no record, and the file goes. */
    for (int64_t cut = whole; cut > 0; cut = cut > 300 ? cut - 100 : cut - 1) {
        struct gf_folder_writer *writer = NULL;
        int64_t next = -1;
        folder_copy(log, torn);
        file_cut(path, cut - 1);
        log_assert(torn, READINGS, 0, 0, 64, reading_assert);
        assert_ok(gf_folder_writer_open(&torn_options, &writer, &error));
        assert_ok(gf_folder_writer_next(writer, READINGS, 0, &next, &error));
        assert_int_equal(next, 0);
        assert_ok(gf_folder_writer_close(writer, &error));
        assert_int_equal(file_size(path), -1);
    }
}

static void
damage_is_not_taken_for_a_torn_tail(void **state)
{
    struct gf_error error = {{0}};
    struct gf_folder_writer *writer = NULL;
    const struct gf_folder_options options = {.path = *state, .no_sync = true};
    char path[FOLDER_PATH_SIZE];
    fill(&options, 0, 40, 10);
    file_path(path, *state, "meter.readings/0/00000000000000000000.avro");
    const int64_t size = file_size(path);
    /* A wrong bit in the last marker: nothing whole follows, so it is what a crash leaves. */
    struct gf_source *source = NULL;
    file_flip(path, size - 16);
    assert_ok(gf_folder_source_open(*state, NULL, &source, &error));
    ends_assert(source, READINGS, 0, 0, 30);
    source->ops->close(source);
    file_flip(path, size - 16);
    log_assert(*state, READINGS, 0, 40, 64, reading_assert);
    /* The marker of the first block, 16 bytes before the second. */
    uint8_t marker[16];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, size - 16, SEEK_SET), 0);
    assert_int_equal(fread(marker, 1, 16, file), 16);
    uint8_t *bytes = malloc((size_t)size);
    rewind(file);
    assert_int_equal(fread(bytes, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    const uint8_t *header_end = memmem(bytes, (size_t)size, marker, 16);
    assert_non_null(header_end);
    const uint8_t *first_end =
        memmem(header_end + 16, (size_t)(bytes + size - header_end - 16), marker, 16);
    assert_non_null(first_end);
    file_flip(path, first_end - bytes);
    free(bytes);
    int64_t first = 0, end = 0;
    assert_ok(gf_folder_source_open(*state, NULL, &source, &error));
    assert_rc(source->ops->ends(source, READINGS, 0, &first, &end, &error), GF_E_DAMAGED);
    source->ops->close(source);
    assert_rc(gf_folder_writer_open(&options, &writer, &error), GF_E_DAMAGED);
}

/* A reader sees what a writer in the same process flushes, without opening anything again. */
static void
reader_follows_a_growing_log(void **state)
{
    struct gf_error error = {{0}};
    struct gf_folder_writer *writer = NULL;
    struct gf_source *source = NULL;
    const struct gf_folder_options options = {
        .path = *state, .file_size_max = 2500000, .no_sync = true};
    assert_ok(gf_folder_writer_open(&options, &writer, &error));
    assert_ok(gf_folder_source_open(*state, NULL, &source, &error));
    int64_t read = 0;
    for (int64_t i = 0; i < 60000; i++) {
        const struct gf_record record = reading_of(0, i);
        assert_ok(gf_folder_writer_append(writer, &record, &error));
        if (i % 1000 != 999) {
            continue;
        }
        assert_ok(gf_folder_writer_flush(writer, &error));
        ends_assert(source, READINGS, 0, 0, i + 1);
        while (read < i + 1) {
            struct gf_record records[64];
            uint32_t got = 0;
            assert_ok(source->ops->read(source, 0, READINGS, 0, read, i + 1, no_wait, records, 64,
                                        &got, &read, &error));
            assert_true(got > 0);
            reading_assert(&records[got - 1], read - 1);
        }
        source->ops->release(source, 0, READINGS, 0, read);
    }
    assert_ok(gf_folder_writer_close(writer, &error));
    source->ops->close(source);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_log_has_the_input_topics, setup, teardown),
        cmocka_unit_test_setup_teardown(gap_of_partitions_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(every_kind_of_record_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(many_files_are_one_log, setup, teardown),
        cmocka_unit_test_setup_teardown(spans_live_until_released, setup, teardown),
        cmocka_unit_test_setup_teardown(every_codec_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_logs_are_equal_files, setup, teardown),
        cmocka_unit_test_setup_teardown(torn_tail_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_not_taken_for_a_torn_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(reader_follows_a_growing_log, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
