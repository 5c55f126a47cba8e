/* Admin: lists and makes topics, and adds partitions. Nothing here changes or deletes what exists.
 */
#ifndef GF_IO_KAFKA_ADMIN_H
#define GF_IO_KAFKA_ADMIN_H

#include "io/kafka_topics.h"

/* What the cluster has of the named topics; `out[i].partition_count` is 0 where there is none.
 * Errors: GF_E_UNAVAILABLE, GF_E_CONFIG. */
GF_MUST_USE enum gf_rc gf_kafka_admin_list(const struct gf_kafka_config *config,
                                           const struct gf_kafka_topic *wanted, uint32_t count,
                                           struct gf_kafka_topic *out, struct gf_error *error);

/* Makes the topics; one that is there already is left as it is.
 * Errors: GF_E_UNAVAILABLE, GF_E_CONFIG, naming the first topic that could not be made. */
GF_MUST_USE enum gf_rc gf_kafka_admin_create(const struct gf_kafka_config *config,
                                             const struct gf_kafka_topic *topics, uint32_t count,
                                             struct gf_error *error);

/* Gives the topics, which are there, as many partitions as `partition_count` says; one that has
 * them already is left as it is. Errors: GF_E_UNAVAILABLE, GF_E_CONFIG, naming the first topic that
 * could not be made larger. */
GF_MUST_USE enum gf_rc gf_kafka_admin_grow(const struct gf_kafka_config *config,
                                           const struct gf_kafka_topic *topics, uint32_t count,
                                           struct gf_error *error);

#endif
