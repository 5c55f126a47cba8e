#include "lab_journal.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/records.h"

#define RECORD_SIZE_MAX ((size_t)1 << 20)

static void
record_decode(const struct gf_record *record, struct gf_journal *out)
{
    static uint64_t memory[RECORD_SIZE_MAX / sizeof(uint64_t)];
    struct gf_arena arena = gf_arena_of(memory, sizeof(memory));
    struct gf_reader reader = gf_reader_of(record->value);
    assert_int_equal(gf_topics[GF_TOPIC_JOURNAL].decode(&reader, &arena, out), GF_OK);
    assert_ptr_equal(reader.at, reader.end);
}

/* Where one shard is, by its journal. */
struct place {
    const struct lab *lab;
    uint32_t shard, input_count;
    int64_t batch;
    struct place_input {
        enum gf_topic topic;
        int32_t partition;
        int64_t to, count;
    } inputs[GF_MERGE_INPUT_COUNT_MAX];
};

/* One that was not there before begins at 0: a stage was switched on. */
static struct place_input *
input_of(struct place *place, enum gf_topic topic, int32_t partition)
{
    for (uint32_t i = 0; i < place->input_count; i++) {
        if (place->inputs[i].topic == topic && place->inputs[i].partition == partition) {
            return &place->inputs[i];
        }
    }
    assert_true(place->input_count < GF_MERGE_INPUT_COUNT_MAX);
    place->inputs[place->input_count] =
        (struct place_input){.topic = topic, .partition = partition};
    return &place->inputs[place->input_count++];
}

static int64_t
input_take(struct place *place, const struct gf_journal *record, uint32_t index)
{
    const struct gf_journal_input *input = &record->inputs.items[index];
    char topic[64];
    snprintf(topic, sizeof(topic), "%.*s", GF_SPAN_PRINT(input->topic));
    const int found = gf_topic_find(topic);
    assert_true(found >= 0);
    struct place_input *before = input_of(place, (enum gf_topic)found, input->partition);
    const int64_t taken = input->count - before->count;
    const uint32_t there =
        gf_memory_log_count(place->lab->log, (enum gf_topic)found, (uint32_t)input->partition);
    /* No offset of a lab's inputs is left out: positions and counts go together. */
    if (input->from != before->to || taken != input->to - input->from || taken < 0 ||
        input->to > input->end || input->end > (int64_t)there) {
        fail_msg("shard %u batch %" PRId64 " %s/%d: from %" PRId64 " (was at %" PRId64
                 ") to %" PRId64 ", end %" PRId64 " of %u, %" PRId64 " taken",
                 place->shard, record->batch, topic, input->partition, input->from, before->to,
                 input->to, input->end, there, taken);
    }
    before->to = input->to;
    before->count = input->count;
    return input->count;
}

static void
batch_take(struct place *place, const struct gf_journal *record)
{
    const struct gf_tally *tally = &record->tally;
    int64_t count = 0;
    assert_int_equal(record->batch, place->batch + 1);
    assert_in_range(record->inputs.count, 1, GF_MERGE_INPUT_COUNT_MAX);
    for (uint32_t i = 0; i < record->inputs.count; i++) {
        count += input_take(place, record, i);
    }
    const int64_t told = tally->processed + tally->filtered + tally->late + tally->dead;
    if (tally->records != count || tally->records != told) {
        fail_msg("shard %u batch %" PRId64 ": %" PRId64 " records, %" PRId64 " by input, %" PRId64
                 " told",
                 place->shard, record->batch, tally->records, count, told);
    }
    assert_int_equal(record->inputs.count, place->input_count);
    place->batch = record->batch;
}

uint32_t
lab_journal_assert_conserved(const struct lab *lab)
{
    uint32_t batches = 0;
    for (uint32_t shard = 0; shard < lab->shard_end; shard++) {
        struct place place = {.lab = lab, .shard = shard};
        const struct gf_record *record = NULL;
        for (uint32_t i = 0;
             (record = gf_memory_log_get(lab->log, GF_TOPIC_JOURNAL, shard, i)) != NULL; i++) {
            struct gf_journal journal;
            record_decode(record, &journal);
            assert_int_equal(journal.shard, shard);
            if (journal.kind == GF_JOURNAL_KIND_BATCH) {
                batch_take(&place, &journal);
                batches++;
            }
        }
    }
    return batches;
}

/* ---- the log of another program ---- */

struct config_copy {
    char text[64 << 10];
    size_t size;
    int64_t hash;
};

static void
config_rewrite(const struct gf_journal *journal, int32_t fold_version, struct config_copy *out)
{
    char ours[64];
    const int size = snprintf(ours, sizeof(ours), "# fold_version %d ", GF_FOLD_VERSION);
    const struct gf_span text = journal->config.body;
    assert_true(text.size > (uint32_t)size && text.size + 64 < sizeof(out->text));
    assert_memory_equal(text.data, ours, (size_t)size);
    out->size =
        (size_t)snprintf(out->text, sizeof(out->text), "# fold_version %d %.*s", fold_version,
                         (int)(text.size - (uint32_t)size), (const char *)text.data + size);
    out->hash = (int64_t)gf_hash64(out->text, out->size, 0);
}

static void
journal_copy(struct lab *to, const struct gf_record *record, int32_t fold_version,
             struct config_copy *config)
{
    static uint8_t bytes[RECORD_SIZE_MAX];
    struct gf_journal journal;
    record_decode(record, &journal);
    if (journal.has_config) {
        config_rewrite(&journal, fold_version, config);
        journal.config.body = gf_span_of(config->text, config->size);
        journal.config.fold_version = fold_version;
    }
    journal.config_hash = config->size > 0 ? config->hash : journal.config_hash;
    struct gf_writer writer = gf_writer_of(bytes, sizeof(bytes));
    gf_topics[GF_TOPIC_JOURNAL].encode(&writer, &journal);
    assert_false(writer.overflowed);
    struct gf_record copy = *record;
    copy.value = gf_span_of(bytes, gf_writer_size(&writer));
    gf_memory_log_add(to->log, &copy);
}

void
lab_journal_copy_as_version(struct lab *to, const struct lab *from, int32_t fold_version)
{
    lab_copy_inputs(to, from);
    for (int topic = GF_TOPIC_INPUT_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t shard = 0; shard < from->shard_end; shard++) {
            struct config_copy config = {.size = 0};
            const struct gf_record *record = NULL;
            for (uint32_t i = 0;
                 (record = gf_memory_log_get(from->log, (enum gf_topic)topic, shard, i)) != NULL;
                 i++) {
                if (topic == GF_TOPIC_JOURNAL) {
                    journal_copy(to, record, fold_version, &config);
                } else {
                    gf_memory_log_add(to->log, record);
                }
            }
        }
    }
}
