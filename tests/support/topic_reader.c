#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>

#include "codec/records.h"
#include "codec/stage.h"
#include "codec/wire.h"
#include "io/folder.h"
#include "topic_reader.h"

#define PARTITION_COUNT_MAX 16

uint32_t topic_reader_stages = GF_STAGES_CUSTOMER;
#define DEADLINE_S 60
#define POLL_MS    100

struct group {
    const char *prefix;
    uint32_t partition_count;
    rd_kafka_t *consumer;
    int64_t ends[GF_TOPIC_COUNT][PARTITION_COUNT_MAX];
    uint32_t left; /* partitions whose end has not been reached */
};

static uint8_t *
bytes_copy(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

static struct topic_record *
record_add(struct topic_records *records)
{
    if (records->count == records->capacity) {
        records->capacity = records->capacity == 0 ? 64 : records->capacity * 2;
        records->items = realloc(records->items, records->capacity * sizeof(records->items[0]));
        assert_non_null(records->items);
    }
    return &records->items[records->count++];
}

static int
record_compare(const void *left, const void *right)
{
    const struct topic_record *a = left, *b = right;
    if (a->partition != b->partition) {
        return a->partition < b->partition ? -1 : 1;
    }
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static rd_kafka_t *
handle_open(const char *brokers, const char *isolation, const char *group)
{
    const char *const settings[][2] = {
        {"bootstrap.servers", brokers},
        {"isolation.level", isolation},
        {"group.id", group},
        {"auto.offset.reset", "earliest"},
        {"enable.partition.eof", "true"},
        {"fetch.wait.max.ms", "20"},
    };
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        assert_int_equal(
            rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof(text)),
            RD_KAFKA_CONF_OK);
    }
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    assert_non_null(handle);
    return handle;
}

static void
ends_ask(struct group *group, const char *brokers)
{
    rd_kafka_t *handle = handle_open(brokers, "read_uncommitted", "ends");
    for (int topic = GF_TOPIC_READ_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        if (!gf_stages_use(topic_reader_stages, (enum gf_topic)topic)) {
            continue;
        }
        char name[256];
        snprintf(name, sizeof(name), "%s%s", group->prefix, gf_topics[topic].name);
        const uint32_t count =
            gf_stages_partitions(topic_reader_stages, (enum gf_topic)topic, group->partition_count);
        assert_in_range(count, 1, PARTITION_COUNT_MAX);
        for (uint32_t i = 0; i < count; i++) {
            int64_t first = 0;
            assert_int_equal(rd_kafka_query_watermark_offsets(handle, name, (int32_t)i, &first,
                                                              &group->ends[topic][i], 30000),
                             0);
            group->left++;
        }
    }
    rd_kafka_destroy(handle);
}

static void
message_take(struct group *group, const rd_kafka_message_t *message, struct topic_records *out)
{
    const int topic = gf_topic_find(rd_kafka_topic_name(message->rkt) + strlen(group->prefix));
    assert_true(topic >= GF_TOPIC_READ_COUNT);
    assert_in_range(
        message->partition, 0,
        gf_stages_partitions(topic_reader_stages, (enum gf_topic)topic, group->partition_count) -
            1);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        int64_t *end = &group->ends[topic][message->partition];
        if (*end >= 0 && message->offset >= *end) {
            *end = -1;
            group->left--;
        }
        return;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail_msg("consumer: %s", rd_kafka_message_errstr(message));
    }
    assert_true(message->len >= GF_FRAME_SIZE);
    struct topic_record *record = record_add(&out[topic]);
    struct gf_span body;
    struct gf_error error;
    *record = (struct topic_record){.partition = (uint32_t)message->partition,
                                    .offset = message->offset,
                                    .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
                                    .key_size = message->key_len,
                                    .body_size = message->len - GF_FRAME_SIZE,
                                    .key = bytes_copy(message->key, message->key_len)};
    assert_int_equal(gf_frame_read(gf_span_of(message->payload, message->len), &record->schema_id,
                                   &body, &error),
                     GF_OK);
    record->body = bytes_copy(body.data, body.size);
}

void
topic_records_kafka(const char *brokers, const char *prefix, uint32_t partition_count,
                    struct topic_records out[GF_TOPIC_COUNT])
{
    static unsigned readings;
    char name[256];
    struct group group = {.prefix = prefix, .partition_count = partition_count};
    assert_in_range(partition_count, 1, PARTITION_COUNT_MAX);
    memset(out, 0, GF_TOPIC_COUNT * sizeof(out[0]));
    ends_ask(&group, brokers);
    snprintf(name, sizeof(name), "%sreader-%u", prefix, ++readings);
    group.consumer = handle_open(brokers, "read_committed", name);
    rd_kafka_poll_set_consumer(group.consumer);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(GF_TOPIC_COUNT);
    for (int topic = GF_TOPIC_READ_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        if (gf_stages_use(topic_reader_stages, (enum gf_topic)topic)) {
            snprintf(name, sizeof(name), "%s%s", prefix, gf_topics[topic].name);
            rd_kafka_topic_partition_list_add(topics, name, RD_KAFKA_PARTITION_UA);
        }
    }
    assert_int_equal(rd_kafka_subscribe(group.consumer, topics), 0);
    rd_kafka_topic_partition_list_destroy(topics);
    const time_t deadline = time(NULL) + DEADLINE_S;
    while (group.left > 0) {
        if (time(NULL) > deadline) {
            fail_msg("%u partitions of %s are not read to their end", group.left, prefix);
        }
        rd_kafka_message_t *message = rd_kafka_consumer_poll(group.consumer, POLL_MS);
        if (message != NULL) {
            message_take(&group, message, out);
            rd_kafka_message_destroy(message);
        }
    }
    rd_kafka_consumer_close(group.consumer);
    rd_kafka_destroy(group.consumer);
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        if (out[topic].count > 0) {
            qsort(out[topic].items, out[topic].count, sizeof(out[topic].items[0]), record_compare);
        }
    }
}

static void
partition_read(struct gf_source *source, enum gf_topic topic, uint32_t partition,
               struct topic_records *out)
{
    struct gf_error error = {{0}};
    int64_t at = 0, end = 0;
    assert_int_equal(source->ops->ends(source, topic, partition, &at, &end, &error), GF_OK);
    while (at < end) {
        struct gf_record records[64];
        uint32_t count = 0;
        assert_int_equal(source->ops->read(source, 0, topic, partition, at, end,
                                           (struct gf_duration){0}, records, 64, &count, &at,
                                           &error),
                         GF_OK);
        for (uint32_t i = 0; i < count; i++) {
            *record_add(out) = (struct topic_record){
                .partition = partition,
                .offset = records[i].offset,
                .timestamp_ms = records[i].timestamp.us / 1000,
                .key_size = records[i].key.size,
                .body_size = records[i].value.size,
                .key = bytes_copy(records[i].key.data, records[i].key.size),
                .body = bytes_copy(records[i].value.data, records[i].value.size)};
        }
        source->ops->release(source, 0, topic, partition, at);
    }
}

void
topic_records_folder(const char *path, struct topic_records out[GF_TOPIC_COUNT])
{
    struct gf_source *source = NULL;
    struct gf_error error = {{0}};
    memset(out, 0, GF_TOPIC_COUNT * sizeof(out[0]));
    assert_int_equal(gf_folder_source_open(path, NULL, &source, &error), GF_OK);
    for (int topic = GF_TOPIC_READ_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        if (!gf_stages_use(topic_reader_stages, (enum gf_topic)topic)) {
            continue;
        }
        uint32_t partitions = 0;
        assert_int_equal(source->ops->partitions(source, (enum gf_topic)topic, &partitions, &error),
                         GF_OK);
        for (uint32_t i = 0; i < partitions; i++) {
            partition_read(source, (enum gf_topic)topic, i, &out[topic]);
        }
    }
    source->ops->close(source);
}

static bool
bytes_equal(const uint8_t *left, size_t left_size, const uint8_t *right, size_t right_size)
{
    return left_size == right_size && memcmp(left, right, left_size) == 0;
}

void
topic_records_expect_equal(const struct topic_records left[GF_TOPIC_COUNT],
                           const struct topic_records right[GF_TOPIC_COUNT], bool has_same_ids)
{
    for (int topic = GF_TOPIC_READ_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        if (topic == GF_TOPIC_JOURNAL) {
            continue;
        }
        for (size_t i = 0; i < left[topic].count && i < right[topic].count; i++) {
            const struct topic_record *a = &left[topic].items[i], *b = &right[topic].items[i];
            const bool is_body_alike = has_same_ids || topic != GF_TOPIC_DEAD_LETTERS;
            if (a->partition != b->partition || a->timestamp_ms != b->timestamp_ms ||
                !bytes_equal(a->key, a->key_size, b->key, b->key_size) ||
                (is_body_alike && !bytes_equal(a->body, a->body_size, b->body, b->body_size))) {
                fail_msg("%s: record %zu differs: partition %u key %.*s and partition %u key %.*s",
                         gf_topics[topic].name, i, a->partition, (int)a->key_size, a->key,
                         b->partition, (int)b->key_size, b->key);
            }
        }
        if (left[topic].count != right[topic].count) {
            fail_msg("%s: %zu and %zu records", gf_topics[topic].name, left[topic].count,
                     right[topic].count);
        }
    }
}

void
topic_records_free(struct topic_records records[GF_TOPIC_COUNT])
{
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        for (size_t i = 0; i < records[topic].count; i++) {
            free(records[topic].items[i].key);
            free(records[topic].items[i].body);
        }
        free(records[topic].items);
        records[topic] = (struct topic_records){0};
    }
}

void
topic_record_journal(const struct topic_record *record, struct gf_arena *arena,
                     struct gf_journal *out)
{
    gf_arena_reset(arena, 0);
    struct gf_reader reader = gf_reader_of(gf_span_of(record->body, record->body_size));
    assert_int_equal(gf_topics[GF_TOPIC_JOURNAL].decode(&reader, arena, out), GF_OK);
}

uint32_t
topics_used(int from, int to)
{
    uint32_t count = 0;
    for (int topic = from; topic < to; topic++) {
        count += gf_stages_use(topic_reader_stages, (enum gf_topic)topic);
    }
    return count;
}
