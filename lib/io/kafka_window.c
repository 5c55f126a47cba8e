#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "io/kafka_window.h"

#define CHUNK_SIZE   (256 * 1024)
#define CAPACITY_MIN 256

struct gf_kafka_slot {
    struct gf_record record;
    rd_kafka_message_t *message; /* NULL in a keeping window */
    struct gf_header *headers;   /* NULL in a keeping window, or without headers */
};

struct gf_kafka_chunk {
    struct gf_kafka_chunk *next;
    size_t size, used;
    uint8_t data[];
};

void
gf_kafka_window_init(struct gf_kafka_window *window, int32_t topic, uint32_t partition,
                     bool is_keeping)
{
    *window =
        (struct gf_kafka_window){.topic = topic, .partition = partition, .is_keeping = is_keeping};
}

static void
slot_drop(struct gf_kafka_slot *slot)
{
    free(slot->headers);
    if (slot->message != NULL) {
        rd_kafka_message_destroy(slot->message);
    }
}

void
gf_kafka_window_start(struct gf_kafka_window *window, int64_t offset)
{
    assert(offset >= 0);
    for (uint32_t index = window->head; index < window->tail; index++) {
        slot_drop(&window->slots[index]);
    }
    while (window->chunk != NULL) {
        struct gf_kafka_chunk *const chunk = window->chunk;
        window->chunk = chunk->next;
        free(chunk);
    }
    window->head = 0;
    window->tail = 0;
    window->from = offset;
    window->to = offset;
}

void
gf_kafka_window_fini(struct gf_kafka_window *window)
{
    gf_kafka_window_start(window, 0);
    free(window->slots);
    window->slots = NULL;
    window->capacity = 0;
}

/* Memory that lives as long as a keeping window; NULL when there is none. */
static void *
chunk_take(struct gf_kafka_window *window, size_t size)
{
    const size_t need = (size + 7) & ~(size_t)7;
    struct gf_kafka_chunk *chunk = window->chunk;
    if (chunk == NULL || need > chunk->size - chunk->used) {
        const size_t chunk_size = need > CHUNK_SIZE ? need : CHUNK_SIZE;
        chunk = malloc(sizeof(*chunk) + chunk_size);
        if (chunk == NULL) {
            return NULL;
        }
        *chunk = (struct gf_kafka_chunk){.next = window->chunk, .size = chunk_size};
        window->chunk = chunk;
    }
    void *const data = chunk->data + chunk->used;
    chunk->used += need;
    return data;
}

static bool
span_keep(struct gf_kafka_window *window, struct gf_span *span)
{
    if (span->size == 0) {
        *span = (struct gf_span){0};
        return true;
    }
    uint8_t *const copy = chunk_take(window, span->size);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, span->data, span->size);
    span->data = copy;
    return true;
}

static bool
record_keep(struct gf_kafka_window *window, struct gf_record *record,
            const struct gf_header *headers)
{
    if (!span_keep(window, &record->key) || !span_keep(window, &record->value)) {
        return false;
    }
    if (record->header_count == 0) {
        return true;
    }
    struct gf_header *const copies = chunk_take(window, record->header_count * sizeof(*copies));
    if (copies == NULL) {
        return false;
    }
    for (uint32_t index = 0; index < record->header_count; index++) {
        copies[index] = headers[index];
        if (!span_keep(window, &copies[index].name) || !span_keep(window, &copies[index].value)) {
            return false;
        }
    }
    record->headers = copies;
    return true;
}

static bool
window_grow(struct gf_kafka_window *window)
{
    if (window->tail < window->capacity) {
        return true;
    }
    const uint32_t held = window->tail - window->head;
    if (window->head >= window->capacity / 2 && window->head > 0) {
        memmove(window->slots, window->slots + window->head, held * sizeof(*window->slots));
        window->head = 0;
        window->tail = held;
        return true;
    }
    const uint32_t capacity = window->capacity == 0 ? CAPACITY_MIN : window->capacity * 2;
    struct gf_kafka_slot *const slots = realloc(window->slots, capacity * sizeof(*slots));
    if (slots == NULL || capacity < window->capacity) {
        return false;
    }
    window->slots = slots;
    window->capacity = capacity;
    return true;
}

/* Views of the message's headers in an array of ours. */
static bool
message_headers(const rd_kafka_message_t *message, struct gf_header **headers_out,
                uint32_t *count_out)
{
    rd_kafka_headers_t *list = NULL;
    *headers_out = NULL;
    *count_out = 0;
    if (rd_kafka_message_headers(message, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return true;
    }
    const size_t count = rd_kafka_header_cnt(list);
    if (count == 0) {
        return true;
    }
    struct gf_header *const headers = calloc(count, sizeof(*headers));
    if (headers == NULL) {
        return false;
    }
    for (size_t index = 0; index < count; index++) {
        const char *name = NULL;
        const void *value = NULL;
        size_t size = 0;
        if (rd_kafka_header_get_all(list, index, &name, &value, &size) ==
            RD_KAFKA_RESP_ERR_NO_ERROR) {
            headers[index] =
                (struct gf_header){.name = gf_span_text(name), .value = gf_span_of(value, size)};
        }
    }
    *headers_out = headers;
    *count_out = (uint32_t)count;
    return true;
}

static struct gf_time
message_time(const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const int64_t time_ms = rd_kafka_message_timestamp(message, &type);
    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || time_ms < 0 || time_ms > INT64_MAX / 1000) {
        return GF_TIME_NONE;
    }
    return (struct gf_time){time_ms * 1000};
}

static bool
slot_fill(struct gf_kafka_window *window, struct gf_kafka_slot *slot, rd_kafka_message_t *message)
{
    struct gf_header *headers = NULL;
    uint32_t header_count = 0;
    if (!message_headers(message, &headers, &header_count)) {
        return false;
    }
    *slot = (struct gf_kafka_slot){
        .record = {.topic = window->topic,
                   .partition = window->partition,
                   .offset = message->offset,
                   .timestamp = message_time(message),
                   .has_key = message->key != NULL,
                   .has_value = message->payload != NULL,
                   .key = gf_span_of(message->key, message->key_len),
                   .is_framed = true,
                   .value = gf_span_of(message->payload, message->len),
                   .headers = headers,
                   .header_count = header_count},
        .message = message,
        .headers = headers,
    };
    if (!window->is_keeping) {
        return true;
    }
    slot->message = NULL;
    slot->headers = NULL;
    const bool is_kept = record_keep(window, &slot->record, headers);
    free(headers);
    if (is_kept) {
        rd_kafka_message_destroy(message);
    }
    return is_kept;
}

enum gf_rc
gf_kafka_window_add(struct gf_kafka_window *window, rd_kafka_message_t *message,
                    struct gf_error *error)
{
    assert(message != NULL);
    assert(message->err == RD_KAFKA_RESP_ERR_NO_ERROR);
    if (message->offset < window->to) {
        rd_kafka_message_destroy(message);
        return GF_OK;
    }
    const int64_t offset = message->offset;
    if (!window_grow(window) || !slot_fill(window, &window->slots[window->tail], message)) {
        rd_kafka_message_destroy(message);
        return gf_fail(error, GF_E_NO_MEMORY, "no memory for records of partition %u",
                       window->partition);
    }
    window->tail++;
    window->to = offset + 1;
    return GF_OK;
}

void
gf_kafka_window_reach(struct gf_kafka_window *window, int64_t offset)
{
    if (offset > window->to) {
        window->to = offset;
    }
}

/* Index of the first slot at or after `offset`. */
static uint32_t
slot_search(const struct gf_kafka_window *window, int64_t offset)
{
    uint32_t low = window->head, high = window->tail;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (window->slots[middle].record.offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t
gf_kafka_window_left(const struct gf_kafka_window *window, int64_t offset)
{
    return window->tail - slot_search(window, offset);
}

uint32_t
gf_kafka_window_take(const struct gf_kafka_window *window, int64_t offset, int64_t end,
                     struct gf_record *records_out, uint32_t count_max, int64_t *next_out)
{
    assert(offset >= window->from);
    uint32_t index = slot_search(window, offset);
    uint32_t count = 0;
    while (count < count_max && index < window->tail && window->slots[index].record.offset < end) {
        records_out[count++] = window->slots[index++].record;
    }
    /* The next record, or all that has been read, tells that nothing lies in between. */
    int64_t next = index < window->tail ? window->slots[index].record.offset : window->to;
    next = next < end ? next : end;
    *next_out = next > offset ? next : offset;
    return count;
}

void
gf_kafka_window_release(struct gf_kafka_window *window, int64_t offset)
{
    if (window->is_keeping || offset <= window->from) {
        return;
    }
    window->from = offset < window->to ? offset : window->to;
    while (window->head < window->tail &&
           window->slots[window->head].record.offset < window->from) {
        slot_drop(&window->slots[window->head++]);
    }
    if (window->head == window->tail) {
        window->head = 0;
        window->tail = 0;
    }
}
