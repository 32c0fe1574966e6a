#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The second command of the README: installs what the tests need, builds with warnings as errors in build-test/, and runs lint and
# all of `make check`. Its last line is "N passed, N failed, N skipped"; it ends with 0 only when nothing failed or was skipped.
set -eu
cd "$(dirname "$0")/.."
./scripts/install-deps.sh --build --test
./scripts/build.sh build-test --enable-werror
exec make -s -C build-test -j"$(nproc)" check ONLY="lint unit fuzz guards suite"
