# Sourced by the tests of the command line: a folder of their own, and checks. Needs $gridfold.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
checks=0 failures=0

fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$1"
    [ ! -s out ] || head -c 2000 out | sed 's/^/    out: /'
    [ ! -s err ] || head -c 2000 err | sed 's/^/    err: /'
}

# expect CODE ARGUMENT…: runs gridfold, leaves its output in `out` and `err`.
expect() {
    local wanted=$1 code=0
    shift
    "$gridfold" "$@" >out 2>err || code=$?
    checks=$((checks + 1))
    [ "$code" = "$wanted" ] || fail "gridfold $*: exit $code, not $wanted"
}

# shows FILE TEXT: the text is in it, as it stands.
shows() {
    checks=$((checks + 1))
    grep -qF -- "$2" "$1" || fail "no \"$2\""
}

# is WHAT A B
is() {
    checks=$((checks + 1))
    [ "$2" = "$3" ] || fail "$1: \"$2\", not \"$3\""
}

# lines: of `out`.
lines() { wc -l <out | tr -d ' '; }

# done_testing: the last line, and the exit code.
done_testing() {
    printf '%d checks, %d failures\n' "$checks" "$failures"
    [ "$failures" = 0 ]
}
