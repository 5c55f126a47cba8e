/* A TCP proxy between Kafka's clients and its nodes, for faults that a test chooses: it knows the
 * frames of the protocol, so that a fault hits one kind of request, or its reply, and no other.
 *
 * A node has a second listener that tells clients to connect to the proxy (cluster.h sets it up):
 * whoever bootstraps through the proxy stays behind it, and the nodes talk among themselves past
 * it. One thread of its own moves the bytes. All functions may be called from any thread; a rule
 * holds for every frame that the proxy reads after the call that set it. Nothing here sleeps: a
 * test waits for what a rule has done. */
#ifndef GF_TEST_FAULT_PROXY_H
#define GF_TEST_FAULT_PROXY_H

#include <stdbool.h>
#include <stdint.h>

/* The kinds of requests that tests name. */
enum fault_api {
    FAULT_ANY = -1,
    FAULT_PRODUCE = 0,
    FAULT_FETCH = 1,
    FAULT_LIST_OFFSETS = 2,
    FAULT_METADATA = 3,
    FAULT_OFFSET_COMMIT = 8,
    FAULT_OFFSET_FETCH = 9,
    FAULT_FIND_COORDINATOR = 10,
    FAULT_JOIN_GROUP = 11,
    FAULT_HEARTBEAT = 12,
    FAULT_LEAVE_GROUP = 13,
    FAULT_SYNC_GROUP = 14,
    FAULT_INIT_PRODUCER_ID = 22,
    FAULT_ADD_PARTITIONS = 24,
    FAULT_ADD_OFFSETS = 25,
    FAULT_END_TXN = 26,
    FAULT_TXN_OFFSET_COMMIT = 28,
};

enum fault_kind {
    /* What happens to one request. The connection is closed: */
    FAULT_CLOSE_BEFORE, /* the node never sees the request */
    FAULT_CLOSE_AFTER,  /* the node has done it; the reply is lost */
    /* The client waits for a reply that does not come; the connection stays: */
    FAULT_SWALLOW_REQUEST,
    FAULT_SWALLOW_REPLY,
    /* It waits in the proxy until the rule is lifted, and all after it on that connection. What a
     * client sent before it went away still reaches the node. */
    FAULT_HOLD_REQUEST,
    FAULT_HOLD_REPLY,
    FAULT_DUPLICATE, /* the node gets it twice; the second reply is swallowed */

    /* What happens to whole connections, until the rule is lifted; `api`, `skip` and `count` mean
     * nothing. Bytes wait, as they do in a network that comes back: */
    FAULT_CUT,          /* both ways */
    FAULT_CUT_REQUESTS, /* toward the node only */
    FAULT_CUT_REPLIES,  /* toward the client only */
    FAULT_REFUSE,       /* connections are closed, new ones too */
    FAULT_SLOW,         /* at most `bytes_per_second`, over all its connections, both ways */
};

struct fault_rule {
    enum fault_kind kind;
    enum fault_api api;
    int node;              /* 0: any */
    const char *client_id; /* NULL: any */
    int skip;              /* so many requests that match pass first */
    int count;             /* so many are hit then; 0: all */
    int64_t bytes_per_second;
};

struct fault_proxy;

/* NULL is never returned: what does not work ends the program with a message. */
struct fault_proxy *fault_proxy_new(void);
void fault_proxy_free(struct fault_proxy *proxy);
/* Stands before `node` (1 to 8), whose listener for the proxy is at `node_port` of 127.0.0.1.
 * Returns the port at which the proxy listens. */
int fault_proxy_node_add(struct fault_proxy *proxy, int node, int node_port);

/* Sets a rule; returns its number. The first rule that fires for a request is the only one that
 * does, in the order in which they were set; each counts for itself what it skips. */
int fault_proxy_set(struct fault_proxy *proxy, const struct fault_rule *rule);
/* The rule ends, and what it holds moves on. */
void fault_proxy_lift(struct fault_proxy *proxy, int rule);
void fault_proxy_lift_all(struct fault_proxy *proxy);
/* How often the rule has done its work: requests for the first group, a reply only once it is
 * there; closed connections for FAULT_REFUSE; zero for the others. Stays after it is lifted. */
int fault_proxy_hits(struct fault_proxy *proxy, int rule);
/* Waits until `hits` are reached; false after 30 seconds without. */
bool fault_proxy_wait(struct fault_proxy *proxy, int rule, int hits);
/* How many requests of a kind clients have sent through the proxy to `node` (0: any). */
int fault_proxy_seen(struct fault_proxy *proxy, enum fault_api api, int node);

#endif
