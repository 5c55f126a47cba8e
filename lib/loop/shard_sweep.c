#include <string.h>

#include "engine/slice.h"
#include "loop/fault.h"
#include "loop/shard_parts.h"

/* A slice is read whole again after every so many sweeps: to read each of them back would cost a
 * few per cent. No divisor of the slice count, so that each has its turn. */
#define CHECK_EVERY 9

enum gf_rc
shard_check_slice(struct gf_shard *shard, uint32_t slice, struct gf_error *error)
{
    if (shard->is_checked[slice] || !GF_RULE(SLICE_CHECK)) {
        return GF_OK;
    }
    const enum gf_rc rc = shard->metas[slice].batch == 0
                              ? GF_OK
                              : gf_slice_check(shard->store, shard->options.shard, slice,
                                               &shard->metas[slice], error);
    shard->is_checked[slice] = rc == GF_OK;
    return rc;
}

enum gf_rc
shard_sweep_slice(struct gf_shard *shard, uint32_t slice, struct gf_sweep *sweep_out,
                  struct gf_error *error)
{
    /* What lies there since the last sweep: damage shall not outlive a round. */
    enum gf_rc rc = shard_check_slice(shard, slice, error);
    if (rc == GF_OK) {
        rc = gf_engine_sweep(shard->engine, slice, shard->batch, sweep_out, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    sweep_out->meta.journal_offset = shard->batch_base;
    rc = shard_mark_put(shard, error);
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "sweep of shard %u", shard->options.shard);
    }
    rc = shard->store->ops->put_slice(shard->store, shard->options.shard, slice, &sweep_out->meta,
                                      sweep_out->blocks, sweep_out->block_count, error);
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "sweep of shard %u slice %u", shard->options.shard, slice);
    }
    gf_point(GF_POINT_IN_SWEEP);
    gf_engine_swept(shard->engine, sweep_out, gf_engine_is_under_pressure(shard->engine));
    shard->metas[slice] = sweep_out->meta;
    shard->is_checked[slice] = ++shard->sweep_count % CHECK_EVERY != 0;
    return GF_OK;
}

/* The slice that has waited longest: after a crash these are the ones a recovery would have to
 * refold from. */
static uint32_t
slice_oldest(const struct gf_shard *shard)
{
    uint32_t oldest = 0;
    for (uint32_t slice = 1; slice < GF_SLICE_COUNT; slice++) {
        if (shard->metas[slice].batch < shard->metas[oldest].batch) {
            oldest = slice;
        }
    }
    return oldest;
}

static enum gf_rc
sweep_note(struct gf_shard *shard, uint32_t slice, struct gf_error *error)
{
    struct gf_sweep sweep;
    const enum gf_rc rc = shard_sweep_slice(shard, slice, &sweep, error);
    if (rc != GF_OK) {
        return rc;
    }
    assert(shard->swept_count < GF_SLICE_COUNT);
    struct gf_swept_slice *swept = &shard->swept[shard->swept_count++];
    *swept = (struct gf_swept_slice){.slice = (int32_t)slice, .batch = sweep.meta.batch};
    memcpy(swept->digest, sweep.meta.digest.bytes, sizeof(swept->digest));
    return GF_OK;
}

enum gf_rc
gf_shard_sweep(struct gf_shard *shard, bool all, struct gf_error *error)
{
    const int64_t records_per_slice = shard->options.sweep_records / GF_SLICE_COUNT + 1;
    enum gf_rc rc = GF_OK;
    while (rc == GF_OK && shard->swept_count < GF_SLICE_COUNT) {
        const uint32_t slice = slice_oldest(shard);
        const bool is_due = all || shard->records_since_sweep >= records_per_slice ||
                            gf_engine_is_under_pressure(shard->engine);
        if (!is_due || shard->metas[slice].batch >= shard->batch) {
            break;
        }
        rc = sweep_note(shard, slice, error);
        shard->records_since_sweep -=
            shard->records_since_sweep >= records_per_slice ? records_per_slice : 0;
    }
    return rc;
}

bool
gf_shard_has_swept(const struct gf_shard *shard)
{
    return shard->swept_count > shard->swept_named;
}

enum gf_rc
gf_shard_snapshot(struct gf_shard *shard, struct gf_error *error)
{
    const struct gf_stores_ops *ops = shard->stores->ops;
    return ops->snapshot == NULL ? GF_OK
                                 : ops->snapshot(shard->stores, shard->options.shard, shard->store,
                                                 shard->batch, error);
}
