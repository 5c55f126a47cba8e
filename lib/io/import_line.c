#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "io/import_line.h"

#define READ_SIZE (256u << 10)

enum gf_rc
gf_import_lines_init(struct gf_import_lines *lines, struct gf_import_input *input, char delimiter,
                     uint32_t size_max, struct gf_error *error)
{
    *lines = (struct gf_import_lines){.input = input, .delimiter = delimiter, .size_max = size_max};
    lines->room = (size_t)size_max + READ_SIZE;
    lines->data = malloc(lines->room);
    return lines->data == NULL ? gf_fail(error, GF_E_NO_MEMORY, "no memory for lines") : GF_OK;
}

void
gf_import_lines_fini(struct gf_import_lines *lines)
{
    free(lines->data);
    *lines = (struct gf_import_lines){.data = NULL};
}

/* Reads on behind what is there. */
static enum gf_rc
fill(struct gf_import_lines *lines, struct gf_error *error)
{
    if (lines->at > 0) {
        memmove(lines->data, lines->data + lines->at, lines->end - lines->at);
        lines->end -= lines->at;
        lines->at = 0;
    }
    assert(lines->end < lines->room);
    size_t size = 0;
    const enum gf_rc rc = gf_import_input_read(lines->input, lines->data + lines->end,
                                               lines->room - lines->end, &size, error);
    lines->end += size;
    lines->is_end = rc == GF_OK && size == 0;
    if (rc == GF_OK && !lines->is_started && lines->end >= 3) {
        lines->is_started = true;
        lines->at = memcmp(lines->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    }
    return rc;
}

/* Size of the line at `at` + `from` without its LF, looking on from there; `is_whole_out` false: it
 * is longer than the limit, or the file ends first. */
static enum gf_rc
line_find(struct gf_import_lines *lines, size_t from, size_t *size_out, bool *is_whole_out,
          struct gf_error *error)
{
    size_t looked = from;
    enum gf_rc rc = GF_OK;
    for (;;) {
        const size_t there = lines->end - lines->at;
        const char *const line = lines->data + lines->at;
        const char *const newline =
            there > looked ? memchr(line + looked, '\n', there - looked) : NULL;
        if (newline != NULL) {
            *size_out = (size_t)(newline - line);
            *is_whole_out = *size_out <= lines->size_max;
            return GF_OK;
        }
        looked = there;
        if (lines->is_end || there > lines->size_max) {
            *size_out = there;
            *is_whole_out = lines->is_end && there <= lines->size_max;
            return GF_OK;
        }
        if ((rc = fill(lines, error)) != GF_OK) {
            return rc;
        }
    }
}

/* Where a look at the quotes of a row has got to. Quotes count where a field starts with one (RFC
 * 4180). */
struct quotes {
    size_t at;
    bool is_quoted, is_past_start;
};

/* Looks on up to `size`; true while a quote is open there. */
static bool
is_open(struct quotes *quotes, const char *text, size_t size, char delimiter)
{
    for (; quotes->at < size; quotes->at++) {
        const char letter = text[quotes->at];
        if (!quotes->is_quoted) {
            quotes->is_quoted = letter == '"' && !quotes->is_past_start;
        } else if (letter == '"' && quotes->at + 1 < size && text[quotes->at + 1] == '"') {
            quotes->at++;
        } else {
            quotes->is_quoted = letter != '"';
        }
        quotes->is_past_start = letter != delimiter || quotes->is_quoted;
    }
    return quotes->is_quoted;
}

/* Drops the rest of a line that is too long. */
static enum gf_rc
line_skip(struct gf_import_lines *lines, struct gf_error *error)
{
    for (;;) {
        const char *const newline = memchr(lines->data + lines->at, '\n', lines->end - lines->at);
        if (newline != NULL) {
            lines->at = (size_t)(newline - lines->data) + 1;
            return GF_OK;
        }
        lines->at = lines->end;
        if (lines->is_end) {
            return GF_OK;
        }
        const enum gf_rc rc = fill(lines, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
}

static struct gf_span
line_text(const struct gf_import_lines *lines, size_t size)
{
    const char *const text = lines->data + lines->at;
    return gf_span_of(text, size > 0 && text[size - 1] == '\r' ? size - 1 : size);
}

/* Adds lines until the quotes end. `size` is that of the first line, and of all at the end. */
static enum gf_rc
quoted_join(struct gf_import_lines *lines, size_t *size, uint64_t *count, bool *is_closed,
            struct gf_error *error)
{
    const size_t first = *size;
    struct quotes quotes = {.at = 0};
    bool is_whole = true;
    *count = 1;
    *is_closed = !is_open(&quotes, lines->data + lines->at, *size, lines->delimiter);
    while (!*is_closed && is_whole && *count < GF_IMPORT_QUOTED_LINE_COUNT_MAX &&
           lines->at + *size < lines->end) {
        const enum gf_rc rc = line_find(lines, *size + 1, size, &is_whole, error);
        if (rc != GF_OK) {
            return rc;
        }
        *is_closed = !is_open(&quotes, lines->data + lines->at, *size, lines->delimiter);
        ++*count;
    }
    if (!*is_closed || !is_whole) {
        *is_closed = false;
        *size = first;
        *count = 1;
    }
    return GF_OK;
}

/* Keeps the first bytes of a line that is too long, to be shown, and passes over the rest. */
static enum gf_rc
too_long(struct gf_import_lines *lines, struct gf_import_line *out, struct gf_error *error)
{
    const size_t there = lines->end - lines->at;
    const size_t size = there < GF_IMPORT_LINE_SHOWN_SIZE ? there : GF_IMPORT_LINE_SHOWN_SIZE;
    memcpy(lines->shown, lines->data + lines->at, size);
    out->text = gf_span_of(lines->shown, size);
    return line_skip(lines, error);
}

enum gf_rc
gf_import_lines_next(struct gf_import_lines *lines, struct gf_import_line *out, bool *more_out,
                     struct gf_error *error)
{
    *more_out = false;
    for (;;) {
        size_t size = 0;
        bool is_whole = false;
        enum gf_rc rc = line_find(lines, 0, &size, &is_whole, error);
        if (rc != GF_OK || (size == 0 && lines->at == lines->end)) {
            return rc;
        }
        *out = (struct gf_import_line){.number = ++lines->number};
        *more_out = true;
        if (!is_whole) {
            out->fault = GF_IMPORT_LINE_TOO_LONG;
            return too_long(lines, out, error);
        }
        if (lines->delimiter != 0 && memchr(lines->data + lines->at, '"', size) != NULL) {
            uint64_t count = 1;
            bool is_closed = true;
            if ((rc = quoted_join(lines, &size, &count, &is_closed, error)) != GF_OK) {
                return rc;
            }
            lines->number += count - 1;
            out->fault = is_closed ? GF_IMPORT_LINE_WHOLE : GF_IMPORT_LINE_OPEN_QUOTE;
        }
        out->text = line_text(lines, size);
        lines->at += size + (lines->at + size < lines->end ? 1 : 0);
        if (out->text.size > 0) {
            return GF_OK;
        }
        *more_out = false;
    }
}
