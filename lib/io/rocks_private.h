/* The parts of the RocksDB store that its files share: rocks_store.c (blocks), rocks_open.c
 * (options, opening, format), rocks_chain.c (values, the chain of writes). */
#ifndef GF_IO_ROCKS_PRIVATE_H
#define GF_IO_ROCKS_PRIVATE_H

#include <rocksdb/c.h>

#include "io/rocks_store.h"
#include "state/entity.h"

#define ROCKS_PREFIX_SIZE   4 /* shard 2, slice 1, kind 1 */
#define ROCKS_TRAILER_SIZE  4
#define ROCKS_NAME_SIZE_MAX 200
#define ROCKS_KEY_SIZE_MAX  (ROCKS_PREFIX_SIZE + ROCKS_NAME_SIZE_MAX)

/* Values of the whole store live where shard 65535 would be; `slice` and `kind` say which. */
#define ROCKS_SHARD_OF_STORE 0xffffu
enum rocks_own { ROCKS_OWN_FORMAT, ROCKS_OWN_CHAIN, ROCKS_OWN_NAMED };

#define ROCKS_CHAIN_COUNT 16

/* Writes between two switches of the write buffer; the numbers of writes count from 1 over the life
 * of the store. */
struct rocks_segment {
    uint64_t number; /* from 1; 0: no such segment */
    uint64_t first_write, last_write;
};

struct rocks_key {
    uint8_t bytes[ROCKS_KEY_SIZE_MAX];
    uint32_t size;
};

/* One value asked for; the array is sorted by key while it is fetched. */
struct rocks_request {
    uint8_t key[ROCKS_PREFIX_SIZE + GF_ENTITY_KEY_SIZE_MAX];
    uint32_t key_size;
    uint32_t index;      /* of the caller */
    uint32_t value_size; /* 0: none */
    size_t value_at;     /* in the store's buffer */
};

struct rocks_store {
    struct gf_store store;
    char *path;
    bool is_read_only;
    int lock; /* -1: none */
    uint64_t segment_bytes_max, segment_bytes;
    struct rocks_segment segment; /* the one being written; not there before its first write */

    rocksdb_t *db;
    rocksdb_column_family_handle_t *family;
    rocksdb_options_t *options;
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *reading, *scanning;
    rocksdb_writeoptions_t *writing;
    rocksdb_flushoptions_t *flushing;
    rocksdb_writebatch_t *batch;

    struct rocks_request *requests;
    uint32_t request_capacity;
    uint8_t *values;
    size_t values_capacity, values_size;
};

extern const struct gf_store_ops rocks_store_ops;

/* Makes an error of a status of RocksDB, which it frees. */
enum gf_rc rocks_fail(const char *path, const char *doing, char *status, struct gf_error *error);
enum gf_rc rocks_fail_damaged(const struct rocks_store *rocks, struct gf_error *error,
                              const char *format, ...) GF_PRINTF(3, 4);

struct rocks_key rocks_key_of(uint32_t shard, uint32_t slice, uint32_t kind, struct gf_span rest);
struct rocks_key rocks_key_own(enum rocks_own own, uint32_t index, struct gf_span rest);

/* Adds a value with its checksum to the open batch. */
void rocks_batch_put(struct rocks_store *rocks, const struct rocks_key *key, struct gf_span value);
/* Writes the open batch with its link of the chain, and empties it. */
enum gf_rc rocks_batch_write(struct rocks_store *rocks, const char *doing, struct gf_error *error);

/* Checks and cuts off the checksum of a stored value. */
enum gf_rc rocks_value_check(const struct rocks_store *rocks, struct gf_span key,
                             struct gf_span stored, struct gf_span *value_out,
                             struct gf_error *error);
/* One value, into the store's buffer; size 0 when there is none. Valid until the next fetch. */
enum gf_rc rocks_value_get(struct rocks_store *rocks, const struct rocks_key *key,
                           struct gf_span *value_out, struct gf_error *error);
/* Room for `size` more bytes in the store's buffer, aligned to 8; their place from its start. */
enum gf_rc rocks_values_add(struct rocks_store *rocks, struct gf_span value, size_t *at_out,
                            struct gf_error *error);

/* Reads the chain, refuses a hole, and starts the segment of this session. */
enum gf_rc rocks_chain_open(struct rocks_store *rocks, struct gf_error *error);

void rocks_store_close(struct gf_store *store);

#endif
