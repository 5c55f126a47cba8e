#!/usr/bin/env bash
# The demo: a year of 17 real homes and real market prices through the whole of gridfold, on a folder log.
set -euo pipefail
cd "$(dirname "$0")/.."
gridfold=build/release/cmd/gridfold/gridfold
out=demo-out log=folder:demo-out/log config=config/gridfold.yaml
rm -rf "$out"
mkdir -p "$out"
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

say "What this is"
cat <<'TEXT'
Readings: 17 real homes (CityLearn, California, MIT licence), one hour each, put on the calendar of 2016.
Prices:   German day-ahead prices of 2016 (epftoolbox, Apache-2.0), real.
Made up:  demand and solar of the region (from the homes' own columns), the tariff, contracts, invoices (computed from the
          readings by the tariff), payments (HOME07 pays late, HOME11 stops in July, HOME14 in parts, HOME02 has one returned)
          and two thefts: from 2016-09-12 the meter of HOME05 shows 30 %, from 2016-10-17 for five weeks that of HOME16 nothing.
TEXT

say "Import"
gzip -dc data/demo/homes.csv.gz | awk -v out="$out" -f scripts/demo-accounts.awk
printf 'row\n1\n' >"$out/plan.csv"
import() { "$gridfold" import -m "config/import/$1.yaml" --to "$log" "$2" 2>>"$out/import.log" | grep -E '^[a-z]+\.[a-z]+ '; }
printf '%-22s %13s  = %9s   + %8s   + %8s\n' topic "rows in" records filtered rejected
import demo-plan "$out/plan.csv"
import epf-prices data/demo/prices.csv.gz
import demo-supply data/demo/supply.csv.gz
import demo-homes "$out/homes.csv"
import demo-invoices "$out/invoices.csv"
import demo-payments "$out/payments.csv"

say "Fold"
"$gridfold" run -c "$config" --exit-at-end 2>"$out/run.log" | tee "$out/summary.txt"

say "The same again, from the journal"
"$gridfold" replay -c "$config" 2>"$out/replay.log"

for topic in fraud.flags arrears.alerts tariff.adjustments data.quality dead.letters; do
  "$gridfold" tap "$log" "$topic" >"$out/$topic.ndjson"
done

say "One of each, in plain words"
awk -v flags="$out/fraud.flags.ndjson" -v alerts="$out/arrears.alerts.ndjson" \
  -v adjustments="$out/tariff.adjustments.ndjson" -f scripts/demo-words.awk

say "Two pictures"
scripts/demo-plot.sh "$out"

say "Where to look"
cat <<TEXT
$out/log/          inputs, outputs and journal: Avro container files (any Avro reader opens them)
$out/*.ndjson      the outputs as JSON lines
$out/*.svg         the pictures
$gridfold state get -c $config HOME05     what is remembered of one customer
$gridfold tap $log fraud.flags --human    the flags with units
TEXT
