/* What store_folder.c (stores) and store_folder_snapshot.c (the thread that copies) share. */
#ifndef GF_IO_STORE_FOLDER_PRIVATE_H
#define GF_IO_STORE_FOLDER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "io/folder_path.h"
#include "io/rocks_store.h"
#include "io/snapshot.h"
#include "io/store_folder.h"

/* What is known of a shard, under the mutex. */
struct folder_shard {
    bool is_waiting, is_copying; /* a snapshot of it */
    int64_t due_us;              /* wall time; 0: not asked for yet */
    int64_t restored;            /* batch of the snapshot that the store came from and that has not
                                    proved good yet; 0: none */
    int64_t trusted_below; /* snapshots from this batch on have been found to be bad; 0: none */
    int64_t links_us;      /* the links took */
    enum gf_rc rc;         /* of the last snapshot */
    char text[GF_ERROR_TEXT_SIZE];
    char answered[GF_SNAPSHOT_TEXT_SIZE]; /* the request that was taken up last */
    char request[GF_SNAPSHOT_TEXT_SIZE];  /* of the snapshot under way; empty: none */
};

struct store_folder {
    struct gf_stores stores;
    struct gf_store_folder_options options; /* with strings of its own */
    char path[GF_FOLDER_PATH_SIZE], snapshots[GF_FOLDER_PATH_SIZE];
    struct gf_rocks_cache *cache;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool has_thread;
    pthread_t thread;
    atomic_bool must_stop;
    int64_t looked_us; /* monotonic: for a request */
    char request[GF_SNAPSHOT_TEXT_SIZE];
    struct folder_shard shards[GF_STORE_FOLDER_SHARDS_MAX];
};

void folder_note(struct store_folder *folder, enum gf_logger_level level, const char *event,
                 uint32_t shard, const char *format, ...) GF_PRINTF(5, 6);
/* STORE/shard-0003 with what follows. */
enum gf_rc folder_shard_path(const struct store_folder *folder, uint32_t shard, const char *rest,
                             char out[GF_FOLDER_PATH_SIZE], struct gf_error *error);

/* When the first snapshot of a shard that was opened is due: an interval after the newest. */
void folder_snapshot_plan(struct store_folder *folder, uint32_t shard);
enum gf_rc folder_snapshot(struct gf_stores *stores, uint32_t shard, struct gf_store *store,
                           int64_t batch, struct gf_error *error);
/* Ends the thread. */
void folder_snapshot_stop(struct store_folder *folder);

#endif
