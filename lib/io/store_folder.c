#include "io/store_folder.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/scratch.h"
#include "io/store_folder_private.h"

/* A process may have dozens of shards, each with up to three segments in memory. Small tables, too,
 * are what a snapshot shares with the one before. */
#define MIB           UINT64_C(1048576)
#define SEGMENT_BYTES (4 * MIB)
#define TABLE_BYTES   (16 * MIB)
#define CACHE_BYTES   (32 * MIB)
#define FILES_MAX     64
#define KEEP          3
#define TURNS_MAX     100
#define PUT_AWAY_MAX  10000

static struct store_folder *
folder_of(struct gf_stores *stores)
{
    return (struct store_folder *)stores;
}

void
folder_note(struct store_folder *folder, enum gf_logger_level level, const char *event,
            uint32_t shard, const char *format, ...)
{
    char text[GF_ERROR_TEXT_SIZE + 256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (folder->options.note != NULL) {
        folder->options.note(folder->options.context, level, event, shard, text);
    }
}

enum gf_rc
folder_shard_path(const struct store_folder *folder, uint32_t shard, const char *rest,
                  char out[GF_FOLDER_PATH_SIZE], struct gf_error *error)
{
    return gf_folder_path(error, out, "%s/shard-%04" PRIu32 "%s", folder->path, shard, rest);
}

static bool
is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* ---- the lock of a shard ---- */

static enum gf_rc
shard_lock(const struct store_folder *folder, uint32_t shard, int *out, struct gf_error *error)
{
    char path[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = folder_shard_path(folder, shard, ".lock", path, error);
    if (rc != GF_OK) {
        return rc;
    }
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) {
        return gf_folder_fail(error, "open", path);
    }
    char owner[24] = {0};
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        const bool is_told = pread(file, owner, sizeof(owner) - 1, 0) > 0;
        close(file);
        return gf_fail(error, GF_E_BUSY,
                       "store %s/shard-%04" PRIu32
                       ": process %ld has it open; stop that one or use another folder",
                       folder->path, shard, is_told ? strtol(owner, NULL, 10) : 0);
    }
    /* Who it is helps a person; without it the lock holds all the same. */
    const int size = snprintf(owner, sizeof(owner), "%ld\n", (long)getpid());
    if (ftruncate(file, 0) != 0 || pwrite(file, owner, (size_t)size, 0) != size) {
        (void)ftruncate(file, 0);
    }
    *out = file;
    return GF_OK;
}

/* What a dead process left; the lock is held. Links that a snapshot of ours is being made of stay:
 * `but_links`. */
static void
litter_remove(const struct store_folder *folder, uint32_t shard, bool but_links)
{
    static const char *const rests[] = {".restoring", ".links", ".links.tmp"};
    for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
        char path[GF_FOLDER_PATH_SIZE];
        if ((i == 0 || !but_links) &&
            folder_shard_path(folder, shard, rests[i], path, NULL) == GF_OK && is_folder(path)) {
            gf_scratch_remove(path);
        }
    }
}

/* ---- putting away ---- */

static enum gf_rc
put_away(struct store_folder *folder, uint32_t shard, const char *why, struct gf_error *error)
{
    char from[GF_FOLDER_PATH_SIZE], to[GF_FOLDER_PATH_SIZE], rest[32];
    enum gf_rc rc = folder_shard_path(folder, shard, "", from, error);
    if (rc != GF_OK || !is_folder(from)) {
        return rc;
    }
    for (uint32_t n = 1;; n++) {
        snprintf(rest, sizeof(rest), ".damaged-%" PRIu32, n);
        rc = folder_shard_path(folder, shard, rest, to, error);
        if (rc != GF_OK) {
            return rc;
        }
        if (access(to, F_OK) != 0) {
            break;
        }
        if (n == PUT_AWAY_MAX) {
            return gf_fail(error, GF_E_IO, "%s: too many damaged stores are kept; remove some", to);
        }
    }
    if (rename(from, to) != 0) {
        return gf_folder_fail(error, "rename", from);
    }
    rc = gf_folder_sync(folder->path, error);
    if (rc != GF_OK) {
        return rc;
    }
    pthread_mutex_lock(&folder->mutex);
    struct folder_shard *known = &folder->shards[shard];
    if (known->restored > 0) { /* what it came from is no better */
        known->trusted_below = known->restored;
        known->restored = 0;
    }
    pthread_mutex_unlock(&folder->mutex);
    folder_note(folder, GF_LEVEL_WARN, "store_put_away", shard,
                "%s; it is kept as %s and may be removed once nobody wants to look at it", why, to);
    return GF_OK;
}

static enum gf_rc
folder_condemn(struct gf_stores *stores, uint32_t shard, const char *why, struct gf_error *error)
{
    struct store_folder *folder = folder_of(stores);
    assert(shard < GF_STORE_FOLDER_SHARDS_MAX);
    assert(!folder->options.is_read_only);
    int lock = -1;
    enum gf_rc rc = shard_lock(folder, shard, &lock, error);
    if (rc == GF_OK) {
        rc = put_away(folder, shard, why, error);
        close(lock);
    }
    return rc;
}

/* ---- opening ---- */

/* Brings back the newest snapshot that is whole. GF_OK without one, too: the store starts empty. */
static enum gf_rc
shard_restore(struct store_folder *folder, uint32_t shard, const char *path, struct gf_error *error)
{
    char restoring[GF_FOLDER_PATH_SIZE];
    int64_t *batches = NULL;
    uint32_t count = 0;
    enum gf_rc rc = folder_shard_path(folder, shard, ".restoring", restoring, error);
    if (rc == GF_OK) { /* a share that is not mounted is no reason to start over */
        rc = gf_folder_make(folder->snapshots, true, error);
    }
    if (rc == GF_OK) {
        rc = gf_snapshot_batches(folder->snapshots, shard, &batches, &count, error);
    }
    pthread_mutex_lock(&folder->mutex);
    const int64_t trusted_below = folder->shards[shard].trusted_below;
    pthread_mutex_unlock(&folder->mutex);
    int64_t restored = 0;
    for (uint32_t i = 0; rc == GF_OK && restored == 0 && i < count; i++) {
        if (trusted_below > 0 && batches[i] >= trusted_below) {
            continue;
        }
        rc = gf_snapshot_restore(folder->snapshots, shard, batches[i], restoring, error);
        if (rc == GF_OK && rename(restoring, path) != 0) {
            rc = gf_folder_fail(error, "rename", restoring);
        }
        if (rc == GF_E_STATE || rc == GF_E_VERSION) {
            folder_note(folder, GF_LEVEL_WARN, "snapshot_damaged", shard,
                        "snapshot of batch %" PRId64 " is passed over: %s", batches[i],
                        error->text);
            gf_scratch_remove(restoring);
            rc = GF_OK;
            continue;
        }
        restored = rc == GF_OK ? batches[i] : 0;
    }
    free(batches);
    if (rc == GF_OK && restored > 0) {
        rc = gf_folder_sync(folder->path, error);
        pthread_mutex_lock(&folder->mutex);
        folder->shards[shard].restored = restored;
        pthread_mutex_unlock(&folder->mutex);
        folder_note(folder, GF_LEVEL_INFO, "store_restored", shard,
                    "from the snapshot of batch %" PRId64, restored);
    }
    return rc;
}

static struct gf_rocks_store_options
rocks_options(const struct store_folder *folder, const char *path)
{
    return (struct gf_rocks_store_options){.path = path,
                                           .cache = folder->cache,
                                           .segment_bytes = SEGMENT_BYTES,
                                           .table_bytes = TABLE_BYTES,
                                           .files_max = FILES_MAX,
                                           .is_read_only = folder->options.is_read_only};
}

/* A store that nothing was ever written to: a snapshot is better. */
static bool
is_empty(struct gf_store *store, uint32_t shard)
{
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    struct gf_error error;
    if (store->ops->metas(store, shard, metas, &error) != GF_OK) {
        return false;
    }
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        if (metas[slice].batch > 0) {
            return false;
        }
    }
    return true;
}

static enum gf_rc
shard_open_as_it_is(struct store_folder *folder, const char *path, struct gf_store **out,
                    struct gf_error *error)
{
    if (!is_folder(path)) {
        return gf_fail(error, GF_E_NOT_FOUND, "store %s: there is none", path);
    }
    const struct gf_rocks_store_options options = rocks_options(folder, path);
    return gf_rocks_store_open(&options, out, error);
}

/* One attempt, the lock held. */
static enum gf_rc
shard_try(struct store_folder *folder, uint32_t shard, const char *path, struct gf_store **out,
          struct gf_error *error)
{
    const bool with_snapshots = folder->options.snapshots != NULL;
    const bool is_new = !is_folder(path);
    struct gf_rocks_store_options options = rocks_options(folder, path);
    enum gf_rc rc = is_new && with_snapshots ? shard_restore(folder, shard, path, error) : GF_OK;
    if (rc == GF_OK) {
        rc = gf_rocks_store_open(&options, out, error);
    }
    if (rc != GF_OK || is_new || !with_snapshots || !is_empty(*out, shard)) {
        return rc;
    }
    (*out)->ops->close(*out);
    gf_scratch_remove(path);
    rc = shard_restore(folder, shard, path, error);
    return rc == GF_OK ? gf_rocks_store_open(&options, out, error) : rc;
}

static enum gf_rc
shard_open(struct store_folder *folder, uint32_t shard, const char *path, struct gf_store **out,
           struct gf_error *error)
{
    for (uint32_t turn = 0;; turn++) { /* each leaves one snapshot fewer to try */
        const enum gf_rc rc = shard_try(folder, shard, path, out, error);
        if (rc != GF_E_STATE || turn == TURNS_MAX) {
            return rc;
        }
        char why[GF_ERROR_TEXT_SIZE];
        snprintf(why, sizeof(why), "%s", error->text);
        const enum gf_rc away = put_away(folder, shard, why, error);
        if (away != GF_OK) {
            return away;
        }
    }
}

static enum gf_rc
folder_open(struct gf_stores *stores, uint32_t shard, struct gf_store **out, struct gf_error *error)
{
    struct store_folder *folder = folder_of(stores);
    char path[GF_FOLDER_PATH_SIZE];
    struct gf_store *store = NULL;
    int lock = -1;
    assert(shard < GF_STORE_FOLDER_SHARDS_MAX);
    enum gf_rc rc = folder_shard_path(folder, shard, "", path, error);
    if (rc == GF_OK && folder->options.is_read_only) {
        return shard_open_as_it_is(folder, path, out, error);
    }
    if (rc == GF_OK) {
        rc = shard_lock(folder, shard, &lock, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    pthread_mutex_lock(&folder->mutex);
    const bool has_links = folder->shards[shard].is_waiting || folder->shards[shard].is_copying;
    pthread_mutex_unlock(&folder->mutex);
    litter_remove(folder, shard, has_links);
    rc = folder->options.leaves_damage ? shard_open_as_it_is(folder, path, &store, error)
                                       : shard_open(folder, shard, path, &store, error);
    if (rc != GF_OK) {
        close(lock);
        return rc;
    }
    gf_rocks_store_keep_lock(store, lock);
    folder_snapshot_plan(folder, shard);
    *out = store;
    return GF_OK;
}

/* ---- the folder ---- */

/* "shard-0003" and what follows it; false for other names. */
static bool
name_parse(const char *name, uint32_t *shard_out, const char **rest_out)
{
    if (strncmp(name, "shard-", 6) != 0 || strspn(name + 6, "0123456789") != 4) {
        return false;
    }
    *shard_out = (uint32_t)strtoul(name + 6, NULL, 10);
    *rest_out = name + 10;
    return *shard_out < GF_STORE_FOLDER_SHARDS_MAX;
}

static int
shard_compare(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

enum gf_rc
gf_store_folder_shards(const char *path, uint32_t **out, uint32_t *count_out,
                       struct gf_error *error)
{
    uint32_t *shards = calloc(GF_STORE_FOLDER_SHARDS_MAX, sizeof(*shards)), count = 0;
    if (shards == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory for its list", path);
    }
    DIR *directory = opendir(path);
    if (directory == NULL && errno != ENOENT) {
        free(shards);
        return gf_folder_fail(error, "open folder", path);
    }
    for (struct dirent *entry = directory == NULL ? NULL : readdir(directory);
         entry != NULL && count < GF_STORE_FOLDER_SHARDS_MAX; entry = readdir(directory)) {
        const char *rest = NULL;
        if (name_parse(entry->d_name, &shards[count], &rest) && rest[0] == '\0') {
            count++;
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    qsort(shards, count, sizeof(*shards), shard_compare);
    *out = shards;
    *count_out = count;
    return GF_OK;
}

/* Links and half restored stores of shards that may never come back to this process. */
static void
all_litter_remove(const struct store_folder *folder)
{
    DIR *directory = opendir(folder->path);
    for (struct dirent *entry = directory == NULL ? NULL : readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        const char *rest = NULL;
        uint32_t shard = 0;
        int lock = -1;
        const bool is_litter = name_parse(entry->d_name, &shard, &rest) &&
                               (strncmp(rest, ".links", 6) == 0 || strcmp(rest, ".restoring") == 0);
        if (is_litter && shard_lock(folder, shard, &lock, NULL) == GF_OK) {
            litter_remove(folder, shard, false);
            close(lock);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

static enum gf_rc
folder_prepare(struct store_folder *folder, const struct gf_store_folder_options *options,
               struct gf_error *error)
{
    char current[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_folder_path(error, folder->path, "%s", options->path);
    if (rc == GF_OK && options->snapshots != NULL) {
        rc = gf_folder_path(error, folder->snapshots, "%s", options->snapshots);
        folder->options.snapshots = folder->snapshots;
    }
    if (rc == GF_OK) {
        rc = gf_folder_path(error, current, "%s/CURRENT", folder->path);
    }
    if (rc == GF_OK && access(current, F_OK) == 0) {
        return gf_fail(error, GF_E_VERSION,
                       "store %s: it is one store for all shards, as older versions had it; move "
                       "it away: the next start rebuilds the state from the journal",
                       folder->path);
    }
    if (rc == GF_OK && !options->is_read_only) {
        rc = gf_folder_make(folder->path, true, error);
        if (rc != GF_OK) {
            return gf_fail_prefix(error, rc, "store %s", folder->path);
        }
        all_litter_remove(folder);
    }
    return rc;
}

static void
folder_close_shard(struct gf_stores *stores, uint32_t shard, struct gf_store *store)
{
    (void)stores;
    (void)shard;
    store->ops->close(store);
}

static const struct gf_stores_ops folder_ops = {
    .name = "folder",
    .open = folder_open,
    .close = folder_close_shard,
    .condemn = folder_condemn,
    .snapshot = folder_snapshot,
};

enum gf_rc
gf_store_folder_open(const struct gf_store_folder_options *options, struct gf_stores **out,
                     struct gf_error *error)
{
    struct store_folder *folder = calloc(1, sizeof(*folder));
    if (folder == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "store %s: no memory to open it", options->path);
    }
    folder->stores.ops = &folder_ops;
    folder->options = *options;
    folder->options.snapshot_keep = options->snapshot_keep == 0 ? KEEP : options->snapshot_keep;
    pthread_mutex_init(&folder->mutex, NULL);
    pthread_cond_init(&folder->changed, NULL);
    folder->cache = gf_rocks_cache_new(
        options->block_cache_bytes == 0 ? CACHE_BYTES : options->block_cache_bytes);
    enum gf_rc rc =
        folder->cache == NULL
            ? gf_fail(error, GF_E_NO_MEMORY, "store %s: no memory for a cache", options->path)
            : folder_prepare(folder, options, error);
    if (rc != GF_OK) {
        gf_store_folder_close(&folder->stores);
        return rc;
    }
    *out = &folder->stores;
    return GF_OK;
}

void
gf_store_folder_close(struct gf_stores *stores)
{
    if (stores == NULL) {
        return;
    }
    struct store_folder *folder = folder_of(stores);
    folder_snapshot_stop(folder);
    gf_rocks_cache_free(folder->cache);
    pthread_cond_destroy(&folder->changed);
    pthread_mutex_destroy(&folder->mutex);
    free(folder);
}
