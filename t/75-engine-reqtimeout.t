# SPDX-License-Identifier: Apache-2.0
# mod_reqtimeout looks at the first byte of each request before it is read: on an event loop that look loses nothing, and a
# connection may be idle for longer than a request head may take.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client;
use RProxy::Env qw(mpm needs wait_until);
use RProxy::Server;

my @lanes = mpm() eq 'event' ? qw(inline handoff blocking) : qw(blocking);
plan tests => 15 * @lanes, need {needs(qw(rproxy reqtimeout))};

my $backend = RProxy::Backend->new;
my $loop    = mpm() eq 'event' ? 'on' : 'off';
my $server  = RProxy::Server->new(timeout => 60, modules => ['reqtimeout'], config => <<"CONF");
RProxyEventLoop $loop
RequestReadTimeout header=1 body=1
KeepAliveTimeout 60
@{[map { "ProxyPass /$_ @{[$backend->url]} upgrade=websocket\n<Location /$_>\nRProxyLane $_\n</Location>\n" } @lanes]}
CONF

for my $lane (@lanes) {
    my $client = RProxy::Client->new($server, timeout => 5);
    for my $n (1 .. 8) {
        my $answer = eval { $client->request('GET', "/$lane/bytes/100"); $client->response };
        is($answer ? $answer->status : $@, 200, "$lane: request $n on one connection");
    }
    # longer than header=1: the time for the next head begins with its first byte
    wait_until(2.5, sub { 0 });
    my $answer = eval { $client->request('GET', "/$lane/bytes/100"); $client->response };
    is($answer ? $answer->status : $@, 200, "$lane: after more than a second of nothing");
    is(eval { $client->request('POST', "/$lane/echo", body => 'x' x 40000); length $client->response->body } // $@, 40000,
        "$lane: a body");
    # nor does the time for a body go on behind the request, whether it had one or not
    wait_until(2.5, sub { 0 });
    is(eval { $client->request('GET', "/$lane/bytes/100"); $client->response->status } // $@, 200, "$lane: after more than a second behind a body");
    $client->send("GET /$lane/bytes/100 HTTP/1.1\r\nHost: h\r\n\r\nGET /$lane/bytes/200 HTTP/1.1\r\nHost: h\r\n\r\n");
    is(length $client->response->body, $_, "$lane: two at once, $_") for 100, 200;

    # and a tunnel is no body
    my $tunnel = RProxy::Client->new($server, timeout => 5);
    $tunnel->request('GET', "/$lane/ws", headers => [Upgrade => 'websocket', Connection => 'Upgrade', 'Sec-WebSocket-Version' => 13,
            'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==']);
    is $tunnel->response_head->status, 101, "$lane: a tunnel";
    my $echoes = sub { $tunnel->send("\x82\x82\0\0\0\0hi"); return $tunnel->read_exact(4) eq "\x82\x02hi" };
    ok $echoes->() && !wait_until(2.5, sub { 0 }) && eval { $echoes->() && $echoes->() }, "$lane: which is idle for more than a second";
}
