/* Recent: the last values of the interval channel, to tell duplicates from conflicts and to correct
 * sums.
 *
 * 384 bytes serve every interval length. 60 minutes and more keep 48 values of 8 bytes, 30 minutes
 * 96 of 4 (exact up to 2,147 kWh, above that all values look alike), both with a bit that says
 * whether the value was masked. 15 minutes keep 192 of 2: 10 bits of a logarithmic value, good to 1
 * % from 1 Wh to 600 MWh, 5 bits of hash (a changed value is noticed with certainty above 2 %, else
 * with 31/32) and the mask bit. 5 minutes keep 768 of 4 bits (hash alone: a changed value is
 * noticed with 14/15, and never corrected). All cover 48 hours or more. Other lengths use the next
 * longer form.
 *
 * Quality beyond the mask bit is not kept. So a clean value replaces a masked one, a masked one
 * never a clean one, a masked one another masked one (arrival decides), and of two clean ones only
 * an ACTUAL replaces the older. */
#ifndef GF_FEATURE_RECENT_H
#define GF_FEATURE_RECENT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/unit.h"

struct gf_recent {
    int64_t newest_us;  /* start of the newest slot; INT64_MIN when empty */
    int32_t interval_s; /* of the slots; another interval starts afresh */
    int32_t reserved;
    uint8_t values[384]; /* ring by slot number (start / interval) */
};
static_assert(sizeof(struct gf_recent) <= 400, "recent part of the state record");

enum gf_recent_found { GF_RECENT_NEW, GF_RECENT_SAME, GF_RECENT_OTHER, GF_RECENT_TOO_OLD };

struct gf_recent_slot {
    struct gf_energy value; /* the value that is there; exact for SAME */
    bool is_exact;          /* false where only about or nothing is known of it */
    bool is_known;          /* false where nothing but a hash is kept */
    bool is_masked;         /* false where it is not kept */
};

/* Looks a slot up; `slot_out` is filled for SAME and OTHER. `start` decides the slot (start /
 * interval); values alone are compared. */
enum gf_recent_found gf_recent_find(const struct gf_recent *recent, struct gf_time start,
                                    int32_t interval_s, struct gf_energy value,
                                    struct gf_recent_slot *slot_out);
/* Puts a value >= 0 into its slot; slots passed over become empty. The slot is not TOO_OLD. */
void gf_recent_put(struct gf_recent *recent, struct gf_time start, int32_t interval_s,
                   struct gf_energy value, bool is_masked);

#endif
