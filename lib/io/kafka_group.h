/* Kafka group: shards by the group protocol. A handle of its own subscribes to the journal topic
 * alone and fetches nothing of it; librdkafka's threads send its heartbeats, so a long fold or
 * commit does not cost the membership.
 *
 * Static membership: an instance that comes back within the session timeout gets the same shards in
 * the same generation, and nobody else notices. Partitions are dealt out in turn (roundrobin) to
 * the instances in order of their ids: shard p of stage s is partition s * P + p, and blocks
 * (range) would give one instance a whole stage and another none of it.
 *
 * An instance that joins or is lost makes a new generation, in which most shards may have a new
 * owner. */
#ifndef GF_IO_KAFKA_GROUP_H
#define GF_IO_KAFKA_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "io/kafka_conf.h"
#include "loop/group.h"
#include "model/records.h"

struct gf_kafka_group_config {
    const struct gf_kafka_config *kafka;
    const char *group;
    const char *instance; /* group.instance.id: one for each member, the same after a restart */
    struct gf_duration session_timeout; /* silent for longer: lost; 0: 10 s */
    enum gf_topic journal;
};

/* `config` and what it points to are lent until close. The transactional sink of this instance must
 * be open: opening it ends what the instance left behind. Waits for brokers for the request
 * timeout. Errors: GF_E_UNAVAILABLE, GF_E_NOT_FOUND (no journal topic), GF_E_CONFIG,
 * GF_E_NO_MEMORY.
 *
 * Its poll may also give GF_E_NOT_FOUND (the journal topic was deleted) and GF_E_NO_MEMORY. After
 * any error but GF_E_UNAVAILABLE only close may follow. */
GF_MUST_USE enum gf_rc gf_kafka_group_open(const struct gf_kafka_group_config *config,
                                           struct gf_group **out, struct gf_error *error);

/* The generation that a fence names; false when it names no member, and so fences nothing. */
bool gf_kafka_fence_read(const rd_kafka_consumer_group_metadata_t *fence, int32_t *generation_out);

#endif
