/* switches.h: what protocol.pml can be told with -D. The defaults are the safe protocol; each naive variant turns one
 * rule off; [Rn] names the rule (see README.md). BUDGET=n (no default): at most n faults (rebalance, crash, lost reply,
 * timeout of a live transaction), then calm; for P4. */
/* NSH: shards */
#ifndef NSH
#define NSH 2
#endif
/* N: inputs of each shard */
#ifndef N
#define N 2
#endif
/* PROP: check only property p; 0: all */
#ifndef PROP
#define PROP 0
#endif
/* FENCE: 0: send_offsets uses metadata read at send time, or generation -1: the check is vacuous [R1] */
#ifndef FENCE
#define FENCE 1
#endif
/* FLUSH: 0: send_offsets may overtake produce requests (no flush before it) [R2] */
#ifndef FLUSH
#define FLUSH 1
#endif
/* OFFS: 0: a batch without inputs (timers only) sends no offsets, so nothing checks its generation [R3] */
#ifndef OFFS
#define OFFS 1
#endif
/* READ: takeover reads the journal: 0 as far as it is visible now (LSO); 1 up to the end offset (high watermark,
 *   asked for after the assignment), waiting for the LSO to get there; 2 until it sees a claim record of its own [R4] */
#ifndef READ
#define READ 1
#endif
/* EARLY: 1: the end offset may be taken before the assignment arrives (a standby's cached value) [R4] */
#ifndef EARLY
#define EARLY 0
#endif
/* STABLE: 1: takeover first waits until the group has no pending offsets for the shard (require_stable) */
#ifndef STABLE
#define STABLE 0
#endif
/* AUTH: 1: after recovery go on from the committed group offsets, not from the journal's `to` [R5] */
#ifndef AUTH
#define AUTH 0
#endif
/* UNKNOWN: commit outcome unknown: 0 init_transactions, then recover; 1 guess "aborted": init, keep memory, run
 *   the batch again; 2 abort_transaction on the same epoch, recover, begin again [R6] */
#ifndef UNKNOWN
#define UNKNOWN 0
#endif
/* KEEP: a rebalance: 0 sends every shard through recovery; 1 a retained shard stays live if no generation was
 *   missed and no transaction is open; 2 a retained shard stays live, always [R7] */
#ifndef KEEP
#define KEEP 0
#endif
/* KNOWN: 1: a live transaction may be aborted for a record that could not be produced, at the same epoch (BEFORE, LATE) */
#ifndef KNOWN
#define KNOWN 0
#endif
/* BEFORE: a known abort: 0 drops the memory of its shards, which recover (what gridfold does); 1 puts the before-images
 *   back; naive: 2 also when the outcome is unknown; 3 images of a part of what the batch touched [R8] */
#ifndef BEFORE
#define BEFORE 0
#endif
/* NAME: a take-over that is held up: 0 waits; 1 ends the transaction by init_transactions under the id that a claim in
 *   the committed journal names; 2 also when that claim is not committed yet (read_uncommitted) [R14] */
#ifndef NAME
#define NAME 0
#endif
/* NAME_GO: 1: ... and then goes on from what it had read before [R14] */
#ifndef NAME_GO
#define NAME_GO 0
#endif
/* CLAIMS: 1 a new owner's first transaction holds claims alone; 2 the claim goes with the first batch [R15] */
#ifndef CLAIMS
#define CLAIMS 0
#endif
/* LOOK: 1: who is fenced hears the current assignment before it calls init_transactions [R16]. 0 is the more general
 *   for safety: the fenced one may go on under its old assignment, and is then refused */
#ifndef LOOK
#define LOOK 0
#endif
/* TIMEOUT: 0: the broker never ends a transaction by its time-out (what is held up must be ended by name) */
#ifndef TIMEOUT
#define TIMEOUT 1
#endif
/* DIES: 1: an engine may die and stay dead; the other gets its shards */
#ifndef DIES
#define DIES 0
#endif
/* LATE: 1 a produce or TxnOffsetCommit request may be slow, and arrive after its client gave up; giving up takes a new
 *   epoch; 2 giving up aborts and goes on at the same epoch (NSH=1) [R17] */
#ifndef LATE
#define LATE 0
#endif
/* LATE_END: a connection may be lost while a transaction is open: the client sends EndTxn twice, the second is answered,
 *   and the first may arrive at any time (one of a kind is on its way at most): 1 what comes next has a new epoch;
 *   2 goes on at the same epoch [R21] */
#ifndef LATE_END
#define LATE_END 0
#endif
/* COORD: coordinators move: 1 what was acknowledged is kept, and the client asks again; naive brokers: 2 forgets an
 *   acknowledged commit, 3 forgets a generation, 4 forgets a partition of an open transaction [R18] */
#ifndef COORD
#define COORD 0
#endif
/* STANDBY: 1: shard 0 is followed while it is another's, with the sink muted (NSH=1); naive: 2 goes live without asking
 *   for the end; 3 follows read_uncommitted; 4 takes a store that leads what it sees for damage; and see EARLY [R19] */
#ifndef STANDBY
#define STANDBY 0
#endif
/* ALIEN: 1: a crash may leave the store of another log. MARK: 0 no mark; 1 written before the slices that it covers,
 *   and compared with the journal's record of that batch; 2 written after them [R20] */
#ifndef ALIEN
#define ALIEN 0
#endif
#ifndef MARK
#define MARK 0
#endif
/* ABKEEP: 1: after an abort the folded state stays in memory and the batch is run again [R8] */
#ifndef ABKEEP
#define ABKEEP 0
#endif
/* FILTER: 1, with READ=2: readers ignore journal records of a stale owner, instead of preventing them */
#ifndef FILTER
#define FILTER 0
#endif
/* ONEID: 1: both engines use one transactional.id (NSH=1: an id per shard; NSH=2: an old and a new incarnation) */
#ifndef ONEID
#define ONEID 0
#endif
/* SPLIT: 1: effects and journal record of a batch are separate requests, in any order */
#ifndef SPLIT
#define SPLIT 0
#endif
/* STORE: 1: the local store and its sweep (NSH=1); also -DLOSE: a crash may lose it; -DSNAP: a shared snapshot */
#ifndef STORE
#define STORE 0
#endif
/* S_EARLY: 1: the sweep writes while the batch's transaction is not committed yet [R9] */
#ifndef S_EARLY
#define S_EARLY 0
#endif
/* S_SPLIT: a slice's data and number are two write batches: 1 number first, 2 data first [R10] */
#ifndef S_SPLIT
#define S_SPLIT 0
#endif
/* S_ONE: one number per shard: 1 the newest slice's, 2 the oldest slice's [R10] */
#ifndef S_ONE
#define S_ONE 0
#endif
/* S_MIX: 1: a restored slice keeps the local number [R10] */
#ifndef S_MIX
#define S_MIX 0
#endif
/* S_CLOCK: 1: the shard's clock comes from the store's newest checkpoint, not from each journal record [R11] */
#ifndef S_CLOCK
#define S_CLOCK 0
#endif
/* RETRY: 1: after "illegal generation" the engine may begin again before it hears the new assignment [R13] */
#ifndef RETRY
#define RETRY 0
#endif
/* S_LATE: 1: a snapshot may be fetched after the journal's end was asked for [R12] */
#ifndef S_LATE
#define S_LATE 0
#endif
