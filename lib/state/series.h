/* Series: intervals of one zone sorted by their start, in a ring of memory that somebody lends. The
 * newest is found at once, any other in O(log n); when the ring is full the oldest goes.
 *
 * An item is any struct that begins with `struct series_item`. Part of reference.c; nobody else
 * includes it.
 */
#ifndef GF_STATE_SERIES_H
#define GF_STATE_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/unit.h"

struct series_item {
    struct gf_time start;
    int32_t interval_s;
};

struct series {
    uint8_t *items;
    uint32_t item_size, capacity;
    uint32_t first, count; /* place of the oldest; how many */
    int32_t
        interval_s_max; /* longest ever put in: how far back an interval over a time can start */
};

/* The `index`th oldest; `index` < count. */
struct series_item *series_at(const struct series *series, uint32_t index);

/* How many intervals start before `time`. */
uint32_t series_count_before(const struct series *series, struct gf_time time);

/* The interval that begins last among those that hold `time`, or NULL. */
struct series_item *series_holding(const struct series *series, struct gf_time time);

/* The place of the interval that starts at `start`: the one that is there (`*is_new_out` false), or
 * room made for a new one, filled with zeros but for `start` and `interval_s`. NULL when the ring
 * is full of newer ones. */
struct series_item *series_need(struct series *series, struct gf_time start, int32_t interval_s,
                                bool *is_new_out);

/* Says that an item of the series has `interval_s` now. */
void series_note_interval(struct series *series, int32_t interval_s);

#endif
