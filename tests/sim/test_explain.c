/* Every output can be explained: folded again to just before it, the event that its lineage names,
 * alone, gives the same bytes, and only that event changes its customer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

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
    uint32_t count, same, timers, changed, unknown_before;
} seen;

static void
show(void *context, const struct gf_explained *explained)
{
    const struct gf_explain *explain = context;
    seen.count++;
    seen.same += explained->is_same;
    seen.timers += explained->is_timer;
    seen.unknown_before += explained->before == NULL;
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

static enum gf_rc
output_explain(const struct gf_record *record, int64_t batch_moved)
{
    static struct gf_lineage lineage;
    struct gf_arena arena = gf_arena_of(body_memory, sizeof(body_memory));
    const enum gf_topic topic = (enum gf_topic)record->topic;
    void *body = gf_arena_take(&arena, gf_topics[topic].type->size);
    struct gf_reader reader = gf_reader_of(record->value);
    assert_int_equal(gf_topics[topic].decode(&reader, &arena, body), GF_OK);
    lineage = *gf_lineage_of(topic, body);
    lineage.batch += batch_moved;
    struct gf_explain explain = {
        .record = record, .lineage = &lineage, .text = text, .show = show, .context = &explain};
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
            if (output_explain(record, 0) != GF_OK) {
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
    assert_int_equal(output_explain(record, 1000), GF_E_NOT_FOUND);
    assert_non_null(strstr(calm.error.text, "no batch"));
    assert_int_equal(output_explain(record, 1), GF_E_DAMAGED);
    assert_non_null(strstr(calm.error.text, "altered"));
    assert_int_equal(output_explain(record, 0), GF_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_come_out_again),
        cmocka_unit_test(an_altered_lineage_is_refused),
    };
    return cmocka_run_group_tests(tests, calm_make, calm_close);
}
