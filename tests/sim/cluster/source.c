/* The source of an instance: inputs as far as they have come, outputs as far as they are stable. */
#include <string.h>

#include "sim.h"

static struct sim_instance *
instance_of(struct gf_source *source)
{
    return (struct sim_instance *)((char *)source - offsetof(struct sim_instance, source));
}

/* Inputs of a canonical run are all there; those of an arriving one come in half a minute, each
 * partition in a rhythm of its own. */
int64_t
sim_input_end(const struct sim *sim, enum gf_topic topic, uint32_t partition)
{
    const int64_t count = gf_memory_log_count(sim->world->lab.log, topic, partition);
    if (!sim->world->is_arrival) {
        return count;
    }
    const int64_t whole_us =
        (int64_t)(1 + gf_random_below(sim->seed, 3, (uint64_t)topic * 8 + partition, 30)) *
        GF_US_PER_S;
    return sim->now_us >= whole_us ? count : count * sim->now_us / whole_us;
}

static enum gf_rc
source_partitions(struct gf_source *source, enum gf_topic topic, uint32_t *count_out,
                  struct gf_error *error)
{
    (void)error;
    *count_out = gf_topics[topic].is_reference ? 1 : instance_of(source)->sim->shard_count;
    return GF_OK;
}

static int64_t
end_of(const struct sim *sim, enum gf_topic topic, uint32_t partition)
{
    return topic < GF_TOPIC_INPUT_COUNT ? sim_input_end(sim, topic, partition)
                                        : sim->parts[topic][partition].count;
}

static enum gf_rc
call(struct sim_instance *instance, int64_t us, struct gf_error *error)
{
    struct sim *sim = instance->sim;
    sim_pass(instance, us);
    if (sim_chance(sim, sim->weather.read_error)) {
        SIM_TRACE(sim, "%s cannot reach the broker", instance->name);
        return gf_fail(error, GF_E_UNAVAILABLE, "the broker cannot be reached");
    }
    return GF_OK;
}

static enum gf_rc
source_ends(struct gf_source *source, enum gf_topic topic, uint32_t partition, int64_t *first_out,
            int64_t *end_out, struct gf_error *error)
{
    struct sim_instance *instance = instance_of(source);
    const enum gf_rc rc = call(instance, sim_delay(instance->sim, 1000, 50, 500000), error);
    *first_out = 0;
    *end_out = end_of(instance->sim, topic, partition);
    if (topic == GF_TOPIC_JOURNAL && rc == GF_OK) {
        instance->asked_end[partition] = *end_out;
        instance->asked_us[partition] = instance->sim->now_us;
        SIM_TRACE(instance->sim, "%s: the journal of shard %u ends at %lld, stable %u",
                  instance->name, partition, (long long)*end_out,
                  instance->sim->parts[topic][partition].stable);
        sim_pass(instance, sim_delay(instance->sim, 300, 50, 500000));
    }
    return rc;
}

static enum gf_rc
source_ends_of(struct gf_source *source, const struct gf_source_place *places, uint32_t count,
               int64_t *ends_out, struct gf_error *error)
{
    struct sim_instance *instance = instance_of(source);
    const enum gf_rc rc = call(instance, sim_delay(instance->sim, 1000, 50, 500000), error);
    for (uint32_t i = 0; i < count; i++) {
        ends_out[i] = end_of(instance->sim, places[i].topic, places[i].partition);
    }
    return rc;
}

static enum gf_rc
source_offset_at(struct gf_source *source, enum gf_topic topic, uint32_t partition,
                 struct gf_time time, int64_t *offset_out, struct gf_error *error)
{
    (void)source, (void)topic, (void)partition, (void)time, (void)offset_out;
    return gf_fail(error, GF_E_CONFIG, "the simulation starts from the earliest");
}

static uint32_t
stable_read(const struct sim_part *part, int64_t offset, int64_t end, struct gf_record *out,
            uint32_t count_max, int64_t *next_out)
{
    uint32_t count = 0;
    int64_t at = offset;
    for (; at < end && at < part->stable && count < count_max; at++) {
        if (part->entries[at].state == SIM_ENTRY_COMMITTED) {
            out[count++] = *part->entries[at].record;
        }
    }
    *next_out = at;
    return count;
}

static enum gf_rc
source_read(struct gf_source *source, uint32_t reader, enum gf_topic topic, uint32_t partition,
            int64_t offset, int64_t end, struct gf_duration wait, struct gf_record *records_out,
            uint32_t count_max, uint32_t *count_out, int64_t *next_out, struct gf_error *error)
{
    struct sim_instance *instance = instance_of(source);
    struct sim *sim = instance->sim;
    (void)reader;
    *count_out = 0;
    *next_out = offset;
    enum gf_rc rc = call(instance, sim_delay(sim, 200, 0, 0), error);
    if (rc != GF_OK) {
        return rc;
    }
    const uint32_t rough = (uint32_t)sim_below(sim, 8);
    if (rough == 0) { /* not yet fetched */
        sim_pass(instance, wait.us < 20000 ? wait.us : 20000);
        return GF_OK;
    }
    count_max = rough < 3 && count_max > 3 ? 3 : count_max;
    if (topic >= GF_TOPIC_INPUT_COUNT) {
        *count_out = stable_read(&sim->parts[topic][partition], offset, end, records_out, count_max,
                                 next_out);
    } else {
        const int64_t there = sim_input_end(sim, topic, partition);
        while (*count_out < count_max && *next_out < end && *next_out < there) {
            records_out[(*count_out)++] =
                *gf_memory_log_get(sim->world->lab.log, topic, partition, (uint32_t)(*next_out)++);
        }
    }
    if (*next_out == offset) {
        sim_pass(instance, wait.us);
    }
    return GF_OK;
}

/* Whatever is there, decided or not. */
static enum gf_rc
source_peek(struct gf_source *source, enum gf_topic topic, uint32_t partition, int64_t offset,
            int64_t end, struct gf_record *records_out, uint32_t count_max, uint32_t *count_out,
            struct gf_error *error)
{
    struct sim_instance *instance = instance_of(source);
    const struct sim_part *part = &instance->sim->parts[topic][partition];
    *count_out = 0;
    const enum gf_rc rc = call(instance, sim_delay(instance->sim, 1000, 50, 500000), error);
    for (int64_t at = offset; rc == GF_OK && at < end && *count_out < count_max; at++) {
        if (part->entries[at].state != SIM_ENTRY_MARKER) {
            records_out[(*count_out)++] = *part->entries[at].record;
        }
    }
    return rc;
}

static void
source_release(struct gf_source *source, uint32_t reader, enum gf_topic topic, uint32_t partition,
               int64_t offset)
{
    (void)source, (void)reader, (void)topic, (void)partition, (void)offset;
}

static void
source_close(struct gf_source *source)
{
    (void)source;
}

void
sim_source_init(struct sim_instance *instance)
{
    static const struct gf_source_ops ops = {.name = "simulated",
                                             .partitions = source_partitions,
                                             .ends = source_ends,
                                             .ends_of = source_ends_of,
                                             .offset_at = source_offset_at,
                                             .read = source_read,
                                             .peek = source_peek,
                                             .release = source_release,
                                             .close = source_close};
    instance->source.ops = &ops;
}
