/* A partition as the source sees it: its files, how far they may be read, and a cursor. */
#ifndef GF_IO_FOLDER_PARTITION_H
#define GF_IO_FOLDER_PARTITION_H

#include "io/folder_file.h"
#include "io/folder_tail.h"
#include "io/readers.h"

/* Memory lent with the records: decompressed blocks, header arrays. Freed once released past
 * `last`. */
struct gf_folder_loan {
    struct gf_folder_loan *next;
    int64_t last; /* largest offset that points into it */
    size_t size, used;
    uint8_t *data;
};

struct gf_folder_slot {
    int64_t first;
    struct gf_folder_file *file; /* NULL until read */
};

struct gf_folder_partition {
    const char *log; /* the source's */
    const struct gf_folder_resolver *resolver;
    enum gf_topic topic;
    uint32_t partition;
    char dir[GF_FOLDER_PATH_SIZE];
    struct gf_folder_slot *slots; /* by first offset */
    uint32_t slot_count;
    bool is_known, is_committed; /* looked at; ends where LOG/commit says */
    int64_t first;
    struct gf_folder_end at; /* how far it may be read */

    struct gf_folder_file *file; /* the cursor's; NULL: nowhere */
    struct gf_reader reader;     /* rest of the block */
    uint32_t left;               /* records in it */
    uint64_t block, next_block;  /* positions */
    int64_t next_offset;         /* no record below it is left */
    struct gf_readers readers;
    struct gf_folder_loan *loans;
    struct gf_folder_loan *block_loan; /* holds the block, NULL for a view */
};

GF_MUST_USE enum gf_rc gf_folder_partition_init(struct gf_folder_partition *partition,
                                                const char *log, enum gf_topic topic,
                                                uint32_t number,
                                                const struct gf_folder_resolver *resolver,
                                                struct gf_error *error);
void gf_folder_partition_fini(struct gf_folder_partition *partition);

/* Looks afresh how far it reaches. Errors: GF_E_DAMAGED, GF_E_IO, GF_E_VERSION, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_folder_partition_refresh(struct gf_folder_partition *partition,
                                                   struct gf_error *error);

/* Puts the cursor at or before `offset`, in the block that holds it. */
GF_MUST_USE enum gf_rc gf_folder_partition_seek(struct gf_folder_partition *partition,
                                                int64_t offset, struct gf_error *error);
/* Moves to the next block; none is left: `*has_out` is false. */
GF_MUST_USE enum gf_rc gf_folder_partition_advance(struct gf_folder_partition *partition,
                                                   bool *has_out, struct gf_error *error);
/* `size` bytes that live until released past `offset`; NULL when there is no memory. */
void *gf_folder_partition_lend(struct gf_folder_partition *partition, size_t size, int64_t offset);
void gf_folder_partition_release(struct gf_folder_partition *partition, int64_t offset);

/* Opens the file of a slot. */
GF_MUST_USE enum gf_rc gf_folder_partition_file(struct gf_folder_partition *partition,
                                                uint32_t slot, struct gf_folder_file **out,
                                                struct gf_error *error);
/* How much of a file may be read. */
uint64_t gf_folder_partition_limit(const struct gf_folder_partition *partition,
                                   const struct gf_folder_file *file);

#endif
