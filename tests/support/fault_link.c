#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault_link.h"

#define FRAME_SIZE_MAX (256 * 1024 * 1024)

static void
memory_is_out(void)
{
    fprintf(stderr, "fault proxy: no memory\n");
    exit(1);
}

static int
number_at(const unsigned char *bytes, size_t size)
{
    uint32_t number = 0;
    for (size_t index = 0; index < size; index++) {
        number = number << 8 | bytes[index];
    }
    return size == 2 ? (int16_t)number : (int32_t)number;
}

static void
hit(struct fault_state *state, int rule)
{
    state->rules.entries[rule].hits++;
    state->has_hit = true;
}

/* -- Streams -- */

static void
stream_push(struct fault_stream *stream, const unsigned char *data, size_t size, int hold)
{
    if (stream->is_done) {
        return;
    }
    struct fault_frame *const frame = malloc(sizeof(*frame));
    unsigned char *const copy = malloc(size);
    if (frame == NULL || copy == NULL) {
        memory_is_out();
    }
    memcpy(copy, data, size);
    *frame = (struct fault_frame){.size = size, .hold = hold, .data = copy};
    if (stream->last == NULL) {
        stream->first = frame;
    } else {
        stream->last->next = frame;
    }
    stream->last = frame;
    stream->queued += size;
}

static void
stream_pop(struct fault_stream *stream)
{
    struct fault_frame *const frame = stream->first;
    stream->first = frame->next;
    if (stream->first == NULL) {
        stream->last = NULL;
    }
    stream->queued -= frame->size;
    stream->sent = 0;
    free(frame->data);
    free(frame);
}

/* Nothing goes out that way any more. What comes in is read on, and dropped. */
static void
stream_discard(struct fault_stream *stream)
{
    while (stream->first != NULL) {
        stream_pop(stream);
    }
    stream->is_done = true;
}

/* -- Connections -- */

static void
socket_close(int *descriptor)
{
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

/* The client sees its connection close at once. What it sent before that still goes on. */
static void
link_close_client(struct fault_link *link)
{
    socket_close(&link->client);
    stream_discard(&link->streams[FAULT_TO_CLIENT]);
    link->streams[FAULT_TO_NODE].has_ended = true;
}

void
fault_link_close(struct fault_link *link)
{
    link_close_client(link);
    socket_close(&link->broker);
    stream_discard(&link->streams[FAULT_TO_NODE]);
    link->streams[FAULT_TO_CLIENT].has_ended = true;
    for (int way = 0; way < FAULT_WAY_COUNT; way++) {
        free(link->streams[way].part);
        link->streams[way].part = NULL;
    }
    while (link->first != NULL) {
        struct fault_pending *const pending = link->first;
        link->first = pending->next;
        free(pending);
    }
    link->last = NULL;
}

static void
pending_push(struct fault_link *link, int correlation, int rule, bool is_second)
{
    struct fault_pending *const pending = malloc(sizeof(*pending));
    if (pending == NULL) {
        memory_is_out();
    }
    *pending =
        (struct fault_pending){.correlation = correlation, .rule = rule, .is_second = is_second};
    if (link->last == NULL) {
        link->first = pending;
    } else {
        link->last->next = pending;
    }
    link->last = pending;
}

/* Replies come in the order of their requests; one without a reply (acks=0) is passed over. */
static struct fault_pending
pending_pop(struct fault_link *link, int correlation)
{
    struct fault_pending found = {.rule = FAULT_NONE, .correlation = correlation + 1};
    while (link->first != NULL && found.correlation != correlation) {
        struct fault_pending *const pending = link->first;
        link->first = pending->next;
        if (link->first == NULL) {
            link->last = NULL;
        }
        found = *pending;
        free(pending);
    }
    if (found.correlation != correlation) {
        found.rule = FAULT_NONE;
        found.is_second = false;
    }
    return found;
}

static void
request_arrived(struct fault_state *state, struct fault_link *link, const unsigned char *data,
                size_t size)
{
    struct fault_stream *const stream = &link->streams[FAULT_TO_NODE];
    if (size < 14) { /* no request of Kafka's: for the node to refuse */
        stream_push(stream, data, size, FAULT_NONE);
        return;
    }
    const int api = number_at(data + 4, 2), correlation = number_at(data + 8, 4);
    const int length = number_at(data + 12, 2);
    if (length >= 0 && length < FAULT_CLIENT_ID_MAX && 14 + (size_t)length <= size) {
        memcpy(link->client_id, data + 14, (size_t)length);
        link->client_id[length] = '\0';
    }
    if (api >= 0 && api < FAULT_APIS_MAX) {
        state->seen[link->node][api]++;
    }
    const int rule = fault_rules_fire(&state->rules, api, link->node, link->client_id);
    /* FAULT_CUT stands for none here: no request has it. */
    const enum fault_kind kind =
        rule == FAULT_NONE ? FAULT_CUT : state->rules.entries[rule].rule.kind;
    if (kind == FAULT_CLOSE_BEFORE || kind == FAULT_SWALLOW_REQUEST) {
        hit(state, rule);
        if (kind == FAULT_CLOSE_BEFORE) {
            link_close_client(link);
        }
        return;
    }
    if (kind == FAULT_HOLD_REQUEST) {
        hit(state, rule);
    }
    stream_push(stream, data, size, kind == FAULT_HOLD_REQUEST ? rule : FAULT_NONE);
    pending_push(link, correlation, rule, false);
    if (kind == FAULT_DUPLICATE) {
        stream_push(stream, data, size, FAULT_NONE);
        pending_push(link, correlation, rule, true);
    }
}

static void
reply_arrived(struct fault_state *state, struct fault_link *link, const unsigned char *data,
              size_t size)
{
    const struct fault_pending pending = size < 8 ? (struct fault_pending){.rule = FAULT_NONE}
                                                  : pending_pop(link, number_at(data + 4, 4));
    if (pending.is_second) {
        hit(state, pending.rule);
        return;
    }
    int hold = FAULT_NONE;
    if (fault_rules_is_on(&state->rules, pending.rule)) {
        const enum fault_kind kind = state->rules.entries[pending.rule].rule.kind;
        if (kind == FAULT_CLOSE_AFTER || kind == FAULT_SWALLOW_REPLY || kind == FAULT_HOLD_REPLY) {
            hit(state, pending.rule);
        }
        if (kind == FAULT_CLOSE_AFTER) {
            link_close_client(link);
        }
        if (kind == FAULT_CLOSE_AFTER || kind == FAULT_SWALLOW_REPLY) {
            return;
        }
        hold = kind == FAULT_HOLD_REPLY ? pending.rule : FAULT_NONE;
    }
    stream_push(&link->streams[FAULT_TO_CLIENT], data, size, hold);
}

void
fault_link_read(struct fault_state *state, struct fault_link *link, enum fault_way way)
{
    struct fault_stream *const stream = &link->streams[way];
    const int from = way == FAULT_TO_NODE ? link->client : link->broker;
    while (!stream->has_ended && stream->queued < FAULT_QUEUE_SIZE_MAX) {
        const bool is_head = stream->part == NULL;
        unsigned char *const to =
            is_head ? stream->head + stream->head_count : stream->part + stream->part_count;
        const size_t room =
            is_head ? 4 - stream->head_count : stream->part_size - stream->part_count;
        const ssize_t count = recv(from, to, room, MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (count <= 0) {
            stream->has_ended = true;
            return;
        }
        if (is_head) {
            stream->head_count += (size_t)count;
            if (stream->head_count < 4) {
                continue;
            }
            const int length = number_at(stream->head, 4);
            if (length < 1 || length > FRAME_SIZE_MAX) {
                fault_link_close(link);
                return;
            }
            stream->head_count = 0;
            stream->part_size = 4 + (size_t)length;
            stream->part_count = 4;
            stream->part = malloc(stream->part_size);
            if (stream->part == NULL) {
                memory_is_out();
            }
            memcpy(stream->part, stream->head, 4);
            continue;
        }
        stream->part_count += (size_t)count;
        if (stream->part_count == stream->part_size) {
            unsigned char *const data = stream->part;
            stream->part = NULL;
            (way == FAULT_TO_NODE ? request_arrived : reply_arrived)(state, link, data,
                                                                     stream->part_size);
            free(data);
        }
    }
}

bool
fault_link_can_write(const struct fault_state *state, const struct fault_link *link,
                     enum fault_way way)
{
    const struct fault_stream *const stream = &link->streams[way];
    return !stream->is_done && (stream->first != NULL || stream->has_ended) &&
           (stream->first == NULL || !fault_rules_is_on(&state->rules, stream->first->hold)) &&
           fault_rules_allow(&state->rules, way, link->node, link->client_id) > 0;
}

void
fault_link_write(struct fault_state *state, struct fault_link *link, enum fault_way way)
{
    struct fault_stream *const stream = &link->streams[way];
    const int to = way == FAULT_TO_NODE ? link->broker : link->client;
    while (fault_link_can_write(state, link, way)) {
        const struct fault_frame *const frame = stream->first;
        if (frame == NULL) { /* it has ended: the other side learns it now */
            shutdown(to, SHUT_WR);
            stream->is_done = true;
            return;
        }
        const size_t allowed = fault_rules_allow(&state->rules, way, link->node, link->client_id);
        const size_t left = frame->size - stream->sent;
        const ssize_t count = send(to, frame->data + stream->sent, left < allowed ? left : allowed,
                                   MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (count < 0) {
            stream_discard(stream);
            return;
        }
        fault_rules_spend(&state->rules, link->node, link->client_id, (size_t)count);
        stream->sent += (size_t)count;
        if (stream->sent == frame->size) {
            stream_pop(stream);
        }
    }
}

bool
fault_link_is_over(const struct fault_link *link)
{
    bool is_over = true;
    for (int way = 0; way < FAULT_WAY_COUNT; way++) {
        is_over = is_over && link->streams[way].is_done && link->streams[way].has_ended;
    }
    return is_over;
}
