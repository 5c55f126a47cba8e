/* The log in memory: topics with transactions, for tests that must be fast and must fail on
 * command. A source and a sink of loop/ over one log; what a sink appends is seen once it has
 * committed. */
#ifndef GF_TEST_MEMORY_LOG_H
#define GF_TEST_MEMORY_LOG_H

#include "loop/sink.h"
#include "loop/source.h"

struct gf_memory_log;

/* Topics as they are with these stages: see codec/stage.h. Ends the process when there
 * is no memory. */
struct gf_memory_log *gf_memory_log_new(uint32_t partitions, uint32_t stages);
void gf_memory_log_free(
    struct gf_memory_log *log); /* accepts NULL; close sources and sinks before */

/* Adds a record outside of any transaction, as a producer of inputs does, and copies all of it.
 * `record->offset` -1 is the next; others leave a gap, as transaction markers do. Returns the
 * offset. */
int64_t gf_memory_log_add(struct gf_memory_log *log, const struct gf_record *record);

/* What has been committed; the spans live as long as the log. NULL when there is no record at
 * `index` (not offset). */
const struct gf_record *gf_memory_log_get(const struct gf_memory_log *log, enum gf_topic topic,
                                          uint32_t partition, uint32_t index);
uint32_t gf_memory_log_count(const struct gf_memory_log *log, enum gf_topic topic,
                             uint32_t partition);

/* Drops records below `offset`, as retention does. */
void gf_memory_log_trim(struct gf_memory_log *log, enum gf_topic topic, uint32_t partition,
                        int64_t offset);

enum gf_memory_call { GF_MEMORY_BEGIN, GF_MEMORY_APPEND, GF_MEMORY_COMMIT, GF_MEMORY_READ };

/* The `nth` call from now on (1: the next) returns `rc` instead of doing its work, once. A commit
 * with `is_applied` does its work all the same: the outcome that its caller does not know. One
 * fault is set at a time for each call. */
void gf_memory_log_fail(struct gf_memory_log *log, enum gf_memory_call call, uint32_t nth,
                        enum gf_rc rc, bool is_applied);

/* Calls so far: to choose places for faults, loop over them. */
uint32_t gf_memory_log_calls(const struct gf_memory_log *log, enum gf_memory_call call);

struct gf_source *gf_memory_source_open(struct gf_memory_log *log);
/* Opening a sink ends the transaction of the one before, which is fenced from then on
 * (GF_E_FENCED). */
struct gf_sink *gf_memory_sink_open(struct gf_memory_log *log);

#endif
