#include <stdio.h>

#include "base/civil.h"
#include "codec/records.h"
#include "io/import_past.h"

bool
gf_import_past_check(struct gf_import_past *past, struct gf_log_writer *writer,
                     const struct gf_import_item *item)
{
    if (past->has_place && past->topic == item->topic && past->partition == item->partition) {
        return false;
    }
    past->has_place = true;
    past->topic = item->topic;
    past->partition = item->partition;
    if (past->is_told[item->topic]) {
        return false;
    }
    const struct gf_time last =
        gf_log_writer_last_time(writer, (enum gf_topic)item->topic, item->partition);
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
