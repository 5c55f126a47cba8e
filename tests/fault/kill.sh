#!/usr/bin/env bash
# kill -9 at random moments loses and doubles nothing: a canonical run that is killed again and again writes the same
# output files, byte for byte, and ends in the same state as one that nobody disturbed.
#   kill.sh GRIDFOLD [KILLS [SEED]]
set -euo pipefail
gridfold=$1 kills_wanted=${2:-100} seed=${3:-$RANDOM}
echo "seed $seed"
RANDOM=$seed
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$gridfold" simulate --to "folder:$work/input" --customers 120 --days 45 --seed "$seed" --interval 1h --start 2024-03-01 \
  --theft-rate 0.1 --arrears-rate 0.3 >"$work/simulate.log" 2>&1

make_config() { # FOLDER
  cat >"$1.yaml" <<YAML
version: 1
log: folder:$1
store: $1.state
order: canonical
batch_records: 512
commit: {batches: 2}
sweep: {records: 20000}
YAML
}

run() { "$gridfold" run -c "$1.yaml" --exit-at-end >"$1.out" 2>&1; }

# The outputs as they are on disk, and the newest digest of every slice that the journal names: a clean stop names all.
fingerprint() { # FOLDER
  (cd "$1" && find tariff.adjustments arrears.alerts fraud.flags data.quality dead.letters -name '*.avro' | sort |
    xargs sha256sum)
  "$gridfold" tap "folder:$1" journal | awk '{
    match($0, /"partition":[0-9]+/)
    shard = substr($0, RSTART, RLENGTH)
    while (match($0, /"slice":[0-9]+,"batch":[0-9]+,"digest":"[0-9a-f]+"/)) {
      split(substr($0, RSTART, RLENGTH), part, ",")
      last[shard " " part[1]] = part[2] " " part[3]
      $0 = substr($0, RSTART + RLENGTH)
    }
  } END {for (slice in last) print slice, last[slice]}' | sort
}

cp -r "$work/input" "$work/calm"
make_config "$work/calm"
run "$work/calm" || { cat "$work/calm.out"; exit 1; }
fingerprint "$work/calm" >"$work/calm.print"
[ "$(wc -l <"$work/calm.print")" -gt 8 ] || { echo "the undisturbed run wrote nothing to compare"; exit 1; }

kills=0 round=0
while [ "$kills" -lt "$kills_wanted" ]; do
  round=$((round + 1))
  log=$work/round$round
  cp -r "$work/input" "$log"
  make_config "$log"
  for (( ; ; )); do
    # Between 40 ms and 1 s: in the start, in a recovery, in a batch, in a commit, in a sweep.
    delay=$(awk -v r=$RANDOM 'BEGIN {printf "%.3f", 0.04 + (r / 32768) ^ 2}')
    if timeout -s KILL "$delay" "$gridfold" run -c "$log.yaml" --exit-at-end >"$log.out" 2>&1; then
      break
    else
      status=$?
      [ $status = 137 ] || { echo "round $round: exit $status"; cat "$log.out"; exit 1; }
      kills=$((kills + 1))
    fi
  done
  fingerprint "$log" >"$log.print"
  if ! cmp "$work/calm.print" "$log.print"; then
    echo "round $round after $kills kills differs from the undisturbed run (seed $seed)"
    diff "$work/calm.print" "$log.print" | head -10
    exit 1
  fi
  rm -rf "$log" "$log.state"
done
echo "$kills kills in $round rounds: same bytes, same state"
