#include "io/kafka_lending.h"

#include <stdlib.h>

struct gf_kafka_past {
    struct gf_kafka_past *next;
    struct gf_kafka_window window;
};

void
gf_kafka_lending_init(struct gf_kafka_lending *lending, int32_t topic, uint32_t partition,
                      bool is_keeping)
{
    *lending = (struct gf_kafka_lending){.past = NULL};
    gf_kafka_window_init(&lending->window, topic, partition, is_keeping);
}

/* Frees what every reader has passed. */
static void
past_drop(struct gf_kafka_lending *lending, int64_t least)
{
    for (struct gf_kafka_past **at = &lending->past; *at != NULL;) {
        struct gf_kafka_past *const past = *at;
        if (past->window.to <= least) {
            *at = past->next;
            gf_kafka_window_fini(&past->window);
            free(past);
        } else {
            at = &past->next;
        }
    }
}

void
gf_kafka_lending_fini(struct gf_kafka_lending *lending, rd_kafka_topic_t *handle)
{
    gf_kafka_lending_stop(lending, handle);
    gf_kafka_window_fini(&lending->window);
    past_drop(lending, INT64_MAX);
    gf_readers_fini(&lending->readers);
}

enum gf_rc
gf_kafka_lending_read(struct gf_kafka_lending *lending, uint32_t reader, int64_t offset,
                      int64_t *least_out, struct gf_error *error)
{
    const bool is_jump = lending->readers.count <= 1 && offset > lending->window.to;
    const enum gf_rc rc = gf_readers_read(&lending->readers, reader, offset, is_jump, error);
    *least_out = gf_readers_least(&lending->readers);
    return rc;
}

/* Puts the window's records aside if another reader may hold them. */
static enum gf_rc
past_keep(struct gf_kafka_lending *lending, struct gf_error *error)
{
    struct gf_kafka_window *const window = &lending->window;
    if (lending->readers.count < 2 || window->head == window->tail) {
        return GF_OK;
    }
    struct gf_kafka_past *const past = malloc(sizeof(*past));
    if (past == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory for records of partition %u",
                       window->partition);
    }
    *past = (struct gf_kafka_past){.next = lending->past, .window = *window};
    lending->past = past;
    gf_kafka_window_init(window, past->window.topic, past->window.partition, false);
    return GF_OK;
}

void
gf_kafka_lending_stop(struct gf_kafka_lending *lending, rd_kafka_topic_t *handle)
{
    if (lending->queue != NULL) {
        rd_kafka_consume_stop(handle, (int32_t)lending->window.partition);
        rd_kafka_queue_destroy(lending->queue);
        lending->queue = NULL;
    }
}

enum gf_rc
gf_kafka_lending_start(struct gf_kafka_lending *lending, struct gf_kafka_client *client,
                       rd_kafka_topic_t *handle, int64_t offset, struct gf_error *error)
{
    gf_kafka_lending_stop(lending, handle);
    const enum gf_rc rc = past_keep(lending, error);
    if (rc != GF_OK) {
        return rc;
    }
    gf_kafka_window_start(&lending->window, offset);
    rd_kafka_queue_t *const queue = rd_kafka_queue_new(client->handle);
    const int32_t number = (int32_t)lending->window.partition;
    if (rd_kafka_consume_start_queue(handle, number, offset, queue) != 0) {
        const rd_kafka_resp_err_t code = rd_kafka_last_error();
        rd_kafka_queue_destroy(queue);
        return gf_kafka_fail(client, code, error, "%s/%d", rd_kafka_topic_name(handle), number);
    }
    lending->queue = queue;
    return GF_OK;
}

void
gf_kafka_lending_release(struct gf_kafka_lending *lending, rd_kafka_topic_t *handle,
                         uint32_t reader, int64_t offset)
{
    if (lending->window.is_keeping) {
        return;
    }
    gf_readers_release(&lending->readers, reader, offset);
    const int64_t least = gf_readers_least(&lending->readers);
    past_drop(lending, least);
    gf_kafka_window_release(&lending->window, least);
    if (least == INT64_MAX) {
        gf_kafka_lending_stop(lending, handle);
    }
}
