/* What a log already holds: the time of the last record of each partition, so that an import that
 * goes back in time says so. Readings that come behind later ones may be LATE where they are
 * folded. */
#ifndef GF_IO_IMPORT_PAST_H
#define GF_IO_IMPORT_PAST_H

#include "io/import_sort.h"
#include "model/records.h"

#define GF_IMPORT_PAST_PARTITION_COUNT_MAX 256

struct gf_import_past {
    struct gf_time last[GF_TOPIC_INPUT_COUNT]
                       [GF_IMPORT_PAST_PARTITION_COUNT_MAX]; /* GF_TIME_NONE: nothing there */
    bool is_told[GF_TOPIC_INPUT_COUNT];
    char text[256]; /* of the warning */
};

/* Reads the last records of the folder log at `path`. What cannot be read counts as nothing there:
 * a warning is all that hangs on it. */
void gf_import_past_load(struct gf_import_past *past, const char *path);

/* Does the item go back behind what was there? True once for each topic; `text` then says so. */
bool gf_import_past_check(struct gf_import_past *past, const struct gf_import_item *item);

#endif
