/* The text of `gridfold explain`. */
#ifndef GF_CMD_EXPLAIN_H
#define GF_CMD_EXPLAIN_H

#include "job.h"
#include "line.h"
#include "loop/explain.h"

struct explain_report {
    const struct gf_record *record; /* the output */
    const void *body;               /* its struct */
    struct line line;
    bool as_json;
    bool is_same;          /* the refold gave the same bytes */
    enum gf_rc rc;         /* of what could not be printed, for want of memory */
    const struct job *job; /* whose log says what became of the snapshot */
    uint32_t shard;
    int64_t snapshot; /* the batch of the one that is gone on from; 0: none */
};

/* A callback of struct gf_explain, `context` the report: prints to standard output. */
void explain_show(void *context, const struct gf_explained *explained);

#endif
