#!/usr/bin/env bash
# The command line, as a user meets it: texts, exit codes, and what the verbs do to a small log.
#
#     test_cli.sh GRIDFOLD MAKE_LOG SOURCE_ROOT
set -u
export LC_ALL=C
gridfold=$(realpath "$1") make_log=$(realpath "$2") root=$(realpath "$3")
# shellcheck source=tests/cli/checks.sh
. "$root/tests/cli/checks.sh"

# ---- help and usage ----
expect 64
expect 0 --help
shows out 'gridfold VERB --help'
expect 0 --version
for verb in run replay import simulate tap 'state get' explain 'dlq list' 'dlq show' 'dlq replay' \
    'topics plan' 'topics create' validate; do
    # shellcheck disable=SC2086
    expect 0 $verb --help
    is "first line of $verb --help" "$(head -c $((9 + ${#verb})) out)" "gridfold $verb"
    shows out '-h, --help'
    # shellcheck disable=SC2086
    expect 64 $verb --no-such-option
    shows err 'unknown option --no-such-option'
done
expect 64 fold
shows err 'unknown verb fold'
expect 64 run
shows err '-c CONFIG is needed'
expect 64 run -c
shows err 'needs a value'
expect 64 validate -c x.yaml more
shows err 'unexpected argument more'
expect 64 tap folder:log
shows err 'LOG and TOPIC are needed'
expect 64 tap folder:log meter.reading
shows err 'did you mean meter.readings?'
expect 64 tap file:log meter.readings
expect 64 tap folder:log meter.readings --from yesterday
shows err 'yesterday is neither an offset nor a time'
expect 64 tap folder:log meter.readings --limit many
expect 66 tap folder:log meter.readings
shows err 'no such log'

# ---- validate ----
cat >good.yaml <<'END'
version: 1
log: folder:log
batch_records: 500
time:
  lateness: 15m
  default_zone: Europe/Berlin
END
expect 0 validate -c good.yaml
shows out 'ok '
hash=$(cat out)
expect 0 validate -c good.yaml --set log=folder:elsewhere
is 'hash with another log' "$(cat out)" "$hash"
expect 0 validate -c good.yaml --set time.lateness=30m
checks=$((checks + 1))
[ "$(cat out)" != "$hash" ] || fail 'another lateness has the same hash'
expect 0 validate -c good.yaml -q
is 'output of -q' "$(cat out err)" ''
expect 0 validate -c good.yaml --effective
shows out 'lateness'
expect 0 validate --docs
shows out 'batch_records'
expect 78 validate -c missing.yaml
shows err 'missing.yaml'

cat >bad.yaml <<'END'
version: 1
log: folder:log
time:
  latenes: 15m
  default_zone: Europe/Berln
batch_records: 9000
END
expect 78 validate -c bad.yaml
is 'output of a bad configuration' "$(cat out)" ''
cat >wanted <<'END'
bad.yaml:4:3: error: unknown key "latenes" in time
      latenes: 15m
      ^
    help: did you mean "lateness"?
END
is 'the first complaint' "$(head -n 4 err)" "$(cat wanted)"
shows err 'bad.yaml:5:17: error:'
shows err 'bad.yaml:6:16: error:'
expect 78 run -c bad.yaml --exit-at-end
shows err 'did you mean "lateness"?'
for config in gridfold.yaml gridfold-kafka.yaml; do
    expect 0 validate -c "$root/config/$config" -q
done

# ---- topics ----
expect 1 topics plan -c good.yaml
shows out 'meter.readings: missing'
expect 66 validate -c good.yaml --connect
expect 0 topics create -c good.yaml
shows out 'made meter.readings with 4 partitions'
expect 0 topics create -c good.yaml
shows out 'nothing to make'
expect 0 topics plan -c good.yaml
expect 0 validate -c good.yaml --connect
expect 1 topics plan -c good.yaml --set partitions=2
shows out 'has 4 partitions, needs 2'
expect 1 topics create -c good.yaml --set partitions=2
shows out 'left as they are'
expect 0 tap folder:log meter.readings
is 'lines of an empty topic' "$(cat out)" ''
expect 66 tap folder:log fraud.flags
shows err 'no such topic'
rm -r log

# ---- a log with trouble in it ----
"$make_log" log 3 6 20 4 >made || fail "make_log: $(cat made)"
expect 0 tap folder:log meter.readings
all=$(lines)
mv out all
expect 0 tap folder:log meter.readings
cmp -s out all || fail 'two taps differ'
shows all '"value":{"meter_id":"M-customer-'
shows all '"code":"BAD_DATA","error":"byte 0 of 7: cannot be decoded (schema id 9, MeterReading)"'
shows all '"bytes":"0000000009ffffffffffff7f"}'
expect 0 tap folder:log meter.readings --limit 5
is 'lines with --limit 5' "$(lines)" 5
is 'the first five' "$(cat out)" "$(head -n 5 all)"
expect 0 tap folder:log meter.readings --key customer-3
is 'lines with --key' "$(lines)" "$(grep -c '"key":"customer-3"' all)"
expect 0 tap folder:log meter.readings -p 1 --from 10 --to 20
is 'lines of ten offsets' "$(lines)" 10
shows out '"partition":1,"offset":10,'
expect 64 tap folder:log meter.readings -p 4
shows err 'has 4 partitions'
expect 0 tap folder:log meter.readings --from 2026-01-08 --to 2026-01-09 --key customer-3
checks=$((checks + 1))
[ "$(lines)" -gt 18 ] && [ "$(lines)" -lt 30 ] || fail "a day of hourly readings: $(lines) lines"
expect 0 tap folder:log meter.readings -n 1 --human
shows out ' kWh"'
expect 0 tap folder:log meter.readings -n 1 --raw
shows out '"bytes":"'
"$gridfold" tap folder:log meter.readings 2>err | head -n 1 >out
is 'exit code when the reader leaves' "${PIPESTATUS[0]}" 0
is 'what it says then' "$(cat err)" ''
if [ -e /dev/full ]; then
    code=0
    "$gridfold" tap folder:log meter.readings >/dev/full 2>err || code=$?
    is 'exit code on a full disk' "$code" 74
fi

# ---- run, and what it leaves ----
expect 0 run -c good.yaml --exit-at-end --json
dead=$(sed -n 's/.*"dead.letters": \([0-9]*\).*/\1/p' out)
in=$(sed -n 's/.*"in": \([0-9]*\).*/\1/p' out)
expect 0 tap -c good.yaml dead.letters
is 'dead letters' "$(lines)" "$dead"
shows out '"value":"0000000009ffffffffffff7f"'
shows out '"code":"LATE"'
for topic in fraud.flags arrears.alerts tariff.adjustments data.quality journal; do
    expect 0 tap -c good.yaml $topic
    checks=$((checks + 1))
    [ "$(lines)" -gt 0 ] || fail "$topic is empty"
done
expect 0 replay -c good.yaml
shows out 'equal'
expect 0 run -c good.yaml --exit-at-end --json
is 'records in after a second start' "$(sed -n 's/.*"in": \([0-9]*\).*/\1/p' out)" "$in"
shows out '"dead.letters": 0'
expect 0 tap -c good.yaml dead.letters
is 'dead letters after a second start' "$(lines)" "$dead"
expect 0 state get -c good.yaml customer-3
shows out 'customer-3'
expect 66 state get -c good.yaml nobody

# ---- follow: ends with the line that was not yet there ----
timeout 60 "$gridfold" tap folder:log meter.readings --follow --limit $((all + 1)) >followed 2>err &
follower=$!
"$make_log" log 4 2 3 4 >made || fail "make_log: $(cat made)"
code=0
wait "$follower" || code=$?
is 'exit code of --follow' "$code" 0
is 'lines of --follow' "$(wc -l <followed | tr -d ' ')" $((all + 1))

# ---- broken logs are refused, and said why ----
cp -r log other && cp -r log.state other.state
rm -r other/billing.payments/3
expect 78 run -c good.yaml --set log=folder:other --exit-at-end
shows err 'billing.payments'
rm -r other other.state

done_testing
