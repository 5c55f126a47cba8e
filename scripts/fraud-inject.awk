# Injects the theft of formula h1 into daily sums of the Low Carbon London trial: from a random day on, a random
# 5 % of the homes show `share` of their use. Reads and writes household,day,n,kwh,…; writes who and when to `truth`.
BEGIN { FS = OFS = ","; srand(seed) }
NR == 1 { print; next }
$1 != home { flush(); home = $1; count = 0 }
{ rows[++count] = $0 }
END { flush() }
function flush(    i, from, parts) {
  if (count == 0) return
  from = 0
  if (rand() < 0.05 && count > 180) from = 90 + int(rand() * (count - 180))
  for (i = 1; i <= count; i++) {
    if (from == 0 || i < from) { print rows[i]; continue }
    split(rows[i], parts, ",")
    if (i == from) print parts[1] "," parts[2] > truth
    print parts[1], parts[2], parts[3], (parts[4] == "" ? "" : parts[4] * share), parts[5], parts[6], parts[7], parts[8]
  }
}
