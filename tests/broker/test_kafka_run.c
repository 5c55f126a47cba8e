/* test_kafka_run GRIDFOLD PUBLISH: the whole program on a real broker. What a population gives on
 * Kafka must be what it gives on its folder, through kills, stops and other instances. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include <avro.h>
#include <cmocka.h>

#include "base/random.h"
#include "codec/records.h"
#include "io/kafka_admin.h"
#include "journal_history.h"
#include "kafka_site.h"
#include "registry_server.h"

#define KILL_COUNT      10
#define CLAIM_TRIES_MAX 60

/* Small batches and commits: there is much to be killed in. */
#define CANONICAL                                                                                  \
    "order: canonical\nbatch_records: 256\ncommit: {batches: 2}\nsweep: {records: 20000}\n"
#define ARRIVAL                                                                                    \
    "order: arrival\nbatch_records: 256\ncommit: {interval: 50ms}\nsweep: {records: 20000}\n"

static struct {
    char input[256]; /* the folder log */
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct history history;
    struct site calm; /* the undisturbed run on Kafka */
    int64_t calm_ms;  /* what it took, start included */
    uint64_t seed;
} world;

static int64_t
now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the same on both logs ---- */

/* What the site has is what the folder has, and it has stopped cleanly. */
static void
expect_like_folder(const struct site *site, bool has_same_ids)
{
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct history history;
    site_read(site, outputs);
    history_make(&outputs[GF_TOPIC_JOURNAL], &history);
    topic_records_expect_equal(world.outputs, outputs, has_same_ids);
    if (has_same_ids) { /* else the digests of dead letters differ */
        history_expect_equal(&world.history, &history);
    }
    history_expect_swept(&history);
    history_expect_same_state(&world.history, &history);
    history_free(&history);
    topic_records_free(outputs);
}

static int64_t
records_of(const struct history *history)
{
    int64_t sum = 0;
    for (int shard = 0; shard < HISTORY_SHARD_COUNT_MAX; shard++) {
        const struct gf_tally *tally = &history->tallies[shard];
        assert_int_equal(tally->records,
                         tally->processed + tally->filtered + tally->late + tally->dead);
        sum += tally->records;
    }
    return sum;
}

static void
history_of(const struct site *site, struct history *out)
{
    struct topic_records outputs[GF_TOPIC_COUNT];
    site_read(site, outputs);
    history_make(&outputs[GF_TOPIC_JOURNAL], out);
    topic_records_free(outputs);
}

static void
wait_for_claims(const struct site *site, uint32_t count)
{
    for (int tries = 0; tries < CLAIM_TRIES_MAX; tries++) {
        struct history history;
        history_of(site, &history);
        const uint32_t claims = history.claims;
        history_free(&history);
        if (claims >= count) {
            return;
        }
    }
    fail_msg("%s: no %u claims in the journals", site->name, count);
}

/* ---- the tests ---- */

static void
topics_are_made_planned_and_checked(void **state)
{
    (void)state;
    struct site site;
    site_make(&site, "topics", "", CANONICAL);
    site_expect(&site, gf_rc_exit_code(GF_E_NOT_FOUND), "run --exit-at-end");
    site_said(&site, "gridfold topics create");
    site_expect(&site, 1, "topics plan");
    site_said(&site, "topics.meter.readings: missing");
    site_create(&site);
    site_expect(&site, 0, "topics plan --retention 36500");
    site_create(&site);
    site_said(&site, "nothing to make");
    site_expect(&site, 1, "topics plan --set partitions=3");
    site_said(&site, "topics.journal: has 4 partitions, needs 3");
    /* Nothing to fold: it ends at once, and a second start too. */
    site_expect(&site, 0, "run --exit-at-end");
    site_expect(&site, 0, "run --exit-at-end");
}

static void
partition_counts_that_differ_are_told(void **state)
{
    (void)state;
    struct site site;
    struct gf_error error;
    struct gf_kafka_topic wanted[GF_TOPIC_COUNT];
    site_make(&site, "uneven", "", CANONICAL);
    const struct gf_kafka_config config = {.brokers = site_broker.address,
                                           .topic_prefix = site.prefix};
    const struct gf_kafka_wish wish = {
        .shard_count = SITE_PARTITIONS, .replication = 1, .retention_ms = 86400000};
    assert_int_equal(gf_kafka_topics_wanted(&config, &wish, wanted, &error), GF_OK);
    wanted[GF_TOPIC_BILLING_PAYMENTS].partition_count = 3;
    for (int topic = 0; topic < GF_TOPIC_COUNT;
         topic++) { /* those of other stages are not wanted */
        const uint32_t one = wanted[topic].partition_count > 0;
        assert_int_equal(gf_kafka_admin_create(&config, &wanted[topic], one, &error), GF_OK);
    }
    site_expect(&site, gf_rc_exit_code(GF_E_CONFIG), "run --exit-at-end");
    site_said(&site, "billing.payments has 3 partitions");
}

static void
a_preloaded_log_gives_what_its_folder_gives(void **state)
{
    (void)state;
    site_make(&world.calm, "calm", "", CANONICAL);
    site_create(&world.calm);
    site_feed(&world.calm, world.input, "");
    const int64_t started = now_ms();
    site_expect(&world.calm, 0, "run --exit-at-end");
    world.calm_ms = now_ms() - started;
    print_message("the undisturbed run took %lld ms\n", (long long)world.calm_ms);
    expect_like_folder(&world.calm, true);
    site_expect(&world.calm, 0, "replay --compare");
    site_said(&world.calm, "are what the fold gives, byte for byte");
}

static void
a_second_start_folds_nothing_again(void **state)
{
    (void)state;
    struct history before, after;
    history_of(&world.calm, &before);
    const int64_t started = now_ms();
    site_expect(&world.calm, 0, "run --exit-at-end");
    print_message("the second start took %lld ms\n", (long long)(now_ms() - started));
    history_of(&world.calm, &after);
    history_expect_equal(&before, &after);
    history_expect_same_state(&before, &after);
    assert_int_equal(after.claims, before.claims + SITE_PARTITIONS);
    assert_int_equal(after.configs, before.configs);
    history_free(&before);
    history_free(&after);
    expect_like_folder(&world.calm, true);
}

/* Kills at moments from the start to what the undisturbed run took, until the run ends by itself.
 */
static int
round_of_kills(struct site *site, struct gf_random *random)
{
    int kills = 0;
    for (;;) {
        struct test_program program;
        const int ms = 50 + (int)(gf_random_next_unit(random) * (double)world.calm_ms);
        site_start(site, &program, "run --exit-at-end");
        int code = test_program_wait_ms(&program, ms);
        if (code < 0) {
            test_program_signal(&program, SIGKILL);
            code = test_program_wait(&program);
            print_message("%s: killed after %d ms\n", site->name, ms);
        }
        if (code == 0) {
            return kills;
        }
        if (code != 128 + SIGKILL) {
            test_file_show(site->log);
            fail_msg("%s: exit code %d", site->name, code);
        }
        kills++;
    }
}

static void
kills_lose_and_double_nothing(void **state)
{
    (void)state;
    struct gf_random random = {.seed = world.seed};
    int kills = 0;
    for (int round = 1; kills < KILL_COUNT; round++) {
        struct site site;
        char name[32];
        snprintf(name, sizeof(name), "killed%d", round);
        site_make(&site, name, "", CANONICAL);
        site_create(&site);
        site_feed(&site, world.input, "");
        kills += round_of_kills(&site, &random);
        expect_like_folder(&site, true);
    }
    print_message("%d kills\n", kills);
}

static void
a_signal_drains_and_the_rest_follows(void **state)
{
    (void)state;
    struct site site;
    struct history stopped;
    site_make(&site, "drained", "", CANONICAL);
    site_create(&site);
    site_feed(&site, world.input, "");
    struct test_program program;
    site_start(&site, &program, "run");
    wait_for_claims(&site, SITE_PARTITIONS);
    test_program_signal(&program, SIGTERM);
    assert_int_equal(test_program_wait(&program), 0);
    history_of(&site, &stopped);
    history_expect_swept(&stopped);
    print_message("stopped after %zu of %zu batches\n", stopped.batch_count,
                  world.history.batch_count);
    history_free(&stopped);
    site_expect(&site, 0, "run --exit-at-end");
    expect_like_folder(&site, true);
}

/* Avro C, with the topic's schema, knows nothing of us. */
static void
an_ordinary_consumer_reads_all_outputs(void **state)
{
    (void)state;
    struct topic_records outputs[GF_TOPIC_COUNT];
    size_t read = 0;
    site_read(&world.calm, outputs);
    for (int topic = GF_TOPIC_INPUT_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        avro_schema_t schema = NULL;
        assert_int_equal(avro_schema_from_json_length(gf_topics[topic].schema,
                                                      strlen(gf_topics[topic].schema), &schema),
                         0);
        avro_value_iface_t *type = avro_generic_class_from_schema(schema);
        for (size_t i = 0; i < outputs[topic].count; i++) {
            const struct topic_record *record = &outputs[topic].items[i];
            assert_int_equal(record->schema_id, gf_topics[topic].schema_id);
            avro_value_t value;
            avro_reader_t reader =
                avro_reader_memory((const char *)record->body, (int64_t)record->body_size);
            avro_generic_value_new(type, &value);
            assert_int_equal(avro_value_read(reader, &value), 0);
            char byte;
            assert_int_not_equal(avro_read(reader, &byte, 1), 0); /* nothing is left */
            avro_value_decref(&value);
            avro_reader_free(reader);
            read++;
        }
        print_message("%-20s %6zu records\n", gf_topics[topic].name, outputs[topic].count);
        avro_value_iface_decref(type);
        avro_schema_decref(schema);
    }
    assert_true(read > 0);
    assert_true(outputs[GF_TOPIC_FRAUD_FLAGS].count > 0);
    assert_true(outputs[GF_TOPIC_ARREARS_ALERTS].count > 0);
    assert_true(outputs[GF_TOPIC_TARIFF_ADJUSTMENTS].count > 0);
    site_expect(&world.calm, 0, "tap data.quality");
    assert_int_equal(test_file_lines(world.calm.log), outputs[GF_TOPIC_DATA_QUALITY].count);
    topic_records_free(outputs);
}

static void
a_live_run_replays_to_the_same(void **state)
{
    (void)state;
    struct site site;
    struct test_program run, feed;
    struct history live, whole;
    site_make(&site, "live", "", ARRIVAL);
    site_create(&site);
    site_start(&site, &run, "run");
    site_feed_start(&site, &feed, world.input, "--rate 20000");
    assert_int_equal(test_program_wait(&feed), 0);
    test_program_signal(&run, SIGTERM);
    assert_int_equal(test_program_wait(&run), 0);
    site_expect(&site, 0, "replay");
    site_said(&site, "equal");
    history_of(&site, &live);
    history_expect_swept(&live);

    site_expect(&site, 0, "run --exit-at-end");
    site_expect(&site, 0, "replay");
    history_of(&site, &whole);
    assert_int_equal(records_of(&whole), records_of(&world.history));
    print_message("live: %zu batches, then %zu more\n", live.batch_count,
                  whole.batch_count - live.batch_count);
    assert_true(live.batch_count > SITE_PARTITIONS);
    history_free(&live);
    history_free(&whole);
}

static void
of_two_instances_the_older_is_fenced(void **state)
{
    (void)state;
    struct site older, newer;
    char store[300];
    struct test_program first, second;
    struct history history;
    site_make(&older, "fenced", "", ARRIVAL);
    newer = older;
    snprintf(newer.log, sizeof(newer.log), "%s/fenced-newer.log", site_work);
    site_create(&older);
    site_feed(&older, world.input, "--until 2024-03-08");
    site_start(&older, &first, "run");
    wait_for_claims(&older, SITE_PARTITIONS);
    /* With the same store as well, it does not get as far as fencing. */
    assert_int_not_equal(site_call(&newer, "run --exit-at-end"), 0);
    site_said(&newer, "fenced.state");
    snprintf(store, sizeof(store), "run --set store=%s/fenced-newer.state", site_work);
    site_start(&newer, &second, store);
    wait_for_claims(&newer, 2 * SITE_PARTITIONS);
    site_feed(&newer, world.input, "--from 2024-03-08");
    const int code = test_program_wait(&first);
    if (code != gf_rc_exit_code(GF_E_FENCED)) {
        test_file_show(older.log);
        fail_msg("the older instance ended with %d", code);
    }
    site_said(&older, "another instance runs under this id");
    test_program_signal(&second, SIGTERM);
    assert_int_equal(test_program_wait(&second), 0);
    snprintf(store, sizeof(store), "run --exit-at-end --set store=%s/fenced-newer.state",
             site_work);
    site_expect(&newer, 0, store);
    site_expect(&newer, 0, "replay");
    history_of(&newer, &history);
    history_expect_swept(&history);
    assert_int_equal(records_of(&history), records_of(&world.history));
    history_free(&history);
}

static void
a_registry_gives_the_schema_ids(void **state)
{
    (void)state;
    struct site site;
    struct topic_records outputs[GF_TOPIC_COUNT];
    char url[64], more[512];
    assert_int_equal(registry_server_start(url, sizeof(url)), 0);
    snprintf(more, sizeof(more), CANONICAL "schemas: {registry: \"%s\", register: true}\n", url);
    site_make(&site, "registry", "", more);
    site_create(&site);
    snprintf(more, sizeof(more), "--registry %s", url);
    site_feed(&site, world.input, more);
    assert_int_equal(registry_server_count(), topics_used(0, GF_TOPIC_INPUT_COUNT));
    site_expect(&site, 0, "run --exit-at-end");
    assert_int_equal(registry_server_count(), topics_used(0, GF_TOPIC_COUNT));
    expect_like_folder(&site, false);
    site_read(&site, outputs);
    for (int topic = GF_TOPIC_INPUT_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        char subject[128];
        snprintf(subject, sizeof(subject), "%s-value", gf_topics[topic].name);
        for (size_t i = 0; i < outputs[topic].count; i++) {
            assert_int_equal(outputs[topic].items[i].schema_id, registry_server_id(subject));
        }
    }
    topic_records_free(outputs);
    registry_server_stop();
    /* Nothing is started without it: it is asked again and again, until somebody gives up. */
    struct test_program program;
    site_start(&site, &program, "run --set schemas.timeout=1s");
    for (int tries = 0; tries < 100 && !test_file_has(site.log, url); tries++) {
        assert_int_equal(test_program_wait_ms(&program, 100), -1);
    }
    site_said(&site, url);
    test_program_signal(&program, SIGTERM);
    assert_int_equal(test_program_wait(&program), gf_rc_exit_code(GF_E_UNAVAILABLE));
}

/* ---- the world ---- */

static int
world_make(void **state)
{
    (void)state;
    char to[300], config[256], log[256];
    snprintf(world.input, sizeof(world.input), "%s/input", site_work);
    snprintf(to, sizeof(to), "folder:%s", world.input);
    snprintf(config, sizeof(config), "%s/folder.yaml", site_work);
    snprintf(log, sizeof(log), "%s/folder.log", site_work);
    /* One population, in which every output has records; the seed of the run moves the kills. */
    const char *const simulate[] = {
        site_gridfold, "simulate",   "--to",         to,    "--customers",    "100",
        "--days",      "75",         "--seed",       "11",  "--interval",     "1h",
        "--start",     "2024-03-01", "--theft-rate", "0.3", "--arrears-rate", "0.3",
        NULL};
    if (test_program_run(log, simulate) != 0) {
        test_file_show(log);
        return -1;
    }
    FILE *file = fopen(config, "w");
    fprintf(file, "version: 1\nlog: %s\nstore: folder.state\npartitions: %d\n" CANONICAL, to,
            SITE_PARTITIONS);
    fclose(file);
    const char *const run[] = {site_gridfold, "run", "--exit-at-end", "-c", config, NULL};
    if (test_program_run(log, run) != 0) {
        test_file_show(log);
        return -1;
    }
    topic_records_folder(world.input, world.outputs);
    history_make(&world.outputs[GF_TOPIC_JOURNAL], &world.history);
    history_expect_swept(&world.history);
    print_message("%lld records in %zu batches\n", (long long)records_of(&world.history),
                  world.history.batch_count);
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
    if (argc != 3) {
        fprintf(stderr, "usage: test_kafka_run GRIDFOLD PUBLISH\n");
        return 64;
    }
    site_gridfold = argv[1];
    site_publish = argv[2];
    const int verdict = site_begin();
    if (verdict >= 0) {
        return verdict;
    }
    const char *seed = getenv("GF_TEST_SEED");
    if (seed != NULL) {
        world.seed = strtoull(seed, NULL, 10);
    } else if (getrandom(&world.seed, sizeof(world.seed), 0) != (ssize_t)sizeof(world.seed)) {
        return 1;
    }
    printf("GF_TEST_SEED=%llu\n", (unsigned long long)world.seed);
    cmocka_set_test_filter(getenv("GF_TEST_FILTER"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_are_made_planned_and_checked),
        cmocka_unit_test(partition_counts_that_differ_are_told),
        cmocka_unit_test(a_preloaded_log_gives_what_its_folder_gives),
        cmocka_unit_test(a_second_start_folds_nothing_again),
        cmocka_unit_test(an_ordinary_consumer_reads_all_outputs),
        cmocka_unit_test(kills_lose_and_double_nothing),
        cmocka_unit_test(a_signal_drains_and_the_rest_follows),
        cmocka_unit_test(a_live_run_replays_to_the_same),
        cmocka_unit_test(of_two_instances_the_older_is_fenced),
        cmocka_unit_test(a_registry_gives_the_schema_ids),
    };
    const int failed = cmocka_run_group_tests(tests, world_make, world_end);
    site_end(failed);
    return failed;
}
