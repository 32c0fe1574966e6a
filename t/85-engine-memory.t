# SPDX-License-Identifier: Apache-2.0
# What a client costs that waits, that is idle, or whose WebSocket is: measured when the memory has been in use before, as that of a busy
# server has. docs/internals/memory.md says what the bytes are.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client ();
use RProxy::Env    qw(needs wait_until kilobytes);
use RProxy::Server;

use constant CLIENTS => 300;

plan tests => 9, need { needs(qw(rproxy mpm_event)) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(threads => 8, config => <<"CONF");
RProxyEventLoop on
KeepAliveTimeout 60
ProxyPass /b  $url
ProxyPass /ws $url/ws upgrade=websocket
<Location />
    RProxyLane inline
</Location>
LogFormat "%{X-Test-Id}i %{rproxy-lane}n" lanes
CustomLog "__ROOT__/lanes" lanes
CONF

# Anonymous memory of all children, kilobytes.
sub memory {
    my $sum = 0;
    for my $pid ($s->children) {
        open my $h, '<', "/proc/$pid/status" or next;
        while (<$h>) { $sum += $1 if /^RssAnon:\s+(\d+)/; }
    }
    return $sum;
}

my $before;

# What each client costs; memory is given back a moment after the last event.
sub costs_at_most {
    my ($limit, $what) = @_;
    my $each = sub { return (memory() - $before) / CLIENTS };
    my $good = wait_until(10, sub { $each->() < kilobytes($limit) });
    ok $good, "$what: less than $limit KB each" or diag sprintf '%.1f KB', $each->();
    note sprintf '%s: %.1f KB each', $what, $each->();
    return;
}

# All of them ask at once, and have their answers.
sub round {
    my ($what, @clients) = @_;
    my $asked = $backend->count('requests');
    $clients[$_]->request('GET', "/b/id/$_?wait=$what", id => "$what$_") for 0 .. $#clients;
    $backend->await('requests', '>=', $asked + @clients, 10);
    $backend->signal($what, '*');
    return scalar grep { my $r = $clients[$_]->response; $r->status == 200 && $r->body eq "id $_ $what$_\n" } 0 .. $#clients;
}

{
    my @few = map { RProxy::Client->new($s) } 1 .. 20;
    is round('warm', @few), 20, 'the child is warm';
    $before = memory();
    my @clients = map { RProxy::Client->new($s) } 1 .. CLIENTS;
    is round('first', @clients), CLIENTS, 'all clients were answered';
    costs_at_most(16, 'idle clients');
    my $asked = $backend->count('requests');
    $clients[$_]->request('GET', "/b/id/$_?wait=second", id => "second$_") for 0 .. $#clients;
    ok $backend->await('requests', '>=', $asked + @clients, 10), 'all wait at once';
    costs_at_most(22, 'waiting requests');
    $backend->signal('second', '*');
    is scalar(grep { my $r = $clients[$_]->response; $r->status == 200 && $r->body eq "id $_ second$_\n" } 0 .. $#clients), CLIENTS,
        'each has its own answer';
    is scalar(() = $s->_read('lanes') =~ /^(?:first|second)\d+ inline$/mg), 2 * CLIENTS, 'all of them on the loop';
    $_->close for @clients, @few;
}

{
    wait_until(10, sub { memory() < $before + kilobytes(2000) });
    $before = memory();
    my @clients = map { RProxy::Client->new($s) } 1 .. CLIENTS;
    my @upgrade = (Upgrade => 'websocket', Connection => 'Upgrade', 'Sec-WebSocket-Version' => 13,
        'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==');
    $_->request('GET', '/ws/ws', headers => \@upgrade) for @clients;
    $_->response_head for @clients;
    my $echoing = sub {
        my $text = chr(0x82) . chr(0x86) . "\0\0\0\0" . 'quiet.';
        $_->send($text) for @clients;
        return scalar grep { $_->read_exact(8) eq chr(0x82) . chr(6) . 'quiet.' } @clients;
    };
    $echoing->();
    costs_at_most(24, 'tunnels');
    is $echoing->(), CLIENTS, 'all tunnels echo';
}
