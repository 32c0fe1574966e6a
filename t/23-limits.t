# SPDX-License-Identifier: Apache-2.0
# Parameters of connections: each has a test that fails without its effect.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use IO::Socket::INET ();
use POSIX ();
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env qw(needs now seconds wait_until);
use RProxy::Server;

plan tests => 48, need {needs(qw(rproxy))};

my $b = RProxy::Backend->new;
my $p = $b->port;
my $k = RProxy::Backend->new(name => 'k');
my $j = RProxy::Backend->new(name => 'jammed');
my $s = RProxy::Server->new(
    threads => 12,
    config  => <<"CONF",
ProxyPass /one      http://127.0.0.1:$p/id/1 max=1
ProxyPass /acquire  http://127.0.0.1:$p/id/2 max=1 acquire=300
ProxyPass /two      http://127.0.0.1:$p/id/3 max=2
ProxyPass /free     http://127.0.0.1:$p/id/4
ProxyPass /ttl      http://127.0.0.1:$p/id/5 ttl=1
ProxyPass /noreuse  http://127.0.0.1:$p/id/6 disablereuse=On
ProxyPass /enable   http://127.0.0.1:$p/id/7 enablereuse=off
ProxyPass /addrttl  http://localhost:$p/id/8 addressttl=0
ProxyPass /timeout  http://127.0.0.1:$p/hold timeout=300ms
ProxyPass /second   http://127.0.0.1:$p/hold/s timeout=1
ProxyPass /small    http://127.0.0.1:$p/bytes/1 responsefieldsize=100
ProxyPass /large    http://127.0.0.1:$p/bytes/2 responsefieldsize=20000
ProxyPass /jam      http://127.0.0.1:${\$j->port} connectiontimeout=300ms timeout=60
ProxyPass /alive    http://127.0.0.1:${\$k->port} keepalive=On
Listen 127.0.0.1:__PORT_short__
<VirtualHost 127.0.0.1:__PORT_short__>
    ProxyPass / http://127.0.0.1:${\$k->port}/
    ProxyTimeout 1
</VirtualHost>
CONF
);

# A request that a signal ends; the client that waits for it.
sub held {
    my ($path, $signal, %opt) = @_;
    my $client = RProxy::Client->new($s);
    $client->request('GET', "$path?wait=$signal", %opt);
    return $client;
}

sub restart { $_->drop, $_->await('open', '==', 0), $_->reset for $b; return }

# ---- max, acquire

my $holder = held('/one', 'go');
ok $b->await('busy', '==', 1), 'max=1: one request is at the backend';
my @waiting = map { my $c = RProxy::Client->new($s); $c->request('GET', '/one', id => "w$_"); $c } 1 .. 3;
ok $waiting[0]->silent(0.3), 'others wait';
is $b->count('busy'), 1, 'at our side';
$b->signal('go');
is $_->response->status, 200, 'and are served in the end' for $holder, @waiting;
is $b->count('max_open'), 1, 'over one connection';

$holder = held('/acquire', 'go');
$b->await('busy', '==', 1);
$s->mark_log;
my $start = now();
is get($s, '/acquire')->status, 503, 'acquire=300 (milliseconds): 503';
my $took = now() - $start;
cmp_ok $took, '>=', 0.3,        'not before';
cmp_ok $took, '<',  seconds(5), 'and not long after';
ok $s->wait_log(qr/RP0200: pool-timeout: /), 'the log says why';
$b->signal('go');
is $holder->response->status, 200, 'the first request is none the worse';
is get($s, '/acquire')->status, 200, 'nor is the next one';

# in the order of their arrival: each one is let in by the one before it
restart();
$holder = held('/one', 'go0');
$b->await('busy', '==', 1);
my @line;
for my $n (1 .. 4) {
    push @line, held('/one', "go$n", id => "line$n");
    ok $line[-1]->silent(0.1), "in line: $n";
}
for my $n (0 .. 4) {
    $b->signal("go$n");
    $b->await('requests', '>=', $n < 4 ? $n + 2 : 5);
}
$_->response for $holder, @line;
is join(' ', map { $_->{id} } grep { $_->{id} =~ /^line/ } $b->requests), 'line1 line2 line3 line4', 'first come, first served';

# idle connections of others at the same server do not count against a limit, and are shared
restart();
get($s, '/free');
get($s, '/two');
is $b->count('accepted'), 1, 'an idle connection of another line is used';
my @two = map { held('/two', "t$_") } 1, 2;
ok $b->await('busy', '==', 2), 'max=2: two at once';
my $third = RProxy::Client->new($s);
$third->request('GET', '/two');
ok $third->silent(0.2), 'the third waits';
is get($s, '/free')->status, 200, 'a line without limit does not';
$b->signal("t$_") for 1, 2;
is $_->response->status, 200, 'all are served' for @two, $third;

# ---- age and number of idle connections

restart();
get($s, '/ttl');
my $conn = get($s, '/ttl')->header('X-Backend-Conn');
my $end  = now() + 1.1;
wait_until(5, sub { now() > $end });
isnt get($s, '/ttl')->header('X-Backend-Conn'), $conn, 'ttl=1: not used after a second';
ok $b->await('open', '==', 1), '... but closed';

# smax, min: servers of their own, since idle connections belong to the backend and not to the line
sub idle_left {
    my ($params, $want, $wait, $name) = @_;
    my $own = RProxy::Backend->new(name => 'idle');
    my $t   = RProxy::Server->new(threads => 8, config => "ProxyPass / " . $own->url . "/ $params\n");
    my @three = map { my $c = RProxy::Client->new($t); $c->request('GET', "/id/1?wait=g$_"); $c } 1 .. 3;
    $own->await('busy', '==', 3);
    $own->signal("g$_") for 1 .. 3;
    $_->response for @three;
    if ($wait) {
        my $until = now() + $wait;
        wait_until(10, sub { now() > $until });
        get($t, '/id/2'); # takes a new one; when it is put back the old ones are looked at
    }
    $own->await('busy', '==', 0);
    wait_until(5, sub { $own->count('open') == $want });
    my $until = now() + ($wait ? 0 : 0.3); # with ttl the next one grows old soon; else it stays so
    wait_until(5, sub { now() > $until });
    return is $own->count('open'), $want, $name;
}
idle_left('',            3, 0,   'without parameters all idle connections stay');
idle_left('smax=1',      1, 0,   'smax=1: one stays');
idle_left('smax=0',      0, 0,   'smax=0: none stays');
idle_left('smax=0 min=2', 2, 0,  'min=2: two stay all the same');
idle_left('ttl=1',       1, 1.2, 'ttl=1: all of the old ones go');
idle_left('ttl=1 min=3', 3, 1.2, 'ttl=1 min=3: as many as that stay open, with the new one');

# ---- reuse

for my $path (qw(noreuse enable addrttl)) {
    restart();
    get($s, "/$path") for 1, 2;
    is $b->count('accepted'), 2, "$path: two requests, two connections";
}

# ---- time

restart();
$start = now();
is get($s, '/timeout')->status, 504, 'timeout=300ms: 504';
cmp_ok now() - $start, '<', seconds(3), '... after milliseconds, not seconds';
$start = now();
is get($s, '/second')->status, 504, 'timeout=1: 504';
cmp_ok now() - $start, '>=', 0.9, '... after a second';

$start = now();
is get($s, '/hold/p', port => 'short')->status, 504, 'ProxyTimeout 1: 504';
my $passed = now() - $start;
ok $passed >= 0.9 && $passed < seconds(10), '... after a second, not after Timeout' or diag($passed);

$j->jam;
$start = now();
is get($s, '/jam/x')->status, 503, 'connectiontimeout=300ms: 503';
cmp_ok now() - $start, '<', seconds(5), '... without waiting for timeout=60';
$j->unjam;

# ---- sizes

my $field = 'X-Long:' . 'a' x 200;
is get($s, "/small?h=$field")->status, 502, 'responsefieldsize=100: a longer field is refused';
$b->script('/bytes/2', "recv body\nsend \"HTTP/1.1 200 OK\\r\\nX-Long: " . 'a' x 12000 . "\\r\\nContent-Length: 2\\r\\n\\r\\nok\"\n");
is get($s, '/large')->status, 200, 'responsefieldsize=20000: one of 12000 bytes is not';

# ---- SO_KEEPALIVE: the kernel runs a timer of that kind on the idle connection

get($s, '/alive/id/1');
my $hex = sprintf '%04X', $k->port;
my %timer = map { $_ => 1 } map { /^\s*\d+: \S+ [0-9A-F]{8}:$hex 01 \S+ (\d\d):/ ? $1 : () } do { open my $in, '<', '/proc/net/tcp' or die "$!\n"; <$in> };
ok $timer{'02'}, 'keepalive=On: the connection has a keep-alive timer';
