/* Each fault of the proxy, shown on a real broker with a plain transactional producer: what
 * librdkafka makes of it is what the Kafka sink has to live with (test_kafka_sink_faults). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cluster.h"
#include "txn_client.h"

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

static int
lift_all(void **state)
{
    (void)state;
    fault_proxy_lift_all(cluster.proxy);
    return 0;
}

static void
clients_stay_behind_the_proxy(void **state)
{
    (void)state;
    const int before = fault_proxy_seen(cluster.proxy, FAULT_END_TXN, 1);
    rd_kafka_t *const client = client_in_transaction("behind");
    assert_true(fault_proxy_seen(cluster.proxy, FAULT_PRODUCE, 1) > 0);
    assert_true(fault_proxy_seen(cluster.proxy, FAULT_INIT_PRODUCER_ID, 0) > 0);
    txn_commit(client);
    assert_int_equal(fault_proxy_seen(cluster.proxy, FAULT_END_TXN, 0), before + 1);
    txn_client_free(client);
    txn_expect(cluster.addresses, "behind", true, "a");
}

/* One fault for one EndTxn, and the commit works all the same. */
static void
commit_works_despite(const char *name, enum fault_kind kind)
{
    rd_kafka_t *const client = client_in_transaction(name);
    const int rule = fault_proxy_set(
        cluster.proxy, &(struct fault_rule){.kind = kind, .api = FAULT_END_TXN, .count = 1});
    txn_commit(client);
    assert_true(fault_proxy_wait(cluster.proxy, rule, 1));
    assert_int_equal(fault_proxy_hits(cluster.proxy, rule), 1);
    txn_begin(client);
    txn_produce(client, name, "b");
    txn_commit(client);
    txn_client_free(client);
    txn_expect(cluster.addresses, name, true, "a b");
}

static void
a_lost_connection_before_the_commit_is_retried(void **state)
{
    (void)state;
    commit_works_despite("close-before", FAULT_CLOSE_BEFORE);
}

static void
a_lost_connection_after_the_commit_is_retried(void **state)
{
    (void)state;
    commit_works_despite("close-after", FAULT_CLOSE_AFTER);
}

static void
a_commit_that_arrives_twice_counts_once(void **state)
{
    (void)state;
    commit_works_despite("end-twice", FAULT_DUPLICATE);
}

/* Nothing answers the commit: it is tried again until the rule is lifted. */
static void
commit_times_out_and_resumes(const char *name, enum fault_kind kind, const char *meanwhile)
{
    rd_kafka_t *const client = client_in_transaction(name);
    const int rule =
        fault_proxy_set(cluster.proxy, &(struct fault_rule){.kind = kind, .api = FAULT_END_TXN});
    const struct txn_result result = txn_try_commit(client, 300);
    assert_int_equal(result.code, RD_KAFKA_RESP_ERR__TIMED_OUT);
    assert_true(result.is_retriable);
    assert_false(result.is_fatal);
    assert_true(fault_proxy_wait(cluster.proxy, rule, 1));
    txn_expect(cluster.addresses, name, true, meanwhile);
    fault_proxy_lift(cluster.proxy, rule);
    txn_commit(client);
    txn_client_free(client);
    txn_expect(cluster.addresses, name, true, "a");
}

static void
a_black_hole_before_the_commit_times_out_and_resumes(void **state)
{
    (void)state;
    commit_times_out_and_resumes("hole-request", FAULT_SWALLOW_REQUEST, "");
}

static void
a_black_hole_after_the_commit_times_out_and_resumes(void **state)
{
    (void)state;
    commit_times_out_and_resumes("hole-reply", FAULT_SWALLOW_REPLY, "a");
}

static void
a_commit_is_held_and_released(void **state)
{
    (void)state;
    commit_times_out_and_resumes("hold-request", FAULT_HOLD_REQUEST, "");
}

static void
a_reply_is_held_and_released(void **state)
{
    (void)state;
    commit_times_out_and_resumes("hold-reply", FAULT_HOLD_REPLY, "a");
}

/* The worst delay: the commit of an instance that was replaced arrives after its successor began.
 */
static void
a_late_commit_of_a_replaced_client_is_refused(void **state)
{
    (void)state;
    rd_kafka_t *const old = client_in_transaction("late");
    const int rule = fault_proxy_set(
        cluster.proxy, &(struct fault_rule){.kind = FAULT_HOLD_REQUEST, .api = FAULT_END_TXN});
    assert_int_equal(txn_try_commit(old, 300).code, RD_KAFKA_RESP_ERR__TIMED_OUT);
    assert_true(fault_proxy_wait(cluster.proxy, rule, 1));

    rd_kafka_t *const successor = txn_client_new(cluster.addresses, "late", "late");
    txn_init(successor);
    txn_begin(successor);
    txn_produce(successor, "late", "b");
    txn_flush(successor);
    fault_proxy_lift(cluster.proxy, rule);
    const struct txn_result result = txn_try_commit(old, 30000);
    assert_int_equal(result.code, RD_KAFKA_RESP_ERR__FENCED);
    assert_true(result.is_fatal);
    txn_commit(successor);
    txn_client_free(successor);
    txn_client_free(old);
    txn_expect(cluster.addresses, "late", true, "b");
}

/* One EndTxn is lost from sight; librdkafka sends another one by itself, and that is answered. */
static int
commit_held(void)
{
    return fault_proxy_set(
        cluster.proxy,
        &(struct fault_rule){.kind = FAULT_HOLD_REQUEST, .api = FAULT_END_TXN, .count = 1});
}

/* Worse than any loss: the first of two requests for one commit arrives when the next transaction
 * is under way, and commits what is there of it. Nobody asked for that. */
static void
a_late_commit_ends_the_next_transaction_of_its_client(void **state)
{
    (void)state;
    rd_kafka_t *const client = client_in_transaction("torn");
    const int rule = commit_held();
    txn_commit(client);
    txn_begin(client);
    txn_produce(client, "torn", "b");
    txn_flush(client);
    txn_expect(cluster.addresses, "torn", true, "a");
    fault_proxy_lift(cluster.proxy, rule);
    txn_wait(cluster.addresses, "torn", "a b");
    txn_client_free(client);
}

/* What a client had sent when it went away still arrives. */
static void
a_commit_arrives_after_its_client_is_gone(void **state)
{
    (void)state;
    rd_kafka_t *const client = client_in_transaction("gone");
    const int rule = fault_proxy_set(
        cluster.proxy, &(struct fault_rule){.kind = FAULT_HOLD_REQUEST, .api = FAULT_END_TXN});
    assert_int_equal(txn_try_commit(client, 300).code, RD_KAFKA_RESP_ERR__TIMED_OUT);
    txn_client_free(client);
    txn_expect(cluster.addresses, "gone", true, "");
    fault_proxy_lift(cluster.proxy, rule);
    txn_wait(cluster.addresses, "gone", "a");
}

static void
a_batch_that_arrives_twice_is_written_once(void **state)
{
    (void)state;
    rd_kafka_t *const client = client_in_transaction("twice");
    const int rule = fault_proxy_set(
        cluster.proxy,
        &(struct fault_rule){.kind = FAULT_DUPLICATE, .api = FAULT_PRODUCE, .count = 1});
    txn_produce(client, "twice", "b");
    txn_flush(client);
    assert_true(fault_proxy_wait(cluster.proxy, rule, 1));
    txn_commit(client);
    txn_client_free(client);
    txn_expect(cluster.addresses, "twice", false, "a b");
}

static void
the_request_that_was_meant_is_hit(void **state)
{
    (void)state;
    rd_kafka_t *const client = client_in_transaction("nth");
    const int other = fault_proxy_set(
        cluster.proxy,
        &(struct fault_rule){.kind = FAULT_CLOSE_AFTER, .api = FAULT_ANY, .client_id = "nobody"});
    const int rule = fault_proxy_set(cluster.proxy, &(struct fault_rule){.kind = FAULT_CLOSE_AFTER,
                                                                         .api = FAULT_PRODUCE,
                                                                         .node = 1,
                                                                         .client_id = "nth",
                                                                         .skip = 1,
                                                                         .count = 1});
    txn_produce(client, "nth", "b");
    txn_flush(client);
    assert_int_equal(fault_proxy_hits(cluster.proxy, rule), 0);
    txn_produce(client, "nth", "c");
    txn_flush(client);
    assert_int_equal(fault_proxy_hits(cluster.proxy, rule), 1);
    txn_produce(client, "nth", "d");
    txn_commit(client);
    assert_int_equal(fault_proxy_hits(cluster.proxy, rule), 1);
    assert_int_equal(fault_proxy_hits(cluster.proxy, other), 0);
    txn_client_free(client);
    txn_expect(cluster.addresses, "nth", false, "a b c d");
}

/* A partition of the network, whole or one way, and its end. */
static void
produce_over_a_cut(const char *name, enum fault_kind kind, const char *meanwhile)
{
    rd_kafka_t *const client = client_in_transaction(name);
    const int rule = fault_proxy_set(cluster.proxy, &(struct fault_rule){.kind = kind});
    const int before = fault_proxy_seen(cluster.proxy, FAULT_PRODUCE, 0);
    txn_produce(client, name, "b");
    assert_int_equal(rd_kafka_flush(client, 500), RD_KAFKA_RESP_ERR__TIMED_OUT);
    assert_true(fault_proxy_seen(cluster.proxy, FAULT_PRODUCE, 0) > before);
    txn_expect(cluster.addresses, name, false, meanwhile);
    fault_proxy_lift(cluster.proxy, rule);
    txn_commit(client);
    txn_client_free(client);
    txn_expect(cluster.addresses, name, true, "a b");
}

static void
a_cut_network_heals(void **state)
{
    (void)state;
    produce_over_a_cut("cut", FAULT_CUT, "a");
}

static void
requests_alone_are_cut(void **state)
{
    (void)state;
    produce_over_a_cut("cut-requests", FAULT_CUT_REQUESTS, "a");
}

static void
replies_alone_are_cut(void **state)
{
    (void)state;
    produce_over_a_cut("cut-replies", FAULT_CUT_REPLIES, "a b");
}

static void
one_client_is_refused_and_another_works(void **state)
{
    (void)state;
    rd_kafka_t *const refused = client_in_transaction("refused");
    rd_kafka_t *const welcome = client_in_transaction("welcome");
    const int rule = fault_proxy_set(
        cluster.proxy, &(struct fault_rule){.kind = FAULT_REFUSE, .client_id = "refused"});
    assert_true(fault_proxy_wait(cluster.proxy, rule, 2));
    txn_commit(welcome);
    assert_int_equal(txn_try_commit(refused, 300).code, RD_KAFKA_RESP_ERR__TIMED_OUT);
    txn_expect(cluster.addresses, "refused", true, "");
    fault_proxy_lift(cluster.proxy, rule);
    txn_commit(refused);
    txn_client_free(refused);
    txn_client_free(welcome);
    txn_expect(cluster.addresses, "refused", true, "a");
    txn_expect(cluster.addresses, "welcome", true, "a");
}

static void
a_slow_network_takes_its_time(void **state)
{
    (void)state;
    rd_kafka_t *const client = client_in_transaction("slow");
    static char value[500001];
    memset(value, 'x', sizeof(value) - 1);
    fault_proxy_set(cluster.proxy,
                    &(struct fault_rule){.kind = FAULT_SLOW, .bytes_per_second = 1000000});
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    txn_produce(client, "slow", value);
    txn_flush(client);
    clock_gettime(CLOCK_MONOTONIC, &end);
    const double seconds =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    assert_true(seconds > 0.4); /* half a second, less what may pass at once */
    txn_commit(client);
    txn_client_free(client);
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
        cmocka_unit_test(clients_stay_behind_the_proxy),
        cmocka_unit_test_teardown(a_lost_connection_before_the_commit_is_retried, lift_all),
        cmocka_unit_test_teardown(a_lost_connection_after_the_commit_is_retried, lift_all),
        cmocka_unit_test_teardown(a_commit_that_arrives_twice_counts_once, lift_all),
        cmocka_unit_test_teardown(a_black_hole_before_the_commit_times_out_and_resumes, lift_all),
        cmocka_unit_test_teardown(a_black_hole_after_the_commit_times_out_and_resumes, lift_all),
        cmocka_unit_test_teardown(a_commit_is_held_and_released, lift_all),
        cmocka_unit_test_teardown(a_reply_is_held_and_released, lift_all),
        cmocka_unit_test_teardown(a_late_commit_of_a_replaced_client_is_refused, lift_all),
        cmocka_unit_test_teardown(a_late_commit_ends_the_next_transaction_of_its_client, lift_all),
        cmocka_unit_test_teardown(a_commit_arrives_after_its_client_is_gone, lift_all),
        cmocka_unit_test_teardown(a_batch_that_arrives_twice_is_written_once, lift_all),
        cmocka_unit_test_teardown(the_request_that_was_meant_is_hit, lift_all),
        cmocka_unit_test_teardown(a_cut_network_heals, lift_all),
        cmocka_unit_test_teardown(requests_alone_are_cut, lift_all),
        cmocka_unit_test_teardown(replies_alone_are_cut, lift_all),
        cmocka_unit_test_teardown(one_client_is_refused_and_another_works, lift_all),
        cmocka_unit_test_teardown(a_slow_network_takes_its_time, lift_all),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_cluster_fini(&cluster);
    return failed;
}
