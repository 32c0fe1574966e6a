# SPDX-License-Identifier: Apache-2.0
# Connections that were accepted are answered, also by a child that is about to end.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs now);
use RProxy::Server;

plan tests => 2, need { needs('rproxy') };

my $backend = RProxy::Backend->new;
my $server  = RProxy::Server->new(config => "ProxyPass / @{[$backend->url]}/\n");
my ($asked, $answered) = (0, 0);
for my $round (1 .. 6) {
    kill 'USR1', $server->{pid};
    my $until = now() + 0.7;
    while (now() < $until) {
        $asked++;
        my $r = eval { get($server, "/id/$asked") };
        $answered++ if $r && $r->status == 200 && $r->body eq "id $asked -\n";
    }
}
cmp_ok $asked, '>', 100, 'new connections while children come and go';
is $answered, $asked, 'each is answered';
