/* Configuration of a librdkafka handle: what exactly-once depends on is set here and cannot be
 * overridden; all else (TLS, SASL, buffers, `debug`) passes through from the configuration file,
 * each key checked by librdkafka.
 *
 * A key that starts with "consumer." or "producer." reaches only the handles that read or write. */
#ifndef GF_IO_KAFKA_CONF_H
#define GF_IO_KAFKA_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/error.h"
#include "base/unit.h"

enum gf_kafka_role {
    GF_KAFKA_READ_COMMITTED,
    GF_KAFKA_READ_UNCOMMITTED,
    GF_KAFKA_WRITE,
    GF_KAFKA_ADMIN,
};

struct gf_kafka_property {
    const char *key;
    const char *value;
};

/* `level` is that of syslog: 3 error, 4 warning, 6 information, 7 debug. Called by the thread that
 * uses the handle. */
typedef void gf_kafka_log_fn(void *context, int level, const char *text);

/* Called by the thread that uses the handle, every few seconds for as long as no broker has
 * answered a client's first request. `why`: librdkafka's newest error, or "". `left`: of the
 * request timeout; 0: it is over. Returns whether to wait on, which may be for longer than the
 * timeout. */
typedef bool gf_kafka_waiting_fn(void *context, const char *brokers, const char *why,
                                 struct gf_duration left);

/* Lent for as long as a source, sink or admin call made with it lives. */
struct gf_kafka_config {
    const char *brokers;      /* "host:port,host:port" */
    const char *topic_prefix; /* before every topic name; NULL: nothing */
    const struct gf_kafka_property *properties;
    uint32_t property_count;
    struct gf_duration
        request_timeout;  /* how long a call waits for a broker before GF_E_UNAVAILABLE; 0: 30 s */
    gf_kafka_log_fn *log; /* NULL: silent */
    void *log_context;
    gf_kafka_waiting_fn *waiting; /* NULL: silent, and no longer than the timeout */
    void *waiting_context;
};

/* A fresh configuration; rd_kafka_new takes it, else the caller destroys it.
 * Errors: GF_E_CONFIG, naming the key. */
GF_MUST_USE enum gf_rc gf_kafka_conf_new(const struct gf_kafka_config *config,
                                         enum gf_kafka_role role, rd_kafka_conf_t **out,
                                         struct gf_error *error);

/* Sets one key of ours. Errors: GF_E_CONFIG, naming the key. */
GF_MUST_USE enum gf_rc gf_kafka_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value,
                                         struct gf_error *error);

#endif
