/* Configuration of the program: one YAML file, overrides of the command line, and the tables of
 * parameters that operators and features bring along. config/gridfold.yaml shows it,
 * docs/configuration.md lists every parameter.
 *
 *     gf_config_load → validated values → gf_config_fold → engine
 *     gf_config_effective → text in the journal → gf_config_from_effective → the same fold again
 *
 * Only what decides what a fold gives (features, operators, lateness, default zone, check of
 * partitions, partition count) is in the effective text: moving a log or changing a log level
 * changes no hash. */
#ifndef GF_CONFIG_CONFIG_H
#define GF_CONFIG_CONFIG_H

#include <stdio.h>

#include "config/complaint.h"
#include "config/params.h"
#include "config/zones.h"
#include "engine/engine.h"

#define GF_CONFIG_PATH_SIZE 1024
#define GF_CONFIG_NAME_SIZE 256
/* More than an effective text ever is. */
#define GF_CONFIG_EFFECTIVE_SIZE 65536

enum gf_config_log { GF_CONFIG_LOG_FOLDER, GF_CONFIG_LOG_KAFKA };
enum gf_config_order { GF_CONFIG_ORDER_AUTO, GF_CONFIG_ORDER_CANONICAL, GF_CONFIG_ORDER_ARRIVAL };
enum gf_config_assignment { GF_CONFIG_ASSIGNMENT_STATIC, GF_CONFIG_ASSIGNMENT_GROUP };
enum gf_config_start { GF_CONFIG_START_EARLIEST, GF_CONFIG_START_LATEST, GF_CONFIG_START_TIME };
enum gf_config_registry {
    GF_CONFIG_REGISTRY_BUILTIN,
    GF_CONFIG_REGISTRY_FOLDER,
    GF_CONFIG_REGISTRY_HTTP
};
enum gf_config_log_format { GF_CONFIG_FORMAT_AUTO, GF_CONFIG_FORMAT_LOGFMT, GF_CONFIG_FORMAT_JSON };
enum gf_config_log_level {
    GF_CONFIG_LEVEL_DEBUG,
    GF_CONFIG_LEVEL_INFO,
    GF_CONFIG_LEVEL_WARNING,
    GF_CONFIG_LEVEL_ERROR,
};

struct gf_config {
    int64_t version;
    char log[GF_CONFIG_PATH_SIZE]; /* "folder:PATH" or "kafka:…", the path no longer relative to the
                                      file */
    char store[GF_CONFIG_PATH_SIZE]; /* never empty once loaded */
    int32_t order;                   /* enum gf_config_order; never AUTO once loaded */
    int32_t assignment;              /* enum gf_config_assignment */
    int64_t slot, slots;             /* static */
    int64_t threads;
    bool is_standby;
    char start[GF_TIME_TEXT_SIZE];
    int64_t batch_records;
    bool check_partition;
    int64_t partitions;
    struct {
        struct gf_duration interval;
        int64_t batches;
    } commit;
    struct {
        int64_t records; /* a full round of the slices takes at most so many, per shard */
    } sweep;
    struct {
        int64_t customers_max, timers_max; /* per shard */
        int64_t block_cache;               /* bytes */
    } state;
    struct {
        char folder[GF_CONFIG_PATH_SIZE]; /* empty: no snapshots */
        struct gf_duration interval;      /* 0: only when asked for */
        int64_t keep;
    } snapshot;
    struct {
        struct gf_duration lateness;
        char default_zone[GF_ZONE_NAME_SIZE];
        struct gf_duration idle_advance; /* 0: off */
        struct gf_duration heartbeat;
        char zones[GF_CONFIG_PATH_SIZE]; /* folder */
    } time;
    struct {
        bool area, intake;
        struct gf_duration patience; /* 0: by assignment */
    } stages;
    struct {
        char transactional_id[GF_CONFIG_NAME_SIZE], group[GF_CONFIG_NAME_SIZE],
            client_id[GF_CONFIG_NAME_SIZE];
        char instance[GF_CONFIG_NAME_SIZE];
        char topic_prefix[GF_CONFIG_NAME_SIZE];
        struct gf_duration session_timeout, transaction_timeout;
        int64_t replication;
        struct gf_duration request_timeout;
        struct gf_map properties; /* of librdkafka */
    } kafka;
    struct {
        char registry[GF_CONFIG_PATH_SIZE];
        bool is_register;
        char user[GF_CONFIG_NAME_SIZE], password[GF_CONFIG_NAME_SIZE];
        char ca[GF_CONFIG_PATH_SIZE];
        char subject_prefix[GF_CONFIG_NAME_SIZE];
        struct gf_duration timeout;
    } schemas;
    struct {
        struct gf_duration interval;
    } status;
    struct {
        int32_t format, level; /* enum gf_config_log_format, gf_config_log_level */
    } logging;
    struct gf_feature_params features;
    void *operator_params[GF_OPERATOR_COUNT_MAX]; /* in the order of gf_operators[] */
    bool operator_enabled[GF_OPERATOR_COUNT_MAX]; /* and its stage is on */

    /* What follows from the texts above. */
    enum gf_config_log log_kind;
    const char *log_rest; /* PATH or brokers, inside `log` */
    enum gf_config_start start_kind;
    struct gf_time start_time; /* TIME */
    enum gf_config_registry registry_kind;
    const char *registry_rest; /* folder or URL, inside `schemas.registry` */

    /* How it was read; config/ only. */
    char path[GF_CONFIG_PATH_SIZE], folder[GF_CONFIG_PATH_SIZE];
    struct gf_config_tree *tree;
};

/* Reads and checks a file and `--set` overrides ("a.b.c=value"). All errors are complaints; any is
 * GF_E_CONFIG. Paths are relative to the file's folder, those of overrides to the current one. Free
 * with gf_config_free. GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_config_load(const char *path, const char *const *overrides,
                                      uint32_t override_count, struct gf_config **out,
                                      struct gf_complaints *complaints);
/* The same from a text in memory; `name` stands for the file in complaints, and its folder for
 * paths. */
GF_MUST_USE enum gf_rc gf_config_parse(const char *name, const char *text, size_t size,
                                       const char *const *overrides, uint32_t override_count,
                                       struct gf_config **out, struct gf_complaints *complaints);
void gf_config_free(struct gf_config *config); /* accepts NULL */

/* The stages that are on, as a set of GF_STAGE_BIT. */
uint32_t gf_config_stages(const struct gf_config *config);

/* What the engine wants. `config` and `zones` are lent for as long as `out` is used. `config_hash`
 * is the caller's to set. `default_zone` is NULL where the system does not have the zone;
 * gf_engine_configure then refuses. */
void gf_config_fold(const struct gf_config *config, const struct gf_zones *zones,
                    struct gf_fold_config *out);

/* The effective text: every parameter of the fold, in fixed order and form, so that equal
 * parameters are equal bytes. Returns the length as snprintf does; 0: there is no memory. */
size_t gf_config_effective(const struct gf_config *config, char *out, size_t size);
/* A configuration out of an effective text: its fold parameters, the rest as by default (log and
 * store are empty). Errors: GF_E_CONFIG (a text of a version that has other parameters),
 * GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_config_from_effective(const char *text, size_t size,
                                                struct gf_config **out, struct gf_error *error);
uint64_t gf_config_hash(const char *text, size_t size);

/* The whole configuration with the origin of each value, secrets hidden. */
void gf_config_print(const struct gf_config *config, FILE *out);
/* docs/configuration.md. */
void gf_config_print_docs(FILE *out);

#endif
