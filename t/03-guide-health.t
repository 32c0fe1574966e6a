# SPDX-License-Identifier: Apache-2.0
# The Reverse Proxy Guide, section 8, as typed there: members are checked out of band, taken out and brought back.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs build_dir now wait_until);
use RProxy::Server;

plan tests => 26, need {needs('rproxy', 'rproxy_balancer', 'slotmem_shm')};

my @names = qw(www2 www3 bkup1);
my %b     = map { $_ => RProxy::Backend->new(name => $_) } @names;
$ENV{RP_NAMES}   = join ' ', map { "$_.example.com:8080=127.0.0.1:" . $b{$_}->port } @names;
$ENV{LD_PRELOAD} = join ':', $ENV{LD_PRELOAD} || (), build_dir() . '/t/upstream/.libs/rp_names.so';

sub page {
    my ($name, $path, $status, $text) = @_;
    my $answer = sprintf "HTTP/1.1 %s X\r\nContent-Length: %d\r\n\r\n%s", $status, length $text, $text;
    return $b{$name}->script($path, "recv body\nsend " . RProxy::Backend::quote($answer) . "\n");
}

# Who answers n requests, in order.
sub who { my ($s, $n) = @_; return join ' ', map { my $r = get($s, '/id/1'); $r->header('X-Backend') // $r->status } 1 .. $n; }

# The checks that a backend saw: requests for this path.
sub checks { my ($name, $path) = @_; return grep { $_->{target} eq $path } $b{$name}->requests }

page('www2', '/status.php', 200, 'Under maintenance until noon');
page('www3', '/', 302, '');

my $begin = now();
my $s     = RProxy::Server->new(modules => ['slotmem_shm'], config => <<'CONF');
ProxyHCExpr ok234 {%{REQUEST_STATUS} =~ /^[234]/}
ProxyHCExpr gdown {%{REQUEST_STATUS} =~ /^[5]/}
ProxyHCExpr in_maint {hc('body') !~ /Under maintenance/}

<Proxy balancer://myset>
    BalancerMember http://www2.example.com:8080  hcmethod=GET hcexpr=in_maint hcuri=/status.php
    BalancerMember http://www3.example.com:8080  hcmethod=GET hcexpr=ok234 hcinterval=5 hcpasses=2 hcfails=3
    BalancerMember http://bkup1.example.com:8080 lbset=1 hcmethod=TCP
    ProxySet lbmethod=byrequests
</Proxy>
ProxyPass "/" "balancer://myset/"
ProxyPassReverse "/" "balancer://myset/"
CONF

my ($www2, $www3, $bkup1) = map {qr/balancer:\/\/myset: member http:\/\/$_\.example\.com:8080/} @names;
is who($s, 4), 'www2 www3 www2 www3', 'before the first check all are used';
unlike $s->error_log, qr/without effect in this version:.*(?:hc|ProxyHC)/, 'nothing of it is without effect';

ok $b{www3}->await('path:/', '>=', 1, 10), 'www3 is checked first, half an interval of 5 seconds into its share';
is $b{www3}->head((checks('www3', '/'))[0]{n}), "GET / HTTP/1.0\r\nHost: www3.example.com:8080\r\n\r\n", 'what it is asked';
ok $s->wait_log(qr/RP0742: $www2 is out of service: health check GET failed 1 time in a row: hcexpr=in_maint is false \(status 200\); 1 good check will bring it back/, 15),
    'www2 is under maintenance: out';
ok now() - $begin < 15, 'its first check came well within the interval of 30 seconds';
is $b{www2}->head((checks('www2', '/status.php'))[0]{n}), "GET /status.php HTTP/1.0\r\nHost: www2.example.com:8080\r\n\r\n", 'what it is asked';
is who($s, 4), 'www3 www3 www3 www3', 'requests to a member that is out go to the others';
unlike $s->error_log, qr/RP074[23]: $www3/, 'a status of 302 is good by ok234';
page('www2', '/status.php', 200, 'all is well');

my $n = checks('www3', '/');
page('www3', '/', 500, '');
ok $b{www3}->await('path:/', '>=', $n + 2, 20), 'two bad checks of www3';
is who($s, 2), 'www3 www3', 'it is used still: hcfails=3';
ok $s->wait_log(qr/RP0742: $www3 is out of service: health check GET failed 3 times in a row: hcexpr=ok234 is false \(status 500\); 2 good checks will bring it back/, 10),
    'out after the third';
is scalar(checks('www3', '/')), $n + 3, 'not earlier';
is who($s, 3), 'bkup1 bkup1 bkup1', 'the next set takes over';
page('www3', '/', 404, '');
ok $b{www3}->await('path:/', '>=', $n + 4, 10), 'one good check (404 is good by ok234)';
is who($s, 1), 'bkup1', 'is not enough: hcpasses=2';
ok $s->wait_log(qr/RP0743: $www3 is back in service: health check GET passed: hcexpr=ok234 is true \(status 404\)/, 10), 'back after the second';
is who($s, 2), 'www3 www3', 'it is used again';
is $b{bkup1}->count('requests'), 4, 'no check is a request to a member that is checked by TCP';

ok $s->wait_log(qr/RP0743: $www2 is back in service: health check GET passed: hcexpr=in_maint is true/, 40), 'maintenance of www2 is over';
is scalar(checks('www2', '/status.php')), 2, 'its second check, 30 seconds after the first';
ok $b{bkup1}->count('accepted') >= 1, 'bkup1 was connected to';
like who($s, 4), qr/^(?:www2 www3 www2 www3|www3 www2 www3 www2)$/, 'all is as it was';
$b{bkup1}->refuse;
$b{bkup1}->drop;
ok $s->wait_log(qr/RP0742: $bkup1 is out of service: health check TCP failed 1 time in a row: the backend server refused the connection/, 40),
    'a member that refuses connections is out';
is get($s, '/id/1')->status, 200, 'nobody notices';
is $s->stop, 1, 'it ends well';
