#include "engine/slice.h"

#include <inttypes.h>
#include <string.h>

#include "engine/parts.h"

struct scan {
    struct gf_slice_sum sum;
    uint32_t shard, slice;
};

static enum gf_rc
block_damaged(const struct scan *scan, const struct gf_store_block *block, const char *what,
              struct gf_error *error)
{
    return gf_fail(error, GF_E_STATE,
                   "shard %" PRIu32 " slice %" PRIu32 ": the state of %.*s is damaged: %s",
                   scan->shard, scan->slice, GF_SPAN_PRINT(block->key), what);
}

static enum gf_rc
block_visit(void *context, const struct gf_store_block *block, struct gf_error *error)
{
    struct scan *scan = context;
    scan->sum.block_count++;
    scan->sum.bytes += block->bytes.size;
    if (block->kind == GF_BLOCK_TIMERS) {
        const struct gf_digest digest = gf_digest_of(block->bytes.data, block->bytes.size);
        digest_add(&scan->sum.digest, &digest, +1);
        return GF_OK;
    }
    struct gf_entity entity;
    if (block->bytes.size != sizeof(entity)) {
        return block_damaged(scan, block, "its size is wrong", error);
    }
    memcpy(&entity, block->bytes.data, sizeof(entity));
    const uint32_t checksum = entity.header.checksum;
    const struct gf_digest digest = entity_digest(&entity);
    if (entity.header.checksum != checksum) {
        return block_damaged(scan, block, "its checksum is wrong", error);
    }
    if (entity.header.kind != block->kind || !gf_span_equal(gf_entity_key(&entity), block->key) ||
        gf_slice_of(gf_entity_hash(block->kind, block->key)) != scan->slice) {
        return block_damaged(scan, block, "it is in the wrong place", error);
    }
    digest_add(&scan->sum.digest, &digest, +1);
    scan->sum.entity_count++;
    return GF_OK;
}

enum gf_rc
gf_slice_scan(struct gf_store *store, uint32_t shard, uint32_t slice, struct gf_slice_sum *out,
              struct gf_error *error)
{
    struct scan scan = {.shard = shard, .slice = slice};
    const enum gf_rc rc = store->ops->scan(store, shard, slice, block_visit, &scan, error);
    if (rc == GF_OK) {
        *out = scan.sum;
    }
    return rc;
}

enum gf_rc
gf_slice_compare(uint32_t shard, uint32_t slice, const struct gf_slice_meta *meta,
                 const struct gf_slice_sum *sum, struct gf_error *error)
{
    if (sum->entity_count != meta->entity_count) {
        return gf_fail(error, GF_E_STATE,
                       "shard %" PRIu32 " slice %" PRIu32 " at batch %" PRId64 ": it has %" PRIu64
                       " entities, not the %" PRIu64 " that were written",
                       shard, slice, meta->batch, sum->entity_count, meta->entity_count);
    }
    if (memcmp(sum->digest.bytes, meta->digest.bytes, GF_DIGEST_SIZE) == 0) {
        return GF_OK;
    }
    char found[33], written[33];
    gf_digest_print(&sum->digest, found);
    gf_digest_print(&meta->digest, written);
    return gf_fail(error, GF_E_STATE,
                   "shard %" PRIu32 " slice %" PRIu32 " at batch %" PRId64
                   ": its digest is %s, and was %s when it was written (%" PRIu64 " entities)",
                   shard, slice, meta->batch, found, written, sum->entity_count);
}

enum gf_rc
gf_slice_check(struct gf_store *store, uint32_t shard, uint32_t slice,
               const struct gf_slice_meta *meta, struct gf_error *error)
{
    struct gf_slice_sum sum;
    const enum gf_rc rc = gf_slice_scan(store, shard, slice, &sum, error);
    return rc == GF_OK ? gf_slice_compare(shard, slice, meta, &sum, error) : rc;
}
