/* The disks of an instance: a store for each shard. A crash of the process loses nothing that was
 * written; a crash of the machine loses what was not written through; a disk may be lost or
 * damaged. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static struct sim_disk *
disk_of(struct gf_store *store)
{
    return (struct sim_disk *)store;
}

static struct gf_store *
inner(struct gf_store *store)
{
    return disk_of(store)->store;
}

static enum gf_rc
disk_metas(struct gf_store *store, uint32_t shard, struct gf_slice_meta metas_out[GF_SLICE_COUNT],
           struct gf_error *error)
{
    sim_pass(disk_of(store)->instance, 500);
    return inner(store)->ops->metas(inner(store), shard, metas_out, error);
}

static enum gf_rc
disk_get(struct gf_store *store, uint32_t shard, const uint32_t *slices,
         const struct gf_store_block *wanted, uint32_t count, struct gf_store_block *found_out,
         struct gf_error *error)
{
    return inner(store)->ops->get(inner(store), shard, slices, wanted, count, found_out, error);
}

/* Nothing that is not committed may ever be in a store: at this very moment, not only at the end.
 */
static enum gf_rc
disk_put_slice(struct gf_store *store, uint32_t shard, uint32_t slice,
               const struct gf_slice_meta *meta, const struct gf_store_block *blocks,
               uint32_t count, struct gf_error *error)
{
    struct sim_disk *disk = disk_of(store);
    struct sim *sim = disk->instance->sim;
    if (sim_below(sim, 8) == 0) {
        sim_pass(disk->instance, sim_delay(sim, 200, 100, GF_US_PER_S));
    }
    if (meta->batch > sim->places[shard].decided) {
        sim_fail(sim,
                 "%s writes slice %u of shard %u at batch %lld, but only %lld is committed (P3)",
                 disk->instance->name, slice, shard, (long long)meta->batch,
                 (long long)sim->places[shard].decided);
    }
    const enum gf_rc rc =
        disk->store->ops->put_slice(disk->store, shard, slice, meta, blocks, count, error);
    if (sim->weather.machine > 0) {
        sim_write_slice(disk, slice, meta, blocks, count);
        if (sim_below(sim, 100) == 0) {
            sim_writes_sync(disk);
        }
    }
    return rc;
}

static enum gf_rc
disk_scan(struct gf_store *store, uint32_t shard, uint32_t slice,
          enum gf_rc (*visit)(void *context, const struct gf_store_block *block,
                              struct gf_error *error),
          void *context, struct gf_error *error)
{
    return inner(store)->ops->scan(inner(store), shard, slice, visit, context, error);
}

static enum gf_rc
disk_get_named(struct gf_store *store, const char *name, struct gf_span *value_out,
               struct gf_error *error)
{
    return inner(store)->ops->get_named(inner(store), name, value_out, error);
}

static enum gf_rc
disk_put_named(struct gf_store *store, const char *name, struct gf_span value,
               struct gf_error *error)
{
    struct sim_disk *disk = disk_of(store);
    if (sim_below(disk->instance->sim, 8) == 0) {
        sim_pass(disk->instance, 100);
    }
    if (disk->instance->sim->weather.machine > 0) {
        sim_write_named(disk, name, value);
    }
    return disk->store->ops->put_named(disk->store, name, value, error);
}

static const struct gf_store_ops disk_ops = {.name = "simulated",
                                             .metas = disk_metas,
                                             .get = disk_get,
                                             .put_slice = disk_put_slice,
                                             .scan = disk_scan,
                                             .get_named = disk_get_named,
                                             .put_named = disk_put_named};

void
sim_disk_replace(struct sim_disk *disk, struct gf_store *store)
{
    disk->store->ops->close(disk->store);
    disk->store = store;
    disk->is_damaged = false;
    sim_writes_drop(disk);
    if (disk->instance->sim->weather.machine > 0) {
        disk->safe->ops->close(disk->safe);
        disk->safe = gf_memory_store_copy(store);
    }
}

/* ---- stores ---- */

static struct sim_instance *
instance_of(struct gf_stores *stores)
{
    return (struct sim_instance *)((char *)stores - offsetof(struct sim_instance, stores));
}

static enum gf_rc
stores_open(struct gf_stores *stores, uint32_t shard, struct gf_store **out, struct gf_error *error)
{
    (void)error;
    struct sim_instance *instance = instance_of(stores);
    sim_pass(instance, sim_delay(instance->sim, 5000, 20, GF_US_PER_S));
    sim_snapshot_restore(&instance->disks[shard]);
    *out = &instance->disks[shard].base;
    return GF_OK;
}

static void
stores_close(struct gf_stores *stores, uint32_t shard, struct gf_store *store)
{
    (void)stores, (void)shard, (void)store;
}

static enum gf_rc
stores_condemn(struct gf_stores *stores, uint32_t shard, const char *why, struct gf_error *error)
{
    (void)error;
    struct sim_instance *instance = instance_of(stores);
    SIM_TRACE(instance->sim, "%s puts the store of shard %u away: %s", instance->name, shard, why);
    instance->sim->counts[SIM_CONDEMNED]++;
    instance->disks[shard].is_put_away = true;
    sim_snapshot_distrust(&instance->disks[shard]);
    sim_disk_replace(&instance->disks[shard], gf_memory_store_new());
    return GF_OK;
}

static enum gf_rc
stores_snapshot(struct gf_stores *stores, uint32_t shard, struct gf_store *store, int64_t batch,
                struct gf_error *error)
{
    (void)store;
    return sim_snapshot_offer(&instance_of(stores)->disks[shard], batch, error);
}

void
sim_disks_open(struct sim_instance *instance)
{
    static const struct gf_stores_ops ops = {.name = "simulated",
                                             .open = stores_open,
                                             .close = stores_close,
                                             .condemn = stores_condemn,
                                             .snapshot = stores_snapshot};
    instance->stores.ops = &ops;
    for (uint32_t i = 0; i < instance->sim->shard_count; i++) {
        instance->disks[i] = (struct sim_disk){.base = {.ops = &disk_ops},
                                               .store = gf_memory_store_new(),
                                               .safe = gf_memory_store_new(),
                                               .instance = instance,
                                               .shard = i};
    }
}

void
sim_disks_close(struct sim_instance *instance)
{
    for (uint32_t i = 0; i < instance->sim->shard_count; i++) {
        struct sim_disk *disk = &instance->disks[i];
        disk->store->ops->close(disk->store);
        disk->safe->ops->close(disk->safe);
        sim_writes_drop(disk);
        free(disk->writes);
        if (disk->links != NULL) {
            disk->links->ops->close(disk->links);
        }
    }
}

/* ---- what a crash does ---- */

struct pick {
    uint64_t left; /* blocks to go */
    uint8_t kind;
    uint8_t key[256];
    uint32_t key_size;
    bool is_found;
};

/* Timers have no checksum of their own: a flipped bit of theirs is RocksDB's to find. */
static enum gf_rc
block_pick(void *context, const struct gf_store_block *block, struct gf_error *error)
{
    (void)error;
    struct pick *pick = context;
    if (!pick->is_found && block->kind != GF_BLOCK_TIMERS && pick->left-- == 0 &&
        block->key.size <= sizeof(pick->key)) {
        pick->is_found = true;
        pick->kind = block->kind;
        pick->key_size = block->key.size;
        memcpy(pick->key, block->key.size == 0 ? (const uint8_t *)"" : block->key.data,
               block->key.size);
    }
    return GF_OK;
}

void
sim_disk_doubt(struct sim_disk *disk)
{
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    (void)disk->store->ops->metas(disk->store, disk->shard, metas, NULL);
    disk->is_damaged = true;
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        disk->damaged_at[slice] = metas[slice].batch;
    }
}

void
sim_disk_damage(struct sim_disk *disk)
{
    struct sim *sim = disk->instance->sim;
    struct pick pick = {.left = sim_below(sim, 3)};
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT && !pick.is_found; slice++) {
        (void)disk->store->ops->scan(disk->store, disk->shard, slice, block_pick, &pick, NULL);
        if (pick.is_found) {
            SIM_TRACE(sim, "%s: a bit of slice %u of shard %u flips", disk->instance->name, slice,
                      disk->shard);
            sim_disk_doubt(disk);
            gf_memory_store_damage(disk->store, disk->shard, slice, pick.kind,
                                   gf_span_of(pick.key, pick.key_size),
                                   (uint32_t)sim_below(sim, 4096));
        }
    }
}

/* The newest writes of a store are gone; or, worse than RocksDB's log allows, any of them. */
static void
power_lost(struct sim_disk *disk)
{
    struct sim *sim = disk->instance->sim;
    const bool is_reordered = sim_chance(sim, sim->weather.reordered);
    SIM_TRACE(sim, "%s: of %u writes to shard %u %s are lost", disk->instance->name,
              disk->write_count, disk->shard, is_reordered ? "any" : "the newest");
    const bool is_damaged = is_reordered || disk->is_damaged;
    sim->counts[SIM_POWER_LOST]++;
    sim->counts[SIM_REORDERED] += is_reordered;
    sim_disk_replace(disk, sim_writes_crash(disk, is_reordered));
    if (is_damaged) {
        sim_disk_doubt(disk);
    }
}

void
sim_disks_crash(struct sim_instance *instance)
{
    struct sim *sim = instance->sim;
    const bool is_machine = sim_chance(sim, sim->weather.machine);
    SIM_TRACE(sim, "%s is gone%s", instance->name, is_machine ? ", and its machine with it" : "");
    for (uint32_t i = 0; i < sim->shard_count; i++) {
        struct sim_disk *disk = &instance->disks[i];
        disk->restored = disk->trusted_below = 0; /* its process knew */
        disk->is_found_bad = false;
        if (is_machine) {
            power_lost(disk);
        } else if (sim_chance(sim, sim->weather.disk_lost)) {
            SIM_TRACE(sim, "%s: the store of shard %u is lost", instance->name, i);
            sim_disk_replace(disk, gf_memory_store_new());
        } else if (sim_chance(sim, sim->weather.disk_damaged)) {
            sim_disk_damage(disk);
        }
    }
}
