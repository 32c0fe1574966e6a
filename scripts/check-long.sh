#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check-long` runs, each in a build of its own below $builddir/long: everything under the address and undefined
# behaviour sanitizers; unit tests and the engine's part of the suite under the thread sanitizer; unit tests and the suite under
# valgrind; each fuzz target for a minute of new inputs; how much of its parser each corpus covers; the suite with each lane forced;
# ten minutes of chaos; the suite as a soak.
# Arguments choose some (make check-long ONLY="asan fuzz"). FUZZ_SECONDS, CHAOS_SECONDS, SOAK_ROUNDS: not 60, 600 and 2.
# The last line is the sum. Environment: as for check.sh.
set -u
srcdir=$(cd "$srcdir" && pwd)
top_builddir=$(cd "$builddir" && pwd)
export srcdir
. "$srcdir/scripts/groups.sh"
. "$srcdir/scripts/suite.sh"
jobs=$(nproc 2>/dev/null || echo 2)

# $1 name of the build, rest: arguments of configure. Sets builddir; 1 and a failed test when it can not be built.
build() {
    builddir=$top_builddir/long/$1
    export builddir
    build_name=$1
    shift
    mkdir -p "$builddir"
    echo "building $builddir ($*)"
    if (cd "$builddir" && MAKEFLAGS='' && export MAKEFLAGS &&
        "$srcdir/configure" -q --with-apxs="$APXS" "$@" &&
        make -s -j"$jobs" all &&
        make -s -j"$jobs" check-programs) >"$out" 2>&1; then
        return 0
    fi
    cat "$out"
    count 0 1 0 "building $build_name"
    return 1
}

# The suite with some words before httpd. $1 name, $2 words, rest: arguments of t/TEST
wrapped_suite() {
    wrapped_httpd=$HTTPD
    # shellcheck disable=SC2016 # for the script that is written
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$2" "$HTTPD" >"$builddir/httpd"
    chmod 755 "$builddir/httpd"
    HTTPD=$builddir/httpd
    wrapped_name=$1
    shift 2
    run_suite "$wrapped_name" "$@"
    HTTPD=$wrapped_httpd
}

# Reports of a tool that writes one file for each process with something to say: none may be there. $1 pattern, $2 name
no_reports() {
    reports_bad=0
    for report in "$1"*; do
        [ -s "$report" ] || continue
        reports_bad=$((reports_bad + 1))
        echo "$report:"
        head -n 60 "$report"
    done
    if [ $reports_bad -eq 0 ]; then count 1 0 0 "$2"; else count 0 $reports_bad 0 "$2"; fi
}

# Httpd itself is not instrumented, so the run-time must be there before it; its pools look like leaks. What was freed is kept
# for a while (quarantine), so limits of memory mean little here.
stage_asan() {
    build asan --enable-asan --enable-debug --enable-werror || return 0
    reports=$(mktemp -d)
    chmod 1777 "$reports" # children of httpd write there as nobody
    runtime=$($CC -print-file-name=libasan.so)
    ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=64:abort_on_error=1:detect_stack_use_after_return=1:log_path=$reports/asan
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:abort_on_error=1:log_path=$reports/ubsan
    export ASAN_OPTIONS UBSAN_OPTIONS
    CK_TIMEOUT_MULTIPLIER=5 group_unit
    group_fuzz
    export TIMEOUT_MULT=4 MEMORY_MULT=200
    wrapped_suite "suite under ASan and UBSan" "env LD_PRELOAD=$runtime\${LD_PRELOAD:+:\$LD_PRELOAD}"
    no_reports "$reports/" "reports of ASan and UBSan"
    unset ASAN_OPTIONS UBSAN_OPTIONS TIMEOUT_MULT MEMORY_MULT
    rm -rf "$reports"
}

# Httpd itself is not instrumented: what is seen are races with one of our threads in our code. httpd has some of its own (event's
# main thread takes the listening sockets out of the poll set while the listener closes them), so reports go to files, and those
# without a frame of ours do not count. It also leaves threads of its own behind when a child ends.
# t/62-mpm-balancer.t is not here: the state's writer is a thread of the main process, and the run-time knows no children of a
# process with threads. t/85-engine-files.t is not here: it counts descriptors, and the run-time has some itself.
stage_tsan() {
    build tsan --enable-tsan --enable-debug || return 0
    export TSAN_OPTIONS="halt_on_error=1:suppressions=$srcdir/t/tsan.supp"
    CK_TIMEOUT_MULTIPLIER=10 group_unit
    reports=$(mktemp -d)
    chmod 1777 "$reports" # children of httpd write there as nobody
    export TSAN_OPTIONS="report_thread_leaks=0:suppressions=$srcdir/t/tsan.supp:log_path=$reports/tsan"
    export TIMEOUT_MULT=4 MEMORY_MULT=200
    (cd "$srcdir" && ls t/11-body-*.t t/12-upgrade*.t t/14-resend.t t/20-pool.t t/25-balancer-*.t t/6[24]*.t t/75-engine*.t t/8[5-6]*.t) |
        grep -v -e '/62-mpm-balancer\.t$' -e '/85-engine-files\.t$' >"$out"
    # shellcheck disable=SC2046 # names of files
    wrapped_suite "engine under TSan" "env LD_PRELOAD=$($CC -print-file-name=libtsan.so)\${LD_PRELOAD:+:\$LD_PRELOAD}" $(cat "$out")
    for report in "$reports"/*; do
        [ -e "$report" ] || continue
        grep -Eq 'mod_rproxy|ERROR: |CHECK failed' "$report" || rm -f "$report"
    done
    no_reports "$reports/" "reports of TSan"
    unset TSAN_OPTIONS TIMEOUT_MULT MEMORY_MULT
    rm -rf "$reports"
}

# Not here: t/27-system-calls.t, since valgrind makes calls of its own; t/unit/balancer/late and t/64-graceful-counts.t, since it
# does not let a mapping be doubled by mremap().
stage_valgrind() {
    if ! command -v valgrind >/dev/null 2>&1; then
        echo "valgrind not found. Debian: apt-get install valgrind libc6-dbg."
        count 0 0 1 valgrind
        return 0
    fi
    build valgrind --enable-debug || return 0
    reports=$(mktemp -d)
    chmod 1777 "$reports"
    memcheck="valgrind -q --vgdb=no --error-exitcode=99 --suppressions=$srcdir/t/valgrind.supp"
    unit_wrap="timeout 900 $memcheck --log-file=$reports/unit.%p"
    # one process for all tests of a program: a fork for each would be most of the work
    all_units=$UNIT_TESTS
    UNIT_TESTS=$(echo " $all_units " | sed 's, t/unit/balancer/late , ,')
    CK_FORK=no CK_TIMEOUT_MULTIPLIER=60 group_unit
    unit_wrap=
    UNIT_TESTS=$all_units
    no_reports "$reports/unit" "reports of valgrind, unit tests"
    export TIMEOUT_MULT=15 MEMORY_MULT=200
    (cd "$srcdir" && ls t/*.t) | grep -v -e '/27-system-calls\.t$' -e '/64-graceful-counts\.t$' >"$out"
    # shellcheck disable=SC2046 # names of files
    wrapped_suite "suite under valgrind" "$memcheck --trace-children=yes --log-file=$reports/suite.%p" $(cat "$out")
    no_reports "$reports/suite" "reports of valgrind, suite"
    unset TIMEOUT_MULT MEMORY_MULT
    rm -rf "$reports"
}

# A minute each of new inputs; what is found goes to long/fuzz/found, to be added to the corpus with its repair.
stage_fuzz() {
    if ! command -v clang >/dev/null 2>&1; then
        echo "clang not found. Debian: apt-get install clang libclang-rt-dev."
        count 0 0 1 "fuzz targets"
        return 0
    fi
    build fuzz CC=clang --enable-fuzzing || return 0
    mkdir -p "$builddir/found"
    for f in $FUZZERS; do
        name=${f##*/fuzz_}
        new=$builddir/corpus-$name
        mkdir -p "$new"
        set -- -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
            -artifact_prefix="$builddir/found/$name-"
        [ ! -f "$srcdir/t/fuzz/$name.dict" ] || set -- "$@" "-dict=$srcdir/t/fuzz/$name.dict"
        echo "fuzzing $name for ${FUZZ_SECONDS:-60} s"
        if "$builddir/$f" "$@" "$new" "$srcdir/t/fuzz/corpus/$name" >"$out" 2>&1; then
            count 1 0 0 "$f: $(sed -n 's/^stat::number_of_executed_units: *//p' "$out") inputs"
        else
            tail -n 60 "$out"
            count 0 1 0 "$f, see $builddir/found"
        fi
    done
}

# Lines of $1 that the replay just made ran, as gcov counts them: "percent"
covered() {
    (cd "$builddir" && gcov -n -o "$(dirname "$1")/.libs" "$srcdir/$1" 2>/dev/null) |
        awk -v file="$1" '/^File / { here = index($0, file) } /^Lines executed:/ && here { split($2, p, "[:%]"); print p[2]; exit }'
}

# t/fuzz/parsers.list: a fuzz target, then the sources whose lines its corpus must cover to 90 %.
stage_cover() {
    build cover --enable-coverage --enable-debug || return 0
    for f in $FUZZERS; do
        name=${f##*/fuzz_}
        find "$builddir" -name '*.gcda' -exec rm -f {} +
        "$builddir/$f" "$srcdir/t/fuzz/corpus/$name" >"$out" 2>&1 || cat "$out"
        parsers=$(sed -n "s/^${name}[[:space:]][[:space:]]*//p" "$srcdir/t/fuzz/parsers.list")
        [ -n "$parsers" ] || { count 0 1 0 "$f has no line in t/fuzz/parsers.list"; continue; }
        for parser in $parsers; do
            percent=$(covered "$parser")
            if [ "${percent%.*}" -ge 90 ] 2>/dev/null; then
                count 1 0 0 "the corpus of $name covers $percent % of $parser"
            else
                count 0 1 0 "the corpus of $name covers ${percent:-nothing} % of $parser, 90 are wanted"
            fi
        done
    done
}

stage_soak() {
    build plain || return 0
    export RPROXY_LARGE="${LARGE_MB:-1024}"
    run_suite "bodies of $RPROXY_LARGE MB" t/90-large-bodies.t
    unset RPROXY_LARGE
    export RPROXY_LONG=1
    run_suite "members that die for a minute, 100 restarts" t/25-balancer-kill.t t/85-engine-restarts.t
    unset RPROXY_LONG
    round=1
    while [ $round -le "${SOAK_ROUNDS:-2}" ]; do
        run_suite "soak, round $round"
        round=$((round + 1))
    done
}

# The suite with each lane forced upon its servers; where the lane is left to us is what `make check` runs.
stage_lanes() {
    build plain || return 0
    for lane in inline handoff blocking; do
        export RPROXY_LANE=$lane
        run_suite "suite, lane $lane"
    done
    unset RPROXY_LANE
}

# t/chaos: 200000 checked requests among misbehaving clients and backends and graceful restarts. CHAOS_SEED: that run again.
stage_chaos() {
    build chaos --enable-debug || return 0
    (cd "$srcdir" && RPROXY_BUILD=$builddir RPROXY_HTTPD=$HTTPD RPROXY_APXS=$APXS "$PERL" t/chaos/chaos.pl) </dev/null 2>&1 | tee "$out"
    # shellcheck disable=SC2046 # two numbers
    set -- $(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$out")
    if [ $# -eq 2 ]; then count "$1" "$2" 0 "chaos"; else count 0 1 0 "chaos did not come to its end"; fi
}

[ $# -gt 0 ] || set -- asan tsan valgrind fuzz cover chaos lanes soak
for stage in "$@"; do
    case $stage in
    asan | tsan | valgrind | fuzz | cover | chaos | lanes | soak)
        echo "== $stage"
        "stage_$stage"
        ;;
    *) echo "check-long.sh: no stage \"$stage\"; there are: asan tsan valgrind fuzz cover chaos lanes soak" >&2; exit 2 ;;
    esac
done
sum_up
