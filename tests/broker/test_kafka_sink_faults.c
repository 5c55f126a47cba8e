/* The Kafka sink where a plain producer of librdkafka would tear a transaction or crash: faults of
 * a proxy before a real broker. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <threads.h>

#include <cmocka.h>

#include "cluster.h"
#include "io/kafka_sink.h"
#include "txn_client.h"

#define BATCH_COUNT 5 /* that librdkafka has under way at once */

static struct test_cluster cluster;

static int
lift_all(void **state)
{
    (void)state;
    fault_proxy_lift_all(cluster.proxy);
    return 0;
}

static void
sink_put(struct gf_sink *sink, uint32_t partition, const char *value)
{
    struct gf_error error = {{0}};
    const struct gf_output output = {.topic = GF_TOPIC_FRAUD_FLAGS,
                                     .partition = partition,
                                     .timestamp = {1700000000000000},
                                     .body = {(const uint8_t *)value, (uint32_t)strlen(value)}};
    assert_int_equal(sink->ops->append(sink, &output, &error), GF_OK);
}

/* Into each of BATCH_COUNT partitions. */
static void
partitions_put(struct gf_sink *sink, const char *value)
{
    for (uint32_t partition = 0; partition < BATCH_COUNT; partition++) {
        sink_put(sink, partition, value);
    }
}

static void
sink_append(struct gf_sink *sink, const char *value)
{
    struct gf_error error = {{0}};
    assert_int_equal(sink->ops->begin(sink, &error), GF_OK);
    sink_put(sink, 0, value);
    assert_int_equal(sink->ops->flush(sink, &error), GF_OK);
}

/* A commit is answered by the second of two requests, and the first one comes late:
 * test_fault_proxy shows that it would end the next transaction. So the sink takes a new epoch
 * after a connection was lost in a transaction: rule 21. */
static void
the_sink_keeps_a_late_commit_out(void **state)
{
    (void)state;
    static const struct gf_kafka_property properties[] = {{"socket.timeout.ms", "2000"}};
    test_cluster_topic_make(&cluster, "whole.fraud.flags", 1);
    const struct gf_kafka_config kafka = {.brokers = cluster.proxied,
                                          .topic_prefix = "whole.",
                                          .properties = properties,
                                          .property_count = 1};
    static const uint32_t schema_ids[GF_TOPIC_COUNT] = {[GF_TOPIC_FRAUD_FLAGS] = 1};
    const struct gf_kafka_sink_config config = {
        .kafka = &kafka, .transactional_id = "whole", .schema_ids = schema_ids};
    struct gf_error error = {{0}};
    struct gf_sink *sink = NULL;
    assert_int_equal(gf_kafka_sink_open(&config, &sink, &error), GF_OK);
    sink_append(sink, "a");
    const int rule = fault_proxy_set(
        cluster.proxy,
        &(struct fault_rule){.kind = FAULT_HOLD_REQUEST, .api = FAULT_END_TXN, .count = 1});
    assert_int_equal(sink->ops->commit(sink, &error), GF_OK);
    assert_int_equal(fault_proxy_hits(cluster.proxy, rule), 1);
    assert_int_equal(sink->ops->begin(sink, &error), GF_E_UNKNOWN_OUTCOME);
    sink->ops->close(sink);

    assert_int_equal(gf_kafka_sink_open(&config, &sink, &error), GF_OK);
    sink_append(sink, "b");
    fault_proxy_lift(cluster.proxy, rule);
    txn_expect(cluster.addresses, "whole.fraud.flags", true, "a");
    assert_int_equal(sink->ops->abort(sink, &error), GF_OK);
    sink_append(sink, "c");
    assert_int_equal(sink->ops->commit(sink, &error), GF_OK);
    txn_wait(cluster.addresses, "whole.fraud.flags", "a c");
    sink->ops->close(sink);
}

/* The rules that hold batches: one is let go each time that librdkafka's main thread destroys a
 * condition, which it does while it puts the state of a producer away, and a little before. */
static int batches_held[BATCH_COUNT];
static int batches_left; /* of them, when a producer is being closed */

static void
condition_is_destroyed(void)
{
    char name[16] = "";
    pthread_getname_np(pthread_self(), name, sizeof(name));
    if (batches_left > 0 && strcmp(name, "rdk:main") == 0) {
        fault_proxy_lift(cluster.proxy, batches_held[BATCH_COUNT - batches_left--]);
        poll(NULL, 0, 100); /* the refusal is there before the producer's threads are told to end */
    }
}

/* In place of the C library's, C11's or POSIX's, which do nothing where nobody waits. */
int
pthread_cond_destroy(pthread_cond_t *condition)
{
    (void)condition;
    condition_is_destroyed();
    return 0;
}

void
cnd_destroy(cnd_t *condition)
{
    (void)condition;
    condition_is_destroyed();
}

/* Another one begins under the id of a sink with batches under way. The first refusal ends the
 * sink's transaction, the others come while the sink is being closed. librdkafka 2.0.2 frees the
 * text of the error when a producer is destroyed, and again with a refusal after that
 * (rd_kafka_txns_term, rd_kafka_txn_set_fatal_error): the sink lets nothing be under way by then.
 */
static void
a_fenced_sink_closes_whole(void **state)
{
    (void)state;
    static const struct gf_kafka_property properties[] = {{"client.id", "closing"}};
    test_cluster_topic_make(&cluster, "closing.fraud.flags", BATCH_COUNT);
    const struct gf_kafka_config kafka = {.brokers = cluster.proxied,
                                          .topic_prefix = "closing.",
                                          .properties = properties,
                                          .property_count = 1};
    static const uint32_t schema_ids[GF_TOPIC_COUNT] = {[GF_TOPIC_FRAUD_FLAGS] = 1};
    const struct gf_kafka_sink_config config = {
        .kafka = &kafka, .transactional_id = "closing", .schema_ids = schema_ids};
    struct gf_error error = {{0}};
    struct gf_sink *sink = NULL;
    assert_int_equal(gf_kafka_sink_open(&config, &sink, &error), GF_OK);
    assert_int_equal(sink->ops->begin(sink, &error), GF_OK);
    partitions_put(sink, "a");
    assert_int_equal(sink->ops->flush(sink, &error), GF_OK);

    const struct fault_rule hold = {
        .kind = FAULT_HOLD_REQUEST, .api = FAULT_PRODUCE, .client_id = "closing", .count = 1};
    for (int i = 0; i < BATCH_COUNT; i++) {
        batches_held[i] = fault_proxy_set(cluster.proxy, &hold);
    }
    partitions_put(sink, "b");
    assert_true(fault_proxy_wait(cluster.proxy, batches_held[0], 1));
    assert_int_equal(gf_kafka_fence(&kafka, "closing", &error), GF_OK);
    fault_proxy_lift(cluster.proxy, batches_held[0]);
    const struct gf_output output = {.topic = GF_TOPIC_FRAUD_FLAGS,
                                     .timestamp = {1700000000000000}};
    enum gf_rc rc = GF_OK;
    while (rc == GF_OK) {
        rc = sink->ops->append(sink, &output, &error);
    }
    assert_true(rc == GF_E_FENCED || rc == GF_E_TXN); /* both, until it is aborted */

    batches_left = BATCH_COUNT - 1;
    sink->ops->close(sink);
    assert_in_range(batches_left, 0, BATCH_COUNT - 3); /* or nothing was shown */
    batches_left = 0;
}

int
main(void)
{
    const int missing = test_cluster_find(&cluster, NULL, 1, true);
    if (missing >= 0) {
        return missing;
    }
    test_cluster_start(&cluster);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_sink_keeps_a_late_commit_out, lift_all),
        cmocka_unit_test_teardown(a_fenced_sink_closes_whole, lift_all),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_cluster_fini(&cluster);
    return failed;
}
