/* The sink of the folder log. Appends stay in memory; a commit writes and syncs all files it
 * touches, then one record of LOG/commit, and that record is the commit. Opening cuts off what no
 * record covers. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/stage.h"
#include "io/folder.h"
#include "io/folder_commit.h"
#include "io/folder_tail.h"

struct folder_sink {
    struct gf_sink base;
    char path[GF_FOLDER_PATH_SIZE];
    struct gf_folder_settings settings;
    struct gf_folder_lock *own_lock; /* NULL when borrowed */
    struct gf_folder_commit commit;  /* the last durable one */
    struct gf_folder_tail *tails[GF_TOPIC_COUNT];
    bool is_begun, has_output, is_dead;
};

static struct folder_sink *
sink_of(struct gf_sink *sink)
{
    return (struct folder_sink *)sink;
}

/* Removes or cuts one file so that the partition ends at `end`. */
static enum gf_rc
file_recover(const char *dir, struct gf_folder_name name, struct gf_folder_end end,
             bool *is_changed, struct gf_error *error)
{
    char path[GF_FOLDER_PATH_SIZE];
    const enum gf_rc rc = gf_folder_file_path(error, path, dir, name);
    if (rc != GF_OK || (end.size > 0 && name.first < end.first)) {
        return rc;
    }
    if (end.size == 0 || name.first > end.first) {
        *is_changed = true;
        return unlink(path) == 0 ? GF_OK : gf_folder_fail(error, "remove", path);
    }
    struct stat info;
    if (stat(path, &info) != 0) {
        return gf_folder_fail(error, "read", path);
    }
    if ((uint64_t)info.st_size < end.size) {
        return gf_fail(error, GF_E_DAMAGED,
                       "%s: has %" PRId64 " bytes, but %" PRIu64 " were committed; restore it "
                       "from a copy",
                       path, (int64_t)info.st_size, end.size);
    }
    if ((uint64_t)info.st_size > end.size) {
        *is_changed = true;
        return truncate(path, (off_t)end.size) == 0 ? GF_OK : gf_folder_fail(error, "cut", path);
    }
    return GF_OK;
}

/* Cuts are not synced: after a crash they would just be made again, and bytes written over them are
 * synced.
 */
static enum gf_rc
partition_recover(const struct folder_sink *sink, enum gf_topic topic, uint32_t partition,
                  struct gf_error *error)
{
    const struct gf_folder_end end = sink->commit.ends[topic][partition];
    char dir[GF_FOLDER_PATH_SIZE];
    struct gf_folder_names names = {.items = NULL};
    enum gf_rc rc =
        gf_folder_path(error, dir, "%s/%s/%u", sink->path, gf_topics[topic].name, partition);
    if (rc != GF_OK || (rc = gf_folder_list(dir, &names, error)) != GF_OK) {
        return rc;
    }
    bool is_found = end.size == 0, is_changed = false;
    for (uint32_t i = 0; i < names.count && rc == GF_OK; i++) {
        is_found = is_found || names.items[i].first == end.first;
        rc = file_recover(dir, names.items[i], end, &is_changed, error);
    }
    free(names.items);
    if (rc == GF_OK && !is_found) {
        rc = gf_fail(error, GF_E_DAMAGED,
                     "%s: the file of offset %" PRId64 " is missing, whose records were committed; "
                     "restore it from a copy",
                     dir, end.first);
    }
    return rc == GF_OK && is_changed && !sink->settings.no_sync ? gf_folder_sync(dir, error) : rc;
}

/* Without LOG/commit nothing says which outputs count: only a log without outputs may start so. */
static enum gf_rc
outputs_refuse(const struct folder_sink *sink, struct gf_error *error)
{
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        char path[GF_FOLDER_PATH_SIZE];
        uint32_t count = 0;
        enum gf_rc rc = gf_folder_path(error, path, "%s/%s", sink->path, gf_topics[topic].name);
        if (rc != GF_OK) {
            return rc;
        }
        if (gf_topics[topic].is_input ||
            (rc = gf_folder_count(path, &count, error)) == GF_E_NOT_FOUND) {
            continue;
        }
        for (uint32_t i = 0; rc == GF_OK && i < count; i++) {
            char dir[GF_FOLDER_PATH_SIZE];
            struct gf_folder_names names = {.items = NULL};
            if ((rc = gf_folder_path(error, dir, "%s/%u", path, i)) == GF_OK) {
                rc = gf_folder_list(dir, &names, error);
            }
            free(names.items);
            if (rc == GF_OK && names.count > 0) {
                return gf_fail(error, GF_E_DAMAGED,
                               "%s: holds outputs, but %s/commit is missing; restore it, or write "
                               "to another log",
                               dir, sink->path);
            }
        }
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

static enum gf_rc
commit_prepare(struct folder_sink *sink, uint32_t partitions, uint32_t stages,
               struct gf_error *error)
{
    enum gf_rc rc = gf_folder_commit_load(&sink->commit, sink->path, error);
    if (rc == GF_E_NOT_FOUND) {
        if ((rc = outputs_refuse(sink, error)) == GF_OK) {
            rc = gf_folder_commit_init(
                &sink->commit, partitions > 0 ? partitions : GF_FOLDER_PARTITIONS, stages, error);
        }
    } else if (rc == GF_OK && partitions != 0 && partitions != sink->commit.partitions) {
        rc = gf_fail(error, GF_E_CONFIG,
                     "%s: has %u partitions, but %u are configured; a log keeps the number "
                     "it was made with",
                     sink->path, sink->commit.partitions, partitions);
    } else if (rc == GF_OK) {
        rc = gf_folder_commit_extend(&sink->commit, stages, error);
    }
    /* What the file on disk does not say yet is there before the first commit. */
    return rc == GF_OK && !(sink->commit.size > 0 && sink->commit.is_ordered)
               ? gf_folder_commit_store(&sink->commit, sink->path, sink->settings.no_sync, error)
               : rc;
}

static enum gf_rc
topic_prepare(struct folder_sink *sink, enum gf_topic topic, struct gf_error *error)
{
    const uint32_t count = sink->commit.counts[topic];
    enum gf_rc rc = gf_folder_topic_make(sink->path, topic, count, !sink->settings.no_sync, error);
    if (rc != GF_OK) {
        return rc;
    }
    sink->tails[topic] = calloc(count, sizeof *sink->tails[topic]);
    if (sink->tails[topic] == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to write", sink->path);
    }
    for (uint32_t i = 0; i < count; i++) {
        if ((rc = partition_recover(sink, topic, i, error)) != GF_OK ||
            (rc = gf_folder_tail_init(&sink->tails[topic][i], &sink->settings, sink->path, topic, i,
                                      sink->commit.ends[topic][i], error)) != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

static enum gf_rc
sink_dead(struct gf_error *error)
{
    return gf_fail(error, GF_E_IO, "an earlier write of this log failed; start again to recover");
}

static enum gf_rc
sink_begin(struct gf_sink *base, struct gf_error *error)
{
    struct folder_sink *sink = sink_of(base);
    assert(!sink->is_begun);
    if (sink->is_dead) {
        return sink_dead(error);
    }
    sink->is_begun = true;
    return GF_OK;
}

static enum gf_rc
sink_append(struct gf_sink *base, const struct gf_output *output, struct gf_error *error)
{
    struct folder_sink *sink = sink_of(base);
    const struct gf_topic_info *info = &gf_topics[output->topic];
    assert(sink->is_begun);
    assert(!info->is_input);
    if (output->partition >= sink->commit.counts[output->topic]) {
        return gf_fail(error, GF_E_NOT_FOUND, "%s/%s: has no partition %u", sink->path, info->name,
                       output->partition);
    }
    const struct gf_folder_value value = {.schema_id = info->schema_id, .skip = info->skip};
    if (!gf_folder_value_fits(&value, output->body)) {
        return gf_fail(error, GF_E_BAD_DATA, "%s/%s: an output is not a record of its schema",
                       sink->path, info->name);
    }
    struct gf_folder_tail *tail = &sink->tails[output->topic][output->partition];
    const struct gf_record record = {
        .offset = tail->next_offset,
        .timestamp = output->timestamp,
        .has_key = output->key.data != NULL,
        .has_value = true,
        .key = output->key,
        .schema_id = info->schema_id,
        .value = output->body,
        .headers = output->headers,
        .header_count = output->header_count,
    };
    sink->has_output = true;
    return gf_folder_tail_add(tail, &record, GF_FOLDER_BRANCH_RECORD, info->schema, error);
}

/* All writes first and the write-back started, then the syncs: the disk then works on all files at
 * once. */
static enum gf_rc
tails_write(struct folder_sink *sink, struct gf_error *error)
{
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t i = 0; sink->tails[topic] != NULL && i < sink->commit.counts[topic]; i++) {
            struct gf_folder_tail *tail = &sink->tails[topic][i];
            enum gf_rc rc = gf_folder_tail_end_block(tail, error);
            if (rc != GF_OK || (rc = gf_folder_tail_write(tail, error)) != GF_OK) {
                return rc;
            }
            if (tail->is_dirty && !sink->settings.no_sync) {
                (void)sync_file_range(tail->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
            }
        }
    }
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t i = 0; sink->tails[topic] != NULL && i < sink->commit.counts[topic]; i++) {
            const enum gf_rc rc = gf_folder_tail_sync(&sink->tails[topic][i], error);
            if (rc != GF_OK) {
                return rc;
            }
            sink->commit.ends[topic][i] = sink->tails[topic][i].at;
        }
    }
    return GF_OK;
}

static enum gf_rc
sink_commit(struct gf_sink *base, struct gf_error *error)
{
    struct folder_sink *sink = sink_of(base);
    assert(sink->is_begun);
    if (sink->is_dead) {
        return sink_dead(error);
    }
    enum gf_rc rc = GF_OK;
    if (sink->has_output && (rc = tails_write(sink, error)) == GF_OK) {
        rc = gf_folder_commit_store(&sink->commit, sink->path, sink->settings.no_sync, error);
    }
    sink->is_begun = false;
    sink->has_output = false;
    sink->is_dead = rc != GF_OK;
    return rc;
}

static enum gf_rc
sink_abort(struct gf_sink *base, struct gf_error *error)
{
    struct folder_sink *sink = sink_of(base);
    (void)error;
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t i = 0; sink->tails[topic] != NULL && i < sink->commit.counts[topic]; i++) {
            gf_folder_tail_drop(&sink->tails[topic][i]);
        }
    }
    sink->is_begun = false;
    sink->has_output = false;
    return GF_OK;
}

static void
sink_close(struct gf_sink *base)
{
    if (base == NULL) {
        return;
    }
    struct folder_sink *sink = sink_of(base);
    struct gf_error error;
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        for (uint32_t i = 0; sink->tails[topic] != NULL && i < sink->commit.counts[topic]; i++) {
            struct gf_folder_tail *tail = &sink->tails[topic][i];
            /* Sealing is for readers of the folder; whether it works changes nothing for us. */
            if (!sink->is_dead && tail->settings != NULL &&
                gf_folder_tail_seal(tail, &error) == GF_OK) {
                (void)!gf_folder_tail_sync(tail, &error);
            }
            gf_folder_tail_fini(tail);
        }
        free(sink->tails[topic]);
    }
    gf_folder_commit_fini(&sink->commit);
    gf_folder_lock_release(sink->own_lock);
    free(sink);
}

static const struct gf_sink_ops sink_ops = {
    .name = "folder",
    .begin = sink_begin,
    .append = sink_append,
    .commit = sink_commit,
    .abort = sink_abort,
    .close = sink_close,
};

enum gf_rc
gf_folder_sink_open(const struct gf_folder_options *options, struct gf_sink **out,
                    struct gf_error *error)
{
    struct folder_sink *sink = calloc(1, sizeof *sink);
    if (sink == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to write", options->path);
    }
    sink->base.ops = &sink_ops;
    sink->is_dead = true; /* until it is open: closing then changes no file */
    sink->settings = (struct gf_folder_settings){
        .codec = options->codec,
        .file_size_max =
            options->file_size_max > 0 ? options->file_size_max : GF_FOLDER_FILE_SIZE_MAX,
        .no_sync = options->no_sync,
    };
    enum gf_rc rc = gf_folder_path(error, sink->path, "%s", options->path);
    if (rc == GF_OK && options->lock == NULL) {
        rc = gf_folder_lock_take(options->path, &sink->own_lock, error);
    }
    if (rc == GF_OK) {
        rc = commit_prepare(sink, options->partitions,
                            options->stages == 0 ? GF_STAGES_CUSTOMER : options->stages, error);
    }
    for (int topic = 0; rc == GF_OK && topic < GF_TOPIC_COUNT; topic++) {
        rc = sink->commit.counts[topic] == 0 ? GF_OK
                                             : topic_prepare(sink, (enum gf_topic)topic, error);
    }
    if (rc != GF_OK) {
        sink_close(&sink->base);
        return rc;
    }
    sink->is_dead = false;
    *out = &sink->base;
    return GF_OK;
}
