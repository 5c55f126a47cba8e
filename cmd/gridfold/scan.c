#include "scan.h"

#include "codec/records.h"
#include "io/signals.h"

#define READ_COUNT      256
#define WAIT_US         (200 * 1000)
#define EMPTY_READS_MAX 150

enum gf_rc
scan_partition(struct gf_source *source, enum gf_topic topic, uint32_t partition, int64_t from,
               int64_t to, scan_visit visit, void *context, struct gf_error *error)
{
    struct gf_record records[READ_COUNT];
    int64_t first = 0, end = 0;
    enum gf_rc rc = source->ops->ends(source, topic, partition, &first, &end, error);
    int64_t at = from > first ? from : first;
    end = to < end ? to : end;
    bool is_over = false;
    for (uint32_t empty = 0; rc == GF_OK && !is_over && at < end && !gf_signals_stop_is_wanted();) {
        uint32_t count = 0;
        int64_t next = at;
        rc = source->ops->read(source, GF_SOURCE_TOOL, topic, partition, at, end,
                               (struct gf_duration){WAIT_US}, records, READ_COUNT, &count, &next,
                               error);
        for (uint32_t i = 0; rc == GF_OK && i < count && !is_over; i++) {
            is_over = !visit(context, &records[i]);
        }
        empty = next > at ? 0 : empty + 1;
        at = next;
        source->ops->release(source, GF_SOURCE_TOOL, topic, partition, at);
        if (rc == GF_OK && empty > EMPTY_READS_MAX) {
            rc = gf_fail(error, GF_E_UNAVAILABLE,
                         "%s partition %u: nothing arrives at offset %lld, end is %lld",
                         gf_topics[topic].name, partition, (long long)at, (long long)end);
        }
    }
    source->ops->release(source, GF_SOURCE_TOOL, topic, partition, INT64_MAX);
    return rc;
}

struct until {
    scan_visit visit;
    void *context;
    bool is_over;
};

static bool
until_visit(void *context, const struct gf_record *record)
{
    struct until *until = context;
    until->is_over = !until->visit(until->context, record);
    return !until->is_over;
}

enum gf_rc
scan_topic(struct gf_source *source, enum gf_topic topic, scan_visit visit, void *context,
           struct gf_error *error)
{
    struct until until = {.visit = visit, .context = context};
    uint32_t count = 0;
    enum gf_rc rc = source->ops->partitions(source, topic, &count, error);
    for (uint32_t i = 0; rc == GF_OK && i < count && !until.is_over; i++) {
        rc = scan_partition(source, topic, i, 0, INT64_MAX, until_visit, &until, error);
    }
    return rc;
}
