/* Kills at each named point:  test_points GRIDFOLD PUBLISH [KILLS]
 *
 * An instance dies at a point of lib/loop/fault.h; it, or in a group another one with a store of
 * its own, goes on, and dies at the next one, until the input is at its end. What is then on the
 * broker is what an undisturbed run writes, byte for byte. Every point gets KILLS kills that really
 * happened there. Seed and lane choose what comes after what. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "disturbed.h"
#include "loop/fault.h"

#define LANES           2
#define MISSES_MAX      12 /* of a lane, since the last kill */
#define COUNTER_SITES   GF_POINT_COUNT
#define COUNTER_STARTS  (GF_POINT_COUNT + 1)
#define SHARDS_LIVE_MS  60000
#define SIGNAL_AFTER_MS 400

/* A point is passed this often in a run that gets far: kills are spread over so many passes. */
static const int spread[GF_POINT_COUNT] = {
    [GF_POINT_AFTER_POLL] = 1,
    [GF_POINT_MID_BATCH] = 60,
    [GF_POINT_BEFORE_PRODUCE] = 15,
    [GF_POINT_PRODUCED] = 15,
    [GF_POINT_FLUSHED] = 15,
    [GF_POINT_OFFSETS_SENT] = 15,
    [GF_POINT_COMMITTED] = 15,
    [GF_POINT_IN_SWEEP] = 100,
    [GF_POINT_IN_WRITE_BATCH] = 100,
    [GF_POINT_IN_SNAPSHOT] = 2,
    [GF_POINT_BETWEEN_SNAPSHOT_FILES] = 8,
    [GF_POINT_IN_RESTORE] = 4,
    [GF_POINT_IN_RECOVERY] = 6,
    [GF_POINT_IN_REBALANCE] = 1,
    [GF_POINT_IN_SHUTDOWN] = 1,
};

struct lane {
    struct gf_random *random;
    int left[GF_POINT_COUNT]; /* kills that are still to be done */
    int misses;
};

struct round {
    struct site site;
    struct instance instances[2];
    bool is_group;
    int kills;
};

static bool
has_snapshot(const struct round *round)
{
    char command[512];
    snprintf(command, sizeof(command), "ls '%s/%s.snapshots'/*/*.snapshot >/dev/null 2>&1",
             site_work, round->site.name);
    return system(command) == 0;
}

static void
store_remove(const struct round *round, const struct instance *instance)
{
    char command[512];
    snprintf(command, sizeof(command), "rm -rf '%s/%s.%c.state'", site_work, round->site.name,
             instance == &round->instances[0] ? 'a' : 'b');
    assert_int_equal(system(command), 0);
}

/* A point that is left and can be reached here; -1: none is left. */
static int
point_choose(struct lane *lane, const struct round *round)
{
    int choice[GF_POINT_COUNT], count = 0;
    for (int point = 0; point < GF_POINT_COUNT; point++) {
        const bool is_possible = (point != GF_POINT_IN_REBALANCE || round->is_group) &&
                                 (point != GF_POINT_IN_RESTORE || has_snapshot(round)) &&
                                 (point != GF_POINT_IN_RECOVERY || round->kills > 0);
        if (lane->left[point] > 0 && is_possible) {
            choice[count++] = point;
        }
    }
    return count == 0 ? -1 : choice[disturbed_below(lane->random, count)];
}

/* Runs the instance to its death at the point; false: it came to the end of the input before. */
static bool
killed_at(struct lane *lane, struct round *round, struct instance *instance, int point)
{
    char text[80];
    const int passes = spread[point] >> lane->misses;
    const int nth = 1 + disturbed_below(lane->random, passes > 0 ? passes : 1);
    snprintf(text, sizeof(text), "%s:%d", gf_point_name((enum gf_point)point), nth);
    if (point == GF_POINT_IN_RESTORE) {
        store_remove(round, instance);
    }
    instance_start(instance, "run --exit-at-end", text);
    disturbed_count(COUNTER_STARTS, 1);
    int code = -1;
    if (point == GF_POINT_IN_SHUTDOWN &&
        instance_wait_lines(instance, "shard_live", 1, SHARDS_LIVE_MS)) {
        code = test_program_wait_ms(&instance->program,
                                    disturbed_below(lane->random, SIGNAL_AFTER_MS));
        test_program_signal(&instance->program, SIGTERM);
    }
    code = code >= 0 ? code : test_program_wait(&instance->program);
    if (code != 0 && code != 128 + SIGKILL) {
        snprintf(text, sizeof(text), "%s: exit code %d", gf_point_name((enum gf_point)point), code);
        instance_fail(instance, text);
    }
    if (code == 0) {
        return false;
    }
    round->kills++;
    if (lane->left[point] > 0) {
        lane->left[point]--;
        disturbed_count(point, 1);
    }
    return true;
}

static bool
has_left(const struct lane *lane)
{
    int left = 0;
    for (int point = 0; point < GF_POINT_COUNT; point++) {
        left += lane->left[point];
    }
    return left > 0;
}

static void
round_of_kills(struct lane *lane, const char *name)
{
    char more[400];
    struct round round = {.is_group = disturbed_below(lane->random, 3) > 0};
    snprintf(more, sizeof(more), "snapshot: {folder: %s.snapshots, interval: 100ms, keep: 2}\n%s",
             name, round.is_group ? "assignment: group\n" : "");
    disturbed_site(&round.site, name, "  session_timeout: 1s\n  transaction_timeout: 10s\n", more,
                   false);
    instance_make(&round.instances[0], &round.site, 'a', round.is_group);
    instance_make(&round.instances[1], &round.site, 'b', round.is_group);
    int who = 0;
    for (;;) {
        int point = point_choose(lane, &round);
        if (point < 0 && !has_left(lane)) {
            break;
        }
        /* What is left needs something to restore or to recover: one more than was asked for. */
        point = point < 0 ? GF_POINT_COMMITTED : point;
        if (killed_at(lane, &round, &round.instances[who], point)) {
            lane->misses = 0;
        } else if (++lane->misses > MISSES_MAX) {
            fail_msg("%s is not reached", gf_point_name((enum gf_point)point));
        } else {
            break;
        }
        /* A second one with the same ids (fixed slots) takes over just so. */
        who = disturbed_below(lane->random, 4) == 0 ? 1 - who : who;
    }
    disturbed_settle(&round.instances[who]);
    disturbed_count(COUNTER_SITES, 1);
    printf("%s: %d kills, %s: equal\n", name, round.kills, round.is_group ? "group" : "static");
}

static void
lane_run(int index, struct gf_random *random)
{
    struct lane lane = {.random = random};
    for (int point = 0; point < GF_POINT_COUNT; point++) {
        /* A single kill of each is shared out as well. */
        lane.left[point] =
            disturbed.repeats / LANES + ((point + index) % LANES < disturbed.repeats % LANES);
    }
    for (int round = 1; has_left(&lane); round++) {
        char name[32];
        snprintf(name, sizeof(name), "points-%d-%d", index, round);
        round_of_kills(&lane, name);
    }
}

int
main(int argc, char **argv)
{
    disturbed_arguments(argc, argv, 1);
    const int verdict = test_broker_find(&site_broker);
    if (verdict >= 0) {
        return verdict;
    }
    test_broker_start(&site_broker);
    disturbed_begin();
    int failed = disturbed_lanes(LANES, lane_run);
    for (int point = 0; point < GF_POINT_COUNT; point++) {
        const int64_t kills = disturbed.counters[point];
        printf("%-24s %4lld kills\n", gf_point_name((enum gf_point)point), (long long)kills);
        failed += failed == 0 && kills != disturbed.repeats;
    }
    printf("%lld starts, %lld sites compared: %s\n", (long long)disturbed.counters[COUNTER_STARTS],
           (long long)disturbed.counters[COUNTER_SITES],
           failed == 0 ? "0 lost, 0 doubled, 0 different bytes" : "FAILED");
    disturbed_end(failed);
    if (failed == 0) {
        test_broker_fini(&site_broker);
    } else {
        test_broker_kill(&site_broker);
    }
    return failed != 0;
}
