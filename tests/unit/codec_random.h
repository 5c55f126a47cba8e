/* Random records of any type, and whether two are the same, by the type tables. */
#ifndef GF_TESTS_CODEC_RANDOM_H
#define GF_TESTS_CODEC_RANDOM_H

#include "base/arena.h"
#include "base/random.h"
#include "codec/type.h"

/* Fills `out` with anything the type can hold: numbers of all sizes, texts in several scripts,
 * nulls, arrays of up to 4. Texts and arrays are taken from `arena`, which must have the room. */
void codec_random_fill(const struct gf_type *type, struct gf_random *random, struct gf_arena *arena,
                       void *out);

/* Field by field; doubles by their bits. */
bool codec_random_equal(const struct gf_type *type, const void *a, const void *b);

#endif
