/* The window over messages of a mock cluster in this process; real ones are in tests/broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "io/kafka_window.h"

/* A mock cluster in this process gives true messages at chosen offsets: `count` of them, of which
 * the caller keeps those that it wants, so that gaps look like transaction markers. */
struct bench {
    rd_kafka_t *handle, *consumer;
    rd_kafka_mock_cluster_t *cluster;
    rd_kafka_topic_t *topic;
};

static rd_kafka_t *
handle_new(rd_kafka_type_t type, const char *key, const char *value)
{
    char text[256];
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, key, value, text, sizeof(text)), RD_KAFKA_CONF_OK);
    rd_kafka_t *const handle = rd_kafka_new(type, conf, text, sizeof(text));
    assert_non_null(handle);
    return handle;
}

static void
bench_open(struct bench *bench, int count)
{
    bench->handle = handle_new(RD_KAFKA_PRODUCER, "test.mock.num.brokers", "1");
    bench->cluster = rd_kafka_handle_mock_cluster(bench->handle);
    assert_int_equal(rd_kafka_mock_topic_create(bench->cluster, "t", 1, 1), 0);
    for (int index = 0; index < count; index++) {
        char value[8] = "value-0";
        value[6] = (char)('0' + index % 10);
        assert_int_equal(
            rd_kafka_producev(bench->handle, RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_PARTITION(0),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value, 7),
                              RD_KAFKA_V_HEADER("name", "v", 1), RD_KAFKA_V_TIMESTAMP(5),
                              RD_KAFKA_V_END),
            0);
    }
    assert_int_equal(rd_kafka_flush(bench->handle, 30000), 0);
    bench->consumer = handle_new(RD_KAFKA_CONSUMER, "bootstrap.servers",
                                 rd_kafka_mock_cluster_bootstraps(bench->cluster));
    bench->topic = rd_kafka_topic_new(bench->consumer, "t", NULL);
    assert_int_equal(rd_kafka_consume_start(bench->topic, 0, 0), 0);
}

static void
bench_close(struct bench *bench)
{
    rd_kafka_consume_stop(bench->topic, 0);
    rd_kafka_topic_destroy(bench->topic);
    rd_kafka_destroy(bench->consumer);
    rd_kafka_destroy(bench->handle);
}

/* The next message, which must have this offset. */
static rd_kafka_message_t *
message_next(struct bench *bench, int64_t offset)
{
    rd_kafka_message_t *const message = rd_kafka_consume(bench->topic, 0, 30000);
    assert_non_null(message);
    assert_int_equal(message->err, 0);
    assert_int_equal(message->offset, offset);
    return message;
}

static void
window_rules(bool is_keeping)
{
    struct bench bench;
    struct gf_kafka_window window;
    struct gf_record records[32];
    int64_t next = -1;
    bench_open(&bench, 12);
    gf_kafka_window_init(&window, 3, 0, is_keeping);
    gf_kafka_window_start(&window, 0);
    assert_int_equal(gf_kafka_window_take(&window, 0, 100, records, 32, &next), 0);
    assert_int_equal(next, 0);

    /* 0 1 2 . . . 6 7 8 . 10 11, and the partition read up to 14 */
    for (int64_t offset = 0; offset < 12; offset++) {
        rd_kafka_message_t *const message = message_next(&bench, offset);
        if ((offset > 2 && offset < 6) || offset == 9) {
            rd_kafka_message_destroy(message);
        } else {
            assert_int_equal(gf_kafka_window_add(&window, message, NULL), GF_OK);
        }
    }
    gf_kafka_window_reach(&window, 14);
    gf_kafka_window_reach(&window, 13); /* goes nowhere */

    static const struct {
        int64_t offset, end;
        uint32_t count_max, count;
        int64_t next;
    } cases[] = {
        {0, 100, 32, 8, 14}, {0, 100, 2, 2, 2},    {0, 100, 3, 3, 6}, /* over the hole */
        {0, 5, 32, 3, 5},    {3, 100, 32, 5, 14},  {4, 5, 32, 0, 5},     {9, 10, 32, 0, 10},
        {12, 13, 32, 0, 13}, {12, 100, 32, 0, 14}, {14, 100, 32, 0, 14},
    };
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        assert_int_equal(gf_kafka_window_take(&window, cases[index].offset, cases[index].end,
                                              records, cases[index].count_max, &next),
                         cases[index].count);
        assert_int_equal(next, cases[index].next);
    }
    assert_int_equal(gf_kafka_window_take(&window, 6, 7, records, 32, &next), 1);
    assert_int_equal(records[0].offset, 6);
    assert_int_equal(records[0].topic, 3);
    assert_int_equal(records[0].timestamp.us, 5000);
    assert_false(records[0].has_key);
    assert_true(records[0].has_value);
    assert_true(gf_span_equal(records[0].value, gf_span_text("value-6")));
    assert_int_equal(records[0].header_count, 1);
    assert_true(gf_span_equal(records[0].headers[0].name, gf_span_text("name")));

    gf_kafka_window_release(&window, 7);
    assert_int_equal(gf_kafka_window_covers(&window, 6), is_keeping);
    assert_true(gf_kafka_window_covers(&window, 7));
    assert_true(gf_kafka_window_covers(&window, 14));
    assert_false(gf_kafka_window_covers(&window, 15));
    assert_int_equal(gf_kafka_window_left(&window, 7), 4);
    gf_kafka_window_release(&window, 1000);
    assert_int_equal(gf_kafka_window_left(&window, 7), is_keeping ? 4 : 0);
    gf_kafka_window_start(&window, 50);
    assert_false(gf_kafka_window_covers(&window, 14));
    gf_kafka_window_fini(&window);
    bench_close(&bench);
}

static void
a_lending_window_gives_back_what_is_released(void **state)
{
    (void)state;
    window_rules(false);
}

static void
a_keeping_window_gives_nothing_back(void **state)
{
    (void)state;
    window_rules(true);
}

/* Grows, shifts its slots down, and drops what was delivered twice. */
static void
a_window_runs_over_many_records(void **state)
{
    (void)state;
    enum { COUNT = 3000, LAG = 400 };
    struct bench bench;
    struct gf_kafka_window window;
    bench_open(&bench, COUNT);
    gf_kafka_window_init(&window, 0, 0, false);
    gf_kafka_window_start(&window, 1);
    for (int64_t offset = 0; offset < COUNT; offset++) {
        assert_int_equal(gf_kafka_window_add(&window, message_next(&bench, offset), NULL), GF_OK);
        if (offset >= LAG) {
            struct gf_record record;
            int64_t next = 0;
            const int64_t oldest = offset - LAG + 1;
            gf_kafka_window_release(&window, oldest);
            assert_int_equal(gf_kafka_window_take(&window, oldest, COUNT, &record, 1, &next), 1);
            assert_int_equal(record.offset, oldest);
            assert_int_equal(record.value.data[6], '0' + oldest % 10);
            assert_int_equal(gf_kafka_window_left(&window, oldest), LAG);
        }
    }
    assert_true(window.capacity <= 2048);
    gf_kafka_window_fini(&window);
    bench_close(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lending_window_gives_back_what_is_released),
        cmocka_unit_test(a_keeping_window_gives_nothing_back),
        cmocka_unit_test(a_window_runs_over_many_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
