/* Lab: a whole gridfold in memory. A configuration's text becomes shards over a memory log and a
 * memory store, driven by the real loop under a clock of the test; inputs are put in, the loop runs
 * to their end, outputs are looked at. Faults are set at the log and the store; a crash drops
 * everything but those two. */
#ifndef GF_TEST_LAB_H
#define GF_TEST_LAB_H

#include "config/config.h"
#include "io/registry.h"
#include "loop/live.h"
#include "memory_log.h"
#include "memory_store.h"

struct lab_clock {
    struct gf_clock base;
    int64_t us; /* monotonic; wall time is this after 2030-01-01 */
};

struct lab {
    struct gf_config *config;
    struct gf_registry *registry;
    struct gf_lookup lookup;
    struct gf_memory_log *log;
    struct gf_source *source;
    struct gf_store *store;
    struct gf_memory_stores stores;      /* hands out `store` */
    struct gf_shard **shards;            /* by number; NULL until a run, and after a crash */
    uint32_t shard_count, customers_max; /* shards of one stage */
    uint32_t shard_end, shard_total; /* of all stages: numbers are below it; how many there are */
    uint32_t stages;
    struct lab_clock clock;
    struct gf_zones zones;       /* its version may be changed between a crash and a run */
    bool accept_refold;          /* of the next start */
    struct gf_time start;        /* where first starts begin; 0: earliest */
    uint32_t only_stages;        /* that this instance runs, of those that are on; 0: all */
    struct gf_duration patience; /* with what other instances write */
    uint32_t stop_at_commits;    /* a signal comes once the log has seen so many; 0: none does */
    void (*at_turn)(struct lab *lab); /* before each turn of the loop; NULL: nothing */
    int64_t stop_at_us;               /* one comes at this time of the clock; 0: none does */
    struct gf_live_status status;     /* of the last run */
    uint32_t warnings;                /* recoveries of all runs */
    uint32_t new_stages;              /* notes GF_LIVE_NEW_STAGE of all runs */
    struct gf_error error;            /* of the last run that failed */
};

/* Without `log:` and `version:`, which are added; NULL: the defaults. Fails the test on a
 * complaint. */
void lab_open(struct lab *lab, const char *config_text);
void lab_close(struct lab *lab);

/* ---- inputs ---- */

/* The partition where a key of a customer belongs. */
uint32_t lab_partition(const struct lab *lab, const char *key);
/* Adds a record, framed as on Kafka, where it belongs; its timestamp is `time`. Returns its offset.
 */
int64_t lab_add(struct lab *lab, enum gf_topic topic, const char *key, struct gf_time time,
                const void *body);
/* Adds any bytes anywhere; NULL key: none. */
int64_t lab_add_bytes(struct lab *lab, enum gf_topic topic, uint32_t partition, const char *key,
                      struct gf_time time, struct gf_span value);
/* Frames and encodes; returns the size. */
uint32_t lab_encode(enum gf_topic topic, const void *body, uint8_t *out, size_t size);
/* The same inputs in another lab with the same partitions. */
void lab_copy_inputs(struct lab *to, const struct lab *from);
int64_t lab_input_count(const struct lab *lab);

/* ---- running ---- */

/* Makes the shards if there are none and runs to the end of the input. What stopped it is in
 * lab->error. */
enum gf_rc lab_run(struct lab *lab);
/* Replays the journals by shards of its own over an empty store, which stay. */
enum gf_rc lab_replay(struct lab *lab);
/* The process is gone; log and store stay. A store given is what its disk shows after: it replaces
 * the lab's. */
void lab_crash(struct lab *lab, struct gf_store *store);

/* Another configuration for the next start; the partitions stay, and those of stages
 * that are switched on must be there from the beginning. To be called after a crash. */
void lab_configure(struct lab *lab, const char *config_text);

/* ---- outputs ---- */

uint32_t lab_count(const struct lab *lab, enum gf_topic topic); /* of all partitions */
/* The index-th record of a topic, by partition and offset. */
const struct gf_record *lab_record(const struct lab *lab, enum gf_topic topic, uint32_t index);
/* Decodes it into `out`, the struct of the topic; its arrays live until the next call. */
void lab_get(const struct lab *lab, enum gf_topic topic, uint32_t index, void *out);

struct gf_tally lab_tally(const struct lab *lab); /* sum of all shards */

enum lab_lineage {
    LAB_LINEAGE_SAME,
    LAB_LINEAGE_ASIDE, /* batch numbers may differ */
    LAB_GOOD_ALONE,    /* other records lie between the inputs: their places may differ, too, and
                          dead letters are not looked at */
};
/* Every output but the journal: same partitions, keys, times and bytes. Fails the test with the
 * first that differs. */
void lab_assert_same_outputs(const struct lab *a, const struct lab *b, enum lab_lineage lineage);
/* The stores' blocks and digests after clean stops. */
void lab_assert_same_state(const struct lab *a, const struct lab *b);
/* in = processed + filtered + late + dead-lettered, by shard; and the positions are at the ends. */
void lab_assert_conserved(const struct lab *lab);

#endif
