#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What a proxied request costs on the blocking lane, side by side in one run: CPU time (user+system, all processes of the
# server, from /proc/PID/task/*/schedstat) over requests, 32 keep-alive clients, 1 KB answers, one child of the event MPM.
#
#   ours, mod_proxy   the whole request
#   redirect          httpd answering `Redirect 204` itself, in the same two servers: what is paid before any proxying
#   own part          total minus redirect
#   floor             with --floor: a handler that sends a constant request, sleeps in recv() for the answer and passes it on;
#                     the least that any proxy on a thread of httpd can cost (mod_floor.c)
#
# Many short rounds, each with every row: what else happens on the machine falls on all of them, and the medians stand.
#
# Usage: bench/blocking-lane.pl --build DIR [--rounds 25] [--requests 12000] [--strace 10000] [--floor] [--json FILE]
#   --strace 0 counts no system calls
# Needs apache2-bin (with mod_proxy, for comparison only), nghttp2-client (h2load), strace, a C compiler; --floor: apxs.
# Load goes to 127.0.0.1 only.
use strict;
use warnings;
use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/lib";
use Getopt::Long;
use RProxy::Bench qw(work_dir here free_port slurp spit spawn wait_port cpu_ns start_backend backend_counts compile h2load median
    quartiles order system_calls);

my %opt = (build => here() . '/../build', rounds => 25, requests => 12000, clients => 32, json => '', strace => 10000, cc => 'cc',
           httpd => '/usr/sbin/apache2', moddir => '/usr/lib/apache2/modules', apxs => 'apxs', floor => 0);
GetOptions(\%opt, 'build=s', 'rounds=i', 'requests=i', 'clients=i', 'json=s', 'httpd=s', 'moddir=s', 'strace=i', 'cc=s', 'apxs=s',
    'floor!') or die "usage: see the top of $0\n";
my $build = abs_path($opt{build}) or die "no build directory; --build DIR\n";
my $dir = work_dir();

sub start_httpd {
    my ($name, $modules, $config) = @_;
    my $port = free_port();
    RProxy::Bench::release_ports();
    my $d = "$dir/$name";
    mkdir $d;
    my $user = $> == 0 ? "User nobody\nGroup nogroup\n" : '';
    spit("$d/httpd.conf", <<"EOC");
ServerRoot "$d"
ServerName www.example.com
Listen 127.0.0.1:$port
PidFile $d/pid
ErrorLog $d/error.log
LogLevel warn
DefaultRuntimeDir $d
LoadModule mpm_event_module $opt{moddir}/mod_mpm_event.so
LoadModule authz_core_module $opt{moddir}/mod_authz_core.so
LoadModule alias_module $opt{moddir}/mod_alias.so
$modules
$user
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
AsyncRequestWorkerFactor 4
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 30
LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
CustomLog $d/access.log common
Redirect 204 /r204
$config
EOC
    my $pid = spawn("$d/out.log", $opt{httpd}, '-DFOREGROUND', '-f', "$d/httpd.conf");
    wait_port($port, $pid, "$d/error.log");
    return {name => $name, port => $port, pid => $pid};
}

sub load_run {
    my ($srv, $path, $n) = @_;
    return h2load("http://127.0.0.1:$srv->{port}$path", requests => $n, clients => $opt{clients});
}

sub measure {
    my ($srv, $path) = @_;
    load_run($srv, $path, $opt{clients} * 10); # connections and pools are warm
    my $before = cpu_ns($srv->{pid});
    my $run = load_run($srv, $path, $opt{requests});
    $run->{us} = (cpu_ns($srv->{pid}) - $before) / 1000 / $opt{requests};
    return $run;
}

# The module of the floor, built by apxs away from the sources.
sub floor_module {
    system("cp '" . here() . "/mod_floor.c' '$dir' && cd '$dir' && '$opt{apxs}' -c mod_floor.c >'$dir/apxs.log' 2>&1") == 0
        or die slurp("$dir/apxs.log");
    return "LoadModule floor_module $dir/.libs/mod_floor.so";
}

my $backend = start_backend(compile($opt{cc}, 'backend.c'));
my $pass = "ProxyPass /p http://127.0.0.1:$backend->{port}/";
my $ours = start_httpd('ours', "LoadModule rproxy_module $build/.libs/mod_rproxy.so", "RProxyEventLoop off\n$pass");
my $stock = start_httpd('mod_proxy', "LoadModule proxy_module $opt{moddir}/mod_proxy.so\n"
    . "LoadModule proxy_http_module $opt{moddir}/mod_proxy_http.so", $pass);
my %rows = (ours => [$ours, '/p/1k'], mod_proxy => [$stock, '/p/1k'], redirect => [$ours, '/r204'], 'redirect/stock' => [$stock, '/r204']);
$rows{floor} = [start_httpd('floor', floor_module(), "FloorPort $backend->{port}"), '/p/1k'] if $opt{floor};

my (%us, %rps, %errors, %conns);
$errors{$_} = $conns{$_} = 0 for keys %rows;
for my $round (1 .. $opt{rounds}) {
    my %seen;
    for my $name (order($round, sort keys %rows)) {
        my $a0 = backend_counts($backend)->{accepted};
        my $m = measure(@{$rows{$name}});
        push @{$us{$name}}, $seen{$name} = $m->{us};
        push @{$rps{$name}}, $m->{rps};
        $errors{$name} += $m->{errors};
        $conns{$name} += backend_counts($backend)->{accepted} - $a0;
    }
    printf "round %2d, us/request: %s\n", $round, join ', ', map { sprintf '%s %.2f', $_, $seen{$_} } sort keys %seen;
}

my %mid = map { $_ => median(@{$us{$_}}) } keys %us;
printf "\n%-15s %12s %18s %12s %8s %20s\n", "median of $opt{rounds}", 'us/request', 'middle half', 'requests/s', 'errors', 'backend connections';
printf "%-15s %12.2f %8.2f .. %6.2f %12.0f %8d %20d\n", $_, $mid{$_}, quartiles(@{$us{$_}}), median(@{$rps{$_}}), $errors{$_}, $conns{$_}
    for sort keys %rows;
my $base = median(@{$us{redirect}}, @{$us{'redirect/stock'}}); # the same work in both servers
my %own = map { $_ => $mid{$_} - $base } grep { !/redirect/ } keys %mid;
printf "\nown part, total - %.2f: %s\n", $base,
    join ', ', map { sprintf '%s %.2f us (%.3f of mod_proxy)', $_, $own{$_}, $own{$_} / $own{mod_proxy} } sort keys %own;
printf "load average %s; where the middle half of a row is wide, something else was using the machine\n",
    join ' ', (split ' ', slurp('/proc/loadavg'))[0 .. 2];
for my $name (grep { $opt{strace} && $_ ne "redirect/stock" } sort keys %rows) {
    my ($srv, $path) = @{$rows{$name}};
    my $calls = system_calls($srv->{pid}, $opt{strace}, sub { load_run($srv, $path, $opt{strace}) });
    my $sum = 0;
    $sum += $_ for values %$calls;
    printf "system calls per request, %-10s %5.2f: %s\n", $name, $sum,
        join ', ', map { sprintf '%s %.2f', $_, $calls->{$_} } grep { $calls->{$_} >= 0.01 } sort { $calls->{$b} <=> $calls->{$a} } keys %$calls;
}
if ($opt{json}) {
    my $rows = join ', ', map { sprintf '"%s": {"us": %.3f, "rps": %.1f, "errors": %d, "backend_connections": %d}', $_, $mid{$_}, median(@{$rps{$_}}), $errors{$_}, $conns{$_} } sort keys %rows;
    spit($opt{json}, sprintf "{\"requests\": %d, \"rounds\": %d, %s, \"own_ratio\": %.4f}\n", $opt{requests}, $opt{rounds}, $rows, $own{ours} / $own{mod_proxy});
}
exit(grep({ $_ } values %errors) ? 1 : 0);
