/* What the verbs of dead letters share: the log, the filters, the walk over the letters. */
#ifndef GF_CMD_DLQ_H
#define GF_CMD_DLQ_H

#include "job.h"
#include "print.h"

/* A replayed record carries the position of its dead letter in this header. */
#define DLQ_HEADER "gridfold.dlq"

struct dlq {
    struct job_flags flags;
    const char *log_name; /* NULL: the configuration's */
    struct job job;
    struct gf_source *source; /* while the log is open */
    struct gf_arena arena;    /* of the letter that is looked at */

    /* Which letters; what is not set lets everything through. */
    const char *topic, *code, *key;
    struct gf_time from, to; /* of the letter: shard time at which it was refused */
    int64_t limit;           /* -1: none */
    bool has_place;
    enum gf_topic place_topic; /* DEAD_LETTERS: the letter's own position; else the original's */
    uint32_t place_partition;
    int64_t place_offset;

    bool as_json;
};

/* The options that all have, for the front of a table; their indexes are DLQ_OPTION_…. */
#define DLQ_OPTIONS                                                                                \
    {"config", 'c', "CONFIG", "configuration file"},                                               \
        {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},                    \
    {                                                                                              \
        "json", 0, NULL, "as JSON"                                                                 \
    }
#define DLQ_FILTER_OPTIONS                                                                         \
    {"topic", 't', "TOPIC", "of this input topic alone; timer: of timers that failed"},            \
        {"code", 0, "CODE", "with this code alone, as LATE"},                                      \
        {"key", 'k', "KEY", "with this key alone"},                                                \
        {"from", 0, "TIME", "refused at this shard time or later"},                                \
        {"to", 0, "TIME", "refused before this shard time"},                                       \
    {                                                                                              \
        "limit", 'n', "N", "at most so many"                                                       \
    }

enum {
    DLQ_OPTION_CONFIG,
    DLQ_OPTION_SET,
    DLQ_OPTION_JSON,
    DLQ_OPTION_TOPIC,
    DLQ_OPTION_CODE,
    DLQ_OPTION_KEY,
    DLQ_OPTION_FROM,
    DLQ_OPTION_TO,
    DLQ_OPTION_LIMIT,
    DLQ_OPTION_COUNT
};

void dlq_init(struct dlq *dlq);
/* Takes one of the options above: 0, or the exit code after a complaint. */
int dlq_option_take(const struct verb *verb, struct dlq *dlq, int option);
/* LOG and a position, in any order; 0 or the exit code. */
int dlq_arguments_take(const struct verb *verb, struct dlq *dlq, int argc, char **argv);

/* Opens the log for reading. `configure` prints its own complaints, `open` does not. */
GF_MUST_USE enum gf_rc dlq_configure(const struct verb *verb, struct dlq *dlq);
GF_MUST_USE enum gf_rc dlq_open(struct dlq *dlq, struct gf_error *error);
void dlq_close(struct dlq *dlq);
const char *dlq_log_name(const struct dlq *dlq);

/* A letter, and the record that holds it; both live during the call. False: seen enough. */
typedef bool (*dlq_visit)(void *context, const struct gf_record *record,
                          const struct gf_dead_letter *letter);
/* Every letter that passes the filters (not the limit), by partition and offset. Errors: those of
 * the source. */
GF_MUST_USE enum gf_rc dlq_walk(struct dlq *dlq, dlq_visit visit, void *context,
                                struct gf_error *error);

/* The letter that a replayed record came from; empty when it was not replayed. */
struct gf_span dlq_replayed_from(const struct gf_dead_letter *letter);
bool dlq_is_replayable(const struct gf_dead_letter *letter, enum gf_topic *topic_out);

#endif
