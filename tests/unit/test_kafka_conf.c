/* Settings of Kafka handles, and what is wanted of topics: the parts that need no broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/records.h"
#include "io/kafka_topics.h"

static enum gf_rc
conf_try(const char *key, const char *value, enum gf_kafka_role role, rd_kafka_conf_t **out,
         struct gf_error *error)
{
    const struct gf_kafka_property property = {key, value};
    const struct gf_kafka_config config = {
        .brokers = "127.0.0.1:1", .properties = &property, .property_count = 1};
    return gf_kafka_conf_new(&config, role, out, error);
}

static void
conf_expect(const rd_kafka_conf_t *conf, const char *key, const char *wanted)
{
    char value[128] = "";
    size_t size = sizeof(value);
    assert_int_equal(rd_kafka_conf_get(conf, key, value, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(value, wanted);
}

static void
what_exactly_once_rests_on_cannot_be_set(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "enable.auto.commit",         "enable.auto.offset.store",
        "auto.offset.reset",          "isolation.level",
        "enable.partition.eof",       "check.crcs",
        "enable.idempotence",         "acks",
        "request.required.acks",      "transactional.id",
        "transaction.timeout.ms",     "group.id",
        "bootstrap.servers",          "metadata.broker.list",
        "consumer.isolation.level",   "producer.acks",
        "delivery.report.only.error", "log.queue",
        "session.timeout.ms",         "partition.assignment.strategy",
    };
    for (size_t index = 0; index < sizeof(keys) / sizeof(keys[0]); index++) {
        const enum gf_kafka_role role =
            keys[index][0] == 'c' ? GF_KAFKA_READ_COMMITTED : GF_KAFKA_WRITE;
        rd_kafka_conf_t *conf = NULL;
        struct gf_error error;
        assert_int_equal(conf_try(keys[index], "1", role, &conf, &error), GF_E_CONFIG);
        assert_non_null(strstr(error.text, keys[index]));
        assert_null(conf);
    }
}

static void
other_settings_pass_through_and_errors_name_the_key(void **state)
{
    (void)state;
    rd_kafka_conf_t *conf = NULL;
    struct gf_error error;
    assert_int_equal(conf_try("fetch.wait.max.ms", "77", GF_KAFKA_READ_COMMITTED, &conf, &error),
                     GF_OK);
    conf_expect(conf, "fetch.wait.max.ms", "77");
    conf_expect(conf, "isolation.level", "read_committed");
    conf_expect(conf, "enable.auto.commit", "false");
    conf_expect(conf, "queued.min.messages", "100000");
    rd_kafka_conf_destroy(conf);
    assert_int_equal(conf_try("sasl.username", "me", GF_KAFKA_READ_UNCOMMITTED, &conf, &error),
                     GF_OK);
    conf_expect(conf, "isolation.level", "read_uncommitted");
    rd_kafka_conf_destroy(conf);
    assert_int_equal(conf_try("consumer.client.id", "reader", GF_KAFKA_WRITE, &conf, &error),
                     GF_OK);
    conf_expect(conf, "client.id", "gridfold");
    conf_expect(conf, "enable.idempotence", "true");
    rd_kafka_conf_destroy(conf);
    assert_int_equal(conf_try("producer.linger.ms", "9", GF_KAFKA_WRITE, &conf, &error), GF_OK);
    conf_expect(conf, "linger.ms", "9");
    rd_kafka_conf_destroy(conf);

    conf = NULL;
    assert_int_equal(conf_try("fetch.wiat.max.ms", "77", GF_KAFKA_READ_COMMITTED, &conf, &error),
                     GF_E_CONFIG);
    assert_non_null(strstr(error.text, "'fetch.wiat.max.ms' is not known"));
    assert_int_equal(conf_try("linger.ms", "soon", GF_KAFKA_WRITE, &conf, &error), GF_E_CONFIG);
    assert_non_null(strstr(error.text, "'linger.ms'"));
    assert_int_equal(conf_try("sasl.oauthbearer.method", "secret", GF_KAFKA_WRITE, &conf, &error),
                     GF_E_CONFIG);
    assert_null(strstr(error.text, "secret"));
    const struct gf_kafka_config nobody = {.brokers = ""};
    assert_int_equal(gf_kafka_conf_new(&nobody, GF_KAFKA_WRITE, &conf, &error), GF_E_CONFIG);
}

static void
topics_are_compared_one_by_one(void **state)
{
    (void)state;
    const struct gf_kafka_config config = {.topic_prefix = "eu."};
    const struct gf_kafka_wish wish = {.shard_count = 8, .replication = 3, .retention_ms = 1000};
    struct gf_kafka_topic wanted[GF_TOPIC_COUNT], there[GF_TOPIC_COUNT];
    struct gf_error error;
    assert_int_equal(gf_kafka_topics_wanted(&config, &wish, wanted, &error), GF_OK);
    assert_string_equal(wanted[GF_TOPIC_JOURNAL].name, "eu.journal");
    assert_int_equal(wanted[GF_TOPIC_JOURNAL].partition_count, 8);
    assert_int_equal(wanted[GF_TOPIC_MARKET_PRICES].partition_count, 1);
    assert_int_equal(wanted[GF_TOPIC_CUSTOMER_CONTRACTS].retention_ms, GF_KAFKA_FOREVER);

    static const struct {
        struct gf_kafka_topic there;
        enum gf_kafka_gap gap;
        const char *text; /* NULL: no difference */
    } cases[] = {
        {{"", 0, 0, false, false, 0, 0, false}, GF_KAFKA_GAP_MISSING, "gridfold topics create"},
        {{"", 8, 3, false, true, 1000, -1, false}, GF_KAFKA_GAP_MISSING, NULL},
        {{"", 8, 4, false, true, -1, -1, false}, GF_KAFKA_GAP_MISSING, NULL},
        {{"", 8, 3, false, false, 1, 1, false},
         GF_KAFKA_GAP_MISSING,
         NULL}, /* nothing is deleted */
        {{"", 7, 3, false, true, 1000, -1, false},
         GF_KAFKA_GAP_PARTITIONS,
         "has 7 partitions, needs 8"},
        {{"", 8, 2, false, true, 1000, -1, false}, GF_KAFKA_GAP_REPLICATION, "has 2 replicas"},
        {{"", 8, 3, true, false, 1000, -1, false}, GF_KAFKA_GAP_COMPACTED, "cleanup.policy=delete"},
        {{"", 8, 3, false, true, 999, -1, false}, GF_KAFKA_GAP_RETENTION_TIME, "retention.ms=1000"},
        {{"", 8, 3, false, true, 1000, 4096, false},
         GF_KAFKA_GAP_RETENTION_SIZE,
         "keeps 4096 bytes, needs unlimited"},
    };
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct gf_kafka_difference differences[GF_KAFKA_DIFFERENCE_MAX];
        there[0] = cases[index].there;
        const uint32_t count =
            gf_kafka_topics_compare(&wanted[GF_TOPIC_JOURNAL], there, 1, differences);
        assert_int_equal(count, cases[index].text == NULL ? 0 : 1);
        if (count > 0) {
            char text[256];
            assert_int_equal(differences[0].gap, cases[index].gap);
            gf_kafka_difference_print(&differences[0], text, sizeof(text));
            assert_non_null(strstr(text, "eu.journal: "));
            assert_non_null(strstr(text, cases[index].text));
        }
    }
    char long_prefix[300];
    memset(long_prefix, 'x', sizeof(long_prefix) - 1);
    long_prefix[sizeof(long_prefix) - 1] = '\0';
    const struct gf_kafka_config too_long = {.topic_prefix = long_prefix};
    assert_int_equal(gf_kafka_topics_wanted(&too_long, &wish, wanted, &error), GF_E_CONFIG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_exactly_once_rests_on_cannot_be_set),
        cmocka_unit_test(other_settings_pass_through_and_errors_name_the_key),
        cmocka_unit_test(topics_are_compared_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
