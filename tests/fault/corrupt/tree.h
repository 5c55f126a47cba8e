/* Folders with all that is in them, for tests that break copies of them. Each function ends the
 * test's process with a message when it does not work. */
#ifndef GF_TEST_TREE_H
#define GF_TEST_TREE_H

#include <stdbool.h>
#include <stdint.h>

#define TREE_PATH_SIZE 512
#define TREE_FILES_MAX 1024

struct tree_files {
    char paths[TREE_FILES_MAX][TREE_PATH_SIZE];
    uint32_t count;
};

void tree_path(char out[TREE_PATH_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Plain files below a folder, sorted by path; none where there is no folder. */
void tree_list(const char *folder, struct tree_files *out);
/* The target must not be there. */
void tree_copy(const char *from, const char *to);
void tree_remove(const char *folder); /* one that is not there is fine */

/* Whether both have the same files, by name below the folder, with the same bytes; if not, the name
 * of one that differs. */
bool tree_is_same(const char *a, const char *b, char differs_out[TREE_PATH_SIZE]);

#endif
