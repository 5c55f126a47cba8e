/* The folder of snapshots that all instances share, as io/store_folder.h keeps it: the copying is
 * done beside the loop, looks at every slice first, and is broken off when the process dies; a
 * store that is empty begins with the newest one that is whole. */
#include "engine/slice.h"
#include "sim.h"

static void
snapshot_add(struct sim *sim, uint32_t shard, struct sim_snapshot added)
{
    struct sim_snapshots *folder = &sim->snapshots[shard];
    uint32_t at = 0;
    while (at < folder->count && folder->kept[at].batch < added.batch) {
        at++;
    }
    if (at < folder->count && folder->kept[at].batch == added.batch) {
        folder->kept[at].store->ops->close(folder->kept[at].store);
        folder->kept[at] = added;
        return;
    }
    if (folder->count == SIM_SNAPSHOTS_MAX && at == 0) { /* others have newer ones */
        added.store->ops->close(added.store);
        return;
    }
    if (folder->count == SIM_SNAPSHOTS_MAX) {
        folder->kept[0].store->ops->close(folder->kept[0].store);
        for (uint32_t i = 1; i < at; i++) {
            folder->kept[i - 1] = folder->kept[i];
        }
        folder->kept[at - 1] = added;
        return;
    }
    for (uint32_t i = folder->count++; i > at; i--) {
        folder->kept[i] = folder->kept[i - 1];
    }
    folder->kept[at] = added;
}

static bool
is_whole(struct gf_store *store, uint32_t shard)
{
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    (void)store->ops->metas(store, shard, metas, NULL);
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        if (metas[slice].batch > 0 &&
            gf_slice_check(store, shard, slice, &metas[slice], NULL) != GF_OK) {
            return false;
        }
    }
    return true;
}

/* The copying is done, or its process is gone: what it had copied may be taken for a snapshot. */
static void
copied(struct sim *sim, const struct sim_event *event)
{
    struct sim_disk *disk = event->who;
    struct gf_store *links = disk->links;
    const bool is_broken_off =
        disk->instance->state != SIM_UP || disk->instance->life != (uint64_t)event->b;
    disk->links = NULL;
    if (!is_broken_off && !is_whole(links, disk->shard)) {
        SIM_TRACE(sim, "%s: shard %u is too bad for a snapshot", disk->instance->name, disk->shard);
        disk->is_found_bad = true;
    } else if (!is_broken_off || sim_below(sim, 2) == 0) {
        const bool is_torn = is_broken_off || sim_chance(sim, sim->weather.snapshot_damaged);
        SIM_TRACE(sim, "%s: snapshot of shard %u at batch %lld%s", disk->instance->name,
                  disk->shard, (long long)event->c, is_torn ? ", torn" : "");
        sim->counts[SIM_SNAPSHOTS]++;
        snapshot_add(sim, disk->shard,
                     (struct sim_snapshot){.store = links, .batch = event->c, .is_torn = is_torn});
        return;
    }
    links->ops->close(links);
}

/* Nothing that is not committed may be in a snapshot: it has nobody to take it back. */
static void
committed_check(struct sim_disk *disk, int64_t batch)
{
    struct sim *sim = disk->instance->sim;
    const int64_t decided = sim->places[disk->shard].decided;
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    (void)disk->store->ops->metas(disk->store, disk->shard, metas, NULL);
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        batch = metas[slice].batch > batch ? metas[slice].batch : batch;
    }
    if (batch > decided) {
        sim_fail(sim, "%s: a snapshot of shard %u at batch %lld, but only %lld is committed (P3)",
                 disk->instance->name, disk->shard, (long long)batch, (long long)decided);
    }
}

enum gf_rc
sim_snapshot_offer(struct sim_disk *disk, int64_t batch, struct gf_error *error)
{
    struct sim *sim = disk->instance->sim;
    if (batch == 0) {
        return GF_OK;
    }
    disk->restored = 0; /* it was good enough to come here */
    if (disk->is_found_bad) {
        disk->is_found_bad = false;
        return gf_fail(error, GF_E_STATE, "a slice was found to be damaged by a snapshot");
    }
    if (sim->weather.snapshot == 0 || disk->links != NULL ||
        sim_below(sim, sim->weather.snapshot) != 0) {
        return GF_OK;
    }
    sim_pass(disk->instance, sim_delay(sim, 1000, 0, 0)); /* making links */
    committed_check(disk, batch);
    disk->links = gf_memory_store_copy(disk->store);
    sim_event(sim, sim->now_us + sim_delay(sim, 300 * 1000, 10, 20 * GF_US_PER_S),
              (struct sim_event){
                  .run = copied, .who = disk, .b = (int64_t)disk->instance->life, .c = batch});
    return GF_OK;
}

static bool
is_empty(struct sim_disk *disk)
{
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    (void)disk->store->ops->metas(disk->store, disk->shard, metas, NULL);
    bool is = true;
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        is = is && metas[slice].batch == 0;
    }
    return is;
}

/* The newest that is whole; a folder over a network may not show the newest ones yet. */
void
sim_snapshot_restore(struct sim_disk *disk)
{
    struct sim *sim = disk->instance->sim;
    const struct sim_snapshots *folder = &sim->snapshots[disk->shard];
    if (sim->weather.snapshot == 0 || folder->count == 0 || !is_empty(disk)) {
        return;
    }
    uint32_t at = folder->count;
    at -= sim_below(sim, 4) == 0 ? (uint32_t)sim_below(sim, folder->count) : 0;
    for (; at > 0; at--) {
        const struct sim_snapshot *from = &folder->kept[at - 1];
        if (disk->trusted_below > 0 && from->batch >= disk->trusted_below) {
            continue;
        }
        if (from->is_torn) {
            SIM_TRACE(sim, "%s: the snapshot of shard %u at batch %lld is passed over",
                      disk->instance->name, disk->shard, (long long)from->batch);
            sim->counts[SIM_TORN]++;
            continue;
        }
        SIM_TRACE(sim, "%s: shard %u begins with the snapshot of batch %lld", disk->instance->name,
                  disk->shard, (long long)from->batch);
        sim->counts[SIM_RESTORES]++;
        sim->counts[SIM_RESTORES_OLDER] += at < folder->count;
        disk->restored = from->batch;
        sim_disk_replace(disk, gf_memory_store_copy(from->store));
        if (sim_chance(sim, sim->weather.snapshot_damaged)) { /* beside the files' sums */
            sim_disk_damage(disk);
        }
        break;
    }
    sim_pass(disk->instance, sim_delay(sim, 50 * 1000, 10, 5 * GF_US_PER_S));
}

void
sim_snapshot_distrust(struct sim_disk *disk)
{
    if (disk->restored > 0) {
        disk->trusted_below = disk->restored;
        disk->restored = 0;
    }
}

void
sim_snapshots_close(struct sim *sim)
{
    for (uint32_t shard = 0; shard < sim->shard_count; shard++) {
        struct sim_snapshots *folder = &sim->snapshots[shard];
        for (uint32_t i = 0; i < folder->count; i++) {
            folder->kept[i].store->ops->close(folder->kept[i].store);
        }
        folder->count = 0;
    }
}
