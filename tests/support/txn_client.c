#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "txn_client.h"

#define FRAME_SIZE 5 /* of a value with a schema id */
#define TIMEOUT_MS 30000

static void
conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
        fail_msg("%s=%s: %s", name, value, text);
    }
}

static void
ignore_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    (void)level;
    (void)facility;
    (void)text;
}

/* Without a callback every small transaction takes some 20 ms longer. */
static void
ignore_report(rd_kafka_t *handle, const rd_kafka_message_t *message, void *context)
{
    (void)handle;
    (void)message;
    (void)context;
}

rd_kafka_t *
txn_client_new(const char *addresses, const char *id, const char *topic)
{
    char text[256];
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    conf_set(conf, "bootstrap.servers", addresses);
    conf_set(conf, "client.id", id);
    conf_set(conf, "transactional.id", id);
    conf_set(conf, "transaction.timeout.ms", "20000");
    conf_set(conf, "message.timeout.ms", "20000");
    conf_set(conf, "socket.timeout.ms", "2000");
    conf_set(conf, "reconnect.backoff.ms", "20");
    conf_set(conf, "reconnect.backoff.max.ms", "200");
    conf_set(conf, "linger.ms", "0");
    rd_kafka_conf_set_dr_msg_cb(conf, ignore_report);
    rd_kafka_conf_set_log_cb(conf, ignore_log);
    rd_kafka_t *const client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (client == NULL) {
        fail_msg("%s", text);
    }
    /* A first record would wait a second for it. */
    rd_kafka_topic_t *const handle = rd_kafka_topic_new(client, topic, NULL);
    const rd_kafka_metadata_t *metadata = NULL;
    assert_int_equal(rd_kafka_metadata(client, 0, handle, &metadata, TIMEOUT_MS), 0);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return client;
}

void
txn_client_free(rd_kafka_t *client)
{
    /* What is still queued would make the destruction wait. */
    rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(client);
}

static struct txn_result
result_of(rd_kafka_error_t *error)
{
    struct txn_result result = {.code = RD_KAFKA_RESP_ERR_NO_ERROR};
    if (error != NULL) {
        result = (struct txn_result){.code = rd_kafka_error_code(error),
                                     .is_retriable = rd_kafka_error_is_retriable(error) != 0,
                                     .is_abortable = rd_kafka_error_txn_requires_abort(error) != 0,
                                     .is_fatal = rd_kafka_error_is_fatal(error) != 0};
        rd_kafka_error_destroy(error);
    }
    return result;
}

static void
expect_done(struct txn_result result, const char *what)
{
    if (result.code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail_msg("%s: %s", what, rd_kafka_err2name(result.code));
    }
}

struct txn_result
txn_try_init(rd_kafka_t *client, int timeout_ms)
{
    return result_of(rd_kafka_init_transactions(client, timeout_ms));
}

struct txn_result
txn_try_commit(rd_kafka_t *client, int timeout_ms)
{
    return result_of(rd_kafka_commit_transaction(client, timeout_ms));
}

void
txn_init(rd_kafka_t *client)
{
    expect_done(txn_try_init(client, TIMEOUT_MS), "init");
}

void
txn_begin(rd_kafka_t *client)
{
    expect_done(result_of(rd_kafka_begin_transaction(client)), "begin");
}

void
txn_produce(rd_kafka_t *client, const char *topic, const char *value)
{
    assert_int_equal(rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                       RD_KAFKA_V_VALUE((void *)(uintptr_t)value, strlen(value)),
                                       RD_KAFKA_V_END),
                     0);
}

void
txn_flush(rd_kafka_t *client)
{
    assert_int_equal(rd_kafka_flush(client, TIMEOUT_MS), 0);
}

void
txn_commit(rd_kafka_t *client)
{
    expect_done(txn_try_commit(client, TIMEOUT_MS), "commit");
}

void
txn_read(const char *addresses, const char *topic, bool is_committed, char *out, size_t size)
{
    char text[256];
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    conf_set(conf, "bootstrap.servers", addresses);
    conf_set(conf, "client.id", "reader");
    conf_set(conf, "group.id", "reader");
    conf_set(conf, "enable.auto.commit", "false");
    conf_set(conf, "auto.offset.reset", "earliest");
    conf_set(conf, "enable.partition.eof", "true");
    conf_set(conf, "isolation.level", is_committed ? "read_committed" : "read_uncommitted");
    rd_kafka_conf_set_log_cb(conf, ignore_log);
    rd_kafka_t *const reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    assert_non_null(reader);
    rd_kafka_topic_partition_list_t *const list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(reader, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    size_t length = 0;
    out[0] = '\0';
    for (bool is_end = false; !is_end;) {
        rd_kafka_message_t *const message = rd_kafka_consumer_poll(reader, TIMEOUT_MS);
        assert_non_null(message);
        is_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            const char *const payload = message->payload;
            const int frame = message->len >= FRAME_SIZE && payload[0] == 0 ? FRAME_SIZE : 0;
            const int count =
                snprintf(out + length, size - length, "%s%.*s", length == 0 ? "" : " ",
                         (int)message->len - frame, payload + frame);
            length += (size_t)count;
            assert_true(length < size);
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
}

void
txn_expect(const char *addresses, const char *topic, bool is_committed, const char *expected)
{
    char values[256];
    txn_read(addresses, topic, is_committed, values, sizeof(values));
    assert_string_equal(values, expected);
}

void
txn_wait(const char *addresses, const char *topic, const char *expected)
{
    char values[256] = "";
    for (int tries = 0; tries < 500 && strcmp(values, expected) != 0; tries++) {
        txn_read(addresses, topic, true, values, sizeof(values));
    }
    assert_string_equal(values, expected);
}
