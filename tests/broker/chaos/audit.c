/* After a round: what is in the topics, compared with the undisturbed run, with the replay of the
 * journal, and with what was published. */
#include <stdlib.h>
#include <string.h>

#include "chaos.h"
#include "codec/records.h"
#include "codec/wire.h"

#define ID_SIZE 16 /* record_id, the first field of every output but dead letters */

struct place {
    int topic;
    int32_t partition;
    int64_t offset;
};

static int
id_compare(const void *left, const void *right)
{
    return memcmp(left, right, ID_SIZE);
}

static void
ids_check(const struct topic_records *records, enum gf_topic topic)
{
    uint8_t(*ids)[ID_SIZE] = malloc((records->count + 1) * sizeof(*ids));
    for (size_t i = 0; i < records->count; i++) {
        if (records->items[i].body_size < ID_SIZE) {
            chaos_die("%s: record %zu is short", gf_topics[topic].name, i);
        }
        memcpy(ids[i], records->items[i].body, ID_SIZE);
    }
    qsort(ids, records->count, sizeof(*ids), id_compare);
    for (size_t i = 1; i < records->count; i++) {
        if (memcmp(ids[i - 1], ids[i], ID_SIZE) == 0) {
            chaos_die("%s: an id is there twice", gf_topics[topic].name);
        }
    }
    free(ids);
}

static int
place_compare(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->topic != b->topic) {
        return a->topic < b->topic ? -1 : 1;
    }
    if (a->partition != b->partition) {
        return a->partition < b->partition ? -1 : 1;
    }
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static const struct chaos_bad *
bad_find(const struct place *place)
{
    for (uint32_t i = 0; i < chaos.bad_count; i++) {
        const struct chaos_bad *bad = &chaos.bads[i];
        if (bad->topic == place->topic && bad->partition == (uint32_t)place->partition &&
            bad->offset == place->offset) {
            return bad;
        }
    }
    return NULL;
}

/* Exactly the bad records, each once, byte for byte; and those that came too late. */
static void
dead_letters_check(const struct topic_records *records)
{
    static uint8_t memory[1 << 20];
    struct place *places = calloc(records->count + 1, sizeof(*places));
    uint32_t bads = 0, lates = 0;
    for (size_t i = 0; i < records->count; i++) {
        struct gf_arena arena = gf_arena_of(memory, sizeof(memory));
        struct gf_reader reader =
            gf_reader_of(gf_span_of(records->items[i].body, records->items[i].body_size));
        struct gf_dead_letter letter;
        if (gf_topics[GF_TOPIC_DEAD_LETTERS].decode(&reader, &arena, &letter) != GF_OK) {
            chaos_die("dead letter %zu does not decode", i);
        }
        char topic[64];
        snprintf(topic, sizeof(topic), "%.*s", (int)letter.topic.size,
                 (const char *)letter.topic.data);
        places[i] = (struct place){gf_topic_find(topic), letter.partition, letter.offset};
        const struct chaos_bad *bad = bad_find(&places[i]);
        const bool is_late = letter.code.size == 4 && memcmp(letter.code.data, "LATE", 4) == 0;
        if (bad == NULL && !is_late) {
            chaos_die("%s/%d@%lld is a dead letter (%.*s), but was well", topic, letter.partition,
                      (long long)letter.offset, (int)letter.code.size,
                      (const char *)letter.code.data);
        }
        if (bad != NULL && (letter.value.size != bad->size ||
                            memcmp(letter.value.data, bad->value, bad->size) != 0)) {
            chaos_die("%s/%d@%lld: the dead letter has other bytes", topic, letter.partition,
                      (long long)letter.offset);
        }
        bads += bad != NULL;
        lates += bad == NULL;
    }
    qsort(places, records->count, sizeof(*places), place_compare);
    for (size_t i = 1; i < records->count; i++) {
        if (place_compare(&places[i - 1], &places[i]) == 0) {
            chaos_die("%s/%d@%lld is a dead letter twice", gf_topics[places[i].topic].name,
                      places[i].partition, (long long)places[i].offset);
        }
    }
    free(places);
    int64_t late_sum = 0;
    for (int shard = 0; shard < CHAOS_SHARDS; shard++) {
        late_sum += chaos.journals[shard].tally.late;
    }
    if (bads != chaos.bad_count || (int64_t)lates != late_sum) {
        chaos_die("%u bad records published and %lld late, but %u and %u dead letters",
                  chaos.bad_count, (long long)late_sum, bads, lates);
    }
}

/* Every input partition, from its first record to its last, is accounted for by each shard that
 * reads it: by what was published, not by what the engine says was there. */
static void
inputs_check(void)
{
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        for (int shard = 0; shard < CHAOS_SHARDS; shard++) {
            const int partition = gf_topics[topic].is_reference ? 0 : shard;
            const struct chaos_journal *journal = &chaos.journals[shard];
            int64_t count = 0;
            for (uint32_t i = 0; i < journal->input_count; i++) {
                if (journal->inputs[i].topic == topic &&
                    journal->inputs[i].partition == partition) {
                    count = journal->inputs[i].count;
                }
            }
            const int64_t end =
                chaos.ends[topic][partition]; /* -1: a topic of a stage that is off */
            if (count != (end > 0 ? end : 0)) {
                chaos_die("shard %d took %lld records of %s/%d, of %lld published", shard,
                          (long long)count, gf_topics[topic].name, partition, (long long)end);
            }
        }
    }
}

static void
replay_compare(void)
{
    char log[300];
    snprintf(log, sizeof(log), "%s/replay-%d.log", chaos.work, chaos.round);
    const char *const replay[] = {
        chaos.gridfold, "replay", "--compare", "-c", chaos.instances[1].config, NULL};
    chaos_run(log, 0, replay);
    if (!test_file_has(log, "are what the fold gives, byte for byte")) {
        test_file_show(log);
        chaos_die("the replay does not say that it is equal");
    }
}

bool
audit_is_swept(void)
{
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct history history;
    topic_records_kafka(chaos.cluster.addresses, chaos.prefix, CHAOS_SHARDS, outputs);
    history_make(&outputs[GF_TOPIC_JOURNAL], &history);
    const bool is_swept = history_is_swept(&history);
    history_free(&history);
    topic_records_free(outputs);
    return is_swept;
}

void
audit_round(void)
{
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct history history;
    topic_records_kafka(chaos.cluster.addresses, chaos.prefix, CHAOS_SHARDS, outputs);
    inputs_check();
    dead_letters_check(&outputs[GF_TOPIC_DEAD_LETTERS]);
    for (int topic = GF_TOPIC_INPUT_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        if (topic != GF_TOPIC_JOURNAL && topic != GF_TOPIC_DEAD_LETTERS) {
            ids_check(&outputs[topic], (enum gf_topic)topic);
        }
        chaos.compared += topic != GF_TOPIC_JOURNAL ? outputs[topic].count : 0;
    }
    history_make(&outputs[GF_TOPIC_JOURNAL], &history);
    history_expect_swept(&history);
    if (chaos.is_live) {
        replay_compare();
    } else {
        topic_records_expect_equal(chaos.calm, outputs, true);
        history_expect_equal(&chaos.calm_history, &history);
        history_expect_same_state(&chaos.calm_history, &history);
    }
    history_free(&history);
    topic_records_free(outputs);
}
