# SPDX-License-Identifier: Apache-2.0
# A place that asks for a user, or whose hooks may block: a helper runs the hooks, and the wait for the backend costs no thread. What may
# block behind the hooks stays on its helper.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use MIME::Base64 qw(encode_base64);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs now seconds);
use RProxy::Server;

my @modules = qw(authn_core authn_file authz_user auth_basic include deflate filter rewrite alias);
plan tests => 52, need { needs('rproxy', 'rproxy_balancer', 'mpm_event', @modules) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(start => 0, any_lane => 'the lane is what this is about', threads => 8, modules => \@modules, config => <<"CONF");
RProxyHandoffThreads 2
ProxyPass /b     $url
ProxyPass /auth  $url
ProxyPass /hand  $url
ProxyPass /block $url
ProxyPass /ssi   $url
ProxyPass /inflate $url
ProxyPass /ws    $url/ws upgrade=websocket
<Proxy balancer://none>
    BalancerMember $url status=+D retry=60
    ProxySet timeout=1
</Proxy>
ProxyPass /none balancer://none
RewriteEngine on
RewriteMap ask "prg:__ROOT__/ask.pl"
RewriteRule ^/hand/asked - [E=ASKED:\${ask:x}]
<Location /auth>
    AuthType Basic
    AuthName users
    AuthUserFile __ROOT__/users
    Require valid-user
</Location>
<LocationMatch "^/(hand|ssi|inflate|none|ws|page)">
    RProxyLane handoff
</LocationMatch>
<Location /block>
    RProxyLane blocking
</Location>
<Location /ssi>
    Options +Includes
    SetOutputFilter INCLUDES
</Location>
<Location /inflate>
    SetInputFilter DEFLATE
</Location>
ErrorDocument 503 /page/error.html
LogFormat "%{X-Test-Id}i lane=%{rproxy-lane}n %>s %u %X" ended
CustomLog "__ROOT__/ended" ended
CONF
$s->write_file('users', "jo:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"); # "password"
mkdir $s->root . '/htdocs/page';
$s->write_file('htdocs/page/error.html', "error page\n");
# A script that a hook asks, and that answers when a file is there.
$s->write_file('ask.pl', <<"SCRIPT");
#!$^X
\$| = 1;
while (<STDIN>) {
    open my \$asked, '>', '@{[$s->root]}/asked';
    select undef, undef, undef, 0.02 until -e '@{[$s->root]}/go' || \$n++ > 1000;
    print "yes\\n";
}
SCRIPT
chmod 0755, $s->root . '/ask.pl';
$s->start or die $s->stderr;
my @user = (Authorization => 'Basic ' . encode_base64('jo:password', ''));

sub ended {
    my ($id) = @_;
    RProxy::Env::wait_until(10, sub { $s->_read('ended') =~ /^\Q$id\E lane=/m }) or return 'not logged';
    return $s->_read('ended') =~ /^\Q$id\E lane=(.*)$/m ? $1 : '';
}

# n requests at once, each held by the backend: how many of them it has seen before it lets them go.
my $round = 0;

sub held {
    my ($n, $path, $await, %opt) = @_;
    my $go      = 'go' . ++$round;
    my $already = $backend->count('requests');
    my @clients = map { RProxy::Client->new($s) } 1 .. $n;
    $clients[$_]->request('GET', "$path/id/$_?wait=$go", id => "h$round-$_", %opt) for 0 .. $n - 1;
    my $came = $backend->await('requests', '>=', $already + $await, 10);
    my $file = get($s, '/b/id/1', timeout => 5)->status;
    my $seen = $backend->count('requests') - $already - 1;
    $backend->signal($go, '*');
    my $good = grep { my $r = $clients[$_]->response; $r->status == 200 && $r->body eq "id $_ h$round-$_\n" } 0 .. $n - 1;
    is $good, $n, "$path: each of $n has its own answer";
    is $file, 200, "$path: others are served meanwhile";
    return ($came, $seen, @clients);
}

for my $case (['/auth', headers => \@user], ['/hand']) {
    my ($path, @more) = @$case;
    my ($came, $seen, @clients) = held(20, $path, 20, @more);
    ok $came, "$path: 20 requests wait at the backend, with two helpers" or diag $seen;
    like ended("h$round-7"), qr/^handoff 200 /, "$path: their hooks ran on a helper";
    my $good = 0;
    for my $n (0 .. 19) { # and go on as they are used to
        $clients[$n]->request('POST', "$path/echo/$n", id => "again$n", body => "body $n" x 3000, @more);
    }
    for my $n (0 .. 19) {
        $good += $clients[$n]->response->body eq "body $n" x 3000;
    }
    is $good, 20, "$path: bodies on the same connections";
}
like ended('h1-3'), qr/ jo /, 'the user is known';
is get($s, '/auth/id/1', id => 'nobody')->status, 401, 'nobody else comes in';
like ended('nobody'), qr/^handoff 401/, 'which a helper found';
for my $case (['/block', 'RProxyLane blocking in a section'], ['/ssi', 'a filter that may block']) {
    my ($path, $what) = @$case;
    my ($came, $seen) = held(6, $path, 2);
    ok $came && $seen == 2, "$what: helpers wait with their requests" or diag "$seen";
    like ended("h$round-1"), qr/^handoff 200 /, "$what: on a helper";
}

# --- bodies ---
{
    my $c = RProxy::Client->new($s);
    $c->request('POST', '/hand/echo/x', id => 'chunks', headers => ['Transfer-Encoding' => 'chunked']);
    $c->send("30000\r\n" . 'a' x 0x30000 . "\r\n4\r\nde");
    ok $backend->await('busy', '==', 1, 10), 'a chunked body: its request is at the backend before it is whole';
    $c->send("fg\r\n0\r\nX-Trailer: 1\r\n");
    is get($s, '/b/id/2')->status, 200, 'the end of a chunked body that is half here delays nobody';
    $c->send("\r\nGET /hand/id/9 HTTP/1.1\r\nHost: a\r\nX-Test-Id: piped\r\n\r\n");
    is $c->response->body, 'a' x 0x30000 . 'defg', 'its answer';
    is $c->response->body, "id 9 piped\n", 'and that of the request behind it';
    is ended('chunks'), 'handoff 200 - +', 'kept alive';

    $c = RProxy::Client->new($s);
    $c->request('POST', '/hand/echo/x', headers => ['Content-Length' => 70000, Expect => '100-continue']);
    is $c->response_head->status, 100, 'a body is asked for';
    $c->send('e' x 70000);
    is length $c->response->body, 70000, 'and comes';

    $c = RProxy::Client->new($s);
    $c->send(join '', map {"GET /hand/id/$_ HTTP/1.1\r\nHost: a\r\nX-Test-Id: p$_\r\n\r\n"} 1 .. 20);
    is join('', map { $c->response->body } 1 .. 20), join('', map {"id $_ p$_\n"} 1 .. 20), 'twenty requests in one piece';

    require Compress::Zlib;
    my $zipped = Compress::Zlib::memGzip('z' x 5000);
    my $r = RProxy::Client->one($s, 'POST', '/inflate/echo/x', id => 'inflate', body => $zipped, headers => ['Content-Encoding' => 'gzip']);
    is $r->body, 'z' x 5000, 'a filter of the body';
    like ended('inflate'), qr/^handoff 200/, '... on a helper';
}

# --- ends ---
{
    my $c = RProxy::Client->new($s);
    $c->request('GET', '/hand/id/1?wait=never', id => 'gone');
    ok $backend->await('busy', '==', 1, 10), 'a request waits';
    $c->abort;
    like ended('gone'), qr/ X$/, 'and ends when its client leaves';

    $c = RProxy::Client->new($s);
    $c->request('GET', '/hand/asked/id/1?wait=never', id => 'left');
    ok RProxy::Env::wait_until(10, sub { -e $s->root . '/asked' }), 'a hook waits';
    $c->abort;
    is get($s, '/hand/id/2', timeout => 5)->status, 200, 'for nobody else';
    $s->write_file('go', '');
    like ended('left'), qr/^handoff \d+ - X$/, 'who left meanwhile is not waited for';

    unlink map { $s->root . "/$_" } qw(asked go);
    $c = RProxy::Client->new($s);
    $c->request('OPTIONS', '/hand/asked/x', id => 'half', headers => ['Max-Forwards', 'x', Connection => 'close']);
    ok RProxy::Env::wait_until(10, sub { -e $s->root . '/asked' }), 'a hook waits again';
    $c->half_close;
    $s->write_file('go', '');
    is $c->response->status, 400, 'refused behind its hooks, when nothing more can come: it is told';
    is get($s, '/hand/id/3')->status, 200, '... and the next one is served';

    my $began = now();
    my $r = get($s, '/none/x', id => 'none');
    is $r->status, 503, 'no member: 503';
    is $r->body, "error page\n", 'with an error page that is a file';
    cmp_ok now() - $began, '<', seconds(5), 'after the balancer had waited';
    like ended('none'), qr/^handoff 503/, '... on a helper';

    $c = RProxy::Client->new($s);
    $c->request('GET', '/ws/ws', id => 'ws', headers => [Upgrade => 'websocket', Connection => 'Upgrade', 'Sec-WebSocket-Version' => 13,
            'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==']);
    is $c->response_head->status, 101, 'an upgrade';
    my @others = held(20, '/hand', 20);
    ok $others[0], 'a tunnel and 20 requests hold no helper';
    $c->send(chr(0x82) . chr(0x80 | 5) . "\1\2\3\4" . ('hello' ^ "\1\2\3\4\1"));
    is $c->read_exact(7), chr(0x82) . chr(5) . 'hello', 'the tunnel echoes';
}

# --- who logs a request may block, too ---
{
    my $log = RProxy::Server->new(any_lane => 'the lane is what this is about', threads => 8, loglevel => 'info', modules => ['log_forensic'], config => <<"CONF");
RProxyHandoffThreads 2
ForensicLog "__ROOT__/forensic"
ProxyPass /hand $url
ProxyPass /b $url
<Location /b>
    RProxyLane inline
</Location>
CONF
    $s = $log;
    my ($came, $seen) = held(6, '/hand', 2);
    ok $came && $seen == 2, 'a module that is not known logs requests: they stay on their helpers' or diag $seen;
    like $log->error_log, qr/RP0317: mod_log_forensic\.c has a function in/, 'which is said';
}
