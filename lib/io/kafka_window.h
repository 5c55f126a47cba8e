/* Window: the records of one partition that have been fetched and not yet released, in order of
 * offset.
 *
 * It holds every record of the offsets [from, to); offsets in between that hold none are
 * transaction markers or aborted records. What was read once can be read again until it is
 * released: an aborted batch costs no second fetch.
 *
 * Two kinds. A lending window keeps librdkafka's messages and lends their bytes (no copy). A
 * keeping window, for reference topics, copies: a lent message would hold the whole reply of the
 * broker it came in, for ever.
 */
#ifndef GF_IO_KAFKA_WINDOW_H
#define GF_IO_KAFKA_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/error.h"
#include "model/record.h"

struct gf_kafka_slot;
struct gf_kafka_chunk;

struct gf_kafka_window {
    int32_t topic; /* enum gf_topic */
    uint32_t partition;
    bool is_keeping; /* release does nothing; bytes live until fini */
    int64_t from, to;
    struct gf_kafka_slot *slots; /* in use: [head, tail) */
    uint32_t head, tail, capacity;
    struct gf_kafka_chunk *chunk; /* newest first */
};

void gf_kafka_window_init(struct gf_kafka_window *window, int32_t topic, uint32_t partition,
                          bool is_keeping);
void gf_kafka_window_fini(struct gf_kafka_window *window);

/* Drops all it holds and starts to fill at `offset`. */
void gf_kafka_window_start(struct gf_kafka_window *window, int64_t offset);

/* Takes `message`, whether it works or not; one below `to` is dropped.
 * Errors: GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_kafka_window_add(struct gf_kafka_window *window,
                                           rd_kafka_message_t *message, struct gf_error *error);

/* The partition has been read up to `offset` (an end-of-partition event). */
void gf_kafka_window_reach(struct gf_kafka_window *window, int64_t offset);

static inline bool
gf_kafka_window_covers(const struct gf_kafka_window *window, int64_t offset)
{
    return offset >= window->from && offset <= window->to;
}

/* How many records there are from `offset` on. */
uint32_t gf_kafka_window_left(const struct gf_kafka_window *window, int64_t offset);

/* As the `read` of loop/source.h; returns the count. */
uint32_t gf_kafka_window_take(const struct gf_kafka_window *window, int64_t offset, int64_t end,
                              struct gf_record *records_out, uint32_t count_max, int64_t *next_out);

void gf_kafka_window_release(struct gf_kafka_window *window, int64_t offset);

#endif
