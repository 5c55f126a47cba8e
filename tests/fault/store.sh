#!/usr/bin/env bash
# A store that cannot be used is refused with what to do, and doing it gives what an undisturbed run gives; a store that
# lost something goes on to the same. Nothing here may end in other bytes.
#   store.sh GRIDFOLD STORE_FORMAT [SEED]
. "$(dirname "$0")/common.sh"
store_format=$(realpath "$2") seed=${3:-$RANDOM}
echo "seed $seed"
RANDOM=$seed
make_input "$work/input" "$seed" 60 20
calm "$work/calm" "$work/input"

# half FOLDER: a log whose run met a signal on the way, with the store of that moment.
half() {
  cp -r "$work/input" "$1"
  make_config "$1"
  "$gridfold" run -c "$1.yaml" >"$1.out" 2>&1 &
  local pid=$! i
  for ((i = 0; i < 1000; i++)); do
    [ -z "$(find "$1.state" -name '*.log' -size +"${2:-50}"k 2>>"$1.find")" ] || break
    sleep 0.01
  done
  kill -KILL $pid
  wait $pid 2>>"$1.find" || true
}

# told_and_done FOLDER: the store moved away as the message says; the rerun is whole again.
told_and_done() {
  grep -aqE 'move (it|the store) away' "$1.out" || fail "it does not say what to do: $(cat "$1.out")"
  mv "$1.state" "$1.away"
  run_expect "$1" 0
  expect_same "$work/calm" "$1" "$2"
  rm -rf "$1" "$1.state" "$1.away"
}

a_file() {
  local log=$work/file
  cp -r "$work/input" "$log"
  make_config "$log"
  echo "no store" >"$log.state"
  run_expect "$log" 74 "$log.state" "make folder"
  mv "$log.state" "$log.away"
  run_expect "$log" 0
  expect_same "$work/calm" "$log" "a file where the store should be"
  rm -rf "$log" "$log.state" "$log.away"
  echo "a file: refused"
}

of_another_log() {
  local log=$work/mine other=$work/other
  make_input "$work/input2" $((seed + 1)) 60 8
  calm "$other" "$work/input2"
  half "$log"
  rm -rf "$log.state"
  cp -r "$other.state" "$log.state" # behind this journal
  run_expect "$log" 65 "another log" "batch"
  told_and_done "$log" "the store of another log"
  calm "$log" "$work/input"
  cp -r "$log.state" "$other.ahead" # ahead of that journal
  make_config "$other" canonical "$other.ahead"
  run_expect "$other" 65 "another log" "the store is at batch"
  grep -aq 'move the store away' "$other.out" || fail "it does not say what to do"
  make_config "$other"
  run_expect "$other" 0
  expect_same "$other" "$other" "its own store"
  rm -rf "$log" "$log.state" "$other" "$other.state" "$other.ahead"
  echo "the store of another log: refused, behind and ahead"
}

flip() { # FILE: some bits of one byte
  local at
  at=$((RANDOM * 32768 + RANDOM))
  at=$((at % $(stat -c %s "$1")))
  local old
  old=$(od -An -tu1 -j $at -N 1 "$1")
  # shellcheck disable=SC2059
  printf "$(printf '\\x%02x' $((old ^ (1 + RANDOM % 255))))" | dd of="$1" bs=1 seek=$at conv=notrunc status=none
}

damaged() {
  local log=$work/hurt source=$work/source round file refused=0 older=0 away=0
  # Two starts that are killed: a table, and a log of writes behind it.
  half "$source" 60
  "$gridfold" run -c "$source.yaml" >"$source.out" 2>&1 &
  local pid=$!
  sleep 0.4
  kill -KILL $pid
  wait $pid 2>>"$source.find" || true
  for ((round = 0; round < 12; round++)); do
    rm -rf "$log" "$log.state"
    cp -r "$source" "$log"
    cp -r "$source.state" "$log.state"
    make_config "$log"
    case $((round % 3)) in
      0) file=$(find "$log.state" -name '*.sst' | sort | head -1) ;;
      1) file=$(find "$log.state" -name '*.log' -size +0 | sort | tail -1) ;;
      2) file=$(find "$log.state" -name 'MANIFEST*' | sort | tail -1) ;;
    esac
    [ -n "$file" ] || continue
    flip "$file"
    local status=0
    run "$log" || status=$?
    case $status in
      0)
        if compgen -G "$log.state/*.damaged-1" >"$log.find"; then
          grep -aq 'event=store_put_away' "$log.out" || fail "it does not say that it put a store away: $(cat "$log.out")"
          away=$((away + 1))
        else
          older=$((older + 1))
        fi
        expect_same "$work/calm" "$log" "a damaged ${file##*/}"
        ;;
      65 | 74)
        refused=$((refused + 1))
        told_and_done "$log" "a damaged ${file##*/}, moved away"
        ;;
      *) fail "a damaged ${file##*/}: exit $status: $(cat "$log.out")" ;;
    esac
  done
  [ $((refused + away)) -gt 0 ] || fail "no damage of $round was noticed"
  rm -rf "$log" "$log.state" "$source" "$source.state"
  echo "damage: $away put away and made anew, $refused refused, $older made good from the journal"
}

of_a_newer_program() {
  local log=$work/newer
  half "$log"
  "$store_format" "$log.state/shard-0000" 7
  run_expect "$log" 65 "format 7" "newer program" "$log.state"
  told_and_done "$log" "the store of a newer program"
  echo "a newer format: refused"
}

without_its_journal() {
  local log=$work/emptied batch
  cp -r "$work/calm" "$log"
  cp -r "$work/calm.state" "$log.state"
  make_config "$log"
  (cd "$log" && rm -rf commit journal tariff.adjustments arrears.alerts fraud.flags data.quality dead.letters)
  batch=$("$gridfold" tap "folder:$work/calm" journal | grep '"shard":0,' | grep -oE '"batch":[0-9]+' | tail -1)
  run_expect "$log" 65 "the journal is empty" "the store is at batch ${batch##*:}"
  told_and_done "$log" "an emptied journal"
  # A journal file that is gone, with and without the store.
  cp -r "$work/calm" "$log"
  cp -r "$work/calm.state" "$log.state"
  rm "$log"/journal/0/*
  run_expect "$log" 65 "$log/journal/0" "is missing" "restore it"
  rm -rf "$log.state"
  run_expect "$log" 65 "$log/journal/0" "is missing" "restore it"
  cp "$work"/calm/journal/0/* "$log/journal/0/" # as told
  run_expect "$log" 0
  expect_same "$work/calm" "$log" "a journal that was restored"
  rm -rf "$log" "$log.state"
  echo "without its journal: refused"
}

a_file
of_another_log
damaged
of_a_newer_program
without_its_journal
