/* gridfold topics plan, gridfold topics create: the topics that the configuration needs against
 * those there are. Nothing here changes or deletes what exists; a stage that is switched on later
 * adds partitions to the journal and the dead letters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/records.h"
#include "io/kafka_admin.h"
#include "job.h"

static const struct verb_option topics_options[] = {
    {"config", 'c', "CONFIG", "configuration file"},
    {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},
    {"retention", 0, "DAYS",
     "Kafka: least retention of inputs, outputs and journal (365); the rest is kept for ever"},
    {NULL, 0, NULL, NULL},
};

enum { OPTION_CONFIG, OPTION_SET, OPTION_RETENTION };

#define RETENTION_DAYS     365
#define RETENTION_DAYS_MAX 36500
#define MS_PER_DAY         (24 * INT64_C(3600000))

struct topics {
    struct job job;
    struct gf_kafka_config kafka;
    struct gf_kafka_wish wish;
    bool is_folder;
    struct gf_kafka_topic wanted[GF_TOPIC_COUNT], there[GF_TOPIC_COUNT];
    struct gf_kafka_difference differences[GF_KAFKA_DIFFERENCE_MAX];
    uint32_t difference_count;
    bool is_later[GF_TOPIC_COUNT]; /* a folder's output topics come with its first commit, all at
                                      once */
};

/* ---- folder ---- */

/* What a folder has: it knows of partitions alone. */
static enum gf_rc
folder_list(struct topics *topics, struct gf_error *error)
{
    struct job *job = &topics->job;
    memset(topics->there, 0, sizeof(topics->there));
    enum gf_rc rc = job_log_open(job, job->config->log, error);
    if (rc == GF_E_NOT_FOUND) {
        return GF_OK; /* no folder yet */
    }
    for (int i = 0; rc == GF_OK && i < GF_TOPIC_COUNT; i++) {
        struct gf_source *source = gf_log_source(job->log);
        uint32_t count = 0;
        rc = source->ops->partitions(source, (enum gf_topic)i, &count, error);
        rc = rc == GF_E_NOT_FOUND ? GF_OK : rc;
        topics->there[i] = topics->wanted[i];
        topics->there[i].partition_count = count;
    }
    gf_log_close(job->log);
    job->log = NULL;
    free(job->properties);
    job->properties = NULL;
    return rc;
}

static void
folder_expect(struct topics *topics)
{
    for (int i = GF_TOPIC_INPUT_COUNT; i < GF_TOPIC_COUNT; i++) {
        /* The journal and the dead letters get the partitions of another stage then, too. */
        topics->is_later[i] = topics->there[i].partition_count < topics->wanted[i].partition_count;
        if (topics->is_later[i]) {
            topics->there[i] = topics->wanted[i];
        }
    }
}

static enum gf_rc
folder_create(struct topics *topics, struct gf_error *error)
{
    const struct gf_folder_options options = {.path = topics->job.config->log_rest,
                                              .partitions = topics->wish.shard_count};
    struct gf_folder_writer *writer = NULL;
    const enum gf_rc rc = gf_folder_writer_open(&options, &writer, error);
    return rc == GF_OK ? gf_folder_writer_close(writer, error) : rc;
}

/* ---- both ---- */

static enum gf_rc
compare(struct topics *topics, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    if (topics->is_folder) {
        rc = folder_list(topics, error);
        folder_expect(topics);
    } else {
        rc = gf_kafka_admin_list(&topics->kafka, topics->wanted, GF_TOPIC_COUNT, topics->there,
                                 error);
    }
    if (rc == GF_OK) {
        topics->difference_count = gf_kafka_topics_compare(topics->wanted, topics->there,
                                                           GF_TOPIC_COUNT, topics->differences);
    }
    return rc;
}

static enum gf_rc
topics_open(const struct verb *verb, const struct job_flags *flags, int64_t retention_days,
            struct topics *topics, bool *said_out, struct gf_error *error)
{
    enum gf_rc rc = job_configure(verb, flags, &topics->job);
    *said_out = rc != GF_OK;
    if (rc != GF_OK) {
        return rc;
    }
    const struct gf_config *config = topics->job.config;
    topics->is_folder = config->log_kind == GF_CONFIG_LOG_FOLDER;
    topics->wish = (struct gf_kafka_wish){
        .shard_count = (uint32_t)config->partitions,
        .stages = gf_config_stages(config),
        .replication = topics->is_folder ? 0 : (uint32_t)config->kafka.replication,
        .retention_ms = retention_days * MS_PER_DAY};
    if (!topics->is_folder) {
        rc = job_kafka_config(&topics->job, &topics->kafka, &topics->job.properties);
        topics->kafka.brokers = config->log_rest;
    }
    if (rc == GF_OK) {
        rc = gf_kafka_topics_wanted(&topics->kafka, &topics->wish, topics->wanted, error);
    }
    return rc == GF_OK ? compare(topics, error) : rc;
}

static void
retention_print(int64_t ms, char *text, size_t size)
{
    if (ms == GF_KAFKA_FOREVER) {
        snprintf(text, size, "for ever");
    } else {
        snprintf(text, size, "%lld d", (long long)(ms / MS_PER_DAY));
    }
}

static void
plan_print(const struct topics *topics)
{
    printf("%-32s %6s %6s  %-10s %s\n", "topic", "wanted", "there", "kept", "state");
    for (int i = 0; i < GF_TOPIC_COUNT; i++) {
        const struct gf_kafka_topic *wanted = &topics->wanted[i];
        if (wanted->partition_count == 0) {
            continue; /* of a stage that is off */
        }
        uint32_t differences = 0;
        for (uint32_t k = 0; k < topics->difference_count; k++) {
            differences += topics->differences[k].wanted == wanted;
        }
        char kept[32] = "for ever";
        if (!topics->is_folder) {
            retention_print(wanted->retention_ms, kept, sizeof(kept));
        }
        const uint32_t there = topics->is_later[i] ? 0 : topics->there[i].partition_count;
        const char *state = topics->is_later[i] ? "made by the first run"
                            : differences == 0  ? "ok"
                            : there == 0        ? "missing"
                                                : "differs";
        printf("%-32s %6u %6u  %-10s %s\n", wanted->name, wanted->partition_count, there, kept,
               state);
    }
}

/* Differences one a line; `is_missing_told`: those that `topics create` ends, too. */
static void
differences_print(const struct topics *topics, bool is_missing_told)
{
    for (uint32_t i = 0; i < topics->difference_count; i++) {
        char text[GF_ERROR_TEXT_SIZE];
        const struct gf_kafka_difference *difference = &topics->differences[i];
        const bool is_made = difference->gap == GF_KAFKA_GAP_MISSING || difference->can_grow;
        if (is_missing_told || !is_made) {
            gf_kafka_difference_print(difference, text, sizeof(text));
            printf("%s\n", text);
        }
    }
}

static enum gf_rc
plan(struct topics *topics, int *exit_code, struct gf_error *error)
{
    (void)error;
    plan_print(topics);
    if (topics->difference_count > 0) {
        printf("\n");
        differences_print(topics, true);
        *exit_code = 1;
    }
    return GF_OK;
}

static enum gf_rc
create(struct topics *topics, int *exit_code, struct gf_error *error)
{
    struct gf_kafka_topic missing[GF_TOPIC_COUNT], small[GF_TOPIC_COUNT];
    uint32_t count = 0, small_count = 0;
    for (uint32_t i = 0; i < topics->difference_count; i++) {
        if (topics->differences[i].gap == GF_KAFKA_GAP_MISSING) {
            missing[count++] = *topics->differences[i].wanted;
        } else if (topics->differences[i].can_grow) {
            small[small_count++] = *topics->differences[i].wanted;
        }
    }
    enum gf_rc rc = GF_OK;
    if (count > 0) {
        rc = topics->is_folder ? folder_create(topics, error)
                               : gf_kafka_admin_create(&topics->kafka, missing, count, error);
    }
    for (uint32_t i = 0; rc == GF_OK && i < count; i++) {
        printf("made %s with %u partitions\n", missing[i].name, missing[i].partition_count);
    }
    if (rc == GF_OK && small_count > 0) {
        rc = gf_kafka_admin_grow(&topics->kafka, small, small_count, error);
    }
    for (uint32_t i = 0; rc == GF_OK && i < small_count; i++) {
        printf("%s has %u partitions now\n", small[i].name, small[i].partition_count);
    }
    count += small_count;
    if (rc == GF_OK && count == 0) {
        printf("nothing to make\n");
    }
    if (rc == GF_OK && topics->difference_count > count) {
        printf("\nleft as they are:\n");
        differences_print(topics, false);
        *exit_code = 1;
    }
    return rc;
}

static bool
days_parse(const char *text, int64_t *out)
{
    char *end = NULL;
    *out = strtoll(text, &end, 10);
    return end != text && *end == '\0' && *out > 0 && *out <= RETENTION_DAYS_MAX;
}

static int
topics_run(const struct verb *verb, int argc, char **argv)
{
    struct job_flags flags = {0};
    int64_t retention_days = RETENTION_DAYS;
    int option, exit_code = 0;
    while ((option = job_next_option(verb, argc, argv, &flags, &exit_code)) >= 0) {
        if (option == OPTION_RETENTION && !days_parse(optarg, &retention_days)) {
            return verb_usage(verb, "%s is no number of days from 1 to %d", optarg,
                              RETENTION_DAYS_MAX);
        }
    }
    if (option == -2) {
        return exit_code;
    }
    if (optind < argc) {
        return verb_usage(verb, "unexpected argument %s", argv[optind]);
    }
    struct topics *topics = calloc(1, sizeof(*topics));
    if (topics == NULL) {
        return gf_rc_exit_code(GF_E_NO_MEMORY);
    }
    struct gf_error error = {{0}};
    bool is_said = false;
    enum gf_rc rc = topics_open(verb, &flags, retention_days, topics, &is_said, &error);
    if (rc == GF_OK) {
        rc = verb == &verb_topics_plan ? plan(topics, &exit_code, &error)
                                       : create(topics, &exit_code, &error);
    }
    if (rc != GF_OK) {
        exit_code = is_said ? gf_rc_exit_code(rc) : verb_fail(verb, rc, &error);
    }
    job_close(&topics->job);
    free(topics);
    return exit_code;
}

const struct verb verb_topics_plan = {
    .name = "topics plan",
    .arguments = "-c CONFIG [--retention DAYS]",
    .doc = "Shows the topics that are needed against those there are; exit 1 when they differ.",
    .examples = "  gridfold topics plan -c config/gridfold-kafka.yaml\n"
                "  gridfold topics plan -c config/gridfold-kafka.yaml --retention 730\n",
    .options = topics_options,
    .run = topics_run,
};

const struct verb verb_topics_create = {
    .name = "topics create",
    .arguments = "-c CONFIG [--retention DAYS]",
    .doc =
        "Makes the topics that are missing, adds the partitions of a stage that was switched on, "
        "and says what differs and is left as it is (exit 1).",
    .examples = "  gridfold topics create -c config/gridfold-kafka.yaml\n"
                "  gridfold topics create -c config/gridfold.yaml\n",
    .options = topics_options,
    .run = topics_run,
};
