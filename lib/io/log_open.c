#include "io/log_open.h"

#include <stdlib.h>
#include <string.h>

#include "codec/stage.h"
#include "io/folder_schemas.h"
#include "io/kafka_group.h"
#include "io/kafka_sink.h"
#include "io/kafka_source.h"

struct gf_log {
    struct gf_log_options options;
    char *name_text;
    struct gf_log_name name;
    struct gf_source *source;
    struct gf_lookup lookup;
    struct gf_folder_lock *lock;
    struct gf_folder_schemas *schemas; /* folder */
    struct gf_registry *registry;      /* Kafka */
    struct gf_kafka_config kafka;
    struct gf_kafka_sink_config sink;   /* lent to the sink until it closes */
    struct gf_kafka_group_config group; /* likewise */
    uint32_t schema_ids[GF_TOPIC_COUNT];
};

static const struct gf_schemas *
registry_schemas(void *context)
{
    return gf_registry_schemas(context);
}

static enum gf_rc
registry_resolve(void *context, enum gf_topic topic, uint32_t id, struct gf_error *error)
{
    return gf_registry_resolve(context, topic, id, error);
}

static enum gf_rc
kafka_open(struct gf_log *log, struct gf_error *error)
{
    log->kafka = log->options.kafka;
    log->kafka.brokers = log->name.rest;
    enum gf_rc rc = gf_registry_open(&log->options.registry, &log->registry, error);
    if (rc == GF_OK) {
        log->lookup = (struct gf_lookup){
            .context = log->registry, .schemas = registry_schemas, .resolve = registry_resolve};
        rc = gf_kafka_source_open(&log->kafka, &log->source, error);
    }
    return rc;
}

static enum gf_rc
folder_open(struct gf_log *log, struct gf_error *error)
{
    enum gf_rc rc = gf_folder_schemas_new(&log->schemas, error);
    if (rc == GF_OK && log->options.with_sink) {
        rc = gf_folder_lock_take(log->name.rest, &log->lock, error);
    }
    if (rc == GF_OK) {
        log->lookup = gf_folder_schemas_lookup(log->schemas);
        rc = gf_folder_source_open(log->name.rest, gf_folder_schemas_resolver(log->schemas),
                                   &log->source, error);
    }
    return rc;
}

enum gf_rc
gf_log_open(const struct gf_log_options *options, struct gf_log **out, struct gf_error *error)
{
    struct gf_log *log = calloc(1, sizeof(*log));
    if (log == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
    }
    log->options = *options;
    log->name_text = strdup(options->name);
    enum gf_rc rc = log->name_text == NULL ? GF_E_NO_MEMORY
                                           : gf_log_name_parse(log->name_text, &log->name, error);
    if (rc == GF_OK) {
        rc = log->name.kind == GF_LOG_KAFKA ? kafka_open(log, error) : folder_open(log, error);
    }
    if (rc != GF_OK) {
        gf_log_close(log);
        return rc;
    }
    *out = log;
    return GF_OK;
}

void
gf_log_close(struct gf_log *log)
{
    if (log == NULL) {
        return;
    }
    if (log->source != NULL) {
        log->source->ops->close(log->source);
    }
    gf_folder_schemas_free(log->schemas);
    if (log->registry != NULL) {
        gf_registry_close(log->registry);
    }
    gf_folder_lock_release(log->lock);
    free(log->name_text);
    free(log);
}

struct gf_source *
gf_log_source(struct gf_log *log)
{
    return log->source;
}

const struct gf_lookup *
gf_log_lookup(const struct gf_log *log)
{
    return &log->lookup;
}

enum gf_rc
gf_log_sink_open(void *context, struct gf_sink **out, struct gf_error *error)
{
    struct gf_log *log = context;
    if (log->name.kind == GF_LOG_FOLDER) {
        const struct gf_folder_options options = {.path = log->name.rest,
                                                  .partitions = log->options.partitions,
                                                  .stages = log->options.stages,
                                                  .lock = log->lock};
        return gf_folder_sink_open(&options, out, error);
    }
    for (int topic = GF_TOPIC_INPUT_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        if (!gf_stages_use(log->options.stages == 0 ? GF_STAGES_CUSTOMER : log->options.stages,
                           (enum gf_topic)topic)) {
            continue; /* of a stage that is off */
        }
        const enum gf_rc rc =
            gf_registry_own_id(log->registry, (enum gf_topic)topic, &log->schema_ids[topic], error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    log->sink =
        (struct gf_kafka_sink_config){.kafka = &log->kafka,
                                      .transactional_id = log->options.transactional_id,
                                      .group = log->options.group,
                                      .schema_ids = log->schema_ids,
                                      .transaction_timeout = log->options.transaction_timeout};
    return gf_kafka_sink_open(&log->sink, out, error);
}

enum gf_rc
gf_log_group_open(void *context, struct gf_group **out, struct gf_error *error)
{
    struct gf_log *log = context;
    log->group = (struct gf_kafka_group_config){.kafka = &log->kafka,
                                                .group = log->options.group,
                                                .instance = log->options.instance,
                                                .session_timeout = log->options.session_timeout,
                                                .journal = GF_TOPIC_JOURNAL};
    return gf_kafka_group_open(&log->group, out, error);
}

enum gf_rc
gf_log_fence(void *context, const char *transactional_id, struct gf_error *error)
{
    struct gf_log *log = context;
    return gf_kafka_fence(&log->kafka, transactional_id, error);
}
