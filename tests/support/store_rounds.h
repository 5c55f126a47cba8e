/* Stores with content that is right in every digest, for tests of folders of stores and snapshots:
 * round n writes every customer into its slice with a body that n decides. */
#ifndef GF_TEST_STORE_ROUNDS_H
#define GF_TEST_STORE_ROUNDS_H

#include "io/store_folder.h"

#define ROUND_CUSTOMERS 150

/* All of these fail the running test on errors they do not return. */
void round_write(struct gf_store *store, uint32_t shard, int64_t batch);
/* Every slice holds what its number says; returns the number of the newest. GF_E_STATE and other
 * errors of checking go to `rc_out`, which may be NULL: then they fail the test. */
int64_t round_check(struct gf_store *store, uint32_t shard, enum gf_rc *rc_out);

/* A folder of stores at PATH/store with snapshots at PATH/snapshots, a clock and a log that stand
 * still until the test moves or reads them. */
struct rounds {
    struct gf_clock clock;
    int64_t now_us;
    char path[128], store[192], snapshots[192];
    struct gf_stores *stores;
    char notes[8192]; /* "event shard text\n" */
    int taken, failed;
};

int rounds_make(void **state);
int rounds_remove(void **state);
void rounds_open(struct rounds *rounds, int64_t interval_us, bool is_read_only);
void rounds_close(struct rounds *rounds);
struct gf_store *rounds_shard(struct rounds *rounds, uint32_t shard);
void rounds_snapshot(struct rounds *rounds, uint32_t shard, struct gf_store *store);
/* Snapshots taken so far; one that failed fails the test. */
int rounds_taken(struct rounds *rounds);
/* Whether the log has this text. */
bool rounds_said(struct rounds *rounds, const char *text);
/* Plain files and folders of a folder whose names hold `part`. */
uint32_t entries_count(const char *folder, const char *part);

#endif
