/* The model's own parts: readings (model.c) and ledgers (ledger.c). */
#ifndef GF_SIM_MODEL_H
#define GF_SIM_MODEL_H

#include "sim.h"

/* The next committed output from `*at` on, decoded; its arrays live until the next call. */
const struct gf_record *model_output(const struct sim *sim, enum gf_topic topic, uint32_t shard,
                                     uint32_t *at, void *out);
/* An input; false when it cannot be decoded. */
bool model_input(const struct sim *sim, enum gf_topic topic, uint32_t shard, uint32_t index,
                 void *out);

void model_ledger_check(struct sim *sim, uint32_t shard);

#endif
