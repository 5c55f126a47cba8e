#include <assert.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/hash.h"

static_assert(sizeof(XXH128_canonical_t) == GF_DIGEST_SIZE, "a digest is one XXH3 128-bit value");

uint64_t
gf_hash64(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(size == 0 ? "" : data, size, seed);
}

struct gf_digest
gf_digest_of(const void *data, size_t size)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(size == 0 ? "" : data, size));
    struct gf_digest digest;
    memcpy(digest.bytes, canonical.digest, sizeof(digest.bytes));
    return digest;
}

void
gf_digest_extend(struct gf_digest *digest, const void *data, size_t size)
{
    const struct gf_digest part = gf_digest_of(data, size);
    uint8_t block[GF_DIGEST_SIZE + 8 + GF_DIGEST_SIZE];
    memcpy(block, digest->bytes, GF_DIGEST_SIZE);
    for (size_t index = 0; index < 8; index++) {
        block[GF_DIGEST_SIZE + index] = (uint8_t)((uint64_t)size >> (8 * index));
    }
    memcpy(block + GF_DIGEST_SIZE + 8, part.bytes, GF_DIGEST_SIZE);
    *digest = gf_digest_of(block, sizeof(block));
}

void
gf_digest_print(const struct gf_digest *digest, char out[33])
{
    static const char hexadecimal[] = "0123456789abcdef";
    for (size_t index = 0; index < GF_DIGEST_SIZE; index++) {
        out[2 * index] = hexadecimal[digest->bytes[index] >> 4];
        out[2 * index + 1] = hexadecimal[digest->bytes[index] & 15];
    }
    out[2 * GF_DIGEST_SIZE] = '\0';
}

/* MurmurHash2 with the seed and the byte order of org.apache.kafka.common.utils.Utils.murmur2:
 * every other producer must put a customer on the partition we look for it on. */
uint32_t
gf_murmur2(const void *data, size_t size)
{
    const uint32_t seed = 0x9747b28c;
    const uint32_t multiplier = 0x5bd1e995;
    const uint8_t *bytes = data;

    uint32_t hash = seed ^ (uint32_t)size;
    size_t at = 0;
    for (; size - at >= 4; at += 4) {
        uint32_t word = (uint32_t)bytes[at] | (uint32_t)bytes[at + 1] << 8 |
                        (uint32_t)bytes[at + 2] << 16 | (uint32_t)bytes[at + 3] << 24;
        word *= multiplier;
        word ^= word >> 24;
        word *= multiplier;
        hash *= multiplier;
        hash ^= word;
    }
    if (at < size) {
        uint32_t tail = 0;
        for (size_t index = at; index < size; index++) {
            tail |= (uint32_t)bytes[index] << (8 * (index - at));
        }
        hash ^= tail;
        hash *= multiplier;
    }
    hash ^= hash >> 13;
    hash *= multiplier;
    hash ^= hash >> 15;
    return hash;
}

uint32_t
gf_partition_of(struct gf_span key, uint32_t count)
{
    assert(count > 0);
    return (gf_murmur2(key.data, key.size) & 0x7fffffff) % count;
}
