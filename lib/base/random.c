#include <assert.h>
#include <string.h>

#include "base/random.h"
#include "base/real.h"

#define RANDOM_ROUND_COUNT 10
#define RANDOM_TWO_PI      0x1.921fb54442d18p+2

__extension__ typedef unsigned __int128 random_u128;

/* One block of Philox4x32-10: the key is the seed, the counter is (index, stream). */
struct random_block {
    uint64_t low, high;
};

static struct random_block
random_block_of(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream,
                           (uint32_t)(stream >> 32)};

    for (uint32_t round = 0; round < RANDOM_ROUND_COUNT; round++) {
        const uint64_t product_0 = (uint64_t)counter[0] * 0xD2511F53;
        const uint64_t product_1 = (uint64_t)counter[2] * 0xCD9E8D57;
        const uint32_t next[4] = {
            (uint32_t)(product_1 >> 32) ^ counter[1] ^ key[0], (uint32_t)product_1,
            (uint32_t)(product_0 >> 32) ^ counter[3] ^ key[1], (uint32_t)product_0};
        memcpy(counter, next, sizeof(counter));
        key[0] += 0x9E3779B9;
        key[1] += 0xBB67AE85;
    }
    return (struct random_block){.low = counter[0] | (uint64_t)counter[1] << 32,
                                 .high = counter[2] | (uint64_t)counter[3] << 32};
}

uint64_t
gf_random_u64(uint64_t seed, uint64_t stream, uint64_t index)
{
    return random_block_of(seed, stream, index).low;
}

double
gf_random_unit(uint64_t seed, uint64_t stream, uint64_t index)
{
    return (double)(gf_random_u64(seed, stream, index) >> 11) * 0x1p-53;
}

uint64_t
gf_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t limit)
{
    assert(limit > 0);
    const uint64_t result =
        (uint64_t)(((random_u128)gf_random_u64(seed, stream, index) * limit) >> 64);
    assert(result < limit);
    return result;
}

double
gf_random_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    const struct random_block block = random_block_of(seed, stream, index);
    /* (0, 1], because the logarithm of 0 is not a number one can draw. */
    const double radius_unit = (double)((block.low >> 11) + 1) * 0x1p-53;
    const double angle_unit = (double)(block.high >> 11) * 0x1p-53;
    return gf_sqrt(-2.0 * gf_log(radius_unit)) * gf_sin(RANDOM_TWO_PI * angle_unit);
}
