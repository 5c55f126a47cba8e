# balances.awk TRUTH BALANCES: every hour of every area of which there is a balance has the residual that the truth says
# (loss, theft, and what the readings do not say), those of the last day aside, for which readings are still to come.
function field(name,   at) {
  at = index($0, "\"" name "\":")
  if (!at) return ""
  at = substr($0, at + length(name) + 3)
  sub(/^"/, "", at)
  sub(/[",}].*/, "", at)
  return at
}
FNR == NR {
  if (field("kind") == "area_loss") {
    key = field("area") " " field("from")
    wanted[key] = field("loss_micro_kwh") + field("theft_micro_kwh") + field("unreported_micro_kwh")
    whole[key] = field("unreported") == 0
    last = field("from")
  }
  next
}
{
  key = field("area_id") " " field("interval_start")
  if (field("version") + 0 >= version[key] + 0) {
    version[key] = field("version")
    residual[key] = field("residual_micro_kwh")
    complete[key] = field("completeness")
  }
}
END {
  for (key in wanted) {
    split(key, part, " ")
    if (substr(part[2], 1, 10) >= substr(last, 1, 10)) continue
    count++
    revised += version[key] > 1
    if (residual[key] + 0 != wanted[key] || residual[key] == "") {
      bad++
      print key, "residual", residual[key], "wanted", wanted[key], "version", version[key]
    }
    exact += whole[key] && complete[key] == 1
  }
  print count + 0, "hours as told,", exact + 0, "of them complete,", revised + 0, "revised"
  exit bad > 0 || count < 1000 || exact < count / 2 || revised == 0
}
