# SPDX-License-Identifier: Apache-2.0
# What children share, under every MPM: state and counters over all of them and over restarts, health checks, manager, API, metrics, what is under way,
# the state file.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use RProxy::Backend;
use RProxy::Client qw(api get);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;

my @mpms = qw(event worker prefork);
plan tests => 17 * @mpms, need {needs(qw(rproxy rproxy_balancer slotmem_shm authz_host status), map { "mpm_$_" } @mpms)};

for my $mpm (@mpms) {
    my %b = map { $_ => RProxy::Backend->new(name => $_) } qw(a b);
    my %u = map { $_ => $b{$_}->url } keys %b;
    my $s = RProxy::Server->new(mpm => $mpm, processes => 3, threads => $mpm eq 'prefork' ? 12 : 4, modules => [qw(slotmem_shm authz_host status)], config => <<"CONF");
BalancerPersist On
ProxyStatus On
<Proxy balancer://one>
    BalancerMember $u{a} hcmethod=GET hcinterval=1 hcuri=/id/hc
    BalancerMember $u{b}
    ProxySet growth=1
</Proxy>
ProxyPass /one balancer://one
__API__
__MANAGER__
<Location /metrics>
    SetHandler rproxy-metrics
</Location>
<Location /status>
    SetHandler server-status
</Location>
CONF
    my $call   = sub { return api($s, @_) };
    my $member = sub { return $call->(GET => "/balancers/one/members/-?url=$u{$_[0]}") };
    my $sum    = sub { my ($n) = (0); $n += $_->{traffic}{responses}{'2xx'} for map { $member->($_) } qw(a b); return $n };

    my @all = map { RProxy::Client->new($s) } 1 .. 6;
    for my $n (1 .. 4) { $_->request(GET => "/one/id/$n") for @all; $_->response for @all }
    $_->close for @all;
    is $sum->(), 24, "$mpm: all children count together";
    my $metric = 0;
    my $page = get($s, '/metrics')->body;
    $metric += $1 while $page =~ /^rproxy_requests_total\{[^}]*balancer="one"[^}]*\} (\d+)/mg;
    is $metric, 24, "$mpm: on the metrics page";
    ok wait_until(15, sub { ($member->('a')->{health}{checks} // 0) >= 2 }), "$mpm: health checks";
    my $slow = RProxy::Client->new($s);
    $slow->request(GET => '/one/x?wait=go');
    ok wait_until(15, sub { @{$call->(GET => '/in-flight')->{in_flight}} == 1 }), "$mpm: under way";
    ok wait_until(15, sub { ($call->(GET => '/in-flight')->{in_flight}[0]{step} // '') eq 'waits for the answer' }), "$mpm: what it does";
    like get($s, '/status?auto')->body, qr/^ProxyExchangesUnderWay: 1$/m, "$mpm: in mod_status";
    $_->signal('go') for values %b;
    is $slow->response->status, 200, "$mpm: and its answer";
    ok wait_until(15, sub { !@{$call->(GET => '/in-flight')->{in_flight}} }), "$mpm: it is over";

    my $set = $call->(PATCH => "/balancers/one/members/-?url=$u{b}", {status => {disabled => JSON::PP::true}});
    is $set->{saved}, JSON::PP::true, "$mpm: a change is saved";
    is join(' ', sort keys %{{map { (get($s, '/one/id/x')->header('X-Backend') => 1) } 1 .. 6}}), 'a', "$mpm: and holds in each child";
    like get($s, '/balancer-manager')->body, qr/Dis/, "$mpm: the manager shows it";
    my ($pool) = grep { ($_->{member} // '') eq $u{a} } @{$call->(GET => '/pools')->{pools}};
    cmp_ok scalar @{$pool->{processes}}, '>=', $mpm eq 'prefork' ? 1 : 3, "$mpm: pools of each child";
    my $before = $sum->();
    ok $s->graceful, "$mpm: graceful restart";
    is $member->('b')->{state}, 'disabled', "$mpm: state is kept";
    is $sum->(), $before, "$mpm: so are counters";
    $s->stop;
    $s->start;
    is $member->('b')->{state}, 'disabled', "$mpm: over stop and start too";
    get($s, '/one/id/last');
    is $sum->(), $before + 1, "$mpm: and it goes on";
    $s->stop;
}
