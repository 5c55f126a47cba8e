/* Group: who owns which shard. Owning partition p of the journal topic is owning shard p; the group
 * protocol of Kafka hands the partitions out (io/kafka_group.h), tests hand them out themselves.
 *
 * The loop polls between transactions alone, so when an assignment is taken away nothing is open:
 * that is all that step 9 of the protocol asks for (architecture, section 4).
 *
 * An assignment comes with its fence: the group metadata of this very assignment, which every
 * commit carries until the next one. It is never read afresh: a service checks membership, not who
 * owns which shard, so metadata of a later generation would let a stale owner pass. */
#ifndef GF_LOOP_GROUP_H
#define GF_LOOP_GROUP_H

#include <stdint.h>

#include "base/error.h"
#include "base/unit.h"

struct gf_group;

enum gf_group_event_kind {
    GF_GROUP_QUIET,    /* nothing has changed */
    GF_GROUP_ASSIGNED, /* these shards, all of them, and no others */
    GF_GROUP_REVOKED,  /* the assignment is going to change: nothing may be committed until the next
                        */
    GF_GROUP_LOST,     /* it has been given to others already */
};

struct gf_group_event {
    enum gf_group_event_kind kind;
    /* ASSIGNED: */
    int32_t generation; /* never negative: metadata without a member owns nothing and is no event */
    const uint32_t *shards; /* ascending; lives until the next poll */
    uint32_t shard_count;
    const void *fence; /* for send_offsets; lives until the next ASSIGNED event or close */
};

struct gf_group_ops {
    const char *name;
    /* Serves the group and returns the oldest event that has not been told. Must be called at least
     * every few seconds, or the group takes the member for dead. Errors: GF_E_FENCED (another
     * process has joined under this instance's id: stop), GF_E_UNAVAILABLE, GF_E_CONFIG. */
    enum gf_rc (*poll)(struct gf_group *group, struct gf_duration wait,
                       struct gf_group_event *event_out, struct gf_error *error);
    /* A static member does not leave: its shards wait for its return until the session times out.
     */
    void (*close)(struct gf_group *group); /* accepts NULL */
};

/* First member of every maker's struct. One thread uses a group. */
struct gf_group {
    const struct gf_group_ops *ops;
};

#endif
