/* What is on the log against what its inputs give. One run is made; then bytes of its log are
 * altered, as a disk, an operator or a thief would, and the first record that differs must be
 * named, with the side that was altered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/differ.h"
#include "codec/records.h"
#include "lab_journal.h"
#include "lab_world.h"
#include "loop/replay.h"

static const char config[] = "partitions: 2\n"
                             "batch_records: 200\n"
                             "time: {lateness: 3h}\n";
static const struct lab_world world = {
    .seed = 11, .customers = 8, .days = 20, .interval_s = 3600, .has_trouble = true};

static struct lab calm;
static struct gf_compare compare;
static uint64_t arena_memory[GF_COMPARE_ARENA_SIZE / sizeof(uint64_t)];

/* What was shown, copied: it lives during the call alone. */
static struct {
    uint32_t count;
    enum gf_difference_kind kind;
    enum gf_topic topic;
    uint32_t shard;
    int64_t offset, batch;
    enum gf_agreement journal_is_refold, journal_is_log;
    bool has_cause; /* the event that the refold's lineage names is in the batch */
    char path[GF_DIFFER_PATH_SIZE];
    uint32_t path_count;
} shown;

static void
shown_cause(const struct gf_difference *difference, const struct gf_lineage *lineage)
{
    for (uint32_t i = 0; lineage->inputs.count > 0 && i < difference->batch->event_count; i++) {
        const struct gf_event *event = &difference->batch->events[i].event;
        const struct gf_input_range *range = &lineage->inputs.items[0];
        shown.has_cause =
            shown.has_cause ||
            (event->offset == range->from && (int32_t)event->partition == range->partition &&
             gf_span_equal(range->topic, gf_span_text(gf_topics[event->topic].name)));
    }
}

static void
show(void *context, const struct gf_difference *difference)
{
    (void)context;
    static uint64_t bodies[2][8192];
    shown.count++;
    shown.kind = difference->kind;
    shown.topic = difference->topic;
    shown.shard = difference->shard;
    shown.offset = difference->record.offset;
    shown.batch = difference->journal == NULL ? -1 : difference->journal->batch;
    shown.journal_is_refold = difference->journal_is_refold;
    shown.journal_is_log = difference->journal_is_log;
    const void *sides[2] = {NULL, NULL};
    struct gf_span spans[2] = {gf_compare_body(&difference->record), {0}};
    if (difference->effect == NULL) {
        return;
    }
    spans[1] = difference->effect->body;
    for (int i = 0; i < 2; i++) {
        struct gf_arena arena = gf_arena_of(bodies[i], sizeof(bodies[i]));
        void *out = gf_arena_take(&arena, gf_topics[difference->topic].type->size);
        struct gf_reader reader = gf_reader_of(spans[i]);
        if (gf_topics[difference->topic].decode(&reader, &arena, out) == GF_OK) {
            sides[i] = out;
        }
    }
    const struct gf_lineage *lineage =
        difference->topic == GF_TOPIC_DEAD_LETTERS || sides[1] == NULL
            ? NULL
            : (const void *)((const uint8_t *)sides[1] +
                             gf_topics[difference->topic]
                                 .type->fields[gf_topics[difference->topic].type->field_count - 1]
                                 .offset);
    if (lineage != NULL) {
        shown_cause(difference, lineage);
    }
    if (sides[0] != NULL && sides[1] != NULL) {
        struct gf_differing first;
        shown.path_count =
            gf_differ(gf_topics[difference->topic].type, sides[0], sides[1], &first, 1);
        snprintf(shown.path, sizeof(shown.path), "%s", first.path);
    }
}

/* Compares every shard until one differs. That the plain replay, which makes the shards, may find
 * it too is not looked at. */
static enum gf_rc
lab_compare(struct lab *lab)
{
    const struct gf_replay_options options = {
        .from = GF_TIME_NONE, .to = GF_TIME_NONE, .compare = &compare};
    (void)lab_replay(lab);
    compare =
        (struct gf_compare){.show = show, .arena = gf_arena_of(arena_memory, sizeof(arena_memory))};
    memset(&shown, 0, sizeof(shown));
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < lab->shard_count; i++) {
        struct gf_replay_totals totals;
        compare.is_open = false;
        rc = gf_shard_replay_as(lab->shards[i], &options, &totals, &lab->error);
    }
    return rc;
}

static uint32_t
output_count(const struct lab *lab)
{
    uint32_t count = 0;
    for (int topic = GF_TOPIC_READ_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        count += topic == GF_TOPIC_JOURNAL ? 0 : lab_count(lab, (enum gf_topic)topic);
    }
    return count;
}

static int
calm_make(void **state)
{
    (void)state;
    lab_open(&calm, config);
    lab_world_add(&calm, &world);
    return lab_run(&calm) == GF_OK ? 0 : -1;
}

static int
calm_close(void **state)
{
    (void)state;
    lab_close(&calm);
    return 0;
}

/* A byte of a record in the log; the log's copy is nobody's constant. */
static uint8_t *
byte_of(const struct gf_record *record, uint32_t at)
{
    assert_true(at < record->value.size);
    return (uint8_t *)(uintptr_t)record->value.data + at;
}

static void
an_untouched_log_is_what_its_inputs_give(void **state)
{
    (void)state;
    print_message("seed %u: %u outputs\n", (unsigned)world.seed, output_count(&calm));
    assert_true(output_count(&calm) > 100);
    assert_int_equal(lab_compare(&calm), GF_OK);
    assert_int_equal(compare.records, output_count(&calm));
    assert_int_equal(shown.count, 0);
}

static void
an_altered_output_is_named(void **state)
{
    (void)state;
    static const enum gf_topic topics[] = {GF_TOPIC_TARIFF_ADJUSTMENTS, GF_TOPIC_ARREARS_ALERTS,
                                           GF_TOPIC_DEAD_LETTERS};
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        const uint32_t count = lab_count(&calm, topics[i]);
        assert_true(count > 3);
        const struct gf_record *record = lab_record(&calm, topics[i], count / 2);
        uint8_t *byte = byte_of(record, 3); /* of the id; of a dead letter, the topic's name */
        *byte ^= 1;
        assert_int_equal(lab_compare(&calm), GF_E_DIFFERENT);
        *byte ^= 1;
        assert_int_equal(shown.count, 1);
        assert_int_equal(shown.kind, GF_DIFFERENCE_RECORD);
        assert_int_equal(shown.topic, topics[i]);
        assert_int_equal(shown.shard, record->partition);
        assert_int_equal(shown.offset, record->offset);
        assert_int_equal(shown.journal_is_refold, GF_AGREEMENT_YES);
        assert_int_equal(shown.journal_is_log, GF_AGREEMENT_NO);
        assert_int_equal(shown.path_count, 1);
        assert_string_equal(shown.path, topics[i] == GF_TOPIC_DEAD_LETTERS ? "topic" : "record_id");
        assert_true(shown.has_cause || topics[i] == GF_TOPIC_DEAD_LETTERS);
    }
}

/* The log is as it was written; what is folded again is not. */
static void
an_altered_input_is_told_from_that(void **state)
{
    (void)state;
    const struct gf_record *record = NULL;
    for (uint32_t i = 0; record == NULL || record->value.size < 40; i++) {
        record = lab_record(&calm, GF_TOPIC_BILLING_INVOICES, i);
    }
    uint8_t *byte = byte_of(record, 6 + GF_FRAME_SIZE); /* in the invoice's id or status */
    const uint8_t before = *byte;
    *byte = 0xff;
    const enum gf_rc rc = lab_compare(&calm);
    *byte = before;
    assert_int_equal(rc, GF_E_DIFFERENT);
    assert_int_equal(shown.count, 1);
    assert_int_equal(shown.journal_is_refold, GF_AGREEMENT_NO);
    assert_int_not_equal(shown.journal_is_log, GF_AGREEMENT_NO);
    assert_int_equal(shown.shard, record->partition);
}

static void
an_altered_journal_is_told_from_both(void **state)
{
    (void)state;
    uint64_t memory[4096];
    const uint32_t count = gf_memory_log_count(calm.log, GF_TOPIC_JOURNAL, 1);
    const struct gf_record *record = NULL;
    struct gf_journal journal = {0};
    for (uint32_t i = count; i-- > 0 && journal.kind != GF_JOURNAL_KIND_BATCH;) {
        struct gf_arena arena = gf_arena_of(memory, sizeof(memory));
        record = gf_memory_log_get(calm.log, GF_TOPIC_JOURNAL, 1, i);
        struct gf_reader reader = gf_reader_of(record->value);
        if (record->value.size < 2048) {
            assert_int_equal(gf_topics[GF_TOPIC_JOURNAL].decode(&reader, &arena, &journal), GF_OK);
        }
    }
    assert_int_equal(journal.kind, GF_JOURNAL_KIND_BATCH);
    uint32_t at = 0;
    while (memcmp(record->value.data + at, journal.effects_digest, GF_DIGEST_SIZE) != 0) {
        at++;
    }
    *byte_of(record, at) ^= 1;
    const enum gf_rc rc = lab_compare(&calm);
    *byte_of(record, at) ^= 1;
    assert_int_equal(rc, GF_E_DIFFERENT);
    assert_int_equal(shown.kind, GF_DIFFERENCE_DIGEST);
    assert_int_equal(shown.batch, journal.batch);
    assert_int_equal(shown.journal_is_refold, GF_AGREEMENT_NO);
    assert_int_equal(shown.journal_is_log, GF_AGREEMENT_NO);
}

/* The whole log, but for one output; offsets keep their places. `twice`: it is there again. */
static void
copy_but(struct lab *to, enum gf_topic topic, uint32_t index, bool twice)
{
    const struct gf_record *special = lab_record(&calm, topic, index);
    lab_open(to, config);
    lab_copy_inputs(to, &calm);
    for (int i = GF_TOPIC_READ_COUNT; i < GF_TOPIC_COUNT; i++) {
        for (uint32_t shard = 0; shard < calm.shard_count; shard++) {
            const struct gf_record *record = NULL;
            for (uint32_t k = 0;
                 (record = gf_memory_log_get(calm.log, (enum gf_topic)i, shard, k)) != NULL; k++) {
                struct gf_record copy = *record;
                copy.offset = twice ? -1 : copy.offset;
                if (record != special || twice) {
                    gf_memory_log_add(to->log, &copy);
                }
                if (record == special && twice) {
                    gf_memory_log_add(to->log, &copy);
                }
            }
        }
    }
}

static void
a_missing_and_a_spare_record_are_named(void **state)
{
    (void)state;
    const uint32_t counts[] = {0, lab_count(&calm, GF_TOPIC_ARREARS_ALERTS) / 2,
                               lab_count(&calm, GF_TOPIC_ARREARS_ALERTS) - 1};
    for (size_t i = 0; i < 6; i++) {
        struct lab lab;
        const bool is_twice = i >= 3;
        const struct gf_record *record = lab_record(&calm, GF_TOPIC_ARREARS_ALERTS, counts[i % 3]);
        copy_but(&lab, GF_TOPIC_ARREARS_ALERTS, counts[i % 3], is_twice);
        assert_int_equal(lab_compare(&lab), GF_E_DIFFERENT);
        assert_int_equal(shown.count, 1);
        assert_int_equal(shown.topic, GF_TOPIC_ARREARS_ALERTS);
        assert_int_equal(shown.shard, record->partition);
        assert_int_equal(shown.journal_is_refold, GF_AGREEMENT_YES);
        assert_int_equal(shown.kind, is_twice ? GF_DIFFERENCE_EXTRA : GF_DIFFERENCE_MISSING);
        if (is_twice) {
            assert_int_equal(shown.offset, record->offset + 1);
        }
        lab_close(&lab);
    }
}

static void
what_retention_left_is_compared(void **state)
{
    (void)state;
    struct lab lab;
    copy_but(&lab, GF_TOPIC_ARREARS_ALERTS, UINT32_MAX, false); /* all of it */
    const uint32_t all = output_count(&lab);
    const uint32_t count = gf_memory_log_count(lab.log, GF_TOPIC_ARREARS_ALERTS, 1);
    assert_true(count > 8);
    const struct gf_record *middle =
        gf_memory_log_get(lab.log, GF_TOPIC_ARREARS_ALERTS, 1, count / 2);
    gf_memory_log_trim(lab.log, GF_TOPIC_ARREARS_ALERTS, 1, middle->offset);
    assert_int_equal(lab_compare(&lab), GF_OK);
    const struct gf_compare_start *start = &compare.cursors[GF_TOPIC_ARREARS_ALERTS].start;
    assert_int_equal(start->first, middle->offset);
    assert_true(start->from_batch > 1);
    assert_true(compare.records < all);
    assert_true(compare.records >= all - count);

    const uint32_t left = gf_memory_log_count(lab.log, GF_TOPIC_ARREARS_ALERTS, 1);
    const struct gf_record *last = gf_memory_log_get(lab.log, GF_TOPIC_ARREARS_ALERTS, 1, left - 1);
    *byte_of(last, 3) ^= 1;
    assert_int_equal(lab_compare(&lab), GF_E_DIFFERENT);
    assert_int_equal(shown.kind, GF_DIFFERENCE_RECORD);
    assert_int_equal(shown.offset, last->offset);
    lab_close(&lab);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_untouched_log_is_what_its_inputs_give),
        cmocka_unit_test(an_altered_output_is_named),
        cmocka_unit_test(an_altered_input_is_told_from_that),
        cmocka_unit_test(an_altered_journal_is_told_from_both),
        cmocka_unit_test(a_missing_and_a_spare_record_are_named),
        cmocka_unit_test(what_retention_left_is_compared),
    };
    return cmocka_run_group_tests(tests, calm_make, calm_close);
}
