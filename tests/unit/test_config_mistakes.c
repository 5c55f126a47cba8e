#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEAD         "version: 1\nlog: folder:log\n"

/* A mistake seeded into a file; the complaint that must be there, at its place, with its help. */
static const struct seeded {
    const char *text;
    uint32_t line, column;
    const char *part, *help;
} seeded[] = {
    {"log: folder:log\n", 1, 1, "version is missing", "1"},
    {"version: 1\n", 1, 1, "log is missing", "folder:PATH"},
    {"version: 2\nlog: folder:log\n", 1, 10, "version is out of range", ""},
    {HEAD "lgo: folder:log\n", 3, 1, "unknown key \"lgo\"", "did you mean \"log\"?"},
    {"version: 1\nlog: folder:\n", 2, 12, "mapping values are not allowed", "quote a text"},
    {"version: 1\nlog: \"folder:\"\n", 2, 6, "log must name a folder or brokers", "folder:PATH"},
    {"version: 1\nlog: /data/log\n", 2, 6, "log must name a folder", "folder:PATH"},
    {"version: 1\nlog: kafka:broker\nstore: s\n", 2, 6, "no list of brokers", "kafka:HOST:PORT"},
    {"version: 1\nlog: kafka:a:9092,b\nstore: s\n", 2, 6, "no list of brokers", ""},
    {"version: 1\nlog: kafka:a:99999\nstore: s\n", 2, 6, "no list of brokers", ""},
    {"version: 1\nlog: kafka:a:9092\n", 2, 6, "store is missing", "Kafka"},
    {HEAD "order: canonicl\n", 3, 8, "order must be one of auto, canonical, arrival",
     "did you mean \"canonical\"?"},
    {HEAD "start: erliest\n", 3, 8, "start must be earliest", "did you mean \"earliest\"?"},
    {HEAD "start: 2016-13-01\n", 3, 8, "start must be earliest", "times are written"},
    {HEAD "batch_records: 5000\n", 3, 16, "out of range: 1 to 4096 records", ""},
    {HEAD "batch_record: 5000\n", 3, 1, "unknown key", "did you mean \"batch_records\"?"},
    {HEAD "check_partition: yes\n", 3, 18, "must be true or false", "did you mean \"true\"?"},
    {HEAD "partitions: 0\n", 3, 13, "out of range: 1 to 1024", ""},
    {HEAD "partitions: many\n", 3, 13, "must be a whole number", ""},
    {HEAD "comit:\n  interval: 1s\n", 3, 1, "unknown key \"comit\"", "did you mean \"commit\"?"},
    {HEAD "commit:\n  interval: 100\n", 4, 13, "needs a unit", "100s"},
    {HEAD "commit:\n  intervall: 100ms\n", 4, 3, "unknown key \"intervall\" in commit",
     "did you mean \"interval\"?"},
    {HEAD "commit:\n  interval: 2h\n", 4, 13, "out of range: 1ms to 1m", ""},
    {HEAD "commit: 100ms\n", 3, 9, "commit must be a mapping, not a value", ""},
    {HEAD "commit:\n  - interval\n", 4, 3, "commit must be a mapping, not a list", ""},
    {HEAD "sweep:\n  records: 10\n", 4, 12, "out of range", ""},
    {HEAD "state:\n  block_cache: 64MB8\n", 4, 16, "not understood", "64MiB"},
    {HEAD "state:\n  block_cache: 64Mi\n", 4, 16, "unknown unit", "64MiB"},
    {HEAD "block_cache: 64MiB\n", 3, 1, "unknown key \"block_cache\"",
     "\"block_cache\" belongs under state:"},
    {HEAD "replication: 3\n", 3, 1, "unknown key", "belongs under kafka:"},
    {HEAD "replicaton: 3\n", 3, 1, "unknown key",
     "did you mean \"replication\"? it belongs under kafka:"},
    {HEAD "kafka:\n  partitions: 3\n", 4, 3, "unknown key \"partitions\" in kafka",
     "at the top of the file"},
    {HEAD "kafka:\n  sasl.mechanism: PLAIN\n", 4, 3, "unknown key", ""},
    {HEAD "kafka:\n  propertis:\n    a: b\n", 4, 3, "unknown key", "did you mean \"properties\"?"},
    {HEAD "kafka:\n  properties:\n    sasl.password: open\n", 5, 20, "is a secret", "{file: PATH}"},
    {HEAD "kafka:\n  properties:\n    sasl.password: {file: nowhere}\n", 5, 20,
     "nowhere cannot be opened", ""},
    {HEAD "kafka:\n  properties:\n    bootstrap.servers: a:9092\n", 5, 24, "set by gridfold",
     "log: kafka:HOST:PORT"},
    {HEAD "kafka:\n  properties:\n    consumer.isolation.level: x\n", 5, 31, "set by gridfold",
     "exactly-once"},
    {HEAD "kafka:\n  properties:\n    linger.ms: [5]\n", 5, 16, "must be a value, not a list", ""},
    {HEAD "kafka:\n  transactional_id:\n", 4, 20, "has no value", "default"},
    {HEAD "time:\n  default_zone: Europe/Berln\n", 4, 17, "no time zone \"Europe/Berln\"",
     "did you mean \"Europe/Berlin\"?"},
    {HEAD "time:\n  default_zone: ../../etc/passwd\n", 4, 17, "no time zone", ""},
    {HEAD "time:\n  lateness: 15 minutes\n", 4, 13, "unknown unit \"minutes\"", ""},
    {HEAD "time:\n  latenes: 15m\n", 4, 3, "unknown key \"latenes\" in time",
     "did you mean \"lateness\"?"},
    {HEAD "default_zone: UTC\n", 3, 1, "unknown key", "belongs under time:"},
    {HEAD "features:\n  default_zone: UTC\n", 4, 3, "unknown key \"default_zone\" in features",
     "belongs under time:"},
    {HEAD "schemas:\n  registry: buildin\n", 4, 13, "must be builtin, folder:PATH or a URL",
     "did you mean \"builtin\"?"},
    {HEAD "schemas:\n  password: hunter2\n", 4, 13, "is a secret", "{file: PATH}"},
    {HEAD "logging:\n  level: warn\n", 4, 10, "must be one of debug, info, warning, error", ""},
    {HEAD "logging:\n  level: eror\n", 4, 10, "must be one of", "did you mean \"error\"?"},
    {HEAD "status: {interval: 1}\n", 3, 20, "needs a unit", ""},
    {HEAD "operator:\n  fraud: {}\n", 3, 1, "unknown key", "did you mean \"operators\"?"},
    {HEAD "operators:\n  frued: {enabled: true}\n", 4, 3, "unknown key \"frued\" in operators",
     "did you mean \"fraud\"?"},
    {HEAD "fraud:\n  enabled: true\n", 3, 1, "unknown key \"fraud\"", "belongs under operators:"},
    {HEAD "operators:\n  fraud:\n    enabeld: true\n", 5, 5,
     "unknown key \"enabeld\" in operators.fraud", "did you mean \"enabled\"?"},
    {HEAD "operators:\n  fraud: {score_medium: 0.9}\n", 4, 25,
     "fraud.score_medium must not be above", ""},
    {HEAD "operators:\n  fraud: {score_medium: 1.5}\n", 4, 25, "out of range: 0 to 1", ""},
    {HEAD "operators:\n  tariff: {floor: 20}\n", 4, 19,
     "floor must not be above operators.tariff.cap", ""},
    {HEAD "operators:\n  arrears:\n    ladder:\n      - {stage: DEU, after_days: 0, measure: X}\n",
     6, 17, "operators.arrears.ladder[0].stage must be one of", "did you mean \"DUE\"?"},
    {HEAD "operators:\n  arrears:\n    ladder:\n      - {stage: DUE, measure: X}\n", 6, 9,
     "operators.arrears.ladder[0].after_days is missing", ""},
    {HEAD "version: 1\n", 3, 1, "comes twice; the first is in line 1", ""},
    {HEAD "time:\n\tlateness: 15m\n", 4, 1, "cannot start any token", "spaces, not tabs"},
};

static void
test_seeded_mistakes_are_found(void **state)
{
    (void)state;
    assert_true(COUNT(seeded) >= 60);
    for (size_t index = 0; index < COUNT(seeded); index++) {
        const struct seeded *const seed = &seeded[index];
        struct gf_config *const config = config_read(seed->text, NULL, 0);
        bool is_found = false;
        for (uint32_t at = 0; at < complaints.count; at++) {
            const struct gf_complaint *const complaint = &complaints.items[at];
            is_found =
                is_found || (complaint->line == seed->line && complaint->column == seed->column &&
                             strstr(complaint->text, seed->part) != NULL &&
                             strstr(complaint->help, seed->help) != NULL);
        }
        if (config != NULL || !is_found || complaints.count != 1) {
            fail_msg("%s---\n%s", seed->text, complaints_text());
        }
    }
}

static void
test_wrong_overrides_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *assignment, *part, *help;
    } cases[] = {
        {"time.latenes=1h", "unknown key \"latenes\" in time", "did you mean \"lateness\"?"},
        {"time.lateness=1", "time.lateness needs a unit", ""},
        {"tiem.lateness=1h", "unknown key \"tiem.lateness\"", ""},
        {"time.lateness", "NAME=VALUE", ""},
        {"=1h", "NAME=VALUE", ""},
        {"operators.tariff.floor=20", "must not be above", ""},
        {"batch_records=[1", "", ""},
        {"schemas.password=hunter2", "is a secret", ""},
        {"time=1h", "time must be a mapping", ""},
        {"kafka.properties.group.id=x", "set by gridfold", "kafka.group"},
    };
    for (size_t index = 0; index < COUNT(cases); index++) {
        assert_null(config_read(HEAD, &cases[index].assignment, 1));
        const struct gf_complaint *const complaint = &complaints.items[0];
        if (complaints.count != 1 || strncmp(complaint->file, "--set", 5) != 0 ||
            complaint->line != 0 || strstr(complaint->text, cases[index].part) == NULL ||
            strstr(complaint->help, cases[index].help) == NULL) {
            fail_msg("%s: %s", cases[index].assignment, complaints_text());
        }
    }
}

static void
test_all_errors_come_at_once(void **state)
{
    (void)state;
    assert_null(config_read(
        "version: 3\nlog: nowhere\norder: x\ntime:\n  default_zone: Mars/Base\n  lateness: 1\n"
        "commit:\n  batches: 0\nfoo: 1\n",
        NULL, 0));
    assert_int_equal(complaints.count, 7);
    char *const text = complaints_text();
    assert_non_null(strstr(text, "etc/f.yaml:5:17: error: there is no time zone \"Mars/Base\"\n"
                                 "      default_zone: Mars/Base\n"
                                 "                    ^\n"));
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeded_mistakes_are_found),
        cmocka_unit_test(test_wrong_overrides_are_found),
        cmocka_unit_test(test_all_errors_come_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
