/* The group: one coordinator, static members, eager rebalances. A member that is stopped does not
 * heartbeat; whoever does not come back in time is put out, and hears of it when it does. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define REBALANCE_US (6 * GF_US_PER_S)
#define TICK_US      (200 * 1000)

/* A member's client. */
struct sim_group {
    struct gf_group base;
    struct sim_instance *instance;
    struct sim_group *next;
    uint32_t member;  /* 0: not joined */
    bool is_assigned; /* the loop has shards from it */
    uint32_t shards[SIM_SHARDS_MAX];
    struct sim_fence fence;
};

void
group_init(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_SHARDS_MAX; i++) {
        sim->group.owner[i] = -1;
    }
}

uint32_t
sim_owner(const struct sim *sim, uint32_t shard)
{
    return sim->is_fixed ? shard % sim->instance_count : (uint32_t)sim->group.owner[shard];
}

bool
group_accepts(const struct sim *sim, uint32_t instance, const struct sim_fence *fence)
{
    const struct sim_member *member = &sim->group.members[instance];
    return member->is_there && member->member == fence->member &&
           sim->group.generation == fence->generation;
}

static void
rebalance_begin(struct sim *sim, const char *why)
{
    struct sim_group_state *group = &sim->group;
    if (group->is_preparing) {
        return;
    }
    SIM_TRACE(sim, "the group rebalances: %s", why);
    group->is_preparing = true;
    group->prepare_until_us = sim->now_us + REBALANCE_US;
    for (uint32_t i = 0; i < sim->instance_count; i++) {
        group->members[i].has_joined = false;
    }
    sim->counts[SIM_REBALANCES]++;
}

static void
member_out(struct sim *sim, uint32_t index, const char *why)
{
    SIM_TRACE(sim, "%s is put out of the group: %s", sim->instances[index].name, why);
    sim->group.members[index].is_there = false;
    rebalance_begin(sim, "a member is gone");
}

/* Everybody who is there has joined: a new generation. */
static void
rebalance_end(struct sim *sim)
{
    struct sim_group_state *group = &sim->group;
    uint32_t there[SIM_INSTANCES_MAX], count = 0;
    for (uint32_t i = 0; i < sim->instance_count; i++) {
        if (group->members[i].is_there) {
            there[count++] = i;
        }
    }
    group->is_preparing = false;
    group->generation++;
    for (uint32_t shard = 0; shard < sim->shard_count; shard++) {
        const int before = group->owner[shard];
        const bool stays = before >= 0 && group->members[before].is_there && sim_below(sim, 3) != 0;
        if (!stays) {
            group->owner[shard] = count == 0 ? -1 : (int)there[sim_below(sim, count)];
        }
    }
    SIM_TRACE(sim, "generation %d: shards to %d %d %d %d %d %d", group->generation, group->owner[0],
              group->owner[1], group->owner[2], group->owner[3], group->owner[4], group->owner[5]);
}

static void
rebalance_look(struct sim *sim)
{
    struct sim_group_state *group = &sim->group;
    bool all = true;
    uint32_t count = 0;
    for (uint32_t i = 0; i < sim->instance_count; i++) {
        all = all && (!group->members[i].is_there || group->members[i].has_joined);
        count += group->members[i].is_there;
    }
    if (group->is_preparing && all && count > 0) {
        rebalance_end(sim);
    }
}

void
group_tick(struct sim *sim)
{
    struct sim_group_state *group = &sim->group;
    for (uint32_t i = 0; i < sim->instance_count; i++) {
        const struct sim_instance *instance = &sim->instances[i];
        const bool is_still = instance->state != SIM_UP || instance->is_paused;
        if (group->members[i].is_there && is_still && instance->state != SIM_ENDED &&
            sim->now_us - instance->still_since_us > SIM_SESSION_US) {
            member_out(sim, i, "its session timed out");
        }
        if (group->is_preparing && group->members[i].is_there && !group->members[i].has_joined &&
            sim->now_us > group->prepare_until_us) {
            member_out(sim, i, "it did not rejoin");
        }
    }
    if (!group->is_preparing && sim_chance(sim, sim->weather.rebalance)) {
        rebalance_begin(sim, "somebody wants it");
    }
    rebalance_look(sim);
}

/* ---- the client ---- */

static enum gf_rc
join(struct sim_group *group)
{
    struct sim *sim = group->instance->sim;
    struct sim_group_state *state = &sim->group;
    struct sim_member *member = &state->members[group->instance->index];
    const bool is_return = member->is_there; /* a static member: nobody else hears of it */
    member->member = group->member = ++state->members_made;
    member->is_there = true;
    member->told = -1;
    SIM_TRACE(sim, "%s joins as member %u%s", group->instance->name, member->member,
              is_return ? ", in the place of the one before" : "");
    if (!is_return || state->is_preparing) {
        rebalance_begin(sim, "a member is new");
        member->has_joined = true;
    }
    rebalance_look(sim);
    return GF_OK;
}

static void
assigned(struct sim_group *group, struct gf_group_event *event)
{
    const struct sim_group_state *state = &group->instance->sim->group;
    group->fence = (struct sim_fence){.generation = state->generation, .member = group->member};
    *event = (struct gf_group_event){.kind = GF_GROUP_ASSIGNED,
                                     .generation = state->generation,
                                     .shards = group->shards,
                                     .fence = &group->fence};
    for (uint32_t i = 0; i < group->instance->sim->shard_count; i++) {
        if (state->owner[i] == (int)group->instance->index) {
            group->shards[event->shard_count++] = i;
        }
    }
    group->is_assigned = true;
    SIM_TRACE(group->instance->sim, "%s hears: generation %d, %u shards", group->instance->name,
              state->generation, event->shard_count);
}

static enum gf_rc
group_poll(struct gf_group *base, struct gf_duration wait, struct gf_group_event *event_out,
           struct gf_error *error)
{
    struct sim_group *group = (struct sim_group *)base;
    struct sim *sim = group->instance->sim;
    struct sim_group_state *state = &sim->group;
    struct sim_member *member = &state->members[group->instance->index];
    (void)error;
    *event_out = (struct gf_group_event){.kind = GF_GROUP_QUIET};
    sim_pass(group->instance, 1 + (int64_t)sim_below(sim, 100) + wait.us);
    if (group->member == 0) {
        return join(group);
    }
    if (!member->is_there || member->member != group->member) {
        group->member = 0;
        event_out->kind = group->is_assigned ? GF_GROUP_LOST : GF_GROUP_QUIET;
        group->is_assigned = false;
        SIM_TRACE(sim, "%s hears that it is out of the group", group->instance->name);
        return GF_OK;
    }
    const bool is_late = sim->now_us < sim->calm_at_us && sim_below(sim, 3) == 0;
    if (is_late) {
        return GF_OK;
    }
    if (state->is_preparing && !member->has_joined) {
        event_out->kind = group->is_assigned ? GF_GROUP_REVOKED : GF_GROUP_QUIET;
        group->is_assigned = false;
        member->has_joined = true;
        rebalance_look(sim);
    } else if (!state->is_preparing && member->told != state->generation) {
        member->told = state->generation;
        assigned(group, event_out);
    }
    return GF_OK;
}

static void
group_close(struct gf_group *base)
{
    (void)base; /* a static member does not leave */
}

enum gf_rc
sim_group_open(struct sim_instance *instance, struct gf_group **out, struct gf_error *error)
{
    static const struct gf_group_ops ops = {
        .name = "simulated", .poll = group_poll, .close = group_close};
    (void)error;
    struct sim_group *group = calloc(1, sizeof(*group));
    if (group == NULL) {
        abort();
    }
    *group = (struct sim_group){
        .base = {.ops = &ops}, .instance = instance, .next = instance->sim->groups};
    instance->sim->groups = group;
    *out = &group->base;
    return GF_OK;
}

void
sim_groups_free(struct sim *sim)
{
    while (sim->groups != NULL) {
        struct sim_group *group = sim->groups;
        sim->groups = group->next;
        free(group);
    }
}
