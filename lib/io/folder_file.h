/* One container file, mapped for reading. */
#ifndef GF_IO_FOLDER_FILE_H
#define GF_IO_FOLDER_FILE_H

#include "codec/records.h"
#include "io/folder.h"
#include "io/folder_container.h"
#include "io/folder_envelope.h"
#include "io/folder_path.h"

struct gf_folder_mapping {
    uint8_t *data;
    size_t size;
};

/* Where a block starts that is at least GF_FOLDER_BLOCK_SIZE behind the one before. */
struct gf_folder_mark {
    int64_t offset;
    int64_t time_us;
    uint64_t position;
};

struct gf_folder_file {
    char path[GF_FOLDER_PATH_SIZE]; /* as found */
    enum gf_topic topic;
    uint32_t partition;
    int64_t first;
    int fd;
    const uint8_t *data;                /* the newest mapping */
    uint64_t size;                      /* of the file when last looked at; all of it is mapped */
    struct gf_folder_mapping *mappings; /* older ones stay, as views point into them */
    uint32_t mapping_count;
    struct gf_folder_header header;
    struct gf_folder_value value;
    uint64_t whole_size; /* up to the last whole block looked at */
    int64_t end;         /* offset after the last record in them; `first` when there are none */
    struct gf_folder_mark *marks;
    uint32_t mark_count, mark_capacity;
    uint64_t marked_size; /* up to where marks have been made */
};

/* Errors: GF_E_BAD_DATA (no whole header), GF_E_VERSION (foreign schema and no resolver),
 * GF_E_DAMAGED (not the file its name says), the resolver's, GF_E_IO, GF_E_NOT_FOUND. */
GF_MUST_USE enum gf_rc gf_folder_file_open(const char *dir, enum gf_topic topic, uint32_t partition,
                                           int64_t first, const struct gf_folder_resolver *resolver,
                                           struct gf_folder_file **out, struct gf_error *error);
void gf_folder_file_close(struct gf_folder_file *file); /* accepts NULL */

/* Looks whether the file has grown. */
GF_MUST_USE enum gf_rc gf_folder_file_refresh(struct gf_folder_file *file, struct gf_error *error);

/* Brings `whole_size` and `end` up to date. A torn end is no error. Errors: GF_E_DAMAGED. */
GF_MUST_USE enum gf_rc gf_folder_file_measure(struct gf_folder_file *file, struct gf_error *error);

/* The block at `position` of the first `limit` bytes, all of which must be whole; no block at their
 * end:
 * `*has_out` is false. Errors: GF_E_DAMAGED. */
GF_MUST_USE enum gf_rc gf_folder_file_block(const struct gf_folder_file *file, uint64_t position,
                                            uint64_t limit, bool *has_out,
                                            struct gf_folder_block *out, struct gf_error *error);

/* The records of a block: a view, or for a compressed file malloc'd `*owned_out` (else NULL). */
GF_MUST_USE enum gf_rc gf_folder_file_records(const struct gf_folder_file *file,
                                              const struct gf_folder_block *block,
                                              struct gf_span *out, uint8_t **owned_out,
                                              struct gf_error *error);

/* Offset and time of the first record of `block`. Errors: GF_E_DAMAGED. */
GF_MUST_USE enum gf_rc gf_folder_file_first(const struct gf_folder_file *file,
                                            const struct gf_folder_block *block,
                                            int64_t *offset_out, int64_t *time_us_out,
                                            struct gf_error *error);

/* Where to start reading for `offset`: a block that starts at or below it (the first one, if none
 * does). */
GF_MUST_USE enum gf_rc gf_folder_file_seek(struct gf_folder_file *file, int64_t offset,
                                           uint64_t limit, uint64_t *position_out,
                                           struct gf_error *error);
/* Where to start looking for `time_us`: the offset at which the last block starts whose first
 * record is older (the first block, if none is), by halves over the marks. */
GF_MUST_USE enum gf_rc gf_folder_file_seek_time(struct gf_folder_file *file, int64_t time_us,
                                                uint64_t limit, int64_t *offset_out,
                                                struct gf_error *error);

/* "FILE: block at byte N is damaged" with advice. */
enum gf_rc gf_folder_file_damage(const struct gf_folder_file *file, uint64_t position,
                                 struct gf_error *error);

#endif
