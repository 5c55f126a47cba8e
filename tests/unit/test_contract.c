#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feature/change.h"
#include "feature_maker.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
test_contract_is_taken_and_old_versions_are_ignored(void **state)
{
    (void)state;
    struct gf_contract contract = {0};
    struct gf_change change = {0};
    struct gf_error error;
    struct gf_customer_contract record = maker_contract();
    record.version = 2;
    record.valid_from = maker_time("2016-01-01");
    record.has_valid_to = true;
    record.valid_to = maker_time("2017-01-01");
    assert_false(gf_contract_is_valid(&contract, maker_time("2016-06-01")));
    assert_int_equal(gf_contract_apply(&contract, &record, &change, &error), GF_OK);
    assert_true(change.contract_changed);
    assert_false(gf_contract_is_valid(&contract, maker_time("2015-12-31T23:59:59Z")));
    assert_true(gf_contract_is_valid(&contract, maker_time("2016-01-01")));
    assert_false(gf_contract_is_valid(&contract, maker_time("2017-01-01")));
    assert_string_equal(contract.tariff_id, "T1");
    assert_int_equal(contract.capacity_w, 10000);

    change.contract_changed = false;
    assert_int_equal(gf_contract_apply(&contract, &record, &change, &error), GF_OK);
    assert_false(change.contract_changed); /* the same again */
    record.version = 1;
    record.tariff_id = gf_span_text("T0");
    assert_int_equal(gf_contract_apply(&contract, &record, &change, &error), GF_OK);
    assert_false(change.contract_changed);
    assert_string_equal(contract.tariff_id, "T1");

    /* Version 3 goes on where version 2 ends: supply has no hole until then. */
    record.version = 3;
    record.valid_from = maker_time("2016-09-01");
    record.has_valid_to = false;
    assert_int_equal(gf_contract_apply(&contract, &record, &change, &error), GF_OK);
    assert_true(gf_contract_is_valid(&contract, maker_time("2016-06-01")));
    assert_true(gf_contract_is_valid(&contract, maker_time("2030-06-01")));
}

static void
test_what_cannot_be_kept_is_refused(void **state)
{
    (void)state;
    const struct gf_contract_meter meters[4] = {maker_meters[0], maker_meters[0], maker_meters[0],
                                                maker_meters[0]};
    const struct gf_protection protections[4] = {
        {.kind = 1}, {.kind = 1}, {.kind = 1}, {.kind = 1}};
    for (int i = 0; i < 12; i++) {
        struct gf_customer_contract record = maker_contract();
        struct gf_contract_meter meter = maker_meters[0];
        enum gf_rc expected = GF_E_BAD_FIELD;
        struct gf_contract contract = {0};
        struct gf_change change = {0};
        struct gf_error error;
        switch (i) {
        case 0:
            record.tariff_id = gf_span_text("sixteen-bytes-16");
            break;
        case 1:
            record.zone = gf_span_text("twelve-bytes");
            break;
        case 2:
            record.currency = gf_span_text("EURO");
            break;
        case 3:
            record.area_id = gf_span_of("a\0b", 3);
            break;
        case 4:
            record.capacity_w = -1;
            break;
        case 5:
            record.has_valid_to = true;
            break; /* ends when it begins */
        case 6:
            record.meters.items = meters;
            record.meters.count = 4;
            expected = GF_E_FULL;
            break;
        case 7:
            record.protections.items = protections;
            record.protections.count = 4;
            expected = GF_E_FULL;
            break;
        case 8:
            meter.digits = 0;
            record.meters.items = &meter;
            break;
        case 9:
            meter.multiplier = 0;
            record.meters.items = &meter;
            break;
        case 10:
            meter.meter_id = gf_span_text("twenty-four-bytes-long-x");
            record.meters.items = &meter;
            break;
        case 11:
            meter.lsb_micro_kwh.micro_kwh = -1;
            record.meters.items = &meter;
            break;
        }
        assert_int_equal(gf_contract_apply(&contract, &record, &change, &error), expected);
        assert_false(contract.is_known);
        assert_false(change.contract_changed);
    }
}

static void
test_meters_and_protections_have_their_times(void **state)
{
    (void)state;
    struct gf_contract contract = {0};
    struct gf_change change = {0};
    struct gf_error error;
    struct gf_customer_contract record = maker_contract();
    struct gf_contract_meter meters[2] = {maker_meters[0], maker_meters[0]};
    const struct gf_time change_at = maker_time("2016-05-01");
    meters[0].has_valid_to = true;
    meters[0].valid_to = change_at;
    meters[1].meter_id = gf_span_text("meter-10");
    meters[1].valid_from = change_at;
    const struct gf_protection winter = {.kind = GF_PROTECTION_KIND_WINTER,
                                         .valid_from = maker_time("2016-10-01"),
                                         .has_valid_to = true,
                                         .valid_to = maker_time("2017-04-01")};
    record.meters.items = meters;
    record.meters.count = 2;
    record.protections.items = &winter;
    record.protections.count = 1;
    assert_int_equal(gf_contract_apply(&contract, &record, &change, &error), GF_OK);
    assert_int_equal(
        gf_contract_meter(&contract, gf_span_text("meter-1"), (struct gf_time){change_at.us - 1}),
        0);
    assert_int_equal(gf_contract_meter(&contract, gf_span_text("meter-1"), change_at), -1);
    assert_int_equal(gf_contract_meter(&contract, gf_span_text("meter-10"), change_at), 1);
    assert_int_equal(gf_contract_meter(&contract, gf_span_text("meter-"), change_at), -1);
    assert_int_equal(gf_contract_meter(&contract, gf_span_text(""), change_at), -1);
    assert_true(
        gf_contract_is_protected(&contract, GF_PROTECTION_KIND_WINTER, maker_time("2016-12-24")));
    assert_false(
        gf_contract_is_protected(&contract, GF_PROTECTION_KIND_WINTER, maker_time("2017-04-01")));
    assert_false(
        gf_contract_is_protected(&contract, GF_PROTECTION_KIND_MEDICAL, maker_time("2016-12-24")));
}

/* ---- The register, rule V07 ---- */

struct story {
    struct gf_features features;
    struct gf_feature_context context;
    struct gf_change change;
};

static void
story_begin(struct story *story)
{
    const struct gf_customer_contract contract = maker_contract();
    story->context = (struct gf_feature_context){
        .params = &maker_params, .zone = gf_zone_utc(), .shard_time = GF_TIME_NONE};
    gf_features_init(&story->features);
    assert_int_equal(maker_apply(&story->features, &story->context, GF_TOPIC_CUSTOMER_CONTRACTS,
                                 &contract, &story->change),
                     GF_OK);
}

static enum gf_register_step
stand(struct story *story, const char *meter, const char *at, int64_t kwh)
{
    struct gf_meter_reading reading = maker_reading(maker_time(at), 0, kwh * 1000000);
    reading.kind = GF_READING_KIND_REGISTER;
    reading.meter_id = gf_span_text(meter);
    assert_int_equal(maker_apply(&story->features, &story->context, GF_TOPIC_METER_READINGS,
                                 &reading, &story->change),
                     GF_OK);
    return story->change.register_step;
}

static void
exchange(struct story *story, const char *at, const char *fresh, int64_t start_kwh)
{
    const struct gf_meter_event event = {.meter_id = gf_span_text("meter-1"),
                                         .code = GF_METER_EVENT_CODE_EXCHANGE,
                                         .occurred_at = maker_time(at),
                                         .has_new_meter_id = fresh != NULL,
                                         .new_meter_id = fresh == NULL ? (struct gf_span){0}
                                                                       : gf_span_text(fresh),
                                         .has_new_start_micro_kwh = start_kwh >= 0,
                                         .new_start_micro_kwh = {start_kwh * 1000000}};
    assert_int_equal(maker_apply(&story->features, &story->context, GF_TOPIC_METER_EVENTS, &event,
                                 &story->change),
                     GF_OK);
    assert_true(story->change.meter_exchanged);
}

static void
test_register_rollover_exchange_and_tamper_are_told_apart(void **state)
{
    (void)state;
    struct story story;
    story_begin(&story);
    assert_int_equal(stand(&story, "meter-1", "2016-01-01", 99000), GF_REGISTER_NONE);
    assert_int_equal(stand(&story, "meter-1", "2016-02-01", 99900), GF_REGISTER_FORWARD);
    assert_int_equal(story.change.register_delta.micro_kwh, INT64_C(900000000));
    assert_int_equal(stand(&story, "meter-1", "2016-02-01", 99900), GF_REGISTER_NONE);
    assert_int_equal(story.change.outcome, GF_READING_DUPLICATE);
    assert_int_equal(stand(&story, "meter-1", "2016-02-01", 99901), GF_REGISTER_NONE);
    assert_int_equal(story.change.outcome, GF_READING_KEPT_OLD);
    assert_int_equal(stand(&story, "meter-1", "2016-01-15", 5),
                     GF_REGISTER_NONE); /* an old stand */
    assert_int_equal(stand(&story, "meter-1", "2016-03-01", 500), GF_REGISTER_ROLLOVER);
    assert_int_equal(story.change.register_delta.micro_kwh, INT64_C(600000000));
    assert_int_equal(stand(&story, "meter-1", "2016-04-01", 400), GF_REGISTER_BACKWARDS);
    assert_int_equal(story.change.register_delta.micro_kwh, INT64_C(-100000000));
    /* 10 kW for a day with the margin of rule V07 is 288 kWh: the register cannot have gone around
     * in it. */
    story.features.load.register_micro_kwh = INT64_C(99999000000);
    assert_int_equal(stand(&story, "meter-1", "2016-04-02", 287), GF_REGISTER_ROLLOVER);
    story.features.load.register_micro_kwh = INT64_C(99999000000);
    assert_int_equal(stand(&story, "meter-1", "2016-04-03", 288), GF_REGISTER_BACKWARDS);

    exchange(&story, "2016-05-01", "meter-2", 10);
    assert_int_equal(stand(&story, "meter-2", "2016-06-01", 60), GF_REGISTER_EXCHANGED);
    assert_int_equal(story.change.register_delta.micro_kwh, INT64_C(50000000));
    assert_int_equal(stand(&story, "meter-2", "2016-07-01", 100), GF_REGISTER_FORWARD);
    assert_int_equal(stand(&story, "meter-9", "2016-07-02", 100), GF_REGISTER_UNKNOWN_METER);
    assert_int_equal(stand(&story, "meter-2", "2016-07-03", 90), GF_REGISTER_BACKWARDS);
}

static void
test_announced_exchange_of_the_same_meter_is_no_tamper(void **state)
{
    (void)state;
    struct story story;
    story_begin(&story);
    assert_int_equal(stand(&story, "meter-1", "2016-01-01", 5000), GF_REGISTER_NONE);
    exchange(&story, "2016-01-15", NULL, -1);
    assert_int_equal(stand(&story, "meter-1", "2016-02-01", 3), GF_REGISTER_EXCHANGED);
    assert_int_equal(story.change.register_delta.micro_kwh, 0); /* where it began was not said */
    assert_int_equal(stand(&story, "meter-1", "2016-02-02", 2), GF_REGISTER_BACKWARDS);
}

static void
test_estimated_stand_is_no_evidence(void **state)
{
    (void)state;
    struct story story;
    story_begin(&story);
    assert_int_equal(stand(&story, "meter-1", "2016-01-01", 5000), GF_REGISTER_NONE);
    struct gf_meter_reading reading = maker_reading(maker_time("2016-01-02"), 0, 1000000);
    reading.kind = GF_READING_KIND_REGISTER;
    reading.quality = GF_READING_QUALITY_ESTIMATED;
    assert_int_equal(maker_apply(&story.features, &story.context, GF_TOPIC_METER_READINGS, &reading,
                                 &story.change),
                     GF_OK);
    assert_true(story.change.is_masked);
    assert_int_equal(story.change.register_step, GF_REGISTER_NONE);
    assert_int_equal(stand(&story, "meter-1", "2016-01-03", 5001), GF_REGISTER_FORWARD);
}

static void
test_last_stand_stays_with_its_meter_when_the_contract_changes(void **state)
{
    (void)state;
    struct story story;
    story_begin(&story);
    assert_int_equal(stand(&story, "meter-1", "2016-01-01", 5000), GF_REGISTER_NONE);
    struct gf_customer_contract record = maker_contract();
    struct gf_contract_meter meters[2] = {maker_meters[0], maker_meters[0]};
    meters[0].meter_id = gf_span_text("meter-0");
    record.version = 2;
    record.meters.items = meters;
    record.meters.count = 2;
    assert_int_equal(maker_apply(&story.features, &story.context, GF_TOPIC_CUSTOMER_CONTRACTS,
                                 &record, &story.change),
                     GF_OK);
    assert_int_equal(stand(&story, "meter-1", "2016-02-01", 4000), GF_REGISTER_BACKWARDS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contract_is_taken_and_old_versions_are_ignored),
        cmocka_unit_test(test_what_cannot_be_kept_is_refused),
        cmocka_unit_test(test_meters_and_protections_have_their_times),
        cmocka_unit_test(test_register_rollover_exchange_and_tamper_are_told_apart),
        cmocka_unit_test(test_announced_exchange_of_the_same_meter_is_no_tamper),
        cmocka_unit_test(test_estimated_stand_is_no_evidence),
        cmocka_unit_test(test_last_stand_stays_with_its_meter_when_the_contract_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
