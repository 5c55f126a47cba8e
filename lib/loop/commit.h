/* Commit: step 5 of the protocol (architecture, section 4), for every maker of a sink. */
#ifndef GF_LOOP_COMMIT_H
#define GF_LOOP_COMMIT_H

#include "loop/sink.h"

/* Ends the sink's open commit: flush, then one send_offsets under the fence of the assignment, then
 * nothing but the commit. `positions` has at least one of every shard in the commit, also of one
 * that only timers moved: an empty list is not sent and so not fenced. Errors: those of sink.h;
 * after GF_E_TXN nothing is open any more. */
GF_MUST_USE enum gf_rc gf_commit(struct gf_sink *sink, const struct gf_position *positions,
                                 uint32_t count, const void *fence, struct gf_error *error);

#endif
