#include "io/simulate_queue.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_FIRST 64

static bool
item_before(const struct sim_item *left, const struct sim_item *right)
{
    if (left->time.us != right->time.us) {
        return left->time.us < right->time.us;
    }
    if (left->place != right->place) {
        return left->place < right->place;
    }
    if (left->kind != right->kind) {
        return left->kind < right->kind;
    }
    return left->about.us != right->about.us ? left->about.us < right->about.us
                                             : left->part < right->part;
}

enum gf_rc
sim_queue_push(struct sim_queue *queue, const struct sim_item *item)
{
    if (queue->count == queue->capacity) {
        const uint32_t capacity = queue->capacity == 0 ? CAPACITY_FIRST : queue->capacity * 2;
        struct sim_item *grown = realloc(queue->items, capacity * sizeof *grown);
        if (grown == NULL) {
            return GF_E_NO_MEMORY;
        }
        queue->items = grown;
        queue->capacity = capacity;
    }
    uint32_t at = queue->count++;
    while (at > 0 && item_before(item, &queue->items[(at - 1) / 2])) {
        queue->items[at] = queue->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->items[at] = *item;
    return GF_OK;
}

void
sim_queue_pop(struct sim_queue *queue)
{
    assert(queue->count > 0);
    const struct sim_item last = queue->items[--queue->count];
    uint32_t at = 0;
    for (uint32_t child = 1; child < queue->count; child = 2 * at + 1) {
        if (child + 1 < queue->count &&
            item_before(&queue->items[child + 1], &queue->items[child])) {
            child++;
        }
        if (!item_before(&queue->items[child], &last)) {
            break;
        }
        queue->items[at] = queue->items[child];
        at = child;
    }
    if (queue->count > 0) {
        queue->items[at] = last;
    }
}

void
sim_queue_fini(struct sim_queue *queue)
{
    free(queue->items);
    *queue = (struct sim_queue){.items = NULL};
}
