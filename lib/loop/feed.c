#include "loop/feed.h"

#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "codec/stage.h"
#include "loop/decode.h"

/* Decoded values of a batch at most: its bytes (the last value may go over the limit) and the
 * structs themselves. Address space; what is not used is never touched. */
#define ARENA_SIZE                                                                                 \
    ((size_t)GF_DECODE_ARENA_MULTIPLE *                                                            \
         (GF_FEED_BATCH_BYTES_MAX + 2 * (size_t)GF_FEED_VALUE_SIZE_MAX) +                          \
     (GF_BATCH_COUNT_MAX + GF_MERGE_INPUT_COUNT_MAX) * (size_t)GF_RECORD_STRUCT_SIZE_MAX)
/* How long one call of the source may block, and how many in a row may bring nothing before it
 * counts as unreachable. */
#define WAIT_US         (200 * 1000)
#define EMPTY_READS_MAX 150

static size_t
align64(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

size_t
gf_feed_size(uint32_t input_count)
{
    return align64(input_count * sizeof(struct gf_feed_input)) +
           align64((size_t)input_count * GF_FEED_RING_COUNT * sizeof(struct gf_record)) +
           align64(GF_BATCH_COUNT_MAX * sizeof(struct gf_batch_event)) +
           align64((GF_BATCH_COUNT_MAX + (size_t)input_count) * sizeof(struct gf_record)) +
           align64(input_count * sizeof(struct gf_batch_input)) + ARENA_SIZE;
}

/* Partitions that a topic must have; 0 for a reference topic, which may have any number. */
static enum gf_rc
topic_partitions(struct gf_source *source, enum gf_topic topic, uint32_t stages,
                 uint32_t shard_count, uint32_t *count_out, struct gf_error *error)
{
    const enum gf_rc rc = source->ops->partitions(source, topic, count_out, error);
    const uint32_t wanted = gf_stages_partitions(stages, topic, shard_count);
    if (rc == GF_E_NOT_FOUND && gf_topics[topic].is_internal) {
        *count_out = wanted; /* a folder's sink makes it when it opens */
        return GF_OK;
    }
    if (rc == GF_OK && !gf_topics[topic].is_reference && *count_out != wanted) {
        return gf_fail(error, GF_E_CONFIG,
                       "topic %s has %u partitions, and %u are needed: customer topics and the "
                       "journal must have equally many; make a topic with as many partitions and "
                       "copy its records there",
                       gf_topics[topic].name, *count_out, wanted);
    }
    return rc;
}

enum gf_rc
gf_feed_inputs(struct gf_source *source, uint32_t shard, uint32_t shard_count, uint32_t stages,
               struct gf_batch_input *inputs_out, uint32_t *count_out, struct gf_error *error)
{
    uint32_t count = 0;
    const enum gf_stage stage = gf_stage_of(shard, shard_count);
    for (int topic = 0; topic < GF_TOPIC_READ_COUNT; topic++) {
        if (!gf_stage_reads(stages, stage, (enum gf_topic)topic)) {
            continue;
        }
        uint32_t partitions = 0, first = 0;
        const enum gf_rc rc =
            topic_partitions(source, (enum gf_topic)topic, stages, shard_count, &partitions, error);
        if (rc != GF_OK) {
            return rc;
        }
        const uint32_t inputs =
            gf_stage_input((enum gf_topic)topic, shard, shard_count, partitions, &first);
        for (uint32_t i = 0; i < inputs; i++) {
            if (count == GF_MERGE_INPUT_COUNT_MAX) {
                return gf_fail(error, GF_E_CONFIG, "more than %d input partitions for one shard",
                               GF_MERGE_INPUT_COUNT_MAX);
            }
            inputs_out[count++] = (struct gf_batch_input){.topic = topic, .partition = first + i};
        }
    }
    *count_out = count;
    return GF_OK;
}

void
gf_feed_init(struct gf_feed *feed, void *memory, struct gf_source *source,
             const struct gf_lookup *lookup, uint32_t shard, bool is_arrival,
             const struct gf_batch_input *inputs, uint32_t input_count)
{
    uint8_t *at = memory;
    *feed = (struct gf_feed){.source = source,
                             .lookup = *lookup,
                             .is_arrival = is_arrival,
                             .shard = shard,
                             .input_count = input_count};
    feed->inputs = (struct gf_feed_input *)(void *)at;
    at += align64(input_count * sizeof(struct gf_feed_input));
    struct gf_record *rings = (struct gf_record *)(void *)at;
    at += align64((size_t)input_count * GF_FEED_RING_COUNT * sizeof(struct gf_record));
    feed->events = (struct gf_batch_event *)(void *)at;
    at += align64(GF_BATCH_COUNT_MAX * sizeof(struct gf_batch_event));
    feed->records = (struct gf_record *)(void *)at;
    at += align64((GF_BATCH_COUNT_MAX + (size_t)input_count) * sizeof(struct gf_record));
    feed->ranges = (struct gf_batch_input *)(void *)at;
    at += align64(input_count * sizeof(struct gf_batch_input));
    feed->arena = gf_arena_of(at, ARENA_SIZE);
    feed->merge.count = input_count;
    for (uint32_t i = 0; i < input_count; i++) {
        feed->inputs[i] = (struct gf_feed_input){.range = inputs[i],
                                                 .ring = rings + (size_t)i * GF_FEED_RING_COUNT,
                                                 .newest = GF_TIME_NONE};
    }
}

struct gf_feed_input *
gf_feed_find(struct gf_feed *feed, int32_t topic, uint32_t partition)
{
    for (uint32_t i = 0; i < feed->input_count; i++) {
        if (feed->inputs[i].range.topic == topic && feed->inputs[i].range.partition == partition) {
            return &feed->inputs[i];
        }
    }
    return NULL;
}

void
gf_feed_seek(struct gf_feed *feed, struct gf_feed_input *input, int64_t offset, int64_t count)
{
    assert(input >= feed->inputs && input < feed->inputs + feed->input_count);
    if (input->range.to != offset || input->range.count != count) {
        input->ring_first = 0;
        input->ring_count = 0;
        input->read_at = offset;
        input->newest = GF_TIME_NONE;
    }
    input->is_awaited = false;
    input->range.to = offset;
    input->range.from = offset;
    input->range.end = offset;
    input->range.count = count;
    input->has_head = false;
}

/* A position below the first offset that is there shows when it is read. */
static enum gf_rc
freeze_at_once(struct gf_feed *feed, struct gf_error *error)
{
    struct gf_source_place places[GF_MERGE_INPUT_COUNT_MAX];
    int64_t ends[GF_MERGE_INPUT_COUNT_MAX];
    for (uint32_t i = 0; i < feed->input_count; i++) {
        const struct gf_batch_input *range = &feed->inputs[i].range;
        places[i] = (struct gf_source_place){.topic = (enum gf_topic)range->topic,
                                             .partition = range->partition};
    }
    const enum gf_rc rc =
        feed->source->ops->ends_of(feed->source, places, feed->input_count, ends, error);
    for (uint32_t i = 0; rc == GF_OK && i < feed->input_count; i++) {
        struct gf_batch_input *range = &feed->inputs[i].range;
        range->end = ends[i] > range->to ? ends[i] : range->to;
    }
    return rc;
}

enum gf_rc
gf_feed_freeze(struct gf_feed *feed, struct gf_error *error)
{
    if (feed->source->ops->ends_of != NULL) {
        return freeze_at_once(feed, error);
    }
    for (uint32_t i = 0; i < feed->input_count; i++) {
        struct gf_feed_input *input = &feed->inputs[i];
        int64_t first = 0, end = 0;
        const enum gf_rc rc =
            feed->source->ops->ends(feed->source, (enum gf_topic)input->range.topic,
                                    input->range.partition, &first, &end, error);
        if (rc != GF_OK) {
            return rc;
        }
        if (input->range.to < first) {
            return gf_fail(error, GF_E_LOST,
                           "%s partition %u: position is %lld, but the first offset that is still "
                           "there is %lld; "
                           "records between are gone: raise the topic's retention",
                           gf_topics[input->range.topic].name, input->range.partition,
                           (long long)input->range.to, (long long)first);
        }
        input->range.end = end > input->range.to ? end : input->range.to;
    }
    return GF_OK;
}

int64_t
gf_feed_lag(const struct gf_feed *feed)
{
    int64_t lag = 0;
    for (uint32_t i = 0; i < feed->input_count; i++) {
        lag += feed->inputs[i].range.end - feed->inputs[i].range.to;
    }
    return lag;
}

/* Reads until the ring has a record or the input is at its end. */
static enum gf_rc
ring_fill(struct gf_feed *feed, struct gf_feed_input *input, struct gf_error *error)
{
    const struct gf_source_ops *ops = feed->source->ops;
    input->ring_first = 0;
    for (uint32_t empty = 0; input->ring_count == 0 && input->read_at < input->range.end; empty++) {
        int64_t next = input->read_at;
        const enum gf_rc rc = ops->read(
            feed->source, feed->shard, (enum gf_topic)input->range.topic, input->range.partition,
            input->read_at, input->range.end, (struct gf_duration){WAIT_US}, input->ring,
            GF_FEED_RING_COUNT, &input->ring_count, &next, error);
        if (rc != GF_OK) {
            return rc;
        }
        if (next > input->read_at) {
            empty = 0;
        }
        input->read_at = next;
        if (empty == EMPTY_READS_MAX) {
            return gf_fail(error, GF_E_UNAVAILABLE,
                           "%s partition %u: nothing arrives at offset %lld, end is %lld",
                           gf_topics[input->range.topic].name, input->range.partition,
                           (long long)input->read_at, (long long)input->range.end);
        }
    }
    return GF_OK;
}

/* Makes an event of a record, or a refusal. */
static enum gf_rc
head_decode(struct gf_feed *feed, const struct gf_record *record, struct gf_batch_event *item,
            struct gf_error *error)
{
    struct gf_decoded decoded;
    enum gf_rc rc = gf_decode_record(&feed->lookup, record, &feed->arena, &decoded, error);
    if (rc != GF_OK) {
        return rc;
    }
    struct gf_time event_time = {0};
    struct gf_error why;
    why.text[0] = '\0';
    if (decoded.refusal == GF_OK) {
        rc = gf_event_time((enum gf_topic)record->topic, decoded.body, &event_time, &why);
        if (rc != GF_OK) {
            gf_decoded_refuse(&decoded, &feed->arena, rc, why.text);
        } else if (event_time.us - GF_FUTURE_TOLERANCE_US > record->timestamp.us) {
            char dated[GF_TIME_TEXT_SIZE], stamped[GF_TIME_TEXT_SIZE];
            gf_time_print(event_time, dated);
            gf_time_print(record->timestamp, stamped);
            (void)gf_fail(&why, GF_E_FUTURE, "dated %s, more than 10 minutes after its record (%s)",
                          dated, stamped);
            gf_decoded_refuse(&decoded, &feed->arena, GF_E_FUTURE, why.text);
        }
    }
    *item = (struct gf_batch_event){
        .event = {.topic = record->topic,
                  .partition = record->partition,
                  .offset = record->offset,
                  .event_time = event_time,
                  .key = record->has_key ? record->key : (struct gf_span){0},
                  .body = decoded.body,
                  .record = record},
        .refusal = decoded.refusal,
        .reason = decoded.reason};
    return GF_OK;
}

/* Puts the next record of an input at the head of the merge. */
static enum gf_rc
head_next(struct gf_feed *feed, uint32_t index, struct gf_error *error)
{
    struct gf_feed_input *input = &feed->inputs[index];
    if (input->ring_count == 0) {
        const enum gf_rc rc = ring_fill(feed, input, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    if (input->ring_count == 0 || input->ring[input->ring_first].offset >= input->range.end) {
        if (input->ring_count == 0) {
            input->range.to = input->read_at > input->range.to ? input->read_at : input->range.to;
        }
        gf_merge_end(&feed->merge, index);
        return GF_OK;
    }
    const struct gf_record *record = &input->ring[input->ring_first];
    const enum gf_rc rc = head_decode(feed, record, &input->head, error);
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "%s partition %u offset %lld",
                              gf_topics[record->topic].name, record->partition,
                              (long long)record->offset);
    }
    input->has_head = true;
    const bool is_first =
        input->head.refusal != GF_OK || (feed->is_arrival && record->topic == GF_TOPIC_CONTROL);
    gf_merge_set(&feed->merge, index, gf_topics[record->topic].rank, record->partition,
                 record->offset, input->head.event.event_time, is_first);
    return GF_OK;
}

/* Moves the head of an input into the batch. */
static void
head_take(struct gf_feed *feed, struct gf_feed_input *input, uint32_t count)
{
    struct gf_record *record = &feed->records[count];
    *record = input->ring[input->ring_first];
    feed->events[count] = input->head;
    feed->events[count].event.record = record;
    input->ring_first++;
    input->ring_count--;
    input->has_head = false;
    input->range.to = record->offset + 1;
    input->range.count++;
    if (input->head.refusal == GF_OK && input->head.event.event_time.us > input->newest.us) {
        input->newest = input->head.event.event_time;
    }
}

/* An awaited input that is at its end holds the others. */
static struct gf_time
held(const struct gf_feed *feed, uint32_t index, struct gf_time until)
{
    const struct gf_feed_input *input = &feed->inputs[index];
    const bool holds = input->is_awaited && !feed->merge.heads[index].is_there;
    return holds && input->newest.us < until.us ? input->newest : until;
}

/* Asks every input for what is there already, and waits for none: after a start or a take-over all
 * of them are then on their way at once, and the waits that follow are one. */
static enum gf_rc
rings_start(struct gf_feed *feed, struct gf_error *error)
{
    const struct gf_source_ops *ops = feed->source->ops;
    for (uint32_t i = 0; i < feed->input_count; i++) {
        struct gf_feed_input *input = &feed->inputs[i];
        if (input->ring_count > 0 || input->read_at >= input->range.end) {
            continue;
        }
        input->ring_first = 0;
        const enum gf_rc rc = ops->read(
            feed->source, feed->shard, (enum gf_topic)input->range.topic, input->range.partition,
            input->read_at, input->range.end, (struct gf_duration){0}, input->ring,
            GF_FEED_RING_COUNT, &input->ring_count, &input->read_at, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

enum gf_rc
gf_feed_batch(struct gf_feed *feed, uint32_t events_max, struct gf_time until, struct gf_batch *out,
              struct gf_error *error)
{
    assert(events_max <= GF_BATCH_COUNT_MAX);
    gf_arena_reset(&feed->arena, 0);
    enum gf_rc rc = rings_start(feed, error);
    for (uint32_t i = 0; rc == GF_OK && i < feed->input_count; i++) {
        feed->inputs[i].range.from = feed->inputs[i].range.to;
        rc = head_next(feed, i, error);
        until = held(feed, i, until);
    }
    if (rc != GF_OK) {
        return rc;
    }
    uint32_t count = 0;
    uint64_t bytes = 0;
    uint32_t current = gf_merge_next(&feed->merge);
    struct gf_merge_head bound;
    bool is_bounded = current != UINT32_MAX && gf_merge_bound(&feed->merge, current, &bound);
    while (current != UINT32_MAX && count < events_max && bytes < GF_FEED_BATCH_BYTES_MAX &&
           feed->merge.heads[current].time_us <= until.us) {
        struct gf_feed_input *input = &feed->inputs[current];
        bytes += input->ring[input->ring_first].value.size;
        head_take(feed, input, count++);
        rc = head_next(feed, current, error);
        if (rc != GF_OK) {
            return rc;
        }
        const struct gf_merge_head *head = &feed->merge.heads[current];
        if (!head->is_there) {
            until = held(feed, current, until);
        }
        if (!head->is_there || (is_bounded && !gf_merge_is_before(head, &bound))) {
            current = gf_merge_next(&feed->merge);
            is_bounded = current != UINT32_MAX && gf_merge_bound(&feed->merge, current, &bound);
        }
    }
    for (uint32_t i = 0; i < feed->input_count; i++) {
        feed->ranges[i] = feed->inputs[i].range;
    }
    out->events = feed->events;
    out->event_count = count;
    out->inputs = feed->ranges;
    out->input_count = feed->input_count;
    return GF_OK;
}

void
gf_feed_release(struct gf_feed *feed)
{
    for (uint32_t i = 0; i < feed->input_count; i++) {
        const struct gf_batch_input *range = &feed->inputs[i].range;
        if (range->to > range->from) {
            feed->source->ops->release(feed->source, feed->shard, (enum gf_topic)range->topic,
                                       range->partition, range->to);
        }
    }
}
