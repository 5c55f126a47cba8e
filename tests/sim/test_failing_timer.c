/* A timer that fails. None of the program's own operators has one, so this test links a registry of
 * its own in place of lib/operator/registry.c: the quality operator, and an alarm that goes off an
 * hour after a reading and fails on every third. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/records.h"
#include "lab_journal.h"
#include "lab_world.h"
#include "operator/quality/quality.h"

#define ALARM_EVERY_H 6

struct alarm_state {
    uint32_t readings, fired, failed, armed_at;
};

static enum gf_rc
alarm_on_event(const struct gf_view *view, const struct gf_event *event, void *memory,
               struct gf_out *out)
{
    (void)event;
    struct alarm_state *state = memory;
    state->readings++;
    if (state->readings % ALARM_EVERY_H != 0) {
        return GF_OK;
    }
    state->armed_at = state->readings;
    return gf_out_set_timer(out, 0, (struct gf_time){view->now.us + GF_US_PER_HOUR});
}

static enum gf_rc
alarm_emit(const struct gf_view *view, uint32_t number, struct gf_out *out)
{
    struct gf_data_quality record = {.entity = view->entity,
                                     .rule = GF_QUALITY_RULE_V02_GAP,
                                     .action = GF_QUALITY_ACTION_FLAGGED,
                                     .count = number,
                                     .decided_at = view->now};
    gf_record_id("alarm", view->entity, view->now, number, record.record_id);
    return gf_out_emit(out, GF_TOPIC_DATA_QUALITY, &record);
}

/* Does all that a timer may do before it fails: none of it may be left. */
static enum gf_rc
alarm_on_timer(const struct gf_view *view, uint32_t timer, void *memory, struct gf_out *out)
{
    struct alarm_state *state = memory;
    assert(timer == 0);
    state->fired++;
    const enum gf_rc rc = alarm_emit(view, state->armed_at, out);
    if (rc != GF_OK || state->armed_at % (3 * ALARM_EVERY_H) != 0) {
        return rc;
    }
    state->failed++;
    if (gf_out_set_timer(out, 1, (struct gf_time){view->now.us + GF_US_PER_HOUR}) != GF_OK) {
        return GF_E_FULL;
    }
    return gf_out_fail(out, GF_E_RANGE, "alarm %u cannot be counted", state->armed_at);
}

static size_t
alarm_describe(const struct gf_view *view, const void *memory, char *text_out, size_t size)
{
    (void)view;
    const struct alarm_state *state = memory;
    return (size_t)snprintf(text_out, size, "\"fired\": %u", state->fired);
}

static const struct gf_operator alarm_operator = {
    .name = "alarm",
    .doc = "Goes off an hour after a reading.",
    .reads = GF_READS(GF_TOPIC_METER_READINGS),
    .entity = GF_ENTITY_CUSTOMER,
    .state = {.size = sizeof(struct alarm_state), .version = 1},
    .on_event = alarm_on_event,
    .on_timer = alarm_on_timer,
    .describe = alarm_describe,
};

const struct gf_operator *const gf_operators[] = {&gf_op_quality, &alarm_operator};
const uint32_t gf_operator_count = 2;

#define BASE                                                                                       \
    "partitions: 2\n"                                                                              \
    "batch_records: 32\n"                                                                          \
    "commit: {batches: 2}\n"                                                                       \
    "sweep: {records: 300}\n"                                                                      \
    "time: {lateness: 30m}\n"
#define CUSTOMERS 3
#define HOURS     (10 * 24)

static const char *const customers[CUSTOMERS] = {"alice", "bob", "carol"};

static void
lab_make(struct lab *lab)
{
    lab_open(lab, BASE);
    for (int i = 0; i < CUSTOMERS; i++) {
        lab_add_contract(lab, customers[i], LAB_WORLD_START);
    }
    for (int64_t hour = 0; hour < HOURS; hour++) {
        for (int i = 0; i < CUSTOMERS; i++) {
            char meter[32];
            snprintf(meter, sizeof(meter), "M-%s", customers[i]);
            const struct gf_meter_reading reading =
                lab_reading(meter, (struct gf_time){LAB_WORLD_START.us + hour * GF_US_PER_HOUR},
                            3600, 400000 + 1000 * hour);
            lab_add_reading(lab, customers[i], &reading);
        }
    }
}

static const struct alarm_state *
alarm_of(const struct lab *lab, const char *customer)
{
    const struct gf_entity *entity = NULL;
    struct gf_error error = {{0}};
    struct gf_shard *shard = lab->shards[lab_partition(lab, customer)];
    assert_int_equal(
        gf_shard_look(shard, GF_ENTITY_CUSTOMER, gf_span_text(customer), &entity, &error), GF_OK);
    assert_non_null(entity);
    const size_t quality = (sizeof(struct gf_quality_state) + 7) & ~(size_t)7;
    return (const void *)(entity->body + sizeof(struct gf_features) + quality);
}

static uint32_t
letters_check(const struct lab *lab)
{
    uint32_t letters = 0;
    for (; letters < lab_count(lab, GF_TOPIC_DEAD_LETTERS); letters++) {
        struct gf_dead_letter letter;
        lab_get(lab, GF_TOPIC_DEAD_LETTERS, letters, &letter);
        assert_true(gf_span_equal(letter.topic, gf_span_text("timer")));
        assert_true(gf_span_equal(letter.code, gf_span_text("RANGE")));
        assert_int_equal(letter.partition, -1);
        assert_int_equal(letter.offset, -1);
        assert_true(letter.has_key);
        assert_false(letter.has_value);
        assert_non_null(strstr((const char *)letter.message.data, "cannot be counted"));
    }
    return letters;
}

static void
a_failing_timer_is_a_dead_letter(void **state)
{
    (void)state;
    struct lab lab;
    lab_make(&lab);
    assert_int_equal(lab_run(&lab), GF_OK);
    lab_assert_conserved(&lab);
    lab_journal_assert_conserved(&lab);
    const struct gf_tally tally = lab_tally(&lab);
    assert_int_equal(tally.dead, 0); /* a timer is no record */
    assert_int_equal(tally.records, CUSTOMERS * (HOURS + 1));
    const uint32_t letters = letters_check(&lab);
    uint32_t fired = 0;
    for (int i = 0; i < CUSTOMERS; i++) {
        const struct alarm_state *alarm = alarm_of(&lab, customers[i]);
        assert_int_equal(alarm->readings, HOURS); /* nothing stopped */
        assert_int_equal(alarm->failed, 0);       /* put back */
        fired += alarm->fired;
    }
    /* The last ones are within the lateness: they wait. */
    assert_in_range(letters, CUSTOMERS * (HOURS / 18 - 1), CUSTOMERS * (HOURS / 18));
    assert_in_range(fired, CUSTOMERS * (HOURS / 6 - HOURS / 18 - 2),
                    CUSTOMERS * (HOURS / 6 - HOURS / 18));
    assert_int_equal(lab_count(&lab, GF_TOPIC_DATA_QUALITY), fired); /* its effects are gone */
    lab_close(&lab);
}

static void
crashes_and_replay_fail_it_the_same_way(void **state)
{
    (void)state;
    struct lab calm;
    lab_make(&calm);
    assert_int_equal(lab_run(&calm), GF_OK);
    const uint32_t commits = gf_memory_log_calls(calm.log, GF_MEMORY_COMMIT);
    for (uint32_t nth = 1; nth < commits; nth++) {
        struct lab lab;
        lab_make(&lab);
        gf_memory_log_fail(lab.log, GF_MEMORY_COMMIT, nth, GF_E_IO, nth % 2 == 0);
        assert_int_equal(lab_run(&lab), GF_E_IO);
        lab_crash(&lab, NULL);
        assert_int_equal(lab_run(&lab), GF_OK);
        lab_journal_assert_conserved(&lab);
        lab_assert_same_outputs(&lab, &calm, LAB_LINEAGE_SAME);
        lab_assert_same_state(&lab, &calm);
        lab_close(&lab);
    }
    if (lab_replay(&calm) != GF_OK) {
        fail_msg("%s", calm.error.text);
    }
    lab_close(&calm);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_timer_is_a_dead_letter),
        cmocka_unit_test(crashes_and_replay_fail_it_the_same_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
