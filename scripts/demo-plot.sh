#!/usr/bin/env bash
# Draws the demo: the load of HOME05 with its flags, and the price with its adjustments; in the terminal and as SVG.
set -euo pipefail
out=$1
awk -F, 'NR > 1 {day[substr($1, 1, 10)] += $6} END {for (d in day) print d, day[d]}' "$out/homes.csv" | sort >"$out/load.dat"
grep '"customer_id":"HOME05"' "$out/fraud.flags.ndjson" | grep '"state":"OPENED"' |
  sed 's/.*"decided_at":"\([0-9-]*\)T.*/\1/' >"$out/flag-days.dat"
awk 'NR == FNR {flag[$1] = 1; next} $1 in flag' "$out/flag-days.dat" "$out/load.dat" >"$out/flags.dat"
gzip -dc data/demo/prices.csv.gz | awk -F, 'NR > 1 && $1 >= "2016-05-06" && $1 < "2016-05-13" {gsub(" ", "T", $1); print $1, $2 / 10}' >"$out/wholesale.dat"
# The adjusted prices of that week, local time as the wholesale's (summer: two hours ahead of UTC), in cents.
sed -n 's/.*"interval_start":"\([^"]*\)Z".*"price_e8_per_kwh":\([0-9]*\),"direction".*/\1 \2/p' "$out/tariff.adjustments.ndjson" |
  awk '$1 >= "2016-05-05T22" && $1 < "2016-05-12T22" {
    split($1, part, "[-T:]"); hour = part[4] + 2; day = part[3]
    if (hour >= 24) {hour -= 24; day++}
    printf "2016-05-%02dT%02d:00:00 %.2f\n", day, hour, $2 / 1e6}' | sort >"$out/adjusted.dat"
draw() { # TERMINAL FILE
  gnuplot <<GNUPLOT
set terminal $1
$2
set xdata time
set timefmt "%Y-%m-%d"
set format x "%b"
set title "HOME05: kWh a day; F: flag opened (theft from 2016-09-12)"
set yrange [0:*]
unset key
plot "$out/load.dat" using 1:2 with $3, "$out/flags.dat" using 1:2:("F") with labels offset 0,1
GNUPLOT
  gnuplot <<GNUPLOT
set terminal $1
$4
set xdata time
set timefmt "%Y-%m-%dT%H:%M:%S"
set format x "%d %b"
set title "May 2016: wholesale (line) and adjusted retail price (C), cent per kWh"
unset key
plot "$out/wholesale.dat" using 1:2 with $5, "$out/adjusted.dat" using 1:2 with points pt 3
GNUPLOT
}
draw "dumb size 118,22 noenhanced" "" "impulses" "" "lines" | sed 's/\f//g'
draw "svg size 1000,360" "set output '$out/load.svg'" "impulses" "set output '$out/price.svg'" "steps"
rm -f "$out"/*.dat
