# SPDX-License-Identifier: Apache-2.0
# Connections to backends are used again, by everybody who may, and never when they are not clean.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use POSIX ();
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env qw(needs now wait_until);
use RProxy::Server;

# Answers after which a connection is not used again: bytes, then how the backend goes on.
my $ok = "HTTP/1.1 200 OK\r\n";
my @unclean = (
    ['a response behind the response', "${ok}Content-Length: 2\r\n\r\nok${ok}Content-Length: 4\r\n\r\nevil",      'hold'],
    ['one byte behind the body',       "${ok}Content-Length: 2\r\n\r\nok!",                                      'hold'],
    ['bytes behind the last chunk',    "${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 2", 'hold'],
    ['a body to a 204',                "HTTP/1.1 204 No Content\r\n\r\nok",                                      'hold'],
    ['a body to a 304',                "HTTP/1.1 304 Not Modified\r\n\r\nok",                                    'hold'],
    ['Connection: close',              "${ok}Connection: close\r\nContent-Length: 2\r\n\r\nok",                  'hold'],
    ['Connection: Close in a list',    "${ok}Connection: x, Close\r\nContent-Length: 2\r\n\r\nok",               'hold'],
    ['HTTP/1.0 without keep-alive',    "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",                         'hold'],
    ['a body until the end',           "${ok}\r\nok",                                                            'linger'],
    ['Keep-Alive: timeout=0',          "${ok}Keep-Alive: timeout=0\r\nContent-Length: 2\r\n\r\nok",              'hold'],
    ['an error: a bare CR in a field', "${ok}X-A: a\rb\r\nContent-Length: 2\r\n\r\nok",                          'hold'],
    ['a short body',                   "${ok}Content-Length: 9\r\n\r\nok",                                       'linger'],
    ['a 101 that nobody asked for',    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 'hold'],
);
my @clean = (
    ['a length',          "${ok}Content-Length: 2\r\n\r\nok"],
    ['no body at all',    "HTTP/1.1 204 No Content\r\n\r\n"],
    ['chunks',            "${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
    ['trailers',          "${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"],
    ['interim responses', "HTTP/1.1 103 Early Hints\r\n\r\n${ok}Content-Length: 2\r\n\r\nok"],
    ['an error status',   "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nok"],
    ['a generous hint',   "${ok}Keep-Alive: timeout=100, max=2\r\nContent-Length: 2\r\n\r\nok"],
);
plan tests => 2 * @unclean + @clean + 36, need {needs(qw(rproxy rewrite env setenvif))};

my $b = RProxy::Backend->new;
my $u = $b->url;
my @far = map { RProxy::Backend->new(name => "far$_") } 1 .. 3;
my $s = RProxy::Server->new(
    modules => [qw(rewrite env setenvif)],
    threads => 8,
    config  => <<"CONF",
RProxyUnconfiguredMax 2
ProxyPass /a $u
ProxyPass /b/ $u/status/200/
RewriteEngine On
RewriteRule ^/rw/(.*) $u/\$1 [P]
RewriteRule ^/far/(\\d+)/(.*) http://127.0.0.1:\$1/\$2 [P]
SetEnvIf X-No-Keepalive . proxy-nokeepalive
CONF
);

sub conn { my ($path, %opt) = @_; return get($s, $path, %opt)->header('X-Backend-Conn') // 'none' }

# ---- used again

my $first = conn('/a/id/1');
is conn('/a/id/2'), $first, 'another client, the same connection';
is conn('/b/x'),    $first, 'another ProxyPass to the same server';
is conn('/rw/id/3'), $first, 'a RewriteRule to it';
is $b->count('accepted'), 1, 'one connection in all';
like get($s, '/a/headers')->body, qr/^Connection: keep-alive\r$|^(?!.*^Connection:)/ms, 'the backend is not asked to close';
my $r = get($s, '/a/headers', headers => ['X-No-Keepalive', 1]);
like $r->body, qr/^Connection: close\r$/m, 'proxy-nokeepalive asks it to close';
isnt $r->header('X-Backend-Conn'), $first, '... on a connection of its own';
is conn('/a/id/4'), $first, 'and the other one is there still';

# two at a time, then one: the most recently used
$b->await('open', '==', 1); # the connection that was asked to close is gone
$b->reset;
my @held = map { my $c = RProxy::Client->new($s); $c->request('GET', "/a/id/1?wait=go$_"); $c } 1, 2;
ok $b->await('busy', '==', 2), 'two requests at once';
$b->signal("go$_") for 1, 2;
my %both = map { $_->response->header('X-Backend-Conn') => 1 } @held;
is keys %both, 2, 'are two connections';
ok $both{conn('/a/id/5')}, 'a third request takes one of them';
is $b->count('max_open'), 2, 'there never were more';

# ---- unclean: not used again; what is left of it is nobody's answer

sub renew { $b->drop; $b->await('open', '==', 0); $b->reset; return }

for my $case (@unclean) {
    my ($what, $bytes, $end) = @$case;
    renew();
    $b->script('/odd', 'recv body' . "\nsend " . RProxy::Backend::quote($bytes) . "\n$end\n");
    RProxy::Client->one($s, 'GET', '/a/odd');
    is get($s, '/a/id/7', id => 'after')->body, "id 7 after\n", "$what: the next answer is the right one";
    is $b->count('accepted'), 2, '... on a new connection';
}
for my $case (@clean) {
    my ($what, $bytes) = @$case;
    renew();
    $b->script('/odd', 'recv body' . "\nsend " . RProxy::Backend::quote($bytes) . "\n");
    RProxy::Client->one($s, 'GET', '/a/odd');
    get($s, '/a/id/8');
    is $b->count('accepted'), 1, "$what: used again";
}

# ---- while idle

get($s, '/a/id/1');
$b->await('busy', '==', 0);
$b->idle('close');
ok $b->await('idle', '==', 0), 'the backend closes an idle connection';
is post($s, '/a/id/2', 'body', id => 'p1')->body, "id 2 p1\n", 'a POST goes on a new one';
is $b->count('id:p1'), 1, '... once';
$b->await('busy', '==', 0);
$b->idle('rst');
$b->await('idle', '==', 0);
is post($s, '/a/id/3', 'body', id => 'p2')->body, "id 3 p2\n", 'the same after a reset';
is $b->count('id:p2'), 1, '... once';
$b->await('busy', '==', 0);
$b->idle_send("${ok}Content-Length: 5\r\n\r\nevil\n");
is get($s, '/a/id/4', id => 'p3')->body, "id 4 p3\n", 'bytes that came while idle are nobody\'s answer';

# ---- the backend's hint

$b->reset;
$b->script('/hint', nth => 1, "recv body\nsend " . RProxy::Backend::quote("${ok}Keep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok") . "\n");
get($s, '/a/hint');
my $accepted = $b->count('accepted');
my $end      = now() + 0.6;
wait_until(5, sub { now() > $end });
get($s, '/a/id/1');
cmp_ok $b->count('accepted'), '>', $accepted, 'Keep-Alive: timeout=1: not used after half of it';

# ---- the client goes

$b->reset;
my $c = RProxy::Client->new($s);
$c->request('GET', '/a/bytes/100000000', id => 'gone');
$c->response_head;
$c->abort;
ok $b->await('busy', '==', 0), 'a client that goes ends the exchange';
is get($s, '/a/id/5', id => 'next')->body, "id 5 next\n", 'and leaves nothing behind for the next one';

# ---- connections that belong to a client

renew();
my @ntlm   = (headers => ['Authorization', 'NTLM TlRMTVNTUAABAAAA']);
my $alice  = RProxy::Client->new($s);
my $bob    = RProxy::Client->new($s);
sub over { my ($client, @opt) = @_; $client->request('GET', '/a/id/1', @opt); return $client->response->header('X-Backend-Conn') }
my $hers = over($alice, @ntlm);
isnt over($bob), $hers, 'a connection that carried NTLM is not for others';
is over($alice), $hers, 'its client gets it again, without the header too';
isnt over($bob, headers => ['Authorization', 'negotiate abc']), $hers, 'nor for another who authenticates so';
is over($alice, @ntlm), $hers, 'the client again';
my $open = $b->count('open');
$alice->close;
ok $b->await('open', '==', $open - 1), 'it is closed with its client';
isnt conn('/a/id/2'), $hers, 'and gone';
my $plain = RProxy::Client->new($s);
my $hisplain = over($plain, headers => ['Authorization', 'Basic eDp5']);
is conn('/a/id/3'), $hisplain, 'Basic is no reason';

# ---- destinations that are not in the configuration

my ($one, $two, $three) = map { $_->port } @far;
get($s, "/far/$_/id/1") for $one, $one, $two;
is $far[0]->count('accepted'), 1, 'they are pooled too';
is get($s, "/far/$three/id/1")->status, 200, 'a third one, where two are kept';
ok $far[0]->await('open', '==', 0), 'the least recently used one goes';
is $far[1]->count('open'), 1, 'the other one stays';
get($s, "/far/$two/id/2");
is $far[1]->count('accepted'), 1, '... and is used again';

# ---- many at once

$b->reset;
my @pids;
for my $n (1 .. 6) {
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        my $bad = 0;
        my $client = RProxy::Client->new($s);
        for my $i (1 .. 60) {
            my $id = "c$n-$i";
            $client->request('GET', "/a/id/$i" . ($i % 7 ? '' : '?close=1'), id => $id);
            $bad++ if $client->response->body ne "id $i $id\n";
        }
        POSIX::_exit($bad ? 1 : 0);
    }
    push @pids, $pid;
}
my $wrong = 0;
for (@pids) { waitpid $_, 0; $wrong++ if $? }
is $wrong, 0, 'six clients, sixty requests each: every answer is the right one';
cmp_ok $b->count('max_open'), '<=', 8, 'no more connections than threads';
is $b->count('requests'), 360, 'each request arrived once';
