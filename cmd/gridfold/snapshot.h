/* What the verbs about snapshots share. */
#ifndef GF_CMD_SNAPSHOT_H
#define GF_CMD_SNAPSHOT_H

#include "job.h"

/* Prints a line for each snapshot in the configured folder, of one shard (-1: of all), with
 * `verify` after reading all of it. Errors: GF_E_STATE (some are damaged, the lines say which),
 * GF_E_CONFIG (no folder), GF_E_NOT_FOUND (no snapshot). */
GF_MUST_USE enum gf_rc snapshots_print(struct job *job, int64_t shard, bool verify,
                                       struct gf_error *error);

#endif
