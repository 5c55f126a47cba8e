/* The writer of input topics on Kafka, for imports and simulations: an idempotent producer without
 * transactions, as other people's producers are. Records go to the partition they name, in the
 * order in which they are given; what was taken stays when a later one fails.
 *
 * Used by the thread that opened it. */
#ifndef GF_IO_KAFKA_WRITER_H
#define GF_IO_KAFKA_WRITER_H

#include "io/kafka_conf.h"
#include "io/registry.h"
#include "model/record.h"
#include "model/records.h"

struct gf_kafka_writer;

/* Connects and learns which topics there are; `config` and `registry` are lent until close.
 * Errors: GF_E_UNAVAILABLE, GF_E_CONFIG, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_kafka_writer_open(const struct gf_kafka_config *config,
                                            struct gf_registry *registry,
                                            struct gf_kafka_writer **out, struct gf_error *error);

/* How many partitions the cluster has of an input topic. Asks the registry for the topic's schema
 * id too: all that a topic can lack is told here, before its first record. Errors: GF_E_NOT_FOUND
 * (no such topic), GF_E_CONFIG, GF_E_UNAVAILABLE, those of gf_registry_own_id. */
GF_MUST_USE enum gf_rc gf_kafka_writer_partitions(struct gf_kafka_writer *writer,
                                                  enum gf_topic topic, uint32_t *count_out,
                                                  struct gf_error *error);

/* The end of a partition that others may write to as well. Errors: GF_E_UNAVAILABLE, and those of
 * gf_kafka_writer_partitions. */
GF_MUST_USE enum gf_rc gf_kafka_writer_next(struct gf_kafka_writer *writer, enum gf_topic topic,
                                            uint32_t partition, int64_t *offset_out,
                                            struct gf_error *error);

/* Copies the record into the producer's queue, its offset aside; waits while the queue is full and
 * brokers take from it. A body in our own schema is framed with the registry's id; a framed value,
 * or the bytes of schema id 0, go as they are. Any record that the brokers have refused since shows
 * here. Errors: GF_E_NOT_FOUND (no such partition), GF_E_UNKNOWN_SCHEMA, GF_E_UNAVAILABLE,
 * GF_E_CONFIG, GF_E_NO_MEMORY, those of gf_kafka_writer_partitions. */
GF_MUST_USE enum gf_rc gf_kafka_writer_append(struct gf_kafka_writer *writer,
                                              const struct gf_record *record,
                                              struct gf_error *error);

/* Waits until the brokers have confirmed every record. Errors: as append. */
GF_MUST_USE enum gf_rc gf_kafka_writer_flush(struct gf_kafka_writer *writer,
                                             struct gf_error *error);

/* Flushes and frees; after an error what is still in the queue is dropped. Accepts NULL. Errors: as
 * append. */
enum gf_rc gf_kafka_writer_close(struct gf_kafka_writer *writer, struct gf_error *error);

#endif
