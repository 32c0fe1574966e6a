# SPDX-License-Identifier: Apache-2.0
# The page of metrics: who gets it, in which format, what promtool says of it, hostile names; sums over workers are those of the
# access log; what restarts and killed children leave.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client  qw(get);
use RProxy::Env     qw(needs temp_dir wait_until);
use RProxy::Metrics qw(promtool promtool_check openmetrics_check);
use RProxy::Server;

my $ab = grep { -x "$_/ab" } split /:/, $ENV{PATH};
plan tests => 50,
    need {(needs(qw(rproxy rproxy_balancer slotmem_shm)), 'promtool not found: install prometheus' => sub { promtool() },
        'ab not found: install apache2-utils' => sub { $ab })};

my ($a, $b) = map { RProxy::Backend->new(name => $_) } qw(a b);
my $dead = RProxy::Backend->new(name => 'dead');
$dead->refuse;
my $conf = <<"CONF";
MaxKeepAliveRequests 0
<Location /metrics>
    SetHandler rproxy-metrics
</Location>
ProxyPass /metrics !
<Proxy balancer://c>
    BalancerMember @{[$a->url]}
    BalancerMember @{[$b->url]} max=4
    BalancerMember @{[$dead->url]} retry=0
</Proxy>
ProxyPass /c balancer://c
<Proxy balancer://empty>
    BalancerMember @{[$dead->url]} status=+D
</Proxy>
ProxyPass /empty balancer://empty
ProxyPass /plain @{[$a->url]}
CONF
my $hostile = <<"CONF";
ProxyPass /h1 "http://127.0.0.1:1/a\\"b}\\\\nc{x=1}"
ProxyPass /h2 "http://127.0.0.1:2/\xff\xfegr\xc3\xbc\xc3\x9fe"
<VirtualHost 127.0.0.1:__PORT_v__>
    ServerName "v\\"host.test"
    ProxyPass /plain @{[$a->url]}
    ProxyPass /same @{[$a->url]} timeout=3
</VirtualHost>
Listen 127.0.0.1:__PORT_v__
CONF
my $s = RProxy::Server->new(modules => ['slotmem_shm'], processes => 2, threads => 8, config => $conf);

sub metrics { return RProxy::Metrics->new(get($s, '/metrics')->body) }

# --- the page ---
my $before = length $s->access_log;
my $page = get($s, '/metrics');
is $page->status, 200, 'it is there';
is $page->header('Content-Type'),  'text/plain; version=0.0.4; charset=utf-8', 'as text';
is $page->header('Cache-Control'), 'no-store', 'and not kept';
is $page->header('Vary'), 'Accept', 'the format depends on Accept';
my ($good, $said) = promtool_check($page->body);
ok $good, 'promtool has nothing to say against it' or diag($said);
my $open = get($s, '/metrics', headers => ['Accept', 'application/openmetrics-text; version=1.0.0, text/plain;q=0.5']);
is $open->header('Content-Type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8', 'OpenMetrics for who asks for it';
($good, $said) = openmetrics_check($open->body, temp_dir('metrics'));
ok $good, 'which promtool reads as well' or diag($said);
like $open->body, qr/\n# EOF\n\z/, 'to its end';
my ($text, $metrics) = map { RProxy::Metrics->new($_->body) } $page, $open;
is join(' ', map { s/_(?:total|info)$//r } $text->families), join(' ', $metrics->families), 'both have the same families';
my @without = grep { !defined $text->{help}{$_} } $text->families;
is "@without", '', 'each with its help';

my $head = RProxy::Client->new($s);
$head->request('HEAD', '/metrics', close => 1);
is $head->response(head => 1)->status, 200, 'HEAD';
for my $method (qw(POST PUT DELETE)) {
    my $c = RProxy::Client->new($s);
    $c->request($method, '/metrics', body => 'x', close => 1);
    my $r = $c->response;
    is $r->status, 405, "$method is refused";
    like $r->header('Allow'), qr/GET/, 'and GET named';
}
is get($s, '/other')->status, 404, 'nothing elsewhere';

# --- sums: 10000 requests of all kinds over 8 connections ---
my @paths = qw(/c/id/1 /c/id/1?status=404 /c/id/1?status=302 /plain/id/1 /plain/id/1?status=500 /empty/x /plain/id/1?status=204 /c/id/2);
my $load = join '', map { my $url = 'http://127.0.0.1:' . $s->port . $_; qx(ab -q -k -n 1260 -c 8 '$url' 2>&1) } @paths;
is scalar(() = $load =~ /^Complete requests: +1260$/mg), 8, '10000 requests' or diag($load);
# ab may have begun a few more when it has its 1260; and it takes a request for complete whose kept connection the MPM has closed before it,
# as it does when all its threads are busy
my (%logged, %under, $m);
sub read_log {
    %logged = %under = ();
    for (split /\n/, substr $s->access_log, $before) {
        my ($class, $where) = m{ (\d)\d\d \S+ \S+ \d+ "GET /(c|plain|empty)/} or next;
        $logged{"${class}xx"}++;
        $under{$where}++;
    }
    return ($under{c} // 0) + ($under{plain} // 0) + ($under{empty} // 0);
}
ok wait_until(10, sub { $m = metrics(); my $n = read_log(); $n >= 10000 && $m->sum('rproxy_requests_total') == $n }),
    'in the counters as many as in the access log' or diag($m->sum('rproxy_requests_total') . ' and ' . read_log());
is $m->sum('rproxy_requests_total', class => $_), $logged{$_} // 0, "as many $_" for qw(1xx 2xx 3xx 4xx 5xx);
is $m->sum('rproxy_requests_total', balancer => 'c'), $under{c}, 'as many for the members of a balancer';
is $m->sum('rproxy_requests_total', balancer => 'empty', worker => '-'), $under{empty}, 'as many that no member got';
is $m->sum('rproxy_requests_total', balancer => undef, worker => $a->url), $under{plain}, 'as many for a worker outside';
is $m->value('rproxy_attempts_total', balancer => 'c', worker => $_->url, reason => 'none'),
    $m->sum('rproxy_requests_total', balancer => 'c', worker => $_->url), 'a good try for each request' for $a, $b;
my $refused = $m->value('rproxy_attempts_total', worker => $dead->url, reason => 'connect-refused', balancer => 'c');
cmp_ok $refused, '>', 0, 'the member that is down was tried';
is $m->value('rproxy_failovers_total', worker => $dead->url, reason => 'connect-refused', balancer => 'c'), $refused, 'and left each time';
is $m->value('rproxy_attempt_seconds_count', balancer => 'c', worker => $a->url),
    $m->value('rproxy_attempts_total', balancer => 'c', worker => $a->url, reason => 'none'), 'each try was timed';
is $m->value('rproxy_pool_max_connections', worker => $b->url), 8, 'max= of two children';
is $m->value('rproxy_children'), scalar($s->children), 'two children';

# --- a graceful restart: a request of the old generation is still counted ---
my @plain = ('rproxy_requests_total', server => 'front.test', balancer => undef, worker => $a->url, class => '2xx');
my $plain = $m->value(@plain);
my $held = RProxy::Client->new($s);
$held->request('GET', '/plain/id/1?wait=go', close => 1);
ok wait_until(10, sub { metrics()->value('rproxy_in_flight_requests', balancer => undef, worker => $a->url) == 1 }), 'a request under way';
my @old = $s->children;
ok $s->graceful($conf . $hostile), 'a graceful restart';
$m = metrics();
is $m->value(@plain), $plain, 'counters go on';
is $m->value('rproxy_in_flight_requests', server => 'front.test', balancer => undef, worker => $a->url), 1, 'it is still under way';
$a->signal('go', '*');
is $held->response->status, 200, 'and ends';
ok wait_until(10, sub { metrics()->value(@plain) == $plain + 1 }), 'it is counted where all others are';
ok wait_until(10, sub { my %now = map { $_ => 1 } $s->children; !grep { $now{$_} } @old }), 'the old generation ends';

# --- names that want to be something else ---
$page = get($s, '/metrics');
($good, $said) = promtool_check($page->body);
ok $good, 'promtool reads hostile names' or diag($said);
$m = RProxy::Metrics->new($page->body);
my @named = grep { index($_, '\"b}') >= 0 } $m->labels('rproxy_requests_total', 'worker');
is scalar(@named), 1, 'a quote in a URL' or diag(join "\n", $m->labels('rproxy_requests_total', 'worker'));
is scalar(grep { /xff.*gr\xc3\xbc/ } $m->labels('rproxy_requests_total', 'worker')), 1, 'bytes that are no text'
    or diag(join "\n", $m->labels('rproxy_requests_total', 'worker'));
is scalar(grep { /host\.test/ } $m->labels('rproxy_requests_total', 'server')), 1, 'a virtual host'
    or diag(join "\n", $m->labels('rproxy_requests_total', 'server'));

# --- children are killed ---
my $sum = $m->sum('rproxy_requests_total');
my @held = map { my $c = RProxy::Client->new($s); $c->request('GET', '/plain/id/1?wait=later', close => 1); $c } 1 .. 3;
ok wait_until(10, sub { metrics()->sum('rproxy_in_flight_requests') == 3 }), 'three requests under way';
$s->{expect_crash} = 1;
my %killed = map { $_ => 1 } $s->children;
kill 'KILL', keys %killed;
ok wait_until(20, sub { my @now = $s->children; @now && !grep { $killed{$_} } @now }), 'all children are killed';
ok wait_until(10, sub { (eval { metrics()->sum('rproxy_in_flight_requests') } // -1) == 0 }), 'nothing is under way any more';
is metrics()->sum('rproxy_requests_total'), $sum, 'counters stay';
$a->signal('later', '*');
