#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/stage.h"
#include "io/memory_map.h"
#include "io/rocks_store.h"
#include "io/signals.h"

#define SAY_WAITING_US (30 * GF_US_PER_S)

int
job_next_option(const struct verb *verb, int argc, char **argv, struct job_flags *flags,
                int *exit_code)
{
    int option;
    while ((option = verb_next_option(verb, argc, argv, exit_code)) >= 0) {
        if (strcmp(verb->options[option].name, "config") == 0) {
            flags->config = optarg;
        } else if (strcmp(verb->options[option].name, "set") != 0) {
            return option;
        } else if (flags->override_count < OVERRIDE_COUNT_MAX) {
            flags->overrides[flags->override_count++] = optarg;
        } else {
            *exit_code = verb_usage(verb, "more than %d --set", OVERRIDE_COUNT_MAX);
            return -2;
        }
    }
    return option;
}

/* Lines for people on a terminal, lines for machines elsewhere, unless the configuration says
 * otherwise. */
static void
talk_init(struct job *job)
{
    uint32_t width = 0;
    const bool is_terminal = gf_screen_detect(&width);
    gf_screen_init(&job->screen, job->clock, gf_text_sink_stderr(), is_terminal);
    job->screen.width = width;
    const struct gf_config *config = job->config;
    const bool is_json = config != NULL && config->logging.format == GF_CONFIG_FORMAT_JSON;
    job->logger = (struct gf_logger){
        .clock = job->clock,
        .sink = gf_screen_sink(&job->screen),
        .level = config == NULL ? GF_LEVEL_INFO : (enum gf_logger_level)config->logging.level,
        .format = is_json ? GF_FORMAT_JSON : GF_FORMAT_LOGFMT,
    };
    job->screen.logger = &job->logger;
    gf_bar_init(&job->bar, &job->screen);
}

enum gf_rc
job_configure(const struct verb *verb, const struct job_flags *flags, struct job *job)
{
    *job = (struct job){.clock = gf_system_clock()};
    job->started_us = job->clock->monotonic_us(job->clock);
    if (flags->config == NULL) {
        verb_usage(verb, "-c CONFIG is needed");
        return GF_E_USAGE;
    }
    struct gf_complaints *complaints = calloc(1, sizeof(*complaints));
    if (complaints == NULL) {
        return GF_E_NO_MEMORY;
    }
    const enum gf_rc rc = gf_config_load(flags->config, flags->overrides, flags->override_count,
                                         &job->config, complaints);
    gf_complaints_print(complaints, stderr);
    free(complaints);
    if (rc == GF_OK) {
        talk_init(job);
    }
    return rc;
}

enum gf_rc
job_configure_log(const struct verb *verb, const struct job_flags *flags, const char *log,
                  struct job *job)
{
    if (flags->config != NULL) {
        return job_configure(verb, flags, job);
    }
    *job = (struct job){.clock = gf_system_clock()};
    if (flags->override_count == 0) {
        talk_init(job);
        return GF_OK;
    }
    /* A log on Kafka asks for a place of the state; nobody opens it here. */
    static const char text[] = "version: 1\nstore: unused\n";
    char override[GF_CONFIG_PATH_SIZE];
    snprintf(override, sizeof(override), "log=%s", log);
    const char *overrides[OVERRIDE_COUNT_MAX + 1];
    memcpy(overrides, flags->overrides, flags->override_count * sizeof(overrides[0]));
    overrides[flags->override_count] = override;
    struct gf_complaints *complaints = calloc(1, sizeof(*complaints));
    if (complaints == NULL) {
        return GF_E_NO_MEMORY;
    }
    const enum gf_rc rc = gf_config_parse("command line", text, sizeof(text) - 1, overrides,
                                          flags->override_count + 1, &job->config, complaints);
    gf_complaints_print(complaints, stderr);
    free(complaints);
    if (rc == GF_OK) {
        talk_init(job);
    }
    return rc;
}

/* Nobody is left to wonder for the length of a request timeout. */
static bool
broker_wait(void *context, const char *brokers, const char *why, struct gf_duration left)
{
    struct job *job = context;
    const bool must_stop = gf_signals_stop_is_wanted();
    const bool waits_on = (left.us > 0 || job->waits_for_brokers) && !must_stop;
    const int64_t now_us = job->clock->monotonic_us(job->clock);
    if (waits_on && (!job->has_said_waiting || now_us - job->said_waiting_us >= SAY_WAITING_US)) {
        struct gf_log_field fields[3] = {gf_field_text("brokers", brokers)};
        uint32_t count = 1;
        if (!job->waits_for_brokers) {
            fields[count++] =
                gf_field_i64("gives_up_in_s", (left.us + GF_US_PER_S - 1) / GF_US_PER_S);
        }
        if (why[0] != '\0') {
            fields[count++] = gf_field_text("error", why);
        }
        gf_logger_write(&job->logger, GF_LEVEL_WARN, "waiting_for_broker", fields, count);
        job->has_said_waiting = true;
        job->said_waiting_us = now_us;
    }
    return waits_on;
}

enum gf_rc
job_kafka_config(struct job *job, struct gf_kafka_config *out,
                 struct gf_kafka_property **properties_out)
{
    const struct gf_config *config = job->config;
    const uint32_t count = config == NULL ? 0 : config->kafka.properties.count;
    struct gf_kafka_property *properties = calloc((size_t)count + 2, sizeof(*properties));
    if (properties == NULL) {
        return GF_E_NO_MEMORY;
    }
    uint32_t at = 0;
    if (config != NULL && config->kafka.client_id[0] != '\0') {
        properties[at++] = (struct gf_kafka_property){"client.id", config->kafka.client_id};
    }
    for (uint32_t i = 0; i < count; i++) {
        properties[at++] = (struct gf_kafka_property){config->kafka.properties.items[i].key,
                                                      config->kafka.properties.items[i].value};
    }
    *out = (struct gf_kafka_config){
        .topic_prefix = config == NULL || config->kafka.topic_prefix[0] == '\0'
                            ? NULL
                            : config->kafka.topic_prefix,
        .properties = properties,
        .property_count = at,
        .request_timeout = config == NULL ? (struct gf_duration){0} : config->kafka.request_timeout,
        .waiting = broker_wait,
        .waiting_context = job,
    };
    *properties_out = properties;
    return GF_OK;
}

static const char *
text_or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

static struct gf_registry_options
registry_options(const struct gf_config *config)
{
    struct gf_registry_options options = {.kind = GF_REGISTRY_BUILT_IN};
    if (config == NULL) {
        return options;
    }
    options.user = text_or_null(config->schemas.user);
    options.password = text_or_null(config->schemas.password);
    options.ca_path = text_or_null(config->schemas.ca);
    options.subject_prefix = text_or_null(config->schemas.subject_prefix);
    options.may_register = config->schemas.is_register;
    options.timeout_ms = (uint32_t)(config->schemas.timeout.us / 1000);
    if (config->registry_kind == GF_CONFIG_REGISTRY_FOLDER) {
        options.kind = GF_REGISTRY_FOLDER;
        options.folder = config->registry_rest;
    } else if (config->registry_kind == GF_CONFIG_REGISTRY_HTTP) {
        options.kind = GF_REGISTRY_HTTP;
        options.url = config->registry_rest;
    }
    return options;
}

enum gf_rc
job_log_open(struct job *job, const char *name, struct gf_error *error)
{
    const struct gf_config *config = job->config;
    struct gf_log_options options = {.name = name,
                                     .partitions =
                                         config == NULL ? 0 : (uint32_t)config->partitions,
                                     .stages = config == NULL ? 0 : gf_config_stages(config),
                                     .registry = registry_options(config)};
    if (config != NULL) {
        options.transactional_id = config->kafka.transactional_id;
        options.group = text_or_null(config->kafka.group);
    }
    enum gf_rc rc = job_kafka_config(job, &options.kafka, &job->properties);
    if (rc == GF_OK) {
        rc = gf_log_open(&options, &job->log, error);
    }
    return rc;
}

enum gf_rc
job_writer_options(struct job *job, struct gf_log_writer_options *out,
                   struct gf_kafka_property **properties_out)
{
    const struct gf_config *config = job->config;
    *out = (struct gf_log_writer_options){.partitions_new =
                                              config == NULL ? 0 : (uint32_t)config->partitions,
                                          .registry = registry_options(config)};
    return job_kafka_config(job, &out->kafka, properties_out);
}

static void
store_note(void *context, enum gf_logger_level level, const char *event, uint32_t shard,
           const char *text)
{
    gf_logger_say(&((struct job *)context)->logger, level, event, gf_field_u64("shard", shard),
                  gf_field_text("text", text));
}

struct gf_store_folder_options
job_store_options(struct job *job, bool is_read_only)
{
    const struct gf_config *config = job->config;
    return (struct gf_store_folder_options){
        .path = config->store,
        .snapshots = text_or_null(config->snapshot.folder),
        .snapshot_interval = config->snapshot.interval,
        .snapshot_keep = (uint32_t)config->snapshot.keep,
        .block_cache_bytes = (uint64_t)config->state.block_cache,
        .is_read_only = is_read_only,
        .clock = job->clock,
        .context = job,
        .note = store_note,
    };
}

static enum gf_rc
stores_open(struct job *job, enum job_store kind, const char *path, struct gf_error *error)
{
    struct gf_store_folder_options options = job_store_options(job, kind == JOB_STORE_READ_ONLY);
    if (kind == JOB_STORE_SCRATCH) { /* its troubles are its caller's to tell */
        options.path = path;
        options.snapshots = NULL;
        options.note = NULL;
    }
    enum gf_rc rc = gf_store_folder_open(&options, &job->stores, error);
    if (rc == GF_OK && kind == JOB_STORE_OWN) {
        /* Before a producer is opened: a second start by mistake shall not fence the first. */
        rc = gf_folder_lock_take(options.path, &job->lock, error);
    }
    return rc;
}

enum gf_rc
job_shard_open(struct job *job, uint32_t shard, struct gf_error *error)
{
    const struct gf_config *config = job->config;
    const bool is_kafka = config->log_kind == GF_CONFIG_LOG_KAFKA;
    const struct gf_shard_options options = {
        .shard = shard,
        .shard_count = job->partitions,
        .stages = gf_config_stages(config),
        .is_arrival = config->order == GF_CONFIG_ORDER_ARRIVAL,
        .customers_max = (uint32_t)config->state.customers_max,
        .timers_max = (uint32_t)config->state.timers_max,
        .batch_records = (uint32_t)config->batch_records,
        .sweep_records = config->sweep.records,
        .start = config->start_kind == GF_CONFIG_START_TIME ? config->start_time : GF_TIME_NONE,
        .start_is_latest = config->start_kind == GF_CONFIG_START_LATEST,
        .accept_refold = job->accept_refold,
        .config = config,
        .zones = &job->zones,
        .instance = is_kafka ? job->instance : NULL,
        .transactional_id = is_kafka ? job->transactional_id : NULL,
        .reserve = gf_memory_reserve,
        .release = gf_memory_release,
    };
    return gf_shard_new(&options, gf_log_source(job->log), gf_log_lookup(job->log), job->stores,
                        &job->shards[shard], error);
}

/* The log of one loop, and room for its shards. */
static enum gf_rc
loop_open(struct job *job, bool with_sink, uint32_t thread, struct gf_error *error)
{
    const struct gf_config *config = job->config;
    const char *end = "";
    char suffix[16];
    if (config->threads > 1) {
        snprintf(suffix, sizeof(suffix), "-%u", thread);
        end = suffix;
    }
    snprintf(job->transactional_id, sizeof(job->transactional_id), "%s%s",
             config->kafka.transactional_id, end);
    snprintf(job->instance, sizeof(job->instance), "%s%s", config->kafka.instance, end);
    struct gf_log_options options = {
        .name = config->log,
        .partitions = (uint32_t)config->partitions,
        .stages = gf_config_stages(config),
        .registry = registry_options(config),
        .with_sink = with_sink,
        .transactional_id = job->transactional_id,
        .group = text_or_null(config->kafka.group),
        .instance = job->instance,
        .is_group = config->assignment == GF_CONFIG_ASSIGNMENT_GROUP,
        .session_timeout = config->kafka.session_timeout,
        .transaction_timeout = config->kafka.transaction_timeout,
    };
    enum gf_rc rc = job_kafka_config(job, &options.kafka, &job->properties);
    if (rc == GF_OK) {
        rc = gf_log_open(&options, &job->log, error);
    }
    if (rc == GF_OK) {
        struct gf_source *source = gf_log_source(job->log);
        rc = source->ops->partitions(source, GF_TOPIC_METER_READINGS, &job->partitions, error);
    }
    if (rc == GF_OK) {
        job->shard_count = gf_stages_shard_end(gf_config_stages(config), job->partitions);
        job->shards = calloc(job->shard_count, sizeof(job->shards[0]));
        if (job->shards == NULL) {
            rc = gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
        }
    }
    return rc;
}

enum gf_rc
job_open(struct job *job, bool with_sink, enum job_store store, const char *path,
         bool accept_refold, struct gf_error *error)
{
    job->accept_refold = accept_refold;
    enum gf_rc rc = gf_zones_load(text_or_null(job->config->time.zones), &job->zones, error);
    if (rc == GF_OK) {
        rc = loop_open(job, with_sink, 0, error);
    }
    if (rc == GF_OK) {
        rc = stores_open(job, store, path, error);
    }
    const uint32_t stages = gf_config_stages(job->config);
    const uint32_t count =
        store == JOB_STORE_OWN ? 0 : gf_stages_shard_count(stages, job->partitions);
    for (uint32_t i = 0; rc == GF_OK && i < count; i++) {
        rc = job_shard_open(job, gf_stages_shard(stages, job->partitions, i), error);
    }
    return rc;
}

enum gf_rc
job_fork(const struct job *job, uint32_t thread, struct job *out, struct gf_error *error)
{
    *out = *job;
    out->is_fork = true;
    out->log = NULL;
    out->properties = NULL;
    out->shards = NULL;
    return loop_open(out, true, thread, error);
}

void
job_progress(void *context, const char *what, int64_t done, int64_t total)
{
    struct job *job = context;
    if (job->clock->monotonic_us(job->clock) - job->started_us > GF_US_PER_S) {
        gf_bar_progress(&job->bar, what, done, total);
    }
}

uint32_t
job_shards_open(const struct job *job)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < job->shard_count; i++) {
        count += job->shards[i] != NULL;
    }
    return count;
}

void
job_close(struct job *job)
{
    for (uint32_t i = 0; job->shards != NULL && i < job->shard_count; i++) {
        gf_shard_free(job->shards[i]);
    }
    free(job->shards);
    gf_log_close(job->log);
    free(job->properties);
    if (job->is_fork) {
        *job = (struct job){0};
        return;
    }
    gf_store_folder_close(job->stores);
    gf_folder_lock_release(job->lock);
    gf_zones_free(&job->zones);
    gf_config_free(job->config);
    *job = (struct job){0};
}

static const struct {
    enum gf_topic topic;
    const char *label;
} outputs[] = {
    {GF_TOPIC_TARIFF_ADJUSTMENTS, "tariff adjustments"},
    {GF_TOPIC_ARREARS_ALERTS, "arrears alerts"},
    {GF_TOPIC_FRAUD_FLAGS, "fraud flags"},
    {GF_TOPIC_DATA_QUALITY, "data quality"},
    {GF_TOPIC_AREA_BALANCE, "area balances"},
    {GF_TOPIC_DEAD_LETTERS, "dead letters"},
};

void
job_move(struct job *to, struct job *from)
{
    *to = *from;
    to->screen.logger = &to->logger;
    to->logger.sink = gf_screen_sink(&to->screen);
    gf_bar_init(&to->bar, &to->screen);
}

static void
tally_add(const struct job *job, struct gf_tally *total, int64_t counts[GF_TOPIC_COUNT])
{
    for (uint32_t i = 0; job->shards != NULL && i < job->shard_count; i++) {
        if (job->shards[i] == NULL) {
            continue;
        }
        const struct gf_tally *tally = gf_shard_tally(job->shards[i]);
        total->records += tally->records;
        total->processed += tally->processed;
        total->filtered += tally->filtered;
        total->late += tally->late;
        total->dead += tally->dead;
        total->effects += tally->effects;
        for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
            counts[topic] += gf_shard_effect_counts(job->shards[i])[topic];
        }
    }
}

void
job_summary_print(const struct job *const *jobs, uint32_t count, bool as_json, double seconds)
{
    struct gf_tally total = {0};
    int64_t counts[GF_TOPIC_COUNT] = {0};
    for (uint32_t i = 0; i < count; i++) {
        tally_add(jobs[i], &total, counts);
    }
    const size_t output_count = sizeof(outputs) / sizeof(outputs[0]);
    if (as_json) {
        printf("{\"in\": %lld, \"processed\": %lld, \"filtered\": %lld, \"late\": %lld, "
               "\"dead_lettered\": %lld, "
               "\"out\": %lld, \"seconds\": %.3f, \"outputs\": {",
               (long long)total.records, (long long)total.processed, (long long)total.filtered,
               (long long)total.late, (long long)total.dead, (long long)total.effects, seconds);
        for (size_t i = 0; i < output_count; i++) {
            printf("%s\"%s\": %lld", i > 0 ? ", " : "", gf_topics[outputs[i].topic].name,
                   (long long)counts[outputs[i].topic]);
        }
        printf("}}\n");
        return;
    }
    printf("%-20s %12lld   since the first batch, all shards\n", "records in",
           (long long)total.records);
    printf("%-20s %12lld\n%-20s %12lld   duplicates and superseded reference records\n",
           "processed", (long long)total.processed, "filtered", (long long)total.filtered);
    printf("%-20s %12lld\n%-20s %12lld\n", "late", (long long)total.late, "dead-lettered",
           (long long)total.dead);
    printf("%-20s %12lld\n", "out", (long long)total.effects);
    for (size_t i = 0; i < output_count; i++) {
        printf("  %-18s %12lld   this run\n", outputs[i].label,
               (long long)counts[outputs[i].topic]);
    }
    printf("%-20s %12.2f s\n", "took", seconds);
}
