# SPDX-License-Identifier: Apache-2.0
# What the client is told when a backend fails, by reason; what the log says; and that a failure
# hurts nobody else.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env    qw(needs now seconds temp_dir);
use RProxy::Port   qw(free_port);
use RProxy::Server;

plan tests => 156, need { needs('rproxy', 'ssl') };

my %b =
    map { $_ => RProxy::Backend->new(name => $_) } qw(good refuse jam pool slow write mute clear);
my %t = map { $_ => RProxy::Backend->new(name => "tls-$_", tls => $_) }
    qw(local expired foreign backend);
my $socket = temp_dir('sock') . '/none';
my $dead   = free_port();
my $server = RProxy::Server->new(modules => [qw(ssl socache_shmcb)], config => <<"CONF");
ProxyPass /good      @{[$b{good}->url]}
ProxyPass /dead      http://127.0.0.1:$dead
ProxyPass /refuse    @{[$b{refuse}->url]}
ProxyPass /unix      unix:$socket|http://localhost
ProxyPass /jam       @{[$b{jam}->url]} connectiontimeout=1
ProxyPass /pool      @{[$b{pool}->url]} max=1 acquire=300
ProxyPass /slow      @{[$b{slow}->url]} timeout=1
ProxyPass /write     @{[$b{write}->url]} timeout=1
ProxyPass /noname    http://no-such-host.invalid/
ProxyPass /no-engine https://localhost:@{[$t{local}->tls_port]}/
ErrorDocument 504 "our own 504"
Listen 127.0.0.1:__PORT_tls__
<VirtualHost 127.0.0.1:__PORT_tls__>
    SSLProxyEngine On
    SSLProxyCACertificateFile "__CERTS__/ca.crt"
    SSLProxyVerify require
    ProxyPass /local   https://localhost:@{[$t{local}->tls_port]}
    ProxyPass /expired https://localhost:@{[$t{expired}->tls_port]}
    ProxyPass /foreign https://localhost:@{[$t{foreign}->tls_port]}
    ProxyPass /name    https://localhost:@{[$t{backend}->tls_port]}
    ProxyPass /clear   https://localhost:@{[$b{clear}->port]}
    ProxyPass /mute    https://localhost:@{[$b{mute}->port]} timeout=1
</VirtualHost>
CONF

# one request: status, and a line in the log that has the reason
sub fails {
    my ($name, $target, $status, $reason, %opt) = @_;
    $server->mark_log;
    my $start = now();
    my $r     = RProxy::Client->one($server, $opt{method} // 'GET', $target, id => $name, %opt);
    is $r->status, $status, "$name: $status" or diag $r->raw_head;
    ok $r->complete, 'a whole page';
    like $r->header('Content-Type') // '', qr{^text/html},       'in HTML' unless $opt{own};
    unlike $r->body, qr/127\.0\.0\.1|localhost:\d|no-such-host/, 'that names no backend';
    ok $server->wait_log($reason), 'the log has the reason' or diag $server->error_log;
    cmp_ok now() - $start, '<', seconds($opt{within} // 3), 'in time';
    return $r;
}

# --- 503: it could not be reached ---
fails('nobody listens', '/dead/', 503, qr/RP\d+: connect-refused/);
fails('POST to nobody', '/dead/', 503, qr/RP\d+: connect-refused/, method => 'POST', body => 'x');
is get($server, '/refuse/id/1')->status, 200, 'a backend that is there';
$b{refuse}->await('busy', '==', 0);
$b{refuse}->idle('close');
$b{refuse}->await('open', '==', 0);
$b{refuse}->refuse;
fails('it went away', '/refuse/', 503, qr/RP\d+: connect-refused/);
$b{refuse}->listen;
is get($server, '/refuse/id/2')->status, 200, 'and is back: used at once';
fails('no such socket', '/unix/', 503, qr/RP\d+: (?:unreachable|connect-refused)/);
$b{jam}->jam;
fails('connect timeout', '/jam/', 503, qr/RP\d+: connect-timeout/, within => 4);
$b{jam}->unjam;
is get($server, '/jam/id/1')->status, 200, 'and afterwards it is used';

my $first = RProxy::Client->new($server);
$first->request('GET', '/pool/id/1?wait=go');
ok $b{pool}->await('busy', '==', 1), 'the only connection is taken';
fails('pool wait', '/pool/id/2', 503, qr/RP\d+: pool-timeout/);
$b{pool}->signal('go');
is $first->response->status,           200, 'the first is served';
is get($server, '/pool/id/3')->status, 200, 'and then others';
is $b{pool}->count('max_open'),        1,   'over one connection';

# --- 502: no name, no TLS, no answer ---
fails('no such name', '/noname/', 502, qr/RP\d+: name-lookup/, within => 12);
$b{clear}->script_conn('*', "recv 10\nsend \"HTTP/1.1 400 Bad\\r\\n\\r\\n\"\nlinger");
$b{mute}->script_conn('*', 'hold');
fails('TLS to a server without',       '/clear/id/1', 502, qr/RP\d+: tls-handshake/, port => 'tls');
fails('a handshake without an answer', '/mute/id/1',  502, qr/RP\d+: tls-handshake/, port => 'tls');
fails('an expired certificate',     '/expired/id/1',  502, qr/RP\d+: tls-handshake/, port => 'tls');
fails('one of a foreign authority', '/foreign/id/1',  502, qr/RP\d+: tls-handshake/, port => 'tls');
fails('one for another name',       '/name/id/1',     502, qr/RP\d+: tls-handshake/, port => 'tls');
is get($server, '/local/id/1', port => 'tls')->status, 200, 'while a good one is accepted';
fails('TLS not enabled', '/no-engine/', 502, qr/RP\d+: tls-not-enabled/);

$b{good}->script('/half', "recv body\nsend \"HTTP/1.1 200 OK\\r\\nX-\"\nlinger");
$b{good}->raw_answer('/garbage', "garbage\r\n\r\n");
fails('closed before the head', '/good/drop', 502, qr/RP\d+: closed-before-head/, method => 'POST',
    body => 'x');
fails('reset before the head', '/good/reset', 502, qr/RP\d+: reset-before-head/, method => 'POST',
    body => 'x');
fails('closed in the head', '/good/half', 502, qr/RP\d+: (?:closed-before-head|bad-head)/,
    method => 'POST', body => 'x');
fails('garbage', '/good/garbage', 502, qr/RP\d+: bad-head/);

# --- 504: too late ---
my $r = fails('no answer', '/slow/hold', 504, qr/RP\d+: head-timeout/, within => 4, own => 1);
is $r->body, 'our own 504', 'ErrorDocument 504 is used';
fails('POST without an answer', '/slow/hold', 504, qr/RP\d+: head-timeout/, within => 4, own => 1,
    method => 'POST', body => 'x');
is $b{slow}->count('path:/hold'), 2, 'nothing was sent again after a timeout';
ok $b{slow}->await('open', '==', 0), 'and those connections are closed';
$b{slow}->script('/dribble', "recv body\nsend \"HTTP/1.1 200 OK\\r\\nX-A: \"\nwait never");
fails('half a head', '/slow/dribble', 504, qr/RP\d+: head-timeout/, within => 4, own => 1);
$b{write}->script('/deaf', "wait never");
fails(
    'a backend that does not read', '/write/deaf', 504, qr/RP\d+: write-timeout/, within => 6,
    own    => 1,
    method => 'POST', body => 'x' x 30_000_000
);

# --- once the head is out: a visible truncation, and a line in the log ---
$b{slow}->script('/stuck',
    "recv body\nsend \"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nabc\"\nwait never");
$b{slow}->script('/stuck-chunked',
    "recv body\nsend \"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n3\\r\\nabc\\r\\n\"\nwait never"
);
$b{slow}->script('/stuck-close', "recv body\nsend \"HTTP/1.1 200 OK\\r\\n\\r\\nabc\"\nwait never");
$b{good}->raw_answer('/short', "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
for my $case (
    ['/slow/stuck',       'body-timeout'], ['/slow/stuck-chunked', 'body-timeout'],
    ['/slow/stuck-close', 'body-timeout'],
    ['/good/short',       'body-short']
) {
    my ($target, $reason) = @$case;
    $server->mark_log;
    my $client = RProxy::Client->new($server);
    $client->request('GET', $target);
    $r = $client->response;
    is $r->status, 200, "$target: the head was out";
    ok !$r->complete, 'the truncation is visible';
    is $r->body, 'abc', 'what came, came';
    ok $client->at_end,                       'the client\'s connection ends';
    ok $server->wait_log(qr/RP\d+: $reason/), 'the log has the reason';
}

# --- none of it counts against others ---
is get($server, '/good/id/9')->body, "id 9 -\n", 'the next request is served';
like $server->access_log, qr/^no answer 504 /m, 'the access log has the statuses';
is scalar($server->children), 1, 'the child is still there';
