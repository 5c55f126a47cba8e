#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/records.h"
#include "codec/wire.h"
#include "io/kafka_producer.h"

#define TRANSACTION_TIMEOUT_MS_DEFAULT 30000
#define QUEUE_WAIT_MS                  50
#define SERVE_EVERY                    256

static struct gf_kafka_producer *
producer_of(struct gf_kafka_client *client)
{
    return (struct gf_kafka_producer *)((char *)client -
                                        offsetof(struct gf_kafka_producer, client));
}

static void
on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle;
    struct gf_kafka_producer *const self = producer_of(opaque);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        self->delivered++;
        return;
    }
    if (self->failed == 0) {
        self->failed_code = message->err;
    }
    self->failed++;
}

static enum gf_rc
headers_make(const struct gf_output *output, rd_kafka_headers_t **out, struct gf_error *error)
{
    *out = NULL;
    if (output->header_count == 0) {
        return GF_OK;
    }
    rd_kafka_headers_t *const headers = rd_kafka_headers_new(output->header_count);
    for (uint32_t index = 0; index < output->header_count; index++) {
        const struct gf_header *const header = &output->headers[index];
        const rd_kafka_resp_err_t code = rd_kafka_header_add(
            headers, (const char *)header->name.data, (ssize_t)header->name.size,
            header->value.data, (ssize_t)header->value.size);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_headers_destroy(headers);
            return gf_fail(error, GF_E_NO_MEMORY, "headers of an output: %s",
                           rd_kafka_err2str(code));
        }
    }
    *out = headers;
    return GF_OK;
}

/* The framed value, in memory of the sink that the next call uses again. */
static enum gf_rc
frame_make(struct gf_kafka_producer *self, const struct gf_output *output, struct gf_error *error)
{
    const size_t size = GF_FRAME_SIZE + (size_t)output->body.size;
    if (size > self->frame_size) {
        uint8_t *const grown = realloc(self->frame, size * 2);
        if (grown == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "no memory for an output of %zu bytes", size);
        }
        self->frame = grown;
        self->frame_size = size * 2;
    }
    gf_frame_write(self->schema_ids[output->topic], self->frame);
    if (output->body.size > 0) {
        memcpy(self->frame + GF_FRAME_SIZE, output->body.data, output->body.size);
    }
    return GF_OK;
}

/* One try; the frame is copied, `headers` are taken only when it works. */
static rd_kafka_resp_err_t
output_produce(struct gf_kafka_producer *self, const struct gf_output *output,
               rd_kafka_headers_t *headers)
{
    /* 0 lets librdkafka take the clock: for what has no event time yet. */
    const int64_t time_ms = output->timestamp.us > 0 ? output->timestamp.us / 1000 : 0;
    rd_kafka_t *const handle = self->client.handle;
    const int partition = (int)output->partition;
    void *const key = (void *)(uintptr_t)output->key.data;
    const size_t size = GF_FRAME_SIZE + (size_t)output->body.size;
    if (headers != NULL) {
        return rd_kafka_producev(
            handle, RD_KAFKA_V_RKT(self->topics[output->topic]), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, output->key.size),
            RD_KAFKA_V_VALUE(self->frame, size), RD_KAFKA_V_TIMESTAMP(time_ms),
            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    }
    return rd_kafka_producev(
        handle, RD_KAFKA_V_RKT(self->topics[output->topic]), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, output->key.size),
        RD_KAFKA_V_VALUE(self->frame, size), RD_KAFKA_V_TIMESTAMP(time_ms), RD_KAFKA_V_END);
}

enum gf_rc
gf_kafka_producer_append(struct gf_kafka_producer *self, const struct gf_output *output,
                         rd_kafka_resp_err_t *code_out, struct gf_error *error)
{
    assert((unsigned)output->topic < GF_TOPIC_COUNT);
    assert(self->topics[output->topic] != NULL);
    *code_out = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_headers_t *headers = NULL;
    enum gf_rc rc = frame_make(self, output, error);
    if (rc == GF_OK) {
        rc = headers_make(output, &headers, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    const int64_t deadline_us =
        gf_kafka_now_us() + (int64_t)gf_kafka_timeout_ms(self->client.config) * 1000;
    rd_kafka_resp_err_t code = output_produce(self, output, headers);
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && gf_kafka_now_us() < deadline_us) {
        rd_kafka_poll(self->client.handle, QUEUE_WAIT_MS);
        code = output_produce(self, output, headers);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (headers != NULL) {
            rd_kafka_headers_destroy(headers);
        }
        *code_out = code;
        return GF_E_IO;
    }
    if (++self->appended % SERVE_EVERY == 0) {
        gf_kafka_client_serve(&self->client);
    }
    return GF_OK;
}

void
gf_kafka_producer_reset(struct gf_kafka_producer *self)
{
    self->appended = 0;
    self->delivered = 0;
    self->failed = 0;
    self->failed_code = RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool
metadata_has(const struct rd_kafka_metadata *metadata, const char *name)
{
    for (int index = 0; index < metadata->topic_cnt; index++) {
        if (strcmp(metadata->topics[index].topic, name) == 0) {
            return metadata->topics[index].err == RD_KAFKA_RESP_ERR_NO_ERROR;
        }
    }
    return false;
}

/* Looks before it touches: a producer that names a missing topic makes it, with whatever settings
 * the broker likes. Without this warm-up the first output to a topic waits a second for its
 * metadata. */
static enum gf_rc
topics_open(struct gf_kafka_producer *self, struct gf_error *error)
{
    const struct rd_kafka_metadata *all = NULL;
    enum gf_rc rc = gf_kafka_metadata(&self->client, NULL, &all, error);
    if (rc != GF_OK) {
        return rc;
    }
    for (size_t topic = 0; rc == GF_OK && topic < GF_TOPIC_COUNT; topic++) {
        char name[GF_KAFKA_TOPIC_NAME_SIZE];
        if (self->schema_ids[topic] == 0) {
            continue;
        }
        rc = gf_kafka_topic_name(self->client.config, (enum gf_topic)topic, name, error);
        if (rc == GF_OK && !metadata_has(all, name)) {
            rc = gf_kafka_fail(&self->client, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, error,
                               "topic %s", name);
        }
        if (rc == GF_OK) {
            self->topics[topic] = rd_kafka_topic_new(self->client.handle, name, NULL);
            if (self->topics[topic] == NULL) {
                rc = gf_kafka_fail(&self->client, rd_kafka_last_error(), error, "topic %s", name);
            }
        }
    }
    rd_kafka_metadata_destroy(all);
    for (size_t topic = 0; rc == GF_OK && topic < GF_TOPIC_COUNT; topic++) {
        const struct rd_kafka_metadata *one = NULL;
        if (self->topics[topic] != NULL) {
            rc = gf_kafka_metadata(&self->client, self->topics[topic], &one, error);
            if (rc == GF_OK) {
                rd_kafka_metadata_destroy(one);
            }
        }
    }
    return rc;
}

static enum gf_rc
handle_open(struct gf_kafka_producer *self, const struct gf_kafka_config *config,
            const char *transactional_id, struct gf_duration transaction_timeout,
            struct gf_error *error)
{
    const int64_t timeout_ms = transaction_timeout.us == 0 ? TRANSACTION_TIMEOUT_MS_DEFAULT
                                                           : transaction_timeout.us / 1000;
    char timeout[32];
    snprintf(timeout, sizeof(timeout), "%lld", (long long)timeout_ms);

    rd_kafka_conf_t *conf = NULL;
    enum gf_rc rc = gf_kafka_conf_new(config, GF_KAFKA_WRITE, &conf, error);
    if (rc != GF_OK) {
        return rc;
    }
    rc = gf_kafka_conf_set(conf, "transactional.id", transactional_id, error);
    if (rc == GF_OK) {
        rc = gf_kafka_conf_set(conf, "transaction.timeout.ms", timeout, error);
    }
    if (rc != GF_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    /* Also for speed: without delivery reports a small transaction takes five times as long. */
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return gf_kafka_client_open(&self->client, config, GF_KAFKA_WRITE, conf, error);
}

enum gf_rc
gf_kafka_producer_open(struct gf_kafka_producer *self, const struct gf_kafka_config *config,
                       const uint32_t *schema_ids, const char *transactional_id,
                       struct gf_duration transaction_timeout, struct gf_error *error)
{
    *self = (struct gf_kafka_producer){.schema_ids = schema_ids};
    const enum gf_rc rc = handle_open(self, config, transactional_id, transaction_timeout, error);
    return rc == GF_OK ? topics_open(self, error) : rc;
}

/* librdkafka 2.0.2 frees the text of a failed transaction when it is destroyed, and once more when
 * a batch is refused after that, by a thread that has not ended yet: double free. So nothing may be
 * under way by then; a reply that still comes is nobody's. */
static void
batches_forget(struct gf_kafka_producer *self)
{
    if (self->client.handle != NULL) {
        rd_kafka_purge(self->client.handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    }
}

void
gf_kafka_producer_close(struct gf_kafka_producer *self)
{
    batches_forget(self);
    for (size_t topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        if (self->topics[topic] != NULL) {
            rd_kafka_topic_destroy(self->topics[topic]);
            self->topics[topic] = NULL;
        }
    }
    gf_kafka_client_close(&self->client);
    free(self->frame);
    self->frame = NULL;
}
