/* Scratch: a folder of its own for state that is thrown away, as a replay's. */
#ifndef GF_IO_SCRATCH_H
#define GF_IO_SCRATCH_H

#include <stddef.h>

#include "base/error.h"

/* Makes a fresh, empty folder: `wanted`, which must not exist or be empty, or, when that is NULL, a
 * temporary one beside `neighbour`. Its path is copied to `path_out`. Errors: GF_E_IO, GF_E_USAGE
 * (`wanted` has something in it). */
GF_MUST_USE enum gf_rc gf_scratch_make(const char *wanted, const char *neighbour, char *path_out,
                                       size_t size, struct gf_error *error);
/* Removes the folder with all that is in it. An empty path does nothing. */
void gf_scratch_remove(const char *path);

#endif
