/* Sink: where outputs go, all of a commit or nothing of it. The same three makers as source.h.
 *
 *   begin · append … · commit        or        begin · append … · abort
 *
 * A commit is durable when it returns GF_OK. What it returns otherwise decides what happens next
 * (architecture, section 4): GF_E_TXN: nothing was committed, the caller recovers;
 * GF_E_UNKNOWN_OUTCOME: close the sink, open a new one, recover; GF_E_FENCED: another instance owns
 * our slot, stop. */
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
    enum gf_rc (*commit)(struct gf_sink *sink, const struct gf_position *positions,
                         uint32_t position_count, struct gf_error *error);
    enum gf_rc (*abort)(struct gf_sink *sink, struct gf_error *error);
    void (*close)(struct gf_sink *sink); /* accepts NULL; an open commit is aborted */
};

/* First member of every maker's struct. Opening a sink ends what its predecessor left open. */
struct gf_sink {
    const struct gf_sink_ops *ops;
};

#endif
