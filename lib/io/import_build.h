/* Builds records from rows: the rules of a target, applied. */
#ifndef GF_IO_IMPORT_BUILD_H
#define GF_IO_IMPORT_BUILD_H

#include "io/import_mapping.h"

/* A text of the row, spaces at its ends dropped. Empty when any of its columns is. Lives as long as
 * the row. REJECTED: the arena is full. */
enum gf_import_outcome gf_import_text_render(const struct gf_import_text *text,
                                             const struct gf_import_row *row, struct gf_span *out,
                                             struct gf_error *error);

/* Fills one field. `base` is the record (or item) that holds it. The error says why it is REJECTED,
 * without the field. */
enum gf_import_outcome gf_import_rule_apply(const struct gf_import_rule *rule,
                                            struct gf_import_row *row, void *base,
                                            struct gf_error *error);

/* A record, ready for the sort. */
struct gf_import_built {
    struct gf_span key, value; /* value: the Avro body */
    struct gf_time time;
};

/* `buffer` takes the body and lives with the caller. `seen` is that of the whole import. REJECTED:
 * the error has the reason. */
enum gf_import_outcome gf_import_target_apply(const struct gf_import_target *target,
                                              struct gf_import_row *row, struct gf_span buffer,
                                              struct gf_import_built *out, struct gf_error *error);

#endif
