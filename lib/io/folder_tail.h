/* Tail: the growing end of one partition. Records gather in a block, blocks gather in memory, and
 * only a write touches the disk; what has not been written can be dropped. */
#ifndef GF_IO_FOLDER_TAIL_H
#define GF_IO_FOLDER_TAIL_H

#include "codec/records.h"
#include "io/folder.h"
#include "io/folder_container.h"
#include "io/folder_envelope.h"
#include "io/folder_path.h"

/* Where a partition ends: in its record numbers and in its last file. A partition without files is
 * all zero.
 */
struct gf_folder_end {
    int64_t end;   /* offset after the last record */
    int64_t first; /* names the last file */
    uint64_t size; /* bytes of the last file */
};

struct gf_folder_settings {
    enum gf_folder_codec codec;
    uint64_t file_size_max;
    bool no_sync;
};

/* A closed block in `staged`, without its sync marker: that depends on the file it will be in. */
struct gf_folder_staged {
    size_t start, size;
    int64_t first;
    const char *schema; /* NULL: any will do, as it holds no record */
};

struct gf_folder_tail {
    const struct gf_folder_settings *settings;
    enum gf_topic topic;
    uint32_t partition;
    char dir[GF_FOLDER_PATH_SIZE];

    int fd;                  /* -1: not opened since the start, or no file */
    struct gf_folder_end at; /* on disk; `end` counts blocks written */
    bool is_sealed;          /* fd is -1 and the last file has its sealed name */
    char *schema;            /* of the last file; owned */
    uint8_t sync[GF_FOLDER_SYNC_SIZE];
    bool is_dirty, is_dir_dirty; /* written, or named, since the last sync */

    int64_t next_offset; /* of the next record added */
    uint8_t *block;
    size_t block_size, block_capacity;
    uint32_t block_count;
    int64_t block_first;
    const char *block_schema;

    uint8_t *staged;
    size_t staged_size, staged_capacity;
    struct gf_folder_staged *blocks;
    uint32_t blocks_count, blocks_capacity;
};

/* `at` must be what is on disk; reads the header of the last file. Errors: GF_E_DAMAGED, GF_E_IO,
 * GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_folder_tail_init(struct gf_folder_tail *tail,
                                           const struct gf_folder_settings *settings,
                                           const char *log, enum gf_topic topic, uint32_t partition,
                                           struct gf_folder_end at, struct gf_error *error);
/* Forgets what is not written. */
void gf_folder_tail_fini(struct gf_folder_tail *tail);

/* Adds a record at `record->offset`. `schema` is the text of its writer schema (lives as long as
 * the tail). Errors: GF_E_NO_MEMORY, GF_E_RANGE (too large). */
GF_MUST_USE enum gf_rc gf_folder_tail_add(struct gf_folder_tail *tail,
                                          const struct gf_record *record,
                                          enum gf_folder_branch branch, const char *schema,
                                          struct gf_error *error);
void gf_folder_tail_drop(struct gf_folder_tail *tail);

/* Ends the block. Errors: GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_folder_tail_end_block(struct gf_folder_tail *tail,
                                                struct gf_error *error);
/* Writes the closed blocks. After an error the files hold any part of them. */
GF_MUST_USE enum gf_rc gf_folder_tail_write(struct gf_folder_tail *tail, struct gf_error *error);
GF_MUST_USE enum gf_rc gf_folder_tail_sync(struct gf_folder_tail *tail, struct gf_error *error);
/* Gives the last file its sealed name. Everything must be written. */
GF_MUST_USE enum gf_rc gf_folder_tail_seal(struct gf_folder_tail *tail, struct gf_error *error);

/* Makes LOG/<topic> with `count` partitions; to a topic of every stage it adds those that are
 * missing. Errors: GF_E_CONFIG (another count is there),
 * GF_E_DAMAGED, GF_E_IO. */
GF_MUST_USE enum gf_rc gf_folder_topic_make(const char *log, enum gf_topic topic, uint32_t count,
                                            bool sync, struct gf_error *error);

#endif
