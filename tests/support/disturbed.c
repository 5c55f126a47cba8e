#include "disturbed.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CANONICAL                                                                                  \
    "order: canonical\nbatch_records: 256\ncommit: {batches: 1}\nsweep: {records: 5000}\n"         \
    "state: {customers_max: 8192, timers_max: 16384}\n"
#define TICK_MS       10
#define STOP_MS_MAX   60000
#define SETTLE_MS_MAX 90000
#define LANES_MAX     8

struct disturbed disturbed;

int64_t
disturbed_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
disturbed_below(struct gf_random *random, int limit)
{
    return (int)(gf_random_next(random) % (uint64_t)limit);
}

void
disturbed_count(int counter, int64_t by)
{
    assert_in_range(counter, 0, DISTURBED_COUNTERS - 1);
    __atomic_add_fetch(&disturbed.counters[counter], by, __ATOMIC_SEQ_CST);
}

/* ---- begin and end ---- */

void
disturbed_arguments(int count, char **arguments, int repeats)
{
    if (count != 3 && count != 4) {
        fprintf(stderr, "usage: %s GRIDFOLD PUBLISH [REPEATS]\n", arguments[0]);
        exit(64);
    }
    site_gridfold = arguments[1];
    site_publish = arguments[2];
    disturbed.repeats = count == 4 ? (int)strtol(arguments[3], NULL, 10) : repeats;
    const char *seed = getenv("GF_TEST_SEED");
    if (seed != NULL) {
        disturbed.seed = strtoull(seed, NULL, 10);
    } else if (getrandom(&disturbed.seed, sizeof(disturbed.seed), 0) < 0) {
        exit(1);
    }
    disturbed.seed &= UINT32_MAX; /* short enough to be typed */
    printf("GF_TEST_SEED=%llu\n", (unsigned long long)disturbed.seed);
    disturbed.counters = mmap(NULL, DISTURBED_COUNTERS * sizeof(int64_t), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (disturbed.counters == MAP_FAILED) {
        exit(1);
    }
}

void
disturbed_begin(void)
{
    char to[300], config[256], log[256];
    snprintf(site_work, sizeof(site_work), "%s/work", site_broker.folder);
    assert_int_equal(mkdir(site_work, 0700), 0);
    snprintf(disturbed.input, sizeof(disturbed.input), "%s/input", site_work);
    snprintf(to, sizeof(to), "folder:%s", disturbed.input);
    snprintf(config, sizeof(config), "%s/folder.yaml", site_work);
    snprintf(log, sizeof(log), "%s/folder.log", site_work);
    /* One population, in which every output has records; the seed of the run moves the faults. */
    const char *const simulate[] = {
        site_gridfold, "simulate",   "--to",         to,    "--customers",    "24",
        "--days",      "45",         "--seed",       "11",  "--interval",     "1h",
        "--start",     "2024-03-01", "--theft-rate", "0.5", "--arrears-rate", "0.5",
        NULL};
    FILE *file = fopen(config, "w");
    assert_non_null(file);
    fprintf(file, "version: 1\nlog: %s\nstore: folder.state\npartitions: %d\n" CANONICAL, to,
            SITE_PARTITIONS);
    fclose(file);
    const char *const run[] = {site_gridfold, "run", "--exit-at-end", "-c", config, NULL};
    if (test_program_run(log, simulate) != 0 || test_program_run(log, run) != 0) {
        test_file_show(log);
        exit(1);
    }
    topic_records_folder(disturbed.input, disturbed.outputs);
    history_make(&disturbed.outputs[GF_TOPIC_JOURNAL], &disturbed.history);
    history_expect_swept(&disturbed.history);
    int64_t records = 0;
    size_t effects = 0;
    for (int shard = 0; shard < SITE_PARTITIONS; shard++) {
        records += disturbed.history.tallies[shard].records;
    }
    for (int topic = GF_TOPIC_INPUT_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        effects += topic == GF_TOPIC_JOURNAL ? 0 : disturbed.outputs[topic].count;
    }
    printf("the undisturbed run: %lld records in, %zu out, %zu batches\n", (long long)records,
           effects, disturbed.history.batch_count);
    assert_true(effects > 0);
    fflush(stdout);
}

void
disturbed_end(int failed)
{
    topic_records_free(disturbed.outputs);
    history_free(&disturbed.history);
    if (failed != 0) {
        fprintf(stderr, "%d lanes failed; logs and configurations are in %s\n", failed, site_work);
    }
    munmap(disturbed.counters, DISTURBED_COUNTERS * sizeof(int64_t));
}

int
disturbed_lanes(int count, void (*lane)(int index, struct gf_random *random))
{
    pid_t lanes[LANES_MAX];
    int failed = 0;
    assert_in_range(count, 1, LANES_MAX);
    fflush(stdout);
    for (int i = 0; i < count; i++) {
        lanes[i] = fork();
        assert_true(lanes[i] >= 0);
        if (lanes[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            setvbuf(stdout, NULL, _IOLBF, 0);
            struct gf_random random = {.seed = disturbed.seed, .stream = (uint64_t)i};
            lane(i, &random);
            fflush(stdout);
            _exit(0);
        }
    }
    for (int i = 0; i < count; i++) {
        int status = 0;
        waitpid(lanes[i], &status, 0);
        failed += status != 0;
    }
    return failed;
}

/* ---- sites ---- */

void
disturbed_site(struct site *site, const char *name, const char *kafka, const char *more,
               bool is_empty)
{
    char lines[1024];
    snprintf(lines, sizeof(lines), CANONICAL "%s", more);
    site_make(site, name, kafka, lines);
    site_create(site);
    if (!is_empty) {
        site_feed(site, disturbed.input, "");
    }
}

/* Every batch is there, and every slice was named as of its shard's last one. */
static bool
is_whole(const struct site *site)
{
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct history history;
    site_read(site, outputs);
    history_make(&outputs[GF_TOPIC_JOURNAL], &history);
    const bool whole = memcmp(history.last, disturbed.history.last, sizeof(history.last)) == 0 &&
                       history_is_swept(&history);
    history_free(&history);
    topic_records_free(outputs);
    return whole;
}

void
disturbed_expect(const struct site *site)
{
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct history history;
    site_read(site, outputs);
    history_make(&outputs[GF_TOPIC_JOURNAL], &history);
    topic_records_expect_equal(disturbed.outputs, outputs, true);
    history_expect_equal(&disturbed.history, &history);
    history_expect_swept(&history);
    history_expect_same_state(&disturbed.history, &history);
    history_free(&history);
    topic_records_free(outputs);
}

void
disturbed_remove(const struct site *site)
{
    char command[1024];
    site_delete(site);
    snprintf(command, sizeof(command), "rm -rf '%s/%s.'*", site_work, site->name);
    assert_int_equal(system(command), 0);
}

void
disturbed_settle(struct instance *instance)
{
    const int64_t deadline = disturbed_now_ms() + SETTLE_MS_MAX;
    do {
        if (disturbed_now_ms() > deadline) {
            instance_fail(instance, "does not come to the end of all shards");
        }
        instance_start(instance, "run --exit-at-end", NULL);
        instance_expect(instance, 0);
    } while (!is_whole(&instance->site));
    disturbed_expect(&instance->site);
    disturbed_remove(&instance->site);
}

/* ---- instances ---- */

void
instance_make(struct instance *instance, const struct site *site, char letter, bool is_named)
{
    char named[120] = "";
    *instance = (struct instance){.site = *site};
    char log[300];
    snprintf(log, sizeof(log), "%s/%s.%c.log", site_work, site->name, letter);
    assert_true(strlen(log) < sizeof(instance->site.log));
    strcpy(instance->site.log, log);
    if (is_named) {
        snprintf(named, sizeof(named), "--set kafka.transactional_id=%.60s-%c", site->name, letter);
    }
    snprintf(instance->words, sizeof(instance->words), "--set store=%.150s/%.60s.%c.state %s%s%s",
             site_work, site->name, letter, named,
             disturbed.addresses != NULL ? " --set log=kafka:" : "",
             disturbed.addresses != NULL ? disturbed.addresses : "");
}

void
instance_start(struct instance *instance, const char *words, const char *point)
{
    char text[1000];
    snprintf(text, sizeof(text), "%s %s", words, instance->words);
    if (point != NULL) {
        setenv("GRIDFOLD_POINT", point, 1);
    }
    site_start(&instance->site, &instance->program, text);
    unsetenv("GRIDFOLD_POINT");
}

void
instance_fail(const struct instance *instance, const char *what)
{
    test_file_show(instance->site.log);
    fail_msg("%s: %s", instance->site.log, what);
}

bool
instance_wait_stop(struct instance *instance)
{
    for (int ms = 0; ms < STOP_MS_MAX; ms += TICK_MS) {
        siginfo_t info = {0};
        waitid(P_PID, (id_t)instance->program.pid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT);
        if (info.si_pid != 0) {
            return info.si_code == CLD_STOPPED;
        }
        poll(NULL, 0, TICK_MS);
    }
    instance_fail(instance, "does not come to its point");
    return false;
}

void
instance_expect(struct instance *instance, int code)
{
    const int there = test_program_wait(&instance->program);
    if (there != code) {
        char what[64];
        snprintf(what, sizeof(what), "exit code %d, not %d", there, code);
        instance_fail(instance, what);
    }
}

int
instance_lines(const struct instance *instance, const char *text)
{
    static char line[65536];
    int count = 0;
    FILE *const file = fopen(instance->site.log, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, text) != NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

bool
instance_wait_lines(struct instance *instance, const char *text, int count, int ms)
{
    const int64_t deadline = disturbed_now_ms() + ms;
    while (instance_lines(instance, text) < count) {
        siginfo_t info = {0};
        waitid(P_PID, (id_t)instance->program.pid, &info, WEXITED | WNOHANG | WNOWAIT);
        if (info.si_pid != 0 || disturbed_now_ms() > deadline) {
            return instance_lines(instance, text) >= count;
        }
        poll(NULL, 0, TICK_MS);
    }
    return true;
}
