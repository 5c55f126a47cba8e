/* Import: files of rows into the input topics of a log, by a mapping.
 *
 * Each row meets each target of the mapping (and each column that `each` finds) once, and has one
 * outcome there, so for every topic: rows = records + filtered + rejected. All rows are read before
 * the first record is written: a damaged file, or a reject under `strict`, leaves the log as it
 * was. (Brokers that fail while records are written keep those that they have.) Records go to each
 * partition by event time; those of equal time in the order of the files.
 */
#ifndef GF_IO_IMPORT_H
#define GF_IO_IMPORT_H

#include "io/import_mapping.h"
#include "io/log_writer.h"

#define GF_IMPORT_PATH_SIZE 4096

enum gf_import_phase { GF_IMPORT_READING, GF_IMPORT_WRITING };

struct gf_import_progress {
    enum gf_import_phase phase;
    const char *file;
    uint64_t bytes_done, bytes_total; /* packed; total 0: not known */
    uint64_t rows;                    /* read */
    uint64_t written, records;        /* of WRITING: so far, and of all */
};

struct gf_import_options {
    const struct gf_import_mapping *mapping;
    const char *to; /* the log's name: "folder:PATH" or "kafka:HOST:PORT,…" */
    struct gf_log_writer_options log;
    const char *const *files; /* "-": the standard input */
    uint32_t file_count;
    const char *rejects;    /* file; NULL: rejects.log in gf_log_writer_folder */
    uint64_t sort_memory;   /* bytes; 0: GF_IMPORT_SORT_MEMORY */
    uint32_t line_size_max; /* 0: GF_IMPORT_LINE_SIZE_MAX */
    bool is_strict;         /* one reject, and nothing is written */
    void *context;          /* of the callbacks, which may be NULL */
    void (*progress)(void *context, const struct gf_import_progress *progress); /* now and then */
    void (*reject)(void *context, const char *file, uint64_t line, const char *reason);
    void (*warn)(void *context, const char *text);
};

struct gf_import_count {
    uint64_t rows; /* = records + filtered + rejected */
    uint64_t records;
    uint64_t filtered; /* those that `distinct` passed over too */
    uint64_t repeated; /* of filtered: by `distinct` */
    uint64_t rejected;
};

struct gf_import_summary {
    uint64_t files, lines, bytes; /* bytes as packed */
    struct gf_import_count all;
    struct gf_import_count topics[GF_TOPIC_INPUT_COUNT];
    uint32_t runs;                     /* of the sort, on disk */
    struct gf_time first, last;        /* event times of the records; GF_TIME_NONE: none */
    char rejects[GF_IMPORT_PATH_SIZE]; /* the file that rejected rows went to */
    bool is_written;
};

/* `out` holds the counts so far also after an error.
 * Errors: GF_E_BAD_DATA (a file is damaged or lacks a column; under `is_strict`, a row was
 * rejected; no row could be imported), GF_E_NOT_FOUND, GF_E_NO_MEMORY, GF_E_IO, GF_E_NO_SPACE, and
 * those of the log writer. */
GF_MUST_USE enum gf_rc gf_import_run(const struct gf_import_options *options,
                                     struct gf_import_summary *out, struct gf_error *error);

#endif
