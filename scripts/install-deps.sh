#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install what is missing to build (and, with --test, to test) on Debian 12. Starts no service and leaves /etc/apache2 alone:
# the server's binary comes from apache2-bin, never from apache2; Apache::Test's Perl files are unpacked into .deps/, because
# the package that has them would change /etc/apache2.
# Usage: scripts/install-deps.sh [--test]
set -eu
cd "$(dirname "$0")/.."

build_packages="apache2-bin apache2-dev autoconf automake libtool pkg-config gcc make libc6-dev perl curl"
test_packages="check apache2-utils openssl libssl-dev libio-socket-ssl-perl libnet-ssleay-perl libwww-perl liburi-perl nghttp2-client
clang clang-tidy cppcheck valgrind libclang-rt-14-dev strace shellcheck xz-utils"
wanted=$build_packages
[ "${1:-}" = --test ] && wanted="$build_packages $test_packages"

missing=
for p in $wanted; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
run=
if [ "$(id -u)" -ne 0 ]; then
    run=sudo
fi

# While packages are installed, services must not start: policy-rc.d is how Debian is told so. An existing one is left alone.
policy=/usr/sbin/policy-rc.d
if [ -n "$missing" ]; then
    if [ -n "$run" ] && ! command -v sudo >/dev/null 2>&1; then
        echo "missing packages:$missing" >&2
        echo "install them as root: apt-get install$missing" >&2
        exit 1
    fi
    made=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | $run tee $policy >/dev/null
        $run chmod 755 $policy
        made=1
    fi
    status=0
    $run env DEBIAN_FRONTEND=noninteractive apt-get update -qq || status=$?
    # shellcheck disable=SC2086 # a list of words
    [ $status -ne 0 ] || $run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing || status=$?
    [ -z "$made" ] || $run rm -f $policy
    [ $status -eq 0 ] || { echo "apt-get failed; missing:$missing" >&2; exit 1; }
fi

if [ "${1:-}" = --test ] && [ ! -e .deps/perl/Apache/Test.pm ]; then
    rm -rf .deps
    mkdir -p .deps/deb .deps/perl
    (cd .deps/deb && apt-get download -qq libapache2-mod-perl2 2>/dev/null ||
        { $run apt-get update -qq && apt-get download -qq libapache2-mod-perl2; })
    dpkg -x .deps/deb/libapache2-mod-perl2_*.deb .deps/unpacked
    found=$(find .deps/unpacked -path '*/Apache/Test.pm' | head -n 1)
    [ -n "$found" ] || { echo "no Apache/Test.pm in libapache2-mod-perl2" >&2; exit 1; }
    cp -R "$(dirname "$found")" .deps/perl/
    rm -rf .deps/deb .deps/unpacked
fi
