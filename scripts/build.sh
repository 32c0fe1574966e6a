#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configure and build in ./build (or $RPROXY_BUILD_DIR). Arguments go to configure.
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)
dir=${RPROXY_BUILD_DIR:-$top/build}
[ -x configure ] && [ configure -nt configure.ac ] && [ Makefile.in -nt Makefile.am ] || autoreconf -fi >/dev/null 2>&1 || autoreconf -fi
mkdir -p "$dir"
cd "$dir"
"$top/configure" -q "$@"
make -s -j"$(nproc)"
