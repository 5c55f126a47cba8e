/* The rules of a fault proxy: what was set, what it did, and which one fires. No socket, no thread,
 * no lock: fault_proxy.c has those. */
#ifndef GF_TEST_FAULT_RULES_H
#define GF_TEST_FAULT_RULES_H

#include "fault_proxy.h"

#define FAULT_RULES_MAX     4096
#define FAULT_NONE          (-1)
#define FAULT_CLIENT_ID_MAX 64

struct fault_entry {
    struct fault_rule rule;
    char client_id[FAULT_CLIENT_ID_MAX];
    bool is_lifted;
    int matched; /* requests it applied to, whether skipped, hit, or after its count */
    int hits;
    double allowance; /* of FAULT_SLOW: bytes that may pass now */
};

struct fault_rules {
    struct fault_entry entries[FAULT_RULES_MAX];
    int count;
};

enum fault_way { FAULT_TO_NODE, FAULT_TO_CLIENT, FAULT_WAY_COUNT };

int fault_rules_set(struct fault_rules *rules, const struct fault_rule *rule);
/* The rule that fires for a request, or FAULT_NONE. Counts the request. */
int fault_rules_fire(struct fault_rules *rules, int api, int node, const char *client_id);
bool fault_rules_is_on(const struct fault_rules *rules, int rule);
/* The rule that refuses a connection, or FAULT_NONE. */
int fault_rules_refuse(const struct fault_rules *rules, int node, const char *client_id);
/* How many bytes may pass that way: SIZE_MAX without a rule, 0 when it is cut. `spend` says what
 * did. */
size_t fault_rules_allow(const struct fault_rules *rules, enum fault_way way, int node,
                         const char *client_id);
void fault_rules_spend(struct fault_rules *rules, int node, const char *client_id, size_t size);
/* `seconds` have passed. Returns whether there is a FAULT_SLOW rule. */
bool fault_rules_refill(struct fault_rules *rules, double seconds);

#endif
