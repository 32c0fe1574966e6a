# SPDX-License-Identifier: Apache-2.0
# What configurations of balancers may hold: what is wrong is said by `httpd -t` with the place, the value and what to write;
# what httpd has always taken is taken, with one warning that names the line.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs);
use RProxy::Server;

my $long  = 'x' x 64;
my $url   = 'http://127.0.0.1:1/' . 'u' x 400;
my $many  = join '', map { "BalancerMember http://127.0.0.1:1/$_\n" } 1 .. 257;
my $most  = join '', map { "BalancerMember http://127.0.0.1:1/$_\n" } 1 .. 200;
my @wrong = (
    ['unknown method', 'BalancerMember http://b1:81', 'ProxySet lbmethod=best', qr/test\.conf:\d+: balancer:\/\/c: unknown lbmethod "best": write byrequests, bytraffic or bybusyness/],
    ['weight below its range', 'BalancerMember http://b1:81 loadfactor=0.5', '', qr/loadfactor: "0\.5" is not a number from 1 to 100/],
    ['weight above its range', 'BalancerMember http://b1:81 loadfactor=101', '', qr/loadfactor: "101" is not a number from 1 to 100/],
    ['set out of range', 'BalancerMember http://b1:81 lbset=100', '', qr/lbset: "100" is not a whole number from 0 to 99/],
    ['unknown flag', 'BalancerMember http://b1:81 status=+Z', '', qr/status: .*"\+Z"/],
    ['unknown parameter', 'BalancerMember http://b1:81 loadfaktor=2', '', qr/loadfaktor/],
    ['maxattempts', 'BalancerMember http://b1:81', 'ProxySet maxattempts=-1', qr/maxattempts: "-1" is not a whole number/],
    ['status codes', 'BalancerMember http://b1:81', 'ProxySet failonstatus=99', qr/failonstatus: "99".*100 to 599/],
    ['growth', 'BalancerMember http://b1:81', 'ProxySet growth=101', qr/growth: "101" is not a whole number from 1 to 100/],
    ['nofailover', 'BalancerMember http://b1:81', 'ProxySet nofailover=maybe', qr/nofailover: "maybe".*On or Off/],
    ['time without number', 'BalancerMember http://b1:81', 'ProxySet timeout=soon', qr/timeout: "soon"/],
    ['member without scheme', 'BalancerMember b1.example.com:8080', '', qr/BalancerMember: "b1\.example\.com:8080".*write http:\/\/host:port|not supported/],
    ['member with another scheme', 'BalancerMember gopher://b1:81', '', qr/BalancerMember: "gopher:\/\/b1:81": the protocol gopher is not supported; mod_rproxy speaks/],
    ['balancer as a member', 'BalancerMember balancer://d', '', qr/"balancer:\/\/d" is a balancer; a backend is wanted here/],
    ['member without host', 'BalancerMember http:///x', '', qr/the URL "http:\/\/\/x" has no host/],
    ['port out of range', 'BalancerMember http://b1:70000', '', qr/the URL "http:\/\/b1:70000"/],
    ['route too long', "BalancerMember http://b1:81 route=$long", '', qr/route: "$long" is not a text of .*63/],
    ['session name too long', 'BalancerMember http://b1:81', "ProxySet stickysession=$long", qr/stickysession: .*63/],
    ['nonce too long', 'BalancerMember http://b1:81', "ProxySet nonce=$long", qr/nonce: .*36/],
    ['URL too long', "BalancerMember $url", '', qr/the URL "\Q$url\E" is longer than 383 bytes/],
    ['too many members', $many, '', qr/RP0712: .*test\.conf:\d+: balancer:\/\/c has 257 members and room for 0 more \(growth\); write at most 256 in all/],
    ['too many with growth', $most, 'ProxySet growth=100', qr/RP0712: .*has 200 members and room for 100 more/],
);
my @taken = (
    ['no members', '', 'ProxySet timeout=1', qr/RP0724: .*test\.conf:\d+: balancer:\/\/c has no members: its requests are answered with 503/],
    ['redirect to an unknown route', 'BalancerMember http://b1:81 route=a redirect=nowhere', '', qr/RP0725: .*test\.conf:\d+: http:\/\/b1:81: redirect=nowhere: no member of balancer:\/\/c has that route/],
    ['a parameter twice', 'BalancerMember http://b1:81 loadfactor=2 LoadFactor=3', '', qr/RP0722: .*test\.conf:\d+: BalancerMember: LoadFactor is given twice: LoadFactor=3 holds, loadfactor=2 does not/],
    ['a parameter of the balancer twice', 'BalancerMember http://b1:81', 'ProxySet timeout=1 timeout=2', qr/RP0722: .*ProxySet: timeout is given twice/],
    ['a member twice', "BalancerMember http://b1:81 loadfactor=2\nBalancerMember http://B1:81/ route=x\nBalancerMember HTTP://b1:81 route=y", '', qr/RP0723: .*test\.conf:\d+: http:\/\/b1:81 is a member of balancer:\/\/c already \(.*test\.conf:\d+\): .*write one line/],
);
plan tests => 2 * @wrong + 3 * @taken + 21, need {needs(qw(rproxy rproxy_balancer slotmem_shm status))};

my $s = RProxy::Server->new(start => 0);

sub section { my ($members, $set) = @_; return "<Proxy balancer://c>\n$members\n$set\n</Proxy>\nProxyPass /c balancer://c\n" }

for my $case (@wrong) {
    my ($name, $members, $set, $says) = @$case;
    my ($good, $text) = $s->configtest(section($members, $set));
    ok !$good, "$name: refused";
    like $text, $says, "$name: with what is wrong";
}
for my $case (@taken) {
    my ($name, $members, $set, $says) = @$case;
    my ($good, $text) = $s->configtest(section($members, $set));
    ok $good, "$name: taken" or diag $text;
    like $text, $says, "$name: with a warning";
    my $n = () = $text =~ /RP072[2-6]: /g;
    is $n, 1, "$name: one";
}

# --- without mod_slotmem_shm ---
my $bare = RProxy::Server->new(start => 0, without => ['slotmem_shm']);
my ($good, $text) = $bare->configtest(section('BalancerMember http://b1:81', ''));
ok !$good, 'without mod_slotmem_shm: refused';
like $text, qr/RP0700: .*"LoadModule slotmem_shm_module modules\/mod_slotmem_shm\.so"/, 'with the line to write';
($good, $text) = $bare->configtest('ProxyPass /x http://127.0.0.1:1');
ok $good, 'no balancer, no need' or diag $text;
($good, $text) = $s->configtest("ProxyPass /x balancer://" . 'n' x 200);
ok !$good, 'a name of 200 bytes: refused';
like $text, qr/balancer:\/\/n+.*\b95\b/, 'with the limit';
my $n96 = 'n' x 84;    # 95 with "balancer://"
($good, $text) = $s->configtest("<Proxy balancer://$n96>\nBalancerMember http://b1:81\n</Proxy>\nProxyPass /x balancer://$n96");
ok $good, 'the longest name' or diag $text;

# --- running ---
my $b = RProxy::Backend->new(name => 'a');
my $run = RProxy::Server->new(modules => ['status'], config => <<"CONF");
ProxyStatus On
<Location /server-status>
    SetHandler server-status
</Location>
<Proxy balancer://empty>
    ProxySet nofailover=On
</Proxy>
ProxyPass /empty balancer://empty
<Proxy balancer://twice>
    BalancerMember @{[$b->url]} loadfactor=2 loadfactor=3
    BalancerMember @{[$b->url]} route=x redirect=none
</Proxy>
ProxyPass /twice balancer://twice
CONF
is get($run, '/empty/x')->status, 503, 'without members: 503';
like $run->error_log, qr/RP0240: balancer:\/\/empty: the balancer has no members/, 'and the log says why';
is get($run, '/twice/id/1')->status, 200, 'a member that is written twice works';
my $page = get($run, '/server-status?auto')->body;
my @names = $page =~ /Worker\[\d+\]Name: (.*)/g;
is scalar(@names), 1, 'and is one';
my $status = get($run, '/server-status')->body;
like $status, qr{<td>x</td><td>none</td><td>3\.00</td>}, 'with the parameters of both lines, the last ones';
for my $tag (qw(RP0722 RP0723 RP0724 RP0725)) {
    my $n = () = $run->error_log =~ /$tag: /g;
    is $n, 1, "$tag once in the log";
}
ok $run->graceful, 'a graceful restart';
is get($run, '/empty/x')->status, 503, 'the same afterwards';
my $n = () = $run->error_log =~ /RP0724: /g;
is $n, 2, 'and said once more';
is get($run, '/twice/id/1')->status, 200, 'requests go on';
($good, $text) = $s->configtest("ProxyPass /c balancer://Undefined/x\n<VirtualHost 127.0.0.1:1>\n</VirtualHost>");
ok $good, 'a balancer that is nowhere defined: taken' or diag $text;
$n = () = $text =~ /RP0726: .*test\.conf:\d+: balancer:\/\/undefined is not defined in this server/g;
is $n, 1, 'with one warning';
$run->stop;
