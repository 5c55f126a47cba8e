/* The schemas of a folder log. Its files carry their writer schemas, so no registry is asked: our
 * own schemas have their built-in ids, and a foreign one gets an id of this process when its first
 * file is opened. */
#ifndef GF_IO_FOLDER_SCHEMAS_H
#define GF_IO_FOLDER_SCHEMAS_H

#include "io/folder.h"
#include "loop/lookup.h"

struct gf_folder_schemas;

GF_MUST_USE enum gf_rc gf_folder_schemas_new(struct gf_folder_schemas **out,
                                             struct gf_error *error);
void gf_folder_schemas_free(
    struct gf_folder_schemas *schemas); /* accepts NULL; the source is closed before */

/* Both are lent until free. */
const struct gf_folder_resolver *gf_folder_schemas_resolver(struct gf_folder_schemas *schemas);
struct gf_lookup gf_folder_schemas_lookup(struct gf_folder_schemas *schemas);

#endif
