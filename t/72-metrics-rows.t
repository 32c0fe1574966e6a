# SPDX-License-Identifier: Apache-2.0
# Every metric of the page is moved here by a known amount. A metric without its test makes the last one fail.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs wait_until);
use RProxy::Metrics;
use RProxy::Server;

plan tests => 103, need {needs(qw(rproxy rproxy_balancer slotmem_shm))};

my $b    = RProxy::Backend->new(name => 'b');
my $url  = $b->url;
my $dead = RProxy::Backend->new(name => 'dead');
$dead->refuse;
my $checked = RProxy::Backend->new(name => 'checked');
my $s = RProxy::Server->new(any_lane => 'the loop has rows of its own', modules => ['slotmem_shm'], threads => 12, config => <<"CONF");
<Location /metrics>
    SetHandler rproxy-metrics
</Location>
ProxyPass /metrics !
ProxyPass /one $url/1 max=1 ttl=60
ProxyPass /ws ws://127.0.0.1:@{[$b->port]}/ws
ProxyPass /p/ $url/
ProxyPass /hand $url
<Location /hand>
    RProxyLane handoff
</Location>
Listen 127.0.0.1:__PORT_block__
<VirtualHost 127.0.0.1:__PORT_block__>
    RProxyLane blocking
</VirtualHost>
<Proxy balancer://c>
    BalancerMember @{[$dead->url]} retry=0 lbset=0
    BalancerMember $url/id lbset=1
</Proxy>
ProxyPass /c balancer://c
<Proxy balancer://m>
    BalancerMember $url/id loadfactor=2.5 lbset=3 status=+NH
    BalancerMember @{[$dead->url]} loadfactor=7 retry=300
    BalancerMember @{[$checked->url]} status=+D hcmethod=GET hcuri=/id/hc hcinterval=100ms
</Proxy>
ProxyPass /m balancer://m
CustomLog "|$^X -ne 1" "%{X-Pad}i" "expr=-n req('X-Pad')"
RProxyLogBuffer 7000
CONF
my %tested;

sub page { return RProxy::Metrics->new(get($s, '/metrics')->body) }
my %p = (worker => "$url/", balancer => undef);
sub value { my ($name, @of) = @_; return page()->value($name, @of) // 0 }

# The metric moves by n, and not further, when the code runs.
sub moves {
    my ($n, $what, $code) = @_;
    my ($name, @of) = @$what;
    @of = %p if !@of;
    $tested{$name =~ s/_(?:count|sum|bucket)$//r} = 1;
    my $before = value($name, @of);
    my $title  = join ' ', $name, map { $_ // '' } @of;
    my $got    = eval { $code->() };
    diag("$title: $@") if $@;
    ok wait_until(5, sub { abs(value($name, @of) - $before - $n) < 1e-9 }), "$title by $n"
        or diag('it moved by ' . (value($name, @of) - $before));
    return $got;
}

sub is_now {
    my ($n, $name, @of) = @_;
    $tested{$name} = 1;
    @of = %p if !@of;
    return ok wait_until(5, sub { value($name, @of) == $n }), "$name is $n" || diag('it is ' . value($name, @of));
}

sub ask { my ($path, %opt) = @_; return sub { return get($s, $path, %opt)->status } }
sub ask_held { my ($path) = @_; my $c = RProxy::Client->new($s); $c->request('GET', $path, close => 1); return $c }
sub no_idle { $b->command('idle close'); return $b->await('open', '==', 0) }

# --- the server ---
is page()->value('rproxy_build_info', version => '0.1.0'), 1, 'rproxy_build_info';
my $httpd = readlink "/proc/$s->{pid}/exe"; # its children are log programs, too: that of the first reading may still end
is_now(scalar(grep { (readlink("/proc/$_/exe") // '') eq $httpd } $s->children), 'rproxy_children', worker => undef);
my $scrapes = page()->value('rproxy_scrapes_total');
is page()->value('rproxy_scrapes_total'), $scrapes + 1, 'rproxy_scrapes_total by one a page';
$tested{$_} = 1 for qw(rproxy_build_info rproxy_scrapes_total);

# --- event loops ---
my $own = value('rproxy_client_connections', worker => undef); # the connection that asks
cmp_ok $own, '<=', 2, 'few connections';
my @open = map { my $c = RProxy::Client->new($s); $c->request('GET', '/p/id/1'); $c->response; $c } 1 .. 5;
is_now($own + 5, 'rproxy_client_connections', worker => undef);
$_->close for @open;
is_now($own, 'rproxy_client_connections', worker => undef);
my $taken = value('rproxy_client_connections_taken_total', worker => undef);
is value('rproxy_client_connections_taken_total', worker => undef), $taken + 1, 'rproxy_client_connections_taken_total by one: the next that asks';
my ($turns, $busy) = map { value($_, worker => undef) } qw(rproxy_loop_turn_seconds_count rproxy_loop_turn_seconds_sum);
my $c = RProxy::Client->new($s);
for (1 .. 50) { $c->request('GET', '/p/id/1'); $c->response }
cmp_ok value('rproxy_loop_turn_seconds_count', worker => undef), '>=', $turns + 50, 'rproxy_loop_turn_seconds by one or more for each request';
my $spent = value('rproxy_loop_turn_seconds_sum', worker => undef) - $busy;
ok $spent > 50e-6 && $spent < 30, 'rproxy_loop_turn_seconds by the time of 50 requests' or diag($spent);
cmp_ok value('rproxy_loop_slow_turns_total', worker => undef), '<=', value('rproxy_loop_turn_seconds_count', worker => undef) / 10, 'rproxy_loop_slow_turns_total: few';
$tested{"rproxy_$_"} = 1 for qw(client_connections_taken_total loop_turn_seconds loop_slow_turns_total);
for my $case (['inline', '/p/id/1'], ['handoff', '/hand/id/1'], ['blocking', '/p/id/1', port => 'block']) {
    my ($lane, @how) = @$case;
    moves($_ eq $lane ? 1 : 0, ['rproxy_lane_requests_total', worker => undef, lane => $_], ask(@how)) for qw(inline handoff blocking);
}

# --- logs to programs: lines that no pipe takes in one piece wait, if they may ---
my @server = (worker => undef);
moves(1, ['rproxy_log_lines_waited_total', @server], ask('/p/id/1', headers => ['X-Pad' => 'x' x 5000]));
moves(0, ['rproxy_log_lines_waited_total', @server], ask('/p/id/1', headers => ['X-Pad' => 'x' x 10]));
moves(1, ['rproxy_log_lines_lost_total', @server], ask('/p/id/1', headers => ['X-Pad' => 'x' x 7500]));

# --- requests ---
for my $status (200, 302, 404, 503) {
    my $class = int($status / 100) . 'xx';
    moves(1, ['rproxy_requests_total', %p, class => $class], ask("/p/id/1?status=$status"));
}
$b->script('/ws/up', "recv body\nsend \"HTTP/1.1 101 Go\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\nhello\"\nclose");
my @ws = (balancer => undef, worker => 'ws://127.0.0.1:' . $b->port . '/ws');
moves(1, ['rproxy_requests_total', @ws, class => '1xx'], sub {
    my $c = RProxy::Client->new($s);
    $c->request('GET', '/ws/up', headers => [Connection => 'Upgrade', Upgrade => 'websocket', 'Sec-WebSocket-Version' => 13, 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==']);
    $c->read_until(qr/hello/);
});
moves(0, ['rproxy_requests_total', %p, class => '2xx'], ask("/p/id/1?status=$_")) for 302, 503;
moves(1, ['rproxy_requests_total', worker => '-', balancer => undef, class => '4xx'],
    sub { my $c = RProxy::Client->new($s); $c->request('OPTIONS', '/p/', headers => ['Max-Forwards', 'x']); $c->response->status });

# --- tries, resends, failovers ---
moves(1, ['rproxy_attempts_total', %p, reason => 'none'], ask('/p/id/1'));
$b->raw_answer('/bad', "HTTP/1.1 2x0 ?\r\n\r\n");
moves(1, ['rproxy_attempts_total', %p, reason => 'bad-head'], ask('/p/bad'));
is get($s, '/p/bad')->status, 502, 'a bad answer';
moves(0, ['rproxy_attempts_total', %p, reason => 'none'], ask('/p/bad'));
sub resend {
    no_idle();
    get($s, '/p/id/0');
    $b->await('idle', '==', 1);
    $b->script('/again', nth => 1, "recv body\nclose");
    my $status = get($s, '/p/again?status=200')->status;
    $b->clear;
    return $status;
}
is moves(1, ['rproxy_resends_total', %p, reason => 'closed-before-head'], \&resend), 200, 'a request that was sent again';
moves(1, ['rproxy_attempts_total', %p, reason => 'closed-before-head'], \&resend);
moves(1, ['rproxy_requests_total', %p, class => '2xx'], sub { no_idle(); get($s, '/p/id/0') });
my @dead = (balancer => 'c', worker => $dead->url);
my @good = (balancer => 'c', worker => "$url/id");
is moves(1, ['rproxy_failovers_total', @dead, reason => 'connect-refused'], ask('/c/1')), 200, 'another member answers';
moves(1, ['rproxy_attempts_total', @dead, reason => 'connect-refused'], ask('/c/1'));
moves(0, ['rproxy_requests_total', @dead, class => '2xx'], ask('/c/1'));
moves(1, ['rproxy_requests_total', @good, class => '2xx'], ask('/c/1'));

# --- now ---
my @held = map { ask_held("/p/id/1?wait=now") } 1 .. 3;
is_now(3, 'rproxy_in_flight_requests');
is_now(3, 'rproxy_pool_used_connections');
$b->signal('now', 3);
$_->response for @held;
is_now(0, 'rproxy_in_flight_requests');
is_now(0, 'rproxy_pool_used_connections');

# --- bytes ---
no_idle();
my $answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" . 'x' x 1000;
$b->raw_answer('/bytes', $answer);
moves(length $answer, ['rproxy_received_bytes_total'], ask('/p/bytes'));
$b->reset;
my $sent = value('rproxy_sent_bytes_total', %p);
$c = RProxy::Client->new($s);
$c->request('POST', '/p/echo', body => 'y' x 5000, close => 1);
is $c->response->status, 200, 'a body';
my $last = $b->last_request;
$tested{rproxy_sent_bytes_total} = 1;
ok wait_until(5, sub { value('rproxy_sent_bytes_total', %p) == $sent + length($last->{head}) + 5000 }), 'rproxy_sent_bytes_total by head and body'
    or diag(value('rproxy_sent_bytes_total', %p) - $sent, ' of ', length($last->{head}) + 5000);

# --- times ---
no_idle();
moves(1, ['rproxy_connect_seconds_count'],    ask('/p/id/1'));
moves(0, ['rproxy_connect_seconds_count'],    ask('/p/id/1'));
moves(1, ['rproxy_first_byte_seconds_count'], ask('/p/id/1'));
moves(1, ['rproxy_attempt_seconds_count'],    ask('/p/id/1'));
moves(0, ['rproxy_attempt_seconds_count'],    sub { $b->raw_answer('/none', ''); get($s, '/p/none')->status });
moves(1, ['rproxy_attempt_seconds_bucket', %p, le => '+Inf'], ask('/p/id/1'));
sub slow { # the answer begins 0.3 s after the request
    my $held = ask_held('/p/id/1?wait=slow');
    $b->await('busy', '==', 1);
    select undef, undef, undef, 0.3;
    $b->signal('slow');
    return $held->response->status;
}
my %before = map { $_ => value("rproxy_${_}_seconds_sum", %p) } qw(first_byte attempt connect);
moves(0, ['rproxy_first_byte_seconds_bucket', %p, le => '0.25'], \&slow);
my %took = map { $_ => value("rproxy_${_}_seconds_sum", %p) - $before{$_} } keys %before;
cmp_ok $took{first_byte}, '>=', 0.299, 'rproxy_first_byte_seconds_sum by what the backend took';
cmp_ok $took{first_byte}, '<', 30, 'in seconds';
cmp_ok $took{attempt}, '>=', $took{first_byte} - 0.0001, 'rproxy_attempt_seconds_sum by no less';
cmp_ok $took{connect}, '<', 0.25, 'rproxy_connect_seconds_sum does not have it';

# --- a worker with one connection ---
my @one = (balancer => undef, worker => "$url/1");
is_now(1, 'rproxy_pool_max_connections', @one);
is page()->value('rproxy_pool_max_connections', %p), undef, 'no limit, no line';
moves(1, ['rproxy_pool_wait_seconds_count', @one], sub {
    my $first = ask_held('/one?wait=turn');
    $b->await('busy', '==', 1);
    my $second = ask_held('/one');
    is_now(1, 'rproxy_pool_waiting_requests', @one);
    is_now(2, 'rproxy_in_flight_requests', @one);
    is_now(1, 'rproxy_pool_used_connections', @one);
    $b->signal('turn');
    $_->response for $first, $second;
});
is_now(0, 'rproxy_pool_waiting_requests', @one);
cmp_ok value('rproxy_pool_wait_seconds_sum', @one), '>', 0, 'rproxy_pool_wait_seconds_sum';
moves(0, ['rproxy_pool_wait_seconds_count', @one], ask('/one'));

# --- connections ---
no_idle();
get($s, '/p/id/1?close=1'); # finds what is closed
is_now(0, 'rproxy_pool_idle_connections');
moves(1, ['rproxy_connections_opened_total'], ask('/p/id/1'));
is_now(1, 'rproxy_pool_idle_connections');
moves(0, ['rproxy_connections_opened_total'], ask('/p/id/1'));
moves(1, ['rproxy_connections_reused_total'], ask('/p/id/1'));
moves(1, ['rproxy_connections_closed_total'], ask('/p/id/1?close=1'));
moves(1, ['rproxy_connections_refused_total', %p, reason => 'close-asked'], ask('/p/id/1?close=1'));
$b->raw_answer('/more', "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxyz");
moves(1, ['rproxy_connections_refused_total', %p, reason => 'extra-bytes'], ask('/p/more'));

# --- members, as their balancer knows them ---
my @ready = (balancer => 'm', worker => "$url/id");
my @lost  = (balancer => 'm', worker => $dead->url);
my @check = (balancer => 'm', worker => $checked->url);
is_now(1, 'rproxy_member_usable', @lost);
is_now(0, 'rproxy_member_state', @lost, flag => 'in_error');
moves(1, ['rproxy_member_errors_total', @lost], ask('/m/1'));
is_now(0, 'rproxy_member_usable', @lost);
is_now(1, 'rproxy_member_state', @lost, flag => 'in_error');
is_now(0, 'rproxy_member_usable', @check);
is_now(1, 'rproxy_member_usable', @ready);
for my $flag (qw(drain hot_standby disabled stopped ignore_errors check_failed hot_spare)) {
    is_now($flag =~ /drain|standby/ ? 1 : 0, 'rproxy_member_state', @ready, flag => $flag);
}
is_now(1, 'rproxy_member_state', @check, flag => 'disabled');
moves(1, ['rproxy_member_elected_total', @good], ask('/c/1'));
is_now(2.5, 'rproxy_member_load_factor', @ready);
is_now(7,   'rproxy_member_load_factor', @lost);
is_now(3, 'rproxy_member_lbset', @ready);
is page()->value('rproxy_member_usable', %p), undef, 'not for workers outside of balancers';

sub checks { return value('rproxy_member_checks_total', @check) }
sub failed { return value('rproxy_member_failed_checks_total', @check) }
$tested{$_} = 1 for qw(rproxy_member_checks_total rproxy_member_failed_checks_total);
ok wait_until(10, sub { checks() >= 2 }), 'rproxy_member_checks_total: checks are counted';
is failed(), 0, 'none failed';
my $before = checks();
$checked->refuse;
ok wait_until(10, sub { failed() >= 2 }), 'rproxy_member_failed_checks_total: those that fail too';
cmp_ok failed(), '<=', checks() - $before + 1, 'and no others';

my $page = page();
is join(' ', grep { !$tested{$_} } $page->families), '', 'every metric has its test';
