#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build the modules by plain apxs, without autotools. Every command is printed as it runs and can be typed as well.
# libtool puts objects beside sources, so the work is done in a copy.
# Usage: scripts/apxs-build.sh -i          install into the httpd of apxs, the headers for other modules too
#        scripts/apxs-build.sh -o DIR      put the modules into DIR
# APXS=PATH chooses the httpd, CC the compiler.
set -eu
cd "$(dirname "$0")/.."
apxs=${APXS:-$(command -v apxs || command -v apxs2 || true)}
dir=
case ${1:-} in
-i) [ $# -eq 1 ] ;;
-o) [ $# -eq 2 ] && dir=$(cd "$2" && pwd) ;;
*) false ;;
esac || { sed -n 's/^# Usage: /usage: /p; s/^#        scripts/       scripts/p' "$0" >&2; exit 2; }
if [ -z "$apxs" ]; then
    echo "apxs not found. Debian: apt-get install apache2-dev. Red Hat: dnf install httpd-devel." >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R include src mod_rproxy.c mod_rproxy_balancer.c mod_rproxy_reverse.c "$work/"
cd "$work"

# the .c files that the files.am of some folders name
sources() {
    for folder in "$@"; do
        [ ! -f "src/$folder/files.am" ] || grep -o 'src/[a-z0-9_/]*\.c' "src/$folder/files.am"
    done
}

say_and_run() {
    echo "$*"
    "$@"
}

# $1 module, rest: sources. Hidden by default: a module must show httpd its record and nothing else.
build() {
    say_and_run "$apxs" ${CC:+-S "CC=$CC"} -c -Wc,-std=gnu11 -Wc,-fvisibility=hidden -I src -I include "$@"
    module=${1%.c}
    if [ -n "$dir" ]; then
        cp ".libs/$module.so" "$dir/"
    else
        say_and_run "$apxs" -i "$module.la"
    fi
}

# shellcheck disable=SC2046 # lists of words
build mod_rproxy.c $(sources request metrics config mapping engine exchange upstream wire)
# shellcheck disable=SC2046
build mod_rproxy_balancer.c $(sources balancer wire) -ljansson
# shellcheck disable=SC2046
build mod_rproxy_reverse.c $(sources reverse wire)
if [ -z "$dir" ]; then
    say_and_run cp include/rproxy.h include/rproxy_lbmethod.h "$("$apxs" -q INCLUDEDIR)/"
fi
