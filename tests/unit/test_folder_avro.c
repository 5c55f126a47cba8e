/* Any Avro reader reads a folder log: here the one of Avro C, which knows nothing of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <avro.h>
#include <cmocka.h>

#include "codec/records.h"
#include "folder_log.h"

#define COUNT 2500

static int64_t
long_field(const avro_value_t *record, const char *name)
{
    avro_value_t field;
    int64_t value = -1;
    assert_int_equal(avro_value_get_by_name(record, name, &field, NULL), 0);
    assert_int_equal(avro_value_get_long(&field, &value), 0);
    return value;
}

/* Branch of `value`, and, when it is the record, that its fields are those of reading `number`. */
static void
value_check(const avro_value_t *envelope, int64_t number, int wanted_branch)
{
    avro_value_t value, branch, field;
    int discriminant = -1;
    assert_int_equal(avro_value_get_by_name(envelope, "value", &value, NULL), 0);
    assert_int_equal(avro_value_get_discriminant(&value, &discriminant), 0);
    assert_int_equal(discriminant, wanted_branch);
    if (wanted_branch != 1) {
        return;
    }
    const char *meter = NULL;
    char wanted[24];
    size_t size = 0;
    snprintf(wanted, sizeof wanted, "M%lld", (long long)number % 97);
    assert_int_equal(avro_value_get_current_branch(&value, &branch), 0);
    assert_int_equal(avro_value_get_by_name(&branch, "meter_id", &field, NULL), 0);
    assert_int_equal(avro_value_get_string(&field, &meter, &size), 0);
    assert_string_equal(meter, wanted);
    assert_int_equal(long_field(&branch, "energy_micro_kwh"), number * 7919 % 500000);
}

static void
avro_c_reads_the_log(const char *log, enum gf_folder_codec codec)
{
    struct gf_error error = {{0}};
    struct gf_folder_writer *writer = NULL;
    const struct gf_folder_options options = {.path = log, .codec = codec, .no_sync = true};
    const struct gf_header header = {gf_span_text("h"), gf_span_text("v")};
    assert_ok(gf_folder_writer_open(&options, &writer, &error));
    for (int64_t i = 0; i < COUNT; i++) {
        struct gf_record record = reading_of(0, i);
        record.headers = &header;
        record.header_count = i % 3 == 0;
        record.has_value = i % 100 != 99;
        record.schema_id = i % 100 == 50 ? 0 : record.schema_id;
        assert_ok(gf_folder_writer_append(writer, &record, &error));
    }
    assert_ok(gf_folder_writer_close(writer, &error));

    char path[FOLDER_PATH_SIZE];
    avro_file_reader_t reader;
    avro_value_t envelope;
    file_path(path, log, "meter.readings/0/00000000000000000000.avro");
    if (avro_file_reader(path, &reader) != 0) {
        fail_msg("avro: %s", avro_strerror());
    }
    avro_schema_t schema = avro_file_reader_get_writer_schema(reader);
    avro_value_iface_t *interface = avro_generic_class_from_schema(schema);
    assert_int_equal(avro_generic_value_new(interface, &envelope), 0);
    int64_t count = 0;
    for (; avro_file_reader_read_value(reader, &envelope) == 0; count++) {
        assert_int_equal(long_field(&envelope, "offset"), count);
        assert_int_equal(long_field(&envelope, "timestamp"), count * 1000);
        value_check(&envelope, count, count % 100 == 99 ? 0 : count % 100 == 50 ? 2 : 1);
        avro_value_reset(&envelope);
    }
    assert_int_equal(count, COUNT);
    avro_value_decref(&envelope);
    avro_value_iface_decref(interface);
    avro_schema_decref(schema);
    avro_file_reader_close(reader);
}

static void
avro_c_reads_plain_and_deflated_files(void **state)
{
    (void)state;
    const enum gf_folder_codec codecs[] = {GF_FOLDER_CODEC_NULL, GF_FOLDER_CODEC_DEFLATE};
    for (int i = 0; i < 2; i++) {
        char log[FOLDER_PATH_SIZE];
        folder_make(log);
        avro_c_reads_the_log(log, codecs[i]);
        folder_remove(log);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(avro_c_reads_plain_and_deflated_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
