#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # srcdir, builddir, PERL, HTTPD, APXS: of the script that sources this one
# Sourced by check.sh and check-long.sh: run_suite NAME [arguments of t/TEST] runs the Apache::Test suite and counts it.
# Apache::Test is not needed system-wide: install-deps.sh unpacks it into .deps (its Debian package would edit /etc/apache2).

# Where Apache::Test was unpacked, as a PERL5LIB that keeps the caller's.
suite_perl5lib() {
    lib=$srcdir/scripts/perl
    [ ! -d "$srcdir/.deps/perl" ] || lib=$lib:$srcdir/.deps/perl
    printf '%s' "$lib${PERL5LIB:+:$PERL5LIB}"
}

run_suite() {
    suite_name=$1
    shift
    sums=$(mktemp) || exit 1
    suite_status=0
    (
        cd "$srcdir" || exit 1
        PERL5LIB=$(suite_perl5lib) HARNESS_SUBCLASS=RProxyCount RP_COUNT_FILE=$sums RP_BUILDDIR=$builddir \
            RP_HTTPD=$HTTPD RP_APXS=$APXS exec "$PERL" t/TEST "$@" </dev/null
    ) || suite_status=$?
    # shellcheck disable=SC2046 # three numbers
    set -- $(awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }' "$sums")
    rm -f "$sums"
    suite_bad=$2
    if [ "$1" -eq 0 ] || { [ "$suite_status" -ne 0 ] && [ "$2" -eq 0 ]; }; then
        echo "$suite_name: t/TEST ended with status $suite_status, $1 tests passed"
        suite_bad=$((suite_bad + 1))
    fi
    count "$1" "$suite_bad" "$3" "$suite_name"
}
