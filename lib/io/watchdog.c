#include "io/watchdog.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/watchdog_look.h"

#define LOOKS_PER_LIMIT 16
#define LOOK_US_MAX     GF_US_PER_S
#define LOOK_US_MIN     1000

struct gf_watchdog {
    struct gf_watchdog_watch watch;
    struct gf_clock *clock;
    pthread_t thread;
    pthread_mutex_t mutex; /* of stop_is_wanted */
    pthread_cond_t wake;
    bool stop_is_wanted;
};

static int64_t
look_every_us(int64_t limit_us)
{
    const int64_t every_us = limit_us / LOOKS_PER_LIMIT;
    return every_us < LOOK_US_MIN ? LOOK_US_MIN : every_us > LOOK_US_MAX ? LOOK_US_MAX : every_us;
}

void
gf_watchdog_watch_init(struct gf_watchdog_watch *watch, struct gf_duration limit, int64_t now_us)
{
    assert(limit.us > 0);
    memset(watch, 0, sizeof(*watch));
    watch->limit_us = limit.us;
    watch->step_max_us = 2 * look_every_us(limit.us);
    watch->last_us = now_us;
}

void
gf_watchdog_slot_enter(struct gf_watchdog_slot *slot, const char *what)
{
    const uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_relaxed);
    assert(turn % 2 == 0);
    atomic_store_explicit(&slot->what, what, memory_order_relaxed);
    atomic_store_explicit(&slot->turn, turn + 1, memory_order_release);
}

void
gf_watchdog_slot_leave(struct gf_watchdog_slot *slot)
{
    const uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_relaxed);
    assert(turn % 2 == 1);
    atomic_store_explicit(&slot->turn, turn + 1, memory_order_release);
}

/* A gap between two looks counts as two looks at most: the process was stopped, or had no CPU. */
const char *
gf_watchdog_look(struct gf_watchdog_watch *watch, int64_t now_us, struct gf_duration *inside_out)
{
    const int64_t gap_us = now_us - watch->last_us;
    const int64_t step_us = gap_us > watch->step_max_us ? watch->step_max_us : gap_us;
    const char *found = NULL;
    watch->last_us = now_us;
    for (size_t index = 0; index < GF_WATCHDOG_SLOTS_MAX; index++) {
        struct gf_watchdog_slot *const slot = &watch->slots[index];
        const uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
        const char *const what = atomic_load_explicit(&slot->what, memory_order_acquire);
        if (turn % 2 == 0 || turn != slot->seen) {
            slot->seen = turn;
            slot->inside_us = 0;
            continue;
        }
        slot->inside_us += step_us;
        /* Asked again, so that the name is that of this turn. */
        if (found == NULL && slot->inside_us >= watch->limit_us &&
            atomic_load_explicit(&slot->turn, memory_order_acquire) == turn) {
            found = what;
            *inside_out = (struct gf_duration){slot->inside_us};
        }
    }
    return found;
}

/* Not by exit, whose handlers may wait for the very call that hangs; nor by stdio, whose lock the
 * hanging thread may hold. */
static _Noreturn void
process_end(const char *what, struct gf_duration inside)
{
    char text[256];
    const int size =
        snprintf(text, sizeof(text),
                 "gridfold: '%s' has not returned for %lld s; this process ends, because it would "
                 "hang with its shards; start it again, it will recover\n",
                 what, (long long)(inside.us / GF_US_PER_S));
    if (size > 0) {
        const ssize_t written = write(STDERR_FILENO, text, strnlen(text, sizeof(text)));
        (void)written;
    }
    _exit(GF_WATCHDOG_EXIT);
}

static bool
wait_for_stop(struct gf_watchdog *self, int64_t wait_us)
{
    struct timespec until = {0};
    clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t ns = until.tv_nsec + wait_us % GF_US_PER_S * 1000;
    until.tv_sec += wait_us / GF_US_PER_S + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&self->mutex);
    int failure = 0;
    while (!self->stop_is_wanted && failure != ETIMEDOUT) {
        failure = pthread_cond_timedwait(&self->wake, &self->mutex, &until);
    }
    const bool stop_is_wanted = self->stop_is_wanted;
    pthread_mutex_unlock(&self->mutex);
    return stop_is_wanted;
}

static void *
watch_run(void *context)
{
    struct gf_watchdog *const self = context;
    while (!wait_for_stop(self, self->watch.step_max_us / 2)) {
        struct gf_duration inside = {0};
        const char *const what =
            gf_watchdog_look(&self->watch, self->clock->monotonic_us(self->clock), &inside);
        if (what != NULL) {
            process_end(what, inside);
        }
    }
    return NULL;
}

/* Signals are for the thread that asks for them. */
static int
thread_start(struct gf_watchdog *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&self->thread, NULL, watch_run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

static void
watchdog_free(struct gf_watchdog *self)
{
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

enum gf_rc
gf_watchdog_start(struct gf_duration limit, struct gf_clock *clock, struct gf_watchdog **out,
                  struct gf_error *error)
{
    struct gf_watchdog *const self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory for a watchdog");
    }
    gf_watchdog_watch_init(&self->watch, limit, clock->monotonic_us(clock));
    self->clock = clock;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    const int failure = thread_start(self);
    if (failure != 0) {
        watchdog_free(self);
        return gf_fail(error, GF_E_NO_MEMORY, "no thread for a watchdog: %s", strerror(failure));
    }
    *out = self;
    return GF_OK;
}

void
gf_watchdog_stop(struct gf_watchdog *self)
{
    if (self == NULL) {
        return;
    }
    pthread_mutex_lock(&self->mutex);
    self->stop_is_wanted = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->thread, NULL);
    watchdog_free(self);
}

void
gf_watchdog_enter(struct gf_watchdog *self, uint32_t slot, const char *what)
{
    assert(slot < GF_WATCHDOG_SLOTS_MAX);
    if (self != NULL) {
        gf_watchdog_slot_enter(&self->watch.slots[slot], what);
    }
}

void
gf_watchdog_leave(struct gf_watchdog *self, uint32_t slot)
{
    assert(slot < GF_WATCHDOG_SLOTS_MAX);
    if (self != NULL) {
        gf_watchdog_slot_leave(&self->watch.slots[slot]);
    }
}
