/* test_kafka_tools GRIDFOLD PUBLISH: the verbs that look back and mend, on a real broker and beside
 * an instance that runs. They must say what is true, and it must not notice them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>

#include "base/hash.h"
#include "codec/records.h"
#include "codec/stage.h"
#include "codec/wire.h"
#include "journal_history.h"
#include "kafka_site.h"
#include "loop/explain.h"

#define WAIT_TRIES_MAX 200
#define SEND_MS        10000
#define CUSTOMER       "C00000045"
#define PAYMENT_ID     "mended-payment"
#define POPULATION                                                                                 \
    "simulate --customers 6 --days 5 --seed 3 --interval 1h --start 2024-03-01 --areas"

static struct {
    struct site site;
    struct test_program run; /* of the site, from the first test to the last but some */
    char input[256];         /* the folder log that it is fed from */
    _Alignas(16) uint8_t memory[1 << 16];
} world;

/* ---- records of our own ---- */

struct sending {
    enum gf_topic topic;
    uint32_t partition;
    int64_t timestamp_ms;
    const void *key, *value;
    size_t key_size, value_size;
    const char *header; /* value of the header "trace", or NULL */
};

static void
send_one(const struct site *site, const struct sending *one)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", site_broker.address, NULL, 0);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(handle);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
    if (one->header != NULL) {
        rd_kafka_header_add(headers, "trace", -1, one->header, -1);
    }
    snprintf(text, sizeof(text), "%s%s", site->prefix, gf_topics[one->topic].name);
    assert_int_equal(
        rd_kafka_producev(
            handle, RD_KAFKA_V_TOPIC(text), RD_KAFKA_V_PARTITION((int32_t)one->partition),
            RD_KAFKA_V_TIMESTAMP(one->timestamp_ms), RD_KAFKA_V_KEY(one->key, one->key_size),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)one->value, one->value_size),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END),
        RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(handle, SEND_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(handle);
}

/* A payment of CUSTOMER at the end of the population, to its partition or to the next. */
static void
payment_send(const char *id, bool is_misplaced)
{
    uint8_t value[256];
    const struct gf_payment payment = {
        .payment_id = gf_span_text(id),
        .received_at = {INT64_C(1714600800000000)}, /* 2024-05-01T22:00:00Z */
        .amount_micro = {1000000},
        .currency = gf_span_text("EUR"),
    };
    gf_frame_write(gf_topics[GF_TOPIC_BILLING_PAYMENTS].schema_id, value);
    struct gf_writer writer = gf_writer_of(value + GF_FRAME_SIZE, sizeof(value) - GF_FRAME_SIZE);
    gf_topics[GF_TOPIC_BILLING_PAYMENTS].encode(&writer, &payment);
    const uint32_t home = gf_partition_of(gf_span_text(CUSTOMER), SITE_PARTITIONS);
    send_one(&world.site, &(struct sending){.topic = GF_TOPIC_BILLING_PAYMENTS,
                                            .partition = (home + is_misplaced) % SITE_PARTITIONS,
                                            .timestamp_ms = payment.received_at.us / 1000,
                                            .key = CUSTOMER,
                                            .key_size = strlen(CUSTOMER),
                                            .value = value,
                                            .value_size = GF_FRAME_SIZE + gf_writer_size(&writer)});
}

/* ---- looking ---- */

/* Calls it until it says `text`. */
static void
wait_for(struct site *site, const char *words, const char *text)
{
    for (int tries = 0; tries < WAIT_TRIES_MAX; tries++) {
        site_expect(site, 0, words);
        if (test_file_has(site->log, text)) {
            return;
        }
    }
    test_file_show(site->log);
    fail_msg("%s never said: %s", words, text);
}

static void
text_read(const struct site *site, char *out, size_t size)
{
    FILE *file = fopen(site->log, "r");
    assert_non_null(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
}

/* The number behind `name` in what was said. */
static long
number_find(const struct site *site, const char *name)
{
    static char text[65536];
    text_read(site, text, sizeof(text));
    const char *found = strstr(text, name);
    assert_non_null(found);
    return strtol(found + strlen(name), NULL, 10);
}

/* The first word of what was said that starts with `start`. */
static void
word_find(const struct site *site, const char *start, char *out, size_t size)
{
    static char text[65536];
    text_read(site, text, sizeof(text));
    const char *found = strstr(text, start);
    assert_non_null(found);
    snprintf(out, size, "%.*s", (int)strcspn(found, " ,\n"), found);
}

/* The site of the running instance, with a log of its own for what is called beside it. */
static struct site
beside(const char *name)
{
    struct site site = world.site;
    snprintf(site.log, sizeof(site.log), "%s/%s.log", site_work, name);
    return site;
}

/* Explained by its place, and one by its id: the words name the input, the operator and the
 * reasons. */
static void
expect_explained(struct site *site, enum gf_topic topic, const struct topic_record *record,
                 const char *logic)
{
    char words[200], id[33], place[100], input[100];
    void *body = world.memory;
    struct gf_arena arena = gf_arena_of(world.memory + 4096, sizeof(world.memory) - 4096);
    struct gf_reader reader = gf_reader_of(gf_span_of(record->body, record->body_size));
    assert_true(gf_topics[topic].type->size <= 4096);
    assert_int_equal(gf_topics[topic].decode(&reader, &arena, body), GF_OK);
    for (int i = 0; i < 16; i++) {
        snprintf(id + 2 * i, 3, "%02x", record->body[i]);
    }
    snprintf(place, sizeof(place), "%s/%u/%lld", gf_topics[topic].name, record->partition,
             (long long)record->offset);
    if (topic == GF_TOPIC_TARIFF_ADJUSTMENTS) {
        snprintf(words, sizeof(words), "explain %s", id);
        site_expect(site, 0, words);
        site_said(site, place);
    }
    snprintf(words, sizeof(words), "explain %s", place);
    site_expect(site, 0, words);
    site_said(site, place);
    site_said(site, "folded again, the same");
    snprintf(words, sizeof(words), "Parameters of operator %s in force then", logic);
    site_said(site, words);
    snprintf(words, sizeof(words), "State of operator %s", logic);
    site_said(site, words);
    const struct gf_lineage *lineage = gf_lineage_of(topic, body);
    assert_int_equal(lineage->inputs.count, 1); /* nothing here waits for the wall clock */
    const struct gf_input_range *range = lineage->inputs.items;
    snprintf(input, sizeof(input), "  %.*s/%d/%lld, key ", GF_SPAN_PRINT(range->topic),
             range->partition, (long long)range->from);
    site_said(site, input);
}

/* The same comes out from a snapshot as from batch 1. */
static void
expect_same_from_snapshot(struct site *site, enum gf_topic topic, const struct topic_record *record)
{
    static const char *const ends[] = {" --set snapshot.folder=nowhere.snaps", ""};
    static char said[2][65536];
    for (int i = 0; i < 2; i++) {
        char words[200];
        snprintf(words, sizeof(words), "explain --json %s/%u/%lld%s", gf_topics[topic].name,
                 record->partition, (long long)record->offset, ends[i]);
        site_expect(site, 0, words);
        assert_int_equal(test_file_has(site->log, "folding from the snapshot at batch "), i == 1);
        text_read(site, said[i], sizeof(said[i]));
        assert_non_null(strstr(said[i], "{\"output\":"));
    }
    /* What goes to standard error is not the same. */
    assert_string_equal(strstr(said[0], "{\"output\":"), strstr(said[1], "{\"output\":"));
}

/* A record like the last of the topic, but for its last byte, behind it. */
static void
output_tamper(const struct site *site, enum gf_topic topic, const struct topic_records *records)
{
    const struct topic_record *last = &records->items[records->count - 1];
    uint8_t value[4096];
    assert_true(GF_FRAME_SIZE + last->body_size <= sizeof(value));
    gf_frame_write(last->schema_id, value);
    memcpy(value + GF_FRAME_SIZE, last->body, last->body_size);
    send_one(site, &(struct sending){.topic = topic,
                                     .partition = last->partition,
                                     .timestamp_ms = last->timestamp_ms,
                                     .key = last->key,
                                     .key_size = last->key_size,
                                     .value = value,
                                     .value_size = GF_FRAME_SIZE + last->body_size});
}

/* ---- beside an instance that runs ---- */

static void
compare_is_equal_while_it_writes(void **state)
{
    (void)state;
    struct site site = beside("compare");
    struct test_program feed;
    site_feed(&site, world.input, "--until 2024-04-10");
    while (!test_file_has(world.site.log, "event=shard_live")) {
        assert_int_equal(test_program_wait_ms(&world.run, 100), -1);
    }
    site_expect(&site, 0, "replay --compare");
    site_expect(&site, 66, "snapshot list");
    site_expect(&site, 0, "snapshot --timeout 30");
    site_feed_start(&site, &feed, world.input, "--from 2024-04-10 --rate 15000");
    int compared = 0, code;
    do {
        site_expect(&site, 0, "replay --compare");
        site_said(&site, "are what the fold gives, byte for byte");
        compared++;
        code = test_program_wait_ms(&feed, 1);
    } while (code < 0);
    assert_int_equal(code, 0);
    print_message("compared %d times\n", compared);
}

static void
dead_letters_are_listed_shown_and_replayed_once(void **state)
{
    (void)state;
    struct site site = beside("dlq");
    static const uint8_t garbage[] = {0, 0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
    char letter[100], words[300];
    const uint32_t home = gf_partition_of(gf_span_text(CUSTOMER), SITE_PARTITIONS);
    const struct sending bad = {GF_TOPIC_METER_READINGS,
                                home,
                                INT64_C(1714600800000),
                                CUSTOMER,
                                garbage,
                                strlen(CUSTOMER),
                                sizeof(garbage),
                                "from-the-test"};
    send_one(&site, &bad);
    payment_send(PAYMENT_ID, true);
    wait_for(&site, "dlq list", "         1  BAD_DATA        meter.readings");
    wait_for(&site, "dlq list", "         1  MISPLACED       billing.payments");

    /* One is shown, by its own place and by that of the original, with its bytes. */
    site_expect(&site, 0, "dlq list --code BAD_DATA");
    word_find(&site, "dead.letters/", letter, sizeof(letter));
    snprintf(words, sizeof(words), "dlq show %s", letter);
    site_expect(&site, 0, words);
    site_said(&site, "00000000 09ffffff ffff7f");
    site_said(&site, "trace: from-the-test");
    word_find(&site, "meter.readings/", letter, sizeof(letter));
    snprintf(words, sizeof(words), "dlq show %s", letter);
    site_expect(&site, 0, words);
    site_said(&site, "00000000 09ffffff ffff7f");

    /* One is mended by its replay: once, however often it is asked for. */
    site_expect(&site, 0, "dlq list --code MISPLACED");
    word_find(&site, "dead.letters/", letter, sizeof(letter));
    site_expect(&site, 0, "state get " CUSTOMER);
    char more[64];
    const long before = number_find(&site, "\"payments_seen\": ");
    snprintf(more, sizeof(more), "\"payments_seen\": %ld,", before + 1);
    snprintf(words, sizeof(words), "dlq replay %s", letter);
    site_expect(&site, 0, words);
    site_said(&site, "1 dead letters were replayed");
    wait_for(&site, "state get " CUSTOMER, more);
    site_expect(&site, 0, words);
    site_said(&site, "0 dead letters were replayed");
    site_said(&site, "1 were replayed before and are left alone");

    /* The other is no better than before: it comes back, and says so. */
    site_expect(&site, 0, "dlq replay --code BAD_DATA");
    site_said(&site, "1 dead letters were replayed");
    wait_for(&site, "dlq list --code BAD_DATA", "2 dead letters");
    site_said(&site, "(replayed before)");
    site_expect(&site, 0, "state get " CUSTOMER);
    site_said(&site, more);
}

static void
a_tap_follows_and_stops(void **state)
{
    (void)state;
    struct site site = beside("tap");
    struct test_program tap;
    site_start(&site, &tap, "tap billing.payments --follow --from 2024-05-01 --key " CUSTOMER);
    payment_send("later-payment", false);
    for (int tries = 0; tries < WAIT_TRIES_MAX && !test_file_has(site.log, "later-payment");
         tries++) {
        assert_int_equal(test_program_wait_ms(&tap, 100), -1);
    }
    site_said(&site, "\"payment_id\":\"later-payment\"");
    test_program_signal(&tap, SIGINT);
    assert_int_equal(test_program_wait(&tap), 0);
}

static void
state_and_snapshots_are_read_and_verified(void **state)
{
    (void)state;
    struct site site = beside("state");
    site_expect(&site, 0, "state get " CUSTOMER);
    site_said(&site, "{\"entity\": \"" CUSTOMER "\"");
    site_expect(&site, 0, "snapshot --timeout 30");
    site_said(&site, "shard 3: batch ");
    site_expect(&site, 0, "snapshot list --verify");
    site_said(&site, "whole");
    site_expect(&site, 0, "state verify --snapshots");
}

static void
each_kind_of_output_is_explained(void **state)
{
    (void)state;
    static const struct {
        enum gf_topic topic;
        const char *logic, *words;
    } kinds[] = {
        {GF_TOPIC_TARIFF_ADJUSTMENTS, "tariff", "the plan's price is"},
        {GF_TOPIC_ARREARS_ALERTS, "arrears", "is overdue; grade"},
        {GF_TOPIC_FRAUD_FLAGS, "fraud", ", severity "},
        {GF_TOPIC_DATA_QUALITY, "quality", " for "},
    };
    struct site site = beside("explain");
    struct topic_records outputs[GF_TOPIC_COUNT];
    site_read(&site, outputs);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct topic_records *records = &outputs[kinds[i].topic];
        assert_true(records->count > 0);
        expect_explained(&site, kinds[i].topic, &records->items[records->count / 2],
                         kinds[i].logic);
        site_said(&site, kinds[i].words);
        if (kinds[i].topic == GF_TOPIC_TARIFF_ADJUSTMENTS) { /* these come to the end */
            expect_same_from_snapshot(&site, kinds[i].topic, &records->items[records->count - 1]);
        }
    }
    topic_records_free(outputs);
    site_expect(&site, 66, "explain 00000000000000000000000000000000");
}

/* One claim of each shard, by the one instance: nobody has taken anything from it. */
static void
the_instance_has_noticed_nothing(void **state)
{
    (void)state;
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct history history;
    assert_int_equal(test_program_wait_ms(&world.run, 1), -1);
    test_program_signal(&world.run, SIGTERM);
    assert_int_equal(test_program_wait(&world.run), 0);
    assert_false(test_file_has(world.site.log, "level=warn"));
    site_read(&world.site, outputs);
    history_make(&outputs[GF_TOPIC_JOURNAL], &history);
    history_expect_swept(&history);
    assert_int_equal(history.claims, SITE_PARTITIONS);
    history_free(&history);

    /* What is one too many is found, and what it stands for. */
    char words[200];
    struct site site = beside("after");
    const struct topic_records *alerts = &outputs[GF_TOPIC_ARREARS_ALERTS];
    output_tamper(&site, GF_TOPIC_ARREARS_ALERTS, alerts);
    site_expect(&site, 1, "replay --compare");
    snprintf(words, sizeof(words), "different: arrears.alerts/%u/",
             alerts->items[alerts->count - 1].partition);
    site_said(&site, words);
    site_said(&site, "\"key\":\"");
    topic_records_free(outputs);
}

/* ---- two stages and three ---- */

static void
stages_are_explained_and_compared(void **state)
{
    (void)state;
    static const char *const kinds[] = {"stages: {area: true}\n",
                                        "stages: {area: true, intake: true}\n"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct site site;
        char name[32], more[200], words[400];
        struct topic_records outputs[GF_TOPIC_COUNT];
        snprintf(name, sizeof(name), "stages%zu", i + 2);
        snprintf(more, sizeof(more), "order: canonical\nbatch_records: 512\n%s", kinds[i]);
        site_make(&site, name, "", more);
        site_create(&site);
        snprintf(words, sizeof(words), POPULATION "%s --truth %s/truth.ndjson",
                 i == 0 ? "" : " --headend 0.5", site_work);
        site_expect(&site, 0, words);
        site_expect(&site, 0, "run --exit-at-end");
        topic_reader_stages = GF_STAGES_CUSTOMER | GF_STAGE_BIT(GF_STAGE_AREA) |
                              (i > 0 ? GF_STAGE_BIT(GF_STAGE_INTAKE) : 0);
        site_read(&site, outputs);
        const struct topic_records *balances = &outputs[GF_TOPIC_AREA_BALANCE];
        const struct topic_records *prices = &outputs[GF_TOPIC_TARIFF_ADJUSTMENTS];
        assert_true(balances->count > 0);
        expect_explained(&site, GF_TOPIC_AREA_BALANCE, &balances->items[balances->count / 2],
                         "balance");
        site_said(&site, "the transformer gave");
        assert_true(prices->count > 0);
        expect_explained(&site, GF_TOPIC_TARIFF_ADJUSTMENTS, &prices->items[prices->count / 2],
                         "tariff");
        if (i == 0) { /* of three stages: test_kafka_stages */
            site_expect(&site, 0, "replay --compare");
        }
        output_tamper(&site, GF_TOPIC_AREA_BALANCE, balances);
        site_expect(&site, 1, "replay --compare");
        snprintf(more, sizeof(more), "different: area.balance/%u/",
                 balances->items[balances->count - 1].partition);
        site_said(&site, more);
        site_said(&site, "area.totals/");
        topic_records_free(outputs);
        topic_reader_stages = GF_STAGES_CUSTOMER;
    }
}

/* ---- the world ---- */

static int
world_make(void **state)
{
    (void)state;
    char to[300], log[256];
    snprintf(world.input, sizeof(world.input), "%s/input", site_work);
    snprintf(to, sizeof(to), "folder:%s", world.input);
    snprintf(log, sizeof(log), "%s/simulate.log", site_work);
    /* A population in which every output has records. */
    const char *const simulate[] = {site_gridfold,    "simulate",   "--to",         to,
                                    "--customers",    "60",         "--days",       "62",
                                    "--seed",         "3",          "--interval",   "1h",
                                    "--start",        "2024-03-01", "--theft-rate", "0.5",
                                    "--arrears-rate", "0.5",        "--no-sync",    NULL};
    if (test_program_run(log, simulate) != 0) {
        test_file_show(log);
        return -1;
    }
    site_make(&world.site, "tools", "",
              "order: arrival\nbatch_records: 256\ncommit: {interval: 50ms}\n"
              "sweep: {records: 2000}\nsnapshot: {folder: tools.snaps, interval: 0s}\n");
    site_create(&world.site);
    site_start(&world.site, &world.run, "run");
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: test_kafka_tools GRIDFOLD PUBLISH\n");
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
        cmocka_unit_test(compare_is_equal_while_it_writes),
        cmocka_unit_test(dead_letters_are_listed_shown_and_replayed_once),
        cmocka_unit_test(a_tap_follows_and_stops),
        cmocka_unit_test(state_and_snapshots_are_read_and_verified),
        cmocka_unit_test(each_kind_of_output_is_explained),
        cmocka_unit_test(the_instance_has_noticed_nothing),
        cmocka_unit_test(stages_are_explained_and_compared),
    };
    const int failed = cmocka_run_group_tests(tests, world_make, NULL);
    site_end(failed);
    return failed;
}
