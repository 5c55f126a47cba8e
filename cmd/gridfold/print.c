#include "print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "codec/records.h"

static const struct gf_type text_type = {
    .kind = GF_KIND_STRING, .name = "string", .size = sizeof(struct gf_span)};

void
print_value(FILE *out, const struct gf_type *type, const void *value, bool is_human)
{
    size_t (*const print)(const struct gf_type *, const void *, char *, size_t) =
        is_human ? gf_json_print_human : gf_json_print;
    char small[512];
    if (value == NULL) {
        fputs("null", out);
        return;
    }
    const size_t length = print(type, value, small, sizeof(small));
    if (length < sizeof(small)) {
        fputs(small, out);
        return;
    }
    char *const large = malloc(length + 1);
    if (large == NULL) {
        fputs("null", out);
        return;
    }
    print(type, value, large, length + 1);
    fputs(large, out);
    free(large);
}

void
print_text(FILE *out, struct gf_span text)
{
    print_value(out, &text_type, &text, false);
}

void
print_bytes(FILE *out, struct gf_span bytes)
{
    bool is_plain = true;
    for (uint32_t i = 0; i < bytes.size; i++) {
        is_plain = is_plain && bytes.data[i] >= 0x20 && bytes.data[i] < 0x7f;
    }
    if (is_plain) {
        fprintf(out, "%.*s", GF_SPAN_PRINT(bytes));
        return;
    }
    fputs("hex ", out);
    for (uint32_t i = 0; i < bytes.size; i++) {
        fprintf(out, "%02x", bytes.data[i]);
    }
}

void
print_plain(FILE *out, const struct gf_type *type, const void *value)
{
    if (type->kind == GF_KIND_STRING || type->kind == GF_KIND_BYTES) {
        print_bytes(out, *(const struct gf_span *)value);
        return;
    }
    char text[128]; /* numbers with units, times, enums and ids are shorter */
    const size_t length = gf_json_print_human(type, value, text, sizeof(text));
    if (length >= sizeof(text)) {
        print_value(out, type, value, true);
        return;
    }
    const bool is_quoted = length >= 2 && text[0] == '"' && text[length - 1] == '"';
    fprintf(out, "%.*s", (int)(is_quoted ? length - 2 : length), text + is_quoted);
}

void
print_fields(FILE *out, const struct gf_type *type, const void *record, const char *indent,
             const char *skip)
{
    const uint8_t *const base = record;
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct gf_field *field = &type->fields[i];
        const bool is_there = field->has_offset < 0 || *(const bool *)(base + field->has_offset);
        if (!is_there || (skip != NULL && strcmp(field->name, skip) == 0)) {
            continue;
        }
        fprintf(out, "%s%-22s ", indent, field->name);
        print_plain(out, field->type, base + field->offset);
        fputc('\n', out);
    }
}

const void *
print_decode(enum gf_topic topic, struct gf_span body, struct gf_arena *arena)
{
    void *const out = gf_arena_take(arena, gf_topics[topic].type->size);
    struct gf_reader reader = gf_reader_of(body);
    if (out == NULL || gf_topics[topic].decode(&reader, arena, out) != GF_OK) {
        return NULL;
    }
    return out;
}

void
print_ranges(FILE *out, const struct gf_batch *batch, bool as_json)
{
    uint32_t count = 0;
    fputs(as_json ? "[" : "", out);
    for (uint32_t i = 0; i < batch->input_count; i++) {
        const struct gf_batch_input *input = &batch->inputs[i];
        if (input->to == input->from) {
            continue;
        }
        if (as_json) {
            fprintf(out, "%s{\"topic\":\"%s\",\"partition\":%u,\"from\":%lld,\"to\":%lld}",
                    count > 0 ? "," : "", gf_topics[input->topic].name, input->partition,
                    (long long)input->from, (long long)input->to);
        } else {
            fprintf(out, "  %s/%u offsets %lld to %lld\n", gf_topics[input->topic].name,
                    input->partition, (long long)input->from, (long long)input->to - 1);
        }
        count++;
    }
    fputs(as_json ? "]" : "", out);
}

void
position_print(char out[POSITION_SIZE], const char *topic, int64_t partition, int64_t offset)
{
    snprintf(out, POSITION_SIZE, "%s/%lld/%lld", topic, (long long)partition, (long long)offset);
}

static bool
number_parse(const char *text, size_t size, int64_t max, int64_t *out)
{
    char digits[24];
    char *end = NULL;
    if (size == 0 || size >= sizeof(digits) || text[0] < '0' || text[0] > '9') {
        return false;
    }
    memcpy(digits, text, size);
    digits[size] = '\0';
    errno = 0;
    *out = strtoll(digits, &end, 10);
    return *end == '\0' && errno == 0 && *out <= max;
}

bool
position_parse(const char *text, enum gf_topic *topic_out, uint32_t *partition_out,
               int64_t *offset_out)
{
    const char *const first = strchr(text, '/');
    const char *const second = first == NULL ? NULL : strchr(first + 1, '/');
    char name[64];
    int64_t partition = 0;
    if (second == NULL || (size_t)(first - text) >= sizeof(name)) {
        return false;
    }
    memcpy(name, text, (size_t)(first - text));
    name[first - text] = '\0';
    const int topic = gf_topic_find(name);
    if (topic < 0 ||
        !number_parse(first + 1, (size_t)(second - first - 1), INT32_MAX, &partition) ||
        !number_parse(second + 1, strlen(second + 1), INT64_MAX, offset_out)) {
        return false;
    }
    *topic_out = (enum gf_topic)topic;
    *partition_out = (uint32_t)partition;
    return true;
}
