# SPDX-License-Identifier: Apache-2.0
# A 426 says what to upgrade to, where the worker may upgrade to it (RFC 9110 15.5.22).
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs);
use RProxy::Server;

plan tests => 9, need {needs(qw(rproxy http2))};

my $up     = RProxy::Backend->new(name => 'up');
my $plain  = RProxy::Backend->new(name => 'plain');
my $server = RProxy::Server->new(modules => ['http2'], config => <<"CONF");
Protocols h2c http/1.1
ProxyPass /up    @{[$up->url]} upgrade=websocket
ProxyPass /plain @{[$plain->url]}
CONF
my $client = RProxy::Client->new($server);
$client->request('GET', '/up/upgrade/websocket');
my $r = $client->response;
is $r->status, 426, 'a 426 is forwarded';
is $r->header('Upgrade'), 'websocket', 'with its Upgrade, which this worker knows';
ok $r->has_token('Connection', 'Upgrade'), 'and Connection';
$client->request('GET', '/plain/upgrade/websocket');
is $client->response->header('Upgrade'), undef, 'but not where it does not';

# A 426 alone: what else offers a protocol (h2c, say) would lead clients to a request that this proxy does not forward.
$up->raw_answer('/offer', "HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nok");
$client->request('GET', '/up/offer');
$r = $client->response;
is $r->body, 'ok', 'an answer that offers a protocol unasked';
is $r->header('Upgrade'), undef, 'without the offer';
$r = get($server, '/up/upgrade/websocket', version => '1.0');
is $r->header('Upgrade'), undef, 'an HTTP/1.0 client is told none';
my $head = do {
    open my $curl, '-|', 'curl', '-s', '--http2-prior-knowledge', '--max-time', 20, '-D', '-', $server->url('/up/upgrade/websocket')
        or die "curl: $!\n";
    local $/;
    <$curl>;
};
like $head, qr{^HTTP/2 426}, 'an HTTP/2 client gets the 426';
unlike $head, qr/^(?:upgrade|connection):/mi, 'without what HTTP/2 forbids';
