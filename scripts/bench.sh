#!/usr/bin/env bash
# Benchmarks of the release build. Machines are noisy: compare ratios inside one run. docs/performance.md explains the figures.
#   GF_BENCH_CUSTOMERS (1000000), GF_BENCH_DAYS (1), GF_BENCH_INTERVAL (30m) size the end-to-end run;
#   GF_BENCH_FOLDER is where its log goes (about 85 bytes a reading; default a temporary folder).
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/release
gridfold=$build/cmd/gridfold/gridfold
customers=${GF_BENCH_CUSTOMERS:-1000000} days=${GF_BENCH_DAYS:-1} interval=${GF_BENCH_INTERVAL:-30m}
work=${GF_BENCH_FOLDER:-$(mktemp -d)}
mkdir -p "$work"
[ -n "${GF_BENCH_FOLDER:-}" ] || trap 'rm -rf "$work"' EXIT

echo "== parts, one core"
"$build/tests/bench_engine" 1000000 6
"$build/tests/bench_feature"
"$build/tests/bench_folder"

echo "== end to end: $customers customers, all hot, $days days at $interval, folder log, RocksDB swept once a simulated day"
[ -d "$work/log" ] || "$gridfold" simulate --to "folder:$work/log" --customers "$customers" --days "$days" \
  --interval "$interval" --seed 1 --plain --contracts
case "$interval" in # readings of one shard a day: the sweep's round
15m) per_day=$((customers / 4 * 96)) ;; 30m) per_day=$((customers / 4 * 48)) ;; 1h) per_day=$((customers / 4 * 24)) ;; *) per_day=$((customers / 4)) ;;
esac
cat >"$work/bench.yaml" <<YAML
version: 1
log: folder:$work/log
store: $work/state
sweep: {records: $per_day}
state: {customers_max: $((customers / 4 + customers / 40 + 16384))}
time: {default_zone: Europe/Berlin}
YAML
one_core() { if command -v taskset >/dev/null; then taskset -c 0 "$@"; else "$@"; fi; }
rm -rf "$work/state"
echo "-- run (writes outputs, journal and state), one core"
one_core "$gridfold" run -c "$work/bench.yaml" --exit-at-end
echo "-- replay (folds again through the journal, state in RocksDB, digests compared), one core"
one_core "$gridfold" replay -c "$work/bench.yaml"
