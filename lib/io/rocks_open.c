#include <assert.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/rocks_private.h"

#define MIB                   UINT64_C(1048576)
#define BLOCK_CACHE_BYTES     (32 * MIB)
#define SEGMENT_BYTES         (32 * MIB)
#define TABLE_BYTES           (64 * MIB)
#define POINT_IN_TIME         2 /* rocksdb::WALRecoveryMode */
#define LEVEL_COUNT           7
#define LOG_LEVEL_FATAL       4
#define BLOOM_BITS_PER_KEY    10
#define ROOM_BYTES            (128 * 1024)
#define FILES_OPEN_MAX        512
#define SCAN_READ_AHEAD_BYTES (256 * 1024)
#define READ_ONLY_ATTEMPTS    10 /* the owner may put away a file between two looks at its folder */

struct gf_rocks_cache {
    rocksdb_cache_t *cache;
};

struct gf_rocks_cache *
gf_rocks_cache_new(uint64_t bytes)
{
    struct gf_rocks_cache *cache = malloc(sizeof(*cache));
    if (cache != NULL) {
        cache->cache = rocksdb_cache_create_lru(bytes);
    }
    return cache;
}

void
gf_rocks_cache_free(struct gf_rocks_cache *cache)
{
    if (cache != NULL) {
        rocksdb_cache_destroy(cache->cache); /* open stores hold on to what is in it */
        free(cache);
    }
}

/* Memory: one cache for blocks, indexes and filters; three write buffers. */
static void
options_set_memory(struct rocks_store *rocks, const struct gf_rocks_store_options *given)
{
    rocksdb_options_t *options = rocks->options;
    rocksdb_cache_t *cache = given->cache != NULL ? given->cache->cache : NULL;
    if (cache == NULL) {
        cache = rocks->cache = rocksdb_cache_create_lru(
            given->block_cache_bytes == 0 ? BLOCK_CACHE_BYTES : given->block_cache_bytes);
    }
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    rocksdb_block_based_options_set_block_size(table, 16 * 1024);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS_PER_KEY));
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);

    /* We switch the buffer ourselves (rocks_chain.c); RocksDB's own limit must stay out of reach.
     * It reserves nothing. */
    rocksdb_options_set_write_buffer_size(options, rocks->segment_bytes_max * 8);
    rocksdb_options_set_max_write_buffer_number(options, 3);
    /* A reader beside the owner opens all tables at once: later they may be gone. */
    rocksdb_options_set_max_open_files(options, given->is_read_only     ? -1
                                                : given->files_max == 0 ? FILES_OPEN_MAX
                                                                        : (int)given->files_max);
}

/* Sweeps come in key order, so a flushed table covers few slices, and all that it overlaps is
 * rewritten anyway. One big level under level 0 then costs each byte one rewrite; more levels would
 * cost one each. */
static void
options_set_tables(rocksdb_options_t *options, const struct gf_rocks_store_options *given)
{
    const int compressions[LEVEL_COUNT] = {
        rocksdb_no_compression,  rocksdb_lz4_compression, rocksdb_lz4_compression,
        rocksdb_lz4_compression, rocksdb_lz4_compression, rocksdb_lz4_compression,
        rocksdb_lz4_compression,
    };
    rocksdb_options_set_num_levels(options, LEVEL_COUNT);
    rocksdb_options_set_compression_per_level(options, compressions, LEVEL_COUNT);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, 4);
    rocksdb_options_set_max_bytes_for_level_base(options, 1024 * 1024 * MIB);
    rocksdb_options_set_target_file_size_base(
        options, given->table_bytes == 0 ? TABLE_BYTES : given->table_bytes);
    rocksdb_options_set_bytes_per_sync(options, MIB);
    rocksdb_options_set_wal_bytes_per_sync(
        options, MIB); /* so that the sync at a switch finds little to do */
    /* Disk is reserved ahead of what is written: 1.1 write buffers for a log, unless this is less,
     * which with one column family does nothing else. A store would keep 40 MiB that it never uses.
     */
    rocksdb_options_set_max_total_wal_size(options, MIB);
    rocksdb_options_set_manifest_preallocation_size(options, MIB / 16);
    rocksdb_options_set_max_background_jobs(options, 2);
}

static void
options_set(struct rocks_store *rocks, const struct gf_rocks_store_options *given)
{
    rocks->options = rocksdb_options_create();
    rocksdb_options_t *options = rocks->options;
    rocksdb_options_set_create_if_missing(options, given->is_read_only ? 0 : 1);
    rocksdb_options_set_paranoid_checks(options, 1);
    rocksdb_options_set_skip_stats_update_on_db_open(options, 1); /* quick to open */
    /* A damaged log ends the replay there: what follows is lost, slices get older numbers, and the
     * journal has it all. The strict modes would refuse to start over a torn last write. */
    rocksdb_options_set_wal_recovery_mode(options, POINT_IN_TIME);
    options_set_memory(rocks, given);
    options_set_tables(options, given);
    /* Its diary has little but how it was opened: where a line cannot be written any more (a full
     * disk), RocksDB ends the process at the next one. What goes wrong reaches us as a status. */
    rocksdb_options_set_info_log_level(options, LOG_LEVEL_FATAL);
    rocksdb_options_set_max_log_file_size(options, MIB);
    rocksdb_options_set_keep_log_file_num(options, 2);
    rocksdb_options_set_stats_dump_period_sec(options, 0);

    rocks->reading = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(rocks->reading, 1);
    rocks->scanning = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(rocks->scanning, 1);
    rocksdb_readoptions_set_fill_cache(rocks->scanning, 0);
    rocksdb_readoptions_set_readahead_size(rocks->scanning, SCAN_READ_AHEAD_BYTES);
    rocks->writing = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(rocks->writing, 0);
    rocks->flushing = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(rocks->flushing, 0);
    rocks->batch = rocksdb_writebatch_create();
}

/* RocksDB ends the process when the disk is full while it opens (see its diary above): asked
 * before. All that is wrong but that is left for RocksDB to say. */
static enum gf_rc
room_check(const struct rocks_store *rocks, struct gf_error *error)
{
    char name[4096];
    if (!rocks->is_read_only) {
        (void)mkdir(rocks->path, 0755);
    }
    if (snprintf(name, sizeof(name), "%s/room", rocks->path) >= (int)sizeof(name)) {
        return GF_OK;
    }
    const int file = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int code = errno;
    if (file >= 0) {
        (void)unlink(name);
        code = posix_fallocate(file, 0, ROOM_BYTES);
        close(file);
    }
    if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
        return gf_fail(error, GF_E_NO_SPACE,
                       "store %s: open: no room for %d KiB (%s); make room and start again",
                       rocks->path, ROOM_BYTES / 1024, strerror(code));
    }
    return GF_OK;
}

/* RocksDB takes a folder without CURRENT for a new one, and clears it of the tables of the old. */
static enum gf_rc
remains_check(const struct rocks_store *rocks, struct gf_error *error)
{
    DIR *folder = opendir(rocks->path);
    bool has_current = false, has_data = false;
    for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
         entry = readdir(folder)) {
        const char *dot = strrchr(entry->d_name, '.');
        has_current = has_current || strcmp(entry->d_name, "CURRENT") == 0;
        has_data =
            has_data || (dot != NULL && (strcmp(dot, ".sst") == 0 || strcmp(dot, ".log") == 0));
    }
    if (folder != NULL) {
        closedir(folder);
    }
    if (rocks->is_read_only && !has_data && !has_current) {
        return gf_fail(error, GF_E_NOT_FOUND, "store %s: there is none", rocks->path);
    }
    return has_data && !has_current
               ? rocks_fail_damaged(rocks, error, "CURRENT is missing, and its tables are there")
               : GF_OK;
}

static enum gf_rc
database_open(struct rocks_store *rocks, struct gf_error *error)
{
    const char *const names[] = {"default"};
    const rocksdb_options_t *const options[] = {rocks->options};
    char *status = NULL;
    rocks->db =
        rocks->is_read_only
            ? rocksdb_open_for_read_only_column_families(rocks->options, rocks->path, 1, names,
                                                         options, &rocks->family, 0, &status)
            : rocksdb_open_column_families(rocks->options, rocks->path, 1, names, options,
                                           &rocks->family, &status);
    if (status == NULL) {
        return GF_OK;
    }
    rocks->db = NULL;
    return rocks_fail(rocks->path, "open", status, error);
}

static bool
database_is_empty(struct rocks_store *rocks)
{
    rocksdb_iterator_t *iterator =
        rocksdb_create_iterator_cf(rocks->db, rocks->reading, rocks->family);
    rocksdb_iter_seek_to_first(iterator);
    char *status = NULL;
    rocksdb_iter_get_error(iterator, &status);
    const bool is_empty = !rocksdb_iter_valid(iterator) && status == NULL;
    rocksdb_free(status);
    rocksdb_iter_destroy(iterator);
    return is_empty;
}

/* Before anything else is believed. */
static enum gf_rc
format_check(struct rocks_store *rocks, bool *is_new_out, struct gf_error *error)
{
    const struct rocks_key key = rocks_key_own(ROCKS_OWN_FORMAT, 0, (struct gf_span){0});
    struct gf_span value = {0};
    const enum gf_rc rc = rocks_value_get(rocks, &key, &value, error);
    if (rc != GF_OK) {
        return rc;
    }
    *is_new_out = value.size == 0;
    if (value.size == 0) {
        return database_is_empty(rocks)
                   ? GF_OK
                   : rocks_fail_damaged(rocks, error, "it does not say which format it has");
    }
    uint32_t format = 0;
    if (value.size != sizeof(format)) {
        return rocks_fail_damaged(rocks, error, "its format takes %u bytes", value.size);
    }
    memcpy(&format, value.data, sizeof(format));
    format = le32toh(format);
    if (format > GF_ROCKS_STORE_FORMAT) {
        return gf_fail(
            error, GF_E_VERSION,
            "store %s: it has format %u, written by a newer program; this one reads up to %u. Use "
            "the newer "
            "program, or move the store away: the next start rebuilds the state from the journal",
            rocks->path, format, GF_ROCKS_STORE_FORMAT);
    }
    return format == GF_ROCKS_STORE_FORMAT
               ? GF_OK
               : rocks_fail_damaged(rocks, error, "it has format %u", format);
}

static enum gf_rc
format_write(struct rocks_store *rocks, struct gf_error *error)
{
    const struct rocks_key key = rocks_key_own(ROCKS_OWN_FORMAT, 0, (struct gf_span){0});
    const uint32_t format = htole32(GF_ROCKS_STORE_FORMAT);
    rocks_batch_put(rocks, &key, gf_span_of(&format, sizeof(format)));
    return rocks_batch_write(rocks, "write of the format", error);
}

static enum gf_rc
database_start(struct rocks_store *rocks, struct gf_error *error)
{
    bool is_new = false;
    enum gf_rc rc = room_check(rocks, error);
    if (rc == GF_OK) {
        rc = remains_check(rocks, error);
    }
    if (rc == GF_OK) {
        rc = database_open(rocks, error);
    }
    if (rc == GF_OK) {
        rc = format_check(rocks, &is_new, error);
    }
    if (rc == GF_OK) {
        rc = rocks_chain_open(rocks, error);
    }
    if (rc == GF_OK && is_new && !rocks->is_read_only) {
        rc = format_write(rocks, error);
    }
    return rc;
}

static void
database_close(struct rocks_store *rocks)
{
    if (rocks->db != NULL) {
        rocksdb_cancel_all_background_work(rocks->db, 1);
        rocksdb_column_family_handle_destroy(rocks->family);
        rocksdb_close(rocks->db);
        rocks->db = NULL;
    }
}

enum gf_rc
gf_rocks_store_open(const struct gf_rocks_store_options *options, struct gf_store **out,
                    struct gf_error *error)
{
    assert(options->path != NULL);
    struct rocks_store *rocks = calloc(1, sizeof(*rocks));
    char *path = strdup(options->path);
    if (rocks == NULL || path == NULL) {
        free(rocks);
        free(path);
        return gf_fail(error, GF_E_NO_MEMORY, "store %s: no memory to open it", options->path);
    }
    rocks->store.ops = &rocks_store_ops;
    rocks->path = path;
    rocks->is_read_only = options->is_read_only;
    rocks->lock = -1;
    rocks->segment_bytes_max = options->segment_bytes == 0 ? SEGMENT_BYTES : options->segment_bytes;
    options_set(rocks, options);

    enum gf_rc rc = database_start(rocks, error);
    for (int attempt = 1;
         rocks->is_read_only && rc != GF_OK && rc != GF_E_NOT_FOUND && attempt < READ_ONLY_ATTEMPTS;
         attempt++) {
        database_close(rocks);
        rc = database_start(rocks, error);
    }
    if (rc != GF_OK) {
        rocks_store_close(&rocks->store);
        return rc;
    }
    *out = &rocks->store;
    return GF_OK;
}

void
gf_rocks_store_keep_lock(struct gf_store *store, int file)
{
    ((struct rocks_store *)store)->lock = file;
}

enum gf_rc
gf_rocks_store_link(struct gf_store *store, const char *folder, struct gf_error *error)
{
    struct rocks_store *rocks = (struct rocks_store *)store;
    char *status = NULL;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(rocks->db, &status);
    if (status == NULL) {
        /* The write buffer is not flushed for it: the newest log file, a segment at most, is
         * copied. */
        rocksdb_checkpoint_create(checkpoint, folder, UINT64_MAX, &status);
    }
    if (checkpoint != NULL) {
        rocksdb_checkpoint_object_destroy(checkpoint);
    }
    return status == NULL ? GF_OK : rocks_fail(rocks->path, "links for a snapshot", status, error);
}

void
rocks_store_close(struct gf_store *store)
{
    if (store == NULL) {
        return;
    }
    struct rocks_store *rocks = (struct rocks_store *)store;
    database_close(rocks);
    rocksdb_writebatch_destroy(rocks->batch);
    rocksdb_flushoptions_destroy(rocks->flushing);
    rocksdb_writeoptions_destroy(rocks->writing);
    rocksdb_readoptions_destroy(rocks->scanning);
    rocksdb_readoptions_destroy(rocks->reading);
    rocksdb_options_destroy(rocks->options);
    if (rocks->cache != NULL) {
        rocksdb_cache_destroy(rocks->cache);
    }
    if (rocks->lock >= 0) {
        close(rocks->lock);
    }
    free(rocks->requests);
    free(rocks->values);
    free(rocks->path);
    free(rocks);
}
