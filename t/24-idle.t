# SPDX-License-Identifier: Apache-2.0
# Idle connections grow old although no request comes: they are closed within a second or two of their time.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs now);
use RProxy::Server;

my @mpms = qw(event prefork);
plan tests => 8 * @mpms, need {needs('rproxy', map { "mpm_$_" } @mpms)};

for my $mpm (@mpms) {
    my %b = map { $_ => RProxy::Backend->new(name => $_) } qw(ttl hint min plain);
    my %u = map { $_ => $b{$_}->url } keys %b;
    $b{hint}->script('/x', qq{recv body\nsend "HTTP/1.1 200 OK\\r\\nKeep-Alive: timeout=2\\r\\nContent-Length: 2\\r\\n\\r\\nok"\nhold\n});
    my $s = RProxy::Server->new(mpm => $mpm, config => <<"CONF");
ProxyPass /ttl   $u{ttl} ttl=1
ProxyPass /hint  $u{hint}
ProxyPass /min   $u{min} ttl=1 min=1
ProxyPass /plain $u{plain}
CONF
    my $start = now();
    is get($s, "/$_/x")->status, 200, "$mpm, $_: an answer" for qw(ttl hint min plain);
    ok $b{ttl}->await('open', '==', 0), "$mpm: an idle connection is closed when ttl is over";
    ok $b{hint}->await('open', '==', 0), "$mpm: and when the backend's own time is nearly over";
    cmp_ok now() - $start, '<', 8, "$mpm: soon";
    is join(' ', map { $b{$_}->count('open') } qw(min plain)), '1 1', "$mpm: what has time, or is the one that min keeps, stays";
}
