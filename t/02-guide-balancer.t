# SPDX-License-Identifier: Apache-2.0
# The Reverse Proxy Guide, sections 4 to 6, as typed there: a cluster, tuned members, failover.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env qw(needs build_dir);
use RProxy::Server;

plan tests => 31, need {needs('rproxy', 'rproxy_balancer', 'rproxy_reverse', 'slotmem_shm')};

my @names = qw(www2 www3 spare1 spare2 hstandby bkup1 bkup2);
my %b     = map { $_ => RProxy::Backend->new(name => $_) } @names;
$ENV{RP_NAMES}   = join ' ', map { "$_.example.com:8080=127.0.0.1:" . $b{$_}->port } @names;
$ENV{LD_PRELOAD} = join ':', $ENV{LD_PRELOAD} || (), build_dir() . '/t/upstream/.libs/rp_names.so';

# Who answers n requests, in order.
sub who { my ($s, $n, $path) = @_; return join ' ', map { my $r = get($s, $path // '/images/id/1'); $r->header('X-Backend') // $r->status } 1 .. $n; }

# A backend goes down: connections end, new ones are refused.
sub down { my @which = @_; for (@which) { $_->refuse; $_->drop } return }

# 4. Clusters and balancers
{
    my $s = RProxy::Server->new(modules => ['slotmem_shm'], config => <<'CONF');
<Proxy balancer://myset>
    BalancerMember http://www2.example.com:8080
    BalancerMember http://www3.example.com:8080
    ProxySet lbmethod=bytraffic
</Proxy>

ProxyPass "/images/"  "balancer://myset/"
ProxyPassReverse "/images/"  "balancer://myset/"
CONF
    is who($s, 4), 'www2 www3 www2 www3', 'two members share the requests';
    is $b{www2}->last_request->{target}, '/id/1', 'the path behind the balancer arrives';
    like $b{www2}->last_request->{head}, qr/^Host: www2\.example\.com:8080\r$/m, 'Host is the member\'s';
    get($s, '/images/bytes/100000');
    is who($s, 3), 'www3 www3 www3', 'balanced by bytes of traffic';
    my $own = 'http://localhost:' . $s->port;
    my $r   = get($s, '/images/id/1?status=302&h=Location:http://www3.example.com:8080/there');
    is $r->header('Location'), "$own/images/there", 'ProxyPassReverse knows the members';
    is get($s, '/index.html')->body, "local index\n", 'other paths are local';
    my $body = 'x' x 100_000;
    ok post($s, '/images/echo/1', $body)->body eq $body, 'bodies go through';
    $s->stop;
}

# 5. Tuning members
{
    my $s = RProxy::Server->new(modules => ['slotmem_shm'], config => <<'CONF');
<Proxy balancer://myset>
    BalancerMember http://www2.example.com:8080
    BalancerMember http://www3.example.com:8080 loadfactor=3 timeout=1
    ProxySet lbmethod=byrequests
</Proxy>

ProxyPass "/images"  "balancer://myset"
ProxyPassReverse "/images"  "balancer://myset"
CONF
    my $seen = who($s, 8);
    is scalar(() = $seen =~ /www3/g), 6, 'three times the traffic of the other one';
    $b{www3}->script('/hang', "hold\n");
    my @status = map { get($s, '/images/hang', timeout => 20)->status } 1 .. 2;
    ok scalar(grep { $_ == 504 } @status), 'one second of timeout: 504';
    $b{www3}->clear;
    $s->stop;
}

# 6. Failover
{
    my $s = RProxy::Server->new(modules => ['slotmem_shm'], config => <<'CONF');
<Proxy balancer://myset>
    BalancerMember http://www2.example.com:8080
    BalancerMember http://www3.example.com:8080 loadfactor=3 timeout=1
    BalancerMember http://spare1.example.com:8080 status=+R
    BalancerMember http://spare2.example.com:8080 status=+R
    BalancerMember http://hstandby.example.com:8080 status=+H
    BalancerMember http://bkup1.example.com:8080 lbset=1
    BalancerMember http://bkup2.example.com:8080 lbset=1
    ProxySet lbmethod=byrequests
</Proxy>

ProxyPass "/images"  "balancer://myset"
ProxyPassReverse "/images"  "balancer://myset"
CONF
    my $seen = who($s, 8);
    unlike $seen, qr/spare|standby|bkup/, 'only the two members work';
    $_->reset for values %b;
    down($b{www2});
    $seen = who($s, 8);
    like $seen,   qr/spare1/,                  'www2 is down: one spare works';
    like $seen,   qr/www3/,                    'beside www3';
    unlike $seen, qr/spare2|hstandby|bkup|5\d\d/, 'nobody else, and no client sees it';
    $s->wait_log(qr/RP0704: .*www2.* is in error/);
    ok 1, 'the log says that www2 is in error';
    down($b{www3});
    $seen = who($s, 8);
    like $seen,   qr/spare1/,               'www3 is down too: both spares work';
    like $seen,   qr/spare2/,               'the second one as well';
    unlike $seen, qr/hstandby|bkup|www|5\d\d/, 'nobody else';
    down(@b{qw(spare1 spare2)});
    $seen = who($s, 4);
    is $seen, 'hstandby hstandby hstandby hstandby', 'only then the hot standby';
    down($b{hstandby});
    $seen = who($s, 6);
    like $seen,   qr/bkup1/,   'nothing of set 0 is usable: set 1 comes in';
    like $seen,   qr/bkup2/,   'with both members';
    unlike $seen, qr/5\d\d/, 'and still no client sees it';
    my $r = post($s, '/images/echo/1', 'y' x 50_000, id => 'moved');
    is $r->status, 200, 'a POST moves on while nothing of it was sent';
    is $b{bkup1}->count('id:moved') + $b{bkup2}->count('id:moved'), 1, 'and arrives once';
    down(@b{qw(bkup1 bkup2)});
    is get($s, '/images/id/1')->status, 503, 'nobody is left: 503';
    $_->listen for values %b;
    like who($s, 4), qr/www/, 'all in error: all are tried again, and work (forcerecovery)';
    $s->stop;
}

# sessions and a missing balancer, quickly
{
    my $s = RProxy::Server->new(modules => ['slotmem_shm'], config => <<'CONF');
<Proxy balancer://c>
    BalancerMember http://www2.example.com:8080 route=two
    BalancerMember http://www3.example.com:8080 route=three
    ProxySet stickysession=SID
</Proxy>
ProxyPass /c balancer://c
ProxyPass /none balancer://undefined/
CONF
    is join(' ', map { get($s, '/c/id/1', headers => [Cookie => 'SID=abc.three'])->header('X-Backend') } 1 .. 3), 'www3 www3 www3', 'a session stays at its member';
    down($b{www3});
    is get($s, '/c/id/1', headers => [Cookie => 'SID=abc.three'])->header('X-Backend'), 'www2', 'and moves when it is down';
    is get($s, '/none/x')->status, 503, 'an undefined balancer is 503';
    ok $s->graceful, 'graceful restart';
    is get($s, '/c/id/1', headers => [Cookie => 'SID=abc.three'])->header('X-Backend'), 'www2', 'the error is remembered';
    $s->stop;
    is(($s->{status} // 0) & 127, 0, 'and the main process ends well after it');
}
