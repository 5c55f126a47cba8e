/* The sink of an instance: what a transactional producer does. Records wait in a queue, are sent,
 * land at their own time; a reply may come late or not at all. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define WAIT_US     1000
#define PATIENCE_US (3 * GF_US_PER_S)
#define UNSENT_US   INT64_MAX

struct waiting {
    const struct gf_record *record;
    uint32_t step;
    int64_t due_us; /* lands then; UNSENT_US: in the queue */
};

struct sim_sink {
    struct gf_sink base;
    struct sim *sim;
    struct sim_instance *instance; /* NULL: its process is gone */
    struct sim_sink *next;
    uint32_t index, epoch;
    struct waiting *waiting; /* in order of append; those before `first` are done */
    uint32_t first, count, capacity;
    int64_t last_us[GF_TOPIC_COUNT][SIM_SHARDS_MAX]; /* order within a partition is kept */
    uint32_t step[SIM_SHARDS_MAX];                   /* of the effects being appended; 0: none */
    bool is_fenced, has_failed;
    bool is_waiting; /* for the markers of the transaction before */
    bool must_renew; /* the first of two requests to end a transaction may be under way */
};

static struct sim_sink *
sink_of(struct gf_sink *sink)
{
    return (struct sim_sink *)sink;
}

static enum gf_rc
fenced(struct gf_error *error)
{
    return gf_fail(error, GF_E_FENCED, "a newer producer has this transactional.id");
}

/* A request to the coordinator, which may be about to move: it is asked again. False: given up. */
static bool
coordinator_ask(struct sim_instance *instance, int64_t us)
{
    struct sim *sim = instance->sim;
    const int64_t until_us = sim->now_us + PATIENCE_US;
    sim_pass(instance, us);
    while (!broker_answers(sim) && sim->now_us < until_us) {
        sim_pass(instance, 100 * 1000);
    }
    return broker_answers(sim);
}

static enum gf_rc
no_answer(struct gf_error *error)
{
    return gf_fail(error, GF_E_UNKNOWN_OUTCOME, "the coordinator does not answer");
}

/* ---- what is on the way ---- */

static void
batch_note(struct sim *sim, uint32_t index, const struct gf_record *record)
{
    static uint64_t memory[(1 << 18) / sizeof(uint64_t)];
    struct gf_arena arena = gf_arena_of(memory, sizeof(memory));
    struct gf_reader reader = gf_reader_of(record->value);
    struct gf_journal journal;
    if (gf_topics[GF_TOPIC_JOURNAL].decode(&reader, &arena, &journal) != GF_OK) {
        sim_fail(sim, "a journal record cannot be decoded");
    } else if (journal.kind == GF_JOURNAL_KIND_BATCH) {
        struct sim_part *part = &sim->parts[GF_TOPIC_JOURNAL][record->partition];
        sim->ids[index].batch[record->partition] = journal.batch;
        part->entries[record->offset].is_batch = true;
    }
}

static void
land(struct sim *sim, const struct sim_event *event)
{
    struct sim_sink *sink = event->who;
    for (uint32_t i = sink->first; i < sink->count; i++) {
        struct waiting *waiting = &sink->waiting[i];
        if (waiting->record == NULL || waiting->due_us > sim->now_us) {
            continue;
        }
        bool must_wait = false;
        if (!broker_land(sim, sink->index, sink->epoch, waiting->record, waiting->step,
                         &must_wait)) {
            sink->is_fenced = true;
        } else if (must_wait) { /* the transaction before has markers on the way */
            if (!sink->is_waiting || event->a == 1) {
                sink->is_waiting = true;
                sim_event(sim, sim->now_us + WAIT_US,
                          (struct sim_event){.run = land, .who = sink, .a = 1});
            }
            return;
        } else if (waiting->record->topic == GF_TOPIC_JOURNAL) {
            batch_note(sim, sink->index, waiting->record);
        }
        waiting->record = NULL;
    }
    sink->is_waiting = sink->is_waiting && event->a == 0;
    while (sink->first < sink->count && sink->waiting[sink->first].record == NULL) {
        sink->first++;
    }
    if (sink->first == sink->count) {
        sink->first = sink->count = 0;
    }
}

static void
send(struct sim_sink *sink, struct waiting *waiting)
{
    struct sim *sim = sink->sim;
    int64_t *last = &sink->last_us[waiting->record->topic][waiting->record->partition];
    const int64_t due = sim->now_us + sim_delay(sim, 2000, sim->weather.slow_send, 4 * GF_US_PER_S);
    waiting->due_us = due > *last ? due : *last;
    *last = waiting->due_us;
    sim_event(sim, waiting->due_us, (struct sim_event){.run = land, .who = sink});
}

static void
drop_all(struct sim_sink *sink)
{
    sink->first = sink->count = 0;
}

/* ---- requests to end a transaction that come late ---- */

static void
end_late(struct sim *sim, const struct sim_event *event)
{
    if (!broker_answers(sim)) {
        sim_event(sim, sim->coordinator_from_us, *event);
        return;
    }
    const bool is_commit = event->c != 0;
    SIM_TRACE(sim, "a late request to %s comes to the coordinator", is_commit ? "commit" : "abort");
    (void)broker_end(sim, (uint32_t)event->a, (uint32_t)event->b, is_commit);
}

static void
end_send(struct sim_sink *sink, int64_t due_us, bool is_commit)
{
    sim_event(
        sink->sim, due_us,
        (struct sim_event){.run = end_late, .a = sink->index, .b = sink->epoch, .c = is_commit});
}

/* The client has sent its request again by itself, and has an answer; the first is under way. */
static void
end_repeat(struct sim_sink *sink, bool is_commit)
{
    struct sim *sim = sink->sim;
    if (sim_chance(sim, sim->weather.repeat)) {
        SIM_TRACE(sim, "%s: its request to %s was sent twice", sink->instance->name,
                  is_commit ? "commit" : "abort");
        sim->counts[SIM_REPEATS]++;
        sink->must_renew = true;
        end_send(sink, sim->now_us + sim_delay(sim, 50 * 1000, 4, 4 * GF_US_PER_S), is_commit);
    }
}

/* ---- the calls ---- */

static enum gf_rc
epoch_take(struct sim_instance *instance, uint32_t *epoch_out, struct gf_error *error)
{
    struct sim *sim = instance->sim;
    if (!coordinator_ask(instance, sim_delay(sim, 2000, 20, GF_US_PER_S))) {
        return gf_fail(error, GF_E_UNAVAILABLE, "the coordinator does not answer");
    }
    *epoch_out = broker_init(sim, instance->index);
    SIM_TRACE(sim, "%s: init_transactions, epoch %u", instance->name, *epoch_out);
    while (sim->ids[instance->index].state != SIM_TXN_EMPTY) {
        sim_pass(instance, 5000);
    }
    return GF_OK;
}

static enum gf_rc
sink_begin(struct gf_sink *base, struct gf_error *error)
{
    struct sim_sink *sink = sink_of(base);
    sim_pass(sink->instance, sim_delay(sink->sim, 50, 0, 0));
    if (sink->must_renew && GF_RULE(RENEW)) { /* in a group in place, under its fence */
        if (sink->sim->is_fixed) {
            return gf_fail(error, GF_E_UNKNOWN_OUTCOME, "a request may still arrive: a new epoch");
        }
        const enum gf_rc rc = epoch_take(sink->instance, &sink->epoch, error);
        if (rc != GF_OK) {
            return rc;
        }
        sink->must_renew = sink->is_fenced = false;
        sink->sim->counts[SIM_RENEWALS]++;
    }
    if (sink->is_fenced) {
        return fenced(error);
    }
    sink->has_failed = false;
    memset(sink->step, 0, sizeof(sink->step));
    return GF_OK;
}

static uint32_t
step_of(struct sim_sink *sink, const struct gf_output *output)
{
    struct sim *sim = sink->sim;
    uint32_t *step = &sink->step[output->partition];
    if (*step == 0) {
        *step = ++sim->step_count;
        if (sim->step_count >= sim->step_capacity) {
            sim->step_capacity = sim->step_capacity * 2 + 1024;
            sim->step_effects =
                realloc(sim->step_effects, sim->step_capacity * sizeof(sim->step_effects[0]));
            if (sim->step_effects == NULL) {
                abort();
            }
        }
        sim->step_effects[*step] = 0;
    }
    const uint32_t is = *step;
    if (output->topic == GF_TOPIC_JOURNAL) {
        *step = 0;
    } else {
        sim->step_effects[is]++;
    }
    return is;
}

static enum gf_rc
sink_append(struct gf_sink *base, const struct gf_output *output, struct gf_error *error)
{
    struct sim_sink *sink = sink_of(base);
    struct sim *sim = sink->sim;
    if (output->topic == GF_TOPIC_JOURNAL || sim_below(sim, 4) == 0) {
        sim_pass(sink->instance, sim_delay(sim, 20, 0, 0));
    }
    if (sink->is_fenced) {
        return fenced(error);
    }
    if (sim_chance(sim, sim->weather.txn_error)) {
        return gf_fail(error, GF_E_TXN, "an output was not taken");
    }
    if (sink->count == sink->capacity) {
        sink->capacity = sink->capacity * 2 + 64;
        sink->waiting = realloc(sink->waiting, sink->capacity * sizeof(sink->waiting[0]));
        if (sink->waiting == NULL) {
            abort();
        }
    }
    struct waiting *waiting = &sink->waiting[sink->count++];
    *waiting = (struct waiting){
        .record = broker_copy(sim, output), .step = step_of(sink, output), .due_us = UNSENT_US};
    if (sim->weather.linger > 0 && sim_below(sim, sim->weather.linger) == 0) {
        for (uint32_t i = sink->first; i < sink->count; i++) {
            if (sink->waiting[i].record != NULL && sink->waiting[i].due_us == UNSENT_US) {
                send(sink, &sink->waiting[i]);
            }
        }
    }
    return GF_OK;
}

static enum gf_rc
sink_flush(struct gf_sink *base, struct gf_error *error)
{
    struct sim_sink *sink = sink_of(base);
    struct sim *sim = sink->sim;
    for (uint32_t i = sink->first; i < sink->count; i++) {
        if (sink->waiting[i].record != NULL && sink->waiting[i].due_us == UNSENT_US) {
            send(sink, &sink->waiting[i]);
        }
    }
    const bool is_lost = sim_chance(sim, sim->weather.lost_send);
    do {
        sim_pass(sink->instance, WAIT_US);
    } while (sink->first < sink->count && !sink->is_fenced && !is_lost);
    if (sink->is_fenced) {
        return fenced(error);
    }
    if (is_lost && sink->first < sink->count) { /* given up: it is never sent again */
        drop_all(sink);
        sink->has_failed = true;
    }
    return sink->has_failed ? gf_fail(error, GF_E_TXN, "an output did not arrive") : GF_OK;
}

static enum gf_rc
sink_abort(struct gf_sink *base, struct gf_error *error)
{
    struct sim_sink *sink = sink_of(base);
    struct sim *sim = sink->sim;
    drop_all(sink);
    if (!coordinator_ask(sink->instance, sim_delay(sim, 2000, 20, GF_US_PER_S))) {
        return no_answer(error);
    }
    const bool is_open = sim->ids[sink->index].state == SIM_TXN_ONGOING;
    if (sink->is_fenced || !broker_end(sim, sink->index, sink->epoch, false)) {
        sink->is_fenced = true;
        return fenced(error);
    }
    if (is_open) {
        end_repeat(sink, false);
    }
    sim_pass(sink->instance, sim_delay(sim, 2000, 20, GF_US_PER_S));
    return GF_OK;
}

static enum gf_rc
sink_send_offsets(struct gf_sink *base, const struct gf_position *positions, uint32_t count,
                  const void *fence, struct gf_error *error)
{
    struct sim_sink *sink = sink_of(base);
    struct sim *sim = sink->sim;
    bool must_wait = true;
    while (must_wait) {
        if (!coordinator_ask(sink->instance, sim_delay(sim, 1000, 20, GF_US_PER_S))) {
            return no_answer(error);
        }
        if (fence != NULL && !group_accepts(sim, sink->index, fence)) {
            SIM_TRACE(sim, "%s: its offsets are refused by generation", sink->instance->name);
            sim->counts[SIM_REFUSALS]++;
            const enum gf_rc rc = sink_abort(base, error);
            return rc != GF_OK ? rc : gf_fail(error, GF_E_GENERATION, "generation has passed");
        }
        if (!broker_offsets(sim, sink->index, sink->epoch, positions, count, &must_wait)) {
            sink->is_fenced = true;
            return fenced(error);
        }
    }
    sim_pass(sink->instance, sim_delay(sim, 1000, 20, GF_US_PER_S));
    return GF_OK;
}

static enum gf_rc
commit_trouble(struct sim_sink *sink, struct gf_error *error)
{
    struct sim *sim = sink->sim;
    const uint64_t which = sim_below(sim, 5);
    sim->counts[SIM_UNKNOWNS]++;
    switch (which) {
    case 0: /* the request is lost */
        SIM_TRACE(sim, "%s: its commit is lost", sink->instance->name);
        break;
    case 1: /* the reply is */
    case 2:
        SIM_TRACE(sim, "%s: the reply to its commit is lost", sink->instance->name);
        (void)broker_end(sim, sink->index, sink->epoch, true);
        break;
    case 3: /* the request comes later than anybody waits */
        SIM_TRACE(sim, "%s: its commit is late", sink->instance->name);
        end_send(sink, sim->now_us + (int64_t)sim_below(sim, 3 * GF_US_PER_S), true);
        break;
    default: /* the service says so itself */
        SIM_TRACE(sim, "%s: its commit is refused", sink->instance->name);
        (void)broker_end(sim, sink->index, sink->epoch, false);
        sim_pass(sink->instance, 1000);
        return gf_fail(error, GF_E_TXN, "the transaction was aborted");
    }
    sim_pass(sink->instance, (int64_t)sim_below(sim, 2 * GF_US_PER_S));
    return gf_fail(error, GF_E_UNKNOWN_OUTCOME, "no reply to the commit");
}

static enum gf_rc
sink_commit(struct gf_sink *base, struct gf_error *error)
{
    struct sim_sink *sink = sink_of(base);
    struct sim *sim = sink->sim;
    enum gf_rc rc = GF_OK;
    if (sink->first < sink->count) { /* a commit flushes; gf_commit has done so before */
        rc = sink_flush(base, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    if (!coordinator_ask(sink->instance, sim_delay(sim, 1000, 20, GF_US_PER_S))) {
        SIM_TRACE(sim, "%s: nobody answers its commit", sink->instance->name);
        sim->counts[SIM_UNKNOWNS]++;
        if (sim_below(sim, 2) == 0) { /* it is heard in the end */
            end_send(sink, sim->coordinator_from_us, true);
        }
        return no_answer(error);
    }
    if (sim_chance(sim, sim->weather.commit_trouble)) {
        return commit_trouble(sink, error);
    }
    const struct sim_id *id = &sim->ids[sink->index];
    if (id->epoch == sink->epoch && id->state != SIM_TXN_ONGOING && !id->is_commit) {
        return gf_fail(error, GF_E_UNKNOWN_OUTCOME, "what is to be committed was aborted");
    }
    if (!broker_end(sim, sink->index, sink->epoch, true)) {
        sink->is_fenced = true;
        return fenced(error);
    }
    end_repeat(sink, true);
    /* The coordinator may move before it replies: the next one is asked again, and says the same.
     */
    if (!coordinator_ask(sink->instance, sim_delay(sim, 1000, 20, GF_US_PER_S))) {
        sim->counts[SIM_UNKNOWNS]++;
        return no_answer(error);
    }
    return GF_OK;
}

static void
sink_close(struct gf_sink *base)
{
    struct sim_sink *sink = sink_of(base);
    drop_all(sink);
    sim_pass(sink->instance, 1000);
    sink->instance = NULL;
}

enum gf_rc
sim_sink_open(struct sim_instance *instance, struct gf_sink **out, struct gf_error *error)
{
    static const struct gf_sink_ops ops = {.name = "simulated",
                                           .begin = sink_begin,
                                           .append = sink_append,
                                           .flush = sink_flush,
                                           .send_offsets = sink_send_offsets,
                                           .commit = sink_commit,
                                           .abort = sink_abort,
                                           .close = sink_close};
    struct sim *sim = instance->sim;
    uint32_t epoch = 0;
    const enum gf_rc rc = epoch_take(instance, &epoch, error);
    if (rc != GF_OK) {
        return rc;
    }
    struct sim_sink *sink = calloc(1, sizeof(*sink));
    if (sink == NULL) {
        abort();
    }
    *sink = (struct sim_sink){.base = {.ops = &ops},
                              .sim = sim,
                              .instance = instance,
                              .next = sim->sinks,
                              .index = instance->index,
                              .epoch = epoch};
    sim->sinks = sink;
    *out = &sink->base;
    return GF_OK;
}

enum gf_rc
sim_fence(struct sim_instance *instance, const char *name, struct gf_error *error)
{
    struct sim *sim = instance->sim;
    for (uint32_t i = 0; i < sim->instance_count; i++) {
        if (strcmp(sim->ids[i].name, name) == 0) {
            if (!coordinator_ask(instance, sim_delay(sim, 2000, 20, GF_US_PER_S))) {
                return gf_fail(error, GF_E_UNAVAILABLE, "the coordinator does not answer");
            }
            SIM_TRACE(sim, "%s ends the transaction of %s", instance->name, name);
            sim->counts[SIM_FENCES]++;
            broker_init(sim, i);
            while (sim->ids[i].state != SIM_TXN_EMPTY) {
                sim_pass(instance, 5000);
            }
        }
    }
    return GF_OK;
}

/* What was sent may still land, or some of it; what was not is gone. */
void
sim_sinks_orphan(struct sim_instance *instance)
{
    for (struct sim_sink *sink = instance->sim->sinks; sink != NULL; sink = sink->next) {
        if (sink->instance != instance) {
            continue;
        }
        sink->instance = NULL;
        const int64_t until =
            instance->sim->now_us + (int64_t)sim_below(instance->sim, GF_US_PER_S);
        for (uint32_t i = sink->first; i < sink->count; i++) {
            if (sink->waiting[i].due_us > until) {
                sink->waiting[i].record = NULL;
            }
        }
    }
}

void
sim_sinks_free(struct sim *sim)
{
    while (sim->sinks != NULL) {
        struct sim_sink *sink = sim->sinks;
        sim->sinks = sink->next;
        free(sink->waiting);
        free(sink);
    }
}
