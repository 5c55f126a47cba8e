#include <assert.h>
#include <stdlib.h>

#include "codec/records.h"
#include "io/kafka_client.h"
#include "io/kafka_lending.h"
#include "io/kafka_offsets.h"
#include "io/kafka_peek.h"
#include "io/kafka_source.h"

#define PUMP_COUNT 4096

struct source_topic {
    rd_kafka_topic_t *handle;
    struct gf_kafka_lending **partitions;
    uint32_t count;           /* of `partitions` */
    uint32_t partition_count; /* on the cluster, when it was first asked; 0: not yet */
};

struct kafka_source {
    struct gf_source source;
    struct gf_kafka_client committed;
    /* These two fetch nothing, so that a question does not wait behind a fetch that waits for
     * records. Opened when they are first needed. */
    struct gf_kafka_client asking;      /* read_committed: ends of inputs */
    struct gf_kafka_client uncommitted; /* ends of journals, and a peek */
    struct gf_kafka_window peeked;
    struct source_topic topics[GF_TOPIC_COUNT];
    rd_kafka_message_t *messages[PUMP_COUNT];
};

static struct kafka_source *
kafka_source_of(struct gf_source *source)
{
    return (struct kafka_source *)source;
}

static enum gf_rc
topic_at(struct kafka_source *self, enum gf_topic topic, struct source_topic **out,
         struct gf_error *error)
{
    assert((unsigned)topic < GF_TOPIC_COUNT);
    struct source_topic *const entry = &self->topics[topic];
    if (entry->handle == NULL) {
        char name[GF_KAFKA_TOPIC_NAME_SIZE];
        const enum gf_rc rc = gf_kafka_topic_name(self->committed.config, topic, name, error);
        if (rc != GF_OK) {
            return rc;
        }
        entry->handle = rd_kafka_topic_new(self->committed.handle, name, NULL);
        if (entry->handle == NULL) {
            return gf_kafka_fail(&self->committed, rd_kafka_last_error(), error, "topic %s", name);
        }
    }
    *out = entry;
    return GF_OK;
}

/* The same, of a call that may wait. A first fetch from a topic that the handle knows nothing of
 * would wait for librdkafka's next look around, a second later: a take-over, too. */
static enum gf_rc
topic_known(struct kafka_source *self, enum gf_topic topic, struct source_topic **out,
            struct gf_error *error)
{
    enum gf_rc rc = topic_at(self, topic, out, error);
    if (rc != GF_OK || (*out)->partition_count > 0) {
        return rc;
    }
    const struct rd_kafka_metadata *metadata = NULL;
    rc = gf_kafka_metadata(&self->committed, (*out)->handle, &metadata, error);
    if (rc == GF_OK) {
        (*out)->partition_count = (uint32_t)metadata->topics[0].partition_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    return rc;
}

static enum gf_rc
partition_at(struct kafka_source *self, enum gf_topic topic, uint32_t partition,
             struct gf_kafka_lending **out, struct gf_error *error)
{
    struct source_topic *entry = NULL;
    const enum gf_rc rc = topic_at(self, topic, &entry, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (partition >= entry->count) {
        const uint32_t count = partition + 1;
        struct gf_kafka_lending **const grown =
            realloc(entry->partitions, count * sizeof(struct gf_kafka_lending *));
        if (grown == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "no memory for %u partitions", count);
        }
        for (uint32_t index = entry->count; index < count; index++) {
            grown[index] = NULL;
        }
        entry->partitions = grown;
        entry->count = count;
    }
    if (entry->partitions[partition] == NULL) {
        struct gf_kafka_lending *const fresh = calloc(1, sizeof(*fresh));
        if (fresh == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "no memory for a partition");
        }
        gf_kafka_lending_init(fresh, topic, partition, gf_topics[topic].is_reference);
        entry->partitions[partition] = fresh;
    }
    *out = entry->partitions[partition];
    return GF_OK;
}

static enum gf_rc
partition_start(struct kafka_source *self, struct gf_kafka_lending *partition, int64_t offset,
                struct gf_error *error)
{
    rd_kafka_topic_t *const topic = self->topics[partition->window.topic].handle;
    return gf_kafka_lending_start(partition, &self->committed, topic, offset, error);
}

/* The handle that answers for a topic: a journal's end is its high watermark. */
static enum gf_rc
client_for(struct kafka_source *self, enum gf_topic topic, struct gf_kafka_client **out,
           struct gf_error *error)
{
    const bool is_journal = topic == GF_TOPIC_JOURNAL;
    *out = is_journal ? &self->uncommitted : &self->asking;
    return gf_kafka_client_ask(*out, self->committed.config,
                               is_journal ? GF_KAFKA_READ_UNCOMMITTED : GF_KAFKA_READ_COMMITTED,
                               error);
}

/* The broker does not have the offset that we fetch from. `wanted` is the reader's. A reference
 * topic begins where the log begins, if that is not behind the reader. */
static enum gf_rc
partition_lost(struct kafka_source *self, struct gf_kafka_lending *partition, int64_t wanted,
               struct gf_error *error)
{
    const char *const name = rd_kafka_topic_name(self->topics[partition->window.topic].handle);
    const uint32_t number = partition->window.partition;
    int64_t first = 0, end = 0;
    struct gf_kafka_client *client = NULL;
    enum gf_rc rc = client_for(self, (enum gf_topic)partition->window.topic, &client, error);
    if (rc == GF_OK) {
        rc = gf_kafka_ends_query(client, name, number, &first, &end, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    if (partition->window.is_keeping && partition->window.to == 0 && first > 0 && wanted >= first) {
        return partition_start(self, partition, first, error);
    }
    return gf_kafka_offset_lost(name, number, wanted, first, end, error);
}

static enum gf_rc
message_error(struct kafka_source *self, struct gf_kafka_lending *partition,
              rd_kafka_resp_err_t code, int64_t wanted, struct gf_error *error)
{
    const struct source_topic *const topic = &self->topics[partition->window.topic];
    if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        gf_kafka_lending_stop(partition, topic->handle);
        return partition_lost(self, partition, wanted, error);
    }
    if (gf_kafka_rc(code) == GF_E_UNAVAILABLE) {
        return GF_OK; /* librdkafka tries again by itself; gf_kafka_client_check says when that is
                         too long */
    }
    gf_kafka_lending_stop(partition, topic->handle);
    return gf_kafka_fail(&self->committed, code, error, "%s/%u", rd_kafka_topic_name(topic->handle),
                         partition->window.partition);
}

/* Moves what has been fetched into the window; the rest of a batch that holds an error is dropped
 * with it. */
static enum gf_rc
messages_add(struct kafka_source *self, struct gf_kafka_lending *partition, size_t count,
             int64_t wanted, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    for (size_t index = 0; index < count; index++) {
        rd_kafka_message_t *const message = self->messages[index];
        if (rc == GF_OK && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rc = gf_kafka_window_add(&partition->window, message, error);
            continue;
        }
        const rd_kafka_resp_err_t code = message->err;
        const int64_t offset = message->offset;
        rd_kafka_message_destroy(message);
        if (rc != GF_OK) {
            continue;
        }
        if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            gf_kafka_window_reach(&partition->window, offset);
        } else {
            rc = message_error(self, partition, code, wanted, error);
        }
    }
    if (count > 0 && rc == GF_OK) {
        gf_kafka_client_heard(&self->committed);
    }
    return rc;
}

/* A batch call waits until the batch is full, so only a call for a single message may wait. */
static enum gf_rc
partition_pump(struct kafka_source *self, struct gf_kafka_lending *partition, int wait_ms,
               int64_t wanted, struct gf_error *error)
{
    const size_t batch = wait_ms > 0 ? 1 : PUMP_COUNT;
    const ssize_t count =
        rd_kafka_consume_batch_queue(partition->queue, wait_ms, self->messages, batch);
    if (count < 0) {
        return gf_kafka_fail(&self->committed, rd_kafka_last_error(), error, "%s/%u",
                             rd_kafka_topic_name(self->topics[partition->window.topic].handle),
                             partition->window.partition);
    }
    return messages_add(self, partition, (size_t)count, wanted, error);
}

/* Makes the window hold what a read from `offset` needs, as far as that has come within `wait`. */
static enum gf_rc
partition_fill(struct kafka_source *self, struct gf_kafka_lending *partition, int64_t offset,
               int64_t end, struct gf_duration wait, uint32_t count_max, struct gf_error *error)
{
    const struct gf_kafka_window *const window = &partition->window;
    if (window->to >= end || gf_kafka_window_left(window, offset) >= count_max) {
        return GF_OK;
    }
    enum gf_rc rc = partition_pump(self, partition, 0, offset, error);
    const bool is_empty = window->to <= offset;
    if (rc == GF_OK && is_empty && wait.us > 0) {
        rc = partition_pump(self, partition, gf_kafka_wait_ms(wait), offset, error);
        if (rc == GF_OK && window->to > offset) {
            rc = partition_pump(self, partition, 0, offset, error);
        }
    }
    return rc;
}

/* Makes sure that what the reader wants is being fetched. A keeping window begins with the log. */
static enum gf_rc
partition_place(struct kafka_source *self, struct gf_kafka_lending *partition, uint32_t reader,
                int64_t offset, struct gf_error *error)
{
    struct gf_kafka_window *const window = &partition->window;
    const bool is_fetching = partition->queue != NULL;
    if (window->is_keeping) {
        if (is_fetching) {
            return offset < window->from ? partition_lost(self, partition, offset, error) : GF_OK;
        }
        return partition_start(self, partition, 0, error);
    }
    int64_t least = 0;
    enum gf_rc rc = gf_kafka_lending_read(partition, reader, offset, &least, error);
    if (rc == GF_OK && (!is_fetching || !gf_kafka_window_covers(window, least))) {
        rc = partition_start(self, partition, least, error);
    }
    return rc;
}

static enum gf_rc
source_read(struct gf_source *source, uint32_t reader, enum gf_topic topic, uint32_t number,
            int64_t offset, int64_t end, struct gf_duration wait, struct gf_record *records_out,
            uint32_t count_max, uint32_t *count_out, int64_t *next_out, struct gf_error *error)
{
    assert(offset >= 0);
    assert(count_max > 0);
    struct kafka_source *const self = kafka_source_of(source);
    struct gf_kafka_lending *partition = NULL;
    enum gf_rc rc = partition_at(self, topic, number, &partition, error);
    if (rc != GF_OK) {
        return rc;
    }
    struct gf_kafka_window *const window = &partition->window;
    rc = partition_place(self, partition, reader, offset, error);
    if (rc == GF_OK) {
        rc = partition_fill(self, partition, offset, end, wait, count_max, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    int64_t next = offset;
    const uint32_t count = gf_kafka_window_take(window, offset, end, records_out, count_max, &next);
    if (count == 0 && next == offset) {
        rc = gf_kafka_client_check(&self->committed, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    *count_out = count;
    *next_out = next;
    return GF_OK;
}

static enum gf_rc
source_partitions(struct gf_source *source, enum gf_topic topic, uint32_t *count_out,
                  struct gf_error *error)
{
    struct source_topic *entry = NULL;
    const enum gf_rc rc = topic_known(kafka_source_of(source), topic, &entry, error);
    if (rc == GF_OK) {
        *count_out = entry->partition_count;
    }
    return rc;
}

static enum gf_rc
source_ends(struct gf_source *source, enum gf_topic topic, uint32_t partition, int64_t *first_out,
            int64_t *end_out, struct gf_error *error)
{
    struct kafka_source *const self = kafka_source_of(source);
    struct gf_kafka_client *client = NULL;
    struct source_topic *entry = NULL;
    enum gf_rc rc = topic_known(self, topic, &entry, error);
    if (rc == GF_OK) {
        rc = client_for(self, topic, &client, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    return gf_kafka_ends_query(client, rd_kafka_topic_name(entry->handle), partition, first_out,
                               end_out, error);
}

/* The ends of the places that are of internal topics, or of the others. */
static enum gf_rc
ends_query(struct kafka_source *self, const struct gf_source_place *places, uint32_t count,
           bool is_internal, int64_t *ends_out, struct gf_error *error)
{
    struct gf_kafka_client *client = NULL;
    enum gf_rc rc =
        client_for(self, is_internal ? GF_TOPIC_JOURNAL : GF_TOPIC_METER_READINGS, &client, error);
    rd_kafka_topic_partition_list_t *const list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t index = 0; rc == GF_OK && index < count; index++) {
        struct source_topic *entry = NULL;
        assert(places[index].topic != GF_TOPIC_JOURNAL);
        if (gf_topics[places[index].topic].is_internal != is_internal) {
            continue;
        }
        rc = topic_known(self, places[index].topic, &entry, error);
        if (rc == GF_OK) {
            rd_kafka_topic_partition_list_add(list, rd_kafka_topic_name(entry->handle),
                                              (int32_t)places[index].partition);
        }
    }
    if (rc == GF_OK && list->cnt > 0) {
        rc = gf_kafka_offsets_query(client, list, RD_KAFKA_OFFSET_END, error);
    }
    int at = 0;
    for (uint32_t index = 0; rc == GF_OK && index < count; index++) {
        if (gf_topics[places[index].topic].is_internal == is_internal) {
            ends_out[index] = list->elems[at++].offset;
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

/* A commit is answered before its markers are written, so an internal topic's stable end may for a
 * moment be the one before our own last commit: its end is the high watermark, as a journal's. */
static enum gf_rc
source_ends_of(struct gf_source *source, const struct gf_source_place *places, uint32_t count,
               int64_t *ends_out, struct gf_error *error)
{
    struct kafka_source *const self = kafka_source_of(source);
    const enum gf_rc rc = ends_query(self, places, count, false, ends_out, error);
    return rc != GF_OK ? rc : ends_query(self, places, count, true, ends_out, error);
}

static enum gf_rc
source_offset_at(struct gf_source *source, enum gf_topic topic, uint32_t partition,
                 struct gf_time time, int64_t *offset_out, struct gf_error *error)
{
    struct kafka_source *const self = kafka_source_of(source);
    struct gf_kafka_client *client = NULL;
    struct source_topic *entry = NULL;
    enum gf_rc rc = topic_at(self, topic, &entry, error);
    if (rc == GF_OK) {
        rc = client_for(self, topic, &client, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    return gf_kafka_offset_at(client, rd_kafka_topic_name(entry->handle), partition, time,
                              offset_out, error);
}

static enum gf_rc
source_peek(struct gf_source *source, enum gf_topic topic, uint32_t partition, int64_t offset,
            int64_t end, struct gf_record *records_out, uint32_t count_max, uint32_t *count_out,
            struct gf_error *error)
{
    struct kafka_source *const self = kafka_source_of(source);
    struct gf_kafka_client *client = NULL;
    assert(topic == GF_TOPIC_JOURNAL);
    gf_kafka_window_fini(&self->peeked);
    gf_kafka_window_init(&self->peeked, topic, partition, false);
    const enum gf_rc rc = client_for(self, topic, &client, error);
    return rc != GF_OK ? rc
                       : gf_kafka_peek(client, &self->peeked, offset, end, records_out, count_max,
                                       count_out, error);
}

static void
source_release(struct gf_source *source, uint32_t reader, enum gf_topic topic, uint32_t partition,
               int64_t offset)
{
    const struct source_topic *const entry = &kafka_source_of(source)->topics[topic];
    if (partition < entry->count && entry->partitions[partition] != NULL) {
        gf_kafka_lending_release(entry->partitions[partition], entry->handle, reader, offset);
    }
}

static void
source_close(struct gf_source *source)
{
    if (source == NULL) {
        return;
    }
    struct kafka_source *const self = kafka_source_of(source);
    for (size_t topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        struct source_topic *const entry = &self->topics[topic];
        for (uint32_t index = 0; index < entry->count; index++) {
            if (entry->partitions[index] != NULL) {
                gf_kafka_lending_fini(entry->partitions[index], entry->handle);
                free(entry->partitions[index]);
            }
        }
        free(entry->partitions);
        if (entry->handle != NULL) {
            rd_kafka_topic_destroy(entry->handle);
        }
    }
    gf_kafka_window_fini(&self->peeked);
    gf_kafka_client_close(&self->uncommitted);
    gf_kafka_client_close(&self->asking);
    gf_kafka_client_close(&self->committed);
    free(self);
}

static const struct gf_source_ops kafka_source_ops = {
    .name = "kafka",
    .partitions = source_partitions,
    .ends = source_ends,
    .ends_of = source_ends_of,
    .offset_at = source_offset_at,
    .read = source_read,
    .peek = source_peek,
    .release = source_release,
    .close = source_close,
};

enum gf_rc
gf_kafka_source_open(const struct gf_kafka_config *config, struct gf_source **out,
                     struct gf_error *error)
{
    struct kafka_source *const self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory for a Kafka source");
    }
    self->source.ops = &kafka_source_ops;
    rd_kafka_conf_t *conf = NULL;
    enum gf_rc rc = gf_kafka_conf_new(config, GF_KAFKA_READ_COMMITTED, &conf, error);
    if (rc == GF_OK) {
        rc = gf_kafka_client_open(&self->committed, config, GF_KAFKA_READ_COMMITTED, conf, error);
    }
    if (rc != GF_OK) {
        free(self);
        return rc;
    }
    *out = &self->source;
    return GF_OK;
}
