/* Readers: who reads a partition of a source, and from which offset on each still holds records.
 * Memory that was lent may go when the least of them has passed it. */
#ifndef GF_IO_READERS_H
#define GF_IO_READERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct gf_reader_place {
    uint32_t reader;
    int64_t from;
};

struct gf_readers {
    struct gf_reader_place *places;
    uint32_t count, capacity;
};

void gf_readers_fini(struct gf_readers *readers);

/* `reader` reads from `offset` on: it holds what lies there from now on, and below that what it
 * held before. `is_jump`: nothing of that any more. Errors: GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_readers_read(struct gf_readers *readers, uint32_t reader, int64_t offset,
                                       bool is_jump, struct gf_error *error);
/* `reader` holds nothing below `offset`; INT64_MAX: it reads no longer. */
void gf_readers_release(struct gf_readers *readers, uint32_t reader, int64_t offset);

/* The least offset that any of them holds; INT64_MAX: there are none. */
int64_t gf_readers_least(const struct gf_readers *readers);

#endif
