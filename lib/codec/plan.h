/* Plans: how to read a record that was written with another schema than ours (schema resolution,
 * Avro 1.11). A plan is compiled once, outside the core (io/schema.h), into a flat program that
 * runs here without allocation or recursion.
 *
 * A legal difference: added fields (skipped), missing fields (our default), reordered fields,
 * aliases, promotions (int → long, double; long → double; float → double; string ↔ bytes), enum
 * symbols (unknown ones read as UNKNOWN), unions in other orders, a union around what we have plain
 * and the other way round. */
#ifndef GF_CODEC_PLAN_H
#define GF_CODEC_PLAN_H

#include "base/arena.h"
#include "base/error.h"
#include "codec/type.h"
#include "codec/wire.h"

struct gf_plan_op; /* in plan_op.h, for the compiler */

struct gf_plan {
    const struct gf_type *type; /* our record */
    const struct gf_plan_op *ops;
    uint32_t op_count;
};

/* Reads one record into `out` (struct of `plan->type`, which is cleared first). Errors:
 * GF_E_BAD_DATA, GF_E_FULL. */
GF_MUST_USE enum gf_rc gf_plan_decode(const struct gf_plan *plan, struct gf_reader *reader,
                                      struct gf_arena *arena, void *out);

/* Moves past one record. Errors: GF_E_BAD_DATA. */
GF_MUST_USE enum gf_rc gf_plan_skip(const struct gf_plan *plan, struct gf_reader *reader);

#endif
