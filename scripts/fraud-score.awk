# Compares the flags of a run with what is known of the thefts: cases in homes without one, and for each kind of theft how
# many were found by whom and how many days later.
#
#   awk [-v years=HOME_YEARS] -f scripts/fraud-score.awk truth fraud.flags.ndjson
#
# `truth` is the NDJSON of `gridfold simulate --truth`, or `customer,YYYY-MM-DD` of scripts/fraud-inject.awk.
FNR == 1 { file++ }
file == 1 && /"kind":"theft_/ { theft(text($0, "customer"), text($0, "kind"), day(text($0, "from"))) }
file == 1 && /^[A-Z0-9]+,[0-9]/ { split($0, part, ","); theft(part[1], "injected", day(part[2])) }
file == 2 && !/"state":"CLOSED"/ { flag(text($0, "customer_id"), text($0, "code"), text($0, "state"), day(text($0, "decided_at"))) }
END { report() }
function text(line, key,    rest) {
  rest = substr(line, index(line, "\"" key "\":\"") + length(key) + 4)
  return substr(rest, 1, index(rest, "\"") - 1)
}
function day(date,    y, m) { # days since some day, of the civil calendar
  y = substr(date, 1, 4); m = substr(date, 6, 2) + 0
  if (m < 3) { y--; m += 12 }
  return 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * m - 457) / 5) + substr(date, 9, 2)
}
function theft(customer, kind, from) { # the first one counts
  if (customer in since) return
  since[customer] = from; kind_of[customer] = kind; thefts[kind]++
}
function flag(customer, code, state, when) {
  if (!(customer in since) || when < since[customer]) {
    if (state == "OPENED") { honest[code]++; all++; homes += !(customer in seen); seen[customer] = 1 }
    return
  }
  if (!(customer in found)) { found[customer] = code; delays[customer] = when - since[customer] }
}
function report(    code, customer, kind, n, i, j, list, by, swap, hits) {
  printf "without a theft (or before it): %d cases in %d homes", all, homes
  if (years > 0) printf ", %.1f per 1,000 home-years", 1000 * all / years
  printf "\n"
  for (code in honest) {
    printf "  %-20s %5d", code, honest[code]
    if (years > 0) printf "  %6.1f per 1,000 home-years", 1000 * honest[code] / years
    printf "\n"
  }
  for (kind in thefts) {
    n = 0; by = ""; split("", hits)
    for (customer in found) if (kind_of[customer] == kind) {
      list[++n] = delays[customer]; hits[found[customer]]++
      for (i = n; i > 1 && list[i - 1] > list[i]; i--) { swap = list[i]; list[i] = list[i - 1]; list[i - 1] = swap }
    }
    for (code in hits) by = by " " code " " hits[code]
    printf "%s: %d of %d found (%.0f %%)", kind, n, thefts[kind], 100 * n / thefts[kind]
    if (n > 0) printf ", after %d days (median; nine of ten within %d), first by%s", list[int((n + 1) / 2)], list[int((9 * n + 9) / 10)], by
    printf "\n"
  }
}
