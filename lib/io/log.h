/* Log lines: what happened, as fields, one line each, for people (logfmt) or machines (JSON). A
 * line goes out in one write, so lines of several threads do not mix; a logger does not change once
 * it is set up.
 *
 *   time=2026-01-14T08:15:02.120481Z level=warn event=commit_slow shard=3 commit_ms=812
 *
 * Not to be confused with gf_log (base/real.h) and with the logs of records. */
#ifndef GF_IO_LOG_H
#define GF_IO_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "loop/clock.h"

enum gf_logger_level { GF_LEVEL_DEBUG, GF_LEVEL_INFO, GF_LEVEL_WARN, GF_LEVEL_ERROR };
enum gf_logger_format { GF_FORMAT_LOGFMT, GF_FORMAT_JSON };

/* Where text goes. */
struct gf_text_sink {
    void (*write)(void *context, const char *text, size_t size);
    void *context;
};

/* Standard error; what cannot be written is lost. */
struct gf_text_sink gf_text_sink_stderr(void);

struct gf_logger {
    struct gf_clock *clock;
    struct gf_text_sink sink;
    enum gf_logger_level level; /* the least that is written */
    enum gf_logger_format format;
};

enum gf_field_type {
    GF_FIELD_TEXT,
    GF_FIELD_I64,
    GF_FIELD_U64,
    GF_FIELD_REAL,
    GF_FIELD_BOOL,
    GF_FIELD_TIME
};

/* A key (a constant of the program: lower case, digits and _) and a value, which is lent for the
 * call. */
struct gf_log_field {
    const char *key;
    enum gf_field_type type;
    struct gf_span text;
    int64_t i64; /* also bool and time */
    uint64_t u64;
    double real;
};

static inline struct gf_log_field
gf_field_span(const char *key, struct gf_span text)
{
    return (struct gf_log_field){.key = key, .type = GF_FIELD_TEXT, .text = text};
}

/* NULL is written as the empty text. */
static inline struct gf_log_field
gf_field_text(const char *key, const char *text)
{
    return gf_field_span(key, gf_span_text(text == NULL ? "" : text));
}

static inline struct gf_log_field
gf_field_i64(const char *key, int64_t value)
{
    return (struct gf_log_field){.key = key, .type = GF_FIELD_I64, .i64 = value};
}

static inline struct gf_log_field
gf_field_u64(const char *key, uint64_t value)
{
    return (struct gf_log_field){.key = key, .type = GF_FIELD_U64, .u64 = value};
}

static inline struct gf_log_field
gf_field_real(const char *key, double value)
{
    return (struct gf_log_field){.key = key, .type = GF_FIELD_REAL, .real = value};
}

static inline struct gf_log_field
gf_field_bool(const char *key, bool value)
{
    return (struct gf_log_field){.key = key, .type = GF_FIELD_BOOL, .i64 = value};
}

static inline struct gf_log_field
gf_field_time(const char *key, struct gf_time value)
{
    return (struct gf_log_field){.key = key, .type = GF_FIELD_TIME, .i64 = value.us};
}

#define GF_LOG_LINE_SIZE_MAX 4096

/* Writes one line unless `level` is below the logger's. `event` names what happened (snake_case, a
 * constant). Texts of any bytes are escaped; what does not fit in GF_LOG_LINE_SIZE_MAX is left out
 * from the end, and `cut=true` says so. */
void gf_logger_write(const struct gf_logger *logger, enum gf_logger_level level, const char *event,
                     const struct gf_log_field *fields, uint32_t count);

/* gf_logger_say(logger, GF_LEVEL_INFO, "shard_taken", gf_field_u64("shard", 3),
 * gf_field_text("from", instance)) */
#define gf_logger_say(logger, level, event, ...)                                                   \
    gf_logger_write(logger, level, event, (const struct gf_log_field[]){__VA_ARGS__},              \
                    (uint32_t)(sizeof((const struct gf_log_field[]){__VA_ARGS__}) /                \
                               sizeof(struct gf_log_field)))

/* "debug", "info", "warn", "error"; false when it is none of them. */
bool gf_logger_level_parse(const char *text, enum gf_logger_level *out);

#endif
