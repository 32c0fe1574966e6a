# SPDX-License-Identifier: Apache-2.0
# Exchanges under way: on the page, in the API, in mod_status; what ended is gone, also when its child was killed.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;

plan tests => 53, need {needs(qw(rproxy rproxy_balancer slotmem_shm authz_host status))};

my $b = RProxy::Backend->new(name => 'a');
my $far = RProxy::Backend->new(name => 'far');
my $s = RProxy::Server->new(any_lane => 'the view of loops is a part of it', modules => [qw(slotmem_shm authz_host status rewrite)], processes => 2, threads => 4, config => <<"CONF");
ProxyStatus On
<Proxy balancer://one>
    BalancerMember @{[$b->url]} retry=5
    ProxySet timeout=60 forcerecovery=Off
</Proxy>
ProxyPass /one balancer://one
ProxyPass /plain @{[$b->url]}
RewriteEngine On
RewriteRule ^/any/(.*) @{[$far->url]}/\$1 [P]
__API__
__MANAGER__
<Location /status>
    SetHandler server-status
</Location>
Listen 127.0.0.1:__PORT_other__
<VirtualHost 127.0.0.1:__PORT_other__>
    ServerName other.test
    ProxyPassInherit Off
    BalancerInherit Off
    ProxyPass /mine @{[$b->url]}
    <Location /rproxy>
        SetHandler rproxy-api
        Require local
    </Location>
</VirtualHost>
Listen 127.0.0.1:__PORT_heir__
<VirtualHost 127.0.0.1:__PORT_heir__>
    ServerName heir.test
</VirtualHost>
CONF

sub flights { my (%opt) = @_; return JSON::PP->new->decode(get($s, '/rproxy/v1/in-flight', %opt)->body)->{in_flight} }

sub under_way {
    my ($n) = @_;
    return wait_until(15, sub { @{flights()} == $n });
}

my @slow = map { my $c = RProxy::Client->new($s); $c->request(GET => "/one/x?wait=go$_"); $c } 1 .. 2;
ok under_way(2), 'two under way';
my $all = flights();
is $all->[0]{vhost},    'front.test', 'virtual host';
is $all->[0]{balancer}, 'one',        'balancer';
is $all->[0]{member},   $b->url,      'member';
is $all->[0]{worker},   $b->url,      'which is the worker';
is $all->[0]{step},     'waits for the answer', 'step';
like $all->[0]{request}, qr{^GET /one/x\?wait=go\d HTTP/1\.1$}, 'request';
ok((grep { $_ == $all->[0]{pid} } $s->children), 'process');
cmp_ok $all->[0]{age_s}, '>=', $all->[1]{age_s}, 'oldest first';
is scalar @{flights(port => 'other')}, 0, 'another virtual host does not see them';
my $page = get($s, '/balancer-manager')->body;
like $page, qr{Exchanges under way: 2</h2>}, 'on the page';
like $page, qr{<td>GET /one/x\?wait&#61;go1 HTTP/1\.1</td><td>one</td><td>http://127\.0\.0\.1:\d+</td><td>waits for the answer</td>}, 'with what it does';
unlike get($s, '/balancer-manager', port => 'other')->body, qr/under way: [1-9]/, 'not on that of another virtual host';
like get($s, '/status')->body, qr{Exchanges under way: 2</h2>}, 'in mod_status';
like get($s, '/status?auto')->body, qr{^ProxyExchangesUnderWay: 2$}m, 'in mod_status for programs';

# one is killed with its child, the other one goes on
my ($pid) = map { $_->{pid} } @$all;
my $mine = grep { $_->{pid} == $pid } @$all;
kill 'KILL', $pid;
$s->{expect_crash} = 1;
ok under_way(2 - $mine), 'those of a dead child are gone';
$_->abort for @slow;
ok under_way(0), 'and what ended';

# waiting for a member
$b->refuse;
$b->drop;
is get($s, '/one/x')->status, 503, 'the only member goes into error';
my $waiting = RProxy::Client->new($s);
$waiting->request(GET => '/one/x');
ok wait_until(15, sub { my $f = flights(); @$f && $f->[0]{step} =~ /waits for a member/ }), 'one that waits for a member';
is flights()->[0]{member}, undef, 'is at none';
$b->listen;
is $waiting->response->status, 200, 'its retry time is over';
ok under_way(0), 'and so is it';

# text of a client is harmless
my $evil = RProxy::Client->new($s);
$evil->send("GET /one/x?wait=go3&<b>'\"& HTTP/1.1\r\nHost: x\r\n\r\n");
ok under_way(1), 'markup in a request';
unlike get($s, '/balancer-manager')->body, qr/<b>/, 'is no markup on the page';
like get($s, '/balancer-manager')->body, qr/&#38;&#60;b&#62;&#39;&#34;&#38;/, 'but shown';
unlike get($s, '/status')->body, qr/<b>.&quot;|&<b>/, 'nor in mod_status';
$evil->abort;
ok under_way(0), 'over';

# exchanges without a balancer, and who sees them
sub started {
    my ($path, %opt) = @_;
    my $c = RProxy::Client->new($s, %opt);
    $c->request(GET => $path);
    return $c;
}
sub requests { my (%opt) = @_; return join ' ', sort map { $_->{request} =~ m{^GET (/\w+)} } @{flights(%opt)} }

my @plain = (started('/plain/x?wait=go4'), started('/any/x?wait=go5'), started('/mine/x?wait=go6', port => 'other'), started('/plain/heir?wait=go7', port => 'heir'));
ok wait_until(15, sub { get($s, '/status?auto')->body =~ /^ProxyExchangesUnderWay: 4$/m }), 'mod_status counts those of all virtual hosts';
is requests(), '/any /plain /plain', 'a worker, [P], and an inherited worker';
is requests(port => 'other'), '/mine', 'another virtual host sees its own';
is requests(port => 'heir'),  '/plain /plain', 'one that inherits the worker sees who uses that, but not [P] of others';
my %by = map { $_->{request} =~ m{^GET (/\w+)}; ($1 . $_->{vhost} => $_) } @{flights()};
my $one = $by{'/plainfront.test'};
is $one->{worker},   $b->url, 'its worker';
is $one->{balancer}, undef,   'no balancer';
is $one->{member},   undef,   'no member';
is $one->{step},     'waits for the answer', 'what it does';
is $by{'/plainheir.test'}{vhost}, 'heir.test', 'its virtual host';
is $by{'/anyfront.test'}{worker}, $far->url . '/x?wait=go5', 'the destination of [P]';
like get($s, '/balancer-manager')->body, qr{/plain/x.*?</td><td></td><td>http://127}, 'on the page';
my $status = get($s, '/status')->body;
like $status, qr{GET /$_/}, "mod_status shows $_" for qw(plain any mine);

# pools and loops of all children
my $api = sub { JSON::PP->new->decode(get($s, "/rproxy/v1/$_[0]")->body) };
my ($pool) = grep { ($_->{worker} // '') eq $b->url } @{$api->('pools')->{pools}};
is $pool->{in_flight}, 2, 'two connections are in use by the worker';
is scalar @{$pool->{processes}}, 2, 'of two processes';
my $sum = 0;
$sum += $_->{in_flight} for @{$pool->{processes}};
is $sum, 2, 'which have them';
is_deeply [sort map { $_->{pid} } @{$pool->{processes}}], [sort $s->children], 'and are those of the server';
ok((grep { ($_->{balancer} // '') eq 'one' } @{$api->('pools')->{pools}}), 'members have pools');
my $loops = $api->('loops')->{loops};
is_deeply [sort map { $_->{pid} } @$loops], [sort $s->children], 'loops of each process';
cmp_ok eval { my $n = 0; $n += $_->{connections} for @$loops; $n }, '>=', 4, 'which own the connections';

# a graceful restart: the old children are still seen
ok $s->graceful, 'graceful restart';
is requests(), '/any /plain /plain', 'what the old generation has under way';
($pool) = grep { ($_->{worker} // '') eq $b->url } @{$api->('pools')->{pools}};
is $pool->{in_flight}, 2, 'its connections';
$_->abort for @plain;
ok wait_until(15, sub { get($s, '/status?auto')->body =~ /^ProxyExchangesUnderWay: 0$/m }), 'all ended';
($pool) = grep { ($_->{worker} // '') eq $b->url } @{$api->('pools')->{pools}};
is $pool->{in_flight}, 0, 'and no connection is in use';
