#include "memory_log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/stage.h"

#define CALL_COUNT 4

struct memory_partition {
    struct gf_record **records; /* one block of memory each, so that views stay where they are */
    uint32_t count, capacity;
    int64_t first, next;
};

struct memory_fault {
    uint32_t calls, at; /* fails when `calls` gets to `at`; 0: never */
    enum gf_rc rc;
    bool is_applied;
};

struct gf_memory_log {
    struct memory_partition *partitions[GF_TOPIC_COUNT];
    uint32_t counts[GF_TOPIC_COUNT];
    struct memory_fault faults[CALL_COUNT];
    uint32_t sink_epoch;
};

struct memory_source {
    struct gf_source base;
    struct gf_memory_log *log;
};

struct memory_sink {
    struct gf_sink base;
    struct gf_memory_log *log;
    uint32_t epoch;
    bool is_begun;
    struct gf_record **pending; /* offset not yet given */
    uint32_t pending_count, pending_capacity;
};

static void *
take(size_t size)
{
    void *memory = calloc(1, size == 0 ? 1 : size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void
list_add(struct gf_record ***list, uint32_t *count, uint32_t *capacity, struct gf_record *record)
{
    if (*count == *capacity) {
        *capacity = *capacity == 0 ? 16 : *capacity * 2;
        *list = realloc(*list, *capacity * sizeof **list);
        if (*list == NULL) {
            abort();
        }
    }
    (*list)[(*count)++] = record;
}

static struct gf_span
span_copy(uint8_t **at, struct gf_span span)
{
    if (span.data == NULL) {
        return span;
    }
    uint8_t *start = *at;
    memcpy(start, span.data, span.size);
    *at += span.size;
    return gf_span_of(start, span.size);
}

/* Record, headers and bytes in one block. */
static struct gf_record *
record_copy(const struct gf_record *record)
{
    size_t size = sizeof *record + record->header_count * sizeof(struct gf_header) +
                  record->key.size + record->value.size;
    for (uint32_t i = 0; i < record->header_count; i++) {
        size += (size_t)record->headers[i].name.size + record->headers[i].value.size;
    }
    struct gf_record *copy = take(size);
    struct gf_header *headers = (struct gf_header *)(copy + 1);
    uint8_t *at = (uint8_t *)(headers + record->header_count);
    *copy = *record;
    copy->key = span_copy(&at, record->key);
    copy->value = span_copy(&at, record->value);
    copy->headers = record->header_count == 0 ? NULL : headers;
    for (uint32_t i = 0; i < record->header_count; i++) {
        headers[i].name = span_copy(&at, record->headers[i].name);
        headers[i].value = span_copy(&at, record->headers[i].value);
    }
    return copy;
}

struct gf_memory_log *
gf_memory_log_new(uint32_t partitions, uint32_t stages)
{
    struct gf_memory_log *log = take(sizeof *log);
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        log->counts[topic] = gf_stages_partitions(stages, (enum gf_topic)topic, partitions);
        log->partitions[topic] = take(log->counts[topic] * sizeof *log->partitions[topic]);
    }
    return log;
}

static struct memory_partition *
partition_get(const struct gf_memory_log *log, enum gf_topic topic, uint32_t partition)
{
    return partition < log->counts[topic] ? &log->partitions[topic][partition] : NULL;
}

void
gf_memory_log_free(struct gf_memory_log *log)
{
    for (int topic = 0; log != NULL && topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t i = 0; i < log->counts[topic]; i++) {
            struct memory_partition *partition = &log->partitions[topic][i];
            for (uint32_t j = 0; j < partition->count; j++) {
                free(partition->records[j]);
            }
            free(partition->records);
        }
        free(log->partitions[topic]);
    }
    free(log);
}

static int64_t
record_place(struct gf_memory_log *log, struct gf_record *record)
{
    struct memory_partition *partition =
        partition_get(log, (enum gf_topic)record->topic, record->partition);
    assert(partition != NULL);
    record->offset = record->offset < 0 ? partition->next : record->offset;
    assert(record->offset >= partition->next);
    partition->next = record->offset + 1;
    list_add(&partition->records, &partition->count, &partition->capacity, record);
    return record->offset;
}

int64_t
gf_memory_log_add(struct gf_memory_log *log, const struct gf_record *record)
{
    return record_place(log, record_copy(record));
}

const struct gf_record *
gf_memory_log_get(const struct gf_memory_log *log, enum gf_topic topic, uint32_t partition,
                  uint32_t index)
{
    const struct memory_partition *entry = partition_get(log, topic, partition);
    return entry == NULL || index >= entry->count ? NULL : entry->records[index];
}

uint32_t
gf_memory_log_count(const struct gf_memory_log *log, enum gf_topic topic, uint32_t partition)
{
    const struct memory_partition *entry = partition_get(log, topic, partition);
    return entry == NULL ? 0 : entry->count;
}

/* The index of the first record at or after `offset`. */
static uint32_t
index_find(const struct memory_partition *partition, int64_t offset)
{
    uint32_t low = 0, high = partition->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (partition->records[middle]->offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void
gf_memory_log_trim(struct gf_memory_log *log, enum gf_topic topic, uint32_t number, int64_t offset)
{
    struct memory_partition *partition = partition_get(log, topic, number);
    assert(partition != NULL && offset <= partition->next);
    const uint32_t count = index_find(partition, offset);
    for (uint32_t i = 0; i < count; i++) {
        free(partition->records[i]);
    }
    if (count > 0) {
        memmove(partition->records, partition->records + count,
                (partition->count - count) * sizeof(struct gf_record *));
    }
    partition->count -= count;
    partition->first = offset > partition->first ? offset : partition->first;
}

void
gf_memory_log_fail(struct gf_memory_log *log, enum gf_memory_call call, uint32_t nth, enum gf_rc rc,
                   bool is_applied)
{
    assert(nth > 0 && rc != GF_OK);
    assert(!is_applied || call == GF_MEMORY_COMMIT);
    struct memory_fault *fault = &log->faults[call];
    fault->at = fault->calls + nth;
    fault->rc = rc;
    fault->is_applied = is_applied;
}

uint32_t
gf_memory_log_calls(const struct gf_memory_log *log, enum gf_memory_call call)
{
    return log->faults[call].calls;
}

/* Counts a call; what it must return, or GF_OK. */
static enum gf_rc
call_count(struct gf_memory_log *log, enum gf_memory_call call, struct gf_error *error)
{
    struct memory_fault *fault = &log->faults[call];
    if (++fault->calls != fault->at) {
        return GF_OK;
    }
    return gf_fail(error, fault->rc, "fault set by the test, at call %u", fault->at);
}

static struct gf_memory_log *
source_log(struct gf_source *source)
{
    return ((struct memory_source *)source)->log;
}

static enum gf_rc
source_find(struct gf_source *source, enum gf_topic topic, uint32_t number,
            struct memory_partition **out, struct gf_error *error)
{
    *out = partition_get(source_log(source), topic, number);
    return *out != NULL ? GF_OK
                        : gf_fail(error, GF_E_NOT_FOUND, "%s: no partition %u",
                                  gf_topics[topic].name, number);
}

static enum gf_rc
source_partitions(struct gf_source *source, enum gf_topic topic, uint32_t *count_out,
                  struct gf_error *error)
{
    (void)error;
    *count_out = source_log(source)->counts[topic];
    return GF_OK;
}

static enum gf_rc
source_ends(struct gf_source *source, enum gf_topic topic, uint32_t number, int64_t *first_out,
            int64_t *end_out, struct gf_error *error)
{
    struct memory_partition *partition = NULL;
    const enum gf_rc rc = source_find(source, topic, number, &partition, error);
    if (rc == GF_OK) {
        *first_out = partition->first;
        *end_out = partition->next;
    }
    return rc;
}

static enum gf_rc
source_offset_at(struct gf_source *source, enum gf_topic topic, uint32_t number,
                 struct gf_time time, int64_t *offset_out, struct gf_error *error)
{
    struct memory_partition *partition = NULL;
    const enum gf_rc rc = source_find(source, topic, number, &partition, error);
    if (rc != GF_OK) {
        return rc;
    }
    uint32_t index = 0;
    while (index < partition->count && partition->records[index]->timestamp.us < time.us) {
        index++;
    }
    *offset_out = index < partition->count ? partition->records[index]->offset : partition->next;
    return GF_OK;
}

static enum gf_rc
source_read(struct gf_source *source, uint32_t reader, enum gf_topic topic, uint32_t number,
            int64_t offset, int64_t end, struct gf_duration wait, struct gf_record *records_out,
            uint32_t count_max, uint32_t *count_out, int64_t *next_out, struct gf_error *error)
{
    (void)reader, (void)wait;
    struct memory_partition *partition = NULL;
    enum gf_rc rc = source_find(source, topic, number, &partition, error);
    if (rc != GF_OK || (rc = call_count(source_log(source), GF_MEMORY_READ, error)) != GF_OK) {
        return rc;
    }
    if (offset < partition->first) {
        return gf_fail(error, GF_E_LOST, "%s/%u: offset %lld is wanted, but the log starts at %lld",
                       gf_topics[topic].name, number, (long long)offset,
                       (long long)partition->first);
    }
    end = end < partition->next ? end : partition->next;
    uint32_t count = 0;
    for (uint32_t i = index_find(partition, offset);
         i < partition->count && count < count_max && partition->records[i]->offset < end; i++) {
        records_out[count++] = *partition->records[i];
    }
    *count_out = count;
    *next_out = offset >= end || count_max == 0 ? offset
                : count < count_max             ? end
                                                : records_out[count - 1].offset + 1;
    return GF_OK;
}

static void
source_release(struct gf_source *source, uint32_t reader, enum gf_topic topic, uint32_t partition,
               int64_t offset)
{
    (void)source;
    (void)reader;
    (void)topic;
    (void)partition;
    (void)offset;
}

static void
source_close(struct gf_source *source)
{
    free(source);
}

static const struct gf_source_ops source_ops = {
    .name = "memory",
    .partitions = source_partitions,
    .ends = source_ends,
    .offset_at = source_offset_at,
    .read = source_read,
    .release = source_release,
    .close = source_close,
};

struct gf_source *
gf_memory_source_open(struct gf_memory_log *log)
{
    struct memory_source *source = take(sizeof *source);
    *source = (struct memory_source){.base = {&source_ops}, .log = log};
    return &source->base;
}

static struct memory_sink *
sink_of(struct gf_sink *sink)
{
    return (struct memory_sink *)sink;
}

static enum gf_rc
fence_check(const struct memory_sink *sink, struct gf_error *error)
{
    return sink->epoch == sink->log->sink_epoch
               ? GF_OK
               : gf_fail(error, GF_E_FENCED, "another sink of this log has opened");
}

static void
pending_drop(struct memory_sink *sink)
{
    for (uint32_t i = 0; i < sink->pending_count; i++) {
        free(sink->pending[i]);
    }
    sink->pending_count = 0;
    sink->is_begun = false;
}

static enum gf_rc
sink_begin(struct gf_sink *base, struct gf_error *error)
{
    struct memory_sink *sink = sink_of(base);
    assert(!sink->is_begun);
    enum gf_rc rc = fence_check(sink, error);
    if (rc == GF_OK && (rc = call_count(sink->log, GF_MEMORY_BEGIN, error)) == GF_OK) {
        sink->is_begun = true;
    }
    return rc;
}

static enum gf_rc
sink_append(struct gf_sink *base, const struct gf_output *output, struct gf_error *error)
{
    struct memory_sink *sink = sink_of(base);
    assert(sink->is_begun);
    enum gf_rc rc = fence_check(sink, error);
    if (rc != GF_OK || (rc = call_count(sink->log, GF_MEMORY_APPEND, error)) != GF_OK) {
        return rc;
    }
    if (output->partition >= sink->log->counts[output->topic]) {
        return gf_fail(error, GF_E_NOT_FOUND, "%s: no partition %u", gf_topics[output->topic].name,
                       output->partition);
    }
    const struct gf_record record = {
        .topic = (int32_t)output->topic,
        .partition = output->partition,
        .offset = -1,
        .timestamp = output->timestamp,
        .has_key = output->key.data != NULL,
        .has_value = true,
        .key = output->key,
        .schema_id = gf_topics[output->topic].schema_id,
        .value = output->body,
        .headers = output->headers,
        .header_count = output->header_count,
    };
    list_add(&sink->pending, &sink->pending_count, &sink->pending_capacity, record_copy(&record));
    return GF_OK;
}

static enum gf_rc
sink_commit(struct gf_sink *base, struct gf_error *error)
{
    struct memory_sink *sink = sink_of(base);
    assert(sink->is_begun);
    enum gf_rc rc = fence_check(sink, error);
    if (rc != GF_OK) {
        return rc;
    }
    rc = call_count(sink->log, GF_MEMORY_COMMIT, error);
    if (rc == GF_OK || sink->log->faults[GF_MEMORY_COMMIT].is_applied) {
        for (uint32_t i = 0; i < sink->pending_count; i++) {
            record_place(sink->log, sink->pending[i]);
        }
        sink->pending_count = 0;
    }
    /* A commit that was refused keeps its transaction open: the caller aborts. One of unknown
     * outcome does not. */
    if (rc == GF_OK || rc == GF_E_UNKNOWN_OUTCOME) {
        pending_drop(sink);
    }
    return rc;
}

static enum gf_rc
sink_abort(struct gf_sink *base, struct gf_error *error)
{
    struct memory_sink *sink = sink_of(base);
    pending_drop(sink);
    return fence_check(sink, error);
}

static void
sink_close(struct gf_sink *base)
{
    if (base != NULL) {
        struct memory_sink *sink = sink_of(base);
        pending_drop(sink);
        free(sink->pending);
        free(sink);
    }
}

static const struct gf_sink_ops sink_ops = {
    .name = "memory",
    .begin = sink_begin,
    .append = sink_append,
    .commit = sink_commit,
    .abort = sink_abort,
    .close = sink_close,
};

struct gf_sink *
gf_memory_sink_open(struct gf_memory_log *log)
{
    struct memory_sink *sink = take(sizeof *sink);
    *sink = (struct memory_sink){.base = {&sink_ops}, .log = log, .epoch = ++log->sink_epoch};
    return &sink->base;
}
