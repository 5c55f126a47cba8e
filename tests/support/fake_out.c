#include "fake_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

static void *
grown(void *data, size_t size)
{
    void *const more = realloc(data, size);
    if (more == NULL) {
        abort();
    }
    return more;
}

struct gf_out *
fake_out_new(void)
{
    struct gf_out *const out = grown(NULL, sizeof *out);
    *out = (struct gf_out){.failed_rc = GF_OK};
    return out;
}

void
fake_out_clear(struct gf_out *out)
{
    for (uint32_t i = 0; i < out->block_count; i++) {
        free(out->blocks[i]);
    }
    out->block_count = 0;
    out->count = 0;
    out->failed_rc = GF_OK;
    out->error.text[0] = '\0';
}

void
fake_out_free(struct gf_out *out)
{
    if (out == NULL) {
        return;
    }
    fake_out_clear(out);
    free(out->blocks);
    free(out->records);
    free(out);
}

void
fake_out_truncate(struct gf_out *out, uint32_t count)
{
    if (count < out->count) {
        out->count = count;
    }
}

/* A block of exactly `size` bytes, so that reading past a copy is seen. */
static void *
block_take(struct gf_out *out, const void *data, size_t size)
{
    if (size == 0) {
        return NULL;
    }
    if (out->block_count == out->block_capacity) {
        out->block_capacity = out->block_capacity == 0 ? 256 : 2 * out->block_capacity;
        out->blocks = grown(out->blocks, out->block_capacity * sizeof out->blocks[0]);
    }
    void *const block = grown(NULL, size);
    memcpy(block, data, size);
    out->blocks[out->block_count++] = block;
    return block;
}

static void
span_keep(struct gf_out *out, struct gf_span *span)
{
    span->data = block_take(out, span->data, span->size);
}

static const struct gf_reason *
reasons_keep(struct gf_out *out, const struct gf_reason *items, uint32_t count)
{
    struct gf_reason *const kept = block_take(out, items, count * sizeof items[0]);
    for (uint32_t i = 0; i < count; i++) {
        span_keep(out, &kept[i].code);
    }
    return kept;
}

static void
adjustment_keep(struct gf_out *out, struct gf_tariff_adjustment *record)
{
    span_keep(out, &record->tariff_id);
    span_keep(out, &record->area_id);
    span_keep(out, &record->currency);
    struct gf_span *const hits = block_take(out, record->guardrails_hit.items,
                                            record->guardrails_hit.count * sizeof hits[0]);
    for (uint32_t i = 0; i < record->guardrails_hit.count; i++) {
        span_keep(out, &hits[i]);
    }
    record->guardrails_hit.items = hits;
    record->reasons.items = reasons_keep(out, record->reasons.items, record->reasons.count);
}

static void
flag_keep(struct gf_out *out, struct gf_fraud_flag *record)
{
    span_keep(out, &record->customer_id);
    span_keep(out, &record->meter_id);
    span_keep(out, &record->method);
    record->reasons.items = reasons_keep(out, record->reasons.items, record->reasons.count);
    struct gf_evidence *const kept =
        block_take(out, record->evidence.items, record->evidence.count * sizeof kept[0]);
    for (uint32_t i = 0; i < record->evidence.count; i++) {
        span_keep(out, &kept[i].feature);
        span_keep(out, &kept[i].unit);
    }
    record->evidence.items = kept;
}

static void
alert_keep(struct gf_out *out, struct gf_arrears_alert *record)
{
    span_keep(out, &record->customer_id);
    span_keep(out, &record->currency);
    span_keep(out, &record->measure);
    record->reasons.items = reasons_keep(out, record->reasons.items, record->reasons.count);
}

static void
quality_keep(struct gf_out *out, struct gf_data_quality *record)
{
    span_keep(out, &record->entity);
    span_keep(out, &record->meter_id);
}

enum gf_rc
gf_out_emit(struct gf_out *out, enum gf_topic topic, void *record)
{
    if (out->count_max != 0 && out->count >= out->count_max) {
        return GF_E_FULL;
    }
    if (out->count == out->capacity) {
        out->capacity = out->capacity == 0 ? 64 : 2 * out->capacity;
        out->records = grown(out->records, out->capacity * sizeof out->records[0]);
    }
    struct fake_record *const kept = &out->records[out->count];
    memset(kept, 0, sizeof *kept);
    kept->topic = (int32_t)topic;
    switch ((int)topic) {
    case GF_TOPIC_TARIFF_ADJUSTMENTS:
        kept->body.tariff_adjustment = *(const struct gf_tariff_adjustment *)record;
        adjustment_keep(out, &kept->body.tariff_adjustment);
        break;
    case GF_TOPIC_FRAUD_FLAGS:
        kept->body.fraud_flag = *(const struct gf_fraud_flag *)record;
        flag_keep(out, &kept->body.fraud_flag);
        break;
    case GF_TOPIC_ARREARS_ALERTS:
        kept->body.arrears_alert = *(const struct gf_arrears_alert *)record;
        alert_keep(out, &kept->body.arrears_alert);
        break;
    case GF_TOPIC_DATA_QUALITY:
        kept->body.data_quality = *(const struct gf_data_quality *)record;
        quality_keep(out, &kept->body.data_quality);
        break;
    default:
        fprintf(stderr, "fake_out: no operator emits topic %d\n", (int)topic);
        abort();
    }
    out->count++;
    return GF_OK;
}

enum gf_rc
gf_out_set_timer(struct gf_out *out, uint32_t timer, struct gf_time due)
{
    if (timer >= FAKE_TIMER_COUNT) {
        fprintf(stderr, "fake_out: timer %u\n", timer);
        abort();
    }
    out->timers[timer].is_set = true;
    out->timers[timer].due = due;
    return GF_OK;
}

void
gf_out_clear_timer(struct gf_out *out, uint32_t timer)
{
    if (timer >= FAKE_TIMER_COUNT) {
        fprintf(stderr, "fake_out: timer %u\n", timer);
        abort();
    }
    out->timers[timer].is_set = false;
}

enum gf_rc
gf_out_fail(struct gf_out *out, enum gf_rc rc, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out->error.text, sizeof out->error.text, format, arguments);
    va_end(arguments);
    out->failed_rc = rc;
    return rc;
}

void
gf_record_id(const char *kind, struct gf_span entity, struct gf_time time, int64_t version,
             uint8_t id_out[16])
{
    struct gf_digest digest = gf_digest_of(kind, strlen(kind));
    gf_digest_extend(&digest, entity.data, entity.size);
    gf_digest_extend(&digest, &time.us, sizeof time.us);
    gf_digest_extend(&digest, &version, sizeof version);
    memcpy(id_out, digest.bytes, 16);
}

uint32_t
fake_out_count(const struct gf_out *out, enum gf_topic topic)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        count += out->records[i].topic == (int32_t)topic;
    }
    return count;
}

const union gf_record_body *
fake_out_record(const struct gf_out *out, enum gf_topic topic, uint32_t index)
{
    for (uint32_t i = 0; i < out->count; i++) {
        if (out->records[i].topic == (int32_t)topic && index-- == 0) {
            return &out->records[i].body;
        }
    }
    return NULL;
}

bool
fake_out_take_timer(struct gf_out *out, struct gf_time until, uint32_t *timer_out,
                    struct gf_time *due_out)
{
    uint32_t first = FAKE_TIMER_COUNT;
    for (uint32_t i = 0; i < FAKE_TIMER_COUNT; i++) {
        if (out->timers[i].is_set && out->timers[i].due.us <= until.us &&
            (first == FAKE_TIMER_COUNT || out->timers[i].due.us < out->timers[first].due.us)) {
            first = i;
        }
    }
    if (first == FAKE_TIMER_COUNT) {
        return false;
    }
    out->timers[first].is_set = false;
    *timer_out = first;
    *due_out = out->timers[first].due;
    return true;
}
