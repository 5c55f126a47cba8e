#include "io/folder_commit.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/stage.h"

#define VERSION        1
#define NAME_SIZE      64
#define COUNT_AT       60 /* in a name */
#define HEAD_SIZE      24 /* before the names */
#define ENTRY_SIZE     24
#define TOPICS_MAX     64
#define PARTITIONS_MAX 4096

static const char magic[8] = {'G', 'F', 'C', 'O', 'M', 'M', 'I', 'T'};

static void
put(uint8_t *out, uint64_t value, int size)
{
    for (int i = 0; i < size; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t
take(const uint8_t *in, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++) {
        value |= (uint64_t)in[i] << (8 * i);
    }
    return value;
}

static size_t
header_size(uint32_t topics)
{
    return HEAD_SIZE + (size_t)topics * NAME_SIZE + 8;
}
static size_t
record_size(const struct gf_folder_commit *commit)
{
    size_t count = 0;
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        count += commit->counts[topic];
    }
    return 8 + count * ENTRY_SIZE + 8;
}

/* Seeds differ, so that a header is never taken for a record. */
static uint64_t
header_sum(const uint8_t *data, size_t size)
{
    return gf_hash64(data, size - 8, 1);
}
static uint64_t
record_sum(const uint8_t *data, size_t size)
{
    return gf_hash64(data, size - 8, 2);
}

/* Memory for the ends of all that `counts` says. */
static enum gf_rc
ends_alloc(struct gf_folder_commit *commit, struct gf_error *error)
{
    size_t count = 0;
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        count += commit->counts[topic];
    }
    commit->memory = calloc(count + 1, sizeof *commit->memory);
    if (commit->memory == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory for the commit record");
    }
    count = 0;
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        commit->ends[topic] = commit->counts[topic] > 0 ? commit->memory + count : NULL;
        count += commit->counts[topic];
    }
    return GF_OK;
}

void
gf_folder_commit_fini(struct gf_folder_commit *commit)
{
    free(commit->memory);
    commit->memory = NULL;
}

static uint32_t
topics_count(const struct gf_folder_commit *commit)
{
    uint32_t count = 0;
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        count += commit->counts[topic] > 0;
    }
    return count;
}

static uint32_t
count_wanted(uint32_t stages, int topic, uint32_t partitions)
{
    return gf_topics[topic].is_input
               ? 0
               : gf_stages_partitions(stages, (enum gf_topic)topic, partitions);
}

enum gf_rc
gf_folder_commit_init(struct gf_folder_commit *commit, uint32_t partitions, uint32_t stages,
                      struct gf_error *error)
{
    *commit = (struct gf_folder_commit){.partitions = partitions};
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        commit->counts[topic] = count_wanted(stages, topic, partitions);
    }
    return ends_alloc(commit, error);
}

enum gf_rc
gf_folder_commit_extend(struct gf_folder_commit *commit, uint32_t stages, struct gf_error *error)
{
    struct gf_folder_commit whole = {.partitions = commit->partitions,
                                     .sequence = commit->sequence};
    bool is_more = !commit->is_ordered;
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        const uint32_t wanted = count_wanted(stages, topic, commit->partitions);
        const uint32_t there = commit->counts[topic];
        whole.counts[topic] = wanted > there ? wanted : there;
        is_more = is_more || wanted > there;
    }
    if (!is_more) {
        return GF_OK;
    }
    const enum gf_rc rc = ends_alloc(&whole, error);
    if (rc != GF_OK) {
        return rc;
    }
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        if (commit->counts[topic] > 0) {
            memcpy(whole.ends[topic], commit->ends[topic],
                   commit->counts[topic] * sizeof whole.ends[topic][0]);
        }
    }
    gf_folder_commit_fini(commit);
    *commit = whole;
    return GF_OK;
}

/* The topics that the header names, in its order. */
static enum gf_rc
names_read(struct gf_folder_commit *commit, const uint8_t *names, uint32_t topics, int *order,
           const char *path, struct gf_error *error)
{
    int last = -1;
    commit->is_ordered = true;
    for (uint32_t i = 0; i < topics; i++) {
        char name[COUNT_AT + 1] = {0};
        memcpy(name, names + (size_t)i * NAME_SIZE, COUNT_AT);
        const uint32_t count = (uint32_t)take(names + (size_t)i * NAME_SIZE + COUNT_AT, 4);
        const int topic = gf_topic_find(name);
        if (topic < 0 || commit->counts[topic] > 0) {
            return gf_fail(error, GF_E_VERSION,
                           "%s: names a topic %s that this version does not write; use the "
                           "version that wrote it, or a later one",
                           path, name);
        }
        if (count > PARTITIONS_MAX) {
            return gf_fail(error, GF_E_DAMAGED, "%s: has a damaged header", path);
        }
        commit->is_ordered = commit->is_ordered && topic > last;
        last = topic;
        order[i] = topic;
        commit->counts[topic] = count == 0 ? commit->partitions : count;
    }
    return ends_alloc(commit, error);
}

static enum gf_rc
header_load(struct gf_folder_commit *commit, int fd, uint64_t size, const char *path,
            uint32_t *topics_out, int *order, struct gf_error *error)
{
    uint8_t data[HEAD_SIZE + TOPICS_MAX * NAME_SIZE + 8] = {0};
    if (size < HEAD_SIZE) {
        return gf_fail(error, GF_E_DAMAGED, "%s: has no whole header", path);
    }
    enum gf_rc rc = gf_folder_pread(fd, data, HEAD_SIZE, 0, path, error);
    if (rc != GF_OK) {
        return rc;
    }
    const uint32_t version = (uint32_t)take(data + 8, 4), topics = (uint32_t)take(data + 12, 4);
    const uint32_t partitions = (uint32_t)take(data + 16, 4);
    if (memcmp(data, magic, sizeof magic) == 0 && version != VERSION) {
        return gf_fail(error, GF_E_VERSION, "%s: has version %u; this program knows %d", path,
                       version, VERSION);
    }
    if (memcmp(data, magic, sizeof magic) != 0 || topics > TOPICS_MAX ||
        partitions > PARTITIONS_MAX || take(data + 20, 4) != header_size(topics) ||
        size < header_size(topics)) {
        return gf_fail(error, GF_E_DAMAGED, "%s: has a damaged header", path);
    }
    if ((rc = gf_folder_pread(fd, data, header_size(topics), 0, path, error)) != GF_OK) {
        return rc;
    }
    if (take(data + header_size(topics) - 8, 8) != header_sum(data, header_size(topics))) {
        return gf_fail(error, GF_E_DAMAGED, "%s: has a damaged header", path);
    }
    *topics_out = topics;
    *commit = (struct gf_folder_commit){.partitions = partitions};
    return names_read(commit, data + HEAD_SIZE, topics, order, path, error);
}

/* The last record, or the one before it when the last is torn. */
static enum gf_rc
record_load(struct gf_folder_commit *commit, int fd, uint64_t file_size, const char *path,
            uint32_t topics, const int *order, struct gf_error *error)
{
    const size_t start = header_size(topics), size = record_size(commit);
    const uint64_t count = (file_size - start) / size;
    const bool has_rest = (file_size - start) % size != 0;
    uint8_t *data = malloc(size);
    enum gf_rc rc = data == NULL ? gf_fail(error, GF_E_NO_MEMORY, "%s: no memory", path) : GF_OK;
    bool found = false;
    for (uint64_t index = count;
         rc == GF_OK && !found && index > 0 && count - index < (has_rest ? 1 : 2); index--) {
        rc = gf_folder_pread(fd, data, size, start + (index - 1) * size, path, error);
        found = rc == GF_OK && take(data + size - 8, 8) == record_sum(data, size);
        commit->size = start + index * size;
    }
    if (rc == GF_OK && !found) {
        rc = gf_fail(error, GF_E_DAMAGED,
                     "%s: its last whole record is damaged; restore it from a copy", path);
    }
    if (rc == GF_OK) {
        commit->sequence = take(data, 8);
        const uint8_t *entry = data + 8;
        for (uint32_t i = 0; i < topics; i++) {
            for (uint32_t k = 0; k < commit->counts[order[i]]; k++, entry += ENTRY_SIZE) {
                commit->ends[order[i]][k] = (struct gf_folder_end){
                    .end = (int64_t)take(entry, 8),
                    .first = (int64_t)take(entry + 8, 8),
                    .size = take(entry + 16, 8),
                };
            }
        }
    }
    free(data);
    return rc;
}

enum gf_rc
gf_folder_commit_load(struct gf_folder_commit *commit, const char *log, struct gf_error *error)
{
    *commit = (struct gf_folder_commit){.memory = NULL};
    char path[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_folder_path(error, path, "%s/commit", log);
    if (rc != GF_OK) {
        return rc;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? gf_fail(error, GF_E_NOT_FOUND, "%s: no such file", path)
                               : gf_folder_fail(error, "open", path);
    }
    struct stat info;
    uint32_t topics = 0;
    int order[TOPICS_MAX];
    rc = fstat(fd, &info) != 0
             ? gf_folder_fail(error, "read", path)
             : header_load(commit, fd, (uint64_t)info.st_size, path, &topics, order, error);
    if (rc == GF_OK) {
        rc = record_load(commit, fd, (uint64_t)info.st_size, path, topics, order, error);
    }
    close(fd);
    if (rc != GF_OK) {
        gf_folder_commit_fini(commit);
    }
    return rc;
}

/* Header and record of all output topics, in the order of the table; malloc'd. */
static uint8_t *
commit_print(const struct gf_folder_commit *commit, size_t *header_out, size_t *record_out)
{
    const uint32_t topics = topics_count(commit);
    assert(topics <= TOPICS_MAX && commit->partitions <= PARTITIONS_MAX);
    const size_t head = header_size(topics), size = record_size(commit);
    uint8_t *data = calloc(1, head + size);
    if (data == NULL) {
        return NULL;
    }
    memcpy(data, magic, sizeof magic);
    put(data + 8, VERSION, 4);
    put(data + 12, topics, 4);
    put(data + 16, commit->partitions, 4);
    put(data + 20, head, 4);
    uint8_t *name = data + HEAD_SIZE, *entry = data + head + 8;
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        const uint32_t count = commit->counts[topic];
        if (count == 0) {
            continue;
        }
        memcpy(name, gf_topics[topic].name, strnlen(gf_topics[topic].name, COUNT_AT - 1));
        put(name + COUNT_AT, count == commit->partitions ? 0 : count, 4);
        name += NAME_SIZE;
        for (uint32_t i = 0; i < count; i++, entry += ENTRY_SIZE) {
            const struct gf_folder_end end = commit->ends[topic][i];
            put(entry, (uint64_t)end.end, 8);
            put(entry + 8, (uint64_t)end.first, 8);
            put(entry + 16, end.size, 8);
        }
    }
    put(data + head - 8, header_sum(data, head), 8);
    put(data + head, commit->sequence, 8);
    put(data + head + size - 8, record_sum(data + head, size), 8);
    *header_out = head;
    *record_out = size;
    return data;
}

static enum gf_rc
commit_replace(const char *log, const char *path, struct gf_span data, bool no_sync,
               struct gf_error *error)
{
    char fresh[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_folder_path(error, fresh, "%s/commit.new", log);
    if (rc != GF_OK) {
        return rc;
    }
    const int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        return gf_folder_fail(error, "make", fresh);
    }
    rc = gf_folder_pwrite(fd, data.data, data.size, 0, fresh, error);
    if (rc == GF_OK && !no_sync && fsync(fd) != 0) {
        rc = gf_folder_fail(error, "sync", fresh);
    }
    close(fd);
    if (rc == GF_OK && rename(fresh, path) != 0) {
        rc = gf_folder_fail(error, "rename", fresh);
    }
    return rc == GF_OK && !no_sync ? gf_folder_sync(log, error) : rc;
}

static enum gf_rc
commit_append(const char *path, struct gf_span data, uint64_t position, bool no_sync,
              struct gf_error *error)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return gf_folder_fail(error, "open", path);
    }
    enum gf_rc rc = gf_folder_pwrite(fd, data.data, data.size, position, path, error);
    if (rc == GF_OK && !no_sync && fdatasync(fd) != 0) {
        rc = gf_folder_fail(error, "sync", path);
    }
    close(fd);
    return rc;
}

enum gf_rc
gf_folder_commit_store(struct gf_folder_commit *commit, const char *log, bool no_sync,
                       struct gf_error *error)
{
    char path[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_folder_path(error, path, "%s/commit", log);
    if (rc != GF_OK) {
        return rc;
    }
    commit->sequence++;
    size_t head = 0, size = 0;
    uint8_t *data = commit_print(commit, &head, &size);
    if (data == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory", path);
    }
    if (commit->size == 0 || !commit->is_ordered ||
        commit->size + size > GF_FOLDER_COMMIT_SIZE_MAX) {
        rc = commit_replace(log, path, gf_span_of(data, head + size), no_sync, error);
        commit->size = head + size;
        commit->is_ordered = true;
    } else {
        rc = commit_append(path, gf_span_of(data + head, size), commit->size, no_sync, error);
        commit->size += size;
    }
    free(data);
    return rc;
}
