/* Who owns which shard, in the order of architecture section 4. Each step is a function here, but
 * for 5 (commit.c) and 6 (live.c: sweeps come after the acknowledgement).
 *
 * 1 start: live_open.
 * 2 assignment: assigned.
 * 3 take-over: member_start (the store, then the journal's end); held_up (a dead owner's
 *   transaction is ended).
 * 4 recovery: live_take_over (the journal, folded again, a piece at a time).
 * 7 refused: live_set_back.
 * 8 unknown: live_set_back, then 1.
 * 9 revoked, lost: live_hear (nothing is open when the group is heard).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "loop/fault.h"
#include "loop/live_parts.h"

#define EVENTS_AT_ONCE  16
#define FOLLOW_RECORDS  (32 * 1024) /* of one shard in one turn; bounds how long the group waits */
#define FOLLOW_BESIDE   (16 * 1024) /* the same while others are live */
#define HELD_UP_US      (200 * 1000)
#define TELL_US         (60 * 1000 * 1000) /* by then the broker has ended what it can */
#define STANDBY_LOOK_US (200 * 1000)

int64_t
live_now_us(const struct live *live)
{
    return live->options->clock->monotonic_us(live->options->clock);
}

void
live_beat(struct live *live, const char *what)
{
    if (live->options->beat != NULL) {
        live->options->beat(live->options->context, what);
    }
}

static void
note(struct live *live, enum gf_live_note what, uint32_t value, const char *text)
{
    if (live->options->note != NULL) {
        live->options->note(live->options->context, what, value, text);
    }
}

static void
note_taken(struct live *live, const struct member *member)
{
    char text[64] = "standby";
    if (!member->was_standby) {
        snprintf(text, sizeof(text), "%" PRId64 " records folded again",
                 gf_shard_refolded(member->shard));
    }
    note(live, GF_LIVE_TAKEN, member->id, text);
}

bool
live_is_live(const struct live *live, const struct member *member)
{
    return live->is_assigned && member->is_ours && !member->must_start && member->shard != NULL &&
           gf_shard_place(member->shard) == GF_SHARD_LIVE;
}

static struct member *
member_get(struct live *live, uint32_t id)
{
    uint32_t at = 0;
    while (at < live->member_count && live->members[at].id < id) {
        at++;
    }
    if (at < live->member_count && live->members[at].id == id) {
        return &live->members[at];
    }
    assert(live->member_count < GF_LIVE_SHARD_COUNT_MAX);
    memmove(&live->members[at + 1], &live->members[at],
            (live->member_count - at) * sizeof(live->members[0]));
    live->member_count++;
    live->members[at] = (struct member){.id = id, .must_start = true};
    return &live->members[at];
}

void
live_begin(struct live *live)
{
    const struct gf_live_options *options = live->options;
    const bool is_fixed = options->group_open == NULL;
    live->generation = -1;
    live->is_assigned = is_fixed;
    for (uint32_t i = 0; (is_fixed || options->is_standby) && i < options->shard_count; i++) {
        member_get(live, options->shards[i])->is_ours = is_fixed;
    }
}

/* ---- 1: start ---- */

enum gf_rc
live_open(struct live *live, struct gf_error *error)
{
    const struct gf_live_options *options = live->options;
    enum gf_rc rc = GF_OK;
    if (live->sink == NULL) {
        live_beat(live, "init_transactions");
        rc = options->sink_open(options->context, &live->sink, error);
    }
    if (rc == GF_OK && live->group == NULL && options->group_open != NULL) {
        live_beat(live, "join the group");
        rc = options->group_open(options->context, &live->group, error);
    }
    return rc;
}

void
live_sink_drop(struct live *live)
{
    if (live->sink != NULL) {
        live_beat(live, "close the producer");
        live->sink->ops->close(live->sink); /* an open commit is aborted */
        live->sink = NULL;
    }
}

/* ---- 2: assignment ---- */

/* A shard that stays ours keeps its memory if nobody else can have had it in between: no generation
 * was missed. No transaction is open: the group is heard between them. A standby goes on from where
 * it is, and asks for the journal's end anew. */
static void
member_name(struct member *member, bool is_consecutive)
{
    const bool was_ours = member->is_ours;
    member->is_ours = true;
    member->is_named = true;
    if (member->shard == NULL || member->must_start) {
        return;
    }
    if (gf_shard_place(member->shard) == GF_SHARD_LIVE) {
        member->must_start = !was_ours || (!is_consecutive && GF_RULE(KEEP));
    } else {
        member->must_take_over = true;
        member->was_standby = member->was_standby || !was_ours;
    }
}

static void
members_forget(struct live *live)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < live->member_count; i++) {
        struct member *member = &live->members[i];
        if (!member->is_named &&
            member->is_ours) { /* now somebody else's: at best to be followed */
            member->is_ours = false;
            member->must_start = true;
        }
        member->is_named = false;
        if (member->is_ours || live->options->is_standby) {
            live->members[kept++] = *member;
        } else if (member->shard != NULL) {
            gf_shard_leave(member->shard);
            live->options->shard_close(live->options->context, member->shard);
        }
    }
    live->member_count = kept;
}

/* "0,4,8": as many as there is room for. */
static void
shards_name(const struct gf_group_event *event, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < event->shard_count && size - used > sizeof(",4294967295,..."); i++) {
        const bool is_last = size - used <= 2 * sizeof(",4294967295,...");
        used += (size_t)snprintf(text + used, size - used, "%s%u%s", i == 0 ? "" : ",",
                                 event->shards[i], is_last ? ",..." : "");
    }
}

static void
assigned(struct live *live, const struct gf_group_event *event)
{
    const bool is_consecutive =
        live->generation >= 0 &&
        (event->generation == live->generation || event->generation == live->generation + 1);
    live->generation = event->generation;
    live->assigned_us = live_now_us(live);
    live->fence = event->fence;
    live->fenced_count = 0;
    for (uint32_t i = 0; i < event->shard_count; i++) {
        member_name(member_get(live, event->shards[i]), is_consecutive);
    }
    members_forget(live);
    live->is_assigned = true;
    char names[256];
    shards_name(event, names, sizeof(names));
    note(live, GF_LIVE_ASSIGNED, event->shard_count, names);
}

/* ---- 9: revoked and lost ---- */

enum gf_rc
live_hear(struct live *live, struct gf_duration wait, struct gf_error *error)
{
    if (live->group == NULL) {
        return GF_OK;
    }
    for (int i = 0; i < EVENTS_AT_ONCE; i++) {
        struct gf_group_event event = {0};
        live_beat(live, "poll the group");
        const enum gf_rc rc = live->group->ops->poll(
            live->group, i == 0 ? wait : (struct gf_duration){0}, &event, error);
        live->is_ousted = rc == GF_E_FENCED;
        if (rc != GF_OK || event.kind == GF_GROUP_QUIET) {
            return rc;
        }
        gf_point(GF_POINT_IN_REBALANCE);
        if (event.kind == GF_GROUP_ASSIGNED) {
            assigned(live, &event);
            continue;
        }
        /* Nothing is open here; nothing is begun until the next assignment. */
        live->is_assigned = false;
        live->generation = event.kind == GF_GROUP_LOST ? -1 : live->generation;
        note(live, GF_LIVE_REVOKED, 0, event.kind == GF_GROUP_LOST ? "lost" : "revoked");
    }
    return GF_OK;
}

/* ---- 3: take-over ---- */

static bool
is_fenced_already(const struct live *live, const char *id)
{
    for (uint32_t i = 0; i < live->fenced_count; i++) {
        if (strcmp(live->fenced[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static enum gf_rc
fence_once(struct live *live, uint32_t shard, const char *id, struct gf_error *error)
{
    if (is_fenced_already(live, id) || live->fenced_count == FENCED_COUNT_MAX) {
        return GF_OK; /* the broker's time-out ends it too */
    }
    strcpy(live->fenced[live->fenced_count++], id);
    note(live, GF_LIVE_FENCED_ID, shard, id);
    live_beat(live, "end another owner's transaction");
    return live->options->fence(live->options->context, id, error);
}

/* An open transaction stands before the journal's end for long: its owner is dead or stalled. A
 * claim names the id: one inside that transaction, if it is its owner's first, else the newest that
 * is committed. Taking a step under it ends the transaction. A live owner is fenced by that, and
 * looks at its assignment again. */
static enum gf_rc
held_up(struct live *live, struct member *member, struct gf_error *error)
{
    const int64_t now = live_now_us(live);
    if (live->options->fence == NULL || now - member->held_up_us < HELD_UP_US) {
        return GF_OK;
    }
    char names[GF_SHARD_HOLDERS_MAX][OWNER_SIZE];
    uint32_t count = 0;
    live_beat(live, "look whose transaction is open");
    enum gf_rc rc = gf_shard_holders(member->shard, live->generation, names, &count, error);
    for (uint32_t i = 0; rc == GF_OK && i < count; i++) {
        rc = fence_once(live, member->id, names[i], error);
    }
    member->held_up_us = live_now_us(live);
    return rc;
}

/* Whatever holds it up has outlived its own end: only an operator can help. It goes on waiting. */
static void
held_up_tell(struct live *live, struct member *member)
{
    if (!member->has_told && live_now_us(live) - member->still_since_us > TELL_US) {
        struct gf_error why = {{0}};
        const enum gf_rc rc = gf_shard_stuck(member->shard, &why);
        assert(rc != GF_OK);
        (void)rc;
        note(live, GF_LIVE_HELD_UP, member->id, why.text);
        member->has_told = true;
    }
}

/* Store or snapshot first, the journal's end after that. */
static enum gf_rc
member_start(struct live *live, struct member *member, struct gf_error *error)
{
    const struct gf_live_options *options = live->options;
    enum gf_rc rc = GF_OK;
    live_beat(live, "open the store");
    if (member->shard == NULL) {
        rc = options->shard_open(options->context, member->id, &member->shard, error);
    }
    if (rc == GF_OK) {
        rc = gf_shard_start(member->shard, error);
    }
    if (rc == GF_OK) {
        member->must_start = false;
        member->must_take_over = member->is_ours;
        member->was_standby = false;
        member->begun_us = 0;
        member->still_since_us = 0;
        member->level_us = live_now_us(live);
    }
    return rc;
}

/* ---- 4: recovery ---- */

static enum gf_rc
member_follow(struct live *live, struct member *member, int64_t records, struct gf_duration wait,
              struct gf_error *error)
{
    const int64_t now = live_now_us(live);
    const bool is_standby = !member->is_ours;
    if (is_standby && gf_shard_is_level(member->shard)) {
        member->level_us = now;
        if (now - member->looked_us < STANDBY_LOOK_US) {
            return GF_OK;
        }
        member->looked_us = now;
        const enum gf_rc rc = gf_shard_standby_look(member->shard, error);
        if (rc != GF_OK || gf_shard_is_level(member->shard)) {
            return rc;
        }
    }
    bool moved = false;
    live_beat(live, "follow a journal");
    enum gf_rc rc = gf_shard_follow(member->shard, records, wait, &moved, error);
    if (moved || gf_shard_is_level(member->shard)) {
        member->still_since_us = 0;
    } else if (member->still_since_us == 0) {
        member->still_since_us = now;
        member->has_told = false;
    }
    if (rc == GF_OK && gf_shard_place(member->shard) == GF_SHARD_LIVE) {
        note_taken(live, member);
        member->was_standby = false;
    }
    if (rc == GF_OK && member->is_ours && member->still_since_us != 0 &&
        now - member->still_since_us > HELD_UP_US) {
        held_up_tell(live, member);
        rc = held_up(live, member, error);
    }
    return rc;
}

static enum gf_rc
member_bring(struct live *live, struct member *member, int64_t records, struct gf_duration wait,
             struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    if (member->must_start) {
        rc = member_start(live, member, error);
    }
    if (rc == GF_OK && member->must_take_over) {
        rc = gf_shard_take_over(member->shard, error);
        member->must_take_over = rc != GF_OK;
    }
    if (rc == GF_OK && gf_shard_place(member->shard) == GF_SHARD_FOLLOWING) {
        rc = member_follow(live, member, records, wait, error);
    }
    if (rc != GF_OK) {
        member->must_start = true; /* a record may be half taken */
        live->damaged = rc == GF_E_STATE ? member : NULL;
    }
    return rc;
}

static enum gf_rc
members_bring(struct live *live, bool is_ours, struct gf_duration wait, struct gf_error *error)
{
    uint32_t live_count = 0;
    for (uint32_t i = 0; i < live->member_count; i++) {
        live_count += live_is_live(live, &live->members[i]);
    }
    const int64_t records = live_count > 0 ? FOLLOW_BESIDE : FOLLOW_RECORDS;
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < live->member_count; i++) {
        struct member *member = &live->members[i];
        if (member->is_ours == is_ours && !live_is_live(live, member)) {
            rc = member_bring(live, member, records, wait, error);
        }
    }
    return rc;
}

/* Ours first; what others own is followed while nothing of ours waits, and not before the group has
 * said what is ours: opening their stores would keep us from hearing it. */
enum gf_rc
live_take_over(struct live *live, struct gf_duration wait, struct gf_error *error)
{
    if (!live->is_assigned) {
        return GF_OK;
    }
    enum gf_rc rc = members_bring(live, true, wait, error);
    bool is_all_live = true;
    for (uint32_t i = 0; i < live->member_count; i++) {
        const struct member *member = &live->members[i];
        is_all_live = is_all_live && (!member->is_ours || live_is_live(live, member));
    }
    if (rc == GF_OK && live->options->is_standby && is_all_live) {
        rc = members_bring(live, false, (struct gf_duration){0}, error);
    }
    return rc;
}

/* ---- 7 and 8: refused, unknown ---- */

/* With fixed slots only an abort says that another instance has the slot by now: a new producer
 * would fence that one. */
bool
live_is_fenced(struct live *live, struct gf_error *error)
{
    struct gf_error why = {{0}};
    const bool is_fenced = live->group == NULL && live->sink != NULL &&
                           live->sink->ops->abort(live->sink, &why) == GF_E_FENCED;
    if (is_fenced) {
        *error = why;
    }
    return is_fenced;
}

/* After a refusal the producer is whole: every request was answered. After anything else it is
 * closed, and opening another one under the same id settles what became of the transaction: a
 * request that was given up may still arrive, but not under a new epoch. Either way the memory of
 * every shard that takes part in commits is dropped: it holds batches that may never have happened.
 */
void
live_set_back(struct live *live, enum gf_rc rc)
{
    const bool is_whole = rc == GF_E_GENERATION || rc == GF_E_STATE;
    if (!is_whole || (live->sink != NULL && live->sink->ops->abort(live->sink, NULL) != GF_OK)) {
        live_sink_drop(live);
    }
    const bool is_known = is_whole || rc == GF_E_TXN;
    const bool drops = is_known ? GF_RULE(ABORT_DROPS) : GF_RULE(UNKNOWN_REOPENS);
    for (uint32_t i = 0; i < live->member_count; i++) {
        struct member *member = &live->members[i];
        const bool is_live =
            member->shard != NULL && gf_shard_place(member->shard) == GF_SHARD_LIVE;
        member->must_start = member->must_start || (is_live && drops);
    }
    if (rc == GF_E_GENERATION && live->group != NULL) {
        live->is_assigned = false; /* until the next assignment: R13 */
    }
}
