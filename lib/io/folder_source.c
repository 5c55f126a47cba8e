/* The source of the folder log: a cursor a partition, over mapped files. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/folder.h"
#include "io/folder_partition.h"

/* A read this little ahead of the cursor walks there; a read further on seeks. */
#define WALK_MAX 4096

struct source_topic {
    struct gf_folder_partition *partitions;
    uint32_t count;
};

struct folder_source {
    struct gf_source base;
    char path[GF_FOLDER_PATH_SIZE];
    struct gf_folder_resolver resolver;
    bool has_resolver;
    struct source_topic topics[GF_TOPIC_COUNT];
};

static struct folder_source *
source_of(struct gf_source *source)
{
    return (struct folder_source *)source;
}

static void
topic_fini(struct source_topic *topic)
{
    for (uint32_t i = 0; i < topic->count; i++) {
        gf_folder_partition_fini(&topic->partitions[i]);
    }
    free(topic->partitions);
    *topic = (struct source_topic){.count = 0};
}

static enum gf_rc
source_partitions(struct gf_source *base, enum gf_topic topic, uint32_t *count_out,
                  struct gf_error *error)
{
    struct folder_source *source = source_of(base);
    char path[GF_FOLDER_PATH_SIZE];
    const enum gf_rc rc = gf_folder_path(error, path, "%s/%s", source->path, gf_topics[topic].name);
    return rc != GF_OK ? rc : gf_folder_count(path, count_out, error);
}

/* Counted once, when first asked for: a log keeps its number of partitions. */
static enum gf_rc
topic_load(struct folder_source *source, enum gf_topic topic, struct gf_error *error)
{
    uint32_t count = 0;
    enum gf_rc rc = source_partitions(&source->base, topic, &count, error);
    if (rc != GF_OK) {
        return rc;
    }
    struct source_topic loaded = {.partitions = calloc(count + 1, sizeof *loaded.partitions)};
    if (loaded.partitions == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to read it", gf_topics[topic].name);
    }
    for (; loaded.count < count; loaded.count++) {
        rc = gf_folder_partition_init(&loaded.partitions[loaded.count], source->path, topic,
                                      loaded.count, source->has_resolver ? &source->resolver : NULL,
                                      error);
        if (rc != GF_OK) {
            topic_fini(&loaded);
            return rc;
        }
    }
    topic_fini(&source->topics[topic]);
    source->topics[topic] = loaded;
    return GF_OK;
}

static enum gf_rc
partition_get(struct gf_source *base, enum gf_topic topic, uint32_t number,
              struct gf_folder_partition **out, struct gf_error *error)
{
    assert(topic >= 0 && topic < GF_TOPIC_COUNT);
    struct folder_source *source = source_of(base);
    /* A topic without partitions yet is being made: look again. */
    if (source->topics[topic].count == 0) {
        const enum gf_rc rc = topic_load(source, topic, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    if (number >= source->topics[topic].count) {
        return gf_fail(error, GF_E_NOT_FOUND, "%s/%s: has no partition %u", source->path,
                       gf_topics[topic].name, number);
    }
    *out = &source->topics[topic].partitions[number];
    return GF_OK;
}

static enum gf_rc
source_ends(struct gf_source *base, enum gf_topic topic, uint32_t number, int64_t *first_out,
            int64_t *end_out, struct gf_error *error)
{
    struct gf_folder_partition *partition = NULL;
    enum gf_rc rc = partition_get(base, topic, number, &partition, error);
    if (rc != GF_OK || (rc = gf_folder_partition_refresh(partition, error)) != GF_OK) {
        return rc;
    }
    *first_out = partition->first;
    *end_out = partition->at.end;
    return GF_OK;
}

/* Fills in the headers that the envelope has passed over. */
static enum gf_rc
headers_lend(struct gf_folder_partition *partition, struct gf_record *record,
             struct gf_span headers, struct gf_error *error)
{
    const size_t size = (size_t)record->header_count * sizeof(struct gf_header);
    struct gf_header *items = gf_folder_partition_lend(partition, size, record->offset);
    if (items == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory for headers", partition->dir);
    }
    if (gf_folder_headers_read(headers, items, record->header_count) != GF_OK) {
        return gf_folder_file_damage(partition->file, partition->block, error);
    }
    record->headers = items;
    return GF_OK;
}

/* Reads on from the cursor until a record at or beyond `end`, which is left for the next read. */
static enum gf_rc
cursor_read(struct gf_folder_partition *partition, int64_t offset, int64_t end,
            struct gf_record *records, uint32_t count_max, uint32_t *count_out,
            struct gf_error *error)
{
    const struct gf_record blank = {.topic = (int32_t)partition->topic,
                                    .partition = partition->partition};
    uint32_t count = 0;
    while (count < count_max) {
        if (partition->left == 0) {
            if (partition->file != NULL && partition->reader.at != partition->reader.end) {
                return gf_folder_file_damage(partition->file, partition->block, error);
            }
            bool has = false;
            const enum gf_rc rc = gf_folder_partition_advance(partition, &has, error);
            if (rc != GF_OK) {
                return rc;
            }
            if (!has) {
                break;
            }
        }
        const struct gf_reader before = partition->reader;
        struct gf_record *record = &records[count];
        struct gf_span headers;
        record->topic = blank.topic;
        record->partition = blank.partition;
        if (gf_folder_envelope_read(&partition->reader, &partition->file->value, record,
                                    &headers) != GF_OK ||
            record->offset < partition->next_offset) {
            return gf_folder_file_damage(partition->file, partition->block, error);
        }
        if (record->offset >= end) {
            partition->reader = before;
            break;
        }
        partition->left--;
        partition->next_offset = record->offset + 1;
        if (record->offset < offset) {
            continue;
        }
        if (record->header_count > 0) {
            const enum gf_rc rc = headers_lend(partition, record, headers, error);
            if (rc != GF_OK) {
                return rc;
            }
        }
        count++;
    }
    *count_out = count;
    return GF_OK;
}

/* Makes sure that the partition's ends are known and reach `offset` if they can. */
static enum gf_rc
partition_look(struct gf_folder_partition *partition, int64_t offset, int64_t end,
               struct gf_error *error)
{
    if (!partition->is_known || (offset >= partition->at.end && end > partition->at.end)) {
        const enum gf_rc rc = gf_folder_partition_refresh(partition, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    if (offset < partition->first) {
        return gf_fail(error, GF_E_LOST, "%s: offset %lld is wanted, but the log starts at %lld",
                       partition->dir, (long long)offset, (long long)partition->first);
    }
    return GF_OK;
}

static enum gf_rc
partition_read(struct gf_folder_partition *partition, int64_t offset, int64_t end,
               struct gf_record *records_out, uint32_t count_max, uint32_t *count_out,
               int64_t *next_out, struct gf_error *error)
{
    enum gf_rc rc = partition_look(partition, offset, end, error);
    if (rc != GF_OK) {
        return rc;
    }
    end = end < partition->at.end ? end : partition->at.end;
    if (offset >= end || count_max == 0) {
        *count_out = 0;
        *next_out = offset;
        return GF_OK;
    }
    if (partition->file == NULL || offset < partition->next_offset ||
        offset - partition->next_offset > WALK_MAX) {
        rc = gf_folder_partition_seek(partition, offset, error);
        partition->reader = (struct gf_reader){NULL, NULL};
    }
    uint32_t count = 0;
    if (rc == GF_OK) {
        rc = cursor_read(partition, offset, end, records_out, count_max, &count, error);
    }
    if (rc != GF_OK) {
        partition->file = NULL;
        return rc;
    }
    *count_out = count;
    /* Fewer than asked for: nothing else lies before `end`. */
    *next_out = count < count_max ? end : records_out[count - 1].offset + 1;
    return GF_OK;
}

static enum gf_rc
source_read(struct gf_source *base, uint32_t reader, enum gf_topic topic, uint32_t number,
            int64_t offset, int64_t end, struct gf_duration wait, struct gf_record *records_out,
            uint32_t count_max, uint32_t *count_out, int64_t *next_out, struct gf_error *error)
{
    (void)wait; /* all that is there can be read at once */
    struct gf_folder_partition *partition = NULL;
    enum gf_rc rc = partition_get(base, topic, number, &partition, error);
    if (rc == GF_OK) {
        rc = gf_readers_read(&partition->readers, reader, offset, false, error);
    }
    return rc != GF_OK ? rc
                       : partition_read(partition, offset, end, records_out, count_max, count_out,
                                        next_out, error);
}

/* A file that may be read has a header: to be without one is damage here. */
static enum gf_rc
slot_file(struct gf_folder_partition *partition, uint32_t slot, struct gf_folder_file **out,
          struct gf_error *error)
{
    const enum gf_rc rc = gf_folder_partition_file(partition, slot, out, error);
    return rc == GF_E_BAD_DATA ? GF_E_DAMAGED : rc;
}

/* The last slot whose first record is older than `time`. */
static enum gf_rc
slot_find_time(struct gf_folder_partition *partition, int64_t time_us, uint32_t *out,
               struct gf_error *error)
{
    uint32_t low = 0, high = 0;
    while (high < partition->slot_count && partition->slots[high].first <= partition->at.first) {
        high++;
    }
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        struct gf_folder_file *file = NULL;
        struct gf_folder_block block;
        bool has = false;
        int64_t offset = 0, first_us = 0;
        enum gf_rc rc = slot_file(partition, middle, &file, error);
        if (rc != GF_OK || (rc = gf_folder_file_block(file, file->header.size,
                                                      gf_folder_partition_limit(partition, file),
                                                      &has, &block, error)) != GF_OK) {
            return rc;
        }
        rc = has ? gf_folder_file_first(file, &block, &offset, &first_us, error) : GF_OK;
        if (rc != GF_OK) {
            return rc;
        }
        if (has && first_us < time_us) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *out = low;
    return GF_OK;
}

static enum gf_rc
source_offset_at(struct gf_source *base, enum gf_topic topic, uint32_t number, struct gf_time time,
                 int64_t *offset_out, struct gf_error *error)
{
    struct gf_folder_partition *partition = NULL;
    enum gf_rc rc = partition_get(base, topic, number, &partition, error);
    if (rc != GF_OK || (rc = gf_folder_partition_refresh(partition, error)) != GF_OK) {
        return rc;
    }
    if (partition->at.size == 0) {
        *offset_out = partition->at.end;
        return GF_OK;
    }
    uint32_t slot = 0;
    struct gf_folder_file *file = NULL;
    int64_t offset = 0;
    if ((rc = slot_find_time(partition, time.us, &slot, error)) != GF_OK ||
        (rc = slot_file(partition, slot, &file, error)) != GF_OK ||
        (rc = gf_folder_file_seek_time(file, time.us, gf_folder_partition_limit(partition, file),
                                       &offset, error)) != GF_OK) {
        return rc;
    }
    struct gf_record record;
    for (;;) {
        uint32_t count = 0;
        rc = partition_read(partition, offset, partition->at.end, &record, 1, &count, &offset,
                            error);
        if (rc != GF_OK) {
            return rc;
        }
        if (count == 0) {
            *offset_out = partition->at.end;
            return GF_OK;
        }
        if (record.timestamp.us >= time.us) {
            *offset_out = record.offset;
            return GF_OK;
        }
    }
}

static void
source_release(struct gf_source *base, uint32_t reader, enum gf_topic topic, uint32_t number,
               int64_t offset)
{
    struct folder_source *source = source_of(base);
    if (number < source->topics[topic].count) {
        struct gf_folder_partition *partition = &source->topics[topic].partitions[number];
        gf_readers_release(&partition->readers, reader, offset);
        gf_folder_partition_release(partition, gf_readers_least(&partition->readers));
    }
}

static void
source_close(struct gf_source *base)
{
    if (base == NULL) {
        return;
    }
    struct folder_source *source = source_of(base);
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        topic_fini(&source->topics[topic]);
    }
    free(source);
}

static const struct gf_source_ops source_ops = {
    .name = "folder",
    .partitions = source_partitions,
    .ends = source_ends,
    .offset_at = source_offset_at,
    .read = source_read,
    .release = source_release,
    .close = source_close,
};

enum gf_rc
gf_folder_source_open(const char *path, const struct gf_folder_resolver *resolver,
                      struct gf_source **out, struct gf_error *error)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return gf_fail(error, GF_E_NOT_FOUND,
                       "%s: no such log; `gridfold import` or `gridfold simulate` makes one", path);
    }
    struct folder_source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to read it", path);
    }
    source->base.ops = &source_ops;
    const enum gf_rc rc = gf_folder_path(error, source->path, "%s", path);
    if (rc != GF_OK) {
        free(source);
        return rc;
    }
    if (resolver != NULL) {
        source->resolver = *resolver;
        source->has_resolver = true;
    }
    *out = &source->base;
    return GF_OK;
}
