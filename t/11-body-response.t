# SPDX-License-Identifier: Apache-2.0
# Response bodies: every byte, at once, with bounded memory; HTTP/1.0 on either side; clients that
# stop reading or leave.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Digest::SHA  ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs kilobytes);
use RProxy::Server;

plan tests => 71, need { needs('rproxy', 'deflate') };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $server  = RProxy::Server->new(modules => [qw(deflate filter)], config => <<"CONF");
ProxyPass /app $url
<Location /deflate>
    ProxyPass $url
    SetOutputFilter DEFLATE
</Location>
CONF

# resident kilobytes of the child
sub memory {
    my ($child) = $server->children;
    open my $in, '<', "/proc/$child/status" or return 0;
    return (map { /^VmRSS:\s+(\d+)/ ? $1 : () } <$in>)[0];
}

# --- every byte ---
my $size = 20_000_000;
my $sum  = $backend->digest($size, 7);
for my $how ('', '&te=chunked', '&chunk=1000', '&chunk=99999', '&cl=none', '&proto=1.0') {
    for my $version ('1.1', '1.0') {
        my $sha    = Digest::SHA->new(256);
        my $client = RProxy::Client->new($server);
        $client->request('GET', "/app/bytes/$size?seed=7$how", version => $version);
        my $r = $client->response(sink => sub { $sha->add($_[0]) });
        ok $r->complete, "20 MB $how to HTTP/$version: complete" or diag $r->error;
        is $sha->hexdigest, $sum, 'every byte';
    }
}
for my $n (0, 1, 8191, 8192, 8193, 65536) {
    is length get($server, "/app/bytes/$n")->body, $n, "$n bytes";
    my $r = get($server, "/app/bytes/$n?te=chunked");
    is length $r->body, $n, "$n bytes, chunked";
    ok $r->complete, 'complete';
}

# --- at once ---
for my $how ('', '&cl=none') {
    my $client = RProxy::Client->new($server);
    $client->request('GET', "/app/sse?n=3&wait-each=next$how");
    my $head = $client->response_head;
    is $head->header('Content-Type'), 'text/event-stream', "server-sent events$how: the head";
    for my $n (1 .. 3) {
        like $client->read_until(qr/data: event $n\n\n/), qr/event $n/,
            "event $n is here before the next is sent";
        $backend->signal('next');
    }
    like $client->read_until(qr/0\r\n\r\n/), qr/0\r\n\r\n\z/, 'and the end';
    $backend->command('reset');
}
$backend->script('/head-first', <<'SCRIPT');
recv body
send "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
wait body
send "body"
SCRIPT
my $client = RProxy::Client->new($server);
$client->request('GET', '/app/head-first');
is $client->response_head->status, 200, 'a head is here before its body is sent';
$backend->signal('body');
is $client->read_exact(4), 'body', 'then the body';
$client = RProxy::Client->new($server);
$client->request('GET', '/deflate/sse?n=2&wait-each=next', headers => ['Accept-Encoding', 'gzip']);
my $head = $client->response_head;
is $head->header('Content-Encoding'), 'gzip', 'a filter in the way';
ok length $client->read_until(qr/\r\n.+\r\n/s), 'does not hold the first event back';
$backend->signal('next', 5);
ok defined $client->read_until(qr/0\r\n\r\n\z/), 'nor the end';
$backend->command('reset');

# --- a client that does not read ---
get($server, '/app/bytes/1000000') for 1 .. 5;
my $before  = memory();
my @stalled = map { RProxy::Client->new($server) } 1 .. 8;
$_->request('GET', '/app/bytes/200000000?seed=3') for @stalled;
ok $backend->await('busy', '==', 8), 'eight responses of 200 MB begin';
$_->response_head for @stalled;
my $each = kilobytes(2_000);
ok memory() - $before < 8 * $each, 'less than 2 MB each are in memory' or diag memory() - $before;
is get($server, '/app/id/1')->status, 200, 'others are served';
$_->abort for @stalled;
ok $backend->await('busy', '==', 0), 'the backend is told when they leave';
ok $backend->await('open', '<=', 1), 'and their connections are closed';

# --- a client that leaves ---
for my $target ('/app/bytes/200000000', '/app/bytes/200000000?te=chunked', '/app/sse?n=100000000') {
    $client = RProxy::Client->new($server);
    $client->request('GET', $target);
    $client->read_exact(100_000);
    $client->close;
    ok $backend->await('busy', '==', 0), "$target: the backend's connection is closed too";
}

# --- HTTP/1.0 clients ---
$client = RProxy::Client->new($server);
$client->request('GET', '/app/bytes/1000', version => '1.0',
    headers => ['Connection', 'keep-alive']);
my $r = $client->response;
is $r->header('Content-Length'), 1000, 'HTTP/1.0 with keep-alive: counted';
like $r->header('Connection'), qr/keep-alive/i, 'stays open';
$client->request('GET', '/app/bytes/1000?te=chunked', version => '1.0',
    headers => ['Connection', 'keep-alive']);
$r = $client->response;
is length $r->body,                 1000,  'a chunked response to it';
is $r->header('Transfer-Encoding'), undef, 'is not chunked';
ok $client->at_end || $r->header('Content-Length'), 'and has a clear end';

# --- pipelining ---
$client = RProxy::Client->new($server);
$client->send(join '', map { $client->format_request('GET', "/app/id/$_", id => "p$_") } 1 .. 20);
my @bodies = map { $client->response->body } 1 .. 20;
is_deeply \@bodies, [map { "id $_ p$_\n" } 1 .. 20], 'pipelined requests are answered in order';
