#include "io/snapshot_manifest.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/folder_path.h"

#define SIZE_MAX_OF_MANIFEST (16u << 20)
#define LINE_SIZE_MAX        160
#define HEAD_SIZE_MAX        512
#define VERSION              1

void
gf_snapshot_fini(struct gf_snapshot *snapshot)
{
    free(snapshot->files);
    *snapshot = (struct gf_snapshot){0};
}

enum gf_rc
gf_snapshot_folder(const char *folder, uint32_t shard, char *out, struct gf_error *error)
{
    return gf_folder_path(error, out, "%s/shard-%04" PRIu32, folder, shard);
}

enum gf_rc
gf_snapshot_file_path(const char *folder, uint32_t shard, const struct gf_snapshot_file *file,
                      char *out, struct gf_error *error)
{
    char digest[33];
    gf_digest_print(&file->digest, digest);
    return gf_folder_path(error, out, "%s/shard-%04" PRIu32 "/files/%s", folder, shard, digest);
}

static enum gf_rc
manifest_path(const char *folder, uint32_t shard, int64_t batch, char out[GF_FOLDER_PATH_SIZE],
              struct gf_error *error)
{
    return gf_folder_path(error, out, "%s/shard-%04" PRIu32 "/%020" PRId64 ".snapshot", folder,
                          shard, batch);
}

/* ---- the list ---- */

static bool
name_parse(const char *name, int64_t *out)
{
    if (strspn(name, "0123456789") != 20 || strcmp(name + 20, ".snapshot") != 0) {
        return false;
    }
    errno = 0;
    *out = strtoll(name, NULL, 10);
    return errno == 0;
}

static int
newest_first(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a < b) - (a > b);
}

enum gf_rc
gf_snapshot_batches(const char *folder, uint32_t shard, int64_t **out, uint32_t *count_out,
                    struct gf_error *error)
{
    char path[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_snapshot_folder(folder, shard, path, error);
    if (rc != GF_OK) {
        return rc;
    }
    DIR *directory = opendir(path);
    if (directory == NULL && errno != ENOENT) {
        return gf_folder_fail(error, "open folder", path);
    }
    int64_t *batches = NULL, batch = 0;
    uint32_t count = 0;
    for (struct dirent *entry = directory == NULL ? NULL : readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        if (!name_parse(entry->d_name, &batch)) {
            continue;
        }
        int64_t *more = realloc(batches, (count + 1) * sizeof(*batches));
        if (more == NULL) {
            rc = gf_fail(error, GF_E_NO_MEMORY, "%s: no memory for its list", path);
            break;
        }
        batches = more;
        batches[count++] = batch;
    }
    if (directory != NULL) {
        closedir(directory);
    }
    if (rc != GF_OK) {
        free(batches);
        return rc;
    }
    if (count > 0) {
        qsort(batches, count, sizeof(*batches), newest_first);
    }
    *out = batches;
    *count_out = count;
    return GF_OK;
}

/* ---- writing ---- */

static size_t
text_print(const struct gf_snapshot *snapshot, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size,
                                 "gridfold snapshot %d\nshard %" PRIu32 "\nbatch %" PRId64
                                 "\noldest %" PRId64 "\ntaken %" PRId64 "\nmark %s\nrequest %s\n",
                                 VERSION, snapshot->shard, snapshot->batch, snapshot->oldest,
                                 snapshot->taken.us, snapshot->mark, snapshot->request);
    char digest[33];
    for (uint32_t i = 0; i < snapshot->file_count; i++) {
        const struct gf_snapshot_file *file = &snapshot->files[i];
        gf_digest_print(&file->digest, digest);
        at += (size_t)snprintf(out + at, size - at, "file %s %" PRIu64 " %s\n", file->name,
                               file->size, digest);
    }
    const struct gf_digest whole = gf_digest_of(out, at);
    gf_digest_print(&whole, digest);
    return at + (size_t)snprintf(out + at, size - at, "end %s\n", digest);
}

enum gf_rc
gf_snapshot_write(const char *folder, const struct gf_snapshot *snapshot, struct gf_error *error)
{
    char path[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = manifest_path(folder, snapshot->shard, snapshot->batch, path, error);
    if (rc != GF_OK) {
        return rc;
    }
    const size_t size = HEAD_SIZE_MAX + (size_t)LINE_SIZE_MAX * (snapshot->file_count + 1);
    char *text = malloc(size);
    if (text == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to write it", path);
    }
    rc = gf_snapshot_text_write(path, text, text_print(snapshot, text, size), error);
    free(text);
    return rc;
}

enum gf_rc
gf_snapshot_forget(const char *folder, uint32_t shard, int64_t batch, struct gf_error *error)
{
    char path[GF_FOLDER_PATH_SIZE];
    const enum gf_rc rc = manifest_path(folder, shard, batch, path, error);
    if (rc != GF_OK) {
        return rc;
    }
    return unlink(path) == 0 || errno == ENOENT ? GF_OK : gf_folder_fail(error, "remove", path);
}

/* ---- reading ---- */

static bool
digest_parse(const char *text, struct gf_digest *out)
{
    if (strspn(text, "0123456789abcdef") != (size_t)2 * GF_DIGEST_SIZE) {
        return false;
    }
    for (size_t i = 0; i < GF_DIGEST_SIZE; i++) {
        const char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out->bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return true;
}

/* Files go where their names say. */
static bool
name_is_plain(const char *name)
{
    return name[0] != '.' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789._-")] == '\0';
}

static bool
file_parse(const char *line, struct gf_snapshot_file *out)
{
    char digest[33];
    return sscanf(line, "file %63s %" SCNu64 " %32s", out->name, &out->size, digest) == 3 &&
           name_is_plain(out->name) && digest_parse(digest, &out->digest);
}

/* The lines between the first and the last; the text is cut up. */
static bool
lines_parse(char *text, struct gf_snapshot *out)
{
    for (char *line = text, *next = NULL; line != NULL && *line != '\0'; line = next) {
        char *end = strchr(line, '\n');
        next = end == NULL ? NULL : end + 1;
        if (end != NULL) {
            *end = '\0';
        }
        const bool is_known = sscanf(line, "shard %" SCNu32, &out->shard) == 1 ||
                              sscanf(line, "batch %" SCNd64, &out->batch) == 1 ||
                              sscanf(line, "oldest %" SCNd64, &out->oldest) == 1 ||
                              sscanf(line, "taken %" SCNd64, &out->taken.us) == 1 ||
                              sscanf(line, "mark %63s", out->mark) == 1 ||
                              sscanf(line, "request %63s", out->request) == 1;
        if (!is_known && !file_parse(line, &out->files[out->file_count])) {
            return false;
        }
        out->file_count += !is_known;
    }
    return true;
}

static enum gf_rc
text_parse(const char *path, char *text, size_t size, struct gf_snapshot *out,
           struct gf_error *error)
{
    unsigned version = 0;
    if (sscanf(text, "gridfold snapshot %u\n", &version) == 1 && version > VERSION) {
        return gf_fail(error, GF_E_VERSION,
                       "%s has version %u, written by a newer program; this one reads up to %d",
                       path, version, VERSION);
    }
    char *last = size > 38 ? text + size - 37 : NULL; /* "end ", a digest and a line's end */
    struct gf_digest written;
    if (version != VERSION || last == NULL || strncmp(last, "end ", 4) != 0 ||
        !digest_parse(last + 4, &written)) {
        return gf_fail(error, GF_E_STATE, "%s is no whole manifest", path);
    }
    const struct gf_digest found = gf_digest_of(text, (size_t)(last - text));
    if (memcmp(found.bytes, written.bytes, GF_DIGEST_SIZE) != 0) {
        return gf_fail(error, GF_E_STATE, "%s is damaged: its digest does not fit", path);
    }
    uint32_t line_count = 0;
    for (const char *at = text; at < last; at++) {
        line_count += *at == '\n';
    }
    *last = '\0';
    struct gf_snapshot snapshot = {.files = calloc(line_count + 1, sizeof(*snapshot.files))};
    if (snapshot.files == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to read it", path);
    }
    char *lines = strchr(text, '\n');
    if (lines == NULL || !lines_parse(lines + 1, &snapshot)) {
        gf_snapshot_fini(&snapshot);
        return gf_fail(error, GF_E_STATE, "%s has a line that cannot be read", path);
    }
    *out = snapshot;
    return GF_OK;
}

static enum gf_rc
text_read(const char *path, char **text_out, size_t *size_out, struct gf_error *error)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return errno == ENOENT ? gf_fail(error, GF_E_NOT_FOUND, "%s is missing", path)
                               : gf_folder_fail(error, "open", path);
    }
    struct stat about;
    enum gf_rc rc = GF_OK;
    char *text = NULL;
    if (fstat(file, &about) != 0) {
        rc = gf_folder_fail(error, "look at", path);
    } else if (about.st_size > SIZE_MAX_OF_MANIFEST) {
        rc = gf_fail(error, GF_E_STATE, "%s is too large to be a manifest", path);
    } else if ((text = calloc(1, (size_t)about.st_size + 1)) == NULL) {
        rc = gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to read it", path);
    } else {
        rc = gf_folder_pread(file, text, (size_t)about.st_size, 0, path, error);
    }
    close(file);
    if (rc != GF_OK) {
        free(text);
        return rc;
    }
    *text_out = text;
    *size_out = (size_t)about.st_size;
    return GF_OK;
}

enum gf_rc
gf_snapshot_read(const char *folder, uint32_t shard, int64_t batch, struct gf_snapshot *out,
                 struct gf_error *error)
{
    char path[GF_FOLDER_PATH_SIZE], *text = NULL;
    size_t size = 0;
    enum gf_rc rc = manifest_path(folder, shard, batch, path, error);
    if (rc == GF_OK) {
        rc = text_read(path, &text, &size, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    struct gf_snapshot snapshot = {0};
    rc = text_parse(path, text, size, &snapshot, error);
    free(text);
    if (rc == GF_OK && (snapshot.shard != shard || snapshot.batch != batch)) {
        gf_snapshot_fini(&snapshot);
        rc = gf_fail(error, GF_E_STATE, "%s says that it is another snapshot", path);
    }
    if (rc == GF_OK) {
        *out = snapshot;
    }
    return rc;
}
