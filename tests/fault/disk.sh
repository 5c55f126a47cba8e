#!/usr/bin/env bash
# A full disk at many moments: the run ends with exit 74 and says where, what is committed is whole, and with room again
# it goes on to the same bytes as a run that never met one.
#   disk.sh GRIDFOLD [SEED]
# No disk has to be filled: a limit on the size of a file fails the same writes (EFBIG instead of ENOSPC). Where a small
# file system may be mounted, a real full disk comes too.
. "$(dirname "$0")/common.sh"
seed=${2:-$RANDOM}
echo "seed $seed"
RANDOM=$seed
make_input "$work/input" "$seed" 60 30
calm "$work/calm" "$work/input"
for topic in tariff.adjustments data.quality; do
  "$gridfold" tap "folder:$work/calm" $topic >"$work/calm.$topic"
done

# What is there of two topics is what the undisturbed run wrote first, partition by partition.
expect_beginning() { # FOLDER
  local topic shard
  for topic in tariff.adjustments data.quality; do
    [ -d "$1/$topic" ] || continue # it ended before there was a log to write to
    "$gridfold" tap "folder:$1" $topic >"$1.$topic" 2>&1 || fail "tap: $(cat "$1.$topic")"
    for shard in 0 1 2 3; do
      grep -F "\"partition\":$shard,\"offset\"" "$1.$topic" >"$1.part" || continue
      grep -F "\"partition\":$shard,\"offset\"" "$work/calm.$topic" >"$1.whole"
      cmp -s -n "$(stat -c %s "$1.part")" "$1.whole" "$1.part" ||
        fail "$topic partition $shard: the run that met the full disk wrote other records"
    done
  done
}

# full_run FOLDER [KIB]: exit code into `status`; what it says goes through a pipe, which has no limit.
full_run() {
  status=0
  (
    trap '' XFSZ
    [ -z "${2:-}" ] || ulimit -f "$2"
    exec "$gridfold" run -c "$1.yaml" --exit-at-end
  ) 2>&1 | cat >"$1.out" || status=$?
  ! grep -aqE 'Sanitizer|runtime error|Assertion' "$1.out" || fail "$(cat "$1.out")"
}

expect_full() { # FOLDER
  [ "$status" = 74 ] || fail "exit $status, not 74: $(cat "$1.out")"
  grep -aqF "make room" "$1.out" || fail "it does not say what to do: $(cat "$1.out")"
  grep -aqE "gridfold run: .*$work/[a-z0-9/.]+" "$1.out" || fail "it does not say where: $(cat "$1.out")"
  grep -aoE "$work/[a-z0-9/.]+" "$1.out" | tail -1 | sed -E 's,.*/(store|state)/.*,store,; s,.*\.state/?.*,store,; s,.*/([a-z.]+)/[0-9]+/.*,\1,; s,.*/,,' \
    >>"$work/places"
}

largest=$(find "$work/calm" "$work/calm.state" -type f -newer "$work/calm.yaml" -printf '%k\n' | sort -n | tail -1)
met=0
for round in 1 2 3 4; do
  log=$work/limit$round
  cp -r "$work/input" "$log"
  make_config "$log"
  limit=$((round == 1 ? 1 : 120 + RANDOM % 40))
  while :; do
    full_run "$log" "$limit"
    [ $status != 0 ] || break
    expect_full "$log"
    [ $((met % 3)) != 0 ] || expect_beginning "$log"
    met=$((met + 1))
    limit=$((limit < 128 ? limit + 64 : limit + largest / 10 + RANDOM % (largest / 10 + 1)))
  done
  run_expect "$log" 0 # without a limit
  expect_same "$work/calm" "$log" "round $round"
  "$gridfold" replay -c "$log.yaml" >"$log.out" 2>&1 || fail "replay: $(cat "$log.out")"
  rm -rf "$log" "$log.state"
done
[ $met -ge 12 ] || fail "only $met runs met the limit"

# The log has room and the store has none: its place is as full as it can be.
tmpfs_rounds() {
  local size log=$work/small
  place=$work/place
  mkdir "$place"
  mount -t tmpfs -o size=256k tmpfs "$place" 2>>"$work/mount.err" || { echo "no file system may be mounted here"; return 0; }
  trap 'umount -l "$place"; rm -rf "$work"' EXIT
  for size in 300 400 700; do
    cp -r "$work/input" "$log"
    make_config "$log" canonical "$place/store"
    mount -o remount,size=${size}k "$place"
    full_run "$log"
    [ $status = 0 ] || { expect_full "$log"; expect_beginning "$log"; met=$((met + 1)); }
    [ $size != 300 ] || [ $status = 74 ] || fail "300 KiB were enough for a store"
    mount -o remount,size=64m "$place"
    run_expect "$log" 0
    expect_same "$work/calm" "$log" "a store in $size KiB"
    rm -rf "$log" "$place/store"
  done
  # And the other way round: all of it on the small one.
  cp -r "$work/input" "$place/log"
  for size in 30 90 300 900; do
    make_config "$place/log"
    mount -o remount,size=$(($(du -sk "$place" | cut -f1) + size))k "$place"
    full_run "$place/log"
    mount -o remount,size=64m "$place"
    [ $status != 0 ] || break
    expect_full "$place/log"
    met=$((met + 1))
  done
  run_expect "$place/log" 0
  expect_same "$work/calm" "$place/log" "a log on a full disk"
}
tmpfs_rounds
echo "$met full disks, at: $(sort "$work/places" | uniq -c | awk '{printf "%s %s, ", $1, $2}')same bytes, same state"
