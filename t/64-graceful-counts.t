# SPDX-License-Identifier: Apache-2.0
# Requests that end after a graceful restart, in children of generations before, are counted: in the API, in mod_status, on the metrics page, and
# by the generations that follow.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;

plan tests => 24, need {needs(qw(rproxy rproxy_balancer slotmem_shm authz_host status))};

my $b = RProxy::Backend->new(name => 'a');
my $u = $b->url;
my $s = RProxy::Server->new(modules => [qw(slotmem_shm authz_host status)], processes => 2, config => <<"CONF");
ProxyStatus On
<Proxy balancer://one>
    BalancerMember $u
    ProxySet growth=1
</Proxy>
<Proxy balancer://off>
    BalancerMember $u/off
</Proxy>
ProxyPass /one balancer://one
__API__
<Location /metrics>
    SetHandler rproxy-metrics
</Location>
<Location /status>
    SetHandler server-status
</Location>
CONF

sub traffic { return JSON::PP->new->decode(get($s, "/rproxy/v1/balancers/one/members/-?url=$u")->body)->{traffic} }
sub answered { return traffic()->{responses}{'2xx'} }
sub metric  { my ($sum) = get($s, '/metrics')->body =~ /^rproxy_requests_total\{[^}]*balancer="one"[^}]*worker="\Q$u\E"[^}]*2xx"[^}]*\} (\d+)/m; return $sum }
sub started { my ($word) = @_; my $c = RProxy::Client->new($s); $c->request(GET => "/one/x?wait=$word"); return $c }

get($s, '/one/x') for 1 .. 3;
is answered(), 3, 'three are counted';
my @long = map { started("go$_") } 1 .. 2;
ok wait_until(15, sub { traffic()->{busy} == 2 }), 'two are under way';
my $sent = traffic()->{sent_bytes};

ok $s->graceful, 'a graceful restart';
ok wait_until(15, sub { get($s, '/one/x'); answered() == 4 || answered() > 4 }), 'the next generation counts';
my $now = answered();
$b->signal('go1');
is $long[0]->response->status, 200, 'one ends in an old child';
ok wait_until(15, sub { answered() == $now + 1 }), 'and is counted';
cmp_ok traffic()->{sent_bytes}, '>', $sent, 'with its bytes';
is metric(), $now + 1, 'on the metrics page too';
like get($s, '/status?auto')->body, qr/^ProxyBalancer\[0\]Worker\[0\]Elected: @{[traffic()->{elected}]}$/m, 'and in mod_status';

ok $s->graceful, 'another restart';
is answered(), $now + 1, 'nothing is lost or counted twice';
ok $s->graceful, 'and another';
$b->signal('go2');
is $long[1]->response->status, 200, 'the other one ends, three generations later';
ok wait_until(15, sub { answered() == $now + 2 }), 'and is counted';
$_->close for @long;
ok wait_until(15, sub { $s->children == 2 }), 'the old children are gone';
is answered(), $now + 2, 'still right';
is metric(), $now + 2, 'on the metrics page';
is traffic()->{elected}, $now + 2, 'as often as it was chosen';
is scalar($b->requests), $now + 2, 'as the member saw it';
ok $s->graceful, 'one more';
is answered(), $now + 2, 'kept';
is traffic()->{elected}, $now + 2, 'all of it';

# a child that is killed has counted what it had
my $c = started('go3');
ok wait_until(15, sub { traffic()->{busy} == 1 }), 'one under way';
$c->abort;
ok wait_until(15, sub { traffic()->{busy} == 0 }), 'and gone';
