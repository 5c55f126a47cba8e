/* A row on its way to a record: the cells of one line, and what a rule may ask besides them. */
#ifndef GF_IO_IMPORT_ROW_H
#define GF_IO_IMPORT_ROW_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/span.h"

/* What becomes of a row at a target. Every row has one outcome at each, so that the sums are those
 * of the input. */
enum gf_import_outcome {
    GF_IMPORT_RECORD,
    GF_IMPORT_REPEATED, /* `distinct` has seen the key: counted as filtered */
    GF_IMPORT_FILTERED,
    GF_IMPORT_REJECTED, /* the reason is in the error */
};

/* A set of 128-bit digests: keys that `distinct` has emitted, wall times that `sequence` has met.
 */
struct gf_import_seen {
    struct gf_digest *slots;
    uint8_t *used;
    size_t room, count; /* room is 0 or a power of two */
};

/* Puts a digest in; `is_new_out` says whether it was not there. Errors: GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_import_seen_add(struct gf_import_seen *seen, const void *data,
                                          size_t size, bool *is_new_out);
/* Is it there? */
bool gf_import_seen_has(const struct gf_import_seen *seen, const void *data, size_t size);
void gf_import_seen_fini(struct gf_import_seen *seen);

struct gf_import_row {
    const struct gf_span *cells; /* no data: the cell is not there */
    uint32_t cell_count;
    const int32_t *columns;      /* of a target's references: which cell */
    struct gf_span each;         /* what {name} of `each` stands for in this expansion */
    uint64_t index;              /* of the row in its file, from 0 */
    struct gf_span key;          /* once it is known */
    struct gf_import_seen *seen; /* for `sequence` */
    struct gf_arena *arena;      /* of the row */
    bool is_export; /* a rule met a negative value and its mapping says `negative: export` */
};

/* Sets the reason; returns GF_IMPORT_REJECTED. */
#define GF_IMPORT_REJECT(error, ...)                                                               \
    (gf_fail(error, GF_E_BAD_FIELD, __VA_ARGS__), GF_IMPORT_REJECTED)

#endif
