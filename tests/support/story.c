#include "story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CUSTOMER "c42"

/* ---- parameters from their rows ---- */

static void
row_fill(const struct gf_param *row, const char *text, void *out)
{
    void *const place = (char *)out + row->offset;
    const size_t size = strlen(text);
    char *end = NULL;
    int64_t number = 0;
    switch (row->type) {
    case GF_PARAM_BOOL:
        *(bool *)place = strcmp(text, "true") == 0;
        break;
    case GF_PARAM_INT:
    case GF_PARAM_SIZE:
        *(int64_t *)place = strtoll(text, NULL, 10);
        break;
    case GF_PARAM_REAL:
        *(double *)place = strtod(text, NULL);
        break;
    case GF_PARAM_DURATION:
        number = strtoll(text, &end, 10);
        number *= *end == 'd'   ? GF_US_PER_DAY
                  : *end == 'h' ? GF_US_PER_HOUR
                  : *end == 'm' ? GF_US_PER_MINUTE
                                : GF_US_PER_S;
        ((struct gf_duration *)place)->us = number;
        break;
    case GF_PARAM_MONEY:
    case GF_PARAM_ENERGY:
        assert_int_equal(gf_decimal_parse(text, size, 6, (int64_t *)place), GF_OK);
        break;
    case GF_PARAM_PRICE:
        assert_int_equal(gf_decimal_parse(text, size, 8, (int64_t *)place), GF_OK);
        break;
    case GF_PARAM_TEXT:
        assert_true(size < row->size);
        memcpy(place, text, size + 1);
        break;
    case GF_PARAM_CHOICE:
        while (strcmp(row->choices[number], text) != 0) {
            number++;
            assert_non_null(row->choices[number]);
        }
        *(int32_t *)place = (int32_t)number;
        break;
    case GF_PARAM_TABLE:
        fail();
    }
}

/* A flow sequence of flow mappings of plain words: "[{a: 1, b: x}, {…}]". */
static void
table_fill(const struct gf_param *row, void *out)
{
    uint32_t count = 0;
    for (const char *at_row = strchr(row->initial, '{'); at_row != NULL;
         at_row = strchr(at_row, '{')) {
        const char *const close = strchr(at_row, '}');
        void *const place = (char *)out + row->offset + (size_t)count * row->size;
        for (uint32_t column = 0; column < row->row_param_count; column++) {
            char key[64], value[64] = "";
            snprintf(key, sizeof key, "%s: ", row->rows[column].name);
            const char *const found = strstr(at_row, key);
            assert_true(found != NULL && found < close);
            sscanf(found + strlen(key), "%63[^,}]", value);
            row_fill(&row->rows[column], value, place);
        }
        at_row = close;
        count++;
        assert_true(count <= row->rows_max);
    }
    memcpy((char *)out + row->count_offset, &count, sizeof count);
}

void
story_params_fill(const struct gf_param *rows, uint32_t count, void *out)
{
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].type == GF_PARAM_TABLE) {
            table_fill(&rows[i], out);
        } else {
            assert_non_null(rows[i].initial);
            row_fill(&rows[i], rows[i].initial, out);
        }
    }
}

/* ---- the story ---- */

struct gf_time
at(const char *text)
{
    struct gf_time time = {0};
    assert_int_equal(gf_time_parse(text, strlen(text), &time), GF_OK);
    return time;
}

void
story_begin(struct story *story, const struct gf_operator *logic)
{
    *story = (struct story){
        .logic = logic,
        .params = calloc(1, logic->params_size),
        .state = calloc(1, logic->state.size),
        .out = fake_out_new(),
        .zone = gf_zone_utc(),
        .now = GF_TIME_NONE,
    };
    assert_non_null(story->params);
    assert_non_null(story->state);
    story_params_fill(logic->params, logic->param_count, story->params);
    story_params_fill(gf_feature_param_rows, gf_feature_param_count, &story->feature_params);
    gf_features_init(&story->features);
}

void
expect_nothing_else(const struct story *story)
{
    if (story->looked_at == story->out->count) {
        return;
    }
    const struct fake_record *const record = &story->out->records[story->looked_at];
    const union gf_record_body *const body = &record->body;
    const bool is_flag = record->topic == GF_TOPIC_FRAUD_FLAGS,
               is_alert = record->topic == GF_TOPIC_ARREARS_ALERTS;
    char decided[GF_TIME_TEXT_SIZE];
    gf_time_print(is_flag    ? body->fraud_flag.decided_at
                  : is_alert ? body->arrears_alert.decided_at
                             : body->data_quality.decided_at,
                  decided);
    fail_msg("%u records were emitted, %u expected; then came %s at %s", story->out->count,
             story->looked_at,
             is_flag    ? gf_fraud_code_name(body->fraud_flag.code)
             : is_alert ? gf_arrears_kind_name(body->arrears_alert.kind)
                        : gf_quality_rule_name(body->data_quality.rule),
             decided);
}

void
story_end(struct story *story)
{
    char text[2048];
    const struct gf_view view = story_view(story);
    const size_t size = story->logic->describe(&view, story->state, text, sizeof text);
    assert_true(size > 0 && size < sizeof text);
    assert_int_equal(text[0], '"');
    expect_nothing_else(story);
    fake_out_free(story->out);
    free(story->params);
    free(story->state);
}

struct gf_view
story_view(const struct story *story)
{
    return (struct gf_view){
        .now = story->now,
        .shard_time = story->now,
        .entity = gf_span_text(CUSTOMER),
        .features = &story->features,
        .zone = story->zone,
        .params = story->params,
    };
}

void
story_advance_to(struct story *story, struct gf_time to)
{
    uint32_t timer = 0, fired = 0;
    struct gf_time due = {0};
    while (fake_out_take_timer(story->out, to, &timer, &due)) {
        assert_true(++fired < 1000);
        struct gf_view view = story_view(story);
        view.now = due;
        assert_int_equal(story->logic->on_timer(&view, timer, story->state, story->out), GF_OK);
    }
    story->now = gf_time_max(story->now, to);
}

void
story_advance(struct story *story, const char *to)
{
    story_advance_to(story, at(to));
}

enum gf_rc
story_event(struct story *story, enum gf_topic topic, struct gf_time time, const void *body)
{
    story_advance_to(story, (struct gf_time){time.us - 1});
    const struct gf_event event = {
        .topic = (int32_t)topic, .event_time = time, .key = gf_span_text(CUSTOMER), .body = body};
    const struct gf_feature_context context = {
        .params = &story->feature_params, .zone = story->zone, .shard_time = story->now};
    struct gf_error error = {{0}};
    const struct gf_features before = story->features;
    const enum gf_rc rc =
        gf_features_apply(&story->features, &context, &event, &story->change, &error);
    if (rc != GF_OK) {
        story->features = before;
        return rc;
    }
    story->now = gf_time_max(story->now, time);
    if ((story->logic->reads & GF_READS(topic)) == 0) {
        return GF_OK;
    }
    struct gf_view view = story_view(story);
    view.now = time;
    view.change = &story->change;
    return story->logic->on_event(&view, &event, story->state, story->out);
}

/* ---- what happens ---- */

int64_t
micros(double amount)
{
    return (int64_t)(amount * 1e6 + (amount < 0 ? -0.5 : 0.5));
}

static struct gf_money
money(double amount)
{
    return (struct gf_money){micros(amount)};
}

static void
contract_event(struct story *story, struct gf_time issued, int32_t customer_class,
               int64_t capacity_w, const struct gf_protection *protection)
{
    const struct gf_contract_meter meters[] = {
        {.meter_id = gf_span_text("M1"), .digits = 6, .lsb_micro_kwh = {1000}, .multiplier = 1},
        {.meter_id = gf_span_text("M2"), .digits = 6, .lsb_micro_kwh = {1000}, .multiplier = 40},
    };
    const struct gf_customer_contract contract = {
        .contract_id = gf_span_text("C"),
        .version = story->features.contract.version + 1,
        .customer_class = customer_class,
        .has_capacity_w = capacity_w > 0,
        .capacity_w = capacity_w,
        .tariff_id = gf_span_text("T"),
        .area_id = gf_span_text("A"),
        .zone = gf_span_text("Z"),
        .time_zone = gf_span_text("UTC"),
        .currency = gf_span_text("EUR"),
        .protections = {protection, protection != NULL},
        .meters = {meters, 2},
        .valid_from = story->features.contract.is_known
                          ? (struct gf_time){story->features.contract.valid_from_us}
                          : issued,
        .issued_at = issued,
    };
    assert_int_equal(story_event(story, GF_TOPIC_CUSTOMER_CONTRACTS, issued, &contract), GF_OK);
}

void
given_contract(struct story *story, const char *from, int32_t customer_class, int64_t capacity_w)
{
    contract_event(story, at(from), customer_class, capacity_w, NULL);
}

void
given_protection(struct story *story, const char *issued, int32_t kind, const char *from,
                 const char *to)
{
    const struct gf_protection protection = {.kind = kind,
                                             .valid_from = at(from),
                                             .has_valid_to = to != NULL,
                                             .valid_to = to != NULL ? at(to) : (struct gf_time){0}};
    const int32_t customer_class = story->features.contract.customer_class;
    contract_event(story, at(issued),
                   customer_class != 0 ? customer_class : GF_CUSTOMER_CLASS_RESIDENTIAL,
                   story->features.contract.capacity_w, &protection);
}

void
given_invoice(struct story *story, const char *id, const char *issued, const char *due,
              double amount)
{
    const struct gf_invoice invoice = {
        .invoice_id = gf_span_text(id),
        .status = GF_INVOICE_STATUS_ISSUED,
        .issued_at = at(issued),
        .due_at = at(due),
        .period_from = at(issued),
        .period_to = at(due),
        .amount_micro = money(amount),
        .currency = gf_span_text("EUR"),
        .energy_micro_kwh = {100000000},
    };
    assert_int_equal(story_event(story, GF_TOPIC_BILLING_INVOICES, at(issued), &invoice), GF_OK);
}

void
given_invoice_status(struct story *story, const char *id, const char *when, int32_t status)
{
    const struct gf_invoice invoice = {
        .invoice_id = gf_span_text(id),
        .status = status,
        .issued_at = at(when),
        .due_at = at(when),
        .currency = gf_span_text("EUR"),
    };
    assert_int_equal(story_event(story, GF_TOPIC_BILLING_INVOICES, at(when), &invoice), GF_OK);
}

void
given_payment(struct story *story, const char *id, const char *when, double amount)
{
    const struct gf_payment payment = {
        .payment_id = gf_span_text(id),
        .received_at = at(when),
        .amount_micro = money(amount),
        .currency = gf_span_text("EUR"),
        .method = GF_PAYMENT_METHOD_TRANSFER,
    };
    assert_int_equal(story_event(story, GF_TOPIC_BILLING_PAYMENTS, at(when), &payment), GF_OK);
}

void
given_reversal(struct story *story, const char *payment_id, const char *invoice_id,
               const char *when, double amount)
{
    char id[32];
    snprintf(id, sizeof id, "%s-back", payment_id);
    const struct gf_payment payment = {
        .payment_id = gf_span_text(id),
        .received_at = at(when),
        .amount_micro = money(amount),
        .currency = gf_span_text("EUR"),
        .method = GF_PAYMENT_METHOD_DIRECT_DEBIT,
        .has_invoice_id = true,
        .invoice_id = gf_span_text(invoice_id),
        .has_reversal_of = true,
        .reversal_of = gf_span_text(payment_id),
    };
    assert_int_equal(story_event(story, GF_TOPIC_BILLING_PAYMENTS, at(when), &payment), GF_OK);
}

static struct gf_meter_reading
reading_of(const char *meter, struct gf_time start, int32_t interval_s, double kwh)
{
    return (struct gf_meter_reading){
        .meter_id = gf_span_text(meter),
        .obis = gf_span_text("1-0:1.8.0"),
        .kind = interval_s > 0 ? GF_READING_KIND_INTERVAL : GF_READING_KIND_REGISTER,
        .interval_start = start,
        .interval_s = interval_s,
        .energy_micro_kwh = {micros(kwh)},
        .quality = GF_READING_QUALITY_ACTUAL,
        .source = GF_READING_SOURCE_HEADEND,
    };
}

enum gf_rc
given_reading(struct story *story, struct gf_time start, int32_t interval_s, double kwh)
{
    const struct gf_meter_reading reading = reading_of("M1", start, interval_s, kwh);
    return story_event(story, GF_TOPIC_METER_READINGS,
                       (struct gf_time){start.us + interval_s * GF_US_PER_S}, &reading);
}

void
given_days(struct story *story, const char *from, int32_t count, double kwh)
{
    for (int32_t day = 0; day < count; day++) {
        /* A little of a rhythm, as homes have one. */
        const double shape = kwh * (1 + 0.04 * ((day * 5) % 7 - 3) / 3);
        assert_int_equal(
            given_reading(story, (struct gf_time){at(from).us + day * GF_US_PER_DAY}, 86400, shape),
            GF_OK);
    }
}

enum gf_rc
given_stand(struct story *story, const char *meter, const char *when, double kwh)
{
    const struct gf_meter_reading reading = reading_of(meter, at(when), 0, kwh);
    return story_event(story, GF_TOPIC_METER_READINGS, at(when), &reading);
}

void
given_meter_event(struct story *story, const char *when, int32_t code)
{
    const struct gf_meter_event event = {.meter_id = gf_span_text("M1"),
                                         .code = code,
                                         .occurred_at = at(when),
                                         .detail = gf_span_text("")};
    assert_int_equal(story_event(story, GF_TOPIC_METER_EVENTS, at(when), &event), GF_OK);
}

/* ---- what is expected ---- */

const union gf_record_body *
expect_next(struct story *story, enum gf_topic topic)
{
    if (story->looked_at == story->out->count) {
        fail_msg("a record was expected, none came");
    }
    const struct fake_record *const record = &story->out->records[story->looked_at++];
    assert_int_equal(record->topic, topic);
    return &record->body;
}
