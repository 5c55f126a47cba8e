#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "io/import_row.h"

#define ROOM_MIN 1024

static size_t
slot_of(const struct gf_import_seen *seen, const struct gf_digest *digest)
{
    uint64_t start = 0;
    memcpy(&start, digest->bytes, sizeof start);
    size_t at = (size_t)start & (seen->room - 1);
    while (seen->used[at] && memcmp(&seen->slots[at], digest, sizeof *digest) != 0) {
        at = (at + 1) & (seen->room - 1);
    }
    return at;
}

static enum gf_rc
seen_grow(struct gf_import_seen *seen)
{
    struct gf_import_seen grown = {.room = seen->room == 0 ? ROOM_MIN : 2 * seen->room,
                                   .count = seen->count};
    grown.slots = malloc(grown.room * sizeof *grown.slots);
    grown.used = calloc(grown.room, 1);
    if (grown.slots == NULL || grown.used == NULL) {
        gf_import_seen_fini(&grown);
        return GF_E_NO_MEMORY;
    }
    for (size_t i = 0; i < seen->room; i++) {
        if (seen->used[i]) {
            const size_t at = slot_of(&grown, &seen->slots[i]);
            grown.slots[at] = seen->slots[i];
            grown.used[at] = 1;
        }
    }
    gf_import_seen_fini(seen);
    *seen = grown;
    return GF_OK;
}

enum gf_rc
gf_import_seen_add(struct gf_import_seen *seen, const void *data, size_t size, bool *is_new_out)
{
    if (seen->count * 2 >= seen->room && seen_grow(seen) != GF_OK) {
        return GF_E_NO_MEMORY;
    }
    assert(seen->count < seen->room);
    const struct gf_digest digest = gf_digest_of(data, size);
    const size_t at = slot_of(seen, &digest);
    *is_new_out = !seen->used[at];
    if (*is_new_out) {
        seen->used[at] = 1;
        seen->slots[at] = digest;
        seen->count++;
    }
    return GF_OK;
}

bool
gf_import_seen_has(const struct gf_import_seen *seen, const void *data, size_t size)
{
    const struct gf_digest digest = gf_digest_of(data, size);
    return seen->room > 0 && seen->used[slot_of(seen, &digest)];
}

void
gf_import_seen_fini(struct gf_import_seen *seen)
{
    free(seen->slots);
    free(seen->used);
    *seen = (struct gf_import_seen){.count = 0};
}
