/* Complaints: everything wrong with a file, gathered in one pass and shown the way a compiler does.
 *
 *     gridfold.yaml:14:5: error: unknown key "windw" in features
 *         windw: 15m
 *         ^
 *     help: did you mean "window"? */
#ifndef GF_CONFIG_COMPLAINT_H
#define GF_CONFIG_COMPLAINT_H

#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

#define GF_COMPLAINT_COUNT_MAX 20

struct gf_complaint {
    char file[192];
    uint32_t line, column; /* from 1, column in characters; line 0: no place in a file */
    uint32_t caret;        /* where in `source` the caret goes, in characters from 0 */
    char text[320];
    char help[256];   /* empty: none */
    char source[160]; /* the line, or the part of a long line around the caret */
};

/* Starts as zeros. What comes after the twentieth is only counted. */
struct gf_complaints {
    struct gf_complaint items[GF_COMPLAINT_COUNT_MAX];
    uint32_t count, dropped;
    bool has_no_memory; /* something was not read for lack of it: what was read is of no use */
};

/* A place in a text. `text` may be NULL; lines end as libyaml counts them. */
struct gf_place {
    const char *file;
    const char *text;
    size_t size;
    uint32_t line, column;
};

/* Adds a complaint; returns GF_E_CONFIG. */
enum gf_rc gf_complain(struct gf_complaints *complaints, struct gf_place place, const char *format,
                       ...) GF_PRINTF(3, 4);

/* Gives the complaint made last its help line. */
void gf_complain_help(struct gf_complaints *complaints, const char *format, ...) GF_PRINTF(2, 3);

/* In the order of their places. */
void gf_complaints_print(const struct gf_complaints *complaints, FILE *out);

/* GF_OK when there is none; else GF_E_CONFIG with the first as message and how many more there are.
 */
enum gf_rc gf_complaints_error(const struct gf_complaints *complaints, struct gf_error *error);

/* ---- did you mean ---- */

/* Edits (a letter more, less, other, or two swapped) from one word to another; more than `limit`
 * counts as limit + 1. */
uint32_t gf_edit_distance(const char *a, const char *b, uint32_t limit);

/* The nearest of several words: start with {.wrong = …}, offer each. `best` is NULL while none is
 * near: two edits, fewer for short words. */
struct gf_suggestion {
    const char *wrong;
    const char *best;
    uint32_t distance;
};
void gf_suggestion_offer(struct gf_suggestion *suggestion, const char *word);

#endif
