#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build the modules by plain apxs, without autotools. The commands are printed: they can be typed as well.
# Usage: scripts/apxs-build.sh [-i]    (-i: install too)    APXS=/path/to/apxs to choose the httpd
set -eu
cd "$(dirname "$0")/.."
apxs=${APXS:-$(command -v apxs || command -v apxs2)}
out=${RPROXY_APXS_DIR:-$(pwd)}
install=${1:-}

# libtool puts objects beside the sources: work on a copy, so that the tree stays clean
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R include src mod_rproxy.c mod_rproxy_balancer.c mod_rproxy_reverse.c "$work/"
cd "$work"

# $1 module, $2... sources
build() {
    module=$1
    shift
    set -x
    # shellcheck disable=SC2086 # -i or nothing
    "$apxs" -c -S CC="${CC:-gcc}" -Wc,-std=gnu11 -Wc,-fvisibility=hidden -I include -I src -o "$module.la" "$module.c" "$@"
    { set +x; } 2>/dev/null
    if [ "$install" = -i ]; then
        "$apxs" -i "$module.la"
    else
        cp .libs/"$module.so" "$out/"
    fi
}
build mod_rproxy src/wire/*.c src/upstream/*.c src/exchange/*.c src/config/*.c src/mapping/*.c src/request/*.c
build mod_rproxy_balancer
build mod_rproxy_reverse src/wire/*.c src/reverse/*.c
