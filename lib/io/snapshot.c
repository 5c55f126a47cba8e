#include "io/snapshot.h"

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

#include "engine/slice.h"
#include "io/folder_path.h"
#include "io/rocks_store.h"
#include "loop/fault.h"

#define FILE_COUNT_MAX    100000
#define CACHE_BYTES       (1u << 20)
#define SIZE_OF_MARK_TEXT 2

/* ---- what is in it ---- */

/* Files of a store that matter; the rest are its lock and its diary. */
static bool
is_of_store(const char *name)
{
    const char *dot = strrchr(name, '.');
    return strcmp(name, "CURRENT") == 0 || strncmp(name, "MANIFEST-", 9) == 0 ||
           strncmp(name, "OPTIONS-", 8) == 0 ||
           (dot != NULL && (strcmp(dot, ".sst") == 0 || strcmp(dot, ".log") == 0));
}

static int
file_compare(const void *left, const void *right)
{
    return strcmp(((const struct gf_snapshot_file *)left)->name,
                  ((const struct gf_snapshot_file *)right)->name);
}

static enum gf_rc
file_add(struct gf_snapshot *snapshot, const char *links, const char *name, struct gf_error *error)
{
    if (strlen(name) >= GF_SNAPSHOT_NAME_SIZE || snapshot->file_count == FILE_COUNT_MAX) {
        return gf_fail(error, GF_E_IO, "%s: %s is no file of a store, or there are too many", links,
                       name);
    }
    struct gf_snapshot_file *files =
        realloc(snapshot->files, (snapshot->file_count + 1) * sizeof(*files));
    if (files == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory for its files", links);
    }
    snapshot->files = files;
    struct gf_snapshot_file *file = &files[snapshot->file_count];
    *file = (struct gf_snapshot_file){0};
    memcpy(file->name, name, strlen(name) + 1);
    char path[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_folder_path(error, path, "%s/%s", links, name);
    if (rc == GF_OK) {
        rc = gf_snapshot_file_sum(path, &file->size, &file->digest, error);
    }
    snapshot->file_count += rc == GF_OK;
    return rc;
}

static enum gf_rc
files_list(struct gf_snapshot *snapshot, const char *links, struct gf_error *error)
{
    DIR *directory = opendir(links);
    if (directory == NULL) {
        return gf_folder_fail(error, "open folder", links);
    }
    enum gf_rc rc = GF_OK;
    for (struct dirent *entry = readdir(directory); rc == GF_OK && entry != NULL;
         entry = readdir(directory)) {
        if (is_of_store(entry->d_name)) {
            rc = file_add(snapshot, links, entry->d_name, error);
        }
    }
    closedir(directory);
    if (rc == GF_OK && snapshot->file_count > 0) {
        qsort(snapshot->files, snapshot->file_count, sizeof(*snapshot->files), file_compare);
    }
    return rc;
}

static enum gf_rc
mark_read(struct gf_store *store, struct gf_snapshot *snapshot, struct gf_error *error)
{
    char name[32];
    struct gf_span mark = {0};
    snprintf(name, sizeof(name), GF_STORE_MARK_NAME, snapshot->shard);
    const enum gf_rc rc = store->ops->get_named(store, name, &mark, error);
    if (rc != GF_OK) {
        return rc;
    }
    const bool fits = mark.size > 0 && mark.size * SIZE_OF_MARK_TEXT < sizeof(snapshot->mark);
    snprintf(snapshot->mark, sizeof(snapshot->mark), "-");
    for (uint32_t i = 0; fits && i < mark.size; i++) {
        snprintf(snapshot->mark + (size_t)SIZE_OF_MARK_TEXT * i, 3, "%02x", mark.data[i]);
    }
    return GF_OK;
}

/* A snapshot of a damaged store would be trusted later: so every slice is read first. */
static enum gf_rc
slices_check(struct gf_store *store, struct gf_snapshot *snapshot,
             struct gf_snapshot_report *report, struct gf_error *error)
{
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    enum gf_rc rc = store->ops->metas(store, snapshot->shard, metas, error);
    snapshot->oldest = INT64_MAX;
    for (uint32_t slice = 0; rc == GF_OK && slice < GF_SLICE_COUNT; slice++) {
        rc = gf_slice_check(store, snapshot->shard, slice, &metas[slice], error);
        const int64_t batch = metas[slice].batch;
        snapshot->oldest = batch < snapshot->oldest ? batch : snapshot->oldest;
        snapshot->batch = batch > snapshot->batch ? batch : snapshot->batch;
        report->slice_count += batch > 0;
    }
    return rc;
}

static enum gf_rc
links_check(const struct gf_snapshot_take *take, struct gf_snapshot *snapshot,
            struct gf_snapshot_report *report, struct gf_error *error)
{
    const struct gf_rocks_store_options options = {
        .path = take->links, .block_cache_bytes = CACHE_BYTES, .is_read_only = true};
    struct gf_store *store = NULL;
    enum gf_rc rc = gf_rocks_store_open(&options, &store, error);
    if (rc != GF_OK) {
        return rc;
    }
    rc = slices_check(store, snapshot, report, error);
    if (rc == GF_OK) {
        rc = mark_read(store, snapshot, error);
    }
    store->ops->close(store);
    return rc;
}

/* ---- taking ---- */

static enum gf_rc
folders_make(const struct gf_snapshot_take *take, char out[GF_FOLDER_PATH_SIZE],
             struct gf_error *error)
{
    char files[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_snapshot_folder(take->folder, take->shard, out, error);
    if (rc == GF_OK) {
        rc = gf_folder_path(error, files, "%s/files", out);
    }
    if (rc == GF_OK) {
        rc = gf_folder_make(take->folder, true, error);
    }
    if (rc == GF_OK) {
        rc = gf_folder_make(out, true, error);
    }
    return rc == GF_OK ? gf_folder_make(files, true, error) : rc;
}

/* The snapshots of a shard have one writer, so that nobody takes away a file that another is about
 * to name. */
static enum gf_rc
folder_lock(const char *folder, int *out, struct gf_error *error)
{
    char path[GF_FOLDER_PATH_SIZE];
    const enum gf_rc rc = gf_folder_path(error, path, "%s/lock", folder);
    if (rc != GF_OK) {
        return rc;
    }
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) {
        return gf_folder_fail(error, "open", path);
    }
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        close(file);
        return gf_fail(error, GF_E_BUSY, "%s: another process writes snapshots of this shard",
                       folder);
    }
    *out = file;
    return GF_OK;
}

/* There under its name, whole; a file of another size is what a damaged disk left. */
static bool
is_there(const char *path, uint64_t size)
{
    struct stat about;
    return stat(path, &about) == 0 && (uint64_t)about.st_size == size;
}

static enum gf_rc
file_keep(const struct gf_snapshot_take *take, const struct gf_snapshot_file *file,
          struct gf_snapshot_report *report, struct gf_error *error)
{
    char from[GF_FOLDER_PATH_SIZE], to[GF_FOLDER_PATH_SIZE], beside[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_folder_path(error, from, "%s/%s", take->links, file->name);
    if (rc == GF_OK) {
        rc = gf_snapshot_file_path(take->folder, take->shard, file, to, error);
    }
    if (rc == GF_OK) {
        rc = gf_folder_path(error, beside, "%s.tmp", to);
    }
    report->bytes += file->size;
    if (rc != GF_OK || is_there(to, file->size)) {
        return rc;
    }
    rc = gf_snapshot_file_copy(from, beside, file, error);
    if (rc == GF_OK && rename(beside, to) != 0) {
        rc = gf_folder_fail(error, "rename", beside);
    }
    report->copied_count += rc == GF_OK;
    report->copied_bytes += rc == GF_OK ? file->size : 0;
    return rc;
}

static enum gf_rc
files_keep(const struct gf_snapshot_take *take, const struct gf_snapshot *snapshot,
           const char *folder, struct gf_snapshot_report *report, struct gf_error *error)
{
    char files[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_folder_path(error, files, "%s/files", folder);
    for (uint32_t i = 0; rc == GF_OK && i < snapshot->file_count; i++) {
        if (take->must_stop != NULL && take->must_stop(take->context)) {
            return gf_fail(error, GF_E_TXN, "%s: the snapshot was broken off", folder);
        }
        rc = file_keep(take, &snapshot->files[i], report, error);
        gf_point(GF_POINT_BETWEEN_SNAPSHOT_FILES);
    }
    return rc == GF_OK ? gf_folder_sync(files, error) : rc;
}

/* ---- clearing ---- */

static int
name_compare(const void *left, const void *right)
{
    return memcmp(left, right, 33);
}

/* The digests that the remaining manifests name, sorted. */
static enum gf_rc
names_collect(const char *folder, uint32_t shard, const int64_t *batches, uint32_t count,
              char (**names_out)[33], size_t *count_out, struct gf_error *error)
{
    char(*names)[33] = NULL;
    size_t at = 0;
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < count; i++) {
        struct gf_snapshot snapshot = {0};
        rc = gf_snapshot_read(folder, shard, batches[i], &snapshot, error);
        char(*more)[33] =
            rc == GF_OK ? realloc(names, (at + snapshot.file_count + 1) * sizeof(*names)) : NULL;
        if (rc == GF_OK && more == NULL) {
            rc = gf_fail(error, GF_E_NO_MEMORY, "%s: no memory for its files", folder);
        } else if (rc == GF_OK) {
            names = more;
            for (uint32_t file = 0; file < snapshot.file_count; file++) {
                gf_digest_print(&snapshot.files[file].digest, names[at++]);
            }
        }
        gf_snapshot_fini(&snapshot);
    }
    if (rc != GF_OK) {
        free(names);
        return rc;
    }
    if (at > 0) {
        qsort(names, at, sizeof(*names), name_compare);
    }
    *names_out = names;
    *count_out = at;
    return GF_OK;
}

static enum gf_rc
unnamed_remove(const char *files, char (*names)[33], size_t count, struct gf_error *error)
{
    DIR *directory = opendir(files);
    if (directory == NULL) {
        return gf_folder_fail(error, "open folder", files);
    }
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char name[33] = {0}, path[GF_FOLDER_PATH_SIZE];
        snprintf(name, sizeof(name), "%.32s", entry->d_name);
        const bool is_named = strlen(entry->d_name) == 32 && count > 0 &&
                              bsearch(name, names, count, sizeof(*names), name_compare) != NULL;
        if (entry->d_name[0] != '.' && !is_named &&
            gf_folder_path(error, path, "%s/%s", files, entry->d_name) == GF_OK) {
            (void)unlink(path); /* what stays is tried again after the next snapshot */
        }
    }
    closedir(directory);
    return GF_OK;
}

/* The snapshot just taken stays, even where those of another log have larger numbers. */
static void
ours_first(int64_t *batches, uint32_t count, int64_t ours)
{
    for (uint32_t i = 1; i < count; i++) {
        if (batches[i] == ours) {
            memmove(batches + 1, batches, i * sizeof(*batches));
            batches[0] = ours;
        }
    }
}

/* The oldest manifests beyond `keep` go, then the files that no manifest names. A manifest that
 * cannot be read might name any: then nothing goes until it has left by age. */
static enum gf_rc
old_remove(const struct gf_snapshot_take *take, const char *folder, int64_t ours,
           struct gf_error *error)
{
    int64_t *batches = NULL;
    uint32_t count = 0;
    char files[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_folder_path(error, files, "%s/files", folder);
    if (rc == GF_OK) {
        rc = gf_snapshot_batches(take->folder, take->shard, &batches, &count, error);
    }
    if (rc == GF_OK) {
        ours_first(batches, count, ours);
    }
    for (; rc == GF_OK && count > take->keep; count--) {
        rc = gf_snapshot_forget(take->folder, take->shard, batches[count - 1], error);
    }
    char(*names)[33] = NULL;
    size_t name_count = 0;
    if (rc == GF_OK) {
        rc = gf_folder_sync(folder, error); /* before what they named */
    }
    if (rc == GF_OK) {
        rc = names_collect(take->folder, take->shard, batches, count, &names, &name_count, error);
    }
    if (rc == GF_OK) {
        rc = unnamed_remove(files, names, name_count, error);
    }
    free(names);
    free(batches);
    return rc == GF_E_STATE || rc == GF_E_VERSION ? GF_OK : rc;
}

enum gf_rc
gf_snapshot_take(const struct gf_snapshot_take *take, struct gf_snapshot_report *out,
                 struct gf_error *error)
{
    assert(take->keep > 0);
    struct gf_snapshot snapshot = {.shard = take->shard, .taken = take->taken};
    struct gf_snapshot_report report = {0};
    char folder[GF_FOLDER_PATH_SIZE];
    int lock = -1;
    snprintf(snapshot.request, sizeof(snapshot.request), "%.63s",
             take->request == NULL ? "-" : take->request);
    enum gf_rc rc = links_check(take, &snapshot, &report, error);
    if (rc == GF_OK) {
        rc = files_list(&snapshot, take->links, error);
    }
    if (rc == GF_OK) {
        rc = folders_make(take, folder, error);
    }
    if (rc == GF_OK) {
        rc = folder_lock(folder, &lock, error);
    }
    if (rc == GF_OK) {
        rc = files_keep(take, &snapshot, folder, &report, error);
    }
    if (rc == GF_OK) {
        rc = gf_snapshot_write(take->folder, &snapshot, error);
    }
    if (rc == GF_OK) {
        rc = old_remove(take, folder, snapshot.batch, error);
    }
    if (lock >= 0) {
        close(lock);
    }
    if (rc == GF_OK) {
        report.batch = snapshot.batch;
        report.oldest = snapshot.oldest;
        report.file_count = snapshot.file_count;
        *out = report;
    }
    gf_snapshot_fini(&snapshot);
    return rc;
}
