/* One instance: a process that runs the real loop on a fiber, dies, and is started again. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "loop/fault.h"
#include "sim.h"

/* ---- memory ----
 *
 * The shards of an instance that died are taken back in order: gf_shard_free gives back everything
 * they have. Blocks are kept for the next, since asking the system for them costs more than a run.
 */

#define POOL_MAX 64

static struct {
    void *memory;
    size_t size;
} pool[POOL_MAX];

static void *
reserve(size_t size)
{
    for (uint32_t i = 0; i < POOL_MAX; i++) {
        if (pool[i].memory != NULL && pool[i].size == size) {
            void *memory = pool[i].memory;
            pool[i].memory = NULL;
            return memory;
        }
    }
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void
release(void *memory, size_t size)
{
    for (uint32_t i = 0; i < POOL_MAX; i++) {
        if (pool[i].memory == NULL) {
            madvise(memory, size, MADV_DONTNEED); /* zero again */
            pool[i].memory = memory;
            pool[i].size = size;
            return;
        }
    }
    munmap(memory, size);
}

struct gf_shard_options
instance_shard_options(const struct sim *sim, uint32_t shard)
{
    const struct lab *lab = &sim->world->lab;
    return (struct gf_shard_options){
        .shard = shard,
        .shard_count = sim->shard_count,
        .stages = GF_STAGES_CUSTOMER,
        .is_arrival = sim->world->is_arrival,
        .customers_max =
            sim->seed % 2 == 0 ? 256 : 12 * 1024, /* 256: memory is always nearly full */
        .timers_max = 1024,
        .batch_records = (uint32_t)lab->config->batch_records,
        .sweep_records = lab->config->sweep.records,
        .start = GF_TIME_NONE,
        .config = lab->config,
        .zones = &lab->zones,
        .reserve = reserve,
        .release = release,
    };
}

/* ---- what the loop asks for ---- */

static struct gf_time
clock_now(struct gf_clock *clock)
{
    const struct sim_instance *instance =
        (struct sim_instance *)((char *)clock - offsetof(struct sim_instance, clock));
    return (struct gf_time){LAB_WORLD_START.us + instance->sim->wall_us + instance->sim->now_us};
}

static int64_t
clock_monotonic(struct gf_clock *clock)
{
    const struct sim_instance *instance =
        (struct sim_instance *)((char *)clock - offsetof(struct sim_instance, clock));
    return instance->sim->now_us;
}

static void
clock_sleep(struct gf_clock *clock, struct gf_duration duration)
{
    sim_pass((struct sim_instance *)((char *)clock - offsetof(struct sim_instance, clock)),
             duration.us);
}

static bool
must_stop(void *context)
{
    const struct sim_instance *instance = context;
    return instance->is_asked_to_stop || instance->sim->is_stopping;
}

static enum gf_rc
sink_open(void *context, struct gf_sink **out, struct gf_error *error)
{
    return sim_sink_open(context, out, error);
}

static enum gf_rc
group_open(void *context, struct gf_group **out, struct gf_error *error)
{
    return sim_group_open(context, out, error);
}

static enum gf_rc
shard_open(void *context, uint32_t id, struct gf_shard **out, struct gf_error *error)
{
    struct sim_instance *instance = context;
    struct gf_shard_options options = instance_shard_options(instance->sim, id);
    options.instance = instance->name;
    options.transactional_id = instance->sim->ids[instance->index].name;
    const enum gf_rc rc =
        gf_shard_new(&options, &instance->source, &instance->sim->world->lab.lookup,
                     &instance->stores, &instance->shards[id], error);
    *out = instance->shards[id];
    return rc;
}

static void
shard_close(void *context, struct gf_shard *shard)
{
    struct sim_instance *instance = context;
    for (uint32_t i = 0; i < instance->sim->shard_count; i++) {
        if (instance->shards[i] == shard) {
            gf_shard_free(shard);
            instance->shards[i] = NULL;
        }
    }
}

static enum gf_rc
fence(void *context, const char *transactional_id, struct gf_error *error)
{
    return sim_fence(context, transactional_id, error);
}

static void
note(void *context, enum gf_live_note what, uint32_t value, const char *text)
{
    struct sim_instance *instance = context;
    if (what == GF_LIVE_TAKEN) {
        SIM_TRACE(instance->sim, "%s: shard %u is live at batch %lld", instance->name, value,
                  (long long)gf_shard_batch(instance->shards[value]));
        audit_take_over(instance, value);
    } else if (what == GF_LIVE_HELD_UP) {
        SIM_TRACE(instance->sim, "%s: shard %u is held up: %s", instance->name, value, text);
        instance->has_told[value] = true;
        instance->sim->counts[SIM_HELD_UP]++;
    } else if (what == GF_LIVE_REVOKED) {
        SIM_TRACE(instance->sim, "%s: its shards are %s", instance->name, text);
    }
}

static void
warn(void *context, enum gf_rc rc, const char *text, int64_t retry_us)
{
    struct sim_instance *instance = context;
    instance->has_stopped_short = instance->sim->is_stopping;
    SIM_TRACE(instance->sim, "%s: %s: %s; again in %.3f s", instance->name, gf_rc_name(rc), text,
              (double)retry_us / 1e6);
}

static void
show(void *context, const struct gf_live_status *status)
{
    ((struct sim_instance *)context)->status = *status;
}

static void
run(void *context)
{
    static const uint32_t ids[] = {0, 1, 2, 3, 4, 5};
    struct sim_instance *instance = context;
    struct sim *sim = instance->sim;
    uint32_t slots[SIM_SHARDS_MAX], count = 0;
    for (uint32_t i = 0; i < sim->shard_count; i++) {
        if (i % sim->instance_count == instance->index) {
            slots[count++] = i;
        }
    }
    const struct lab *lab = &sim->world->lab;
    const struct gf_live_options options = {
        .shards = sim->is_fixed ? slots : ids,
        .shard_count = sim->is_fixed ? count : sim->shard_count,
        .is_standby = instance->is_standby,
        .is_arrival = sim->world->is_arrival,
        .commit_interval = lab->config->commit.interval,
        .commit_batches = (uint32_t)lab->config->commit.batches,
        .idle_advance = {sim->world->is_arrival && sim->seed % 4 == 1 ? 400 * 1000 : 0},
        .heartbeat = {sim->seed % 3 == 0 ? 20 * GF_US_PER_S : 0},
        .clock = &instance->clock,
        .context = instance,
        .must_stop = must_stop,
        .group_open = sim->is_fixed ? NULL : group_open,
        .sink_open = sink_open,
        .shard_open = shard_open,
        .shard_close = shard_close,
        .fence = fence,
        .show = show,
        .note = note,
        .warn = warn,
    };
    instance->rc = gf_live_run(&options, &instance->status, &instance->error);
}

/* ---- life and death ---- */

static void
start(struct sim *sim, const struct sim_event *event)
{
    struct sim_instance *instance = event->who;
    if (sim->is_failed || instance->state != SIM_DOWN) {
        return;
    }
    SIM_TRACE(sim, "%s starts", instance->name);
    instance->state = SIM_UP;
    instance->is_doomed = instance->is_asked_to_stop = instance->is_paused = false;
    instance->has_stopped_short = false;
    instance->ready_us = sim->now_us;
    instance->error.text[0] = '\0';
    instance->status = (struct gf_live_status){0};
    instance->life++;
    memset(instance->asked_us, 0, sizeof(instance->asked_us));
    memset(instance->has_told, 0, sizeof(instance->has_told));
    fiber_set(&instance->fiber, run, instance);
}

/* Nothing may be drawn from inside: what its sinks sent may still land. */
static void
shards_free(struct sim_instance *instance)
{
    for (uint32_t i = 0; i < instance->sim->shard_count; i++) {
        gf_shard_free(instance->shards[i]);
        instance->shards[i] = NULL;
    }
}

static void
ended(struct sim_instance *instance)
{
    struct sim *sim = instance->sim;
    const bool is_clean = instance->rc == GF_OK || instance->rc == GF_E_FENCED ||
                          instance->rc == GF_E_UNAVAILABLE || instance->rc == GF_E_STATE ||
                          gf_rc_action(instance->rc) == GF_ACTION_ABORT;
    if (!is_clean) {
        sim_fail(sim, "%s stopped with %s: %s", instance->name, gf_rc_name(instance->rc),
                 instance->error.text);
    }
    SIM_TRACE(sim, "%s ends: %s %s", instance->name,
              instance->rc == GF_OK ? "OK" : gf_rc_name(instance->rc), instance->error.text);
    if (sim->is_stopping && instance->rc == GF_OK && !instance->has_stopped_short) {
        instance->state = SIM_ENDED;
    } else if (sim->is_stopping) {
        sim_go_on(sim);
    }
}

void
instance_restart(struct sim_instance *instance, int64_t us)
{
    instance->state = SIM_DOWN;
    instance->still_since_us = instance->sim->now_us;
    sim_event(instance->sim, instance->sim->now_us + us,
              (struct sim_event){.run = start, .who = instance});
}

void
instance_step(struct sim_instance *instance)
{
    struct sim *sim = instance->sim;
    sim->running = instance;
    fiber_resume(&instance->fiber);
    sim->running = NULL;
    const bool is_over = instance->fiber.is_done;
    if (!is_over && !instance->is_doomed) {
        return;
    }
    instance->state = SIM_DOWN;
    instance->still_since_us = sim->now_us;
    if (is_over) {
        ended(instance);
    }
    shards_free(instance);
    sim_sinks_orphan(instance);
    if (instance->state == SIM_ENDED) {
        return;
    }
    if (instance->is_doomed) {
        sim->counts[SIM_CRASHES]++;
        sim_disks_crash(instance);
    }
    const int64_t away_us = sim_chance(sim, sim->weather.long_death) ? 150 * GF_US_PER_S
                            : sim_below(sim, 3) == 0                 ? 30 * GF_US_PER_S
                                                                     : GF_US_PER_S;
    instance_restart(instance, (int64_t)sim_below(sim, (uint64_t)away_us));
}

void
instance_open(struct sim *sim, uint32_t index)
{
    static struct fiber fibers[SIM_INSTANCES_MAX]; /* their stacks are kept */
    struct sim_instance *instance = &sim->instances[index];
    *instance = (struct sim_instance){
        .sim = sim,
        .index = index,
        .state = SIM_DOWN,
        .fiber = fibers[index],
        .clock = {.now = clock_now, .monotonic_us = clock_monotonic, .sleep = clock_sleep},
        .is_standby = !sim->is_fixed && sim_below(sim, 3) == 0,
    };
    fiber_set(&instance->fiber, run, instance);
    fibers[index].stack = instance->fiber.stack;
    snprintf(instance->name, sizeof(instance->name), "%c", 'A' + (int)index);
    sim_source_init(instance);
    sim_disks_open(instance);
    sim_event(sim, (int64_t)sim_below(sim, GF_US_PER_S),
              (struct sim_event){.run = start, .who = instance});
}

void
instance_close(struct sim_instance *instance)
{
    shards_free(instance);
    sim_disks_close(instance);
}
