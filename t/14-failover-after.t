# SPDX-License-Identifier: Apache-2.0
# failoverafter: what goes to another member when its member is silent, and what does not.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs now seconds);
use RProxy::Server;

plan tests => 17, need {needs(qw(rproxy rproxy_balancer slotmem_shm))};

my %b = map { $_ => RProxy::Backend->new(name => $_) } qw(a b);
my $s = RProxy::Server->new(modules => ['slotmem_shm'], config => <<"CONF");
<Proxy balancer://two>
    BalancerMember @{[$b{a}->url]} failoverafter=200ms timeout=3
    BalancerMember @{[$b{b}->url]} failoverafter=200ms timeout=3 status=+H
</Proxy>
ProxyPass /two balancer://two
<Proxy balancer://one>
    BalancerMember @{[$b{a}->url]} failoverafter=200ms timeout=1
</Proxy>
ProxyPass /one balancer://one
<Proxy balancer://off>
    BalancerMember @{[$b{a}->url]} timeout=1
    BalancerMember @{[$b{b}->url]} timeout=1 status=+H
</Proxy>
ProxyPass /off balancer://off
ProxyPass /plain @{[$b{a}->url]} failoverafter=200ms timeout=1
CONF

sub ask {
    my ($path, $method, @more) = @_;
    my $begin = now();
    my $r     = RProxy::Client->one($s, $method // 'GET', $path, @more);
    return ($r, now() - $begin);
}

# a member that answers at once keeps it
my ($r) = ask('/two/id/1');
is $r->header('X-Backend'), 'a', 'a member that answers';

# silent: the standby gets it
$b{a}->script("/id/$_", 'hold') for 2 .. 7;
($r, my $took) = ask('/two/hold');
is $r->status, 504, 'both are silent: the last one has all its time';
cmp_ok $took, '>=', 3, 'which is its timeout';
($r, $took) = ask('/two/id/2');
is $r->status . $r->header('X-Backend'), '200b', 'a silent member: another one answers';
cmp_ok $took, '<', seconds(2), 'after failoverafter';
like $s->error_log, qr/RP0241: .* after head-timeout at /, 'the log says so';
($r) = ask('/two/id/3', 'PUT', body => 'abc');
is $r->header('X-Backend'), 'b', 'PUT with a body in memory too';
($r, $took) = ask('/two/id/4', 'POST', body => 'abc');
is $r->status, 504, 'POST does not';
cmp_ok $took, '>=', 3, 'it waits for its member';
($r, $took) = ask('/one/id/5');
is $r->status, 504, 'where there is no other member';
cmp_ok $took, '>=', 1, 'timeout holds';
($r, $took) = ask('/plain/id/6');
is $r->status, 504, 'a worker that is no member';
cmp_ok $took, '>=', 1, 'timeout holds there too';
($r) = ask('/off/id/7');
is $r->status, 504, 'without the parameter a silent member is the end of it';
($r) = ask('/two/id/8');
is $r->header('X-Backend'), 'a', 'and back';
unlike $s->error_log, qr/RP0704/, 'no member is in error without failontimeout';
my (undef, $said) = $s->configtest("ProxyPass /x http://127.0.0.1:1 failoverafter=0\n");
like $said, qr/failoverafter/, 'a time that can not be';
