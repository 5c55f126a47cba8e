/* Zones: the time zones of the system, all of them, read once at the start. Their rules are part of
 * what a fold gives, so the version of the rules goes into the journal beside the configuration. */
#ifndef GF_CONFIG_ZONES_H
#define GF_CONFIG_ZONES_H

#include <stdint.h>

#include "base/civil.h"
#include "base/error.h"

#define GF_ZONES_FOLDER       "/usr/share/zoneinfo"
#define GF_ZONES_VERSION_SIZE 40

/* Sorted by `hashes`: the low half of gf_hash64 of the name, seed 0, as struct gf_fold_config wants
 * it. */
struct gf_zones {
    struct gf_zone *items;
    uint32_t *hashes;
    uint32_t count;
    char version[GF_ZONES_VERSION_SIZE]; /* "2026f"; "hash-" and 16 digits where the system does not
                                            say */
};

/* Reads every zone under `folder` (NULL: GF_ZONES_FOLDER). UTC is always there. Free with
 * gf_zones_free. Errors: GF_E_CONFIG (no zones there, or a file that is damaged), GF_E_NO_MEMORY.
 */
GF_MUST_USE enum gf_rc gf_zones_load(const char *folder, struct gf_zones *out,
                                     struct gf_error *error);
void gf_zones_free(struct gf_zones *zones);

/* NULL when there is no such zone. */
const struct gf_zone *gf_zones_find(const struct gf_zones *zones, const char *name);

/* Is there a zone of this name? Reads one file. */
bool gf_zone_exists(const char *folder, const char *name);

#endif
