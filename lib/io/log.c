#include "io/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/civil.h"

#define TAIL_SIZE 16 /* kept free for `cut=true`, a brace and the newline */

struct line {
    char text[GF_LOG_LINE_SIZE_MAX];
    size_t size;
    enum gf_logger_format format;
    bool is_full;
};

static void
stderr_write(void *context, const char *text, size_t size)
{
    (void)context;
    while (size > 0) {
        const ssize_t written = write(STDERR_FILENO, text, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return; /* nobody reads it; there is no better place to say so */
        }
        text += written;
        size -= (size_t)written;
    }
}

struct gf_text_sink
gf_text_sink_stderr(void)
{
    return (struct gf_text_sink){.write = stderr_write};
}

static void
bytes_add(struct line *line, const char *bytes, size_t size)
{
    if (line->is_full || line->size + size > sizeof(line->text) - TAIL_SIZE) {
        line->is_full = true;
        return;
    }
    memcpy(line->text + line->size, bytes, size);
    line->size += size;
}

static void
text_add(struct line *line, const char *text)
{
    bytes_add(line, text, strlen(text));
}

/* Size of the well-formed UTF-8 character at `at`, 0 when it is not one (RFC 3629). */
static uint32_t
character_size(struct gf_span text, uint32_t at, uint32_t *code_out)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = text.data[at];
    if (first < 0x80) {
        *code_out = first;
        return 1;
    }
    const uint32_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || size > text.size - at) {
        return 0;
    }
    uint32_t code = first & (0x7fu >> size);
    for (uint32_t i = 1; i < size; i++) {
        if ((text.data[at + i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text.data[at + i] & 0x3fu);
    }
    if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        return 0;
    }
    *code_out = code;
    return size;
}

/* In quotes, with the escapes of JSON; logfmt readers know them too. Control characters do not
 * reach a terminal. */
static void
quoted_add(struct line *line, struct gf_span text)
{
    bytes_add(line, "\"", 1);
    for (uint32_t at = 0; at < text.size;) {
        uint32_t code = 0;
        const uint32_t size = character_size(text, at, &code);
        char escape[8];
        if (size == 0) {
            bytes_add(line, "\\ufffd", 6);
        } else if (code == '"' || code == '\\') {
            escape[0] = '\\';
            escape[1] = (char)code;
            bytes_add(line, escape, 2);
        } else if (code == '\n') {
            bytes_add(line, "\\n", 2);
        } else if (code == '\t') {
            bytes_add(line, "\\t", 2);
        } else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 ||
                   code == 0x2029) {
            snprintf(escape, sizeof(escape), "\\u%04" PRIx32, code & 0xffff);
            bytes_add(line, escape, 6);
        } else {
            bytes_add(line, (const char *)text.data + at, size);
        }
        at += size == 0 ? 1 : size;
    }
    bytes_add(line, "\"", 1);
}

static bool
is_bare(struct gf_span text)
{
    for (uint32_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        const bool is_word =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_word && (c == 0 || strchr("_-./:+,@%#|", c) == NULL)) {
            return false;
        }
    }
    return text.size > 0;
}

static void
value_text_add(struct line *line, struct gf_span text)
{
    if (line->format == GF_FORMAT_LOGFMT && is_bare(text)) {
        bytes_add(line, (const char *)text.data, text.size);
    } else {
        quoted_add(line, text);
    }
}

static void
key_add(struct line *line, const char *key)
{
    if (line->format == GF_FORMAT_LOGFMT) {
        text_add(line, line->size == 0 ? "" : " ");
        text_add(line, key);
        text_add(line, "=");
    } else {
        text_add(line, line->size == 0 ? "{\"" : ",\"");
        text_add(line, key);
        text_add(line, "\":");
    }
}

static void
real_add(struct line *line, double value)
{
    char text[32];
    if (line->format == GF_FORMAT_JSON && !isfinite(value)) {
        text_add(line, "null"); /* JSON has no other word for it */
        return;
    }
    snprintf(text, sizeof(text), "%.9g", value);
    text_add(line, text);
}

static void
field_add(struct line *line, const struct gf_log_field *field)
{
    if (line->is_full) {
        return;
    }
    const size_t before = line->size;
    char text[GF_TIME_TEXT_SIZE];
    key_add(line, field->key);
    switch (field->type) {
    case GF_FIELD_TEXT:
        value_text_add(line, field->text);
        break;
    case GF_FIELD_I64:
        snprintf(text, sizeof(text), "%" PRId64, field->i64);
        text_add(line, text);
        break;
    case GF_FIELD_U64:
        snprintf(text, sizeof(text), "%" PRIu64, field->u64);
        text_add(line, text);
        break;
    case GF_FIELD_REAL:
        real_add(line, field->real);
        break;
    case GF_FIELD_BOOL:
        text_add(line, field->i64 != 0 ? "true" : "false");
        break;
    case GF_FIELD_TIME:
        gf_time_print((struct gf_time){field->i64}, text);
        value_text_add(line, gf_span_text(text));
        break;
    }
    if (line->is_full) {
        line->size = before; /* a whole field or none */
    }
}

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void
gf_logger_write(const struct gf_logger *logger, enum gf_logger_level level, const char *event,
                const struct gf_log_field *fields, uint32_t count)
{
    assert(event != NULL);
    if (level < logger->level) {
        return;
    }
    struct line line;
    line.size = 0;
    line.format = logger->format;
    line.is_full = false;
    const struct gf_log_field head[] = {gf_field_time("time", logger->clock->now(logger->clock)),
                                        gf_field_text("level", level_names[level]),
                                        gf_field_text("event", event)};
    for (uint32_t i = 0; i < 3; i++) {
        field_add(&line, &head[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        field_add(&line, &fields[i]);
    }
    const char *tail = line.format == GF_FORMAT_JSON ? "}\n" : "\n";
    if (line.is_full) {
        tail = line.format == GF_FORMAT_JSON ? ",\"cut\":true}\n" : " cut=true\n";
    }
    const size_t tail_size = strlen(tail);
    assert(tail_size <= TAIL_SIZE);
    memcpy(line.text + line.size, tail, tail_size);
    logger->sink.write(logger->sink.context, line.text, line.size + tail_size);
}

bool
gf_logger_level_parse(const char *text, enum gf_logger_level *out)
{
    for (uint32_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum gf_logger_level)i;
            return true;
        }
    }
    return false;
}
