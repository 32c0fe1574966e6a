#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Side by side, in turns, on this machine: this project's modules in each lane, httpd's own proxy modules, nginx, HAProxy.
#
# Rows measured as CPU time (user+system, all processes of a server, from /proc) for one request, and requests/s, with 32
# keep-alive clients; every row is repeated in rounds, everybody once a round in changing order:
#   1k 100k 10m     bodies of 1 KB, 100 KB, 10 MB, plain on both sides
#   tls             1 KB, clients by TLS 1.3
#   tls-backend     1 KB, the backend behind TLS
#   balancer        1 KB, two members
#   close           1 KB, one request for each client connection
# Rows of their own:
#   syscalls        system calls for one request of 1 KB (strace -c)
#   p99-1k p99-100k latency in an open loop at half of nginx's highest rate of this run
#   waiting         4000 clients before a backend that takes one second: answers/s, memory for each that waits
#   tunnels         4000 idle WebSockets: how many open, memory for each, how many still echo
#
# A row in which nginx's own rounds lie more than 8 % apart says nothing about small differences: it is repeated once, and marked.
#
# Usage: bench/compare.pl --build DIR [--rounds 5] [--rows 1k,tls] [--only ours,nginx] [--scale 1] [--json FILE] [--document FILE]
#   --document docs/performance.md puts the tables, the machine and the date between the two marks in that file.
#   --scale 0.1 makes a tenth of the requests: a trial. Load goes to 127.0.0.1 only; what was started ends with the script.
# Needs what scripts/install-deps.sh --bench installs, and 12000 open files (ulimit -n).
use strict;
use warnings;
use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/lib";
use Getopt::Long;
use IO::Socket::INET;
use List::Util qw(min);
use POSIX qw(strftime ceil);
use RProxy::Bench qw(work_dir here slurp spit cpu_ns memory_kb start_backend backend_counts compile h2load wrk quantile median spread
    system_calls order stop_pid kernel_loss);
use RProxy::Contestants qw(start_backends start_contestant contestants);
use RProxy::Tunnels;
use Time::HiRes qw(time);

my %opt = (build => here() . '/../build', rounds => 5, rows => '', only => '', scale => 1, json => '', document => '', cc => 'cc',
           httpd => '/usr/sbin/apache2', moddir => '/usr/lib/apache2/modules', nginx => '/usr/sbin/nginx', haproxy => '/usr/sbin/haproxy',
           many => 4000);
GetOptions(\%opt, 'build=s', 'rounds=i', 'rows=s', 'only=s', 'scale=f', 'json=s', 'document=s', 'cc=s', 'httpd=s', 'moddir=s',
    'nginx=s', 'haproxy=s', 'many=i') or die "usage: see the top of $0\n";
$opt{build} = abs_path($opt{build}) or die "no build directory; --build DIR\n";

use constant {CLIENTS => 32, VOID_SPREAD => 0.08, WAIT_SECONDS => 8, TRACED => 10000};
my @all_rows = qw(1k 100k 10m tls tls-backend balancer close syscalls p99-1k p99-100k waiting tunnels);
my %cost = ( # path, requests of a round, TLS
    '1k' => ['/p/1k', 20000], '100k' => ['/p/100k', 6000], '10m' => ['/p/10m', 96], tls => ['/p/1k', 12000, 1],
    'tls-backend' => ['/s/1k', 10000], balancer => ['/b/1k', 12000],
);
my @rows = $opt{rows} ? split /,/, $opt{rows} : @all_rows;
for my $row (@rows) { grep { $_ eq $row } @all_rows or die "no row \"$row\"; there are @all_rows\n"; }

my (%result, @names, %server, @backends);

sub say_now { local $| = 1; printf "%s %s\n", strftime('%H:%M:%S', localtime), shift; return; }
sub url { my ($s, $path, $tls) = @_; return ($tls ? "https://127.0.0.1:$s->{tls}" : "http://127.0.0.1:$s->{port}") . $path; }
sub at_least { my ($n, $least) = @_; return $n > $least ? int $n : $least; }

# ---- rows of CPU time ----

sub load {
    my ($s, $row, $part) = @_;
    return wrk(url($s, '/p/1k'), clients => CLIENTS, seconds => $part < 1 ? 1 : ceil(2 * $opt{scale})) if $row eq 'close';
    my ($path, $n, $tls) = @{$cost{$row}};
    return h2load(url($s, $path, $tls), clients => CLIENTS, requests => at_least($n * $opt{scale} * $part, CLIENTS));
}

sub cost_once {
    my ($s, $row) = @_;
    load($s, $row, 0.05); # connections are open, memory is warm
    my $before = cpu_ns($s->{pid});
    my $run = load($s, $row, 1);
    $run->{us} = (cpu_ns($s->{pid}) - $before) / 1000 / ($run->{ok} || 1);
    return $run;
}

sub cost_rounds {
    my ($row) = @_;
    my %seen = map { $_ => {us => [], rps => [], errors => 0} } @names;
    for my $round (1 .. $opt{rounds}) {
        for my $name (order($round, @names)) {
            my $run = cost_once($server{$name}, $row);
            push @{$seen{$name}{us}}, $run->{us};
            push @{$seen{$name}{rps}}, $run->{rps};
            $seen{$name}{errors} += $run->{errors};
            $seen{$name}{cipher} = $run->{cipher} if $run->{cipher};
        }
    }
    my $measure = $seen{nginx} || $seen{$names[0]};
    return (\%seen, spread(@{$measure->{us}}));
}

sub row_cost {
    my ($row) = @_;
    my ($seen, $spread) = cost_rounds($row);
    if ($spread > VOID_SPREAD) {
        say_now(sprintf '%s: the rounds lie %.0f %% apart; once more', $row, 100 * $spread);
        ($seen, $spread) = cost_rounds($row);
    }
    my %r = (spread => $spread, void => $spread > VOID_SPREAD ? 1 : 0);
    for my $name (@names) {
        my $s = $seen->{$name};
        $r{$name} = {us => median(@{$s->{us}}), least_us => min(@{$s->{us}}), rps => median(@{$s->{rps}}), errors => $s->{errors}, spread => spread(@{$s->{us}})};
        $r{$name}{cipher} = $s->{cipher} if $s->{cipher};
    }
    return \%r;
}

# ---- system calls ----

sub row_syscalls {
    my %r;
    my $n = at_least(TRACED * $opt{scale}, CLIENTS);
    for my $name (@names) {
        my $s = $server{$name};
        my $calls = system_calls($s->{pid}, $n, sub { h2load(url($s, '/p/1k'), clients => CLIENTS, requests => $n) });
        my $sum = 0;
        $sum += $_ for values %$calls;
        $r{$name} = {sum => $sum, calls => {map { $_ => $calls->{$_} } grep { $calls->{$_} >= 0.01 } keys %$calls}};
    }
    return \%r;
}

# ---- latency ----

# The highest rate that nginx reached with this body, measured here when its row was not.
sub half_of_nginx {
    my ($body) = @_;
    my $most = $result{$body}{nginx} ? $result{$body}{nginx}{rps} : cost_once($server{nginx}, $body)->{rps};
    return $most / 2;
}

sub row_p99 {
    my ($body) = @_;
    return {skipped => 'nginx is not among those measured'} if !$server{nginx};
    my $rate = half_of_nginx($body);
    my %seen;
    for my $round (1 .. $opt{rounds}) {
        for my $name (order($round, @names)) {
            my $run = h2load(url($server{$name}, $cost{$body}[0]), clients => CLIENTS, requests => at_least($rate * 2 * $opt{scale}, 320),
                rps => int($rate / CLIENTS) || 1, log => work_dir() . '/latencies');
            push @{$seen{$name}{p99}}, quantile(0.99, @{$run->{us}});
            push @{$seen{$name}{p50}}, quantile(0.5, @{$run->{us}});
            $seen{$name}{errors} += $run->{errors};
        }
    }
    my %r = (rate => $rate);
    $r{$_} = {p99_us => median(@{$seen{$_}{p99}}), p50_us => median(@{$seen{$_}{p50}}), errors => $seen{$_}{errors}} for @names;
    return \%r;
}

# ---- lanes and turns, as our servers tell them ----

# A page of a server that is ours.
sub page {
    my ($s, $path) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server{$s}{port}, Timeout => 2) or return '';
    print $sock "GET $path HTTP/1.0\r\nHost: localhost\r\n\r\n";
    local $/ = undef;
    return <$sock> // '';
}

# Before a server of ours ends: requests by lane; turns of its loops, how many took no more than 5 ms, and more than 20 ms.
sub listen_to {
    my ($s) = @_;
    my $text = $s =~ /^ours/ ? page($s, '/metrics') : '';
    my %lane = $text =~ /^rproxy_lane_requests_total\{lane="(\w+)"\} (\d+)/mg;
    $result{lanes}{$s}{$_} += $lane{$_} for keys %lane;
    my ($all) = $text =~ /^rproxy_loop_turn_seconds_count (\d+)/m or return;
    my ($quick) = $text =~ /^rproxy_loop_turn_seconds_bucket\{le="0\.005"\} (\d+)/m;
    my ($slow) = $text =~ /^rproxy_loop_slow_turns_total (\d+)/m;
    $result{turns}{$s}{turns} += $all;
    $result{turns}{$s}{quick} += $quick;
    $result{turns}{$s}{slow}  += $slow;
    return;
}

# ---- many that wait ----

# The most memory and the most requests before the backend while a load runs in the background.
sub memory_during {
    my ($s, $seconds, $load) = @_;
    my $before = memory_kb($s->{pid});
    pipe my $in, my $out or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my $run = $load->();
        print $out join ' ', map { $_ // 0 } @$run{qw(ok errors rps)};
        close $out;
        POSIX::_exit(0);
    }
    close $out;
    my ($most, $held) = (0, 0);
    my $end = time + $seconds;
    while (time < $end) {
        select undef, undef, undef, 0.2;
        my $now = memory_kb($s->{pid});
        $most = $now if $now > $most;
        my $waiting = backend_counts($backends[0])->{waiting};
        $held = $waiting if $waiting > $held;
    }
    my ($ok, $errors, $rps) = split ' ', <$in> // '0 0 0';
    waitpid $pid, 0;
    return {before_kb => $before, most_kb => $most, held => $held, ok => $ok, errors => $errors, rps => $rps};
}

# Each proxy anew, so that nobody's memory is that of earlier rows.
sub fresh {
    my ($name) = @_;
    listen_to($name) if $name ne 'ours-blocking'; # its threads may be busy for a minute with what clients have left behind
    stop_pid($server{$name}{pid}, $server{$name}{httpd} ? 'WINCH' : 'TERM');
    $server{$name} = start_contestant($name);
    h2load(url($server{$name}, '/p/1k'), clients => CLIENTS, requests => 2000);
    return $server{$name};
}

sub row_waiting {
    my %r;
    for my $name (@names) {
        my $s = fresh($name);
        my $m = memory_during($s, WAIT_SECONDS, sub { h2load(url($s, '/p/wait1000'), clients => $opt{many}, seconds => WAIT_SECONDS) });
        $r{$name} = {answers_s => $m->{rps}, errors => $m->{errors}, held => $m->{held},
            kb_each => ($m->{most_kb} - $m->{before_kb}) / ($m->{held} || 1)};
        say_now(sprintf 'waiting %s: %.0f answers/s, %d at once', $name, $m->{rps}, $m->{held});
        fresh($name);
    }
    return \%r;
}

sub row_tunnels {
    my %r;
    for my $name (@names) {
        my $s = fresh($name);
        my $before = memory_kb($s->{pid});
        my $tunnels = RProxy::Tunnels->new($s->{port}, 3);
        my $n = $tunnels->open_up_to($opt{many});
        select undef, undef, undef, 1;
        $r{$name} = {open => $n, kb_each => $n ? (memory_kb($s->{pid}) - $before) / $n : 0, echoing => $tunnels->echoing()};
        $tunnels->close_all();
        say_now(sprintf 'tunnels %s: %d open', $name, $n);
        fresh($name);
    }
    return \%r;
}

# ---- output ----

sub json {
    my ($v) = @_;
    return '{' . join(', ', map { "\"$_\": " . json($v->{$_}) } sort keys %$v) . '}' if ref $v eq 'HASH';
    return '[' . join(', ', map { json($_) } @$v) . ']' if ref $v eq 'ARRAY';
    return 'null' if !defined $v;
    return $v =~ /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[-+]?\d+)?$/i ? $v : '"' . $v =~ s/(["\\])/\\$1/gr . '"';
}

sub machine {
    my ($cpu) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.+)$/m;
    my $cores = () = slurp('/proc/cpuinfo') =~ /^processor/mg;
    my ($memory) = slurp('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
    my $out = sub { my $t = `$_[0] 2>&1`; chomp $t; return (split /\n/, $t)[0] // ''; };
    return {cpu => $cpu, cores => $cores, memory_mb => int($memory / 1024), kernel => $out->('uname -r'), date => strftime('%Y-%m-%d', gmtime),
            httpd => $out->("$opt{httpd} -v") =~ s/^Server version: //r, nginx => $out->("$opt{nginx} -v") =~ s/^nginx version: //r,
            load => join(' ', (split ' ', slurp('/proc/loadavg'))[0 .. 2]),
            haproxy => $out->("$opt{haproxy} -v") =~ s/^HAProxy version (\S+).*/HAProxy $1/r, h2load => $out->('h2load --version') =~ s/ nghttp2//r};
}

sub cell {
    my ($row, $name) = @_;
    my $v = $result{$row}{$name} or return '-';
    my $bad = $v->{errors} ? " ($v->{errors} errors)" : '';
    return sprintf('%.1f', $v->{us}) . $bad if defined $v->{us};
    return sprintf '%.2f', $v->{sum} if defined $v->{sum};
    return sprintf('%.2f / %.2f', $v->{p50_us} / 1000, $v->{p99_us} / 1000) . $bad if defined $v->{p99_us};
    return sprintf('%.0f/s, %d at once, %.1f KB', @$v{qw(answers_s held kb_each)}) . $bad if defined $v->{answers_s};
    return sprintf '%d open, %.1f KB, %d echo', @$v{qw(open kb_each echoing)};
}

sub table {
    my %title = ('1k' => '1 KB, us', '100k' => '100 KB, us', '10m' => '10 MB, us', tls => '1 KB, TLS client, us',
                 'tls-backend' => '1 KB, TLS backend, us', balancer => '1 KB, balancer of two, us', close => '1 KB, a connection each, us',
                 syscalls => 'system calls, 1 KB', 'p99-1k' => '1 KB: median / p99, ms', 'p99-100k' => '100 KB: median / p99, ms',
                 waiting => "$opt{many} waiting a second", tunnels => "$opt{many} idle WebSockets");
    my @lines = ('| | ' . join(' | ', @names) . ' |', '|---|' . '---|' x @names);
    for my $row (grep { $result{$_} } @rows) {
        my $note = $result{$row}{void} ? sprintf(' (unquiet: %.0f %%)', 100 * $result{$row}{spread}) : '';
        push @lines, "| $title{$row}$note | " . join(' | ', map { cell($row, $_) } @names) . ' |';
    }
    return join "\n", @lines, '' if !grep { $result{$_} && ($cost{$_} || $_ eq 'close') } @rows;
    push @lines, '', '| requests/s | ' . join(' | ', @names) . ' |', '|---|' . '---|' x @names;
    for my $row (grep { $result{$_} && ($cost{$_} || $_ eq 'close') } @rows) {
        push @lines, "| $row | " . join(' | ', map { sprintf '%.0f', $result{$row}{$_}{rps} } @names) . ' |';
    }
    return join "\n", @lines, '';
}

# The tables with what one must know about them.
sub report {
    my ($m, $drops) = @_;
    my $text = table() . "\n$m->{date}, $m->{cores} cores of $m->{cpu}, $m->{memory_mb} MB, Linux $m->{kernel}; $m->{httpd}, $m->{nginx}, $m->{haproxy}; "
        . 'load by ' . $m->{h2load} . '; ' . CLIENTS . " clients; medians of $opt{rounds} rounds";
    $text .= "; load average at the end $m->{load}";
    $text .= "; $drops connections were refused by a full listen queue" if $drops;
    for my $name (sort keys %{$result{lanes} || {}}) {
        my $lane = $result{lanes}{$name};
        $text .= "; lanes of $name: " . join ', ', map { "$_ $lane->{$_}" } sort keys %$lane;
    }
    for my $name (sort keys %{$result{turns} || {}}) {
        my $seen = $result{turns}{$name}{turns} ? $result{turns}{$name} : next;
        $text .= sprintf '; loop of %s: %d turns, %.3f %% of them within 5 ms, %d over 20 ms', $name, $seen->{turns},
            100 * $seen->{quick} / $seen->{turns}, $seen->{slow};
    }
    return "$text.\n";
}

# Between the marks of a document.
sub update_document {
    my ($file, $text) = @_;
    my $document = slurp($file);
    $document =~ s/(<!-- begin compare\.pl -->\n).*?(<!-- end compare\.pl -->)/$1$text$2/s or die "$file has no marks of compare.pl\n";
    spit($file, $document);
    return;
}

# ---- run ----

my $lost = kernel_loss();
my $program = compile($opt{cc}, 'backend.c');
@backends = map { start_backend($program) } 1, 2;
if (!start_backends(\%opt, @backends)) {
    say_now('no nginx: the rows tls-backend and p99 are left out');
    @rows = grep { !/^(?:tls-backend|p99)/ } @rows;
}
@names = contestants();
if ($opt{only}) {
    my %asked = map { $_ => 1 } split /,/, $opt{only};
    @names = grep { delete $asked{$_} } @names;
    die "nobody here is called ", join(' ', sort keys %asked), "\n" if %asked;
}
$server{$_} = start_contestant($_) for @names;
for my $row (@rows) {
    say_now("row $row");
    $result{$row} = $cost{$row} || $row eq 'close' ? row_cost($row)
        : $row eq 'syscalls' ? row_syscalls() : $row =~ /^p99-(.*)/ ? row_p99($1) : $row eq 'waiting' ? row_waiting() : row_tunnels();
}
listen_to($_) for @names;
my $machine = machine();
$lost = kernel_loss() - $lost;
my $report = report($machine, $lost);
print "\n$report";
my %whole = (machine => $machine, rounds => $opt{rounds}, clients => CLIENTS, listen_drops => $lost, rows => \%result);
spit($opt{json}, json(\%whole) . "\n") if $opt{json};
update_document($opt{document}, $report) if $opt{document};
my $errors = 0;
for my $row (@result{@rows}) { $errors += $_->{errors} || 0 for grep { ref } values %$row; }
exit($errors ? 1 : 0);
