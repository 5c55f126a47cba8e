/* Schemas as the core sees them: for a schema id, how to read a record. The table is filled outside
 * (io/schema.h); the core asks and never waits. An id that is our own schema has no plan and takes
 * the straight decoder. */
#ifndef GF_CODEC_SCHEMAS_H
#define GF_CODEC_SCHEMAS_H

#include "codec/plan.h"
#include "model/records.h"

struct gf_schema_entry {
    uint32_t id;
    int32_t topic;       /* enum gf_topic whose record it writes; -1: known, but none of ours */
    bool is_own;         /* equals ours: straight decoder */
    struct gf_plan plan; /* else */
    const char *refusal; /* not NULL: known, but cannot be resolved, and why */
};

/* Sorted by (topic, id). Grows between batches only. */
struct gf_schemas {
    const struct gf_schema_entry *entries;
    uint32_t count;
};

/* The entry of (topic, id), or NULL when the id has not been looked up. */
const struct gf_schema_entry *gf_schemas_find(const struct gf_schemas *schemas, enum gf_topic topic,
                                              uint32_t id);

#endif
