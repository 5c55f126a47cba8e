/* Stories of the intake stage: a head-end names a meter, and the right customer gets the reading.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/records.h"
#include "stage_world.h"

#define HOUR GF_US_PER_HOUR
#define KWH  INT64_C(1000000)

static struct lab lab;

static int
begin(void **state)
{
    (void)state;
    lab_open(&lab, "partitions: 2\nstages: {intake: true}\n");
    return 0;
}

static int
end(void **state)
{
    (void)state;
    lab_close(&lab);
    return 0;
}

static struct gf_time
hour(int64_t number)
{
    return (struct gf_time){LAB_WORLD_START.us + number * HOUR};
}

static void
has_meter(const char *customer, const char *meter, int32_t version, struct gf_time from,
          struct gf_time to, struct gf_time issued)
{
    const struct stage_contract contract = {.customer = customer,
                                            .area = "A1",
                                            .meter = meter,
                                            .version = version,
                                            .from = from,
                                            .to = to,
                                            .issued = issued};
    stage_add_contract(&lab, &contract);
}

static void
headend(const char *meter, int64_t number)
{
    const struct gf_meter_reading reading = lab_reading(meter, hour(number), 3600, KWH);
    stage_add_headend(&lab, meter, &reading);
}

static void
run(void)
{
    const enum gf_rc rc = lab_run(&lab);
    if (rc != GF_OK) {
        fail_msg("%s: %s", gf_rc_name(rc), lab.error.text);
    }
    lab_assert_conserved(&lab);
}

/* Readings that went on to a customer, of a time. */
static uint32_t
sent_to(const char *customer, int64_t number)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < lab_count(&lab, GF_TOPIC_INTERNAL_READINGS); i++) {
        struct gf_internal_reading reading;
        const struct gf_record *record = lab_record(&lab, GF_TOPIC_INTERNAL_READINGS, i);
        lab_get(&lab, GF_TOPIC_INTERNAL_READINGS, i, &reading);
        count += gf_span_equal(record->key, gf_span_text(customer)) &&
                 reading.interval_start.us == hour(number).us;
    }
    return count;
}

static void
expect_unassigned(uint32_t count)
{
    assert_int_equal(lab_count(&lab, GF_TOPIC_DEAD_LETTERS), count);
    for (uint32_t i = 0; i < count; i++) {
        struct gf_dead_letter letter;
        lab_get(&lab, GF_TOPIC_DEAD_LETTERS, i, &letter);
        assert_true(gf_span_equal(letter.topic, gf_span_text("headend.readings")));
        assert_true(gf_span_equal(letter.code, gf_span_text("UNASSIGNED")));
        assert_true(letter.has_value && letter.value.size > 0);
    }
}

static void
a_reading_goes_to_who_has_the_meter(void **state)
{
    (void)state;
    has_meter("anna", "M1", 1, hour(-24), GF_TIME_NONE, hour(-24));
    has_meter("ben", "M2", 1, hour(-24), GF_TIME_NONE, hour(-24));
    for (int64_t i = 0; i < 5; i++) {
        headend("M1", i);
        headend("M2", i);
    }
    run();
    for (int64_t i = 0; i < 5; i++) {
        assert_int_equal(sent_to("anna", i), 1);
        assert_int_equal(sent_to("ben", i), 1);
    }
    expect_unassigned(0);
    /* And the customers' shards have taken them all. */
    assert_int_equal(lab_tally(&lab).processed, 2 + 2 + 10 + 10);
}

static void
a_meter_moves_from_customer_to_customer(void **state)
{
    (void)state;
    has_meter("anna", "M1", 1, hour(-24), hour(10), hour(-24));
    has_meter("ben", "M1", 1, hour(12), GF_TIME_NONE, hour(-12));
    for (int64_t i = 8; i < 15; i++) {
        headend("M1", i);
    }
    headend("M1", 9); /* late, but in time: it is still anna's */
    run();
    assert_int_equal(sent_to("anna", 9), 2);
    assert_int_equal(sent_to("anna", 10), 0);
    assert_int_equal(sent_to("ben", 12), 1);
    expect_unassigned(2); /* ten and eleven o'clock belong to nobody */
}

static void
who_came_later_has_it(void **state)
{
    (void)state;
    has_meter("anna", "M1", 1, hour(-24), GF_TIME_NONE, hour(-24));
    has_meter("ben", "M1", 1, hour(5), GF_TIME_NONE, hour(2));
    headend("M1", 4);
    headend("M1", 5);
    run();
    assert_int_equal(sent_to("anna", 4), 1);
    assert_int_equal(sent_to("ben", 5), 1);
    expect_unassigned(0);
}

static void
a_new_version_replaces_the_old_one(void **state)
{
    (void)state;
    has_meter("anna", "M1", 2, hour(-24), GF_TIME_NONE, hour(-24));
    has_meter("anna", "M1", 1, hour(-48), hour(-40), hour(-20)); /* older: ignored */
    has_meter("anna", "M1", 3, hour(-24), hour(3), hour(0));
    has_meter("anna", "M1", 4, hour(3), GF_TIME_NONE, hour(1)); /* joins: supply goes on */
    headend("M1", 1);
    headend("M1", 2);
    headend("M1", 3);
    run();
    assert_int_equal(sent_to("anna", 1), 1);
    assert_int_equal(sent_to("anna", 2), 1);
    assert_int_equal(sent_to("anna", 3), 1);
    expect_unassigned(0);
}

static void
nobody_has_the_meter_yet(void **state)
{
    (void)state;
    headend("M1", 0);
    has_meter("anna", "M1", 1, hour(-24), GF_TIME_NONE, hour(2));
    headend("M1", 3);
    run();
    expect_unassigned(1);
    assert_int_equal(sent_to("anna", 3), 1);
    assert_null(gf_engine_find(gf_shard_engine(lab.shards[0]), GF_ENTITY_METER,
                               gf_span_text("M1"))); /* shard 0 is a customers' shard */
}

/* `start` is for the readings: without the contracts of before none would find its customer. */
static void
a_first_start_reads_all_contracts(void **state)
{
    (void)state;
    has_meter("anna", "M1", 1, hour(-24), GF_TIME_NONE, hour(-24));
    for (int64_t number = 0; number < 9; number++) {
        headend("M1", number);
    }
    lab.start = hour(6);
    assert_int_equal(lab_run(&lab), GF_OK);
    assert_int_equal(lab_count(&lab, GF_TOPIC_INTERNAL_READINGS), 4);
    assert_int_equal(sent_to("anna", 4), 0);
    assert_int_equal(sent_to("anna", 5), 1);
    assert_int_equal(sent_to("anna", 8), 1);
    assert_int_equal(lab_count(&lab, GF_TOPIC_DEAD_LETTERS), 0);
}

static void
a_bad_contract_is_said_once(void **state)
{
    (void)state;
    static const uint8_t garbage[] = {0, 0, 0, 0, 5, 0xff};
    lab_add_bytes(&lab, GF_TOPIC_CUSTOMER_CONTRACTS, lab_partition(&lab, "anna"), "anna", hour(0),
                  gf_span_of(garbage, sizeof(garbage)));
    run();
    assert_int_equal(lab_count(&lab, GF_TOPIC_DEAD_LETTERS), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reading_goes_to_who_has_the_meter, begin, end),
        cmocka_unit_test_setup_teardown(a_meter_moves_from_customer_to_customer, begin, end),
        cmocka_unit_test_setup_teardown(who_came_later_has_it, begin, end),
        cmocka_unit_test_setup_teardown(a_new_version_replaces_the_old_one, begin, end),
        cmocka_unit_test_setup_teardown(nobody_has_the_meter_yet, begin, end),
        cmocka_unit_test_setup_teardown(a_first_start_reads_all_contracts, begin, end),
        cmocka_unit_test_setup_teardown(a_bad_contract_is_said_once, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
