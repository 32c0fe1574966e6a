# SPDX-License-Identifier: Apache-2.0
# Request bodies: framing towards the backend, all the bytes, early answers, Expect, clients that
# break off.
use strict;
use warnings;
use Apache::Test       qw(-withtestmore);
use Digest::SHA        qw(sha256_hex);
use IO::Compress::Gzip ();
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env    qw(needs);
use RProxy::Server;

plan tests => 173, need { needs('rproxy', 'env', 'deflate') };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $server  = RProxy::Server->new(modules => [qw(env deflate filter)], config => <<"CONF");
ProxyPass /app $url
<Location /sendcl>
    ProxyPass $url
    SetEnv proxy-sendcl 1
</Location>
<Location /sendchunked>
    ProxyPass $url
    SetEnv proxy-sendchunked 1
</Location>
<Location /sendchunks>
    ProxyPass $url
    SetEnv proxy-sendchunks 1
</Location>
<Location /both>
    ProxyPass $url
    SetEnv proxy-sendchunked 1
    SetEnv proxy-sendcl 1
</Location>
<Location /force10>
    ProxyPass $url
    SetEnv force-proxy-request-1.0 1
</Location>
<Location /inflate>
    ProxyPass $url
    SetInputFilter DEFLATE
</Location>
<Location /inflate-chunked>
    ProxyPass $url
    SetInputFilter DEFLATE
    SetEnv proxy-sendchunked 1
</Location>
<Location /nonblocking>
    ProxyPass $url
    SetEnv proxy-prefetch-nonblocking 1
</Location>
<Location /limit>
    ProxyPass $url
    LimitRequestBody 100000
</Location>
<Location /expect-off>
    ProxyPass $url
    Proxy100Continue Off
</Location>
Listen 127.0.0.1:__PORT_stalled__
<VirtualHost 127.0.0.1:__PORT_stalled__>
    Timeout 1
</VirtualHost>
CONF
my $number = 0;

sub noise {
    my ($n)   = @_;
    my $block = pack 'N*', map { int rand 2**32 } 1 .. 1024;
    return substr $block x ($n / 4096 + 1), 0, $n;
}

# Send a body; what the backend noted of it ({framing}: its framing fields), and the response.
sub upload {
    my ($target, %opt) = @_;
    my $id = 'b' . ++$number;
    my $r  = RProxy::Client->one(
        $server, $opt{method} // 'POST', $target, host => 'front.test',
        id => $id, %opt
    );
    my ($seen) = grep { $_->{id} eq $id } $backend->requests;
    return ({}, $r) unless $seen;
    my $head = $backend->head($seen->{n});
    $seen->{framing} = lc join ', ',
        map { /^(Content-Length: .*|Transfer-Encoding: .*)$/i ? $1 : () } split /\r\n/, $head;
    return ($seen, $r);
}

sub arrives {
    my ($name, $target, $body, $framing, %opt) = @_;
    my ($seen, $r) = upload($target, $opt{chunks} ? () : (body => $body), %opt);
    is $r->status, 200, "$name: answered" or diag $r->raw_head, $r->body;
    is $seen->{framing}, $framing, "$name: framing";
    ok $seen->{complete}, "$name: complete";
    is $seen->{sha256}, sha256_hex($body), "$name: every byte" if length $body;
    return;
}

sub pieces { my ($body, $size) = @_; return [unpack "(a$size)*", $body] }

# --- framing ---
my $small = noise(5000);
my $large = noise(300_000);
arrives('small, counted', '/app/sink', $small, 'content-length: 5000');
arrives(
    'small, chunked', '/app/sink', $small, 'content-length: 5000',
    chunks => pieces($small, 777)
);
arrives('large, counted', '/app/sink', $large, 'content-length: 300000');
arrives(
    'large, chunked', '/app/sink', $large, 'transfer-encoding: chunked',
    chunks => pieces($large, 7777)
);
arrives(
    'large, in tiny chunks', '/app/sink', noise(0) . substr($large, 0, 40000),
    'transfer-encoding: chunked',
    chunks => pieces(substr($large, 0, 40000), 3)
);
arrives('sendcl, counted', '/sendcl/sink', $large, 'content-length: 300000');
arrives(
    'sendcl, chunked', '/sendcl/sink', $large, 'content-length: 300000',
    chunks => pieces($large, 7777)
);
arrives('sendchunked, counted', '/sendchunked/sink', $large, 'content-length: 300000');
arrives(
    'sendchunked, chunked', '/sendchunked/sink', $large, 'transfer-encoding: chunked',
    chunks => pieces($large, 7777)
);
arrives(
    'both, chunked', '/both/sink', $large, 'transfer-encoding: chunked',
    chunks => pieces($large, 7777)
);
arrives(
    'HTTP/1.0, chunked', '/force10/sink', $large, 'content-length: 300000',
    chunks => pieces($large, 7777)
);
arrives('HTTP/1.0, counted', '/force10/sink', $large, 'content-length: 300000');
arrives('an HTTP/1.0 client', '/app/sink', $large, 'content-length: 300000', version => '1.0');

for my $edge (16383, 16384, 16385, 32768) {
    arrives("$edge bytes, counted", '/app/sink', substr($large, 0, $edge), "content-length: $edge");
    my ($seen, $r) = upload('/app/sink', chunks => pieces(substr($large, 0, $edge), 1000));
    is $seen->{sha256}, sha256_hex(substr $large, 0, $edge), "$edge bytes, chunked: every byte";
}
my $gzip;
IO::Compress::Gzip::gzip(\$large => \$gzip);
for my $case (
    ['/inflate',         'content-length: 300000'],
    ['/inflate-chunked', 'transfer-encoding: chunked']
) {
    my ($seen, $r) =
        upload("$case->[0]/sink", body => $gzip, headers => ['Content-Encoding', 'gzip']);
    is $seen->{sha256},  sha256_hex($large), "$case->[0]: what an input filter made of it";
    is $seen->{framing}, $case->[1],         "$case->[0]: framing";
}

# --- no body ---
for my $case (
    ['GET',  '', []], ['POST',   'content-length: 0', ['Content-Length', 0]],
    ['POST', '', []], ['DELETE', '',                  []]
) {
    my ($method, $framing, $headers) = @$case;
    my ($seen, $r) = upload('/app/id/1', method => $method, headers => $headers);
    is $seen->{framing}, $framing, "$method without a body: " . ($framing || 'no framing field');
    is $r->status,       200,      'answered';
}
arrives('an empty chunked body', '/app/sink', '',     'content-length: 0',    chunks => []);
arrives("$_ with a body",        '/app/sink', $small, 'content-length: 5000', method => $_)
    for qw(GET DELETE PATCH PUT BREW);

# --- trailers and extensions of chunks ---
my $client = RProxy::Client->new($server, host => 'front.test');
$client->send(
    "POST /app/headers HTTP/1.1\r\nHost: front.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
        . "3;a=\"b\"\r\nabc\r\n0\r\nX-T: evil\r\nContent-Length: 7\r\n\r\n");
my $r = $client->response;
is $r->status, 200, 'a body with trailers';
unlike $r->body, qr/X-T|Content-Length: 7/, 'which do not become fields';
is $backend->last_request->{body}, 'abc', 'nor a part of the body';
$client->request('GET', '/app/id/5');
is $client->response->body, "id 5 -\n", 'and the client\'s connection goes on';

# --- the whole body is read while the answer comes ---
$client = RProxy::Client->new($server, host => 'front.test');
$client->send(
    "POST /nonblocking/stream HTTP/1.1\r\nHost: front.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
);
my $head = $client->response_head;
is $head->status, 200, 'the answer begins before the request ends';
like $client->read_until(qr/abc\r\n/), qr/abc/, 'what was sent is answered';
$client->send("3\r\ndef\r\n");
like $client->read_until(qr/def\r\n/), qr/def/, 'and what was sent then';
$client->send("0\r\n\r\n");
is $client->read_exact(5), "0\r\n\r\n", 'and both end';

my ($seen, $answer) = upload('/app/stream', body => $large);
is sha256_hex($answer->body), sha256_hex($large), 'a body that comes back while it is sent';

# --- early answers ---
my $huge = noise(20_000_000);
for my $how ('', '&drain=1', '&rst=1') {
    for my $status (401, 413, 200) {
        for my $chunked (0, 1) {
            my @body = $chunked ? (chunks => pieces($huge, 100_000)) : (body => $huge);
            my (undef, $early) = upload("/app/early/$status?h=X-Early:1$how", @body);
            my $name =
                "early $status" . ($how || '&close') . ($chunked ? ' to a chunked body' : '');
            is $early->status, $status, $name or diag $early->raw_head;
        }
    }
}
$client = RProxy::Client->new($server, host => 'front.test');
$client->send("POST /app/early/401 HTTP/1.1\r\nHost: front.test\r\nContent-Length: 50000000\r\n\r\n"
        . substr $huge, 0, 100_000);
is $client->response->status, 401, 'an early answer reaches a client that waits with its body';
ok $client->at_end, 'and then its connection ends';
is get($server, '/app/id/3')->body, "id 3 -\n", 'the next request is in order';

# --- Expect: 100-continue ---
my @expect = ('Expect', '100-continue', 'Content-Length', 5);
$backend->clear;
$backend->script('/go', <<'SCRIPT');
signal head
wait go
send "HTTP/1.1 100 Continue\r\n\r\n"
recv body
send "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SCRIPT
$client = RProxy::Client->new($server, host => 'front.test');
$client->request('POST', '/app/go', headers => \@expect);
ok $backend->wait_signal('head'), 'the head arrives without its body';
like $backend->last_request->{head}, qr/^Expect: 100-continue\r$/mi, 'with Expect';
$backend->signal('go');
is $client->response_head->status, 100, 'the backend\'s 100 reaches the client';
$client->send('hello');
is $client->response->body,        'ok',    'then the answer';
is $backend->last_request->{body}, 'hello', 'to the body';

for my $how ('', '?drain=1') {
    $client = RProxy::Client->new($server, host => 'front.test');
    $client->request('POST', "/app/early/401$how", headers => \@expect);
    $r = $client->response;
    is $r->status,          401, "a refusal instead of 100 $how";
    is scalar($r->interim), 0,   'without a 100';
}
$client = RProxy::Client->new($server, host => 'front.test');
$client->request('POST', '/expect-off/echo', headers => \@expect);
is $client->response_head->status, 100, 'Proxy100Continue Off: 100 at once';
$client->send('hello');
is $client->response->body, 'hello', 'then the answer';
unlike $backend->last_request->{head}, qr/^Expect:/mi, 'and no Expect to the backend';
$client = RProxy::Client->new($server, host => 'front.test');
$client->request('POST', '/force10/echo', headers => \@expect);
is $client->response_head->status, 100, 'HTTP/1.0 backend: 100 from us';
$client->send('hello');
is $client->response->body, 'hello', 'then the answer';
unlike $backend->last_request->{head}, qr/^Expect:/mi, 'and no Expect';
(undef, $r) = upload('/app/echo', body => 'hello', headers => ['Expect', '100-continue']);
is $r->body, 'hello', 'a client that expects but does not wait';
(undef, $r) = upload('/app/id/1', body => 'hello', headers => ['Expect', 'magic']);
is $r->status, 417, 'another expectation: 417';

# --- clients that break off ---
$backend->reset;
for my $framing ("Content-Length: 1000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nf4240\r\n") {
    my $id = 'gone' . ++$number;
    $client = RProxy::Client->new($server, host => 'front.test');
    $client->send(
        "POST /app/sink HTTP/1.1\r\nHost: front.test\r\nX-Test-Id: $id\r\n$framing" . substr $huge,
        0, 200_000
    );
    ok $backend->await("id:$id", '>=', 1), 'a large body begins to arrive';
    $client->abort;
    ok $backend->await('busy', '==', 0), 'the backend is told that no more comes';
    my ($half) = grep { $_->{id} eq $id } $backend->requests;
    is $half->{complete}, 0, 'and does not take it for complete';
}
my $bad = 'bad' . ++$number;
$client = RProxy::Client->new($server, host => 'front.test');
$client->send(
    "POST /app/sink HTTP/1.1\r\nHost: front.test\r\nX-Test-Id: $bad\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\nzz\r\n"
);
is $client->response->status,  400, 'a malformed chunk in a small body: 400';
is $backend->count("id:$bad"), 0,   'and the backend sees nothing of it';
$bad    = 'bad' . ++$number;
$client = RProxy::Client->new($server, host => 'front.test');
$client->send(
    "POST /app/sink HTTP/1.1\r\nHost: front.test\r\nX-Test-Id: $bad\r\nTransfer-Encoding: chunked\r\n\r\n"
        . "30d40\r\n"
        . substr($huge, 0, 200_000)
        . "\r\nzz\r\n");
is $client->response->status, 400, 'in a large one: 400';
$backend->await('busy', '==', 0);
is + (grep { $_->{id} eq $bad && $_->{complete} } $backend->requests) + 0, 0,
    'and the backend does not take it for complete';

for my $case ([body => $large], [chunks => pieces($large, 7000)]) {
    ($seen, $r) = upload('/limit/sink', @$case);
    is $r->status, 413, "LimitRequestBody with $case->[0]: 413";
    ok !$seen->{complete}, 'the backend has no complete request';
}
(undef, $r) =
    upload('/app/sink', body => $small, headers => ['Transfer-Encoding', 'gzip, chunked']);
like $r->status, qr/^(?:400|501)$/, 'a transfer coding that we do not know is refused';
is get($server, '/app/id/4')->status, 200, 'without harm to others';
$client = RProxy::Client->new($server, port => 'stalled');
$client->send(
    "POST /app/sink HTTP/1.1\r\nHost: x\r\nX-Test-Id: stalled\r\nContent-Length: 100\r\n\r\nabc");
is $client->response->status,     408, 'a body that does not come: 408';
is $backend->count('id:stalled'), 0,   'and the backend sees nothing of it';
is $backend->violations,          '',  'in all this the backend saw correct requests only';
