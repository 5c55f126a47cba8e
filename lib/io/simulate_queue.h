/* What a partition of the simulator has put off: late readings, meter events, bills and payments,
 * by time. */
#ifndef GF_IO_SIMULATE_QUEUE_H
#define GF_IO_SIMULATE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/unit.h"

enum sim_item_kind {
    SIM_ITEM_EVENT,    /* meter event: code, a old end, b new start (EXCHANGE) */
    SIM_ITEM_INVOICE,  /* a amount, b energy, c due time, d estimated energy; since, about: the
                          period */
    SIM_ITEM_PAYMENT,  /* a amount; code: method; part: counts from 1; since: start of the period */
    SIM_ITEM_REVERSAL, /* the same of what is taken back */
    SIM_ITEM_READING,  /* a energy, b status bits; about: start of the interval */
    SIM_ITEM_CONTRACT, /* the second; about: when the meter that it names comes */
};

struct sim_item {
    struct gf_time time;
    uint32_t place; /* of the customer in the table */
    uint8_t kind, code, part, generation;
    struct gf_time about, since;
    int64_t a, b, c, d;
};

struct sim_queue {
    struct sim_item *items; /* a heap */
    uint32_t count, capacity;
};

/* By time, then customer and kind: an order that does not depend on who else there is. Errors:
 * GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc sim_queue_push(struct sim_queue *queue, const struct sim_item *item);
/* The first item; lent until the next push or pop. NULL when there is none. */
static inline const struct sim_item *
sim_queue_first(const struct sim_queue *queue)
{
    return queue->count == 0 ? NULL : queue->items;
}
void sim_queue_pop(struct sim_queue *queue);
void sim_queue_fini(struct sim_queue *queue);

#endif
