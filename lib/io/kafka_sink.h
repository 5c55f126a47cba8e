/* Kafka sink: one transactional producer; a commit is one transaction, whatever number of shards is
 * in it.
 *
 * The transactional id names the slot or the instance. Opening a sink ends what its predecessor
 * left open and fences it; only after that may the journal be read. The offsets given to commit
 * move the group for its lag display, and nobody reads them back; with fixed slots they are no
 * fence, in a group the fence that comes with them is compared by the group's coordinator.
 *
 * A commit that timed out is asked for again. GF_E_TXN: aborted already, nothing is visible; append
 * and flush give it too, then the caller aborts. GF_E_UNKNOWN_OUTCOME: only close may follow, then
 * a new sink and recovery. After a connection was lost in a transaction the next begin takes a new
 * epoch by itself, or asks for one in this way where no fence protects the shards. GF_E_FENCED:
 * another sink was opened under this id, or this one was silent for longer than the transaction
 * timeout; only close may follow. GF_E_CONFIG: an output that the topic's limits refuse, or rights
 * that are missing; only abort or close may follow. */
#ifndef GF_IO_KAFKA_SINK_H
#define GF_IO_KAFKA_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "io/kafka_conf.h"
#include "loop/sink.h"

struct gf_kafka_sink_config {
    const struct gf_kafka_config *kafka;
    const char *transactional_id;
    const char *group;          /* whose offsets a commit moves with fixed slots; NULL: none */
    bool needs_fence;           /* shards come from a group: each commit has a fence, or it is a bug
                                 */
    const uint32_t *schema_ids; /* [GF_TOPIC_COUNT]: of our schema; 0: this topic is not written */
    struct gf_duration
        transaction_timeout; /* the broker ends an open transaction after this; 0: 30 s */
};

/* `config` and what it points to are lent until close. Waits for brokers for the request timeout.
 * Errors: GF_E_UNAVAILABLE, GF_E_NOT_FOUND (a topic that is to be written is missing), GF_E_CONFIG,
 * GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_kafka_sink_open(const struct gf_kafka_sink_config *config,
                                          struct gf_sink **out, struct gf_error *error);

/* Ends the transaction that is open under this id, and fences whoever has it: for a take-over that
 * waits for another instance's transaction. Waits for brokers for the request timeout; about half a
 * second when something was open. Errors: GF_E_UNAVAILABLE, GF_E_CONFIG, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_kafka_fence(const struct gf_kafka_config *kafka,
                                      const char *transactional_id, struct gf_error *error);

#endif
