/* Hashes. XXH3 (xxhash 0.8) for tables and digests: fast, and the same on every processor. They
 * guard against damage and chance, not against an attacker. */
#ifndef GF_BASE_HASH_H
#define GF_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define GF_DIGEST_SIZE 16

struct gf_digest {
    uint8_t bytes[GF_DIGEST_SIZE];
};

uint64_t gf_hash64(const void *data, size_t size, uint64_t seed);
struct gf_digest gf_digest_of(const void *data, size_t size);

/* A digest of many parts in order: digest = H(digest, part). Lengths are mixed in, so parts cannot
 * run together. */
void gf_digest_extend(struct gf_digest *digest, const void *data, size_t size);

/* "0123…ef", 32 characters and NUL. */
void gf_digest_print(const struct gf_digest *digest, char out[33]);

/* The partitioner of the Java client ("murmur2_random" for a key that is there): partition of `key`
 * among `count`. */
uint32_t gf_murmur2(const void *data, size_t size);
uint32_t gf_partition_of(struct gf_span key, uint32_t count);

#endif
