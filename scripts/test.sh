#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The second command of the README: installs what the tests need, builds with warnings as errors, runs all of `make check`.
set -eu
cd "$(dirname "$0")/.."
./scripts/install-deps.sh --test
./scripts/build.sh --enable-werror
make -s -C "${RPROXY_BUILD_DIR:-build}" -j"$(nproc)" check
