/* What must hold at the end, when faults have stopped and all is drained. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/slice.h"
#include "sim.h"

/* ---- P2: outputs ---- */

/* The next committed entry from `*at` on; NULL: there is none. */
static const struct sim_entry *
committed_next(const struct sim_part *part, uint32_t *at)
{
    while (*at < part->count) {
        const struct sim_entry *entry = &part->entries[(*at)++];
        if (entry->state == SIM_ENTRY_COMMITTED) {
            return entry;
        }
    }
    return NULL;
}

static bool
is_same(const struct gf_record *a, const struct gf_record *b)
{
    return a->timestamp.us == b->timestamp.us && gf_span_equal(a->key, b->key) &&
           gf_span_equal(a->value, b->value);
}

/* Byte for byte what an undisturbed run gives. */
static void
outputs_compare(struct sim *sim, enum gf_topic topic, uint32_t shard)
{
    const struct gf_memory_log *log = sim->world->lab.log;
    const uint32_t wanted = gf_memory_log_count(log, topic, shard);
    const struct sim_part *part = &sim->parts[topic][shard];
    const struct sim_entry *entry = NULL;
    uint32_t at = 0, count = 0;
    while ((entry = committed_next(part, &at)) != NULL) {
        if (count >= wanted ||
            !is_same(entry->record, gf_memory_log_get(log, topic, shard, count))) {
            sim_fail(sim, "%s/%u: output %u is not that of an undisturbed run, which has %u (P2)",
                     gf_topics[topic].name, shard, count, wanted);
            return;
        }
        count++;
    }
    if (count != wanted) {
        sim_fail(sim, "%s/%u: %u outputs of %u (P2)", gf_topics[topic].name, shard, count, wanted);
    }
}

/* Each journal record came with its effects: they are visible if and only if it is, in its order.
 */
static void
steps_compare(struct sim *sim, uint32_t shard)
{
    uint32_t *seen = calloc(sim->step_count + 1, sizeof(*seen));
    uint32_t *order = calloc(sim->step_count + 1, sizeof(*order));
    if (seen == NULL || order == NULL) {
        abort();
    }
    const struct sim_entry *entry = NULL;
    uint32_t at = 0, number = 0;
    while ((entry = committed_next(&sim->parts[GF_TOPIC_JOURNAL][shard], &at)) != NULL) {
        order[entry->step] = ++number;
    }
    for (int topic = GF_TOPIC_INPUT_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        uint32_t last = 0;
        at = 0;
        while (topic != GF_TOPIC_JOURNAL &&
               (entry = committed_next(&sim->parts[topic][shard], &at)) != NULL) {
            seen[entry->step]++;
            if (order[entry->step] == 0 || order[entry->step] < last) {
                sim_fail(sim, "%s/%u: an output is visible %s (P2)", gf_topics[topic].name, shard,
                         order[entry->step] == 0 ? "without its journal record"
                                                 : "before those of an older batch");
            }
            last = order[entry->step];
        }
    }
    for (uint32_t step = 1; step <= sim->step_count; step++) {
        if (order[step] > 0 && seen[step] != sim->step_effects[step]) {
            sim_fail(sim, "shard %u: %u outputs of a batch that made %u are visible (P2)", shard,
                     seen[step], sim->step_effects[step]);
        }
    }
    free(seen);
    free(order);
}

/* ---- P3: state ---- */

static enum gf_rc
block_take(void *context, const struct gf_store_block *block, struct gf_error *error)
{
    (void)error;
    gf_digest_extend(context, &block->kind, sizeof(block->kind));
    gf_digest_extend(context, &block->key.size, sizeof(block->key.size));
    gf_digest_extend(context, block->key.data, block->key.size);
    gf_digest_extend(context, block->bytes.data, block->bytes.size);
    return GF_OK;
}

static bool
is_same_slice(struct gf_store *a, struct gf_store *b, uint32_t shard, uint32_t slice,
              const struct gf_slice_meta *meta_a, const struct gf_slice_meta *meta_b)
{
    struct gf_digest digest_a = gf_digest_of("", 0), digest_b = gf_digest_of("", 0);
    (void)a->ops->scan(a, shard, slice, block_take, &digest_a, NULL);
    (void)b->ops->scan(b, shard, slice, block_take, &digest_b, NULL);
    return memcmp(meta_a->digest.bytes, meta_b->digest.bytes, GF_DIGEST_SIZE) == 0 &&
           meta_a->entity_count == meta_b->entity_count &&
           memcmp(digest_a.bytes, digest_b.bytes, GF_DIGEST_SIZE) == 0;
}

static void
state_compare(struct sim *sim, uint32_t shard, int64_t batch_min, struct gf_store *ours,
              struct gf_store *wanted, const char *whose, const char *than)
{
    struct gf_slice_meta metas[GF_SLICE_COUNT], wanted_metas[GF_SLICE_COUNT];
    (void)ours->ops->metas(ours, shard, metas, NULL);
    (void)wanted->ops->metas(wanted, shard, wanted_metas, NULL);
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT && !sim->is_failed; slice++) {
        if (metas[slice].batch >= batch_min &&
            !is_same_slice(ours, wanted, shard, slice, &metas[slice], &wanted_metas[slice])) {
            sim_fail(sim,
                     "shard %u slice %u: the state in the store of %s (batch %" PRId64
                     ") is another than that of %s (batch %" PRId64 ") (P3)",
                     shard, slice, whose, metas[slice].batch, than, wanted_metas[slice].batch);
        }
    }
}

struct one_store {
    struct gf_stores base;
    struct gf_store *store;
};

static enum gf_rc
one_open(struct gf_stores *stores, uint32_t shard, struct gf_store **out, struct gf_error *error)
{
    (void)shard, (void)error;
    *out = ((struct one_store *)stores)->store;
    return GF_OK;
}

static void
one_close(struct gf_stores *stores, uint32_t shard, struct gf_store *store)
{
    (void)stores, (void)shard, (void)store;
}

static enum gf_rc
one_condemn(struct gf_stores *stores, uint32_t shard, const char *why, struct gf_error *error)
{
    (void)stores, (void)shard, (void)why, (void)error;
    return GF_OK;
}

/* A shard over one store and the broker's journal, outside of any instance. */
static struct gf_shard *
shard_over(struct sim *sim, uint32_t shard, struct one_store *stores)
{
    static const struct gf_stores_ops ops = {
        .name = "one", .open = one_open, .close = one_close, .condemn = one_condemn};
    struct gf_shard_options options = instance_shard_options(sim, shard);
    struct gf_error error = {{0}};
    struct gf_shard *out = NULL;
    stores->base.ops = &ops;
    if (gf_shard_new(&options, &sim->instances[0].source, &sim->world->lab.lookup, &stores->base,
                     &out, &error) != GF_OK) {
        sim_fail(sim, "a shard for the check: %s", error.text);
    }
    return out;
}

/* The journal, folded from batch 1, gives the same effects, and each slice that the journal names
 * the same state. */
static void
replay_check(struct sim *sim, uint32_t shard)
{
    struct one_store stores = {.store = gf_memory_store_new()};
    struct gf_shard *replayed = shard_over(sim, shard, &stores);
    struct gf_replay_totals totals;
    struct gf_error error = {{0}};
    const enum gf_rc rc =
        gf_shard_replay(replayed, GF_TIME_NONE, GF_TIME_NONE, NULL, &totals, &error);
    if (rc != GF_OK) {
        sim_fail(sim, "shard %u: its replay: %s: %s (P3)", shard, gf_rc_name(rc), error.text);
    } else if (totals.batches != sim->places[shard].batch) {
        sim_fail(sim, "shard %u: its replay has %" PRId64 " batches of %" PRId64, shard,
                 totals.batches, sim->places[shard].batch);
    }
    gf_shard_free(replayed);
    stores.store->ops->close(stores.store);
}

/* A store that was left behind, or a snapshot, however far behind: recovered, it holds the same
 * state. A damaged one says so. */
static void
leftover_check(struct sim *sim, uint32_t shard, const struct gf_store *left, bool is_damaged,
               const char *whose, struct gf_store *wanted)
{
    struct one_store stores = {.store = gf_memory_store_copy(left)};
    struct gf_shard *recovered = shard_over(sim, shard, &stores);
    struct gf_error error = {{0}};
    enum gf_rc rc = gf_shard_recover(recovered, NULL, &error);
    if (rc == GF_OK) {
        rc = gf_shard_sweep(recovered, true, &error);
    }
    if (rc == GF_OK) {
        /* Slices that a crash left unnamed wait for a record that names them. */
        state_compare(sim, shard, gf_shard_batch(recovered), stores.store, wanted, whose,
                      "the last owner");
    } else if (rc != GF_E_STATE || !is_damaged) {
        sim_fail(sim, "shard %u: the store of %s, recovered: %s: %s (P3)", shard, whose,
                 gf_rc_name(rc), error.text);
    }
    gf_shard_free(recovered);
    stores.store->ops->close(stores.store);
}

/* The owner's store is at the newest batch. Were that batch not committed after all, the store
 * would be ahead of its journal, and is refused. */
static void
ahead_check(struct sim *sim, uint32_t shard, const struct gf_store *store)
{
    struct sim_part *part = &sim->parts[GF_TOPIC_JOURNAL][shard];
    uint32_t at = 0, newest = UINT32_MAX;
    while (committed_next(part, &at) != NULL) {
        newest = part->entries[at - 1].is_batch ? at - 1 : newest;
    }
    if (newest == UINT32_MAX) {
        return;
    }
    part->entries[newest].state = SIM_ENTRY_ABORTED;
    struct one_store stores = {.store = gf_memory_store_copy(store)};
    struct gf_shard *ahead = shard_over(sim, shard, &stores);
    struct gf_error error = {{0}};
    const enum gf_rc rc = gf_shard_recover(ahead, NULL, &error);
    if (rc != GF_E_DAMAGED) {
        sim_fail(sim, "shard %u: a store whose newest batch was never committed: %s %s (P3)", shard,
                 rc == GF_OK ? "accepted" : gf_rc_name(rc), error.text);
    }
    gf_shard_free(ahead);
    stores.store->ops->close(stores.store);
    part->entries[newest].state = SIM_ENTRY_COMMITTED;
}

/* ---- P5: the group's offsets ---- */

static void
offsets_check(struct sim *sim, uint32_t shard)
{
    const struct sim_journal_place *place = &sim->places[shard];
    for (uint32_t i = 0; i < place->input_count; i++) {
        const uint32_t at = (uint32_t)place->topic[i] * SIM_SHARDS_MAX + place->partition[i];
        if (!gf_topics[place->topic[i]].is_reference && sim->offsets[at].offset != place->to[i]) {
            sim_fail(sim,
                     "%s/%u: the group's offset is %" PRId64 ", the journal's %" PRId64 " (P5)",
                     gf_topics[place->topic[i]].name, place->partition[i], sim->offsets[at].offset,
                     place->to[i]);
        }
    }
}

/* Whether an owner's store has nothing to say at the end. It was put away when everybody was just
 * asked to stop; or there is damage to a slice that nobody has asked for since, and the next to ask
 * is told. A slice that was written since was asked for. */
static bool
says_nothing(struct sim *sim, const struct sim_disk *disk)
{
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    bool is_told = disk->is_put_away;
    (void)disk->store->ops->metas(disk->store, disk->shard, metas, NULL);
    for (uint32_t slice = 0; disk->is_damaged && slice < GF_SLICE_COUNT; slice++) {
        if (metas[slice].batch > 0 &&
            gf_slice_check(disk->store, disk->shard, slice, &metas[slice], NULL) == GF_E_STATE) {
            is_told = true;
            if (metas[slice].batch != disk->damaged_at[slice]) {
                sim_fail(sim, "%s wrote slice %u of shard %u at batch %lld over damage (P3)",
                         disk->instance->name, slice, disk->shard, (long long)metas[slice].batch);
            }
        }
    }
    return is_told;
}

void
final_check(struct sim *sim)
{
    for (uint32_t shard = 0; shard < sim->shard_count && !sim->is_failed; shard++) {
        struct sim_instance *owner = &sim->instances[sim_owner(sim, shard)];
        struct gf_store *const store = owner->disks[shard].store;
        const bool is_whole = !says_nothing(sim, &owner->disks[shard]);
        offsets_check(sim, shard);
        steps_compare(sim, shard);
        for (int topic = GF_TOPIC_INPUT_COUNT; topic < GF_TOPIC_COUNT; topic++) {
            if (topic != GF_TOPIC_JOURNAL && !sim->world->is_arrival) {
                outputs_compare(sim, (enum gf_topic)topic, shard);
            }
        }
        if (!sim->world->is_arrival && !sim->is_failed && is_whole) {
            state_compare(sim, shard, 0, store, sim->world->lab.store, owner->name,
                          "an undisturbed run");
        }
        if (!sim->is_failed && (sim->world->is_arrival || shard == sim->seed % sim->shard_count)) {
            replay_check(sim, shard);
        }
    }
    if (sim->is_failed) {
        return;
    }
    const uint32_t shard = (uint32_t)sim_below(sim, sim->shard_count);
    struct sim_instance *owner = &sim->instances[sim_owner(sim, shard)];
    const struct sim_disk *held = &sim->instances[sim_below(sim, sim->instance_count)].disks[shard];
    struct gf_store *const store = owner->disks[shard].store;
    if (says_nothing(sim, &owner->disks[shard])) {
        return;
    }
    if (held->instance != owner) {
        leftover_check(sim, shard, held->store, held->is_damaged, held->instance->name, store);
    }
    const struct sim_snapshots *folder = &sim->snapshots[shard];
    if (folder->count > 0) {
        const struct sim_snapshot *taken = &folder->kept[sim_below(sim, folder->count)];
        leftover_check(sim, shard, taken->store, false, "a snapshot", store);
    }
    ahead_check(sim, shard, store);
}
