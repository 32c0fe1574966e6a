# SPDX-License-Identifier: Apache-2.0
# The request head as the backend sees it: order, what is removed, what is added, what a client can
# not undo.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env    qw(needs);
use RProxy::Server;

plan
    tests => 66,
    need { needs('rproxy', 'headers', 'env', 'setenvif', 'auth_basic', 'authn_file', 'authz_user') };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $host    = '127.0.0.1:' . $backend->port;
my $server  = RProxy::Server->new(
    modules => [qw(headers env setenvif auth_basic authn_core authn_file authz_user allowmethods)],
    start   => 0
);
$server->write_file('htpasswd', 'u:$apr1$0/rRGKgV$PWbbLcqUqEjP2gmbYGdCf.' . "\n");
qx(htpasswd -bc $server->{root}/htpasswd u p 2>&1);
chmod 0644, "$server->{root}/htpasswd";
$server->start(<<"CONF") or die $server->error_log;
ProxyPass /app $url
<Location /preserve>
    ProxyPass $url
    ProxyPreserveHost On
</Location>
<Location /preserve-edit>
    ProxyPass $url
    ProxyPreserveHost On
    RequestHeader set Host edited.test
</Location>
<Location /plain>
    ProxyPass $url
    ProxyAddHeaders Off
</Location>
<Location /force10>
    ProxyPass $url
    SetEnv force-proxy-request-1.0 1
</Location>
<Location /nokeepalive>
    ProxyPass $url
    SetEnv proxy-nokeepalive 1
</Location>
<Location /auth>
    ProxyPass $url
    AuthType Basic
    AuthName x
    AuthUserFile "__ROOT__/htpasswd"
    Require valid-user
</Location>
<Location /chain>
    ProxyPass $url
    AuthType Basic
    AuthName x
    AuthUserFile "__ROOT__/htpasswd"
    Require valid-user
    SetEnv Proxy-Chain-Auth 1
</Location>
<VirtualHost 127.0.0.1:__PORT__>
    ServerName front.test
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT__>
    ServerName via-on.test
    ProxyVia On
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT__>
    ServerName via-full.test
    ProxyVia Full
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT__>
    ServerName via-block.test
    ProxyVia Block
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT__>
    ServerName hops.test
    ProxyMaxForwards 7
</VirtualHost>
CONF

# the head that arrived for a request
sub head {
    my ($method, $target, %opt) = @_;
    my $r = RProxy::Client->one($server, $method, $target, host => 'front.test', %opt);
    return wantarray ? ($r->body, $r) : $r->body;
}

# names of the fields, in order
sub names {
    my ($head) = @_;
    return join ' ', map { /^([^:\s]+):/ ? $1 : () } split /\r\n/, $head;
}
sub value { my ($head, $name) = @_; return $head =~ /^\Q$name\E: (.*?)\r$/mi ? $1 : undef }

# --- order ---
my $head =
    head('GET', '/app/headers?a=b%20c', headers => ['X-One', '1', 'Accept', 'x/y', 'X-Two', '2']);
like $head, qr{^GET /headers\?a=b%20c HTTP/1\.1\r\n}, 'request line';
is names($head),
    'Host X-One Accept X-Two X-Forwarded-For X-Forwarded-Host X-Forwarded-Server Connection',
    'order of the fields';
is value($head, 'Host'), $host, 'Host is the backend\'s';
like value($head, 'Connection'), qr/^keep-alive$/i, 'the connection is kept';
is value($head, 'X-Forwarded-For'),    '127.0.0.1',  'X-Forwarded-For';
is value($head, 'X-Forwarded-Host'),   'front.test', 'X-Forwarded-Host';
is value($head, 'X-Forwarded-Server'), 'front.test', 'X-Forwarded-Server';

$head = head('POST', '/app/headers', body => 'abc', headers => ['X-One', '1']);
is names($head),
    'Host X-One X-Forwarded-For X-Forwarded-Host X-Forwarded-Server Content-Length Connection',
    'Content-Length is written behind the others';
is value($head, 'Content-Length'), 3, 'and right';

$head = head('GET', '/app/headers',
    headers => ['X-A', '1', 'x-a', '2', 'X-Empty', '', 'X-Tab', "a\tb", 'X-8bit', "\xe9"]);
like $head, qr/^X-A: 1(?:\r\nx-a: |, )2\r$/mi, 'both values of a repeated field';
like $head, qr/^X-Empty:[ ]?\r$/m,             'an empty value';
is value($head, 'X-Tab'),  "a\tb", 'a tab in a value';
is value($head, 'X-8bit'), "\xe9", 'a byte over 127 in a value';

# --- what is removed ---
$head = head(
    'GET',
    '/app/headers',
    close   => 0,
    headers => [
        'Connection', 'close, X-Hop', 'X-Hop',            'secret',
        'Keep-Alive', 'timeout=3',    'TE',               'trailers',
        'Trailer',    'X-Sum',        'Proxy-Connection', 'keep-alive',
        'Upgrade',    'h2c',          'X-Stays',          'yes'
    ]
);
for my $gone (qw(X-Hop Keep-Alive TE Trailer Proxy-Connection Upgrade)) {
    is value($head, $gone), undef, "$gone is not forwarded";
}
is value($head, 'X-Stays'), 'yes', 'other fields are';
like value($head, 'Connection'), qr/^keep-alive$/i, 'the client\'s Connection is its own affair';

$head = head(
    'POST',
    '/app/headers',
    close   => 0,
    body    => 'hello',
    headers => [
        'Connection',
        'close, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Server, Host, Content-Length, Via'
    ]
);
is value($head, 'X-Forwarded-For'),    '127.0.0.1',  'Connection can not strip our X-Forwarded-For';
is value($head, 'X-Forwarded-Host'),   'front.test', 'nor X-Forwarded-Host';
is value($head, 'X-Forwarded-Server'), 'front.test', 'nor X-Forwarded-Server';
is value($head, 'Host'),               $host,        'nor Host';
is value($head, 'Content-Length'),     5,            'nor the framing';

# --- X-Forwarded-* ---
$head = head(
    'GET',
    '/app/headers',
    headers => [
        'X-Forwarded-For',    '192.0.2.1', 'X-Forwarded-Host', 'outer.test',
        'X-Forwarded-Server', 'outer'
    ]
);
is value($head, 'X-Forwarded-For'),    '192.0.2.1, 127.0.0.1',   'X-Forwarded-For is appended to';
is value($head, 'X-Forwarded-Host'),   'outer.test, front.test', 'X-Forwarded-Host too';
is value($head, 'X-Forwarded-Server'), 'outer, front.test',      'X-Forwarded-Server too';
$head = head('GET', '/app/headers', host => 'front.test:8080');
is value($head, 'X-Forwarded-Host'), 'front.test:8080', 'X-Forwarded-Host has the port';
$head = head('GET', '/app/headers', host => undef, version => '1.0');
is value($head, 'X-Forwarded-Host'), undef, 'none without a Host';
is value($head, 'Host'),             $host, 'the backend gets one all the same';
$head = head('GET', '/plain/headers', headers => ['X-Forwarded-For', '192.0.2.1']);
is value($head, 'X-Forwarded-For'), '192.0.2.1', 'ProxyAddHeaders Off leaves the client\'s alone';
is value($head, 'X-Forwarded-Server'), undef,    'and adds none';
is value($head, 'X-Forwarded-Proto'),  undef,    'no X-Forwarded-Proto of our own';

# --- Host ---
$head = head('GET', '/preserve/headers', host => 'front.test:99');
is value($head, 'Host'), 'front.test:99', 'ProxyPreserveHost passes Host on as it came';
$head = head('GET', '/preserve/headers', host => undef, version => '1.0');
is value($head, 'Host'), 'front.test', 'or the server\'s name when there was none';
$head = head('GET', '/preserve-edit/headers');
is value($head, 'Host'), 'edited.test', 'RequestHeader set Host has its effect with it';

# --- credentials ---
$head = head('GET', '/app/headers',
    headers =>
        ['Authorization', 'Basic eDp5', 'Proxy-Authorization', 'Basic cTpy', 'Cookie', 'a=b; c=d']);
is value($head, 'Authorization'), 'Basic eDp5', 'Authorization is forwarded';
is value($head, 'Proxy-Authorization'), 'Basic cTpy',
    'Proxy-Authorization too, when it is not ours';
is value($head, 'Cookie'), 'a=b; c=d', 'cookies untouched';
my $basic = 'Basic dTpw';
$head = head('GET', '/auth/headers',
    headers => ['Authorization', $basic, 'Proxy-Authorization', 'Basic cTpy']);
is value($head, 'Authorization'),       $basic, 'Authorization goes on when httpd itself used it';
is value($head, 'Proxy-Authorization'), undef,  'Proxy-Authorization then does not';
$head = head('GET', '/chain/headers',
    headers => ['Authorization', $basic, 'Proxy-Authorization', 'Basic cTpy']);
is value($head, 'Proxy-Authorization'), 'Basic cTpy', 'but does with Proxy-Chain-Auth';
my $r = get($server, '/auth/headers', id => 'noauth');
is $r->status,                   401, 'without credentials httpd answers';
is $backend->count('id:noauth'), 0,   'and the backend sees nothing';

# --- Max-Forwards ---
$head = head('GET', '/app/headers', headers => ['Max-Forwards', '5']);
is value($head, 'Max-Forwards'), 4, 'Max-Forwards counts down';
is value(scalar head('GET', '/app/headers'), 'Max-Forwards'), undef, 'and is not invented';
is value(scalar head('GET', '/app/headers', host => 'hops.test'), 'Max-Forwards'), 7,
    'but for ProxyMaxForwards';
for my $case (['GET', '0', 400], ['GET', 'x', 400], ['GET', '-1', 400], ['OPTIONS', '0', 200]) {
    my ($method, $hops, $status) = @$case;
    my (undef, $answer) =
        head($method, '/app/headers', id => "hops$method$hops", headers => ['Max-Forwards', $hops]);
    is $answer->status,                        $status, "$method with Max-Forwards: $hops";
    is $backend->count("id:hops$method$hops"), 0,       'stays here' if $hops ne '-1';
}

# --- Via ---
$head = head('GET', '/app/headers', headers => ['Via', '1.0 outer']);
is value($head, 'Via'), '1.0 outer', 'ProxyVia Off passes Via on';
($head, $r) = head('GET', '/app/headers', host => 'via-on.test', headers => ['Via', '1.0 outer']);
like value($head, 'Via'), qr/^1\.0 outer, 1\.1 via-on\.test(:\d+)?$/, 'On appends';
like $r->header('Via'),   qr/^1\.1 via-on\.test(:\d+)?$/,             'and marks the response';
$head = head('GET', '/app/headers', host => 'via-full.test');
like value($head, 'Via'), qr{^1\.1 via-full\.test(:\d+)? \(Apache/2\.4\.\d+.*\)$},
    'Full has the version';
$head = head('GET', '/app/headers', host => 'via-block.test', headers => ['Via', '1.0 outer']);
is value($head, 'Via'), undef, 'Block removes it';

# --- the environment ---
$head = head('GET', '/nokeepalive/headers');
is value($head, 'Connection'), 'close', 'proxy-nokeepalive asks for a close';
$head = head('GET', '/force10/headers');
like $head, qr{^GET /headers HTTP/1\.0\r\n}, 'force-proxy-request-1.0';
is value($head, 'Connection'), undef, 'has no Connection field';

# --- methods ---
$head = head('BREW', '/app/headers');
like $head, qr{^BREW /headers HTTP/1\.1\r\n}, 'an unknown method is passed on';
is head('GET', 'http://front.test/app/headers') =~ m{^(.*)\r$}m && $1, 'GET /headers HTTP/1.1',
    'an absolute URI becomes a path';
