/* JSON from outside: bounded before a parser that recurses sees it. */
#ifndef GF_IO_SCHEMA_JSON_H
#define GF_IO_SCHEMA_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"

#define GF_SCHEMA_SIZE_MAX       (1024 * 1024)
#define GF_SCHEMA_JSON_DEPTH_MAX 32 /* brackets inside each other */

/* `out` is the caller's: json_decref. Errors: GF_E_UNKNOWN_SCHEMA (too long, too deep, not JSON, a
 * key twice). */
GF_MUST_USE enum gf_rc gf_schema_json_load(const char *text, size_t size, json_t **out,
                                           struct gf_error *error);

#endif
