#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/civil.h"
#include "codec/records.h"
#include "config/value.h"
#include "explain.h"
#include "print.h"
#include "reason.h"

/* Outputs: which operator emits them, and what one says, with the fields in their places. */
static const struct {
    enum gf_topic topic;
    const char *logic, *sentence;
} outputs[] = {
    {GF_TOPIC_TARIFF_ADJUSTMENTS, "tariff",
     "{direction}: tariff {tariff_id} in {area_id} costs {price_e8_per_kwh} {currency} from "
     "{interval_start} to {interval_end}; the plan's price is {base_e8_per_kwh}, the policy wanted "
     "{wanted_e8_per_kwh}."},
    {GF_TOPIC_ARREARS_ALERTS, "arrears",
     "{kind}: customer {customer_id} goes from {previous_stage} to {stage}, owes {owed_micro} "
     "{currency} of which {overdue_micro} is overdue; grade {grade}, score {score}; measure: "
     "{measure}."},
    {GF_TOPIC_FRAUD_FLAGS, "fraud",
     "{state}: {code} at meter {meter_id} of customer {customer_id}, severity {severity}, score "
     "{score}; about {estimated_micro_kwh} since {change_at} ({method})."},
    {GF_TOPIC_DATA_QUALITY, "quality",
     "{rule}: {action} for {entity}, meter {meter_id}, interval of {interval_start}; "
     "{old_micro_kwh} became {new_micro_kwh}."},
    {GF_TOPIC_AREA_BALANCE, "balance",
     "{status}: in area {area_id} the transformer gave {total_micro_kwh} from {interval_start} on, "
     "{customers} customers took {sum_micro_kwh}; residual {residual_micro_kwh}, version "
     "{version}."},
};

#define OUTPUT_COUNT (sizeof(outputs) / sizeof(outputs[0]))

static uint32_t
output_index(int32_t topic)
{
    uint32_t i = 0;
    while (i < OUTPUT_COUNT && outputs[i].topic != (enum gf_topic)topic) {
        i++;
    }
    return i;
}

/* The operator that made an output: data quality of a tariff is the tariff operator's. */
static const char *
logic_of(int32_t topic, const struct gf_explained *explained)
{
    const uint32_t output = output_index(topic);
    return explained->entity == GF_ENTITY_TARIFF_AREA ? "tariff"
           : output < OUTPUT_COUNT                    ? outputs[output].logic
                                                      : "";
}

static const struct gf_field *
field_find(const struct gf_type *type, const char *name, size_t size)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (strlen(type->fields[i].name) == size && memcmp(type->fields[i].name, name, size) == 0) {
            return &type->fields[i];
        }
    }
    return NULL;
}

static void
field_print(const struct gf_type *type, const void *body, const char *name, size_t size)
{
    const struct gf_field *field = field_find(type, name, size);
    const uint8_t *const base = body;
    if (field == NULL || (field->has_offset >= 0 && !*(const bool *)(base + field->has_offset))) {
        fputs("none", stdout);
        return;
    }
    print_plain(stdout, field->type, base + field->offset);
}

static void
sentence_print(const char *sentence, const struct gf_type *type, const void *body)
{
    fputs("  ", stdout);
    for (const char *at = sentence; *at != '\0';) {
        const char *open = strchr(at, '{');
        const char *close = open == NULL ? NULL : strchr(open, '}');
        if (close == NULL) {
            fputs(at, stdout);
            break;
        }
        printf("%.*s", (int)(open - at), at);
        field_print(type, body, open + 1, (size_t)(close - open - 1));
        at = close + 1;
    }
    putchar('\n');
}

/* ---- reasons ---- */

static void
reasons_print(const struct gf_type *type, const void *body)
{
    const struct gf_field *field = field_find(type, "reasons", strlen("reasons"));
    if (field != NULL) {
        const struct gf_array *array = (const void *)((const uint8_t *)body + field->offset);
        const struct gf_reason *items = array->items;
        printf("\nReasons\n%s", array->count == 0 ? "  none\n" : "");
        for (uint32_t i = 0; i < array->count; i++) {
            const char *text = reason_text(items[i].code);
            printf("  %.*s  %.6g", GF_SPAN_PRINT(items[i].code), items[i].value);
            if (!isnan(items[i].limit)) {
                printf(" (limit %.6g)", items[i].limit);
            }
            if (items[i].weight != 0) {
                printf(", weight %.6g", items[i].weight);
            }
            printf("\n    %s\n", text == NULL ? "see docs/reasons.md" : text);
        }
    }
    field = field_find(type, "guardrails_hit", strlen("guardrails_hit"));
    if (field != NULL) {
        const struct gf_array *array = (const void *)((const uint8_t *)body + field->offset);
        const struct gf_span *items = array->items;
        printf("\nGuard-rails that moved the price\n%s", array->count == 0 ? "  none\n" : "");
        for (uint32_t i = 0; i < array->count; i++) {
            const char *text = reason_text(items[i]);
            printf("  %.*s: %s\n", GF_SPAN_PRINT(items[i]),
                   text == NULL ? "see docs/operators/tariff.md" : text);
        }
    }
}

/* ---- state before and after ---- */

static void
leaf_print(const char *path, const json_t *before, const json_t *after)
{
    const json_t *const shown = after != NULL ? after : before;
    char *const new_text =
        json_dumps(shown, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
    char *const old_text =
        before == NULL
            ? NULL
            : json_dumps(before, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
    const bool is_same = before != NULL && after != NULL && json_equal(before, after);
    if (is_same) {
        printf("    %-34s %s\n", path, new_text);
    } else if (after == NULL) {
        printf("  * %-34s %s -> gone\n", path, old_text);
    } else {
        printf("  * %-34s %s -> %s\n", path, old_text == NULL ? "none" : old_text, new_text);
    }
    free(new_text);
    free(old_text);
}

/* Both trees at once, a line for each leaf; `before` or `after` may be NULL. */
static void
tree_print(const char *path, const json_t *before, const json_t *after)
{
    char inner[256];
    const char *key;
    json_t *value;
    const bool is_tree = json_is_object(after) || (after == NULL && json_is_object(before));
    if (!is_tree) {
        leaf_print(path, before, after);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)(after != NULL ? after : before), key, value)
    {
        snprintf(inner, sizeof(inner), "%s%s%s", path, path[0] != '\0' ? "." : "", key);
        tree_print(inner, json_object_get(before, key),
                   after == NULL ? NULL : json_object_get(after, key));
    }
}

static void
part_print(const char *title, const char *name, const json_t *before, const json_t *after)
{
    const json_t *const old_part = json_object_get(before, name);
    const json_t *const new_part = json_object_get(after, name);
    if (old_part != NULL || new_part != NULL) {
        printf("\n%s (* what it changed: before -> after)\n", title);
        tree_print("", old_part, new_part);
    }
}

static void
state_print(const struct gf_explained *explained, const char *logic)
{
    json_error_t error;
    json_t *before = explained->before == NULL ? NULL : json_loads(explained->before, 0, &error);
    json_t *after = explained->after == NULL ? NULL : json_loads(explained->after, 0, &error);
    char title[64];
    if (explained->before == NULL) {
        printf("\nNothing was known of it before.\n");
    }
    part_print("Features", "features", before, after);
    snprintf(title, sizeof(title), "State of operator %s", logic);
    part_print(title, logic, before, after);
    json_decref(before);
    json_decref(after);
}

/* ---- parameters ---- */

static uint32_t
logic_index(const char *name)
{
    uint32_t i = 0;
    while (i < gf_operator_count && strcmp(gf_operators[i]->name, name) != 0) {
        i++;
    }
    return i;
}

static void
parameter_value_print(const struct gf_param *row, const void *params, FILE *file)
{
    if (row->type == GF_PARAM_TABLE) {
        fprintf(file, "%u rows",
                *(const uint32_t *)(const void *)((const char *)params + row->count_offset));
    } else {
        gf_value_print(row, params, file);
    }
}

static void
parameter_print_json(struct explain_report *report, const struct gf_param *row, const void *params)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (memory != NULL) {
        parameter_value_print(row, params, memory);
    }
    if (memory == NULL || fclose(memory) != 0) {
        report->rc = GF_E_NO_MEMORY;
    } else {
        print_text(stdout, gf_span_of(text, size));
    }
    free(text);
}

static void
parameters_print(struct explain_report *report, const struct gf_explained *explained,
                 const char *name)
{
    const uint32_t index = logic_index(name);
    const struct gf_operator *logic = index < gf_operator_count ? gf_operators[index] : NULL;
    for (uint32_t i = 0; logic != NULL && i < logic->param_count; i++) {
        const struct gf_param *row = &logic->params[i];
        const void *params = explained->config->operator_params[index];
        if (report->as_json) {
            printf("%s\"%s\":", i > 0 ? "," : "", row->name);
            parameter_print_json(report, row, params);
        } else {
            printf("    %-34s ", row->name);
            parameter_value_print(row, params, stdout);
            printf("%s%s\n", row->unit != NULL ? " " : "", row->unit != NULL ? row->unit : "");
        }
    }
}

/* ---- the whole ---- */

/* A record as a JSON object, null where there is no memory for it. */
static void
record_print(struct explain_report *report, const struct gf_record *record)
{
    struct gf_error error;
    const enum gf_rc rc = line_make(&report->line, record, &error);
    if (rc == GF_OK) {
        printf("%.*s", (int)report->line.length - 1, report->line.text);
    } else {
        printf("null");
        report->rc = rc;
    }
}

static void
cause_print(struct explain_report *report, const struct gf_explained *explained)
{
    char due[GF_TIME_TEXT_SIZE], before[GF_TIME_TEXT_SIZE], after[GF_TIME_TEXT_SIZE];
    gf_time_print(explained->shard_time_before, before);
    gf_time_print(explained->shard_time_after, after);
    printf("\nMade by\n");
    if (explained->is_timer && explained->effect != NULL) {
        gf_time_print(explained->effect->time, due);
        printf("  a timer that was due at %s; it went off when the shard's time moved from %s to "
               "%s by %s\n",
               due, before, after, explained->event == NULL ? "the wall clock" : "this record:");
    }
    if (explained->event != NULL) {
        const struct gf_event *event = &explained->event->event;
        char time[GF_TIME_TEXT_SIZE], stamp[GF_TIME_TEXT_SIZE], where[POSITION_SIZE];
        gf_time_print(event->event_time, time);
        gf_time_print(event->record->timestamp, stamp);
        position_print(where, gf_topics[event->topic].name, event->partition, event->offset);
        printf("  %s, key ", where);
        print_bytes(stdout, event->key);
        printf(", about %s, stamped %s\n", time, stamp);
        if (event->body != NULL) {
            print_fields(stdout, gf_topics[event->topic].type, event->body, "    ", NULL);
        } else {
            printf("    ");
            record_print(report, event->record);
            printf("\n");
        }
    }
    printf("  record %u of %u in batch %" PRId64 " of shard %d\n", explained->event_index + 1,
           explained->batch->event_count, explained->batch->number, explained->journal->shard);
}

static void
explained_print(struct explain_report *report, const struct gf_explained *explained)
{
    const struct gf_record *record = report->record;
    const struct gf_type *type = gf_topics[record->topic].type;
    const uint32_t output = output_index(record->topic);
    const char *logic = logic_of(record->topic, explained);
    char where[POSITION_SIZE], time[GF_TIME_TEXT_SIZE];
    position_print(where, gf_topics[record->topic].name, record->partition, record->offset);
    gf_time_print(record->timestamp, time);
    printf("%s, %s\n", where, time);
    if (output < OUTPUT_COUNT) {
        sentence_print(outputs[output].sentence, type, report->body);
    }
    reasons_print(type, report->body);
    cause_print(report, explained);
    state_print(explained, logic);
    printf("\nParameters of operator %s in force then\n", logic);
    parameters_print(report, explained, logic);
    printf("\nThe record\n");
    print_fields(stdout, type, report->body, "    ", NULL);
    printf("\nChecked\n");
    if (explained->is_same) {
        printf("  folded again, the same %u bytes come out\n", gf_compare_body(record).size);
    } else {
        printf("  folded again, %s\n",
               explained->effect == NULL ? "no such record comes out" : "other bytes come out");
    }
    printf("  configuration %016" PRIx64 ", models %016" PRIx64 ", fold version %d\n",
           explained->config_hash, explained->config->model_hash, GF_FOLD_VERSION);
}

static void
explained_json(struct explain_report *report, const struct gf_explained *explained)
{
    const char *logic = logic_of(report->record->topic, explained);
    char time[GF_TIME_TEXT_SIZE];
    printf("{\"output\":");
    record_print(report, report->record);
    printf(",\"shard\":%d,\"batch\":%" PRId64 ",\"made_by\":{\"kind\":\"%s\"",
           explained->journal->shard, explained->batch->number,
           explained->is_timer ? "timer" : "event");
    if (explained->is_timer && explained->effect != NULL) {
        gf_time_print(explained->effect->time, time);
        printf(",\"due\":\"%s\"", time);
    }
    printf(",\"record\":");
    if (explained->event == NULL) {
        printf("null");
    } else {
        record_print(report, explained->event->event.record);
    }
    gf_time_print(explained->shard_time_before, time);
    printf(",\"shard_time_before\":\"%s\"", time);
    gf_time_print(explained->shard_time_after, time);
    printf(",\"shard_time_after\":\"%s\"},\"batch_inputs\":", time);
    print_ranges(stdout, explained->batch, true);
    printf(",\"before\":%s,\"after\":%s", explained->before == NULL ? "null" : explained->before,
           explained->after == NULL ? "null" : explained->after);
    printf(",\"operator\":\"%s\",\"parameters\":{", logic);
    parameters_print(report, explained, logic);
    printf("},\"config_hash\":\"%016" PRIx64 "\",\"model_hash\":\"%016" PRIx64
           "\",\"fold_version\":%d,\"same_bytes\":%s}\n",
           explained->config_hash, explained->config->model_hash, GF_FOLD_VERSION,
           explained->is_same ? "true" : "false");
}

void
explain_show(void *context, const struct gf_explained *explained)
{
    struct explain_report *report = context;
    report->is_same = explained->is_same;
    if (report->as_json) {
        explained_json(report, explained);
    } else {
        explained_print(report, explained);
    }
}
