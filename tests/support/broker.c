#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker.h"

#define START_SECONDS_MAX 90
#define STOP_SECONDS_MAX  30
#define TICK_MS           100
#define PORT_FIRST        16384
#define PORT_COUNT        16384 /* Linux serves outgoing connections from 32768 on */
#define PORTS_MAX         16

static void
broker_die(const struct test_broker *broker, const char *what)
{
    fprintf(stderr, "broker in %s: %s\n", broker->folder, what);
    if (broker->pid > 0) {
        kill(broker->pid, SIGKILL);
    }
    exit(1);
}

static bool
flag_is_set(const char *name, const char *value)
{
    const char *const text = getenv(name);
    return text != NULL && strcmp(text, value) == 0;
}

int
test_broker_find(struct test_broker *broker)
{
    const char *const version = getenv("GF_KAFKA_VERSION");
    return test_broker_find_version(broker, version == NULL ? "3.9.1" : version);
}

int
test_broker_find_version(struct test_broker *broker, const char *version)
{
    *broker = (struct test_broker){.node = 1, .node_count = 1, .heap_mb = 256};
    char command[128];
    snprintf(command, sizeof(command), "sh tests/broker/kafka_jars.sh '%.20s'", version);
    FILE *const pipe = popen(command, "r");
    if (pipe != NULL) {
        if (fgets(broker->jars, sizeof(broker->jars), pipe) != NULL) {
            broker->jars[strcspn(broker->jars, "\n")] = '\0';
        }
        if (pclose(pipe) == 0 && broker->jars[0] == '/') {
            return -1;
        }
    }
    if (flag_is_set("CI", "true") || flag_is_set("GF_REQUIRE_BROKER", "1")) {
        printf("FAIL: a real Kafka is required here, and there is none\n");
        return 1;
    }
    printf("SKIP: no real Kafka; tests/broker/kafka_jars.sh says why\n");
    return 77;
}

static void
random_bytes(void *out, size_t size)
{
    if (getrandom(out, size, 0) != (ssize_t)size) {
        fprintf(stderr, "no random bytes\n");
        exit(1);
    }
}

void
test_ports_choose(int *ports, int count)
{
    int sockets[PORTS_MAX];
    assert(count > 0);
    assert(count <= PORTS_MAX);
    /* All are held until all are known, so that they differ. */
    for (int index = 0, tries = 0; index < count; tries++) {
        uint16_t random = 0;
        random_bytes(&random, sizeof(random));
        ports[index] = PORT_FIRST + random % PORT_COUNT;
        const struct sockaddr_in address = {.sin_family = AF_INET,
                                            .sin_port = htons((uint16_t)ports[index]),
                                            .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
        sockets[index] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(sockets[index], (const struct sockaddr *)&address, sizeof(address)) == 0) {
            index++;
            continue;
        }
        close(sockets[index]);
        if (tries == 1000) {
            fprintf(stderr, "no free port\n");
            exit(1);
        }
    }
    for (int index = 0; index < count; index++) {
        close(sockets[index]);
    }
}

/* 16 random bytes in base64url: 22 characters; the last one holds 2 bits. */
void
test_cluster_id_choose(char out[23])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[22];
    random_bytes(bytes, sizeof(bytes));
    for (size_t index = 0; index < sizeof(bytes); index++) {
        out[index] = alphabet[bytes[index] & 63];
    }
    out[0] = 'g'; /* a leading dash would be an option */
    out[21] = 'A';
    out[22] = '\0';
}

static void
settings_write(const struct test_broker *broker, const char *path)
{
    FILE *const file = fopen(path, "w");
    if (file == NULL) {
        broker_die(broker, "server.properties cannot be written");
    }
    fprintf(file,
            "process.roles=broker,controller\nnode.id=%d\ncontroller.quorum.voters=%s\n"
            "controller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAINTEXT\n"
            "listener.security.protocol.map="
            "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
            "log.dirs=%s/data\nauto.create.topics.enable=false\n",
            broker->node, broker->voters, broker->folder);
    fprintf(file, "listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d", broker->port,
            broker->controller_port);
    if (broker->inner_port != 0) {
        fprintf(file,
                ",PROXIED://127.0.0.1:%d\nadvertised.listeners=PLAINTEXT://127.0.0.1:%d,"
                "PROXIED://127.0.0.1:%d",
                broker->inner_port, broker->port, broker->proxied_port);
    }
    /* One node of three may be missing; the time-outs are those of a test that kills one. */
    const int copies = broker->node_count, copies_min = broker->node_count == 3 ? 2 : 1;
    fprintf(file,
            "\noffsets.topic.replication.factor=%d\noffsets.topic.num.partitions=4\n"
            "transaction.state.log.replication.factor=%d\ntransaction.state.log.min.isr=%d\n"
            "transaction.state.log.num.partitions=4\nmin.insync.replicas=%d\n"
            "broker.session.timeout.ms=4000\nbroker.heartbeat.interval.ms=500\n"
            "auto.leader.rebalance.enable=false\n",
            copies, copies, copies_min, copies_min);
    fputs("group.initial.rebalance.delay.ms=0\n"
          "group.min.session.timeout.ms=1000\nlog.cleaner.dedupe.buffer.size=4194304\n"
          "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000\n",
          file);
    if (fclose(file) != 0) {
        broker_die(broker, "server.properties cannot be written");
    }
}

static pid_t
shell_run(struct test_broker *broker, const char *log_path, const char *command)
{
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) {
        broker_die(broker, "fork");
    }
    if (pid > 0) {
        return pid;
    }
    /* The broker must not outlive a test that crashes. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() != parent || log < 0 || nothing < 0 || dup2(nothing, 0) < 0 || dup2(log, 1) < 0 ||
        dup2(log, 2) < 0) {
        _exit(126);
    }
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static void
tick(void)
{
    poll(NULL, 0, TICK_MS);
}

/* The exit status, or -1 when `seconds` have passed. */
static int
wait_exit(pid_t pid, int seconds)
{
    for (int ticks = seconds * 1000 / TICK_MS; ticks > 0; ticks--) {
        int status = 0;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return status;
        }
        tick();
    }
    return -1;
}

static bool
file_has(const char *path, const char *text)
{
    bool is_there = false;
    FILE *const file = fopen(path, "r");
    char line[4096];
    while (file != NULL && !is_there && fgets(line, sizeof(line), file) != NULL) {
        is_there = strstr(line, text) != NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return is_there;
}

static void
folder_make(struct test_broker *broker)
{
    snprintf(broker->folder, sizeof(broker->folder), "%s/gridfold-broker.XXXXXX",
             getenv("TMPDIR") == NULL ? "/tmp" : getenv("TMPDIR"));
    if (mkdtemp(broker->folder) == NULL) {
        broker_die(broker, "folder cannot be made");
    }
    if (broker->port == 0) {
        int ports[2];
        test_ports_choose(ports, 2);
        broker->port = ports[0];
        broker->controller_port = ports[1];
        snprintf(broker->voters, sizeof(broker->voters), "1@127.0.0.1:%d", ports[1]);
        test_cluster_id_choose(broker->cluster_id);
    }
    snprintf(broker->address, sizeof(broker->address), "127.0.0.1:%d", broker->port);
    char path[256];
    snprintf(path, sizeof(path), "%s/server.properties", broker->folder);
    settings_write(broker, path);
}

void
test_broker_launch(struct test_broker *broker)
{
    if (broker->folder[0] == '\0') {
        folder_make(broker);
    }
    char log_path[256], format[1200], command[2500];
    snprintf(log_path, sizeof(log_path), "%s/broker-%d.log", broker->folder, ++broker->starts);
    snprintf(format, sizeof(format),
             "java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '%s/*' "
             "kafka.tools.StorageTool format -t %s -c '%s/server.properties' && ",
             broker->jars, broker->cluster_id, broker->folder);
    snprintf(command, sizeof(command),
             "%sexec java -Xms%dm -Xmx%dm -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '%s/*' "
             "kafka.Kafka '%s/server.properties'",
             broker->starts == 1 ? format : "", broker->heap_mb, broker->heap_mb, broker->jars,
             broker->folder);
    broker->pid = shell_run(broker, log_path, command);
}

void
test_broker_await(struct test_broker *broker)
{
    char log_path[256];
    snprintf(log_path, sizeof(log_path), "%s/broker-%d.log", broker->folder, broker->starts);
    for (int ticks = START_SECONDS_MAX * 1000 / TICK_MS; ticks > 0; ticks--) {
        if (file_has(log_path, "Kafka Server started")) {
            return;
        }
        if (waitpid(broker->pid, NULL, WNOHANG) == broker->pid) {
            broker->pid = 0;
            broker_die(broker, "ended while it started, see its log there");
        }
        tick();
    }
    broker_die(broker, "did not start in time");
}

void
test_broker_start(struct test_broker *broker)
{
    test_broker_launch(broker);
    test_broker_await(broker);
}

void
test_broker_stop(struct test_broker *broker)
{
    kill(broker->pid, SIGTERM);
    if (wait_exit(broker->pid, STOP_SECONDS_MAX) == -1) {
        broker_die(broker, "did not stop in time");
    }
    broker->pid = 0;
}

void
test_broker_kill(struct test_broker *broker)
{
    if (broker->pid > 0) {
        kill(broker->pid, SIGKILL);
        waitpid(broker->pid, NULL, 0);
        broker->pid = 0;
    }
}

void
test_broker_pause(struct test_broker *broker)
{
    assert(broker->pid > 0);
    kill(broker->pid, SIGSTOP);
    /* Only when it has stopped can it not answer any more. */
    waitpid(broker->pid, NULL, WUNTRACED);
}

void
test_broker_resume(struct test_broker *broker)
{
    assert(broker->pid > 0);
    kill(broker->pid, SIGCONT);
}

static int
entry_remove(const char *path, const struct stat *entry, int kind, struct FTW *position)
{
    (void)entry;
    (void)kind;
    (void)position;
    return remove(path);
}

void
test_broker_fini(struct test_broker *broker)
{
    test_broker_kill(broker);
    if (broker->folder[0] != '\0') {
        nftw(broker->folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
        broker->folder[0] = '\0';
    }
}
