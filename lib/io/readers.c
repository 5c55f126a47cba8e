#include "io/readers.h"

#include <stdlib.h>

void
gf_readers_fini(struct gf_readers *readers)
{
    free(readers->places);
    *readers = (struct gf_readers){0};
}

static struct gf_reader_place *
place_find(const struct gf_readers *readers, uint32_t reader)
{
    for (uint32_t i = 0; i < readers->count; i++) {
        if (readers->places[i].reader == reader) {
            return &readers->places[i];
        }
    }
    return NULL;
}

enum gf_rc
gf_readers_read(struct gf_readers *readers, uint32_t reader, int64_t offset, bool is_jump,
                struct gf_error *error)
{
    struct gf_reader_place *place = place_find(readers, reader);
    if (place != NULL) {
        place->from = is_jump || offset < place->from ? offset : place->from;
        return GF_OK;
    }
    if (readers->count == readers->capacity) {
        const uint32_t capacity = readers->capacity == 0 ? 1 : readers->capacity * 2;
        struct gf_reader_place *grown =
            realloc(readers->places, capacity * sizeof(readers->places[0]));
        if (grown == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "no memory for %u readers", capacity);
        }
        readers->places = grown;
        readers->capacity = capacity;
    }
    readers->places[readers->count++] = (struct gf_reader_place){.reader = reader, .from = offset};
    return GF_OK;
}

void
gf_readers_release(struct gf_readers *readers, uint32_t reader, int64_t offset)
{
    struct gf_reader_place *place = place_find(readers, reader);
    if (place == NULL) {
        return;
    }
    if (offset == INT64_MAX) {
        *place = readers->places[--readers->count];
    } else if (offset > place->from) {
        place->from = offset;
    }
}

int64_t
gf_readers_least(const struct gf_readers *readers)
{
    int64_t least = INT64_MAX;
    for (uint32_t i = 0; i < readers->count; i++) {
        least = readers->places[i].from < least ? readers->places[i].from : least;
    }
    return least;
}
