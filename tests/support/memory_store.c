#include "memory_store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct item {
    uint32_t shard;
    uint8_t slice, kind;
    uint8_t *key, *bytes;
    uint32_t key_size, bytes_size;
};

struct meta {
    uint32_t shard, slice;
    struct gf_slice_meta meta;
};

struct fault {
    uint32_t left; /* calls until it strikes; 0: none */
    enum gf_rc rc;
    bool is_applied;
};

struct memory_store {
    struct gf_store store;
    struct item
        *items; /* sorted as the blocks of a store are; named values under shard UINT32_MAX */
    uint32_t item_count, item_capacity;
    struct meta *metas;
    uint32_t meta_count, meta_capacity;
    uint8_t **lent; /* values given out by the last call: freed by the next, so that a late reader
                       is caught */
    uint32_t lent_count, lent_capacity;
    struct fault faults[GF_STORE_CALL_COUNT];
    uint32_t calls[GF_STORE_CALL_COUNT];
};

static const struct gf_store_ops memory_store_ops;

static struct memory_store *
memory_of(struct gf_store *store)
{
    assert(store->ops == &memory_store_ops);
    return (struct memory_store *)store;
}

static void *
take(void *memory, size_t size)
{
    void *taken = realloc(memory, size == 0 ? 1 : size);
    if (taken == NULL) {
        abort();
    }
    return taken;
}

static uint8_t *
copy_of(struct gf_span span)
{
    uint8_t *copy = take(NULL, span.size);
    if (span.size > 0) {
        memcpy(copy, span.data, span.size);
    }
    return copy;
}

static void
lent_drop(struct memory_store *memory)
{
    for (uint32_t i = 0; i < memory->lent_count; i++) {
        free(memory->lent[i]);
    }
    memory->lent_count = 0;
}

static struct gf_span
lend(struct memory_store *memory, struct gf_span span)
{
    if (memory->lent_count == memory->lent_capacity) {
        memory->lent_capacity = memory->lent_capacity * 2 + 64;
        memory->lent = take(memory->lent, memory->lent_capacity * sizeof(*memory->lent));
    }
    uint8_t *copy = copy_of(span);
    memory->lent[memory->lent_count++] = copy;
    return gf_span_of(copy, span.size);
}

static int
item_compare(const struct item *item, uint32_t shard, uint32_t slice, uint32_t kind,
             struct gf_span key)
{
    if (item->shard != shard) {
        return item->shard < shard ? -1 : 1;
    }
    if (item->slice != slice) {
        return item->slice < slice ? -1 : 1;
    }
    if (item->kind != kind) {
        return item->kind < kind ? -1 : 1;
    }
    return gf_span_compare(gf_span_of(item->key, item->key_size), key);
}

/* The place of the first item that is not before the key; `is_there_out` says whether it is the
 * key's. */
static uint32_t
item_place(const struct memory_store *memory, uint32_t shard, uint32_t slice, uint32_t kind,
           struct gf_span key, bool *is_there_out)
{
    uint32_t from = 0, to = memory->item_count;
    while (from < to) {
        const uint32_t middle = from + (to - from) / 2;
        if (item_compare(&memory->items[middle], shard, slice, kind, key) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    *is_there_out = from < memory->item_count &&
                    item_compare(&memory->items[from], shard, slice, kind, key) == 0;
    return from;
}

static void
item_remove(struct memory_store *memory, uint32_t at)
{
    free(memory->items[at].key);
    free(memory->items[at].bytes);
    memory->item_count--;
    memmove(&memory->items[at], &memory->items[at + 1],
            (memory->item_count - at) * sizeof(*memory->items));
}

static void
item_put(struct memory_store *memory, uint32_t shard, uint32_t slice, uint32_t kind,
         struct gf_span key, struct gf_span bytes)
{
    bool is_there = false;
    const uint32_t at = item_place(memory, shard, slice, kind, key, &is_there);
    if (bytes.size == 0) {
        if (is_there) {
            item_remove(memory, at);
        }
        return;
    }
    if (is_there) {
        free(memory->items[at].bytes);
        memory->items[at].bytes = copy_of(bytes);
        memory->items[at].bytes_size = bytes.size;
        return;
    }
    if (memory->item_count == memory->item_capacity) {
        memory->item_capacity = memory->item_capacity * 2 + 64;
        memory->items = take(memory->items, memory->item_capacity * sizeof(*memory->items));
    }
    memmove(&memory->items[at + 1], &memory->items[at],
            (memory->item_count - at) * sizeof(*memory->items));
    memory->items[at] = (struct item){.shard = shard,
                                      .slice = (uint8_t)slice,
                                      .kind = (uint8_t)kind,
                                      .key = copy_of(key),
                                      .key_size = key.size,
                                      .bytes = copy_of(bytes),
                                      .bytes_size = bytes.size};
    memory->item_count++;
}

/* Counts a call. When its fault is due returns true, and the error in `rc_out`. */
static bool
call_fails(struct memory_store *memory, enum gf_memory_store_call call, enum gf_rc *rc_out,
           struct gf_error *error)
{
    memory->calls[call]++;
    lent_drop(memory);
    *rc_out = GF_OK;
    struct fault *fault = &memory->faults[call];
    if (fault->left == 0 || --fault->left > 0) {
        return false;
    }
    *rc_out = gf_fail(error, fault->rc, "store in memory: a test asked call %u of its kind to fail",
                      memory->calls[call]);
    return true;
}

static struct gf_slice_meta *
meta_at(struct memory_store *memory, uint32_t shard, uint32_t slice)
{
    for (uint32_t i = 0; i < memory->meta_count; i++) {
        if (memory->metas[i].shard == shard && memory->metas[i].slice == slice) {
            return &memory->metas[i].meta;
        }
    }
    if (memory->meta_count == memory->meta_capacity) {
        memory->meta_capacity = memory->meta_capacity * 2 + GF_SLICE_COUNT;
        memory->metas = take(memory->metas, memory->meta_capacity * sizeof(*memory->metas));
    }
    memory->metas[memory->meta_count] = (struct meta){.shard = shard, .slice = slice};
    return &memory->metas[memory->meta_count++].meta;
}

static enum gf_rc
store_metas(struct gf_store *store, uint32_t shard, struct gf_slice_meta metas_out[GF_SLICE_COUNT],
            struct gf_error *error)
{
    struct memory_store *memory = memory_of(store);
    enum gf_rc rc;
    if (call_fails(memory, GF_STORE_METAS, &rc, error)) {
        return rc;
    }
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        metas_out[slice] = (struct gf_slice_meta){0};
    }
    for (uint32_t i = 0; i < memory->meta_count; i++) {
        if (memory->metas[i].shard == shard) {
            metas_out[memory->metas[i].slice] = memory->metas[i].meta;
        }
    }
    return GF_OK;
}

static enum gf_rc
store_get(struct gf_store *store, uint32_t shard, const uint32_t *slices,
          const struct gf_store_block *wanted, uint32_t count, struct gf_store_block *found_out,
          struct gf_error *error)
{
    struct memory_store *memory = memory_of(store);
    enum gf_rc rc;
    if (call_fails(memory, GF_STORE_GET, &rc, error)) {
        return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        assert(slices[i] < GF_SLICE_COUNT);
        assert(wanted[i].kind != 0);
        bool is_there = false;
        const uint32_t at =
            item_place(memory, shard, slices[i], wanted[i].kind, wanted[i].key, &is_there);
        found_out[i] = wanted[i];
        found_out[i].bytes = (struct gf_span){0};
        if (is_there) {
            found_out[i].bytes =
                lend(memory, gf_span_of(memory->items[at].bytes, memory->items[at].bytes_size));
        }
    }
    return GF_OK;
}

static enum gf_rc
store_put_slice(struct gf_store *store, uint32_t shard, uint32_t slice,
                const struct gf_slice_meta *meta, const struct gf_store_block *blocks,
                uint32_t count, struct gf_error *error)
{
    struct memory_store *memory = memory_of(store);
    assert(slice < GF_SLICE_COUNT);
    enum gf_rc rc;
    if (call_fails(memory, GF_STORE_PUT_SLICE, &rc, error) &&
        !memory->faults[GF_STORE_PUT_SLICE].is_applied) {
        return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        assert(blocks[i].kind != 0);
        assert(i == 0 || blocks[i - 1].kind < blocks[i].kind ||
               (blocks[i - 1].kind == blocks[i].kind &&
                gf_span_compare(blocks[i - 1].key, blocks[i].key) < 0));
        item_put(memory, shard, slice, blocks[i].kind, blocks[i].key, blocks[i].bytes);
    }
    *meta_at(memory, shard, slice) = *meta;
    return rc;
}

static enum gf_rc
store_scan(struct gf_store *store, uint32_t shard, uint32_t slice,
           enum gf_rc (*visit)(void *context, const struct gf_store_block *block,
                               struct gf_error *error),
           void *context, struct gf_error *error)
{
    struct memory_store *memory = memory_of(store);
    enum gf_rc rc;
    if (call_fails(memory, GF_STORE_SCAN, &rc, error)) {
        return rc;
    }
    bool is_there = false;
    uint32_t at = item_place(memory, shard, slice, 0, (struct gf_span){0}, &is_there);
    for (; at < memory->item_count && rc == GF_OK; at++) {
        const struct item *item = &memory->items[at];
        if (item->shard != shard || item->slice != slice) {
            break;
        }
        const struct gf_store_block block = {.kind = item->kind,
                                             .key = gf_span_of(item->key, item->key_size),
                                             .bytes = gf_span_of(item->bytes, item->bytes_size)};
        rc = visit(context, &block, error);
    }
    return rc;
}

static enum gf_rc
store_get_named(struct gf_store *store, const char *name, struct gf_span *value_out,
                struct gf_error *error)
{
    struct memory_store *memory = memory_of(store);
    enum gf_rc rc;
    if (call_fails(memory, GF_STORE_GET_NAMED, &rc, error)) {
        return rc;
    }
    bool is_there = false;
    const uint32_t at = item_place(memory, UINT32_MAX, 0, 0, gf_span_text(name), &is_there);
    *value_out = (struct gf_span){0};
    if (is_there) {
        *value_out =
            lend(memory, gf_span_of(memory->items[at].bytes, memory->items[at].bytes_size));
    }
    return GF_OK;
}

static enum gf_rc
store_put_named(struct gf_store *store, const char *name, struct gf_span value,
                struct gf_error *error)
{
    struct memory_store *memory = memory_of(store);
    enum gf_rc rc;
    if (call_fails(memory, GF_STORE_PUT_NAMED, &rc, error) &&
        !memory->faults[GF_STORE_PUT_NAMED].is_applied) {
        return rc;
    }
    item_put(memory, UINT32_MAX, 0, 0, gf_span_text(name), value);
    return rc;
}

static void
store_close(struct gf_store *store)
{
    if (store == NULL) {
        return;
    }
    struct memory_store *memory = memory_of(store);
    while (memory->item_count > 0) {
        item_remove(memory, memory->item_count - 1);
    }
    lent_drop(memory);
    free(memory->items);
    free(memory->metas);
    free(memory->lent);
    free(memory);
}

static const struct gf_store_ops memory_store_ops = {
    .name = "memory",
    .metas = store_metas,
    .get = store_get,
    .put_slice = store_put_slice,
    .scan = store_scan,
    .get_named = store_get_named,
    .put_named = store_put_named,
    .close = store_close,
};

struct gf_store *
gf_memory_store_new(void)
{
    struct memory_store *memory = take(NULL, sizeof(*memory));
    *memory = (struct memory_store){.store = {.ops = &memory_store_ops}};
    return &memory->store;
}

struct gf_store *
gf_memory_store_copy(const struct gf_store *store)
{
    const struct memory_store *from = (const struct memory_store *)store;
    struct memory_store *to = memory_of(gf_memory_store_new());
    for (uint32_t i = 0; i < from->item_count; i++) {
        const struct item *item = &from->items[i];
        item_put(to, item->shard, item->slice, item->kind, gf_span_of(item->key, item->key_size),
                 gf_span_of(item->bytes, item->bytes_size));
    }
    for (uint32_t i = 0; i < from->meta_count; i++) {
        *meta_at(to, from->metas[i].shard, from->metas[i].slice) = from->metas[i].meta;
    }
    return &to->store;
}

void
gf_memory_store_fail(struct gf_store *store, enum gf_memory_store_call call, uint32_t nth,
                     enum gf_rc rc, bool is_applied)
{
    assert(call < GF_STORE_CALL_COUNT);
    assert(nth > 0 && rc != GF_OK);
    memory_of(store)->faults[call] =
        (struct fault){.left = nth, .rc = rc, .is_applied = is_applied};
}

uint32_t
gf_memory_store_calls(const struct gf_store *store, enum gf_memory_store_call call)
{
    assert(call < GF_STORE_CALL_COUNT);
    return ((const struct memory_store *)store)->calls[call];
}

uint32_t
gf_memory_store_count(const struct gf_store *store)
{
    return ((const struct memory_store *)store)->item_count;
}

bool
gf_memory_store_damage(struct gf_store *store, uint32_t shard, uint32_t slice, uint8_t kind,
                       struct gf_span key, uint32_t bit)
{
    struct memory_store *memory = memory_of(store);
    bool is_there = false;
    const uint32_t at = item_place(memory, shard, slice, kind, key, &is_there);
    if (!is_there) {
        return false;
    }
    struct item *item = &memory->items[at];
    item->bytes[bit / 8 % item->bytes_size] ^= (uint8_t)(1u << bit % 8);
    return true;
}

void
gf_memory_store_clear(struct gf_store *store, uint32_t shard)
{
    struct memory_store *memory = memory_of(store);
    for (uint32_t i = memory->item_count; i-- > 0;) {
        /* Its named values end with "-<shard>". */
        const struct item *item = &memory->items[i];
        char suffix[16];
        const size_t size = (size_t)snprintf(suffix, sizeof(suffix), "-%u", shard);
        const bool is_named = item->shard == UINT32_MAX && item->key_size >= size &&
                              memcmp((char *)item->key + item->key_size - size, suffix, size) == 0;
        if (item->shard == shard || is_named) {
            item_remove(memory, i);
        }
    }
    for (uint32_t i = memory->meta_count; i-- > 0;) {
        if (memory->metas[i].shard == shard) {
            memory->metas[i] = memory->metas[--memory->meta_count];
        }
    }
}

static enum gf_rc
stores_open(struct gf_stores *stores, uint32_t shard, struct gf_store **out, struct gf_error *error)
{
    (void)shard;
    (void)error;
    *out = *((struct gf_memory_stores *)stores)->store;
    return GF_OK;
}

static void
stores_close(struct gf_stores *stores, uint32_t shard, struct gf_store *store)
{
    (void)stores;
    (void)shard;
    (void)store;
}

static enum gf_rc
stores_condemn(struct gf_stores *base, uint32_t shard, const char *why, struct gf_error *error)
{
    (void)why;
    (void)error;
    struct gf_memory_stores *stores = (struct gf_memory_stores *)base;
    gf_memory_store_clear(*stores->store, shard);
    stores->condemned++;
    return GF_OK;
}

void
gf_memory_stores_init(struct gf_memory_stores *stores, struct gf_store **store)
{
    static const struct gf_stores_ops ops = {
        .name = "memory", .open = stores_open, .close = stores_close, .condemn = stores_condemn};
    stores->base.ops = &ops;
    stores->store = store;
}
