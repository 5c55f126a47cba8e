/* The log in memory keeps the contracts of source.h and sink.h, and fails where it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec/stage.h"
#include "folder_log.h"
#include "loop/commit.h"
#include "memory_log.h"

#define FLAGS    GF_TOPIC_FRAUD_FLAGS
#define READINGS GF_TOPIC_METER_READINGS

static enum gf_rc
append(struct gf_sink *sink, int64_t number)
{
    struct gf_error error;
    const struct gf_output output = output_of(FLAGS, 0, number);
    return sink->ops->append(sink, &output, &error);
}

static void
reads_what_was_added(void **state)
{
    (void)state;
    struct gf_error error = {{0}};
    struct gf_memory_log *log = gf_memory_log_new(2, GF_STAGES_CUSTOMER);
    struct gf_source *source = gf_memory_source_open(log);
    for (int64_t i = 0; i < 10; i++) {
        struct gf_record record = reading_of(1, i);
        record.offset = i * 2; /* every other offset is a marker */
        assert_int_equal(gf_memory_log_add(log, &record), i * 2);
    }
    struct gf_record records[8];
    uint32_t count = 0;
    int64_t next = 0, found = 0;
    ends_assert(source, READINGS, 1, 0, 19);
    ends_assert(source, READINGS, 0, 0, 0);
    const struct gf_duration no_wait = {0};
    assert_ok(source->ops->read(source, 0, READINGS, 1, 3, 8, no_wait, records, 8, &count, &next,
                                &error));
    assert_int_equal(count, 2);
    assert_int_equal(next, 8);
    reading_assert(&records[0], 2);
    assert_ok(source->ops->read(source, 0, READINGS, 1, 3, 8, no_wait, records, 1, &count, &next,
                                &error));
    assert_int_equal(next, 5);
    assert_ok(source->ops->offset_at(source, READINGS, 1, (struct gf_time){4500}, &found, &error));
    assert_int_equal(found, 10);
    gf_memory_log_trim(log, READINGS, 1, 7);
    ends_assert(source, READINGS, 1, 7, 19);
    assert_rc(
        source->ops->read(source, 0, READINGS, 1, 6, 8, no_wait, records, 8, &count, &next, &error),
        GF_E_LOST);
    gf_memory_log_fail(log, GF_MEMORY_READ, 1, GF_E_UNAVAILABLE, false);
    assert_rc(
        source->ops->read(source, 0, READINGS, 1, 8, 9, no_wait, records, 8, &count, &next, &error),
        GF_E_UNAVAILABLE);
    source->ops->close(source);
    gf_memory_log_free(log);
}

static void
commits_and_fails_on_command(void **state)
{
    (void)state;
    struct gf_error error = {{0}};
    struct gf_memory_log *log = gf_memory_log_new(4, GF_STAGES_CUSTOMER);
    struct gf_sink *sink = gf_memory_sink_open(log);
    assert_ok(sink->ops->begin(sink, &error));
    assert_int_equal(append(sink, 0), GF_OK);
    assert_int_equal(gf_memory_log_count(log, FLAGS, 0), 0);
    assert_ok(gf_commit(sink, NULL, 0, NULL, &error));
    assert_int_equal(gf_memory_log_count(log, FLAGS, 0), 1);
    output_assert(gf_memory_log_get(log, FLAGS, 0, 0), 0);

    gf_memory_log_fail(log, GF_MEMORY_APPEND, 2, GF_E_TXN, false);
    assert_ok(sink->ops->begin(sink, &error));
    assert_int_equal(append(sink, 1), GF_OK);
    assert_int_equal(append(sink, 2), GF_E_TXN);
    assert_ok(sink->ops->abort(sink, &error));

    gf_memory_log_fail(log, GF_MEMORY_COMMIT, 1, GF_E_TXN, false);
    assert_ok(sink->ops->begin(sink, &error));
    assert_int_equal(append(sink, 1), GF_OK);
    assert_rc(gf_commit(sink, NULL, 0, NULL, &error), GF_E_TXN);
    assert_ok(sink->ops->abort(sink, &error));
    assert_int_equal(gf_memory_log_count(log, FLAGS, 0), 1);

    for (int applied = 0; applied < 2; applied++) {
        gf_memory_log_fail(log, GF_MEMORY_COMMIT, 1, GF_E_UNKNOWN_OUTCOME, applied == 1);
        assert_ok(sink->ops->begin(sink, &error));
        assert_int_equal(append(sink, 1), GF_OK);
        assert_rc(gf_commit(sink, NULL, 0, NULL, &error), GF_E_UNKNOWN_OUTCOME);
        assert_int_equal(gf_memory_log_count(log, FLAGS, 0), 1 + applied);
    }

    assert_ok(sink->ops->begin(sink, &error));
    assert_int_equal(append(sink, 2), GF_OK);
    struct gf_sink *successor = gf_memory_sink_open(log);
    assert_rc(gf_commit(sink, NULL, 0, NULL, &error), GF_E_FENCED);
    sink->ops->close(sink);
    assert_int_equal(gf_memory_log_count(log, FLAGS, 0), 2);
    assert_int_equal(gf_memory_log_calls(log, GF_MEMORY_COMMIT), 4);
    successor->ops->close(successor);
    gf_memory_log_free(log);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_added),
        cmocka_unit_test(commits_and_fails_on_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
