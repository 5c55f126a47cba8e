/* Binds a mapping to a file: where in its rows the columns are that the targets ask for. */
#ifndef GF_IO_IMPORT_BIND_H
#define GF_IO_IMPORT_BIND_H

#include "io/import_mapping.h"

/* A target with its columns found: one for each expansion of `each`, one alone where there is none.
 */
struct gf_import_instance {
    const struct gf_import_target *target;
    int32_t *columns; /* by reference; -1: not there */
    struct gf_span each;
};

struct gf_import_binding {
    struct gf_import_instance *instances;
    uint32_t count;
    const char **names; /* NDJSON: of the cells */
    uint32_t cell_count;
};

/* `header`: the names of a CSV file's columns, which must outlive the binding; NDJSON has none.
 * Errors: GF_E_BAD_DATA (a column is missing; the message names it, the mapping's line and the
 * nearest there is), GF_E_NO_MEMORY. Free with gf_import_binding_fini, also after an error. */
GF_MUST_USE enum gf_rc gf_import_bind(const struct gf_import_mapping *mapping, const char *file,
                                      const struct gf_span *header, uint32_t header_count,
                                      struct gf_import_binding *out, struct gf_error *error);
void gf_import_binding_fini(struct gf_import_binding *binding);

#endif
