# SPDX-License-Identifier: Apache-2.0
# Clients that go away at every stage: the backend connection is given up, nothing leaks, one line in the log.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::H2;
use RProxy::Env qw(needs now seconds wait_until);
use RProxy::Server;

plan tests => 39, need {needs(qw(rproxy env setenvif http2))};

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(modules => [qw(env setenvif http2)], timeout => 60, config => <<"CONF");
ProxyPass /up $url/up upgrade=websocket
ProxyPass / $url/
Protocols h2c http/1.1
SetEnvIf Request_URI /eof/ rproxy-client-eof-aborts
<Location /blocking>
    RProxyLane blocking
</Location>
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
# before the answer begins, while the backend thinks: a client that only ends its stream may still read
for my $lane ('', '/blocking') {
    $backend->script("$lane/think/1", qq{wait think$lane\nsend "HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nwell"\n});
    $backend->script("$lane$_", "recv eof\n") for qw(/think/2 /eof/think);
    my $half = RProxy::Client->new($s);
    $half->request('GET', "$lane/think/1");
    $half->half_close;
    my $c = RProxy::Client->new($s);
    $c->request('GET', "$lane/think/2");
    ok $backend->await('busy', '==', 2), "$lane two requests wait for their answers";
    my $t = now();
    $c->abort;
    ok $backend->await('busy', '==', 1), 'one client resets its connection: the backend is free of it';
    cmp_ok now() - $t, '<', seconds(5), 'long before any time-out';
    ok $s->wait_log(qr/RP0200: client-gone: [^\n]*while the backend was waited for[^\n]*$lane\/think\/2/), 'and it is logged as what it is';
    $backend->signal("think$lane");
    is $half->response->body, 'well', 'the one that closed its writing half gets its answer';
    $half->close;
    $c = RProxy::Client->new($s);
    $c->request('GET', "$lane/eof/think");
    ok $backend->await('busy', '==', 1), 'a request waits for its answer';
    $c->close;
    gone('rproxy-client-eof-aborts: closed in wait of the answer');
}
$backend->script('/think/3', "recv eof\n");
my $c = RProxy::H2->new($s);
$c->request([':method' => 'GET', ':scheme' => 'http', ':authority' => 'x', ':path' => '/think/3']);
ok $backend->await('busy', '==', 1), 'a stream waits for its answer';
$c->reset;
gone('the stream is reset');
$c->{client}->close;
$backend->idle('close');
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
