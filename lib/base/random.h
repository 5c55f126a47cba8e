/* Random numbers without a state to lose: a draw is a function of (seed, stream, index), so it does
 * not depend on how many draws were made before. Philox4x32-10 (Salmon et al., SC 2011). */
#ifndef GF_BASE_RANDOM_H
#define GF_BASE_RANDOM_H

#include <stdint.h>

/* 64 random bits. */
uint64_t gf_random_u64(uint64_t seed, uint64_t stream, uint64_t index);

/* [0, 1), 53 bits. */
double gf_random_unit(uint64_t seed, uint64_t stream, uint64_t index);

/* [0, limit), without bias worth naming (64-bit multiply-shift). `limit` > 0. */
uint64_t gf_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t limit);

/* Standard normal (two uniform draws, Box-Muller with gf_log and a sine of ours). */
double gf_random_normal(uint64_t seed, uint64_t stream, uint64_t index);

/* A sequence for code that wants the next number: simulators and tests. */
struct gf_random {
    uint64_t seed, stream, index;
};
static inline uint64_t
gf_random_next(struct gf_random *random)
{
    return gf_random_u64(random->seed, random->stream, random->index++);
}
static inline double
gf_random_next_unit(struct gf_random *random)
{
    return gf_random_unit(random->seed, random->stream, random->index++);
}

#endif
