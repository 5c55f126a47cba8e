#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>

#include "codec/records.h"
#include "io/kafka_admin.h"
#include "kafka_lab.h"
#include "loop/commit.h"

struct test_broker lab_broker;

void
lab_expect_ok(enum gf_rc rc, const struct gf_error *error, const char *what)
{
    if (rc != GF_OK) {
        fail_msg("%s: %s: %s", what, gf_rc_name(rc), error->text);
    }
}

void
lab_expect_rc(enum gf_rc rc, enum gf_rc wanted, const struct gf_error *error)
{
    if (rc != wanted) {
        fail_msg("got %s, want %s: %s", gf_rc_name(rc), gf_rc_name(wanted), error->text);
    }
}

static void
on_log(void *context, int level, const char *text)
{
    (void)context;
    if (getenv("GF_TEST_VERBOSE") != NULL) {
        fprintf(stderr, "%d %s\n", level, text);
    }
}

void
lab_open(struct lab *lab, const char *prefix, struct gf_duration timeout)
{
    *lab = (struct lab){.config = {.brokers = lab_broker.address,
                                   .topic_prefix = prefix,
                                   .request_timeout = timeout,
                                   .log = on_log}};
    const enum gf_topic written[] = {GF_TOPIC_JOURNAL, GF_TOPIC_FRAUD_FLAGS, GF_TOPIC_CONTROL,
                                     GF_TOPIC_METER_READINGS};
    struct gf_kafka_topic wanted[GF_TOPIC_COUNT];
    struct gf_error error;
    const struct gf_kafka_wish wish = {
        .shard_count = 2, .replication = 1, .retention_ms = 86400000};
    lab_expect_ok(gf_kafka_topics_wanted(&lab->config, &wish, wanted, &error), &error, "wanted");
    for (size_t index = 0; index < sizeof(written) / sizeof(written[0]); index++) {
        lab->schema_ids[written[index]] = LAB_SCHEMA_ID;
        lab_expect_ok(gf_kafka_admin_create(&lab->config, &wanted[written[index]], 1, &error),
                      &error, "create");
    }
    lab->sink_config = (struct gf_kafka_sink_config){.kafka = &lab->config,
                                                     .transactional_id = prefix,
                                                     .group = "lag",
                                                     .schema_ids = lab->schema_ids};
    lab_expect_ok(gf_kafka_source_open(&lab->config, &lab->source, &error), &error, "source");
}

void
lab_close(struct lab *lab)
{
    lab->source->ops->close(lab->source);
}

struct gf_sink *
lab_sink_open(const struct lab *lab)
{
    struct gf_sink *sink = NULL;
    struct gf_error error;
    lab_expect_ok(gf_kafka_sink_open(&lab->sink_config, &sink, &error), &error, "sink");
    return sink;
}

enum gf_rc
lab_append(struct gf_sink *sink, enum gf_topic topic, const char *key, const char *body,
           struct gf_error *error)
{
    const struct gf_header header = {.name = gf_span_text("lineage"), .value = gf_span_text("0/1")};
    const struct gf_output output = {.topic = topic,
                                     .timestamp = {LAB_TIME_US},
                                     .key = gf_span_text(key),
                                     .body = gf_span_text(body),
                                     .headers = &header,
                                     .header_count = 1};
    return sink->ops->append(sink, &output, error);
}

void
lab_write_transaction(struct gf_sink *sink, enum gf_topic topic, const char *body, int count,
                      bool is_committed)
{
    struct gf_error error;
    lab_expect_ok(sink->ops->begin(sink, &error), &error, "begin");
    for (int index = 0; index < count; index++) {
        lab_expect_ok(lab_append(sink, topic, "k", body, &error), &error, "append");
    }
    const struct gf_position position = {.topic = GF_TOPIC_METER_READINGS, .offset = 1};
    if (is_committed) {
        lab_expect_ok(gf_commit(sink, &position, 1, NULL, &error), &error, "commit");
    } else {
        lab_expect_ok(sink->ops->abort(sink, &error), &error, "abort");
    }
}

uint32_t
lab_read_until(struct gf_source *source, enum gf_topic topic, int64_t from, int64_t end,
               struct gf_record *records, uint32_t count_max)
{
    return lab_read_as(source, 0, topic, from, end, records, count_max);
}

uint32_t
lab_read_as(struct gf_source *source, uint32_t reader, enum gf_topic topic, int64_t from,
            int64_t end, struct gf_record *records, uint32_t count_max)
{
    uint32_t total = 0;
    int64_t offset = from;
    struct gf_error error;
    for (int tries = 0; offset < end; tries++) {
        uint32_t count = 0;
        int64_t next = offset;
        assert_in_range(total, 0, count_max - 1);
        const enum gf_rc rc =
            source->ops->read(source, reader, topic, 0, offset, end, LAB_WAIT, records + total,
                              count_max - total, &count, &next, &error);
        lab_expect_ok(rc, &error, "read");
        assert_true(next >= offset);
        total += count;
        tries = next > offset ? 0 : tries;
        offset = next;
        if (tries > LAB_TRIES_MAX) {
            fail_msg("position stays at %lld, end is %lld", (long long)offset, (long long)end);
        }
    }
    return total;
}

int64_t
lab_end_of(struct gf_source *source, enum gf_topic topic)
{
    int64_t first = -1, end = -1;
    struct gf_error error;
    lab_expect_ok(source->ops->ends(source, topic, 0, &first, &end, &error), &error, "ends");
    return end;
}

int64_t
lab_end_after(struct gf_source *source, enum gf_topic topic, int64_t minimum)
{
    int64_t end = -1;
    for (int tries = 0; tries < 5000 && end < minimum; tries++) {
        end = lab_end_of(source, topic);
    }
    assert_true(end >= minimum);
    return end;
}

int64_t
lab_end_settled(const struct lab *lab, enum gf_topic topic)
{
    char text[256], name[GF_KAFKA_TOPIC_NAME_SIZE];
    struct gf_error error;
    lab_expect_ok(gf_kafka_topic_name(&lab->config, topic, name, &error), &error, "name");
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", lab_broker.address, NULL, 0);
    rd_kafka_conf_set(conf, "isolation.level", "read_uncommitted", NULL, 0);
    rd_kafka_t *const handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    int64_t first = 0, high = -1, end = -2;
    for (int tries = 0; tries < 5000 && high != end; tries++) {
        assert_int_equal(rd_kafka_query_watermark_offsets(handle, name, 0, &first, &high, 30000),
                         0);
        end = lab_end_of(lab->source, topic);
    }
    rd_kafka_destroy(handle);
    assert_int_equal(high, end);
    return end;
}

void
lab_produce_plain(const char *topic, int count)
{
    char text[256];
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", lab_broker.address, NULL, 0);
    rd_kafka_t *const handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(handle);
    char *const cluster_id = rd_kafka_clusterid(handle, 10000);
    assert_string_equal(cluster_id, lab_broker.cluster_id);
    rd_kafka_mem_free(handle, cluster_id);
    for (int index = 0; index < count; index++) {
        const int size = snprintf(text, sizeof(text), "%d", index);
        const bool is_tombstone = index == 3;
        assert_int_equal(
            rd_kafka_producev(
                handle, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY("key", 3),
                RD_KAFKA_V_VALUE(is_tombstone ? NULL : text, is_tombstone ? 0 : (size_t)size),
                RD_KAFKA_V_TIMESTAMP(LAB_TIME_US / 1000 + index), RD_KAFKA_V_END),
            0);
    }
    assert_int_equal(rd_kafka_flush(handle, 30000), 0);
    rd_kafka_destroy(handle);
}

void
lab_records_delete(const char *topic, int64_t before)
{
    char text[256];
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", lab_broker.address, NULL, 0);
    rd_kafka_t *const handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    rd_kafka_queue_t *const queue = rd_kafka_queue_new(handle);
    rd_kafka_topic_partition_list_t *const list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = before;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(handle, &request, 1, NULL, queue);
    rd_kafka_event_t *const event = rd_kafka_queue_poll(queue, 30000);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), 0);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(handle);
}
