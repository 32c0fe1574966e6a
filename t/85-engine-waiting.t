# SPDX-License-Identifier: Apache-2.0
# Waiting costs no thread: hundreds of slow requests, tunnels and half-sent heads in a child of eight threads, and everybody
# else is served at once. Without any line about limits.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use IO::Socket::INET ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs now seconds wait_until);
use RProxy::Server;

plan tests => 44, need { needs(qw(rproxy mpm_event ssl socache_shmcb http2)) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(threads => 8, modules => [qw(socache_shmcb ssl http2)], config => <<"CONF");
AcceptFilter http none
AcceptFilter https none
ProxyPass /b  $url
ProxyPass /ws $url/ws upgrade=websocket
LogFormat "%{X-Test-Id}i %{rproxy-lane}n" lanes
CustomLog "__ROOT__/lanes" lanes
Listen 127.0.0.1:__PORT_tls__
<VirtualHost 127.0.0.1:__PORT_tls__>
    ServerName localhost
    __TLS__
    ProxyPass /b $url
</VirtualHost>
Listen 127.0.0.1:__PORT_h2c__
<VirtualHost 127.0.0.1:__PORT_h2c__>
    Protocols h2c http/1.1
    ProxyPass /b $url
</VirtualHost>
CONF
ok $s->wait_log(qr/RP0325: AsyncRequestWorkerFactor is raised to \d{2,}: a child takes up to \d{3,} connections/), 'the raised limit is said';

# A file, a proxied request, over TLS too: each at once.
sub others_are_served {
    my ($what) = @_;
    for my $case (['/index.html'], ['/b/id/0'], ['/b/id/0', port => 'tls', tls => 1], ['/b/id/0', port => 'h2c']) {
        my ($target, %opt) = @$case;
        my $began = now();
        my $r     = eval { get($s, $target, timeout => 5, %opt) };
        my $took  = now() - $began;
        ok $r && $r->status == 200 && $took < seconds(1.5), "$what: $target " . ($opt{port} // '') . ' is served at once'
            or diag $r ? $r->status : $@, " after $took s";
    }
    return;
}

# --- slow requests ---
{
    my $began   = now();
    my @clients = map { RProxy::Client->new($s) } 1 .. 400;
    $clients[$_]->request('GET', "/b/id/$_?wait=go", id => "slow$_") for 0 .. $#clients;
    ok $backend->await('requests', '>=', 400, 10), '400 requests are at the backend at once' or diag $backend->count('requests');
    others_are_served('400 requests wait');
    $backend->signal('go', '*');
    my $good = grep { my $r = $clients[$_]->response; $r->status == 200 && $r->body eq "id $_ slow$_\n" } 0 .. $#clients;
    is $good, 400, 'each has its own answer';
    cmp_ok now() - $began, '<', seconds(6), 'in less than 6 s';
    $clients[$_]->request('GET', "/b/id/$_", id => "again$_") for 0 .. $#clients;
    $good = grep { my $r = $clients[$_]->response; $r->body eq "id $_ again$_\n" } 0 .. $#clients;
    is $good, 400, 'and one more on the same connection';
    my $inline = sub { return scalar(() = $s->_read('lanes') =~ /^(?:slow|again)\d+ inline$/mg) };
    wait_until(10, sub { $inline->() >= 800 }); # a client has its answer before the line is written
    is $inline->(), 800, 'all of them on the loop';
    others_are_served('400 idle connections');
}

# --- WebSockets ---
{
    my @clients = map { RProxy::Client->new($s) } 1 .. 300;
    my $good    = 0;
    for my $c (@clients) {
        $c->request('GET', '/ws/ws', headers => [Upgrade => 'websocket', Connection => 'Upgrade', 'Sec-WebSocket-Version' => 13,
                'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==']);
    }
    $good += $_->response_head->status == 101 for @clients;
    is $good, 300, '300 WebSockets are open';
    others_are_served('300 WebSockets');
    for my $round (1, 2) {
        for my $i (0 .. $#clients) {
            my $text = sprintf 'round %d, %03d', $round, $i;
            $clients[$i]->send(chr(0x82) . chr(0x80 | length $text) . "\1\2\3\4" . ($text ^ substr "\1\2\3\4" x 5, 0, length $text));
        }
        $good = 0;
        for my $i (0 .. $#clients) {
            my $text = sprintf 'round %d, %03d', $round, $i;
            $good += $clients[$i]->read_exact(2 + length $text) eq chr(0x82) . chr(length $text) . $text;
        }
        is $good, 300, "each echoes, round $round";
    }
}

# --- half-sent heads and hellos ---
# A ClientHello's record header and a few bytes of it: more is announced than comes.
my $hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "r" x 20;
for my $case (['half-sent heads', '', "GET /b/id/1 HTTP/1.1\r\nHost: a\r\nX-Ha"], ['half-sent TLS hellos', 'tls', $hello],
    ['nothing sent over TLS', 'tls', ''], ['nothing sent where h2c is allowed', 'h2c', ''])
{
    my ($what, $port, $bytes) = @$case;
    my @clients = map { RProxy::Client->new($s, port => $port) } 1 .. 200;
    $_->send($bytes) for @clients;
    others_are_served("200 $what");
    next if length $port;
    $_->send("lf: 1\r\n\r\n") for @clients;
    my $good = grep { $_->response->status == 200 } @clients;
    is $good, 200, "$what: their rest is enough";
}

# --- heads in two TLS records ---
{
    my @clients = map { RProxy::Client->new($s, port => 'tls', tls => 1) } 1 .. 30;
    $_->send("GET /b/id/1 HTTP/1.1\r\nHost: loc") for @clients;
    others_are_served('30 half-sent heads inside TLS');
    $_->send("alhost\r\n\r\n") for @clients;
    my $good = grep { $_->response->status == 200 } @clients;
    is $good, 30, 'heads in two TLS records';
}
unlike $s->error_log, qr/RP0300|RP0306/, 'nothing waited on the loop';
