/* A backlog: a stage does not run ahead of those that it reads from, whatever dies on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/records.h"
#include "lab_deaths.h"
#include "lab_journal.h"
#include "stage_world.h"

#define CUTS "batch_records: 64\ncommit: {batches: 4}\nsweep: {records: 1500}\n"

static const struct stage_world world = {
    .seed = 7, .customers = 12, .areas = 3, .days = 10, .interval_s = 3600};

static struct lab canonical;

static void
must_run(struct lab *lab)
{
    const enum gf_rc rc = lab_run(lab);
    if (rc != GF_OK) {
        fail_msg("%s: %s", gf_rc_name(rc), lab->error.text);
    }
}

static int
canonical_make(void **state)
{
    (void)state;
    lab_open(&canonical, "partitions: 2\n" CUTS STAGE_CONFIG);
    stage_world_add(&canonical, &world);
    must_run(&canonical);
    return 0;
}

static int
canonical_close(void **state)
{
    (void)state;
    lab_close(&canonical);
    return 0;
}

static uint32_t
dead_of(const struct lab *lab, enum gf_topic topic)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < lab_count(lab, GF_TOPIC_DEAD_LETTERS); i++) {
        struct gf_dead_letter letter;
        lab_get(lab, GF_TOPIC_DEAD_LETTERS, i, &letter);
        count += gf_span_equal(letter.topic, gf_span_text(gf_topics[topic].name));
    }
    return count;
}

/* By the last versions, both ways. */
static void
assert_same_balances(const struct lab *lab, const struct lab *wanted)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < lab_count(wanted, GF_TOPIC_AREA_BALANCE); i++) {
        struct gf_area_balance one, other;
        lab_get(wanted, GF_TOPIC_AREA_BALANCE, i, &one);
        if (one.version > 1) {
            continue;
        }
        char area[16];
        snprintf(area, sizeof(area), "%.*s", GF_SPAN_PRINT(one.area_id));
        const struct gf_time start = one.interval_start;
        const uint32_t versions = stage_balance(wanted, area, start, &one);
        seen += versions;
        (void)stage_balance(lab, area, start, &other);
        assert_int_equal(one.status, other.status);
        assert_int_equal(one.total_micro_kwh.micro_kwh, other.total_micro_kwh.micro_kwh);
        assert_int_equal(one.sum_micro_kwh.micro_kwh, other.sum_micro_kwh.micro_kwh);
        assert_int_equal(one.readings, other.readings);
        assert_int_equal(one.customers, other.customers);
    }
    assert_int_equal(seen, lab_count(wanted, GF_TOPIC_AREA_BALANCE));
}

/* Ten days that wait: in arrival order nothing comes too late that does not in canonical order. */
static void
a_backlog_in_arrival_order_is_balanced(void **state)
{
    (void)state;
    uint32_t deaths = 0;
    for (uint64_t seed = 0; seed <= 6; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        struct gf_random random = {.seed = seed, .stream = 6};
        struct lab lab;
        lab_open(&lab, "partitions: 2\norder: arrival\n" CUTS STAGE_CONFIG);
        lab_copy_inputs(&lab, &canonical);
        if (seed == 0) {
            must_run(&lab);
        } else {
            deaths += lab_run_through_deaths(&lab, &random);
        }
        assert_int_equal(dead_of(&lab, GF_TOPIC_INTERNAL_AREA_READINGS), 0);
        assert_int_equal(dead_of(&lab, GF_TOPIC_INTERNAL_READINGS),
                         dead_of(&canonical, GF_TOPIC_INTERNAL_READINGS));
        assert_same_balances(&lab, &canonical);
        assert_int_equal(lab.new_stages, 0);
        lab_assert_conserved(&lab);
        lab_journal_assert_conserved(&lab);
        lab_close(&lab);
    }
    print_message("%u deaths\n", deaths);
    assert_true(deaths > 4);
}

static int turns;

static void
copy_before_second_turn(struct lab *lab)
{
    if (++turns == 2) {
        lab_copy_inputs(lab, &canonical);
    }
}

/* Everybody is at the ends when ten days come at once, as by an import: they are no present. */
static void
a_history_that_comes_at_once_is_balanced(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, "partitions: 2\norder: arrival\n" CUTS STAGE_CONFIG);
    lab.at_turn = copy_before_second_turn;
    turns = 0;
    must_run(&lab);
    assert_true(turns > 2);
    assert_int_equal(dead_of(&lab, GF_TOPIC_INTERNAL_AREA_READINGS), 0);
    assert_same_balances(&lab, &canonical);
    lab_close(&lab);
}

#define HEADEND_METERS 8
#define FIVE_MINUTES   300

static void
own_reading_add(struct lab *lab, struct gf_time start)
{
    const struct gf_meter_reading reading = lab_reading("M-c8", start, 3600, 5000);
    lab_add_reading(lab, "c8", &reading);
}

/* Readings of so many days: one customer's own, hourly, and those of a head-end, each five minutes.
 */
static void
headend_world_add(struct lab *lab, struct gf_time begin, uint32_t days)
{
    const struct gf_time from = {begin.us - GF_US_PER_DAY};
    for (uint32_t i = 0; i <= HEADEND_METERS; i++) {
        char name[16], meter[16];
        snprintf(name, sizeof(name), "c%u", i);
        snprintf(meter, sizeof(meter), "M-c%u", i);
        const struct stage_contract contract = {.customer = name,
                                                .area = "A0",
                                                .meter = meter,
                                                .version = 1,
                                                .from = from,
                                                .to = GF_TIME_NONE,
                                                .issued = from};
        stage_add_contract(lab, &contract);
    }
    for (uint32_t at = 0; at < days * 86400; at += FIVE_MINUTES) {
        const struct gf_time start = {begin.us + at * GF_US_PER_S};
        for (uint32_t i = 0; i < HEADEND_METERS; i++) {
            char meter[16];
            snprintf(meter, sizeof(meter), "M-c%u", i);
            const struct gf_meter_reading reading =
                lab_reading(meter, start, FIVE_MINUTES, 1000 + i);
            stage_add_headend(lab, meter, &reading);
        }
        if (at % 3600 == 0) {
            own_reading_add(lab, start);
        }
    }
}

/* The intake has more to fold again than fits in one piece; the customers have nothing. They wait
 * for it, or the readings of the head-end would be too late. */
static void
a_stage_waits_for_the_recovery_of_another(void **state)
{
    (void)state;
    static const char *const orders[] = {"canonical", "arrival"};
    for (int i = 0; i < 2; i++) {
        char config[128];
        snprintf(config, sizeof(config),
                 "partitions: 1\ncommit: {batches: 1}\nstages: {intake: true}\norder: %s\n",
                 orders[i]);
        struct lab lab;
        lab_open(&lab, config);
        headend_world_add(&lab, LAB_WORLD_START, 24);
        gf_memory_log_fail(lab.log, GF_MEMORY_COMMIT, 12, GF_E_IO, true);
        assert_int_equal(lab_run(&lab), GF_E_IO);
        assert_true(lab_count(&lab, GF_TOPIC_INTERNAL_READINGS) > 33000);
        lab_crash(&lab, gf_memory_store_new());
        must_run(&lab);
        assert_int_equal(lab_count(&lab, GF_TOPIC_INTERNAL_READINGS), HEADEND_METERS * 288 * 24);
        assert_int_equal(lab_count(&lab, GF_TOPIC_DEAD_LETTERS), 0);
        lab_close(&lab);
    }
}

static bool
has_read_all(const struct lab *lab, enum gf_topic topic)
{
    const struct gf_feed *feed = gf_shard_feed(lab->shards[0]);
    for (uint32_t i = 0; i < feed->input_count; i++) {
        const struct gf_batch_input *range = &feed->inputs[i].range;
        if (range->topic == (int32_t)topic && range->to < range->end) {
            return false;
        }
    }
    return true;
}

#define OFF "partitions: 1\norder: arrival\nbatch_records: 256\ncommit: {batches: 1}\n"
#define ON  OFF "stages: {intake: true}\n"

/* The intake comes late: what ended more than two days before the customers' time is LATE, and
 * nothing else, as they wait for it. */
static void
what_a_late_intake_cannot_bring(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, ON);
    headend_world_add(&lab, LAB_WORLD_START, 12);
    lab_configure(&lab, OFF);
    lab.stop_at_commits = 2; /* a claim and a batch: half of the customer's own readings */
    must_run(&lab);
    const struct gf_time switched = lab.status.shard_time;
    assert_true(switched.us > LAB_WORLD_START.us + 5 * GF_US_PER_DAY);
    assert_true(switched.us < LAB_WORLD_START.us + 12 * GF_US_PER_DAY);
    lab.stop_at_commits = 0;
    lab_crash(&lab, NULL);
    lab_configure(&lab, ON);
    must_run(&lab);
    const int64_t late_us = switched.us - LAB_WORLD_START.us - 2 * GF_US_PER_DAY;
    const int64_t late = (late_us - 1) / (FIVE_MINUTES * GF_US_PER_S) * HEADEND_METERS;
    assert_int_equal(lab.new_stages, 1);
    assert_int_equal(lab_count(&lab, GF_TOPIC_DEAD_LETTERS), late);
    assert_int_equal(dead_of(&lab, GF_TOPIC_INTERNAL_READINGS), late);
    lab_close(&lab);
}

/* Customers of the present do not wait for an intake that reads weeks of the past; those of the
 * past do. */
static void
the_present_waits_for_no_past(void **state)
{
    (void)state;
    for (int is_present = 0; is_present < 2; is_present++) {
        struct lab lab;
        lab_open(&lab, ON);
        const int64_t now_us = lab.clock.base.now(&lab.clock.base).us;
        const struct gf_time begin = {is_present ? now_us - 12 * GF_US_PER_DAY
                                                 : LAB_WORLD_START.us};
        headend_world_add(&lab, begin, 12);
        lab_configure(&lab, OFF);
        must_run(&lab);
        own_reading_add(&lab, (struct gf_time){begin.us + 12 * GF_US_PER_DAY});
        lab_crash(&lab, NULL);
        lab_configure(&lab, ON);
        lab.stop_at_commits = gf_memory_log_calls(lab.log, GF_MEMORY_COMMIT) + 4;
        must_run(&lab);
        assert_true(lab.status.lag > 1000); /* of the intake */
        assert_int_equal(has_read_all(&lab, GF_TOPIC_METER_READINGS), is_present);
        lab.stop_at_commits = 0;
        lab_crash(&lab, NULL);
        must_run(&lab);
        assert_true(has_read_all(&lab, GF_TOPIC_METER_READINGS));
        lab_close(&lab);
    }
}

#define FIRST_STAGES (GF_STAGE_BIT(GF_STAGE_INTAKE) | GF_STAGES_CUSTOMER)
#define PATIENCE_S   10

/* The areas are another instance's: now these have a turn, now those. */
static uint32_t
late_of_two_instances(const char *order, int64_t patience_s)
{
    char config[256];
    struct lab lab;
    snprintf(config, sizeof(config), "partitions: 2\norder: %s\n" CUTS STAGE_CONFIG, order);
    lab_open(&lab, config);
    lab_copy_inputs(&lab, &canonical);
    lab.patience = (struct gf_duration){patience_s * GF_US_PER_S};
    for (bool is_over = false; !is_over;) {
        lab.only_stages = FIRST_STAGES;
        lab.stop_at_commits = gf_memory_log_calls(lab.log, GF_MEMORY_COMMIT) + 4;
        must_run(&lab);
        is_over = gf_memory_log_calls(lab.log, GF_MEMORY_COMMIT) < lab.stop_at_commits;
        lab.only_stages = GF_STAGE_BIT(GF_STAGE_AREA);
        lab.stop_at_commits = 0;
        lab.stop_at_us = lab.clock.us + GF_US_PER_S;
        must_run(&lab);
        lab.stop_at_us = 0;
    }
    must_run(&lab);
    lab.only_stages = 0;
    must_run(&lab);
    const uint32_t late = dead_of(&lab, GF_TOPIC_INTERNAL_AREA_READINGS);
    if (patience_s > 0) {
        assert_same_balances(&lab, &canonical);
    }
    lab_assert_conserved(&lab);
    lab_close(&lab);
    return late;
}

/* Nothing is known of another instance but what it writes: as long as that goes on, or may begin,
 * the areas do not run ahead of it. */
static void
what_another_instance_writes_is_waited_for(void **state)
{
    (void)state;
    static const char *const orders[] = {"arrival", "canonical"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(late_of_two_instances(orders[i], PATIENCE_S), 0);
        const uint32_t late = late_of_two_instances(orders[i], 0);
        print_message("%s: %u late without patience\n", orders[i], late);
        assert_true(late > 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backlog_in_arrival_order_is_balanced),
        cmocka_unit_test(a_history_that_comes_at_once_is_balanced),
        cmocka_unit_test(a_stage_waits_for_the_recovery_of_another),
        cmocka_unit_test(what_a_late_intake_cannot_bring),
        cmocka_unit_test(the_present_waits_for_no_past),
        cmocka_unit_test(what_another_instance_writes_is_waited_for),
    };
    return cmocka_run_group_tests(tests, canonical_make, canonical_close);
}
