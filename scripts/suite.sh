#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # srcdir, builddir, PERL, HTTPD, APXS: of the script that sources this one
# Sourced by check.sh and check-long.sh: run_suite NAME [arguments of t/TEST] runs the Apache::Test suite, shows what it
# prints, and adds up its last line ("N passed, N failed, N skipped").

run_suite() {
    suite_name=$1
    shift
    suite_out=$(mktemp) || exit 1
    {
        suite_status=0
        (cd "$srcdir" && RPROXY_BUILD=$builddir RPROXY_HTTPD=$HTTPD RPROXY_APXS=$APXS exec "$PERL" t/TEST "$@") \
            </dev/null 2>&1 || suite_status=$?
        echo "exit status $suite_status"
    } | tee "$suite_out" | awk '!/^exit status / { print; fflush() }'
    # shellcheck disable=SC2046 # four numbers
    set -- $(awk '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { p = $1; f = $3; s = $5 }
        /^exit status [0-9]+$/ { status = $3 }
        END { print p + 0, f + 0, s + 0, status + 0 }' "$suite_out")
    rm -f "$suite_out"
    suite_bad=$2
    if [ "$1" -eq 0 ] || { [ "$4" -ne 0 ] && [ "$2" -eq 0 ] && [ "$3" -eq 0 ]; }; then
        echo "$suite_name: t/TEST ended with status $4, $1 tests passed"
        suite_bad=$((suite_bad + 1))
    fi
    count "$1" "$suite_bad" "$3" "$suite_name"
}
