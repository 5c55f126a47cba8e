#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "loop/shard_parts.h"

/* The mark binds a store to its journal. It is written before the slices of its batch, so no slice
 * is ever newer than the mark, and the journal must have that batch as the store remembers it. */

struct stored_mark {
    int64_t batch;
    uint64_t mark;
};

uint64_t
shard_mark_of(const struct gf_journal *record)
{
    const int64_t facts[] = {record->batch, record->shard_time.us, record->config_hash,
                             record->inputs.count};
    uint64_t mark = gf_hash64(facts, sizeof(facts), 0);
    mark = gf_hash64(&record->tally, sizeof(record->tally), mark);
    mark = gf_hash64(record->effects_digest, sizeof(record->effects_digest), mark);
    for (uint32_t i = 0; i < record->inputs.count; i++) {
        const struct gf_journal_input *input = &record->inputs.items[i];
        const int64_t range[] = {input->partition, input->from, input->to, input->count,
                                 input->end};
        mark = gf_hash64(input->topic.data, input->topic.size, mark);
        mark = gf_hash64(range, sizeof(range), mark);
    }
    return mark;
}

static void
mark_name(const struct gf_shard *shard, char out[32])
{
    snprintf(out, 32, GF_STORE_MARK_NAME, shard->options.shard);
}

enum gf_rc
shard_mark_put(struct gf_shard *shard, struct gf_error *error)
{
    /* A recovery that sweeps because memory is full passes batches that slices are ahead of: the
     * mark that is there stands for these too. */
    if (shard->mark_stored == shard->batch || shard->batch < shard->following.marked) {
        return GF_OK;
    }
    char name[32];
    mark_name(shard, name);
    const struct stored_mark stored = {.batch = shard->batch, .mark = shard->batch_mark};
    const enum gf_rc rc = shard->store->ops->put_named(shard->store, name,
                                                       gf_span_of(&stored, sizeof(stored)), error);
    shard->mark_stored = rc == GF_OK ? shard->batch : 0;
    return rc;
}

enum gf_rc
shard_mark_get(struct gf_shard *shard, int64_t *batch_out, uint64_t *mark_out,
               struct gf_error *error)
{
    char name[32];
    mark_name(shard, name);
    struct gf_span found = {0};
    struct stored_mark stored = {0};
    const enum gf_rc rc = shard->store->ops->get_named(shard->store, name, &found, error);
    if (rc == GF_OK && found.size == sizeof(stored)) {
        memcpy(&stored, found.data, sizeof(stored));
    }
    *batch_out = stored.batch;
    *mark_out = stored.mark;
    return rc;
}
