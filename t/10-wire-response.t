# SPDX-License-Identifier: Apache-2.0
# Responses as the client sees them: status line, interim responses, fields, framing, reuse.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env    qw(needs);
use RProxy::Server;

plan tests => 98, need { needs('rproxy', 'headers', 'env', 'mime') };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $server  = RProxy::Server->new(modules => [qw(headers env mime)], config => <<"CONF");
AddEncoding x-gzip .gz
ProxyPass /small $url/small responsefieldsize=512
ProxyPass /app $url
Header set X-Note "expr=%{note:proxy-status}"
<Location /suppress>
    ProxyPass $url
    SetEnv proxy-interim-response Suppress
</Location>
<Location /rfc>
    ProxyPass $url
    SetEnv proxy-interim-response RFC
</Location>
<Location /override>
    ProxyPass $url
    ProxyErrorOverride On
    ErrorDocument 404 "our own 404"
    ErrorDocument 401 "our own 401"
</Location>
<Location /override-some>
    ProxyPass $url
    ProxyErrorOverride On 404
    ErrorDocument 404 "our own 404"
</Location>
CONF

# what the client gets when the backend sends these bytes
sub raw {
    my ($bytes, %opt) = @_;
    my $path = $opt{path} // '/raw';
    $backend->clear;
    $backend->raw_answer($path, $bytes, $opt{end});
    my $client = RProxy::Client->new($server, %opt);
    $client->request($opt{method} // 'GET', ($opt{front} // '/app') . $path, %opt);
    return $client->response;
}
my $ok = "HTTP/1.1 200 OK\r\n";

# --- status line ---
my $r = raw("${ok}Content-Length: 2\r\n\r\nhi");
is $r->status, 200,  'a plain response';
is $r->body,   'hi', 'with its body';
is raw("HTTP/1.1 200 Quite Fine\r\nContent-Length: 0\r\n\r\n")->reason, 'Quite Fine',
    'reason phrase';
is raw("HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n")->status,  299, 'no reason phrase';
is raw("HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n")->status, 299, 'an empty one';
for my $code (418, 451, 599, 999) {
    $r = raw("HTTP/1.1 $code Odd\r\nContent-Length: 0\r\n\r\n");
    is $r->status,           $code, "status $code passes through";
    is $r->header('X-Note'), $code, '... and is noted';
}
$r = raw("\r\n${ok}Content-Length: 2\r\n\r\nhi");
is $r->status, 200, 'one empty line before the status line is tolerated';
is raw("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi")->body, 'hi', 'bare LF ends a line';
$r = raw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi");
is $r->status,  200,   'an HTTP/1.0 response';
is $r->version, '1.1', 'becomes one of ours';

# --- interim responses ---
my $client = RProxy::Client->new($server);
$client->request('GET', '/app/interim/3');
$r = $client->response;
is $r->status,                         200,                     'final status behind interim ones';
is scalar($r->interim),                3,                       'each 103 is forwarded';
is + ($r->interim)[1]->header('Link'), '</2.css>; rel=preload', 'with its fields';
$client->request('GET', '/suppress/interim/3');
is scalar($client->response->interim), 0, 'Suppress drops them';
$client->request('GET', '/app/interim/1?code=100');
is scalar($client->response->interim), 0, 'a 100 that the client did not ask for is dropped';
$client->request('GET', '/rfc/interim/1?code=100');
is scalar($client->response->interim), 1, 'but forwarded with policy RFC';
$client->request('GET', '/app/interim/1', version => '1.0');
is scalar($client->response->interim), 0, 'nothing of the kind to HTTP/1.0';
$r = raw("HTTP/1.1 103 E\r\nSet-Cookie: early=1\r\n\r\n${ok}Content-Length: 0\r\n\r\n",
    version => '1.0');
is $r->header('Set-Cookie'), undef, 'fields of a 1xx do not leak into the final response';

# --- fields ---
$r = raw(<<"HEAD" =~ s/\n/\r\n/gr);
HTTP/1.1 200 OK
Content-Length: 0
Connection: X-Hop, close
X-Hop: secret
Proxy-Connection: close
Keep-Alive: timeout=9
Proxy-Authenticate: Basic
TE: x
Trailer: X
Upgrade: foo
X-Stays: 1
Server: Backend/1
Date: Sun, 06 Nov 1994 08:49:37 GMT
Set-Cookie: a=1
Set-Cookie: b=2
Set-Cookie: c=3; expires=Sun, 06 Nov 2094 08:49:37 GMT
Via: 1.0 inner
Warning: 199 - "x"
Refresh: 5
Link: </a>
ETag: "x"
X-Trail: v  \x20
X-Lead:   \t v

HEAD
for my $gone (qw(X-Hop Proxy-Connection Proxy-Authenticate TE Trailer Upgrade)) {
    is $r->header($gone), undef, "$gone is not forwarded";
}
unlike join(',', $r->all('Keep-Alive')), qr/timeout=9/, 'nor the backend\'s Keep-Alive';
is $r->header('Server'), 'Backend/1',                     'Server is the backend\'s';
is $r->header('Date'),   'Sun, 06 Nov 1994 08:49:37 GMT', 'Date too';
is join('|', $r->all('Set-Cookie')), 'a=1|b=2|c=3; expires=Sun, 06 Nov 2094 08:49:37 GMT',
    'cookies stay apart';
my %same = (Via => '1.0 inner', Refresh => '5', Link => '</a>', ETag => '"x"', 'X-Stays' => 1);
is $r->header($_),        $same{$_}, "$_ is forwarded" for sort keys %same;
is $r->header('X-Trail'), 'v',       'space behind a value is stripped';
is $r->header('X-Lead'),  'v',       'and before it';
$r = raw(
    "${ok}Content-Length: 0\r\nDate: Sunday, 06-Nov-94 08:49:37 GMT\r\nLast-Modified: Sun Nov  6 08:49:37 1994\r\n"
        . "Expires: 0\r\n\r\n");
is $r->header('Date'), 'Sun, 06 Nov 1994 08:49:37 GMT', 'a date of the old form is rewritten';
is $r->header('Last-Modified'), 'Sun, 06 Nov 1994 08:49:37 GMT', 'Last-Modified too';
is $r->header('Expires'),       '0',                             'but not what is no date';
$r = raw("${ok}Content-Length: 0\r\n\r\n");
like $r->header('Date'), qr/GMT$/, 'Date is made when the backend sent none';
$r = raw($ok . join('', map { "X-$_: $_\r\n" } 1 .. 500) . "Content-Length: 0\r\n\r\n");
is $r->header('X-500'), 500, '500 fields are not too many';
$r = raw("${ok}X-Long: " . 'x' x 8000 . "\r\nContent-Length: 0\r\n\r\n");
is length $r->header('X-Long'), 8000, 'a value of 8000 bytes is not too long';
is raw(
    "${ok}X-Long: " . 'x' x 600 . "\r\nContent-Length: 0\r\n\r\n",
    front => '',
    path  => '/small'
)->status, 502, 'but longer than responsefieldsize is';
is raw(
    "${ok}X-Long: " . 'x' x 400 . "\r\nContent-Length: 0\r\n\r\n",
    front => '',
    path  => '/small'
)->status, 200, 'which shorter is not';
$r = raw("${ok}Content-Length: 0\r\nX-8: \xe9\r\nX-T: a\tb\r\n\r\n");
is $r->header('X-8'), "\xe9", 'bytes over 127 pass';
is $r->header('X-T'), "a\tb", 'and tabs';
$r = raw("${ok}Content-Length: 2\r\n\r\nhi", path => '/file.txt.gz');
is $r->header('Content-Type'),     'text/plain', 'a response without a type gets one from the name';
is $r->header('Content-Encoding'), 'x-gzip',     'and an encoding';
$r = raw("${ok}Content-Type: a/b\r\nContent-Length: 2\r\n\r\nhi", path => '/file.txt');
is $r->header('Content-Type'), 'a/b', 'its own type stays, whatever its name says';

# --- framing ---
$r = get($server, '/app/bytes/1000', close => 0);
is $r->framing, 'length', 'Content-Length stays';
$r = get($server, '/app/bytes/1000?te=chunked&chunk=7');
is $r->framing,     'chunked', 'chunked stays';
is length $r->body, 1000,      'and all is there';
ok $r->complete, 'to its end';
$r = get($server, '/app/bytes/1000?cl=none');
is $r->framing, 'chunked', 'a body until close becomes chunked';
ok $r->complete, 'and ends well';
$r = get($server, '/app/bytes/300000?te=chunked', version => '1.0'); # more than httpd gathers to count it
is $r->framing,     'close', 'to HTTP/1.0 it ends with the connection';
is length $r->body, 300_000, 'complete';
$r = get($server, '/app/trailers');
is $r->body,                 'hello', 'a body with trailers';
is scalar($r->trailers),     0,       'which are not passed on';
is $r->header('Set-Cookie'), undef,   'nor made fields';

for my $case (
    ['HEAD', '/app/bytes/100',           200, 100],
    ['GET',  '/app/status/204',          204, undef],
    ['GET',  '/app/status/304?h=ETag:x', 304, undef]
) {
    my ($method, $target, $status, $length) = @$case;
    $client = RProxy::Client->new($server);
    $client->request($method, $target);
    $r = $client->response;
    is $r->status,                   $status, "$method $target";
    is $r->header('Content-Length'), $length, 'its Content-Length';
    $client->request('GET', '/app/id/1', id => 'next');
    is $client->response->body, "id 1 next\n", 'has no body';
}
$r = raw("HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n");
is $r->status, 205, 'status 205 passes through';

# --- a chunked head over several reads ---
$backend->clear;
$backend->script(
    '/slow',
    "recv body\nsend-slow "
        . RProxy::Backend::quote(
        "${ok}Transfer-Encoding: chunked\r\nX-A: b\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
);
$r = get($server, '/app/slow');
is $r->body,          'abcde', 'a response byte by byte';
is $r->header('X-A'), 'b',     'its fields';
ok $r->complete, 'its end';
$client = RProxy::Client->new($server);
$client->request('GET', '/app/slow');
$client->response;
$client->request('GET', '/app/id/2');
is $client->response->body, "id 2 -\n", 'its connection goes on';

# --- ProxyErrorOverride ---
$r = get($server, '/override/status/404?h=X-Secret:1&h=Retry-After:5');
is $r->status,             404,           'ProxyErrorOverride keeps the status';
is $r->body,               'our own 404', 'and replaces the body';
is $r->header('X-Secret'), undef,         'and the fields';
$r = get($server, '/override/status/401?h=WWW-Authenticate:Basic%20realm=x');
is $r->header('WWW-Authenticate'), 'Basic realm=x', 'but for the challenge of a 401';
is get($server, '/override/status/200')->body,      "status 200\n", 'a success is left alone';
is get($server, '/override-some/status/404')->body, 'our own 404',  'a listed code is replaced';
is get($server, '/override-some/status/403')->body, "status 403\n", 'one not listed is not';
$client = RProxy::Client->new($server);
$backend->reset;

for my $n (1 .. 3) {
    $client->request('GET', '/override/status/404');
    $client->response;
}
is $backend->count('accepted') <= 1, 1, 'the replaced body does not cost the backend connection';

# --- reuse ---
sub connections {
    my ($code) = @_;
    $backend->await('busy', '==', 0);
    $backend->idle('close');
    $backend->await('open', '==', 0);
    $backend->command('reset');
    $code->();
    return $backend->count('accepted');
}
my $thrice = sub {
    my ($target, %opt) = @_;
    return connections(
        sub {
            my $c = RProxy::Client->new($server);
            for (1 .. 3) { $c->request('GET', $target, %opt); $c->response }
        }
    );
};
is $thrice->('/app/id/1'),                  1, 'a connection is used again';
is $thrice->('/app/bytes/1000?te=chunked'), 1, 'after a chunked response too';
is $thrice->('/app/id/1?close=1'),          3, 'not when the backend asks for a close';
is $thrice->('/app/id/1?proto=1.0'),        3, 'not with HTTP/1.0';
is $thrice->('/app/bytes/10?cl=none'),      3, 'not when it framed the body';
is connections(
    sub {
        for (1 .. 3) {
            my $c = RProxy::Client->new($server);
            $c->request('GET', '/app/bytes/100');
            $c->response;
        }
    }
    ),
    1, 'clients share it';
is connections(
    sub {
        get($server, '/app/id/1') for 1 .. 2;
        $backend->await('idle', '==', 1);
        $backend->idle('close');
        $backend->await('open', '==', 0);
        is get($server, '/app/id/9')->status, 200,
            'a connection that the backend closed is not used';
    }
    ),
    2, 'but replaced';
is connections(
    sub {
        get($server, '/app/id/1');
        $backend->await('idle', '==', 1);
        $backend->idle_send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL");
        is get($server, '/app/id/8')->body, "id 8 -\n", 'unasked-for bytes answer nobody';
    }
    ),
    2, 'their connection is not used again';
