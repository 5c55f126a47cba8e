/* A plain transactional producer of librdkafka, and a reader, for tests of what Kafka and
 * librdkafka do by themselves. The client.id is the transactional.id. */
#ifndef GF_TEST_TXN_CLIENT_H
#define GF_TEST_TXN_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include <librdkafka/rdkafka.h>

/* Ready for `topic` (its metadata is there), and not yet with a producer id. A request without a
 * reply is tried again after two seconds. */
rd_kafka_t *txn_client_new(const char *addresses, const char *id, const char *topic);
void txn_client_free(rd_kafka_t *client);
/* Each fails the running test unless it works. */
void txn_init(rd_kafka_t *client);
void txn_begin(rd_kafka_t *client);
/* One record for partition 0, on its way. */
void txn_produce(rd_kafka_t *client, const char *topic, const char *value);
void txn_flush(rd_kafka_t *client);
void txn_commit(rd_kafka_t *client);

struct txn_result {
    rd_kafka_resp_err_t code; /* 0: it worked */
    bool is_retriable, is_abortable, is_fatal;
};
/* The error code of what may fail. */
struct txn_result txn_try_init(rd_kafka_t *client, int timeout_ms);
struct txn_result txn_try_commit(rd_kafka_t *client, int timeout_ms);

/* The values in partition 0 from its start to its end, as "a b c". The end is that of the isolation
 * level: with an open transaction, committed values stop before it. A schema id is left out. */
void txn_read(const char *addresses, const char *topic, bool is_committed, char *out, size_t size);
/* That these are the values. txn_wait: of what is committed, within some seconds. */
void txn_expect(const char *addresses, const char *topic, bool is_committed, const char *expected);
void txn_wait(const char *addresses, const char *topic, const char *expected);

#endif
