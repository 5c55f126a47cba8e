/* A real Kafka node for tests: one Java process (broker and controller), on the loopback, with free
 * ports, in a fresh folder. It dies with the test. Alone it is a whole cluster; see cluster.h for
 * several. */
#ifndef GF_TEST_BROKER_H
#define GF_TEST_BROKER_H

#include <stdbool.h>
#include <sys/types.h>

struct test_broker {
    char jars[512];
    char folder[128];
    char address[32]; /* "127.0.0.1:port" */
    char cluster_id[23];
    int port, controller_port;
    int starts; /* names the log file of each start */
    pid_t pid;  /* 0: not running */
    /* What a cluster sets before the first start; of a single broker all are as test_broker_find
     * leaves them. */
    int node, node_count; /* 1 of 1 */
    char voters[128];     /* "1@127.0.0.1:port,..." */
    int heap_mb;
    int inner_port;   /* a second listener, for a proxy of the test's own; 0: none */
    int proxied_port; /* what that listener tells clients to connect to: the proxy's port */
};

/* What a test program ends with when there is no Java or no jars: 77 (skipped) after a line that
 * says so, or 1 where a broker is required (CI=true or GF_REQUIRE_BROKER=1). -1 when there is one;
 * `broker` is then ready to be started. Its version is GF_KAFKA_VERSION, or 3.9.1 */
int test_broker_find(struct test_broker *broker);
int test_broker_find_version(struct test_broker *broker, const char *version);

/* Each ends the test program with a message when it does not work. `start` formats the folder the
 * first time, and waits until the broker serves; later starts use the same ports and data. It is
 * `launch` and `await`: nodes of one cluster are launched all, before any is waited for. */
void test_broker_start(struct test_broker *broker);
void test_broker_launch(struct test_broker *broker);
void test_broker_await(struct test_broker *broker);
void test_broker_stop(struct test_broker *broker);   /* SIGTERM, and waits */
void test_broker_kill(struct test_broker *broker);   /* SIGKILL, and waits */
void test_broker_pause(struct test_broker *broker);  /* SIGSTOP: it is there, and does nothing */
void test_broker_resume(struct test_broker *broker); /* SIGCONT */

/* Kills it and removes its folder. */
void test_broker_fini(struct test_broker *broker);

/* A TCP port that nobody listens at: `count` different ones. They are outside of the range from
 * which the kernel serves outgoing connections, so that a node that is started again finds its port
 * free. */
void test_ports_choose(int *ports, int count);
/* 22 characters. */
void test_cluster_id_choose(char out[23]);

#endif
