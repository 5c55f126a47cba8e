#include "store_files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE  512
#define FILE_COUNT 256
#define PIECE_SIZE 512

struct names {
    char items[FILE_COUNT][64];
    uint32_t count;
};

static void
give_up(const char *what, const char *path)
{
    perror(path);
    fprintf(stderr, "test support: cannot %s\n", what);
    abort();
}

static int
name_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The plain files of a folder, sorted: what a test does must not hang on the order of a file
 * system. */
static struct names
names_of(const char *folder)
{
    struct names names = {.count = 0};
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        return names;
    }
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] != '.' && names.count < FILE_COUNT) {
            snprintf(names.items[names.count++], sizeof(names.items[0]), "%.63s", entry->d_name);
        }
    }
    closedir(directory);
    qsort(names.items, names.count, sizeof(names.items[0]), name_compare);
    return names;
}

static void
path_of(char out[PATH_SIZE], const char *folder, const char *name)
{
    if (snprintf(out, PATH_SIZE, "%s/%s", folder, name) >= PATH_SIZE) {
        give_up("name", folder);
    }
}

void
file_copy_into(const char *file, const char *folder)
{
    char to[PATH_SIZE], bytes[65536];
    path_of(to, folder, strrchr(file, '/') + 1);
    FILE *in = fopen(file, "rb"), *out = fopen(to, "wb");
    if (in == NULL || out == NULL) {
        give_up("copy", file);
    }
    for (size_t size = fread(bytes, 1, sizeof(bytes), in); size > 0;
         size = fread(bytes, 1, sizeof(bytes), in)) {
        if (fwrite(bytes, 1, size, out) != size) {
            give_up("write", to);
        }
    }
    fclose(in);
    fclose(out);
}

void
files_copy(const char *from, const char *to)
{
    if (mkdir(to, 0700) != 0) {
        give_up("make", to);
    }
    const struct names names = names_of(from);
    for (uint32_t i = 0; i < names.count; i++) {
        char path[PATH_SIZE];
        path_of(path, from, names.items[i]);
        file_copy_into(path, to);
    }
}

void
files_remove(const char *folder)
{
    const struct names names = names_of(folder);
    for (uint32_t i = 0; i < names.count; i++) {
        char path[PATH_SIZE];
        path_of(path, folder, names.items[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

bool
files_newest_log(const char *folder, char *path_out, size_t size)
{
    const struct names names = names_of(folder);
    bool is_there = false;
    for (uint32_t i = 0; i < names.count;
         i++) { /* numbers have six digits: the last name is the largest */
        const char *dot = strrchr(names.items[i], '.');
        if (dot != NULL && strcmp(dot, ".log") == 0) {
            snprintf(path_out, size, "%s/%s", folder, names.items[i]);
            is_there = true;
        }
    }
    return is_there;
}

static void
file_damage(const char *path, long size, struct gf_random *random)
{
    FILE *file = fopen(path, "r+b");
    if (file == NULL) {
        give_up("open", path);
    }
    const long at = size == 0 ? 0 : (long)(gf_random_next(random) % (uint64_t)size);
    char piece[PIECE_SIZE] = {0};
    fseek(file, at, SEEK_SET);
    switch (gf_random_next(random) % 6) {
    case 0:
        if (ftruncate(fileno(file), at) != 0) {
            give_up("cut", path);
        }
        break;
    case 1:
        fwrite(piece, 1, sizeof(piece), file);
        break;
    case 2:
        (void)unlink(path);
        break;
    default: { /* the most likely in life */
        const int byte = fgetc(file);
        fseek(file, at, SEEK_SET);
        fputc(byte ^ 1 << gf_random_next(random) % 8, file);
        break;
    }
    }
    fclose(file);
}

void
files_damage(const char *folder, struct gf_random *random)
{
    const struct names names = names_of(folder);
    for (;;) {
        const char *name = names.items[gf_random_next(random) % names.count];
        char path[PATH_SIZE];
        struct stat about;
        path_of(path, folder, name);
        const bool is_data = strstr(name, ".sst") != NULL || strstr(name, ".log") != NULL ||
                             strncmp(name, "MANIFEST", 8) == 0 || strcmp(name, "CURRENT") == 0;
        if (is_data && stat(path, &about) == 0 && about.st_size > 0) {
            file_damage(path, (long)about.st_size, random);
            return;
        }
    }
}

void
any_file_damage(const char *folder, struct gf_random *random)
{
    const struct names names = names_of(folder);
    for (;;) {
        const char *name = names.items[gf_random_next(random) % names.count];
        char path[PATH_SIZE];
        struct stat about;
        path_of(path, folder, name);
        if (strcmp(name, "lock") != 0 && stat(path, &about) == 0 && S_ISREG(about.st_mode) &&
            about.st_size > 0) {
            file_damage(path, (long)about.st_size, random);
            return;
        }
    }
}
