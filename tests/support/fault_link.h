/* One connection through a fault proxy: frames of Kafka's protocol in two queues, and what the
 * rules make of each. No thread and no lock: fault_proxy.c has those. */
#ifndef GF_TEST_FAULT_LINK_H
#define GF_TEST_FAULT_LINK_H

#include <stddef.h>

#include "fault_rules.h"

#define FAULT_NODES_MAX      8
#define FAULT_APIS_MAX       128
#define FAULT_QUEUE_SIZE_MAX (4 * 1024 * 1024) /* then the sender waits, as on any connection */

struct fault_frame {
    struct fault_frame *next;
    size_t size;         /* with the four bytes of its length */
    int hold;            /* the rule it waits for, or FAULT_NONE */
    unsigned char *data; /* owned */
};

/* One direction of a connection: whole frames from one socket, queued for the other one. */
struct fault_stream {
    struct fault_frame *first, *last;
    size_t queued, sent; /* bytes in the queue; bytes of the first frame that are gone */
    unsigned char head[4];
    size_t head_count; /* how much of the next frame's length is there */
    unsigned char *part;
    size_t part_size, part_count;
    bool has_ended; /* nothing more comes in */
    bool is_done;   /* nor goes out */
};

/* A request on its way, and what is to happen to its reply. */
struct fault_pending {
    struct fault_pending *next;
    int correlation, rule;
    bool is_second; /* of a duplicated request */
};

struct fault_link {
    struct fault_link *next;
    int node;
    int client, broker; /* sockets; -1: closed */
    char client_id[FAULT_CLIENT_ID_MAX];
    struct fault_stream streams[FAULT_WAY_COUNT];
    struct fault_pending *first, *last;
};

/* What all connections share. */
struct fault_state {
    struct fault_rules rules;
    int seen[FAULT_NODES_MAX + 1][FAULT_APIS_MAX];
    bool has_hit; /* since it was last set to false */
};

/* Reads frames until there is no more, or the queue is full. */
void fault_link_read(struct fault_state *state, struct fault_link *link, enum fault_way way);
/* Whether the rules let anything out that way, if the socket takes it. */
bool fault_link_can_write(const struct fault_state *state, const struct fault_link *link,
                          enum fault_way way);
void fault_link_write(struct fault_state *state, struct fault_link *link, enum fault_way way);
/* Whether nothing comes in or goes out any more; its sockets may still be open. */
bool fault_link_is_over(const struct fault_link *link);
void fault_link_close(struct fault_link *link);

#endif
