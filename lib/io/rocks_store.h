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

struct gf_rocks_store_options {
    const char *path;           /* a folder, made when it is missing (its parent is not); copied */
    uint64_t block_cache_bytes; /* of table blocks, indexes and filters together; 0: 32 MiB */
    uint64_t segment_bytes; /* of writes before they go to a table, three such in memory at most; 0:
                               32 MiB */
    bool is_read_only;      /* no lock: may look at the store of a running process, as it is now */
};

/* Errors: GF_E_BUSY (another process has it open), GF_E_VERSION (written by a newer program),
 * GF_E_DAMAGED (a checksum or the chain), GF_E_NO_SPACE, GF_E_NO_MEMORY, GF_E_IO. Messages name the
 * path and what to do. */
GF_MUST_USE enum gf_rc gf_rocks_store_open(const struct gf_rocks_store_options *options,
                                           struct gf_store **out, struct gf_error *error);

#endif
