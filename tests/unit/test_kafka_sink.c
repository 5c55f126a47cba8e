/* What the sink makes of Kafka's errors, on librdkafka's mock cluster: which of them are asked
 * again, which abort, which are the end. A real broker is in tests/broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "codec/records.h"
#include "io/kafka_sink.h"
#include "loop/commit.h"

/* Numbers of Kafka's requests. */
enum { PRODUCE = 0, INIT_PRODUCER_ID = 22, ADD_OFFSETS = 25, END_TXN = 26, TXN_OFFSET_COMMIT = 28 };

struct bench {
    rd_kafka_t *handle;
    rd_kafka_mock_cluster_t *cluster;
    struct gf_kafka_config config;
    struct gf_kafka_sink_config sink_config;
    uint32_t schema_ids[GF_TOPIC_COUNT];
};

static void
bench_open(struct bench *bench)
{
    char text[256];
    *bench = (struct bench){.schema_ids = {[GF_TOPIC_JOURNAL] = 3}};
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof(text));
    bench->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(bench->handle);
    bench->cluster = rd_kafka_handle_mock_cluster(bench->handle);
    assert_int_equal(rd_kafka_mock_topic_create(bench->cluster, "journal", 1, 1), 0);
    bench->config =
        (struct gf_kafka_config){.brokers = rd_kafka_mock_cluster_bootstraps(bench->cluster),
                                 .request_timeout = {5 * GF_US_PER_S}};
    bench->sink_config = (struct gf_kafka_sink_config){.kafka = &bench->config,
                                                       .transactional_id = "slot-0",
                                                       .group = "lag",
                                                       .schema_ids = bench->schema_ids};
}

static void
expect_ok(enum gf_rc rc, const struct gf_error *error, const char *what)
{
    if (rc != GF_OK) {
        fail_msg("%s: %s: %s", what, gf_rc_name(rc), error->text);
    }
}

/* One transaction with one output. */
static enum gf_rc
transaction_try(struct gf_sink *sink, struct gf_error *error)
{
    const struct gf_output output = {.topic = GF_TOPIC_JOURNAL, .body = gf_span_text("batch")};
    const struct gf_position position = {.topic = GF_TOPIC_METER_READINGS, .offset = 1};
    enum gf_rc rc = sink->ops->begin(sink, error);
    if (rc == GF_OK) {
        rc = sink->ops->append(sink, &output, error);
    }
    return rc == GF_OK ? gf_commit(sink, &position, 1, NULL, error) : rc;
}

/* The same after trouble: a sink that has lost a connection in its last transaction, as it does
 * when it looks for its coordinator anew, asks for a new epoch first. */
static enum gf_rc
transaction_next(struct bench *bench, struct gf_sink **sink, struct gf_error *error)
{
    enum gf_rc rc = transaction_try(*sink, error);
    if (rc == GF_E_UNKNOWN_OUTCOME && strstr(error->text, "a new epoch keeps it out") != NULL) {
        (*sink)->ops->close(*sink);
        *sink = NULL;
        rc = gf_kafka_sink_open(&bench->sink_config, sink, error);
        rc = rc == GF_OK ? transaction_try(*sink, error) : rc;
    }
    return rc;
}

/* What a commit gives when the broker answers the `request` with `code`, and whether the sink goes
 * on afterwards. */
struct answer {
    int16_t request;
    rd_kafka_resp_err_t code;
    enum gf_rc rc;
    bool goes_on;
};

static void
commits_end_as_the_broker_answers(void **state)
{
    (void)state;
    static const struct answer answers[] = {
        {END_TXN, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, GF_OK, true},
        {END_TXN, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, GF_E_FENCED, false},
        {END_TXN, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, GF_E_FENCED, false},
        {END_TXN, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, GF_E_UNKNOWN_OUTCOME, false},
        {ADD_OFFSETS, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, GF_OK, true},
        {ADD_OFFSETS, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, GF_E_TXN, true},
        {TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, GF_E_GENERATION, true},
        {TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, GF_E_GENERATION, true},
        {TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, GF_E_GENERATION, true},
        {TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, GF_E_FENCED, false},
        {PRODUCE, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, GF_E_FENCED, false},
        {PRODUCE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, GF_OK, true},
        {PRODUCE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, GF_E_CONFIG, false},
    };
    for (size_t index = 0; index < sizeof(answers) / sizeof(answers[0]); index++) {
        const struct answer *const answer = &answers[index];
        struct bench bench;
        struct gf_error error = {""};
        struct gf_sink *sink = NULL;
        bench_open(&bench);
        expect_ok(gf_kafka_sink_open(&bench.sink_config, &sink, &error), &error, "open");
        expect_ok(transaction_try(sink, &error), &error, "first transaction");
        rd_kafka_mock_push_request_errors(bench.cluster, answer->request, 1, answer->code);
        const enum gf_rc rc = transaction_try(sink, &error);
        if (rc != answer->rc) {
            fail_msg("request %d answered with %s: %s, not %s: %s", answer->request,
                     rd_kafka_err2name(answer->code), gf_rc_name(rc), gf_rc_name(answer->rc),
                     error.text);
        }
        if (answer->goes_on) {
            expect_ok(sink->ops->abort(sink, &error), &error,
                      "abort"); /* nothing is open: no effect */
            expect_ok(transaction_next(&bench, &sink, &error), &error, "next transaction");
        }
        sink->ops->close(sink);
        rd_kafka_destroy(bench.handle);
    }
}

/* librdkafka 2.0.2 does not take back the sequence number of a refused output, so the next
 * transaction on that partition is refused as well (out of order); its abort asks for a new epoch,
 * and the third one works. */
static void
a_refused_output_costs_the_next_transaction_too(void **state)
{
    (void)state;
    struct bench bench;
    struct gf_error error = {""};
    struct gf_sink *sink = NULL;
    bench_open(&bench);
    expect_ok(gf_kafka_sink_open(&bench.sink_config, &sink, &error), &error, "open");
    expect_ok(transaction_try(sink, &error), &error, "first transaction");
    rd_kafka_mock_push_request_errors(bench.cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_INVALID_RECORD);
    assert_int_equal(transaction_try(sink, &error), GF_E_TXN);
    assert_non_null(strstr(error.text, "failed to validate record"));
    const enum gf_rc rc = transaction_next(&bench, &sink, &error);
    if (rc != GF_OK && rc != GF_E_TXN) {
        fail_msg("next transaction: %s: %s", gf_rc_name(rc), error.text);
    }
    expect_ok(transaction_next(&bench, &sink, &error), &error, "third transaction");
    sink->ops->close(sink);
    rd_kafka_destroy(bench.handle);
}

static void
an_open_without_rights_says_so(void **state)
{
    (void)state;
    struct bench bench;
    struct gf_error error = {""};
    struct gf_sink *sink = NULL;
    bench_open(&bench);
    rd_kafka_mock_push_request_errors(bench.cluster, INIT_PRODUCER_ID, 1,
                                      RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    assert_int_equal(gf_kafka_sink_open(&bench.sink_config, &sink, &error), GF_E_CONFIG);
    assert_non_null(strstr(error.text, "slot-0"));
    assert_null(sink);
    rd_kafka_mock_push_request_errors(bench.cluster, INIT_PRODUCER_ID, 1,
                                      RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    assert_int_equal(gf_kafka_fence(&bench.config, "slot-7", &error), GF_E_CONFIG);
    assert_non_null(strstr(error.text, "slot-7"));
    expect_ok(gf_kafka_fence(&bench.config, "slot-7", &error), &error, "fence");
    rd_kafka_destroy(bench.handle);
}

static void
a_commit_without_positions_and_without_outputs_is_one(void **state)
{
    (void)state;
    struct bench bench;
    struct gf_error error = {""};
    struct gf_sink *sink = NULL;
    bench_open(&bench);
    assert_int_equal(gf_kafka_sink_open(&bench.sink_config, &sink, &error), GF_OK);
    /* An answer that would fail the call, were it made. */
    rd_kafka_mock_push_request_errors(bench.cluster, ADD_OFFSETS, 1,
                                      RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    assert_int_equal(sink->ops->begin(sink, &error), GF_OK);
    assert_int_equal(gf_commit(sink, NULL, 0, NULL, &error), GF_OK);
    sink->ops->close(sink);
    rd_kafka_destroy(bench.handle);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_end_as_the_broker_answers),
        cmocka_unit_test(a_refused_output_costs_the_next_transaction_too),
        cmocka_unit_test(an_open_without_rights_says_so),
        cmocka_unit_test(a_commit_without_positions_and_without_outputs_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
