/* Every output can be explained: folded again to just before it, the event that its lineage names,
 * alone, gives the same bytes, and only that event changes its customer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/records.h"
#include "lab_world.h"
#include "loop/explain.h"

static const char config[] = "partitions: 2\n"
                             "batch_records: 300\n"
                             "time: {lateness: 3h}\n";
static const struct lab_world world = {
    .seed = 5, .customers = 8, .days = 45, .interval_s = 3600, .has_trouble = true};

static struct lab calm;
static uint64_t body_memory[8192];
static char text[2 * GF_EXPLAIN_TEXT_SIZE];

static struct {
    uint32_t count, same, timers, changed, unknown_before, passed_over;
    char before[GF_EXPLAIN_TEXT_SIZE], after[GF_EXPLAIN_TEXT_SIZE];
} seen;

static void
show(void *context, const struct gf_explained *explained)
{
    const struct gf_explain *explain = context;
    seen.count++;
    seen.same += explained->is_same;
    seen.timers += explained->is_timer;
    seen.unknown_before += explained->before == NULL;
    snprintf(seen.before, sizeof(seen.before), "%s",
             explained->before == NULL ? "" : explained->before);
    snprintf(seen.after, sizeof(seen.after), "%s", explained->after);
    assert_non_null(explained->effect);
    assert_non_null(explained->after);
    assert_non_null(strstr(explained->after, "\"entity\""));
    seen.changed += explained->before == NULL || strcmp(explained->before, explained->after) != 0;
    assert_int_equal(explained->batch->number, explain->lineage->batch);
    assert_int_equal((uint64_t)explain->lineage->config_hash, explained->config_hash);
    if (explained->event != NULL && !explained->is_timer &&
        !gf_topics[explained->event->event.topic].is_reference) {
        assert_true(gf_span_equal(explained->event->event.key, explain->record->key));
    }
}

static void
passed_over(void *context, const char *why)
{
    (void)context;
    assert_true(why[0] != '\0');
    seen.passed_over++;
}

static enum gf_rc
output_explain(const struct gf_record *record, int64_t batch_moved, bool has_snapshot)
{
    static struct gf_lineage lineage;
    struct gf_arena arena = gf_arena_of(body_memory, sizeof(body_memory));
    const enum gf_topic topic = (enum gf_topic)record->topic;
    void *body = gf_arena_take(&arena, gf_topics[topic].type->size);
    struct gf_reader reader = gf_reader_of(record->value);
    assert_int_equal(gf_topics[topic].decode(&reader, &arena, body), GF_OK);
    lineage = *gf_lineage_of(topic, body);
    lineage.batch += batch_moved;
    struct gf_explain explain = {.record = record,
                                 .lineage = &lineage,
                                 .text = text,
                                 .has_snapshot = has_snapshot,
                                 .passed_over = passed_over,
                                 .show = show,
                                 .context = &explain};
    return gf_shard_explain(calm.shards[record->partition], &explain, &calm.error);
}

static int
calm_make(void **state)
{
    (void)state;
    lab_open(&calm, config);
    lab_world_add(&calm, &world);
    return lab_run(&calm) == GF_OK && lab_replay(&calm) == GF_OK ? 0 : -1;
}

static int
calm_close(void **state)
{
    (void)state;
    lab_close(&calm);
    return 0;
}

static void
outputs_come_out_again(void **state)
{
    (void)state;
    static const enum gf_topic topics[] = {GF_TOPIC_TARIFF_ADJUSTMENTS, GF_TOPIC_ARREARS_ALERTS,
                                           GF_TOPIC_FRAUD_FLAGS, GF_TOPIC_DATA_QUALITY};
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        const uint32_t count = lab_count(&calm, topics[i]);
        const uint32_t step = count / 8 + 1;
        print_message("%s: %u\n", gf_topics[topics[i]].name, count);
        assert_true(count > 0);
        for (uint32_t k = 0; k < count; k += step) {
            const struct gf_record *record = lab_record(&calm, topics[i], k);
            if (output_explain(record, 0, false) != GF_OK) {
                fail_msg("%s %u: %s", gf_topics[topics[i]].name, k, calm.error.text);
            }
        }
    }
    print_message("seed %u: %u outputs, %u by timers\n", (unsigned)world.seed, seen.count,
                  seen.timers);
    assert_int_equal(seen.same, seen.count);
    assert_true(seen.changed > 0);
    assert_true(seen.timers > 0);
    assert_true(seen.timers < seen.count);
}

/* A lineage that cannot be: another batch has no such record, or there is no such batch. */
static void
an_altered_lineage_is_refused(void **state)
{
    (void)state;
    const uint32_t count = lab_count(&calm, GF_TOPIC_ARREARS_ALERTS);
    const struct gf_record *record = lab_record(&calm, GF_TOPIC_ARREARS_ALERTS, count / 2);
    assert_int_equal(output_explain(record, 1000, false), GF_E_NOT_FOUND);
    assert_non_null(strstr(calm.error.text, "no batch"));
    assert_int_equal(output_explain(record, 1, false), GF_E_DAMAGED);
    assert_non_null(strstr(calm.error.text, "altered"));
    assert_int_equal(output_explain(record, 0, false), GF_OK);
}

/* Whatever the store is that is gone on from, the explanation is that of a fold from batch 1. */
static void
a_store_that_does_not_serve_is_passed_over(void **state)
{
    (void)state;
    static char before[GF_EXPLAIN_TEXT_SIZE], after[GF_EXPLAIN_TEXT_SIZE];
    const uint32_t count = lab_count(&calm, GF_TOPIC_TARIFF_ADJUSTMENTS);
    const struct gf_record *record = lab_record(&calm, GF_TOPIC_TARIFF_ADJUSTMENTS, count / 2);
    const uint32_t same = seen.same;
    assert_int_equal(lab_replay(&calm), GF_OK);
    assert_int_equal(output_explain(record, 0, false), GF_OK);
    strcpy(before, seen.before);
    strcpy(after, seen.after);

    /* Of nothing that was folded: it serves. */
    gf_memory_store_clear(calm.store, record->partition);
    assert_int_equal(output_explain(record, 0, true), GF_OK);
    assert_int_equal(seen.passed_over, 0);
    assert_string_equal(seen.before, before);
    assert_string_equal(seen.after, after);

    /* Ahead of the output. */
    lab_crash(&calm, gf_memory_store_new());
    assert_int_equal(lab_run(&calm), GF_OK);
    assert_int_equal(output_explain(record, 0, true), GF_OK);
    assert_int_equal(seen.passed_over, 1);
    assert_string_equal(seen.before, before);
    assert_string_equal(seen.after, after);
    assert_int_equal(seen.same, same + 3);
}

/* Other bytes come out of a store that serves: batch 1 decides that it is the output's fault. */
static void
an_altered_output_is_not_laid_to_a_snapshot(void **state)
{
    (void)state;
    const uint32_t count = lab_count(&calm, GF_TOPIC_TARIFF_ADJUSTMENTS);
    struct gf_record altered = *lab_record(&calm, GF_TOPIC_TARIFF_ADJUSTMENTS, count / 2);
    const uint32_t same = seen.same, shown = seen.count, passed = seen.passed_over;
    altered.timestamp.us += 1000;
    assert_int_equal(lab_replay(&calm), GF_OK);
    gf_memory_store_clear(calm.store, altered.partition);
    assert_int_equal(output_explain(&altered, 0, true), GF_OK);
    assert_int_equal(seen.passed_over, passed + 1);
    assert_int_equal(seen.count, shown + 1);
    assert_int_equal(seen.same, same);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_come_out_again),
        cmocka_unit_test(an_altered_lineage_is_refused),
        cmocka_unit_test(a_store_that_does_not_serve_is_passed_over),
        cmocka_unit_test(an_altered_output_is_not_laid_to_a_snapshot),
    };
    return cmocka_run_group_tests(tests, calm_make, calm_close);
}
