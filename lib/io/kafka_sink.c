#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/kafka_producer.h"
#include "io/kafka_sink.h"
#include "loop/fault.h"

#define CALL_TIMEOUT_MS 10000
#define RETRY_WAIT_MS   50

enum sink_state {
    SINK_IDLE,
    SINK_OPEN,   /* a transaction has begun */
    SINK_BROKEN, /* only close may follow */
};

struct kafka_sink {
    struct gf_sink sink;
    const struct gf_kafka_sink_config *config;
    struct gf_kafka_producer producer;
    rd_kafka_consumer_group_metadata_t *group; /* NULL: no offsets are sent */
    enum sink_state state;
    bool is_fenced;         /* the offsets of this transaction were accepted with its fence */
    uint64_t closed_before; /* connections that were closed before this transaction */
    bool must_renew;        /* a request of the last transaction may still be under way */
};

static struct kafka_sink *
kafka_sink_of(struct gf_sink *sink)
{
    return (struct kafka_sink *)sink;
}

static enum gf_rc
sink_break(struct kafka_sink *self, enum gf_rc rc)
{
    self->state = SINK_BROKEN;
    return rc;
}

/* Asks again while that is safe (`retriable`), for at most twice the request timeout. */
typedef rd_kafka_error_t *sink_call_fn(struct kafka_sink *self, int timeout_ms,
                                       const void *argument);

static rd_kafka_error_t *
sink_call(struct kafka_sink *self, sink_call_fn *call, const void *argument)
{
    const int64_t deadline_us =
        gf_kafka_now_us() + 2 * 1000 * (int64_t)gf_kafka_timeout_ms(self->config->kafka);
    for (;;) {
        const int64_t left_ms = (deadline_us - gf_kafka_now_us()) / 1000;
        const int timeout_ms = left_ms < 1                 ? 1
                               : left_ms > CALL_TIMEOUT_MS ? CALL_TIMEOUT_MS
                                                           : (int)left_ms;
        rd_kafka_error_t *const failure = call(self, timeout_ms, argument);
        gf_kafka_client_serve(&self->producer.client);
        if (failure == NULL || !rd_kafka_error_is_retriable(failure) ||
            rd_kafka_error_is_fatal(failure) || gf_kafka_now_us() >= deadline_us) {
            return failure;
        }
        rd_kafka_error_destroy(failure);
        rd_kafka_poll(self->producer.client.handle, RETRY_WAIT_MS);
    }
}

static rd_kafka_error_t *
call_init(struct kafka_sink *self, int timeout_ms, const void *argument)
{
    (void)argument;
    return rd_kafka_init_transactions(self->producer.client.handle, timeout_ms);
}

static rd_kafka_error_t *
call_abort(struct kafka_sink *self, int timeout_ms, const void *argument)
{
    (void)argument;
    return rd_kafka_abort_transaction(self->producer.client.handle, timeout_ms);
}

static rd_kafka_error_t *
call_commit(struct kafka_sink *self, int timeout_ms, const void *argument)
{
    (void)argument;
    return rd_kafka_commit_transaction(self->producer.client.handle, timeout_ms);
}

struct offsets_call {
    rd_kafka_topic_partition_list_t *list;
    const rd_kafka_consumer_group_metadata_t *group;
};

static rd_kafka_error_t *
call_offsets(struct kafka_sink *self, int timeout_ms, const void *argument)
{
    const struct offsets_call *const offsets = argument;
    return rd_kafka_send_offsets_to_transaction(self->producer.client.handle, offsets->list,
                                                offsets->group, timeout_ms);
}

/* Fenced or not: after a fatal error the handle refuses everything, and its first reason is what
 * counts. */
static enum gf_rc
fatal_rc(struct kafka_sink *self, rd_kafka_resp_err_t code)
{
    char text[128];
    const rd_kafka_resp_err_t first =
        rd_kafka_fatal_error(self->producer.client.handle, text, sizeof(text));
    return gf_kafka_rc(first) == GF_E_FENCED || gf_kafka_rc(code) == GF_E_FENCED
               ? GF_E_FENCED
               : GF_E_UNKNOWN_OUTCOME;
}

static const char *
advice_of(enum gf_rc rc)
{
    return rc == GF_E_FENCED
               ? "another instance runs under this id, or the transaction was open for too long"
               : "the producer must be made anew and the journal read";
}

/* Consumes `failure` of an open transaction when aborting cannot help (any more). */
static enum gf_rc
sink_fail(struct kafka_sink *self, rd_kafka_error_t *failure, const char *what,
          struct gf_error *error)
{
    const rd_kafka_resp_err_t code = rd_kafka_error_code(failure);
    const enum gf_rc rc = fatal_rc(self, code);
    gf_fail(error, rc, "Kafka transaction of '%s': %s: %s; %s", self->config->transactional_id,
            what, rd_kafka_error_string(failure), advice_of(rc));
    rd_kafka_error_destroy(failure);
    return sink_break(self, rc);
}

/* librdkafka repeats a request whose connection is lost, and tells nobody. The broker may come to
 * the first one after the answer to the second: an EndTxn that arrives in the midst of the next
 * transaction ends that one, with a part of its records, since all transactions of a producer have
 * one epoch (KIP-890 tells of this; brokers mend it for newer clients). Nothing but a new epoch
 * keeps such a request out. A connection that lives has answered all that it was asked, in order.
 */
static void
transaction_ended(struct kafka_sink *self)
{
    self->state = SINK_IDLE;
    self->must_renew =
        self->must_renew || self->producer.client.connections_closed != self->closed_before;
}

static enum gf_rc
transaction_abort(struct kafka_sink *self, struct gf_error *error)
{
    assert(self->state == SINK_OPEN);
    rd_kafka_error_t *const failure = sink_call(self, call_abort, NULL);
    if (failure != NULL) {
        return sink_fail(self, failure, "abort", error);
    }
    transaction_ended(self);
    return GF_OK;
}

/* The answer to offsets whose fence is not that of the group's present assignment. */
static bool
is_generation(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
           code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

/* Consumes `failure`: aborts where Kafka asks for it, so that GF_E_TXN and GF_E_GENERATION mean
 * that nothing is left open. */
static enum gf_rc
sink_settle(struct kafka_sink *self, rd_kafka_error_t *failure, const char *what,
            struct gf_error *error)
{
    if (rd_kafka_error_is_fatal(failure) || !rd_kafka_error_txn_requires_abort(failure)) {
        return sink_fail(self, failure, what, error);
    }
    const enum gf_rc settled =
        is_generation(rd_kafka_error_code(failure)) ? GF_E_GENERATION : GF_E_TXN;
    char text[256];
    snprintf(text, sizeof(text), "%s", rd_kafka_error_string(failure));
    rd_kafka_error_destroy(failure);
    const enum gf_rc rc = transaction_abort(self, error);
    if (rc != GF_OK) {
        return rc;
    }
    return gf_fail(error, settled, "Kafka transaction of '%s' was aborted: %s: %s",
                   self->config->transactional_id, what, text);
}

static enum gf_rc
transactions_init(struct kafka_sink *self, struct gf_error *error)
{
    rd_kafka_error_t *const failure = sink_call(self, call_init, NULL);
    if (failure == NULL) {
        return GF_OK;
    }
    const rd_kafka_resp_err_t code = rd_kafka_error_code(failure);
    rd_kafka_error_destroy(failure);
    return gf_kafka_fail(&self->producer.client, code, error, "transactional id '%s'",
                         self->config->transactional_id);
}

static enum gf_rc
producer_open(struct kafka_sink *self, struct gf_error *error)
{
    const struct gf_kafka_sink_config *const config = self->config;
    const enum gf_rc rc =
        gf_kafka_producer_open(&self->producer, config->kafka, config->schema_ids,
                               config->transactional_id, config->transaction_timeout, error);
    return rc == GF_OK ? transactions_init(self, error) : rc;
}

/* With a fence it is the group that says whether the shards are still ours, whatever epoch we have.
 * Without one a new epoch may take the slot from a newer owner, behind whose journal our memory is:
 * that is for the caller to do. */
static enum gf_rc
producer_renew(struct kafka_sink *self, struct gf_error *error)
{
    if (!self->config->needs_fence) {
        return gf_fail(error, GF_E_UNKNOWN_OUTCOME,
                       "Kafka transaction of '%s': a connection was lost in the last one, of which "
                       "a request may still arrive; a new epoch keeps it out",
                       self->config->transactional_id);
    }
    gf_kafka_producer_close(&self->producer);
    const enum gf_rc rc = producer_open(self, error);
    self->must_renew = false;
    return rc == GF_OK ? GF_OK : sink_break(self, rc);
}

static enum gf_rc
sink_begin(struct gf_sink *sink, struct gf_error *error)
{
    struct kafka_sink *const self = kafka_sink_of(sink);
    assert(self->state == SINK_IDLE);
    gf_kafka_client_serve(&self->producer.client);
    if (self->must_renew && GF_RULE(RENEW)) {
        const enum gf_rc rc = producer_renew(self, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    self->closed_before = self->producer.client.connections_closed;
    rd_kafka_error_t *const failure = rd_kafka_begin_transaction(self->producer.client.handle);
    if (failure != NULL) {
        return sink_fail(self, failure, "begin", error);
    }
    self->state = SINK_OPEN;
    self->is_fenced = false;
    gf_kafka_producer_reset(&self->producer);
    return GF_OK;
}

static enum gf_rc
append_fail(struct kafka_sink *self, const struct gf_output *output, rd_kafka_resp_err_t code,
            struct gf_error *error)
{
    const char *const name = rd_kafka_topic_name(self->producer.topics[output->topic]);
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        return gf_fail(error, GF_E_CONFIG,
                       "an output of %u bytes to %s/%u is larger than Kafka takes; raise "
                       "message.max.bytes here "
                       "and max.message.bytes of the topic",
                       output->body.size, name, output->partition);
    }
    if (code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR__FENCED) {
        const enum gf_rc rc = fatal_rc(self, code);
        return gf_fail(error, sink_break(self, rc),
                       "Kafka transaction of '%s': output to %s/%u: %s; %s",
                       self->config->transactional_id, name, output->partition,
                       rd_kafka_err2str(code), advice_of(rc));
    }
    if (gf_kafka_rc(code) == GF_E_NOT_FOUND || gf_kafka_rc(code) == GF_E_CONFIG) {
        return gf_kafka_fail(&self->producer.client, code, error, "output to %s/%u", name,
                             output->partition);
    }
    /* Full for too long, or the transaction is in a state that only an abort ends. */
    return gf_fail(error, GF_E_TXN, "output to %s/%u: %s", name, output->partition,
                   rd_kafka_err2str(code));
}

static enum gf_rc
sink_append(struct gf_sink *sink, const struct gf_output *output, struct gf_error *error)
{
    struct kafka_sink *const self = kafka_sink_of(sink);
    assert(self->state == SINK_OPEN);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    const enum gf_rc rc = gf_kafka_producer_append(&self->producer, output, &code, error);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? rc : append_fail(self, output, code, error);
}

/* Every output is on the brokers, or nothing of this transaction may be committed: offsets sent
 * before that would let a stale owner's outputs land after its successor has started. */
static enum gf_rc
sink_flush(struct gf_sink *sink, struct gf_error *error)
{
    struct kafka_sink *const self = kafka_sink_of(sink);
    assert(self->state == SINK_OPEN);
    const rd_kafka_resp_err_t code =
        rd_kafka_flush(self->producer.client.handle, gf_kafka_timeout_ms(self->config->kafka));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && self->producer.failed == 0) {
        assert(self->producer.delivered == self->producer.appended);
        return GF_OK;
    }
    const unsigned long long missing = self->producer.appended - self->producer.delivered;
    const rd_kafka_resp_err_t reason =
        self->producer.failed > 0 ? self->producer.failed_code : code;
    if (gf_kafka_rc(reason) == GF_E_CONFIG) {
        return gf_kafka_fail(&self->producer.client, reason, error, "%llu outputs were refused",
                             missing);
    }
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT) {
        /* No abort: when partitions are still being added to the transaction, the reply to that
         * would come after it, and end the program by an assertion (librdkafka 2.0.2,
         * rd_kafka_txn_handle_AddPartitionsToTxn). A new producer ends the transaction. */
        return gf_fail(error, sink_break(self, GF_E_UNKNOWN_OUTCOME),
                       "Kafka transaction of '%s': %llu of %llu outputs: %s",
                       self->config->transactional_id, missing,
                       (unsigned long long)self->producer.appended, rd_kafka_err2str(code));
    }
    return gf_fail(error, GF_E_TXN, "Kafka transaction of '%s': %llu of %llu outputs: %s",
                   self->config->transactional_id, missing,
                   (unsigned long long)self->producer.appended, rd_kafka_err2str(reason));
}

static enum gf_rc
sink_send_offsets(struct gf_sink *sink, const struct gf_position *positions, uint32_t count,
                  const void *fence, struct gf_error *error)
{
    struct kafka_sink *const self = kafka_sink_of(sink);
    assert(self->state == SINK_OPEN);
    assert(count > 0);
    assert(fence != NULL || !self->config->needs_fence);
    const struct offsets_call call = {
        .list = rd_kafka_topic_partition_list_new((int)count),
        .group = fence != NULL ? fence : self->group,
    };
    enum gf_rc rc = GF_OK;
    for (uint32_t index = 0; rc == GF_OK && index < count; index++) {
        char name[GF_KAFKA_TOPIC_NAME_SIZE];
        rc = gf_kafka_topic_name(self->config->kafka, positions[index].topic, name, error);
        rd_kafka_topic_partition_list_add(call.list, name, (int32_t)positions[index].partition)
            ->offset = positions[index].offset;
    }
    if (rc == GF_OK && call.group != NULL) {
        rd_kafka_error_t *const failure = sink_call(self, call_offsets, &call);
        if (failure != NULL) {
            rc = sink_settle(self, failure, "offsets", error);
        }
    }
    rd_kafka_topic_partition_list_destroy(call.list);
    self->is_fenced = rc == GF_OK && fence != NULL;
    return rc;
}

static enum gf_rc
sink_commit(struct gf_sink *sink, struct gf_error *error)
{
    struct kafka_sink *const self = kafka_sink_of(sink);
    assert(self->state == SINK_OPEN);
    assert(self->is_fenced || !self->config->needs_fence);
    rd_kafka_error_t *const failure = sink_call(self, call_commit, NULL);
    if (failure != NULL) {
        return sink_settle(self, failure, "commit", error);
    }
    transaction_ended(self);
    return GF_OK;
}

static enum gf_rc
sink_abort(struct gf_sink *sink, struct gf_error *error)
{
    struct kafka_sink *const self = kafka_sink_of(sink);
    assert(self->state != SINK_BROKEN);
    return self->state == SINK_OPEN ? transaction_abort(self, error) : GF_OK;
}

static void
sink_close(struct gf_sink *sink)
{
    if (sink == NULL) {
        return;
    }
    struct kafka_sink *const self = kafka_sink_of(sink);
    if (self->state == SINK_OPEN) {
        /* Only a courtesy to readers, so not for longer than the watchdog may wait: what stays open
         * is ended by the next open, or by the broker's timeout. */
        const int request_ms = gf_kafka_timeout_ms(self->config->kafka);
        rd_kafka_error_t *const failure =
            rd_kafka_abort_transaction(self->producer.client.handle,
                                       request_ms < CALL_TIMEOUT_MS ? request_ms : CALL_TIMEOUT_MS);
        if (failure != NULL) {
            rd_kafka_error_destroy(failure);
        }
    }
    if (self->group != NULL) {
        rd_kafka_consumer_group_metadata_destroy(self->group);
    }
    gf_kafka_producer_close(&self->producer);
    free(self);
}

static const struct gf_sink_ops kafka_sink_ops = {
    .name = "kafka",
    .begin = sink_begin,
    .append = sink_append,
    .flush = sink_flush,
    .send_offsets = sink_send_offsets,
    .commit = sink_commit,
    .abort = sink_abort,
    .close = sink_close,
};

enum gf_rc
gf_kafka_sink_open(const struct gf_kafka_sink_config *config, struct gf_sink **out,
                   struct gf_error *error)
{
    assert(config->transactional_id != NULL);
    assert(config->schema_ids != NULL);
    struct kafka_sink *const self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory for a Kafka sink");
    }
    self->sink.ops = &kafka_sink_ops;
    self->config = config;
    if (config->group != NULL) {
        self->group = rd_kafka_consumer_group_metadata_new(config->group);
    }
    const enum gf_rc rc = producer_open(self, error);
    if (rc != GF_OK) {
        sink_close(&self->sink);
        return rc;
    }
    *out = &self->sink;
    return GF_OK;
}

enum gf_rc
gf_kafka_fence(const struct gf_kafka_config *kafka, const char *transactional_id,
               struct gf_error *error)
{
    static const uint32_t nothing[GF_TOPIC_COUNT];
    const struct gf_kafka_sink_config config = {
        .kafka = kafka, .transactional_id = transactional_id, .schema_ids = nothing};
    struct gf_sink *sink = NULL;
    const enum gf_rc rc = gf_kafka_sink_open(&config, &sink, error);
    if (rc == GF_OK) {
        sink->ops->close(sink);
    }
    return rc;
}
