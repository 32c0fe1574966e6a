#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Chaos: clients and a backend that misbehave by a seed (rp_chaos), a proxy between them that restarts gracefully every few seconds and loses
# the processor where that hurts (mod_rp_chaos). No answer may be wrong, partial, crossed or missing; each fault happens often enough.
# Environment: CHAOS_SECONDS (600), CHAOS_SEED (of the clock; printed, and the same again with it), CHAOS_CLIENTS (12), and that of the suite.
# The last line: N passed, N failed.
use strict;
use warnings;
use Cwd            ();
use File::Basename ();

BEGIN {
    my $top = File::Basename::dirname(File::Basename::dirname(File::Basename::dirname(Cwd::abs_path($0))));
    unshift @INC, "$top/t/lib", grep { -d } "$top/.deps/perl";
}
use IPC::Open2 ();
use RProxy::Env qw(build_dir now wait_until);
use RProxy::Server;

my $seconds = $ENV{CHAOS_SECONDS} || 600;
my $seed    = $ENV{CHAOS_SEED}    || time;
my $clients = $ENV{CHAOS_CLIENTS} || 12;
my $share   = $seconds < 600 ? $seconds / 600 : 1; # of what ten minutes must bring
my ($passed, $failed) = (0, 0);
srand $seed;

sub ok {
    my ($good, $what) = @_;
    $good ? $passed++ : $failed++;
    print $good ? '  ok      ' : '  FAILED  ', "$what\n";
    return $good;
}

local $| = 1;
print "chaos for $seconds s with $clients clients, CHAOS_SEED=$seed\n";
my $pid = IPC::Open2::open2(my $out, my $in, build_dir() . '/t/chaos/rp_chaos', $seed, $seconds, $clients);
my ($port) = (<$out> // '') =~ /^port (\d+)/ or die "rp_chaos did not start\n";

my $module = build_dir() . '/t/chaos/.libs/mod_rp_chaos.so';
my $server = RProxy::Server->new(
    start     => 0,
    threads   => 16,
    processes => 2,
    timeout   => 30,
    modules   => [qw(ssl socache_shmcb reqtimeout)],
    config    => '',
);
my $count = $server->write_file('count', "\0" x 8);
chmod 0666, $count;
$ENV{RP_CHAOS_COUNT} = $count;
# /s/, for backends that stay silent, has a worker of its own: its short time is not for others on a machine that stands still for a moment.
$server->start(<<"CONF") or die $server->stderr . $server->error_log;
LoadModule rp_chaos_module $module
MaxKeepAliveRequests 0
ProxyPass /s/ http://localhost:$port/c/ timeout=1
ProxyPass /c/ http://127.0.0.1:$port/c/
Listen 127.0.0.1:__PORT_tls__
<VirtualHost 127.0.0.1:__PORT_tls__>
    ServerName localhost
    __TLS__
    ProxyPass /s/ http://localhost:$port/c/ timeout=1
    ProxyPass /c/ http://127.0.0.1:$port/c/
</VirtualHost>
CONF

my $began = now();
print {$in} $server->port, ' ', $server->port('tls'), "\n";
close $in;
my $restarts = 0;
while (now() - $began < $seconds - 3) {
    my $next = now() + 2 + rand 2;
    wait_until(10, sub { now() >= $next });
    $server->graceful and $restarts++;
}
my (%fault, %sum, @wrong);
while (my $line = <$out>) {
    if    ($line =~ /^fault (\S+) (\d+)/) { $fault{$1} = $2 }
    elsif ($line =~ /^wrong/)             { push @wrong, $line }
    elsif ($line =~ /^(\S+) (\d+)$/)      { $sum{$1} = $2 }
}
waitpid $pid, 0;
ok($? == 0, 'clients and backend came to their end');
my $rested = unpack 'Q', do { open my $f, '<', $count or die "$count: $!\n"; local $/; <$f> };

print map {"  $_"} @wrong;
ok(($sum{failed} // 1) == 0, ($sum{failed} // 'no count of') . ' answers wrong, partial, crossed or missing');
my $wanted = int 200_000 * $share;
ok(($sum{requests} // 0) >= $wanted, ($sum{requests} // 0) . " answers were checked, $wanted wanted");
ok($fault{$_} >= 100 * $share, "$_ $fault{$_} times") for sort keys %fault;
ok(keys %fault >= 17, 'every fault is counted');
ok($rested >= 100 * $share, "$rested times a millisecond while a connection was given away");
ok($restarts >= 100 * $share, "$restarts graceful restarts");
my $few = ($sum{requests} || 1) / 10_000;
ok($sum{retried} <= ($few > 1 ? $few : 1), "$sum{retried} times a used connection ended without a word");
ok($sum{'post-502'} <= $fault{'backend-idle-close'}, "$sum{'post-502'} uploads met a backend connection at its end");
print "  $sum{'cut-short'} pipelines were cut short by an announced close\n";
my @bad = grep { !/RP02\d\d: / && /:(?:crit|alert|emerg)\]|RP0300|RP0302|RP0303|RP0306/ } split /^/, $server->error_log;
ok(!@bad, 'nothing in the log that should not be') or print @bad[0 .. ($#bad < 20 ? $#bad : 20)];
my @crash = $server->complaints;
ok(!@crash, 'no crash') or print @crash;
print "\n$passed passed, $failed failed\n";
exit($failed ? 1 : 0);
