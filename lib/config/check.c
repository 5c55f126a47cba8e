#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/tree.h"

#define STAGES_PARTITIONS 64
#define COUNT(array)      (sizeof(array) / sizeof((array)[0]))

/* ---- where to point ---- */

/* The place of a value: in the file, or the name of the row where an override or the default gave
 * it. */
static struct gf_place
row_place(const struct gf_config *config, const struct gf_param_reader *reader,
          const struct gf_section *section, const char *name)
{
    const struct gf_origin *const origin = gf_section_origin(section, name);
    if (origin != NULL && origin->kind == GF_ORIGIN_FILE) {
        return gf_yaml_place_at(reader->yaml, origin->line, origin->column);
    }
    return (struct gf_place){
        .file = origin != NULL && origin->kind == GF_ORIGIN_SET ? "--set" : config->path};
}

static bool
was_given(const struct gf_section *section, const char *name)
{
    const struct gf_origin *const origin = gf_section_origin(section, name);
    return origin != NULL && origin->kind != GF_ORIGIN_DEFAULT;
}

/* ---- paths ---- */

/* Puts the file's folder before the relative path that starts `skip` bytes into `text`. */
static bool
path_resolve(const struct gf_config *config, const struct gf_section *section, const char *name,
             char *text, size_t size, size_t skip)
{
    const struct gf_origin *const origin = gf_section_origin(section, name);
    if (origin == NULL || origin->kind != GF_ORIGIN_FILE || text[skip] == '/' ||
        text[skip] == '\0' || config->folder[0] == '\0') {
        return true;
    }
    char resolved[2 * GF_CONFIG_PATH_SIZE + 2];
    const int length = snprintf(resolved, sizeof(resolved), "%.*s%s/%s", (int)skip, text,
                                config->folder, text + skip);
    if (length >= (int)size) {
        return false;
    }
    memcpy(text, resolved, (size_t)length + 1);
    return true;
}

/* ---- the log ---- */

/* HOST:PORT of a list; [v6]:PORT too. */
static bool
is_broker(const char *text, size_t size)
{
    const char *const colon = memrchr(text, ':', size);
    if (colon == NULL || colon == text) {
        return false;
    }
    const size_t port_size = size - (size_t)(colon + 1 - text);
    char port[8] = "";
    if (port_size == 0 || port_size > 5 || strspn(colon + 1, "0123456789") < port_size) {
        return false;
    }
    memcpy(port, colon + 1, port_size);
    const long number = strtol(port, NULL, 10);
    const bool is_bracketed = text[0] == '[' && colon[-1] == ']';
    const size_t host_size = (size_t)(colon - text);
    return number >= 1 && number <= 65535 &&
           (is_bracketed || memchr(text, ':', host_size) == NULL) &&
           memchr(text, ' ', host_size) == NULL && memchr(text, '/', host_size) == NULL;
}

static bool
are_brokers(const char *list)
{
    for (const char *at = list;; at++) {
        const size_t size = strcspn(at, ",");
        if (!is_broker(at, size)) {
            return false;
        }
        at += size;
        if (*at == '\0') {
            return true;
        }
    }
}

static void
log_check(struct gf_config *config, struct gf_param_reader *reader, const struct gf_section *root)
{
    static const char folder[] = "folder:", kafka[] = "kafka:";
    const struct gf_place place = row_place(config, reader, root, "log");
    const bool is_folder = strncmp(config->log, folder, strlen(folder)) == 0;
    const bool is_kafka = strncmp(config->log, kafka, strlen(kafka)) == 0;
    config->log_kind = is_kafka ? GF_CONFIG_LOG_KAFKA : GF_CONFIG_LOG_FOLDER;
    config->log_rest = config->log + (is_folder ? strlen(folder) : is_kafka ? strlen(kafka) : 0);
    if (!was_given(root, "log")) {
        return; /* reported as missing */
    }
    if (is_kafka && !are_brokers(config->log_rest)) {
        gf_complain(reader->complaints, place, "log has no list of brokers: \"%.80s\"",
                    config->log_rest);
        gf_complain_help(reader->complaints, "write kafka:HOST:PORT or kafka:HOST:PORT,HOST:PORT");
    } else if (!is_kafka && (!is_folder || config->log_rest[0] == '\0')) {
        gf_complain(reader->complaints, place, "log must name a folder or brokers, not \"%.80s\"",
                    config->log);
        gf_complain_help(reader->complaints, "write folder:PATH or kafka:HOST:PORT");
    } else if (is_folder && !path_resolve(config, root, "log", config->log, sizeof(config->log),
                                          strlen(folder))) {
        gf_complain(reader->complaints, place, "log has a path that is too long");
    }
}

static void
store_check(struct gf_config *config, struct gf_param_reader *reader, const struct gf_section *root)
{
    const struct gf_place place = row_place(config, reader, root, "store");
    if (config->store[0] != '\0') {
        if (!path_resolve(config, root, "store", config->store, sizeof(config->store), 0)) {
            gf_complain(reader->complaints, place, "store has a path that is too long");
        }
        return;
    }
    if (config->log_kind == GF_CONFIG_LOG_KAFKA) {
        gf_complain(reader->complaints, row_place(config, reader, root, "log"), "store is missing");
        gf_complain_help(reader->complaints,
                         "with a Kafka log, name the folder of the state: \"store: PATH\"");
        return;
    }
    size_t size = strlen(config->log_rest);
    while (size > 1 && config->log_rest[size - 1] == '/') {
        size--;
    }
    const int length =
        snprintf(config->store, sizeof(config->store), "%.*s.state", (int)size, config->log_rest);
    if (length >= (int)sizeof(config->store)) {
        gf_complain(reader->complaints, place, "log has a path that is too long");
    }
}

static void
snapshot_check(struct gf_config *config, struct gf_param_reader *reader)
{
    const struct gf_section *section = gf_config_section(config, "snapshot");
    if (config->snapshot.folder[0] != '\0' &&
        !path_resolve(config, section, "folder", config->snapshot.folder,
                      sizeof(config->snapshot.folder), 0)) {
        gf_complain(reader->complaints, row_place(config, reader, section, "folder"),
                    "snapshot.folder has a path that is too long");
    }
}

static void
start_check(struct gf_config *config, struct gf_param_reader *reader, const struct gf_section *root)
{
    if (strcmp(config->start, "earliest") == 0 || strcmp(config->start, "latest") == 0) {
        config->start_kind =
            config->start[0] == 'e' ? GF_CONFIG_START_EARLIEST : GF_CONFIG_START_LATEST;
        return;
    }
    config->start_kind = GF_CONFIG_START_TIME;
    if (gf_time_parse(config->start, strlen(config->start), &config->start_time) == GF_OK) {
        return;
    }
    gf_complain(reader->complaints, row_place(config, reader, root, "start"),
                "start must be earliest, latest or a time, not \"%s\"", config->start);
    struct gf_suggestion suggestion = {.wrong = config->start};
    gf_suggestion_offer(&suggestion, "earliest");
    gf_suggestion_offer(&suggestion, "latest");
    if (suggestion.best != NULL) {
        gf_complain_help(reader->complaints, "did you mean \"%s\"?", suggestion.best);
    } else {
        gf_complain_help(reader->complaints, "times are written 2016-01-31T00:00:00Z");
    }
}

/* Who owns the shards. */
static void
assignment_check(struct gf_config *config, struct gf_param_reader *reader,
                 const struct gf_section *root)
{
    const bool is_kafka = config->log_kind == GF_CONFIG_LOG_KAFKA;
    const bool is_group = config->assignment == GF_CONFIG_ASSIGNMENT_GROUP;
    const struct {
        const char *name, *complaint, *help;
        bool is_wrong;
    } rules[] = {
        {"assignment", "assignment: group needs a Kafka log",
         "a folder log has one writer: leave it "
         "static",
         is_group && !is_kafka},
        {"threads", "more than one thread needs a Kafka log",
         "a folder log has one writer: leave "
         "threads at 1",
         config->threads > 1 && !is_kafka},
        {"slots", "slots need a Kafka log", "a folder log has one writer",
         config->slots > 1 && !is_kafka},
        {"slots", "slots go with assignment: static",
         "leave slot and slots out; the group hands the "
         "shards out",
         config->slots > 1 && is_group},
        {"slot", "slot is above slots", "slots are counted from 1", config->slot > config->slots},
        {"standby", "standby needs assignment: group",
         "with static slots nobody else can take a shard "
         "over",
         config->is_standby && !is_group},
    };
    for (size_t i = 0; i < COUNT(rules); i++) {
        if (rules[i].is_wrong) {
            gf_complain(reader->complaints, row_place(config, reader, root, rules[i].name), "%s",
                        rules[i].complaint);
            gf_complain_help(reader->complaints, "%s", rules[i].help);
        }
    }
    if (config->kafka.instance[0] == '\0') {
        snprintf(config->kafka.instance, sizeof(config->kafka.instance), "%s",
                 config->kafka.transactional_id);
    }
    if (is_group && (config->kafka.instance[0] == '\0' || config->kafka.group[0] == '\0')) {
        gf_complain(reader->complaints, row_place(config, reader, root, "assignment"),
                    "assignment: group needs kafka.group and kafka.transactional_id");
    }
}

/* ---- sections ---- */

static void
zone_check(struct gf_config *config, struct gf_param_reader *reader)
{
    const struct gf_section *const section = gf_config_section(config, "time");
    path_resolve(config, section, "zones", config->time.zones, sizeof(config->time.zones), 0);
    if (gf_zone_exists(config->time.zones, config->time.default_zone)) {
        return;
    }
    gf_complain(reader->complaints, row_place(config, reader, section, "default_zone"),
                "there is no time zone \"%s\"", config->time.default_zone);
    struct gf_zones zones;
    struct gf_error error;
    if (gf_zones_load(config->time.zones, &zones, &error) != GF_OK) {
        gf_complain_help(reader->complaints, "%.200s", error.text);
        return;
    }
    struct gf_suggestion suggestion = {.wrong = config->time.default_zone};
    for (uint32_t index = 0; index < zones.count; index++) {
        gf_suggestion_offer(&suggestion, zones.items[index].name);
    }
    if (suggestion.best != NULL) {
        gf_complain_help(reader->complaints, "did you mean \"%s\"?", suggestion.best);
    } else {
        gf_complain_help(reader->complaints, "zones are written like Europe/Berlin");
    }
    gf_zones_free(&zones);
}

static void
registry_check(struct gf_config *config, struct gf_param_reader *reader)
{
    static const char folder[] = "folder:";
    const struct gf_section *const section = gf_config_section(config, "schemas");
    char *const registry = config->schemas.registry;
    config->registry_rest = registry;
    path_resolve(config, section, "ca", config->schemas.ca, sizeof(config->schemas.ca), 0);
    if (strcmp(registry, "builtin") == 0) {
        config->registry_kind = GF_CONFIG_REGISTRY_BUILTIN;
    } else if (strncmp(registry, folder, strlen(folder)) == 0 && registry[strlen(folder)] != '\0') {
        config->registry_kind = GF_CONFIG_REGISTRY_FOLDER;
        path_resolve(config, section, "registry", registry, sizeof(config->schemas.registry),
                     strlen(folder));
        config->registry_rest = registry + strlen(folder);
    } else if (strncmp(registry, "http://", 7) == 0 || strncmp(registry, "https://", 8) == 0) {
        config->registry_kind = GF_CONFIG_REGISTRY_HTTP;
    } else {
        gf_complain(reader->complaints, row_place(config, reader, section, "registry"),
                    "schemas.registry must be builtin, folder:PATH or a URL, not \"%.80s\"",
                    registry);
        if (gf_edit_distance(registry, "builtin", 2) <= 2) {
            gf_complain_help(reader->complaints, "did you mean \"builtin\"?");
        }
    }
}

/* Exactly-once rests on these; librdkafka would take them from the file without a word. */
static void
properties_check(const struct gf_config *config, struct gf_param_reader *reader)
{
    static const struct {
        const char *key, *instead;
    } owned[] = {
        {"bootstrap.servers", "log: kafka:HOST:PORT"},
        {"metadata.broker.list", "log: kafka:HOST:PORT"},
        {"transactional.id", "kafka.transactional_id"},
        {"group.id", "kafka.group"},
        {"group.instance.id", "kafka.instance"},
        {"session.timeout.ms", "kafka.session_timeout"},
        {"transaction.timeout.ms", "kafka.transaction_timeout"},
        {"partition.assignment.strategy", NULL},
        {"client.id", "kafka.client_id"},
        {"enable.idempotence", NULL},
        {"isolation.level", NULL},
        {"enable.auto.commit", NULL},
        {"enable.auto.offset.store", NULL},
        {"auto.offset.reset", "start"},
    };
    const struct gf_map *const map = &config->kafka.properties;
    for (uint32_t index = 0; index < map->count; index++) {
        const struct gf_map_item *const item = &map->items[index];
        const bool is_side =
            strncmp(item->key, "consumer.", 9) == 0 || strncmp(item->key, "producer.", 9) == 0;
        const char *const key = item->key + (is_side ? 9 : 0);
        const struct gf_place place =
            item->origin.kind == GF_ORIGIN_FILE
                ? gf_yaml_place_at(reader->yaml, item->origin.line, item->origin.column)
                : (struct gf_place){.file = "--set"};
        for (size_t row = 0; row < COUNT(owned); row++) {
            if (strcmp(key, owned[row].key) != 0) {
                continue;
            }
            gf_complain(reader->complaints, place, "kafka.properties.%s is set by gridfold itself",
                        item->key);
            if (owned[row].instead != NULL) {
                gf_complain_help(reader->complaints, "use \"%s\"", owned[row].instead);
            } else {
                gf_complain_help(reader->complaints,
                                 "exactly-once depends on it; leave the line out");
            }
        }
    }
}

/* ---- limits between two parameters of an operator ---- */

static const struct {
    const char *operator, * low, *high;
} ordered[] = {
    {"tariff", "floor", "cap"},
    {"tariff", "cheap_rank", "dear_rank"},
    {"tariff", "history_min", "history"},
    {"fraud", "score_medium", "score_high"},
    {"fraud", "drop_level", "drop_recovered_level"},
    {"arrears", "grade_d", "grade_c"},
    {"arrears", "grade_c", "grade_b"},
    {"arrears", "grade_b", "grade_a"},
};

static const struct gf_param *
row_find(const struct gf_section *section, const char *name)
{
    for (uint32_t index = 0; index < section->row_count; index++) {
        if (strcmp(section->rows[index].name, name) == 0) {
            return &section->rows[index];
        }
    }
    return NULL;
}

/* Numbers of one type compare as what they are stored as: all but REAL are int64. */
static bool
is_above(const struct gf_param *low, const struct gf_param *high, const void *base)
{
    const void *const a = (const char *)base + low->offset, *const b =
                                                                (const char *)base + high->offset;
    if (low->type == GF_PARAM_REAL) {
        return *(const double *)a > *(const double *)b;
    }
    return *(const int64_t *)a > *(const int64_t *)b;
}

static void
ordered_check(const struct gf_config *config, struct gf_param_reader *reader)
{
    for (uint32_t index = 0; index < COUNT(ordered); index++) {
        for (uint32_t number = 0; number < config->tree->operator_count; number++) {
            const struct gf_section *const section = &config->tree->operators[number];
            const struct gf_param *const low = row_find(section, ordered[index].low);
            const struct gf_param *const high = row_find(section, ordered[index].high);
            if (strcmp(section->name, ordered[index].operator) != 0 || low == NULL ||
                high == NULL || low->type != high->type || !is_above(low, high, section->base)) {
                continue;
            }
            const char *const blamed = was_given(section, low->name) ? low->name : high->name;
            gf_complain(reader->complaints, row_place(config, reader, section, blamed),
                        "operators.%s.%s must not be above operators.%s.%s", section->name,
                        low->name, section->name, high->name);
        }
    }
}

/* An internal topic has a partition for each pair of shards, and Kafka has its limits. */
static void
stages_check(const struct gf_config *config, struct gf_param_reader *reader)
{
    const struct gf_section *const root = &config->tree->root;
    if (gf_config_stages(config) != GF_STAGES_CUSTOMER && config->partitions > STAGES_PARTITIONS) {
        gf_complain(reader->complaints, row_place(config, reader, root, "partitions"),
                    "partitions must not be above %d with stages.area or stages.intake, which "
                    "need their square",
                    STAGES_PARTITIONS);
    }
}

void
gf_config_check(struct gf_config *config, struct gf_param_reader *reader)
{
    const struct gf_section *const root = &config->tree->root;
    log_check(config, reader, root);
    store_check(config, reader, root);
    snapshot_check(config, reader);
    start_check(config, reader, root);
    if (config->order == GF_CONFIG_ORDER_AUTO) {
        config->order = config->log_kind == GF_CONFIG_LOG_KAFKA ? GF_CONFIG_ORDER_ARRIVAL
                                                                : GF_CONFIG_ORDER_CANONICAL;
    }
    assignment_check(config, reader, root);
    zone_check(config, reader);
    registry_check(config, reader);
    properties_check(config, reader);
    ordered_check(config, reader);
    stages_check(config, reader);
}
