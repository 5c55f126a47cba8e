/* A real Kafka cluster for tests: one node, or three of which each is broker and controller. With a
 * fault proxy before them, clients have two ways in: `addresses`, past the proxy, and `proxied`,
 * which keeps them behind it. With three nodes topics should have three replicas, and two are
 * enough to write. Each function ends the program with a message when it does not work. */
#ifndef GF_TEST_CLUSTER_H
#define GF_TEST_CLUSTER_H

#include <librdkafka/rdkafka.h>

#include "broker.h"
#include "fault_proxy.h"

#define TEST_CLUSTER_NODES_MAX 3

enum test_coordinator { TEST_COORDINATOR_TRANSACTION, TEST_COORDINATOR_GROUP };

struct test_cluster {
    struct test_broker nodes[TEST_CLUSTER_NODES_MAX]; /* node N is nodes[N - 1] */
    int count;
    char addresses[128], proxied[128];
    struct fault_proxy *proxy; /* NULL: none */
    rd_kafka_t *watcher;       /* a plain client, past the proxy */
};

/* As test_broker_find. `count` is 1 or 3; `version` NULL: as test_broker_find. */
int test_cluster_find(struct test_cluster *cluster, const char *version, int count, bool has_proxy);
/* Starts all nodes that do not run, and waits until every partition has all its replicas. */
void test_cluster_start(struct test_cluster *cluster);
/* Kills all, and removes their folders. */
void test_cluster_fini(struct test_cluster *cluster);

void test_cluster_topic_make(struct test_cluster *cluster, const char *topic, int partition_count);
/* The leader that a running node knows of now: 1 to `count`, or -1. */
int test_cluster_leader(struct test_cluster *cluster, const char *topic, int partition);
/* Makes `node`, which must run, the leader, without a restart: its log is whole already. */
void test_cluster_leader_move(struct test_cluster *cluster, const char *topic, int partition,
                              int node);
/* A coordinator is the leader of a partition of a topic of Kafka's own, which is there once it was
 * asked for a first time: -1 before that. */
int test_cluster_coordinator(struct test_cluster *cluster, enum test_coordinator kind,
                             const char *id);
void test_cluster_coordinator_move(struct test_cluster *cluster, enum test_coordinator kind,
                                   const char *id, int node);
/* Waits until every partition of every topic has all its replicas in sync, or until the nodes that
 * live have taken over what `node` led. */
void test_cluster_wait_whole(struct test_cluster *cluster);
void test_cluster_wait_without(struct test_cluster *cluster, int node);

#endif
