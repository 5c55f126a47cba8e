#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "io/kafka_conf.h"

#define READS  (1U << GF_KAFKA_READ_COMMITTED | 1U << GF_KAFKA_READ_UNCOMMITTED)
#define WRITES (1U << GF_KAFKA_WRITE)
#define ALL    (READS | WRITES | 1U << GF_KAFKA_ADMIN)

/* What each role needs. A row with a reason is fixed; one without is a default that properties may
 * change. */
struct setting {
    unsigned roles;
    const char *key;
    const char *value;
    const char *reason;
};

static const struct setting settings[] = {
    {ALL, "client.id", "gridfold", NULL},
    {ALL, "log.queue", "true", "log lines are written by the loop's own thread"},
    {ALL, "socket.keepalive.enable", "true", NULL},
    {ALL, "reconnect.backoff.max.ms", "1000", NULL},
    {READS, "enable.auto.commit", "false", "the journal holds the positions"},
    {READS, "enable.auto.offset.store", "false", "the journal holds the positions"},
    {READS, "auto.offset.reset", "error", "an offset that is gone is an error, not a jump"},
    {READS, "enable.partition.eof", "true", "the position moves over transaction markers by it"},
    {READS, "check.crcs", "true", "a damaged record must not become a bill"},
    {READS, "allow.auto.create.topics", "false", "`gridfold topics create` makes topics"},
    {READS, "queued.min.messages", "100000", NULL},
    /* End-of-partition events come with the reply to a fetch that found nothing: this bounds how
       late. */
    {READS, "fetch.wait.max.ms", "50", NULL},
    {READS, "fetch.error.backoff.ms", "100", NULL},
    {WRITES, "enable.idempotence", "true", "outputs are exactly once"},
    {WRITES, "acks", "all", "outputs are exactly once"},
    {WRITES, "delivery.report.only.error", "false", "every output is counted before a commit"},
    {WRITES, "linger.ms", "5", NULL},
    /* The broker ends transactions. A message that has timed out here would make librdkafka abort
       by asking for its next epoch; where another instance runs under the same id by now, the
       broker refuses that, but ends the other one's open transaction first, and fences it. */
    {WRITES, "message.timeout.ms", "0", "the broker's transaction.timeout.ms bounds it"},
};

#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

/* Keys that have no row above, because their value comes from elsewhere, or that are other names of
 * such a row. */
static const struct setting reserved[] = {
    {ALL, "bootstrap.servers", NULL, "it is given as `brokers`"},
    {ALL, "metadata.broker.list", NULL, "it is given as `brokers`"},
    {ALL, "isolation.level", NULL, "what is not committed must not be read"},
    {ALL, "transactional.id", NULL, "it is made from the name of the slot"},
    {ALL, "transaction.timeout.ms", NULL, "it is given to the sink"},
    {ALL, "request.required.acks", NULL, "outputs are exactly once"},
    {ALL, "delivery.timeout.ms", NULL, "the broker's transaction.timeout.ms bounds it"},
    {ALL, "auto.commit.enable", NULL, "the journal holds the positions"},
    {ALL, "group.id", NULL, "it is given as `group`"},
    {ALL, "group.instance.id", NULL, "it is made from the name of the instance"},
    {ALL, "partition.assignment.strategy", NULL, "all instances deal out shards in one way"},
    {ALL, "session.timeout.ms", NULL, "it is given to the group"},
    {ALL, "heartbeat.interval.ms", NULL, "it follows from the session timeout"},
    {ALL, "max.poll.interval.ms", NULL, "the watchdog ends a loop that hangs"},
};

#define RESERVED_COUNT (sizeof(reserved) / sizeof(reserved[0]))

enum gf_rc
gf_kafka_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value, struct gf_error *error)
{
    assert(conf != NULL);
    char text[256] = "";
    switch (rd_kafka_conf_set(conf, key, value, text, sizeof(text))) {
    case RD_KAFKA_CONF_OK:
        return GF_OK;
    case RD_KAFKA_CONF_UNKNOWN:
        return gf_fail(error, GF_E_CONFIG,
                       "Kafka property '%s' is not known to librdkafka %s; look for a misspelling",
                       key, rd_kafka_version_str());
    case RD_KAFKA_CONF_INVALID:
        break;
    }
    /* librdkafka repeats the value, and the value of some keys is a secret. */
    const bool is_secret = strstr(key, "password") != NULL || strstr(key, "key.pem") != NULL ||
                           strstr(key, "oauthbearer") != NULL;
    return gf_fail(error, GF_E_CONFIG, "Kafka property '%s': %s", key,
                   is_secret ? "this value is not allowed" : text);
}

static const struct setting *
setting_find(const struct setting *rows, size_t count, const char *key)
{
    for (size_t index = 0; index < count; index++) {
        if (strcmp(rows[index].key, key) == 0) {
            return &rows[index];
        }
    }
    return NULL;
}

/* The key without "consumer." or "producer."; NULL when that prefix names the other side. */
static const char *
key_for_role(const char *key, enum gf_kafka_role role)
{
    static const struct {
        const char *prefix;
        unsigned roles;
    } sides[] = {{"consumer.", READS}, {"producer.", WRITES}};

    for (size_t index = 0; index < sizeof(sides) / sizeof(sides[0]); index++) {
        const size_t size = strlen(sides[index].prefix);
        if (strncmp(key, sides[index].prefix, size) == 0) {
            return (sides[index].roles & 1U << role) != 0 ? key + size : NULL;
        }
    }
    return key;
}

static enum gf_rc
property_apply(rd_kafka_conf_t *conf, const struct gf_kafka_property *property,
               enum gf_kafka_role role, struct gf_error *error)
{
    const char *const key = key_for_role(property->key, role);
    if (key == NULL) {
        return GF_OK;
    }
    const struct setting *row = setting_find(settings, SETTING_COUNT, key);
    if (row == NULL) {
        row = setting_find(reserved, RESERVED_COUNT, key);
    }
    if (row != NULL && row->reason != NULL) {
        return gf_fail(error, GF_E_CONFIG, "Kafka property '%s' cannot be set: %s; remove it",
                       property->key, row->reason);
    }
    return gf_kafka_conf_set(conf, key, property->value, error);
}

static enum gf_rc
conf_fill(rd_kafka_conf_t *conf, const struct gf_kafka_config *config, enum gf_kafka_role role,
          struct gf_error *error)
{
    for (size_t index = 0; index < SETTING_COUNT; index++) {
        const struct setting *const row = &settings[index];
        if ((row->roles & 1U << role) != 0) {
            const enum gf_rc rc = gf_kafka_conf_set(conf, row->key, row->value, error);
            if (rc != GF_OK) {
                return rc;
            }
        }
    }
    for (uint32_t index = 0; index < config->property_count; index++) {
        const enum gf_rc rc = property_apply(conf, &config->properties[index], role, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    if ((READS & 1U << role) != 0) {
        const char *const level =
            role == GF_KAFKA_READ_COMMITTED ? "read_committed" : "read_uncommitted";
        const enum gf_rc rc = gf_kafka_conf_set(conf, "isolation.level", level, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    return gf_kafka_conf_set(conf, "bootstrap.servers", config->brokers, error);
}

enum gf_rc
gf_kafka_conf_new(const struct gf_kafka_config *config, enum gf_kafka_role role,
                  rd_kafka_conf_t **out, struct gf_error *error)
{
    assert(config != NULL);
    assert(out != NULL);
    if (config->brokers == NULL || config->brokers[0] == '\0') {
        return gf_fail(error, GF_E_CONFIG,
                       "no Kafka brokers are named; set `brokers` to host:port,…");
    }
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    const enum gf_rc rc = conf_fill(conf, config, role, error);
    if (rc != GF_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    *out = conf;
    return GF_OK;
}
