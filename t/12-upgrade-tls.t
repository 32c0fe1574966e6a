# SPDX-License-Identifier: Apache-2.0
# Tunnels with TLS on either side and on both: WebSocket by wss://, other protocols by https:// with upgrade=, every byte both
# ways under pressure, ends from each side, idle time, backends that are not believed.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Digest::SHA qw(sha1_base64 sha256_hex);
use RProxy::Backend;
use RProxy::Certs qw(certs);
use RProxy::Client qw(get);
use RProxy::Env qw(needs now seconds);
use RProxy::Server;

plan tests => 74, need {needs(qw(rproxy ssl socache_shmcb))};

my $dir     = certs();
my $backend = RProxy::Backend->new(name => 'secure', tls => 'local');
my $idle    = RProxy::Backend->new(name => 'idle', tls => 'local'); # another, since parameters belong to the worker
my $foreign = RProxy::Backend->new(name => 'foreign', tls => 'foreign');
my $at      = 'localhost:' . $backend->tls_port;
my $trust   = "SSLProxyEngine On\nSSLProxyVerify require\nSSLProxyCACertificateFile $dir/ca.crt\n";
my $rules   = <<"CONF";
$trust
ProxyPass /wss/   wss://$at/
ProxyPass /https/ https://$at/ upgrade=ANY
ProxyPass /ws/    ws://127.0.0.1:@{[$backend->port]}/
ProxyPass /http/  http://127.0.0.1:@{[$backend->port]}/ upgrade=ANY
ProxyPass /idle/  https://localhost:@{[$idle->tls_port]}/ upgrade=ANY timeout=1
ProxyPass /worse/ wss://localhost:@{[$foreign->tls_port]}/
CONF
my $s = RProxy::Server->new(modules => [qw(ssl socache_shmcb)], config => <<"CONF");
$rules
Listen 127.0.0.1:__PORT_tls__
<VirtualHost 127.0.0.1:__PORT_tls__>
    ServerName localhost
    SSLEngine on
    SSLCertificateFile $dir/local.crt
    SSLCertificateKeyFile $dir/local.key
    $rules
</VirtualHost>
Listen 127.0.0.1:__PORT_idle__
<VirtualHost 127.0.0.1:__PORT_idle__>
    ServerName localhost
    SSLEngine on
    SSLCertificateFile $dir/local.crt
    SSLCertificateKeyFile $dir/local.key
    Timeout 1
    $rules
</VirtualHost>
CONF

my $key    = 'dGhlIHNhbXBsZSBub25jZQ==';
my $accept = sha1_base64($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=';
my %front  = (plain => {}, map { $_ => {port => $_, tls => 1} } qw(tls idle));

sub frame {
    my ($op, $data) = @_;
    my $n = length $data;
    my $len = $n < 126 ? chr(0x80 | $n) : $n < 65536 ? chr(0xfe) . pack('n', $n) : chr(0xff) . pack('Q>', $n);
    return chr(0x80 | $op) . $len . "\0\0\0\0" . $data;
}

sub read_frame {
    my ($client) = @_;
    my ($first, $n) = unpack 'CC', $client->read_exact(2);
    $n = unpack 'n',  $client->read_exact(2) if $n == 126;
    $n = unpack 'Q>', $client->read_exact(8) if $n == 127;
    return ($first & 15, $client->read_exact($n));
}

# A client with an open tunnel, and the 101.
sub tunnel {
    my ($front, $target, $protocol) = @_;
    my $client = RProxy::Client->new($s, %{$front{$front}});
    my @ws = $protocol eq 'websocket' ? ('Sec-WebSocket-Version', 13, 'Sec-WebSocket-Key', $key) : ();
    $client->request('GET', $target, headers => ['Connection', 'Upgrade', 'Upgrade', $protocol, @ws]);
    my $head = $client->response_head;
    is $head->status, 101, "$front client, $target: 101" or diag $head->raw_head;
    return ($client, $head);
}

# --- WebSocket ---
for my $case (['tls', '/wss/ws'], ['plain', '/wss/ws'], ['tls', '/ws/ws'], ['tls', '/https/ws']) {
    my ($client, $head) = tunnel(@$case, 'websocket');
    is $head->header('Sec-WebSocket-Accept'), $accept, 'accepted by the backend';
    for my $size (0, 5, 126, 16384, 300_000) {
        my $data = 'ab' x ($size / 2) . 'c' x ($size % 2);
        $client->send(frame(2, $data));
        my ($op, $got) = read_frame($client);
        ok $op == 2 && $got eq $data, "a message of $size bytes there and back";
    }
    $client->send(frame(9, 'p'));
    is join(',', read_frame($client)), '10,p', 'a ping';
    $client->send(frame(8, "\x03\xe8"));
    is join(',', read_frame($client)), "8,\x03\xe8", 'the goodbye';
    ok $client->at_end && !$client->{reset}, 'and the end is orderly';
}
ok $backend->await('open', '==', 0), 'no connection to the backend is left';

# --- much, both ways at once, one loop for both directions since a TLS session has one user ---
my $block = join '', map { chr int rand 256 } 1 .. 65536;
my $times = 64;

sub pump_all {
    my ($client) = @_;
    my $socket = $client->socket;
    my ($sent, $got, $total) = (0, 0, $times * length $block);
    my $sum = Digest::SHA->new(256);
    my $end = now() + seconds(60);
    $socket->blocking(0);
    while ($got < $total && now() < $end) {
        my $moved = 0;
        if ($sent < $total) {
            my $from = $sent % length $block;
            my $put  = syswrite $socket, $block, length($block) - $from > 16384 ? 16384 : length($block) - $from, $from;
            $sent += $moved = $put if $put;
        }
        my $n = sysread $socket, my $data, 65536;
        last if defined $n && $n == 0;
        if ($n) { $sum->add($data); $got += $n; $moved = 1 }
        next if $moved;
        vec(my $want = '', fileno $socket, 1) = 1;
        select $want, $sent < $total ? my $w = $want : undef, undef, 0.1;
    }
    $socket->blocking(1);
    return ($got, $sum->hexdigest);
}
for my $case (['tls', '/https/upgrade/x'], ['plain', '/https/upgrade/x'], ['tls', '/http/upgrade/x']) {
    my ($client) = tunnel(@$case, 'x');
    my ($got, $digest) = pump_all($client);
    is $got, $times * length $block, '4 MB each way at once';
    is $digest, sha256_hex($block x $times), 'every byte';
    $client->close;
    ok $backend->await('open', '==', 0), 'a client that closes ends the backend\'s side';
}

# --- ends ---
my ($client) = tunnel('tls', '/https/upgrade/x?greet=HELLO', 'x');
is $client->read_exact(5), 'HELLO', 'bytes that come with the 101 are not lost';
my $conn = $backend->last_request->{conn};
$client->send('last words');
is $client->read_exact(10), 'last words', 'come back';
$client->send('and more');
Net::SSLeay::shutdown($client->socket->_get_ssl_object); # close-notify: nothing more from here
ok $backend->await('open', '==', 0), 'close-notify of the client ends the backend\'s side';
like $backend->raw($conn), qr/last wordsand more\z/, 'which has every byte sent before';
($client) = tunnel('tls', '/https/upgrade/x?first=1', 'x');
is $client->read_rest, "bye\n", 'a backend that ends first: its bytes, then the end';
ok Net::SSLeay::get_shutdown($client->socket->_get_ssl_object) & 2, 'which is said by close-notify';
$client->close;
ok $backend->await('open', '==', 0), 'on both sides';
($client) = tunnel('tls', '/https/upgrade/x', 'x');
$client->abort;
ok $backend->await('open', '==', 0), 'a client that resets ends the tunnel';
($client) = tunnel('tls', '/https/upgrade/x', 'x');
$backend->drop;
is $client->read_rest, '', 'a backend that closes ends it too';
my $start = now();
($client) = tunnel('idle', '/idle/upgrade/x', 'x');
ok $client->at_end, 'an idle tunnel ends';
cmp_ok now() - $start, '>=', 0.9, 'not before its time';
ok $idle->await('open', '==', 0), 'on both sides';

# --- no tunnel ---
$client = RProxy::Client->new($s, %{$front{tls}});
$client->request('GET', '/worse/ws', headers => [qw(Connection Upgrade Upgrade websocket Sec-WebSocket-Version 13 Sec-WebSocket-Key), $key]);
is $client->response->status, 502, 'a backend with a certificate that we do not trust: 502';
is $foreign->count('requests'), 0, 'and it saw no request';
$client = RProxy::Client->new($s, %{$front{tls}});
$client->request('GET', '/wss/upgrade/x', headers => [qw(Connection Upgrade Upgrade x)]);
is $client->response->status, 426, 'wss: takes WebSocket alone';
is get($s, '/wss/id/3', %{$front{tls}})->body, "id 3 -\n", 'and plain requests';
