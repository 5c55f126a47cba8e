/* Runs a fuzz target on files, or on every file of folders: so a build without a fuzzer runs the
 * corpora too.
 */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_SIZE_MAX (1 << 20)

static int
file_run(const char *path)
{
    FILE *const file = fopen(path, "rb");
    uint8_t *const room = malloc(FILE_SIZE_MAX);
    if (file == NULL || room == NULL) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        exit(74);
    }
    const size_t size = fread(room, 1, FILE_SIZE_MAX, file);
    (void)fclose(file);
    uint8_t *const data =
        malloc(size + (size == 0)); /* of that size, so that a sanitizer sees a step over its end */
    if (data == NULL) {
        exit(70);
    }
    memcpy(data, room, size);
    free(room);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

static int
path_run(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return file_run(path);
    }
    struct dirent **entries = NULL;
    int count = 0;
    const int entry_count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < entry_count; i++) {
        char inner[1024];
        if (entries[i]->d_name[0] != '.') {
            (void)snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
            count += file_run(inner);
        }
        free(entries[i]);
    }
    free(entries);
    return count;
}

int
main(int argument_count, char **arguments)
{
    int count = 0;
    for (int i = 1; i < argument_count; i++) {
        count += path_run(arguments[i]);
    }
    (void)printf("%d inputs\n", count);
    return count > 0 ? 0 : 1; /* an empty corpus is a mistake, not a success */
}
