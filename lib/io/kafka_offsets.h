/* Offsets: what Kafka's list-offsets request answers. The handle should fetch nothing: on its
 * connection an answer would wait behind a fetch that waits for records.
 *
 * Each asks again while brokers are out of reach, for the request timeout.
 * Errors: GF_E_UNAVAILABLE, GF_E_NOT_FOUND, GF_E_CONFIG. */
#ifndef GF_IO_KAFKA_OFFSETS_H
#define GF_IO_KAFKA_OFFSETS_H

#include "io/kafka_client.h"

/* One request for all of `list`, whose entries' `offset` are the answers. `time_ms` may also be
 * RD_KAFKA_OFFSET_BEGINNING, or _END: by the handle's isolation level the last stable offset or the
 * high watermark. */
GF_MUST_USE enum gf_rc gf_kafka_offsets_query(struct gf_kafka_client *client,
                                              rd_kafka_topic_partition_list_t *list,
                                              int64_t time_ms, struct gf_error *error);
/* The same for one partition. -1 when no record is at or after `time_ms`. */
GF_MUST_USE enum gf_rc gf_kafka_offset_query(struct gf_kafka_client *client, const char *name,
                                             uint32_t partition, int64_t time_ms,
                                             int64_t *offset_out, struct gf_error *error);
/* First offset and end of one partition. */
GF_MUST_USE enum gf_rc gf_kafka_ends_query(struct gf_kafka_client *client, const char *name,
                                           uint32_t partition, int64_t *first_out, int64_t *end_out,
                                           struct gf_error *error);

/* The first offset at or after `time`; the end when there is none. */
GF_MUST_USE enum gf_rc gf_kafka_offset_at(struct gf_kafka_client *client, const char *name,
                                          uint32_t partition, struct gf_time time,
                                          int64_t *offset_out, struct gf_error *error);

/* Opens a handle for such questions, unless it is open. */
GF_MUST_USE enum gf_rc gf_kafka_client_ask(struct gf_kafka_client *client,
                                           const struct gf_kafka_config *config,
                                           enum gf_kafka_role role, struct gf_error *error);
/* That an offset is needed which the topic does not hold, and what to do: GF_E_LOST. */
enum gf_rc gf_kafka_offset_lost(const char *name, uint32_t partition, int64_t wanted, int64_t first,
                                int64_t end, struct gf_error *error);

#endif
