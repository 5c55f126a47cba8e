#include <assert.h>

#include "io/kafka_offsets.h"

#define RETRY_WAIT_MS 50
#define TRIES         4 /* within the time-out */

/* librdkafka 2.0.2 sends the question again and again to the leader that it knows of, until the
 * time is over, and knows no other the next time: a handle that fetches nothing hears of a leader
 * that has moved only when all metadata is fetched anew, every five minutes. */
static void
leaders_ask(struct gf_kafka_client *client, int timeout_ms)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(client->handle, 1, NULL, &metadata, timeout_ms) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
    }
}

/* rd_kafka_query_watermark_offsets of librdkafka 2.0.2 would wait for ever for a broker that is
 * down. Whoever asks has found the topic before: a broker that does not know it has only just
 * started, and a client that does not know it has no broker. */
enum gf_rc
gf_kafka_offsets_query(struct gf_kafka_client *client, rd_kafka_topic_partition_list_t *list,
                       int64_t time_ms, struct gf_error *error)
{
    const int timeout_ms = gf_kafka_timeout_ms(client->config);
    const int try_ms = timeout_ms / TRIES < 1 ? 1 : timeout_ms / TRIES;
    const int64_t deadline_us = gf_kafka_now_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        for (int index = 0; index < list->cnt; index++) {
            list->elems[index].offset = time_ms;
            list->elems[index].err = RD_KAFKA_RESP_ERR_NO_ERROR;
        }
        rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client->handle, list, try_ms);
        const rd_kafka_topic_partition_t *failed = &list->elems[0];
        for (int index = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && index < list->cnt; index++) {
            failed = &list->elems[index];
            code = failed->err;
        }
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            gf_kafka_client_heard(client);
            return GF_OK;
        }
        const enum gf_rc rc = gf_kafka_rc(code);
        const bool is_over = gf_kafka_now_us() >= deadline_us;
        if (rc == GF_E_NOT_FOUND && is_over) {
            return gf_fail(error, GF_E_UNAVAILABLE,
                           "Kafka at %.100s: ends of %s/%d: %s, though it was there before; check "
                           "that all brokers run, and with `gridfold topics plan` what is there",
                           client->config->brokers, failed->topic, failed->partition,
                           rd_kafka_err2str(code));
        }
        if ((rc != GF_E_UNAVAILABLE && rc != GF_E_NOT_FOUND) || is_over) {
            return gf_kafka_fail(client, code, error, "ends of %s/%d", failed->topic,
                                 failed->partition);
        }
        rd_kafka_poll(client->handle, RETRY_WAIT_MS);
        leaders_ask(client, try_ms);
    }
}

enum gf_rc
gf_kafka_offset_query(struct gf_kafka_client *client, const char *name, uint32_t partition,
                      int64_t time_ms, int64_t *offset_out, struct gf_error *error)
{
    rd_kafka_topic_partition_list_t *const list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, name, (int32_t)partition);
    const enum gf_rc rc = gf_kafka_offsets_query(client, list, time_ms, error);
    *offset_out = rc == GF_OK ? list->elems[0].offset : *offset_out;
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

enum gf_rc
gf_kafka_ends_query(struct gf_kafka_client *client, const char *name, uint32_t partition,
                    int64_t *first_out, int64_t *end_out, struct gf_error *error)
{
    int64_t first = 0, end = 0;
    enum gf_rc rc =
        gf_kafka_offset_query(client, name, partition, RD_KAFKA_OFFSET_BEGINNING, &first, error);
    if (rc == GF_OK) {
        rc = gf_kafka_offset_query(client, name, partition, RD_KAFKA_OFFSET_END, &end, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    assert(first >= 0);
    *first_out = first;
    /* The last stable offset may be behind a first offset that was just moved. */
    *end_out = end > first ? end : first;
    return GF_OK;
}

enum gf_rc
gf_kafka_offset_at(struct gf_kafka_client *client, const char *name, uint32_t partition,
                   struct gf_time time, int64_t *offset_out, struct gf_error *error)
{
    int64_t first = 0, end = 0;
    enum gf_rc rc = gf_kafka_ends_query(client, name, partition, &first, &end, error);
    if (rc != GF_OK) {
        return rc;
    }
    /* Kafka counts in milliseconds: round up, so that no record before `time` is found. */
    const int64_t time_ms = time.us <= 0 ? 0 : time.us / 1000 + (time.us % 1000 != 0);
    int64_t found = -1;
    rc = gf_kafka_offset_query(client, name, partition, time_ms, &found, error);
    if (rc != GF_OK) {
        return rc;
    }
    *offset_out = found >= 0 && found < end ? found : end;
    return GF_OK;
}

enum gf_rc
gf_kafka_client_ask(struct gf_kafka_client *client, const struct gf_kafka_config *config,
                    enum gf_kafka_role role, struct gf_error *error)
{
    if (client->handle != NULL) {
        return GF_OK;
    }
    rd_kafka_conf_t *conf = NULL;
    const enum gf_rc rc = gf_kafka_conf_new(config, role, &conf, error);
    return rc != GF_OK ? rc : gf_kafka_client_open(client, config, role, conf, error);
}

enum gf_rc
gf_kafka_offset_lost(const char *name, uint32_t partition, int64_t wanted, int64_t first,
                     int64_t end, struct gf_error *error)
{
    return gf_fail(error, GF_E_LOST,
                   "%s/%u: offset %lld is needed, but the topic holds %lld to %lld; %s", name,
                   partition, (long long)wanted, (long long)first, (long long)end,
                   wanted < first ? "restore a newer snapshot, or raise the retention of the topic"
                                  : "the topic was made anew or lost its end: restore the topic");
}
