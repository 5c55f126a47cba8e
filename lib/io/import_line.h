/* Lines of a file: LF or CRLF, a BOM dropped, blank lines passed over. A CSV row may go over
 * several lines inside quotes; where the quotes do not end, the first line alone is given, marked,
 * and reading goes on at the next. */
#ifndef GF_IO_IMPORT_LINE_H
#define GF_IO_IMPORT_LINE_H

#include "base/span.h"
#include "io/import_input.h"

#define GF_IMPORT_LINE_SIZE_MAX         (UINT32_C(1) << 20)
#define GF_IMPORT_LINE_SHOWN_SIZE       1024 /* of a line that is too long */
#define GF_IMPORT_QUOTED_LINE_COUNT_MAX 256

enum gf_import_line_fault {
    GF_IMPORT_LINE_WHOLE,
    GF_IMPORT_LINE_TOO_LONG,
    GF_IMPORT_LINE_OPEN_QUOTE
};

struct gf_import_line {
    struct gf_span text; /* without its end; the first bytes of a line that is too long; valid until
                            the next */
    uint64_t number;     /* of its first line in the file, from 1 */
    enum gf_import_line_fault fault;
};

struct gf_import_lines {
    struct gf_import_input *input; /* borrowed */
    char delimiter;                /* of CSV; 0: quotes mean nothing */
    uint32_t size_max;
    char *data;
    size_t room, at, end;
    uint64_t number;
    bool is_end, is_started;
    char shown[GF_IMPORT_LINE_SHOWN_SIZE];
};

/* Errors: GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_import_lines_init(struct gf_import_lines *lines,
                                            struct gf_import_input *input, char delimiter,
                                            uint32_t size_max, struct gf_error *error);
void gf_import_lines_fini(struct gf_import_lines *lines);

/* `more_out` false: the end. The text may be written to by whoever takes it apart. Errors: those of
 * the input. */
GF_MUST_USE enum gf_rc gf_import_lines_next(struct gf_import_lines *lines,
                                            struct gf_import_line *out, bool *more_out,
                                            struct gf_error *error);

#endif
