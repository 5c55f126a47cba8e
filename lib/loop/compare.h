/* Compare: the outputs as they stand on the log against those of a refold, record by record.
 *
 * A partition of an output topic has the effects of its shard, in order; between them lie offsets
 * of transaction markers. Where retention has cut the front of a partition, the comparison of that
 * topic starts with the first batch that is there from its beginning. */
#ifndef GF_LOOP_COMPARE_H
#define GF_LOOP_COMPARE_H

#include "base/arena.h"
#include "base/hash.h"
#include "engine/engine.h"
#include "loop/lookup.h"
#include "loop/source.h"

#define GF_COMPARE_READ_COUNT 256

enum gf_difference_kind {
    GF_DIFFERENCE_RECORD,  /* the log has another record than the refold gives */
    GF_DIFFERENCE_MISSING, /* the refold gives one that the log has not */
    GF_DIFFERENCE_EXTRA,   /* the log has one that the refold does not give */
    GF_DIFFERENCE_DIGEST,  /* every record agrees, the journal's digest or tally does not */
};

/* Two digests of one batch's effects; UNKNOWN where the log has not as many records. */
enum gf_agreement { GF_AGREEMENT_UNKNOWN, GF_AGREEMENT_YES, GF_AGREEMENT_NO };

struct gf_difference {
    enum gf_difference_kind kind;
    uint32_t shard, partition; /* of the topic */
    enum gf_topic topic;
    const struct gf_effect *effect; /* of the refold; NULL: EXTRA, DIGEST */
    struct gf_record record;        /* of the log: RECORD, EXTRA */
    enum gf_agreement journal_is_refold, journal_is_log;
    const struct gf_journal *journal; /* of the batch */
    const struct gf_batch *batch;     /* its events; NULL when the record came after the last */
};

/* Where the comparison of a topic's partition starts. */
struct gf_compare_start {
    uint32_t partition;
    int64_t first;      /* offset that is there; 0: from the beginning */
    int64_t from_batch; /* compared from this batch on */
};

struct gf_compare_cursor {
    struct gf_record records[GF_COMPARE_READ_COUNT];
    uint32_t record_at, record_count;
    int64_t at, end;
    struct gf_compare_start start;
    bool has_head_batch;
    int64_t head_batch; /* of the next record, once it was asked for; -1: it does not say */
};

struct gf_compare {
    /* Called once, with what differs first; all of it lives during the call. */
    void (*show)(void *context, const struct gf_difference *difference);
    void *context;
    struct gf_arena arena; /* the caller's: GF_COMPARE_ARENA_SIZE */
    int64_t records;       /* of the log that were compared */

    /* own */
    struct gf_source *source;
    struct gf_lookup lookup;
    uint32_t shard, partitions, stages;
    bool is_open;
    struct gf_compare_cursor cursors[GF_TOPIC_COUNT]; /* of output topics but the journal */
};

#define GF_COMPARE_ARENA_SIZE ((size_t)64 << 20)

/* Whether a record of an output topic has the body, the key and the time of an effect. Kafka keeps
 * milliseconds. */
bool gf_compare_is_same(const struct gf_effect *effect, const struct gf_record *record);
/* The Avro body of a record, its frame taken off. */
struct gf_span gf_compare_body(const struct gf_record *record);
/* The batch that an output says it is of: its lineage's, or the dead letter's. */
int64_t gf_compare_batch_of(enum gf_topic topic, const void *body);

/* Starts on a shard, ends as they are now. To be called after the journal's end was asked for.
 * Errors: those of the source. */
GF_MUST_USE enum gf_rc gf_compare_open(struct gf_compare *compare, struct gf_source *source,
                                       const struct gf_lookup *lookup, uint32_t shard,
                                       uint32_t partitions, uint32_t stages,
                                       struct gf_error *error);

/* The effects of one batch. `is_inside` false: their records are passed over. `is_tally_equal`:
 * the journal counts what the refold counts. Errors: GF_E_DIFFERENT (shown before), those of the
 * source and the lookup. */
GF_MUST_USE enum gf_rc gf_compare_batch(struct gf_compare *compare,
                                        const struct gf_journal *journal,
                                        const struct gf_batch *batch,
                                        const struct gf_effects *effects, bool is_tally_equal,
                                        bool is_inside, struct gf_error *error);

/* The journal is at its end: the log must have no record more of the batches up to `last`. Errors:
 * as above. */
GF_MUST_USE enum gf_rc gf_compare_end(struct gf_compare *compare, int64_t last,
                                      struct gf_error *error);

#endif
