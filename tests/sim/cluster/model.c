/* An account of some outputs, made from the inputs alone and without the engine: which records are
 * refused, which readings are missing or replaced, who owes how much when. It is compared with
 * what the cluster has committed.
 *
 * Order of arrival is not ours to foresee; there, only what no order changes is compared. */
#include "model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LATE_US      (48 * GF_US_PER_HOUR)
#define CUSTOMER_MAX 32
#define FINDINGS_MAX 512
#define ARENA_SIZE   ((size_t)1 << 18)

static uint64_t arena_memory[ARENA_SIZE / sizeof(uint64_t)];

static bool
body_decode(const struct gf_record *record, bool is_framed, void *out)
{
    const uint32_t skip = is_framed ? GF_FRAME_SIZE : 0;
    struct gf_arena arena = gf_arena_of(arena_memory, sizeof(arena_memory));
    struct gf_reader reader =
        gf_reader_of(gf_span_of(record->value.data + skip, record->value.size - skip));
    return gf_topics[record->topic].decode(&reader, &arena, out) == GF_OK &&
           reader.at == reader.end;
}

const struct gf_record *
model_output(const struct sim *sim, enum gf_topic topic, uint32_t shard, uint32_t *at, void *out)
{
    const struct sim_part *part = &sim->parts[topic][shard];
    while (*at < part->count) {
        const struct sim_entry *entry = &part->entries[(*at)++];
        if (entry->state == SIM_ENTRY_COMMITTED && body_decode(entry->record, false, out)) {
            return entry->record;
        }
    }
    return NULL;
}

bool
model_input(const struct sim *sim, enum gf_topic topic, uint32_t shard, uint32_t index, void *out)
{
    return body_decode(gf_memory_log_get(sim->world->lab.log, topic, shard, index), true, out);
}

/* ---- readings: refused, missing, replaced ---- */

struct finding {
    int32_t rule;
    struct gf_span entity;
    struct gf_time start;
    int64_t count;
};

struct seen {
    struct gf_span customer;
    int64_t newest_us;  /* start of the newest slot */
    int64_t values[64]; /* of the newest slots, by slot; 0: none */
};

struct readings {
    struct seen seen[CUSTOMER_MAX];
    uint32_t seen_count;
    struct finding findings[FINDINGS_MAX];
    uint32_t finding_count;
    uint32_t refused[FINDINGS_MAX]; /* offsets */
    bool is_late[FINDINGS_MAX];
    uint32_t refused_count;
};

static struct seen *
seen_get(struct readings *readings, struct gf_span customer)
{
    for (uint32_t i = 0; i < readings->seen_count; i++) {
        if (gf_span_equal(readings->seen[i].customer, customer)) {
            return &readings->seen[i];
        }
    }
    struct seen *seen = &readings->seen[readings->seen_count++];
    *seen = (struct seen){.customer = customer, .newest_us = INT64_MIN};
    return seen;
}

static void
reading_take(struct readings *readings, uint32_t offset, const struct gf_record *record,
             const struct gf_meter_reading *reading)
{
    struct seen *seen = seen_get(readings, record->key);
    const int64_t step = reading->interval_s * GF_US_PER_S, at = reading->interval_start.us;
    int64_t *value = &seen->values[(uint64_t)(at / step) % 64];
    struct finding finding = {.entity = record->key, .start = reading->interval_start, .count = 1};
    if (seen->newest_us != INT64_MIN && at + LATE_US < seen->newest_us) {
        readings->is_late[readings->refused_count] = true;
        readings->refused[readings->refused_count++] = offset;
        return;
    }
    if (at <= seen->newest_us) { /* this world knows such slots as repeats alone */
        finding.rule = GF_QUALITY_RULE_V25_REPLACED; /* of equal quality: the newer counts */
        if (*value != reading->energy_micro_kwh.micro_kwh) {
            readings->findings[readings->finding_count++] = finding;
            *value = reading->energy_micro_kwh.micro_kwh;
        }
        return;
    }
    if (seen->newest_us != INT64_MIN && at > seen->newest_us + step) {
        finding.rule = GF_QUALITY_RULE_V02_GAP;
        finding.start.us = seen->newest_us + step;
        finding.count = (at - seen->newest_us) / step - 1;
        readings->findings[readings->finding_count++] = finding;
    }
    *value = reading->energy_micro_kwh.micro_kwh;
    seen->newest_us = at;
}

static void
readings_take(const struct sim *sim, uint32_t shard, struct readings *readings)
{
    const struct gf_memory_log *log = sim->world->lab.log;
    const uint32_t count = gf_memory_log_count(log, GF_TOPIC_METER_READINGS, shard);
    for (uint32_t i = 0; i < count; i++) {
        struct gf_meter_reading reading;
        const struct gf_record *record = gf_memory_log_get(log, GF_TOPIC_METER_READINGS, shard, i);
        if (!body_decode(record, true, &reading)) {
            readings->refused[readings->refused_count++] = i;
        } else {
            reading_take(readings, i, record, &reading);
        }
    }
}

static void
refused_compare(struct sim *sim, uint32_t shard, const struct readings *readings)
{
    struct gf_dead_letter letter;
    uint32_t at = 0, next = 0, count = 0;
    const bool is_arrival = sim->world->is_arrival;
    while (model_output(sim, GF_TOPIC_DEAD_LETTERS, shard, &at, &letter) != NULL) {
        const bool is_late = gf_span_equal(letter.code, gf_span_text("LATE"));
        count++;
        if (is_arrival && is_late) {
            continue;
        }
        while (is_arrival && next < readings->refused_count && readings->is_late[next]) {
            next++;
        }
        if (next == readings->refused_count || readings->refused[next] != letter.offset ||
            readings->is_late[next] != is_late) {
            sim_fail(sim, "dead.letters/%u: %.*s of offset %" PRId64 " is not what the model says",
                     shard, GF_SPAN_PRINT(letter.code), letter.offset);
            return;
        }
        next++;
    }
    while (is_arrival && next < readings->refused_count && readings->is_late[next]) {
        next++;
    }
    const struct gf_tally *tally = &sim->places[shard].tally;
    if (next != readings->refused_count || count != tally->dead + tally->late) {
        sim_fail(sim, "dead.letters/%u: %u records; the model says %u refused, the tally %" PRId64,
                 shard, count, readings->refused_count, tally->dead + tally->late);
    }
}

static void
findings_compare(struct sim *sim, uint32_t shard, const struct readings *readings)
{
    struct gf_data_quality quality;
    uint32_t at = 0, next = 0;
    while (model_output(sim, GF_TOPIC_DATA_QUALITY, shard, &at, &quality) != NULL) {
        if (quality.rule != GF_QUALITY_RULE_V25_REPLACED &&
            quality.rule != GF_QUALITY_RULE_V02_GAP) {
            continue;
        }
        const struct finding *wanted = &readings->findings[next];
        if (next == readings->finding_count || wanted->rule != quality.rule ||
            wanted->start.us != quality.interval_start.us || wanted->count != quality.count ||
            !gf_span_equal(wanted->entity, quality.entity)) {
            sim_fail(sim,
                     "data.quality/%u: finding %u (rule %d of %.*s, %" PRId64
                     " slots) is not what the model says (%d, %" PRId64 ")",
                     shard, next, quality.rule, GF_SPAN_PRINT(quality.entity), quality.count,
                     wanted->rule, wanted->count);
            return;
        }
        next++;
    }
    if (next != readings->finding_count) {
        sim_fail(sim, "data.quality/%u: %u gaps and replacements; the model says %u", shard, next,
                 readings->finding_count);
    }
}

void
model_check(struct sim *sim)
{
    static struct readings readings;
    for (uint32_t shard = 0; shard < sim->shard_count && !sim->is_failed; shard++) {
        memset(&readings, 0, sizeof(readings));
        readings_take(sim, shard, &readings);
        refused_compare(sim, shard, &readings);
        if (!sim->world->is_arrival && !sim->is_failed) {
            findings_compare(sim, shard, &readings);
        }
        if (!sim->world->is_arrival && !sim->is_failed) {
            model_ledger_check(sim, shard);
        }
    }
}
