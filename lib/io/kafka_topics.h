/* Topics: what gridfold wants of a cluster, and what differs from what is there. Pure;
 * io/kafka_admin.h talks to brokers. */
#ifndef GF_IO_KAFKA_TOPICS_H
#define GF_IO_KAFKA_TOPICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/kafka_client.h"

#define GF_KAFKA_FOREVER (-1) /* of retention_ms and retention_bytes */

struct gf_kafka_topic {
    char name[GF_KAFKA_TOPIC_NAME_SIZE]; /* prefix included */
    uint32_t partition_count;            /* 0: the topic is not there */
    uint32_t replication;                /* wanted 0: as the broker likes (-1 on the wire) */
    bool is_compacted;                   /* cleanup.policy contains "compact" */
    bool is_deleted;                     /* … contains "delete" */
    int64_t retention_ms;                /* wanted: at least */
    int64_t retention_bytes; /* wanted: at least; limits by size cut history at a bad time */
    bool grows;              /* wanted: has partitions for each stage */
};

struct gf_kafka_wish {
    uint32_t shard_count; /* partitions of customer topics and of their outputs */
    uint32_t stages;      /* that are on: see codec/stage.h; 0: the customers' alone */
    uint32_t replication; /* 0: the broker's default */
    int64_t retention_ms; /* of inputs, outputs and journal; what is kept for ever aside */
};

enum gf_kafka_gap {
    GF_KAFKA_GAP_MISSING,
    GF_KAFKA_GAP_PARTITIONS,
    GF_KAFKA_GAP_REPLICATION,
    GF_KAFKA_GAP_COMPACTED,
    GF_KAFKA_GAP_RETENTION_TIME,
    GF_KAFKA_GAP_RETENTION_SIZE,
};

struct gf_kafka_difference {
    enum gf_kafka_gap gap;
    const struct gf_kafka_topic *wanted, *there; /* views of what was compared */
    bool can_grow; /* PARTITIONS: a stage was switched on; what is missing can be added */
};

#define GF_KAFKA_DIFFERENCE_MAX (5 * GF_TOPIC_COUNT)

/* Every topic of gf_topics, in its order; those of stages that are off want no partitions, and
 * nothing is compared of them. Errors: GF_E_CONFIG (prefix too long). */
GF_MUST_USE enum gf_rc gf_kafka_topics_wanted(const struct gf_kafka_config *config,
                                              const struct gf_kafka_wish *wish,
                                              struct gf_kafka_topic out[GF_TOPIC_COUNT],
                                              struct gf_error *error);

/* Compares row by row (`there[i]` is what is known of `wanted[i]`); returns the count of
 * differences. */
uint32_t gf_kafka_topics_compare(const struct gf_kafka_topic *wanted,
                                 const struct gf_kafka_topic *there, uint32_t count,
                                 struct gf_kafka_difference out[GF_KAFKA_DIFFERENCE_MAX]);

/* One line that says what differs and what to do, without a newline. */
void gf_kafka_difference_print(const struct gf_kafka_difference *difference, char *text,
                               size_t size);

#endif
