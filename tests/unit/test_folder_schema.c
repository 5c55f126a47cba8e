/* Foreign writer schemas in the folder log: a file each, and their records end where their own
 * schema says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/records.h"
#include "folder_log.h"
#include "io/schema.h"

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

/* The same records under a schema text that is another letter by letter. */
static enum gf_rc
resolve_own(void *context, enum gf_topic topic, struct gf_span schema, struct gf_folder_schema *out,
            struct gf_error *error)
{
    (void)error;
    assert_int_equal(topic, READINGS);
    assert_true(schema.size == strlen(context) && memcmp(schema.data, context, schema.size) == 0);
    *out = (struct gf_folder_schema){.id = 4711, .is_own = true};
    return GF_OK;
}

static void
foreign_schema_starts_a_new_file(void **state)
{
    struct gf_error error = {{0}};
    struct gf_folder_writer *writer = NULL;
    struct gf_source *source = NULL;
    static char foreign[65536];
    snprintf(foreign, sizeof foreign, " %s", gf_topics[READINGS].schema);
    const struct gf_folder_resolver resolver = {.context = foreign, .resolve = resolve_own};
    const struct gf_folder_options options = {
        .path = *state, .no_sync = true, .resolver = &resolver};
    assert_ok(gf_folder_writer_open(&options, &writer, &error));
    assert_ok(gf_folder_writer_schema(writer, READINGS, 4711, foreign, true, NULL, &error));
    for (int64_t i = 0; i < 30; i++) {
        struct gf_record record = reading_of(0, i);
        record.schema_id = i >= 10 && i < 20 ? 4711 : record.schema_id;
        assert_ok(gf_folder_writer_append(writer, &record, &error));
    }
    assert_ok(gf_folder_writer_close(writer, &error));
    uint32_t open_count = 0;
    assert_int_equal(file_count(*state, "meter.readings", 0, &open_count), 3);
    struct gf_record records[64];
    uint32_t got = 0;
    int64_t next = 0;
    assert_ok(gf_folder_source_open(*state, &resolver, &source, &error));
    assert_ok(source->ops->read(source, 0, READINGS, 0, 0, 30, no_wait, records, 64, &got, &next,
                                &error));
    assert_int_equal(got, 30);
    for (int64_t i = 0; i < 30; i++) {
        assert_int_equal(records[i].schema_id,
                         i >= 10 && i < 20 ? 4711 : gf_topics[READINGS].schema_id);
        records[i].schema_id = gf_topics[READINGS].schema_id;
        reading_assert(&records[i], i);
    }
    source->ops->close(source);
    assert_ok(gf_folder_source_open(*state, NULL, &source, &error));
    assert_rc(
        source->ops->read(source, 0, READINGS, 0, 0, 30, no_wait, records, 64, &got, &next, &error),
        GF_E_VERSION);
    source->ops->close(source);
}

struct foreign_plan {
    struct gf_schema_entry entry;
    const char *schema;
};

static enum gf_rc
resolve_plan(void *context, enum gf_topic topic, struct gf_span schema,
             struct gf_folder_schema *out, struct gf_error *error)
{
    (void)error;
    const struct foreign_plan *foreign = context;
    assert_int_equal(topic, READINGS);
    assert_true(gf_span_equal(schema, gf_span_text(foreign->schema)));
    *out = (struct gf_folder_schema){.id = 7, .plan = &foreign->entry.plan};
    return GF_OK;
}

/* A schema with a field more, read by a plan; what does not fit it is kept as bytes. */
static void
plan_finds_the_end_of_foreign_records(void **state)
{
    struct gf_error error = {{0}};
    struct gf_folder_writer *writer = NULL;
    struct gf_source *source = NULL;
    static char schema[65536];
    const char *ours = gf_topics[READINGS].schema;
    const char *fields = strchr(strstr(ours, "\"fields\""), '[') + 1;
    snprintf(schema, sizeof schema, "%.*s{\"name\": \"extra\", \"type\": \"string\"},%s",
             (int)(fields - ours), ours, fields);
    struct foreign_plan foreign = {.schema = schema};
    assert_ok(
        gf_schema_compile(&gf_topics[READINGS], schema, strlen(schema), &foreign.entry, &error));
    const struct gf_folder_resolver resolver = {.context = &foreign, .resolve = resolve_plan};
    const struct gf_folder_options options = {
        .path = *state, .no_sync = true, .resolver = &resolver};
    for (int64_t session = 0; session < 2; session++) {
        assert_ok(gf_folder_writer_open(&options, &writer, &error));
        assert_ok(gf_folder_writer_schema(writer, READINGS, 7, schema, false, &foreign.entry.plan,
                                          &error));
        for (int64_t i = 0; i < 10; i++) {
            struct gf_record record = reading_of(0, i);
            uint8_t body[300] = {2, 'x'};
            memcpy(body + 2, record.value.data, record.value.size);
            record.value =
                gf_span_of(i == 5 ? body + 2 : body, record.value.size + (i == 5 ? 0 : 2));
            record.schema_id = 7;
            assert_ok(gf_folder_writer_append(writer, &record, &error));
        }
        assert_ok(gf_folder_writer_close(writer, &error));
    }
    struct gf_record records[32];
    uint32_t got = 0;
    int64_t next = 0;
    assert_ok(gf_folder_source_open(*state, &resolver, &source, &error));
    assert_ok(source->ops->read(source, 0, READINGS, 0, 0, 99, no_wait, records, 32, &got, &next,
                                &error));
    assert_int_equal(got, 20);
    for (uint32_t i = 0; i < got; i++) {
        const struct gf_record own = reading_of(0, i % 10);
        assert_int_equal(records[i].schema_id, i % 10 == 5 ? 0 : 7);
        assert_int_equal(records[i].value.size, own.value.size + (i % 10 == 5 ? 0 : 2));
    }
    source->ops->close(source);
    gf_schema_entry_fini(&foreign.entry);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(foreign_schema_starts_a_new_file, setup, teardown),
        cmocka_unit_test_setup_teardown(plan_finds_the_end_of_foreign_records, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
