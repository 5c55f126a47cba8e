/* The clock of the machine. */
#ifndef GF_IO_SYSTEM_CLOCK_H
#define GF_IO_SYSTEM_CLOCK_H

#include "loop/clock.h"

/* One for the whole process; nothing to free. Its sleep ends early when a signal arrives. */
struct gf_clock *gf_system_clock(void);

#endif
