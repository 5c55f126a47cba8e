/* Stores: where the stores of shards come from and where damaged ones go. One store for each shard,
 * so that a shard can move, be rebuilt and be backed up without its neighbours. Two makers: memory
 * (tests) and a folder of RocksDB stores with snapshots (io/store_folder.h). */
#ifndef GF_LOOP_STORES_H
#define GF_LOOP_STORES_H

#include "state/store.h"

struct gf_stores;

struct gf_stores_ops {
    const char *name;

    /* Opens the shard's store for writing: the local one, or the newest whole snapshot where there
     * is none (or where the local one cannot be opened because it is damaged: that is put away, not
     * deleted), or an empty one. To be called before the journal's end is asked for. Errors:
     * GF_E_BUSY (another process or thread has it), GF_E_VERSION, GF_E_IO, GF_E_NO_SPACE. */
    enum gf_rc (*open)(struct gf_stores *stores, uint32_t shard, struct gf_store **out,
                       struct gf_error *error);

    void (*close)(struct gf_stores *stores, uint32_t shard, struct gf_store *store);

    /* The shard's store, which is closed, has been found to be damaged (GF_E_STATE): puts it away
     * under another name and says why in the log. The next `open` starts from a snapshot or from
     * nothing. */
    enum gf_rc (*condemn)(struct gf_stores *stores, uint32_t shard, const char *why,
                          struct gf_error *error);

    /* The store is at a good place for a snapshot: every slice of it is committed, `batch` is the
     * newest. Takes one when one is due. The loop's thread only makes links; copying is done beside
     * it. NULL: no snapshots. */
    enum gf_rc (*snapshot)(struct gf_stores *stores, uint32_t shard, struct gf_store *store,
                           int64_t batch, struct gf_error *error);
};

/* First member of every maker's struct. Several threads may use it, each for shards of its own. */
struct gf_stores {
    const struct gf_stores_ops *ops;
};

#endif
