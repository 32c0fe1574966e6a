# SPDX-License-Identifier: Apache-2.0
# What mod_status says of requests whose connections an event loop owns.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs);
use RProxy::Server;

plan tests => 3, need { needs('rproxy', 'status') };

my $backend = RProxy::Backend->new;
my $server  = RProxy::Server->new(modules => ['status'], config => <<"CONF");
ProxyPass /p @{[$backend->url]}
ExtendedStatus On
<Location /status>
    SetHandler server-status
</Location>
CONF

get($server, '/p/bytes/2048') for 1 .. 7;
get($server, '/index.html') for 1 .. 3;
my $text = get($server, '/status?auto')->body;
like $text, qr/^Total Accesses: 10$/m, 'requests that ran inline and on helpers are counted';
my ($kb) = $text =~ /^Total kBytes: (\d+)$/m;
cmp_ok $kb, '>=', 14, 'and their bytes';
like $text, qr/^IdleWorkers: 25$/m, 'the loop does not count as a worker of the MPM';
