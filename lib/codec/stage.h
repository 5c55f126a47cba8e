/* Stages: what an event of one kind of entity says is input for another kind. A stage has its own
 * entities, input topics, shards and journal partitions; records go from stage to stage by internal
 * topics, inside the same transactions as all else.
 *
 *     headend.readings ─▶ intake ─ internal.readings ─▶ customer ─ internal.area.readings ─▶ area
 *
 * With P partitions a stage has P shards; shard number = stage * P + partition, so a log without
 * the later stages is numbered by partition alone. Every partition has one writing shard, so that
 * what is in it, and in which order, follows from the inputs:
 *
 *     input topics             P: the key's
 *     outputs of one stage     P: the shard's partition
 *     journal, dead.letters    P for each stage: the shard's number
 *     internal topics          P * P: key's partition * P + partition of the writing shard
 *
 * The merge of a shard that reads an internal topic has P heads of it, one for each writer. */
#ifndef GF_CODEC_STAGE_H
#define GF_CODEC_STAGE_H

#include "codec/records.h"

#define GF_STAGE_BIT(stage) (1u << (stage))
/* The stage that is always there, alone. */
#define GF_STAGES_CUSTOMER GF_STAGE_BIT(GF_STAGE_CUSTOMER)

/* In the order in which records flow: a stage reads nothing that a later one writes. */
extern const enum gf_stage gf_stage_flow[GF_STAGE_COUNT];

const char *gf_stage_name(enum gf_stage stage);

static inline enum gf_stage
gf_stage_of(uint32_t shard, uint32_t partitions)
{
    return (enum gf_stage)(shard / partitions);
}

/* Shards are numbered below this; `stages` is a set of GF_STAGE_BIT. */
uint32_t gf_stages_shard_end(uint32_t stages, uint32_t partitions);

/* How many shards there are, and the number of the index-th of them, which ascends. */
uint32_t gf_stages_shard_count(uint32_t stages, uint32_t partitions);
uint32_t gf_stages_shard(uint32_t stages, uint32_t partitions, uint32_t index);

/* Whether a topic is in use with these stages. */
bool gf_stages_use(uint32_t stages, enum gf_topic topic);
/* Partitions of a topic (1 of a reference topic); 0 when it is not in use. */
uint32_t gf_stages_partitions(uint32_t stages, enum gf_topic topic, uint32_t partitions);

/* Whether shards of the stage read the topic. */
bool gf_stage_reads(uint32_t stages, enum gf_stage stage, enum gf_topic topic);
/* Whether each shard of the stage reads all of the topic, from its beginning, as if it were a
 * reference topic: the intake's meters are those of all contracts, which are keyed by customer, and
 * few beside the readings. */
bool gf_stage_reads_whole(enum gf_stage stage, enum gf_topic topic);
/* The partitions of a topic that the shard reads: [*first_out, *first_out + result), given that the
 * topic has `count` of them. */
uint32_t gf_stage_input(enum gf_topic topic, uint32_t shard, uint32_t partitions, uint32_t count,
                        uint32_t *first_out);
/* Whether shards of the stage write the topic. */
bool gf_stage_writes(enum gf_stage stage, enum gf_topic topic);
/* The partition to which the shard writes a record with this key. */
uint32_t gf_stage_output(enum gf_topic topic, uint32_t shard, uint32_t partitions,
                         struct gf_span key);

#endif
