# SPDX-License-Identifier: Apache-2.0
# Failover: which failures another member may mend, what of the request is sent again, and what never is.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Digest::SHA qw(sha256_hex);
use RProxy::Backend;
use RProxy::Certs qw(certs);
use RProxy::Client qw(get post);
use RProxy::Env qw(needs now seconds);
use RProxy::Server;

plan tests => 105, need {needs(qw(rproxy rproxy_balancer slotmem_shm ssl socache_shmcb env headers))};

my $good  = RProxy::Backend->new(name => 'good');
my $other = RProxy::Backend->new(name => 'other');
my $third = RProxy::Backend->new(name => 'third');
my $tls   = RProxy::Backend->new(name => 'tls', tls => 'local');
my $wrong = RProxy::Backend->new(name => 'wrong', tls => 'expired');
my ($g, $o, $t) = map { $_->url } $good, $other, $third;
my $dir  = certs();
my %bad  = (
    name    => 'http://no-such-name.invalid:8080',
    refused => $o,
    jam     => "$t connectiontimeout=300ms",
    tls     => $wrong->tls_url,
    notls   => 'https://127.0.0.1:' . $good->port . ' timeout=1',
);
# the failing member comes first: the other one is a standby
sub pair { my ($name, $bad, $second) = @_; return <<"CONF" }
<Proxy balancer://$name>
    BalancerMember $bad disablereuse=On retry=600
    BalancerMember @{[$second // $g]} status=+H
    ProxySet forcerecovery=Off
</Proxy>
ProxyPass /$name balancer://$name
CONF
my $conf = "SSLProxyEngine On\nSSLProxyVerify require\nSSLProxyCACertificateFile $dir/ca.crt\n";
$conf .= pair($_, $bad{$_}) for sort keys %bad;
$conf .= pair('close', $o) . pair('slow', "$o timeout=1") . pair('spool', $o) . pair('stream', $o) . pair('memory', $o);
$conf .= pair('path', "$o/one/", "$g/two/");
my %pinged = (
    small   => [body => 'some body'],
    large   => [body => 'y' x 300_000],
    chunked => [chunks => [('z' x 10_000) x 30]],
);
$conf .= pair("ping-$_", "$o ping=300ms timeout=20") for sort keys %pinged, 'never';
$conf .= qq(SetEnvIf Request_URI "^/ping-never" rproxy-no-resend\n);
$conf .= <<"CONF";
<Location /spool>
    SetEnv proxy-sendcl 1
</Location>
<Location /names>
    ProxyPass balancer://names
    ProxyPreserveHost On
</Location>
<Proxy balancer://names>
    BalancerMember @{[$tls->tls_url]} retry=600 disablereuse=On
</Proxy>
<VirtualHost 127.0.0.1:__PORT_off__>
    SSLProxyEngine Off
    ProxyPass /off balancer://off
    <Proxy balancer://off>
        BalancerMember https://127.0.0.1:@{[$tls->tls_port]}
        BalancerMember $g status=+H
    </Proxy>
</VirtualHost>
Listen 127.0.0.1:__PORT_off__
CONF
my $s = RProxy::Server->new(modules => [qw(slotmem_shm ssl socache_shmcb env headers setenvif)], config => $conf, threads => 8);

sub errors { return scalar(() = substr($s->error_log, $s->{seen}) =~ /RP0704/g) }

sub fresh { for ($good, $other, $third) { $_->listen; $_->clear; $_->reset } $s->mark_log; return }

my $number = 0;

# One request: "STATUS WHO arrivals at the first/at the second".
sub try_one {
    my ($method, $target, %opt) = @_;
    my $id = 'f' . ++$number;
    my $r  = RProxy::Client->one($s, $method, $target, id => $id, timeout => 30, %opt);
    return join ' ', $r->status, $r->header('X-Backend') // '-', $other->count("id:$id") . '/' . $good->count("id:$id");
}

# --- no connection could be made: anything may move on ---
$other->refuse;
$third->jam;
for my $kind (qw(name refused jam tls notls)) {
    $s->mark_log;
    is try_one('POST', "/$kind/echo/1", body => 'some body'), '200 good 0/1', "$kind: the other member gets the POST";
    is errors(), 1, "$kind: the first is in error";
    is $good->last_request->{body}, 'some body', "$kind: with its body";
    is try_one('GET', "/$kind/id/1"), '200 good 0/1', "$kind: and the next request at once";
}
$third->unjam;
fresh();

# --- it closed after bytes were sent ---
for my $end ('recv body\nclose', 'recv body\nrst', 'recv body\nsend ""\nlinger') {
    my $script = $end =~ s/\\n/\n/gr;
    fresh();
    $other->script('/x', $script);
    for my $method (qw(GET HEAD OPTIONS DELETE)) {
        like try_one($method, '/close/x?status=200'), qr{^200 good [12]/1$}, "$method moves on";
    }
    like try_one('PUT', '/close/x?status=200', body => 'small'), qr{^200 good [12]/1$}, 'PUT with a small body too';
    for my $method (qw(POST PATCH BREW)) {
        is try_one($method, '/close/x?status=200', body => 'small'), '502 - 1/0', "$method does not";
    }
    is errors(), 0, 'no member is in error';
}
fresh();
$other->script('/x', "recv 1000\nclose\n");
like try_one('PUT', '/close/x', body => 'x' x 3_000_000), qr{^502 - [01]/0$}, 'a PUT whose body is on its way does not move on';

# --- an answer, or none in time: nothing moves ---
fresh();
$other->script('/hang', "hold\n");
$other->script('/cut', "recv body\nsend \"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nhalf\"\nlinger\n");
$other->script('/half', "recv body\nsend \"HTTP/1.1 200 O\"\nlinger\n");
$other->script('/bad', "recv body\nsend \"nonsense\\r\\n\\r\\n\"\nlinger\n");
is try_one('GET', '/slow/hang'), '504 - 1/0', 'a time-out';
is try_one('GET', '/close/id/1?status=503'), '503 other 1/0', 'an answer of 503';
is try_one('GET', '/close/half'), '502 - 1/0', 'half a head';
is try_one('GET', '/close/bad'), '502 - 1/0', 'no head at all';
my $r = get($s, '/close/cut');
is $r->status, 200, 'half a body';
ok $r->{error}, 'is visibly cut';
is errors(), 0, 'no error set';

# --- the first did not say 100 Continue within its ping: only the head went there, so any method moves on ---
for my $kind (sort keys %pinged) {
    fresh();
    $other->script('/deaf', "hold\n");
    my ($way, $content) = @{$pinged{$kind}};
    my $whole = ref $content ? join '', @$content : $content;
    my $begin = now();
    is try_one('POST', "/ping-$kind/deaf", $way => $content), '200 good 1/1', "a POST with a $kind body moves on";
    cmp_ok now() - $begin, '<', seconds(5), 'after the ping, not after the time-out';
    is [$good->requests]->[-1]{bytes}, length $whole, 'with its whole body';
    my ($bytes) = map { $_->{bytes} } grep { $_->{target} eq '/deaf' } $other->requests;
    is $bytes, 0, 'of which the first saw nothing';
    is errors(), 1, 'the first is in error';
    is try_one('GET', "/ping-$kind/id/1"), '200 good 0/1', 'and gets no further request';
}
is try_one('POST', '/ping-never/deaf', body => 'x'), '503 - 1/0', 'rproxy-no-resend: the head does not go twice either';

# --- what is sent again ---
for my $case (['memory', 'in memory', 9000], ['stream', 'partly read', 400_000], ['spool', 'spooled', 1_500_000]) {
    my ($name, $what, $n) = @$case;
    my $body   = join '', map { chr(33 + ($_ * 7 + $_ / 93) % 90) } 1 .. $n;
    my @chunks = unpack '(a10000)*', $body;
    for my $how ([body => $body], [chunks => \@chunks]) {
        fresh();
        $other->refuse;
        is try_one('POST', "/$name/echo/1", @$how), '200 good 0/1', "a POST $what ($how->[0])";
        my ($last) = ($good->requests)[-1];
        is $last->{bytes},  $n,                'all of it';
        is $last->{sha256}, sha256_hex($body), 'as it was';
    }
}
fresh();
$other->refuse;
{
    my $c = RProxy::Client->new($s, timeout => 60);
    my $n = 30_000_000;
    $c->send("POST /stream/upload HTTP/1.1\r\nHost: x\r\nX-Test-Id: big\r\nConnection: close\r\nContent-Length: $n\r\n\r\n");
    my $sha   = Digest::SHA->new(256);
    my $block = join '', map { chr($_ % 251) } 1 .. 100_000;
    for (1 .. $n / 100_000) { $sha->add($block); $c->send($block) }
    is $c->response->status, 200, 'a large POST whose first member refuses';
    is $good->count('id:big'), 1, 'arrives once';
    is +($good->requests)[-1]{sha256}, $sha->hexdigest, 'whole';
}

# --- the member's own path ---
fresh();
get($s, '/path/id/1?q=1');
is $other->last_request->{target}, '/one//id/1?q=1', 'path of a member and what is behind the balancer';
$other->refuse;
$other->drop;
get($s, '/path/id/1?q=1');
is $good->last_request->{target}, '/two//id/1?q=1', 'the path is that of the member that is tried';
like $good->last_request->{head}, qr/^Host: 127\.0\.0\.1:@{[$good->port]}\r$/m, 'and so is Host';

# --- names that clients choose ---
fresh();
is get($s, '/names/id/1', host => 'localhost:' . $tls->tls_port)->status, 200, 'the name in the certificate';
is get($s, '/names/id/1', host => 'evil.example')->status, 502, 'a name that it does not have';
is errors(), 0, 'is no error of the member';
is get($s, '/names/id/1', host => 'localhost:' . $tls->tls_port)->status, 200, 'which goes on';

# --- our own fault ---
fresh();
is get($s, '/off/id/1', port => 'off')->status, 502, 'no SSLProxyEngine here';
is errors(), 0, 'is no error of the member either';
like $s->error_log, qr{RP0200: tls-not-enabled: .*GET /off/}, 'and the log says what is missing';
$s->stop;
