#!/usr/bin/env bash
# Runs the configurations of protocol.pml: one line each, and a failure if one of them gives another result than it should.
# Needs spin 6.5 and gcc. Every search that holds is exact and complete (no hash compaction).
#   run.sh            all of them: a quarter to half an hour on one core, at most 3 GiB
#   run.sh --short    some of every kind, a minute: what ./dev test runs
#   JOBS=2 run.sh     two at a time          ONLY=REGEX run.sh    those whose name and switches match
set -u
model=$(cd "$(dirname "$0")" && pwd)
short=
[ "${1:-}" != --short ] || { short=1; shift; }
[ $# = 0 ] || { sed -n "s|^#   ||p" "$0" >&2; exit 64; }
for tool in spin gcc; do
  command -v $tool >/dev/null || { echo "$tool is missing (./dev setup installs it)"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export model work optimise=-O2
[ -z "$short" ] || optimise=-O0 # most of the time goes into compiling searches that end at once

# one KIND|NAME|SWITCHES|PROPERTIES|PAN ARGUMENTS|COMPILER FLAGS: a line for each property. "5-" is one that does not break.
one() {
  local kind name switches props arguments flags p dir want result states errors seconds
  IFS='|' read -r kind name switches props arguments flags <<<"$1"
  for p in $props; do
    want=holds
    [ "$kind" = safe ] || [ "$p" != "${p%-}" ] || want=fails
    p=${p%-}
    dir=$work/$name.$p
    mkdir -p "$dir"
    # shellcheck disable=SC2086
    (cd "$dir" && cp "$model"/*.pml . &&
      spin -a $switches -DPROP="$(case $p in all | 4) echo 0 ;; *) echo "$p" ;; esac)" protocol.pml >spin.out 2>&1 &&
      gcc $optimise -DMEMLIM=5000 ${flags:--DNOFAIR} -o pan pan.c 2>gcc.out &&
      nice -n 10 timeout "${LIMIT:-900}" ./pan -m4000000 -w22 $arguments >pan.out 2>&1)
    [ -f "$dir/pan.out" ] || : >"$dir/pan.out"
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$dir/pan.out" | head -1)
    errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$dir/pan.out" | head -1)
    seconds=$(sed -n 's/.*elapsed time \([0-9.]*\) seconds.*/\1/p' "$dir/pan.out")
    result=fails
    [ "$errors" = 0 ] && result=holds
    grep -q 'max search depth too small\|out of memory\|Search not completed' "$dir/pan.out" && [ $result = holds ] && result=incomplete
    # The wrong error (an index out of range, an invalid end state) is not a counterexample.
    [ $result != fails ] || grep -q 'assertion violated\|non-progress\|acceptance' "$dir/pan.out" || result=broken
    [ -n "$errors" ] || result=broken
    printf '%-6s %-14s %-5s %9s states  %-7s %4ss  %s%s\n' "$kind" "$name" "P:$p" "${states:-0}" "$result" "${seconds%.*}" \
      "$switches" "$([ "$result" = "$want" ] || echo "  UNEXPECTED")"
    rm -rf "$dir"
  done
}
export -f one

# A * before the kind: in the short list.
table() {
  cat <<'END'
*|naive|no-fence|-DNSH=1 -DFENCE=0|1
 |naive|no-fence|-DNSH=1 -DFENCE=0|2 3- 5
*|naive|no-fence-span|-DNSH=2 -DN=1 -DFENCE=0|1
 |naive|no-fence-span|-DNSH=2 -DN=1 -DFENCE=0|2 5-
*|naive|read-lso|-DNSH=1 -DREAD=0|1
 |naive|read-lso|-DNSH=1 -DREAD=0|2 5-
*|naive|no-flush|-DNSH=1 -DFLUSH=0|1
 |naive|no-flush|-DNSH=1 -DFLUSH=0|2 5
*|naive|stable-lso|-DNSH=1 -DREAD=0 -DSTABLE=1|1
 |naive|stable-lso|-DNSH=1 -DREAD=0 -DSTABLE=1|2 5
*|naive|early-end|-DNSH=1 -DEARLY=1|1
 |naive|early-end|-DNSH=1 -DEARLY=1|2 5-
 |naive|claim-noflush|-DNSH=1 -DREAD=2 -DFLUSH=0|1 2 5
*|naive|claim-filter|-DNSH=1 -DREAD=2 -DFLUSH=0 -DFILTER=1|2
 |naive|claim-filter|-DNSH=1 -DREAD=2 -DFLUSH=0 -DFILTER=1|1- 5
*|naive|no-offsets|-DNSH=1 -DOFFS=0|1
 |naive|no-offsets|-DNSH=1 -DOFFS=0|2 5
*|naive|offsets-rule|-DNSH=1 -DAUTH=1|1
 |naive|offsets-rule|-DNSH=1 -DAUTH=1|2 3 5-
*|naive|guess|-DNSH=1 -DUNKNOWN=1|1
 |naive|guess|-DNSH=1 -DUNKNOWN=1|2 5-
*|naive|same-epoch|-DNSH=1 -DUNKNOWN=2 -DSPLIT=1|1
 |naive|same-epoch|-DNSH=1 -DUNKNOWN=2 -DSPLIT=1|2 5
*|naive|keep-always|-DNSH=1 -DKEEP=2|1
 |naive|keep-always|-DNSH=1 -DKEEP=2|2 5-
 |naive|id-guess|-DNSH=1 -DONEID=1 -DFENCE=0 -DREAD=0 -DUNKNOWN=1|1 2 5-
*|naive|sweep-early|-DNSH=1 -DSTORE=1 -DS_EARLY=1|3
*|naive|slice-num1st|-DNSH=1 -DSTORE=1 -DS_SPLIT=1|3
*|naive|slice-dat1st|-DNSH=1 -DSTORE=1 -DS_SPLIT=2|3
*|naive|num-newest|-DNSH=1 -DSTORE=1 -DS_ONE=1|3
 |naive|num-oldest|-DNSH=1 -DSTORE=1 -DS_ONE=2|3
 |naive|snap-mix|-DNSH=1 -DSTORE=1 -DSNAP -DS_MIX=1|3
 |naive|snap-late|-DNSH=1 -DSTORE=1 -DSNAP -DS_LATE=1|3
*|naive|clock-store|-DNSH=1 -DSTORE=1 -DS_CLOCK=1|3
*|naive|abort-keep|-DNSH=1 -DSTORE=1 -DABKEEP=1|3
*|naive|retry|-DNSH=1 -DN=1 -DRETRY=1 -DBUDGET=2|4|-l|-DNP -DNOFAIR
*|naive|name-go|-DNSH=1 -DN=1 -DNAME=1 -DCLAIMS=1 -DNAME_GO=1|1
*|naive|name-none|-DNSH=1 -DN=1 -DTIMEOUT=0 -DDIES=1 -DBUDGET=2|4
*|naive|name-batch|-DNSH=1 -DNAME=1 -DCLAIMS=2 -DTIMEOUT=0 -DDIES=1 -DBUDGET=2|4
*|naive|name-unseen|-DNSH=1 -DN=1 -DNAME=1 -DCLAIMS=1 -DTIMEOUT=0 -DDIES=1 -DBUDGET=2|4
*|naive|name-duel|-DNSH=1 -DN=1 -DNAME=2 -DCLAIMS=1 -DBUDGET=2|4|-l|-DNP -DNOFAIR
*|naive|before-unknown|-DNSH=1 -DSTORE=1 -DKNOWN=1 -DBEFORE=2|1
*|naive|before-part|-DNSH=1 -DSTORE=1 -DKNOWN=1 -DBEFORE=3|3
*|naive|before-missed|-DNSH=1 -DSTORE=1 -DKNOWN=1 -DBEFORE=1 -DKEEP=2|1
*|naive|late-epoch|-DNSH=1 -DLATE=2|1
 |naive|late-epoch|-DNSH=1 -DLATE=2|2 5
*|naive|late-end|-DNSH=1 -DSPLIT=1 -DLATE_END=2|2
 |naive|late-end|-DNSH=1 -DSPLIT=1 -DLATE_END=2|1 5
*|naive|renew-no-fence|-DNSH=1 -DN=2 -DONEID=1 -DFENCE=0 -DREAD=0 -DLATE_END=3|1
*|naive|coord-commit|-DNSH=1 -DSTORE=1 -DCOORD=2|3
*|naive|coord-gen|-DNSH=1 -DCOORD=3|1
*|naive|coord-part|-DNSH=1 -DCOORD=4|2
*|naive|standby-live|-DNSH=1 -DSTANDBY=2|1
*|naive|standby-early|-DNSH=1 -DSTANDBY=1 -DEARLY=1|1
*|naive|standby-dirty|-DNSH=1 -DSTANDBY=3 -DSTORE=1|3
*|naive|standby-alarm|-DNSH=1 -DSTANDBY=4 -DSTORE=1|3
*|naive|mark-none|-DNSH=1 -DSTORE=1 -DALIEN=1|3
*|naive|mark-after|-DNSH=1 -DSTORE=1 -DALIEN=1 -DMARK=2|3
*|safe|base-1|-DNSH=1 -DN=3|all
 |safe|base-2|-DNSH=2 -DN=1|all
 |safe|split|-DNSH=1 -DN=3 -DSPLIT=1|all
 |safe|stable|-DNSH=1 -DN=3 -DFLUSH=0 -DSTABLE=1|all
 |safe|stable-2|-DNSH=2 -DN=1 -DFLUSH=0 -DSTABLE=1|all
 |safe|both-2|-DNSH=2 -DN=1 -DSTABLE=1 -DKEEP=1|all
 |safe|claim|-DNSH=1 -DN=2 -DREAD=2|all
 |safe|keep|-DNSH=1 -DN=3 -DKEEP=1|all
*|safe|id-shard|-DNSH=1 -DN=3 -DONEID=1 -DFENCE=0 -DREAD=0|all
 |safe|one-id-2|-DNSH=2 -DN=1 -DONEID=1|all
 |safe|store-3|-DNSH=1 -DN=3 -DSTORE=1|all
 |safe|store-keep|-DNSH=1 -DN=2 -DSTORE=1 -DKEEP=1 -DLOSE|all
 |safe|snap|-DNSH=1 -DN=2 -DSTORE=1 -DSNAP|all
 |safe|snap-lose|-DNSH=1 -DN=2 -DSTORE=1 -DSNAP -DLOSE|all
 |safe|live-1|-DNSH=1 -DN=3 -DBUDGET=4|4
 |safe|live-1-cyc|-DNSH=1 -DN=3 -DBUDGET=4|4|-l|-DNP -DNOFAIR
 |safe|live-2|-DNSH=2 -DN=1 -DBUDGET=3|4
 |safe|live-2-cyc|-DNSH=2 -DN=1 -DBUDGET=3|4|-l|-DNP -DNOFAIR
*|safe|live-all|-DNSH=1 -DN=2 -DSTABLE=1 -DKEEP=1 -DSTORE=1 -DBUDGET=3|4
*|safe|name|-DNSH=1 -DN=1 -DNAME=2 -DCLAIMS=1 -DLOOK=1|all
 |safe|name-2|-DNSH=1 -DN=2 -DNAME=2 -DCLAIMS=1 -DLOOK=1|all
 |safe|name-seen|-DNSH=1 -DN=2 -DNAME=1 -DCLAIMS=1|all
*|safe|name-in-batch|-DNSH=1 -DN=1 -DNAME=2 -DCLAIMS=2 -DLOOK=1 -DTIMEOUT=0 -DDIES=1 -DBUDGET=3|4
*|safe|name-dies|-DNSH=1 -DN=1 -DNAME=2 -DCLAIMS=1 -DLOOK=1 -DTIMEOUT=0 -DDIES=1 -DBUDGET=3|4
*|safe|name-cyc|-DNSH=1 -DN=1 -DNAME=2 -DCLAIMS=1 -DLOOK=1 -DDIES=1 -DBUDGET=2|4|-l|-DNP -DNOFAIR
*|safe|before|-DNSH=1 -DN=1 -DSTORE=1 -DKNOWN=1 -DBEFORE=1|all
 |safe|before-2|-DNSH=1 -DN=2 -DSTORE=1 -DKNOWN=1 -DBEFORE=1|all
 |safe|before-keep|-DNSH=1 -DN=2 -DSTORE=1 -DKNOWN=1 -DBEFORE=1 -DKEEP=1|all
*|safe|drop|-DNSH=1 -DN=1 -DSTORE=1 -DKNOWN=1|all
 |safe|drop-2|-DNSH=1 -DN=2 -DSTORE=1 -DKNOWN=1|all
*|safe|late|-DNSH=1 -DN=1 -DLATE=1|all
 |safe|late-2|-DNSH=1 -DN=2 -DLATE=1|all
*|safe|late-end|-DNSH=1 -DN=1 -DSPLIT=1 -DLATE_END=1|all
 |safe|late-end-2|-DNSH=1 -DN=2 -DSPLIT=1 -DLATE_END=1|all
 |safe|late-end-keep|-DNSH=1 -DN=2 -DSPLIT=1 -DLATE_END=1 -DKEEP=1 -DKNOWN=1|all
 |safe|late-end-live|-DNSH=1 -DN=2 -DLATE_END=1 -DBUDGET=3|4
*|safe|renew|-DNSH=1 -DN=1 -DSPLIT=1 -DLATE_END=3|all
 |safe|renew-2|-DNSH=1 -DN=2 -DSPLIT=1 -DLATE_END=3|all
 |safe|renew-keep|-DNSH=1 -DN=2 -DSPLIT=1 -DLATE_END=3 -DKEEP=1 -DKNOWN=1|all
 |safe|renew-name|-DNSH=1 -DN=1 -DLATE_END=3 -DNAME=2 -DCLAIMS=1 -DLOOK=1|all
 |safe|renew-live|-DNSH=1 -DN=2 -DLATE_END=3 -DBUDGET=3|4
*|safe|coord|-DNSH=1 -DN=1 -DCOORD=1|all
 |safe|coord-2|-DNSH=1 -DN=2 -DCOORD=1|all
 |safe|standby|-DNSH=1 -DN=2 -DSTANDBY=1|all
*|safe|standby-1|-DNSH=1 -DN=1 -DSTANDBY=1 -DSTORE=1|all
 |safe|standby-store|-DNSH=1 -DN=2 -DSTANDBY=1 -DSTORE=1|all
*|safe|mark|-DNSH=1 -DN=1 -DSTORE=1 -DALIEN=1 -DMARK=1|all
 |safe|mark-2|-DNSH=1 -DN=2 -DSTORE=1 -DALIEN=1 -DMARK=1|all
END
}
printf '%-6s %-14s %-5s %16s  %-7s %5s  %s\n' kind config prop '' result time switches
table | grep -E "${ONLY:-.}" | { [ "$short" ] && sed -n 's/^\*|//p' || sed 's/^.|//'; } | tr '\n' '\0' |
  xargs -0 -P "${JOBS:-1}" -I{} bash -c 'one "$1"' _ {} | tee "$work/table"
failed=$(grep -c UNEXPECTED "$work/table")
# In the words of our test programs, so that ./dev test counts every search.
echo "[  PASSED  ] $(($(wc -l <"$work/table") - failed)) test(s)."
[ "$failed" = 0 ] || echo "[  FAILED  ] $failed test(s)."
[ "$failed" = 0 ] && [ -s "$work/table" ]
