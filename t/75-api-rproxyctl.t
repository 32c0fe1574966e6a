# SPDX-License-Identifier: Apache-2.0
# rproxyctl: each command, what it prints, how it ends when something is wrong.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs top_dir wait_until);
use RProxy::Port qw(free_port);
use RProxy::Server;

plan tests => 38, need {needs(qw(rproxy rproxy_balancer slotmem_shm authz_host auth_basic authn_core authn_file authz_user))};

my %b = map { $_ => RProxy::Backend->new(name => $_) } qw(a b c);
my %u = map { $_ => $b{$_}->url } keys %b;
my $s = RProxy::Server->new(modules => [qw(slotmem_shm authz_host auth_basic authn_core authn_file authz_user)], start => 0);
$s->write_file('users', 'op:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=' . "\n"); # password
$s->start(<<"CONF") or die $s->stderr;
<Proxy balancer://one>
    BalancerMember $u{a} route=a
    BalancerMember $u{b} route=b
    ProxySet growth=1
</Proxy>
ProxyPass /one balancer://one
__API__
<Location /secret>
    SetHandler rproxy-api
    AuthType Basic
    AuthName x
    AuthUserFile __ROOT__/users
    Require valid-user
</Location>
CONF

delete @ENV{qw(http_proxy HTTP_PROXY all_proxy ALL_PROXY)};
$ENV{RPROXYCTL_URL} = $s->url('/rproxy');

# What a call says, and how it ends.
sub ctl {
    my (@args) = @_;
    open my $out, '-|', 'sh', '-c', 'exec 2>&1; exec "$@"', 'sh', $^X, top_dir() . '/scripts/rproxyctl', @args or die "sh: $!\n";
    my $text = do { local $/; <$out> };
    close $out;
    return ($? >> 8, $text // '');
}

sub ctl_is {
    my ($name, $args, $status, $pattern) = @_;
    my ($got, $text) = ctl(@$args);
    is $got, $status, "$name: exit $status";
    like $text, $pattern, "$name: what it says";
    return;
}

sub kinds { my %seen = map { ((get($s, '/one/x')->header('X-Backend') // '-') => 1) } 1 .. 20; return join ' ', sort keys %seen }

ctl_is 'list', ['list'], 0, qr/^one  \(byrequests, 2 of 3 places\)\n  \Q$u{a}\E +usable +load 1 +set 0 .* route=a\n/;
ctl_is 'show', ['show', 'one', $u{a}], 0, qr/"route" : "a"/;
ctl_is 'a part of a URL that both have', ['show', 'one', '127.0.0.1'], 1, qr/more than one member .* there are: /;
ctl_is 'dry run', ['--dry-run', 'disable', 'one', $u{a}], 0, qr/^would change:\n  disabled: off -> on$/m;
is kinds(), 'a b', 'nothing was done';
ctl_is 'disable', ['disable', 'one', $u{a}, '--reason=night'], 0, qr/^changed:\n  disabled: off -> on$/m;
is kinds(), 'b', 'disabled';
ctl_is 'events', ['events'], 0, qr/night/;
ctl_is 'enable', ['enable', 'one', $u{a}], 0, qr/disabled: on -> off/;
is kinds(), 'a b', 'enabled';
ctl_is 'drain', ['drain', 'one', $u{b}, 600], 0, qr/\Q$u{b}\E: draining for (?:600|599) s/;
is kinds(), 'a', 'draining';
ctl_is 'undrain', ['undrain', 'one', $u{b}], 0, qr/draining: on -> off/;
ctl_is 'set', ['set', 'one', $u{b}, 'loadfactor=2.5', 'route=5', 'hot_standby=on'], 0, qr/loadfactor: 1 -> 2\.5\n  route: b -> 5\n  hot_standby: off -> on/;
ctl_is 'set of a balancer', ['set', 'one', 'lbmethod=bytraffic', 'nofailover=on'], 0, qr/lbmethod: byrequests -> bytraffic/;
ctl_is 'out of range', ['set', 'one', 'timeout_s=9999'], 1, qr/timeout_s: .*from 0 to 7200/;
ctl_is 'add', ['add', 'one', $u{c}, 'route=c'], 0, qr/^added: \Q$u{c}\E \([0-9a-f]{16}\)$/;
ctl_is 'remove', ['remove', 'one', $u{c}], 0, qr/^removed: \Q$u{c}\E$/;
ctl_is 'no such command', ['lisst'], 2, qr/no command "lisst"/;
is((ctl('--url=http://127.0.0.1:' . free_port(), 'list'))[0], 3, 'nobody answers: exit 3');
is((ctl('--url=' . $s->url('/secret'), 'list'))[0], 1, 'without a password');
$ENV{RPROXYCTL_PASSWORD} = 'password';
ctl_is 'with a password', ['--url=' . $s->url('/secret'), '--user=op', 'disable', 'one', $u{a}], 0, qr/disabled: off -> on/;
