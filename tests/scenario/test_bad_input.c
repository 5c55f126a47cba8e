/* Bad input: each kind of it becomes the dead letter or the finding that it should, with its bytes
 * as they came; nothing stops, nothing is lost, and the good records beside it are folded as if it
 * had not been there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bad_input.h"
#include "codec/records.h"

static const char config[] = "partitions: 2\nbatch_records: 50\n";

/* Ten good days; `gap_day`: one whose prices are missing, -1 for none. */
static void
good_days(struct lab *lab, int64_t gap_day)
{
    lab_add_plan(lab, (struct gf_time){LAB_WORLD_START.us - 2 * GF_US_PER_DAY});
    lab_add_contract(lab, BAD_CUSTOMER, (struct gf_time){LAB_WORLD_START.us - GF_US_PER_DAY});
    for (int64_t day = 0; day < BAD_DAYS; day++) {
        const int64_t start = LAB_WORLD_START.us + day * GF_US_PER_DAY;
        for (int64_t hour = 0; hour < 24; hour++) {
            const struct gf_time at = {start + hour * GF_US_PER_HOUR};
            if (day != gap_day) {
                lab_add_price(lab, (struct gf_time){start - 12 * GF_US_PER_HOUR}, at, 5000000);
            }
            if (at.us < bad_noon(BAD_DAYS - 1).us) {
                const struct gf_meter_reading reading = lab_reading(BAD_METER, at, 3600, 400000);
                lab_add_reading(lab, BAD_CUSTOMER, &reading);
            }
        }
    }
}

static void
run(struct lab *lab, const char *name)
{
    const enum gf_rc rc = lab_run(lab);
    if (rc != GF_OK) {
        fail_msg("%s: %s: %s", name, gf_rc_name(rc), lab->error.text);
    }
    lab_assert_conserved(lab);
    assert_int_equal(lab->warnings, 0);
}

static uint32_t
rule_count(const struct lab *lab, int32_t rule)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < lab_count(lab, GF_TOPIC_DATA_QUALITY); i++) {
        struct gf_data_quality finding;
        lab_get(lab, GF_TOPIC_DATA_QUALITY, i, &finding);
        count += finding.rule == rule;
    }
    return count;
}

/* The one dead letter names the record and holds all of it. */
static void
letter_check(const struct lab *lab, const struct bad *bad, struct place place)
{
    assert_int_equal(lab_count(lab, GF_TOPIC_DEAD_LETTERS), 1);
    struct gf_dead_letter letter;
    lab_get(lab, GF_TOPIC_DEAD_LETTERS, 0, &letter);
    const struct gf_record *record =
        gf_memory_log_get(lab->log, place.topic, place.partition, (uint32_t)place.offset);
    assert_non_null(record);
    char message[512] = "";
    snprintf(message, sizeof(message), "%.*s", GF_SPAN_PRINT(letter.message));
    if (!gf_span_equal(letter.code, gf_span_text(bad->code)) ||
        strstr(message, bad->message) == NULL) {
        fail_msg("%s: code %.*s, message \"%s\"", bad->name, GF_SPAN_PRINT(letter.code), message);
    }
    assert_true(gf_span_equal(letter.topic, gf_span_text(gf_topics[place.topic].name)));
    assert_int_equal(letter.partition, place.partition);
    assert_int_equal(letter.offset, record->offset);
    assert_int_equal(letter.timestamp.us, record->timestamp.us);
    assert_int_equal(letter.has_key, record->has_key);
    assert_true(gf_span_equal(letter.key, record->key));
    assert_int_equal(letter.has_value, record->has_value);
    assert_true(gf_span_equal(letter.value, record->value));
}

static void
each_bad_record_has_its_answer(void **state)
{
    (void)state;
    struct lab good;
    lab_open(&good, config);
    good_days(&good, -1);
    run(&good, "good days");
    assert_int_equal(lab_count(&good, GF_TOPIC_DEAD_LETTERS), 0);
    for (size_t i = 0; i < bad_count; i++) {
        const struct bad *bad = &bads[i];
        print_message("%s\n", bad->name);
        struct lab lab;
        lab_open(&lab, config);
        good_days(&lab, -1);
        const struct place place = bad->add(&lab);
        run(&lab, bad->name);
        if (bad->code != NULL) {
            letter_check(&lab, bad, place);
            const struct gf_tally tally = lab_tally(&lab);
            const bool is_late = strcmp(bad->code, "LATE") == 0;
            /* A bad reference record is one for each shard, and one dead letter for all. */
            const int64_t shards = gf_topics[place.topic].is_reference ? lab.shard_count : 1;
            assert_int_equal(tally.late, is_late);
            assert_int_equal(tally.dead, is_late ? 0 : shards);
        } else {
            assert_int_equal(lab_count(&lab, GF_TOPIC_DEAD_LETTERS), 0);
        }
        for (int32_t rule = 1; rule < GF_QUALITY_RULE_COUNT; rule++) {
            const uint32_t more = rule_count(&lab, rule) - rule_count(&good, rule);
            if (more != (rule == bad->rule)) {
                fail_msg("%s: %u records of %s", bad->name, more, gf_quality_rule_name(rule));
            }
        }
        lab_close(&lab);
    }
    lab_close(&good);
}

/* What became of the good customer is the same, with all of it in one log: nothing was held up,
 * nothing stopped. */
static void
all_of_it_at_once_stops_nothing(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, config);
    lab.customers_max *= 4; /* so that nobody has to leave memory */
    good_days(&lab, -1);
    uint32_t letters = 0;
    for (size_t i = 0; i < bad_count; i++) {
        (void)bads[i].add(&lab);
        letters += bads[i].code != NULL;
    }
    const struct gf_meter_reading after = lab_reading("M-dave", bad_noon(BAD_DAYS), 3600, 300000);
    lab_add_reading(&lab, "dave", &after);
    run(&lab, "all at once");
    const struct gf_tally tally = lab_tally(&lab);
    assert_true(lab_count(&lab, GF_TOPIC_DEAD_LETTERS) >= letters);
    assert_true(tally.dead + tally.late >= letters);
    const struct gf_engine *engine = gf_shard_engine(lab.shards[lab_partition(&lab, "dave")]);
    assert_non_null(gf_engine_find(engine, GF_ENTITY_CUSTOMER, gf_span_text("dave")));
    lab_close(&lab);
}

static void
a_price_gap_is_told_once_in_each_area(void **state)
{
    (void)state;
    struct lab good, lab;
    lab_open(&good, config);
    good_days(&good, -1);
    run(&good, "good days");
    lab_open(&lab, config);
    good_days(&lab, 4);
    run(&lab, "price gap");
    assert_int_equal(lab_count(&lab, GF_TOPIC_DEAD_LETTERS), 0);
    assert_int_equal(rule_count(&good, GF_QUALITY_RULE_PRICE_GAP), 0);
    assert_int_equal(rule_count(&lab, GF_QUALITY_RULE_PRICE_GAP), 3); /* the plan has three areas */
    lab_close(&lab);
    lab_close(&good);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_bad_record_has_its_answer),
        cmocka_unit_test(all_of_it_at_once_stops_nothing),
        cmocka_unit_test(a_price_gap_is_told_once_in_each_area),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
