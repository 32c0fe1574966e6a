# SPDX-License-Identifier: Apache-2.0
# Clients that go away before their request has a backend: while it waits for a permit, for a name, for a TLS handshake, or for a
# member of a balancer. The request ends, and no backend ever sees it. On event loops, helpers and threads.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use IO::Socket::INET ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs now seconds wait_until build_dir);
use RProxy::Server;

plan tests => 53, need { needs(qw(rproxy rproxy_balancer ssl socache_shmcb mpm_event)) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $silent  = IO::Socket::INET->new(Listen => 128, LocalAddr => '127.0.0.1') or die "listen: $!";
my $mute    = '127.0.0.1:' . $silent->sockport;
local $ENV{LD_PRELOAD} = join ':', $ENV{LD_PRELOAD} || (), build_dir() . '/t/upstream/.libs/rp_names.so';
local $ENV{RP_SLOW_NAME} = 'slow.test=3';

for my $case (['loop', '', 'inline'], ['helper', '<Location /> RProxyLane blocking </Location>', 'handoff'], ['thread', 'RProxyEventLoop off', 'blocking']) {
    my ($lane, $lines, $note) = @$case;
    $lines =~ s/> /> \n/; $lines =~ s/ </\n </;
    my $s = RProxy::Server->new(any_lane => 'the lane is what this is about', timeout => 60, threads => 16, modules => [qw(socache_shmcb ssl)], config => <<"CONF");
$lines
SSLProxyEngine on
ProxyPass /max  $url max=1 acquire=20000
ProxyPass /tls  https://$mute connectiontimeout=20
ProxyPass /slow http://slow.test:80
<Proxy balancer://c>
    BalancerMember $url/c retry=60 status=+D
    ProxySet timeout=20
</Proxy>
ProxyPass /c balancer://c
LogFormat "%{X-Test-Id}i %>s %X %{rproxy-lane}n" ended
CustomLog "__ROOT__/ended" ended
CONF
    my $ended = sub { my ($id) = @_; return $s->_read('ended') =~ /^(\Q$id\E .*)$/m ? $1 : undef };
    my $leave = sub {
        my ($id, $target, $soon) = @_;
        my @c = map { RProxy::Client->new($s) } 1 .. 3;
        $c[$_]->request('GET', $target, id => "$id$_") for 0 .. 2;
        is get($s, '/index.html')->status, 200, "$lane, $id: the requests before it are on their way";
        ok !$ended->("${id}0"), 'and wait';
        my $began = now();
        $_->abort for @c;
        ok wait_until(15, sub { 3 == grep { $ended->("$id$_") } 0 .. 2 }), "$lane, $id: they end when their clients leave";
        my $took = now() - $began;
        cmp_ok $took, '<', seconds(1.5), "at once ($took s)" if $soon;
        return;
    };
    my $held = RProxy::Client->new($s);
    $held->request('GET', '/max/id/1?wait=go', id => 'held');
    ok $backend->await('busy', '==', 1), "$lane: one request has the only connection";
    $leave->('permit', '/max/id/2', 1);
    my $other = RProxy::Client->new($s);
    $other->request('GET', '/max/id/3', id => 'other');
    $backend->signal('go');
    is $held->response->status, 200, 'it gets its answer';
    is $other->response->body, "id 3 other\n", 'and the place in line of those who left is not used';
    is join(' ', grep {/id.2/} map { $_->{target} } $backend->requests), '', 'the backend has not seen them';
    $leave->('tls',  '/tls/x', 1) if $lane eq 'loop';
    $leave->('name', '/slow/x', $lane eq 'loop');
    $leave->('member', '/c/x', 1);
    like $ended->('permit0'), qr/^permit0 \d+ X $note$/, "on the $lane";
}
