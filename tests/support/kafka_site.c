#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>

#include "codec/records.h"
#include "kafka_site.h"
#include "topic_delete.h"

#define WORD_COUNT_MAX 24

struct test_broker site_broker;
const char *site_gridfold, *site_publish;
char site_work[200];

int
site_begin(void)
{
    const int verdict = test_broker_find(&site_broker);
    if (verdict >= 0) {
        return verdict;
    }
    test_broker_start(&site_broker);
    snprintf(site_work, sizeof(site_work), "%s/work", site_broker.folder);
    if (mkdir(site_work, 0700) != 0) {
        perror(site_work);
        return 1;
    }
    return -1;
}

void
site_end(int failed)
{
    if (failed == 0) {
        test_broker_fini(&site_broker);
        return;
    }
    test_broker_kill(&site_broker);
    fprintf(stderr, "logs and configurations are in %s\n", site_work);
}

void
site_make(struct site *site, const char *name, const char *kafka, const char *more)
{
    *site = (struct site){0};
    snprintf(site->name, sizeof(site->name), "%s", name);
    snprintf(site->prefix, sizeof(site->prefix), "%s.", name);
    snprintf(site->config, sizeof(site->config), "%s/%s.yaml", site_work, name);
    snprintf(site->log, sizeof(site->log), "%s/%s.log", site_work, name);
    FILE *file = fopen(site->config, "w");
    assert_non_null(file);
    fprintf(file,
            "version: 1\nlog: kafka:%s\nstore: %s.state\npartitions: %d\n"
            "kafka:\n  transactional_id: %s\n  group: %s\n  topic_prefix: \"%s\"\n  replication: "
            "1\n%s%s",
            site_broker.address, name, SITE_PARTITIONS, name, name, site->prefix, kafka, more);
    assert_int_equal(fclose(file), 0);
}

/* Splits `words` at blanks into `arguments` from `count` on; `text` is their memory. */
static size_t
words_split(const char *words, char *text, size_t size, const char **arguments, size_t count)
{
    snprintf(text, size, "%s", words);
    char *rest = text;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        assert_true(count < WORD_COUNT_MAX - 1);
        arguments[count++] = word;
    }
    arguments[count] = NULL;
    return count;
}

void
site_start(struct site *site, struct test_program *program, const char *words)
{
    char text[512];
    const char *arguments[WORD_COUNT_MAX] = {site_gridfold};
    const size_t count = words_split(words, text, sizeof(text), arguments, 1);
    assert_true(count + 2 < WORD_COUNT_MAX);
    arguments[count] = "-c";
    arguments[count + 1] = site->config;
    arguments[count + 2] = NULL;
    test_program_start(program, site->log, arguments);
}

int
site_call(struct site *site, const char *words)
{
    struct test_program program;
    site_start(site, &program, words);
    return test_program_wait(&program);
}

void
site_expect(struct site *site, int code, const char *words)
{
    const int there = site_call(site, words);
    if (there != code) {
        test_file_show(site->log);
        fail_msg("%s: gridfold %s: exit code %d, not %d", site->name, words, there, code);
    }
}

void
site_said(const struct site *site, const char *text)
{
    if (!test_file_has(site->log, text)) {
        test_file_show(site->log);
        fail_msg("%s: not said: %s", site->name, text);
    }
}

void
site_create(struct site *site)
{
    site_expect(site, 0, "topics create --retention 36500");
}

void
site_delete(const struct site *site)
{
    topics_delete(site_broker.address, site->prefix);
}

void
site_feed_start(struct site *site, struct test_program *program, const char *folder,
                const char *words)
{
    char text[512], log[300];
    const char *arguments[WORD_COUNT_MAX] = {site_publish, folder, site_broker.address, "--prefix",
                                             site->prefix};
    words_split(words, text, sizeof(text), arguments, 5);
    snprintf(log, sizeof(log), "%s.feed", site->log);
    test_program_start(program, log, arguments);
}

void
site_feed(struct site *site, const char *folder, const char *words)
{
    struct test_program program;
    site_feed_start(site, &program, folder, words);
    if (test_program_wait(&program) != 0) {
        test_file_show(program.log);
        fail_msg("%s: publish failed", site->name);
    }
}

void
site_read(const struct site *site, struct topic_records out[GF_TOPIC_COUNT])
{
    topic_records_kafka(site_broker.address, site->prefix, SITE_PARTITIONS, out);
}
