# SPDX-License-Identifier: Apache-2.0
# A graceful restart takes no connection away from a client whose first request is still to come, or is there and not yet read.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;

my $many = 6;
plan tests => 2 * (2 * $many + 4), need {needs('rproxy')};

my $backend = RProxy::Backend->new;
for my $loop ('', 'RProxyEventLoop Off') {
    my $name = $loop || 'default';
    # connections are accepted before there is a byte
    my $s = RProxy::Server->new(processes => 2, threads => 16, config => <<"CONF");
AcceptFilter http none
$loop
ProxyPass /b @{[$backend->url]}
CONF
    my $kept = RProxy::Client->new($s);
    $kept->request('GET', '/b/id/0');
    is $kept->response->status, 200, "$name: a connection that is kept";
    my @fresh = map { RProxy::Client->new($s) } 1 .. 2 * $many;
    is get($s, '/b/id/1')->status, 200, 'those before it were accepted';
    my @old = $s->children;
    ok $s->graceful, 'a graceful restart';
    for my $n (0 .. $#fresh) {
        $fresh[$n]->request('GET', "/b/id/$n");
        my $r = $fresh[$n]->response;
        is $r->body, "id $n -\n", 'a first request behind the restart' or diag $r->{error};
    }
    $_->close for @fresh, $kept;
    ok wait_until(20, sub { my %now = map { $_ => 1 } $s->children; !grep { $now{$_} } @old }), 'and the old children end';
}
