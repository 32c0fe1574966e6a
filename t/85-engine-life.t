# SPDX-License-Identifier: Apache-2.0
# Graceful restarts of a server whose event loops own the connections: requests under way are answered, idle connections end at
# once, tunnels live on, nothing is left behind. One process in the foreground (-X) ends clean.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs now seconds kilobytes wait_until);
use RProxy::Server;

plan tests => 24, need { needs(qw(rproxy mpm_event ssl socache_shmcb)) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $config  = <<"CONF";
AcceptFilter http none
ProxyPass /b  $url
ProxyPass /ws $url/ws upgrade=websocket
Listen 127.0.0.1:__PORT_tls__
<VirtualHost 127.0.0.1:__PORT_tls__>
    ServerName localhost
    __TLS__
</VirtualHost>
CONF

# The one child, as soon as it is there.
sub child { my ($s) = @_; return wait_until(10, sub { my @k = $s->children; @k == 1 ? $k[0] : undef }) }
sub gone { my ($pid) = @_; return wait_until(10, sub { !-d "/proc/$pid" }) }
sub fds { my ($pid) = @_; my @fds = glob "/proc/$pid/fd/*"; return scalar @fds }
sub memory { my ($pid) = @_; my ($kb) = `grep VmRSS /proc/$pid/status` =~ /(\d+)/; return $kb }

sub tunnel {
    my ($s, @opt) = @_;
    my $c = RProxy::Client->new($s, @opt);
    $c->request('GET', '/ws/ws', headers => [Upgrade => 'websocket', Connection => 'Upgrade', 'Sec-WebSocket-Version' => 13,
            'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==']);
    return $c->response_head->status == 101 ? $c : die "no tunnel";
}

sub echoes {
    my ($c, $text) = @_;
    $c->send(chr(0x82) . chr(0x80 | length $text) . "\0\0\0\0" . $text);
    return $c->read_exact(2 + length $text) eq chr(0x82) . chr(length $text) . $text;
}

# --- one restart, connections in every state ---
{
    my $s     = RProxy::Server->new(threads => 8, modules => [qw(socache_shmcb ssl)], config => $config);
    my $old   = child($s);
    my @idle  = (map({ RProxy::Client->new($s) } 1 .. 40), map { RProxy::Client->new($s, port => 'tls', tls => 1) } 1 .. 10);
    $_->request('GET', '/b/id/1') for @idle;
    is scalar(grep { $_->response->status == 200 } @idle), 50, '50 connections are idle';
    my @busy = (map({ RProxy::Client->new($s) } 1 .. 20), map { RProxy::Client->new($s, port => 'tls', tls => 1) } 1 .. 5);
    $busy[$_]->request('GET', "/b/id/$_?wait=go", id => "b$_") for 0 .. $#busy;
    my @half = map { RProxy::Client->new($s) } 1 .. 5;
    $_->send("GET /b/id/1 HTTP/1.1\r\nHost: loc") for @half;
    ok $backend->await('busy', '>=', 25), '25 requests are under way';
    my $began = now();
    ok $s->graceful, 'graceful restart';
    is scalar(grep { $_->at_end } @idle), 50, 'idle connections are closed';
    cmp_ok now() - $began, '<', seconds(4), 'at once';
    is get($s, '/b/id/2')->status, 200, 'the new child answers';
    $backend->signal('go', '*');
    is scalar(grep { my $r = $busy[$_]->response; $r->status == 200 && $r->body eq "id $_ b$_\n" } 0 .. $#busy), 25, 'requests under way are answered';
    is scalar(grep { $_->at_end } @busy), 25, 'and their connections closed';
    $_->send("alhost\r\n\r\n") for @half;
    is scalar(grep { my $r = eval { $_->response }; $r && $r->status == 200 } @half), 5, 'heads under way are completed';
    $_->close for @half;
    ok gone($old), 'the old child is gone';
    ok $s->stop, 'it stops';
}

# --- tunnels over many restarts ---
{
    my $s = RProxy::Server->new(threads => 4, config => $config, modules => [qw(socache_shmcb ssl)]);
    my @tunnels = map { tunnel($s) } 1 .. 20;
    my $good = 0;
    for my $n (1 .. 12) {
        $s->graceful or last;
        $good++ if get($s, '/b/id/3')->status == 200;
    }
    is $good, 12, '12 restarts with 20 tunnels: new requests are answered after each';
    is scalar(grep { echoes($_, 'still here') } @tunnels), 20, 'the tunnels live on';
    $_->close for @tunnels;
    ok wait_until(10, sub { my @c = $s->children; @c == 1 }), 'old children go with their tunnels' or diag join ' ', $s->children;
}

# --- nothing is left behind ---
{
    my $s = RProxy::Server->new(threads => 4, config => $config, modules => [qw(socache_shmcb ssl)]);
    my (@fds, @memory, $good);
    for my $n (1 .. 20) {
        my @c = map { RProxy::Client->new($s, $_ % 2 ? () : (port => 'tls', tls => 1)) } 1 .. 6;
        $_->request('GET', '/b/bytes/100000') for @c;
        $good += $_->response->{complete} for @c;
        $s->graceful or last;
        wait_until(10, sub { my @k = $s->children; @k == 1 });
        push @fds, fds($s->{pid});
        push @memory, memory($s->{pid});
    }
    is $good, 120, 'all requests between 20 restarts are answered';
    is $fds[-1], $fds[1], 'no descriptor is left in the main process' or diag "@fds";
    cmp_ok $memory[-1] - $memory[4], '<', kilobytes(1500), 'no memory either' or diag "@memory";
    my $child  = child($s);
    my $before = fds($child);
    for my $n (1 .. 30) {
        my @c = map { RProxy::Client->new($s) } 1 .. 5;
        $_->request('GET', '/b/id/1') for @c;
        $_->response for @c[0 .. 3];
        $n % 2 ? $_->abort : $_->close for @c;
    }
    ok wait_until(10, sub { fds($child) <= $before + 12 }), 'closed connections leave no descriptor in the child' or diag "$before ", fds($child);
}

# --- one process, with all kinds of connections ---
{
    local $ENV{RPROXY_HTTPD_ARGS} = '-X';
    my $s    = RProxy::Server->new(threads => 4, config => $config, modules => [qw(socache_shmcb ssl)]);
    my @c    = map { RProxy::Client->new($s) } 1 .. 6;
    my $tun  = tunnel($s);
    $_->request('GET', '/b/id/1') for @c[0 .. 2];
    is scalar(grep { $_->response->status == 200 } @c[0 .. 2]), 3, '-X: requests are answered';
    ok echoes($tun, 'x'), '-X: a tunnel';
    is get($s, '/index.html')->status, 200, '-X: a file';
    $c[3]->send("GET /b/id/1 HT");
    $c[4]->request('GET', '/b/id/1?wait=never');
    ok $backend->await('busy', '>=', 2), '-X: a request is under way';
    ok $s->stop('TERM'), '-X: it ends by itself';
}
ok 1, 'no crash was found at the end';
