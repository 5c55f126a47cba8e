/* Unknown outcomes:  test_outcomes GRIDFOLD PUBLISH [REPEATS [CALL]]
 *
 * Between an instance and the broker stands a proxy that loses, holds and doubles requests and
 * replies of one kind: the calls of a transaction, and those of the group. What is held is let go
 * some time after the client has given it up, at times under a newer epoch of it; and at times the
 * instance is killed while a reply is out. Many such faults hit one site, one after the other; what
 * is on the broker at the end is what an undisturbed run writes. Every call (or only CALL, by its
 * name in Kafka's protocol) meets every fault REPEATS times, and the commit itself twice as often.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "cluster.h"
#include "disturbed.h"

#define TICK_MS     10
#define HIT_MS_MAX  60000
#define LATE_MS_MAX 4000
#define PER_START   5 /* faults between two starts, while calls of a start are left */
#define MISSES_MAX  20
#define RUN         "run --exit-at-end"
#define SETTINGS                                                                                   \
    "  session_timeout: 3s\n  transaction_timeout: 10s\n  request_timeout: 2s\n"                   \
    "  properties: {socket.timeout.ms: 1500}\n"

static const struct {
    const char *name;
    enum fault_api api;
    bool is_of_start; /* made once by each start */
    int weight, spread;
} calls[] = {
    {"InitProducerId", FAULT_INIT_PRODUCER_ID, true, 1, 1},
    {"AddPartitionsToTxn", FAULT_ADD_PARTITIONS, false, 1, 6},
    {"Produce", FAULT_PRODUCE, false, 1, 12},
    {"AddOffsetsToTxn", FAULT_ADD_OFFSETS, false, 1, 3},
    {"TxnOffsetCommit", FAULT_TXN_OFFSET_COMMIT, false, 1, 3},
    {"EndTxn", FAULT_END_TXN, false, 2, 3},
    {"JoinGroup", FAULT_JOIN_GROUP, true, 1, 1},
    {"SyncGroup", FAULT_SYNC_GROUP, true, 1, 1},
    {"Heartbeat", FAULT_HEARTBEAT, false, 1, 1},
};

static const struct {
    const char *name;
    enum fault_kind kind;
    bool is_held, is_killed;
} faults[] = {
    {"request lost", FAULT_CLOSE_BEFORE, false, false},
    {"request lost, silently", FAULT_SWALLOW_REQUEST, false, false},
    {"reply lost", FAULT_CLOSE_AFTER, false, false},
    {"reply lost, silently", FAULT_SWALLOW_REPLY, false, false},
    {"request late", FAULT_HOLD_REQUEST, true, false},
    {"reply late", FAULT_HOLD_REPLY, true, false},
    {"request twice", FAULT_DUPLICATE, false, false},
    {"reply out, killed", FAULT_SWALLOW_REPLY, false, true},
};

#define CALL_COUNT  ((int)(sizeof(calls) / sizeof(calls[0])))
#define FAULT_COUNT ((int)(sizeof(faults) / sizeof(faults[0])))

static struct test_cluster cluster;
static const char *only_call; /* NULL: all */
static struct gf_random random_numbers;
static int left[CALL_COUNT][FAULT_COUNT], done[CALL_COUNT][FAULT_COUNT];
static int misses, starts, sites, fenced;
static bool is_of_group; /* since the last start a call of the group met a fault */

struct fault {
    int call, fault;
};

static int
left_count(bool only_of_start)
{
    int count = 0;
    for (int call = 0; call < CALL_COUNT; call++) {
        for (int fault = 0; fault < FAULT_COUNT; fault++) {
            count += calls[call].is_of_start || !only_of_start ? left[call][fault] : 0;
        }
    }
    return count;
}

/* One of those that are left, by chance, of this sort; false: there is none. */
static bool
fault_choose(bool is_of_start, struct fault *out)
{
    struct fault choice[CALL_COUNT * FAULT_COUNT];
    int count = 0;
    for (int call = 0; call < CALL_COUNT; call++) {
        for (int fault = 0; fault < FAULT_COUNT; fault++) {
            if (left[call][fault] > 0 && calls[call].is_of_start == is_of_start) {
                choice[count++] = (struct fault){call, fault};
            }
        }
    }
    if (count > 0) {
        *out = choice[disturbed_below(&random_numbers, count)];
    }
    return count > 0;
}

/* Until the rule has hit; otherwise `code_out` is that of the program's end. */
static bool
wait_hit(struct instance *instance, int rule, int *code_out)
{
    *code_out = -1;
    for (int ms = 0; ms < HIT_MS_MAX && *code_out < 0; ms += TICK_MS) {
        if (fault_proxy_hits(cluster.proxy, rule) > 0) {
            return true;
        }
        *code_out = test_program_wait_ms(&instance->program, TICK_MS);
    }
    if (*code_out < 0) {
        instance_fail(instance, "neither comes to the call nor ends");
    }
    return fault_proxy_hits(cluster.proxy, rule) > 0;
}

/* What is held is let go a moment later, or when the program has a new epoch or an end, but before
 * long. */
static void
wait_late(struct instance *instance, int *code_out)
{
    const int how = disturbed_below(&random_numbers, 3);
    const int longest = how == 0 ? disturbed_below(&random_numbers, 1000) : LATE_MS_MAX;
    const int epochs = fault_proxy_seen(cluster.proxy, FAULT_INIT_PRODUCER_ID, 0);
    for (int ms = 0; ms < longest && *code_out < 0; ms += TICK_MS) {
        *code_out = test_program_wait_ms(&instance->program, TICK_MS);
        if (how == 1 && fault_proxy_seen(cluster.proxy, FAULT_INIT_PRODUCER_ID, 0) > epochs) {
            return;
        }
    }
}

/* Lets the program, which runs, meet the fault. The exit code when it has ended by that; -1: it
 * runs. */
static int
meet(struct instance *instance, const struct fault *fault, int rule)
{
    int code = -1;
    if (!wait_hit(instance, rule, &code)) {
        fault_proxy_lift(cluster.proxy, rule);
        if (++misses > MISSES_MAX) {
            fail_msg("%s is not reached", calls[fault->call].name);
        }
        return code;
    }
    misses = 0;
    is_of_group = is_of_group || calls[fault->call].api == FAULT_HEARTBEAT ||
                  calls[fault->call].api == FAULT_JOIN_GROUP ||
                  calls[fault->call].api == FAULT_SYNC_GROUP;
    left[fault->call][fault->fault]--;
    done[fault->call][fault->fault]++;
    if (faults[fault->fault].is_killed) {
        test_program_signal(&instance->program, SIGKILL);
        code = code < 0 ? test_program_wait(&instance->program) : code;
    } else if (faults[fault->fault].is_held) {
        wait_late(instance, &code);
    }
    fault_proxy_lift(cluster.proxy, rule);
    return code;
}

static int
rule_set(const struct fault *fault)
{
    const struct fault_rule rule = {
        .kind = faults[fault->fault].kind,
        .api = calls[fault->call].api,
        .skip = disturbed_below(&random_numbers, calls[fault->call].spread),
        .count = 1,
    };
    return fault_proxy_set(cluster.proxy, &rule);
}

/* From a start to an end: the exit code. */
static int
run_once(struct instance *instance)
{
    struct fault fault;
    int code = -1;
    starts++;
    is_of_group = false;
    if (fault_choose(true, &fault)) {
        const int rule = rule_set(&fault);
        instance_start(instance, RUN, NULL);
        code = meet(instance, &fault, rule);
    } else {
        instance_start(instance, RUN, NULL);
    }
    for (int met = 1; code < 0 && fault_choose(false, &fault); met++) {
        if (met >= PER_START && left_count(true) > 0) {
            break;
        }
        code = meet(instance, &fault, rule_set(&fault));
    }
    if (code < 0 && left_count(true) > 0) {
        test_program_signal(&instance->program, SIGKILL);
    }
    return code < 0 ? test_program_wait(&instance->program) : code;
}

static void
round_of_faults(int round)
{
    char name[32];
    struct site site;
    struct instance instance;
    const int before = left_count(false);
    snprintf(name, sizeof(name), "outcomes-%d", round);
    disturbed_site(&site, name, SETTINGS, "assignment: group\n", false);
    instance_make(&instance, &site, 'a', true);
    for (;;) {
        const int code = run_once(&instance);
        if (code == 0) {
            break;
        }
        /* librdkafka takes a late answer to a heartbeat of its last membership for one to its
         * present one: fenced by itself. That is safe, and somebody starts it again. */
        const bool is_fenced = code == gf_rc_exit_code(GF_E_FENCED) && is_of_group;
        fenced += is_fenced;
        if (code != 128 + SIGKILL && !is_fenced) {
            char text[64];
            snprintf(text, sizeof(text), "exit code %d", code);
            instance_fail(&instance, text);
        }
    }
    disturbed_settle(&instance);
    sites++;
    printf("%s: %d faults: equal\n", name, before - left_count(false));
    fflush(stdout);
}

static void
every_call_meets_every_fault(void **state)
{
    (void)state;
    for (int call = 0; call < CALL_COUNT; call++) {
        for (int fault = 0; fault < FAULT_COUNT; fault++) {
            /* librdkafka waits ten minutes for the reply to a join: as long as a loop may be
             * silent. That one is left out where nothing but time would end it. */
            const bool is_endless = calls[call].api == FAULT_JOIN_GROUP &&
                                    (faults[fault].kind == FAULT_SWALLOW_REQUEST ||
                                     faults[fault].kind == FAULT_SWALLOW_REPLY) &&
                                    !faults[fault].is_killed;
            const bool is_wanted = only_call == NULL || strcmp(only_call, calls[call].name) == 0;
            left[call][fault] =
                is_endless || !is_wanted ? 0 : disturbed.repeats * calls[call].weight;
        }
    }
    if (left_count(false) == 0) {
        fail_msg("there is nothing to do: no call is named %s", only_call);
    }
    for (int round = 1; left_count(false) > 0; round++) {
        round_of_faults(round);
    }
}

static void
report(void)
{
    int sum = 0;
    for (int call = 0; call < CALL_COUNT; call++) {
        for (int fault = 0; fault < FAULT_COUNT; fault++) {
            printf("%-20s %-24s %4d\n", calls[call].name, faults[fault].name, done[call][fault]);
            sum += done[call][fault];
        }
    }
    printf(
        "%d faults, %d starts, %d sites compared; %d times an instance found itself fenced after "
        "a fault of a group call\n",
        sum, starts, sites, fenced);
}

int
main(int argc, char **argv)
{
    only_call = argc == 5 ? argv[4] : NULL;
    disturbed_arguments(argc == 5 ? 4 : argc, argv, 1);
    const int verdict = test_cluster_find(&cluster, NULL, 1, true);
    if (verdict >= 0) {
        return verdict;
    }
    test_cluster_start(&cluster);
    site_broker = cluster.nodes[0];
    disturbed.addresses = cluster.proxied;
    random_numbers.seed = disturbed.seed;
    disturbed_begin();
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_call_meets_every_fault)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    report();
    printf("%s\n", failed == 0 ? "0 torn, 0 doubled, 0 lost" : "FAILED");
    disturbed_end(failed);
    if (failed == 0) {
        test_cluster_fini(&cluster);
    } else {
        test_broker_kill(&cluster.nodes[0]);
    }
    return failed != 0;
}
