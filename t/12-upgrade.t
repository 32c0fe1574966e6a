# SPDX-License-Identifier: Apache-2.0
# Upgrades: WebSocket and other protocols, half-close, and what must not become a tunnel.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Digest::SHA  qw(sha1_base64 sha256_hex);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs now seconds);
use RProxy::Server;

plan tests => 96, need { needs('rproxy', 'env') };

# one worker each, since parameters belong to the worker
my %b      = map { $_ => RProxy::Backend->new(name => $_) } qw(up ws list any plain none half idle);
my $server = RProxy::Server->new(modules => ['env'], config => <<"CONF");
ProxyPass /up    @{[$b{up}->url]} upgrade=websocket
ProxyPass /ws    ws://127.0.0.1:@{[$b{ws}->port]}
ProxyPass /list  @{[$b{list}->url]} upgrade=foo,bar
ProxyPass /any   @{[$b{any}->url]} upgrade=ANY
ProxyPass /none  @{[$b{none}->url]} upgrade=NONE
ProxyPass /plain @{[$b{plain}->url]}
<Location /half>
    ProxyPass @{[$b{half}->url]} upgrade=ANY
    SetEnv proxy-nohalfclose 1
</Location>
Listen 127.0.0.1:__PORT_idle__
<VirtualHost 127.0.0.1:__PORT_idle__>
    Timeout 1
    KeepAliveTimeout 1
    ProxyPass /idle @{[$b{idle}->url]} upgrade=ANY timeout=1
</VirtualHost>
CONF

sub frame {
    my ($op, $data) = @_;
    my $n    = length $data;
    my $mask = "\x11\x22\x33\x44";
    my $head =
        chr(0x80 | $op)
        . ($n < 126 ? chr(0x80 | $n)
        : $n < 65536 ? chr(0xfe) . pack('n',  $n)
        :              chr(0xff) . pack('Q>', $n));
    return $head . $mask . ($data ^ substr $mask x ($n / 4 + 1), 0, $n);
}

sub read_frame {
    my ($client) = @_;
    my ($first, $n) = unpack 'CC', $client->read_exact(2);
    $n = unpack 'n',  $client->read_exact(2) if $n == 126;
    $n = unpack 'Q>', $client->read_exact(8) if $n == 127;
    return ($first & 15, $client->read_exact($n));
}

my @ws = (
    headers => [
        'Connection',        'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', 13,
        'Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='
    ]
);

sub asks {
    my ($protocol, @more) = @_;
    return (headers => ['Connection', 'Upgrade', 'Upgrade', $protocol, @more]);
}

# a client whose request was answered with a 101
sub tunnel {
    my ($target, %opt) = @_;
    my $client = RProxy::Client->new($server, %opt);
    $client->request('GET', $target, %opt);
    my $head = $client->response_head;
    is $head->status, 101, "$target: 101" or diag $head->raw_head;
    return ($client, $head);
}

# --- WebSocket, over each way to configure it ---
for my $case (['/up/ws'], ['/ws/ws'], ['/any/ws']) {
    my ($target, %opt)  = @$case;
    my ($client, $head) = tunnel($target, @ws, %opt);
    like $head->header('Upgrade'), qr/^websocket$/i, 'Upgrade';
    ok $head->has_token('Connection', 'Upgrade'), 'Connection';
    is $head->header('Sec-WebSocket-Accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        'Sec-WebSocket-Accept';
    is $head->header('Transfer-Encoding') // $head->header('Content-Length'), undef, 'no framing';
    for my $text ('hello', 'x' x 1000, 'y' x 100_000) {
        $client->send(frame(1, $text));
        my (undef, $back) = read_frame($client);
        is $back, $text, length($text) . ' bytes there and back';
    }
    $client->send(frame(9, 'ping'));
    is join(' ', read_frame($client)), '10 ping', 'ping, pong';
    $client->send(frame(8, "\x03\xe8"));
    is((read_frame($client))[0], 8, 'close is answered');
    ok $client->at_end, 'and the connection ends';
}
ok $b{up}->await('open', '==', 0),                 'so does the backend\'s';
ok $server->wait_access(qr{^- 101 .*GET /up/ws}m), 'the access log says 101';
my ($head) = map { $b{up}->head($_->{n}) } ($b{up}->requests)[0];
like $head, qr/^Upgrade: websocket\r$/mi,  'the backend was asked to upgrade';
like $head, qr/^Connection: Upgrade\r$/mi, 'by Connection too';

# --- other protocols ---
my ($client) = tunnel('/list/upgrade/foo', asks('foo'));
$client->send('abc');
is $client->read_exact(3), 'abc', 'upgrade=foo,bar takes foo';
($client) = tunnel('/list/upgrade/bar',     asks('bar'));
($client) = tunnel('/any/upgrade/anything', asks('anything'));
$client->send("\0\xff\r\n\r\n");
is $client->read_exact(6), "\0\xff\r\n\r\n", 'any byte passes';
($client) = tunnel('/any/upgrade/x?greet=HELLO', asks('x'));
is $client->read_exact(5), 'HELLO', 'bytes that come with the 101 are not lost';
$client = RProxy::Client->new($server);
$client->send($client->format_request('GET', '/any/upgrade/x', asks('x')) . 'EARLY');
is $client->response_head->status, 101,     'a client that does not wait for the 101';
is $client->read_exact(5),         'EARLY', 'its bytes are not lost either';
$b{any}->script('/body',
    "recv body\nsend \"HTTP/1.1 101 S\\r\\nUpgrade: x\\r\\nConnection: Upgrade\\r\\n\\r\\n\"\nrecv 5\nsend \"five\"\nlinger"
);
$client = RProxy::Client->new($server);
$client->request('POST', '/any/body', body => 'body', asks('x'));
is $client->response_head->status, 101,    'a body goes first';
is $b{any}->last_request->{body},  'body', 'to the backend';
$client->send('12345');
is $client->read_rest, 'five', 'then the tunnel';

# --- half-close ---
($client) = tunnel('/any/upgrade/x', asks('x'));
$client->send('last words');
$client->half_close;
is $client->read_rest, "last wordsbye\n",
    'after the client\'s end of stream the backend\'s bytes still come';
ok $b{any}->await('open', '==', 0), 'then all is closed';
($client) = tunnel('/any/upgrade/x?first=1', asks('x'));
my $conn = $b{any}->last_request->{conn};
is $client->read_rest, "bye\n", 'the backend\'s end of stream reaches the client';
$client->send('still talking');
$client->half_close;
ok $b{any}->await('open', '==', 0), 'the client\'s end reaches the backend';
like $b{any}->raw($conn), qr/still talking\z/, 'and what it sent before';
($client) = tunnel('/half/upgrade/x?first=1', asks('x'));
is $client->read_rest, "bye\n", 'proxy-nohalfclose: the backend\'s end of stream';
ok $b{half}->await('open', '==', 0), 'ends the tunnel';
($client) = tunnel('/any/upgrade/x', asks('x'));
$client->abort;
ok $b{any}->await('open', '==', 0), 'a client that resets ends the tunnel';
($client) = tunnel('/any/upgrade/x', asks('x'));
$b{any}->drop;
is $client->read_rest, '', 'a backend that closes ends it too';

# --- much, both ways at once ---
($client) = tunnel('/any/upgrade/x', asks('x'));
my $block = join '', map { chr int rand 256 } 1 .. 65536;
my $pid   = fork // die "fork: $!";
if (!$pid) {
    $client->send($block) for 1 .. 320;
    $client->half_close;
    kill 'KILL', $$;
}
my $sum = Digest::SHA->new(256);
my $got = 0;
while ($got < 320 * 65536) {
    my $data = $client->read_exact(65536);
    last unless length $data;
    $got += length $data;
    $sum->add($data);
}
waitpid $pid, 0;
is $got,               320 * 65536,              '20 MB each way at once';
is $sum->hexdigest,    sha256_hex($block x 320), 'every byte';
is $client->read_rest, "bye\n",                  'and the end';

# --- idle ---
my $start = now();
($client) = tunnel('/idle/upgrade/x', asks('x'), port => 'idle');
ok $client->at_end, 'an idle tunnel ends';
cmp_ok now() - $start, '>=', 0.9, 'not before its timeout';
ok $b{idle}->await('open', '==', 0), 'on both sides';

# --- what is no upgrade ---
for my $case (
    ['/plain/headers', 'websocket'], ['/up/headers', 'h2c'], ['/up/headers', 'websocketx'],
    ['/up/headers',    'foo, bar'],
    ['/none/headers',  'websocket'], ['/list/headers', 'fo']
) {
    my ($target, $protocol) = @$case;
    $client = RProxy::Client->new($server);
    $client->request('GET', $target, asks($protocol));
    my $r = $client->response;
    is $r->status, 200, "$target with Upgrade: $protocol is a plain request";
    unlike $r->body, qr/^Upgrade:/mi, 'Upgrade is not forwarded';
    $client->request('GET', '/plain/id/1');
    is $client->response->body, "id 1 -\n", 'and its connection goes on';
}
$client = RProxy::Client->new($server);
$client->request('GET', '/up/id/4', @ws);
is $client->response->body, "id 4 -\n", 'a backend that does not care answers as usual';
$client->request('GET', '/up/id/5');
is $client->response->body, "id 5 -\n", 'and the connection goes on';
$client->send($client->format_request('GET', '/up/id/6', @ws)
        . $client->format_request('GET', '/plain/id/7'));
is $client->response->body, "id 6 -\n", 'a request behind one that was not upgraded';
is $client->response->body, "id 7 -\n", 'is a request';
$client = RProxy::Client->new($server);
$client->request('GET', '/any/upgrade/other', asks('x'));
is $client->response->status, 502, 'a switch to another protocol than asked for: 502';
$client = RProxy::Client->new($server);
$client->request('GET', '/plain/upgrade/x?force=1', asks('x'));
is $client->response->status, 502, 'a switch that was not asked for: 502';
$client = RProxy::Client->new($server);
$b{any}->raw_answer('/noupgrade', "HTTP/1.1 101 Switching\r\n\r\n");
$client->request('GET', '/any/noupgrade', asks('x'));
is $client->response->status, 502, 'a 101 without Upgrade: 502';
