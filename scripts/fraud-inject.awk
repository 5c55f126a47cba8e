# Injects the theft of formula h1 into the daily sums of the Low Carbon London trial: a random 5 % of the homes show, from a
# random day on, `share` of their use. Homes of half a year and more only; at least 90 days of them stay before and after.
#
#   zstd -dc --long=27 daily.csv.zst | awk -v seed=1 -v share=0.3 -v truth=truth.csv -f scripts/fraud-inject.awk >stolen.csv
#
# Reads and writes household,day,n,kwh,…, sorted by household; writes customer,day of each theft to `truth`. The columns
# after kwh stay as they were: the plan does not read them.
BEGIN { FS = OFS = ","; srand(seed); printf "" >truth }
NR == 1 { print; next }
$1 != home { flush(); home = $1; count = 0 }
{ rows[++count] = $0 }
END { flush() }
function flush(    i, from, part, tail) {
  if (count == 0) return
  from = 0
  if (rand() < 0.05 && count > 180) from = 90 + int(rand() * (count - 180))
  for (i = 1; i <= count; i++) {
    if (from == 0 || i < from) { print rows[i]; continue }
    split(rows[i], part, ",")
    if (i == from) printf "MAC%06d,%s\n", part[1], part[2] >truth
    tail = rows[i]
    sub(/^[^,]*,[^,]*,[^,]*,[^,]*/, "", tail)
    print part[1], part[2], part[3], (part[4] == "" ? "" : part[4] * share) tail
  }
}
