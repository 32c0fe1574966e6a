# SPDX-License-Identifier: Apache-2.0
# Connections that come, ask once and go: what they had serves the next ones, whether a loop or the MPM has closed them, and nothing of it
# piles up.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client ();
use RProxy::Env    qw(needs kilobytes);
use RProxy::Server;

use constant ROUND => 600;

plan tests => 9, need { needs(qw(rproxy mpm_event)) };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(threads => 8, config => <<"CONF");
RProxyEventLoop on
ProxyPass /b $url
Listen 127.0.0.1:__PORT_blocking__
<VirtualHost 127.0.0.1:__PORT_blocking__>
    RProxyLane blocking
    ProxyPass /b $url
</VirtualHost>
CONF
my ($child) = $s->children;

# Pages that the child took from the system until now.
sub faults {
    open my $h, '<', "/proc/$child/stat" or die "$child is gone";
    my ($fields) = <$h> =~ /\) (.*)/;
    return (split ' ', $fields)[7];
}

sub memory {
    open my $h, '<', "/proc/$child/status" or die "$child is gone";
    return (grep { s/^RssAnon:\s+(\d+).*/$1/s } <$h>)[0];
}

# How many of so many connections, one by one, had their answers.
sub ask {
    my ($n, @where) = @_;
    my $good = 0;
    for my $id (1 .. $n) {
        my $c = RProxy::Client->new($s, @{$where[$id % @where]});
        $c->request('GET', "/b/id/$id", id => "c$id");
        $good++ if $c->response->body eq "id $id c$id\n";
        $c->close;
    }
    return $good;
}

sub few_pages {
    my ($what, @where) = @_;
    my ($faults, $memory) = (faults(), memory());
    is ask(ROUND, @where), ROUND, "$what: all are answered";
    my $each = 4 * (faults() - $faults) / ROUND;
    cmp_ok $each, '<', kilobytes(10), "$what: what each takes from the system";
    note sprintf '%s: %.1f KB each', $what, $each;
    cmp_ok memory() - $memory, '<', kilobytes(2000), "$what: nothing piles up";
    return;
}

ask(200, [], [port => 'blocking']); # it is warm
few_pages('on a loop', []);
few_pages('on threads', [port => 'blocking']);
few_pages('in turns', [], [port => 'blocking']);
