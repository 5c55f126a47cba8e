/* Lookup: how the loop learns a schema it has not met. The core never waits; the loop asks here,
 * between records. */
#ifndef GF_LOOP_LOOKUP_H
#define GF_LOOP_LOOKUP_H

#include "base/error.h"
#include "codec/schemas.h"

struct gf_lookup {
    void *context;
    /* The table of what is known now; moves when `resolve` makes it grow. */
    const struct gf_schemas *(*schemas)(void *context);
    /* Puts (topic, id) into the table. GF_E_UNKNOWN_SCHEMA: it is in there as a refusal. Others:
     * try again later. */
    enum gf_rc (*resolve)(void *context, enum gf_topic topic, uint32_t id, struct gf_error *error);
};

#endif
