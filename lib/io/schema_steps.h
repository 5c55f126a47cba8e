/* A list of plan steps that grows, with the tables of its enums and unions. */
#ifndef GF_IO_SCHEMA_STEPS_H
#define GF_IO_SCHEMA_STEPS_H

#include <stdint.h>

#include "base/error.h"
#include "codec/plan.h"
#include "codec/plan_op.h"

/* Tables are indexes into `rows` (in `jump`, which ENUM and UNION do not use) until nothing moves
 * any more. Start with all zero. */
struct gf_schema_steps {
    struct gf_plan_op *ops;
    uint32_t op_count, op_capacity;
    int32_t *rows;
    uint32_t row_count, row_capacity;
};

/* Errors of all: GF_E_UNKNOWN_SCHEMA (too many), GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_schema_steps_add(struct gf_schema_steps *steps, struct gf_plan_op op,
                                           struct gf_error *error);
/* `count` more rows, all 0; the first is the row_count of before. */
GF_MUST_USE enum gf_rc gf_schema_steps_add_rows(struct gf_schema_steps *steps, uint32_t count,
                                                struct gf_error *error);
/* One block, free(out->ops). `steps` stays. */
GF_MUST_USE enum gf_rc gf_schema_steps_finish(const struct gf_schema_steps *steps,
                                              const struct gf_type *type, struct gf_plan *out,
                                              struct gf_error *error);
void gf_schema_steps_fini(struct gf_schema_steps *steps);

#endif
