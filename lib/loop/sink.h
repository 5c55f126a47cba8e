/* Sink: where outputs go, all of a commit or nothing of it. The same three makers as source.h.
 *
 *   begin · append … · flush · send_offsets · commit        or        begin · append … · abort
 *
 * The order is the protocol (architecture, section 4, step 5), and loop/commit.c is where it is
 * kept: offsets sent before everything is flushed would let a stale owner's outputs land after its
 * successor has started. A commit is durable when it returns GF_OK. What a call returns otherwise
 * decides what happens next: GF_E_TXN: nothing was committed and nothing is open any more (append
 * and flush: abort first); GF_E_UNKNOWN_OUTCOME: close the sink, open a new one, recover (begin:
 * a request of the last commit may still be under way, and would end the next one half-way);
 * GF_E_FENCED: a newer holder of this transactional id is there (or the broker ended the
 * transaction by its timeout): close the sink. */
#ifndef GF_LOOP_SINK_H
#define GF_LOOP_SINK_H

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/unit.h"
#include "model/record.h"
#include "model/records.h"

struct gf_sink;

/* One output. `body` is Avro in our schema of `topic`; the maker frames it. The spans are needed
 * during the call only. */
struct gf_output {
    enum gf_topic topic;
    uint32_t partition;
    struct gf_time timestamp;
    struct gf_span key;
    struct gf_span body;
    const struct gf_header *headers;
    uint32_t header_count;
};

/* The next input position of one partition: the lag display of a Kafka group; never read back. */
struct gf_position {
    enum gf_topic topic;
    uint32_t partition;
    int64_t offset;
};

struct gf_sink_ops {
    const char *name;
    enum gf_rc (*begin)(struct gf_sink *sink, struct gf_error *error);
    enum gf_rc (*append)(struct gf_sink *sink, const struct gf_output *output,
                         struct gf_error *error);
    /* Every output of this commit is on the log, though not yet visible. Errors: GF_E_TXN when one
     * is not; the caller aborts. */
    enum gf_rc (*flush)(struct gf_sink *sink, struct gf_error *error);
    /* Moves the group's offsets with the commit. `fence` is that of the assignment which gave the
     * shards (loop/group.h); NULL with fixed slots. The service compares it now and never again.
     * GF_E_GENERATION: refused, and already aborted. `count` is not 0. */
    enum gf_rc (*send_offsets)(struct gf_sink *sink, const struct gf_position *positions,
                               uint32_t count, const void *fence, struct gf_error *error);
    enum gf_rc (*commit)(struct gf_sink *sink, struct gf_error *error);
    /* Nothing happens when nothing is open. */
    enum gf_rc (*abort)(struct gf_sink *sink, struct gf_error *error);
    void (*close)(struct gf_sink *sink); /* accepts NULL; an open commit is aborted */
};

/* First member of every maker's struct. Opening a sink ends what its predecessor left open. */
struct gf_sink {
    const struct gf_sink_ops *ops;
};

#endif
