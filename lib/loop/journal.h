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
    struct gf_arena arena; /* of the record last given */
};

/* How long one look waits for records, and how many such looks in a row may find nothing. */
#define GF_JOURNAL_WAIT      ((struct gf_duration){50 * 1000})
#define GF_JOURNAL_WAITS_MAX 1200

/* `arena_memory` of `arena_size` holds one record. `from` is raised to the first offset that is
 * there; the caller looks at `first` to see whether that is too late. */
GF_MUST_USE enum gf_rc gf_journal_open(struct gf_journal_reader *reader, struct gf_source *source,
                                       const struct gf_lookup *lookup, uint32_t shard, int64_t from,
                                       void *arena_memory, size_t arena_size,
                                       struct gf_error *error);
/* Asks for the end that the journal has now: on Kafka the high watermark, so whoever reads up to it
 * has waited for every transaction that was open. */
GF_MUST_USE enum gf_rc gf_journal_extend(struct gf_journal_reader *reader, struct gf_error *error);

/* The next record and its offset, if it is there; `*found_out` false when the reader is level with
 * its end, or when nothing has come within `wait`: a transaction may be open there. The record
 * lives until the next call. Errors: GF_E_DAMAGED (a record that cannot be read), those of the
 * source. */
GF_MUST_USE enum gf_rc gf_journal_poll(struct gf_journal_reader *reader, struct gf_duration wait,
                                       struct gf_journal *out, int64_t *offset_out, bool *found_out,
                                       struct gf_error *error);
/* The position, not the last record, is at the end: markers occupy offsets. */
bool gf_journal_is_level(const struct gf_journal_reader *reader);
/* The same, but waits: `*found_out` false means the end. Errors: GF_E_UNAVAILABLE when nothing
 * comes for long. */
GF_MUST_USE enum gf_rc gf_journal_next(struct gf_journal_reader *reader, struct gf_journal *out,
                                       int64_t *offset_out, bool *found_out,
                                       struct gf_error *error);
/* Of the records in front of the reader that are not decided, the claims that `generation` succeeds
 * to: whoever made them owned the shard before, so theirs may be the transaction that is open. The
 * names, each once, oldest first; `own` is left out. What cannot be read is passed over: it may
 * never be committed. None where the source cannot look. The reader's last record is gone. Errors:
 * those of the source. */
#define GF_JOURNAL_NAME_SIZE 256
GF_MUST_USE enum gf_rc gf_journal_open_claims(struct gf_journal_reader *reader, int32_t generation,
                                              const char *own,
                                              char (*names_out)[GF_JOURNAL_NAME_SIZE],
                                              uint32_t count_max, uint32_t *count_out,
                                              struct gf_error *error);
/* That nothing comes any more, in words: GF_E_UNAVAILABLE. */
enum gf_rc gf_journal_stuck(const struct gf_journal_reader *reader, struct gf_error *error);

#endif
