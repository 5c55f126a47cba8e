/* test_kafka_journal GRIDFOLD PUBLISH: journals on a real broker that are not as they were written:
 * with a hole, with a number twice, with other content, cut, emptied. No verb goes on from them;
 * each says which batch or offset it is about, and what can be done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>

#include "codec/records.h"
#include "codec/wire.h"
#include "kafka_site.h"

#define ANSWER_MS 30000
#define SHARD     1 /* whose journal is changed */
#define ARENA     (8 << 20)
#define DIVIDE    "2024-03-08" /* of the days that are folded, and those that come later */

static struct {
    char input[256]; /* the folder log of all instances */
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct gf_journal last; /* the last batch of SHARD */
    struct topic_record last_record;
    char first_output[100], last_output[100]; /* of SHARD, as `explain` takes them */
    uint8_t memory[ARENA], value[1 << 20];
} world;

/* ---- what is done to a journal ---- */

static rd_kafka_t *
handle_open(void)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", site_broker.address, NULL, 0);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(handle);
    return handle;
}

static void
answer_take(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ANSWER_MS);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
}

/* Writes `body` where and when `record` is. */
static void
journal_send(const struct site *site, rd_kafka_t *handle, const struct topic_record *record,
             const struct gf_journal *body)
{
    char topic[128];
    snprintf(topic, sizeof(topic), "%s%s", site->prefix, gf_topics[GF_TOPIC_JOURNAL].name);
    gf_frame_write(record->schema_id, world.value);
    struct gf_writer writer =
        gf_writer_of(world.value + GF_FRAME_SIZE, sizeof(world.value) - GF_FRAME_SIZE);
    gf_topics[GF_TOPIC_JOURNAL].encode(&writer, body);
    assert_int_equal(
        rd_kafka_producev(handle, RD_KAFKA_V_TOPIC(topic),
                          RD_KAFKA_V_PARTITION((int32_t)record->partition),
                          RD_KAFKA_V_TIMESTAMP(record->timestamp_ms),
                          RD_KAFKA_V_KEY(record->key, record->key_size),
                          RD_KAFKA_V_VALUE(world.value, GF_FRAME_SIZE + gf_writer_size(&writer)),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
        RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void
journal_append(const struct site *site, const struct gf_journal *body)
{
    rd_kafka_t *handle = handle_open();
    journal_send(site, handle, &world.last_record, body);
    assert_int_equal(rd_kafka_flush(handle, ANSWER_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(handle);
}

/* Takes everything before `offset` away, as retention does; -1: everything. */
static void
journal_cut(const struct site *site, uint32_t partition, int64_t offset)
{
    char topic[128];
    snprintf(topic, sizeof(topic), "%s%s", site->prefix, gf_topics[GF_TOPIC_JOURNAL].name);
    rd_kafka_t *handle = handle_open();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, (int32_t)partition)->offset =
        offset < 0 ? RD_KAFKA_OFFSET_END : offset;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_DeleteRecords(handle, &request, 1, NULL, queue);
    answer_take(queue);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(handle);
}

/* Makes the topic anew, with the same records but for the digest of one batch. */
static void
journal_write_anew(struct site *site, int64_t changed_batch)
{
    char topic[128];
    snprintf(topic, sizeof(topic), "%s%s", site->prefix, gf_topics[GF_TOPIC_JOURNAL].name);
    rd_kafka_t *handle = handle_open();
    rd_kafka_DeleteTopic_t *request = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_DeleteTopics(handle, &request, 1, NULL, queue);
    answer_take(queue);
    rd_kafka_DeleteTopic_destroy(request);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(handle);
    site_create(site);
    handle = handle_open();
    const struct topic_records *journal = &world.outputs[GF_TOPIC_JOURNAL];
    for (size_t i = 0; i < journal->count; i++) {
        struct gf_arena arena = gf_arena_of(world.memory, sizeof(world.memory));
        struct gf_journal body;
        topic_record_journal(&journal->items[i], &arena, &body);
        if (journal->items[i].partition == SHARD && body.kind == GF_JOURNAL_KIND_BATCH &&
            body.batch == changed_batch) {
            body.effects_digest[3] ^= 0x20;
        }
        journal_send(site, handle, &journal->items[i], &body);
    }
    assert_int_equal(rd_kafka_flush(handle, ANSWER_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(handle);
}

/* ---- an instance that has stopped ---- */

static void
output_name(const struct topic_records *records, bool is_last, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < records->count; i++) {
        const struct topic_record *record = &records->items[i];
        if (record->partition == SHARD && (is_last || out[0] == '\0')) {
            snprintf(out, size, "tariff.adjustments/%d/%lld", SHARD, (long long)record->offset);
        }
    }
    assert_true(out[0] != '\0');
}

static void
world_read(const struct site *site)
{
    topic_records_free(world.outputs);
    site_read(site, world.outputs);
    const struct topic_records *journal = &world.outputs[GF_TOPIC_JOURNAL];
    const struct topic_records *prices = &world.outputs[GF_TOPIC_TARIFF_ADJUSTMENTS];
    struct gf_arena arena = gf_arena_of(world.memory, sizeof(world.memory));
    world.last.batch = 0;
    for (size_t i = 0; i < journal->count; i++) {
        struct gf_journal body;
        topic_record_journal(&journal->items[i], &arena, &body);
        if (journal->items[i].partition == SHARD && body.kind == GF_JOURNAL_KIND_BATCH) {
            world.last_record = journal->items[i];
        }
    }
    topic_record_journal(&world.last_record, &arena, &world.last);
    assert_true(world.last.batch > 3);
    output_name(prices, false, world.first_output, sizeof(world.first_output));
    output_name(prices, true, world.last_output, sizeof(world.last_output));
}

/* The first days of a population were folded, and a clean stop; what came of it is in `world`. */
static void
instance_make(struct site *site, const char *name)
{
    char more[200];
    snprintf(more, sizeof(more),
             "order: canonical\nbatch_records: 64\nsnapshot: {folder: %s.snaps, interval: 0s}\n",
             name);
    site_make(site, name, "", more);
    site_create(site);
    site_feed(site, world.input, "--until " DIVIDE);
    site_expect(site, 0, "run --exit-at-end");
    world_read(site);
}

/* `words` ends with `code` and says all of the texts. */
static void
expect(struct site *site, int code, const char *words, const char *const *texts)
{
    site_expect(site, code, words);
    for (; *texts != NULL; texts++) {
        site_said(site, *texts);
    }
}

static void
expect_replay(struct site *site, int code, const char *const *texts)
{
    expect(site, code, "replay", texts);
    expect(site, code, "replay --compare", texts);
}

static void
expect_explain(struct site *site, int code, const char *output, const char *const *texts)
{
    char words[200];
    snprintf(words, sizeof(words), "explain %s", output);
    expect(site, code, words, texts);
}

/* Without store and snapshot. */
static void
expect_fresh_run(struct site *site, int code, const char *const *texts)
{
    char words[400];
    snprintf(words, sizeof(words),
             "run --exit-at-end --set store=%s/%s.fresh --set snapshot.folder=", site_work,
             site->name);
    expect(site, code, words, texts);
}

/* From the store as it was left, and without one. */
static void
expect_run(struct site *site, int code, const char *const *texts)
{
    expect(site, code, "run --exit-at-end", texts);
    expect_fresh_run(site, code, texts);
}

/* Nothing was written beside what was there when `world` was read. */
static void
expect_outputs_untouched(const struct site *site)
{
    struct topic_records now[GF_TOPIC_COUNT];
    site_read(site, now);
    for (int topic = GF_TOPIC_READ_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        size_t before = 0, after = 0;
        for (size_t i = 0; i < world.outputs[topic].count; i++) {
            before += world.outputs[topic].items[i].partition == SHARD;
        }
        for (size_t i = 0; i < now[topic].count; i++) {
            after += now[topic].items[i].partition == SHARD;
        }
        if (topic != GF_TOPIC_JOURNAL) {
            assert_int_equal(before, after);
        }
    }
    topic_records_free(now);
}

#define EXPLAINED                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        "folded again, the same", NULL                                                             \
    }

/* ---- what is said ---- */

static void
a_journal_with_a_hole(void **state)
{
    (void)state;
    struct site site;
    char numbers[2][100];
    instance_make(&site, "hole");
    struct gf_journal forged = world.last;
    forged.batch += 2;
    journal_append(&site, &forged);
    const long long last = world.last.batch;
    snprintf(numbers[0], sizeof(numbers[0]),
             "shard %d: the journal goes on with batch %lld; batch %lld is needed", SHARD, last + 2,
             last + 1);
    snprintf(numbers[1], sizeof(numbers[1]),
             "shard %d: in the journal batch %lld follows batch %lld", SHARD, last + 2, last);
    const char *const run[] = {numbers[0], "it has a hole; restore the journal", NULL};
    const char *const replay[] = {numbers[1], "it has a hole; restore the journal", NULL};
    expect_run(&site, 65, run);
    expect_replay(&site, 65, replay);
    expect_explain(&site, 0, world.last_output, EXPLAINED); /* before the hole */
    expect_outputs_untouched(&site);
}

static void
a_journal_with_a_batch_twice(void **state)
{
    (void)state;
    struct site site;
    char numbers[100];
    instance_make(&site, "twice");
    struct gf_journal forged = world.last;
    forged.effects_digest[3] ^= 0x20;
    journal_append(&site, &forged);
    snprintf(numbers, sizeof(numbers), "shard %d: in the journal batch %lld follows batch %lld",
             SHARD, (long long)world.last.batch, (long long)world.last.batch);
    const char *const texts[] = {numbers, "somebody else has written to it", "restore the journal",
                                 NULL};
    expect_run(&site, 65, texts);
    expect_replay(&site, 65, texts);
    expect_explain(&site, 0, world.last_output, EXPLAINED);
    expect_outputs_untouched(&site);
}

/* What is before the store is not read by a run that has it: it is found without one. */
static void
a_journal_with_other_content(void **state)
{
    (void)state;
    struct site site;
    char numbers[100];
    instance_make(&site, "altered");
    const int64_t changed = world.last.batch / 2;
    journal_write_anew(&site, changed);
    snprintf(numbers, sizeof(numbers), "shard %d batch %lld", SHARD, (long long)changed);
    const char *const run[] = {numbers, "an input or the journal was altered",
                               "gridfold replay --compare", "restore that, or a store", NULL};
    expect_fresh_run(&site, 1, run);
    const char *const replay[] = {numbers, "the effects' bytes differ", "gridfold replay --compare",
                                  NULL};
    expect(&site, 1, "replay", replay);
    const char *const compare[] = {numbers, "the journal's record was altered", NULL};
    expect(&site, 1, "replay --compare", compare);
    expect_explain(&site, 0, world.first_output, EXPLAINED); /* before the change */
    expect_explain(&site, 1, world.last_output, replay);
    expect_outputs_untouched(&site);
}

static void
a_journal_without_its_beginning(void **state)
{
    (void)state;
    struct site site;
    char first[100], from[100];
    instance_make(&site, "cut");
    const int64_t offset = world.last_record.offset / 2;
    journal_cut(&site, SHARD, offset);

    /* The store knows all that is gone. */
    site_expect(&site, 0, "run --exit-at-end");
    site_expect(&site, 0, "snapshot");
    snprintf(from, sizeof(from), "from the snapshot at batch %lld", (long long)world.last.batch);
    site_feed(&site, world.input, "--from " DIVIDE);
    site_expect(&site, 0, "run --exit-at-end");
    world_read(&site);

    snprintf(first, sizeof(first), "shard %d: the journal starts at offset %lld, not at 0", SHARD,
             (long long)offset);
    const char *const cut[] = {first, "restore the journal", "from a snapshot: snapshot.folder",
                               NULL};
    expect_replay(&site, 65, cut);
    expect_explain(&site, 65, world.first_output, cut);
    const char *const explained[] = {from, "folded again, the same", NULL};
    expect_explain(&site, 0, world.last_output, explained);
    const char *const run[] = {"batch 1 is needed: its beginning is gone (retention?)",
                               "restore the journal, or a store of it that is at batch", NULL};
    expect_fresh_run(&site, 65, run);
    expect_outputs_untouched(&site);
}

static void
a_journal_that_was_emptied(void **state)
{
    (void)state;
    struct site site;
    char empty[160], first[100];
    instance_make(&site, "emptied");
    journal_cut(&site, SHARD, -1);
    snprintf(empty, sizeof(empty), "shard %d: the journal is empty, though it has had records",
             SHARD);
    const char *const run[] = {empty, "restore the journal; or start over", "move the store away",
                               NULL};
    expect_run(&site, 65, run);
    site_said(&site, "the store is at batch 0;");
    snprintf(first, sizeof(first), "shard %d: the journal starts at offset ", SHARD);
    const char *const cut[] = {first, "not at 0", "restore the journal", NULL};
    expect_replay(&site, 65, cut);
    expect_explain(&site, 65, world.last_output, cut);
    expect_outputs_untouched(&site);
}

static int
world_make(void **state)
{
    (void)state;
    char to[300], log[256];
    snprintf(world.input, sizeof(world.input), "%s/input", site_work);
    snprintf(to, sizeof(to), "folder:%s", world.input);
    snprintf(log, sizeof(log), "%s/simulate.log", site_work);
    const char *const simulate[] = {site_gridfold, "simulate",   "--to",       to,
                                    "--customers", "12",         "--days",     "12",
                                    "--seed",      "3",          "--interval", "1h",
                                    "--start",     "2024-03-01", "--no-sync",  NULL};
    if (test_program_run(log, simulate) != 0) {
        test_file_show(log);
        return -1;
    }
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: test_kafka_journal GRIDFOLD PUBLISH\n");
        return 64;
    }
    site_gridfold = argv[1];
    site_publish = argv[2];
    const int verdict = site_begin();
    if (verdict >= 0) {
        return verdict;
    }
    cmocka_set_test_filter(getenv("GF_TEST_FILTER"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_journal_with_a_hole),
        cmocka_unit_test(a_journal_with_a_batch_twice),
        cmocka_unit_test(a_journal_with_other_content),
        cmocka_unit_test(a_journal_without_its_beginning),
        cmocka_unit_test(a_journal_that_was_emptied),
    };
    const int failed = cmocka_run_group_tests(tests, world_make, NULL);
    topic_records_free(world.outputs);
    site_end(failed);
    return failed;
}
