#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/records.h"
#include "io/kafka_admin.h"

#define RETRY_WAIT_MS 50

/* One admin request and its answer. */
struct exchange {
    struct gf_kafka_client client;
    rd_kafka_queue_t *queue;
    rd_kafka_AdminOptions_t *options;
    rd_kafka_event_t *event;
};

static enum gf_rc
exchange_open(struct exchange *exchange, const struct gf_kafka_config *config,
              rd_kafka_admin_op_t kind, struct gf_error *error)
{
    *exchange = (struct exchange){0};
    rd_kafka_conf_t *conf = NULL;
    enum gf_rc rc = gf_kafka_conf_new(config, GF_KAFKA_ADMIN, &conf, error);
    if (rc == GF_OK) {
        rc = gf_kafka_client_open(&exchange->client, config, GF_KAFKA_ADMIN, conf, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    char text[128];
    exchange->queue = rd_kafka_queue_new(exchange->client.handle);
    exchange->options = rd_kafka_AdminOptions_new(exchange->client.handle, kind);
    const rd_kafka_resp_err_t code = rd_kafka_AdminOptions_set_request_timeout(
        exchange->options, gf_kafka_timeout_ms(config), text, sizeof(text));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return gf_fail(error, GF_E_CONFIG, "request timeout: %s", text);
    }
    return GF_OK;
}

static void
exchange_close(struct exchange *exchange)
{
    if (exchange->event != NULL) {
        rd_kafka_event_destroy(exchange->event);
    }
    if (exchange->options != NULL) {
        rd_kafka_AdminOptions_destroy(exchange->options);
    }
    if (exchange->queue != NULL) {
        rd_kafka_queue_destroy(exchange->queue);
    }
    gf_kafka_client_close(&exchange->client);
}

/* Waits for the answer; the request has its own, shorter timeout. */
static enum gf_rc
exchange_wait(struct exchange *exchange, const char *what, struct gf_error *error)
{
    const int timeout_ms = gf_kafka_timeout_ms(exchange->client.config) + 5000;
    exchange->event = rd_kafka_queue_poll(exchange->queue, timeout_ms);
    gf_kafka_client_serve(&exchange->client);
    const rd_kafka_resp_err_t code = exchange->event == NULL
                                         ? RD_KAFKA_RESP_ERR__TIMED_OUT
                                         : rd_kafka_event_error(exchange->event);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return gf_kafka_fail(&exchange->client, code, error, "%s", what);
    }
    return GF_OK;
}

static enum gf_rc
config_set(rd_kafka_NewTopic_t *topic, const char *key, int64_t value, struct gf_error *error)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRId64, value);
    const rd_kafka_resp_err_t code = rd_kafka_NewTopic_set_config(topic, key, text);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? GF_OK
               : gf_fail(error, GF_E_CONFIG, "%s: %s", key, rd_kafka_err2str(code));
}

static enum gf_rc
topic_new(const struct gf_kafka_topic *topic, rd_kafka_NewTopic_t **out, struct gf_error *error)
{
    char text[256] = "";
    const int replication = topic->replication == 0 ? -1 : (int)topic->replication;
    rd_kafka_NewTopic_t *const fresh = rd_kafka_NewTopic_new(
        topic->name, (int)topic->partition_count, replication, text, sizeof(text));
    if (fresh == NULL) {
        return gf_fail(error, GF_E_CONFIG, "topic %s: %s", topic->name, text);
    }
    const char *const policy = !topic->is_compacted ? "delete"
                               : topic->is_deleted  ? "compact,delete"
                                                    : "compact";
    enum gf_rc rc = GF_OK;
    if (rd_kafka_NewTopic_set_config(fresh, "cleanup.policy", policy) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        rc = gf_fail(error, GF_E_CONFIG, "topic %s: cleanup.policy", topic->name);
    }
    if (rc == GF_OK) {
        rc = config_set(fresh, "retention.ms", topic->retention_ms, error);
    }
    if (rc == GF_OK) {
        rc = config_set(fresh, "retention.bytes", topic->retention_bytes, error);
    }
    if (rc != GF_OK) {
        rd_kafka_NewTopic_destroy(fresh);
        return rc;
    }
    *out = fresh;
    return GF_OK;
}

/* `harmless`: the code of a topic that is as it should be already. */
static enum gf_rc
topics_answer(struct exchange *exchange, const rd_kafka_topic_result_t **topics, size_t count,
              rd_kafka_resp_err_t harmless, const char *what, struct gf_error *error)
{
    for (size_t index = 0; index < count; index++) {
        const rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[index]);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == harmless) {
            continue;
        }
        const char *const text = rd_kafka_topic_result_error_string(topics[index]);
        return gf_kafka_fail(&exchange->client, code, error, "topic %s cannot be made%s (%s)",
                             rd_kafka_topic_result_name(topics[index]), what,
                             text == NULL ? "" : text);
    }
    return GF_OK;
}

static enum gf_rc
create_answer(struct exchange *exchange, struct gf_error *error)
{
    size_t count = 0;
    const rd_kafka_topic_result_t **const topics = rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result(exchange->event), &count);
    return topics_answer(exchange, topics, count, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, "",
                         error);
}

/* A broker says INVALID_PARTITIONS where there are as many already: by somebody else, a moment ago.
 */
static enum gf_rc
grow_answer(struct exchange *exchange, struct gf_error *error)
{
    size_t count = 0;
    const rd_kafka_topic_result_t **const topics = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(exchange->event), &count);
    return topics_answer(exchange, topics, count, RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, " larger",
                         error);
}

static struct gf_kafka_topic *
topic_find(struct gf_kafka_topic *topics, uint32_t count, const char *name)
{
    for (uint32_t index = 0; index < count; index++) {
        if (strcmp(topics[index].name, name) == 0) {
            return &topics[index];
        }
    }
    return NULL;
}

static enum gf_rc
list_partitions(struct exchange *exchange, const struct gf_kafka_topic *wanted, uint32_t count,
                struct gf_kafka_topic *out, struct gf_error *error)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const enum gf_rc rc = gf_kafka_metadata(&exchange->client, NULL, &metadata, error);
    if (rc != GF_OK) {
        return rc;
    }
    for (uint32_t index = 0; index < count; index++) {
        out[index] = (struct gf_kafka_topic){0};
        memcpy(out[index].name, wanted[index].name, sizeof(out[index].name));
    }
    for (int index = 0; index < metadata->topic_cnt; index++) {
        const struct rd_kafka_metadata_topic *const found = &metadata->topics[index];
        struct gf_kafka_topic *const topic = topic_find(out, count, found->topic);
        if (topic != NULL && found->err == RD_KAFKA_RESP_ERR_NO_ERROR && found->partition_cnt > 0) {
            topic->partition_count = (uint32_t)found->partition_cnt;
            topic->replication = (uint32_t)found->partitions[0].replica_cnt;
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return GF_OK;
}

/* The controller has made them; brokers learn of it a moment later, and until then say that there
 * is no such topic. */
static enum gf_rc
create_settle(struct exchange *exchange, const struct gf_kafka_topic *topics, uint32_t count,
              struct gf_error *error)
{
    const int64_t deadline_us =
        gf_kafka_now_us() + (int64_t)gf_kafka_timeout_ms(exchange->client.config) * 1000;
    struct gf_kafka_topic there[GF_TOPIC_COUNT];
    uint32_t known = 0;
    while (known < count) {
        const enum gf_rc rc = list_partitions(exchange, topics, count, there, error);
        if (rc != GF_OK) {
            return rc;
        }
        while (known < count && there[known].partition_count >= topics[known].partition_count) {
            known++;
        }
        if (known < count && gf_kafka_now_us() > deadline_us) {
            return gf_kafka_fail(&exchange->client, RD_KAFKA_RESP_ERR__TIMED_OUT, error,
                                 "topic %s was made but no broker knows its %u partitions yet",
                                 topics[known].name, topics[known].partition_count);
        }
        rd_kafka_poll(exchange->client.handle, known < count ? RETRY_WAIT_MS : 0);
    }
    return GF_OK;
}

enum gf_rc
gf_kafka_admin_create(const struct gf_kafka_config *config, const struct gf_kafka_topic *topics,
                      uint32_t count, struct gf_error *error)
{
    assert(count <= GF_TOPIC_COUNT);
    rd_kafka_NewTopic_t *fresh[GF_TOPIC_COUNT] = {NULL};
    struct exchange exchange;
    enum gf_rc rc = exchange_open(&exchange, config, RD_KAFKA_ADMIN_OP_CREATETOPICS, error);
    uint32_t made = 0;
    while (rc == GF_OK && made < count) {
        rc = topic_new(&topics[made], &fresh[made], error);
        made += rc == GF_OK;
    }
    if (rc == GF_OK && count > 0) {
        char text[128];
        rd_kafka_AdminOptions_set_operation_timeout(exchange.options, gf_kafka_timeout_ms(config),
                                                    text, sizeof(text));
        rd_kafka_CreateTopics(exchange.client.handle, fresh, made, exchange.options,
                              exchange.queue);
        rc = exchange_wait(&exchange, "creation of topics", error);
        if (rc == GF_OK) {
            rc = create_answer(&exchange, error);
        }
        if (rc == GF_OK) {
            rc = create_settle(&exchange, topics, count, error);
        }
    }
    rd_kafka_NewTopic_destroy_array(fresh, made);
    exchange_close(&exchange);
    return rc;
}

enum gf_rc
gf_kafka_admin_grow(const struct gf_kafka_config *config, const struct gf_kafka_topic *topics,
                    uint32_t count, struct gf_error *error)
{
    assert(count > 0 && count <= GF_TOPIC_COUNT);
    rd_kafka_NewPartitions_t *grown[GF_TOPIC_COUNT] = {NULL};
    struct exchange exchange;
    enum gf_rc rc = exchange_open(&exchange, config, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, error);
    uint32_t made = 0;
    while (rc == GF_OK && made < count) {
        char text[256] = "";
        grown[made] = rd_kafka_NewPartitions_new(topics[made].name, topics[made].partition_count,
                                                 text, sizeof(text));
        if (grown[made] == NULL) {
            rc = gf_fail(error, GF_E_CONFIG, "topic %s: %s", topics[made].name, text);
        } else {
            made++;
        }
    }
    if (rc == GF_OK) {
        char text[128];
        rd_kafka_AdminOptions_set_operation_timeout(exchange.options, gf_kafka_timeout_ms(config),
                                                    text, sizeof(text));
        rd_kafka_CreatePartitions(exchange.client.handle, grown, made, exchange.options,
                                  exchange.queue);
        rc = exchange_wait(&exchange, "addition of partitions", error);
    }
    if (rc == GF_OK) {
        rc = grow_answer(&exchange, error);
    }
    if (rc == GF_OK) {
        rc = create_settle(&exchange, topics, count, error);
    }
    rd_kafka_NewPartitions_destroy_array(grown, made);
    exchange_close(&exchange);
    return rc;
}

static void
topic_config_read(struct gf_kafka_topic *topic, const rd_kafka_ConfigResource_t *resource)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **const entries =
        rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t index = 0; index < count; index++) {
        const char *const name = rd_kafka_ConfigEntry_name(entries[index]);
        const char *const value = rd_kafka_ConfigEntry_value(entries[index]);
        if (value == NULL) {
            continue;
        }
        if (strcmp(name, "cleanup.policy") == 0) {
            topic->is_compacted = strstr(value, "compact") != NULL;
            topic->is_deleted = strstr(value, "delete") != NULL;
        } else if (strcmp(name, "retention.ms") == 0) {
            topic->retention_ms = strtoll(value, NULL, 10);
        } else if (strcmp(name, "retention.bytes") == 0) {
            topic->retention_bytes = strtoll(value, NULL, 10);
        }
    }
}

static enum gf_rc
list_answer(struct exchange *exchange, struct gf_kafka_topic *topics, uint32_t count,
            struct gf_error *error)
{
    const rd_kafka_DescribeConfigs_result_t *const result =
        rd_kafka_event_DescribeConfigs_result(exchange->event);
    size_t resource_count = 0;
    const rd_kafka_ConfigResource_t **const resources =
        rd_kafka_DescribeConfigs_result_resources(result, &resource_count);
    for (size_t index = 0; index < resource_count; index++) {
        const char *const name = rd_kafka_ConfigResource_name(resources[index]);
        const rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(resources[index]);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return gf_kafka_fail(&exchange->client, code, error, "settings of topic %s", name);
        }
        struct gf_kafka_topic *const topic = topic_find(topics, count, name);
        if (topic != NULL) {
            topic_config_read(topic, resources[index]);
        }
    }
    return GF_OK;
}

enum gf_rc
gf_kafka_admin_list(const struct gf_kafka_config *config, const struct gf_kafka_topic *wanted,
                    uint32_t count, struct gf_kafka_topic *out, struct gf_error *error)
{
    assert(count <= GF_TOPIC_COUNT);
    rd_kafka_ConfigResource_t *resources[GF_TOPIC_COUNT] = {NULL};
    size_t resource_count = 0;
    struct exchange exchange;
    enum gf_rc rc = exchange_open(&exchange, config, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, error);
    if (rc == GF_OK) {
        rc = list_partitions(&exchange, wanted, count, out, error);
    }
    for (uint32_t index = 0; rc == GF_OK && index < count; index++) {
        if (out[index].partition_count > 0) {
            resources[resource_count++] =
                rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, out[index].name);
        }
    }
    if (resource_count > 0) {
        rd_kafka_DescribeConfigs(exchange.client.handle, resources, resource_count,
                                 exchange.options, exchange.queue);
        rc = exchange_wait(&exchange, "settings of topics", error);
        if (rc == GF_OK) {
            rc = list_answer(&exchange, out, count, error);
        }
    }
    rd_kafka_ConfigResource_destroy_array(resources, resource_count);
    exchange_close(&exchange);
    return rc;
}
