/* Source: where records come from. Three makers: memory (tests), folder (io/folder_source.h), Kafka
 * (io/kafka_source.h).
 *
 * The caller names an input partition and an offset; a source keeps its own cursor, so reading on
 * where the last read ended is cheap and anything else is a seek. A source decides nothing: order,
 * batches and positions are the caller's. One thread uses a source. */
#ifndef GF_LOOP_SOURCE_H
#define GF_LOOP_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/unit.h"
#include "model/record.h"
#include "model/records.h"

struct gf_source;

struct gf_source_place {
    enum gf_topic topic;
    uint32_t partition;
};

/* The reader that is no shard. */
#define GF_SOURCE_TOOL UINT32_MAX

struct gf_source_ops {
    const char *name; /* "folder", "kafka", "memory" */

    /* How many partitions a topic has. Errors: GF_E_NOT_FOUND (no such topic), GF_E_UNAVAILABLE,
     * GF_E_IO. */
    enum gf_rc (*partitions)(struct gf_source *source, enum gf_topic topic, uint32_t *count_out,
                             struct gf_error *error);

    /* First offset that is there, and the end: the offset after the last record that may be read
     * now (of what is committed). A fresh answer, not a cached one. Errors: GF_E_UNAVAILABLE,
     * GF_E_IO, GF_E_DAMAGED. */
    enum gf_rc (*ends)(struct gf_source *source, enum gf_topic topic, uint32_t partition,
                       int64_t *first_out, int64_t *end_out, struct gf_error *error);

    /* The ends alone, of many places of input topics at once: one question to a service instead of
     * many. NULL where asking one by one costs nothing. Errors: as `ends`. */
    enum gf_rc (*ends_of)(struct gf_source *source, const struct gf_source_place *places,
                          uint32_t count, int64_t *ends_out, struct gf_error *error);

    /* The first offset whose record timestamp is at or after `time`; the end when there is none. */
    enum gf_rc (*offset_at)(struct gf_source *source, enum gf_topic topic, uint32_t partition,
                            struct gf_time time, int64_t *offset_out, struct gf_error *error);

    /* Up to `count_max` records from `offset` on and below `end`, in order of offset. `next_out` is
     * the position after them: it moves over offsets that hold no record (transaction markers). No
     * record and `next_out` == `offset`: nothing has arrived yet (Kafka: still being fetched), ask
     * again; `wait` bounds how long the call may block. The spans stay valid until the same
     * `reader` (a shard; one may read what another reads, too) has released their offset. Errors:
     * GF_E_LOST (`offset` is below the first offset), GF_E_UNAVAILABLE, GF_E_IO, GF_E_DAMAGED. */
    enum gf_rc (*read)(struct gf_source *source, uint32_t reader, enum gf_topic topic,
                       uint32_t partition, int64_t offset, int64_t end, struct gf_duration wait,
                       struct gf_record *records_out, uint32_t count_max, uint32_t *count_out,
                       int64_t *next_out, struct gf_error *error);

    /* Records of a journal from `offset` on and below `end`, whether they are committed, aborted or
     * not decided yet: a look at what keeps `read` from going on, to learn whose it is, and never
     * for what it says. As many as are there within a second; none is no error. The spans stay
     * valid until the next call. NULL where nothing is ever undecided. Errors: GF_E_UNAVAILABLE,
     * GF_E_NO_MEMORY. */
    enum gf_rc (*peek)(struct gf_source *source, enum gf_topic topic, uint32_t partition,
                       int64_t offset, int64_t end, struct gf_record *records_out,
                       uint32_t count_max, uint32_t *count_out, struct gf_error *error);

    /* The reader no longer needs records of this partition below `offset`; INT64_MAX: nor any
     * others for now, so nothing more has to be fetched ahead for it. */
    void (*release)(struct gf_source *source, uint32_t reader, enum gf_topic topic,
                    uint32_t partition, int64_t offset);

    void (*close)(struct gf_source *source); /* accepts NULL */
};

/* First member of every maker's struct. */
struct gf_source {
    const struct gf_source_ops *ops;
};

#endif
