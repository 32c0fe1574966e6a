#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How many instructions a proxied request costs, counted by callgrind: the same number on an idle and on a busy machine, so a
# change of one percent shows. One keep-alive client, 1 KB answers, httpd -X under valgrind, twice with a different number of
# requests: what starting and stopping cost is in both, and goes out with the difference.
#
#   ours, mod_proxy   a whole request, with only that proxy loaded; ours takes the lane that it takes by itself, on an event loop
#   blocking          ours with the event loops off, on a thread of the MPM
#   uncounted         ours, built in a copy from which metrics and the view of what is under way are taken out (uncounted.pl); ends with 1 when ours needs
#                     more than 3 % more instructions
#   redirect          `Redirect 204` by httpd without any proxy: what both pay before any proxying
#   own part          total minus redirect
#   balancer2, balancer100   a whole request through a balancer of so many members; ends with 1 when that is too much more than ours
#   balancer100-bytraffic, balancer100-bybusyness, balancer100-standby   the same with that method, or with a hot standby and a member that is disabled
#                     (members outside of a <Proxy> section: to merge one costs the same for workers and balancers)
#   page-manager, page-api, page-metrics   one page of a balancer with 100 members, and how many bytes it has
#
# Then our functions of `ours`, or of the last balancer (callgrind.pl): instructions per request in the function alone, and with all that it calls.
# Usage: bench/instructions.sh [BUILD_DIR [FUNCTIONS]]     build directory (default: build), lines of the list (default: 40)
# RPROXY_BENCH="ours redirect" measures these alone; "many" is ours with 2000 ProxyPass lines, of which the last one matches.
# Needs valgrind, nghttp2-client (h2load), perl, apache2-bin (its mod_proxy is only measured). Talks to 127.0.0.1 only.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../build}
lines=${2:-40}
what=${RPROXY_BENCH:-"ours uncounted blocking mod_proxy redirect"}
few=500 many=2500 # requests of the two runs
httpd=${HTTPD:-/usr/sbin/apache2}
modules=${HTTPD_MODULES:-/usr/lib/apache2/modules}
build=$(cd "$build" && pwd)
dir=$(mktemp -d)
chmod 755 "$dir"
backend='' server=''
trap 'kill $backend $server 2>/dev/null || true; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

for tool in valgrind h2load perl "$httpd"; do
    command -v "$tool" >/dev/null || { echo "$tool not found; see the top of $0" >&2; exit 2; }
done

# Answers each request with 1 KB; listens on 100 ports, whose numbers it writes down first; ends when this script is gone.
cat >"$dir/backend.pl" <<'END'
use strict; use warnings; use IO::Select; use IO::Socket::INET;
my $parent = getppid;
my @listen = map { IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 64) or die "backend: $!" } 1 .. 100;
my %listen = map { $_ => 1 } @listen;
open my $h, '>', "$ARGV[0].new" or die $!; print $h map { $_->sockport . "\n" } @listen; close $h; rename "$ARGV[0].new", $ARGV[0];
my $answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" . 'x' x 1024;
my ($select, %buf) = (IO::Select->new(@listen));
while (getppid == $parent) {
    for my $fh ($select->can_read(1)) {
        if ($listen{$fh}) { my $c = $fh->accept or next; $select->add($c); $buf{$c} = ''; next; }
        if (!sysread $fh, $buf{$fh}, 65536, length $buf{$fh}) { $select->remove($fh); delete $buf{$fh}; close $fh; next; }
        while ($buf{$fh} =~ s/^.*?\r\n\r\n//s) { syswrite $fh, $answer; }
    }
}
END

# Wait up to 60 s until file $1 is there and not empty; $2 is what makes it.
wait_file() {
    perl -e 'for (1 .. 600) { exit 0 if -s $ARGV[0]; select undef, undef, undef, 0.1 } exit 1' "$1" ||
        { echo "$2 did not start" >&2; cat "$dir"/*.log >&2; exit 1; }
}

# A module without metrics, configured like the one of the build directory; leaves it as $dir/copy-build/.libs/mod_rproxy.so
build_uncounted() {
    mkdir "$dir/copy" "$dir/copy-build"
    { sh "$here/../scripts/list-files.sh"; (cd "$here/.." && ls -d configure aclocal.m4 Makefile.in build-aux m4 2>/dev/null); } | sort -u |
        tar -C "$here/.." -T - -cf - | tar -C "$dir/copy" -xf -
    perl "$here/uncounted.pl" "$dir/copy"
    [ -x "$dir/copy/configure" ] || (cd "$dir/copy" && autoreconf -fi) >"$dir/copy.log" 2>&1
    (cd "$dir/copy-build" && eval "\"$dir/copy/configure\" -q $("$build/config.status" --config)" && make -s mod_rproxy.la) >>"$dir/copy.log" 2>&1 ||
        { tail -n 20 "$dir/copy.log" >&2; exit 1; }
}

# The configuration of one server: $1 its directory, $2 its port, $3 lines for the proxy
write_conf() {
    cat <<END
ServerRoot "$1"
ServerName www.example.com
Listen 127.0.0.1:$2
PidFile "$1/pid"
ErrorLog "$1/error.log"
DefaultRuntimeDir "$1"
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule alias_module $modules/mod_alias.so
StartServers 1
ServerLimit 1
ThreadsPerChild 2
ThreadLimit 2
MaxRequestWorkers 2
MinSpareThreads 1
MaxSpareThreads 2
MaxKeepAliveRequests 0
CustomLog "$1/access.log" "%h %l %u %t \"%r\" %>s %b"
Redirect 204 /r204
$3
END
}

# Started by root, httpd runs as nobody from the beginning: callgrind writes its file when it ends.
as_nobody() {
    if [ "$(id -u)" -eq 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi
}

# Measure $2 requests for path $3 on the server of directory $1; the profile is $1/profile.$2
run() {
    port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport')
    write_conf "$1" "$port" "$4" >"$1/httpd.conf"
    rm -f "$1/pid"
    as_nobody valgrind -q --tool=callgrind --callgrind-out-file="$1/profile.$2" "$httpd" -X -f "$1/httpd.conf" \
        >"$1/valgrind.log" 2>&1 &
    server=$!
    wait_file "$1/pid" "$httpd with $(basename "$1")"
    h2load --h1 -n "$2" -c 1 "http://127.0.0.1:$port$3" >"$1/load.log" 2>&1
    grep -q "requests: .* $2 succeeded, 0 failed, 0 errored" "$1/load.log" || { cat "$1/load.log" >&2; exit 1; }
    kill "$(cat "$1/pid")"
    wait "$server" || true
    server=''
}

# Instructions of a whole run
total() {
    sed -n 's/^\(summary\|totals\): \([0-9]*\).*/\2/p' "$1" | head -n 1
}

# $1 name, $2 path, $3 lines for the proxy: measure, print, leave the sum in $cost
measure() {
    mkdir "$dir/$1"
    chmod 777 "$dir/$1"
    run "$dir/$1" $few "$2" "$3"
    run "$dir/$1" $many "$2" "$3"
    cost=$((($(total "$dir/$1/profile.$many") - $(total "$dir/$1/profile.$few")) / (many - few)))
    printf '%-10s %7d instructions per request\n' "$1" "$cost"
}

: >"$dir/backend.log"
perl "$dir/backend.pl" "$dir/port" 2>"$dir/backend.log" &
backend=$!
wait_file "$dir/port" "the backend"
port1=$(head -n 1 "$dir/port")
pass="ProxyPass /p http://127.0.0.1:$port1/"
ours='' uncounted='' blocking='' mod_proxy='' redirect='' balanced='' show=ours
for name in $what; do
    case $name in
    ours)
        measure ours /p/1k "LoadModule rproxy_module $build/.libs/mod_rproxy.so
$pass"
        ours=$cost ;;
    uncounted)
        build_uncounted
        measure uncounted /p/1k "LoadModule rproxy_module $dir/copy-build/.libs/mod_rproxy.so
$pass"
        uncounted=$cost ;;
    blocking)
        measure blocking /p/1k "LoadModule rproxy_module $build/.libs/mod_rproxy.so
RProxyEventLoop off
$pass"
        blocking=$cost ;;
    mod_proxy)
        measure mod_proxy /p/1k "LoadModule proxy_module $modules/mod_proxy.so
LoadModule proxy_http_module $modules/mod_proxy_http.so
$pass"
        mod_proxy=$cost ;;
    many)
        measure many /p/1k "LoadModule rproxy_module $build/.libs/mod_rproxy.so
$(seq 2000 | sed "s|.*|ProxyPass /application&/ http://127.0.0.1:$port1/application&/|")
$pass" ;;
    balancer2 | balancer100 | balancer100-bytraffic | balancer100-bybusyness | balancer100-standby)
        more=''
        case $name in
        *-standby) more="BalancerMember balancer://b http://127.0.0.1:1 status=+H
BalancerMember balancer://b http://127.0.0.1:2 status=+D" ;;
        *-*) more="ProxySet balancer://b lbmethod=${name#*-}" ;;
        esac
        measure "$name" /p/1k "LoadModule slotmem_shm_module $modules/mod_slotmem_shm.so
LoadModule rproxy_module $build/.libs/mod_rproxy.so
LoadModule rproxy_balancer_module $build/.libs/mod_rproxy_balancer.so
$(size=${name#balancer}; head -n "${size%%-*}" "$dir/port" | sed "s|.*|BalancerMember balancer://b http://127.0.0.1:&|")
$more
ProxyPass /p balancer://b"
        balanced="$balanced $name=$cost"
        show=$name ;;
    page-*)
        few=5 many=25
        members="LoadModule slotmem_shm_module $modules/mod_slotmem_shm.so
LoadModule rproxy_module $build/.libs/mod_rproxy.so
LoadModule rproxy_balancer_module $build/.libs/mod_rproxy_balancer.so
$(sed "s|.*|BalancerMember balancer://b http://127.0.0.1:&|" "$dir/port")
ProxyPass /p balancer://b
<Location /page-manager>
SetHandler balancer-manager
</Location>
<Location /page-api>
SetHandler rproxy-api
</Location>
<Location /page-metrics>
SetHandler rproxy-metrics
</Location>"
        path=/$name
        [ "$name" != page-api ] || path=/page-api/v1/balancers
        measure "$name" "$path" "$members"
        bytes=$(sed -n 's/^traffic:.*(\([0-9]*\)) data.*/\1/p' "$dir/$name/load.log")
        printf '%-10s %7d bytes\n' "$name" $((bytes / many))
        few=500 many=2500 ;;
    redirect)
        measure redirect /r204 ''
        redirect=$cost ;;
    *) echo "nothing is called \"$name\"; there are ours, uncounted, blocking, balancer2, balancer100, balancer100-bytraffic, balancer100-bybusyness, balancer100-standby, page-manager, page-api, page-metrics, many, mod_proxy, redirect" >&2; exit 2 ;;
    esac
done
if [ "$ours" ] && [ "$redirect" ]; then printf '%-10s %7d own part\n' ours $((ours - redirect)); fi
if [ "$blocking" ] && [ "$redirect" ]; then printf '%-10s %7d own part\n' blocking $((blocking - redirect)); fi
if [ "$mod_proxy" ] && [ "$redirect" ]; then printf '%-10s %7d own part\n' mod_proxy $((mod_proxy - redirect)); fi
status=0
if [ "$ours" ] && [ "$uncounted" ]; then
    printf '%-10s %7d for metrics and the view of what is under way: %s %%, at most 3 %%\n' ours $((ours - uncounted)) \
        "$(awk "BEGIN { printf \"%.1f\", 100 * ($ours - $uncounted) / $uncounted }")"
    [ $(((ours - uncounted) * 100)) -le $((uncounted * 3)) ] || status=1
fi
# A balancer may cost so much more than one worker, in percent
for one in $balanced; do
    [ "$ours" ] || continue
    name=${one%=*}
    more=$((${one#*=} - ours))
    case $name in balancer2) bound=5 ;; *) bound=10 ;; esac
    printf '%-10s %7d more than one worker: %s %%, at most %d %%\n' "$name" "$more" \
        "$(awk "BEGIN { printf \"%.1f\", 100 * $more / $ours }")" $bound
    [ $((more * 100)) -le $((ours * bound)) ] || status=1
done
if [ "$ours" ]; then
    echo
    perl "$here/callgrind.pl" "$dir/$show/profile.$few" "$dir/$show/profile.$many" $((many - few)) mod_rproxy "$lines"
fi
exit $status
