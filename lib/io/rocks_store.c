#include "io/rocks_store.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#include "base/hash.h"
#include "io/rocks_private.h"
#include "loop/fault.h"

#define CHUNK_COUNT  128 /* keys of one MultiGet: bounds the blocks that its answers pin */
#define META_VERSION 1

/* A slice's meta as it is stored: little endian. */
struct stored_meta {
    uint16_t version;
    uint8_t reserved[6];
    uint64_t batch;
    uint64_t journal_offset;
    uint8_t digest[GF_DIGEST_SIZE];
    uint64_t entity_count;
};
static_assert(sizeof(struct stored_meta) == 48, "no holes");

static struct rocks_store *
rocks_of(struct gf_store *store)
{
    return (struct rocks_store *)store;
}

/* ---- fetching ---- */

static enum gf_rc
requests_reserve(struct rocks_store *rocks, uint32_t count, struct gf_error *error)
{
    if (count <= rocks->request_capacity) {
        return GF_OK;
    }
    struct rocks_request *requests = realloc(rocks->requests, count * sizeof(*requests));
    if (requests == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "store %s: no memory to ask for %u blocks",
                       rocks->path, count);
    }
    rocks->requests = requests;
    rocks->request_capacity = count;
    return GF_OK;
}

static void
request_set(struct rocks_store *rocks, uint32_t index, const struct rocks_key *key)
{
    struct rocks_request *request = &rocks->requests[index];
    assert(key->size <= sizeof(request->key));
    memcpy(request->key, key->bytes, key->size);
    request->key_size = key->size;
    request->index = index;
    request->value_size = 0;
    request->value_at = 0;
}

static int
request_compare(const void *left, const void *right)
{
    const struct rocks_request *a = left, *b = right;
    return gf_span_compare(gf_span_of(a->key, a->key_size), gf_span_of(b->key, b->key_size));
}

/* Takes one answer out of the block it is pinned in. */
static enum gf_rc
answer_take(struct rocks_store *rocks, struct rocks_request *request,
            const rocksdb_pinnableslice_t *answer, struct gf_error *error)
{
    size_t size = 0;
    const char *stored = rocksdb_pinnableslice_value(answer, &size);
    struct gf_span value = {0};
    enum gf_rc rc = rocks_value_check(rocks, gf_span_of(request->key, request->key_size),
                                      gf_span_of(stored, size), &value, error);
    if (rc == GF_OK) {
        rc = rocks_values_add(rocks, value, &request->value_at, error);
        request->value_size = value.size;
    }
    return rc;
}

static enum gf_rc
chunk_fetch(struct rocks_store *rocks, struct rocks_request *requests, uint32_t count,
            struct gf_error *error)
{
    assert(count <= CHUNK_COUNT);
    const char *keys[CHUNK_COUNT] = {0};
    size_t sizes[CHUNK_COUNT] = {0};
    rocksdb_pinnableslice_t *answers[CHUNK_COUNT] = {0};
    char *statuses[CHUNK_COUNT] = {0};
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = (const char *)requests[i].key;
        sizes[i] = requests[i].key_size;
    }
    rocksdb_batched_multi_get_cf(rocks->db, rocks->reading, rocks->family, count, keys, sizes,
                                 answers, statuses, true);
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (statuses[i] != NULL && rc == GF_OK) {
            rc = rocks_fail(rocks->path, "read", statuses[i], error);
        } else if (statuses[i] != NULL) {
            rocksdb_free(statuses[i]);
        } else if (answers[i] != NULL && rc == GF_OK) {
            rc = answer_take(rocks, &requests[i], answers[i], error);
        }
        rocksdb_pinnableslice_destroy(answers[i]);
    }
    return rc;
}

/* Fetches the first `count` requests; sorts them, since neighbours share blocks. */
static enum gf_rc
requests_fetch(struct rocks_store *rocks, uint32_t count, struct gf_error *error)
{
    rocks->values_size = 0;
    qsort(rocks->requests, count, sizeof(*rocks->requests), request_compare);
    for (uint32_t at = 0; at < count; at += CHUNK_COUNT) {
        const uint32_t left = count - at;
        const enum gf_rc rc = chunk_fetch(rocks, rocks->requests + at,
                                          left < CHUNK_COUNT ? left : CHUNK_COUNT, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

static enum gf_rc
store_get(struct gf_store *store, uint32_t shard, const uint32_t *slices,
          const struct gf_store_block *wanted, uint32_t count, struct gf_store_block *found_out,
          struct gf_error *error)
{
    struct rocks_store *rocks = rocks_of(store);
    assert(shard < ROCKS_SHARD_OF_STORE);
    enum gf_rc rc = requests_reserve(rocks, count, error);
    if (rc != GF_OK || count == 0) {
        return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        assert(slices[i] < GF_SLICE_COUNT);
        assert(wanted[i].kind != 0);
        const struct rocks_key key = rocks_key_of(shard, slices[i], wanted[i].kind, wanted[i].key);
        request_set(rocks, i, &key);
    }
    rc = requests_fetch(rocks, count, error);
    if (rc != GF_OK) {
        return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct rocks_request *request = &rocks->requests[i];
        struct gf_store_block *found = &found_out[request->index];
        *found = wanted[request->index];
        found->bytes = request->value_size == 0
                           ? (struct gf_span){0}
                           : gf_span_of(rocks->values + request->value_at, request->value_size);
    }
    return GF_OK;
}

/* ---- metas ---- */

static enum gf_rc
meta_decode(const struct rocks_store *rocks, struct gf_span value, struct gf_slice_meta *out,
            struct gf_error *error)
{
    struct stored_meta stored;
    if (value.size != sizeof(stored)) {
        return rocks_fail_damaged(rocks, error, "the meta of a slice has %u bytes", value.size);
    }
    memcpy(&stored, value.data, sizeof(stored));
    if (le16toh(stored.version) != META_VERSION) {
        return rocks_fail_damaged(rocks, error, "the meta of a slice has version %u",
                                  le16toh(stored.version));
    }
    *out = (struct gf_slice_meta){.batch = (int64_t)le64toh(stored.batch),
                                  .journal_offset = (int64_t)le64toh(stored.journal_offset),
                                  .entity_count = le64toh(stored.entity_count)};
    memcpy(out->digest.bytes, stored.digest, GF_DIGEST_SIZE);
    return GF_OK;
}

static enum gf_rc
store_metas(struct gf_store *store, uint32_t shard, struct gf_slice_meta metas_out[GF_SLICE_COUNT],
            struct gf_error *error)
{
    struct rocks_store *rocks = rocks_of(store);
    assert(shard < ROCKS_SHARD_OF_STORE);
    enum gf_rc rc = requests_reserve(rocks, GF_SLICE_COUNT, error);
    if (rc != GF_OK) {
        return rc;
    }
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        const struct rocks_key key = rocks_key_of(shard, slice, 0, (struct gf_span){0});
        request_set(rocks, slice, &key);
    }
    rc = requests_fetch(rocks, GF_SLICE_COUNT, error);
    struct gf_slice_meta metas[GF_SLICE_COUNT] = {0};
    for (uint32_t i = 0; i < GF_SLICE_COUNT && rc == GF_OK; i++) {
        const struct rocks_request *request = &rocks->requests[i];
        if (request->value_size > 0) {
            rc = meta_decode(rocks,
                             gf_span_of(rocks->values + request->value_at, request->value_size),
                             &metas[request->index], error);
        }
    }
    if (rc == GF_OK) {
        memcpy(metas_out, metas, sizeof(metas));
    }
    return rc;
}

/* ---- writing ---- */

static enum gf_rc
writable_check(const struct rocks_store *rocks, struct gf_error *error)
{
    return !rocks->is_read_only
               ? GF_OK
               : gf_fail(error, GF_E_IO, "store %s: it was opened for reading only", rocks->path);
}

static void
meta_put(struct rocks_store *rocks, uint32_t shard, uint32_t slice,
         const struct gf_slice_meta *meta)
{
    struct stored_meta stored = {.version = htole16(META_VERSION),
                                 .batch = htole64((uint64_t)meta->batch),
                                 .journal_offset = htole64((uint64_t)meta->journal_offset),
                                 .entity_count = htole64(meta->entity_count)};
    memcpy(stored.digest, meta->digest.bytes, GF_DIGEST_SIZE);
    const struct rocks_key key = rocks_key_of(shard, slice, 0, (struct gf_span){0});
    rocks_batch_put(rocks, &key, gf_span_of(&stored, sizeof(stored)));
}

static enum gf_rc
store_put_slice(struct gf_store *store, uint32_t shard, uint32_t slice,
                const struct gf_slice_meta *meta, const struct gf_store_block *blocks,
                uint32_t count, struct gf_error *error)
{
    struct rocks_store *rocks = rocks_of(store);
    assert(shard < ROCKS_SHARD_OF_STORE);
    assert(slice < GF_SLICE_COUNT);
    const enum gf_rc rc = writable_check(rocks, error);
    if (rc != GF_OK) {
        return rc;
    }
    meta_put(rocks, shard, slice, meta);
    struct rocks_key last = {0};
    for (uint32_t i = 0; i < count; i++) {
        assert(blocks[i].kind != 0);
        assert(blocks[i].key.size <= GF_ENTITY_KEY_SIZE_MAX);
        const struct rocks_key key = rocks_key_of(shard, slice, blocks[i].kind, blocks[i].key);
        assert(gf_span_compare(gf_span_of(last.bytes, last.size), gf_span_of(key.bytes, key.size)) <
               0);
        if (blocks[i].bytes.size == 0) {
            rocksdb_writebatch_delete(rocks->batch, (const char *)key.bytes, key.size);
        } else {
            rocks_batch_put(rocks, &key, blocks[i].bytes);
        }
        last = key;
    }
    gf_point(GF_POINT_IN_WRITE_BATCH);
    return rocks_batch_write(rocks, "write of a slice", error);
}

/* ---- scanning ---- */

static enum gf_rc
iterator_visit(struct rocks_store *rocks, rocksdb_iterator_t *iterator,
               enum gf_rc (*visit)(void *context, const struct gf_store_block *block,
                                   struct gf_error *error),
               void *context, struct gf_error *error)
{
    size_t key_size = 0, value_size = 0;
    const uint8_t *key = (const uint8_t *)rocksdb_iter_key(iterator, &key_size);
    const char *stored = rocksdb_iter_value(iterator, &value_size);
    assert(key_size >= ROCKS_PREFIX_SIZE);
    struct gf_span value = {0};
    enum gf_rc rc = rocks_value_check(rocks, gf_span_of(key, key_size),
                                      gf_span_of(stored, value_size), &value, error);
    size_t at = 0;
    rocks->values_size = 0; /* a copy: in its table a value may start at any address */
    if (rc == GF_OK) {
        rc = rocks_values_add(rocks, value, &at, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    const struct gf_store_block block = {
        .kind = key[3],
        .key = gf_span_of(key + ROCKS_PREFIX_SIZE, key_size - ROCKS_PREFIX_SIZE),
        .bytes = gf_span_of(rocks->values + at, value.size)};
    return visit(context, &block, error);
}

static enum gf_rc
store_scan(struct gf_store *store, uint32_t shard, uint32_t slice,
           enum gf_rc (*visit)(void *context, const struct gf_store_block *block,
                               struct gf_error *error),
           void *context, struct gf_error *error)
{
    struct rocks_store *rocks = rocks_of(store);
    assert(shard < ROCKS_SHARD_OF_STORE);
    assert(slice < GF_SLICE_COUNT);
    const struct rocks_key from = rocks_key_of(shard, slice, 1, (struct gf_span){0});
    const struct rocks_key end = rocks_key_of(shard, slice + 1, 0, (struct gf_span){0});
    rocksdb_readoptions_set_iterate_upper_bound(rocks->scanning, (const char *)end.bytes, end.size);
    rocksdb_iterator_t *iterator =
        rocksdb_create_iterator_cf(rocks->db, rocks->scanning, rocks->family);
    enum gf_rc rc = GF_OK;
    for (rocksdb_iter_seek(iterator, (const char *)from.bytes, from.size);
         rc == GF_OK && rocksdb_iter_valid(iterator); rocksdb_iter_next(iterator)) {
        rc = iterator_visit(rocks, iterator, visit, context, error);
    }
    char *status = NULL;
    rocksdb_iter_get_error(iterator, &status);
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_set_iterate_upper_bound(rocks->scanning, NULL,
                                                0); /* `end` goes out of scope */
    if (rc != GF_OK) {
        rocksdb_free(status);
        return rc;
    }
    return status == NULL ? GF_OK : rocks_fail(rocks->path, "scan of a slice", status, error);
}

/* ---- named values ---- */

static enum gf_rc
store_get_named(struct gf_store *store, const char *name, struct gf_span *value_out,
                struct gf_error *error)
{
    const struct rocks_key key = rocks_key_own(ROCKS_OWN_NAMED, 0, gf_span_text(name));
    return rocks_value_get(rocks_of(store), &key, value_out, error);
}

static enum gf_rc
store_put_named(struct gf_store *store, const char *name, struct gf_span value,
                struct gf_error *error)
{
    struct rocks_store *rocks = rocks_of(store);
    const enum gf_rc rc = writable_check(rocks, error);
    if (rc != GF_OK) {
        return rc;
    }
    const struct rocks_key key = rocks_key_own(ROCKS_OWN_NAMED, 0, gf_span_text(name));
    if (value.size == 0) {
        rocksdb_writebatch_delete(rocks->batch, (const char *)key.bytes, key.size);
    } else {
        rocks_batch_put(rocks, &key, value);
    }
    return rocks_batch_write(rocks, "write of a named value", error);
}

const struct gf_store_ops rocks_store_ops = {
    .name = "rocksdb",
    .metas = store_metas,
    .get = store_get,
    .put_slice = store_put_slice,
    .scan = store_scan,
    .get_named = store_get_named,
    .put_named = store_put_named,
    .close = rocks_store_close,
};
