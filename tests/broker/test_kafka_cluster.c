/* Three nodes: transactions live through the loss and the move of a leader and of a coordinator.
 * And a Kafka of the newest supported major version serves the sink and the source. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster.h"
#include "codec/records.h"
#include "io/kafka_source.h"
#include "kafka_lab.h"
#include "txn_client.h"

#define NEWEST_VERSION "4.3.1"

static struct test_cluster cluster;

/* A client of the proxy with an open transaction, of which one record has arrived. */
static rd_kafka_t *
client_in_transaction(const char *name)
{
    test_cluster_topic_make(&cluster, name, 1);
    rd_kafka_t *const client = txn_client_new(cluster.proxied, name, name);
    txn_init(client);
    txn_begin(client);
    txn_produce(client, name, "a");
    txn_flush(client);
    return client;
}

/* librdkafka 2.0.2 may give up a transaction while nodes come and go (_INCONSISTENT): then a new
 * producer under the same id settles it, as the sink does, and it is there whole or not at all.
 * `before` is what was committed before, `values` a letter for each record of this one. */
static rd_kafka_t *
commit_or_settle(rd_kafka_t *client, const char *name, const char *before, const char *values)
{
    const struct txn_result result = txn_try_commit(client, 30000);
    if (result.code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return client;
    }
    print_message("commit: %s\n", rd_kafka_err2name(result.code));
    txn_client_free(client);
    client = txn_client_new(cluster.proxied, name, name);
    txn_init(client);
    char there[256];
    txn_read(cluster.addresses, name, true, there, sizeof(there));
    if (strcmp(there, before) == 0) {
        txn_begin(client);
        for (; *values != '\0'; values++) {
            txn_produce(client, name, (const char[]){*values, '\0'});
        }
        txn_commit(client);
    }
    return client;
}

/* So that one node is lost and not the other: the leader is node 1, the coordinator node 2. */
static rd_kafka_t *
client_with_places(const char *name)
{
    rd_kafka_t *const client = commit_or_settle(client_in_transaction(name), name, "", "a");
    test_cluster_leader_move(&cluster, name, 0, 1);
    test_cluster_coordinator_move(&cluster, TEST_COORDINATOR_TRANSACTION, name, 2);
    txn_begin(client);
    txn_produce(client, name, "b");
    txn_flush(client);
    return client;
}

static void
finish(rd_kafka_t *client, const char *name)
{
    client = commit_or_settle(client, name, "a", "bc");
    txn_begin(client);
    txn_produce(client, name, "d");
    client = commit_or_settle(client, name, "a b c", "d");
    txn_client_free(client);
    txn_expect(cluster.addresses, name, true, "a b c d");
}

static void
the_coordinator_is_where_it_is_said_to_be(void **state)
{
    (void)state;
    rd_kafka_t *const client = client_in_transaction("where");
    for (int node = 1; node <= cluster.count; node++) {
        test_cluster_coordinator_move(&cluster, TEST_COORDINATOR_TRANSACTION, "where", node);
        assert_int_equal(test_cluster_coordinator(&cluster, TEST_COORDINATOR_TRANSACTION, "where"),
                         node);
        /* Only the right one answers without an error. */
        const int before = fault_proxy_seen(cluster.proxy, FAULT_END_TXN, node);
        txn_commit(client);
        assert_true(fault_proxy_seen(cluster.proxy, FAULT_END_TXN, node) > before);
        txn_begin(client);
        txn_produce(client, "where", "a");
    }
    txn_commit(client);
    txn_client_free(client);
    txn_expect(cluster.addresses, "where", true, "a a a a");
}

static void
a_transaction_survives_its_leader_and_coordinator_moving(void **state)
{
    (void)state;
    rd_kafka_t *const client = client_with_places("moved");
    test_cluster_leader_move(&cluster, "moved", 0, 2);
    txn_produce(client, "moved", "c");
    txn_flush(client);
    test_cluster_coordinator_move(&cluster, TEST_COORDINATOR_TRANSACTION, "moved", 3);
    finish(client, "moved");
}

/* Wherever a journal's leader goes, the next question for its end is answered. */
static void
the_end_of_a_journal_is_known_wherever_its_leader_goes(void **state)
{
    (void)state;
    struct gf_source *source = NULL;
    struct gf_error error = {{0}};
    const struct gf_kafka_config config = {
        .brokers = cluster.proxied, .topic_prefix = "ends.", .request_timeout = {8 * GF_US_PER_S}};
    test_cluster_topic_make(&cluster, "ends.journal", 1);
    assert_int_equal(gf_kafka_source_open(&config, &source, &error), GF_OK);
    uint32_t partitions = 0; /* a node may hear of the topic a moment after the others */
    for (int tries = 0; tries < 500 && partitions == 0; tries++) {
        if (source->ops->partitions(source, GF_TOPIC_JOURNAL, &partitions, &error) != GF_OK) {
            poll(NULL, 0, 20);
        }
    }
    for (int round = 0; round < 6; round++) {
        int64_t first = -1, end = -1;
        test_cluster_leader_move(&cluster, "ends.journal", 0, 1 + round % 3);
        if (source->ops->ends(source, GF_TOPIC_JOURNAL, 0, &first, &end, &error) != GF_OK) {
            fail_msg("%s", error.text);
        }
        assert_int_equal(end, 0);
    }
    source->ops->close(source);
}

static void
a_transaction_survives_the_kill_of_its_leader(void **state)
{
    (void)state;
    rd_kafka_t *const client = client_with_places("leader");
    test_broker_kill(&cluster.nodes[0]);
    txn_produce(client, "leader", "c");
    txn_flush(client);
    finish(client, "leader");
    test_cluster_wait_without(&cluster, 1);
    test_cluster_start(&cluster);
}

static void
a_transaction_survives_the_kill_of_its_coordinator(void **state)
{
    (void)state;
    rd_kafka_t *const client = client_with_places("coordinator");
    txn_produce(client, "coordinator", "c");
    txn_flush(client);
    test_broker_kill(&cluster.nodes[1]);
    finish(client, "coordinator");
    test_cluster_start(&cluster);
}

/* A node that hangs is worse than one that is gone: its connections stay. */
static void
a_transaction_survives_a_coordinator_that_hangs(void **state)
{
    (void)state;
    rd_kafka_t *const client = client_with_places("hangs");
    txn_produce(client, "hangs", "c");
    txn_flush(client);
    test_broker_pause(&cluster.nodes[1]);
    finish(client, "hangs");
    test_broker_resume(&cluster.nodes[1]);
    test_cluster_wait_whole(&cluster);
}

static int
three_nodes_start(void **state)
{
    (void)state;
    test_cluster_start(&cluster);
    return 0;
}

static int
three_nodes_end(void **state)
{
    (void)state;
    test_cluster_fini(&cluster);
    return 0;
}

static int
newest_start(void **state)
{
    (void)state;
    test_broker_start(&lab_broker);
    return 0;
}

static int
newest_end(void **state)
{
    (void)state;
    test_broker_fini(&lab_broker);
    return 0;
}

static void
the_newest_kafka_serves_the_sink_and_the_source(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, "newest.", (struct gf_duration){0});
    struct gf_sink *const sink = lab_sink_open(&lab);
    lab_write_transaction(sink, GF_TOPIC_FRAUD_FLAGS, "kept", 3, true);
    lab_write_transaction(sink, GF_TOPIC_FRAUD_FLAGS, "dropped", 2, false);
    lab_write_transaction(sink, GF_TOPIC_FRAUD_FLAGS, "kept", 1, true);
    sink->ops->close(sink);

    struct gf_record records[8];
    const int64_t end = lab_end_settled(&lab, GF_TOPIC_FRAUD_FLAGS);
    const uint32_t count = lab_read_until(lab.source, GF_TOPIC_FRAUD_FLAGS, 0, end, records, 8);
    assert_int_equal(count, 4);
    for (uint32_t index = 0; index < count; index++) {
        const struct gf_span value = records[index].value; /* a frame of five bytes, and the body */
        assert_int_equal(value.size, 9);
        assert_memory_equal((const char *)value.data + 5, "kept", 4);
    }
    lab_produce_plain("newest.meter.readings", 10);
    assert_int_equal(lab_end_after(lab.source, GF_TOPIC_METER_READINGS, 10), 10);
    lab_close(&lab);
}

int
main(void)
{
    const int missing = test_cluster_find(&cluster, NULL, 3, true);
    if (missing >= 0) {
        return missing;
    }
    const int newest_missing = test_broker_find_version(&lab_broker, NEWEST_VERSION);
    if (newest_missing >= 0) {
        return newest_missing;
    }
    const struct CMUnitTest three_nodes[] = {
        cmocka_unit_test(the_coordinator_is_where_it_is_said_to_be),
        cmocka_unit_test(a_transaction_survives_its_leader_and_coordinator_moving),
        cmocka_unit_test(the_end_of_a_journal_is_known_wherever_its_leader_goes),
        cmocka_unit_test(a_transaction_survives_the_kill_of_its_leader),
        cmocka_unit_test(a_transaction_survives_the_kill_of_its_coordinator),
        cmocka_unit_test(a_transaction_survives_a_coordinator_that_hangs),
    };
    const struct CMUnitTest newest[] = {
        cmocka_unit_test(the_newest_kafka_serves_the_sink_and_the_source),
    };
    const int failed = cmocka_run_group_tests(three_nodes, three_nodes_start, three_nodes_end);
    return failed + cmocka_run_group_tests(newest, newest_start, newest_end);
}
