/* Slots: the stretches of time that have one price each, and the ring of those that were announced.
 */
#ifndef GF_OPERATOR_TARIFF_SLOT_H
#define GF_OPERATOR_TARIFF_SLOT_H

#include "base/civil.h"
#include "state/reference.h"

#define SLOT_COUNT_MAX 64

/* [start, end), whole minutes. */
struct slot {
    struct gf_time start, end;
};

/* A slot as it was announced. One whose price is its base was taken back; it stays for its version.
 */
struct slot_announced {
    uint32_t start_minute; /* since 1970 */
    uint16_t minutes;
    uint16_t version;
    int64_t price_e8, base_e8; /* base: of the plan's band */
};

/* In order of start, never overlapping. */
struct slot_ring {
    uint32_t count;
    uint32_t reserved;
    struct slot_announced items[SLOT_COUNT_MAX];
};

/* The slot that `time` falls in: the shortest part of a local day that holds `dwell` and whole
 * intervals. */
struct slot slot_at(const struct gf_zone *zone, struct gf_time time, int32_t interval_s,
                    struct gf_duration dwell);

struct slot slot_of(const struct slot_announced *announced);
/* What the announced price adds to the plan's. */
int64_t slot_deviation(const struct slot_announced *announced);

/* Index of the announced slot that is exactly `slot`, or -1. */
int32_t slot_find(const struct slot_ring *ring, struct slot slot);
/* Index of the one with a deviation that ends or starts at `time`, or -1. `except` is not looked
 * at. */
int32_t slot_find_end(const struct slot_ring *ring, struct gf_time time, int32_t except);
int32_t slot_find_start(const struct slot_ring *ring, struct gf_time time, int32_t except);

/* Forgets slots that ended before `time`. */
void slot_forget(struct slot_ring *ring, struct gf_time time);
/* Puts in a slot that overlaps none, with room known to be there; returns its index. */
int32_t slot_insert(struct slot_ring *ring, struct slot_announced announced);

/* Local day and minute of the day. */
void slot_local(const struct gf_zone *zone, struct gf_time time, int32_t *day_out,
                uint32_t *minute_out);
bool slot_day_is_weekend(int32_t local_day);
/* The plan's band and price at `time`. */
void slot_band(const struct gf_tariff_terms *plan, const struct gf_zone *zone, struct gf_time time,
               int32_t *name_out, struct gf_price *price_out);
/* Whether the plan's price stays the same all through `slot`, and the clocks too. */
bool slot_is_in_one_band(const struct gf_tariff_terms *plan, const struct gf_zone *zone,
                         struct slot slot);

#endif
