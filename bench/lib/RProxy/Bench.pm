# SPDX-License-Identifier: Apache-2.0
package RProxy::Bench;

# What the measurements have in common: servers on 127.0.0.1 that end with the script, CPU time and memory of all processes of a
# server from /proc, load by h2load and wrk, system calls by strace, and the numbers made of them.

use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(time);

our @EXPORT_OK = qw(work_dir here free_port slurp spit spawn stop_pid wait_port family cpu_ns memory_kb start_backend backend_counts
    compile fill h2load wrk quantile median quartiles spread system_calls order kernel_loss);

my @pids; # of this process, to end with it
my $dir;
END { my $status = $?; stop_pid($_) for reverse my @left = @pids; $? = $status; }
$SIG{INT} = $SIG{TERM} = sub { exit 130 };

# The directory bench/ of the sources.
sub here { return abs_path(dirname(__FILE__) . '/../..') }

# A directory that everybody may read, gone at the end.
sub work_dir {
    $dir ||= tempdir('rproxy-bench-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;
    return $dir;
}

my @held; # ports given out stay bound until all were given out, so that no two are the same
sub free_port {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1, ReuseAddr => 1) or die "no port: $!";
    push @held, $s;
    return $s->sockport;
}

sub slurp { my ($f) = @_; open my $h, '<', $f or return ''; local $/; my $t = <$h>; return $t // ''; }

sub spit {
    my ($f, $text) = @_;
    open my $h, '>', $f or die "$f: $!";
    print $h $text or die "$f: $!";
    close $h or die "$f: $!";
    return $f;
}

# A template of bench/ with @NAME@ filled in.
sub fill {
    my ($file, %with) = @_;
    my $text = slurp(here() . "/$file") or die "no $file";
    $text =~ s/\@([A-Z_]+)\@/$with{$1} \/\/ die "$file: nothing for \@$1\@\n"/ge;
    return $text;
}

# Run a program; its output goes to $log. Returns the process id.
sub spawn {
    my ($log, @argv) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        @pids = ();
        close $_ for @held;
        open STDIN, '<', '/dev/null' or die;
        open STDOUT, '>>', $log or die "$log: $!";
        open STDERR, '>&', \*STDOUT or die;
        { exec @argv }
        POSIX::_exit(127);
    }
    push @pids, $pid;
    return $pid;
}

# End a process that was started here, and wait for it; one that does not listen is killed.
sub stop_pid {
    my ($pid, $signal) = @_;
    @pids = grep { $_ != $pid } @pids;
    kill $signal || 'TERM', $pid;
    for (1 .. 200) {
        return if waitpid($pid, WNOHANG) != 0;
        select undef, undef, undef, 0.05;
    }
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return;
}

sub wait_port {
    my ($port, $pid, $log) = @_;
    for (1 .. 200) {
        return if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 1);
        if (waitpid($pid, WNOHANG) == $pid) {
            @pids = grep { $_ != $pid } @pids;
            die "a server ended before it listened:\n" . slurp($log);
        }
        select undef, undef, undef, 0.05;
    }
    die "nothing listens on port $port\n" . slurp($log);
}

# Before a server starts: the ports that it was given are let go.
sub release_ports { @held = (); return; }

# ---- processes ----

# A process and its children.
sub family {
    my ($root) = @_;
    my @all = ($root);
    for my $stat (glob '/proc/[0-9]*/stat') {
        my ($pid, $ppid) = slurp($stat) =~ /^(\d+) \(.*\) \S (\d+)/s or next;
        push @all, $pid if $ppid == $root;
    }
    return @all;
}

# Nanoseconds on the CPU (user and system) of all threads of a server.
sub cpu_ns {
    my ($root) = @_;
    my $sum = 0;
    for my $pid (family($root)) {
        $sum += (split ' ', slurp($_))[0] || 0 for glob "/proc/$pid/task/*/schedstat";
    }
    return $sum;
}

# Memory of its own (kB): anonymous and shared pages of all processes, without mapped files.
sub memory_kb {
    my ($root) = @_;
    my $sum = 0;
    for my $pid (family($root)) {
        my $status = slurp("/proc/$pid/status");
        $sum += $1 while $status =~ /^Rss(?:Anon|Shmem):\s+(\d+)/mg;
    }
    return $sum;
}

# Packets that the loopback lost or the listen queues refused: with any of them a run says nothing.
sub kernel_loss {
    my @names = my @values = ();
    for my $line (grep { /^TcpExt:/ } split /\n/, slurp('/proc/net/netstat')) {
        my @f = split ' ', $line;
        @names ? (@values = @f) : (@names = @f);
    }
    my %v;
    @v{@names} = @values;
    return ($v{ListenOverflows} || 0) + ($v{ListenDrops} || 0);
}

# ---- the backend ----

sub compile {
    my ($cc, $source) = @_;
    (my $name = $source) =~ s{.*/|\.c$}{}g;
    my $out = work_dir() . "/$name";
    system($cc, '-O2', '-o', $out, here() . "/$source") == 0 or die "$cc can not compile $source\n";
    return $out;
}

# backend.c, for as long as this script lives. Returns {port, pid, ...}.
sub start_backend {
    my ($program) = @_;
    pipe my $ours_in, my $its_out or die "pipe: $!";
    pipe my $its_in, my $ours_out or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDIN, '<&', $its_in or die;
        open STDOUT, '>&', $its_out or die;
        close $_ for $ours_out, $ours_in, @held;
        { exec $program }
        POSIX::_exit(127);
    }
    close $its_out;
    close $its_in;
    push @pids, $pid;
    chomp(my $port = <$ours_in> // die "no backend\n");
    return {port => $port, pid => $pid, out => $ours_in, in => $ours_out};
}

# What a backend counts: accepted connections, those open now, answers that are not due yet.
sub backend_counts {
    my ($backend) = @_;
    kill 'USR1', $backend->{pid};
    my %count = readline($backend->{out}) =~ /(\w+)=(\d+)/g or die "the backend does not answer\n";
    return \%count;
}

# ---- load ----

sub microseconds {
    my ($number, $unit) = @_;
    return $number * { us => 1, ms => 1000, s => 1_000_000 }->{$unit};
}

# h2load over HTTP/1.1: {ok, errors, rps}; with log => FILE also latencies: us => [sorted].
sub h2load {
    my ($url, %how) = @_;
    my @argv = ('h2load', '--h1', '-N', 20, '-t', 1, '-c', $how{clients}); # a connection that hears nothing for 20 s is an error
    push @argv, $how{seconds} ? ('-D', $how{seconds}) : ('-n', $how{requests});
    push @argv, '--warm-up-time', $how{warmup} if $how{warmup};
    push @argv, '--rps', $how{rps} if $how{rps};
    push @argv, '--log-file', $how{log} if $how{log};
    unlink $how{log} if $how{log};
    open my $h, '-|', @argv, $url or die "h2load: $!";
    my $out = do { local $/; <$h> };
    close $h;
    my ($ok, $failed, $errored) = $out =~ /(\d+) succeeded, (\d+) failed, (\d+) errored/ or die "h2load said:\n$out";
    my ($rps) = $out =~ /, ([\d.]+) req\/s/;
    my ($x2, $x3, $x4, $x5) = $out =~ /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/;
    my ($cipher) = $out =~ /^Cipher: (\S+)/m;
    my $result = {ok => $ok, errors => $failed + $errored + $x4 + $x5, rps => $rps, cipher => $cipher};
    $result->{us} = [sort { $a <=> $b } map { (split /\t/)[2] } split /\n/, slurp($how{log})] if $how{log};
    return $result;
}

# wrk with one connection for each request. Its errors count what was cut, too.
sub wrk {
    my ($url, %how) = @_;
    my $out = `wrk -t 1 -c $how{clients} -d $how{seconds} -H 'Connection: close' '$url' 2>&1`;
    my ($ok) = $out =~ /(\d+) requests in/ or die "wrk said:\n$out";
    my ($rps) = $out =~ /Requests\/sec:\s+([\d.]+)/;
    my $errors = ($out =~ /Non-2xx or 3xx responses: (\d+)/) ? $1 : 0;
    $errors += $1 + $2 + $3 if $out =~ /Socket errors: connect (\d+), read \d+, write (\d+), timeout (\d+)/;
    return {ok => $ok, errors => $errors, rps => $rps};
}

# System calls of all processes of a server while $load runs, by name, for one request.
sub system_calls {
    my ($root, $requests, $load) = @_;
    my $out = work_dir() . '/strace';
    unlink $out;
    my $pid = spawn('/dev/null', 'strace', '-f', '-c', '-o', $out, map { ('-p', $_) } family($root));
    for my $process (family($root)) { # until it is attached everywhere
        for (1 .. 100) {
            last if slurp("/proc/$process/status") =~ /^TracerPid:\s+[1-9]/m;
            select undef, undef, undef, 0.05;
        }
    }
    $load->();
    stop_pid($pid, 'INT');
    my %calls;
    for (split /\n/, slurp($out)) {
        my @f = split ' ';
        next if @f < 5 || $f[0] !~ /^[\d.]+$/ || $f[-1] eq 'total';
        $calls{$f[-1]} = $f[3] / $requests;
    }
    return \%calls;
}

# ---- numbers ----

# Of a sorted list.
sub quantile { my ($q, @sorted) = @_; return $sorted[int($q * (@sorted - 1) + 0.5)]; }
sub median { my @s = sort { $a <=> $b } @_; return @s % 2 ? $s[$#s / 2] : ($s[@s / 2 - 1] + $s[@s / 2]) / 2; }
sub quartiles { my @s = sort { $a <=> $b } @_; return (quantile(0.25, @s), quantile(0.75, @s)); }

# How far the values lie apart, as a part of their median.
sub spread { my @s = sort { $a <=> $b } @_; return ($s[-1] - $s[0]) / median(@s); }

# The order of a round: not always the same one after the same other one.
sub order {
    my ($turn, @names) = @_;
    push @names, shift @names for 1 .. $turn % @names;
    return $turn % 2 ? reverse @names : @names;
}

1;
