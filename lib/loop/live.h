/* Live: the loop. Batches of all shards of this process share one commit; the store follows the
 * acknowledged commits.
 *
 *     recover every shard · then, until told to stop:
 *       freeze ends · begin · step each shard, some rounds · commit · acknowledge · sweep
 *     stop: finish the commit · sweep everything · a heartbeat that names the sweeps
 *
 * Known aborts, unknown outcomes and services that cannot be reached all lead to the same place:
 * the sink is opened anew, all memory is dropped, and every shard recovers (architecture, section
 * 4, steps 7 and 8). */
#ifndef GF_LOOP_LIVE_H
#define GF_LOOP_LIVE_H

#include "loop/clock.h"
#include "loop/shard.h"
#include "loop/sink.h"

struct gf_live_status {
    int64_t records, effects;  /* since the process started */
    int64_t lag;               /* records up to the frozen ends */
    struct gf_time shard_time; /* the least of the shards that have one: the watermark */
    int64_t commit_us;         /* the last commit took */
    int64_t commits;
    uint32_t customers; /* in memory */
    bool at_end;
};

struct gf_live_options {
    struct gf_shard **shards;
    uint32_t shard_count;
    bool is_arrival, exit_at_end;
    struct gf_duration commit_interval; /* arrival: a commit holds what came in this time */
    uint32_t commit_batches;            /* canonical: it holds this many rounds of batches */
    struct gf_time start;               /* of a first start; GF_TIME_NONE: earliest */
    bool start_is_latest;
    struct gf_duration
        idle_advance; /* 0: off. Idle for this long: wall time less this moves the shards' time */
    struct gf_duration heartbeat; /* 0: off */
    struct gf_clock *clock;
    const struct gf_progress *progress; /* of recoveries; may be NULL */
    void *context;
    bool (*must_stop)(void *context);
    enum gf_rc (*sink_open)(void *context, struct gf_sink **out, struct gf_error *error);
    void (*show)(void *context,
                 const struct gf_live_status *status); /* after each commit and while idle */
    void (*warn)(void *context, enum gf_rc rc, const char *text,
                 int64_t retry_us); /* before it recovers */
};

/* Runs until `must_stop`, the end of the input (exit_at_end), or an error that stops. GF_OK after a
 * clean stop. */
GF_MUST_USE enum gf_rc gf_live_run(const struct gf_live_options *options,
                                   struct gf_live_status *status_out, struct gf_error *error);

#endif
