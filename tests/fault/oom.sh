#!/usr/bin/env bash
# Each allocation of our own code fails in turn, once and for ever, in each verb that makes or reads a log or a store:
# the program says that memory is short (71) or does without, never crashes, leaks nothing, and what it leaves behind
# can be gone on with. GRIDFOLD_OOM is gridfold with tests/support/oom_wrap.c in it.
#   oom.sh GRIDFOLD GRIDFOLD_OOM [EVERY [SEED [VERB]]]    EVERY: one allocation in so many, by chance; 1: all
. "$(dirname "$0")/common.sh"
oom=$(realpath "$2") every=${3:-1} seed=${4:-$RANDOM} only=${5:-}
root=$(cd "$(dirname "$0")/../.." && pwd)
echo "seed $seed, one allocation in $every"
RANDOM=$seed
# A process that is short of memory must not be taken for one that leaks when it ends in the middle: leaks count.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1}
work=$(cd "$work" && pwd)
make_input "$work/input" "$seed" 12 4
make_config "$work/log"
printf 'snapshot: {folder: %s, interval: 0s}\n' "$work/log.snaps" >>"$work/log.yaml"
cat >"$work/rows.csv" <<'CSV'
household,day,n,kwh,max,min,median,std
2,2012-10-12,48,7.1,0.9,0.1,0.2,0.1
2,2012-10-13,48,6.8,0.9,0.1,0.2,0.1
3,2012-10-13,48,nonsense,0.9,0.1,0.2,0.1
CSV

# What each verb starts from, made once: fresh_NAME.
keep() {
  local part
  for part in "" .state .snaps; do
    rm -rf "$work/$1$part"
    [ ! -e "$work/log$part" ] || cp -r "$work/log$part" "$work/$1$part"
  done
}
take() {
  local part
  for part in "" .state .snaps; do
    rm -rf "$work/log$part"
    [ ! -e "$work/$1$part" ] || cp -r "$work/$1$part" "$work/log$part"
  done
}
cp -r "$work/input" "$work/log"
keep fresh
run_expect "$work/log" 0
fingerprint "$work/log" >"$work/calm.print"
"$gridfold" snapshot -c "$work/log.yaml" >"$work/out" 2>&1 || fail "snapshot: $(cat "$work/out")"
keep folded

# whole: what is there can be gone on with, and comes to what an undisturbed run comes to.
whole() {
  run_expect "$work/log" 0
  expect_same "$work/calm" "$work/log" "$1: what it goes on to"
}

without_time() { sed 's/ in [0-9.]* s, [0-9]* records.s//' "$1"; }

# sweep NAME START ARGUMENT…: every allocation of a verb. START: fresh or folded, made anew each time and gone on with;
# none: nothing is there; left: what lies there stays.
sweep() {
  local name=$1 from=$2 n total status mode refused=0 without=0
  shift 2
  [ -z "$only" ] || [ "$only" = "$name" ] || return 0
  rm -rf "$work/made"
  [ "$from" = left ] || take "$from"
  GRIDFOLD_OOM_COUNT=$work/count "$oom" "$@" >"$work/said" 2>"$work/out" || fail "$name: $(cat "$work/out")"
  without_time "$work/said" >"$work/wanted"
  total=$(cat "$work/count")
  for ((n = 1; n <= total; n++)); do
    [ "$every" = 1 ] || [ $((RANDOM % every)) = 0 ] || continue
    for mode in "" +; do
      rm -rf "$work/made"
      case $from in fresh | folded) take "$from" ;; esac
      status=0
      GRIDFOLD_OOM=$n$mode timeout 60 "$oom" "$@" >"$work/said" 2>"$work/out" || status=$?
      ! grep -aqE 'Sanitizer|runtime error|Assertion' "$work/out" || fail "$name, $n$mode: $(cat "$work/out")"
      case $status in
        0) # what says "ok" must have looked at everything
          [ "$name" != validate ] || fail "$name, allocation $n$mode: exit 0: $(cat "$work/out")"
          [ "$from" != left ] || without_time "$work/said" | cmp - "$work/wanted" ||
            fail "$name, allocation $n$mode: exit 0, and something is left out"
          without=$((without + 1)) ;;
        71) refused=$((refused + 1)) ;;
        *) fail "$name, allocation $n$mode: exit $status: $(cat "$work/out")" ;;
      esac
      case $from in fresh | folded) whole "$name, allocation $n$mode" ;; esac
    done
  done
  echo "$name: $total allocations, $refused times short of memory, $without times done without"
}

sweep validate none validate -c "$work/log.yaml"
sweep simulate none simulate --to "folder:$work/made" --customers 3 --days 1 --interval 1h --no-sync
sweep import none import -m "$root/config/import/lcl-daily.yaml" --to "folder:$work/made" "$work/rows.csv"
sweep run fresh run -c "$work/log.yaml" --exit-at-end
sweep "run again" folded run -c "$work/log.yaml" --exit-at-end
sweep snapshot folded snapshot -c "$work/log.yaml"
sweep verify folded state verify -c "$work/log.yaml" --snapshots
sweep replay folded replay -c "$work/log.yaml"
sweep tap folded tap "folder:$work/log" tariff.adjustments

# Verbs that only read: what is there stays as it is. Rows of long ago make dead letters.
take folded
"$gridfold" import -m "$root/config/import/lcl-daily.yaml" --to "folder:$work/log" "$work/rows.csv" >"$work/out" 2>&1 ||
  [ $? = 1 ] || fail "import: $(cat "$work/out")"
run_expect "$work/log" 0
fingerprint "$work/log" >"$work/read.print"
first() { # TOPIC: the place of its first record, as TOPIC/PARTITION/OFFSET
  "$gridfold" tap "folder:$work/log" "$1" | sed -n 's/^{"topic":"\([^"]*\)","partition":\([0-9]*\),"offset":\([0-9]*\).*/\1\/\2\/\3/p' |
    sed -n 1p
}
letter=$(first dead.letters) output=$(first tariff.adjustments)
[ -n "$letter" ] && [ -n "$output" ] || fail "nothing to look at: letter '$letter', output '$output'"
sweep "dlq list" left dlq list -c "$work/log.yaml"
sweep "dlq show" left dlq show -c "$work/log.yaml" "$letter"
sweep explain left explain -c "$work/log.yaml" "$output"
sweep "explain --json" left explain --json -c "$work/log.yaml" "$output"
sweep "state get" left state get -c "$work/log.yaml" C00000004
sweep compare left replay -c "$work/log.yaml" --compare
fingerprint "$work/log" | cmp - "$work/read.print" || fail "a verb that reads has changed something"
echo "0 crashes, 0 leaks"
