/* Differ: where two records of one type differ, field by field, for reports. Walks the type tables,
 * so that every topic is compared without code of its own. */
#ifndef GF_CODEC_DIFFER_H
#define GF_CODEC_DIFFER_H

#include "codec/type.h"

#define GF_DIFFER_PATH_SIZE 128

/* One place that differs: `path` is "reasons[2].value"; `a` and `b` are values of `type`, NULL
 * where that side has none (a null, or an array that ends before). They live as long as the
 * records. */
struct gf_differing {
    char path[GF_DIFFER_PATH_SIZE];
    const struct gf_type *type;
    const void *a, *b;
};

/* Fills `out` with at most `count_max` places, in the order of the schema, and returns how many
 * there are in all. Numbers are compared by their bits: a NaN equals the same NaN. */
uint32_t gf_differ(const struct gf_type *type, const void *a, const void *b,
                   struct gf_differing *out, uint32_t count_max);

#endif
