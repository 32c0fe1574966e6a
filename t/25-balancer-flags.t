# SPDX-License-Identifier: Apache-2.0
# Status flags of members, and the error state: what puts a member in error, what never does, and how it comes back.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env qw(needs now mpm wait_until);
use RProxy::Server;

plan tests => mpm() eq 'prefork' ? 100 : 102, need {needs(qw(rproxy rproxy_balancer slotmem_shm))};

my %b = map { $_ => RProxy::Backend->new(name => $_) } qw(a b c d);
my %u = map { $_ => $b{$_}->url } keys %b;
my $s;

# Who answers n requests, in order.
sub who {
    my ($path, $n, @more) = @_;
    return join ' ', map { my $r = get($s, $path, @more); $r->header('X-Backend') // $r->status } 1 .. $n;
}

# How often a member was put in error since the last mark_log.
sub errors { return scalar(() = substr($s->error_log, $s->{seen}) =~ /RP0704/g) }

sub down { for (@_) { $b{$_}->refuse; $b{$_}->drop } return }
sub up   { for (values %b) { $_->listen; $_->clear; $_->reset } $s->mark_log; return }

sub balancer {
    my ($name, $params, @members) = @_;
    my $text = "<Proxy balancer://$name>\n";
    while (@members) {
        my ($member, $more) = splice @members, 0, 2;
        $text .= "BalancerMember $u{$member} $more\n";
    }
    return "$text" . ($params ? "ProxySet $params\n" : '') . "</Proxy>\nProxyPass /$name balancer://$name\n";
}

# --- flags ---
{
    my $conf = '';
    $conf .= balancer("p\L$_", '', a => 'route=a', b => "route=b status=+$_") for qw(D S I R H N E C);
    $conf .= balancer("bare\L$_", '', a => '', b => "status=$_") for qw(D S N C);
    $conf .= balancer("m\L$_", '', a => '', b => "status=+$_-$_") for qw(D S R H N E C);
    $conf .= balancer('alone' . lc, 'stickysession=SID', b => "status=+$_ route=b") for qw(D S R H N C);
    $conf .= balancer('small', '', a => '', b => 'status=+d');
    $conf .= balancer('several', '', a => '', b => 'status=+DN-D', c => 'status=+RH');
    $conf .= balancer('drain', 'stickysession=SID', a => 'route=a', b => 'status=+N route=b', c => 'route=c status=+R');
    $s = RProxy::Server->new(modules => ['slotmem_shm'], config => $conf);

    my %plus = (D => 'a a a', S => 'a a a', I => 'a b a', R => 'a a a', H => 'a a a', N => 'a a a', E => 'a b a', C => 'a a a');
    is who('/p' . lc($_) . '/id/1', 3), $plus{$_}, "status=+$_" for sort keys %plus;
    is who('/bare' . lc($_) . '/id/1', 3), 'a a a', "status=$_ means +$_" for qw(D S N C);
    is who('/m' . lc($_) . '/id/1', 3), 'a b a', "status=-$_ takes it back" for qw(D S R H N E C);
    is who('/small/id/1', 3), 'a a a', 'letters of either case';
    my %alone = (D => '503', S => '503', R => '503', H => 'b', N => '503', C => '503');
    # a spare alone in its set stands in for nobody
    is who('/alone' . lc($_) . '/id/1', 1), $alone{$_}, "alone with $_: $alone{$_}" for sort keys %alone;
    my @sid   = (headers => [Cookie => 'SID=x.b']);
    my %stick = (D => '503', S => '503', R => 'b', H => 'b', N => 'b', C => '503');
    is who('/alone' . lc($_) . '/id/1', 1, @sid), $stick{$_}, "a session's member with $_: $stick{$_}" for sort keys %stick;
    is who('/several/id/1', 4), 'a c a c', 'a draining member calls for a spare; spare and standby at once is a spare';
    is who('/drain/id/1', 4), 'a c a c', 'draining: nothing new';
    is who('/drain/id/1', 3, @sid), 'b b b', 'draining: its own sessions go on';
    is who('/drain/id/1', 2, headers => [Cookie => 'SID=x.c']), 'c c', 'sessions of a spare';
    $s->stop;
}

# --- error state ---
{
    my $two = sub { my ($name, $params, $each) = @_; return balancer($name, $params, a => $each, b => $each) };
    my $conf = balancer('wait', 'forcerecovery=Off timeout=20', a => 'retry=3', b => 'retry=600');
    $conf .= balancer('short', 'forcerecovery=Off timeout=1', a => 'retry=600', b => 'retry=600');
    $conf .= balancer('noforce0', '', b => 'status=+D');
    $conf .= balancer('retry', '', a => 'retry=2', b => 'retry=600');
    $conf .= balancer('retry0', '', a => 'retry=0', b => 'retry=600');
    $conf .= $two->('force', '', 'retry=600') . $two->('noforce', 'forcerecovery=Off', 'retry=600');
    $conf .= $two->("last$_", '', 'retry=600 disablereuse=On')
        . $two->("nolast$_", 'forcerecovery=Off', 'retry=600 disablereuse=On') for qw(refuse close);
    $conf .= balancer('forced', '', a => 'retry=600', b => 'status=+D');
    $conf .= balancer('ignore', '', a => 'status=+I', b => '');
    $conf .= $two->('fos', 'failonstatus=500,503', 'retry=600') . $two->('fos502', 'failonstatus=502', 'retry=600 timeout=1');
    $conf .= $two->('fosno', '', 'retry=600') . $two->('fot', 'failontimeout=On', 'retry=600 timeout=1');
    $conf .= $two->('fotno', '', 'retry=600 timeout=1') . $two->('fosi', 'failonstatus=500', 'retry=600 status=+I');
    $conf .= balancer("max$_", "maxattempts=$_ forcerecovery=Off", map { $_ => '' } qw(a b c d)) for 0, 1, 3;
    $conf .= balancer('max', '', map { $_ => '' } qw(a b c d));
    $conf .= balancer('nofo', 'nofailover=On stickysession=SID', a => 'route=a', b => 'route=b');
    $conf .= balancer('fo', 'stickysession=SID', a => 'route=a', b => 'route=b');
    $conf .= balancer('sets', '', d => 'lbset=7', a => 'lbset=2', b => '', c => 'lbset=2');
    $conf .= balancer('odd', '', map { $_ => 'retry=600 disablereuse=On' } qw(a b c d));
    $conf .= balancer('full', '', map { $_ => 'retry=600 max=1 acquire=300ms' } qw(a b));
    $s = RProxy::Server->new(modules => ['slotmem_shm'], config => $conf, threads => 20);

    # --- waiting for a member ---
    down(qw(a b));
    is who("/$_/id/1", 1), '503', "$_: nobody is there" for qw(wait short);
    up();
    my $begin = now();
    is who('/short/id/1', 1), '503', 'timeout=1 passes';
    cmp_ok now() - $begin, '>=', 1, 'not earlier';
    is who('/wait/id/1', 1), 'a', 'timeout=20: waits until retry is over';
    $begin = now();
    is who('/noforce0/id/1', 1), '503', 'nobody to wait for without timeout';
    cmp_ok now() - $begin, '<', 1, 'says so at once';

    down('a');
    is who('/retry/id/1', 3), 'b b b', 'a member that refuses: the client does not see it';
    is errors(), 1, 'it is in error, said once';
    my $since = now();
    up();
    is who('/retry/id/1', 2), 'b b', 'it listens again, and is left alone';
    ok wait_until(20, sub { who('/retry/id/1', 1) eq 'a' }), 'retry is over: it is tried';
    cmp_ok now() - $since, '>', 1, 'not before';
    is who('/retry/id/1', 4) =~ tr/a//, 2, 'and has its share again';

    down('a');
    unlike who('/retry0/id/1', 4), qr/5/, 'retry=0';
    up();
    like who('/retry0/id/1', 2), qr/a/, 'retry=0: at once';

    down(qw(a b));
    is who("/$_/id/1", 1), '503', "$_: all down" for qw(force noforce);
    is who('/forced/id/1', 1), '503', 'one down, one disabled';
    up();
    like who('/force/id/1', 2), qr/^[ab] [ab]$/, 'forcerecovery On: all are tried again';
    is who('/noforce/id/1', 2), '503 503', 'forcerecovery Off: retry counts';
    is who('/forced/id/1', 1), '503', 'a disabled member is not in error: nothing is forced';

    for my $how (['refuse', 'id/1'], ['close', 'gone']) {
        my ($end, $path) = @$how;
        for my $want (['last', 'b'], ['nolast', $end eq 'refuse' ? '503' : '502']) {
            my ($name, $who) = ("$want->[0]$end", $want->[1]);
            up();
            down('b');
            is who("/$name/id/1", 2), 'a a', "$name: b is in error, a is left";
            up();
            $b{a}->script('/gone', "recv body\nclose\n");
            down('a') if $end eq 'refuse';
            is who("/$name/$path", 1), $who, "$name: then a fails";
        }
    }
    up();

    down('a');
    unlike who('/ignore/id/1', 4), qr/5/, 'errors ignored: another member answers';
    is errors(), 0, 'and no error is set';
    up();
    like who('/ignore/id/1', 2), qr/a/, 'it is tried all the time';

    is get($s, '/fos/id/1?status=503')->status, 503, 'failonstatus: the answer goes through';
    is errors(), 1, 'and its member is in error';
    is who('/fos/id/1', 3), 'b b b', 'out of the share';
    is get($s, '/fos/id/1?status=502')->status, 502, 'a code that is not listed';
    is errors(), 1, 'changes nothing';
    get($s, "/$_/id/1?status=500") for qw(fosno fosi);
    is errors(), 1, 'nor does a listed one without failonstatus, or with errors ignored';
    $s->mark_log;

    $_->script('/silent', "hold\n") for values %b;
    is get($s, '/fotno/silent')->status, 504, 'a time-out';
    is errors(), 0, 'sets no error';
    is get($s, '/fot/silent')->status, 504, 'failontimeout: a time-out';
    is errors(), 1, 'sets it';
    is get($s, '/fos502/silent')->status, 504, '502 in failonstatus';
    is errors(), 2, 'means time-outs too';
    $_->script('/gone', "recv body\nclose\n") for values %b;
    up();
    $_->script('/gone', "recv body\nclose\n") for values %b;
    is post($s, '/fos502/gone', 'x')->status, 502, 'a 502 of our own';
    is errors(), 1, 'is a 502';

    up();
    down(qw(a b c));
    is who('/max0/id/1', 1), '503', 'maxattempts=0: nobody else is tried';
    is errors(), 1, 'one was';
    is who('/max1/id/1', 1), '503', 'maxattempts=1';
    is errors(), 3, 'two were';
    is who("/$_/id/1", 1), 'd', "$_: all four" for qw(max3 max);

    up();
    my @sid = (headers => [Cookie => 'SID=x.a']);
    down('a');
    is who('/nofo/id/1', 2, @sid), '503 503', 'nofailover: the session is not given away';
    is who('/nofo/id/1', 2, headers => [Cookie => 'SID=x.unknown']), 'b b', 'a route that nobody has is no session';
    is who('/fo/id/1', 1, @sid), 'b', 'without it, it is';
    up();

    is who('/sets/id/1', 2), 'b b', 'set 0';
    down('b');
    is who('/sets/id/1', 4), 'a c a c', 'set 2 when nobody of set 0 is there';
    down(qw(a c));
    is who('/sets/id/1', 1), 'd', 'then set 7';

    # --- what never puts a member in error ---
    up();
    $_->script('/poison', "recv body\nclose\n") for values %b;
    is get($s, '/odd/poison', id => 'g1')->status, 502, 'members close';
    my $n = grep { $_->count('id:g1') > 0 } values %b;
    is $n, 3, 'two further members see the request';
    is post($s, '/odd/poison', 'x', id => 'p1')->status, 502, 'a POST';
    $n = 0;
    $n += $_->count('id:p1') for values %b;
    is $n, 1, 'goes nowhere else';
    my $odd = sub { my $c = RProxy::Client->new($s); $c->send($_[0]); $c->half_close if $_[1]; return $c->response->status };
    my $h = "Host: x\r\nConnection: close\r\n";
    $odd->("GET /odd/id/1 HTTP/1.1\r\n$h$_\r\n\r\n") for 'Transfer-Encoding: gzip, chunked', 'Expect: 200-maybe', 'Max-Forwards: 0',
        'Content-Length: 5x', 'Range: bytes=x', 'Upgrade: nothing/1';
    $odd->("POST /odd/echo/1 HTTP/1.1\r\n${h}Transfer-Encoding: chunked\r\n\r\nzz\r\n");
    $odd->("POST /odd/echo/1 HTTP/1.1\r\n${h}Content-Length: 100\r\n\r\nshort", 1);
    $odd->("POST /odd/echo/1 HTTP/1.1\r\n${h}Content-Length: 1\r\nExpect: 100-continue\r\n\r\nx");
    my $c = RProxy::Client->new($s);
    $c->send("POST /odd/echo/1 HTTP/1.1\r\n${h}Content-Length: 100000\r\n\r\n" . 'x' x 50_000);
    $c->abort;

    if (mpm() ne 'prefork') {    # max counts in each child, and one of prefork has one request at a time
        my @held = map { my $c = RProxy::Client->new($s); $c->request('GET', "/full/id/1?wait=go", close => 1); $c } 1, 2;
        $b{$_}->await('busy', '>=', 1) for qw(a b);
        is get($s, '/full/id/1')->status, 503, 'all connections in use for too long';
        $b{$_}->signal('go', '*') for qw(a b);
        is join(' ', sort map { $_->response->header('X-Backend') } @held), 'a b', 'one request each';
    }
    is errors(), 0, 'nothing of this set an error';
    is who('/full/id/1', 2) =~ tr/ab//, 2, 'both go on';
    $s->stop;
}
