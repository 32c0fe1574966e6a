# SPDX-License-Identifier: Apache-2.0
# A connection that a child accepted just before it stops, and that the MPM had not counted yet: the last threads give it to a loop, and
# it gets its answers.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client;
use RProxy::Env qw(build_dir needs seconds wait_until);
use RProxy::Server;

plan tests => 6, need { needs(qw(rproxy mpm_event)) };

my $ms = 700;
$ENV{RP_CHAOS_CREATE_MS} = $ms;
my $backend = RProxy::Backend->new;
my $s       = RProxy::Server->new(threads => 8, config => <<"CONF");
LoadModule rp_chaos_module @{[build_dir()]}/t/chaos/.libs/mod_rp_chaos.so
ProxyPass / @{[$backend->url]}/
CONF

for my $round (1 .. 3) {
    wait_until(2 * $ms / 1000, sub { 0 }); # the look whether the server answers is over
    my $c = RProxy::Client->new($s);
    $c->send(join '', map {"GET /id/$_ HTTP/1.1\r\nHost: localhost\r\nX-Test-Id: r$round\r\n\r\n"} 1, 2);
    wait_until($ms / 3000, sub { 0 }); # it was accepted
    ok $s->graceful, "restart $round";
    is eval { $c->response->body } // "none: $@", "id 1 r$round\n", 'the request that came before it is answered';
}
