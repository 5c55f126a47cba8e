/* Client: one librdkafka handle with what every user of one needs: the log and error callbacks,
 * whether brokers can be reached, the meaning of Kafka's error codes in ours, topic names.
 *
 * Used by the thread that opened it; librdkafka's own threads stay inside. */
#ifndef GF_IO_KAFKA_CLIENT_H
#define GF_IO_KAFKA_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/error.h"
#include "io/kafka_conf.h"
#include "model/records.h"

#define GF_KAFKA_TOPIC_NAME_SIZE 250 /* Kafka allows 249 characters */

struct gf_kafka_client {
    const struct gf_kafka_config *config;
    rd_kafka_t *handle;
    int64_t down_since_us; /* monotonic; 0: reachable as far as is known */
    bool has_heard;        /* a broker has answered */
    int64_t trouble_us;    /* monotonic: when librdkafka told of an error last; 0: never */
    rd_kafka_resp_err_t last_code;
    char last_text[200];                 /* of the newest error that librdkafka told of */
    _Atomic uint64_t connections_closed; /* so far; counted by librdkafka's threads */
};

/* Takes `conf`, whether it works or not. Connects in the background: no error tells of brokers that
 * are down. Errors: GF_E_CONFIG. */
GF_MUST_USE enum gf_rc gf_kafka_client_open(struct gf_kafka_client *client,
                                            const struct gf_kafka_config *config,
                                            enum gf_kafka_role role, rd_kafka_conf_t *conf,
                                            struct gf_error *error);
void gf_kafka_client_close(struct gf_kafka_client *client); /* accepts one that is not open */

/* Logs and errors that are waiting are handled; nothing blocks. */
void gf_kafka_client_serve(struct gf_kafka_client *client);

/* A broker answered: forget that none did. */
void gf_kafka_client_heard(struct gf_kafka_client *client);

/* Whether brokers have been out of reach for longer than the request timeout; asks them once more
 * before it says so. Errors: GF_E_UNAVAILABLE, GF_E_CONFIG. */
GF_MUST_USE enum gf_rc gf_kafka_client_check(struct gf_kafka_client *client,
                                             struct gf_error *error);

/* GF_E_FENCED, GF_E_NOT_FOUND, GF_E_CONFIG, GF_E_DAMAGED; GF_E_UNAVAILABLE for all else. */
enum gf_rc gf_kafka_rc(rd_kafka_resp_err_t code);

/* Sets "what: Kafka's words; what to do" and returns gf_kafka_rc(code). `what` names topic and
 * partition. */
enum gf_rc gf_kafka_fail(const struct gf_kafka_client *client, rd_kafka_resp_err_t code,
                         struct gf_error *error, const char *what, ...) GF_PRINTF(4, 5);

/* Metadata of `topic`, or of all topics when NULL; the caller destroys it. A client that has heard
 * of no broker yet waits as `waiting` of its configuration says. Errors: GF_E_NOT_FOUND,
 * GF_E_UNAVAILABLE, GF_E_CONFIG. */
GF_MUST_USE enum gf_rc gf_kafka_metadata(struct gf_kafka_client *client, rd_kafka_topic_t *topic,
                                         const struct rd_kafka_metadata **out,
                                         struct gf_error *error);

/* The topic's name on the cluster, prefix included. Errors: GF_E_CONFIG (too long). */
GF_MUST_USE enum gf_rc gf_kafka_topic_name(const struct gf_kafka_config *config,
                                           enum gf_topic topic, char out[GF_KAFKA_TOPIC_NAME_SIZE],
                                           struct gf_error *error);

int64_t gf_kafka_now_us(void);                 /* monotonic */
int gf_kafka_wait_ms(struct gf_duration wait); /* rounded up */
int gf_kafka_timeout_ms(const struct gf_kafka_config *config);

#endif
