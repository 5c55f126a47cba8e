#include "io/kafka_group.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/kafka_client.h"

#define SESSION_TIMEOUT_MS_DEFAULT 10000
#define HEARTBEAT_MS_MAX           1000 /* a member learns of a new generation by a heartbeat */
/* How long librdkafka lets the loop be silent before it leaves the group by itself. Far above any
 * call of the loop; one that hangs is the watchdog's. */
#define POLL_INTERVAL_MS_MIN 600000
/* A member that was out of touch so shortly ago may have fenced itself. */
#define OWN_TROUBLE_US (60 * GF_US_PER_S)

/* What the metadata of librdkafka 2.0.2 looks like when written: magic, generation in the order of
 * the machine, group and member (both end with NUL), instance. */
static const char fence_magic[] = {'C', 'G', 'M', 'D', 'v', '2', ':'};

struct kafka_group {
    struct gf_group group;
    const struct gf_kafka_group_config *config;
    struct gf_kafka_client client;
    rd_kafka_topic_t *topic;
    struct gf_group_event event; /* not told yet, unless QUIET */
    uint32_t *shards;
    uint32_t shards_max;
    rd_kafka_consumer_group_metadata_t *fence;
    bool has_no_memory;
};

static struct kafka_group *
kafka_group_of(struct gf_group *group)
{
    return (struct kafka_group *)group;
}

bool
gf_kafka_fence_read(const rd_kafka_consumer_group_metadata_t *fence, int32_t *generation_out)
{
    void *bytes = NULL;
    size_t size = 0;
    rd_kafka_error_t *const failure = rd_kafka_consumer_group_metadata_write(fence, &bytes, &size);
    if (failure != NULL) {
        rd_kafka_error_destroy(failure);
        return false;
    }
    const char *const text = bytes;
    const size_t names = sizeof(fence_magic) + sizeof(int32_t);
    int32_t generation = -1;
    bool has_member = false;
    if (size > names && memcmp(text, fence_magic, sizeof(fence_magic)) == 0) {
        memcpy(&generation, text + sizeof(fence_magic), sizeof(generation));
        const char *const group_end = memchr(text + names, '\0', size - names);
        has_member = group_end != NULL && group_end + 1 < text + size && group_end[1] != '\0';
    }
    rd_kafka_mem_free(NULL, bytes);
    *generation_out = generation;
    return has_member && generation >= 0;
}

/* Inside the callback of an assignment: takes the shards, and the metadata of this very moment. */
static void
group_assigned(struct kafka_group *self, rd_kafka_topic_partition_list_t *partitions)
{
    rd_kafka_consumer_group_metadata_t *const fence =
        rd_kafka_consumer_group_metadata(self->client.handle);
    int32_t generation = -1;
    if (fence == NULL || !gf_kafka_fence_read(fence, &generation)) {
        /* The membership ended while the assignment was on its way; another one will come. */
        if (fence != NULL) {
            rd_kafka_consumer_group_metadata_destroy(fence);
        }
        return;
    }
    if (self->fence != NULL) {
        rd_kafka_consumer_group_metadata_destroy(self->fence);
    }
    self->fence = fence;

    const uint32_t count = (uint32_t)partitions->cnt;
    if (count > self->shards_max) {
        uint32_t *const grown = realloc(self->shards, count * sizeof(uint32_t));
        if (grown == NULL) {
            self->has_no_memory = true;
            return;
        }
        self->shards = grown;
        self->shards_max = count;
    }
    rd_kafka_topic_partition_list_sort(partitions, NULL, NULL);
    for (uint32_t index = 0; index < count; index++) {
        self->shards[index] = (uint32_t)partitions->elems[index].partition;
    }
    self->event = (struct gf_group_event){.kind = GF_GROUP_ASSIGNED,
                                          .generation = generation,
                                          .shards = self->shards,
                                          .shard_count = count,
                                          .fence = fence};
}

static void
on_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t code,
             rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct kafka_group *const self =
        (struct kafka_group *)((char *)opaque - offsetof(struct kafka_group, client));
    assert(self->event.kind == GF_GROUP_QUIET);
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        group_assigned(self, partitions);
        gf_kafka_client_heard(&self->client);
        /* Nothing: the membership is what is wanted, a source of its own reads the records. */
        rd_kafka_topic_partition_list_t *const nothing = rd_kafka_topic_partition_list_new(0);
        rd_kafka_assign(handle, nothing);
        rd_kafka_topic_partition_list_destroy(nothing);
    } else {
        self->event = (struct gf_group_event){
            .kind = rd_kafka_assignment_lost(handle) ? GF_GROUP_LOST : GF_GROUP_REVOKED};
        rd_kafka_assign(handle, NULL);
    }
    /* The poll ends here, so that no second event comes before this one is told. */
    rd_kafka_yield(handle);
}

/* A fatal error ends the handle; a fenced instance is the one that is expected. */
static enum gf_rc
group_fatal(struct kafka_group *self, struct gf_error *error)
{
    char text[256];
    const rd_kafka_resp_err_t code = rd_kafka_fatal_error(self->client.handle, text, sizeof(text));
    const struct gf_kafka_group_config *const config = self->config;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return GF_OK;
    }
    if (gf_kafka_rc(code) == GF_E_FENCED) {
        return gf_fail(error, GF_E_FENCED,
                       "another process runs under the instance id '%s' in group '%s'; it is the "
                       "newer one, so this one stops; give each instance an id of its own",
                       config->instance, config->group);
    }
    return gf_fail(error, GF_E_CONFIG, "Kafka at %.100s: group '%s': %s: %s",
                   config->kafka->brokers, config->group, rd_kafka_err2str(code), text);
}

/* Errors that no waiting ends. librdkafka goes on by itself after all others. */
static enum gf_rc
group_refused(struct kafka_group *self, rd_kafka_resp_err_t code, struct gf_error *error)
{
    static const struct {
        rd_kafka_resp_err_t code;
        const char *advice;
    } rows[] = {
        {RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT,
         "set the session timeout between group.min.session.timeout.ms and "
         "group.max.session.timeout.ms of the brokers"},
        {RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
         "other programs are members of this group: give gridfold a group of its own"},
        {RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED, "raise group.max.size of the brokers"},
        {RD_KAFKA_RESP_ERR_INVALID_GROUP_ID, "choose another group"},
    };
    for (size_t index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        if (rows[index].code == code) {
            return gf_fail(error, GF_E_CONFIG, "Kafka at %.100s: group '%s': %s; %s",
                           self->config->kafka->brokers, self->config->group,
                           rd_kafka_err2str(code), rows[index].advice);
        }
    }
    const enum gf_rc rc = gf_kafka_rc(code);
    if (rc == GF_E_NOT_FOUND) {
        /* Also the word of a broker that has only just started. */
        const struct rd_kafka_metadata *metadata = NULL;
        const enum gf_rc asked = gf_kafka_metadata(&self->client, self->topic, &metadata, error);
        if (asked == GF_OK) {
            rd_kafka_metadata_destroy(metadata);
        }
        return asked;
    }
    return rc != GF_E_CONFIG
               ? GF_OK
               : gf_kafka_fail(&self->client, code, error, "group '%s'", self->config->group);
}

static enum gf_rc
number_set(rd_kafka_conf_t *conf, const char *key, int64_t value, struct gf_error *error)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    return gf_kafka_conf_set(conf, key, text, error);
}

static enum gf_rc
group_conf(const struct gf_kafka_group_config *config, rd_kafka_conf_t *conf,
           struct gf_error *error)
{
    const int64_t session_ms = config->session_timeout.us == 0 ? SESSION_TIMEOUT_MS_DEFAULT
                                                               : config->session_timeout.us / 1000;
    const int64_t heartbeat_ms =
        session_ms / 6 < HEARTBEAT_MS_MAX ? session_ms / 6 : HEARTBEAT_MS_MAX;
    const int64_t poll_ms = session_ms > POLL_INTERVAL_MS_MIN ? session_ms : POLL_INTERVAL_MS_MIN;
    enum gf_rc rc = gf_kafka_conf_set(conf, "group.id", config->group, error);
    if (rc == GF_OK) {
        rc = gf_kafka_conf_set(conf, "group.instance.id", config->instance, error);
    }
    if (rc == GF_OK) {
        rc = gf_kafka_conf_set(conf, "partition.assignment.strategy", "roundrobin", error);
    }
    if (rc == GF_OK) {
        rc = number_set(conf, "max.poll.interval.ms", poll_ms, error);
    }
    if (rc == GF_OK) {
        rc = number_set(conf, "session.timeout.ms", session_ms, error);
    }
    return rc == GF_OK ? number_set(conf, "heartbeat.interval.ms", heartbeat_ms, error) : rc;
}

static enum gf_rc
handle_open(struct kafka_group *self, struct gf_error *error)
{
    rd_kafka_conf_t *conf = NULL;
    enum gf_rc rc = gf_kafka_conf_new(self->config->kafka, GF_KAFKA_READ_UNCOMMITTED, &conf, error);
    if (rc != GF_OK) {
        return rc;
    }
    rc = group_conf(self->config, conf, error);
    if (rc != GF_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    return gf_kafka_client_open(&self->client, self->config->kafka, GF_KAFKA_READ_UNCOMMITTED, conf,
                                error);
}

/* The topic is looked at first: a subscription to one that is missing would only wait. */
static enum gf_rc
group_subscribe(struct kafka_group *self, struct gf_error *error)
{
    char name[GF_KAFKA_TOPIC_NAME_SIZE];
    enum gf_rc rc = gf_kafka_topic_name(self->config->kafka, self->config->journal, name, error);
    if (rc != GF_OK) {
        return rc;
    }
    self->topic = rd_kafka_topic_new(self->client.handle, name, NULL);
    if (self->topic == NULL) {
        return gf_kafka_fail(&self->client, rd_kafka_last_error(), error, "topic %s", name);
    }
    const struct rd_kafka_metadata *metadata = NULL;
    rc = gf_kafka_metadata(&self->client, self->topic, &metadata, error);
    if (rc != GF_OK) {
        return rc;
    }
    rd_kafka_metadata_destroy(metadata);

    rd_kafka_topic_partition_list_t *const list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, name, RD_KAFKA_PARTITION_UA);
    const rd_kafka_resp_err_t code = rd_kafka_subscribe(self->client.handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? GF_OK
               : gf_kafka_fail(&self->client, code, error, "group '%s'", self->config->group);
}

static void
handle_close(struct kafka_group *self)
{
    if (self->topic != NULL) {
        rd_kafka_topic_destroy(self->topic);
        self->topic = NULL;
    }
    if (self->client.handle != NULL) {
        gf_kafka_client_serve(&self->client);
        /* No goodbye, and no more callbacks: a static member keeps its place. */
        rd_kafka_destroy_flags(self->client.handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        self->client.handle = NULL;
    }
}

/* librdkafka 2.0.2 forgets its member id when it has heard nothing for a session, and joins as if
 * it had just started: to the broker a second process of this instance. What it sent under the old
 * id, or a join that it repeats, is then refused as that of a fenced instance, although there is no
 * other process. So a member that was out of touch joins anew; if there is another process after
 * all, that one is fenced, and exactly one goes on. */
static bool
group_fenced_itself(const struct kafka_group *self)
{
    char text[256];
    const rd_kafka_resp_err_t code = rd_kafka_fatal_error(self->client.handle, text, sizeof(text));
    return code != RD_KAFKA_RESP_ERR_NO_ERROR && gf_kafka_rc(code) == GF_E_FENCED &&
           self->client.trouble_us != 0 &&
           gf_kafka_now_us() - self->client.trouble_us < OWN_TROUBLE_US;
}

/* The fence stays what it was until the next assignment: the caller may still hold it. */
static enum gf_rc
group_reopen(struct kafka_group *self, struct gf_group_event *event_out, struct gf_error *error)
{
    self->event = (struct gf_group_event){.kind = GF_GROUP_QUIET};
    enum gf_rc rc = handle_open(self, error);
    if (rc == GF_OK) {
        rc = group_subscribe(self, error);
    }
    if (rc != GF_OK) {
        handle_close(self);
        return rc;
    }
    *event_out = (struct gf_group_event){.kind = GF_GROUP_LOST};
    return GF_OK;
}

static enum gf_rc
group_poll(struct gf_group *group, struct gf_duration wait, struct gf_group_event *event_out,
           struct gf_error *error)
{
    struct kafka_group *const self = kafka_group_of(group);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (self->client.handle == NULL) {
        return group_reopen(self, event_out, error);
    }
    gf_kafka_client_serve(&self->client);
    if (self->event.kind == GF_GROUP_QUIET) {
        rd_kafka_message_t *const message =
            rd_kafka_consumer_poll(self->client.handle, gf_kafka_wait_ms(wait));
        if (message != NULL) {
            code = message->err;
            rd_kafka_message_destroy(message);
        }
    }
    if (group_fenced_itself(self)) {
        handle_close(self);
        return group_reopen(self, event_out, error);
    }
    enum gf_rc rc = group_fatal(self, error);
    if (rc == GF_OK && self->has_no_memory) {
        rc = gf_fail(error, GF_E_NO_MEMORY, "no memory for the shards of an assignment");
    }
    if (rc == GF_OK && code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rc = group_refused(self, code, error);
    }
    if (rc == GF_OK && self->event.kind == GF_GROUP_QUIET) {
        rc = gf_kafka_client_check(&self->client, error);
    }
    if (rc == GF_OK) {
        *event_out = self->event;
        self->event = (struct gf_group_event){.kind = GF_GROUP_QUIET};
    }
    return rc;
}

static void
group_close(struct gf_group *group)
{
    if (group == NULL) {
        return;
    }
    struct kafka_group *const self = kafka_group_of(group);
    if (self->fence != NULL) {
        rd_kafka_consumer_group_metadata_destroy(self->fence);
    }
    handle_close(self);
    free(self->shards);
    free(self);
}

static const struct gf_group_ops kafka_group_ops = {
    .name = "kafka", .poll = group_poll, .close = group_close};

enum gf_rc
gf_kafka_group_open(const struct gf_kafka_group_config *config, struct gf_group **out,
                    struct gf_error *error)
{
    assert(config->group != NULL && config->instance != NULL);
    struct kafka_group *const self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory for a Kafka group");
    }
    self->group.ops = &kafka_group_ops;
    self->config = config;
    enum gf_rc rc = handle_open(self, error);
    if (rc == GF_OK) {
        rc = group_subscribe(self, error);
    }
    if (rc != GF_OK) {
        group_close(&self->group);
        return rc;
    }
    *out = &self->group;
    return GF_OK;
}
