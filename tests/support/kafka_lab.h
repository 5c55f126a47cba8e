/* What tests against a real broker share: topics of their own, a source, a sink, and other people's
 * programs. Each function fails the running test when it does not work. */
#ifndef GF_TEST_KAFKA_LAB_H
#define GF_TEST_KAFKA_LAB_H

#include <stdbool.h>
#include <stdint.h>

#include "broker.h"
#include "io/kafka_sink.h"
#include "io/kafka_source.h"

#define LAB_WAIT      ((struct gf_duration){200000})
#define LAB_TRIES_MAX 150 /* of LAB_WAIT each */
#define LAB_SCHEMA_ID 7
#define LAB_TIME_US   INT64_C(1767225600000000)

extern struct test_broker lab_broker;

struct lab {
    struct gf_kafka_config config;
    struct gf_kafka_sink_config sink_config;
    uint32_t schema_ids[GF_TOPIC_COUNT];
    struct gf_source *source;
};

void lab_expect_ok(enum gf_rc rc, const struct gf_error *error, const char *what);
void lab_expect_rc(enum gf_rc rc, enum gf_rc wanted, const struct gf_error *error);
/* Topics of `prefix` with two shards, a source, and the settings of a sink that writes four topics.
 */
void lab_open(struct lab *lab, const char *prefix, struct gf_duration timeout);
void lab_close(struct lab *lab);
struct gf_sink *lab_sink_open(const struct lab *lab);
enum gf_rc lab_append(struct gf_sink *sink, enum gf_topic topic, const char *key, const char *body,
                      struct gf_error *error);
/* One transaction with `count` outputs. */
void lab_write_transaction(struct gf_sink *sink, enum gf_topic topic, const char *body, int count,
                           bool is_committed);
/* Reads [from, end) of partition 0 until the position is at `end`; returns the count of records. */
uint32_t lab_read_until(struct gf_source *source, enum gf_topic topic, int64_t from, int64_t end,
                        struct gf_record *records, uint32_t count_max);
/* The same, as one of several readers. */
uint32_t lab_read_as(struct gf_source *source, uint32_t reader, enum gf_topic topic, int64_t from,
                     int64_t end, struct gf_record *records, uint32_t count_max);
int64_t lab_end_of(struct gf_source *source, enum gf_topic topic);
/* The end once it is at least `minimum`: a commit returns before its markers are in every
 * partition. */
int64_t lab_end_after(struct gf_source *source, enum gf_topic topic, int64_t minimum);
/* The end of an output when no transaction is open on it any more: that of everything that is
 * there. */
int64_t lab_end_settled(const struct lab *lab, enum gf_topic topic);
/* A plain producer, as of other people's programs; `count` records with their number as value, 1 ms
 * apart. */
void lab_produce_plain(const char *topic, int count);
/* What an administrator, or retention, does. */
void lab_records_delete(const char *topic, int64_t before);

#endif
