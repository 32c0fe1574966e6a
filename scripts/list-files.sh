#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Print the files of the project, one a line, relative to its top: from MANIFEST in a release, else from git.
# Usage: list-files.sh [PATTERN...] (patterns of "case", matched against the whole path, e.g. 'src/*.c')
set -eu
cd "$(dirname "$0")/.."

all_files() {
    if [ -f MANIFEST ]; then
        cat MANIFEST
    elif ! git -c safe.directory="$(pwd)" ls-files 2>/dev/null | grep .; then
        echo "list-files.sh: neither MANIFEST nor a git work tree here: $(pwd)" >&2
        exit 1
    fi
}

all_files | while IFS= read -r file; do
    [ -e "$file" ] || continue
    [ $# -gt 0 ] || { printf '%s\n' "$file"; continue; }
    for pattern in "$@"; do
        # shellcheck disable=SC2254 # the argument is meant as a pattern
        case $file in $pattern) printf '%s\n' "$file"; break ;; esac
    done
done
