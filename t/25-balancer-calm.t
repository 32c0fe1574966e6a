# SPDX-License-Identifier: Apache-2.0
# The short way of a choice (all candidates are well) and the long one choose alike: every sequence here is made once by the short way, and once with a
# spare that is out of work, which asks for the long one. Members that are no candidates save up nothing meanwhile.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs);
use RProxy::Server;

my @kinds = (
    ['byrequests',         'lbmethod=byrequests', '',              ''],
    ['byrequests-weights', 'lbmethod=byrequests', 'loadfactor=3',  ''],
    ['bytraffic',          'lbmethod=bytraffic',  'loadfactor=2',  ''],
    ['bybusyness',         'lbmethod=bybusyness', 'loadfactor=3',  ''],
    ['standby',            'lbmethod=byrequests', 'loadfactor=2',  "    BalancerMember __D__ status=+H loadfactor=5\n"],
    ['disabled',           'lbmethod=bybusyness', '',              "    BalancerMember __D__ status=+D loadfactor=5\n"],
    ['sets',               'lbmethod=byrequests', '',              "    BalancerMember __D__ lbset=1 loadfactor=5\n"],
);
plan tests => 2 * @kinds + 9, need {needs(qw(rproxy rproxy_balancer slotmem_shm authz_host))};

my %b = map { $_ => RProxy::Backend->new(name => $_) } qw(a b c d);
my $conf = "ServerLimit 1\n";
for my $kind (@kinds) {
    my ($name, $set, $b, $more) = @$kind;
    for my $way ('short', 'long') {
        # a draining member with a spare of no use for it: the long way
        my $long = $way eq 'long' ? "    BalancerMember http://127.0.0.1:1 status=+N\n    BalancerMember http://127.0.0.1:2 status=+R+D\n" : '';
        $conf .= "<Proxy balancer://$name-$way>\n    BalancerMember @{[$b{a}->url]}\n    BalancerMember @{[$b{b}->url]} $b\n    BalancerMember @{[$b{c}->url]}\n"
            . ($more =~ s/__D__/$b{d}->url/er) . "$long    ProxySet $set\n</Proxy>\nProxyPass /$name-$way balancer://$name-$way\n";
    }
}
$conf .= <<"CONF";
<Proxy balancer://s>
    BalancerMember @{[$b{a}->url]} route=a
    BalancerMember @{[$b{b}->url]} route=b
    BalancerMember @{[$b{d}->url]} route=d status=+H
    ProxySet stickysession=R
</Proxy>
ProxyPass /s balancer://s
__API__
CONF
my $s = RProxy::Server->new(modules => [qw(slotmem_shm authz_host)], processes => 1, config => $conf);

sub sequence { my ($name, $n) = @_; return join '', map { get($s, "/$name/id/$_")->header('X-Backend') // '?' } 1 .. $n }

for my $kind (@kinds) {
    my $short = sequence("$kind->[0]-short", 24);
    is $short, sequence("$kind->[0]-long", 24), "$kind->[0]: $short";
    unlike $short, qr/[^abc]/, "$kind->[0]: candidates alone";
}

# what was not chosen has earned nothing: the standby is no better off than others when it is one of them
sub set {
    my ($balancer, $url, $body) = @_;
    return RProxy::Client->one($s, PATCH => "/rproxy/v1/balancers/$balancer/members/-?url=$url", body => JSON::PP->new->encode($body),
        headers => ['Content-Type' => 'application/json', 'X-RProxy-API' => 1])->status;
}
sub credit { my ($balancer, $url) = @_; return JSON::PP->new->decode(get($s, "/rproxy/v1/balancers/$balancer/members/-?url=$url")->body)->{traffic}{lbstatus} }
is credit('standby-short', $b{d}->url), 0, 'a standby has no credit';
is credit('sets-short',    $b{d}->url), 0, 'nor has a member of another set';
is set('standby-short', $b{d}->url, {status => {hot_standby => JSON::PP::false}}), 200, 'the standby becomes an ordinary member';
my %n;
$n{$_}++ for split //, sequence('standby-short', 18);
is_deeply \%n, {a => 2, b => 4, c => 2, d => 10}, 'and gets its share';

# sessions
sub of_session { my ($route) = @_; return get($s, '/s/id/1', headers => [Cookie => "R=x.$route"])->header('X-Backend') }
is of_session('b'), 'b', 'a session stays';
is of_session('d'), 'd', 'one of a standby too';
like of_session('none'), qr/^[ab]$/, 'one that nobody knows goes to a candidate';
is set('s', $b{b}->url, {status => {draining => JSON::PP::true}}), 200, 'draining';
is of_session('b'), 'b', 'sessions go on';
