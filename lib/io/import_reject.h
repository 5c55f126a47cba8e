/* The reject file: one JSON line for each row that could not be imported, with the place, the
 * reason and the row itself, so that it can be mended and imported again. Written behind what is
 * there; made when there is something to write. */
#ifndef GF_IO_IMPORT_REJECT_H
#define GF_IO_IMPORT_REJECT_H

#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/span.h"

#define GF_IMPORT_REJECT_TEXT_SIZE_MAX 65536 /* of a row; what is longer is cut, and says so */

struct gf_import_rejects {
    const char *path; /* borrowed */
    FILE *file;
    uint64_t count;
};

/* `topic` may be NULL: the row is of no use to any. Errors: GF_E_IO, GF_E_NO_SPACE. */
GF_MUST_USE enum gf_rc gf_import_rejects_add(struct gf_import_rejects *rejects, const char *file,
                                             uint64_t line, const char *topic, const char *reason,
                                             struct gf_span text, struct gf_error *error);

/* Errors: GF_E_IO, GF_E_NO_SPACE. */
GF_MUST_USE enum gf_rc gf_import_rejects_close(struct gf_import_rejects *rejects,
                                               struct gf_error *error);

#endif
