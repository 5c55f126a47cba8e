/* Simulation of a cluster: instances that run the real loop (gf_live_run), each on a fiber, over
 * one simulated broker, disks and clock, in one process and one thread. Every call that an instance
 * makes into the simulation may let others run, take long, fail as a service fails, or be the last
 * one. All of it is drawn from a seed, so a seed replays a failure.
 *
 *   sim.c       time, events, what an instance's call costs, and faults
 *   broker.c    partitions, transactions, markers; sink.c and source.c are its clients
 *   group.c     the group: generations, members, who owns what
 *   disk.c      stores, and what crashes do to them; writes.c what a loss of power leaves of one
 *   snapshots.c the folder of snapshots that all share
 *   instance.c  one process: starts, dies, is started again
 *   audit.c     what must hold at every commit; final.c what must hold at the end
 *   model.c     an account of the outputs that knows nothing of the engine */
#ifndef GF_SIM_H
#define GF_SIM_H

#include <stdarg.h>
#include <stdio.h>

#include "base/random.h"
#include "codec/records.h"
#include "fiber.h"
#include "lab_world.h"
#include "loop/fault.h"
#include "loop/group.h"
#include "model/records.h"

#define SIM_SHARDS_MAX    6
#define SIM_INSTANCES_MAX 3
#define SIM_EVENTS_MAX    4096
#define SIM_SNAPSHOTS_MAX 3
#define SIM_OFFSETS_MAX   (GF_TOPIC_INPUT_COUNT * SIM_SHARDS_MAX)
#define SIM_HUNG          UINT8_MAX /* the id of entries of a transaction that hangs */
#define SIM_SESSION_US    (10 * GF_US_PER_S)

struct sim;
struct sim_instance;
struct sim_sink;

/* What happened, counted: for the summary. */
#define SIM_COUNTERS(X)                                                                            \
    X(COMMITS, "commits")                                                                          \
    X(ABORTS, "aborts")                                                                            \
    X(CRASHES, "crashes")                                                                          \
    X(PAUSES, "pauses")                                                                            \
    X(REBALANCES, "rebalances")                                                                    \
    X(UNKNOWNS, "commits troubled")                                                                \
    X(REPEATS, "commits and aborts sent twice")                                                    \
    X(RENEWALS, "epochs renewed in place")                                                         \
    X(REFUSALS, "refused by generation")                                                           \
    X(FENCES, "transactions ended by others")                                                      \
    X(CONDEMNED, "stores put away")                                                                \
    X(POWER_LOST, "stores without power")                                                          \
    X(REORDERED, "of them with holes")                                                             \
    X(MOVES, "moves of the coordinator")                                                           \
    X(COMPLETED, "outcomes completed by the next one")                                             \
    X(TIMEOUTS, "transactions timed out")                                                          \
    X(HANGING, "transactions left hanging")                                                        \
    X(HELD_UP, "take-overs held up that said so")                                                  \
    X(SNAPSHOTS, "snapshots")                                                                      \
    X(TORN, "torn ones refused")                                                                   \
    X(RESTORES, "restored")                                                                        \
    X(RESTORES_OLDER, "of them older than the newest")

enum sim_counter {
#define SIM_COUNTER_CODE(name, text) SIM_##name,
    SIM_COUNTERS(SIM_COUNTER_CODE)
#undef SIM_COUNTER_CODE
        SIM_COUNTER_COUNT
};

/* ---- the broker's side ---- */

enum sim_entry_state { SIM_ENTRY_OPEN, SIM_ENTRY_COMMITTED, SIM_ENTRY_ABORTED, SIM_ENTRY_MARKER };

struct sim_entry {
    const struct gf_record *record;
    uint32_t step; /* the loop's step that made it: its journal record has the same number */
    uint8_t id, state;
    bool is_batch; /* of the journal: a BATCH record, and not a claim or a heartbeat */
};

struct sim_part {
    struct sim_entry *entries; /* by offset */
    uint32_t count, capacity;
    uint32_t stable;                      /* everything below is decided, and its marker is here */
    int64_t open_from[SIM_INSTANCES_MAX]; /* first entry of an id's open transaction; -1: none */
    int64_t hangs_from;                   /* first entry of one that nobody will end; -1: none */
};

struct sim_offset {
    int64_t offset;
    uint64_t order; /* of the write: the later one wins */
};

enum sim_txn_state { SIM_TXN_EMPTY, SIM_TXN_ONGOING, SIM_TXN_ENDING };

/* A transactional.id, as its coordinator knows it. */
struct sim_id {
    char name[16];
    uint32_t epoch;
    enum sim_txn_state state;
    int64_t started_us;
    uint32_t markers_left; /* while ENDING */
    bool is_commit;
    bool has_part[GF_TOPIC_COUNT][SIM_SHARDS_MAX]; /* its marker is not there yet */
    bool had_part[GF_TOPIC_COUNT][SIM_SHARDS_MAX]; /* while ENDING: it is */
    bool has_offsets;
    struct sim_offset pending[SIM_OFFSETS_MAX]; /* offset -1: none */
    int64_t batch[SIM_SHARDS_MAX];              /* newest BATCH record landed in it; 0: none */
};

struct sim_fence {
    int32_t generation;
    uint32_t member;
};

struct sim_member {
    bool is_there, has_joined; /* joined: the rebalance that is going on */
    uint32_t member;           /* a new number at each join */
    int32_t told;              /* generation whose assignment it has heard */
};

struct sim_group_state {
    int32_t generation;
    bool is_preparing;
    int64_t prepare_until_us;
    uint32_t members_made;
    struct sim_member members[SIM_INSTANCES_MAX];
    int owner[SIM_SHARDS_MAX]; /* -1: nobody */
};

/* ---- an instance ---- */

enum sim_instance_state { SIM_DOWN, SIM_UP, SIM_ENDED };

/* One write to a store, kept until it is written through. */
struct sim_write {
    struct gf_slice_meta meta;
    uint32_t slice, count; /* of a slice: so many blocks */
    char name[32];         /* of a named value; "": a slice */
    struct gf_store_block *blocks;
    uint8_t *bytes; /* what they point to; the named value */
    size_t size;
};

struct sim_disk {
    struct gf_store base;     /* what the shard is given */
    struct gf_store *store;   /* what a crash of the process leaves */
    struct gf_store *safe;    /* what a loss of power leaves at least */
    struct sim_write *writes; /* since then: it leaves the first so many of them too */
    uint32_t write_count, write_capacity;
    struct sim_instance *instance;
    uint32_t shard;
    bool is_damaged;                    /* a bit was flipped, or writes are missing before others */
    bool is_put_away;                   /* its owner has not gone live with another one since */
    int64_t damaged_at[GF_SLICE_COUNT]; /* batch of each slice then */
    struct gf_store *links;             /* of the snapshot under way; NULL: none */
    bool is_found_bad;                  /* the copying did, and the loop is not told yet */
    int64_t restored;      /* snapshot that the store came from, until it has proved good */
    int64_t trusted_below; /* snapshots from this batch on have not; 0: all are trusted */
};

/* One of a shard's snapshots in the shared folder. */
struct sim_snapshot {
    struct gf_store *store;
    int64_t batch;
    bool is_torn; /* files are missing or damaged: their sums say so */
};

struct sim_snapshots {
    struct sim_snapshot kept[SIM_SNAPSHOTS_MAX]; /* the oldest first */
    uint32_t count;
};

struct sim_instance {
    struct sim *sim;
    uint32_t index;
    char name[16];
    enum sim_instance_state state;
    struct fiber fiber;
    int64_t ready_us;
    bool is_doomed, is_asked_to_stop, is_paused;
    bool has_stopped_short; /* told to stop with a commit in doubt: the next start has to settle it
                             */
    int64_t still_since_us; /* paused or down since; its session runs out */
    uint64_t life;          /* starts so far */
    struct gf_shard *shards[SIM_SHARDS_MAX];
    struct sim_disk disks[SIM_SHARDS_MAX];
    struct gf_stores stores;
    struct gf_source source;
    struct gf_clock clock;
    struct gf_live_status status;
    enum gf_rc rc;
    struct gf_error error;
    bool is_standby;
    /* Of each shard: the journal's end as it was asked for last, when, and whether the loop has
     * said since that it does not get there. */
    int64_t asked_end[SIM_SHARDS_MAX], asked_us[SIM_SHARDS_MAX];
    bool has_told[SIM_SHARDS_MAX];
};

/* ---- the whole ---- */

struct sim_event {
    int64_t due_us;
    uint64_t order;
    void (*run)(struct sim *sim, const struct sim_event *event);
    void *who;
    int64_t a, b, c;
};

/* How rough a seed is; each is one in so many, 0: never. */
struct sim_weather {
    uint32_t crash, pause, stop; /* of calls */
    uint32_t slow_marker, slow_send, lost_send, txn_error, commit_trouble, read_error; /* of such */
    uint32_t repeat;                           /* of commits and aborts */
    uint32_t rebalance;                        /* of group ticks */
    uint32_t machine, disk_lost, disk_damaged; /* of crashes */
    uint32_t reordered;                        /* of stores that lose power */
    uint32_t move;                             /* of ticks: the coordinator does */
    uint32_t hanging;                          /* of markers of aborts */
    uint32_t long_death;                       /* of restarts */
    uint32_t snapshot;                         /* of offers */
    uint32_t snapshot_damaged;                 /* of snapshots, and of restores */
    uint32_t linger; /* of appends are sent at once, the others at the flush */
    uint32_t clock_jump;
};

/* Inputs, and what becomes of them undisturbed. */
struct sim_world {
    uint64_t seed;
    bool is_arrival;
    struct lab lab; /* canonical: run to the end; arrival: only made */
};

struct sim_journal_place {
    uint32_t at; /* next entry to look at */
    int64_t batch, records;
    int64_t to[GF_MERGE_INPUT_COUNT_MAX], count[GF_MERGE_INPUT_COUNT_MAX];
    int topic[GF_MERGE_INPUT_COUNT_MAX];
    uint32_t partition[GF_MERGE_INPUT_COUNT_MAX];
    uint32_t input_count;
    int64_t decided; /* newest batch whose commit has been decided */
    struct gf_tally tally;
};

struct sim {
    uint64_t seed;
    struct gf_random random;
    struct sim_world *world;
    struct sim_weather weather;
    bool is_fixed, is_traced;
    uint32_t shard_count, instance_count;
    int64_t now_us, wall_us; /* wall: what the clocks say besides */
    int64_t calm_at_us;      /* no more faults from then on */
    uint32_t faults_left;
    bool is_stopping, is_failed;
    char failure[1024];
    struct sim_event events[SIM_EVENTS_MAX]; /* a heap */
    uint32_t event_count;
    uint64_t orders, steps;
    struct sim_instance instances[SIM_INSTANCES_MAX];
    struct sim_instance *running; /* NULL: none */
    struct sim_id ids[SIM_INSTANCES_MAX];
    uint32_t term;               /* of the coordinator of transactions */
    int64_t coordinator_from_us; /* nobody answers before */
    int64_t txn_us;              /* transaction.timeout.ms */
    struct sim_part parts[GF_TOPIC_COUNT][SIM_SHARDS_MAX];
    struct sim_offset offsets[SIM_OFFSETS_MAX];
    struct sim_group_state group;
    struct sim_sink *sinks; /* all ever opened */
    struct sim_group *groups;
    struct sim_chunk *chunks; /* records */
    uint32_t step_count;
    uint32_t *step_effects; /* appended by each step */
    uint32_t step_capacity;
    struct sim_journal_place places[SIM_SHARDS_MAX];
    struct sim_snapshots snapshots[SIM_SHARDS_MAX];
    uint64_t counts[SIM_COUNTER_COUNT];
};

/* One seed from beginning to end. Returns whether everything held; `failure` says what did not. */
struct sim_result {
    bool is_ok;
    char failure[1024];
    uint64_t counts[SIM_COUNTER_COUNT];
    int64_t simulated_us;
    uint64_t calls;
};
struct sim_result sim_run(uint64_t seed, bool is_traced);
/* Worlds are kept for the seeds after. */
void sim_end(void);

/* ---- sim.c ---- */

uint64_t sim_below(struct sim *sim, uint64_t limit);
/* One in `chance`, while there are faults left and it is not calm yet. */
bool sim_chance(struct sim *sim, uint32_t chance);
/* Something with a long tail: mostly some `usual_us`, sometimes much more. */
int64_t sim_delay(struct sim *sim, int64_t usual_us, uint32_t slow, int64_t slow_us);
void sim_event(struct sim *sim, int64_t due_us, struct sim_event event);
/* The running instance is inside a call that takes `us`: others go on. May not return. */
void sim_pass(struct sim_instance *instance, int64_t us);
/* Nobody is to stop yet after all. */
void sim_go_on(struct sim *sim);
void sim_loop(struct sim *sim);
void sim_fail(struct sim *sim, const char *format, ...) GF_PRINTF(2, 3);
void sim_trace(struct sim *sim, const char *format, ...) GF_PRINTF(2, 3);
#define SIM_TRACE(sim, ...) ((sim)->is_traced ? sim_trace(sim, __VA_ARGS__) : (void)0)

/* ---- broker.c ---- */

void broker_open(struct sim *sim);
void broker_close(struct sim *sim);
void sim_end_chunks(void);
const struct gf_record *broker_copy(struct sim *sim, const struct gf_output *output);
/* An operator ends the transactions that hang. Returns how many did. */
uint32_t broker_unhang(struct sim *sim);
/* Whether the coordinator of transactions answers. */
bool broker_answers(const struct sim *sim);
/* A record lands: false when the epoch is not the id's any more; `*wait_out`: not yet. */
bool broker_land(struct sim *sim, uint32_t id, uint32_t epoch, const struct gf_record *record,
                 uint32_t step, bool *wait_out);
/* Asks for the end of the transaction; false: fenced. */
bool broker_end(struct sim *sim, uint32_t id, uint32_t epoch, bool is_commit);
/* A new epoch; what was open ends. Done once the id is EMPTY. */
uint32_t broker_init(struct sim *sim, uint32_t id);
bool broker_offsets(struct sim *sim, uint32_t id, uint32_t epoch,
                    const struct gf_position *positions, uint32_t count, bool *wait_out);
uint32_t broker_stable(const struct sim_part *part);
void broker_tick(struct sim *sim);
bool broker_is_quiet(const struct sim *sim);

/* ---- sink.c, source.c, group.c, disk.c ---- */

enum gf_rc sim_sink_open(struct sim_instance *instance, struct gf_sink **out,
                         struct gf_error *error);
enum gf_rc sim_fence(struct sim_instance *instance, const char *name, struct gf_error *error);
void sim_sinks_orphan(struct sim_instance *instance); /* its process is gone */
void sim_sinks_free(struct sim *sim);
void sim_source_init(struct sim_instance *instance);
int64_t sim_input_end(const struct sim *sim, enum gf_topic topic, uint32_t partition);
enum gf_rc sim_group_open(struct sim_instance *instance, struct gf_group **out,
                          struct gf_error *error);
void sim_groups_free(struct sim *sim);
uint32_t sim_owner(const struct sim *sim, uint32_t shard); /* an instance, or UINT32_MAX */
void group_init(struct sim *sim);
void group_tick(struct sim *sim);
bool group_accepts(const struct sim *sim, uint32_t instance, const struct sim_fence *fence);
void sim_disks_open(struct sim_instance *instance);
void sim_disks_crash(struct sim_instance *instance); /* what the crash does to them */
void sim_disks_close(struct sim_instance *instance);
/* Another store is there from now on, whole and written through. */
void sim_disk_replace(struct sim_disk *disk, struct gf_store *store);
void sim_disk_damage(struct sim_disk *disk); /* a bit of it flips */
/* What is there now may be damaged; whatever is written from now on must not be. */
void sim_disk_doubt(struct sim_disk *disk);

/* ---- writes.c: as the store's own calls, after them ---- */

void sim_write_slice(struct sim_disk *disk, uint32_t slice, const struct gf_slice_meta *meta,
                     const struct gf_store_block *blocks, uint32_t count);
void sim_write_named(struct sim_disk *disk, const char *name, struct gf_span value);
void sim_writes_sync(struct sim_disk *disk); /* all that was written stays */
void sim_writes_drop(struct sim_disk *disk);
/* Power is lost: what is left is the first so many writes; with `is_reordered`, any of them. */
struct gf_store *sim_writes_crash(struct sim_disk *disk, bool is_reordered);

/* ---- snapshots.c ---- */

enum gf_rc sim_snapshot_offer(struct sim_disk *disk, int64_t batch, struct gf_error *error);
/* Where the store is empty; `sim_pass` is called. */
void sim_snapshot_restore(struct sim_disk *disk);
/* The store has been found to be bad: what it came from is no better. */
void sim_snapshot_distrust(struct sim_disk *disk);
void sim_snapshots_close(struct sim *sim);

/* ---- instance.c ---- */

void instance_open(struct sim *sim, uint32_t index);
void instance_step(struct sim_instance *instance); /* runs it until it leaves */
/* Starts it `us` from now. */
void instance_restart(struct sim_instance *instance, int64_t us);
void instance_close(struct sim_instance *instance);
struct gf_shard_options instance_shard_options(const struct sim *sim, uint32_t shard);

/* ---- audit.c, final.c, model.c ---- */

void audit_journal(struct sim *sim, uint32_t shard); /* what has become readable */
/* An instance goes live with a shard. */
void audit_take_over(struct sim_instance *instance, uint32_t shard);
/* What must hold while transactions hang, when all else has long come to rest. */
void audit_hanging(struct sim *sim);
bool audit_is_drained(const struct sim *sim);
void final_check(struct sim *sim);
void model_check(struct sim *sim);

#endif
