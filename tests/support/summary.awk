# Counts the cases in meson's testlog. cmocka programs print their own totals; any other program is one case. A program that
# ends badly although its cases were fine (a leak, a crash at the end) counts as one failed case more.
function finish() {
    if (program == "") return
    if (cases == 0 && is_skipped) skipped++
    else if (cases == 0 && is_good) passed++
    else if (!is_good && !is_skipped && cases_failed == 0) {
        failed++
        print "failed: " program
    }
    program = ""
}
/^test: / { finish(); program = $0; sub(/^test: */, "", program); cases = cases_failed = is_good = is_skipped = 0 }
/^result: / { is_good = $0 ~ /exit status 0$/; is_skipped = $0 ~ /exit status 77$/ }
/^\[  PASSED  \] [0-9]+ test\(s\)/ { passed += $4; cases += $4 }
/^\[  FAILED  \] [0-9]+ test\(s\)/ { failed += $4; cases += $4; cases_failed += $4; print "failed: " program }
/^\[  SKIPPED \] [0-9]+ test\(s\)/ { skipped += $4; cases += $4 }
END {
    finish()
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0 || passed == 0
}
