#include "loop/decode.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "codec/records.h"

void
gf_decoded_refuse(struct gf_decoded *decoded, struct gf_arena *arena, enum gf_rc refusal,
                  const char *reason)
{
    const size_t size = strlen(reason) + 1;
    char *copy = gf_arena_take(arena, size);
    if (copy != NULL) {
        memcpy(copy, reason, size);
    }
    decoded->refusal = refusal;
    decoded->reason = copy != NULL ? copy : gf_rc_text(refusal);
    decoded->body = NULL;
}

/* Finds how to read the record's bytes. A refusal is no error; waiting for a registry that does not
 * answer is. */
static enum gf_rc
schema_find(const struct gf_lookup *lookup, enum gf_topic topic, struct gf_arena *arena,
            struct gf_decoded *out, struct gf_error *error)
{
    char text[GF_ERROR_TEXT_SIZE];
    const uint32_t id = out->schema_id;
    const struct gf_schema_entry *entry =
        gf_schemas_find(lookup->schemas(lookup->context), topic, id);
    if (entry == NULL) {
        struct gf_error why = {{0}};
        const enum gf_rc rc = lookup->resolve(lookup->context, topic, id, &why);
        if (rc == GF_E_UNKNOWN_SCHEMA) {
            gf_decoded_refuse(out, arena, GF_E_UNKNOWN_SCHEMA, why.text);
            return GF_OK;
        }
        if (rc != GF_OK) {
            return gf_fail(error, rc, "%s", why.text);
        }
        entry = gf_schemas_find(lookup->schemas(lookup->context), topic, id);
        assert(entry != NULL);
    }
    out->entry = entry;
    if (entry->refusal != NULL) {
        snprintf(text, sizeof(text), "schema id %u: %s", id, entry->refusal);
        gf_decoded_refuse(out, arena, GF_E_UNKNOWN_SCHEMA, text);
    }
    return GF_OK;
}

/* The bytes without their frame. */
static bool
body_find(const struct gf_record *record, struct gf_arena *arena, struct gf_decoded *out,
          struct gf_span *body_out)
{
    if (!record->has_value) {
        gf_decoded_refuse(out, arena, GF_E_BAD_DATA,
                          "the record has no value (a tombstone), which means nothing here");
        return false;
    }
    if (record->value.size > GF_DECODE_VALUE_SIZE_MAX) {
        char text[GF_ERROR_TEXT_SIZE];
        snprintf(text, sizeof(text), "the value has %u bytes; at most %u are allowed",
                 record->value.size, GF_DECODE_VALUE_SIZE_MAX);
        gf_decoded_refuse(out, arena, GF_E_BAD_DATA, text);
        return false;
    }
    *body_out = record->value;
    out->schema_id = record->schema_id;
    if (!record->is_framed && record->schema_id != 0) {
        return true;
    }
    struct gf_error why;
    why.text[0] = '\0';
    if (gf_frame_read(record->value, &out->schema_id, body_out, &why) != GF_OK) {
        gf_decoded_refuse(out, arena, GF_E_BAD_DATA, why.text);
        return false;
    }
    return true;
}

/* One struct, from first byte to last. */
static void
body_decode(const struct gf_record *record, struct gf_span bytes, struct gf_arena *arena,
            struct gf_decoded *out)
{
    const struct gf_topic_info *topic = &gf_topics[record->topic];
    struct gf_reader reader = gf_reader_of(bytes);
    void *body = gf_arena_take(arena, topic->type->size);
    enum gf_rc rc = GF_E_FULL;
    if (body != NULL) {
        rc = out->entry->is_own ? (enum gf_rc)topic->decode(&reader, arena, body)
                                : gf_plan_decode(&out->entry->plan, &reader, arena, body);
    }
    out->body = body;
    const bool is_kept_as_bytes = !record->is_framed && record->schema_id == 0;
    if (rc == GF_OK && reader.at == reader.end && is_kept_as_bytes) {
        gf_decoded_refuse(out, arena, GF_E_BAD_DATA,
                          "the bytes were no record of the topic when they were stored");
    } else if (rc != GF_OK || reader.at != reader.end) {
        char text[GF_ERROR_TEXT_SIZE];
        snprintf(text, sizeof(text), "byte %td of %u: %s (schema id %u, %s)",
                 reader.at - bytes.data, bytes.size,
                 rc != GF_OK ? "cannot be decoded" : "bytes are left behind the record",
                 out->schema_id, topic->type->name);
        gf_decoded_refuse(out, arena, GF_E_BAD_DATA, text);
    }
}

enum gf_rc
gf_decode_record(const struct gf_lookup *lookup, const struct gf_record *record,
                 struct gf_arena *arena, struct gf_decoded *out, struct gf_error *error)
{
    struct gf_span bytes = {0};
    *out = (struct gf_decoded){0};
    if (!body_find(record, arena, out, &bytes)) {
        return GF_OK;
    }
    const enum gf_rc rc = schema_find(lookup, (enum gf_topic)record->topic, arena, out, error);
    if (rc == GF_OK && out->refusal == GF_OK) {
        body_decode(record, bytes, arena, out);
    }
    return rc;
}
