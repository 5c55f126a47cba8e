/* Job: everything a configuration names, opened: log, store, zones and one shard for each
 * partition. */
#ifndef GF_CMD_JOB_H
#define GF_CMD_JOB_H

#include "config/config.h"
#include "io/log.h"
#include "io/log_open.h"
#include "io/log_writer.h"
#include "io/status.h"
#include "io/store_folder.h"
#include "io/system_clock.h"
#include "loop/shard.h"
#include "verb.h"

#define OVERRIDE_COUNT_MAX 64

/* What most verbs take: -c CONFIG and --set. */
struct job_flags {
    const char *config;
    const char *overrides[OVERRIDE_COUNT_MAX];
    uint32_t override_count;
};

/* verb_next_option that takes --config and --set itself, and returns the others alone. */
int job_next_option(const struct verb *verb, int argc, char **argv, struct job_flags *flags,
                    int *exit_code);

struct job {
    struct gf_config *config;
    struct gf_zones zones;
    struct gf_log *log;
    struct gf_stores *stores;
    struct gf_folder_lock *lock; /* of the store's folder: one process runs on it */
    struct gf_shard **shards;    /* by shard; NULL where it is not ours (run) */
    bool accept_refold;
    bool is_fork; /* one of several loops: configuration, zones and stores are the first one's */
    char transactional_id[GF_CONFIG_NAME_SIZE + 16], instance[GF_CONFIG_NAME_SIZE + 16];
    uint32_t shard_count; /* of all stages: numbers are below it, though some may not be in use */
    uint32_t partitions;  /* of the customer topics: shards of one stage */
    struct gf_clock *clock;
    struct gf_screen screen;
    struct gf_logger logger; /* to standard error, above the screen's line */
    struct gf_bar bar;       /* progress of recoveries and replays */
    int64_t started_us;      /* monotonic */
    struct gf_kafka_property *properties;
    bool waits_for_brokers; /* that have never answered, for longer than a request timeout */
    bool has_said_waiting;
    int64_t said_waiting_us; /* monotonic */
};

/* Loads and checks the configuration, and prints what is wrong with it. Errors: GF_E_CONFIG,
 * GF_E_USAGE (no -c). */
GF_MUST_USE enum gf_rc job_configure(const struct verb *verb, const struct job_flags *flags,
                                     struct job *job);

/* The same for a verb that works without a file: the defaults of `log` with the overrides, and no
 * configuration at all when there are none. Errors: GF_E_CONFIG. */
GF_MUST_USE enum gf_rc job_configure_log(const struct verb *verb, const struct job_flags *flags,
                                         const char *log, struct job *job);

/* What `run` and the verbs about stores open them with; `context` of the notes is the job. */
struct gf_store_folder_options job_store_options(struct job *job, bool is_read_only);

enum job_store { JOB_STORE_OWN, JOB_STORE_SCRATCH, JOB_STORE_READ_ONLY };

/* Opens the log (with the right to write when `with_sink`), the store and the shards. SCRATCH: an
 * empty store in `path`. Prints what fails. */
GF_MUST_USE enum gf_rc job_open(struct job *job, bool with_sink, enum job_store store,
                                const char *path, bool accept_refold, struct gf_error *error);
/* A job for another loop of this process: its own log, under the first one's configuration and
 * stores. `thread` ends the names of its producer and of its member of the group. Closed before the
 * first. */
GF_MUST_USE enum gf_rc job_fork(const struct job *job, uint32_t thread, struct job *out,
                                struct gf_error *error);
/* Makes one shard. JOB_STORE_OWN leaves that to the run, which may not own them all. */
GF_MUST_USE enum gf_rc job_shard_open(struct job *job, uint32_t shard, struct gf_error *error);
uint32_t job_shards_open(const struct job *job); /* how many are */
void job_close(struct job *job);

/* A callback of struct gf_progress, `context` the job: silent in the first second. */
void job_progress(void *context, const char *what, int64_t done, int64_t total);

/* What a Kafka client needs, but for its brokers; of no configuration: the defaults. It says on the
 * job's log that no broker answers, so the job stays where it is while the client lives. The caller
 * frees the properties. Errors: GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc job_kafka_config(struct job *job, struct gf_kafka_config *out,
                                        struct gf_kafka_property **properties_out);

/* The log that a name or a configuration's `log` stands for, for verbs that need no shards and do
 * not write. */
GF_MUST_USE enum gf_rc job_log_open(struct job *job, const char *name, struct gf_error *error);

/* What a writer of a log takes from the configuration, which may be none; the caller frees the
 * properties. Errors: GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc job_writer_options(struct job *job, struct gf_log_writer_options *out,
                                          struct gf_kafka_property **properties_out);

/* Moves a job that is configured and not open to another place. */
void job_move(struct job *to, struct job *from);

/* The summary that ends a run: records in, processed, …, out, as text or JSON, of all its loops. */
void job_summary_print(const struct job *const *jobs, uint32_t count, bool as_json, double seconds);

#endif
