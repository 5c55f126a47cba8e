#!/usr/bin/env bash
# `gridfold state verify` and `gridfold snapshot` beside an instance that writes, and one that idles; a lost store comes
# back from its snapshot.
#   test_state.sh GRIDFOLD
set -uo pipefail
export LC_ALL=C
gridfold=$(realpath "$1")
. "$(dirname "$0")/checks.sh"

config() { # FILE LOG STORE
  cat >"$1" <<YAML
version: 1
log: folder:$work/$2
store: $work/$3
batch_records: 64
commit: {batches: 1}
sweep: {records: 2000}
snapshot: {folder: $work/snapshots, interval: 0s}
YAML
}
config job.yaml log state
config calm.yaml calm calm.state
expect 0 simulate --to folder:log --customers 120 --days 40 --seed 5 --interval 1h --start 2024-03-01 --partitions 2 \
  --theft-rate 0.1 --arrears-rate 0.3 --no-sync
cp -r log calm
expect 0 run -c calm.yaml --set snapshot.folder= --set batch_records=64 --exit-at-end

expect 66 state verify -c job.yaml # no store yet
expect 66 snapshot -c job.yaml

# start: an instance in the background, in `pid`; its log is in `running`.
start() {
  "$gridfold" run -c job.yaml >running 2>&1 &
  pid=$!
}

# until_seen PATTERN COUNT: lines of `running`; a minute at most.
until_seen() {
  local i
  for ((i = 0; i < 1200; i++)); do
    [ "$(grep -c -- "$1" running)" -lt "$2" ] || return 0
    kill -0 $pid 2>/dev/null || break
    sleep 0.05
  done
  cp running out
  fail "the instance does not say \"$1\" $2 times"
}

is_busy() { [ "$(grep -c 'lag_records=0 ' running)" = 0 ] && kill -0 $pid 2>/dev/null; }

# ---- beside one that is busy ----
start
until_seen event=shard_live 2
sleep 0.3 # until something has been swept; what is looked at below does not hang on it
busy=0
for ((i = 0; i < 12; i++)); do
  expect 0 state verify -c job.yaml
  shows out '  good'
  is 'shards that are good' "$(grep -c ' good$' out)" 2
  ! is_busy || busy=$((busy + 1))
  if [ $i = 2 ]; then
    expect 0 snapshot -c job.yaml
    shows out 'shard 0: batch '
    shows out 'shard 1: batch '
  fi
done
checks=$((checks + 1))
[ $busy -gt 0 ] || fail 'the instance was never busy beside a verify: make its input longer'
echo "$busy of 12 verifies beside a writer"
until_seen 'event=snapshot_taken' 2
expect 0 snapshot list -c job.yaml --verify

# ---- beside one that idles ----
until_seen 'lag_records=0 ' 1
expect 0 state verify -c job.yaml
is 'shards that are good' "$(grep -c ' good$' out)" 2
expect 0 snapshot -c job.yaml --timeout 20
is 'shards with a snapshot' "$(grep -c '^shard [01]: batch ' out)" 2
until_seen 'event=snapshot_taken' 4
checks=$((checks + 1))
[ ! -e state/snapshot.request ] || fail 'the request is still there'
expect 0 state verify -c job.yaml --snapshots

# ---- lost: back from the snapshot ----
kill -KILL $pid
wait $pid 2>/dev/null
rm -rf state/shard-000?
start
until_seen 'event=store_restored' 2
until_seen 'lag_records=0 ' 1
expect 0 state verify -c job.yaml
kill -TERM $pid
wait $pid
is 'exit after a stop' $? 0
for topic in tariff.adjustments arrears.alerts fraud.flags data.quality dead.letters; do
  for name in log calm; do
    "$gridfold" tap folder:$name $topic >tapped 2>&1
    sha256sum <tapped >$name.$topic
  done
  is "records of $topic" "$(cat log.$topic)" "$(cat calm.$topic)"
done

# ---- damaged: found, and who must do what ----
sst=$(find state/shard-0001 -name '*.sst' | sort | tail -n 1)
printf '\377\376\375\374' | dd of="$sst" bs=1 seek=$(($(stat -c %s "$sst") / 3)) conv=notrunc status=none
expect 65 state verify -c job.yaml
shows out 'DAMAGED'
shows err 'start their instance again'

# ---- of a shard that has folded nothing ----
config job.yaml thin thin.state
rm -rf snapshots
expect 0 simulate --to folder:thin --customers 1 --days 1 --seed 5 --interval 1h --partitions 4 --no-sync
start
until_seen event=shard_live 4
for ((i = 0; i < 100; i++)); do # a shard has state only once its first batch was swept
  expect 0 snapshot -c job.yaml --timeout 60
  grep -q ': no state yet$' out || break
done
is 'shards with a snapshot' "$(grep -c '^shard [0-3]: batch ' out)" 4
kill -TERM $pid
wait $pid
is 'exit after a stop' $? 0
done_testing
