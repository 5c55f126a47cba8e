/* What must hold of each journal as soon as it can be read: a chain of batches without a hole (P1),
 * and every record of the inputs accounted for. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

static void
input_take(struct sim *sim, uint32_t shard, const struct gf_journal *record, uint32_t index,
           int64_t *count)
{
    struct sim_journal_place *place = &sim->places[shard];
    const struct gf_journal_input *input = &record->inputs.items[index];
    char name[64] = {0};
    snprintf(name, sizeof(name), "%.*s", GF_SPAN_PRINT(input->topic));
    place->topic[index] = gf_topic_find(name);
    place->partition[index] = (uint32_t)input->partition;
    const int64_t taken = input->count - place->count[index];
    if (input->from != place->to[index] || taken != input->to - input->from || taken < 0 ||
        input->to > input->end) {
        sim_fail(sim,
                 "shard %u batch %" PRId64 " %s/%d: from %" PRId64 " to %" PRId64
                 ", but the batch before went to %" PRId64 "; %" PRId64 " taken (P1)",
                 shard, record->batch, name, input->partition, input->from, input->to,
                 place->to[index], taken);
    }
    place->to[index] = input->to;
    place->count[index] = input->count;
    *count += input->count;
}

static void
batch_take(struct sim *sim, uint32_t shard, const struct gf_journal *record)
{
    struct sim_journal_place *place = &sim->places[shard];
    const struct gf_tally *tally = &record->tally;
    if (record->batch != place->batch + 1) {
        sim_fail(sim, "shard %u: batch %" PRId64 " is committed after batch %" PRId64 " (P1)",
                 shard, record->batch, place->batch);
        return;
    }
    int64_t count = 0;
    place->input_count = record->inputs.count;
    for (uint32_t i = 0; i < record->inputs.count; i++) {
        input_take(sim, shard, record, i, &count);
    }
    const int64_t told = tally->processed + tally->filtered + tally->late + tally->dead;
    if (tally->records != count || tally->records != told) {
        sim_fail(sim,
                 "shard %u batch %" PRId64 ": %" PRId64 " records, %" PRId64 " by input, %" PRId64
                 " accounted for (conservation)",
                 shard, record->batch, tally->records, count, told);
    }
    place->batch = record->batch;
    place->tally = *tally;
}

void
audit_journal(struct sim *sim, uint32_t shard)
{
    static uint64_t memory[(1 << 19) / sizeof(uint64_t)];
    struct sim_journal_place *place = &sim->places[shard];
    const struct sim_part *part = &sim->parts[GF_TOPIC_JOURNAL][shard];
    for (; place->at < part->stable && !sim->is_failed; place->at++) {
        const struct sim_entry *entry = &part->entries[place->at];
        if (entry->state != SIM_ENTRY_COMMITTED) {
            continue;
        }
        struct gf_arena arena = gf_arena_of(memory, sizeof(memory));
        struct gf_reader reader = gf_reader_of(entry->record->value);
        struct gf_journal journal;
        if (gf_topics[GF_TOPIC_JOURNAL].decode(&reader, &arena, &journal) != GF_OK) {
            sim_fail(sim, "shard %u: journal record %u cannot be decoded", shard, place->at);
        } else if (journal.kind == GF_JOURNAL_KIND_BATCH) {
            batch_take(sim, shard, &journal);
        }
    }
}

/* Nobody goes live with a journal that it could not read to its end: what is hidden there may yet
 * be of any kind (R4). */
void
audit_take_over(struct sim_instance *instance, uint32_t shard)
{
    const struct sim_part *part = &instance->sim->parts[GF_TOPIC_JOURNAL][shard];
    if (part->hangs_from >= 0 && part->hangs_from < instance->asked_end[shard]) {
        sim_fail(instance->sim,
                 "%s is live with shard %u, whose journal cannot be read from %" PRId64
                 " on; its end was %" PRId64 " (R4)",
                 instance->name, shard, part->hangs_from, instance->asked_end[shard]);
    }
    instance->disks[shard].is_put_away = false;
    instance->has_told[shard] = false; /* of the next stall */
}

/* A partition on which a transaction hangs is read up to there and no further, and nothing is wrong
 * with that. Whoever was live with the shard goes on; whoever takes it over waits, and says so. */
void
audit_hanging(struct sim *sim)
{
    for (uint32_t shard = 0; shard < sim->shard_count; shard++) {
        const struct sim_part *part = &sim->parts[GF_TOPIC_JOURNAL][shard];
        const uint32_t owner = sim_owner(sim, shard);
        if (part->hangs_from < 0 || owner >= sim->instance_count) {
            continue;
        }
        const struct sim_instance *instance = &sim->instances[owner];
        const int64_t asked_us = instance->asked_us[shard];
        if (part->stable > part->hangs_from || sim->places[shard].at > part->hangs_from) {
            sim_fail(sim, "shard %u: its journal is read beyond what hangs at %" PRId64, shard,
                     part->hangs_from);
        }
        const struct gf_shard *held = instance->shards[shard];
        if (instance->state == SIM_UP && held != NULL && gf_shard_place(held) == GF_SHARD_LIVE &&
            gf_shard_lag(held) > 0) {
            sim_fail(sim, "%s is live with shard %u, and %" PRId64 " records behind (P4)",
                     instance->name, shard, gf_shard_lag(held));
        }
        if (instance->state == SIM_UP && asked_us > 0 &&
            sim->now_us - asked_us > 120 * GF_US_PER_S &&
            part->hangs_from < instance->asked_end[shard] && !instance->has_told[shard]) {
            sim_fail(sim, "%s waits for the journal of shard %u since %.3f and says nothing",
                     instance->name, shard, (double)asked_us / 1e6);
        }
    }
}

bool
audit_is_drained(const struct sim *sim)
{
    for (uint32_t shard = 0; shard < sim->shard_count; shard++) {
        const struct sim_journal_place *place = &sim->places[shard];
        if (place->input_count == 0) {
            return false;
        }
        for (uint32_t i = 0; i < place->input_count; i++) {
            const int64_t there = gf_memory_log_count(
                sim->world->lab.log, (enum gf_topic)place->topic[i], place->partition[i]);
            if (place->to[i] != there) {
                return false;
            }
        }
    }
    return broker_is_quiet(sim);
}
