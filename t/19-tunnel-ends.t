# SPDX-License-Identifier: Apache-2.0
# How tunnels end: each side closes, half closes or resets, over plain and TLS clients; nothing is left open, the last bytes arrive.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs now wait_until);
use RProxy::Server;

plan tests => 42, need {needs(qw(rproxy ssl socache_shmcb env))};

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(modules => [qw(socache_shmcb ssl env)], timeout => 30, config => <<"CONF");
Listen 127.0.0.1:__PORT_tls__
ProxyPass / $url/ upgrade=proto
<VirtualHost 127.0.0.1:__PORT_tls__>
    ServerName localhost
    __TLS__
</VirtualHost>
CONF
my $head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: proto\r\n\r\n';
get($s, '/id/1');
my ($child) = $s->children;
sub cpu { open my $in, '<', "/proc/$child/stat" or return 0; my @f = split ' ', <$in>; return ($f[13] + $f[14]) / 100 }

sub tunnel {
    my ($path, $tls) = @_;
    my $c = RProxy::Client->new($s, $tls ? (port => 'tls', tls => 1) : ());
    $c->request('GET', $path, headers => [Connection => 'Upgrade', Upgrade => 'proto']);
    is $c->response_head->status, 101, "$path: a tunnel";
    return $c;
}
sub free { my ($what) = @_; return ok $backend->await('busy', '==', 0, 5), "$what: the backend's connection is closed" }

for my $tls (0, 1) {
    my $name = $tls ? 'TLS client' : 'plain client';

    # the backend says its last word and closes
    $backend->script('/bye', qq{send "$head"\nsend "last words"\nclose\n});
    my $c = tunnel('/bye', $tls);
    my $t = now();
    is $c->read_rest, 'last words', "$name: the backend's last bytes arrive";
    cmp_ok now() - $t, '<', 3, 'and then the end, at once';
    $c->close;
    free($name);

    # the backend resets
    $backend->script('/rst', qq{send "$head"\nsend "x"\nwait rst$tls\nrst\n});
    $c = tunnel('/rst', $tls);
    is $c->read_exact(1), 'x', "$name: bytes before a reset";
    $backend->signal("rst$tls");
    $t = now();
    $c->read_rest;
    cmp_ok now() - $t, '<', 3, "$name: a reset of the backend ends the tunnel at once";
    free($name);

    # the client says its last word and leaves
    $backend->script('/up', qq{send "$head"\nrecv 9\nsignal got$tls\nrecv eof\nsignal eof$tls\n});
    $c = tunnel('/up', $tls);
    $c->send('last word');
    ok $backend->wait_signal("got$tls"), "$name: its last bytes arrive";
    $c->close;
    ok $backend->wait_signal("eof$tls"), 'and its end';
    free($name);

    # the client resets
    $c = tunnel('/up', $tls);
    $c->abort;
    free("$name, reset");

    # an idle tunnel costs nothing
    $backend->script('/idle', qq{send "$head"\nsend "x"\nwait idle$tls\nclose\n});
    $c = tunnel('/idle', $tls);
    $c->read_exact(1);
    my $before = cpu();
    select undef, undef, undef, 1;
    cmp_ok cpu() - $before, '<', 0.1, "$name: an idle tunnel costs no CPU time";
    $backend->signal("idle$tls");
    $c->read_rest;
    free("$name, idle");
}

# half-close of a plain client, with an answer behind it; and one direction that ended costs nothing either
$backend->script('/half', qq{send "$head"\nrecv eof\nwait half\nsend "after your end"\nclose\n});
my $c = tunnel('/half');
$c->send('question');
$c->half_close;
my $before = cpu();
select undef, undef, undef, 1;
cmp_ok cpu() - $before, '<', 0.1, 'a half closed tunnel costs no CPU time';
$backend->signal('half');
is $c->read_rest, 'after your end', 'the answer to a half closed question arrives';
free('half closed');
$backend->script('/half2', qq{send "$head"\nhalf-close\nrecv eof\nsignal half2\n});
$c = tunnel('/half2');
is $c->read_rest, '', 'the backend\'s half-close arrives';
$c->send('still here');
$c->close;
ok $backend->wait_signal('half2'), 'and the other way stays open';
my @lines = grep {/RP0200/} split /\n/, $s->error_log;
is scalar @lines, 0, 'the end of a tunnel is no failure' or diag @lines;
$backend->allow_violations;
