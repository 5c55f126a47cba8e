/* The broker: partitions, transactional ids, markers that reach each partition at their own time.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define CHUNK_SIZE ((size_t)1 << 20)

struct sim_chunk {
    struct sim_chunk *next;
    size_t used;
    _Alignas(16) uint8_t bytes[CHUNK_SIZE];
};

static struct sim_chunk *chunks_free; /* kept from seed to seed */

void
broker_open(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_INSTANCES_MAX; i++) {
        struct sim_id *id = &sim->ids[i];
        snprintf(id->name, sizeof(id->name), "gridfold-%u", i);
        for (uint32_t k = 0; k < SIM_OFFSETS_MAX; k++) {
            id->pending[k].offset = -1;
        }
    }
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t i = 0; i < SIM_SHARDS_MAX; i++) {
            sim->parts[topic][i].hangs_from = -1;
            for (uint32_t k = 0; k < SIM_INSTANCES_MAX; k++) {
                sim->parts[topic][i].open_from[k] = -1;
            }
        }
    }
    for (uint32_t k = 0; k < SIM_OFFSETS_MAX; k++) {
        sim->offsets[k].offset = -1;
    }
}

void
broker_close(struct sim *sim)
{
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t i = 0; i < SIM_SHARDS_MAX; i++) {
            free(sim->parts[topic][i].entries);
        }
    }
    while (sim->chunks != NULL) {
        struct sim_chunk *chunk = sim->chunks;
        sim->chunks = chunk->next;
        chunk->next = chunks_free;
        chunks_free = chunk;
    }
    free(sim->step_effects);
}

void
sim_end_chunks(void)
{
    while (chunks_free != NULL) {
        struct sim_chunk *chunk = chunks_free;
        chunks_free = chunk->next;
        free(chunk);
    }
}

static void *
bytes_take(struct sim *sim, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (sim->chunks == NULL || sim->chunks->used + size > CHUNK_SIZE) {
        struct sim_chunk *chunk = chunks_free;
        chunks_free = chunk == NULL ? NULL : chunk->next;
        chunk = chunk == NULL ? malloc(sizeof(*chunk)) : chunk;
        if (chunk == NULL || size > CHUNK_SIZE) {
            abort();
        }
        chunk->used = 0;
        chunk->next = sim->chunks;
        sim->chunks = chunk;
    }
    void *out = sim->chunks->bytes + sim->chunks->used;
    sim->chunks->used += size;
    return out;
}

const struct gf_record *
broker_copy(struct sim *sim, const struct gf_output *output)
{
    struct gf_record *record =
        bytes_take(sim, sizeof(*record) + output->key.size + output->body.size);
    uint8_t *key = (uint8_t *)(record + 1), *body = key + output->key.size;
    memcpy(key, output->key.size == 0 ? "" : (const char *)output->key.data, output->key.size);
    memcpy(body, output->body.data, output->body.size);
    *record = (struct gf_record){.topic = (int32_t)output->topic,
                                 .partition = output->partition,
                                 .offset = -1,
                                 .timestamp = output->timestamp,
                                 .has_key = output->key.data != NULL,
                                 .has_value = true,
                                 .key = gf_span_of(key, output->key.size),
                                 .schema_id = gf_topics[output->topic].schema_id,
                                 .value = gf_span_of(body, output->body.size)};
    return record;
}

/* ---- partitions ---- */

static struct sim_entry *
entry_add(struct sim_part *part)
{
    if (part->count == part->capacity) {
        part->capacity = part->capacity * 2 + 64;
        part->entries = realloc(part->entries, part->capacity * sizeof(part->entries[0]));
        if (part->entries == NULL) {
            abort();
        }
    }
    part->entries[part->count] = (struct sim_entry){0};
    return &part->entries[part->count++];
}

uint32_t
broker_stable(const struct sim_part *part)
{
    return part->stable;
}

static void
stable_move(struct sim_part *part)
{
    int64_t stable = part->hangs_from >= 0 ? part->hangs_from : part->count;
    for (uint32_t i = 0; i < SIM_INSTANCES_MAX; i++) {
        stable =
            part->open_from[i] >= 0 && part->open_from[i] < stable ? part->open_from[i] : stable;
    }
    part->stable = (uint32_t)stable;
}

bool
broker_land(struct sim *sim, uint32_t index, uint32_t epoch, const struct gf_record *record,
            uint32_t step, bool *wait_out)
{
    struct sim_id *id = &sim->ids[index];
    struct sim_part *part = &sim->parts[record->topic][record->partition];
    const bool is_known =
        id->state == SIM_TXN_ONGOING && id->has_part[record->topic][record->partition];
    *wait_out =
        epoch == id->epoch && (id->state == SIM_TXN_ENDING || (!is_known && !broker_answers(sim)));
    if (epoch != id->epoch || *wait_out) {
        return epoch == id->epoch;
    }
    if (id->state == SIM_TXN_EMPTY) {
        id->state = SIM_TXN_ONGOING;
        id->started_us = sim->now_us;
    }
    id->has_part[record->topic][record->partition] = true;
    if (part->open_from[index] < 0) {
        part->open_from[index] = part->count;
    }
    struct gf_record *landed = (struct gf_record *)record;
    landed->offset = part->count;
    *entry_add(part) = (struct sim_entry){
        .record = record, .step = step, .id = (uint8_t)index, .state = SIM_ENTRY_OPEN};
    stable_move(part);
    return true;
}

bool
broker_answers(const struct sim *sim)
{
    return sim->now_us >= sim->coordinator_from_us;
}

static void
marker_done(struct sim_id *id)
{
    if (--id->markers_left == 0) {
        id->state = SIM_TXN_EMPTY;
        memset(id->had_part, 0, sizeof(id->had_part));
    }
}

/* A coordinator that is gone sends no more. */
static void
marker_land(struct sim *sim, const struct sim_event *event)
{
    struct sim_id *id = &sim->ids[event->a];
    const int topic = (int)(event->b / SIM_SHARDS_MAX);
    const uint32_t partition = (uint32_t)(event->b % SIM_SHARDS_MAX);
    struct sim_part *part = &sim->parts[topic][partition];
    if (event->c != sim->term) {
        return;
    }
    for (int64_t i = part->open_from[event->a]; i >= 0 && i < part->count; i++) {
        struct sim_entry *entry = &part->entries[i];
        if (entry->id == event->a && entry->state == SIM_ENTRY_OPEN) {
            entry->state = id->is_commit ? SIM_ENTRY_COMMITTED : SIM_ENTRY_ABORTED;
        }
    }
    part->open_from[event->a] = -1;
    *entry_add(part) = (struct sim_entry){.id = (uint8_t)event->a, .state = SIM_ENTRY_MARKER};
    stable_move(part);
    id->has_part[topic][partition] = false;
    id->had_part[topic][partition] = true;
    marker_done(id);
    if (topic == GF_TOPIC_JOURNAL) {
        SIM_TRACE(sim, "marker of %s on the journal of shard %u", id->name, partition);
        audit_journal(sim, partition);
    }
}

static void
offsets_land(struct sim *sim, const struct sim_event *event)
{
    struct sim_id *id = &sim->ids[event->a];
    if (event->c != sim->term) {
        return;
    }
    for (uint32_t k = 0; k < SIM_OFFSETS_MAX; k++) {
        struct sim_offset *pending = &id->pending[k];
        if (id->is_commit && pending->offset >= 0 && pending->order > sim->offsets[k].order) {
            sim->offsets[k] = *pending;
        }
        pending->offset = -1;
    }
    id->has_offsets = false;
    marker_done(id);
}

static int64_t
marker_delay(struct sim *sim)
{
    return sim_delay(sim, 3000, sim->weather.slow_marker, 8 * GF_US_PER_S);
}

static void
hang_end(struct sim *sim, const struct sim_event *event)
{
    const int topic = (int)event->a;
    struct sim_part *part = &sim->parts[topic][event->b];
    if (part->hangs_from < 0 || part->hangs_from != event->c) {
        return;
    }
    SIM_TRACE(sim, "an operator ends what hangs on %s/%u", gf_topics[topic].name,
              (unsigned)event->b);
    for (int64_t i = part->hangs_from; i < part->count; i++) {
        struct sim_entry *entry = &part->entries[i];
        entry->state = entry->id == SIM_HUNG && entry->state == SIM_ENTRY_OPEN ? SIM_ENTRY_ABORTED
                                                                               : entry->state;
    }
    part->hangs_from = -1;
    *entry_add(part) = (struct sim_entry){.id = SIM_HUNG, .state = SIM_ENTRY_MARKER};
    stable_move(part);
    if (topic == GF_TOPIC_JOURNAL) {
        audit_journal(sim, (uint32_t)event->b);
    }
}

uint32_t
broker_unhang(struct sim *sim)
{
    uint32_t count = 0;
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t i = 0; i < sim->shard_count; i++) {
            const int64_t from = sim->parts[topic][i].hangs_from;
            count += from >= 0;
            hang_end(sim, &(struct sim_event){.a = topic, .b = i, .c = from});
        }
    }
    return count;
}

/* The coordinator has forgotten one of the partitions of what it aborts: no marker ever comes
 * there. Whoever reads it stands still until an operator steps in, or for ever. A transaction that
 * was committed cannot hang so: what is forgotten of it would be lost, and nobody can work with
 * that. */
static void
hang(struct sim *sim, uint32_t index, int topic, uint32_t partition)
{
    struct sim_part *part = &sim->parts[topic][partition];
    if (part->hangs_from >= 0 || part->open_from[index] < 0) {
        return;
    }
    SIM_TRACE(sim, "the transaction of %s hangs on %s/%u", sim->ids[index].name,
              gf_topics[topic].name, partition);
    sim->counts[SIM_HANGING]++;
    part->hangs_from = part->open_from[index];
    part->open_from[index] = -1;
    for (int64_t i = part->hangs_from; i < part->count; i++) {
        struct sim_entry *entry = &part->entries[i];
        entry->id = entry->id == index && entry->state == SIM_ENTRY_OPEN ? SIM_HUNG : entry->id;
    }
    sim->ids[index].has_part[topic][partition] = false;
    if (sim_below(sim, 2) == 0) {
        sim_event(
            sim, sim->now_us + (int64_t)sim_below(sim, 120 * GF_US_PER_S),
            (struct sim_event){.run = hang_end, .a = topic, .b = partition, .c = part->hangs_from});
    }
}

/* Asks each partition for its marker; a new coordinator also those that have it. */
static void
markers_send(struct sim *sim, uint32_t index)
{
    struct sim_id *id = &sim->ids[index];
    const int64_t from_us = broker_answers(sim) ? sim->now_us : sim->coordinator_from_us;
    id->markers_left = 0;
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t i = 0; i < sim->shard_count; i++) {
            if (id->has_part[topic][i] || (id->had_part[topic][i] && sim_below(sim, 2) == 0)) {
                id->markers_left++;
                sim_event(sim, from_us + marker_delay(sim),
                          (struct sim_event){.run = marker_land,
                                             .a = index,
                                             .b = topic * SIM_SHARDS_MAX + i,
                                             .c = sim->term});
            }
        }
    }
    if (id->has_offsets) {
        id->markers_left++;
        sim_event(sim, from_us + marker_delay(sim),
                  (struct sim_event){.run = offsets_land, .a = index, .c = sim->term});
    }
    if (id->markers_left == 0) {
        id->markers_left = 1;
        marker_done(id);
    }
}

/* The decision: from here on nothing can change it; it becomes known bit by bit. */
static void
decide(struct sim *sim, uint32_t index, bool is_commit)
{
    struct sim_id *id = &sim->ids[index];
    id->state = SIM_TXN_ENDING;
    id->is_commit = is_commit;
    for (int topic = 0; topic < GF_TOPIC_COUNT && !is_commit; topic++) {
        for (uint32_t i = 0; i < sim->shard_count; i++) {
            if (id->has_part[topic][i] && sim_chance(sim, sim->weather.hanging)) {
                hang(sim, index, topic, i);
            }
        }
    }
    markers_send(sim, index);
    for (uint32_t i = 0; i < sim->shard_count; i++) {
        if (is_commit && id->batch[i] > sim->places[i].decided) {
            sim->places[i].decided = id->batch[i];
        }
        id->batch[i] = 0;
    }
    sim->counts[SIM_COMMITS] += is_commit;
    sim->counts[SIM_ABORTS] += !is_commit;
    SIM_TRACE(sim, "%s of %s is decided", is_commit ? "commit" : "abort", id->name);
}

/* ---- transactions ---- */

bool
broker_end(struct sim *sim, uint32_t index, uint32_t epoch, bool is_commit)
{
    struct sim_id *id = &sim->ids[index];
    if (epoch != id->epoch) {
        return false;
    }
    if (id->state == SIM_TXN_ONGOING) {
        decide(sim, index, is_commit);
    }
    return true;
}

uint32_t
broker_init(struct sim *sim, uint32_t index)
{
    struct sim_id *id = &sim->ids[index];
    id->epoch++;
    if (id->state == SIM_TXN_ONGOING) {
        decide(sim, index, false);
    }
    return id->epoch;
}

bool
broker_offsets(struct sim *sim, uint32_t index, uint32_t epoch, const struct gf_position *positions,
               uint32_t count, bool *wait_out)
{
    struct sim_id *id = &sim->ids[index];
    *wait_out = epoch == id->epoch && id->state == SIM_TXN_ENDING;
    if (epoch != id->epoch || *wait_out) {
        return epoch == id->epoch;
    }
    if (id->state == SIM_TXN_EMPTY) {
        id->state = SIM_TXN_ONGOING;
        id->started_us = sim->now_us;
    }
    id->has_offsets = true;
    for (uint32_t i = 0; i < count; i++) {
        id->pending[(uint32_t)positions[i].topic * SIM_SHARDS_MAX + positions[i].partition] =
            (struct sim_offset){.offset = positions[i].offset, .order = ++sim->orders};
    }
    return true;
}

/* The coordinator moves. What it has decided is kept; the next one reads that, answers nobody
 * meanwhile, and then sends the markers of whatever has not ended, not knowing which are there. */
static void
coordinator_move(struct sim *sim)
{
    sim->term++;
    sim->coordinator_from_us = sim->now_us + sim_delay(sim, 2 * GF_US_PER_S, 4, 12 * GF_US_PER_S);
    sim->counts[SIM_MOVES]++;
    SIM_TRACE(sim, "the coordinator of transactions moves: no answers until %.3f",
              (double)sim->coordinator_from_us / 1e6);
    for (uint32_t i = 0; i < sim->instance_count; i++) {
        if (sim->ids[i].state == SIM_TXN_ENDING) {
            sim->counts[SIM_COMPLETED]++;
            markers_send(sim, i);
        }
    }
}

/* Transactions that have been open for too long are ended, and their producers fenced. */
void
broker_tick(struct sim *sim)
{
    if (broker_answers(sim) && sim_chance(sim, sim->weather.move)) {
        coordinator_move(sim);
    }
    for (uint32_t i = 0; i < sim->instance_count && broker_answers(sim); i++) {
        struct sim_id *id = &sim->ids[i];
        if (id->state == SIM_TXN_ONGOING && sim->now_us - id->started_us > sim->txn_us) {
            SIM_TRACE(sim, "the transaction of %s times out", id->name);
            sim->counts[SIM_TIMEOUTS]++;
            broker_init(sim, i);
        }
    }
}

bool
broker_is_quiet(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->instance_count; i++) {
        if (sim->ids[i].state != SIM_TXN_EMPTY) {
            return false;
        }
    }
    return true;
}
