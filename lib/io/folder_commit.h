/* LOG/commit: what of the outputs and the journal counts. A file of one header and records of one
 * size:
 *
 *   header   "GFCOMMIT", u32 version, topics, partitions, size; topics x {name[60], u32 count}; u64
 *            checksum
 *   record   u64 sequence; of each topic: count x {i64 end, i64 first, u64 size}; u64 checksum
 * (little endian; a count of 0 is that of the header, `partitions`)
 *
 * A record is appended once everything it names is on disk, and is itself on disk before the next.
 * So only the last may be torn, and a bad one anywhere else is damage. A file over 1 MiB is
 * replaced by one that holds the newest record. */
#ifndef GF_IO_FOLDER_COMMIT_H
#define GF_IO_FOLDER_COMMIT_H

#include "io/folder_tail.h"

#define GF_FOLDER_COMMIT_SIZE_MAX (UINT64_C(1) << 20)

struct gf_folder_commit {
    uint32_t partitions; /* of the customer topics */
    uint64_t sequence;
    uint32_t counts[GF_TOPIC_COUNT];            /* partitions of the topics it names; else 0 */
    struct gf_folder_end *ends[GF_TOPIC_COUNT]; /* into `memory` */
    struct gf_folder_end *memory;
    uint64_t size;   /* of the file up to the last whole record */
    bool is_ordered; /* names topics in our order: can be appended to */
};

void gf_folder_commit_fini(struct gf_folder_commit *commit);

/* An empty one that names all topics that we write with these stages. Errors: GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_folder_commit_init(struct gf_folder_commit *commit, uint32_t partitions,
                                             uint32_t stages, struct gf_error *error);
/* Adds what these stages write and it does not name; what it names stays, in use or not. */
GF_MUST_USE enum gf_rc gf_folder_commit_extend(struct gf_folder_commit *commit, uint32_t stages,
                                               struct gf_error *error);

/* Errors: GF_E_NOT_FOUND (no commit file), GF_E_DAMAGED, GF_E_VERSION (made by a later version),
 * GF_E_IO. */
GF_MUST_USE enum gf_rc gf_folder_commit_load(struct gf_folder_commit *commit, const char *log,
                                             struct gf_error *error);

/* Adds one to the sequence and appends, or replaces the file when it is new, too large, or of other
 * topics; durable when it returns. `commit->ends` is what is written. Errors: GF_E_IO,
 * GF_E_NO_SPACE: then the outcome is not known. */
GF_MUST_USE enum gf_rc gf_folder_commit_store(struct gf_folder_commit *commit, const char *log,
                                              bool no_sync, struct gf_error *error);

#endif
