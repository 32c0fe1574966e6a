# SPDX-License-Identifier: Apache-2.0
# Clients over TLS and over HTTP/2: requests, bodies, early answers and tunnels are the same.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Digest::SHA qw(sha256_hex);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env qw(needs temp_dir);
use RProxy::Server;

plan tests => 20, need {needs(qw(rproxy ssl http2 socache_shmcb headers))};

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(modules => [qw(socache_shmcb ssl http2 headers)], config => <<"CONF");
Listen 127.0.0.1:__PORT_tls__
ProxyPass /ws $url/ws upgrade=websocket
ProxyPass / $url/
<VirtualHost 127.0.0.1:__PORT_tls__>
    ServerName localhost
    Protocols h2 http/1.1
    __TLS__
    RequestHeader set X-Scheme "%{SSL_PROTOCOL}s"
</VirtualHost>
CONF

# TLS, HTTP/1.1
my $c = RProxy::Client->new($s, port => 'tls', tls => 1);
$c->request('GET', '/headers');
my $r = $c->response;
is $r->status, 200, 'TLS client';
like $r->body, qr/^X-Scheme: TLSv1\.[23]\r$/m, 'variables of mod_ssl';
my $body = join '', map { chr(33 + $_ % 90) } 1 .. 300_000;
$c->request('POST', '/echo/1', body => $body);
is sha256_hex($c->response->body), sha256_hex($body), 'body both ways, Content-Length';
$c->request('POST', '/echo/2', chunks => [unpack '(a7001)*', $body]);
is sha256_hex($c->response->body), sha256_hex($body), 'chunked';
$c->request('GET', '/bytes/3000000');
is length $c->response->body, 3_000_000, 'large answer';
is scalar(() = $backend->conns), 2, 'one connection to the backend served all';
$c->request('GET', '/ws', headers => [Upgrade => 'websocket', Connection => 'Upgrade', 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version' => 13]);
is $c->response_head->status, 101, 'WebSocket over TLS';
$c->send("\x81\x85\x01\x02\x03\x04" . ('hello' ^ "\x01\x02\x03\x04\x01"));
is $c->read_exact(7), "\x81\x05hello", 'a frame goes there and back';
$c->close;

# HTTP/2 by curl and nghttp's h2load
my $dir = temp_dir('h2');
open my $h, '>', "$dir/body" or die $!;
print $h $body;
close $h;
my @curl = ('curl', '-sk', '--http2', '--max-time', 30);
my $at   = 'https://127.0.0.1:' . $s->port('tls');
sub curl { my @args = @_; open my $p, '-|', @curl, @args or die "curl: $!"; local $/; my $out = <$p>; close $p; return $out // ''; }

is curl('-o', '/dev/null', '-w', '%{http_version} %{http_code}', "$at/id/1"), '2 200', 'HTTP/2 client';
is curl("$at/id/12"), "id 12 -\n", 'its answer';
is sha256_hex(curl('--data-binary', "\@$dir/body", "$at/echo/3")), sha256_hex($body), 'HTTP/2: body both ways';
is sha256_hex(scalar `cat $dir/body | curl -sk --http2 --max-time 30 -T - -X POST $at/echo/5`), sha256_hex($body), 'HTTP/2: without a length';
is curl('-o', '/dev/null', '-w', '%{http_code}', "$at/status/204"), '204', 'HTTP/2: 204';
is length curl("$at/bytes/2000000"), 2_000_000, 'HTTP/2: large answer';
is curl('-o', '/dev/null', '-w', '%{http_code}', '-I', "$at/bytes/5"), '200', 'HTTP/2: HEAD';
like $backend->last_request->{head}, qr{^HEAD /bytes/5 HTTP/1\.1\r\n}, 'as HTTP/1.1 at the backend';
unlike $backend->last_request->{head}, qr/^(?:Upgrade|HTTP2-Settings|TE):/mi, 'nothing of HTTP/2 goes there';
my $load = `h2load -n 400 -c 4 -m 20 $at/bytes/2000 2>&1`;
like $load, qr/400 succeeded, 0 failed, 0 errored/, '80 streams at once';
$load = `h2load -n 60 -c 3 -m 10 -d $dir/body $at/echo/6 2>&1`;
like $load, qr/60 succeeded, 0 failed, 0 errored/, '30 uploads at once';
is $backend->violations, '', 'the backend saw clean requests';
