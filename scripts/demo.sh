#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first command of the README: installs what is missing, builds in build/, and runs a proxy before two backends, three
# httpds on loopback. Prints their URLs and how to stop them. Nothing needs root; started by root, they drop to nobody.
# Usage: scripts/demo.sh [start|stop]
# RPROXY_BUILD_DIR: take the modules of this build instead of making one (the tests do that).
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)
build=${RPROXY_BUILD_DIR:-$top/build}
state=$build/demo-running # a symbolic link to the directory of the running demo
servers="proxy one two"

# Each httpd removes its pid file when it ends.
pid_of() {
    cat "$run/$1.pid" 2>/dev/null
}

alive() {
    pid=$(pid_of "$1") && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}

stop() {
    run=$(readlink "$state") || { echo "the demo is not running"; return 0; }
    for s in $servers; do
        if alive "$s"; then kill "$pid" || true; fi
    done
    for s in $servers; do
        tries=100
        while alive "$s" && [ $tries -gt 0 ]; do
            sleep 0.1
            tries=$((tries - 1))
        done
        if alive "$s"; then
            echo "$s does not stop: process $pid, log $run/$s.log" >&2
            return 1
        fi
    done
    rm -rf "$run"
    rm -f "$state"
    echo "stopped"
}

free_ports() {
    perl -MIO::Socket::INET -e '
        my @free;
        for my $port (8080 .. 8099, (0) x 3) {
            my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 1, ReuseAddr => 1);
            push @free, $s if $s;
            last if @free == 3;
        }
        die "no free port on 127.0.0.1: $!\n" if @free < 3;
        print join " ", map { $_->sockport } @free;'
}

# $1 template, $2 name, $3 port
configure() {
    sed -e "s|@RUN@|$run|g" -e "s|@LIBEXEC@|$libexec|g" -e "s|@USER@|$user|g" -e "s|@NAME@|$2|g" -e "s|@PORT@|$3|g" \
        -e "s|@PROXY_PORT@|$proxy_port|g" -e "s|@ONE_PORT@|$one_port|g" -e "s|@TWO_PORT@|$two_port|g" \
        "demo/$1" >"$run/$2.conf"
}

# $1 name, $2 URL that must answer
launch() {
    "$httpd" -t -f "$run/$1.conf" >"$run/$1.test" 2>&1 || { cat "$run/$1.test" >&2; return 1; }
    "$httpd" -f "$run/$1.conf"
    tries=100
    until curl -sf -o /dev/null --max-time 5 "$2"; do
        tries=$((tries - 1))
        if [ $tries -eq 0 ]; then
            echo "$1 does not answer at $2; its log:" >&2
            cat "$run/$1.log" >&2
            return 1
        fi
        sleep 0.1
    done
}

start() {
    if [ -z "${RPROXY_BUILD_DIR:-}" ]; then
        ./scripts/install-deps.sh --build
        ./scripts/build.sh build --disable-tests
    fi
    if [ -h "$state" ]; then stop >/dev/null; fi
    apxs=${APXS:-$(sed -n 's/^APXS = //p' "$build/Makefile")}
    httpd=$("$apxs" -q SBINDIR)/$("$apxs" -q progname)
    libexec=$("$apxs" -q LIBEXECDIR)
    ports=$(free_ports)
    one_port=${ports#* } proxy_port=${ports%% *}
    two_port=${one_port#* } one_port=${one_port% *}
    run=$(mktemp -d "${TMPDIR:-/tmp}/rproxy-demo.XXXXXX")
    ln -s "$run" "$state"
    trap "stop >/dev/null" EXIT # until it runs: leave nothing behind
    trap 'exit 130' INT TERM

    mkdir "$run/modules" "$run/one" "$run/two"
    cp "$build"/.libs/mod_rproxy*.so "$run/modules/"
    for s in one two; do
        echo "This is backend $s." >"$run/$s/index.html"
        echo "This is the new page of backend $s." >"$run/$s/new.html"
    done
    user=
    if [ "$(id -u)" -eq 0 ]; then
        user="User nobody\\nGroup $(id -gn nobody)"
        chmod -R a+rX "$run"
    fi
    configure backend.conf.in one "$one_port"
    configure backend.conf.in two "$two_port"
    configure proxy.conf.in proxy "$proxy_port"
    launch one "http://127.0.0.1:$one_port/"
    launch two "http://127.0.0.1:$two_port/"
    launch proxy "http://127.0.0.1:$proxy_port/two/"
    trap - EXIT
    cat <<END
The proxy runs before two backends:
  http://127.0.0.1:$proxy_port/         a page of backend one (http://127.0.0.1:$one_port/)
  http://127.0.0.1:$proxy_port/two/     a page of backend two (http://127.0.0.1:$two_port/)
  http://127.0.0.1:$proxy_port/two/old  a redirect of backend two, as the client must see it: curl -i shows it
Configuration and logs: $run
Stop it with: ./scripts/demo.sh stop
END
}

case ${1:-start} in
start | stop) "${1:-start}" ;;
*) echo "usage: scripts/demo.sh [start|stop]" >&2; exit 2 ;;
esac
