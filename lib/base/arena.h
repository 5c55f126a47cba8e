/* Arena: memory named by its lifetime, a batch. The caller lends a block; allocation is a bump,
 * release is a mark.
 *
 * An arena that runs out returns NULL and stays `overflowed`; a decoder that gets NULL gives the
 * record up with GF_E_FULL. Nothing here calls malloc. */
#ifndef GF_BASE_ARENA_H
#define GF_BASE_ARENA_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gf_arena {
    uint8_t *data;
    size_t size;
    size_t used;
    bool overflowed;
};

static inline struct gf_arena
gf_arena_of(void *data, size_t size)
{
    return (struct gf_arena){.data = data, .size = size};
}

/* `size` bytes, aligned to 8, not cleared; NULL when the arena is full. */
static inline void *
gf_arena_take(struct gf_arena *arena, size_t size)
{
    const size_t start = (arena->used + 7) & ~(size_t)7;
    if (start > arena->size || size > arena->size - start) {
        arena->overflowed = true;
        return NULL;
    }
    arena->used = start + size;
    return arena->data + start;
}

static inline size_t
gf_arena_mark(const struct gf_arena *arena)
{
    return arena->used;
}

/* Gives back all that was taken since `mark`. */
static inline void
gf_arena_reset(struct gf_arena *arena, size_t mark)
{
    assert(mark <= arena->used);
    arena->used = mark;
    arena->overflowed = false;
}

#endif
