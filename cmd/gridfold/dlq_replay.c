/* gridfold dlq replay: the original bytes of dead letters, back onto the input topics. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/hash.h"
#include "codec/records.h"
#include "dlq.h"
#include "io/log_writer.h"
#include "scan.h"

#define BYTES_MAX (INT64_C(1) << 30)

/* A letter, copied: the log is closed when it is written. */
struct letter {
    uint32_t partition; /* of the letter */
    int64_t offset;
    enum gf_topic topic;
    uint32_t from_partition, to_partition; /* of the original, of the replay */
    int64_t from_offset;
    struct gf_record record; /* with headers; spans into `bytes` */
    uint8_t *bytes;
    char code[32];
    bool is_done; /* was replayed before */
};

struct replay {
    struct dlq dlq;
    bool is_dry, is_again, is_all;
    struct letter *letters; /* by partition and offset */
    uint32_t count, reserved;
    int64_t bytes, skipped; /* timers, and what a stage wrote for the next */
    enum gf_rc rc;
    struct gf_error *error;
    uint32_t done;
};

/* ---- reading the letters ---- */

static struct gf_span
copy(uint8_t **at, struct gf_span span)
{
    struct gf_span out = gf_span_of(*at, span.size);
    if (span.size > 0) {
        memcpy(*at, span.data, span.size);
    }
    *at += span.size;
    return out;
}

static bool
letter_copy(struct letter *out, const struct gf_record *record, const struct gf_dead_letter *letter)
{
    char origin[POSITION_SIZE];
    position_print(origin, "dead.letters", record->partition, record->offset);
    const struct gf_span name = gf_span_text(DLQ_HEADER), value = gf_span_text(origin);
    const size_t headers_size = (letter->headers.count + (size_t)1) * sizeof(struct gf_header);
    size_t size = headers_size + letter->key.size + letter->value.size + name.size + value.size;
    for (uint32_t i = 0; i < letter->headers.count; i++) {
        size += (size_t)letter->headers.items[i].name.size + letter->headers.items[i].value.size;
    }
    uint8_t *at = out->bytes = malloc(size);
    if (at == NULL) {
        return false;
    }
    struct gf_header *headers = (struct gf_header *)(void *)at;
    at += headers_size;
    out->record = (struct gf_record){.topic = (int32_t)out->topic,
                                     .offset = -1,
                                     .has_key = letter->has_key,
                                     .has_value = letter->has_value,
                                     .is_framed = true,
                                     .key = copy(&at, letter->key),
                                     .value = copy(&at, letter->value),
                                     .headers = headers};
    for (uint32_t i = 0; i < letter->headers.count; i++) {
        const struct gf_dead_letter_header *header = &letter->headers.items[i];
        if (!gf_span_equal(header->name, name)) { /* of an earlier replay */
            headers[out->record.header_count++] = (struct gf_header){
                .name = copy(&at, header->name), .value = copy(&at, header->value)};
        }
    }
    headers[out->record.header_count++] =
        (struct gf_header){.name = copy(&at, name), .value = copy(&at, value)};
    return true;
}

static bool
letter_take(void *context, const struct gf_record *record, const struct gf_dead_letter *letter)
{
    struct replay *replay = context;
    struct letter one = {.partition = record->partition, .offset = record->offset};
    if (!dlq_is_replayable(letter, &one.topic)) {
        replay->skipped++;
        return true;
    }
    if (replay->dlq.limit >= 0 && replay->count >= replay->dlq.limit) {
        return false;
    }
    one.from_partition = (uint32_t)letter->partition;
    one.from_offset = letter->offset;
    snprintf(one.code, sizeof(one.code), "%.*s", GF_SPAN_PRINT(letter->code));
    replay->bytes += (int64_t)letter->key.size + letter->value.size;
    if (replay->bytes > BYTES_MAX) {
        replay->rc = gf_fail(replay->error, GF_E_USAGE,
                             "these are more than 1 GiB at once; take them in parts with --limit "
                             "(what was replayed is passed over), --topic or --code");
        return false;
    }
    if (replay->count == replay->reserved) {
        const uint32_t reserved = replay->reserved == 0 ? 256 : 2 * replay->reserved;
        struct letter *grown = realloc(replay->letters, reserved * sizeof(*grown));
        if (grown != NULL) {
            replay->letters = grown;
            replay->reserved = reserved;
        }
    }
    if (replay->count == replay->reserved || !letter_copy(&one, record, letter)) {
        replay->rc = gf_fail(replay->error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
        return false;
    }
    replay->letters[replay->count++] = one;
    return true;
}

/* Where each goes: where its key belongs; what has none, and reference records, back to where they
 * were. */
static enum gf_rc
partitions_choose(struct replay *replay, struct gf_error *error)
{
    struct gf_source *source = replay->dlq.source;
    uint32_t counts[GF_TOPIC_INPUT_COUNT] = {0};
    for (uint32_t i = 0; i < replay->count; i++) {
        struct letter *letter = &replay->letters[i];
        uint32_t *count = &counts[letter->topic];
        if (*count == 0) {
            const enum gf_rc rc = source->ops->partitions(source, letter->topic, count, error);
            if (rc != GF_OK) {
                return rc;
            }
        }
        const bool is_keyed = !gf_topics[letter->topic].is_reference && letter->record.has_key &&
                              letter->record.key.size > 0;
        letter->to_partition = is_keyed ? gf_partition_of(letter->record.key, *count)
                                        : letter->from_partition % *count;
        letter->record.partition = letter->to_partition;
    }
    return GF_OK;
}

/* ---- those that were replayed before ---- */

static bool
header_visit(void *context, const struct gf_record *record)
{
    struct replay *replay = context;
    for (uint32_t i = 0; i < record->header_count; i++) {
        char text[POSITION_SIZE];
        enum gf_topic topic;
        uint32_t partition = 0;
        int64_t offset = 0;
        const struct gf_header *header = &record->headers[i];
        if (!gf_span_equal(header->name, gf_span_text(DLQ_HEADER)) ||
            header->value.size >= sizeof(text)) {
            continue;
        }
        snprintf(text, sizeof(text), "%.*s", GF_SPAN_PRINT(header->value));
        if (!position_parse(text, &topic, &partition, &offset) || topic != GF_TOPIC_DEAD_LETTERS) {
            continue;
        }
        uint32_t low = 0, high = replay->count;
        while (low < high) {
            const uint32_t middle = low + (high - low) / 2;
            const struct letter *letter = &replay->letters[middle];
            const bool is_before = letter->partition < partition ||
                                   (letter->partition == partition && letter->offset < offset);
            low = is_before ? middle + 1 : low;
            high = is_before ? high : middle;
        }
        if (low < replay->count && replay->letters[low].partition == partition &&
            replay->letters[low].offset == offset && !replay->letters[low].is_done) {
            replay->letters[low].is_done = true;
            replay->done++;
        }
    }
    return true;
}

/* A replay lies behind its original, or anywhere in another partition. */
static enum gf_rc
done_find(struct replay *replay, struct gf_error *error)
{
    uint32_t width = 1;
    for (uint32_t i = 0; i < replay->count; i++) {
        const uint32_t partition = replay->letters[i].to_partition;
        width = partition >= width ? partition + 1 : width;
    }
    int64_t *from = malloc((size_t)GF_TOPIC_INPUT_COUNT * width * sizeof(*from));
    if (from == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
    }
    for (size_t i = 0; i < (size_t)GF_TOPIC_INPUT_COUNT * width; i++) {
        from[i] = INT64_MAX;
    }
    for (uint32_t i = 0; i < replay->count; i++) {
        const struct letter *letter = &replay->letters[i];
        int64_t *first = &from[(size_t)letter->topic * width + letter->to_partition];
        const int64_t own =
            letter->from_partition == letter->to_partition ? letter->from_offset + 1 : 0;
        *first = own < *first ? own : *first;
    }
    enum gf_rc rc = GF_OK;
    for (size_t i = 0; rc == GF_OK && i < (size_t)GF_TOPIC_INPUT_COUNT * width; i++) {
        if (from[i] < INT64_MAX) {
            rc = scan_partition(replay->dlq.source, (enum gf_topic)(i / width),
                                (uint32_t)(i % width), from[i], INT64_MAX, header_visit, replay,
                                error);
        }
    }
    free(from);
    return rc;
}

/* ---- writing them ---- */

static bool
is_wanted(const struct replay *replay, const struct letter *letter)
{
    return replay->is_again || !letter->is_done;
}

static enum gf_rc
letter_write(struct gf_log_writer *writer, struct gf_record *record, struct gf_error *error)
{
    enum gf_rc rc = gf_log_writer_append(writer, record, error);
    if (rc == GF_E_UNKNOWN_SCHEMA || rc == GF_E_BAD_DATA) {
        record->is_framed = false; /* no schema of this log: bytes as they are, as before */
        record->schema_id = 0;
        rc = gf_log_writer_append(writer, record, error);
    }
    return rc;
}

static enum gf_rc
letters_write(struct replay *replay, const char *log, uint32_t *written_out, struct gf_error *error)
{
    struct gf_log_writer_options options;
    struct gf_kafka_property *properties = NULL;
    struct gf_log_writer *writer = NULL;
    enum gf_rc rc = job_writer_options(&replay->dlq.job, &options, &properties);
    *written_out = 0;
    if (rc == GF_OK) {
        options.partitions_new = 0;
        rc = gf_log_writer_open(log, &options, &writer, error);
    }
    const struct gf_time now = replay->dlq.job.clock->now(replay->dlq.job.clock);
    for (uint32_t i = 0; rc == GF_OK && i < replay->count; i++) {
        struct letter *letter = &replay->letters[i];
        if (is_wanted(replay, letter)) {
            letter->record.timestamp = now;
            rc = letter_write(writer, &letter->record, error);
            *written_out += rc == GF_OK;
        }
    }
    if (writer != NULL) {
        const enum gf_rc closed = gf_log_writer_close(writer, rc == GF_OK ? error : NULL);
        rc = rc == GF_OK ? closed : rc;
    }
    free(properties);
    return rc;
}

static void
plan_print(const struct replay *replay)
{
    for (uint32_t i = 0; i < replay->count; i++) {
        const struct letter *letter = &replay->letters[i];
        char from[POSITION_SIZE], original[POSITION_SIZE];
        if (!is_wanted(replay, letter)) {
            continue;
        }
        position_print(from, "dead.letters", letter->partition, letter->offset);
        position_print(original, gf_topics[letter->topic].name, letter->from_partition,
                       letter->from_offset);
        printf("%-22s %-14s %-28s -> %s/%u  ", from, letter->code, original,
               gf_topics[letter->topic].name, letter->to_partition);
        print_bytes(stdout, letter->record.has_key ? letter->record.key : gf_span_text("(no key)"));
        putchar('\n');
    }
}

static void
result_print(const struct replay *replay, uint32_t written)
{
    const uint32_t passed = replay->is_again ? 0 : replay->done;
    const uint32_t wanted = replay->count - passed;
    if (replay->dlq.as_json) {
        printf("{\"selected\":%u,\"replayed\":%u,\"dry_run\":%s,\"replayed_before\":%u,"
               "\"not_replayable\":%lld}\n",
               replay->count, written, replay->is_dry ? "true" : "false", replay->done,
               (long long)replay->skipped);
        return;
    }
    if (replay->is_dry) {
        printf("%u dead letters would be replayed; nothing was written\n", wanted);
    } else {
        printf("%u dead letters were replayed\n", written);
    }
    if (passed > 0) {
        printf("%u were replayed before and are left alone; --again takes them too\n", passed);
    }
    if (replay->skipped > 0) {
        printf("%lld are of timers or were written by a stage for the next: they cannot be "
               "replayed\n",
               (long long)replay->skipped);
    }
}

static enum gf_rc
replay_work(struct replay *replay, struct gf_error *error)
{
    replay->error = error;
    enum gf_rc rc = dlq_open(&replay->dlq, error);
    if (rc == GF_OK) {
        rc = dlq_walk(&replay->dlq, letter_take, replay, error);
    }
    if (rc == GF_OK) {
        rc = replay->rc;
    }
    if (rc == GF_OK && replay->dlq.has_place && replay->count + replay->skipped == 0) {
        rc = gf_fail(error, GF_E_NOT_FOUND,
                     "no such dead letter; `gridfold dlq list` shows which there are");
    }
    if (rc == GF_OK) {
        rc = partitions_choose(replay, error);
    }
    if (rc == GF_OK) {
        rc = done_find(replay, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    uint32_t written = 0;
    if (replay->is_dry && !replay->dlq.as_json) {
        plan_print(replay);
    }
    if (!replay->is_dry && (replay->is_again || replay->done < replay->count)) {
        rc = letters_write(replay, dlq_log_name(&replay->dlq), &written, error);
        if (rc == GF_E_BUSY) {
            rc = gf_fail_prefix(error, rc,
                                "a folder log has one writer at a time; nothing was replayed");
        } else if (rc != GF_OK) {
            rc = gf_fail_prefix(
                error, rc, "up to %u of the dead letters were replayed; run it again for the rest",
                written);
        }
    }
    if (rc == GF_OK) {
        result_print(replay, written);
    }
    return rc;
}

/* ---- the verb ---- */

static const struct verb_option replay_options[] = {
    DLQ_OPTIONS,
    DLQ_FILTER_OPTIONS,
    {"all", 0, NULL, "all that there are; needed where nothing else chooses"},
    {"dry-run", 0, NULL, "show what would be replayed and where it would go"},
    {"again", 0, NULL, "also those that were replayed before"},
    {NULL, 0, NULL, NULL},
};

enum { OPTION_ALL = DLQ_OPTION_COUNT, OPTION_DRY_RUN, OPTION_AGAIN };

static int
replay_start(const struct verb *verb, struct replay *replay)
{
    struct gf_error error = {{0}};
    enum gf_rc rc = dlq_configure(verb, &replay->dlq);
    int exit_code = gf_rc_exit_code(rc);
    if (rc == GF_OK) {
        rc = replay_work(replay, &error);
        exit_code = rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
    }
    for (uint32_t i = 0; i < replay->count; i++) {
        free(replay->letters[i].bytes);
    }
    free(replay->letters);
    dlq_close(&replay->dlq);
    return exit_code;
}

static int
dlq_replay_run(const struct verb *verb, int argc, char **argv)
{
    struct replay replay = {0};
    struct dlq *dlq = &replay.dlq;
    int option, exit_code = 0;
    dlq_init(dlq);
    while ((option = job_next_option(verb, argc, argv, &dlq->flags, &exit_code)) >= 0) {
        replay.is_all = replay.is_all || option == OPTION_ALL;
        replay.is_dry = replay.is_dry || option == OPTION_DRY_RUN;
        replay.is_again = replay.is_again || option == OPTION_AGAIN;
        exit_code = dlq_option_take(verb, dlq, option);
        if (exit_code != 0) {
            return exit_code;
        }
    }
    if (option == -2) {
        return exit_code;
    }
    exit_code = dlq_arguments_take(verb, dlq, argc - optind, argv + optind);
    if (exit_code != 0) {
        return exit_code;
    }
    const bool is_chosen = replay.is_all || dlq->has_place || dlq->topic != NULL ||
                           dlq->code != NULL || dlq->key != NULL || !gf_time_is_none(dlq->from) ||
                           !gf_time_is_none(dlq->to) || dlq->limit >= 0;
    if (!is_chosen) {
        return verb_usage(verb, "which ones? A position, --code, --topic, --key, --from, --to, "
                                "--limit or --all; --dry-run shows them first");
    }
    return replay_start(verb, &replay);
}

const struct verb verb_dlq_replay = {
    .name = "dlq replay",
    .arguments = "-c CONFIG|LOG [TOPIC/PARTITION/OFFSET] [--code CODE]… [--dry-run]",
    .doc = "Puts the original records of dead letters back onto their topics, once their cause is "
           "mended.",
    .examples = "  gridfold dlq replay -c config/gridfold.yaml --code UNKNOWN_SCHEMA --dry-run\n"
                "  gridfold dlq replay -c config/gridfold.yaml dead.letters/2/17\n",
    .options = replay_options,
    .run = dlq_replay_run,
};
