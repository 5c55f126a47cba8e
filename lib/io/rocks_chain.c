#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "io/rocks_private.h"

#define REBUILD "move it away; the next start rebuilds the state from the journal"

/* The process that holds the lock, 0 when the kernel does not say. */
static pid_t
lock_owner(const char *path)
{
    char name[4096];
    if (snprintf(name, sizeof(name), "%s/LOCK", path) >= (int)sizeof(name)) {
        return 0;
    }
    const int file = open(name, O_RDWR | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const bool is_told = fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(file);
    return is_told ? lock.l_pid : 0;
}

static enum gf_rc
busy_fail(const char *path, const char *status, struct gf_error *error)
{
    /* To close a file of ours would drop our own lock on it, so this process does not ask who it
     * is. */
    if (strstr(status, "current process") != NULL) {
        return gf_fail(error, GF_E_BUSY, "store %s: this process has it open already", path);
    }
    const pid_t owner = lock_owner(path);
    if (owner == 0) {
        return gf_fail(error, GF_E_BUSY,
                       "store %s: another process has it open; stop that one or use another folder",
                       path);
    }
    return gf_fail(error, GF_E_BUSY,
                   "store %s: process %ld has it open; stop that one or use another folder", path,
                   (long)owner);
}

/* Files that belong to a store and are not there, against a place that is not there. */
static bool
is_damage(const char *status)
{
    static const char *const parts[] = {"MANIFEST-", "CURRENT", ".sst", ".log"};
    if (strncmp(status, "Corruption", 10) == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(status, "No such file") != NULL && strstr(status, parts[i]) != NULL) {
            return true;
        }
    }
    return false;
}

enum gf_rc
rocks_fail(const char *path, const char *doing, char *status, struct gf_error *error)
{
    assert(status != NULL);
    enum gf_rc rc;
    if (strstr(status, "No space left") != NULL || strstr(status, "NoSpace") != NULL ||
        strstr(status, "File too large") != NULL || strstr(status, "quota exceeded") != NULL) {
        rc = gf_fail(error, GF_E_NO_SPACE,
                     "store %s: %s: the disk is full; make room and start again (%s)", path, doing,
                     status);
    } else if (strstr(status, "lock hold by current process") != NULL ||
               (strstr(status, "lock file") != NULL &&
                strstr(status, "Resource temporarily unavailable") != NULL)) {
        rc = busy_fail(path, status, error);
    } else if (is_damage(status)) {
        rc = gf_fail(error, GF_E_STATE, "store %s: %s: %s; " REBUILD, path, doing, status);
    } else {
        rc = gf_fail(error, GF_E_IO, "store %s: %s: %s; see to its place, or " REBUILD, path, doing,
                     status);
    }
    rocksdb_free(status);
    return rc;
}

enum gf_rc
rocks_fail_damaged(const struct rocks_store *rocks, struct gf_error *error, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return gf_fail(error, GF_E_STATE, "store %s: %s; " REBUILD, rocks->path, text);
}

struct rocks_key
rocks_key_of(uint32_t shard, uint32_t slice, uint32_t kind, struct gf_span rest)
{
    assert(shard <= ROCKS_SHARD_OF_STORE);
    assert(slice < 256 && kind < 256);
    assert(rest.size <= ROCKS_NAME_SIZE_MAX);
    struct rocks_key key = {.size = ROCKS_PREFIX_SIZE + rest.size};
    key.bytes[0] = (uint8_t)(shard >> 8);
    key.bytes[1] = (uint8_t)shard;
    key.bytes[2] = (uint8_t)slice;
    key.bytes[3] = (uint8_t)kind;
    if (rest.size > 0) {
        memcpy(key.bytes + ROCKS_PREFIX_SIZE, rest.data, rest.size);
    }
    return key;
}

struct rocks_key
rocks_key_own(enum rocks_own own, uint32_t index, struct gf_span rest)
{
    return rocks_key_of(ROCKS_SHARD_OF_STORE, (uint32_t)own, index, rest);
}

/* The key is part of it, so that a value in the wrong place is a damaged one. */
static uint32_t
checksum_of(struct gf_span key, struct gf_span value)
{
    return (uint32_t)gf_hash64(value.data, value.size, gf_hash64(key.data, key.size, 0));
}

void
rocks_batch_put(struct rocks_store *rocks, const struct rocks_key *key, struct gf_span value)
{
    assert(value.size > 0);
    const uint32_t checksum = htole32(checksum_of(gf_span_of(key->bytes, key->size), value));
    const char *const key_parts[] = {(const char *)key->bytes};
    const size_t key_sizes[] = {key->size};
    const char *const value_parts[] = {(const char *)value.data, (const char *)&checksum};
    const size_t value_sizes[] = {value.size, sizeof(checksum)};
    static_assert(sizeof(checksum) == ROCKS_TRAILER_SIZE, "a value ends in its checksum");
    rocksdb_writebatch_putv(rocks->batch, 1, key_parts, key_sizes, 2, value_parts, value_sizes);
    rocks->segment_bytes += key->size + value.size;
}

enum gf_rc
rocks_value_check(const struct rocks_store *rocks, struct gf_span key, struct gf_span stored,
                  struct gf_span *value_out, struct gf_error *error)
{
    if (stored.size <= ROCKS_TRAILER_SIZE) {
        return rocks_fail_damaged(rocks, error, "a value of %u bytes is too short to be one",
                                  stored.size);
    }
    const struct gf_span value = gf_span_of(stored.data, stored.size - ROCKS_TRAILER_SIZE);
    uint32_t checksum;
    memcpy(&checksum, stored.data + value.size, sizeof(checksum));
    if (le32toh(checksum) != checksum_of(key, value)) {
        return rocks_fail_damaged(
            rocks, error, "shard %u slice %u kind %u: the checksum of a value is wrong",
            (unsigned)key.data[0] << 8 | key.data[1], key.data[2], key.data[3]);
    }
    *value_out = value;
    return GF_OK;
}

enum gf_rc
rocks_values_add(struct rocks_store *rocks, struct gf_span value, size_t *at_out,
                 struct gf_error *error)
{
    const size_t at = (rocks->values_size + 7) & ~(size_t)7;
    if (at + value.size > rocks->values_capacity) {
        size_t capacity = rocks->values_capacity == 0 ? 65536 : rocks->values_capacity;
        while (capacity < at + value.size) {
            capacity *= 2;
        }
        uint8_t *values = realloc(rocks->values, capacity);
        if (values == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "store %s: no memory for %zu bytes of values",
                           rocks->path, capacity);
        }
        rocks->values = values;
        rocks->values_capacity = capacity;
    }
    memcpy(rocks->values + at, value.data, value.size);
    rocks->values_size = at + value.size;
    *at_out = at;
    return GF_OK;
}

enum gf_rc
rocks_value_get(struct rocks_store *rocks, const struct rocks_key *key, struct gf_span *value_out,
                struct gf_error *error)
{
    char *status = NULL;
    size_t size = 0;
    char *stored = rocksdb_get_cf(rocks->db, rocks->reading, rocks->family,
                                  (const char *)key->bytes, key->size, &size, &status);
    if (status != NULL) {
        return rocks_fail(rocks->path, "read", status, error);
    }
    if (stored == NULL) {
        *value_out = (struct gf_span){0};
        return GF_OK;
    }
    struct gf_span value = {0};
    size_t at = 0;
    rocks->values_size = 0;
    enum gf_rc rc = rocks_value_check(rocks, gf_span_of(key->bytes, key->size),
                                      gf_span_of(stored, size), &value, error);
    if (rc == GF_OK) {
        rc = rocks_values_add(rocks, value, &at, error);
    }
    rocksdb_free(stored);
    if (rc == GF_OK) {
        *value_out = gf_span_of(rocks->values + at, value.size);
    }
    return rc;
}

/* ---- the chain ----
 *
 * A write buffer and its log file hold one segment. The newest segments are kept, each rewritten by
 * every write of its own: {number, first write, last write}. When a segment's writes are lost, or
 * the end of them, while a later segment is there, its entry is too old or missing, and the numbers
 * do not meet. */

static void
segment_encode(const struct rocks_segment *segment, uint8_t out[24])
{
    const uint64_t values[3] = {htole64(segment->number), htole64(segment->first_write),
                                htole64(segment->last_write)};
    memcpy(out, values, sizeof(values));
}

static struct rocks_segment
segment_decode(const uint8_t in[24])
{
    uint64_t values[3];
    memcpy(values, in, sizeof(values));
    return (struct rocks_segment){.number = le64toh(values[0]),
                                  .first_write = le64toh(values[1]),
                                  .last_write = le64toh(values[2])};
}

enum gf_rc
rocks_chain_open(struct rocks_store *rocks, struct gf_error *error)
{
    struct rocks_segment segments[ROCKS_CHAIN_COUNT] = {0};
    struct rocks_segment newest = {0};
    for (uint32_t i = 0; i < ROCKS_CHAIN_COUNT; i++) {
        const struct rocks_key key = rocks_key_own(ROCKS_OWN_CHAIN, i, (struct gf_span){0});
        struct gf_span value = {0};
        const enum gf_rc rc = rocks_value_get(rocks, &key, &value, error);
        if (rc != GF_OK) {
            return rc;
        }
        if (value.size == 0) {
            continue;
        }
        if (value.size != 24) {
            return rocks_fail_damaged(rocks, error, "link %u of the chain of writes has %u bytes",
                                      i, value.size);
        }
        segments[i] = segment_decode(value.data);
        newest = segments[i].number > newest.number ? segments[i] : newest;
    }
    for (uint64_t n = newest.number; n > 1 && n + ROCKS_CHAIN_COUNT > newest.number + 1; n--) {
        const struct rocks_segment *later = &segments[n % ROCKS_CHAIN_COUNT];
        const struct rocks_segment *earlier = &segments[(n - 1) % ROCKS_CHAIN_COUNT];
        if (earlier->number != n - 1 || earlier->last_write + 1 != later->first_write) {
            return rocks_fail_damaged(rocks, error,
                                      "writes before write %llu are missing although it is there",
                                      (unsigned long long)later->first_write);
        }
    }
    rocks->segment = (struct rocks_segment){.number = newest.number + 1,
                                            .first_write = newest.last_write + 1,
                                            .last_write = newest.last_write};
    rocks->segment_bytes = 0;
    return GF_OK;
}

/* Starts another write buffer and log file. The old log file is synced first, so that a crash of
 * the machine cannot take writes from it and leave those of the next. */
static enum gf_rc
segment_switch(struct rocks_store *rocks, struct gf_error *error)
{
    char *status = NULL;
    rocksdb_flush_wal(rocks->db, 1, &status);
    if (status != NULL) {
        return rocks_fail(rocks->path, "sync of the write-ahead log", status, error);
    }
    rocksdb_flush(rocks->db, rocks->flushing, &status);
    if (status != NULL) {
        return rocks_fail(rocks->path, "switch of the write buffer", status, error);
    }
    rocks->segment.number++;
    rocks->segment.first_write = rocks->segment.last_write + 1;
    return GF_OK;
}

enum gf_rc
rocks_batch_write(struct rocks_store *rocks, const char *doing, struct gf_error *error)
{
    uint8_t link[24];
    rocks->segment.last_write++;
    segment_encode(&rocks->segment, link);
    const struct rocks_key key =
        rocks_key_own(ROCKS_OWN_CHAIN, (uint32_t)(rocks->segment.number % ROCKS_CHAIN_COUNT),
                      (struct gf_span){0});
    rocks_batch_put(rocks, &key, gf_span_of(link, sizeof(link)));
    char *status = NULL;
    rocksdb_write(rocks->db, rocks->writing, rocks->batch, &status);
    rocksdb_writebatch_clear(rocks->batch);
    if (status != NULL) {
        rocks->segment.last_write--;
        return rocks_fail(rocks->path, doing, status, error);
    }
    if (rocks->segment_bytes < rocks->segment_bytes_max) {
        return GF_OK;
    }
    rocks->segment_bytes = 0;
    return segment_switch(rocks, error);
}
