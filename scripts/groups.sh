#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # srcdir, builddir, PERL ...: of the script that sources this one
# Sourced by check.sh and check-long.sh: runs tests of each kind in $builddir, shows what fails, and adds up.
passed=0 failed=0 skipped=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
trap 'exit 130' INT TERM

# $1 passed, $2 failed, $3 skipped, $4 name: add up, and say how it went
count() {
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    if [ "$2" -eq 0 ] && [ "$3" -eq 0 ]; then
        echo "  ok      $4 ($1)"
    else
        echo "  FAILED  $4 ($1 passed, $2 failed, $3 skipped)"
    fi
}

# One program of libcheck: "NN%: Checks: N, Failures: N, Errors: N". No such line, or no test in it, is a failure.
run_unit() {
    status=0
    # shellcheck disable=SC2086 # unit_wrap: words before the program, as "valgrind -q"
    (cd "$builddir" && ${unit_wrap:-} "./$1") >"$out" 2>&1 || status=$?
    set -- "$1" "$status" "$(sed -n \
        's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' "$out" |
        awk '{c += $1; f += $2 + $3} END {print c - f, f + 0, c + 0}')"
    # shellcheck disable=SC2086 # three numbers
    set -- "$1" "$2" $3
    bad=$4
    if [ "$5" -eq 0 ] || { [ "$2" -ne 0 ] && [ "$bad" -eq 0 ]; }; then
        bad=$((bad + 1))
        echo "$1: exit status $2, $5 tests counted" >>"$out"
    fi
    [ "$bad" -eq 0 ] || cat "$out"
    count "$3" "$bad" 0 "$1"
}

# A command that prints TAP. $1 name, rest the command.
run_tap() {
    name=$1
    shift
    status=0
    "$@" >"$out" 2>&1 || status=$?
    # shellcheck disable=SC2046 # three numbers
    set -- "$name" "$status" $(awk '
        /^not ok/ { failed++; next }
        /^ok/ { if ($0 ~ /# *[Ss][Kk][Ii][Pp]/) skipped++; else passed++; next }
        /^1\.\.[0-9]+/ { split($1, plan, "[.][.]"); planned = plan[2]; if (plan[2] == 0) skipped++; seen = 1 }
        /^Bail out!/ { failed++ }
        END { if (!seen) failed++
              else if (planned > passed + failed + skipped) failed += planned - passed - failed - skipped
              print passed + 0, failed + 0, skipped + 0 }' "$out")
    bad=$4
    if [ "$2" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    if [ "$bad" -gt 0 ] || [ "$5" -gt 0 ]; then
        grep -v '^ok ' "$out"
        [ "$2" -eq 0 ] || echo "$name: exit status $2"
    fi
    count "$3" "$bad" "$5" "$name"
}

# A fuzz target with its corpus.
run_replay() {
    corpus=$srcdir/t/fuzz/corpus/${1##*/fuzz_}
    if [ ! -d "$corpus" ] || [ -z "$(ls -A "$corpus")" ]; then
        echo "$1: no corpus in $corpus"
        count 0 1 0 "$1"
    elif (cd "$builddir" && "./$1" "$corpus") >"$out" 2>&1; then
        count 1 0 0 "$1"
    else
        cat "$out"
        count 0 1 0 "$1"
    fi
}

group_unit() {
    echo "unit tests"
    if [ -z "${HAVE_CHECK:-}" ]; then
        echo "the unit tests need check: apt-get install check (dnf install check-devel), then configure again"
        count 0 0 1 "unit tests"
    fi
    for t in ${UNIT_TESTS:-}; do run_unit "$t"; done
}

group_fuzz() {
    echo "fuzz corpora"
    for t in ${FUZZERS:-}; do run_replay "$t"; done
}

group_guards() {
    echo "guards"
    for t in "$srcdir"/t/guards/*.t; do
        [ -e "$t" ] || continue
        run_tap "${t#"$srcdir"/}" "$PERL" "$t"
    done
}

group_suite() {
    echo "suite against $HTTPD"
    run_suite "suite"
}

# The last line of a run; its status. A run without any test is no success.
sum_up() {
    echo
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ "$skipped" -eq 0 ] && [ "$passed" -gt 0 ]
}
