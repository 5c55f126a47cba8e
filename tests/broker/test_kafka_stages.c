/* The stages against a real broker:  test_kafka_stages GRIDFOLD
 *
 * What three stages give on a folder they give on Kafka, also with two loops or two instances,
 * which know nothing of each other but what they write; and a replay gives what was written. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "codec/records.h"
#include "codec/stage.h"
#include "journal_history.h"
#include "kafka_site.h"

#define WAIT_TRIES_MAX 200
#define ALL_STAGES                                                                                 \
    (GF_STAGES_CUSTOMER | GF_STAGE_BIT(GF_STAGE_AREA) | GF_STAGE_BIT(GF_STAGE_INTAKE))
#define STAGES         "stages: {area: true, intake: true}\n"
#define PATIENT_STAGES "stages: {area: true, intake: true, patience: 5s}\n"
#define SWITCH         "--set stages.area=true --set stages.intake=true"
#define CANONICAL                                                                                  \
    "order: canonical\nbatch_records: 512\ncommit: {batches: 2}\nsweep: {records: 20000}\n"
#define ARRIVAL                                                                                    \
    "order: arrival\nbatch_records: 512\ncommit: {interval: 50ms, batches: 8}\nsweep: {records: "  \
    "20000}\n"
#define POPULATION                                                                                 \
    "--customers 30 --days 8 --seed 3 --interval 1h --start 2024-03-01 --areas --headend 0.5"

static struct {
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct history history;
} world;

static void
simulate(struct site *site)
{
    char words[400];
    snprintf(words, sizeof(words), "simulate " POPULATION " --truth %s/truth.ndjson", site_work);
    site_expect(site, 0, words);
}

static void
site_fill(struct site *site)
{
    site_create(site);
    simulate(site);
}

static void
plan_says_and_create_adds_partitions(void **state)
{
    (void)state;
    struct site site;
    site_make(&site, "grown", "", CANONICAL);
    site_create(&site);
    site_expect(&site, 1, "topics plan --retention 36500 " SWITCH);
    site_said(&site, "journal: has 4 partitions, needs 12; `gridfold topics create` adds them");
    site_said(&site, "dead.letters: has 4 partitions, needs 12");
    site_said(&site, "internal.readings: missing");
    site_expect(&site, 0, "topics create --retention 36500 " SWITCH);
    site_said(&site, "journal has 12 partitions now");
    site_expect(&site, 0, "topics plan --retention 36500 " SWITCH);
    site_expect(&site, 0, "topics create --retention 36500 " SWITCH);
    site_said(&site, "nothing to make");
    /* Off again, what there is too much does no harm. */
    site_expect(&site, 0, "topics plan --retention 36500");
    /* Another number of partitions is no stage. */
    site_expect(&site, 1, "topics create --retention 36500 --set partitions=6 " SWITCH);
    site_said(&site, "journal: has 12 partitions, needs 18; topics that share shards must agree");
    site_expect(&site, 0, "topics plan --retention 36500 " SWITCH);
}

static int64_t
records_in(const struct history *history)
{
    int64_t sum = 0;
    for (int shard = 0; shard < HISTORY_SHARD_COUNT_MAX; shard++) {
        sum += history->tallies[shard].records;
    }
    return sum;
}

static int64_t
records_of(const struct site *site)
{
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct history history;
    site_read(site, outputs);
    history_make(&outputs[GF_TOPIC_JOURNAL], &history);
    const int64_t sum = records_in(&history);
    history_free(&history);
    topic_records_free(outputs);
    return sum;
}

/* Of an hour of an area, as last written. */
struct balance {
    int64_t start_us, sum, total;
    uint32_t area;
    int32_t version;
};

static struct balance *
balances_of(const struct topic_records *records, size_t *count_out)
{
    static uint8_t memory[65536];
    struct balance *balances = calloc(records->count + 1, sizeof *balances);
    assert_non_null(balances);
    *count_out = 0;
    for (size_t i = 0; i < records->count; i++) {
        struct gf_area_balance body;
        struct gf_arena arena = gf_arena_of(memory, sizeof memory);
        struct gf_reader reader =
            gf_reader_of(gf_span_of(records->items[i].body, records->items[i].body_size));
        assert_int_equal(gf_topics[GF_TOPIC_AREA_BALANCE].decode(&reader, &arena, &body), GF_OK);
        const uint32_t area = (uint32_t)strtoul((const char *)body.area_id.data + 5, NULL, 10);
        size_t at = 0;
        while (at < *count_out &&
               (balances[at].area != area || balances[at].start_us != body.interval_start.us)) {
            at++;
        }
        *count_out += at == *count_out;
        if (body.version > balances[at].version) {
            balances[at] = (struct balance){.start_us = body.interval_start.us,
                                            .sum = body.sum_micro_kwh.micro_kwh,
                                            .total = body.total_micro_kwh.micro_kwh,
                                            .area = area,
                                            .version = body.version};
        }
    }
    return balances;
}

/* How many hours of areas have another sum, total or number of versions as last written. */
static size_t
balances_differ(const struct site *site)
{
    struct topic_records outputs[GF_TOPIC_COUNT];
    size_t count = 0, there_count = 0, same = 0, versions = 0;
    site_read(site, outputs);
    struct balance *wanted = balances_of(&world.outputs[GF_TOPIC_AREA_BALANCE], &count);
    struct balance *there = balances_of(&outputs[GF_TOPIC_AREA_BALANCE], &there_count);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < there_count; k++) {
            if (wanted[i].area == there[k].area && wanted[i].start_us == there[k].start_us) {
                same += wanted[i].sum == there[k].sum && wanted[i].total == there[k].total;
                versions += wanted[i].version == there[k].version;
            }
        }
    }
    print_message("%s: %zu of %zu hours as in canonical order, %zu in as many versions, %zu dead "
                  "letters\n",
                  site->name, same, count, versions, outputs[GF_TOPIC_DEAD_LETTERS].count);
    free(wanted);
    free(there);
    topic_records_free(outputs);
    return count + there_count - same - versions;
}

/* The same records, but for lineage: offsets of internal topics have the markers of transactions
 * among them, so the ranges that it names are others. */
static void
expect_like_folder(const struct topic_records *outputs)
{
    for (int topic = GF_TOPIC_READ_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        const struct topic_records *left = &world.outputs[topic], *right = &outputs[topic];
        if (topic == GF_TOPIC_JOURNAL) {
            continue;
        }
        assert_int_equal(left->count, right->count);
        for (size_t i = 0; i < left->count; i++) {
            const struct topic_record *a = &left->items[i], *b = &right->items[i];
            assert_int_equal(a->partition, b->partition);
            assert_int_equal(a->timestamp_ms, b->timestamp_ms);
            assert_int_equal(a->key_size, b->key_size);
            assert_memory_equal(a->key, b->key, a->key_size);
            assert_memory_equal(a->body, b->body, 16); /* record_id */
        }
    }
}

static void
a_broker_gives_what_a_folder_gives(void **state)
{
    (void)state;
    struct site site;
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct history history;
    site_make(&site, "stages", "", CANONICAL STAGES);
    site_fill(&site);
    site_expect(&site, 0, "run --exit-at-end");
    site_read(&site, outputs);
    history_make(&outputs[GF_TOPIC_JOURNAL], &history);
    expect_like_folder(outputs);
    history_expect_swept(&history);
    history_expect_same_state(&world.history, &history);
    assert_true(outputs[GF_TOPIC_AREA_BALANCE].count > 1000);
    history_free(&history);
    topic_records_free(outputs);
    assert_int_equal(balances_differ(&site), 0);
    site_expect(&site, 0, "replay --compare");
    site_said(&site, "are what the fold gives, byte for byte");
}

/* What one loop writes is waited for by the other: an area's totals may be days ahead of its
 * customers, whose values would then be late. */
static void
two_loops(const char *name, const char *settings)
{
    struct site site;
    site_make(&site, name, "", settings);
    site_fill(&site);
    site_expect(&site, 0, "run --exit-at-end");
    site_expect(&site, 0, "replay --compare");
    site_said(&site, "are what the fold gives, byte for byte");
    assert_int_equal(balances_differ(&site), 0);
}

static void
two_loops_replay_to_what_they_wrote(void **state)
{
    (void)state;
    two_loops("loops", ARRIVAL PATIENT_STAGES "threads: 2\n");
    two_loops("loops-canonical", CANONICAL PATIENT_STAGES "threads: 2\n");
}

/* Two instances of a group, each with a log of its own. */
struct pair {
    struct site sites[2];
    struct test_program programs[2];
};

static void
pair_start(struct pair *pair, const struct site *site)
{
    static const char *const names[] = {"one", "two"};
    for (int i = 0; i < 2; i++) {
        char words[400];
        pair->sites[i] = *site;
        snprintf(pair->sites[i].log, sizeof(site->log), "%.150s/%.60s-%s.log", site_work,
                 site->name, names[i]);
        snprintf(words, sizeof(words),
                 "run --set kafka.instance=%s --set kafka.transactional_id=%.60s-%s --set "
                 "store=%.150s/%.60s-%s.state",
                 names[i], site->name, names[i], site_work, site->name, names[i]);
        site_start(&pair->sites[i], &pair->programs[i], words);
    }
}

/* Waits until the journals have so many records; all instances must live. */
static void
pair_wait(struct pair *pair, int count, int64_t wanted)
{
    int64_t records = 0;
    for (int tries = 0; tries < WAIT_TRIES_MAX && records < wanted; tries++) {
        for (int i = 0; i < count; i++) {
            assert_int_equal(test_program_wait_ms(&pair->programs[i], 250), -1);
        }
        records = records_of(&pair->sites[0]);
    }
    assert_in_range(records, wanted, INT64_MAX);
}

static void
pair_end(struct pair *pair, int count, struct site *site)
{
    for (int i = 0; i < count; i++) {
        test_program_signal(&pair->programs[i], SIGTERM);
        assert_int_equal(test_program_wait(&pair->programs[i]), 0);
    }
    site_expect(site, 0, "replay --compare");
    site_said(site, "are what the fold gives, byte for byte");
    assert_int_equal(records_of(site), records_in(&world.history));
    assert_int_equal(balances_differ(site), 0);
}

static void
two_instances_replay_to_what_they_wrote(void **state)
{
    (void)state;
    struct site site;
    struct pair pair;
    site_make(&site, "group", "", ARRIVAL PATIENT_STAGES "assignment: group\n");
    site_create(&site);
    pair_start(&pair, &site);
    simulate(&site);
    pair_wait(&pair, 2, records_in(&world.history));
    pair_end(&pair, 2, &site);
}

/* The areas of the one that is left wait for the customers of the one that is not. */
static void
an_instance_dies_with_a_backlog(void **state)
{
    (void)state;
    struct site site;
    struct pair pair;
    site_make(&site, "death", "  session_timeout: 3s\n",
              "order: arrival\nbatch_records: 64\ncommit: {interval: 50ms, batches: 1}\n" STAGES
              "assignment: group\n");
    site_fill(&site);
    pair_start(&pair, &site);
    pair_wait(&pair, 2, records_in(&world.history) / 3);
    test_program_signal(&pair.programs[1], SIGKILL);
    (void)test_program_wait(&pair.programs[1]);
    const int64_t before = records_of(&site);
    print_message("killed at %lld of %lld records\n", (long long)before,
                  (long long)records_in(&world.history));
    pair_wait(&pair, 1, records_in(&world.history));
    pair_end(&pair, 1, &site);
}

static int
world_make(void **state)
{
    (void)state;
    char config[256], to[300], words[600];
    struct site folder = {.name = "folder"};
    snprintf(config, sizeof(config), "%s/folder.yaml", site_work);
    snprintf(folder.config, sizeof(folder.config), "%s", config);
    snprintf(folder.log, sizeof(folder.log), "%s/folder.log", site_work);
    snprintf(to, sizeof(to), "%s/input", site_work);
    FILE *file = fopen(config, "w");
    fprintf(file,
            "version: 1\nlog: folder:%s\nstore: folder.state\npartitions: %d\n" CANONICAL STAGES,
            to, SITE_PARTITIONS);
    fclose(file);
    snprintf(words, sizeof(words), "simulate " POPULATION);
    if (site_call(&folder, words) != 0 || site_call(&folder, "run --exit-at-end") != 0) {
        test_file_show(folder.log);
        return -1;
    }
    topic_records_folder(to, world.outputs);
    history_make(&world.outputs[GF_TOPIC_JOURNAL], &world.history);
    return 0;
}

static int
world_end(void **state)
{
    (void)state;
    topic_records_free(world.outputs);
    history_free(&world.history);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: test_kafka_stages GRIDFOLD\n");
        return 64;
    }
    site_gridfold = argv[1];
    topic_reader_stages = ALL_STAGES;
    const int verdict = site_begin();
    if (verdict >= 0) {
        return verdict;
    }
    cmocka_set_test_filter(getenv("GF_TEST_FILTER"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_says_and_create_adds_partitions),
        cmocka_unit_test(a_broker_gives_what_a_folder_gives),
        cmocka_unit_test(two_loops_replay_to_what_they_wrote),
        cmocka_unit_test(two_instances_replay_to_what_they_wrote),
        cmocka_unit_test(an_instance_dies_with_a_backlog),
    };
    const int failed = cmocka_run_group_tests(tests, world_make, world_end);
    site_end(failed);
    return failed;
}
