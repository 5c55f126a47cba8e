#include "io/folder_envelope.h"

#include "codec/wire_inline.h"

#include <assert.h>

#define LONG_SIZE_MAX 10

size_t
gf_folder_envelope_size(const struct gf_record *record)
{
    size_t size = 8 * LONG_SIZE_MAX + record->key.size;
    for (uint32_t i = 0; i < record->header_count; i++) {
        size += 3 * LONG_SIZE_MAX + record->headers[i].name.size + record->headers[i].value.size;
    }
    return size;
}

static void
optional_write(struct gf_writer *writer, bool has, struct gf_span bytes)
{
    gf_write_long(writer, has ? 1 : 0);
    if (has) {
        gf_write_bytes(writer, bytes);
    }
}

void
gf_folder_envelope_write(struct gf_writer *writer, const struct gf_record *record,
                         enum gf_folder_branch branch)
{
    gf_write_long(writer, record->offset);
    gf_write_long(writer, record->timestamp.us);
    optional_write(writer, record->has_key, record->key);
    if (record->header_count > 0) {
        gf_write_long(writer, record->header_count);
        for (uint32_t i = 0; i < record->header_count; i++) {
            gf_write_bytes(writer, record->headers[i].name);
            /* A header without value is NULL, one with an empty value is not. */
            optional_write(writer, record->headers[i].value.data != NULL, record->headers[i].value);
        }
    }
    gf_write_long(writer, 0);
    gf_write_long(writer, branch == GF_FOLDER_BRANCH_RECORD ? (int64_t)record->schema_id : 0);
    gf_write_long(writer, (int64_t)branch);
    if (branch == GF_FOLDER_BRANCH_BYTES) {
        gf_write_bytes(writer, record->value);
    } else if (branch == GF_FOLDER_BRANCH_RECORD) {
        gf_write_fixed(writer, record->value.data, record->value.size);
    }
}

static inline const uint8_t *
bytes_read(const uint8_t *at, const uint8_t *end, struct gf_span *out)
{
    const struct gf_wire_varint size = gf_wire_varint(at, end);
    if (size.at == NULL || (size.value & 1) != 0 || size.value >> 1 > (uint64_t)(end - size.at)) {
        return NULL;
    }
    *out = gf_span_of(size.at, (size_t)(size.value >> 1));
    return size.at + (size.value >> 1);
}

static inline const uint8_t *
optional_read(const uint8_t *at, const uint8_t *end, bool *has_out, struct gf_span *out)
{
    if (at == end || *at > 2 || *at == 1) {
        return NULL;
    }
    *has_out = *at == 2;
    *out = (struct gf_span){NULL, 0};
    return *at == 0 ? at + 1 : bytes_read(at + 1, end, out);
}

static bool
headers_pass(struct gf_reader *reader, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct gf_span name, value;
        bool has = false;
        const uint8_t *at = bytes_read(reader->at, reader->end, &name);
        if (at == NULL || (at = optional_read(at, reader->end, &has, &value)) == NULL) {
            return false;
        }
        reader->at = at;
    }
    return true;
}

/* Headers are one block as we write them; other writers may cut them into several, which we refuse.
 */
static const uint8_t *
headers_read(const uint8_t *at, const uint8_t *end, uint32_t *count_out, struct gf_span *out)
{
    struct gf_reader reader = {.at = at, .end = end};
    uint64_t count = 0, more = 0;
    if (gf_read_block(&reader, 2, &count) != GF_OK || count > UINT32_MAX) {
        return NULL;
    }
    const uint8_t *start = reader.at;
    if (!headers_pass(&reader, count)) {
        return NULL;
    }
    *count_out = (uint32_t)count;
    *out = gf_span_of(start, (size_t)(reader.at - start));
    const bool is_ended = count == 0 || (gf_read_block(&reader, 2, &more) == GF_OK && more == 0);
    return is_ended ? reader.at : NULL;
}

static inline enum gf_rc
value_skip(const struct gf_folder_value *value, struct gf_reader *reader)
{
    return value->skip != NULL ? (enum gf_rc)value->skip(reader)
                               : gf_plan_skip(value->plan, reader);
}

/* From the branch of `value` on. */
static inline const uint8_t *
value_read(const uint8_t *at, const uint8_t *end, const struct gf_folder_value *value,
           struct gf_record *record)
{
    if (at == end) {
        return NULL;
    }
    const uint8_t branch = *at++;
    record->has_value = branch != 2 * GF_FOLDER_BRANCH_NULL;
    record->schema_id = 0;
    record->value = (struct gf_span){NULL, 0};
    if (branch == 2 * GF_FOLDER_BRANCH_RECORD) {
        struct gf_reader reader = {.at = at, .end = end};
        if (value_skip(value, &reader) != GF_OK) {
            return NULL;
        }
        record->schema_id = value->schema_id;
        record->value = gf_span_of(at, (size_t)(reader.at - at));
        return reader.at;
    }
    if (branch == 2 * GF_FOLDER_BRANCH_BYTES) {
        return bytes_read(at, end, &record->value);
    }
    return branch == 2 * GF_FOLDER_BRANCH_NULL ? at : NULL;
}

/* The innermost loop of every replay: cursors in registers (codec/wire_inline.h), one exit. */
enum gf_rc
gf_folder_envelope_read(struct gf_reader *reader, const struct gf_folder_value *value,
                        struct gf_record *record_out, struct gf_span *headers_out)
{
    const uint8_t *const end = reader->end;
    const struct gf_wire_varint offset = gf_wire_varint_wide(reader->at, end);
    if (offset.at == NULL || (offset.value & 1) != 0) {
        return GF_E_BAD_DATA;
    }
    const struct gf_wire_varint time = gf_wire_varint_wide(offset.at, end);
    if (time.at == NULL) {
        return GF_E_BAD_DATA;
    }
    record_out->offset = (int64_t)(offset.value >> 1);
    record_out->timestamp.us = gf_wire_unzigzag(time.value);
    record_out->headers = NULL;
    record_out->header_count = 0;
    record_out->is_framed = false;
    const uint8_t *at = optional_read(time.at, end, &record_out->has_key, &record_out->key);
    if (at == NULL || at == end) {
        return GF_E_BAD_DATA;
    }
    if (*at == 0) {
        at++;
    } else if ((at = headers_read(at, end, &record_out->header_count, headers_out)) == NULL) {
        return GF_E_BAD_DATA;
    }
    const struct gf_wire_varint schema_id = gf_wire_varint(at, end);
    if (schema_id.at == NULL || (at = value_read(schema_id.at, end, value, record_out)) == NULL) {
        return GF_E_BAD_DATA;
    }
    reader->at = at;
    return GF_OK;
}

enum gf_rc
gf_folder_headers_read(struct gf_span headers, struct gf_header *out, uint32_t count)
{
    const uint8_t *at = headers.data, *end = headers.data + headers.size;
    for (uint32_t i = 0; i < count; i++) {
        bool has = false;
        if ((at = bytes_read(at, end, &out[i].name)) == NULL ||
            (at = optional_read(at, end, &has, &out[i].value)) == NULL) {
            return GF_E_BAD_DATA;
        }
    }
    return GF_OK;
}

bool
gf_folder_value_fits(const struct gf_folder_value *value, struct gf_span bytes)
{
    struct gf_reader reader = gf_reader_of(bytes);
    return value_skip(value, &reader) == GF_OK && reader.at == reader.end;
}
