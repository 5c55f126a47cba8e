#include <math.h>
#include <stdio.h>
#include <string.h>

#include "codec/records.h"
#include "engine/parts.h"

/* Encodes `record` at the end of the effects. The writer gets all the room there is; what it used
 * is then taken. */
static enum gf_rc
effect_add(struct gf_engine *engine, struct gf_out *out, enum gf_topic topic, const void *record,
           struct gf_span key, struct gf_time time)
{
    struct gf_arena *bytes = &out->bytes;
    const size_t start = bytes->used;
    uint8_t *key_copy = gf_arena_take(bytes, key.size);
    if (key_copy == NULL || out->effect_count == EFFECT_COUNT_MAX) {
        out->is_full = true;
        return GF_E_FULL;
    }
    if (key.size > 0) {
        memcpy(key_copy, key.data, key.size);
    }
    struct gf_writer writer = gf_writer_of(bytes->data + bytes->used, bytes->size - bytes->used);
    gf_topics[topic].encode(&writer, record);
    if (writer.overflowed) {
        bytes->used = start;
        out->is_full = true;
        return GF_E_FULL;
    }
    const size_t size = gf_writer_size(&writer);
    out->effects[out->effect_count++] =
        (struct gf_effect){.topic = (int32_t)topic,
                           .partition = gf_stage_output(topic, engine->options.shard,
                                                        engine->options.shard_count, key),
                           .time = time,
                           .key = gf_span_of(key_copy, key.size),
                           .body = gf_span_of(writer.start, size)};
    bytes->used += size;
    return GF_OK;
}

/* `out` is the engine's member; operators know no more of it than its address. */
static struct gf_engine *
engine_of(struct gf_out *out)
{
    return (struct gf_engine *)(void *)((uint8_t *)out - offsetof(struct gf_engine, out));
}

enum gf_rc
gf_out_emit(struct gf_out *out, enum gf_topic topic, void *record)
{
    struct gf_engine *engine = engine_of(out);
    assert(topic >= GF_TOPIC_INPUT_COUNT);
    assert(engine->lineage_offset[topic] >= 0);
    memcpy((uint8_t *)record + engine->lineage_offset[topic], &out->lineage, sizeof(out->lineage));
    return effect_add(engine, out, topic, record, out->entity, out->now);
}

enum gf_rc
gf_out_send(struct gf_out *out, enum gf_topic topic, struct gf_span key, const void *record)
{
    assert(gf_topics[topic].is_internal);
    return effect_add(engine_of(out), out, topic, record, key, out->now);
}

static struct timer_change *
timer_change_take(struct gf_out *out, uint32_t timer)
{
    assert(timer < GF_TIMERS_PER_OPERATOR);
    const uint8_t id = (uint8_t)(out->operator_index * GF_TIMERS_PER_OPERATOR + timer);
    for (uint32_t i = 0; i < out->timer_change_count; i++) {
        if (out->timer_changes[i].id == id) {
            return &out->timer_changes[i];
        }
    }
    assert(out->timer_change_count < TIMER_CHANGE_COUNT_MAX); /* 8 operators of 8 timers */
    struct timer_change *change = &out->timer_changes[out->timer_change_count++];
    *change = (struct timer_change){.id = id};
    return change;
}

enum gf_rc
gf_out_set_timer(struct gf_out *out, uint32_t timer, struct gf_time due)
{
    struct timer_change *change = timer_change_take(out, timer);
    change->is_set = true;
    change->due = due;
    return GF_OK;
}

void
gf_out_clear_timer(struct gf_out *out, uint32_t timer)
{
    timer_change_take(out, timer)->is_set = false;
}

enum gf_rc
gf_out_fail(struct gf_out *out, enum gf_rc rc, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out->error.text, sizeof(out->error.text), format, arguments);
    va_end(arguments);
    return rc;
}

void
gf_record_id(const char *kind, struct gf_span entity, struct gf_time time, int64_t version,
             uint8_t out[16])
{
    struct gf_digest digest = gf_digest_of(kind, strlen(kind));
    gf_digest_extend(&digest, entity.data, entity.size);
    gf_digest_extend(&digest, &time.us, sizeof(time.us));
    gf_digest_extend(&digest, &version, sizeof(version));
    memcpy(out, digest.bytes, sizeof(digest.bytes));
}

void
out_aim(struct gf_engine *engine, struct gf_span entity, struct gf_time now)
{
    struct gf_out *out = &engine->out;
    out->timer_change_count = 0;
    out->entity = entity;
    out->now = now;
    out->error.text[0] = '\0';
}

enum gf_rc
out_confirm(struct gf_engine *engine, enum gf_entity_kind kind, uint64_t key_hash)
{
    struct gf_out *out = &engine->out;
    for (uint32_t i = 0; i < out->timer_change_count; i++) {
        const struct timer_change *change = &out->timer_changes[i];
        if (!change->is_set) {
            gf_timers_clear(&engine->timers, kind, out->entity, key_hash, change->id);
            continue;
        }
        const enum gf_rc rc =
            gf_timers_set(&engine->timers, kind, out->entity, key_hash, change->id, change->due);
        if (rc != GF_OK) {
            return GF_E_NO_MEMORY;
        }
    }
    return GF_OK;
}

/* The value as it was on the wire: a folder keeps the body alone, so its frame is put back before
 * it. */
static bool
original_value(struct gf_arena *bytes, const struct gf_record *record, struct gf_span *out)
{
    if (record->is_framed || record->schema_id == 0) {
        *out = record->value;
        return true;
    }
    uint8_t *copy = gf_arena_take(bytes, (size_t)GF_FRAME_SIZE + record->value.size);
    if (copy == NULL) {
        return false;
    }
    gf_frame_write(record->schema_id, copy);
    memcpy(copy + GF_FRAME_SIZE, record->value.data, record->value.size);
    *out = gf_span_of(copy, (size_t)GF_FRAME_SIZE + record->value.size);
    return true;
}

enum gf_rc
out_dead_letter(struct gf_engine *engine, const struct gf_record *record, const char *code,
                const char *message, struct gf_time time)
{
    struct gf_out *out = &engine->out;
    struct gf_dead_letter letter = {
        .topic = gf_span_text(record == NULL ? "timer" : gf_topics[record->topic].name),
        .partition = record == NULL ? -1 : (int32_t)record->partition,
        .offset = record == NULL ? -1 : record->offset,
        .timestamp = record == NULL ? time : record->timestamp,
        .has_key = record == NULL || record->has_key,
        .key = record == NULL ? out->entity : record->key,
        .has_value = record != NULL && record->has_value,
        .code = gf_span_text(code),
        .message = gf_span_text(message),
        .shard = (int32_t)engine->options.shard,
        .batch = out->lineage.batch,
    };
    struct gf_dead_letter_header *headers = NULL;
    if (record != NULL && record->header_count > 0) {
        headers = gf_arena_take(&out->bytes, record->header_count * sizeof(*headers));
    }
    if ((record != NULL && record->header_count > 0 && headers == NULL) ||
        (letter.has_value && !original_value(&out->bytes, record, &letter.value))) {
        out->is_full = true;
        return GF_E_FULL;
    }
    for (uint32_t i = 0; headers != NULL && i < record->header_count; i++) {
        headers[i] = (struct gf_dead_letter_header){
            .name = record->headers[i].name, .has_value = true, .value = record->headers[i].value};
    }
    letter.headers.items = headers;
    letter.headers.count = headers == NULL ? 0 : record->header_count;
    return effect_add(engine, out, GF_TOPIC_DEAD_LETTERS, &letter,
                      letter.has_key ? letter.key : (struct gf_span){0}, time);
}
