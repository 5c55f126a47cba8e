/* Folder logs for tests: a fresh folder, readings and flags whose content follows from a number,
 * whole folders compared. */
#ifndef GF_TEST_FOLDER_LOG_H
#define GF_TEST_FOLDER_LOG_H

#include "io/folder.h"

#define FOLDER_PATH_SIZE 512

/* A fresh folder; removed with all that is in it. */
void folder_make(char out[FOLDER_PATH_SIZE]);
void folder_remove(const char *path);
void folder_copy(const char *from, const char *to);

/* Fails the test unless both folders hold the same files with the same bytes, their locks aside. */
void folder_assert_equal(const char *left, const char *right);

void file_path(char out[FOLDER_PATH_SIZE], const char *log, const char *rest);
int64_t file_size(const char *path); /* -1: no such file */
void file_cut(const char *path, int64_t size);
void file_append(const char *path, const void *data, size_t size);
void file_flip(const char *path, int64_t position); /* one bit */
/* How many files of a partition there are; how many still open. */
uint32_t file_count(const char *log, const char *topic, uint32_t partition, uint32_t *open_out);

/* Reading number `number`, framed or not. The spans are static: until the next call. */
struct gf_record reading_of(uint32_t partition, int64_t number);
void reading_assert(const struct gf_record *record, int64_t number);

/* An output whose body follows from `number`. Static spans too. */
struct gf_output output_of(enum gf_topic topic, uint32_t partition, int64_t number);
void output_assert(const struct gf_record *record, int64_t number);

/* Ends, as the source sees them. */
void ends_assert(struct gf_source *source, enum gf_topic topic, uint32_t partition, int64_t first,
                 int64_t end);

/* Reads all records by calls of `step`, checks that each is `assert_record` of its offset, and that
 * there are as many as offsets. */
void log_assert(const char *log, enum gf_topic topic, uint32_t partition, int64_t count,
                uint32_t step, void (*assert_record)(const struct gf_record *, int64_t));

#define assert_ok(call)         assert_rc(call, GF_OK)
#define assert_rc(call, wanted) rc_assert((call), (wanted), &error, __FILE__, __LINE__)
void rc_assert(enum gf_rc rc, enum gf_rc wanted, const struct gf_error *error, const char *file,
               int line);

#endif
