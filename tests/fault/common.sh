# For the scripts beside this one, which source it: GRIDFOLD is $1 and $work a folder of the test's own that goes away.
set -euo pipefail
export LC_ALL=C
gridfold=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $*"
  exit 1
}

make_input() { # FOLDER SEED CUSTOMERS DAYS
  "$gridfold" simulate --to "folder:$1" --customers "$3" --days "$4" --seed "$2" --interval 1h --start 2024-03-01 \
    --theft-rate 0.1 --arrears-rate 0.3 >"$1.simulated" 2>&1 || fail "simulate: $(cat "$1.simulated")"
}

make_config() { # FOLDER [ORDER [STORE]]
  cat >"$1.yaml" <<YAML
version: 1
log: folder:$1
store: ${3:-$1.state}
order: ${2:-canonical}
batch_records: 512
commit: {batches: 2}
sweep: {records: 20000}
YAML
}

run() { "$gridfold" run -c "$1.yaml" --exit-at-end >"$1.out" 2>&1; }

# run_expect FOLDER EXIT TEXT…: that exit code, each text in what it says, and no crash of the program itself.
run_expect() {
  local folder=$1 wanted=$2 status=0 text
  shift 2
  run "$folder" || status=$?
  ! grep -aqE 'Sanitizer|runtime error|Assertion' "$folder.out" || fail "$(cat "$folder.out")"
  [ $status = "$wanted" ] || fail "exit $status, not $wanted: $(cat "$folder.out")"
  for text in "$@"; do
    grep -aqF -- "$text" "$folder.out" || fail "no \"$text\" in: $(cat "$folder.out")"
  done
}

outputs="tariff.adjustments arrears.alerts fraud.flags data.quality dead.letters"

# The outputs, and the newest digest of every slice that the journal names: a clean stop names all. Outputs are compared
# as they are on disk; in order of arrival commits are cut by the clock, and blocks with them, so there by their records.
fingerprint() { # FOLDER
  local topic
  if grep -q '^order: arrival' "$1.yaml"; then
    for topic in $outputs; do
      "$gridfold" tap "folder:$1" "$topic" | sha256sum
    done
  else
    # shellcheck disable=SC2086
    (cd "$1" && find $outputs -name '*.avro' | sort | xargs sha256sum)
  fi
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

# expect_same CALM FOLDER WHAT: the same outputs and state as the run whose fingerprint is in CALM.print.
expect_same() {
  fingerprint "$2" >"$2.print"
  cmp -s "$1.print" "$2.print" ||
    fail "$3 differs from the undisturbed run: $(diff "$1.print" "$2.print" | head -10)"
}

# calm FOLDER INPUT [ORDER]: a run that nobody disturbs, and its fingerprint.
calm() {
  cp -r "$2" "$1"
  make_config "$1" "${3:-canonical}"
  run_expect "$1" 0
  fingerprint "$1" >"$1.print"
  [ "$(wc -l <"$1.print")" -gt 8 ] || fail "the undisturbed run wrote nothing to compare"
}
