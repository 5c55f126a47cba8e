/* How far a live shard may read: pace.c says it. */
#include "codec/stage.h"
#include "loop/shard_parts.h"

enum gf_rc
gf_shard_freeze(struct gf_shard *shard, struct gf_time until, int64_t now_us,
                struct gf_error *error)
{
    shard->until = until;
    const enum gf_rc rc = gf_feed_freeze(&shard->feed, error);
    for (uint32_t i = 0; rc == GF_OK && i < shard->feed.input_count; i++) {
        struct gf_feed_input *input = &shard->feed.inputs[i];
        if (input->range.end > input->seen) {
            input->seen = input->range.end;
            input->came_us = now_us;
        }
        input->is_awaited = false;
    }
    return rc;
}

void
gf_shard_leave(struct gf_shard *shard)
{
    for (uint32_t i = 0; i < shard->feed.input_count; i++) {
        const struct gf_batch_input *range = &shard->feed.inputs[i].range;
        shard->source->ops->release(shard->source, shard->options.shard,
                                    (enum gf_topic)range->topic, range->partition, INT64_MAX);
    }
}

void
gf_shard_thaw(struct gf_shard *shard)
{
    for (uint32_t i = 0; i < shard->feed.input_count; i++) {
        struct gf_batch_input *range = &shard->feed.inputs[i].range;
        range->end = range->to;
    }
}

uint32_t
gf_shard_parts(const struct gf_shard *shard,
               struct gf_shard_part parts_out[static GF_SHARD_PARTS_MAX])
{
    const uint32_t partitions = shard->options.shard_count;
    uint32_t count = 0;
    for (uint32_t i = 0; i < shard->feed.input_count && count < GF_SHARD_PARTS_MAX; i++) {
        const struct gf_feed_input *input = &shard->feed.inputs[i];
        const struct gf_topic_info *topic = &gf_topics[input->range.topic];
        if (topic->is_internal) {
            parts_out[count++] = (struct gf_shard_part){
                .input = i,
                .writer = (uint32_t)topic->from * partitions + input->range.partition % partitions,
                .came_us = input->came_us};
        }
    }
    return count;
}

void
gf_shard_await(struct gf_shard *shard, uint32_t input)
{
    assert(input < shard->feed.input_count);
    shard->feed.inputs[input].is_awaited = true;
}

int64_t
gf_shard_lag(const struct gf_shard *shard)
{
    return gf_feed_lag(&shard->feed);
}
