# SPDX-License-Identifier: Apache-2.0
# hchost and hctimeout changed while the server runs: seen in the checks, shown with their origin, kept over restarts, and the configuration
# wins where it changed.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(api get);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;

plan tests => 33, need {needs(qw(rproxy rproxy_balancer slotmem_shm authz_host))};

my $b = RProxy::Backend->new(name => 'a');
my $u = $b->url;

sub answer { return $b->script('/hc', "recv body\nsend \"HTTP/1.1 $_[0] X\\r\\nContent-Length: 0\\r\\n\\r\\n\"\n") }

sub conf {
    my ($more) = @_;
    return <<"CONF";
BalancerPersist On
<Proxy balancer://one>
    BalancerMember $u hcmethod=GET11 hcuri=/hc hcinterval=200ms $more
    BalancerMember http://127.0.0.1:1
    ProxySet growth=1
</Proxy>
ProxyPass /one balancer://one
__API__
__MANAGER__
CONF
}

my $s;

sub call { return api($s, @_) }
sub member { return call(GET => "/balancers/one/members/-?url=$u") }
sub set    { return call(PATCH => "/balancers/one/members/-?url=$u", $_[0]) }

# The Host of a check that comes from now on.
sub host_now {
    my $n = $b->count('requests');
    $b->await('requests', '>=', $n + 2) or return 'no check';
    return $b->head($n + 2) =~ /^Host: (.*?)\r$/m ? $1 : 'none';
}

sub holds {
    my ($name, $host, $timeout) = @_;
    my $m = member();
    is $m->{hchost}, $host, "$name: hchost";
    is $m->{hctimeout_ms}, $timeout, "$name: hctimeout_ms";
    is join(' ', map { $m->{origin}{$_} // '-' } qw(hchost hctimeout_ms)), 'run time run time', "$name: where they come from";
    is host_now(), $host, "$name: in the checks";
    return;
}

answer(200);
$s = RProxy::Server->new(modules => [qw(slotmem_shm authz_host)], processes => 2, config => conf('hctimeout=20'));
my $own = $u =~ s{^http://}{}r;
my $m   = member();
is $m->{hchost}, undef, 'no host is configured';
is $m->{hctimeout_ms}, 20_000, 'a time is';
is_deeply $m->{origin}, {}, 'and all of it comes from there';
is host_now(), $own, 'asked for by its own name';
is_deeply [@{call(GET => '/balancers/one')->{members}[1]}{qw(hchost hctimeout_ms)}], [undef, 0], 'nothing written: none, and by the interval';

# --- seen in the checks ---
my $long = join '.', ('a' x 63) x 3, 'b' x 63; # 255 bytes
my $r = set({hchost => $long});
is $r->{hchost}, $long, 'as long as in the configuration' or diag explain $r;
is host_now(), $long, 'and asked for';
set({hchost => 'www.example.com:8443'});
is host_now(), 'www.example.com:8443', 'with a port';
$b->script('/hc', "recv body\nhold\n");
$r = set({hctimeout_ms => 300, reason => 'too slow'});
is_deeply [map { [@$_{qw(field from to)}] } @{$r->{changes}}], [['hctimeout_ms', 20_000, 300]], 'what changes is said';
$b->drop;
ok wait_until(20, sub { (member()->{health}{result} // '') =~ /no answer within 300 ms/ }), 'the time of a check' or diag explain member()->{health};
answer(200);
like $s->error_log, qr/RP0719: .*hctimeout 20 -> 300ms \(API, 127\.0\.0\.1: too slow\)/, 'one line in the log';

# --- what is refused ---
for my $bad ([{hchost => 'a b'}, qr/hchost=a b can not stand in a request .*write for example hchost=www\.example\.com/],
    [{hchost => 'a/b'}, qr/can not stand in a request/], [{hchost => 'a' x 256}, qr/at most 255 bytes/], [{hctimeout_ms => -1}, qr/from 0 to 2147483647/]) {
    my ($body, $like) = @$bad;
    like set($body)->{error}{message}, $like, (keys %$body)[0] . ': ' . substr((values %$body)[0], 0, 20);
}
holds('none of it was done', 'www.example.com:8443', 300);

# --- kept ---
$s->graceful;
holds('graceful', 'www.example.com:8443', 300);
$s->stop;
$s->start;
holds('stop and start', 'www.example.com:8443', 300);
$s->stop;
$s->mark_log;
ok $s->start(conf('hctimeout=10 hchost=other.example.com')), 'the configuration says something else';
$m = member();
is_deeply [@$m{qw(hchost hctimeout_ms)}, $m->{origin}], ['other.example.com', 10_000, {}], 'and wins';
my @lost = substr($s->error_log, $s->{seen}) =~ /RP0717: .*: (hc\w+)=\S+, set at run time, gives way/g;
is join(' ', sort @lost), 'hchost hctimeout', 'one line for each';

# --- taken back, and by the manager's form ---
set({hchost => undef, hctimeout_ms => 0});
is_deeply [@{member()}{qw(hchost hctimeout_ms)}], [undef, 0], 'as if nothing were written';
is host_now(), $own, 'in the checks';
my @referer = (Referer => 'http://localhost/balancer-manager');
my ($nonce) = get($s, '/balancer-manager', headers => [@referer])->body =~ /nonce=([0-9a-f-]{32,36})/;
my $page = RProxy::Client->one($s, POST => '/balancer-manager',
    body => "b=one&w=@{[$u =~ s{([:/])}{sprintf '%%%02X', ord $1}ger]}&w_hh=form.example.com&w_ht=4000&nonce=$nonce",
    headers => ['Content-Type' => 'application/x-www-form-urlencoded', @referer])->body;
like $page, qr/<th scope="col">HC Timeout<\/th>.*<th scope="col">HC Host<\/th>.*4000ms.*form\.example\.com/s, 'the form sets both, the table shows them';
