#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What a proxied request costs on the blocking lane, side by side in one run: CPU time (user+system, all processes of the
# server, from /proc/PID/task/*/schedstat) over requests, 32 keep-alive clients, 1 KB answers, one child of the event MPM.
#
#   ours, mod_proxy         the whole request
#   redirect                httpd answering `Redirect 204` itself: what both pay before any proxying
#   own part                total minus redirect
#
# Usage: bench/blocking-lane.pl --build DIR [--rounds 5] [--requests 60000] [--json FILE]
# Needs apache2-bin (with mod_proxy, for comparison only), nghttp2-client (h2load), strace. Load goes to 127.0.0.1 only.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Getopt::Long;
use IO::Select;
use IO::Socket::INET;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(time);

my %opt = (build => '', rounds => 5, requests => 60000, clients => 32, json => '', httpd => '/usr/sbin/apache2',
           moddir => '/usr/lib/apache2/modules', strace => 10000);
GetOptions(\%opt, 'build=s', 'rounds=i', 'requests=i', 'clients=i', 'json=s', 'httpd=s', 'moddir=s', 'strace=i') or die "usage: see the top of $0\n";
$opt{build} = abs_path($opt{build} || dirname(__FILE__) . '/../build') or die "no build directory; --build DIR\n";
my $dir = tempdir('rproxy-bench-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my @pids;
END { kill 'TERM', $_ for @pids; waitpid $_, 0 for @pids; }

sub free_port {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die "no port: $!";
    return $s->sockport;
}

sub slurp { my ($f) = @_; open my $h, '<', $f or return ''; local $/; my $t = <$h>; return defined $t ? $t : ''; }

sub wait_port {
    my ($port, $pid) = @_;
    for (1 .. 200) {
        return if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 1);
        die "server $pid ended before it listened\n" if waitpid($pid, WNOHANG) == $pid;
        select undef, undef, undef, 0.05;
    }
    die "nothing listens on port $port\n";
}

# The backend: one process, answers every request with 1 KB, counts connections.
sub start_backend {
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1024) or die "backend: $!";
    my $port = $listen->sockport;
    my $count = "$dir/accepted";
    my $pid = fork // die "fork: $!";
    if ($pid) { push @pids, $pid; return ($port, $pid, $count); }
    @pids = ();
    my $answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" . ('x' x 1024);
    my ($accepted, %buf) = (0);
    my $sel = IO::Select->new($listen);
    local $SIG{USR1} = sub { open my $h, '>', "$count.new"; print $h $accepted; close $h; rename "$count.new", $count; };
    local $SIG{PIPE} = 'IGNORE';
    while (1) {
        for my $fh ($sel->can_read(1)) {
            if ($fh == $listen) { my $c = $listen->accept or next; $accepted++; $sel->add($c); $buf{$c} = ''; next; }
            my $n = sysread $fh, $buf{$fh}, 65536, length $buf{$fh};
            if (!$n) { $sel->remove($fh); delete $buf{$fh}; close $fh; next; }
            while ($buf{$fh} =~ s/^.*?\r\n\r\n//s) { syswrite $fh, $answer; }
        }
    }
    exit 0;
}

sub accepted {
    my ($pid, $file) = @_;
    unlink $file;
    kill 'USR1', $pid;
    for (1 .. 100) { return 0 + slurp($file) if -e $file; select undef, undef, undef, 0.02; }
    die "the backend does not answer\n";
}

sub start_httpd {
    my ($name, $modules, $config) = @_;
    my $port = free_port();
    my $d = "$dir/$name";
    mkdir $d;
    my $user = $> == 0 ? "User nobody\nGroup nogroup\n" : '';
    open my $h, '>', "$d/httpd.conf" or die $!;
    print $h <<"EOC";
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
    close $h;
    my $pid = fork // die "fork: $!";
    if (!$pid) { exec $opt{httpd}, '-DFOREGROUND', '-f', "$d/httpd.conf"; die "exec: $!"; }
    push @pids, $pid;
    wait_port($port, $pid);
    return {name => $name, port => $port, pid => $pid, dir => $d};
}

sub family {
    my ($root) = @_;
    my @all = ($root);
    for my $stat (glob '/proc/[0-9]*/stat') {
        my ($pid, $ppid) = slurp($stat) =~ /^(\d+) \(.*\) \S (\d+)/s or next;
        push @all, $pid if $ppid == $root;
    }
    return @all;
}

# Nanoseconds on the CPU of all threads of a server.
sub cpu_ns {
    my ($srv) = @_;
    my $sum = 0;
    for my $pid (family($srv->{pid})) {
        $sum += (split ' ', slurp($_))[0] || 0 for glob "/proc/$pid/task/*/schedstat";
    }
    return $sum;
}

sub load_run {
    my ($srv, $path, $n) = @_;
    my $out = `h2load --h1 -n $n -c $opt{clients} -t 1 http://127.0.0.1:$srv->{port}$path 2>&1`;
    my ($ok) = $out =~ /(\d+) succeeded/;
    my ($failed, $errored) = $out =~ /(\d+) failed, (\d+) errored/;
    my ($rps) = $out =~ /, ([\d.]+) req\/s/;
    my ($x2, $x3, $x4, $x5) = $out =~ /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/;
    die "h2load said:\n$out" if !defined $ok;
    return {ok => $ok, errors => $failed + $errored + $x4 + $x5, rps => $rps};
}

sub measure {
    my ($srv, $path) = @_;
    load_run($srv, $path, $opt{clients} * 20); # connections and pools are warm
    my $before = cpu_ns($srv);
    my $run = load_run($srv, $path, $opt{requests});
    $run->{us} = (cpu_ns($srv) - $before) / 1000 / $opt{requests};
    return $run;
}

sub syscalls {
    my ($srv, $path) = @_;
    my @family = family($srv->{pid});
    my $child = $family[1] or return undef;
    my $out = "$dir/strace.$srv->{name}";
    my $pid = fork // die "fork: $!";
    if (!$pid) { open STDERR, '>', '/dev/null'; exec 'strace', '-f', '-c', '-o', $out, '-p', $child; exit 127; }
    select undef, undef, undef, 1.0; # strace says nothing when it has attached
    load_run($srv, $path, $opt{strace});
    kill 'INT', $pid;
    waitpid $pid, 0;
    my %calls;
    for (split /\n/, slurp($out)) {
        my @f = split ' ';
        next if @f < 5 || $f[0] !~ /^[\d.]+$/ || $f[-1] eq 'total';
        $calls{$f[-1]} = $f[3] / $opt{strace};
    }
    return \%calls;
}

sub median { my @s = sort { $a <=> $b } @_; return @s % 2 ? $s[$#s / 2] : ($s[@s / 2 - 1] + $s[@s / 2]) / 2; }

my ($bport, $bpid, $bcount) = start_backend();
my $ours = start_httpd('ours', "LoadModule rproxy_module $opt{build}/.libs/mod_rproxy.so", "ProxyPass /p http://127.0.0.1:$bport/");
my $stock = start_httpd('mod_proxy', "LoadModule proxy_module $opt{moddir}/mod_proxy.so\nLoadModule proxy_http_module $opt{moddir}/mod_proxy_http.so",
                        "ProxyPass /p http://127.0.0.1:$bport/");
my %rows = (ours => [$ours, '/p/1k'], mod_proxy => [$stock, '/p/1k'], redirect => [$ours, '/r204'], 'redirect/stock' => [$stock, '/r204']);
my (%us, %rps, %errors, %conns);
for my $round (1 .. $opt{rounds}) {
    for my $name (sort keys %rows) {
        my $a0 = accepted($bpid, $bcount);
        my $m = measure(@{$rows{$name}});
        push @{$us{$name}}, $m->{us};
        push @{$rps{$name}}, $m->{rps};
        $errors{$name} += $m->{errors};
        $conns{$name} += accepted($bpid, $bcount) - $a0;
        printf "round %d %-15s %7.2f us/request %9.0f requests/s %d errors\n", $round, $name, $m->{us}, $m->{rps}, $m->{errors};
    }
}
printf "\n%-15s %12s %12s %8s %20s\n", 'median of ' . $opt{rounds}, 'us/request', 'requests/s', 'errors', 'backend connections';
printf "%-15s %12.2f %12.0f %8d %20d\n", $_, median(@{$us{$_}}), median(@{$rps{$_}}), $errors{$_}, $conns{$_} for sort keys %rows;
my $own = median(@{$us{ours}}) - median(@{$us{redirect}});
my $theirs = median(@{$us{mod_proxy}}) - median(@{$us{'redirect/stock'}});
printf "\nown part: ours %.2f us, mod_proxy %.2f us, ratio %.3f (bound 0.65)\n", $own, $theirs, $own / $theirs;
my %calls;
for my $name ('ours', 'mod_proxy', 'redirect') {
    my $c = $calls{$name} = syscalls(@{$rows{$name}}) or next;
    my $sum = 0;
    $sum += $_ for values %$c;
    printf "system calls per request, %-10s %5.2f: %s\n", $name, $sum,
        join ', ', map { sprintf '%s %.2f', $_, $c->{$_} } grep { $c->{$_} >= 0.01 } sort { $c->{$b} <=> $c->{$a} } keys %$c;
}
if ($opt{json}) {
    open my $h, '>', $opt{json} or die "$opt{json}: $!";
    my $j = join ', ', map { sprintf '"%s": {"us": %.3f, "rps": %.1f, "errors": %d, "backend_connections": %d}', $_, median(@{$us{$_}}), median(@{$rps{$_}}), $errors{$_}, $conns{$_} } sort keys %rows;
    printf $h "{\"requests\": %d, \"rounds\": %d, %s, \"own_ratio\": %.4f}\n", $opt{requests}, $opt{rounds}, $j, $own / $theirs;
}
exit(grep({ $_ } values %errors) ? 1 : 0);
