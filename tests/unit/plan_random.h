/* Writer schemas made of ours by legal changes, at random, and values of them. */
#ifndef TESTS_UNIT_PLAN_RANDOM_H
#define TESTS_UNIT_PLAN_RANDOM_H

#include <avro.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

#define PLAN_SEED UINT64_C(20240607)

extern struct gf_random plan_draws;
/* Only changes that Avro C 1.11 can resolve. It has no defaults and no string to bytes (and frees
 * twice when it gives up), and keeps the index of a symbol instead of the symbol. */
extern bool plan_is_simple;

uint32_t plan_below(uint32_t limit);
/* A record type that ours, `type`, can be read from; the caller's. `may_move`: fields may move and
 * go. */
json_t *plan_changed_record(const json_t *type, bool may_move);
void plan_fill(avro_value_t *value);

#endif
