#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>

#include "codec/records.h"
#include "topic_delete.h"

#define DELETE_MS 60000

void
topics_delete(const char *brokers, const char *prefix)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(handle);
    rd_kafka_DeleteTopic_t *topics[GF_TOPIC_COUNT];
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        snprintf(text, sizeof(text), "%s%s", prefix, gf_topics[topic].name);
        topics[topic] = rd_kafka_DeleteTopic_new(text);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_DeleteTopics(handle, topics, GF_TOPIC_COUNT, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, DELETE_MS);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteTopic_destroy_array(topics, GF_TOPIC_COUNT);
    rd_kafka_destroy(handle);
}
