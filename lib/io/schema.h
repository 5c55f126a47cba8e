/* Schema resolution: from a writer's schema to a plan that reads its records as ours (Avro 1.11,
 * "Schema Resolution").
 *
 * What differs legally is listed in codec/plan.h. On top of Avro's rules, numbers must not change
 * their meaning: where the writer's schema declares a logical type, unit or scale, it must be ours.
 * Avro itself would read milliseconds as microseconds and watts as kilowatts, and a bill would be
 * wrong. A declaration that is missing is no difference. */
#ifndef GF_IO_SCHEMA_H
#define GF_IO_SCHEMA_H

#include <stddef.h>

#include "base/error.h"
#include "codec/schemas.h"
#include "codec/type.h"

/* Sets `is_own`, `plan` and `refusal` (to NULL) of `out`; its `id` and `topic` are the caller's.
 * The plan is on the heap: free it with gf_schema_entry_fini. `out` is untouched on error. Errors:
 * GF_E_UNKNOWN_SCHEMA (not a schema, or one that cannot be resolved: the message names the field
 * and both types), GF_E_NO_MEMORY.
 */
GF_MUST_USE enum gf_rc gf_schema_compile(const struct gf_topic_info *topic, const char *writer_json,
                                         size_t size, struct gf_schema_entry *out,
                                         struct gf_error *error);

/* Frees what gf_schema_compile made. `refusal` is not touched. */
void gf_schema_entry_fini(struct gf_schema_entry *entry);

#endif
