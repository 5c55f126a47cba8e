/* The report of `gridfold replay --compare`: what differs first, with the inputs that made it. */
#ifndef GF_CMD_COMPARE_H
#define GF_CMD_COMPARE_H

#include "line.h"
#include "loop/compare.h"

struct compare_report {
    struct gf_compare *compare; /* for its arena */
    struct line line;           /* opened on the log */
    bool as_json;
    bool is_shown;
};

/* A callback of struct gf_compare, `context` the report: prints to standard output. */
void compare_show(void *context, const struct gf_difference *difference);
/* Says where a comparison could not start at the beginning; to standard error. */
void compare_cuts_print(const struct gf_compare *compare);

#endif
