#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "config/tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AT(field)    .offset = offsetof(struct gf_config, field)
#define TEXT_AT(field)                                                                             \
    .type = GF_PARAM_TEXT, AT(field), .size = sizeof(((struct gf_config *)NULL)->field)

static const char *const order_choices[] = {"auto", "canonical", "arrival", NULL};
static const char *const assignment_choices[] = {"static", "group", NULL};
static const char *const format_choices[] = {"auto", "logfmt", "json", NULL};
static const char *const level_choices[] = {"debug", "info", "warning", "error", NULL};

static const struct gf_param root_rows[] = {
    {.name = "version",
     .doc = "Version of this file's form: 1.",
     .type = GF_PARAM_INT,
     AT(version),
     .min = 1,
     .max = 1,
     .is_fold = true},
    {.name = "log",
     .doc = "Where the records are: folder:PATH or kafka:HOST:PORT[,HOST:PORT].",
     TEXT_AT(log)},
    {.name = "store",
     .doc = "Folder of the state (RocksDB). Empty: the path of a folder log with .state behind it.",
     TEXT_AT(store),
     .initial = ""},
    {.name = "order",
     .doc = "How partitions are merged: canonical waits for all and gives the same bytes in every "
            "run; arrival takes what is there, and waits for none but an earlier stage with a "
            "backlog; auto is canonical for a folder log and arrival for Kafka.",
     .type = GF_PARAM_CHOICE,
     AT(order),
     .choices = order_choices,
     .initial = "auto"},
    {.name = "assignment",
     .doc =
         "Who owns which shard: static (slot of slots, for good) or group (Kafka hands the shards "
         "out among the instances of kafka.group, and anew when one comes or goes).",
     .type = GF_PARAM_CHOICE,
     AT(assignment),
     .choices = assignment_choices,
     .initial = "static"},
    {.name = "slot",
     .doc =
         "With static assignment: which of the slots this process is, from 1. Shard s belongs to "
         "slot s modulo slots + 1.",
     .type = GF_PARAM_INT,
     AT(slot),
     .min = 1,
     .max = 1024,
     .initial = "1"},
    {.name = "slots",
     .doc = "With static assignment: how many processes share the shards.",
     .type = GF_PARAM_INT,
     AT(slots),
     .min = 1,
     .max = 1024,
     .initial = "1"},
    {.name = "threads",
     .doc = "Loops in this process, each with its own producer and shards. Kafka only.",
     .type = GF_PARAM_INT,
     AT(threads),
     .min = 1,
     .max = 64,
     .initial = "1"},
    {.name = "standby",
     .doc = "Follow the shards of the other instances in memory, ready to take them over. With "
            "assignment: group.",
     .type = GF_PARAM_BOOL,
     AT(is_standby),
     .initial = "false"},
    {.name = "start",
     .doc = "Where a first start begins: earliest, latest or a time (2016-01-01T00:00:00Z).",
     TEXT_AT(start),
     .initial = "earliest"},
    {.name = "batch_records",
     .doc = "Most records of a batch.",
     .unit = "records",
     .type = GF_PARAM_INT,
     AT(batch_records),
     .min = 1,
     .max = GF_BATCH_COUNT_MAX,
     .initial = "4096"},
    {.name = "check_partition",
     .doc = "A record whose key belongs to another partition becomes a dead letter.",
     .type = GF_PARAM_BOOL,
     AT(check_partition),
     .initial = "true",
     .is_fold = true},
    {.name = "partitions",
     .doc = "Partitions of the customer topics, the outputs and the journal.",
     .type = GF_PARAM_INT,
     AT(partitions),
     .min = 1,
     .max = 1024,
     .initial = "4",
     .is_fold = true},
};

static const struct gf_param commit_rows[] = {
    {.name = "interval",
     .doc = "Longest time between two commits.",
     .type = GF_PARAM_DURATION,
     AT(commit.interval),
     .min = 0.001,
     .max = 60,
     .initial = "100ms"},
    {.name = "batches",
     .doc = "Most batches of a commit.",
     .type = GF_PARAM_INT,
     AT(commit.batches),
     .min = 1,
     .max = 1024,
     .initial = "16"},
};

static const struct gf_param sweep_rows[] = {
    {.name = "records",
     .doc = "A shard writes all of its state once within so many records; a restart folds at most "
            "those again.",
     .unit = "records",
     .type = GF_PARAM_INT,
     AT(sweep.records),
     .min = 64,
     .max = 1e12,
     .initial = "1000000"},
};

static const struct gf_param state_rows[] = {
    {.name = "customers_max",
     .doc = "Customers of one shard that memory holds (2 KiB each).",
     .type = GF_PARAM_INT,
     AT(state.customers_max),
     .min = 8192,
     .max = 16777216,
     .initial = "262144"},
    {.name = "timers_max",
     .doc = "Timers of one shard that memory holds.",
     .type = GF_PARAM_INT,
     AT(state.timers_max),
     .min = 1024,
     .max = 134217728,
     .initial = "1048576"},
    {.name = "block_cache",
     .doc = "Memory of the cache of this process's stores.",
     .type = GF_PARAM_SIZE,
     AT(state.block_cache),
     .min = 1048576,
     .max = 1099511627776.0,
     .initial = "64MiB"},
};

static const struct gf_param snapshot_rows[] = {
    {.name = "folder",
     .doc =
         "Folder of snapshots, which other machines may share: where a store is lost or damaged, "
         "or a shard moves, its newest whole snapshot is restored. Empty: no snapshots.",
     TEXT_AT(snapshot.folder),
     .initial = ""},
    {.name = "interval",
     .doc = "A shard's snapshot is taken this long after the one before; 0s is off: only "
            "`gridfold snapshot` takes them.",
     .type = GF_PARAM_DURATION,
     AT(snapshot.interval),
     .min = 0,
     .max = 31536000,
     .initial = "1h"},
    {.name = "keep",
     .doc = "Snapshots of a shard that are kept.",
     .type = GF_PARAM_INT,
     AT(snapshot.keep),
     .min = 1,
     .max = 1000,
     .initial = "3"},
};

static const struct gf_param time_rows[] = {
    {.name = "lateness",
     .doc = "Timers fire once the newest event is this much later than they are due.",
     .type = GF_PARAM_DURATION,
     AT(time.lateness),
     .min = 0,
     .max = 2592000,
     .initial = "15m",
     .is_fold = true},
    {.name = "default_zone",
     .doc = "Time zone of a customer without a contract.",
     TEXT_AT(time.default_zone),
     .initial = "UTC",
     .is_fold = true},
    {.name = "idle_advance",
     .doc =
         "After so long without input, time goes on by the clock, so that timers fire; 0s is off.",
     .type = GF_PARAM_DURATION,
     AT(time.idle_advance),
     .min = 0,
     .max = 2592000,
     .initial = "off"},
    {.name = "heartbeat",
     .doc = "A shard without input writes to its journal this often.",
     .type = GF_PARAM_DURATION,
     AT(time.heartbeat),
     .min = 1,
     .max = 31536000,
     .initial = "6h"},
    {.name = "zones",
     .doc = "Folder of the system's time zones.",
     TEXT_AT(time.zones),
     .initial = GF_ZONES_FOLDER},
};

static const struct gf_param stages_rows[] = {
    {.name = "area",
     .doc = "Energy balance by area: reads area.totals, writes area.balance (operator balance).",
     .type = GF_PARAM_BOOL,
     AT(stages.area),
     .initial = "false",
     .is_fold = true},
    {.name = "intake",
     .doc = "Head-end readings by meter: reads headend.readings, finds the customer by contract.",
     .type = GF_PARAM_BOOL,
     AT(stages.intake),
     .initial = "false",
     .is_fold = true},
    {.name = "patience",
     .doc = "A shard that has a past to catch up with waits for what another loop or instance "
            "writes for it, until that has been silent for so long. 0s: 10 s with fixed slots; in "
            "a group kafka.session_timeout and 10 s.",
     .type = GF_PARAM_DURATION,
     AT(stages.patience),
     .min = 0,
     .max = 3600,
     .initial = "0s"},
};

static const struct gf_param kafka_rows[] = {
    {.name = "transactional_id",
     .doc = "Names this instance to the brokers; the next start fences the last by it.",
     TEXT_AT(kafka.transactional_id),
     .initial = "gridfold-1"},
    {.name = "group",
     .doc = "Consumer group under which positions are shown.",
     TEXT_AT(kafka.group),
     .initial = "gridfold"},
    {.name = "client_id",
     .doc = "Name in the brokers' logs and metrics.",
     TEXT_AT(kafka.client_id),
     .initial = "gridfold"},
    {.name = "topic_prefix",
     .doc = "Put before every topic name.",
     TEXT_AT(kafka.topic_prefix),
     .initial = ""},
    {.name = "replication",
     .doc = "Replicas of a topic that `topics create` makes.",
     .type = GF_PARAM_INT,
     AT(kafka.replication),
     .min = 1,
     .max = 16,
     .initial = "1"},
    {.name = "instance",
     .doc =
         "Name of this process in the group (group.instance.id), the same at every start. Empty: "
         "the transactional_id.",
     TEXT_AT(kafka.instance),
     .initial = ""},
    {.name = "session_timeout",
     .doc = "An instance that is silent for so long has lost its shards to the others. A restart "
            "within it moves nothing.",
     .type = GF_PARAM_DURATION,
     AT(kafka.session_timeout),
     .min = 1,
     .max = 1800,
     .initial = "30s"},
    {.name = "transaction_timeout",
     .doc = "The brokers end a transaction that has been open for so long.",
     .type = GF_PARAM_DURATION,
     AT(kafka.transaction_timeout),
     .min = 1,
     .max = 900,
     .initial = "30s"},
    {.name = "request_timeout",
     .doc = "How long to wait for a broker before giving up.",
     .type = GF_PARAM_DURATION,
     AT(kafka.request_timeout),
     .min = 1,
     .max = 600,
     .initial = "30s"},
};

static const struct gf_param schemas_rows[] = {
    {.name = "registry",
     .doc = "Where schema ids are looked up: builtin, folder:PATH, or the URL of a registry.",
     TEXT_AT(schemas.registry),
     .initial = "builtin"},
    {.name = "register",
     .doc = "Register our schemas where the registry does not have them.",
     .type = GF_PARAM_BOOL,
     AT(schemas.is_register),
     .initial = "true"},
    {.name = "user", .doc = "User at the registry.", TEXT_AT(schemas.user), .initial = ""},
    {.name = "password",
     .doc = "Password at the registry: {file: PATH} or \"${NAME}\".",
     TEXT_AT(schemas.password),
     .initial = ""},
    {.name = "ca",
     .doc = "File or folder of certificates; empty: the system's.",
     TEXT_AT(schemas.ca),
     .initial = ""},
    {.name = "subject_prefix",
     .doc = "Put before every subject name.",
     TEXT_AT(schemas.subject_prefix),
     .initial = ""},
    {.name = "timeout",
     .doc = "How long a request to the registry may take.",
     .type = GF_PARAM_DURATION,
     AT(schemas.timeout),
     .min = 0.1,
     .max = 600,
     .initial = "10s"},
};

static const struct gf_param status_rows[] = {
    {.name = "interval",
     .doc = "How often the status line is written.",
     .type = GF_PARAM_DURATION,
     AT(status.interval),
     .min = 0.1,
     .max = 3600,
     .initial = "1s"},
};

static const struct gf_param logging_rows[] = {
    {.name = "format",
     .doc = "Form of log lines; auto is logfmt on a terminal and JSON elsewhere.",
     .type = GF_PARAM_CHOICE,
     AT(logging.format),
     .choices = format_choices,
     .initial = "auto"},
    {.name = "level",
     .doc = "The least important lines that are written.",
     .type = GF_PARAM_CHOICE,
     AT(logging.level),
     .choices = level_choices,
     .initial = "info"},
};

static const struct {
    const char *name, *doc;
    const struct gf_param *rows;
    uint32_t row_count;
} program_sections[] = {
    {"commit", "Outputs, journal and positions become durable together, in commits.", commit_rows,
     COUNT(commit_rows)},
    {"sweep", "How the state is written to the store, slice by slice.", sweep_rows,
     COUNT(sweep_rows)},
    {"state", "Memory of the state.", state_rows, COUNT(state_rows)},
    {"snapshot", "Copies of the stores, to start from.", snapshot_rows, COUNT(snapshot_rows)},
    {"time", "Event time and time zones.", time_rows, COUNT(time_rows)},
    {"stages", "Stages beside the customers', each with its own topics and shards.", stages_rows,
     COUNT(stages_rows)},
    {"kafka", "Only for a Kafka log.", kafka_rows, COUNT(kafka_rows)},
    {"schemas", "Schemas of Kafka records.", schemas_rows, COUNT(schemas_rows)},
    {"status", "The status line of a running program.", status_rows, COUNT(status_rows)},
    {"logging", "Log lines on standard error.", logging_rows, COUNT(logging_rows)},
};
static_assert(COUNT(program_sections) + 2 <= GF_CONFIG_SECTION_COUNT_MAX,
              "with features and operators");

size_t
gf_config_operator_size(const struct gf_operator *logic)
{
    return logic->params_size + sizeof(bool);
}

static struct gf_origin *
origins_take(struct gf_config_tree *tree)
{
    assert(tree->origin_count < COUNT(tree->origins));
    return tree->origins[tree->origin_count++];
}

static void
operators_build(struct gf_config_tree *tree, struct gf_config *config)
{
    assert(gf_operator_count <= GF_OPERATOR_COUNT_MAX);
    for (uint32_t index = 0; index < gf_operator_count; index++) {
        const struct gf_operator *const logic = gf_operators[index];
        if (logic->is_carrier) {
            continue; /* stages: says whether it runs */
        }
        struct gf_param *const rows = tree->operator_rows[index];
        assert(logic->param_count < GF_SECTION_ROW_COUNT_MAX);
        rows[0] = (struct gf_param){.name = "enabled",
                                    .doc = "Whether this operator runs.",
                                    .type = GF_PARAM_BOOL,
                                    .offset = logic->params_size,
                                    .initial = "true",
                                    .is_fold = true};
        if (logic->param_count > 0) {
            memcpy(rows + 1, logic->params, logic->param_count * sizeof(*rows));
        }
        tree->operators[tree->operator_count++] =
            (struct gf_section){.name = logic->name,
                                .doc = logic->doc,
                                .rows = rows,
                                .row_count = logic->param_count + 1,
                                .base = config->operator_params[index],
                                .origins = origins_take(tree),
                                .is_fold = true};
    }
}

static uint32_t
feature_rows_build(struct gf_config_tree *tree)
{
    uint32_t count = 0;
    assert(gf_feature_param_count <= GF_SECTION_ROW_COUNT_MAX);
    for (uint32_t index = 0; index < gf_feature_param_count; index++) {
        if (strcmp(gf_feature_param_rows[index].name, "default_zone") != 0) {
            tree->feature_rows[count++] = gf_feature_param_rows[index];
        }
    }
    return count;
}

void
gf_config_tree_build(struct gf_config_tree *tree, struct gf_config *config)
{
    struct gf_section *section = tree->sections;
    for (size_t index = 0; index < COUNT(program_sections); index++, section++) {
        *section = (struct gf_section){.name = program_sections[index].name,
                                       .doc = program_sections[index].doc,
                                       .rows = program_sections[index].rows,
                                       .row_count = program_sections[index].row_count,
                                       .base = config,
                                       .origins = origins_take(tree)};
        if (strcmp(section->name, "kafka") == 0) {
            tree->kafka_sections[0] = (struct gf_section){
                .name = "properties",
                .doc = "Any property of librdkafka (TLS, SASL, buffers). `consumer.` or "
                       "`producer.` before a key "
                       "keeps it to one side. Passwords: {file: PATH} or \"${NAME}\".",
                .map = &config->kafka.properties};
            section->sections = tree->kafka_sections;
            section->section_count = 1;
        }
    }
    *section++ = (struct gf_section){.name = "features",
                                     .doc = "What is remembered of every customer.",
                                     .rows = tree->feature_rows,
                                     .row_count = feature_rows_build(tree),
                                     .base = &config->features,
                                     .origins = origins_take(tree),
                                     .is_fold = true};
    operators_build(tree, config);
    *section++ = (struct gf_section){.name = "operators",
                                     .doc = "What is decided about customers and tariffs.",
                                     .sections = tree->operators,
                                     .section_count = tree->operator_count,
                                     .is_fold = true};
    tree->root = (struct gf_section){.rows = root_rows,
                                     .row_count = COUNT(root_rows),
                                     .base = config,
                                     .origins = origins_take(tree),
                                     .sections = tree->sections,
                                     .section_count = (uint32_t)(section - tree->sections),
                                     .line = 1,
                                     .column = 1};
}

struct gf_section *
gf_config_section(const struct gf_config *config, const char *name)
{
    for (uint32_t index = 0; index < config->tree->root.section_count; index++) {
        if (strcmp(config->tree->sections[index].name, name) == 0) {
            return &config->tree->sections[index];
        }
    }
    return NULL;
}
