/* Scan: every record of a partition, for the verbs that look for some. */
#ifndef GF_CMD_SCAN_H
#define GF_CMD_SCAN_H

#include "loop/source.h"

/* Gets a record, which lives during the call; false: seen enough. */
typedef bool (*scan_visit)(void *context, const struct gf_record *record);

/* From offset `from` (raised to what is there) to the end as it is now, or to `to`, in order. A
 * signal to stop ends it. Errors: those of the source. */
GF_MUST_USE enum gf_rc scan_partition(struct gf_source *source, enum gf_topic topic,
                                      uint32_t partition, int64_t from, int64_t to,
                                      scan_visit visit, void *context, struct gf_error *error);
/* All partitions of a topic, one after the other. */
GF_MUST_USE enum gf_rc scan_topic(struct gf_source *source, enum gf_topic topic, scan_visit visit,
                                  void *context, struct gf_error *error);

#endif
