#include "state/timer.h"

#include <string.h>

#include "state/hot.h"

#define NODE_NONE        UINT32_MAX
#define PACKED_HEAD_SIZE 12 /* due 8, id 1, kind 1, key size 1, reserved 1 */

/* At least one a slice. */
static uint32_t
bucket_count_of(uint32_t capacity)
{
    uint32_t count = GF_SLICE_COUNT;
    while (count < capacity) {
        count *= 2;
    }
    return count;
}

/* By the top bits of the hash: a slice is a run of buckets, so that packing one does not walk over
 * all. */
static uint32_t
bucket_of(const struct gf_timers *timers, uint64_t key_hash)
{
    return (uint32_t)(key_hash >> __builtin_clzll((uint64_t)timers->bucket_mask));
}

static size_t
align64(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

size_t
gf_timers_size(uint32_t capacity)
{
    return align64((size_t)capacity * sizeof(struct gf_timer)) +
           align64((size_t)capacity * sizeof(uint32_t)) +
           align64((size_t)bucket_count_of(capacity) * sizeof(uint32_t));
}

void
gf_timers_init(struct gf_timers *timers, void *memory, uint32_t capacity)
{
    uint8_t *at = memory;
    *timers = (struct gf_timers){.capacity = capacity, .free_head = NODE_NONE};
    timers->nodes = (struct gf_timer *)(void *)at;
    at += align64((size_t)capacity * sizeof(struct gf_timer));
    timers->heap = (uint32_t *)(void *)at;
    at += align64((size_t)capacity * sizeof(uint32_t));
    timers->buckets = (uint32_t *)(void *)at;
    timers->bucket_mask = bucket_count_of(capacity) - 1;
}

void
gf_timers_reset(struct gf_timers *timers)
{
    memset(timers->buckets, 0, ((size_t)timers->bucket_mask + 1) * sizeof(uint32_t));
    timers->count = 0;
    timers->unused = 0;
    timers->free_head = NODE_NONE;
}

int
gf_timer_compare(const struct gf_timer *a, const struct gf_timer *b)
{
    if (a->due.us != b->due.us) {
        return a->due.us < b->due.us ? -1 : 1;
    }
    const int order =
        gf_span_compare(gf_span_of(a->key, a->key_size), gf_span_of(b->key, b->key_size));
    if (order != 0) {
        return order;
    }
    return a->kind != b->kind ? (int)a->kind - (int)b->kind : (int)a->id - (int)b->id;
}

static bool
is_before(const struct gf_timers *timers, uint32_t a, uint32_t b)
{
    return gf_timer_compare(&timers->nodes[a], &timers->nodes[b]) < 0;
}

static void
heap_place(struct gf_timers *timers, uint32_t at, uint32_t node)
{
    timers->heap[at] = node;
    timers->nodes[node].heap_at = at;
}

static void
heap_up(struct gf_timers *timers, uint32_t at, uint32_t node)
{
    while (at > 0 && is_before(timers, node, timers->heap[(at - 1) / 2])) {
        heap_place(timers, at, timers->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_place(timers, at, node);
}

static void
heap_down(struct gf_timers *timers, uint32_t at, uint32_t node)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= timers->count) {
            break;
        }
        if (child + 1 < timers->count &&
            is_before(timers, timers->heap[child + 1], timers->heap[child])) {
            child++;
        }
        if (!is_before(timers, timers->heap[child], node)) {
            break;
        }
        heap_place(timers, at, timers->heap[child]);
        at = child;
    }
    heap_place(timers, at, node);
}

static uint32_t
node_find(const struct gf_timers *timers, enum gf_entity_kind kind, struct gf_span key,
          uint64_t key_hash, uint8_t id)
{
    uint32_t link = timers->buckets[bucket_of(timers, key_hash)];
    while (link != 0) {
        const struct gf_timer *node = &timers->nodes[link - 1];
        if (node->key_hash == key_hash && node->id == id && node->kind == kind &&
            gf_span_equal(gf_span_of(node->key, node->key_size), key)) {
            return link - 1;
        }
        link = node->chain_next;
    }
    return NODE_NONE;
}

enum gf_rc
gf_timers_set(struct gf_timers *timers, enum gf_entity_kind kind, struct gf_span key,
              uint64_t key_hash, uint8_t id, struct gf_time due)
{
    assert(key.size <= GF_ENTITY_KEY_SIZE_MAX);
    uint32_t node = node_find(timers, kind, key, key_hash, id);
    if (node != NODE_NONE) {
        const bool earlier = due.us < timers->nodes[node].due.us;
        timers->nodes[node].due = due;
        if (earlier) {
            heap_up(timers, timers->nodes[node].heap_at, node);
        } else {
            heap_down(timers, timers->nodes[node].heap_at, node);
        }
        return GF_OK;
    }
    if (timers->free_head != NODE_NONE) {
        node = timers->free_head;
        timers->free_head = timers->nodes[node].chain_next;
    } else if (timers->unused < timers->capacity) {
        node = timers->unused++;
    } else {
        return GF_E_FULL;
    }
    uint32_t *bucket = &timers->buckets[bucket_of(timers, key_hash)];
    timers->nodes[node] = (struct gf_timer){.due = due,
                                            .key_hash = key_hash,
                                            .kind = (uint8_t)kind,
                                            .key_size = (uint8_t)key.size,
                                            .id = id,
                                            .chain_next = *bucket};
    memcpy(timers->nodes[node].key, key.data, key.size);
    *bucket = node + 1;
    timers->count++;
    heap_up(timers, timers->count - 1, node);
    return GF_OK;
}

void
gf_timers_clear(struct gf_timers *timers, enum gf_entity_kind kind, struct gf_span key,
                uint64_t key_hash, uint8_t id)
{
    const uint32_t node = node_find(timers, kind, key, key_hash, id);
    if (node == NODE_NONE) {
        return;
    }
    uint32_t *link = &timers->buckets[bucket_of(timers, key_hash)];
    while (*link != node + 1) {
        link = &timers->nodes[*link - 1].chain_next;
    }
    *link = timers->nodes[node].chain_next;

    const uint32_t at = timers->nodes[node].heap_at;
    timers->count--;
    if (at < timers->count) {
        const uint32_t last = timers->heap[timers->count];
        if (at > 0 && is_before(timers, last, timers->heap[(at - 1) / 2])) {
            heap_up(timers, at, last);
        } else {
            heap_down(timers, at, last);
        }
    }
    timers->nodes[node].kind = GF_ENTITY_NONE;
    timers->nodes[node].chain_next = timers->free_head;
    timers->free_head = node;
}

bool
gf_timers_find(const struct gf_timers *timers, enum gf_entity_kind kind, struct gf_span key,
               uint64_t key_hash, uint8_t id, struct gf_time *due_out)
{
    const uint32_t node = node_find(timers, kind, key, key_hash, id);
    if (node == NODE_NONE) {
        return false;
    }
    *due_out = timers->nodes[node].due;
    return true;
}

const struct gf_timer *
gf_timers_first(const struct gf_timers *timers)
{
    return timers->count == 0 ? NULL : &timers->nodes[timers->heap[0]];
}

void
gf_timers_due(const struct gf_timers *timers, struct gf_time before,
              void (*visit)(void *context, const struct gf_timer *timer), void *context)
{
    /* The due ones are a connected top of the heap; walk it in heap order, child by child, without
     * a stack: a node is visited when all of its ancestors are due, which holds for every due node.
     */
    if (timers->count == 0 || timers->nodes[timers->heap[0]].due.us >= before.us) {
        return;
    }
    uint32_t at = 0;
    for (;;) {
        const bool is_due =
            at < timers->count && timers->nodes[timers->heap[at]].due.us < before.us;
        if (is_due) {
            visit(context, &timers->nodes[timers->heap[at]]);
            at = 2 * at + 1; /* down to the left */
            continue;
        }
        while (at % 2 == 0 && at > 0) { /* up from right children */
            at = (at - 1) / 2;
        }
        if (at == 0) {
            return;
        }
        at++; /* over to the right */
    }
}

/* Sorts node indexes by timer order: heap sort, no recursion. */
static void
nodes_sort(const struct gf_timers *timers, uint32_t *nodes, uint32_t count)
{
    for (uint32_t half = count / 2, end = count; end > 1;) {
        uint32_t value;
        if (half > 0) {
            value = nodes[--half];
        } else {
            value = nodes[--end];
            nodes[end] = nodes[0];
        }
        uint32_t at = half;
        for (uint32_t child = 2 * at + 1; child < end; child = 2 * at + 1) {
            if (child + 1 < end && is_before(timers, nodes[child], nodes[child + 1])) {
                child++;
            }
            if (!is_before(timers, value, nodes[child])) {
                break;
            }
            nodes[at] = nodes[child];
            at = child;
        }
        nodes[at] = value;
    }
}

size_t
gf_timers_pack(const struct gf_timers *timers, uint32_t slice, uint32_t *scratch, uint8_t *out,
               size_t size)
{
    uint32_t count = 0;
    size_t need = 0;
    const uint32_t width = (timers->bucket_mask + 1) / GF_SLICE_COUNT;
    for (uint32_t bucket = slice * width; bucket < (slice + 1) * width; bucket++) {
        for (uint32_t link = timers->buckets[bucket]; link != 0;
             link = timers->nodes[link - 1].chain_next) {
            assert(gf_slice_of(timers->nodes[link - 1].key_hash) == slice);
            scratch[count++] = link - 1;
            need += PACKED_HEAD_SIZE + timers->nodes[link - 1].key_size;
        }
    }
    if (need > size) {
        return need;
    }
    nodes_sort(timers, scratch, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct gf_timer *node = &timers->nodes[scratch[i]];
        memcpy(out, &node->due.us, 8);
        out[8] = node->id;
        out[9] = node->kind;
        out[10] = node->key_size;
        out[11] = 0;
        memcpy(out + PACKED_HEAD_SIZE, node->key, node->key_size);
        out += PACKED_HEAD_SIZE + node->key_size;
    }
    return need;
}

enum gf_rc
gf_timers_unpack(struct gf_timers *timers, struct gf_span packed)
{
    while (packed.size > 0) {
        if (packed.size < PACKED_HEAD_SIZE) {
            return GF_E_DAMAGED;
        }
        struct gf_time due = {0};
        memcpy(&due.us, packed.data, 8);
        const uint8_t id = packed.data[8], kind = packed.data[9], key_size = packed.data[10];
        if (key_size == 0 || key_size > GF_ENTITY_KEY_SIZE_MAX ||
            packed.size - PACKED_HEAD_SIZE < key_size || kind == GF_ENTITY_NONE ||
            kind >= GF_ENTITY_KIND_COUNT) {
            return GF_E_DAMAGED;
        }
        const struct gf_span key = gf_span_of(packed.data + PACKED_HEAD_SIZE, key_size);
        const enum gf_rc rc = gf_timers_set(timers, kind, key, gf_entity_hash(kind, key), id, due);
        if (rc != GF_OK) {
            return rc;
        }
        packed = gf_span_of(key.data + key_size, packed.size - PACKED_HEAD_SIZE - key_size);
    }
    return GF_OK;
}
