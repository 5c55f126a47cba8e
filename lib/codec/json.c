#include "codec/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/span.h"
#include "base/unit.h"
#include "codec/wire_inline.h"

struct printer {
    char *out;
    size_t size;    /* of `out`, with NUL */
    size_t written; /* of it */
    size_t length;  /* of the whole text */
    bool is_human;
};

static void value_put(struct printer *printer, const struct gf_type *type, const void *value);

/* All or nothing: a part that does not fit ends what is written. */
static void
put(struct printer *printer, const char *data, size_t size)
{
    if (printer->written == printer->length && printer->length + size < printer->size) {
        memcpy(printer->out + printer->written, data, size);
        printer->written += size;
    }
    printer->length += size;
}

static void
put_text(struct printer *printer, const char *text)
{
    put(printer, text, strlen(text));
}

static void
put_character(struct printer *printer, const uint8_t *data, size_t size)
{
    char escape[8];
    if (size == 0) {
        put_text(printer, "\\ufffd");
    } else if (*data == '"' || *data == '\\') {
        put(printer, (const char[]){'\\', (char)*data}, 2);
    } else if (*data < 0x20 || *data == 0x7f) {
        (void)snprintf(escape, sizeof escape, "\\u%04x", *data);
        put_text(printer, escape);
    } else {
        put(printer, (const char *)data, size);
    }
}

static void
string_put(struct printer *printer, struct gf_span span)
{
    put_text(printer, "\"");
    for (uint32_t i = 0; i < span.size;) {
        const size_t size = gf_wire_utf8_size(span.data + i, span.size - i);
        put_character(printer, span.data + i, size);
        i += size == 0 ? 1 : (uint32_t)size;
    }
    put_text(printer, "\"");
}

static void
hex_put(struct printer *printer, const uint8_t *data, uint32_t size)
{
    static const char digits[] = "0123456789abcdef";
    put_text(printer, "\"");
    for (uint32_t i = 0; i < size; i++) {
        put(printer, (const char[]){digits[data[i] >> 4], digits[data[i] & 15]}, 2);
    }
    put_text(printer, "\"");
}

/* The shortest digits that read back as the same number. */
static void
double_text(double value, char out[static 32])
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value) { /* bits, not nearness, are the question */
            return;
        }
    }
}

static void
unit_put(struct printer *printer, const struct gf_type *type, const char *number)
{
    put_text(printer, "\"");
    put_text(printer, number);
    if (strncmp(type->unit, "currency/", 9) == 0) {
        put_text(printer, " per ");
        put_text(printer, type->unit + 9);
    } else if (strcmp(type->unit, "currency") != 0) {
        put_text(printer, " ");
        put_text(printer, type->unit);
    }
    put_text(printer, "\"");
}

static void
double_put(struct printer *printer, const struct gf_type *type, double value)
{
    char number[32];
    if (!isfinite(value)) {
        put_text(printer, "null");
        return;
    }
    double_text(value, number);
    if (printer->is_human && type->unit != NULL) {
        unit_put(printer, type, number);
    } else {
        put_text(printer, number);
    }
}

static void
integer_put(struct printer *printer, const struct gf_type *type, int64_t value)
{
    char number[GF_DECIMAL_SIZE];
    if (printer->is_human && type->unit != NULL &&
        gf_decimal_print(value, type->scale, strcmp(type->unit, "currency") == 0 ? 2 : 0, number,
                         sizeof number) > 0) {
        unit_put(printer, type, number);
        return;
    }
    (void)snprintf(number, sizeof number, "%" PRId64, value);
    put_text(printer, number);
}

static void
time_put(struct printer *printer, struct gf_time time)
{
    char text[GF_TIME_TEXT_SIZE];
    if (gf_time_is_valid(time)) {
        gf_time_print(time, text);
        put_text(printer, "\"");
        put_text(printer, text);
        put_text(printer, "\"");
    } else if (gf_time_is_none(time)) {
        put_text(printer, "null");
    } else {
        (void)snprintf(text, sizeof text, "%" PRId64, time.us);
        put_text(printer, text);
    }
}

static void
long_put(struct printer *printer, const struct gf_type *type, const void *value)
{
    int64_t number = 0;
    memcpy(&number, value, sizeof number);
    if (type->unit != NULL && strcmp(type->unit, "timestamp-micros") == 0) {
        time_put(printer, (struct gf_time){number});
    } else {
        integer_put(printer, type, number);
    }
}

static void
enum_put(struct printer *printer, const struct gf_type *type, int32_t value)
{
    if (value < 0 || (uint32_t)value >= type->symbol_count) {
        integer_put(printer, type, value);
        return;
    }
    put_text(printer, "\"");
    put_text(printer, type->symbols[value]);
    put_text(printer, "\"");
}

static void
record_put(struct printer *printer, const struct gf_type *type, const uint8_t *value)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct gf_field *const field = &type->fields[i];
        put_text(printer, i == 0 ? "{\"" : ",\"");
        put_text(printer, field->name);
        put_text(printer, "\":");
        bool has = true;
        if (field->has_offset >= 0) {
            memcpy(&has, value + field->has_offset, sizeof has);
        }
        if (has) {
            value_put(printer, field->type, value + field->offset);
        } else {
            put_text(printer, "null");
        }
    }
    put_text(printer, "}");
}

static void
array_put(struct printer *printer, const struct gf_type *type, const void *value)
{
    struct gf_array array;
    memcpy(&array, value, sizeof array);
    put_text(printer, "[");
    for (uint32_t i = 0; i < array.count; i++) {
        put_text(printer, i == 0 ? "" : ",");
        value_put(printer, type->item, (const uint8_t *)array.items + (size_t)i * type->item->size);
    }
    put_text(printer, "]");
}

static void
value_put(struct printer *printer, const struct gf_type *type, const void *value)
{
    switch (type->kind) {
    case GF_KIND_BOOL:
        put_text(printer, *(const bool *)value ? "true" : "false");
        break;
    case GF_KIND_INT:
        integer_put(printer, type, *(const int32_t *)value);
        break;
    case GF_KIND_LONG:
        long_put(printer, type, value);
        break;
    case GF_KIND_DOUBLE:
        double_put(printer, type, *(const double *)value);
        break;
    case GF_KIND_STRING:
        string_put(printer, *(const struct gf_span *)value);
        break;
    case GF_KIND_BYTES:
        hex_put(printer, ((const struct gf_span *)value)->data,
                ((const struct gf_span *)value)->size);
        break;
    case GF_KIND_FIXED:
        hex_put(printer, value, type->size);
        break;
    case GF_KIND_ENUM:
        enum_put(printer, type, *(const int32_t *)value);
        break;
    case GF_KIND_RECORD:
        record_put(printer, type, value);
        break;
    case GF_KIND_ARRAY:
        array_put(printer, type, value);
        break;
    }
}

static size_t
print(const struct gf_type *type, const void *value, bool is_human, char *out, size_t size)
{
    assert(size == 0 || out != NULL);
    struct printer printer = {.out = out, .size = size, .is_human = is_human};
    value_put(&printer, type, value);
    if (size > 0) {
        out[printer.written] = '\0';
    }
    return printer.length;
}

size_t
gf_json_print(const struct gf_type *type, const void *value, char *out, size_t size)
{
    return print(type, value, false, out, size);
}

size_t
gf_json_print_human(const struct gf_type *type, const void *value, char *out, size_t size)
{
    return print(type, value, true, out, size);
}
