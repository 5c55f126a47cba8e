/* Owners that stop, and come back:  test_zombies GRIDFOLD PUBLISH [ZOMBIES [STEP [static|group]]]
 *
 * An instance is stopped (SIGSTOP) at a step of a batch, for longer than its session and its
 * transaction may last. Another one takes its shards over and goes on; then the first is continued.
 * It adds nothing that its successor has not read: at the end all is as an undisturbed run has it.
 * In a group it finds its way back by itself, or ends with 76; with fixed slots it ends with 76.
 * Every step gets ZOMBIES of them; with STEP there are its alone. Then: two instances with one id,
 * of which the newer survives, and the older learns of it without any input; and how soon a
 * successor is live after a kill with a transaction open, be it the first one, in which alone the
 * owner's name stands. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "disturbed.h"
#include "epoch_request.h"

#define LANES            3
#define TAKE_OVER_ROUNDS 3 /* at least */
#define SESSION_MS       2000
#define LOOK_MS          5000 /* an idle instance of a slot looks whether it is still its own */
#define WAIT_MS          60000
#define SHARD_IS_LIVE    "event=shard_live"
#define IS_ASSIGNED      "event=assigned"

/* A step, and how many times at most it is passed before the stop. */
static const struct {
    const char *name;
    int spread;
} steps[] = {
    {"after_poll", 1}, {"before_produce", 10}, {"mid_batch", 40}, {"produced", 10},
    {"flushed", 10},   {"offsets_sent", 10},   {"committed", 10}, {"in_sweep", 40},
};

#define STEP_COUNT ((int)(sizeof(steps) / sizeof(steps[0])))

static const char *only_step, *only_kind; /* NULL: all */

enum counter {
    COUNTER_GROUP, /* and so on: a counter for each step */
    COUNTER_STATIC = STEP_COUNT,
    COUNTER_REJOINED = 2 * STEP_COUNT,
    COUNTER_FENCED,
    COUNTER_TWINS,
    COUNTER_TAKE_OVERS,
    COUNTER_TAKE_OVER_MS,
    COUNTER_TAKE_OVER_MS_MAX,
};

#define GROUP "assignment: group\n"
#define SHORT "  session_timeout: 1s\n  transaction_timeout: 30s\n"
/* Of what is going to be stopped; the others shall not be ended by a slow machine. */
#define WORDS_OF_ZOMBIE "run --set kafka.transaction_timeout=2s"

static void
stop_at(struct instance *instance, int step, struct gf_random *random)
{
    char point[80];
    snprintf(point, sizeof(point), "%s:%d:stop", steps[step].name,
             1 + disturbed_below(random, steps[step].spread));
    instance_start(instance, WORDS_OF_ZOMBIE, point);
    if (!instance_wait_stop(instance)) {
        instance_fail(instance, "ended before it came to its point");
    }
}

/* The instance has every shard of the site live. */
static void
wait_for_all(struct instance *instance)
{
    for (int shard = 0; shard < SITE_PARTITIONS; shard++) {
        char text[80];
        snprintf(text, sizeof(text), SHARD_IS_LIVE " loop=0 shard=%d", shard);
        if (!instance_wait_lines(instance, text, 1, WAIT_MS)) {
            instance_fail(instance, "does not take all shards over");
        }
    }
}

/* A moment after the take-over, up to one at which the successor is done. */
static void
let_pass(struct gf_random *random)
{
    poll(NULL, 0, disturbed_below(random, 4) == 0 ? 3500 : disturbed_below(random, 600));
}

/* ---- zombies ---- */

static void
zombie_of_group(const char *name, int step, struct gf_random *random)
{
    struct site site;
    struct instance zombie, successor;
    disturbed_site(&site, name, SHORT, GROUP, false);
    instance_make(&zombie, &site, 'a', true);
    instance_make(&successor, &site, 'b', true);
    stop_at(&zombie, step, random);
    const int assigned = instance_lines(&zombie, IS_ASSIGNED);
    instance_start(&successor, "run", NULL);
    wait_for_all(&successor);
    let_pass(random);
    test_program_signal(&zombie.program, SIGCONT);
    const bool is_back = instance_wait_lines(&zombie, IS_ASSIGNED, assigned + 1, WAIT_MS);
    if (is_back) {
        test_program_signal(&zombie.program, SIGTERM);
    }
    const int code = test_program_wait(&zombie.program);
    if (code != (is_back ? 0 : gf_rc_exit_code(GF_E_FENCED)) &&
        code != gf_rc_exit_code(GF_E_FENCED)) {
        fprintf(stderr, "exit code %d\n", code);
        instance_fail(&zombie, is_back ? "came back, and then failed" : "neither back nor fenced");
    }
    disturbed_count(code == 0 ? COUNTER_REJOINED : COUNTER_FENCED, 1);
    test_program_signal(&successor.program, SIGTERM);
    instance_expect(&successor, 0);
    disturbed_settle(&successor);
    disturbed_count(COUNTER_GROUP + step, 1);
}

static void
zombie_of_slot(const char *name, int step, struct gf_random *random)
{
    struct site site;
    struct instance zombie, successor;
    disturbed_site(&site, name, SHORT, "", false);
    instance_make(&zombie, &site, 'a', false);
    instance_make(&successor, &site, 'b', false);
    stop_at(&zombie, step, random);
    instance_start(&successor, "run", NULL);
    wait_for_all(&successor);
    let_pass(random);
    test_program_signal(&zombie.program, SIGCONT);
    instance_expect(&zombie, gf_rc_exit_code(GF_E_FENCED));
    site_said(&zombie.site, "another instance runs under this id");
    test_program_signal(&successor.program, SIGTERM);
    instance_expect(&successor, 0);
    disturbed_settle(&successor);
    disturbed_count(COUNTER_FENCED, 1);
    disturbed_count(COUNTER_STATIC + step, 1);
}

/* ---- two with one id ---- */

static void
twins(const char *name, bool is_group)
{
    struct site site;
    struct instance older, newer;
    disturbed_site(&site, name, SHORT, is_group ? GROUP : "", false);
    instance_make(&older, &site, 'a', false);
    instance_make(&newer, &site, 'b', false);
    instance_start(&older, "run", NULL);
    wait_for_all(&older);
    instance_start(&newer, "run --exit-at-end", NULL);
    instance_expect(&older, gf_rc_exit_code(GF_E_FENCED));
    site_said(&older.site, "another");
    instance_expect(&newer, 0);
    disturbed_settle(&newer);
    disturbed_count(COUNTER_TWINS, 1);
}

/* No input, so nothing to write: the older learns of the newer all the same. */
static void
idle_twins(const char *name)
{
    struct site site;
    struct instance older, newer;
    disturbed_site(&site, name, SHORT, "", true);
    instance_make(&older, &site, 'a', false);
    instance_make(&newer, &site, 'b', false);
    instance_start(&older, "run", NULL);
    wait_for_all(&older);
    instance_start(&newer, "run", NULL);
    wait_for_all(&newer);
    const int64_t started = disturbed_now_ms();
    instance_expect(&older, gf_rc_exit_code(GF_E_FENCED));
    const int64_t took = disturbed_now_ms() - started;
    printf("%s: the older ended %lld ms after the newer was live\n", name, (long long)took);
    assert_in_range(took, 0, 2 * LOOK_MS);
    site_said(&older.site, "another instance runs under this id");
    test_program_signal(&newer.program, SIGTERM);
    instance_expect(&newer, 0);
    disturbed_remove(&site);
    disturbed_count(COUNTER_TWINS, 1);
}

/* What a zombie must not do to its successor, and why messages have no time-out of their own: after
 * one, librdkafka asks for its next epoch. It is refused, but the broker first ends and fences the
 * transaction that is open under the id, so that both end with 76. Nothing is lost: the next start
 * goes on. */
static void
late_epoch(const char *name)
{
    struct site site;
    struct instance owner;
    struct epoch late = {-1, -1};
    disturbed_site(&site, name, SHORT, "", false);
    instance_make(&owner, &site, 'a', false);
    const int64_t until = disturbed_now_ms() + WAIT_MS;
    while (epoch_ask(site_broker.address, name, &late) != 0 && disturbed_now_ms() < until) {
        poll(NULL, 0, 100); /* the coordinator may still be on its way */
    }
    assert_int_equal(late.epoch, 0);
    instance_start(&owner, "run --exit-at-end", NULL);
    wait_for_all(&owner);
    for (int i = 0; i < 10; i++) {
        assert_int_not_equal(epoch_ask(site_broker.address, name, &late), 0);
        poll(NULL, 0, 20);
    }
    instance_expect(&owner, gf_rc_exit_code(GF_E_FENCED));
    disturbed_settle(&owner);
    printf("%s: equal\n", name);
}

/* ---- the time of a take-over ---- */

/* Where the owner is killed. The last: in its very first transaction, so that what is committed
 * does not name it. */
static const char *const kill_points[] = {"offsets_sent:4", "produced:4", "flushed:1"};
#define KILL_POINT_COUNT ((int)(sizeof(kill_points) / sizeof(kill_points[0])))
#define IS_FIRST(point)  (strcmp(point, kill_points[KILL_POINT_COUNT - 1]) == 0)

static void
take_over(const char *name, const char *point)
{
    struct site site;
    struct instance owner, successor;
    struct test_program feed;
    disturbed_site(&site, name, "  session_timeout: 2s\n  transaction_timeout: 60s\n", GROUP, true);
    instance_make(&owner, &site, 'a', true);
    instance_make(&successor, &site, 'b', true);
    instance_start(&successor, "run --set order=arrival", NULL);
    wait_for_all(&successor);
    const int lives = instance_lines(&successor, SHARD_IS_LIVE);
    instance_start(&owner, "run --set order=arrival", point);
    assert_true(IS_FIRST(point) ||
                instance_wait_lines(&owner, SHARD_IS_LIVE, SITE_PARTITIONS / 2, WAIT_MS));
    site_feed_start(&site, &feed, disturbed.input, "");
    instance_expect(&owner, 128 + SIGKILL);
    const int64_t killed = disturbed_now_ms();
    if (!instance_wait_lines(&successor, SHARD_IS_LIVE, lives + SITE_PARTITIONS / 2, WAIT_MS)) {
        instance_fail(&successor, "does not take over");
    }
    const int64_t took = disturbed_now_ms() - killed;
    assert_int_equal(test_program_wait(&feed), 0);
    test_program_signal(&successor.program, SIGTERM);
    instance_expect(&successor, 0);
    printf("%s: killed at %s, its shards were live elsewhere %lld ms later; the session is %d ms\n",
           name, point, (long long)took, SESSION_MS);
    /* The short form runs on whatever machine there is. */
    assert_in_range(took, 0, SESSION_MS + 3000 * (disturbed.repeats == 1 ? 3 : 1));
    instance_start(&successor, "run --exit-at-end --set order=arrival", NULL);
    instance_expect(&successor, 0);
    instance_start(&successor, "replay --set order=arrival", NULL);
    instance_expect(&successor, 0);
    site_said(&successor.site, "equal");
    disturbed_remove(&site);
    disturbed_count(COUNTER_TAKE_OVERS, 1);
    disturbed_count(COUNTER_TAKE_OVER_MS, took);
    if (took > disturbed.counters[COUNTER_TAKE_OVER_MS_MAX]) {
        disturbed.counters[COUNTER_TAKE_OVER_MS_MAX] = took; /* one lane alone does this */
    }
}

static void
lane_run(int index, struct gf_random *random)
{
    char name[64];
    for (int at = index; at < STEP_COUNT * disturbed.repeats; at += LANES) {
        const int step = at % STEP_COUNT, round = at / STEP_COUNT;
        /* Every third one is of a fixed slot; alone it is now this, now that. */
        const bool is_slot =
            only_kind == NULL ? (round + step) % 3 == 2 : strcmp(only_kind, "static") == 0;
        if (only_step != NULL && strcmp(only_step, steps[step].name) != 0) {
            continue;
        }
        snprintf(name, sizeof(name), "zombie-%s-%d", steps[step].name, round + 1);
        (is_slot ? zombie_of_slot : zombie_of_group)(name, step, random);
        printf("%s: %s: equal\n", name, is_slot ? "static" : "group");
    }
    if (index == 0 && only_step == NULL) {
        twins("twins-static", false);
        twins("twins-group", true);
        idle_twins("twins-idle");
        late_epoch("late-epoch");
    }
}

/* Alone: the time is that of a machine that has nothing else to do. */
static void
take_overs(int index, struct gf_random *random)
{
    char name[64];
    (void)index;
    (void)random;
    const int rounds =
        disturbed.repeats / 5 > TAKE_OVER_ROUNDS ? disturbed.repeats / 5 : TAKE_OVER_ROUNDS;
    for (int round = 1; round <= rounds; round++) {
        snprintf(name, sizeof(name), "take-over-%d", round);
        take_over(name, kill_points[round % KILL_POINT_COUNT]);
    }
}

static void
report(void)
{
    const int64_t *counters = disturbed.counters;
    for (int step = 0; step < STEP_COUNT; step++) {
        printf("%-16s %4lld zombies of a group, %4lld of a fixed slot\n", steps[step].name,
               (long long)counters[COUNTER_GROUP + step],
               (long long)counters[COUNTER_STATIC + step]);
    }
    printf("%lld came back into their group, %lld ended with %d\n",
           (long long)counters[COUNTER_REJOINED], (long long)counters[COUNTER_FENCED],
           gf_rc_exit_code(GF_E_FENCED));
    printf("%lld pairs with one id: the older ended with %d\n", (long long)counters[COUNTER_TWINS],
           gf_rc_exit_code(GF_E_FENCED));
    if (counters[COUNTER_TAKE_OVERS] > 0) {
        printf("%lld take-overs: mean %lld ms, worst %lld ms, of a session of %d ms\n",
               (long long)counters[COUNTER_TAKE_OVERS],
               (long long)(counters[COUNTER_TAKE_OVER_MS] / counters[COUNTER_TAKE_OVERS]),
               (long long)counters[COUNTER_TAKE_OVER_MS_MAX], SESSION_MS);
    }
}

static bool
arguments_are_known(void)
{
    bool is_known = only_step == NULL;
    for (int step = 0; step < STEP_COUNT; step++) {
        is_known = is_known || strcmp(only_step, steps[step].name) == 0;
    }
    return is_known && (only_kind == NULL || strcmp(only_kind, "static") == 0 ||
                        strcmp(only_kind, "group") == 0);
}

int
main(int argc, char **argv)
{
    disturbed_arguments(argc > 4 ? 4 : argc, argv, 1);
    only_step = argc > 4 ? argv[4] : NULL;
    only_kind = argc > 5 ? argv[5] : NULL;
    if (!arguments_are_known()) {
        fprintf(stderr, "%s: no step '%s', or neither static nor group\n", argv[0], only_step);
        return 64;
    }
    const int verdict = test_broker_find(&site_broker);
    if (verdict >= 0) {
        return verdict;
    }
    test_broker_start(&site_broker);
    disturbed_begin();
    int failed = disturbed_lanes(LANES, lane_run);
    failed += failed == 0 && only_step == NULL ? disturbed_lanes(1, take_overs) : 0;
    report();
    printf("%s\n", failed == 0 ? "0 zombie records: every site is as if undisturbed" : "FAILED");
    disturbed_end(failed);
    if (failed == 0) {
        test_broker_fini(&site_broker);
    } else {
        test_broker_kill(&site_broker);
    }
    return failed != 0;
}
