/* What is in the topics of a log, read as others would: from Kafka by an ordinary consumer group
 * that reads what is committed, from a folder by its source. Each function fails the running test
 * when it does not work. */
#ifndef GF_TEST_TOPIC_READER_H
#define GF_TEST_TOPIC_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/records.h"

struct topic_record {
    uint32_t partition;
    int64_t offset, timestamp_ms;
    uint32_t schema_id; /* as framed; of a folder: 0 */
    size_t key_size, body_size;
    uint8_t *key, *body; /* `body` without its frame */
};

struct topic_records {
    struct topic_record *items; /* by partition, then offset */
    size_t count, capacity;
};

/* The output topics and the journal, by enum gf_topic; those of inputs are empty. From Kafka:
 * everything up to the ends that the partitions have when it is called, once no transaction is open
 * below them. */
void topic_records_kafka(const char *brokers, const char *prefix, uint32_t partition_count,
                         struct topic_records out[GF_TOPIC_COUNT]);
void topic_records_folder(const char *path, struct topic_records out[GF_TOPIC_COUNT]);
/* The same outputs, journals aside: byte for byte, but for offsets (transactions have markers) and
 * frames. A dead letter holds the record as it came, schema id included. */
void topic_records_expect_equal(const struct topic_records left[GF_TOPIC_COUNT],
                                const struct topic_records right[GF_TOPIC_COUNT],
                                bool has_same_ids);
void topic_records_free(struct topic_records records[GF_TOPIC_COUNT]);

/* The journal record of `record`; it lives until the arena is used again. */
void topic_record_journal(const struct topic_record *record, struct gf_arena *arena,
                          struct gf_journal *out);

/* The stages whose topics are read, as a set of GF_STAGE_BIT; until it is set: the customers'. */
extern uint32_t topic_reader_stages;
/* How many topics of [from, to) are in use with them. */
uint32_t topics_used(int from, int to);

#endif
