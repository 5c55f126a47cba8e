# Counts the cases in meson's testlog: cmocka prints its own totals; a program without totals counts as one case.
function finish() {
    if (program == "") return
    if (cases == 0 && status != "") {
        if (status ~ /exit status 77/) skipped++
        else if (status ~ /exit status 0/ || status == "0") passed++
        else failed++
    } else if (status !~ /exit status 0/ && cases_failed == 0) {
        failed++ # its cases were fine and it died all the same: a leak, a crash at the end
    }
    program = ""
}
/^={10,} .* ={10,}$/ { finish(); program = $0; cases = 0; cases_failed = 0; status = "" }
/^result:/ { status = $0 }
/^result: .*(exit status|killed|timed out|signal)/ { status = $0 }
/^\[  PASSED  \] [0-9]+ test\(s\)/ { passed += $4; cases += $4 }
/^\[  FAILED  \] [0-9]+ test\(s\)/ { failed += $4; cases += $4; cases_failed += $4 }
/^\[  SKIPPED \] [0-9]+ test\(s\)/ { skipped += $4; cases += $4 }
END {
    finish()
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0 || passed == 0
}
