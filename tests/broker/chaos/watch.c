/* Follows the journals as an ordinary reader of what is committed, and checks conservation at every
 * commit: batches without a gap, each from where the one before ended, no record twice. */
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "chaos.h"
#include "codec/records.h"
#include "codec/wire.h"

#define ARENA_SIZE (8 << 20)

static rd_kafka_t *consumer;
static rd_kafka_topic_partition_list_t *assigned;

static void
ignore_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    (void)level;
    (void)facility;
    (void)text;
}

void
watch_open(void)
{
    char text[256], name[128];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", chaos.cluster.addresses, NULL, 0);
    rd_kafka_conf_set(conf, "group.id", "watch", NULL, 0);
    rd_kafka_conf_set(conf, "isolation.level", "read_committed", NULL, 0);
    rd_kafka_conf_set(conf, "enable.auto.commit", "false", NULL, 0);
    rd_kafka_conf_set(conf, "auto.offset.reset", "error", NULL, 0);
    rd_kafka_conf_set(conf, "fetch.wait.max.ms", "50", NULL, 0);
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "500", NULL, 0);
    rd_kafka_conf_set_log_cb(conf, ignore_log);
    consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (consumer == NULL) {
        chaos_die("watch: %s", text);
    }
    rd_kafka_poll_set_consumer(consumer);
    snprintf(name, sizeof(name), "%sjournal", chaos.prefix);
    assigned = rd_kafka_topic_partition_list_new(CHAOS_SHARDS);
    for (int i = 0; i < CHAOS_SHARDS; i++) {
        rd_kafka_topic_partition_list_add(assigned, name, i)->offset = 0;
    }
    rd_kafka_assign(consumer, assigned);
    memset(chaos.journals, 0, sizeof(chaos.journals));
}

void
watch_close(void)
{
    rd_kafka_topic_partition_list_destroy(assigned);
    rd_kafka_destroy(consumer);
    consumer = NULL;
}

static struct chaos_input *
input_of(struct chaos_journal *journal, const struct gf_journal_input *input)
{
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)input->topic.size, (const char *)input->topic.data);
    const int topic = gf_topic_find(name);
    for (uint32_t i = 0; i < journal->input_count; i++) {
        if (journal->inputs[i].topic == topic && journal->inputs[i].partition == input->partition) {
            return &journal->inputs[i];
        }
    }
    if (topic < 0 || journal->input_count == CHAOS_INPUTS_MAX) {
        chaos_die("journal: input %s/%d", name, input->partition);
    }
    struct chaos_input *fresh = &journal->inputs[journal->input_count++];
    *fresh = (struct chaos_input){.topic = topic, .partition = input->partition};
    return fresh;
}

static void
batch_check(int shard, const struct gf_journal *record)
{
    struct chaos_journal *journal = &chaos.journals[shard];
    const struct gf_tally *tally = &record->tally;
    int64_t taken = 0;
    if (record->batch != journal->batch + 1) {
        chaos_die("shard %d: batch %lld follows batch %lld", shard, (long long)record->batch,
                  (long long)journal->batch);
    }
    for (uint32_t i = 0; i < record->inputs.count; i++) {
        const struct gf_journal_input *input = &record->inputs.items[i];
        struct chaos_input *before = input_of(journal, input);
        if (input->from != before->to || input->to < input->from ||
            input->count - before->count != input->to - input->from) {
            chaos_die("shard %d batch %lld: %s/%d: %lld to %lld, %lld records, after %lld and "
                      "%lld records",
                      shard, (long long)record->batch, gf_topics[before->topic].name,
                      input->partition, (long long)input->from, (long long)input->to,
                      (long long)input->count, (long long)before->to, (long long)before->count);
        }
        taken += input->to - input->from;
        before->to = input->to;
        before->count = input->count;
    }
    if (tally->records - journal->tally.records != taken ||
        tally->records != tally->processed + tally->filtered + tally->late + tally->dead) {
        chaos_die("shard %d batch %lld: %lld records taken, but the tally goes from %lld to %lld",
                  shard, (long long)record->batch, (long long)taken,
                  (long long)journal->tally.records, (long long)tally->records);
    }
    chaos.batches++;
    chaos.records += taken;
    chaos.effects += tally->effects - journal->tally.effects;
    journal->batch = record->batch;
    journal->tally = *tally;
}

static void
record_check(int shard, const struct gf_journal *record)
{
    struct chaos_journal *journal = &chaos.journals[shard];
    if (record->shard != shard) {
        chaos_die("journal/%d: a record of shard %d", shard, record->shard);
    }
    if (record->kind == GF_JOURNAL_KIND_BATCH) {
        batch_check(shard, record);
    } else if (record->batch != journal->batch) {
        chaos_die("journal/%d: a record of kind %d says batch %lld after batch %lld", shard,
                  record->kind, (long long)record->batch, (long long)journal->batch);
    }
    if (record->kind == GF_JOURNAL_KIND_CLAIM) {
        if (record->claim.generation < journal->generation) {
            chaos_die("journal/%d: a claim of generation %d after %d", shard,
                      record->claim.generation, journal->generation);
        }
        journal->generation = record->claim.generation;
    }
}

static void
message_take(const rd_kafka_message_t *message)
{
    static uint8_t memory[ARENA_SIZE];
    struct gf_arena arena = gf_arena_of(memory, sizeof(memory));
    struct gf_journal record;
    struct gf_span body;
    struct gf_error error = {{0}};
    uint32_t id = 0;
    if (gf_frame_read(gf_span_of(message->payload, message->len), &id, &body, &error) != GF_OK) {
        chaos_die("journal: %s", error.text);
    }
    struct gf_reader reader = gf_reader_of(body);
    if (gf_topics[GF_TOPIC_JOURNAL].decode(&reader, &arena, &record) != GF_OK) {
        chaos_die("journal/%d@%lld does not decode", message->partition,
                  (long long)message->offset);
    }
    record_check(message->partition, &record);
}

void
watch_poll(void)
{
    for (int i = 0; consumer != NULL && i < 5000; i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 0);
        if (message == NULL) {
            return;
        }
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            message_take(message);
        } else if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
            chaos_die("journal/%d: %s", message->partition, rd_kafka_message_errstr(message));
        }
        rd_kafka_message_destroy(message);
    }
}

int64_t
watch_records(void)
{
    int64_t sum = 0;
    for (int shard = 0; shard < CHAOS_SHARDS; shard++) {
        sum += chaos.journals[shard].tally.records;
    }
    return sum;
}

/* Every shard has every record of each of its inputs. */
bool
watch_is_done(void)
{
    if (!input_is_out()) {
        return false;
    }
    for (int shard = 0; shard < CHAOS_SHARDS; shard++) {
        const struct chaos_journal *journal = &chaos.journals[shard];
        for (uint32_t i = 0; i < journal->input_count; i++) {
            const struct chaos_input *input = &journal->inputs[i];
            if (input->topic < GF_TOPIC_INPUT_COUNT &&
                input->to != chaos.ends[input->topic][input->partition]) {
                return false;
            }
        }
        if (journal->batch == 0) {
            return false;
        }
    }
    return true;
}
