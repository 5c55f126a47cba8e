/* Import and simulate into a real broker:  test_kafka_import GRIDFOLD
 *
 * What they write to Kafka must fold to what the same gives on a folder, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "codec/records.h"
#include "io/kafka_source.h"
#include "journal_history.h"
#include "kafka_site.h"
#include "registry_server.h"

#define CANONICAL                                                                                  \
    "order: canonical\nbatch_records: 256\ncommit: {batches: 2}\nsweep: {records: 20000}\n"
#define POPULATION "simulate --customers 20 --days 40 --interval 1h --seed 7 --theft-rate 0.2"

static const char mapping[] = "time_zone: Europe/London\n"
                              "targets:\n"
                              "  - topic: meter.readings\n"
                              "    key: \"C{home:03}\"\n"
                              "    fields:\n"
                              "      meter_id: \"M{home}\"\n"
                              "      obis: \"1-0:1.8.0\"\n"
                              "      kind: INTERVAL\n"
                              "      interval_start: {column: t, format: \"YYYY-MM-DD HH:MM\"}\n"
                              "      interval_s: 1800\n"
                              "      energy_micro_kwh: {column: kwh, unit: kWh}\n"
                              "      quality: ACTUAL\n"
                              "      status_bits: 0\n"
                              "      source: HEADEND\n";

static char csv_path[256], mapping_path[256];

/* ---- both logs ---- */

/* Runs `words` on a folder of its own, with `--to` in place of the site's log, and folds it. */
static void
folder_do(const char *name, const char *words, struct topic_records out[GF_TOPIC_COUNT])
{
    struct site site = {0};
    char path[256], text[1024];
    snprintf(site.name, sizeof(site.name), "%s", name);
    snprintf(site.config, sizeof(site.config), "%s/%s.yaml", site_work, name);
    snprintf(site.log, sizeof(site.log), "%s/%s.log", site_work, name);
    snprintf(path, sizeof(path), "%s/%s.folder", site_work, name);
    FILE *file = fopen(site.config, "w");
    assert_non_null(file);
    fprintf(file, "version: 1\nlog: folder:%s\nstore: %s.state\npartitions: %d\n" CANONICAL, path,
            name, SITE_PARTITIONS);
    assert_int_equal(fclose(file), 0);
    snprintf(text, sizeof(text), "%s", words);
    site_expect(&site, 0, text);
    site_expect(&site, 0, "run --exit-at-end");
    topic_records_folder(path, out);
}

/* The outputs and the journals of both, and that there is something to compare: `records`, or, when
 * that is negative, more than so many; most of them good. */
static void
expect_like_folder(const struct site *site, struct topic_records folder[GF_TOPIC_COUNT],
                   bool has_same_ids, int64_t records)
{
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct history there, wanted;
    site_read(site, outputs);
    history_make(&outputs[GF_TOPIC_JOURNAL], &there);
    history_make(&folder[GF_TOPIC_JOURNAL], &wanted);
    topic_records_expect_equal(folder, outputs, has_same_ids);
    history_expect_same_state(&wanted, &there);
    int64_t sum = 0, processed = 0;
    for (int shard = 0; shard < SITE_PARTITIONS; shard++) {
        const struct gf_tally *left = &wanted.tallies[shard], *right = &there.tallies[shard];
        assert_int_equal(left->records, right->records);
        assert_int_equal(left->processed, right->processed);
        assert_int_equal(left->filtered, right->filtered);
        assert_int_equal(left->late, right->late);
        assert_int_equal(left->dead, right->dead);
        assert_int_equal(left->effects, right->effects);
        sum += left->records;
        processed += left->processed;
    }
    print_message("%s: %lld records\n", site->name, (long long)sum);
    assert_true(2 * processed > sum);
    assert_true(records < 0 ? sum > -records : sum == records);
    history_free(&there);
    history_free(&wanted);
    topic_records_free(outputs);
}

static int64_t
end_of(const struct site *site, enum gf_topic topic, uint32_t partition)
{
    const struct gf_kafka_config config = {.brokers = site_broker.address,
                                           .topic_prefix = site->prefix};
    struct gf_source *source = NULL;
    struct gf_error error;
    int64_t first = 0, end = 0;
    assert_int_equal(gf_kafka_source_open(&config, &source, &error), GF_OK);
    assert_int_equal(source->ops->ends(source, topic, partition, &first, &end, &error), GF_OK);
    source->ops->close(source);
    return end;
}

/* ---- the tests ---- */

static void
simulated_customers_fold_as_on_a_folder(void **state)
{
    (void)state;
    struct site site;
    struct topic_records folder[GF_TOPIC_COUNT];
    char words[512];
    site_make(&site, "town", "", CANONICAL);
    snprintf(words, sizeof(words), POPULATION " --truth %s/town.truth", site_work);
    /* Without topics nothing is written, and none is made by the way. */
    site_expect(&site, gf_rc_exit_code(GF_E_NOT_FOUND), words);
    site_said(&site, "gridfold topics create");
    site_expect(&site, 1, "topics plan --retention 36500");
    site_said(&site, "town.meter.readings: missing");
    site_create(&site);
    site_expect(&site, 0, words);
    /* A second world on top of the first is refused. */
    site_expect(&site, gf_rc_exit_code(GF_E_USAGE), words);
    site_said(&site, "has records of");
    site_expect(&site, 0, "run --exit-at-end");
    snprintf(words, sizeof(words), POPULATION " --truth %s/town-folder.truth", site_work);
    folder_do("town-folder", words, folder);
    expect_like_folder(&site, folder, true, -20000);
    topic_records_free(folder);
}

static void
imported_rows_fold_as_on_a_folder(void **state)
{
    (void)state;
    struct site site;
    struct topic_records folder[GF_TOPIC_COUNT];
    char words[1024];
    site_make(&site, "rows", "", CANONICAL);
    snprintf(words, sizeof(words), "import -m %s --rejects %s/rejects.log %s", mapping_path,
             site_work, csv_path);
    site_expect(&site, gf_rc_exit_code(GF_E_NOT_FOUND), words);
    site_said(&site, "gridfold topics create");
    site_create(&site);
    site_expect(&site, 0, words);
    site_said(&site, "\"much\" is not a number");
    site_expect(&site, 0, "run --exit-at-end");
    folder_do("rows-folder", words, folder);
    expect_like_folder(&site, folder, true, 12 * 48 * 3);
    topic_records_free(folder);
    /* Again: after what is there, and a warning says so. */
    const int64_t end = end_of(&site, GF_TOPIC_METER_READINGS, 0);
    assert_true(end > 0);
    site_expect(&site, 0, words);
    site_said(&site, "meter.readings/0 goes back in time, from 2024-01-04T00:00:00Z");
    assert_int_equal(end_of(&site, GF_TOPIC_METER_READINGS, 0), 2 * end);
}

static void
a_row_that_is_refused_leaves_the_log_as_it_was(void **state)
{
    (void)state;
    struct site site;
    char words[1024];
    site_make(&site, "strict", "", CANONICAL);
    site_create(&site);
    snprintf(words, sizeof(words), "import -m %s --strict --rejects %s/strict-rejects.log %s",
             mapping_path, site_work, csv_path);
    site_expect(&site, gf_rc_exit_code(GF_E_BAD_DATA), words);
    snprintf(words, sizeof(words), "import -m %s --partitions 3 %s", mapping_path, csv_path);
    site_expect(&site, gf_rc_exit_code(GF_E_CONFIG), words);
    site_said(&site, "meter.readings has 4 partitions, not 3");
    snprintf(words, sizeof(words), "import -m %s --codec deflate %s", mapping_path, csv_path);
    site_expect(&site, gf_rc_exit_code(GF_E_USAGE), words);
    site_said(&site, "--codec is for folder logs");
    for (uint32_t partition = 0; partition < SITE_PARTITIONS; partition++) {
        assert_int_equal(end_of(&site, GF_TOPIC_METER_READINGS, partition), 0);
    }
}

/* Without the registry's ids every record would be a dead letter. */
static void
a_registry_gives_the_ids_of_what_is_imported(void **state)
{
    (void)state;
    struct site site;
    struct topic_records folder[GF_TOPIC_COUNT];
    char url[64], more[512], words[1024];
    assert_int_equal(registry_server_start(url, sizeof(url)), 0);
    snprintf(more, sizeof(more), CANONICAL "schemas: {registry: \"%s\", register: true}\n", url);
    site_make(&site, "ids", "", more);
    site_create(&site);
    snprintf(words, sizeof(words), "import -m %s --rejects %s/rejects.log %s", mapping_path,
             site_work, csv_path);
    site_expect(&site, 0, words);
    assert_int_equal(registry_server_count(), 1); /* of the topic that was written alone */
    assert_int_equal(registry_server_id("meter.readings-value"), REGISTRY_SERVER_FIRST_ID);
    site_expect(&site, 0, "run --exit-at-end");
    folder_do("ids-folder", words, folder);
    expect_like_folder(&site, folder, false, 12 * 48 * 3);
    topic_records_free(folder);
    registry_server_stop();
}

/* The last test: the broker does not come back. */
static void
a_broker_that_dies_is_told(void **state)
{
    (void)state;
    struct site site;
    struct test_program program;
    site_make(&site, "dying", "  request_timeout: 3s\n", CANONICAL);
    site_create(&site);
    site_start(&site, &program, "simulate --customers 100000 --days 300 --plain");
    while (end_of(&site, GF_TOPIC_METER_READINGS, 0) == 0) {
        assert_int_equal(test_program_wait_ms(&program, 50), -1);
    }
    test_broker_kill(&site_broker);
    const int code = test_program_wait(&program);
    if (code != gf_rc_exit_code(GF_E_UNAVAILABLE)) {
        test_file_show(site.log);
        fail_msg("it ended with %d", code);
    }
    site_said(&site, "records are not taken");
    site_expect(&site, gf_rc_exit_code(GF_E_UNAVAILABLE), "simulate --customers 1 --days 1");
    site_said(&site, "check that the brokers run");
}

/* ---- the world ---- */

/* Twelve homes for three days of half hours, and one row that cannot be read. */
static int
world_make(void **state)
{
    (void)state;
    snprintf(mapping_path, sizeof(mapping_path), "%s/rows.mapping", site_work);
    snprintf(csv_path, sizeof(csv_path), "%s/rows.csv", site_work);
    FILE *file = fopen(mapping_path, "w");
    if (file == NULL || fputs(mapping, file) < 0 || fclose(file) != 0 ||
        (file = fopen(csv_path, "w")) == NULL) {
        return -1;
    }
    fprintf(file, "home,t,kwh\n1,2024-01-01 00:00,much\n");
    for (int slot = 0; slot < 3 * 48; slot++) {
        for (int home = 0; home < 12; home++) {
            fprintf(file, "%d,2024-01-%02d %02d:%02d,0.%03d\n", home, 1 + slot / 48, slot % 48 / 2,
                    slot % 2 * 30, (slot * 37 + home * 101) % 1000);
        }
    }
    return fclose(file);
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: test_kafka_import GRIDFOLD\n");
        return 64;
    }
    site_gridfold = argv[1];
    const int verdict = site_begin();
    if (verdict >= 0) {
        return verdict;
    }
    cmocka_set_test_filter(getenv("GF_TEST_FILTER"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simulated_customers_fold_as_on_a_folder),
        cmocka_unit_test(imported_rows_fold_as_on_a_folder),
        cmocka_unit_test(a_row_that_is_refused_leaves_the_log_as_it_was),
        cmocka_unit_test(a_registry_gives_the_ids_of_what_is_imported),
        cmocka_unit_test(a_broker_that_dies_is_told),
    };
    const int failed = cmocka_run_group_tests(tests, world_make, NULL);
    site_end(failed);
    return failed;
}
