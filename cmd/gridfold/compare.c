#include "compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "codec/differ.h"
#include "codec/records.h"
#include "loop/decode.h"
#include "loop/explain.h"
#include "print.h"

#define FIELDS_SHOWN_MAX  20
#define RECORDS_SHOWN_MAX 5

/* What the difference is about, decoded as far as it can be. */
struct view {
    const struct gf_difference *difference;
    const void *logged, *folded; /* structs of the topic, or NULL */
    struct gf_span entity;
    const char *cause_topic; /* position of the input that made it; NULL: wall time, or not known */
    char cause_name[64];
    int64_t cause_partition, cause_offset;
    struct gf_differing fields[FIELDS_SHOWN_MAX];
    uint32_t field_count;
    bool key_differs, time_differs;
};

static void
cause_find(struct view *view)
{
    const void *body = view->folded != NULL ? view->folded : view->logged;
    struct gf_span name = {0};
    if (body == NULL) {
        return;
    }
    if (view->difference->topic == GF_TOPIC_DEAD_LETTERS) {
        const struct gf_dead_letter *letter = body;
        name = letter->topic;
        view->cause_partition = letter->partition;
        view->cause_offset = letter->offset;
    } else {
        const struct gf_lineage *lineage = gf_lineage_of(view->difference->topic, body);
        if (lineage == NULL || lineage->inputs.count == 0) {
            return;
        }
        name = lineage->inputs.items[0].topic;
        view->cause_partition = lineage->inputs.items[0].partition;
        view->cause_offset = lineage->inputs.items[0].from;
    }
    snprintf(view->cause_name, sizeof(view->cause_name), "%.*s", GF_SPAN_PRINT(name));
    view->cause_topic = view->cause_name;
}

static void
view_make(struct view *view, struct compare_report *report, const struct gf_difference *difference)
{
    *view = (struct view){.difference = difference};
    struct gf_arena *arena = &report->compare->arena;
    gf_arena_reset(arena, 0);
    const bool is_logged =
        difference->kind == GF_DIFFERENCE_RECORD || difference->kind == GF_DIFFERENCE_EXTRA;
    const struct gf_record *record = &difference->record;
    struct gf_decoded decoded = {0};
    if (is_logged && record->has_value &&
        gf_decode_record(&report->compare->lookup, record, arena, &decoded, NULL) == GF_OK) {
        view->logged = decoded.body;
    }
    if (difference->effect != NULL) {
        view->folded = print_decode(difference->topic, difference->effect->body, arena);
        view->entity = difference->effect->key;
    } else if (is_logged && record->has_key) {
        view->entity = record->key;
    }
    if (difference->kind == GF_DIFFERENCE_RECORD) {
        const struct gf_span key = record->has_key ? record->key : (struct gf_span){0};
        struct gf_effect same = *difference->effect;
        same.body = gf_compare_body(record);
        same.key = key;
        view->key_differs = !gf_span_equal(key, difference->effect->key);
        view->time_differs = !gf_compare_is_same(&same, record);
        if (view->logged != NULL && view->folded != NULL) {
            view->field_count = gf_differ(gf_topics[difference->topic].type, view->logged,
                                          view->folded, view->fields, FIELDS_SHOWN_MAX);
        }
    }
    cause_find(view);
}

static const char *
verdict_of(const struct gf_difference *difference)
{
    const enum gf_agreement refold = difference->journal_is_refold;
    const enum gf_agreement log = difference->journal_is_log;
    if (difference->kind == GF_DIFFERENCE_DIGEST) {
        return refold == GF_AGREEMENT_YES
                   ? "the effects have the journal's digest, its counts of records do not agree: "
                     "the journal's record was altered"
                   : "log and refold agree record by record, the journal's digest is another: the "
                     "journal's record was altered";
    }
    if (difference->journal == NULL) {
        return "the journal tells of no batch that it is of: it was written by someone else";
    }
    if (refold == GF_AGREEMENT_YES) {
        return "the journal's digest is that of the refold: the output on the log was altered, "
               "removed or added after it was written";
    }
    if (log == GF_AGREEMENT_YES) {
        return "the journal's digest is that of the log: the outputs are as they were written, and "
               "the same inputs now give another result: an input was altered, or the code of the "
               "fold";
    }
    if (log == GF_AGREEMENT_NO) {
        return "the journal's digest is neither that of the log nor that of the refold: the "
               "journal "
               "was altered, or both outputs and inputs were";
    }
    return "the journal's digest is not that of the refold; the log has not as many records, so "
           "its own digest is not known: an input was altered, or the code of the fold";
}

/* ---- for people ---- */

static void
headline_print(const struct view *view)
{
    const struct gf_difference *difference = view->difference;
    char where[POSITION_SIZE], time[GF_TIME_TEXT_SIZE] = "";
    position_print(where, gf_topics[difference->topic].name, difference->partition,
                   difference->record.offset);
    switch (difference->kind) {
    case GF_DIFFERENCE_RECORD:
        printf("different: %s is not what its inputs give", where);
        break;
    case GF_DIFFERENCE_EXTRA:
        printf("different: %s is on the log, but its inputs do not give it", where);
        break;
    case GF_DIFFERENCE_MISSING:
        printf("different: the inputs give a record of %s/%u that is not on the log",
               gf_topics[difference->topic].name, difference->partition);
        break;
    case GF_DIFFERENCE_DIGEST:
        printf("different: the journal's record of a batch");
        break;
    }
    printf("\n  shard %u", difference->shard);
    if (difference->journal != NULL) {
        gf_time_print(difference->journal->shard_time, time);
        printf(", batch %" PRId64 ", which starts at shard time %s", difference->journal->batch,
               time);
    }
    printf("\n  %s\n", verdict_of(difference));
}

static void
time_row_print(const struct gf_difference *difference)
{
    char logged[GF_TIME_TEXT_SIZE], folded[GF_TIME_TEXT_SIZE];
    gf_time_print(difference->record.timestamp, logged);
    gf_time_print(difference->effect->time, folded);
    printf("  record time\n    on the log    %s\n    folded again  %s\n", logged, folded);
}

static void
fields_print(const struct view *view)
{
    const struct gf_difference *difference = view->difference;
    printf("\nWhat differs\n");
    if (view->key_differs) {
        printf("  key\n    on the log    ");
        print_bytes(stdout,
                    difference->record.has_key ? difference->record.key : (struct gf_span){0});
        printf("\n    folded again  ");
        print_bytes(stdout, difference->effect->key);
        putchar('\n');
    }
    if (view->time_differs) {
        time_row_print(difference);
    }
    for (uint32_t i = 0; i < view->field_count && i < FIELDS_SHOWN_MAX; i++) {
        const struct gf_differing *field = &view->fields[i];
        printf("  %s\n    on the log    ", field->path);
        print_value(stdout, field->type, field->a, false);
        printf("\n    folded again  ");
        print_value(stdout, field->type, field->b, false);
        putchar('\n');
    }
    if (view->field_count > FIELDS_SHOWN_MAX) {
        printf("  and %u fields more\n", view->field_count - FIELDS_SHOWN_MAX);
    }
    if (view->logged == NULL) {
        printf("  the value on the log cannot be decoded\n");
    } else if (view->field_count == 0 && !view->key_differs && !view->time_differs) {
        printf("  every field is equal, the bytes are not: another encoding of the same\n");
    }
}

static bool
is_cause(const struct view *view, const struct gf_event *event)
{
    return view->cause_topic != NULL &&
           strcmp(view->cause_topic, gf_topics[event->topic].name) == 0 &&
           (int64_t)event->partition == view->cause_partition &&
           event->offset == view->cause_offset;
}

static void
event_print(struct compare_report *report, const struct gf_batch_event *item, const char *before)
{
    struct gf_error error;
    if (line_make(&report->line, item->event.record, &error) == GF_OK) {
        printf("%s%.*s", before, (int)report->line.length - 1, report->line.text);
    }
}

/* The event that made it; false when the batch has no such event. */
static bool
cause_print(struct compare_report *report, const struct view *view)
{
    const struct gf_batch *batch = view->difference->batch;
    for (uint32_t i = 0; i < batch->event_count; i++) {
        if (is_cause(view, &batch->events[i].event)) {
            event_print(report, &batch->events[i], "");
            return true;
        }
    }
    return false;
}

/* The last events of the same key before it: what comes later in the batch has no part in it.
 * Returns how many there are in all. */
static uint32_t
events_before_print(struct compare_report *report, const struct view *view, const char *between)
{
    const struct gf_batch *batch = view->difference->batch;
    uint32_t places[RECORDS_SHOWN_MAX], count = 0;
    for (uint32_t i = 0; view->entity.size > 0 && i < batch->event_count &&
                         !is_cause(view, &batch->events[i].event);
         i++) {
        if (gf_span_equal(batch->events[i].event.key, view->entity)) {
            places[count++ % RECORDS_SHOWN_MAX] = i;
        }
    }
    const uint32_t first = count > RECORDS_SHOWN_MAX ? count - RECORDS_SHOWN_MAX : 0;
    for (uint32_t i = first; i < count; i++) {
        event_print(report, &batch->events[places[i % RECORDS_SHOWN_MAX]],
                    i == first ? "" : between);
    }
    return count;
}

static void
causes_print(struct compare_report *report, const struct view *view)
{
    printf("\nMade by\n  ");
    if (!cause_print(report, view)) {
        if (view->cause_topic == NULL) {
            printf("a timer, when wall time moved on");
        } else {
            printf("%s/%lld/%lld, which is no input of this batch", view->cause_name,
                   (long long)view->cause_partition, (long long)view->cause_offset);
        }
    }
    printf("\n\nRecords of the same key before it in the batch\n  ");
    const uint32_t count = events_before_print(report, view, "\n  ");
    printf(count == 0 ? "none\n" : "\n");
    if (count > RECORDS_SHOWN_MAX) {
        printf("  (the last %d of %u)\n", RECORDS_SHOWN_MAX, count);
    }
}

static void
difference_print(struct compare_report *report, const struct view *view)
{
    const struct gf_difference *difference = view->difference;
    const struct gf_type *type = gf_topics[difference->topic].type;
    headline_print(view);
    if (difference->kind == GF_DIFFERENCE_RECORD) {
        fields_print(view);
    }
    if (difference->kind == GF_DIFFERENCE_MISSING && view->folded != NULL) {
        printf("\nThe record that is not there\n");
        print_fields(stdout, type, view->folded, "  ", "lineage");
    }
    if (difference->kind == GF_DIFFERENCE_EXTRA && view->logged != NULL) {
        printf("\nThe record that is there\n");
        print_fields(stdout, type, view->logged, "  ", "lineage");
    }
    if (difference->batch == NULL) {
        return;
    }
    if (difference->kind != GF_DIFFERENCE_DIGEST) {
        causes_print(report, view);
    }
    printf("\nInputs of the batch\n");
    print_ranges(stdout, difference->batch, false);
}

/* ---- as JSON ---- */

static const char *
agreement_text(enum gf_agreement agreement)
{
    return agreement == GF_AGREEMENT_YES ? "true" : agreement == GF_AGREEMENT_NO ? "false" : "null";
}

static void
fields_json(const struct view *view)
{
    const struct gf_difference *difference = view->difference;
    bool is_first = true;
    printf(",\"fields\":[");
    for (uint32_t i = 0; i < view->field_count && i < FIELDS_SHOWN_MAX; i++) {
        const struct gf_differing *field = &view->fields[i];
        printf("%s{\"path\":\"%s\",\"log\":", is_first ? "" : ",", field->path);
        print_value(stdout, field->type, field->a, false);
        printf(",\"refold\":");
        print_value(stdout, field->type, field->b, false);
        putchar('}');
        is_first = false;
    }
    if (view->time_differs) {
        char logged[GF_TIME_TEXT_SIZE], folded[GF_TIME_TEXT_SIZE];
        gf_time_print(difference->record.timestamp, logged);
        gf_time_print(difference->effect->time, folded);
        printf("%s{\"path\":\"(record time)\",\"log\":\"%s\",\"refold\":\"%s\"}",
               is_first ? "" : ",", logged, folded);
        is_first = false;
    }
    if (view->key_differs) {
        printf("%s{\"path\":\"(key)\",\"log\":", is_first ? "" : ",");
        print_text(stdout, difference->record.key);
        printf(",\"refold\":");
        print_text(stdout, difference->effect->key);
        putchar('}');
    }
    putchar(']');
}

static void
difference_json(struct compare_report *report, const struct view *view)
{
    static const char *const kinds[] = {"RECORD", "MISSING", "EXTRA", "DIGEST"};
    const struct gf_difference *difference = view->difference;
    printf("{\"equal\":false,\"kind\":\"%s\",\"topic\":\"%s\",\"partition\":%u",
           kinds[difference->kind], gf_topics[difference->topic].name, difference->partition);
    if (difference->kind == GF_DIFFERENCE_RECORD || difference->kind == GF_DIFFERENCE_EXTRA) {
        printf(",\"offset\":%lld", (long long)difference->record.offset);
    }
    printf(",\"shard\":%u", difference->shard);
    if (difference->journal != NULL) {
        char time[GF_TIME_TEXT_SIZE];
        gf_time_print(difference->journal->shard_time, time);
        printf(",\"batch\":%" PRId64 ",\"shard_time\":\"%s\"", difference->journal->batch, time);
    }
    printf(",\"journal_is_refold\":%s,\"journal_is_log\":%s,\"verdict\":",
           agreement_text(difference->journal_is_refold),
           agreement_text(difference->journal_is_log));
    print_text(stdout, gf_span_text(verdict_of(difference)));
    fields_json(view);
    printf(",\"log\":");
    print_value(stdout, gf_topics[difference->topic].type, view->logged, false);
    printf(",\"refold\":");
    print_value(stdout, gf_topics[difference->topic].type, view->folded, false);
    if (difference->batch != NULL) {
        printf(",\"made_by\":[");
        (void)cause_print(report, view);
        printf("],\"same_key_before\":[");
        (void)events_before_print(report, view, ",");
        printf("],\"inputs\":");
        print_ranges(stdout, difference->batch, true);
    }
    puts("}");
}

void
compare_show(void *context, const struct gf_difference *difference)
{
    struct compare_report *report = context;
    struct view view;
    view_make(&view, report, difference);
    report->is_shown = true;
    if (report->as_json) {
        difference_json(report, &view);
    } else {
        difference_print(report, &view);
    }
    fflush(stdout);
}

void
compare_cuts_print(const struct gf_compare *compare)
{
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        const struct gf_compare_start *start = &compare->cursors[topic].start;
        if (start->first == 0) {
            continue;
        }
        if (start->from_batch == INT64_MAX) {
            fprintf(stderr, "%s/%u: retention has cut everything; nothing of it was compared\n",
                    gf_topics[topic].name, start->partition);
        } else {
            fprintf(stderr,
                    "%s/%u: retention has cut what is before offset %" PRId64
                    "; compared from batch %" PRId64 " on\n",
                    gf_topics[topic].name, start->partition, start->first, start->from_batch);
        }
    }
}
