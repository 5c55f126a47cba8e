#include "engine/parts.h"

void
gf_engine_reopen(struct gf_engine *engine, int64_t batch)
{
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        assert(engine->slice_batch[slice] == batch);
        engine->slice_batch[slice] = batch - 1;
    }
}
