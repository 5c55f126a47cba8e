/* gridfold dlq list, gridfold dlq show: what could not be folded, and what to do about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "codec/json.h"
#include "codec/records.h"
#include "dlq.h"
#include "loop/decode.h"
#include "reason.h"

#define GROUP_COUNT_MAX    256
#define LINES_SHOWN        100
#define HEX_SHOWN          512
#define MESSAGE_SHOWN_SIZE 100

struct group {
    char topic[64], code[32];
    int64_t count;
    struct gf_time from, to;
};

struct listing {
    const struct dlq *dlq;
    struct group groups[GROUP_COUNT_MAX];
    uint32_t group_count;
    int64_t total, printed, limit;
};

static void
group_count(struct listing *listing, const struct gf_record *record,
            const struct gf_dead_letter *letter)
{
    struct group *group = NULL;
    for (uint32_t i = 0; i < listing->group_count && group == NULL; i++) {
        struct group *at = &listing->groups[i];
        if (gf_span_equal(letter->topic, gf_span_text(at->topic)) &&
            gf_span_equal(letter->code, gf_span_text(at->code))) {
            group = at;
        }
    }
    if (group == NULL && listing->group_count < GROUP_COUNT_MAX) {
        group = &listing->groups[listing->group_count++];
        *group = (struct group){.from = record->timestamp, .to = record->timestamp};
        snprintf(group->topic, sizeof(group->topic), "%.*s", GF_SPAN_PRINT(letter->topic));
        snprintf(group->code, sizeof(group->code), "%.*s", GF_SPAN_PRINT(letter->code));
    }
    if (group != NULL) {
        group->count++;
        group->from = record->timestamp.us < group->from.us ? record->timestamp : group->from;
        group->to = gf_time_max(record->timestamp, group->to);
    }
}

static bool
letter_count(void *context, const struct gf_record *record, const struct gf_dead_letter *letter)
{
    struct listing *listing = context;
    listing->total++;
    group_count(listing, record, letter);
    return true;
}

static int
group_order(const void *a, const void *b)
{
    const struct group *const left = a, *const right = b;
    if (left->count != right->count) {
        return left->count < right->count ? 1 : -1;
    }
    const int order = strcmp(left->code, right->code);
    return order != 0 ? order : strcmp(left->topic, right->topic);
}

static void
groups_print(struct listing *listing)
{
    qsort(listing->groups, listing->group_count, sizeof(listing->groups[0]), group_order);
    if (listing->dlq->as_json) {
        printf("{\"total\":%lld,\"counts\":[", (long long)listing->total);
    } else {
        printf("%lld dead letters\n", (long long)listing->total);
    }
    for (uint32_t i = 0; i < listing->group_count; i++) {
        const struct group *group = &listing->groups[i];
        char from[GF_TIME_TEXT_SIZE], to[GF_TIME_TEXT_SIZE];
        gf_time_print(group->from, from);
        gf_time_print(group->to, to);
        if (listing->dlq->as_json) {
            printf("%s{\"code\":\"%s\",\"topic\":\"%s\",\"count\":%lld,\"from\":\"%s\","
                   "\"to\":\"%s\"}",
                   i > 0 ? "," : "", group->code, group->topic, (long long)group->count, from, to);
        } else {
            printf("%10lld  %-15s %-19s %s to %s\n", (long long)group->count, group->code,
                   group->topic, from, to);
        }
    }
    fputs(listing->dlq->as_json ? "],\"letters\":[" : listing->total > 0 ? "\n" : "", stdout);
}

static void
letter_json(const struct gf_record *record, const struct gf_dead_letter *letter)
{
    char time[GF_TIME_TEXT_SIZE];
    gf_time_print(record->timestamp, time);
    printf("{\"letter\":\"dead.letters/%u/%lld\",\"refused\":\"%s\",\"key\":", record->partition,
           (long long)record->offset, time);
    if (letter->has_key) {
        print_text(stdout, letter->key);
    } else {
        printf("null");
    }
    printf(",\"dead_letter\":");
    print_value(stdout, gf_topics[GF_TOPIC_DEAD_LETTERS].type, letter, false);
    putchar('}');
}

static void
original_print(char out[POSITION_SIZE], const struct gf_dead_letter *letter)
{
    char topic[64];
    snprintf(topic, sizeof(topic), "%.*s", GF_SPAN_PRINT(letter->topic));
    if (letter->partition < 0) {
        snprintf(out, POSITION_SIZE, "a timer");
    } else {
        position_print(out, topic, letter->partition, letter->offset);
    }
}

static bool
letter_line(void *context, const struct gf_record *record, const struct gf_dead_letter *letter)
{
    struct listing *listing = context;
    if (listing->limit >= 0 && listing->printed >= listing->limit) {
        return false;
    }
    if (listing->dlq->as_json) {
        fputs(listing->printed > 0 ? "," : "", stdout);
        letter_json(record, letter);
        listing->printed++;
        return true;
    }
    char where[POSITION_SIZE], original[POSITION_SIZE], time[GF_TIME_TEXT_SIZE];
    position_print(where, "dead.letters", record->partition, record->offset);
    original_print(original, letter);
    gf_time_print(record->timestamp, time);
    printf("%-22s %s  %-14.*s %-28s ", where, time, GF_SPAN_PRINT(letter->code), original);
    print_bytes(stdout, letter->has_key ? letter->key : gf_span_text("(no key)"));
    const struct gf_span message = letter->message;
    const bool is_cut = message.size > MESSAGE_SHOWN_SIZE;
    printf("  %.*s%s%s\n", (int)(is_cut ? MESSAGE_SHOWN_SIZE : message.size),
           (const char *)message.data, is_cut ? "..." : "",
           dlq_replayed_from(letter).size > 0 ? " (replayed before)" : "");
    listing->printed++;
    return true;
}

static enum gf_rc
list(struct dlq *dlq, struct gf_error *error)
{
    struct listing *listing = calloc(1, sizeof(*listing));
    if (listing == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
    }
    listing->dlq = dlq;
    listing->limit = dlq->limit < 0 && !dlq->as_json ? LINES_SHOWN : dlq->limit;
    enum gf_rc rc = dlq_walk(dlq, letter_count, listing, error);
    if (rc == GF_OK) {
        groups_print(listing);
        rc = dlq_walk(dlq, letter_line, listing, error);
    }
    if (rc == GF_OK && dlq->as_json) {
        puts("]}");
    } else if (rc == GF_OK && listing->printed < listing->total) {
        printf("and %lld more; --limit shows more of them, --code, --topic and --key choose\n",
               (long long)(listing->total - listing->printed));
    }
    free(listing);
    return rc;
}

/* ---- one letter ---- */

struct showing {
    const struct dlq *dlq;
    bool is_found;
    struct gf_error *error;
    enum gf_rc rc;
};

static void
hex_print(struct gf_span bytes)
{
    for (uint32_t i = 0; i < bytes.size && i < HEX_SHOWN; i++) {
        printf("%s%02x", i % 32 == 0 ? "\n    " : i % 4 == 0 ? " " : "", bytes.data[i]);
    }
    putchar('\n');
    if (bytes.size > HEX_SHOWN) {
        printf("    and %u bytes more; --json has all of them\n", bytes.size - HEX_SHOWN);
    }
}

/* The value decoded now, which may work where it did not when it was refused. */
static void
value_print(struct showing *showing, const struct gf_dead_letter *letter)
{
    enum gf_topic topic;
    if (!letter->has_value) {
        printf("  value       none\n");
        return;
    }
    printf("  value       %u bytes", letter->value.size);
    hex_print(letter->value);
    if (!dlq_is_replayable(letter, &topic)) {
        return;
    }
    const struct gf_record record = {.topic = (int32_t)topic,
                                     .partition = (uint32_t)letter->partition,
                                     .offset = letter->offset,
                                     .timestamp = letter->timestamp,
                                     .has_value = true,
                                     .is_framed = true,
                                     .value = letter->value};
    struct gf_decoded decoded = {0};
    struct gf_arena *arena = (struct gf_arena *)(uintptr_t)&showing->dlq->arena;
    if (gf_decode_record(gf_log_lookup(showing->dlq->job.log), &record, arena, &decoded,
                         showing->error) != GF_OK) {
        printf("  decoded     not now: %s\n", showing->error->text);
    } else if (decoded.body == NULL) {
        printf("  decoded     no: %s\n", decoded.reason);
    } else {
        printf("  decoded     schema id %u\n", decoded.schema_id);
        print_fields(stdout, gf_topics[topic].type, decoded.body, "    ", NULL);
    }
}

static void
letter_print(struct showing *showing, const struct gf_record *record,
             const struct gf_dead_letter *letter)
{
    char where[POSITION_SIZE], original[POSITION_SIZE], time[GF_TIME_TEXT_SIZE];
    position_print(where, "dead.letters", record->partition, record->offset);
    original_print(original, letter);
    enum gf_topic topic;
    const bool is_replayable = dlq_is_replayable(letter, &topic);
    gf_time_print(record->timestamp, time);
    printf("%s: %s was refused by shard %d in batch %lld at shard time %s\n", where, original,
           letter->shard, (long long)letter->batch, time);
    printf("\nWhy\n  %.*s: %.*s\n", GF_SPAN_PRINT(letter->code), GF_SPAN_PRINT(letter->message));
    printf("\nWhat to do\n  %s\n",
           letter->partition < 0
               ? "a timer is no record: nothing can be replayed; it is a fault of the operator's "
                 "arithmetic on this customer's state (`gridfold state get`), and a reason to "
                 "report it"
           : is_replayable ? remedy_text(letter->code)
                           : "the stage before wrote it: nothing can be replayed; `gridfold tap` "
                             "shows it, and what is behind it is in the records of its key");
    if (dlq_replayed_from(letter).size > 0) {
        printf("  it was replayed before, from %.*s, and refused again\n",
               GF_SPAN_PRINT(dlq_replayed_from(letter)));
    } else if (is_replayable) {
        printf("  gridfold dlq replay -c CONFIG %s --dry-run\n", where);
    }
    gf_time_print(letter->timestamp, time);
    printf("\nThe original\n  timestamp   %s\n  key         ", time);
    print_bytes(stdout, letter->has_key ? letter->key : gf_span_text("(none)"));
    putchar('\n');
    for (uint32_t i = 0; i < letter->headers.count; i++) {
        printf("  header      %.*s: ", GF_SPAN_PRINT(letter->headers.items[i].name));
        print_bytes(stdout, letter->headers.items[i].value);
        putchar('\n');
    }
    value_print(showing, letter);
}

static bool
letter_show(void *context, const struct gf_record *record, const struct gf_dead_letter *letter)
{
    struct showing *showing = context;
    showing->is_found = true;
    if (showing->dlq->as_json) {
        letter_json(record, letter);
        putchar('\n');
    } else {
        letter_print(showing, record, letter);
    }
    return false;
}

static enum gf_rc
show(struct dlq *dlq, struct gf_error *error)
{
    struct showing showing = {.dlq = dlq, .error = error};
    const enum gf_rc rc = dlq_walk(dlq, letter_show, &showing, error);
    if (rc == GF_OK && !showing.is_found) {
        return gf_fail(error, GF_E_NOT_FOUND,
                       "no such dead letter; `gridfold dlq list` shows which there are");
    }
    return rc;
}

/* ---- the verbs ---- */

static int
start(const struct verb *verb, struct dlq *dlq, enum gf_rc (*work)(struct dlq *, struct gf_error *))
{
    struct gf_error error = {{0}};
    enum gf_rc rc = dlq_configure(verb, dlq);
    int exit_code = gf_rc_exit_code(rc);
    if (rc == GF_OK) {
        rc = dlq_open(dlq, &error);
        rc = rc == GF_OK ? work(dlq, &error) : rc;
        exit_code = rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
    }
    dlq_close(dlq);
    return exit_code;
}

static int
run(const struct verb *verb, int argc, char **argv, struct dlq *dlq)
{
    int option, exit_code = 0;
    dlq_init(dlq);
    while ((option = job_next_option(verb, argc, argv, &dlq->flags, &exit_code)) >= 0) {
        exit_code = dlq_option_take(verb, dlq, option);
        if (exit_code != 0) {
            return exit_code;
        }
    }
    if (option == -2) {
        return exit_code == 0 ? -1 : exit_code;
    }
    return dlq_arguments_take(verb, dlq, argc - optind, argv + optind);
}

static int
list_run(const struct verb *verb, int argc, char **argv)
{
    struct dlq dlq;
    const int exit_code = run(verb, argc, argv, &dlq);
    if (exit_code == 0 && dlq.has_place) {
        return verb_usage(verb, "one dead letter is shown by `gridfold dlq show`");
    }
    return exit_code == 0 ? start(verb, &dlq, list) : exit_code < 0 ? 0 : exit_code;
}

static int
show_run(const struct verb *verb, int argc, char **argv)
{
    struct dlq dlq;
    const int exit_code = run(verb, argc, argv, &dlq);
    if (exit_code == 0 && !dlq.has_place) {
        return verb_usage(verb, "a TOPIC/PARTITION/OFFSET is needed: the dead letter's, or that of "
                                "the record that was refused");
    }
    return exit_code == 0 ? start(verb, &dlq, show) : exit_code < 0 ? 0 : exit_code;
}

static const struct verb_option list_options[] = {
    DLQ_OPTIONS,
    DLQ_FILTER_OPTIONS,
    {NULL, 0, NULL, NULL},
};
static const struct verb_option show_options[] = {
    DLQ_OPTIONS,
    {NULL, 0, NULL, NULL},
};

const struct verb verb_dlq_list = {
    .name = "dlq list",
    .arguments = "-c CONFIG|LOG [--code CODE] [--topic TOPIC]…",
    .doc = "Counts the dead letters by code and topic and shows them, a line each.",
    .examples = "  gridfold dlq list -c config/gridfold.yaml\n"
                "  gridfold dlq list folder:demo/log --code LATE --topic meter.readings -n 20\n",
    .options = list_options,
    .run = list_run,
};

const struct verb verb_dlq_show = {
    .name = "dlq show",
    .arguments = "-c CONFIG|LOG TOPIC/PARTITION/OFFSET",
    .doc = "Shows one dead letter: why it was refused, what to do, and all of the original.",
    .examples = "  gridfold dlq show -c config/gridfold.yaml dead.letters/2/17\n"
                "  gridfold dlq show folder:demo/log meter.readings/2/1041\n",
    .options = show_options,
    .run = show_run,
};
