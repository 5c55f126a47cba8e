/* Stories: one customer, one operator, and a clock that the test moves. Events go through the real
 * features first, as in the engine; timers fire in order when the clock passes them. What the
 * operator emits is looked at in order: a story says what it expects next, and at its end that
 * nothing else came. */
#ifndef GF_TESTS_STORY_H
#define GF_TESTS_STORY_H

#include "fake_out.h"
#include "operator/operator.h"

struct story {
    const struct gf_operator *logic;
    void *params; /* defaults; the test may change them before its first event */
    struct gf_feature_params feature_params;
    struct gf_features features;
    struct gf_change change; /* of the last event */
    void *state;
    struct gf_out *out;
    const struct gf_zone *zone; /* UTC unless the test says otherwise */
    struct gf_time now;
    uint32_t looked_at; /* records already expected */
};

void story_begin(struct story *story, const struct gf_operator *logic);
void story_end(struct story *story); /* fails when a record was not expected */

/* Fills a struct of parameters with what its rows give as initial values. */
void story_params_fill(const struct gf_param *rows, uint32_t count, void *out);

/* "2026-01-15" or "2026-01-15T12:00:00Z". */
struct gf_time at(const char *text);

/* Millionths, rounded. */
int64_t micros(double amount);

/* Moves the clock, firing timers that are due on the way. */
void story_advance(struct story *story, const char *to);
void story_advance_to(struct story *story, struct gf_time to);
/* An event at its own time: the clock moves there first. The code is that of the features or the
 * operator. */
enum gf_rc story_event(struct story *story, enum gf_topic topic, struct gf_time time,
                       const void *body);

struct gf_view story_view(const struct story *story);

/* ---- what happens ---- */
void given_contract(struct story *story, const char *from, int32_t customer_class,
                    int64_t capacity_w);
/* Contract "C" of meter "M1" with one protection; version counts up by itself. */
void given_protection(struct story *story, const char *issued, int32_t kind, const char *from,
                      const char *to);
void given_invoice(struct story *story, const char *id, const char *issued, const char *due,
                   double amount);
void given_invoice_status(struct story *story, const char *id, const char *when, int32_t status);
void given_payment(struct story *story, const char *id, const char *when, double amount);
void given_reversal(struct story *story, const char *payment, const char *invoice, const char *when,
                    double amount);
/* An hour's or another interval's energy. */
enum gf_rc given_reading(struct story *story, struct gf_time start, int32_t interval_s, double kwh);
/* `count` daily values from a day on. */
void given_days(struct story *story, const char *from, int32_t count, double kwh);
enum gf_rc given_stand(struct story *story, const char *meter, const char *when, double kwh);
void given_meter_event(struct story *story, const char *when, int32_t code);

/* ---- what is expected ---- */
const union gf_record_body *expect_next(struct story *story, enum gf_topic topic);
#define expect_alert(story)   (&expect_next(story, GF_TOPIC_ARREARS_ALERTS)->arrears_alert)
#define expect_flag(story)    (&expect_next(story, GF_TOPIC_FRAUD_FLAGS)->fraud_flag)
#define expect_finding(story) (&expect_next(story, GF_TOPIC_DATA_QUALITY)->data_quality)
void expect_nothing_else(const struct story *story);

#endif
