#include "io/system_clock.h"

#include <time.h>

static int64_t
clock_read_us(clockid_t id)
{
    struct timespec now = {0};
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * GF_US_PER_S + now.tv_nsec / 1000;
}

static struct gf_time
system_now(struct gf_clock *clock)
{
    (void)clock;
    return (struct gf_time){clock_read_us(CLOCK_REALTIME)};
}

static int64_t
system_monotonic_us(struct gf_clock *clock)
{
    (void)clock;
    return clock_read_us(CLOCK_MONOTONIC);
}

static void
system_sleep(struct gf_clock *clock, struct gf_duration duration)
{
    (void)clock;
    if (duration.us <= 0) {
        return;
    }
    const struct timespec length = {.tv_sec = duration.us / GF_US_PER_S,
                                    .tv_nsec = (long)(duration.us % GF_US_PER_S) * 1000};
    (void)nanosleep(&length, NULL); /* a signal ends it: the caller looks at its flag */
}

struct gf_clock *
gf_system_clock(void)
{
    static struct gf_clock clock = {
        .now = system_now, .monotonic_us = system_monotonic_us, .sleep = system_sleep};
    return &clock;
}
