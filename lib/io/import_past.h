/* What a log already holds: the time of the last record of each partition that an import writes to,
 * so that one that goes back in time says so. Readings that come behind later ones may be LATE
 * where they are folded. */
#ifndef GF_IO_IMPORT_PAST_H
#define GF_IO_IMPORT_PAST_H

#include "io/import_sort.h"
#include "io/log_writer.h"

struct gf_import_past {
    bool has_place; /* something was checked */
    uint16_t topic, partition;
    bool is_told[GF_TOPIC_INPUT_COUNT];
    char text[256]; /* of the warning */
};

/* Does the item go back behind what is there? Items come partition by partition, each by time and
 * before they are written, so the first of a partition answers for all of it. True once for each
 * topic; `text` then says so. */
bool gf_import_past_check(struct gf_import_past *past, struct gf_log_writer *writer,
                          const struct gf_import_item *item);

#endif
