/* Lending: a partition that is fetched, its window and who reads from it.
 *
 * Most partitions have one reader, a shard. One that a stage reads whole has several, at places of
 * their own; records are fetched once, from the least place on, and go when all have released them.
 * One that seeks back takes nothing from the others: what they hold is put aside until then. */
#ifndef GF_IO_KAFKA_LENDING_H
#define GF_IO_KAFKA_LENDING_H

#include "io/kafka_client.h"
#include "io/kafka_window.h"
#include "io/readers.h"

struct gf_kafka_past;

struct gf_kafka_lending {
    struct gf_kafka_window window;
    rd_kafka_queue_t *queue;    /* NULL: not being fetched */
    struct gf_readers readers;  /* not those of a keeping window */
    struct gf_kafka_past *past; /* put aside */
};

void gf_kafka_lending_init(struct gf_kafka_lending *lending, int32_t topic, uint32_t partition,
                           bool is_keeping);
/* `handle` is the topic's, here and below. */
void gf_kafka_lending_fini(struct gf_kafka_lending *lending, rd_kafka_topic_t *handle);

/* `reader` is going to read at `offset`. `least_out`: where fetching must be if the window does not
 * cover it. Errors: GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_kafka_lending_read(struct gf_kafka_lending *lending, uint32_t reader,
                                             int64_t offset, int64_t *least_out,
                                             struct gf_error *error);
/* Fetches from `offset` on, into a new queue: nothing can come that was fetched for the old place.
 * Errors: GF_E_NO_MEMORY, those of Kafka. */
GF_MUST_USE enum gf_rc gf_kafka_lending_start(struct gf_kafka_lending *lending,
                                              struct gf_kafka_client *client,
                                              rd_kafka_topic_t *handle, int64_t offset,
                                              struct gf_error *error);
void gf_kafka_lending_stop(struct gf_kafka_lending *lending, rd_kafka_topic_t *handle);
/* As the `release` of loop/source.h; stops when nobody reads any longer. */
void gf_kafka_lending_release(struct gf_kafka_lending *lending, rd_kafka_topic_t *handle,
                              uint32_t reader, int64_t offset);

#endif
