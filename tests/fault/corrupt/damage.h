/* Damage: what disks and programs do to a store and to snapshots. Each function breaks one thing
 * by chance and names it in `what`, and in `kind` the row of the table in which it is counted. */
#ifndef GF_TEST_DAMAGE_H
#define GF_TEST_DAMAGE_H

#include "base/random.h"
#include "tree.h"

#define DAMAGE_KIND_SIZE 32

struct damage {
    char kind[DAMAGE_KIND_SIZE];
    char what[2 * TREE_PATH_SIZE];
};

/* One file of the kind that chance names: flips bits, cuts it, zeroes 4 KiB, or deletes it. */
void damage_store_file(const char *state, struct gf_random *random, struct damage *out);
/* The same to a file of a snapshot: a manifest, or one by content. */
void damage_snapshot_file(const char *snapshots, struct gf_random *random, struct damage *out);

/* Writes through RocksDB, whose own checksums then hold: an older version of a record, a lost
 * sweep, a missing record, older timers, an older number, a mark that is not the journal's. `older`
 * is the same store as it was before. */
void damage_through_rocks(const char *state, const char *older, struct gf_random *random,
                          struct damage *out);

#endif
