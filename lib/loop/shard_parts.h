/* The shard's own struct, shared by its files: shard.c (live), shard_config.c, shard_mark.c,
 * shard_sweep.c, recover.c and refold.c (following the journal), replay.c. */
#ifndef GF_LOOP_SHARD_PARTS_H
#define GF_LOOP_SHARD_PARTS_H

#include "loop/journal.h"
#include "loop/shard.h"

#define WANTED_COUNT_MAX     (4 * GF_BATCH_COUNT_MAX)
#define CONFIG_TEXT_SIZE_MAX (256 * 1024)
#define JOURNAL_ARENA_SIZE   ((size_t)8 << 20)

/* A configuration in force: the text that is journalled and what it means. The text's first line is
 * a comment that names what else decides the fold: the version of its code, the time-zone rules,
 * the order of the merge. */
struct in_force {
    struct gf_config *owned; /* parsed from a journal; NULL when it is the one of this start */
    struct gf_fold_config fold;
    uint64_t hash;        /* of the text, first line included */
    char first_line[160]; /* without its newline */
    bool is_arrival;
};

/* Following the journal, as a recovery or as a standby, from the store to the journal's end: what
 * it keeps in mind on the way. */
struct following {
    struct gf_journal_reader reader;
    bool is_taking_over;    /* the end that the reader has was asked for after an assignment */
    int64_t oldest, newest; /* batch numbers of the slices in the store */
    int64_t last;           /* last batch read, 0 before the first */
    bool has_record;        /* the journal has a record of any kind */
    int64_t marked;         /* batch that the store remembers; no slice is newer */
    uint64_t mark;          /* of its record */
    bool is_learned;        /* reference tables and positions are set */
    bool is_whole;          /* from batch 1 into empty slices: effects can be compared */
    bool is_configured;     /* the journal names a configuration */
    bool is_named[GF_SLICE_COUNT]; /* the journal names the slice as it is in the store */
    int64_t from;                  /* journal offset where it began */
    int64_t records;               /* folded again */
};

#define SHARD_CARRIED_MAX GF_SHARD_PARTS_MAX

struct gf_shard {
    struct gf_shard_options options;
    struct gf_source *source;
    struct gf_lookup lookup;
    struct gf_stores *stores;
    struct gf_store *store; /* NULL until the shard starts */
    enum gf_shard_place place;
    struct following following;
    struct gf_engine *engine;
    struct gf_feed feed;
    void *engine_memory, *feed_memory, *work_memory;
    size_t engine_size, feed_size, work_size;

    /* in work_memory */
    uint8_t *journal_buffer; /* GF_JOURNAL_SIZE_MAX */
    void *journal_arena;     /* JOURNAL_ARENA_SIZE */
    char *config_text;       /* CONFIG_TEXT_SIZE_MAX: of this start */
    size_t config_size;
    struct gf_store_block *wanted, *found; /* WANTED_COUNT_MAX */
    uint32_t *wanted_slices;
    struct gf_journal_input *journal_inputs; /* GF_MERGE_INPUT_COUNT_MAX */
    /* Positions in topics of a stage that is off now: each record carries them on, so that it can
     * be switched on again. */
    struct gf_batch_input carried[SHARD_CARRIED_MAX];
    uint32_t carried_count;

    struct in_force configured;      /* of this start */
    struct in_force current;         /* what the engine is configured with */
    bool must_claim, must_configure; /* to be appended before the next batch */

    struct gf_time until; /* of the last freeze */

    int64_t batch;         /* last batch folded */
    uint64_t batch_mark;   /* of its journal record */
    int64_t mark_stored;   /* batch whose mark is in the store; 0: not known */
    bool counts_are_known; /* the inputs' counts are those after the batch read last */
    int64_t journal_base;  /* offset that the journal's next record has at least */
    int64_t batch_base;    /* offset that the record of `batch` has at least */
    int64_t records_since_sweep;
    struct gf_swept_slice swept[GF_SLICE_COUNT]; /* not yet named by a journal record */
    uint32_t swept_count, swept_named;           /* named: by records of the open commit */
    struct gf_slice_meta metas[GF_SLICE_COUNT];  /* as in the store */
    bool is_checked[GF_SLICE_COUNT];  /* its blocks gave its digest since the start, or lately */
    uint32_t sweep_count;             /* of slices */
    bool config_stored;               /* the configuration in force is in the store by its hash */
    char owner[GF_JOURNAL_NAME_SIZE]; /* transactional.id of the newest claim; "": none */
    int64_t effect_counts[GF_TOPIC_COUNT];
};

/* Fetches from the store what the batch needs. */
enum gf_rc shard_fetch_wanted(struct gf_shard *shard, const struct gf_batch *batch,
                              struct gf_error *error);

/* The configuration of this start, as it would be journalled, into `configured`. Errors:
 * GF_E_NO_MEMORY. */
enum gf_rc shard_configured_make(struct gf_shard *shard, struct gf_error *error);
/* Name under which the store keeps a configuration's text. */
void shard_config_name(uint64_t hash, char out[32]);

/* Configures the engine with `wanted`, which stays the shard's. */
enum gf_rc shard_configure(struct gf_shard *shard, const struct in_force *wanted,
                           struct gf_error *error);

/* Takes the configuration of a CONFIG record, or one named by hash in a BATCH record (from the
 * store). */
enum gf_rc shard_take_config(struct gf_shard *shard, struct gf_span text, uint64_t hash,
                             struct gf_error *error);
enum gf_rc shard_find_config(struct gf_shard *shard, uint64_t hash, struct gf_error *error);

/* Aims the feed at a journal record's ranges and makes the batch that it was. `is_swept`: every
 * slice has it, so that records of a stage that is off now need not be there.
 * Errors: GF_E_CONFIG (they do, or partitions were taken away), GF_E_LOST. */
enum gf_rc shard_batch_of(struct gf_shard *shard, const struct gf_journal *record, bool is_swept,
                          struct gf_batch *out, struct gf_error *error);
/* Reads the reference topics from their beginning up to where a record starts. */
enum gf_rc shard_learn_reference(struct gf_shard *shard, const struct gf_journal *record,
                                 struct gf_error *error);

/* Remembers whose claim is the newest. */
enum gf_rc shard_owner_put(struct gf_shard *shard, struct gf_span transactional_id,
                           struct gf_error *error);

/* Forgets all that was folded, read ahead and followed. */
void shard_memory_drop(struct gf_shard *shard);

/* Opens the shard's store, unless it is open. */
enum gf_rc shard_store_open(struct gf_shard *shard, struct gf_error *error);
void shard_store_close(struct gf_shard *shard);

/* Takes the journal's next record, at `offset`: folds its batch again into the slices that have not
 * seen it. */
enum gf_rc shard_take_record(struct gf_shard *shard, const struct gf_journal *record,
                             int64_t offset, struct gf_error *error);

/* Checks a slice's blocks against its number and digest, once after each start. */
enum gf_rc shard_check_slice(struct gf_shard *shard, uint32_t slice, struct gf_error *error);

/* What a store remembers of the journal that it follows: a hash of a BATCH record, and the batch.
 * 0: nothing. */
uint64_t shard_mark_of(const struct gf_journal *record);
enum gf_rc shard_mark_put(struct gf_shard *shard, struct gf_error *error);
enum gf_rc shard_mark_get(struct gf_shard *shard, int64_t *batch_out, uint64_t *mark_out,
                          struct gf_error *error);

/* Writes one slice to the store as of the last batch. */
enum gf_rc shard_sweep_slice(struct gf_shard *shard, uint32_t slice, struct gf_sweep *sweep_out,
                             struct gf_error *error);

#endif
