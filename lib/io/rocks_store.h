/* The store on disk: RocksDB (a tree of sorted tables with a write-ahead log), for one process at a
 * time.
 *
 * Keys are `shard (2 bytes, big endian) slice kind key`; a slice's meta sits under kind 0, so a
 * slice is one run of keys. Every value ends in four bytes of checksum, which its key is mixed
 * into.
 *
 * A write is one batch in the write-ahead log and is not synced: what a crash of the machine takes
 * is the newest writes, and a missing write is a slice with an older number, which the journal
 * brings up to date. What must never happen is a hole, an older write missing below a newer one,
 * since only changed blocks are written. RocksDB does not notice every hole (a lost log file, a
 * manifest cut short), so each write also extends a chain that opening checks. */
#ifndef GF_IO_ROCKS_STORE_H
#define GF_IO_ROCKS_STORE_H

#include "state/store.h"

#define GF_ROCKS_STORE_FORMAT 1

/* A cache of table blocks, indexes and filters that several stores share. It lives until it is
 * freed and all of them are closed. NULL: no memory. */
struct gf_rocks_cache;
struct gf_rocks_cache *gf_rocks_cache_new(uint64_t bytes);
void gf_rocks_cache_free(struct gf_rocks_cache *cache); /* accepts NULL */

struct gf_rocks_store_options {
    const char *path; /* a folder, made when it is missing (its parent is not); copied */
    struct gf_rocks_cache *cache; /* lent for the call; NULL: one of its own */
    uint64_t block_cache_bytes;   /* of its own cache; 0: 32 MiB */
    uint64_t segment_bytes; /* of writes before they go to a table, three such in memory at most; 0:
                               32 MiB */
    uint64_t table_bytes;   /* of a table, before compression; 0: 64 MiB */
    uint32_t files_max;     /* open at once; 0: 512 */
    bool is_read_only;      /* no lock: may look at the store of a running process, as it is now */
};

/* Errors: GF_E_BUSY (another process has it open), GF_E_VERSION (written by a newer program),
 * GF_E_STATE (damage: a checksum, the chain, a file that is missing), GF_E_NOT_FOUND (reading only,
 * and there is no store), GF_E_NO_SPACE, GF_E_NO_MEMORY, GF_E_IO. Messages name the path and what
 * to do. */
GF_MUST_USE enum gf_rc gf_rocks_store_open(const struct gf_rocks_store_options *options,
                                           struct gf_store **out, struct gf_error *error);

/* Gives the store a file that keeps others away from its folder: closed once the store is. */
void gf_rocks_store_keep_lock(struct gf_store *store, int file);

/* Makes `folder`, which must not be there but may lie in the same file system alone, a copy of the
 * store as it is now, out of links to its tables. For the thread that writes to the store. Errors:
 * as of a write. */
GF_MUST_USE enum gf_rc gf_rocks_store_link(struct gf_store *store, const char *folder,
                                           struct gf_error *error);

#endif
