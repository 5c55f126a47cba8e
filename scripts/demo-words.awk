# Tells one flag, one alert and one adjustment of the demo in plain words, with their evidence.
#   awk -v flags=FILE -v alerts=FILE -v adjustments=FILE -f demo-words.awk
function text(line, name,   at) {
  at = match(line, "\"" name "\":\"[^\"]*\"")
  return at ? substr(line, RSTART + length(name) + 4, RLENGTH - length(name) - 5) : ""
}
function number(line, name,   at) {
  at = match(line, "\"" name "\":-?[0-9.e+-]+")
  return at ? substr(line, RSTART + length(name) + 3, RLENGTH - length(name) - 3) + 0 : 0
}
function day(time) { return substr(time, 1, 10) }
function origin(line) {
  match(line, /"inputs":\[\{[^}]*\}/)
  line = substr(line, RSTART, RLENGTH)
  return text(line, "topic") " partition " number(line, "partition") " offset " number(line, "from")
}
BEGIN {
  while ((getline line < flags) > 0) {
    if (line ~ /"customer_id":"HOME05"/ && text(line, "decided_at") > "2016-09-12" && flag == "") flag = line
  }
  while ((getline line < alerts) > 0) {
    if (line ~ /"customer_id":"HOME11"/ && text(line, "kind") == "ESCALATION") alert = line
  }
  while ((getline line < adjustments) > 0) {
    if (text(line, "direction") == "CUT" && text(line, "interval_start") > "2016-05-08T10" && adjustment == "") adjustment = line
  }
  if (flag == "" || alert == "" || adjustment == "") {
    print "one of the outputs is missing: no flag of HOME05, no escalation of HOME11 or no cut" > "/dev/stderr"
    exit 1
  }
  match(flag, /"evidence":\[\{[^}]*\}/)
  evidence = substr(flag, RSTART, RLENGTH)
  printf "Fraud flag   On %s the meter %s of %s was flagged (%s, %s): since about %s it shows %.1f %s where\n", \
    day(text(flag, "decided_at")), text(flag, "meter_id"), text(flag, "customer_id"), text(flag, "code"), \
    text(flag, "severity"), day(text(flag, "change_at")), number(evidence, "value"), text(evidence, "unit")
  printf "             %.1f were usual; about %.0f kWh are missing so far (%s). Decided by %s.\n", \
    number(evidence, "baseline"), number(flag, "estimated_micro_kwh") / 1e6, text(flag, "method"), origin(flag)
  printf "Arrears      On %s %s owed %.2f %s, %.2f of it overdue for %d days: from %s to %s, measure %s,\n", \
    day(text(alert, "decided_at")), text(alert, "customer_id"), number(alert, "owed_micro") / 1e6, text(alert, "currency"), \
    number(alert, "overdue_micro") / 1e6, number(alert, "days_overdue"), text(alert, "previous_stage"), text(alert, "stage"), \
    text(alert, "measure")
  printf "             late fees %.2f, risk grade %s (%d points). Decided by %s.\n", number(alert, "late_fee_micro") / 1e6, \
    text(alert, "grade"), number(alert, "score"), origin(alert)
  printf "Adjustment   On %s it was announced that %s in %s costs %.4f instead of %.4f %s per kWh from %s on:\n", \
    substr(text(adjustment, "announced_at"), 1, 16), text(adjustment, "tariff_id"), text(adjustment, "area_id"), \
    number(adjustment, "price_e8_per_kwh") / 1e8, number(adjustment, "base_e8_per_kwh") / 1e8, text(adjustment, "currency"), \
    substr(text(adjustment, "interval_start"), 1, 16)
  match(adjustment, /"reasons":\[\{[^}]*\}/)
  reason = substr(adjustment, RSTART, RLENGTH)
  printf "             %s (%.3f, limit %.3f), wholesale %.4f. Decided by %s.\n", text(reason, "code"), number(reason, "value"), \
    number(reason, "limit"), number(adjustment, "wholesale_e8_per_kwh") / 1e8, origin(adjustment)
}
