#!/usr/bin/env bash
# The verbs that look back: replay --compare, explain, dlq.
#
#     test_tools.sh GRIDFOLD MAKE_LOG SOURCE_ROOT
set -u
export LC_ALL=C
gridfold=$(realpath "$1") make_log=$(realpath "$2") root=$(realpath "$3")
# shellcheck source=tests/cli/checks.sh
. "$root/tests/cli/checks.sh"

# alter FILE FROM TO: the last FROM in it becomes TO, of the same length.
alter() {
    local at
    at=$(grep -abo -- "$2" "$1" | tail -n 1 | cut -d: -f1)
    [ -n "$at" ] || fail "no $2 in $1"
    printf '%s' "$3" | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
}

cat >job.yaml <<'END'
version: 1
log: folder:log
batch_records: 500
time:
  lateness: 15m
  default_zone: Europe/Berlin
END
"$make_log" log 3 6 20 4 >made || fail "make_log: $(cat made)"
expect 0 run -c job.yaml --exit-at-end
cp -r log clean

# ---- replay --compare ----
outputs=0
for topic in tariff.adjustments arrears.alerts fraud.flags data.quality dead.letters; do
    expect 0 tap folder:log $topic
    outputs=$((outputs + $(lines)))
done
expect 0 replay -c job.yaml --compare
shows out "$outputs records on the output topics are what the fold gives"
expect 0 replay -c job.yaml --compare --json
shows out "\"compared\": $outputs"
expect 0 replay -c job.yaml --compare --from 2026-01-15 --to 2026-01-20

# An output: found by --compare alone, and told from a journal that is whole.
alter log/arrears.alerts/1/00000000000000000000.avro EUR EUX
expect 0 tap folder:log arrears.alerts -p 1
offset=$(sed -n 's/.*"offset":\([0-9]*\),.*EUX.*/\1/p' out)
expect 0 replay -c job.yaml
expect 1 replay -c job.yaml --compare
shows out "different: arrears.alerts/1/$offset is not what its inputs give"
shows out '    on the log    "EUX"'
shows out '    folded again  "EUR"'
shows out "the journal's digest is that of the refold: the output on the log was altered"
shows out '"topic":"billing.payments"'
expect 1 replay -c job.yaml --compare --json
shows out '"fields":[{"path":"currency","log":"EUX","refold":"EUR"}]'
shows out '"journal_is_refold":true,"journal_is_log":false'
expect 1 explain -c job.yaml "arrears.alerts/1/$offset"
shows out 'folded again, other bytes come out'
shows err 'gridfold replay --compare'

# An input: every replay finds it; --compare says that the outputs are as they were.
rm -r log && cp -r clean log
alter log/billing.invoices/1/00000000000000000000.avro EUR EUX
expect 1 replay -c job.yaml
shows err '`gridfold replay --compare` names the record'
expect 1 replay -c job.yaml --compare
shows out 'different: the inputs give a record of dead.letters/1 that is not on the log'
shows out "the journal's digest is that of the log"
shows out 'currency: EUX, but the contract is in EUR'
rm -r log && cp -r clean log

# ---- explain ----
for topic in tariff.adjustments arrears.alerts data.quality; do
    expect 0 tap folder:log $topic
    id=$(sed -n '$s/.*"record_id":"\([0-9a-f]*\)".*/\1/p' out)
    place=$(sed -n '$s/.*"partition":\([0-9]*\),"offset":\([0-9]*\),"timestamp".*/\1\/\2/p' out)
    expect 0 explain -c job.yaml "$id"
    shows out 'folded again, the same'
    shows out 'Made by'
    shows out 'in force then'
    mv out by_id
    expect 0 explain -c job.yaml "$topic/$place"
    shows out "$topic/$place"
    cmp -s out by_id || fail "$topic: explained by its id and by its place it is not the same"
    expect 0 explain -c job.yaml "$id" --json
    shows out '"same_bytes":true'
done
expect 66 explain -c job.yaml 00000000000000000000000000000000
shows err 'no output has the id'
expect 66 explain -c job.yaml arrears.alerts/1/9999
shows err 'there is no record at'
expect 64 explain -c job.yaml meter.readings/1/3
shows err 'is no output'
expect 64 explain -c job.yaml dead.letters/1/3
shows err 'gridfold dlq show'
expect 64 explain -c job.yaml customer-3
shows err 'neither an id'
expect 64 explain -c job.yaml

# ---- dlq ----
expect 0 dlq list -c job.yaml --limit 5
all=$(sed -n '1s/ dead letters//p' out)
shows out 'BAD_DATA        meter.readings'
shows out 'LATE            meter.readings'
shows out "and $((all - 5)) more"
expect 0 tap folder:log dead.letters
is 'dead letters' "$all" "$(lines)"
expect 0 dlq list folder:log --code BAD_DATA
bad=$(sed -n '1s/ dead letters//p' out)
letter=$(grep -o '^dead.letters/[0-9/]*' out | head -n 1)
original=$(grep "^$letter " out | grep -o 'meter.readings/[0-9/]*')
checks=$((checks + 1))
[ "$bad" -gt 0 ] && [ "$bad" -lt "$all" ] || fail "$bad bad ones of $all"
expect 0 dlq list -c job.yaml --code BAD_DATA --topic billing.invoices
is 'letters of a topic that has none' "$(cat out)" '0 dead letters'
expect 0 dlq list -c job.yaml --json --code LATE -n 1
shows out '"counts":[{"code":"LATE","topic":"meter.readings"'
expect 64 dlq list -c job.yaml --topic meters
expect 64 dlq list
expect 64 dlq list -c job.yaml "$letter"

expect 0 dlq show -c job.yaml "$letter"
shows out "$letter: $original was refused"
shows out 'BAD_DATA: byte 0 of 7: cannot be decoded'
shows out 'mend the producer'
shows out '00000000 09ffffff ffffff7f'
mv out by_letter
expect 0 dlq show folder:log "$original"
cmp -s out by_letter || fail 'shown by the letter and by the original it is not the same'
expect 66 dlq show -c job.yaml dead.letters/0/99999
expect 64 dlq show -c job.yaml

expect 64 dlq replay -c job.yaml
shows err 'which ones?'
expect 0 dlq replay -c job.yaml --code BAD_DATA --dry-run
shows out "$bad dead letters would be replayed"
expect 0 tap folder:log meter.readings
before=$(lines)
expect 0 dlq replay -c job.yaml --code BAD_DATA
shows out "$bad dead letters were replayed"
expect 0 tap folder:log meter.readings
is 'records after a replay' "$(lines)" $((before + bad))
is 'records that say so' "$(grep -c '"headers":{"gridfold.dlq":' out)" "$bad"
expect 0 dlq replay -c job.yaml --code BAD_DATA
shows out "$bad were replayed before and are left alone"
expect 0 dlq replay -c job.yaml "$letter"
shows out '0 dead letters were replayed'
expect 0 dlq replay -c job.yaml "$letter" --again
shows out '1 dead letters were replayed'
expect 0 tap folder:log meter.readings
is 'records after both' "$(lines)" $((before + bad + 1))

# These bytes are still no record: refused again, and said so; the run stays exact.
expect 0 run -c job.yaml --exit-at-end --json
shows out "\"dead.letters\": $((bad + 1))"
expect 0 dlq list -c job.yaml --code BAD_DATA
is 'letters that were replayed before' "$(grep -c '(replayed before)' out)" $((bad + 1))
expect 0 replay -c job.yaml --compare

# A key on the wrong partition: its replay goes where it belongs, and is folded.
rm -r log log.state
"$make_log" log 3 6 20 4 >made || fail "make_log: $(cat made)"
alter log/billing.payments/1/00000000000000000000.avro customer-4 customer-3
expect 0 run -c job.yaml --exit-at-end
expect 0 dlq list -c job.yaml --code MISPLACED
shows out '         1  MISPLACED       billing.payments'
letter=$(grep -o '^dead.letters/[0-9/]*' out)
expect 0 dlq show -c job.yaml "$letter"
shows out 'replay puts the record on the right partition'
shows out 'payment_id             P-4-'
expect 0 dlq replay -c job.yaml --code MISPLACED --dry-run
shows out '-> billing.payments/2  customer-3'
expect 0 dlq replay -c job.yaml --code MISPLACED --json
shows out '"replayed":1,"dry_run":false'
expect 0 run -c job.yaml --exit-at-end --json
shows out '"dead.letters": 0'
expect 0 replay -c job.yaml --compare

# A folder log has one writer.
: >run.err
"$gridfold" run -c job.yaml >/dev/null 2>run.err &
runner=$!
for _ in $(seq 200); do
    grep -q event=starting run.err && break
    sleep 0.05
done
code=0
"$gridfold" dlq replay -c job.yaml "$letter" --again >out 2>err || code=$?
tries=0
while [ "$code" = 0 ] && [ $tries -lt 100 ]; do # it has not taken the lock yet
    tries=$((tries + 1)) code=0
    "$gridfold" dlq replay -c job.yaml "$letter" --again >out 2>err || code=$?
done
is 'exit code beside a run' "$code" 75
shows err 'a folder log has one writer at a time; nothing was replayed'
shows err 'stop it first'
kill "$runner"
wait "$runner"

done_testing
