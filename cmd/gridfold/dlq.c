#include "dlq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "codec/records.h"
#include "io/memory_map.h"
#include "io/signals.h"
#include "loop/decode.h"
#include "scan.h"

#define ARENA_SIZE ((size_t)64 << 20)

void
dlq_init(struct dlq *dlq)
{
    *dlq = (struct dlq){.from = GF_TIME_NONE, .to = GF_TIME_NONE, .limit = -1};
}

static int
topic_take(const struct verb *verb, struct dlq *dlq, const char *name)
{
    const int topic = gf_topic_find(name);
    if (strcmp(name, "timer") != 0 && (topic < 0 || topic >= GF_TOPIC_READ_COUNT)) {
        return verb_usage(
            verb, "%s is no topic that is read; `gridfold dlq list` shows which there are", name);
    }
    dlq->topic = name;
    return 0;
}

static int
limit_take(const struct verb *verb, struct dlq *dlq, const char *text)
{
    char *end = NULL;
    errno = 0;
    dlq->limit = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || dlq->limit < 0) {
        return verb_usage(verb, "%s is no number of letters", text);
    }
    return 0;
}

int
dlq_option_take(const struct verb *verb, struct dlq *dlq, int option)
{
    struct gf_time *time = option == DLQ_OPTION_FROM ? &dlq->from : &dlq->to;
    switch (option) {
    case DLQ_OPTION_JSON:
        dlq->as_json = true;
        break;
    case DLQ_OPTION_TOPIC:
        return topic_take(verb, dlq, optarg);
    case DLQ_OPTION_CODE:
        dlq->code = optarg;
        break;
    case DLQ_OPTION_KEY:
        dlq->key = optarg;
        break;
    case DLQ_OPTION_FROM:
    case DLQ_OPTION_TO:
        if (gf_time_parse(optarg, strlen(optarg), time) != GF_OK) {
            return verb_usage(verb, "%s is no time; write 2016-03-01 or 2016-03-01T12:00:00Z",
                              optarg);
        }
        break;
    case DLQ_OPTION_LIMIT:
        return limit_take(verb, dlq, optarg);
    }
    return 0;
}

int
dlq_arguments_take(const struct verb *verb, struct dlq *dlq, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strchr(argv[i], ':') != NULL && dlq->log_name == NULL) {
            dlq->log_name = argv[i];
        } else if (dlq->has_place) {
            return verb_usage(verb, "unexpected argument %s", argv[i]);
        } else if (!position_parse(argv[i], &dlq->place_topic, &dlq->place_partition,
                                   &dlq->place_offset)) {
            return verb_usage(verb,
                              "%s is no TOPIC/PARTITION/OFFSET, as dead.letters/2/17 or "
                              "meter.readings/2/1041",
                              argv[i]);
        } else {
            dlq->has_place = true;
        }
    }
    if (dlq->log_name == NULL && dlq->flags.config == NULL) {
        return verb_usage(verb, "-c CONFIG or LOG is needed");
    }
    return 0;
}

const char *
dlq_log_name(const struct dlq *dlq)
{
    return dlq->log_name != NULL ? dlq->log_name : dlq->job.config->log;
}

enum gf_rc
dlq_configure(const struct verb *verb, struct dlq *dlq)
{
    gf_signals_install();
    return job_configure_log(verb, &dlq->flags, dlq->log_name, &dlq->job);
}

enum gf_rc
dlq_open(struct dlq *dlq, struct gf_error *error)
{
    void *memory = gf_memory_reserve(ARENA_SIZE);
    if (memory == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
    }
    dlq->arena = gf_arena_of(memory, ARENA_SIZE);
    const enum gf_rc rc = job_log_open(&dlq->job, dlq_log_name(dlq), error);
    dlq->source = rc == GF_OK ? gf_log_source(dlq->job.log) : NULL;
    return rc;
}

void
dlq_close(struct dlq *dlq)
{
    if (dlq->arena.data != NULL) {
        gf_memory_release(dlq->arena.data, ARENA_SIZE);
    }
    job_close(&dlq->job);
}

/* ---- the walk ---- */

struct walk {
    struct dlq *dlq;
    dlq_visit visit;
    void *context;
    enum gf_rc rc;
    struct gf_error *error;
};

static bool
is_wanted(const struct dlq *dlq, const struct gf_record *record,
          const struct gf_dead_letter *letter)
{
    const int64_t time = record->timestamp.us;
    if ((dlq->topic != NULL && !gf_span_equal(letter->topic, gf_span_text(dlq->topic))) ||
        (dlq->code != NULL && !gf_span_equal(letter->code, gf_span_text(dlq->code))) ||
        (dlq->key != NULL &&
         !(letter->has_key && gf_span_equal(letter->key, gf_span_text(dlq->key)))) ||
        (!gf_time_is_none(dlq->from) && time < dlq->from.us) ||
        (!gf_time_is_none(dlq->to) && time >= dlq->to.us)) {
        return false;
    }
    if (!dlq->has_place) {
        return true;
    }
    if (dlq->place_topic == GF_TOPIC_DEAD_LETTERS) {
        return record->partition == dlq->place_partition && record->offset == dlq->place_offset;
    }
    return gf_span_equal(letter->topic, gf_span_text(gf_topics[dlq->place_topic].name)) &&
           letter->partition == (int32_t)dlq->place_partition &&
           letter->offset == dlq->place_offset;
}

static bool
record_visit(void *context, const struct gf_record *record)
{
    struct walk *walk = context;
    struct gf_decoded decoded = {0};
    gf_arena_reset(&walk->dlq->arena, 0);
    if (!record->has_value) {
        return true;
    }
    walk->rc = gf_decode_record(gf_log_lookup(walk->dlq->job.log), record, &walk->dlq->arena,
                                &decoded, walk->error);
    if (walk->rc == GF_OK && decoded.body == NULL) {
        walk->rc =
            gf_fail(walk->error, GF_E_DAMAGED, "dead.letters/%u/%lld is no dead letter of ours: %s",
                    record->partition, (long long)record->offset, decoded.reason);
    }
    if (walk->rc != GF_OK) {
        return false;
    }
    return !is_wanted(walk->dlq, record, decoded.body) ||
           walk->visit(walk->context, record, decoded.body);
}

enum gf_rc
dlq_walk(struct dlq *dlq, dlq_visit visit, void *context, struct gf_error *error)
{
    struct walk walk = {.dlq = dlq, .visit = visit, .context = context, .error = error};
    enum gf_rc rc = GF_OK;
    if (dlq->has_place && dlq->place_topic == GF_TOPIC_DEAD_LETTERS) {
        uint32_t count = 0;
        rc = dlq->source->ops->partitions(dlq->source, GF_TOPIC_DEAD_LETTERS, &count, error);
        if (rc == GF_OK && dlq->place_partition < count) {
            rc = scan_partition(dlq->source, GF_TOPIC_DEAD_LETTERS, dlq->place_partition,
                                dlq->place_offset, dlq->place_offset + 1, record_visit, &walk,
                                error);
        }
    } else {
        rc = scan_topic(dlq->source, GF_TOPIC_DEAD_LETTERS, record_visit, &walk, error);
    }
    return rc == GF_OK ? walk.rc : rc;
}

struct gf_span
dlq_replayed_from(const struct gf_dead_letter *letter)
{
    for (uint32_t i = 0; i < letter->headers.count; i++) {
        if (gf_span_equal(letter->headers.items[i].name, gf_span_text(DLQ_HEADER))) {
            return letter->headers.items[i].value;
        }
    }
    return (struct gf_span){0};
}

bool
dlq_is_replayable(const struct gf_dead_letter *letter, enum gf_topic *topic_out)
{
    char name[64] = {0};
    if (letter->topic.size >= sizeof(name)) {
        return false;
    }
    memcpy(name, letter->topic.data, letter->topic.size);
    const int topic = gf_topic_find(name);
    *topic_out = (enum gf_topic)topic;
    return topic >= 0 && topic < GF_TOPIC_INPUT_COUNT && letter->partition >= 0;
}
