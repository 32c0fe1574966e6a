# SPDX-License-Identifier: Apache-2.0
# The JSON API: what it shows, each change seen in traffic and read back, what it refuses and how it says so.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;

plan tests => 234, need {needs(qw(rproxy rproxy_balancer slotmem_shm authz_core authz_host))};

my %b = map { $_ => RProxy::Backend->new(name => $_) } qw(a b c);
my %u = map { $_ => $b{$_}->url } keys %b;
my $s = RProxy::Server->new(modules => [qw(slotmem_shm authz_host)], processes => 2, config => <<"CONF");
<Proxy balancer://one>
    BalancerMember $u{a} route=a
    BalancerMember $u{b} route=b
    ProxySet growth=2 stickysession=SID
</Proxy>
<Proxy balancer://fixed>
    BalancerMember $u{a}
    ProxySet nonce=None
</Proxy>
ProxyPass /one balancer://one
ProxyPass /fixed balancer://fixed
ProxyPass /one/static !
ProxyPassMatch "^/q(\\.[a-z]+)\\"x" balancer://One/q
<Location /loc>
    ProxyPass balancer://fixed
    ProxyPass balancer://one/l
</Location>
__API__
<Location /closed>
    SetHandler rproxy-api
    Require all denied
</Location>
Listen 127.0.0.1:__PORT_other__
<VirtualHost 127.0.0.1:__PORT_other__>
    ServerName other.test
    ProxyPassInherit Off
    BalancerInherit Off
    <Proxy balancer://own>
        BalancerMember $u{c}
    </Proxy>
    ProxyPass /own balancer://own
    <Location /loc2/>
        ProxyPass balancer://own/
    </Location>
</VirtualHost>
CONF

my @json = (headers => ['Content-Type' => 'application/json', 'X-RProxy-API' => 1]);

# One call; the decoded body is in {json}.
sub call {
    my ($method, $path, $body, %opt) = @_;
    my $text = ref $body ? JSON::PP->new->canonical->encode($body) : $body;
    my $r    = RProxy::Client->one($s, $method, "/rproxy/v1$path", (defined $text ? (body => $text) : ()), @json, %opt);
    $r->{json} = eval { JSON::PP->new->decode($r->body) } // {};
    return $r;
}

sub who { my ($path, $n, @more) = @_; return join ' ', map { my $r = get($s, $path, @more); $r->header('X-Backend') // $r->status } 1 .. $n }

sub refused {
    my ($name, $r, $status, $code, $field, $message) = @_;
    is $r->status, $status, "$name: $status";
    is $r->{json}{error}{code}, $code, "$name: $code";
    is $r->{json}{error}{field}, $field, "$name: the field";
    like $r->{json}{error}{message}, $message, "$name: what is wrong";
    return;
}

# --- what is shown ---
my $all = call(GET => '/balancers');
is $all->status, 200, 'balancers';
is $all->header('Content-Type'),  'application/json', 'they are JSON';
is $all->header('Cache-Control'), 'no-store',         'that no cache keeps';
is join(' ', map { $_->{name} } @{$all->{json}{balancers}}), 'one fixed', 'the balancers of this virtual host alone';
my %id = map { $_->{url} => $_->{id} } map { @{$_->{members}} } @{$all->{json}{balancers}};
my %m  = map { $_ => '/balancers/one/members/' . ($id{$u{$_}} // '') } qw(a b);
my $a  = call(GET => $m{a});
is $a->{json}{url},         $u{a},    'a member by its id';
is $a->{json}{loadfactor},  1,        'its load factor';
is $a->{json}{route},       'a',      'its route';
is $a->{json}{state},       'usable', 'its state';
is_deeply $a->{json}{origin}, {}, 'all of it is of the configuration';
is $a->header('ETag'), $a->{json}{etag}, 'the ETag stands in header and body';
is call(GET => "/balancers/one/members/-?url=" . $u{a} =~ s{([:/])}{sprintf '%%%02X', ord $1}ger)->{json}{id}, $id{$u{a}}, 'and by its URL';
is call(GET => '')->{json}{api}, 'rproxy', 'the index';
is call(HEAD => '/balancers')->status, 200, 'HEAD';
is call(GET => '/balancers/one/')->{json}{places}, 4, 'places: two members and two for growth';
is scalar @{call(GET => '/health')->{json}{health}}, 3, 'health of each member';
is scalar @{call(GET => '/pools')->{json}{pools}}, 3, 'pools of each member';
is_deeply call(GET => '/in-flight')->{json}{in_flight}, [], 'nothing under way through a balancer';
like get($s, '/rproxy/v1/balancers', port => 'other')->body, qr/"name": "own"/, 'the other virtual host shows its own';
unlike get($s, '/rproxy/v1/balancers', port => 'other')->body, qr/"name": "(?:one|fixed)"/, 'and nothing of this one';
is get($s, '/closed/v1/balancers')->status, 403, "httpd's own access control";
is who('/one/x', 4), 'a b a b', 'the traffic before';
is call(GET => $m{a})->{json}{traffic}{elected}, 2, 'counted';

# --- changes, seen in traffic and by the other child ---
sub patched {
    my ($name, $path, $body, $traffic, @more) = @_;
    my $before = call(GET => $path);
    my $r      = call(PATCH => $path, $body);
    is $r->status, 200, $name or diag($r->body);
    ok @{$r->{json}{changes} // []}, "$name: says what changed";
    isnt $r->header('ETag'), $before->header('ETag'), "$name: another ETag";
    ok !(grep { call(GET => $path)->{json}{etag} ne $r->{json}{etag} } 1 .. 6), "$name: the same from every child";
    my %got = map { $_ => 1 } split ' ', who('/one/x', 6, @more);
    is join(' ', sort keys %got), $traffic, "$name: traffic";
    return $r;
}
is_deeply call(GET => '/balancers/one')->{json}{paths}, ['/one', '^/q(\.[a-z]+)"x', '/loc'], 'the paths that lead to a balancer, as they were written';
is_deeply call(GET => '/balancers/fixed')->{json}{paths}, ['/fixed'], 'those of another one, without the line that was replaced';
my $others = JSON::PP->new->decode(get($s, '/rproxy/v1/balancers', port => 'other')->body)->{balancers}[0];
is_deeply $others->{paths}, ['/own', '/loc2/'], 'those of the other virtual host';
is call(GET => '/balancers/one')->{json}{usable}, 2, 'members that could take a request';
$b{a}->refuse;
$b{a}->drop;
is get($s, '/fixed/x')->status, 503, 'a member that can not be reached';
is call(GET => '/balancers/fixed')->{json}{usable}, 0, 'is in error, and could take none';
$b{a}->listen;
my $r = patched('draining', $m{a}, {status => {draining => JSON::PP::true}, reason => 'update 7'}, 'b');
is $r->{json}{state}, 'draining', 'its state in a word';
is_deeply $r->{json}{origin}, {draining => 'run time'}, 'draining comes from run time';
like $r->{json}{changed}{why}, qr/^API, 127\.0\.0\.1: update 7$/, 'who changed it and why';
is_deeply $r->{json}{changes}, [{field => 'draining', from => JSON::PP::false, to => JSON::PP::true, origin_before => 'configuration'}],
    'from false to true';
is who('/one/x', 2, headers => [Cookie => 'SID=1.a']), 'a a', 'its sessions go on';
like $s->error_log, qr/RP0719: balancer:\/\/one: \Q$u{a}\E: status=\+N \(API, 127\.0\.0\.1: update 7\)/, 'one line in the log';
like call(GET => '/events')->{json}{events}[0]{text}, qr/status=\+N/, 'and one event';
is call(GET => '/balancers/one')->{json}{usable}, 1, 'one that drains could not';
patched('not draining', $m{a}, {status => {draining => JSON::PP::false}}, 'a b');
patched('disabled', $m{b}, {status => {disabled => JSON::PP::true}}, 'a');
is who('/one/x', 2, headers => [Cookie => 'SID=1.b']), 'a a', 'its sessions go elsewhere';
is call(GET => '/balancers/one')->{json}{usable}, 1, 'nor one that is disabled';
patched('standby', $m{b}, {status => {disabled => JSON::PP::false, hot_standby => JSON::PP::true}}, 'a');
is call(GET => '/balancers/one')->{json}{usable}, 2, 'a standby could, when it has to';
patched('stopped too', $m{a}, {status => {stopped => JSON::PP::true}}, 'b');
patched('all back', $m{a}, {status => {stopped => JSON::PP::false}}, 'a');
patched('no standby', $m{b}, {status => {hot_standby => JSON::PP::false}}, 'a b');
patched('load factor', $m{a}, {loadfactor => 2}, 'a b');
is who('/one/x', 6) =~ tr/a//, 4, 'twice the traffic';
patched('set', $m{a}, {lbset => 1, loadfactor => 1}, 'b');
patched('set back', $m{a}, {lbset => 0}, 'a b');
patched('route', $m{a}, {route => 'z'}, 'a', headers => [Cookie => 'SID=1.z']);
patched('redirect', $m{a}, {redirect => 'b', status => {disabled => JSON::PP::true}}, 'b', headers => [Cookie => 'SID=1.z']);
patched('enabled', $m{a}, {redirect => undef, status => {disabled => JSON::PP::false}}, 'a b');
patched('sticky session', '/balancers/one', {stickysession => 'KEY'}, 'b', headers => [Cookie => 'KEY=1.b']);
patched('method', '/balancers/one', {lbmethod => 'bybusyness'}, 'b', headers => [Cookie => 'KEY=1.b']);
is call(GET => '/balancers/one')->{json}{origin}{lbmethod}, 'run time', 'the method comes from run time';

# --- dry run, preconditions ---
$r = call(PATCH => "$m{a}?dry-run=1", {loadfactor => 7});
is $r->status, 200, 'a dry run';
is_deeply [map { [@$_{qw(field from to)}] } @{$r->{json}{changes}}], [['loadfactor', 1, 7]], 'says what would change';
ok $r->{json}{dry_run}, 'and that it was one';
is call(GET => $m{a})->{json}{loadfactor}, 1, 'nothing changed';
my $etag = call(GET => $m{a})->header('ETag');
my @if   = ('Content-Type' => 'application/json', 'X-RProxy-API' => 1, 'If-Match');
refused 'If-Match of something else', call(PATCH => $m{a}, {lbset => 3}, headers => [@if, '"0000000000000000"']), 412, 'changed_meanwhile',
    'If-Match', qr/read it again/;
refused 'a weak etag', call(PATCH => $m{a}, {lbset => 3}, headers => [@if, "W/$etag"]), 412, 'changed_meanwhile', 'If-Match', qr/read/;
is call(PATCH => $m{a}, {lbset => 3}, headers => [@if, "\"x\", $etag"])->status, 200, 'If-Match with the right one in a list';
is call(PATCH => $m{a}, {lbset => 0}, headers => [@if, '*'])->status, 200, 'If-Match: *';

# --- what is refused ---
refused 'a value out of range', call(PATCH => $m{a}, {lbset => 1, loadfactor => 101}), 400, 'bad_value', 'loadfactor', qr/from 1 to 100/;
is call(GET => $m{a})->{json}{lbset}, 0, 'nothing of it was done';
refused 'an unknown method', call(PATCH => '/balancers/one', '{"timeout_s": 3, "lbmethod": "bymagic"}'), 400, 'bad_value', 'lbmethod',
    qr/byrequests/;
is call(GET => '/balancers/one')->{json}{timeout_s}, 0, 'nor of this';
refused 'no JSON', call(PATCH => $m{a}, '{"lbset": 1'), 400, 'bad_value', undef, qr/no JSON: .*line 1/;
refused 'a form', call(PATCH => $m{a}, 'lbset=1', headers => ['Content-Type' => 'application/x-www-form-urlencoded', 'X-RProxy-API' => 1]),
    415, 'content_type', 'Content-Type', qr/application\/json/;
refused 'text/plain', call(PATCH => $m{a}, {lbset => 1}, headers => ['Content-Type' => 'text/plain', 'X-RProxy-API' => 1]), 415,
    'content_type', 'Content-Type', qr/application\/json/;
refused 'without the header', call(PATCH => $m{a}, {lbset => 1}, headers => ['Content-Type' => 'application/json']), 403, 'header_missing',
    'X-RProxy-API', qr/X-RProxy-API: 1/;
refused 'a body too large', call(PATCH => $m{a}, '{"route": "' . ('x' x 70_000) . '"}'), 413, 'too_large', undef, qr/65536/;
refused 'nonce=None', call(PATCH => '/balancers/fixed', {lbmethod => 'bytraffic'}), 403, 'not_allowed', undef, qr/nonce/;
refused 'no such balancer',  call(GET => '/balancers/own'), 404, 'no_such_balancer',  undef, qr/this virtual host/;
refused 'no such member',    call(GET => '/balancers/one/members/0123456789abcdef'), 404, 'no_such_member', undef, qr/no member/;
refused 'no such resource',  call(GET => '/balancer'), 404, 'no_such_resource', undef, qr/balancers/;
refused 'a wrong method',    call(PUT => $m{a}, '{}'), 405, 'method', undef, qr/PATCH/;
is call(PUT => $m{a}, '{}')->header('Allow'), 'GET, HEAD, PATCH, DELETE', 'Allow';
refused 'a misspelt parameter', call(PATCH => "$m{a}?dryrun=1", {lbset => 1}), 400, 'bad_parameter', undef, qr/dry-run/;
is call(GET => $m{a})->{json}{lbset}, 0, 'none of these did anything';

# --- members come and go ---
refused 'a socket', call(POST => '/balancers/one/members', {url => 'unix:/run/x|http://h'}), 400, 'bad_value', 'url', qr/sockets/;
refused 'ajp', call(POST => '/balancers/one/members', {url => 'ajp://127.0.0.1:1'}), 400, 'bad_value', 'url', qr/http/;
refused 'one that is there', call(POST => '/balancers/one/members', {url => $u{a}}), 409, 'member_exists', 'url', qr/already/;
call(PATCH => '/balancers/one', {lbmethod => 'byrequests', stickysession => 'SID'});
$r = call(POST => '/balancers/one/members?dry-run=1', {url => $u{c}, route => 'c'});
is $r->status, 200, 'adding, as a dry run';
is scalar @{call(GET => '/balancers/one/members')->{json}{members}}, 2, 'adds nothing';
$r = call(POST => '/balancers/one/members', {url => $u{c}, route => 'c'});
is $r->status, 201, 'a new member' or diag($r->body);
like $r->header('Location'), qr{^/rproxy/v1/balancers/one/members/\Q$r->{json}{id}\E$}, 'where it is';
is $r->{json}{state}, 'disabled', 'it begins disabled';
$m{c} = "/balancers/one/members/$r->{json}{id}";
is who('/one/x', 4), 'a b a b', 'and gets nothing';
patched('the new one enabled', $m{c}, {status => {disabled => JSON::PP::false}}, 'a b c');
refused 'removing a configured one', call(DELETE => $m{a}), 403, 'not_allowed', undef, qr/configuration/;
is call(POST => '/balancers/one/members', {url => 'http://127.0.0.1:1/x'})->status, 201, 'another one';
refused 'one too many', call(POST => '/balancers/one/members', {url => 'http://127.0.0.1:1/y'}), 409, 'no_place', 'url', qr/growth/;
is call(DELETE => '/balancers/one/members/-?url=http://127.0.0.1:1/x')->status, 200, 'removed by its URL';

# --- draining with a deadline ---
refused 'a deadline out of range', call(POST => "$m{c}/drain", {deadline_s => 604_801}), 400, 'bad_value', 'deadline_s', qr/604800/;
refused 'removing a configured one at the end', call(POST => "$m{a}/drain", {then => 'removed'}), 403, 'not_allowed', 'then', qr/configuration/;
$r = call(POST => "$m{b}/drain", {deadline_s => 600});
ok $r->{json}{drain_left_s} > 590, 'how long it drains';
$r = call(DELETE => "$m{b}/drain");
is $r->{json}{drain_left_s}, undef, 'called off';
$r = call(POST => "$m{c}/drain", {deadline_s => 1, then => 'removed', reason => 'end of life'});
is $r->{json}{state}, 'draining', 'draining for a second';
is who('/one/x', 2, headers => [Cookie => 'SID=1.c']), 'c c', 'its sessions go on';
ok wait_until(20, sub { call(GET => $m{c})->status == 404 }), 'then it is removed';
is who('/one/x', 4, headers => [Cookie => 'SID=1.c']) =~ tr/c//, 0, 'and its sessions go elsewhere';
call(POST => "$m{b}/drain", {deadline_s => 0});
ok wait_until(20, sub { call(GET => $m{b})->{json}{state} eq 'stopped' }), 'a deadline that is now: stopped';
