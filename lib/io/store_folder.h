/* A folder of stores, one RocksDB for each shard, and their snapshots:
 *
 *   STORE/shard-0003/             the store
 *   STORE/shard-0003.lock         held while it is open for writing
 *   STORE/shard-0003.damaged-1/   put away, never deleted: what was found to be damaged
 *   STORE/shard-0003.links/       of a snapshot under way
 *   STORE/shard-0003.restoring/   of a restore under way
 *   STORE/snapshot.request        asks the process that has the stores for snapshots now
 *   SNAPSHOTS/shard-0003/         io/snapshot_manifest.h
 *
 * What a process that died left half done is cleared away by the next one. Several threads may open
 * shards of their own. */
#ifndef GF_IO_STORE_FOLDER_H
#define GF_IO_STORE_FOLDER_H

#include "io/log.h"
#include "loop/clock.h"
#include "loop/stores.h"

#define GF_STORE_FOLDER_SHARDS_MAX 1024

struct gf_store_folder_options {
    const char *path;                     /* made when it is missing (its parent is not) */
    const char *snapshots;                /* NULL: none */
    struct gf_duration snapshot_interval; /* 0: only when asked for */
    uint32_t snapshot_keep;               /* for each shard; 0: 3 */
    uint64_t block_cache_bytes;           /* of all shards together; 0: 32 MiB */
    bool is_read_only;  /* `open` looks at a store as it is, beside its owner or not: GF_E_NOT_FOUND
                           where there is none, and nothing is restored or put away */
    bool leaves_damage; /* `open` returns GF_E_STATE, and GF_E_NOT_FOUND where there is no store;
                           nothing is restored or put away */
    struct gf_clock *clock;
    void *context;
    /* For the log; from any thread. `event` is a constant. May be NULL. */
    void (*note)(void *context, enum gf_logger_level level, const char *event, uint32_t shard,
                 const char *text);
};

/* The strings are copied, the clock is lent. Errors: GF_E_VERSION (one store for all shards, as
 * older programs had it), GF_E_IO, GF_E_NO_SPACE, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_store_folder_open(const struct gf_store_folder_options *options,
                                            struct gf_stores **out, struct gf_error *error);

/* Breaks off a snapshot that is being copied. Stores that are open stay so. Accepts NULL. */
void gf_store_folder_close(struct gf_stores *stores);

/* Takes a snapshot of an open store whether one is due or not (`request` may be NULL), and waits
 * for it; what it came to goes to `note`. Errors: those of gf_snapshot_take; GF_E_CONFIG (no folder
 * of snapshots). */
GF_MUST_USE enum gf_rc gf_store_folder_snapshot_now(struct gf_stores *stores, uint32_t shard,
                                                    struct gf_store *store, const char *request,
                                                    struct gf_error *error);

/* Shards that have a store in a folder of stores, sorted. The caller frees. No folder: none. */
GF_MUST_USE enum gf_rc gf_store_folder_shards(const char *path, uint32_t **out, uint32_t *count_out,
                                              struct gf_error *error);

/* Asks the process that has the stores open for snapshots; `request` is any word of at most 63
 * letters, digits and dashes, and stands in the manifests that answer. NULL takes it back. */
GF_MUST_USE enum gf_rc gf_store_folder_ask(const char *path, const char *request,
                                           struct gf_error *error);

#endif
