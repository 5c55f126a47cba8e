/* The chaos command: three instances on a real Kafka, under a seeded schedule of faults; then proof
 * that nobody who reads what is committed could have noticed. One global, because every part of it
 * looks at every other. What fails ends the program with a message, the seed, and its folder kept.
 */
#ifndef GF_TEST_CHAOS_H
#define GF_TEST_CHAOS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/random.h"
#include "cluster.h"
#include "journal_history.h"
#include "program.h"
#include "topic_reader.h"

#define CHAOS_SHARDS     12
#define CHAOS_INSTANCES  3
#define CHAOS_SEATS      4  /* the last is a guest's: see CHAOS_SCALE */
#define CHAOS_INPUTS_MAX 16 /* input partitions of a shard */
#define CHAOS_SAMPLES    4096
#define CHAOS_CODES      8 /* exit codes of programs that are expected at all */
#define CHAOS_SESSION_MS 3000
#define CHAOS_TXN_MS     6000

enum chaos_fault {
    CHAOS_KILL,        /* kill -9, started again at once */
    CHAOS_LOSE,        /* kill -9, away for longer than its session */
    CHAOS_ROLL,        /* SIGTERM, started again: within its session */
    CHAOS_ZOMBIE,      /* SIGSTOP for longer than session and transaction, then SIGCONT */
    CHAOS_TWIN,        /* a second process under the same id */
    CHAOS_SCALE,       /* a fourth instance joins, stays for some seconds and leaves with SIGTERM */
    CHAOS_STORE,       /* kill -9, and its store is gone */
    CHAOS_DISK,        /* its disk is full for a while */
    CHAOS_BROKER_KILL, /* kill -9 of a node, started again */
    CHAOS_BROKER_STOP, /* the same with SIGTERM */
    CHAOS_MOVE,        /* leaders and coordinators move to other nodes */
    CHAOS_CUT_ONE,     /* network of one instance: both ways */
    CHAOS_CUT_WAY,     /* the same, one way only */
    CHAOS_CUT_ALL,
    CHAOS_COMMIT,  /* requests or replies of EndTxn are lost, late or doubled */
    CHAOS_OFFSETS, /* the same of TxnOffsetCommit, AddOffsets, AddPartitions or Produce */
    CHAOS_FAULTS,
};
extern const char *const chaos_fault_names[CHAOS_FAULTS];

/* From what to shard_live: the end of an owner (with its session, when another takes over), the
 * word of the group that a shard is one's own, or the word to the one before that it no longer is.
 */
enum chaos_takeover {
    CHAOS_SUCCESSOR,
    CHAOS_BACK,
    CHAOS_AFTER_STOP,
    CHAOS_AFTER_LEAVING,
    CHAOS_TOLD_STANDBY, /* one that had followed the shard */
    CHAOS_TOLD_OTHER,
    CHAOS_MOVED, /* while a guest comes or goes */
    CHAOS_TAKEOVERS,
};

struct chaos_samples {
    int64_t us[CHAOS_SAMPLES];
    uint32_t count, disturbed; /* `disturbed`: another fault came in between; not in `us` */
};

struct chaos_instance {
    char name[32], config[256], store[256], log[256];
    struct test_program program;
    FILE *tail; /* of `log` */
    int starts;
    int signal;          /* what we sent: SIGKILL, SIGTERM; 0: it is to run */
    int64_t start_at_ms; /* when it is to be started again; 0: at once */
    bool is_paused, is_fenced_wanted, has_full_disk, has_mount;
    bool is_told; /* which shards are its own */
    struct {
        bool is_own, is_live;
        int64_t told_us; /* that it is its own */
        uint32_t told_fault;
    } shards[CHAOS_SHARDS];
};

/* What a journal says, followed while chaos goes on. */
struct chaos_input {
    int topic; /* enum gf_topic */
    int32_t partition;
    int64_t to, count;
};
struct chaos_journal {
    int64_t batch;
    int32_t generation;
    struct gf_tally tally;
    struct chaos_input inputs[CHAOS_INPUTS_MAX];
    uint32_t input_count;
};

struct chaos_bad { /* a record that is no record */
    int topic;
    uint32_t partition;
    int64_t offset;
    size_t size;
    uint8_t value[64];
};

struct chaos {
    const char *gridfold, *publish, *version;
    int brokers, kills_wanted, seconds, customers, days;
    double rate; /* of live input, records a second */
    const char *interval;
    bool is_only, only[CHAOS_FAULTS]; /* these faults alone */
    const char
        *without;   /* a rule of the protocol (loop/fault.h) that is switched off; NULL: none */
    bool is_judged; /* a failure now is that of the instances, not of what they run on */
    bool is_live, as_json, is_short, is_kept;
    struct gf_random random;

    struct test_cluster cluster;
    char work[200], input[256], prefix[32];
    int round;
    bool is_publishing;
    struct test_program publisher;

    struct chaos_instance instances[CHAOS_SEATS];
    int owner[CHAOS_SHARDS];         /* -1: nobody yet */
    int64_t orphan_us[CHAOS_SHARDS]; /* since when; 0: it is not */
    enum chaos_takeover orphan_by[CHAOS_SHARDS];
    uint32_t orphan_fault[CHAOS_SHARDS];
    bool is_scaling;
    int64_t
        still_us[CHAOS_SHARDS]; /* its owner was told that it no longer is, at a change of scale */
    uint32_t still_fault[CHAOS_SHARDS];
    uint32_t fault_number;   /* of all faults */
    int64_t unwell_until_ms; /* brokers or network have not been well until then */
    struct chaos_samples takeovers[CHAOS_TAKEOVERS];
    uint32_t faults[CHAOS_FAULTS], faults_skipped[CHAOS_FAULTS];
    uint32_t exits[256], starts, assignments, roll_assignments, fencings, recoveries;

    struct chaos_journal journals[CHAOS_SHARDS];
    int64_t ends[GF_TOPIC_INPUT_COUNT][CHAOS_SHARDS]; /* of what was published; -1: no such */
    int64_t batches, records, effects;                /* checked, over all rounds */

    struct chaos_bad *bads;
    uint32_t bad_count;
    struct topic_records calm[GF_TOPIC_COUNT]; /* the undisturbed run */
    struct history calm_history;
    uint64_t compared; /* outputs */
};
extern struct chaos chaos;

void chaos_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void chaos_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
int64_t chaos_now_ms(void);  /* monotonic */
int64_t chaos_wall_us(void); /* as in the instances' logs */
int chaos_draw(int limit);   /* [0, limit) */
/* Runs a program to its end; it must be `code`. */
void chaos_run(const char *log, int code, const char *const arguments[]);

/* input.c */
void input_make(void);    /* the folder log with its bad records, and the undisturbed run */
void input_publish(void); /* starts the publisher; a round without a rate waits for it */
bool input_is_out(void);  /* whether the publisher has ended; asks for the ends then */

/* fleet.c */
void fleet_make(void); /* of a new round */
void fleet_start(struct chaos_instance *instance);
/* A process of the fleet, `arguments` as of test_program_start: with `without`. */
void fleet_program_start(struct test_program *program, const char *log,
                         const char *const arguments[]);
void fleet_tend(void); /* reads logs, checks exits, starts again */
void fleet_kill(struct chaos_instance *instance, enum chaos_takeover by, int64_t away_ms);
void fleet_stop_all(void);
/* The same as fleet_tend and watch_poll for so long. */
void chaos_pass(int64_t ms);
/* Until every shard is live at who has it, or so long; whether that is so. */
bool chaos_pass_settled(int64_t ms);

/* faults.c */
void fault_choose(const char *only); /* names of faults, which commas part; ends with 64 */
void fault_one(void);
uint32_t fault_kills(void);
bool fault_is_enough(void); /* as many kills as wanted; in the short form one of each, too */

/* watch.c */
void watch_open(void);
void watch_poll(void);
void watch_close(void);
bool watch_is_done(void);
int64_t watch_records(void);

/* audit.c */
bool audit_is_swept(void); /* every slice is named as of its last batch */
void audit_round(void);

/* report.c */
void report_progress(void);
void report_print(double seconds);

#endif
