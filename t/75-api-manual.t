# SPDX-License-Identifier: Apache-2.0
# Every curl line of the manual's page about the API works as it stands, and every resource and method has one.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs top_dir);
use RProxy::Server;

open my $in, '<', top_dir() . '/docs/manual/api.md' or die "api.md: $!\n";
my @lines = map { /^(curl .*)/ ? $1 : () } <$in>;
my %missing = map { $_ => 1 } 'GET /v1', 'GET /v1/balancers', 'GET /v1/balancers/NAME', 'GET /v1/balancers/NAME/members',
    'GET /v1/balancers/NAME/members/ID', 'GET /v1/pools', 'GET /v1/loops', 'GET /v1/health', 'GET /v1/events', 'GET /v1/in-flight', 'PATCH /v1/balancers/NAME',
    'PATCH /v1/balancers/NAME/members/ID', 'POST /v1/balancers/NAME/members', 'DELETE /v1/balancers/NAME/members/-',
    'POST /v1/balancers/NAME/members/ID/drain', 'DELETE /v1/balancers/NAME/members/ID/drain';

plan tests => @lines + 1, need {needs(qw(rproxy rproxy_balancer slotmem_shm authz_host))};

my $b = RProxy::Backend->new(name => 'a');
my $s = RProxy::Server->new(modules => [qw(slotmem_shm authz_host)], config => <<"CONF");
<Proxy balancer://myset>
    BalancerMember @{[$b->url]}
    ProxySet growth=1
</Proxy>
ProxyPass /app balancer://myset
<Location "/rproxy">
    SetHandler rproxy-api
    Require local
</Location>
CONF
my $id   = JSON::PP->new->decode(get($s, '/rproxy/v1/balancers/myset/members')->body)->{members}[0]{id};
my $port = $s->port;
for my $line (@lines) {
    my ($method) = $line =~ /-X (\w+)/;
    my ($path)   = $line =~ m{localhost/rproxy(/v1[^'? ]*)};
    delete $missing{($method // 'GET') . " $path"};
    $line =~ s{//localhost/}{//127.0.0.1:$port/};
    $line =~ s{/NAME}{/myset};
    $line =~ s{members/ID}{members/$id};
    my $said = `$line -w '%{http_code}' 2>&1`;
    like $said, qr/^\{.*\}\s*20[01]$/s, $line;
}
is join(', ', sort keys %missing), '', 'each resource has a line';
