#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec/stage.h"
#include "io/kafka_topics.h"

/* A late tariff plan or contract explains bills of years ago: these are never deleted. */
static bool
topic_is_kept(enum gf_topic topic)
{
    return gf_topics[topic].is_reference || topic == GF_TOPIC_CUSTOMER_CONTRACTS;
}

enum gf_rc
gf_kafka_topics_wanted(const struct gf_kafka_config *config, const struct gf_kafka_wish *wish,
                       struct gf_kafka_topic out[GF_TOPIC_COUNT], struct gf_error *error)
{
    assert(wish->shard_count > 0);
    for (size_t index = 0; index < GF_TOPIC_COUNT; index++) {
        const enum gf_topic topic = (enum gf_topic)index;
        out[index] = (struct gf_kafka_topic){
            .partition_count = gf_stages_partitions(
                wish->stages == 0 ? GF_STAGES_CUSTOMER : wish->stages, topic, wish->shard_count),
            .grows = topic == GF_TOPIC_JOURNAL || topic == GF_TOPIC_DEAD_LETTERS,
            .replication = wish->replication,
            .is_deleted = true,
            .retention_ms = topic_is_kept(topic) ? GF_KAFKA_FOREVER : wish->retention_ms,
            .retention_bytes = GF_KAFKA_FOREVER,
        };
        const enum gf_rc rc = gf_kafka_topic_name(config, topic, out[index].name, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

static bool
limit_is_shorter(int64_t there, int64_t wanted)
{
    return there != GF_KAFKA_FOREVER && (wanted == GF_KAFKA_FOREVER || there < wanted);
}

/* More partitions of a reference topic do no harm; shards are counted by partitions, so elsewhere
 * they must agree. */
static bool
gap_is_there(enum gf_kafka_gap gap, const struct gf_kafka_topic *wanted,
             const struct gf_kafka_topic *there)
{
    switch (gap) {
    case GF_KAFKA_GAP_MISSING:
        return there->partition_count == 0;
    case GF_KAFKA_GAP_PARTITIONS:
        return there->partition_count != wanted->partition_count;
    case GF_KAFKA_GAP_REPLICATION:
        return there->replication < wanted->replication;
    case GF_KAFKA_GAP_COMPACTED:
        return there->is_compacted && !wanted->is_compacted;
    case GF_KAFKA_GAP_RETENTION_TIME:
        return there->is_deleted && limit_is_shorter(there->retention_ms, wanted->retention_ms);
    case GF_KAFKA_GAP_RETENTION_SIZE:
        return there->is_deleted &&
               limit_is_shorter(there->retention_bytes, wanted->retention_bytes);
    }
    return false;
}

/* Whether the topics that do not grow have the partitions that are wanted: else it is their number
 * that was changed, and no stage switched on. */
static bool
partitions_agree(const struct gf_kafka_topic *wanted, const struct gf_kafka_topic *there,
                 uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        if (!wanted[index].grows && wanted[index].partition_count > 0 &&
            there[index].partition_count > 0 &&
            there[index].partition_count != wanted[index].partition_count) {
            return false;
        }
    }
    return true;
}

uint32_t
gf_kafka_topics_compare(const struct gf_kafka_topic *wanted, const struct gf_kafka_topic *there,
                        uint32_t count, struct gf_kafka_difference out[GF_KAFKA_DIFFERENCE_MAX])
{
    assert(count <= GF_TOPIC_COUNT);
    uint32_t found = 0;
    const bool agree = partitions_agree(wanted, there, count);
    for (uint32_t index = 0; index < count; index++) {
        if (wanted[index].partition_count == 0) {
            continue; /* of a stage that is off */
        }
        for (int gap = GF_KAFKA_GAP_MISSING; gap <= GF_KAFKA_GAP_RETENTION_SIZE; gap++) {
            /* Those of a stage that was switched off again do no harm. */
            const bool is_spare = gap == GF_KAFKA_GAP_PARTITIONS && agree && wanted[index].grows &&
                                  there[index].partition_count > wanted[index].partition_count;
            if (is_spare || !gap_is_there((enum gf_kafka_gap)gap, &wanted[index], &there[index])) {
                continue;
            }
            out[found++] = (struct gf_kafka_difference){
                .gap = (enum gf_kafka_gap)gap, .wanted = &wanted[index], .there = &there[index]};
            out[found - 1].can_grow = gap == GF_KAFKA_GAP_PARTITIONS && agree &&
                                      wanted[index].grows &&
                                      there[index].partition_count < wanted[index].partition_count;
            if (gap == GF_KAFKA_GAP_MISSING) {
                break;
            }
        }
    }
    return found;
}

static void
limit_print(int64_t limit, const char *unit, char text[32])
{
    if (limit == GF_KAFKA_FOREVER) {
        snprintf(text, 32, "unlimited");
    } else {
        snprintf(text, 32, "%" PRId64 " %s", limit, unit);
    }
}

void
gf_kafka_difference_print(const struct gf_kafka_difference *difference, char *text, size_t size)
{
    const struct gf_kafka_topic *const wanted = difference->wanted;
    const struct gf_kafka_topic *const there = difference->there;
    char limit_there[32], limit_wanted[32];
    switch (difference->gap) {
    case GF_KAFKA_GAP_MISSING:
        snprintf(text, size, "%s: missing; `gridfold topics create` makes it with %u partitions",
                 wanted->name, wanted->partition_count);
        return;
    case GF_KAFKA_GAP_PARTITIONS:
        if (difference->can_grow) {
            snprintf(text, size,
                     "%s: has %u partitions, needs %u; `gridfold topics create` adds them",
                     wanted->name, there->partition_count, wanted->partition_count);
            return;
        }
        snprintf(text, size, "%s: has %u partitions, needs %u; topics that share shards must agree",
                 wanted->name, there->partition_count, wanted->partition_count);
        return;
    case GF_KAFKA_GAP_REPLICATION:
        snprintf(text, size, "%s: has %u replicas, wanted are %u; reassign its partitions",
                 wanted->name, there->replication, wanted->replication);
        return;
    case GF_KAFKA_GAP_COMPACTED:
        snprintf(text, size, "%s: is compacted, which removes history; set cleanup.policy=delete",
                 wanted->name);
        return;
    case GF_KAFKA_GAP_RETENTION_TIME:
        limit_print(there->retention_ms, "ms", limit_there);
        limit_print(wanted->retention_ms, "ms", limit_wanted);
        snprintf(text, size, "%s: keeps %s, needs %s; set retention.ms=%" PRId64, wanted->name,
                 limit_there, limit_wanted, wanted->retention_ms);
        return;
    case GF_KAFKA_GAP_RETENTION_SIZE:
        limit_print(there->retention_bytes, "bytes", limit_there);
        limit_print(wanted->retention_bytes, "bytes", limit_wanted);
        snprintf(text, size, "%s: keeps %s, needs %s; set retention.bytes=%" PRId64, wanted->name,
                 limit_there, limit_wanted, wanted->retention_bytes);
        return;
    }
}
