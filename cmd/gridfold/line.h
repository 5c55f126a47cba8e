/* A line: one record as a JSON object. */
#ifndef GF_CMD_LINE_H
#define GF_CMD_LINE_H

#include "base/arena.h"
#include "loop/lookup.h"
#include "model/record.h"

struct line {
    bool is_human; /* amounts with their units */
    bool is_raw;   /* values as hex */
    char *text;    /* with newline and NUL */
    size_t length;

    size_t size; /* reserved */
    struct gf_arena arena;
    const struct gf_lookup *lookup;
};

/* The two switches are the caller's. Errors: GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc line_open(struct line *line, const struct gf_lookup *lookup,
                                 struct gf_error *error);
void line_close(struct line *line); /* accepts one that is zero */

/* Makes the text of a record. A value that cannot be decoded is shown as `code`, `error` and hex
 * `bytes`. Errors: GF_E_NO_MEMORY, those of the lookup. */
GF_MUST_USE enum gf_rc line_make(struct line *line, const struct gf_record *record,
                                 struct gf_error *error);

#endif
