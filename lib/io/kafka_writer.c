#include "io/kafka_writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/records.h"
#include "codec/wire.h"
#include "io/kafka_client.h"
#include "io/kafka_offsets.h"

#define WAIT_MS     100
#define SERVE_EVERY 256

struct writer_topic {
    char name[GF_KAFKA_TOPIC_NAME_SIZE];
    rd_kafka_resp_err_t code; /* of the cluster's word about it */
    uint32_t partition_count; /* 0: the topic is not there */
    uint32_t schema_id;       /* 0: not asked yet */
    rd_kafka_topic_t *handle; /* made with the schema id */
};

struct gf_kafka_writer {
    struct gf_kafka_client client; /* first: the opaque of the callbacks */
    struct gf_registry *registry;
    struct writer_topic topics[GF_TOPIC_INPUT_COUNT];
    uint64_t appended, delivered, failed;
    rd_kafka_resp_err_t failed_code; /* of the first delivery that failed */
    char failed_topic[GF_KAFKA_TOPIC_NAME_SIZE];
    bool is_dead;
    uint8_t *frame;
    size_t frame_size;
};

static void
on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle;
    struct gf_kafka_writer *const writer = opaque;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        writer->delivered++;
        return;
    }
    if (writer->failed++ == 0) {
        writer->failed_code = message->err;
        snprintf(writer->failed_topic, sizeof(writer->failed_topic), "%s",
                 rd_kafka_topic_name(message->rkt));
    }
}

/* ---- topics ---- */

/* Looks before it touches: a producer that names a missing topic makes it, with whatever settings
 * the broker likes. */
static enum gf_rc
topics_learn(struct gf_kafka_writer *writer, struct gf_error *error)
{
    const struct rd_kafka_metadata *all = NULL;
    enum gf_rc rc = gf_kafka_metadata(&writer->client, NULL, &all, error);
    if (rc != GF_OK) {
        return rc;
    }
    for (int topic = 0; rc == GF_OK && topic < GF_TOPIC_INPUT_COUNT; topic++) {
        struct writer_topic *const entry = &writer->topics[topic];
        entry->code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        rc = gf_kafka_topic_name(writer->client.config, (enum gf_topic)topic, entry->name, error);
        for (int i = 0; rc == GF_OK && i < all->topic_cnt; i++) {
            if (strcmp(all->topics[i].topic, entry->name) == 0) {
                entry->code = all->topics[i].err;
                entry->partition_count = (uint32_t)all->topics[i].partition_cnt;
            }
        }
    }
    rd_kafka_metadata_destroy(all);
    return rc;
}

/* The topic with all that its records need. */
static enum gf_rc
topic_get(struct gf_kafka_writer *writer, enum gf_topic topic, struct writer_topic **out,
          struct gf_error *error)
{
    assert(topic >= 0 && topic < GF_TOPIC_INPUT_COUNT);
    struct writer_topic *const entry = &writer->topics[topic];
    *out = entry;
    if (entry->handle != NULL) {
        return GF_OK;
    }
    if (entry->code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return gf_kafka_fail(&writer->client, entry->code, error, "topic %s", entry->name);
    }
    const enum gf_rc rc = gf_registry_own_id(writer->registry, topic, &entry->schema_id, error);
    if (rc != GF_OK) {
        return rc;
    }
    entry->handle = rd_kafka_topic_new(writer->client.handle, entry->name, NULL);
    if (entry->handle == NULL) {
        return gf_kafka_fail(&writer->client, rd_kafka_last_error(), error, "topic %s",
                             entry->name);
    }
    return GF_OK;
}

enum gf_rc
gf_kafka_writer_partitions(struct gf_kafka_writer *writer, enum gf_topic topic, uint32_t *count_out,
                           struct gf_error *error)
{
    struct writer_topic *entry = NULL;
    const enum gf_rc rc = topic_get(writer, topic, &entry, error);
    *count_out = entry->partition_count;
    return rc;
}

static enum gf_rc
partition_get(struct gf_kafka_writer *writer, enum gf_topic topic, uint32_t partition,
              struct writer_topic **out, struct gf_error *error)
{
    const enum gf_rc rc = topic_get(writer, topic, out, error);
    if (rc == GF_OK && partition >= (*out)->partition_count) {
        return gf_fail(error, GF_E_NOT_FOUND, "Kafka at %.100s: topic %s has no partition %u",
                       writer->client.config->brokers, (*out)->name, partition);
    }
    return rc;
}

enum gf_rc
gf_kafka_writer_next(struct gf_kafka_writer *writer, enum gf_topic topic, uint32_t partition,
                     int64_t *offset_out, struct gf_error *error)
{
    struct writer_topic *entry = NULL;
    const enum gf_rc rc = partition_get(writer, topic, partition, &entry, error);
    return rc == GF_OK ? gf_kafka_offset_query(&writer->client, entry->name, partition,
                                               RD_KAFKA_OFFSET_END, offset_out, error)
                       : rc;
}

/* ---- records ---- */

/* What has gone wrong since: deliveries that failed, or the end of the producer as a whole. */
static enum gf_rc
writer_check(struct gf_kafka_writer *writer, struct gf_error *error)
{
    char text[128];
    const rd_kafka_resp_err_t fatal =
        rd_kafka_fatal_error(writer->client.handle, text, sizeof(text));
    if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
        writer->is_dead = true;
        return gf_kafka_fail(&writer->client, fatal, error, "%llu of %llu records (%s)",
                             (unsigned long long)(writer->appended - writer->delivered),
                             (unsigned long long)writer->appended, text);
    }
    if (writer->failed > 0) {
        writer->is_dead = true;
        return gf_kafka_fail(&writer->client, writer->failed_code, error,
                             "%llu of %llu records were not taken, the first of %s",
                             (unsigned long long)writer->failed,
                             (unsigned long long)writer->appended, writer->failed_topic);
    }
    return GF_OK;
}

/* Lets the producer work until `is_done`; gives up when nothing was delivered for as long as the
 * request timeout: `code` is why. */
static enum gf_rc
delivery_wait(struct gf_kafka_writer *writer, uint64_t *seen, int64_t *since_us,
              rd_kafka_resp_err_t code, struct gf_error *error)
{
    rd_kafka_poll(writer->client.handle, WAIT_MS);
    const enum gf_rc rc = writer_check(writer, error);
    if (rc != GF_OK) {
        return rc;
    }
    const int64_t now_us = gf_kafka_now_us();
    if (writer->delivered != *seen || *since_us == 0) {
        *seen = writer->delivered;
        *since_us = now_us;
    }
    if (now_us - *since_us < (int64_t)gf_kafka_timeout_ms(writer->client.config) * 1000) {
        return GF_OK;
    }
    writer->is_dead = true;
    return gf_kafka_fail(&writer->client, code, error, "%llu of %llu records are not taken",
                         (unsigned long long)(writer->appended - writer->delivered),
                         (unsigned long long)writer->appended);
}

/* The value as it goes over the wire, in memory that the next call uses again. */
static enum gf_rc
value_make(struct gf_kafka_writer *writer, const struct writer_topic *entry,
           const struct gf_record *record, struct gf_span *out, struct gf_error *error)
{
    *out = record->value;
    if (!record->has_value || record->is_framed || record->schema_id == 0) {
        return GF_OK;
    }
    if (record->schema_id != gf_topics[record->topic].schema_id) {
        return gf_fail(error, GF_E_UNKNOWN_SCHEMA, "topic %s: schema %u is not ours", entry->name,
                       record->schema_id);
    }
    const size_t size = GF_FRAME_SIZE + (size_t)record->value.size;
    if (size > writer->frame_size) {
        uint8_t *const grown = realloc(writer->frame, size * 2);
        if (grown == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "no memory for a record of %zu bytes", size);
        }
        writer->frame = grown;
        writer->frame_size = size * 2;
    }
    gf_frame_write(entry->schema_id, writer->frame);
    if (record->value.size > 0) {
        memcpy(writer->frame + GF_FRAME_SIZE, record->value.data, record->value.size);
    }
    *out = gf_span_of(writer->frame, size);
    return GF_OK;
}

static enum gf_rc
headers_make(const struct gf_record *record, rd_kafka_headers_t **out, struct gf_error *error)
{
    *out = record->header_count == 0 ? NULL : rd_kafka_headers_new(record->header_count);
    for (uint32_t i = 0; i < record->header_count; i++) {
        const struct gf_header *const header = &record->headers[i];
        const rd_kafka_resp_err_t code =
            rd_kafka_header_add(*out, (const char *)header->name.data, (ssize_t)header->name.size,
                                header->value.data, (ssize_t)header->value.size);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_headers_destroy(*out);
            return gf_fail(error, GF_E_NO_MEMORY, "headers of a record: %s",
                           rd_kafka_err2str(code));
        }
    }
    return GF_OK;
}

/* To librdkafka a pointer of NULL is what is not there, whatever the size. */
static void *
bytes_of(struct gf_span span, bool is_there)
{
    const void *const bytes = span.size > 0 ? (const void *)span.data : "";
    return is_there ? (void *)(uintptr_t)bytes : NULL;
}

/* One try; bytes are copied, `headers` are taken only when it works. */
static rd_kafka_resp_err_t
record_produce(struct gf_kafka_writer *writer, const struct writer_topic *entry,
               const struct gf_record *record, struct gf_span value, rd_kafka_headers_t *headers)
{
    /* 0 lets librdkafka take the clock: Kafka has no times before 1970. */
    const int64_t time_ms = record->timestamp.us > 0 ? record->timestamp.us / 1000 : 0;
    rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = entry->handle},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = (int32_t)record->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {bytes_of(record->key, record->has_key), record->has_key ? record->key.size : 0}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {bytes_of(value, record->has_value), record->has_value ? value.size : 0}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = time_ms},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    const size_t count = sizeof(arguments) / sizeof(arguments[0]) - (headers == NULL ? 1 : 0);
    rd_kafka_error_t *const failure = rd_kafka_produceva(writer->client.handle, arguments, count);
    if (failure == NULL) {
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    const rd_kafka_resp_err_t code = rd_kafka_error_code(failure);
    rd_kafka_error_destroy(failure);
    return code;
}

static enum gf_rc
produce_fail(struct gf_kafka_writer *writer, const struct writer_topic *entry,
             const struct gf_record *record, rd_kafka_resp_err_t code, struct gf_error *error)
{
    writer->is_dead = true;
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        return gf_fail(error, GF_E_CONFIG,
                       "a record of %u bytes to %s/%u is larger than Kafka takes; raise "
                       "message.max.bytes here and max.message.bytes of the topic",
                       record->value.size, entry->name, record->partition);
    }
    return gf_kafka_fail(&writer->client, code, error, "record to %s/%u", entry->name,
                         record->partition);
}

enum gf_rc
gf_kafka_writer_append(struct gf_kafka_writer *writer, const struct gf_record *record,
                       struct gf_error *error)
{
    struct writer_topic *entry = NULL;
    struct gf_span value;
    rd_kafka_headers_t *headers = NULL;
    enum gf_rc rc =
        partition_get(writer, (enum gf_topic)record->topic, record->partition, &entry, error);
    if (rc == GF_OK && (rc = value_make(writer, entry, record, &value, error)) == GF_OK) {
        rc = headers_make(record, &headers, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    uint64_t seen = writer->delivered;
    int64_t since_us = 0;
    rd_kafka_resp_err_t code = record_produce(writer, entry, record, value, headers);
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && rc == GF_OK) {
        rc = delivery_wait(writer, &seen, &since_us, code, error);
        if (rc == GF_OK) {
            code = record_produce(writer, entry, record, value, headers);
        }
    }
    if (rc == GF_OK && code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rc = produce_fail(writer, entry, record, code, error);
    }
    if (rc != GF_OK) {
        if (headers != NULL) {
            rd_kafka_headers_destroy(headers);
        }
        return rc;
    }
    if (++writer->appended % SERVE_EVERY != 0) {
        return GF_OK;
    }
    gf_kafka_client_serve(&writer->client);
    return writer_check(writer, error);
}

enum gf_rc
gf_kafka_writer_flush(struct gf_kafka_writer *writer, struct gf_error *error)
{
    uint64_t seen = writer->delivered;
    int64_t since_us = 0;
    enum gf_rc rc = writer_check(writer, error);
    while (rc == GF_OK &&
           rd_kafka_flush(writer->client.handle, WAIT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rc = delivery_wait(writer, &seen, &since_us, RD_KAFKA_RESP_ERR__TIMED_OUT, error);
    }
    if (rc == GF_OK) {
        rc = writer_check(writer, error);
    }
    assert(rc != GF_OK || writer->delivered == writer->appended);
    return rc;
}

/* ---- open and close ---- */

enum gf_rc
gf_kafka_writer_open(const struct gf_kafka_config *config, struct gf_registry *registry,
                     struct gf_kafka_writer **out, struct gf_error *error)
{
    struct gf_kafka_writer *const writer = calloc(1, sizeof(*writer));
    if (writer == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory for a Kafka writer");
    }
    writer->registry = registry;
    writer->is_dead = true; /* nothing to flush yet */
    rd_kafka_conf_t *conf = NULL;
    enum gf_rc rc = gf_kafka_conf_new(config, GF_KAFKA_WRITE, &conf, error);
    if (rc == GF_OK) {
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        rc = gf_kafka_client_open(&writer->client, config, GF_KAFKA_WRITE, conf, error);
    }
    if (rc == GF_OK) {
        rc = topics_learn(writer, error);
    }
    if (rc != GF_OK) {
        gf_kafka_writer_close(writer, NULL);
        return rc;
    }
    writer->is_dead = false;
    *out = writer;
    return GF_OK;
}

enum gf_rc
gf_kafka_writer_close(struct gf_kafka_writer *writer, struct gf_error *error)
{
    if (writer == NULL) {
        return GF_OK;
    }
    const enum gf_rc rc = writer->is_dead ? GF_OK : gf_kafka_writer_flush(writer, error);
    if (writer->client.handle != NULL && (writer->is_dead || rc != GF_OK)) {
        (void)rd_kafka_purge(writer->client.handle,
                             RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    }
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        if (writer->topics[topic].handle != NULL) {
            rd_kafka_topic_destroy(writer->topics[topic].handle);
        }
    }
    gf_kafka_client_close(&writer->client);
    free(writer->frame);
    free(writer);
    return rc;
}
