/* InitProducerId of a producer that has an epoch and wants its next one: what librdkafka sends by
 * itself after messages that timed out, as an owner does that comes back late. */
#ifndef GF_TEST_EPOCH_REQUEST_H
#define GF_TEST_EPOCH_REQUEST_H

#include <stdint.h>

struct epoch {
    int64_t producer; /* -1 and -1: of nobody yet */
    int epoch;
};

/* Asks the broker at "host:port" on loopback; the code of the answer, and with 0 the new epoch. -1:
 * no answer. */
int epoch_ask(const char *broker, const char *transactional_id, struct epoch *epoch);

#endif
