/* The Avro object container file, as the folder log uses it: header, then blocks of {count, size,
 * data, sync marker}. */
#ifndef GF_IO_FOLDER_CONTAINER_H
#define GF_IO_FOLDER_CONTAINER_H

#include "base/error.h"
#include "base/hash.h"
#include "base/span.h"
#include "io/folder.h"

#define GF_FOLDER_SYNC_SIZE       16
#define GF_FOLDER_BLOCK_HEAD_SIZE 20 /* two varints at most */
/* A decompressed block is never larger, whatever its bytes claim: one full block and one more
 * record of the largest. */
#define GF_FOLDER_BLOCK_SIZE_MAX (UINT32_C(64) << 20)

struct gf_folder_header {
    struct gf_span schema; /* the writer schema of the topic: a view into the file */
    enum gf_folder_codec codec;
    uint8_t sync[GF_FOLDER_SYNC_SIZE];
    uint32_t size; /* where the first block starts */
};

enum gf_folder_block_state {
    GF_FOLDER_BLOCK_WHOLE,
    GF_FOLDER_BLOCK_NONE, /* at the end */
    GF_FOLDER_BLOCK_TORN, /* not whole, and nothing whole after it: what a crash leaves */
    GF_FOLDER_BLOCK_BAD,  /* not whole, but something follows: what a crash does not leave */
};

struct gf_folder_block {
    uint32_t count;      /* records */
    struct gf_span data; /* as stored */
    uint64_t position;   /* of the block */
    uint64_t next;       /* position after it */
};

void gf_folder_sync_marker(const char *topic, uint32_t partition, int64_t first,
                           uint8_t out[GF_FOLDER_SYNC_SIZE]);

/* The header of a new file; malloc'd, the caller frees. NULL when there is no memory. */
uint8_t *gf_folder_header_new(const char *schema, enum gf_folder_codec codec,
                              const uint8_t sync[GF_FOLDER_SYNC_SIZE], size_t *size_out);

/* Errors: GF_E_BAD_DATA (no whole header: the file of a crash, or no container file), GF_E_VERSION
 * (a container file, but not of this log: other envelope or codec). */
GF_MUST_USE enum gf_rc gf_folder_header_read(struct gf_span file, struct gf_folder_header *out,
                                             struct gf_error *error);

/* Looks at the block at `position` of `file`, which has `size` bytes. Only a whole block fills
 * `out`. */
enum gf_folder_block_state gf_folder_block_read(const uint8_t *file, uint64_t size,
                                                uint64_t position,
                                                const uint8_t sync[GF_FOLDER_SYNC_SIZE],
                                                struct gf_folder_block *out);

/* Compresses or decompresses a block into malloc'd memory (the caller frees). Not for the null
 * codec. Errors: GF_E_NO_MEMORY, GF_E_DAMAGED (decompress: bad bytes, or more than `size_max`). */
GF_MUST_USE enum gf_rc gf_folder_compress(enum gf_folder_codec codec, struct gf_span data,
                                          uint8_t **out, size_t *size_out, struct gf_error *error);
GF_MUST_USE enum gf_rc gf_folder_decompress(enum gf_folder_codec codec, struct gf_span data,
                                            uint32_t size_max, uint8_t **out, size_t *size_out,
                                            struct gf_error *error);
/* The first bytes only, as many as there are up to `size`. */
GF_MUST_USE enum gf_rc gf_folder_peek(enum gf_folder_codec codec, struct gf_span data, uint8_t *out,
                                      size_t size, size_t *size_out, struct gf_error *error);

#endif
