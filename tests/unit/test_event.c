#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feature_maker.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
test_reading_is_about_the_end_of_its_interval(void **state)
{
    (void)state;
    const struct {
        int32_t kind, interval_s;
        enum gf_rc rc;
        int64_t after_start_us;
    } cases[] = {
        {GF_READING_KIND_INTERVAL, 300, GF_OK, 300 * GF_US_PER_S},
        {GF_READING_KIND_INTERVAL, 900, GF_OK, 900 * GF_US_PER_S},
        {GF_READING_KIND_INTERVAL, 1200, GF_OK, 1200 * GF_US_PER_S},
        {GF_READING_KIND_INTERVAL, 86400, GF_OK, GF_US_PER_DAY},
        {GF_READING_KIND_REGISTER, 0, GF_OK, 0},
        {GF_READING_KIND_INTERVAL, 0, GF_E_BAD_FIELD, 0},
        {GF_READING_KIND_INTERVAL, -900, GF_E_BAD_FIELD, 0},
        {GF_READING_KIND_INTERVAL, 299, GF_E_BAD_FIELD, 0},
        {GF_READING_KIND_INTERVAL, 1000, GF_E_BAD_FIELD, 0}, /* no part of a day */
        {GF_READING_KIND_INTERVAL, 86401, GF_E_BAD_FIELD, 0},
        {GF_READING_KIND_UNKNOWN, 900, GF_E_BAD_FIELD, 0},
    };
    const struct gf_time start = maker_time("2016-06-01T12:00:00Z");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct gf_meter_reading reading = maker_reading(start, cases[i].interval_s, 1);
        struct gf_time time = {-77};
        struct gf_error error;
        reading.kind = cases[i].kind;
        assert_int_equal(gf_event_time(GF_TOPIC_METER_READINGS, &reading, &time, &error),
                         cases[i].rc);
        assert_int_equal(time.us, cases[i].rc == GF_OK ? start.us + cases[i].after_start_us : -77);
    }
}

static void
test_every_input_has_its_time(void **state)
{
    (void)state;
    const struct gf_time at = maker_time("2016-06-01T12:00:00Z");
    const struct gf_meter_event meter_event = {.occurred_at = at};
    const struct gf_customer_contract contract = {.issued_at = at};
    const struct gf_invoice invoice = {.issued_at = at};
    const struct gf_payment payment = {.received_at = at};
    const struct gf_market_price price = {.published_at = at};
    const struct gf_supply_state supply = {.published_at = at};
    const struct gf_tariff_plan plan = {.published_at = at};
    const struct gf_control control = {.issued_at = at};
    const struct {
        enum gf_topic topic;
        const void *body;
    } cases[] = {
        {GF_TOPIC_METER_EVENTS, &meter_event}, {GF_TOPIC_CUSTOMER_CONTRACTS, &contract},
        {GF_TOPIC_BILLING_INVOICES, &invoice}, {GF_TOPIC_BILLING_PAYMENTS, &payment},
        {GF_TOPIC_MARKET_PRICES, &price},      {GF_TOPIC_SUPPLY_STATE, &supply},
        {GF_TOPIC_TARIFF_PLANS, &plan},        {GF_TOPIC_CONTROL, &control},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct gf_time time = {0};
        struct gf_error error;
        assert_int_equal(gf_event_time(cases[i].topic, cases[i].body, &time, &error), GF_OK);
        assert_int_equal(time.us, at.us);
    }
}

static void
test_time_outside_the_calendar_is_refused(void **state)
{
    (void)state;
    const int64_t times[] = {-1, INT64_MIN, INT64_MAX, GF_TIME_US_MAX};
    for (size_t i = 0; i < COUNT(times); i++) {
        const struct gf_invoice invoice = {.issued_at = {times[i]}};
        const struct gf_meter_reading reading = maker_reading((struct gf_time){times[i]}, 86400, 1);
        struct gf_time time = {-77};
        struct gf_error error;
        assert_int_equal(gf_event_time(GF_TOPIC_BILLING_INVOICES, &invoice, &time, &error),
                         GF_E_BAD_FIELD);
        if (times[i] != -1) { /* that interval ends inside */
            assert_int_equal(gf_event_time(GF_TOPIC_METER_READINGS, &reading, &time, &error),
                             GF_E_BAD_FIELD);
        }
        assert_int_equal(time.us, -77);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_is_about_the_end_of_its_interval),
        cmocka_unit_test(test_every_input_has_its_time),
        cmocka_unit_test(test_time_outside_the_calendar_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
