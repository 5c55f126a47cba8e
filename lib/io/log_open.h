/* A log, opened by its name: a source, the schemas of its records, and sinks. What the verbs need
 * of folder and Kafka is the same, so they open it here and never ask which it is. */
#ifndef GF_IO_LOG_OPEN_H
#define GF_IO_LOG_OPEN_H

#include "io/folder.h"
#include "io/kafka_conf.h"
#include "io/log_name.h"
#include "io/registry.h"
#include "loop/group.h"
#include "loop/lookup.h"
#include "loop/sink.h"
#include "loop/source.h"

struct gf_log_options {
    const char *name;                    /* "folder:PATH" or "kafka:HOST:PORT,…"; copied */
    uint32_t partitions;                 /* folder: of a new log */
    uint32_t stages;                     /* that are on; 0: the customers' alone */
    struct gf_kafka_config kafka;        /* brokers are taken from the name */
    struct gf_registry_options registry; /* Kafka: where schema ids are looked up */
    const char *transactional_id, *group;
    const char *instance; /* this process in the group */
    struct gf_duration session_timeout, transaction_timeout;
    bool is_group;  /* shards come from the group: each commit carries its fence */
    bool with_sink; /* a folder's lock is taken now, before anything is read */
};

struct gf_log;

/* A folder that is missing is made when a sink is wanted. What `options` points to is lent until
 * close. Errors: GF_E_USAGE (name), GF_E_NOT_FOUND, GF_E_BUSY (another process writes there),
 * GF_E_CONFIG, GF_E_UNAVAILABLE. */
GF_MUST_USE enum gf_rc gf_log_open(const struct gf_log_options *options, struct gf_log **out,
                                   struct gf_error *error);
void gf_log_close(struct gf_log *log); /* accepts NULL; sinks are closed before */

struct gf_source *gf_log_source(struct gf_log *log);
const struct gf_lookup *gf_log_lookup(const struct gf_log *log);

/* Opens a sink: ends what a predecessor left open. A context of gf_live_options.sink_open. */
GF_MUST_USE enum gf_rc gf_log_sink_open(void *log, struct gf_sink **out, struct gf_error *error);

/* The group that hands out the shards (Kafka); after the first sink. A context of
 * gf_live_options.group_open. */
GF_MUST_USE enum gf_rc gf_log_group_open(void *log, struct gf_group **out, struct gf_error *error);
/* Ends what is open under another transactional.id (Kafka). A context of gf_live_options.fence. */
GF_MUST_USE enum gf_rc gf_log_fence(void *log, const char *transactional_id,
                                    struct gf_error *error);

#endif
