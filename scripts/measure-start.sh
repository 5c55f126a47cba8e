#!/usr/bin/env bash
# First output after a crash: 1,000,000 customers, a sweep of SWEEP_SECONDS (10) at 20,000 readings a second, killed (-9) at a
# random moment of a busy run, started again. Measures from the start of the process to the first commit with new
# outputs or batches in it. Release build.
#   scripts/measure-start.sh [ROUNDS [SWEEP_SECONDS [SEED]]]
#   GF_START_CUSTOMERS (1000000), GF_START_RATE (20000) size it; GF_START_FOLDER keeps the log and the state between
#   calls (about 3 GB; default a temporary folder).
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
gridfold=build/release/cmd/gridfold/gridfold
rounds=${1:-5} sweep_s=${2:-10} seed=${3:-1}
customers=${GF_START_CUSTOMERS:-1000000} rate=${GF_START_RATE:-20000}
work=${GF_START_FOLDER:-$(mktemp -d)}
mkdir -p "$work"
pid=0
clean() {
  [ $pid = 0 ] || kill -KILL $pid 2>/dev/null || true
  [ -n "${GF_START_FOLDER:-}" ] || rm -rf "$work"
}
trap clean EXIT
RANDOM=$seed
echo "seed $seed, $customers customers, sweep of $sweep_s s at $rate readings/s"
[ -d "$work/log" ] || "$gridfold" simulate --to "folder:$work/log" --customers "$customers" --days 1 --interval 1h \
  --seed 1 --plain --contracts --no-sync >"$work/simulated" 2>&1
cat >"$work/start.yaml" <<YAML
version: 1
log: folder:$work/log
store: $work/state
batch_records: 1000
commit: {batches: $((rate / 16000 + 1))} # of the four shards: about four commits a second at this rate
sweep: {records: $((rate * sweep_s / 4))}
state: {customers_max: $((customers / 4 + customers / 40 + 16384))}
time: {default_zone: Europe/Berlin}
YAML

start() {
  begun=$EPOCHREALTIME
  "$gridfold" run -c "$work/start.yaml" >"$work/out" 2>&1 &
  pid=$!
}

crash() {
  kill -KILL $pid
  wait $pid 2>/dev/null || true
  pid=0
}

micros() { local t=${1/./}; echo "$t"; } # of EPOCHREALTIME

records() { # in the journal, or 0
  [ -f "$work/log/commit" ] && stat -c %s "$work/log/commit" || echo 0
}

# The state: everybody has been seen, and everything swept once.
if [ ! -d "$work/state" ]; then
  start
  until [ "$(grep -o ' records=[0-9]*' "$work/out" | tail -n 1 | cut -d= -f2)" -gt $((customers * 4)) ] 2>"$work/find"; do
    kill -0 $pid || { cat "$work/out"; exit 1; }
    sleep 0.2
  done
  crash
fi

for ((round = 1; round <= rounds; round++)); do
  start
  until grep -q 'event=shard_live.*shard=3' "$work/out"; do sleep 0.05; done
  # A round of sweeps at least, so that what was left by the round before is not measured again.
  sleep "$(awk -v r=$RANDOM -v n=$((rate * sweep_s)) 'BEGIN {printf "%.3f", 1 + n / 30000 + r / 32768 * 2}')"
  crash
  before=$(records)
  start
  while [ "$(records)" -le "$before" ] && kill -0 $pid 2>/dev/null; do sleep 0.002; done
  first=$EPOCHREALTIME
  ticks=$(awk '{print $14 + $15}' /proc/$pid/stat)
  crash
  echo "round $round: ${ticks}0 ms of processor time; first commit after $((($(micros "$first") - $(micros "$begun")) / 1000)) ms"
  grep -o 'time=[^ ]*\|event=starting\|event=shard_live.*shard=[0-9]*' "$work/out" | paste -sd' ' |
    sed 's/time=[0-9-]*T/\n  /g' | sed 1d | head -n 6
done
