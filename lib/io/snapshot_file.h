/* Files of a snapshot: digests while reading and copying. The digest is XXH3's of 128 bits, as
 * `xxhsum -H2` prints it. */
#ifndef GF_IO_SNAPSHOT_FILE_H
#define GF_IO_SNAPSHOT_FILE_H

#include "base/error.h"
#include "base/hash.h"

#define GF_SNAPSHOT_NAME_SIZE 64

struct gf_snapshot_file {
    char name[GF_SNAPSHOT_NAME_SIZE]; /* in the store's folder */
    uint64_t size;
    struct gf_digest digest;
};

/* Reads a file whole. Errors: GF_E_NOT_FOUND, GF_E_IO, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_snapshot_file_sum(const char *path, uint64_t *size_out,
                                            struct gf_digest *digest_out, struct gf_error *error);

/* Copies a file, synced, and checks that what was copied is what `file` says; otherwise there is no
 * copy. Errors: GF_E_STATE (it is not), GF_E_NOT_FOUND, GF_E_IO, GF_E_NO_SPACE, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_snapshot_file_copy(const char *from, const char *to,
                                             const struct gf_snapshot_file *file,
                                             struct gf_error *error);

/* Writes a small file so that it is there whole or not at all: beside it, synced, renamed. */
GF_MUST_USE enum gf_rc gf_snapshot_text_write(const char *path, const char *text, size_t size,
                                              struct gf_error *error);

#endif
