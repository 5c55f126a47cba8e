#include <arpa/inet.h>
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
    *broker = (struct test_broker){0};
    FILE *const pipe = popen("sh tests/broker/kafka_jars.sh", "r");
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

/* Two free ports. Both are held until both are known, so that they differ; a port in use is never
 * given out.
 */
static void
ports_choose(struct test_broker *broker)
{
    int *const ports[] = {&broker->port, &broker->controller_port};
    int sockets[2] = {-1, -1};
    for (size_t index = 0; index < 2; index++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
        socklen_t size = sizeof(address);
        sockets[index] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (sockets[index] < 0 || bind(sockets[index], (struct sockaddr *)&address, size) != 0 ||
            getsockname(sockets[index], (struct sockaddr *)&address, &size) != 0) {
            broker_die(broker, "no free port");
        }
        *ports[index] = ntohs(address.sin_port);
    }
    close(sockets[0]);
    close(sockets[1]);
    snprintf(broker->address, sizeof(broker->address), "127.0.0.1:%d", broker->port);
}

/* 16 random bytes in base64url: 22 characters; the last one holds 2 bits. */
static void
cluster_id_choose(struct test_broker *broker)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[22];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        broker_die(broker, "no random bytes");
    }
    for (size_t index = 0; index < sizeof(bytes); index++) {
        broker->cluster_id[index] = alphabet[bytes[index] & 63];
    }
    broker->cluster_id[0] = 'g'; /* a leading dash would be an option */
    broker->cluster_id[21] = 'A';
}

static void
settings_write(const struct test_broker *broker, const char *path)
{
    FILE *const file = fopen(path, "w");
    if (file == NULL) {
        broker_die(broker, "server.properties cannot be written");
    }
    fprintf(
        file,
        "process.roles=broker,controller\nnode.id=1\n"
        "controller.quorum.voters=1@127.0.0.1:%d\ncontroller.listener.names=CONTROLLER\n"
        "listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d\n"
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        "inter.broker.listener.name=PLAINTEXT\nlog.dirs=%s/data\nauto.create.topics.enable=false\n",
        broker->controller_port, broker->port, broker->controller_port, broker->folder);
    fputs("offsets.topic.replication.factor=1\noffsets.topic.num.partitions=4\n"
          "transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
          "transaction.state.log.num.partitions=4\ngroup.initial.rebalance.delay.ms=0\n"
          "group.min.session.timeout.ms=1000\nlog.cleaner.dedupe.buffer.size=4194304\n"
          "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000\n",
          file);
    if (fclose(file) != 0) {
        broker_die(broker, "server.properties cannot be written");
    }
}

static pid_t
java_run(struct test_broker *broker, const char *log_path, char *const arguments[])
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
    execvp("java", arguments);
    _exit(127);
}

static void
tick(void)
{
    poll(NULL, 0, TICK_MS);
}

/* The exit status, or -1 when `seconds` have passed. */
static int
wait_exit(struct test_broker *broker, pid_t pid, int seconds)
{
    for (int ticks = seconds * 1000 / TICK_MS; ticks > 0; ticks--) {
        int status = 0;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return status;
        }
        tick();
    }
    (void)broker;
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
folder_format(struct test_broker *broker, char *class_path, char *settings)
{
    snprintf(broker->folder, sizeof(broker->folder), "%s/gridfold-broker.XXXXXX",
             getenv("TMPDIR") == NULL ? "/tmp" : getenv("TMPDIR"));
    if (mkdtemp(broker->folder) == NULL) {
        broker_die(broker, "folder cannot be made");
    }
    ports_choose(broker);
    cluster_id_choose(broker);
    snprintf(settings, 256, "%s/server.properties", broker->folder);
    settings_write(broker, settings);

    char log_path[256];
    snprintf(log_path, sizeof(log_path), "%s/format.log", broker->folder);
    char *const arguments[] = {"java",
                               "-Xmx128m",
                               "-XX:+UseSerialGC",
                               "-XX:TieredStopAtLevel=1",
                               "-cp",
                               class_path,
                               "kafka.tools.StorageTool",
                               "format",
                               "-t",
                               broker->cluster_id,
                               "-c",
                               settings,
                               NULL};
    const pid_t pid = java_run(broker, log_path, arguments);
    if (wait_exit(broker, pid, START_SECONDS_MAX) != 0) {
        kill(pid, SIGKILL);
        broker_die(broker, "format failed, see format.log there");
    }
}

void
test_broker_start(struct test_broker *broker)
{
    char class_path[600], settings[256], log_path[256];
    snprintf(class_path, sizeof(class_path), "%s/*", broker->jars);
    if (broker->folder[0] == '\0') {
        folder_format(broker, class_path, settings);
    }
    snprintf(settings, sizeof(settings), "%s/server.properties", broker->folder);
    snprintf(log_path, sizeof(log_path), "%s/broker-%d.log", broker->folder, ++broker->starts);
    char *const arguments[] = {
        "java", "-Xms256m", "-Xmx256m",    "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        "-cp",  class_path, "kafka.Kafka", settings,           NULL};
    broker->pid = java_run(broker, log_path, arguments);
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
test_broker_stop(struct test_broker *broker)
{
    kill(broker->pid, SIGTERM);
    if (wait_exit(broker, broker->pid, STOP_SECONDS_MAX) == -1) {
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
