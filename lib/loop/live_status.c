/* What the loop says of itself. */
#include "loop/live_parts.h"

int64_t
live_lag(const struct live *live)
{
    int64_t lag = 0;
    for (uint32_t i = 0; i < live->member_count; i++) {
        const struct member *member = &live->members[i];
        lag += live_is_live(live, member) ? gf_shard_lag(member->shard) : 0;
    }
    return lag;
}

void
live_members_count(struct live *live)
{
    struct gf_live_status *status = &live->status;
    const int64_t now = live_now_us(live);
    status->live = status->recovering = status->standby = 0;
    status->standby_lag_us = status->recover_done = status->recover_total = 0;
    for (uint32_t i = 0; i < live->member_count; i++) {
        const struct member *member = &live->members[i];
        if (!member->is_ours) {
            const int64_t lag = now - member->level_us;
            status->standby++;
            status->standby_lag_us = lag > status->standby_lag_us ? lag : status->standby_lag_us;
        } else if (live_is_live(live, member)) {
            status->live++;
        } else {
            status->recovering++;
        }
        if (member->is_ours && member->shard != NULL) {
            int64_t done = 0, total = 0;
            gf_shard_progress(member->shard, &done, &total);
            status->recover_done += done;
            status->recover_total += total;
        }
    }
}

void
live_show(struct live *live)
{
    struct gf_live_status *status = &live->status;
    live_members_count(live);
    status->lag = live_lag(live);
    status->generation = live->generation;
    status->shard_time = GF_TIME_NONE;
    status->customers = 0;
    FOR_EACH_LIVE(live, member)
    {
        const struct gf_engine *engine = gf_shard_engine(member->shard);
        const struct gf_time time = gf_engine_shard_time(engine);
        status->customers += gf_engine_entity_count(engine);
        if (!gf_time_is_none(time) &&
            (gf_time_is_none(status->shard_time) || time.us < status->shard_time.us)) {
            status->shard_time = time;
        }
    }
    status->at_end = status->lag == 0 && status->recovering == 0;
    if (live->options->show != NULL) {
        live->options->show(live->options->context, status);
    }
}

void
live_effects_count(struct live *live)
{
    live->status.effects = 0;
    for (uint32_t i = 0; i < live->member_count; i++) {
        if (live->members[i].shard == NULL) {
            continue;
        }
        const int64_t *counts = gf_shard_effect_counts(live->members[i].shard);
        for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
            live->status.effects += counts[topic];
        }
    }
}
