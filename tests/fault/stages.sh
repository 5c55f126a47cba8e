#!/usr/bin/env bash
# The stages on a folder, end to end: readings by a head-end find their customers, the balances of the areas are what
# the simulation says of them to the last digit, kills change nothing, and stages are switched on and off.
#   stages.sh GRIDFOLD BALANCES [KILLS [SEED]]
. "$(dirname "$0")/common.sh"
balances=$(realpath "$2") kills_wanted=${3:-10} seed=${4:-$RANDOM}
echo "seed $seed"
RANDOM=$seed
outputs="$outputs area.balance internal.readings internal.area.readings"

stages_config() { # FOLDER AREA INTAKE
  make_config "$1"
  echo "stages: {area: $2, intake: $3}" >>"$1.yaml"
}

# expect_replay FOLDER OPTION…
expect_replay() {
  local folder=$1
  shift
  "$gridfold" replay -c "$folder.yaml" "$@" >"$folder.replay" 2>&1 || fail "replay: $(cat "$folder.replay")"
  grep -q '^equal: ' "$folder.replay" || fail "replay: $(cat "$folder.replay")"
}

# expect_balanced FOLDER: the last version of every hour against the truth.
expect_balanced() {
  "$gridfold" tap "folder:$1" area.balance >"$1.balances"
  awk -f "$balances" "$work/input/truth.ndjson" "$1.balances" || fail "$1: balances are not as the truth says"
}

"$gridfold" simulate --to "folder:$work/input" --customers 60 --days 30 --seed "$seed" --interval 1h --areas \
  --headend 0.5 --start 2024-03-01 --theft-rate 0.2 >"$work/simulated" 2>&1 || fail "$(cat "$work/simulated")"

cp -r "$work/input" "$work/calm"
stages_config "$work/calm" true true
run_expect "$work/calm" 0
fingerprint "$work/calm" >"$work/calm.print"
expect_balanced "$work/calm"
expect_replay "$work/calm"
expect_replay "$work/calm" --compare

log=$work/killed kills=0
cp -r "$work/input" "$log"
stages_config "$log" true true
while [ "$kills" -lt "$kills_wanted" ]; do
  delay=$(awk -v r=$RANDOM 'BEGIN {printf "%.3f", 0.1 + 2 * (r / 32768) ^ 2}')
  "$gridfold" run -c "$log.yaml" >"$log.out" 2>&1 &
  pid=$! status=0
  sleep "$delay"
  { kill -9 $pid; wait $pid; } 2>/dev/null || status=$?
  [ $status = 137 ] || fail "exit $status: $(cat "$log.out")"
  kills=$((kills + 1))
done
run_expect "$log" 0
expect_same "$work/calm" "$log" "$kills kills (seed $seed)"
echo "$kills kills: same bytes, same state"

# Switched on late, off and on again, each after a clean stop: what was read is not read again.
log=$work/switched
cp -r "$work/input" "$log"
stages_config "$log" false false
run_expect "$log" 0
stages_config "$log" true true
run_expect "$log" 0
records=$(grep '^records in' "$log.out")
stages_config "$log" false false
run_expect "$log" 0
stages_config "$log" true true
run_expect "$log" 0
[ "$(grep '^records in' "$log.out")" = "$records" ] || fail "read again: $(cat "$log.out")"
expect_replay "$log"

# Switched off after a kill: refused while a batch of it may have to be folded again, and nothing is lost by trying.
log=$work/refused taken='"topic":"internal.readings","partition":[0-9]+,"from":[0-9]+,"to":[1-9]'
cp -r "$work/input" "$log"
stages_config "$log" true true
"$gridfold" run -c "$log.yaml" >"$log.out" 2>&1 &
pid=$! status=0
# Until a batch has records that came by the intake.
until "$gridfold" tap "folder:$log" journal >"$log.journal" 2>&1 && grep -Eq "$taken" "$log.journal"; do
  :
done
{ kill -9 $pid; wait $pid; } 2>/dev/null || status=$?
[ $status = 137 ] || fail "exit $status: $(cat "$log.out")"
stages_config "$log" true false
run_expect "$log" 78 "internal.readings, and stages.intake is off" "clean stop"
stages_config "$log" true true
run_expect "$log" 0
expect_same "$work/calm" "$log" "a run after a refusal"
echo "switched on and off: nothing twice, nothing lost"
