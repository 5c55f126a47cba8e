/* What goes wrong: one fault at a time from a seeded schedule, with kills in between and during
 * those that last. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos.h"

#define TROUBLE_MS 70000 /* OWN_TROUBLE_US of lib/io/kafka_group.c, and a little more */

const char *const chaos_fault_names[CHAOS_FAULTS] = {
    [CHAOS_KILL] = "kill",
    [CHAOS_LOSE] = "kill and stay away",
    [CHAOS_ROLL] = "rolling restart",
    [CHAOS_ZOMBIE] = "zombie",
    [CHAOS_TWIN] = "twin",
    [CHAOS_SCALE] = "scale out and in",
    [CHAOS_STORE] = "store lost",
    [CHAOS_DISK] = "disk full",
    [CHAOS_BROKER_KILL] = "broker killed",
    [CHAOS_BROKER_STOP] = "broker restarted",
    [CHAOS_MOVE] = "leaders moved",
    [CHAOS_CUT_ONE] = "cut one",
    [CHAOS_CUT_WAY] = "cut one way",
    [CHAOS_CUT_ALL] = "cut all",
    [CHAOS_COMMIT] = "commit lost or late",
    [CHAOS_OFFSETS] = "request lost or late",
};

/* How often each is drawn; kills come by themselves too. */
static const int weights[CHAOS_FAULTS] = {
    [CHAOS_KILL] = 40,       [CHAOS_LOSE] = 6,        [CHAOS_ROLL] = 3,   [CHAOS_ZOMBIE] = 4,
    [CHAOS_TWIN] = 2,        [CHAOS_SCALE] = 3,       [CHAOS_STORE] = 4,  [CHAOS_DISK] = 2,
    [CHAOS_BROKER_KILL] = 2, [CHAOS_BROKER_STOP] = 2, [CHAOS_MOVE] = 4,   [CHAOS_CUT_ONE] = 3,
    [CHAOS_CUT_WAY] = 3,     [CHAOS_CUT_ALL] = 1,     [CHAOS_COMMIT] = 8, [CHAOS_OFFSETS] = 6,
};

uint32_t
fault_kills(void)
{
    return chaos.exits[128 + SIGKILL];
}

/* The short form has one of each first. */
static bool
is_due(int fault)
{
    return chaos.is_short && (!chaos.is_only || chaos.only[fault]) &&
           chaos.faults[fault] + chaos.faults_skipped[fault] == 0;
}

bool
fault_is_enough(void)
{
    bool is_enough = fault_kills() >= (uint32_t)chaos.kills_wanted;
    for (int fault = 0; fault < CHAOS_FAULTS; fault++) {
        is_enough = is_enough && !is_due(fault);
    }
    return is_enough;
}

static struct chaos_instance *
instance_draw(void)
{
    return &chaos.instances[chaos_draw(CHAOS_INSTANCES)];
}

/* The network or the brokers are not well for `ms`; somebody else may die meanwhile. */
static void
unwell_pass(int64_t ms, const struct chaos_instance *spared)
{
    const int64_t until = chaos_now_ms() + ms;
    while (chaos_now_ms() < until) {
        chaos.unwell_until_ms = chaos_now_ms();
        chaos_pass(100);
        struct chaos_instance *instance = instance_draw();
        if (instance != spared && chaos_draw(25) == 0) {
            fleet_kill(instance, CHAOS_BACK, 0);
            chaos.fault_number++; /* no take-over is measured over this */
        }
    }
    chaos.unwell_until_ms = chaos_now_ms();
}

static bool
kill_one(void)
{
    fleet_kill(instance_draw(), CHAOS_BACK, 0);
    chaos_pass(100 + chaos_draw(2500));
    return true;
}

static bool
lose_one(void)
{
    struct chaos_instance *instance = instance_draw();
    if (!chaos_pass_settled(CHAOS_SESSION_MS * 4)) {
        return false;
    }
    chaos_pass(chaos_draw(500));
    fleet_kill(instance, CHAOS_SUCCESSOR, CHAOS_SESSION_MS * 10);
    chaos_pass(500);
    chaos_pass_settled(CHAOS_SESSION_MS * 10);
    instance->start_at_ms = 0;
    chaos_pass(500);
    chaos_pass_settled(CHAOS_SESSION_MS * 4);
    return true;
}

/* Each in turn, once the one before is back: nobody else may notice. */
static bool
roll(void)
{
    chaos_pass_settled(10000);
    const uint32_t before = chaos.assignments, exits = chaos.exits[0];
    for (int i = 0; i < CHAOS_INSTANCES; i++) {
        fleet_kill(&chaos.instances[i], CHAOS_AFTER_STOP, 0);
        chaos_pass_settled(20000);
    }
    if (chaos.exits[0] - exits == CHAOS_INSTANCES) {
        chaos.roll_assignments += chaos.assignments - before - CHAOS_INSTANCES;
    }
    return true;
}

static bool
stop_and_continue(void)
{
    struct chaos_instance *instance = instance_draw();
    if (instance->program.pid == 0) {
        return false;
    }
    test_program_signal(&instance->program, SIGSTOP);
    const int64_t until = chaos_now_ms() + CHAOS_TXN_MS + 1500 + chaos_draw(3000);
    while (chaos_now_ms() < until) {
        chaos_pass(200);
        struct chaos_instance *other = instance_draw();
        if (other != instance && chaos_draw(20) == 0) {
            fleet_kill(other, CHAOS_BACK, 0);
        }
    }
    test_program_signal(&instance->program, SIGCONT);
    chaos_pass(2000 + chaos_draw(3000));
    return true;
}

/* Nobody starts it again when it ends. */
static void
pass_alone(struct chaos_instance *instance, int64_t ms)
{
    for (; ms > 0; ms -= 100) {
        instance->start_at_ms = INT64_MAX;
        chaos_pass(100); /* shorter than a supervisor waits */
    }
    instance->start_at_ms = INT64_MAX;
}

/* A second process under the same id, with a store of its own. Exactly one goes on, and the other
 * stops with 76: the older, unless it was out of touch with its group shortly before. It cannot
 * tell then whether it was its own last request that fenced it, and joins once more, which fences
 * the younger (group_fenced_itself in lib/io/kafka_group.c). */
static bool
twin(void)
{
    struct chaos_instance *instance = instance_draw();
    struct test_program younger;
    char log[300], store[300];
    chaos_pass_settled(5000);
    if (instance->program.pid == 0) {
        return false;
    }
    const bool was_unwell = chaos_now_ms() < chaos.unwell_until_ms + TROUBLE_MS;
    snprintf(log, sizeof(log), "%s/%s-twin-%u.log", chaos.work, instance->name, chaos.fault_number);
    snprintf(store, sizeof(store), "store=%s/%s-twin.state", chaos.work, instance->name);
    const char *const arguments[] = {chaos.gridfold, "run", "-c", instance->config,
                                     "--set",        store, NULL};
    instance->is_fenced_wanted = true;
    const uint32_t before = chaos.exits[76];
    fleet_program_start(&younger, log, arguments);
    int code = -1; /* of the younger */
    for (int tries = 0; tries < 150 && instance->program.pid != 0 && code < 0; tries++) {
        pass_alone(instance, 100);
        code = test_program_wait_ms(&younger, 0);
    }
    pass_alone(instance, 1000); /* if both stop, that shows by now */
    const bool has_ended = instance->program.pid == 0 && chaos.exits[76] > before;
    if (code < 0) {
        code = test_program_wait_ms(&younger, 0);
    }
    if (code < 0) {
        test_program_signal(&younger, SIGKILL);
        code = test_program_wait(&younger);
    }
    instance->is_fenced_wanted = false;
    instance->start_at_ms = 0;
    const bool is_right = has_ended ? code == 128 + SIGKILL : code == 76 && was_unwell;
    if (!is_right) {
        test_file_show(instance->log);
        test_file_show(log);
        chaos_die("%s: of two with one id the older %s, and the younger ended with %d",
                  instance->name, has_ended ? "stopped" : "did not stop", code);
    }
    chaos_pass(1000);
    return true;
}

/* A fourth joins, works for some seconds, in which one of them all may die, and leaves. */
static bool
scale(void)
{
    struct chaos_instance *guest = &chaos.instances[CHAOS_INSTANCES];
    if (!chaos_pass_settled(CHAOS_SESSION_MS * 4)) {
        return false;
    }
    chaos.is_scaling = true;
    fleet_start(guest);
    chaos_pass(500);
    const bool has_come = chaos_pass_settled(CHAOS_SESSION_MS * 4);
    chaos_pass(1000 + chaos_draw(2000));
    if (chaos_draw(3) == 0) {
        fleet_kill(&chaos.instances[chaos_draw(CHAOS_SEATS)], CHAOS_BACK, 0);
        chaos.fault_number++; /* no take-over is measured over this */
        chaos_pass(1000 + chaos_draw(2000));
    }
    fleet_kill(guest, CHAOS_AFTER_LEAVING, 0);
    guest->signal = SIGTERM;
    guest->start_at_ms = INT64_MAX; /* nobody starts it again */
    chaos_pass(500);
    chaos_pass_settled(CHAOS_SESSION_MS * 4);
    chaos.is_scaling = false;
    return has_come;
}

static bool
store_lose(void)
{
    char command[600];
    struct chaos_instance *instance = instance_draw();
    fleet_kill(instance, CHAOS_BACK, 1000);
    snprintf(command, sizeof(command), "rm -rf '%s/state'", instance->store);
    if (system(command) != 0) {
        chaos_die("%s", command);
    }
    chaos_pass(500 + chaos_draw(3000));
    return true;
}

static bool
disk_fill(void)
{
    struct chaos_instance *instance = &chaos.instances[0];
    char path[300];
    static char block[1 << 16];
    if (!instance->has_mount) {
        return false; /* no file system may be mounted here */
    }
    snprintf(path, sizeof(path), "%s/ballast", instance->store);
    instance->has_full_disk = true;
    FILE *file = fopen(path, "w");
    for (int i = 0; file != NULL && i < 8192; i++) {
        if (fwrite(block, sizeof(block), 1, file) != 1) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    chaos_pass(3000 + chaos_draw(3000));
    remove(path);
    chaos_pass(2000);
    instance->has_full_disk = false;
    return true;
}

static bool
broker_bounce(bool is_hard)
{
    struct test_broker *node = &chaos.cluster.nodes[chaos_draw(chaos.brokers)];
    chaos.unwell_until_ms = chaos_now_ms() + 60000;
    if (is_hard) {
        test_broker_kill(node);
    } else {
        test_broker_stop(node);
    }
    unwell_pass(chaos_draw(2000), NULL);
    test_broker_launch(node);
    chaos.unwell_until_ms = chaos_now_ms() + 60000;
    test_broker_await(node);
    unwell_pass(1000, NULL);
    test_cluster_start(&chaos.cluster); /* waits until all replicas are there again */
    unwell_pass(2000, NULL);
    return true;
}

static bool
leaders_move(void)
{
    char topic[128];
    if (chaos.brokers == 1) {
        return false;
    }
    const struct chaos_instance *instance = instance_draw();
    const int node = 1 + chaos_draw(chaos.brokers);
    switch (chaos_draw(4)) {
    case 0:
        test_cluster_coordinator_move(&chaos.cluster, TEST_COORDINATOR_TRANSACTION, instance->name,
                                      node);
        break;
    case 1:
        snprintf(topic, sizeof(topic), "round-%d", chaos.round);
        test_cluster_coordinator_move(&chaos.cluster, TEST_COORDINATOR_GROUP, topic, node);
        break;
    default:
        snprintf(topic, sizeof(topic), "%s%s", chaos.prefix,
                 chaos_draw(2) == 0 ? "journal" : "meter.readings");
        test_cluster_leader_move(&chaos.cluster, topic, chaos_draw(CHAOS_SHARDS), node);
    }
    unwell_pass(300 + chaos_draw(1500), NULL);
    return true;
}

static bool
network_cut(enum chaos_fault kind)
{
    const struct chaos_instance *instance = instance_draw();
    struct fault_rule rule = {.kind = FAULT_CUT, .api = FAULT_ANY};
    if (kind != CHAOS_CUT_ALL) {
        rule.client_id = instance->name;
    }
    if (kind == CHAOS_CUT_WAY) {
        rule.kind = chaos_draw(2) == 0 ? FAULT_CUT_REQUESTS : FAULT_CUT_REPLIES;
    } else if (chaos_draw(3) == 0) {
        rule.kind = FAULT_REFUSE;
    }
    const int number = fault_proxy_set(chaos.cluster.proxy, &rule);
    unwell_pass(chaos_draw(3) == 0 ? CHAOS_TXN_MS + 3000 : 300 + chaos_draw(3000), instance);
    fault_proxy_lift(chaos.cluster.proxy, number);
    unwell_pass(1000 + chaos_draw(3000), NULL);
    return true;
}

/* A few requests of one kind, each done and not heard of, or not done, or late, or done twice. */
static bool
requests_spoil(enum chaos_fault fault)
{
    static const enum fault_api apis[] = {FAULT_TXN_OFFSET_COMMIT, FAULT_ADD_OFFSETS,
                                          FAULT_ADD_PARTITIONS, FAULT_PRODUCE};
    static const enum fault_kind kinds[] = {
        FAULT_CLOSE_BEFORE, FAULT_CLOSE_AFTER, FAULT_SWALLOW_REQUEST, FAULT_SWALLOW_REPLY,
        FAULT_HOLD_REQUEST, FAULT_HOLD_REPLY,  FAULT_DUPLICATE};
    const struct fault_rule rule = {.kind = kinds[chaos_draw(7)],
                                    .api =
                                        fault == CHAOS_COMMIT ? FAULT_END_TXN : apis[chaos_draw(4)],
                                    .skip = chaos_draw(4),
                                    .count = 1 + chaos_draw(3),
                                    .client_id = instance_draw()->name};
    const int number = fault_proxy_set(chaos.cluster.proxy, &rule);
    unwell_pass(500 + chaos_draw(5000), NULL);
    fault_proxy_lift(chaos.cluster.proxy, number);
    unwell_pass(500, NULL);
    return fault_proxy_hits(chaos.cluster.proxy, number) > 0;
}

static bool
fault_do(enum chaos_fault fault)
{
    switch (fault) {
    case CHAOS_KILL:
        return kill_one();
    case CHAOS_LOSE:
        return lose_one();
    case CHAOS_ROLL:
        return roll();
    case CHAOS_ZOMBIE:
        return stop_and_continue();
    case CHAOS_TWIN:
        return twin();
    case CHAOS_SCALE:
        return scale();
    case CHAOS_STORE:
        return store_lose();
    case CHAOS_DISK:
        return disk_fill();
    case CHAOS_BROKER_KILL:
        return broker_bounce(true);
    case CHAOS_BROKER_STOP:
        return broker_bounce(false);
    case CHAOS_MOVE:
        return leaders_move();
    case CHAOS_CUT_ONE:
    case CHAOS_CUT_WAY:
    case CHAOS_CUT_ALL:
        return network_cut(fault);
    default:
        return requests_spoil(fault);
    }
}

/* How many of the names of `only`, which commas part, are those of faults; `is_named_out[fault]`.
 */
static int
only_read(const char *only, bool is_named_out[CHAOS_FAULTS])
{
    int count = 0;
    for (const char *at = only; at != NULL; at = strchr(at, ',')) {
        at += at != only;
        for (int fault = 0; fault < CHAOS_FAULTS; fault++) {
            const char *name = chaos_fault_names[fault];
            if (strcspn(at, ",") == strlen(name) && strncmp(at, name, strlen(name)) == 0) {
                is_named_out[fault] = true;
                count++;
            }
        }
    }
    return count;
}

void
fault_choose(const char *only)
{
    int wanted = 1;
    for (const char *at = only; *at != '\0'; at++) {
        wanted += *at == ',';
    }
    chaos.is_only = true;
    if (only_read(only, chaos.only) != wanted) {
        fprintf(stderr, "chaos: --only %s: the faults are", only);
        for (int fault = 0; fault < CHAOS_FAULTS; fault++) {
            fprintf(stderr, "%s %s", fault == 0 ? "" : ",", chaos_fault_names[fault]);
        }
        fprintf(stderr, "\n");
        exit(64);
    }
}

static int
weight_of(int fault)
{
    const bool is_out = chaos.is_only ? !chaos.only[fault] : chaos.is_short && fault != CHAOS_KILL;
    return is_out ? 0 : weights[fault];
}

static enum chaos_fault
fault_draw(void)
{
    for (int fault = 0; fault < CHAOS_FAULTS; fault++) {
        if (is_due(fault)) {
            return (enum chaos_fault)fault;
        }
    }
    int sum = 0;
    for (int fault = 0; fault < CHAOS_FAULTS; fault++) {
        sum += weight_of(fault);
    }
    int draw = chaos_draw(sum), fault = 0;
    while (draw >= weight_of(fault)) {
        draw -= weight_of(fault++);
    }
    return (enum chaos_fault)fault;
}

void
fault_one(void)
{
    const enum chaos_fault fault = fault_draw();
    chaos.fault_number++;
    if (fault != CHAOS_KILL) {
        chaos_say("fault %u: %s", chaos.fault_number, chaos_fault_names[fault]);
    }
    if (fault_do(fault)) {
        chaos.faults[fault]++;
    } else {
        chaos.faults_skipped[fault]++;
    }
}
