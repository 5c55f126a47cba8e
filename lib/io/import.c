#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "io/import.h"
#include "io/import_bind.h"
#include "io/import_build.h"
#include "io/import_cells.h"
#include "io/import_line.h"
#include "io/import_past.h"
#include "io/import_reject.h"
#include "io/import_sort.h"

#define ARENA_EXTRA   65536
#define BUFFER_SIZE   (UINT32_C(2) << 20) /* of an encoded record */
#define PROGRESS_ROWS 8192

struct import {
    const struct gf_import_options *options;
    struct gf_import_summary *summary;
    struct gf_log_writer *writer;
    struct gf_import_sort *sort;
    struct gf_import_seen seen;
    struct gf_import_rejects rejects;
    struct gf_span *cells; /* GF_IMPORT_CELL_COUNT_MAX */
    struct gf_arena arena;
    struct gf_span buffer;
    uint32_t partitions[GF_TOPIC_INPUT_COUNT]; /* of the topics of the mapping */
    uint32_t line_size_max;
    uint64_t bytes_before, bytes_total, written;
    struct gf_import_past past;
    char *line_copy; /* the row as it was, for rejects: taking it apart changes it */
};

/* The file at hand. */
struct reading {
    const char *path;
    struct gf_import_input *input;
    struct gf_import_lines lines;
    struct gf_import_binding binding;
    struct gf_span *header; /* copied */
    uint32_t header_count;
    uint64_t row_count;
};

static void
progress_tell(const struct import *import, enum gf_import_phase phase,
              const struct reading *reading)
{
    if (import->options->progress == NULL) {
        return;
    }
    const struct gf_import_progress progress = {
        .phase = phase,
        .file = reading == NULL ? NULL : reading->path,
        .bytes_done =
            import->bytes_before + (reading == NULL ? 0 : gf_import_input_done(reading->input)),
        .bytes_total = import->bytes_total,
        .rows = import->summary->lines,
        .written = import->written,
        .records = import->summary->all.records,
    };
    import->options->progress(import->options->context, &progress);
}

/* ---- rows ---- */

static enum gf_rc
reject(struct import *import, const struct reading *reading, uint64_t line, const char *topic,
       const char *reason, struct gf_span text, struct gf_error *error)
{
    if (import->options->reject != NULL) {
        import->options->reject(import->options->context, reading->path, line, reason);
    }
    return gf_import_rejects_add(&import->rejects, reading->path, line, topic, reason, text, error);
}

static void
outcome_count(struct gf_import_count *count, enum gf_import_outcome outcome)
{
    count->rows++;
    count->records += outcome == GF_IMPORT_RECORD;
    count->filtered += outcome == GF_IMPORT_FILTERED || outcome == GF_IMPORT_REPEATED;
    count->repeated += outcome == GF_IMPORT_REPEATED;
    count->rejected += outcome == GF_IMPORT_REJECTED;
}

/* A row that no target can use: one line in the reject file, one reject for each of them. */
static enum gf_rc
row_reject(struct import *import, const struct reading *reading, const struct gf_import_line *line,
           const char *reason, struct gf_error *error)
{
    for (uint32_t i = 0; i < reading->binding.count; i++) {
        outcome_count(&import->summary->topics[reading->binding.instances[i].target->topic],
                      GF_IMPORT_REJECTED);
        outcome_count(&import->summary->all, GF_IMPORT_REJECTED);
    }
    return reject(import, reading, line->number, NULL, reason, line->text, error);
}

static enum gf_rc
record_add(struct import *import, const struct gf_import_target *target,
           const struct gf_import_built *built, struct gf_error *error)
{
    struct gf_import_summary *const summary = import->summary;
    const struct gf_import_item item = {
        .topic = (uint16_t)target->topic,
        .partition = (uint16_t)gf_partition_of(built->key, import->partitions[target->topic]),
        .time = built->time,
        .key = built->key,
        .value = built->value,
    };
    if (gf_time_is_none(summary->first) || built->time.us < summary->first.us) {
        summary->first = built->time;
    }
    summary->last = gf_time_max(summary->last, built->time);
    return gf_import_sort_add(import->sort, &item, error);
}

static enum gf_rc
row_take(struct import *import, const struct reading *reading, const struct gf_import_line *line,
         uint32_t cell_count, struct gf_span text, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    const size_t mark = gf_arena_mark(&import->arena);
    for (uint32_t i = 0; rc == GF_OK && i < reading->binding.count; i++) {
        const struct gf_import_instance *const instance = &reading->binding.instances[i];
        const enum gf_topic topic = instance->target->topic;
        struct gf_import_row row = {.cells = import->cells,
                                    .cell_count = cell_count,
                                    .columns = instance->columns,
                                    .each = instance->each,
                                    .index = reading->row_count,
                                    .seen = &import->seen,
                                    .arena = &import->arena};
        struct gf_import_built built = {.time = GF_TIME_NONE};
        struct gf_error reason = {.text = ""};
        const enum gf_import_outcome outcome =
            gf_import_target_apply(instance->target, &row, import->buffer, &built, &reason);
        outcome_count(&import->summary->topics[topic], outcome);
        outcome_count(&import->summary->all, outcome);
        if (outcome == GF_IMPORT_RECORD) {
            rc = record_add(import, instance->target, &built, error);
        } else if (outcome == GF_IMPORT_REJECTED) {
            if (instance->target->has_each) {
                gf_fail_prefix(&reason, GF_E_BAD_FIELD, "%s%.*s%s", instance->target->each_prefix,
                               GF_SPAN_PRINT(instance->each), instance->target->each_suffix);
            }
            rc = reject(import, reading, line->number, gf_topics[topic].name, reason.text, text,
                        error);
        }
        gf_arena_reset(&import->arena, mark);
    }
    return rc;
}

static enum gf_rc
line_take(struct import *import, struct reading *reading, const struct gf_import_line *line,
          struct gf_error *error)
{
    struct gf_error reason = {.text = ""};
    if (line->fault == GF_IMPORT_LINE_TOO_LONG) {
        gf_fail(&reason, GF_E_BAD_DATA, "line is longer than %u bytes", import->line_size_max);
        return row_reject(import, reading, line, reason.text, error);
    }
    if (line->fault == GF_IMPORT_LINE_OPEN_QUOTE) {
        return row_reject(import, reading, line, "quotes are opened and not closed", error);
    }
    if (!gf_import_text_is_valid(line->text)) {
        return row_reject(import, reading, line, "line is not UTF-8", error);
    }
    const struct gf_import_mapping *const mapping = import->options->mapping;
    uint32_t count = reading->binding.cell_count;
    gf_arena_reset(&import->arena, 0);
    struct gf_span text = line->text;
    if (mapping->format == GF_IMPORT_NDJSON) {
        if (gf_import_json_split(text, reading->binding.names, count, import->cells, &import->arena,
                                 &reason) != GF_OK) {
            return row_reject(import, reading, line, reason.text, error);
        }
    } else {
        /* Only quotes make splitting change the text. */
        if (memchr(text.data, '"', text.size) != NULL) {
            memcpy(import->line_copy, text.data, text.size);
            text = gf_span_of(import->line_copy, text.size);
        }
        const uint32_t found =
            gf_import_csv_split((char *)(uintptr_t)line->text.data, line->text.size,
                                mapping->delimiter, import->cells, GF_IMPORT_CELL_COUNT_MAX);
        if (found != count) {
            gf_fail(&reason, GF_E_BAD_DATA, "%u columns, and the header has %u", found, count);
            const struct gf_import_line whole = {.text = text, .number = line->number};
            return row_reject(import, reading, &whole, reason.text, error);
        }
    }
    return row_take(import, reading, line, count, text, error);
}

/* ---- files ---- */

/* The header row: names, without spaces around them. They are kept for the whole file. */
static enum gf_rc
header_read(struct import *import, struct reading *reading, struct gf_error *error)
{
    const struct gf_import_mapping *const mapping = import->options->mapping;
    struct gf_import_line line = {.text = {.size = 0}};
    bool more = false;
    if (mapping->format == GF_IMPORT_NDJSON) {
        return GF_OK;
    }
    uint32_t count = mapping->column_count;
    if (mapping->columns == NULL) {
        const enum gf_rc rc = gf_import_lines_next(&reading->lines, &line, &more, error);
        if (rc != GF_OK) {
            return rc;
        }
        if (!more || line.fault != GF_IMPORT_LINE_WHOLE) {
            return gf_fail(error, GF_E_BAD_DATA, "%s: has no header row", reading->path);
        }
        count = gf_import_csv_split((char *)(uintptr_t)line.text.data, line.text.size,
                                    mapping->delimiter, import->cells, GF_IMPORT_CELL_COUNT_MAX);
    }
    if (count > GF_IMPORT_CELL_COUNT_MAX) {
        return gf_fail(error, GF_E_BAD_DATA, "%s: has more than %d columns", reading->path,
                       GF_IMPORT_CELL_COUNT_MAX);
    }
    reading->header = calloc(count + 1, sizeof *reading->header);
    if (reading->header == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory for columns", reading->path);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct gf_span name =
            mapping->columns != NULL ? gf_span_text(mapping->columns[i]) : import->cells[i];
        while (name.size > 0 && name.data[name.size - 1] == ' ') {
            name.size--;
        }
        for (; name.size > 0 && name.data[0] == ' '; name.size--) {
            name.data++;
        }
        uint8_t *const copy = malloc(name.size + 1);
        if (copy == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory for columns", reading->path);
        }
        memcpy(copy, name.data, name.size);
        reading->header[reading->header_count++] = gf_span_of(copy, name.size);
    }
    return GF_OK;
}

static enum gf_rc
rows_read(struct import *import, struct reading *reading, struct gf_error *error)
{
    for (;;) {
        struct gf_import_line line = {.text = {.size = 0}};
        bool more = false;
        enum gf_rc rc = gf_import_lines_next(&reading->lines, &line, &more, error);
        if (rc != GF_OK || !more) {
            return rc;
        }
        import->summary->lines++;
        if ((rc = line_take(import, reading, &line, error)) != GF_OK) {
            return rc;
        }
        if (++reading->row_count % PROGRESS_ROWS == 0) {
            progress_tell(import, GF_IMPORT_READING, reading);
        }
    }
}

static enum gf_rc
file_read(struct import *import, const char *path, struct gf_error *error)
{
    const struct gf_import_mapping *const mapping = import->options->mapping;
    struct reading reading = {.path = path};
    const char delimiter = mapping->format == GF_IMPORT_CSV ? mapping->delimiter : 0;
    enum gf_rc rc = gf_import_input_open(path, &reading.input, error);
    if (rc == GF_OK) {
        rc = gf_import_lines_init(&reading.lines, reading.input, delimiter, import->line_size_max,
                                  error);
    }
    if (rc == GF_OK) {
        rc = header_read(import, &reading, error);
    }
    if (rc == GF_OK) {
        rc = gf_import_bind(mapping, path, reading.header, reading.header_count, &reading.binding,
                            error);
    }
    if (rc == GF_OK) {
        rc = rows_read(import, &reading, error);
    }
    if (reading.input != NULL) {
        import->bytes_before += gf_import_input_done(reading.input);
        import->summary->files += rc == GF_OK;
    }
    gf_import_binding_fini(&reading.binding);
    for (uint32_t i = 0; i < reading.header_count; i++) {
        free((void *)(uintptr_t)reading.header[i].data);
    }
    free(reading.header);
    gf_import_lines_fini(&reading.lines);
    gf_import_input_close(reading.input);
    return rc;
}

/* ---- writing ---- */

static enum gf_rc
item_write(void *context, const struct gf_import_item *item, struct gf_error *error)
{
    struct import *const import = context;
    const struct gf_record record = {
        .topic = item->topic,
        .partition = item->partition,
        .offset = -1,
        .timestamp = item->time,
        .has_key = true,
        .has_value = true,
        .key = item->key,
        .schema_id = gf_topics[item->topic].schema_id,
        .value = item->value,
    };
    if (gf_import_past_check(&import->past, import->writer, item) &&
        import->options->warn != NULL) {
        import->options->warn(import->options->context, import->past.text);
    }
    const enum gf_rc rc = gf_log_writer_append(import->writer, &record, error);
    if (rc == GF_OK && ++import->written % PROGRESS_ROWS == 0) {
        progress_tell(import, GF_IMPORT_WRITING, NULL);
    }
    return rc;
}

/* Of the topics of the mapping, so that one that is missing is told before anything is read. */
static enum gf_rc
partitions_count(struct import *import, struct gf_error *error)
{
    const struct gf_import_mapping *const mapping = import->options->mapping;
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < mapping->target_count; i++) {
        const enum gf_topic topic = mapping->targets[i].topic;
        rc = gf_log_writer_partitions(import->writer, topic, &import->partitions[topic], error);
    }
    return rc;
}

static enum gf_rc
import_open(struct import *import, struct gf_error *error)
{
    const struct gf_import_options *const options = import->options;
    import->line_size_max =
        options->line_size_max == 0 ? GF_IMPORT_LINE_SIZE_MAX : options->line_size_max;
    const size_t arena_size = 4 * (size_t)import->line_size_max + ARENA_EXTRA;
    import->cells = calloc(GF_IMPORT_CELL_COUNT_MAX, sizeof *import->cells);
    import->arena = gf_arena_of(malloc(arena_size), arena_size);
    import->buffer = gf_span_of(malloc(BUFFER_SIZE), BUFFER_SIZE);
    import->line_copy = malloc(import->line_size_max + 1u);
    if (import->cells == NULL || import->arena.data == NULL || import->buffer.data == NULL ||
        import->line_copy == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory to import");
    }
    for (uint32_t i = 0; i < options->file_count; i++) {
        struct stat status;
        if (stat(options->files[i], &status) != 0 || !S_ISREG(status.st_mode)) {
            import->bytes_total = 0; /* what comes through a pipe has no known end */
            break;
        }
        import->bytes_total += (uint64_t)status.st_size;
    }
    enum gf_rc rc = gf_log_writer_open(options->to, &options->log, &import->writer, error);
    if (rc != GF_OK) {
        return rc;
    }
    const char *const folder = gf_log_writer_folder(import->writer);
    char *const rejects = import->summary->rejects;
    if (options->rejects != NULL) {
        snprintf(rejects, GF_IMPORT_PATH_SIZE, "%s", options->rejects);
    } else {
        snprintf(rejects, GF_IMPORT_PATH_SIZE, "%s/rejects.log", folder);
    }
    import->rejects.path = rejects;
    rc = partitions_count(import, error);
    return rc == GF_OK ? gf_import_sort_new(folder, options->sort_memory, &import->sort, error)
                       : rc;
}

static enum gf_rc
import_write(struct import *import, struct gf_error *error)
{
    const struct gf_import_count *const all = &import->summary->all;
    if (import->options->is_strict && all->rejected > 0) {
        return gf_fail(error, GF_E_BAD_DATA,
                       "%llu of %llu rows were rejected, so nothing is written (--strict); see %s",
                       (unsigned long long)all->rejected, (unsigned long long)all->rows,
                       import->rejects.path);
    }
    if (all->records == 0) {
        return gf_fail(error, GF_E_BAD_DATA,
                       "nothing to import: of %llu rows %llu were filtered and %llu rejected%s%s",
                       (unsigned long long)all->rows, (unsigned long long)all->filtered,
                       (unsigned long long)all->rejected, all->rejected > 0 ? "; see " : "",
                       all->rejected > 0 ? import->rejects.path : "");
    }
    enum gf_rc rc = gf_import_sort_drain(import->sort, item_write, import, error);
    import->summary->runs = gf_import_sort_run_count(import->sort);
    if (rc == GF_OK) {
        rc = gf_log_writer_flush(import->writer, error);
    }
    import->summary->is_written = rc == GF_OK;
    return rc;
}

enum gf_rc
gf_import_run(const struct gf_import_options *options, struct gf_import_summary *out,
              struct gf_error *error)
{
    assert(options->mapping != NULL);
    assert(options->file_count > 0);
    struct import import = {.options = options, .summary = out};
    *out = (struct gf_import_summary){.first = GF_TIME_NONE, .last = GF_TIME_NONE};
    enum gf_rc rc = import_open(&import, error);
    for (uint32_t i = 0; rc == GF_OK && i < options->file_count; i++) {
        rc = file_read(&import, options->files[i], error);
    }
    out->bytes = import.bytes_before;
    struct gf_error late = {.text = ""};
    const enum gf_rc closed = gf_import_rejects_close(&import.rejects, &late);
    if (rc == GF_OK && closed != GF_OK) {
        rc = gf_fail(error, closed, "%s", late.text);
    }
    if (rc == GF_OK) {
        rc = import_write(&import, error);
    }
    const enum gf_rc sealed = gf_log_writer_close(import.writer, &late);
    if (rc == GF_OK && sealed != GF_OK) {
        out->is_written = false;
        rc = gf_fail(error, sealed, "%s", late.text);
    }
    gf_import_sort_free(import.sort);
    gf_import_seen_fini(&import.seen);
    free(import.cells);
    free(import.arena.data);
    free((void *)(uintptr_t)import.buffer.data);
    free(import.line_copy);
    return rc;
}
