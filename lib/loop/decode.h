/* Decode: the bytes of a record into the struct of its topic, or the reason why that cannot be.
 * What the fold makes a dead letter of, `tap` shows; both ask here. */
#ifndef GF_LOOP_DECODE_H
#define GF_LOOP_DECODE_H

#include "base/arena.h"
#include "codec/schemas.h"
#include "loop/lookup.h"
#include "model/record.h"

/* A larger value is a dead letter and is not decoded. */
#define GF_DECODE_VALUE_SIZE_MAX (UINT32_C(1) << 20)

struct gf_decoded {
    const struct gf_schema_entry
        *entry; /* of the writer schema; NULL when it was not found; until the table grows */
    uint32_t schema_id; /* as framed, or the record's; 0 when there is none */
    const void *body;   /* struct of the topic, in the arena; NULL when refused */
    enum gf_rc refusal; /* GF_OK, or the code of the dead letter */
    const char *reason; /* of the refusal, in the arena */
};

/* Views in the struct live as long as the record and the arena. Errors: those of the lookup but
 * GF_E_UNKNOWN_SCHEMA, which is a refusal; `out` is then of no use, and asking again may help. */
GF_MUST_USE enum gf_rc gf_decode_record(const struct gf_lookup *lookup,
                                        const struct gf_record *record, struct gf_arena *arena,
                                        struct gf_decoded *out, struct gf_error *error);

/* Makes a refusal of what was decoded; `reason` is copied into the arena. */
void gf_decoded_refuse(struct gf_decoded *decoded, struct gf_arena *arena, enum gf_rc refusal,
                       const char *reason);

#endif
