#!/usr/bin/env bash
# kill -9 at random moments loses and doubles nothing: a canonical run that is killed again and again writes the same
# output files, byte for byte, and ends in the same state as one that nobody disturbed.
#   kill.sh GRIDFOLD [KILLS [SEED]]
. "$(dirname "$0")/common.sh"
kills_wanted=${2:-100} seed=${3:-$RANDOM}
echo "seed $seed"
RANDOM=$seed
make_input "$work/input" "$seed" 120 45
calm "$work/calm" "$work/input"

kills=0 round=0
while [ "$kills" -lt "$kills_wanted" ]; do
  round=$((round + 1))
  log=$work/round$round
  cp -r "$work/input" "$log"
  make_config "$log"
  for (( ; ; )); do
    # Between 40 ms and 1 s: in the start, in a recovery, in a batch, in a commit, in a sweep.
    delay=$(awk -v r=$RANDOM 'BEGIN {printf "%.3f", 0.04 + (r / 32768) ^ 2}')
    "$gridfold" run -c "$log.yaml" --exit-at-end >"$log.out" 2>&1 &
    pid=$!
    sleep "$delay"
    status=0
    # Waited for, so that the dead process has let go of the log's lock.
    { kill -9 $pid; wait $pid; } 2>/dev/null || status=$?
    [ $status != 0 ] || break
    [ $status = 137 ] || { echo "round $round: exit $status"; cat "$log.out"; exit 1; }
    kills=$((kills + 1))
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
