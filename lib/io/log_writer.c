#include "io/log_writer.h"

#include <stdlib.h>
#include <string.h>

#include "codec/records.h"
#include "io/folder_path.h"
#include "io/kafka_source.h"
#include "io/kafka_writer.h"
#include "io/log_name.h"

#define LAST_WAIT_US   (200 * 1000)
#define LAST_TRIES_MAX 25 /* 5 s for the last record of a partition: it is for a warning alone */

/* Either `folder` or `kafka` is there. */
struct gf_log_writer {
    char *name_text;
    struct gf_log_name name;
    uint32_t partitions; /* that are wanted; 0: any */
    struct gf_folder_writer *folder;
    struct gf_kafka_writer *kafka;
    struct gf_kafka_config kafka_config;
    struct gf_registry *registry;
    struct gf_source *source; /* of what is there; NULL: not opened yet */
    bool has_no_source;       /* it cannot be opened */
};

/* ---- open ---- */

static enum gf_rc
folder_open(struct gf_log_writer *writer, const struct gf_log_writer_options *options,
            struct gf_error *error)
{
    struct gf_folder_options folder = {.path = writer->name.rest,
                                       .partitions = options->partitions,
                                       .codec = options->codec,
                                       .no_sync = options->no_sync};
    if (folder.partitions == 0) {
        char path[GF_FOLDER_PATH_SIZE];
        uint32_t there = 0;
        enum gf_rc rc = gf_folder_path(error, path, "%s/%s", folder.path,
                                       gf_topics[GF_TOPIC_METER_READINGS].name);
        if (rc != GF_OK) {
            return rc;
        }
        rc = gf_folder_count(path, &there, error);
        if (rc == GF_E_NOT_FOUND || (rc == GF_OK && there == 0)) {
            folder.partitions = options->partitions_new;
        } else if (rc != GF_OK) {
            return rc;
        }
    }
    return gf_folder_writer_open(&folder, &writer->folder, error);
}

static enum gf_rc
kafka_open(struct gf_log_writer *writer, const struct gf_log_writer_options *options,
           struct gf_error *error)
{
    if (options->codec != GF_FOLDER_CODEC_NULL || options->no_sync) {
        return gf_fail(error, GF_E_USAGE,
                       "kafka:%s: %s is for folder logs; Kafka has settings of its own, below "
                       "`kafka: properties:` of a configuration",
                       writer->name.rest, options->no_sync ? "--no-sync" : "--codec");
    }
    writer->kafka_config = options->kafka;
    writer->kafka_config.brokers = writer->name.rest;
    const enum gf_rc rc = gf_registry_open(&options->registry, &writer->registry, error);
    return rc == GF_OK ? gf_kafka_writer_open(&writer->kafka_config, writer->registry,
                                              &writer->kafka, error)
                       : rc;
}

enum gf_rc
gf_log_writer_open(const char *name, const struct gf_log_writer_options *options,
                   struct gf_log_writer **out, struct gf_error *error)
{
    struct gf_log_writer *const writer = calloc(1, sizeof(*writer));
    char *const copy = strdup(name);
    if (writer == NULL || copy == NULL) {
        free(writer);
        free(copy);
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to write", name);
    }
    writer->name_text = copy;
    writer->partitions = options->partitions;
    enum gf_rc rc = gf_log_name_parse(copy, &writer->name, error);
    if (rc == GF_OK) {
        rc = writer->name.kind == GF_LOG_KAFKA ? kafka_open(writer, options, error)
                                               : folder_open(writer, options, error);
    }
    if (rc != GF_OK) {
        (void)gf_log_writer_close(writer, NULL);
        return rc;
    }
    *out = writer;
    return GF_OK;
}

const char *
gf_log_writer_folder(const struct gf_log_writer *writer)
{
    return writer->folder != NULL ? writer->name.rest : ".";
}

/* ---- what is there ---- */

/* The folder writer knows partitions one by one. */
static enum gf_rc
folder_partitions(struct gf_log_writer *writer, enum gf_topic topic, uint32_t *count_out,
                  struct gf_error *error)
{
    struct gf_error end;
    int64_t offset = 0;
    enum gf_rc rc = GF_OK;
    for (*count_out = 0; rc == GF_OK; *count_out += rc == GF_OK) {
        rc = gf_folder_writer_next(writer->folder, topic, *count_out, &offset, &end);
    }
    return rc == GF_E_NOT_FOUND && *count_out > 0 ? GF_OK : gf_fail(error, rc, "%s", end.text);
}

enum gf_rc
gf_log_writer_partitions(struct gf_log_writer *writer, enum gf_topic topic, uint32_t *count_out,
                         struct gf_error *error)
{
    const enum gf_rc rc = writer->folder != NULL
                              ? folder_partitions(writer, topic, count_out, error)
                              : gf_kafka_writer_partitions(writer->kafka, topic, count_out, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (gf_topics[topic].is_reference) {
        *count_out = 1;
    } else if (writer->partitions != 0 && *count_out != writer->partitions) {
        return gf_fail(error, GF_E_CONFIG, "%s: %s has %u partitions, not %u", writer->name_text,
                       gf_topics[topic].name, *count_out, writer->partitions);
    }
    return GF_OK;
}

enum gf_rc
gf_log_writer_next(struct gf_log_writer *writer, enum gf_topic topic, uint32_t partition,
                   int64_t *offset_out, struct gf_error *error)
{
    return writer->folder != NULL
               ? gf_folder_writer_next(writer->folder, topic, partition, offset_out, error)
               : gf_kafka_writer_next(writer->kafka, topic, partition, offset_out, error);
}

/* What cannot be opened, such as a folder with files in foreign schemas, is not tried again. */
static struct gf_source *
source_get(struct gf_log_writer *writer)
{
    struct gf_error error;
    if (writer->source == NULL && !writer->has_no_source) {
        const enum gf_rc rc =
            writer->folder != NULL
                ? gf_folder_source_open(writer->name.rest, NULL, &writer->source, &error)
                : gf_kafka_source_open(&writer->kafka_config, &writer->source, &error);
        writer->has_no_source = rc != GF_OK;
    }
    return writer->source;
}

struct gf_time
gf_log_writer_last_time(struct gf_log_writer *writer, enum gf_topic topic, uint32_t partition)
{
    struct gf_source *const source = source_get(writer);
    int64_t first = 0, end = 0;
    struct gf_error error;
    if (source == NULL ||
        source->ops->ends(source, topic, partition, &first, &end, &error) != GF_OK ||
        end <= first) {
        return GF_TIME_NONE;
    }
    struct gf_time time = GF_TIME_NONE;
    int64_t at = end - 1;
    for (int tries = 0; at < end && tries < LAST_TRIES_MAX; tries++) {
        struct gf_record record;
        uint32_t count = 0;
        if (source->ops->read(source, GF_SOURCE_TOOL, topic, partition, at, end,
                              (struct gf_duration){LAST_WAIT_US}, &record, 1, &count, &at,
                              &error) != GF_OK) {
            break;
        }
        time = count > 0 ? record.timestamp : time;
    }
    source->ops->release(source, GF_SOURCE_TOOL, topic, partition, INT64_MAX);
    return time;
}

/* ---- records ---- */

enum gf_rc
gf_log_writer_append(struct gf_log_writer *writer, const struct gf_record *record,
                     struct gf_error *error)
{
    return writer->folder != NULL ? gf_folder_writer_append(writer->folder, record, error)
                                  : gf_kafka_writer_append(writer->kafka, record, error);
}

enum gf_rc
gf_log_writer_flush(struct gf_log_writer *writer, struct gf_error *error)
{
    return writer->folder != NULL ? gf_folder_writer_flush(writer->folder, error)
                                  : gf_kafka_writer_flush(writer->kafka, error);
}

enum gf_rc
gf_log_writer_close(struct gf_log_writer *writer, struct gf_error *error)
{
    if (writer == NULL) {
        return GF_OK;
    }
    if (writer->source != NULL) {
        writer->source->ops->close(writer->source);
    }
    const enum gf_rc rc = writer->folder != NULL ? gf_folder_writer_close(writer->folder, error)
                                                 : gf_kafka_writer_close(writer->kafka, error);
    if (writer->registry != NULL) {
        gf_registry_close(writer->registry);
    }
    free(writer->name_text);
    free(writer);
    return rc;
}
