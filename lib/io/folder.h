/* The folder log: topics as folders of Avro object container files, with Kafka's offsets and commit
 * rules.
 *
 *   LOG/<topic>/<partition>/<first offset, 20 digits>.avro        the file that still grows ends in
 * `.avro.open` LOG/commit      ends of all output and journal partitions, one fsynced record a
 * commit (folder_commit.h) LOG/lock        held (flock) by the one process that writes
 *
 * Every Avro reader can read the files: a record is the envelope {offset, timestamp, key, headers,
 * schema_id, value}, and `value` is null, the topic's record, or the bytes of what could not be
 * decoded (schema_id 0 then).
 *
 * Equal logs are equal files. A sync marker is a hash of topic, partition and first offset, not a
 * random number. A commit (of the sink) or a flush (of the writer) ends a block in each partition
 * it touches; inside, a block ends once it has GF_FOLDER_BLOCK_SIZE bytes. A file is full, and the
 * next block starts a new one, once it has `file_size_max` bytes; a block in another writer schema
 * starts one too. A file that a clean close has sealed is taken up again by the next start when it
 * is not full, so that the number of starts does not show. */
#ifndef GF_IO_FOLDER_H
#define GF_IO_FOLDER_H

#include "codec/plan.h"
#include "loop/sink.h"
#include "loop/source.h"

#define GF_FOLDER_PARTITIONS      4
#define GF_FOLDER_FILE_SIZE_MAX   (UINT64_C(256) << 20)
#define GF_FOLDER_BLOCK_SIZE      65536
#define GF_FOLDER_RECORD_SIZE_MAX (UINT32_C(32) << 20) /* key, headers and value together */

enum gf_folder_codec { GF_FOLDER_CODEC_NULL, GF_FOLDER_CODEC_DEFLATE, GF_FOLDER_CODEC_ZSTANDARD };

/* What a file's writer schema means to us. Neither own nor a plan: its records cannot be read. */
struct gf_folder_schema {
    uint32_t id; /* the id under which the caller's gf_schemas knows it: `schema_id` of the records
                    read */
    bool is_own;
    const struct gf_plan *plan; /* the resolver's, as long as the source lives */
};

/* Called once a file whose schema text is not that of ours, letter by letter. */
struct gf_folder_resolver {
    void *context;
    enum gf_rc (*resolve)(void *context, enum gf_topic topic, struct gf_span schema,
                          struct gf_folder_schema *out, struct gf_error *error);
};

/* The right to write to a log. A process that needs a sink and a writer at once takes it once and
 * lends it to both. */
struct gf_folder_lock;

/* Makes the folder when it is missing. Errors: GF_E_BUSY (another process has it; the message names
 * it), GF_E_IO, GF_E_NO_SPACE, GF_E_USAGE (path too long). */
GF_MUST_USE enum gf_rc gf_folder_lock_take(const char *path, struct gf_folder_lock **out,
                                           struct gf_error *error);
void gf_folder_lock_release(struct gf_folder_lock *lock); /* accepts NULL */

/* Zero means the default everywhere. */
struct gf_folder_options {
    const char *path;           /* of LOG */
    uint32_t partitions;        /* of customer topics; GF_FOLDER_PARTITIONS */
    uint32_t stages;            /* that are on: see codec/stage.h; of a sink */
    enum gf_folder_codec codec; /* of new files; null */
    uint64_t file_size_max;     /* GF_FOLDER_FILE_SIZE_MAX */
    bool no_sync; /* leave it to the system when bytes reach the disk: backtests and tests only */
    struct gf_folder_lock *lock; /* borrowed; NULL: the maker takes its own */
    const struct gf_folder_resolver
        *resolver; /* of a writer: to take up files in foreign schemas; may be NULL */
};

/* Reads all topics of the log. `resolver` may be NULL: files in a foreign schema are then refused
 * (GF_E_VERSION). Errors: GF_E_NOT_FOUND (no such folder), GF_E_NO_MEMORY.
 *
 * Records up to the committed end are seen: of topics that LOG/commit names, what it says; of
 * others, up to the last whole block. Values are views into the mapped file (or, of a compressed
 * file, into memory held until released). `offset_at` searches by halves: exact where timestamps do
 * not decrease, and else some place where they pass `time`. */
GF_MUST_USE enum gf_rc gf_folder_source_open(const char *path,
                                             const struct gf_folder_resolver *resolver,
                                             struct gf_source **out, struct gf_error *error);

/* Writes the output and journal topics. Opening recovers: what lies beyond the last whole commit is
 * cut off. After an error of commit other than none the sink is dead; a failed fsync is never tried
 * again, because the pages it lost look clean to the next one. `commit` ignores the input
 * positions. Errors: as the lock's, GF_E_DAMAGED (a committed byte is missing), GF_E_VERSION,
 * GF_E_CONFIG (partition count differs). */
GF_MUST_USE enum gf_rc gf_folder_sink_open(const struct gf_folder_options *options,
                                           struct gf_sink **out, struct gf_error *error);

/* Writer: fills input topics (import, simulate, tests) or archives any topic at the offsets it has
 * elsewhere.
 */
struct gf_folder_writer;

/* Makes the folders of all input topics when they are missing (reference topics have one partition)
 * and cuts torn tails. Errors: as the lock's, GF_E_DAMAGED, GF_E_CONFIG (partition count differs).
 */
GF_MUST_USE enum gf_rc gf_folder_writer_open(const struct gf_folder_options *options,
                                             struct gf_folder_writer **out, struct gf_error *error);

/* Makes a foreign writer schema known. `schema` (a JSON record schema; copied) is that of `id`;
 * `plan` reads it, is borrowed, and NULL when `is_own` or when it cannot be resolved (such records
 * are then kept as bytes). */
GF_MUST_USE enum gf_rc gf_folder_writer_schema(struct gf_folder_writer *writer, enum gf_topic topic,
                                               uint32_t id, const char *schema, bool is_own,
                                               const struct gf_plan *plan, struct gf_error *error);

/* Adds a record to its topic and partition. Offset -1 is the next one; others may leave gaps. A
 * framed value is taken apart; a value that does not decode as its schema is kept as bytes. Durable
 * after the next flush. Errors: GF_E_RANGE (offset goes back, record too large),
 * GF_E_UNKNOWN_SCHEMA, GF_E_NOT_FOUND (no such partition), GF_E_USAGE (an output topic that belongs
 * to a sink), GF_E_IO, GF_E_NO_SPACE. */
GF_MUST_USE enum gf_rc gf_folder_writer_append(struct gf_folder_writer *writer,
                                               const struct gf_record *record,
                                               struct gf_error *error);

/* Where the next record of a partition goes. Errors: GF_E_NOT_FOUND and those of opening. */
GF_MUST_USE enum gf_rc gf_folder_writer_next(struct gf_folder_writer *writer, enum gf_topic topic,
                                             uint32_t partition, int64_t *offset_out,
                                             struct gf_error *error);

/* Ends the blocks, writes and syncs. Errors: GF_E_IO, GF_E_NO_SPACE; the writer is dead then. */
GF_MUST_USE enum gf_rc gf_folder_writer_flush(struct gf_folder_writer *writer,
                                              struct gf_error *error);

/* Flushes, seals the files and frees. Accepts NULL. Errors: as flush. */
enum gf_rc gf_folder_writer_close(struct gf_folder_writer *writer, struct gf_error *error);

#endif
