/* Times of an import: text in a stated format, on a stated clock, to UTC.
 *
 * A wall time that happens twice, or never, is not guessed at: it is a reject, unless the mapping
 * says which one is meant. */
#ifndef GF_IO_IMPORT_TIME_H
#define GF_IO_IMPORT_TIME_H

#include "base/civil.h"
#include "io/import_row.h"

enum gf_import_time_format {
    GF_IMPORT_TIME_RFC3339, /* has its own offset */
    GF_IMPORT_TIME_PATTERN, /* wall time: "YYYY-MM-DD HH:MM:SS" and its like */
    GF_IMPORT_TIME_EPOCH,   /* number since 1970-01-01T00:00:00Z */
    GF_IMPORT_TIME_ROW,     /* no text: start + row * step */
};

enum gf_import_ambiguous {
    GF_IMPORT_AMBIGUOUS_REJECT,
    GF_IMPORT_AMBIGUOUS_EARLIER,
    GF_IMPORT_AMBIGUOUS_LATER,
    GF_IMPORT_AMBIGUOUS_SEQUENCE, /* by key: the second one met is the later one */
};

struct gf_import_time {
    enum gf_import_time_format format;
    const char *pattern;      /* PATTERN */
    int epoch_shift;          /* EPOCH: 6 for seconds, 3 for milliseconds, 0 for microseconds */
    struct gf_time row_start; /* ROW */
    struct gf_duration row_step;
    const struct gf_zone *zone; /* of wall times, of `at` and of shifts by days */
    enum gf_import_ambiguous ambiguous;
    bool nonexistent_is_filtered;
    int32_t shift_days;       /* on the local calendar, before the clock is applied */
    struct gf_duration shift; /* after it */
    bool has_at;
    int64_t at_us; /* local time of day put in the place of the one that was read */
    uint32_t id;   /* of the rule, so that two rules with `sequence` do not count for each other */
};

/* Reads a time of the row; `text` is not used for ROW. The error holds the reason for REJECTED. */
enum gf_import_outcome gf_import_time_apply(const struct gf_import_time *rule,
                                            const struct gf_import_row *row, struct gf_span text,
                                            struct gf_time *out, struct gf_error *error);

/* Is it a pattern of YYYY, MM, DD, HH, MM, SS (the second MM is minutes) with at least a whole
 * date? */
bool gf_import_pattern_is_valid(const char *pattern);

/* "90s", "-5m", "1h", "-364d": whole days, or the rest. Errors: GF_E_BAD_FIELD. */
GF_MUST_USE enum gf_rc gf_import_duration_parse(const char *text, int32_t *days_out,
                                                struct gf_duration *out);

/* "12:45" or "12:45:30", up to 24:00, in microseconds of the day. Errors: GF_E_BAD_FIELD. */
GF_MUST_USE enum gf_rc gf_import_day_time_parse(const char *text, int64_t *us_out);

#endif
