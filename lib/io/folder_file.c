#include "io/folder_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAPPING_SIZE_MIN (UINT64_C(1) << 20)
#define FIRST_SIZE       24 /* offset and timestamp of a record, and some */

enum gf_rc
gf_folder_file_damage(const struct gf_folder_file *file, uint64_t position, struct gf_error *error)
{
    return gf_fail(error, GF_E_DAMAGED,
                   "%s: the block at byte %" PRIu64 " is damaged; restore the file from a copy",
                   file->path, position);
}

/* A mapping may be longer than its file, and the file grows into it; a file that outgrows it gets
 * another, twice as long, so there are few. Only bytes below `size` are ever touched. */
static enum gf_rc
file_map(struct gf_folder_file *file, struct gf_error *error)
{
    const size_t mapped =
        file->mapping_count == 0 ? 0 : file->mappings[file->mapping_count - 1].size;
    if (file->size <= mapped) {
        return GF_OK;
    }
    size_t size = file->mapping_count == 0 ? MAPPING_SIZE_MIN : mapped * 2;
    while (size < file->size) {
        size *= 2;
    }
    struct gf_folder_mapping *grown =
        realloc(file->mappings, (file->mapping_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to read it", file->path);
    }
    file->mappings = grown;
    void *data = mmap(NULL, size, PROT_READ, MAP_SHARED, file->fd, 0);
    if (data == MAP_FAILED) {
        return gf_folder_fail(error, "map", file->path);
    }
    madvise(data, size, MADV_SEQUENTIAL);
    file->mappings[file->mapping_count++] = (struct gf_folder_mapping){data, size};
    file->data = data;
    return GF_OK;
}

enum gf_rc
gf_folder_file_refresh(struct gf_folder_file *file, struct gf_error *error)
{
    struct stat info;
    if (fstat(file->fd, &info) != 0) {
        return gf_folder_fail(error, "read", file->path);
    }
    if ((uint64_t)info.st_size < file->whole_size) {
        return gf_fail(error, GF_E_DAMAGED,
                       "%s: has been cut from %" PRIu64 " to %" PRId64 " bytes while it was read",
                       file->path, file->whole_size, (int64_t)info.st_size);
    }
    file->size = (uint64_t)info.st_size;
    return file_map(file, error);
}

static enum gf_rc
file_open_named(struct gf_folder_file *file, const char *dir, struct gf_error *error)
{
    /* The name may change under us, from open to sealed and, at the next start, back. */
    for (int attempt = 0; attempt < 4; attempt++) {
        const struct gf_folder_name name = {.first = file->first, .is_open = attempt % 2 == 0};
        const enum gf_rc rc = gf_folder_file_path(error, file->path, dir, name);
        if (rc != GF_OK) {
            return rc;
        }
        file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
        if (file->fd >= 0) {
            return GF_OK;
        }
        if (errno != ENOENT) {
            return gf_folder_fail(error, "open", file->path);
        }
    }
    return gf_fail(error, GF_E_NOT_FOUND, "%s: no such file", file->path);
}

static enum gf_rc
schema_resolve(struct gf_folder_file *file, const struct gf_folder_resolver *resolver,
               struct gf_error *error)
{
    const struct gf_topic_info *info = &gf_topics[file->topic];
    if (gf_span_equal(file->header.schema, gf_span_text(info->schema))) {
        file->value = (struct gf_folder_value){.schema_id = info->schema_id, .skip = info->skip};
        return GF_OK;
    }
    if (resolver == NULL) {
        return gf_fail(error, GF_E_VERSION, "%s: is written in another schema of %s than ours",
                       file->path, info->name);
    }
    struct gf_folder_schema schema = {.id = 0};
    const enum gf_rc rc =
        resolver->resolve(resolver->context, file->topic, file->header.schema, &schema, error);
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "%s", file->path);
    }
    if (!schema.is_own && schema.plan == NULL) {
        return gf_fail(error, GF_E_VERSION,
                       "%s: is written in a schema of %s that cannot be read as ours", file->path,
                       info->name);
    }
    file->value = (struct gf_folder_value){
        .schema_id = schema.id,
        .skip = schema.is_own ? info->skip : NULL,
        .plan = schema.plan,
    };
    return GF_OK;
}

static enum gf_rc
file_load(struct gf_folder_file *file, const struct gf_folder_resolver *resolver,
          struct gf_error *error)
{
    enum gf_rc rc = gf_folder_file_refresh(file, error);
    if (rc != GF_OK) {
        return rc;
    }
    const size_t size = file->size < UINT32_MAX ? file->size : UINT32_MAX;
    if ((rc = gf_folder_header_read(gf_span_of(file->data, size), &file->header, error)) != GF_OK) {
        return gf_fail_prefix(error, rc, "%s", file->path);
    }
    uint8_t sync[GF_FOLDER_SYNC_SIZE];
    gf_folder_sync_marker(gf_topics[file->topic].name, file->partition, file->first, sync);
    if (memcmp(sync, file->header.sync, sizeof sync) != 0) {
        return gf_fail(error, GF_E_DAMAGED,
                       "%s: holds another topic, partition or first offset than its name says",
                       file->path);
    }
    file->whole_size = file->marked_size = file->header.size;
    file->end = file->first;
    return schema_resolve(file, resolver, error);
}

enum gf_rc
gf_folder_file_open(const char *dir, enum gf_topic topic, uint32_t partition, int64_t first,
                    const struct gf_folder_resolver *resolver, struct gf_folder_file **out,
                    struct gf_error *error)
{
    struct gf_folder_file *file = malloc(sizeof *file);
    if (file == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to read it", dir);
    }
    *file =
        (struct gf_folder_file){.topic = topic, .partition = partition, .first = first, .fd = -1};
    enum gf_rc rc = file_open_named(file, dir, error);
    if (rc != GF_OK || (rc = file_load(file, resolver, error)) != GF_OK) {
        gf_folder_file_close(file);
        return rc;
    }
    *out = file;
    return GF_OK;
}

void
gf_folder_file_close(struct gf_folder_file *file)
{
    if (file == NULL) {
        return;
    }
    for (uint32_t i = 0; i < file->mapping_count; i++) {
        munmap(file->mappings[i].data, file->mappings[i].size);
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    free(file->mappings);
    free(file->marks);
    free(file);
}

enum gf_rc
gf_folder_file_block(const struct gf_folder_file *file, uint64_t position, uint64_t limit,
                     bool *has_out, struct gf_folder_block *out, struct gf_error *error)
{
    assert(limit <= file->size && position <= limit);
    switch (gf_folder_block_read(file->data, limit, position, file->header.sync, out)) {
    case GF_FOLDER_BLOCK_WHOLE:
        *has_out = true;
        return out->count == 0 ? gf_folder_file_damage(file, position, error) : GF_OK;
    case GF_FOLDER_BLOCK_NONE:
        *has_out = false;
        return GF_OK;
    case GF_FOLDER_BLOCK_TORN:
    case GF_FOLDER_BLOCK_BAD:
        break;
    }
    return gf_folder_file_damage(file, position, error);
}

enum gf_rc
gf_folder_file_records(const struct gf_folder_file *file, const struct gf_folder_block *block,
                       struct gf_span *out, uint8_t **owned_out, struct gf_error *error)
{
    *owned_out = NULL;
    *out = block->data;
    if (file->header.codec == GF_FOLDER_CODEC_NULL) {
        return GF_OK;
    }
    size_t size = 0;
    const enum gf_rc rc = gf_folder_decompress(file->header.codec, block->data,
                                               GF_FOLDER_BLOCK_SIZE_MAX, owned_out, &size, error);
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "%s: block at byte %" PRIu64, file->path, block->position);
    }
    *out = gf_span_of(*owned_out, size);
    return GF_OK;
}

/* The offset after the last record of `block`. */
static enum gf_rc
block_end(const struct gf_folder_file *file, const struct gf_folder_block *block, int64_t *end_out,
          struct gf_error *error)
{
    struct gf_span records, headers;
    uint8_t *owned = NULL;
    enum gf_rc rc = gf_folder_file_records(file, block, &records, &owned, error);
    if (rc != GF_OK) {
        return rc;
    }
    struct gf_reader reader = gf_reader_of(records);
    struct gf_record record = {.offset = -1};
    for (uint32_t i = 0; i < block->count && rc == GF_OK; i++) {
        rc = gf_folder_envelope_read(&reader, &file->value, &record, &headers);
    }
    if (rc != GF_OK || reader.at != reader.end || record.offset < file->first) {
        rc = gf_folder_file_damage(file, block->position, error);
    } else {
        *end_out = record.offset + 1;
    }
    free(owned);
    return rc;
}

enum gf_rc
gf_folder_file_measure(struct gf_folder_file *file, struct gf_error *error)
{
    struct gf_folder_block block, last = {.count = 0};
    uint64_t position = file->whole_size;
    enum gf_folder_block_state state;
    while ((state = gf_folder_block_read(file->data, file->size, position, file->header.sync,
                                         &block)) == GF_FOLDER_BLOCK_WHOLE) {
        if (block.count == 0) {
            return gf_folder_file_damage(file, position, error);
        }
        last = block;
        position = block.next;
    }
    if (state == GF_FOLDER_BLOCK_BAD) {
        return gf_folder_file_damage(file, position, error);
    }
    if (last.count > 0) {
        const enum gf_rc rc = block_end(file, &last, &file->end, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    file->whole_size = position;
    return GF_OK;
}

/* Without decompressing all of it. */
enum gf_rc
gf_folder_file_first(const struct gf_folder_file *file, const struct gf_folder_block *block,
                     int64_t *offset_out, int64_t *time_us_out, struct gf_error *error)
{
    uint8_t start[FIRST_SIZE];
    struct gf_span records = block->data;
    if (file->header.codec != GF_FOLDER_CODEC_NULL) {
        size_t size = 0;
        const enum gf_rc rc =
            gf_folder_peek(file->header.codec, block->data, start, sizeof start, &size, error);
        if (rc != GF_OK) {
            return gf_fail_prefix(error, rc, "%s: block at byte %" PRIu64, file->path,
                                  block->position);
        }
        records = gf_span_of(start, size);
    }
    struct gf_reader reader = gf_reader_of(records);
    if (gf_read_long(&reader, offset_out) != GF_OK || gf_read_long(&reader, time_us_out) != GF_OK) {
        return gf_folder_file_damage(file, block->position, error);
    }
    return GF_OK;
}

static enum gf_rc
mark_add(struct gf_folder_file *file, const struct gf_folder_block *block, struct gf_error *error)
{
    if (file->mark_count == file->mark_capacity) {
        const uint32_t capacity = file->mark_capacity == 0 ? 64 : file->mark_capacity * 2;
        struct gf_folder_mark *grown = realloc(file->marks, capacity * sizeof *grown);
        if (grown == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to read it", file->path);
        }
        file->marks = grown;
        file->mark_capacity = capacity;
    }
    struct gf_folder_mark *mark = &file->marks[file->mark_count];
    mark->position = block->position;
    const enum gf_rc rc = gf_folder_file_first(file, block, &mark->offset, &mark->time_us, error);
    file->mark_count += rc == GF_OK;
    return rc;
}

/* Marks all blocks of the first `limit` bytes that are far enough from the mark before. */
static enum gf_rc
marks_make(struct gf_folder_file *file, uint64_t limit, struct gf_error *error)
{
    while (file->marked_size < limit) {
        struct gf_folder_block block;
        bool has = false;
        enum gf_rc rc = gf_folder_file_block(file, file->marked_size, limit, &has, &block, error);
        if (rc != GF_OK || !has) {
            return rc;
        }
        if (file->mark_count == 0 ||
            block.position - file->marks[file->mark_count - 1].position >= GF_FOLDER_BLOCK_SIZE) {
            if ((rc = mark_add(file, &block, error)) != GF_OK) {
                return rc;
            }
        }
        file->marked_size = block.next;
    }
    return GF_OK;
}

enum gf_rc
gf_folder_file_seek(struct gf_folder_file *file, int64_t offset, uint64_t limit,
                    uint64_t *position_out, struct gf_error *error)
{
    if (offset <= file->first) {
        *position_out = file->header.size;
        return GF_OK;
    }
    const enum gf_rc rc = marks_make(file, limit, error);
    if (rc != GF_OK) {
        return rc;
    }
    uint32_t low = 0, high = file->mark_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (file->marks[middle].offset <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *position_out = low == 0 ? file->header.size : file->marks[low - 1].position;
    return GF_OK;
}

enum gf_rc
gf_folder_file_seek_time(struct gf_folder_file *file, int64_t time_us, uint64_t limit,
                         int64_t *offset_out, struct gf_error *error)
{
    const enum gf_rc rc = marks_make(file, limit, error);
    if (rc != GF_OK) {
        return rc;
    }
    uint32_t low = 0, high = file->mark_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (file->marks[middle].time_us < time_us) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *offset_out = low == 0 ? file->first : file->marks[low - 1].offset;
    return GF_OK;
}
