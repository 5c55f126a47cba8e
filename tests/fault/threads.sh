#!/usr/bin/env bash
# All threads of the program on a folder: a loop, the watchdog, and the copying of snapshots every 100 ms, with `state
# verify` and `snapshot` beside it, a stop in the middle, a lost store, and a replay at the end. `./dev tsan` runs it
# under ThreadSanitizer. Several loops need Kafka: broker/test_kafka_threads.c.
#   threads.sh GRIDFOLD [SEED]
. "$(dirname "$0")/common.sh"
seed=${2:-$RANDOM}
echo "seed $seed"
log=$work/log
make_input "$log" "$seed" 60 12
make_config "$log"
echo "snapshot: {folder: $work/snapshots, interval: 100ms}" >>"$log.yaml"

start() {
  "$gridfold" run -c "$log.yaml" >"$log.out" 2>&1 &
  pid=$!
}

until_said() { # TEXT
  local i
  for ((i = 0; i < 1200; i++)); do
    ! grep -qF -- "$1" "$log.out" || return 0
    kill -0 $pid 2>>"$work/kill.err" || break
    sleep 0.05
  done
  fail "not said: $1: $(cat "$log.out")"
}

stop() {
  local status=0
  kill -TERM $pid
  wait $pid || status=$?
  [ $status = 0 ] || fail "SIGTERM: exit $status: $(cat "$log.out")"
}

beside() { # WORD…
  "$gridfold" "$@" -c "$log.yaml" >"$log.beside" 2>&1 || fail "$* beside: $(cat "$log.beside")"
}

start
until_said event=snapshot_taken
stop
start
until_said event=snapshot_taken
beside state verify
beside snapshot
beside state verify --snapshots
stop
rm -rf "$log.state/shard-0000"
start
until_said event=store_restored
stop
run_expect "$log" 0
beside replay --compare
grep -q '^equal: ' "$log.beside" || fail "replay: $(cat "$log.beside")"
