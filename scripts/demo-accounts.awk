# Makes what the demo's data does not have: two thefts in the readings, and invoices and payments that follow from them.
#   gzip -dc data/demo/homes.csv.gz | awk -v out=FOLDER -f scripts/demo-accounts.awk
# Writes homes.csv (with the thefts), invoices.csv and payments.csv. Amounts are whole cents; sums of products stay below 2^53,
# so they are exact in awk's numbers.
BEGIN {
  FS = OFS = ","
  # Prices of the demo tariff in 1e-4 EUR per kWh; config/import/demo-plan.yaml has the same.
  flat = 2900; peak = 3600; valley = 2200; fixed_cents = 990
  # Thefts: from this hour on the meter shows this share of the truth.
  theft_from[5] = "2016-09-12 00:00"; theft_to[5] = "2017-01-01 00:00"; theft_share[5] = 0.3
  theft_from[16] = "2016-10-17 00:00"; theft_to[16] = "2016-11-21 00:00"; theft_share[16] = 0
  homes_file = out "/homes.csv"; invoices_file = out "/invoices.csv"; payments_file = out "/payments.csv"
  print "home,invoice_id,issued_at,due_at,period_from,period_to,amount,kwh" > invoices_file
  print "home,payment_id,received_at,amount,invoice_id,reversal_of" > payments_file
}
NR == 1 { print > homes_file; columns = NF; next }
{
  month = substr($1, 1, 7); hour = substr($1, 12, 2) + 0
  if (month != last_month && last_month != "") bill(last_month, month)
  last_month = month
  price = hour >= 17 && hour < 21 && weekday(substr($1, 1, 10)) < 5 ? peak : (hour < 6 ? valley : flat)
  for (home = 2; home <= columns; home++) {
    id = home - 1
    if (id in theft_from && $1 >= theft_from[id] && $1 < theft_to[id]) $home = sprintf("%.3f", $home * theft_share[id])
    wh = int($home * 1000 + 0.5)
    sum_wh[id] += wh; sum_cost[id] += wh * price
  }
  print > homes_file
}
END { bill(last_month, "2017-01") }

# Monday is 0 (Sakamoto).
function weekday(date,   y, m, d, t) {
  y = substr(date, 1, 4) + 0; m = substr(date, 6, 2) + 0; d = substr(date, 9, 2) + 0
  split("0 3 2 5 0 3 5 1 4 6 2 4", t, " ")
  if (m < 3) y--
  return (y + int(y / 4) - int(y / 100) + int(y / 400) + t[m] + d + 6) % 7
}
# "2016-02", day 3, hours → a UTC time.
function day_of(month, day) { return sprintf("%s-%02dT08:00:00Z", month, day) }
function next_month(month,   y, m) {
  y = substr(month, 1, 4) + 0; m = substr(month, 6, 2) + 1
  if (m > 12) { m = 1; y++ }
  return sprintf("%04d-%02d", y, m)
}
function cents_text(cents) { return sprintf("%d.%02d", int(cents / 100), cents % 100) }
# Half to even, as the product rounds.
function round_even(value, unit,   whole, rest) {
  whole = int(value / unit); rest = value - whole * unit
  return rest * 2 > unit || (rest * 2 == unit && whole % 2 == 1) ? whole + 1 : whole
}
function bill(month, following,   id, cents, invoice, half) {
  for (id = 1; id < columns; id++) {
    # Wh * 1e-4 EUR/kWh is 1e-7 EUR: 100,000 of them are a cent.
    cents = round_even(sum_cost[id], 100000) + fixed_cents
    invoice = sprintf("I-%02d-%s", id, month)
    printf "HOME%02d,%s,%s,%s,%s-01T00:00:00+01:00,%s-01T00:00:00+01:00,%s,%.3f\n", id, invoice, day_of(following, 3),
      day_of(following, 17), month, following, cents_text(cents), sum_wh[id] / 1000 > invoices_file
    pay(id, month, following, invoice, cents)
    sum_wh[id] = 0; sum_cost[id] = 0
  }
}
# Who pays how: 7 pays three weeks late, 11 stops paying in July, 14 pays June in two parts, 2 has July's debit returned.
function pay(id, month, following, invoice, cents,   when, half) {
  if (id == 11 && month >= "2016-07") return
  when = id == 7 ? day_of(next_month(following), 7) : day_of(following, 6 + id % 9)
  if (when >= "2017-01-01") return
  if (id == 14 && month == "2016-06") {
    half = int(cents / 2)
    payment(id, "P-" invoice "-a", when, half, invoice, "")
    payment(id, "P-" invoice "-b", day_of(next_month(following), 20), cents - half, invoice, "")
    return
  }
  payment(id, "P-" invoice, when, cents, invoice, "")
  if (id == 2 && month == "2016-07") {
    payment(id, "R-" invoice, day_of(following, 22), cents, invoice, "P-" invoice)
    payment(id, "P-" invoice "-again", day_of(next_month(following), 9), cents, invoice, "")
  }
}
function payment(id, name, when, cents, invoice, reversal) {
  printf "HOME%02d,%s,%s,%s,%s,%s\n", id, name, when, cents_text(cents), invoice, reversal > payments_file
}
