# SPDX-License-Identifier: Apache-2.0
# The same under every MPM: answers, bodies, reuse of connections, failures, a tunnel.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env qw(needs);
use RProxy::Server;

my @mpms = qw(event worker prefork);
plan tests => 10 * @mpms, need {needs('rproxy', map { "mpm_$_" } @mpms)};

for my $mpm (@mpms) {
    my $backend = RProxy::Backend->new;
    my $url     = $backend->url;
    my $dead    = RProxy::Backend->new;
    $dead->refuse;
    my $s = RProxy::Server->new(mpm => $mpm, threads => 4, config => <<"CONF");
ProxyPass /ws $url/ws upgrade=websocket
ProxyPass /b $url
ProxyPass /dead @{[$dead->url]}
CONF
    my $c = RProxy::Client->new($s);
    $c->request('GET', '/b/id/1');
    is $c->response->body, "id 1 -\n", "$mpm: an answer";
    my $body = 'abc' x 50_000;
    $c->request('POST', '/b/echo/x', body => $body);
    ok $c->response->body eq $body, "$mpm: a body both ways";
    $c->request('GET', '/b/bytes/500000');
    is length $c->response->body, 500_000, "$mpm: a large answer";
    my %conns = $backend->conns;
    is scalar(keys %conns), 1, "$mpm: over one connection";
    is get($s, '/dead/x')->status, 503, "$mpm: a refused connection";
    $backend->script('/script', "close\n");
    my $r = get($s, '/b/script');
    is $r->status, 502, "$mpm: a connection closed without an answer";
    $c->request('GET', '/ws', headers => [Upgrade => 'websocket', Connection => 'Upgrade',
            'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version' => 13]);
    is $c->response_head->status, 101, "$mpm: WebSocket";
    $c->send("\x81\x82\x01\x02\x03\x04" . ('hi' ^ "\x01\x02"));
    is $c->read_exact(4), "\x81\x02hi", "$mpm: a frame goes there and back";
    $c->close;
    ok $s->graceful, "$mpm: graceful restart";
    is get($s, '/b/id/2')->body, "id 2 -\n", "$mpm: and on";
    $s->stop;
}
