# SPDX-License-Identifier: Apache-2.0
# Clients and backends that misbehave, on event loops: what each of them gets, and that meanwhile everybody else is served at
# once: a file, a proxied request, one over TLS.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use IO::Socket::INET ();
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env    qw(needs now seconds kilobytes wait_until);
use RProxy::Server;

plan tests => 74, need { needs(qw(rproxy mpm_event ssl socache_shmcb http2 env)) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $bad     = RProxy::Backend->new(name => 'bad');
my $early   = RProxy::Backend->new(name => 'early');
# accepts by the kernel alone, and never says anything
my $silent = IO::Socket::INET->new(Listen => 512, LocalAddr => '127.0.0.1') or die "listen: $!";
my $s = RProxy::Server->new(threads => 8, timeout => 4, modules => [qw(socache_shmcb ssl http2 env)], config => <<"CONF");
AcceptFilter http none
AcceptFilter https none
ProxyPass /b     $url
ProxyPass /bad   @{[$bad->url]}
ProxyPass /early @{[$early->url]}
ProxyPass /silent http://127.0.0.1:@{[$silent->sockport]}
SSLProxyEngine on
ProxyPass /stls  https://127.0.0.1:@{[$silent->sockport]}
LogFormat "%{X-Test-Id}i %{rproxy-lane}n %>s %X" lanes
CustomLog "__ROOT__/lanes" lanes
Listen 127.0.0.1:__PORT_tls__
<VirtualHost 127.0.0.1:__PORT_tls__>
    ServerName localhost
    __TLS__
    ProxyPass /b $url
</VirtualHost>
Listen 127.0.0.1:__PORT_h2c__
<VirtualHost 127.0.0.1:__PORT_h2c__>
    Protocols h2c http/1.1
    ProxyPass /b $url
</VirtualHost>
CONF

sub others_are_served {
    my ($what) = @_;
    for my $case (['/index.html'], ['/b/id/0'], ['/b/id/0', port => 'tls', tls => 1]) {
        my ($target, %opt) = @$case;
        my $began = now();
        my $r     = eval { get($s, $target, timeout => 8, %opt) };
        my $took  = now() - $began;
        ok $r && $r->status == 200 && $took < seconds(1.5), "$what: $target " . ($opt{port} // '') . ' is served at once'
            or diag $r ? $r->status : $@, " after $took s";
    }
    return;
}

sub clients { my ($n, @opt) = @_; return map { RProxy::Client->new($s, @opt) } 1 .. $n }
sub statuses { my %n; $n{eval { $_->response->status } // "none: $@"}++ for @_; return join ' ', map { "$_=$n{$_}" } sort keys %n }

# They need 20 s: looked at again at the end.
my @half = clients(20);
$_->send("GET /b/id/1 HTTP/1.1\r\nHost: localhost\r\nX-Ha") for @half;
my @mute       = clients(5);
my $half_began = now();

# --- clients ---
{
    my @c = clients(20);
    $_->send("POST /b/echo/1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n") for @c;
    others_are_served('a last chunk without its end');
    $_->send("\r\n") for @c;
    is statuses(@c), '200=20', 'and is whole when that comes';

    @c = clients(20, port => 'tls', tls => 1);
    $_->send("POST /b/echo/1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b") for @c;
    others_are_served('half a trailer inside TLS');
    $_->send("c\r\n\r\n") for @c;
    is statuses(@c), '200=20', 'and is whole when its rest comes';
}
{
    my $c = RProxy::Client->new($s, port => 'tls', tls => 1);
    $c->send($_) for split //, "GET /b/id/5 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    is $c->response->status, 200, 'a head in records of one byte';
    $c->send("POST /b/echo/5 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    $c->send($_) for split //, "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: b\r\n\r\n";
    is $c->response->body, 'hello world', 'a body in records of one byte';
}
{
    my @c = clients(20);
    $_->send("POST /b/echo/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc") for @c;
    others_are_served('uploads that stall');
    is statuses(@c), '408=20', 'they end by Timeout';
}
{
    my ($pid)  = $s->children;
    my $memory = sub { my ($kb) = `grep VmRSS /proc/$pid/status` =~ /(\d+)/; return $kb };
    my $before = $memory->();
    my @c = clients(20);
    $_->request('GET', '/b/bytes/40000000') for @c;
    $_->socket->sockopt(Socket::SO_RCVBUF(), 4096) for @c;
    others_are_served('clients that never read');
    my $grown = $memory->() - $before;
    cmp_ok $grown, '<', kilobytes(20_000), "their answers are not gathered ($grown KB for 800 MB)";
    ok $backend->await('busy', '==', 0, 20), 'they end by Timeout';
}
{
    my @c = clients(20);
    $_->request('GET', '/b/id/1?wait=half') for @c;
    $_->half_close for @c;
    ok $backend->await('busy', '>=', 20), 'clients that closed their half are at the backend';
    others_are_served('half-closed clients');
    $backend->signal('half', 20);
    is statuses(@c), '200=20', 'and get their answers';
    is scalar(grep { $_->at_end } @c), 20, 'then the end';
}
{
    $bad->script('/hold', "hold\n");
    my @c = clients(20);
    $_->request('GET', '/bad/hold') for @c;
    ok $bad->await('busy', '>=', 20), 'requests of clients that will vanish';
    $_->abort for @c;
    others_are_served('clients that vanish');
    ok $bad->await('busy', '==', 0), 'their backend connections end';
}
{
    my $c = RProxy::Client->new($s);
    $c->send("GET /b/id/1 HTTP/1.1\r\nHost: localhost\r\n\r\n\x00\xff garbage \r\n\r\n\r\nGET /b/id/2 HTTP/1.1\r\nHost: a\r\n\r\n");
    is $c->response->status, 200, 'a request with garbage behind it';
    is $c->response->status, 400, 'which is refused';
    ok $c->at_end, 'and is the end';
    $c = RProxy::Client->new($s);
    $c->send(join '', map {"GET /b/id/$_ HTTP/1.1\r\nHost: localhost\r\nX-Test-Id: p$_\r\n\r\n"} 1 .. 50);
    my $good = grep { $c->response->body eq "id $_ p$_\n" } 1 .. 50;
    is $good, 50, '50 pipelined requests';
    $c->send("GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\nGET /b/id/9 HTTP/1.1\r\nHost: localhost\r\n\r\n" x 10);
    $good = grep { my $r = $c->response; $r->body =~ /^local index$/ && $c->response->body =~ /^id 9/ } 1 .. 10;
    is $good, 10, 'pipelined in turn for a file and the backend';
    others_are_served('pipelines');
}
{
    my @up = (headers => [Connection => 'Upgrade, HTTP2-Settings', Upgrade => 'h2c', 'HTTP2-Settings' => 'AAMAAABkAAQAAP__']);
    my $c = RProxy::Client->new($s, port => 'h2c');
    $c->request('GET', '/b/id/1', @up);
    is $c->response->status, 200, 'Upgrade: h2c is answered over HTTP/1.1';
    $c->request('GET', '/b/id/2', @up);
    is $c->response->status, 200, 'and the connection goes on';
    $c->request('GET', '/index.html', @up);
    is $c->response->status, 200, 'for a file too';
    others_are_served('Upgrade: h2c');
}

# --- backends ---
{
    my @c = clients(50);
    $_->request('GET', '/silent/x') for @c;
    others_are_served('50 requests at a silent backend');
    is statuses(@c), '504=50', 'they end by Timeout';
}
{
    my @c = clients(50);
    $_->request('GET', '/stls/x') for @c;
    others_are_served('50 TLS handshakes with a silent backend');
    like statuses(@c), qr/^50[234]=50$/, 'they end by their time-out' ;
}
{
    $bad->script('/drip', qq{send "HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\na"\nwait d1\nsend "b"\nwait d2\nsend "cde"\n});
    my @c = clients(10);
    $_->request('GET', '/bad/drip') for @c;
    others_are_served('a backend that drips');
    $bad->signal($_, '*') for qw(d1 d2);
    is scalar(grep { $_->response->body eq 'abcde' } @c), 10, 'and is passed on whole';
}
{
    $bad->script('/rst', "rst\n");
    $bad->script('/cut', qq{send "HTTP/1.1 200 OK\\r\\nContent-Length: 500\\r\\n\\r\\nabc"\nrst\n});
    my @c = clients(20);
    $_->request('GET', '/bad/rst') for @c;
    is statuses(@c), '502=20', 'a backend that resets';
    @c = clients(20);
    $_->request('GET', '/bad/cut') for @c;
    is scalar(grep { my $r = eval { $_->response }; $r && !$r->{complete} } @c), 20, 'a cut answer looks cut';
    others_are_served('backends that reset');
}
{
    $early->allow_violations;
    $early->script_conn('*', qq{send "HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nstolen"\nhold\n});
    my @c = clients(10);
    $_->request('GET', '/early/x') for @c;
    others_are_served('backends that speak before they are asked');
    my @r = map { eval { $_->response } } @c;
    is scalar(grep { defined } @r), 10, 'their requests end';
    $_->request('GET', '/b/id/3', id => 'after') for grep { 1 } my @d = clients(10);
    is scalar(grep { $_->response->body eq "id 3 after\n" } @d), 10, 'and nobody else gets what they said';
}

# --- the half-sent heads from the beginning ---
others_are_served('half-sent heads');
is statuses(@half), '408=20', 'half-sent heads end with 408';
my $took = now() - $half_began;
cmp_ok $took, '>=', 19, 'after their time';
is scalar(grep { $_->at_end } @mute), 5, 'a client that never said a word is closed without one';
unlike $s->error_log, qr/RP0300|RP0302|RP0306/, 'nothing waited on the loop, helpers were there';
ok wait_until(10, sub { $backend->count('busy') == 0 && $bad->count('busy') == 0 }), 'nothing is left at the backends';
