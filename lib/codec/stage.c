#include "codec/stage.h"

#include <assert.h>

#include "base/hash.h"

const enum gf_stage gf_stage_flow[GF_STAGE_COUNT] = {GF_STAGE_INTAKE, GF_STAGE_CUSTOMER,
                                                     GF_STAGE_AREA};

const char *
gf_stage_name(enum gf_stage stage)
{
    static const char *const names[GF_STAGE_COUNT] = {"customer", "area", "intake"};
    assert((unsigned)stage < GF_STAGE_COUNT);
    return names[stage];
}

uint32_t
gf_stages_shard_end(uint32_t stages, uint32_t partitions)
{
    uint32_t end = 0;
    for (uint32_t stage = 0; stage < GF_STAGE_COUNT; stage++) {
        end = (stages & GF_STAGE_BIT(stage)) != 0 ? stage + 1 : end;
    }
    return end * partitions;
}

uint32_t
gf_stages_shard_count(uint32_t stages, uint32_t partitions)
{
    return (uint32_t)__builtin_popcount(stages) * partitions;
}

uint32_t
gf_stages_shard(uint32_t stages, uint32_t partitions, uint32_t index)
{
    uint32_t left = stages;
    for (uint32_t i = 0; i < index / partitions; i++) {
        left &= left - 1;
    }
    assert(left != 0);
    return (uint32_t)__builtin_ctz(left) * partitions + index % partitions;
}

bool
gf_stage_reads_whole(enum gf_stage stage, enum gf_topic topic)
{
    return stage == GF_STAGE_INTAKE && topic == GF_TOPIC_CUSTOMER_CONTRACTS;
}

static bool
is_of_every_stage(enum gf_topic topic)
{
    return topic == GF_TOPIC_JOURNAL || topic == GF_TOPIC_DEAD_LETTERS;
}

bool
gf_stages_use(uint32_t stages, enum gf_topic topic)
{
    const struct gf_topic_info *const info = &gf_topics[topic];
    if (topic == GF_TOPIC_AREA_BALANCE) {
        return (stages & GF_STAGE_BIT(GF_STAGE_AREA)) != 0;
    }
    return (stages & GF_STAGE_BIT(info->stage)) != 0 &&
           (!info->is_internal || (stages & GF_STAGE_BIT(info->from)) != 0);
}

uint32_t
gf_stages_partitions(uint32_t stages, enum gf_topic topic, uint32_t partitions)
{
    const struct gf_topic_info *const info = &gf_topics[topic];
    if (!gf_stages_use(stages, topic)) {
        return 0;
    }
    if (info->is_reference) {
        return 1;
    }
    if (is_of_every_stage(topic)) {
        return gf_stages_shard_end(stages, partitions);
    }
    return info->is_internal ? partitions * partitions : partitions;
}

bool
gf_stage_reads(uint32_t stages, enum gf_stage stage, enum gf_topic topic)
{
    const struct gf_topic_info *const info = &gf_topics[topic];
    if (gf_stage_reads_whole(stage, topic)) {
        return true;
    }
    return (info->is_input || info->is_internal) && info->stage == stage &&
           gf_stages_use(stages, topic);
}

uint32_t
gf_stage_input(enum gf_topic topic, uint32_t shard, uint32_t partitions, uint32_t count,
               uint32_t *first_out)
{
    const uint32_t partition = shard % partitions;
    *first_out = 0;
    if (gf_topics[topic].is_reference ||
        gf_stage_reads_whole(gf_stage_of(shard, partitions), topic)) {
        return count;
    }
    *first_out = gf_topics[topic].is_internal ? partition * partitions : partition;
    return gf_topics[topic].is_internal ? partitions : 1;
}

uint32_t
gf_stage_output(enum gf_topic topic, uint32_t shard, uint32_t partitions, struct gf_span key)
{
    assert(!gf_topics[topic].is_input);
    if (is_of_every_stage(topic)) {
        return shard;
    }
    const uint32_t partition = shard % partitions;
    return gf_topics[topic].is_internal ? gf_partition_of(key, partitions) * partitions + partition
                                        : partition;
}

bool
gf_stage_writes(enum gf_stage stage, enum gf_topic topic)
{
    const struct gf_topic_info *info = &gf_topics[topic];
    if (info->is_internal) {
        return info->from == stage;
    }
    if (info->is_input) {
        return false;
    }
    return is_of_every_stage(topic) ||
           stage == (topic == GF_TOPIC_AREA_BALANCE ? GF_STAGE_AREA : GF_STAGE_CUSTOMER);
}
