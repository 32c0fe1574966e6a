#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # srcdir, CPPFLAGS, CHECK_CFLAGS: of the script that sources this one
# Sourced by check.sh: group_lint runs clang's warnings, clang-tidy and cppcheck over the sources.

# Off in cppcheck, each with its reason:
#   missingIncludeSystem  the headers of libc, APR and httpd are not read, only ours
#   unusedFunction        httpd calls most of ours through tables and hooks
#   variableScope         locals stand at the top of their function here
#   unknownMacro          APR_IMPLEMENT_..._HOOK and their like: the headers that define them are not read
#   identicalInnerCondition  takes "if (*p) { return *p; }" for a second test
#   constParameter, constParameterCallback   hooks and callbacks have the signature that httpd gives them
cppcheck_off="missingIncludeSystem unusedFunction unknownMacro identicalInnerCondition variableScope constParameter constParameterCallback"

# $1 name, $2 file, rest: a command that says nothing, or only noise, when all is well
lint_one() {
    lint_name=$1 lint_file=$2
    shift 2
    if "$@" >"$out" 2>&1; then
        lint_good=$((lint_good + 1))
    else
        cat "$out"
        lint_bad=$((lint_bad + 1))
        echo "$lint_name: $lint_file"
    fi
}

# $1 tool, $2 its package; 1 when it is missing
lint_begin() {
    lint_good=0 lint_bad=0
    command -v "$1" >/dev/null 2>&1 && return 0
    echo "$1 not found. Debian: apt-get install $2."
    count 0 0 1 "$1"
    return 1
}

lint_clang() {
    lint_begin clang clang || return 0
    for f in $sources; do
        # shellcheck disable=SC2086 # lists of flags
        lint_one clang "$f" clang -fsyntax-only -Wall -Wextra -Wshadow -Wmissing-prototypes -Werror $flags "$f"
    done
    count "$lint_good" "$lint_bad" 0 "clang -Wall -Wextra -Werror"
}

lint_tidy() {
    lint_begin clang-tidy clang-tidy || return 0
    for f in $product; do
        # shellcheck disable=SC2086
        lint_one clang-tidy "$f" clang-tidy --quiet "$f" -- $flags
    done
    count "$lint_good" "$lint_bad" 0 clang-tidy
}

lint_cppcheck() {
    lint_begin cppcheck cppcheck || return 0
    set -- --quiet --std=c11 --enable=warning,performance,portability,style --inline-suppr --error-exitcode=1 \
        --library=gnu -Isrc -Iinclude -D__GNUC__ \
        --template='{file}:{line}: {severity}: {id}: {message}'
    for id in $cppcheck_off; do set -- "$@" "--suppress=$id"; done
    for f in $product; do
        lint_one cppcheck "$f" cppcheck "$@" "$f"
    done
    count "$lint_good" "$lint_bad" 0 cppcheck
}

group_lint() {
    echo "lint"
    cd "$srcdir" || exit 1
    flags="-std=gnu11 -Isrc -Iinclude -It $CPPFLAGS ${CHECK_CFLAGS:-}"
    product=$(sh scripts/list-files.sh 'src/*.c' 'mod_*.c')
    sources="$product $(sh scripts/list-files.sh 't/*.c')"
    lint_clang
    lint_tidy
    lint_cppcheck
    cd "$builddir" || exit 1
}
