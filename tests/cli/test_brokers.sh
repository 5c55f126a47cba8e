#!/usr/bin/env bash
# Where no broker answers, every verb says so long before it gives up; `run` waits for one.
#
#     test_brokers.sh GRIDFOLD SOURCE_ROOT
set -u
export LC_ALL=C
gridfold=$(realpath "$1") root=$(realpath "$2")
# shellcheck source=tests/cli/checks.sh
. "$root/tests/cli/checks.sh"

brokers=127.0.0.1:1 # nobody listens there
cat >job.yaml <<END
version: 1
log: kafka:$brokers
store: state
snapshot: {folder: snapshots}
partitions: 2
kafka: {request_timeout: 1s}
END
cat >mapping.yaml <<'END'
format: csv
time_zone: "+10:00"
targets:
  - topic: supply.state
    key: NSW1
    fields:
      zone: NSW1
      interval_start: {column: time, format: "YYYY-MM-DD HH:MM:SS"}
      interval_s: 1800
      published_at: {column: time, format: "YYYY-MM-DD HH:MM:SS"}
      demand_kw: {column: demand_mw, unit: MW}
END
printf 'time,demand_mw\n2020-01-01 00:00:00,7000\n' >supply.csv

# A service that is started before its broker: looked at again at the end, long after the time-out.
"$gridfold" run -c job.yaml >run.out 2>run.err &
service=$!

# refused CODE ARGUMENT…: it waits, says so once, and gives up.
refused() {
    expect 69 "$@"
    is "$1: lines about waiting" "$(grep -c 'level=warn event=waiting_for_broker' err)" 1
    shows err "brokers=$brokers gives_up_in_s=1 error=\"$brokers"
    shows err 'Connection refused'
    shows err 'check that the brokers run and that `log` names them'
}
refused run -c job.yaml --exit-at-end --set store=other
refused validate -c job.yaml --connect
refused topics plan -c job.yaml
refused topics create -c job.yaml
refused replay -c job.yaml
refused replay -c job.yaml --compare
refused explain -c job.yaml arrears.alerts/0/0
refused tap control -c job.yaml
refused tap "kafka:$brokers" control --set kafka.request_timeout=1s
refused dlq list -c job.yaml
refused dlq show -c job.yaml dead.letters/0/0
refused dlq replay -c job.yaml --code BAD_DATA
refused state get -c job.yaml C1
refused import -c job.yaml -m mapping.yaml supply.csv
refused simulate -c job.yaml --customers 1 --days 1
expect 69 validate -c job.yaml --connect --set logging.format=json
shows err '"event":"waiting_for_broker"'
expect 69 validate -c job.yaml --connect --set logging.level=error
is 'lines that are no error' "$(grep -c waiting_for_broker err)" 0

checks=$((checks + 2))
kill -0 $service 2>/dev/null || fail 'the service has not waited'
kill -TERM $service
wait $service
is 'exit of a service that was stopped while it waited' $? 0
cp run.err err
is 'lines about waiting' "$(grep -c event=waiting_for_broker err)" 1
shows err "level=warn event=waiting_for_broker brokers=$brokers error=\"$brokers"
shows err 'event=stopped why=signal'
done_testing
