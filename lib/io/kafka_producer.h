/* Producer: the handle of a sink with its topics, the framing of outputs and the count of delivery
 * reports. What a transaction is, kafka_sink.c knows. */
#ifndef GF_IO_KAFKA_PRODUCER_H
#define GF_IO_KAFKA_PRODUCER_H

#include <stddef.h>
#include <stdint.h>

#include "io/kafka_client.h"
#include "loop/sink.h"

struct gf_kafka_producer {
    struct gf_kafka_client client;
    const uint32_t *schema_ids; /* [GF_TOPIC_COUNT]; 0: this topic is not written */
    rd_kafka_topic_t *topics[GF_TOPIC_COUNT];
    /* Since gf_kafka_producer_reset. */
    uint64_t appended, delivered, failed;
    rd_kafka_resp_err_t failed_code; /* of the first delivery that failed */
    uint8_t *frame;
    size_t frame_size;
};

/* Connects and makes sure that every topic is there. After an error the caller closes all the same.
 * Errors: GF_E_UNAVAILABLE, GF_E_NOT_FOUND, GF_E_CONFIG. */
GF_MUST_USE enum gf_rc gf_kafka_producer_open(struct gf_kafka_producer *producer,
                                              const struct gf_kafka_config *config,
                                              const uint32_t *schema_ids,
                                              const char *transactional_id,
                                              struct gf_duration transaction_timeout,
                                              struct gf_error *error);
void gf_kafka_producer_close(struct gf_kafka_producer *producer);

void gf_kafka_producer_reset(struct gf_kafka_producer *producer);

/* Hands one output to librdkafka, framed; waits while its queue is full, for the request timeout at
 * most. `code_out` is Kafka's word. Errors: GF_E_NO_MEMORY, GF_E_IO (then `code_out` says why). */
GF_MUST_USE enum gf_rc gf_kafka_producer_append(struct gf_kafka_producer *producer,
                                                const struct gf_output *output,
                                                rd_kafka_resp_err_t *code_out,
                                                struct gf_error *error);

#endif
