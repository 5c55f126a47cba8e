#include "loop/journal.h"

#include <stdio.h>
#include <string.h>

#include "codec/records.h"

#define PEEK_COUNT 64 /* an owner's first transaction begins with its claim */

enum gf_rc
gf_journal_append(struct gf_sink *sink, const struct gf_journal *record, uint8_t *buffer,
                  struct gf_time time, struct gf_error *error)
{
    struct gf_writer writer = gf_writer_of(buffer, GF_JOURNAL_SIZE_MAX);
    gf_topics[GF_TOPIC_JOURNAL].encode(&writer, record);
    if (writer.overflowed) {
        return gf_fail(error, GF_E_NO_MEMORY, "a journal record is larger than %u bytes",
                       GF_JOURNAL_SIZE_MAX);
    }
    char key[16];
    const int key_size = snprintf(key, sizeof(key), "%d", record->shard);
    const struct gf_output output = {.topic = GF_TOPIC_JOURNAL,
                                     .partition = (uint32_t)record->shard,
                                     .timestamp =
                                         gf_time_is_none(time) ? (struct gf_time){0} : time,
                                     .key = gf_span_of(key, (size_t)key_size),
                                     .body = gf_span_of(writer.start, gf_writer_size(&writer))};
    return sink->ops->append(sink, &output, error);
}

enum gf_rc
gf_journal_open(struct gf_journal_reader *reader, struct gf_source *source,
                const struct gf_lookup *lookup, uint32_t shard, int64_t from, void *arena_memory,
                size_t arena_size, struct gf_error *error)
{
    *reader = (struct gf_journal_reader){.source = source,
                                         .lookup = *lookup,
                                         .shard = shard,
                                         .arena = gf_arena_of(arena_memory, arena_size)};
    const enum gf_rc rc =
        source->ops->ends(source, GF_TOPIC_JOURNAL, shard, &reader->first, &reader->end, error);
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "journal of shard %u", shard);
    }
    reader->at = from > reader->first ? from : reader->first;
    return GF_OK;
}

static enum gf_rc
record_decode(struct gf_journal_reader *reader, const struct gf_record *record,
              struct gf_journal *out, struct gf_error *error)
{
    struct gf_error why = {{0}};
    uint32_t id = record->schema_id;
    struct gf_span body = record->value;
    const struct gf_lookup *lookup = &reader->lookup;
    enum gf_rc rc = record->is_framed ? gf_frame_read(record->value, &id, &body, &why) : GF_OK;
    const struct gf_schema_entry *entry = NULL;
    if (rc == GF_OK) {
        entry = gf_schemas_find(lookup->schemas(lookup->context), GF_TOPIC_JOURNAL, id);
        if (entry == NULL) {
            rc = lookup->resolve(lookup->context, GF_TOPIC_JOURNAL, id, &why);
            entry = gf_schemas_find(lookup->schemas(lookup->context), GF_TOPIC_JOURNAL, id);
        }
    }
    if (rc == GF_OK && entry != NULL && entry->refusal == NULL) {
        gf_arena_reset(&reader->arena, 0);
        struct gf_reader bytes = gf_reader_of(body);
        rc = entry->is_own
                 ? (enum gf_rc)gf_topics[GF_TOPIC_JOURNAL].decode(&bytes, &reader->arena, out)
                 : gf_plan_decode(&entry->plan, &bytes, &reader->arena, out);
    } else if (rc == GF_OK) {
        rc = GF_E_UNKNOWN_SCHEMA;
    }
    if (rc == GF_OK && out->shard != (int32_t)reader->shard) {
        rc = GF_E_BAD_FIELD;
    }
    if (rc != GF_OK) {
        return gf_fail(error, GF_E_DAMAGED, "journal of shard %u, offset %lld: %s%s%s",
                       reader->shard, (long long)record->offset, gf_rc_text(rc),
                       why.text[0] != '\0' ? ": " : "", why.text);
    }
    return GF_OK;
}

bool
gf_journal_is_level(const struct gf_journal_reader *reader)
{
    return reader->record_at == reader->record_count && reader->at >= reader->end;
}

enum gf_rc
gf_journal_extend(struct gf_journal_reader *reader, struct gf_error *error)
{
    int64_t first = 0, end = 0;
    const enum gf_rc rc = reader->source->ops->ends(reader->source, GF_TOPIC_JOURNAL, reader->shard,
                                                    &first, &end, error);
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "journal of shard %u", reader->shard);
    }
    /* A leader that is new may for a moment answer with less than its predecessor has told. */
    reader->end = end > reader->end ? end : reader->end;
    return GF_OK;
}

/* One look for more records. */
static enum gf_rc
records_fetch(struct gf_journal_reader *reader, struct gf_duration wait, struct gf_error *error)
{
    struct gf_source *source = reader->source;
    source->ops->release(source, reader->shard, GF_TOPIC_JOURNAL, reader->shard, reader->at);
    int64_t next = reader->at;
    reader->record_at = 0;
    reader->record_count = 0;
    const enum gf_rc rc = source->ops->read(source, reader->shard, GF_TOPIC_JOURNAL, reader->shard,
                                            reader->at, reader->end, wait, reader->records,
                                            sizeof(reader->records) / sizeof(reader->records[0]),
                                            &reader->record_count, &next, error);
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "journal of shard %u", reader->shard);
    }
    reader->at = next;
    return GF_OK;
}

enum gf_rc
gf_journal_poll(struct gf_journal_reader *reader, struct gf_duration wait, struct gf_journal *out,
                int64_t *offset_out, bool *found_out, struct gf_error *error)
{
    *found_out = false;
    if (reader->record_at == reader->record_count && reader->at < reader->end) {
        const enum gf_rc rc = records_fetch(reader, wait, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    if (reader->record_at < reader->record_count) {
        const struct gf_record *record = &reader->records[reader->record_at++];
        *offset_out = record->offset;
        *found_out = true;
        return record_decode(reader, record, out, error);
    }
    if (reader->at >= reader->end) {
        /* What follows is what we write ourselves: nobody shall fetch it. */
        reader->source->ops->release(reader->source, reader->shard, GF_TOPIC_JOURNAL, reader->shard,
                                     INT64_MAX);
    }
    return GF_OK;
}

static bool
has_name(char (*names)[GF_JOURNAL_NAME_SIZE], uint32_t count, struct gf_span name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (gf_span_equal(gf_span_text(names[i]), name)) {
            return true;
        }
    }
    return false;
}

enum gf_rc
gf_journal_open_claims(struct gf_journal_reader *reader, int32_t generation, const char *own,
                       char (*names_out)[GF_JOURNAL_NAME_SIZE], uint32_t count_max,
                       uint32_t *count_out, struct gf_error *error)
{
    struct gf_source *source = reader->source;
    struct gf_record records[PEEK_COUNT];
    uint32_t record_count = 0;
    *count_out = 0;
    if (source->ops->peek == NULL || reader->at >= reader->end) {
        return GF_OK;
    }
    const enum gf_rc rc = source->ops->peek(source, GF_TOPIC_JOURNAL, reader->shard, reader->at,
                                            reader->end, records, PEEK_COUNT, &record_count, error);
    if (rc != GF_OK) {
        return gf_fail_prefix(error, rc, "journal of shard %u", reader->shard);
    }
    for (uint32_t i = 0; i < record_count && *count_out < count_max; i++) {
        struct gf_journal record;
        if (record_decode(reader, &records[i], &record, NULL) != GF_OK || !record.has_claim ||
            record.claim.generation >= generation) {
            continue;
        }
        const struct gf_span name = record.claim.transactional_id;
        if (name.size == 0 || name.size >= GF_JOURNAL_NAME_SIZE ||
            gf_span_equal(name, gf_span_text(own)) || has_name(names_out, *count_out, name)) {
            continue;
        }
        memcpy(names_out[*count_out], name.data, name.size);
        names_out[(*count_out)++][name.size] = '\0';
    }
    return GF_OK;
}

enum gf_rc
gf_journal_stuck(const struct gf_journal_reader *reader, struct gf_error *error)
{
    return gf_fail(
        error, GF_E_UNAVAILABLE,
        "journal of shard %u: nothing arrives at offset %lld, end is %lld: a transaction "
        "may still be open there; if it stays so, an operator has to look for it "
        "(kafka-transactions.sh find-hanging) and end it",
        reader->shard, (long long)reader->at, (long long)reader->end);
}

enum gf_rc
gf_journal_next(struct gf_journal_reader *reader, struct gf_journal *out, int64_t *offset_out,
                bool *found_out, struct gf_error *error)
{
    for (uint32_t looks = 0; looks <= GF_JOURNAL_WAITS_MAX; looks++) {
        const int64_t before = reader->at;
        const enum gf_rc rc =
            gf_journal_poll(reader, GF_JOURNAL_WAIT, out, offset_out, found_out, error);
        if (rc != GF_OK || *found_out || gf_journal_is_level(reader)) {
            return rc;
        }
        looks = reader->at > before ? 0 : looks;
    }
    return gf_journal_stuck(reader, error);
}
