# SPDX-License-Identifier: Apache-2.0
# Which lane a request takes: on the event loop, on a helper, on a thread of the MPM; and that it is answered there.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env    qw(needs);
use RProxy::Server;

my @modules = qw(include ratelimit env alias socache_shmcb ssl deflate filter);
plan tests => 79, need { needs('rproxy', 'mpm_event', 'mpm_prefork', 'rewrite', @modules) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $dead    = RProxy::Backend->new;
$dead->refuse;

my $config = <<"CONF";
LogFormat "%{X-Test-Id}i lane=%{rproxy-lane}n %>s %B" lanes
CustomLog "__ROOT__/lanes" lanes
ProxyPass /b        $url
ProxyPass /hand     $url
ProxyPass /slow     $url
ProxyPass /dead     @{[$dead->url]}
ProxyPass /deadpage @{[$dead->url]}
<Location /hand>
    RProxyLane handoff
</Location>
<Location /slow>
    SetOutputFilter RATE_LIMIT
    SetEnv rate-limit 4096
</Location>
<Location /deadpage>
    ErrorDocument 503 /sorry.html
</Location>
<Location /ssi>
    Options +Includes
    SetOutputFilter INCLUDES
</Location>
Redirect /moved http://elsewhere.test/
CONF

sub server {
    my ($more, %opt) = @_;
    my $s = RProxy::Server->new(modules => \@modules, config => $config . ($more // ''),
        loglevel => 'info rproxy:debug', %opt);
    mkdir $s->root . '/htdocs/ssi';
    $s->write_file('htdocs/sorry.html',     "so sorry\n");
    $s->write_file('htdocs/ssi/index.html', qq(<!--#include virtual="/b/id/7"-->+<!--#echo var="REQUEST_URI"-->\n));
    return $s;
}

# The lane that the access log has for this request.
sub lane {
    my ($s, $id) = @_;
    RProxy::Env::wait_until(10, sub { $s->_read('lanes') =~ /^\Q$id\E lane=(\S+)/m }) or return 'not logged';
    my ($lane) = $s->_read('lanes') =~ /^\Q$id\E lane=(\S+)/m;
    return $lane;
}

my $n = 0;

sub check {
    my ($s, $lane, $name, $target, $status, $body, %opt) = @_;
    my $id     = 'r' . ++$n;
    my $method = defined $opt{body} || $opt{chunks} ? 'POST' : 'GET';
    my $r      = RProxy::Client->one($s, $method, $target, id => $id, %opt);
    is $r->status, $status, "$name: status" or diag $r->raw_head, $s->error_log;
    ok defined $body && $r->body =~ $body, "$name: body" or diag $r->body;
    is lane($s, $id), $lane, "$name: lane $lane";
    return;
}

{
    my $s = server(<<'CONF');
Listen 127.0.0.1:__PORT_block__
Listen 127.0.0.1:__PORT_hand__
<VirtualHost 127.0.0.1:__PORT_block__>
    RProxyLane blocking
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_hand__>
    RProxyLane handoff
</VirtualHost>
Listen 127.0.0.1:__PORT_tls__
<VirtualHost 127.0.0.1:__PORT_tls__>
    __TLS__
</VirtualHost>
<Location /b/bytes>
    SetOutputFilter DEFLATE
</Location>
CONF
    check($s, 'inline',  'GET',                    '/b/id/1', 200, qr/^id 1 r\d+$/);
    check($s, 'inline',  'POST',                   '/b/echo/x', 200, qr/^a{60000}$/, body => 'a' x 60000);
    check($s, 'inline',  'chunked',                '/b/echo/x', 200, qr/^abcd$/, chunks => ['ab', 'cd']);
    check($s, 'inline',  'refused backend',        '/dead/x', 503, qr/Proxy Error/);
    check($s, 'handoff', 'local error page',       '/deadpage/x', 503, qr/^so sorry$/);
    check($s, 'handoff', 'file',                   '/index.html', 200, qr/^local index$/);
    check($s, 'handoff', 'no file',                '/nothing', 404, qr/Not Found/);
    check($s, 'handoff', 'page with a proxied part', '/ssi/index.html', 200, qr{^id 7 r\d+\s*\+/ssi/index.html});
    check($s, 'handoff', 'RProxyLane handoff in a section', '/hand/id/2', 200, qr/^id 2 r\d+$/);
    check($s, 'handoff', 'the same with a body',   '/hand/echo/x', 200, qr/^b{60000}$/, body => 'b' x 60000);
    check($s, 'handoff', 'filter that sleeps',     '/slow/id/3', 200, qr/^id 3 r\d+$/);
    check($s, 'blocking', 'virtual host with RProxyLane blocking', '/b/id/4', 200, qr/^id 4 r\d+$/, port => 'block');
    check($s, 'handoff', 'virtual host with RProxyLane handoff', '/b/id/5', 200, qr/^id 5 r\d+$/, port => 'hand');
    check($s, 'handoff', 'a body there', '/b/echo/x', 200, qr/^(?:c{50000}){6}$/, body => 'c' x 300000, port => 'hand');

    # a body that comes when the helper has the connection
    my $late = RProxy::Client->new($s, port => 'hand');
    $late->request('POST', '/b/echo/x', headers => ['Content-Length' => 70000, Expect => '100-continue']);
    is $late->response_head->status, 100, 'a helper asks for a body';
    $late->send('e' x 70000);
    like $late->response->body, qr/^(?:e{35000}){2}$/, 'and gets it';

    check($s, 'inline', 'TLS', '/b/id/6', 200, qr/^id 6 r\d+$/, port => 'tls', tls => 1);
    check($s, 'inline', 'TLS with a body', '/b/echo/x', 200, qr/^d{60000}$/, body => 'd' x 60000, port => 'tls', tls => 1);
    check($s, 'inline', 'TLS, chunked', '/b/echo/x', 200, qr/^d{60000}$/, chunks => ['d' x 60000], port => 'tls', tls => 1);
    check($s, 'inline', 'compressed', '/b/bytes/20000', 200, qr/^\x1f\x8b/, headers => ['Accept-Encoding' => 'gzip']);

    # all of them one after the other on one connection
    my $c = RProxy::Client->new($s);
    for my $target (qw(/b/id/1 /index.html /hand/id/1 /b/id/1 /nothing /b/id/1)) {
        $c->request('GET', $target, id => "chain$n");
        my $r = $c->response;
        is lane($s, 'chain' . $n++), $target =~ m{^/b} ? 'inline' : 'handoff', "one connection, $target";
    }
    ok $s->wait_log(qr/RP0314: this request took the lane "inline"/), 'the lane is in the log at debug';
    ok $s->wait_log(qr/RP0314: this request took the lane "handoff"/), 'also another one';
    unlike $s->error_log, qr/RP0300|RP0302/, 'nothing waited on a loop';
}

{
    my $s = server("RProxyEventLoop off\n");
    my $r = get($s, '/b/id/1', id => 'off');
    is lane($s, 'off'), 'blocking', 'RProxyEventLoop off';
}

# A hook that sleeps: the first time it may have been the machine, the next three are known, then requests go to helpers.
{
    my $s = RProxy::Server->new(start => 0, loglevel => 'info', modules => [qw(rewrite env)], config => <<"CONF");
LogFormat "%{X-Test-Id}i lane=%{rproxy-lane}n" lanes
CustomLog "__ROOT__/lanes" lanes
RewriteEngine on
RewriteMap slow "prg:__ROOT__/slow.pl"
RewriteRule ^/slow /b/id/\${slow:1} [PT]
ProxyPass /b $url
CONF
    chmod 0755, $s->write_file('slow.pl', "#!$^X\n\$| = 1;\nwhile (<STDIN>) { select undef, undef, undef, 0.02; print \"1\\n\" }\n");
    chmod 0777, $s->root;
    $s->start;
    my $c = RProxy::Client->new($s);
    for my $i (1 .. 6) {
        $c->request('GET', '/slow', id => "sleeps$i");
        $c->response;
        is lane($s, "sleeps$i"), $i < 5 ? 'inline' : 'handoff', "a hook that sleeps, request $i";
    }
    is scalar(() = $s->error_log =~ /RP0315: .* held the event loop/g), 3, 'three times are in the log';
    like $s->error_log, qr/RP0315: .*\(time 3 of 3\): requests of this virtual host run on helper threads/, 'and what follows';
}

# A backend connection stays with the loop that opened it, and the first loop's endpoint with the first loop.
{
    my $two     = RProxy::Backend->new;
    my $s       = RProxy::Server->new(config => "RProxyEventLoop on\nRProxyEventThreads 2\nProxyPass /b @{[$two->url]}\n");
    my @clients = map { RProxy::Client->new($s) } 1 .. 4; # they take turns, but others may have had one
    my $good    = 0;
    for my $i (1 .. 20) {
        my $c = $clients[$i % 4];
        $c->request('GET', "/b/id/$i", id => "loops$i");
        $good += $c->response->status == 200;
    }
    my %conns = $two->conns;
    is $good, 20, 'two loops, clients on each: all answered';
    is scalar(keys %conns), 2, 'each loop has opened a connection, and uses it again' or diag explain \%conns;
    unlike $s->error_log, qr/:(?:error|crit|alert|emerg)\]/, 'without an error';
}

{
    my $s = RProxy::Server->new(mpm => 'prefork', start => 0, threads => 2,
        config => "RProxyEventLoop on\nProxyPass /b $url\n");
    $s->start; # it listens for a moment
    ok RProxy::Env::wait_until(10, sub { !$s->alive }), 'RProxyEventLoop on under prefork: httpd does not start';
    like $s->error_log . $s->stderr, qr/RP0312: RProxyEventLoop on is impossible: the MPM is not event; write auto or off/,
        'and says why';
}
