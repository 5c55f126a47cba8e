#include "loop/compare.h"

#include <inttypes.h>
#include <string.h>

#include "codec/records.h"
#include "codec/wire.h"
#include "loop/decode.h"

#define WAIT_US         (200 * 1000)
#define EMPTY_READS_MAX 150
#define AWAIT_TRIES_MAX 10 /* 2 s for what is committed to be readable */

/* One batch on its way through. */
struct pass {
    struct gf_difference difference; /* the first; valid when `is_different` */
    bool is_different, is_countable; /* the log has as many records as the refold, of each topic */
    struct gf_digest log_digest;
};

/* What goes from stage to stage is input again: the next stage's own comparison tells. */
static bool
is_compared(const struct gf_compare *compare, int topic)
{
    return topic >= GF_TOPIC_READ_COUNT && topic != GF_TOPIC_JOURNAL &&
           gf_stages_use(compare->stages, (enum gf_topic)topic) &&
           gf_stage_writes(gf_stage_of(compare->shard, compare->partitions), (enum gf_topic)topic);
}

static uint32_t
partition_of(const struct gf_compare *compare, enum gf_topic topic)
{
    return gf_stage_output(topic, compare->shard, compare->partitions, (struct gf_span){0});
}

struct gf_span
gf_compare_body(const struct gf_record *record)
{
    const struct gf_span value = record->has_value ? record->value : (struct gf_span){0};
    return record->is_framed && value.size >= GF_FRAME_SIZE
               ? gf_span_of(value.data + GF_FRAME_SIZE, value.size - GF_FRAME_SIZE)
               : value;
}

static bool
is_same_time(const struct gf_effect *effect, const struct gf_record *record)
{
    const int64_t a = effect->time.us, b = record->timestamp.us;
    return a == b || (record->is_framed && b % 1000 == 0 && a >= b && a - b < 1000);
}

bool
gf_compare_is_same(const struct gf_effect *effect, const struct gf_record *record)
{
    const struct gf_span key = record->has_key ? record->key : (struct gf_span){0};
    return gf_span_equal(effect->body, gf_compare_body(record)) &&
           gf_span_equal(effect->key, key) && is_same_time(effect, record);
}

int64_t
gf_compare_batch_of(enum gf_topic topic, const void *body)
{
    if (topic == GF_TOPIC_DEAD_LETTERS) {
        return ((const struct gf_dead_letter *)body)->batch;
    }
    const struct gf_type *type = gf_topics[topic].type;
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (strcmp(type->fields[i].name, "lineage") == 0) {
            const void *lineage = (const uint8_t *)body + type->fields[i].offset;
            return ((const struct gf_lineage *)lineage)->batch;
        }
    }
    return -1;
}

/* ---- the log ---- */

static enum gf_rc
cursor_fill(struct gf_compare *compare, enum gf_topic topic, struct gf_error *error)
{
    struct gf_compare_cursor *cursor = &compare->cursors[topic];
    struct gf_source *source = compare->source;
    for (uint32_t empty = 0;
         cursor->record_at == cursor->record_count && cursor->at < cursor->end;) {
        int64_t next = cursor->at;
        cursor->record_at = 0;
        cursor->record_count = 0;
        const enum gf_rc rc = source->ops->read(
            source, GF_SOURCE_TOOL, topic, partition_of(compare, topic), cursor->at, cursor->end,
            (struct gf_duration){WAIT_US}, cursor->records, GF_COMPARE_READ_COUNT,
            &cursor->record_count, &next, error);
        if (rc != GF_OK) {
            return rc;
        }
        empty = next > cursor->at ? 0 : empty + 1;
        cursor->at = next;
        if (empty > EMPTY_READS_MAX) {
            return gf_fail(
                error, GF_E_UNAVAILABLE,
                "%s partition %u: nothing arrives at offset %" PRId64 ", end is %" PRId64,
                gf_topics[topic].name, partition_of(compare, topic), cursor->at, cursor->end);
        }
    }
    return GF_OK;
}

/* The next record, still to be taken; NULL at the end. */
static enum gf_rc
head_of(struct gf_compare *compare, enum gf_topic topic, const struct gf_record **out,
        struct gf_error *error)
{
    struct gf_compare_cursor *cursor = &compare->cursors[topic];
    const enum gf_rc rc = cursor_fill(compare, topic, error);
    *out = rc == GF_OK && cursor->record_at < cursor->record_count
               ? &cursor->records[cursor->record_at]
               : NULL;
    return rc;
}

/* The same of a record that the journal tells of. Where an instance is running, that was written
 * after the end was asked for, or is committed but for a moment not yet readable. */
static enum gf_rc
head_await(struct gf_compare *compare, enum gf_topic topic, const struct gf_record **out,
           struct gf_error *error)
{
    struct gf_compare_cursor *cursor = &compare->cursors[topic];
    struct gf_source *source = compare->source;
    const uint32_t partition = partition_of(compare, topic);
    enum gf_rc rc = head_of(compare, topic, out, error);
    for (uint32_t tries = 0; rc == GF_OK && *out == NULL && tries < AWAIT_TRIES_MAX; tries++) {
        int64_t first = 0, end = 0;
        rc = source->ops->ends(source, topic, partition, &first, &end, error);
        cursor->end = end > cursor->end ? end : cursor->end;
        if (rc == GF_OK && cursor->at == cursor->end) {
            cursor->record_at = 0;
            rc =
                source->ops->read(source, GF_SOURCE_TOOL, topic, partition, cursor->at,
                                  cursor->at + 1, (struct gf_duration){WAIT_US}, cursor->records,
                                  GF_COMPARE_READ_COUNT, &cursor->record_count, &cursor->at, error);
            cursor->end = cursor->at > cursor->end ? cursor->at : cursor->end;
        }
        if (rc == GF_OK) {
            rc = head_of(compare, topic, out, error);
        }
    }
    return rc;
}

static void
head_take(struct gf_compare *compare, enum gf_topic topic)
{
    compare->cursors[topic].record_at++;
    compare->cursors[topic].has_head_batch = false;
}

/* The batch of the next record: INT64_MAX at the end, -1 when it cannot be read. */
static enum gf_rc
head_batch(struct gf_compare *compare, enum gf_topic topic, int64_t *out, struct gf_error *error)
{
    struct gf_compare_cursor *cursor = &compare->cursors[topic];
    const struct gf_record *record = NULL;
    enum gf_rc rc = head_of(compare, topic, &record, error);
    if (rc != GF_OK || record == NULL) {
        *out = INT64_MAX;
        return rc;
    }
    if (!cursor->has_head_batch) {
        struct gf_decoded decoded = {0};
        gf_arena_reset(&compare->arena, 0);
        if (record->has_value) {
            rc = gf_decode_record(&compare->lookup, record, &compare->arena, &decoded, error);
        }
        cursor->head_batch = decoded.body == NULL ? -1 : gf_compare_batch_of(topic, decoded.body);
        cursor->has_head_batch = rc == GF_OK;
    }
    *out = cursor->head_batch;
    return rc;
}

/* What was cut off may end inside a batch: the rest of that is passed over. */
static enum gf_rc
start_find(struct gf_compare *compare, enum gf_topic topic, struct gf_error *error)
{
    int64_t first = 0, at = 0;
    enum gf_rc rc = head_batch(compare, topic, &first, error);
    for (at = first; rc == GF_OK && at == first && first != INT64_MAX;) {
        head_take(compare, topic);
        rc = head_batch(compare, topic, &at, error);
    }
    compare->cursors[topic].start.from_batch = first == INT64_MAX ? INT64_MAX : first + 1;
    return rc;
}

enum gf_rc
gf_compare_open(struct gf_compare *compare, struct gf_source *source,
                const struct gf_lookup *lookup, uint32_t shard, uint32_t partitions,
                uint32_t stages, struct gf_error *error)
{
    compare->source = source;
    compare->lookup = *lookup;
    compare->shard = shard;
    compare->partitions = partitions;
    compare->stages = stages;
    compare->is_open = true;
    enum gf_rc rc = GF_OK;
    for (int topic = 0; rc == GF_OK && topic < GF_TOPIC_COUNT; topic++) {
        struct gf_compare_cursor *cursor = &compare->cursors[topic];
        *cursor = (struct gf_compare_cursor){0};
        if (!is_compared(compare, topic)) {
            continue;
        }
        cursor->start.partition = partition_of(compare, (enum gf_topic)topic);
        rc = source->ops->ends(source, (enum gf_topic)topic, cursor->start.partition,
                               &cursor->start.first, &cursor->end, error);
        cursor->at = cursor->start.first;
        if (rc == GF_OK && cursor->start.first > 0) {
            rc = start_find(compare, (enum gf_topic)topic, error);
        }
    }
    return rc;
}

/* ---- one batch ---- */

/* Takes a record of the log with the time that it had before it was stored. */
static void
digest_take(struct gf_digest *digest, int32_t topic, struct gf_time time,
            const struct gf_record *record)
{
    const struct gf_span key = record->has_key ? record->key : (struct gf_span){0};
    const struct gf_span body = gf_compare_body(record);
    gf_digest_extend(digest, &topic, sizeof(topic));
    gf_digest_extend(digest, &time.us, sizeof(time.us));
    gf_digest_extend(digest, key.data, key.size);
    gf_digest_extend(digest, body.data, body.size);
}

static void
effect_take(struct gf_digest *digest, const struct gf_effect *effect)
{
    gf_digest_extend(digest, &effect->topic, sizeof(effect->topic));
    gf_digest_extend(digest, &effect->time.us, sizeof(effect->time.us));
    gf_digest_extend(digest, effect->key.data, effect->key.size);
    gf_digest_extend(digest, effect->body.data, effect->body.size);
}

static void
difference_note(struct pass *pass, enum gf_difference_kind kind, enum gf_topic topic,
                const struct gf_effect *effect, const struct gf_record *record)
{
    if (!pass->is_different) {
        pass->is_different = true;
        pass->difference.kind = kind;
        pass->difference.topic = topic;
        pass->difference.effect = effect;
        pass->difference.record = record == NULL ? (struct gf_record){0} : *record;
    }
}

/* Whether what stands next on the log is an effect that comes later in the batch: then the one
 * before it is missing. */
static bool
comes_later(const struct gf_effects *effects, uint32_t index, const struct gf_record *record)
{
    const int32_t topic = effects->items[index].topic;
    for (uint32_t i = index + 1; i < effects->count; i++) {
        if (effects->items[i].topic == topic && gf_compare_is_same(&effects->items[i], record)) {
            return true;
        }
    }
    return false;
}

/* Whether the effect stands right behind the next record: then that is one too many. */
static bool
is_second(const struct gf_compare_cursor *cursor, const struct gf_effect *effect)
{
    return cursor->record_at + 1 < cursor->record_count &&
           gf_compare_is_same(effect, &cursor->records[cursor->record_at + 1]);
}

/* An effect that is not what stands next on the log. */
static enum gf_rc
effect_differs(struct gf_compare *compare, struct pass *pass, const struct gf_effects *effects,
               uint32_t index, const struct gf_record *record, int64_t number,
               struct gf_error *error)
{
    const struct gf_effect *effect = &effects->items[index];
    const enum gf_topic topic = (enum gf_topic)effect->topic;
    int64_t batch = INT64_MAX;
    const enum gf_rc rc = head_batch(compare, topic, &batch, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (record == NULL || batch > number || comes_later(effects, index, record)) {
        pass->is_countable = false;
        difference_note(pass, GF_DIFFERENCE_MISSING, topic, effect, NULL);
        return GF_OK;
    }
    compare->records++;
    head_take(compare, topic);
    digest_take(&pass->log_digest, effect->topic,
                is_same_time(effect, record) ? effect->time : record->timestamp, record);
    difference_note(pass, GF_DIFFERENCE_RECORD, topic, effect, record);
    return GF_OK;
}

static enum gf_rc
effect_compare(struct gf_compare *compare, struct pass *pass, const struct gf_effects *effects,
               uint32_t index, int64_t number, struct gf_error *error)
{
    const struct gf_effect *effect = &effects->items[index];
    const enum gf_topic topic = (enum gf_topic)effect->topic;
    const struct gf_record *record = NULL;
    if (!is_compared(compare, (int)topic)) {
        effect_take(&pass->log_digest, effect);
        return GF_OK;
    }
    enum gf_rc rc = head_await(compare, topic, &record, error);
    if (rc == GF_OK && record != NULL && !gf_compare_is_same(effect, record) &&
        is_second(&compare->cursors[topic], effect)) {
        pass->is_countable = false;
        digest_take(&pass->log_digest, effect->topic, record->timestamp, record);
        difference_note(pass, GF_DIFFERENCE_EXTRA, topic, NULL, record);
        head_take(compare, topic);
        compare->records++;
        rc = head_of(compare, topic, &record, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    if (record == NULL || !gf_compare_is_same(effect, record)) {
        return effect_differs(compare, pass, effects, index, record, number, error);
    }
    digest_take(&pass->log_digest, effect->topic, effect->time, record);
    head_take(compare, topic);
    compare->records++;
    return GF_OK;
}

/* Records that the log has of this batch when all effects have found theirs. */
static enum gf_rc
extra_find(struct gf_compare *compare, struct pass *pass, int64_t number, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    for (int topic = 0; rc == GF_OK && topic < GF_TOPIC_COUNT; topic++) {
        int64_t batch = INT64_MAX;
        if (is_compared(compare, topic) && compare->cursors[topic].start.from_batch <= number) {
            rc = head_batch(compare, (enum gf_topic)topic, &batch, error);
        }
        if (rc == GF_OK && batch <= number) {
            const struct gf_compare_cursor *cursor = &compare->cursors[topic];
            pass->is_countable = false;
            difference_note(pass, GF_DIFFERENCE_EXTRA, (enum gf_topic)topic, NULL,
                            &cursor->records[cursor->record_at]);
        }
    }
    return rc;
}

static void
difference_show(struct gf_compare *compare, struct pass *pass)
{
    pass->difference.shard = compare->shard;
    pass->difference.partition = partition_of(compare, pass->difference.topic);
    if (compare->show != NULL) {
        compare->show(compare->context, &pass->difference);
    }
}

static enum gf_rc
pass_end(struct gf_compare *compare, struct pass *pass, const struct gf_journal *journal,
         const struct gf_batch *batch, const struct gf_effects *effects, bool is_tally_equal,
         struct gf_error *error)
{
    const bool is_refold =
        memcmp(effects->digest.bytes, journal->effects_digest, GF_DIGEST_SIZE) == 0;
    const bool is_log =
        memcmp(pass->log_digest.bytes, journal->effects_digest, GF_DIGEST_SIZE) == 0;
    if (!pass->is_different && is_refold && is_tally_equal) {
        return GF_OK;
    }
    difference_note(pass, GF_DIFFERENCE_DIGEST, GF_TOPIC_JOURNAL, NULL, NULL);
    pass->difference.journal = journal;
    pass->difference.batch = batch;
    pass->difference.journal_is_refold = is_refold ? GF_AGREEMENT_YES : GF_AGREEMENT_NO;
    /* Records of another count may stand in another order than they were digested in. */
    pass->difference.journal_is_log = is_log               ? GF_AGREEMENT_YES
                                      : pass->is_countable ? GF_AGREEMENT_NO
                                                           : GF_AGREEMENT_UNKNOWN;
    difference_show(compare, pass);
    return gf_fail(error, GF_E_DIFFERENT,
                   "shard %u batch %" PRId64 ": the log, the journal and the refold do not agree",
                   compare->shard, journal->batch);
}

/* Bytes that were read and taken may go. */
static void
taken_release(struct gf_compare *compare)
{
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        const struct gf_compare_cursor *cursor = &compare->cursors[topic];
        if (is_compared(compare, topic) && cursor->record_at > 0) {
            const bool is_empty = cursor->record_at == cursor->record_count;
            compare->source->ops->release(compare->source, GF_SOURCE_TOOL, (enum gf_topic)topic,
                                          partition_of(compare, (enum gf_topic)topic),
                                          is_empty ? cursor->at
                                                   : cursor->records[cursor->record_at].offset);
        }
    }
}

/* Goes behind the batch without comparing. */
static enum gf_rc
batch_pass(struct gf_compare *compare, int64_t number, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    for (int topic = 0; rc == GF_OK && topic < GF_TOPIC_COUNT; topic++) {
        int64_t at = INT64_MAX;
        rc = is_compared(compare, topic) ? head_batch(compare, (enum gf_topic)topic, &at, error)
                                         : GF_OK;
        while (rc == GF_OK && at <= number) {
            head_take(compare, (enum gf_topic)topic);
            rc = head_batch(compare, (enum gf_topic)topic, &at, error);
        }
    }
    return rc;
}

enum gf_rc
gf_compare_batch(struct gf_compare *compare, const struct gf_journal *journal,
                 const struct gf_batch *batch, const struct gf_effects *effects,
                 bool is_tally_equal, bool is_inside, struct gf_error *error)
{
    struct pass pass = {.is_countable = true};
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < effects->count; i++) {
        if (compare->cursors[effects->items[i].topic].start.from_batch > batch->number) {
            pass.is_countable = false; /* cut off */
        } else if (is_inside) {
            rc = effect_compare(compare, &pass, effects, i, batch->number, error);
        }
    }
    if (rc == GF_OK && is_inside) {
        rc = extra_find(compare, &pass, batch->number, error);
        if (rc == GF_OK) {
            rc = pass_end(compare, &pass, journal, batch, effects, is_tally_equal, error);
        }
    } else if (rc == GF_OK) {
        rc = batch_pass(compare, batch->number, error);
    }
    taken_release(compare);
    return rc;
}

enum gf_rc
gf_compare_end(struct gf_compare *compare, int64_t last, struct gf_error *error)
{
    struct pass pass = {0};
    enum gf_rc rc = compare->is_open ? extra_find(compare, &pass, last, error) : GF_OK;
    if (rc == GF_OK && pass.is_different) {
        difference_show(compare, &pass);
        rc = gf_fail(error, GF_E_DIFFERENT, "shard %u: the log has more than the journal tells of",
                     compare->shard);
    }
    return rc;
}
