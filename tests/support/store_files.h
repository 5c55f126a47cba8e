/* The files of a RocksDB store, for tests that break them. All end the test's process on errors of
 * their own. */
#ifndef GF_TEST_STORE_FILES_H
#define GF_TEST_STORE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/random.h"

/* Copies a folder's plain files; the target is made. */
void files_copy(const char *from, const char *to);
void file_copy_into(const char *file, const char *folder);
/* Removes a folder with its plain files; one that is not there is fine. */
void files_remove(const char *folder);

/* Path of the write-ahead log file with the largest number; false when there is none. */
bool files_newest_log(const char *folder, char *path_out, size_t size);

/* Flips a bit, cuts the end off, zeroes a piece, or deletes: one table, log or manifest file, or
 * CURRENT, by chance. */
void files_damage(const char *folder, struct gf_random *random);

/* The same to any plain file of a folder but one named "lock". */
void any_file_damage(const char *folder, struct gf_random *random);

#endif
