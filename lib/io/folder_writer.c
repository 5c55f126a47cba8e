/* The bulk writer of the folder log: records at their own offsets, written when there are enough,
 * synced on flush. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/folder.h"
#include "io/folder_file.h"
#include "io/folder_tail.h"

/* Closed blocks gather to this before they are written. */
#define WRITE_SIZE (UINT32_C(1) << 20)

struct writer_schema {
    enum gf_topic topic;
    uint32_t id;
    char *text;
    struct gf_folder_value value; /* neither skip nor plan: cannot be read */
};

struct writer_topic {
    struct gf_folder_tail *tails;
    uint32_t count;
};

struct gf_folder_writer {
    char path[GF_FOLDER_PATH_SIZE];
    struct gf_folder_settings settings;
    const struct gf_folder_resolver *resolver;
    struct gf_folder_lock *own_lock;
    struct writer_topic topics[GF_TOPIC_COUNT];
    uint32_t partitions;
    struct writer_schema *schemas;
    uint32_t schema_count;
    bool has_commit, is_dead;
};

static enum gf_rc
writer_no_memory(const struct gf_folder_writer *writer, struct gf_error *error)
{
    return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to write", writer->path);
}

/* Cuts what a crash has left behind the last whole block, and says where that is. */
static enum gf_rc
file_recover(struct gf_folder_writer *writer, const char *dir, enum gf_topic topic,
             uint32_t partition, struct gf_folder_name name, struct gf_folder_end *out,
             struct gf_error *error)
{
    char path[GF_FOLDER_PATH_SIZE];
    struct gf_folder_file *file = NULL;
    enum gf_rc rc = gf_folder_file_path(error, path, dir, name);
    if (rc != GF_OK) {
        return rc;
    }
    rc = gf_folder_file_open(dir, topic, partition, name.first, writer->resolver, &file, error);
    if (rc == GF_OK) {
        rc = gf_folder_file_measure(file, error);
    }
    *out = (struct gf_folder_end){.size = 0};
    if (rc == GF_E_BAD_DATA || (rc == GF_OK && file->whole_size == file->header.size)) {
        rc = unlink(path) == 0 ? GF_OK : gf_folder_fail(error, "remove", path);
    } else if (rc == GF_OK) {
        *out = (struct gf_folder_end){file->end, file->first, file->whole_size};
        if (file->size > file->whole_size && truncate(path, (off_t)file->whole_size) != 0) {
            rc = gf_folder_fail(error, "cut", path);
        } else if (name.is_open && !writer->settings.no_sync && fdatasync(file->fd) != 0) {
            /* Its records count from now on, and who wrote them may have ended before its sync. */
            rc = gf_folder_fail(error, "sync", path);
        }
    }
    gf_folder_file_close(file);
    return rc;
}

static enum gf_rc
tail_recover(struct gf_folder_writer *writer, enum gf_topic topic, uint32_t partition,
             struct gf_error *error)
{
    char dir[GF_FOLDER_PATH_SIZE];
    struct gf_folder_names names = {.items = NULL};
    enum gf_rc rc =
        gf_folder_path(error, dir, "%s/%s/%u", writer->path, gf_topics[topic].name, partition);
    if (rc != GF_OK || (rc = gf_folder_list(dir, &names, error)) != GF_OK) {
        return rc;
    }
    struct gf_folder_end end = {.size = 0};
    /* Only the newest file can be empty: the one before it was sealed whole. */
    for (uint32_t i = names.count; rc == GF_OK && i > 0 && end.size == 0; i--) {
        rc = file_recover(writer, dir, topic, partition, names.items[i - 1], &end, error);
        if (rc == GF_OK && end.size == 0 && i < names.count) {
            rc = gf_fail(error, GF_E_DAMAGED, "%s: two files without records", dir);
        }
    }
    free(names.items);
    if (rc != GF_OK) {
        return rc;
    }
    struct gf_folder_tail *tail = &writer->topics[topic].tails[partition];
    return gf_folder_tail_init(tail, &writer->settings, writer->path, topic, partition, end, error);
}

static enum gf_rc
topic_prepare(struct gf_folder_writer *writer, enum gf_topic topic, struct gf_error *error)
{
    struct writer_topic *entry = &writer->topics[topic];
    const uint32_t count = gf_topics[topic].is_reference ? 1 : writer->partitions;
    enum gf_rc rc =
        gf_folder_topic_make(writer->path, topic, count, !writer->settings.no_sync, error);
    if (rc != GF_OK) {
        return rc;
    }
    entry->tails = calloc(count, sizeof *entry->tails);
    entry->count = entry->tails == NULL ? 0 : count;
    return entry->tails == NULL ? writer_no_memory(writer, error) : GF_OK;
}

/* A log that exists has its number of partitions; a new one gets the default. */
static enum gf_rc
partitions_find(struct gf_folder_writer *writer, uint32_t wanted, struct gf_error *error)
{
    writer->partitions = wanted;
    for (int topic = 0; writer->partitions == 0 && topic < GF_TOPIC_COUNT; topic++) {
        char path[GF_FOLDER_PATH_SIZE];
        uint32_t count = 0;
        enum gf_rc rc = gf_folder_path(error, path, "%s/%s", writer->path, gf_topics[topic].name);
        if (rc != GF_OK) {
            return rc;
        }
        if (gf_topics[topic].is_input && !gf_topics[topic].is_reference &&
            (rc = gf_folder_count(path, &count, error)) != GF_OK && rc != GF_E_NOT_FOUND) {
            return rc;
        }
        writer->partitions = count;
    }
    writer->partitions = writer->partitions == 0 ? GF_FOLDER_PARTITIONS : writer->partitions;
    return GF_OK;
}

static void
writer_free(struct gf_folder_writer *writer)
{
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t i = 0; i < writer->topics[topic].count; i++) {
            gf_folder_tail_fini(&writer->topics[topic].tails[i]);
        }
        free(writer->topics[topic].tails);
    }
    for (uint32_t i = 0; i < writer->schema_count; i++) {
        free(writer->schemas[i].text);
    }
    free(writer->schemas);
    gf_folder_lock_release(writer->own_lock);
    free(writer);
}

enum gf_rc
gf_folder_writer_open(const struct gf_folder_options *options, struct gf_folder_writer **out,
                      struct gf_error *error)
{
    struct gf_folder_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to write", options->path);
    }
    writer->resolver = options->resolver;
    writer->settings = (struct gf_folder_settings){
        .codec = options->codec,
        .file_size_max =
            options->file_size_max > 0 ? options->file_size_max : GF_FOLDER_FILE_SIZE_MAX,
        .no_sync = options->no_sync,
    };
    char commit[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_folder_path(error, writer->path, "%s", options->path);
    if (rc == GF_OK && (rc = gf_folder_path(error, commit, "%s/commit", options->path)) == GF_OK &&
        options->lock == NULL) {
        rc = gf_folder_lock_take(options->path, &writer->own_lock, error);
    }
    if (rc == GF_OK) {
        writer->has_commit = access(commit, F_OK) == 0;
        rc = partitions_find(writer, options->partitions, error);
    }
    for (int topic = 0; rc == GF_OK && topic < GF_TOPIC_COUNT; topic++) {
        rc = gf_topics[topic].is_input ? topic_prepare(writer, (enum gf_topic)topic, error) : GF_OK;
    }
    for (int topic = 0; rc == GF_OK && topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t i = 0; rc == GF_OK && i < writer->topics[topic].count; i++) {
            rc = tail_recover(writer, (enum gf_topic)topic, i, error);
        }
    }
    if (rc != GF_OK) {
        writer_free(writer);
        return rc;
    }
    *out = writer;
    return GF_OK;
}

enum gf_rc
gf_folder_writer_schema(struct gf_folder_writer *writer, enum gf_topic topic, uint32_t id,
                        const char *schema, bool is_own, const struct gf_plan *plan,
                        struct gf_error *error)
{
    struct writer_schema *grown =
        realloc(writer->schemas, (writer->schema_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return writer_no_memory(writer, error);
    }
    writer->schemas = grown;
    char *text = strdup(schema);
    if (text == NULL) {
        return writer_no_memory(writer, error);
    }
    writer->schemas[writer->schema_count++] = (struct writer_schema){
        .topic = topic,
        .id = id,
        .text = text,
        .value = {.schema_id = id, .skip = is_own ? gf_topics[topic].skip : NULL, .plan = plan},
    };
    return GF_OK;
}

/* What an id means: what the caller has said, else our own schema. */
static bool
schema_find(const struct gf_folder_writer *writer, enum gf_topic topic, uint32_t id,
            struct gf_folder_value *value_out, const char **text_out)
{
    for (uint32_t i = 0; i < writer->schema_count; i++) {
        const struct writer_schema *schema = &writer->schemas[i];
        if (schema->topic == topic && schema->id == id) {
            *value_out = schema->value;
            *text_out = schema->text;
            return true;
        }
    }
    *value_out = (struct gf_folder_value){.schema_id = id, .skip = gf_topics[topic].skip};
    *text_out = gf_topics[topic].schema;
    return id == gf_topics[topic].schema_id;
}

static enum gf_rc
tail_get(struct gf_folder_writer *writer, enum gf_topic topic, uint32_t partition,
         struct gf_folder_tail **out, struct gf_error *error)
{
    assert(topic >= 0 && topic < GF_TOPIC_COUNT);
    struct writer_topic *entry = &writer->topics[topic];
    if (entry->tails == NULL) {
        if (writer->has_commit) {
            return gf_fail(
                error, GF_E_USAGE,
                "%s/%s: belongs to the outputs that %s/commit counts; archive to another "
                "log",
                writer->path, gf_topics[topic].name, writer->path);
        }
        enum gf_rc rc = topic_prepare(writer, topic, error);
        for (uint32_t i = 0; rc == GF_OK && i < entry->count; i++) {
            rc = tail_recover(writer, topic, i, error);
        }
        if (rc != GF_OK) {
            writer->is_dead = true;
            return rc;
        }
    }
    if (partition >= entry->count) {
        return gf_fail(error, GF_E_NOT_FOUND, "%s/%s: has no partition %u", writer->path,
                       gf_topics[topic].name, partition);
    }
    *out = &entry->tails[partition];
    return GF_OK;
}

static enum gf_rc
writer_dead(const struct gf_folder_writer *writer, struct gf_error *error)
{
    return gf_fail(error, GF_E_IO, "%s: an earlier write failed; open the log again", writer->path);
}

enum gf_rc
gf_folder_writer_next(struct gf_folder_writer *writer, enum gf_topic topic, uint32_t partition,
                      int64_t *offset_out, struct gf_error *error)
{
    struct gf_folder_tail *tail = NULL;
    const enum gf_rc rc = tail_get(writer, topic, partition, &tail, error);
    if (rc == GF_OK) {
        *offset_out = tail->next_offset;
    }
    return rc;
}

/* Decides how the value is kept; takes a framed one apart. */
static enum gf_rc
value_choose(const struct gf_folder_writer *writer, struct gf_record *record,
             enum gf_folder_branch *branch_out, const char **schema_out, struct gf_error *error)
{
    *schema_out = NULL;
    *branch_out = GF_FOLDER_BRANCH_NULL;
    if (!record->has_value) {
        return GF_OK;
    }
    struct gf_span body = record->value;
    uint32_t id = record->schema_id;
    *branch_out = GF_FOLDER_BRANCH_BYTES;
    if (record->is_framed && gf_frame_read(record->value, &id, &body, NULL) != GF_OK) {
        return GF_OK;
    }
    if (id == 0) {
        return GF_OK;
    }
    struct gf_folder_value value;
    if (!schema_find(writer, (enum gf_topic)record->topic, id, &value, schema_out)) {
        return gf_fail(error, GF_E_UNKNOWN_SCHEMA, "%s/%s: schema %u is not known", writer->path,
                       gf_topics[record->topic].name, id);
    }
    if ((value.skip != NULL || value.plan != NULL) && gf_folder_value_fits(&value, body)) {
        *branch_out = GF_FOLDER_BRANCH_RECORD;
        record->schema_id = id;
        record->value = body;
    }
    return GF_OK;
}

enum gf_rc
gf_folder_writer_append(struct gf_folder_writer *writer, const struct gf_record *record,
                        struct gf_error *error)
{
    if (writer->is_dead) {
        return writer_dead(writer, error);
    }
    struct gf_folder_tail *tail = NULL;
    struct gf_record placed = *record;
    enum gf_folder_branch branch = GF_FOLDER_BRANCH_NULL;
    const char *schema = NULL;
    enum gf_rc rc = tail_get(writer, (enum gf_topic)record->topic, record->partition, &tail, error);
    if (rc != GF_OK || (rc = value_choose(writer, &placed, &branch, &schema, error)) != GF_OK) {
        return rc;
    }
    placed.offset = record->offset < 0 ? tail->next_offset : record->offset;
    if (placed.offset < tail->next_offset || placed.offset == INT64_MAX) {
        return gf_fail(error, GF_E_RANGE, "%s: offset %lld comes after %lld", tail->dir,
                       (long long)placed.offset, (long long)tail->next_offset - 1);
    }
    if ((rc = gf_folder_tail_add(tail, &placed, branch, schema, error)) != GF_OK) {
        return rc;
    }
    if (tail->staged_size >= WRITE_SIZE && (rc = gf_folder_tail_write(tail, error)) != GF_OK) {
        writer->is_dead = true;
    }
    return rc;
}

enum gf_rc
gf_folder_writer_flush(struct gf_folder_writer *writer, struct gf_error *error)
{
    if (writer->is_dead) {
        return writer_dead(writer, error);
    }
    enum gf_rc rc = GF_OK;
    for (int pass = 0; pass < 2; pass++) {
        for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
            for (uint32_t i = 0; rc == GF_OK && i < writer->topics[topic].count; i++) {
                struct gf_folder_tail *tail = &writer->topics[topic].tails[i];
                if (pass == 1) {
                    rc = gf_folder_tail_sync(tail, error);
                } else if ((rc = gf_folder_tail_end_block(tail, error)) == GF_OK) {
                    rc = gf_folder_tail_write(tail, error);
                }
            }
        }
    }
    writer->is_dead = rc != GF_OK;
    return rc;
}

enum gf_rc
gf_folder_writer_close(struct gf_folder_writer *writer, struct gf_error *error)
{
    if (writer == NULL) {
        return GF_OK;
    }
    enum gf_rc rc = gf_folder_writer_flush(writer, error);
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t i = 0; rc == GF_OK && i < writer->topics[topic].count; i++) {
            struct gf_folder_tail *tail = &writer->topics[topic].tails[i];
            if ((rc = gf_folder_tail_seal(tail, error)) == GF_OK) {
                rc = gf_folder_tail_sync(tail, error);
            }
        }
    }
    writer_free(writer);
    return rc;
}
