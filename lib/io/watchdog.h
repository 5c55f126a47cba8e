/* Watchdog: a thread that ends the process when a call of the loop does not return. Some calls of
 * Kafka's client have been seen never to return although every timeout was set; a process that
 * hangs keeps its shards, one that ends is replaced, and the next start recovers.
 *
 * Only time in which the watchdog itself ran counts, so a process that was stopped and is continued
 * is not ended for that. Each loop thread has a slot of its own, and one call in it at a time. */
#ifndef GF_IO_WATCHDOG_H
#define GF_IO_WATCHDOG_H

#include <stdint.h>

#include "base/error.h"
#include "base/unit.h"
#include "loop/clock.h"

#define GF_WATCHDOG_SLOTS_MAX 64

struct gf_watchdog;

/* `limit`: how long a call may take, several request timeouts; above 0. `clock` is used by the
 * watchdog's thread and lent until stop. Errors: GF_E_NO_MEMORY (no thread). */
GF_MUST_USE enum gf_rc gf_watchdog_start(struct gf_duration limit, struct gf_clock *clock,
                                         struct gf_watchdog **out, struct gf_error *error);
void gf_watchdog_stop(struct gf_watchdog *watchdog); /* accepts NULL */

/* Around a call that may block; `what` must live as long as the watchdog, which prints it. Two
 * stores each; both accept NULL (nobody watches). */
void gf_watchdog_enter(struct gf_watchdog *watchdog, uint32_t slot, const char *what);
void gf_watchdog_leave(struct gf_watchdog *watchdog, uint32_t slot);

#endif
