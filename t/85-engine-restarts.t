# SPDX-License-Identifier: Apache-2.0
# 30 graceful restarts (100 with RPROXY_LONG) while clients ask: every request is answered, and nothing is left behind in the main
# process or in the last child: descriptors, memory, shared memory, semaphores, threads, files.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs kilobytes wait_until);
use RProxy::Server;

my $restarts = $ENV{RPROXY_LONG} ? 100 : 30;
my $settled  = 8; # from then on nothing may grow
plan tests => 14, need { needs(qw(rproxy rproxy_balancer mpm_event ssl socache_shmcb slotmem_shm)) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(threads => 4, modules => [qw(socache_shmcb ssl)], config => <<"CONF");
ServerLimit 64
ProxyPass /ws $url/ws upgrade=websocket
ProxyPass /b  $url
ProxyPass /max $url max=2
<Proxy balancer://c>
    BalancerMember $url/c1
    BalancerMember $url/c2
</Proxy>
ProxyPass /c balancer://c stickysession=S
SSLSessionCache shmcb:__ROOT__/run/tls(512000)
Listen 127.0.0.1:__PORT_tls__
<VirtualHost 127.0.0.1:__PORT_tls__>
    ServerName localhost
    __TLS__
    ProxyPass /b $url
</VirtualHost>
CONF
my $main = $s->{pid};

sub lines_of { my ($file) = @_; open my $in, '<', $file or return (); return <$in> }
sub of_main { my ($what) = @_; my $n = () = glob "/proc/$main/$what/*"; return $n }

# Of System V shared memory or semaphores: those that this server made.
sub sysv { my ($kind) = @_; return scalar grep { / \Q$main\E / } lines_of("/proc/sysvipc/$kind") }

sub measure {
    my %m = (fds => of_main('fd'), threads => of_main('task'));
    $m{shared} = grep { /^\S+ r\S\Ss / } lines_of("/proc/$main/maps");
    $m{sysv}   = sysv('shm');
    ($m{kb}) = map {/(\d+)/} grep {/^RssAnon/} lines_of("/proc/$main/status");
    my @files = (glob($s->root . '/run/*'), glob '/dev/shm/*rproxy*');
    $m{files} = @files;
    return \%m;
}

sub only_child { return wait_until(15, sub { my @k = $s->children; @k == 1 ? $k[0] : undef }) }

# What the main process holds for older generations depends on how many of their children still end: one more restart when there are none.
sub settle {
    my $old = only_child();
    $s->graceful;
    return wait_until(15, sub { my @k = $s->children; @k == 1 && $k[0] != $old });
}

sub child_measure {
    my $child = only_child();
    my $of = sub { my ($what) = @_; my $n = () = glob "/proc/$child/$what/*"; return $n };
    get($s, '/index.html'); # a helper has run
    my ($last, $same) = (0, 0);
    wait_until(15, sub { # the MPM starts its threads one by one
        my $n = $of->('task');
        $same = $n == $last ? $same + 1 : 0;
        $last = $n;
        return $same >= 50;
    });
    my $shared = grep { /^\S+ r\S\Ss / } lines_of("/proc/$child/maps");
    return {fds => $of->('fd'), threads => $of->('task'), shared => $shared};
}

# The light load: what is on its way while the server restarts. The number of good answers is 8 each time.
my ($good, @kept, %at) = (0);
sub before {
    my ($n) = @_;
    my @c = map { RProxy::Client->new($s, $_ % 3 ? () : (port => 'tls', tls => 1)) } 1 .. 6;
    my @target = ("/b/id/$n", "/b/id/$n?wait=go$n", "/b/id/$n", "/index.html", "/max/id/$n", "/b/bytes/50000");
    $c[$_]->request('GET', $target[$_]) for 0 .. 5;
    my $late = splice @c, 1, 1;
    $good += $_->response->{complete} for @c;
    push @kept, $c[0];
    my $ws = RProxy::Client->new($s);
    $ws->request('GET', '/ws/ws', headers => [Upgrade => 'websocket', Connection => 'Upgrade', 'Sec-WebSocket-Version' => 13,
            'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==']);
    $good += $ws->response_head->status == 101;
    return ($late, $ws);
}

sub after {
    my ($n, $late, $ws) = @_;
    $good += get($s, "/c/id/$n")->{complete};
    $backend->signal("go$n", '*');
    $good += $late->response->{complete};
    $ws->close;
    return;
}

my $first_child;
for my $n (1 .. $restarts) {
    my @under_way = before($n);
    $s->graceful or last;
    after($n, @under_way);
    if ($n == $settled || $n == $restarts) {
        settle();
        $at{$n} = measure();
    }
    $first_child = child_measure() if $n == $settled;
}
is $good, 8 * $restarts, "all requests around $restarts restarts are answered";
my ($then, $now) = @at{$settled, $restarts};
for my $what (['fds', 'descriptor'], ['threads', 'thread'], ['shared', 'shared mapping'], ['sysv', 'System V segment'], ['files', 'file']) {
    cmp_ok $now->{$what->[0]}, '<=', $then->{$what->[0]}, "no $what->[1] is left in the main process ($now->{$what->[0]})";
}
my $grown = $now->{kb} - $then->{kb};
cmp_ok $grown, '<', kilobytes(1500), "nor memory ($grown KB more than after $settled)";
is scalar(grep { $_->at_end } @kept), $restarts, 'idle connections were ended';
my $last_child = child_measure();
ok $last_child, 'one child is left';
get($s, '/b/id/1');
is $last_child->{threads}, $first_child->{threads}, "with as many threads as the one after $settled";
cmp_ok $last_child->{fds}, '<=', $first_child->{fds} + 3, 'and descriptors' or diag "$last_child->{fds} $first_child->{fds}";
cmp_ok $last_child->{shared}, '<=', $first_child->{shared}, 'nor more shared mappings';
ok $s->stop, 'it stops';
is sysv('shm') + sysv('sem'), 0, 'and leaves nothing to the system';
