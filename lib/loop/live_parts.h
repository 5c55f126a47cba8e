/* The loop's own struct, shared by its files: live.c (turns), pace.c (how far stages read),
 * ownership.c (who owns what) and live_status.c. */
#ifndef GF_LOOP_LIVE_PARTS_H
#define GF_LOOP_LIVE_PARTS_H

#include "loop/live.h"

#define POSITION_COUNT_MAX (16 * GF_LIVE_SHARD_COUNT_MAX)
#define FENCED_COUNT_MAX   16
#define OWNER_SIZE         GF_JOURNAL_NAME_SIZE

/* A shard that we own or follow. */
struct member {
    uint32_t id;
    struct gf_shard *shard; /* NULL: not opened yet */
    bool is_ours;
    bool must_start;        /* its memory is of no use: everything begins with the store */
    bool must_take_over;    /* ours, and the journal's end has not been asked for since */
    bool was_standby;       /* it was followed for another when it became ours */
    bool is_named;          /* by the assignment that is being heard */
    int64_t begun_us;       /* when its ends were first frozen since it became live; 0: not yet */
    int64_t still_since_us; /* nothing has come from its journal since; 0: something has */
    int64_t held_up_us;     /* when it last looked who holds it up; 0: never */
    bool has_told;          /* of that */
    int64_t level_us;       /* a standby: when it was last level with its owner */
    int64_t looked_us;      /* a standby: when it last asked how far that is */
};

struct live {
    const struct gf_live_options *options;
    struct gf_live_status status;
    struct gf_sink *sink; /* NULL: must be opened */
    struct gf_group *group;
    bool is_ousted;      /* the group says that another process has our id */
    bool is_assigned;    /* the members that are ours are what we own now */
    int64_t assigned_us; /* monotonic: when an assignment was last heard; 0: never */
    int32_t generation;  /* of the assignment heard last; -1: none, or it was lost */
    const void *fence;   /* of that assignment */
    struct member members[GF_LIVE_SHARD_COUNT_MAX]; /* by id */
    uint32_t member_count;
    char fenced[FENCED_COUNT_MAX][OWNER_SIZE]; /* ids whose transactions we ended since then */
    uint32_t fenced_count;
    struct member *damaged; /* whose store gave GF_E_STATE */
    int64_t retries;        /* in a row */
    enum gf_rc trouble;     /* that they are for */
    struct gf_error trouble_error;
    int64_t retry_at_us;    /* not before; 0: at once */
    bool is_awaiting;       /* a shard waits for one elsewhere: pace.c */
    int64_t idle_since_us;  /* monotonic; 0: not idle */
    int64_t last_record_us; /* monotonic, of the last commit that told the journal something */
    int64_t last_commit_us; /* monotonic, of the last one of all */
    struct gf_position positions[POSITION_COUNT_MAX];
};

/* Each member that takes part in commits. */
#define FOR_EACH_LIVE(live, member)                                                                \
    for (struct member *member = (live)->members; member < (live)->members + (live)->member_count; \
         member++)                                                                                 \
        if (live_is_live(live, member))

int64_t live_now_us(const struct live *live);
void live_beat(struct live *live, const char *what);

/* Whether a member takes part in commits. */
bool live_is_live(const struct live *live, const struct member *member);

/* Fixed slots, or the shards to stand by for. */
void live_begin(struct live *live);

/* Step 1: a sink under our id, which ends what the id left open; then the group. */
enum gf_rc live_open(struct live *live, struct gf_error *error);
/* Steps 2 and 9: what the group has to say, between transactions. */
enum gf_rc live_hear(struct live *live, struct gf_duration wait, struct gf_error *error);
/* Steps 3 and 4: a piece of recovery of every shard that needs it. `wait`: for records to come. */
enum gf_rc live_take_over(struct live *live, struct gf_duration wait, struct gf_error *error);
/* How far each shard may read now (pace.c). */
enum gf_rc live_freeze(struct live *live, struct gf_error *error);
/* Steps 7 and 8: after a commit that failed, nothing in memory is trusted. */
void live_set_back(struct live *live, enum gf_rc rc);
/* After GF_E_TXN. */
bool live_is_fenced(struct live *live, struct gf_error *error);
void live_sink_drop(struct live *live);

/* What the loop says of itself (live_status.c). */
int64_t live_lag(const struct live *live);
void live_members_count(struct live *live);
void live_effects_count(struct live *live);
void live_show(struct live *live);

#endif
