#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first command of the README: installs what is missing, builds, and runs a proxy before two backends on loopback, as an
# ordinary user. Prints the URLs and how to stop it. `scripts/demo.sh stop` stops it.
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)
run=${RPROXY_DEMO_DIR:-${TMPDIR:-/tmp}/rproxy-demo-$(id -u)}

stop() {
    if [ -s "$run/pid" ] && kill -0 "$(cat "$run/pid")" 2>/dev/null; then
        kill "$(cat "$run/pid")"
        while [ -e "$run/pid" ] && kill -0 "$(cat "$run/pid" 2>/dev/null)" 2>/dev/null; do :; done
        echo "stopped"
    else
        echo "not running"
    fi
}
if [ "${1:-}" = stop ]; then
    stop
    exit 0
fi

./scripts/install-deps.sh
./scripts/build.sh
build=${RPROXY_BUILD_DIR:-$top/build}
stop >/dev/null
rm -rf "$run"
mkdir -p "$run/modules" "$run/one/images" "$run/two"
cp "$build"/.libs/mod_rproxy.so "$build"/.libs/mod_rproxy_balancer.so "$build"/.libs/mod_rproxy_reverse.so "$run/modules/"
echo "backend one says hello" >"$run/one/index.html"
echo "an image of backend one" >"$run/one/images/picture.txt"
echo "backend two says hello" >"$run/two/index.html"

# three free ports, asked of the kernel
ports=$(perl -MIO::Socket::INET -e 'my @s = map { IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 1) or die } 1 .. 3; print join " ", map { $_->sockport } @s')
# shellcheck disable=SC2086 # three words
set -- $ports
user=
if [ "$(id -u)" -eq 0 ]; then
    user=$(printf 'User nobody\nGroup nogroup\n')
    chmod -R a+rX "$run"
fi
libexec=$(apxs -q LIBEXECDIR)
sed -e "s,@RUN@,$run,g" -e "s,@LIBEXEC@,$libexec,g" -e "s,@PROXY@,$1,g" -e "s,@ONE@,$2,g" -e "s,@TWO@,$3,g" \
    "$top/demo/httpd.conf.in" >"$run/httpd.conf"
printf '%s\n' "$user" >>"$run/httpd.conf"
httpd=$(apxs -q SBINDIR)/$(apxs -q progname)
"$httpd" -t -f "$run/httpd.conf" 2>/dev/null || "$httpd" -t -f "$run/httpd.conf"
"$httpd" -f "$run/httpd.conf"
for _ in $(seq 100); do
    curl -sf "http://127.0.0.1:$1/" >/dev/null 2>&1 && break
    perl -e 'select undef, undef, undef, 0.1'
done
curl -sf "http://127.0.0.1:$1/two/" >/dev/null || { cat "$run/error.log"; exit 1; }
cat <<END
The proxy runs (httpd with mod_rproxy, configuration $run/httpd.conf):
  http://127.0.0.1:$1/                   backend one
  http://127.0.0.1:$1/images/picture.txt backend one
  http://127.0.0.1:$1/two/               backend two
Stop it with: ./scripts/demo.sh stop
END
