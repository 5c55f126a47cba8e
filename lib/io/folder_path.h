/* Paths of the folder log, and files written so that a crash cannot surprise us. */
#ifndef GF_IO_FOLDER_PATH_H
#define GF_IO_FOLDER_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define GF_FOLDER_PATH_SIZE 1024

/* One container file of a partition. */
struct gf_folder_name {
    int64_t first; /* offset of its first record */
    bool is_open;  /* still named `.open` */
};

/* Files of a partition by first offset. */
struct gf_folder_names {
    struct gf_folder_name *items;
    uint32_t count;
};

/* Says what failed at `path` and why (errno), and returns what that means: GF_E_NO_SPACE for a full
 * disk, quota or file-size limit, GF_E_NO_MEMORY, else GF_E_IO. */
enum gf_rc gf_folder_fail(struct gf_error *error, const char *what, const char *path);

/* Prints a path. Errors: GF_E_USAGE when it is longer than GF_FOLDER_PATH_SIZE. */
GF_MUST_USE enum gf_rc gf_folder_path(struct gf_error *error, char out[GF_FOLDER_PATH_SIZE],
                                      const char *format, ...) GF_PRINTF(3, 4);
GF_MUST_USE enum gf_rc gf_folder_file_path(struct gf_error *error, char out[GF_FOLDER_PATH_SIZE],
                                           const char *dir, struct gf_folder_name name);

/* Makes one folder unless it is there; its parent is synced. */
GF_MUST_USE enum gf_rc gf_folder_make(const char *path, bool sync, struct gf_error *error);
GF_MUST_USE enum gf_rc gf_folder_sync(const char *path, struct gf_error *error);

/* Counts the folders of a topic. Errors: GF_E_NOT_FOUND (no topic), GF_E_DAMAGED (a gap), GF_E_IO.
 */
GF_MUST_USE enum gf_rc gf_folder_count(const char *topic_path, uint32_t *out,
                                       struct gf_error *error);

/* Lists a partition, sorted; other names are passed over; no folder is an empty list. The caller
 * frees `items`. Errors: GF_E_DAMAGED (a file both sealed and open), GF_E_IO, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_folder_list(const char *dir, struct gf_folder_names *out,
                                      struct gf_error *error);

GF_MUST_USE enum gf_rc gf_folder_pwrite(int fd, const void *data, size_t size, uint64_t position,
                                        const char *path, struct gf_error *error);
/* Reads exactly `size` bytes; fewer are GF_E_DAMAGED. */
GF_MUST_USE enum gf_rc gf_folder_pread(int fd, void *data, size_t size, uint64_t position,
                                       const char *path, struct gf_error *error);

#endif
