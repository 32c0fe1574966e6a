# SPDX-License-Identifier: Apache-2.0
# `max` is one limit for all loops, helpers and threads of a child: who has a permit gets a connection, although idle ones lie where he can
# not use them.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs now seconds);
use RProxy::Server;

plan tests => 16, need { needs(qw(rproxy mpm_event ssl socache_shmcb)) };

my %backends = (plain => RProxy::Backend->new, tls => RProxy::Backend->new(name => 'tls', tls => 'local'));
my $s = RProxy::Server->new(threads => 16, modules => [qw(socache_shmcb ssl)], config => <<"CONF");
RProxyEventThreads 3
SSLProxyEngine on
ProxyPass /plain @{[$backends{plain}->url]} max=2 acquire=8000
ProxyPass /tls   @{[$backends{tls}->tls_url]} max=2 acquire=8000
<Location ~ "/hand">
    RProxyLane blocking
</Location>
LogFormat "%{X-Test-Id}i %{rproxy-lane}n" lanes
CustomLog "__ROOT__/lanes" lanes
CONF

for my $scheme (qw(plain tls)) {
    my $backend = $backends{$scheme};
    my @c = map { RProxy::Client->new($s) } 1 .. 6; # over three loops
    my ($good, $slowest) = (0, 0);
    for my $n (1 .. 30) {
        my $began = now();
        my $c = $c[$n % 6];
        my $path = $n % 4 < 2 ? "/$scheme/hand" : "/$scheme/id/$n";
        $backend->script('/hand', qq{send "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"\n}) if $n == 1;
        $c->request('GET', $path, id => "$scheme$n");
        $good++ if $c->response->status == 200;
        my $took = now() - $began;
        $slowest = $took if $took > $slowest;
    }
    is $good, 30, "$scheme: loops and helpers in turn: all answered";
    cmp_ok $slowest, '<', seconds(4), "at once ($slowest s)";
    # one that makes room was shut down before the new one was opened, but the backend may accept first
    cmp_ok $backend->count('max_open'), '<=', 4, 'never more connections than max, but for as many that are just ending';
    ok $backend->await('open', '<=', 2, 10), 'and no more stay';

    my @many = map { RProxy::Client->new($s) } 1 .. 20;
    $many[$_]->request('GET', $_ % 2 ? "/$scheme/hand" : "/$scheme/id/$_") for 0 .. 19;
    is scalar(grep { $_->response->status == 200 } @many), 20, "$scheme: all at once: all answered";
    ok $backend->await('open', '<=', 2, 10), 'and no more connections stay than max';
    my $lanes = $s->_read('lanes');
    ok $lanes =~ /^\Q$scheme\E\d+ inline$/m && $lanes =~ /^\Q$scheme\E\d+ handoff$/m, 'on both lanes';
    unlike $s->error_log, qr/pool-timeout/, 'nobody waited in vain';
}
