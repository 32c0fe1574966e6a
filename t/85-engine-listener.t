# SPDX-License-Identifier: Apache-2.0
# The listener of the event MPM may stop taking connections just when the last of its threads has become idle, and nobody wakes it any more: a loop does.
# The listener is made to lose the processor where that happens.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs build_dir now seconds wait_until);
use RProxy::Server;

plan tests => 7, need { needs(qw(rproxy mpm_event ssl socache_shmcb)) };

my $hellos  = 40;
my $backend = RProxy::Backend->new;
local $ENV{LD_PRELOAD} = join ':', $ENV{LD_PRELOAD} || (), build_dir() . '/t/upstream/.libs/rp_preempted.so';
my $s = RProxy::Server->new(threads => 4, loglevel => 'info mpm_event:debug rproxy:debug', modules => [qw(socache_shmcb ssl)], config => <<"CONF");
AcceptFilter http none
AcceptFilter https none
KeepAliveTimeout 60
ProxyPass /b @{[$backend->url]}
Listen 127.0.0.1:__PORT_tls__
<VirtualHost 127.0.0.1:__PORT_tls__>
    ServerName localhost
    __TLS__
</VirtualHost>
CONF

my $kept = RProxy::Client->new($s);
$kept->request('GET', '/b/id/1', id => 'kept');
is $kept->response->body, "id 1 kept\n", 'an idle connection';

# Their threads are all busy for a moment, and behind them comes a new client.
my $hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . 'r' x 20;
my ($round, $stopped, $r, $took) = (0);
while (!$stopped && $round++ < 8) {
    my @clients = map { RProxy::Client->new($s, port => 'tls') } 1 .. $hellos;
    wait_until(30, sub { $round * $hellos <= (() = $s->error_log =~ /AH01964/g) }) or die 'not accepted';
    $s->mark_log;
    $_->send($hello) for @clients;
    my $began = now();
    $r       = eval { get($s, '/b/id/2', id => 'new', timeout => 12) };
    $took    = now() - $began;
    $stopped = $s->wait_log(qr/All workers busy, not accepting new conns/, 0);
}
ok $stopped, 'the listener has stopped taking connections' or diag $s->error_log;
is $r && $r->body, "id 2 new\n", 'a new client is served';
cmp_ok $took, '<', seconds(4), "soon ($took s)";
ok $s->wait_log(qr/RP0360: the MPM takes no connections in this child: its listener is woken/, 0), 'because the listener was woken';
$kept->request('GET', '/b/id/3', id => 'kept');
is eval { $kept->response->body }, "id 3 kept\n", 'no idle connection was closed for that';
ok $s->stop, 'it stops';
