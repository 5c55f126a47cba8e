#include "io/kafka_peek.h"

#define PEEK_US (1000 * 1000)

/* Any error but that nothing more is there ends the look: what has come is what there is. */
static enum gf_rc
fill(rd_kafka_topic_t *topic, struct gf_kafka_window *window, int64_t end, struct gf_error *error)
{
    const int64_t deadline_us = gf_kafka_now_us() + PEEK_US;
    enum gf_rc rc = GF_OK;
    while (rc == GF_OK && window->to < end) {
        const int64_t left_us = deadline_us - gf_kafka_now_us();
        rd_kafka_message_t *const message =
            left_us <= 0
                ? NULL
                : rd_kafka_consume(topic, (int32_t)window->partition, (int)(left_us / 1000) + 1);
        if (message == NULL) {
            break;
        }
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rc = gf_kafka_window_add(window, message, error);
            continue;
        }
        rd_kafka_message_destroy(message);
        break;
    }
    return rc;
}

enum gf_rc
gf_kafka_peek(struct gf_kafka_client *client, struct gf_kafka_window *window, int64_t offset,
              int64_t end, struct gf_record *records_out, uint32_t count_max, uint32_t *count_out,
              struct gf_error *error)
{
    *count_out = 0;
    char name[GF_KAFKA_TOPIC_NAME_SIZE];
    enum gf_rc rc = gf_kafka_topic_name(client->config, (enum gf_topic)window->topic, name, error);
    if (rc != GF_OK) {
        return rc;
    }
    rd_kafka_topic_t *const topic = rd_kafka_topic_new(client->handle, name, NULL);
    if (topic == NULL) {
        return gf_kafka_fail(client, rd_kafka_last_error(), error, "topic %s", name);
    }
    /* A first fetch from a topic that the handle knows nothing of would wait for librdkafka's next
     * look around. */
    const struct rd_kafka_metadata *metadata = NULL;
    rc = gf_kafka_metadata(client, topic, &metadata, error);
    if (rc == GF_OK) {
        rd_kafka_metadata_destroy(metadata);
        gf_kafka_window_start(window, offset);
        if (rd_kafka_consume_start(topic, (int32_t)window->partition, offset) == 0) {
            rc = fill(topic, window, end, error);
            rd_kafka_consume_stop(topic, (int32_t)window->partition);
        } else {
            rc = gf_kafka_fail(client, rd_kafka_last_error(), error, "%s/%u", name,
                               window->partition);
        }
    }
    rd_kafka_topic_destroy(topic);
    if (rc == GF_OK) {
        int64_t next = offset;
        *count_out = gf_kafka_window_take(window, offset, end, records_out, count_max, &next);
    }
    return rc;
}
