/* The store in memory, for tests that must be fast and must fail on command. */
#ifndef GF_TEST_MEMORY_STORE_H
#define GF_TEST_MEMORY_STORE_H

#include "loop/stores.h"

enum gf_memory_store_call {
    GF_STORE_METAS,
    GF_STORE_GET,
    GF_STORE_PUT_SLICE,
    GF_STORE_SCAN,
    GF_STORE_GET_NAMED,
    GF_STORE_PUT_NAMED,
    GF_STORE_CALL_COUNT
};

/* An empty store; closing it frees it. Ends the process when there is no memory. */
struct gf_store *gf_memory_store_new(void);

/* A store with the same content and no faults: what a crash leaves behind. */
struct gf_store *gf_memory_store_copy(const struct gf_store *store);

/* The `nth` call from now on (1: the next) returns `rc` instead of doing its work, once. With
 * `is_applied` it does its work all the same: the outcome that its caller does not know. */
void gf_memory_store_fail(struct gf_store *store, enum gf_memory_store_call call, uint32_t nth,
                          enum gf_rc rc, bool is_applied);

/* Calls so far: to choose places for faults, loop over them. */
uint32_t gf_memory_store_calls(const struct gf_store *store, enum gf_memory_store_call call);

/* Forgets one shard, as if its store had been put away. */
void gf_memory_store_clear(struct gf_store *store, uint32_t shard);

/* Blocks it holds. */
uint32_t gf_memory_store_count(const struct gf_store *store);

/* Flips a bit of a stored block; returns false when there is no such block. */
bool gf_memory_store_damage(struct gf_store *store, uint32_t shard, uint32_t slice, uint8_t kind,
                            struct gf_span key, uint32_t bit);

/* One store for all shards, so that a test can copy, damage and lose it whole. Condemning a shard
 * clears it. */
struct gf_memory_stores {
    struct gf_stores base;
    struct gf_store **store; /* may be replaced between runs */
    uint32_t condemned;
};

void gf_memory_stores_init(struct gf_memory_stores *stores, struct gf_store **store);

#endif
