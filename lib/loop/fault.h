/* Fault: where tests may step in. Points are places at which a process may die or wait; rules are
 * the rules of the protocol, each of which a test may switch off to see that it is caught. Both are
 * compiled in with -Dfaults=true alone; otherwise they are constants and nothing.
 *
 * In a program built so, GRIDFOLD_POINT=<name>[:<nth>][:stop] kills (or SIGSTOPs) the process when
 * it comes to that point for the nth time, and GRIDFOLD_RULE_OFF=<name> switches a rule off;
 * cmd/gridfold/main.c reads them. */
#ifndef GF_LOOP_FAULT_H
#define GF_LOOP_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#define GF_POINTS(X)                                                                               \
    X(AFTER_POLL, "after_poll")         /* the ends are frozen */                                  \
    X(MID_BATCH, "mid_batch")           /* a batch is folded, its effects are not appended */      \
    X(BEFORE_PRODUCE, "before_produce") /* the transaction has begun */                            \
    X(PRODUCED, "produced")             /* appended, not flushed */                                \
    X(FLUSHED, "flushed")               /* flushed, offsets not sent */                            \
    X(OFFSETS_SENT, "offsets_sent")     /* offsets sent, commit not asked for */                   \
    X(COMMITTED, "committed")           /* acknowledged; nothing written to the store */           \
    X(IN_SWEEP, "in_sweep")             /* some slices of this turn are written */                 \
    X(IN_WRITE_BATCH, "in_write_batch") /* inside the store's write of one slice */                \
    X(IN_SNAPSHOT, "in_snapshot")       /* links made, nothing copied */                           \
    X(BETWEEN_SNAPSHOT_FILES, "between_snapshot_files")                                            \
    X(IN_RESTORE, "in_restore")     /* some files of a snapshot are back */                        \
    X(IN_RECOVERY, "in_recovery")   /* a batch was folded again */                                 \
    X(IN_REBALANCE, "in_rebalance") /* an assignment has come, nothing is done about it */         \
    X(IN_SHUTDOWN, "in_shutdown")   /* the last commit is done, slices are being swept */

enum gf_point {
#define GF_POINT_CODE(name, text) GF_POINT_##name,
    GF_POINTS(GF_POINT_CODE)
#undef GF_POINT_CODE
        GF_POINT_COUNT
};

/* Rules of the model (lib/loop/model/README.md), by the same numbers. Not here: R5, the journal's
 * position, since nothing in the program reads a position from anywhere else; R13, waiting for the
 * next assignment, since the group is heard before every transaction anyway. */
#define GF_RULES(X)                                                                                \
    X(FENCE, 1, "fence")             /* R1: the fence is that of the assignment */                 \
    X(FLUSH, 2, "flush")             /* R2: everything is flushed before offsets are sent */       \
    X(OFFSETS, 3, "offsets")         /* R3: every shard of a commit sends an offset */             \
    X(READ_TO_END, 4, "read-to-end") /* R4: a take-over reads the journal to its high watermark */ \
    X(UNKNOWN_REOPENS, 6, "unknown-reopens")   /* R6: an unknown outcome: new sink, recover */     \
    X(KEEP, 7, "keep")                         /* R7: kept only if no generation was missed */     \
    X(ABORT_DROPS, 8, "abort-drops")           /* R8: an abort drops the memory of its shards */   \
    X(ACK_BEFORE_SWEEP, 9, "ack-before-sweep") /* R9: a sweep writes acknowledged state alone */   \
    X(SLICE_NUMBERS, 10, "slice-numbers")      /* R10: a number, and a test, for each slice */     \
    X(TIME_OF_RECORD, 11, "time-of-record")    /* R11: shard time is that of each record */        \
    X(END_AFTER_STORE, 12, "end-after-store")  /* R12: the journal's end is asked for after the    \
                                                  assignment, with the store chosen */             \
    X(MARK, 20, "mark")   /* R20: a store that the journal does not reach is refused */            \
    X(RENEW, 21, "renew") /* R21: a connection lost in a transaction: a new epoch */               \
    X(SLICE_CHECK, 31, "slice-check") /* not of the model: a slice is used if its digest fits */

enum gf_rule {
#define GF_RULE_CODE(name, number, text) GF_RULE_##name = number,
    GF_RULES(GF_RULE_CODE)
#undef GF_RULE_CODE
};

#ifdef GF_WITH_FAULTS
extern void (*gf_point_hook)(enum gf_point point); /* NULL: nothing happens */
extern unsigned gf_rules_off;                      /* a bit for each rule */
const char *gf_point_name(enum gf_point point);
unsigned gf_rule_bit(const char *name); /* of gf_rules_off; 0: no such rule */
extern const unsigned gf_rules_all;     /* the bits of every rule */

static inline void
gf_point(enum gf_point point)
{
    if (gf_point_hook != NULL) {
        gf_point_hook(point);
    }
}
#define GF_RULE(rule) ((gf_rules_off & (1u << GF_RULE_##rule)) == 0)
#else
#define gf_point(point) ((void)0)
#define GF_RULE(rule)   true
#endif

#endif
