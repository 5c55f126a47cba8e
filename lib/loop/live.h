/* Live: the loop of one thread. It owns some shards; their batches share one commit; their stores
 * follow the acknowledged commits.
 *
 *     hear the group · bring shards that are new to the journal's end, a piece at a time ·
 *     freeze ends · begin · step each live shard, some rounds · commit · acknowledge · sweep
 *
 * A slow shard holds up no other: what is live goes on while it recovers. Who owns what, and what
 * happens when that changes or when a commit fails, is loop/ownership.c. */
#ifndef GF_LOOP_LIVE_H
#define GF_LOOP_LIVE_H

#include "loop/clock.h"
#include "loop/group.h"
#include "loop/shard.h"
#include "loop/sink.h"

#define GF_LIVE_SHARD_COUNT_MAX 1024

struct gf_live_status {
    int64_t records, effects;  /* since the process started */
    int64_t lag;               /* records up to the frozen ends */
    struct gf_time shard_time; /* the least of the live shards that have one: the watermark */
    int64_t commit_us;         /* the last commit took */
    int64_t commits;
    uint32_t customers;        /* in memory */
    uint32_t live, recovering; /* shards that are ours */
    uint32_t standby;          /* shards that are followed for others */
    int64_t standby_lag_us;    /* since the one furthest behind was level with its owner */
    int32_t generation;        /* of the group; -1: none */
    int64_t recover_done, recover_total; /* journal offsets of all that are recovering */
    bool at_end;
};

/* What happened, for the log. */
enum gf_live_note {
    GF_LIVE_ASSIGNED, /* count: shards; text: which */
    GF_LIVE_REVOKED,
    GF_LIVE_TAKEN,     /* shard is live; text: records folded again for it, or "standby" when it was
                          followed for another before */
    GF_LIVE_FENCED_ID, /* text: the transactional.id whose transaction was ended */
    GF_LIVE_CONDEMNED, /* shard, text: why */
    GF_LIVE_HELD_UP,   /* shard, text: its journal cannot be read to the end, once in a stall */
    GF_LIVE_NEW_STAGE, /* stage; text: it begins, and those that read from it have a past */
};

struct gf_live_options {
    /* Without a group `shards` are ours for good. With one they are all there are, for the standby.
     */
    const uint32_t *shards; /* ascending */
    uint32_t shard_count;
    bool is_standby; /* follow the shards of others too */

    bool is_arrival, exit_at_end;
    struct gf_duration commit_interval; /* arrival: a commit holds what came in this time */
    uint32_t commit_batches;            /* canonical: it holds this many rounds of batches */
    struct gf_duration
        idle_advance; /* 0: off. Idle for this long: wall time less this moves the shards' time */
    struct gf_duration heartbeat; /* 0: off */
    /* Shards of later stages wait for what shards elsewhere write for them, until that has been
     * silent for so long. */
    struct gf_duration stage_patience;
    struct gf_clock *clock;

    void *context;
    bool (*must_stop)(void *context);
    /* NULL: fixed slots. Called after the first sink_open: the id is fenced before it joins. */
    enum gf_rc (*group_open)(void *context, struct gf_group **out, struct gf_error *error);
    enum gf_rc (*sink_open)(void *context, struct gf_sink **out, struct gf_error *error);
    enum gf_rc (*shard_open)(void *context, uint32_t id, struct gf_shard **out,
                             struct gf_error *error);
    /* The shard has gone to somebody else. At the end of the run shards stay open, to be looked at.
     */
    void (*shard_close)(void *context, struct gf_shard *shard);
    /* Ends the open transaction of another transactional.id; NULL where there are none. */
    enum gf_rc (*fence)(void *context, const char *transactional_id, struct gf_error *error);
    void (*beat)(void *context, const char *what); /* before each call that may wait; may be NULL */
    void (*show)(void *context,
                 const struct gf_live_status *status); /* after each turn; may be NULL */
    void (*note)(void *context, enum gf_live_note note, uint32_t value, const char *text);
    void (*warn)(void *context, enum gf_rc rc, const char *text,
                 int64_t retry_us); /* before it tries again */
};

/* Runs until `must_stop`, the end of the input (exit_at_end), or an error that stops. GF_OK after a
 * clean stop. */
GF_MUST_USE enum gf_rc gf_live_run(const struct gf_live_options *options,
                                   struct gf_live_status *status_out, struct gf_error *error);

#endif
