#include "sim.h"

#include <inttypes.h>
#include <string.h>

#include "loop/fault.h"

#define CALLS_MAX 3000000

uint64_t
sim_below(struct sim *sim, uint64_t limit)
{
    return ((gf_random_next(&sim->random) >> 32) * limit) >> 32;
}

bool
sim_chance(struct sim *sim, uint32_t chance)
{
    if (chance == 0 || sim->faults_left == 0 || sim->now_us >= sim->calm_at_us ||
        sim_below(sim, chance) != 0) {
        return false;
    }
    sim->faults_left--;
    return true;
}

int64_t
sim_delay(struct sim *sim, int64_t usual_us, uint32_t slow, int64_t slow_us)
{
    const bool is_slow = slow > 0 && sim->now_us < sim->calm_at_us && sim_below(sim, slow) == 0;
    return 1 + (int64_t)sim_below(sim, (uint64_t)(is_slow ? slow_us : usual_us));
}

/* ---- events ---- */

static bool
is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

void
sim_event(struct sim *sim, int64_t due_us, struct sim_event event)
{
    if (sim->event_count == SIM_EVENTS_MAX) {
        sim_fail(sim, "the simulation has too many events under way");
        return;
    }
    event.due_us = due_us;
    event.order = sim->orders++;
    uint32_t at = sim->event_count++;
    for (; at > 0 && is_before(&event, &sim->events[(at - 1) / 2]); at = (at - 1) / 2) {
        sim->events[at] = sim->events[(at - 1) / 2];
    }
    sim->events[at] = event;
}

static struct sim_event
event_take(struct sim *sim)
{
    const struct sim_event first = sim->events[0], last = sim->events[--sim->event_count];
    uint32_t at = 0;
    for (uint32_t child = 1; child < sim->event_count; child = 2 * at + 1) {
        if (child + 1 < sim->event_count &&
            is_before(&sim->events[child + 1], &sim->events[child])) {
            child++;
        }
        if (!is_before(&sim->events[child], &last)) {
            break;
        }
        sim->events[at] = sim->events[child];
        at = child;
    }
    sim->events[at] = last;
    return first;
}

/* ---- time ---- */

/* Runs events up to the moment at which an instance is the next to go on; NULL: the run is over. */
static struct sim_instance *
next_instance(struct sim *sim)
{
    while (!sim->is_failed) {
        struct sim_instance *next = NULL;
        for (uint32_t i = 0; i < sim->instance_count; i++) {
            struct sim_instance *instance = &sim->instances[i];
            if (instance->state == SIM_UP &&
                (next == NULL || instance->ready_us < next->ready_us)) {
                next = instance;
            }
        }
        if (sim->event_count > 0 && (next == NULL || sim->events[0].due_us <= next->ready_us)) {
            const struct sim_event event = event_take(sim);
            sim->now_us = event.due_us > sim->now_us ? event.due_us : sim->now_us;
            event.run(sim, &event);
            bool is_over = sim->is_stopping;
            for (uint32_t i = 0; i < sim->instance_count; i++) {
                is_over = is_over && sim->instances[i].state == SIM_ENDED;
            }
            if (is_over && broker_is_quiet(sim)) {
                return NULL;
            }
            continue;
        }
        if (next != NULL) {
            sim->now_us = next->ready_us > sim->now_us ? next->ready_us : sim->now_us;
        }
        return next;
    }
    return NULL;
}

void
sim_loop(struct sim *sim)
{
    struct sim_instance *next = NULL;
    while ((next = next_instance(sim)) != NULL) {
        instance_step(next);
    }
}

static void
faults_draw(struct sim *sim, struct sim_instance *instance)
{
    const struct sim_weather *weather = &sim->weather;
    if (sim_chance(sim, weather->crash)) {
        SIM_TRACE(sim, "%s dies", instance->name);
        instance->is_doomed = true;
    } else if (sim_chance(sim, weather->pause)) {
        const int64_t us = (int64_t)sim_below(sim, 4) == 0
                               ? (int64_t)sim_below(sim, 90 * GF_US_PER_S)
                               : (int64_t)sim_below(sim, 25 * GF_US_PER_S);
        SIM_TRACE(sim, "%s is stopped for %.3f s", instance->name, (double)us / 1e6);
        instance->ready_us += us;
        instance->is_paused = true;
        instance->still_since_us = sim->now_us;
        sim->counts[SIM_PAUSES]++;
    } else if (sim_chance(sim, weather->stop)) {
        SIM_TRACE(sim, "%s is asked to stop", instance->name);
        instance->is_asked_to_stop = true;
    } else if (sim_chance(sim, weather->clock_jump)) {
        sim->wall_us += (int64_t)sim_below(sim, 7200 * GF_US_PER_S) - 3600 * GF_US_PER_S;
        SIM_TRACE(sim, "the wall clock jumps");
    }
}

void
sim_pass(struct sim_instance *instance, int64_t us)
{
    struct sim *sim = instance->sim;
    if (sim->running == NULL) {
        return; /* a check, when the run is over */
    }
    instance->ready_us = sim->now_us + us;
    if (++sim->steps > CALLS_MAX) {
        sim_fail(sim, "no end after %d calls: nothing gets on (P4)", CALLS_MAX);
    }
    faults_draw(sim, instance);
    if (sim->is_failed || instance->is_doomed) {
        fiber_leave(&instance->fiber); /* never to come back */
    }
    if (next_instance(sim) != instance) { /* it is asked again from there */
        fiber_leave(&instance->fiber);
    }
    instance->is_paused = false;
}

/* ---- words ---- */

void
sim_fail(struct sim *sim, const char *format, ...)
{
    if (sim->is_failed) {
        return;
    }
    sim->is_failed = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sim->failure, sizeof(sim->failure), format, arguments);
    va_end(arguments);
    SIM_TRACE(sim, "FAILED: %s", sim->failure);
}

void
sim_trace(struct sim *sim, const char *format, ...)
{
    va_list arguments;
    printf("%11.6f ", (double)sim->now_us / 1e6);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}
