/* The Kafka source, sink and admin against a real broker. Every test has topics of its own (a
 * prefix). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/records.h"
#include "io/kafka_admin.h"
#include "kafka_lab.h"
#include "loop/commit.h"

static void
topics_are_made_as_they_are_wanted(void **state)
{
    (void)state;
    const struct gf_kafka_config config = {.brokers = lab_broker.address, .topic_prefix = "made."};
    struct gf_kafka_wish wish = {.shard_count = 2,
                                 .stages = (1u << GF_STAGE_COUNT) - 1,
                                 .replication = 1,
                                 .retention_ms = 86400000};
    struct gf_kafka_topic wanted[GF_TOPIC_COUNT], there[GF_TOPIC_COUNT];
    struct gf_kafka_difference differences[GF_KAFKA_DIFFERENCE_MAX];
    struct gf_error error;
    lab_expect_ok(gf_kafka_topics_wanted(&config, &wish, wanted, &error), &error, "wanted");
    lab_expect_ok(gf_kafka_admin_list(&config, wanted, GF_TOPIC_COUNT, there, &error), &error,
                  "list");
    assert_int_equal(gf_kafka_topics_compare(wanted, there, GF_TOPIC_COUNT, differences),
                     GF_TOPIC_COUNT);
    assert_int_equal(differences[0].gap, GF_KAFKA_GAP_MISSING);

    for (int turn = 0; turn < 2; turn++) { /* the second time they are there already */
        lab_expect_ok(gf_kafka_admin_create(&config, wanted, GF_TOPIC_COUNT, &error), &error,
                      "create");
    }
    lab_expect_ok(gf_kafka_admin_list(&config, wanted, GF_TOPIC_COUNT, there, &error), &error,
                  "list");
    assert_int_equal(gf_kafka_topics_compare(wanted, there, GF_TOPIC_COUNT, differences), 0);
    assert_int_equal(there[GF_TOPIC_JOURNAL].retention_ms, 86400000);
    assert_int_equal(there[GF_TOPIC_CONTROL].retention_ms, GF_KAFKA_FOREVER);

    wish.retention_ms *= 2;
    lab_expect_ok(gf_kafka_topics_wanted(&config, &wish, wanted, &error), &error, "wanted");
    uint32_t kept = 0; /* not for ever */
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        kept += wanted[topic].retention_ms != GF_KAFKA_FOREVER;
    }
    assert_in_range(kept, 10, GF_TOPIC_COUNT - 4);
    assert_int_equal(gf_kafka_topics_compare(wanted, there, GF_TOPIC_COUNT, differences), kept);
    assert_int_equal(differences[0].gap, GF_KAFKA_GAP_RETENTION_TIME);

    wanted[0].replication = 3;
    memcpy(wanted[0].name, "other", 6);
    lab_expect_rc(gf_kafka_admin_create(&config, wanted, 1, &error), GF_E_CONFIG, &error);
    assert_non_null(strstr(error.text, "other"));
}

static void
inputs_are_read_at_their_offsets(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, "inputs.", (struct gf_duration){0});
    struct gf_source *const source = lab.source;
    struct gf_error error;
    uint32_t partitions = 0;
    lab_expect_ok(source->ops->partitions(source, GF_TOPIC_METER_READINGS, &partitions, &error),
                  &error, "count");
    assert_int_equal(partitions, 2);
    assert_int_equal(lab_end_of(source, GF_TOPIC_METER_READINGS), 0);
    lab_produce_plain("inputs.meter.readings", 3000);
    assert_int_equal(lab_end_of(source, GF_TOPIC_METER_READINGS), 3000);

    static struct gf_record records[3001];
    assert_int_equal(lab_read_until(source, GF_TOPIC_METER_READINGS, 0, 3000, records, 3001), 3000);
    for (int index = 0; index < 3000; index++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", index);
        assert_int_equal(records[index].offset, index);
        assert_int_equal(records[index].timestamp.us, LAB_TIME_US + index * 1000);
        assert_true(gf_span_equal(records[index].key, gf_span_text("key")));
        assert_true(records[index].is_framed);
        assert_int_equal(records[index].has_value, index != 3);
        assert_true(index == 3 || gf_span_equal(records[index].value, gf_span_text(text)));
    }
    /* Again: what is not released (no fetch), and what is (a seek). */
    source->ops->release(source, 0, GF_TOPIC_METER_READINGS, 0, 2000);
    assert_int_equal(lab_read_until(source, GF_TOPIC_METER_READINGS, 2500, 2600, records, 101),
                     100);
    assert_int_equal(records[0].offset, 2500);
    assert_int_equal(lab_read_until(source, GF_TOPIC_METER_READINGS, 10, 20, records, 11), 10);
    assert_int_equal(records[9].offset, 19);

    int64_t offset = -1;
    const struct {
        int64_t time_us, offset;
    } times[] = {{0, 0},
                 {LAB_TIME_US + 4000, 4},
                 {LAB_TIME_US + 4001, 5},
                 {LAB_TIME_US + GF_US_PER_DAY, 3000}};
    for (size_t index = 0; index < sizeof(times) / sizeof(times[0]); index++) {
        lab_expect_ok(source->ops->offset_at(source, GF_TOPIC_METER_READINGS, 0,
                                             (struct gf_time){times[index].time_us}, &offset,
                                             &error),
                      &error, "offset_at");
        assert_int_equal(offset, times[index].offset);
    }
    lab_close(&lab);
}

static void
expect_numbers(const struct gf_record *records, int from, int count)
{
    for (int index = 0; index < count; index++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", from + index);
        assert_int_equal(records[index].offset, from + index);
        assert_true(from + index == 3 || gf_span_equal(records[index].value, gf_span_text(text)));
    }
}

/* Shards that read one partition, each at its own place: what one releases, or leaves by a seek,
 * another still holds. */
static void
readers_of_one_partition_take_nothing_from_each_other(void **state)
{
    (void)state;
    const enum gf_topic topic = GF_TOPIC_METER_READINGS;
    static struct gf_record one[1001], two[2001], three[101];
    struct lab lab;
    lab_open(&lab, "shared.", (struct gf_duration){0});
    struct gf_source *const source = lab.source;
    lab_produce_plain("shared.meter.readings", 2000);
    assert_int_equal(lab_read_as(source, 1, topic, 0, 1000, one, 1001), 1000);
    assert_int_equal(lab_read_as(source, 2, topic, 0, 1500, two, 2001), 1500);
    source->ops->release(source, 2, topic, 0, 1500);
    expect_numbers(one, 0, 1000);
    assert_int_equal(lab_read_as(source, 2, topic, 1500, 2000, two, 2001), 500);
    source->ops->release(source, 1, topic, 0, 1000);
    assert_int_equal(lab_read_as(source, 3, topic, 0, 100, three, 101), 100); /* a seek */
    expect_numbers(two, 1500, 500);
    expect_numbers(three, 0, 100);
    assert_int_equal(lab_read_as(source, 1, topic, 1000, 1100, one, 1001), 100);
    expect_numbers(one, 1000, 100);
    source->ops->release(source, 3, topic, 0, INT64_MAX);
    source->ops->release(source, 1, topic, 0, INT64_MAX);
    expect_numbers(two, 1500, 500);
    source->ops->release(source, 2, topic, 0, INT64_MAX);
    lab_close(&lab);
}

static void
only_what_is_committed_is_read_and_the_position_passes_markers(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, "committed.", (struct gf_duration){0});
    struct gf_sink *const sink = lab_sink_open(&lab);
    struct gf_error error;
    lab_write_transaction(sink, GF_TOPIC_JOURNAL, "first", 3, true); /* 0 to 2, marker at 3 */
    assert_int_equal(lab_end_after(lab.source, GF_TOPIC_JOURNAL, 4), 4);
    struct gf_record records[16];
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_JOURNAL, 0, 4, records, 16), 3);
    const uint8_t frame[] = {0, 0, 0, 0, LAB_SCHEMA_ID, 'f', 'i', 'r', 's', 't'};
    assert_true(gf_span_equal(records[0].value, gf_span_of(frame, sizeof(frame))));
    assert_int_equal(records[0].timestamp.us, LAB_TIME_US);
    assert_int_equal(records[0].header_count, 1);
    assert_true(gf_span_equal(records[0].headers[0].name, gf_span_text("lineage")));
    assert_true(gf_span_equal(records[0].headers[0].value, gf_span_text("0/1")));

    lab_expect_ok(sink->ops->begin(sink, &error), &error, "begin");
    lab_expect_ok(lab_append(sink, GF_TOPIC_JOURNAL, "k", "never", &error), &error,
                  "append"); /* 4, marker at 5 */
    assert_int_equal(lab_end_after(lab.source, GF_TOPIC_JOURNAL, 5), 5);
    lab_expect_ok(sink->ops->abort(sink, &error), &error, "abort");
    assert_int_equal(lab_end_after(lab.source, GF_TOPIC_JOURNAL, 6), 6);
    lab_write_transaction(sink, GF_TOPIC_JOURNAL, "second", 1, true); /* 6, marker at 7 */
    assert_int_equal(lab_end_after(lab.source, GF_TOPIC_JOURNAL, 8), 8);
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_JOURNAL, 0, 8, records, 16), 4);
    assert_int_equal(records[2].offset, 2);
    assert_int_equal(records[3].offset, 6);
    assert_memory_equal(records[3].value.data + 5, "second", 6);
    /* From a marker on, and nothing at all between markers. */
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_JOURNAL, 3, 8, records, 16), 1);
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_JOURNAL, 7, 8, records, 16), 0);
    sink->ops->close(sink);
    lab_close(&lab);
}

static void
the_older_of_two_sinks_is_fenced(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, "fenced.", (struct gf_duration){0});
    struct gf_error error;
    struct gf_sink *const older = lab_sink_open(&lab);
    lab_write_transaction(older, GF_TOPIC_FRAUD_FLAGS, "before", 1, true);
    lab_expect_ok(older->ops->begin(older, &error), &error, "begin");
    lab_expect_ok(lab_append(older, GF_TOPIC_FRAUD_FLAGS, "k", "stale", &error), &error, "append");
    struct gf_sink *const newer = lab_sink_open(&lab);
    const struct gf_position position = {.topic = GF_TOPIC_METER_READINGS, .offset = 2};
    lab_expect_rc(gf_commit(older, &position, 1, NULL, &error), GF_E_FENCED, &error);
    older->ops->close(older);

    lab_write_transaction(newer, GF_TOPIC_FRAUD_FLAGS, "after", 1, true);
    newer->ops->close(newer);
    struct gf_record records[8];
    const int64_t end = lab_end_settled(&lab, GF_TOPIC_FRAUD_FLAGS);
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_FRAUD_FLAGS, 0, end, records, 8), 2);
    assert_memory_equal(records[1].value.data + 5, "after", 5);
    lab_close(&lab);
}

static void
the_end_of_the_journal_lies_behind_open_transactions(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, "open.", (struct gf_duration){0});
    struct gf_error error;
    struct gf_sink *const sink = lab_sink_open(&lab);
    assert_int_equal(lab_end_of(lab.source, GF_TOPIC_JOURNAL), 0);
    lab_expect_ok(sink->ops->begin(sink, &error), &error, "begin");
    lab_expect_ok(lab_append(sink, GF_TOPIC_JOURNAL, "0", "batch", &error), &error, "append");
    lab_expect_ok(lab_append(sink, GF_TOPIC_FRAUD_FLAGS, "k", "flag", &error), &error, "append");
    int64_t end = 0;
    struct gf_record records[4];
    uint32_t count = 9;
    int64_t next = -1;
    for (int tries = 0; tries < LAB_TRIES_MAX && end == 0; tries++) {
        end = lab_end_of(lab.source, GF_TOPIC_JOURNAL);
        lab_expect_ok(lab.source->ops->read(lab.source, 0, GF_TOPIC_JOURNAL, 0, 0, 1, LAB_WAIT,
                                            records, 4, &count, &next, &error),
                      &error, "read");
        assert_int_equal(count, 0);
        assert_int_equal(next, 0);
    }
    assert_int_equal(end, 1);
    assert_int_equal(lab_end_of(lab.source, GF_TOPIC_FRAUD_FLAGS), 0);

    lab_expect_ok(gf_commit(sink, NULL, 0, NULL, &error), &error, "commit");
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_JOURNAL, 0, end, records, 4), 1);
    end = lab_end_after(lab.source, GF_TOPIC_JOURNAL, 2);
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_JOURNAL, 0, end, records, 4), 1);
    sink->ops->close(sink);
    lab_close(&lab);
}

static void
a_reference_topic_serves_two_positions(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, "reference.", (struct gf_duration){0});
    lab_produce_plain("reference.control", 100);
    struct gf_record ahead[101], behind[101];
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_CONTROL, 90, 100, ahead, 101), 10);
    assert_int_equal(ahead[0].offset, 90);
    lab.source->ops->release(lab.source, 0, GF_TOPIC_CONTROL, 0, 100);
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_CONTROL, 0, 50, behind, 101), 50);
    assert_int_equal(behind[49].offset, 49);
    lab_produce_plain("reference.control", 1);
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_CONTROL, 100, 101, ahead + 10, 91), 1);
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_CONTROL, 50, 101, behind + 50, 51), 51);
    assert_ptr_equal(ahead[10].value.data, behind[100].value.data);
    assert_true(gf_span_equal(ahead[0].value, gf_span_text("90")));

    /* A log that was cut before the reader came is served from where it begins. */
    lab_records_delete("reference.control", 5);
    struct gf_source *fresh = NULL;
    struct gf_error error;
    uint32_t count = 0;
    int64_t next = 0;
    lab_expect_ok(gf_kafka_source_open(&lab.config, &fresh, &error), &error, "source");
    assert_int_equal(lab_read_until(fresh, GF_TOPIC_CONTROL, 5, 101, behind, 101), 96);
    assert_int_equal(behind[0].offset, 5);
    lab_expect_rc(fresh->ops->read(fresh, 0, GF_TOPIC_CONTROL, 0, 4, 101, LAB_WAIT, behind, 101,
                                   &count, &next, &error),
                  GF_E_LOST, &error);
    fresh->ops->close(fresh);
    lab_close(&lab);
}

static void
an_offset_that_is_gone_is_lost(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, "lost.", (struct gf_duration){0});
    lab_produce_plain("lost.meter.readings", 20);
    lab_records_delete("lost.meter.readings", 7);
    const int64_t wanted[] = {6, 500};
    for (size_t index = 0; index < 2; index++) {
        struct gf_record records[32];
        struct gf_error error;
        uint32_t count = 0;
        int64_t next = 0;
        enum gf_rc rc = GF_OK;
        for (int tries = 0; rc == GF_OK && tries < LAB_TRIES_MAX; tries++) {
            rc = lab.source->ops->read(lab.source, 0, GF_TOPIC_METER_READINGS, 0, wanted[index],
                                       1000, LAB_WAIT, records, 32, &count, &next, &error);
        }
        char text[128];
        snprintf(text, sizeof(text),
                 "lost.meter.readings/0: offset %lld is needed, but the topic holds 7 to 20",
                 (long long)wanted[index]);
        lab_expect_rc(rc, GF_E_LOST, &error);
        assert_non_null(strstr(error.text, text));
    }
    struct gf_record records[32];
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_METER_READINGS, 7, 20, records, 32), 13);
    lab_close(&lab);
}

static void
a_missing_topic_is_named_and_not_made(void **state)
{
    (void)state;
    struct gf_kafka_config config = {.brokers = lab_broker.address, .topic_prefix = "missing."};
    uint32_t schema_ids[GF_TOPIC_COUNT] = {[GF_TOPIC_JOURNAL] = LAB_SCHEMA_ID};
    const struct gf_kafka_sink_config sink_config = {
        .kafka = &config, .transactional_id = "missing", .schema_ids = schema_ids};
    struct gf_error error;
    struct gf_source *source = NULL;
    struct gf_sink *sink = NULL;
    uint32_t count = 0;
    int64_t first = 0, end = 0;
    lab_expect_rc(gf_kafka_sink_open(&sink_config, &sink, &error), GF_E_NOT_FOUND, &error);
    assert_null(sink);
    lab_expect_ok(gf_kafka_source_open(&config, &source, &error), &error, "source");
    lab_expect_rc(source->ops->ends(source, GF_TOPIC_JOURNAL, 0, &first, &end, &error),
                  GF_E_NOT_FOUND, &error);
    lab_expect_rc(source->ops->partitions(source, GF_TOPIC_JOURNAL, &count, &error), GF_E_NOT_FOUND,
                  &error);
    assert_non_null(strstr(error.text, "missing.journal"));
    assert_non_null(strstr(error.text, "gridfold topics create"));
    source->ops->close(source);
}

static void
an_output_that_is_too_large_is_refused_and_aborts(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, "large.", (struct gf_duration){0});
    struct gf_sink *const sink = lab_sink_open(&lab);
    struct gf_error error;
    static char body[2000001];
    memset(body, 'x', sizeof(body) - 1);
    lab_expect_ok(sink->ops->begin(sink, &error), &error, "begin");
    lab_expect_ok(lab_append(sink, GF_TOPIC_FRAUD_FLAGS, "k", "small", &error), &error, "append");
    lab_expect_rc(lab_append(sink, GF_TOPIC_FRAUD_FLAGS, "k", body, &error), GF_E_CONFIG, &error);
    lab_expect_ok(sink->ops->abort(sink, &error), &error, "abort");
    lab_write_transaction(sink, GF_TOPIC_FRAUD_FLAGS, "next", 1, true);
    struct gf_record records[4];
    const int64_t end = lab_end_settled(&lab, GF_TOPIC_FRAUD_FLAGS);
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_FRAUD_FLAGS, 0, end, records, 4), 1);
    sink->ops->close(sink);
    lab_close(&lab);
}

/* A broker that dies with a transaction open and comes back: the commit says what became of it, and
 * that is true. */
static void
a_broker_that_restarts_loses_and_doubles_nothing(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, "restart.", (struct gf_duration){0});
    struct gf_sink *sink = lab_sink_open(&lab);
    struct gf_error error;
    lab_write_transaction(sink, GF_TOPIC_FRAUD_FLAGS, "before", 1, true);
    struct gf_record records[8];
    int64_t end = lab_end_settled(&lab, GF_TOPIC_FRAUD_FLAGS);
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_FRAUD_FLAGS, 0, end, records, 8), 1);

    lab_expect_ok(sink->ops->begin(sink, &error), &error, "begin");
    lab_expect_ok(lab_append(sink, GF_TOPIC_FRAUD_FLAGS, "k", "during", &error), &error, "append");
    test_broker_kill(&lab_broker);
    test_broker_start(&lab_broker);
    const enum gf_rc rc = gf_commit(sink, NULL, 0, NULL, &error);
    if (rc != GF_OK && rc != GF_E_TXN && rc != GF_E_UNKNOWN_OUTCOME) {
        fail_msg("commit over a restart: %s: %s", gf_rc_name(rc), error.text);
    }
    print_message("commit over a restart: %s\n", gf_rc_name(rc));
    sink->ops->close(sink);
    sink = lab_sink_open(&lab);
    lab_write_transaction(sink, GF_TOPIC_FRAUD_FLAGS, "after", 1, true);
    sink->ops->close(sink);
    const int64_t from = end;
    end = lab_end_settled(&lab, GF_TOPIC_FRAUD_FLAGS);
    const uint32_t count = lab_read_until(lab.source, GF_TOPIC_FRAUD_FLAGS, from, end, records, 8);
    if (rc == GF_OK) {
        assert_int_equal(count, 2);
        assert_memory_equal(records[0].value.data + 5, "during", 6);
    } else if (rc == GF_E_TXN) {
        assert_int_equal(count, 1);
    } else {
        assert_in_range(count, 1, 2);
    }
    assert_memory_equal(records[count - 1].value.data + 5, "after", 5);
    lab_close(&lab);
}

/* Last: it leaves no broker. */
static void
a_broker_that_is_gone_is_unavailable_in_bounded_time(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, "gone.", (struct gf_duration){2 * GF_US_PER_S});
    struct gf_sink *const sink = lab_sink_open(&lab);
    struct gf_error error;
    lab_write_transaction(sink, GF_TOPIC_FRAUD_FLAGS, "before", 1, true);
    lab_produce_plain("gone.meter.readings", 1);
    struct gf_record records[4];
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_METER_READINGS, 0, 1, records, 4), 1);
    lab_expect_ok(sink->ops->begin(sink, &error), &error, "begin");
    lab_expect_ok(lab_append(sink, GF_TOPIC_FRAUD_FLAGS, "k", "never", &error), &error, "append");
    test_broker_kill(&lab_broker);

    int64_t first = 0, end = 0, next = 0;
    uint32_t count = 0;
    enum gf_rc rc =
        lab.source->ops->ends(lab.source, GF_TOPIC_METER_READINGS, 0, &first, &end, &error);
    lab_expect_rc(rc, GF_E_UNAVAILABLE, &error);
    assert_non_null(strstr(error.text, lab_broker.address));
    for (int tries = 0; tries < LAB_TRIES_MAX; tries++) {
        rc = lab.source->ops->read(lab.source, 0, GF_TOPIC_METER_READINGS, 0, 1, 5, LAB_WAIT,
                                   records, 4, &count, &next, &error);
        if (rc != GF_OK) {
            break;
        }
    }
    lab_expect_rc(rc, GF_E_UNAVAILABLE, &error);
    lab_expect_rc(gf_commit(sink, NULL, 0, NULL, &error), GF_E_UNKNOWN_OUTCOME, &error);
    sink->ops->close(sink);
    struct gf_sink *fresh = NULL;
    lab_expect_rc(gf_kafka_sink_open(&lab.sink_config, &fresh, &error), GF_E_UNAVAILABLE, &error);
    lab_close(&lab);
}

int
main(void)
{
    const int verdict = test_broker_find(&lab_broker);
    if (verdict >= 0) {
        return verdict;
    }
    test_broker_start(&lab_broker);
    cmocka_set_test_filter(getenv("GF_TEST_FILTER"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_are_made_as_they_are_wanted),
        cmocka_unit_test(inputs_are_read_at_their_offsets),
        cmocka_unit_test(readers_of_one_partition_take_nothing_from_each_other),
        cmocka_unit_test(only_what_is_committed_is_read_and_the_position_passes_markers),
        cmocka_unit_test(the_older_of_two_sinks_is_fenced),
        cmocka_unit_test(the_end_of_the_journal_lies_behind_open_transactions),
        cmocka_unit_test(a_reference_topic_serves_two_positions),
        cmocka_unit_test(an_offset_that_is_gone_is_lost),
        cmocka_unit_test(a_missing_topic_is_named_and_not_made),
        cmocka_unit_test(an_output_that_is_too_large_is_refused_and_aborts),
        cmocka_unit_test(a_broker_that_restarts_loses_and_doubles_nothing),
        cmocka_unit_test(a_broker_that_is_gone_is_unavailable_in_bounded_time),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed == 0) {
        test_broker_fini(&lab_broker);
    } else {
        test_broker_kill(&lab_broker);
        fprintf(stderr, "the broker's logs are in %s\n", lab_broker.folder);
    }
    return failed;
}
