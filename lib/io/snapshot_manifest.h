/* Manifest: what a snapshot of one shard's store consists of. A text file, written last, so that a
 * snapshot is there whole or not at all:
 *
 *   SNAPSHOTS/shard-0003/00000000000000004711.snapshot   the newest batch in it
 *   SNAPSHOTS/shard-0003/files/<digest>                  shared by the snapshots that name it
 *
 *   gridfold snapshot 1
 *   shard 3
 *   batch 4711
 *   oldest 4650                 the least number of its slices
 *   taken 1767225600000000      microseconds since 1970
 *   mark 00000000000012670123…  what binds the store to its journal; - for none
 *   request 1a2b-77             who asked for it; - for the schedule
 *   file 000012.sst 1048576 <digest>
 *   …
 *   end <digest of all lines above> */
#ifndef GF_IO_SNAPSHOT_MANIFEST_H
#define GF_IO_SNAPSHOT_MANIFEST_H

#include "base/unit.h"
#include "io/snapshot_file.h"

#define GF_SNAPSHOT_TEXT_SIZE 64

struct gf_snapshot {
    uint32_t shard;
    int64_t batch, oldest;
    struct gf_time taken;
    char mark[GF_SNAPSHOT_TEXT_SIZE], request[GF_SNAPSHOT_TEXT_SIZE]; /* "-": none */
    struct gf_snapshot_file *files;
    uint32_t file_count;
};

void gf_snapshot_fini(struct gf_snapshot *snapshot); /* frees the files */

/* The shard's folder under `folder`. Errors: GF_E_USAGE (too long). */
GF_MUST_USE enum gf_rc gf_snapshot_folder(const char *folder, uint32_t shard, char *out,
                                          struct gf_error *error);
/* Path of the file with this content. */
GF_MUST_USE enum gf_rc gf_snapshot_file_path(const char *folder, uint32_t shard,
                                             const struct gf_snapshot_file *file, char *out,
                                             struct gf_error *error);

/* Batches of the shard's snapshots, the newest first; none is no error. The caller frees. */
GF_MUST_USE enum gf_rc gf_snapshot_batches(const char *folder, uint32_t shard, int64_t **out,
                                           uint32_t *count_out, struct gf_error *error);

/* Errors: GF_E_STATE (damaged), GF_E_VERSION (of a newer program), GF_E_NOT_FOUND, GF_E_IO,
 * GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_snapshot_read(const char *folder, uint32_t shard, int64_t batch,
                                        struct gf_snapshot *out, struct gf_error *error);
GF_MUST_USE enum gf_rc gf_snapshot_write(const char *folder, const struct gf_snapshot *snapshot,
                                         struct gf_error *error);
/* Takes the manifest of a batch away; its files stay. */
GF_MUST_USE enum gf_rc gf_snapshot_forget(const char *folder, uint32_t shard, int64_t batch,
                                          struct gf_error *error);

#endif
