/* Store: where state rests. Two makers: memory (state/memory_store.h) and RocksDB
 * (io/rocks_store.h).
 *
 * The key space of a shard is cut into slices by the hash of the key. A slice is written whole, in
 * one atomic write that also holds its number: the last batch it contains. So the data of a slice
 * and its number cannot disagree.
 *
 * A slice holds blocks. A block is (kind, key, bytes): entity records under their kind and key;
 * and, under kind TIMERS with an empty key, all timers of the slice sorted by (due, entity, timer),
 * so that a cold customer's timer fires. */
#ifndef GF_STATE_STORE_H
#define GF_STATE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/span.h"

#define GF_SLICE_COUNT 64 /* a shard's slices; a constant of the store format */

/* The named value that binds a shard's store to its journal (loop/shard_mark.c). */
#define GF_STORE_MARK_NAME "journal-%u"

/* What is known of a slice besides its blocks; written with them. */
struct gf_slice_meta {
    int64_t batch;          /* last batch it contains; 0: never written, holds nothing */
    int64_t journal_offset; /* of that batch's journal record or before it: where a recovery starts
                               to read */
    struct gf_digest
        digest; /* of all its blocks at that time: sum over entities, see engine/sweep.h */
    uint64_t entity_count;
};

struct gf_store_block {
    uint8_t kind; /* enum gf_entity_kind, or GF_BLOCK_TIMERS */
    struct gf_span key;
    struct gf_span bytes; /* empty data with size 0: delete */
};

struct gf_store;

struct gf_store_ops {
    const char *name;

    /* The meta of every slice of a shard (batch 0 where never written). */
    enum gf_rc (*metas)(struct gf_store *store, uint32_t shard,
                        struct gf_slice_meta metas_out[GF_SLICE_COUNT], struct gf_error *error);

    /* Fetches `count` blocks, keys sorted or not; `found_out[i].bytes.size` is 0 where there is
     * none. The spans stay valid until the next call. One call a batch, never one an event. */
    enum gf_rc (*get)(struct gf_store *store, uint32_t shard, const uint32_t *slices,
                      const struct gf_store_block *wanted, uint32_t count,
                      struct gf_store_block *found_out, struct gf_error *error);

    /* Writes changed blocks of one slice with its meta, all or nothing. `blocks` are sorted by
     * (kind, key). Blocks of the slice that are not named stay. Durable to a crash of the process;
     * the journal covers a crash of the machine. */
    enum gf_rc (*put_slice)(struct gf_store *store, uint32_t shard, uint32_t slice,
                            const struct gf_slice_meta *meta, const struct gf_store_block *blocks,
                            uint32_t count, struct gf_error *error);

    /* Calls `visit` for every block of a slice in (kind, key) order; stops at its first error and
     * returns it. */
    enum gf_rc (*scan)(struct gf_store *store, uint32_t shard, uint32_t slice,
                       enum gf_rc (*visit)(void *context, const struct gf_store_block *block,
                                           struct gf_error *error),
                       void *context, struct gf_error *error);

    /* Small named values of the whole store (its format version, configuration bodies by hash).
     * size 0: none. */
    enum gf_rc (*get_named)(struct gf_store *store, const char *name, struct gf_span *value_out,
                            struct gf_error *error);
    enum gf_rc (*put_named)(struct gf_store *store, const char *name, struct gf_span value,
                            struct gf_error *error);

    void (*close)(struct gf_store *store); /* accepts NULL */
};

/* First member of every maker's struct. Errors of all: GF_E_IO, GF_E_NO_SPACE, GF_E_STATE
 * (damage), and on opening GF_E_VERSION (the store was written by a newer program) and GF_E_BUSY
 * (another process has it open). */
struct gf_store {
    const struct gf_store_ops *ops;
};

#define GF_BLOCK_TIMERS 255

#endif
