#include "io/folder_tail.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_READ_SIZE (UINT32_C(1) << 20)

static enum gf_rc
tail_no_memory(const struct gf_folder_tail *tail, struct gf_error *error)
{
    return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to write", tail->dir);
}

static enum gf_rc
tail_path(const struct gf_folder_tail *tail, bool is_open, char out[GF_FOLDER_PATH_SIZE],
          struct gf_error *error)
{
    return gf_folder_file_path(error, out, tail->dir,
                               (struct gf_folder_name){tail->at.first, is_open});
}

/* Reads the writer schema of the last file, which decides whether the next block may join it. */
static enum gf_rc
header_load(struct gf_folder_tail *tail, const char *path, struct gf_error *error)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return gf_folder_fail(error, "open", path);
    }
    const size_t size = tail->at.size < HEADER_READ_SIZE ? tail->at.size : HEADER_READ_SIZE;
    uint8_t *data = malloc(size);
    enum gf_rc rc = data == NULL ? tail_no_memory(tail, error)
                                 : gf_folder_pread(fd, data, size, 0, path, error);
    close(fd);
    struct gf_folder_header header;
    if (rc == GF_OK &&
        (rc = gf_folder_header_read(gf_span_of(data, size), &header, error)) != GF_OK) {
        rc = gf_fail_prefix(error, rc == GF_E_BAD_DATA ? GF_E_DAMAGED : rc, "%s", path);
    }
    if (rc == GF_OK) {
        tail->schema = strndup((const char *)header.schema.data, header.schema.size);
        rc = tail->schema == NULL ? tail_no_memory(tail, error) : GF_OK;
    }
    free(data);
    return rc;
}

enum gf_rc
gf_folder_tail_init(struct gf_folder_tail *tail, const struct gf_folder_settings *settings,
                    const char *log, enum gf_topic topic, uint32_t partition,
                    struct gf_folder_end at, struct gf_error *error)
{
    *tail = (struct gf_folder_tail){
        .settings = settings,
        .topic = topic,
        .partition = partition,
        .fd = -1,
        .at = at,
        .next_offset = at.end,
    };
    enum gf_rc rc =
        gf_folder_path(error, tail->dir, "%s/%s/%u", log, gf_topics[topic].name, partition);
    if (rc != GF_OK || at.size == 0) {
        return rc;
    }
    char path[GF_FOLDER_PATH_SIZE];
    if ((rc = tail_path(tail, false, path, error)) != GF_OK) {
        return rc;
    }
    tail->is_sealed = access(path, F_OK) == 0;
    if (!tail->is_sealed && (rc = tail_path(tail, true, path, error)) != GF_OK) {
        return rc;
    }
    gf_folder_sync_marker(gf_topics[topic].name, partition, at.first, tail->sync);
    return header_load(tail, path, error);
}

void
gf_folder_tail_fini(struct gf_folder_tail *tail)
{
    if (tail->settings == NULL) {
        return;
    }
    if (tail->fd >= 0) {
        close(tail->fd);
    }
    free(tail->schema);
    free(tail->block);
    free(tail->staged);
    free(tail->blocks);
    *tail = (struct gf_folder_tail){.fd = -1};
}

/* Room for `size` bytes more. */
static bool
buffer_reserve(uint8_t **data, size_t *capacity, size_t used, size_t size)
{
    if (size <= *capacity - used) {
        return true;
    }
    size_t grown = *capacity == 0 ? GF_FOLDER_BLOCK_SIZE + 4096 : *capacity;
    while (grown - used < size) {
        grown *= 2;
    }
    uint8_t *moved = realloc(*data, grown);
    if (moved == NULL) {
        return false;
    }
    *data = moved;
    *capacity = grown;
    return true;
}

enum gf_rc
gf_folder_tail_add(struct gf_folder_tail *tail, const struct gf_record *record,
                   enum gf_folder_branch branch, const char *schema, struct gf_error *error)
{
    assert(record->offset >= tail->next_offset);
    const size_t size = gf_folder_envelope_size(record) + record->value.size;
    if (size > GF_FOLDER_RECORD_SIZE_MAX) {
        return gf_fail(error, GF_E_RANGE, "%s: a record of %zu bytes; a log takes %u", tail->dir,
                       size, GF_FOLDER_RECORD_SIZE_MAX);
    }
    if (branch == GF_FOLDER_BRANCH_RECORD && tail->block_schema != NULL &&
        tail->block_schema != schema && strcmp(tail->block_schema, schema) != 0) {
        const enum gf_rc rc = gf_folder_tail_end_block(tail, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    if (!buffer_reserve(&tail->block, &tail->block_capacity, tail->block_size, size)) {
        return tail_no_memory(tail, error);
    }
    struct gf_writer writer = gf_writer_of(tail->block + tail->block_size, size);
    gf_folder_envelope_write(&writer, record, branch);
    assert(!writer.overflowed);
    if (tail->block_count == 0) {
        tail->block_first = record->offset;
    }
    if (branch == GF_FOLDER_BRANCH_RECORD) {
        tail->block_schema = schema;
    }
    tail->block_size += gf_writer_size(&writer);
    tail->block_count++;
    tail->next_offset = record->offset + 1;
    return tail->block_size < GF_FOLDER_BLOCK_SIZE ? GF_OK : gf_folder_tail_end_block(tail, error);
}

void
gf_folder_tail_drop(struct gf_folder_tail *tail)
{
    tail->block_size = 0;
    tail->block_count = 0;
    tail->block_schema = NULL;
    tail->staged_size = 0;
    tail->blocks_count = 0;
    tail->next_offset = tail->at.end;
}

static enum gf_rc
block_stage(struct gf_folder_tail *tail, struct gf_span data, struct gf_error *error)
{
    if (tail->blocks_count == tail->blocks_capacity) {
        const uint32_t capacity = tail->blocks_capacity == 0 ? 4 : tail->blocks_capacity * 2;
        struct gf_folder_staged *grown = realloc(tail->blocks, capacity * sizeof *grown);
        if (grown == NULL) {
            return tail_no_memory(tail, error);
        }
        tail->blocks = grown;
        tail->blocks_capacity = capacity;
    }
    const size_t size = GF_FOLDER_BLOCK_HEAD_SIZE + (size_t)data.size + GF_FOLDER_SYNC_SIZE;
    if (!buffer_reserve(&tail->staged, &tail->staged_capacity, tail->staged_size, size)) {
        return tail_no_memory(tail, error);
    }
    struct gf_writer writer = gf_writer_of(tail->staged + tail->staged_size, size);
    gf_write_long(&writer, tail->block_count);
    gf_write_bytes(&writer, data);
    gf_write_fixed(&writer, tail->sync, GF_FOLDER_SYNC_SIZE); /* a place for it */
    assert(!writer.overflowed);
    tail->blocks[tail->blocks_count++] = (struct gf_folder_staged){
        .start = tail->staged_size,
        .size = gf_writer_size(&writer),
        .first = tail->block_first,
        .schema = tail->block_schema,
    };
    tail->staged_size += gf_writer_size(&writer);
    return GF_OK;
}

enum gf_rc
gf_folder_tail_end_block(struct gf_folder_tail *tail, struct gf_error *error)
{
    if (tail->block_count == 0) {
        return GF_OK;
    }
    struct gf_span data = gf_span_of(tail->block, tail->block_size);
    uint8_t *packed = NULL;
    enum gf_rc rc = GF_OK;
    if (tail->settings->codec != GF_FOLDER_CODEC_NULL) {
        size_t size = 0;
        rc = gf_folder_compress(tail->settings->codec, data, &packed, &size, error);
        data = gf_span_of(packed, size);
    }
    if (rc == GF_OK) {
        rc = block_stage(tail, data, error);
    }
    free(packed);
    if (rc == GF_OK) {
        tail->block_size = 0;
        tail->block_count = 0;
        tail->block_schema = NULL;
    }
    return rc;
}

/* Opens the last file again; a sealed one becomes a growing one. */
static enum gf_rc
file_attach(struct gf_folder_tail *tail, struct gf_error *error)
{
    assert(tail->fd < 0 && tail->at.size > 0);
    char path[GF_FOLDER_PATH_SIZE], sealed[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = tail_path(tail, true, path, error);
    if (rc != GF_OK || (rc = tail_path(tail, false, sealed, error)) != GF_OK) {
        return rc;
    }
    if (tail->is_sealed && rename(sealed, path) != 0) {
        return gf_folder_fail(error, "rename", sealed);
    }
    tail->is_dir_dirty = tail->is_dir_dirty || tail->is_sealed;
    tail->is_sealed = false;
    tail->fd = open(path, O_WRONLY | O_CLOEXEC);
    return tail->fd < 0 ? gf_folder_fail(error, "open", path) : GF_OK;
}

static enum gf_rc
file_start(struct gf_folder_tail *tail, const struct gf_folder_staged *block,
           struct gf_error *error)
{
    const char *schema = block->schema != NULL ? block->schema : gf_topics[tail->topic].schema;
    tail->at.first = block->first;
    tail->at.size = 0;
    tail->is_sealed = false;
    free(tail->schema);
    tail->schema = strdup(schema);
    gf_folder_sync_marker(gf_topics[tail->topic].name, tail->partition, block->first, tail->sync);
    size_t size = 0;
    uint8_t *header = gf_folder_header_new(schema, tail->settings->codec, tail->sync, &size);
    char path[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = header == NULL || tail->schema == NULL ? tail_no_memory(tail, error)
                                                           : tail_path(tail, true, path, error);
    if (rc == GF_OK) {
        tail->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        rc = tail->fd < 0 ? gf_folder_fail(error, "make", path)
                          : gf_folder_pwrite(tail->fd, header, size, 0, path, error);
    }
    free(header);
    if (rc == GF_OK) {
        tail->at.size = size;
        tail->is_dirty = tail->is_dir_dirty = true;
    }
    return rc;
}

enum gf_rc
gf_folder_tail_seal(struct gf_folder_tail *tail, struct gf_error *error)
{
    if (tail->at.size == 0 || tail->is_sealed) {
        return GF_OK;
    }
    char path[GF_FOLDER_PATH_SIZE], sealed[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = tail_path(tail, true, path, error);
    if (rc != GF_OK || (rc = tail_path(tail, false, sealed, error)) != GF_OK) {
        return rc;
    }
    if (tail->fd >= 0) {
        if (tail->is_dirty && !tail->settings->no_sync && fdatasync(tail->fd) != 0) {
            return gf_folder_fail(error, "sync", path);
        }
        close(tail->fd);
        tail->fd = -1;
    }
    tail->is_dirty = false;
    if (rename(path, sealed) != 0) {
        return gf_folder_fail(error, "rename", path);
    }
    tail->is_sealed = true;
    tail->is_dir_dirty = true;
    return GF_OK;
}

/* Makes the last file one that `block` may join. */
static enum gf_rc
file_choose(struct gf_folder_tail *tail, const struct gf_folder_staged *block,
            struct gf_error *error)
{
    const bool joins = tail->at.size > 0 && tail->at.size < tail->settings->file_size_max &&
                       (block->schema == NULL || strcmp(block->schema, tail->schema) == 0);
    if (joins) {
        return tail->fd >= 0 ? GF_OK : file_attach(tail, error);
    }
    const enum gf_rc rc = gf_folder_tail_seal(tail, error);
    return rc != GF_OK ? rc : file_start(tail, block, error);
}

enum gf_rc
gf_folder_tail_write(struct gf_folder_tail *tail, struct gf_error *error)
{
    for (uint32_t i = 0; i < tail->blocks_count;) {
        enum gf_rc rc = file_choose(tail, &tail->blocks[i], error);
        char path[GF_FOLDER_PATH_SIZE];
        if (rc != GF_OK || (rc = tail_path(tail, true, path, error)) != GF_OK) {
            return rc;
        }
        /* As many blocks as join this file in one write. */
        const size_t start = tail->blocks[i].start;
        size_t size = 0;
        do {
            size += tail->blocks[i].size;
            memcpy(tail->staged + start + size - GF_FOLDER_SYNC_SIZE, tail->sync,
                   GF_FOLDER_SYNC_SIZE);
            i++;
        } while (
            i < tail->blocks_count && tail->at.size + size < tail->settings->file_size_max &&
            (tail->blocks[i].schema == NULL || strcmp(tail->blocks[i].schema, tail->schema) == 0));
        if ((rc = gf_folder_pwrite(tail->fd, tail->staged + start, size, tail->at.size, path,
                                   error)) != GF_OK) {
            return rc;
        }
        tail->at.size += size;
        tail->is_dirty = true;
    }
    tail->staged_size = 0;
    tail->blocks_count = 0;
    if (tail->block_count == 0) {
        tail->at.end = tail->next_offset;
    }
    return GF_OK;
}

enum gf_rc
gf_folder_tail_sync(struct gf_folder_tail *tail, struct gf_error *error)
{
    if (!tail->settings->no_sync) {
        char path[GF_FOLDER_PATH_SIZE];
        enum gf_rc rc = tail_path(tail, true, path, error);
        if (rc == GF_OK && tail->is_dirty && fdatasync(tail->fd) != 0) {
            rc = gf_folder_fail(error, "sync", path);
        }
        if (rc == GF_OK && tail->is_dir_dirty) {
            rc = gf_folder_sync(tail->dir, error);
        }
        if (rc != GF_OK) {
            return rc;
        }
    }
    tail->is_dirty = tail->is_dir_dirty = false;
    return GF_OK;
}

/* Under another name until it is whole: a crash never leaves a topic with fewer partitions. */
static enum gf_rc
topic_start(const char *log, const char *path, const char *name, uint32_t count, bool sync,
            struct gf_error *error)
{
    char fresh[GF_FOLDER_PATH_SIZE], partition[GF_FOLDER_PATH_SIZE];
    uint32_t there = 0;
    enum gf_rc rc = gf_folder_path(error, fresh, "%s/%s.new", log, name);
    if (rc != GF_OK || (rc = gf_folder_make(fresh, false, error)) != GF_OK ||
        (rc = gf_folder_count(fresh, &there, error)) != GF_OK) {
        return rc;
    }
    for (uint32_t i = 0; i < (there > count ? there : count); i++) {
        if ((rc = gf_folder_path(error, partition, "%s/%u", fresh, i)) != GF_OK) {
            return rc;
        }
        if (i >= count && rmdir(partition) != 0) {
            return gf_folder_fail(error, "remove", partition);
        }
        if (i < count && (rc = gf_folder_make(partition, false, error)) != GF_OK) {
            return rc;
        }
    }
    if (sync && (rc = gf_folder_sync(fresh, error)) != GF_OK) {
        return rc;
    }
    if (rename(fresh, path) != 0) {
        return gf_folder_fail(error, "rename", fresh);
    }
    return sync ? gf_folder_sync(log, error) : GF_OK;
}

/* A stage was switched on: its shards come behind the others. */
static enum gf_rc
topic_extend(const char *path, uint32_t there, uint32_t count, bool sync, struct gf_error *error)
{
    for (uint32_t i = there; i < count; i++) {
        char partition[GF_FOLDER_PATH_SIZE];
        enum gf_rc rc = gf_folder_path(error, partition, "%s/%u", path, i);
        if (rc != GF_OK || (rc = gf_folder_make(partition, false, error)) != GF_OK) {
            return rc;
        }
    }
    return sync ? gf_folder_sync(path, error) : GF_OK;
}

enum gf_rc
gf_folder_topic_make(const char *log, enum gf_topic topic, uint32_t count, bool sync,
                     struct gf_error *error)
{
    char path[GF_FOLDER_PATH_SIZE];
    uint32_t there = 0;
    enum gf_rc rc = gf_folder_path(error, path, "%s/%s", log, gf_topics[topic].name);
    if (rc != GF_OK) {
        return rc;
    }
    rc = gf_folder_count(path, &there, error);
    if (rc == GF_E_NOT_FOUND) {
        return topic_start(log, path, gf_topics[topic].name, count, sync, error);
    }
    const bool may_differ = topic == GF_TOPIC_JOURNAL || topic == GF_TOPIC_DEAD_LETTERS;
    if (rc == GF_OK && there < count && may_differ) {
        return topic_extend(path, there, count, sync, error);
    }
    if (rc == GF_OK && there != count && !may_differ) {
        rc = gf_fail(error, GF_E_CONFIG,
                     "%s: has %u partitions, but %u are wanted; a log keeps the number it was made "
                     "with",
                     path, there, count);
    }
    return rc;
}
