#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "codec/records.h"
#include "io/kafka_client.h"

#define TIMEOUT_MS_DEFAULT 30000
#define CHECK_TIMEOUT_MS   2000
#define WAITING_MS         2500 /* until whoever waits for a first answer is told */
#define RETRY_WAIT_MS      50
/* A broker that has just started may not know all topics yet. */
#define NOT_FOUND_TRIES   4
#define NOT_FOUND_WAIT_MS 250

int64_t
gf_kafka_now_us(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * GF_US_PER_S + now.tv_nsec / 1000;
}

int
gf_kafka_timeout_ms(const struct gf_kafka_config *config)
{
    const int64_t timeout_ms = config->request_timeout.us / 1000;
    assert(timeout_ms >= 0 && timeout_ms <= INT32_MAX);
    return timeout_ms == 0 ? TIMEOUT_MS_DEFAULT : (int)timeout_ms;
}

static void
on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    struct gf_kafka_client *const client = rd_kafka_opaque(handle);
    if (strcmp(facility, "SESSTMOUT") == 0) { /* of a group: it is no error to librdkafka */
        client->trouble_us = gf_kafka_now_us();
    }
    if (client->config->log != NULL) {
        char line[1024];
        snprintf(line, sizeof(line), "kafka %s: %s", facility, text);
        client->config->log(client->config->log_context, level, line);
    }
}

static void
on_error(rd_kafka_t *handle, int code, const char *text, void *opaque)
{
    struct gf_kafka_client *const client = opaque;
    client->trouble_us = gf_kafka_now_us();
    /* That all brokers are down comes behind why the last one is. */
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
        client->last_code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        client->last_code = (rd_kafka_resp_err_t)code;
        snprintf(client->last_text, sizeof(client->last_text), "%s", text);
    }
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && client->down_since_us == 0) {
        client->down_since_us = gf_kafka_now_us();
    }
    on_log(handle, 4, "ERROR", text);
}

static int
on_close(int socket, void *opaque)
{
    struct gf_kafka_client *const client = opaque;
    client->connections_closed++;
    return close(socket);
}

enum gf_rc
gf_kafka_client_open(struct gf_kafka_client *client, const struct gf_kafka_config *config,
                     enum gf_kafka_role role, rd_kafka_conf_t *conf, struct gf_error *error)
{
    assert(client != NULL);
    assert(conf != NULL);
    *client = (struct gf_kafka_client){.config = config};
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_closesocket_cb(conf, on_close);

    const bool reads = role == GF_KAFKA_READ_COMMITTED || role == GF_KAFKA_READ_UNCOMMITTED;
    char text[256] = "";
    client->handle =
        rd_kafka_new(reads ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (client->handle == NULL) {
        rd_kafka_conf_destroy(conf);
        return gf_fail(error, GF_E_CONFIG, "Kafka client cannot be made: %s", text);
    }
    rd_kafka_set_log_queue(client->handle, NULL);
    return GF_OK;
}

void
gf_kafka_client_close(struct gf_kafka_client *client)
{
    if (client->handle != NULL) {
        gf_kafka_client_serve(client);
        rd_kafka_destroy(client->handle);
        client->handle = NULL;
    }
}

void
gf_kafka_client_serve(struct gf_kafka_client *client)
{
    rd_kafka_poll(client->handle, 0);
}

void
gf_kafka_client_heard(struct gf_kafka_client *client)
{
    client->has_heard = true;
    client->down_since_us = 0;
    client->last_code = RD_KAFKA_RESP_ERR_NO_ERROR;
}

enum gf_rc
gf_kafka_client_check(struct gf_kafka_client *client, struct gf_error *error)
{
    gf_kafka_client_serve(client);
    if (client->down_since_us == 0 || gf_kafka_now_us() - client->down_since_us <
                                          (int64_t)gf_kafka_timeout_ms(client->config) * 1000) {
        return GF_OK;
    }
    /* librdkafka tells when the last broker goes but not when the first one comes back. */
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t code =
        rd_kafka_metadata(client->handle, 0, NULL, &metadata, CHECK_TIMEOUT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return gf_kafka_fail(client, code, error, "no broker answers");
    }
    rd_kafka_metadata_destroy(metadata);
    gf_kafka_client_heard(client);
    return GF_OK;
}

enum gf_rc
gf_kafka_rc(rd_kafka_resp_err_t code)
{
    static const struct {
        rd_kafka_resp_err_t code;
        enum gf_rc rc;
    } rows[] = {
        {RD_KAFKA_RESP_ERR__FENCED, GF_E_FENCED},
        {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, GF_E_FENCED},
        {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, GF_E_FENCED},
        {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, GF_E_FENCED},
        {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, GF_E_NOT_FOUND},
        {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, GF_E_NOT_FOUND},
        {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, GF_E_NOT_FOUND},
        {RD_KAFKA_RESP_ERR__AUTHENTICATION, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR__SSL, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR_INVALID_CONFIG, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, GF_E_CONFIG},
        {RD_KAFKA_RESP_ERR__BAD_MSG, GF_E_DAMAGED},
        {RD_KAFKA_RESP_ERR__BAD_COMPRESSION, GF_E_DAMAGED},
        {RD_KAFKA_RESP_ERR_INVALID_MSG, GF_E_DAMAGED},
    };
    for (size_t index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        if (rows[index].code == code) {
            return rows[index].rc;
        }
    }
    return GF_E_UNAVAILABLE;
}

static const char *
rc_advice(enum gf_rc rc)
{
    static const struct {
        enum gf_rc rc;
        const char *advice;
    } rows[] = {
        {GF_E_FENCED, "another instance runs under the same name: give each one its own slot"},
        {GF_E_NOT_FOUND, "`gridfold topics create` makes the topics that are missing"},
        {GF_E_CONFIG, "check the Kafka settings and the rights of this user"},
        {GF_E_DAMAGED, "look at the broker's log and disk; nothing was skipped"},
        {GF_E_UNAVAILABLE,
         "check that the brokers run and that `log` names them, then start again"},
    };
    for (size_t index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        if (rows[index].rc == rc) {
            return rows[index].advice;
        }
    }
    return "look at the log";
}

enum gf_rc
gf_kafka_fail(const struct gf_kafka_client *client, rd_kafka_resp_err_t code,
              struct gf_error *error, const char *what, ...)
{
    char subject[160];
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(subject, sizeof(subject), what, arguments);
    va_end(arguments);

    enum gf_rc rc = gf_kafka_rc(code);
    const char *detail = "";
    if (rc == GF_E_UNAVAILABLE && client->last_code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        /* A refused login looks like a timeout from the outside; the last word of the client tells
         * them apart. */
        detail = client->last_text;
        if (gf_kafka_rc(client->last_code) == GF_E_CONFIG) {
            rc = GF_E_CONFIG;
        }
    }
    return gf_fail(error, rc, "Kafka at %.100s: %s: %s%s%s; %s", client->config->brokers, subject,
                   rd_kafka_err2str(code), detail[0] == '\0' ? "" : ", ", detail, rc_advice(rc));
}

/* The first request: whoever waits is told that no broker answers, and decides for how long to ask.
 * One that is there and slow (the request timed out) gets all of the time that is left. */
static rd_kafka_resp_err_t
metadata_first(struct gf_kafka_client *client, rd_kafka_topic_t *topic,
               const struct rd_kafka_metadata **out)
{
    const struct gf_kafka_config *const config = client->config;
    const int timeout_ms = gf_kafka_timeout_ms(config);
    const int slice_ms = timeout_ms / 2 < WAITING_MS ? timeout_ms / 2 : WAITING_MS;
    const int64_t deadline_us = gf_kafka_now_us() + (int64_t)timeout_ms * 1000;
    int ask_ms = slice_ms;
    for (;;) {
        const rd_kafka_resp_err_t code =
            rd_kafka_metadata(client->handle, topic == NULL, topic, out, ask_ms);
        if (code != RD_KAFKA_RESP_ERR__TRANSPORT && code != RD_KAFKA_RESP_ERR__TIMED_OUT) {
            return code;
        }
        rd_kafka_poll(client->handle, RETRY_WAIT_MS);
        const int64_t left_us = deadline_us - gf_kafka_now_us();
        const struct gf_duration left = {left_us > 0 ? left_us : 0};
        if (config->waiting == NULL ? left.us == 0
                                    : !config->waiting(config->waiting_context, config->brokers,
                                                       client->last_text, left)) {
            return code;
        }
        ask_ms = slice_ms;
        if (left.us > 0 && (code == RD_KAFKA_RESP_ERR__TIMED_OUT || left.us / 1000 < slice_ms)) {
            ask_ms = gf_kafka_wait_ms(left);
        }
    }
}

static enum gf_rc
metadata_ask(struct gf_kafka_client *client, rd_kafka_topic_t *topic,
             const struct rd_kafka_metadata **out, struct gf_error *error)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t code =
        client->has_heard ? rd_kafka_metadata(client->handle, topic == NULL, topic, &metadata,
                                              gf_kafka_timeout_ms(client->config))
                          : metadata_first(client, topic, &metadata);
    const char *const subject = topic == NULL ? "all topics" : rd_kafka_topic_name(topic);
    gf_kafka_client_serve(client);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return gf_kafka_fail(client, code, error, "metadata of %s", subject);
    }
    gf_kafka_client_heard(client);
    if (topic != NULL) {
        assert(metadata->topic_cnt == 1);
        if (metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            const rd_kafka_resp_err_t topic_code = metadata->topics[0].err;
            rd_kafka_metadata_destroy(metadata);
            return gf_kafka_fail(client, topic_code, error, "topic %s", subject);
        }
    }
    *out = metadata;
    return GF_OK;
}

enum gf_rc
gf_kafka_metadata(struct gf_kafka_client *client, rd_kafka_topic_t *topic,
                  const struct rd_kafka_metadata **out, struct gf_error *error)
{
    enum gf_rc rc = metadata_ask(client, topic, out, error);
    for (int again = 0; rc == GF_E_NOT_FOUND && again < NOT_FOUND_TRIES; again++) {
        rd_kafka_poll(client->handle, NOT_FOUND_WAIT_MS);
        rc = metadata_ask(client, topic, out, error);
    }
    return rc;
}

enum gf_rc
gf_kafka_topic_name(const struct gf_kafka_config *config, enum gf_topic topic,
                    char out[GF_KAFKA_TOPIC_NAME_SIZE], struct gf_error *error)
{
    const char *const prefix = config->topic_prefix == NULL ? "" : config->topic_prefix;
    const int size = snprintf(out, GF_KAFKA_TOPIC_NAME_SIZE, "%s%s", prefix, gf_topics[topic].name);
    if (size < 0 || size >= GF_KAFKA_TOPIC_NAME_SIZE) {
        return gf_fail(error, GF_E_CONFIG, "topic prefix '%.60s…' is too long; shorten it", prefix);
    }
    return GF_OK;
}

int
gf_kafka_wait_ms(struct gf_duration wait)
{
    const int64_t wait_ms = (wait.us + 999) / 1000;
    return wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms;
}
