/* Snapshots of the store of one shard, in a folder that several machines may share: taken from
 * links to the store's files, restored into a fresh folder. Files are stored by their content, so
 * that a snapshot costs what is new since the one before. One process at a time writes the
 * snapshots of a shard. */
#ifndef GF_IO_SNAPSHOT_H
#define GF_IO_SNAPSHOT_H

#include "io/snapshot_manifest.h"

struct gf_snapshot_take {
    const char *folder; /* of all snapshots; made when it is missing (its parent is not) */
    const char *links; /* a copy of the store, out of links (gf_rocks_store_link); stays as it is */
    uint32_t shard;
    uint32_t keep; /* snapshots that stay, at least 1 */
    struct gf_time taken;
    const char *request;       /* NULL: none */
    bool (*must_stop)(void *); /* asked between files; may be NULL */
    void *context;             /* of must_stop */
};

/* What it came to. */
struct gf_snapshot_report {
    int64_t batch, oldest;
    uint32_t file_count, copied_count;
    uint64_t bytes, copied_bytes;
    uint32_t slice_count;
};

/* Reads every block of the copy and checks every slice before anything is written; then copies what
 * is not there, and the manifest last. Errors: GF_E_STATE (the store is damaged), GF_E_BUSY
 * (another process writes snapshots of the shard), GF_E_TXN (must_stop; nothing was made), GF_E_IO,
 * GF_E_NO_SPACE, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_snapshot_take(const struct gf_snapshot_take *take,
                                        struct gf_snapshot_report *out, struct gf_error *error);

/* Copies a snapshot's files into `to`, a folder that is made, checking each. On an error `to` is
 * whatever it has come to. Errors: GF_E_STATE (the snapshot is damaged), GF_E_VERSION, GF_E_IO,
 * GF_E_NO_SPACE, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_snapshot_restore(const char *folder, uint32_t shard, int64_t batch,
                                           const char *to, struct gf_error *error);

/* Reads every file of a snapshot. Errors: GF_E_STATE, naming the file and what to do, and those of
 * reading. */
GF_MUST_USE enum gf_rc gf_snapshot_verify(const char *folder, const struct gf_snapshot *snapshot,
                                          uint64_t *bytes_out, struct gf_error *error);

#endif
