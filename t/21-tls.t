# SPDX-License-Identifier: Apache-2.0
# TLS to backends: which name is asked for and checked, who is believed, whose settings hold, who shares a connection, and that
# bytes get through both ways under pressure.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Digest::SHA qw(sha256_hex);
use IO::Socket::INET ();
use IO::Socket::SSL  ();
use RProxy::Backend;
use RProxy::Certs qw(certs);
use RProxy::Client qw(get post);
use RProxy::Env qw(needs now seconds kilobytes);
use RProxy::Server;

plan tests => 65, need {needs(qw(rproxy ssl socache_shmcb setenvif))};

my $dir     = certs();
my $local   = RProxy::Backend->new(name => 'local', tls => 'local');
my $named   = RProxy::Backend->new(name => 'named', tls => 'server');
my $expired = RProxy::Backend->new(name => 'expired', tls => 'expired');
my $foreign = RProxy::Backend->new(name => 'foreign', tls => 'foreign');
my $picky   = RProxy::Backend->new(name => 'picky', tls => 'local', tls_ca => 1);
my $silent  = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "listen: $!\n";
my ($p_local, $p_named, $p_expired, $p_foreign, $p_picky)
    = map { $_->tls_port } $local, $named, $expired, $foreign, $picky;
my $p_plain  = $local->port;
my $p_silent = $silent->sockport;

my $trust = "SSLProxyEngine On\nSSLProxyVerify require\nSSLProxyCACertificateFile $dir/ca.crt\n";
my $s     = RProxy::Server->new(
    modules => [qw(ssl socache_shmcb)],
    threads => 4,
    config  => <<"CONF",
MaxKeepAliveRequests 0
$trust
Listen 127.0.0.1:__PORT_a__
Listen 127.0.0.1:__PORT_b__
Listen 127.0.0.1:__PORT_plain__
ProxyPass /local    https://localhost:$p_local
ProxyPass /byip     https://127.0.0.1:$p_local
ProxyPass /named    https://localhost:$p_named
ProxyPass /expired  https://localhost:$p_expired
ProxyPass /foreign  https://localhost:$p_foreign
ProxyPass /once     https://localhost:$p_local disablereuse=On
ProxyPass /silent   https://127.0.0.1:$p_silent timeout=1
ProxyPass /picky    https://localhost:$p_picky/
ProxyPass /picky2/  https://localhost:$p_picky/two/
ProxyPass /wss/     wss://localhost:$p_local/
<Location /preserve>
    ProxyPass https://localhost:$p_named
    ProxyPreserveHost On
</Location>
<Proxy "https://localhost:$p_picky/two/">
    SSLProxyMachineCertificateFile $dir/client.pem
</Proxy>
<VirtualHost 127.0.0.1:__PORT_a__>
    SSLProxyEngine On
    SSLProxyVerify none
    ProxyPass /v https://localhost:$p_local
    ProxyPass /foreign https://localhost:$p_foreign
    ProxyPass /expired https://localhost:$p_expired
    ProxyPass /expiredok https://localhost:$p_expired/ok
    <Proxy "https://localhost:$p_expired/ok">
        SSLProxyCheckPeerExpire off
    </Proxy>
    ProxyPass /named https://localhost:$p_named
    ProxyPass /nocheck https://127.0.0.1:$p_named
    <Proxy "https://127.0.0.1:$p_named">
        SSLProxyCheckPeerName off
    </Proxy>
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_b__>
    $trust
    ProxyPass /v https://localhost:$p_local
    ProxyPass /foreign https://localhost:$p_foreign
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_plain__>
    SSLProxyEngine Off
    ProxyPass /v https://localhost:$p_local
</VirtualHost>
CONF
);

sub status { my ($path, %opt) = @_; return get($s, $path, %opt)->status }

# ---- names

my $r = get($s, '/local/id/1', id => 'a');
is $r->status, 200, 'https is spoken';
is $r->body, "id 1 a\n", 'with the right backend';
is $r->header('X-Backend-Sni'), 'localhost', 'SNI is the host of the URL';
$s->mark_log;
is status('/byip/id/1'), 502, 'an address: mod_ssl looks for it among the names of the certificate, in vain';
ok $s->wait_log(qr/RP0200: tls-handshake: [^\n]*SSLProxyCheckPeerName/), 'and the log says where to look';
$r = get($s, '/nocheck/id/1', port => 'a');
is $r->status, 200, 'SSLProxyCheckPeerName off in <Proxy>';
is $r->header('X-Backend-Sni'), '-', 'an address is never sent as SNI';
is status('/named/id/1'), 200, 'a certificate with several names';
is get($s, '/preserve/id/1', host => 'www.example.com')->header('X-Backend-Sni'), 'www.example.com',
    'ProxyPreserveHost: SNI is the client\'s Host';
is status('/preserve/id/1', host => 'evil.example.com'), 502, 'which the certificate must name';
is get($s, '/preserve/id/1', host => 'www.example.com:8080')->header('X-Backend-Sni'), 'www.example.com',
    'without its port';

# ---- trust

is status('/foreign/id/1'),               502, 'a certificate of another authority';
is status('/foreign/id/1', port => 'b'),  502, 'in a virtual host that checks too';
is status('/foreign/id/1', port => 'a'),  200, 'in one that does not';
is status('/foreign/id/2'),               502, 'whose connection is not used by the others';
is status('/expired/id/1'),               502, 'an expired certificate';
is status('/expired/id/1', port => 'a'),  502, 'checked although nothing is verified';
is status('/expiredok', port => 'a'),     200, 'SSLProxyCheckPeerExpire off in <Proxy>';
is $foreign->count('requests'), 1, 'no request reached whom we do not trust';

$s->mark_log;
is status('/v/id/1', port => 'plain'), 502, 'no SSLProxyEngine in the virtual host';
ok $s->wait_log(qr/RP0200: tls-not-enabled: [^\n]*SSLProxyEngine On/), 'and the log says what to write';

# ---- client certificates

is status('/picky/id/1'), 502, 'a backend that wants a certificate, and none is configured';
$r = get($s, '/picky2/x');
is $r->status, 200, 'with one in <Proxy>';
is $r->header('X-Backend-Peer'), 'proxy client', 'it is the configured one';
is status('/picky/id/1'), 502, 'nobody else profits from that connection';

# ---- who shares connections

$local->reset;
my %conn = map { $_ => get($s, '/v/id/1', port => $_)->header('X-Backend-Conn') } qw(a b);
isnt $conn{a}, $conn{b}, 'two virtual hosts with other settings: two connections';
is get($s, '/v/id/1', port => $_)->header('X-Backend-Conn'), $conn{$_}, "virtual host $_ uses its own again" for qw(a b);
my $main = get($s, '/local/id/1')->header('X-Backend-Conn');
is get($s, "/local/id/$_")->header('X-Backend-Conn'), $main, 'kept alive' for 1 .. 3;

# ---- when there is no TLS

$s->mark_log;
my $start = now();
is status('/silent/x'), 502, 'a handshake that is never answered';
cmp_ok now() - $start, '<', seconds(8), 'ends with the time-out';
ok $s->wait_log(qr/RP0200: tls-handshake: [^\n]*took too long/), 'and is told so';

# A server of a few lines, for what the scripted one can not do: answers each accepted connection with the code.
sub tls_server {
    my ($count, $code) = @_;
    my $listen = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "listen: $!\n";
    my $pid    = fork // die "fork: $!\n";
    return ($listen->sockport, $pid) if $pid;
    alarm 60;
    for my $n (1 .. $count) {
        my $c = $listen->accept or next;
        $code->($c, $n);
    }
    POSIX::_exit(0);
}

# ... and the server's half of TLS on it
sub secure {
    my ($c) = @_;
    return IO::Socket::SSL->start_SSL($c, SSL_server => 1, SSL_cert_file => "$dir/local.crt", SSL_key_file => "$dir/local.key");
}

sub read_head {
    my ($c) = @_;
    my $in = '';
    while ($in !~ /\r\n\r\n/) { sysread $c, $in, 4096, length $in or last }
    return $in;
}

sub proxy_to {
    my ($port, $more) = @_;
    return RProxy::Server->new(
        modules => [qw(ssl socache_shmcb setenvif)],
        threads => 4,
        config  => "$trust\nProxyPass / https://localhost:$port/ " . ($more // '') . "\n"
    );
}

my ($port, $pid) = tls_server(1, sub { sysread $_[0], my $hello, 10000; close $_[0] });
my $t = proxy_to($port);
is get($t, '/x')->status, 502, 'closed in the middle of the handshake';
ok $t->wait_log(qr/RP0200: tls-handshake: [^\n]*closed the connection during/), 'and is told so';
waitpid $pid, 0;

($port, $pid) = tls_server(1, sub { sysread $_[0], my $hello, 10; close $_[0] }); # unread bytes: a reset
$t = proxy_to($port);
is get($t, '/x')->status, 502, 'a reset in the middle of the handshake';
ok $t->wait_log(qr/RP0200: tls-handshake: [^\n]*broke during/), 'and is told so';
waitpid $pid, 0;

($port, $pid) = tls_server(1, sub { syswrite $_[0], "HTTP/1.1 400 Bad Request\r\n\r\n"; close $_[0] });
$t = proxy_to($port);
is get($t, '/x')->status, 502, 'a backend that does not speak TLS';
waitpid $pid, 0;

# the goodbye while idle: the connection is not used again; the one after it is a new one
($port, $pid) = tls_server(2, sub {
    my ($raw, $n) = @_;
    my $c = secure($raw) or return;
    read_head($c);
    print {$c} "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n$n\n";
    $c->stop_SSL(SSL_no_shutdown => 0) if $n == 1; # close-notify, while TCP stays open
    sysread $raw, my $rest, 1;
});
$t = proxy_to($port);
is get($t, '/x')->body, "1\n", 'an answer, then close-notify';
is post($t, '/x', 'a body')->body, "2\n", 'even a POST is safe: it goes on a new connection';
$t->stop;
waitpid $pid, 0;

# the answer and the goodbye in one go
for my $clean (1, 0) {
    ($port, $pid) = tls_server(1, sub {
        my $c = secure($_[0]) or return;
        read_head($c);
        print {$c} "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil close";
        $clean ? $c->close : POSIX::_exit(0); # the kernel ends the TCP stream
    });
    $t = proxy_to($port);
    $r = get($t, '/x');
    is $r->body, 'until close', 'a body that ends with ' . ($clean ? 'close-notify' : 'the connection');
    is $r->complete, $clean, 'is ' . ($clean ? 'whole' : 'visibly cut: anybody can end a TCP stream');
    ok $t->wait_log(qr/RP0200: body-short: [^\n]*without close-notify/), 'and is told so' if !$clean;
    $t->stop;
    waitpid $pid, 0;
}
# what has a length of its own needs no goodbye; and an old server can be believed
for my $old (0, 1) {
    ($port, $pid) = tls_server(1, sub {
        my $c = secure($_[0]) or return;
        read_head($c);
        print {$c} "HTTP/1.1 200 OK\r\nConnection: close\r\n" . ($old ? '' : "Content-Length: 5\r\n") . "\r\nhello";
        POSIX::_exit(0);
    });
    $t = proxy_to($port, $old ? qq{\nSetEnvIf Request_URI . rproxy-tls-eof-ok} : '');
    $r = get($t, '/x');
    is $r->body . $r->complete, 'hello1', ($old ? 'rproxy-tls-eof-ok' : 'a counted body') . ': whole without close-notify';
    $t->stop;
    waitpid $pid, 0;
}

# what reaches the backend at the end: close-notify, then the end
($port, $pid) = tls_server(1, sub {
    my $c = secure($_[0]) or POSIX::_exit(9);
    read_head($c);
    print {$c} "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    sysread $c, my $rest, 10;
    POSIX::_exit(Net::SSLeay::get_shutdown($c->_get_ssl_object) & 2 ? 0 : 8); # close-notify came
});
$t = proxy_to($port);
is get($t, '/x')->body, 'ok', 'an answer with Connection: close';
waitpid $pid, 0;
is $? >> 8, 0, 'we end our side with close-notify';
$t->stop;

# ---- bytes

for my $size (1, 8191, 8192, 8193, 16384, 100_000, 3_000_000) {
    my ($want) = $local->digest($size, 5) =~ /(\w{64})/;
    is sha256_hex(get($s, "/local/bytes/$size?seed=5")->body), $want, "$size bytes down";
}
my $body = join '', map { chr(33 + $_ % 90) } 1 .. 500_000;
$body = join '', ($body) x 6;
like post($s, '/local/sink', $body)->body, qr/^bytes 3000000 sha256 @{[sha256_hex($body)]}$/, '3 MB up';

# the backend does not read: what we hold for it is bounded, and nothing is lost
my $client = RProxy::Client->new($s);
my $sent   = 0;
$client->send("POST /local/sink?before=go HTTP/1.1\r\nHost: x\r\nContent-Length: " . length($body) . "\r\n\r\n");
$client->{socket}->blocking(0);
my $idle = 0;
while ($sent < length $body && $idle < 20) {
    my $put = syswrite $client->{socket}, $body, 65536, $sent;
    $sent += $put // 0;
    $idle = $put ? 0 : $idle + 1;
    select undef, undef, undef, 0.02 unless $put;
}
$client->{socket}->blocking(1);
$local->signal('go');
$client->send(substr $body, $sent);
$client->{method} = 'POST';
like $client->response->body, qr/^bytes 3000000 sha256 @{[sha256_hex($body)]}$/, 'a slow reader gets all of it';

# ---- nothing is left of a connection

# Resident kilobytes of the child.
sub rss {
    my ($pid) = $s->children;
    open my $in, '<', "/proc/$pid/status" or die "$!\n";
    return (map { /^VmRSS:\s+(\d+)/ ? $1 : () } <$in>)[0];
}
my $many = RProxy::Client->new($s);
sub connections { for (1 .. $_[0]) { $many->request('GET', '/once/id/1'); $many->response } return rss() }
connections(50);
my $before = connections(50);
cmp_ok connections(500) - $before, '<', kilobytes(1000), '500 connections one after the other leave no memory behind';

# ---- a tunnel

$client = RProxy::Client->new($s);
$client->send("GET /wss/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        . "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
is $client->response_head->status, 101, 'wss: is a tunnel';
my $frame = "\x81\x85" . "\0\0\0\0" . 'hello';
$client->send($frame);
is $client->read_exact(7), "\x81\x05hello", 'through which bytes go both ways';
$client->send("\x88\x82\0\0\0\0\x03\xe8");
like $client->read_exact(4), qr/^\x88\x02/, 'and the goodbye';
ok $local->await('busy', '==', 0), 'and the backend sees the end';

is get($s, '/local/id/9')->status, 200, 'all is well at the end';
