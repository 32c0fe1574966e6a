#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check` runs. Groups: unit, fuzz, guards, suite, and lint, which must be asked for; arguments choose (make check
# ONLY="unit guards").
# A failure is printed where it happens; the last line is the sum. Skipped counts as failed.
# Environment, set by the Makefile: srcdir builddir UNIT_TESTS FUZZERS HAVE_CHECK PERL HTTPD APXS ...
set -u
srcdir=$(cd "$srcdir" && pwd)
builddir=$(cd "$builddir" && pwd)
export srcdir builddir
. "$srcdir/scripts/groups.sh"
. "$srcdir/scripts/suite.sh"
. "$srcdir/scripts/lint.sh"

[ $# -gt 0 ] || set -- unit fuzz guards suite
for group in "$@"; do
    case $group in
    unit | fuzz | guards | suite | lint) "group_$group" ;;
    *) echo "check.sh: no group \"$group\"; there are: unit fuzz guards suite lint" >&2; exit 2 ;;
    esac
done
sum_up
