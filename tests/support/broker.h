/* A real Kafka broker for tests: one Java process (broker and controller), on the loopback, with
 * free ports, in a fresh folder. It dies with the test. */
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
};

/* What a test program ends with when there is no Java or no jars: 77 (skipped) after a line that
 * says so, or 1 where a broker is required (CI=true or GF_REQUIRE_BROKER=1). -1 when there is one;
 * `broker` is then ready to be started. */
int test_broker_find(struct test_broker *broker);

/* Each ends the test program with a message when it does not work. `start` formats the folder the
 * first time, and waits until the broker serves; later starts use the same ports and data. */
void test_broker_start(struct test_broker *broker);
void test_broker_stop(struct test_broker *broker); /* SIGTERM, and waits */
void test_broker_kill(struct test_broker *broker); /* SIGKILL, and waits */

/* Kills it and removes its folder. */
void test_broker_fini(struct test_broker *broker);

#endif
