#include "io/folder_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum gf_rc
gf_folder_fail(struct gf_error *error, const char *what, const char *path)
{
    const int code = errno;
    if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
        return gf_fail(error, GF_E_NO_SPACE, "%s: cannot %s: %s; make room and start again", path,
                       what, strerror(code));
    }
    return gf_fail(error, code == ENOMEM ? GF_E_NO_MEMORY : GF_E_IO, "%s: cannot %s: %s", path,
                   what, strerror(code));
}

enum gf_rc
gf_folder_path(struct gf_error *error, char out[GF_FOLDER_PATH_SIZE], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(out, GF_FOLDER_PATH_SIZE, format, arguments);
    va_end(arguments);
    if (size < 0 || size >= GF_FOLDER_PATH_SIZE) {
        return gf_fail(error, GF_E_USAGE, "the path of the log is too long: %.64s…", out);
    }
    return GF_OK;
}

enum gf_rc
gf_folder_file_path(struct gf_error *error, char out[GF_FOLDER_PATH_SIZE], const char *dir,
                    struct gf_folder_name name)
{
    return gf_folder_path(error, out, "%s/%020" PRId64 ".avro%s", dir, name.first,
                          name.is_open ? ".open" : "");
}

enum gf_rc
gf_folder_make(const char *path, bool sync, struct gf_error *error)
{
    if (mkdir(path, 0777) != 0) {
        struct stat info;
        if (errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            return GF_OK;
        }
        return gf_folder_fail(error, "make folder", path);
    }
    char parent[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_folder_path(error, parent, "%s", path);
    if (rc != GF_OK || !sync) {
        return rc;
    }
    size_t end = strlen(parent);
    while (end > 1 && parent[end - 1] == '/') {
        end--;
    }
    parent[end] = '\0';
    char *slash = strrchr(parent, '/');
    if (slash == NULL) {
        return gf_folder_sync(".", error);
    }
    slash[slash == parent ? 1 : 0] = '\0';
    return gf_folder_sync(parent, error);
}

enum gf_rc
gf_folder_sync(const char *path, struct gf_error *error)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return gf_folder_fail(error, "open folder", path);
    }
    const bool failed = fsync(fd) != 0;
    const enum gf_rc rc = failed ? gf_folder_fail(error, "sync folder", path) : GF_OK;
    close(fd);
    return rc;
}

/* "0", "1", … without leading zeros; -1 for any other name. */
static int64_t
partition_parse(const char *name)
{
    if (name[0] < '0' || name[0] > '9' || (name[0] == '0' && name[1] != '\0')) {
        return -1;
    }
    char *end = NULL;
    errno = 0;
    const unsigned long value = strtoul(name, &end, 10);
    return errno == 0 && *end == '\0' && value < 1000000 ? (int64_t)value : -1;
}

enum gf_rc
gf_folder_count(const char *topic_path, uint32_t *out, struct gf_error *error)
{
    DIR *dir = opendir(topic_path);
    if (dir == NULL) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return gf_fail(error, GF_E_NOT_FOUND,
                           "%s: no such topic in this log; `gridfold topics create` makes all of "
                           "them, `import` and `simulate` fill them",
                           topic_path);
        }
        return gf_folder_fail(error, "list", topic_path);
    }
    int64_t largest = -1, count = 0;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        const int64_t partition = partition_parse(entry->d_name);
        count += partition >= 0;
        largest = partition > largest ? partition : largest;
    }
    closedir(dir);
    if (count != largest + 1) {
        return gf_fail(error, GF_E_DAMAGED,
                       "%s: has %" PRId64 " partitions, but one is numbered %" PRId64 "; "
                       "put the missing ones back",
                       topic_path, count, largest);
    }
    *out = (uint32_t)count;
    return GF_OK;
}

static bool
name_parse(const char *text, struct gf_folder_name *out)
{
    if (strlen(text) < 25 || text[0] != '0') {
        return false;
    }
    int64_t first = 0;
    for (int i = 0; i < 20; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(first, 10, &first) ||
            __builtin_add_overflow(first, text[i] - '0', &first)) {
            return false;
        }
    }
    const bool is_open = strcmp(text + 20, ".avro.open") == 0;
    *out = (struct gf_folder_name){.first = first, .is_open = is_open};
    return is_open || strcmp(text + 20, ".avro") == 0;
}

static int
name_compare(const void *a, const void *b)
{
    const struct gf_folder_name *left = a, *right = b;
    return (left->first > right->first) - (left->first < right->first);
}

static enum gf_rc
list_read(DIR *dir, const char *path, struct gf_folder_names *names, struct gf_error *error)
{
    uint32_t capacity = 0;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        struct gf_folder_name name;
        if (!name_parse(entry->d_name, &name)) {
            continue;
        }
        if (names->count == capacity) {
            capacity = capacity == 0 ? 16 : capacity * 2;
            struct gf_folder_name *grown = realloc(names->items, capacity * sizeof *grown);
            if (grown == NULL) {
                return gf_fail(error, GF_E_NO_MEMORY, "%s: too many files", path);
            }
            names->items = grown;
        }
        names->items[names->count++] = name;
    }
    return GF_OK;
}

enum gf_rc
gf_folder_list(const char *path, struct gf_folder_names *out, struct gf_error *error)
{
    struct gf_folder_names names = {.items = NULL, .count = 0};
    DIR *dir = opendir(path);
    if (dir == NULL) {
        *out = names;
        return errno == ENOENT ? GF_OK : gf_folder_fail(error, "list", path);
    }
    enum gf_rc rc = list_read(dir, path, &names, error);
    closedir(dir);
    if (names.count > 1) {
        qsort(names.items, names.count, sizeof names.items[0], name_compare);
    }
    /* Sealing renames, so a listing may see a file twice, but only while the sealing goes on: keep
     * the sealed name. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < names.count; i++) {
        if (kept > 0 && names.items[kept - 1].first == names.items[i].first) {
            names.items[kept - 1].is_open = false;
            continue;
        }
        names.items[kept++] = names.items[i];
    }
    names.count = kept;
    if (rc != GF_OK) {
        free(names.items);
        return rc;
    }
    *out = names;
    return GF_OK;
}

enum gf_rc
gf_folder_pwrite(int fd, const void *data, size_t size, uint64_t position, const char *path,
                 struct gf_error *error)
{
    const uint8_t *at = data;
    while (size > 0) {
        const ssize_t written = pwrite(fd, at, size, (off_t)position);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            errno = written == 0 ? ENOSPC : errno;
            return gf_folder_fail(error, "write", path);
        }
        at += written;
        size -= (size_t)written;
        position += (uint64_t)written;
    }
    return GF_OK;
}

enum gf_rc
gf_folder_pread(int fd, void *data, size_t size, uint64_t position, const char *path,
                struct gf_error *error)
{
    uint8_t *at = data;
    while (size > 0) {
        const ssize_t got = pread(fd, at, size, (off_t)position);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return gf_folder_fail(error, "read", path);
        }
        if (got == 0) {
            return gf_fail(error, GF_E_DAMAGED,
                           "%s: ends at byte %" PRIu64 ", where more is expected", path, position);
        }
        at += got;
        size -= (size_t)got;
        position += (uint64_t)got;
    }
    return GF_OK;
}
