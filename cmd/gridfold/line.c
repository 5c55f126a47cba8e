#include "line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "codec/records.h"
#include "io/memory_map.h"
#include "loop/decode.h"

#define ARENA_SIZE ((size_t)GF_DECODE_ARENA_MULTIPLE * (2 * (size_t)GF_DECODE_VALUE_SIZE_MAX))

static const struct gf_type text_type = {
    .kind = GF_KIND_STRING, .name = "string", .size = sizeof(struct gf_span)};
static const struct gf_type bytes_type = {
    .kind = GF_KIND_BYTES, .name = "bytes", .size = sizeof(struct gf_span)};
static const struct gf_type time_type = {
    .kind = GF_KIND_LONG, .name = "long", .size = sizeof(int64_t), .unit = "timestamp-micros"};

static enum gf_rc
line_reserve(struct line *line, size_t more)
{
    if (line->length + more < line->size) {
        return GF_OK;
    }
    const size_t size = 2 * (line->length + more);
    char *text = realloc(line->text, size);
    if (text == NULL) {
        return GF_E_NO_MEMORY;
    }
    line->text = text;
    line->size = size;
    return GF_OK;
}

static enum gf_rc
put_text(struct line *line, const char *text)
{
    const size_t size = strlen(text);
    const enum gf_rc rc = line_reserve(line, size + 1);
    if (rc == GF_OK) {
        memcpy(line->text + line->length, text, size + 1);
        line->length += size;
    }
    return rc;
}

static enum gf_rc
put_value(struct line *line, const char *before, const struct gf_type *type, const void *value)
{
    enum gf_rc rc = put_text(line, before);
    for (size_t length = 1024; rc == GF_OK;) {
        rc = line_reserve(line, length + 1);
        if (rc != GF_OK) {
            break;
        }
        const size_t room = line->size - line->length;
        char *at = line->text + line->length;
        length = line->is_human ? gf_json_print_human(type, value, at, room)
                                : gf_json_print(type, value, at, room);
        if (length < room) {
            line->length += length;
            break;
        }
    }
    return rc;
}

static enum gf_rc
put_headers(struct line *line, const struct gf_record *record)
{
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < record->header_count; i++) {
        rc = put_value(line, i == 0 ? ",\"headers\":{" : ",", &text_type, &record->headers[i].name);
        if (rc == GF_OK) {
            rc = put_value(line, ":", &bytes_type, &record->headers[i].value);
        }
    }
    return rc == GF_OK && record->header_count > 0 ? put_text(line, "}") : rc;
}

/* What is behind the position: the value decoded, or why it cannot be and its bytes. */
static enum gf_rc
put_body(struct line *line, const struct gf_record *record, struct gf_error *error)
{
    char text[32];
    struct gf_decoded decoded = {0};
    gf_arena_reset(&line->arena, 0);
    if (!record->has_value) {
        return put_text(line, ",\"value\":null");
    }
    enum gf_rc rc = gf_decode_record(line->lookup, record, &line->arena, &decoded, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (decoded.schema_id != 0) {
        snprintf(text, sizeof(text), ",\"schema_id\":%u", decoded.schema_id);
        rc = put_text(line, text);
    }
    if (rc == GF_OK && decoded.refusal == GF_OK && !line->is_raw) {
        return put_value(line, ",\"value\":", gf_topics[record->topic].type, decoded.body);
    }
    if (rc == GF_OK && decoded.refusal != GF_OK) {
        const struct gf_span code = gf_span_text(gf_rc_name(decoded.refusal));
        const struct gf_span reason = gf_span_text(decoded.reason);
        rc = put_value(line, ",\"code\":", &text_type, &code);
        rc = rc == GF_OK ? put_value(line, ",\"error\":", &text_type, &reason) : rc;
    }
    return rc == GF_OK ? put_value(line, ",\"bytes\":", &bytes_type, &record->value) : rc;
}

enum gf_rc
line_make(struct line *line, const struct gf_record *record, struct gf_error *error)
{
    char text[128];
    line->length = 0;
    snprintf(text, sizeof(text), "{\"topic\":\"%s\",\"partition\":%u,\"offset\":%lld",
             gf_topics[record->topic].name, record->partition, (long long)record->offset);
    enum gf_rc rc = put_text(line, text);
    rc = rc == GF_OK ? put_value(line, ",\"timestamp\":", &time_type, &record->timestamp) : rc;
    if (rc == GF_OK) {
        rc = record->has_key ? put_value(line, ",\"key\":", &text_type, &record->key)
                             : put_text(line, ",\"key\":null");
    }
    rc = rc == GF_OK ? put_headers(line, record) : rc;
    rc = rc == GF_OK ? put_body(line, record, error) : rc;
    return rc == GF_OK ? put_text(line, "}\n") : rc;
}

enum gf_rc
line_open(struct line *line, const struct gf_lookup *lookup, struct gf_error *error)
{
    void *memory = gf_memory_reserve(ARENA_SIZE);
    if (memory == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
    }
    line->lookup = lookup;
    line->arena = gf_arena_of(memory, ARENA_SIZE);
    return GF_OK;
}

void
line_close(struct line *line)
{
    gf_memory_release(line->arena.data, line->arena.size);
    free(line->text);
    *line = (struct line){0};
}
