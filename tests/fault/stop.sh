#!/usr/bin/env bash
# SIGTERM and SIGINT drain, commit, sweep and leave: the journal ends with a heartbeat that names every slice, the next
# start folds on where the stop was, and the one after folds nothing. A second SIGINT ends at once, which loses nothing.
#   stop.sh GRIDFOLD [SEED]
. "$(dirname "$0")/common.sh"
seed=${2:-$RANDOM}
echo "seed $seed"
make_input "$work/input" "$seed" 100 40
slices=64

# start FOLDER: lives on, as a service does; back once it has committed batches.
start() {
  "$gridfold" run -c "$1.yaml" >"$1.out" 2>&1 &
  pid=$!
  local i
  for ((i = 0; i < 1000; i++)); do
    [ -z "$(find "$1/journal" -name '*.open' -size +2k 2>>"$1.find")" ] || return 0
    kill -0 $pid 2>>"$1.find" || fail "it ended by itself: $(cat "$1.out")"
    sleep 0.01
  done
  fail "no batch within 10 s: $(cat "$1.out")"
}

# stopped SECONDS: its exit code into `status`.
stopped() {
  local i
  for ((i = 0; i < $1 * 100; i++)); do
    if ! kill -0 $pid 2>>"$work/kill.err"; then
      status=0
      wait $pid || status=$?
      return 0
    fi
    sleep 0.01
  done
  kill -KILL $pid
  fail "still there after $1 s"
}

batches() { "$gridfold" tap "folder:$1" journal | grep -c '"kind":"BATCH"' || true; }

# Every shard's last record is a heartbeat, and every slice is named as of the shard's last batch.
expect_clean() { # FOLDER
  "$gridfold" tap "folder:$1" journal | awk -v slices=$slices '{
    match($0, /"shard":[0-9]+/); shard = substr($0, RSTART, RLENGTH)
    match($0, /"kind":"[A-Z]+"/); kind[shard] = substr($0, RSTART, RLENGTH)
    match($0, /"batch":[0-9]+/); last[shard] = substr($0, RSTART, RLENGTH)
    sub(/.*"slices":/, "")
    while (match($0, /"slice":[0-9]+,"batch":[0-9]+/)) {
      split(substr($0, RSTART, RLENGTH), part, ",")
      named[shard, part[1]] = part[2]
      $0 = substr($0, RSTART + RLENGTH)
    }
  } END {
    for (shard in last) {
      shards++
      if (kind[shard] != "\"kind\":\"HEARTBEAT\"") { print shard " ends with " kind[shard]; bad = 1 }
      for (i = 0; i < slices; i++)
        if (named[shard, "\"slice\":" i] != last[shard]) { print shard " slice " i " is not at " last[shard]; bad = 1 }
    }
    exit bad || shards == 0
  }' || fail "no clean stop"
}

stop_and_go_on() { # ORDER SIGNAL
  local log=$work/$1-$2 stopped_at
  cp -r "$work/input" "$log"
  make_config "$log" "$1"
  start "$log"
  kill -"$2" $pid
  stopped 10
  [ "$status" = 0 ] || fail "SIG$2: exit $status: $(cat "$log.out")"
  expect_clean "$log"
  stopped_at=$(batches "$log")
  [ "$stopped_at" -gt 0 ] && [ "$stopped_at" -lt "$(batches "$work/calm-$1")" ] ||
    fail "SIG$2 came too late to show anything: $stopped_at batches"
  run_expect "$log" 0
  expect_clean "$log"
  expect_same "$work/calm-$1" "$log" "$1 after SIG$2 at batch $stopped_at"
  local all
  all=$(batches "$log")
  [ "$all" = "$(batches "$work/calm-$1")" ] || fail "$all batches"
  run_expect "$log" 0 "this run"
  [ "$(batches "$log")" = "$all" ] || fail "the third start folded again"
  expect_same "$work/calm-$1" "$log" "the third start"
  echo "$1: SIG$2 at batch $stopped_at of $all"
  rm -rf "$log" "$log.state"
}

# Where a second SIGINT meets the stop cannot be known: some of many rounds.
interrupt_twice() { # ORDER
  local log=$work/$1-twice round at_once=0
  for ((round = 0; round < 20 && at_once < 3; round++)); do
    cp -r "$work/input" "$log"
    make_config "$log" "$1"
    start "$log"
    kill -INT $pid
    sleep "0.00$((round % 4 * 2))"
    kill -INT $pid 2>>"$work/kill.err" || true
    stopped 2
    case $status in
      0) ;;
      130) at_once=$((at_once + 1)) ;;
      *) fail "a second SIGINT: exit $status: $(cat "$log.out")" ;;
    esac
    run_expect "$log" 0
    expect_same "$work/calm-$1" "$log" "$1 after two SIGINT (exit $status)"
    rm -rf "$log" "$log.state"
  done
  [ $at_once -gt 0 ] || fail "none of $round second SIGINT ended the program"
  echo "$1: $at_once of $round second SIGINT ended at once"
}

for order in canonical arrival; do
  calm "$work/calm-$order" "$work/input" $order
  stop_and_go_on $order TERM
  stop_and_go_on $order INT
done
interrupt_twice canonical
