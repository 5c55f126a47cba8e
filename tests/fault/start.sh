#!/usr/bin/env bash
# A start after kill -9 folds again what one round of the sweep had still to write, however long the run before was:
# that is what keeps the first output within seconds. Counted in records, not in time.
#   start.sh GRIDFOLD [KILLS [SEED]]
. "$(dirname "$0")/common.sh"
kills_wanted=${2:-12} seed=${3:-$RANDOM}
echo "seed $seed"
RANDOM=$seed
make_input "$work/log" "$seed" 400 60
make_config "$work/log"
sweep=10000
sed -i "s/^sweep: .*/sweep: {records: $sweep}/" "$work/log.yaml"
most=$((sweep + 2 * 2 * 512)) # of a shard: a round of its sweep, and the commits before and after

begin() {
  "$gridfold" run -c "$work/log.yaml" >"$work/out" 2>&1 &
  pid=$!
}
folded() { sed -n 's/.*event=shard_live.* text="\([0-9]*\) records folded again".*/\1/p' "$work/out"; }

kills=0 largest=0
while [ $kills -lt "$kills_wanted" ]; do
  begin
  until [ "$(folded | wc -l)" = 4 ]; do
    kill -0 $pid || fail "it ended by itself: $(cat "$work/out")"
    sleep 0.02
  done
  for count in $(folded); do
    [ "$count" -le $most ] || fail "a start folded $count records again, more than $most"
    [ "$count" -le $largest ] || largest=$count
  done
  sleep "$(awk -v r=$RANDOM 'BEGIN {printf "%.3f", 0.1 + r / 32768 / 2}')"
  { kill -9 $pid; wait $pid; } 2>/dev/null || true
  kills=$((kills + 1))
done
batches=$("$gridfold" tap "folder:$work/log" journal | grep -c '"kind":"BATCH"')
[ $((batches * 512)) -gt $((4 * 4 * most)) ] || fail "only $batches batches were committed: that shows nothing"
[ $largest -gt 0 ] || fail "no start had anything to fold again"
echo "$kills kills: at most $largest records folded again by a shard (allowed: $most)"
