#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make configure where needed, configure and build in DIR. Usage: scripts/build.sh DIR [arguments of configure]
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)
dir=${1:?usage: scripts/build.sh DIR [arguments of configure]}
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
autoreconf -i >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
mkdir -p "$dir"
cd "$dir"
"$top/configure" -q "$@"
make -s -j"$(nproc)"
