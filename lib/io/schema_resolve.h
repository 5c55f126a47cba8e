/* The compiler of plans: walks a writer's type and ours side by side and writes the steps of
 * codec/plan_op.h.
 */
#ifndef GF_IO_SCHEMA_RESOLVE_H
#define GF_IO_SCHEMA_RESOLVE_H

#include "base/error.h"
#include "codec/plan.h"
#include "io/schema_tree.h"

/* Sets `out`, whose steps are one block on the heap: free(ops). Errors: GF_E_UNKNOWN_SCHEMA (the
 * message names the field and both types), GF_E_NO_MEMORY; `out` is then untouched. */
GF_MUST_USE enum gf_rc gf_schema_resolve(const struct gf_schema_node *theirs,
                                         const struct gf_type *ours, struct gf_plan *out,
                                         struct gf_error *error);

#endif
