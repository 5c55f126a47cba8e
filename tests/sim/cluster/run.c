/* One seed from beginning to end. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loop/fault.h"
#include "sim.h"

#define WORLDS_MAX  24
#define TICK_US     (200 * 1000)
#define HANG_US     (240 * GF_US_PER_S) /* of calm: then an operator looks for what hangs */
#define PATIENCE_US (900 * GF_US_PER_S) /* of calm: what is not done by then is never done */

static struct sim_world *worlds[WORLDS_MAX];
static struct sim sim_static; /* one at a time: it is large */

static const char config_text[] = "partitions: %u\n"
                                  "batch_records: 8\n"
                                  "order: %s\n"
                                  "commit: {batches: 2}\n"
                                  "sweep: {records: %u}\n";

/* An old debt of each customer, overdue before the world begins; in its first hour some pay it,
 * some pay a part. In order of time, and before all others of their topics. */
static void
debts_add(struct lab *lab, uint64_t seed, uint32_t customers)
{
    struct gf_random random = {.seed = seed, .stream = 4};
    char name[32], id[48];
    for (uint32_t i = 0; i < customers; i++) {
        snprintf(name, sizeof(name), "customer-%u", i);
        snprintf(id, sizeof(id), "D-%u", i);
        const int64_t due = LAB_WORLD_START.us - 90 * GF_US_PER_MINUTE;
        lab_add_invoice(lab, name, id, (struct gf_time){due - 4 * GF_US_PER_DAY}, "EUR");
    }
    for (int64_t minute = 1; minute < 50; minute++) {
        const uint64_t who = gf_random_next(&random) % 16;
        if (who < customers) {
            snprintf(name, sizeof(name), "customer-%u", (unsigned)who);
            snprintf(id, sizeof(id), "D-%u", (unsigned)minute);
            lab_add_payment(lab, name, id,
                            (struct gf_time){LAB_WORLD_START.us + minute * GF_US_PER_MINUTE},
                            (int64_t)(1 + gf_random_next(&random) % 3) * 20500000);
        }
    }
}

static struct sim_world *
world_of(uint64_t seed)
{
    const uint64_t index = seed % WORLDS_MAX;
    if (worlds[index] != NULL) {
        return worlds[index];
    }
    struct sim_world *world = calloc(1, sizeof(*world));
    if (world == NULL) {
        abort();
    }
    world->seed = index;
    world->is_arrival = index % 3 == 2;
    char text[256];
    snprintf(text, sizeof(text), config_text, (unsigned)(3 + index % 3),
             world->is_arrival ? "arrival" : "canonical", (unsigned)(100 + index * 40));
    lab_open(&world->lab, text);
    const struct lab_world what = {.seed = index + 1,
                                   .customers = 5 + (uint32_t)(index % 4),
                                   .days = 3,
                                   .interval_s = 7200,
                                   .has_trouble = true};
    debts_add(&world->lab, index, what.customers);
    lab_world_add(&world->lab, &what);
    if (!world->is_arrival && lab_run(&world->lab) != GF_OK) {
        fprintf(stderr, "the undisturbed run of world %u: %s\n", (unsigned)index,
                world->lab.error.text);
        exit(70);
    }
    lab_crash(&world->lab, NULL); /* its shards; log and store stay */
    worlds[index] = world;
    return world;
}

void
sim_end(void)
{
    for (uint32_t i = 0; i < WORLDS_MAX; i++) {
        if (worlds[i] != NULL) {
            lab_close(&worlds[i]->lab);
            free(worlds[i]);
            worlds[i] = NULL;
        }
    }
    sim_end_chunks();
}

/* A chance of one in `usual`, more or less, or never: each seed has other weather. */
static uint32_t
chance(struct sim *sim, uint32_t usual)
{
    return sim_below(sim, 3) == 0 ? 0 : 1 + (uint32_t)sim_below(sim, 2 * usual);
}

static void
weather_make(struct sim *sim)
{
    sim->weather = (struct sim_weather){
        .crash = chance(sim, 800),
        .pause = chance(sim, 600),
        .stop = chance(sim, 4000),
        .slow_marker = chance(sim, 20),
        .slow_send = chance(sim, 40),
        .lost_send = chance(sim, 60),
        .txn_error = chance(sim, 400),
        .commit_trouble = chance(sim, 20),
        .repeat = chance(sim, 20),
        .read_error = chance(sim, 600),
        .rebalance = chance(sim, 30),
        .machine = chance(sim, 2),
        .disk_lost = chance(sim, 6),
        .disk_damaged = chance(sim, 6),
        .reordered = chance(sim, 4),
        .move = chance(sim, 100),
        .hanging = chance(sim, 30),
        .long_death = chance(sim, 10),
        .snapshot = chance(sim, 40),
        .snapshot_damaged = chance(sim, 4),
        .linger = chance(sim, 10),
        .clock_jump = chance(sim, 2000),
    };
    sim->txn_us = (sim_below(sim, 4) == 0 ? 6 : 60) * GF_US_PER_S;
    sim->faults_left = 2 + (uint32_t)sim_below(sim, 24);
    sim->calm_at_us = (int64_t)(20 + sim_below(sim, 100)) * GF_US_PER_S;
}

/* Everybody runs, knows what it owns, and is live with it. */
static bool
is_settled(const struct sim *sim)
{
    bool is = !sim->group.is_preparing;
    for (uint32_t i = 0; i < sim->instance_count; i++) {
        const struct sim_instance *instance = &sim->instances[i];
        const struct sim_member *member = &sim->group.members[i];
        uint32_t owned = 0;
        for (uint32_t shard = 0; shard < sim->shard_count; shard++) {
            owned += sim_owner(sim, shard) == i;
        }
        is = is && instance->state == SIM_UP && !instance->is_paused &&
             instance->status.live == owned &&
             (sim->is_fixed || (member->is_there && member->told == sim->group.generation &&
                                instance->status.generation == sim->group.generation));
    }
    return is;
}

/* One that failed while it stopped must come back, and so must those who went before it. */
void
sim_go_on(struct sim *sim)
{
    sim->is_stopping = false;
    for (uint32_t i = 0; i < sim->instance_count; i++) {
        if (sim->instances[i].state == SIM_ENDED) {
            instance_restart(&sim->instances[i], GF_US_PER_S);
        }
    }
}

static void
tick(struct sim *sim, const struct sim_event *event)
{
    broker_tick(sim);
    if (!sim->is_fixed) {
        group_tick(sim);
    }
    const bool is_calm = sim->now_us >= sim->calm_at_us || sim->faults_left == 0;
    if (!sim->is_stopping && is_calm && audit_is_drained(sim) && is_settled(sim)) {
        SIM_TRACE(sim, "all is done: everybody is asked to stop");
        sim->is_stopping = true;
        sim->calm_at_us = sim->now_us;
    }
    if (sim->now_us > sim->calm_at_us + HANG_US && !sim->is_failed) {
        audit_hanging(sim);
        sim->calm_at_us = broker_unhang(sim) > 0 ? sim->now_us : sim->calm_at_us;
    }
    if (sim->now_us > sim->calm_at_us + PATIENCE_US) {
        sim_fail(sim, "not done %" PRId64 " s after the last fault (P4)",
                 PATIENCE_US / GF_US_PER_S);
    }
    sim_event(sim, sim->now_us + TICK_US, *event);
}

static void
point(enum gf_point at)
{
    (void)at;
    if (sim_static.running != NULL) {
        sim_pass(sim_static.running, 1);
    }
}

struct sim_result
sim_run(uint64_t seed, bool is_traced)
{
    struct sim *sim = &sim_static;
    memset(sim, 0, sizeof(*sim));
    sim->seed = seed;
    sim->random = (struct gf_random){.seed = seed, .stream = 9};
    sim->world = world_of(seed);
    sim->is_traced = is_traced;
    sim->shard_count = sim->world->lab.shard_count;
    sim->instance_count = 2 + (uint32_t)sim_below(sim, 2);
    sim->is_fixed = sim_below(sim, 8) == 0;
    sim->wall_us = 4 * GF_US_PER_DAY; /* the world is past */
    weather_make(sim);
    broker_open(sim);
    group_init(sim);
    for (uint32_t i = 0; i < sim->instance_count; i++) {
        instance_open(sim, i);
    }
    sim_event(sim, TICK_US, (struct sim_event){.run = tick});
    gf_point_hook = point;
    sim_loop(sim);
    gf_point_hook = NULL;
    if (!sim->is_failed) {
        final_check(sim);
    }
    if (!sim->is_failed) {
        model_check(sim);
    }
    struct sim_result result = {
        .is_ok = !sim->is_failed, .simulated_us = sim->now_us, .calls = sim->steps};
    memcpy(result.failure, sim->failure, sizeof(result.failure));
    memcpy(result.counts, sim->counts, sizeof(result.counts));
    for (uint32_t i = 0; i < sim->instance_count; i++) {
        instance_close(&sim->instances[i]);
    }
    sim_snapshots_close(sim);
    sim_sinks_free(sim);
    sim_groups_free(sim);
    broker_close(sim);
    return result;
}
