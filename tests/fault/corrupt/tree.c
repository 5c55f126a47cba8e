#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
give_up(const char *what, const char *path)
{
    fprintf(stderr, "cannot %s %s: %s\n", what, path, strerror(errno));
    exit(1);
}

void
tree_path(char out[TREE_PATH_SIZE], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(out, TREE_PATH_SIZE, format, arguments);
    va_end(arguments);
    if (size < 0 || size >= TREE_PATH_SIZE) {
        give_up("name", out);
    }
}

/* Calls `visit` for each entry of a folder. */
static void
each(const char *folder, void (*visit)(void *context, const char *path, bool is_folder),
     void *context)
{
    DIR *directory = opendir(folder);
    for (struct dirent *entry = directory == NULL ? NULL : readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        char path[TREE_PATH_SIZE];
        struct stat about;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        tree_path(path, "%s/%s", folder, entry->d_name);
        if (lstat(path, &about) != 0) {
            give_up("look at", path);
        }
        visit(context, path, S_ISDIR(about.st_mode));
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

static void
list_one(void *context, const char *path, bool is_folder)
{
    struct tree_files *files = context;
    if (is_folder) {
        each(path, list_one, files);
    } else if (files->count == TREE_FILES_MAX) {
        give_up("list so many files as in", path);
    } else {
        tree_path(files->paths[files->count++], "%s", path);
    }
}

static int
path_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

void
tree_list(const char *folder, struct tree_files *out)
{
    out->count = 0;
    each(folder, list_one, out);
    qsort(out->paths, out->count, sizeof(out->paths[0]), path_compare);
}

static void
file_copy(const char *from, const char *to)
{
    static char bytes[1 << 18];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    if (in == NULL || out == NULL) {
        give_up("copy", from);
    }
    for (size_t size = fread(bytes, 1, sizeof(bytes), in); size > 0;
         size = fread(bytes, 1, sizeof(bytes), in)) {
        if (fwrite(bytes, 1, size, out) != size) {
            give_up("write", to);
        }
    }
    fclose(in);
    if (fclose(out) != 0) {
        give_up("write", to);
    }
}

struct copying {
    const char *from, *to;
};

static void
copy_one(void *context, const char *path, bool is_folder)
{
    const struct copying *copying = context;
    char to[TREE_PATH_SIZE];
    tree_path(to, "%s%s", copying->to, path + strlen(copying->from));
    if (!is_folder) {
        file_copy(path, to);
        return;
    }
    if (mkdir(to, 0700) != 0) {
        give_up("make", to);
    }
    each(path, copy_one, context);
}

void
tree_copy(const char *from, const char *to)
{
    struct copying copying = {from, to};
    if (mkdir(to, 0700) != 0) {
        give_up("make", to);
    }
    each(from, copy_one, &copying);
}

static void
remove_one(void *context, const char *path, bool is_folder)
{
    (void)context;
    if (is_folder) {
        tree_remove(path);
    } else if (unlink(path) != 0) {
        give_up("remove", path);
    }
}

void
tree_remove(const char *folder)
{
    each(folder, remove_one, NULL);
    if (rmdir(folder) != 0 && errno != ENOENT) {
        give_up("remove", folder);
    }
}

static bool
is_same_file(const char *a, const char *b)
{
    static char bytes_a[1 << 16], bytes_b[1 << 16];
    FILE *first = fopen(a, "rb"), *second = fopen(b, "rb");
    bool is_same = first != NULL && second != NULL;
    for (size_t size = 1; is_same && size > 0;) {
        size = fread(bytes_a, 1, sizeof(bytes_a), first);
        is_same = fread(bytes_b, 1, sizeof(bytes_b), second) == size &&
                  memcmp(bytes_a, bytes_b, size) == 0;
    }
    if (first != NULL) {
        fclose(first);
    }
    if (second != NULL) {
        fclose(second);
    }
    return is_same;
}

bool
tree_is_same(const char *a, const char *b, char differs_out[TREE_PATH_SIZE])
{
    static struct tree_files files_a, files_b;
    tree_list(a, &files_a);
    tree_list(b, &files_b);
    for (uint32_t i = 0; i < files_a.count || i < files_b.count; i++) {
        const char *one = i < files_a.count ? files_a.paths[i] + strlen(a) : "";
        const char *other = i < files_b.count ? files_b.paths[i] + strlen(b) : "";
        if (strcmp(one, other) != 0 || !is_same_file(files_a.paths[i], files_b.paths[i])) {
            tree_path(differs_out, "%s%s", a, i < files_a.count ? one : other);
            return false;
        }
    }
    return true;
}
