/* What the watchdog's thread does each time it wakes, for tests that own the clock. */
#ifndef GF_IO_WATCHDOG_LOOK_H
#define GF_IO_WATCHDOG_LOOK_H

#include <stdatomic.h>
#include <stdint.h>

#include "io/watchdog.h"

#define GF_WATCHDOG_EXIT 70 /* EX_SOFTWARE */

/* Counts up with each enter and each leave: odd inside a call, and different for each call. */
struct gf_watchdog_slot {
    _Atomic uint64_t turn;
    const char *_Atomic what;
    /* of the watchdog's thread: */
    uint64_t seen;
    int64_t inside_us; /* how long `seen` has been the turn */
};

struct gf_watchdog_watch {
    int64_t limit_us, step_max_us, last_us;
    struct gf_watchdog_slot slots[GF_WATCHDOG_SLOTS_MAX];
};

void gf_watchdog_watch_init(struct gf_watchdog_watch *watch, struct gf_duration limit,
                            int64_t now_us);
/* The call that has been inside for the limit, and for how long; NULL: none. */
const char *gf_watchdog_look(struct gf_watchdog_watch *watch, int64_t now_us,
                             struct gf_duration *inside_out);

void gf_watchdog_slot_enter(struct gf_watchdog_slot *slot, const char *what);
void gf_watchdog_slot_leave(struct gf_watchdog_slot *slot);

#endif
