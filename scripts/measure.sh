#!/usr/bin/env bash
# Measures gridfold on full public sets: import, run, replay; rows in = processed + filtered + late + dead-lettered, exactly.
#   scripts/measure.sh lcl DAILY.csv.zst          Low Carbon London, daily sums (config/import/lcl-daily.yaml)
#   scripts/measure.sh aemo 30MIN.csv.gz 5MIN.csv.gz   NSW prices (config/import/aemo-30min.yaml, aemo-5min.yaml)
# docs/measurements.md has the results.
set -euo pipefail
cd "$(dirname "$0")/.."
gridfold=build/release/cmd/gridfold/gridfold
set_name=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case "$set_name" in
lcl) "$gridfold" import -m config/import/lcl-daily.yaml --to "folder:$work/log" "$1" --rejects "$work/rejects.ndjson" 2>/dev/null ;;
aemo)
  "$gridfold" import -m config/import/measure-plan.yaml --to "folder:$work/log" - <<<$'row\n1' 2>/dev/null
  "$gridfold" import -m config/import/aemo-30min.yaml --to "folder:$work/log" "$1" 2>/dev/null
  "$gridfold" import -m config/import/aemo-5min.yaml --to "folder:$work/log" "$2" 2>/dev/null ;;
*) echo "usage: measure.sh lcl|aemo FILE…" >&2; exit 64 ;;
esac
cat >"$work/measure.yaml" <<YAML
version: 1
log: folder:$work/log
store: $work/state
time: {default_zone: UTC}
YAML
memory() { # COMMAND…: peak resident memory on the last line
  if [ -x /usr/bin/time ]; then /usr/bin/time -f "peak memory          %M KB" "$@" 2>"$work/err"; grep "peak memory" "$work/err"; else "$@" 2>/dev/null; fi
}
memory "$gridfold" run -c "$work/measure.yaml" --exit-at-end
memory "$gridfold" replay -c "$work/measure.yaml"
for topic in fraud.flags arrears.alerts tariff.adjustments data.quality dead.letters; do
  "$gridfold" tap "folder:$work/log" "$topic" | { grep -oE '"(code|rule|direction)":"[A-Z0-9_]+"' || true; } | sort | uniq -c | sed "s/^/$topic /"
done
