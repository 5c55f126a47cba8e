#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fault_rules.h"

int
fault_rules_set(struct fault_rules *rules, const struct fault_rule *rule)
{
    assert(rules->count < FAULT_RULES_MAX);
    struct fault_entry *const entry = &rules->entries[rules->count];
    *entry = (struct fault_entry){.rule = *rule};
    if (rule->client_id != NULL) {
        snprintf(entry->client_id, sizeof(entry->client_id), "%s", rule->client_id);
        entry->rule.client_id = entry->client_id;
    }
    return rules->count++;
}

bool
fault_rules_is_on(const struct fault_rules *rules, int rule)
{
    return rule != FAULT_NONE && !rules->entries[rule].is_lifted;
}

static bool
concerns(const struct fault_entry *entry, int node, const char *client_id)
{
    const struct fault_rule *const rule = &entry->rule;
    return !entry->is_lifted && (rule->node == 0 || rule->node == node) &&
           (rule->client_id == NULL || strcmp(rule->client_id, client_id) == 0);
}

int
fault_rules_fire(struct fault_rules *rules, int api, int node, const char *client_id)
{
    for (int index = 0; index < rules->count; index++) {
        struct fault_entry *const entry = &rules->entries[index];
        const struct fault_rule *const rule = &entry->rule;
        if (rule->kind > FAULT_DUPLICATE || !concerns(entry, node, client_id) ||
            (rule->api != FAULT_ANY && (int)rule->api != api)) {
            continue;
        }
        const int number = entry->matched++;
        if (number >= rule->skip && (rule->count == 0 || number < rule->skip + rule->count)) {
            return index;
        }
    }
    return FAULT_NONE;
}

int
fault_rules_refuse(const struct fault_rules *rules, int node, const char *client_id)
{
    for (int index = 0; index < rules->count; index++) {
        const struct fault_entry *const entry = &rules->entries[index];
        if (entry->rule.kind == FAULT_REFUSE && concerns(entry, node, client_id)) {
            return index;
        }
    }
    return FAULT_NONE;
}

size_t
fault_rules_allow(const struct fault_rules *rules, enum fault_way way, int node,
                  const char *client_id)
{
    const enum fault_kind one_way = way == FAULT_TO_NODE ? FAULT_CUT_REQUESTS : FAULT_CUT_REPLIES;
    size_t allowed = SIZE_MAX;
    for (int index = 0; index < rules->count; index++) {
        const struct fault_entry *const entry = &rules->entries[index];
        if (!concerns(entry, node, client_id)) {
            continue;
        }
        if (entry->rule.kind == FAULT_CUT || entry->rule.kind == one_way) {
            return 0;
        }
        if (entry->rule.kind == FAULT_SLOW && entry->allowance < (double)allowed) {
            allowed = (size_t)entry->allowance;
        }
    }
    return allowed;
}

void
fault_rules_spend(struct fault_rules *rules, int node, const char *client_id, size_t size)
{
    for (int index = 0; index < rules->count; index++) {
        struct fault_entry *const entry = &rules->entries[index];
        if (entry->rule.kind == FAULT_SLOW && concerns(entry, node, client_id)) {
            entry->allowance -= (double)size;
        }
    }
}

bool
fault_rules_refill(struct fault_rules *rules, double seconds)
{
    bool is_slow = false;
    for (int index = 0; index < rules->count; index++) {
        struct fault_entry *const entry = &rules->entries[index];
        if (entry->rule.kind != FAULT_SLOW || entry->is_lifted) {
            continue;
        }
        /* What was not used within a twentieth of a second is lost: no burst after a rest. */
        const double rate = (double)entry->rule.bytes_per_second, most = rate / 20 + 1;
        const double allowance = entry->allowance + rate * seconds;
        entry->allowance = allowance > most ? most : allowance;
        is_slow = true;
    }
    return is_slow;
}
