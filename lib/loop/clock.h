/* Clock: the only way to learn what time it is. Tests own theirs. The fold never sees it: wall time
 * reaches a shard only as a journalled `advance_to`. */
#ifndef GF_LOOP_CLOCK_H
#define GF_LOOP_CLOCK_H

#include "base/unit.h"

struct gf_clock {
    struct gf_time (*now)(struct gf_clock *clock);   /* wall time, for journals and logs */
    int64_t (*monotonic_us)(struct gf_clock *clock); /* for rates and deadlines */
    void (*sleep)(struct gf_clock *clock,
                  struct gf_duration duration); /* returns early on a signal */
};

#endif
