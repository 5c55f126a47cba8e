/* protocol.pml: gridfold's commit, takeover and recovery protocol on Kafka, for the model checker Spin 6.5.
 *
 * WHO IS IN IT
 *   engine(e)        a gridfold process. It may crash at any step (memory gone), or pause at any step for any time
 *                    and go on (a zombie: Spin's interleaving does that by itself).
 *   coordinator(x)   Kafka's transaction coordinator for transactional.id x, and its markers on their way to the
 *                    partitions: each partition gets its marker at its own time.
 *   group()          the group coordinator. A rebalance may come at any time, hand any shard to anybody, and ask nobody.
 *
 * WHAT IS ABSTRACTED, AND WHY NOTHING IS LOST
 *   generation   only "is this the current one" is ever asked; E.behind counts generations missed: 0, 1, 2 = more.
 *                So the number of rebalances is not bounded.
 *   epoch        the same: t[x].cur[e] says that engine e holds the current producer epoch of id x.
 *   journal      j[s].base is the end (next input offset) of the committed journal before the last stable offset (LSO):
 *                what a read_committed reader sees. j[s].r[] holds the records from the LSO on. Aborted records are
 *                taken out at their marker; "read up to end offset h" is E.hw: how many records before h have not ended.
 *   inputs       N per shard, all there from the start. A batch takes one or more. Input i is also "event i" of the
 *                fold, and belongs to slice i % 2 of the key space.
 *   effects      one per input, produced in the same transaction. effc: effects whose commit has been decided.
 *
 * PROPERTIES, as assertions CHECK(n, ...)
 *   P1  the committed journal of a shard is contiguous: at the LSO each record starts where the one before ended
 *   P2  no effect is committed twice; at rest the committed effects are those of the committed journal
 *   P3  the store holds nothing undecided and never leads the journal; recovery and fold apply no event twice, miss none
 *   P4  with BUDGET=n: after n faults everything comes to rest with all work done (and, by pan -l, there is no cycle)
 *   P5  at rest the committed group offsets are the journal's end
 */
#include "switches.pml"
#define CHECK(p, c) assert((PROP != 0 && PROP != p) || (c))

#define NE   2                          /* engines */
#define NT   (2 - ONEID)                /* transactional ids */
#ifndef LMAX
#if CLAIMS
#define LMAX 6
#else
#define LMAX 4                          /* room for records from the LSO on; a full log blocks produce (READ=1: never full) */
#endif
#endif
#define OFF  NSH                        /* the offsets partition's bit in Txn.mk, after the journals' */
#define CLAIM 255
#define IN(m, s) (((m) >> (s)) & 1)
#define INPUTS(s, a, b) (((1 << (b)) - (1 << (a))) << ((s) * N))

#define EMPTY 0                         /* transaction states; EMPTY also stands for Complete* */
#define ONGOING 1
#define PCOMMIT 2
#define PABORT 3

#define START 0                         /* engine: must call init_transactions */
#define IDLE 1
#define TXN 2                           /* a transaction is begun */
#define REJOIN 3                        /* fenced by the group: nothing but the next assignment helps */
#define HALF 4                          /* S_SPLIT: between the two writes of a slice */
#define CLAIMING 5                      /* READ=2: claim produced, not committed */
#define LOOKING 6                       /* LOOK: fenced, must hear the assignment before init_transactions */
#define ASKED 7                         /* COORD=1: commit asked for, the coordinator has moved: asks again */
#define GONE 8                          /* DIES: dead for ever */

typedef Txn  { byte st; byte mk; byte eff; bit net; bit cur[NE]; byte pend[NSH]
#if LATE
  ; byte late; byte lf; byte lt         /* a request on its way: 1 produce, 2 offsets, 3 offsets of an old generation */
#endif
#if LATE_END
  ; bit nab                             /* EndTxn(abort) in flight */
#endif
};  /* net: EndTxn(commit) in flight */
typedef Rec  { byte who; byte from; byte to; bit ok };
typedef Part { byte n; Rec r[LMAX]; byte base; byte coff; byte late; byte holder
#if NAME
  ; byte names                          /* ids of committed claims */
#endif
};  /* late: id+1 of the later of two pending offsets */
typedef Eng  { byte pc; byte own; byte live; byte rd; byte set; byte todo; bit sent; byte behind;
               byte pos[NSH]; byte to[NSH]; byte hw[NSH]; byte mem; byte half
#if CLAIMS
  ; byte unc                            /* live shards that the journal does not call ours yet */
#endif
#if NAME_GO
  ; bit named
#endif
#if LATE
  ; bit waits                           /* for the answer to the late request */
#endif
#if LATE_END
  ; bit lost                            /* a connection, since this transaction was begun */
#endif
#if STANDBY
  ; bit fol                             /* follows shard 0: memory is the journal up to pos */
#endif
};
typedef Store { byte num[2]; byte msk[2]
#if ALIEN
  ; byte mk; byte div                   /* batch of the mark; 1 + first event that is another log's (0: none) */
#endif
};

bit owner[NSH];
Txn t[NT];
Part j[NSH];
Eng g[NE];
byte effc;
#if STORE
Store st[3];                            /* one per engine; [2] is the shared snapshot */
#define SLICE(m, k) ((m) & (85 << (k)))
#endif
hidden byte i, k, m, lo, hi, clk;       /* scratch of one atomic step, no state */

#ifdef BUDGET
byte faults = BUDGET;
#define FAULT (faults > 0)
#define SPEND faults--
#else
#define FAULT true
#define SPEND skip
#endif

#define SAY printf                      /* silent in verification; spin -t prints it */
#define E g[e]
#define X (e - e * ONEID)
#define T t[X]
#define NO_PENDING_BUT(x, s) (NT == 1 || t[NT-1-(x)].pend[s] == 0)
#define O (1 - X)                       /* the other's id */
#if CLAIMS
#define UNC(s) IN(E.unc, s)
#else
#define UNC(s) false
#endif
#if LATE
#define WAITS E.waits
#else
#define WAITS false
#endif
#if LATE_END
#define TWICE E.lost                    /* EndTxn is sent twice */
#else
#define TWICE 0
#endif
#if LATE_END == 1 || LATE_END == 3
#define MAY_BEGIN (E.pc == IDLE && T.st == EMPTY && !E.lost)
#else
#define MAY_BEGIN (E.pc == IDLE && T.st == EMPTY)
#endif
#if NAME_GO
#define GO E.named
#else
#define GO false
#endif
#if STORE                               /* the newest slice's number */
#define NEWEST (st[e].num[0] < st[e].num[1] -> st[e].num[1] : st[e].num[0])
#else
#define NEWEST 0
#endif
#if STANDBY
#define FOL E.fol
#else
#define FOL false
#endif

/* ------------------------------------------------ the broker ------------------------------------------------ */

inline new_epoch(x) {                   /* late requests of an old epoch are refused */
  t[x].cur[0] = 0; t[x].cur[1] = 0; t[x].net = 0;
#if LATE
  t[x].late = 0; t[x].lf = 0; t[x].lt = 0;
#endif
#if LATE_END
  t[x].nab = 0;
#endif
  skip
}

inline take_out(s, a) {                 /* record a leaves the tail of the log of s */
  k = a;
  do
  :: k + 1 < j[s].n -> j[s].r[k].who = j[s].r[k+1].who; j[s].r[k].from = j[s].r[k+1].from;
       j[s].r[k].to = j[s].r[k+1].to; j[s].r[k].ok = j[s].r[k+1].ok; k++
  :: else -> break
  od;
  j[s].n--;
  j[s].r[k].who = 0; j[s].r[k].from = 0; j[s].r[k].to = 0; j[s].r[k].ok = 0;
  k = 0;
  do
  :: k < NE -> if :: g[k].hw[s] > a -> g[k].hw[s]-- :: else fi; k++
  :: else -> break
  od
}

inline append(x, s, a, b) {
  j[s].r[j[s].n].who = x; j[s].r[j[s].n].from = a; j[s].r[j[s].n].to = b; j[s].n++;
  t[x].st = ONGOING; t[x].mk = t[x].mk | (1 << s)
}

inline marker(x, s) {                   /* the marker of id x reaches journal partition s; then the LSO moves */
  i = 0;
  do
  :: i >= j[s].n -> break
  :: i < j[s].n && (j[s].r[i].who != x || j[s].r[i].ok) -> i++
  :: i < j[s].n && j[s].r[i].who == x && !j[s].r[i].ok ->
       if :: t[x].st == PCOMMIT -> j[s].r[i].ok = 1; i++ :: else -> take_out(s, i) fi
  od;
  do
  :: j[s].n > 0 && j[s].r[0].ok ->
       if
       :: j[s].r[0].from == CLAIM -> j[s].holder = j[s].r[0].who + 1;
#if NAME
            j[s].names = j[s].names | (1 << j[s].r[0].who)
#endif
       :: else ->
            if
            :: FILTER && j[s].holder != j[s].r[0].who + 1 -> skip
            :: else -> CHECK(1, j[s].r[0].from == j[s].base); j[s].base = j[s].r[0].to
            fi
       fi;
       take_out(s, 0)
  :: else -> break
  od
}

inline marker_offsets(x) {              /* of two pending offsets the one appended later wins, whichever ends first */
  i = 0;
  do
  :: i < NSH ->
       if
       :: t[x].st == PCOMMIT && t[x].pend[i] -> j[i].coff = t[x].pend[i]; if :: j[i].late == x + 1 -> t[NT-1-x].pend[i] = 0 :: else fi
       :: else
       fi; t[x].pend[i] = 0; j[i].late = 0; i++
  :: else -> break
  od
}

inline delivered(x, p) {
  t[x].mk = t[x].mk & ~(1 << p);
  if
  :: t[x].mk == 0 ->
       t[x].st = EMPTY;
       if
       :: t[0].st == EMPTY && t[NT-1].st == EMPTY ->    /* all at rest: journal, effects and offsets must agree */
            i = 0;
            do
            :: i < NSH -> CHECK(2, (effc & INPUTS(i, 0, N)) == INPUTS(i, 0, j[i].base));
                 CHECK(5, j[i].coff == j[i].base); i++
            :: else -> break
            od
       :: else
       fi
  :: else
  fi
}

inline decide_commit(x) { CHECK(2, (effc & t[x].eff) == 0); effc = effc | t[x].eff; t[x].eff = 0; t[x].st = PCOMMIT; t[x].net = 0 }
inline decide_abort(x)  { t[x].eff = 0; t[x].st = PABORT }

#define USED(e) (t[x].cur[e] && (g[e].pc == TXN || g[e].pc == CLAIMING || g[e].pc == ASKED))
proctype coordinator(byte x) {
end:
  do
  :: d_step { TIMEOUT && t[x].st == ONGOING && !(USED(0) || USED(1)) -> SAY("txn %d: timeout, abort, epoch + 1\n", x); new_epoch(x); decide_abort(x) }
  :: d_step { TIMEOUT && t[x].st == ONGOING && (USED(0) || USED(1)) && FAULT -> SPEND; SAY("txn %d: timeout, abort, epoch + 1\n", x); new_epoch(x); decide_abort(x) }
  :: d_step { t[x].net && t[x].st == ONGOING -> SAY("txn %d: the late EndTxn(commit) arrives: PREPARE_COMMIT\n", x); decide_commit(x) }                                   /* the late EndTxn */
  :: d_step { t[x].net -> t[x].net = 0 }                                                             /* ... or it is lost */
#if LATE_END
  :: d_step { t[x].nab && t[x].st == ONGOING -> SAY("txn %d: the late EndTxn(abort) arrives: PREPARE_ABORT\n", x); t[x].nab = 0; decide_abort(x) }
  :: d_step { t[x].nab -> t[x].nab = 0 }
#endif
  :: d_step { t[x].st >= PCOMMIT && IN(t[x].mk, 0) -> SAY("txn %d: marker reaches journal 0\n", x); marker(x, 0); delivered(x, 0) }
#if NSH > 1
  :: d_step { t[x].st >= PCOMMIT && IN(t[x].mk, 1) -> SAY("txn %d: marker reaches journal 1\n", x); marker(x, 1); delivered(x, 1) }
#endif
  :: d_step { t[x].st >= PCOMMIT && IN(t[x].mk, OFF) -> SAY("txn %d: marker reaches the offsets partition\n", x); marker_offsets(x); delivered(x, OFF) }
#if LATE
  :: d_step { t[x].late == 1 && j[0].n < LMAX -> SAY("txn %d: the late record reaches journal 0\n", x);
       k = j[0].n; j[0].r[k].who = x; j[0].r[k].from = t[x].lf; j[0].r[k].to = t[x].lt; j[0].n++;
       t[x].eff = t[x].eff | INPUTS(0, t[x].lf, t[x].lt); if :: g[x].waits -> g[x].waits = 0; g[x].todo = 0 :: else fi; t[x].late = 0; t[x].lf = 0; t[x].lt = 0 }
  :: d_step { t[x].late == 2 -> SAY("txn %d: the late offsets reach the group\n", x);
       t[x].pend[0] = t[x].lt; j[0].late = (NO_PENDING_BUT(x, 0) -> 0 : x + 1); if :: g[x].waits -> g[x].waits = 0; g[x].sent = 1 :: else fi; t[x].late = 0; t[x].lf = 0; t[x].lt = 0 }
  :: d_step { t[x].late -> t[x].late = 0; t[x].lf = 0; t[x].lt = 0 }                  /* lost, or refused by generation */
#endif
#if COORD == 4
  :: d_step { FAULT && t[x].st == ONGOING && t[x].mk > 1 && IN(t[x].mk, 0) -> SPEND;
       SAY("txn %d: coordinator moves, has forgotten journal 0\n", x); t[x].mk = t[x].mk & ~1 }
#endif
  od
}

proctype group() {
end:
  do
  :: atomic { FAULT -> SPEND; if :: owner[0] = 0 :: owner[0] = 1 fi;
       if :: NSH > 1 -> if :: owner[NSH-1] = 0 :: owner[NSH-1] = 1 fi :: else fi;
       d_step { SAY("group: new generation, owners %d %d\n", owner[0], owner[NSH-1]);
#if DIES
                i = 0; do :: i < NSH -> if :: g[owner[i]].pc == GONE -> owner[i] = 1 - owner[i] :: else fi; i++ :: else -> break od;
#endif
#if LATE
                i = 0; do :: i < NT -> if :: t[i].late == 2 -> t[i].late = 3 :: else fi; i++ :: else -> break od;
#endif
                i = 0; do :: i < NE -> if :: g[i].behind < 2 -> g[i].behind++ :: else fi; i++ :: else -> break od } }
#if COORD == 3
  :: atomic { FAULT -> SPEND; if :: owner[0] = 0 :: owner[0] = 1 fi;
       SAY("group: coordinator moves, has forgotten the generation; its number comes again, owner %d\n", owner[0]) }
#endif
#ifdef BUDGET
  :: timeout ->                         /* P4: nothing can move any more, so all the work must be done */
       d_step { i = 0; do :: i < NSH -> assert(j[i].base == N && j[i].n == 0 && IN(g[owner[i]].live, i) &&
         g[owner[i]].pos[i] == N && j[i].coff == N); i++ :: else -> break od } ; break
#endif
  od
}

/* ------------------------------------------------ the engine ------------------------------------------------ */

inline end_txn_state() {
#if LATE_END == 2
  E.lost = 0;
#endif
#if LATE
  E.waits = 0;
#endif
  E.set = 0; E.todo = 0; E.sent = 0; k = 0; do :: k < NSH -> E.to[k] = 0; k++ :: else -> break od
}
inline forget(keep) {                   /* drop the in-memory state of all shards but `keep` */
  E.live = E.live & (keep); E.rd = (EARLY -> E.rd : 0);
  k = 0;
  do :: k < NSH -> if :: !IN(E.live, k) && !FOL -> E.pos[k] = 0 :: else fi; if :: !EARLY -> E.hw[k] = 0 :: else fi; k++ :: else -> break od;
#if CLAIMS
  E.unc = E.unc & E.live;
#endif
  if :: E.live == 0 && !FOL -> E.mem = 0 :: else fi
}
inline drop() {                         /* all memory goes, also what a standby has followed */
#if STANDBY
  E.fol = 0;
#endif
  forget(0)
}
inline fenced() {                       /* an error says that our producer epoch is old */
#if LATE_END
  E.lost = 0;
#endif
  SAY("engine %d: drops its memory, back to init_transactions\n", e);
  drop(); end_txn_state(); if :: ONEID && !FENCE -> E.own = 0; E.behind = 2; E.pc = REJOIN :: else -> E.pc = (LOOK -> LOOKING : START) fi }
inline put_back() {                     /* before-images: the memory of the last commit again */
#if STORE
  i = E.pos[0]; do :: i < E.to[0] -> if :: BEFORE != 3 || i % 2 == 0 -> E.mem = E.mem & ~(1 << i) :: else fi; i++ :: else -> break od; i = 0
#else
  skip
#endif
}
inline abort() {
  SAY("engine %d: aborts\n", e);
#if LATE_END
  if :: T.cur[e] && T.st == ONGOING -> T.nab = TWICE :: else fi;
#endif
  if :: T.cur[e] && T.st == ONGOING -> decide_abort(X) :: else fi;
  if :: ABKEEP -> skip :: BEFORE -> put_back() :: else -> drop() fi; end_txn_state()
}
inline hear() {                         /* the assignment of the current generation arrives; m: shards that may stay live */
  SAY("engine %d: hears the assignment\n", e);
  E.own = 0; k = 0; do :: k < NSH -> if :: owner[k] == e -> E.own = E.own | (1 << k) :: else fi; k++ :: else -> break od;
  m = m & E.own;
#if STANDBY
  E.fol = E.fol | IN(E.live, 0);        /* what was ours is followed from here on */
#endif
  forget(m); E.behind = 0;
  if :: ONEID && !FENCE && E.own -> E.pc = START; forget(0) :: else -> E.pc = IDLE fi     /* id per shard: init it now */
}
inline refold(s) {                      /* store + committed journal after it = memory; sink muted */
#if STORE
  d_step {
#if ALIEN
    hi = NEWEST;
    if
    :: st[e].div && MARK && st[e].mk >= st[e].div -> SAY("engine %d: refuses its store; it is moved away\n", e);
         st[e].num[0] = 0; st[e].num[1] = 0; st[e].msk[0] = 0; st[e].msk[1] = 0; st[e].mk = 0
    :: else -> CHECK(3, !st[e].div || hi < st[e].div)
    fi; st[e].div = 0;
#endif
    lo = (st[e].num[0] < st[e].num[1] -> st[e].num[0] : st[e].num[1]);
    hi = NEWEST;
    CHECK(3, hi <= E.pos[s]);           /* the store never leads */
    m = st[e].msk[0] | st[e].msk[1]; clk = (S_CLOCK -> hi : lo); i = lo;
    do
    :: i < E.pos[s] ->
         if
         :: st[e].num[i % 2] <= i || S_ONE == 2 -> CHECK(3, !IN(m, i)); CHECK(3, clk == i); m = m | (1 << i)
         :: else
         fi; clk++; i++
    :: else -> break
    od;
    CHECK(3, m == (1 << E.pos[s]) - 1); E.mem = m
  }
#else
  skip
#endif
}
inline produce(s, what) {               /* what: 1 journal record, 2 effects, 3 both */
  if
  :: !T.cur[e] -> fenced()
  :: else ->
       SAY("engine %d: produces %d (1 journal, 2 effects) of shard %d, batch [%d,%d)\n", e, what, s, E.pos[s], E.to[s]);
#if CLAIMS
       if :: UNC(s) -> append(X, s, CLAIM, CLAIM) :: else fi;
#endif
       if :: what & 1 -> if :: !CLAIMS || E.to[s] > E.pos[s] -> append(X, s, E.pos[s], E.to[s]) :: else fi; E.todo = E.todo & ~(1 << s) :: else fi;
       if :: what & 2 -> T.st = ONGOING; T.mk = T.mk | (1 << s); T.eff = T.eff | INPUTS(s, E.pos[s], E.to[s]);
               E.todo = E.todo & ~(4 << s) :: else fi
  fi
}
inline committed() {                    /* acknowledged: the batch is final */
  k = 0; do :: k < NSH -> if :: IN(E.set, k) -> E.pos[k] = E.to[k] :: else fi; k++ :: else -> break od;
#if CLAIMS
  E.unc = E.unc & ~E.set;
#endif
  end_txn_state(); E.pc = IDLE
}
inline offsets_pend() {                 /* the group has checked them; they wait for the marker */
  T.st = ONGOING; T.mk = T.mk | (1 << OFF); k = 0;
  do :: k < NSH -> if :: IN(E.set, k) -> T.pend[k] = E.to[k]; j[k].late = (NO_PENDING_BUT(X, k) -> 0 : X + 1) :: else fi; k++ :: else -> break od; k = 0
}
#define NAMED(s) (E.pc == IDLE && IN(E.rd & E.own, s) && E.hw[s] > 0 && \
  (IN(j[s].names, O) || (NAME == 2 && j[s].r[0].who == O && j[s].r[0].from == CLAIM)))
inline name_fence() { SAY("engine %d: init_transactions under the id of %d\n", e, O);
  new_epoch(O); decide_abort(O)
}
#if MARK == 1
#define MAY_SWEEP (st[e].mk == E.pos[0])
#else
#define MAY_SWEEP true
#endif
#define WORK(s) (IN(E.live, s) && E.pos[s] < N && (CLAIMS == 2 || !UNC(s)))
#define CAN_PRODUCE(s, b) (E.pc == TXN && IN(E.todo, b) && !WAITS && j[s].n + (CLAIMS == 2) < LMAX && (!T.cur[e] || T.st < PCOMMIT))
#define MAY_RECOVER(s) (E.pc == IDLE && !IN(E.live, s) && !IN(E.rd, s) && (IN(E.own, s) || EARLY))
#define NO_PENDING(s) (t[0].pend[s] == 0 && t[NT-1].pend[s] == 0)
inline recover_1(s) { SAY("engine %d: takes over %d: %d records in front\n", e, s, (READ -> j[s].n : 0)); E.hw[s] = (READ -> j[s].n : 0); E.rd = E.rd | (1 << s);
#if NAME_GO
  E.named = 0; E.to[s] = j[s].base      /* what has been read by now */
#endif
}
inline follow(s) {                      /* the committed journal from where we are; sink muted */
#if STORE
  i = E.pos[s]; do :: i < j[s].base -> CHECK(3, !IN(E.mem, i)); E.mem = E.mem | (1 << i); i++ :: else -> break od; i = 0;
#endif
  CHECK(3, E.pos[s] <= j[s].base); E.pos[s] = j[s].base
}
inline recover_2(s) {
  if
  :: FOL -> follow(s)
  :: else -> E.pos[s] = (GO -> E.to[s] : j[s].base); if :: AUTH -> E.pos[s] = j[s].coff :: else fi
  fi; E.to[s] = 0; E.hw[s] = 0;
#if CLAIMS
  E.unc = E.unc | ((j[s].holder != X + 1) << s);
#endif
  CHECK(3, E.pos[s] == j[s].base);      /* state is folded from the journal */
  CHECK(5, !STABLE || E.behind || j[s].coff == j[s].base);    /* with STABLE a true owner can compare the two here */
  SAY("engine %d: has read journal %d, live at %d\n", e, s, E.pos[s]); E.rd = E.rd & ~(1 << s); E.live = E.live | (1 << s); if :: FOL -> skip :: else -> refold(s) fi
}
inline claim(s) {
  if :: !T.cur[e] -> fenced()
     :: else -> SAY("engine %d: claim record to journal %d\n", e, s); append(X, s, CLAIM, CLAIM); E.hw[s] = j[s].n; E.rd = E.rd | (1 << s); E.pc = CLAIMING fi
}

proctype engine(byte e) {
end:
  do
  :: atomic { FAULT && E.pc != START && E.pc != GONE -> SPEND;                                        /* crash: memory is gone */
       d_step { SAY("engine %d: CRASH\n", e);
#if LATE_END
                E.lost = 0;
#endif
                drop(); E.rd = 0; k = 0; do :: k < NSH -> E.hw[k] = 0; k++ :: else -> break od; end_txn_state();
                E.own = 0; E.behind = 2; E.half = 0; T.cur[e] = 0; E.pc = (ONEID && !FENCE -> REJOIN : START) };
#ifdef LOSE
       if :: skip :: d_step { st[e].num[0] = 0; st[e].num[1] = 0; st[e].msk[0] = 0; st[e].msk[1] = 0 } fi
#endif
#if ALIEN                               /* the store of another log lies there: it differs from the first event on, or the second */
       if :: skip
       :: d_step { st[e].num[0] + st[e].num[1] > 0 -> st[e].div = 1 }
       :: d_step { st[e].num[0] > 1 || st[e].num[1] > 1 -> st[e].div = 2 }
       fi
#endif
     }
#if DIES
  :: d_step { FAULT && E.pc != GONE && g[1-e].pc != GONE -> SPEND;                    /* dies and stays dead; the group gives all to the other */
       SAY("engine %d: DIES\n", e); drop(); end_txn_state(); E.rd = 0; E.own = 0; E.behind = 2; E.pc = GONE; T.cur[e] = 0; k = 0;
       do :: k < NSH -> E.hw[k] = 0; owner[k] = 1 - e; k++ :: else -> break od;
       if :: g[1-e].behind < 2 -> g[1-e].behind++ :: else fi }
#endif
  /* 1. init_transactions: fences older holders of the id, ends its open transaction, waits for the markers */
  :: d_step { E.pc == START && T.st == ONGOING -> SAY("engine %d: init_transactions aborts own open txn\n", e); new_epoch(X); decide_abort(X) }
  :: d_step { E.pc == START && T.st == EMPTY -> SAY("engine %d: init_transactions done\n", e); new_epoch(X); T.cur[e] = 1; E.pc = IDLE }
  /* 2. an assignment arrives: between transactions, or in one, which is then aborted */
  :: d_step { (E.pc == IDLE || E.pc == REJOIN) && E.behind ->
       m = (KEEP == 2 || (KEEP == 1 && E.behind == 1) -> E.live : 0); hear() }
  :: d_step { (E.pc == TXN || E.pc == CLAIMING) && E.behind && FENCE && !WAITS -> abort();
       m = (ABKEEP || (BEFORE && (KEEP == 2 || (KEEP == 1 && E.behind == 1))) -> E.live : 0); hear() }
#if LOOK
  :: d_step { E.pc == LOOKING -> if :: E.behind -> m = 0; hear() :: else fi; E.pc = START }
#endif
#if KNOWN                               /* a record could not be produced: abort, acknowledged; same epoch, same generation */
  :: d_step { E.pc == TXN && T.cur[e] && !E.behind && T.st < PCOMMIT && FAULT -> SPEND; abort(); E.pc = IDLE }
#endif
  /* 3. takeover of shard s: learn where the journal ends, wait until every transaction before that has ended, fold */
#if READ == 2
  :: d_step { MAY_RECOVER(0) && T.st == EMPTY && j[0].n < LMAX -> claim(0) }
  :: d_step { NSH > 1 && MAY_RECOVER(NSH-1) && T.st == EMPTY && j[NSH-1].n < LMAX -> claim(NSH-1) }
  :: d_step { E.pc == CLAIMING -> if :: T.cur[e] && T.st == ONGOING -> decide_commit(X); E.pc = IDLE :: else -> fenced() fi }
#else
  :: d_step { MAY_RECOVER(0) && (!STABLE || NO_PENDING(0)) -> recover_1(0) }
  :: d_step { NSH > 1 && MAY_RECOVER(NSH-1) && (!STABLE || NO_PENDING(NSH-1)) -> recover_1(NSH-1) }
#endif
#if NAME                                /* held up: init_transactions under the id that a claim names; it ends what that id has open */
  :: d_step { NAMED(0) && t[O].st == ONGOING -> name_fence() }
  :: d_step { NSH > 1 && NAMED(NSH-1) && t[O].st == ONGOING -> name_fence() }
#if NAME_GO                             /* naive: what is named has ended, so go on from what was read before */
  :: d_step { NAMED(0) && t[O].st >= PCOMMIT -> E.named = 1 }
  :: atomic { E.pc == IDLE && IN(E.rd & E.own, 0) && E.named && t[O].st == EMPTY -> recover_2(0) }
#endif
#endif
#if STANDBY                             /* follows shard 0 while it is another's: from the store, then record by record;
                                           what it sees may be older than its store, which is no damage: it waits */
  :: atomic { E.pc == IDLE && !IN(E.live, 0) && !IN(E.rd, 0) && !E.fol && (STANDBY == 4 || NEWEST <= j[0].base) -> E.fol = 1; E.pos[0] = j[0].base; refold(0) }
  :: d_step { E.pc == IDLE && !IN(E.live, 0) && E.fol && E.pos[0] < j[0].base -> follow(0) }
#if STANDBY == 2                        /* naive: ours now, so live */
  :: d_step { E.pc == IDLE && IN(E.own, 0) && !IN(E.live, 0) && E.fol -> E.live = 1; E.rd = 0; E.hw[0] = 0 }
#endif
#if STANDBY == 3                        /* naive: follows read_uncommitted */
  :: d_step { E.pc == IDLE && !IN(E.live, 0) && E.fol && j[0].n > 0 && j[0].r[0].from == E.pos[0] ->
       E.mem = E.mem | INPUTS(0, E.pos[0], j[0].r[0].to); E.pos[0] = j[0].r[0].to }
#endif
#endif
  :: atomic { E.pc == IDLE && IN(E.rd & E.own, 0) && E.hw[0] == 0 && !GO -> recover_2(0) }
  :: atomic { NSH > 1 && E.pc == IDLE && IN(E.rd & E.own, NSH-1) && E.hw[NSH-1] == 0 -> recover_2(NSH-1) }
#if LATE_END                            /* a connection is lost while a transaction is open */
  :: d_step { E.pc == TXN && T.cur[e] && !E.lost && FAULT -> SPEND; SAY("engine %d: loses a connection\n", e); E.lost = 1 }
#endif
#if LATE_END == 1                       /* begin: a request of the last transaction may be under way */
  :: d_step { E.pc == IDLE && E.lost -> fenced() }
#endif
#if LATE_END == 3                       /* or: a new epoch, and the memory stays; the fence says whether the shards are still ours */
  :: d_step { E.pc == IDLE && E.lost && T.st == ONGOING -> SAY("engine %d: renews, aborts open txn of its id\n", e); new_epoch(X); decide_abort(X) }
  :: d_step { E.pc == IDLE && E.lost && T.st == EMPTY -> SAY("engine %d: renews its epoch\n", e); new_epoch(X); T.cur[e] = 1; E.lost = 0 }
#endif
  /* 4. begin: one transaction over any of the live shards that have input */
  :: atomic { MAY_BEGIN && (WORK(0) || WORK(NSH-1)) ->
       if
       :: WORK(0) -> E.set = 1
       :: NSH > 1 && WORK(NSH-1) -> E.set = 2
       :: NSH > 1 && WORK(0) && WORK(NSH-1) -> E.set = 3
       fi;
       if :: IN(E.set, 0) -> E.to[0] = E.pos[0] + 1; do :: E.to[0] < N -> E.to[0]++ :: break od :: else fi;
#if NSH > 1
       if :: IN(E.set, 1) -> E.to[1] = E.pos[1] + 1; do :: E.to[1] < N -> E.to[1]++ :: break od :: else fi;
#endif
       d_step {
         E.todo = (SPLIT -> E.set * 5 : E.set); E.pc = TXN;
#if STORE
         i = E.pos[0]; do :: i < E.to[0] -> CHECK(3, !IN(E.mem, i)); E.mem = E.mem | (1 << i); i++ :: else -> break od; i = 0
#endif
       } }
#if CLAIMS == 1                         /* a new owner's first transaction: claims and nothing else */
  :: d_step { MAY_BEGIN && E.unc -> E.set = E.unc; E.todo = E.unc; E.pc = TXN; k = 0;
       do :: k < NSH -> if :: IN(E.unc, k) -> E.to[k] = E.pos[k] :: else fi; k++ :: else -> break od; k = 0 }
#endif
  /* 5. produce */
  :: d_step { CAN_PRODUCE(0, 0) -> produce(0, (SPLIT -> 1 : 3)) }
  :: d_step { SPLIT && CAN_PRODUCE(0, 2) -> produce(0, 2) }
#if NSH > 1
  :: d_step { CAN_PRODUCE(1, 1) -> produce(1, (SPLIT -> 1 : 3)) }
  :: d_step { SPLIT && CAN_PRODUCE(1, 3) -> produce(1, 2) }
#endif
#if LATE                                /* a request that is slow; the client gives up on it, or not */
  :: d_step { CAN_PRODUCE(0, 0) && T.cur[e] && !T.late && FAULT -> SPEND; SAY("engine %d: produces [%d,%d), slowly\n", e, E.pos[0], E.to[0]);
       T.late = 1; T.lf = E.pos[0]; T.lt = E.to[0]; T.st = ONGOING; T.mk = T.mk | 1; E.waits = 1 }
  :: d_step { E.pc == TXN && !E.sent && E.todo == 0 && !WAITS && T.cur[e] && T.st < PCOMMIT && !T.late && FAULT -> SPEND;
       SAY("engine %d: sends offsets, slowly\n", e);
       T.late = (E.behind -> 3 : 2); T.lt = E.to[0]; T.st = ONGOING; T.mk = T.mk | (1 << OFF); E.waits = 1 }
  :: d_step { E.pc == TXN && E.waits -> SAY("engine %d: gives up waiting\n", e);
       if :: LATE == 2 && T.cur[e] -> abort(); E.pc = IDLE :: else -> fenced() fi }
#endif
  /* 6. send offsets: the group coordinator compares generation and member id now, and never again */
  :: d_step { E.pc == TXN && !E.sent && (E.todo == 0 || !FLUSH) && !WAITS && (!T.cur[e] || T.st < PCOMMIT) ->
       if
       :: !T.cur[e] -> fenced()
       :: T.cur[e] && FENCE && E.behind -> SAY("engine %d: send_offsets refused: illegal generation\n", e); abort(); E.pc = (RETRY -> IDLE : REJOIN)
       :: else -> SAY("engine %d: send_offsets accepted\n", e); offsets_pend(); E.sent = 1
       fi }
#if COORD == 1                          /* coordinators move: the request or its answer is lost; the client asks again */
  :: d_step { E.pc == TXN && !E.sent && E.todo == 0 && T.cur[e] && T.st < PCOMMIT && !E.behind && FAULT -> SPEND;
       SAY("engine %d: send_offsets accepted, the answer is lost\n", e); offsets_pend() }
  :: d_step { E.pc == TXN && E.sent && T.cur[e] && T.st == ONGOING && FAULT -> SPEND;
       SAY("engine %d: commit, the request is lost\n", e); E.pc = ASKED }
  :: d_step { E.pc == TXN && E.sent && T.cur[e] && T.st == ONGOING && FAULT -> SPEND;
       SAY("engine %d: commit, done, the answer is lost\n", e); decide_commit(X); E.pc = ASKED }
  :: d_step { E.pc == ASKED && (T.cur[e] || T.st != ONGOING) ->
       if
       :: !T.cur[e] -> fenced()
       :: else -> SAY("engine %d: asks again for the commit, done\n", e); if :: T.st == ONGOING -> decide_commit(X) :: else fi; committed()
       fi }
  :: d_step { E.pc == ASKED && FAULT -> SPEND; fenced() }                             /* gives up: outcome unknown */
#endif
#if COORD == 2                          /* naive broker: acknowledges a commit that only one replica has, and that one goes */
  :: d_step { E.pc == TXN && E.sent && T.cur[e] && T.st == ONGOING && FAULT -> SPEND; SAY("engine %d: commit, done; the coordinator forgets it\n", e); committed() }
#endif
  /* 7. commit: the request or its reply may be lost or late */
  :: atomic { E.pc == TXN && E.todo == 0 && (E.sent || !OFFS) && (!T.cur[e] || T.st < PCOMMIT) ->
       if
       :: !(T.cur[e] && T.st == ONGOING) -> d_step { fenced() }
       :: T.cur[e] && T.st == ONGOING ->                                              /* done, and we know it */
            d_step { SAY("engine %d: commit, done\n", e); decide_commit(X);
#if LATE_END
              T.net = TWICE;
#endif
              committed() }
       :: T.cur[e] && T.st == ONGOING && FAULT -> SPEND;                              /* outcome unknown */
            if :: d_step { SAY("engine %d: commit, done, reply lost\n", e); decide_commit(X) } :: T.net = 1; SAY("engine %d: commit, request delayed\n", e) fi;
            d_step {
              if
              :: UNKNOWN == 0 && BEFORE != 2 -> fenced()
              :: BEFORE == 2 -> put_back(); end_txn_state(); E.pc = START             /* naive: takes it for an abort */
              :: UNKNOWN == 1 -> SAY("engine %d: guesses that it aborted\n", e); end_txn_state(); E.pc = START
              :: UNKNOWN == 2 -> abort(); E.pc = IDLE
              fi }
       fi }
#if STORE
  /* 8. checkpoint: one slice, with the number of the last batch that is in it, in one RocksDB write batch */
#if MARK                                /* the mark first: then no slice is newer than the mark */
  :: d_step { E.pc == IDLE && IN(E.live, 0) && st[e].mk != E.pos[0] -> st[e].mk = E.pos[0] }
#endif
  :: atomic { (IN(E.live, 0) || FOL) && (E.pc == IDLE || (S_EARLY && E.pc == TXN)) && MAY_SWEEP ->
       if :: k = 0 :: k = 1 fi;
       d_step {
         SAY("engine %d: checkpoint of slice %d\n", e, k); if :: S_SPLIT != 1 -> st[e].msk[k] = SLICE(E.mem, k) :: else fi;
         if :: S_SPLIT != 2 -> st[e].num[k] = (E.pc == TXN -> E.to[0] : E.pos[0]) :: else fi;
         if :: S_ONE == 1 -> st[e].num[1-k] = st[e].num[k] :: else fi;
         CHECK(3, (st[e].msk[k] & ~effc) == 0);
         if :: S_SPLIT -> E.half = k; E.pc = HALF :: else fi } }
  :: d_step { E.pc == HALF -> if :: S_SPLIT == 1 -> st[e].msk[E.half] = SLICE(E.mem, E.half)
                                 :: else -> st[e].num[E.half] = E.pos[0] fi; E.half = 0; E.pc = IDLE }
#ifdef SNAP
  :: d_step { E.pc != HALF -> k = 0; do :: k < 2 -> st[2].num[k] = st[e].num[k]; st[2].msk[k] = st[e].msk[k]; k++ :: else -> break od; k = 0 }
  :: atomic { E.pc == IDLE && !IN(E.live, 0) && (!IN(E.rd, 0) || S_LATE) -> if :: k = 0 :: k = 1 fi;    /* restore a slice */
       d_step { st[e].msk[k] = st[2].msk[k]; if :: S_MIX -> skip :: else -> st[e].num[k] = st[2].num[k] fi } }
#endif
#endif
  od
}

init {
  atomic {
    run group(); run coordinator(0); if :: NT > 1 -> run coordinator(1) :: else fi;
    g[0].behind = 2; g[1].behind = 2; run engine(0); run engine(1)
  }
}
