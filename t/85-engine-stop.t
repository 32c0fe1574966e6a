# SPDX-License-Identifier: Apache-2.0
# The end of a child: helpers that wait do not hold up a stop, whatever they wait for; and what was on its way to a loop that has ended
# is cleaned up with it.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use IO::Socket::INET ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs now seconds wait_until build_dir);
use RProxy::Server;

plan tests => 19, need { needs(qw(rproxy mpm_event ssl socache_shmcb rewrite)) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;

# accepts by the kernel alone, and never says anything
my @silent = map { IO::Socket::INET->new(Listen => 128, LocalAddr => '127.0.0.1') // die "listen: $!" } 1 .. 3;
my @mute   = map { '127.0.0.1:' . $_->sockport } @silent;

# Stop at once; how long that took.
sub stop_time {
    my ($s) = @_;
    my $began = now();
    $s->stop('TERM') or return 1e9;
    return now() - $began;
}

# --- helpers that wait ---
local $ENV{LD_PRELOAD} = join ':', $ENV{LD_PRELOAD} || (), build_dir() . '/t/upstream/.libs/rp_names.so';
local $ENV{RP_SLOW_NAME} = 'slow.test=20';
for my $case (
    ['a TLS handshake with a silent backend', '/tls'],
    ['the answer of a silent backend',        '/handoff'],
    ['a look-up that takes 20 s',             '/slow', qr/RP0336: [1-9] helper threads can not be interrupted/],
    )
{
    my ($what, $target, $log) = @$case;
    my $s = RProxy::Server->new(timeout => 60, threads => 4, modules => [qw(socache_shmcb ssl)], config => <<"CONF");
SSLProxyEngine on
@{[join "\n", map { "ProxyPass /tls$_ https://$mute[$_]\nProxyPass /slow$_ http://slow.test:8$_\nProxyPass /handoff$_ http://$mute[$_]" } 0 .. 2]}
ProxyPass /b       $url
<LocationMatch ^/handoff>
    RProxyLane blocking
</LocationMatch>
CONF
    my @c = map { RProxy::Client->new($s) } 0 .. 2; # a backend each: a silent one holds one thread
    $c[$_]->request('GET', "$target$_/x") for 0 .. 2;
    is get($s, '/b/id/1')->status, 200, "$what: others are answered meanwhile";
    ok wait_until(10, sub { helpers($s) >= 1 }), 'helpers wait';
    my $took = stop_time($s);
    cmp_ok $took, '<', seconds(5), "and a stop does not wait for them ($took s)";
    if ($log) { like $s->error_log, $log, 'which is said' }
    else      { unlike $s->error_log, qr/RP0336/, 'they were interrupted' }
}

# Threads of the child beyond those that it had at first.
sub helpers {
    my ($s) = @_;
    my ($child) = $s->children or return 0;
    my $n = () = glob "/proc/$child/task/*";
    $s->{first_threads} //= 4 + 4; # main, listener, loop, caretaker and 4 of the MPM
    return $n - $s->{first_threads};
}

# --- one process: a connection that was given away and never looked at ---
{
    local $ENV{RPROXY_HTTPD_ARGS} = '-X';
    my $s = RProxy::Server->new(start => 0, threads => 4, loglevel => 'info rproxy:debug', modules => ['rewrite'], config => <<"CONF");
RewriteEngine on
RewriteMap slow "prg:__ROOT__/slow.pl"
RewriteRule ^/slow /b/id/\${slow:1}
ProxyPass /b $url
CONF
    my $map = $s->write_file('slow.pl', <<"PERL");
#!$^X
\$| = 1;
while (<STDIN>) {
    open my \$in, '>', '@{[$s->root]}/asked';
    select undef, undef, undef, 0.01 until -e '@{[$s->root]}/go';
    print "1\\n";
}
PERL
    chmod 0755, $map;
    chmod 0777, $s->root;
    ok $s->start, '-X: it starts';
    my $pid   = $s->{pid};
    my $tasks = sub { my $n = () = glob "/proc/$pid/task/*"; return $n };
    my $held  = RProxy::Client->new($s);
    $held->request('GET', '/slow');
    ok wait_until(10, sub { -e $s->root . '/asked' }), '-X: a hook holds the loop';
    my $all  = $tasks->();
    my $fds  = sub { my $n = () = glob "/proc/$pid/fd/*"; return $n };
    my $open = $fds->();
    my @late = map { RProxy::Client->new($s) } 1 .. 3;
    $_->send("GET /b/id/1 HT") for @late; # the kernel gives no connection before there are bytes
    ok wait_until(10, sub { $fds->() >= $open + 3 }), '-X: three more connections were accepted';
    kill 'TERM', $pid;
    ok wait_until(10, sub { $tasks->() <= $all - 5 }), '-X: the threads of the MPM are gone' or diag $all, ' ', $tasks->();
    $s->write_file('go', '');
    ok wait_until(10, sub { !$s->alive }), '-X: it ends';
    # the suite's own look whether the server answers may still be there
    like $s->error_log, qr/RP0337: event loop 0 ends; [45] client connections were still open/, '-X: all connections were closed before the rest went'
        or diag grep {/RP0337/} split /^/, $s->error_log;
    ok $s->stop, 'nothing is left of it';
}
