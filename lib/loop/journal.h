/* Journal: writing and reading a shard's journal records. The record itself is
 * schemas/out/journal.avsc. */
#ifndef GF_LOOP_JOURNAL_H
#define GF_LOOP_JOURNAL_H

#include "base/arena.h"
#include "loop/lookup.h"
#include "loop/sink.h"
#include "loop/source.h"
#include "model/records.h"

#define GF_JOURNAL_SIZE_MAX                                                                        \
    (UINT32_C(1) << 20) /* a CONFIG record holds the configuration's text                          \
                         */

/* Encodes and appends one record to the shard's journal partition. `time` stamps it: the shard's
 * time. */
GF_MUST_USE enum gf_rc gf_journal_append(struct gf_sink *sink, const struct gf_journal *record,
                                         uint8_t *buffer, struct gf_time time,
                                         struct gf_error *error);

/* Reads a journal partition from an offset to the end that it had when the reader was opened. */
struct gf_journal_reader {
    struct gf_source *source;
    struct gf_lookup lookup;
    uint32_t shard;
    int64_t first, at, end;
    struct gf_record records[64];
    uint32_t record_at, record_count;
    uint32_t empty_reads;
    struct gf_arena arena; /* of the record last given */
};

/* `arena_memory` of `arena_size` holds one record. `from` is raised to the first offset that is
 * there; the caller looks at `first` to see whether that is too late. */
GF_MUST_USE enum gf_rc gf_journal_open(struct gf_journal_reader *reader, struct gf_source *source,
                                       const struct gf_lookup *lookup, uint32_t shard, int64_t from,
                                       void *arena_memory, size_t arena_size,
                                       struct gf_error *error);
/* The next record and its offset; `*found_out` false at the end. The record lives until the next
 * call. Errors: GF_E_DAMAGED (a record that cannot be read), those of the source. */
GF_MUST_USE enum gf_rc gf_journal_next(struct gf_journal_reader *reader, struct gf_journal *out,
                                       int64_t *offset_out, bool *found_out,
                                       struct gf_error *error);

#endif
