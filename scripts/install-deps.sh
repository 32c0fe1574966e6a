#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install what is missing on Debian 12. No service is started and /etc/apache2 stays as it is: the server's program comes
# from apache2-bin, never from apache2, and Apache::Test is unpacked into .deps/ because the package that holds it
# (libapache2-mod-perl2) would change /etc/apache2. Nothing is fetched when nothing is missing.
# Usage: scripts/install-deps.sh [--build] [--test] [--bench]   (--build alone when there is no argument; the others include it)
# --bench: what bench/compare.pl measures beside this project, and what it measures with.
set -eu
cd "$(dirname "$0")/.."

build_packages="apache2-bin apache2-dev autoconf automake libtool pkg-config gcc make libc6-dev libjansson-dev perl curl"
test_packages="check apache2-utils openssl libssl-dev libio-socket-ssl-perl libnet-ssleay-perl libwww-perl liburi-perl
nghttp2-client clang clang-tidy libclang-rt-dev llvm cppcheck valgrind libc6-dbg strace chromium shellcheck xz-utils git prometheus"
bench_packages="nginx haproxy nghttp2-client wrk strace openssl valgrind"
redhat_build="httpd httpd-devel apr-devel apr-util-devel autoconf automake libtool pkgconf-pkg-config gcc make jansson-devel perl curl"
redhat_test="check-devel httpd-tools mod_ssl mod_http2 openssl openssl-devel perl-IO-Socket-SSL perl-libwww-perl perl-URI \
nghttp2 clang clang-tools-extra compiler-rt cppcheck valgrind strace chromium-headless ShellCheck git"
redhat_bench="nginx haproxy nghttp2 wrk strace openssl valgrind"

wanted=$build_packages redhat=$redhat_build test=
for arg in "$@"; do
    case $arg in
    --build) ;;
    --test) wanted="$wanted $test_packages" redhat="$redhat $redhat_test" test=1 ;;
    --bench) wanted="$wanted $bench_packages" redhat="$redhat $redhat_bench" ;;
    *) echo "usage: scripts/install-deps.sh [--build] [--test] [--bench]" >&2; exit 2 ;;
    esac
done

if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    echo "install-deps.sh knows Debian's packages only; nothing was installed or checked. On Red Hat:" >&2
    echo "dnf install $redhat" >&2
    [ -z "$test" ] || echo "and Apache::Test from CPAN" >&2
    exit 0
fi

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

policy=/usr/sbin/policy-rc.d
policy_made=
restore_policy() {
    [ -z "$policy_made" ] || as_root rm -f "$policy"
    policy_made=
}
trap restore_policy EXIT
trap 'exit 130' INT TERM

# How Debian is told that no service may start during an installation. A policy that is there already is left alone.
forbid_services() {
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        policy_made=1
        as_root chmod 755 "$policy"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o Dpkg::Use-Pty=0 "$@" </dev/null
}

missing=
for p in $wanted; do
    dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
        echo "missing packages; install them as root with: apt-get install$missing" >&2
        exit 1
    fi
    echo "installing:$missing"
    forbid_services
    apt update
    # shellcheck disable=SC2086 # a list of words
    apt install -y --no-install-recommends $missing
    restore_policy
fi

if [ -n "$test" ] && [ ! -e .deps/perl/Apache/Test.pm ] && ! perl -MApache::Test -e1 2>/dev/null; then
    echo "unpacking Apache::Test into .deps"
    rm -rf .deps/deb .deps/unpacked .deps/perl
    mkdir -p .deps/deb .deps/unpacked
    # as the caller, not as root: a download changes nothing outside .deps
    if ! (cd .deps/deb && apt-get download -qq libapache2-mod-perl2 >/dev/null 2>&1); then
        apt update
        (cd .deps/deb && apt-get download -qq libapache2-mod-perl2)
    fi
    dpkg -x .deps/deb/libapache2-mod-perl2_*.deb .deps/unpacked
    found=$(find .deps/unpacked -path '*/Apache/Test.pm' | head -n 1)
    if [ -z "$found" ]; then
        echo "no Apache/Test.pm in the package libapache2-mod-perl2; install Apache::Test from CPAN" >&2
        exit 1
    fi
    mkdir -p .deps/perl/Apache
    cp -R "$(dirname "$found")"/Test*.pm .deps/perl/Apache/
    rm -rf .deps/deb .deps/unpacked
fi
