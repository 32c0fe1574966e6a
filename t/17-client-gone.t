# SPDX-License-Identifier: Apache-2.0
# Clients that go away at every stage: the backend connection is given up, nothing leaks, one line in the log.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs now wait_until);
use RProxy::Server;

plan tests => 23, need {needs(qw(rproxy env))};

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(modules => [qw(env)], timeout => 20, config => <<"CONF");
ProxyPass /up $url/up upgrade=websocket
ProxyPass / $url/
<Location /sendcl>
    SetEnv proxy-sendcl
</Location>
CONF
get($s, '/id/1');
my ($child) = $s->children;
sub fds { my $n = () = glob "/proc/$child/fd/*"; return $n }
$backend->idle('close');
get($s, '/id/1', close => 1);
$backend->idle('close');
my $before = fds();

sub gone { my ($name) = @_; ok $backend->await('busy', '==', 0), "$name: the backend is free again"; }

for my $how (qw(abort close)) {
    # during the prefetch
    my $c = RProxy::Client->new($s);
    $c->send("POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc");
    $c->$how;
    gone("$how in the prefetch");
    # during the spool
    $c = RProxy::Client->new($s);
    $c->send("POST /sendcl HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n" . ('x' x 65536) . "\r\n10000\r\nabc");
    $c->$how;
    gone("$how in the spool");
    # while the body streams
    $c = RProxy::Client->new($s);
    $c->send("POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" . ('x' x 50000));
    ok $backend->await('busy', '==', 1), 'the body streams';
    $c->$how;
    gone("$how in the body");
    $c = RProxy::Client->new($s);
    $c->send("POST /sink HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n" . ('x' x 65536) . "\r\n10000\r\nabc");
    ok $backend->await('busy', '==', 1), 'the chunked body streams';
    $c->$how;
    gone("$how in the chunked body");
    # both ways at once
    $c = RProxy::Client->new($s);
    $c->send("POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n" . ('x' x 65536) . "\r\n10000\r\nabc");
    $c->read_exact(30000);
    $c->$how;
    gone("$how in both bodies");
    # in the middle of the answer
    $c = RProxy::Client->new($s);
    $c->request('GET', '/bytes/30000000');
    $c->read_exact(100000);
    $c->$how;
    gone("$how in the answer");
    # between two events
    $c = RProxy::Client->new($s);
    $c->request('GET', "/sse?n=3&wait-each=sse$how");
    $c->read_until(qr/event 1/);
    $c->$how;
    for (1 .. 2) { $backend->signal("sse$how") }
    gone("$how between events");
    # in a tunnel
    $backend->script('/up/t', qq{send "HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\nhello"\nrecv eof\n});
    $c = RProxy::Client->new($s);
    $c->request('GET', '/up/t', headers => [Connection => 'Upgrade', Upgrade => 'websocket']);
    $c->read_until(qr/hello/);
    $c->$how;
    gone("$how in the tunnel");
}
# a fresh child state: all idle connections closed
$backend->idle('close');
is get($s, '/id/9')->body, "id 9 -\n", 'the server goes on';
$backend->idle('close');
ok wait_until(10, sub { get($s, '/id/1'); $backend->idle('close'); fds() <= $before + 3 }), 'no descriptor is lost';
my $text = $s->error_log;
my %why;
$why{$1}++ while $text =~ /RP0200: ([\w-]+):/g;
is join(' ', grep { !/^client-/ } sort keys %why), '', 'only the client is blamed';
$backend->allow_violations; # requests broken off
