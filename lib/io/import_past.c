#include <stdio.h>

#include "base/civil.h"
#include "codec/records.h"
#include "io/folder.h"
#include "io/import_past.h"

static struct gf_time
last_time(struct gf_source *source, enum gf_topic topic, uint32_t partition)
{
    int64_t first = 0, end = 0, next = 0;
    uint32_t count = 0;
    struct gf_record record;
    struct gf_error error;
    if (source->ops->ends(source, topic, partition, &first, &end, &error) != GF_OK ||
        end <= first ||
        source->ops->read(source, topic, partition, end - 1, end, (struct gf_duration){0}, &record,
                          1, &count, &next, &error) != GF_OK ||
        count == 0) {
        return GF_TIME_NONE;
    }
    const struct gf_time time = record.timestamp;
    source->ops->release(source, topic, partition, end);
    return time;
}

void
gf_import_past_load(struct gf_import_past *past, const char *path)
{
    struct gf_source *source = NULL;
    struct gf_error error;
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        past->is_told[topic] = false;
        for (uint32_t i = 0; i < GF_IMPORT_PAST_PARTITION_COUNT_MAX; i++) {
            past->last[topic][i] = GF_TIME_NONE;
        }
    }
    if (gf_folder_source_open(path, NULL, &source, &error) != GF_OK) {
        return;
    }
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        uint32_t count = 0;
        if (source->ops->partitions(source, (enum gf_topic)topic, &count, &error) != GF_OK) {
            continue;
        }
        for (uint32_t i = 0; i < count && i < GF_IMPORT_PAST_PARTITION_COUNT_MAX; i++) {
            past->last[topic][i] = last_time(source, (enum gf_topic)topic, i);
        }
    }
    source->ops->close(source);
}

bool
gf_import_past_check(struct gf_import_past *past, const struct gf_import_item *item)
{
    if (past->is_told[item->topic] || item->partition >= GF_IMPORT_PAST_PARTITION_COUNT_MAX) {
        return false;
    }
    const struct gf_time last = past->last[item->topic][item->partition];
    if (gf_time_is_none(last) || item->time.us >= last.us) {
        return false;
    }
    char from[GF_TIME_TEXT_SIZE], to[GF_TIME_TEXT_SIZE];
    gf_time_print(last, from);
    gf_time_print(item->time, to);
    snprintf(
        past->text, sizeof past->text,
        "%s/%u goes back in time, from %s to %s: what comes behind the shard's time may be late",
        gf_topics[item->topic].name, item->partition, from, to);
    past->is_told[item->topic] = true;
    return true;
}
