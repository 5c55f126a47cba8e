/* Cells: a line of CSV or a JSON object taken apart. */
#ifndef GF_IO_IMPORT_CELLS_H
#define GF_IO_IMPORT_CELLS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"

#define GF_IMPORT_CELL_COUNT_MAX 4096

/* Splits a row in place (quotes are taken off inside `text`). Returns how many cells it has, which
 * may be more than `count_max`, of which the first are given. A quoted cell that is empty is an
 * empty cell. */
uint32_t gf_import_csv_split(char *text, size_t size, char delimiter, struct gf_span *cells,
                             uint32_t count_max);

/* Members of one JSON object by name: cell i is that of names[i], "a.b" a member of a member.
 * Numbers are given as they are written, so that no digit is lost; null, and what is not there, as
 * no cell; escapes are resolved in the arena. Names that hold an array or an object have no cell.
 * Errors: GF_E_BAD_FIELD (not one JSON object; says where). */
GF_MUST_USE enum gf_rc gf_import_json_split(struct gf_span text, const char *const *names,
                                            uint32_t count, struct gf_span *cells,
                                            struct gf_arena *arena, struct gf_error *error);

/* Is it UTF-8 without NUL? */
bool gf_import_text_is_valid(struct gf_span text);

#endif
