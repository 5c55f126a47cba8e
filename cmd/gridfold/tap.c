/* gridfold tap: the records of a topic as JSON lines. Partitions are merged by the timestamps of
 * their records, so that a finite tap gives the same lines each time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "codec/records.h"
#include "io/signals.h"
#include "job.h"
#include "line.h"

#define READ_COUNT 256
#define WAIT_US    (200 * 1000)
#define EMPTY_READS_MAX                                                                            \
    150 /* 30 s without a byte from a partition that has some: the service is gone */
#define STDOUT_BUFFER_SIZE ((size_t)1 << 20)

static const struct verb_option tap_options[] = {
    {"config", 'c', "CONFIG",
     "configuration file: security and schemas of a Kafka log, or the log itself"},
    {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},
    {"follow", 'f', NULL, "go on with records as they are committed, until a signal"},
    {"from", 0, "OFFSET|TIME",
     "first offset of each partition, or the first record at or after a time"},
    {"to", 0, "OFFSET|TIME", "offset or time to stop before"},
    {"partition", 'p', "N", "this partition alone"},
    {"key", 'k', "KEY", "records with this key alone"},
    {"limit", 'n', "N", "stop after so many lines"},
    {"human", 0, NULL, "amounts with their units instead of scaled integers"},
    {"raw", 0, NULL, "values as hex, not decoded"},
    {NULL, 0, NULL, NULL},
};

enum {
    OPTION_CONFIG,
    OPTION_SET,
    OPTION_FOLLOW,
    OPTION_FROM,
    OPTION_TO,
    OPTION_PARTITION,
    OPTION_KEY,
    OPTION_LIMIT,
    OPTION_HUMAN,
    OPTION_RAW,
};

/* A place in a partition: none, an offset or a time. */
struct bound {
    bool is_set, is_time;
    int64_t offset;
    struct gf_time time;
};

struct input {
    uint32_t partition;
    int64_t at, end;
    struct gf_record records[READ_COUNT];
    uint32_t record_at, record_count;
    bool is_over; /* its --to was reached */
};

struct tap {
    struct job_flags flags;
    const char *log_name, *key;
    enum gf_topic topic;
    struct bound from, to;
    int64_t partition, limit; /* -1: all */
    bool follow;

    struct job job;
    struct gf_source *source;
    struct input *inputs;
    uint32_t input_count;
    struct line line;
    int64_t printed;
};

/* ---- the partitions ---- */

static enum gf_rc
input_freeze(struct tap *tap, struct input *input, int64_t *first_out, struct gf_error *error)
{
    const enum gf_rc rc = tap->source->ops->ends(tap->source, tap->topic, input->partition,
                                                 first_out, &input->end, error);
    if (rc == GF_OK && tap->to.is_set && !tap->to.is_time && input->end > tap->to.offset) {
        input->end = tap->to.offset;
    }
    return rc;
}

static enum gf_rc
input_open(struct tap *tap, struct input *input, struct gf_error *error)
{
    int64_t first = 0;
    enum gf_rc rc = input_freeze(tap, input, &first, error);
    input->at = first;
    if (rc == GF_OK && tap->from.is_set && tap->from.is_time) {
        rc = tap->source->ops->offset_at(tap->source, tap->topic, input->partition, tap->from.time,
                                         &input->at, error);
    } else if (rc == GF_OK && tap->from.is_set && tap->from.offset > first) {
        input->at = tap->from.offset;
    }
    return rc;
}

static enum gf_rc
inputs_open(struct tap *tap, struct gf_error *error)
{
    uint32_t count = 0;
    enum gf_rc rc = tap->source->ops->partitions(tap->source, tap->topic, &count, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (tap->partition >= (int64_t)count) {
        return gf_fail(error, GF_E_USAGE, "%s has %u partitions, counted from 0; there is no %lld",
                       gf_topics[tap->topic].name, count, (long long)tap->partition);
    }
    tap->input_count = tap->partition < 0 ? count : 1;
    tap->inputs = calloc(tap->input_count == 0 ? 1 : tap->input_count, sizeof(tap->inputs[0]));
    if (tap->inputs == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
    }
    for (uint32_t i = 0; rc == GF_OK && i < tap->input_count; i++) {
        tap->inputs[i].partition = tap->partition < 0 ? i : (uint32_t)tap->partition;
        rc = input_open(tap, &tap->inputs[i], error);
    }
    return rc;
}

static enum gf_rc
input_fill(struct tap *tap, struct input *input, struct gf_error *error)
{
    for (uint32_t empty = 0;
         input->record_at == input->record_count && input->at < input->end && !input->is_over;) {
        int64_t next = input->at;
        tap->source->ops->release(tap->source, GF_SOURCE_TOOL, tap->topic, input->partition,
                                  input->at);
        input->record_at = 0;
        input->record_count = 0;
        const enum gf_rc rc =
            tap->source->ops->read(tap->source, GF_SOURCE_TOOL, tap->topic, input->partition,
                                   input->at, input->end, (struct gf_duration){WAIT_US},
                                   input->records, READ_COUNT, &input->record_count, &next, error);
        if (rc != GF_OK) {
            return rc;
        }
        empty = next > input->at ? 0 : empty + 1;
        input->at = next;
        if (gf_signals_stop_is_wanted()) {
            return GF_OK;
        }
        if (empty > EMPTY_READS_MAX) {
            return gf_fail(error, GF_E_UNAVAILABLE,
                           "%s partition %u: nothing arrives at offset %lld, end is %lld",
                           gf_topics[tap->topic].name, input->partition, (long long)input->at,
                           (long long)input->end);
        }
    }
    return GF_OK;
}

/* The input whose next record has the least timestamp; NULL at the end of all. */
static enum gf_rc
input_next(struct tap *tap, struct input **out, struct gf_error *error)
{
    *out = NULL;
    for (uint32_t i = 0; i < tap->input_count; i++) {
        struct input *input = &tap->inputs[i];
        if (input->record_at == input->record_count) {
            const enum gf_rc rc = input_fill(tap, input, error);
            if (rc != GF_OK) {
                return rc;
            }
        }
        if (input->record_at == input->record_count || input->is_over) {
            continue;
        }
        const struct gf_record *record = &input->records[input->record_at];
        if (tap->to.is_set && tap->to.is_time && record->timestamp.us >= tap->to.time.us) {
            input->is_over = true;
        } else if (*out == NULL ||
                   record->timestamp.us < (*out)->records[(*out)->record_at].timestamp.us) {
            *out = input;
        }
    }
    return GF_OK;
}

/* Nothing is left to read now: shows what there is and waits. False: nothing will ever come. */
static enum gf_rc
wait_for_more(struct tap *tap, bool *over_out, struct gf_error *error)
{
    enum gf_rc rc = fflush(stdout) == 0 ? GF_OK : GF_E_IO;
    *over_out = true;
    for (uint32_t i = 0; rc == GF_OK && i < tap->input_count; i++) {
        struct input *input = &tap->inputs[i];
        int64_t first = 0;
        rc = input_freeze(tap, input, &first, error);
        *over_out =
            *over_out &&
            (input->is_over || (tap->to.is_set && !tap->to.is_time && input->at >= tap->to.offset));
    }
    if (rc == GF_OK && !*over_out) {
        tap->job.clock->sleep(tap->job.clock, (struct gf_duration){WAIT_US});
    }
    return rc;
}

static enum gf_rc
records_print(struct tap *tap, struct gf_error *error)
{
    bool over = false;
    enum gf_rc rc = GF_OK;
    while (rc == GF_OK && !over && !gf_signals_stop_is_wanted() &&
           (tap->limit < 0 || tap->printed < tap->limit)) {
        struct input *input = NULL;
        rc = input_next(tap, &input, error);
        if (rc != GF_OK) {
            break;
        }
        if (input == NULL) {
            over = !tap->follow;
            rc = tap->follow ? wait_for_more(tap, &over, error) : GF_OK;
            continue;
        }
        const struct gf_record *record = &input->records[input->record_at++];
        if (tap->key != NULL &&
            !(record->has_key && gf_span_equal(record->key, gf_span_text(tap->key)))) {
            continue;
        }
        rc = line_make(&tap->line, record, error);
        if (rc == GF_OK) {
            rc = fwrite(tap->line.text, 1, tap->line.length, stdout) == tap->line.length ? GF_OK
                                                                                         : GF_E_IO;
            tap->printed++;
        }
    }
    return rc == GF_OK && fflush(stdout) != 0 ? GF_E_IO : rc;
}

/* ---- the verb ---- */

static bool
bound_parse(const char *text, struct bound *out)
{
    char *end = NULL;
    *out = (struct bound){.is_set = true};
    errno = 0;
    out->offset = strtoll(text, &end, 10);
    if (end != text && *end == '\0' && errno == 0 && out->offset >= 0) {
        return true;
    }
    out->is_time = true;
    return gf_time_parse(text, strlen(text), &out->time) == GF_OK;
}

static bool
count_parse(const char *text, int64_t *out)
{
    struct bound bound;
    const bool is_count = bound_parse(text, &bound) && !bound.is_time;
    *out = bound.offset;
    return is_count;
}

/* 0, or the exit code of a usage error. */
static int
option_take(const struct verb *verb, struct tap *tap, int option)
{
    switch (option) {
    case OPTION_FOLLOW:
        tap->follow = true;
        break;
    case OPTION_FROM:
    case OPTION_TO:
        if (!bound_parse(optarg, option == OPTION_FROM ? &tap->from : &tap->to)) {
            return verb_usage(
                verb, "%s is neither an offset nor a time (2016-01-31 or 2016-01-31T10:00:00Z)",
                optarg);
        }
        break;
    case OPTION_PARTITION:
        if (!count_parse(optarg, &tap->partition) || tap->partition > UINT32_MAX) {
            return verb_usage(verb, "%s is no partition", optarg);
        }
        break;
    case OPTION_KEY:
        tap->key = optarg;
        break;
    case OPTION_LIMIT:
        if (!count_parse(optarg, &tap->limit)) {
            return verb_usage(verb, "%s is no number of lines", optarg);
        }
        break;
    case OPTION_HUMAN:
        tap->line.is_human = true;
        break;
    case OPTION_RAW:
        tap->line.is_raw = true;
        break;
    }
    return 0;
}

static int
topic_take(const struct verb *verb, struct tap *tap, const char *name)
{
    const int topic = gf_topic_find(name);
    if (topic >= 0) {
        tap->topic = (enum gf_topic)topic;
        return 0;
    }
    struct gf_suggestion suggestion = {.wrong = name};
    char names[512] = "";
    for (int i = 0; i < GF_TOPIC_COUNT; i++) {
        gf_suggestion_offer(&suggestion, gf_topics[i].name);
        const size_t length = strlen(names);
        snprintf(names + length, sizeof(names) - length, "%s%s", i == 0 ? "" : ", ",
                 gf_topics[i].name);
    }
    if (suggestion.best != NULL) {
        return verb_usage(verb, "there is no topic %s; did you mean %s?", name, suggestion.best);
    }
    return verb_usage(verb, "there is no topic %s; topics are %s", name, names);
}

static enum gf_rc
log_open(struct tap *tap, struct gf_error *error)
{
    const char *name = tap->log_name != NULL ? tap->log_name : tap->job.config->log;
    enum gf_rc rc = job_log_open(&tap->job, name, error);
    if (rc != GF_OK) {
        return rc;
    }
    tap->source = gf_log_source(tap->job.log);
    rc = line_open(&tap->line, gf_log_lookup(tap->job.log), error);
    return rc == GF_OK ? inputs_open(tap, error) : rc;
}

static int
tap_start(const struct verb *verb, struct tap *tap)
{
    struct gf_error error = {{0}};
    enum gf_rc rc = job_configure_log(verb, &tap->flags, tap->log_name, &tap->job);
    int exit_code = gf_rc_exit_code(rc);
    if (rc == GF_OK) {
        gf_signals_install();
        setvbuf(stdout, NULL, _IOFBF, STDOUT_BUFFER_SIZE);
        rc = log_open(tap, &error);
        rc = rc == GF_OK ? records_print(tap, &error) : rc;
        if (rc == GF_E_IO && ferror(stdout) != 0 && errno == EPIPE) {
            rc = GF_OK; /* whoever read has seen enough */
        }
        if (rc == GF_E_IO && error.text[0] == '\0') {
            (void)gf_fail(&error, rc, "standard output: %s", strerror(errno));
        }
        exit_code = rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
    }
    line_close(&tap->line);
    free(tap->inputs);
    job_close(&tap->job);
    return exit_code;
}

static int
tap_run(const struct verb *verb, int argc, char **argv)
{
    struct tap tap = {.partition = -1, .limit = -1};
    int option, exit_code = 0;
    while ((option = job_next_option(verb, argc, argv, &tap.flags, &exit_code)) >= 0) {
        exit_code = option_take(verb, &tap, option);
        if (exit_code != 0) {
            return exit_code;
        }
    }
    if (option == -2) {
        return exit_code;
    }
    const int count = argc - optind;
    if (count > 2) {
        return verb_usage(verb, "unexpected argument %s", argv[optind + 2]);
    }
    if (count < 1 || (count == 1 && tap.flags.config == NULL)) {
        return verb_usage(verb, "LOG and TOPIC are needed");
    }
    tap.log_name = count == 2 ? argv[optind] : NULL;
    exit_code = topic_take(verb, &tap, argv[argc - 1]);
    return exit_code != 0 ? exit_code : tap_start(verb, &tap);
}

const struct verb verb_tap = {
    .name = "tap",
    .arguments = "LOG TOPIC [--follow] [--from OFFSET|TIME] [--to OFFSET|TIME] [--key KEY]…",
    .doc = "Shows the records of a topic, decoded, one JSON object a line; LOG may be left out "
           "with -c.",
    .examples =
        "  gridfold tap folder:demo/log fraud.flags --human\n"
        "  gridfold tap kafka:broker:9092 -c config/gridfold-kafka.yaml dead.letters --follow\n",
    .options = tap_options,
    .run = tap_run,
};
