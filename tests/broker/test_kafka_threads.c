/* Four loops in one process, with all that has threads beside them:  test_kafka_threads GRIDFOLD
 *
 * Snapshots are copied every second, stores are verified and restored, the process is stopped in
 * the middle and starts again; at the end a replay gives what was written. Two loops that are
 * started before their broker wait for it. `./dev tsan` runs this under ThreadSanitizer, which is
 * what it is for. */
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kafka_site.h"

#define WAIT_TRIES_MAX 600
#define WAIT_STEP_MS   100
#define POPULATION     "--customers 60 --days 4 --interval 1h --areas --headend 0.5"

static struct site site, beside;

static void
wait_until_said(const struct test_program *program, const char *text)
{
    struct test_program running = *program;
    for (int tries = 0; !test_file_has(site.log, text); tries++) {
        if (tries == WAIT_TRIES_MAX || test_program_wait_ms(&running, WAIT_STEP_MS) != -1) {
            test_file_show(site.log);
            fail_msg("not said: %s", text);
        }
    }
}

/* There is a snapshot of the shard with something in it, from which it would be restored. */
static void
wait_until_kept(const struct test_program *program, int shard)
{
    struct test_program running = *program;
    bool is_kept = false;
    for (int tries = 0; !is_kept; tries++) {
        for (int digit = 1; digit <= 9 && !is_kept; digit++) {
            char text[80];
            snprintf(text, sizeof(text), "event=snapshot_taken shard=%d text=\"batch %d", shard,
                     digit);
            is_kept = test_file_has(site.log, text);
        }
        if (!is_kept &&
            (tries == WAIT_TRIES_MAX || test_program_wait_ms(&running, WAIT_STEP_MS) != -1)) {
            test_file_show(site.log);
            fail_msg("shard %d has no snapshot", shard);
        }
    }
}

static void
stop(struct test_program *program)
{
    test_program_signal(program, SIGTERM);
    const int code = test_program_wait(program);
    if (code != 0) {
        test_file_show(site.log);
        fail_msg("exit code %d after SIGTERM", code);
    }
    site_said(&site, "event=stopped why=signal");
}

static int
entry_remove(const char *path, const struct stat *about, int type, struct FTW *level)
{
    (void)about;
    (void)type;
    (void)level;
    return remove(path);
}

static void
store_lose(int shard)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/threads.state/shard-%04d", site_work, shard);
    assert_int_equal(nftw(path, entry_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void
loops_are_stopped_and_looked_at(void **state)
{
    (void)state;
    struct test_program program;
    char config[600];
    snprintf(config, sizeof(config),
             "order: arrival\nbatch_records: 256\ncommit: {interval: 50ms, batches: 4}\n"
             "sweep: {records: 2000}\nthreads: 4\n"
             "stages: {area: true, intake: true, patience: 100ms}\n"
             "snapshot: {folder: %s/snapshots, interval: 1s}\n",
             site_work);
    site_make(&site, "threads", "", config);
    beside = site;
    snprintf(beside.log, sizeof(beside.log), "%s/beside.log", site_work);
    site_create(&site);
    char words[400];
    snprintf(words, sizeof(words),
             "simulate --seed 3 --start 2024-03-01 --truth %s/truth.ndjson " POPULATION, site_work);
    site_expect(&site, 0, words);

    site_start(&site, &program, "run");
    wait_until_said(&program, "event=shard_live");
    stop(&program); /* in the middle, or while shards still recover */

    site_start(&site, &program, "run");
    wait_until_kept(&program, 0);
    wait_until_kept(&program, 1);
    site_expect(&beside, 0, "state verify");
    site_expect(&beside, 0, "snapshot --timeout 20");
    site_expect(&beside, 0, "state verify --snapshots");
    stop(&program);

    store_lose(0);
    store_lose(1);
    site_start(&site, &program, "run");
    wait_until_said(&program, "event=store_restored");
    wait_until_said(&program, "event=snapshot_taken");
    stop(&program);

    site_expect(&site, 0, "run --exit-at-end");
    site_expect(&site, 0, "replay --compare");
    site_said(&site, "are what the fold gives, byte for byte");
}

static void
a_start_waits_for_a_broker(void **state)
{
    (void)state;
    struct test_program program;
    site_make(&site, "early", "  request_timeout: 1s\n", "threads: 2\n");
    site_create(&site);
    beside = site;
    snprintf(beside.log, sizeof(beside.log), "%s/early-beside.log", site_work);
    test_broker_kill(&site_broker);
    site_start(&site, &program, "run");
    wait_until_said(&program, "level=warn event=waiting_for_broker");
    site_expect(&beside, 69, "validate --connect"); /* its time-out goes by */
    site_said(&beside, "level=warn event=waiting_for_broker");
    site_said(&beside, "gives_up_in_s=1");
    assert_int_equal(test_program_wait_ms(&program, 1), -1);
    test_broker_start(&site_broker);
    wait_until_said(&program, "event=shard_live");
    assert_false(test_file_has(site.log, "event=recovering"));
    stop(&program);
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: test_kafka_threads GRIDFOLD\n");
        return 64;
    }
    site_gridfold = argv[1];
    const int verdict = site_begin();
    if (verdict >= 0) {
        return verdict;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_are_stopped_and_looked_at),
        cmocka_unit_test(a_start_waits_for_a_broker),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    site_end(failed);
    return failed;
}
