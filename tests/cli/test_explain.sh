#!/usr/bin/env bash
# `gridfold explain` from a snapshot, good or bad: the words are those of a fold from batch 1, and a snapshot that is not
# used is named.
#
#     test_explain.sh GRIDFOLD MAKE_LOG SOURCE_ROOT
set -u
export LC_ALL=C
gridfold=$(realpath "$1") make_log=$(realpath "$2") root=$(realpath "$3")
# shellcheck source=tests/cli/checks.sh
. "$root/tests/cli/checks.sh"

# history NAME SEED: a log, its run in three parts, and snapshots after the first two; NAME.yaml.
history() {
    cat >"$1.yaml" <<END
version: 1
log: folder:$1
store: $1.state
batch_records: 300
snapshot: {folder: $1.snaps, interval: 0s}
END
    local days
    for days in 10 20 30; do
        "$make_log" "$1" "$2" 6 $days 2 >made || fail "make_log: $(cat made)"
        expect 0 run -c "$1.yaml" --exit-at-end
        [ $days = 30 ] || expect 0 snapshot -c "$1.yaml"
    done
}
history job 3
history other 4
cp -r job.snaps clean
expect 0 snapshot list -c job.yaml
read -r newer older < <(sed -n 's/^shard 0  batch \([0-9]*\) .*/\1/p' out | tr '\n' ' ')
manifest() { printf 'job.snaps/shard-%04d/%020d.snapshot' "$1" "$2"; }

# The last and the first output of shard 0: one from after all snapshots, one from before them.
expect 0 tap folder:job arrears.alerts -p 0
last=$(tail -n 1 out | sed 's/.*"offset":\([0-9]*\),"timestamp".*/arrears.alerts\/0\/\1/')
batch=$(tail -n 1 out | sed 's/.*"batch":\([0-9]*\),.*/\1/')
expect 0 tap folder:job data.quality -p 0
first=$(head -n 1 out | sed 's/.*"offset":\([0-9]*\),"timestamp".*/data.quality\/0\/\1/')
first_batch=$(head -n 1 out | sed 's/.*"batch":\([0-9]*\),.*/\1/')
checks=$((checks + 1))
[ "$first_batch" -le "$older" ] && [ "$older" -lt "$newer" ] && [ "$newer" -lt "$batch" ] ||
    fail "outputs of batches $first_batch and $batch, snapshots at $older and $newer: no test of this"
for output in "$last" "$first"; do
    expect 0 explain -c job.yaml "$output" --set snapshot.folder=
    is 'lines about snapshots, of none' "$(grep -c snapshot err)" 0
    mv out "$(dirname "$output" | tr / .).plain"
done

# same OUTPUT FROM: explained in the same words; from the snapshot at batch FROM, or from none (0).
same() {
    expect 0 explain -c job.yaml "$1"
    cmp -s out "$(dirname "$1" | tr / .).plain" || fail "explained in other words than without snapshots"
    local at
    at=$(sed -n 's/^folding from the snapshot at batch //p' err)
    is 'the snapshot it is folded from' "${at:-0}" "$2"
}
# passed COUNT: so many snapshots were passed over.
passed() { is 'snapshots passed over' "$(grep -c 'level=warn event=snapshot_passed_over shard=0 ' err)" "$1"; }
again() { rm -rf job.snaps && cp -r clean job.snaps; }
# overwritten FILE: its middle is other than it was.
overwritten() { printf '\377\376\375\374' | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") / 2)) conv=notrunc status=none; }
# The largest file that only the newer snapshot has.
own() {
    comm -23 <(sed -n 's/^file .* //p' "$(manifest 0 "$newer")" | sort) \
        <(sed -n 's/^file .* //p' "$(manifest 0 "$older")" | sort) |
        while read -r name; do stat -c '%s %n' "job.snaps/shard-0000/files/$name"; done | sort -n | tail -n 1 | cut -d' ' -f2
}

# ---- good ----
same "$last" "$newer"
passed 0
same "$first" 0 # both are ahead of it
passed 0

# ---- the newer is damaged: from the older, and it is said ----
overwritten "$(own)"
same "$last" "$older"
passed 1
shows err "event=snapshot_passed_over shard=0 batch=$newer "
same "$first" 0
passed 0
again
rm "$(own)"
same "$last" "$older"
passed 1
shows err 'is missing'
again
overwritten "$(manifest 0 "$newer")"
same "$last" "$older"
passed 1
shows err 'its digest does not fit'
again
: >"$(manifest 0 "$newer")"
same "$last" "$older"
shows err 'is no whole manifest'
again
sed -i '1s/1$/2/' "$(manifest 0 "$newer")"
same "$last" "$older"
shows err 'written by a newer program'

# ---- a manifest that is another's ----
again
cp "$(manifest 0 "$older")" "$(manifest 0 $((older + 1)))"
rm "$(manifest 0 "$newer")"
same "$last" "$older"
shows err "batch=$((older + 1)) "
shows err 'says that it is another snapshot'
again
expect 0 snapshot list -c job.yaml
beside=$(sed -n 's/^shard 1  batch \([0-9]*\) .*/\1/p' out | head -n 1)
cp "$(manifest 1 "$beside")" "$(manifest 0 "$beside")"
same "$last" "$older"
shows err "batch=$beside "
again
# Of what is yet to come, under an old name: its content is ahead of the output.
mv "$(manifest 0 "$newer")" "$(manifest 0 $((first_batch - 1 > 0 ? first_batch - 1 : 1)))"
same "$last" "$older"

# ---- both are damaged ----
again
overwritten "$(manifest 0 "$newer")"
overwritten "$(manifest 0 "$older")"
same "$last" 0
passed 2
again
rm -r job.snaps/shard-0000/files
same "$last" 0
passed 2

# ---- whole, and of another log ----
rm -rf job.snaps && cp -r other.snaps job.snaps
expect 0 explain -c job.yaml "$last"
cmp -s out arrears.alerts.0.plain || fail 'explained in other words from the snapshot of another log'
passed 1
shows err 'does the store belong to another log?'

# ---- a folder that cannot be looked at ----
rm -r job.snaps/shard-0000
: >job.snaps/shard-0000
same "$last" 0
passed 1
shows err 'job.snaps/shard-0000'
checks=$((checks + 1))
[ -z "$(find . -name '*damaged-*' -o -name 'gridfold-*')" ] || fail "left behind: $(find . -name '*damaged-*')"
done_testing
