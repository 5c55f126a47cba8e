/* Signals: SIGTERM and SIGINT ask the process to stop after the batch it is in; a second SIGINT
 * ends it at once, which is safe at any time (the next start recovers). A broken pipe is an error
 * of the write that meets it, not a signal. */
#ifndef GF_IO_SIGNALS_H
#define GF_IO_SIGNALS_H

#include <stdbool.h>

/* To be called once, before threads start. */
void gf_signals_install(void);

/* True from the first SIGTERM or SIGINT on. */
bool gf_signals_stop_is_wanted(void);

/* Number of the signal that asked, 0 when none did. */
int gf_signals_which(void);

/* Forgets what was asked; for tests. */
void gf_signals_reset(void);

#endif
