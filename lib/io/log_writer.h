/* A log to fill, opened by its name: the input topics of a folder or of Kafka. What import and
 * simulate need of both is the same, so they write here and never ask which it is. */
#ifndef GF_IO_LOG_WRITER_H
#define GF_IO_LOG_WRITER_H

#include "io/folder.h"
#include "io/kafka_conf.h"
#include "io/registry.h"

/* Zero means the default everywhere. */
struct gf_log_writer_options {
    uint32_t partitions;     /* that the customer topics must have; 0: as many as are there */
    uint32_t partitions_new; /* folder: of a new log when `partitions` is 0; GF_FOLDER_PARTITIONS */
    enum gf_folder_codec codec;   /* folder: of new files */
    bool no_sync;                 /* folder: leave it to the system when bytes reach a disk */
    struct gf_kafka_config kafka; /* brokers are taken from the name */
    struct gf_registry_options registry; /* Kafka: where schema ids are looked up */
};

struct gf_log_writer;

/* A folder that is missing is made, and is locked; topics of Kafka must be there. `name` is copied;
 * what `options` points to is lent until close. Errors: GF_E_USAGE (name; a folder's option with
 * Kafka), GF_E_BUSY (another process writes there), GF_E_CONFIG, GF_E_UNAVAILABLE, and those of
 * gf_folder_writer_open. */
GF_MUST_USE enum gf_rc gf_log_writer_open(const char *name,
                                          const struct gf_log_writer_options *options,
                                          struct gf_log_writer **out, struct gf_error *error);

/* Where files that go with the log are put: in its folder; of Kafka, in the working directory. */
const char *gf_log_writer_folder(const struct gf_log_writer *writer);

/* How many partitions an input topic has, which is what keys are spread over (one of reference
 * topics, whatever is there). What the topic lacks is told here, before its first record. Errors:
 * GF_E_NOT_FOUND (no such topic), GF_E_CONFIG (not as many as wanted), GF_E_UNAVAILABLE. */
GF_MUST_USE enum gf_rc gf_log_writer_partitions(struct gf_log_writer *writer, enum gf_topic topic,
                                                uint32_t *count_out, struct gf_error *error);

/* Where the next record of a partition goes; 0: there was none yet. Errors: as partitions. */
GF_MUST_USE enum gf_rc gf_log_writer_next(struct gf_log_writer *writer, enum gf_topic topic,
                                          uint32_t partition, int64_t *offset_out,
                                          struct gf_error *error);

/* The timestamp of the last record of a partition. GF_TIME_NONE: there is none, or it cannot be
 * read: only warnings should hang on it. */
struct gf_time gf_log_writer_last_time(struct gf_log_writer *writer, enum gf_topic topic,
                                       uint32_t partition);

/* Adds a record to its topic and partition, at the end; its offset is -1. The value is the Avro
 * body in our own schema. Errors: those of gf_folder_writer_append and gf_kafka_writer_append. */
GF_MUST_USE enum gf_rc gf_log_writer_append(struct gf_log_writer *writer,
                                            const struct gf_record *record, struct gf_error *error);

/* Every record is durable after it: synced, or confirmed by the brokers. */
GF_MUST_USE enum gf_rc gf_log_writer_flush(struct gf_log_writer *writer, struct gf_error *error);

/* Flushes and frees. Accepts NULL. Errors: as flush. */
enum gf_rc gf_log_writer_close(struct gf_log_writer *writer, struct gf_error *error);

#endif
