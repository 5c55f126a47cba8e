/* chaos GRIDFOLD PUBLISH [--kafka VERSION] [--brokers 1|3] [--kills N] [--seconds S] [--seed N]
 * [--mode preloaded|live] [--only FAULT[,FAULT…]] [--without RULE] [--json] [--short]: see chaos.h
 * and docs/reliability.md. Rounds go on until both --kills and --seconds are reached.
 *
 * --without RULE shows that this can fail: the instances run with a rule of the protocol switched
 * off (loop/fault.h has their names), and 0 is the code of a run that has noticed. */
#include "chaos.h"
#include "topic_delete.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "loop/fault.h"

#define STOPS_MAX         3 /* of all, at the end of a round */
#define ROUND_SECONDS_MAX 1800

struct chaos chaos;

int64_t
chaos_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
chaos_wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int
chaos_draw(int limit)
{
    return (int)(gf_random_next(&chaos.random) % (uint64_t)limit);
}

void
chaos_say(const char *format, ...)
{
    va_list arguments;
    const time_t now = time(NULL);
    char clock[16];
    strftime(clock, sizeof(clock), "%H:%M:%S", gmtime(&now));
    fprintf(stderr, "%s ", clock);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

void
chaos_die(const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "FAIL: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nseed %llu, round %d, fault %u; everything is in %s\n",
            (unsigned long long)chaos.random.seed, chaos.round, chaos.fault_number,
            chaos.cluster.nodes[0].folder);
    exit(1);
}

void
chaos_run(const char *log, int code, const char *const arguments[])
{
    struct test_program program;
    test_program_start(&program, log, arguments);
    const int there = test_program_wait_ms(&program, 600 * 1000);
    if (there != code) {
        test_file_show(log);
        chaos_die("%s %s: exit code %d, not %d", arguments[0], arguments[1], there, code);
    }
}

/* ---- a round ---- */

static void
topics_create(void)
{
    char log[300];
    snprintf(log, sizeof(log), "%s/topics.log", chaos.work);
    const char *const create[] = {chaos.gridfold,
                                  "topics",
                                  "create",
                                  "--retention",
                                  "36500",
                                  "-c",
                                  chaos.instances[0].config,
                                  NULL};
    chaos_run(log, 0, create);
}

static void
round_run(int64_t until_ms)
{
    chaos.round++;
    snprintf(chaos.prefix, sizeof(chaos.prefix), "r%d.", chaos.round);
    fleet_make();
    topics_create();
    watch_open();
    input_publish();
    const int64_t started = chaos_now_ms();
    chaos.is_judged = true;
    for (int i = 0; i < CHAOS_INSTANCES; i++) {
        fleet_start(&chaos.instances[i]);
    }
    chaos_pass(500);
    if (chaos.round % 2 == 1) { /* the others begin with faults in the middle of the start */
        (void)chaos_pass_settled(30000);
    }
    while (!watch_is_done()) {
        const bool is_enough = chaos_now_ms() > until_ms && fault_is_enough();
        if (chaos_now_ms() - started > (int64_t)ROUND_SECONDS_MAX * 1000) {
            chaos_die("the input is not folded to its end after %d s", ROUND_SECONDS_MAX);
        }
        if (is_enough) {
            chaos_pass(200); /* in peace, to the end */
        } else {
            fault_one();
        }
    }
    /* What is told to stop with a commit in doubt leaves it to the next start. */
    for (int stops = 0; stops == 0 || (stops < STOPS_MAX && !audit_is_swept()); stops++) {
        for (int i = 0; stops > 0 && i < CHAOS_INSTANCES; i++) {
            fleet_start(&chaos.instances[i]);
        }
        if (!chaos_pass_settled(60000)) {
            chaos_die("not every shard is live after a minute in peace");
        }
        fleet_stop_all();
    }
    watch_poll();
    watch_close();
    audit_round();
    topics_delete(chaos.cluster.addresses,
                  chaos.prefix); /* a broker that starts reads all it has */
    chaos.is_judged = false;
    chaos_say("round %d: %u faults so far, %u kills; %lld batches of %lld records are what they "
              "should be",
              chaos.round, chaos.fault_number, fault_kills(), (long long)chaos.batches,
              (long long)chaos.records);
}

/* ---- the command ---- */

static void
usage(void)
{
    fprintf(stderr, "usage: chaos GRIDFOLD PUBLISH [--kafka VERSION] [--brokers 1|3] [--kills N] "
                    "[--seconds S] [--seed N] [--mode preloaded|live] [--customers N] [--days D] "
                    "[--rate N] [--json] [--short] [--only FAULT[,FAULT…]] "
                    "[--without RULE] [--keep]\n");
    exit(64);
}

static void
rule_choose(const char *name)
{
#ifdef GF_WITH_FAULTS
    chaos.without = name;
    if (gf_rule_bit(name) != 0) {
        return;
    }
#endif
    fprintf(stderr, "chaos: no rule '%s'; -Dfaults=true builds have those in lib/loop/fault.h\n",
            name);
    exit(64);
}

static void
options_read(int argc, char **argv)
{
    static const struct option table[] = {{"kafka", required_argument, NULL, 'k'},
                                          {"brokers", required_argument, NULL, 'b'},
                                          {"kills", required_argument, NULL, 'n'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"seed", required_argument, NULL, 'e'},
                                          {"mode", required_argument, NULL, 'm'},
                                          {"customers", required_argument, NULL, 'c'},
                                          {"days", required_argument, NULL, 'd'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"short", no_argument, NULL, 'q'},
                                          {"only", required_argument, NULL, 'o'},
                                          {"without", required_argument, NULL, 'w'},
                                          {"keep", no_argument, NULL, 'p'},
                                          {0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (letter) {
        case 'k':
            chaos.version = optarg;
            break;
        case 'b':
            chaos.brokers = atoi(optarg);
            break;
        case 'n':
            chaos.kills_wanted = atoi(optarg);
            break;
        case 's':
            chaos.seconds = atoi(optarg);
            break;
        case 'e':
            chaos.random.seed = strtoull(optarg, NULL, 10);
            break;
        case 'm':
            chaos.is_live = strcmp(optarg, "live") == 0;
            break;
        case 'c':
            chaos.customers = atoi(optarg);
            break;
        case 'd':
            chaos.days = atoi(optarg);
            break;
        case 'r':
            chaos.rate = strtod(optarg, NULL);
            break;
        case 'j':
            chaos.as_json = true;
            break;
        case 'o':
            fault_choose(optarg);
            break;
        case 'w':
            rule_choose(optarg);
            break;
        case 'p':
            chaos.is_kept = true;
            break;
        case 'q':
            chaos.is_short = true;
            break;
        default:
            usage();
        }
    }
    if (argc - optind != 2 || (chaos.brokers != 1 && chaos.brokers != 3)) {
        usage();
    }
    chaos.gridfold = argv[optind];
    chaos.publish = argv[optind + 1];
}

static void
mounts_undo(void)
{
    for (int i = 0; i < CHAOS_SEATS; i++) {
        if (chaos.instances[i].has_mount) {
            umount2(chaos.instances[i].store, MNT_DETACH);
        }
    }
}

/* At the end of the process, whoever has ended it: with a rule off, failing is what was wanted. */
static void
verdict_turn(void)
{
    if (chaos.without == NULL || !chaos.is_judged) {
        return;
    }
    for (int i = 0; i < CHAOS_SEATS; i++) {
        if (chaos.instances[i].program.pid != 0) {
            test_program_signal(&chaos.instances[i].program, SIGKILL);
            test_program_wait(&chaos.instances[i].program);
        }
    }
    printf("seed %llu: without the rule '%s' the run fails as above, in round %d after %u faults\n",
           (unsigned long long)chaos.random.seed, chaos.without, chaos.round, chaos.fault_number);
    fflush(stdout);
    mounts_undo();
    test_cluster_fini(&chaos.cluster);
    _exit(0);
}

int
main(int argc, char **argv)
{
    chaos = (struct chaos){.brokers = 1,
                           .kills_wanted = 20,
                           .customers = 100,
                           .days = 75,
                           .interval = "1h",
                           .rate = 4000};
    const char *seed = getenv("GF_TEST_SEED");
    if (seed != NULL) {
        chaos.random.seed = strtoull(seed, NULL, 10);
    } else if (getrandom(&chaos.random.seed, 4, 0) != 4) {
        return 1;
    }
    options_read(argc, argv);
    printf("GF_TEST_SEED=%llu\n", (unsigned long long)chaos.random.seed);
    fflush(stdout);
    const int verdict = test_cluster_find(&chaos.cluster, chaos.version, chaos.brokers, true);
    if (verdict >= 0) {
        return verdict;
    }
    signal(SIGPIPE, SIG_IGN);
    const int64_t started = chaos_now_ms();
    test_cluster_start(&chaos.cluster);
    snprintf(chaos.work, sizeof(chaos.work), "%s/work", chaos.cluster.nodes[0].folder);
    if (mkdir(chaos.work, 0700) != 0) {
        chaos_die("%s", chaos.work);
    }
    atexit(mounts_undo);
    atexit(verdict_turn);
    chaos_say("seed %llu, %d node%s, %s; everything is in %s",
              (unsigned long long)chaos.random.seed, chaos.brokers, chaos.brokers == 1 ? "" : "s",
              chaos.is_live ? "live" : "preloaded", chaos.work);
    input_make();
    const int64_t until_ms = started + (int64_t)chaos.seconds * 1000;
    do {
        round_run(until_ms);
    } while (chaos_now_ms() < until_ms || !fault_is_enough());
    report_print((double)(chaos_now_ms() - started) / 1000);
    if (chaos.without != NULL) {
        chaos_die("nothing has noticed that the rule '%s' is off", chaos.without);
    }
    if (chaos.is_kept) {
        chaos_say("%s is kept", chaos.work);
        fflush(stdout);
        _exit(0);
    }
    mounts_undo();
    test_cluster_fini(&chaos.cluster);
    topic_records_free(chaos.calm);
    free(chaos.bads);
    return 0;
}
